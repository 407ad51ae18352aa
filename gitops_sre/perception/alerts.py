"""Alerts at the door: what Alertmanager and Prometheus send becomes `Alert`, or one clear `AlertError`.

Unknown fields are ignored, since senders add them; what is needed must be there, of the right type and of bounded size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from gitops_sre.model.signal import Alert, AlertStatus, fingerprint
from gitops_sre.redact import under

ALERTMANAGER = "alertmanager"
"""The source of Alertmanager's alerts, unless a sender has a token of its own."""
MAX_ALERTS = 20_000
MAX_LABELS = 100
MAX_NAME = 512
MAX_VALUE = 4_096
MAX_ANNOTATION = 16_384
"""Characters; longer annotations are cut, since they are prose. A label is identity and is never cut but refused."""

Object = dict[str, object]
_T = TypeVar("_T", str, list[object], Object)
_KINDS: Mapping[type, str] = {str: "a string", list: "a list", dict: "an object"}


class AlertError(Exception):
    """The payload is not what the sender's format says; the message names the place. Sending it again helps nothing."""


def from_anything(payload: object) -> tuple[Alert, ...]:
    """Any of the three formats, told apart by shape. Raises AlertError."""
    if isinstance(payload, list):
        return from_alertmanager_api(payload)
    body = _object(payload, "payload")
    return from_prometheus_api(body) if "data" in body else from_alertmanager_webhook(body)


def from_alertmanager_webhook(payload: object, sender: str = ALERTMANAGER) -> tuple[Alert, ...]:
    """Alertmanager's webhook, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config). `sender` is
    who delivered it, by its credential; nothing in the payload has a say in that.

    Raises AlertError.
    """
    body = _object(payload, "payload")
    version = body.get("version", "4")
    if version != "4":
        raise AlertError(f"version: expected '4', found {version!r:.40}; only Alertmanager's webhook v4 is understood")
    return _each(_list(body.get("alerts", _MISSING), "alerts"), "alerts", partial(_webhook_alert, sender=sender))


def from_alertmanager_api(payload: object) -> tuple[Alert, ...]:
    """The list that Alertmanager's `/api/v2/alerts` answers; silenced and inhibited alerts are left out.

    Raises AlertError.
    """
    return _each(_list(payload, "payload"), "", _polled_alert)


def from_prometheus_api(payload: object) -> tuple[Alert, ...]:
    """The answer of Prometheus' `/api/v1/alerts`; alerts that are still pending are left out. Raises AlertError."""
    body = _object(payload, "payload")
    if body.get("status", "success") != "success":
        raise AlertError(
            f"status: {body['status']!r:.40}, not 'success': {body.get('error', 'no reason given')!s:.200}"
        )
    data = _object(body.get("data", _MISSING), "data")
    return _each(_list(data.get("alerts", _MISSING), "data.alerts"), "data.alerts", _prometheus_alert)


def _each(items: list[object], place: str, read: Callable[[Object, str], Alert | None]) -> tuple[Alert, ...]:
    if len(items) > MAX_ALERTS:
        raise AlertError(
            f"{place or 'payload'}: {len(items)} alerts are more than {MAX_ALERTS}; group them at the source"
        )
    found = (read(_object(item, f"{place}[{n}]"), f"{place}[{n}].") for n, item in enumerate(items))
    return tuple(alert for alert in found if alert is not None)


def _webhook_alert(raw: Object, place: str, sender: str) -> Alert:
    status = _string(raw.get("status", _MISSING), f"{place}status")
    if status not in ("firing", "resolved"):
        raise AlertError(f"{place}status: expected 'firing' or 'resolved', found {status!r:.40}")
    return _alert(raw, place, "firing" if status == "firing" else "resolved", sender, "startsAt")


def _polled_alert(raw: Object, place: str) -> Alert | None:
    status = _object(raw.get("status", _MISSING), f"{place}status")
    state = _string(status.get("state", _MISSING), f"{place}status.state")
    # Somebody has silenced a suppressed alert, or another one stands for it: nothing to wake up for.
    return None if state == "suppressed" else _alert(raw, place, "firing", ALERTMANAGER, "startsAt")


