"""The sandbox's own page: what a tenant holds, its chains, and the lineage of any asset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import shown
from world import POSTGRES, SNOWFLAKE, Run, World, start_world

SCHEMA = "FOOD_BEVERAGE/SALES_ORDERS"


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a tenant's page, which may log no error."""
    errors: list[str] = []
    contexts = []

    def open_tenant(address: str, width: int = 1280) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield open_tenant
    for context in contexts:
        context.close()
    assert errors == []


def test_it_shows_the_tenant_its_age_and_its_assets_by_type(
    visit: Callable[..., Any], world: World, run: Callable[..., Run]
) -> None:
    run()
    page = visit(world.tenant.page_url)
    assert page.inner_text("#verdict") == "Connections: delta-arc-s3, postgres-ary, snowflake-ary"
    assert "just now" in page.inner_text("#about")
    assert page.get_by_role("button", name="Reload").is_visible()
    assert shown(page) == sorted(shown(page))
    assert page.locator(".chain").count() == 8
    page.get_by_role("tab", name="Assets").click()
    page.wait_for_selector("text=Choose one")
    page.get_by_role("button", name="S3Object 8").click()
    page.wait_for_selector("text=8 assets. Choose one")
    assert page.locator(".found").count() == 8
    page.get_by_role("button", name="S3Object 8").click()
    page.fill("#search", f"{SNOWFLAKE}/{SCHEMA}/ORDERS".lower())
    page.wait_for_selector("text=with that in their names")
    page.locator(".found").first.click()
    assert page.inner_text("#way .lead") == "2 upstream, 0 downstream"
    nodes = [text.split("\n") for text in page.locator(".node").all_inner_texts()]
    assert [name for name, _ in nodes] == ["ORDERS", "ORDERS.csv", "ORDERS"]
    assert nodes[0][1] == f"Table · {POSTGRES}/{SCHEMA}".replace("/", " / ")
    assert page.locator(".picture path").count() == 2
    page.locator(".node", has_text="ORDERS.csv").click()
    page.wait_for_selector("text=1 upstream, 1 downstream")
    page.go_back()
    page.wait_for_selector("text=2 upstream, 0 downstream")


def test_an_asset_that_a_run_links_to_and_one_that_nobody_knows(
    visit: Callable[..., Any], world: World, run: Callable[..., Run]
) -> None:
    run()
    page = visit(world.tenant.page_url)
    href = page.get_by_role("link", name="SHIPPERS.csv in Atlan, in a new tab").get_attribute("href")
    assert href.endswith("/overview")
    page.goto(href)
    page.wait_for_selector("text=1 upstream, 1 downstream")
    page.get_by_role("tab", name="Chains").click()
    assert page.locator(".chain").count() == 8
    page.goto(f"{world.tenant.base_url}/assets/no-such-guid/overview")
    page.wait_for_selector("text=This tenant has no asset with this id: no-such-guid")
    page.goto(f"{world.tenant.base_url}/assets/%zz/overview")
    page.wait_for_selector("text=This tenant has no asset with this id: %zz")


def test_a_process_and_a_column_have_a_way_too(world: World, run: Callable[..., Run]) -> None:
    run()
    for type_name, ends in (("Process", [1, 1]), ("ColumnProcess", [1, 1]), ("S3Object", [1, 1])):
        guid = world.assets(type_name)[0]["guid"]
        answer = world.http.get(f"/_sandbox/lineage/{guid}").json()
        assert answer["nodes"][0]["guid"] == guid
        into = sum(to == guid for _, to in answer["edges"])
        out = sum(start == guid for start, _ in answer["edges"])
        assert [into, out] == ends, type_name


def test_an_empty_tenant_has_a_hint(visit: Callable[..., Any], tmp_path: Path) -> None:
    with start_world(tmp_path / "tenant") as world:
        world.archive(*world.assets("Table", "Column", "Schema", "Database", "Connection"))
        page = visit(world.tenant.page_url)
        assert page.inner_text("#chains .nothing").startswith("This tenant is empty: `python main.py` fills it")


def test_a_tenant_that_is_gone_is_told(visit: Callable[..., Any], tmp_path: Path) -> None:
    with start_world(tmp_path / "tenant") as world:
        page = visit(world.tenant.page_url)
        page.get_by_role("tab", name="Assets").click()
        page.wait_for_selector("text=Choose one")
    page.fill("#search", "x")
    page.wait_for_selector("text=The tenant does not answer")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_width_is_too_narrow(width: int, visit: Callable[..., Any], world: World, run: Callable[..., Run]) -> None:
    run()
    page = visit(world.tenant.page_url, width)
    scrolled = "document.documentElement.scrollWidth"
    assert page.evaluate(scrolled) <= width
    page.get_by_role("tab", name="Assets").click()
    page.wait_for_selector(".found")
    assert page.evaluate(scrolled) <= width
    page.fill("#search", "orders.csv")
    page.get_by_role("button", name="ORDERS.csv S3Object").click()
    page.wait_for_selector(".node")
    assert page.evaluate(scrolled) <= width


def test_it_has_no_token_and_tells_what_it_does_not_have(world: World) -> None:
    assert world.http.get("/").headers["content-type"].startswith("text/html")
    assert world.http.get("/_sandbox/assets?name=ORDERS").json()["total"] > 0
    assert world.http.get("/_sandbox/assets?type=Table").json()["total"] == 16
    assert world.http.get("/_sandbox/lineage/no-such-guid").status_code == 404
    assert world.tenant.api_token not in world.http.get("/").text
