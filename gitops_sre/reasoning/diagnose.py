"""From evidence to a diagnosis: each hypothesis is tested by itself against all evidence; Bayes' rule weighs them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gitops_sre.model.change_feed import ChangeRecord
from gitops_sre.model.diagnosis import Diagnosis, Hypothesis, certainty
from gitops_sre.model.evidence import Evidence, Gap, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.servicemap import CallGraph
from gitops_sre.reasoning import findings, priors
from gitops_sre.reasoning.asking import Question, next_questions
from gitops_sre.reasoning.bayes import Matrix, posterior, weights
from gitops_sre.reasoning.catalogue import Catalogue
from gitops_sre.reasoning.suspects import MAX_SERVICES, Candidates, Suspect, enumerate_suspects

NOTABLE = 0.15
"""Evidence counts for or against a hypothesis from this change of the log odds on (a factor of 1.16)."""
MAX_CITED = 12
MAX_TOLD = 40
"""Hypotheses whose evidence for and against is told; the rest are hardly worth a word."""
CHANGES_GAP = "changes"
"""Signal of the gap that stands for a change feed that could not be read."""
CERTAIN = 0.9
"""Posterior from which on no further questions are named."""
CLOCK_SKEW = 120.0
"""Seconds by which clocks may differ, where the settings do not say."""


def diagnose(
    known: Findings, catalogue: Catalogue, refuted: Collection[str] = (), skew: float = CLOCK_SKEW
) -> Diagnosis:
    """Which cause at which service, by which change, with posteriors that sum to 1.

    Blamed may be the scope's service and the services that it calls; every service that evidence is about where the
    alert names none. Changes are taken relative to `scope.onset`; one that came later by more than `skew` seconds is no
    cause. Keys in `refuted` get posterior 0. Signals that could not be read say nothing: blind, every posterior stays
    near its prior.
    """
    trial = prepare(known, catalogue, refuted, skew)
    logs = trial.court.test(trial.suspects)
    beliefs = posterior(trial.priors, logs, trial.trusts)
    told = set(np.argsort(-beliefs, kind="stable")[:MAX_TOLD].tolist())
    said = weights(trial.priors, logs, trial.trusts)
    found = [
        _hypothesis(suspect, float(beliefs[n]), said[n].tolist() if n in told else (), trial.court.evidence)
        for n, suspect in enumerate(trial.suspects)
    ]
    ranked = tuple(sorted(found, key=lambda each: (-each.posterior, each.refuted, each.key)))
    diagnosis = Diagnosis(ranked, trial.court.evidence, known.gaps)
    return replace(diagnosis, summary=summary(diagnosis, next_questions(diagnosis, catalogue.weights)))


@dataclass(frozen=True)
class Trial:
    """All hypotheses with their priors, and what they are tested against; `trusts` are the findings' and, last, 1."""

    suspects: tuple[Suspect, ...]
    court: Court
    priors: list[float]
    trusts: list[float]


def prepare(known: Findings, catalogue: Catalogue, refuted: Collection[str] = (), skew: float = CLOCK_SKEW) -> Trial:
    """Everything that `diagnose` weighs, unweighed."""
    scope, evidence = known.scope, known.evidence
    graph = CallGraph(known.edges)
    candidates = _candidates(scope, evidence, graph)
    here = _relative(known.changes, scope)
    trust = findings.coverage(evidence, scope.service)
    possible = [change for change in here if change.lead >= -skew]
    moved = [each for each in known.rollouts if each.at <= scope.now]
    seen = (
        *evidence,
        *(findings.change_seen(change, trust, too_late=change.lead < -skew) for change in here),
        *(findings.rollout_seen(each, scope) for each in moved),
        *_feed(candidates.all, possible, known.gaps, scope, trust),
        *priors.told(known.precedents, candidates.all, scope),
    )
    suspects = enumerate_suspects(candidates, possible, moved, refuted, catalogue, known.precedents)
    explained = frozenset((suspect.service, suspect.cause) for suspect in suspects if suspect.change)
    court = Court(seen, catalogue, explained, skew)
    trusts = _trusts(seen, frozenset((scope.service, *graph.below(scope.service))))
    return Trial(suspects, court, [suspect.prior * suspect.share for suspect in suspects], trusts)


def _candidates(scope: Scope, evidence: Iterable[Evidence], graph: CallGraph) -> Candidates:
    """Who may be blamed: what the alerting service needs, itself included, and, less likely, everything else that there
    are scores of; all alike where the alert names none. Maps have holes, and nodes and networks are shared."""
    subjects = sorted({item.subject for item in evidence if item.subject and item.score is not None})
    if not scope.service:
        return Candidates("", (), tuple(subjects)[:MAX_SERVICES])
    below = graph.below(scope.service)[: MAX_SERVICES - 1]
    near = {scope.service, *below}
    others = [subject for subject in subjects if subject not in near]
    if not graph.known:
        return Candidates(scope.service, tuple(others)[: MAX_SERVICES - 1], ())
    return Candidates(scope.service, below, tuple(others)[: MAX_SERVICES - len(near)])


