"""How much may be open at once, and what never counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gitops_sre.engine.limits import waits_for
from gitops_sre.model.change import FieldEdit
from gitops_sre.model.record import ActionRecord
from gitops_sre.ports import OpenedAction
from gitops_sre.settings import LimitSettings
from tests import builders as b

LIMITS = LimitSettings(open=2, open_per_service=1, per_hour=3)
AT = b.after(7200)


def action(number: int, service: str = "cart", at: datetime = b.NOW, **changes: object) -> OpenedAction:
    """Another incident's fix, of another field."""
    return OpenedAction(record(f"inc-{number}", service, number), b.pull(number, created_at=at, **changes))


def record(incident: str, service: str, number: int) -> ActionRecord:
    edit = replace(b.edit(), file=f"apps/{service}/{number}.yaml")
    return b.record(incident=incident, plan=b.plan(target=b.target(service)), edits=(edit,))


MINE = record("inc-mine", "checkout", 0)


def test_with_nothing_open_it_may() -> None:
    assert waits_for(MINE, [], LIMITS, AT) == ""


@pytest.mark.parametrize(
    ("actions", "limit"),
    [
        ([action(1, "checkout")], "limits.open_per_service: #1 open for checkout (staging)"),
        ([action(1), action(2, "web")], "limits.open: 2 pull requests of the bot are open"),
        ([action(n, at=AT - timedelta(minutes=n), state="merged") for n in (1, 2, 3)], "limits.per_hour: 3"),
    ],
)
def test_a_limit_has_a_name(actions: list[OpenedAction], limit: str) -> None:
    assert waits_for(MINE, actions, LIMITS, AT).startswith(limit)


def test_what_was_merged_long_ago_does_not_count() -> None:
    old = [action(n, "checkout", state="merged") for n in range(1, 9)]
    assert waits_for(MINE, old, LIMITS, AT) == ""


def test_another_environment_is_another_place() -> None:
    other = action(1)
    staging = replace(other, record=replace(other.record, plan=b.plan(target=b.target("checkout", "production"))))
    assert waits_for(MINE, [staging], LIMITS, AT) == ""


def test_reverts_are_not_counted() -> None:
    reverts = [replace(each, record=replace(each.record, kind="revert")) for each in (action(1), action(2), action(3))]
    assert waits_for(MINE, reverts, LIMITS, AT) == ""


def test_what_stands_on_the_forge_already_never_waits() -> None:
    mine = OpenedAction(MINE, b.pull(9))
    assert waits_for(MINE, [mine, action(1, "checkout"), action(2)], LIMITS, AT) == ""


@pytest.mark.parametrize(
    ("path", "waits"),
    [(("images", 0, "newTag"), True), (("images", 0), True), (("images", 1, "newTag"), False), (("replicas",), False)],
)
def test_one_field_is_changed_by_one_open_pull_request(path: tuple[str | int, ...], *, waits: bool) -> None:
    field: FieldEdit = replace(MINE.edits[0], path=path)
    other = action(1)
    rival = replace(other, record=replace(other.record, edits=(field,)))
    found = waits_for(MINE, [rival], LIMITS, AT)
    assert found.endswith("one open pull request per field") == waits
    closed = replace(rival, pull=replace(rival.pull, state="merged"))
    assert waits_for(MINE, [closed], LIMITS, AT) == ""
