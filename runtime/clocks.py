"""Clocks: what time it is for a server, and how far that is from ours. Pure, but for the clock."""

from __future__ import annotations

from datetime import datetime, timezone


def time_of(date: str) -> datetime | None:
    """The time, in UTC, that a Date header tells (RFC 9110, 5.6.7); None for what is none."""
    from email.utils import parsedate_to_datetime  # which `--help` does not need

    try:
        return parsedate_to_datetime(date).astimezone(timezone.utc)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def seconds_ahead(theirs: datetime) -> float:
    """How far our clock is ahead of a server's that told its time just now; negative where it is behind."""
    return (datetime.now(timezone.utc) - theirs).total_seconds()
