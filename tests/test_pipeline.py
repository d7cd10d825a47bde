"""The pipeline against a tenant: what it writes, what it reads back, and what it leaves alone."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FrameType

import pytest
from world import (
    BUCKET,
    POSTGRES,
    PREFIX,
    SCHEMA,
    SNOWFLAKE,
    TABLES,
    WRITTEN_TYPES,
    Run,
    World,
    downstream,
    write_inventory,
)

import main
from runtime.errors import PipelineError

S3 = "default/s3/1700000000"
ARN = f"arn:aws:s3:::{BUCKET}"


def connection(qualified_name: str, name: str) -> dict:
    attributes = {"name": name, "qualifiedName": qualified_name, "connectorName": qualified_name.split("/")[1]}
    return {"typeName": "Connection", "attributes": attributes}


# A run


def test_a_first_run_connects_everything(world: World, run: Callable[..., Run]) -> None:
    ended = run()
    assert ended.code == 0
    assert ended.err == ""
    assert "67 created, 0 updated, 0 unchanged, 0 failed, 0 unmatched" in ended.out
    assert "CATEGORIES (Table) → CATEGORIES.csv (S3Object) → CATEGORIES (Table)" in ended.out
    for table in TABLES:
        reached = downstream(f"{POSTGRES}/{SCHEMA}/{table}")
        assert [asset.type_name for asset in reached] == ["Process", "S3Object", "Process", "Table"]
        assert reached[1].name == f"{table}.csv"
        assert reached[3].qualified_name == f"{SNOWFLAKE}/{SCHEMA}/{table}"
    assert (world.count("Process"), world.count("ColumnProcess")) == (16, 41)
    assert (world.count("S3Bucket"), world.count("S3Object")) == (1, 8)
    assert world.assets("S3Bucket")[0]["attributes"]["s3ObjectCount"] == 8


STEPS = (
    "get_cache_status",
    "find_postgres_assets",
    "find_snowflake_assets",
    "integration_with_S3",
    "create_table_lineage",
    "create_column_lineage",
    "write_plan",
    "summarise",
)


def test_a_run_calls_the_documented_functions_in_their_order_and_reads_its_files_once(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("LOG_LEVEL=INFO\n")
    Path("overrides.txt").write_text("object nowhere/* is nothing\n")
    calls: list[str] = []
    threads = threading.Lock()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name in {*STEPS, "dotenv_values", "read_overrides"}:
            with threads:
                calls.append(frame.f_code.co_name)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        assert run().code == 0
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    assert [name for name in calls if name in STEPS] == list(STEPS)
    assert (calls.count("dotenv_values"), calls.count("read_overrides")) == (1, 1)


def test_no_function_changes_the_environment(world: World) -> None:
    Path(".env").write_text("AWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nS3_PREFIX=other/\n")
    before = dict(os.environ)
    main.get_cache_status()
    assert main.main([]) == 0
    assert main.main(["--sandbox", "--cache-status"]) == 0
    assert dict(os.environ) == before


def test_column_processes_have_their_load_process_as_parent(world: World, run: Callable[..., Run]) -> None:
    run()
    state = world.state()
    columns = {name: held for (kind, name), held in state.items() if kind == "ColumnProcess"}
    assert len(columns) == 41
    for name, column in columns.items():
        load = state["Process", column["process"]]
        (target,), (left,), (right,) = load["outputs"], column["inputs"], column["outputs"]
        assert name.startswith(f"{column['process']}/column/")
        assert target.startswith(SNOWFLAKE)
        assert right.rpartition("/")[0] == target
        assert left == right.replace(SNOWFLAKE, POSTGRES)


def test_everything_on_the_way_has_lineage(world: World, run: Callable[..., Run]) -> None:
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import FluentSearch

    run()
    client = main.get_atlan_client()
    for type_name, count in (("Table", 16), ("S3Object", 8), ("Column", 82), ("Schema", 0)):
        search = FluentSearch().where(Asset.TYPE_NAME.eq(type_name)).where(Asset.HAS_LINEAGE.eq(True))
        assert search.count(client) == count


def test_a_second_run_finds_all_unchanged(world: World, run: Callable[..., Run]) -> None:
    run()
    ended = run()
    assert ended.code == 0
    assert "0 created, 0 updated, 66 unchanged, 0 failed, 0 unmatched" in ended.out


def test_one_more_file_changes_one_chain(world: World, run: Callable[..., Run]) -> None:
    run()
    before = world.state()
    (world.files / "later").mkdir()
    (world.files / "later" / "orders.json").write_text('{"ORDERID": 1, "CUSTOMERID": 2, "ORDERDATE": null}')
    (world.files / "notes.md").write_text("no data")
    ended = run()
    assert ended.code == 0
    assert "2 created, 3 updated, 63 unchanged, 0 failed, 0 unmatched" in ended.out
    assert "   1 S3 object is no data, like 2025/csa-tech-challenge-ary/notes.md\n" in ended.out
    after = world.state()
    changed = {key for key in before if before[key] != after[key]}
    assert {kind for kind, _ in changed} == {"S3Bucket", "Process"}
    assert len([name for kind, name in changed if kind == "Process" and "/ORDERS/" in name]) == 2
    assert len(changed) == 3
    assert {name.rpartition("/")[2] for _, name in after.keys() - before.keys()} == {"orders.json", "notes.md"}
    reached = downstream(f"{POSTGRES}/{SCHEMA}/ORDERS")
    assert [asset.type_name for asset in reached] == ["Process", "S3Object", "S3Object", "Process", "Table"]


def test_a_file_that_is_gone_leaves_the_chain(world: World, run: Callable[..., Run]) -> None:
    (world.files / "ORDERS.json").write_text("{}")
    run()
    (world.files / "ORDERS.json").unlink()
    assert run().code == 0
    reached = downstream(f"{POSTGRES}/{SCHEMA}/ORDERS")
    assert [asset.name for asset in reached if asset.type_name == "S3Object"] == ["ORDERS.csv"]


def test_what_was_archived_is_brought_back(world: World, run: Callable[..., Run]) -> None:
    run()
    before = world.state()
    world.archive(*world.assets(*WRITTEN_TYPES))
    assert world.state() == {}
    assert run().code == 0
    assert world.state() == before


def test_what_people_edit_survives(world: World, run: Callable[..., Run]) -> None:
    run()
    edited = {
        "description": "Ours",
        "userDescription": "By hand",
        "certificateStatus": "VERIFIED",
        "ownerUsers": ["me"],
    }
    written = world.assets(*WRITTEN_TYPES)
    world.save(
        *(
            {"typeName": asset["typeName"], "guid": asset["guid"], "attributes": {**_names(asset), **edited}}
            for asset in written
        )
    )
    for table in TABLES:
        (world.files / f"{table}.csv").write_text("changed\n")
        (world.files / f"{table}.json").write_text("{}")
    ended = run()
    assert ended.code == 0
    assert "8 created, 25 updated, 41 unchanged" in ended.out
    state = world.state()
    assert len(state) == len(written) + 8
    untouched = [name for (_, name), held in state.items() if {key: held.get(key) for key in edited} != edited]
    assert {name.rpartition(".")[2] for name in untouched} == {"json"}


def _names(asset: dict) -> dict[str, str]:
    return {name: asset["attributes"][name] for name in ("name", "qualifiedName")}


# Connections and buckets


def test_an_unknown_connection_is_told_with_those_that_exist(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.save(connection("default/postgres/1700000001", "postgres-crm"))
    monkeypatch.setenv("POSTGRES_CONNECTION_NAME", "postgres-typo")
    ended = run()
    assert ended.code == 1
    for told in ("postgres-typo", "postgres-ary", POSTGRES, "postgres-crm", "default/postgres/1700000001"):
        assert told in ended.err
    assert "snowflake-ary" not in ended.err
    with pytest.raises(PipelineError, match="snowflake-ary"):
        main.get_connection_qualified_name("postgres-ary", "snowflake")


def test_an_ambiguous_connection_is_told_and_a_qualified_name_helps(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyatlan.model.enums import AtlanConnectorType

    world.save(connection("default/postgres/1700000001", "postgres-ary"))
    with pytest.raises(PipelineError) as raised:
        main.get_connection_qualified_name("postgres-ary", AtlanConnectorType.POSTGRES)
    for told in (POSTGRES, "default/postgres/1700000001", "qualified name"):
        assert told in str(raised.value)
    assert run().code == 1
    monkeypatch.setenv("POSTGRES_CONNECTION_NAME", POSTGRES)
    monkeypatch.setenv("SNOWFLAKE_CONNECTION_NAME", SNOWFLAKE)
    assert "67 created" in run().out


@pytest.mark.parametrize("name", [BUCKET, "Landing zone"])
def test_a_bucket_that_another_connection_has_is_used(name: str, world: World, run: Callable[..., Run]) -> None:
    attributes = {"qualifiedName": f"{S3}/{ARN}", "name": name, "awsArn": ARN, "connectorName": "s3",
                  "connectionQualifiedName": S3, "userDescription": "Crawled"}  # fmt: skip
    world.save(connection(S3, "crawled-s3"), {"typeName": "S3Bucket", "attributes": attributes})
    assert run().code == 0
    assert world.count("Connection") == 3
    (bucket,) = world.assets("S3Bucket")
    assert bucket["attributes"]["name"] == name
    assert all(item["attributes"]["qualifiedName"].startswith(f"{S3}/{ARN}/") for item in world.assets("S3Object"))
    assert "66 unchanged" in run().out


def test_the_s3_connection_belongs_to_this_user_and_all_admins(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyatlan.model.assets import Connection
    from pyatlan.model.enums import AtlanConnectorType

    monkeypatch.setenv("S3_CONNECTION_NAME", "landing zone")
    run()
    client = main.get_atlan_client()
    (found,) = client.asset.find_connections_by_name("landing zone", AtlanConnectorType.S3)
    made = client.asset.get_by_guid(found.guid, Connection)
    assert made.admin_users == {client.user.get_current().username}
    assert made.admin_roles == {client.role_cache.get_id_for_name("$admin")}


def test_a_connection_that_people_renamed_is_used_as_it_is(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known by its qualified name, which is made from the name that it was given first."""
    run()
    (made,) = [asset for asset in world.assets("Connection") if asset["attributes"]["connectorName"] == "s3"]
    renamed = {**_names(made), "name": "Landing zone", "adminUsers": ["steward"]}
    world.save({"typeName": "Connection", "guid": made["guid"], "attributes": renamed})
    world.files.parent.parent.rename(world.tenant.buckets / "second")
    monkeypatch.setenv("S3_BUCKET_NAME", "second")
    assert run().code == 0
    assert {bucket["attributes"]["name"] for bucket in world.assets("S3Bucket")} == {BUCKET, "second"}
    held = {asset["attributes"]["name"]: asset["attributes"] for asset in world.assets("Connection")}
    assert len(held) == 3
    assert held["Landing zone"]["adminUsers"] == ["steward"]


