"""Policies written into a folder, and plans to hold against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gitops_sre.model.change import BlastRadius, Check, Proof
from gitops_sre.model.change_feed import Commit
from gitops_sre.model.evidence import Doubt, Gap
from gitops_sre.model.outcome import Done, Unavailable
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.model.verdict import Verdict
from gitops_sre.policy.documents import Policies, read
from gitops_sre.policy.gate import judge
from gitops_sre.policy.situation import Around, Origin, situation
from tests import builders as b

FOLDER = ".gitops-sre/policies"

ROLLBACK = ActionSpec("rollback_image", "Restore an image", (), ("contents:write",), True, "restore the tag")


@dataclass(frozen=True)
class Tree:
    """A repository that holds these files at every commit (ports.Repository, as far as policy reads it)."""

    content: Mapping[str, bytes | None]

    def head(self) -> str | Unavailable:
        return b.SHA

    def read(self, commit: str, path: str) -> bytes | None:
        return self.content[path]

    def files(self, commit: str, under: str = "") -> tuple[str, ...]:
        return tuple(sorted(path for path in self.content if path.startswith(f"{under}/")))

    def log(self, commit: str, **_: Any) -> tuple[Commit, ...]:
        return ()

    def contains(self, descendant: str, ancestor: str) -> bool | Unavailable:
        return descendant == ancestor

    def export(self, commit: str, into: object, under: object = ()) -> None:
        raise NotImplementedError


def document(kind: str, spec: str, name: str = "test") -> str:
    """A document around a spec in flow style or indented by two."""
    return f"apiVersion: gitops-sre.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}"


def policies(*texts: str) -> Policies:
    """Documents read from a repository, a file each."""
    content = {f"{FOLDER}/{number}.yaml": text.encode() for number, text in enumerate(texts)}
    return read(Tree(content), b.SHA, FOLDER)


def plan(environment: str = "staging", *, tier: str = "", confidence: float = 0.97, **changes: Any) -> Plan:
    """Roll checkout back in an environment."""
    target = b.target(environment=environment)
    return b.plan(target=replace(target, tier=tier or environment), confidence=confidence, **changes)


def proof(environment: str = "staging", *, checks: tuple[Check, ...] | None = None, **radius: Any) -> Proof:
    """One Deployment of two replicas, everything checked."""
    plain = BlastRadius(1, 2, (environment,), (environment,), (environment,), 0.1, 1, 1)
    done = (Check("render", Done()),)
    return replace(b.proof(), radius=replace(plain, **radius), checks=done if checks is None else checks)


def verdict(
    held: Policies,
    what: Plan | None = None,
    shown: Proof | None = None,
    *,
    gaps: tuple[Gap | Doubt, ...] = (),
    spec: ActionSpec = ROLLBACK,
    now: datetime = b.NOW,
    labels: Mapping[str, str] | None = None,
    **known: Any,
) -> Verdict:
    """What the gate says; by default of a small rollback in staging."""
    around = Around(now, labels or {}, (Origin("alertmanager", "checkout"),), open_questions=gaps)
    return judge(situation(what or plan(), shown or proof(), spec, replace(around, **known)), held)
