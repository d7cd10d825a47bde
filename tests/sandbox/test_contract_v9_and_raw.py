"""The msgspec flavour of pyatlan, and the exact bodies behind what pyatlan parses."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from helpers import Raw, error_code, new_connection, new_stack, raw, save, table_entity, unique, within
from pyatlan.model.assets import AtlasGlossary, AtlasGlossaryTerm, Table
from pyatlan.model.fluent_search import FluentSearch
from pyatlan_v9.client.atlan import AtlanClient as AtlanClient9
from pyatlan_v9.model.assets import Asset as Asset9
from pyatlan_v9.model.assets import AtlasGlossaryTerm as Term9
from pyatlan_v9.model.assets import Process as Process9
from pyatlan_v9.model.assets import Table as Table9
from pyatlan_v9.model.fluent_search import FluentSearch as FluentSearch9
from pyatlan_v9.model.lineage import FluentLineage as FluentLineage9


@pytest.fixture(scope="module")
def atlan9(tenant) -> AtlanClient9:
    return AtlanClient9(base_url=tenant.base_url, api_key=tenant.api_token, proxy=None)


def test_v9_saves_reads_and_finds_a_table(atlan, atlan9):
    stack = new_stack(atlan)
    table = Table9.creator(name="orders", schema_qualified_name=stack.schema)

    response = atlan9.asset.save(table)

    [created] = response.assets_created(Table9)
    read = atlan9.asset.get_by_guid(created.guid, Table9, ignore_relationships=False)
    assert (read.name, read.qualified_name, read.schema_name) == ("orders", f"{stack.schema}/orders", "public")
    search = (
        FluentSearch9.select()
        .where(Asset9.CONNECTION_QUALIFIED_NAME.eq(stack.connection))
        .where(Asset9.TYPE_NAME.eq("Table"))
    )
    assert [asset.guid for asset in search.execute(atlan9)] == [created.guid]


def test_v9_sends_relationships_apart(atlan, atlan9):
    stack = new_stack(atlan)
    atlan9.asset.save(Table9.creator(name="orders", schema_qualified_name=stack.schema))

    read = atlan.asset.get_by_qualified_name(f"{stack.schema}/orders", Table, ignore_relationships=False)

    assert read.atlan_schema.display_text == "public"


def test_v9_and_v1_save_the_same_table(atlan, atlan9):
    stack = new_stack(atlan)
    save(atlan, stack.table())

    response = atlan9.asset.save(Table9.creator(name="orders", schema_qualified_name=stack.schema))

    assert not response.assets_created(Table9)
    assert not response.assets_updated(Table9)


def test_v9_process(atlan, atlan9):
    stack = new_stack(atlan)
    source, target = save(atlan, stack.table("a"), stack.table("b"))
    process = Process9.creator(
        name="p",
        connection_qualified_name=stack.connection,
        process_id="p",
        inputs=[Table9.ref_by_guid(source)],
        outputs=[Table9.ref_by_guid(target)],
    )

    assert len(atlan9.asset.save(process).assets_created(Process9)) == 1

    downstream = [asset.name for asset in atlan9.asset.get_lineage_list(FluentLineage9(starting_guid=source).request)]
    assert downstream == ["p", "b"]


def is_guid(text: str) -> bool:
    return str(uuid.UUID(text)) == text


def test_answer_of_a_create(tenant, atlan):
    stack = new_stack(atlan)

    body = raw(tenant).save(table_entity(stack, "t")).json()

    guid = body["guidAssignments"]["-1"]
    assert is_guid(guid)
    assert set(body["mutatedEntities"]) == {"CREATE", "UPDATE"}
    [header] = body["mutatedEntities"]["CREATE"]
    assert (header["typeName"], header["guid"], header["status"]) == ("Table", guid, "ACTIVE")
    assert header["attributes"]["name"] == "t"
    assert header["attributes"]["qualifiedName"] == f"{stack.schema}/t"
    assert header["classificationNames"] == []
    assert header["createTime"] > 1_500_000_000_000
    [parent] = body["mutatedEntities"]["UPDATE"]
    assert parent["typeName"] == "Schema"


def test_answer_of_a_save_has_lists_of_people_even_if_they_are_empty(tenant, atlan):
    stack = new_stack(atlan)
    created = raw(tenant).save(table_entity(stack, "a", ownerGroups=["data_engineering"]))
    (header,) = created.json()["mutatedEntities"]["CREATE"]
    assert header["attributes"]["ownerUsers"] == []
    assert header["attributes"]["ownerGroups"] == ["data_engineering"]


def test_answer_of_a_new_process_names_its_ends(tenant, atlan):
    stack = new_stack(atlan)
    ends = save(atlan, stack.table("in"), stack.table("out"))
    inputs, outputs = ([{"typeName": "Table", "guid": guid}] for guid in ends)
    attributes = {"name": "p", "qualifiedName": f"{stack.connection}/p", "inputs": inputs, "outputs": outputs}

    body = raw(tenant).save({"typeName": "Process", "guid": "-1", "attributes": attributes}).json()

    [header] = body["mutatedEntities"]["CREATE"]
    for guid, end, name in zip(ends, ("inputs", "outputs"), ("in", "out"), strict=True):
        [reference] = header["attributes"][end]
        assert (reference["guid"], reference["typeName"]) == (guid, "Table")
        assert reference["uniqueAttributes"] == {"qualifiedName": f"{stack.schema}/{name}"}


def test_answer_of_a_save_that_changes_nothing(tenant, atlan):
    stack = new_stack(atlan)
    entity = table_entity(stack, "t")
    guid = raw(tenant).save(entity).json()["guidAssignments"]["-1"]

    body = raw(tenant).save(entity).json()

    assert body["guidAssignments"] == {"-1": guid}
    assert not set(body.get("mutatedEntities") or {}) & {"CREATE", "UPDATE", "DELETE", "PARTIAL_UPDATE"}


def test_answer_of_an_update_has_no_create(tenant, atlan):
    stack = new_stack(atlan)
    raw(tenant).save(table_entity(stack, "t"))

    body = raw(tenant).save(table_entity(stack, "t", description="x")).json()

    assert set(body["mutatedEntities"]) == {"UPDATE"}


def test_an_asset_that_is_named_by_its_guid_takes_another_qualified_name(tenant, atlan):
    stack, http = new_stack(atlan), raw(tenant)

    def renamed(old: str, new: str, guid: str) -> Any:
        return http.save(table_entity(stack, old, guid, qualifiedName=f"{stack.schema}/{new}"))

    def at(name: str) -> list[str]:
        found = http.search({"term": {"qualifiedName": f"{stack.schema}/{name}"}}).json().get("entities", [])
        return [hit["guid"] for hit in found]

    guids = http.save(table_entity(stack, "old"), table_entity(stack, "other", "-2")).json()["guidAssignments"]
    guid = guids["-1"]
    (header,) = renamed("old", "new", guid).json()["mutatedEntities"]["UPDATE"]
    assert (header["guid"], header["attributes"]["qualifiedName"]) == (guid, f"{stack.schema}/new")
    assert (at("old"), at("new")) == ([], [guid])
    assert error_code(renamed("new", "other", guid)) == "ATLAS-409-00-003"
    refused = table_entity(stack, "x", announcementMessage="<!--#exec x-->")  # found out when the other has its name
    assert (
        http.save(table_entity(stack, "new", guid, qualifiedName=f"{stack.schema}/third"), refused).status_code == 400
    )
    assert (at("third"), at("new")) == ([], [guid])
    assert http.save(table_entity(stack, "old")).json()["guidAssignments"]["-1"] != guid
    events = http.call("POST", f"/api/meta/entity/{guid}/auditSearch", json={"dsl": {}}).json()["entityAudits"]
    assert events[1]["detail"]["attributes"] == {"qualifiedName": f"{stack.schema}/new"}


def test_relationship_attributes_are_accepted(tenant, atlan):
    stack = new_stack(atlan)
    entity = table_entity(stack, "t")
    entity["relationshipAttributes"] = {"atlanSchema": entity["attributes"].pop("atlanSchema")}

    guid = raw(tenant).save(entity).json()["guidAssignments"]["-1"]

    read = raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}").json()["entity"]
    assert read["relationshipAttributes"]["atlanSchema"]["typeName"] == "Schema"


def test_attribute_in_two_places(tenant, atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table("in"))
    reference = {"typeName": "Table", "guid": guid}
    attributes = {"name": "p", "qualifiedName": f"{stack.connection}/p"}
    entity: dict[str, Any] = {"typeName": "Process", "guid": "-1", "attributes": attributes}
    entity["relationshipAttributes"] = {"inputs": [reference], "outputs": [reference]}
    entity["appendRelationshipAttributes"] = {"inputs": [reference]}

    answer = raw(tenant).save(entity)

    assert (answer.status_code, error_code(answer)) == (400, "ATLAS-400-00-108")


def test_read_by_guid(tenant, atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    path = f"/api/meta/entity/guid/{guid}"

    body = raw(tenant).call("GET", path, params={"ignoreRelationships": "false"}).json()

    assert body["referredEntities"] == {}
    entity = body["entity"]
    assert (entity["typeName"], entity["guid"], entity["status"]) == ("Table", guid, "ACTIVE")
    assert entity["attributes"]["qualifiedName"] == f"{stack.schema}/orders"
    schema = entity["relationshipAttributes"]["atlanSchema"]
    assert (schema["typeName"], schema["displayText"], schema["entityStatus"]) == ("Schema", "public", "ACTIVE")
    assert schema["relationshipStatus"] == "ACTIVE"
    assert is_guid(schema["guid"])
    assert is_guid(schema["relationshipGuid"])
    assert "uniqueAttributes" not in schema  # as in pyatlan's tests/unit/data/asset_responses/get_by_guid.json
    bare = raw(tenant).call("GET", path, params={"ignoreRelationships": "true"}).json()["entity"]
    assert not bare.get("relationshipAttributes")


def test_attributes_of_its_source_alone(tenant, atlan):
    """`customAttributes`, which pyatlan's `Referenceable` reads of an entity, and of a hit as a text."""
    stack, custom = new_stack(atlan), {"collation": "latin1", "width": "5"}
    entity = table_entity(stack, "t")
    guid = raw(tenant).save({**entity, "customAttributes": {**custom, "width": 5}}).json()["guidAssignments"]["-1"]
    assert raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}").json()["entity"]["customAttributes"] == custom
    assert atlan.asset.get_by_guid(guid, Table, ignore_relationships=True).custom_attributes == custom
    request = FluentSearch.select().where(Table.GUID.eq(guid)).include_on_results(Table.CUSTOM_ATTRIBUTES)
    assert [table.custom_attributes for table in request.execute(atlan)] == [custom]

    assert "UPDATE" not in raw(tenant).save(entity).json().get("mutatedEntities", {})
    (header,) = raw(tenant).save({**entity, "customAttributes": {}}).json()["mutatedEntities"]["UPDATE"]
    assert "__customAttributes" not in header["attributes"]
    assert raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}").json()["entity"]["customAttributes"] == {}
    events = raw(tenant).call("POST", f"/api/meta/entity/{guid}/auditSearch", json={"dsl": {}}).json()["entityAudits"]
    assert [event["detail"].get("customAttributes") for event in events] == [custom, {}]


