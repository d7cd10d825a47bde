"""What names, jobs and lines make together, once files have been read: which columns to look for, and which hops are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import pytest

from delta_arc.entities import Flow, RegisteredObject, load_name
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import Hop
from delta_arc.jobs.told import ToldHop, ToldObject, tell_objects
from delta_arc.linking import Links, columns_to_find, wanted_hops
from delta_arc.matching import MatchOutcome, ObjectMatch
from delta_arc.pairing import TablePair

SOURCE, TARGET = "default/postgres/1/d/s/orders", "default/snowflake/2/D/S/ORDERS"
FLOW = Flow("default/postgres/1", "default/s3/3/b", "", "default/snowflake/2")
NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)


def registered(key: str) -> RegisteredObject:
    return {
        "key": key, "size": 1, "last_modified": NOW, "etag": "e", "qualified_name": f"default/s3/3/b/{key}",
        "bucket": "default/s3/3/b", "bucket_name": "b", "prefix": "",
    }  # fmt: skip


def links(
    pairs: Sequence[TablePair], matches: Sequence[ObjectMatch], telling: dict[str, ToldObject] | None = None
) -> Links:
    return Links(pairs, matches, telling or {}, (), ())


def wanted_of(found: Links, ground: Ground, min_ground: str, *existing: str) -> list[Hop]:
    return wanted_hops(FLOW, found, {SOURCE: [registered("k.csv")]}, {SOURCE: Evidence(ground)}, existing, min_ground)


def wanted(
    found: Links, ground: Ground = Ground.NAMES, min_ground: str = "named"
) -> list[tuple[str | None, str | None]]:
    return [(hop.source, hop.target) for hop in wanted_of(found, ground, min_ground)]


def pair(outcome: MatchOutcome = MatchOutcome.MATCHED, target: str | None = TARGET) -> TablePair:
    return TablePair(SOURCE, target, "a rule", outcome)


def match(outcome: MatchOutcome = MatchOutcome.MATCHED, *candidates: str) -> ObjectMatch:
    return ObjectMatch("k.csv", None if candidates else SOURCE, "a rule", outcome, candidates)


def test_decided_are_the_objects_of_lines_and_jobs_and_doubtful_those_that_may_be_a_tables() -> None:
    outcomes = [*MatchOutcome]
    found = links([], [ObjectMatch(outcome.value, SOURCE, "", outcome, (SOURCE,)) for outcome in outcomes])
    assert found.decided == {"overridden", "told"}
    assert found.doubtful == {MatchOutcome.DOUBTFUL.value}
    assert links([], [match(MatchOutcome.AMBIGUOUS, "a", "b")]).doubtful == {"k.csv"}


@pytest.mark.parametrize(
    ("source_columns", "target_columns", "looked_for"),
    [
        (["id", "city"], ["ID", "TOWN"], ["id", "city"]),
        ([], ["ID", "TOWN"], ["ID", "TOWN"]),
        # A landing that keeps whole records says nothing of the columns of its files.
        ([], ["RECORD_CONTENT", "RECORD_METADATA"], None),
        ([], [], None),
    ],
)
def test_files_are_looked_through_for_the_columns_of_their_table(
    source_columns: list[str], target_columns: list[str], looked_for: list[str] | None
) -> None:
    sides = ((SOURCE, source_columns), (TARGET, target_columns))
    rows = [[f"{table}/{name}", name, "Column"] for table, names in sides for name in names]
    assert columns_to_find([pair()], rows).get(SOURCE) == looked_for


@pytest.mark.parametrize(
    ("of_pair", "of_match", "wanted_at_told"),
    [
        (MatchOutcome.MATCHED, MatchOutcome.MATCHED, []),
        # What a line says is as good as told: of the object, of the pair, or of both.
        (MatchOutcome.MATCHED, MatchOutcome.OVERRIDDEN, [(SOURCE, None)]),
        (MatchOutcome.OVERRIDDEN, MatchOutcome.MATCHED, [(None, TARGET)]),
        (MatchOutcome.OVERRIDDEN, MatchOutcome.OVERRIDDEN, [(SOURCE, TARGET)]),
    ],
)
def test_what_a_line_says_stands_as_if_it_was_told(
    of_pair: MatchOutcome, of_match: MatchOutcome, wanted_at_told: list[tuple[str | None, str | None]]
) -> None:
    found = links([pair(of_pair)], [match(of_match)])
    assert wanted(found) == [(SOURCE, TARGET)]
    assert wanted(found, min_ground="told") == wanted_at_told


def test_who_tells_a_hop_is_told_with_it_and_needs_no_file_that_can_be_read() -> None:
    told = ToldHop(SOURCE, "k.csv", "", (), "n", "job", "r", NOW, "")
    found = links([pair(MatchOutcome.NO_TABLE, None)], [match(MatchOutcome.TOLD)], tell_objects([told], ["k.csv"]))
    (hop,) = wanted_of(found, Ground.UNREAD, "told")
    assert (hop.source, hop.target, hop.extracts, hop.ground) == (SOURCE, None, (told,), "told")
    assert wanted(links(found.pairs, [match()]), Ground.UNREAD) == []


def test_what_is_in_atlan_stays_where_files_cannot_be_read() -> None:
    found = links([pair()], [match()])
    assert wanted(found, Ground.UNREAD) == []
    (hop,) = wanted_of(found, Ground.UNREAD, "named", load_name(FLOW, SOURCE, TARGET))
    assert (hop.source, hop.target) == (SOURCE, TARGET)
