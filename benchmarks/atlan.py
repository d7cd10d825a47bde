"""How fast are discovery and writing, and how many requests do they take? Ours and pyatlan's own ways, side by side.

    python benchmarks/atlan.py            # about a quarter of an hour, and 3 GB of memory
    python benchmarks/atlan.py --quick    # a tenth of the size

Every measurement has a tenant of its own, which is a process of its own with the sandbox's catalog in it, and a client
process of its own. The tenant answers late where the table says so, and limits as Atlan does: 400 requests in a
minute, then a minute in which all are refused. No time is scaled. Seconds are those of the work, without starting
Python and importing pyatlan; those of whole runs of main.py have both in them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
from shape import ARN, BUCKET, POSTGRES, S3, SNOWFLAKE, column_names, inventory_of, table_names  # noqa: E402

from delta_arc.entities import make_bucket  # noqa: E402
from sandbox.seed import connection_entity  # noqa: E402

LIMIT = 400
JUST_UNDER = LIMIT - 4
NO_LIMIT = 1_000_000
OTHERS = LIMIT // 2


@dataclass(frozen=True)
class Measured:
    """What a client did: seconds, CPU seconds, peak memory in MB, and what the tenant counted."""

    wall: float
    cpu: float
    peak: float
    requests: int
    writes: int
    refused: int
    assets: int = 0
    error: str = ""


class Tenant:
    """A running tenant, its controls, and the clients that run against it."""

    def __init__(self, told: Mapping[str, str], home: Path) -> None:
        self.told = told
        self.home = home
        headers = {"authorization": f"Bearer {told['api_token']}"}
        self.http = httpx.Client(base_url=told["base_url"], headers=headers, trust_env=False, timeout=120)

    def pace(self, latency: float, limit: int = 0) -> None:
        self.http.put("/_sandbox/pace", json={"latency_seconds": latency, "requests_per_minute": limit})

    def environment(self, program: Path, requests_per_minute: int = NO_LIMIT) -> dict[str, str]:
        """The settings with which a program that lies in this folder works on the tenant."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(program),
            "ATLAN_BASE_URL": self.told["base_url"],
            "ATLAN_API_TOKEN": self.told["api_token"],
            "ATLAN_MAX_REQUESTS_PER_MINUTE": str(requests_per_minute),
            "POSTGRES_CONNECTION_NAME": POSTGRES,
            "SNOWFLAKE_CONNECTION_NAME": SNOWFLAKE,
            "S3_CONNECTION_NAME": S3,
            "S3_BUCKET_NAME": BUCKET,
            "AWS_ENDPOINT_URL_S3": self.told["s3"],
            "AWS_ACCESS_KEY_ID": self.told["s3_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.told["s3_key_secret"],
            "LOG_LEVEL": "WARNING",
        }

    def run(self, *arguments: object, requests_per_minute: int = NO_LIMIT) -> Measured:
        """Run a Python program to its end, and count what it asked."""
        before = self._counted()
        command = [sys.executable, *map(str, arguments)]
        environment = self.environment(ROOT, requests_per_minute)
        with tempfile.TemporaryFile() as output:
            started = time.monotonic()
            files = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1)]
            process = os.posix_spawn(command[0], command, environment, file_actions=files)
            _, status, used = os.wait4(process, 0)
            whole = {"wall": time.monotonic() - started, "cpu": used.ru_utime + used.ru_stime}
            output.seek(0)
            printed = output.read().decode().splitlines()
        if status:
            raise SystemExit(f"{arguments} ended with {os.waitstatus_to_exitcode(status)}")
        told = json.loads(printed[-1]) if printed and printed[-1].startswith("{") else whole
        after = self._counted()
        counted = {name: after[name] - before[name] for name in after}
        return Measured(peak=used.ru_maxrss / 1024, **counted, **told)

    def client(self, *arguments: object, requests_per_minute: int = NO_LIMIT) -> Measured:
        return self.run(ROOT / "benchmarks/atlan_clients.py", *arguments, requests_per_minute=requests_per_minute)

    def _counted(self) -> dict[str, int]:
        counted = self.http.get("/_sandbox/requests").json()
        return {
            "requests": counted["total"],
            "writes": counted["writes"],
            "refused": sum(counted["refused"].values()),
        }

    @contextlib.contextmanager
    def others(self, per_minute: int) -> Iterator[None]:
        """Somebody else who asks the tenant all the time, and does not care for refusals."""
        ended = threading.Event()
        headers = {"authorization": f"Bearer {self.told['api_token']}"}

        def ask() -> None:
            with httpx.Client(base_url=self.told["base_url"], headers=headers, trust_env=False) as http:
                while not ended.wait(60 / per_minute):
                    http.get("/api/service/whoami")

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join()


