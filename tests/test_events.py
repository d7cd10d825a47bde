"""What OpenLineage run events tell: which hops they prove, which they do not, and that nothing in them does any harm."""

from __future__ import annotations

import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from event_world import (
    BUCKET,
    CUSTOMERS,
    ORDERS,
    POSTGRES,
    SNOWFLAKE,
    SOURCE,
    STG_CUSTOMERS,
    STG_ORDERS,
    TARGET,
    assets,
    dataset,
    event,
    hops,
    s3,
    scope,
    sentences,
    tell,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from delta_arc.jobs import events
from delta_arc.jobs.events import Document, fault_of_event, is_static, make_scope, parse_time, read_told
from runtime.openlineage import POSTGRES as POSTGRES_SYSTEM
from runtime.openlineage import normal_namespace

# =====================================================================================================================
# Which hops are told
# =====================================================================================================================


def test_an_export_and_a_load_are_two_hops_with_their_job() -> None:
    told = tell(
        event([ORDERS], [s3("x1.csv")], run=1, job="nightly.export", sql="copy orders to …"),
        event([s3("x1.csv")], [STG_ORDERS], run=2, job="nightly.load", time="2026-01-31T04:00:00+02:00"),
    )
    assert hops(told) == [("", "x1.csv", "STG_ORDERS"), ("ORDERS", "x1.csv", "")]
    load, extract = told.hops
    assert (extract.source, extract.target) == (f"{SOURCE}/ORDERS", "")
    assert (load.source, load.target) == ("", f"{TARGET}/STG_ORDERS")
    assert (extract.job_namespace, extract.job, extract.sql) == ("airflow", "nightly.export", "copy orders to …")
    assert load.teller == "job nightly.load (run 00000000-0000-0000-0000-000000000002, 2026-01-31 02:00 UTC)"
    assert (told.problems, told.events) == ((), 2)


@pytest.mark.parametrize("kind", ["START", "RUNNING", "ABORT", "FAIL", "OTHER"])
def test_only_a_run_that_is_complete_proves_anything(kind: str) -> None:
    told = tell(event([ORDERS], [s3("x1.csv")], kind))
    assert told.hops == ()
    assert sentences(told) == ["a run has no COMPLETE event, and proves nothing (events.jsonl line 1)"]


def test_an_event_without_a_type_proves_nothing() -> None:
    untyped = event([ORDERS], [s3("x1.csv")])
    del untyped["eventType"]
    assert tell(untyped).hops == ()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_the_events_of_a_run_tell_adds_up_in_any_order(order: tuple[int, ...]) -> None:
    parts = [
        event([ORDERS], [], "START", time="2026-01-31T01:00:00Z", sql="select …"),
        event([], [s3("x1.csv")], "RUNNING"),
        event([], [], "COMPLETE", time="2026-01-31T03:00:00Z"),
    ]
    (hop,) = tell(*(parts[number] for number in order)).hops
    assert (hop.key, hop.sql, hop.time.hour) == ("x1.csv", "select …", 3)


def test_a_static_event_is_about_no_run_and_no_fault() -> None:
    job = event([ORDERS], [s3("x1.csv")])
    del job["run"], job["eventType"]
    assert tell(job) == tell({**job, "job": job["job"]})
    assert (tell(job).hops, tell(job).problems) == ((), ())
    assert is_static({"dataset": {}})
    assert not is_static({})


def test_the_newest_telling_of_a_hop_is_kept() -> None:
    told = tell(
        event([ORDERS], [s3("x1.csv")], run=2, time="2026-02-02T00:00:00Z", job="new"),
        event([ORDERS], [s3("x1.csv")], run=1, time="2026-02-01T23:59:59.5Z", job="old"),
    )
    assert [hop.job for hop in told.hops] == ["new"]


def test_one_table_in_many_files_and_many_files_into_one_table() -> None:
    assert len(tell(event([ORDERS], [s3("a.csv"), s3("b.csv")])).hops) == 2
    assert len(tell(event([s3("a.csv"), s3("b.csv")], [STG_ORDERS])).hops) == 2
    # A join of two tables into one file.
    assert len(tell(event([ORDERS, CUSTOMERS], [s3("a.csv")])).hops) == 2


def test_a_run_of_many_tables_has_to_tell_which_goes_where() -> None:
    both = event([ORDERS, CUSTOMERS], [s3("o.csv"), s3("c.csv")])
    assert tell(both).hops == ()
    assert sentences(tell(both)) == [
        "a run has several inputs and outputs, and does not tell which goes where (events.jsonl line 1)"
    ]
    told = event(
        [ORDERS, CUSTOMERS],
        [
            s3("o.csv", [(POSTGRES, "SHOP.SALES.ORDERS", "ID", "id")]),
            s3("c.csv", [(POSTGRES, "SHOP.SALES.CUSTOMERS", "NAME", "name")]),
        ],
    )
    assert hops(tell(told)) == [("CUSTOMERS", "c.csv", ""), ("ORDERS", "o.csv", "")]
    assert [hop.columns for hop in tell(told).hops] == [(("NAME", "name"),), (("ID", "id"),)]


def test_the_columns_tell_which_of_several_tables_a_file_is_made_of() -> None:
    joined = event([ORDERS, CUSTOMERS], [s3("o.csv", [(POSTGRES, "SHOP.SALES.ORDERS", "ID", "id")])])
    assert hops(tell(joined)) == [("ORDERS", "o.csv", "")]


def test_renamed_columns_of_a_load() -> None:
    columns = [("s3://landing-zone", "x1.csv", "c1", "ORDER_ID"), ("s3://landing-zone", "x1.csv", "c2", "CUSTOMER")]
    (hop,) = tell(event([s3("x1.csv")], [dataset(SNOWFLAKE, "DWH.RAW.STG_ORDERS", columns)])).hops
    assert hop.columns == (("c1", "ORDER_ID"), ("c2", "CUSTOMER"))


def test_what_is_only_filtered_by_is_not_carried() -> None:
    target = dataset(SNOWFLAKE, "DWH.RAW.STG_ORDERS", [("s3://landing-zone", "x1.csv", "c1", "ORDER_ID")])
    given = target["facets"]["columnLineage"]["fields"]["ORDER_ID"]["inputFields"]
    given.append({**given[0], "field": "c9", "transformations": [{"type": "INDIRECT", "subtype": "FILTER"}]})
    given[0]["transformations"] = [{"type": "INDIRECT"}, {"type": "DIRECT"}]
    (hop,) = tell(event([s3("x1.csv")], [target])).hops
    assert hop.columns == (("c1", "ORDER_ID"),)


def test_a_later_facet_replaces_an_earlier_one_and_none_does_not() -> None:
    def load(to: str) -> dict[str, Any]:
        return dataset(SNOWFLAKE, "DWH.RAW.STG_ORDERS", [("s3://landing-zone", "x1.csv", "c1", to)] if to else [])

    told = tell(
        event([s3("x1.csv")], [load("ID")], "RUNNING"),
        event([], [load("ORDER_ID")], "RUNNING"),
        event([], [load("")], "COMPLETE"),
    )
    assert [hop.columns for hop in told.hops] == [(("c1", "ORDER_ID"),)]


def test_columns_told_of_one_file_leave_the_others_in() -> None:
    columns = [("s3://landing-zone", "b.csv", "c1", "ORDER_ID")]
    told = tell(event([s3("a.csv"), s3("b.csv")], [dataset(SNOWFLAKE, "DWH.RAW.STG_ORDERS", columns)]))
    assert [(hop.key, hop.columns) for hop in told.hops] == [("a.csv", ()), ("b.csv", (("c1", "ORDER_ID"),))]


def test_what_the_parts_of_a_run_tell_is_told_of_the_run() -> None:
    task = event([], [s3("x1.csv")], run=1, job="nightly.export")
    query = event([ORDERS], [], run=2, parent=1, job="nightly.export.query.1", sql="select …")
    for told in (tell(task, query), tell(query, task)):
        assert [(hop.source.rpartition("/")[2], hop.key, hop.job, hop.sql) for hop in told.hops] == [
            ("ORDERS", "x1.csv", "nightly.export", "select …")
        ]
        assert told.problems == ()
    # Not what has failed, nor by a parent that only holds others together, nor across it.
    failed = event([ORDERS], [], "FAIL", run=2, parent=1)
    assert tell(task, failed).hops == ()
    dag = event([], [], run=9)
    others = [event([ORDERS], [], run=2, parent=9), event([], [s3("x1.csv")], run=3, parent=9)]
    assert tell(dag, *others).hops == ()
    assert tell(event([], [s3("x1.csv")], run=1, parent=1)).hops == ()
    # A part that is whole stays one.
    whole = event([s3("x1.csv")], [STG_ORDERS], run=2, parent=1)
    assert hops(tell(task, whole)) == [("", "x1.csv", "STG_ORDERS")]


@pytest.mark.parametrize("facet", [None, [], 1, {"run": None}, {"run": {"runId": 1}}, {"run": {"runId": "x"}}])
def test_a_parent_of_another_shape_is_none(facet: Any) -> None:
    part = event([ORDERS], [s3("x1.csv")])
    part["run"]["facets"] = {"parent": facet}
    assert hops(tell(part)) == [("ORDERS", "x1.csv", "")]


@pytest.mark.parametrize(
    ("inputs", "outputs", "sentence"),
    [
        ([ORDERS], [STG_ORDERS], "a run goes from PostgreSQL to Snowflake and names no object of the bucket"),
        ([s3("a")], [s3("b")], "a run goes from objects to objects of the bucket, which is not followed"),
        ([STG_ORDERS], [s3("a")], "a run names the bucket and no table of the two connections"),
        ([s3("a")], [ORDERS], "a run names the bucket and no table of the two connections"),
        ([ORDERS], [s3("/")], "a run names the bucket as a whole, and no object or folder of it"),
    ],
)
def test_what_is_no_hop_is_told(inputs: list[Any], outputs: list[Any], sentence: str) -> None:
    told = tell(event(inputs, outputs))
    assert (told.hops, sentences(told)) == ((), [f"{sentence} (events.jsonl line 1)"])


def test_what_is_about_other_systems_is_not_even_told() -> None:
    others = [
        event([dataset("mysql://db:3306", "shop.orders")], [dataset("s3://another", "orders.csv")]),
        event([dataset("s3://another", "orders.csv")], [STG_ORDERS]),
        event([STG_ORDERS], [STG_CUSTOMERS]),
        event([dataset("kafka://k:9092", "orders")], []),
    ]
    assert (tell(*others).hops, tell(*others).problems) == ((), ())


def test_a_table_that_is_not_there_is_told_with_its_name() -> None:
    told = tell(event([s3("x1.csv")], [dataset(SNOWFLAKE, "RAW.STG_ORDERS")]))
    assert sentences(told) == [
        "a run names the bucket and no table of the two connections (events.jsonl line 1, snowflake://acme-prod "
        "RAW.STG_ORDERS)"
    ]


# =====================================================================================================================
# Names
# =====================================================================================================================


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("postgres://DB.acme.example", "postgres://db.acme.example:5432"),
        ("postgresql://db:6543/", "postgres://db:6543"),
        ("s3a://Bucket/", "s3://Bucket"),
        ("snowflake://ACME-Prod", "snowflake://acme-prod"),
        ("bigquery", "bigquery"),
    ],
)
def test_namespaces_are_spelled_one_way(text: str, normal: str) -> None:
    assert normal_namespace(text) == normal == normal_namespace(normal)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("SHOP.SALES.ORDERS", "ORDERS"),
        ("shop.sales.orders", ""),  # two tables of these letters
        ("SHOP.SALES.Orders", "Orders"),
        ("Shop.Sales.Customers", "CUSTOMERS"),
        ('"SHOP"."SALES"."CUSTOMERS"', "CUSTOMERS"),
        ('"shop"."sales"."customers"', ""),  # in quotes, case counts
        ('SHOP.SALES."a.b ""c"""', 'a.b "c"'),
        ('SHOP.SALES.a.b "c"', 'a.b "c"'),
        ("SALES.ORDERS", ""),
        ('SHOP.SALES."ORDERS', ""),
        ("", ""),
    ],
)
def test_a_table_is_found_by_its_name(name: str, found: str) -> None:
    rows = assets("default/postgres/1/SHOP/SALES", {"ORDERS": [], "Orders": [], "CUSTOMERS": [], 'a.b "c"': []})
    assert make_scope(BUCKET, rows, []).tables[POSTGRES_SYSTEM].find(name).rpartition("/")[2] == found


