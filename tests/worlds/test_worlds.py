"""Generated worlds, read back through pyatlan: no wrong edge, and hardly a missed one.

`WORLDS=50 .venv/bin/python -m pytest -n 0 tests/worlds/test_worlds.py` looks at 50 of them instead of a few, and
`WORLDS=17:18` at number 17 alone.
"""

from __future__ import annotations

import os

import pytest
from world import World

import main
from worlds.generator import Edge, GeneratedWorld, Kind, generate_world
from worlds.read_back import Fault, find_faults, read_back, settle, summarise

SEEDS = range(*map(int, os.environ.get("WORLDS", "8").split(":")))
LEAST_RECALL = 0.98
MOST_TOLD = 40


def run_over(world: GeneratedWorld, tenant: World, patch: pytest.MonkeyPatch) -> tuple[dict[Edge, str], list[Fault]]:
    """The edges that a run over a world leaves in Atlan, and what is wrong with them."""
    for name, value in settle(world, tenant).items():
        patch.setenv(name, value)
    report = main.run_pipeline()
    assert report.failed == []
    found = read_back(main.get_atlan_client(), world)
    return found, find_faults(world, found, [item.sentence for item in report.unmatched])


def test_no_edge_is_wrong_and_hardly_one_is_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    true, found, faults = [], set(), []
    for seed in SEEDS:
        made = generate_world(seed)
        edges, faulty = run_over(made, world, monkeypatch)
        true += [(seed, edge) for edge in made.true]
        found |= {(seed, edge) for edge in edges}
        faults += faulty
    lines = summarise(faults)[:MOST_TOLD]
    for kind in Kind:
        of_kind = [edge for edge in true if edge[1].kind is kind]
        recall = sum(edge in found for edge in of_kind) / len(of_kind)
        lines.insert(0, f"{kind.value}: {len(of_kind)} true edges, recall {recall:.3f}")
        faults += [Fault("recall", kind, "", lines[0])] if recall < LEAST_RECALL else []
    if any(fault.verdict != "missed" for fault in faults):
        pytest.fail("\n".join(lines), pytrace=False)
