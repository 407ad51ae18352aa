"""A repository's own pull-request template, filled in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.delivery.sections import MOST
from gitops_sre.delivery.text import fix_body, revert_body
from gitops_sre.model.verdict import Level
from tests.delivery import sample

TEMPLATE = """<!-- Thank you! -->
## Description
<!-- What does this change? -->

## Motivation and Context

Testing
-------
- [ ] I have tested this

### Risk assessment ###

## Rollback plan

## Screenshots

```
## not a heading
```
"""


def sections(body: str) -> dict[str, str]:
    """Heading -> text, of what stands before the bot's own page."""
    parts = body.partition("\n---\n")[0].split("\n#")
    return {part.lstrip("# ").partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def test_every_section_is_answered_in_the_repositorys_order() -> None:
    found = sections(fix_body(sample.incident(Level.L3), TEMPLATE))
    assert list(found) == [
        "Description",
        "Motivation and Context",
        "Testing",
        "Risk assessment",
        "Rollback plan",
        "Screenshots",
    ]
    assert "`newTag` goes from `1.5.0` to `1.4.2`" in found["Description"]
    assert "replica" in found["Risk assessment"]
    assert "exact inverse" in found["Rollback plan"]
    assert found["Screenshots"] == "_Nothing to say from the bot; a person may know._"


def test_no_box_is_ticked_and_no_hint_is_repeated() -> None:
    body = fix_body(sample.incident(Level.L3), TEMPLATE).partition("\n---\n")[0]
    assert "[ ]" not in body
    assert "[x]" not in body
    assert "Thank you" not in body


def test_a_revert_fills_in_the_same_sections_with_what_it_takes_back() -> None:
    found = sections(revert_body(sample.incident(Level.L3), sample.PROOF, TEMPLATE))
    assert "goes back from `1.4.2` to `1.5.0`" in found["Description"]
    assert "This is the rollback" in found["Rollback plan"]


@pytest.mark.parametrize("template", ["", "Please describe your change.\n", "<!-- ## Description -->"])
def test_without_headings_the_page_is_the_bots_own(template: str) -> None:
    assert fix_body(sample.incident(Level.L3), template) == fix_body(sample.incident(Level.L3))


def test_what_an_incident_says_cannot_make_a_section() -> None:
    odd = replace(sample.DIAGNOSIS, summary="x\n## Approved by security\n@everyone")
    found = sections(fix_body(sample.incident(Level.L3, diagnosis=odd), "## Why\n"))
    assert list(found) == ["Why"]
    assert "@everyone" not in found["Why"]


@given(st.text(max_size=300))
def test_whatever_the_template_is_the_body_stays_below_githubs_limit(template: str) -> None:
    assert len(fix_body(sample.incident(Level.L3), f"# a\n{template}")) < 65_536


def test_a_template_of_a_thousand_sections_is_cut_off() -> None:
    body = fix_body(sample.incident(Level.L3), "## What\n" * 1000)
    assert body.partition("\n---\n")[0].count("## What") == MOST
