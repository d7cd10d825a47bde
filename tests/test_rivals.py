"""Which other table has the columns of a file clearly better than the one of its name."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_evidence import put
from world import POSTGRES, PREFIX, SNOWFLAKE, Run, World, write_inventory

from delta_arc.matching import MatchOutcome
from delta_arc.pairing import TablePair
from delta_arc.rivals import Rival, Rivals

SHOP, LAKE = "default/postgres/1/SHOP", "default/snowflake/1/LAKE"
CUSTOMERS = ["CUSTOMERID", "CUSTOMERNAME", "CONTACTNAME", "ADDRESS", "CITY", "POSTALCODE", "COUNTRY"]
SUPPLIERS = ["SUPPLIERID", "SUPPLIERNAME", "CONTACTNAME", "ADDRESS", "CITY", "POSTALCODE", "COUNTRY", "PHONE"]


def rivals_of(tables: Mapping[str, Sequence[str]], pairs: Sequence[TablePair] = ()) -> Rivals:
    rows = [[name, name.rpartition("/")[2], "Table"] for name in tables]
    return Rivals(tables, rows, pairs)


def test_what_has_all_columns_of_the_file_is_a_rival_of_what_has_most() -> None:
    tables = {f"{SHOP}/S/CUSTOMERS": CUSTOMERS, f"{SHOP}/S/SUPPLIERS": SUPPLIERS}
    tables |= {name.replace(SHOP, LAKE): columns for name, columns in tables.items()}
    rivals = rivals_of(tables)
    found = rivals.find(f"{SHOP}/S/CUSTOMERS", [name.lower() for name in SUPPLIERS])
    more = ("supplierid", "suppliername", "phone")
    assert found == Rival((f"{SHOP}/S/SUPPLIERS",), more, ("CUSTOMERID", "CUSTOMERNAME"))
    found = rivals.find(f"{LAKE}/S/SUPPLIERS", CUSTOMERS)
    assert found
    assert (found.candidates, found.lacking) == ((f"{LAKE}/S/CUSTOMERS",), ("SUPPLIERID", "SUPPLIERNAME", "PHONE"))
    for table, columns in tables.items():
        assert rivals.find(table, columns) is None
        assert rivals.find(table, [*columns, "Op", "batch_no", "_loaded_at", "id"]) is None


ORDERS, DRIFTED = ["A_NO", "B", "C", "D"], ["A_NO", "B", "C", "X"]


@pytest.mark.parametrize(
    "copy",
    [
        f"{LAKE}/RAW/ORDERS",
        f"{LAKE}/RAW/STG_ORDERS",
        f"{LAKE}/RAW/Order",
        f"{SHOP}_DEV/S/ORDERS",
        "default/snowflake/1/SHOP/S/ORDERS",  # another connection, and so another database
    ],
)
def test_what_has_the_name_in_another_database_is_no_rival(copy: str) -> None:
    """A column was renamed: the file has it already, and so may a copy; the name tells that it is one."""
    assert rivals_of({f"{SHOP}/S/ORDERS": ORDERS, copy: DRIFTED}).find(f"{SHOP}/S/ORDERS", DRIFTED) is None
    # Nor is what fits no better than the copy.
    tables = {f"{SHOP}/S/ORDERS": ORDERS, copy: DRIFTED, f"{SHOP}/S/OTHER": DRIFTED}
    assert rivals_of(tables).find(f"{SHOP}/S/ORDERS", DRIFTED) is None


@pytest.mark.parametrize(
    "other", [f"{SHOP}/S/orders", f"{SHOP}/T/ORDERS", f"{SHOP}/S/ORDERS_HISTORY", f"{LAKE}/S/SALES"]
)
def test_what_has_it_beside_the_table_or_another_name_is_one(other: str) -> None:
    tables = {f"{SHOP}/S/ORDERS": ORDERS, other: DRIFTED}
    found = rivals_of(tables).find(f"{SHOP}/S/ORDERS", DRIFTED)
    assert found == Rival((other,), ("X",), ("D",))


@pytest.mark.parametrize("beside", [f"{SHOP}/S/orders", f"{SHOP}/S/ORDERS_HIST", f"{SHOP}_DEV/S/ORDERS"])
def test_what_a_table_beside_it_lands_in_is_no_copy_of_it(beside: str) -> None:
    copy = f"{LAKE}/S/{beside.rpartition('/')[2]}"
    pairs = [TablePair(beside, copy, "", MatchOutcome.MATCHED)]
    tables = {f"{SHOP}/S/ORDERS": ORDERS, beside: DRIFTED, copy: DRIFTED}
    found = rivals_of(tables, pairs).find(f"{SHOP}/S/ORDERS", DRIFTED)
    assert found == (None if "_DEV" in beside else Rival((beside,), ("X",), ("D",)))


def test_the_other_source_that_claims_its_target_is_one() -> None:
    beside, lake = f"{SHOP}/T/ORDERS", f"{LAKE}/S/SALES"
    pair = TablePair(f"{SHOP}/S/ORDERS", None, "", MatchOutcome.AMBIGUOUS, (beside,), lake)
    tables = {f"{SHOP}/S/ORDERS": ORDERS, beside: DRIFTED}
    assert rivals_of(tables, [pair]).find(f"{SHOP}/S/ORDERS", DRIFTED)
    assert not rivals_of(tables | {lake: DRIFTED}, [pair]).find(f"{SHOP}/S/ORDERS", DRIFTED)


@pytest.mark.parametrize("field", ["target", "candidates"])
def test_what_the_table_lands_in_is_no_rival(field: str) -> None:
    facts = f"{LAKE}/S/SALES"
    target, candidates = (facts, ()) if field == "target" else (None, (facts,))
    pair = TablePair(f"{SHOP}/S/ORDERS", target, "", MatchOutcome.OVERRIDDEN, candidates)
    rivals = rivals_of({f"{SHOP}/S/ORDERS": ORDERS, facts: DRIFTED}, [pair])
    assert rivals.find(f"{SHOP}/S/ORDERS", DRIFTED) is None


@pytest.mark.parametrize(
    ("other", "file", "is_rival"),
    [
        (["B", "C", "X"], ["A_NO", "B", "C", "X"], False),  # it lacks one that the table has
        (["A_NO", "B", "C", "X", "Y"], ["A_NO", "B", "C", "X"], True),  # 1 and 2 differ
        (["A_NO", "B", "C", "X", "Y", "Z"], ["A_NO", "B", "C", "X"], False),  # 2 and 2: a wide one has all by accident
        (["A_NO", "B", "C", "D", "X"], ["A_NO", "B", "C", "D", "X"], True),  # the file lacks none
        (["A_NO", "B", "C"], ["A_NO", "B", "C"], False),  # the table has all of the file
        (["A_NO", "B", "C", "D", "ID", "CREATED_AT"], ["A_NO", "B", "C", "D", "ID", "CREATED_AT"], False),
        (
            ["A_NO", "B", "C", "X", "_SYNC_RUN", "_PART_NO"],
            ["A_NO", "B", "C", "X"],
            True,
        ),  # the loader's own are no difference
        (["A_NO", "B", "C", "X"], ["A_NO", "B", "C", "X", "op", "job", "run"], True),  # nor is what no table has
    ],
)
def test_what_is_clearly_better(other: list[str], file: list[str], is_rival: bool) -> None:
    rivals = rivals_of({f"{SHOP}/S/ORDERS": ORDERS, f"{SHOP}/S/OTHER": other})
    assert bool(rivals.find(f"{SHOP}/S/ORDERS", file)) is is_rival


def test_of_several_those_nearest_to_the_table_are_told() -> None:
    tables = {f"{SHOP}/S/ORDERS": ORDERS}
    others = [f"{LAKE}/S/A", f"{SHOP}_OLD/S/A", f"{SHOP}/T/B", f"{SHOP}/T/C", f"{SHOP}/S/D"]
    found = []
    for number in range(1, 6):
        rival = rivals_of(tables | dict.fromkeys(others[:number], DRIFTED)).find(f"{SHOP}/S/ORDERS", DRIFTED)
        assert rival
        found.append(rival.candidates)
    assert found == [(others[0],), (others[1],), (others[2],), (others[2], others[3]), (others[4],)]


def test_the_rarest_name_leads_to_the_rival_among_thousands_of_tables() -> None:
    crowd = {f"{SHOP}/S{at}/T{at}": ["B", "C", "X", f"OWN_{at}"] for at in range(5000)}
    copies = {f"{SHOP}_{at}/S/CLIENTS": ["A_NO", "B", "C", "X", "RARE"] for at in range(1000)}
    rivals = rivals_of({f"{SHOP}/S/ORDERS": ORDERS, **crowd, **copies})
    start = time.process_time()
    found = [rivals.find(f"{SHOP}/S/ORDERS", ["A_NO", "B", "C", "X", "RARE", f"OWN_{at}"]) for at in range(1000)]
    assert {one.candidates if one else None for one in found} == {tuple(sorted(copies))}
    assert time.process_time() - start < 10


def test_a_table_that_is_not_known_has_no_rival() -> None:
    assert rivals_of({f"{SHOP}/S/ORDERS": ORDERS}).find(f"{SHOP}/S/GONE", ORDERS) is None
    assert rivals_of({}).find(f"{SHOP}/S/GONE", ORDERS) is None


COLUMN_LISTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@given(st.lists(COLUMN_LISTS, min_size=1, max_size=6), COLUMN_LISTS)
def test_a_rival_is_what_a_naive_reading_finds(columns: list[list[str]], file: list[str]) -> None:
    tables = {f"{SHOP}/S/{chr(65 + at)}": names for at, names in enumerate(columns)}
    known = {*file} & {*itertools.chain(*columns)}
    own = known ^ {*columns[0]}
    near = {}
    for name, names in [*tables.items()][1:]:
        if {*names} & known > {*columns[0]} & known and 2 * len(known ^ {*names}) <= len(own):
            near[name] = len(known ^ {*names})
    expected = tuple(sorted(name for name in near if near[name] == min(near.values())))
    found = rivals_of(tables).find(f"{SHOP}/S/A", file)
    assert (found.candidates if found else ()) == expected


@given(st.lists(COLUMN_LISTS, min_size=1, max_size=6))
def test_a_file_with_the_columns_of_its_table_has_no_rival(columns: list[list[str]]) -> None:
    tables = {f"{SHOP}/S/{chr(65 + at)}": names for at, names in enumerate(columns)}
    rivals = rivals_of(tables)
    assert [rivals.find(name, names) for name, names in tables.items()] == [None] * len(tables)


# With a tenant and a bucket


def swap(world: World, one: str, other: str) -> None:
    first, second = world.files / f"{one}.csv", world.files / f"{other}.csv"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def test_swapped_files_of_tables_that_share_columns_get_no_edge(world: World, run: Callable[..., Run]) -> None:
    swap(world, "CUSTOMERS", "SUPPLIERS")
    ended = run()
    assert "🔍 6 of 8 tables have a complete chain\n   2 without: columns that fit\n" in ended.out
    place = "FOOD_BEVERAGE/SALES_ORDERS"
    assert (
        f"""\