def test_a_namespace_is_the_connections_where_only_one_fits() -> None:
    staging = dataset("postgres://staging:5432", "SHOP.SALES.ORDERS")
    both = [event([ORDERS], [s3("x1.csv")], run=1), event([staging], [s3("x2.csv")], run=2)]
    told = tell(*both, event([s3("x1.csv")], [STG_ORDERS], run=3))
    assert hops(told) == [("", "x1.csv", "STG_ORDERS")]
    assert sentences(told) == [
        "PostgreSQL tables are told in several namespaces, so that none of it is used: name those of the connection in "
        "LINEAGE_NAMESPACES (postgres://db.acme.example:5432 postgres://staging:5432)"
    ]
    assert hops(tell(*both, namespaces=["postgresql://STAGING", SNOWFLAKE])) == [("ORDERS", "x2.csv", "")]
    named = tell(*both, namespaces=["postgres://staging:5432", POSTGRES])
    assert (len(named.hops), named.problems) == (2, ())
    # A namespace that has none of the connection's tables is another's, and no rival.
    elsewhere = event([dataset("postgres://other:5432", "SHOP.SALES.NOTHING")], [s3("x3.csv")], run=4)
    assert hops(tell(both[0], elsewhere)) == [("ORDERS", "x1.csv", "")]


