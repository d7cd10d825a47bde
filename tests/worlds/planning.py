"""The lineage that Delta Arc plans for a generated world, without Atlan and S3."""

from __future__ import annotations

import io
from typing import Any

from delta_arc.entities import Flow, RegisteredObject, make_bucket, make_s3_object
from delta_arc.evidence import gather_evidence
from delta_arc.hops import find_hops, group_datasets, match_rest
from delta_arc.matching import columns_by_parent, match_s3_objects
from delta_arc.overrides_file import parse_overrides
from delta_arc.pairing import match_tables
from delta_arc.processes import column_processes, table_processes
from delta_arc.rivals import Rivals
from worlds.generator import Edge, GeneratedWorld, Kind, rows_of


class Objects:
    """The objects of a world, where S3 is asked for them."""

    def __init__(self, world: GeneratedWorld) -> None:
        self.world = world

    def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
        start, end = Range.removeprefix("bytes=").split("-")
        return {"Body": io.BytesIO(self.world.objects[Key].body[int(start) : int(end) + 1])}


def plan_edges(world: GeneratedWorld) -> set[Edge]:
    """The edges of the processes that a run would want."""
    sources, targets = rows_of(world.sources), rows_of(world.targets)
    bucket = make_bucket("default/s3/1/arn:aws:s3:::b", "b", "arn:aws:s3:::b", None)
    flow = Flow(world.postgres, "default/s3/1/arn:aws:s3:::b", world.prefix, world.snowflake)
    objects: dict[str, RegisteredObject] = {}
    for key, item in sorted(world.objects.items()):
        if key.startswith(world.prefix):
            listed = {"key": key, "size": len(item.body), "last_modified": item.modified, "etag": str(hash(item.body))}
            names = {"bucket": flow.bucket, "bucket_name": "b", "prefix": world.prefix}
            entity = make_s3_object(bucket, listed)
            objects[key] = {**listed, **names, "qualified_name": entity["attributes"]["qualifiedName"]}
    overrides = parse_overrides("", "", sources, targets)
    pairs = match_tables(sources, targets)
    matches = match_rest(match_s3_objects(objects, sources, world.prefix), pairs, targets, overrides, world.prefix)
    datasets = group_datasets(matches, objects)
    columns = {table: [row[1] for row in rows] for table, rows in columns_by_parent([*sources, *targets]).items()}
    rivals = Rivals(columns, [*sources, *targets], pairs)
    evidence = gather_evidence(Objects(world), "b", datasets, columns, rivals=rivals)
    hops = find_hops(flow, pairs, datasets, evidence, ())
    extracts, loads, ends = table_processes(flow, hops, [*sources, *targets])
    wanted, *_ = column_processes(ends, sources, targets, overrides)
    return {edge for process in (*extracts, *loads, *wanted) for edge in _edges(process["attributes"])}


def _edges(attributes: dict[str, Any]) -> list[Edge]:
    def name(reference: dict[str, Any]) -> str:
        text: str = reference["uniqueAttributes"]["qualifiedName"]
        return text.removeprefix("default/s3/1/arn:aws:s3:::b/")

    def kind(left: dict[str, Any], right: dict[str, Any]) -> Kind:
        if left["typeName"] == "Column":
            return Kind.COLUMN
        return Kind.LOAD if left["typeName"] == "S3Object" else Kind.EXTRACT

    return [
        Edge(kind(left, right), name(left), name(right))
        for left in attributes["inputs"]
        for right in attributes["outputs"]
    ]
