"""A run that nobody watches: what it shows, what it ends with, and what it leaves for a program to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import POSTGRES, SCHEMA, SNOWFLAKE, Run, World

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
    assert told[0].startswith("📊 S3 bucket: 1 to update")
    assert told[1].startswith("   ~ S3Bucket: ")
    assert "⚠️ 5 processes are stale: --prune removes them" in told
    assert not [line for line in told if line.startswith(("🔍", "🪣", "💾", "🔗", "   - ", "📊 S3 objects"))]
    at = told.index(f"⚠️ PostgreSQL table {POSTGRES}/{SCHEMA}/SHIPPERS has no S3 object")
    assert told[at + 1] == "      table SALES_ORDERS/SHIPPERS goes to nothing"
    assert told[-1].startswith("✅ Dry run, nothing was written")
    removed = run("--quiet", "--prune").out.splitlines()
    assert "✅ Stale processes: 5 removed" in removed
    assert sum(line.startswith("   - ") for line in removed) == 5


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
