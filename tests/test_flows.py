"""Several flows in one command: each is a run of its own, one that fails stops no other, and all are told together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import PREFIX, ROOT, Run, World, settings_of, start_world

from delta_arc.endings import EXIT_CODES, Ending, exit_code, judge_all
from delta_arc.options import name_of_flow
from runtime import terminal
from runtime.terminal import mask

SALES, HR = "--env-file=sales.env", "--env-file=flows/hr.env"


def write_flow(world: World, path: str, **changed: str) -> str:
    """A file with the settings of a tenant, as a person would write it; returns the option that names it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    settings = {**settings_of(world), **changed}
    Path(path).write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()), encoding="utf-8")
    return f"--env-file={path}"


def report() -> dict[str, Any]:
    return json.loads(Path("report.json").read_text(encoding="ascii"))


@pytest.fixture
def lone(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A tenant that the environment does not name."""
    for name in settings_of(world):
        monkeypatch.delenv(name)
    half = world.files / "more"
    half.mkdir()
    for name in ("SHIPPERS", "ORDERS"):
        (world.files / f"{name}.csv").rename(half / f"{name}.csv")
    write_flow(world, "sales.env")
    write_flow(world, "flows/hr.env", S3_PREFIX=f"{PREFIX}more/")
    return world


@pytest.fixture(scope="module")
def _second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_world(tmp_path_factory.mktemp("second")) as world:
        yield world


@pytest.fixture
def second(_second: World) -> World:
    """Another tenant, with another token."""
    _second.renew()
    return _second


def test_each_flow_has_its_own_files_and_all_are_told(lone: World, run: Callable[..., Run], empty_folder: Path) -> None:
    ended = run(SALES, HR, "--json", "report.json")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line for line in lines if line.startswith("== ")] == [
        "== sales (sales.env), 1 of 2",
        "== hr (flows/hr.env), 2 of 2",
    ]
    assert sum(line.startswith("✅ Done in ") for line in lines) == 2
    assert lines[-3].startswith("✅ sales: changed, 67 created, 8 of 8 tables have a complete chain")
    assert lines[-2].startswith("✅ hr: changed, ")
    assert "2 of 8 tables have a complete chain" in lines[-2]
    assert lines[-1] == "✅ 2 flows: 2 changed"
    assert {path.name for path in empty_folder.iterdir()} >= {
        *(f"{flow}_{name}" for flow in ("sales", "hr") for name in
          ("postgres_assets_cache.json", "snowflake_assets_cache.json", "lineage.html")),
    }  # fmt: skip
    assert not Path("postgres_assets_cache.json").exists()
    listed = Path("flows.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(.*?)"', listed) == ["sales_lineage.html", "hr_lineage.html"]
    assert "All 2 flows are as they should be." in listed
    assert "🔗 The flows as a page: flows.html" in lines
    told = report()
    assert (told["format"], told["outcome"], told["exit_code"]) == ("Delta Arc flows 1", "changed", 0)
    assert (told["errors"], told["failed"], told["not_run"]) == ([], [], [])
    assert [flow["name"] for flow in told["flows"]] == ["sales", "hr"]
    assert [flow["format"] for flow in told["flows"]] == ["Delta Arc run 1"] * 2
    assert [flow["flow"]["prefix"] for flow in told["flows"]] == [PREFIX, f"{PREFIX}more/"]
    assert told["atlan_requests"] == sum(flow["atlan_requests"] for flow in told["flows"]) > 0
    assert told["seconds"] >= sum(flow["seconds"]["total"] for flow in told["flows"])
    again = run(HR, SALES, "--quiet")
    assert again.code == 0
    assert again.out.splitlines()[-1] == "✅ 2 flows: 2 unchanged"
    assert [line for line in again.out.splitlines() if line[0] in "=✅"] == [
        line for line in again.out.splitlines() if not line.startswith(("⚠️", " "))
    ]
    assert sum(line[0] in "=✅" for line in again.out.splitlines()) == 2 + 2 + 3


def test_without_pages_there_is_no_list_of_them(
    lone: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_PAGE", "")
    assert run(SALES, HR, "--dry-run").code == 0
    assert not list(Path().glob("*.html"))


def test_one_file_is_a_run_as_ever_and_env_is_not_read(lone: World, run: Callable[..., Run]) -> None:
    Path(".env").write_text("S3_BUCKET_NAME=s3://wrong\n")
    ended = run(SALES, "--json", "report.json", "--plan", "plan.json")
    assert ended.code == 0
    assert "== " not in ended.out
    assert ended.out.splitlines()[-1].startswith("✅ Dry run, nothing was written")
    told = report()
    assert (told["format"], told["name"], told["outcome"]) == ("Delta Arc run 1", "sales", "planned")
    assert Path("plan.json").exists()
    assert Path("sales_lineage.html").exists()
    assert not Path("flows.html").exists()


def test_the_environment_wins_over_every_file(
    lone: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READ_FILE_HEADERS", "false")
    assert run(SALES, HR, "--dry-run", "--json", "report.json").code == 0
    assert [flow["coverage"]["grounds"]["read"] for flow in report()["flows"]] == [0, 0]


# Failing


BROKEN = {
    "wrong setting": ({"S3_BUCKET_NAME": "s3://a/b"}, "wrong setting", 2, "S3_BUCKET_NAME is no name of a bucket"),
    "refused token": ({"ATLAN_API_TOKEN": "eyJ.refused-token.x"}, "failed", 1, "Atlan refused the token"),
    "no tenant there": ({"ATLAN_BASE_URL": "http://127.0.0.1:9"}, "failed", 1, "Atlan does not answer at"),
    "no bucket": ({"S3_BUCKET_NAME": "nowhere"}, "failed", 1, "There is no bucket named nowhere"),
    "no connection": ({"POSTGRES_CONNECTION_NAME": "gone"}, "failed", 1, "There is no postgres connection named gone"),
    "S3 not there": ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "failed", 1, "cannot be"),
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_flow_does_not_stop_the_other(
    how: str, first: bool, lone: World, run: Callable[..., Run], slept: list[float], undisturbed: dict
) -> None:
    changed, outcome, code, words = BROKEN[how]
    for name in ("SHIPPERS", "ORDERS"):
        (lone.files / "more" / f"{name}.csv").rename(lone.files / f"{name}.csv")
    broken = write_flow(lone, "broken.env", **{"S3_PREFIX": "elsewhere/", **changed})
    ended = run(*([broken, SALES] if first else [SALES, broken]), "--json", "report.json")
    assert ended.code == 3
    assert words in ended.err
    assert lone.state() == undisturbed
    told = report()
    assert (told["outcome"], told["exit_code"], told["failed"]) == ("partly failed", 3, ["broken"])
    by_name = {flow["name"]: flow for flow in told["flows"]}
    assert (by_name["sales"]["outcome"], by_name["sales"]["exit_code"]) == ("changed", 0)
    assert (by_name["broken"]["outcome"], by_name["broken"]["exit_code"]) == (outcome, code)
    assert any(words in error for error in by_name["broken"]["errors"])
    assert f"❌ broken: {outcome}" in ended.out
    assert ended.out.splitlines()[-1].startswith("❌ 2 flows: ")
    assert run(SALES, broken, "--detailed-exitcode").code == 1


def test_a_fault_of_the_program_stops_no_other_flow(
    lone: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    import main

    plan = main.make_plan

    def break_down(steps: Any, tables: Any, *rest: Any) -> Any:
        if tables.flow.prefix == PREFIX:
            raise ZeroDivisionError("by nothing")
        return plan(steps, tables, *rest)

    monkeypatch.setattr(main, "make_plan", break_down)
    ended = run(SALES, HR, "--json", "report.json")
    assert ended.code == 3
    assert "❌ Delta Arc has a fault (ZeroDivisionError: by nothing)" in ended.err
    assert [flow["outcome"] for flow in report()["flows"]] == ["failed", "changed"]


@pytest.mark.parametrize("content", [None, "S3_BUCKET_NAME\n", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_told_with_its_name(
    content: str | bytes | None, lone: World, run: Callable[..., Run]
) -> None:
    path = Path("flows/hr.env")
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = run(HR, SALES, "--dry-run")
    assert ended.code == 3
    assert "❌ flows/hr.env cannot be read (" in ended.err
    assert run(HR).code == 2


def test_what_is_missing_is_to_be_put_into_the_file_of_the_flow(lone: World, run: Callable[..., Run]) -> None:
    write_flow(lone, "flows/hr.env", SNOWFLAKE_CONNECTION_NAME="", S3_PREFX="x")
    ended = run(HR, SALES, "--dry-run")
    assert "put the name of the Snowflake connection in Atlan into flows/hr.env." in ended.err
    assert "⚠️ S3_PREFX in flows/hr.env is no setting of Delta Arc: did you mean S3_PREFIX?" in ended.out
    assert ".env.example" not in ended.err


# The exit code

ENDINGS = [ending for ending in Ending if ending not in (Ending.NOT_RUN, Ending.PARTLY_FAILED)]
FAILED = {Ending.FAILED, Ending.WRONG_SETTING}


@given(st.lists(st.sampled_from(ENDINGS), min_size=1))
def test_the_worst_flow_decides_and_a_partial_success_has_its_own_code(endings: list[Ending]) -> None:
    told = judge_all(endings)
    stops = {Ending.TERMINATED, Ending.STOPPED}
    if stops & {*endings}:
        assert told in stops
    elif FAILED & {*endings}:
        assert told in (FAILED if {*endings} <= FAILED else {Ending.PARTLY_FAILED})
    else:
        assert told in endings
        assert EXIT_CODES[told] == 0 or told is Ending.WITHOUT_CHAINS or Ending.WITHOUT_CHAINS not in endings
        assert (exit_code(told, False) == 0) == all(EXIT_CODES[one] == 0 for one in endings)
        assert (exit_code(told, True) == 0) == ({*endings} <= {Ending.UNCHANGED, Ending.CHECKED})
    assert judge_all([*endings, Ending.NOT_RUN]) == told
    assert judge_all(endings[::-1]) == told


def test_fewer_chains_than_asked_for_in_one_flow_decide(lone: World, run: Callable[..., Run]) -> None:
    ended = run(SALES, HR, "--dry-run", "--min-coverage", "50")
    assert ended.code == 5
    assert ended.out.splitlines()[-1] == "⚠️ 2 flows: 1 planned, 1 below coverage"


# What flows have in common


def test_a_connection_is_found_once_for_all_flows(lone: World, run: Callable[..., Run]) -> None:
    run(SALES, HR)

    def searches(*options: str) -> int:
        lone.forget()
        assert run(*options).code == 0
        return lone.requests()["total"]

    fresh = "--force-refresh"
    alone = searches(HR)  # with valid caches
    one = searches(SALES, fresh)
    assert searches(SALES, HR, fresh) <= one + alone
    for path in Path().glob("*_cache.json"):
        path.unlink()
    ended = run(SALES, HR)
    assert ended.out.count("reading the assets of postgres-ary from Atlan") == 1
    assert "📊 PostgreSQL: 51 assets, as an earlier flow has found them" in ended.out
    caches = [Path(f"{flow}_snowflake_assets_cache.json").read_text() for flow in ("sales", "hr")]
    assert caches[0] == caches[1]
    # One that wants them younger looks itself.
    write_flow(lone, "flows/hr.env", S3_PREFIX=f"{PREFIX}more/", CACHE_EXPIRY_HOURS="0")
    assert run(SALES, HR).out.count("reading the assets of postgres-ary from Atlan") == 1
    assert run(SALES, HR, "--dry-run", fresh).out.count("reading the assets of postgres-ary from Atlan") == 2


def test_two_tenants_share_nothing(lone: World, second: World, run: Callable[..., Run]) -> None:
    other = write_flow(second, "other.env")
    ended = run(SALES, other, "--force-refresh")
    assert ended.code == 0
    assert ended.out.count("reading the assets of postgres-ary from Atlan") == 2
    assert second.count("ColumnProcess") == 41


def test_flows_of_one_tenant_share_the_lowest_limit(lone: World, run: Callable[..., Run], monkeypatch: Any) -> None:
    import main

    limits = []
    connect = main.get_atlan_client
    monkeypatch.setattr(
        main,
        "get_atlan_client",
        lambda *, settings: limits.append(settings.max_requests_per_minute) or connect(settings=settings),
    )
    write_flow(lone, "flows/hr.env", S3_PREFIX=f"{PREFIX}more/", ATLAN_MAX_REQUESTS_PER_MINUTE="50000")
    assert run(SALES, HR, "--dry-run").code == 0
    assert {*limits} == {50000}


def test_no_secret_of_any_flow_is_shown(
    lone: World, second: World, run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the log of its own run, nor in that of another one."""
    wrong = "another-token-that-is-a-prefix"
    write_flow(lone, "sales.env", S3_PREFIX=f"{wrong}/{second.tenant.api_token}/", LOG_LEVEL="DEBUG")
    broken = write_flow(lone, "broken.env", ATLAN_API_TOKEN=wrong, S3_BUCKET_NAME=wrong + " ä")
    other = write_flow(second, "other.env")
    ended = run(SALES, other, broken, "--json", "report.json")
    shown = ended.out + ended.err + Path("report.json").read_text()
    assert "s3://atlan-tech-challenge/***/***/" in shown
    for token in (wrong, second.tenant.api_token, lone.tenant.api_token):
        assert token not in shown
    assert mask(wrong) == "***"
    terminal.configure_logging("INFO", "")


@pytest.mark.parametrize(
    ("changed", "options", "told"),
    [
        ({"POSTGRES_CACHE_FILE": "sales_snowflake_assets_cache.json"}, (),
         "POSTGRES_CACHE_FILE is sales_snowflake_assets_cache.json, which is SNOWFLAKE_CACHE_FILE of sales.env, too"),
        ({"POSTGRES_CACHE_FILE": "./sales_postgres_assets_cache.json", "POSTGRES_CONNECTION_NAME": "other"}, (),
         "which is POSTGRES_CACHE_FILE of sales.env, too"),
        ({"LINEAGE_PAGE": "flows/../sales_lineage.html"}, (), "which is LINEAGE_PAGE of sales.env, too"),
        ({"LINEAGE_PAGE": "plans/sales.json"}, ("--plan", "plans"), "which is --plan of sales.env, too"),
        ({"LINEAGE_PAGE": "report.json"}, ("--json", "report.json"), "LINEAGE_PAGE is report.json, which is --json of sales.env, too"),
        ({"LINEAGE_PAGE": "hr_overrides.txt"}, (), "LINEAGE_PAGE is hr_overrides.txt, which is OVERRIDES_FILE, too"),
        ({"LINEAGE_PAGE": "sales.env"}, (), "LINEAGE_PAGE is sales.env, which is the file of settings of sales.env, too"),
        ({"LINEAGE_PAGE": "flows.html"}, (), "LINEAGE_PAGE is flows.html, which is the page that lists the flows, too:"),
        ({"S3_PREFIX": PREFIX}, (), "flows/hr.env is the same flow as sales.env"),
    ],
)  # fmt: skip
def test_no_flow_takes_a_file_or_the_place_of_another(
    changed: dict[str, str], options: tuple[str, ...], told: str, lone: World, run: Callable[..., Run]
) -> None:
    Path("plans").mkdir()
    before = Path("sales.env").read_text()
    write_flow(lone, "flows/hr.env", **{"S3_PREFIX": f"{PREFIX}more/", **changed})
    ended = run(SALES, HR, *options)
    assert ended.code == 3
    assert told in ended.err
    assert Path("sales.env").read_text() == before
    assert "✅ sales: " in ended.out
    assert "❌ hr: wrong setting" in ended.out


@pytest.mark.parametrize("name", ["overrides.txt", ".env", "postgres_assets_cache.json", "lineage.html"])
def test_a_report_takes_the_place_of_no_file_of_the_run(name: str, world: World, run: Callable[..., Run]) -> None:
    Path(name).write_text("# mine\n")
    ended = run("--json", f"../run/{name}")
    assert ended.code == 2
    assert f"--json is ../run/{name}, which is " in ended.err
    assert Path(name).read_text() == "# mine\n"
    assert world.requests()["total"] == 0


def test_flows_may_share_a_cache_of_one_connection_and_overrides(lone: World, run: Callable[..., Run]) -> None:
    Path("overrides.txt").write_text("object nowhere/* is nothing\n")
    shared = {"POSTGRES_CACHE_FILE": "pg_cache.json", "OVERRIDES_FILE": "overrides.txt"}
    write_flow(lone, "sales.env", **shared)
    write_flow(lone, "flows/hr.env", S3_PREFIX=f"{PREFIX}more/", **shared)
    assert run(SALES, HR).code == 0
    assert not Path("hr_postgres_assets_cache.json").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((SALES, "--env-file=./sales.env"), "are both called sales"),
        ((SALES, "--env-file=flows/.env.sales"), "are both called sales"),
        ((SALES, HR, "--plan", "plan.json"), "--plan plan.json is one file for 2 flows: name a folder that is there"),
        ((SALES, HR, "--apply", "nowhere/plans"), "for sales.json and the others"),
        ((SALES, HR, "--export-openlineage", "x.jsonl"), "for sales.jsonl and the others"),
    ],
)
def test_what_cannot_be_done_for_several_flows_is_told_before_anything_is_done(
    options: tuple[str, ...], told: str, lone: World, run: Callable[..., Run]
) -> None:
    ended = run(*options, "--json", "report.json")
    assert ended.code == 2
    assert told in ended.err
    written = report()
    assert (written["outcome"], written["exit_code"], written["failed"]) == ("wrong setting", 2, [])
    assert (len(written["not_run"]), len(written["errors"])) == (2, 1)
    assert [flow["exit_code"] for flow in written["flows"]] == [None, None]
    assert lone.requests()["total"] == 0


