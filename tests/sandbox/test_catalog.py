"""The catalog without HTTP: what a failed change leaves, how relationships move, and what the search index sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.catalog import Catalog, Entity, FolderInUse, Transaction
from sandbox.errors import AtlasError
from sandbox.messages import SentEntity
from sandbox.mutations import SaveOptions, delete, restore, save
from sandbox.search import SearchCache, index_search
from sandbox.search.candidates import find_entities
from sandbox.types_cache import load_types

ROOT = "default/vertica/1"
ALL = {"match_all": {}}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Two schemas: s1 with the tables a and b, s2 with none; a process from a to b; a bucket."""
    opened = Catalog(load_types(), tmp_path / "tenant.db")
    put(
        opened,
        entity("Schema", "s1"),
        entity("Schema", "s2"),
        entity("S3Bucket", "bucket", awsArn="arn:aws:s3:::bucket"),
    )
    put(
        opened,
        entity("Table", "s1/a", atlanSchema=ref("Schema", "s1"), description="first"),
        entity("Table", "s1/b", atlanSchema=ref("Schema", "s1")),
    )
    put(
        opened,
        entity("Process", "p", inputs=[ref("Table", "s1/a")], outputs=[ref("Table", "s1/b")]),
    )
    yield opened
    opened.close()


def entity(type_name: str, path: str, **attributes: Any) -> SentEntity:
    name = path.rpartition("/")[2]
    return {"typeName": type_name, "attributes": {"name": name, "qualifiedName": f"{ROOT}/{path}", **attributes}}


def ref(type_name: str, path: str) -> dict[str, Any]:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": f"{ROOT}/{path}"}}


def put(catalog: Catalog, *entities: SentEntity) -> Any:
    return save(catalog, list(entities), SaveOptions(), "tester")


def get(catalog: Catalog, type_name: str, path: str) -> Entity:
    found = catalog.find(type_name, f"{ROOT}/{path}")
    assert found
    return found


def related(catalog: Catalog, found: Entity, name: str) -> list[str]:
    return sorted(catalog.entities[guid].name for guid in found.related(name))


def state(catalog: Catalog) -> dict[str, Any]:
    """Everything that the catalog holds, with its indexes."""
    return {
        "entities": {
            guid: (found.document(), {name: dict(others) for name, others in found.relations.items() if others})
            for guid, found in catalog.entities.items()
        },
        "by_key": dict(catalog.by_key),
        "by_unique": dict(catalog.by_unique),
        "by_type": {name: set(guids) for name, guids in catalog.by_type.items() if guids},
        "by_name": {name: set(guids) for name, guids in catalog.by_name.items()},
        "by_root": {name: set(guids) for name, guids in catalog.by_root.items() if guids},
    }


def stored(catalog: Catalog) -> Any:
    return [
        catalog._database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("entity", "link")
    ]


def change_twice(transaction: Transaction, catalog: Catalog) -> None:
    transaction.set_attribute(get(catalog, "Table", "s1/a"), "userDescription", "new")
    for value in ("second", "third", None):
        transaction.set_attribute(get(catalog, "Table", "s1/a"), "description", value)


def rename(transaction: Transaction, catalog: Catalog) -> None:
    for before, after in (("s1/a", "s1/c"), ("s1/c", "s1/d")):
        transaction.set_attribute(get(catalog, "Table", before), "qualifiedName", f"{ROOT}/{after}")


def move_and_back(transaction: Transaction, catalog: Catalog) -> None:
    table, end = get(catalog, "Table", "s1/a"), load_types().types["Table"].relationships["atlanSchema"]
    transaction.link(table, end, get(catalog, "Schema", "s2"), {"note": "1"})
    transaction.link(table, end, get(catalog, "Schema", "s2"), {"note": "2"})
    transaction.link(table, end, get(catalog, "Schema", "s1"))
    transaction.unlink(table, end, get(catalog, "Schema", "s1"))


