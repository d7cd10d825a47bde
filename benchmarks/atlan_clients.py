"""The clients of benchmarks/atlan.py, each run as a process of its own: atlan_clients.py CLIENT ARGUMENT…

Each does its work against the tenant in the environment and prints, as one line of JSON, the seconds and the CPU
seconds that the work took, without importing and connecting, and how many assets it dealt with.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from shape import ARN, BUCKET, POSTGRES, S3, SNOWFLAKE, column_names, inventory_of, table_names

import main
from delta_arc.entities import Flow, make_bucket, make_s3_object
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import find_hops, group_datasets
from delta_arc.matching import match_s3_objects
from delta_arc.overrides_file import parse_overrides
from delta_arc.pairing import match_tables
from delta_arc.plan import Step, compare
from delta_arc.processes import column_processes, table_processes
from delta_arc.report import Status
from delta_arc.settings import get_settings
from delta_arc.writing import apply_steps
from runtime.atlan import AssetQuery, find_assets
from runtime.parallel import interleave
from runtime.terminal import Progress

BULK = "/api/meta/entity/bulk/"
SEARCH = "/api/meta/search/indexsearch"


def write_ours(tables: int, columns: int) -> int:
    """Plan the lineage of all tables, as a run does, and write it."""
    sources, targets = inventory_of(POSTGRES, tables, columns), inventory_of(SNOWFLAKE, tables, columns)
    bucket = make_bucket(f"{S3}/{ARN}", BUCKET, ARN, tables)
    items = [
        {"key": f"{name}.csv", "size": 1, "last_modified": None, "etag": "", "qualified_name": f"{S3}/{ARN}/{name}.csv",
         "bucket": f"{S3}/{ARN}", "bucket_name": BUCKET, "prefix": ""}
        for name in table_names(tables)
    ]  # fmt: skip
    by_key = {item["key"]: item for item in items}
    pairs = match_tables(sources, targets)
    datasets = group_datasets(match_s3_objects(by_key, sources), by_key)
    evidence = dict.fromkeys(datasets, Evidence(Ground.NAMES))
    flow = Flow(POSTGRES, f"{S3}/{ARN}", "", SNOWFLAKE)
    hops = find_hops(flow, pairs, datasets, evidence, ())
    extracts, loads, ends = table_processes(flow, hops, [*sources, *targets])
    wanted, _, _, _ = column_processes(ends, sources, targets, parse_overrides("", "", sources, targets))
    steps = [
        Step("S3 objects", compare([make_s3_object(bucket, item) for item in items], {})),
        Step("Extract processes", compare(extracts, {})),
        Step("Load processes", compare(loads, {})),
        Step("Column processes", compare(wanted, {})),
    ]
    outcomes = apply_steps(main.get_atlan_client(), steps)
    return sum(outcome.status is Status.CREATED for outcome in outcomes)


def write_with_batch(size: int, tables: int, columns: int) -> int:
    """pyatlan's own Batch, serial, with the assets that its creators make."""
    from pyatlan.client.asset import Batch

    batch = Batch(client=_pyatlan(), max_size=size)
    for group in _pyatlan_assets(tables, columns):
        for asset in group:
            batch.add(asset)
        batch.flush()  # what comes next refers to it
    return batch.num_created


def save_each(sample: int, tables: int, columns: int) -> int:
    """One save for each process, as scripts do; only the first ones."""
    client = _pyatlan()
    assets = itertools.islice(itertools.chain.from_iterable(_pyatlan_assets(tables, columns)), sample)
    return sum(bool(client.asset.save(asset)) for asset in assets)


def _pyatlan_assets(tables: int, columns: int) -> Iterator[Iterator[Any]]:
    """The objects, the processes and the column processes, each made when it is asked for."""
    from pyatlan.model.assets import Column, ColumnProcess, Process, S3Object, Table

    def s3(name: str) -> Any:
        return S3Object.ref_by_qualified_name(f"{S3}/{ARN}/{name}.csv")

    def table(connection: str, name: str) -> Any:
        return Table.ref_by_qualified_name(f"{connection}/shop/sales/{name}")

    def column(connection: str, name: str, column_name: str) -> Any:
        return Column.ref_by_qualified_name(f"{connection}/shop/sales/{name}/{column_name}")

    names = table_names(tables)
    yield (
        S3Object.creator(
            name=f"{name}.csv", connection_qualified_name=S3, aws_arn=f"{ARN}/{name}.csv", s3_bucket_name=BUCKET,
            s3_bucket_qualified_name=f"{S3}/{ARN}",
        )
        for name in names
    )  # fmt: skip
    yield (
        process
        for name in names
        for process in (
            Process.creator(f"{name} → s3", POSTGRES, [table(POSTGRES, name)], [s3(name)], f"extract/{name}"),
            Process.creator(f"s3 → {name}", SNOWFLAKE, [s3(name)], [table(SNOWFLAKE, name)], f"load/{name}"),
        )
    )
    yield (
        ColumnProcess.creator(
            name=f"{name}.{item}",
            connection_qualified_name=SNOWFLAKE,
            inputs=[column(POSTGRES, name, item)],
            outputs=[column(SNOWFLAKE, name, item)],
            parent=Process.ref_by_qualified_name(f"{SNOWFLAKE}/load/{name}"),
            process_id=f"load/{name}/{item}",
        )
        for name in names
        for item in column_names(columns)
    )