def test_plans_of_flows_are_saved_in_a_folder_and_applied_from_there(lone: World, run: Callable[..., Run]) -> None:
    Path("plans").mkdir()
    assert run(SALES, HR, "--plan", "plans", "--export-openlineage", "plans").code == 0
    assert {path.name for path in Path("plans").iterdir()} == {"sales.json", "hr.json", "sales.jsonl", "hr.jsonl"}
    assert lone.count("Process") == 0
    (lone.files / "more" / "SHIPPERS.csv").write_text("SHIPPERID,SHIPPERNAME\n")
    assert run(SALES, HR, "--apply", "plans").code == 1  # what was planned is of another world, in both
    assert run(HR, "--plan", "plans").code == 0
    ended = run(SALES, HR, "--apply", "plans", "--json", "report.json")
    assert (ended.code, report()["failed"]) == (3, ["sales"])
    assert run(SALES, "--plan", "plans").code == 0
    assert run(SALES, "--apply", "plans").code == 0
    assert run(HR, "--plan", "plans").code == 0
    Path("plans/sales.json").unlink()
    ended = run(SALES, HR, "--apply", "plans", "--json", "report.json")
    assert [flow["outcome"] for flow in report()["flows"]] == ["wrong setting", "unchanged"]
    assert (ended.code, "--apply plans/sales.json cannot be read (No such file" in ended.err) == (3, True)