def purge_and_create(transaction: Transaction, catalog: Catalog) -> None:
    transaction.set_attribute(get(catalog, "Table", "s1/a"), "description", "changed before")
    transaction.purge(get(catalog, "Table", "s1/a"))
    again = transaction.create(load_types().types["Table"], f"{ROOT}/s1/a")
    transaction.set_field(again, "labels", ["new"])


def take_the_arn(transaction: Transaction, catalog: Catalog) -> None:
    transaction.set_attribute(get(catalog, "S3Bucket", "bucket"), "awsArn", None)
    other = transaction.create(load_types().types["S3Bucket"], f"{ROOT}/other")
    transaction.set_attribute(other, "awsArn", "arn:aws:s3:::bucket")


def archive(transaction: Transaction, catalog: Catalog) -> None:
    for status in ("DELETED", "ACTIVE", "DELETED"):
        transaction.set_field(get(catalog, "Process", "p"), "status", status)


@pytest.mark.parametrize(
    "change", [change_twice, rename, move_and_back, purge_and_create, take_the_arn, archive], ids=lambda f: f.__name__
)
def test_a_change_that_fails_is_undone_from_its_end(
    catalog: Catalog, change: Callable[[Transaction, Catalog], None]
) -> None:
    before, rows, version = state(catalog), stored(catalog), catalog.version

    def fail() -> None:
        with catalog.transaction("someone else") as transaction:
            change(transaction, catalog)
            assert state(catalog) != before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert state(catalog) == before
    assert stored(catalog) == rows
    assert catalog.version == version


def test_what_cannot_be_stored_is_undone(catalog: Catalog) -> None:
    before = state(catalog)
    catalog._database.execute("PRAGMA query_only = ON")
    with pytest.raises(Exception, match="readonly"):
        put(catalog, entity("Table", "s1/a", description="lost"), entity("Table", "s1/new"))
    assert state(catalog) == before


def test_a_change_is_there_after_the_catalog_is_opened_again(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, entity("Table", "s1/a", atlanSchema=ref("Schema", "s2"), description="moved"))
    delete(catalog, [get(catalog, "Table", "s1/b").guid], "PURGE", "tester")
    delete(catalog, [get(catalog, "S3Bucket", "bucket").guid], "SOFT", "tester")
    before = state(catalog)
    catalog.close()
    again = Catalog(load_types(), tmp_path / "tenant.db")
    assert state(again) == before
    assert get(again, "Table", "s1/a").updated_by == "tester"
    again.close()


def test_a_table_that_is_put_into_another_schema_leaves_the_first(catalog: Catalog) -> None:
    answer = put(catalog, entity("Table", "s1/a", atlanSchema=ref("Schema", "s2")))
    assert related(catalog, get(catalog, "Schema", "s1"), "tables") == ["b"]
    assert related(catalog, get(catalog, "Schema", "s2"), "tables") == ["a"]
    assert related(catalog, get(catalog, "Table", "s1/a"), "atlanSchema") == ["s2"]
    assert [header["displayText"] for header in answer["mutatedEntities"]["UPDATE"]] == ["a", "s1", "s2"]


def test_a_schema_that_is_appended_to_a_table_takes_the_place_of_the_first(catalog: Catalog) -> None:
    put(catalog, {**entity("Table", "s1/a"), "appendRelationshipAttributes": {"atlanSchema": ref("Schema", "s2")}})
    assert related(catalog, get(catalog, "Table", "s1/a"), "atlanSchema") == ["s2"]
    assert related(catalog, get(catalog, "Schema", "s1"), "tables") == ["b"]


def test_a_relationship_that_is_there_already_is_no_change(catalog: Catalog) -> None:
    table = entity("Table", "s1/a", atlanSchema=ref("Schema", "s1"))
    assert "mutatedEntities" not in put(
        catalog, table, entity("Schema", "s1", tables=[ref("Table", n) for n in ("s1/b", "s1/a")])
    )


def test_a_schema_that_takes_a_table_takes_it_from_the_schema_that_had_it(catalog: Catalog) -> None:
    put(catalog, entity("Schema", "s2", tables=[ref("Table", "s1/a")]))
    assert related(catalog, get(catalog, "Schema", "s1"), "tables") == ["b"]
    assert related(catalog, get(catalog, "Table", "s1/a"), "atlanSchema") == ["s2"]
    assert related(catalog, get(catalog, "Table", "s1/b"), "atlanSchema") == ["s1"]


