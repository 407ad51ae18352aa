"""From evidence to a diagnosis: each hypothesis is tested by itself against all evidence; Bayes' rule weighs them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis, certainty
from gitops_sre.model.evidence import Evidence, Gap, Scope
from gitops_sre.reasoning import findings
from gitops_sre.reasoning.bayes import Row, posterior
from gitops_sre.reasoning.callgraph import CallGraph
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.suspects import MAX_SERVICES, Suspect, enumerate_suspects

NOTABLE = 0.15
"""Evidence counts for or against a hypothesis from this change of the log odds on (a factor of 1.16)."""
MAX_CITED = 12
CHANGES_GAP = "changes"
"""Signal of the gap that stands for a change feed that could not be read."""


def diagnose(  # noqa: PLR0913, PLR0917 - everything that is known comes in at once
    scope: Scope,
    evidence: Sequence[Evidence],
    gaps: Sequence[Gap],
    changes: Sequence[ChangeRecord],
    edges: Iterable[tuple[str, str]],
    refuted: Collection[str],
    catalogue: Catalogue,
    skew: float = 120.0,
) -> Diagnosis:
    """Which cause at which service, by which change, with posteriors that sum to 1.

    Blamed may be the scope's service and the services that it calls. Changes are taken relative to `scope.onset`; one
    that came later by more than `skew` seconds is no cause. Keys in `refuted` get posterior 0. Signals that could not
    be read say nothing: blind, every posterior stays near its prior.
    """
    graph = CallGraph(edges)
    services = (scope.service, *graph.below(scope.service))[:MAX_SERVICES]
    here = _relative(changes, scope)
    trust = findings.coverage(evidence, scope.service)
    possible = [change for change in here if change.lead >= -skew]
    seen = (
        *evidence,
        *findings.impacts(evidence, scope),
        *(findings.change_seen(change, trust, too_late=change.lead < -skew) for change in here),
        *_feed(services, possible, gaps, scope, trust),
    )
    suspects = enumerate_suspects(services, possible, refuted, catalogue)
    explained = frozenset((suspect.service, suspect.cause) for suspect in suspects if suspect.change)
    court = _Court(seen, graph, catalogue, explained)
    with ThreadPoolExecutor(max_workers=4) as pool:
        columns = list(pool.map(court.test, suspects))
    trusts = _trusts(seen, frozenset((scope.service, *graph.below(scope.service))))
    rows = [Row(values, weight) for weight, values in zip(trusts, zip(*columns, strict=True), strict=True)]
    beliefs = posterior([suspect.prior * suspect.share for suspect in suspects], rows)
    expected = [_expected(row, suspects) for row in rows]
    found = [
        _hypothesis(suspect, belief, _weights(suspect, column, rows, expected), seen)
        for suspect, belief, column in zip(suspects, beliefs, columns, strict=True)
    ]
    ranked = tuple(sorted(found, key=lambda each: (-each.posterior, each.refuted, each.key)))
    diagnosis = Diagnosis(ranked, seen, tuple(gaps))
    return replace(diagnosis, summary=summary(diagnosis))


@dataclass(frozen=True)
class _Court:
    """What every hypothesis is tested against; none knows of the others."""

    evidence: tuple[Evidence, ...]
    graph: CallGraph
    catalogue: Catalogue
    explained: frozenset[tuple[str, str]]
    """(service, cause) for which the feed shows a change."""

    def test(self, suspect: Suspect) -> tuple[float, ...]:
        """P(evidence | hypothesis) for each piece of evidence, in order."""
        return tuple(self._likelihood(item, suspect) for item in self.evidence)

    def _likelihood(self, item: Evidence, suspect: Suspect) -> float:
        change = suspect.change
        if item.signal == "change":
            ours = change is not None and findings.change_id(change) == item.id
            return self.catalogue.change.weight(change.lead) if ours and change is not None else 1.0
        if item.signal == "changes":
            return 1 - self.catalogue.change.visible if self._unseen(suspect, item.subject) else 1.0
        relation = self.graph.relation(suspect.service, item.subject)
        return self.catalogue.likelihood(item.signal, relation, item.symptom, suspect.cause)

    def _unseen(self, suspect: Suspect, service: str) -> bool:
        """Whether the suspect needs a change of this service, and the feed shows none that would do."""
        needs = suspect.service == service and self.catalogue.causes[suspect.cause].changes
        return bool(needs) and (service, suspect.cause) not in self.explained


def summary(diagnosis: Diagnosis) -> str:
    """The diagnosis in a few sentences, for people."""
    top = diagnosis.top
    if top.cause == "no_fault":
        what = f"Nothing is wrong with {top.service}, as far as can be seen"
    else:
        what = f"{top.cause.replace('_', ' ')} at {top.service}"
        if top.change is not None:
            change = top.change
            what += f" through {change.commit.sha[:12]}, {findings.lead_shown(change.lead)}"
    sentences = [f"{what} ({certainty(top.posterior)})."]
    sentences += _cited("For", top.supports, diagnosis) + _cited("Against", top.opposes, diagnosis)
    others = [each for each in diagnosis.hypotheses[1:3] if each.posterior >= 0.01]
    if others:
        sentences.append("Else " + ", ".join(f"{each.key} ({certainty(each.posterior)})" for each in others) + ".")
    gone = [each.key for each in diagnosis.hypotheses if each.refuted]
    if gone:
        sentences.append(f"Refuted by a fix that did not help: {', '.join(gone)}.")
    if diagnosis.gaps:
        sentences.append(f"Not seen: {', '.join(sorted({gap.id for gap in diagnosis.gaps}))}.")
    return " ".join(sentences)


def _cited(word: str, ids: Sequence[str], diagnosis: Diagnosis) -> list[str]:
    items = [item for item in map(diagnosis.find, ids[:3]) if item is not None]
    return [f"{word}: " + "; ".join(item.statement for item in items) + "."] if items else []


def _relative(changes: Iterable[ChangeRecord], scope: Scope) -> list[ChangeRecord]:
    """The environment's changes with their lead to the scope's onset, which may be better known than the alert's."""
    return [
        replace(change, lead=(scope.onset - change.commit.at).total_seconds())
        for change in changes
        if change.environment == scope.environment
    ]


