"""Regenerate what docs/ takes from the code (`make docs`); with --check, say what is out of date and exit 1."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types as at
import click
from click.testing import CliRunner
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gitops_sre.cli.main import cli
from gitops_sre.cli.main import main as command
from gitops_sre.engine import lifecycle
from gitops_sre.perception import presets
from gitops_sre.policy import documents
from gitops_sre.settings import LONGEST, Settings
from gitops_sre.settings import schema as settings_schema

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # the examples are the tests' own

from tests.gitops.commits import History  # noqa: E402
from tests.layouts.cases import Layout, layouts  # noqa: E402

_COMMANDS = "<!-- commands: generated -->\n"
_PRESETS = "<!-- presets: generated -->\n"
BEGIN, END = "<!-- lifecycle:begin -->", "<!-- lifecycle:end -->"


def command_line() -> str:
    """docs/cli.md with every command's --help, as it prints itself."""
    begin = (DOCS / "cli.md").read_text().partition(_COMMANDS)[0]
    parts = [f"{begin}{_COMMANDS}"]
    for name in _commands("gitops-sre", cli):
        arguments = [*name.split()[1:], "--help"]
        printed = CliRunner().invoke(cli, arguments, prog_name="gitops-sre", terminal_width=100).output
        parts += [f"## `{name}`", "", "```text", printed.rstrip(), "```", ""]
    return "\n".join(parts)


def _commands(name: str, command: click.Command) -> list[str]:
    """A command and those below it, each as it is typed."""
    found = [name]
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            found += _commands(f"{name} {child}", command.commands[child])
    return found


def signals() -> str:
    """docs/signals.md with the query catalogue."""
    begin = (DOCS / "signals.md").read_text().partition(_PRESETS)[0]
    return f"{begin}{_PRESETS}{presets.table()}"


def states() -> str:
    """The lifecycle as a diagram, from its table."""
    return (
        "# Lifecycle of an incident\n\nGenerated from `gitops_sre/engine/lifecycle.py`. An event that has no arrow in a"
        f" state changes nothing there.\n\n```mermaid\n{lifecycle.diagram()}```\n"
    )


def settings() -> str:
    """docs/configuration.md with its table of every setting taken from the models."""
    text = (DOCS / "configuration.md").read_text()
    begin, rest = text.split("<!-- settings: generated -->\n")
    end = rest.partition("<!-- end -->\n")[2]
    return f"{begin}<!-- settings: generated -->\n{''.join(_sections(Settings, ''))}<!-- end -->\n{end}"


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """A section's own table, then those of the sections in it."""
    own, inner = [], []
    for name, field in model.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            own.append(f"| `{prefix}{name}` | {_default(field)} | {_form(field)} | {_meaning(field)} |\n")
        else:
            origin: Any = get_origin(field.annotation)
            inner.append((f"{prefix}{name}{_PLURAL.get(origin, '')}", section))
    heading = (
        f"### `{prefix[:-1]}`\n\n{_prose(model)}\n" if prefix else "### Top level\n\nEverything else is a section.\n"
    )
    yield f"\n{heading}\n| key | default | form | meaning |\n|---|---|---|---|\n{''.join(own)}"
    for name, section in inner:
        yield from _sections(section, f"{name}.")
    if not prefix:
        yield "\n"


