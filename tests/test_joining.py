"""What is told and what is named, joined: which of the two decides, and that nothing else changes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from event_world import SOURCE, SOURCES, TARGET, TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc.entities import Flow
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import Hop, find_hops
from delta_arc.jobs.told import ToldHop, ToldObject, tell_objects
from delta_arc.joining import at_least, tell_hops, tell_matches, tell_pairs
from delta_arc.matching import MatchOutcome, ObjectMatch
from delta_arc.overrides import Overrides
from delta_arc.overrides_file import parse_overrides
from delta_arc.pairing import TablePair

ORDERS, CUSTOMERS = f"{SOURCE}/ORDERS", f"{SOURCE}/CUSTOMERS"
STG_ORDERS, STG_CUSTOMERS = f"{TARGET}/STG_ORDERS", f"{TARGET}/STG_CUSTOMERS"
OVERRIDES: Overrides = parse_overrides("overrides.txt", "", SOURCES, TARGETS)
NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)


def hop(key: str, source: str = "", target: str = "") -> ToldHop:
    return ToldHop(source, key, target, (), "n", "job", "r", NOW, "")


def match(key: str, table: str | None, outcome: MatchOutcome = MatchOutcome.MATCHED) -> ObjectMatch:
    return ObjectMatch(key, table, "a name", outcome if table else MatchOutcome.NO_TABLE)


def decide(named: str | None, *told: ToldHop, outcome: MatchOutcome = MatchOutcome.MATCHED) -> tuple[ObjectMatch, int]:
    """What becomes of one object, and how many disagreements are told."""
    telling = tell_objects(told, ["x.csv"])
    (found,), disagreeing = tell_matches([match("x.csv", named, outcome)], telling, OVERRIDES, {ORDERS, CUSTOMERS})
    return found, len(disagreeing)


@pytest.mark.parametrize(
    ("named", "told", "table", "outcome", "disagreements"),
    [
        (None, [hop("x.csv", ORDERS)], ORDERS, MatchOutcome.TOLD, 0),
        (ORDERS, [hop("x.csv", ORDERS)], ORDERS, MatchOutcome.TOLD, 0),
        (CUSTOMERS, [hop("x.csv", ORDERS)], ORDERS, MatchOutcome.TOLD, 1),
        # Of several that are told, the name decides, or nothing does.
        (ORDERS, [hop("x.csv", ORDERS), hop("x.csv", CUSTOMERS)], ORDERS, MatchOutcome.TOLD, 0),
        (None, [hop("x.csv", ORDERS), hop("x.csv", CUSTOMERS)], None, MatchOutcome.AMBIGUOUS, 0),
        # Only the load is told: a source that is named stays, and without one the object is the target's.
        (ORDERS, [hop("x.csv", target=STG_ORDERS)], ORDERS, MatchOutcome.MATCHED, 0),
        (None, [hop("x.csv", target=STG_ORDERS)], STG_ORDERS, MatchOutcome.TOLD, 0),
        (None, [hop("x.csv", target=STG_ORDERS), hop("x.csv", target=STG_CUSTOMERS)], None, MatchOutcome.AMBIGUOUS, 0),
        # A target's name is no other source's.
        (STG_ORDERS, [hop("x.csv", ORDERS)], ORDERS, MatchOutcome.TOLD, 0),
        (ORDERS, [], ORDERS, MatchOutcome.MATCHED, 0),
    ],
)  # fmt: skip
def test_what_is_told_of_an_object_decides(
    named: str | None, told: list[ToldHop], table: str | None, outcome: MatchOutcome, disagreements: int
) -> None:
    found, disagreeing = decide(named, *told)
    assert (found.table_qualified_name, found.outcome, disagreeing) == (table, outcome, disagreements)


def test_a_line_of_the_overrides_stays() -> None:
    found, disagreeing = decide(CUSTOMERS, hop("x.csv", ORDERS), outcome=MatchOutcome.OVERRIDDEN)
    assert (found.table_qualified_name, disagreeing) == (CUSTOMERS, 0)


def pairs_of(target: str | None, named: str | None, *told: ToldHop, outcome: Any = MatchOutcome.MATCHED) -> Any:
    pairs = [TablePair(ORDERS, target, "a name", outcome if target else MatchOutcome.NO_TABLE)]
    telling = tell_objects(told, ["x.csv"])
    found, disagreeing = tell_pairs(pairs, [match("x.csv", ORDERS)], telling, OVERRIDES, {"x.csv": named})
    return [pair.target for pair in found], len(disagreeing)


def test_what_is_told_of_loads_decides_where_a_table_lands() -> None:
    loads = hop("x.csv", target=STG_ORDERS), hop("x.csv", target=STG_CUSTOMERS)
    assert pairs_of(None, ORDERS, loads[0]) == ([STG_ORDERS], 0)
    assert pairs_of(STG_ORDERS, ORDERS, loads[0]) == ([STG_ORDERS], 0)
    assert pairs_of(STG_CUSTOMERS, ORDERS, loads[0]) == ([STG_ORDERS], 1)
    assert pairs_of(None, ORDERS, *loads) == ([STG_CUSTOMERS, STG_ORDERS], 0)
    assert pairs_of(STG_CUSTOMERS, ORDERS, loads[0], outcome=MatchOutcome.OVERRIDDEN) == ([STG_CUSTOMERS], 0)
    # Only the export is told, and the object has the name of a target.
    assert pairs_of(None, STG_ORDERS, hop("x.csv", ORDERS)) == ([STG_ORDERS], 0)
    assert pairs_of(STG_CUSTOMERS, STG_ORDERS, hop("x.csv", ORDERS)) == ([STG_CUSTOMERS], 0)


def objects(*keys: str) -> Any:
    return [{"key": key, "qualified_name": key} for key in keys]


def test_a_hop_has_the_objects_that_are_not_told_to_go_elsewhere() -> None:
    telling = tell_objects(
        [hop("a", target=STG_ORDERS), hop("b", target=STG_CUSTOMERS), hop("a", ORDERS)], ["a", "b", "c"]
    )
    (found,) = tell_hops([Hop(ORDERS, STG_ORDERS, objects("a", "b", "c"), Evidence(Ground.NAMES))], telling)
    assert [item["key"] for item in found.objects] == ["a", "c"]
    assert ([one.key for one in found.extracts], [one.key for one in found.loads]) == (["a"], ["a"])
    assert found.ground == "told"
    assert tell_hops([Hop(None, STG_ORDERS, objects("b"), Evidence(Ground.NAMES))], telling) == []


@pytest.mark.parametrize(
    ("ground", "evidence", "kept"),
    [
        ("named", Ground.NAMES, [("ORDERS", "STG_ORDERS", "abc")]),
        ("read", Ground.HEADER, [("ORDERS", "STG_ORDERS", "abc")]),
        ("read", Ground.FEW, [("ORDERS", "STG_ORDERS", "a")]),
        ("told", Ground.HEADER, [("ORDERS", "STG_ORDERS", "a")]),
    ],
)
def test_only_what_stands_on_a_ground_is_kept(ground: str, evidence: Ground, kept: list[Any]) -> None:
    telling = tell_objects([hop("a", target=STG_ORDERS), hop("a", ORDERS), hop("b", ORDERS)], ["a", "b", "c"])
    hops = tell_hops([Hop(ORDERS, STG_ORDERS, objects("a", "b", "c"), Evidence(evidence))], telling)
    assert shown(at_least(ground, hops, telling, (), ())) == kept


def shown(hops: list[Hop]) -> list[Any]:
    return [
        ((hop.source or "").rpartition("/")[2], (hop.target or "").rpartition("/")[2], "".join(item["key"] for item in hop.objects))
        for hop in hops
    ]  # fmt: skip


def test_of_a_chain_the_hop_that_stands_is_kept_and_a_line_of_the_overrides_stands() -> None:
    chain = [Hop(ORDERS, STG_ORDERS, objects("a", "b"), Evidence(Ground.NAMES))]
    extract, load = tell_objects([hop("a", ORDERS)], ["a"]), tell_objects([hop("b", target=STG_ORDERS)], ["b"])
    assert shown(at_least("told", chain, extract, (), ())) == [("ORDERS", "", "a")]
    assert shown(at_least("told", chain, load, (), ())) == [("", "STG_ORDERS", "b")]
    assert shown(at_least("told", chain, {**extract, **load}, (), ())) == [("ORDERS", "", "a"), ("", "STG_ORDERS", "b")]
    assert shown(at_least("told", chain, {}, {"b"}, {ORDERS})) == [("ORDERS", "STG_ORDERS", "b")]
    assert at_least("told", chain, {}, (), ()) == []


TABLES = st.sampled_from([ORDERS, CUSTOMERS, STG_ORDERS, STG_CUSTOMERS, None])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), TABLES), max_size=6), st.lists(TABLES, min_size=4, max_size=4))
def test_only_what_is_told_changes_and_in_any_order(told: list[Any], named: list[str | None]) -> None:
    hops = [hop(key, table if table in (ORDERS, CUSTOMERS) else "", table if table in (STG_ORDERS, STG_CUSTOMERS) else "") for key, table in told if table]  # fmt: skip
    matches = [match(key, table) for key, table in zip("abcd", named, strict=True)]
    telling = tell_objects(hops, "abcd")
    assert telling == tell_objects(hops[::-1], "abcd") or len(set(hops)) < len(hops)
    found, _ = tell_matches(matches, telling, OVERRIDES, {ORDERS, CUSTOMERS})
    for before, after in zip(matches, found, strict=True):
        assert after == before or before.key in telling
        known = telling.get(before.key, ToldObject())
        if after.outcome is MatchOutcome.TOLD:
            assert after.table_qualified_name in {one.table for one in (*known.extracts, *known.loads)}


def test_a_lone_hop_that_is_told_needs_no_file_that_can_be_read() -> None:
    flow = Flow("default/postgres/1", "default/s3/3/b", "", "default/snowflake/2")
    evidence = {ORDERS: Evidence(Ground.UNREAD), STG_CUSTOMERS: Evidence(Ground.UNREAD)}
    datasets = {table: objects("a") for table in evidence}
    pairs = [TablePair(ORDERS, None, "no name", MatchOutcome.NO_TABLE)]
    assert find_hops(flow, pairs, datasets, evidence, ()) == []
    found = find_hops(flow, pairs, datasets, evidence, (), {ORDERS, STG_CUSTOMERS})
    assert {(hop.source, hop.target) for hop in found} == {(ORDERS, None), (None, STG_CUSTOMERS)}
    # The load alone, where the job tells that, and the export is only named.
    told = [TablePair(ORDERS, STG_ORDERS, "told", MatchOutcome.TOLD)]
    (load,) = find_hops(flow, told, datasets, {ORDERS: evidence[ORDERS]}, ())
    assert (load.source, load.target) == (None, STG_ORDERS)
