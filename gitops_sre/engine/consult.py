"""Asking a language model about an incident: when, about what, and what is kept of it.

It is asked once for each attempt, after the statistics have spoken, and the incident goes on whatever becomes of it.
What it says is shown to people. It changes neither the diagnosis nor the plan that rests on it; that it sees things
otherwise can only call a person to the change (`engine/circumstances.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from gitops_sre.engine import lookup, remedy
from gitops_sre.engine import messages as m
from gitops_sre.engine.lookup import Lookup
from gitops_sre.engine.world import World
from gitops_sre.model.consult import ToolCall
from gitops_sre.model.diagnosis import Diagnosis
from gitops_sre.model.incident import Incident
from gitops_sre.model.opinion import Opinion
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.plan import Plan
from gitops_sre.ports import Assistant
from gitops_sre.reasoning.briefing import Case
from gitops_sre.reasoning.claims import heeded
from gitops_sre.reasoning.consult import Budget, Found, Talk, answer, begin, hear, next_prompt
from gitops_sre.settings import InvestigatorSettings

SHOWN = 5
"""Hypotheses that are displayed with the model's word in them."""


def look(incident: Incident, world: World) -> m.Event:
    """What is next for a diagnosis: an opinion on it, where it is open and nobody was asked yet, or a plan."""
    settings = world.settings.investigator
    if settings is None or world.assistant is None:
        return remedy.decide(incident, world)
    at = world.clock.now()
    if incident.asked < incident.attempt:
        return m.Asking(at, why) if (why := _open(incident.diagnosis, settings)) else remedy.decide(incident, world)
    if incident.opinion is None:
        lost = "it was asked, and the bot stopped before the answer was kept; it is not asked again"
        return m.Consulted(at, f"the investigator: {lost}", Opinion(settings.model, lost))
    return remedy.decide(incident, world)


def _open(diagnosis: Diagnosis | None, settings: InvestigatorSettings) -> str:
    """Why a model is asked about a diagnosis, or an empty string."""
    if diagnosis is None:
        return ""
    if settings.when == "always":
        return "the investigator is asked about every fault"
    if diagnosis.top.posterior < settings.decisive:
        return f"the diagnosis is open ({diagnosis.top.posterior:.0%}): the investigator is asked"
    return ""


def ask(incident: Incident, world: World) -> m.Event:
    """Ask the model. Whatever keeps it from an opinion is said in the opinion."""
    settings, assistant, diagnosis = world.settings.investigator, world.assistant, incident.diagnosis
    at = world.clock.now()
    if settings is None or assistant is None or diagnosis is None:
        return m.Consulted(at, "there is nobody to ask", Opinion("", "there is nobody to ask"))
    plan = remedy.planned(incident, at, world)
    plans = (plan,) if isinstance(plan, Plan) else ()
    case = Case(diagnosis, _services(diagnosis), plans)
    opinion = consult(case, lookup.lookups(incident, at, world), settings, assistant, world)
    what = f"{opinion.stopped}; {opinion.spent.calls} calls, {opinion.spent.tokens.total} tokens"
    return m.Consulted(world.clock.now(), f"the investigator: {what}", opinion)


def consult(
    case: Case, tools: tuple[Lookup, ...], settings: InvestigatorSettings, assistant: Assistant, world: World
) -> Opinion:
    """The whole conversation. Tools that one turn asks for are asked at once."""
    budget = Budget(settings.calls, settings.tokens, settings.seconds, settings.answer_tokens, settings.money)
    by_name = {each.tool.name: each for each in tools}
    talk = begin(case, tuple(each.tool for each in tools), budget)
    looked: list[Found] = []
    while (prompt := next_prompt(talk)) is not None:
        began = world.clock.now()
        talk = hear(talk, assistant.say(prompt), _since(began, world))
        if talk.wanted:
            began = world.clock.now()
            results = _results(talk.wanted, by_name)
            looked += [each for each in results.values() if isinstance(each, Found)]
            talk = answer(talk, results, _since(began, world))
    return _opinion(talk, settings, tuple(looked))


def _results(wanted: tuple[ToolCall, ...], by_name: Mapping[str, Lookup]) -> dict[str, Found | Unavailable]:
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        running = {call.id: pool.submit(by_name[call.name].run, call.arguments) for call in wanted}
        return {name: each.result() for name, each in running.items()}


def _since(began: datetime, world: World) -> float:
    return max(0.0, (world.clock.now() - began).total_seconds())


def _opinion(talk: Talk, settings: InvestigatorSettings, looked: tuple[Found, ...]) -> Opinion:
    said, case = talk.conclusion, talk.case
    opinion = Opinion(
        settings.model,
        talk.stopped,
        said,
        offered=tuple(plan.hypothesis for plan in case.plans),
        looked=tuple(item for each in looked for item in each.evidence),
        spent=talk.spent,
        turns=talk.turns,
    )
    if said is None:
        return opinion
    shown = heeded(case.diagnosis, said, settings.ratio).hypotheses[:SHOWN]
    return replace(
        opinion,
        chosen=tuple(case.by_id[each].hypothesis for each in said.plans),
        displayed=tuple((each.key, each.posterior) for each in shown),
    )


def _services(diagnosis: Diagnosis) -> frozenset[str]:
    """Services that may be named: those that hypotheses or findings are about."""
    named = {each.service for each in diagnosis.hypotheses} | {item.subject for item in diagnosis.evidence}
    return frozenset(named - {""})