def test_two_spellings_of_one_account_are_one_hop() -> None:
    other = dataset("snowflake://xy12345.us-east-1.aws", "DWH.RAW.STG_ORDERS")
    told = tell(
        event([s3("x1.csv")], [STG_ORDERS], run=1, time="2026-01-01T00:00:00Z", job="older"),
        event([s3("x1.csv")], [other], run=2, job="newer"),
        namespaces=[SNOWFLAKE, "snowflake://XY12345.us-east-1.aws"],
    )
    assert [hop.job for hop in told.hops] == ["newer"]


# =====================================================================================================================
# Events of strangers
# =====================================================================================================================


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-31T02:00:00Z", 2),
        ("2026-01-31t02:00:00.123456789z", 2),
        ("2026-01-31T02:00:00-05:30", 7),
        ("2026-01-31T02:00:00", None),
        ("2026-01-31", None),
        ("2026-02-30T02:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-01-31T02:00:00+99:00", None),
        ("2026-01-31T02:00:00+01:60", None),
        ("２026-01-31T02:00:00Z", None),
    ],
)
def test_times(text: str, hour: int | None) -> None:
    moment = parse_time(text)
    assert (moment and moment.hour) == hour


def _broken(change: Any) -> Any:
    value = event([ORDERS], [s3("x1.csv", [(POSTGRES, "SHOP.SALES.ORDERS", "ID", "id")])], sql="select 1")
    change(value)
    return value


