"""The default policies and the documentation: what they show works, and does what they say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_sre.model.verdict import Level
from gitops_sre.policy.cel import Facts
from gitops_sre.policy.documents import Policies, check, read, schema
from gitops_sre.policy.schema import KINDS
from gitops_sre.settings import shipped
from tests import builders as b
from tests.policy.cases import FOLDER, Tree, document, plan, policies, proof, verdict

DEFAULTS = sorted(shipped("policies").glob("*.yaml"))
PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
UNOWNED = [
    text
    for text in EXAMPLES
    if "levels: []" not in text and "kind: Ownership" not in text and not text.startswith("# .gitops-sre/")
]
"""All that the page shows after its lesson, but for who owns what: nobody there delivers the alerts of these tests."""
OPEN = document("AutonomyLadder", '  levels: [{action: "*", level: L4}]\n', "open")


def defaults(*more: str) -> Policies:
    """The default policies, and documents beside them."""
    content: dict[str, bytes | None] = {f"{FOLDER}/{path.name}": path.read_bytes() for path in DEFAULTS}
    return read(Tree(content | {f"{FOLDER}/{n}.yaml": text.encode() for n, text in enumerate(more)}), b.SHA, FOLDER)


def uncommented(text: str) -> str:
    """A default with its example switched on: `#` directly before code, the empty list above it removed."""
    text = re.sub(r"^  \w+: \[\]\n(?=(  # .*\n)*  #\w)", "", text, flags=re.MULTILINE)
    return re.sub(r"^( *)#(?! \S)", r"\1", text, flags=re.MULTILINE)


class TestDefaults:
    """Safe on day one."""

    def test_are_sound(self) -> None:
        assert len(DEFAULTS) == len(KINDS)
        assert check(shipped("policies")) == ()

    @pytest.mark.parametrize("environment", ["dev", "staging", "production"])
    def test_open_nothing(self, environment: str) -> None:
        assert verdict(defaults(), plan(environment), proof(environment)).level is Level.L1

    def test_keep_what_is_opened_small(self) -> None:
        assert verdict(defaults(OPEN)).level is Level.L4
        assert verdict(defaults(OPEN), shown=proof(objects=3)).level is Level.L1
        assert verdict(defaults(OPEN), shown=proof(environments=("staging", "dev"))).level is Level.L1
        assert verdict(defaults(OPEN), plan(confidence=0.69)).level is Level.L1

    @pytest.mark.parametrize("environment", ["production", "prod", "prod-eu"])
    def test_keep_a_person_in_production(self, environment: str) -> None:
        assert verdict(defaults(OPEN), plan(environment), proof(environment)).level is Level.L3

    @pytest.mark.parametrize("path", DEFAULTS, ids=lambda path: path.name)
    def test_have_examples_that_work(self, path: Path) -> None:
        before = path.read_text(encoding="utf-8")
        after = uncommented(before)
        assert after != before
        assert policies(after) != policies(before)


class TestExamples:
    """In docs/policy.md."""

    @pytest.mark.parametrize("text", EXAMPLES)
    def test_are_sound(self, text: str) -> None:
        policies(text)

    def test_show_every_kind(self) -> None:
        assert {kind for kind in KINDS if any(f"kind: {kind}" in text for text in EXAMPLES)} == set(KINDS)

    @pytest.mark.parametrize(
        ("changes", "level", "approvers"),
        [
            ({"environment": "dev"}, Level.L4, ("alice", "bob")),
            ({"environment": "staging"}, Level.L4, ("alice", "bob")),
            ({"environment": "production"}, Level.L3, ("alice", "bob")),
            ({"environment": "staging", "tier": "standard"}, Level.L4, ("alice", "bob")),
        ],
    )
    def test_do_what_the_page_says(self, changes: dict[str, Any], level: Level, approvers: tuple[str, ...]) -> None:
        held = policies(*UNOWNED)
        now = datetime(2026, 3, 2, 12, tzinfo=UTC)
        given = verdict(held, plan(**changes), proof(changes["environment"]), now=now)
        assert (given.level, given.approvers) == (level, approvers)

    def test_nights_are_quiet_and_years_end_frozen(self) -> None:
        held = policies(*UNOWNED)
        night = datetime(2026, 3, 2, 3, tzinfo=UTC)
        assert verdict(held, plan(tier="critical"), proof(), now=night).level is Level.L2
        christmas = datetime(2026, 12, 25, 12, tzinfo=UTC)
        assert verdict(held, plan("production"), proof("production"), now=christmas).level is Level.L1


class TestThePage:
    """docs/policy.md is complete."""

    @pytest.mark.parametrize("name", Facts.__annotations__)
    def test_names_every_variable(self, name: str) -> None:
        assert f"`{name}`" in PAGE

    def test_names_every_key(self) -> None:
        keys = {key for part in schema()["$defs"].values() for key in part["properties"]}
        assert {key for key in keys if f"`{key}`" not in PAGE and f"{key}:" not in PAGE} == set()
