"""Overrides: what lines settle, what is wrong with them, and that a printed line settles just what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import POSTGRES, SCHEMA, SNOWFLAKE, Run, World

from delta_arc.coverage import explain_columns, explain_tables
from delta_arc.entities import Flow
from delta_arc.evidence import Evidence, Ground
from delta_arc.hops import find_hops, group_datasets
from delta_arc.matching import TARGET_TYPES, match_s3_objects, tables_in
from delta_arc.overrides import Overrides, override_columns, override_objects, override_tables, parse_overrides
from delta_arc.pairing import match_columns, match_tables
from runtime.errors import SettingsError


def assets(connection: str, *tables: str, columns: Sequence[str] = ("id",)) -> list[list[str]]:
    rows = []
    for table in tables:
        rows.append([f"{connection}/{table}", table.rpartition("/")[2], "Table"])
        rows += [[f"{connection}/{table}/{column}", column, "Column"] for column in columns]
    return rows


SOURCES = assets("default/postgres/1", "shop/public/orders", "shop/audit/orders", "shop/public/odd name")
TARGETS = assets("default/snowflake/1", "SHOP/PUBLIC/ORDERS", "SHOP/PUBLIC/FACTS")
KEYS = ["in/orders.csv", "in/x9.csv", "in/x10.csv", "in/[a].csv", "public/orders.csv"]


def parse(text: str) -> Overrides:
    return parse_overrides("o.txt", text, SOURCES, TARGETS)


def matched_objects(text: str) -> dict[str, tuple[str | None, str]]:
    decided, _ = override_objects(parse(text), match_s3_objects(KEYS, SOURCES))
    return {match.key: (match.table_qualified_name, match.rule) for match in decided}


def test_objects_are_forced() -> None:
    before, after = (
        matched_objects(""),
        matched_objects("# ours\n\nobject in/x*.csv is public/orders # all\nobject in/orders.csv is nothing"),
    )
    orders = SOURCES[0][0]
    assert before["in/orders.csv"] == (None, "ambiguous")
    assert after["in/x9.csv"] == after["in/x10.csv"] == (orders, "override line 3")
    assert after["in/orders.csv"] == (None, "override line 4")
    assert {key for key in KEYS if before[key] != after[key]} == {"in/x9.csv", "in/x10.csv", "in/orders.csv"}


def test_names_with_spaces_and_brackets_are_quoted() -> None:
    assert matched_objects("object 'in/[[]a].csv' is \"public/odd name\"")["in/[a].csv"][0] == SOURCES[4][0]


def pairs(text: str) -> dict[str, tuple[str | None, str]]:
    overrides = parse(text)
    decided, _ = override_tables(overrides, match_tables(SOURCES, TARGETS, overrides.forbidden))
    return {pair.source.removeprefix("default/postgres/1/shop/"): (pair.target, pair.rule) for pair in decided}


def test_tables_are_forced_and_forbidden() -> None:
    target = TARGETS[0][0]
    assert pairs("")["audit/orders"] == (None, "ambiguous")
    assert pairs("")["public/orders"] == (target, "same name and schema")
    assert pairs("never public/orders to PUBLIC/ORDERS")["audit/orders"] == (target, "same name")
    assert pairs("never public/orders to PUBLIC/ORDERS")["public/orders"][0] is None
    assert pairs("table audit/orders goes to FACTS")["audit/orders"] == (TARGETS[2][0], "override line 1")
    assert pairs("table public/orders goes to nothing")["public/orders"] == (None, "override line 1")


def test_columns_are_renamed() -> None:
    sources = assets("default/postgres/1", "s/orders", columns=("id", "customer", "note"))
    targets = assets("default/snowflake/1", "S/ORDERS", columns=("ID", "CUST_KEY", "NOTE"))
    text = "column orders/customer is CUST_KEY\ncolumn orders/note is nothing\n"
    overrides = parse_overrides("o.txt", text, sources, targets)
    decided, used = override_columns(overrides, match_columns(sources[1:], targets[1:]), sources[1:], targets[1:])
    assert {(left[1], right[1]) for left, right in decided} == {("id", "ID"), ("customer", "CUST_KEY")}
    assert overrides.unused(used, "column") == []
    overrides = parse_overrides("o.txt", "column orders/note is MISSING", sources, targets)
    with pytest.raises(SettingsError, match=r"o.txt line 1: .*MISSING"):
        override_columns(overrides, [], sources[1:], targets[1:])


WRONG = {
    "objects in/x is public/orders": "line 1: it starts with none of object, table, never, column",
    "object in/x.csv are public/orders": "line 1: write it as object <key pattern> is <PostgreSQL table>",
    "object in/x y.csv is public/orders": "line 1: write it as",
    "object 'in/x is public/orders": "line 1: No closing quotation",
    "object in/x.csv is public/order": "line 1: there is no PostgreSQL table public/order",
    "\nobject in/x.csv is orders": "line 2: orders may be any of default/postgres/1/shop/audit/orders, ",
    "table audit/orders goes to <table>": "line 1: there is no Snowflake table <table>",
    "table nothing goes to nothing": "line 1: it has no name but nothing",
    "never nothing to FACTS": "line 1: never needs two tables",
    "column public/orders/missing is ID": "line 1: there is no PostgreSQL column",
    "table audit/orders goes to FACTS\ntable audit/orders goes to PUBLIC/ORDERS": "lines 1 and 2 contradict each other",
    "table audit/orders goes to FACTS\n\nnever audit/orders to FACTS": "lines 1 and 3 contradict each other",
    "table nothing goes to FACTS\ntable audit/orders goes to FACTS": "contradict each other",
    "column public/orders/id is ID\ncolumn public/orders/id is nothing": "contradict each other",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_line_is_told_with_its_number(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(text)
    assert len(raised.value.faults) == 1
    assert raised.value.faults[0].startswith("o.txt line")
    assert WRONG[text] in raised.value.faults[0]


def test_all_wrong_lines_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        parse("\n".join(["what", *WRONG]))
    assert len(raised.value.faults) >= 10


def test_patterns_that_decide_a_key_differently_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="lines 1 and 2 contradict"):
        matched_objects("object in/* is public/orders\nobject in/x9.csv is nothing")


def test_lines_that_fit_nothing_are_told() -> None:
    overrides = parse("object out/* is public/orders\nnever public/orders to FACTS\nobject in/x9.csv is nothing")
    _, for_objects = override_objects(overrides, match_s3_objects(KEYS, SOURCES))
    _, for_tables = override_tables(overrides, match_tables(SOURCES, TARGETS))
    assert overrides.unused(for_objects | for_tables, "object", "never") == [
        "o.txt line 1 fits nothing: object out/* is public/orders",
        "o.txt line 2 fits nothing: never public/orders to FACTS",
    ]


# What is printed can be pasted

NAME = st.text(st.sampled_from(["a", "B", "é", " ", "'", '"', "#", "*", "[", "]", "?", "\\", ".", "_", "1", "-"]), min_size=1, max_size=6).filter(str.strip)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(NAME.map(lambda name: f"in/{name}.csv"), min_size=1, max_size=6, unique=True),
    names=st.lists(NAME, min_size=1, max_size=4, unique=True),
    columns=st.lists(NAME, min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_a_printed_line_does_what_it_says_and_nothing_else(
    keys: list[str], names: list[str], columns: list[str], data: st.DataObject
) -> None:
    sources = assets("default/postgres/1", *(f"d/{s}/{name}" for s in ("p", "q") for name in names), columns=columns)
    targets = assets(
        "default/snowflake/1", *(f"D/P/{name.upper()}" for name in {n.upper() for n in names}), columns=columns[:1]
    )

    def run(text: str) -> tuple[dict, dict, dict, list]:
        overrides = parse_overrides("o.txt", text, sources, targets)
        found, _ = override_objects(overrides, match_s3_objects(keys, sources))
        paired, _ = override_tables(overrides, match_tables(sources, targets, overrides.forbidden))
        objects = {key: {"key": key, "qualified_name": key} for key in keys}
        datasets = group_datasets(found, objects)
        ground = {table: Evidence(Ground.NAMES) for table in datasets}
        hops = find_hops(Flow("p", "b", "", "s"), paired, datasets, ground, ())
        coverage = explain_tables(paired, found, tables_in(targets, TARGET_TYPES), ground, hops, overrides)
        left, right = sources[1 : 1 + len(columns)], targets[1:2]
        matched, _ = override_columns(overrides, match_columns(left, right), left, right)
        both = {row[0] for pair in matched for row in pair}
        told = [*coverage.unmatched, *explain_columns("Snowflake", left, both, (), overrides)]
        told += explain_columns("PostgreSQL", right, both, (), overrides)
        return (
            {match.key: match.table_qualified_name for match in found},
            {pair.source: pair.target for pair in paired},
            {left[0]: right[0] for left, right in matched},
            told,
        )

    *before, told = run("")
    lines = [(item.sentence, line) for item in told for line in item.lines]
    if not lines:
        return
    sentence, line = data.draw(st.sampled_from(lines))
    *after, told = run(line)
    changed = [
        name
        for old, new in zip(before, after, strict=True)
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name)
    ]
    assert len(changed) <= 1
    assert sentence not in {item.sentence for item in told}
    if not line.endswith("nothing") and " nothing " not in line:
        assert len(changed) == 1


# A run


def test_a_run_obeys_the_file(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    (world.files / "x9.csv").write_text("1,2\n")
    ended = run("--dry-run")
    assert "      object 2025/csa-tech-challenge-ary/x9.csv is nothing\n" in ended.out
    Path("overrides.txt").write_text(
        "object */x9.csv is SALES_ORDERS/ORDERS\ntable SHIPPERS goes to nothing\nobject no is nothing\n"
    )
    ended = run()
    assert ended.code == 0
    assert "⚠️ overrides.txt line 3 fits nothing: object no is nothing" in ended.out
    assert "0 unmatched" not in ended.out  # the Snowflake table SHIPPERS is left over
    state = world.state()
    loads = [held for held in state.values() if held["name"].startswith("2 objects")]
    assert [held["outputs"] for held in loads] == [[f"{SNOWFLAKE}/{SCHEMA}/ORDERS"]]
    assert not any(f"{POSTGRES}/{SCHEMA}/SHIPPERS" in held.get("inputs", []) for held in state.values())
    # Another place for the file, and none there.
    Path("overrides.txt").rename("rules.txt")
    monkeypatch.setenv("OVERRIDES_FILE", "rules.txt")
    assert "0 created, 0 updated" in run().out
    monkeypatch.setenv("OVERRIDES_FILE", "missing.txt")
    ended = run()
    assert (ended.code, "missing.txt" in ended.err) == (2, True)


def test_a_wrong_file_ends_the_run_before_anything_is_written(world: World, run: Callable[..., Run]) -> None:
    Path("overrides.txt").write_text("object * is ORDER\nnever\n")
    ended = run()
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "❌ overrides.txt line 1: there is no PostgreSQL table ORDER.",
        "❌ overrides.txt line 2: write it as never <PostgreSQL table> to <Snowflake table>, with names that hold spaces in quotes.",
    ]
    Path("overrides.txt").write_bytes(b"\xff\xfe\x00")
    assert "overrides.txt cannot be read" in run().err
    assert world.requests()["writes"] == 0


def test_a_name_in_another_case_is_told() -> None:
    assets = [[f"{POSTGRES}/SHOP/SALES/ORDERS", "ORDERS", "Table"]]
    with pytest.raises(SettingsError) as raised:
        parse_overrides("overrides.txt", "object x.csv is sales/orders", assets, [])
    assert raised.value.faults[0] == (
        "overrides.txt line 1: there is no PostgreSQL table sales/orders (did you mean SALES/ORDERS?)."
    )


def test_a_pair_that_is_forbidden_is_so_by_its_line() -> None:
    rows = [[[f"{side}/SHOP/SALES/ORDERS", "ORDERS", "Table"]] for side in (POSTGRES, SNOWFLAKE)]
    overrides = parse_overrides("overrides.txt", "# why\nnever SALES/ORDERS to SALES/ORDERS", *rows)
    (pair,), _ = override_tables(overrides, match_tables(*rows, overrides.forbidden))
    assert (pair.target, pair.rule) == (None, "override line 2")
