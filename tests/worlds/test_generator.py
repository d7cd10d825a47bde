"""What the generator says of its worlds is said of things that are there, and nothing is said twice."""

from __future__ import annotations

from collections import Counter

import pytest

from worlds.generator import SCENES, Kind, Scene, generate_world, rows_of


@pytest.mark.parametrize("seed", range(20))
def test_the_truth_is_about_what_there_is(seed: int) -> None:
    world = generate_world(seed)
    again = generate_world(seed)
    assert (world.objects, world.true, world.undecided) == (again.objects, again.true, again.undecided)
    assert not world.true & world.undecided
    sources, targets = ({row[0]: row[2] for row in rows_of(tables)} for tables in (world.sources, world.targets))
    for edge in world.true | world.undecided:
        assert edge.left in (world.objects if edge.kind is Kind.LOAD else sources), edge
        assert edge.right in (world.objects if edge.kind is Kind.EXTRACT else targets), edge
    names = Counter(table.qualified_name for table in (*world.sources, *world.targets))
    assert max(names.values()) == 1


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_scene_gives_worlds_that_differ_from_seed_to_seed(scene: Scene) -> None:
    worlds = [generate_world(seed, [scene]) for seed in range(5)]
    assert len({(*(table.name for table in world.sources), *world.objects) for world in worlds}) > 1
