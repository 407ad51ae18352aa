"""What a language model made of an incident, and what that was worth."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitops_sre.model.consult import Reply, Tokens, Told
from gitops_sre.model.diagnosis import NOBODY, Cause, Hypothesis
from gitops_sre.model.evidence import Evidence


@dataclass(frozen=True)
class Claim:
    """One explanation that was kept. `commit` is whole, or empty; `why` is the model's sentence, cleaned."""

    cause: Cause
    service: str
    commit: str
    evidence: tuple[str, ...]
    why: str

    @property
    def named(self) -> str:
        """`cause/service[/commit]`, as hypotheses are called."""
        return "/".join(part for part in (self.cause, self.service, self.commit[:12]) if part)

    def fits(self, hypothesis: Hypothesis) -> bool:
        """Whether it speaks of this hypothesis. Without a commit it speaks of all with its cause at its service."""
        if hypothesis.cause != self.cause or (self.cause not in NOBODY and hypothesis.service != self.service):
            return False
        return not self.commit or (hypothesis.change is not None and hypothesis.change.commit.sha == self.commit)


@dataclass(frozen=True)
class Dropped:
    """What was said and does not count."""

    what: str
    why: str


@dataclass(frozen=True)
class Conclusion:
    """What is left of an answer. `plans` are ids in the model's order, a part of the admissible ones; `queries` are
    words for people and for the next round of evidence."""

    claims: tuple[Claim, ...] = ()
    plans: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True)
class Spent:
    """What it has cost; `money` is None where it is not counted."""

    calls: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    seconds: float = 0.0
    money: float | None = None


@dataclass(frozen=True)
class Opinion:
    """A consultation that is over. `stopped` says how it ended; `conclusion` is None where nothing was concluded.

    `offered` are the plans that were admissible, by the keys of the hypotheses they act on, and `chosen` those of them
    that the model would carry out, best first. `displayed` is the diagnosis' probabilities with the model's word in
    them, most probable first, by the keys of hypotheses: what people are shown beside the diagnosis, which stays as it
    was. `turns` are all that was sent and answered; `model` is the model's id as it was asked for.
    """

    model: str
    stopped: str
    conclusion: Conclusion | None = None
    offered: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    displayed: tuple[tuple[str, float], ...] = ()
    looked: tuple[Evidence, ...] = ()
    """What its tools found; the diagnosis does not rest on it."""
    spent: Spent = field(default_factory=Spent)
    turns: tuple[Told | Reply, ...] = ()

    def contradicts(self, hypothesis: Hypothesis) -> str:
        """Why it speaks against acting on a hypothesis, or an empty string. Its own words are not repeated."""
        said = self.conclusion
        if said is None or not said.claims:
            return ""
        first = said.claims[0]
        if not first.fits(hypothesis):
            return f"the investigator thinks {first.named} more probable"
        if hypothesis.key in self.offered and hypothesis.key not in self.chosen:
            return "the investigator advises against this change"
        return ""
