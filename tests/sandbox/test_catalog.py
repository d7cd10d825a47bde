"""The catalog without HTTP: what a failed change leaves, how relationships move, and what the search index sees."""

from __future__ import annotations

import dataclasses
import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from sandbox.catalog import Catalog, Entity, Transaction
from sandbox.database import FORMAT, FolderInUse
from sandbox.errors import AtlasError
from sandbox.messages import SentEntity
from sandbox.mutations import SaveOptions, delete, restore, save
from sandbox.search import SearchCache, index_search
from sandbox.search.candidates import find_entities
from sandbox.tags import all_tags
from sandbox.types_cache import load_types

ROOT = "default/vertica/1"
ALL = {"match_all": {}}
REPLACE = SaveOptions(replace_tags=True)


@pytest.fixture(params=[1, 5_000])
def catalog(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Two schemas: s1 with the tables a and b, s2 with none; a process from a to b; a bucket.

    So many entities are kept in memory: with few, nearly all are read again each time.
    """
    monkeypatch.setattr("sandbox.catalog.KEPT", request.param)
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
    """Everything that the catalog holds, as it gives it, and what it is found by."""
    return {
        "entities": {
            guid: (
                found.document(),
                {name: dict(found.related(name)) for name in found.relations if found.related(name)},
            )
            for guid, found in catalog.entities.items()
        },
        "columns": catalog._database.execute("SELECT * FROM entity ORDER BY guid").fetchall(),
        "tagged": dict(catalog.tagged),
    }


def stored(catalog: Catalog) -> Any:
    tables = ("entity", "body", "link")
    return [catalog._database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]


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


def test_tags_reach_what_they_did_after_a_change_that_fails_at_its_end(catalog: Catalog) -> None:
    catalog.put_document("classificationDefs", "PII", {"name": "PII", "displayName": "PII", "attributeDefs": []})
    tagged, tags = entity("Schema", "s1"), [{"typeName": "PII", "propagate": True}]
    both = [{**tagged, "classifications": tags}, {**entity("Schema", "s2"), "classifications": tags}]
    save(catalog, both, REPLACE, "ann")

    def fail(transaction: Transaction) -> Iterator[Any]:
        raise OSError("the disk is full")
        yield

    catalog.listeners.append(fail)
    with pytest.raises(OSError, match="full"):
        save(catalog, [{**tagged, "classifications": []}], REPLACE, "ann")
    (table,) = (catalog.entities[guid] for guid in catalog.by_name[f"{ROOT}/s1/a"])
    assert [tag["typeName"] for tag in all_tags(catalog, table)] == ["PII"]


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
    assert table.number not in {number for row in stored(catalog)[2] for number in (row[0], row[2])}


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


# What is read when it is asked for


def test_whoever_holds_an_entity_holds_the_one_that_is_changed(catalog: Catalog) -> None:
    held = get(catalog, "Table", "s1/a")
    for path in ("s1/b", "s1/a", "s1/b"):
        put(catalog, entity("Table", path, description=f"seen {path}"))
    assert get(catalog, "Table", "s1/a") is held
    assert held.attributes["description"] == "seen s1/a"


def test_entities_that_nobody_holds_are_not_all_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.catalog.KEPT", 10)
    catalog = Catalog(load_types(), tmp_path / "tenant.db")
    put(catalog, *(entity("Table", f"t{number}") for number in range(100)))
    gc.collect()
    assert len([*catalog.entities.values()]) == len(catalog.entities) == 100
    assert len(catalog.entities._held) <= 30
    catalog.close()


def test_what_joins_a_relationship_is_not_read_with_all_that_is_in_it(catalog: Catalog) -> None:
    for number in range(3):
        put(catalog, entity("Table", f"s1/t{number}", atlanSchema=ref("Schema", "s1")))
        catalog.entities.forget_all()
    schema = get(catalog, "Schema", "s1")
    assert schema.relations["tables"] is None or catalog.entities.get(schema.guid) is schema
    put(catalog, entity("Table", "s1/last", atlanSchema=ref("Schema", "s1")))
    names = [catalog.entities[guid].name for guid in schema.related("tables")]
    assert sorted(names[:2]) == ["a", "b"]
    assert names[2:] == ["t0", "t1", "t2", "last"]


# The folder


OLD_SCHEMA = """
CREATE TABLE entity (guid TEXT PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE link (
    guid TEXT, name TEXT, other TEXT, other_name TEXT, attributes BLOB, PRIMARY KEY (guid, name, other)
) WITHOUT ROWID;
CREATE TABLE document (kind TEXT, name TEXT, value BLOB, PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""


def write_old_state(catalog: Catalog, path: Path) -> None:
    """The catalog as the first format had it, with links to nobody."""
    old = sqlite3.connect(path)
    old.executescript(OLD_SCHEMA)
    for guid, found in catalog.entities.items():
        document = orjson.loads(found.document())
        del document["relations"]
        old.execute("INSERT INTO entity VALUES (?, ?)", (guid, orjson.dumps(document)))
        for name in found.relations:
            inverse = found.type.relationships[name].inverse
            for other, attributes in found.related(name).items():
                row = (guid, name, other, inverse, orjson.dumps(attributes))
                if not old.execute("SELECT 1 FROM link WHERE guid = ? AND name = ?", (other, inverse)).fetchone():
                    old.execute("INSERT INTO link VALUES (?, ?, ?, ?, ?)", row)
        old.execute("INSERT INTO link VALUES (?, 'tables', 'nobody', 'atlanSchema', '{}')", (guid,))
    old.execute("INSERT INTO document VALUES ('state', 'token', '\"secret\"')")
    old.commit()
    old.close()


def test_a_state_of_the_first_format_is_taken_over(catalog: Catalog, tmp_path: Path) -> None:
    tag: Any = {"typeName": "pii", "propagate": True}
    with catalog.transaction("tester") as transaction:
        transaction.set_field(get(catalog, "Table", "s1/b"), "tags", [tag])
        end = load_types().types["Table"].relationships["atlanSchema"]
        transaction.link(get(catalog, "Table", "s1/b"), end, get(catalog, "Schema", "s1"), {"note": "1"})
    delete(catalog, [get(catalog, "S3Bucket", "bucket").guid], "SOFT", "tester")
    write_old_state(catalog, tmp_path / "old.db")
    for _ in range(2):
        again = Catalog(load_types(), tmp_path / "old.db")
        for guid, found in catalog.entities.items():
            known = again.entities[guid]
            assert orjson.loads(known.document()) | {"relations": 0} == orjson.loads(found.document()) | {
                "relations": 0
            }
            assert {name: known.related(name) for name in known.relations} == {
                name: found.related(name) for name in found.relations
            }
        columns = "guid, type, state, created, modified, tagged, qualifiedName, connectionQualifiedName, awsArn"
        statement = f"SELECT {columns} FROM entity ORDER BY guid"
        assert [*again.select(statement)] == [*catalog.select(statement)]
        assert again.tagged == catalog.tagged
        assert again.documents("state")["token"] == "secret"
        again.close()


def test_a_state_that_cannot_be_taken_over_stays_as_it_is(catalog: Catalog, tmp_path: Path) -> None:
    write_old_state(catalog, tmp_path / "old.db")
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("INSERT INTO entity VALUES ('~', '{\"type\": 1}')")
    old.close()
    for _ in range(2):
        with pytest.raises(OSError, match="an asset in it cannot be read"):
            Catalog(load_types(), tmp_path / "old.db")
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("DELETE FROM entity WHERE guid = '~'")
    old.close()
    again = Catalog(load_types(), tmp_path / "old.db")
    assert len(again.entities) == len(catalog.entities)
    again.close()


def test_a_state_of_a_newer_sandbox_is_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tenant.db") as newer:
        newer.execute(f"PRAGMA user_version = {FORMAT + 1}")
    newer.close()
    with pytest.raises(OSError, match="newer sandbox"):
        Catalog(load_types(), tmp_path / "tenant.db")


def test_what_pyatlan_has_no_type_for_is_left_out_and_kept(catalog: Catalog, tmp_path: Path) -> None:
    every = state(catalog)["entities"]
    catalog.close()
    types = load_types()
    fewer = dataclasses.replace(
        types, types={name: one for name, one in types.types.items() if name != "Schema"}, families={}
    )
    without = Catalog(fewer, tmp_path / "tenant.db")
    assert sorted(found.name for found in without.entities.values()) == ["a", "b", "bucket", "p"]
    assert len(without.entities) == 4
    assert get(without, "Table", "s1/a").related("atlanSchema") == {}
    assert not without.by_name[f"{ROOT}/s1"]
    assert len(find_entities(without, ALL)) == 4
    without.close()
    again = Catalog(types, tmp_path / "tenant.db")
    assert state(again)["entities"] == every
    again.close()


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
