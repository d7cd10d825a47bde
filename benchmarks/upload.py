"""How fast is the upload? Ours, s5cmd, rclone, Atlan's SDK, boto3 and one call per file, against the same kind of server.

    python benchmarks/upload.py            # needs 3 GB of memory for the files
    python benchmarks/upload.py --quick    # a tenth of the size
    python benchmarks/upload.py --s5cmd PATH --sdk-python PATH

Two of them are no part of the requirements: s5cmd's program (of the package `s5cmd`, it is in its folder `bin`), and the
Python of an environment with `atlan-application-sdk`. They are left out where they are not given.

Every measurement has a client process of its own and a fresh `rclone serve s3` with signature checks, whose files are
in memory (/dev/shm), as a disk would be slower than every client. It keeps its folders in memory: read again every 5 ms, as the
sandbox has it, they would take most of its time, which the clients share the processors with. The clients take turns, for three rounds; the median
of each figure is printed. Wall time and CPU time (user and system) are those of the whole process, its start-up
included. After each run every file is compared with what was sent.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import proxy  # noqa: E402
from upload_clients import BUCKET, STORAGE  # noqa: E402

from sandbox import storage  # noqa: E402

ROUNDS = 3
KEY = ("benchmark", "benchmark-secret")
OURS, S5CMD, RCLONE, SDK = "ours", "s5cmd", "rclone copy, tuned", "Atlan's application SDK, upload_prefix"
BOTO3, SINGLE = "boto3 upload_file, 16 threads", "one call per file"
IN_PYTHON = {OURS: "ours", SDK: "sdk", BOTO3: "boto3", SINGLE: "one-by-one"}  # as upload_clients.py calls them
COMPONENT = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {component}
spec:
  type: bindings.aws.s3
  version: v1
  metadata:
    - {{name: bucket, value: {bucket}}}
    - {{name: region, value: us-east-1}}
    - {{name: endpoint, value: "{endpoint}"}}
    - {{name: accessKey, secretKeyRef: {{name: AWS_ACCESS_KEY_ID, key: AWS_ACCESS_KEY_ID}}}}
    - {{name: secretKey, secretKeyRef: {{name: AWS_SECRET_ACCESS_KEY, key: AWS_SECRET_ACCESS_KEY}}}}
    - {{name: forcePathStyle, value: "true"}}
"""


@dataclass(frozen=True)
class Case:
    """Files to upload. `samples` has the clients that would take too long, with the number of files they get."""

    name: str
    files: int
    size: int
    clients: tuple[str, ...]
    far: bool = False
    again: bool = False  # measured is a second upload, with nothing to do
    samples: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Usage:
    """What one run of a client took."""

    wall: float
    cpu: float
    megabytes: float


@dataclass(frozen=True)
class Programs:
    """Where the programs are that the requirements do not have; empty where they are not given."""

    s5cmd: str = ""
    sdk_python: str = ""


