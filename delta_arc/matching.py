"""Which S3 object carries which table, which table lands in which, and which columns are the same: pure functions.

A key is read in its parts. The file's name names the table, or the nearest folder that is no partition does; dates,
counters and other marks that jobs add to a name are taken off where the whole name is no table. The schema decides
between tables of one name. Names compare case-insensitively. Where two candidates fit and nothing tells them apart,
there is no match and both are named: a missing edge in lineage beats a wrong one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from delta_arc.keys import (
    SEPARATOR,
    KeyParts,
    fold,
    has_false_date,
    is_anonymous,
    is_partition,
    parse_key,
    says_other_content,
    stripped,
    without_data_extension,
)

AssetRow = Sequence[str]
"""`[qualified_name, name, type_name]`, as the discovery returns it."""

TABLE_TYPES = ("Table", "View", "MaterialisedView")
TARGET_TYPES = ("Table",)


class Outcome(Enum):
    """What became of a key or of a source table. Behaviour asks this, never the wording of a rule."""

    MATCHED = "matched"
    NOT_DATA = "not data"
    NO_TABLE = "no table"
    AMBIGUOUS = "ambiguous"
    OVERRIDDEN = "overridden"
    """A line of the overrides decided, for a table or for none."""


@dataclass(frozen=True)
class ObjectMatch:
    """What one S3 key was found to be: a table's qualified name or None, and the rule that said so, for people.

    `candidates` are the qualified names of the tables between which nothing decides; empty unless it is ambiguous.
    """

    key: str
    table_qualified_name: str | None
    rule: str
    outcome: Outcome
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class TablePair:
    """A source table and the target table that it lands in, as qualified names; `target` is None where none fits.

    Where several fit (`outcome` is AMBIGUOUS), `candidates` are these targets; or, where other sources claim the same
    target, they are these sources, and `contested_target` is the target.
    """

    source: str
    target: str | None
    rule: str
    outcome: Outcome
    candidates: tuple[str, ...] = ()
    contested_target: str | None = None


NOT_DATA = "not data"
NO_TABLE = "names no table"
AMBIGUOUS = "ambiguous"

# =====================================================================================================================
# Assets
# =====================================================================================================================


def parent_of(qualified_name: str, name: str) -> str:
    """The parent's qualified name: the own one less `/` and the name, which may itself hold slashes."""
    return qualified_name[: -len(name) - 1]


def places_of(assets: Iterable[AssetRow]) -> dict[str, tuple[str, str]]:
    """The names of the database and the schema of each table, which may hold slashes where their own rows are given."""
    rows = {row[0]: row for row in assets}
    places = {}
    for row in rows.values():
        if row[2] not in ("Database", "Schema", "Column"):
            schema = parent_of(row[0], row[1])
            schema_name = rows[schema][1] if schema in rows else schema.rpartition("/")[2]
            database = parent_of(schema, schema_name)
            places[row[0]] = (rows[database][1] if database in rows else database.rpartition("/")[2], schema_name)
    return places


def tables_in(assets: Iterable[AssetRow], types: Iterable[str] = TABLE_TYPES) -> list[AssetRow]:
    wanted = frozenset(types)
    return [row for row in assets if row[2] in wanted]


def columns_by_parent(assets: Iterable[AssetRow]) -> dict[str, list[AssetRow]]:
    """Columns by the qualified name of the table that they belong to."""
    columns: dict[str, list[AssetRow]] = defaultdict(list)
    for row in assets:
        if row[2] == "Column":
            columns[parent_of(row[0], row[1])].append(row)
    return columns


# =====================================================================================================================
# Objects and tables
# =====================================================================================================================