@contextlib.contextmanager
def a_tenant(tables: int, columns: int, sides: tuple[str, ...] = (POSTGRES, SNOWFLAKE)) -> Iterator[Tenant]:
    """A tenant whose connections have these tables, with an S3 connection and an empty bucket in Atlan."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        home = Path(folder)
        inventories = []
        for side in sides:
            inventories.append(home / f"{side.split('/')[1]}.json")
            rows = inventory_of(side, tables, columns)
            inventories[-1].write_text(json.dumps({"timestamp": "2026-01-01T00:00:00+00:00", "data": rows}))
        command = [sys.executable, str(ROOT / "benchmarks/tenant.py"), str(home / "tenant"), *map(str, inventories)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        assert process.stdin
        assert process.stdout
        try:
            tenant = Tenant(json.loads(process.stdout.readline()), home)
            entities = [connection_entity(S3, S3), make_bucket(f"{S3}/{ARN}", BUCKET, ARN, tables)]
            tenant.http.post("/api/meta/entity/bulk/", json={"entities": entities}).raise_for_status()
            yield tenant
        finally:
            process.stdin.close()
            process.wait()


# Tables


def show(title: str, *rows: tuple[object, ...]) -> None:
    print(f"\n{title}\n")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        if row is rows[0]:
            print("|---" + "|---:" * (len(row) - 1) + "|")


def compare_writing(tables: int, columns: int) -> None:
    assets = tables * (columns + 3)
    bound = -(-assets // 50) / LIMIT * 60
    heads = ("client", "assets", "requests", "429s met", "wall s", "× the bound", "CPU s", "peak MB")
    rows: list[tuple[object, ...]] = [heads]

    def add(name: str, done: Measured, factor: float = 1.0) -> None:
        ended = f" ({done.error})" if done.error else ""
        told = f"{done.assets:,} of {assets:,}{ended}" if done.assets < assets and factor == 1 else f"{assets:,}"
        wall = max(done.wall * factor, done.requests * factor / LIMIT * 60) if factor > 1 else done.wall
        numbers = (f"{done.requests * factor:,.0f}", done.refused, f"{wall:,.1f}", f"{wall / bound:.2f}")
        rows.append((name, told, *numbers, f"{done.cpu * factor:,.1f}", f"{done.peak:.0f}"))

    with a_tenant(tables, columns) as tenant:
        tenant.pace(0.1, LIMIT)
        add(
            f"ours, {JUST_UNDER} a minute", tenant.client("write-ours", tables, columns, requests_per_minute=JUST_UNDER)
        )
    with a_tenant(tables, columns) as tenant:
        tenant.pace(0.1, LIMIT)
        with tenant.others(OTHERS):
            done = tenant.client("write-ours", tables, columns, requests_per_minute=JUST_UNDER)
        add(f"ours, beside a client that sends {OTHERS} a minute ¹", done)
    for size in (50, 20):
        with a_tenant(tables, columns) as tenant:
            tenant.pace(0.1, LIMIT)
            add(f"pyatlan Batch({size}), serial", tenant.client("write-batch", size, tables, columns))
    with a_tenant(tables, columns) as tenant:
        tenant.pace(0.1)
        sample = min(200, assets // 10)
        done = tenant.client("write-each", sample, tables, columns)
        add(f"one save each ({sample} sent, the rest extrapolated)", done, assets / sample)
    show(f"1a. Writing {assets:,} assets, 100 ms per answer, limit {LIMIT} a minute (bound: {bound:.1f} s)", *rows)
    print("\n¹ requests and 429s are those of both")

    part = tables // 4
    with a_tenant(part, columns) as tenant:
        tenant.pace(0.3)
        ours = tenant.client("write-ours", part, columns)
    with a_tenant(part, columns) as tenant:
        tenant.pace(0.3)
        batch = tenant.client("write-batch", 50, part, columns)
    show(
        f"1b. Writing {part * (columns + 3):,} assets, 300 ms per answer, no limit",
        ("client", "requests", "wall s", "× ours", "CPU s"),
        *(
            (name, done.requests, f"{done.wall:.1f}", f"{done.wall / ours.wall:.1f}", f"{done.cpu:.1f}")
            for name, done in (("ours", ours), ("pyatlan Batch(50), serial", batch))
        ),
    )


def compare_reruns(tables: int, columns: int) -> None:
    rows: list[tuple[object, ...]] = [("run of main.py", "requests", "of these, writes", "wall s", "CPU s", "peak MB")]
    with a_tenant(tables, columns) as tenant, tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        bucket = Path(tenant.told["buckets"]) / BUCKET
        bucket.mkdir()
        header = ",".join(column_names(columns)) + "\n"
        for name in table_names(tables):
            (bucket / f"{name}.csv").write_text(header)
        tenant.pace(0.1)
        with _in_folder(folder):
            for name, arguments in (
                ("first", []),
                ("unchanged, inventory cached", []),
                ("unchanged, inventory read again", ["--force-refresh"]),
                ("one new file, inventory cached", []),
            ):
                if name.startswith("one new"):
                    (bucket / f"{table_names(tables)[0]}_2.csv").write_text(header)
                done = tenant.run(ROOT / "main.py", *arguments)
                numbers = (done.requests, done.writes, f"{done.wall:.1f}", f"{done.cpu:.1f}", f"{done.peak:.0f}")
                rows.append((name, *numbers))
    show(f"2. Runs over {tables:,} tables with {columns} columns each, 100 ms per answer, no limit", *rows)


@contextlib.contextmanager
def _in_folder(folder: str) -> Iterator[None]:
    """Like contextlib.chdir, which Python 3.10 does not have."""
    before = os.getcwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def compare_discovery(small: int, large: int) -> None:
    heads = ("client", "assets", "requests", "wall s", "× ours", "CPU s", "peak MB")
    rows: list[tuple[object, ...]] = [heads]

    def add(name: str, done: Measured, ours: Measured) -> None:
        numbers = (f"{done.assets:,}", done.requests, f"{done.wall:.1f}", f"{done.wall / ours.wall:.1f}")
        rows.append((name, *numbers, f"{done.cpu:.1f}", f"{done.peak:.0f}"))

    with a_tenant(small, 20, (POSTGRES,)) as tenant:
        tenant.client("search-raw", 1)  # sorts it once, for all
        tenant.pace(0.1)
        ours = tenant.client("discover-ours")
        add("ours", ours, ours)
        add("pyatlan's search, page 300 (its default)", tenant.client("discover-pyatlan", 300), ours)
    with a_tenant(large, 20, (POSTGRES,)) as tenant:
        tenant.client("search-raw", 1)
        tenant.pace(0.1)
        ours = tenant.client("discover-ours")
        add("ours", ours, ours)
    show("3. Discovering the assets of a connection, 100 ms per answer, no limit", *rows)


def measure_the_tenant(tables: int, columns: int) -> None:
    rows: list[tuple[object, ...]] = [("raw client, 8 threads, no delay", "assets", "wall s", "assets/s")]
    with a_tenant(tables, columns) as tenant:
        for name, arguments in (
            ("writing, 50 a request", ("write-raw", tables, columns)),
            ("reading, 1,000 a page", ("search-raw", 100)),
        ):
            done = tenant.client(*arguments)
            rows.append((name, f"{done.assets:,}", f"{done.wall:.1f}", f"{done.assets / done.wall:,.0f}"))
    show("The tenant's own rate", *rows)


def compare_starting() -> None:
    commands = {
        "python -c 'import argparse, json, logging'": ["-c", "import argparse, json, logging"],
        "main.py --help": [ROOT / "main.py", "--help"],
        "main.py --cache-status": [ROOT / "main.py", "--cache-status"],
        "python -c 'import main'": ["-c", "import main"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    for _ in range(15):
        for name, arguments in commands.items():
            started = time.monotonic()
            command = [sys.executable, *map(str, arguments)]
            subprocess.run(command, env=environment, check=True, capture_output=True, cwd=tempfile.gettempdir())
            taken[name].append(time.monotonic() - started)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    first = next(iter(medians.values()))
    show(
        "4. Starting (medians of 15)",
        ("command", "ms", "× the first"),
        *((name, f"{seconds * 1000:.0f}", f"{seconds / first:.1f}") for name, seconds in medians.items()),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    quick = parser.parse_args().quick
    part: Any = 10 if quick else 1
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    measure_the_tenant(1000 // part, 20)
    compare_writing(1000 // part, 20)
    compare_reruns(1000 // part, 20)
    compare_discovery(2000 // part, 20_000 // part)
    compare_starting()
    return 0


if __name__ == "__main__":
    sys.exit(main())
