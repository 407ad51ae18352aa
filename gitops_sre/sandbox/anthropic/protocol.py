"""What the Messages API demands of a request (platform.claude.com/docs/en/api/messages, tool use, prompt caching)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
BREAKPOINTS = 4
"""Most cache breakpoints in one request."""
_KNOWN = frozenset({
    "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "stop_sequences", "metadata",
    "thinking", "output_config", "service_tier", "cache_control",
})  # fmt: skip
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_NOT_STRICT = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
})  # fmt: skip
"""Keywords that schemas of strict tools may not have (platform.claude.com, structured outputs, limitations)."""


class ProtocolError(Exception):
    """The request is wrong: the API answers 400 with this message."""


@dataclass(frozen=True)
class Asked:
    """A request that was found to be right. `number` counts from 1."""

    number: int
    body: Json
    headers: Mapping[str, str]

    @property
    def messages(self) -> list[Json]:
        """The conversation."""
        found: list[Json] = self.body["messages"]
        return found

    @property
    def results(self) -> dict[str, str]:
        """What the tools that the model asked for last have said, by the id of the call."""
        return {
            block["tool_use_id"]: _text(block.get("content", ""))
            for block in _blocks(self.messages[-1])
            if block["type"] == "tool_result"
        }

    @property
    def text(self) -> str:
        """Everything that the model can read, in order."""
        system = self.body.get("system", "")
        said = [_text(system), *(_text(message["content"]) for message in self.messages)]
        return "\n".join(said)


def check(body: object, paused: bool) -> Json:
    """The request's body, or ProtocolError. `paused`: the last answer was `pause_turn`, which a client continues by
    sending it back."""
    if not isinstance(body, dict):
        raise ProtocolError("the body must be a JSON object")
    if strange := sorted(set(body) - _KNOWN):
        raise ProtocolError(f"{strange[0]}: Extra inputs are not permitted")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise ProtocolError("model: Field required")
    most = body.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ProtocolError("max_tokens: must be a positive integer")
    _system(body.get("system", ""))
    _tools(body.get("tools", []))
    _conversation(body.get("messages"), paused)
    _breakpoints(body)
    return body


def parts(body: Json) -> Iterator[Json]:
    """Everything that can be cached, in the order in which the API hashes it: tools, system, messages."""
    yield from body.get("tools", [])
    system = body.get("system", "")
    yield from [{"type": "text", "text": system}] if isinstance(system, str) and system else system
    for message in body["messages"]:
        yield from ({"role": message["role"], **block} for block in _blocks(message))


def _system(system: object) -> None:
    if isinstance(system, str):
        return
    if not isinstance(system, list) or not all(
        isinstance(each, dict) and each.get("type") == "text" for each in system
    ):
        raise ProtocolError("system: must be a string or a list of text blocks")
    for block in system:
        _text_block("system", block)


def _tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise ProtocolError("tools: must be a list")
    names: set[str] = set()
    for place, tool in enumerate(tools):
        where = f"tools.{place}"
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not _NAME.fullmatch(tool["name"]):
            raise ProtocolError(f"{where}.name: String should match pattern '{_NAME.pattern}'")
        if tool["name"] in names:
            raise ProtocolError("tools: Tool names must be unique")
        names.add(tool["name"])
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise ProtocolError(f"{where}.input_schema.type: must be 'object'")
        _schema(f"{where}.input_schema", schema, strict=tool.get("strict") is True)


def _schema(where: str, schema: object, strict: bool) -> None:
    if not isinstance(schema, dict):
        raise ProtocolError(f"{where}: JSON schema is invalid: must be an object")
    if "type" in schema and not set(_listed(schema["type"])) <= _TYPES:
        raise ProtocolError(f"{where}: JSON schema is invalid: unknown type {schema['type']}")
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise ProtocolError(f"{where}: JSON schema is invalid: properties or required of the wrong type")
    if missing := [name for name in required if name not in properties]:
        raise ProtocolError(f"{where}: JSON schema is invalid: requires {missing[0]}, which is no property")
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        raise ProtocolError(f"{where}: JSON schema is invalid: enum must be a list with something in it")
    if strict:
        _strict(where, schema)
    for name, each in properties.items():
        _schema(f"{where}.properties.{name}", each, strict)
    if "items" in schema:
        _schema(f"{where}.items", schema["items"], strict)


def _strict(where: str, schema: Json) -> None:
    if "object" in _listed(schema.get("type", "")) and schema.get("additionalProperties") is not False:
        raise ProtocolError(f"{where}: strict tools need additionalProperties: false in every object")
    if unsupported := sorted(_NOT_STRICT & set(schema)):
        raise ProtocolError(f"{where}: strict tools may not have {unsupported[0]}")


def _conversation(messages: object, paused: bool) -> None:
    if not isinstance(messages, list) or not messages:
        raise ProtocolError("messages: at least one message is required")
    owed: list[str] = []
    for place, message in enumerate(messages):
        role = ("user", "assistant")[place % 2]
        if not isinstance(message, dict) or message.get("role") != role:
            raise ProtocolError(f"messages.{place}: roles must alternate, beginning with user; expected {role}")
        where = f"messages.{place}"
        blocks = list(_blocks(message, where))
        for block in blocks:
            _block(where, role, block)
        _answered(where, owed, blocks)
        owed = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(owed)) < len(owed):
            raise ProtocolError(f"{where}: `tool_use` ids must be unique")
    if messages[-1]["role"] == "assistant" and not paused:
        raise ProtocolError("the conversation must end with a user message")


def _answered(where: str, owed: list[str], blocks: list[Json]) -> None:
    """Every tool_use has its tool_result in the next user turn, before anything else there."""
    given = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if missing := [each for each in owed if each not in given]:
        raise ProtocolError(f"{where}: `tool_use` ids were found without `tool_result` blocks: {', '.join(missing)}")
    if strange := [each for each in given if each not in owed]:
        raise ProtocolError(f"{where}: unexpected `tool_use_id` in `tool_result` blocks: {', '.join(strange)}")
    if len(given) > len(owed):
        raise ProtocolError(f"{where}: each `tool_use` must have a single result")
    if [block["type"] for block in blocks[: len(given)]] != ["tool_result"] * len(given):
        raise ProtocolError(f"{where}: `tool_result` blocks must come first")


_FIELDS: Mapping[str, Mapping[str, type]] = {
    "text": {"text": str},
    "tool_use": {"id": str, "name": str, "input": dict},
    "tool_result": {"tool_use_id": str},
    "thinking": {"thinking": str, "signature": str},
    "redacted_thinking": {"data": str},
}
_ROLES = {"tool_use": "assistant", "thinking": "assistant", "redacted_thinking": "assistant", "tool_result": "user"}


def _block(where: str, role: str, block: Json) -> None:
    kind = block["type"]
    if kind not in _FIELDS:
        raise ProtocolError(f"{where}: no block of type {kind} is known here")
    if _ROLES.get(kind, role) != role:
        raise ProtocolError(f"{where}: `{kind}` blocks can only be in `{_ROLES[kind]}` messages")
    for name, wanted in _FIELDS[kind].items():
        if not isinstance(block.get(name), wanted):
            raise ProtocolError(f"{where}.{kind}.{name}: Field required")
    if kind == "text":
        _text_block(where, block)


def _text_block(where: str, block: Json) -> None:
    if not isinstance(block.get("text"), str) or not block["text"].strip():
        raise ProtocolError(f"{where}: text content blocks must be non-empty")


def _breakpoints(body: Json) -> None:
    marked = [part for part in parts(body) if part.get("cache_control") is not None]
    for part in marked:
        control = part["cache_control"]
        if control.get("type") != "ephemeral" or control.get("ttl", "5m") not in ("5m", "1h"):
            raise ProtocolError("cache_control: must be ephemeral, for 5m or 1h")
        if part.get("type") in ("thinking", "redacted_thinking"):
            raise ProtocolError("cache_control: not on thinking blocks")
    if len(marked) > BREAKPOINTS:
        raise ProtocolError(
            f"A maximum of {BREAKPOINTS} blocks with cache_control may be provided. Found {len(marked)}."
        )


def _blocks(message: Json, where: str = "messages") -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise ProtocolError(f"{where}.content: must be a text or a list of blocks with something in it")
    if not all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in content):
        raise ProtocolError(f"{where}.content: every block needs a type")
    return content


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    found = (
        [block.get("text") or _text(block.get("content", "")) for block in content if isinstance(block, dict)]
        if (isinstance(content, list))
        else []
    )
    return "\n".join(str(each) for each in found if each)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