def test_the_bucket_counts_all_its_objects(world: World, run: Callable[..., Run]) -> None:
    (world.tenant.buckets / BUCKET / "elsewhere.csv").write_text("outside the prefix")
    assert run().code == 0
    assert world.count("S3Object") == 8
    assert world.assets("S3Bucket")[0]["attributes"]["s3ObjectCount"] == 9


# One function at a time


def test_every_kind_of_asset_is_found_but_lineage(world: World, run: Callable[..., Run]) -> None:
    run()
    attributes = {"connectorName": "postgres", "connectionQualifiedName": POSTGRES, "definition": "-- none"}
    kinds = ("View", "MaterialisedView", "Procedure", "Function", "Table")
    made = [[f"{POSTGRES}/{SCHEMA}/odd/{kind}", f"odd/{kind}", kind] for kind in kinds]
    world.save(
        *(
            {"typeName": kind, "attributes": {**attributes, "name": name, "qualifiedName": qualified_name}}
            for qualified_name, name, kind in made
        ),
        connection(f"{POSTGRES}0", "postgres-ary-2"),
    )
    found = main.find_postgres_assets(force_refresh=True)
    assert len(found) == 51 + len(made)
    assert all(row in found for row in made)
    world.archive(*world.assets("View"))
    assert len(main.find_postgres_assets(force_refresh=True)) == 51 + len(made) - 1


