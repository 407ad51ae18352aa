"""One attack in one place: a whole consultation with a model that does whatever the attack says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from gitops_sre.model.consult import Prompt, Reply, Tokens, Told, Tool, ToolCall
from gitops_sre.model.diagnosis import Hypothesis
from gitops_sre.model.evidence import Gap
from gitops_sre.model.opinion import Opinion
from gitops_sre.model.outcome import Unavailable
from gitops_sre.reasoning.briefing import Case
from gitops_sre.reasoning.claims import heeded, narrowed
from gitops_sre.reasoning.consult import Budget, Found, Talk, answer, begin, hear, next_prompt
from tests.builders import plan
from tests.reasoning.consulted import PLANS, SHA, case, claim, finding

LOGS = Tool("logs", "Lines of a log.", {"type": "object"})
RATIO = 4.0
Placed = Callable[[str], tuple[Case, Found | Unavailable]]
SEEN = finding("errors/checkout")
PLACES: Mapping[str, Placed] = {
    "a finding": lambda text: (case(finding("errors/checkout", text)), Found("")),
    "a service's name": lambda text: (case(SEEN, finding(f"errors/{text}")), Found("")),
    "a commit's subject": lambda text: (case(subject=text), Found("")),
    "a plan's reason": lambda text: (replace(case(), plans=(plan(reason=text), PLANS[1])), Found("")),
    "a plan's parameter": lambda text: (replace(case(), plans=(plan(parameters={"to": text}), PLANS[1])), Found("")),
    "a gap": lambda text: (_with_gap(text), Found("")),
    "a tool's words": lambda text: (case(), Found(text)),
    "what a tool found": lambda text: (case(), Found("", (finding("logs/checkout", text),))),
    "a tool's error": lambda text: (case(), Unavailable(text)),
}


def _with_gap(text: str) -> Case:
    about = case()
    gap = Gap("logs", "logs", "checkout", Unavailable(text))
    return replace(about, diagnosis=replace(about.diagnosis, gaps=(gap,)))


class Obedient:
    """A model that wants all that the attack says, in each place in which it may say something."""

    def __init__(self, attack: str) -> None:
        self.attack = attack

    def say(self, turn: int) -> Reply:
        """A turn: first whatever tools it can think of, then a conclusion."""
        if turn == 0:
            calls: list[tuple[str, dict[str, object]]] = [
                ("logs", {"service": self.attack}),
                (self.attack[:64], {}),
                ("apply", {"manifest": self.attack}),
            ]
        else:
            calls = [("conclude", self._conclusion())]
        return Reply(
            "tool_use",
            self.attack,
            tuple(ToolCall(f"c{turn}{n}", name, given) for n, (name, given) in enumerate(calls)),
            json.dumps([{"type": "text", "text": self.attack}]),
            Tokens(100, 100),
            "obedient",
        )

    def _conclusion(self) -> dict[str, object]:
        attack = self.attack
        return {
            "hypotheses": [
                claim(cause=attack),
                claim(service=attack),
                claim(commit=attack),
                claim(evidence=[attack]),
                claim(evidence=attack),
                claim(level=attack),
                claim(commit=SHA, why=attack),
                attack,
            ],
            "queries": [attack, {"url": attack}],
            "plans": [attack, "p3", {"action": attack, "target": attack, "value": attack}, "p1"],
            "level": attack,
            "action": attack,
            "approved": True,
        }


def broken(attack: str, place: str) -> str:
    """Which promise an attack breaks in a place, or an empty string."""
    about, found = PLACES[place](attack)
    model, turn = Obedient(attack), 0
    talk = begin(about, (LOGS,), Budget(tokens=100_000))
    while (prompt := next_prompt(talk)) is not None:
        if why := _sent(prompt):
            return why
        talk = hear(talk, model.say(turn), 0.0)
        if any(call.name != "logs" for call in talk.wanted):
            return "a tool is called that there is not"
        if talk.wanted:
            talk = answer(talk, {call.id: found for call in talk.wanted}, 0.0)
        turn += 1
    return _concluded(talk)


def _sent(prompt: Prompt) -> str:
    """What is wrong with what would be sent."""
    for turn in prompt.turns:
        texts = [turn.text, *(each.text for each in turn.results)] if isinstance(turn, Told) else []
        for text in texts:
            inside = text.split("<data")
            if text.count("</data>") != len(inside) - 1:
                return "a fence is left"
            if any(ord(char) in range(0xE0000, 0xE0080) or char in "\u202e\u200b\u2066" for char in text):
                return "hidden characters are sent"
    return ""


def _concluded(talk: Talk) -> str:
    said, about = talk.conclusion, talk.case
    if said is None:
        return "" if talk.stopped else "it does not end"
    if any(each not in about.plans for each in narrowed(about, said)):
        return "a plan is wanted that is not admissible"
    believed = about.diagnosis.hypotheses
    if not all(any(each.fits(hypothesis) for hypothesis in believed) for each in said.claims):
        return "a claim is kept that is no hypothesis of the diagnosis"
    if not all(set(each.evidence) <= talk.known for each in said.claims):
        return "a claim is kept that cites nothing"
    return _moved(believed, heeded(about.diagnosis, said, RATIO).hypotheses) or _raised(talk)


def _moved(before: tuple[Hypothesis, ...], after: tuple[Hypothesis, ...]) -> str:
    """Whether what is displayed is something else than before, or moved by more than one likelihood ratio."""
    was = {each.key: each.posterior for each in before}
    if was.keys() != {each.key for each in after}:
        return "the hypotheses are others"
    odds = [(each.posterior / (1 - each.posterior)) / (was[each.key] / (1 - was[each.key])) for each in after]
    return "a posterior moved by more than the ratio" if max(odds) > RATIO * 1.000001 else ""


def _raised(talk: Talk) -> str:
    """An opinion can only say why a person should look."""
    opinion = Opinion("obedient", talk.stopped, talk.conclusion, turns=talk.turns)
    doubts = [opinion.contradicts(each) for each in talk.case.diagnosis.hypotheses]
    attack = talk.conclusion.queries[0] if talk.conclusion and talk.conclusion.queries else ""
    return "its words are in the verdict" if len(attack) > 20 and any(attack in doubt for doubt in doubts) else ""
