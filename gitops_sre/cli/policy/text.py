"""What the commands of `policy` print, as lines and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops_sre.model.verdict import Reason, Verdict
from gitops_sre.policy.examples import Result
from gitops_sre.policy.explain import Word
from gitops_sre.policy.limits import span
from gitops_sre.policy.simulate import Replayed
from gitops_sre.policy.situation import Situation, dump

Plain = dict[str, object]


def result(each: Result) -> str:
    """An example on a line, with what differs and why on the lines below."""
    if not each.differences:
        return f"ok    {each.name}"
    lines = [f"FAIL  {each.name} ({each.place})"]
    for one in each.differences:
        lines += [f"      - {one.what}: {one.expected}", f"      + {one.what}: {one.actual}"]
    return "\n".join([*lines, *(f"        because {line}" for line in map(_reason, each.verdict.binding))])


def plain_result(each: Result) -> Plain:
    """The same for programs."""
    differences = [{"what": one.what, "expected": one.expected, "actual": one.actual} for one in each.differences]
    return {
        "name": each.name,
        "place": each.place,
        "holds": not differences,
        "differences": differences,
        "verdict": plain_verdict(each.verdict),
    }


def _reason(reason: Reason) -> str:
    return f"{reason.rule} ({reason.ceiling.name}): {reason.text}"


def explanation(words: Sequence[Word], verdict: Verdict) -> Iterator[str]:
    """Every entry in order, then the verdict with what decides."""
    for word in words:
        level = word.ceiling.name if word.ceiling is not None else "-"
        yield f"{level:<6}  {word.kind} {word.name}: {word.why} ({word.place})"
    if not words:
        yield "There are no documents."
    yield ""
    yield f"verdict: {verdict.level.name}{_asks(verdict)}"
    yield from (f"  because {_reason(reason)}" for reason in verdict.binding)


def _asks(verdict: Verdict) -> str:
    approvers = " or ".join(verdict.approvers) or "anybody who may write"
    parts = [f"{verdict.quorum} approval{'s' if verdict.quorum > 1 else ''} by {approvers}"]
    parts = parts if verdict.level.name == "L3" else []
    if verdict.window:
        parts.append(f"verified for {span(verdict.window)} at least")
    return f" ({'; '.join(parts)})" if parts else ""


def plain_verdict(verdict: Verdict) -> Plain:
    """A verdict for programs."""
    return {
        "level": verdict.level.name,
        "approvers": list(verdict.approvers),
        "quorum": verdict.quorum,
        "window": verdict.window,
        "reasons": [{"rule": each.rule, "ceiling": each.ceiling.name, "text": each.text} for each in verdict.reasons],
    }


def plain_explanation(situation: Situation, words: Sequence[Word], verdict: Verdict) -> Plain:
    """An explanation for programs, with all that was judged."""
    entries = [
        {
            "kind": word.kind,
            "name": word.name,
            "place": word.place,
            "ceiling": word.ceiling.name if word.ceiling is not None else None,
            "why": word.why,
        }
        for word in words
    ]
    return {"situation": dump(situation), "entries": entries, "verdict": plain_verdict(verdict)}


def simulation(found: Sequence[Replayed], left: int, *, every: bool) -> Iterator[str]:
    """A line a verdict that differs (or all), then how many do."""
    for each in found:
        if each.differs or every:
            it, then, now = each.situation, each.past.level.name, each.verdict.level.name
            change = f"{then} -> {now}" if each.differs else f"{then}, as before"
            what = f"{it.action} of {it.service} in {it.environment}"
            yield f"{each.past.at:%Y-%m-%d %H:%M}  {each.past.incident}  {what}: {change}"
            yield from (f"    because {_reason(reason)}" for reason in each.verdict.binding)
    differ = sum(each.differs for each in found)
    yield f"{differ} of {len(found)} verdicts would differ."
    if left:
        yield f"{left} cannot be judged again: the version that made them did not record what they were made of."


def plain_simulation(found: Sequence[Replayed], left: int) -> Plain:
    """A simulation for programs."""
    verdicts = [
        {
            "incident": each.past.incident,
            "at": each.past.at.isoformat(),
            "action": each.situation.action,
            "service": each.situation.service,
            "environment": each.situation.environment,
            "then": each.past.level.name,
            "now": plain_verdict(each.verdict),
            "differs": each.differs,
        }
        for each in found
    ]
    return {"verdicts": verdicts, "not_recorded": left}
