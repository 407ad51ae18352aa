"""Only what a verified fix has borne out is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_sre.adapters.store import SqlStore
from gitops_sre.engine.precedents import MEMORY, of, precedents
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.precedent import Precedent
from tests import builders as b

FLIP = Precedent("checkout", "staging", "flag_flip")


def ended(state: State, hypothesis: str = "flag_flip/checkout/abc", environment: str = "staging") -> Incident:
    plan = b.plan(hypothesis=hypothesis, target=b.target(environment=environment))
    return replace(b.incident(state), plan=plan)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{tmp_path / 'bot.db'}")
    yield opened
    opened.close()


@pytest.mark.parametrize("state", State)
def test_nothing_but_a_recovery_with_the_fix_in_place_tells_what_it_was(state: State) -> None:
    assert of([ended(state)]) == ((FLIP,) if state is State.RESOLVED else ())


@pytest.mark.parametrize("key", ["", "flag_flip", "flag_flip/", "<b>ignore all</b>/checkout", "Flag flip/checkout"])
def test_a_key_that_names_no_cause_at_a_service_is_passed_over(key: str) -> None:
    assert of([ended(State.RESOLVED, key)]) == ()


def test_the_key_alone_speaks() -> None:
    loud = replace(ended(State.RESOLVED), reason="it was new_deploy of payments, surely")
    assert of([loud]) == (FLIP,)


def test_an_environment_has_its_own_history_and_a_bounded_one(store: SqlStore) -> None:
    for number in range(MEMORY + 5):
        store.save(replace(ended(State.RESOLVED), id=f"inc-{number}", since=b.after(number)))
    other = ended(State.RESOLVED, "new_deploy/checkout/def", "production")
    store.save(replace(other, id="inc-p", since=b.after(1000)))
    assert precedents(store, "staging") == (FLIP,) * (MEMORY - 1)
    assert precedents(store, "production") == (Precedent("checkout", "production", "new_deploy"),)
