"""Asking a language model for its opinion, as a state machine without I/O.

    talk = begin(case, tools, budget)
    while (prompt := next_prompt(talk)) is not None:
        talk = hear(talk, assistant.say(prompt), seconds)      # what the model says
        if talk.wanted:
            talk = answer(talk, {call.id: ... for call in talk.wanted}, seconds)   # what the tools say

Whatever the model does, it ends: by `conclude`, by a budget, because nothing new is asked, or because there is no
answer. `talk.stopped` says which, `talk.turns` are all turns for the record, `talk.conclusion` is None but after
`conclude`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gitops_sre.model.consult import Prompt, Reply, Told, Tool, ToolCall, ToolResult
from gitops_sre.model.evidence import Evidence
from gitops_sre.model.opinion import Conclusion, Spent
from gitops_sre.model.outcome import Unavailable
from gitops_sre.reasoning import briefing
from gitops_sre.reasoning.briefing import Case, clean
from gitops_sre.reasoning.claims import CONCLUDE, judge

MAX_PARALLEL = 6
"""Tool calls of one turn that are answered."""
MAX_EVIDENCE = 20
"""Findings of one tool call that are shown."""
LEAST_ANSWER = 256
"""Tokens that an answer needs: with less left, none is asked for."""
_CHARACTERS = 3
"""Of a token, at least: what a question will cost is judged before it is sent."""
LAST = "This is your last turn. Call `conclude` now."
PLEASE = "Call `conclude` with what you have."


@dataclass(frozen=True)
class Budget:
    """What one incident may cost. `answer` is in tokens, `seconds` are those of the model and of the tools; `money` is
    in the currency of the prices, None: not bounded."""

    calls: int = 4
    tokens: int = 12_000
    seconds: float = 180.0
    answer: int = 2000
    money: float | None = None


@dataclass(frozen=True)
class Found:
    """What a tool has found: words, and typed findings, which can be cited from now on."""

    text: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Talk:
    """A conversation so far. It is over when `stopped` says why. `wanted` are the calls that must be answered before it
    goes on; `refused` are results for those that are not carried out; `known` are the ids that may be cited."""

    case: Case
    tools: tuple[Tool, ...]
    budget: Budget
    turns: tuple[Told | Reply, ...]
    known: frozenset[str]
    spent: Spent = field(default_factory=Spent)
    wanted: tuple[ToolCall, ...] = ()
    refused: tuple[ToolResult, ...] = ()
    asked: frozenset[str] = frozenset()
    reminded: bool = False
    conclusion: Conclusion | None = None
    stopped: str = ""


def begin(case: Case, tools: tuple[Tool, ...], budget: Budget) -> Talk:
    """A conversation in which nothing has been said. `tools` only read; `conclude` is added."""
    known = frozenset(clean(item.id, 200) for item in briefing.shown(case.diagnosis))
    return _settled(Talk(case, (*tools, CONCLUDE), budget, (Told(briefing.first_message(case)),), known))


def next_prompt(talk: Talk) -> Prompt | None:
    """What to ask the model now; None when it is over, or when tools are owed an answer."""
    if talk.stopped or talk.wanted:
        return None
    left = talk.budget.tokens - talk.spent.tokens.total - _weight(talk)
    return Prompt(
        briefing.SYSTEM,
        talk.turns,
        talk.tools,
        min(talk.budget.answer, left),
        talk.budget.seconds - talk.spent.seconds,
    )


def _settled(talk: Talk) -> Talk:
    """The conversation, stopped if nothing more can be asked within the budget."""
    return talk if talk.stopped or talk.wanted else replace(talk, stopped=_exhausted(talk))


def _exhausted(talk: Talk) -> str:
    budget, spent = talk.budget, talk.spent
    if spent.calls >= budget.calls:
        return f"out of budget: {budget.calls} calls"
    if spent.seconds >= budget.seconds:
        return f"out of budget: {budget.seconds:g} seconds"
    if budget.money is not None and (spent.money or 0.0) >= budget.money:
        return f"out of budget: {budget.money:g} in money"
    if spent.tokens.total + _weight(talk) + LEAST_ANSWER > budget.tokens:
        return f"out of budget: {budget.tokens} tokens"
    return ""


def _weight(talk: Talk) -> int:
    """Tokens of the next question, rather too many than too few."""
    size = len(briefing.SYSTEM) + sum(
        len(json.dumps(tool.schema)) + len(tool.name) + len(tool.description) for tool in talk.tools
    )
    for turn in talk.turns:
        if isinstance(turn, Reply):
            size += len(turn.blocks)
        else:
            size += len(turn.text) + sum(len(result.text) + len(result.call) for result in turn.results)
    return -(-size // _CHARACTERS)


def hear(talk: Talk, said: Reply | Unavailable, seconds: float) -> Talk:
    """The conversation with the model's turn, which took so many seconds."""
    return _settled(_heard(talk, said, seconds))