_PLURAL = {Mapping: ".NAME", tuple: "[]"}
_BY_TYPE = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Path: "path"}


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model of a section: by itself, optional, or one of many."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def _prose(model: type[BaseModel]) -> str:
    return re.sub(r"\s+", " ", model.__doc__ or "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(_yaml, value))}]`"
    return f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else '"*"' if value == "*" else str(value)


def _form(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
    limits = [*field.metadata, *getattr(annotation, "__metadata__", ())]
    limits += [limit for each in limits if isinstance(each, FieldInfo) for limit in each.metadata]
    low = next((each.ge for each in limits if isinstance(each, at.Ge)), None)
    high = next((each.le for each in limits if isinstance(each, at.Le)), None)
    if high == LONGEST:
        return "seconds" if low is None else "seconds, or 0"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list of text"
    kind = _BY_TYPE.get(getattr(annotation, "__origin__", annotation), "text")
    return kind if low is None else f"{kind}, {low} to {high}" if high is not None else f"{kind}, from {low}"


def _meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def architecture() -> str:
    """The page as it stands, with the diagram of states between its markers."""
    text = (DOCS / "architecture.md").read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```mermaid\n{lifecycle.diagram()}```\n{END}{after}"


_LAYOUTS = """# Layouts

For every way to lay out a GitOps repository that is known here: a small repository, a question to `gitops-sre locate`,
and the answer as the command prints it. A file and a field in it, its value, and why that place decides; or why there
is no answer. The lists of files are whole, of the contents only what the answer names is shown (of a refusal,
everything).

Each stands in a folder of [`tests/layouts`](../tests/layouts), with a test that asks the question again.
[CONTRIBUTING.md](../CONTRIBUTING.md#add-a-layout) says how to add one. This page is generated (`make docs`).
"""
_SHOWN = 60
"""Lines of a file that are shown at most."""


def layouts_page() -> str:
    """Every layout with its repository, its question and the real answer."""
    known = layouts()
    index = "\n".join(f"- [{each.title}](#{_anchor(each.title)})" for each in known)
    return "\n".join([_LAYOUTS, index, "", *(_layout(each) for each in known)])


def _layout(layout: Layout) -> str:
    files = layout.files()
    tree = "\n".join(files)
    deciding = sorted({file for file, _, _ in layout.expect}) or sorted(files)
    shown = "\n".join(f"`{file}`:\n\n{_fenced(_cut(files[file]), _language(file))}" for file in deciding)
    question = " ".join(["gitops-sre", "locate", "--repo", ".", *layout.question])
    answer = _fenced(f"$ {question}\n{_answer(layout)}", "console")
    return f"## {layout.title}\n\n{textwrap.fill(layout.what, 118)}\n\n{_fenced(tree, 'text')}\n{shown}\n{answer}"


def _answer(layout: Layout) -> str:
    """What the command prints of the layout's repository, committed for real."""
    with _committed(layout.files()) as folder:
        return _printed(folder, ["locate", *layout.question])


@contextlib.contextmanager
def _committed(*states: Mapping[str, str]) -> Iterator[str]:
    """A folder with a repository, a commit for each state of its files."""
    with tempfile.TemporaryDirectory() as folder:
        made = History(Path(folder))
        for files in states:
            made.commit(files)
        yield folder


def _printed(folder: str, arguments: list[str]) -> str:
    """What a command prints, on both streams, in the order in which it does."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        command([*arguments, "--repo", folder])
    return printed.getvalue().replace(folder, ".")


def _cut(text: str) -> str:
    lines = text.rstrip("\n").split("\n")
    return "\n".join(lines if len(lines) <= _SHOWN else [*lines[:_SHOWN], f"# ({len(lines) - _SHOWN} more lines)"])


def _fenced(text: str, language: str) -> str:
    newline = "\n"
    return f"```{language}\n{text.rstrip(newline)}\n```\n"


def _language(file: str) -> str:
    return "json" if file.endswith(".json") else "yaml" if file.endswith((".yaml", ".yml", ".lock")) else "text"


def _anchor(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


_HANDS = DOCS.parent / "tests" / "action" / "examples" / "rollback_image" / "kustomize-last-good"


def readme() -> str:
    """README.md with what the hands really print of a repository of two commits."""
    text = (DOCS.parent / "README.md").read_text()
    begin, rest = text.split("<!-- hands: generated -->\n")
    end = rest.partition("<!-- end -->\n")[2]
    what = ["--path", "apps/web/overlays/production", "--image", "registry.example.com/shop/web"]
    with _committed(_files(_HANDS / "repo"), _files(_HANDS / "then")) as folder:
        found = _printed(folder, ["locate", *what])
        made = _printed(folder, ["propose", "rollback_image", *what])
    said = " ".join(what)
    shown = f"$ gitops-sre locate --repo . {said}\n{found}$ gitops-sre propose rollback_image --repo . {said}\n{made}"
    return f"{begin}<!-- hands: generated -->\n{_fenced(shown, 'console')}<!-- end -->\n{end}"


def _files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def _schema(made: Mapping[str, Any]) -> str:
    """JSON Schema as a file."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write, or compare."""
    wanted = {
        DOCS / "cli.md": command_line(),
        DOCS / "signals.md": signals(),
        DOCS / "architecture.md": architecture(),
        DOCS / "lifecycle.md": states(),
        DOCS / "configuration.md": settings(),
        DOCS / "layouts.md": layouts_page(),
        DOCS / "schemas" / "policy.json": _schema(documents.schema()),
        DOCS / "schemas" / "settings.json": _schema(settings_schema()),
        DOCS.parent / "README.md": readme(),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.name} is out of date: run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