def test_a_schema_without_a_table_leaves_it_without_a_schema(catalog: Catalog) -> None:
    put(catalog, entity("Schema", "s1", tables=[ref("Table", "s1/b")]))
    assert related(catalog, get(catalog, "Table", "s1/a"), "atlanSchema") == []
    assert related(catalog, get(catalog, "Table", "s1/b"), "atlanSchema") == ["s1"]


def test_relationships_of_many_to_many_stay_beside_each_other(catalog: Catalog) -> None:
    put(catalog, entity("Process", "q", inputs=[ref("Table", "s1/a")], outputs=[ref("Table", "s1/b")]))
    assert related(catalog, get(catalog, "Table", "s1/a"), "inputToProcesses") == ["p", "q"]
    assert related(catalog, get(catalog, "Process", "p"), "inputs") == ["a"]


def test_a_purged_entity_leaves_no_link_and_a_free_name(catalog: Catalog) -> None:
    table = get(catalog, "Table", "s1/a")
    delete(catalog, [table.guid], "PURGE", "tester")
    assert related(catalog, get(catalog, "Schema", "s1"), "tables") == ["b"]
    assert related(catalog, get(catalog, "Process", "p"), "inputs") == []
    assert not catalog.find("Table", f"{ROOT}/s1/a")
    assert table.guid not in str(stored(catalog))


def test_lineage_needs_a_process_and_both_its_ends_to_be_active(catalog: Catalog) -> None:
    a, b, process = get(catalog, "Table", "s1/a"), get(catalog, "Table", "s1/b"), get(catalog, "Process", "p")
    assert [catalog.has_lineage(found) for found in (a, b, process)] == [True, True, True]
    assert not catalog.has_lineage(get(catalog, "Schema", "s1"))
    for archived in (a, b, process):
        delete(catalog, [archived.guid], "SOFT", "tester")
        assert [catalog.has_lineage(found) for found in (a, b, process)] == [False, False, False]
        restore(catalog, [archived.guid], "tester")
        assert [catalog.has_lineage(found) for found in (a, b, process)] == [True, True, True]


def test_restoring_lists_what_was_archived(catalog: Catalog) -> None:
    a, b = get(catalog, "Table", "s1/a"), get(catalog, "Table", "s1/b")
    delete(catalog, [a.guid], "SOFT", "tester")
    assert [
        header["displayText"]
        for header in restore(catalog, [a.guid, b.guid, "nobody"], "t")["mutatedEntities"]["UPDATE"]
    ] == ["a"]
    assert restore(catalog, [a.guid], "tester") == {}


def test_an_arn_is_taken_once_and_free_again_when_it_is_given_up(catalog: Catalog) -> None:
    with pytest.raises(AtlasError) as refused:
        put(catalog, entity("S3Bucket", "other", awsArn="arn:aws:s3:::bucket"))
    assert refused.value.code == "ATLAS-409-00-003"
    delete(catalog, [get(catalog, "S3Bucket", "bucket").guid], "PURGE", "tester")
    put(catalog, entity("S3Bucket", "other", awsArn="arn:aws:s3:::bucket"))
    found = catalog.find("S3Bucket", "arn:aws:s3:::bucket", "awsArn")
    assert found
    assert found.name == "other"


def test_a_list_of_texts_is_a_set_and_an_empty_one_is_no_value(catalog: Catalog) -> None:
    table = get(catalog, "Table", "s1/a")
    put(catalog, entity("Table", "s1/a", ownerUsers=["x", "y"]))
    for same in (["y", "x"], ["x", "y"]):
        assert "mutatedEntities" not in put(catalog, entity("Table", "s1/a", ownerUsers=same))
    assert "mutatedEntities" in put(catalog, entity("Table", "s1/a", ownerUsers=["x", "x"]))
    assert "mutatedEntities" in put(catalog, entity("Table", "s1/a", ownerUsers=[]))
    assert "mutatedEntities" not in put(catalog, entity("Table", "s1/a", ownerUsers=None))
    assert not table.attributes.get("ownerUsers")


