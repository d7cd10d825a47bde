"""What is kept of Atlan between runs: a run with it plans what a run without it plans, and reads only what has changed."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest
from world import BULK, World

import main
from delta_arc import state
from delta_arc.run_report import RunRecord
from delta_arc.saved_plan import to_document
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
SEEDS = int(os.environ.get("STATES", "4"))


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
