"""The search without HTTP: what each kind of query matches, which candidates it looks at, sorting, paging, aggregating."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.catalog import Catalog
from sandbox.errors import AtlasError
from sandbox.lineage import list_lineage
from sandbox.mutations import SaveOptions, save
from sandbox.search import SearchCache, index_search
from sandbox.search.aggregations import aggregate
from sandbox.search.candidates import find_entities
from sandbox.search.queries import EntityFields
from sandbox.search.sorting import sort_documents
from sandbox.search.values import comparable
from sandbox.types_cache import load_types

ROOTS = ("default/vertica/1", "default/vertica/12")
TABLES: dict[str, dict[str, Any]] = {
    "2024_01": {"description": "Sales of January", "rowCount": 3, "ownerUsers": ["ann", "bob"]},
    "202401": {"description": "sales, by day", "rowCount": 30, "ownerUsers": ["bob"]},
    "ordersByDay": {"rowCount": 300, "userDescription": "the last Orders"},
    "a*b[1]": {"description": "odd*name"},
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Four tables and a schema in one connection, a table in another one, and a chain of processes."""
    opened = Catalog(load_types(), tmp_path_factory.mktemp("search") / "tenant.db")
    root = ROOTS[0]
    entities = [
        {
            "typeName": "Table",
            "attributes": {
                "name": name,
                "qualifiedName": f"{root}/db/s/{name}",
                "connectionQualifiedName": root,
                **values,
            },
        }
        for name, values in TABLES.items()
    ]
    schema = {"name": "s", "qualifiedName": f"{root}/db/s", "connectionQualifiedName": "an/odd/connection/name"}
    entities.append({"typeName": "Schema", "attributes": schema})
    entities.append(
        {
            "typeName": "Table",
            "attributes": {
                "name": "elsewhere",
                "qualifiedName": f"{ROOTS[1]}/db/s/elsewhere",
                "connectionQualifiedName": ROOTS[1],
            },
        }
    )
    processes = [
        {
            "typeName": "Process",
            "attributes": {
                "name": f"{left}>{right}",
                "qualifiedName": f"{root}/{left}>{right}",
                "inputs": [table(left)],
                "outputs": [table(right)],
            },
        }
        for left, right in itertools.pairwise(TABLES)
    ]
    save(opened, entities, SaveOptions(), "tester")
    save(opened, processes, SaveOptions(), "tester")
    yield opened
    opened.close()


def table(name: str) -> dict[str, Any]:
    return {"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{ROOTS[0]}/db/s/{name}"}}


TYPE = {"term": {"__typeName.keyword": {"value": "Table"}}}
A, B, C, ODD = TABLES
ALL_TABLES = {*TABLES, "elsewhere"}


def named(*wanted: str) -> dict[str, Any]:
    return {"terms": {"name.keyword": list(wanted)}}


def is_in(catalog: Catalog, query: dict[str, Any]) -> set[str]:
    """The names of the tables that a query finds, by the narrowed candidates and by a look at all."""
    found = find_entities(catalog, {"bool": {"filter": [TYPE, query]}})
    both = find_entities(
        catalog, {"bool": {"filter": [{"match_all": {}}], "must": [query, {"exists": {"field": "name"}}]}}
    )
    assert {entity.guid for entity in found} == {entity.guid for entity in both if entity.type.name == "Table"}
    return {entity.name for entity in found}