def _feed(
    services: Sequence[str], changes: Sequence[ChangeRecord], gaps: Iterable[Gap], scope: Scope, trust: float
) -> list[Evidence]:
    """What the change feed shows of each candidate, if it could be read."""
    if any(gap.signal == CHANGES_GAP for gap in gaps):
        return []
    return [
        findings.feed_read(service, [change for change in changes if change.service == service], scope, trust)
        for service in services
    ]


def _trusts(evidence: Sequence[Evidence], below: frozenset[str]) -> list[float]:
    """How much each finding counts. Callers share their callee's fate, or all escape it: their findings of one signal
    count as one together, however many callers there are."""
    callers = Counter(item.signal for item in evidence if item.subject not in below)
    return [item.trust if item.subject in below else item.trust / callers[item.signal] for item in evidence]


def _expected(row: Row, suspects: Sequence[Suspect]) -> float:
    """How probable a finding was before it was made."""
    return math.fsum(suspect.prior * value for suspect, value in zip(suspects, row.likelihoods, strict=True))


def _weights(suspect: Suspect, column: Sequence[float], rows: Sequence[Row], expected: Sequence[float]) -> list[float]:
    """The weight of evidence (log of the likelihood ratio) of each finding, for a hypothesis against all the others
    taken together. Good, Probability and the Weighing of Evidence, 1950."""
    left = 1 - suspect.prior
    return [
        row.trust * math.log(value * left / (under_all - suspect.prior * value))
        for value, row, under_all in zip(column, rows, expected, strict=True)
    ]


def _hypothesis(suspect: Suspect, belief: float, weights: Sequence[float], evidence: Sequence[Evidence]) -> Hypothesis:
    weighed = sorted(zip(weights, (item.id for item in evidence), strict=True), reverse=True)
    return Hypothesis(
        suspect.cause,
        suspect.service,
        belief,
        suspect.prior,
        supports=tuple(name for weight, name in weighed if weight >= NOTABLE)[:MAX_CITED],
        opposes=tuple(name for weight, name in reversed(weighed) if weight <= -NOTABLE)[:MAX_CITED],
        change=suspect.change,
        refuted=suspect.share == 0.0,
    )
