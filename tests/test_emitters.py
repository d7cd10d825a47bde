"""Events that real emitters made (tests/openlineage/README.md), and what they prove."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from event_world import BUCKET, SOURCES, TARGETS, assets, hops, sentences

from delta_arc.jobs.event_files import read_documents
from delta_arc.jobs.events import make_scope, needles_of, read_told
from delta_arc.jobs.told import Told

FOLDER = Path(__file__).parent / "openlineage"
PAGE = Path(__file__).parent.parent / "docs" / "openlineage.md"
# The database that Airflow exported from.
OTHER = assets("default/postgres/1/postgres/sales", {"orders": ["id", "cust"]})


def told_by(name: str) -> Told:
    scope = make_scope(BUCKET, [*SOURCES, *OTHER], TARGETS)
    return read_told(read_documents(str(FOLDER / name), lambda: None, needles_of(scope)), scope)


def test_airflow() -> None:
    told = told_by("airflow.jsonl")
    assert hops(told) == [
        ("", "in/x1.csv", "STG_ORDERS"),
        ("", "in/x2.csv", "STG_ORDERS"),
        ("orders", "in/x1.csv", ""),
    ]
    assert told.problems == ()
    assert {hop.job for hop in told.hops} == {"nightly.load_orders", "nightly.export_orders"}
    assert told.hops[0].sql.startswith("COPY INTO RAW.STG_ORDERS")
    assert told.hops[2].sql == "select id, cust from sales.orders"


def test_the_python_client() -> None:
    told = told_by("python.jsonl")
    assert hops(told) == [("", "feeds/77", "STG_CUSTOMERS"), ("CUSTOMERS", "feeds/77", "")]
    assert [hop.columns for hop in told.hops] == [(("c1", "ID"), ("c2", "NAME")), (("ID", "c1"), ("NAME", "c2"))]


@pytest.mark.parametrize("name", ["dbt.jsonl", "dlt.jsonl"])
def test_what_is_not_of_the_bucket_proves_nothing_and_is_no_fault(name: str) -> None:
    assert (told_by(name).hops, sentences(told_by(name))) == ((), [])


def test_the_job_in_the_chapter_on_openlineage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "openlineage.md", "exec"), {})
    scope = make_scope("landing", assets("default/postgres/1/shop/public", {"orders": []}), [])
    assert hops(read_told(read_documents("events.jsonl", lambda: None), scope)) == [("orders", "in/x1.csv", "")]


def test_all_of_them_in_one_folder() -> None:
    told = told_by("")
    assert len(told.hops) == 5
    # The README beside them is no file of events.
    assert all("README.md" in sentence for sentence in sentences(told))
