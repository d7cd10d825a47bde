"""Mistakes that a program can make, and the errors that the service answers."""

from __future__ import annotations

import time

import pytest
from helpers import error_code, names, new_stack, process_between, raw, save, table_entity, unique, within
from pyatlan.client.atlan import AtlanClient
from pyatlan.errors import AuthenticationError, InvalidRequestError, NotFoundError
from pyatlan.model.assets import AtlasGlossary, Connection, Process, Schema, Table, View
from pyatlan.model.enums import LineageDirection
from pyatlan.model.lineage import FluentLineage
from pyatlan.model.search import DSL, IndexSearchRequest, Query

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_reference_to_a_missing_name_fails_and_writes_nothing(atlan):
    stack = new_stack(atlan)
    good, bad = stack.table("good"), stack.table("bad")
    bad.atlan_schema = Schema.ref_by_qualified_name(f"{stack.database}/nowhere")

    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save([good, bad])

    assert names(within(stack.connection).execute(atlan)) == ["public", "warehouse"]
    with pytest.raises(NotFoundError):
        atlan.asset.get_by_qualified_name(good.qualified_name, Table)


def test_failed_request_leaves_existing_assets_as_they_were(atlan):
    stack = new_stack(atlan)
    table = stack.table()
    table.description = "before"
    [guid] = save(atlan, table)
    change = Table.updater(qualified_name=table.qualified_name, name=table.name)
    change.description = "after"
    bad = process_between(stack.connection, "p", [Table.ref_by_guid(guid)], [Table.ref_by_guid(NOBODY)])

    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save([change, bad])

    read = atlan.asset.get_by_guid(guid, Table)
    assert read.description == "before"
    assert not read.has_lineage


@pytest.mark.parametrize("placeholder", ["-7777777777", NOBODY])
def test_reference_to_a_missing_guid(atlan, placeholder):
    stack = new_stack(atlan)
    table = stack.table()
    table.atlan_schema = Schema.ref_by_guid(placeholder)

    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save(table)


def test_saved_local_object_with_its_placeholder_cannot_be_an_input(atlan):
    stack = new_stack(atlan)
    source, target = stack.table("a"), stack.table("b")
    save(atlan, source, target)

    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save(process_between(stack.connection, "p", [source], [target]))


def test_reference_as_another_type(atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("a"), stack.table("b"))
    process = process_between(
        stack.connection,
        "p",
        [View.ref_by_qualified_name(f"{stack.schema}/a")],
        [Table.ref_by_qualified_name(f"{stack.schema}/b")],
    )

    with pytest.raises(NotFoundError, match="ATLAS-404-00-00A"):
        atlan.asset.save(process)


def test_error_names_the_referring_entity(tenant, atlan):
    stack = new_stack(atlan)
    missing = {"typeName": "Schema", "uniqueAttributes": {"qualifiedName": f"{stack.database}/nowhere"}}

    answer = raw(tenant).save(
        table_entity(stack, "good", "-11"), table_entity(stack, "bad", "-12", atlanSchema=missing)
    )

    assert (answer.status_code, error_code(answer)) == (404, "ATLAS-404-00-00A")
    assert answer.json()["entityGuid"] == "-12"


@pytest.mark.parametrize("attribute", ["name", "qualifiedName"])
def test_mandatory_attribute_missing(tenant, atlan, attribute):
    stack = new_stack(atlan)
    entity = table_entity(stack, "t")
    del entity["attributes"][attribute]

    answer = raw(tenant).save(entity)

    assert (answer.status_code, error_code(answer)) == (404, "ATLAS-404-00-007")
    assert within(stack.connection).where(Table.TYPE_NAME.eq("Table")).count(atlan) == 0


def test_reference_that_names_nothing(tenant, atlan):
    stack = new_stack(atlan)

    answer = raw(tenant).save(table_entity(stack, "t", atlanSchema={"typeName": "Schema"}))

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-021")


def test_too_long_text(tenant, atlan):
    stack = new_stack(atlan)

    # EntityREST.validateAttributeLength of the metastore throws an exception without a code.
    answer = raw(tenant).save(table_entity(stack, "t", description="x" * 100_001))
    assert (answer.status_code, error_code(answer)) == (500, "ATLAS-500-00-001")

    assert names(within(stack.connection).execute(atlan)) == ["public", "warehouse"]
    assert raw(tenant).save(table_entity(stack, "t", description="x" * 100_000)).status_code == 200


def test_too_many_entities(tenant):
    glossaries = [
        {"typeName": "AtlasGlossary", "guid": f"-{n}", "attributes": {"name": f"g{n}", "qualifiedName": f"g{n}"}}
        for n in range(1, 10_002)
    ]

    answer = raw(tenant).save(*glossaries)

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-212")


