"""GitHub's webhook events: which of them concern the bot, and what they concern.

They only ever hurry a look that polling would make as well: nothing that an event says is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

EVENTS: Mapping[str, frozenset[str]] = {
    "issue_comment": frozenset({"created", "edited"}),
    "pull_request": frozenset(
        {"opened", "closed", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "edited"}
    ),
    "pull_request_review": frozenset({"submitted", "dismissed", "edited"}),
    "check_run": frozenset({"completed"}),
    "check_suite": frozenset({"completed"}),
    "merge_group": frozenset({"checks_requested", "destroyed"}),
    "status": frozenset({""}),
    "deployment_status": frozenset({"created"}),
    "push": frozenset({""}),
}
"""The events that the App subscribes to, with the actions that matter; empty: the event has none."""


@dataclass(frozen=True)
class Happening:
    """Something happened in a repository (owner/name in lower case). `numbers`: the pull requests or issues that it is
    about, none when it may concern any; `comment`: somebody may have given an order; `pull`: a pull request itself came
    or changed."""

    repository: str
    numbers: frozenset[int] = frozenset()
    comment: bool = False
    pull: bool = False


def read(event: str, payload: object) -> Happening | None:
    """What an event concerns; None for one that does not matter, or that is not formed as GitHub forms it."""
    if not isinstance(payload, dict) or event not in EVENTS or _text(payload.get("action")) not in EVENTS[event]:
        return None
    repository = _text(_get(payload, "repository").get("full_name")).lower()
    if not repository or (event == "issue_comment" and _get(payload, "sender").get("type") == "Bot"):
        return None  # bots give no orders; the bot's own comments come in here as well
    numbers = frozenset(_NUMBERS[event](payload)) if event in _NUMBERS else frozenset[int]()
    return Happening(repository, numbers, event == "issue_comment", event == "pull_request")


def _get(payload: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = payload.get(key)
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _of(key: str) -> Callable[[Mapping[str, object]], Iterator[int]]:
    """The number of the payload's one issue or pull request."""

    def numbers(payload: Mapping[str, object]) -> Iterator[int]:
        number = _get(payload, key).get("number")
        if isinstance(number, int):
            yield number

    return numbers


def _checked(key: str) -> Callable[[Mapping[str, object]], Iterator[int]]:
    """The numbers of the pull requests whose head was checked; none for those from forks."""

    def numbers(payload: Mapping[str, object]) -> Iterator[int]:
        pulls = _get(payload, key).get("pull_requests")
        for pull in pulls if isinstance(pulls, list) else ():
            if isinstance(pull, dict) and isinstance(pull.get("number"), int):
                yield pull["number"]

    return numbers


_NUMBERS: Mapping[str, Callable[[Mapping[str, object]], Iterator[int]]] = {
    "issue_comment": _of("issue"),
    "pull_request": _of("pull_request"),
    "pull_request_review": _of("pull_request"),
    "check_run": _checked("check_run"),
    "check_suite": _checked("check_suite"),
}
