"""What SQL finds of a query is what its predicate finds, for whatever query."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sandbox.catalog import Catalog
from sandbox.database import is_in
from sandbox.errors import AtlasError
from sandbox.mutations import SaveOptions, delete, save
from sandbox.search.candidates import count_entities, find_entities
from sandbox.search.conditions import MAX_PARTS, condition_of
from sandbox.search.queries import EntityFields, compile_query
from sandbox.search.sorting import check_sort, sort_documents, sorted_columns
from sandbox.types_cache import load_types

ROOT = "default/vertica/1"
NAMES = [
    "a",
    "a/b",
    "a/b/c",
    "A",
    "ab",
    "é",
    "\U0010ffff",
    "a\ud7ff".encode("utf-16", "surrogatepass").decode("utf-16"),
    "a\ue000",
    "a%",
    "a\x00b",
]
TAGS = ["PII", "Issue", "None"]
WHICH = {"uniqueAttributes": {"qualifiedName": f"{ROOT}/ab"}}
TAG_FIELDS = ["__traitNames", "__classificationNames", "__propagatedTraitNames", "__propagatedClassificationNames"]
TYPES = ["Table", "Column", "View", "S3Object", "Process"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Of each type one of each name, in a connection or two or none; some archived, some renewed, some with tags."""
    opened = Catalog(load_types(), tmp_path_factory.mktemp("conditions") / "tenant.db")
    for number, type_name in enumerate(TYPES):
        entities = []
        for name in NAMES:
            place = [{}, {"connectionQualifiedName": ROOT}, {"connectionQualifiedName": f"{ROOT}2"}][len(name) % 3]
            entities.append(
                {"typeName": type_name, "attributes": {"name": name, "qualifiedName": f"{ROOT}/{name}", **place}}
            )
        save(opened, entities, SaveOptions(), "tester")
        found = [entity for entity in opened.entities.values() if entity.type.name == type_name]
        delete(opened, [entity.guid for entity in found[number:]][:3], "SOFT", "tester")
        with opened.transaction("tester") as transaction:
            for entity in found[::2]:
                transaction.now += number + 1
                transaction.set_attribute(entity, "description", "renewed")
    for tag in TAGS:
        opened.put_document("classificationDefs", tag, {"name": tag, "displayName": tag, "attributeDefs": []})
    table: Any = {"typeName": "Table", "attributes": {"name": "ab", "qualifiedName": f"{ROOT}/ab"}}
    column: Any = {
        "typeName": "Column",
        "attributes": {"name": "ab", "qualifiedName": f"{ROOT}/ab", "table": table | WHICH},
    }
    table["classifications"] = [{"typeName": "PII", "propagate": True}]
    view = {"typeName": "View", "attributes": table["attributes"], "classifications": [{"typeName": "Issue"}]}
    save(opened, [table, column, view], SaveOptions(replace_tags=True), "tester")
    yield opened
    opened.close()


def queries(guids: list[str], moments: list[int]) -> st.SearchStrategy[Any]:
    names = st.sampled_from([f"{ROOT}/{name}" for name in NAMES] + [ROOT, f"{ROOT}2", "", "nobody"])
    parts = st.builds(lambda name, end: name[:end], names, st.integers(0, 25))
    texts = {
        "__guid": st.sampled_from(guids),
        "__state": st.sampled_from(["ACTIVE", "DELETED", "active"]),
        "qualifiedName": names,
        "connectionQualifiedName": names,
        "__typeName.keyword": st.sampled_from([*TYPES, "table", "Nothing"]),
        "__superTypeNames.keyword": st.sampled_from(["SQL", "sql", "Asset", "Catalog", "Nothing"]),
        "__typeName": st.sampled_from(TYPES),
        "name.keyword": st.sampled_from(NAMES),
        **dict.fromkeys(TAG_FIELDS, st.sampled_from(TAGS)),
    }
    times = st.sampled_from(["__timestamp", "__modificationTimestamp"])
    sides = st.sampled_from(["gt", "gte", "lt", "lte"])
    field = st.sampled_from([*texts])
    single = field.flatmap(lambda name: texts[name].map(lambda value: {name: value}))
    several = field.flatmap(lambda name: st.lists(texts[name], max_size=3).map(lambda values: {name: values}))
    leaf = st.one_of(
        single.map(lambda body: {"term": body}),
        single.map(
            lambda body: {"term": {name: {"value": value, "case_insensitive": True} for name, value in body.items()}}
        ),
        several.map(lambda body: {"terms": body}),
        st.builds(
            lambda name, start: {"prefix": {name: {"value": start}}},
            st.sampled_from(["qualifiedName", "connectionQualifiedName", "__guid"]),
            st.one_of(parts, st.sampled_from([guid[:3] for guid in guids])),
        ),
        st.builds(lambda body, side: {"range": {name: {side: value} for name, value in body.items()}}, single, sides),
        st.builds(
            lambda name, limits: {"range": {name: limits}},
            times,
            st.dictionaries(
                sides,
                st.one_of(st.sampled_from(moments), st.sampled_from(moments).map(str), st.none()),
            ),
        ),
        st.sampled_from(["name", "description", "connectionQualifiedName", "qualifiedName", *TAG_FIELDS]).map(
            lambda name: {"exists": {"field": name}}
        ),
        st.sampled_from([{"match_all": {}}, {"match_none": {}}]),
    )

    def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        clauses = st.lists(inner, max_size=3)
        kinds = st.dictionaries(st.sampled_from(["must", "filter", "must_not", "should"]), clauses, max_size=3)
        minimum = st.sampled_from(
            [
                {},
                {},
                {"minimum_should_match": 0},
                {"minimum_should_match": 1},
                {"minimum_should_match": 2},
                {"minimum_should_match": "-1"},
            ]
        )
        return st.one_of(
            st.builds(lambda body, least: {"bool": {**body, **least}}, kinds, minimum),
            inner.map(lambda one: {"constant_score": {"filter": one}}),
        )

    return st.recursive(leaf, joined, max_leaves=8)


