"""Parts of the sandbox that need no server: its limit, its faults, its records, its publishing and its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox import server
from sandbox.catalog import Catalog
from sandbox.errors import AtlasError
from sandbox.mutations import SaveOptions, merge_business, save
from sandbox.page import context_in_words, find_assets, lineage_of, tenant_page
from sandbox.people import ROLES, USER, USERS, list_records
from sandbox.publishing import Published, Publisher
from sandbox.types_cache import load_types

ROOT = "default/postgres/7"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(load_types(), tmp_path / "tenant.db")
    yield opened
    opened.close()


def guid_of(catalog: Catalog, name: str) -> str:
    table = catalog.find("Table", f"{ROOT}/{name}")
    assert table
    return table.guid


# The limit and the faults


def test_the_limit_counts_a_window_and_then_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(server, "time", clock)
    limiter = server.Limiter(server.TenantPace(requests_per_minute=6, window_seconds=30, block_seconds=10))

    def refused_at(*moments: float) -> list[bool]:
        answers = []
        for clock.now in moments:
            answers.append(limiter.refuses())
        return answers

    assert refused_at(0, 1, 2) == [False, False, False]  # 6 a minute are 3 in 30 seconds
    assert refused_at(30, 31) == [False, False]  # what is older than the window does not count
    assert refused_at(31.9, 41.8, 41.9) == [True, True, False]
    assert refused_at(41.9, 41.9, 41.9) == [False, False, True]  # after a block the count begins anew


def test_there_is_no_limit_unless_one_is_set() -> None:
    limiter = server.Limiter(server.TenantPace())
    assert not any(limiter.refuses() for _ in range(1000))


def test_a_fault_fits_so_many_requests_of_its_kind() -> None:
    fault = server.Fault(count=2, skip=1, method="POST", path="/api/meta", body_contains="poison")
    others = [("GET", "/api/meta", b"poison"), ("POST", "/api/service", b"poison"), ("POST", "/api/meta", b"fine")]
    assert not any(fault.fits(*other) for other in others)
    assert [fault.fits("POST", "/api/meta/entity", b"a poison") for _ in range(4)] == [False, True, True, False]
    assert [server.Fault(count=count).fits("GET", "/", b"") for count in (0, 1)] == [False, True]


# Users, roles and groups


def names(query: dict[str, Any], records: list[dict[str, Any]]) -> list[str]:
    told = {name: json.dumps(value) if name == "filter" else str(value) for name, value in query.items()}
    return [record.get("username") or record["name"] for record in list_records(records, told)["records"]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"username": "steward"}, ["steward"]),
        ({"username": {"$eq": "steward"}}, ["steward"]),
        ({"username": {"$ne": "steward"}}, ["sandbox"]),
        ({"username": {"$in": ["steward", "nobody"]}}, ["steward"]),
        ({"username": {"$ilike": "%STEW%"}}, ["steward"]),
        ({"username": {"$like": "%STEW%"}}, []),
        ({"username": {"$like": "stew"}}, []),
        ({"username": {"$like": "s%d"}}, ["steward"]),
        ({"$or": [{"username": "steward"}, {"firstName": "Sandbox"}]}, ["sandbox", "steward"]),
        ({"$and": [{"lastName": "User"}, {"username": "steward"}]}, []),
        ({"$and": [{"lastName": "Steward"}, {"username": "steward"}]}, ["steward"]),
        ({"lastName": "Steward", "username": "sandbox"}, []),
        ({}, ["sandbox", "steward"]),
    ],
    ids=str,
)
def test_filters_of_records(condition: dict[str, Any], expected: list[str]) -> None:
    assert names({"filter": condition, "sort": "username"}, USERS) == expected


def test_pages_of_records() -> None:
    assert names({"sort": "name"}, ROLES) == sorted(role["name"] for role in ROLES)
    assert names({"sort": "-name"}, ROLES) == sorted((role["name"] for role in ROLES), reverse=True)
    assert names({"offset": 1, "limit": 2}, ROLES) == ["$member", "$guest"]
    assert names({"offset": 4}, ROLES) == []
    page = list_records(ROLES * 10, {"filter": '{"name": "$admin"}', "limit": "3"})
    assert (page["totalRecord"], page["filterRecord"], len(page["records"])) == (40, 10, 3)
    assert len(list_records(ROLES * 10, {})["records"]) == 20


# Custom metadata


def test_custom_metadata_is_laid_over_and_none_takes_away() -> None:
    present = {"a": {"x": 1, "y": 2}, "b": {"z": 3}}
    assert merge_business(present, {"a": {"x": None, "w": 0}}) == {"a": {"y": 2, "w": 0}, "b": {"z": 3}}
    assert merge_business(present, {"b": {"z": None}, "c": {}}) == {"a": {"x": 1, "y": 2}}
    assert present == {"a": {"x": 1, "y": 2}, "b": {"z": 3}}


# Publishing


def write(storage: Path, name: str, *entities: Any) -> None:
    path = storage / "objectstore" / "run" / "transformed" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(entity if isinstance(entity, str) else json.dumps(entity) for entity in entities))


def asset(type_name: str, path: str, **attributes: Any) -> dict[str, Any]:
    named = {"name": path.rpartition("/")[2], "qualifiedName": f"{ROOT}/{path}", "connectionQualifiedName": ROOT}
    return {"typeName": type_name, "attributes": {**named, **attributes}}


def ref(type_name: str, path: str) -> dict[str, Any]:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": f"{ROOT}/{path}"}}


def publish(publisher: Publisher, files: dict[str, str]) -> Published:
    done = Published()
    list(publisher.publish(files, done))
    return done


def test_parents_come_before_children_and_references_among_columns_last(catalog: Catalog, tmp_path: Path) -> None:
    publisher = Publisher(catalog, tmp_path)
    key = asset("Column", "d/s/t/a", table=ref("Table", "d/s/t"), foreignKeyTo=[ref("Column", "d/s/u/b")])
    write(tmp_path, "a.json", key, asset("Table", "d/s/t", atlanSchema=ref("Schema", "d/s")))
    write(tmp_path, "b.json", asset("Column", "d/s/u/b", table=ref("Table", "d/s/u")), asset("Table", "d/s/u"))
    write(tmp_path, "c.json", asset("Schema", "d/s", database=ref("Database", "d")), asset("Database", "d"))
    done = publish(publisher, publisher.pending())
    assert (done.files, done.assets, done.refused) == (3, 7, [])
    assert catalog.find("Connection", ROOT)
    column = catalog.find("Column", f"{ROOT}/d/s/t/a")
    assert column
    assert [catalog.entities[guid].name for guid in column.related("foreignKeyTo")] == ["b"]
    assert publisher.pending() == {}


def test_a_faulty_line_costs_that_line_and_what_waits_comes_later(catalog: Catalog, tmp_path: Path) -> None:
    publisher = Publisher(catalog, tmp_path)
    faulty = ["{", "[]", json.dumps(asset("NoType", "d/x")), json.dumps({"attributes": {"qualifiedName": ""}})]
    write(tmp_path, "a.json", *faulty, asset("Database", "d"))
    write(tmp_path, "b.json", asset("Table", "d/s/t", atlanSchema=ref("Schema", "d/s")))
    done = publish(publisher, publisher.pending())
    assert done.assets == 2  # the connection and the database
    assert [refusal.split(":")[0] for refusal in done.refused[:3]] == [
        f"objectstore/run/transformed/a.json, line {number}" for number in (1, 2, 4)
    ]
    assert len(done.refused) == 5
    assert [name.rpartition("/")[2] for name in publisher.pending()] == ["b.json"]
    assert publisher.look() == {}  # nothing has changed since it was tried
    assert publisher.look() == {}
    write(tmp_path, "c.json", asset("Schema", "d/s"))
    assert publisher.look() == {}  # it may still be arriving
    files = publisher.look()
    assert [name.rpartition("/")[2] for name in files] == ["b.json", "c.json"]
    assert publish(publisher, files).refused == []
    assert publisher.pending() == {}


def test_a_file_that_is_replaced_is_published_again(catalog: Catalog, tmp_path: Path) -> None:
    publisher = Publisher(catalog, tmp_path)
    write(tmp_path, "a.json", asset("Database", "d"))
    publish(publisher, publisher.pending())
    write(tmp_path, "a.json", asset("Database", "d", description="more"))
    publish(publisher, publisher.pending())
    database = catalog.find("Database", f"{ROOT}/d")
    assert database
    assert database.attributes["description"] == "more"


def test_many_entities_are_saved_in_batches_that_let_others_in(catalog: Catalog, tmp_path: Path) -> None:
    publisher = Publisher(catalog, tmp_path)
    write(tmp_path, "a.json", *(asset("Database", f"d{number}") for number in range(1100)))
    done = Published()
    counts = [done.assets for _ in publisher.publish(publisher.pending(), done)]
    assert counts == [1, 501, 1001, 1101]  # the connection, then its databases


# The page


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ('{"ground":"names and header","columns not in the file":["FAX"]}', "names and header; columns not in the file: FAX"),
        ('{"columns not in the file":["FAX","B"],"ground":"names"}', "names; columns not in the file: FAX, B"),
        ('{"ground":"names"}', "names"),
        ('{"job":"nightly","runs":3,"ok":true,"none":null,"empty":[],"nothing":{},"no":""}', "job: nightly; runs: 3; ok: true"),
        ('{"steps":[["a","b"],{"c":0}],"at":{"line":1}}', 'steps: ["a","b"], {"c":0}; at: {"line":1}'),
        ("{}", ""),
        ("", ""),
        ("loaded by hand", "loaded by hand"),
        ('["a"]', '["a"]'),
        ('"text"', '"text"'),
        ('{"ground":', '{"ground":'),
    ],
)  # fmt: skip
def test_the_context_of_a_process_is_said_in_words(context: str, words: str) -> None:
    assert context_in_words(context) == words


def test_the_page_says_the_ground_of_a_chain_in_words(catalog: Catalog) -> None:
    context = '{"ground":"names and header","columns not in the file":["FAX"]}'
    process = asset(
        "Process", "p", inputs=[ref("Table", "a")], outputs=[ref("Table", "b")], additionalEtlContext=context
    )
    save(catalog, [asset("Table", "a"), asset("Table", "b")], SaveOptions(), "tester")
    save(catalog, [process], SaveOptions(), "tester")
    (document,) = re.findall(r'id="document">(.*?)</script>', tenant_page(catalog, "http://127.0.0.1:1"), re.DOTALL)
    shown = json.loads(document)
    (chain,) = shown["chains"]
    assert [ground for ground, _, _ in shown["grounds"]] == ["names and header; columns not in the file: FAX"]
    assert chain["sources"] == [["a", "", guid_of(catalog, "a"), 0]]


@pytest.mark.parametrize("depth", [10, 300, 100_000])
def test_a_context_of_any_depth_is_said_somehow(depth: int) -> None:
    assert context_in_words('{"a":' + "[" * depth + "]" * depth + "}")


def test_assets_are_found_by_a_part_of_their_names(catalog: Catalog) -> None:
    entities = [asset("Table", f"db/s/Orders{number}") for number in range(201)]
    connection = {
        "typeName": "Connection",
        "attributes": {"name": "c", "qualifiedName": "default/s3/orders-of-all-times"},
    }
    save(catalog, [*entities, connection, asset("Database", "orders")], SaveOptions(), USER["username"])
    found = find_assets(catalog, "oRDers")
    assert (found["total"], len(found["assets"])) == (203, 200)
    assert [item["name"] for item in found["assets"][:4]] == ["c", "orders", "Orders0", "Orders1"]


def test_lineage_on_the_page_leaves_processes_and_what_is_archived_out(catalog: Catalog) -> None:
    tables = [asset("Table", name) for name in "abcd"]
    processes = [
        asset("Process", f"p{left}", inputs=[ref("Table", left)], outputs=[ref("Table", right)])
        for left, right in ("ab", "bc", "cd")
    ]
    save(catalog, tables, SaveOptions(), "tester")
    save(catalog, processes, SaveOptions(), "tester")
    save(catalog, [{**asset("Table", "e"), "status": "ACTIVE"}], SaveOptions(), "tester")
    guids = {name: guid_of(catalog, name) for name in "abcd"}
    with catalog.transaction("tester") as transaction:
        transaction.set_field(catalog.entities[guids["d"]], "status", "DELETED")
    shown = lineage_of(catalog, guids["b"])
    assert [item["name"] for item in shown["nodes"]] == ["b", "a", "c"]
    assert sorted(shown["edges"]) == sorted([[guids["a"], guids["b"]], [guids["b"], guids["c"]]])
    with pytest.raises(AtlasError):
        lineage_of(catalog, "nobody")
