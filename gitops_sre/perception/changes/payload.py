"""Reading JSON that others send: what is not there, or is of another type, is empty. Nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

Raw = Mapping[str, object]
_NOTHING: Raw = {}


def part(raw: object, *keys: str) -> Raw:
    """An object inside an object."""
    for key in keys:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else _NOTHING


def parts(raw: object, *keys: str) -> Iterator[Raw]:
    """The objects of a list inside an object."""
    value = part(raw, *keys[:-1]).get(keys[-1])
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Mapping))


def text(raw: object, *keys: str) -> str:
    """A text inside an object."""
    value = part(raw, *keys[:-1]).get(keys[-1])
    return value if isinstance(value, str) else ""


def number(raw: object, *keys: str) -> int:
    """A whole number inside an object, also where it is written as text; 0 for anything else."""
    value = part(raw, *keys[:-1]).get(keys[-1])
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:18])
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def moment(raw: object, *keys: str) -> datetime | None:
    """A moment in RFC 3339, in UTC."""
    try:
        at = datetime.fromisoformat(text(raw, *keys))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def milliseconds(raw: object, *keys: str) -> datetime | None:
    """A moment in milliseconds since 1970, in UTC."""
    try:
        return datetime.fromtimestamp(number(raw, *keys) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
