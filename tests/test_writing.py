"""What is written together, and how many at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import BULK, Run, World

from delta_arc.entities import PROCESS_ATTRIBUTES
from delta_arc.plan import BATCH_SIZE, LARGE, Action, Change, Plan, Step, compare, in_rounds, references
from delta_arc.state import keep
from delta_arc.writing import BatchSize
from runtime.atlan import SearchHit
from runtime.transport import PatientTransport


def change(name: str, inputs: list[str], action: Action) -> Change:
    refs = [{"typeName": "Table", "uniqueAttributes": {"qualifiedName": item}} for item in inputs]
    return Change({"typeName": "Process", "attributes": {"name": name, "qualifiedName": name, "inputs": refs}}, action)


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    """Steps whose changes refer to some of those of earlier steps, and to assets that are there already."""
    steps: list[Step] = []
    earlier: list[str] = ["there-already"]
    for number in range(draw(st.integers(0, 4))):
        changes = [
            change(
                f"{number}-{item}",
                draw(st.lists(st.sampled_from(earlier), max_size=3)),
                draw(st.sampled_from(Action)),
            )
            for item in range(draw(st.integers(0, 5)))
        ]
        steps.append(Step(str(number), changes))
        earlier += [made.qualified_name for made in changes]
    return steps


@given(plans())
def test_everything_is_written_once_and_after_what_it_refers_to(steps: list[Step]) -> None:
    rounds = in_rounds(steps)
    assert all(rounds)
    pending = [made.qualified_name for step in steps for made in step.pending]
    assert sorted(made.qualified_name for changes in rounds for made in changes) == sorted(pending)
    created = {made.qualified_name for step in steps for made in step.changes if made.action is Action.CREATE}
    written: set[str] = set()
    for number, changes in enumerate(rounds):
        for made in changes:
            needed = created.intersection(references(made.entity))
            assert needed <= written
            # And not later than it has to be.
            assert not number or needed & {made.qualified_name for made in rounds[number - 1]}
        written.update(made.qualified_name for made in changes)


def test_a_new_file_costs_two_requests_and_a_new_bucket_its_own() -> None:
    attributes = {"name": "s3", "qualifiedName": "default/s3/1"}
    connection = Change({"typeName": "Connection", "attributes": attributes}, Action.CREATE)
    bucket = {"name": "b", "qualifiedName": "default/s3/1/b", "connectionQualifiedName": "default/s3/1"}
    steps = [
        Step("S3 connection", [connection]),
        Step("S3 bucket", [Change({"typeName": "S3Bucket", "attributes": bucket}, Action.CREATE)]),
        Step("S3 objects", [change("object", ["default/s3/1/b"], Action.CREATE)]),
        Step("Extract processes", [change("extract", ["table", "object"], Action.UPDATE)]),
        Step("Load processes", [change("load", ["object", "table"], Action.UPDATE)]),
        Step("Column processes", [change("column", ["a", "b"], Action.KEEP)]),
    ]
    assert [[made.name for made in changes] for changes in in_rounds(steps)] == [
        ["s3"],
        ["b"],
        ["object"],
        ["extract", "load"],
    ]
    later = [Step("S3 bucket", [Change({"typeName": "S3Bucket", "attributes": bucket}, Action.UPDATE)]), *steps[2:]]
    assert [[made.name for made in changes] for changes in in_rounds(later)] == [["b", "object"], ["extract", "load"]]


def test_requests_are_counted_as_they_will_be_sent() -> None:
    steps = [Step("S3 objects", [change(str(number), [], Action.CREATE) for number in range(BATCH_SIZE * 2 + 1)])]
    plan = Plan({}, steps, [], None, False, {})  # type: ignore[arg-type]
    assert plan.write_requests == 3


def test_a_batch_shrinks_once_for_many_slow_answers_and_recovers() -> None:
    size = BatchSize()
    for _ in range(30):
        size.note(50, 6.0)
    assert size.now == 25
    size.note(25, 7.0)
    size.note(50, 9.0)  # an old one
    assert size.now == 12
    size.note(12, 4.0)  # neither slow nor quick
    assert size.now == 12
    for _ in range(20):
        size.note(size.now, 1.0)
    assert size.now == BATCH_SIZE


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 100))))
def test_a_batch_never_leaves_its_bounds(answers: list[tuple[int, float]]) -> None:
    size = BatchSize()
    for carried, seconds in answers:
        size.note(carried, seconds)
        assert BatchSize.LEAST <= size.now <= BATCH_SIZE


# What is sent of a large relation

NAMES = [f"object {number:03}" for number in range(3 * LARGE)]


def refs(names: list[str], type_name: str = "S3Object") -> list[dict[str, Any]]:
    return [{"typeName": type_name, "guid": name, "uniqueAttributes": {"qualifiedName": name}} for name in names]


@given(st.lists(st.sampled_from(NAMES)), st.lists(st.sampled_from(NAMES), unique=True), st.booleans(), st.booleans())
def test_what_is_sent_leads_to_what_is_wanted(held: list[str], wanted: list[str], is_kept: bool, mixed: bool) -> None:
    attributes = {"name": "p", "qualifiedName": "p", "sql": "old", "outputs": refs(held)}
    if mixed and held:
        attributes["outputs"][0]["typeName"] = "Table"
    hit: SearchHit = {"typeName": "Process", "guid": "1", "attributes": attributes}
    sent = {**attributes, "sql": "new", "outputs": refs(wanted)}
    [made] = compare(
        [{"typeName": "Process", "status": "ACTIVE", "attributes": sent}],
        {"p": keep(hit, PROCESS_ATTRIBUTES) if is_kept else hit},
    )
    body = made.as_sent
    assert body["attributes"]["sql"] == "new"
    appended, removed = (
        body.get(f"{word}RelationshipAttributes", {}).get("outputs", []) for word in ("append", "remove")
    )
    names = {ref["uniqueAttributes"]["qualifiedName"] for ref in appended}
    gone = {ref["uniqueAttributes"]["qualifiedName"] for ref in removed}
    if "outputs" in body["attributes"]:
        assert (body["attributes"]["outputs"], names, gone) == (sent["outputs"], set(), set())
        assert len(wanted) < LARGE or not held or mixed
    else:
        assert len(wanted) >= LARGE
        assert names.isdisjoint(held)
        assert gone <= set(held)
        assert (set(held) | names) - gone == set(wanted)
        type_name = attributes["outputs"][0]["typeName"]  # all that is held has one, or nothing would go by itself
        assert all(ref == {"typeName": type_name, "uniqueAttributes": ref["uniqueAttributes"]} for ref in removed)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The processes in the requests that leave this program."""
    seen: list[dict] = []
    handle = PatientTransport.handle_request

    def look(self: PatientTransport, request: httpx.Request) -> httpx.Response:
        if BULK in request.url.path and request.method == "POST":
            seen.extend(one for one in json.loads(request.content)["entities"] if one["typeName"] == "Process")
        return handle(self, request)

    monkeypatch.setattr(PatientTransport, "handle_request", look)
    return seen