def test_contradicting_tag_flags(tenant, atlan):
    stack = new_stack(atlan)
    flags = {"replaceTags": "true", "appendTags": "true"}

    answer = raw(tenant).call(
        "POST", "/api/meta/entity/bulk/", params=flags, json={"entities": [table_entity(stack, "t")]}
    )

    assert answer.status_code == 400
    assert error_code(answer).startswith("ATLAS-400-00-")


def test_too_long_query_parameter(tenant):
    path = "/api/meta/entity/uniqueAttribute/type/Table"

    answer = raw(tenant).call("GET", path, params={"attr:qualifiedName": "x" * 4097})

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-057")


def test_unknown_attribute_is_ignored(tenant, atlan):
    stack = new_stack(atlan)

    answer = raw(tenant).save(table_entity(stack, "t", noSuchAttribute="x"))

    assert answer.status_code == 200
    guid = answer.json()["guidAssignments"]["-1"]
    entity = raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}").json()["entity"]
    assert "noSuchAttribute" not in entity["attributes"]


def test_unknown_guid(atlan):
    with pytest.raises(NotFoundError, match="ATLAS-404-00-005"):
        atlan.asset.get_by_guid(NOBODY)


def test_unknown_qualified_name(atlan):
    with pytest.raises(NotFoundError, match="ATLAS-404-00-009"):
        atlan.asset.get_by_qualified_name(f"default/vertica/1/{unique('none')}", Table)


def test_guid_asked_for_as_the_wrong_type(atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    with pytest.raises(NotFoundError, match="ATLAN-PYTHON-404-002"):
        atlan.asset.get_by_guid(guid, Connection)


def test_unknown_type(tenant, atlan):
    stack = new_stack(atlan)
    entity = {**table_entity(stack, "t"), "typeName": "NoSuchType"}

    saved = raw(tenant).save(entity)
    read = raw(tenant).call(
        "GET", "/api/meta/entity/uniqueAttribute/type/NoSuchType", params={"attr:qualifiedName": "x"}
    )

    assert (saved.status_code, error_code(saved)) == (400, "ATLAS-400-00-014")
    assert (read.status_code, error_code(read)) == (400, "ATLAS-400-00-014")


def test_wrong_token_fails_at_once(tenant):
    client = AtlanClient(base_url=tenant.base_url, api_key="wrong", proxy=None)
    began = time.monotonic()

    with pytest.raises(AuthenticationError):
        client.asset.get_by_guid(NOBODY)

    assert time.monotonic() - began < 2


def test_empty_bulk_list(atlan):
    with pytest.raises(InvalidRequestError, match="ATLAS-400-00-01A"):
        atlan.asset.save([])


def test_no_guid_to_delete(tenant):
    answer = raw(tenant).call("DELETE", "/api/meta/entity/bulk/", params={"deleteType": "SOFT"})

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-01A")


class Nonsense(Query):
    def to_dict(self):
        return {"nonsense": {"name.keyword": "x"}}


def test_bad_search_query(atlan):
    request = IndexSearchRequest(dsl=DSL(query=Nonsense()))

    with pytest.raises(InvalidRequestError, match=r"ATLAS-400-00-(503|029)"):
        atlan.asset.search(request)


@pytest.mark.parametrize("body", ["{", "[]", '"text"', "{}", '{"dsl": 5}'])
def test_body_that_is_no_search_request(tenant, body):
    answer = raw(tenant).call("POST", "/api/meta/search/indexsearch", content=body)

    assert answer.status_code == 400
    assert error_code(answer).startswith("ATLAS-400-00-")


def test_lineage_of_an_unknown_guid(atlan):
    with pytest.raises(NotFoundError, match="ATLAS-404-00-005"):
        atlan.asset.get_lineage_list(FluentLineage(starting_guid=NOBODY).request)


def test_lineage_of_a_type_without_lineage(atlan):
    [guid] = save(atlan, AtlasGlossary.creator(name=unique("glossary")))

    with pytest.raises(NotFoundError, match="ATLAS-404-00-011"):
        atlan.asset.get_lineage_list(FluentLineage(starting_guid=guid).request)


def test_lineage_in_both_directions_is_refused_by_the_client(atlan):
    request = FluentLineage(starting_guid=NOBODY, direction=LineageDirection.BOTH).request

    with pytest.raises(InvalidRequestError, match="ATLAN-PYTHON-400-034"):
        atlan.asset.get_lineage_list(request)


@pytest.mark.parametrize("wrong", [{"size": -1}, {"from": -1}, {"depth": -1}, {"direction": None}, {"guid": None}])
def test_lineage_parameters(tenant, atlan, wrong):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    body = {"guid": guid, "direction": "OUTPUT", "depth": 10, "from": 0, "size": 10, **wrong}

    answer = raw(tenant).call("POST", "/api/meta/lineage/list", json={k: v for k, v in body.items() if v is not None})

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-029")


def test_process_needs_inputs_and_outputs_in_the_client():
    with pytest.raises(ValueError, match="inputs"):
        Process.creator(name="p", connection_qualified_name="default/vertica/1", inputs=[], outputs=[])
