"""Runs with OpenLineage events: what jobs tell becomes lineage, whatever the files are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from event_world import dataset, event
from world import BUCKET, PREFIX, SCHEMA, SNOWFLAKE, TABLES, Run, World
from world import POSTGRES as POSTGRES_CONNECTION

POSTGRES_SPACE, SNOWFLAKE_SPACE = "postgres://db.acme.example:5432", "snowflake://acme-prod"
DATABASE = SCHEMA.replace("/", ".")


def codes(world: World) -> dict[str, str]:
    """Rename every file of the sample to a code that says nothing, without its header: the keys by table."""
    found = {}
    for number, path in enumerate(sorted(world.files.glob("*.csv"))):
        lines = path.read_text().splitlines(keepends=True)
        (world.files / f"x{number}.dat").write_text("".join(lines[1:]))
        path.unlink()
        found[path.stem.upper()] = f"{PREFIX}x{number}.dat"
    return found


def table(space: str, name: str) -> dict[str, Any]:
    return dataset(space, f"{DATABASE}.{name}")


def told_of(keys: dict[str, str], **targets: str) -> list[dict[str, Any]]:
    """The events of an export and a load for each table."""
    made = []
    for number, (name, key) in enumerate(keys.items()):
        file = dataset(f"s3://{BUCKET}", key)
        made.append(event([table(POSTGRES_SPACE, name)], [file], run=2 * number + 1, job=f"nightly.export_{name}"))
        target = table(SNOWFLAKE_SPACE, targets.get(name, name))
        sql = f"copy into {name} from @landing"
        made.append(event([file], [target], run=2 * number + 2, job=f"nightly.load_{name}", sql=sql))
    return made


@pytest.fixture
def tell(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Any]], None]:
    def write(events: list[Any]) -> None:
        path = empty_folder / "events.jsonl"
        path.write_text("".join(json.dumps(value) + "\n" for value in events))
        monkeypatch.setenv("LINEAGE_EVENTS", str(path))

    return write


def test_feed_codes_without_headers_become_lineage_with_events_and_none_without(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    keys = codes(world)
    assert run().code == 4
    assert world.count("Process") == 0
    tell(told_of(keys))
    ended = run()
    assert ended.code == 0
    assert (world.count("Process"), world.count("ColumnProcess")) == (16, 41)
    assert f"🔍 {len(TABLES)} of {len(TABLES)} tables have a complete chain" in ended.out
    assert "   By their ground: 8 told" in ended.out
    processes = {asset["attributes"]["name"]: asset["attributes"] for asset in world.assets("Process")}
    load = processes[f"s3://{BUCKET}/{keys['ORDERS']} → ORDERS"]
    assert load["sql"] == "copy into ORDERS from @landing"
    assert "as job nightly.load_ORDERS (run 00000000-" in load["description"]
    again = run()
    assert (again.code, world.count("Process")) == (0, 16)
    assert "0 created, 0 updated" in again.out


def test_a_load_that_is_told_makes_a_chain_with_an_object_that_is_named(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    stg = f"{SNOWFLAKE}/{SCHEMA}/STG_CATEGORIES"
    attributes = {"qualifiedName": stg, "name": "STG_CATEGORIES", "connectionQualifiedName": SNOWFLAKE, "connectorName": "snowflake"}  # fmt: skip
    world.save({"typeName": "Table", "attributes": attributes})
    file = dataset(f"s3://{BUCKET}", f"{PREFIX}CATEGORIES.csv")
    tell([event([file], [table(SNOWFLAKE_SPACE, "STG_CATEGORIES")], job="nightly.load")])
    ended = run("--force-refresh")
    assert ended.code == 0
    assert (
        f"PostgreSQL table {POSTGRES_CONNECTION}/{SCHEMA}/CATEGORIES goes to STG_CATEGORIES, as job nightly.load"
        in ended.out
    )
    targets = [
        ref["uniqueAttributes"]["qualifiedName"]
        for asset in world.assets("Process")
        for ref in asset["attributes"]["outputs"]
        if ref["typeName"] == "Table"
    ]
    assert stg in targets
    assert f"{SNOWFLAKE}/{SCHEMA}/CATEGORIES" not in targets


def test_what_a_job_tells_wins_over_a_name_and_both_are_shown(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    file = dataset(f"s3://{BUCKET}", f"{PREFIX}ORDERS.csv")
    tell([event([table(POSTGRES_SPACE, "SHIPPERS")], [file], job="nightly.export")])
    ended = run()
    assert f"S3 object {PREFIX}ORDERS.csv is of SHIPPERS, as job nightly.export (run " in ended.out
    assert "and not of ORDERS, as its name does" in ended.out
    assert (
        "object 2025/csa-tech-challenge-ary/ORDERS.csv is SALES_ORDERS/ORDERS" in ended.out or "is ORDERS" in ended.out
    )
    (extract,) = [asset for asset in world.assets("Process") if asset["attributes"]["name"].startswith("SHIPPERS →")]
    outputs = {ref["uniqueAttributes"]["qualifiedName"].rpartition("/")[2] for ref in extract["attributes"]["outputs"]}
    assert outputs == {"ORDERS.csv", "SHIPPERS.csv"}


def test_a_line_of_the_overrides_wins_over_what_is_told(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None], empty_folder: Path
) -> None:
    (empty_folder / "overrides.txt").write_text(f"object {PREFIX}ORDERS.csv is ORDERS\n")
    file = dataset(f"s3://{BUCKET}", f"{PREFIX}ORDERS.csv")
    tell([event([table(POSTGRES_SPACE, "SHIPPERS")], [file], job="nightly.export")])
    ended = run()
    assert ended.code == 0
    assert "as job" not in ended.out
    assert world.count("Process") == 16


def test_renamed_columns_are_carried_where_the_jobs_tell_them(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    keys = codes(world)
    space, key = f"s3://{BUCKET}", keys["SHIPPERS"]
    columns = [(POSTGRES_SPACE, f"{DATABASE}.SHIPPERS", "SHIPPERID", "c1"), (POSTGRES_SPACE, f"{DATABASE}.SHIPPERS", "SHIPPERNAME", "c1")]  # fmt: skip
    back = [(space, key, "c1", "PHONE")]
    tell(
        [
            event([table(POSTGRES_SPACE, "SHIPPERS")], [dataset(space, key, columns)], run=1),
            event([dataset(space, key)], [dataset(SNOWFLAKE_SPACE, f"{DATABASE}.SHIPPERS", back)], run=2),
        ]
    )
    assert run().code == 0
    (process,) = world.assets("ColumnProcess")
    inputs = [ref["uniqueAttributes"]["qualifiedName"].rpartition("/")[2] for ref in process["attributes"]["inputs"]]
    assert sorted(inputs) == ["SHIPPERID", "SHIPPERNAME"]
    assert process["attributes"]["outputs"][0]["uniqueAttributes"]["qualifiedName"].endswith("/SHIPPERS/PHONE")
    assert "0 created, 0 updated" in run().out


def test_one_hop_that_is_told_is_enough_for_it_and_makes_a_chain_with_a_name(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    keys = codes(world)
    (world.files / "x0.dat").write_text("")  # a file that founds nothing itself
    told = told_of(keys)
    tell([told[0], told[3]])  # an export of one table, and a load of another
    run()
    names = sorted(
        asset["attributes"]["name"].replace(f"s3://{BUCKET}/{PREFIX}", "") for asset in world.assets("Process")
    )
    assert names == ["CATEGORIES → x0.dat", "x0.dat → CATEGORIES", "x1.dat → CUSTOMERS"]


def test_a_load_is_written_though_the_object_of_the_name_cannot_be_read(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    for name in TABLES:
        (world.files / f"{name}.csv").write_text("")
    told = told_of({"ORDERS": f"{PREFIX}ORDERS.csv"})
    tell([told[1]])
    run()
    (load,) = world.assets("Process")
    assert load["attributes"]["name"] == f"s3://{BUCKET}/{PREFIX}ORDERS.csv → ORDERS"


@pytest.mark.parametrize(("ground", "processes"), [("named", 16), ("read", 16), ("told", 3)])
def test_only_what_stands_on_a_ground_is_written(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None], ground: str, processes: int
) -> None:
    keys = {name: f"{PREFIX}{name}.csv" for name in TABLES}
    told = told_of(keys)
    tell([told[0], told[1], told[3]])  # a whole chain, and the load of another table
    ended = run("--min-ground", ground)
    assert world.count("Process") == processes
    assert ended.code == 0


def test_what_is_told_of_no_object_is_told_as_that(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    tell(told_of({"CUSTOMERS": f"{PREFIX}customers.csv", "ORDERS": f"{PREFIX}ORDERS.csv"}))
    lines = run("--dry-run").out.splitlines()
    at = next(
        number for number, line in enumerate(lines) if line.startswith("🔗 4 hops are told by 4 OpenLineage events")
    )
    assert lines[at + 1] == f"   2 of them are of no object that is listed, like s3://{BUCKET}/{PREFIX}customers.csv"
    tell(told_of({"ORDERS": f"{PREFIX}ORDERS.csv"}))
    assert "of no object" not in run("--dry-run").out


def test_what_is_exported_is_the_same_lineage_when_it_is_read_again(
    world: World, run: Callable[..., Run], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--export-openlineage", "export.jsonl").code == 0
    events = [json.loads(line) for line in (empty_folder / "export.jsonl").read_text().splitlines()]
    assert len(events) == 16
    assert {value["job"]["facets"]["deltaArc_ground"]["ground"] for value in events} == {"names and header"}
    before = world.state()
    monkeypatch.setenv("LINEAGE_EVENTS", "export.jsonl")
    again = run("--dry-run")
    assert (again.code, world.state()) == (0, before)
    assert "🔗 0 hops are told by 16 OpenLineage events in export.jsonl" in again.out
    assert "   16 more are what Delta Arc has exported itself, and prove nothing new" in again.out
    assert "0 to create, 0 to update" in again.out


def test_an_export_that_cannot_be_written_is_one_sentence(world: World, run: Callable[..., Run]) -> None:
    ended = run("--dry-run", "--export-openlineage", "none/export.jsonl")
    assert (ended.code, ended.out) == (2, "")
    assert "--export-openlineage none/export.jsonl cannot be written (its folder is not there)" in ended.err


def test_damaged_events_are_told_and_end_nothing(
    world: World, run: Callable[..., Run], empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "events").mkdir()
    (empty_folder / "events/a.jsonl").write_text(f'{{"x": "{BUCKET}"}}\nno event of {BUCKET}\n')
    monkeypatch.setenv("LINEAGE_EVENTS", "events")
    ended = run()
    assert ended.code == 0
    assert "⚠️ OpenLineage: no event, as it has no eventTime (events/a.jsonl line 1)" in ended.out
    assert "⚠️ OpenLineage: no event, as it is no JSON (events/a.jsonl line 2)" in ended.out


def test_a_saved_plan_says_itself_on_what_its_hops_stand(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    told = told_of({name: f"{PREFIX}{name}.csv" for name in TABLES})
    tell([told[0], told[1], told[3]])
    assert run("--plan", "plan.json", "--min-ground", "told").code == 0
    refused = run("--apply", "plan.json", "--min-ground", "told")
    assert (refused.code, refused.err) == (
        2, "❌ --min-ground belongs to a run that makes its plan, and not to --apply.\n",
    )  # fmt: skip
    assert run("--apply", "plan.json").code == 0
    assert world.count("Process") == 3


def test_a_plan_is_not_applied_when_the_jobs_say_something_else(
    world: World, run: Callable[..., Run], tell: Callable[[list[Any]], None]
) -> None:
    keys = codes(world)
    tell(told_of(keys))
    assert run("--plan", "plan.json").code == 0
    told = told_of(keys)
    told[0]["job"]["name"] = "another"
    tell(told)
    ended = run("--apply", "plan.json")
    assert ended.code == 1
    assert world.count("Process") == 0
