"""Which table lands in which: names, columns, places, and never a guess."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc.fit import Fit, compare_columns, keeps_records
from delta_arc.matching import MatchOutcome
from delta_arc.pairing import TablePair, match_columns, match_tables

POSTGRES, SNOWFLAKE = "default/postgres/1", "default/snowflake/1"
ORDER = ("id", "customer", "total", "ordered_on", "created_at")


def table(connection: str, path: str, columns: Sequence[str] = ORDER, type_name: str = "Table") -> list[list[str]]:
    """The rows of a table at `database/schema/table`, with those of its columns."""
    name = f"{connection}/{path}"
    return [[name, path.rpartition("/")[2], type_name], *([f"{name}/{column}", column, "Column"] for column in columns)]


def pair_of(source: Sequence[list[str]], *targets: Sequence[list[str]]) -> TablePair:
    (pair,) = match_tables(source, [row for rows in targets for row in rows])
    return pair


def target_of(source: Sequence[list[str]], *targets: Sequence[list[str]]) -> str | None:
    pair = pair_of(source, *targets)
    return pair.target and pair.target.removeprefix(f"{SNOWFLAKE}/")


SOURCE = table(POSTGRES, "shop/public/orders")
UPPER = [name.upper() for name in ORDER]
MART = ["ORDER_KEY", "CUSTOMER_KEY", "REVENUE", "ID", "CREATED_AT"]


def snowflake(path: str, columns: Sequence[str] = UPPER, type_name: str = "Table") -> list[list[str]]:
    return table(SNOWFLAKE, path, columns, type_name)


def test_a_table_with_other_columns_is_no_target() -> None:
    pair = pair_of(SOURCE, snowflake("DWH/MART/ORDERS", MART))
    assert (pair.target, pair.outcome) == (None, MatchOutcome.NO_TABLE)
    assert pair.rule == "the table of that name has other columns"
    assert pair.candidates == (f"{SNOWFLAKE}/DWH/MART/ORDERS",)


def test_a_target_may_have_renamed_half_of_its_columns_and_a_mart_shares_a_key() -> None:
    source = table(POSTGRES, "shop/public/orders", ["order_id", "customer", "total", "paid_on"])
    assert target_of(source, snowflake("D/S/ORDERS", ["ORDER_ID", "CUSTOMER", "AMOUNT", "PAYDAY"])) == "D/S/ORDERS"
    assert target_of(source, snowflake("D/S/ORDERS", ["ORDER_ID", "REVENUE", "MARGIN", "REGION"])) is None


@pytest.mark.parametrize(
    "columns",
    [
        ["RECORD"],
        ["SRC", "FILENAME", "_LOADED_AT"],
        ["RECORD_METADATA", "RECORD_CONTENT"],
        ["_AIRBYTE_RAW_ID", "_AIRBYTE_DATA"],
        [],
    ],
)
def test_a_landing_that_keeps_records_is_a_target_all_the_same(columns: list[str]) -> None:
    assert keeps_records(columns)
    assert target_of(SOURCE, snowflake("DWH/RAW/ORDERS", columns)) == "DWH/RAW/ORDERS"


@pytest.mark.parametrize(
    ("targets", "wanted", "rule"),
    [
        ([("DWH/MART/ORDERS", MART), ("DWH/RAW/ORDERS", UPPER)], "DWH/RAW/ORDERS", "same name and columns"),
        ([("PROD/CORE/ORDERS", UPPER), ("DEV/CORE/ORDERS", UPPER)], "PROD/CORE/ORDERS", "same name and environment"),
        (
            [("DWH/CORE/ORDERS", UPPER), ("DWH_TEST/PUBLIC/ORDERS", UPPER)],
            "DWH/CORE/ORDERS",
            "same name and environment",
        ),
        ([("DWH/CORE/ORDERS", UPPER), ("DWH/PUBLIC/ORDERS", UPPER)], "DWH/PUBLIC/ORDERS", "same name and schema"),
        ([("DWH/CORE/ORDERS", UPPER), ("SHOP/CORE/ORDERS", UPPER)], "SHOP/CORE/ORDERS", "same name and database"),
        (
            [("DWH/A/ORDERS", [*UPPER, "_FILE"]), ("DWH/B/ORDERS", [*UPPER[:4], "MARGIN"])],
            "DWH/A/ORDERS",
            "same name and all columns",
        ),
        ([("DWH/A/ORDERS", UPPER), ("DWH/B/ORDERS", UPPER)], None, "ambiguous"),
        ([("DEV/A/ORDERS", UPPER), ("TEST/A/ORDERS", UPPER)], None, "ambiguous"),
    ],
)
def test_columns_and_places_decide_between_twins(
    targets: list[tuple[str, list[str]]], wanted: str | None, rule: str
) -> None:
    for order in (targets, targets[::-1]):
        pair = pair_of(SOURCE, *(snowflake(*one) for one in order))
        assert (pair.target and pair.target.removeprefix(f"{SNOWFLAKE}/"), pair.rule) == (wanted, rule)


def test_a_source_of_another_environment_goes_to_its_own() -> None:
    source = table(POSTGRES, "shop_dev/public/orders")
    assert target_of(source, snowflake("PROD/CORE/ORDERS"), snowflake("DEV/CORE/ORDERS")) == "DEV/CORE/ORDERS"


def test_a_view_of_the_name_is_told_and_is_no_target() -> None:
    pair = pair_of(SOURCE, snowflake("DWH/MART/ORDERS", type_name="View"))
    assert (pair.target, pair.rule, pair.candidates) == (
        None,
        "only a view has that name",
        (f"{SNOWFLAKE}/DWH/MART/ORDERS",),
    )
    assert target_of(SOURCE, snowflake("D/A/ORDERS", type_name="View"), snowflake("D/B/ORDERS")) == "D/B/ORDERS"


def test_the_columns_tell_which_of_two_sources_a_target_is_filled_from() -> None:
    old = table(POSTGRES, "shop/old/orders", ["id", "shade", "weight"])
    pairs = {pair.source: pair.target for pair in match_tables([*SOURCE, *old], snowflake("DWH/CORE/ORDERS"))}
    assert pairs == {SOURCE[0][0]: f"{SNOWFLAKE}/DWH/CORE/ORDERS", old[0][0]: None}
    copy = table(POSTGRES, "shop/copy/orders")
    assert {pair.target for pair in match_tables([*SOURCE, *copy], snowflake("DWH/CORE/ORDERS"))} == {None}


# Columns


def test_what_a_loader_adds_is_no_partner() -> None:
    names = [["p/modified", "modified", "Column"], ["p/file", "file", "Column"], ["p/_id", "_id", "Column"]]
    others = [["s/_MODIFIED", "_MODIFIED", "Column"], ["s/_FILE", "_FILE", "Column"], ["s/_ID", "_ID", "Column"]]
    assert [(left[1], right[1]) for left, right in match_columns(names, others)] == [("_id", "_ID")]


@pytest.mark.parametrize(
    ("left", "right", "fit"),
    [
        (["id", "city"], ["ID", "City"], Fit.SAME),
        (["id", "name"], ["id", "name"], Fit.SAME),  # nothing but what any table has, but all of it
        (["id", "name", "created_at"], ["id", "name"], Fit.FEW),
        (["id", "created_at", "city"], ["id", "created_at", "shade"], Fit.OTHER),
        (["id", "created_at", "city"], ["id", "created_at"], Fit.FEW),
        (["id", "city", "street", "zip"], ["city", "zip"], Fit.SAME),  # a part of the columns
        (["id", "city", "street", "zip"], ["city", "share", "count"], Fit.FEW),
        (["id", "total"], ["total", "region", "share", "rank"], Fit.FEW),
        (["id", "city"], ["shade", "weight"], Fit.OTHER),
        (["id", "city"], ["id", "city", "_file", "_line", "_loaded_at", "_batch"], Fit.SAME),
        ([], ["id"], Fit.UNKNOWN),
        (["id"], [], Fit.UNKNOWN),
    ],
)
def test_fit(left: list[str], right: list[str], fit: Fit) -> None:
    assert compare_columns(left, right).fit is fit


names = st.lists(
    st.sampled_from(
        ["id", "name", "city", "street", "zip", "total", "region", "_file", "created_at", "orderId", "ORDER_ID"]
    ),
    unique=True,
)


@settings(max_examples=200, deadline=None)
@given(names, names, st.randoms())
def test_the_order_of_columns_decides_nothing(left: list[str], right: list[str], chance: random.Random) -> None:
    found = compare_columns(left, right)
    chance.shuffle(left)
    chance.shuffle(right)
    again = compare_columns(left, right)
    assert (found.fit, found.shared, {*found.foreign}) == (again.fit, again.shared, {*again.foreign})
    assert found.shared <= {*left}
    assert {*found.foreign} <= {*right}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", "DEV"]), st.sampled_from(["X", "PUBLIC"]), names), max_size=4, unique_by=lambda one: one[:2]),
    st.randoms(),
)  # fmt: skip
def test_the_order_of_tables_decides_nothing_and_a_target_is_never_of_other_columns(
    targets: list[tuple[str, str, list[str]]], chance: random.Random
) -> None:
    rows = [snowflake(f"{database}/{schema}/ORDERS", columns) for database, schema, columns in targets]
    found = pair_of(SOURCE, *rows)
    chance.shuffle(rows)
    assert pair_of(SOURCE, *rows) == found
    if found.target:
        columns = next(columns for a, b, columns in targets if found.target == f"{SNOWFLAKE}/{a}/{b}/ORDERS")
        assert keeps_records(columns) or compare_columns(ORDER, columns).fit is not Fit.OTHER
