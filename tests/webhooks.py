"""The real payloads that GitHub's community has collected: `api.github.com/index.json` of the npm package
@octokit/webhooks-examples, found through the variable GITHUB_WEBHOOKS (the file's path)."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_MISSING = (
    "GitHub's webhook examples are missing: npm pack @octokit/webhooks-examples, unpack it, and set GITHUB_WEBHOOKS to"
    " its api.github.com/index.json"
)


@cache
def _examples() -> tuple[tuple[str, dict[str, Any]], ...]:
    listed = json.loads(Path(os.environ["GITHUB_WEBHOOKS"]).read_bytes())
    return tuple((event["name"], payload) for event in listed for payload in event["examples"])


def examples() -> tuple[tuple[str, dict[str, Any]], ...]:
    """(event, payload) of every example. Skips the test when they are not there, unless everything is required."""
    if not os.environ.get("GITHUB_WEBHOOKS"):
        if os.environ.get("GITOPS_SRE_REQUIRE_SERVICES"):
            raise AssertionError(_MISSING)
        pytest.skip(_MISSING)
    return _examples()
