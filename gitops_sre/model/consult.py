"""What is said to a language model and what it answers, in nobody's wire format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Stop = Literal["end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "other"]


@dataclass(frozen=True)
class Tool:
    """Something that the model may ask for. `schema` is JSON Schema of an object; `strict` has the API hold the model
    to it."""

    name: str
    description: str
    schema: Mapping[str, object]
    strict: bool = False


@dataclass(frozen=True)
class ToolCall:
    """What the model asks a tool. The arguments are the model's word: nothing about them has been checked."""

    id: str
    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class ToolResult:
    """What a tool call came to, as the model will read it."""

    call: str
    text: str
    failed: bool = False


@dataclass(frozen=True)
class Told:
    """Our turn in a conversation: the results of all calls of the turn before, then text. One of both is there."""

    text: str = ""
    results: tuple[ToolResult, ...] = ()


@dataclass(frozen=True)
class Tokens:
    """Tokens of requests and answers; the three kinds of input add up."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def total(self) -> int:
        """All of them, whatever they cost."""
        return self.input + self.output + self.cache_read + self.cache_write


@dataclass(frozen=True)
class Reply:
    """The model's turn. `blocks` is its JSON as it came, to be sent back unread; `money` is in the currency of the
    prices in the settings, None where there are none; `seconds` is how long it took."""

    stop: Stop
    text: str
    calls: tuple[ToolCall, ...]
    blocks: str
    tokens: Tokens
    model: str
    money: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Prompt:
    """One turn that is wanted: all that was said so far, and how much the answer may have, in tokens and seconds."""

    system: str
    turns: tuple[Told | Reply, ...]
    tools: tuple[Tool, ...]
    tokens: int
    seconds: float
