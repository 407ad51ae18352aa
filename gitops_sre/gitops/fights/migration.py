"""Schema migrations: after one has run, the version before it may not be able to read the data.

Whether a migration can be undone is not in the files, so its presence alone is the reason. Source of the hooks: Helm,
"Chart hooks"; Argo CD, "Sync phases and waves".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_sre.gitops.files import AtCommit, Document, Files, documents, plain_source, value
from gitops_sre.model.target import Target
from gitops_sre.ports import Repository
from gitops_sre.yamltext import Path, YamlTextError, show

_FILE = re.compile(
    r"(?:^|/)(?:(?:db|database|schema)[-_]?)?migrat(?:ions?|e)(?:/|$)|(?:^|/)(?:alembic/versions|liquibase|flyway)/"
    r"|(?:^|/)templates/[^/]*migrat[^/]*$|(?:^|/)[VUR]\d[\w.]*__\w+\.sql$|\.sql$", re.I,
)  # fmt: skip
_WORD = re.compile(r"migrat|flyway|liquibase|alembic|schema[-_.]?(?:update|upgrade|change)|db[-_.]?upgrade", re.I)
_HOOKS = ("helm.sh/hook", "argocd.argoproj.io/hook")
_BEFORE = re.compile(r"pre-upgrade|pre-install|PreSync|post-upgrade|Sync", re.I)


def migrated_by(repository: Repository, culprit: str, target: Target) -> str:
    """Why a commit ran a schema migration of the target's application, or the empty string. Raises OSError."""
    folder = plain_source(target.source).path
    changes = repository.changed(culprit)
    paths = sorted({path for each in changes for path in (each.before_path, each.after_path) if path})
    own = [path for path in paths if not folder or path.startswith(f"{folder}/")]
    parents = next((each.parents for each in repository.log(culprit, limit=1)), ())
    after = AtCommit(repository, culprit)
    return between(AtCommit(repository, parents[0]), after, own) if parents else ""


def between(before: Files, after: Files, changed: Iterable[str]) -> str:
    """Why a change from one state of the files to another runs a schema migration, or the empty string.

    `changed` are the paths that it touches. It looks at migration files, Jobs and hooks that are for migrations by
    their name, containers and values of such a name.
    """
    for path in changed:
        if _FILE.search(path):
            return f"rollback across a schema migration: {path} changed"
        if reason := _in_file(_read(before, path), _read(after, path), path):
            return f"rollback across a schema migration: {reason}"
    return ""


def _read(files: Files, path: str) -> tuple[Document, ...]:
    try:
        return documents(files, path) if files.text(path) is not None else ()
    except YamlTextError:
        return ()


def _in_file(before: tuple[Document, ...], after: tuple[Document, ...], path: str) -> str:
    older = {_identity(document, number): document for number, document in enumerate(before)}
    for number, document in enumerate(after):
        old = older.get(_identity(document, number), {})
        changed = [
            place for place in {**old, **document}
            if (old[place].value if place in old else None) != (document[place].value if place in document else None)
        ]  # fmt: skip
        if changed and _is_migration(document):
            return f"{value(document, 'kind')} {value(document, 'metadata', 'name')} in {path} changed"
        if place := next((place for place in changed if _names_migration(document, place)), None):
            return f"{path}: {show(number, place)} changed"
    return ""


def _identity(document: Document, number: int) -> tuple[str, ...]:
    named = tuple(value(document, *keys) for keys in (("kind",), ("metadata", "namespace"), ("metadata", "name")))
    return named if any(named) else (str(number),)


def _is_migration(document: Document) -> bool:
    if value(document, "kind") != "Job":
        return False
    hook = next((text for name in _HOOKS if (text := value(document, "metadata", "annotations", name))), "")
    return bool(_WORD.search(value(document, "metadata", "name"))) or bool(_BEFORE.search(hook))


def _names_migration(document: Document, place: Path) -> bool:
    """Whether a value is in something named after a migration: a key, or the container or list item it belongs to."""
    for at, part in enumerate(place):
        if isinstance(part, str) and _WORD.search(part) and not part.startswith("db.") and at < len(place):
            return True
        if isinstance(part, int) and _WORD.search(value(document, *place[: at + 1], "name")):
            return True
    return False
