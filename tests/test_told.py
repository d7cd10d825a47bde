"""What is told of objects and columns: which telling holds for an object, and which pairs of columns two jobs make."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from event_world import ORDERS, STG_CUSTOMERS, STG_ORDERS, event, s3, tell

from delta_arc.jobs.told import Columns, Problem, ToldHop, hops_of_nothing, newest_columns, tell_objects, told_columns


def test_a_telling_of_an_object_beats_one_of_its_folder_and_a_nearer_folder_a_farther_one() -> None:
    told = tell(
        event([s3("in")], [STG_ORDERS], run=1),
        event([s3("in/c/")], [STG_CUSTOMERS], run=2),
        event([s3("in/c/o.csv")], [STG_ORDERS], run=3),
        event([ORDERS], [s3("/in/c/o.csv")], run=4),
    )
    keys = ["in/a.csv", "in/c/a.csv", "in/c/o.csv", "in/c/", "in", "into/a.csv", "other.csv", ""]
    found = tell_objects(told.hops, keys)
    targets = {key: [hop.target.rpartition("/")[2] for hop in told.loads] for key, told in found.items()}
    assert targets == {
        "in/a.csv": ["STG_ORDERS"],
        "in/c/a.csv": ["STG_CUSTOMERS"],
        "in/c/o.csv": ["STG_ORDERS"],
        "in/c/": ["STG_CUSTOMERS"],
        "in": ["STG_ORDERS"],
    }
    assert {key for key, told in found.items() if told.extracts} == {"in/c/o.csv"}


def test_two_tellings_that_are_as_near_both_stand() -> None:
    told = tell(event([s3("in")], [STG_ORDERS], run=1), event([s3("in/")], [STG_CUSTOMERS], run=2))
    (found,) = tell_objects(told.hops, ["in/x.csv"]).values()
    assert [hop.target.rpartition("/")[2] for hop in found.loads] == ["STG_CUSTOMERS", "STG_ORDERS"]
    assert found.extracts == ()


def test_hops_of_no_object_are_those_of_no_key_and_of_no_folder_of_one() -> None:
    told = tell(
        event([s3("in")], [STG_ORDERS], run=1),
        event([s3("in/c/")], [STG_CUSTOMERS], run=2),
        event([s3("in/c/o.csv")], [STG_ORDERS], run=3),
        event([s3("in/c/O.csv")], [STG_ORDERS], run=4),
        event([s3("i")], [STG_ORDERS], run=5),
        event([ORDERS], [s3("/out/")], run=6),
    )
    assert [hop.key for hop in hops_of_nothing(told.hops, ["in/c/o.csv", "other/"])] == ["i", "in/c/O.csv", "out"]
    assert [hop.key for hop in hops_of_nothing(told.hops, ["/out/x.csv", "i", "in/c/O.csv"])] == ["in/c/o.csv"]
    assert len(hops_of_nothing(told.hops, [])) == 6


def rows(*names: str) -> list[list[str]]:
    return [[f"t/{name}", name, "Column"] for name in names]


@pytest.mark.parametrize(
    ("extract", "load", "pairs"),
    [
        ((), (), None),
        # Both are told: they meet in the file, whatever the names are.
        ((("ID", "c1"), ("CUST", "c2")), (("c1", "ORDER_ID"), ("C2", "CUSTOMER")), ["CUST CUSTOMER", "ID ORDER_ID"]),
        # A column that one of the jobs leaves out is not carried.
        ((("ID", "c1"),), (("c1", "ORDER_ID"), ("c2", "CUSTOMER")), ["ID ORDER_ID"]),
        # One is told: the other side goes by name.
        ((), (("id", "ORDER_ID"), ("c2", "CUSTOMER")), ["ID ORDER_ID"]),
        ((("ID", "order_id"), ("CUST", "x")), (), ["ID ORDER_ID"]),
        # One into several, and several into one.
        ((("ID", "a"), ("CUST", "a")), (("a", "ORDER_ID"), ("a", "CUSTOMER")), ["CUST CUSTOMER", "CUST ORDER_ID", "ID CUSTOMER", "ID ORDER_ID"]),
        # Columns that the tables do not have.
        ((("NONE", "a"),), (("a", "ORDER_ID"), ("b", "NONE")), []),
        # In any case where that is unambiguous.
        ((("name", "a"), ("cust", "b")), (("a", "CUSTOMER"), ("b", "customer")), ["CUST CUSTOMER"]),
        ((("Name", "a"),), (("a", "CUSTOMER"),), ["Name CUSTOMER"]),
    ],
)  # fmt: skip
def test_columns_by_what_two_jobs_tell(extract: Columns, load: Columns, pairs: list[str] | None) -> None:
    found = told_columns(rows("ID", "CUST", "Name", "NAME"), rows("ORDER_ID", "CUSTOMER"), extract, load)
    assert (None if found is None else [f"{left[1]} {right[1]}" for left, right in found]) == pairs


def test_columns_that_are_told_by_position_are_those_of_the_header() -> None:
    load = (("$2", "ORDER_ID"), ("$1", "CUSTOMER"), ("$3", "CUSTOMER"))
    sides = rows("ID", "CUST"), rows("ORDER_ID", "CUSTOMER")
    found = told_columns(*sides, (), load, ["cust", "id"])
    assert found is not None
    assert [(left[1], right[1]) for left, right in found] == [("CUST", "CUSTOMER"), ("ID", "ORDER_ID")]
    assert told_columns(*sides, (), load) is None
    # A column whose name only looks like a position.
    assert told_columns(rows("$0"), rows("A"), (), (("$0", "A"),)) == [(rows("$0")[0], rows("A")[0])]


def hop(day: int, columns: Columns, job: str = "j") -> ToldHop:
    return ToldHop("", f"{day}.csv", "t", columns, "n", job, "r", datetime(2026, 1, day, tzinfo=timezone.utc), "")


def test_the_newest_run_that_tells_columns_decides() -> None:
    assert newest_columns([hop(2, (("a", "b"),)), hop(1, (("c", "d"),)), hop(3, ())]) == (("a", "b"),)
    assert newest_columns([hop(3, ())]) == ()


def test_what_strangers_call_their_jobs_is_shown_harmlessly() -> None:
    assert hop(1, (), "a\x1b[31mb\n").teller == "job a\\x1b[31mb\\n (run r, 2026-01-01 00:00 UTC)"
    assert str(Problem("no event", 2, "x\u202ey")) == "no event (2 times, first x\\u202ey)"
