"""Alerts at the door: whatever Alertmanager or Prometheus sends becomes `Alert`, or one clear AlertError."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gitops_sre.model.signal import Alert, fingerprint

MOST_ALERTS = 20_000
"""In one payload: more is an error of the sender, not a storm."""
LONGEST = 1_024
"""Characters of a label or annotation that are kept."""


class AlertError(Exception):
    """A payload is not what it should be; the message names the place. The sender must change it."""


def from_anything(payload: object) -> tuple[Alert, ...]:
    """Whichever of the three forms a file holds."""
    if isinstance(payload, list):
        return from_alertmanager(payload)
    if isinstance(payload, dict) and isinstance(payload.get("data"), dict):
        return from_prometheus(payload)
    return from_alertmanager_webhook(payload)


def from_alertmanager_webhook(payload: object) -> tuple[Alert, ...]:
    """Alertmanager's webhook, version 4: `{"version": "4", "alerts": [{"status", "labels", "startsAt", ...}]}`."""
    alerts = _entries(_mapping(payload, "the payload"), "alerts")
    return tuple(_alertmanager(alert, f"alerts[{n}]", "alertmanager") for n, alert in enumerate(alerts))


def from_alertmanager(payload: object) -> tuple[Alert, ...]:
    """Alertmanager's `/api/v2/alerts`: a list; silenced and inhibited alerts are left out."""
    alerts = _entries({"alerts": payload}, "alerts")
    read = [_mapping(alert, f"[{n}]") for n, alert in enumerate(alerts)]
    active = [(n, alert) for n, alert in enumerate(read) if _state(alert) in ("active", "")]
    return tuple(_alertmanager(alert, f"[{n}]", "alertmanager") for n, alert in active)


def from_prometheus(payload: object) -> tuple[Alert, ...]:
    """Prometheus' `/api/v1/alerts`: firing ones; pending ones are not alerts yet."""
    alerts = _entries(_mapping(_mapping(payload, "the answer").get("data"), "data"), "alerts")
    found: list[Alert] = []
    for n, each in enumerate(alerts):
        place = f"data.alerts[{n}]"
        alert = _mapping(each, place)
        if alert.get("state") != "firing":
            continue
        labels = _texts(alert.get("labels"), f"{place}.labels")
        starts_at = _time(alert.get("activeAt"), f"{place}.activeAt")
        found.append(
            Alert(
                fingerprint=fingerprint(labels),
                name=_name(labels, place),
                labels=labels,
                annotations=_texts(alert.get("annotations") or {}, f"{place}.annotations"),
                starts_at=starts_at,
                source="prometheus",
            )
        )
    return tuple(found)


def _alertmanager(raw: object, place: str, source: str) -> Alert:
    alert = _mapping(raw, place)
    labels = _texts(alert.get("labels"), f"{place}.labels")
    ends_at = _time(alert["endsAt"], f"{place}.endsAt") if alert.get("endsAt") else None
    status = alert.get("status")
    resolved = status == "resolved"
    if isinstance(status, str) and status not in ("firing", "resolved"):
        raise AlertError(f"{place}.status is {status[:40]!r}; expected firing or resolved")
    return Alert(
        fingerprint=fingerprint(labels),
        name=_name(labels, place),
        labels=labels,
        annotations=_texts(alert.get("annotations") or {}, f"{place}.annotations"),
        starts_at=_time(alert.get("startsAt"), f"{place}.startsAt"),
        ends_at=ends_at if resolved else None,
        status="resolved" if resolved else "firing",
        source=source,
    )


def _state(alert: Mapping[str, object]) -> str:
    status = alert.get("status")
    return str(status.get("state", "")) if isinstance(status, dict) else ""


def _entries(payload: Mapping[str, object], key: str) -> list[object]:
    value = payload.get(key)
    if not isinstance(value, list):
        raise AlertError(f"{key} must be a list, not {type(value).__name__}")
    if len(value) > MOST_ALERTS:
        raise AlertError(f"{key} has {len(value)} entries; at most {MOST_ALERTS} are taken at once")
    return value


def _mapping(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise AlertError(f"{place} must be an object, not {type(value).__name__}")
    return value


def _texts(value: object, place: str) -> Mapping[str, str]:
    mapping = _mapping(value, place)
    for key, text in mapping.items():
        if not isinstance(text, str):
            raise AlertError(f"{place}.{key[:40]} must be a string, not {type(text).__name__}")
    return {key[:LONGEST]: str(text)[:LONGEST] for key, text in mapping.items()}


def _name(labels: Mapping[str, str], place: str) -> str:
    name = labels.get("alertname")
    if not name:
        raise AlertError(f"{place}.labels has no alertname")
    return name


def _time(value: object, place: str) -> datetime:
    if not isinstance(value, str):
        raise AlertError(f"{place} must be an RFC 3339 time, not {type(value).__name__}")
    # Prometheus writes nanoseconds; Python reads at most microseconds.
    head, dot, rest = value.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    text = f"{head}.{rest[:digits][:6]}{rest[digits:]}" if dot else value
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise AlertError(f"{place} is not an RFC 3339 time: {value[:40]!r}") from error
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
