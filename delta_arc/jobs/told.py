"""What jobs tell of the hops between tables and objects, and what that says of the objects and columns that there are. Pure.

The strongest ground: who moved the data says so. Which files and events tell it, `delta_arc/jobs/events.py` knows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from delta_arc.matching import AssetRow
from delta_arc.pairing import match_columns
from runtime.terminal import MOST_OF_A_NAME, visible

TOLD = "told"
Columns = tuple[tuple[str, str], ...]  # (from, to), as the job names them


@dataclass(frozen=True)
class ToldHop:
    """One hop that a job tells: from a PostgreSQL table into an object (`source`), or from one into a Snowflake table
    (`target`); the other of the two is empty.

    `key` is that of the object, or a folder that stands for all below it, without a slash at either end. `columns` are
    empty where the job does not tell them. `time` is when the run was complete, in UTC. `ground` is what it stands on: what
    Delta Arc itself has exported proves no more when it is read again than it did before.
    """

    source: str
    key: str
    target: str
    columns: Columns
    job_namespace: str
    job: str
    run_id: str
    time: datetime
    sql: str
    ground: str = TOLD

    @property
    def table(self) -> str:
        """The qualified name of the table at the one end of it that is no object."""
        return self.source or self.target

    @property
    def teller(self) -> str:
        """Who told it, for people."""
        return f"job {visible(self.job, MOST_OF_A_NAME)} (run {self.run_id}, {self.time:%Y-%m-%d %H:%M} UTC)"


@dataclass(frozen=True)
class Problem:
    """What is wrong with so many events, and where the first of them is."""

    sentence: str
    count: int
    first: str

    def __str__(self) -> str:
        first = visible(self.first, MOST_OF_A_NAME)
        return (
            f"{self.sentence} ({first})" if self.count == 1 else f"{self.sentence} ({self.count} times, first {first})"
        )


@dataclass(frozen=True)
class Told:
    """What events tell: the newest telling of each hop, sorted; and what could not be used."""

    hops: tuple[ToldHop, ...] = ()
    problems: tuple[Problem, ...] = ()
    events: int = 0


@dataclass(frozen=True)
class ToldObject:
    """What is told of one object: where it comes from, and where it goes to. Several are several tellings that all hold,
    as of two tables that are joined into one file, or of a folder that two jobs load with a pattern of their own."""

    extracts: tuple[ToldHop, ...] = ()
    loads: tuple[ToldHop, ...] = ()


def tell_objects(hops: Iterable[ToldHop], keys: Iterable[str]) -> dict[str, ToldObject]:
    """What is told of each object, by its key; those of which nothing is told are left out.

    A telling of the object itself beats one of a folder, and one of a nearer folder beats one of a farther one.
    """
    listed = list(hops)
    extracts, loads = _by_key(hop for hop in listed if hop.source), _by_key(hop for hop in listed if hop.target)
    found = {}
    for key in keys:
        told = ToldObject(_nearest(extracts, key), _nearest(loads, key))
        if told.extracts or told.loads:
            found[key] = told
    return found


def hops_of_nothing(hops: Iterable[ToldHop], keys: Iterable[str]) -> list[ToldHop]:
    """The hops of an object that is none of these keys, or of a folder that has none of them."""
    places: set[str] = set()
    for key in keys:
        place = key.strip("/")
        while place and place not in places:
            places.add(place)
            place = place.rpartition("/")[0]
    return [hop for hop in hops if hop.key not in places]


def _by_key(hops: Iterable[ToldHop]) -> dict[str, tuple[ToldHop, ...]]:
    grouped: dict[str, list[ToldHop]] = defaultdict(list)
    for hop in hops:
        grouped[hop.key].append(hop)
    return {key: tuple(sorted(found, key=lambda hop: hop.table)) for key, found in grouped.items()}


def _nearest(hops: Mapping[str, tuple[ToldHop, ...]], key: str) -> tuple[ToldHop, ...]:
    place = key.strip("/")
    while place:
        if place in hops:
            return hops[place]
        place = place.rpartition("/")[0]
    return ()


def newest(hops: Sequence[ToldHop]) -> ToldHop:
    """The newest of some tellings."""
    return max(hops, key=lambda hop: (hop.time, hop.run_id, hop.key))


def newest_columns(hops: Iterable[ToldHop]) -> Columns:
    """The columns of the newest of these hops that tells any: a job that changes tells the change with its next run."""
    telling = [hop for hop in hops if hop.columns]
    return newest(telling).columns if telling else ()


def told_columns(
    sources: Sequence[AssetRow],
    targets: Sequence[AssetRow],
    extract: Columns,
    load: Columns,
    header: Sequence[str] = (),
) -> list[tuple[AssetRow, AssetRow]] | None:
    """The pairs of columns of a source and a target table by what their two jobs tell, or None where neither tells any.

    The two meet in the file: `extract` is (column of the source, column of the file), `load` (column of the file, column
    of the target). Where only one is told, the file's columns are found on the other side by their names. `$2` is the
    second column of the file, as in Snowflake's COPY INTO; it is of use only where the file's `header` is known.
    """
    load = tuple((_at_position(file, header), to) for file, to in load)
    load = tuple((file, to) for file, to in load if file)
    if not extract and not load:
        return None
    from_source = _by_file_column(sources, [(name, file) for name, file in extract])
    from_target = _by_file_column(targets, [(name, file) for file, name in load])
    if not extract:
        from_source = _by_name(sources, from_target)
    if not load:
        from_target = _by_name(targets, from_source)
    pairs = {
        (left[0], right[0]): (left, right)
        for file, lefts in from_source.items()
        for left in lefts
        for right in from_target.get(file, ())
    }
    return [pairs[names] for names in sorted(pairs)]


def _at_position(column: str, header: Sequence[str]) -> str:
    """The name of a column of the file that may be told by its position; empty where that is not known."""
    if not re.fullmatch(r"\$[1-9]\d{0,4}", column, re.ASCII):
        return column
    number = int(column[1:])
    return header[number - 1] if number <= len(header) else ""


def _by_file_column(rows: Iterable[AssetRow], told: Iterable[tuple[str, str]]) -> dict[str, list[AssetRow]]:
    """The columns of a table by the column of the file, in any case, that they are told to become or to be made of."""
    exact = {row[1]: row for row in rows}
    folded: dict[str, list[AssetRow]] = defaultdict(list)
    for row in exact.values():
        folded[row[1].casefold()].append(row)
    found: dict[str, list[AssetRow]] = defaultdict(list)
    for name, file in told:
        alike = [exact[name]] if name in exact else folded.get(name.casefold(), [])
        if len(alike) == 1:
            found[file.casefold()].append(alike[0])
    return found


def _by_name(rows: Iterable[AssetRow], file_columns: Iterable[str]) -> dict[str, list[AssetRow]]:
    """The columns of a table by the column of the file that has their name."""
    in_file = [(file, file, "Column") for file in file_columns]
    return {file[1]: [row] for file, row in match_columns(in_file, list(rows))}
