"""Times as policies write them: durations, hours of a day, weekdays, time zones."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

LONGEST = 30 * 86_400
"""Seconds of the longest duration that a policy may name."""
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _duration(value: object) -> float:
    """Seconds; a bare number could be minutes to one reader and seconds to another."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a duration with its unit, such as 90s, 30m, 6h or 2d")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST:
        raise ValueError("must not be longer than 30d")
    return float(seconds)


def _hours(text: str) -> str:
    if _HOURS.fullmatch(text) is None:
        raise ValueError("must be hours of a day, such as 08:00-18:00 or 22:00-06:00")
    begin, end = bounds(text)
    if begin == end:
        raise ValueError("must not end when it begins; 00:00-24:00 is the whole day")
    return text


def _zone(text: str) -> str:
    try:
        zone(text)
    except (ValueError, OSError) as error:  # what zoneinfo raises for a path, or for a folder of zones
        raise ValueError(f"`{text}` is no time zone; give an IANA name, such as Europe/Berlin") from error
    except KeyError as error:
        raise ValueError(f"`{text}` is no known time zone; give an IANA name, such as Europe/Berlin") from error
    return text


Duration = Annotated[
    float | None,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,6}[smhd]$"}),
]
Hours = Annotated[str, AfterValidator(_hours), WithJsonSchema({"type": "string", "pattern": f"^{_HOURS.pattern}$"})]
Zone = Annotated[str, AfterValidator(_zone)]


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """A zone of the IANA database. Raises ValueError, OSError or KeyError (ZoneInfoNotFoundError)."""
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def bounds(hours: str) -> tuple[int, int]:
    """Begin and end in minutes of the day; an end that is not after the begin is of the next day."""
    begin, _, end = hours.partition("-")
    return _minutes(begin), _minutes(end)


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=1024)
def holds(now: datetime, zone_name: str, hours: tuple[str, ...], weekdays: tuple[Weekday, ...]) -> bool:
    """Whether a moment lies in hours of these days, by the clocks on the wall there. Hours that pass midnight belong
    to the day on which they begin. An hour that clocks go through twice counts both times."""
    local = now.astimezone(zone(zone_name))
    minute = local.hour * 60 + local.minute
    today, yesterday = WEEKDAYS[local.weekday()], WEEKDAYS[(local - timedelta(days=1)).weekday()]
    for begin, end in map(bounds, hours or ("00:00-24:00",)):
        over = end < begin
        if (begin <= minute if over else begin <= minute < end) and today in weekdays:
            return True
        if over and minute < end and yesterday in weekdays:
            return True
    return False
