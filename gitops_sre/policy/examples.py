"""Tests of policies: examples that people write beside them, held against what the gate says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitops_sre.model.verdict import Reason, Verdict
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.gate import judge
from gitops_sre.policy.schema import Expected, TestCase, level
from gitops_sre.policy.situation import example


@dataclass(frozen=True)
class Difference:
    """One thing that an example expects and the verdict does not say."""

    what: str
    expected: str
    actual: str


@dataclass(frozen=True)
class Result:
    """What became of an example; it holds when there are no differences."""

    name: str
    place: str
    verdict: Verdict
    differences: tuple[Difference, ...]


def run(policies: Policies) -> tuple[Result, ...]:
    """Every example under the policies that it stands beside, in order."""
    return tuple(_run(placed, policies) for placed in policies.tests)


def _run(placed: Placed[TestCase], policies: Policies) -> Result:
    given = judge(example(placed.entry.input), policies)
    return Result(placed.entry.name, placed.place, given, tuple(_differences(placed.entry.expect, given)))


def _differences(expected: Expected, given: Verdict) -> Iterator[Difference]:
    wanted = level(expected.level)
    if given.level is not wanted:
        yield Difference("level", wanted.name, given.level.name)
    decided = deciding(given.binding)
    if expected.reasons is not None and set(expected.reasons) != set(decided):
        yield Difference("reasons", ", ".join(sorted(set(expected.reasons))), ", ".join(sorted(decided)))
    if expected.approvers is not None and _lower(expected.approvers) != _lower(given.approvers):
        yield Difference("approvers", _people(expected.approvers), _people(given.approvers))
    if expected.quorum is not None and expected.quorum != given.quorum:
        yield Difference("quorum", str(expected.quorum), str(given.quorum))
    if expected.window is not None and expected.window != given.window:
        yield Difference("window", f"{expected.window:g} s", f"{given.window:g} s")


def deciding(reasons: Iterable[Reason]) -> tuple[str, ...]:
    """The names of rules, each once."""
    return tuple(dict.fromkeys(reason.rule for reason in reasons))


def _lower(logins: Iterable[str]) -> set[str]:
    return {login.lower() for login in logins}


def _people(logins: Iterable[str]) -> str:
    return ", ".join(logins) or "anybody who may write"
