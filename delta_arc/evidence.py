"""Evidence from the objects themselves: the names of the columns, read from a few kilobytes of the newest objects.

Only reading asks S3; the rest is pure. What a file holds below its header is looked at to tell whether the first row is
a header, and never kept. A file, or a server, that does not behave costs its own evidence and some seconds, nothing else.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypedDict

from delta_arc.files.footers import FooterReader
from delta_arc.files.headers import FileColumns, find_columns
from delta_arc.files.heads import LARGEST_READ, Head, find_footer, parse_head, tail_format
from delta_arc.files.kept import KeptColumns
from delta_arc.fit import Fit, all_have, compare_columns
from delta_arc.jobs.told import TOLD, ToldHop
from delta_arc.rivals import Rival, Rivals
from runtime.parallel import map_in_time
from runtime.terminal import MOST_OF_A_NAME, Progress, logger, visible

FIRST_READ = 64 * 1024
READERS = 8  # objects read at once
OBJECT_SECONDS = 15.0  # for one object; with a network that works, a tenth of a second
# For all objects, whatever the server does: a network that works takes a tenth of it.
SECONDS, SECONDS_AN_OBJECT = 60.0, 0.05
# So many objects too slow, one after the other, and the rest is not tried. More than are read at once, as those that are
# slow hold up the readers until all of them are, however many others are quick.
SLOW_IN_A_ROW = READERS + 4

TOO_SLOW = Head(reason="it was not read: S3 takes too long", unread=True)
NOT_TRIED = Head(reason="it was not read: reading the files before it took too long", unread=True)

ABSENT = "columns not in the file"


class Ground(str, Enum):
    """What a hop is founded on: the names of its tables and objects, or also the columns that files have."""

    HEADER = "names and header"
    FEW = "names and few columns"  # or only such as any table has, or as another table has, too
    NAMES = "names only"
    UNREAD = "names of files not read"  # they are empty, damaged or not handed out: that founds nothing new
    CONTRADICTION = "contradiction"  # every file that was asked has other columns


@dataclass(frozen=True)
class Verdict:
    """What one object says of its table: the ground that it gives, and which of the table's columns it has.

    `columns` are the names in the file, and `is_other` says that they are of something else than the table; `fitting` are
    the other tables that have them clearly better.
    """

    key: str
    ground: Ground
    reason: str = ""
    shared: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()
    is_other: bool = False
    fitting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What the objects of a dataset tell together.

    `key` is the newest object that gives the ground, `absent` are the columns of the table that no file has, and
    `left_out` has the reason why by the key of each object that is none of the table's; `fitting` has the
    tables whose columns it has instead, where there are any.
    """

    ground: Ground
    key: str = ""
    reason: str = ""
    absent: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    # The keys of objects whose names leave a doubt: those that columns prove to be the table's, and those that nothing does.
    proven: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()
    # Whether two files say so, and not just copies of one: one file alone is no reason to remove anything.
    is_agreed: bool = False
    told: tuple[Verdict, ...] = ()
    fitting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        source = f" of {visible(self.key, MOST_OF_A_NAME)}" if self.key else ""
        return f"{self.ground.value}{source}{f' ({self.reason})' if self.reason else ''}"

    @property
    def agreed_absent(self) -> tuple[str, ...]:
        """The columns that are absent by more than one file."""
        return self.absent if self.is_agreed else ()

    @property
    def on_process(self) -> str:
        """The ground as Atlan keeps it: without the object, so that tomorrow's file changes nothing."""
        told = {"ground": self.ground.value, "reason": self.reason, ABSENT: [*self.absent]}
        return json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)

    def on_process_told(self, told: ToldHop | None) -> str:
        """The same for a process that a job tells: who did, and when."""
        if told is None:
            return self.on_process
        return json.dumps({"ground": TOLD, "reason": told.teller}, ensure_ascii=False)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of the newest object that tells any."""
        return next((one.columns for one in self.told if one.columns), ())


class _Context(TypedDict, total=False):
    """What `on_process` says, as far as it can be used; people may have edited it."""

    ground: str
    reason: str
    absent: list[str]


def absent_columns(context: str | None) -> frozenset[str]:
    """The names of the columns that `on_process` says are not in the file."""
    return frozenset(_read_context(context).get("absent", []))


def explain_ground(context: str | None) -> str:
    """What `on_process` says, in words."""
    told = _read_context(context)
    reason = f" ({_line(told['reason'])})" if told.get("reason") else ""
    absent = f"; not in the file: {', '.join(map(visible, told['absent']))}" if told.get("absent") else ""
    return f"{visible(told.get('ground', ''), MOST_OF_A_NAME)}{reason}{absent}"


def _read_context(context: str | None) -> _Context:
    try:
        told = json.loads(context or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    found: _Context = {}
    if isinstance(told.get("ground"), str):
        found["ground"] = told["ground"]
    if isinstance(told.get("reason"), str):
        found["reason"] = told["reason"]
    absent = told.get(ABSENT)
    if isinstance(absent, list) and all(isinstance(name, str) for name in absent):
        found["absent"] = absent
    return found


def _line(text: str) -> str:
    """A sentence of ours, that quotes many names, as one line, whoever may have edited it; parts are not too long."""
    return " ".join(visible(word, MOST_OF_A_NAME) for word in text.split(" "))


# =====================================================================================================================
# What objects tell
# =====================================================================================================================

Kind = list[Mapping[str, Any]]
"""Objects of a dataset whose keys differ in digits and ids only, the newest first."""


def judge(key: str, head: Head, table_columns: Sequence[str]) -> Verdict:
    """What the head of one object says about its table.

    Only columns that are told for sure, and none of which is the table's but for what any table has, contradict it.
    """
    if not table_columns:
        return Verdict(key, Ground.NAMES, "the table has no known columns")
    return judge_columns(key, find_columns(head, table_columns), table_columns)


def judge_columns(key: str, found: FileColumns, table_columns: Sequence[str]) -> Verdict:
    """The same, where the columns have been found in the head."""
    if found.reason:
        return Verdict(key, Ground.UNREAD if found.unread else Ground.NAMES, found.reason)
    compared = compare_columns(table_columns, found.names)
    told = Verdict(key, Ground.HEADER, "", compared.shared, tuple(map(visible, found.names)), compared.is_other)
    if compared.fit is Fit.OTHER:
        reason = f"the file has {_shortened(found.names)}; the table has {_shortened(table_columns)}"
        return replace(told, ground=Ground.CONTRADICTION, reason=reason)
    if compared.fit is Fit.FEW or all_have(compared.shared):
        return replace(told, ground=Ground.FEW, reason=f"it shares only {_shortened(sorted(compared.shared))}")
    return told


def contest(told: Verdict, rival: Rival | None) -> Verdict:
    """What an object says, where another table may have its columns clearly better than the one of its name.

    Where that one has columns of its own that the file has not, it is not the file's table. Where the file has all of its
    columns, and more, its name decides, and the columns prove nothing.
    """
    if not rival or told.ground not in (Ground.HEADER, Ground.FEW, Ground.CONTRADICTION):
        return told
    if told.is_other:
        return replace(told, fitting=rival.candidates)
    more = f"its columns are rather those of {_shortened(rival.candidates)}: it has {_shortened(rival.more)}"
    if not rival.lacking:
        return replace(told, ground=Ground.FEW, reason=f"{more}, too", fitting=rival.candidates)
    reason = f"{more}, and no {_shortened(rival.lacking)}"
    return replace(told, ground=Ground.CONTRADICTION, reason=reason, is_other=True, fitting=rival.candidates)


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(map(visible, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def conclude(
    kinds: Sequence[Kind],
    told: Mapping[str, Verdict],
    columns: Sequence[str],
    forced: Container[str] = (),
) -> Evidence:
    """What the objects of a dataset tell together, by their kinds; `told` is what those that were asked say, by key.

    Each object is judged for itself. One with other columns is left out, and so is one that has few of the table's, lacks
    others, and has its own instead: tables that refer to each other share a key. What was not asked is as its kind is: the
    objects whose keys differ in digits only. A column is absent where no object that stays has it. `forced` are the keys
    that a line of the overrides or a job gives to the table: their columns cannot contradict it.
    """
    told = {key: _unforced(one) if key in forced else one for key, one in told.items()}
    against = _left_out(kinds, told, forced)
    asked = _newest_first(item for kind in kinds for item in kind if item["key"] in told)
    verdicts = tuple(told[item["key"]] for item in asked)
    etags = {item["key"]: item.get("etag") or item["key"] for item in asked}
    staying = [one for one in verdicts if one.key not in against]
    if verdicts and not staying:
        first = verdicts[0]
        against |= {item["key"]: first for kind in kinds for item in kind if item["key"] not in against}
        is_agreed = len({*etags.values()}) > 1
        left_out, fitting = _reasons(against)
        return Evidence(
            Ground.CONTRADICTION,
            first.key,
            first.reason,
            (),
            left_out,
            is_agreed=is_agreed,
            told=verdicts,
            fitting=fitting,
        )
    telling = [one for one in staying if one.ground is Ground.HEADER]
    if not any(one.ground is Ground.NAMES for one in staying):  # which may have the others
        telling = telling or [one for one in staying if one.ground is Ground.FEW]
    shared = frozenset[str]().union(*(one.shared for one in telling))
    absent = tuple(name for name in columns if name not in shared) if telling else ()
    is_agreed = len({etags[one.key] for one in telling}) > 1
    ground = min((one.ground for one in staying), key=[*Ground].index, default=Ground.NAMES)
    first = next((one for one in staying if one.ground is ground), Verdict("", ground, "none of its objects was asked"))
    left_out, fitting = _reasons(against)
    return Evidence(
        ground, first.key, first.reason, absent, left_out, is_agreed=is_agreed, told=verdicts, fitting=fitting
    )


def _reasons(against: Mapping[str, Verdict]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Why objects are left out, and which tables have their columns instead, as far as any do; by key."""
    fitting = {key: one.fitting for key, one in against.items() if one.fitting}
    return {key: one.reason for key, one in against.items()}, fitting


