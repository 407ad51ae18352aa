"""The repository's own customs for pull requests: who owns a file (CODEOWNERS), and what a description must say."""

from __future__ import annotations

from collections.abc import Iterable

from codeowners import CodeOwners

from gitops_sre.ports import Tree

_OWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in its order: the first file that is there counts."""
_TEMPLATES = tuple(
    f"{folder}{name}"
    for folder in (".github/", "", "docs/")
    for name in ("pull_request_template.md", "PULL_REQUEST_TEMPLATE.md")
)
_LONGEST = 100_000
"""Bytes of a file that are read; GitHub itself ignores a CODEOWNERS of more than 3 MB."""


def owners(tree: Tree, commit: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Logins (`alice`) and teams (`acme/payments`) that own any of these files, in order; none when the repository has
    no CODEOWNERS. Owners by e-mail address cannot be asked for a review and are left out. Raises OSError."""
    text = _first(tree, commit, _OWNERS)
    if text is None:
        return ()
    file = CodeOwners(text)
    found = (owner for path in paths for kind, owner in file.of(path) if kind != "EMAIL")
    return tuple(dict.fromkeys(owner.removeprefix("@") for owner in found))


def template(tree: Tree, commit: str) -> str:
    """The repository's pull-request template, empty when it has none. Raises OSError."""
    return _first(tree, commit, _TEMPLATES) or ""


def _first(tree: Tree, commit: str, paths: Iterable[str]) -> str | None:
    for path in paths:
        content = tree.read(commit, path)
        if content is not None:
            return content[:_LONGEST].decode("utf-8", errors="replace")
    return None
