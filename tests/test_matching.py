"""Matching: landing zones as tools write them, traps, and what must hold for any keys and tables."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from delta_arc import keys as reading
from delta_arc import matching
from delta_arc.matching import MatchOutcome, ObjectMatch, match_s3_objects
from delta_arc.pairing import match_columns, match_tables

LANDING_ZONES = [
    case
    for file in ("landing_zones.json", "landing_zones_2.json", "landing_zones_own.json")
    for case in json.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))["cases"]
]
CONNECTION = "default/postgres/1"
UUID = "2dd664f9-d2c4-4ffe-878f-c6c70c1fb0cb"

ORDERS = {
    # tools
    "topics/dbserver1.public.orders/partition=0/dbserver1.public.orders+0+0000000000.avro": "public.orders",
    "topics/orders/year=2025/month=09/day=21/orders+0+0000000123.json": "public.orders",
    f"orders/2025/09/21/10/orders-stream-1-2025-09-21-10-00-00-{UUID}": "public.orders",
    "dataset/orders/1726925134.123.0.parquet": "public.orders",
    "public-orders/20250921T101530.csv": "public.orders",
    "orders/run-1726925134-part-r-00000.snappy.parquet": "public.orders",
    "orders/orders-000000000000.csv": "public.orders",
    "unload/orders_0000_part_00.gz": "public.orders",
    "unload/orders0000_part_00": "public.orders",
    "unload/orders_manifest": None,
    "orders/data_01b2c3d4-0000-1111-2222-333344445555_006_1_0.snappy.parquet": "public.orders",
    f"orders/20250921_101530_00012_kx7q2_{UUID}": "public.orders",
    "warehouse/sales.db/orders/000000_0": "public.orders",
    "lake/orders/_delta_log/00000000000000000000.json": None,
    f"warehouse/db/orders/data/00000-0-{UUID}-00001.parquet": "public.orders",
    "warehouse/db/orders/metadata/v1.metadata.json": None,
    "warehouse/db/orders/metadata/snap-123-1-abc.avro": None,
    "orders/.hoodie/20250921.commit": None,
    f"export-id/mydb/mydb.public.orders/1/part-00000-{UUID}-c000.gz.parquet": "public.orders",
    "export-id/export_tables_info_x_from_1_to_2.json": None,
    "dbo.orders__ct/20250921-101010.csv.gz": None,
    "s3-inventory/bucket/daily/data/abc.csv.gz": None,
    # dates and other marks
    "20250921_orders.csv": "public.orders",
    "x/orders (2).csv": None,
    "ORDERS_2025-09-21T10-15-30Z.json": "public.orders",
    "orders_2025W38.csv": "public.orders",
    "public.orders_2025_09.csv": "public.orders",
    "orders_31-12-2025.csv": "public.orders",
    "orders_12312025.csv": "public.orders",
    "orders-2025.09.21.csv": "public.orders",
    "orders_21Sep2025.csv": "public.orders",
    "orders20250921.csv": "public.orders",
    "orders_1726925134123.json": "public.orders",
    "orders_incremental_20250921_0001.csv.gz": "public.orders",
    "orders_1of3.csv": "public.orders",
    "orders_2025_09_31.csv": None,
    "orders_20251301.csv": None,
    "orders/2025/13/45/part-0.csv": None,
    # what is not the table's rows, or not that table
    "x/orders - Copy.csv": None,
    "orders_v2.csv": None,
    "dim_orders.csv": None,
    "users_orders.csv": None,
    "preorders.csv": None,
    "orders2.csv": None,
    "orders_sample.csv": None,
    "orders_deleted.csv": None,
    "orders_history_20250921.csv": None,
    "backup.public.orders.csv": None,
    "orders/archive/part-0.csv": None,
    "orders/eu/part-1.csv": None,
    "orders/dt=1/users.csv": None,
    "orders/load_date=2025-09-21/users_dim.parquet": None,
    "orders.csv.tmp": None,
    "orders.sql.gz": None,
    "orders/_committed_123": None,
    "in/orders001_20250921.csv": None,
    "unload/orders1234.csv": None,
    "_landing/orders.csv": None,
    "type=rejected/orders.csv": None,
    "flat/test-public-orders+0+1.json": None,
    "flat/shop-public-orders+0+1.json": "?public.orders",
    f"orders/2025/09/21/10/orders-errors-stream-1-2025-09-21-10-00-00-{UUID}": None,
    "in/orders_from_21-Sep-2025.csv": "public.orders",
    # folders
    "orders/status=failed/part-0.csv": "public.orders",
    "orders.csv/part-00000": "public.orders",
    "orders/region=eu/part-1.csv": "public.orders",
    "orders/snapshot_date=2025-09-21/anything-here.parquet": None,
    "orders/snapshot_date=2025-09-21/data.parquet": "public.orders",
    "users/orders.csv": "public.orders",
}
ZONES: list[tuple[list[str], Mapping[str, str | None]]] = [
    (["public.orders", "public.users"], ORDERS),
    (
        ["public.data", "public.orders"],
        {
            "orders/data.csv": None,
            "in/data.csv": "public.data",
            "orders/data_0_0_0.csv": "public.orders",
            "data/orders/part-0.csv": "public.orders",
        },
    ),
    (["s.Orders", "s.orders"], {"x/Orders.csv": "s.Orders", "x/orders.csv": "s.orders", "x/ORDERS.csv": None}),
    (["hr.people", "sales.customers"], {"hr/customers.csv": None, "sales/customers.csv": "sales.customers"}),
    (
        ["p.orders", "s.orders"],
        {
            "p/2025/s/orders.csv": None,
            "p_orders.csv": "p.orders",
            "s-orders-20250921.csv": "s.orders",
            "p.orders/part-0.csv": "p.orders",
            "schema=p/table=orders/part-0.csv": "p.orders",
            "S/ORDERS/2025-09-21.csv": "s.orders",
        },
    ),
    (['x.naïve "t" é'], {'a/NAI\u0308VE "T" E\u0301.csv': 'x.naïve "t" é'}),
    (
        ["us.orders", "eu.orders"],
        {"warehouse/us.db/orders/000000_0": "us.orders", "warehouse/x.db/orders/000000_0": None},
    ),
    (["public.orders", "DB.users"], {"DB/public/orders.csv": "public.orders", "public/DB/orders.csv": None}),
    (["public.order_items", "order.items"], {"in/order-items.csv": None, "in/order.items.csv": "order.items"}),
    (
        ["public.mysql", "public.orders"],
        {"mysql/part-0.csv": "public.mysql", "in/mysql.csv": "public.mysql", "mysql/orders.csv": None},
    ),
    (["a.b/c"], {"in/b/c.csv": "a.b/c", "in/c.csv": None}),
]


def row(table: str) -> list[str]:
    schema, _, name = table.partition(".")
    return [f"{CONNECTION}/DB/{schema}/{name}", name, "Table"]


def qualified(table: str | None) -> str | None:
    return row(table)[0] if table else None


CASES = [(case["tables"], key, table) for case in LANDING_ZONES for key, table in case["keys"].items()]
CASES += [(tables, key, table) for tables, keys in ZONES for key, table in keys.items()]


@pytest.mark.parametrize(("tables", "key", "table"), CASES, ids=[key for _, key, _ in CASES])
def test_landing_zones(tables: list[str], key: str, table: str | None) -> None:
    """`?public.orders` is a key that carries the table, which nobody can know from the key."""
    (verdict,) = match_s3_objects([key], [row(name) for name in tables])
    if table and table.startswith("?"):
        assert verdict.outcome is MatchOutcome.DOUBTFUL
        assert (verdict.table_qualified_name, verdict.candidates) == (None, (qualified(table[1:]),))
    else:
        assert verdict.table_qualified_name == qualified(table), verdict


def test_an_ambiguous_verdict_names_the_candidates() -> None:
    tables = [row("prod.customers"), row("staging.customers"), row("prod.orders")]
    (verdict,) = match_s3_objects(["exports/customers.csv"], tables)
    assert (verdict.outcome, verdict.candidates) == (MatchOutcome.AMBIGUOUS, (tables[0][0], tables[1][0]))


# Properties

WORDS = ["orders", "Orders", "customers", "part", "data", "2024", "20250101", "orders_2024", "x", "sales", "prod", "a b",
         "é", "order_items", "_t", "load", "manifest", "archive", "log", "part-1", "o.p", "test"]  # fmt: skip
word = st.sampled_from(WORDS)
odd = st.text(alphabet="abAB01_-. é\"'", min_size=1, max_size=8).filter(lambda text: text.strip(". ") == text)
name = st.one_of(word, odd, st.builds("{}_{}".format, word, word))
table = st.builds("{}.{}".format, st.sampled_from(["public", "prod", "staging", "Sales"]), name).map(row)
tables = st.lists(table, min_size=1, max_size=8, unique_by=lambda item: item[0])
folder = st.one_of(word, st.sampled_from(["dt=2024-01-01", "2025", "09", "21", "exports", "public", "staging"]))
file_name = st.one_of(name, st.sampled_from(["part-00000", "LOAD00000001", "data_0_0_0", "orders_20250921"]))
extension = st.sampled_from(["", ".csv", ".csv.gz", ".parquet", ".sha256"])
key = st.builds(
    lambda folders, last, end: "/".join([*folders, last]) + end, st.lists(folder, max_size=4), file_name, extension
)
keys = st.lists(key, min_size=1, max_size=6, unique=True)
many = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(tables, keys, st.randoms())
def test_order_changes_nothing_and_a_match_is_one_of_the_tables(
    tables: list[list[str]], keys: list[str], chance: random.Random
) -> None:
    verdicts = {verdict.key: verdict for verdict in match_s3_objects(keys, tables)}
    assert list(verdicts) == keys
    chance.shuffle(tables)
    chance.shuffle(keys)
    assert {verdict.key: verdict for verdict in match_s3_objects(keys, tables)} == verdicts
    names = {item[0] for item in tables}
    for verdict in verdicts.values():
        assert {verdict.table_qualified_name, *verdict.candidates} <= {*names, None}


@many
@given(tables, keys, table)
def test_another_table_takes_keys_for_itself_or_leaves_them_without(
    tables: list[list[str]], keys: list[str], other: list[str]
) -> None:
    assume(other[0] not in {item[0] for item in tables})
    pairs = zip(match_s3_objects(keys, tables), match_s3_objects(keys, [*tables, other]), strict=True)
    for before, after in pairs:
        # A folder of which nobody knew what it holds may be called like the other table, or its schema.
        is_known_now = before.outcome is MatchOutcome.DOUBTFUL and before.candidates == (after.table_qualified_name,)
        assert after == before or after.table_qualified_name in (None, other[0]) or is_known_now


@many
@given(tables, keys, st.text(alphabet="qxz", min_size=3, max_size=6))
def test_an_unrelated_table_and_an_unrelated_key_change_nothing(
    tables: list[list[str]], keys: list[str], unrelated: str
) -> None:
    found = match_s3_objects(keys, tables)
    assert match_s3_objects(keys, [*tables, row(f"{unrelated}.{unrelated}_zz")]) == found
    assert match_s3_objects([*keys, f"{unrelated}/{unrelated}.csv"], tables)[:-1] == found


@many
@given(tables)
def test_its_own_key_returns_the_table(tables: list[list[str]]) -> None:
    for qualified_name, *_ in tables:
        for key in (qualified_name.removeprefix(f"{CONNECTION}/"), qualified_name.removeprefix(f"{CONNECTION}/DB/")):
            assert match_s3_objects([f"{key}.csv"], tables)[0].table_qualified_name == qualified_name


@many
@given(st.lists(st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "surrogateescape")), max_size=5), tables)
def test_no_bytes_as_text_raise(keys: list[str], tables: list[list[str]]) -> None:
    for found in match_s3_objects(keys, tables):
        assert isinstance(found, ObjectMatch)


days = st.sampled_from(
    ["2025-09-21", "2024-02-28", "2024-02-29", "1999-12-31", "2061-10-10", "2025-02-30", "2020-11-20", "2019-04-30"]
)
# What stands around marks: words that dates, times and ids might make a mark with, and what names are looked for by.
around = st.sampled_from(
    ["orders", "order", "public", "sales", "from", "to", "feb", "29-feb", "29-february", "31-sep", "mar", "market", "may-to-feb",
     "1", "5", "05", "09", "2025", "05-09", "part", "of", "1of", "of5", "w", "q", "q1", "q1_", "t", "z", "00000", "000000", "123456",
     "copy_1", "manual__", "ls.s3.x.", "tag_", "topic+0+12", "run-", "load", "LOAD", "base_", "_v", "x", "ab", "dead", "beef", "d365",
     "error", "unknownfolder", "schema=", "table=", "dt=", "day=", "source=", "feb=", "(1)", " ", "%20", "é", "\u017fep", ".csv", "part-00000",
     "dms-1", "stream-1", "12", "jun", "june"])  # fmt: skip
joints = st.sampled_from(["", "-", "_", ".", "/", "=", "+", " ", "__"])
marks = st.sampled_from(["{dashed}", "{compact}", "{scored}", "{time}", "{uuid}", "{compact}-{time}", "{compact}{time}",
                         "{compact}_{time}_00012_kx7q2", "{dashed}-10-00-03-{uuid}", "{year}/{month}/{day}", "{dashed}T{time}"])  # fmt: skip
templates = st.lists(st.tuples(st.one_of(marks, around), joints), min_size=1, max_size=9).map(
    lambda parts: "".join(itertools.chain(*parts))
)
fillings = st.builds(
    lambda day, time, uuid: {
        "dashed": day, "compact": day.replace("-", ""), "scored": day.replace("-", "_"), "year": day[:4], "month": day[5:7],
        "day": day[8:], "time": time, "uuid": str(uuid),
    },
    days,
    st.sampled_from(["000000", "235959", "201530", "191919", "246060", "101010"]),
    st.one_of(st.uuids(), st.sampled_from(["deadbeef-dead-beef-d365-deadbeefdead", "00000000-0000-4000-8000-000000000000"])),
)  # fmt: skip
NUMBERED = ["orders", "public.orders", "orders_2025", "sales.orders_20250921", "2025.orders", "09.21", "public.dead", "sales.beef",
            "sales.feb", "orders-2025-09", "sales.201530", "a b.orders_1999", "x.cafe", "public.Orders", "to.orders", "part.orders"]  # fmt: skip


@many
@given(st.lists(templates, min_size=1, max_size=2), st.lists(fillings, min_size=2, max_size=6),
       st.lists(st.sampled_from(NUMBERED), min_size=1, max_size=6, unique=True), st.sampled_from([".csv", "", ".parquet", ".csv.gz"]))  # fmt: skip
def test_keys_that_differ_in_marks_are_judged_as_each_by_itself(
    templates: list[str], fillings: list[dict[str, str]], names: list[str], end: str
) -> None:
    keys = [template.format(**filling) + end for template in templates for filling in fillings]
    tables = [row(name) for name in names]
    assert match_s3_objects(keys, tables) == [match_s3_objects([key], tables)[0] for key in keys]


@pytest.mark.parametrize(
    "keys",
    [
        ("29-feb_2024-09-05_orders.csv", "29-feb_2026-09-05_orders.csv"),
        ("29-february-2024-09-05_orders.csv", "29-february-2026-09-05_orders.csv"),
        ("orders/5/1/29/02/2024-09-21/part-0.csv", "orders/5/1/29/02/2026-09-21/part-0.csv"),
        ("in/colleague_2024-09-21/orders.csv", "in/colleague_2026-09-21/orders.csv"),
        ("in/schema=2024-09-21/orders.csv", "in/schema=2026-09-21/orders.csv"),
        ("orders_2024-09-21.csv", "orders_2025-09-21.csv"),
        ("orders_2025-02-28.csv", "orders_2025-02-29.csv"),
        ("2025-09-20_t_2024-09-21_orders.csv", "2025-09-20_t_2099-09-21_orders.csv"),
        ("orders/2024/2024-09-21/part-0.csv", "orders/2024/2024-13-21/part-0.csv"),
        (f"{UUID.replace('4ffe', 'd365')}.public.orders.csv", f"{UUID}.public.orders.csv"),
    ],
    ids=lambda keys: keys[0],
)
def test_a_mark_whose_value_decides_is_judged(keys: tuple[str, str]) -> None:
    tables = [row(name) for name in ("public.orders", "public.orders_2025")]
    found = match_s3_objects(keys, tables)
    assert found == [match_s3_objects([key], tables)[0] for key in keys]
    assert len({(match.table_qualified_name, match.rule) for match in found}) == 2  # or the example shows nothing


def test_keys_that_differ_in_a_day_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    judge = matching._match_key
    monkeypatch.setattr(matching, "_match_key", lambda key, *rest: judged.append(key) or judge(key, *rest))
    forms = [
        "in/orders_{}.csv",
        "in/dt={}/orders.csv",
        "in/orders/{}/part-0-9f1c2d3e-0000-4000-8000-00000000000{}.parquet",
    ]
    keys = [form.format(f"2025-09-{day:02}", day % 10) for form in forms for day in range(1, 31)]
    assert {match.table_qualified_name for match in match_s3_objects(keys, [row("public.orders")])} == {
        f"{CONNECTION}/DB/public/orders"
    }
    assert len(judged) == len(forms)


PIECES = ["2025", "09", "20250921", "orders", "full", "part", "from", "to", "jan", "1of2", "a1b2c3d4", UUID, "é", "\u0301",
          "t10", "manual__", "ls.s3.", "run-", "q3"]  # fmt: skip
HOSTILE = [
    "a/" * 511 + "b",
    "".join(f"{number}/" for number in range(260))[:1023],
    "/".join(f"test{number:x}" for number in range(130))[:1024],
    *(separator.join([piece] * 1024)[:limit] for piece in PIECES for separator in "-_./ (+" for limit in (250, 1024)),
    *("orders" + separator * 1000 for separator in "-_. ,;=+()/%~é"),
    "orders" + "(1)" * 300,
    "%20" * 340,
    "20250921t" * 110,
    "0" * 1024,
    "a0" * 500,
    "run-" + "a-1" * 300 + "-part-r-0",
    "x" * 180 + "-1-2025-09-21-10-00-03-" + UUID,
    "/".join(["orders"] * 140),
    "/".join(["public.orders"] * 70),
    "public." * 140 + "orders",
    "s-public-" * 110 + "orders+1+2",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_key_costs_little(number: int) -> None:
    tables = [row(name) for name in ("public.orders", "public.order_items", "jan.full", "test.part")]
    fastest = 1.0
    for _ in range(5):
        for cache in (reading.read_name, reading.read_folder, reading.read_directory, reading.weigh):
            cache.cache_clear()
        started = time.thread_time()
        match_s3_objects([HOSTILE[number]], tables)
        fastest = min(fastest, time.thread_time() - started)
    assert len(HOSTILE[number].encode()) <= 2048
    assert fastest < 0.02, f"{fastest * 1000:.1f} ms"


def test_caches_are_bounded() -> None:
    for cache in (reading.read_name, reading.read_folder, reading.read_directory, reading.weigh):
        assert cache.cache_parameters()["maxsize"] == reading.CACHED


# Sets of keys as a whole


def rates(cases: list[dict[str, Any]]) -> tuple[float, float]:
    """Precision and recall of the tables found for the labelled keys of some cases."""
    right = wrong = missed = 0
    for case in cases:
        found = match_s3_objects(list(case["keys"]), [row(name) for name in case["tables"]])
        for match, label in zip(found, case["keys"].values(), strict=True):
            table = label.lstrip("?") if label else None
            right += bool(table) and match.table_qualified_name == qualified(table)
            wrong += bool(match.table_qualified_name) and match.table_qualified_name != qualified(table)
            missed += bool(table) and not match.table_qualified_name
    return right / (right + wrong), right / (right + missed)


def test_own_landing_zones_are_many_and_tell_their_sources() -> None:
    own = [case for case in LANDING_ZONES if "held_out" in case]
    assert len(own) >= 40
    assert sum(len(case["keys"]) for case in own) >= 300
    assert all(case["source"] for case in own)
    precision, recall = rates(own)
    assert precision == 1.0
    assert recall >= 0.95


# What the user chose, and what the key says against


def test_the_folders_of_the_prefix_are_no_reason_against() -> None:
    tables = [row("public.orders")]
    keys = ["test/landing/orders.csv", "test/landing/rejected/orders.csv"]
    assert [found.outcome for found in match_s3_objects(keys, tables)] == [MatchOutcome.SET_ASIDE] * 2
    chosen = match_s3_objects(keys, tables, prefix="test/landing/")
    assert [found.outcome for found in chosen] == [MatchOutcome.MATCHED, MatchOutcome.SET_ASIDE]


@pytest.mark.parametrize(
    ("key", "outcome", "rule"),
    [
        ("in/orders.csv", MatchOutcome.MATCHED, "file name"),
        ("in/orders_20250921.csv", MatchOutcome.MATCHED, "file name without marks"),
        ("orders/part-0.csv", MatchOutcome.MATCHED, "folder"),
        ("topics/s.public.orders/partition=0/s.public.orders+0+1.json", MatchOutcome.MATCHED, "topic"),
        ("in/orders.csv.md5", MatchOutcome.NOT_DATA, "not data"),
        ("rejected/orders.csv", MatchOutcome.SET_ASIDE, "other content: rejected"),
        ("mysql8/orders.csv", MatchOutcome.SET_ASIDE, "another system: mysql"),
        ("schema=hr/orders.csv", MatchOutcome.SET_ASIDE, "another schema: hr"),
        ("dms/hr/orders/LOAD00000001.csv", MatchOutcome.SET_ASIDE, "another schema: hr"),
        ("acme/orders.csv", MatchOutcome.DOUBTFUL, "unknown folder: acme"),
        ("in/preorders.csv", MatchOutcome.NO_TABLE, "names no table"),
        ("in/users.csv", MatchOutcome.AMBIGUOUS, "ambiguous"),
    ],
)
def test_an_outcome_for_programs_and_a_rule_for_people(key: str, outcome: MatchOutcome, rule: str) -> None:
    (found,) = match_s3_objects([key], [row("public.orders"), row("a.users"), row("b.users")])
    assert (found.outcome, found.rule) == (outcome, rule)
    assert len(found.candidates) == {MatchOutcome.AMBIGUOUS: 2, MatchOutcome.DOUBTFUL: 1}.get(outcome, 0)


@pytest.mark.parametrize(
    ("key", "is_known"),
    [
        ("acme/orders.csv", False),
        ("in/acme/orders.csv", False),
        ("acme/2025/09/21/orders.csv", False),
        ("acme/orders/part-0.csv", False),
        ("public/acme/orders.csv", False),
        ("source=acme/orders/part-0.csv", False),
        ("acme_exports/orders.csv", False),
        ("timed_out/orders.csv", False),
        ("prod_copy/orders.csv", False),
        # words on the way, and in other forms
        ("exports/orders.csv", True),
        ("Exports2/orders.csv", True),
        ("nightly-exports-2025-09-21/orders.csv", True),
        ("v2/q3/orders.csv", True),
        ("region=acme/orders.csv", True),
        # places, and whose they are
        ("acme-lake/orders.csv", True),
        ("team-acme/orders.csv", True),
        ("acme-shop-of-shoes/orders.csv", True),
        # names of the source, and what is laid out by them
        ("public_exports/orders.csv", True),
        ("db/orders.csv", True),
        ("users/orders.csv", True),
        ("orders_2025/orders.csv", True),
        ("shop-public-orders/shop-public-orders+0+1.json", True),
        ("acme/public/orders.csv", True),
        ("exports/acme/public.orders/1/part-0.parquet", True),
        ("acme/public.orders/1/part-0.parquet", False),
    ],
)
def test_a_folder_of_which_nothing_is_known_is_a_doubt(key: str, is_known: bool) -> None:
    tables = [row("public.orders"), row("public.users")]
    (found,) = match_s3_objects([key], tables)
    assert found.outcome is (MatchOutcome.MATCHED if is_known else MatchOutcome.DOUBTFUL)
    assert (found.table_qualified_name or found.candidates[0]) == tables[0][0]
    (chosen,) = match_s3_objects([key], tables, prefix=key.rpartition("/")[0] + "/")
    assert chosen.outcome is MatchOutcome.MATCHED


# Tables and columns


def test_tables_pair_by_name_then_schema_and_never_by_guess() -> None:
    sources = [row(name) for name in ("a.orders", "b.orders", "a.users", "a.events", "c.events", "a.lonely")]
    targets = [row(name) for name in ("A.ORDERS", "B.ORDERS", "raw.USERS", "x.EVENTS")]
    pairs = {pair.source: pair for pair in match_tables(sources, targets)}
    assert pairs[sources[0][0]].target == targets[0][0]
    assert pairs[sources[1][0]].target == targets[1][0]
    assert pairs[sources[2][0]].target == targets[2][0]
    assert [(pairs[sources[n][0]].target, pairs[sources[n][0]].outcome) for n in (3, 4)] == [
        (None, MatchOutcome.AMBIGUOUS)
    ] * 2
    assert pairs[sources[3][0]].candidates == (sources[4][0],)
    assert pairs[sources[5][0]].outcome is MatchOutcome.NO_TABLE


def test_a_view_is_a_source_but_no_target() -> None:
    view = [*row("s.v")[:2], "View"]
    assert match_tables([view], [row("s.v")])[0].target
    assert match_tables([row("s.v")], [view])[0].target is None


def columns(*names: str) -> list[list[str]]:
    return [[f"{CONNECTION}/DB/s/t/{name}", name, "Column"] for name in names]


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        (["ID", "id"], ["id", "ID"], {"ID": "ID", "id": "id"}),
        (["id"], ["ID"], {"id": "ID"}),
        (["CUSTOMER_ID"], ["CustomerId"], {"CUSTOMER_ID": "CustomerId"}),
        (["customer_id", "CUSTOMERID"], ["CustomerId"], {"CUSTOMERID": "CustomerId"}),
        (["a_b", "ab_"], ["A-B"], {}),
        (["Id", "iD"], ["ID"], {}),
        (["été"], ["ÉTÉ"], {"été": "ÉTÉ"}),
    ],
)
def test_columns(left: list[str], right: list[str], pairs: dict[str, str]) -> None:
    found = match_columns(columns(*left), columns(*right))
    assert {own[1]: other[1] for own, other in found} == pairs
