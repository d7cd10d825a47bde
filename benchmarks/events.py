"""A million OpenLineage events as a run reads them: a tenth of them about the bucket, the others about other systems.

.venv/bin/python benchmarks/events.py [events]
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from delta_arc.jobs.event_files import read_documents
from delta_arc.jobs.events import make_scope, needles_of, read_told
from runtime.openlineage import make_dataset, make_event

BUCKET = "landing-zone"
TABLES = 1000
# What an emitter adds to each event: Airflow's have about two kilobytes.
PADDING = {"documentation": {"description": "x" * 1500}}


def make_lines(events: int) -> Iterator[str]:
    """The events as lines: a START and a COMPLETE for each run."""
    from datetime import datetime, timedelta, timezone

    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for run in range(events // 2):
        table, day = f"T{run % TABLES}", run // TABLES
        file = make_dataset(f"s3://{BUCKET}", f"in/{table}/{day}.csv")
        source, target = (
            make_dataset("postgres://db:5432", f"SHOP.S.{table}"),
            make_dataset("snowflake://acme", f"DWH.S.{table}"),
        )
        other = make_dataset("kafka://k:9092", f"topic_{run % 5000}")
        inputs, outputs = (
            ([source], [file]) if run % 20 == 0 else ([file], [target]) if run % 20 == 10 else ([other], [other])
        )
        for kind in ("START", "COMPLETE"):
            time_of = start + timedelta(seconds=run)
            given: list[Any] = outputs if kind == "COMPLETE" else []
            event = make_event(
                kind, time_of, str(uuid.UUID(int=run)), ("airflow", f"dag.{table}"), PADDING, inputs, given
            )
            yield json.dumps(event) + "\n"


def main(events: int) -> None:
    sources = [[f"default/postgres/1/SHOP/S/T{number}", f"T{number}", "Table"] for number in range(TABLES)]
    targets = [[f"default/snowflake/2/DWH/S/T{number}", f"T{number}", "Table"] for number in range(TABLES)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "events.jsonl")
        with path.open("w") as file:
            file.writelines(make_lines(events))
        scope = make_scope(BUCKET, sources, targets)
        before, cpu = time.perf_counter(), time.process_time()
        told = read_told(read_documents(str(path), lambda: None, needles_of(scope)), scope)
        seconds, used = time.perf_counter() - before, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{events:,} events, {path.stat().st_size / 1e6:,.0f} MB: {len(told.hops):,} hops told")
        print(f"{seconds:.1f} s, {used:.1f} s of CPU, {memory:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
