"""The plan: what it says, that it is saved and applied as it is, and that it is refused once the world has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from world import POSTGRES, PREFIX, SCHEMA, Run, World

import main
from delta_arc.plan import Action, Change, Plan, Step
from delta_arc.report import Coverage
from delta_arc.saved_plan import describe_difference, load_plan, save_plan, to_document
from delta_arc.showing import show_changes
from runtime.errors import PipelineError

FILE = "plan.json"


def read(path: str = FILE) -> dict:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def archive(world: World, *names: str) -> None:
    held = {asset["attributes"]["qualifiedName"]: asset for asset in world.assets("Table", "Column", "Process")}
    world.archive(*(held[name] for name in names))


# What it says


def test_a_plan_says_all_before_anything_is_written(world: World, run: Callable[..., Run], empty_folder: Path) -> None:
    ended = run("--plan", FILE)
    assert ended.code == 0
    assert "   + Connection: delta-arc-s3\n" in ended.out
    assert "🔍 8 of 8 tables have a complete chain\n" in ended.out
    assert f"💾 Saved the plan in {FILE}\n" in ended.out
    assert world.requests()["writes"] == 0
    assert {path.name for path in empty_folder.iterdir()} == {FILE, "lineage.html"}
    document = read()
    assert [*document][:3] == ["format", "nothing_to_do", "counts"]
    assert document["nothing_to_do"] is False
    assert document["counts"] == {"create": 67, "update": 0, "keep": 0, "remove": 0, "write_requests": 5}
    assert [len(step["create"]) for step in document["steps"]] == [1, 1, 8, 8, 8, 41]
    ground = document["coverage"]["complete"][f"{POSTGRES}/{SCHEMA}/ORDERS"]
    assert ground.endswith(f"names and header of {PREFIX}ORDERS.csv")
    assert world.tenant.api_token not in Path(FILE).read_text(encoding="utf-8")


def test_it_is_the_same_each_time(world: World, run: Callable[..., Run]) -> None:
    run("--plan", FILE)
    run("--plan", "second.json")
    assert Path(FILE).read_bytes() == Path("second.json").read_bytes()
    assert run().code == 0
    run("--plan", FILE)
    assert read()["nothing_to_do"] is True
    assert read()["counts"] == {"create": 0, "update": 0, "keep": 66, "remove": 0, "write_requests": 0}


def test_a_daily_file_changes_one_extract_and_one_load(world: World, run: Callable[..., Run]) -> None:
    run()
    columns = [asset["updateTime"] for asset in world.assets("ColumnProcess")]
    (world.files / "orders_20250922.csv").write_bytes((world.files / "ORDERS.csv").read_bytes())
    ended = run("--plan", FILE)
    steps = {step["step"]: step for step in read()["steps"]}
    assert [len(steps[f"{side} processes"]["update"]) for side in ("Extract", "Load", "Column")] == [1, 1, 0]
    assert [len(steps[f"{side} processes"]["create"]) for side in ("Extract", "Load", "Column")] == [0, 0, 0]
    assert f"       outputs: + {steps['S3 objects']['create'][0]['qualifiedName']}\n" in ended.out
    assert "   ~ Process: 2 objects in" in ended.out
    assert "additionalEtlContext" not in ended.out
    assert run().code == 0
    assert [asset["updateTime"] for asset in world.assets("ColumnProcess")] == columns


def test_what_is_missing_is_told_with_the_hop(world: World, run: Callable[..., Run]) -> None:
    (world.files / "SHIPPERS.csv").unlink()
    archive(world, f"default/snowflake/1757530705/{SCHEMA}/ORDERS")
    ended = run("--dry-run")
    assert "🔍 6 of 8 tables have a complete chain\n" in ended.out
    assert "   1 without: S3 object\n" in ended.out
    assert "   1 without: Snowflake table (no table of that name)\n" in ended.out
    assert "      table SALES_ORDERS/ORDERS goes to nothing\n" in ended.out


def test_what_people_changed_is_shown_with_old_and_new(world: World, run: Callable[..., Run]) -> None:
    run()
    (process,) = [asset for asset in world.assets("Process") if asset["attributes"]["name"].startswith("ORDERS →")]
    names = {name: process["attributes"][name] for name in ("name", "qualifiedName")}
    world.save({"typeName": "Process", "guid": process["guid"], "attributes": {**names, "sql": "SELECT 1"}})
    assert '       sql: "SELECT 1" → "-- Not from a query log' in run("--dry-run").out


def test_long_lists_are_shortened() -> None:
    before, after = ([f"{side}{number}" for number in range(9)] for side in "ab")
    references = [{"uniqueAttributes": {"qualifiedName": name}} for name in after]
    entity = {"typeName": "Process", "attributes": {"name": "p", "qualifiedName": "q", "inputs": references}}
    (line,) = [
        text
        for text in show_changes([Step("s", [Change(entity, Action.UPDATE, {"inputs": before})])])
        if "inputs" in text
    ]
    assert line == "       inputs: + b0, + b1, + b2, + b3, + b4, - a0, - a1, - a2, - a3, - a4 and 8 more"


# Saved and applied


def test_an_unchanged_plan_is_applied_with_the_requests_that_it_foretold(
    world: World, run: Callable[..., Run], undisturbed: dict
) -> None:
    for expected in (5, 0):
        run("--plan", FILE)
        world.forget()
        ended = run("--apply", FILE, "--detailed-exitcode")
        assert ended.code == (2 if expected else 0)
        assert read()["counts"]["write_requests"] == world.requests()["writes"] == expected
        assert world.state() == undisturbed


def test_a_plan_with_prune_removes_what_it_says(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    (world.files / "ORDERS.json").write_text("{}")
    run("--plan", FILE)
    assert (read()["prune"], read()["counts"]["remove"]) == (False, 6)
    assert "5 processes are stale: --prune removes them" in run("--apply", FILE).out
    assert world.count("Process") == 16
    ended = run("--plan", FILE, "--prune", "--detailed-exitcode")
    assert ended.code == 2
    assert (read()["nothing_to_do"], read()["counts"]["write_requests"]) == (False, 2)
    world.forget()
    refused = run("--apply", FILE, "--max-remove", "5")
    assert (refused.code, "more than --max-remove 5" in refused.err, world.requests()["writes"]) == (1, True, 0)
    assert "6 removed" in run("--apply", FILE, "--max-remove", "6").out
    assert world.requests()["writes"] == 2
    assert world.count("Process") == 14


def rewrite_a_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.files / "ORDERS.csv").write_text("ORDERID\n1\n")


def add_a_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.files / "new.csv").write_text("1\n")


def remove_a_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.files / "ORDERS.csv").unlink()


def drop_a_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(world, f"{POSTGRES}/{SCHEMA}/ORDERS")


def edit_a_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process = min(world.assets("Process"), key=lambda asset: asset["attributes"]["qualifiedName"])
    names = {name: process["attributes"][name] for name in ("name", "qualifiedName")}
    world.save({"typeName": "Process", "guid": process["guid"], "attributes": {**names, "sql": "SELECT 1"}})


def override(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("overrides.txt").write_text("# a comment\n")


def turn_headers_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READ_FILE_HEADERS", "false")


def use_another_prefix(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_PREFIX", "2025/")


CHANGES = {
    rewrite_a_file: f"S3 object {PREFIX}ORDERS.csv was 148 bytes of ",
    add_a_file: f"S3 object {PREFIX}new.csv is new",
    remove_a_file: f"S3 object {PREFIX}ORDERS.csv is gone",
    drop_a_table: f"Asset {POSTGRES}/{SCHEMA}/ORDERS is gone",
    edit_a_process: f"In Atlan, {POSTGRES}/delta-arc/",
    override: "Override line 1 is new",
    turn_headers_off: "Setting READ_FILE_HEADERS was true and is false",
    use_another_prefix: f"Setting prefix was {PREFIX} and is 2025/",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_is_refused_once_the_world_has_changed(
    change: Callable, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    (world.files / "orders.json").write_text('{"ORDERID": 1}')
    run("--plan", FILE)
    change(world, monkeypatch)
    before = world.state()
    world.forget()
    ended = run("--apply", FILE, "--force-refresh")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("❌ The world has changed since the plan was made: ")
    assert CHANGES[change].removesuffix("148 bytes of ") in ended.err
    assert world.requests()["writes"] == 0
    assert world.state() == before


def test_a_plan_of_another_tenant_is_refused(
    world: World, run: Callable[..., Run], fresh_world: Callable[..., World]
) -> None:
    run("--plan", FILE)
    other = fresh_world()
    ended = run("--apply", FILE)
    assert ended.code == 1
    assert "Setting tenant was http://127.0.0.1:" in ended.err
    assert other.requests()["writes"] == 0


def test_a_plan_that_another_program_would_make_differently_is_refused(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--plan", FILE)
    monkeypatch.setattr("delta_arc.entities._name_objects", lambda objects: "objects")
    ended = run("--apply", FILE)
    assert (ended.code, "another version or user" in ended.err) == (1, True)


def test_the_difference_is_told_in_sentences() -> None:
    before = {"S3 object": {"a": "1 bytes", "b": "2 bytes"}, "In Atlan,": {"p": "#1", "q": "#2"}}
    after = {"S3 object": {"b": "3 bytes", "c": "4 bytes"}, "In Atlan,": {"p": "#1", "q": "#3"}, "Setting": {"x": "y"}}
    assert describe_difference(before, before) == []
    assert describe_difference(before, after) == [
        "S3 object a is gone",
        "S3 object b was 2 bytes and is 3 bytes",
        "S3 object c is new",
        "In Atlan, q has changed",
        "Setting x is new",
    ]


# The file

EMPTY = Plan({}, [], [], Coverage(), False, {})


def test_what_is_saved_is_loaded(empty_folder: Path) -> None:
    save_plan(EMPTY, Path(FILE))
    document = to_document(EMPTY)
    document.pop("digest")
    assert load_plan(Path(FILE)) == document
    assert document["nothing_to_do"] is True


DAMAGED = {
    "": "is no plan",
    "[]": "is no plan",
    "{}": "is no plan",
    '{"format": "Delta Arc plan 9"}': "of another version",
    "[" * 100_000: "is no plan",
    "edited": "has been edited",
}


@pytest.mark.parametrize("text", DAMAGED, ids=[*map(str, range(len(DAMAGED)))])
def test_what_is_no_plan_is_told(text: str, world: World, run: Callable[..., Run]) -> None:
    save_plan(EMPTY, Path(FILE))
    edited = Path(FILE).read_text().replace("true", "false", 1)
    Path(FILE).write_text(edited if text == "edited" else text)
    ended = run("--apply", FILE)
    assert ended.code == 1
    assert DAMAGED[text] in ended.err
    assert len(ended.err.splitlines()) == 1
    assert world.requests()["total"] == 0


def test_a_file_that_is_not_there_or_cannot_be_written_is_told(world: World, run: Callable[..., Run]) -> None:
    ended = run("--apply", FILE)
    assert (ended.code, "cannot be read (No such file" in ended.err) == (2, True)
    with pytest.raises(PipelineError):
        save_plan(EMPTY, Path())


# Exit codes


def test_the_detailed_exit_code(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    detailed = "--detailed-exitcode"
    assert run("--dry-run", detailed).code == 2
    assert run(detailed).code == 2
    assert run(detailed).code == 0
    assert run("--dry-run", detailed).code == 0
    monkeypatch.setenv("S3_BUCKET_NAME", "nowhere")
    assert run(detailed).code == 1
    monkeypatch.setenv("LOG_LEVEL", "loud")
    assert run(detailed).code == 1
    assert run().code == 2
    for arguments, code in (((detailed, "--no-such-option"), 1), (("--no-such-option",), 2)):
        with pytest.raises(SystemExit) as ended:
            main.main(arguments)
        assert ended.value.code == code


@pytest.mark.parametrize(
    "arguments", [("--apply", FILE, "--prune"), ("--with-s3",), ("--remove-lineage", "--plan", FILE, "--yes")]
)
def test_options_that_do_not_go_together_are_told(arguments: tuple, world: World, run: Callable[..., Run]) -> None:
    ended = run(*arguments)
    assert ended.code == 2
    assert "belongs to" in ended.err or "has no plan" in ended.err
    assert world.requests()["total"] == 0