def test_an_entity_has_no_more_than_atlas_shows(tenant, atlan):
    """The keys that a tenant answers (pyatlan's tests/unit/data/asset_responses), and those of newer servers.

    `EntityGraphRetriever.mapVertexToAtlasEntity` fills them; a header's summaries are not among them.
    """
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    entity = raw(tenant).call("GET", f"/api/meta/entity/guid/{guid}").json()["entity"]

    assert list(entity)[:3] == ["typeName", "attributes", "guid"]
    recorded = {"status", "createdBy", "updatedBy", "createTime", "updateTime", "isIncomplete", "version", "labels"}
    newer = {"superTypeNames", "docId", "classifications"}
    assert entity.keys() - {"typeName", "attributes", "guid"} == recorded | newer | {"relationshipAttributes"}


def test_v9_reads_the_terms_of_an_asset_from_its_relationships(atlan, atlan9):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    [glossary] = save(atlan, AtlasGlossary.creator(name=unique("Terms")))
    [term] = save(atlan, AtlasGlossaryTerm.creator(name="Order", glossary_guid=glossary))

    atlan9.asset.append_terms(asset_type=Table9, guid=guid, terms=[Term9.ref_by_guid(term)])

    read = atlan9.asset.get_by_guid(guid, Table9, ignore_relationships=False)
    assert [one.guid for one in read.assigned_terms] == [term]