EVERY_MODE: dict[str, tuple[list[str], str | None]] = {  # with the outcome that is told, where there is a report
    "run": ([], "changed"),
    "quiet": (["--quiet"], "changed"),
    "force refresh": (["--force-refresh", "--min-ground=read", "--min-coverage=1"], "changed"),
    "prune": (["--prune", "--max-remove=5", "--max-unmatched=5"], "changed"),
    "dry run": (["--dry-run"], "planned"),
    "plan": (["--plan=folder"], "planned"),
    "export": (["--export-openlineage=folder"], "changed"),
    "check": (["--check"], "checked"),
    "quiet check": (["--check", "--quiet"], "checked"),
    "remove": (["--remove-lineage", "--with-s3", "--all-flows", "--yes"], "unchanged"),
    "status": (["--cache-status"], None),
    "clear": (["--clear-cache"], None),
}


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_whatever_is_done_with_one_flow_is_done_with_several(mode: str, lone: World, run: Callable[..., Run]) -> None:
    Path("folder").mkdir()
    arguments, outcome = EVERY_MODE[mode]
    ended = run(SALES, HR, *arguments, *(["--json=report.json"] if outcome else []))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"✅ 2 flows: 2 {outcome or 'unchanged'}"
    if outcome:
        assert [flow["outcome"] for flow in report()["flows"]] == [outcome] * 2
        assert (report()["outcome"], report()["exit_code"]) == (outcome, 0)


