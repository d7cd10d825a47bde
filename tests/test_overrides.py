"""Overrides: what lines settle, what is wrong with them, and that a printed line settles just what it says."""

from __future__ import annotations

import time
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
from delta_arc.matching import MatchOutcome, ObjectMatch, match_s3_objects
from delta_arc.overrides import Overrides
from delta_arc.overrides_file import parse_overrides
from delta_arc.overriding import explain_captures, override_columns, override_objects, override_tables
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
    "table audit/orders goes to FACTS\ntable audit/orders goes to nothing": "lines 1 and 2 contradict each other",
    "table */o* goes to FACTS\ntable */*s goes to PUBLIC/ORDERS": "lines 1 and 2 contradict each other",
    "table public/* goes to PUBLIC/*\nnever public/* to PUBLIC/*": "lines 1 and 2 contradict each other",
    "table public/* goes to PUBLIC/*\ntable nothing goes to PUBLIC/*": "lines 1 and 2 contradict each other",
    "object in/{tabel}.csv is {table}": "line 1: {tabel} is none of {database}, {schema}, {table}",
    "object in/x.csv is public/{table}": "line 1: {table} is on the right only",
    "object in/{schema}/{table}.csv is public/{table}": "line 1: {schema} is on the left only",
    "object in/{table}.csv is nothing": "line 1: a name in braces says nothing here",
    "object in/*.csv is public/*": "line 1: * cannot stand for a name here: write {table} on both sides",
    "table public/* goes to */STG_*": "line 1: there are more * on the right than on the left",
    "table public/* goes to PUBLIC/?_*": "line 1: what is carried over is * or a name in braces",
    "table public/orders goes to {schema}/FACTS": "line 1: {schema} is on the right only",
    "table nothing goes to {schema}/FACTS": "line 1: {schema} is on the right only",
    "table public/* goes to MISSING": "line 1: there is no Snowflake table MISSING",
    "never {schema}/* to FACTS": "line 1: never takes each table of the left with each of the right",
    "column public/*/id is nothing\ncolumn */orders/id is KEY": "contradict each other",
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
    with pytest.raises(SettingsError, match=r"lines 1 and 2 contradict each other about in/x9\.csv"):
        matched_objects("object in/x9* is public/orders\nobject *n/x9.* is nothing")


def test_lines_that_fit_nothing_are_told() -> None:
    overrides = parse("object out/* is public/orders\nnever public/orders to FACTS\nobject in/x9.csv is nothing")
    _, for_objects = override_objects(overrides, match_s3_objects(KEYS, SOURCES))
    _, for_tables = override_tables(overrides, match_tables(SOURCES, TARGETS))
    assert overrides.unused(for_objects | for_tables, "object", "never") == [
        "o.txt line 1 fits nothing: object out/* is public/orders",
        "o.txt line 2 fits nothing: never public/orders to FACTS",
    ]


def test_the_more_specific_line_decides_about_an_object() -> None:
    orders, audit = SOURCES[0][0], SOURCES[2][0]
    lines = ["object in/* is nothing", "object in/x*.csv is audit/orders", "object in/x9.csv is public/orders"]
    for text in ("\n".join(lines), "\n".join(reversed(lines))):
        found = {key: table for key, (table, _) in matched_objects(text).items()}
        assert (found["in/x9.csv"], found["in/x10.csv"], found["in/orders.csv"]) == (orders, audit, None)


def test_a_line_that_others_outdo_is_not_told_as_unused() -> None:
    overrides = parse("object in/x9* is nothing\nobject in/x9.csv is public/orders")
    _, used = override_objects(overrides, match_s3_objects(KEYS, SOURCES))
    assert used == {1, 2}


MANY = assets(
    "default/postgres/1",
    *("shop/public/order", "shop/public/order_items", "shop/public/Orders", "shop/audit/orders", "shop/a/b_c"),
    *("shop/a_b/c", "shop/public/items"),
)


def captured(line: str, *keys: str) -> tuple[dict[str, str | None], list[str]]:
    overrides = parse_overrides("o.txt", line, MANY, TARGETS)
    decided, _ = override_objects(
        overrides, [ObjectMatch(key, None, "names no table", MatchOutcome.NO_TABLE) for key in keys]
    )
    tables = {match.key: match.table_qualified_name for match in decided}
    return {
        key: table and table.removeprefix("default/postgres/1/shop/") for key, table in tables.items()
    }, explain_captures(overrides, decided)


