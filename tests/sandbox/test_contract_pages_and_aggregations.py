"""Searches over many assets: paging, counting, bulk mode and aggregations."""

from __future__ import annotations

import pytest
from helpers import Stack, column_of, names, new_stack, save, within
from pyatlan.errors import InvalidRequestError
from pyatlan.model.assets import Asset, Column, Table, View
from pyatlan.model.fluent_search import CompoundQuery

TABLES = [f"T{number:02}" for number in range(23)]


@pytest.fixture(scope="module")
def many(atlan) -> Stack:
    """23 tables, two views, and five columns of the first table; no test changes them."""
    stack = new_stack(atlan)
    tables = [stack.table(name) for name in TABLES]
    for number, table in enumerate(tables):
        table.row_count = number * 10
        table.owner_users = {"ada"} if number % 2 else {"ada", "bob"}
    views = [View.creator(name=name, schema_qualified_name=stack.schema) for name in ("V1", "V2")]
    save(atlan, *tables, *views)
    columns = [column_of(tables[0], f"c{order}", order) for order in range(1, 6)]
    for column in columns:
        column.data_type = "VARCHAR" if column.order > 2 else "INT"
    save(atlan, *columns)
    return stack


def tables_of(stack: Stack):
    return within(stack.connection).where(CompoundQuery.asset_type(Table))


@pytest.mark.parametrize("size", [1, 5, 23, 24, 300])
def test_paging_brings_each_asset_once(atlan, many, size):
    results = tables_of(many).page_size(size).execute(atlan)

    assert results.count == 23
    assert sorted(names(results)) == TABLES


def test_paging_in_an_order_with_ties(atlan, many):
    search = within(many.connection).page_size(4).sort(Asset.TYPE_NAME.order()).sort(Asset.NAME.order())

    found = [(asset.type_name, asset.name) for asset in search.execute(atlan)]

    assert len(found) == 32
    assert found == sorted(found)


def test_sort_without_other_criteria_is_by_guid(atlan, many):
    guids = [asset.guid for asset in tables_of(many).execute(atlan)]

    assert guids == sorted(guids)


def test_current_page_and_next_page(atlan, many):
    results = tables_of(many).page_size(10).execute(atlan)
    sizes = [len(results.current_page())]
    while results.next_page():
        sizes.append(len(results.current_page()))

    assert sizes == [10, 10, 3]


def test_count(atlan, many):
    assert tables_of(many).count(atlan) == 23
    assert within(many.connection).count(atlan) == 32
    assert tables_of(many).where(Asset.NAME.eq("none")).count(atlan) == 0


def test_no_hits(atlan, many):
    results = tables_of(many).where(Asset.NAME.eq("none")).execute(atlan)

    assert results.count == 0
    assert list(results) == []


@pytest.mark.parametrize("size", [1, 4, 300])
def test_bulk_mode_brings_each_asset_once_and_the_oldest_first(atlan, many, size):
    found = list(within(many.connection).page_size(size).execute(atlan, bulk=True))

    assert len({asset.guid for asset in found}) == len(found) == 32
    times = [asset.create_time for asset in found]
    assert all(times)
    assert times == sorted(times)


def test_bulk_mode_refuses_an_own_order(atlan, many):
    search = tables_of(many).sort(Asset.NAME.order())

    with pytest.raises(InvalidRequestError, match="ATLAN-PYTHON-400-063"):
        search.execute(atlan, bulk=True)


def test_process_assets_visits_each_once(atlan, many):
    visited: list[str] = []

    count = atlan.asset.process_assets(tables_of(many).page_size(10), lambda asset: visited.append(asset.name))

    assert count == 23
    assert sorted(visited) == TABLES


def buckets(results, key: str) -> dict[str, int]:
    return {str(bucket.key).lower(): bucket.doc_count for bucket in results.aggregations[key].buckets}


def test_buckets_by_type(atlan, many):
    results = within(many.connection).aggregate("types", Asset.TYPE_NAME.bucket_by()).execute(atlan)

    assert buckets(results, "types") == {"table": 23, "column": 5, "view": 2, "database": 1, "schema": 1}
    assert [b.doc_count for b in results.aggregations["types"].buckets][:3] == [23, 5, 2]
    assert results.count == 32


def test_buckets_without_hits(atlan, many):
    search = within(many.connection).page_size(0).aggregate("types", Asset.TYPE_NAME.bucket_by())

    results = search.execute(atlan)

    assert buckets(results, "types")["table"] == 23
    assert results.current_page() == []


def test_size_of_buckets(atlan, many):
    results = within(many.connection).aggregate("types", Asset.TYPE_NAME.bucket_by(size=2)).execute(atlan)

    assert buckets(results, "types") == {"table": 23, "column": 5}
    assert results.aggregations["types"].sum_other_doc_count == 4


def test_each_value_of_a_list_has_its_bucket(atlan, many):
    results = tables_of(many).aggregate("owners", Asset.OWNER_USERS.bucket_by()).execute(atlan)

    assert buckets(results, "owners") == {"ada": 23, "bob": 12}


def test_nested_buckets(atlan, many):
    by_type = Asset.TYPE_NAME.bucket_by(nested={"types": Column.DATA_TYPE.bucket_by()})

    results = within(many.connection).aggregate("kinds", by_type).execute(atlan)

    [columns] = [b for b in results.aggregations["kinds"].buckets if b.key.lower() == "column"]
    inner = {str(bucket.key).lower(): bucket.doc_count for bucket in columns.nested_results["types"].buckets}
    assert inner == {"varchar": 3, "int": 2}


def test_source_value_of_a_bucket(atlan, many):
    # Inferred: top_hits hands back the stored value, whose case a normalised bucket key has lost.
    search = tables_of(many).aggregate("names", Asset.NAME.bucket_by(size=50, include_source_value=True))

    results = search.execute(atlan)

    assert {b.get_source_value(Asset.NAME) for b in results.aggregations["names"].buckets} == set(TABLES)


def test_metrics(atlan, many):
    search = tables_of(many)
    for key, metric in {
        "min": Table.ROW_COUNT.min(), "max": Table.ROW_COUNT.max(),
        "sum": Table.ROW_COUNT.sum(), "avg": Table.ROW_COUNT.avg(),
    }.items():  # fmt: skip
        search = search.aggregate(key, metric)

    aggregations = search.execute(atlan).aggregations

    assert {key: aggregations[key].value for key in aggregations} == {"min": 0, "max": 220, "sum": 2530, "avg": 110}