def test_the_steps_one_by_one(world: World, undisturbed: dict) -> None:
    postgres, snowflake = main.find_postgres_assets(), main.find_snowflake_assets()
    assert len(postgres) == len(snowflake) == 51
    assert [f"{POSTGRES}/{SCHEMA}/ORDERS", "ORDERS", "Table"] in postgres
    assert sorted({row[2] for row in snowflake}) == ["Column", "Database", "Schema", "Table"]
    s3 = main.integration_with_S3()
    assert s3["object_count"] == len(s3["s3_objects"]) == 8
    assert s3["bucket_qualified_name"] == f"{s3['connection_qualified_name']}/{ARN}"
    tables = main.create_table_lineage(postgres, s3["s3_objects"], snowflake)
    assert tables.count("created") == 16
    columns = main.create_column_lineage(postgres, snowflake)
    assert columns.count("created") == 41
    assert world.state() == undisturbed
    assert main.create_column_lineage(postgres, snowflake).count("unchanged") == 41


def test_what_the_steps_return_fits_together(world: World, undisturbed: dict) -> None:
    postgres, snowflake = main.find_postgres_assets(), main.find_snowflake_assets()
    listed = main.list_s3_bucket_objects()
    with pytest.raises(PipelineError, match=r"8 of these 8 objects are not registered .* integration_with_S3\(\)"):
        main.create_table_lineage(postgres, listed, snowflake)
    assert main.create_table_lineage(postgres, main.integration_with_S3(), snowflake).count("created") == 16
    assert main.create_table_lineage(postgres, listed, snowflake).count("unchanged") == 16
    main.create_column_lineage(postgres, snowflake)
    assert world.state() == undisturbed


