"""How well the columns of two tables, or of a table and a file, fit each other. Pure functions."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from delta_arc.keys import fold


class Fit(Enum):
    """What two lists of columns say of each other."""

    SAME = "the same columns"
    """More than half of the shorter list, and half of what not any table has; or every one of both."""
    FEW = "few columns"
    OTHER = "other columns"
    """Nothing but what any table has, where both have more than that."""
    UNKNOWN = "unknown columns"
    """One side has none, or keeps its rows in one."""


@dataclass(frozen=True)
class Comparison:
    """How columns fit others: the names `shared`, and those that the others lack, both as the first list has them;
    `foreign` are the names that only the others have.

    `is_other` says that they are of something else: nothing is shared but what any table has, or little, while both have
    columns of their own. Tables that refer to each other share a key, and a mart is called like what it is made of.
    """

    fit: Fit
    shared: frozenset[str]
    foreign: tuple[str, ...]
    is_other: bool
    share: float  # of the shorter list, not counting keys and times


# What most tables have, so that two that share it need not be the same: keys of rows, and times and marks of changes; as
# `letters_and_digits` writes them.
MARKS = frozenset([
    "id", "uuid", "guid", "pk", "key", "rowid", "rowkey", "rownumber", "seq", "sequence", "index", "date", "time", "datetime",
    "day", "month", "year", "timestamp", "ts", "created", "createdat", "createdon", "createdby", "createddate", "createdtime",
    "createtime", "creationdate", "dateadded", "datecreated", "updated", "updatedat", "updatedon", "updatedby", "updateddate",
    "updatedtime", "updatetime", "lastupdated", "lastupdate", "dateupdated", "modified", "modifiedat", "modifiedon",
    "modifiedby", "modifieddate", "modifiedtime", "lastmodified", "datemodified", "changedat", "deleted", "deletedat",
    "deletedby", "isdeleted", "insertedat", "insertdate", "insertedon", "loadedat", "loaddate", "loadtime", "loadts",
    "ingestedat", "extractedat", "syncedat", "version", "hash", "checksum", "source", "sourcefile", "filename", "file",
])  # fmt: skip
# What many have, and only together says something.
LABELS = frozenset([
    "name", "title", "label", "description", "comment", "comments", "note", "notes", "code", "type", "kind", "status", "state",
    "value", "active", "isactive", "enabled",
])  # fmt: skip
GENERIC = MARKS | LABELS

# The one column, or the few, in which a landing keeps whole records: Snowflake's examples of VARIANT tables (user guide,
# "Querying Semi-structured Data": `src`, `v`), and its Kafka connector (RECORD_CONTENT, RECORD_METADATA).
RECORDS = frozenset([
    "v", "src", "raw", "rawdata", "data", "json", "rawjson", "jsondata", "payload", "variant", "record",
    "recordcontent", "recordmetadata", "content", "body", "doc", "document", "message", "event", "value", "line", "row",
])  # fmt: skip


def is_loaders_own(name: str) -> bool:
    """Whether a column was added by what loaded the rows: `_FILE`, `_LOADED_AT`, `_FIVETRAN_SYNCED`, `_dlt_id`."""
    return name.startswith("_")


def all_have(columns: Iterable[str]) -> bool:
    """Whether these are only such columns as any table has, which prove nothing about one, even if they are all of its own."""
    return not _count(columns, GENERIC)


def keeps_records(columns: Iterable[str]) -> bool:
    """Whether a table keeps whole records in one column, so that its columns say nothing about what they hold."""
    own = {letters_and_digits(name) for name in columns if not is_loaders_own(name)}
    return len(own) < 2 or (bool(own & RECORDS) and own <= RECORDS | GENERIC)


def compare_columns(columns: Sequence[str], others: Sequence[str]) -> Comparison:
    """How the columns of a table fit those of a file, or of another table."""
    return _compare(tuple(columns), tuple(others))


@functools.lru_cache(maxsize=256)  # the files of one table mostly have the same columns
def _compare(columns: tuple[str, ...], others: tuple[str, ...]) -> Comparison:
    pairs = pair_names(columns, others)
    shared, reached = {left for left, _ in pairs}, {right for _, right in pairs}
    foreign = tuple(name for name in others if name not in reached and not is_loaders_own(name))
    own = [name for name in columns if not is_loaders_own(name) or name in shared]
    fit = _fit(own, others, shared, foreign)
    common = _count(shared, MARKS)
    share = common / max(1, min(_count(own, MARKS), common + _count(foreign, MARKS)))
    both_have_own = bool(foreign) and len(shared) < len(own)
    is_other = fit is Fit.OTHER or (fit is Fit.FEW and both_have_own and 2 * share <= 1)
    return Comparison(fit, frozenset(shared), foreign, is_other, share)


def _fit(own: Sequence[str], others: Sequence[str], shared: set[str], foreign: Sequence[str]) -> Fit:
    if not own or not others:
        return Fit.UNKNOWN
    if not foreign and len(shared) == len(own):
        return Fit.SAME
    telling, rest = _count(shared, GENERIC), _count(foreign, GENERIC)
    smaller = min(_count(own, GENERIC), telling + rest)
    if telling and 2 * telling >= smaller and 2 * len(shared) > min(len(own), len(shared) + len(foreign)):
        return Fit.SAME
    return Fit.FEW if _count(shared, MARKS) or (shared and not smaller) else Fit.OTHER


def _count(names: Iterable[str], but: frozenset[str]) -> int:
    """How many there are, not counting these."""
    return sum(letters_and_digits(name) not in but for name in names)


def pair_names(left: Iterable[str], right: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names of columns: the same, then the same in any case, then the same letters and digits.

    Each rule takes only pairs that are unambiguous under it; one name is in at most one pair. The last rule takes no
    `_MODIFIED` for `modified`: on the right, which is loaded, that is the loader's own.
    """
    lefts, rights = list(left), list(right)
    pairs: list[tuple[str, str]] = []
    for form in (str, fold, letters_and_digits):
        if form is letters_and_digits:
            rights = [name for name in rights if not is_loaders_own(name)]
        by_form: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for side, names in enumerate((lefts, rights)):
            for name in names:
                by_form[form(name)][side].append(name)
        found = [(own[0], other[0]) for own, other in by_form.values() if len(own) == 1 and len(other) == 1]
        pairs += found
        taken_left, taken_right = {pair[0] for pair in found}, {pair[1] for pair in found}
        lefts = [name for name in lefts if name not in taken_left]
        rights = [name for name in rights if name not in taken_right]
    return pairs


def letters_and_digits(name: str) -> str:
    """`CUSTOMER_ID` and `CustomerId` alike; a name without any letter or digit stays as it is."""
    return "".join(character for character in fold(name) if character.isalnum()) or name
