"""The audit log: what is told of each change, and the search over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers import Stack, error_code, new_stack, process_between, raw, save, table_entity, unique
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Column, Table
from pyatlan.model.audit import AuditActionType, AuditSearchRequest
from pyatlan.model.core import AtlanTag
from pyatlan.model.custom_metadata import CustomMetadataDict
from pyatlan.model.enums import AtlanCustomAttributePrimitiveType, AtlanTagColor
from pyatlan.model.search import DSL, Bool, Terms
from pyatlan.model.typedef import AtlanTagDef, AttributeDef, CustomMetadataDef

import sandbox
from sandbox.audit import follow, search_audit
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError
from sandbox.mutations import SaveOptions
from sandbox.mutations import save as save_entities
from sandbox.tasks import search_tasks
from sandbox.types_cache import load_types

ENDPOINT = "/api/meta/entity/auditSearch"


@pytest.fixture(scope="module")
def stack(atlan: AtlanClient) -> Stack:
    return new_stack(atlan)


def events(tenant: sandbox.Tenant, guid: str) -> list[dict[str, Any]]:
    """All that is told of an entity, the oldest first."""
    body = {"dsl": {"query": {"term": {"entityId": guid}}, "sort": [{"created": {"order": "asc"}}], "size": 100}}
    return raw(tenant).call("POST", ENDPOINT, json=body).json()["entityAudits"]


def actions(tenant: sandbox.Tenant, guid: str) -> list[str]:
    return [event["action"] for event in events(tenant, guid)]


def test_a_creation_is_told_with_all_that_was_set(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack) -> None:
    table = stack.table(unique("orders"))
    table.description = "all orders"
    (guid,) = save(atlan, table)
    (event,) = events(tenant, guid)
    assert (event["action"], event["typeName"], event["user"]) == ("ENTITY_CREATE", "Table", "sandbox")
    assert event["entityQualifiedName"] == table.qualified_name
    assert event["detail"]["attributes"]["description"] == "all orders"
    schema = event["detail"]["relationshipAttributes"]["atlanSchema"]
    assert schema["uniqueAttributes"] == {"qualifiedName": stack.schema}
    assert event["eventKey"] == f"{guid}:{event['timestamp']}"
    assert event["entityDetail"]["attributes"]["name"] == table.name


def test_an_update_tells_only_what_it_changed(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack) -> None:
    name = unique("orders")
    table = table_entity(stack, name, description="one", rowCount=1)
    guid = raw(tenant).save(table).json()["guidAssignments"]["-1"]
    raw(tenant).save({**table, "attributes": {**table["attributes"], "description": "two"}})
    raw(tenant).save({**table, "attributes": {**table["attributes"], "description": "two"}})  # changes nothing
    raw(tenant).save({**table, "attributes": {**table["attributes"], "description": None}})
    created, *updates = events(tenant, guid)
    assert created["action"] == "ENTITY_CREATE"
    assert [update["detail"]["attributes"] for update in updates] == [{"description": "two"}, {"description": None}]


def test_an_entity_at_the_end_of_a_relationship_has_no_event(
    atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack
) -> None:
    guids = save(atlan, stack.table(unique("from")), stack.table(unique("to")))
    tables = [Table.ref_by_guid(guid) for guid in guids]
    (process,) = save(atlan, process_between(stack.connection, unique("job"), tables[:1], tables[1:]))
    assert [actions(tenant, guid) for guid in guids] == [["ENTITY_CREATE"]] * 2
    detail = events(tenant, process)[0]["detail"]
    assert [one["guid"] for side in ("inputs", "outputs") for one in detail["relationshipAttributes"][side]] == guids


def test_a_life(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack) -> None:
    tag, metadata, attribute = unique("tag"), unique("set"), "Quality"
    atlan.typedef.create(AtlanTagDef.create(name=tag, color=AtlanTagColor.GREEN))
    definition = CustomMetadataDef.create(display_name=metadata)
    definition.attribute_defs = [
        AttributeDef.create(
            client=atlan, display_name=attribute, attribute_type=AtlanCustomAttributePrimitiveType.STRING
        )
    ]
    atlan.typedef.create(definition)
    table = stack.table(unique("orders"))
    assert table.qualified_name
    assert table.name
    (guid,) = save(atlan, table)

    atlan.asset.add_atlan_tags(Table, table.qualified_name, [tag])
    atlan.asset.update_atlan_tags(Table, table.qualified_name, [tag], propagate=True)
    atlan.asset.remove_atlan_tag(Table, table.qualified_name, tag)
    values = CustomMetadataDict(client=atlan, name=metadata)
    values[attribute] = "good"
    atlan.asset.update_custom_metadata_attributes(guid, values)
    raw(tenant).call("POST", f"/api/meta/entity/guid/{guid}/labels", json=["b", "a"])
    raw(tenant).call("DELETE", f"/api/meta/entity/guid/{guid}/labels", json=["b"])
    atlan.asset.delete_by_guid(guid)
    atlan.asset.restore(Table, table.qualified_name)
    atlan.asset.purge_by_guid(guid)

    found = events(tenant, guid)
    assert [event["action"] for event in found] == [
        "ENTITY_CREATE", "CLASSIFICATION_ADD", "CLASSIFICATION_UPDATE", "CLASSIFICATION_DELETE",
        "BUSINESS_ATTRIBUTE_UPDATE", "LABEL_ADD", "LABEL_DELETE", "ENTITY_DELETE", "ENTITY_UPDATE", "ENTITY_DELETE",
    ]  # fmt: skip
    details = {event["action"]: event["detail"] for event in found}
    hashed = atlan.atlan_tag_cache.get_id_for_name(tag)
    assert details["CLASSIFICATION_DELETE"] == {"typeName": hashed}
    assert details["CLASSIFICATION_UPDATE"]["propagate"] is True
    assert list(details["BUSINESS_ATTRIBUTE_UPDATE"]["attributes"].values()) == ["good"]
    assert details["LABEL_DELETE"] == {"labels": "b"}
    assert details["ENTITY_UPDATE"]["attributes"] == {"__state": "ACTIVE"}
    assert details["ENTITY_DELETE"]["attributes"] == {"qualifiedName": table.qualified_name}
    assert {event["entityDetail"] for event in found} == {None}  # as it is gone for good


def test_pyatlan_reads_it(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack) -> None:
    table = stack.table(unique("orders"))
    (guid,) = save(atlan, table)
    tag = unique("tag")
    atlan.typedef.create(AtlanTagDef.create(name=tag, color=AtlanTagColor.GREEN))
    assert table.qualified_name
    atlan.asset.add_atlan_tags(Table, table.qualified_name, [tag])
    for request in (
        AuditSearchRequest.by_guid(guid),
        AuditSearchRequest.by_qualified_name("Table", table.qualified_name),
    ):
        tagged, created = atlan.audit.search(request).current_page()
        assert (tagged.action, created.action) == (AuditActionType.ATLAN_TAG_ADD, AuditActionType.ENTITY_CREATE)
        assert isinstance(tagged.detail, AtlanTag)
        assert isinstance(created.detail, Table)
        assert created.detail.name == table.name


@pytest.mark.parametrize("bulk", [False, True])
def test_pages_bring_every_event_once(atlan: AtlanClient, tenant: sandbox.Tenant, stack: Stack, bulk: bool) -> None:
    columns = []
    table = stack.table(unique("wide"))
    save(atlan, table)
    assert table.qualified_name
    for order in range(1, 8):
        column = Column.creator(
            name=f"c{order}", parent_qualified_name=table.qualified_name, parent_type=Table, order=order
        )
        columns += save(atlan, column)
    query = {"terms": {"entityId": columns}}
    request = AuditSearchRequest(dsl=DSL(query=Bool(filter=[Terms(field="entityId", values=columns)]), size=3, from_=0))
    found = [event.entity_id for event in atlan.audit.search(request, bulk=bulk)]
    assert sorted(found) == sorted(columns)
    answer = raw(tenant).call("POST", ENDPOINT, json={"dsl": {"query": query, "size": 2}}).json()
    assert (answer["count"], answer["totalCount"]) == (2, 7)


def test_what_is_refused_leaves_no_event(tenant: sandbox.Tenant, stack: Stack) -> None:
    name = unique("orders")
    bad = table_entity(stack, unique("bad"), "-2", atlanSchema={"typeName": "Schema", "guid": "nobody"})
    assert raw(tenant).save(table_entity(stack, name), bad).status_code == 404
    body = {"dsl": {"query": {"term": {"entityQualifiedName": f"{stack.schema}/{name}"}}}}
    assert raw(tenant).call("POST", ENDPOINT, json=body).json()["totalCount"] == 0


def test_events_outlive_the_process_and_go_with_a_reset(tmp_path: Path) -> None:
    with sandbox.start(tmp_path, inventories=()) as tenant:
        entity = {"typeName": "Connection", "guid": "-1", "attributes": {"name": "a", "qualifiedName": "default/s3/1"}}
        guid = raw(tenant).save(entity).json()["guidAssignments"]["-1"]
    with sandbox.start(tmp_path, inventories=()) as tenant:
        assert actions(tenant, guid) == ["ENTITY_CREATE"]
        raw(tenant).call("POST", "/_sandbox/reset", json={"catalog": True})
        assert actions(tenant, guid) == []


# Queries

NAMES = ["a", "b", "a*b", "a[b"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog whose audit has four connections, each of them created and then described."""
    catalog = Catalog(load_types(), tmp_path_factory.mktemp("audit") / "tenant.db")
    follow(catalog)
    for name in NAMES:
        for description in (None, "described"):
            attributes = {"name": name, "qualifiedName": f"default/s3/{name}", "description": description}
            entity = {"typeName": "Database", "guid": "-1", "attributes": attributes}
            save_entities(catalog, [entity], SaveOptions(), f"user {name}")
    return catalog