@pytest.mark.parametrize("save", ["by hand", "documents"])
def test_a_cache_is_reported_as_what_the_run_makes_of_it(save: str, world: World, run: Callable[..., Run]) -> None:
    rows = main.find_postgres_assets()
    path = Path("postgres_assets_cache.json")
    if save == "by hand":
        assert main.save_cache_to_file(rows, path)
    else:
        path.write_text(json.dumps({"timestamp": datetime.now().isoformat(), "data": rows}))
    is_used = f"{len(rows)} assets from the cache {path}" in run("--dry-run").out
    assert is_used == (save == "by hand")
    assert main.is_cache_valid(path) == is_used
    assert (main.get_cache_status()[0]["state"] == "valid") == is_used


@pytest.mark.parametrize("arguments", [(None, None, "2025/"), (BUCKET, "arn:aws:s3:::other-2", PREFIX)])
def test_columns_find_the_loads_of_another_prefix_or_bucket(arguments: tuple, world: World) -> None:
    postgres, snowflake = main.find_postgres_assets(), main.find_snowflake_assets()
    s3 = main.integration_with_S3(*arguments)
    assert s3["object_count"] == 8
    assert main.create_table_lineage(postgres, s3["s3_objects"], snowflake).count("created") == 16
    assert main.create_column_lineage(postgres, snowflake).count("created") == 41


def test_columns_before_their_tables_are_told(world: World) -> None:
    postgres, snowflake = main.find_postgres_assets(), main.find_snowflake_assets()
    with pytest.raises(PipelineError, match="create_table_lineage"):
        main.create_column_lineage(postgres, snowflake)
    assert world.count("ColumnProcess") == 0


@pytest.mark.parametrize("prefix", ["2024/", "2025/csa-tech-challenge-ary/nothing-here/"])
def test_a_run_without_a_single_chain_is_no_success(
    prefix: str, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_PREFIX", prefix)
    ended = run()
    assert ended.code == 4
    assert ended.out.splitlines()[-1].startswith("⚠️ Done in ")
    assert ended.out.endswith(", no table has a chain\n")
    assert run("--detailed-exitcode").code == 1


# Size


def test_more_assets_and_keys_than_a_page(
    tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run]
) -> None:
    tables = {("SHOP", "SALES", f"T{number:03}"): ["ID", "TOTAL"] for number in range(510)}
    world = fresh_world(
        write_inventory(tmp_path / "p.json", POSTGRES, tables), write_inventory(tmp_path / "s.json", SNOWFLAKE, tables)
    )
    for *_, table in tables:
        (world.files / f"{table}.csv").write_text("ID,TOTAL\n1,2\n")
    ended = run()
    assert ended.code == 0
    assert "📊 PostgreSQL assets: 1000 of 1532\n" in ended.out
    assert "📊 PostgreSQL assets: 1500 of 1532\n" in ended.out
    assert (world.count("S3Object"), world.count("Process"), world.count("ColumnProcess")) == (518, 1020, 1020)
    world.forget()
    assert "0 created, 0 updated, 2559 unchanged" in run("--force-refresh").out
    assert world.requests()["writes"] == 0