def test_what_the_checks_of_each_flow_found_is_counted(lone: World, run: Callable[..., Run]) -> None:
    write_flow(lone, "flows/hr.env", S3_PREFIX="none/")
    write_flow(lone, "third.env", S3_BUCKET_NAME="s3://wrong")
    ended = run(SALES, HR, "--env-file=third.env", "--check", "--json=report.json")
    found = [[one["state"] for one in flow.get("findings", [])] for flow in report()["flows"]]
    assert (ended.code, [flow["format"] for flow in report()["flows"]]) == (3, ["Delta Arc check 1"] * 3)
    told = [
        ", ".join(f"{states.count(state)} {words}" for state, words in
                  (("fine", "fine"), ("doubtful", "to look at"), ("wrong", "wrong"), ("unknown", "not checked")))
        for states in found
    ]  # fmt: skip
    assert ended.out.splitlines()[-4:-1] == [
        f"✅ sales: checked, {told[0]}",
        f"❌ hr: failed, {told[1]}",
        "❌ third: wrong setting",
    ]


@pytest.mark.parametrize("word", ["wrong", "fine", "failed", "Delta Arc check 1"])
def test_a_secret_that_is_a_word_of_ours_leaves_the_counts_readable(
    word: str, lone: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", word.replace(" ", "_"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", word.split()[0])
    write_flow(lone, "flows/hr.env", S3_PREFIX="none/")
    ended = run(SALES, HR, "--check", "--json=report.json")
    counted = [line for line in ended.out.splitlines() if "Checked, and nothing was written" in line]
    assert [bool(re.search(r": \d+ fine, \d+ to look at, \d+ wrong, \d+ not checked$", line)) for line in counted] == [
        True
    ] * 2
    told = report()["flows"]
    assert "***" not in "".join(ended.out.splitlines()[-3:])
    assert {flow["format"] for flow in told} == {"Delta Arc check 1"}
    assert {one["state"] for flow in told for one in flow["findings"]} <= {"fine", "doubtful", "wrong", "unknown"}


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({"S3_PREFIX": f"{PREFIX}more/"}, True),
        ({"S3_PREFIX": PREFIX.rstrip("/")}, True),
        ({"S3_PREFIX": ""}, True),
        ({"S3_PREFIX": "2025/other/"}, False),
        ({"S3_PREFIX": "", "S3_BUCKET_NAME": "other"}, False),
        ({"S3_PREFIX": "", "POSTGRES_CONNECTION_NAME": "other"}, False),
    ],
)
def test_a_prefix_that_contains_another_flows_is_told(
    changed: dict[str, str], warned: bool, lone: World, run: Callable[..., Run]
) -> None:
    write_flow(lone, "flows/hr.env", **changed)
    told = [line for line in run(SALES, HR, "--cache-status").out.splitlines() if "contains that of" in line]
    assert len(told) == warned
    if warned:
        outer, inner = ("sales", "hr") if changed["S3_PREFIX"].startswith(PREFIX) else ("hr", "sales")
        assert told[0].startswith(f"⚠️ The prefix of {outer} contains that of {inner}: what is below both gets")


