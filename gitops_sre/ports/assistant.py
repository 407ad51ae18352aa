"""A language model that is asked for its opinion. It has no hands: what it answers is data."""

from __future__ import annotations

from typing import Protocol

from gitops_sre.model.consult import Prompt, Reply
from gitops_sre.model.outcome import Unavailable


class Assistant(Protocol):
    """One turn of a conversation at a time; nothing is remembered between two."""

    def say(self, prompt: Prompt) -> Reply | Unavailable:
        """The model's next turn, within the prompt's tokens and seconds."""
        ...
