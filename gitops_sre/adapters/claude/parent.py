"""`ports.Assistant` over child processes. The key is looked up at the moment at which it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from gitops_sre.delivery.neutral import title
from gitops_sre.model.consult import Prompt, Reply, Stop, Tokens, Told, ToolCall
from gitops_sre.model.outcome import Unavailable
from gitops_sre.settings import InvestigatorSettings, PriceSettings

_CHILD = Path(__file__).with_name("child.py")
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""All that the child sees of our environment, beside the key: where things are, and how to reach the network."""
_KEY = "ANTHROPIC_API_KEY"
"""The variable in which the child finds the key, however it is called here."""
_START = 15.0
"""Seconds for the child to begin: it imports some thousand modules."""


class Claude:
    """The model of the settings. `environment` is where `key_env` is looked up."""

    def __init__(self, settings: InvestigatorSettings, environment: Mapping[str, str]) -> None:
        self._settings, self._environment = settings, environment

    def say(self, prompt: Prompt) -> Reply | Unavailable:
        """The model's next turn. Whatever keeps it from being one is `Unavailable`: no key, no answer in time, a limit
        that lasts longer than there is time, an error, nonsense."""
        key = self._environment.get(self._settings.key_env, "").strip()
        if not key:
            return Unavailable(f"there is no key in {self._settings.key_env} (investigator.key_env)")
        began = time.monotonic()
        answer = self._run(key, self._order(prompt), prompt.seconds)
        if isinstance(answer, Unavailable):
            return answer
        try:
            return self._reply(answer, time.monotonic() - began)
        except (KeyError, TypeError, ValueError) as error:
            return Unavailable(f"the answer is no turn of a conversation ({type(error).__name__})")

    def _order(self, prompt: Prompt) -> dict[str, object]:
        return {
            "url": self._settings.url,
            "timeout": self._settings.timeout,
            "retries": self._settings.retries,
            "seconds": prompt.seconds,
            "request": {
                "model": self._settings.model,
                "max_tokens": prompt.tokens,
                "system": [{"type": "text", "text": prompt.system, **_CACHED}],
                "tools": [
                    {
                        "name": tool.name,
                        "description": tool.description,
                        "input_schema": tool.schema,
                        **({"strict": True} if tool.strict else {}),
                        **(_CACHED if place == len(prompt.tools) else {}),
                    }
                    for place, tool in enumerate(prompt.tools, 1)
                ],
                "messages": _messages(prompt.turns),
            },
        }

    def _run(self, key: str, order: Mapping[str, object], seconds: float) -> dict[str, Any] | Unavailable:
        try:
            # -I: neither the working directory nor PYTHONPATH decides what the child imports.
            ended = subprocess.run(
                [sys.executable, "-I", str(_CHILD)], input=json.dumps(order).encode(),
                capture_output=True, timeout=seconds + _START, check=False,
                env={**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, _KEY: key},
            )  # fmt: skip
            answer = json.loads(ended.stdout)
        except subprocess.TimeoutExpired:
            return Unavailable(f"no answer within {seconds:g} s")
        except (OSError, ValueError) as error:
            return Unavailable(f"the process that asks did not do so ({type(error).__name__})")
        if not isinstance(answer, dict) or "why" in answer:
            why = str(answer["why"]) if isinstance(answer, dict) else "it said something else"
            return Unavailable(title(why.replace(key, "***"), 300))
        return answer

    def _reply(self, answer: dict[str, Any], seconds: float) -> Reply:
        blocks = answer["content"]
        used = answer["usage"]
        tokens = Tokens(
            int(used["input_tokens"]),
            int(used["output_tokens"]),
            int(used.get("cache_read_input_tokens") or 0),
            int(used.get("cache_creation_input_tokens") or 0),
        )
        stop = answer["stop_reason"]
        return Reply(
            stop=cast(Stop, stop) if stop in get_args(Stop) else "other",
            text="\n".join(block["text"] for block in blocks if block["type"] == "text"),
            calls=tuple(
                ToolCall(block["id"], block["name"], dict(block["input"]))
                for block in blocks
                if block["type"] == "tool_use"
            ),
            blocks=json.dumps(blocks),
            tokens=tokens,
            model=str(answer["model"]),
            money=price(tokens, self._settings.prices),
            seconds=seconds,
        )


_CACHED = {"cache_control": {"type": "ephemeral"}}


def price(tokens: Tokens, prices: PriceSettings | None) -> float | None:
    """What tokens cost; None without prices."""
    if prices is None:
        return None
    millionths = (
        tokens.input * prices.input
        + tokens.output * prices.output
        + tokens.cache_read * prices.cache_read
        + tokens.cache_write * prices.cache_write
    )
    return millionths / 1_000_000


def _messages(turns: tuple[Told | Reply, ...]) -> list[dict[str, object]]:
    """The conversation on the wire. Our last two turns end in a cache breakpoint: what was written to the cache with
    the question before is read from it now, and the rest is written."""
    ours = [place for place, turn in enumerate(turns) if isinstance(turn, Told)][-2:]
    found: list[dict[str, object]] = []
    for place, turn in enumerate(turns):
        if isinstance(turn, Reply):
            found.append({"role": "assistant", "content": json.loads(turn.blocks)})
            continue
        blocks: list[dict[str, object]] = [
            {"type": "tool_result", "tool_use_id": each.call, "content": each.text, "is_error": each.failed}
            for each in turn.results
        ]
        if turn.text:
            blocks.append({"type": "text", "text": turn.text})
        if place in ours:
            blocks[-1].update(_CACHED)
        found.append({"role": "user", "content": blocks})
    return found
