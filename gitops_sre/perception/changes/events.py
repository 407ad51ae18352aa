"""Changes that others tell of: GitHub deployments, and events of flag services, as nouns. What is none is left out.

Formats: GitHub's REST API (repository deployments, deployment statuses) and its `deployment_status` webhook; entries of
LaunchDarkly's audit log, which its webhooks send too; Unleash's events (`/api/admin/events`, and its webhooks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gitops_sre.model.change_feed import ChangeEvent
from gitops_sre.perception.changes.payload import Raw, milliseconds, moment, number, part, parts, text

MAX_TEXT = 200
"""Characters that are kept of a name, a value or a URL."""

_FAILED = frozenset({"failure", "error"})
_DONE = frozenset({"success", "inactive"})
"""`inactive` is what a deployment becomes when a later one took its place: it had gone through."""
_SWITCHED: Mapping[str, tuple[str, str]] = {
    "feature-environment-enabled": ("off", "on"),
    "feature-environment-disabled": ("on", "off"),
}
_FLAG_EVENTS = frozenset({
    *_SWITCHED, "feature-strategy-add", "feature-strategy-update", "feature-strategy-remove", "strategy-order-changed",
    "feature-environment-variants-updated", "feature-archived", "feature-revived", "segment-updated",
})  # fmt: skip


def deployment(raw: Raw, statuses: Iterable[Raw] = ()) -> ChangeEvent | None:
    """A deployment of GitHub with its statuses, or a `deployment_status` webhook, which holds one of each.

    Its moment is the first status that says that it ran, else that of its making. None for one that has not begun.
    """
    if part(raw, "deployment"):
        return deployment(part(raw, "deployment"), [part(raw, "deployment_status")])
    made, sha = moment(raw, "created_at"), text(raw, "sha")
    if made is None or not sha:
        return None
    states = sorted(
        (at, text(each, "state"), text(each, "environment"))
        for each in statuses
        if (at := moment(each, "created_at")) is not None
    )
    run = [at for at, state, _ in states if state in {"in_progress"} | _DONE | _FAILED]
    if states and not run:
        return None
    repository = text(raw, "repository_url").rpartition("/repos/")[2] or text(raw, "url").partition("/repos/")[2]
    return ChangeEvent(
        source="github deployment",
        id=str(number(raw, "id")),
        at=min(run, default=made),
        kind="image",
        subject=_short("/".join(repository.split("/")[:2])),
        environment=_short(next((name for _, _, name in reversed(states) if name), text(raw, "environment"))),
        after=_short(text(raw, "ref") or sha),
        author=_short(text(raw, "creator", "login")),
        url=_short(text(raw, "url")),
        revision=sha,
        failed=bool(states) and states[-1][1] in _FAILED,
    )


def launchdarkly(raw: Raw) -> tuple[ChangeEvent, ...]:
    """An entry of LaunchDarkly's audit log: one event for each environment in which it changed a flag."""
    at = milliseconds(raw, "date")
    if text(raw, "kind") != "flag" or not number(raw, "date") or at is None:
        return ()
    plain = ChangeEvent(
        source="launchdarkly",
        id=_short(text(raw, "_id")),
        at=at,
        kind="flag",
        subject="",
        environment="",
        author=_short(text(raw, "member", "email") or text(raw, "token", "name") or text(raw, "app", "name")),
    )
    found: dict[tuple[str, str], ChangeEvent] = {}
    for each in parts(raw, "accesses"):
        names = dict(name.split("/", 1) for name in text(each, "resource").partition(";")[0].split(":") if "/" in name)
        if not names.get("flag") or not names.get("env"):
            continue
        environment, flag = _short(names["env"]), _short(names["flag"].partition(";")[0])
        before, after = _states(raw, names["env"])
        found[environment, flag] = replace(plain, subject=flag, environment=environment, before=before, after=after)
    return tuple(found.values())


def _states(raw: Raw, environment: str) -> tuple[str, str]:
    """Whether the flag was on before and after; empty where the entry does not tell."""
    shown: list[str] = []
    for version in ("previousVersion", "currentVersion"):
        on = part(raw, version, "environments", environment).get("on")
        shown.append({True: "on", False: "off"}[on] if isinstance(on, bool) else "")
    if not any(shown):
        verb = text(raw, "titleVerb")
        shown = ["off", "on"] if "turned on" in verb else ["on", "off"] if "turned off" in verb else ["", ""]
    return shown[0], shown[1]


def unleash(raw: Raw) -> ChangeEvent | None:
    """An event of Unleash; None for one that changes no flag's result."""
    kind, at = text(raw, "type"), moment(raw, "createdAt")
    flag = text(raw, "featureName") or text(raw, "data", "name")
    if kind not in _FLAG_EVENTS or at is None or not flag:
        return None
    before, after = _SWITCHED.get(kind, ("", ""))
    return ChangeEvent(
        source="unleash",
        id=str(number(raw, "id")),
        at=at,
        kind="flag",
        subject=_short(flag),
        environment=_short(text(raw, "environment")),
        before=before,
        after=after or kind,
        author=_short(text(raw, "createdBy")),
    )


def _short(value: str) -> str:
    return value[:MAX_TEXT]
