"""Revisions of other repositories are found where they stand, and put back from the history."""

from __future__ import annotations

import pytest

from gitops_sre.action import ACTIONS
from gitops_sre.gitops import edit
from gitops_sre.gitops.fights import found
from gitops_sre.gitops.files import AtCommit
from gitops_sre.gitops.locate import GitOpsLocator
from gitops_sre.gitops.target import at_path
from gitops_sre.model.change import Change, Draft, FieldEdit
from gitops_sre.model.outcome import Refused
from gitops_sre.model.plan import Plan, VerificationPlan
from tests.gitops.commits import History

KUSTOMIZATION = "resources:\n- https://git.example.com/acme/crds//config?ref={}\n- ns.yaml\n"
SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: platform
  namespace: flux-system
spec:
  url: https://git.example.com/acme/platform
  ref:
    tag: {}
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: addons
  namespace: argocd
spec:
  destination:
    namespace: addons
    server: https://kubernetes.default.svc
  source:
    repoURL: https://git.example.com/acme/addons.git
    path: manifests
    targetRevision: {}
"""


def rolled_back(made: History, path: str, **parameters: str) -> Change | Refused:
    repository, head = made.repository(), made.git("rev-parse", "HEAD")
    plan = Plan("rollback_image", at_path(path), parameters, "", "", 1.0, "", VerificationPlan((), 0, 0, 0))
    draft = ACTIONS["rollback_image"].draft(plan, GitOpsLocator(repository), head)
    if not isinstance(draft, Draft):
        return draft
    return edit.apply(repository, head, draft.edits, ".gitops-sre")


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("apps/crds/kustomization.yaml", KUSTOMIZATION, "crds"),
        ("apps/sources/platform.yaml", SOURCE, "platform"),
        ("apps/argocd/addons.yaml", APPLICATION, "addons"),
    ],
)
def test_a_pinned_revision_goes_back_to_the_last_one(made: History, file: str, text: str, name: str) -> None:
    made.commit({file: text.format("v1.1.0")})
    made.commit({file: text.format("v1.2.0")}, "bump")
    change = rolled_back(made, "apps", ref=name)
    assert isinstance(change, Change), change
    assert {each.path: each.after for each in change.files} == {file: text.format("v1.1.0")}


def test_a_revision_that_the_history_does_not_know_is_written_but_never_into_a_url(made: History) -> None:
    made.commit({"apps/a.yaml": SOURCE.format("v1.1.0"), "apps/crds/kustomization.yaml": KUSTOMIZATION.format("v1")})
    change = rolled_back(made, "apps", ref="platform", to="v1.0.9")
    assert isinstance(change, Change), change
    assert [each.after for each in change.edits] == ["v1.0.9"]
    answer = rolled_back(made, "apps", ref="crds", to="v0")
    assert isinstance(answer, Refused)
    assert "only put back whole" in answer.reason


def test_a_branch_is_no_revision_to_go_back_to(made: History) -> None:
    made.commit({"apps/argocd/addons.yaml": APPLICATION.format("main")})
    assert isinstance(rolled_back(made, "apps", ref="addons"), Refused)


def test_an_application_that_stays_at_a_tag_is_named_before_its_files_are_edited(made: History) -> None:
    head = made.commit({"apps/argocd/addons.yaml": APPLICATION.format("v1.2.0"), "manifests/c.yaml": "a: 1\n"})
    fix = FieldEdit("manifests/c.yaml", 0, ("a",), "1", "0", "", "")
    fights = found(AtCommit(made.repository(), head), at_path("manifests"), [fix])
    assert [(fight.kind, fight.severity) for fight in fights] == [("pinned-revision", "may-undo")]
    assert "stays at v1.2.0" in fights[0].reason