def in_words(value: object) -> str:
    """The id of a case; a set in its order, as the test processes have to agree on it."""
    return str(sorted(value)) if isinstance(value, set) else str(value)[:100]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"should": [named(A), named(B)]}, {A, B}),
        ({"should": named(A)}, {A}),
        ({"should": [named(A)], "must_not": [named(C)]}, {A}),
        ({"should": [named(A)], "filter": [named(A, B)]}, {A, B}),
        ({"should": [named(A)], "must": [named(A, B)]}, {A, B}),
        ({"should": [named(A)], "filter": [named(A, B)], "minimum_should_match": 1}, {A}),
        ({"should": [named(A, B), named(B, C)], "minimum_should_match": 2}, {B}),
        ({"should": [named(A, B), named(B, C)], "minimum_should_match": "1"}, {A, B, C}),
        ({"should": [named(A, B), named(B, C)], "minimum_should_match": -1}, {A, B, C}),
        ({"should": [named(A, B), named(B, C)], "minimum_should_match": "-50%"}, {A, B, C}),
        ({"should": [named(A, B), named(B, C)], "minimum_should_match": "-40%"}, {B}),
        ({"should": [named(A)], "minimum_should_match": -3}, ALL_TABLES),
        ({"should": [named(A)], "minimum_should_match": 0}, ALL_TABLES),
        ({"must_not": [named(A), named(B)]}, ALL_TABLES - {A, B}),
        ({"must": [named(A, B)], "filter": named(B, C)}, {B}),
        ({"should": [{"term": {"qualifiedName": f"{ROOTS[0]}/db/s/{name}"}} for name in (A, B)]}, {A, B}),
        ({}, ALL_TABLES),
    ],
)
def test_bool(catalog: Catalog, query: dict[str, Any], expected: set[str]) -> None:
    assert is_in(catalog, {"bool": query}) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # Two texts are not compared as numbers; a text and a number are.
        ({"term": {"name.keyword": A}}, {A}),
        ({"term": {"name.keyword": B}}, {B}),
        ({"term": {"name.keyword": 202401}}, {B}),
        ({"term": {"rowCount": "3"}}, {A}),
        ({"term": {"rowCount": 3.0}}, {A}),
        ({"terms": {"rowCount": [3, "300"], "boost": 1.0}}, {A, C}),
        ({"term": {"rowCount": "2.5"}}, set()),
        ({"term": {"__hasLineage": True}}, set(TABLES)),
        ({"term": {"__hasLineage": {"value": "true"}}}, set(TABLES)),
        # Case counts but for normalised fields, and where the query says so.
        ({"term": {"name.keyword": {"value": "ORDERSBYDAY"}}}, {C}),
        ({"term": {"ownerUsers": {"value": "ANN"}}}, set()),
        ({"term": {"ownerUsers": {"value": "ANN", "case_insensitive": True}}}, {A}),
        ({"prefix": {"name.keyword": {"value": "ORDERS"}}}, {C}),
        ({"prefix": {"ownerUsers": {"value": "B"}}}, set()),
        ({"prefix": {"ownerUsers": {"value": "B", "case_insensitive": True}}}, {A, B}),
        ({"prefix": {"qualifiedName": f"{ROOTS[0]}/db/s/2024"}}, {A, B}),
        ({"prefix": {"qualifiedName": f"{ROOTS[0]}/"}}, set(TABLES)),
        ({"prefix": {"qualifiedName": ROOTS[0]}}, ALL_TABLES),
        ({"prefix": {"qualifiedName": {"value": f"{ROOTS[0]}/DB/".upper(), "case_insensitive": True}}}, set(TABLES)),
        ({"term": {"connectionQualifiedName": ROOTS[0]}}, set(TABLES)),
        ({"terms": {"connectionQualifiedName": [*ROOTS]}}, ALL_TABLES),
        ({"term": {"qualifiedName": {"value": f"{ROOTS[0]}/db/s/{C}"}}}, {C}),
        ({"term": {"qualifiedName": {"value": f"{ROOTS[0]}/DB/s/{C}", "case_insensitive": True}}}, {C}),
        ({"term": {"qualifiedName": {"value": f"{ROOTS[0]}/DB/s/{C}"}}}, set()),
        # Wildcards: * and ?, a bracket is itself, a backslash takes the next character as it is.
        ({"wildcard": {"name.keyword": {"value": "20240?"}}}, {B}),
        ({"wildcard": {"name.keyword": {"wildcard": "*_*"}}}, {A}),
        ({"wildcard": {"name.keyword": {"wildcard": "*value*"}}}, set()),
        ({"wildcard": {"name.keyword": "a\\*b[1]"}}, {ODD}),
        ({"wildcard": {"description": "odd*"}}, {ODD}),
        ({"wildcard": {"ownerUsers": "B*"}}, set()),
        ({"regexp": {"name.keyword": "20.*1"}}, {A, B}),
        ({"regexp": {"name.keyword": "2024"}}, set()),
        # Words.
        ({"match": {"description": {"query": "January sales"}}}, {A}),
        ({"match": {"description.text": {"query": "January sales"}}}, {A, B}),
        ({"match": {"description": {"query": "January sales", "operator": "and"}}}, {A}),
        ({"match": {"description": {"query": "ODD*Name", "operator": "and"}}}, {ODD}),
        ({"match": {"description": {"query": "name odd"}}}, set()),
        ({"match": {"name": "ordersbyday"}}, {C}),
        ({"match": {"name": "orders"}}, set()),
        ({"term": {"name": "2024_01"}}, set()),
        ({"terms": {"name": ["2024", "01"]}}, {A}),
        ({"prefix": {"name": "2024_"}}, set()),
        ({"terms": {"__guid": ["nobody"] * 1000}}, set()),
        ({"multi_match": {"query": "orders january", "fields": ["userDescription^2", "description"]}}, {A, C}),
        ({"match_phrase": {"description": "of January"}}, {A}),
        ({"match_phrase": {"description": "January of"}}, set()),
        # A term is not analysed, so on a text it has to be a word as the index has it; no part of a field is there by itself.
        ({"term": {"description.text": "SALES"}}, set()),
        ({"term": {"description.text": "sales"}}, {A, B}),
        ({"term": {"description.text": {"value": "SALES", "case_insensitive": True}}}, {A, B}),
        ({"term": {"description": "Sales of January"}}, set()),
        ({"term": {"description.keyword": "Sales of January"}}, {A}),
        ({"term": {"ownerUsers.keyword": "ann"}}, set()),
        ({"exists": {"field": "ownerUsers.keyword"}}, set()),
        ({"exists": {"field": "nobodyKnowsThis"}}, set()),
        ({"wildcard": {"description": "jan*"}}, {A}),
        ({"match": {"name.keyword": "orders"}}, set()),
        ({"match": {"name.keyword": "ordersByDay"}}, {C}),
        ({"match": {"rowCount": "30"}}, {B}),
        ({"match": {"rowCount": {"query": "many", "lenient": True}}}, set()),
        ({"match": {"description": {"query": "January sales odd", "minimum_should_match": 2}}}, {A}),
        ({"match": {"description": {"query": "January sales", "minimum_should_match": "100%"}}}, {A}),
        ({"match": {"description": {"query": "Januray", "fuzziness": "AUTO"}}}, {A}),
        ({"match": {"description": {"query": "Januray", "fuzziness": 1, "fuzzy_transpositions": False}}}, set()),
        ({"match": {"description": {"query": "xanuary", "fuzziness": 1, "prefix_length": 1}}}, set()),
        ({"match": {"description": {"query": "-", "zero_terms_query": "all"}}}, ALL_TABLES),
        ({"match": {"description": {"query": "-"}}}, set()),
        ({"fuzzy": {"name.keyword": "ORDERSBYDYA"}}, {C}),
        ({"fuzzy": {"ownerUsers": {"value": "anm", "fuzziness": "1"}}}, {A}),
        ({"fuzzy": {"ownerUsers": {"value": "anm", "fuzziness": 0}}}, set()),
        ({"fuzzy": {"ownerUsers": {"value": "xnn", "fuzziness": 1, "prefix_length": 1}}}, set()),
        ({"match_phrase": {"description": {"query": "Sales January", "slop": 1}}}, {A}),
        ({"match_phrase": {"description": {"query": "January Sales", "slop": 2}}}, set()),
        ({"match_phrase": {"description": {"query": "January Sales", "slop": 3}}}, {A}),
        (
            {"multi_match": {"query": "sales odd", "fields": ["description", "userDescription"], "operator": "and"}},
            set(),
        ),
        ({"multi_match": {"query": "of January", "fields": ["description"], "type": "phrase"}}, {A}),
        ({"dis_max": {"queries": [named(A), named(B)]}}, {A, B}),
        ({"exists": {"field": "ownerUsers"}}, {A, B}),
        # Ranges.
        ({"range": {"rowCount": {"gt": 3, "lt": 300}}}, {B}),
        ({"range": {"rowCount": {"gte": 3, "lte": 300}}}, {A, B, C}),
        ({"range": {"rowCount": {"gt": 3, "lte": None}}}, {B, C}),
        ({"range": {"rowCount": {"gte": "30", "boost": 2}}}, {B, C}),
        # Options that pyatlan's classes send.
        ({"terms": {"rowCount": [3, 30], "boost": "0.5"}}, {A, B}),
        ({"match": {"description": {"query": "Sales-January", "analyzer": "standard", "operator": "AND"}}}, {A}),
        ({"match": {"description": {"query": "Sales", "analyzer": "keyword"}}}, set()),
        ({"match": {"description": {"query": "january 2024", "analyzer": "simple", "operator": "AND"}}}, {A}),
        ({"match": {"description": {"query": "sales,", "analyzer": "whitespace"}}}, {B}),
        ({"match": {"description": {"query": "Sales,", "analyzer": "whitespace"}}}, set()),
        (
            {"match": {"description": {"query": "of_January", "analyzer": "atlan_text_analyzer", "operator": "AND"}}},
            {A},
        ),
        ({"match_phrase": {"description": {"query": "SALES of January", "analyzer": "standard"}}}, {A}),
        ({"match": {"ownerUsers": {"query": "ann", "analyzer": "keyword"}}}, {A}),
        ({"nested": {"path": "name", "query": {"match_all": {}}, "ignore_unmapped": True}}, set()),
        ({"bool": {"should": [named(A), named(B)], "minimum_should_match": "2<75%"}}, set()),
        ({"bool": {"should": [named(A), named(B)], "minimum_should_match": "1<1"}}, {A, B}),
        ({"bool": {"should": [named(A), TYPE, TYPE, named(B)], "minimum_should_match": "1 < 1 3<-1 9<-3"}}, {A, B}),
        ({"range": {"description": {"gt": 3}}}, {A, B, ODD}),
        ({"range": {"ownerUsers": {"gt": "ann"}}}, {A, B}),
        ({"range": {"__timestamp.date": {"gte": "now-1h", "lt": "now+1m"}}}, ALL_TABLES),
        ({"range": {"__timestamp.date": {"lt": "now-1h"}}}, set()),
        ({"range": {"ownerUsers": {"gt": "ann", "format": "yyyy-MM-dd"}}}, {A, B}),
        ({"constant_score": {"filter": named(A)}}, {A}),
        ({"function_score": {"query": named(A)}}, {A}),
        ({"function_score": {}}, ALL_TABLES),
        ({"match_none": {}}, set()),
    ],
    ids=in_words,
)
def test_queries(catalog: Catalog, query: dict[str, Any], expected: set[str]) -> None:
    assert is_in(catalog, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"no_such_kind": {}},
        {"term": {}},
        {"term": []},
        {"term": {"a": 1, "b": 2}},
        {"term": {"a": {"query": 1}}},
        {"terms": {"a": "text"}},
        {"terms": {"__guid": ["x"] * 1001}},
        {"regexp": {"a": "("}},
        {"exists": {}},
        {"terms": {"a": ["x"] * 65_537}},
        {"bool": {"should": [{"match_all": {}}] * 1025}},
        {"regexp": {"a": "x" * 1001}},
        {"regexp": {"a": "(.*a.{20})"}},
        {"regexp": {"a": "(a{999}){999}"}},
        {"bool": {"minimum_should_match": "some"}},
        {"bool": {"minimum_should_match": "x<1"}},
        {"bool": {"should": [{"match_all": {}}], "minimum_should_match": "0<x"}},
        {"bool": {"should": [{"match_all": {}}] * 2, "minimum_should_match": "1<1 2"}},
        {"term": {"a": 1, "boost": 2}},
        {"range": {"rowCount": {"gt": 3}, "boost": 2}},
        {"match": {"description": "a", "_name": "b"}},
        {"span_term": {"description": "a", "boost": 2}},
        {"match_all": {"boost": "high"}},
        {"bool": {"boost": -1}},
        {"term": {"a": {"value": 1, "boost": -0.1}}},
        {"terms": {"a": [1], "boost": True}},
        {"match_phrase": {"description": {"query": "a", "boost": None}}},
        {"match": {"description": {"query": "a", "analyzer": "an analyzer"}}},
        {"match": {"ownerUsers": {"query": "a", "analyzer": 5}}},
        {"nested": {"path": "name", "query": {"match_all": {}}}},
        {"nested": {"path": "name", "query": {"match_all": {}}, "score_more": "max"}},
        {"nested": {"path": "name", "query": {"mtch_all": {}}, "ignore_unmapped": True}},
        {"nested": {"path": "name", "query": {"match_all": {}}, "ignore_unmapped": "yes"}},
        {"nested": {"path": "name"}},
        {"bool": {"mustt": []}},
        {"bool": {"must": [{}]}},
        {"bool": {"must": 5}},
        {"term": {"a": 1}, "terms": {"a": [1]}},
        {"term": {"a": None}},
        {"term": {"a": [1]}},
        {"term": {"a": {"value": 1, "case_insensitive": "yes"}}},
        {"term": {"a": {"value": 1, "fuzziness": 1}}},
        {"terms": {"a": [None]}},
        {"term": {"rowCount": "1.2.3"}},
        {"term": {"rowCount": "many"}},
        {"term": {"__hasLineage": "maybe"}},
        {"term": {"certificateUpdatedAt": "yesterday"}},
        {"term": {"popularityScore.rank_feature": 1}},
        {"prefix": {"rowCount": "3"}},
        {"wildcard": {"rowCount": "3*"}},
        {"regexp": {"rowCount": "3"}},
        {"fuzzy": {"rowCount": "3"}},
        {"prefix": {"a": {"value": "x", "rewrite": "fast"}}},
        {"fuzzy": {"a": {"value": "x", "fuzziness": 3}}},
        {"range": {"rowCount": {"gt": "many"}}},
        {"range": {"rowCount": {"greater": 1}}},
        {"range": {"rowCount": 5}},
        {"range": {"certificateUpdatedAt": {"gt": "yesterday"}}},
        {"range": {"a": {"gt": [1]}}},
        {"match": {"description": {"query": "a", "operator": "xor"}}},
        {"match": {"description": {"text": "a"}}},
        {"match": {"rowCount": "many"}},
        {"match_phrase": {"description": {"query": "a", "slop": "wide"}}},
        {"multi_match": {"query": "a", "fields": ["name"], "type": "worst_fields"}},
        {"constant_score": {}},
        {"dis_max": {"queries": []}},
        {"match_all": {"all": True}},
        {"exists": {"field": 5}},
        [],
    ],
    ids=in_words,
)
def test_a_malformed_query_is_refused(catalog: Catalog, query: Any) -> None:
    with pytest.raises(AtlasError) as refused:
        find_entities(catalog, query)
    assert (refused.value.status, refused.value.code) == (400, "ATLAS-400-00-503")


