"""What Delta Arc knows, as OpenLineage run events: for catalogues that speak the standard, and to be read again. Pure, but for
`export_lineage`.

A run for each process, with the facets `sql`, `documentation` and `columnLineage`. Datasets are named as the standard's "Naming Conventions" say.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from delta_arc.entities import Entity, Flow
from delta_arc.jobs.told import TOLD, Columns, ToldHop
from delta_arc.matching import AssetRow, places_of
from delta_arc.plan import Plan, compared_value
from delta_arc.settings import Settings
from runtime.errors import PipelineError
from runtime.files import replace_file
from runtime.openlineage import (
    GROUND_FACET,
    POSTGRES,
    PRODUCER,
    SNOWFLAKE,
    Event,
    make_dataset,
    make_event,
    normal_namespace,
    system_of,
)
from runtime.terminal import logger

JOB_NAMESPACE = "delta-arc"
MOST_IN_EVENT = 10_000  # objects: those beyond are told in RUNNING events before, as what is told of a run adds up


@dataclass(frozen=True)
class Naming:
    """How assets are named as datasets: the namespaces of the two connections, the bucket, and each table's own name."""

    postgres: str  # like postgres://db.acme.com:5432
    snowflake: str  # like snowflake://acme-prod
    bucket: str
    tables: Mapping[str, str]  # database.schema.table, by qualified name


def make_naming(postgres: str, snowflake: str, bucket: str, assets: Sequence[AssetRow]) -> Naming:
    """The naming of a flow; `assets` are the rows of both connections."""
    names = {row[0]: row[1] for row in assets}
    return Naming(
        postgres,
        snowflake,
        bucket,
        {table: ".".join((*place, names[table])) for table, place in places_of(assets).items()},
    )


def hops_of_processes(entities: Iterable[Entity], assets: Sequence[AssetRow], time: datetime) -> list[ToldHop]:
    """The hops of the processes that a flow wants, each told by the process itself; `assets` are the rows of both sides.

    The columns of the file are those of the source that are carried, under the same names, as the match of columns has
    them. They are told of one object of each process, the last by its key, as are the columns of a header.
    """
    listed, names = list(entities), {row[0]: row[1] for row in assets}
    carried: dict[str, list[tuple[str, str]]] = {}
    for entity in listed:
        if entity["typeName"] == "ColumnProcess":
            lefts, (right,) = (compared_value(entity["attributes"][end]) for end in ("inputs", "outputs"))
            pairs = carried.setdefault(compared_value(entity["attributes"]["process"]), [])
            pairs += [(left, right) for left in lefts]
    of_source: dict[str, dict[str, None]] = {}
    for pairs in carried.values():
        for left, _ in pairs:
            of_source.setdefault(left.removesuffix(f"/{names[left]}"), {})[names[left]] = None
    hops: list[ToldHop] = []
    for entity in listed:
        if entity["typeName"] == "Process":
            attributes = entity["attributes"]
            inputs, outputs = (compared_value(attributes[end]) for end in ("inputs", "outputs"))
            is_extract = attributes["inputs"][0]["typeName"] != "S3Object"
            if is_extract:
                source, target, objects = inputs[0], "", outputs
                columns: Columns = tuple((name, name) for name in sorted(of_source.get(source, ())))
            else:
                source, target, objects = "", outputs[0], inputs
                pairs = carried.get(attributes["qualifiedName"], [])
                columns = tuple(sorted((names[left], names[right]) for left, right in pairs))
            hops += _hops_of(attributes, (source, target), sorted(map(_key_of, objects)), columns, time)
    return hops


def _hops_of(
    attributes: Mapping[str, Any], tables: tuple[str, str], keys: Sequence[str], columns: Columns, time: datetime
) -> Iterator[ToldHop]:
    job = attributes["qualifiedName"]
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}/{job}/{time.isoformat()}"))
    ground = _ground_of(attributes.get("additionalEtlContext"))
    for key in keys:
        told = columns if key == keys[-1] else ()
        yield ToldHop(
            tables[0], key, tables[1], told, JOB_NAMESPACE, job, run_id, time, attributes.get("sql", ""), ground
        )