⚠️ S3 object {PREFIX}CUSTOMERS.csv contradicts CUSTOMERS: its columns are rather those of \
default/postgres/1757530687/{place}/SUPPLIERS: it has SUPPLIERID, SUPPLIERNAME, PHONE, and no CUSTOMERID, CUSTOMERNAME
      object {PREFIX}CUSTOMERS.csv is SALES_ORDERS/SUPPLIERS
      object {PREFIX}CUSTOMERS.csv is nothing
      object {PREFIX}CUSTOMERS.csv is SALES_ORDERS/CUSTOMERS
"""
        in ended.out
    )
    assert "is not in the file" not in ended.out
    assert "by its name alone" not in ended.out
    assert "CUSTOMERS.csv contradicts CUSTOMERS: its columns are rather" in run().out  # as kept from the first run
    told = ended.out.splitlines()
    first = [told[at + 1].strip() for at, line in enumerate(told) if " contradicts " in line]
    assert first[1] == f"object {PREFIX}SUPPLIERS.csv is SALES_ORDERS/CUSTOMERS"
    Path("overrides.txt").write_text("\n".join(first))
    ended = run("--min-ground", "read")
    assert "🔍 8 of 8 tables have a complete chain\n" in ended.out
    assert "⚠️" not in ended.out


def test_a_file_of_another_table_is_no_evidence_beside_right_ones(world: World, run: Callable[..., Run]) -> None:
    own, other = ((world.files / f"{name}.csv").read_text() for name in ("CUSTOMERS", "SUPPLIERS"))
    for name, content, age in (("CUSTOMERS", own, 3), ("CUSTOMERS_20250920", own, 2), ("CUSTOMERS_20250922", other, 1)):
        put(world, f"{name}.csv", content, age)
    ended = run("--dry-run")
    assert (
        f"CUSTOMERS: 2 objects → SALES_ORDERS/CUSTOMERS: names and header of {PREFIX}CUSTOMERS_20250920.csv"
        in ended.out
    )
    assert f"      object {PREFIX}CUSTOMERS_20250922.csv is SALES_ORDERS/SUPPLIERS\n" in ended.out


@pytest.fixture
def shop(tmp_path: Path, fresh_world: Callable[..., World]) -> Callable[[Mapping[str, list[str]]], World]:
    """A world with these tables on both sides, and no object yet."""

    def make(tables: Mapping[str, list[str]]) -> World:
        named = {("SHOP", "PUBLIC", name): columns for name, columns in tables.items()}
        sides = (
            write_inventory(tmp_path / f"{side.split('/')[1]}.json", side, named) for side in (POSTGRES, SNOWFLAKE)
        )
        world = fresh_world(*sides)
        for path in world.files.iterdir():
            path.unlink()
        return world

    return make


def test_a_file_with_all_columns_of_its_table_and_those_of_another_one_counts_by_its_name_and_is_told(
    shop: Callable[[Mapping[str, list[str]]], World], run: Callable[..., Run]
) -> None:
    own, more = ["CUSTOMER_NO", "CITY", "EMAIL"], ["CUSTOMER_NO", "CITY", "EMAIL", "SCORE", "SEGMENT"]
    world = shop({"CUSTOMERS": own, "PROFILES": more})
    put(world, "customers.csv", f"{','.join(more)}\n1,Paris,a@b.example,5,x\n")
    put(world, "profiles.csv", f"{','.join(more)}\n2,Rome,c@d.example,5,y\n")
    reason = f"its columns are rather those of {POSTGRES}/SHOP/PUBLIC/PROFILES: it has SCORE, SEGMENT, too"
    doubt = f"""\
