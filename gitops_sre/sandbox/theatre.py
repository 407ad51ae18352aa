"""Plays the stories: which is under way, since when, and what it did."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from gitops_sre.sandbox.stories import STORIES, Scene, Stage, Story

BY_NUMBER = {story.number: story for story in STORIES}


@dataclass(frozen=True)
class Performance:
    """A story that was started: when (Unix time), what it did, and the commit that put things back at its end."""

    story: Story
    started: float
    scene: Scene
    ended: float | None = None
    restored: str = ""


class Theatre:
    """Starts and ends stories, each at most once at a time. Thread-safe."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lock = threading.Lock()
        self._runs = dict.fromkeys(BY_NUMBER, 0)
        self._performances: dict[int, Performance] = {}

    def performance(self, number: int) -> Performance | None:
        """The latest performance of a story. Raises KeyError when there is no such story."""
        return self._performances.get(BY_NUMBER[number].number)

    def start(self, number: int) -> Performance:
        """Start a story, or find it under way. Raises KeyError when there is no such story."""
        story = BY_NUMBER[number]
        with self._lock:
            performance = self._performances.get(number)
            if performance is None or performance.ended is not None:
                started = self._stage.now()
                performance = Performance(story, started, story.start(self._stage, self._runs[number]))
                self._runs[number] += 1
                self._performances[number] = performance
            return performance

    def end(self, number: int) -> Performance | None:
        """End a story if it is under way. Raises KeyError when there is no such story."""
        story = BY_NUMBER[number]
        with self._lock:
            performance = self._performances.get(number)
            if performance is not None and performance.ended is None:
                restored = story.end(self._stage, performance.scene)
                performance = replace(performance, ended=self._stage.now(), restored=restored)
                self._performances[number] = performance
            return performance
