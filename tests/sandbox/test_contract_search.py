"""What a search finds, and what it brings back of each hit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from helpers import (
    Stack,
    column_of,
    names,
    names_in_order,
    new_connection,
    new_stack,
    process_between,
    save,
    unique,
    within,
)
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import SQL, Asset, Column, Connection, MaterialisedView, Process, Table, View
from pyatlan.model.enums import AtlanConnectorType, SortOrder
from pyatlan.model.fluent_search import CompoundQuery, FluentSearch


@dataclass(frozen=True)
class Shop:
    """Three tables, a view, four columns and a process; no test changes them."""

    stack: Stack
    guids: dict[str, str]

    def where(self, *queries) -> FluentSearch:
        search = within(self.stack.connection)
        for query in queries:
            search = search.where(query)
        return search


@pytest.fixture(scope="module")
def shop(atlan) -> Shop:
    stack = new_stack(atlan)
    orders, returns, customers = (stack.table(name) for name in ("Orders_2024", "orders_2025", "CUSTOMERS"))
    orders.description, orders.row_count = "The quarterly Revenue report", 100
    returns.description, returns.row_count = "Report on revenue of each quarter", 250
    customers.user_description, customers.row_count = "People", 7
    view = View.creator(name="recent", schema_qualified_name=stack.schema)
    assets = [orders, returns, customers, view]
    guids = dict(zip([a.name for a in assets], save(atlan, *assets), strict=True))
    save(atlan, *(column_of(orders, name, order) for order, name in enumerate(["id", "total", "day", "note"], 1)))
    process = process_between(
        stack.connection, "job", [Table.ref_by_guid(guids["CUSTOMERS"])], [View.ref_by_guid(guids["recent"])]
    )
    [guids["job"]] = save(atlan, process)
    return Shop(stack, guids)


def test_name_ignores_case(atlan, shop):
    for spelling in ("customers", "CUSTOMERS", "Customers"):
        assert names(shop.where(Asset.NAME.eq(spelling)).execute(atlan)) == ["CUSTOMERS"]
    assert names(shop.where(Asset.NAME.within(["orders_2024", "ORDERS_2025"])).execute(atlan)) == [
        "Orders_2024",
        "orders_2025",
    ]


def test_qualified_name_heeds_case_unless_told_otherwise(atlan, shop):
    name = f"{shop.stack.schema}/customers"

    assert shop.where(Asset.QUALIFIED_NAME.eq(name)).count(atlan) == 0
    assert shop.where(Asset.QUALIFIED_NAME.eq(name, case_insensitive=True)).count(atlan) == 1
    assert shop.where(Asset.QUALIFIED_NAME.eq(f"{shop.stack.schema}/CUSTOMERS")).count(atlan) == 1


def test_type(atlan, shop):
    assert shop.where(CompoundQuery.asset_type(Table)).count(atlan) == 3
    assert shop.where(CompoundQuery.asset_types([Table, View])).count(atlan) == 4
    assert shop.where(Asset.TYPE_NAME.eq("TABLE")).count(atlan) == 3
    assert {type(a) for a in shop.where(CompoundQuery.asset_type(Process)).execute(atlan)} == {Process}


def test_super_type(atlan, shop):
    found = list(shop.where(CompoundQuery.super_types(SQL)).execute(atlan))

    assert len(found) == 10
    assert not [asset for asset in found if not isinstance(asset, SQL)]
    assert shop.where(Asset.SUPER_TYPE_NAMES.eq("sql")).count(atlan) == 10
    assert shop.where(Asset.SUPER_TYPE_NAMES.eq("Table")).count(atlan) == 0


def test_prefix_of_the_qualified_name(atlan, shop):
    below = f"{shop.stack.schema}/Orders_2024/"
    search = FluentSearch.select().where(Asset.QUALIFIED_NAME.startswith(below))

    assert names(search.execute(atlan)) == ["day", "id", "note", "total"]
    assert FluentSearch.select().where(Asset.QUALIFIED_NAME.startswith(below.upper())).count(atlan) == 0


def test_prefix_of_the_name(atlan, shop):
    assert names(shop.where(Asset.NAME.startswith("orders_")).execute(atlan)) == ["Orders_2024", "orders_2025"]


def test_connection_and_connector(atlan, shop):
    assert shop.where().count(atlan) == 11
    assert shop.where(Asset.CONNECTOR_NAME.eq("vertica")).count(atlan) == 11
    assert shop.where(Asset.CONNECTOR_NAME.eq("postgres")).count(atlan) == 0


def test_range(atlan, shop):
    def orders(query) -> list[str]:
        return names(shop.where(query).execute(atlan))

    assert orders(Column.ORDER.gt(2)) == ["day", "note"]
    assert orders(Column.ORDER.gte(2)) == ["day", "note", "total"]
    assert orders(Column.ORDER.lt(2)) == ["id"]
    assert orders(Column.ORDER.between(2, 3)) == ["day", "total"]
    assert orders(Column.ORDER.eq(4)) == ["note"]


def test_creation_time(atlan, shop):
    customers = atlan.asset.get_by_guid(shop.guids["CUSTOMERS"], Table)

    assert "CUSTOMERS" in names(shop.where(Asset.CREATE_TIME.gte(customers.create_time)).execute(atlan))
    assert "CUSTOMERS" not in names(shop.where(Asset.CREATE_TIME.gt(customers.create_time)).execute(atlan))


def test_exists(atlan, shop):
    tables = shop.where(CompoundQuery.asset_type(Table))

    assert names(tables.where(Asset.USER_DESCRIPTION.has_any_value()).execute(atlan)) == ["CUSTOMERS"]
    assert names(tables.where_not(Asset.DESCRIPTION.has_any_value()).execute(atlan)) == ["CUSTOMERS"]


def test_has_lineage(atlan, shop):
    found = shop.where(Asset.HAS_LINEAGE.eq(True)).execute(atlan)

    assert names(found) == ["CUSTOMERS", "job", "recent"]


def test_wildcard_and_regexp(atlan, shop):
    assert names(shop.where(Asset.NAME.wildcard("orders_202?")).execute(atlan)) == ["Orders_2024", "orders_2025"]
    assert names(shop.where(Asset.NAME.regexp("orders_202[0-4]")).execute(atlan)) == ["Orders_2024"]
    assert names(shop.where(Asset.QUALIFIED_NAME.wildcard("*/Orders_*/t*")).execute(atlan)) == ["total"]
    assert shop.where(Asset.QUALIFIED_NAME.wildcard("*/ORDERS_*/t*")).count(atlan) == 0


def test_regexp_matches_the_whole_value(atlan, shop):
    assert shop.where(Asset.NAME.regexp("orders")).count(atlan) == 0
    assert shop.where(Asset.NAME.regexp("orders.*")).count(atlan) == 2


def test_match_finds_any_of_the_words_whatever_their_case(atlan, shop):
    assert names(shop.where(Asset.DESCRIPTION.match("REVENUE")).execute(atlan)) == ["Orders_2024", "orders_2025"]
    assert names(shop.where(Asset.DESCRIPTION.match("quarterly nonsense")).execute(atlan)) == ["Orders_2024"]
    assert shop.where(Asset.DESCRIPTION.match("nonsense")).count(atlan) == 0


def test_match_phrase_heeds_the_order_of_words(atlan, shop):
    assert names(shop.where(Asset.DESCRIPTION.match_phrase("revenue report")).execute(atlan)) == ["Orders_2024"]


def test_where_not(atlan, shop):
    tables = shop.where(CompoundQuery.asset_type(Table))

    assert names(tables.where_not(Asset.NAME.startswith("orders")).execute(atlan)) == ["CUSTOMERS"]


def test_where_some(atlan, shop):
    some = shop.where(CompoundQuery.asset_type(Table))
    for query in (Table.ROW_COUNT.gt(50), Asset.NAME.eq("customers"), Asset.DESCRIPTION.match("quarterly")):
        some = some.where_some(query)

    assert some.count(atlan) == 3
    assert names(some.min_somes(2).execute(atlan)) == ["Orders_2024"]
    assert some.min_somes(3).count(atlan) == 0


def test_sort(atlan, shop):
    columns = shop.where(CompoundQuery.asset_type(Column))
    tables = shop.where(CompoundQuery.asset_type(Table))

    ascending = columns.sort(Column.ORDER.order()).execute(atlan)
    assert names_in_order(ascending) == ["id", "total", "day", "note"]
    descending = columns.sort(Column.ORDER.order(SortOrder.DESCENDING)).execute(atlan)
    assert names_in_order(descending) == ["note", "day", "total", "id"]
    by_name = tables.sort(Asset.NAME.order()).execute(atlan)
    assert names_in_order(by_name) == ["CUSTOMERS", "Orders_2024", "orders_2025"]


def test_sort_puts_missing_values_last(atlan, shop):
    found = shop.where(CompoundQuery.asset_types([Table, View])).sort(Table.ROW_COUNT.order()).execute(atlan)

    assert names_in_order(found) == ["CUSTOMERS", "Orders_2024", "orders_2025", "recent"]


def test_results_hold_what_was_asked_for(atlan, shop):
    search = shop.where(Asset.NAME.eq("orders_2024"))

    [bare] = search.execute(atlan)
    assert (bare.qualified_name, bare.row_count) == (f"{shop.stack.schema}/Orders_2024", None)
    assert bare.description == "The quarterly Revenue report"
    [full] = search.include_on_results(Table.ROW_COUNT).include_on_results("schemaQualifiedName").execute(atlan)
    assert (full.row_count, full.schema_qualified_name) == (100, shop.stack.schema)


def test_relations_hold_what_was_asked_for(atlan, shop):
    search = shop.where(Column.NAME.eq("total")).include_on_results(Column.TABLE)

    [column] = search.include_on_relations(Asset.NAME).include_on_relations(Table.ROW_COUNT).execute(atlan)

    assert isinstance(column.table, Table)
    assert (column.table.guid, column.table.name, column.table.row_count) == (
        shop.guids["Orders_2024"], "Orders_2024", 100,
    )  # fmt: skip


def test_inputs_and_outputs_of_a_process(atlan, shop):
    search = shop.where(CompoundQuery.asset_type(Process)).include_on_results("inputs").include_on_results("outputs")

    [process] = search.execute(atlan)

    assert [a.guid for a in process.inputs] == [shop.guids["CUSTOMERS"]]
    assert [a.guid for a in process.outputs] == [shop.guids["recent"]]
    assert isinstance(process.outputs[0], View)


def test_get_with_a_list_of_attributes(atlan, shop):
    by_name = atlan.asset.get_by_qualified_name(
        f"{shop.stack.schema}/Orders_2024",
        Table,
        attributes=[Table.ROW_COUNT, Table.COLUMNS],
        related_attributes=[Column.ORDER],
    )
    assert by_name.row_count == 100
    assert sorted(column.order for column in by_name.columns) == [1, 2, 3, 4]

    by_guid = atlan.asset.get_by_guid(by_name.guid, Table, attributes=["rowCount"])
    assert (by_guid.row_count, by_guid.columns) == (100, None)
    with pytest.raises(NotFoundError):
        atlan.asset.get_by_guid(by_name.guid, View, attributes=["rowCount"])


def test_get_with_relationships(atlan, shop):
    guid = shop.guids["Orders_2024"]

    with_them = atlan.asset.get_by_guid(guid, Table, ignore_relationships=False)
    without = atlan.asset.get_by_guid(guid, Table, ignore_relationships=True)

    assert len(with_them.columns) == 4
    assert with_them.atlan_schema.display_text == "public"
    assert not without.columns


def test_find_connections_by_name(atlan):
    name = unique("Warehouse")
    first, second = new_connection(atlan, name=name), new_connection(atlan, name=name)
    vertica = AtlanConnectorType.VERTICA

    found = atlan.asset.find_connections_by_name(name, vertica, attributes=["connectorName"])

    assert {c.qualified_name for c in found} == {first, second}
    assert {c.connector_name for c in found} == {"vertica"}
    assert len(atlan.asset.find_connections_by_name(name.upper(), vertica)) == 2
    for wrong in [(name, AtlanConnectorType.POSTGRES), (f"{name}-x", vertica)]:
        with pytest.raises(NotFoundError, match="ATLAN-PYTHON-404-014"):
            atlan.asset.find_connections_by_name(*wrong)


def test_archived_assets_are_found_when_asked_for(atlan):
    stack = new_stack(atlan)
    kept, archived = save(atlan, stack.table("kept"), stack.table("archived"))
    atlan.asset.delete_by_guid(archived)
    tables = CompoundQuery.asset_type(Table)

    assert names(within(stack.connection).where(tables).execute(atlan)) == ["kept"]
    everything = within(stack.connection, include_archived=True).where(tables)
    assert {a.guid: a.status.value for a in everything.execute(atlan)} == {kept: "ACTIVE", archived: "DELETED"}
    assert names(everything.where(CompoundQuery.archived_assets()).execute(atlan)) == ["archived"]


def test_search_reads_the_change_it_follows(atlan):
    stack = new_stack(atlan)
    mview = MaterialisedView.creator(name="m", schema_qualified_name=stack.schema)
    for text in ("one", "two"):
        mview.description = text
        save(atlan, mview)
        [found] = within(stack.connection).where(Asset.NAME.eq("m")).execute(atlan)
        assert found.description == text


def test_connections_are_assets(atlan):
    name = unique("conn")
    new_connection(atlan, name=name)

    [found] = FluentSearch.select().where(Asset.NAME.eq(name)).include_on_results(Connection.CATEGORY).execute(atlan)

    assert isinstance(found, Connection)
    assert found.category == "warehouse"