# The search index, when it is behind


def found(catalog: Catalog, query: dict[str, Any] = ALL) -> list[str]:
    return sorted(view.name for view in find_entities(catalog, query))


def test_a_search_sees_the_state_before_a_change_until_the_index_has_caught_up(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0, time=time.time, monotonic=lambda: clock.now)
    monkeypatch.setattr("sandbox.catalog.time", clock)
    old = {"term": {"description": {"value": "first"}}}
    linked = {"term": {"__hasLineage": {"value": True}}}
    before = found(catalog)
    catalog.index_delay = 5.0
    put(catalog, entity("Table", "s1/a", description="second"), entity("Table", "s1/new"))
    delete(catalog, [get(catalog, "S3Bucket", "bucket").guid], "PURGE", "tester")
    clock.now = 4.9
    assert found(catalog) == before
    assert found(catalog, old) == ["a"]
    put(catalog, entity("Table", "s1/a", description="third"))
    assert found(catalog, old) == ["a"]
    assert found(catalog, linked) == ["a", "b", "p"]
    clock.now = 5.0
    assert found(catalog) == sorted({*before, "new"} - {"bucket"})
    assert found(catalog, old) == []
    assert not catalog.index_is_behind


def test_without_a_delay_a_search_sees_each_change_at_once(catalog: Catalog) -> None:
    put(catalog, entity("Table", "s1/new"))
    assert "new" in found(catalog)
    assert not catalog.index_is_behind


# The folder


def test_a_database_that_is_none_or_cannot_be_opened_is_not_another_sandbox(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but a text that is long enough to be read as one " * 20)
    (tmp_path / "folder.db").mkdir()
    for name in ("text.db", "folder.db", "absent/tenant.db"):
        with pytest.raises(OSError, match=name):
            Catalog(load_types(), tmp_path / name)


def test_a_database_that_is_open_elsewhere_is_in_use(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(FolderInUse):
        Catalog(load_types(), tmp_path / "tenant.db")


def test_a_search_that_is_behind_knows_at_once_what_is_related(catalog: Catalog) -> None:
    """Relations are read from the graph (`EntityGraphRetriever`), only what is found is up to the index."""
    catalog.index_delay = 5.0
    delete(catalog, [get(catalog, "Table", "s1/b").guid], "PURGE", "tester")
    request = {
        "dsl": {"query": {"match_all": {}}, "size": 100},
        "attributes": ["outputs", "inputs", "tables", "outputFromProcesses"],
    }
    shown = {
        hit["attributes"]["name"]: hit["attributes"]
        for hit in index_search(catalog, request, SearchCache())["entities"]
    }
    assert [item["uniqueAttributes"]["qualifiedName"] for item in shown["p"]["inputs"]] == [f"{ROOT}/s1/a"]
    assert shown["p"]["outputs"] == []
    assert shown["b"]["outputFromProcesses"] == []
    assert [item["uniqueAttributes"]["qualifiedName"] for item in shown["s1"]["tables"]] == [f"{ROOT}/s1/a"]


@pytest.mark.parametrize("delete_type", ["SOFT", "PURGE"])
def test_a_process_keeps_its_time_when_what_it_refers_to_goes_and_not_the_other_way_round(
    delete_type: str, catalog: Catalog
) -> None:
    """`deleteRelationships` and `deleteEdgeReference` of the metastore's `DeleteHandlerV1`."""
    process, table = get(catalog, "Process", "p"), get(catalog, "Table", "s1/a")
    process.update_time = table.update_time = 1
    answer = delete(catalog, [get(catalog, "Table", "s1/b").guid], delete_type, "tester")
    assert {header["displayText"] for header in answer["mutatedEntities"]["UPDATE"]} == {"p", "s1"}
    assert process.update_time == 1
    answer = delete(catalog, [process.guid], delete_type, "tester")
    assert "a" in {header["displayText"] for header in answer["mutatedEntities"]["UPDATE"]}
    assert table.update_time > 1