def test_of_a_new_file_among_many_only_that_is_sent(world: World, run: Callable[..., Run], sent: list[dict]) -> None:
    def write_day(day: int) -> None:
        (world.files / f"SHIPPERS_{20250101 + day}.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")

    (world.files / "SHIPPERS.csv").unlink()
    for day in range(LARGE):
        write_day(day)
    assert run().code == 0
    assert {len(one["attributes"]["inputs"]) for one in sent if "SHIPPERS" in one["attributes"]["name"]} == {1, LARGE}
    sent.clear()
    write_day(LARGE)
    (world.files / "SHIPPERS_20250101.csv").unlink()
    assert run().code == 0
    assert len(sent) == 2
    for process, side in zip(
        sorted(sent, key=lambda one: one["attributes"]["qualifiedName"]), ("outputs", "inputs"), strict=True
    ):
        assert side not in process["attributes"]
        for word, day in (("append", 20250101 + LARGE), ("remove", 20250101)):
            [ref] = process[f"{word}RelationshipAttributes"][side]
            assert ref["uniqueAttributes"]["qualifiedName"].endswith(f"SHIPPERS_{day}.csv")
    held = world.state()
    sent.clear()
    assert "0 created, 0 updated" in run("--force-refresh").out
    assert sent == []
    [extract] = [one for one in world.assets("Process") if "SHIPPERS →" in one["attributes"]["name"]]
    assert len(extract["attributes"]["outputs"]) == LARGE
    # And the same from nothing.
    assert run("--remove-lineage", "--yes", "--with-s3").code == 0
    assert run().code == 0
    again = world.state()
    assert {name: one for name, one in again.items() if name[0] == "Process"} == {
        name: one for name, one in held.items() if name[0] == "Process"
    }


def test_what_could_not_be_made_is_not_appended(world: World, run: Callable[..., Run], sent: list[dict]) -> None:
    for day in range(LARGE):
        (world.files / f"SHIPPERS_{20250101 + day}.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    assert run().code == 0
    for day in (201, 202):
        (world.files / f"SHIPPERS_{20250000 + day}.csv").write_text("SHIPPERID,SHIPPERNAME,PHONE\n")
    sent.clear()
    world.fail(400, BULK, 1000, method="POST", body_contains='"name": "SHIPPERS_20250202.csv"')
    world.fail(400, BULK, 1000, method="POST", body_contains='"name":"SHIPPERS_20250202.csv"')
    assert run().code == 1
    world.forget()
    names = {
        ref["uniqueAttributes"]["qualifiedName"].rpartition("/")[2]
        for one in sent
        for side in one["appendRelationshipAttributes"].values()
        for ref in side
    }
    assert names == {"SHIPPERS_20250201.csv"}
    assert run().code == 0
    assert "0 created, 0 updated" in run("--force-refresh").out
