"""Why a commit may not reach what an Application runs, or may not stay: read from the declarations alone.

Source: Argo CD, "Automated sync policy", "Diff customization", "Tracking and deployment strategies", "ApplicationSet
specification".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gitops_sre.gitops.argocd.applications import Declared
from gitops_sre.gitops.flux.objects import Held, under
from gitops_sre.yamltext import Path

TroubleKind = Literal["auto-sync-off", "pinned-revision", "other-branch", "ignored-difference", "generated", "unknown"]

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_TAG = re.compile(r"refs/tags/.+|v?\d+(\.(\d+|x|\*))+([-+][\w.+-]+)?")


@dataclass(frozen=True)
class Trouble:
    """One reason, and the place that it stands at; `path` is empty where something is missing."""

    kind: TroubleKind
    file: str
    document: int
    path: Path
    reason: str


def troubles(declared: Declared, branches: Sequence[str] = ()) -> tuple[Trouble, ...]:
    """What stands between a commit on one of `branches` (empty: any is taken for followed) and this Application."""
    return (*_sync(declared), *_revisions(declared, branches), *_ignored(declared), *_generated(declared))


def _at(kind: TroubleKind, declared: Declared, held: Held | None, reason: str) -> Trouble:
    if held is None:
        return Trouble(kind, declared.file, declared.document, (), reason)
    return Trouble(kind, held.file, held.scalar.document, held.scalar.path, reason)


def _sync(declared: Declared) -> Iterator[Trouble]:
    if not declared.auto_sync:
        held = declared.spec.get(("syncPolicy", "automated", "enabled"))
        yield _at("auto-sync-off", declared, held, f"{declared} does not sync by itself; somebody has to sync it")


def _revisions(declared: Declared, branches: Sequence[str]) -> Iterator[Trouble]:
    for each in declared.sources:
        revision, held = each.source.revision, each.tree.get(("targetRevision",))
        if not each.local or each.chart or revision == "HEAD":
            continue
        if _SHA.fullmatch(revision) or _TAG.fullmatch(revision):
            reason = f"{declared} stays at {revision}: no commit reaches it before that is changed"
            yield _at("pinned-revision", declared, held, reason)
        elif "{{" in revision or "${" in revision:
            yield _at("unknown", declared, held, f"{declared} follows {revision}, which is filled in elsewhere")
        elif branches and revision.removeprefix("refs/heads/") not in branches:
            yield _at("other-branch", declared, held, f"{declared} follows {revision}, not {', '.join(branches)}")


def _ignored(declared: Declared) -> Iterator[Trouble]:
    for path, held in under(declared.spec, ("ignoreDifferences",)).items():
        if len(path) > 1 and path[1] in ("jsonPointers", "jqPathExpressions", "managedFieldsManagers"):
            kind = declared.text("ignoreDifferences", path[0], "kind") or "any kind"
            reason = f"{declared} ignores {declared.resolve(held).text} of {kind}: a change there starts no sync"
            yield _at("ignored-difference", declared, held, reason)


def _generated(declared: Declared) -> Iterator[Trouble]:
    if declared.kind == "ApplicationSet":
        reason = f"{declared.object} writes {declared.name} anew: edit its template or generators, not the Application"
        yield _at("generated", declared, None, reason)
    yield from (_at("unknown", declared, None, f"{declared}: {note}") for note in declared.notes)