def _left_out(kinds: Sequence[Kind], told: Mapping[str, Verdict], forced: Container[str]) -> dict[str, Verdict]:
    """What says that objects are none of the table's, by key: those that were asked, and those of a kind of which all were
    so."""
    against = {key: one for key, one in told.items() if one.is_other}
    for kind in kinds:
        asked = [item["key"] for item in kind if item["key"] in told]
        if asked and all(key in against for key in asked):
            first = against[asked[0]]
            like = replace(first, reason=f"as {visible(first.key, MOST_OF_A_NAME)}: {first.reason}")
            against |= {item["key"]: like for item in kind if item["key"] not in told and item["key"] not in forced}
    return against


def _unforced(told: Verdict) -> Verdict:
    """What an object tells whose table a line of the overrides or a job names."""
    if told.ground is Ground.CONTRADICTION:
        return Verdict(told.key, Ground.NAMES, f"decided against its columns: {told.reason}", columns=told.columns)
    if told.ground is Ground.UNREAD:
        return replace(told, ground=Ground.NAMES, reason=f"decided; {told.reason}")
    return replace(told, is_other=False, fitting=())  # few columns, and others of its own, leave it out no more


_VARYING = re.compile(r"[0-9a-f]{8,}|\d+", re.IGNORECASE)


