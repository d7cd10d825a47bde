"""OpenLineage events for the tests, as small as the standard allows, and the tables that they are about."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from delta_arc.jobs.events import Document, Scope, make_scope, read_told
from delta_arc.jobs.told import Told

BUCKET = "landing-zone"
POSTGRES, SNOWFLAKE, S3 = "postgres://db.acme.example:5432", "snowflake://acme-prod", f"s3://{BUCKET}"
SOURCE, TARGET = "default/postgres/1/SHOP/SALES", "default/snowflake/2/DWH/RAW"
PRODUCER = "https://example.com/test"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def assets(schema: str, tables: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The rows of a schema's tables and their columns, as the discovery gives them."""
    rows = []
    for table, columns in tables.items():
        rows.append([f"{schema}/{table}", table, "Table"])
        rows += [[f"{schema}/{table}/{column}", column, "Column"] for column in columns]
    return rows


SOURCES = assets(SOURCE, {"ORDERS": ["ID", "CUST"], "CUSTOMERS": ["ID", "NAME"]})
TARGETS = assets(TARGET, {"STG_ORDERS": ["ORDER_ID", "CUSTOMER"], "STG_CUSTOMERS": ["ID", "NAME"]})


def scope(*namespaces: str) -> Scope:
    return make_scope(BUCKET, SOURCES, TARGETS, namespaces)


def dataset(
    namespace: str, name: str, columns: Sequence[tuple[str, str, str, str]] = (), **facets: Any
) -> dict[str, Any]:
    """A dataset; `columns` are (namespace and name of an input, its column, the column here)."""
    made: dict[str, Any] = {"namespace": namespace, "name": name}
    fields: dict[str, Any] = {}
    for left, left_name, column, to in columns:
        fields.setdefault(to, {"inputFields": []})["inputFields"].append(
            {"namespace": left, "name": left_name, "field": column}
        )
    if fields:
        facets["columnLineage"] = {"_producer": PRODUCER, "_schemaURL": SCHEMA, "fields": fields}
    return {**made, "facets": facets} if facets else made


def event(
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    kind: str = "COMPLETE",
    run: str | int = 1,
    time: str = "2026-01-31T02:00:00Z",
    job: str = "nightly.orders",
    sql: str = "",
    parent: int = 0,
) -> dict[str, Any]:
    facets = {"sql": {"_producer": PRODUCER, "_schemaURL": SCHEMA, "query": sql}} if sql else {}
    whole = {"run": {"runId": str(uuid.UUID(int=parent))}, "job": {"namespace": "airflow", "name": "whole"}}
    run_facets = {"parent": {"_producer": PRODUCER, "_schemaURL": SCHEMA, **whole}} if parent else {}
    return {
        "eventType": kind,
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run if isinstance(run, str) else str(uuid.UUID(int=run)), "facets": run_facets},
        "job": {"namespace": "airflow", "name": job, "facets": facets},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


ORDERS = dataset(POSTGRES, "SHOP.SALES.ORDERS")
CUSTOMERS = dataset(POSTGRES, "SHOP.SALES.CUSTOMERS")
STG_ORDERS = dataset(SNOWFLAKE, "DWH.RAW.STG_ORDERS")
STG_CUSTOMERS = dataset(SNOWFLAKE, "DWH.RAW.STG_CUSTOMERS")


def s3(key: str, columns: Sequence[tuple[str, str, str, str]] = ()) -> dict[str, Any]:
    return dataset(S3, key, columns)


def tell(*events: Any, namespaces: Sequence[str] = ()) -> Told:
    """What these events tell of the tables above."""
    documents = (Document(f"events.jsonl line {number}", value) for number, value in enumerate(events, start=1))
    return read_told(documents, scope(*namespaces))


def hops(told: Told) -> list[tuple[str, str, str]]:
    """The hops as (source, key, target), by the last names of the tables."""
    return [(hop.source.rpartition("/")[2], hop.key, hop.target.rpartition("/")[2]) for hop in told.hops]


def sentences(told: Told) -> list[str]:
    return [str(problem) for problem in told.problems]
