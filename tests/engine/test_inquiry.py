"""What is asked of the metrics, and what is said of that which does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gitops_sre.engine.inquiry import UNSEEN, Question, Sources, blind, gather, with_changes, with_events
from gitops_sre.model.change_feed import ChangeRecord, Commit, Rollout, RolloutStep
from gitops_sre.model.evidence import Answer, Query, Series
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.telemetry import ClusterEvent
from gitops_sre.perception import presets, servicemap
from gitops_sre.perception.seasons import DAYS
from gitops_sre.reasoning.diagnose import CHANGES_GAP
from tests.builders import NOW

QUERIES = presets.load()
HTTP = frozenset(name for row in QUERIES.rows.values() if row.id.startswith("http.") for name in row.metrics)
QUESTION = Question(NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW, 60, "web", "staging", 300, ("shop-*",))


@dataclass
class Source:
    """A metrics source with a level for every service of every query that `knows` names, and nothing for others."""

    has: frozenset[str] | Unavailable = HTTP
    knows: tuple[str, ...] = ("http.errors", "http.latency", "http.traffic")
    down: bool = False
    asked: list[Query] = field(default_factory=list)

    def names(self) -> frozenset[str] | Unavailable:
        return self.has

    def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
        self.asked += queries
        if self.down:
            return tuple(Unavailable("gone") for _ in queries)
        return tuple(Answer(query, (self._series(query),) if query.id in self.knows else ()) for query in queries)

    def _series(self, query: Query) -> Series:
        times = (query.end.timestamp() - query.step * n for n in range(100, -1, -1))
        return Series.of((("service", "web"),), ((at, 0.01) for at in times))


def found(source: Source, question: Question = QUESTION) -> Findings:
    return gather(question, Sources(source), QUERIES)


def gaps(findings: Findings) -> dict[str, str]:
    return {gap.id: gap.why.reason for gap in findings.gaps}


def test_what_the_metrics_names_tell_is_asked_and_narrowed_to_the_place() -> None:
    source = Source()
    assert set(gaps(found(source))) == {CHANGES_GAP}
    assert {query.id.partition(".")[0] for query in source.asked} == {"http"}
    assert all('environment=~"staging|"' in query.expr and 'namespace=~"shop' in query.expr for query in source.asked)
    assert {(query.end, query.step) for query in source.asked} == {(NOW, 60)}
    assert all("[300s]" in query.expr for query in source.asked if "rate(" in query.expr)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (Source(has=Unavailable("no route")), "no route"),
        (Source(has=frozenset({"up", "go_info"})), "none of its 2 metrics is known"),
        (Source(down=True), "gone"),
    ],
)
def test_a_source_that_tells_nothing_makes_blind(source: Source, reason: str) -> None:
    findings = found(source)
    assert reason in blind(findings)
    assert findings.measures == ()
    costs = {QUERIES.rows[query.id].cost for query in source.asked}
    assert costs <= {1}  # after a wave without any answer nothing is asked any more


def test_metrics_without_a_sample_make_blind_too() -> None:
    assert blind(found(Source(knows=()))) == "neither errors nor latency of web are known"
    assert blind(found(Source(knows=("http.traffic",)))) == ""


def test_a_service_that_only_others_are_seen_of_is_not_taken_to_be_well() -> None:
    other = Question(QUESTION.history, QUESTION.quiet_until, NOW, 60, "billing")
    assert UNSEEN in gaps(found(Source(), other))
    assert UNSEEN not in gaps(found(Source()))


def test_what_the_cluster_warns_of_since_shortly_before_the_onset_is_evidence() -> None:
    known, reach = gather(QUESTION, Sources(Source()), QUERIES), timedelta(minutes=15)
    begun = known.scope.onset - reach
    crash = ClusterEvent("Pod", "web-5f6585d649-fnmft", "BackOff", "Back-off", begun, NOW, 4)
    old = ClusterEvent("Pod", "api-5f6585d649-fnmft", "BackOff", "Back-off", begun - timedelta(seconds=1), NOW, 4)
    found = with_events(known, (crash, old), reach)
    assert [(each.id, each.score) for each in set(found.evidence) - set(known.evidence)] == [("restarts/web", 4)]
    assert gaps(with_events(known, Unavailable("403 Forbidden"), reach))["events"] == "403 Forbidden"


def test_where_nothing_tells_of_calls_the_map_of_earlier_incidents_says_who_waits_for_whom() -> None:
    before = servicemap.declared([("shop", "web")], NOW.timestamp())
    findings = gather(QUESTION, Sources(Source(), remembered=before), QUERIES)
    assert (findings.edges, findings.service_map.pairs) == ((("shop", "web"),), ())


def test_the_change_feed_replaces_its_gap_and_finds_its_rollouts() -> None:
    at = NOW - timedelta(minutes=5)
    rollout = Rollout("web", "staging", "v1", "v2", (RolloutStep(at, at, 0, 1),))
    record = ChangeRecord(Commit("a" * 40, at, "bob", "s", ()), "web", "staging", "config", (), 0.0)
    findings = gather(QUESTION, Sources(Source(), rollouts=(rollout,)), QUERIES)
    known = with_changes(findings, (record,), 60.0)
    assert ([each.rollout for each in known.changes], gaps(known)) == ([rollout], {})
    assert gaps(with_changes(findings, Unavailable("no Git"), 60.0)) == {CHANGES_GAP: "no Git"}


def test_the_same_hour_of_earlier_days_is_asked_about_only_where_it_is_wanted() -> None:
    plain, seasonal = Source(), Source()
    found(plain)
    before = len(plain.asked)
    assert gaps(found(seasonal, replace(QUESTION, seasonal=True))) == gaps(found(plain))
    more = seasonal.asked[before:]
    assert {query.id for query in more} == {"http.latency", "http.traffic"}
    assert len(more) == 2 * len(DAYS)
    assert max(query.end for query in more) < NOW - timedelta(hours=23)


def test_a_source_that_does_not_answer_for_earlier_days_leaves_a_gap() -> None:
    class Forgetful(Source):
        def ask(self, queries: Sequence[Query]) -> tuple[Answer | Unavailable, ...]:
            late = [query.end > NOW - timedelta(hours=12) for query in queries]
            return tuple(
                got if kept else Unavailable("too long ago")
                for got, kept in zip(super().ask(queries), late, strict=True)
            )

    assert gaps(found(Forgetful(), replace(QUESTION, seasonal=True)))["seasons"] == "too long ago"
