"""Advice on everybody's pull requests: a check run that says what each reaches, and blocks nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import State
from gitops_sre.sandbox.github.state import CheckRun, Pull
from tests.loop.conftest import Founder
from tests.loop.place import Place

FREEZE = """\
apiVersion: gitops-sre.dev/v1
kind: FreezeWindow
metadata: {{name: freeze}}
spec:
  windows:
    - {{name: quarter-end, from: "{start}", until: "{end}", ceiling: L2, reason: books are closed}}
"""


@pytest.fixture
def advising(found: Founder) -> Place:
    place = found("L3")
    asked = place.settings.github.model_copy(update={"advise": True})
    place.settings = place.settings.model_copy(update={"github": asked})
    return place


def propose(place: Place, change: Callable[[str], object], branch: str = "bobs-idea") -> Pull:
    """Bob opens a pull request with what a push to its branch changes."""
    place.repo.git.run("update-ref", f"refs/heads/{branch}", place.repo.tip("main"))
    change(branch)
    place.as_person("bob", "POST", "/pulls", {"title": "An idea", "head": branch, "base": "main"})
    return max(place.repo.pulls.values(), key=lambda pull: pull.number)


def advice(place: Place, pull: Pull) -> list[CheckRun]:
    now = place.repo.pulls[pull.number]
    return [check for check in place.checks(now) if check.name == "gitops-sre/advice"]


def test_a_persons_pull_request_gets_it_once_for_each_head(advising: Place) -> None:
    place = advising
    pull = propose(place, lambda branch: place.put_tag("v0.0.1", branch=branch))
    bot = place.bot()
    for _ in range(3):
        place.turn(bot)
    (said,) = advice(place, pull)
    assert (said.status, said.conclusion) == ("completed", "neutral")
    assert said.title == "1 object, 1 replica: 1 thing to look at"
    assert f"goes back to an older version, from {place.good} to v0.0.1" in (said.summary or "")
    assert "blocks nothing and approves nothing" in (said.summary or "")
    assert not place.repo.comments_of(pull.number)

    place.put_tag("v99.0.0", branch="bobs-idea")
    place.turn(place.bot("other.db"))  # a bot without memory
    (again,) = advice(place, pull)
    assert again.id != said.id
    assert again.title == "1 object, 1 replica: nothing stands out"
    assert place.states == ["open"]


def test_nothing_is_said_where_nobody_asked_for_it_nor_on_its_own(found: Founder) -> None:
    place = found("L3")
    pull = propose(place, lambda branch: place.put_tag("v0.0.1", branch=branch))
    place.turn(place.bot())
    assert advice(place, pull) == []


def test_its_own_pull_requests_have_a_verdict_instead(advising: Place) -> None:
    place = advising
    place.deploy_bad()
    bot = place.bot()
    place.until(bot, State.AWAITING_APPROVAL)
    place.turn(bot)
    assert [check.name for check in place.checks(place.pull())] == ["gitops-sre/verdict"]


def test_an_incident_under_way_and_an_open_freeze_are_named(advising: Place) -> None:
    place = advising
    now = place.clock.now()
    start, end = f"{now:%Y-%m-%dT00:00:00Z}", f"{now.replace(year=now.year + 1):%Y-%m-%dT%H:%M:%SZ}"
    place.commit({".gitops-sre/policies/freeze.yaml": FREEZE.format(start=start, end=end).encode()})
    place.deploy_bad()
    bot = place.bot()
    incident = place.until(bot, State.AWAITING_APPROVAL)
    pull = propose(place, lambda branch: place.put_tag("v9.0.1", branch=branch))
    place.turn(bot)
    (said,) = advice(place, pull)
    assert incident.fix is not None
    assert f"{incident.id} is about" in (said.summary or "")
    assert f"pull request ＃{incident.fix.number}" in (said.summary or "")
    assert "A freeze window is open: quarter-end: books are closed" in (said.summary or "")


def test_text_in_a_pull_request_mentions_nobody_and_links_nowhere(advising: Place) -> None:
    place = advising
    pull = propose(place, lambda branch: place.put_tag("v1-@alice-![x](https://evil.example/)", branch=branch))
    place.turn(place.bot())
    (said,) = advice(place, pull)
    assert "evil.example" in (said.summary or "")
    outside = re.sub(r"`[^`]*`", "", said.summary or "")  # what stands in a code span does nothing
    assert "](" not in outside
    assert "@alice" not in outside


def test_a_repository_that_cannot_be_fetched_is_tried_again_by_the_next_pass(advising: Place) -> None:
    place = advising
    pull = propose(place, lambda branch: place.put_tag("v99.0.0", branch=branch))
    place.repo.git.run("update-ref", "-d", f"refs/pull/{pull.number}/head")
    bot: Bot = place.bot()
    place.turn(bot)
    assert advice(place, pull) == []
    place.repo.git.run("update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)
    place.turn(bot)
    assert len(advice(place, pull)) == 1


def test_said_stop_it_says_nothing(advising: Place) -> None:
    place = advising
    place.commit({".gitops-sre/HALT": b"we look into something\n"})
    pull = propose(place, lambda branch: place.put_tag("v99.0.0", branch=branch))
    place.turn(place.bot())
    assert advice(place, pull) == []