def test_a_name_in_braces_is_the_longest_table_that_there_is() -> None:
    found, told = captured(
        "object in/*_{table}_* is public/{table}",
        *("in/prod_order_items_1.csv", "in/prod_order_1.csv", "in/dev_ORDERS_x.csv", "in/p_order_x_items_1.csv"),
        *("in/prod_nothing_1.csv", "in/prod_other_1.csv", "out/prod_order_1.csv"),
    )
    assert found == {
        "in/prod_order_items_1.csv": "public/order_items",
        "in/prod_order_1.csv": "public/order",
        "in/dev_ORDERS_x.csv": "public/Orders",
        "in/p_order_x_items_1.csv": None,
        "in/prod_nothing_1.csv": None,
        "in/prod_other_1.csv": None,
        "out/prod_order_1.csv": None,
    }
    assert told == [
        "o.txt line 1 finds no PostgreSQL table for 2 S3 objects that it fits, like in/prod_nothing_1.csv: "
        "object in/*_{table}_* is public/{table}",
        "o.txt line 1 finds more than one PostgreSQL table for 1 S3 object that it fits, like in/p_order_x_items_1.csv "
        "(public/items or public/order): object in/*_{table}_* is public/{table}",
    ]


def test_a_schema_in_braces_counts_too() -> None:
    found, told = captured(
        "object in/{schema}.{table}.csv is {schema}/{table}", "in/audit.orders.csv", "in/x.orders.csv"
    )
    assert found == {"in/audit.orders.csv": "audit/orders", "in/x.orders.csv": None}
    assert len(told) == 1
    found, told = captured("object in/{schema}_{table}.csv is {schema}/{table}", "in/a_b_c.csv")
    assert found == {"in/a_b_c.csv": None}
    assert "(a/b_c or a_b/c)" in told[0]


def test_a_name_in_braces_that_is_no_table_leaves_the_next_line_to_decide() -> None:
    found, _ = captured(
        "object in/prod_{table}_*.csv is public/{table}\nobject in/prod_* is audit/orders", "in/prod_x_1.csv"
    )
    assert found == {"in/prod_x_1.csv": "audit/orders"}


LANDED = [
    *assets("default/snowflake/1", *(f"SHOP/RAW/STG_{name}" for name in ("ORDERS", "ODD", "ITEMS"))),
    *assets("default/snowflake/1", "SHOP/MART/ORDERS"),
    ["default/snowflake/1/SHOP/MART/ORDERS_V", "ORDERS_V", "View"],
    ["default/snowflake/1/SHOP/RAW/ORDERS", "ORDERS", "View"],
]
LEFT = assets("default/postgres/1", "shop/public/orders", "shop/public/items", "shop/public/none", "shop/audit/orders")


def landed(text: str) -> tuple[dict[str, set[str | None]], Overrides]:
    overrides = parse_overrides("o.txt", text, LEFT, LANDED)
    decided, _ = override_tables(overrides, match_tables(LEFT, LANDED, overrides.forbidden))
    found: dict[str, set[str | None]] = {}
    for pair in decided:
        target = pair.target and pair.target.removeprefix("default/snowflake/1/SHOP/")
        found.setdefault(pair.source.removeprefix("default/postgres/1/shop/"), set()).add(target)
    return found, overrides


def test_what_a_star_stands_for_is_carried_over() -> None:
    found, overrides = landed("table public/* goes to RAW/STG_*")
    assert found["public/orders"] == {"RAW/STG_ORDERS"}
    assert found["public/items"] == {"RAW/STG_ITEMS"}
    assert found["public/none"] == {None}
    assert overrides.notes == [
        "o.txt line 1 says nothing of 1 of the 3 PostgreSQL tables that it fits, like default/postgres/1/shop/public/none: "
        "there is not one Snowflake table RAW/STG_none"
    ]
    assert landed("table x* goes to RAW/STG_*")[1].notes == ["o.txt line 1 fits nothing: table x* goes to RAW/STG_*"]
    assert landed("table {schema}/{table} goes to RAW/STG_{table}")[0]["public/items"] == {"RAW/STG_ITEMS"}


