"""Tags that reach an entity from another one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from helpers import (
    Stack,
    column_of,
    error_code,
    names,
    new_stack,
    process_between,
    raw,
    save,
    table_entity,
    unique,
    within,
)
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Asset, Table
from pyatlan.model.enums import AtlanTagColor
from pyatlan.model.fluent_search import CompoundQuery
from pyatlan.model.typedef import AtlanTagDef

import sandbox


@pytest.fixture(scope="module")
def tag(atlan: AtlanClient) -> str:
    name = unique("tag")
    atlan.typedef.create(AtlanTagDef.create(name=name, color=AtlanTagColor.RED))
    return name


@pytest.fixture
def chain(atlan: AtlanClient) -> tuple[Stack, Table, Table]:
    """Two tables, each with a column `id`, and a process from the first to the second."""
    stack = new_stack(atlan)
    source, target = stack.table("source"), stack.table("target")
    guids = save(atlan, source, target)
    save(atlan, column_of(source, "id", 1), column_of(target, "id2", 1))
    references = [Table.ref_by_guid(guid) for guid in guids]
    save(atlan, process_between(stack.connection, "job", references[:1], references[1:]))
    return stack, source, target


def put(atlan: AtlanClient, tag: str, table: Table, **options: Any) -> None:
    atlan.asset.add_atlan_tags(Table, str(table.qualified_name), [tag], **options)


def reached(atlan: AtlanClient, stack: Stack, tag: str) -> list[str]:
    """The names of what has a tag that was put on something else."""
    tag_id = atlan.atlan_tag_cache.get_id_for_name(tag)
    return names(within(stack.connection).where(Asset.PROPAGATED_ATLAN_TAGS.eq(str(tag_id))).execute(atlan))


def test_a_tag_stays_where_it_is_put(atlan: AtlanClient, chain: tuple[Stack, Table, Table], tag: str) -> None:
    stack, source, _ = chain
    put(atlan, tag, source, propagate=False)
    assert reached(atlan, stack, tag) == []


def test_a_tag_goes_down_and_along(atlan: AtlanClient, chain: tuple[Stack, Table, Table], tag: str) -> None:
    stack, source, target = chain
    put(atlan, tag, source, propagate=True, restrict_lineage_propagation=False)
    assert reached(atlan, stack, tag) == ["id", "id2", "job", "target"]
    tagged = within(stack.connection).where(CompoundQuery.tagged(client=atlan, with_one_of=[tag]))
    assert names(tagged.execute(atlan)) == ["id", "id2", "job", "source", "target"]
    assert names(within(stack.connection).where(CompoundQuery.tagged(client=atlan, directly=True)).execute(atlan)) == [
        "source"
    ]
    save(atlan, column_of(target, "new", 2))  # what comes later is reached, too
    assert "new" in reached(atlan, stack, tag)


def test_a_tag_can_be_kept_from_either(atlan: AtlanClient, chain: tuple[Stack, Table, Table], tag: str) -> None:
    stack, source, _ = chain
    put(atlan, tag, source, propagate=True, restrict_lineage_propagation=True)
    assert reached(atlan, stack, tag) == ["id"]
    atlan.asset.update_atlan_tags(
        Table, str(source.qualified_name), [tag], propagate=True, restrict_propagation_through_hierarchy=True,
        restrict_lineage_propagation=False,
    )  # fmt: skip
    assert reached(atlan, stack, tag) == ["job", "target"]


def test_what_is_archived_neither_gives_nor_passes_on(
    atlan: AtlanClient, chain: tuple[Stack, Table, Table], tag: str
) -> None:
    stack, source, _ = chain
    put(atlan, tag, source, propagate=True, restrict_lineage_propagation=False)
    (job,) = within(stack.connection).where(Asset.NAME.eq("job")).execute(atlan)
    atlan.asset.delete_by_guid(str(job.guid))
    assert reached(atlan, stack, tag) == ["id"]
    (table,) = within(stack.connection).where(Asset.NAME.eq("source")).execute(atlan)
    atlan.asset.delete_by_guid(str(table.guid))
    assert reached(atlan, stack, tag) == []
    atlan.asset.restore(Table, str(source.qualified_name))
    assert reached(atlan, stack, tag) == ["id"]
    atlan.asset.remove_atlan_tag(Table, str(source.qualified_name), tag)
    assert reached(atlan, stack, tag) == []


def test_a_reached_entity_shows_where_its_tag_is_from(
    atlan: AtlanClient, tenant: sandbox.Tenant, chain: tuple[Stack, Table, Table], tag: str
) -> None:
    stack, source, _ = chain
    put(atlan, tag, source, propagate=True)
    (column,) = within(stack.connection).where(Asset.NAME.eq("id")).execute(atlan)
    (table,) = within(stack.connection).where(Asset.NAME.eq("source")).execute(atlan)
    path = f"/api/meta/entity/guid/{column.guid}"
    shown = raw(tenant).call("GET", path).json()["entity"]
    assert [one["entityGuid"] for one in shown["classifications"]] == [table.guid]
    assert [one["typeName"] for one in shown["classifications"]] == [atlan.atlan_tag_cache.get_id_for_name(tag)]
    assert raw(tenant).call("GET", f"{path}/classifications").json()["list"] == shown["classifications"]


def test_values_of_a_tag_are_kept_as_structures(tenant: sandbox.Tenant, atlan: AtlanClient) -> None:
    """However they are sent (`TagAttributeMapper`; pyatlan sends them alone, and reads them below `attributes`)."""
    attribute = {"displayName": "sourceTagAttachment", "typeName": "array<SourceTagAttachment>", "name": "x"}
    definition = {"displayName": unique("tag"), "category": "CLASSIFICATION", "attributeDefs": [attribute]}
    made = raw(tenant).call("POST", "/api/meta/types/typedefs", json={"classificationDefs": [definition]}).json()
    (tag,) = made["classificationDefs"]
    key = tag["attributeDefs"][0]["name"]
    stack = new_stack(atlan)

    def put(value: Any, **more: Any) -> httpx.Response:
        tags = [{"typeName": tag["name"], "attributes": {key: value, **more}}]
        return raw(tenant).save({**table_entity(stack, "t"), "classifications": tags})

    assert error_code(put(["a text"])) == "ATLAS-400-00-01A"
    sent = {"sourceTagName": 5, "sourceTagValue": [{"tagAttachmentValue": "x"}], "none": 1}
    guid = put([sent], none=2).json()["guidAssignments"]["-1"]
    (found,) = raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}/classifications").json()["list"]
    value = {"typeName": "SourceTagAttachmentValue", "attributes": {"tagAttachmentValue": "x"}}
    details = {"sourceTagName": "5", "sourceTagValue": [value]}
    assert found["attributes"] == {key: [{"typeName": "SourceTagAttachment", "attributes": details}]}
