"""OpenLineage events, and the assets that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import Raw, Stack, admin_role, build_connection, column_of, new_connection, new_stack, raw, save, unique
from hypothesis import given, settings
from hypothesis import strategies as st
from pyatlan.client.atlan import AtlanClient
from pyatlan.errors import AtlanError
from pyatlan.model.assets import Connection
from pyatlan.model.enums import AtlanConnectorType
from pyatlan.model.lineage import FluentLineage

import sandbox
from sandbox.openlineage import Dataset, Run

PATH = "/events/openlineage/spark/api/v1/lineage"
TIMES = {
    "START": "2026-01-02T03:04:05.678Z",
    "COMPLETE": "2026-01-02T03:05:05.1234567+00:00",
    "FAIL": "2026-01-02T03:05:05Z",
}


@pytest.fixture
def spark(atlan: AtlanClient) -> Connection:
    """A connection that events can go to."""
    connection = build_connection(atlan, AtlanConnectorType.SPARK)
    save(atlan, connection)
    return connection


def event(connection: Connection, state: str, run: str, **told: Any) -> dict[str, Any]:
    return {
        "eventType": state,
        "eventTime": TIMES.get(state, TIMES["START"]),
        "run": {"runId": run},
        "job": {"namespace": connection.name, "name": "app.load", "facets": {"sql": {"query": "insert into t"}}},
        "producer": "https://example.com",
        **told,
    }


def named(namespace: str, name: str, **columns: list[tuple[str, str, str]]) -> dict[str, Any]:
    dataset: dict[str, Any] = {"namespace": namespace, "name": name}
    fields = {
        column: {"inputFields": [{"namespace": one[0], "name": one[1], "field": one[2]} for one in sources]}
        for column, sources in columns.items()
    }
    return {**dataset, "facets": {"columnLineage": {"fields": fields}}} if fields else dataset


def send(tenant: sandbox.Tenant, *events: dict[str, Any]) -> None:
    for one in events:
        assert raw(tenant).call("POST", PATH, json=one).status_code == 202


def everything(tenant: sandbox.Tenant, connection: Connection) -> dict[str, dict[str, Any]]:
    """All that is in a connection beside itself, by type and the name below it."""
    query = {"prefix": {"qualifiedName": f"{connection.qualified_name}/"}}
    shown = [
        "inputs",
        "outputs",
        "process",
        "isPartial",
        "sql",
        "sparkRunOpenLineageState",
        "sparkRunStartTime",
        "sparkRunEndTime",
    ]
    body = {"dsl": {"query": query, "size": 100}, "attributes": shown}
    found = raw(tenant).call("POST", "/api/meta/search/indexsearch", json=body).json().get("entities", [])
    skipped = len(str(connection.qualified_name)) + 1
    return {f"{one['typeName']} {one['attributes']['qualifiedName'][skipped:]}": one["attributes"] for one in found}


def names(references: list[dict[str, Any]]) -> list[str]:
    return sorted(one["uniqueAttributes"]["qualifiedName"] for one in references)


def test_a_run_makes_a_job_its_process_and_partial_assets(tenant: sandbox.Tenant, spark: Connection) -> None:
    there = "postgres://db.example.com:5432"
    start = event(spark, "START", "r1", inputs=[named(there, "shop.public.orders")])
    output = named(
        there, "dw.public.facts", total=[(there, "shop.public.orders", "amount"), (there, "shop.public.orders", "tax")]
    )
    end = event(spark, "COMPLETE", "r1", outputs=[output])
    send(tenant, start)
    assert everything(tenant, spark) == {}
    send(tenant, end)

    found, root = everything(tenant, spark), spark.qualified_name
    assert set(found) == {
        "SparkJob app.load", "Process app.load/process", "ColumnProcess app.load/process/dw/public/facts/total",
        "Table shop/public/orders", "Table dw/public/facts",
        "Column shop/public/orders/amount", "Column shop/public/orders/tax", "Column dw/public/facts/total",
    }  # fmt: skip
    job, process = found["SparkJob app.load"], found["Process app.load/process"]
    assert names(process["inputs"]) == names(job["inputs"]) == [f"{root}/shop/public/orders"]
    assert names(process["outputs"]) == names(job["outputs"]) == [f"{root}/dw/public/facts"]
    assert names([job["process"]]) == [f"{root}/app.load/process"]
    assert (job["sparkRunOpenLineageState"], process["sql"]) == ("COMPLETE", "insert into t")
    assert job["sparkRunEndTime"] - job["sparkRunStartTime"] == 59_445
    column = found["ColumnProcess app.load/process/dw/public/facts/total"]
    assert names(column["inputs"]) == [f"{root}/shop/public/orders/{name}" for name in ("amount", "tax")]
    assert names([column["process"]]) == [f"{root}/app.load/process"]
    assert all(one["isPartial"] for name, one in found.items() if name.startswith(("Table", "Column ")))


def test_datasets_that_the_tenant_has_are_used(atlan: AtlanClient, tenant: sandbox.Tenant, spark: Connection) -> None:
    snowflake, s3 = new_stack(atlan, AtlanConnectorType.SNOWFLAKE), new_connection(atlan, AtlanConnectorType.S3)
    database = unique("wh")
    facts = {"name": "FACTS", "qualifiedName": f"{snowflake.connection}/{database.upper()}/PUBLIC/FACTS"}
    column = {"name": "TOTAL", "qualifiedName": f"{facts['qualifiedName']}/TOTAL"}
    bucket = unique("bucket")
    landed = f"{s3}/arn:aws:s3:::{bucket}/in/o.csv"
    assert (
        raw(tenant).save({"typeName": "S3Object", "attributes": {"name": "o.csv", "qualifiedName": landed}}).is_success
    )
    assert (
        raw(tenant)
        .save(*({"typeName": t, "attributes": a} for t, a in (("Table", facts), ("Column", column))))
        .is_success
    )
    place = "snowflake://acme.eu"
    source = named(f"s3://{bucket}", "in/o.csv")
    output = named(
        place,
        f"{database}.public.facts",
        total=[(f"s3://{bucket}", "in/o.csv", "total")],
        total2=[(place, "x.y.z", "a")],
    )
    send(tenant, event(spark, "START", "r2", inputs=[source], outputs=[output]), event(spark, "COMPLETE", "r2"))

    found = everything(tenant, spark)
    assert set(found) == {
        "SparkJob app.load",
        "Process app.load/process",
    }  # objects have no columns, and x.y.z is no input
    assert names(found["Process app.load/process"]["inputs"]) == [landed]
    assert names(found["Process app.load/process"]["outputs"]) == [facts["qualifiedName"]]


def test_lineage_can_be_walked(atlan: AtlanClient, tenant: sandbox.Tenant, spark: Connection) -> None:
    stack: Stack = new_stack(atlan, AtlanConnectorType.POSTGRES)
    database = stack.database.rpartition("/")[2]
    source, target = stack.table(unique("a")), stack.table(unique("b"))
    columns = [column_of(table, "id", 1) for table in (source, target)]
    source_guid, *_ = save(atlan, source, target)
    save(atlan, *columns)
    # Two connections may have a database of the name: the host decides.
    other = new_stack(atlan, AtlanConnectorType.POSTGRES)
    save(atlan, other.table(str(source.name)), other.table(str(target.name)))
    for one, host in ((stack, "db.example.com"), (other, "other.example.com")):
        connection = {"qualifiedName": one.connection, "name": "shop", "host": host}
        assert raw(tenant).save({"typeName": "Connection", "attributes": connection}).is_success
    there = "postgres://db.example.com:5432"
    left, right = (f"{database}.public.{table.name}" for table in (source, target))
    output = named(there, right, id=[(there, left, "id")])
    send(
        tenant,
        event(spark, "START", "r3"),
        event(spark, "COMPLETE", "r3", inputs=[named(there, left)], outputs=[output]),
    )

    request = FluentLineage(starting_guid=source_guid, includes_on_results=["name"]).request
    assert [one.name for one in atlan.asset.get_lineage_list(request)] == ["app.load", target.name]
    assert len(everything(tenant, spark)) == 3  # with the process of the column


def test_a_second_run_changes_the_process_of_the_first(tenant: sandbox.Tenant, spark: Connection) -> None:
    there = "postgres://db.example.com"
    for run, name in (("r4", "a.b.one"), ("r5", "a.b.two")):
        told = {"inputs": [named(there, name)], "outputs": [named(there, "a.b.c")]}
        send(tenant, event(spark, "START", run, **told), event(spark, "RUNNING", run), event(spark, "FAIL", run))
    found = everything(tenant, spark)
    assert names(found["Process app.load/process"]["inputs"]) == [f"{spark.qualified_name}/a/b/two"]
    assert found["SparkJob app.load"]["sparkRunOpenLineageState"] == "FAIL"


def test_what_makes_no_lineage(tenant: sandbox.Tenant, spark: Connection) -> None:
    both = {"inputs": [named("postgres://h", "a.b.c")], "outputs": [named("postgres://h", "a.b.d")]}
    send(tenant, event(spark, "COMPLETE", "never started", **both))
    elsewhere = {"job": {"namespace": "nobody's", "name": "x"}}
    send(tenant, event(spark, "START", "r6", **both, **elsewhere), event(spark, "COMPLETE", "r6", **both, **elsewhere))
    send(tenant, {"dataset": {"namespace": "postgres://h", "name": "a.b.c"}})  # of no run
    assert everything(tenant, spark) == {}
    send(tenant, event(spark, "START", "r7", inputs=both["inputs"]), event(spark, "COMPLETE", "r7"))
    assert set(everything(tenant, spark)) == {"SparkJob app.load"}  # without outputs


def test_a_connector_that_has_no_connection(atlan: AtlanClient, tenant: sandbox.Tenant) -> None:
    answer = raw(tenant).call("POST", "/events/openlineage/airflow-mwaa/api/v1/lineage", json={})
    assert (answer.status_code, answer.text.partition(":")[0]) == (401, "Unauthorized")
    with pytest.raises(AtlanError, match="OpenLineage"):
        atlan.open_lineage.send([], AtlanConnectorType.AIRFLOW_MWAA)


def test_a_task_of_airflow(atlan: AtlanClient, tenant: sandbox.Tenant) -> None:
    connection = new_connection(atlan, AtlanConnectorType.AIRFLOW)
    name = atlan.asset.get_by_qualified_name(connection, Connection).name
    events = [
        {
            "eventType": state,
            "eventTime": TIMES[state],
            "run": {"runId": "a"},
            "job": {"namespace": name, "name": "dag.task"},
        }
        for state in ("START", "COMPLETE")
    ]
    assert raw(tenant).call("POST", PATH.replace("spark", "airflow"), json=events).status_code == 202
    query = {"term": {"qualifiedName": f"{connection}/dag.task"}}
    (found,) = raw(tenant).call(
        "POST", "/api/meta/search/indexsearch", json={"dsl": {"query": query}, "attributes": ["airflowDagName"]}
    ).json()["entities"]  # fmt: skip
    assert (found["typeName"], found["attributes"]["airflowDagName"]) == ("AirflowTask", "dag")


def test_a_run_goes_on_after_a_restart(tmp_path: Path) -> None:
    connection = Connection.updater("default/spark/1", "c")
    both = {
        "inputs": [named("postgres://h", "a.b.c")],
        "outputs": [named("postgres://h", "a.b.d", x=[("postgres://h", "a.b.c", "y")])],
    }
    with sandbox.start(tmp_path, inventories=()) as tenant:
        entity = {"typeName": "Connection", "attributes": {"name": "c", "qualifiedName": "default/spark/1"}}
        assert raw(tenant).save(entity).is_success
        send(tenant, event(connection, "START", "r", **both))
    with sandbox.start(tmp_path, inventories=()) as tenant:
        send(tenant, event(connection, "COMPLETE", "r"))
        assert "ColumnProcess app.load/process/a/b/d/x" in everything(tenant, connection)


BAD: list[Any] = [
    None, 3, ["x"],
    {"run": {}}, {"run": {"runId": 3}}, {"run": None},
    {"job": None}, {"job": {"namespace": "n"}},
    {"eventType": "BEGUN"}, {"eventType": None}, {"eventType": ["START"]},
    {"eventTime": "yesterday"}, {"eventTime": None},
    {"inputs": {}}, {"inputs": [3]}, {"inputs": [{"namespace": "n"}]}, {"outputs": "x"},
    {"outputs": [{"namespace": "n", "name": "m", "facets": {"columnLineage": {"fields": {"a": {"inputFields": 3}}}}}]},
    {"outputs": [{"namespace": "n", "name": "m", "facets": {"columnLineage": {"fields": {"a": {"inputFields": [{}]}}}}}]},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_event_is_refused(tenant: sandbox.Tenant, spark: Connection, bad: Any) -> None:
    body = {**event(spark, "START", "bad"), **bad} if isinstance(bad, dict) else bad
    assert raw(tenant).call("POST", PATH, json=body).status_code == 400


@pytest.mark.parametrize("facets", [3, [], {"columnLineage": 3}, {"columnLineage": {"fields": []}}, {"sql": []}])
def test_facets_that_are_none_are_passed_over(tenant: sandbox.Tenant, spark: Connection, facets: Any) -> None:
    output = {"namespace": "postgres://h", "name": "a.b.c", "facets": facets}
    send(
        tenant,
        event(spark, "START", "odd", outputs=[output], job={"namespace": spark.name, "name": "j", "facets": facets}),
    )


TEXTS = st.text(max_size=5)
DATASETS = st.builds(Dataset, TEXTS, TEXTS)


@settings(max_examples=50)
@given(
    st.builds(
        Run,
        TEXTS,
        TEXTS,
        st.none() | st.integers(0, 10**15),
        st.lists(DATASETS),
        st.lists(DATASETS),
        st.lists(st.tuples(DATASETS, TEXTS, st.lists(st.tuples(DATASETS, TEXTS)))),
        TEXTS,
        st.tuples(TEXTS, TEXTS),
    )
)
def test_a_run_is_read_as_it_was_kept(run: Run) -> None:
    assert Run.read(run.document()) == run


@pytest.mark.parametrize(
    ("namespace", "name", "connector", "path"),
    [
        ("postgres://h:5432", "db.public.t", "postgres", "db/public/t"),
        ("postgresql://h", "db.public.t", "postgres", "db/public/t"),
        ("snowflake://org-acc", 'DB."My".T', "snowflake", "DB/My/T"),
        ("s3://bucket", "a/b.csv", "s3", "bucket/a/b.csv"),
        ("s3://bucket", "/a/", "s3", "bucket/a"),
        ("gs://bucket", "a.b", "gcs", "bucket/a.b"),
        ("kafka://host:9092", "topic.a", "kafka", "topic.a"),
        ("nothing", "a.b", "nothing", "a/b"),
    ],
)
def test_names_of_datasets(namespace: str, name: str, connector: str, path: str) -> None:
    assert (Dataset(namespace, name).connector, Dataset(namespace, name).path) == (connector, path)


# Credentials


def test_pyatlan_makes_a_connection_with_credentials(atlan: AtlanClient) -> None:
    answer = atlan.open_lineage.create_connection(name=unique("spark"), admin_roles=[admin_role(atlan)])
    assert answer.mutated_entities
    (made,) = [*(answer.mutated_entities.CREATE or []), *(answer.mutated_entities.UPDATE or [])]
    assert isinstance(made, Connection)
    credential = atlan.credentials.get(str(made.default_credential_guid))
    assert credential.connector_config_name == "atlan-connectors-spark"
    assert "events.urlPath" in (credential.extras or {})


def test_credentials_are_kept_without_their_secrets(tenant: sandbox.Tenant) -> None:
    http: Raw = raw(tenant)
    sent = {
        "name": "c",
        "connectorType": "event",
        "username": "u",
        "password": "p4ss",
        "extra": {"key": "s3cret", "events.topic": "t"},
    }
    made = http.call("POST", "/api/service/credentials", json=sent).json()
    path = f"/api/service/credentials/{made['id']}"
    read = http.call("GET", path)
    assert read.json() == made
    assert made["extra"] == {"events.topic": "t"}
    assert "p4ss" not in read.text
    assert "s3cret" not in read.text
    assert http.call("POST", path, json={"host": "h"}).json()["host"] == "h"
    query = {"filter": '{"connectorType":"event","isActive":true}', "limit": 100}
    listed = http.call("GET", "/api/service/credentials", params=query).json()
    assert made["id"] in [one["id"] for one in listed["records"]]
    assert (
        http.call("GET", "/api/service/credentials", params={"filter": '{"connector_type":"event"}'}).status_code == 400
    )
    assert http.call("POST", f"{path}/archive").is_success
    assert http.call("GET", path).status_code == 404