@pytest.mark.parametrize(
    "query",
    [
        {"nested": {"path": "relationshipList", "query": {"match_all": {}}}},
        {"query_string": {"query": "a"}},
        {"terms": {"a": {"index": "i", "id": "1", "path": "p"}}},
        {"match": {"description": {"query": "a", "analyzer": "english"}}},
        {"match": {"ownerUsers": {"query": "a", "analyzer": "standard"}}},
        {"nested": {"path": "relationshipList", "query": {"match_all": {}}, "ignore_unmapped": True}},
        {"multi_match": {"query": "a", "fields": ["name"], "type": "cross_fields"}},
        {"multi_match": {"query": "a"}},
        {"regexp": {"a": "~b"}},
        {"regexp": {"a": "a&b"}},
        {"regexp": {"a": "<1-10>"}},
        {"regexp": {"a": {"value": "b", "flags": "NONE"}}},
        {"range": {"__timestamp": {"gt": "01/02/2026", "format": "dd/MM/yyyy"}}},
        {"range": {"__timestamp": {"from": 1}}},
        {"function_score": {"query": {"match_all": {}}, "min_score": 1}},
    ],
    ids=in_words,
)
def test_what_is_legal_and_not_supported_is_said_to_be_so(catalog: Catalog, query: Any) -> None:
    with pytest.raises(AtlasError) as refused:
        find_entities(catalog, query)
    assert (refused.value.status, refused.value.code) == (501, "SANDBOX-501-00-001")