def cases(quick: bool, programs: Programs) -> list[Case]:
    part = 10 if quick else 1
    given = {S5CMD: programs.s5cmd, SDK: programs.sdk_python}
    every = tuple(client for client in (OURS, S5CMD, RCLONE, SDK, BOTO3, SINGLE) if given.get(client, "always"))
    fast = tuple(client for client in every if client in (OURS, S5CMD, RCLONE))
    many, large = 5000 // part, (512 << 20) // part
    few = ((SDK, many // 50), (BOTO3, many // 5), (SINGLE, many // 50))
    return [
        Case(f"{many:,} × 10 KB", many, 10_000, every),
        Case(f"{200 // part} × 2 MB", 200 // part, 2_000_000, every),
        Case(f"2 × {large >> 20} MB", 2, large, every),
        Case(f"{many:,} × 10 KB, +50 ms", many, 10_000, every, far=True, samples=few),
        Case(f"{many:,} × 10 KB, all there", many, 10_000, fast, again=True),
    ]


# Files and servers


def write_files(folder: Path, count: int, size: int) -> None:
    """Files of random bytes, a thousand per folder."""
    for number in range(count):
        path = folder / f"type-{number // 1000}" / f"nightly_transformed_{number:05}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for start in range(0, size, 1 << 20):
                stream.write(os.urandom(min(1 << 20, size - start)))


@contextlib.contextmanager
def a_server(far: bool) -> Iterator[tuple[str, Path]]:
    """A server with an empty bucket; yields its endpoint and the bucket's folder."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        bucket = Path(folder) / BUCKET
        bucket.mkdir()
        with contextlib.ExitStack() as stack:
            endpoint = stack.enter_context(storage.serve_buckets(Path(folder), key=KEY, folders_read_for="5m"))
            if far:
                endpoint = stack.enter_context(proxy.running(endpoint))
            yield endpoint, bucket


def check_arrived(source: Path, bucket: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and not filecmp.cmp(path, bucket / path.relative_to(source), shallow=False):
            raise SystemExit(f"{path} did not arrive as it is")


# Clients


def rclone_command(source: Path, endpoint: str) -> list[str]:
    """The copy with the fewest requests: one list, one PUT per file, and no HEAD, as the PUT carries an MD5."""
    return [
        storage._find_rclone(), "copy", str(source), f":s3:{BUCKET}", "--config", "", "--quiet",
        "--s3-provider", "Rclone", "--s3-env-auth", "--s3-endpoint", endpoint, "--s3-region", "us-east-1",
        "--transfers", "32", "--checkers", "32", "--fast-list", "--checksum",
        "--s3-no-head", "--s3-no-check-bucket", "--s3-use-unsigned-payload", "true",
        "--s3-chunk-size", "8Mi", "--s3-upload-concurrency", "4",
    ]  # fmt: skip


def s5cmd_command(program: str, source: Path, endpoint: str, again: bool) -> list[str]:
    """Its own 256 workers: with 16 or 32 it was as fast near, and slower far. `sync` compares, `cp` does not."""
    verb = "sync" if again else "cp"
    return [program, "--endpoint-url", endpoint, "--log", "error", verb, f"{source}/", f"s3://{BUCKET}/"]


def command_of(client: str, programs: Programs, source: Path, endpoint: str, again: bool) -> list[str]:
    if client == RCLONE:
        return rclone_command(source, endpoint)
    if client == S5CMD:
        return s5cmd_command(programs.s5cmd, source, endpoint, again)
    python = programs.sdk_python if client == SDK else sys.executable
    return [python, str(Path(__file__).with_name("upload_clients.py")), IN_PYTHON[client], str(source), endpoint]


def run_client(client: str, programs: Programs, source: Path, endpoint: str, again: bool = False) -> Usage:
    """Run a client to its end in a process of its own; `again` where everything is there already."""
    with tempfile.TemporaryDirectory() as components:
        text = COMPONENT.format(component=STORAGE, bucket=BUCKET, endpoint=endpoint)
        (Path(components) / "storage.yaml").write_text(text)
        command = command_of(client, programs, source, endpoint, again)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": components,
            **({"PYTHONPATH": str(ROOT)} if client == OURS else {}),
            "BENCHMARK_COMPONENTS": components,
            "AWS_ACCESS_KEY_ID": KEY[0],
            "AWS_SECRET_ACCESS_KEY": KEY[1],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }
        started = time.monotonic()
        process = os.posix_spawn(command[0], command, environment)
        _, status, used = os.wait4(process, 0)
        wall = time.monotonic() - started
    if status:
        raise SystemExit(f"{client} ended with {os.waitstatus_to_exitcode(status)}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(case: Case, client: str, programs: Programs, source: Path) -> Usage:
    """One upload to a fresh server, checked."""
    with a_server(case.far) as (endpoint, bucket):
        if case.again:
            run_client(client, programs, source, endpoint)
        usage = run_client(client, programs, source, endpoint, case.again)
        check_arrived(source, bucket)
        return usage


# Results


def median(usages: list[Usage]) -> Usage:
    return Usage(
        statistics.median(usage.wall for usage in usages),
        statistics.median(usage.cpu for usage in usages),
        statistics.median(usage.megabytes for usage in usages),
    )


def extrapolated(sample: Usage, start: Usage, factor: float) -> Usage:
    """What all files would take, when a sample of them took this and a start without any file that."""
    wall = start.wall + (sample.wall - start.wall) * factor
    cpu = start.cpu + (sample.cpu - start.cpu) * factor
    return Usage(wall, cpu, sample.megabytes)


def run_case(case: Case, programs: Programs, folder: Path) -> dict[str, Usage]:
    """The medians by client; a client that got a sample only says so in its name."""
    samples = {client: count for client, count in case.samples if client in case.clients}
    for count in {0, case.files, *samples.values()}:
        (folder / str(count)).mkdir()
        write_files(folder / str(count), count, case.size)
    taken: dict[str, list[Usage]] = {client: [] for client in case.clients}
    for _ in range(ROUNDS):
        for client in case.clients:
            count = samples.get(client, case.files)
            usage = measure(case, client, programs, folder / str(count))
            if count < case.files:
                usage = extrapolated(usage, measure(case, client, programs, folder / "0"), case.files / count)
            taken[client].append(usage)
    return {
        f"{client} (extrapolated from {samples[client]:,} files)" if client in samples else client: median(usages)
        for client, usages in taken.items()
    }


def print_rows(case: Case, results: dict[str, Usage]) -> None:
    best = min(usage.wall for usage in results.values())
    for client, usage in results.items():
        print(
            f"| {case.name} | {client} | {usage.wall:.2f} | {usage.wall / best:.2f} | {usage.cpu:.2f} "
            f"| {usage.megabytes:.0f} |",
            flush=True,
        )


def print_proxy_rate() -> None:
    rates = [f"{proxy.measured_rate(number):,.0f} with {number} connections" for number in (128, 512)]
    print(f"\nThe proxy behind +50 ms passes {', '.join(rates)} requests of 10 KB a second from a bare client.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--s5cmd", default="", metavar="PATH", help="s5cmd's program")
    parser.add_argument("--sdk-python", default="", metavar="PATH", help="Python with atlan-application-sdk")
    options = parser.parse_args()
    programs = Programs(options.s5cmd, options.sdk_python)
    print("| case | client | wall s | × best | CPU s | peak MB |\n|---|---|---|---|---|---|", flush=True)
    for case in cases(options.quick, programs):
        folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        try:
            print_rows(case, run_case(case, programs, folder))
        finally:
            shutil.rmtree(folder)
    print_proxy_rate()


if __name__ == "__main__":
    main()
