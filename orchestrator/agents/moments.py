"""When a program means by what it prints: seconds, an epoch, a date, a time of day, for how long.

Only what stands at the beginning of the text counts, and only its first :data:`LONGEST` characters; what
cannot be read is no time, never an error. A time of day or a date without a year means the first one to come:
one that has just passed is taken for passed, and not for tomorrow's.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 100
_JUST: Final = timedelta(hours=1)
"""A time of day that passed within this is meant; so a clock that is an hour off makes no day of it."""
_LEAD: Final = re.compile(r"[\s\"':=]*(?:(?:at|in|on|after|until)\s)?\s*", re.IGNORECASE)
_EPOCH: Final = re.compile(r"(\d{13}|\d{10})(?:\.\d+)?(?![\d:/-])")
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_HTTP: Final = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE: Final = r"(?: ?\(([A-Za-z]{1,20}(?:/[A-Za-z0-9_+-]{1,30}){0,2})\)| (UTC|GMT)\b)?"
_CLOCK: Final = r"(\d{1,2})(?::(\d\d)(?::\d\d)?)? ?([ap]\.?m\b)?"
_DATED: Final = re.compile(
    rf"([A-Za-z]{{3}})[a-z]{{0,6}}\.? (\d{{1,2}})(?:st|nd|rd|th)?,?(?: (\d{{4}}))?,?(?: at)? {_CLOCK}{_ZONE}",
    re.IGNORECASE,
)
_DAILY: Final = re.compile(_CLOCK + _ZONE, re.IGNORECASE)
_SPAN: Final = re.compile(
    r"(\d{1,7}(?:\.\d{1,6})?) ?(ms|[smhdw]|(?:milli)?second|sec|minute|min|hour|hr|day|week)s?(?![a-z])",
    re.IGNORECASE,
)
_JOINT: Final = re.compile(r"(?:,? and |, ?| )?")
_PLAIN: Final = re.compile(r"(\d{1,7})(?:\.\d{1,6})?(?! ?[A-Za-z\d:/-])")
_UNITS: Final = {"ms": 0.001, "mi": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def moment(text: str, said: datetime) -> datetime | None:
    """The moment that ``text``, printed at ``said``, begins with; times of day without a zone are local."""
    text = text[: 2 * LONGEST]
    lead = _LEAD.match(text)
    text = text[lead.end() if lead else 0 :][:LONGEST]
    for read in _READERS:
        with contextlib.suppress(ValueError, OverflowError):  # a month of 40 days is no time
            found = read(text, said)
            if found is not None:
                return found.astimezone(UTC)
    return None


def _epoch(text: str, _said: datetime) -> datetime | None:
    found = _EPOCH.match(text)
    if not found:
        return None
    seconds = int(found[1]) / (1000 if len(found[1]) > 10 else 1)  # noqa: PLR2004 - digits of seconds until 2286
    return datetime.fromtimestamp(seconds, UTC)


def _iso(text: str, _said: datetime) -> datetime | None:
    found = _ISO.match(text)
    if not found:
        return None
    zone = (found[3] or "").upper()
    return datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")


def _http(text: str, _said: datetime) -> datetime | None:
    found = _HTTP.match(text)
    if not found:
        return None
    day, month, year, *clock = found.groups()
    hour, minute, second = map(int, clock)
    return datetime(int(year), _month(month), int(day), hour, minute, second, tzinfo=UTC)


def _dated(text: str, said: datetime) -> datetime | None:
    found = _DATED.match(text)
    if not found:
        return None
    hour, minute = _hour(found[4], found[5], found[6])
    there = _there(said, found[7] or found[8])
    when = there.replace(month=_month(found[1]), day=int(found[2]), hour=hour, minute=minute, second=0)
    if found[3]:
        return when.replace(year=int(found[3]))
    return when if when > there - timedelta(days=1) else when.replace(year=when.year + 1)


def _daily(text: str, said: datetime) -> datetime | None:
    found = _DAILY.match(text)
    if not found or not (found[2] or found[3]):  # a mere number is no time of day
        return None
    hour, minute = _hour(found[1], found[2], found[3])
    there = _there(said, found[4] or found[5])
    today = there.replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = (today + timedelta(days=n) for n in (-1, 0, 1))
    return next((day for day in days if day >= there - _JUST), None)


def _there(said: datetime, zone: str | None) -> datetime:
    """``said`` on the clock of that place; raises ValueError for a place that nothing is known of."""
    return said.astimezone(_zone(zone) if zone else None)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # no such zone, or a folder of zones
        raise ValueError(name) from error


def _hour(hour: str, minute: str | None, half: str | None) -> tuple[int, int]:
    number = int(hour)
    if half:
        if not 1 <= number <= 12:  # noqa: PLR2004 - of a clock
            raise ValueError(hour)
        number = number % 12 + (12 if half[0] in "pP" else 0)
    return number, int(minute or 0)


def _month(name: str) -> int:
    return _MONTHS.index(name.lower()) + 1


def _span(text: str, said: datetime) -> datetime | None:
    seconds, position = 0.0, 0
    while found := _SPAN.match(text, position):
        unit = found[2].lower()
        seconds += float(found[1]) * _UNITS.get(unit, 0.001 if unit == "millisecond" else _UNITS[unit[0]])
        joint = _JOINT.match(text, found.end())
        position = joint.end() if joint else found.end()
    return said + timedelta(seconds=seconds) if position else None


def _seconds(text: str, said: datetime) -> datetime | None:
    found = _PLAIN.match(text)
    return said + timedelta(seconds=float(found[0])) if found else None


_READERS: Final[tuple[Callable[[str, datetime], datetime | None], ...]] = (
    _epoch,
    _iso,
    _http,
    _dated,
    _daily,
    _span,
    _seconds,
)