def found(log: Catalog, query: dict[str, Any], **dsl: Any) -> list[str]:
    answer = search_audit(log, {"dsl": {"query": query, "size": 100, **dsl}})
    assert answer["totalCount"] == len(answer["entityAudits"])
    return [
        f"{event['entityQualifiedName'].rpartition('/')[2]} {event['action'][7]}" for event in answer["entityAudits"]
    ]


CREATED = {"term": {"action": "ENTITY_CREATE"}}
OF_A = {"term": {"entityQualifiedName": {"value": "default/s3/a"}}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"match_all": {}}, ["a C", "a U", "b C", "b U", "a*b C", "a*b U", "a[b C", "a[b U"]),
        ({"match_none": {}}, []),
        (OF_A, ["a C", "a U"]),
        ({"term": {"entityQualifiedName": "default/s3/A"}}, []),
        ({"match": {"user": "user b"}}, ["b C", "b U"]),
        ({"terms": {"user": ["user a", "user b"]}}, ["a C", "a U", "b C", "b U"]),
        ({"terms": {"user": []}}, []),
        ({"term": {"nothing.like.it": 1}}, []),
        ({"exists": {"field": "user"}}, ["a C", "a U", "b C", "b U", "a*b C", "a*b U", "a[b C", "a[b U"]),
        ({"exists": {"field": "headers"}}, []),
        ({"prefix": {"entityQualifiedName": "default/s3/a*"}}, ["a*b C", "a*b U"]),
        ({"wildcard": {"entityQualifiedName": "*s3/a?b"}}, ["a*b C", "a*b U", "a[b C", "a[b U"]),
        ({"wildcard": {"entityQualifiedName": {"value": "*a[b"}}}, ["a[b C", "a[b U"]),
        ({"range": {"created": {"gte": "now-1h", "lt": "now+1h"}}}, ["a C", "a U", "b C", "b U", "a*b C", "a*b U", "a[b C", "a[b U"]),
        ({"range": {"created": {"lt": 1000}}}, []),
        ({"bool": {"filter": [OF_A], "must": CREATED}}, ["a C"]),
        ({"bool": {"must_not": [CREATED, {"wildcard": {"user": "*a*"}}]}}, ["b U"]),
        ({"bool": {"should": [OF_A, CREATED]}}, ["a C", "a U", "b C", "a*b C", "a[b C"]),
        ({"bool": {"should": [OF_A, CREATED], "minimum_should_match": 2}}, ["a C"]),
        ({"bool": {"filter": [OF_A], "should": [CREATED]}}, ["a C", "a U"]),
        ({"bool": {}}, ["a C", "a U", "b C", "b U", "a*b C", "a*b U", "a[b C", "a[b U"]),
        ({"constant_score": {"filter": OF_A}}, ["a C", "a U"]),
    ],
)  # fmt: skip
def test_queries(log: Catalog, query: dict[str, Any], expected: list[str]) -> None:
    assert found(log, query) == expected


