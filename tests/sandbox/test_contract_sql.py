"""A SQL stack on a connector that the sample does not use: how it is saved, and what a save answers."""

from __future__ import annotations

import asyncio

import pytest
from helpers import (
    VERTICA,
    admin_role,
    build_connection,
    column_of,
    names,
    new_connection,
    new_stack,
    nothing_mutated,
    process_between,
    save,
    unique,
    within,
)
from pyatlan.client.aio import AsyncAtlanClient
from pyatlan.client.asset import Batch
from pyatlan.model.assets import (
    Asset,
    Column,
    Connection,
    Database,
    MaterialisedView,
    Procedure,
    Process,
    Schema,
    Table,
    View,
)
from pyatlan.model.fluent_search import FluentSearch


def test_plain_connection_creator(atlan):
    name = unique("plain")
    connection = Connection.creator(
        client=atlan,
        name=name,
        connector_type=VERTICA,
        admin_roles=[admin_role(atlan)],
        host="vertica.example",
        port=5433,
    )

    response = atlan.asset.save(connection)

    [created] = response.assets_created(Connection)
    assert created.guid == response.guid_assignments[connection.guid]
    read = atlan.asset.get_by_qualified_name(connection.qualified_name, Connection)
    assert (read.guid, read.name, read.connector_name, read.host, read.port) == (
        created.guid, name, "vertica", "vertica.example", 5433,
    )  # fmt: skip
    assert read.admin_roles == {admin_role(atlan)}


def test_creating_user_becomes_admin_of_the_connection(atlan):
    connection = new_connection(atlan)

    read = atlan.asset.get_by_qualified_name(connection, Connection)

    assert atlan.user.get_current().username in read.admin_users


def test_connection_may_not_lose_all_admins(atlan):
    connection = build_connection(atlan)
    atlan.asset.save(connection)
    change = Connection.updater(qualified_name=connection.qualified_name, name=connection.name)
    change.admin_users, change.admin_groups, change.admin_roles = set(), set(), set()

    with pytest.raises(Exception, match="ATLAS-400-00-114"):
        atlan.asset.save(change)


def test_stack_one_by_one(atlan):
    connection = new_connection(atlan)
    database = Database.creator(name="warehouse", connection_qualified_name=connection)
    schema = Schema.creator(name="public", database_qualified_name=database.qualified_name)
    table = Table.creator(name="orders", schema_qualified_name=schema.qualified_name)
    view = View.creator(name="recent", schema_qualified_name=schema.qualified_name)
    mview = MaterialisedView.creator(name="daily", schema_qualified_name=schema.qualified_name)
    procedure = Procedure.creator(name="load", definition="BEGIN END", schema_qualified_name=schema.qualified_name)
    columns = [
        Column.creator(name="id", parent_qualified_name=parent.qualified_name, parent_type=type(parent), order=1)
        for parent in (table, view, mview)
    ]

    for asset in [database, schema, table, view, mview, procedure, *columns]:
        response = atlan.asset.save(asset)
        [created] = response.assets_created(type(asset))
        assert created.guid == response.guid_assignments[asset.guid]
        assert (created.name, created.qualified_name) == (asset.name, asset.qualified_name)
        assert atlan.asset.get_by_qualified_name(asset.qualified_name, type(asset)).guid == created.guid

    assert within(connection).where(Asset.TYPE_NAME.eq("Column")).count(atlan) == 3
    assert atlan.asset.get_by_qualified_name(procedure.qualified_name, Procedure).definition == "BEGIN END"


def test_parent_is_listed_as_updated(atlan):
    stack = new_stack(atlan)
    table = stack.table()

    response = atlan.asset.save(table)
    assert [s.qualified_name for s in response.assets_updated(Schema)] == [stack.schema]
    assert response.assets_updated(Table) == []

    response = atlan.asset.save([column_of(table, "id", 1), column_of(table, "total", 2)])
    assert len(response.assets_created(Column)) == 2
    assert [t.qualified_name for t in response.assets_updated(Table)] == [table.qualified_name]


def test_bulk_with_placeholder_references_in_any_order(atlan):
    connection = new_connection(atlan)
    database = Database.creator(name="db", connection_qualified_name=connection)
    schema = Schema.creator(name="s", database_qualified_name=database.qualified_name)
    schema.database = Database.ref_by_guid(database.guid)
    table = Table.creator(name="t", schema_qualified_name=schema.qualified_name)
    table.atlan_schema = Schema.ref_by_guid(schema.guid)
    column = column_of(table, "c", 1)
    column.table = Table.ref_by_guid(table.guid)

    response = atlan.asset.save([column, schema, table, database])

    assert {type(a).__name__ for a in response.mutated_entities.CREATE} == {"Column", "Schema", "Table", "Database"}
    assert not response.mutated_entities.UPDATE
    assert set(response.guid_assignments) == {a.guid for a in (column, schema, table, database)}
    read = atlan.asset.get_by_guid(response.guid_assignments[column.guid], Column, ignore_relationships=False)
    assert read.table.guid == response.guid_assignments[table.guid]
    read = atlan.asset.get_by_guid(response.guid_assignments[schema.guid], Schema, ignore_relationships=False)
    assert read.database.guid == response.guid_assignments[database.guid]
    assert [t.guid for t in read.tables] == [response.guid_assignments[table.guid]]