BROKEN = [
    (lambda e: e.pop("eventTime"), "it has no eventTime"),
    (lambda e: e.pop("producer"), "it has no producer"),
    (lambda e: e.update(schemaURL=1), "it has no schemaURL"),
    (lambda e: e.update(eventTime="yesterday"), "its eventTime is no time with a zone"),
    (lambda e: e.update(eventType="DONE"), "its eventType is none of the standard's"),
    (lambda e: e.update(eventType=[]), "its eventType is none of the standard's"),
    (lambda e: e.update(run={}), "its run has no runId that is a UUID"),
    (lambda e: e["run"].update(runId="1"), "its run has no runId that is a UUID"),
    (lambda e: e.update(job={"name": "x"}), "its job has no namespace and name"),
    (lambda e: e["job"].update(facets=[]), "its facets are no JSON object"),
    (lambda e: e["run"].update(facets=1), "its facets are no JSON object"),
    (lambda e: e.update(inputs={}), "its inputs are no list of datasets with a namespace and a name"),
    (lambda e: e.update(inputs=None), "its inputs are no list of datasets with a namespace and a name"),
    (lambda e: e["outputs"].append({"name": "x"}), "its outputs are no list of datasets with a namespace and a name"),
    (lambda e: e["outputs"][0].update(facets=1), "its outputs are no list of datasets with a namespace and a name"),
    (lambda e: e["job"]["facets"].update(sql="select 1"), "its sql facet has no query"),
    (lambda e: e["job"]["facets"]["sql"].pop("query"), "its sql facet has no query"),
]  # fmt: skip
COLUMNS = "its columnLineage facet has no fields with inputFields"
BROKEN_COLUMNS: list[Any] = [
    [], {}, {"fields": []}, {"fields": {"a": {}}}, {"fields": {"a": {"inputFields": {}}}}, {"fields": {"a": {"inputFields": [{}]}}},
    {"fields": {"a": {"inputFields": [{"namespace": "n", "name": "n", "field": 1}]}}},
    {"fields": {"a": {"inputFields": [{"namespace": "n", "name": "n", "field": "f", "transformations": [{}]}]}}},
    {"fields": {"a": {"inputFields": [{"namespace": "n", "name": "n", "field": "f", "transformations": {}}]}}},
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), BROKEN)
def test_an_event_of_another_shape_is_refused_in_a_sentence(change: Any, fault: str) -> None:
    told = tell(_broken(change), event([ORDERS], [s3("x2.csv")], run=2))
    assert sentences(told) == [f"no event, as {fault} (events.jsonl line 1)"]
    assert hops(told) == [("ORDERS", "x2.csv", "")]


