"""What is kept of Atlan between runs: a run with it plans what a run without it plans, and reads only what has changed."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from world import BULK, PREFIX, WRITTEN_TYPES, Run, World

import main
from delta_arc import state
from delta_arc.run_report import RunRecord
from delta_arc.saved_plan import to_document
from runtime import atlan as runtime_atlan
from runtime.errors import PipelineError

FILE = "atlan_state_cache.sqlite"
SEARCH = "/api/meta/search/indexsearch"
READ_ANEW = "all are read again"


@pytest.fixture(autouse=True)
def no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the index knows at once, so that nothing is found only because it would be read anyway."""
    monkeypatch.setattr(state, "OVERLAP_SECONDS", 0)


def plan_of(monkeypatch: pytest.MonkeyPatch, **settings: str) -> dict[str, Any]:
    """The plan of a dry run, as it would be saved."""
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        record = RunRecord()
        main.run_pipeline(dry_run=True, record=record)
    assert record.plan
    return to_document(record.plan)


def plans(monkeypatch: pytest.MonkeyPatch, hours: str = "24") -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan with the file, and that of a run that reads everything."""
    told = [
        plan_of(monkeypatch, CACHE_EXPIRY_HOURS=hours, LINEAGE_PAGE="", STATE_CACHE_FILE=name)
        for name in (FILE, "absent.sqlite")
    ]
    assert not Path("absent.sqlite").exists()
    return told[0], told[1]


def any_state(world: World, *types: str) -> list[dict]:
    """The assets of these types, active or archived."""
    body = {
        "dsl": {"query": {"terms": {"__typeName.keyword": [*types]}}, "from": 0, "size": 10_000},
        "attributes": ["inputs", "outputs", "process", "bucket", "awsArn", "s3ObjectKey"],
    }
    return world.http.post(SEARCH, json=body).json().get("entities", [])


def names_of(asset: dict) -> dict[str, str]:
    return {
        name: asset["attributes"][name] for name in ("name", "qualifiedName", "awsArn") if name in asset["attributes"]
    }


def purge(world: World, *assets: dict) -> None:
    guids = "&".join(f"guid={asset['guid']}" for asset in assets)
    world.http.delete(f"{BULK}?deleteType=PURGE&{guids}").raise_for_status()


def restore(world: World, *assets: dict) -> None:
    for asset in assets:
        world.save({"typeName": asset["typeName"], "attributes": names_of(asset), "status": "ACTIVE"})


# What others do between two runs, each to assets that a chance chooses.

OWN = ("S3Object", "Process", "ColumnProcess")
ENDS = ("Table", "Column")


def archives(world: World, chance: random.Random) -> None:
    world.archive(*chance.sample(world.assets(*OWN, *ENDS), 3))


def archives_what_is_referred_to(world: World, chance: random.Random) -> None:
    assets = [asset for asset in world.assets("S3Object", "Table") if asset["attributes"]["name"] != "X"]
    world.archive(chance.choice(assets))


def archives_the_bucket(world: World, chance: random.Random) -> None:
    for asset in any_state(world, "S3Bucket"):
        (world.archive if asset["status"] == "ACTIVE" else lambda asset: restore(world, asset))(asset)


def restores(world: World, chance: random.Random) -> None:
    archived = [asset for asset in any_state(world, *OWN, *ENDS) if asset["status"] == "DELETED"]
    restore(world, *chance.sample(archived, min(3, len(archived))))


def archives_and_restores(world: World, chance: random.Random) -> None:
    asset = chance.choice(world.assets(*OWN, *ENDS))
    world.archive(asset)
    restore(world, asset)


def purges(world: World, chance: random.Random) -> None:
    purge(world, chance.choice(world.assets(*OWN, *ENDS)))


def purges_what_was_archived(world: World, chance: random.Random) -> None:
    archived = [asset for asset in any_state(world, *OWN) if asset["status"] == "DELETED"]
    if archived:
        purge(world, archived[0])


def purges_and_makes_anew(world: World, chance: random.Random) -> None:
    asset = chance.choice(world.assets("S3Object", "Table", "Column"))
    purge(world, asset)
    world.save({"typeName": asset["typeName"], "attributes": names_of(asset)})


def purges_one_and_makes_another(world: World, chance: random.Random) -> None:
    asset = chance.choice(world.assets("S3Object"))
    purge(world, asset)
    names = {"name": "x", "qualifiedName": f"{asset['attributes']['qualifiedName']}{chance.random()}"}
    world.save({"typeName": "S3Object", "attributes": names})


def renames(world: World, chance: random.Random) -> None:
    asset = chance.choice(world.assets("Table", "Column", "Process"))
    names = {**names_of(asset), "name": f"{asset['attributes']['name']}_{chance.randrange(9)}"}
    world.save({"typeName": asset["typeName"], "attributes": names})


def edits(world: World, chance: random.Random) -> None:
    asset = chance.choice(world.assets("S3Object"))
    world.save({"typeName": "S3Object", "attributes": {**names_of(asset), "s3ETag": str(chance.random())}})


def leads_elsewhere(world: World, chance: random.Random) -> None:
    """A process gets other inputs and outputs, as a whole or one by one."""
    process, other = chance.sample(world.assets("Process"), 2)
    told = {"typeName": "Process", "attributes": names_of(process)}
    refs = other["attributes"].get("outputs", [])
    kind = chance.choice(["attributes", "appendRelationshipAttributes", "removeRelationshipAttributes"])
    if kind == "removeRelationshipAttributes":
        refs = process["attributes"].get("outputs", [])[:1]
    refs = [{"typeName": ref["typeName"], "uniqueAttributes": ref["uniqueAttributes"]} for ref in refs]
    told[kind] = {**told.get(kind, {}), "outputs": refs}
    if refs:
        world.save(told)


def files_come_and_go(world: World, chance: random.Random) -> None:
    there = sorted(world.files.glob("*.csv"))
    if len(there) > 6:
        there[chance.randrange(len(there))].unlink()
    kept = chance.choice(sorted(world.files.glob("*.csv")))
    day = chance.randrange(1, 29)
    (world.files / f"{kept.stem.partition('_2025')[0]}_202509{day:02}.csv").write_bytes(kept.read_bytes())


DEEDS = (
    archives, archives_what_is_referred_to, archives_the_bucket, restores, archives_and_restores, purges,
    purges_what_was_archived, purges_and_makes_anew, purges_one_and_makes_another, renames, edits, leads_elsewhere,
    files_come_and_go,
)  # fmt: skip
SEEDS = int(os.environ.get("STATES", "2"))


def run_once(world: World, monkeypatch: pytest.MonkeyPatch, writes: bool) -> None:
    """A run with the file: one that writes, or one that Atlan takes nothing from, which still has read it all."""
    if not writes:
        world.fail(403, BULK, 10_000, method="POST")
    try:
        main.run_pipeline(max_unmatched=100)
    except PipelineError:
        assert not writes
    if not writes:
        world.forget()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_run_with_the_file_plans_what_a_run_without_it_plans(
    seed: int, world: World, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    chance = random.Random(seed)
    run_once(world, monkeypatch, writes=True)
    for step in range(12):
        deeds = chance.choices(DEEDS, k=chance.choice([1, 1, 2, 3]))
        for deed in deeds:
            deed(world, chance)
        told = f"seed {seed}, step {step}: {[deed.__name__ for deed in deeds]}"
        kept, whole = plans(monkeypatch, hours := chance.choice(["0", "24"]))
        assert kept == whole, f"{told}, {hours} hours"
        if chance.random() < 0.7:
            run_once(world, monkeypatch, chance.random() < 0.6)
            kept, whole = plans(monkeypatch, hours)
            assert kept == whole, f"{told}, after a run"


# What is asked


def searches(world: World) -> int:
    return world.requests()["paths"].get(f"POST {SEARCH}", 0)


def read_hits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the assets that come in, as they come."""
    names: list[str] = []
    look = runtime_atlan.is_search_hit

    def note(hit: Any) -> bool:
        is_one = look(hit)
        if is_one:
            names.append(f"{hit['typeName']} {hit['attributes']['name']}")
        return is_one

    monkeypatch.setattr(runtime_atlan, "is_search_hit", note)
    return names