TEXT_LISTS = st.lists(st.text("ab\0\1", max_size=4), max_size=5)


@given(TEXT_LISTS, TEXT_LISTS)
def test_any_text_is_found_among_others(there: list[str], wanted: list[str]) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE one (name TEXT, number INTEGER)")
        database.executemany("INSERT INTO one VALUES (?, ?)", [(name, len(name)) for name in there])
        for column, values in (("name", wanted), ("number", [len(name) for name in wanted])):
            condition, value = is_in(column, values)
            found = [name for (name,) in database.execute(f"SELECT name FROM one WHERE {condition}", (value,))]
            assert found == [name for name in there if (name if column == "name" else len(name)) in values]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_sql_finds_what_the_predicate_finds(catalog: Catalog, data: st.DataObject) -> None:
    entities = [*catalog.entities.values()]
    moments = sorted({moment for entity in entities for moment in (entity.create_time, entity.update_time)})
    query = data.draw(queries([entity.guid for entity in entities[::9]], moments))
    try:
        matches = compile_query(catalog, query)
    except AtlasError:
        assume(False)
    expected = [entity.guid for entity in entities if matches(entity)]
    assert [entity.guid for entity in find_entities(catalog, query)] == expected
    assert count_entities(catalog, query) == len(expected)
    if condition_of(catalog, query).exact:
        ((count,),) = catalog.select(
            f"SELECT count(*) FROM entity WHERE {condition_of(catalog, query).sql}", condition_of(catalog, query).values
        )
        assert count == len(expected)


ORDER = st.sampled_from(["asc", "desc", "ASC", "Desc"])
SORTED = ["__guid", "__timestamp", "__modificationTimestamp", "qualifiedName"]


@settings(max_examples=60, deadline=None)
@given(
    sort=st.lists(
        st.builds(
            lambda name, order, plain: {name: order if plain else {"order": order}},
            st.sampled_from(SORTED),
            ORDER,
            st.booleans(),
        ),
        max_size=3,
    )
)
@example(sort=[{"__timestamp": {"order": "asc"}}, {"__guid": {"order": "desc"}}])
def test_sql_sorts_as_the_values_do(catalog: Catalog, sort: list[Any]) -> None:
    check_sort(EntityFields(catalog), sort)
    columns = sorted_columns(sort)
    assert columns
    every: dict[str, Any] = {"match_all": {}}
    expected = sort_documents(EntityFields(catalog), find_entities(catalog, every), sort)
    assert [*find_entities(catalog, every, columns).guids] == [*expected.guids]


@pytest.mark.parametrize(
    "sort",
    [None, "__guid", [{"__guid": {"order": "asc", "missing": "_first"}}], [{"name.keyword": "asc"}], [{"__guid": {}}]],
)
def test_other_orders_are_not_sql_s(sort: Any) -> None:
    assert sorted_columns(sort) is None


EXACT = [
    {"term": {"__state": {"value": "ACTIVE"}}},
    {"term": {"__typeName.keyword": {"value": "Table"}}},
    {"terms": {"__superTypeNames.keyword": ["SQL"]}},
    {"prefix": {"qualifiedName": {"value": ROOT}}},
    {"term": {"connectionQualifiedName": ROOT}},
    {"range": {"__modificationTimestamp": {"gte": 5}}},
    {"bool": {"should": [{"prefix": {"qualifiedName": ROOT}}, {"term": {"__guid": "x"}}], "minimum_should_match": 1}},
    {"bool": {"must_not": [{"term": {"__state": "DELETED"}}], "filter": [{"match_all": {}}]}},
]  # fmt: skip


@pytest.mark.parametrize("query", EXACT, ids=str)
def test_what_programs_ask_for_most_needs_no_look_at_the_entities(catalog: Catalog, query: dict[str, Any]) -> None:
    assert condition_of(catalog, query).exact
    assert condition_of(catalog, query).sql != "1"


@pytest.mark.parametrize("most", [100_000, 0])
def test_of_all_entities_only_those_with_tags_are_read_for_a_tag(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("sandbox.search.conditions.MAX_GUIDS", most)
    own, propagated = ({"terms": {name: ["PII"]}} for name in TAG_FIELDS[::2])
    for query, found in (
        (own, ["Table"]),
        (propagated, ["Column"]),
        ({"bool": {"should": [own, propagated]}}, ["Table", "Column"]),
    ):
        condition = condition_of(catalog, query)
        ((read,),) = catalog.select(f"SELECT count(*) FROM entity WHERE {condition.sql}", condition.values)
        assert not condition.exact
        assert read <= 3 or (most == 0 and query is not own)
        assert sorted(entity.type.name for entity in find_entities(catalog, query)) == sorted(found)


def test_a_query_of_very_many_parts_is_no_condition(catalog: Catalog) -> None:
    one: dict[str, Any] = {"term": {"__state": "ACTIVE"}}
    for many in ({"bool": {"must": [one] * 1000}}, {"bool": {"should": [one] * 1000}}):
        assert len(find_entities(catalog, many)) == len(find_entities(catalog, one))
    assert condition_of(catalog, {"bool": {"must": [one] * MAX_PARTS}}).exact
    assert not condition_of(catalog, {"bool": {"must": [one] * (MAX_PARTS + 1)}}).exact
    nested = one
    for _ in range(30):
        nested = {"bool": {"must_not": [nested]}}
    assert len(find_entities(catalog, nested)) == len(find_entities(catalog, one))
