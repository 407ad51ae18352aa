"""How many requests a pass takes. Counts, not times: the same on every machine."""

from __future__ import annotations

from dataclasses import replace

from gitops_sre.model.pull import Cover, PullRequest, Report
from gitops_sre.model.usage import Usage
from gitops_sre.model.verdict import Level
from tests.adapters.github.conftest import Stage

BOARD = Report("board", "The dashboard", "Nothing new.", ("gitops-sre/dashboard",))


def test_an_idle_pass_over_fifty_open_pull_requests_takes_ten_requests_at_most(stage: Stage) -> None:
    numbers = []
    for index in range(50):
        record = replace(stage.record(Level.L3), incident=f"inc-{index:012x}")
        pull = stage.offer(stage.forge(), record=record, cover=Cover("The body."))
        assert isinstance(pull, PullRequest), pull
        numbers.append(pull.number)
    stage.forge().board(BOARD)
    stage.requests.clear()
    forge = stage.forge()
    forge.check()
    actions = forge.actions()
    assert isinstance(actions, tuple)
    assert len(actions) == 50
    assert forge.commands(numbers) == ()
    looked = [forge.look(number) for number in numbers]
    assert all(isinstance(pull, PullRequest) and pull.ours for pull in looked)
    forge.board(BOARD)
    forge.git_token()
    assert forge.spent().writes == 0
    assert len(stage.requests) <= 10, stage.requests
    again = forge.spent()
    forge.actions()
    forge.commands(numbers)
    assert forge.spent() - again == Usage(reads=1, unchanged=1), "a later pass of the same process"
