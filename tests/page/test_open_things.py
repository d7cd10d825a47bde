"""What is open: grouped so that one line settles many, and settled on the page in a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictures import a_document, many, open_groups
from world import POSTGRES

from delta_arc.open_things import group_open_things
from delta_arc.report import Unmatched
from lineage_page import OpenGroup, OpenThing

Open = Callable[..., Any]


# Groups


def test_what_lines_settle_together_is_one_group() -> None:
    keys = tuple(f"in/feed_{number:03}.csv" for number in range(28))
    line = "object in/feed_*.csv is nothing"
    (group,) = group_open_things(
        [Unmatched("object", "28 S3 objects match no table", keys, (line,), reason="no table (names no table)")]
    )
    assert (group.kind, group.reason, group.place) == ("object", "no table (names no table)", "in")
    assert [*group.lines] == [line]
    assert tuple(thing.name for thing in group.things) == keys


def test_columns_are_grouped_by_table_and_tables_by_schema() -> None:
    unmatched = [
        Unmatched(
            "column",
            f"Column {name}",
            (f"{POSTGRES}/SHOP/S/{name}",),
            (f"column {name} is nothing",),
            reason="not in the file",
        )
        for name in ("A/x", "A/y", "B/x")
    ]
    unmatched += [
        Unmatched("table", f"table {name}", (f"{POSTGRES}/SHOP/S/{name}",), reason="no S3 object")
        for name in ("C", "D")
    ]
    groups = group_open_things(unmatched)
    assert [(group.kind, group.place, len(group.things)) for group in groups] == [
        ("table", "SHOP/S", 2), ("column", "SHOP/S/A", 2), ("column", "SHOP/S/B", 1)
    ]  # fmt: skip
    assert groups[1].things[0].lines == ("column A/x is nothing",)


# On the page


@pytest.fixture
def open_things(open_page: Open) -> Any:
    page = open_page(a_document(many(1), open_groups()), "#tab=open", permissions=["clipboard-read", "clipboard-write"])
    page.wait_for_selector(".item")
    return page


def test_forty_three_open_things_are_settled_in_a_few_steps(open_things: Any) -> None:
    page = open_things
    assert page.locator("#open > .item > label").all_inner_texts() == [
        "40 objects in in/",
        "S3 object in/orders_x.csv matches no table (ambiguous)",
        "2 columns in SHOP/SALES/T0",
    ]
    page.locator("select").nth(1).select_option(
        "object in/orders_x.csv is SALES/ORDERS"
    )  # 1: nobody else can decide that
    page.get_by_role("button", name="Tick all that have a line").click()  # 2
    page.get_by_role("button", name="Copy 4 lines").click()  # 3
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == [
        "object 'in/feed_*.csv' is nothing",
        "object in/orders_x.csv is SALES/ORDERS",
        "column LEFT_OUT is nothing",
        "column FORGOTTEN is nothing",
    ]


def test_what_is_done_stays_marked_while_the_page_is_open(open_things: Any, tmp_path: Path) -> None:
    page = open_things
    page.locator("#open > .item input").first.check()
    page.get_by_role("button", name="Copy 1 line").click()
    page.wait_for_selector(".item.done")
    page.get_by_role("tab", name="Chains").click()
    page.fill("#search", "feed")
    page.get_by_role("tab", name="Open things").click()
    assert page.locator(".item.done").count() == 1
    page.fill("#search", "")
    assert page.locator("#open > .item.done > label").all_inner_texts() == ["40 objects in in/"]
    with page.expect_download() as started:  # what was copied can be saved, too
        page.get_by_role("button", name="Save as overrides.txt").click()
    started.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_text(encoding="utf-8").splitlines()[1:] == ["object 'in/feed_*.csv' is nothing"]
    page.locator("#open > .item input").first.uncheck()
    page.wait_for_selector("button:text-is('Copy'):disabled")
    assert page.locator(".item.done").count() == 0


def test_what_is_saved_has_the_lines_that_are_there_already(open_things: Any, tmp_path: Path) -> None:
    page = open_things
    page.get_by_role("button", name="Tick all that have a line").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as overrides.txt").click()
    assert started.value.suggested_filename == "overrides.txt"
    started.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_text(encoding="utf-8").splitlines() == [
        "never a/b to C/D",
        "object 'in/feed_*.csv' is nothing",
        "column LEFT_OUT is nothing",
        "column FORGOTTEN is nothing",
    ]


def test_each_of_a_group_can_have_a_line_of_its_own(open_things: Any) -> None:
    page = open_things
    page.locator("select").first.select_option("each with its own line")
    page.get_by_role("button", name="Copy 40 lines").wait_for()
    page.locator("#open details summary").first.click()
    page.locator("#open > .item input").first.uncheck()
    page.locator(".item .item input").nth(7).check()
    page.get_by_role("button", name="Copy 1 line").click()
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "object in/feed_007.csv is nothing"


def test_the_search_leaves_of_a_group_what_fits(open_things: Any) -> None:
    page = open_things
    page.fill("#search", "feed_007")
    assert page.inner_text("#tab-open") == "Open things 1"
    assert page.locator("#open > .item > label").all_inner_texts() == ["1 object in in/"]
    page.locator("#open details summary").click()
    page.wait_for_selector(".item .item")
    assert page.locator(".item .item").count() == 1


def test_five_hundred_open_things_come_in_parts(open_page: Open) -> None:
    groups = [
        OpenGroup(
            "object",
            f"reason {number}",
            "in",
            [OpenThing(f"in/{number}", f"S3 object in/{number}", (f"object in/{number} is nothing",))],
        )
        for number in range(500)
    ]
    page = open_page(a_document(many(1), groups), "#tab=open")
    assert page.locator(".item").count() == 200
    page.get_by_role("button", name="Show more (300)").click()
    page.get_by_role("button", name="Show more (100)").click()
    assert page.locator(".item").count() == 500
    page.get_by_role("button", name="Tick all that have a line").click()
    assert page.get_by_role("button", name="Copy 500 lines").is_enabled()


def test_where_the_clipboard_is_closed_the_lines_are_selected(open_page: Open) -> None:
    page = open_page(a_document(many(1), open_groups()), "#tab=open")
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('closed')))")
    page.evaluate("void (document.execCommand = () => false)")
    page.get_by_role("button", name="Tick all that have a line").click()
    page.get_by_role("button", name="Copy 3 lines").click()
    page.wait_for_selector("text=Selected")
    assert "column LEFT_OUT is nothing" in page.evaluate("String(getSelection())")
