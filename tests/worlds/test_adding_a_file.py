"""Adding any single file to a landing zone removes no edge that another file proves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World

import main
from worlds.contents import make_rows, write_csv
from worlds.generator import (
    NOW,
    OTHER_COLUMNS,
    SCENES,
    Edge,
    GeneratedWorld,
    StoredObject,
    any_file,
    files_that_lack_columns,
    generate_world,
    mixed_formats,
    plain_copy,
)
from worlds.planning import plan_edges
from worlds.read_back import bucket_of, read_back, settle, store


def run_again(world: GeneratedWorld) -> dict[Edge, str]:
    """The edges that Atlan has after a run that archives what is wanted no more."""
    report = main.run_pipeline(prune=True, max_remove=1000)
    assert report.failed == []
    return read_back(main.get_atlan_client(), world)


def lost(before: Collection[Edge], after: Collection[Edge], world: GeneratedWorld, added: StoredObject) -> list[str]:
    """The true edges that a file proves and that are gone, in words."""
    told = f"{added.key} [{', '.join(added.columns or ()) or f'{len(added.body)} bytes'}] of {added.modified:%Y-%m-%d}"
    gone = sorted(edge for edge in world.true if edge in before and edge not in after and world.is_proven(edge))
    return [f"seed {world.seed}: {told} took {edge} ({world.scene_of(edge)})" for edge in gone]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_one_more_file_takes_no_edge_away(seed: int) -> None:
    random = Random(seed)
    world = generate_world(seed, random.sample(SCENES, 2))
    if not world.objects:
        return
    before = plan_edges(world)
    added = any_file(random, world)
    world.objects[added.key] = added
    assert lost(before, plan_edges(world), world, added) == []


BEFORE, AFTER = NOW - timedelta(days=900), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("columns", "modified"),
    [
        (OTHER_COLUMNS, AFTER),
        (OTHER_COLUMNS, BEFORE),
        (("id", "check_name", "passed"), AFTER),
        (("first column of the table", "check_name", "row_total"), AFTER),
        (("first column of the table",), AFTER),
        ((), AFTER),
    ],
)
def test_one_more_file_takes_no_edge_away_in_atlan(
    columns: Sequence[str], modified: datetime, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate_world(1, [plain_copy, mixed_formats, files_that_lack_columns])
    for name, value in settle(made, world).items():
        monkeypatch.setenv(name, value)
    before = run_again(made)
    assert before.keys() == made.true
    for table in made.sources:
        first = next(edge.right for edge in sorted(made.true) if edge.left == table.qualified_name)
        names = [table.columns[0] if name.startswith("first") else name for name in columns]
        body = write_csv(names, make_rows(Random(1), names)) if names else b""
        added = StoredObject(
            f"{first.rpartition('/')[0]}/{table.name}_part99.csv".lstrip("/"), body, modified, tuple(names)
        )
        store([added], world.tenant.buckets / bucket_of(made))
        assert lost(before, run_again(made), made, added) == []
