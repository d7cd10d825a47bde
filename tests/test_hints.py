"""Hints: one for each group, with lines that settle just that group."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc import hints as module
from delta_arc.cores import core_of
from delta_arc.hints import (
    NearNames,
    NearTargets,
    OpenTable,
    explain_objects,
    explain_tables_without,
)
from delta_arc.matching import MatchOutcome, ObjectMatch, match_s3_objects
from delta_arc.overrides import Overrides
from delta_arc.overrides_file import parse_overrides
from delta_arc.overriding import override_objects, override_tables
from delta_arc.pairing import match_tables
from delta_arc.report import Unmatched

PLACE = "default/postgres/1/shop"
SOURCES = [
    [f"{PLACE}/{name}", name.rpartition("/")[2], "Table"]
    for name in ("public/orders", "audit/orders", "public/customers", "public/order_items")
]


def parse(text: str, sources: Sequence[Sequence[str]] = SOURCES, targets: Sequence[Sequence[str]] = ()) -> Overrides:
    return parse_overrides("o.txt", text, sources, targets)


def hinted(keys: Sequence[str], text: str = "") -> tuple[list[ObjectMatch], list[Unmatched]]:
    overrides = parse(text)
    matches, _ = override_objects(overrides, match_s3_objects(keys, SOURCES))
    return matches, explain_objects(matches, SOURCES, overrides)


def test_files_of_one_folder_are_one_hint_with_a_line_for_each_candidate() -> None:
    keys = [f"in/orders_{day:02d}.csv" for day in range(1, 29)] + ["in/customers.csv"]
    _, (hint,) = hinted(keys)
    assert (hint.count, hint.names[:3]) == (28, ("in/orders_01.csv", "in/orders_02.csv", "in/orders_03.csv"))
    assert hint.sentence == (
        f"28 S3 objects match no table (ambiguous: {PLACE}/audit/orders, {PLACE}/public/orders), like in/orders_01.csv"
    )
    assert hint.lines == ("object 'in/orders_*.csv' is audit/orders", "object 'in/orders_*.csv' is public/orders")


def test_markers_are_a_count() -> None:
    keys = [f"out/{number}/_SUCCESS" for number in range(400)] + ["out/x.csv.md5", "out/unknown.csv"]
    _, (unknown, markers) = hinted(keys)
    assert (unknown.count, unknown.is_note) == (1, False)
    assert (markers.count, markers.is_note, markers.lines) == (401, True, ())
    assert markers.sentence == "401 S3 objects are no data, like out/0/_SUCCESS"


def test_an_object_hint_names_the_nearest_tables() -> None:
    _, (hint,) = hinted(["in/custmers.csv"])
    assert hint.lines == ("object in/custmers.csv is public/customers", "object in/custmers.csv is nothing")
    _, (hint,) = hinted(["in/ordr_item/dt=2025-09-21/part-0.csv"])
    assert hint.lines[0].endswith("is public/order_items")
    _, (hint,) = hinted(["in/weather.csv"])
    assert hint.lines == ("object in/weather.csv is nothing",)


def test_a_folder_of_strangers_is_one_hint() -> None:
    keys = [f"images/{name}.csv" for name in ("cat", "dog", "fish", "owl", "bee", "ant", "yak")] + ["in/a.csv"]
    _, (folder, _) = hinted(keys)
    assert (folder.count, folder.lines) == (7, ("object 'images/*' is nothing",))
    # One file of a table in there, and the folder cannot be named as a whole.
    _, found = hinted([*keys, "images/orders.csv", "images/public/customers.csv"])
    assert all("images/*" not in line for hint in found for line in hint.lines)


def test_a_pattern_that_would_fit_another_is_made_narrower() -> None:
    _, found = hinted(["in/x1.csv", "in/x2.csv", "in/x_zzz.csv"])
    assert [hint.lines[-1] for hint in found] == ["object 'in/x[0-9].csv' is nothing", "object in/x_zzz.csv is nothing"]
    _, found = hinted(["in/defaced.csv", "in/effaced.csv", "in/2dd664f9.csv"])
    assert [hint.count for hint in found] == [1, 1, 1]
    # Keys are no longer than 1,024 bytes, patterns of them may be.
    _, found = hinted([f"in/{digit * 1000}.csv" for digit in "12"] + ["in/x.csv"])
    assert sum(hint.count for hint in found) == 3


def test_what_was_set_aside_for_a_reason_is_a_note() -> None:
    _, (hint,) = hinted(["rejected/customers_1.csv", "rejected/customers_2.csv"])
    assert (hint.is_note, hint.count) == (True, 2)


KEY = st.lists(
    st.sampled_from(
        ["orders", "x", "1", "22", "-", "_", "/", ".", "a9", "2dd664f9", "*", "[", "{", "?", " ", "rejected", "\x07"]
    ),
    min_size=1,
    max_size=6,
).map(lambda parts: f"in/{''.join(parts)}.csv".replace("//", "/"))


@settings(max_examples=80, deadline=None)
@given(keys=st.lists(KEY | st.just("nothing"), min_size=1, max_size=25, unique=True), data=st.data())
def test_a_pasted_line_settles_its_group_and_nothing_else(keys: list[str], data: st.DataObject) -> None:
    before, found = hinted(keys)
    told = [match.key for match in before if not match.table_qualified_name]
    assert sum(hint.count for hint in found) == len(told)
    with_lines = [hint for hint in found if hint.lines]
    if not with_lines:
        return
    hint = data.draw(st.sampled_from(with_lines))
    line = data.draw(st.sampled_from(hint.lines))
    after, left = hinted(keys, line)
    changed = [one.key for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == hint.count
    assert set(hint.names[:3]) <= set(changed)
    assert not {key for other in left for key in other.names} & set(changed)
    assert sum(other.count for other in left) == len(told) - hint.count


def test_hints_of_a_hundred_thousand_keys_take_seconds() -> None:
    sources = [[f"{PLACE}/public/table_{at}", f"table_{at}", "Table"] for at in range(5000)]
    keys = [f"in/{'abcdefghij'[at % 10]}{chr(97 + at // 10 % 26)}{at % 997}/{at}_q.csv" for at in range(100_000)]
    matches = [ObjectMatch(key, None, "names no table", MatchOutcome.NO_TABLE) for key in keys]
    start = time.process_time()
    found = explain_objects(matches, sources, parse("", sources))
    assert time.process_time() - start < 60
    assert sum(hint.count for hint in found) == 100_000


def test_a_pattern_that_takes_too_long_to_prove_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PROVEN", 3)
    _, found = hinted([f"in/x{number}.csv" for number in range(5)])
    assert [hint.lines[-1] for hint in found] == [f"object in/x{number}.csv is nothing" for number in range(5)]


# Tables


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("STG_ORDERS", "order"), ("orders_staging", "order"), ("RAW_ORDER_ITEMS", "order_item"), ("Orders_V", "order"),
        ("categories", "category"), ("boxes", "box"), ("address", "address"), ("status", "status"), ("stg", "stg"), ("_", "_"),
    ],
)  # fmt: skip
def test_a_name_has_a_core(name: str, core: str) -> None:
    assert core_of(name) == core


def rows(side: str, *names: str, kind: str = "Table") -> list[list[str]]:
    return [[f"default/{side}/1/D/{name}", name.rpartition("/")[2], kind] for name in names]


def test_near_targets_are_offered_tables_first() -> None:
    assets = [
        *rows("snowflake", "V/ORDERS", kind="View"),
        *rows("snowflake", "RAW/STG_ORDERS", "RAW/ORDER", "RAW/ORDERLY"),
    ]
    index = NearTargets(assets)
    assert index.find(rows("postgres", "p/orders")[0]) == [assets[2][0], assets[1][0], assets[0][0]]
    assert index.find(rows("postgres", "p/none")[0]) == []


def test_tables_of_a_schema_are_one_hint_and_views_a_note() -> None:
    tables = [*rows("postgres", "audit/a", "audit/b", "audit/c", "public/orders", "public/z", "public/y"),
              *rows("postgres", "audit_v/v", "audit_v/w", kind="View")]  # fmt: skip
    targets = rows("snowflake", "RAW/STG_ORDERS")
    overrides = parse("", tables, targets)
    open_tables = [OpenTable(row, "Snowflake table", "no table of that name") for row in tables if row[1] != "z"]
    found = explain_tables_without(open_tables, tables, NearTargets(targets), overrides)
    assert [(hint.sentence, hint.lines, hint.is_note) for hint in found] == [
        (
            "3 PostgreSQL tables of default/postgres/1/D/audit have no Snowflake table (no table of that name), like "
            "default/postgres/1/D/audit/a",
            ("table 'D/audit/*' goes to nothing",),
            False,
        ),
        (
            "PostgreSQL table default/postgres/1/D/public/orders has no Snowflake table (no table of that name; near "
            "default/snowflake/1/D/RAW/STG_ORDERS)",
            ("table public/orders goes to RAW/STG_ORDERS",),
            False,
        ),
        (
            "PostgreSQL table default/postgres/1/D/public/y has no Snowflake table (no table of that name)",
            ("table public/y goes to nothing",),
            False,
        ),
        (
            "2 PostgreSQL views of default/postgres/1/D/audit_v have no Snowflake table (no table of that name), like "
            "default/postgres/1/D/audit_v/v",
            ("table 'D/audit_v/*' goes to nothing",),
            True,
        ),
    ]
    for hint in found:
        overrides = parse(hint.lines[0], tables, targets)
        decided, _ = override_tables(overrides, match_tables(tables, targets, overrides.forbidden))
        assert sum(pair.outcome is MatchOutcome.OVERRIDDEN for pair in decided) == hint.count


def test_near_names_are_few_and_of_any_name() -> None:
    near = NearNames([[f"{PLACE}/s{at}/orders_{at % 3}", f"orders_{at % 3}", "Table"] for at in range(500)])
    assert len(near.find("orders")) == 3
    assert near.find("") == near.find("zzz") == []


@pytest.mark.parametrize(
    ("reason", "candidates", "told"),
    [
        ("only a view has that name", ("D/S/V",), "only a view has that name: D/S/V"),
        ("the table of that name has other columns", ("D/S/T",), "the table of that name has other columns: D/S/T"),
        ("ambiguous", ("D/R/T", "D/S/T"), "ambiguous: D/R/T, D/S/T"),
    ],
)
def test_candidates_are_named_behind_the_reason(reason: str, candidates: tuple[str, ...], told: str) -> None:
    (row,) = rows("postgres", "public/t")
    without = OpenTable(row, "Snowflake table", reason, candidates)
    (hint,) = explain_tables_without([without], [row], NearTargets([]), parse("", [row]))
    assert hint.sentence == f"PostgreSQL table {row[0]} has no Snowflake table ({told})"
