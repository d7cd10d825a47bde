"""Layouts that names alone cannot tell: each is settled by three lines of overrides at the most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from world import POSTGRES, SNOWFLAKE, Run, World, write_inventory

from delta_arc.hints import explain_objects
from delta_arc.matching import match_s3_objects
from delta_arc.overrides_file import parse_overrides
from delta_arc.overriding import explain_captures, override_objects, override_tables
from delta_arc.pairing import match_tables


@dataclass(frozen=True)
class Layout:
    """Tables of both sides as `SCHEMA/TABLE` (views of the target behind `v:`), the table of each key, where each goes."""

    sources: str
    targets: str
    keys: Mapping[str, str | None]
    goes: Mapping[str, set[str]]
    lines: tuple[str, ...]


LAYOUTS = {
    "environment and version in the file's name": Layout(
        "public/orders public/order_items dev/orders",
        "RAW/ORDERS RAW/ORDER_ITEMS",
        {
            "in/prod_orders_v2_full_20250921.csv": "public/orders",
            "in/prod_order_items_v11_full_20250921.csv": "public/order_items",
            "in/uat_orders_v2_full_20250921.csv": None,
        },
        {"public/orders": {"RAW/ORDERS"}, "public/order_items": {"RAW/ORDER_ITEMS"}, "dev/orders": set()},
        ("object in/prod_{table}_v*_full_*.csv is public/{table}", "object in/uat_* is nothing", "table dev/* goes to nothing"),
    ),
    "feed codes": Layout(
        "public/orders public/customers public/items",
        "RAW/ORDERS RAW/CUSTOMERS RAW/ITEMS",
        {
            "feeds/F0012_20250921.dat": "public/orders",
            "feeds/F0012_20250922.dat": "public/orders",
            "feeds/F0013_20250921.dat": "public/customers",
            "feeds/F0020_20250921.dat": "public/items",
        },
        {"public/orders": {"RAW/ORDERS"}, "public/customers": {"RAW/CUSTOMERS"}, "public/items": {"RAW/ITEMS"}},
        (
            "object feeds/F0012_* is public/orders",
            "object feeds/F0013_* is public/customers",
            "object feeds/F0020_* is public/items",
        ),
    ),
    "RAW and MART": Layout(
        "public/orders public/customers",
        "RAW/ORDERS RAW/CUSTOMERS MART/ORDERS MART/CUSTOMERS",
        {"in/orders.csv": "public/orders", "in/customers.csv": "public/customers"},
        {"public/orders": {"RAW/ORDERS"}, "public/customers": {"RAW/CUSTOMERS"}},
        ("table nothing goes to MART/*",),
    ),
    "a prefix in the target": Layout(
        "public/orders public/customers",
        "RAW/STG_ORDERS RAW/STG_CUSTOMERS",
        {"in/orders.csv": "public/orders", "in/customers.csv": "public/customers"},
        {"public/orders": {"RAW/STG_ORDERS"}, "public/customers": {"RAW/STG_CUSTOMERS"}},
        ("table public/* goes to RAW/STG_*",),
    ),
    "side folders": Layout(
        "public/orders public/customers",
        "RAW/ORDERS RAW/CUSTOMERS",
        {
            "in/orders/2025/orders.csv": "public/orders",
            "in/orders/lookups/orders.csv": None,
            "in/customers/lookups/customers_20250921.csv": None,
            "in/customers/codes/customers.csv": None,
            "in/customers/2025/customers.csv": "public/customers",
        },
        {"public/orders": {"RAW/ORDERS"}, "public/customers": {"RAW/CUSTOMERS"}},
        ("object in/*/lookups/* is nothing", "object in/*/codes/* is nothing"),
    ),
    "prefixes of what was rejected": Layout(
        "public/orders public/rej_customers",
        "RAW/ORDERS RAW/REJ_CUSTOMERS",
        {
            "in/orders_1.csv": "public/orders",
            "in/REJ_orders_1.csv": None,
            "in/REJ_orders_2.csv": None,
            "in/dup-orders-3.csv": None,
            "in/rej_customers.csv": "public/rej_customers",
        },
        {"public/orders": {"RAW/ORDERS"}, "public/rej_customers": {"RAW/REJ_CUSTOMERS"}},
        ("object in/REJ_* is nothing", "object in/dup-* is nothing"),
    ),
    "partitioned source tables": Layout(
        "public/orders_2024_01 public/orders_2024_02 public/orders_default",
        "RAW/ORDERS",
        {
            "in/orders_2024_01.csv": "public/orders_2024_01",
            "in/orders_2024_02.csv.gz": "public/orders_2024_02",
            "in/orders_default.csv": "public/orders_default",
        },
        {f"public/orders_{part}": {"RAW/ORDERS"} for part in ("2024_01", "2024_02", "default")},
        ("table public/orders_* goes to RAW/ORDERS",),
    ),
    "one file into two targets": Layout(
        "public/orders public/customers",
        "RAW/ORDERS MART/FACT_ORDERS v:MART/CUSTOMERS RAW/CUSTOMERS",
        {"in/orders.csv": "public/orders", "in/customers.csv": "public/customers"},
        {"public/orders": {"RAW/ORDERS", "MART/FACT_ORDERS"}, "public/customers": {"RAW/CUSTOMERS", "MART/CUSTOMERS"}},
        (
            "table public/* goes to RAW/*",
            "table public/* goes to MART/*",
            "table public/* goes to MART/FACT_*",
        ),
    ),
    "two source systems in one bucket": Layout(
        "crm/orders crm/customers erp/orders erp/items",
        "CRM/ORDERS CRM/CUSTOMERS ERP/ORDERS ERP/ITEMS",
        {
            "sys-a/orders_full.csv": "crm/orders",
            "sys-a/customers_full.csv": "crm/customers",
            "sys-b/orders_full.csv": "erp/orders",
            "sys-b/items_full.csv": "erp/items",
            "sys-c/orders_full.csv": None,
        },
        {
            "crm/orders": {"CRM/ORDERS"}, "crm/customers": {"CRM/CUSTOMERS"}, "erp/orders": {"ERP/ORDERS"},
            "erp/items": {"ERP/ITEMS"},
        },
        (
            "object sys-a/{table}_full.csv is crm/{table}",
            "object sys-b/{table}_full.csv is erp/{table}",
            "object sys-c/* is nothing",
        ),
    ),
}  # fmt: skip


def rows(place: str, names: str) -> list[list[str]]:
    return [
        [f"{place}/{name.removeprefix('v:')}", name.rpartition("/")[2], "View" if name.startswith("v:") else "Table"]
        for name in names.split()
    ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_three_lines_settle_a_layout(name: str) -> None:
    layout = LAYOUTS[name]
    sources, targets = rows(f"{POSTGRES}/SHOP", layout.sources), rows(f"{SNOWFLAKE}/SHOP", layout.targets)

    def settle(lines: Iterable[str]) -> tuple[dict[str, str | None], dict[str, set[str]], list[str]]:
        overrides = parse_overrides("o.txt", "\n".join(lines), sources, targets)
        matches, used = override_objects(overrides, match_s3_objects(layout.keys, sources))
        pairs, _ = override_tables(overrides, match_tables(sources, targets, overrides.forbidden))
        goes: dict[str, set[str]] = {}
        for pair in pairs:
            found = goes.setdefault(pair.source.removeprefix(f"{POSTGRES}/SHOP/"), set())
            found.update({pair.target.removeprefix(f"{SNOWFLAKE}/SHOP/")} if pair.target else ())
        told = [*explain_captures(overrides, matches), *overrides.unused(used, "object")]
        told += [hint.sentence for hint in explain_objects(matches, sources, overrides) if not hint.is_note]
        tables = {match.key: match.table_qualified_name for match in matches}
        return {
            key: table and table.removeprefix(f"{POSTGRES}/SHOP/") for key, table in tables.items()
        }, goes, told  # fmt: skip

    assert len(layout.lines) <= 3
    assert settle(()) != (layout.keys, layout.goes, []), "it needs no line"
    assert settle(layout.lines) == (layout.keys, layout.goes, [])
    for left_out in range(len(layout.lines)):
        lines = [line for number, line in enumerate(layout.lines) if number != left_out]
        assert settle(lines) != (layout.keys, layout.goes, []), layout.lines[left_out]


def test_a_run_settles_a_layout_with_three_lines(
    tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run]
) -> None:
    names = {("ORDERS", ("order_id", "total")), ("ORDER_ITEMS", ("item_id", "amount"))}
    world = fresh_world(
        write_inventory(tmp_path / "p.json", POSTGRES, {("SHOP", "PUBLIC", name): columns for name, columns in names}),
        write_inventory(
            tmp_path / "s.json",
            SNOWFLAKE,
            {("SHOP", "RAW", f"STG_{name}"): [*columns[:1], "KEY"] for name, columns in names},
        ),
    )
    for file in world.files.iterdir():
        file.unlink()
    for name, columns in names:
        (world.files / f"prod_{name.lower()}_v2_full_20250921.csv").write_text(f"{','.join(columns)}\n1,2\n")
    (world.files / "uat_orders_v2_full_20250921.csv").write_text("order_id,total\n1,2\n")
    assert run("--dry-run").code == 4
    Path("overrides.txt").write_text(
        "object */prod_{table}_v*_full_*.csv is PUBLIC/{table}\nobject */uat_* is nothing\ntable PUBLIC/* goes to RAW/STG_*\n"
    )
    ended = run()
    assert (ended.code, ended.err) == (0, "")
    loads = {
        tuple(process["outputs"]): process["inputs"]
        for (kind, name), process in world.state().items()
        if kind == "Process" and "/load/" in name
    }
    assert {
        targets[0].rpartition("/")[2]: [one.rpartition("/")[2] for one in objects] for targets, objects in loads.items()
    } == {f"STG_{name}": [f"prod_{name.lower()}_v2_full_20250921.csv"] for name, _ in names}
