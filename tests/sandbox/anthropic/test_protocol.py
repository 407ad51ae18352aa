"""The scripted API refuses what the real one refuses, each time with a word on what was wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from gitops_sre.sandbox.anthropic import KEY, Anthropic, Say

Json = dict[str, Any]
HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
HELLO: Json = {"role": "user", "content": "hello"}
CALL: Json = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
RESULT: Json = {"type": "tool_result", "tool_use_id": "t1", "content": "seen"}
TEXT: Json = {"type": "text", "text": "x"}
MARKED: Json = {**TEXT, "cache_control": {"type": "ephemeral"}}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@pytest.fixture(scope="module")
def api() -> Iterator[Anthropic]:
    with Anthropic(lambda _: Say("hi")) as served:
        yield served


def ask(api: Anthropic, headers: Json | None = None, **changed: object) -> requests.Response:
    """A right request, but for what is changed; None takes a field away."""
    body = {"model": "m", "max_tokens": 100, "messages": [HELLO], **changed}
    sent = {name: value for name, value in body.items() if value is not None}
    return requests.post(
        f"{api.url}/v1/messages", json=sent, headers=HEADERS if headers is None else headers, timeout=5
    )


def talk(*contents: object) -> list[Json]:
    """A conversation, beginning with the user."""
    return [{"role": ("user", "assistant")[place % 2], "content": each} for place, each in enumerate(contents)]


def tool(**changed: object) -> list[Json]:
    """One tool, right but for what is changed."""
    return [{"name": "look", "input_schema": SCHEMA, **changed}]


RIGHT: dict[str, Json] = {
    "the least": {},
    "a result follows its call": {"messages": talk("a", [TEXT, CALL], [RESULT, TEXT])},
    "four breakpoints": {"system": [MARKED], "messages": talk([MARKED, MARKED, MARKED])},
    "a tool": {"tools": tool()},
    "a strict tool": {"tools": tool(strict=True, input_schema={**SCHEMA, "additionalProperties": False})},
    "thoughts go back": {"messages": talk("a", [{"type": "thinking", "thinking": "", "signature": "s"}, TEXT], "b")},
}

WRONG: dict[str, tuple[Json, str]] = {
    "no model": ({"model": None}, "model"),
    "no max_tokens": ({"max_tokens": None}, "max_tokens"),
    "max_tokens 0": ({"max_tokens": 0}, "max_tokens"),
    "an unknown field": ({"temperament": 1}, "Extra inputs"),
    "no messages": ({"messages": []}, "at least one"),
    "the assistant begins": ({"messages": [{"role": "assistant", "content": "a"}]}, "alternate"),
    "two turns of the user": ({"messages": [HELLO, HELLO]}, "alternate"),
    "a system role": ({"messages": [{"role": "system", "content": "a"}]}, "alternate"),
    "the assistant has the last word": ({"messages": talk("a", "b")}, "end with a user"),
    "empty text": ({"messages": talk([{"type": "text", "text": ""}])}, "non-empty"),
    "a call without a result": ({"messages": talk("a", [CALL], "b")}, "without `tool_result`"),
    "a result without a call": ({"messages": talk("a", "b", [RESULT])}, "unexpected"),
    "a result too late": ({"messages": talk("a", [CALL], "b", "c", [RESULT])}, "without `tool_result`"),
    "two results": ({"messages": talk("a", [CALL], [RESULT, RESULT])}, "single result"),
    "two calls of one id": ({"messages": talk("a", [CALL, CALL], [RESULT])}, "unique"),
    "text before the result": ({"messages": talk("a", [CALL], [TEXT, RESULT])}, "come first"),
    "the user calls a tool": ({"messages": talk([CALL])}, "only be in `assistant`"),
    "five breakpoints": ({"system": [MARKED], "messages": talk([MARKED] * 4)}, "maximum of 4"),
    "an unknown cache": ({"system": [{**TEXT, "cache_control": {"type": "forever"}}]}, "ephemeral"),
    "a tool's name": ({"tools": tool(name="no spaces")}, "pattern"),
    "two tools of one name": ({"tools": tool() * 2}, "unique"),
    "a tool takes a list": ({"tools": tool(input_schema={"type": "array"})}, "must be 'object'"),
    "an unknown type": (
        {"tools": tool(input_schema={**SCHEMA, "properties": {"a": {"type": "text"}}})},
        "unknown type",
    ),
    "requires what is not there": ({"tools": tool(input_schema={**SCHEMA, "required": ["b"]})}, "no property"),
    "strict, yet open": ({"tools": tool(strict=True)}, "additionalProperties"),
    "strict with a bound": (
        {
            "tools": tool(
                strict=True,
                input_schema={
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"a": {"type": "string", "maxLength": 3}},
                },
            )
        },
        "maxLength",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_answered(api: Anthropic, name: str) -> None:
    got = ask(api, **RIGHT[name])
    assert got.status_code == 200, got.text
    assert got.json()["content"] == [{"type": "text", "text": "hi"}]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(api: Anthropic, name: str) -> None:
    changed, why = WRONG[name]
    got = ask(api, **changed)
    assert got.status_code == 400
    assert got.json()["error"]["type"] == "invalid_request_error"
    assert why in got.json()["error"]["message"]
    assert why in api.refused[-1]


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"anthropic-version": "2023-06-01"}, 401, "authentication_error"),
        ({**HEADERS, "x-api-key": "another"}, 401, "authentication_error"),
        ({"x-api-key": KEY}, 400, "invalid_request_error"),
    ],
)
def test_headers(api: Anthropic, headers: Json, status: int, kind: str) -> None:
    got = ask(api, headers=headers)
    assert (got.status_code, got.json()["error"]["type"]) == (status, kind)


def test_the_key_may_come_as_a_bearer_token(api: Anthropic) -> None:
    assert ask(api, headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}).status_code == 200


def test_what_is_no_json_is_refused(api: Anthropic) -> None:
    assert requests.post(f"{api.url}/v1/messages", data=b"{", headers=HEADERS, timeout=5).status_code == 400
