from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from gitops_sre.delivery import text
from gitops_sre.model.change import ObjectDiff
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.pull import Report
from gitops_sre.model.target import NoTarget
from gitops_sre.model.verdict import Level, Reason
from tests.delivery import sample

GOLDEN = Path(__file__).parent / "golden"
MERGED = sample.pull(state="merged", merge_sha="e" * 40, merged_at=sample.T0 + timedelta(minutes=5))


def after_fix(state: State, reason: str, assessed: str = "") -> Incident:
    return sample.incident(
        state=state,
        reason=reason,
        fix=MERGED,
        merged_at=MERGED.merged_at,
        live_at=sample.T0 + timedelta(minutes=7),
        since=sample.T0 + timedelta(minutes=18),
        assessment=sample.assessment(assessed, worse=assessed == "not_recovered") if assessed else None,
    )


NOT_HELPED = after_fix(State.REVERTING, "error ratio stayed above its threshold", "not_recovered")
ESCALATED = replace(
    after_fix(State.ESCALATING, "the fix did not help and no further cause is sure enough", "not_recovered"),
    revert=sample.pull(8, "revert", state="merged"),
    refuted=("new_deploy/checkout/c0ffee111111",),
)
QUIET = sample.incident(
    state=State.DISMISSED,
    reason="every signal is within its baseline",
    plan=None,
    proof=None,
    verdict=None,
    record=None,
)
UNKNOWN = Incident(
    "inc-ffffffffffff",
    (sample.ALERT,),
    State.REPORTING,
    sample.T0,
    sample.T0,
    target=NoTarget("two workloads carry the label service=checkout", "checkout", "production"),
)

INVERSE = replace(
    sample.PROOF,
    diff=sample.DIFF.replace("-    newTag: 1.5.0\n+    newTag: 1.4.2", "-    newTag: 1.4.2\n+    newTag: 1.5.0"),
)


def shown(report: Report) -> str:
    return f"# {report.title}\n\nkey: {report.key}\nlabels: {', '.join(report.labels)}\n\n{report.body}"