def forget_changes(run: Callable[..., Run]) -> None:
    """Run until what a run has written lies before the time from which the next one asks."""
    time.sleep(1.1)  # the time of the server is one of whole seconds
    run()
    time.sleep(1.1)
    run()


def test_a_run_reads_only_what_has_changed(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run().code == 0
    forget_changes(run)
    names = read_hits(monkeypatch)
    world.forget()
    assert "0 created, 0 updated, 66 unchanged" in run().out
    # The bucket is looked for in any case, and the table whose lineage is read back.
    assert [name for name in names if not name.startswith(("S3Bucket", "Table", "Process", "S3Object C", "View"))] == []
    assert not [name for name in names if name.startswith("ColumnProcess")]
    assert world.requests()["total"] <= 15
    time.sleep(1.1)
    (world.files / "SHIPPERS_20250921.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    names.clear()
    assert "1 created, 3 updated" in run().out
    names.clear()
    run()
    changed = {name for name in names if not name.startswith(("S3Bucket", "Table"))}
    assert {name for name in changed if "SHIPPERS_20250921" in name} == {"S3Object SHIPPERS_20250921.csv"}
    assert not [name for name in changed if name.startswith(("ColumnProcess", "Column"))]


def test_what_was_purged_is_told_and_all_is_read_anew(world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    forget_changes(run)
    purge(world, world.assets("S3Object")[0])
    out = run().out
    assert "🔍 Atlan has 7 of S3Object, and 8 are known: all are read again" in out
    assert "1 created, 2 updated" in out
    assert READ_ANEW not in run().out


@pytest.mark.parametrize("aggregations", [None, {}, {"states": {}}, {"states": {"buckets": [7]}}, [], {"states": {"buckets": [{"key": "ACTIVE", "doc_count": "8"}]}}])  # fmt: skip
def test_an_answer_without_a_count_is_not_believed(
    aggregations: Any, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run().code == 0
    request = runtime_atlan._request

    def without_count(*arguments: Any) -> tuple[dict[str, Any], Any]:
        answer, response = request(*arguments)
        if "aggregations" in answer:
            answer["aggregations"] = aggregations
        return answer, response

    monkeypatch.setattr(runtime_atlan, "_request", without_count)
    out = run().out
    assert READ_ANEW in out
    assert "0 created, 0 updated, 66 unchanged" in out


@pytest.mark.parametrize(
    "date", [None, "", "yesterday", "Mon, 01 Jan 2035 00:00:00 GMT", "Mon, 01 Jan 99999 00:00:00 GMT"]
)
def test_a_server_that_does_not_know_the_time_is_asked_for_more(
    date: str | None, world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = runtime_atlan._request

    def with_date(*arguments: Any) -> tuple[dict[str, Any], Any]:
        answer, response = request(*arguments)
        response.headers.pop("Date", None)
        if date is not None:
            response.headers["Date"] = date
        return answer, response

    monkeypatch.setattr(runtime_atlan, "_request", with_date)
    assert run().code == 0
    run()
    (world.files / "SHIPPERS.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE,MORE\n")
    world.archive(world.assets("S3Object")[0])
    kept, whole = plans(monkeypatch)
    assert kept == whole


def test_what_the_index_sees_late_is_seen(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "OVERLAP_SECONDS", 10)
    assert run().code == 0
    chance = random.Random(1)
    world.pace(index_delay_seconds=1.5)
    for deed in (archives, edits, purges_and_makes_anew, restores, renames):
        deed(world, chance)
        run_once(world, monkeypatch, writes=False)  # which reads before the index knows
        world.pace(index_delay_seconds=1.5)
        time.sleep(2)
        kept, whole = plans(monkeypatch, "0")
        assert kept == whole, deed.__name__


# The file


# One asset more than Atlan has: what is only missing here may just have been modified in the last minutes.
GHOST = "INSERT INTO asset SELECT key, 'ghost', json_set(document, '$.guid', 'ghost') FROM asset LIMIT 1"


def change_file(statement: str) -> None:
    with sqlite3.connect(FILE) as database:
        database.execute(statement)
    database.close()


DAMAGED: dict[str, Callable[[], object]] = {
    "empty": lambda: Path(FILE).write_bytes(b""),
    "no database": lambda: Path(FILE).write_text("once upon a time"),
    "cut": lambda: Path(FILE).write_bytes(Path(FILE).read_bytes()[:5000]),
    "another database": lambda: change_file("DROP TABLE state"),
    "no head": lambda: change_file("DELETE FROM state"),
    "two heads": lambda: change_file("INSERT INTO state SELECT * FROM state"),
    "another version": lambda: change_file("UPDATE state SET format = 0"),
    "no generation": lambda: change_file("UPDATE state SET generation = 'one'"),
    "no time": lambda: change_file("UPDATE state SET read_at = 'now'"),
    "no since": lambda: change_file("UPDATE reading SET since = 'then'"),
    "no number": lambda: change_file("UPDATE reading SET left_out = x'00'"),
    "no JSON": lambda: change_file("UPDATE asset SET document = '{'"),
    "no asset": lambda: change_file("UPDATE asset SET document = '{}'"),
    "too deep": lambda: change_file("UPDATE asset SET document = '" + "[" * 100_000 + "'"),
    "no text": lambda: change_file("UPDATE asset SET document = 7"),
    "another guid": lambda: change_file("UPDATE asset SET guid = guid || 'x'"),
    "no references": lambda: change_file("UPDATE asset SET document = json_set(document, '$.attributes.inputs', json('[{}]'))"),
    "an object": lambda: change_file("UPDATE asset SET document = json_set(document, '$.attributes.process', json('{}'))"),
    "no types": lambda: change_file("UPDATE asset SET document = json_set(document, '$.referred', json('[]'))"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_told_and_made_anew(damage: str, world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    DAMAGED[damage]()
    ended = run()
    assert ended.code == 0
    assert f"⚠️ {FILE} is no usable state" in ended.out
    assert "0 created, 0 updated, 66 unchanged" in ended.out
    again = run().out
    assert "is no usable state" not in again
    assert "0 created, 0 updated, 66 unchanged" in again


def test_a_file_that_cannot_be_one_is_told(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(FILE).mkdir()
    ended = run()
    assert ended.code == 0
    assert f"⚠️ {FILE} is no usable state (it is no regular file)" in ended.out
    assert f"⚠️ {FILE} cannot be written" in ended.out
    monkeypatch.setenv("STATE_CACHE_FILE", "pipe")
    os.mkfifo("pipe")
    assert "⚠️ pipe is no usable state (it is no regular file)" in run("--dry-run").out
    monkeypatch.setenv("STATE_CACHE_FILE", "deeper/state.sqlite")
    assert run().code == 0
    assert Path("deeper/state.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE state SET read_at = read_at - 86400 * 7.1",
        "UPDATE state SET read_at = read_at + 86400",
        "UPDATE state SET source = '[]'",
    ],
)
def test_a_file_that_is_old_or_of_another_flow_is_not_used(change: str, world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    change_file(change)
    change_file(GHOST)  # which would be told if it were used
    assert "0 created, 0 updated, 66 unchanged" in (out := run().out)
    assert READ_ANEW not in out
    assert ("is of another tenant or flow" in out) == ("source" in change)
    assert READ_ANEW not in run().out


def test_it_is_used_for_seven_days(world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    change_file("UPDATE state SET read_at = read_at - 86400 * 6.9")
    change_file(GHOST)
    assert READ_ANEW in run().out


def test_another_prefix_is_another_flow(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().code == 0
    monkeypatch.setenv("S3_PREFIX", PREFIX[:5])
    assert f"💾 {FILE} is of another tenant or flow and is not used" in run().out


def test_a_dry_run_leaves_it_as_it_is(world: World, run: Callable[..., Run]) -> None:
    run("--dry-run")
    assert not Path(FILE).exists()
    assert run().code == 0
    before = Path(FILE).read_bytes()
    (world.files / "SHIPPERS.csv").unlink()
    for arguments in (["--dry-run"], ["--plan", "plan.json"], ["--dry-run", "--force-refresh"]):
        run(*arguments)
        assert Path(FILE).read_bytes() == before, arguments


def test_force_refresh_asks_for_everything(world: World, run: Callable[..., Run]) -> None:
    assert run().code == 0
    change_file("UPDATE asset SET document = '{'")
    assert "is no usable state" not in run("--force-refresh").out
    assert "0 created, 0 updated, 66 unchanged" in run().out


def test_of_two_runs_at_once_the_second_leaves_it_as_the_first_has_written_it(
    world: World, run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run().code == 0
    client, query = main.get_atlan_client(), runtime_atlan.AssetQuery("S3Object", ("default/s3/",), ())
    first, second = (state.open_state(main.get_settings(), read_only=False) for _ in range(2))
    first.read(client, query)
    second.read(client, query)
    first.save()
    held = Path(FILE).read_bytes()
    second.save()
    assert "was written by another run and stays as it is" in capsys.readouterr().out
    assert Path(FILE).read_bytes() == held


def test_the_options_of_the_caches_know_it(world: World, run: Callable[..., Run]) -> None:
    assert f"💾 What Atlan holds: not kept, or of no use ({FILE})" in run("--cache-status").out
    assert run().code == 0
    assert f"💾 What Atlan holds: kept, read whole 0.0 hours ago ({FILE})" in run("--cache-status").out
    assert f"💾 Deleted {FILE}" in run("--clear-cache").out
    assert not Path(FILE).exists()


def test_what_is_kept_is_compared_as_what_was_read(world: World, run: Callable[..., Run]) -> None:
    """Kept twice is kept once, also as JSON."""
    assert run().code == 0
    for hit in any_state(world, *WRITTEN_TYPES):
        once = state.keep(hit, ("inputs", "outputs", "process", "bucket"))
        assert json.loads(json.dumps(once))["attributes"] == once["attributes"]
        assert state.keep(once, ("inputs", "outputs", "process", "bucket"))["attributes"] == once["attributes"]