def _key_of(qualified_name: str) -> str:
    """The key of an S3Object: `<connection>/<bucket ARN>/<key>`, of which the first has three segments."""
    return qualified_name.split("/", 4)[4].strip("/")


def _ground_of(context: object) -> str:
    try:
        value = json.loads(context) if isinstance(context, str) else None
    except ValueError:
        return TOLD
    return str(value.get("ground", TOLD)) if isinstance(value, dict) else TOLD


def make_events(hops: Iterable[ToldHop], naming: Naming) -> Iterator[Event]:
    """The events of the runs of some hops: each run is of one table, in one direction."""
    runs: dict[tuple[str, str, str], list[ToldHop]] = {}
    for hop in hops:
        runs.setdefault((hop.run_id, hop.source, hop.target), []).append(hop)
    for key in sorted(runs):
        found = sorted(runs[key], key=lambda hop: hop.key)
        for start in range(0, len(found), MOST_IN_EVENT):
            is_last = start + MOST_IN_EVENT >= len(found)
            yield _make_event(found[start : start + MOST_IN_EVENT], "COMPLETE" if is_last else "RUNNING", naming)


def _make_event(hops: Sequence[ToldHop], kind: str, naming: Naming) -> Event:
    hop, bucket = hops[0], f"s3://{naming.bucket}"
    objects = [make_dataset(bucket, item.key) for item in hops]
    if hop.source:
        table = make_dataset(naming.postgres, naming.tables[hop.source])
        inputs = [table]
        outputs = [make_dataset(bucket, item.key, [(table, pair) for pair in item.columns]) for item in hops]
        words = f"Exports {table['name']} to {len(hops)} objects"
    else:
        columns = [(given, pair) for item, given in zip(hops, objects, strict=True) for pair in item.columns]
        table = make_dataset(naming.snowflake, naming.tables[hop.target], columns)
        inputs, outputs = objects, [table]
        words = f"Loads {len(hops)} objects into {table['name']}"
    facets = {
        "documentation": {"description": f"{words}. Known to Delta Arc; ground: {hop.ground}."},
        GROUND_FACET: {"ground": hop.ground},
        **({"sql": {"query": hop.sql}} if hop.sql else {}),
    }
    return make_event(kind, hop.time, hop.run_id, (hop.job_namespace, hop.job), facets, inputs, outputs)


def to_lines(events: Iterable[Event]) -> Iterator[str]:
    """The events as JSON lines."""
    for event in events:
        yield json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"


def export_lineage(plan: Plan, assets: Sequence[AssetRow], path: Path, flow: Flow | None, settings: Settings) -> None:
    """Write the lineage that a plan wants as OpenLineage events; raises `PipelineError` where the file cannot be written.

    Where LINEAGE_NAMESPACES names none, a connection's qualified name stands for its host.
    """
    given = {system_of(normal_namespace(name)): name for name in reversed(settings.lineage_namespaces)}
    postgres = given.get(POSTGRES) or f"postgres://{flow.postgres_connection if flow else ''}"
    snowflake = given.get(SNOWFLAKE) or f"snowflake://{flow.snowflake_connection if flow else ''}"
    naming = make_naming(postgres, snowflake, settings.s3_bucket, assets)
    entities = [change.entity for step in plan.steps for change in step.changes]
    events = make_events(hops_of_processes(entities, assets, datetime.now(timezone.utc)), naming)
    lines = [*to_lines(events)]
    try:
        replace_file(path, "".join(lines))
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written ({error.strerror or error}): name a file in a folder of yours."
        ) from None
    logger.info("💾 Exported %d OpenLineage events to %s", len(lines), path)
