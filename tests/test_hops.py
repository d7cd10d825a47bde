"""Which hops are founded: both ends by name, one end by columns alone, and what is in doubt by columns, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from test_evidence import put, read_processes
from world import POSTGRES, SNOWFLAKE, Run, World, write_inventory

from delta_arc.entities import Flow, extract_name, load_name
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import find_hops, group_datasets, settle_doubtful
from delta_arc.matching import MatchOutcome, ObjectMatch
from delta_arc.pairing import TablePair

FLOW = Flow("default/postgres/1", "default/s3/1/arn:aws:s3:::b", "", "default/snowflake/1")
SOURCE, TARGET = "default/postgres/1/D/S/T", "default/snowflake/1/D/S/T"
OBJECTS: dict[str, Any] = {"k.csv": {"key": "k.csv", "qualified_name": "k.csv"}}


def hops_of(target: str | None, found: Evidence, existing: tuple[str, ...] = (), outcome: str = "MATCHED") -> list:
    pair = TablePair(SOURCE, target, "", MatchOutcome[outcome])
    datasets = group_datasets([ObjectMatch("k.csv", SOURCE, "", MatchOutcome.MATCHED)], OBJECTS)
    return [(hop.source, hop.target) for hop in find_hops(FLOW, [pair], datasets, {SOURCE: found}, existing)]


EXTRACT, LOAD = extract_name(FLOW, SOURCE), load_name(FLOW, SOURCE, TARGET)


@pytest.mark.parametrize("ground", Ground)
def test_what_founds_a_chain_and_a_lone_hop(ground: Ground) -> None:
    found = Evidence(ground)
    by_names = ground in (Ground.HEADER, Ground.FEW, Ground.NAMES)
    alone = ground is Ground.HEADER
    chain = [(SOURCE, TARGET)] if by_names else []
    assert hops_of(TARGET, found) == chain
    assert hops_of(None, found) == ([(SOURCE, None)] if alone else [])
    # What Atlan has needs a contradiction to go.
    stays = ground is not Ground.CONTRADICTION
    assert hops_of(TARGET, found, (EXTRACT, LOAD)) == ([(SOURCE, TARGET)] if stays else [])
    assert hops_of(None, found, (EXTRACT,)) == ([(SOURCE, None)] if stays else [])
    # Its extract stays where a target comes along on a day on which nothing can be read.
    assert hops_of(TARGET, found, (EXTRACT,)) == (chain or ([(SOURCE, None)] if stays else []))


def test_what_a_line_sends_nowhere_has_no_hop() -> None:
    assert hops_of(None, Evidence(Ground.HEADER), outcome="OVERRIDDEN") == []


def test_a_doubtful_object_is_of_the_one_table_that_its_columns_prove() -> None:
    match = ObjectMatch("k.csv", None, "ambiguous", MatchOutcome.AMBIGUOUS, ("a", "b"))
    assert group_datasets([match], OBJECTS) == {}
    assert {*group_datasets([match], OBJECTS, with_doubtful=True)} == {"a", "b"}
    proven = Evidence(Ground.HEADER, proven=frozenset({"k.csv"}))
    unproven = Evidence(Ground.NAMES, unproven=frozenset({"k.csv"}))
    for evidence, table in (
        ({"a": proven, "b": unproven}, "a"),
        ({"b": proven}, "b"),
        ({"a": unproven, "b": unproven}, None),
        ({}, None),
        ({"a": Evidence(Ground.HEADER)}, None),  # of other objects
    ):
        (settled,) = settle_doubtful([match], evidence)
        assert settled.table_qualified_name == table


# With a tenant and a bucket

ORDERS = ["ID", "CUSTOMER", "TOTAL"]


@pytest.fixture
def shops(
    tmp_path: Any, fresh_world: Callable[..., World]
) -> Callable[[Mapping[tuple[str, str, str], list[str]], Mapping[tuple[str, str, str], list[str]]], World]:
    """A world with these tables, and no object yet."""

    def make(sources: Mapping, targets: Mapping) -> World:
        world = fresh_world(
            write_inventory(tmp_path / "p.json", POSTGRES, sources),
            write_inventory(tmp_path / "s.json", SNOWFLAKE, targets),
        )
        for path in world.files.iterdir():
            path.unlink()
        return world

    return make


def ways_of(world: World) -> set[tuple[str, str]]:
    """The inputs and outputs of all processes, by their last names."""
    ways = set()
    for hit in read_processes(world):
        ends = [
            " ".join(
                sorted(ref["uniqueAttributes"]["qualifiedName"].rpartition("/")[2] for ref in hit["attributes"][side])
            )
            for side in ("inputs", "outputs")
        ]
        ways.add((ends[0], ends[1]))
    return ways


def test_each_hop_is_written_for_itself(shops: Callable[..., World], run: Callable[..., Run]) -> None:
    world = shops(
        {("SHOP", "SALES", "ORDERS"): ORDERS, ("SHOP", "SALES", "REFUNDS"): ORDERS},
        {("SHOP", "SALES", "ORDERS"): ORDERS, ("SHOP", "SALES", "RATES"): ["ID", "CURRENCY", "RATE"]},
    )
    put(world, "orders.csv", "id,customer,total\n1,Ann,2\n")
    put(world, "refunds.csv", "id,customer,total\n1,Ann,2\n")
    put(world, "rates.csv", "id,currency,rate\n1,EUR,2\n")
    ended = run()
    assert ended.code == 0
    assert "Lone hops: 1 from PostgreSQL to S3 only, 1 from S3 to Snowflake only" in ended.out
    assert ways_of(world) == {
        ("ORDERS", "orders.csv"), ("orders.csv", "ORDERS"), ("REFUNDS", "refunds.csv"), ("rates.csv", "RATES"),
    }  # fmt: skip
    assert "0 created, 0 updated" in run().out
    (world.files / "rates.csv").unlink()
    assert "1 processes are stale" in run().out


def test_a_name_alone_founds_no_lone_hop(shops: Callable[..., World], run: Callable[..., Run]) -> None:
    world = shops({("SHOP", "SALES", "REFUNDS"): ORDERS}, {("SHOP", "SALES", "RATES"): ["ID", "CURRENCY", "RATE"]})
    put(world, "refunds.csv", "1,Ann,2\n")
    put(world, "rates.csv", "1,EUR,2\n")
    assert run().code == 4
    assert ways_of(world) == set()


def test_a_chain_that_becomes_complete_keeps_its_extract(
    shops: Callable[..., World], run: Callable[..., Run], tmp_path: Any
) -> None:
    sources = {("SHOP", "SALES", "ORDERS"): ORDERS}
    world = shops(sources, {("SHOP", "SALES", "OTHER"): ["ID", "SHADE"], ("SHOP", "MART", "ORDERS_ALL"): ORDERS})
    put(world, "orders.csv", "id,customer,total\n1,Ann,2\n")
    run()
    (extract,) = read_processes(world)
    (tmp_path / "overrides.txt").write_text("")
    with open("overrides.txt", "w") as file:
        file.write("table SALES/ORDERS goes to MART/ORDERS_ALL\n")
    assert run().code == 0
    after = {hit["guid"] for hit in read_processes(world)}
    assert extract["guid"] in after
    assert len(after) == 2


def test_what_is_doubtful_is_told_where_no_file_is_read(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, "acme/customers.csv", (world.files / "CUSTOMERS.csv").read_text())
    assert "unknown folder" not in run("--dry-run").out
    monkeypatch.setenv("READ_FILE_HEADERS", "false")
    assert "acme/customers.csv matches no table (unknown folder: acme: " in run("--dry-run").out


def test_columns_settle_what_folders_and_schemas_leave_open(
    shops: Callable[..., World], run: Callable[..., Run]
) -> None:
    tables = {("SHOP", "SALES", "ORDERS"): ORDERS, ("SHOP", "LOG", "ORDERS"): ["ID", "CHANGED_BY", "OLD_VALUE"]}
    world = shops(tables, tables)
    put(world, "orders_1.csv", "id,customer,total\n1,Ann,2\n")
    put(world, "orders_2.csv", "id,changed_by,old_value\n1,Ann,2\n")
    put(world, "orders_3.csv", "1,Ann,2\n")
    put(world, "acme/sales/orders.csv", "id,customer,total\n1,Ann,2\n")
    ended = run()
    assert ended.code == 0
    assert {way for way in ways_of(world) if way[0] == "ORDERS"} == {
        ("ORDERS", "orders_1.csv orders.csv"), ("ORDERS", "orders_2.csv"),
    } or {way for way in ways_of(world) if way[0] == "ORDERS"} == {
        ("ORDERS", "orders.csv orders_1.csv"), ("ORDERS", "orders_2.csv"),
    }  # fmt: skip
    assert "orders_3.csv matches no table (ambiguous" in ended.out
