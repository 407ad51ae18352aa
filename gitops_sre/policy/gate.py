"""The gate: a plan and its proof, held against policy.

The ladder opens a level; everything else only lowers it, and the lowest word counts. What cannot be judged (a missing
source, a condition that fails) lowers like a rule that applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import product

from gitops_sre.model.change import Check, Proof
from gitops_sre.model.evidence import Doubt, Gap
from gitops_sre.model.outcome import Done, Inconclusive, Refused
from gitops_sre.model.plan import ActionSpec, Plan
from gitops_sre.model.verdict import Level, Reason, Verdict
from gitops_sre.policy.cel import Facts, compiled
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.schema import Limits, Rule, level


def judge(
    plan: Plan,
    proof: Proof,
    open_questions: Sequence[Gap | Doubt],
    spec: ActionSpec,
    policies: Policies,
    now: datetime,
    labels: Mapping[str, str],
) -> Verdict:
    """How far the bot may go with a proven plan, with every reason.

    `spec` is the plan's action; `now` an aware time; `labels` are what conditions read as `labels` (the alert's).
    """
    case = _Case(plan, proof, spec, now.astimezone(UTC), labels)
    rules = tuple(_applying(case, policies.rules))
    approvers, disjoint = _approvers(rule for rule, _ in rules)
    reasons = (
        *_ladder(case, policies),
        *_built_in(case, open_questions),
        *(reason for rule, failure in rules for reason in _lowered(case, rule, failure)),
        *disjoint,
        *frozen(policies, case.environments, case.now),
    )
    return Verdict(min(reason.ceiling for reason in reasons), reasons, approvers, policies.commit)


def lowered(verdict: Verdict, reasons: Sequence[Reason]) -> Verdict:
    """A verdict with more reasons: what is said later can only lower it."""
    level = min((verdict.level, *(reason.ceiling for reason in reasons)))
    return replace(verdict, level=level, reasons=(*verdict.reasons, *reasons))


@dataclass(frozen=True)
class _Case:
    """What is judged. A change may reach further than its target: each property holds all that it touches."""

    plan: Plan
    proof: Proof
    spec: ActionSpec
    now: datetime
    labels: Mapping[str, str]

    @property
    def environments(self) -> tuple[str, ...]:
        return _union(self.plan.target.environment, self.proof.radius.environments)

    @property
    def tiers(self) -> tuple[str, ...]:
        return _union(self.plan.target.tier, self.proof.radius.tiers)

    @property
    def namespaces(self) -> tuple[str, ...]:
        return _union(self.plan.target.workload.namespace, self.proof.radius.namespaces)

    @property
    def services(self) -> tuple[str, ...]:
        """The target's service and the names of the touched objects, which are services by convention."""
        return _union(self.plan.target.service, (touched.name for touched in self.proof.objects))

    def facts(self) -> Iterator[Facts]:
        """One set of facts for each combination of touched environment, tier and namespace."""
        radius = self.proof.radius
        for environment, tier, namespace in product(self.environments, self.tiers, self.namespaces):
            yield Facts(
                action=self.plan.action,
                service=self.plan.target.service,
                environment=environment,
                tier=tier,
                kube_namespace=namespace,
                confidence=self.plan.confidence,
                fleet_share=radius.fleet_share,
                objects=radius.objects,
                replicas=radius.replicas,
                files=radius.files,
                lines=radius.lines,
                hour_utc=self.now.hour,
                weekday=self.now.weekday(),
                reversible=self.spec.reversible,
                labels=self.labels,
            )


def _union(first: str, others: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((first, *others)))