def test_same_name_twice_in_one_request_is_one_asset(atlan):
    stack = new_stack(atlan)
    first, second = stack.table(), stack.table()
    second.description = "from the second"

    response = atlan.asset.save([first, second])

    assert response.guid_assignments[first.guid] == response.guid_assignments[second.guid]
    assert within(stack.connection).where(Asset.TYPE_NAME.eq("Table")).count(atlan) == 1
    assert atlan.asset.get_by_qualified_name(first.qualified_name, Table).description == "from the second"


def test_saving_the_same_again_mutates_nothing(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    again = stack.table()
    response = atlan.asset.save(again)

    assert nothing_mutated(response)
    assert response.assets_created(Table) == response.assets_updated(Table) == []
    assert response.guid_assignments == {again.guid: guid}


def test_saving_a_change_is_an_update(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    table.row_count, table.user_description = 12, "kept"
    [guid] = save(atlan, table)

    change = Table.updater(qualified_name=table.qualified_name, name=table.name)
    change.description = "changed"
    response = atlan.asset.save(change)

    assert response.assets_created(Table) == []
    assert [t.guid for t in response.assets_updated(Table)] == [guid]
    read = atlan.asset.get_by_guid(guid, Table)
    assert (read.description, read.row_count, read.user_description) == ("changed", 12, "kept")


def test_null_overwrites_and_absence_does_not(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    table.description, table.row_count = "to go", 7
    [guid] = save(atlan, table)

    change = Table.updater(qualified_name=table.qualified_name, name=table.name)
    change.description = None
    response = atlan.asset.save(change)

    assert len(response.assets_updated(Table)) == 1
    read = atlan.asset.get_by_guid(guid, Table)
    assert (read.description, read.row_count) == (None, 7)


def test_names_differ_by_case(atlan):
    stack = new_stack(atlan)

    lower, upper = save(atlan, stack.table("orders"), stack.table("ORDERS"))

    assert lower != upper
    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/ORDERS", Table).guid == upper


def test_same_qualified_name_as_table_and_as_view(atlan):
    stack = new_stack(atlan)

    table, view = save(atlan, stack.table("x"), View.creator(name="x", schema_qualified_name=stack.schema))

    assert table != view
    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/x", View).guid == view


def test_process_lists_inputs_and_outputs_as_updated(atlan):
    stack = new_stack(atlan)
    source, target, other = save(atlan, stack.table("a"), stack.table("b"), stack.table("c"))
    process = process_between(
        stack.connection, "job", [Table.ref_by_guid(source), Table.ref_by_guid(other)], [Table.ref_by_guid(target)]
    )

    response = atlan.asset.save(process)

    [created] = response.assets_created(Process)
    assert {a.guid for a in response.assets_updated(Table)} == {source, target, other}
    assert {a.guid for a in created.inputs} == {source, other}
    assert [a.guid for a in created.outputs] == [target]


def test_batch_of_twenty(atlan):
    stack = new_stack(atlan)
    batch = Batch(client=atlan, max_size=20, track=True)

    answers = [batch.add(stack.table(f"t{number:02}")) for number in range(45)]
    assert [n for n, answer in enumerate(answers) if answer] == [19, 39]
    batch.flush()

    assert batch.num_created == 45
    assert batch.num_restored == 0
    assert {a.qualified_name for a in batch.updated} == {stack.schema}
    assert within(stack.connection).where(Asset.TYPE_NAME.eq("Table")).count(atlan) == 45


def test_batch_run_again_counts_unchanged_assets_as_restored(atlan):
    stack = new_stack(atlan)
    for expected in [(3, 0), (0, 3)]:
        batch = Batch(client=atlan, max_size=20)
        for name in "abc":
            batch.add(stack.table(name))
        batch.flush()
        assert (batch.num_created, batch.num_restored) == expected


def test_async_client(tenant, atlan):
    stack = new_stack(atlan)
    ref = Table.ref_by_qualified_name

    async def work() -> tuple[list[str], list[str]]:
        async with AsyncAtlanClient(base_url=tenant.base_url, api_key=tenant.api_token, proxy=None) as client:
            await asyncio.gather(*(client.asset.save(stack.table(f"t{n}")) for n in range(8)))
            process = process_between(stack.connection, "j", [ref(f"{stack.schema}/t0")], [ref(f"{stack.schema}/t1")])
            await client.asset.save(process)
            request = within(stack.connection).where(Asset.TYPE_NAME.eq("Table")).page_size(3)
            found = [table async for table in await request.execute_async(client)]
            start = await client.asset.get_by_qualified_name(f"{stack.schema}/t0", Table)
            lineage = await client.asset.get_lineage_list(Asset.lineage(start.guid).request)
            return names(found), names([asset async for asset in lineage])

    tables, downstream = asyncio.run(work())

    assert tables == [f"t{n}" for n in range(8)]
    assert downstream == ["j", "t1"]


def test_everything_saved_is_found_by_search(atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("a"), stack.table("b"))

    found = within(stack.connection).execute(atlan)

    assert names(found) == ["a", "b", "public", "warehouse"]
    connections = FluentSearch.select().where(Connection.QUALIFIED_NAME.eq(stack.connection)).execute(atlan)
    assert [type(c) for c in connections] == [Connection]
