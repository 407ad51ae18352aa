"""Is *this* commit live, by commit statuses and deployments alone?"""

from __future__ import annotations

from typing import Literal

import pytest

from gitops_sre.model.live import Live, NeverLive, Notice, Waiting
from gitops_sre.model.outcome import Unavailable
from gitops_sre.verification.announced import concerns, live
from tests.builders import after

OURS, LATER, OTHER = "1" * 40, "2" * 40, "9" * 40
COMMITS = (OURS, LATER)
APP = "argocd/staging-checkout"
ARGO, FLUX = "continuous-delivery/staging-checkout", "kustomization/staging-checkout/0c9c2e41"

State = Literal["success", "failure", "pending"]


def status(name: str = ARGO, state: State = "success", commit: str = OURS, at: float = 10) -> Notice:
    return Notice(commit, "status", name, state, after(at), "applied")


def deployment(name: str, link: str = "", state: State = "success") -> Notice:
    return Notice(OURS, "deployment", name, state, after(10), link=link)


@pytest.mark.parametrize("name", [ARGO, FLUX, FLUX.upper()])
def test_success_at_our_commit_is_live_since_it_was_said(name: str) -> None:
    assert live([status(name)], APP, COMMITS) == Live(after(10), OURS)


def test_success_at_a_later_commit_that_holds_ours_counts_too() -> None:
    assert live([status(commit=LATER)], APP, COMMITS) == Live(after(10), LATER)


def test_the_first_success_counts_whatever_becomes_of_later_commits() -> None:
    assert live([status(), status(state="failure", commit=LATER)], APP, COMMITS) == Live(after(10), OURS)


@pytest.mark.parametrize(
    ("notice", "ours"),
    [
        (status(), True),
        (status(FLUX), True),
        (status("continuous-delivery/production-checkout"), False),
        (status("continuous-delivery/staging-checkout-v2"), False),
        (status("ci/staging-checkout"), False),
        (status("kustomization/staging-checkout/cluster-7"), True),
        (status("kustomization/staging-checkout"), False),
        (status("kustomization/staging-checkout/a/b"), False),
        (status("helmrelease/staging-checkout/0c9c2e41"), False),
        (deployment("staging-checkout"), True),
        (deployment("staging"), False),
        (deployment("staging", "https://argocd.example.com/applications/staging-checkout?operation=true"), True),
        (deployment("staging", "https://argocd.example.com/applications/argocd/staging-checkout"), True),
        (deployment("staging", "https://argocd.example.com/applications/other/staging-checkout"), False),
        (deployment("staging", "https://example.com/?next=/applications/staging-checkout"), False),
    ],
)
def test_only_what_names_our_object_counts(notice: Notice, *, ours: bool) -> None:
    assert concerns(notice, APP) is ours
    assert isinstance(live([notice], APP, COMMITS), Live) is ours


@pytest.mark.parametrize(
    ("notices", "on"),
    [
        ([], "a commit status continuous-delivery/staging-checkout or kustomization/staging-checkout/..."),
        ([status(commit=OTHER)], "on 111111111111 or later"),
        ([status(state="pending")], "to end (now pending"),
        ([status(state="failure", commit=LATER)], "after a failure of a later commit"),
        ([status(FLUX, "failure")], "Flux to try"),
        ([status(), deployment("staging-checkout", state="pending")], "staging-checkout to end"),
        ([status(FLUX), status(f"{FLUX}ff", "pending")], "to end"),
        (Unavailable("502"), "GitHub's commit statuses: 502"),
    ],
)
def test_everything_else_is_waited_for(notices: list[Notice] | Unavailable, on: str) -> None:
    seen = live(notices, APP, COMMITS)
    assert isinstance(seen, Waiting)
    assert on in seen.on


@pytest.mark.parametrize("failed", [status(state="failure"), deployment("staging-checkout", state="failure")])
def test_argo_cd_does_not_try_a_commit_again_whose_sync_failed(failed: Notice) -> None:
    seen = live([failed], APP, COMMITS)
    assert isinstance(seen, NeverLive)
    assert "failed on 111111111111" in seen.reason


def test_a_commit_after_a_failure_may_still_bring_it() -> None:
    notices = [status(state="failure"), status(commit=LATER, at=20)]
    assert live(notices, APP, COMMITS) == Live(after(20), LATER)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_deployments_of_one_commit_the_latest_counts(order: int) -> None:
    first = Notice(OURS, "deployment", "staging-checkout", "failure", after(5))
    second = Notice(OURS, "deployment", "staging-checkout", "success", after(9))
    assert live([first, second][::order], APP, COMMITS) == Live(after(9), OURS)
