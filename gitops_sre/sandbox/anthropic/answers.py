"""What the scripted model does in a turn, and how that looks on the wire, in one piece or streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
CHARACTERS = 4
"""Of a token, on average: the scripted model counts no closer."""


@dataclass(frozen=True)
class Call:
    """A tool that the model wants used."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True)
class Say:
    """An answer. `stop` is by default what follows from the rest: `tool_use`, or `end_turn`."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    stop: Literal["", "end_turn", "tool_use", "max_tokens", "refusal", "pause_turn"] = ""
    thinking: str = ""


@dataclass(frozen=True)
class Fail:
    """An error instead of an answer, in the API's own form."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""

    @property
    def kind(self) -> str:
        """The error's type as the API names it."""
        return _KINDS.get(self.status, "api_error")


@dataclass(frozen=True)
class Broken:
    """An answer that is none: cut off in the middle, no JSON, JSON of another shape, or nothing for `seconds`."""

    how: Literal["truncated", "not_json", "other_shape", "silent"]
    seconds: float = 0.0


Turn = Say | Fail | Broken
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def tokens(data: object) -> int:
    """About how many tokens a text or a piece of JSON has."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return -(-len(text) // CHARACTERS)


def message(turn: Say, number: int, model: str, max_tokens: int, usage: Json) -> Json:
    """The answer to the request with this number. What does not fit into `max_tokens` is cut off, as the API does."""
    blocks, stop = _blocks(turn, number, max_tokens)
    return {
        "id": f"msg_{number:06d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": None} if stop == "refusal" else None,
        "usage": {**usage, "output_tokens": max(1, sum(tokens(block) for block in blocks))},
    }


def _blocks(turn: Say, number: int, max_tokens: int) -> tuple[list[Json], str]:
    wanted: list[Json] = []
    if turn.thinking:
        wanted.append({"type": "thinking", "thinking": turn.thinking, "signature": f"signed-{number:06d}"})
    if turn.text:
        wanted.append({"type": "text", "text": turn.text})
    for place, call in enumerate(turn.calls):
        name = f"toolu_{number:06d}{place:03d}"
        wanted.append({"type": "tool_use", "id": name, "name": call.name, "input": dict(call.arguments)})
    kept: list[Json] = []
    left = max_tokens
    for block in wanted:
        left -= tokens(block)
        if left < 0:
            if block["type"] == "text" and (text := block["text"][: max(0, len(block["text"]) + left * CHARACTERS)]):
                kept.append({**block, "text": text})
            return kept, "max_tokens"
        kept.append(block)
    return kept, turn.stop or ("tool_use" if turn.calls else "end_turn")


def streamed(answer: Json) -> Iterator[str]:
    """The same answer as server-sent events."""
    start = {**answer, "content": [], "stop_reason": None, "stop_details": None}
    start["usage"] = {**answer["usage"], "output_tokens": 1}
    yield _event("message_start", message=start)
    for index, block in enumerate(answer["content"]):
        empty, deltas = _in_pieces(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ending = {name: answer[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield _event("message_delta", delta=ending, usage={"output_tokens": answer["usage"]["output_tokens"]})
    yield _event("message_stop")


def _in_pieces(block: Json) -> tuple[Json, list[Json]]:
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in _halves(block["text"])]
    if block["type"] == "thinking":
        thought: list[Json] = [{"type": "thinking_delta", "thinking": part} for part in _halves(block["thinking"])]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {**block, "thinking": "", "signature": ""}, [*thought, signed]
    parts = _halves(json.dumps(block["input"]))
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]


def _halves(text: str) -> tuple[str, ...]:
    middle = len(text) // 2
    return tuple(part for part in (text[:middle], text[middle:]) if part)


def _event(kind: str, **data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