def test_read_by_name(tenant, atlan):
    connection = new_connection(atlan)
    path = "/api/meta/entity/uniqueAttribute/type/Connection"

    found = raw(tenant).call("GET", path, params={"attr:qualifiedName": connection})
    missing = raw(tenant).call("GET", path, params={"attr:qualifiedName": f"{connection}/x"})
    not_unique = raw(tenant).call("GET", path, params={"attr:name": "x"})

    assert found.json()["entity"]["attributes"]["qualifiedName"] == connection
    assert (missing.status_code, error_code(missing)) == (404, "ATLAS-404-00-009")
    assert (not_unique.status_code, error_code(not_unique)) == (400, "ATLAS-400-00-013")


def test_answer_of_a_search(tenant, atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())

    body = raw(tenant).search({"term": {"__guid": {"value": guid}}}).json()

    assert body["queryType"] == "INDEX"
    assert body["approximateCount"] == 1
    [hit] = body["entities"]
    assert (hit["typeName"], hit["guid"], hit["status"], hit["displayText"]) == ("Table", guid, "ACTIVE", "orders")
    assert "Table" not in hit["superTypeNames"]
    assert {"SQL", "Catalog", "Asset", "Referenceable"} <= set(hit["superTypeNames"])
    assert (hit["classificationNames"], hit["meaningNames"]) == ([], [])
    assert isinstance(hit["createTime"], int)


