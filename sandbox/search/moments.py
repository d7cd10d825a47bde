"""Moments as date fields of the index read them, in milliseconds since 1970.

The rules are those of Elasticsearch's reference: "Date math" for `now-7d/d` and `2026-01-31||+1M`, "Date field type" for what
is a date, and "Range query" for what stands in for the parts that a date leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.errors import query_rejected

MATH = re.compile(r"([+-])(\d{0,9})([yMwdhHms])|/([yMwdhHms])", re.ASCII)
# strict_date_optional_time
DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(?:(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?)?)?",
    re.ASCII,
)
MILLISECONDS = re.compile(r"(-?\d{1,18})(\.\d+)?", re.ASCII)
OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)
LENGTHS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "H": timedelta(hours=1),
           "m": timedelta(minutes=1), "s": timedelta(seconds=1)}  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What a limit that rounds up takes for the parts of a time that are missing; a month or a day that is missing is 1.
LAST = ("23", "59", "59", "999")


def read_moment(
    text: str, up: bool = False, zone: tzinfo = timezone.utc, dates: bool = True, now: datetime | None = None
) -> int | None:
    """The moment that a text of a query names; None if it names none.

    `up` rounds to the end of what is named, as `gt` and `lte` of a range do. `zone` holds where the text names none. Without
    `dates` a field takes no dates, but milliseconds and what begins with `now` (its format is epoch_millis).
    """
    try:
        if text.startswith("now"):
            now = now or datetime.now(timezone.utc)
            return _milliseconds(_calculate(now.astimezone(zone), text.removeprefix("now"), up))
        anchor, bars, math = text.partition("||")
        found = DATE.fullmatch(anchor) if dates else None
        if found:
            return _milliseconds(_calculate(_read_date(found, up and not bars, zone), math, up))
        number = MILLISECONDS.fullmatch(anchor)
        if not number:
            return None
        moment = int(number[1])
        return _milliseconds(_calculate(_at(moment, zone), math, up)) if bars else moment
    except (ValueError, OverflowError):  # no such day, or beyond what dates hold
        return None


def read_zone(name: str) -> tzinfo:
    """The zone of a `time_zone`, an offset or a name. Raises `AtlasError` (400) if there is none such."""
    if name in ("Z", "UTC", ""):
        return timezone.utc
    offset = OFFSET.fullmatch(name)
    try:
        return _offset(offset) if offset else ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise query_rejected(f"Unknown time-zone ID: {name}") from None


def _read_date(found: re.Match[str], up: bool, zone: tzinfo) -> datetime:
    year, month, day, *times, fraction, own_zone = found.groups()
    last = LAST if up else ("0",) * 4
    hour, minute, second = (int(given or missing) for given, missing in zip(times, last, strict=False))
    millisecond = int((fraction or last[3]).ljust(3, "0")[:3]) if fraction or up else 0
    if own_zone:
        offset = OFFSET.fullmatch(own_zone)
        zone = _offset(offset) if offset else timezone.utc
    return datetime(int(year), int(month or 1), int(day or 1), hour, minute, second, millisecond * 1000, zone)


def _offset(found: re.Match[str]) -> timezone:
    sign, hours, minutes = found.groups()
    length = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if int(minutes or 0) > 59 or length > timedelta(hours=18):
        raise ValueError("Zone offset not in valid range: -18:00 to +18:00")
    return timezone(-length if sign == "-" else length)


def _calculate(moment: datetime, math: str, up: bool) -> datetime:
    """A moment after additions, subtractions and roundings, in their order. Raises ValueError if they are malformed."""
    at = 0
    for step in MATH.finditer(math):
        if step.start() != at:
            break
        at = step.end()
        sign, count, unit, rounded = step.groups()
        if rounded:
            start = _start_of(moment, rounded)
            moment = _add(start, 1, rounded) - timedelta(milliseconds=1) if up else start
        else:
            moment = _add(moment, int(count or 1) * (-1 if sign == "-" else 1), unit)
    if at != len(math):
        raise ValueError(f"operator not supported for date math [{math}]")
    return moment


def _add(moment: datetime, count: int, unit: str) -> datetime:
    if unit in LENGTHS:
        return moment + count * LENGTHS[unit]
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    for day in range(moment.day, 27, -1):  # the last day of a month that is shorter
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month + 1)


ROUNDED: dict[str, Callable[[datetime], datetime]] = {
    "s": lambda moment: moment.replace(microsecond=0),
    "m": lambda moment: moment.replace(second=0, microsecond=0),
    "h": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "d": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
    "w": lambda moment: ROUNDED["d"](moment) - timedelta(days=moment.weekday()),
    "M": lambda moment: ROUNDED["d"](moment).replace(day=1),
    "y": lambda moment: ROUNDED["d"](moment).replace(day=1, month=1),
}


def _start_of(moment: datetime, unit: str) -> datetime:
    return ROUNDED["h" if unit == "H" else unit](moment)


def _at(milliseconds: int, zone: tzinfo) -> datetime:
    return (EPOCH + timedelta(milliseconds=milliseconds)).astimezone(zone)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