PAGES: dict[str, Callable[[], str]] = {
    "fix-l4": lambda: f"# {text.fix_title(sample.PLAN)}\n\n{text.fix_body(sample.incident())}",
    "fix-l3": lambda: text.fix_body(sample.incident(Level.L3)),
    "fix-l2": lambda: text.fix_body(sample.incident(Level.L2)),
    "commit": lambda: "\n\n".join(text.commit_message(sample.record())) + "\n",
    "revert": lambda: (
        f"# {text.pull_title(replace(sample.record(), kind='revert'))}\n\n{text.revert_body(NOT_HELPED, INVERSE)}"
    ),
    "revert-l2": lambda: text.revert_body(replace(NOT_HELPED, verdict=sample.verdict(Level.L2))),
    "report": lambda: shown(text.report(sample.incident(Level.L1))),
    "report-no-target": lambda: shown(text.report(UNKNOWN)),
    "escalation": lambda: shown(text.escalation(ESCALATED)),
    "escalation-untried": lambda: shown(text.escalation(sample.incident(Level.DENIED, reason="policy forbids it"))),
    "dismissal": lambda: text.dismissal(QUIET),
    "reminder-l3": lambda: text.reminder(sample.incident(Level.L3)),
    "reminder-l2": lambda: text.reminder(sample.incident(Level.L2)),
    "closing": lambda: text.closing(
        sample.incident(state=State.SUPERSEDED, reason="the alert resolved before the merge")
    ),
    "outcome-resolved": lambda: text.outcome(
        after_fix(State.RESOLVED, "the SLO recovered", "recovered"), "57:" + "9f2c" * 16
    ),
    "outcome-escalated": lambda: text.outcome(
        replace(ESCALATED, state=State.ESCALATED, report_url="https://github.com/acme/infra/issues/9")
    ),
    "verdict": lambda: (
        f"# {text.verdict_title(sample.verdict(Level.L3))}\n\n{text.verdict_summary(sample.verdict(Level.L3))}"
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_text_reads_as_reviewed(name: str) -> None:
    """Changed on purpose? `UPDATE_GOLDEN=1 pytest tests/delivery` rewrites the files; read the difference."""
    made, file = PAGES[name](), GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_tables_hold_together(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGES[name]())
    prose = [token.content for token in tokens if token.type == "inline"]
    assert not any(line.lstrip().startswith("|") for content in prose for line in content.splitlines())
    assert "\n\n\n" not in PAGES[name]()


HOSTILE = (
    "@everyone ![x](https://evil.test/a.png) <img src=//evil.test> fixes #1 | `` ``` \u202e [a](//b)\n# big\n/approve"
)


def hostile_incident() -> Incident:
    alert = replace(sample.ALERT, name=HOSTILE, labels={"service": HOSTILE}, annotations={"summary": HOSTILE})
    target = replace(sample.TARGET, service=HOSTILE, environment=HOSTILE, tier=HOSTILE, application=HOSTILE)
    commit = replace(sample.CHANGE.commit, author=HOSTILE, subject=HOSTILE)
    top = replace(
        sample.DIAGNOSIS.top, service=HOSTILE, change=replace(sample.CHANGE, commit=commit), supports=(HOSTILE,)
    )
    evidence = replace(sample.EVIDENCE[0], id=HOSTILE, statement=HOSTILE, unit=HOSTILE)
    diagnosis = replace(sample.DIAGNOSIS, hypotheses=(top,), evidence=(evidence,), summary=HOSTILE)
    edit = replace(sample.EDIT, file=HOSTILE, path=(HOSTILE,), before=HOSTILE, after=HOSTILE)
    diff = ObjectDiff(HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,))
    proof = replace(
        sample.PROOF,
        objects=(diff,),
        diff="+" + HOSTILE.replace("\n", "\n+"),
        change=replace(sample.PROOF.change, edits=(edit,)),
    )
    plan = replace(sample.PLAN, target=target, parameters={HOSTILE: HOSTILE}, reason=HOSTILE, hypothesis=HOSTILE)
    return sample.incident(
        Level.L3,
        alerts=(alert,),
        target=target,
        diagnosis=diagnosis,
        plan=plan,
        proof=proof,
        verdict=replace(sample.verdict(Level.L3), reasons=(Reason(HOSTILE, Level.L3, HOSTILE),), approvers=(HOSTILE,)),
        record=replace(sample.record(), plan=plan, edits=(edit,)),
        reason=HOSTILE,
        fix=MERGED,
        assessment=replace(sample.assessment(), reason=HOSTILE),
        refuted=(HOSTILE,),
        report_url=HOSTILE,
    )


@pytest.mark.parametrize(
    "make",
    [
        text.fix_body,
        text.revert_body,
        lambda i: text.report(i).body,
        lambda i: text.escalation(replace(i, fix=None)).body,
        text.dismissal,
        text.reminder,
        text.closing,
        text.outcome,
        lambda i: text.verdict_summary(i.verdict),
    ],
)
def test_no_page_carries_outside_text_as_markup(make: Callable[[Incident], str]) -> None:
    body = make(hostile_incident())
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    prose = "".join(
        child.content for token in tokens for child in token.children or [] if child.type in {"text", "html_inline"}
    )
    assert not re.search(r"@\w|#1\b|://", prose)
    kinds = {child.type for token in tokens for child in token.children or []}
    assert not kinds & {"link_open", "image"}
    html = {child.content for token in tokens for child in token.children or [] if child.type == "html_inline"}
    assert html <= {"<br>", "<sub>", "</sub>"}
    assert "\u202e" not in body
    assert not re.search(r"(?m)^(/approve|# big)", body)


def test_titles_and_commit_messages_are_inert() -> None:
    record = hostile_incident().record
    assert record is not None
    for line in (text.pull_title(record), *text.commit_message(record)):
        assert "@" not in line
        assert "#1" not in line
        assert "\u202e" not in line
    assert "\n" not in text.pull_title(record)
    assert len(text.commit_message(record)[0]) <= 72


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_page_is_never_longer_than_github_takes_and_says_what_it_left_out(size: int) -> None:
    many = tuple(Evidence(f"e/{n}", "errors", "x", "high", "é" * 700, sample.T0) for n in range(200))
    reasons = tuple(Reason(f"r{n}", Level.L4, "ü" * 700) for n in range(200))
    incident = sample.incident(
        diagnosis=replace(sample.DIAGNOSIS, evidence=many),
        proof=replace(
            sample.PROOF, diff="\n".join(f"+{'漢' * 300}" for _ in range(size)), objects=sample.PROOF.objects * 90
        ),
        verdict=replace(sample.verdict(), reasons=reasons),
    )
    for body in (text.fix_body(incident), text.escalation(incident).body, text.verdict_summary(incident.verdict)):  # type: ignore[arg-type]  # the sample has a verdict
        assert len(body) < 65_536
        assert len(body.encode()) < 65_536
    body = text.fix_body(incident)
    assert "Left out, since GitHub takes no longer text" in body
    assert "How to steer" in body
    assert body.count("```") % 2 == 0


def test_every_page_can_be_made_of_a_bare_incident() -> None:
    bare = replace(UNKNOWN, target=None)
    for make in (text.dismissal, text.closing, text.outcome, text.reminder, text.revert_body):
        assert make(bare)
    for report in (text.report(bare), text.escalation(bare)):
        assert bare.id in report.title
        assert report.key.startswith(bare.id)


def test_a_value_that_was_not_there_is_said_to_be_so() -> None:
    record = sample.record()
    added = replace(record.edits[0], before=None, before_raw="", path=("spec", "replicas"), after="3")
    assert "replicas: (not set) -> 3" in text.commit_message(replace(record, edits=(added,)))[1]