def _heard(talk: Talk, said: Reply | Unavailable, seconds: float) -> Talk:
    spent = talk.spent
    spent = replace(spent, calls=spent.calls + 1, seconds=spent.seconds + seconds)
    if isinstance(said, Unavailable):
        return replace(talk, spent=spent, stopped=f"no answer: {clean(said.reason)}")
    money = None if said.money is None else (spent.money or 0.0) + said.money
    spent = replace(spent, tokens=spent.tokens + said.tokens, money=money)
    talk = replace(talk, spent=spent, turns=(*talk.turns, said))
    if said.stop == "refusal":
        return replace(talk, stopped="the model refused")
    if said.stop == "pause_turn":
        return talk
    if said.stop not in ("tool_use", "end_turn"):
        # Arguments may be cut off in the middle: what is left of them is not what was meant.
        return replace(talk, stopped=f"the answer was cut off ({said.stop})")
    final = [call for call in said.calls if call.name == CONCLUDE.name]
    if len(final) == 1:
        return replace(talk, conclusion=judge(talk.case, talk.known, final[0].arguments), stopped="concluded")
    if final:
        return replace(talk, stopped="it concluded more than once in one turn")
    return _asking(talk, said.calls) if said.calls else _reminded(talk, said)


def _reminded(talk: Talk, said: Reply) -> Talk:
    """Prose is not an answer; it is asked for one once more."""
    if talk.reminded or json.loads(said.blocks) == []:
        return replace(talk, stopped="the model did not conclude")
    return replace(talk, turns=(*talk.turns, Told(PLEASE)), reminded=True)


def _asking(talk: Talk, calls: tuple[ToolCall, ...]) -> Talk:
    """Which calls are carried out. Each is only once; what is not a tool or too much is refused."""
    tools = {tool.name for tool in talk.tools}
    wanted: list[ToolCall] = []
    refused: list[ToolResult] = []
    asked = set(talk.asked)
    for call in calls:
        key = f"{call.name} {json.dumps(call.arguments, sort_keys=True)}"
        why = ""
        if call.name not in tools:
            why = "there is no such tool"
        elif key in asked:
            why = "this was asked before"
        elif len(wanted) >= MAX_PARALLEL:
            why = f"only {MAX_PARALLEL} calls of a turn are answered"
        if why:
            refused.append(ToolResult(call.id, why, failed=True))
        else:
            asked.add(key)
            wanted.append(call)
    if not wanted:
        return replace(talk, stopped="nothing new was asked for")
    return replace(talk, wanted=tuple(wanted), refused=tuple(refused), asked=frozenset(asked))


def answer(talk: Talk, results: Mapping[str, Found | Unavailable], seconds: float) -> Talk:
    """The conversation with what the tools have said to the calls that are wanted, by their ids. A call without a
    result counts as one that could not be answered."""
    told = [_result(call, results.get(call.id, Unavailable("nobody answered"))) for call in talk.wanted]
    shown = {
        clean(item.id, 200)
        for found in (results.get(call.id) for call in talk.wanted)
        if isinstance(found, Found)
        for item in found.evidence[:MAX_EVIDENCE]
    }
    spent = replace(talk.spent, seconds=talk.spent.seconds + seconds)
    said = (*told, *talk.refused)
    after = replace(talk, known=talk.known | shown, spent=spent, wanted=(), refused=())
    asked = replace(after, turns=(*talk.turns, Told("", said)))
    return _settled(replace(after, turns=(*talk.turns, Told(LAST, said))) if _last(asked) else asked)


def _last(talk: Talk) -> bool:
    """Whether the budget allows one more turn at most: the one after it would have to be told all of this again."""
    budget, spent = talk.budget, talk.spent
    if spent.calls + 1 >= budget.calls:
        return True
    return spent.tokens.total + 2 * _weight(talk) + budget.answer > budget.tokens


def _result(call: ToolCall, found: Found | Unavailable) -> ToolResult:
    if isinstance(found, Unavailable):
        return ToolResult(call.id, briefing.said(call.name, found.reason), failed=True)
    parts = [briefing.evidence(found.evidence[:MAX_EVIDENCE])] if found.evidence else []
    if found.text or not parts:
        parts.append(briefing.said(call.name, found.text or "nothing was found"))
    return ToolResult(call.id, "\n".join(parts))