def test_a_table_may_go_to_several_and_to_a_view() -> None:
    text = "table public/orders goes to STG_ORDERS\ntable public/orders goes to ORDERS_V"
    assert landed(text)[0]["public/orders"] == {"RAW/STG_ORDERS", "MART/ORDERS_V"}
    text = "table public/o* goes to RAW/STG_o*\ntable public/o* goes to MART/o*"
    assert landed(text)[0]["public/orders"] == {"RAW/STG_ORDERS", "MART/ORDERS"}
    text = "table public/o* goes to RAW/STG_o*\ntable public/*s goes to RAW/STG_*s\ntable public/o* goes to MART/o*"
    overrides = landed(text.replace("*s", "*rs"))[1]
    assert len(overrides.targets_of[LEFT[0][0]]) == 1  # the longer one, told once
    # Where a table and a view have the name, it is the table's.
    assert landed("table public/items goes to ORDERS")[0]["public/items"] == {"MART/ORDERS"}


def test_the_more_specific_line_decides_about_a_table() -> None:
    lines = [
        "table public/* goes to RAW/STG_*",
        "table public/orders goes to MART/ORDERS",
        "table */o* goes to nothing",
    ]
    for text in ("\n".join(lines), "\n".join(reversed(lines))):
        found, _ = landed(text)
        assert found["public/orders"] == {"MART/ORDERS"}
        assert found["audit/orders"] == {None}
        assert found["public/items"] == {"RAW/STG_ITEMS"}
    assert landed("table public/* goes to nothing\ntable */o* goes to ORDERS_V")[0]["public/orders"] == {None}


def test_never_and_nothing_outdo_patterns_that_are_less_specific() -> None:
    stars = "table public/* goes to RAW/STG_*\n"
    assert landed(stars + "never public/items to RAW/STG_ITEMS")[0]["public/items"] == {None}
    assert landed(stars + "table nothing goes to STG_ITEMS")[0]["public/items"] == {None}
    assert landed("never */* to */*\ntable public/* goes to RAW/STG_*")[0]["public/orders"] == {"RAW/STG_ORDERS"}
    found, overrides = landed("never *  to MART/*")
    assert found["public/orders"] == {None}
    assert (LEFT[0][0], "default/snowflake/1/SHOP/MART/ORDERS") in overrides.forbidden
    assert (LEFT[0][0], "default/snowflake/1/SHOP/RAW/STG_ORDERS") not in overrides.forbidden
    _, overrides = landed("table nothing goes to RAW/*\ntable public/orders goes to STG_ORDERS")
    assert {line.value.rpartition("/")[2] for line in overrides.of("table") if not line.subject} == {
        "STG_ODD", "STG_ITEMS", "ORDERS",
    }  # fmt: skip


def test_a_table_that_a_line_sends_elsewhere_claims_no_other() -> None:
    # Both are called orders, and MART/ORDERS is the only table of that name.
    assert landed("")[0]["public/orders"] == landed("")[0]["audit/orders"] == {None}
    for line in ("table audit/* goes to nothing", "table audit/orders goes to STG_ODD", "never audit/* to MART/*"):
        assert landed(line)[0]["public/orders"] == {"MART/ORDERS"}, line
    overrides = landed("table nothing goes to MART/*")[1]
    decided, _ = override_tables(overrides, match_tables(LEFT, LANDED, overrides.forbidden))
    (pair,) = (pair for pair in decided if pair.source.endswith("public/items"))
    assert pair.outcome is MatchOutcome.NO_TABLE
    targets = [row for row in LANDED if "MART/ORDERS" in row[0] and row[2] != "View"]
    overrides = parse_overrides("o.txt", "table nothing goes to MART/ORDERS", LEFT, targets)
    decided, _ = override_tables(overrides, match_tables(LEFT, targets, overrides.forbidden))
    assert [pair.rule for pair in decided if "orders" in pair.source] == ["override line 1"] * 2


