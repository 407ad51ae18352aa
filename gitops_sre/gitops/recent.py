"""What the history adds where the files alone do not say which place is meant: what was changed last."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_sre.gitops import environments
from gitops_sre.gitops.history import Scope
from gitops_sre.gitops.lookback import Looker
from gitops_sre.gitops.versions import plain
from gitops_sre.model.change import Field
from gitops_sre.model.change_feed import Revision
from gitops_sre.ports import Repository
from gitops_sre.yamltext import YamlTextError

_REVISIONS = 100
"""Commits of a folder in which a name that is gone is looked for."""


def for_all(repository: Repository, commit: str, owners: Sequence[tuple[Field, ...]]) -> tuple[Field, ...] | None:
    """The only owner that is written for no environment in particular, when it was also changed last; else None.

    Either reason alone would be a guess: a value for all environments may be overridden in each of them, and what
    changed last may belong to one of them. Raises OSError when the repository cannot be read.
    """
    neutral = [fields for fields in owners if not any(environments.of(field.file) for field in fields)]
    if len(neutral) != 1 or len(owners) < 2:
        return None
    changed = {fields: _changed(repository, commit, fields) for fields in owners}
    mine = changed.pop(neutral[0])
    if mine is None:
        return None
    later = [other for other in changed.values() if other is not None and other.commit.at >= mine.commit.at]
    return None if later else neutral[0]


def _changed(repository: Repository, commit: str, fields: Sequence[Field]) -> Revision | None:
    """The last commit that changed any of the fields."""
    try:
        return next((change.revision for change in Looker(repository, commit, fields).changes()), None)
    except YamlTextError:
        return None


def replaced(repository: Repository, commit: str, scope: Scope, image: str) -> Revision | None:
    """The last commit that took an image's name out of a target's files, or None. Raises OSError."""
    name = plain(image).encode()
    for revision in repository.revisions(commit, scope.paths, limit=_REVISIONS) if scope.paths else ():
        changes = [c for c in revision.changes if c.plain and c.before_blob and c.after_blob]
        blobs = repository.blobs({blob for c in changes for blob in (c.before_blob, c.after_blob)})
        if any(name in blobs[c.before_blob] and name not in blobs[c.after_blob] for c in changes):
            return revision
    return None