def test_sorting(log: Catalog) -> None:
    latest_first = ["a[b U", "a[b C", "a*b U", "a*b C", "b U", "b C", "a U", "a C"]
    assert found(log, {"match_all": {}}, sort=[{"created": {"order": "desc"}}]) == latest_first
    assert found(log, {"match_all": {}}, sort={"created": "desc"}) == latest_first
    by_name = ["a C", "a U", "a*b C", "a*b U", "a[b C", "a[b U", "b C", "b U"]
    assert found(log, {"match_all": {}}, sort=["entityQualifiedName"]) == by_name
    assert found(log, {"match_all": {}}, sort=[{"action": "asc"}, {"entityQualifiedName": "desc"}])[:2] == [
        "b C",
        "a[b C",
    ]


def test_terms_of_a_field(log: Catalog) -> None:
    spec = {"by": {"terms": {"field": "user", "size": 1}}}
    answer = search_audit(log, {"dsl": {"query": CREATED, "size": 0, "aggs": spec}})
    assert answer["aggregations"] == {
        "by": {
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": 3,
            "buckets": [{"key": "user a", "doc_count": 1}],
        }
    }
    assert answer["entityAudits"] == []


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"query": {"term": {"user": {"value": ["a"]}}}}, 400),
    ({"query": {"term": {"user": "a", "action": "b"}}}, 400),
    ({"query": {"term": "user"}}, 400),
    ({"query": {"term": {"created": "yesterday"}}}, 400),
    ({"query": {"range": {"created": {"gt": "2026-99-99"}}}}, 400),
    ({"query": {"range": {"created": 3}}}, 400),
    ({"query": {"terms": {"user": "a"}}}, 400),
    ({"query": {"bool": {"mustt": []}}}, 400),
    ({"query": {"bool": {"should": [{"match_all": {}}] * 1025}}}, 400),
    ({"query": []}, 200),  # none is given
    ({"query": [1]}, 400),
    ({"size": -1}, 400),
    ({"size": True}, 400),
    ({"from": 9_999, "size": 2}, 400),
    ({"sort": [{"nothing": "asc"}]}, 400),
    ({"sort": [{"created": "up"}]}, 400),
    ({"sort": [3]}, 400),
    ({"sise": 3}, 400),
    ({"query": {"nested": {"path": "detail", "query": {"match_all": {}}}}}, 501),
    ({"query": {"term": {"user": {"value": "a", "case_insensitive": True}}}}, 501),
    ({"query": {"range": {"created": {"relation": "within"}}}}, 501),
    ({"query": {"bool": {"should": [{"match_all": {}}], "minimum_should_match": "75%"}}}, 501),
    ({"aggs": {"by": {"max": {"field": "created"}}}}, 501),
    ({"aggs": {"by": {"terms": {"field": "nothing"}}}}, 501),
    ({"post_filter": {"match_all": {}}}, 501),
]


