"""Bytes of files: rows of made-up values in the formats in which jobs write tables."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper")


def make_rows(random: Random, columns: Sequence[str], count: int = 4) -> list[list[Any]]:
    """Rows whose values go by the names of their columns: numbers, days, moments, addresses and words."""
    return [[_make_value(random, name.lower()) for name in columns] for _ in range(count)]


def _make_value(random: Random, name: str) -> Any:
    day = date(2024, 1, 1) + timedelta(days=random.randrange(600))
    if name == "id" or name.endswith(
        ("_id", "nr", "menge", "quantity", "stars", "seats", "capacity", "on_hand", "reserved", "weight_grams")
    ):
        return random.randrange(1, 90_000)
    if name.endswith(("_at", "_seen")):
        return f"{day.isoformat()}T{random.randrange(24):02}:{random.randrange(60):02}:00Z"
    if name.endswith(("_on", "_date", "_from", "_to", "tag")):
        return day.isoformat()
    if name.endswith(("amount", "price", "salary", "discount", "budget", "percent_off")):
        return round(random.uniform(1, 900), 2)
    if name == "email":
        return f"{random.choice(WORDS)}@{random.choice(WORDS)}.example"
    return f"{random.choice(WORDS)} {random.choice(WORDS)}"


def write_csv(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], delimiter: str = ",", header: bool = True
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def write_json_lines(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    return "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows).encode()


def write_parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: [row[at] for row in rows] for at, name in enumerate(columns)})
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def write_table(extension: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], random: Random) -> bytes:
    """The rows in the format that an extension like `csv.gz` names, with the names of the columns in it."""
    kind = extension.split(".")[0]
    if kind == "parquet":
        return write_parquet(columns, rows)
    if kind == "json" and random.random() < 0.3:
        body = json.dumps([dict(zip(columns, row, strict=True)) for row in rows]).encode()
    elif kind in ("json", "jsonl"):
        body = write_json_lines(columns, rows)
    else:
        body = write_csv(columns, rows, "\t" if kind == "tsv" else random.choice(",,,;|"))
    return gzip.compress(body, mtime=0) if extension.endswith(".gz") else body