def _any(globs: Iterable[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs for name in names)


def _ladder(case: _Case, policies: Policies) -> Iterator[Reason]:
    """What is opened, for each touched environment and tier."""
    action, service = case.plan.action, case.plan.target.service
    for environment, tier in product(case.environments, case.tiers):
        subject = f"{action} of {service} in {environment or 'an unknown environment'} (tier {tier})"
        opening = [
            placed
            for placed in policies.ladder
            if fnmatchcase(action, placed.entry.action)
            and fnmatchcase(environment, placed.entry.environment)
            and fnmatchcase(tier, placed.entry.tier)
            and fnmatchcase(service, placed.entry.service)
        ]
        if opening:
            lowest = min(opening, key=lambda placed: placed.entry.level)
            yield Reason("ladder", level(lowest.entry.level), f"{lowest.place} opens {subject}")
        else:
            yield Reason("ladder", Level.L1, f"no ladder opens {subject}")


def _built_in(case: _Case, open_questions: Sequence[Gap | Doubt]) -> Iterator[Reason]:
    """What no document can lift."""
    checks = case.proof.checks
    yield from (_checked(check) for check in checks if not isinstance(check.outcome, Done))
    if not checks:
        yield Reason("proof", Level.L3, "nothing about the change was checked")
    yield from (_open(each) for each in open_questions)
    if not case.spec.reversible:
        yield Reason("irreversible", Level.L3, f"{case.plan.action} cannot be taken back by a commit")
    if not case.plan.verification.slis:
        yield Reason("verification", Level.L1, "there is no SLI to tell whether it helped")
    if case.plan.verification.live_by == "statuses":
        yield Reason("live", Level.L3, "being live can only be seen by commit statuses")
    if not 0 <= case.plan.confidence <= 1:
        yield Reason("confidence", Level.L1, f"a confidence of {case.plan.confidence} means nothing")
    if not all(case.environments):
        yield Reason("environment", Level.L1, "the change touches something whose environment is not known")


def _open(question: Gap | Doubt) -> Reason:
    """What was not seen, or what was and speaks against acting alone."""
    if isinstance(question, Doubt):
        return Reason("doubt", Level.L3, question.text)
    why = f"{question.signal} of {question.subject} could not be read: {question.why.reason}"
    return Reason("evidence", Level.L3, why)


def _checked(check: Check) -> Reason:
    """A check that did not pass."""
    outcome = check.outcome
    if isinstance(outcome, Refused):
        return Reason(f"check {check.name}", Level.DENIED, outcome.reason)
    text = "" if isinstance(outcome, Done) else outcome.reason
    return Reason(f"check {check.name}", Level.L3, f"could not be concluded: {text}")


def _applying(case: _Case, rules: Iterable[Placed[Rule]]) -> Iterator[tuple[Placed[Rule], str]]:
    """Rules that apply, each with why its condition failed (empty when it did not): a failed one applies."""
    for placed in rules:
        match = placed.entry.match
        if not (
            _any(match.actions, (case.plan.action,))
            and _any(match.environments, case.environments)
            and _any(match.tiers, case.tiers)
            and _any(match.services, case.services)
            and _any(match.namespaces, case.namespaces)
        ):
            continue
        answers = [compiled(placed.entry.when).holds(facts) for facts in case.facts()]
        failed = next((answer for answer in answers if isinstance(answer, Inconclusive)), None)
        if failed is not None:
            yield placed, failed.reason or "no reason given"
        elif any(answers):
            yield placed, ""


def _lowered(case: _Case, placed: Placed[Rule], failure: str) -> Iterator[Reason]:
    """A rule's words: one for its ceiling, and one for each limit that is exceeded."""
    rule = placed.entry
    yield Reason(rule.name, level(rule.ceiling), f"applies ({placed.place})")
    if failure:
        yield Reason(rule.name, Level.L1, f"its condition cannot be evaluated: {failure} ({placed.place})")
    for text in _exceeded(case, rule.limits):
        yield Reason(rule.name, level(rule.beyond), f"{text} ({placed.place})")


def _exceeded(case: _Case, limits: Limits) -> Iterator[str]:
    """Each limit that does not hold. Written so that NaN exceeds every limit."""
    radius = case.proof.radius
    counted: tuple[tuple[str, float, float | None], ...] = (
        ("objects", radius.objects, limits.objects),
        ("replicas", radius.replicas, limits.replicas),
        ("namespaces", len(case.namespaces), limits.namespaces),
        ("environments", len(case.environments), limits.environments),
        ("share of the fleet", radius.fleet_share, limits.fleet_share),
        ("files", radius.files, limits.files),
        ("lines", radius.lines, limits.lines),
    )
    for name, value, limit in counted:
        if limit is not None and not value <= limit:
            yield f"{name}: {round(value, 4)} is more than {limit}"
    if limits.confidence is not None and not case.plan.confidence >= limits.confidence:
        yield f"confidence: {round(case.plan.confidence, 4)} is less than {limits.confidence}"


def _approvers(rules: Iterable[Placed[Rule]]) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """Who may approve: those whom every applying rule names, in the first one's order and spelling (GitHub's logins
    ignore case). Nobody left must not read as "anybody": the level falls to where no approval is asked for."""
    naming = [placed.entry for placed in rules if placed.entry.approvers]
    if not naming:
        return (), ()
    named = [{login.lower() for login in rule.approvers} for rule in naming]
    allowed = tuple(login for login in naming[0].approvers if all(login.lower() in names for names in named))
    if allowed:
        return allowed, ()
    text = f"no login may approve by all of {', '.join(rule.name for rule in naming)}"
    return (), (Reason("approvers", Level.L2, text),)


def frozen(policies: Policies, environments: Sequence[str], now: datetime) -> Iterator[Reason]:
    """Freeze windows that are open for any of these environments at an aware time."""
    for placed in policies.windows:
        window = placed.entry
        if window.open_at(now) and _any(window.environments, environments):
            text = f"{window.reason}, until {window.until:%Y-%m-%d %H:%M} UTC ({placed.place})"
            yield Reason(window.name, level(window.ceiling), text)
