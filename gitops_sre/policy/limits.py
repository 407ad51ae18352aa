"""The limits of a rule, held against a situation. What is not known exceeds."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_sre.policy.schema import Rule
from gitops_sre.policy.situation import Situation


def exceeded(it: Situation, rule: Rule) -> Iterator[str]:
    """Each limit that does not hold, in words."""
    if "limits" in rule.model_fields_set:
        yield from _above(it, rule)
        yield from _below(it, rule)
    if rule.cool_down is not None and it.last_action is not None and not it.last_action >= rule.cool_down:
        ago = f"{span(it.last_action)} ago"
        yield f"cool-down: {it.action} of {it.service} was done {ago}, which is less than {span(rule.cool_down)}"


def _above(it: Situation, rule: Rule) -> Iterator[str]:
    """At most. Written so that NaN exceeds every limit."""
    limits = rule.limits
    for name, limit in limits.most:
        value = it.measures[name]
        if value is None:
            yield f"{name}: not known, and at most {limit:g} is allowed"
        elif not value <= limit:
            yield f"{name}: {round(value, 4)} is more than {limit:g}"
    if limits.alert_age is not None:
        if it.alert_age is None:
            yield f"age of the alert: not known, and at most {span(limits.alert_age)} is allowed"
        elif not it.alert_age <= limits.alert_age:
            yield f"age of the alert: {span(it.alert_age)} is more than {span(limits.alert_age)}"


def _below(it: Situation, rule: Rule) -> Iterator[str]:
    """At least."""
    limits = rule.limits
    if limits.confidence is not None and not it.confidence >= limits.confidence:
        yield f"confidence: {round(it.confidence, 4)} is less than {limits.confidence:g}"
    if limits.evidence_kinds is not None and len(it.evidence) < limits.evidence_kinds:
        kinds = ", ".join(it.evidence) or "none"
        yield f"kinds of evidence: {len(it.evidence)} ({kinds}) is less than {limits.evidence_kinds}"


def span(seconds: float) -> str:
    """A duration for people, in the largest unit that leaves no fraction to speak of."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{round(seconds / size, 1):g}{unit}"
    return f"{round(seconds, 1):g}s"
