"""A restart is a new time on the pod template."""

from __future__ import annotations

import pytest

from gitops_sre.action import ACTIONS
from tests.action.located import Answers, changes, draft, reason, unset, value

PATH = "spec.template.metadata.annotations.gitops-sre.dev/restarted-at"
AT = "2026-03-01T09:30:00Z"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", ""])
def test_the_annotation_is_written(kind: str) -> None:
    assert changes(draft("restart", {(kind, PATH): (unset(),)}, kind=kind, at=AT)) == [(None, AT)]


def test_a_rollout_is_restarted_by_its_own_field() -> None:
    answers: Answers = {("Rollout", "spec.restartAt"): (value("2026-02-01T09:30:00Z"),)}
    assert changes(draft("restart", answers, kind="Rollout", at=AT)) == [("2026-02-01T09:30:00Z", AT)]


@pytest.mark.parametrize(
    ("kind", "at", "why"),
    [
        ("Deployment", "now", "is not a time in UTC"),
        ("Deployment", "2026-03-01T09:30:00+01:00", "is not a time in UTC"),
        ("Deployment", "2026-02-30T09:30:00Z", "no time of the calendar"),
        ("Deployment", AT, "already asks for a restart"),
        ("Job", AT, "is not restarted by its template"),
        ("StatefulSet", AT, "no place in apps/web makes StatefulSet production/web"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(kind: str, at: str, why: str) -> None:
    assert why in reason(draft("restart", {("Deployment", PATH): (value(AT),)}, kind=kind, at=at))


def test_its_blast_radius_is_the_whole_workload() -> None:
    assert ACTIONS["restart"].spec.whole_workload