def _prometheus_alert(raw: Object, place: str) -> Alert | None:
    state = _string(raw.get("state", _MISSING), f"{place}state")
    return _alert(raw, place, "firing", "prometheus", "activeAt") if state == "firing" else None


def _alert(raw: Object, place: str, status: AlertStatus, source: str, start: str) -> Alert:
    labels = _redacted(_labels(_object(raw.get("labels", _MISSING), f"{place}labels"), f"{place}labels"))
    name = labels.get("alertname")
    if not name:
        raise AlertError(f"{place}labels.alertname: missing; every alert has a name")
    starts_at = _time(raw.get(start, _MISSING), place + start)
    # Clocks that differ never make an alert end before it began.
    ends_at = max(starts_at, _time(raw.get("endsAt", _MISSING), f"{place}endsAt")) if status == "resolved" else None
    annotations = _annotations(_object(raw.get("annotations") or {}, f"{place}annotations"), f"{place}annotations")
    own = _bounded(_string(raw.get("fingerprint", ""), f"{place}fingerprint"), f"{place}fingerprint", MAX_NAME)
    annotations = _redacted(annotations)
    return Alert(own or fingerprint(labels), name, labels, annotations, starts_at, ends_at, status, source)


def _redacted(pairs: Mapping[str, str]) -> Mapping[str, str]:
    """At the door: alerts go into signed commits, from which nothing can be taken out again."""
    return under(pairs)


def _labels(pairs: Object, place: str) -> Mapping[str, str]:
    if len(pairs) > MAX_LABELS:
        raise AlertError(f"{place}: {len(pairs)} labels are more than {MAX_LABELS}")
    return {
        _bounded(name, _at(place, name), MAX_NAME): _bounded(
            _string(value, _at(place, name)), _at(place, name), MAX_VALUE
        )
        for name, value in pairs.items()
    }


def _annotations(pairs: Object, place: str) -> Mapping[str, str]:
    kept = list(pairs.items())[:MAX_LABELS]
    return {
        _bounded(name[:MAX_NAME], _at(place, name), MAX_NAME): _bounded(
            _string(value, _at(place, name))[:MAX_ANNOTATION], _at(place, name), MAX_ANNOTATION
        )
        for name, value in kept
    }


def _at(place: str, name: str) -> str:
    return f"{place}.{name[:60]}"


def _bounded(value: str, place: str, limit: int) -> str:
    """A string that can be stored; JSON lets lone surrogates through, which nothing can encode."""
    if len(value) > limit:
        raise AlertError(f"{ascii(place)[1:-1]}: {len(value)} characters are more than {limit}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise AlertError(f"{ascii(place)[1:-1]}: not valid Unicode (a lone surrogate)") from error
    return value


def _time(value: object, place: str) -> datetime:
    """RFC 3339 to UTC. Go's zero time (year 1) means that nothing was set."""
    text = _string(value, place)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise AlertError(f"{place}: {text[:60]!a} is no RFC 3339 time such as 2026-03-01T12:00:00Z") from error
    if moment.tzinfo is None or not 1970 < moment.year < 9999:
        raise AlertError(f"{place}: {text[:60]!r} is no moment: it needs a time zone and a year after 1970")
    return moment.astimezone(UTC)


_MISSING = object()


def _string(value: object, place: str) -> str:
    return _typed(value, str, place)


def _list(value: object, place: str) -> list[object]:
    return _typed(value, list, place)


def _object(value: object, place: str) -> Object:
    return _typed(value, dict, place)


def _typed(value: object, kind: type[_T], place: str) -> _T:
    if value is _MISSING:
        raise AlertError(f"{place}: missing; expected {_KINDS[kind]}")
    if not isinstance(value, kind):
        found = "null" if value is None else type(value).__name__
        raise AlertError(f"{place}: expected {_KINDS[kind]}, found {found}")
    return value
