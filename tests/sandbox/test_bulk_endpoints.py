"""Endpoints of `EntityREST` that plain REST programs use: one attribute by guid, and many entities by their names and tags."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Raw, Stack, error_code, new_stack, raw, table_entity, unique
from pyatlan.client.atlan import AtlanClient

ENTITY, TYPES = "/api/meta/entity", "/api/meta/types/typedefs"
NOBODY = "00000000-0000-4000-8000-000000000000"
BY_NAME, TAG_MANY, SET_TAGS = (
    f"{ENTITY}/bulk/uniqueAttribute",
    f"{ENTITY}/bulk/classification",
    f"{ENTITY}/bulk/setClassifications",
)


class Tables:
    """Three tables of a schema, over HTTP, and two tags that are defined."""

    def __init__(self, tenant: Raw, stack: Stack) -> None:
        self.tenant, self.stack = tenant, stack
        sent = [table_entity(stack, name, f"-{number}") for number, name in enumerate("abc", 1)]
        assigned = tenant.save(*sent).json()["guidAssignments"]
        self.guids = {name: assigned[f"-{number}"] for number, name in enumerate("abc", 1)}
        definitions = [{"displayName": unique("tag"), "category": "CLASSIFICATION"} for _ in range(2)]
        made = tenant.call("POST", TYPES, json={"classificationDefs": definitions}).json()["classificationDefs"]
        self.tags = [one["name"] for one in made]

    def qualified_name(self, name: str) -> str:
        return f"{self.stack.schema}/{name}"

    def read(self, name: str) -> dict[str, Any]:
        return self.tenant.call("GET", f"{ENTITY}/guid/{self.guids[name]}").json()["entity"]

    def tags_of(self, name: str) -> list[str]:
        return [tag["typeName"] for tag in self.read(name)["classifications"]]

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.tenant.call(method, path, json=body, params=query)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, str]:
        answer = self.tenant.call(method, path, json=body, params=query)
        return answer.status_code, error_code(answer).removeprefix("ATLAS-")


@pytest.fixture
def tables(tenant, atlan: AtlanClient) -> Tables:
    return Tables(raw(tenant), new_stack(atlan))


# One attribute


def test_an_attribute_is_set_by_guid(tables):
    path = f"{ENTITY}/guid/{tables.guids['a']}"
    answer = tables.ask("PUT", path, "what it is", name="description")
    assert [one["guid"] for one in answer["partialUpdatedEntities"]] == [tables.guids["a"]]
    assert tables.read("a")["attributes"]["description"] == "what it is"
    tables.ask("PUT", path, 3, name="columnCount")
    tables.ask("PUT", path, ["me"], name="ownerUsers")
    attributes = tables.read("a")["attributes"]
    assert (attributes["columnCount"], attributes["ownerUsers"], attributes["name"]) == (3, ["me"], "a")
    assert "partialUpdatedEntities" not in tables.ask("PUT", path, 3, name="columnCount")


def test_a_related_entity_is_set_by_its_guid_alone(tables):
    other = tables.stack.database + "/other"
    attributes = {"name": "other", "qualifiedName": other}
    database = {"typeName": "Database", "uniqueAttributes": {"qualifiedName": tables.stack.database}}
    sent = {"typeName": "Schema", "guid": "-1", "attributes": {**attributes, "database": database}}
    schema = tables.tenant.save(sent).json()["guidAssignments"]["-1"]
    tables.ask("PUT", f"{ENTITY}/guid/{tables.guids['a']}", schema, name="atlanSchema")
    assert tables.read("a")["relationshipAttributes"]["atlanSchema"]["guid"] == schema
    tables.ask("PUT", f"{ENTITY}/guid/{tables.guids['b']}", {"guid": schema}, name="atlanSchema")
    assert tables.read("b")["relationshipAttributes"]["atlanSchema"]["guid"] == schema


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("nothing", 1, 400, "400-00-023"),
        ("", 1, 400, "400-00-023"),
        ("columnCount", "many", 404, "404-00-007"),
        ("atlanSchema", NOBODY, 404, "404-00-00A"),
        ("atlanSchema", 5, 400, "400-00-021"),
        ("x" * 5000, 1, 400, "400-00-057"),
        ("sourceReadRecentUserRecordList", [], 200, ""),
        ("starredDetailsList", ["text"], 404, "404-00-007"),
        ("assetGCPDataplexMetadataDetails", {}, 400, "400-00-027"),
    ],
)
def test_what_no_attribute_takes(tables, name, value, status, code):
    answer = tables.tenant.call("PUT", f"{ENTITY}/guid/{tables.guids['a']}", json=value, params={"name": name})
    assert answer.status_code == status, answer.text
    assert not code or error_code(answer) == f"ATLAS-{code}"


def test_an_attribute_of_nobody(tables):
    assert tables.refused("PUT", f"{ENTITY}/guid/{NOBODY}", 1, name="description") == (404, "404-00-005")


# Many by name


def test_many_are_read_by_their_names(tables):
    wanted = {
        f"attr_{number}:qualifiedName": tables.qualified_name(name) for number, name in enumerate(["a", "c", "z"])
    }
    answer = tables.ask("GET", f"{BY_NAME}/type/Table", **wanted)
    assert [entity["attributes"]["name"] for entity in answer["entities"]] == ["a", "c"]
    assert answer["entities"][0]["relationshipAttributes"]["atlanSchema"]
    answer = tables.ask("GET", f"{BY_NAME}/type/Asset", **wanted, ignoreRelationships="true")
    assert [entity.get("relationshipAttributes") for entity in answer["entities"]] == [None, None]
    assert tables.ask("GET", f"{BY_NAME}/type/Table", other=1)["entities"] == []


def test_many_are_not_read_by_what_is_no_name(tables):
    path, name = f"{BY_NAME}/type/Table", tables.qualified_name("a")
    assert tables.refused("GET", f"{BY_NAME}/type/Nothing", **{"attr_0:qualifiedName": name}) == (400, "400-00-014")
    wrong = {"attr_0:qualifiedName": name, "attr_1:name": "a"}
    assert tables.refused("GET", path, **wrong) == (400, "400-00-013")
    assert tables.refused("GET", path, **{"attr_0:qualifiedName": "x" * 5000}) == (400, "400-00-057")


def test_many_are_deleted_by_their_names(tables):
    names = [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": tables.qualified_name(one)}} for one in "abz"]
    answer = tables.ask("DELETE", BY_NAME, names, deleteType="SOFT")
    assert {one["guid"] for one in answer["mutatedEntities"]["DELETE"]} == {tables.guids["a"], tables.guids["b"]}
    assert [tables.read(name)["status"] for name in "abc"] == ["DELETED", "DELETED", "ACTIVE"]
    assert tables.ask("DELETE", BY_NAME, names[2:]) == {}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([], "400-00-01A"),
        ([{"uniqueAttributes": {"qualifiedName": "a"}}], "400-00-01A"),
        ([{"typeName": "Table"}], "400-00-01A"),
        ([{"typeName": "Table", "uniqueAttributes": {}}], "400-00-01A"),
        ([{"typeName": "Nothing", "uniqueAttributes": {"qualifiedName": "a"}}], "400-00-014"),
        ([{"typeName": ["Table"], "uniqueAttributes": {"qualifiedName": "a"}}], "400-00-014"),
        ([{"typeName": "Table", "uniqueAttributes": ["a"]}], "400-00-029"),
        ({"typeName": "Table"}, "400-00-029"),
        (["a"], "400-00-029"),
    ],
)
def test_a_deletion_by_no_name(tables, sent, code):
    first = {"typeName": "Table", "uniqueAttributes": {"qualifiedName": tables.qualified_name("a")}}
    assert tables.refused("DELETE", BY_NAME, [first, *sent] if isinstance(sent, list) and sent else sent) == (400, code)
    assert tables.read("a")["status"] == "ACTIVE"


# Tags


def test_one_tag_of_one_entity(tables):
    own, other = tables.tags
    tables.ask("POST", f"{ENTITY}/guid/{tables.guids['a']}/classifications", [{"typeName": own, "propagate": False}])
    path = f"{ENTITY}/guid/{tables.guids['a']}/classification"
    told = tables.ask("GET", f"{path}/{own}")
    assert (told["typeName"], told["entityGuid"]) == (own, tables.guids["a"])
    assert tables.refused("GET", f"{path}/{other}") == (404, "404-00-008")
    assert tables.refused("GET", f"{path}/nothing") == (400, "400-00-014")
    assert tables.refused("GET", f"{ENTITY}/guid/{NOBODY}/classification/{own}") == (404, "404-00-005")


def test_a_tag_that_reaches_an_entity_is_told_after_its_own(tables):
    name, schema = tables.tags[0], tables.read("a")["relationshipAttributes"]["atlanSchema"]["guid"]
    tag = [{"typeName": name, "propagate": True}]
    tables.ask("POST", f"{ENTITY}/guid/{schema}/classifications", tag)
    path = f"{ENTITY}/guid/{tables.guids['a']}/classification/{name}"
    assert tables.ask("GET", path)["entityGuid"] == schema
    tables.ask("POST", f"{ENTITY}/guid/{tables.guids['a']}/classifications", tag)
    assert tables.ask("GET", path)["entityGuid"] == tables.guids["a"]


def test_one_tag_on_many(tables):
    first, second = tables.tags
    guids = [tables.guids["a"], tables.guids["b"], tables.guids["a"]]
    assert tables.ask("POST", TAG_MANY, {"classification": {"typeName": first}, "entityGuids": guids}) is None
    named = [{"qualifiedName": tables.qualified_name("c")}]
    by_name = {"entityTypeName": "Table", "entitiesUniqueAttributes": named}
    tables.ask("POST", TAG_MANY, {"classification": {"typeName": second}, **by_name, "entityGuids": guids[:1]})
    assert [tables.tags_of(name) for name in "abc"] == [[first, second], [first], [second]]


def test_one_tag_that_many_refuse(tables):
    tag = {"typeName": tables.tags[0]}
    tables.ask("POST", TAG_MANY, {"classification": tag, "entityGuids": [tables.guids["b"]]})
    guids = [tables.guids["a"]]
    by_name = {"entityTypeName": "Table", "entitiesUniqueAttributes": [{"qualifiedName": "nobody"}]}
    for body, expected in [
        ({"entityGuids": guids}, (400, "400-00-01A")),
        ({"classification": {}, "entityGuids": guids}, (400, "400-00-01A")),
        ({"classification": tag}, (400, "400-00-01A")),
        ({"classification": tag, "entitiesUniqueAttributes": [{"qualifiedName": "a"}]}, (400, "400-00-01A")),
        ({"classification": tag, "entityGuids": "a"}, (400, "400-00-029")),
        ({"classification": tag, "entityGuids": [*guids, NOBODY]}, (404, "404-00-005")),
        ({"classification": tag, "entityGuids": [*guids, tables.guids["b"]]}, (400, "400-00-01A")),
        ({"classification": {"typeName": "nothing"}, "entityGuids": guids}, (404, "404-00-008")),
        ({"classification": tag, "entityGuids": guids, **by_name}, (404, "404-00-009")),
        ({"classification": tag, **by_name, "entityTypeName": "Nothing"}, (400, "400-00-014")),
        ({"classification": tag, **by_name, "entitiesUniqueAttributes": ["a"]}, (400, "400-00-029")),
    ]:
        assert tables.refused("POST", TAG_MANY, body) == expected, body
    assert tables.tags_of("a") == []


def test_a_tag_that_is_for_other_types(tables):
    definition = {"displayName": unique("tag"), "category": "CLASSIFICATION", "entityTypes": ["Column"]}
    made = tables.ask("POST", TYPES, {"classificationDefs": [definition]})["classificationDefs"][0]
    body = {"classification": {"typeName": made["name"]}, "entityGuids": [tables.guids["a"]]}
    assert tables.refused("POST", TAG_MANY, body) == (400, "400-00-055")


def test_the_tags_of_an_archived_product_stay(tables):
    domain = {
        "typeName": "DataDomain",
        "guid": "-1",
        "attributes": {"name": unique("d"), "qualifiedName": unique("default/domain")},
    }
    domain_guid = tables.tenant.save(domain).json()["guidAssignments"]["-1"]
    attributes = {
        "name": "p",
        "qualifiedName": unique("default/product"),
        "dataProductAssetsDSL": '{"query": {"match_all": {}}}',
    }
    product = {
        "typeName": "DataProduct",
        "guid": "-1",
        "attributes": {**attributes, "dataDomain": {"typeName": "DataDomain", "guid": domain_guid}},
    }
    answer = tables.tenant.save(product)
    assert answer.status_code == 200, answer.text
    guid = answer.json()["guidAssignments"]["-1"]
    header = {"guidHeaderMap": {guid: {"typeName": "DataProduct", "guid": guid, "classifications": []}}}
    tables.ask("POST", SET_TAGS, header)
    tables.ask("DELETE", f"{ENTITY}/guid/{guid}", deleteType="SOFT")
    assert tables.refused("POST", SET_TAGS, header) == (409, "409-00-015")


def test_the_tags_of_many_are_set(tables):
    first, second = tables.tags
    tables.ask("POST", TAG_MANY, {"classification": {"typeName": first}, "entityGuids": [*tables.guids.values()]})

    def header(name: str, *tags: str, **more: Any) -> dict[str, Any]:
        return {
            "typeName": "Table",
            "guid": tables.guids[name],
            "classifications": [{"typeName": tag} for tag in tags],
            **more,
        }

    headers = {"a": header("a", second), "b": header("b"), "c": header("c", first, second)}
    assert (
        tables.ask("POST", SET_TAGS, {"guidHeaderMap": {tables.guids[one]: sent for one, sent in headers.items()}})
        is None
    )
    assert [tables.tags_of(name) for name in "abc"] == [[second], [], [first, second]]
    # What names another entity than its header is left out.
    foreign = header("a", guid=tables.guids["a"])
    foreign["classifications"] = [{"typeName": first, "entityGuid": tables.guids["b"]}, {"typeName": second}]
    tables.ask("POST", SET_TAGS, {"guidHeaderMap": {tables.guids["a"]: foreign}})
    assert tables.tags_of("a") == [second]


def test_some_tags_of_many_are_changed(tables):
    first, second = tables.tags
    tables.ask("POST", TAG_MANY, {"classification": {"typeName": first}, "entityGuids": [tables.guids["a"]]})

    def change(name: str, **lists: Any) -> dict[str, Any]:
        own = {key: [{"entityGuid": tables.guids[name], **tag} for tag in tags] for key, tags in lists.items()}
        header = {"typeName": "Table", "guid": tables.guids[name], **own}
        return tables.ask(
            "POST", SET_TAGS, {"guidHeaderMap": {tables.guids[name]: header}}, overrideClassifications="false"
        )

    change("a", addOrUpdateClassifications=[{"typeName": second}, {"typeName": first, "propagate": True}])
    tags = tables.read("a")["classifications"]
    assert [(tag["typeName"], tag.get("propagate")) for tag in tags] == [(first, True), (second, None)]
    change("a", removeClassifications=[{"typeName": first}], classifications=[])
    assert tables.tags_of("a") == [second]
    change("a", removeClassifications=[{"typeName": first}, {"typeName": second, "entityGuid": tables.guids["b"]}])
    assert tables.tags_of("a") == [second]
    change("a", addOrUpdateClassifications=[{"typeName": first, "entityGuid": tables.guids["b"]}])
    assert (tables.tags_of("a"), tables.tags_of("b")) == ([second], [])


def test_tags_of_many_that_are_refused(tables):
    guid = tables.guids["a"]
    good = {"typeName": "Table", "guid": guid, "classifications": [{"typeName": tables.tags[0]}]}
    for headers, expected in [
        (None, (400, "400-00-029")),
        ({guid: None}, (400, "400-00-029")),
        ({guid: {"guid": guid}}, (400, "400-00-014")),
        ({guid: {**good, "typeName": "Nothing"}}, (400, "400-00-014")),
        ({NOBODY: good}, (404, "404-00-005")),
        ({guid: {**good, "classifications": "x"}}, (400, "400-00-029")),
        ({guid: {**good, "classifications": [{"typeName": "nothing"}]}}, (404, "404-00-008")),
    ]:
        assert tables.refused("POST", SET_TAGS, {"guidHeaderMap": headers}) == expected, headers
    assert tables.tags_of("a") == []
    unnamed = {"guidHeaderMap": {guid: {**good, "addOrUpdateClassifications": good["classifications"]}}}
    assert tables.refused("POST", SET_TAGS, unnamed, overrideClassifications="false") == (500, "500-00-001")


def test_entities_with_changed_tags_are_not_listed(tables):
    """A tenant has no answer either (`ESBasedAuditRepository.getEntitiesWithTagChanges`)."""
    assert tables.tenant.call("GET", f"{ENTITY}/bulk/headers").status_code == 501
