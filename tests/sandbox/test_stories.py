"""The plots on a stage of cardboard: what each does to the branch and to the shop, and how it is cleared away."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gitops_sre.sandbox.shop import BY_NAME, ENVIRONMENTS
from gitops_sre.sandbox.stories import STORIES, next_version
from gitops_sre.sandbox.telemetry import Blip, Fault, ImageFault, PlaceFault
from gitops_sre.sandbox.theatre import BY_NUMBER, Theatre

NOW = 1_795_000_000.0


@dataclass
class Cardboard:
    """A stage that only remembers."""

    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    deploys: list[str] = field(default_factory=list)
    faults: dict[int, tuple[Fault, ...]] = field(default_factory=dict)

    def now(self) -> float:
        return NOW

    def declared_tag(self, environment: str, service: str) -> str:
        return self.tags.get((environment, service), BY_NAME[service].version)

    def deploy(self, environment: str, service: str, tag: str, message: str) -> str:
        self.tags[environment, service] = tag
        self.deploys.append(message)
        return f"{len(self.deploys):040x}"

    def set_faults(self, story: int, faults: tuple[Fault, ...]) -> None:
        self.faults[story] = faults


@pytest.fixture
def stage() -> Cardboard:
    return Cardboard()


def test_the_stories_are_four_and_end_differently() -> None:
    assert [story.number for story in STORIES] == [1, 2, 3, 4]
    assert [story.expected for story in STORIES] == ["resolved", "resolved", "escalated", "dismissed"]
    assert all(story.service in BY_NAME and story.environment in ENVIRONMENTS for story in STORIES)


@pytest.mark.parametrize("number", [1, 2])
def test_a_bad_image_is_deployed_and_strikes_only_under_its_tag(stage: Cardboard, number: int) -> None:
    story = BY_NUMBER[number]
    scene = story.start(stage)
    assert stage.tags == {(story.environment, story.service): scene.tag}
    assert scene.before == BY_NAME[story.service].version != scene.tag
    (fault,) = stage.faults[number]
    assert isinstance(fault, ImageFault)
    assert (fault.service, fault.tag) == (story.service, scene.tag)
    assert fault.error_rate >= 0.2


def test_the_failing_dependency_starts_after_a_harmless_deploy_and_lasts(stage: Cardboard) -> None:
    story = BY_NUMBER[3]
    scene = story.start(stage)
    (fault,) = stage.faults[3]
    assert isinstance(fault, PlaceFault)
    assert (fault.environment, fault.service) == (story.environment, story.service)
    assert NOW < fault.begins <= NOW + 1.0
    assert fault.ends == float("inf")
    assert stage.tags == {(story.environment, story.service): scene.tag}


def test_when_nothing_is_wrong_nothing_is_deployed(stage: Cardboard) -> None:
    BY_NUMBER[4].start(stage)
    assert stage.deploys == []
    assert all(isinstance(fault, Blip) for fault in stage.faults[4])


def test_the_end_puts_back_a_bad_tag_that_still_stands(stage: Cardboard) -> None:
    theatre = Theatre(stage)
    scene = theatre.start(1).scene
    ended = theatre.end(1)
    assert ended is not None
    assert ended.restored
    assert stage.declared_tag("staging", "checkout") == scene.before
    assert stage.faults[1] == ()


@pytest.mark.parametrize("number", [1, 2])
def test_the_end_leaves_alone_what_the_bot_has_rolled_back(stage: Cardboard, number: int) -> None:
    theatre, story = Theatre(stage), BY_NUMBER[number]
    scene = theatre.start(number).scene
    stage.deploy(story.environment, story.service, scene.before, "the bot's rollback")
    ended = theatre.end(number)
    assert ended is not None
    assert ended.restored == ""
    assert stage.deploys[-1] == "the bot's rollback"


def test_the_harmless_release_stays_at_the_end(stage: Cardboard) -> None:
    theatre = Theatre(stage)
    scene = theatre.start(3).scene
    theatre.end(3)
    assert stage.declared_tag("dev", "shipping") == scene.tag


def test_a_story_under_way_is_not_started_twice_and_a_later_run_ships_another_version(stage: Cardboard) -> None:
    theatre = Theatre(stage)
    first = theatre.start(1)
    assert theatre.start(1) is first
    theatre.end(1)
    ended = theatre.end(1)
    assert ended is theatre.performance(1)
    again = theatre.start(1)
    assert again.scene.tag != first.scene.tag
    assert len(stage.deploys) == 3


def test_an_unknown_story_is_refused(stage: Cardboard) -> None:
    with pytest.raises(KeyError):
        Theatre(stage).start(5)


def test_the_next_version_is_a_minor_release() -> None:
    assert next_version("v2.14.3") == "v2.15.0"
    assert next_version("v2.14.3", 2) == "v2.15.2"
