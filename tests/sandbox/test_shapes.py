"""Whatever JSON arrives at whatever endpoint, the sandbox answers or refuses, and does not break."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.adminlog import AdminLog
from sandbox.audit import follow
from sandbox.bodies import MAX_CONTAINERS, parse_json
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError
from sandbox.files import SignedStorage
from sandbox.mutations import SaveOptions, save
from sandbox.people import ROLES, USER
from sandbox.requests import MAX_ENTITIES
from sandbox.routes import ROUTES, Call, Handler
from sandbox.search import SearchCache
from sandbox.searchlog import SearchLog
from sandbox.typedefs import save_typedefs
from sandbox.types_cache import load_types

ROOT = "default/vertica/1"
# What stands in the samples for names that are new each time, and for those that the catalogue has given.
NEW, NAMES = "$new", ("$tag", "$set", "$who", "$guid")
FILES = SignedStorage("http://127.0.0.1:1", "objectstore", ("id", "secret"))
_numbers = itertools.count()
TAG = {"displayName": "PII", "options": {"color": "Red"}}
SET = {
    "displayName": "RACI",
    "attributeDefs": [
        {"displayName": "who", "typeName": "array<string>", "options": {"maxStrLength": "9", "applicableEntityTypes": '["Asset"]'}},
        {"displayName": "when", "typeName": "date", "options": {"applicableEntityTypes": '["Asset"]'}},
    ],
}  # fmt: skip
ENUM = {"name": "Size", "elementDefs": [{"value": "BIG", "ordinal": 1}]}


def of(type_name: str, name: str, **values: Any) -> dict[str, Any]:
    attributes = {"name": name, "qualifiedName": f"{ROOT}/{name}", **values}
    return {"typeName": type_name, "guid": f"-{name.removesuffix(NEW)}", "attributes": attributes}


def ref(name: str) -> dict[str, Any]:
    return {"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{ROOT}/{name}"}}


ENTITIES = [
    {
        **of("Table", "new", columnCount=3, ownerUsers=["ann"], certificateStatus="DRAFT", isPartitioned=True),
        "status": "ACTIVE", "labels": ["a"], "customAttributes": {"a": "b"}, "classifications": [{"typeName": "$tag"}], "businessAttributes": {"$set": {"$who": ["x"]}},
        "relationshipAttributes": {"atlanSchema": None}, "appendRelationshipAttributes": {"columns": [{"guid": "-c"}]},
        "removeRelationshipAttributes": {"meanings": []}, "addOrUpdateClassifications": [], "removeClassifications": [],
    },
    of("Column", "c", order=1, table=ref("a"), sourceReadRecentUserRecordList=[{"recordUser": "ann", "recordQueryCount": 1}]),
    of("Process", "p", inputs=[ref("a")], outputs=[{"guid": "-new", "typeName": "Table"}]),
    of("Connection", f"x{NEW}", adminUsers=["sandbox"], adminGroups=[], adminRoles=[ROLES[0]["id"]]),
    of("AtlasGlossaryTerm", f"t{NEW}", anchor={"guid": "-g"}, categories=[{"guid": "-k"}]), of("AtlasGlossary", f"g{NEW}"),
    of("AtlasGlossaryCategory", f"k{NEW}", anchor={"guid": "-g"}, parentCategory=None), of("DataDomain", f"d{NEW}", parentDomain=None),
    of("DataProduct", f"dp{NEW}", dataDomain={"guid": "-d"}, dataProductAssetsDSL='{"query":{}}'), of("Purpose", f"pu{NEW}", purposeClassifications=[NEW]),
    of("Persona", f"pe{NEW}", personaUsers=["sandbox"], personaGroups=[]), of("Query", f"q{NEW}", collectionQualifiedName="x"),
]  # fmt: skip
SEARCH = {
    "dsl": {
        "from": 0, "size": 5, "track_total_hits": True, "sort": [{"name.keyword": {"order": "asc", "missing": "_last"}}, "__guid"],
        "post_filter": {"term": {"__state": "ACTIVE"}},
        "query": {"bool": {
            "filter": [{"terms": {"__typeName.keyword": ["Table"]}}, {"range": {"rowCount": {"gte": 1, "lt": "9"}}}],
            "must": {"exists": {"field": "name"}}, "must_not": [{"fuzzy": {"name.keyword": {"value": "a", "fuzziness": "AUTO"}}}],
            "should": [
                {"match": {"description": {"query": "a b", "operator": "and", "fuzziness": 1, "minimum_should_match": "50%"}}},
                {"multi_match": {"query": "a", "fields": ["name^2", "description"], "type": "phrase", "slop": 1}},
                {"match_phrase": {"description": {"query": "a b", "slop": 2}}}, {"regexp": {"name.keyword": {"value": "a.*"}}},
                {"wildcard": {"name.keyword": {"value": "a*", "case_insensitive": True}}}, {"prefix": {"qualifiedName": "a/b/c/d"}},
                {"constant_score": {"filter": {"match_all": {}}}}, {"dis_max": {"queries": [{"match_none": {}}]}},
                {"range": {"__timestamp.date": {"gt": "now-1d", "format": "yyyy-MM-dd", "time_zone": "+01:00"}}},
            ], "minimum_should_match": 1,
        }},
        "aggregations": {
            "a": {"terms": {"field": "__typeName.keyword", "size": 5}, "aggs": {"b": {"avg": {"field": "rowCount"}}}},
            "c": {"filter": {"match_all": {}}}, "d": {"top_hits": {"size": 1, "_source": {"includes": ["name"]}, "sort": "__guid"}},
        },
    },
    "attributes": ["name"], "relationAttributes": ["name"],
}  # fmt: skip
LINEAGE = {
    "guid": "$guid", "direction": "OUTPUT", "depth": 3, "from": 0, "size": 5, "immediateNeighbours": True, "attributes": ["name"],
    "entityFilters": {"condition": "AND", "criterion": [{"attributeName": "name", "operator": "=", "attributeValue": "a"}]},
}  # fmt: skip
AUDIT = {
    "dsl": {
        "from": 0, "size": 5, "sort": [{"created": {"order": "desc"}}], "aggs": {"a": {"terms": {"field": "action", "size": 5}}},
        "query": {"bool": {"filter": [{"term": {"entityId": {"value": "$guid"}}}, {"range": {"created": {"gte": 1}}}],
                           "must": [{"terms": {"action": ["ENTITY_CREATE"]}}]}},
    },
    "attributes": ["name"],
}  # fmt: skip
PEOPLE = {
    "users": [{"email": f"{NEW}@example.com", "roleName": "$member", "roleId": ROLES[1]["id"]}],
    "group": {"name": NEW, "attributes": {"alias": ["x"], "isDefault": ["false"]}},
    "displayName": NEW, "personaQualifiedNames": ["x"], "validitySeconds": 1000, "attributes": {"designation": ["x"]}, "groups": ["x"],
}  # fmt: skip
DATASET = {"namespace": "n", "name": "i", "facets": {"schema": {"fields": [{"name": "c", "type": "t"}]}}}
EVENT = {
    "eventTime": "2026-01-01T00:00:00Z", "eventType": "COMPLETE", "producer": "p", "run": {"runId": "r"},
    "job": {"namespace": "n", "name": "j"}, "inputs": [DATASET], "outputs": [{**DATASET, "name": "o"}],
}  # fmt: skip
SAMPLES: list[Any] = [
    AUDIT, PEOPLE, [EVENT], {"assetType": "Table", "assetQualifiedName": f"{ROOT}/a"}, {"key": "a", "method": "GET", "expiry": "1h"},
    {"displayName": "client", "role": "$admin", "personaQNs": [], "description": "d", "clientId": "c", "clientSecret": "s"},
    {"name": f"map{NEW}", "identityProviderMapper": "saml-group-idp-mapper", "config": {"group": "g", "attributes": "[]"}},
    {"entities": ENTITIES}, {"entity": ENTITIES[0]}, SEARCH, LINEAGE, ["label"], [{"typeName": "$tag"}], {"$set": {"$who": ["x"]}},
    {"classificationDefs": [{**TAG, "displayName": NEW}], "businessMetadataDefs": [{**SET, "displayName": NEW}],
     "enumDefs": [{**ENUM, "name": f"Size{NEW}"}], "structDefs": [{"name": f"S{NEW}", "attributeDefs": []}]},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


KEYS = sorted({str(key) for sample in SAMPLES for path in places(sample) for key in path if isinstance(key, str)})
PLACES = [(number, path) for number, sample in enumerate(SAMPLES) for path in places(sample)]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5) | st.sampled_from(["-1", "ACTIVE", "Table", "name", "*", "(", "-", "AUTO", "now-1M/d", "2026-13-01", "+99:99", "[", "[5]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def with_part(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """A copy of a JSON value with one of its parts exchanged for another."""
    if not path:
        return part
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = part
    return changed


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = Catalog(load_types(), Path(tmp_path_factory.mktemp("shapes")) / "tenant.db")
    follow(opened)  # so that the audit has what is searched for
    tables = [of("Table", "a", rowCount=5, description="a b"), of("Table", "b")]
    save(opened, [*tables, of("AtlasGlossary", "g0")], SaveOptions(), USER["username"])
    save_typedefs(opened, {"classificationDefs": [TAG], "businessMetadataDefs": [SET]}, "tester", update=False)
    yield opened
    opened.close()


def answer(catalog: Catalog, handler: Handler, path: str, query: dict[str, list[str]], body: Any) -> int:
    """The status of an answer, with the paths and parameters of an entity that is there; anything else is raised."""
    table = catalog.find("Table", f"{ROOT}/a") or next(iter(catalog.entities.values()))
    (tag,) = (
        name
        for name in catalog.documents("classificationDefs")
        if "PII" in catalog.documents("classificationDefs")[name].values()
    )
    custom = next(one for one in catalog.documents("businessMetadataDefs").values() if one["displayName"] == "RACI")
    given = (tag, custom["name"], custom["attributeDefs"][0]["name"], table.guid)
    known = {"guid": table.guid, "type": "Table", "tag": tag, "set": custom["name"]}
    wanted = {name: known.get(name, "none") for name in re.findall(r"{(\w+)}", path)}
    text = orjson.dumps(body).decode().replace(NEW, str(next(_numbers)))
    for name, value in zip(NAMES, given, strict=True):
        text = text.replace(name, value)
    try:
        sent = parse_json(text)
        assert orjson.dumps(
            handler(
                Call(
                    catalog,
                    SearchCache(),
                    SearchLog(),
                    AdminLog(),
                    FILES,
                    wanted,
                    {"attr:qualifiedName": [f"{ROOT}/a"], **query},
                    sent,
                )
            )
        )
    except AtlasError as error:
        return error.status
    return 200


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_body_with_any_part_exchanged_is_answered(catalog: Catalog, data: st.DataObject) -> None:
    number, path = data.draw(st.sampled_from(PLACES))
    body = with_part(SAMPLES[number], path, data.draw(ANYTHING))
    for method, route, handler in ROUTES:
        if method != "GET":
            status = answer(catalog, handler, route, {}, body)
            assert status in (200, 400, 401, 404, 409, 500, 501), (method, route, json.dumps(body))


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANYTHING, st.text(max_size=8))
def test_any_body_and_any_parameter_is_answered(catalog: Catalog, body: Any, text: str) -> None:
    names = (
        "guid",
        "deleteType",
        "type",
        "limit",
        "offset",
        "filter",
        "sort",
        "ignoreRelationships",
        "isOverwrite",
        "count",
    )
    for method, route, handler in ROUTES:
        if method != "DELETE" or "bulk" in route:
            answer(catalog, handler, route, {name: [text] for name in names}, body)


@pytest.mark.parametrize("one", [b"[]", b"{}", b'{"a":[1]}'])
def test_a_body_of_very_many_lists_or_objects_is_refused_unread(one: bytes) -> None:
    with pytest.raises(AtlasError) as refused:
        parse_json(b"[" + b",".join([one] * MAX_CONTAINERS) + b"]")
    assert refused.value.status == 400


def test_a_bulk_of_the_most_entities_has_less() -> None:
    assert str(ENTITIES[0]).count("[") + str(ENTITIES[0]).count("{") < MAX_CONTAINERS / MAX_ENTITIES


WRONG = (5, "text", [5], {"a": 5})


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_each_part_exchanged_for_each_kind_is_answered(catalog: Catalog, number: int) -> None:
    """Where the sample itself is taken, and near its top, where a chance is small that a random part lands."""
    sample = SAMPLES[number]
    taken = [route for route in ROUTES if route[0] != "GET" and answer(catalog, route[2], route[1], {}, sample) == 200]
    assert taken
    for path in places(sample):
        for wrong in WRONG if len(path) <= 3 else ():
            body = with_part(sample, path, wrong)
            for method, route, handler in taken:
                status = answer(catalog, handler, route, {}, body)
                assert status in (200, 400, 404, 409, 500, 501), (method, route, json.dumps(body))