@dataclass(frozen=True)
class Court:
    """What every hypothesis is tested against; none knows of the others."""

    evidence: tuple[Evidence, ...]
    catalogue: Catalogue
    explained: frozenset[tuple[str, str]]
    """(service, cause) for which the feed shows a change."""
    skew: float

    def test(self, suspects: Sequence[Suspect]) -> Matrix:
        """log P(finding | hypothesis) for each suspect (row) and each piece of evidence (column), up to a constant."""
        logs = np.zeros((len(suspects), len(self.evidence) + 1))
        at: dict[str, list[int]] = defaultdict(list)
        for number, suspect in enumerate(suspects):
            at[suspect.service].append(number)
        for column, item in enumerate(self.evidence):
            says = self._weight if item.score is not None else self._of_feed
            for row in at[item.subject] if item.subject else range(len(suspects)):
                logs[row, column] = says(item, suspects[row])
        if any(item.score is not None for item in self.evidence):
            logs[:, -1] = [self.catalogue.weights.bias[suspect.cause] for suspect in suspects]
        return logs

    def _weight(self, item: Evidence, suspect: Suspect) -> float:
        """What a scored finding says for a suspect at its own service; findings of a version only for its rollout."""
        weights = self.catalogue.weights
        if item.version and (suspect.rollout is None or suspect.rollout.after != item.version):
            return 0.0
        cause = weights.cause(item.signal, suspect.cause, changed=suspect.changed)
        return weights.weight.get(item.signal, {}).get(cause, 0.0) * weights.strength(item.signal, item.score or 0.0)

    def _of_feed(self, item: Evidence, suspect: Suspect) -> float:
        """What a change, a rollout, or having read the feed says for a suspect; nothing else without a score does."""
        change = suspect.change
        if item.signal == "change" and change is not None and findings.change_id(change) == item.id:
            return math.log(self.catalogue.change.weight(change.lead))
        if item.signal == "rollout" and suspect.rollout is not None and change is None:
            return math.log(self._prompt(item.value or 0.0)) if suspect.rollout.key in item.id else 0.0
        if item.signal == "changes" and self._unseen(suspect, item.subject):
            return math.log(1 - self.catalogue.change.visible)
        return 0.0

    def _prompt(self, lead: float) -> float:
        """How a rollout's time speaks for it. The onset is an estimate: to have begun after it is unlikely, not out."""
        return self.catalogue.change.weight(lead) if lead >= -self.skew else self.catalogue.change.after_onset

    def _unseen(self, suspect: Suspect, service: str) -> bool:
        """Whether the suspect needs a change of this service, and the feed shows none that would do."""
        needs = suspect.service == service and self.catalogue.causes[suspect.cause].changes
        return bool(needs) and (service, suspect.cause) not in self.explained


def summary(diagnosis: Diagnosis, questions: Sequence[Question] = ()) -> str:
    """The diagnosis in a few sentences, for people, with what would tell most where it is not certain."""
    top = diagnosis.top
    if top.cause == "no_fault":
        what = f"Nothing is wrong with {top.service}, as far as can be seen"
    else:
        what = f"{top.cause.replace('_', ' ')} at {top.service}"
        if top.change is not None:
            change = top.change
            what += f" through {change.commit.sha[:12]}, {findings.lead_shown(change.lead)}"
        elif top.rollout is not None:
            what += f" through the rollout of {top.rollout.after}"
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
    if questions and top.posterior < CERTAIN:
        sentences.append(f"Would tell most: {'; '.join(each.text for each in questions)}.")
    return " ".join(sentences)


def _cited(word: str, ids: Sequence[str], diagnosis: Diagnosis) -> list[str]:
    items = [item for item in map(diagnosis.find, ids[:3]) if item is not None]
    return [f"{word}: " + "; ".join(item.statement for item in items) + "."] if items else []


def _relative(changes: Iterable[ChangeRecord], scope: Scope) -> list[ChangeRecord]:
    """The environment's changes with their lead to the scope's onset, which may be better known than the alert's."""
    return [
        replace(change, lead=(scope.onset - change.began).total_seconds())
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
    """How much each finding counts, and, last, the causes' own bias. What is known of changes and rollouts of services
    that the alerting one is not known to need counts as one finding together: deploys come in waves."""
    far = Counter(item.signal for item in evidence if item.subject not in below and item.score is None)
    return [
        item.trust if item.subject in below or item.score is not None else item.trust / far[item.signal]
        for item in evidence
    ] + [1.0]


def _hypothesis(suspect: Suspect, belief: float, said: Sequence[float], evidence: Sequence[Evidence]) -> Hypothesis:
    weighed = sorted(zip(said, (item.id for item in evidence), strict=False), reverse=True)
    return Hypothesis(
        suspect.cause,
        suspect.service,
        belief,
        suspect.prior,
        supports=tuple(name for weight, name in weighed if weight >= NOTABLE)[:MAX_CITED],
        opposes=tuple(name for weight, name in reversed(weighed) if weight <= -NOTABLE)[:MAX_CITED],
        change=suspect.change,
        refuted=suspect.share == 0.0,
        rollout=suspect.rollout,
    )