def test_a_guid_that_is_asked_for_twice_is_one_hit(catalog: Catalog) -> None:
    guid = next(iter(catalog.by_type["Schema"]))
    assert [entity.guid for entity in find_entities(catalog, {"terms": {"__guid": [guid, guid, "nobody"]}})] == [guid]
    name = catalog.entities[guid].qualified_name
    assert len(find_entities(catalog, {"terms": {"qualifiedName": [name, name]}})) == 1


def test_a_connection_whose_name_has_another_shape_is_found_too(catalog: Catalog) -> None:
    found = find_entities(catalog, {"term": {"connectionQualifiedName": "an/odd/connection/name"}})
    assert [entity.name for entity in found] == ["s"]


def test_moments_are_milliseconds() -> None:
    assert comparable("1970-01-02") == 86_400_000
    assert comparable("1970-01-01T01:00:00+01:00") == 0
    assert comparable("1970-01-01T00:00:01Z") == 1000
    hour = comparable("now+1h") - comparable("now-1h")
    assert 7_200_000 - 1000 < hour <= 7_200_000
    assert comparable("12") == 12.0
    assert comparable("name") == "name"


def test_sorting_puts_what_has_no_value_last_in_either_order(catalog: Catalog) -> None:
    tables = find_entities(catalog, TYPE)

    def by(*sort: Any) -> list[str]:
        return [entity.name for entity in sort_documents(EntityFields(catalog), tables, list(sort))]

    assert by({"rowCount": {"order": "asc"}})[:3] == [A, B, C]
    assert by({"rowCount": "desc"})[:3] == [C, B, A]
    assert by({"__typeName.keyword": "asc"}, {"rowCount": "desc"})[:3] == [C, B, A]
    assert by("rowCount", "name.keyword") == [A, B, C, ODD, "elsewhere"]
    assert by({"description.keyword": {}})[-2:] == [name for name in by() if name in (C, "elsewhere")]
    assert by({"rowCount": {"order": "DESC", "missing": "_first"}})[2:] == [C, B, A]
    assert by({"ownerUsers": "asc"}, {"name.keyword": "desc"})[:2] == [A, B]
    assert by({"ownerUsers": "desc"}, {"name.keyword": "desc"})[:2] == [A, B]  # of several values the greatest counts
    assert by({"nobodyKnowsThis": {"unmapped_type": "keyword"}}, "name.keyword")[:2] == [B, A]


