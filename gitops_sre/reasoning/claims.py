"""What a language model concludes, taken apart: each claim is kept or dropped, with the reason.

A claim is kept when it cites evidence that exists, and names a cause of the catalogue, a service of the case and a
change that is suspected there. Plans are chosen by id from the admissible ones; anything else that the model wants is
dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gitops_sre.model.consult import Tool
from gitops_sre.model.diagnosis import NOBODY, Cause, Diagnosis, Hypothesis
from gitops_sre.model.opinion import Claim, Conclusion, Dropped
from gitops_sre.model.plan import Plan
from gitops_sre.reasoning.briefing import Case, clean
from gitops_sre.reasoning.causes import CAUSES

MAX_HYPOTHESES = 5
MAX_QUERIES = 5
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_CLAIM = {
    "cause": {"type": "string", "enum": list(CAUSES)},
    "service": {**_TEXT, "description": "as the evidence names it; empty for no_fault and unexplained"},
    "commit": {**_TEXT, "description": "the culprit's, as the hypotheses show it; empty if no change is to blame"},
    "evidence": {**_TEXTS, "description": "ids of the evidence that this rests on"},
    "why": {**_TEXT, "description": "one sentence"},
}
_ANSWER = {
    "hypotheses": {
        "type": "array",
        "description": "most probable first",
        "items": {"type": "object", "properties": _CLAIM, "required": list(_CLAIM), "additionalProperties": False},
    },
    "queries": {**_TEXTS, "description": "what to look at next, if it is still open"},
    "plans": {**_TEXTS, "description": "ids of admissible plans, best first; those left out are advised against"},
}
CONCLUDE = Tool(
    "conclude",
    "Give your opinion. Ends the conversation.",
    {"type": "object", "properties": _ANSWER, "required": list(_ANSWER), "additionalProperties": False},
    strict=True,
)


@dataclass
class _Sieve:
    dropped: list[Dropped] = field(default_factory=list)

    def drop(self, what: object, why: str) -> None:
        self.dropped.append(Dropped(clean(what, 160), why))

    def texts(self, name: str, value: object) -> list[str]:
        """A list of texts; whatever else is in it, or is in its place, is dropped."""
        if not isinstance(value, list):
            self.drop(f"{name}: {value!r}", "is not a list")
            return []
        for each in value:
            if not isinstance(each, str):
                self.drop(f"{name}: {each!r}", "is not text")
        return [each for each in value if isinstance(each, str)]


def judge(case: Case, known: Collection[str], arguments: Mapping[str, object]) -> Conclusion:
    """What is left of the arguments of `conclude`. `known` are the ids of all evidence that was shown."""
    sieve = _Sieve()
    for name in sorted(set(arguments) - set(_ANSWER), key=str):
        sieve.drop(f"{name}: {arguments[name]!r}", "is not its to say")
    given = arguments.get("hypotheses", [])
    if not isinstance(given, list):
        sieve.drop(f"hypotheses: {given!r}", "is not a list")
        given = []
    claims: list[Claim] = []
    for each in given:
        claim = _claim(case, known, each)
        if isinstance(claim, str):
            sieve.drop(_named(each), claim)
        elif len(claims) >= MAX_HYPOTHESES:
            sieve.drop(_named(each), f"is beyond the first {MAX_HYPOTHESES}")
        else:
            claims.append(claim)
    return Conclusion(
        tuple(claims),
        _plans(case, sieve, arguments.get("plans", [])),
        tuple(clean(each) for each in sieve.texts("queries", arguments.get("queries", [])))[:MAX_QUERIES],
        tuple(sieve.dropped),
    )


def _claim(case: Case, known: Collection[str], given: object) -> Claim | str:
    """A claim, or why it is none."""
    texts = [name for name in _CLAIM if name != "evidence"]
    if not isinstance(given, Mapping) or not all(isinstance(given.get(name), str) for name in texts):
        return "is not a hypothesis"
    if strange := sorted(set(given) - set(_CLAIM), key=str):
        return f"says {clean(strange[0], 40)}, which is not its to say"
    if why := _unfounded(known, given.get("evidence")):
        return why
    cause, service = given["cause"], given["service"]
    if cause not in CAUSES:
        return "names a cause that is not in the catalogue"
    if cause not in NOBODY and service not in case.services:
        return "names a service that is not part of this"
    commit = _commit(case.diagnosis.hypotheses, given["commit"])
    if commit is None:
        return "names a change that is not suspected"
    cited = tuple(dict.fromkeys(given["evidence"]))
    claim = Claim(cast(Cause, cause), "" if cause in NOBODY else service, commit, cited, clean(given["why"]))
    return claim if any(map(claim.fits, case.diagnosis.hypotheses)) else "is no hypothesis of the diagnosis"


def _unfounded(known: Collection[str], cited: object) -> str:
    """Why what is cited is no ground, or an empty string."""
    if not isinstance(cited, list) or not cited:
        return "cites nothing"
    unknown = [each for each in cited if not isinstance(each, str) or each not in known]
    return f"cites {clean(unknown[0], 80)}, which is no evidence that it was shown" if unknown else ""


def _commit(hypotheses: Iterable[Hypothesis], given: str) -> str | None:
    """The whole SHA that is meant, by seven characters of it at least; empty for none, None for an unknown one."""
    if not given:
        return ""
    known = {each.change.commit.sha for each in hypotheses if each.change is not None}
    meant = [sha for sha in known if len(given) >= 7 and sha.startswith(given)]
    return meant[0] if len(meant) == 1 else None


def _plans(case: Case, sieve: _Sieve, given: object) -> tuple[str, ...]:
    kept: list[str] = []
    for each in sieve.texts("plans", given):
        if each not in case.by_id:
            sieve.drop(f"plan {each}", "is not one of the admissible plans")
        elif each not in kept:
            kept.append(each)
    return tuple(kept)


def _named(given: Any) -> str:
    if not isinstance(given, Mapping):
        return repr(given)
    return "/".join(str(given[name]) for name in ("cause", "service", "commit") if given.get(name))


def narrowed(case: Case, conclusion: Conclusion) -> tuple[Plan, ...]:
    """The admissible plans in the model's order, without those it advises against; all as they were if it chose none.
    Each is one of `case.plans`, unchanged."""
    return tuple(case.by_id[each] for each in conclusion.plans) or case.plans


def heeded(diagnosis: Diagnosis, conclusion: Conclusion, ratio: float) -> Diagnosis:
    """The diagnosis with the model's word in it, for display: what its first claim speaks of becomes `ratio` times as
    probable against all the rest. One likelihood ratio, however much it has said; what is refuted stays so.

    `ratio` is at least 1. The diagnosis that is given stays as it is: what merges by itself rests on that one.
    """
    if not conclusion.claims:
        return diagnosis
    first = conclusion.claims[0]
    weighed = [each.posterior * (ratio if first.fits(each) else 1.0) for each in diagnosis.hypotheses]
    total = sum(weighed)
    if total <= 0:
        return diagnosis
    moved = [
        replace(each, posterior=weight / total) for each, weight in zip(diagnosis.hypotheses, weighed, strict=True)
    ]
    return replace(
        diagnosis, hypotheses=tuple(sorted(moved, key=lambda each: (-each.posterior, each.refuted, each.key)))
    )
