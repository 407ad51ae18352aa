"""The four stories: what goes wrong in the shop, and what the bot's incident should come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from gitops_sre.sandbox.infra.history import parsed
from gitops_sre.sandbox.telemetry import Blip, Fault, ImageFault, PlaceFault

Expected = Literal["resolved", "escalated", "dismissed"]


class Stage(Protocol):
    """What a story may do to the world."""

    def now(self) -> float:
        """Unix time."""
        ...

    def declared_tag(self, environment: str, service: str) -> str:
        """The tag that stands on the branch now."""
        ...

    def deploy(self, environment: str, service: str, tag: str, message: str) -> str:
        """A person puts another tag on the branch; the commit's SHA."""
        ...

    def set_faults(self, story: int, faults: tuple[Fault, ...]) -> None:
        """Let these faults strike, in place of the story's earlier ones."""
        ...


@dataclass(frozen=True)
class Scene:
    """What a started story has done: the faults, and the deploy (tags and commit are empty without one)."""

    faults: tuple[Fault, ...]
    before: str = ""
    tag: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Story:
    """One story. `expected` is the terminal state of the incident; `plot` plays it, `run` counts from 0."""

    number: int
    id: str
    title: str
    environment: str
    service: str
    expected: Expected
    plot: Callable[[Story, Stage, int], Scene]
    cured_by_rollback: bool = True

    def start(self, stage: Stage, run: int = 0) -> Scene:
        """Let it begin."""
        return self.plot(self, stage, run)

    def end(self, stage: Stage, scene: Scene) -> str:
        """Stop the faults, and put back the old tag where the bad one still stands.

        Returns the SHA of the commit that did so, or nothing.
        """
        stage.set_faults(self.number, ())
        stands = stage.declared_tag(self.environment, self.service) == scene.tag
        if not (scene.tag and stands and self.cured_by_rollback):
            return ""
        message = f"Put {self.service} in {self.environment} back to {scene.before}\n\n{scene.tag} was bad."
        return stage.deploy(self.environment, self.service, scene.before, message)


def next_version(tag: str, run: int = 0) -> str:
    """The next minor release; a later run of the same story ships a later patch of it."""
    major, minor, _ = parsed(tag)
    return f"v{major}.{minor + 1}.{run}"


def _bad_image(story: Story, stage: Stage, run: int) -> Scene:
    before = stage.declared_tag(story.environment, story.service)
    tag = next_version(before, run)
    faults = (ImageFault(story.service, tag, error_rate=0.25),)
    stage.set_faults(story.number, faults)
    return Scene(faults, before, tag, _deploy(story, stage, tag))


def _failing_dependency(story: Story, stage: Stage, run: int) -> Scene:
    """A harmless release; the carrier's API, which the service calls outside the cluster, fails a second later."""
    before = stage.declared_tag(story.environment, story.service)
    tag = next_version(before, run)
    commit = _deploy(story, stage, tag)
    faults = (PlaceFault(story.environment, story.service, error_rate=0.3, begins=stage.now() + 1.0),)
    stage.set_faults(story.number, faults)
    return Scene(faults, before, tag, commit)


def _two_blips(story: Story, stage: Stage, _: int) -> Scene:
    """The alert's threshold is too tight: two short swells of latency make it fire and resolve."""
    now = stage.now()
    faults = tuple(Blip(story.environment, story.service, now + after, seconds=4.0) for after in (1.0, 11.0))
    stage.set_faults(story.number, faults)
    return Scene(faults)


def _deploy(story: Story, stage: Stage, tag: str) -> str:
    message = f"Deploy {story.service} {tag} to {story.environment}"
    return stage.deploy(story.environment, story.service, tag, message)


STORIES = (
    Story(1, "bad-image", "A deploy raises the error rate", "staging", "checkout", "resolved", _bad_image),
    Story(
        2,
        "needs-a-human",
        "The same in production, where a person decides",
        "production",
        "catalog",
        "resolved",
        _bad_image,
    ),
    Story(3, "wrong-fix", "The rollback does not help", "dev", "shipping", "escalated", _failing_dependency, False),
    Story(4, "nothing-wrong", "An alert flaps and nothing is wrong", "production", "search", "dismissed", _two_blips),
)