def discover_ours() -> int:
    """The rows of a connection, as a run reads them."""
    rows = [
        [asset["attributes"]["qualifiedName"], asset["attributes"]["name"], asset["typeName"]]
        for asset in find_assets(main.get_atlan_client(), AssetQuery("", (f"{POSTGRES}/",)), Progress("assets"))
    ]
    return len({row[0] for row in rows})


def discover_with_pyatlan(page_size: int) -> int:
    """The same rows with pyatlan's plain search; the assets themselves are dropped."""
    from pyatlan.model.assets import Asset
    from pyatlan.model.fluent_search import CompoundQuery, FluentSearch

    search = (
        FluentSearch()
        .where(CompoundQuery.active_assets())
        .where(Asset.QUALIFIED_NAME.startswith(f"{POSTGRES}/"))
        .include_on_results(Asset.NAME)
        .page_size(page_size)
    )
    found = search.execute(_pyatlan())
    rows = [[asset.qualified_name, asset.name, asset.type_name] for asset in found]
    return len({row[0] for row in rows})


def write_raw(tables: int, columns: int) -> int:
    """How fast the tenant itself is: bodies made before, posted by eight threads, nothing looked at."""
    bodies = []
    for group in _raw_entities(tables, columns):
        bodies.append([json.dumps({"entities": group[at : at + 50]}).encode() for at in range(0, len(group), 50)])
    timer.restart()
    for stage in bodies:
        _post_all(BULK, stage)
    return tables * (columns + 3)


def _raw_entities(tables: int, columns: int) -> Iterator[list[dict]]:
    for group in _pyatlan_assets(tables, columns):
        yield [json.loads(asset.json(by_alias=True, exclude_unset=True)) for asset in group]


def search_raw(pages: int) -> int:
    """How fast the tenant itself is: pages of 1,000 by guid, each from a random place, asked for by eight threads."""
    active = [{"term": {"__state": "ACTIVE"}}, {"prefix": {"qualifiedName": f"{POSTGRES}/"}}]
    bodies = []
    for number in range(pages):
        after = {"range": {"__guid": {"gt": f"{number * 0xE0000000 // pages:08x}"}}}
        query = {"bool": {"filter": [*active, after]}}
        dsl = {"query": query, "sort": [{"__guid": {"order": "asc"}}], "from": 0, "size": 1000}
        bodies.append(json.dumps({"dsl": dsl, "attributes": ["name", "qualifiedName"]}).encode())
    _post_all(SEARCH, bodies[:1])
    timer.restart()
    _post_all(SEARCH, bodies)
    return pages * 1000


def _post_all(path: str, bodies: list[bytes]) -> None:
    settings = get_settings()
    left = iter(bodies)
    taking = threading.Lock()
    headers = {"authorization": f"Bearer {settings.api_token}", "content-type": "application/json"}

    def post() -> Iterator[None]:
        with httpx.Client(base_url=settings.base_url, headers=headers, trust_env=False, timeout=120) as client:
            while True:
                with taking:
                    body = next(left, None)
                if body is None:
                    return
                client.post(path, content=body).raise_for_status()
                yield

    for _ in interleave([post() for _ in range(8)]):
        pass


def _pyatlan() -> Any:
    """pyatlan's client with its own retries."""
    from pyatlan.client.atlan import AtlanClient

    settings = get_settings()
    return AtlanClient(base_url=settings.base_url, api_key=settings.api_token, proxy=None)


class Timer:
    """Wall and CPU seconds since it was (re)started."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.monotonic() - self._wall, "cpu": time.process_time() - self._cpu}


CLIENTS: dict[str, Callable[..., int]] = {
    "write-ours": write_ours,
    "write-batch": write_with_batch,
    "write-each": save_each,
    "write-raw": write_raw,
    "discover-ours": discover_ours,
    "discover-pyatlan": discover_with_pyatlan,
    "search-raw": search_raw,
}

if __name__ == "__main__":
    main.get_atlan_client()  # imports pyatlan
    import pyatlan.client.asset  # noqa: F401

    timer = Timer()
    error, assets = "", 0
    try:
        assets = CLIENTS[sys.argv[1]](*map(int, sys.argv[2:]))
    except Exception as raised:
        error = type(raised).__name__
    print(json.dumps({**timer.read(), "assets": assets, "error": error}))