⚠️ S3 object {PREFIX}customers.csv counts for CUSTOMERS by its name alone: {reason}
      object {PREFIX}customers.csv is PUBLIC/PROFILES
      object {PREFIX}customers.csv is PUBLIC/CUSTOMERS
"""
    ended = run("--dry-run")
    assert doubt in ended.out
    assert "⚠️" not in ended.out.replace(doubt, "")
    assert f"names and few columns of {PREFIX}customers.csv ({reason})" in ended.out
    assert "🔍 1 of 2 tables have" in run("--dry-run", "--min-ground", "read").out
    Path("overrides.txt").write_text(f"object {PREFIX}customers.csv is PUBLIC/CUSTOMERS\n")
    assert "⚠️" not in run("--dry-run").out


def test_of_tables_whose_names_differ_in_case_the_one_is_offered_whose_columns_the_file_has(
    shop: Callable[[Mapping[str, list[str]]], World], run: Callable[..., Run]
) -> None:
    world = shop({"users": ["LOGIN", "LOCALE", "TIME_ZONE"], "Users": ["BADGE_NO", "DESK", "FLOOR"]})
    put(world, "users.csv", "badge_no,desk,floor\n1,A,2\n2,B,3\n")
    told = run("--dry-run").out.splitlines()
    at = next(at for at, line in enumerate(told) if "users.csv contradicts users" in line)
    assert [line.split()[-1] for line in told[at + 1 : at + 4]] == ["PUBLIC/Users", "nothing", "PUBLIC/users"]


def test_where_several_tables_have_the_columns_none_is_offered(
    shop: Callable[[Mapping[str, list[str]]], World], run: Callable[..., Run]
) -> None:
    world = shop({"USERS": ["LOGIN", "LOCALE"], "DESKS": ["BADGE_NO", "DESK"], "SEATS": ["BADGE_NO", "DESK"]})
    put(world, "users.csv", "badge_no,desk\n1,A\n2,B\n")
    told = run("--dry-run").out.splitlines()
    at = next(at for at, line in enumerate(told) if "users.csv contradicts USERS" in line)
    assert [line.split()[-1] for line in told[at + 1 : at + 3]] == ["nothing", "PUBLIC/USERS"]
