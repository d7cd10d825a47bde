"""What the tests do to a tenant and ask of it: faults, pace, counters, and the assets that it holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

import main
import sandbox
from sandbox.seed import fill_buckets

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "default/postgres/1757530687"
SNOWFLAKE = "default/snowflake/1757530705"
SCHEMA = "FOOD_BEVERAGE/SALES_ORDERS"
BUCKET = "atlan-tech-challenge"
PREFIX = "2025/csa-tech-challenge-ary/"
TABLES = ("CATEGORIES", "CUSTOMERS", "EMPLOYEES", "ORDERDETAILS", "ORDERS", "PRODUCTS", "SHIPPERS", "SUPPLIERS")
BULK = "/api/meta/entity/bulk"
WRITTEN_TYPES = ("S3Bucket", "S3Object", "Process", "ColumnProcess")
COMPARED = ("name", "description", "sql", "connectorName", "connectionQualifiedName", "awsArn", "s3BucketName",
            "s3BucketQualifiedName", "s3ObjectKey", "s3ObjectSize", "s3ETag", "s3ObjectCount", "bucket", "inputs",
            "outputs", "process", "userDescription", "certificateStatus", "ownerUsers", "adminUsers")  # fmt: skip


@dataclass(frozen=True)
class World:
    """A running tenant with its bucket, and the controls under /_sandbox/."""

    tenant: sandbox.Tenant
    http: httpx.Client

    @property
    def files(self) -> Path:
        """The folder of the objects that the pipeline lists."""
        return self.tenant.buckets / BUCKET / PREFIX

    def fail(self, status: int, path: str = "/api/", count: int = 1, **fault: Any) -> None:
        """Fail the next requests that fit; see `sandbox.server.Fault`."""
        self.http.post("/_sandbox/faults", json={"status": status, "path": path, "count": count, **fault})

    def pace(self, **pace: Any) -> None:
        self.http.put("/_sandbox/pace", json=pace).raise_for_status()

    def forget(self) -> None:
        """Forget counters, faults and pace."""
        self.http.post("/_sandbox/reset", json={})

    def renew(self) -> None:
        """Bring the sample's assets and files back, and forget all else."""
        self.http.post("/_sandbox/reset", json={"catalog": True}).raise_for_status()
        for bucket in self.tenant.buckets.iterdir():
            shutil.rmtree(bucket)
        fill_buckets(self.tenant.buckets)
        shutil.rmtree(self.tenant.folder / "atlan-storage/objectstore/artifacts", ignore_errors=True)

    def requests(self) -> dict[str, Any]:
        return self.http.get("/_sandbox/requests").json()

    def assets(self, *types: str) -> list[dict]:
        """Every active asset of these types, as the search shows it."""
        query = {
            "bool": {"filter": [{"term": {"__state": "ACTIVE"}}, {"terms": {"__typeName.keyword": [*types]}}]},
        }
        body = {"dsl": {"query": query, "from": 0, "size": 10_000}, "attributes": [*COMPARED]}
        return self._post("/api/meta/search/indexsearch", body).get("entities", [])

    def state(self) -> dict[tuple[str, str], dict]:
        """What a run writes, without what differs between two tenants: guids, times, and what the S3 connection's number is part of."""
        told = json.dumps([_plain(asset) for asset in self.assets(*WRITTEN_TYPES)])
        told = re.sub(r"\b[0-9a-f]{12}\b", "digest", told)
        for connection in self.assets("Connection"):
            if connection["attributes"]["connectorName"] == "s3":
                told = told.replace(connection["attributes"]["qualifiedName"], "default/s3/0")
        assets = json.loads(told)
        state = {(type_name, attributes["qualifiedName"]): attributes for type_name, attributes in assets}
        assert len(state) == len(assets), "an asset is there twice"
        return state

    def count(self, type_name: str) -> int:
        return len(self.assets(type_name))

    def save(self, *entities: dict) -> None:
        """Write assets as another program would."""
        self._post("/api/meta/entity/bulk", {"entities": [*entities]})

    def archive(self, *assets: dict) -> None:
        """Soft-delete assets, as a person would."""
        guids = "&".join(f"guid={asset['guid']}" for asset in assets)
        self.http.delete(f"{BULK}?deleteType=SOFT&{guids}").raise_for_status()

    def _post(self, path: str, body: dict) -> dict:
        response = self.http.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()