@pytest.mark.parametrize(
    ("sort", "status"),
    [
        ("name", 400),
        ({"description": "asc"}, 400),
        ("nobodyKnowsThis", 400),
        ("ownerUsers.keyword", 400),
        ("popularityScore.rank_feature", 400),
        ({"rowCount": "up"}, 400),
        ({"rowCount": {"direction": "asc"}}, 400),
        ({"rowCount": None}, 400),
        ([["rowCount"]], 400),
        (5, 400),
        ("_score", 501),
        ({"rowCount": {"missing": 5}}, 501),
        ({"rowCount": {"mode": "avg"}}, 501),
        ({"rowCount": {"order": "asc", "nested": {"path": "relationshipList"}}}, 501),
    ],
    ids=in_words,
)
def test_a_sort_that_the_index_refuses(catalog: Catalog, sort: Any, status: int) -> None:
    with pytest.raises(AtlasError) as refused:
        sort_documents(EntityFields(catalog), find_entities(catalog, TYPE), sort)
    assert refused.value.status == status


# Pages


def page(catalog: Catalog, cache: SearchCache, **dsl: Any) -> dict[str, Any]:
    return dict(index_search(catalog, {"dsl": {"query": TYPE, "sort": [{"__guid": {"order": "asc"}}], **dsl}}, cache))


