"""OpenLineage run events, as the standard's schema has them (spec/OpenLineage.json, 2-0-2): what both programs write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

PRODUCER = "urn:delta-arc"
GROUND_FACET = "deltaArc_ground"  # a facet of our own: what a hop stood on when it was exported

_SPEC = "https://openlineage.io/spec"
_SCHEMA = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs"
_FACETS = {
    "sql": f"{_SPEC}/facets/1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet",
    "documentation": f"{_SPEC}/facets/1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet",
    "columnLineage": f"{_SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    GROUND_FACET: f"{_SCHEMA}/JobFacet",
}

POSTGRES, SNOWFLAKE = "PostgreSQL", "Snowflake"
# `postgresql` and `s3a` are not the standard's, and found in events all the same.
SCHEMES = {"postgres": POSTGRES, "postgresql": POSTGRES, "snowflake": SNOWFLAKE}
S3_SCHEMES = ("s3", "s3a", "s3n")

Event = dict[str, Any]
Dataset = dict[str, Any]


def make_event(
    kind: str,
    time: datetime,
    run_id: str,
    job: tuple[str, str],
    facets: Mapping[str, Mapping[str, Any]],
    inputs: Sequence[Dataset],
    outputs: Sequence[Dataset],
) -> Event:
    """A run event of this kind, like COMPLETE; `job` is its namespace and name, `facets` what its facets say."""
    return {
        "eventType": kind,
        "eventTime": time.astimezone(timezone.utc).isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{_SCHEMA}/RunEvent",
        "run": {"runId": run_id},
        "job": {
            "namespace": job[0],
            "name": job[1],
            "facets": {name: _facet(name, content) for name, content in facets.items()},
        },
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def make_dataset(namespace: str, name: str, columns: Iterable[tuple[Dataset, tuple[str, str]]] = ()) -> Dataset:
    """A dataset; `columns` are an input, and the names of a column there and here."""
    fields: dict[str, Any] = {}
    for given, (column, to) in columns:
        entry = fields.setdefault(to, {"inputFields": []})
        entry["inputFields"].append({"namespace": given["namespace"], "name": given["name"], "field": column})
    made: Dataset = {"namespace": namespace, "name": name}
    return {**made, "facets": {"columnLineage": _facet("columnLineage", {"fields": fields})}} if fields else made


def _facet(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": _FACETS[name], **content}


def normal_namespace(text: str) -> str:
    """A dataset's namespace, spelled one way: `postgres://db:5432`, `snowflake://acme-prod`, `s3://bucket`."""
    scheme, mark, rest = text.strip().rstrip("/").partition("://")
    if not mark:
        return text.strip()
    scheme = scheme.casefold()
    if scheme in S3_SCHEMES:
        return f"s3://{rest}"
    if SCHEMES.get(scheme) == POSTGRES:
        host = rest.casefold()
        return f"postgres://{host}" if re.search(r":\d+$", host) else f"postgres://{host}:5432"
    return f"{scheme}://{rest.casefold()}"


def system_of(namespace: str) -> str:
    """PostgreSQL or Snowflake, or an empty text, by a namespace as `normal_namespace` spells it."""
    scheme, mark, _ = namespace.partition("://")
    return SCHEMES.get(scheme, "") if mark else ""


_KEY = re.compile(
    r"((?:secret|passw(?:or)?d|token|access_?key|key_?id|master_?key)\w*[\"']?\s*(?:=>|:=|=|:)\s*)"
    r"('(?:[^']|'')*'|\"[^\"]*\"|[^\s,;()'\"]+)"
    r"|(://[^\s:/@]*:)[^\s/@]+(?=@)|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    re.IGNORECASE,
)


def without_keys(sql: str) -> str:
    """A statement with *** for what looks like a password or a key in it, as in CREDENTIALS = (AWS_SECRET_KEY = '…')."""
    return _KEY.sub(lambda found: f"{found[1] or found[3] or ''}***", sql)
