"""Intervals of a date histogram: where each begins, in milliseconds since 1970 and in UTC.

The rules are those of Elasticsearch's reference, "Date histogram aggregation".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from sandbox.errors import query_rejected
from sandbox.messages import Query

FIXED_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
CALENDAR_UNITS = {"1m": "minute", "1h": "hour", "1d": "day", "1w": "week", "1M": "month", "1q": "quarter", "1y": "year"}
EPOCH = date(1970, 1, 1)
# The years 1 and 9990, in milliseconds since 1970: what Python's dates hold, and an interval more.
EARLIEST, LATEST = -62_135_000_000_000, 253_086_000_000_000


def is_moment(value: object) -> bool:
    """Whether a value is a moment that can be in an interval."""
    return isinstance(value, int) and not isinstance(value, bool) and EARLIEST <= value <= LATEST


def read_interval(body: Query) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Two functions: the start of the interval that a moment is in, and the start of the one after that which starts there.

    `body` has a `fixed_interval` or a `calendar_interval`. Raises `AtlasError` (400) for anything else.
    """
    fixed, calendar = body.get("fixed_interval"), body.get("calendar_interval")
    if (fixed is None) == (calendar is None):
        raise query_rejected("Required one of fields [calendar_interval, fixed_interval]")
    if fixed is not None:
        parts = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", str(fixed))
        length = int(parts[1]) * FIXED_UNITS[parts[2]] if parts else 0
        if not length:
            raise query_rejected(f"failed to parse setting [date_histogram.fixedInterval] with value [{fixed}]")
        return (lambda value: value // length * length), (lambda start: start + length)
    unit = CALENDAR_UNITS.get(str(calendar), str(calendar))
    if unit not in CALENDAR_UNITS.values():
        raise query_rejected(f"The supplied interval [{calendar}] could not be parsed as a calendar interval.")
    return (lambda value: _calendar_start(value, unit)), (lambda start: _calendar_next(start, unit))


def _calendar_start(value: int, unit: str) -> int:
    if unit in ("minute", "hour", "day"):
        length = FIXED_UNITS[unit[0]]
        return value // length * length
    day = EPOCH + timedelta(days=value // FIXED_UNITS["d"])
    if unit == "week":
        day -= timedelta(days=day.weekday())
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[unit]
        day = day.replace(day=1, month=(day.month - 1) // months * months + 1)
    return (day - EPOCH).days * FIXED_UNITS["d"]


def _calendar_next(start: int, unit: str) -> int:
    """The start of the interval after the one that starts here: a little more than one long."""
    days = {"minute": 0, "hour": 0, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[unit]
    return _calendar_start(start + (days * FIXED_UNITS["d"] or FIXED_UNITS[unit[0]]), unit)