def test_pages_by_guid_are_those_of_an_offset(catalog: Catalog) -> None:
    guids = sorted(entity.guid for entity in find_entities(catalog, TYPE))
    for name, expected in {
        "gt": guids[3:], "gte": guids[2:], "lt": guids[:2], "lte": guids[:3],
    }.items():  # fmt: skip
        query = {"bool": {"filter": [TYPE, {"range": {"__guid": {name: guids[2]}}}]}}
        for sort in ([{"__guid": {"order": "asc"}}], [{"__guid": "asc"}], [{"__guid": "desc"}]):
            answer = page(catalog, SearchCache(), query=query, sort=sort)
            found = [hit["guid"] for hit in answer.get("entities", [])]
            assert found == (expected if sort[0]["__guid"] != "desc" else expected[::-1])
            assert answer["approximateCount"] == len(expected)
    both = {"bool": {"filter": [TYPE, {"range": {"__guid": {"gt": guids[0], "lte": guids[3]}}}]}}
    assert [hit["guid"] for hit in page(catalog, SearchCache(), query=both)["entities"]] == guids[1:4]
    apart = [{"range": {"__guid": {"gt": guids[0]}}}, {"range": {"__guid": {"lte": guids[3]}}}]
    answer = page(catalog, SearchCache(), query={"bool": {"filter": [TYPE, *apart]}})
    assert [hit["guid"] for hit in answer["entities"]] == guids[1:4]
    alone = {"bool": {"filter": [{"range": {"__guid": {"gte": guids[0]}}}], "should": [named(A)]}}
    answer = page(catalog, SearchCache(), query=alone, size=100)
    assert [hit["guid"] for hit in answer["entities"]] == sorted(g for g in catalog.entities if g >= guids[0])
    query = {"bool": {"filter": [TYPE, {"range": {"__guid": {"gte": guids[0]}}}]}}
    answer = page(catalog, SearchCache(), query=query, post_filter=named(A))
    assert [hit["displayText"] for hit in answer["entities"]] == [A]


def test_the_size_the_start_and_the_window_of_a_page(catalog: Catalog) -> None:
    cache = SearchCache(1)
    assert len(page(catalog, cache, size=2)["entities"]) == 2
    assert len(page(catalog, cache, size=2, **{"from": 4})["entities"]) == 1
    assert "entities" not in page(catalog, cache, **{"from": 5})
    assert page(catalog, cache, size=0)["approximateCount"] == 5
    assert page(catalog, cache, size=100_000)["approximateCount"] == 5
    for wrong in ({"size": 100_001}, {"size": 1, "from": 100_000}, {"size": -1}, {"from": -1}, {"size": "1"}):
        with pytest.raises(AtlasError):
            page(catalog, cache, **wrong)


def test_a_result_is_kept_until_the_catalog_changes(tmp_path: Path) -> None:
    catalog = Catalog(load_types(), tmp_path / "tenant.db")
    cache = SearchCache()
    for number in range(3):
        attributes = {"name": str(number), "qualifiedName": f"{ROOTS[0]}/{number}"}
        save(catalog, [{"typeName": "Table", "attributes": attributes}], SaveOptions(), "tester")
        assert page(catalog, cache)["approximateCount"] == number + 1
        assert cache.find(catalog, {"query": TYPE}).hits is cache.find(catalog, {"query": TYPE}).hits
    catalog.close()


def test_a_result_is_not_kept_while_the_index_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, time=time.time, monotonic=lambda: clock.now)
    monkeypatch.setattr("sandbox.catalog.time", clock)
    catalog, cache = Catalog(load_types(), tmp_path / "tenant.db"), SearchCache()
    catalog.index_delay = 5
    attributes = {"name": "late", "qualifiedName": f"{ROOTS[0]}/late"}
    save(catalog, [{"typeName": "Table", "attributes": attributes}], SaveOptions(), "tester")
    assert page(catalog, cache)["approximateCount"] == 0
    clock.now = 5.0
    assert page(catalog, cache)["approximateCount"] == 1
    catalog.close()


def test_the_cache_keeps_the_last_results_that_were_asked_for(catalog: Catalog) -> None:
    cache = SearchCache(2)
    first = cache.find(catalog, {"query": named(A)})
    cache.find(catalog, {"query": named(B)})
    assert cache.find(catalog, {"query": named(A)}) is first
    cache.find(catalog, {"query": named(C)})
    assert cache.find(catalog, {"query": named(A)}) is first
    assert len(cache._results) == 2


