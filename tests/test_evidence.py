"""Evidence: what the first bytes of an object tell, what is a header, and what its columns do to the lineage."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from world import ROOT, Run, World, write_inventory

from delta_arc import evidence
from delta_arc.evidence import (
    Evidence,
    Ground,
    absent_columns,
    conclude,
    explain_ground,
    find_kinds,
    judge,
)
from delta_arc.files.footers import FooterReader
from delta_arc.files.heads import Head, find_footer, parse_head

TABLE = ("id", "city", "created_at")
AIRBYTE = {"_airbyte_ab_id": "1", "_airbyte_emitted_at": 1, "_airbyte_data": {"id": 1, "other": 2}}

HEADERS = {
    "comma": "id,city,created_at\n1,Ann,2025-09-21\n",
    "semicolon": "id;city;created_at\n1;Ann, B.;2025-09-21\n",
    "tab": "id\tcity\tcreated_at\n1\tAnn\t2025-09-21\n",
    "pipe": "id|city|created_at\n1|Ann|2025-09-21\n",
    "quoted": '"id","city","created_at"\r\n"1","A\n""n""n","2025-09-21"\r\n',
    "byte order mark": "\ufeffid,city,created_at\n1,Ann,2025-09-21\n",
    "other case and joints": "ID,City,createdAt\n",
    "hash": "#id,city,created_at\n1,Ann,2025-09-21\n",
    "operation before": "Op,id,city,created_at\nI,1,Ann,2025-09-21\n",
    "column without a name": ",id,city,created_at\n0,1,Ann,2025-09-21\n",
    "blank line before": "\nid,city,created_at\n1,Ann,2025-09-21\n",
    "lines of JSON": '{"id": 1, "city": "Ann"}\n{"id": 2, "created_at": null}\n',
    "an array": '[\n  {"id": 1, "city": "Ann", "created_at": null}]',
}
NO_HEADERS = {
    "rows of DMS": "I,1001,Chartreuse,2025-01-01\nU,1002,Green,2025-01-02\n",
    "texts": "Ann,Lisbon,red\nBob,Porto,blue\n",
    "one row of texts": "Ann,Lisbon,red\n",
    "texts in one case": "red,heavy,round\nblue,light,flat\n",
    "empty cells": "Ann,,\nBob,,\n",
    "the same twice": "yes_sir,yes_sir,4\nno_sir,no_sir,5\n",
    "null": "\\N,Ann,x\n1,Bob,y\n",
    "true": "true,Ann,3\nfalse,Bob,4\n",
    "mail": "ann@example.com,first_x,last_x\n",
    "a name as a value": "city,red,small\nsize,blue,large\n",
    "Airbyte": '_airbyte_ab_id,_airbyte_emitted_at,_airbyte_data\nx,1,"{""id"": 1}"\n',
    "Airbyte JSON": json.dumps(AIRBYTE),
    "Debezium": '{"before": null, "after": {"id": 1}, "op": "c"}',
    "XML": "<orders/>",
    "JSON of no objects": "[1, 2]",
}
CONTRADICTIONS = {
    "numbers below": "shade,weight\nred,12\nblue,13\n",
    "dates below": "Shade,Since\nred,2025-01-01\n",
    "joined words": "shade_name,city_name\nred,Lisbon\n",
    "inner capitals": "shadeName,cityName\nred,Lisbon\n",
    "JSON": '{"shade": "red", "weight": 12}\n',
}


@pytest.mark.parametrize("text", HEADERS.values(), ids=HEADERS)
def test_a_header_is_found(text: str) -> None:
    for head in (text.encode(), gzip.compress(text.encode())):
        found = judge("k", parse_head(head, complete=True), TABLE)
        assert (found.ground, found.shared) == (Ground.HEADER, {*TABLE})


@pytest.mark.parametrize("text", NO_HEADERS.values(), ids=NO_HEADERS)
def test_a_row_that_may_be_data_decides_nothing(text: str) -> None:
    found = judge("k", parse_head(text.encode(), complete=True), TABLE)
    assert found.ground == Ground.NAMES
    assert found.reason


@pytest.mark.parametrize(
    ("columns", "table", "ground"),
    [
        # `customer_id` is in all that refers to customers.
        (["customer_id", "email", "phone"], ["order_id", "customer_id", "placed_on", "total"], Ground.CONTRADICTION),
        (["id", "email", "phone", "created_at"], ["id", "name"], Ground.CONTRADICTION),
        (["id", "created_at"], ["id", "placed_on", "total", "created_at"], Ground.FEW),
        (["id", "name", "population"], ["id", "name"], Ground.FEW),
        # All columns, and each of them such as any table has.
        (["id", "created_at"], ["id", "created_at"], Ground.FEW),
        (["Op", "Id", "Name"], ["id", "name", "_synced"], Ground.FEW),
        (["id", "created_at", "city"], ["id", "created_at", "city"], Ground.HEADER),
        (["order_id", "total"], ["order_id", "customer_id", "placed_on", "total"], Ground.HEADER),
    ],
)
def test_a_key_that_is_shared_proves_nothing(columns: list[str], table: list[str], ground: Ground) -> None:
    told = judge("k", Head(columns=tuple(columns)), table)
    assert conclude([[{"key": "k", "last_modified": 1}]], {"k": told}, table).ground == ground


def test_a_file_that_proves_the_table_takes_away_none_with_all_of_its_columns() -> None:
    objects = [{"key": key, "last_modified": at} for at, key in enumerate(("a", "b"))]
    told = {"a": judge("a", Head(columns=("Op", "id", "city")), ["id", "city"])}
    told["b"] = judge("b", Head(columns=("id", "city")), ["id", "city"])
    assert told["b"].ground is Ground.HEADER
    assert not conclude(find_kinds(objects), told, ["id", "city"]).left_out


@pytest.mark.parametrize("text", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_other_columns_contradict(text: str) -> None:
    found = judge("k", parse_head(text.encode(), complete=True), TABLE)
    assert found.ground == Ground.CONTRADICTION
    assert "the table has id, city, created_at" in found.reason


def test_a_header_alone_contradicts_nothing() -> None:
    """There are no rows that it could stand out from: it may be the only row of a file without a header."""
    assert judge("k", parse_head(b"shadeName,cityName\n", complete=True), TABLE).ground == Ground.NAMES


def test_missing_columns_are_told() -> None:
    told = judge("k", parse_head(b"id,city,extra\n1,Lisbon,x\n", complete=True), TABLE)
    found = conclude([[{"key": "k", "last_modified": 1}]], {"k": told}, TABLE)
    assert found.absent == ("created_at",)
    assert absent_columns(found.on_process) == {"created_at"}


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "",
        "edited by hand",
        "[]",
        "[" * 100_000,
        "5",
        '{"reason": 5, "ground": [], "columns not in the file": null}',
    ]
    + [f'{{"columns not in the file": {absent}}}' for absent in ("5", "[5]", "[[]]", '{"a": 1}', '"ID"')],
)
def test_what_people_write_into_the_ground_is_no_fault(kept: str | None) -> None:
    assert absent_columns(kept) == frozenset()
    assert explain_ground(kept) == ""


def test_what_people_write_into_the_ground_is_shown_as_one_line() -> None:
    kept = {"ground": "a\x1b[2J", "reason": "b\n\u202ec and " + "d" * 5000, "columns not in the file": ["e\u2028"]}
    told = explain_ground(json.dumps(kept))
    assert told.isprintable()
    assert len(told) < 500
    assert "and " in told


@pytest.mark.parametrize("head", [b"", b"\n \n", b"\x1f\x8bgarbage", b"Obj\x01\x00avro", b"\x1f\x8b\x08\x00"])
def test_what_cannot_be_read_is_said(head: bytes) -> None:
    assert parse_head(head, complete=True).reason


def test_a_cut_row_does_not_count() -> None:
    assert parse_head(b"id,name,created_at\n1,An", complete=False).rows == (("id", "name", "created_at"),)
    assert parse_head(b"id,name,crea", complete=False).reason
    assert parse_head(b"id,name,created_at", complete=True).rows == (("id", "name", "created_at"),)


def test_a_table_without_known_columns_has_nothing_to_compare() -> None:
    assert judge("k", parse_head(b"shade,weight\nred,12\n", complete=True), ()).ground == Ground.NAMES


def test_the_samples_agree_with_their_tables() -> None:
    assets = json.loads((ROOT / "sandbox/sample/postgres.json").read_text())["data"]
    for path in (ROOT / "sandbox" / "buckets").rglob("*.csv"):
        columns = [row[1] for row in assets if row[2] == "Column" and f"/{path.stem}/" in row[0]]
        found = judge("k", parse_head(path.read_bytes(), complete=True), columns)
        assert (found.ground, found.shared, found.columns) == (Ground.HEADER, {*columns}, tuple(columns)), path


def parquet(columns: Mapping[str, list]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    file = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(dict(columns)), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def footers() -> Iterator[FooterReader]:
    with FooterReader() as footers:
        yield footers


def read_tail(footers: FooterReader, tail: bytes) -> Head:
    footer = find_footer(tail)
    return footers.read(footer) if isinstance(footer, bytes) else Head(reason=f"no footer: {footer}")


def test_parquet_is_read_from_its_footer(footers: FooterReader) -> None:
    whole = parquet({"id": [1], "name": ["x" * 1000]})
    length = find_footer(whole[-12:])
    assert isinstance(length, int)
    assert read_tail(footers, whole[-length:]).columns == ("id", "name")
    nested = read_tail(footers, parquet({"data": [{"id": 1}]}))
    assert nested.nested
    assert judge("k", nested, TABLE).ground == Ground.NAMES
    for damaged in (b"", b"PAR1", whole[:-4], whole[:-20] + whole[-8:]):
        assert read_tail(footers, damaged).reason


# With a tenant and a bucket


@pytest.fixture
def orders(tmp_path: Path, fresh_world: Callable[..., World]) -> World:
    """A tenant with one table on both sides, and an empty bucket."""
    tables = {("SHOP", "SALES", "ORDERS"): ["ID", "NAME", "TOTAL"]}
    sides = (write_inventory(tmp_path / f"{side.split('/')[1]}.json", side, tables) for side in SIDES)
    world = fresh_world(*sides)
    for path in world.files.iterdir():
        path.unlink()
    return world


SIDES = ("default/postgres/1757530687", "default/snowflake/1757530705")


def put(world: World, key: str, content: str | bytes, age: int = 0) -> None:
    """An object, as many minutes old."""
    path = world.files / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    moment = path.stat().st_mtime - 60 * age
    os.utime(path, (moment, moment))


def columns_of(world: World) -> set[str]:
    return {asset["attributes"]["name"].rpartition(".")[2] for asset in world.assets("ColumnProcess")}


def test_a_column_that_the_file_lacks_gets_no_edge(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders.csv", "id,total\n1,2\n")
    ended = run("--dry-run")
    assert f"⚠️ Column {SIDES[0]}/SHOP/SALES/ORDERS/NAME is not in the file\n" in ended.out
    assert "ORDERS: 1 object" in ended.out
    assert "names and header of 2025/csa-tech-challenge-ary/orders.csv" in ended.out
    assert run().code == 0
    assert columns_of(orders) == {"ID", "TOTAL"}
    kept = {asset["attributes"]["additionalEtlContext"] for asset in search(orders, "Process")}
    assert kept == {'{"ground": "names and header", "columns not in the file": ["NAME"]}'}


def search(world: World, type_name: str) -> list[dict]:
    body = {
        "dsl": {"query": {"bool": {"filter": [{"term": {"__typeName.keyword": type_name}}]}}, "from": 0, "size": 100},
        "attributes": ["additionalEtlContext"],
    }
    return world._post("/api/meta/search/indexsearch", body).get("entities", [])


def test_the_columns_alone_keep_to_the_file(orders: World, run: Callable[..., Run]) -> None:
    """Called without the report of the tables, as in a REPL."""
    import main

    put(orders, "orders.csv", "id,total\n1,2\n")
    postgres, snowflake = main.find_postgres_assets(), main.find_snowflake_assets()
    s3 = main.integration_with_S3()
    main.create_table_lineage(postgres, s3["s3_objects"], snowflake)
    assert main.create_column_lineage(postgres, snowflake).count("created") == 2
    assert "0 created" in run().out


def test_a_file_of_other_columns_gets_no_edge(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders.csv", "shade,weight\nred,12\n")
    ended = run()
    assert ended.code == 4
    assert "the file has shade, weight; the table has ID, NAME, TOTAL" in ended.out
    assert "🔍 0 of 1 tables have a complete chain" in ended.out
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (0, 0)
    insist = next(line.strip() for line in ended.out.splitlines() if line.strip().endswith("is SALES/ORDERS"))
    Path("overrides.txt").write_text(f"{insist}\n")
    assert run().code == 0
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (2, 3)


def test_a_column_is_carried_where_any_of_the_files_has_it(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders_1.csv", "id,name,total\n1,Ann,2\n", age=4)
    put(orders, "orders_2.csv", "id,total\n1,2\n", age=3)
    put(orders, "orders_3.csv", "1,Ann,2\n", age=2)
    ended = run()
    assert "names and header of 2025/csa-tech-challenge-ary/orders_2.csv" in run("--dry-run").out
    assert (
        "   The newest file of ORDERS has no NAME, which older ones have: 2025/csa-tech-challenge-ary/orders_2"
        in ended.out
    )
    assert "stale" not in ended.out
    assert columns_of(orders) == {"ID", "NAME", "TOTAL"}
    put(orders, "orders_1.csv", "id,total\n1,3\n", age=1)
    assert "1 processes are stale" in run().out
    assert columns_of(orders) == {"ID", "NAME", "TOTAL"}
    run("--prune")
    assert columns_of(orders) == {"ID", "TOTAL"}


def test_each_file_is_judged_for_itself(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders_1.csv", "id,name,total\n1,Ann,2\n", age=3)
    put(orders, "orders_2.csv", "shade,weight\nred,12\n", age=2)
    put(orders, "orders_3.csv", "total,region,share\n12,North,3\n")
    ended = run()
    assert ended.code == 0
    assert "orders_2.csv contradicts ORDERS: the file has shade, weight; the table has ID, NAME, TOTAL" in ended.out
    assert "orders_3.csv contradicts ORDERS: it shares only TOTAL" in ended.out
    extract = next(hit for hit in read_processes(orders) if "/extract/" in hit["attributes"]["qualifiedName"])
    assert [name_of(ref) for ref in extract["attributes"]["outputs"]] == ["orders_1.csv"]
    assert columns_of(orders) == {"ID", "NAME", "TOTAL"}


def test_files_that_cannot_be_read_found_nothing_new_and_remove_nothing(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders.csv", "")
    ended = run()
    assert ended.code == 4
    assert "has no file that can be read: 2025/csa-tech-challenge-ary/orders.csv (it is empty)." in ended.out
    assert orders.count("Process") == 0
    put(orders, "orders.csv", "id,name,total\n1,Ann,2\n")
    assert run().code == 0
    put(orders, "orders.csv", "")
    assert run("--prune").code == 0
    put(orders, "orders_2.csv", "id,name,total\n1,Ann,2\n")
    assert "   An S3 object of ORDERS cannot be read: 2025/csa-tech-challenge-ary/orders.csv (it is empty)" in run().out
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (2, 3)


def read_processes(world: World) -> list[dict]:
    body = {
        "dsl": {"query": {"bool": {"filter": [{"term": {"__typeName.keyword": "Process"}}]}}, "from": 0, "size": 100},
        "attributes": ["qualifiedName", "inputs", "outputs"],
    }
    return world._post("/api/meta/search/indexsearch", body).get("entities", [])


def name_of(ref: dict) -> str:
    return ref["uniqueAttributes"]["qualifiedName"].rpartition("/")[2]


def test_parquet_objects_are_read_in_two_ranges(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders/part-0000.parquet", parquet({"id": list(range(50_000)), "total": [0.5] * 50_000}))
    run()
    assert columns_of(orders) == {"ID", "TOTAL"}


def test_a_wide_first_line_is_read_further(orders: World, run: Callable[..., Run]) -> None:
    wide = ",".join(f"filler_{number:020}" for number in range(4000))
    put(orders, "orders.csv", f"id,total,{wide}\n1,2{',2' * 4000}\n")
    ended = run("--dry-run")
    assert "names and header" in ended.out
    put(orders, "orders.csv", "x" * 300_000)
    assert "its first line is longer than what is read" in run("--dry-run").out


def test_the_setting_turns_it_off(orders: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ_FILE_HEADERS", "false")
    put(orders, "orders.csv", "id,total\n1,2\n")
    assert "names only (READ_FILE_HEADERS is false)" in run("--dry-run").out
    run()
    assert columns_of(orders) == {"ID", "NAME", "TOTAL"}


def asked_of(
    count: int, contents: Mapping[str, bytes] = MappingProxyType({}), kind: str = "d{}.csv"
) -> tuple[Evidence, list[str]]:
    """What so many objects tell, one newer than the other, and which of them were read."""
    asked: list[tuple[str, str]] = []

    class Client:
        def get_object(self, Bucket: str, Key: str, Range: str) -> dict:
            asked.append((Key, Range))
            return {"Body": io.BytesIO(contents.get(Key, b"id,city\n" + b"1,2\n" * 50_000)[:65536])}

    objects = [{"key": kind.format(number), "size": 200_000, "last_modified": number} for number in range(count)]
    found = evidence.gather_evidence(Client(), "bucket", {"t": objects}, {"t": ["id", "city"]})["t"]
    assert {part for _, part in asked} == {"bytes=0-65535"}
    return found, [key for key, _ in asked]


def test_little_is_read_and_only_of_the_newest() -> None:
    found, asked = asked_of(8)
    assert (found.ground, found.key, len(asked)) == (Ground.HEADER, "d7.csv", 8)
    found, asked = asked_of(9)
    assert (found.ground, asked) == (Ground.HEADER, ["d8.csv", "d7.csv", "d6.csv"])
    assert len(asked_of(300, kind="orders/{}/part-0.csv")[1]) == 3
    assert len(asked_of(300, kind="orders/x{}y.csv")[1]) == 3


def test_the_next_one_is_asked_where_those_before_contradict() -> None:
    foreign = b"shade,weight\n" + b"red,12\n" * 30_000
    found, asked = asked_of(20, {f"d{number}.csv": foreign for number in range(15, 20)})
    assert asked == [f"d{number}.csv" for number in range(19, 13, -1)]
    assert found.ground is Ground.HEADER
    assert {*found.left_out} == {f"d{number}.csv" for number in range(15, 20)}
    found, asked = asked_of(20, {f"d{number}.csv": foreign for number in range(20)})
    assert (found.ground, len(asked), len(found.left_out)) == (Ground.CONTRADICTION, 9, 20)


def test_what_was_not_asked_is_as_its_kind() -> None:
    foreign = b"shade,weight\n" + b"red,12\n" * 30_000
    objects = [{"key": f"orders/{number}.csv", "size": 9, "last_modified": number} for number in range(20)]
    objects += [{"key": f"orders/shades_{number}.csv", "size": 9, "last_modified": number} for number in range(20)]
    told = {
        item["key"]: judge(
            item["key"], parse_head(foreign if "shades" in item["key"] else b"id,city\n1,2\n", True), TABLE
        )
        for item in evidence.objects_to_ask(find_kinds(objects))
    }
    found = conclude(find_kinds(objects), told, TABLE)
    assert len(told) == 6
    assert found.ground is Ground.HEADER
    assert {*found.left_out} == {f"orders/shades_{number}.csv" for number in range(20)}
    assert "as orders/shades_19.csv: the file has shade, weight" in found.left_out["orders/shades_0.csv"]


def test_of_two_objects_of_the_same_moment_the_one_with_the_last_name_is_asked() -> None:
    class Client:
        def get_object(self, Bucket: str, Key: str, Range: str) -> dict:
            return {"Body": io.BytesIO(f"id,city\n1,{Key}\n".encode())}

    for keys in ("ba", "ab"):
        objects = [{"key": f"{key}.csv", "size": 16, "last_modified": 1} for key in keys]
        found = evidence.gather_evidence(Client(), "bucket", {"t": objects}, {"t": ["id", "city"]})["t"]
        assert (found.ground, found.key) == (Ground.HEADER, "b.csv")


def test_what_may_not_be_read_is_said(orders: World) -> None:
    from botocore.exceptions import ClientError, ConnectionClosedError

    class Refusing:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def get_object(self, **_: str) -> None:
            raise self.error

    objects = {"t": [{"key": "a.csv", "size": 5, "last_modified": 1}]}
    for error, told in (
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), "reading it is denied"),
        (ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"), "S3 answered NoSuchKey"),
        (ConnectionClosedError(endpoint_url="x"), "ConnectionClosedError"),
    ):
        found = evidence.gather_evidence(Refusing(error), "bucket", objects, {"t": ["id"]})["t"]
        assert (found.ground, found.key) == (Ground.UNREAD, "a.csv")
        assert told in found.reason
    assert isinstance(found, Evidence)


# Removal is never founded on one file


def names_of(world: World) -> set[str]:
    return {asset["attributes"]["name"] for asset in world.assets("Process", "ColumnProcess")}


def test_one_file_alone_removes_nothing_and_two_do(orders: World, run: Callable[..., Run]) -> None:
    foreign = "shade,weight\nred,12\n"
    put(orders, "orders_1.csv", "id,name,total\n1,Ann,2\n", age=9)
    assert run().code == 0
    assert len(names_of(orders)) == 5
    put(orders, "orders_1.csv", foreign, age=5)
    ended = run("--prune", "--max-remove", "99")
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (2, 3)
    assert "stay although the newest file leaves them out: one file alone removes nothing" in ended.out
    # A copy of the same content is no second voice.
    put(orders, "orders_3.csv", foreign, age=3)
    run("--prune", "--max-remove", "99")
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (2, 3)
    put(orders, "orders_4.csv", f"{foreign}blue,13\n", age=1)
    ended = run("--prune", "--max-remove", "99")
    assert "stay although" not in ended.out
    assert (orders.count("Process"), orders.count("ColumnProcess")) == (0, 0)


def test_one_file_alone_takes_no_column_and_two_do(orders: World, run: Callable[..., Run]) -> None:
    put(orders, "orders_1.csv", "id,name,total\n1,Ann,2\n", age=9)
    run()
    put(orders, "orders_1.csv", "id,total\n1,2\n", age=5)
    run("--prune")
    assert columns_of(orders) == {"ID", "NAME", "TOTAL"}
    put(orders, "orders_2.csv", "id,total\n1,3\n", age=3)
    run("--prune")
    assert columns_of(orders) == {"ID", "TOTAL"}


def test_no_more_than_half_of_the_lineage_goes_unless_it_is_named(world: World, run: Callable[..., Run]) -> None:
    run()
    for table in ("CATEGORIES", "CUSTOMERS", "EMPLOYEES", "ORDERDETAILS", "ORDERS", "PRODUCTS"):
        (world.files / f"{table}.csv").unlink()
    refused = run("--prune")
    assert refused.code == 1
    assert "processes are stale, more than half of 57: nothing is written" in refused.err
    assert run("--prune", "--max-remove", "57").code == 0
    assert world.count("Process") == 4