def find_kinds(objects: Iterable[Mapping[str, Any]]) -> list[Kind]:
    """The objects by what their keys have in common besides dates, numbers and ids; the newest of each first."""
    kinds: dict[str, Kind] = {}
    for item in _newest_first(objects):
        kinds.setdefault(_VARYING.sub("0", item["key"]), []).append(item)
    return list(kinds.values())


def _newest_first(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the same moment, the one with the last name first."""
    return sorted(objects, key=lambda item: (item["last_modified"], item["key"]), reverse=True)


# =====================================================================================================================
# Reading from S3
# =====================================================================================================================


def gather_evidence(
    client: Any,
    bucket: str,
    datasets: Mapping[str, Sequence[Mapping[str, Any]]],
    columns: Mapping[str, Sequence[str]],
    forced: Container[str] = (),
    doubtful: Container[str] = (),
    kept: KeptColumns | None = None,
    rivals: Rivals | None = None,
) -> dict[str, Evidence]:
    """The evidence for each table, from the objects of its dataset; `columns` are the names in the tables, and `forced`
    the keys that a line of the overrides or a job gives to a table. Those that are `doubtful` are in the dataset of each
    table that they may be of, and need columns that prove them to be of one alone; a dataset of which no object is left has
    no evidence.

    All objects of a small dataset are asked, and of a large one the newest few of each kind; see `conclude`. Whatever one
    object holds, or S3 answers for it, is that object's reason. The time is bounded, for one object and for all; what
    was not read in it is told, and contradicts nothing. An object whose columns are `kept` is not read again. `rivals` are
    all known tables: one of them may have the columns of a file clearly better than the table of its name.
    """
    kinds = {table: find_kinds(objects) for table, objects in datasets.items()}
    told = _ask_objects(client, bucket, kinds, columns, kept, rivals)
    unproven = _find_unproven(kinds, told, doubtful)
    evidence = {}
    for table in datasets:
        left = [[item for item in kind if item["key"] not in unproven[table]] for kind in kinds[table]]
        left = [kind for kind in left if kind]
        if left and columns.get(table):
            said = {key: one for key, one in told[table].items() if key not in unproven[table]}
            proven = frozenset(item["key"] for kind in left for item in kind if item["key"] in doubtful)
            found = conclude(left, said, columns[table], forced)
            evidence[table] = replace(found, proven=proven, unproven=unproven[table])
        elif left:
            evidence[table] = Evidence(Ground.NAMES, reason="the table has no known columns", unproven=unproven[table])
    return evidence


def _ask_objects(
    client: Any,
    bucket: str,
    kinds: Mapping[str, Sequence[Kind]],
    columns: Mapping[str, Sequence[str]],
    kept: KeptColumns | None,
    rivals: Rivals | None,
) -> dict[str, dict[str, Verdict]]:
    """What the objects that are asked tell, by table and key."""
    told: dict[str, dict[str, Verdict]] = {table: {} for table in kinds}
    asked = {table: objects_to_ask(kinds[table]) for table in kinds if columns.get(table)}
    # The newest of each first, in case that there is no time for all.
    rounds = itertools.zip_longest(*([(table, item) for item in items] for table, items in asked.items()))
    wanted = [one for rank in rounds for one in rank if one]
    with Progress("File headers", len(wanted)) as progress, FooterReader() as footers:
        reading = _Reading(client, bucket, footers, progress, len(wanted))
        while wanted:
            tables = dict.fromkeys(table for table, _ in wanted)
            unknown = []
            for table, item in wanted:
                known = kept.find(item, columns[table]) if kept else None
                if known:
                    told[table][item["key"]] = _judge_among(item["key"], known, table, columns[table], rivals)
                    progress.advance()
                else:
                    unknown.append((table, item))
            heads = reading.read_heads([item for _, item in unknown])
            for (table, item), head in zip(unknown, heads, strict=True):
                told[table][item["key"]] = _judge_anything(item, head, table, columns[table], kept, rivals)
            wanted = [(table, item) for table in tables for item in _objects_to_ask_next(kinds[table], told[table])]
    if reading.missed:
        logger.warning(
            "⚠️ %d file headers were not read, as S3 takes too long: they found no new lineage", reading.missed
        )
    return told


def _find_unproven(
    kinds: Mapping[str, Sequence[Kind]],
    told: Mapping[str, Mapping[str, Verdict]],
    doubtful: Container[str],
) -> dict[str, frozenset[str]]:
    """By table the doubtful objects that are not shown to be its own: by their columns, or those of others of their kind."""
    proven: dict[str, list[str]] = {}
    unsure = {
        table: [[item for item in kind if item["key"] in doubtful] for kind in own] for table, own in kinds.items()
    }
    for table, own in unsure.items():
        for kind in own:
            grounds = {item["key"]: told[table][item["key"]].ground for item in kind if item["key"] in told[table]}
            for item in kind if Ground.HEADER in grounds.values() else ():
                if grounds.get(item["key"], Ground.HEADER) is Ground.HEADER:
                    proven.setdefault(item["key"], []).append(table)
    return {
        table: frozenset(item["key"] for kind in own for item in kind if proven.get(item["key"]) != [table])
        for table, own in unsure.items()
    }


ALL_ASKED = 8  # a dataset of so many objects is asked whole
ASKED_OF_A_KIND, MOST_OF_A_KIND = 3, 9  # of a larger one; the second, where the first ones contradict
MOST_KINDS = 8


def objects_to_ask(kinds: Sequence[Kind]) -> list[Mapping[str, Any]]:
    """The objects of a dataset that are read: all, or the newest few of each of the kinds that came last."""
    if sum(map(len, kinds)) <= ALL_ASKED:
        return _newest_first(item for kind in kinds for item in kind)
    return [item for kind in kinds[:MOST_KINDS] for item in kind[:ASKED_OF_A_KIND]]


def _objects_to_ask_next(kinds: Sequence[Kind], told: Mapping[str, Verdict]) -> list[Mapping[str, Any]]:
    """The next ones of each kind of which no object that was asked speaks for the table."""
    wanted: list[Mapping[str, Any]] = []
    for kind in kinds:
        asked = [told[item["key"]].ground for item in kind if item["key"] in told]
        if len(asked) < MOST_OF_A_KIND and asked and set(asked) <= {Ground.CONTRADICTION, Ground.UNREAD}:
            wanted += [item for item in kind if item["key"] not in told][:ASKED_OF_A_KIND]
    return wanted


def _judge_anything(
    item: Mapping[str, Any],
    head: Head,
    table: str,
    table_columns: Sequence[str],
    kept: KeptColumns | None,
    rivals: Rivals | None,
) -> Verdict:
    try:
        found = find_columns(head, table_columns)
        if kept and not head.reason:  # a reason of the head may be one of today
            kept.keep(item, table_columns, found)
        return _judge_among(item["key"], found, table, table_columns, rivals)
    except Exception as error:  # no file may end a run
        return Verdict(item["key"], Ground.UNREAD, f"its columns cannot be compared: {type(error).__name__}")


def _judge_among(
    key: str, found: FileColumns, table: str, table_columns: Sequence[str], rivals: Rivals | None
) -> Verdict:
    """What an object says of its table, among all that are known."""
    told = judge_columns(key, found, table_columns)
    return contest(told, rivals.find(table, found.names)) if rivals and found.names else told


class _Reading:
    """One go at the heads of many objects, in bounded time."""

    def __init__(self, client: Any, bucket: str, footers: FooterReader, progress: Progress, objects: int) -> None:
        self.client, self.bucket, self.footers, self.progress = client, bucket, footers, progress
        self.deadline = time.monotonic() + SECONDS + SECONDS_AN_OBJECT * objects
        self.slow_in_a_row = self.missed = 0

    def read_heads(self, objects: Sequence[Mapping[str, Any]]) -> list[Head]:
        """The heads of some objects, in their order, several read at once."""
        heads = [NOT_TRIED] * len(objects)
        if self.slow_in_a_row < SLOW_IN_A_ROW:
            found = map_in_time(self._read_object, objects, READERS, OBJECT_SECONDS, self.deadline)
            with contextlib.closing(found):
                self._collect(found, heads)
        self.missed += sum(head in (TOO_SLOW, NOT_TRIED) for head in heads)
        return heads

    def _collect(self, found: Iterable[tuple[int, Head | bytes | None]], heads: list[Head]) -> None:
        """Put the heads to their numbers, until all are there, or S3 has been too slow too often."""
        for number, head in found:
            if head is None:
                head = TOO_SLOW if time.monotonic() < self.deadline else NOT_TRIED
            elif isinstance(head, bytes):
                head = self.footers.read(head) if time.monotonic() < self.deadline else NOT_TRIED
            heads[number] = head
            self.progress.advance()
            self.slow_in_a_row = self.slow_in_a_row + 1 if head == TOO_SLOW else 0
            if self.slow_in_a_row >= SLOW_IN_A_ROW:
                return

    def _read_object(self, item: Mapping[str, Any]) -> Head | bytes:
        return _read_head(self.client, self.bucket, item["key"], item["size"])


class _ShortError(Exception):
    """S3 sent another number of bytes than the listing has."""


def _read_head(client: Any, bucket: str, key: str, size: int) -> Head | bytes:
    """The head of an object, from at most LARGEST_READ of its bytes, or its Parquet footer, or why it cannot be read."""
    from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

    def read(start: int, end: int) -> bytes:
        answer = client.get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{end - 1}")
        with contextlib.closing(answer["Body"]) as body:
            content: bytes = body.read(end - start)
        if len(content) != end - start:
            raise _ShortError
        return content

    try:
        if not size:
            return Head(reason="it is empty", unread=True)
        found = Head()
        for length in (FIRST_READ, LARGEST_READ):
            head = read(0, min(length, size))
            if kind := tail_format(head):
                return _read_footer(kind, read, size)
            found = parse_head(head, length >= size, key)
            if length >= size or not found.cut_off:
                break
        return found
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        denied = code in ("AccessDenied", "AllAccessDisabled", "Forbidden", "403")
        return Head(
            reason="reading it is denied"
            if denied
            else f"it cannot be read: S3 answered {visible(code, MOST_OF_A_NAME)}",
            unread=True,
        )
    except (ConnectTimeoutError, ReadTimeoutError):
        return TOO_SLOW
    except _ShortError:
        return Head(reason="it cannot be read: it has another size than the listing says", unread=True)
    except Exception as error:  # whatever a strange answer or file does in a library is this object's reason
        return Head(reason=f"it cannot be read: {type(error).__name__}", unread=True)


def _read_footer(kind: str, read: Callable[[int, int], bytes], size: int) -> Head | bytes:
    """The footer of a Parquet or ORC object, or why there is none."""
    found = find_footer(read(max(0, size - FIRST_READ), size))
    if isinstance(found, int) and found <= min(LARGEST_READ, size):
        found = find_footer(read(size - found, size))
    if found is None:
        return Head(reason=f"it is no {kind} file", unread=True)
    return found if isinstance(found, bytes) else Head(reason=f"its {kind} footer is too large to be read")


def read_columns(client: Any, bucket: str, key: str, size: int) -> FileColumns:
    """The columns that one object of `size` bytes tells by itself, whatever table it is of, or why it tells none."""
    with FooterReader() as footers:
        reading = _Reading(client, bucket, footers, Progress("File header"), 1)
        (head,) = reading.read_heads([{"key": key, "size": size}])
    try:
        return find_columns(head, ())
    except Exception as error:  # no file may end a check
        return FileColumns(reason=f"its columns cannot be told: {type(error).__name__}", unread=True)
