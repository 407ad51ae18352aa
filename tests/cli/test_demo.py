"""The demo as a machine sees it: four outcomes, one revert, one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest


def changed(diff: str) -> tuple[list[str], list[str]]:
    """The removed and the added lines of a diff."""
    lines = diff.splitlines()
    return (
        [line[1:] for line in lines if line.startswith("-") and not line.startswith("---")],
        [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")],
    )


@pytest.mark.slow
def test_the_four_stories_end_as_they_must() -> None:
    command = [sys.executable, "-m", "gitops_sre", "demo", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    stories: dict[int, dict[str, Any]] = {story["story"]: story for story in json.loads(run.stdout)["stories"]}
    outcomes = [stories[number]["outcome"] for number in (1, 2, 3, 4)]
    assert outcomes == ["resolved", "resolved", "escalated", "dismissed"]
    kinds = {number: [pull["kind"] for pull in story["pull_requests"]] for number, story in stories.items()}
    assert kinds == {1: ["fix"], 2: ["fix"], 3: ["fix", "revert"], 4: []}
    levels = {number: [pull["level"] for pull in story["pull_requests"]] for number, story in stories.items()}
    assert (levels[1], levels[2]) == (["L4"], ["L3"])
    for story in stories.values():
        assert all(pull["state"] == "merged" for pull in story["pull_requests"])
        for pull in story["pull_requests"]:
            removed, added = changed(pull["diff"])
            assert len(removed) == len(added) == 1, "one scalar, one line"
    fix, revert = stories[3]["pull_requests"]
    assert changed(fix["diff"]) == changed(revert["diff"])[::-1], "the revert is the exact inverse"
    assert stories[1]["diagnosis"]["cause"] == "new_deploy"
    assert stories[1]["diagnosis"]["culprit"]
    assert stories[1]["verification"]["state"] == "recovered"
    assert stories[4]["verification"] is None