def _plain(asset: dict) -> tuple[str, dict]:
    attributes = dict(asset["attributes"])
    for name in ("bucket", "process"):
        if name in attributes:
            attributes[name] = attributes[name]["uniqueAttributes"]["qualifiedName"]
    for name in ("inputs", "outputs"):
        if name in attributes:
            attributes[name] = sorted(item["uniqueAttributes"]["qualifiedName"] for item in attributes[name])
    attributes.pop("createTime", None)
    return asset["typeName"], attributes


@contextlib.contextmanager
def start_world(folder: Path, inventories: tuple[Path, ...] | None = None) -> Iterator[World]:
    with (
        sandbox.start(folder, inventories=inventories) as tenant,
        httpx.Client(base_url=tenant.base_url, headers=authorization(tenant), trust_env=False) as http,
    ):
        yield World(tenant, http)


def authorization(tenant: sandbox.Tenant) -> dict[str, str]:
    """The header that lets a request in."""
    return {"Authorization": f"Bearer {tenant.api_token}"}


def settings_of(world: World) -> dict[str, str]:
    """The environment variables that lead both programs to a tenant, its bucket and its storage."""
    return {
        "ATLAN_BASE_URL": world.tenant.base_url,
        "ATLAN_API_TOKEN": world.tenant.api_token,
        "ATLAN_MAX_REQUESTS_PER_MINUTE": "100000",
        "POSTGRES_CONNECTION_NAME": "postgres-ary",
        "SNOWFLAKE_CONNECTION_NAME": "snowflake-ary",
        "S3_BUCKET_NAME": BUCKET,
        "S3_PREFIX": PREFIX,
        "AWS_ENDPOINT_URL_S3": world.tenant.s3_endpoint_url,
        "AWS_ACCESS_KEY_ID": world.tenant.s3_key[0],
        "AWS_SECRET_ACCESS_KEY": world.tenant.s3_key[1],
        "COMPONENTS_PATH": str(world.tenant.components),
        "UPSTREAM_OBJECT_STORE_NAME": "atlan-storage",
        "ATLAN_AUTH_CLIENT_ID": world.tenant.storage_key[0],
        "ATLAN_AUTH_CLIENT_SECRET": world.tenant.storage_key[1],
    }


def downstream(qualified_name: str) -> list[Any]:
    """What pyatlan's lineage call reaches from a table, in its order."""
    from pyatlan.model.assets import Table
    from pyatlan.model.lineage import FluentLineage

    client = main.get_atlan_client()
    table = client.asset.get_by_qualified_name(qualified_name, Table)
    request = FluentLineage(starting_guid=table.guid, includes_on_results=["name", "qualifiedName"]).request
    return list(client.asset.get_lineage_list(request))


def write_inventory(path: Path, connection: str, tables: Mapping[tuple[str, str, str], Iterable[str]]) -> Path:
    """An inventory to fill a tenant from: the columns by (database, schema, table)."""
    rows: dict[str, list[str]] = {}
    for names, columns in tables.items():
        qualified_name = connection
        for name, type_name in zip(names, ("Database", "Schema", "Table"), strict=True):
            qualified_name = f"{qualified_name}/{name}"
            rows[qualified_name] = [qualified_name, name, type_name]
        for column in columns:
            rows[f"{qualified_name}/{column}"] = [f"{qualified_name}/{column}", column, "Column"]
    path.write_text(json.dumps({"timestamp": "2025-09-21T12:00:00", "data": [*rows.values()]}), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Run:
    """What a run of the command line ended with."""

    code: int
    out: str
    err: str


def python(arguments: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the current folder, with main.py importable."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
