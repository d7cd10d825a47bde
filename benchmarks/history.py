"""What a day costs after a history: `python benchmarks/history.py [--tables 100] [--days 365] [--program FOLDER]`.

Each table has a file for each day. The tenant is a process of its own, and each run, too: it has the whole history to
write first, then nothing, and then the files of one more day. `--program` measures another checkout of Delta Arc, with
the same tenant. As the days follow each other in seconds here, changes are looked for with an overlap of a second
instead of ten minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COLUMNS = 5
FIRST_DAY = date(2022, 1, 1)
RUNS = (
    ("first", 0, ()),
    ("next, nothing new", 0, ()),
    ("unchanged", 0, ()),
    ("one more day", 1, ()),
    ("one more day after that", 1, ()),
    ("one more day, inventory expired", 1, ("CACHE_EXPIRY_HOURS=0",)),
    ("one more day, all read anew", 1, ("--force-refresh",)),
)


def run_and_count(arguments: list[str]) -> None:
    """Run main.py in this process, and print what it took as one line of JSON."""
    import main
    from runtime.transport import PatientTransport

    counted = {"reads": 0, "writes": 0, "bytes": 0, "s3": 0}
    handle = PatientTransport.handle_request

    def look(transport: Any, request: Any) -> Any:
        is_write = "/entity/bulk" in request.url.path
        counted["writes" if is_write else "reads"] += 1
        counted["bytes"] += len(request.content) if is_write else 0
        return handle(transport, request)

    PatientTransport.handle_request = look  # type: ignore[method-assign]
    import botocore.httpsession

    send = botocore.httpsession.URLLib3Session.send

    def look_at_s3(session: Any, request: Any) -> Any:
        counted["s3"] += 1
        return send(session, request)

    botocore.httpsession.URLLib3Session.send = look_at_s3
    with contextlib.suppress(ImportError):  # an older program has no such thing
        from delta_arc import state

        state.OVERLAP_SECONDS = 1
    began = time.monotonic()
    code = main.main([*arguments, "--max-unmatched", "0"])
    wall = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024, "code": code}
    print(json.dumps({**counted, **told}), flush=True)


def measure(tables: int, days: int, program: Path) -> None:
    sys.path.insert(0, str(HERE.parent))
    from atlan import a_tenant
    from shape import BUCKET, column_names, table_names

    print(
        f"\n{tables:,} tables with {COLUMNS} columns, {days:,} days, {tables * days:,} keys; {os.cpu_count()} cores\n"
    )
    print("| run | reading requests | writing requests | MB sent | S3 requests | wall s | CPU s | peak MB |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    header = ",".join(column_names(COLUMNS)) + "\n"
    with a_tenant(tables, COLUMNS) as tenant, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        bucket = Path(tenant.told["buckets"]) / BUCKET
        bucket.mkdir()

        def write_days(first: int, number: int) -> None:
            for name in table_names(tables):
                (bucket / name).mkdir(exist_ok=True)
                for day in range(first, first + number):
                    key = f"{name}/{name}_{FIRST_DAY + timedelta(day):%Y%m%d}.csv"
                    (bucket / key).write_text(header)

        write_days(0, days)
        environment = {**tenant.environment(program), "LINEAGE_PAGE": ""}
        for label, more, arguments in RUNS:
            write_days(days, more)
            days += more
            time.sleep(3)  # until what was written lies before the overlap
            options = [word for word in arguments if word.startswith("--")]
            given = dict(word.split("=") for word in arguments if not word.startswith("--"))
            told = _run_client(options, {**environment, **given}, Path(folder))
            cells = [
                label, f"{told['reads']:,}", f"{told['writes']:,}", f"{told['bytes'] / 1e6:.2f}", f"{told['s3']:,}",
                f"{told['wall']:.1f}", f"{told['cpu']:.1f}", f"{told['peak']:.0f}",
            ]  # fmt: skip
            print("| " + " | ".join(cells) + " |", flush=True)


def _run_client(options: list[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    import subprocess

    command = [sys.executable, str(Path(__file__).resolve()), "--client", *options]
    ended = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    lines = ended.stdout.splitlines()
    if ended.returncode or not lines or json.loads(lines[-1])["code"]:
        raise SystemExit(f"a run failed: {ended.stdout[-2000:]}")
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--program", type=Path, default=HERE.parent, help="the checkout that is measured")
    options = parser.parse_args()
    measure(options.tables, options.days, options.program.resolve())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        run_and_count(sys.argv[2:])
    else:
        main()
