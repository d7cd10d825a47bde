"""Open things by what they have in common, so that one line of the overrides can settle many of them. Pure."""

from __future__ import annotations

import glob
import posixpath
import re
import shlex
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from delta_arc.report import Unmatched
from lineage_page import OpenGroup, OpenThing, common_folder
from runtime.terminal import HIDDEN


def group_open_things(unmatched: Iterable[Unmatched], keys: Iterable[str]) -> list[OpenGroup]:
    """What is unmatched by kind, reason and place, and objects also by what they may be and how their keys look, whatever
    their digits.

    `keys` are all that were listed: a pattern that one line offers for a whole group fits no other key.
    """
    listed = sorted(keys)
    groups: dict[tuple[str, ...], list[Unmatched]] = defaultdict(list)
    for item in unmatched:
        groups[_likeness(item)].append(item)
    loners = [key for key, items in groups.items() if len(items) == 1 and key[0] == "object"]
    for key in loners:  # no other key looks so: then it is the extension that they share
        wider = (*key[:-1], posixpath.splitext(key[-1])[1])
        if wider != key:
            groups[wider] += groups.pop(key)
    ordered = sorted(groups.items(), key=lambda group: KINDS.index(group[0][0]))
    return [_make_group(items, listed) for _, items in ordered]


KINDS = ("table", "object", "column")


def _likeness(item: Unmatched) -> tuple[str, ...]:
    if item.kind != "object":
        return item.kind, item.reason or item.sentence, _place(item)
    folder, name = posixpath.split(re.sub(r"\d+", "#", item.name))
    return item.kind, item.reason or item.sentence, folder, *_values(item), name


def _place(item: Unmatched) -> str:
    """What a table or column is in, without the connection."""
    return "/".join(item.name.split("/")[3:-1])


def _values(item: Unmatched) -> tuple[str, ...]:
    """What the lines of an object say that it is: ` is <table>`."""
    start = f"object {_quote(glob.escape(item.name))}"
    return tuple(line.removeprefix(start) for line in item.lines if line.startswith(start))


def _quote(pattern: str) -> str:
    return shlex.quote(HIDDEN.sub("?", pattern))


def _make_group(items: Sequence[Unmatched], listed: Sequence[str]) -> OpenGroup:
    first = items[0]
    lines: list[str] = []
    if first.kind == "object" and len(items) > 1:
        values = [value for value in _values(first) if all(value in _values(item) for item in items[1:])]
        pattern = _shared_pattern([item.name for item in items], listed) if values else None
        lines = [f"object {_quote(pattern)}{value}" for value in values] if pattern else []
    things = [OpenThing(item.name, item.sentence, item.lines) for item in items]
    place = common_folder(item.name for item in items) if first.kind == "object" else _place(first)
    return OpenGroup(first.kind, first.reason, place, things, lines)


def _shared_pattern(keys: Sequence[str], listed: Sequence[str]) -> str | None:
    """A pattern that fits all of these keys and no other one that was listed; the one that says least comes first."""
    for start, end in _frames(keys):
        at = bisect_left(listed, start)
        fitting = 0
        while at < len(listed) and listed[at].startswith(start) and fitting <= len(keys):
            fitting += listed[at].endswith(end) and len(listed[at]) >= len(start) + len(end)
            at += 1
        if start and fitting == len(keys):
            return f"{glob.escape(start)}*{glob.escape(end)}"
    return None


def _frames(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """How all of these keys start and end: first without what has digits, in which tomorrow's may differ, then in full."""
    start = _shared_start(keys)
    end = _shared_start([key[len(start) :][::-1] for key in keys])[::-1]
    yield re.sub(r"\d[^/]*$", "", start), re.sub(r"^[^/]*\d", "", end)
    yield start, end


def _shared_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((at for at, letter in enumerate(first) if last[at : at + 1] != letter), None)]
