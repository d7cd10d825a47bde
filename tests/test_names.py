"""Names as people give them: with slashes, quotes and other alphabets, and in any case."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from world import POSTGRES, SNOWFLAKE, Run, World, downstream, write_inventory

from delta_arc.pairing import match_tables


def test_odd_names_are_connected(tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run]) -> None:
    tables = ['O"Brien', "L'été", "MÜŞTERİ", "日本", "with space", "100%", "a&b=c#d"]
    columns = ["NET/GROSS", 'a"b', "x'y", "ÜNİT", "id"]
    schema = ("FOOD & CO/EU", "SALES/EU")
    world = fresh_world(
        *(
            write_inventory(tmp_path / f"{number}.json", side, {(*schema, table): columns for table in tables})
            for number, side in enumerate((POSTGRES, SNOWFLAKE))
        )
    )
    for path in world.files.iterdir():
        path.unlink()
    for table in tables:
        with (world.files / f"{table}.csv").open("w", encoding="utf-8") as file:
            csv.writer(file).writerow(columns)
    ended = run()
    assert ended.code == 0
    assert "0 unmatched" in ended.out
    assert (world.count("Process"), world.count("ColumnProcess")) == (14, 35)
    for table in tables:
        reached = downstream(f"{POSTGRES}/{'/'.join(schema)}/{table}")
        assert [asset.type_name for asset in reached] == ["Process", "S3Object", "Process", "Table"]
        assert reached[-1].name == table
    names = {asset["attributes"]["name"] for asset in world.assets("ColumnProcess")}
    assert names == {f"{table}.{column} → {table}.{column}" for table in tables for column in columns}
    assert "unchanged" in run().out


def test_names_match_in_any_case(tmp_path: Path, fresh_world: Callable[..., World], run: Callable[..., Run]) -> None:
    world = fresh_world(
        write_inventory(tmp_path / "p.json", POSTGRES, {("shop", "public", "orders"): ["id", "total", "only_here"]}),
        write_inventory(tmp_path / "s.json", SNOWFLAKE, {("SHOP", "PUBLIC", "ORDERS"): ["TOTAL", "ID", "ONLY_THERE"]}),
    )
    (world.files / "ORDERS.csv").write_text("Id,Total,only_here\n")
    assert run().code == 0
    assert (world.count("Process"), world.count("ColumnProcess")) == (2, 2)


@pytest.mark.parametrize("name", ["ORDERS", "IN/OUT"])
def test_the_schema_decides_between_tables_of_one_name(name: str) -> None:
    sources = [[f"{POSTGRES}/D/{schema}/{name}", name, "Table"] for schema in ("A", "B", "C")]
    targets = [[f"{SNOWFLAKE}/D/B/{name}", name, "Table"]]
    matched = [pair.source for pair in match_tables(sources, targets) if pair.target]
    assert matched == [f"{POSTGRES}/D/B/{name}"]