def test_lineage_is_removed_and_caches_are_shown_for_each_flow(lone: World, run: Callable[..., Run]) -> None:
    run(SALES, HR)
    assert "💾 PostgreSQL cache: valid, 51 assets" in run(SALES, HR, "--cache-status").out
    assert run(SALES, HR, "--remove-lineage", "--yes").code == 0
    assert lone.count("Process") == 0
    listed = Path("flows.html").read_text(encoding="utf-8")
    assert ">changed<" in listed  # it tells of runs
    assert "A run began" not in listed
    assert run(SALES, HR, "--clear-cache").code == 0
    assert not list(Path().glob("*_cache.json"))


@pytest.mark.parametrize(
    ("path", "name"),
    [("sales.env", "sales"), ("a/b/sales.env", "sales"), (".env.sales", "sales"), ("sales", "sales"),
     ("sales.prod.env", "sales.prod"), ("shop/.env", "shop"), ("/.env", "flow"), ("sales.txt", "sales.txt")],
)  # fmt: skip
def test_a_flow_is_called_by_its_file(path: str, name: str) -> None:
    assert name_of_flow(Path(path)) == name


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_name_is_one_part_of_a_path(name: str) -> None:
    found = name_of_flow(Path("/folder") / name)
    assert found
    assert "/" not in found
    assert found not in (".", "..")


