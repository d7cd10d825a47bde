"""Scope: which tables are looked at, and that what nobody looks at is not taken for something else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc.matching import MatchOutcome, ObjectMatch, match_s3_objects
from delta_arc.scope import Scope, in_scope, objects_in_scope, parse_scope, unused_patterns
from delta_arc.settings import read_settings
from runtime.errors import SettingsError

PLACE = "default/postgres/1"
ROWS = [
    [f"{PLACE}/shop", "shop", "Database"],
    *([f"{PLACE}/shop/{schema}", schema, "Schema"] for schema in ("public", "audit", "a/b")),
    *(
        row
        for table in ("public/orders", "public/tmp_orders", "audit/orders", "a/b/orders")
        for row in (
            [f"{PLACE}/shop/{table}", table.rpartition("/")[2], "View" if "a/b" in table else "Table"],
            [f"{PLACE}/shop/{table}/id", "id", "Column"],
        )
    ),
]  # fmt: skip


def tables(text: str) -> set[str]:
    rows = in_scope(ROWS, parse_scope(text))
    found = {row[0] for row in rows if row[2] in ("Table", "View")}
    assert {row[0].removesuffix("/id") for row in rows if row[2] == "Column"} == found
    assert sum(row[2] in ("Database", "Schema") for row in rows) == 4
    return {name.removeprefix(f"{PLACE}/shop/") for name in found}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", {"public/orders", "public/tmp_orders", "audit/orders", "a/b/orders"}),
        ("public/*", {"public/orders", "public/tmp_orders"}),
        ("PUBLIC/*, !*/tmp_*", {"public/orders"}),
        ("!audit/*", {"public/orders", "public/tmp_orders", "a/b/orders"}),
        ("shop/audit/*, */tmp_*", {"audit/orders", "public/tmp_orders"}),
        ("store/*/*", set()),
        ("*/orders, !shop/public/orders", {"audit/orders", "a/b/orders"}),
        (" , public/orders,", {"public/orders"}),
    ],
)
def test_tables_out_of_scope_are_left_out_with_their_columns(text: str, left: set[str]) -> None:
    assert tables(text) == left


def test_what_fits_no_table_is_told() -> None:
    assert unused_patterns(ROWS, parse_scope("public/*, publik/*, !*/tmp_*, !*/temp_*")) == ["publik/*", "!*/temp_*"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("public", "public is no schema/table"),
        ("a/b/c/d", "a/b/c/d is no schema/table"),
        ("public/", "public/ is no schema/table"),
        ("!", "! is no schema/table"),
        ("public/{table}", "a name in braces says nothing in public/{table}"),
        ("public/[z-a]", "range"),
    ],
)
def test_what_is_no_scope_is_told_with_its_setting(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_scope(text)
    with pytest.raises(SettingsError) as raised:
        read_settings({"SNOWFLAKE_SCOPE": text, "POSTGRES_SCOPE": "public/*"})
    (fault,) = raised.value.faults
    assert fault.startswith("SNOWFLAKE_SCOPE cannot be read (")
    assert says in fault


def test_an_object_of_a_table_that_nobody_looks_at_is_no_other_tables() -> None:
    rows = in_scope(ROWS, parse_scope("public/*"))
    keys = ["audit/orders.csv", "public/orders.csv", "orders.csv", "tmp_orders.csv", "x.csv"]
    found = objects_in_scope(match_s3_objects(keys, ROWS), rows)
    assert [(match.table_qualified_name or "").removeprefix(f"{PLACE}/shop/") for match in found] == [
        "", "public/orders", "public/orders", "public/tmp_orders", "",
    ]  # fmt: skip
    assert [match.outcome for match in found[:3]] == [
        MatchOutcome.OUT_OF_SCOPE, MatchOutcome.MATCHED, MatchOutcome.MATCHED,
    ]  # fmt: skip
    assert objects_in_scope(match_s3_objects(keys, ROWS), ROWS) == match_s3_objects(keys, ROWS)
    refused = ObjectMatch("x", None, "other columns", MatchOutcome.NO_TABLE, (rows[4][0], f"{PLACE}/shop/audit/orders"))
    (left,) = objects_in_scope([refused], rows)
    assert (left.outcome, left.candidates) == (MatchOutcome.NO_TABLE, refused.candidates[:1])
    nothing = objects_in_scope(match_s3_objects(["orders.csv"], ROWS), in_scope(ROWS, parse_scope("x/*")))
    assert nothing[0].outcome is MatchOutcome.OUT_OF_SCOPE


@settings(max_examples=200, deadline=None)
@given(st.text("ab/*?[]!,{} ", max_size=12))
def test_a_scope_is_read_or_told(text: str) -> None:
    try:
        scope = parse_scope(text)
    except ValueError:
        return
    left = in_scope(ROWS, scope)
    assert all(row in ROWS for row in left)
    assert in_scope(left, scope) == left
    assert scope.text == text or scope == Scope()
