"""Regenerate what docs/ takes from the code (`make docs`); with --check, say what is out of date and exit 1."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.testing import CliRunner

from gitops_sre.cli.main import cli
from gitops_sre.engine import lifecycle

DOCS = Path(__file__).resolve().parent


def command_line() -> str:
    """Every command's --help, as it prints itself."""
    parts = ["# Command line", "", "Exit codes: 0 done; 1 refused or failed, with a remedy; 2 usage; 3 a bug.", ""]
    for name, command in _commands("gitops-sre", cli):
        printed = CliRunner().invoke(command, ["--help"], prog_name=name, terminal_width=100).output
        parts += [f"## `{name}`", "", "```text", printed.rstrip(), "```", ""]
    return "\n".join(parts)


def _commands(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            found += _commands(f"{name} {child}", command.commands[child])
    return found


def states() -> str:
    """The lifecycle as a diagram, from its table."""
    return (
        "# Lifecycle of an incident\n\nGenerated from `gitops_sre/engine/lifecycle.py`. An event that has no arrow in a"
        f" state changes nothing there.\n\n```mermaid\n{lifecycle.diagram()}```\n"
    )


def main() -> int:
    """Write, or compare."""
    wanted = {DOCS / "cli.md": command_line(), DOCS / "lifecycle.md": states()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.name} is out of date: run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