# Stopping


STOPPED = [(signal.SIGTERM, "terminated", 143), (signal.SIGINT, "stopped", 130)]


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "main.py"), *options, "--json", "report.json"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


@pytest.mark.parametrize(("number", "outcome", "code"), STOPPED)
def test_a_stop_in_the_middle_leaves_a_report(
    number: signal.Signals, outcome: str, code: int, lone: World, second: World, run: Callable[..., Run]
) -> None:
    last = write_flow(second, "last.env", S3_PREFIX="never/")
    between = write_flow(second, "between.env")
    second.pace(latency_seconds=0.3)
    program = start(SALES, between, last)
    until = time.monotonic() + 120
    while not second.requests()["writes"] and program.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert program.returncode == code, out + err
    assert "Traceback" not in err
    assert err.startswith("❌ Stopped; run it again to finish")
    told = report()
    assert (told["outcome"], told["exit_code"], told["failed"], told["not_run"]) == (
        outcome,
        code,
        ["between"],
        ["last"],
    )
    done, stopped, waiting = told["flows"]
    assert (done["outcome"], done["exit_code"], done["counts"]["created"]) == ("changed", 0, 67)
    assert (stopped["outcome"], stopped["exit_code"]) == (outcome, code)
    assert "total" in stopped["seconds"]
    assert waiting["started_at"] is None
    assert (waiting["outcome"], waiting["exit_code"], waiting["counts"], waiting["seconds"]) == (
        "not run",
        None,
        None,
        {},
    )
    assert "❌ last: not run" in out
    assert "2 of 3 flows need a look." in Path("flows.html").read_text(encoding="utf-8")
    second.forget()
    assert run(SALES, between).code == 0


@pytest.mark.parametrize(("number", "outcome", "code"), STOPPED)
def test_a_stop_before_anything_is_done_has_a_report(
    number: signal.Signals, outcome: str, code: int, lone: World
) -> None:
    """In a run of one flow, while it waits for an answer."""
    lone.pace(latency_seconds=1)
    program = start(SALES)
    until = time.monotonic() + 120
    while (
        "reading the assets" not in (program.stdout.readline() if program.stdout else "") and time.monotonic() < until
    ):
        pass
    program.send_signal(number)
    program.send_signal(signal.SIGTERM)  # later ones disturb nothing
    _, err = program.communicate(timeout=60)
    lone.forget()
    assert "Traceback" not in err
    told = report()
    if number is signal.SIGTERM:
        assert (program.returncode, told["outcome"], told["exit_code"]) == (code, outcome, code)
    assert (told["format"], told["counts"], told["created"]) == ("Delta Arc run 1", None, [])
