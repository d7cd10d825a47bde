"""A run that nobody watches: what it shows, what it ends with, and what it leaves for a program to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import BUCKET, BULK, POSTGRES, PREFIX, ROOT, SCHEMA, SNOWFLAKE, TABLES, WRITTEN_TYPES, Run, World, python

import main
from delta_arc import writing
from delta_arc.endings import judge
from delta_arc.plan import Plan
from delta_arc.report import Coverage, Gap, Outcome, Report, Status, Unmatched
from delta_arc.run_report import RunRecord, describe_run, explain_shortfall
from runtime import terminal
from runtime.version import read_version

# Showing less, and more


def test_quiet_shows_changes_warnings_and_the_last_line(world: World, run: Callable[..., Run]) -> None:
    place = world.tenant.base_url
    assert run("--quiet").out.splitlines() == [
        "✅ S3 connection: 1 created",
        "✅ S3 bucket: 1 created",
        "✅ S3 objects: 8 created",
        "✅ Extract processes: 8 created",
        "✅ Load processes: 8 created",
        "✅ Column processes: 41 created",
        f"✅ Done in {place}: 67 created, 0 updated, 0 unchanged, 0 failed, 0 unmatched",
    ]
    last = f"✅ Done in {place}: 0 created, 0 updated, 66 unchanged, 0 failed, 0 unmatched"
    assert run("--quiet").out.splitlines() == [last]
    (world.files / "SHIPPERS.csv").unlink()
    told = run("--quiet", "--dry-run").out.splitlines()
    assert told[0] == "📊 S3 bucket: 1 to update"
    assert not [line for line in told if line.startswith(("   + ", "   ~ ", "       "))], "numbers, as in a run"
    assert "⚠️ 5 processes are stale: --prune removes them" in told
    assert not [line for line in told if line.startswith(("🔍", "🪣", "💾", "🔗", "   - ", "📊 S3 objects"))]
    at = told.index(f"⚠️ PostgreSQL table {POSTGRES}/{SCHEMA}/SHIPPERS has no S3 object")
    assert told[at + 1] == "      table SALES_ORDERS/SHIPPERS goes to nothing"
    assert told[-1].startswith("✅ Dry run, nothing was written")
    removed = run("--quiet", "--prune").out.splitlines()
    assert "✅ Stale processes: 5 removed" in removed
    assert "✅ S3 objects that are gone: 1 removed" in removed
    assert sum(line.startswith("   - ") for line in removed) == 6


def test_quiet_hides_no_failure(world: World, run: Callable[..., Run]) -> None:
    world.fail(400, "/api/meta/entity/bulk", 1000, method="POST", body_contains="SHIPPERS.csv")
    shown = run("--quiet")
    assert shown.code == 1
    assert "❌ S3Object " in shown.out
    assert shown.out.splitlines()[-1].startswith("❌ Done")


def test_quiet_leaves_a_level_that_shows_less(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert run("--quiet").out == ""


def test_what_has_changed_is_told_by_its_qualified_name_at_debug(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    planned = [line for line in run("--dry-run").out.splitlines() if line.startswith("   ColumnProcess to create: ")]
    told = run().out.splitlines()
    written = [line for line in told if line.startswith("   ColumnProcess created: ")]
    names = {line.partition(": ")[2] for line in written}
    assert names == {asset["attributes"]["qualifiedName"] for asset in world.assets("ColumnProcess")}
    assert names == {line.partition(": ")[2] for line in planned}
    assert all(name.startswith(f"{SNOWFLAKE}/delta-arc/") for name in names)
    assert not any(" created: " in line or " updated: " in line for line in run().out.splitlines())


# The report


STEPS = {
    "find_postgres_assets",
    "find_snowflake_assets",
    "integration_with_S3",
    "create_table_lineage",
    "create_column_lineage",
    "write_plan",
}


def read_report(path: str = "report.json") -> dict[str, Any]:
    text = Path(path).read_text(encoding="ascii")
    token = os.environ.get("ATLAN_API_TOKEN")
    assert not token or token not in text
    assert text.endswith("}\n")
    return json.loads(text)


def test_the_report_tells_what_a_run_did(world: World, run: Callable[..., Run]) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    world.forget()
    assert run("--json", "report.json").code == 0
    told = read_report()
    assert (told["format"], told["version"]) == ("Delta Arc run 1", read_version())
    assert (told["outcome"], told["exit_code"], told["errors"], told["dry_run"]) == ("changed", 0, [], False)
    assert told["tenant"] == world.tenant.base_url
    assert told["flow"] == {
        "postgres_connection": "postgres-ary",
        "snowflake_connection": "snowflake-ary",
        "bucket": BUCKET,
        "prefix": PREFIX,
    }
    assert before <= datetime.fromisoformat(told["started_at"]) <= datetime.now(timezone.utc)
    assert set(told["seconds"]) == {*STEPS, "total"}
    assert 0 < max(told["seconds"][step] for step in STEPS) <= told["seconds"]["total"] < 300
    assert told["counts"] == {"created": 67, "updated": 0, "unchanged": 0, "removed": 0, "failed": 0, "open": 0}
    assert (told["coverage"]["tables"], told["coverage"]["percent"]) == (8, 100)
    assert told["coverage"]["grounds"] == {"told": 0, "read": 8, "named": 0}
    tables = {f"{POSTGRES}/{SCHEMA}/{name}" for name in TABLES}
    assert {item["table"] for item in told["coverage"]["complete"]} == tables
    assert "names and header" in told["coverage"]["complete"][0]["words"]
    assert (told["coverage"]["incomplete"], told["failures"], told["open"], told["stale"]) == ([], [], [], 0)
    assert (told["updated"], told["removed"]) == ([], [])
    written = {(item["type"], item["qualified_name"]) for item in told["created"]}
    held = world.assets("Connection", *WRITTEN_TYPES)
    own = {(asset["typeName"], asset["attributes"]["qualifiedName"]) for asset in held}
    assert written == {(kind, name) for kind, name in own if "default/s3/" in name or "delta-arc" in name}
    assert len(written) == 67
    run("--json", "report.json")
    again = read_report()
    assert (again["outcome"], again["created"], again["counts"]["unchanged"]) == ("unchanged", [], 66)
    assert list(Path().glob(".report*")) == []


def test_the_requests_of_the_report_are_those_that_came_in(world: World, run: Callable[..., Run]) -> None:
    run("--dry-run")  # also makes the client, which asks nothing later
    world.forget()
    world.fail(503, "/api/meta/search/indexsearch", 1)
    run("--json", "report.json")
    assert read_report()["atlan_requests"] == world.requests()["total"]


def test_a_plan_and_what_it_leaves_open_are_in_the_report(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    (world.files / "notes.md").write_text("no data")
    assert run("--dry-run", "--json", "report.json").code == 0
    told = read_report()
    assert (told["outcome"], told["dry_run"], told["stale"]) == ("planned", True, 6)
    assert [item["type"] for item in told["created"]] == ["S3Object"]
    shippers = f"{POSTGRES}/{SCHEMA}/SHIPPERS"
    assert told["coverage"]["percent"] == 87.5
    assert told["coverage"]["incomplete"] == [
        {"table": shippers, "missing": ["object"], "words": "S3 object", "candidates": []}
    ]
    open_table, note = told["open"]
    assert (open_table["kind"], open_table["names"], open_table["is_note"]) == ("table", [shippers], False)
    assert open_table["overrides"] == ["table SALES_ORDERS/SHIPPERS goes to nothing"]
    assert open_table["sentence"] == f"PostgreSQL table {shippers} has no S3 object"
    assert (note["kind"], note["names"], note["is_note"]) == ("object", [f"{PREFIX}notes.md"], True)
    assert told["counts"]["open"] == 1
    assert run("--prune", "--json", "report.json").code == 0
    done = read_report()
    assert (done["outcome"], len(done["removed"]), done["stale"]) == ("changed", 6, 6)
    assert (done["counts"]["created"], done["counts"]["removed"]) == (len(done["created"]), 6)


def test_a_saved_plan_has_a_report_and_what_would_be_removed_is_shown(world: World, run: Callable[..., Run]) -> None:
    assert run("--plan", "plan.json", "--json", "report.json").code == 0
    told = read_report()
    assert (told["outcome"], told["dry_run"], len(told["created"])) == ("planned", True, 67)
    run()
    shown = run("--remove-lineage", "--dry-run", "--quiet").out.splitlines()
    assert sum(line.startswith("   - ") for line in shown) == 57


def test_failures_are_in_the_report_with_their_words(world: World, run: Callable[..., Run]) -> None:
    world.fail(400, "/api/meta/entity/bulk", 1000, method="POST", body_contains="SHIPPERS.csv")
    assert run("--json", "report.json").code == 1
    told = read_report()
    assert (told["outcome"], told["exit_code"]) == ("failed", 1)
    assert told["counts"]["failed"] == len(told["failures"]) > 0
    failed = {item["type"]: item for item in told["failures"]}
    assert failed["S3Object"]["qualified_name"].endswith("SHIPPERS.csv")
    assert "400" in failed["S3Object"]["detail"]
    assert not {item["qualified_name"] for item in told["failures"]} & {
        item["qualified_name"] for item in told["created"]
    }


def test_removing_lineage_is_in_the_report(world: World, run: Callable[..., Run]) -> None:
    run()
    assert run("--remove-lineage", "--json", "report.json").code == 1  # nobody says yes
    refused = read_report()
    assert (refused["outcome"], refused["removed"], refused["counts"]) == ("failed", [], None)
    assert "needs a yes" in refused["errors"][0]
    assert run("--remove-lineage", "--yes", "--json", "report.json").code == 0
    told = read_report()
    assert (told["outcome"], len(told["removed"]), told["coverage"], told["stale"]) == ("changed", 57, None, None)


def test_a_run_that_ends_half_way_has_a_report(world: World, run: Callable[..., Run]) -> None:
    (world.files / "more").mkdir()
    for number in range(3):
        (world.files / "more" / f"unknown_{number}.csv").write_text("a,b\n1,2\n")
    assert run("--max-unmatched", "0", "--json", "report.json").code == 1
    told = read_report()
    assert (told["outcome"], told["exit_code"], told["counts"]) == ("failed", 1, None)
    assert "--max-unmatched 0" in told["errors"][0]
    assert told["coverage"]["percent"] == 100  # the plan was made
    assert set(told["seconds"]) == STEPS - {"write_plan"} | {"total"}
    assert told["created"] == []


def test_a_run_that_atlan_refuses_has_a_report(world: World, run: Callable[..., Run]) -> None:
    world.fail(401, "/api/", 1000)
    assert run("--json", "report.json").code == 1
    told = read_report()
    assert (told["outcome"], told["coverage"], told["counts"], told["stale"]) == ("failed", None, None, None)
    assert "refused the token" in told["errors"][0]
    assert told["tenant"] == world.tenant.base_url
    assert "find_postgres_assets" in told["seconds"]


@pytest.mark.parametrize("write", [1, 2, 4])
def test_what_was_written_before_an_error_is_in_the_report(write: int, world: World, run: Callable[..., Run]) -> None:
    """The first request makes the connection; each of the next, the assets of a round."""
    world.fail(401, BULK, 1000, method="POST", skip=write)
    assert run("--json", "report.json").code == 1
    told = read_report()
    held = {asset["attributes"]["qualifiedName"] for asset in world.assets("Connection", *WRITTEN_TYPES)}
    written = {item["qualified_name"] for item in told["created"]}
    assert written == {name for name in held if "default/s3/" in name or "delta-arc" in name}
    assert told["counts"]["created"] == len(written) > 0


def test_a_connection_whose_rights_do_not_come_is_in_the_report(world: World, run: Callable[..., Run]) -> None:
    world.fail(401, "/api/meta/entity/guid", 1000)
    assert run("--json", "report.json").code == 1
    told = read_report()
    assert "refused the token" in told["errors"][0]
    assert [item["type"] for item in told["created"]] == ["Connection"]
    assert (told["counts"]["created"], told["outcome"]) == (1, "failed")


@pytest.mark.parametrize("at", [1, 2])
def test_what_was_written_before_a_stop_is_in_the_report(
    at: int, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter(range(10))

    def confirm(client: object, changes: object, outcomes: list[Outcome]) -> list[Outcome]:
        if next(rounds) == at:
            raise KeyboardInterrupt
        return outcomes

    monkeypatch.setattr(writing, "confirm", confirm)
    assert run("--json", "report.json").code == 130
    told = read_report()
    held = {asset["attributes"]["qualifiedName"] for asset in world.assets("Connection", *WRITTEN_TYPES)}
    written = {item["qualified_name"] for item in told["created"]}
    assert written == {name for name in held if "default/s3/" in name or "delta-arc" in name}
    assert told["counts"]["created"] == len(written) > at


@pytest.mark.parametrize("options", [("--prune",), ("--remove-lineage", "--yes")])
def test_what_was_removed_before_a_stop_is_in_the_report(
    options: tuple[str, ...], world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    show = writing._log_outcomes

    def stop(label: str, outcomes: list[Outcome]) -> None:
        if label in ("Stale processes", "Lineage"):
            raise KeyboardInterrupt
        show(label, outcomes)

    monkeypatch.setattr(writing, "_log_outcomes", stop)
    assert run(*options, "--json", "report.json").code == 130
    told = read_report()
    assert len(told["removed"]) == told["counts"]["removed"] == (5 if "--prune" in options else 57)


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--detailed-exitcode",), 1)])
def test_wrong_settings_are_in_the_report(
    options: tuple[str, ...], code: int, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_BUCKET_NAME", "s3://a/b")
    monkeypatch.setenv("CACHE_EXPIRY_HOURS", "a day")
    ended = run("--json", "report.json", *options)
    told = read_report()
    assert (ended.code, told["exit_code"], told["outcome"]) == (code, code, "wrong setting")
    assert [error.split()[0] for error in told["errors"]] == ["S3_BUCKET_NAME", "CACHE_EXPIRY_HOURS"]
    assert ended.err.count("❌") == 2
    assert (told["tenant"], told["flow"]) == (None, None)


def test_a_run_that_is_stopped_has_a_report(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    stop.__name__ = "create_column_lineage"
    monkeypatch.setattr(main, "create_column_lineage", stop)
    for option in ((), ("--detailed-exitcode",)):
        ended = run("--json", "report.json", *option)
        told = read_report()
        assert (ended.code, told["exit_code"], told["outcome"]) == (130, 130, "stopped")
        assert ended.err.startswith("❌ Stopped")


def test_the_report_alone_is_on_stdout(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    ended = python([str(ROOT / "main.py"), "--json", "-"], PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["outcome"] == "changed"
    assert "[ok] Done in" in ended.stderr
    monkeypatch.setenv("S3_PREFIX", "nowhere/")
    failed = run("--json", "-", "--quiet")
    assert failed.code == 4
    assert json.loads(failed.out)["outcome"] == "without chains"
    assert "no table has a chain" in failed.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("place", ["/dev/full", "closed", "gone"])
def test_a_report_that_cannot_be_written_to_stdout_is_told(place: str, world: World) -> None:
    redirect = {"/dev/full": "> /dev/full", "closed": ">&-", "gone": '| true; exit "${PIPESTATUS[0]}"'}[place]
    command = f'"{sys.executable}" "{ROOT / "main.py"}" --quiet --json - {redirect}'
    # A short one, that still is in the buffer when Python ends.
    environment = {**os.environ, "S3_BUCKET_NAME": "s3://a/b"}
    ended = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    if place == "/dev/full":  # what was closed leads nowhere, as that of any command
        assert ended.returncode == 1
        assert "❌ The output cannot be written" in ended.stderr


def test_a_report_is_replaced_as_a_whole_or_not_at_all(world: World, run: Callable[..., Run]) -> None:
    folder = Path("reports")
    folder.mkdir()
    path = folder / "report.json"
    path.write_text("earlier")
    run("--dry-run")

    def take_away(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", take_away)
        ended = run("--dry-run", "--json", str(path))
    assert ended.code == 1
    assert "❌ The report cannot be written to reports/report.json (No space left on device)" in ended.err
    assert [item.read_text() for item in folder.iterdir()] == ["earlier"]


@pytest.mark.parametrize("place", ["no/folder/report.json", ".", "", "x" * 5000 + "/a", "report.json/below"])
def test_a_report_that_cannot_be_written_is_told_before_the_run(
    place: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("report.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        main.main(["--json", place])
    assert ended.value.code == 2
    assert "name a file in a folder that is there" in capsys.readouterr().err
    assert Path("report.json").read_text() == "{}"


@pytest.mark.parametrize("option", ["--plan", "--apply", "--export-openlineage"])
def test_a_report_never_takes_the_place_of_another_file_of_the_run(
    option: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_text("a plan")
    with pytest.raises(SystemExit) as ended:
        main.main([option, "plan.json", "--json", "./plan.json"])
    assert ended.value.code == 2
    assert "another file of this run" in capsys.readouterr().err
    assert Path("plan.json").read_text() == "a plan"


def test_what_has_no_report_says_so(world: World, run: Callable[..., Run]) -> None:
    for option in ("--cache-status", "--clear-cache"):
        ended = run(option, "--json", "report.json")
        assert ended.code == 2
        assert f"--check, and not to {option}." in ended.err
    ended = run("--remove-lineage", "--min-coverage", "1")
    assert (ended.code, "--min-coverage belongs to a run" in ended.err) == (2, True)


TEXTS = st.text(max_size=20)


@settings(deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.sampled_from(Status), TEXTS), max_size=5),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=3),
    st.sampled_from(["the-secret-token", "null", 'a"b\\c', "true", "Delta"]),
)
def test_any_report_is_read_as_it_was_written_and_holds_no_secret(
    assets: list[tuple[str, Status, str]], tables: list[tuple[str, str]], secret: str
) -> None:
    terminal.configure_logging("INFO", secret)
    try:
        outcomes = [
            Outcome("Table", "n", f"{name}{secret}", status, f"{secret}{detail}") for name, status, detail in assets
        ]
        coverage = Coverage({name: f"{secret} {words}" for name, words in tables})
        unmatched = tuple(Unmatched("table", f"{words} {secret}", (name, secret), (secret,)) for name, words in tables)
        plan = Plan({}, [], [], replace(coverage, unmatched=unmatched), False, {})
        report = Report(outcomes, [*unmatched])
        record = RunRecord(ending=judge(report, False), plan=plan, report=report, errors=[secret])
        document = describe_run(record, 0, False, "1")
    finally:
        terminal.configure_logging("INFO", "")
    text = json.dumps(document)
    assert json.loads(text) == document
    texts = [item for name in ("failures", "created", "updated", "removed") for item in document[name]]
    assert len(texts) == sum(status is not Status.UNCHANGED for _, status, _ in assets)
    for item in [*texts, *document["open"], *document["coverage"]["complete"], document["errors"]]:
        assert secret not in str(item).replace("***", "")
        assert json.dumps(secret)[1:-1] not in json.dumps(item)


# How much is carried


def test_fewer_chains_than_asked_for_have_an_exit_code(world: World, run: Callable[..., Run]) -> None:
    (world.files / "SHIPPERS.csv").unlink()
    assert run("--dry-run", "--min-coverage", "87.5").code == 0
    planned = run("--dry-run", "--min-coverage", "87.6", "--json", "report.json")
    words = "7 of 8 tables (87.5 %) have a complete chain, fewer than the 87.6 % of --min-coverage"
    assert planned.code == 5
    assert planned.out.splitlines()[-1].startswith("⚠️ Dry run, nothing was written in ")
    assert planned.out.splitlines()[-1].endswith(f" unmatched, {words}")
    told = read_report()
    assert (told["outcome"], told["exit_code"], told["errors"]) == ("below coverage", 5, [words])
    assert world.assets("Process") == []
    assert run("--min-coverage", "100").code == 5
    assert len(world.assets("Process")) == 14  # what there is, is written
    assert run("--min-coverage", "100", "--detailed-exitcode").code == 1
    assert run("--min-coverage", "80", "--detailed-exitcode").code == 0


def test_no_chain_and_a_failure_come_before_too_few_chains(world: World, run: Callable[..., Run]) -> None:
    world.fail(400, "/api/meta/entity/bulk", 1000, method="POST", body_contains="SHIPPERS.csv")
    (world.files / "ORDERS.csv").unlink()
    assert run("--min-coverage", "100").code == 1
    world.forget()
    for path in world.files.glob("*.csv"):
        path.unlink()
    assert run("--min-coverage", "100").code == 4


@pytest.mark.parametrize("percent", ["101", "-1", "x", "nan", "1e2", "", "١", "100.1"])
def test_what_is_no_percentage_is_told(percent: str, empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([f"--min-coverage={percent}"])
    assert ended.value.code == 2
    assert "no number from 0 to 100" in capsys.readouterr().err


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 1000))
def test_a_shortfall_is_told_just_where_there_is_one(complete: int, incomplete: int, tenths: int) -> None:
    names = map(str, range(100))
    coverage = Coverage(
        {next(names): "" for _ in range(complete)}, {next(names): Gap(("object",), "") for _ in range(incomplete)}
    )
    is_short = complete * 1000 < tenths * max(1, complete + incomplete)
    assert bool(explain_shortfall(coverage, float(f"{tenths / 10:.1f}"))) == is_short
