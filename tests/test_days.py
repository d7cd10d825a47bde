"""A landing zone that lives for a hundred days, with a run on each that nobody watches.

Files come, go and change, tables are renamed and columns dropped, and on some days a service fails. Every day's exit code
and report are held to what was done to the world, and in the end Atlan holds what a first run would write.

`DAYS=400 .venv/bin/python -m pytest -n 0 tests/test_days.py` lets it live longer, and `SEED=7` lets it live otherwise.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from world import BULK, POSTGRES, SNOWFLAKE, Run, World, settings_of, start_world, write_inventory

from sandbox import seed as seeding

DAYS, SEED = int(os.environ.get("DAYS", "100")), int(os.environ.get("SEED", "1"))
FIRST_DAY = datetime(2026, 1, 1, 6, tzinfo=timezone.utc)
KEPT_FILES = 4  # of a table; older ones are cleaned up by somebody
SOURCE_SCHEMA, TARGET_SCHEMA = ("SHOP", "SALES"), ("ANALYTICS", "SALES")
CACHES = ("postgres_assets_cache.json", "snowflake_assets_cache.json")


@dataclass
class Zone:
    """The tables of both sides with their columns, and the files between them, as they are today."""

    world: World
    random: random.Random
    tables: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)  # keys by table, the oldest first
    today: datetime = FIRST_DAY
    renamed: int = 0

    def inventory(self, connection: str, folder: Path) -> Path:
        """What a crawler finds on one side today, as a file."""
        place = SOURCE_SCHEMA if connection == POSTGRES else TARGET_SCHEMA
        tables = {(*place, name): columns for name, columns in self.tables.items()}
        return write_inventory(folder / f"{connection.split('/')[1]}.json", connection, tables)

    def crawl(self, folder: Path) -> None:
        """Bring Atlan to what a crawler finds: what is gone is archived, and what is new is made."""
        for connection in (POSTGRES, SNOWFLAKE):
            rows = json.loads(self.inventory(connection, folder).read_text())["data"]
            names = {row[0] for row in rows}
            there = {
                asset["attributes"]["qualifiedName"]: asset
                for asset in self.world.assets("Table", "Column")
                if asset["attributes"]["qualifiedName"].startswith(f"{connection}/")
            }
            gone = [asset for name, asset in there.items() if name not in names]
            if gone:
                self.world.archive(*gone)
            new = [entity for entity in seeding._assets(rows) if entity["attributes"]["qualifiedName"] not in there]
            for type_name in ("Table", "Column"):
                found = [entity for entity in new if entity["typeName"] == type_name]
                if found:
                    self.world.save(*found)

    def write(self, key: str, columns: list[str]) -> None:
        """Write a file of some rows, at this moment of the day."""
        path = self.world.files / key
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [",".join(str(self.random.randint(1, 10**6)) for _ in columns) for _ in range(3)]
        path.write_text("\n".join([",".join(columns), *rows]) + "\n")
        os.utime(path, (self.today.timestamp(), self.today.timestamp()))

    # What a day brings; each says which keys came, changed and went.

    def deliver(self) -> dict[str, list[str]]:
        """A file for every table, and the oldest ones go."""
        told: dict[str, list[str]] = {"came": [], "went": []}
        for table, columns in self.tables.items():
            key = f"{table.lower()}/{table.lower()}_{self.today:%Y%m%d}.csv"
            self.write(key, columns)
            self.files.setdefault(table, []).append(key)
            told["came"].append(key)
        for keys in self.files.values():
            while len(keys) > KEPT_FILES:
                told["went"].append(keys.pop(0))
        for key in told["went"]:
            (self.world.files / key).unlink()
        return told

    def correct(self) -> dict[str, list[str]]:
        """Somebody delivers a file of an earlier day again."""
        table = self.random.choice([table for table in self.tables if self.files.get(table)])
        key = self.random.choice(self.files[table])
        self.write(key, self.tables[table])
        return {"changed": [key]}

    def stray(self) -> dict[str, list[str]]:
        """A file comes that is of no table."""
        key = f"notes_{self.today:%Y%m%d}.csv"
        self.write(key, ["AUTHOR", "REMARK"])
        self.files.setdefault("", []).append(key)
        return {"came": [key]}

    def rename(self) -> dict[str, list[str]]:
        """A table has another name on both sides from today on, and its old files are cleaned up."""
        old = self.random.choice([*self.tables])
        self.renamed += 1
        self.tables[f"{old.partition('_V')[0]}_V{self.renamed}"] = self.tables.pop(old)
        gone = self.files.pop(old, [])
        for key in gone:
            (self.world.files / key).unlink()
        return {"went": gone}

    def drop_column(self) -> dict[str, list[str]]:
        """A column is dropped on both sides, once it is the first of many; its files have it still."""
        table = max(self.tables, key=lambda name: len(self.tables[name]))
        if len(self.tables[table]) > 4:
            self.tables[table].pop()
        return {}

    def add_column(self) -> dict[str, list[str]]:
        """A column comes on both sides, of which no file knows yet."""
        table = self.random.choice([*self.tables])
        self.tables[table].append(f"EXTRA_{self.today:%m%d}")
        return {}


@dataclass(frozen=True)
class Trouble:
    """A day on which something fails: how the run has to end, and whether it may have written something."""

    name: str
    faults: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    code: int = 1
    outcome: str = "failed"
    writes: bool = False


ALWAYS = 10_000
TROUBLES = (
    Trouble("the token is refused", (), {"ATLAN_API_TOKEN": "expired-token"}),
    Trouble("the search is forbidden", ({"status": 403, "path": "/api/meta/search/", "count": ALWAYS},)),
    Trouble("nothing may be written", ({"status": 403, "path": BULK, "method": "POST", "count": ALWAYS},)),
    Trouble(
        "some requests are refused half-way",
        ({"status": 400, "path": BULK, "method": "POST", "count": ALWAYS, "body_contains": '"Process"'},),
        writes=True,
    ),
    Trouble("the keys of S3 are refused", (), {"AWS_SECRET_ACCESS_KEY": "another-secret-key"}),
    Trouble("there is no such bucket", (), {"S3_BUCKET_NAME": "no-bucket-of-this-name"}),
    Trouble("a setting is wrong", (), {"CACHE_EXPIRY_HOURS": "soon"}, code=2, outcome="wrong setting"),
)
OVERCOME = (
    {"status": 503, "path": "/api/meta/search/"},
    {"status": 429, "path": BULK},
    {"status": 0, "path": BULK, "after": True},
    {"status": 0, "path": "/api/meta/search/"},
)


def a_day_passes() -> None:
    """What was cached is a day older."""
    for name in CACHES:
        path = Path(name)
        if path.exists():
            cache = json.loads(path.read_text())
            cache["timestamp"] = (datetime.fromisoformat(cache["timestamp"]) - timedelta(days=1)).isoformat()
            path.write_text(json.dumps(cache))


def keys_in(report: Mapping[str, Any], what: str) -> set[str]:
    """The keys of the S3 objects that a report says were created, updated or removed."""
    names = (item["qualified_name"] for item in report[what] if item["type"] == "S3Object")
    return {name.partition("csa-tech-challenge-ary/")[2] for name in names}


def lasting(state: Mapping[Any, dict]) -> dict[Any, dict]:
    """A state without what is written when an asset is made, and then left to people."""
    return {name: {key: value for key, value in one.items() if key != "description"} for name, one in state.items()}


def test_a_hundred_days_leave_what_a_first_run_would_write(
    tmp_path: Path,
    fresh_world: Callable[..., World],
    run: Callable[..., Run],
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = {
        name: ["ID", *(f"{name[:4]}_{part}" for part in ("NAME", "PLACE", "AMOUNT", "DAY"))]
        for name in ("ORDERS", "CUSTOMERS", "INVOICES")
    }
    seed_zone = Zone(None, random.Random(SEED), dict(tables))  # type: ignore[arg-type]
    world = fresh_world(*(seed_zone.inventory(connection, tmp_path) for connection in (POSTGRES, SNOWFLAKE)))
    shutil.rmtree(world.files)
    zone = Zone(world, random.Random(SEED), tables)
    monkeypatch.setenv("LINEAGE_PAGE", "")
    due: dict[str, set[str]] = {"came": set(), "changed": set(), "went": set()}
    seen: set[str] = set()
    for day in range(DAYS):
        zone.today = FIRST_DAY + timedelta(days=day)
        a_day_passes()
        happenings: list[Callable[[], dict[str, list[str]]]] = []
        is_quiet_day = day and zone.random.random() < 0.15
        if not is_quiet_day:
            # What changes a table comes before its files, as a load job would have it.
            happenings += [zone.rename] if zone.random.random() < 0.06 and day else []
            happenings += [zone.drop_column] if zone.random.random() < 0.06 else []
            happenings += [zone.add_column] if zone.random.random() < 0.06 else []
            happenings += [zone.deliver]
            happenings += [zone.correct] if zone.random.random() < 0.2 else []
            happenings += [zone.stray] if zone.random.random() < 0.1 else []
        for happen in happenings:
            for what, keys in happen().items():
                due[what] |= {*keys}
        zone.crawl(tmp_path)
        before = lasting(world.state())
        trouble = zone.random.choice(TROUBLES) if day and zone.random.random() < 0.15 else None
        if trouble:
            seen.add(trouble.name)
        elif zone.random.random() < 0.3:
            world.fail(**zone.random.choice(OVERCOME))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (trouble.environment if trouble else {}).items():
                patch.setenv(name, value)
            for fault in trouble.faults if trouble else ():
                world.fail(**fault)
            ended = run("--quiet", "--prune", "--json", "report.json")
        world.forget()
        report = json.loads(Path("report.json").read_text())
        after = lasting(world.state())
        told = f"day {day}, seed {SEED}, {trouble.name if trouble else 'no trouble'}:\n{ended.out}{ended.err}"
        assert report["exit_code"] == ended.code, told
        present = {str(path.relative_to(world.files)) for path in world.files.rglob("*.csv")}
        if trouble:
            nothing_due = trouble.faults and trouble.faults[0]["path"] == BULK and ended.code == 0
            if nothing_due:  # then a service that takes nothing disturbs nobody
                assert report["outcome"] == "unchanged", told
            else:
                assert (ended.code, report["outcome"]) == (trouble.code, trouble.outcome), told
                assert report["errors"] or report["failures"], told
            if not trouble.writes:
                assert after == before, told
            continue
        assert ended.code == 0, told
        assert report["outcome"] == ("changed" if after != before else "unchanged"), told
        assert report["failures"] + report["errors"] == [], told
        assert report["coverage"]["percent"] == 100, told
        known = {name[1].partition("csa-tech-challenge-ary/")[2] for name in before if name[0] == "S3Object"}
        assert keys_in(report, "created") == present - known, told
        assert keys_in(report, "updated") == due["changed"] & present & known, told
        assert keys_in(report, "removed") == known - present, told
        for keys in due.values():
            keys.clear()
    assert len(seen) > DAYS // 30
    assert run("--quiet", "--prune").code == 0  # what the last day left, if there was trouble on it
    ended = run("--quiet", "--prune", "--json", "report.json")
    assert (ended.code, json.loads(Path("report.json").read_text())["outcome"]) == (0, "unchanged")
    lived = lasting(world.state())
    with start_world(
        tmp_path / "first", tuple(zone.inventory(side, tmp_path) for side in (POSTGRES, SNOWFLAKE))
    ) as first:
        shutil.rmtree(first.files)
        shutil.copytree(world.files, first.files)
        for name, value in settings_of(first).items():
            monkeypatch.setenv(name, value)
        for name in CACHES:
            Path(name).unlink()
        assert run("--quiet").code == 0
        assert lived == lasting(first.state())
