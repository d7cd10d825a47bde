"""What is written together, and how many at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delta_arc.plan import BATCH_SIZE, Action, Change, Plan, Step, in_rounds, references
from delta_arc.writing import BatchSize


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
