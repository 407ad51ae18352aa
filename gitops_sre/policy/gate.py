"""The gate: a plan and its proof, held against policy.

The ladder opens a level; everything else only lowers it, and the lowest word counts. What cannot be judged (a missing
source, a condition that fails, a fact that is not known) lowers like a rule that applies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product

from gitops_sre.model.verdict import Level, Reason, Verdict
from gitops_sre.policy.documents import Placed, Policies
from gitops_sre.policy.limits import exceeded
from gitops_sre.policy.match import View, applies, fits, frozen, opens
from gitops_sre.policy.schema import Rule, Team, level
from gitops_sre.policy.situation import Situation, Touched


def judge(it: Situation, policies: Policies) -> Verdict:
    """How far the bot may go, with every reason."""
    view = View(it, policies)
    rules = tuple(_applying(view))
    approvers, quorum, short = _approval(view, [placed.entry for placed, _ in rules])
    reasons = (
        *_ladder(view),
        *it.checks,
        *_built_in(it),
        *_owned(view),
        *(reason for rule, failure in rules for reason in ruled(it, rule, failure)),
        *short,
        *open_windows(policies, it.environments, it.at),
        *it.told,
    )
    window = max((placed.entry.verification_window or 0.0 for placed, _ in rules), default=0.0)
    lowest = min(reason.ceiling for reason in reasons)
    return Verdict(lowest, reasons, approvers, policies.commit, quorum, window)


def lowered(verdict: Verdict, reasons: Sequence[Reason]) -> Verdict:
    """A verdict with more reasons: what is said later can only lower it."""
    level = min((verdict.level, *(reason.ceiling for reason in reasons)))
    return replace(verdict, level=level, reasons=(*verdict.reasons, *reasons))


def _ladder(view: View) -> Iterator[Reason]:
    """What is opened, for each touched environment and tier."""
    it = view.situation
    for environment, tier in product(it.environments, it.tiers):
        subject = f"{it.action} of {it.service} in {environment or 'an unknown environment'} (tier {tier})"
        opening = [placed for placed in view.policies.ladder if opens(placed.entry, it, environment, tier)]
        if opening:
            lowest = min(opening, key=lambda placed: placed.entry.level)
            yield Reason("ladder", level(lowest.entry.level), f"{lowest.place} opens {subject}")
        else:
            yield Reason("ladder", Level.L1, f"no ladder opens {subject}")


def _built_in(it: Situation) -> Iterator[Reason]:
    """What no document can lift."""
    if not it.reversible:
        yield Reason("irreversible", Level.L3, f"{it.action} cannot be taken back by a commit")
    if not it.slis:
        yield Reason("verification", Level.L1, "there is no SLI to tell whether it helped")
    if it.live_by == "statuses":
        yield Reason("live", Level.L3, "being live can only be seen by commit statuses")
    if not 0 <= it.confidence <= 1:
        yield Reason("confidence", Level.L1, f"a confidence of {it.confidence} means nothing")
    if not all(it.environments):
        yield Reason("environment", Level.L1, "the change touches something whose environment is not known")


def _owned(view: View) -> Iterator[Reason]:
    """What the owners of all that is touched say: who may cause actions on it, and that there is one owner."""
    for team in view.teams:
        why = _stranger(view.situation, team.entry)
        if why:
            text = (
                f"{why}, which belongs to {team.entry.name}: only alerts from {' or '.join(team.entry.sources)} count"
            )
            yield Reason("ownership", Level.L1, f"{text} ({team.place})")
    for thing, teams in view.claims:
        if len(teams) > 1:
            names = " and ".join(f"{each.entry.name} ({each.place})" for each in teams)
            yield Reason("ownership", Level.L3, f"{_named(thing)} is claimed by {names}")


def _stranger(it: Situation, team: Team) -> str:
    """Why the alerts may not cause an action on what a team owns: one that names the service comes from a source that
    is not entitled to, whatever others say, or none comes from one that is."""
    strange = [each for each in it.alerts if not fits(team.sources, (each.source,))]
    forged = next((each for each in strange if each.service in ("", it.service)), None)
    if forged is not None:
        return f"an alert that was delivered by {forged.source or 'nobody known'} names {forged.service or 'nothing'}"
    if len(strange) == len(it.alerts):
        sources = ", ".join(dict.fromkeys(each.source for each in strange)) or "nobody known"
        return f"alerts from {sources} would change {it.service}"
    return ""


def _named(thing: Touched) -> str:
    return f"{thing.namespace}/{thing.name}" if thing.name else f"namespace {thing.namespace}"


def _applying(view: View) -> Iterator[tuple[Placed[Rule], str]]:
    """Rules that apply, each with why its condition failed (empty when it did not): a failed one applies."""
    for placed in view.policies.rules:
        found = applies(placed.entry, view)
        if not found.apart:
            yield placed, found.failure


def ruled(it: Situation, placed: Placed[Rule], failure: str) -> Iterator[Reason]:
    """The words of a rule that applies: for its ceiling, for each limit that is exceeded, and for why its condition
    failed (empty when it did not)."""
    rule = placed.entry
    yield Reason(rule.name, level(rule.ceiling), f"applies ({placed.place})")
    if failure:
        yield Reason(rule.name, Level.L1, f"its condition cannot be evaluated: {failure} ({placed.place})")
    for text in exceeded(it, rule):
        yield Reason(rule.name, level(rule.beyond), f"{text} ({placed.place})")


def _approval(view: View, rules: Iterable[Rule]) -> tuple[tuple[str, ...], int, tuple[Reason, ...]]:
    """Who may approve, how many of them must, and what that makes impossible: those whom every applying rule and owner
    names, in the first one's order and spelling (GitHub's logins ignore case). Too few left must not read as "anybody":
    the level falls to where no approval is asked for."""
    applying = tuple(rules)
    quorum = max((rule.quorum for rule in applying), default=1)
    owners: tuple[Rule | Team, ...] = tuple(team.entry for team in view.teams)
    naming = [each for each in (*applying, *owners) if each.approvers]
    if not naming:
        return (), quorum, ()
    named = [{login.lower() for login in each.approvers} for each in naming]
    common = (login for login in naming[0].approvers if all(login.lower() in names for names in named))
    allowed = tuple({login.lower(): login for login in common}.values())
    if len(allowed) >= quorum:
        return allowed, quorum, ()
    what = f"only {len(allowed)} of {quorum} needed logins" if allowed else "no login"
    text = f"{what} may approve by all of {', '.join(each.name for each in naming)}"
    return allowed, quorum, (Reason("approvers", Level.L2, text),)


def open_windows(policies: Policies, environments: Sequence[str], now: datetime) -> Iterator[Reason]:
    """Freeze windows that are open for any of these environments at an aware time."""
    for placed in policies.windows:
        window = placed.entry
        if window.open_at(now) and not frozen(window, environments, now):  # most are not: no words for those
            text = f"{window.reason}, until {window.until:%Y-%m-%d %H:%M} UTC ({placed.place})"
            yield Reason(window.name, level(window.ceiling), text)