def test_columns_of_all_tables_are_renamed_by_one_line() -> None:
    sources = assets("default/postgres/1", "s/a", "s/b", "t/a", columns=("id", "cust_id", "x_no"))
    targets = assets("default/snowflake/1", "S/A", "S/B", "T/A", columns=("ID", "CUSTOMER_KEY", "X_NUMBER", "X_NO"))
    text = "column s/*/cust_id is CUSTOMER_KEY\ncolumn */*_no is *_NUMBER\ncolumn b/x_no is X_NO\ncolumn s/*/y is ID"
    overrides = parse_overrides("o.txt", text, sources, targets)

    def renamed(at: int) -> tuple[set[tuple[str, str]], frozenset[int]]:
        left, right = sources[at + 1 : at + 4], targets[at // 4 * 5 + 1 : at // 4 * 5 + 5]
        pairs, used = override_columns(overrides, match_columns(left, right), left, right)
        return {(one[1], other[1]) for one, other in pairs}, used

    assert renamed(0) == ({("id", "ID"), ("cust_id", "CUSTOMER_KEY"), ("x_no", "X_NUMBER")}, {1, 2})
    assert renamed(4) == ({("id", "ID"), ("cust_id", "CUSTOMER_KEY"), ("x_no", "X_NO")}, {1, 3})
    assert renamed(8) == ({("id", "ID"), ("x_no", "X_NUMBER")}, {2})
    assert overrides.unused({1, 2, 3}, "column") == ["o.txt line 4 fits nothing: column s/*/y is ID"]
    # A pattern says nothing of a target that has no such column.
    left, right = sources[1:4], targets[1:2]
    pairs, used = override_columns(overrides, match_columns(left, right), left, right)
    assert ([(one[1], other[1]) for one, other in pairs], used) == ([("id", "ID")], frozenset())


def test_a_column_of_a_table_with_two_targets_may_be_called_differently() -> None:
    sources = assets("default/postgres/1", "s/a", columns=("id", "k"))
    targets = assets("default/snowflake/1", "RAW/A", "MART/A", columns=("ID", "KEY"))
    text = "table s/a goes to RAW/A\ntable s/a goes to MART/A\ncolumn a/k is MART/A/KEY\ncolumn a/k is RAW/A/ID"
    overrides = parse_overrides("o.txt", text, sources, targets)
    for at, name in ((1, "ID"), (4, "KEY")):
        pairs, _ = override_columns(overrides, [], sources[1:3], targets[at : at + 2])
        assert [(one[1], other[1]) for one, other in pairs] == [("k", name)]


def test_patterns_that_would_be_compared_with_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delta_arc.overrides_file.MOST_COMPARED", 6)
    with pytest.raises(SettingsError) as raised:
        parse("table */* goes to nothing\ntable */o* goes to nothing\ntable */*s goes to nothing")
    assert [fault[:12] for fault in raised.value.faults] == ["o.txt line 3"]


@pytest.mark.parametrize("kinds", ["object", "object {", "table"])
def test_ten_thousand_lines_and_thirty_thousand_names_take_seconds(kinds: str) -> None:
    sources = [[f"default/postgres/1/d/s{at % 9}/t{at}_x", f"t{at}_x", "Table"] for at in range(10_000)]
    lines = {
        "object": [f"object */t{at}_*_end.csv is t{at}_x" for at in range(10_000)],
        "object {": ["object in/*-{table}_* is {table}"],
        "table": [f"table s{at % 9}/t{at}_* goes to nothing" for at in range(10_000)],
    }[kinds]
    keys = [
        f"in/2025/v{at % 3}-t{at % 10_000}_x_{at}_end.csv".replace("-", "-" if "{" in kinds else "/")
        for at in range(30_000)
    ]
    start = time.process_time()
    overrides = parse_overrides("o.txt", "\n".join(lines), sources, [])
    decided, used = override_objects(overrides, [ObjectMatch(key, None, "", MatchOutcome.NO_TABLE) for key in keys])
    assert time.process_time() - start < 60  # where each line met each key, it would be many minutes
    if kinds == "table":
        assert len(overrides.targets_of) == 10_000
    else:
        assert len(used) == len(lines)
        assert all(match.table_qualified_name for match in decided)


# What is printed can be pasted

NAME = st.text(st.sampled_from(["a", "B", "é", " ", "'", '"', "#", "*", "[", "]", "?", "{", "}", "\\", ".", "_", "1", "-"]), min_size=1, max_size=6).filter(str.strip)  # fmt: skip


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
        coverage = explain_tables(paired, found, sources, targets, ground, hops, overrides)
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
    lines = [(item, line) for item in told for line in item.lines]
    if not lines:
        return
    item, line = data.draw(st.sampled_from(lines))
    *after, told = run(line)
    # What a table is sent away from is free for another one of its name.
    freed = line.endswith("goes to nothing")
    changed = [
        name
        for old, new in zip(before, after, strict=True)
        for name in old.keys() | new.keys()
        if old.get(name) != new.get(name) and not (freed and old.get(name) is None)
    ]
    assert len(changed) <= item.count
    assert {*changed} <= {*item.names} or item.kind == "column"
    assert item.sentence not in {other.sentence for other in told}
    if not line.endswith("nothing") and " nothing " not in line:
        assert len(changed) == item.count


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
