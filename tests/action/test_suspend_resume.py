"""What acts by itself is stopped and started again by exactly one place."""

from __future__ import annotations

import pytest

from gitops_sre.model.change import Draft
from tests.action.located import Answers, changes, draft, reason, unset, value

SUSPENDED = ["CronJob", "Kustomization", "HelmRelease", "ImageUpdateAutomation", "ImageRepository"]
AUTOMATED, ENABLED = "spec.syncPolicy.automated", "spec.syncPolicy.automated.enabled"
PAUSED = "metadata.annotations.autoscaling.keda.sh/paused"


def app(automated: bool, enabled: str = "") -> Answers:
    return {
        ("Application", AUTOMATED): (value("", "automated") if automated else unset("automated"),),
        ("Application", ENABLED): (value(enabled) if enabled else unset(),),
    }


@pytest.mark.parametrize("kind", SUSPENDED)
def test_a_switch_is_set_and_set_back(kind: str) -> None:
    path = (kind, "spec.suspend")
    assert changes(draft("suspend", {path: (unset(),)}, what=f"{kind}/x")) == [(None, "true")]
    assert changes(draft("suspend", {path: (value("false"),)}, what=f"{kind}/ns/x")) == [("false", "true")]
    assert changes(draft("resume", {path: (value("true"),)}, what=f"{kind}/x")) == [("true", "false")]


@pytest.mark.parametrize("kind", SUSPENDED)
def test_what_is_so_already_is_refused(kind: str) -> None:
    path = (kind, "spec.suspend")
    assert "suspended already" in reason(draft("suspend", {path: (value("true"),)}, what=f"{kind}/x"))
    for said in (unset(), value("false")):
        assert "is not suspended there" in reason(draft("resume", {path: (said,)}, what=f"{kind}/x"))


def test_auto_sync_is_switched_where_a_switch_stands() -> None:
    assert changes(draft("suspend", app(True, "true"), what="Application/web")) == [("true", "false")]
    assert changes(draft("resume", app(True, "false"), what="Application/web")) == [("false", "true")]
    assert "off already" in reason(draft("suspend", app(True, "false"), what="Application/web"))


def test_auto_sync_without_a_switch_goes_as_a_whole() -> None:
    answer = draft("suspend", app(True), what="Application/argocd/web")
    assert isinstance(answer, Draft)
    assert [(edit.path, edit.after) for edit in answer.edits] == [(("automated",), None)]
    assert "does not sync by itself" in reason(draft("suspend", app(False), what="Application/web"))
    assert "undo the commit" in reason(draft("resume", app(False), what="Application/web"))


def test_keda_is_paused_by_an_annotation_and_resumed_by_its_absence() -> None:
    path = ("ScaledObject", PAUSED)
    assert changes(draft("suspend", {path: (unset(),)}, what="ScaledObject/web")) == [(None, "true")]
    assert changes(draft("resume", {path: (value("true"),)}, what="ScaledObject/web")) == [("true", None)]
    assert "is not suspended there" in reason(draft("resume", {path: (unset(),)}, what="ScaledObject/web"))


@pytest.mark.parametrize("action", ["suspend", "resume"])
def test_an_object_that_the_source_does_not_make_is_refused(action: str) -> None:
    for kind in (*SUSPENDED, "Application", "ScaledObject"):
        assert "name the folder where it is declared" in reason(draft(action, {}, what=f"{kind}/x"))


@pytest.mark.parametrize(
    "what", ["", "CronJob", "Secret/x", "Deployment/web", "CronJob/a/b/c", "CronJob/../x", "CronJob/X"]
)
def test_other_things_are_not_suspended(what: str) -> None:
    assert "suspend: what=" in reason(draft("suspend", {}, what=what))
