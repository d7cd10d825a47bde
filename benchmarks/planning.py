"""How much processor time matching and planning take, and how that grows: `python benchmarks/planning.py`.
`--history TABLES DAYS`: the same for tables with a file a day.

Nothing is asked of Atlan or S3. There are five keys for each table of four columns, in the styles of `FORMS`: a quarter
of them names no table or is no data. Ids and dates differ from key to key, so that hardly anything is seen twice.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from delta_arc.coverage import explain_tables
from delta_arc.entities import Flow, RegisteredObject, list_object, make_bucket, make_s3_objects, register_objects
from delta_arc.evidence import conclude, find_kinds, judge, objects_to_ask, parse_head
from delta_arc.hops import find_hops, group_datasets, match_rest
from delta_arc.jobs.told import Told
from delta_arc.keys import read_folder, read_name
from delta_arc.linking import link
from delta_arc.matching import match_s3_objects
from delta_arc.overrides_file import parse_overrides
from delta_arc.pairing import match_tables
from delta_arc.plan import Plan, Step, compare, make_plan
from delta_arc.processes import column_processes, table_processes
from delta_arc.report import Report, S3Integration, TableLineage
from delta_arc.saved_plan import describe_world, to_document
from delta_arc.settings import read_settings

SIZES = (1_000, 10_000, 100_000)
KEYS_PER_TABLE = 5
COLUMNS = ("id", "customer_id", "total", "created_at")
FORMS = (
    "in/{schema}/{table}.csv",
    "in/{schema}/{table}_{day}_{time}.csv.gz",
    "lake/{schema}/{table}/dt={dashed}/part-0000{digit}-{uuid}-c000.snappy.parquet",
    "in/{schema}.{table}_part{digit}.json",
    "dms/{schema}/{table}/LOAD{number:08X}.csv",
    "topics/shop.{schema}.{table}/partition={digit}/shop.{schema}.{table}+{digit}+{number:010}.avro",
    "airbyte/{schema}/{table}/{underscored}_{epoch}_{digit}.csv.gz",
    "exp/export-{number}/shop/shop.{schema}.{table}/1/part-0000{digit}-{uuid}.gz.parquet",
    "wr/{schema}/{kebab}/year={year}/month={month}/{hex}.snappy.parquet",
    "in/{schema}/export_{kebab}-{dashed}.csv.gpg",
    "trino/{schema}/{table}/{day}_{time}_0000{digit}_kx7q2_{uuid}",
    "in/{schema}/{table}_from_{day}_to_{day}.csv",
    # none of a table's rows
    "in/{schema}/{table}_archive_{day}.csv",
    "in/{schema}/{table}/_quarantine/{uuid}.json",
    "logs/{year}/{month}/job-{number}-{uuid}.json",
    "in/{schema}/{table}_{day}.csv.gz.md5",
)
CHANGED = datetime(2025, 9, 21, tzinfo=timezone.utc)


def make_name(number: int) -> str:
    """A table's name of two words that no other table has: `orders_bakemo`."""
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    return "orders_" + "".join(syllables[number // len(syllables) ** place % len(syllables)] for place in range(3))


def make_assets(connection: str, tables: int) -> list[list[str]]:
    rows = []
    for number in range(tables):
        schema, name = f"schema{number % 50}", make_name(number)
        table = f"{connection}/shop/{schema}/{name}"
        rows.append([table, name, "Table"])
        rows += [[f"{table}/{column}", column, "Column"] for column in COLUMNS]
    return rows


def make_keys(tables: int) -> list[str]:
    return [_make_key(number) for number in range(tables * KEYS_PER_TABLE)]


def _make_key(number: int) -> str:
    table, identifier = (
        number // KEYS_PER_TABLE,
        uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)),
    )
    when = CHANGED - timedelta(seconds=number * 977)
    return FORMS[number % len(FORMS)].format(
        schema=f"schema{table % 50}",
        table=make_name(table),
        kebab=make_name(table).replace("_", "-"),
        day=f"{when:%Y%m%d}",
        dashed=f"{when:%Y-%m-%d}",
        underscored=f"{when:%Y_%m_%d}",
        year=f"{when:%Y}",
        month=f"{when:%m}",
        time=f"{when:%H%M%S}",
        epoch=int(when.timestamp() * 1000),
        digit=number % 10,
        number=number,
        uuid=identifier,
        hex=identifier.hex,
    )


