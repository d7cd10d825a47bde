"""How does the sandbox bear many assets? Writing them, reading them page by page, memory, disk and starting again.

    python benchmarks/many_assets.py                # 10,000, 100,000 and 1,000,000 assets: 3 GB of disk
    python benchmarks/many_assets.py 10000 100000   # so many

Each number has a tenant of its own, a process of its own with a new folder. One client sends 50 assets a request, one
request after the other: half of them are S3 objects with 11 attributes, in one bucket, the other half tables of 50 columns,
and for each 365 objects a process that has them as outputs. Reading asks for the objects, after the tenant has been started
again. All is told in the tenant's own processor time, so that others on the machine do not count.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
from shape import ARN, BUCKET, POSTGRES, S3, inventory_of  # noqa: E402

from sandbox.seed import connection_entity  # noqa: E402

SIZES = (10_000, 100_000, 1_000_000)
BATCH = 50
OBJECTS_PER_PROCESS = 365
COLUMNS_PER_TABLE = 50
PAGE = 1_000
PAGES = 20
SCHEMA = f"{POSTGRES}/shop/sales"
BUCKET_NAME = f"{S3}/{ARN}"

Entity = dict[str, Any]


@dataclass(frozen=True)
class Tenant:
    """A running tenant: its process, and a client."""

    process: subprocess.Popen[str]
    http: httpx.Client

    def search(self, *filters: Entity, **dsl: Any) -> Any:
        """The answer to a search."""
        dsl = {"size": PAGE, "query": {"bool": {"filter": list(filters)}}, **dsl}
        body = {"dsl": dsl, "attributes": ["name"]}
        return self.http.post("/api/meta/search/indexsearch", json=body).raise_for_status().json()

    def cpu(self) -> float:
        """The seconds of processor time that it has used (proc(5): utime and stime, in ticks)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def milliseconds(self, search: Callable[[], Any], times: int = 10) -> float:
        """The processor time of a search, the mean of so many that follow each other."""
        before = self.cpu()
        for _ in range(times):
            search()
        return (self.cpu() - before) / times * 1000

    def memory(self, name: str) -> float:
        """In MB, by its name in proc(5): VmHWM is the peak."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024


@contextlib.contextmanager
def running(folder: Path, inventory: Path) -> Iterator[Tenant]:
    """A tenant on a folder, until the block ends."""
    command = [sys.executable, str(ROOT / "benchmarks/tenant.py"), str(folder), str(inventory)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert process.stdin
    assert process.stdout
    try:
        told = json.loads(process.stdout.readline())
        headers = {"authorization": f"Bearer {told['api_token']}"}
        with httpx.Client(base_url=told["base_url"], headers=headers, trust_env=False, timeout=600) as http:
            yield Tenant(process, http)
    finally:
        process.stdin.close()
        process.wait()


def ref(type_name: str, qualified_name: str) -> Entity:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": qualified_name}}


def s3_object(number: int) -> Entity:
    key = f"landing/sales/t{number // OBJECTS_PER_PROCESS:05}/dt=2025-{number % 12 + 1:02}-{number % 28 + 1:02}/part-{number:07}.csv"
    attributes = {
        "name": f"part-{number:07}.csv", "qualifiedName": f"{S3}/{ARN}/{key}", "connectorName": "s3",
        "connectionQualifiedName": S3, "awsArn": f"{ARN}/{key}", "s3ObjectKey": key, "s3BucketName": BUCKET,
        "s3BucketQualifiedName": BUCKET_NAME, "s3ObjectSize": number, "s3ObjectContentType": "text/csv",
        "s3ObjectLastModifiedTime": 1_757_530_000_000 + number, "bucket": ref("S3Bucket", BUCKET_NAME),
    }  # fmt: skip
    return {"typeName": "S3Object", "attributes": attributes}


def process(number: int) -> Entity:
    objects = range(number * OBJECTS_PER_PROCESS, (number + 1) * OBJECTS_PER_PROCESS)
    outputs = [ref("S3Object", s3_object(one)["attributes"]["qualifiedName"]) for one in objects]
    attributes = {
        "name": f"extract {number}", "qualifiedName": f"{POSTGRES}/process-{number:06}", "connectorName": "postgres",
        "connectionQualifiedName": POSTGRES, "inputs": [ref("Schema", SCHEMA)], "outputs": outputs,
    }  # fmt: skip
    return {"typeName": "Process", "attributes": attributes}


def sql_asset(type_name: str, qualified_name: str, **attributes: Any) -> Entity:
    shared = {"name": qualified_name.rpartition("/")[2], "qualifiedName": qualified_name, "connectorName": "postgres",
              "connectionQualifiedName": POSTGRES, "schemaQualifiedName": SCHEMA, "schemaName": "sales"}  # fmt: skip
    return {"typeName": type_name, "attributes": {**shared, **attributes}}


def batches(assets: int) -> Iterator[list[Entity]]:
    """The requests: objects and columns in turn; what is referred to is in an earlier one."""
    objects = iter(range(assets // 2))
    numbers = iter(range(assets // 2 // COLUMNS_PER_TABLE + 1))
    tables = (f"{SCHEMA}/big{number:05}" for number in numbers)
    done = 0
    while batch := [s3_object(number) for number in itertools.islice(objects, BATCH)]:
        yield batch
        done += len(batch)
        if done // OBJECTS_PER_PROCESS > (done - len(batch)) // OBJECTS_PER_PROCESS:
            yield [process(done // OBJECTS_PER_PROCESS - 1)]
        table = next(tables)
        yield [sql_asset("Table", table, atlanSchema=ref("Schema", SCHEMA))]
        yield [
            sql_asset("Column", f"{table}/c{number:02}", order=number + 1, dataType="TEXT", table=ref("Table", table))
            for number in range(COLUMNS_PER_TABLE)
        ]


def write(tenant: Tenant, assets: int) -> tuple[int, float, float]:
    """How many were written, how many in a second of processor time, and how many of the last tenth."""
    bucket = {"name": BUCKET, "qualifiedName": BUCKET_NAME, "awsArn": ARN, "connectionQualifiedName": S3}
    first = [connection_entity(S3, "s3"), {"typeName": "S3Bucket", "attributes": bucket}]
    tenant.http.post("/api/meta/entity/bulk/", json={"entities": first}).raise_for_status()
    written, marks, start = 0, [], tenant.cpu()
    for batch in batches(assets):
        tenant.http.post("/api/meta/entity/bulk/", json={"entities": batch}).raise_for_status()
        written += len(batch)
        marks.append((written, tenant.cpu() - start))
    then, since = next((done, at) for done, at in marks if done >= written * 0.9)
    seconds = marks[-1][1]
    return written, written / seconds, (written - then) / (seconds - since)


def read(tenant: Tenant) -> dict[str, float]:
    """Milliseconds of searches, as the pipeline and pyatlan send them."""
    objects = [
        {"term": {"__state": {"value": "ACTIVE"}}},
        {"term": {"__typeName.keyword": {"value": "S3Object"}}},
        {"prefix": {"qualifiedName": {"value": f"{S3}/{ARN}/"}}},
    ]
    by_guid = [{"__guid": {"order": "asc"}}]
    since = {"range": {"__modificationTimestamp": {"gte": int(time.time() * 1000)}}}
    last = ""

    def page() -> None:
        nonlocal last
        hits = tenant.search(*objects, *([{"range": {"__guid": {"gt": last}}}] if last else []), sort=by_guid)
        last = hits["entities"][-1]["guid"] if len(hits.get("entities", ())) == PAGE else ""

    return {
        "first": tenant.milliseconds(page, 1),
        "page": tenant.milliseconds(page, PAGES),
        "count": tenant.milliseconds(lambda: tenant.search(*objects, size=0, sort=[{"qualifiedName": "asc"}])),
        "changed": tenant.milliseconds(lambda: tenant.search(*objects, since, sort=by_guid), 1),
    }


def measure(assets: int) -> str:
    with tempfile.TemporaryDirectory(prefix="sandbox-benchmark-") as name:
        home = Path(name)
        inventory = home / "inventory.json"
        inventory.write_text(json.dumps({"data": inventory_of(POSTGRES, 1, 1)}))
        with running(home / "tenant", inventory) as tenant:
            written, speed, last = write(tenant, assets)
            writing = tenant.memory("VmHWM")
        size = sum(path.stat().st_size for path in (home / "tenant").glob("tenant.db*")) / 1e6
        with running(home / "tenant", inventory) as tenant:
            started = tenant.cpu()
            times = read(tenant)
            reading = tenant.memory("VmHWM")
    return (
        f"| {written:,} | {speed:,.0f} | {last:,.0f} | {size:,.0f} | {started:.1f} | {times['first']:,.0f} "
        f"| {times['page']:,.0f} | {times['count']:,.0f} | {times['changed']:,.0f} | {max(writing, reading):,.0f} |"
    )


HEADINGS = (
    "assets", "written a second", "of the last tenth", "disk MB", "start s", "first page ms", "next pages ms", "count ms",
    "changed since ms", "peak MB",
)  # fmt: skip


def main() -> None:
    print(f"| {' | '.join(HEADINGS)} |\n{'|---:' * len(HEADINGS)}|")
    for assets in map(int, sys.argv[1:] or SIZES):
        print(measure(assets), flush=True)


if __name__ == "__main__":
    main()