@pytest.mark.parametrize("facet", BROKEN_COLUMNS)
def test_columns_of_another_shape_are_refused_in_a_sentence(facet: Any) -> None:
    value = _broken(lambda e: e["outputs"][0]["facets"].update(columnLineage=facet))
    assert fault_of_event(value) == COLUMNS


@pytest.mark.parametrize("value", [None, 1, "x", [], [[]], {}, {"run": None}, {"job": 1, "run": 2}])
def test_whatever_is_no_event_is_told(value: Any) -> None:
    assert tell(value).problems or is_static(value)


def test_the_same_fault_is_counted_and_told_once() -> None:
    assert sentences(tell(1, 2, {}, 3)) == [
        "no event, as it has no eventTime (events.jsonl line 3)",
        "no event, as it is no JSON object (3 times, first events.jsonl line 1)",
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["namespace", "name", "facets", "x"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, item in items for deeper in _paths(item, (*path, name)))]


WHOLE = event(
    [ORDERS, s3("x0.csv")],
    [s3("x1.csv", [(POSTGRES, "SHOP.SALES.ORDERS", "ID", "id")]), STG_ORDERS],
    sql="select 1",
)


@settings(deadline=None)
@given(st.data())
def test_no_value_anywhere_in_an_event_raises(data: st.DataObject) -> None:
    value = copy.deepcopy(WHOLE)
    path = data.draw(st.sampled_from(_paths(value)))
    new = data.draw(JSON)
    if not path:
        value = new
    else:
        place = value
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = new
    told = tell(value)
    assert len(told.hops) <= 3
    if fault := os.environ.get("OPENLINEAGE_SPEC"):
        _hold_to_the_schema(value, Path(fault))


@settings(deadline=None)
@given(st.permutations(range(6)), st.randoms())
def test_the_order_of_events_changes_nothing(order: list[int], chance: random.Random) -> None:
    told = [
        event([ORDERS], [], "START", run=1),
        event([], [s3("x1.csv")], "COMPLETE", run=1),
        event([ORDERS], [s3("x1.csv")], run=2, time="2026-02-01T00:00:00Z"),
        event([s3("x1.csv")], [STG_ORDERS], run=3),
        event([s3("x1.csv")], [STG_ORDERS], run=4),
        event([CUSTOMERS], [s3("c/")], run=5),
    ]
    assert tell(*(told[number] for number in order)).hops == tell(*told).hops


def test_what_is_kept_is_bounded_and_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    (hop,) = tell(event([ORDERS], [s3("x1.csv")], job="j" * 1000 + "\0", sql="\ud800\0" + "s" * 100_000)).hops
    assert (len(hop.job), len(hop.sql)) == (events.MOST_OF_A_JOB, events.MOST_OF_A_STATEMENT)
    assert hop.sql.encode().startswith(b"?")
    assert "\0" not in hop.sql
    monkeypatch.setattr(events, "MOST_DATASETS", 1)
    assert sentences(tell(event([ORDERS], [s3("x1.csv")]))) == [
        "an event has more than 1 datasets (events.jsonl line 1)"
    ]