@dataclass
class TableIndex:
    """Tables by every form in which a key can name them: alone, or with the schema (and database) before the name."""

    by_name: dict[str, list[AssetRow]] = field(default_factory=lambda: defaultdict(list))
    by_full_name: dict[str, list[AssetRow]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    schemas: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    longest_path: int = 1

    @classmethod
    def of(cls, assets: Iterable[AssetRow]) -> TableIndex:
        assets = list(assets)
        index = cls(places=places_of(assets))
        for row in assets:
            if row[0] not in index.places:
                continue
            database, schema = index.places[row[0]]
            index.schemas[fold(schema)].add(row[0])
            index.by_name[fold(row[1])].append(row)
            index.longest_path = max(index.longest_path, row[1].count("/") + 1)
            for separator in ".-_":
                for front in ((schema,), (database, schema)):
                    index.by_full_name[fold(separator.join((*front, row[1])))].append(row)
        return index

    def find(self, name: str) -> list[AssetRow]:
        """The tables of this (folded) name; those that it names with their schema only where none has the plain name."""
        return self.by_name.get(name) or self.by_full_name.get(name) or self._after_a_server(name)

    def _after_a_server(self, name: str) -> list[AssetRow]:
        """The tables of a name like `server.schema.table`, as topics and exports of whole databases have it."""
        if name.count(".") < 2 or says_other_content(name):
            return []
        return self.by_full_name.get(".".join(name.split(".")[-2:])) or []


def match_s3_objects(keys: Iterable[str], tables: Iterable[AssetRow]) -> list[ObjectMatch]:
    """One match for each key, in their order; their order and that of the tables changes none of them.

    Rows of schemas and databases among the tables tell the names of these where they hold slashes.
    """
    index = TableIndex.of(tables)
    return [_match_key(key, index) for key in keys]


def _match_key(key: str, index: TableIndex) -> ObjectMatch:
    parts = parse_key(key)
    if not parts.names:
        return ObjectMatch(key, None, NOT_DATA, Outcome.NOT_DATA)
    stem = fold(parts.names[-1])
    anonymous = is_anonymous(stem)
    by_file, rule, folders = _name_by_file(parts, index, anonymous)
    if not by_file and stem.startswith("_"):
        return ObjectMatch(key, None, NOT_DATA, Outcome.NOT_DATA)
    by_folder, position, parted = _name_by_folder(parts.folders, index)
    whole_name = rule == "file name" and not parted and any(_stands_in(row, folders, index) for row in by_file)
    if by_file and by_folder and (parted or anonymous) and not whole_name and not _same_tables(by_file, by_folder):
        # The file's name is one that files of any table have, or it stands inside another table's partitions.
        return _ambiguous(key, [*by_file, *by_folder])
    if by_file:
        return _decide(key, by_file, rule, parts.names, folders, index)
    if by_folder and parted and not anonymous and (others := _other_tables_in(stem, by_folder, index)):
        return _ambiguous(key, [*by_folder, *others])
    if by_folder and (anonymous or (parted and not says_other_content(stem))):
        return _decide(key, by_folder, "folder", (parts.folders[position],), parts.folders[:position], index)
    return ObjectMatch(key, None, NO_TABLE, Outcome.NO_TABLE)


def _name_by_file(parts: KeyParts, index: TableIndex, anonymous: bool) -> tuple[list[AssetRow], str, tuple[str, ...]]:
    """The tables that the file's name names, by which rule, and the folders before that name."""
    for count in range(min(index.longest_path, len(parts.folders) + 1), 1, -1):
        folders = parts.folders[: len(parts.folders) - count + 1]
        for name in parts.names:
            found = index.by_name.get(fold("/".join((*parts.folders[len(folders) :], name))))
            if found:
                return found, "file name", folders
    for name in parts.names:
        found = index.find(fold(name))
        if found:
            return found, "file name", parts.folders
    rest = [] if anonymous else _longest_stripped(fold(parts.names[-1]), index)
    return rest, "file name without marks", parts.folders


def _longest_stripped(name: str, index: TableIndex) -> list[AssetRow]:
    """The tables named by the longest rest of a name; several rests of one length that name tables all count."""
    found: list[AssetRow] = []
    length = 0
    for rest in stripped(name):
        if len(rest) < length:
            break
        tables = index.find(rest) if rest else []
        if tables:
            length = len(rest)
            found += tables
    return found


def _name_by_folder(folders: tuple[str, ...], index: TableIndex) -> tuple[list[AssetRow], int, bool]:
    """The tables that the nearest folder names which is no partition, its position, and whether partitions follow it."""
    parted = False
    passed: list[AssetRow] = []
    position = len(folders) - 1
    if has_false_date("/".join(folders)):
        return [], -1, False
    while position >= 0:
        folder = fold(folders[position])
        named = re.fullmatch(r"(?:table|table_name|tablename|entity|stream|dataset)=(.+)", folder)
        name = named.group(1) if named else without_data_extension(folder)
        found = index.find(name)
        if found and is_anonymous(name):
            # A folder such as `data` may be a table, or just a folder of the one around it.
            passed += found
        elif found:
            return [*passed, *found], position, parted
        elif not is_anonymous(name) and not is_partition(name):
            rest = _longest_stripped(name, index)
            return ([*passed, *rest], position, parted) if rest else (passed, position + 1, parted)
        parted = parted or is_partition(name)
        position -= 1
    return passed, 0, parted


def _other_tables_in(stem: str, tables: list[AssetRow], index: TableIndex) -> list[AssetRow]:
    """Other tables that a run of words in a name names: the file may be of that table, or made of it."""
    words = re.split("(" + SEPARATOR + "+)", stem)
    runs = (
        "".join(words[start:end]) for start in range(0, len(words), 2) for end in range(start + 1, len(words) + 1, 2)
    )
    named = {row[0]: row for run in runs for row in index.by_name.get(run, [])}
    return [row for row in named.values() if row[0] not in {table[0] for table in tables}]


def _same_tables(left: list[AssetRow], right: list[AssetRow]) -> bool:
    return {row[0] for row in left} == {row[0] for row in right}


def _decide(
    key: str, found: list[AssetRow], rule: str, names: Sequence[str], folders: Sequence[str], index: TableIndex
) -> ObjectMatch:
    """One of the tables that a name names: by its schema, wherever the key tells it, then by the case of its name."""
    candidates = list({row[0]: row for row in found}.values())
    told = [_schema_evidence(row, names, folders, index) for row in candidates]
    if len(candidates) > 1:
        best = max(told)
        candidates = [row for row, evidence in zip(candidates, told, strict=True) if evidence == best]
    if len(candidates) > 1 and len({parent_of(row[0], row[1]) for row in candidates}) == 1:
        exact = [row for row in candidates if any(row[1] in name for name in names)]
        candidates = exact if len(exact) == 1 else candidates
    if len(candidates) > 1 or _other_schema_told(candidates[0], folders, max(told), index):
        return _ambiguous(key, candidates)
    return ObjectMatch(key, candidates[0][0], rule, Outcome.MATCHED)


def _schema_evidence(row: AssetRow, names: Sequence[str], folders: Sequence[str], index: TableIndex) -> tuple[int, int]:
    """How well a key tells a table's schema and database: in the name itself, or as a folder before it."""
    database, schema = index.places[row[0]]
    folded = [re.sub(r"^(schema|database|db)=|\.db$", "", fold(folder)) for folder in folders]
    in_name = any(fold(f"{schema}{separator}{row[1]}") in fold(name) for name in names for separator in ".-_")
    as_folder = 0
    if fold(schema) in folded:
        as_folder = 2 if schema in folders else 1
    return (3 if in_name else as_folder, int(fold(database) in folded))


def _stands_in(row: AssetRow, folders: Sequence[str], index: TableIndex) -> bool:
    """Whether the folder next to the name is just the table's schema."""
    return bool(folders) and folders[-1] == index.places[row[0]][1]


def _other_schema_told(row: AssetRow, folders: Sequence[str], evidence: tuple[int, int], index: TableIndex) -> bool:
    """Whether the folder around the table is another schema's name: then it is that schema's table, which is not there."""
    if evidence > (0, 0):
        return False
    around = next((fold(folder) for folder in reversed(folders) if not is_partition(fold(folder))), "")
    return around in index.schemas and row[0] not in index.schemas[around]


def _ambiguous(key: str, candidates: Iterable[AssetRow]) -> ObjectMatch:
    return ObjectMatch(key, None, AMBIGUOUS, Outcome.AMBIGUOUS, tuple(sorted({row[0] for row in candidates})))


# =====================================================================================================================
# Tables and tables, columns and columns
# =====================================================================================================================


def match_tables(
    sources: Iterable[AssetRow], targets: Iterable[AssetRow], forbidden: Container[tuple[str, str]] = ()
) -> list[TablePair]:
    """Pair each source table with the target of its name; the same schema decides between several.

    Rows that are no tables may be among both; views are sources only. `forbidden` are pairs that can never be.
    """
    source_rows, target_rows = list(sources), list(targets)
    places = {**places_of(source_rows), **places_of(target_rows)}
    schemas = {table: fold(schema) for table, (_, schema) in places.items()}
    by_name: dict[str, list[AssetRow]] = defaultdict(list)
    for row in tables_in(target_rows, TARGET_TYPES):
        by_name[fold(row[1])].append(row)
    pairs = []
    for row in tables_in(source_rows):
        allowed = [target for target in by_name.get(fold(row[1]), []) if (row[0], target[0]) not in forbidden]
        pairs.append(_match_table(row, allowed, schemas))
    claims: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        if pair.target:
            claims[pair.target].append(pair.source)
    return [_resolve_claim(pair, claims, schemas) for pair in pairs]


def _match_table(source: AssetRow, candidates: list[AssetRow], schemas: dict[str, str]) -> TablePair:
    rule = "same name"
    if len(candidates) > 1:
        same_schema = [row for row in candidates if schemas[row[0]] == schemas[source[0]]]
        candidates, rule = same_schema or candidates, "same name and schema" if same_schema else rule
    if len(candidates) > 1:
        same_case = [row for row in candidates if row[1] == source[1]]
        one_schema = len({parent_of(row[0], row[1]) for row in candidates}) == 1
        candidates = same_case if one_schema and same_case else candidates
    if not candidates:
        return TablePair(source[0], None, "no table of that name", Outcome.NO_TABLE)
    if len(candidates) > 1:
        return TablePair(source[0], None, AMBIGUOUS, Outcome.AMBIGUOUS, tuple(sorted(row[0] for row in candidates)))
    return TablePair(source[0], candidates[0][0], rule, Outcome.MATCHED)


def _resolve_claim(pair: TablePair, claims: dict[str, list[str]], schemas: dict[str, str]) -> TablePair:
    """A target that several sources claim goes to the one in the schema of the same name, else to none."""
    claimants = claims.get(pair.target or "", [])
    if len(claimants) < 2 or not pair.target:
        return pair
    if [source for source in claimants if schemas[source] == schemas[pair.target]] == [pair.source]:
        return TablePair(pair.source, pair.target, "same name and schema", Outcome.MATCHED)
    return TablePair(
        pair.source, None, AMBIGUOUS, Outcome.AMBIGUOUS, tuple(sorted(set(claimants) - {pair.source})), pair.target
    )


def match_columns(sources: Iterable[AssetRow], targets: Iterable[AssetRow]) -> list[tuple[AssetRow, AssetRow]]:
    """Pairs of columns: the same name, then the same name in any case, then the same letters and digits.

    Each rule takes only pairs that are unambiguous under it; one column is in at most one pair.
    """
    left, right = list(sources), list(targets)
    pairs: list[tuple[AssetRow, AssetRow]] = []
    for form in (str, fold, letters_and_digits):
        by_form: dict[str, list[list[AssetRow]]] = defaultdict(lambda: [[], []])
        for side, rows in enumerate((left, right)):
            for row in rows:
                by_form[form(row[1])][side].append(row)
        found = [(own[0], other[0]) for own, other in by_form.values() if len(own) == 1 and len(other) == 1]
        pairs += found
        taken = {row[0] for pair in found for row in pair}
        left = [row for row in left if row[0] not in taken]
        right = [row for row in right if row[0] not in taken]
    return sorted(pairs, key=lambda pair: pair[0][0])


def letters_and_digits(name: str) -> str:
    """`CUSTOMER_ID` and `CustomerId` alike; a name without any letter or digit stays as it is."""
    return "".join(character for character in fold(name) if character.isalnum()) or name