# Aggregations


def test_buckets_and_metrics(catalog: Catalog) -> None:
    tables = find_entities(catalog, TYPE)

    def result(kind: str, **body: Any) -> dict[str, Any]:
        return aggregate(EntityFields(catalog), {kind: body}, tables)

    owners = result("terms", field="ownerUsers")
    assert [(bucket["key"], bucket["doc_count"]) for bucket in owners["buckets"]] == [("bob", 2), ("ann", 1)]
    first = result("terms", field="ownerUsers", size=1)
    assert (len(first["buckets"]), first["sum_other_doc_count"]) == (1, 1)
    assert result("terms", field="__hasLineage")["buckets"][0] == {"key": 1, "key_as_string": "true", "doc_count": 4}
    assert [result(kind, field="rowCount")["value"] for kind in ("max", "min", "sum", "avg")] == [300, 3, 333, 111]
    assert [result(kind, field="absent")["value"] for kind in ("max", "min", "sum", "avg")] == [None, None, 0.0, None]
    assert result("cardinality", field="ownerUsers") == {"value": 2}
    assert result("value_count", field="ownerUsers") == {"value": 3}
    assert result("filter", **named(A))["doc_count"] == 1
    for wrong in ({}, {"max": {"field": "a"}, "min": {"field": "a"}}, {"no_such": {"field": "a"}}):
        with pytest.raises(AtlasError):
            aggregate(EntityFields(catalog), wrong, tables)


# Lineage


def walked(catalog: Catalog, start: str = A, **request: Any) -> list[tuple[str, int]]:
    found = catalog.find("Table", f"{ROOTS[0]}/db/s/{start}")
    assert found
    answer = list_lineage(
        catalog, {"guid": found.guid, "direction": "OUTPUT", "depth": 9, "from": 0, "size": 100, **request}
    )
    return [(hit["displayText"], hit["depth"]) for hit in answer["entities"]]


def test_depth_is_in_hops_from_the_start(catalog: Catalog) -> None:
    hops = [(f"{A}>{B}", 1), (B, 1), (f"{B}>{C}", 2), (C, 2), (f"{C}>{ODD}", 3), (ODD, 3)]
    for depth in (1, 2, 3):
        assert walked(catalog, depth=depth) == hops[: 2 * depth]
    assert walked(catalog, depth=0) == []
    assert walked(catalog, depth=1_073_741_823) == hops
    assert [name for name, _ in walked(catalog, C, direction="INPUT", depth=1)] == [f"{B}>{C}", B]


def test_a_walk_from_a_process_ends_at_processes(catalog: Catalog) -> None:
    job = next(entity for entity in catalog.entities.values() if entity.name == f"{A}>{B}")
    request = {"guid": job.guid, "direction": "OUTPUT", "from": 0, "size": 9}
    found = list_lineage(catalog, {**request, "depth": 1})["entities"]
    assert [(hit["displayText"], hit["depth"]) for hit in found] == [(B, 1), (f"{B}>{C}", 2)]
    found = list_lineage(catalog, {**request, "depth": 2})["entities"]
    assert [(hit["displayText"], hit["depth"]) for hit in found][2:] == [(C, 2), (f"{C}>{ODD}", 3)]


def test_a_page_tells_whether_there_is_more(catalog: Catalog) -> None:
    start = catalog.find("Table", f"{ROOTS[0]}/db/s/{A}")
    assert start
    request = {"guid": start.guid, "direction": "OUTPUT", "depth": 9}
    expected = {(0, 5): True, (0, 6): False, (5, 1): False, (4, 1): True, (6, 1): False, (0, 0): False}
    for (offset, size), more in expected.items():
        assert list_lineage(catalog, {**request, "from": offset, "size": size})["hasMore"] is more


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("=", B, {B}), ("eq", B, {B}), ("!=", B, {A, C, ODD}), ("neq", B, {A, C, ODD}),
        ("=", C.lower(), set()), ("contains", "BYDAY", set()),  # cases count
        ("startsWith", "2024", {A, B}), ("begins_with", "2024", {A, B}), ("endsWith", "Day", {C}),
        ("contains", "4_0", {A}), ("not_contains", "4_0", {B, C, ODD}),
        ("in", A, set()), ("IN", A, set()),  # its value is one text, and no list
        ("like", "4_0", {A}), ("like", "2*1", set()), ("LIKE", "*b", {ODD}),
        ("<", B, {A} if A < B else set()), (">=", "a", {ODD, C}),
        ("=", None, set()), ("notNull", None, {A, B, C, ODD}), ("notEmpty", "", {A, B, C, ODD}), ("isNull", "", set()),
        ("timerange", "1,2", set()),
        # Passed over: what is no operator, or is none of lineage.
        ("resembles", B, {A, B, C, ODD}), ("notIn", B, {A, B, C, ODD}), ("containsAny", B, {A, B, C, ODD}), (None, B, {A, B, C, ODD}),
    ],
)  # fmt: skip
def test_filters_by_name(catalog: Catalog, operator: str, value: Any, expected: set[str]) -> None:
    assert filtered(catalog, {"attributeName": "name", "operator": operator, "attributeValue": value}) == expected