@pytest.mark.parametrize(("dsl", "status"), REFUSED)
def test_what_elasticsearch_refuses_is_refused(tenant: sandbox.Tenant, dsl: dict[str, Any], status: int) -> None:
    answer = raw(tenant).call("POST", ENDPOINT, json={"dsl": dsl})
    assert answer.status_code == status
    if status != 200:
        assert error_code(answer)


@pytest.mark.parametrize("body", [{}, {"dsl": 3}, {"dsl": "{"}, []])
def test_a_request_without_a_dsl_is_refused(tenant: sandbox.Tenant, body: Any) -> None:
    assert raw(tenant).call("POST", ENDPOINT, json=body).status_code == 400


def test_the_events_of_one_entity(tenant: sandbox.Tenant, stack: Stack, atlan: AtlanClient) -> None:
    one, _ = save(atlan, stack.table(unique("one")), stack.table(unique("other")))
    answer: httpx.Response = raw(tenant).call("POST", f"/api/meta/entity/{one}/auditSearch", json={"dsl": {}})
    assert [event["entityId"] for event in answer.json()["entityAudits"]] == [one]


FIELDS = st.sampled_from(["entityId", "user", "action", "created", "timestamp", "eventKey", "nothing"])
VALUES = st.one_of(
    st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.sampled_from(["user a", "now-1d"])
)
LEAVES = st.one_of(
    st.builds(
        lambda kind, field, value: {kind: {field: value}},
        st.sampled_from(["term", "match", "prefix", "wildcard"]),
        FIELDS,
        VALUES,
    ),
    st.builds(lambda field, values: {"terms": {field: values}}, FIELDS, st.lists(VALUES, max_size=3)),
    st.builds(
        lambda field, limits: {"range": {field: limits}},
        FIELDS,
        st.dictionaries(st.sampled_from(["gt", "lte"]), VALUES),
    ),
    st.builds(lambda field: {"exists": {"field": field}}, FIELDS),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(st.sampled_from(["must", "filter", "should", "must_not"]), st.lists(inner, max_size=3)).map(lambda body: {"bool": body}),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(QUERIES)
def test_a_query_and_its_negation_part_all_events(log: Catalog, query: dict[str, Any]) -> None:
    total: Callable[[dict[str, Any]], int] = lambda asked: search_audit(log, {"dsl": {"query": asked}})["totalCount"]  # noqa: E731
    try:
        found = total(query)
    except AtlasError as error:
        assume(error.status != 400)
        raise
    assert found + total({"bool": {"must_not": [query]}}) == 2 * len(NAMES)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"term": {"user": "ann"}}, "audit_of_user (user=?)"),
        ({"bool": {"filter": [{"term": {"user": "ann"}}, {"range": {"created": {"gte": 5}}}]}}, "audit_of_user (user=? AND created>?)"),
        ({"term": {"entityId": "1"}}, "audit_of_entity (entityId=?)"),
        ({"term": {"entityQualifiedName": "1"}}, "audit_of_name (entityQualifiedName=?)"),
        ({"match_all": {}}, "audit_of_moment"),
    ],
)  # fmt: skip
def test_no_search_reads_every_event(tmp_path: Path, query: Any, index: str) -> None:
    catalog = Catalog(load_types(), tmp_path / "tenant.db")
    statements: list[str] = []
    catalog._database.set_trace_callback(statements.append)
    search_audit(catalog, {"dsl": {"query": query, "sort": [{"created": {"order": "desc"}}]}})
    search_tasks(catalog, {"dsl": {"query": {"match_all": {}}}})
    catalog._database.set_trace_callback(None)
    plans = [" ".join(row[3] for row in catalog.select(f"EXPLAIN QUERY PLAN {one}")) for one in statements]
    catalog.close()
    assert len(plans) == 3
    assert f"USING INDEX {index}" in plans[1]
    assert "USING INDEX audit_of_tags" in plans[2]
    assert "TEMP B-TREE" not in plans[2]
    assert index.startswith("audit_of_moment") or f"INDEX {index.split()[0]}" in plans[0]
