"""axe-core finds nothing to complain about, in any state of the page, light and dark, at any width; and every text can be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from pictures import a_chain, a_document, a_lost_chain, many, many_created, open_groups, ref
from world import POSTGRES, Run, World

from lineage_page import Chain, Link, chains_of

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

STATES: dict[str, Callable[[Any], object]] = {
    "as it opens": lambda page: None,
    "a chain open": lambda page: page.locator(".toggle").first.click(),
    "all open": lambda page: page.get_by_role("button", name="Expand all").click(),
    "the facts open": lambda page: page.locator("#facts summary").click(),
    "a filter pressed": lambda page: page.get_by_role("button", name="to create 1").click(),
    "found": lambda page: page.fill("#search", "column_1"),
    "found elsewhere": lambda page: page.fill("#search", "feed_007"),
    "found nowhere": lambda page: page.fill("#search", "no such thing"),
    "open things": lambda page: page.get_by_role("tab", name="Open things").click(),
    "open things ticked and done": lambda page: settle_some(page),
    "removals": lambda page: page.get_by_role("tab", name="Stale").click(),
    "a whole way": lambda page: show_a_way(page),
    "on paper": lambda page: print_it(page),
}


def settle_some(page: Any) -> None:
    page.get_by_role("tab", name="Open things").click()
    page.locator("details summary").nth(1).click()
    page.get_by_role("button", name="Tick all").click()
    page.get_by_role("button", name="Copy").first.click()
    page.locator("select").last.select_option(index=1)


def show_a_way(page: Any) -> None:
    page.locator(".toggle").first.click()
    page.locator(".ways button").first.click()


def print_it(page: Any) -> None:
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")


def the_chains() -> list[Chain]:
    links, columns = a_chain("BROKEN", 2)
    failed = Link(links[1].qualified_name, links[1].inputs, links[1].outputs, "failed", "BROKEN: Atlan says no (403)")
    gone = Link("x", [ref("Column", f"{POSTGRES}/SHOP/SALES/T0/GONE")], [], "removed", parent=failed.qualified_name)
    chains = [*chains_of([links[0], failed], [*columns, gone]), *many_created(), *many(2, 2), a_lost_chain()]
    chains[0].changes = [("−", "column GONE: no longer in the newest files")]
    return chains


def complaints(page: Any) -> list[str]:
    """The violations that axe-core calls serious or critical, and all others, too."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)")
    return [f"{one['impact']} {one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (800, "light"), (1280, "light"), (1920, "dark")])
def test_axe_has_no_complaint_in_any_state(width: int, scheme: str, open_page: Callable[..., Any]) -> None:
    document = a_document(
        the_chains(),
        open_groups(),
        errors=[["Atlan says no (403)", 20, "Process A", "Process B"]],
        verdict=["failed", "20 assets failed; 180 are written."],
        apply=["python main.py --apply plan.json", "0123456789ab"],
        removals=[["Process", "OLD", "wanted no more", "guid", "stale"]],
    )
    found = {}
    for state, bring_about in STATES.items():
        page = open_page(document, viewport={"width": width, "height": 800}, color_scheme=scheme)
        bring_about(page)
        found[state] = complaints(page)
        page.close()
    assert {state: told for state, told in found.items() if told} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_complaint_about_the_sandbox(
    scheme: str, browser: Any, world: World, run: Callable[..., Run]
) -> None:
    run()
    for width in (390, 1280):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.goto(world.tenant.page_url)
        assert complaints(page) == []
        page.get_by_role("tab", name="Assets").click()
        page.wait_for_selector(".found")
        assert complaints(page) == []
        page.locator(".found").nth(5).click()
        page.wait_for_selector(".node")
        assert complaints(page) == []
        page.goto(f"{world.tenant.base_url}/assets/no-such-guid/overview")
        page.wait_for_selector("text=This tenant has no asset")
        assert complaints(page) == []
        page.close()


def test_an_earlier_page_that_is_marked_and_an_empty_one_have_no_complaint(open_page: Callable[..., Any]) -> None:
    page = open_page(a_document([]))
    page.evaluate("Object.assign(document.getElementById('mark'), {hidden: false, textContent: 'A run began'})")
    assert complaints(page) == []


def test_forced_colours_and_reduced_motion(open_page: Callable[..., Any]) -> None:
    page = open_page(a_document(the_chains()), forced_colors="active", reduced_motion="reduce")
    assert complaints(page) == []
    selected, other = (
        page.evaluate(f"getComputedStyle(document.querySelector('[aria-selected={one}]')).borderTopWidth")
        for one in ("true", "false")
    )
    assert selected != other  # not told by a colour that is not there
    page.locator(".toggle").first.click()
    assert page.evaluate("getComputedStyle(document.querySelector('.toggle'), '::before').transitionDuration") == "0s"