def plan_run(keys: list[str], sources: list[list[str]], targets: list[list[str]], again: bool) -> Plan:
    """What a run does between its requests; `again` as if Atlan held all of it already."""
    bucket = make_bucket("default/s3/1/arn:aws:s3:::landing", "landing", "arn:aws:s3:::landing", len(keys))
    bucket_name = bucket["attributes"]["qualifiedName"]
    objects: dict[str, RegisteredObject] = {
        key: {
            "key": key, "size": 1, "last_modified": CHANGED, "etag": "e", "qualified_name": f"{bucket_name}/{key}",
            "bucket": bucket_name, "bucket_name": "landing", "prefix": "in/",
        }
        for key in keys
    }  # fmt: skip
    overrides = parse_overrides("overrides.txt", "", sources, targets)
    pairs = match_tables(sources, targets)
    matches = match_s3_objects(keys, sources)
    matches = match_rest(matches, pairs, targets, overrides)
    datasets = group_datasets(matches, objects)
    head = parse_head((",".join(COLUMNS) + "\n1,2,3,2025-09-21\n").encode(), True)
    evidence = {}
    for table, items in datasets.items():
        kinds = find_kinds(items)
        told = {item["key"]: judge(item["key"], head, COLUMNS) for item in objects_to_ask(kinds)}
        evidence[table] = conclude(kinds, told, COLUMNS)
    flow = Flow("default/postgres/1", bucket_name, "in/", "default/snowflake/1")
    hops = find_hops(flow, pairs, datasets, evidence, ())
    coverage = explain_tables(pairs, matches, sources, targets, evidence, hops, overrides)
    extracts, loads, ends = table_processes(flow, hops, [*sources, *targets])
    columns, unmatched, _, _ = column_processes(ends, sources, targets, overrides)
    wanted = {
        "S3 objects": make_s3_objects(bucket, objects.values()),
        "Extract processes": extracts,
        "Load processes": loads,
        "Column processes": columns,
    }
    held = {item["attributes"]["qualifiedName"]: item for items in wanted.values() for item in items} if again else {}
    steps = [Step(label, compare(items, held)) for label, items in wanted.items()]
    s3: S3Integration = {
        "connection_qualified_name": "default/s3/1",
        "bucket_qualified_name": bucket_name,
        "s3_objects": [*objects.values()],
        "object_count": len(objects),
        "bucket_object_count": len(objects),
        "inventory": "",
        "report": Report(existing=held),
    }
    tables = TableLineage(coverage=coverage, evidence=evidence, overrides=overrides)
    below = Report(unmatched=unmatched)
    world = describe_world([*sources, *targets], s3, tables, below, read_settings({}))
    return make_plan(steps, tables, below, world, prune=False)


def seconds(work: Callable[[], Any]) -> float:
    read_name.cache_clear()
    read_folder.cache_clear()
    started = time.process_time()
    work()
    return time.process_time() - started


def measure_history(tables: int, days: int) -> None:
    """What matching and concluding take where each table has a file a day, in seconds of processor time and in memory."""
    sources, targets = (make_assets(f"default/{side}/1", tables) for side in ("postgres", "snowflake"))
    bucket = make_bucket("default/s3/1/arn:aws:s3:::landing", "landing", "arn:aws:s3:::landing", None)
    listed = [
        list_object(
            f"in/schema{table % 50}/{make_name(table)}/{make_name(table)}_{CHANGED - timedelta(days=day):%Y-%m-%d}.csv",
            day, CHANGED - timedelta(days=day), f"{table * days + day:032x}",
        )
        for table in range(tables) for day in range(days)
    ]  # fmt: skip
    objects = {item["key"]: item for item in register_objects(listed, bucket, "landing", "in/")}
    overrides = parse_overrides("overrides.txt", "", sources, targets)
    head = parse_head((",".join(COLUMNS) + "\n1,2,3,2025-09-21\n").encode(), True)
    times = [time.process_time()]
    links = link(objects, "in/", sources, sources, targets, overrides, Told())
    times.append(time.process_time())
    datasets, evidence = group_datasets(links.matches, objects, True), {}
    for table, items in datasets.items():
        kinds = find_kinds(items)
        told = {item["key"]: judge(item["key"], head, COLUMNS) for item in objects_to_ask(kinds)}
        evidence[table] = conclude(kinds, told, COLUMNS)
    times.append(time.process_time())
    flow = Flow("default/postgres/1", bucket["attributes"]["qualifiedName"], "in/", "default/snowflake/1")
    hops = find_hops(flow, links.pairs, datasets, evidence, ())
    explain_tables(links.pairs, links.matches, sources, targets, evidence, hops, overrides)
    times.append(time.process_time())
    step = Step("S3 objects", compare(make_s3_objects(bucket, listed), {}))
    times.append(time.process_time())
    match, conclusion, rest, changes = (after - before for before, after in itertools.pairwise(times))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(objects):,} keys of {len(hops):,} tables: match {match:.1f} s, conclude {conclusion:.1f} s,")
    print(f"hops and coverage {rest:.1f} s, {len(step.changes):,} changes {changes:.1f} s, at most {peak:,.0f} MB")


def main() -> None:
    if sys.argv[1:2] == ["--history"]:
        return measure_history(int(sys.argv[2]), int(sys.argv[3]))
    print("|    keys |  tables |   match objects |  plan, first run |     plan, rerun |       save plan |")
    print("|--------:|--------:|----------------:|-----------------:|----------------:|----------------:|")
    before: list[float] = []
    for size in SIZES:
        tables = size // KEYS_PER_TABLE
        keys = make_keys(tables)
        sources, targets = (make_assets(f"default/{side}/1", tables) for side in ("postgres", "snowflake"))
        times = [
            seconds(lambda: match_s3_objects(keys, sources)),  # noqa: B023
            seconds(lambda: plan_run(keys, sources, targets, again=False)),  # noqa: B023
            seconds(lambda: plan_run(keys, sources, targets, again=True)),  # noqa: B023
        ]
        plan = plan_run(keys, sources, targets, again=False)
        times.append(seconds(lambda: json.dumps(to_document(plan), indent=1)))  # noqa: B023
        growth = [time / 10 / earlier for time, earlier in zip(times, before, strict=False)]
        cells = [
            f"{time:.2f} s" + (f" ({ratio:.2f} ×)" if before else "")
            for time, ratio in zip(times, growth or times, strict=True)
        ]
        print(f"| {size:>7,} | {tables:>7,} | {cells[0]:>15} | {cells[1]:>16} | {cells[2]:>15} | {cells[3]:>15} |")
        before = times
    print("\n(n ×): growth from the line above, against ten times as long.")


if __name__ == "__main__":
    main()