def filtered(catalog: Catalog, condition: Any) -> set[str]:
    """The tables of a chain that a filter shows."""
    both = [
        walked(catalog, A, depth=9, entityFilters=condition),
        walked(catalog, ODD, direction="INPUT", depth=9, entityFilters=condition),
    ]
    return {name for found in both for name, _ in found if name in TABLES}


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        *[("rowCount", operator, value, expected) for operator, value, expected in (
            ("<", 30, {A}), ("<=", "30", {A, B}), (">", 30, {C}), (">=", 30, {B, C}), ("=", "30", {B}), ("!=", 30, {A, C, ODD}),
            ("lt", 30, {A}), ("=", "", set()), ("startsWith", 3, set()), ("contains", 3, set()), ("not_contains", 3, set()),
            ("timerange", "3,30", {A, B}), ("timerange", "30", {B}),
            ("notNull", "", {A, B, C}), ("isNull", "", {ODD}), ("is_null", "", {ODD}), ("not_null", "", {A, B, C}),
        )],
        ("__timestamp", ">", 0, {A, B, C, ODD}), ("__timestamp", "<", 0, set()),
        ("__typeName", "=", "Table", {A, B, C, ODD}), ("__typeName", "=", "table", set()),
        ("__hasLineage", "=", True, {A, B, C, ODD}), ("__hasLineage", "=", "TRUE", {A, B, C, ODD}), ("__hasLineage", "!=", "true", set()),
        ("__hasLineage", "<", "true", set()),
        ("ownerUsers", "contains", "bob", {A, B}), ("ownerUsers", "contains", "bo", set()), ("ownerUsers", "=", "bob", set()),
        ("ownerUsers", "!=", "bob", set()), ("ownerUsers", "not_contains", "ann", {B, C, ODD}), ("ownerUsers", "isNull", "", {C, ODD}),
        ("queryUserMap", "=", "x", set()),
        # Passed over: what is no attribute.
        ("name.keyword", "=", "none", {A, B, C, ODD}), ("nothing", "=", 1, {A, B, C, ODD}), (None, "=", 1, {A, B, C, ODD}),
    ],
)  # fmt: skip
def test_filters_by_other_attributes(
    catalog: Catalog, name: str, operator: str, value: Any, expected: set[str]
) -> None:
    assert filtered(catalog, {"attributeName": name, "operator": operator, "attributeValue": value}) == expected


def test_filters_are_joined_by_their_condition(catalog: Catalog) -> None:
    criteria = [
        {"attributeName": "rowCount", "operator": ">", "attributeValue": 3},
        {"attributeName": "name", "operator": "=", "attributeValue": B},
    ]
    unknown = {"attributeName": "nothing", "operator": "=", "attributeValue": 1}
    assert filtered(catalog, {"condition": "AND", "criterion": criteria}) == {B}
    assert filtered(catalog, {"condition": "OR", "criterion": criteria}) == {B, C}
    assert filtered(catalog, {"condition": "OR", "criterion": [*criteria, unknown]}) == {B, C}
    nested = {"condition": "OR", "criterion": [{"condition": "AND", "criterion": criteria}, criteria[1]]}
    assert filtered(catalog, nested) == {B}
    for nothing in ({}, None, {"condition": "AND", "criterion": []}, {"criterion": criteria}, unknown):
        assert filtered(catalog, nothing) == {A, B, C, ODD}
    for wrong in (
        {"condition": "or", "criterion": criteria},
        {"condition": "AND", "criterion": 5},
        {"condition": "AND", "criterion": [5]},
        {"attributeName": 5},
        {"attributeName": "name", "operator": ["="]},
        {"attributeName": "name", "operator": "=", "attributeValue": [B]},
    ):
        with pytest.raises(AtlasError) as refused:
            walked(catalog, entityFilters=wrong)
        assert refused.value.status == 400
    with pytest.raises(AtlasError) as refused:
        walked(catalog, entityFilters={"attributeName": "rowCount", "operator": "=", "attributeValue": "many"})
    assert refused.value.status == 500


def test_only_active_relationships_are_walked(catalog: Catalog) -> None:
    for state, names in {"ACTIVE": {B}, "DELETED": set()}.items():
        crossed = {"attributeName": "__state", "operator": "=", "attributeValue": state}
        found = walked(catalog, A, depth=1, relationshipTraversalFilters=crossed)
        assert {name for name, _ in found if name in TABLES} == names