def test_answer_of_a_search_without_hits(tenant):
    body = raw(tenant).search({"term": {"__guid": {"value": "none"}}}).json()

    assert body["approximateCount"] == 0
    assert "entities" not in body


def test_short_forms_of_queries(tenant, atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("a"), stack.table("b"))
    connection = {"term": {"connectionQualifiedName": stack.connection}}

    def count(*more: dict[str, Any]) -> int:
        return raw(tenant).search({"bool": {"must": [connection, *more]}}).json()["approximateCount"]

    assert count({"term": {"__typeName.keyword": "table"}}) == 2
    assert count({"prefix": {"name.keyword": "A"}}) == 1
    assert count({"match_all": {}}) == 4
    assert count({"bool": {"must_not": {"terms": {"name.keyword": ["a", "b"]}}}}) == 2
    assert count({"range": {"__timestamp": {"gt": 0}}}) == 4
    assert count({"exists": {"field": "schemaQualifiedName"}}) == 2


def test_post_filter_spares_the_aggregations(tenant, atlan):
    stack = new_stack(atlan)
    save(atlan, stack.table("a"), stack.table("b"))
    dsl = {
        "post_filter": {"term": {"name.keyword": "a"}},
        "aggs": {"types": {"terms": {"field": "__typeName.keyword"}}},
    }

    body = raw(tenant).search({"term": {"connectionQualifiedName": stack.connection}}, **dsl).json()

    assert [hit["displayText"] for hit in body["entities"]] == ["a"]
    buckets = {b["key"].lower(): b["doc_count"] for b in body["aggregations"]["types"]["buckets"]}
    assert buckets == {"table": 2, "database": 1, "schema": 1}


def test_answer_of_a_lineage_without_results(tenant, atlan):
    stack = new_stack(atlan)
    [guid] = save(atlan, stack.table())
    request = {"guid": guid, "direction": "OUTPUT", "depth": 10, "from": 0, "size": 10}

    body = raw(tenant).call("POST", "/api/meta/lineage/list", json=request).json()

    assert (body["entities"], body["hasMore"], body["entityCount"]) == ([], False, 0)


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/service/roles"), ("POST", "/api/meta/entity/bulk/"), ("POST", "/api/meta/search/indexsearch")],
)
def test_without_the_token(tenant, token, method, path):
    answer = Raw(tenant.base_url, token).call(method, path)

    assert answer.status_code == 401
    assert answer.json()["message"]
    assert tenant.api_token not in answer.text


def test_unknown_path_is_told_and_counted(tenant):
    path = f"/api/meta/{unique('nowhere')}"

    answers = [raw(tenant).call("GET", path) for _ in range(2)]

    assert {answer.status_code for answer in answers} <= {404, 501}
    assert path in answers[0].json()["errorMessage"]
    assert error_code(answers[0])
    counted = raw(tenant).call("GET", "/_sandbox/requests").json()
    assert counted["unknown"][f"GET {path}"] == 2


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"entities": {}}', '{"entities": [5]}', '{"entities": [{}]}'])
def test_body_that_is_no_bulk_request(tenant, body):
    answer = raw(tenant).call("POST", "/api/meta/entity/bulk/", content=body)

    assert answer.status_code in (400, 404)
    assert error_code(answer).startswith("ATLAS-40")


def test_names_survive_any_characters(tenant, atlan):
    stack = new_stack(atlan)
    name = 'Größe "a" & b?c=d#e %41 + ☃'

    guid = raw(tenant).save(table_entity(stack, name)).json()["guidAssignments"]["-1"]

    assert atlan.asset.get_by_qualified_name(f"{stack.schema}/{name}", Table).guid == guid
    assert [asset.name for asset in within(stack.connection).where(Table.NAME.eq(name)).execute(atlan)] == [name]
