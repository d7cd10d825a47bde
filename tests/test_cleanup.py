"""Cleaning up: only what this program made, only when it is told to, and never because something failed."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from world import BUCKET, BULK, POSTGRES, PREFIX, SCHEMA, SNOWFLAKE, TABLES, Run, World

import main
from delta_arc.entities import make_bucket, make_s3_object
from delta_arc.plan import Action, Change, GoneObject, Plan, Step, check_limits, make_plan
from delta_arc.report import Coverage, Report, TableLineage
from runtime.errors import PipelineError
from sandbox.seed import connection_entity


def lineage(world: World) -> int:
    return world.count("Process") + world.count("ColumnProcess")


def save_foreign_process(world: World) -> str:
    """A process that a person made between the same assets, and that is named much like ours."""
    name = f"{SNOWFLAKE}/delta-arcade/load/SHIPPERS"
    inputs = [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{POSTGRES}/{SCHEMA}/SHIPPERS"}}]
    outputs = [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{SNOWFLAKE}/{SCHEMA}/SHIPPERS"}}]
    attributes = {"name": "by hand", "qualifiedName": name, "inputs": inputs, "outputs": outputs}
    world.save({"typeName": "Process", "guid": "-1", "attributes": attributes})
    return name


@pytest.fixture
def stale(world: World, run: Callable[..., Run]) -> World:
    """A tenant with all lineage, and one file gone since."""
    assert run().code == 0
    save_foreign_process(world)
    (world.files / "SHIPPERS.csv").unlink()
    world.forget()
    return world


def test_what_is_stale_is_told_and_stays(stale: World, run: Callable[..., Run]) -> None:
    ended = run()
    assert ended.code == 0
    assert ended.out.count("   - ") == 6
    assert "⚠️ 5 processes are stale: --prune removes them" in ended.out
    assert "⚠️ 1 S3 objects in Atlan are gone from the bucket: --prune archives them" in ended.out
    assert lineage(stale) == 58


def test_prune_archives_just_what_is_stale(stale: World, run: Callable[..., Run]) -> None:
    kept = {name: held for (kind, name), held in stale.state().items() if "SHIPPERS" not in name and kind != "S3Bucket"}
    assert "6 to remove" in run("--prune", "--dry-run").out
    assert lineage(stale) == 58
    ended = run("--prune")
    assert ended.code == 0
    assert "6 removed" in ended.out
    assert lineage(stale) == 53
    state = stale.state()
    assert {name: held for (kind, name), held in state.items() if name in kept} == kept
    assert not [held["name"] for held in state.values() if "SHIPPERS" in held["name"]]
    assert "by hand" in {held["name"] for held in state.values()}
    shown = run("--prune").out
    assert "stale" not in shown
    assert "gone" not in shown


def test_as_many_are_archived_as_the_limit_allows_and_not_one_more(stale: World, run: Callable[..., Run]) -> None:
    refused = run("--prune", "--max-remove", "5")
    assert (refused.code, "more than --max-remove 5" in refused.err) == (1, True)
    assert (lineage(stale), stale.requests()["writes"]) == (58, 0)
    assert run("--prune", "--max-remove", "6").code == 0
    assert lineage(stale) == 53


def test_column_processes_are_stale_where_no_load_process_is_wanted(world: World, run: Callable[..., Run]) -> None:
    run()
    for file in world.files.iterdir():
        file.unlink()
    (world.files / "mystery.csv").write_text("A,B\n1,2\n")
    assert "⚠️ 57 processes are stale" in run("--dry-run").out


def test_a_file_that_comes_back_brings_its_lineage_back(stale: World, run: Callable[..., Run]) -> None:
    run("--prune")
    (stale.files / "SHIPPERS.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    assert "6 created" in run().out
    assert (lineage(stale), stale.count("S3Object")) == (58, 8)


def test_a_table_that_is_dropped_is_pruned(world: World, run: Callable[..., Run]) -> None:
    run()
    dropped = [f"{POSTGRES}/{SCHEMA}/SHIPPERS{column}" for column in ("", "/SHIPPERID", "/SHIPPERNAME", "/PHONE")]
    world.archive(
        *(asset for asset in world.assets("Table", "Column") if asset["attributes"]["qualifiedName"] in dropped)
    )
    assert "5 removed" in run("--prune", "--force-refresh").out


def test_never_more_than_the_cap(stale: World, run: Callable[..., Run]) -> None:
    ended = run("--prune", "--max-remove", "4")
    assert ended.code == 1
    assert ended.err.startswith("❌ 6 assets are stale, more than --max-remove 4: nothing is written.")
    assert lineage(stale) == 58


def test_nothing_is_removed_where_something_failed(stale: World, run: Callable[..., Run]) -> None:
    (stale.files / "ORDERS.csv").write_text("changed\n")
    stale.fail(400, BULK, 1000, body_contains="ORDERS.csv")
    ended = run("--prune")
    assert ended.code == 1
    assert "Nothing is removed" in ended.err
    assert lineage(stale) == 58


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_a_discovery_that_breaks_off_removes_nothing(stale: World, run: Callable[..., Run], skip: int) -> None:
    stale.fail(401, "/api/meta/search/", 1000, skip=skip)
    assert run("--prune", "--force-refresh").code == 1
    stale.forget()
    assert lineage(stale) == 58


def test_an_empty_bucket_removes_nothing(stale: World, run: Callable[..., Run]) -> None:
    for path in stale.files.iterdir():
        path.unlink()
    ended = run("--prune")
    assert "There are no objects" in ended.out
    assert (lineage(stale), stale.count("S3Object")) == (58, 8)


def test_an_object_that_a_foreign_process_uses_stays(stale: World, run: Callable[..., Run]) -> None:
    shippers = next(one for one in stale.assets("S3Object") if one["attributes"]["name"] == "SHIPPERS.csv")
    attributes = {
        "name": "by another",
        "qualifiedName": f"{SNOWFLAKE}/by-another",
        "inputs": [{"typeName": "S3Object", "guid": shippers["guid"]}],
        "outputs": [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{SNOWFLAKE}/{SCHEMA}/SHIPPERS"}}],
    }
    stale.save({"typeName": "Process", "guid": "-1", "attributes": attributes})
    assert "5 removed" in run("--prune").out
    assert stale.count("S3Object") == 8
    stale.archive(*(one for one in stale.assets("Process") if one["attributes"]["name"] == "by another"))
    assert "1 removed" in run("--prune").out
    assert stale.count("S3Object") == 7


def test_an_object_of_a_connection_that_others_made_stays(world: World, run: Callable[..., Run]) -> None:
    connection = "default/s3/1700000001"
    world.save(connection_entity(connection, "crawled"))
    bucket = make_bucket(f"{connection}/arn:aws:s3:::{BUCKET}", BUCKET, f"arn:aws:s3:::{BUCKET}", None)
    world.save(bucket)
    gone = {"key": f"{PREFIX}GONE.csv", "size": 1, "last_modified": datetime.now(timezone.utc), "etag": "1"}
    world.save(make_s3_object(bucket, gone))
    ended = run("--prune")
    assert ended.code == 0
    assert "gone" not in ended.out
    assert world.count("S3Object") == 9


@pytest.mark.parametrize(
    ("known", "gone", "new", "max_remove", "refused"),
    [
        (0, 10, 0, None, False),
        (0, 11, 0, None, True),
        (30, 30, 0, None, False),
        (29, 31, 0, None, True),
        (0, 50, 50, None, False),
        (0, 51, 50, None, True),
        (20, 31, 20, None, True),
        (0, 51, 50, 51, False),
        (100, 8, 0, 7, True),
    ],
)
def test_no_more_objects_go_than_stay_or_come(
    known: int, gone: int, new: int, max_remove: int | None, refused: bool
) -> None:
    def change(number: int, action: Action) -> Change:
        entity = {"typeName": "S3Object", "status": "ACTIVE", "attributes": {"qualifiedName": f"{action}{number}"}}
        return Change(entity, action)  # type: ignore[arg-type]

    changes = [*(change(at, Action.KEEP) for at in range(known)), *(change(at, Action.CREATE) for at in range(new))]
    hits = [{"typeName": "S3Object", "guid": str(at), "attributes": {}} for at in range(gone)]
    plan = Plan({}, [Step("S3 objects", changes)], [], Coverage(), True, {}, gone=hits)  # type: ignore[arg-type]
    with pytest.raises(PipelineError, match="nothing is written") if refused else contextlib.nullcontext():
        check_limits(plan, max_remove, 1000)
    check_limits(replace(plan, prune=False), max_remove, 1000)


@pytest.mark.parametrize(
    ("existing", "stale", "refused"),
    [
        (0, 10, ""),
        (20, 11, "half of 20"),
        (22, 11, ""),
        (22, 12, "half of 22"),
        (199, 100, "half of 199"),
        (200, 100, ""),
        (200, 101, "--max-remove 100"),
        (1000, 101, "--max-remove 100"),
    ],
)
def test_no_more_processes_go_than_half_of_them_or_a_hundred(existing: int, stale: int, refused: str) -> None:
    hits = [{"typeName": "Process", "guid": str(at), "attributes": {}} for at in range(stale)]
    plan = Plan({}, [], hits, Coverage(), True, {str(at): {} for at in range(existing)})  # type: ignore[arg-type, misc]
    told = f"^{stale} processes are stale, more than {refused}: nothing is written"
    with pytest.raises(PipelineError, match=told) if refused else contextlib.nullcontext():
        check_limits(plan, None, 1000)
    check_limits(plan, stale, 1000)
    with pytest.raises(PipelineError, match=f"^{stale} assets are stale, more than --max-remove {stale - 1}:"):
        check_limits(plan, stale - 1, 1000)


def test_an_object_goes_only_with_the_processes_that_use_it() -> None:
    hit = {"typeName": "S3Object", "guid": "1", "attributes": {"qualifiedName": "o", "name": "o"}}
    process = {"typeName": "Process", "guid": "2", "attributes": {"qualifiedName": "p", "name": "p"}}
    tables = TableLineage(existing={"p": process})  # type: ignore[dict-item]

    def gone(*users: str, **doubted: set[str]) -> int:
        told = replace(tables, **doubted) if doubted else tables
        return len(make_plan([], told, Report(), {}, True, [GoneObject(hit, users)]).gone)  # type: ignore[arg-type]

    assert [gone(), gone("p"), gone("another"), gone("p", "another"), gone("p", doubted={"p"})] == [1, 1, 0, 0, 0]


def test_another_prefix_is_another_flow(stale: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    other = stale.files.parent / "other"
    other.mkdir()
    shutil.copy(stale.files / "ORDERS.csv", other)
    monkeypatch.setenv("S3_PREFIX", f"{Path(PREFIX).parent}/other/")
    ended = run("--prune")
    assert "stale" not in ended.out
    assert lineage(stale) == 58 + 2 + 5


def test_all_lineage_is_taken_back_and_nothing_else(world: World, run: Callable[..., Run]) -> None:
    foreign = save_foreign_process(world)
    before = json.dumps(world.assets("Process", "ColumnProcess"))
    run()
    ended = run("--remove-lineage")
    assert ended.code == 1
    assert "needs a yes" in ended.err
    assert "57 to remove" in run("--remove-lineage", "--dry-run").out
    assert lineage(world) == 58
    ended = run("--remove-lineage", "--yes")
    assert ended.code == 0
    assert "57 removed" in ended.out
    assert json.loads(before)[0]["attributes"]["qualifiedName"] == foreign
    assert [asset["guid"] for asset in world.assets("Process", "ColumnProcess")] == [json.loads(before)[0]["guid"]]
    assert world.count("S3Object") == 8


def test_a_removal_that_is_refused_is_told(stale: World, run: Callable[..., Run]) -> None:
    stale.fail(403, BULK, 1, method="DELETE")
    ended = run("--prune")
    assert ended.code == 1
    assert "5 failed" in ended.out
    assert (lineage(stale), stale.count("S3Object")) == (58, 8)


def test_what_is_stale_can_be_asked_in_a_repl(stale: World) -> None:
    report = main.run_pipeline()
    assert [hit["typeName"] for hit in report.stale] == ["ColumnProcess"] * 3 + ["Process"] * 2


# Limits: what is removed is counted before, and only what the settings say is touched


def test_lineage_of_other_prefixes_is_removed_only_on_request(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setenv("S3_PREFIX", "2025/")
    run()
    assert lineage(world) == 2 * 57
    ended = run("--remove-lineage", "--yes")
    assert (ended.code, "57 removed" in ended.out) == (0, True)
    assert lineage(world) == 57
    run()
    assert run("--remove-lineage", "--all-flows", "--yes", "--max-remove", "113").code == 1
    assert lineage(world) == 2 * 57
    assert "114 removed" in run("--remove-lineage", "--all-flows", "--yes", "--max-remove", "114").out


def test_what_would_be_removed_is_counted_before_it_is_asked(world: World, run: Callable[..., Run]) -> None:
    run()
    asked: list[str] = []
    with pytest.raises(PipelineError, match=r"57 processes .* stay: --remove-lineage needs a yes"):
        main.remove_lineage(with_s3=True, ask=lambda question: bool(asked.append(question)))
    assert asked == [
        f"Archive 57 processes between postgres-ary and snowflake-ary in {world.tenant.base_url}, "
        f"through s3://atlan-tech-challenge/{PREFIX}, and 9 S3 assets?"
    ]
    assert lineage(world) == 57
    refused = run("--remove-lineage", "--yes", "--max-remove", "56")
    assert (refused.code, "more than --max-remove 56" in refused.err, lineage(world)) == (1, True, 57)


def test_objects_that_are_in_no_chain_are_registered_up_to_a_limit(world: World, run: Callable[..., Run]) -> None:
    for number in range(3):
        (world.files / f"junk{number}.tmp.csv").write_text("x\n")
    refused = run("--max-unmatched", "2")
    assert (refused.code, world.requests()["writes"]) == (1, 0)
    assert "❌ 3 new objects are in no chain, more than --max-unmatched 2: nothing is written." in refused.err
    assert run("--max-unmatched", "3").code == 0
    assert world.count("S3Object") == 11
    assert run("--max-unmatched", "0").code == 0  # they are known now


# The S3 objects and the bucket, too


def taken_back(world: World, run: Callable[..., Run]) -> tuple[Run, set[str]]:
    """What a run of --remove-lineage --with-s3 tells, and the names of what stays below the S3 connections."""
    ended = run("--remove-lineage", "--with-s3", "--yes")
    assert ended.code == 0
    return ended, {asset["attributes"]["name"] for asset in world.assets("S3Bucket", "S3Object")}


def test_s3_is_taken_back_on_request(world: World, run: Callable[..., Run]) -> None:
    run()
    ended = run("--remove-lineage", "--with-s3", "--dry-run")
    assert "   - S3Bucket: atlan-tech-challenge\n" in ended.out
    assert "66 to remove" in ended.out
    assert world.count("S3Object") == 8
    ended, left = taken_back(world, run)
    assert "66 removed" in ended.out
    assert left == set()
    assert lineage(world) == 0
    assert "66 created" in run().out


def test_what_a_foreign_process_uses_stays(world: World, run: Callable[..., Run]) -> None:
    run()
    (used,) = [asset for asset in world.assets("S3Object") if asset["attributes"]["name"] == "ORDERS.csv"]
    foreign = {"name": "by hand", "qualifiedName": f"{SNOWFLAKE}/by-hand", "inputs": [{"typeName": "S3Object", "guid": used["guid"]}],
               "outputs": [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": f"{SNOWFLAKE}/{SCHEMA}/ORDERS"}}]}  # fmt: skip
    world.save({"typeName": "Process", "guid": "-1", "attributes": foreign})
    ended, left = taken_back(world, run)
    assert left == {"ORDERS.csv", "atlan-tech-challenge"}
    assert f"ORDERS.csv stays: {SNOWFLAKE}/by-hand uses it" in ended.out
    assert "stays: 1 S3 objects in it stay" in ended.out
    world.archive(*(asset for asset in world.assets("Process") if asset["attributes"]["name"] == "by hand"))
    assert taken_back(world, run)[1] == set()


def test_other_prefixes_stay(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    other = world.files.parent / "other"
    other.mkdir()
    (other / "notes.md").write_text("")
    monkeypatch.setenv("S3_PREFIX", f"{Path(PREFIX).parent}/other/")
    run()
    assert taken_back(world, run)[1] == {f"{table}.csv" for table in TABLES} | {"atlan-tech-challenge"}


def test_a_bucket_of_another_connection_stays(world: World, run: Callable[..., Run]) -> None:
    crawled = "default/s3/1700000000"
    arn = f"arn:aws:s3:::{BUCKET}"
    attributes = {
        "qualifiedName": f"{crawled}/{arn}",
        "name": BUCKET,
        "awsArn": arn,
        "connectionQualifiedName": crawled,
    }
    world.save({"typeName": "S3Bucket", "guid": "-1", "attributes": attributes})
    run()
    ended, left = taken_back(world, run)
    assert len(left) == 9
    assert "is not in Atlan as one that Delta Arc made" in ended.out


@pytest.mark.parametrize("stdin", [None, "", "no\n"], ids=["closed", "ended", "no"])
def test_whoever_cannot_be_asked_says_no(
    stdin: str | None, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    answers = None if stdin is None else io.StringIO(stdin)
    if answers is not None:
        monkeypatch.setattr(answers, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", answers)
    ended = run("--remove-lineage")
    assert ended.code == 1
    assert f"57 processes between postgres-ary and snowflake-ary in {world.tenant.base_url}" in ended.err
    assert lineage(world) == 57


@pytest.mark.parametrize("number", ["-1", "1.5", "²", "many"])
def test_a_limit_is_a_whole_number(number: str, run: Callable[..., Run]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--prune", f"--max-remove={number}")
    assert ended.value.code == 2
