"""Deleting, restoring and purging."""

from __future__ import annotations

import pytest
from helpers import column_of, names, new_stack, nothing_mutated, raw, save, within
from pyatlan.errors import NotFoundError
from pyatlan.model.assets import Asset, Column, Schema, Table
from pyatlan.model.enums import AtlanDeleteType, EntityStatus

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_soft_delete(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    response = atlan.asset.delete_by_guid(guid)

    [deleted] = response.assets_deleted(Table)
    assert (deleted.guid, deleted.status, deleted.delete_handler) == (guid, EntityStatus.DELETED, "SOFT")
    assert atlan.asset.get_by_guid(guid, Table).status == EntityStatus.DELETED
    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/orders", Table).status == EntityStatus.DELETED
    assert "orders" not in names(within(stack.connection).execute(atlan))


@pytest.mark.parametrize("kind", [AtlanDeleteType.HARD, AtlanDeleteType.PURGE])
def test_hard_delete_and_purge(atlan, kind):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    response = atlan.asset.purge_by_guid(guid, delete_type=kind)

    [deleted] = response.assets_deleted(Table)
    assert (deleted.guid, deleted.status, deleted.delete_handler) == (guid, EntityStatus.DELETED, kind.value)
    with pytest.raises(NotFoundError, match="ATLAS-404-00-005"):
        atlan.asset.get_by_guid(guid)
    assert "orders" not in names(within(stack.connection, include_archived=True).execute(atlan))


def test_several_at_once(atlan):
    stack = new_stack(atlan)
    guids = save(atlan, *(stack.table(name) for name in "abc"))

    response = atlan.asset.delete_by_guid(guids[:2])

    assert {t.guid for t in response.assets_deleted(Table)} == set(guids[:2])
    assert names(within(stack.connection).where(Asset.TYPE_NAME.eq("Table")).execute(atlan)) == ["c"]


def test_deleting_again_deletes_nothing(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    atlan.asset.delete_by_guid(guid)

    assert nothing_mutated(atlan.asset.delete_by_guid(guid))


def test_unknown_guid_is_ignored_by_the_service(tenant, atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    def delete(*guids: str) -> dict:
        answer = raw(tenant).call("DELETE", "/api/meta/entity/bulk/", params={"deleteType": "SOFT", "guid": guids})
        assert answer.status_code == 200
        return answer.json()

    assert delete(NOBODY) == {}
    assert [entity["guid"] for entity in delete(NOBODY, guid)["mutatedEntities"]["DELETE"]] == [guid]


def test_unknown_guid_is_refused_by_the_client(atlan):
    with pytest.raises(NotFoundError, match="ATLAS-404-00-005"):
        atlan.asset.delete_by_guid(NOBODY)


def test_restore(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    table.description, table.row_count = "kept", 3
    [guid] = save(atlan, table)
    atlan.asset.delete_by_guid(guid)

    assert atlan.asset.restore(Table, table.qualified_name)

    read = atlan.asset.get_by_guid(guid, Table, ignore_relationships=False)
    assert (read.status, read.description, read.row_count) == (EntityStatus.ACTIVE, "kept", 3)
    assert read.atlan_schema.display_text == "public"
    assert "orders" in names(within(stack.connection).execute(atlan))


def test_save_on_an_archived_name_leaves_it_archived(atlan):
    # Inferred from the server's code; a docstring of pyatlan hints otherwise.
    stack = new_stack(atlan)
    table = stack.table()
    [guid] = save(atlan, table)
    atlan.asset.delete_by_guid(guid)

    again = stack.table()
    again.description = "changed while archived"
    response = atlan.asset.save(again)

    assert response.guid_assignments == {again.guid: guid}
    assert response.assets_created(Table) == []
    read = atlan.asset.get_by_guid(guid, Table)
    assert (read.status, read.description) == (EntityStatus.DELETED, "changed while archived")


def test_save_with_an_active_status_restores(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    atlan.asset.delete_by_guid(guid)

    again = stack.table()
    again.status = EntityStatus.ACTIVE
    response = atlan.asset.save(again)

    assert [t.guid for t in response.assets_updated(Table)] == [guid]
    assert atlan.asset.get_by_guid(guid, Table).status == EntityStatus.ACTIVE


def test_name_is_free_after_a_purge(atlan):
    stack = new_stack(atlan)
    [old] = save(atlan, stack.table())
    atlan.asset.purge_by_guid(old)

    again = stack.table()
    response = atlan.asset.save(again)

    [created] = response.assets_created(Table)
    assert created.guid == response.guid_assignments[again.guid] != old


def test_purge_of_an_archived_asset(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    atlan.asset.delete_by_guid(guid)

    assert [t.guid for t in atlan.asset.purge_by_guid(guid).assets_deleted(Table)] == [guid]

    with pytest.raises(NotFoundError):
        atlan.asset.get_by_guid(guid)


def test_purged_asset_is_gone_from_its_neighbours(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    atlan.asset.purge_by_guid(guid)

    schema = atlan.asset.get_by_qualified_name(stack.schema, Schema, ignore_relationships=False)

    assert not schema.tables


def test_reference_to_an_archived_asset_is_accepted(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    [guid] = save(atlan, table)
    atlan.asset.delete_by_guid(guid)

    assert len(atlan.asset.save(column_of(table, "id", 1)).assets_created(Column)) == 1
