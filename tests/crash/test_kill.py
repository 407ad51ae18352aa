"""Killing the bot with -9 at random moments of story 1, with and without its database: one branch, one pull request,
one merge, and the incident still ends resolved."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_sre import wiring
from gitops_sre.cli.common import load
from gitops_sre.cli.demo.processes import Place, bot, world, write_settings
from gitops_sre.model.outcome import Unavailable

KILLS = 10
LIMIT = 240


def ask(place: Place, path: str) -> Any:
    """A person's question to the GitHub API."""
    answer = requests.get(
        f"{place.api_url}/repos/{place.repository}{path}",
        headers={"Authorization": f"Bearer {place.person_token}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def outcomes(settings: Path) -> list[str]:
    """The outcomes that stand on the forge."""
    actions = wiring.build(load(settings)).forge.actions()
    return [] if isinstance(actions, Unavailable) else [action.outcome for action in actions]


@pytest.mark.crash
@pytest.mark.parametrize("forget", [False, True], ids=["database kept", "database deleted at every kill"])
def test_ten_kills_leave_one_branch_one_pull_request_and_one_merge(tmp_path: Path, *, forget: bool) -> None:
    dice = random.Random(7 + forget)
    with world(tmp_path / "world", tmp_path / "world.log") as place:
        settings = write_settings(place, tmp_path / "bot")
        limit = time.monotonic() + LIMIT
        story = next(each for each in place.stories if each.number == 1)
        place.tell(f"/stories/{story.number}/start")
        under_way = 0
        for _ in range(KILLS):
            with bot(settings, tmp_path / "bot.log") as process:
                time.sleep(dice.uniform(1.5, 4.0))
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            under_way += outcomes(settings) != ["resolved"]
            if forget:
                for file in (tmp_path / "bot").glob("bot.db*"):
                    file.unlink()
        with bot(settings, tmp_path / "bot.log"):
            while outcomes(settings) != ["resolved"] and time.monotonic() < limit:
                time.sleep(0.5)
        assert under_way >= KILLS // 2, f"only {under_way} kills struck while the incident was under way"
        assert outcomes(settings) == ["resolved"], (tmp_path / "bot.log").read_text()[-3000:]
        pulls = [pull for pull in ask(place, "/pulls?state=all") if pull["head"]["ref"].startswith("gitops-sre/")]
        assert len(pulls) == 1
        assert pulls[0]["merged_at"]
        merges = [
            c for c in ask(place, "/commits?per_page=50") if c["author"] and c["author"]["login"].endswith("[bot]")
        ]
        assert sum(commit["sha"] == pulls[0]["merge_commit_sha"] for commit in merges) == 1
        branches = [ref["ref"] for ref in ask(place, "/git/matching-refs/heads/gitops-sre/")]
        assert len(branches) <= 1
        writes = requests.get(f"{place.control_url}/state", timeout=30).json()["cluster_writes"]
        assert writes == [], "the bot must never write to the cluster"
