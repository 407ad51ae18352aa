"""The patch of a promotion opens one level of one action in one tier, or is not offered."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_sre.model.verdict import Level
from gitops_sre.policy.autonomy import opened
from gitops_sre.policy.documents import read
from gitops_sre.policy.promotion import patch
from tests import builders as b
from tests.policy.cases import FOLDER, Tree, document

KEY = ("rollback_image", "standard")
KNOWN = tuple(product(("rollback_image", "scale", "revert_commit"), ("standard", "critical", "unknown")))
BLOCK = """\
# Ours.
apiVersion: gitops-sre.dev/v1
kind: AutonomyLadder
metadata: {name: ladder}
spec:
  levels:
    - action: rollback_image   # the usual one
      environment: staging
      tier: standard
      level: L2  # for now
    - action: scale
      level: L3
"""


def patched(text: str, key: tuple[str, str] = KEY) -> str | None:
    tree = Tree({f"{FOLDER}/a.yaml": text.encode()})
    edits = patch(tree, read(tree, b.SHA, FOLDER), FOLDER, key, KNOWN)
    return edits[0].after if edits else None


def test_an_entry_for_just_this_gets_another_level_and_keeps_every_other_byte() -> None:
    assert patched(BLOCK) == BLOCK.replace("level: L2", "level: L3")


def test_an_entry_that_says_more_is_divided() -> None:
    after = patched(BLOCK.replace("      tier: standard\n", "").replace("rollback_image ", "'*'")) or ""
    assert "    - {action: rollback_image, environment: staging, tier: standard, level: L3}\n" in after
    assert "    - {action: rollback_image, environment: staging, tier: critical, level: L2}\n" in after
    assert "    - {action: scale, environment: staging, level: L2}\n" in after
    assert after.startswith("# Ours.\n")
    assert after.endswith("    - action: scale\n      level: L3\n")


@pytest.mark.parametrize(
    "levels",
    [
        "[]",
        "[{action: rollback_image, level: L4}]",
        "[{action: rollback_image, level: L1}]",
        "[{action: rollback_image, service: checkout, level: L2}]",
    ],
)
def test_what_is_not_open_for_every_service_or_has_nothing_above_it_has_no_patch(levels: str) -> None:
    assert patched(document("AutonomyLadder", f"  levels: {levels}")) is None


def test_an_exception_for_a_service_stays_as_it_is() -> None:
    levels = "[{action: rollback_image, tier: standard, level: L3}, {action: '*', service: payments, level: L3}]"
    after = patched(document("AutonomyLadder", f"  levels: {levels}")) or ""
    assert "service: payments, level: L3}" in after
    assert "tier: standard, level: L4}" in after


ENTRIES = st.fixed_dictionaries(
    {
        "action": st.sampled_from(("rollback_image", "scale", "*", "r*", "s*")),
        "environment": st.sampled_from(("*", "prod", "stag*")),
        "tier": st.sampled_from(("*", "standard", "critical", "[sc]*")),
        "service": st.sampled_from(("*", "*", "payments")),
        "level": st.sampled_from(("L1", "L2", "L3", "L4")),
    }
)


@settings(deadline=None)  # it reads YAML twice, on whatever machine
@given(st.lists(ENTRIES, min_size=1, max_size=5), st.booleans(), st.sampled_from(KNOWN))
def test_whatever_the_ladder_is_nothing_else_is_opened(
    entries: list[dict[str, str]], block: bool, key: tuple[str, str]
) -> None:
    if block:
        rows = ("\n      ".join(f"{name}: '{value}'" for name, value in entry.items()) for entry in entries)
        text = document("AutonomyLadder", "  levels:\n" + "".join(f"    - {row}\n" for row in rows))
    else:
        flow = ", ".join("{" + ", ".join(f"{k}: '{v}'" for k, v in entry.items()) + "}" for entry in entries)
        text = document("AutonomyLadder", f"  levels: [{flow}]\n")
    before = read(Tree({f"{FOLDER}/a.yaml": text.encode()}), b.SHA, FOLDER)
    after_text = patched(text, key)
    level = opened(before.ladder, *key)
    if after_text is None:
        assert level in (Level.L1, Level.L4) or any(entry["service"] != "*" for entry in entries)
        return
    after = read(Tree({f"{FOLDER}/a.yaml": after_text.encode()}), b.SHA, FOLDER)
    for other in KNOWN:
        same = opened(before.ladder, *other) == opened(after.ladder, *other)
        assert same or other == key
    assert opened(after.ladder, *key) == level + 1