def test_no_more_hops_than_a_limit_are_kept_and_those_stay_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_HOPS", 1)
    told = tell(
        event([ORDERS], [s3("x1.csv")], run=1),
        event([ORDERS], [s3("x2.csv")], run=2),
        event([ORDERS], [s3("x1.csv")], run=3, time="2026-02-01T00:00:00Z", job="newer"),
    )
    assert [(hop.key, hop.job) for hop in told.hops] == [("x1.csv", "newer")]
    assert sentences(told) == ["more than 1 hops are told, and the rest is left out (events.jsonl line 2)"]


def test_runs_are_waited_for_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_RUNS", 3)
    started = [event([ORDERS], [s3(f"{run}.csv")], "START", run=run) for run in range(10)]
    ended = [event([], [], "COMPLETE", run=run) for run in (9, 8, 0)]
    assert hops(tell(*started, *ended)) == [("ORDERS", "8.csv", ""), ("ORDERS", "9.csv", "")]


# =====================================================================================================================
# The standard's own words: its schema, from a checkout of its repository, and its Python classes
# =====================================================================================================================


def _hold_to_the_schema(value: Any, spec: Path) -> None:
    """What the schema takes as a run event, we take; what we refuse, it refuses."""
    import jsonschema
    import referencing

    schemas = [json.loads(path.read_text()) for path in [spec / "OpenLineage.json", *spec.glob("facets/*.json")]]
    registry = referencing.Registry().with_contents([(schema["$id"], schema) for schema in schemas])

    def is_valid(item: Any, reference: str) -> bool:
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        return bool(
            jsonschema.Draft202012Validator({"$ref": reference}, registry=registry, format_checker=checker).is_valid(
                item
            )
        )

    base = next(schema["$id"] for schema in schemas if "RunEvent" in schema.get("$defs", {}))
    if is_valid(value, f"{base}#/$defs/RunEvent"):
        job, outputs = value["job"], value.get("outputs", [])
        facets = [("SQLJobFacet", job.get("facets", {}).get("sql"))]
        facets += [("ColumnLineageDatasetFacet", item.get("facets", {}).get("columnLineage")) for item in outputs]
        for name, facet in facets:
            schema = next(schema for schema in schemas if name in schema.get("$defs", {}))
            if facet is not None and not is_valid(facet, f"{schema['$id']}#/$defs/{name}"):
                return
        assert fault_of_event(value) == ""


@pytest.mark.skipif("OPENLINEAGE_SPEC" not in os.environ, reason="needs the folder spec/ of OpenLineage's repository")
def test_our_check_is_the_standards() -> None:
    spec = Path(os.environ["OPENLINEAGE_SPEC"])
    _hold_to_the_schema(WHOLE, spec)
    for path in spec.glob("tests/*event*.json"):
        for value in json.loads(path.read_text()) if path.name.startswith("[") else [json.loads(path.read_text())]:
            assert fault_of_event(value) == "", path


def test_events_of_the_standards_own_classes_are_taken() -> None:
    from openlineage.client import event_v2, facet_v2, serde

    input_field = facet_v2.column_lineage_dataset.InputField(POSTGRES, "SHOP.SALES.ORDERS", "CUST")
    columns = facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet(
        {"customer": facet_v2.column_lineage_dataset.Fields([input_field])}
    )
    sql = facet_v2.sql_job.SQLJobFacet("select cust as customer from orders")
    made = event_v2.RunEvent(
        eventType=event_v2.RunState.COMPLETE,
        eventTime="2026-01-31T02:00:00.123456+00:00",
        run=event_v2.Run("01890a5d-ac96-774b-bcce-b302099a8057"),
        job=event_v2.Job("airflow", "nightly.orders", {"sql": sql}),
        inputs=[event_v2.InputDataset(POSTGRES, "SHOP.SALES.ORDERS")],
        outputs=[event_v2.OutputDataset(f"s3://{BUCKET}", "orders/", facets={"columnLineage": columns})],
    )
    (hop,) = tell(json.loads(serde.Serde.to_json(made))).hops
    assert (hop.key, hop.columns, hop.sql) == ("orders", (("CUST", "customer"),), "select cust as customer from orders")


def test_documents_with_a_fault_are_counted_apart() -> None:
    told = read_told([Document("a.jsonl line 1", fault="it is no JSON"), Document("a.jsonl line 2", WHOLE)], scope())
    assert (told.events, sentences(told)[-1]) == (1, "no event, as it is no JSON (a.jsonl line 1)")
