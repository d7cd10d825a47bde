"""The page: what its document says, and how it behaves in a real browser (chromium; skipped where there is none)."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import BULK, POSTGRES, SNOWFLAKE, Run, World

from lineage_page import Chain, Link, chains_of, describe_chain, render

BUCKET = "default/s3/1/arn:aws:s3:::landing"
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    """quotes ' " ` and {{ 7*7 }}""",
    "\u202eright-to-left שלום",
    "line\u2028separator",
    "n" * 300,
)


def ref(type_name: str, qualified_name: str) -> dict[str, Any]:
    return {"typeName": type_name, "uniqueAttributes": {"qualifiedName": qualified_name}}


def table(connection: str, name: str) -> dict[str, Any]:
    return ref("Table", f"{connection}/SHOP/SALES/{name}")


def a_chain(name: str, columns: int = 0, objects: int = 1, state: str = "unchanged") -> tuple[list[Link], list[Link]]:
    """The links of a table's chain, and its column links."""
    files = [ref("S3Object", f"{BUCKET}/in/{name}/{number:02}.csv") for number in range(objects)]
    load = f"{SNOWFLAKE}/load/{name}"
    links = [
        Link(f"{POSTGRES}/extract/{name}", [table(POSTGRES, name)], files, state),
        Link(load, files, [table(SNOWFLAKE, name)], state, ground="names and header"),
    ]
    below = [
        Link(
            f"{load}/{number}",
            [ref("Column", f"{POSTGRES}/SHOP/SALES/{name}/column_{number}")],
            [ref("Column", f"{SNOWFLAKE}/SHOP/SALES/{name}/COLUMN_{number}")],
            state,
            parent=load,
        )
        for number in range(columns)
    ]
    return links, below


def a_document(chains: list[Chain], **others: Any) -> dict[str, Any]:
    return {
        "title": "PostgreSQL → S3 → Snowflake",
        "about": "A plan",
        "planned": True,
        "made_at": "2026-01-31T10:00:00+00:00",
        "tenant": "https://acme.atlan.com",
        "lanes": [["PostgreSQL", "p"], ["S3", "b"], ["Snowflake", "s"]],
        "summary": [["Complete chains", f"{len(chains)} of {len(chains)} tables", 1], ["Assets to create", 1234]],
        "asset_url": "https://acme.atlan.com/assets/",
        "chains": [describe_chain(chain, {f"{POSTGRES}/SHOP/SALES/T0": "guid-0"}) for chain in chains],
        "unmatched": [],
        "stale": [],
        "pruned": False,
        "assets": 0,
        **others,
    }


def document_in(page: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="document">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


# The document


def test_a_chain_joins_the_process_that_fills_its_objects_with_the_one_that_reads_them() -> None:
    links, columns = a_chain("ORDERS", columns=2, objects=3)
    (chain,) = chains_of(links, columns)
    described = describe_chain(chain, {f"{SNOWFLAKE}/SHOP/SALES/ORDERS": "guid-1"})
    assert described == {
        "state": "unchanged",
        "sources": [["ORDERS", "SHOP / SALES", ""]],
        "targets": [["ORDERS", "SHOP / SALES", "guid-1"]],
        "details": [],
        "count": 3,
        "folder": "in/ORDERS",
        "objects": ["00.csv", "01.csv", "02.csv"],
        "upper": True,
        "columns": ["column_0", "column_1"],
        "ground": "names and header",
    }


def test_what_is_not_continued_and_what_needs_no_object_are_chains_too() -> None:
    links, _ = a_chain("ORDERS")
    view = Link("view", [table(SNOWFLAKE, "ORDERS")], [table(SNOWFLAKE, "TOTALS")])
    chains = chains_of([links[0], view], [])
    assert [(len(chain.sources), len(chain.objects), len(chain.targets)) for chain in chains] == [(1, 0, 1), (1, 1, 0)]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["created", "updated", "unchanged", "failed"]), min_size=2, max_size=6))
def test_a_chain_is_what_its_processes_are(states: list[str]) -> None:
    links, columns = a_chain("T", columns=len(states) - 2)
    links = [
        Link(link.qualified_name, link.inputs, link.outputs, state) for link, state in zip(links, states, strict=False)
    ]
    columns = [
        Link(c.qualified_name, c.inputs, c.outputs, state, parent=c.parent)
        for c, state in zip(columns, states[2:], strict=True)
    ]
    state = describe_chain(chains_of(links, columns)[0], {})["state"]
    assert (state == "failed") == ("failed" in states)
    assert (state == "unchanged") == (set(states) == {"unchanged"})
    if "created" in states[:2] and "failed" not in states:
        assert state == "created"


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_name_comes_out_of_the_page_as_it_went_in(name: str, sentence: str) -> None:
    chains = [Chain([table(POSTGRES, name)], missing="S3 object")]
    document = a_document(chains, unmatched=[["table", sentence, name]], title=name)
    page = render(document)
    assert document_in(page) == json.loads(json.dumps(document))
    assert page.lower().count("<script") == 2
    (title,) = re.findall("<title>(.*?)</title>", page, re.DOTALL)
    assert html.unescape(title) == name


def test_a_run_writes_the_page_of_its_plan_and_then_of_what_it_did(world: World, run: Callable[..., Run]) -> None:
    assert "🔗 The lineage as a page: lineage.html" in run("--dry-run").out
    planned = document_in(Path("lineage.html").read_text(encoding="utf-8"))
    assert (planned["planned"], len(planned["chains"])) == (True, 8)
    assert ["Assets to create", 67] in planned["summary"]
    run()
    text = Path("lineage.html").read_text(encoding="utf-8")
    done = document_in(text)
    assert (done["planned"], {chain["state"] for chain in done["chains"]}) == (False, {"created"})
    assert sum(len(chain["columns"]) for chain in done["chains"]) == 41
    assert all(chain["objects"][0][2] for chain in done["chains"])  # Atlan has told the guids of what it has made
    assert world.tenant.api_token not in text
    run()
    again = document_in(Path("lineage.html").read_text(encoding="utf-8"))
    assert {chain["state"] for chain in again["chains"]} == {"unchanged"}
    guids = {asset["attributes"]["qualifiedName"]: asset["guid"] for asset in world.assets("Table")}
    for chain in again["chains"]:
        assert chain["sources"][0][2] == guids[f"{POSTGRES}/FOOD_BEVERAGE/SALES_ORDERS/{chain['sources'][0][0]}"]


def test_what_is_missing_failed_or_stale_is_in_the_page(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    (world.files / "mystery.csv").write_text("A,B\n1,2\n")
    (world.files / "ORDERS_2.csv").write_text((world.files / "ORDERS.csv").read_text())
    world.fail(400, BULK, 1000, body_contains='ORDERS_2.csv", "connectorName"')
    assert run().code == 1
    document = document_in(Path("lineage.html").read_text(encoding="utf-8"))
    chains = {chain["sources"][0][0]: chain for chain in document["chains"]}
    assert chains["SHIPPERS"]["state"] == "incomplete"
    assert chains["SHIPPERS"]["missing"] == "S3 object"
    assert [end[0] for end in chains["SHIPPERS"]["targets"]] == ["SHIPPERS"]
    assert chains["ORDERS"]["state"] == "failed"
    assert chains["ORDERS"]["details"]
    assert any("mystery.csv" in entry[1] and entry[2:] for entry in document["unmatched"])
    assert {entry[0] for entry in document["stale"]} == {"Process", "ColumnProcess"}


def test_the_page_can_be_named_and_turned_off(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINEAGE_PAGE", str(tmp_path / "team.html"))
    assert f"🔗 The lineage as a page: {tmp_path / 'team.html'}" in run("--dry-run").out
    assert document_in((tmp_path / "team.html").read_text(encoding="utf-8"))
    monkeypatch.setenv("LINEAGE_PAGE", "")
    assert "page" not in run("--dry-run").out
    monkeypatch.setenv("LINEAGE_PAGE", str(tmp_path / "absent" / "team.html"))
    ended = run()
    assert ended.code == 0
    assert "team.html cannot be written (No such file or directory): check LINEAGE_PAGE" in ended.out
    assert "67 created" in ended.out
    assert not list(Path().glob("*.html"))


# In a browser


def find_browser() -> str | None:
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = find_browser()
    if not executable:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a document as a file. The page may show no dialog, log no error, and ask nothing of any network."""
    disturbances: list[str] = []
    contexts = []

    def open_document(document: dict[str, Any], **options: Any) -> Any:
        path = tmp_path / "lineage.html"
        path.write_text(render(document), encoding="utf-8", errors="surrogatepass")
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("dialog", lambda dialog: (disturbances.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: disturbances.append(message.text))
        page.on("pageerror", lambda error: disturbances.append(str(error)))
        page.on("request", lambda request: request.url == path.as_uri() or disturbances.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_document
    for context in contexts:
        context.close()
    assert disturbances == []


def many(tables: int, columns: int = 0, state: str = "unchanged") -> list[Chain]:
    links, below = [], []
    for number in range(tables):
        made, under = a_chain(f"T{number}", columns, state=state)
        links += made
        below += under
    return chains_of(links, below)


def shown(page: Any) -> list[str]:
    return page.locator(".chain .end:nth-of-type(2) .name, .chain > .end:nth-child(2) .name").all_text_contents()


def test_it_opens_with_counts_lanes_and_links(open_page: Callable[..., Any]) -> None:
    page = open_page(a_document([*many(2), *many_created()]))
    assert "1,234" in page.inner_text("#summary")
    assert page.inner_text("#about").startswith("A plan · ")
    assert shown(page) == ["T0", "T1", "NEW"]
    assert page.locator("#lanes b").all_text_contents() == ["PostgreSQL", "S3", "Snowflake"]
    assert page.get_by_role("link", name="T0").get_attribute("href") == "https://acme.atlan.com/assets/guid-0/overview"
    assert page.locator(".chain .state").all_text_contents() == ["= unchanged", "= unchanged", "+ to create"]


def many_created() -> list[Chain]:
    return chains_of(*a_chain("NEW", 3, state="created"))


def test_a_click_opens_the_columns_with_their_edges(open_page: Callable[..., Any]) -> None:
    page = open_page(a_document(many(3, columns=4)))
    assert page.locator(".column").count() == 0
    page.locator(".chain").nth(1).click(position={"x": 300, "y": 10})
    lines = page.locator(".column").all_inner_texts()
    assert [line.split()[:2] for line in lines] == [[f"column_{n}", f"COLUMN_{n}"] for n in range(4)]
    assert page.locator(".column .edge").count() == 4
    assert "Ground: names and header" in page.inner_text(".note")
    page.get_by_role("button", name="Columns of T1").click()
    assert page.locator(".column").count() == 0
    page.get_by_role("button", name="Expand all").click()
    assert page.locator(".column").count() == 12
    page.get_by_role("button", name="Collapse all").click()
    assert page.locator(".column").count() == 0


def test_it_works_with_the_keyboard_alone(open_page: Callable[..., Any]) -> None:
    page = open_page(a_document(many(100, columns=2)))
    page.keyboard.press("/")
    page.keyboard.type("t9")
    assert shown(page) == ["T9", *(f"T9{n}" for n in range(10))]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Columns of T90"
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert page.locator(".column").count() == 2
    page.keyboard.press("ArrowLeft")
    assert page.locator(".column").count() == 0
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Columns of T99"
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Columns of T99"
    box = page.locator(":focus").bounding_box()
    assert 0 <= box["y"] <= 800 - box["height"]


def test_search_finds_columns_and_filters_leave_states(open_page: Callable[..., Any]) -> None:
    lost = Chain(
        [table(POSTGRES, "LOST")], missing="Snowflake table (no table of that name) and S3 object", gaps=("target",)
    )
    page = open_page(a_document([*many(3), *many_created(), lost]))
    page.fill("#search", "COLUMN_2")
    assert shown(page) == ["NEW"]
    assert page.locator(".chain .place").first.inner_text() == "column column_2"
    page.fill("#search", "COLUMN_")
    assert page.locator(".chain .place").first.inner_text() == "3 columns"
    page.fill("#search", "no such thing")
    assert page.is_visible("text=Nothing fits.")
    page.fill("#search", "")
    page.get_by_role("button", name="incomplete 1").click()
    assert shown(page) == ["LOST"]
    assert page.locator(".chain .missing").all_text_contents()[-1] == "no target"
    page.get_by_role("button", name="to create 1").click()
    assert shown(page) == ["NEW", "LOST"]


def test_what_did_not_match_comes_with_a_line_to_copy(open_page: Callable[..., Any]) -> None:
    unmatched = [
        ["column", "Column A has no Snowflake column", "column A is nothing"],
        ["table", "PostgreSQL table T has no S3 object", "table T goes to nothing"],
        *(["object", f"S3 object {number} matches no table", f"object '{number}' is nothing"] for number in range(500)),
    ]
    page = open_page(a_document(many(1), unmatched=unmatched), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="Unmatched 502").click()
    assert page.locator("#unmatched h2").all_text_contents() == ["tables", "objects"]
    assert page.locator(".item").count() == 200
    page.get_by_role("button", name="Show more (302)").click()
    page.get_by_role("button", name="Show more (102)").click()
    assert page.locator(".item").count() == 502
    page.fill("#search", "has no snowflake")
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "column A is nothing"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_only_a_text(name: str, open_page: Callable[..., Any]) -> None:
    links, columns = a_chain("T", 1)
    source = ref("Table", f"{POSTGRES}/SHOP/SALES/{name.replace('/', '∕')}")
    column = Link("c", [ref("Column", f"x/{name.replace('/', '∕')}")], columns[0].outputs, parent=columns[0].parent)
    chains = chains_of([Link("e", [source], links[0].outputs), links[1]], [column])
    unmatched = [["table", name, name]]
    page = open_page(a_document(chains, unmatched=unmatched, tenant=name, title=name, lanes=[[name, name]] * 3))
    assert page.title().split() == name.split()
    assert page.text_content("h1") == name
    page.locator(".toggle").click()
    assert shown(page) == [name.replace("/", "∕")]
    assert page.locator(".column bdi").first.text_content() == name.replace("/", "∕")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.get_by_role("tab", name="Unmatched 1").click()
    assert page.text_content(".item p") == name
    assert page.text_content(".item code") == name
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.locator("img, script:not(#document)").count() == 1


def test_three_thousand_tables_open_at_once_and_only_what_is_near_is_drawn(
    open_page: Callable[..., Any], record_property: Callable[[str, object], None]
) -> None:
    document = a_document(many(3000, columns=30))
    started = time.monotonic()
    page = open_page(document)
    page.wait_for_selector(".chain")
    usable = page.evaluate("performance.now()") / 1000
    record_property("seconds from load to usable", usable)
    print(f"3,000 tables × 30 columns: usable after {usable:.2f} s, {len(render(document)) / 1e6:.1f} MB")
    assert time.monotonic() - started < 20  # only a disaster takes so long
    page.get_by_role("button", name="Expand all").click()
    nodes = []
    for top in (0, 100_000, 1_500_000, 2_700_000):
        page.evaluate(f"window.scrollTo(0, {top})")
        page.wait_for_timeout(50)
        nodes.append(page.evaluate("document.querySelectorAll('#list *').length"))
        first = page.evaluate("document.elementFromPoint(300, 500).closest('#list > *') !== null")
        assert first
    assert max(nodes) < 1500
    page.fill("#search", "t2999")
    assert shown(page) == ["T2999"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(scheme: str, open_page: Callable[..., Any]) -> None:
    """The contrast of WCAG AA: 4.5 between a text and what is behind it."""
    chains = [*many(1, 1), *many_created()]
    page = open_page(a_document(chains, unmatched=[["table", "T", "table T goes to nothing"]]), color_scheme=scheme)
    page.get_by_role("button", name="Expand all").click()
    poor = page.evaluate(CONTRAST)
    page.get_by_role("tab", name="Unmatched 1").click()
    assert poor + page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility() || ["SCRIPT", "NOSCRIPT"].includes(node.tagName)) continue;
    const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) poor.push(`${text.data.trim()}: ${contrast.toFixed(1)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_what_does_not_fit_into_a_line_can_be_read_in_the_open_chain(width: int, open_page: Callable[..., Any]) -> None:
    reason = "Atlan does not allow this (403): " + "give the token a persona that may write lineage here; " * 5
    (long, columns), (plain, _) = a_chain("N" * 300, 2), a_chain("PLAIN")
    failed = Link(long[1].qualified_name, long[1].inputs, long[1].outputs, "failed", reason)
    page = open_page(a_document(chains_of([long[0], failed, *plain], columns)))
    page.set_viewport_size({"width": width, "height": 800})
    page.locator(".toggle").first.click()
    for width_now in (width, 1000):
        page.set_viewport_size({"width": width_now, "height": 800})
        page.wait_for_timeout(50)
        assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
        assert [reason.strip() in note for note in page.locator(".note").all_inner_texts()].count(True) == 1
        assert page.locator(".note").first.inner_text() == "N" * 300
        boxes = [item.bounding_box() for item in page.locator("#list > *").all()]
        boxes.sort(key=lambda box: box["y"])
        for upper, lower in itertools.pairwise(boxes):
            assert abs(upper["y"] + upper["height"] - lower["y"]) < 1  # nothing overlaps, and nothing is cut
        assert page.evaluate(
            "[...document.querySelectorAll('.note')].every((note) => note.scrollWidth <= note.clientWidth)"
        )


def test_all_chains_are_printed(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page(a_document(many(300)))
    assert len(shown(page)) < 100
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert len(shown(page)) == 300
    assert not page.is_visible("#search")
    assert page.is_visible("#lanes")
    for width in (718, 1050):  # A4, upright and lying
        page.set_viewport_size({"width": width, "height": 800})
        assert page.locator(".chain .name").first.bounding_box()["width"] > 100
        assert page.locator(".chain .word").first.is_visible()
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert len(shown(page)) < 100


@pytest.mark.parametrize("width", [390, 800, 1280, 1920])
def test_no_width_is_too_narrow(width: int, open_page: Callable[..., Any]) -> None:
    page = open_page(a_document(many(3, 3), unmatched=[["table", "T " * 300, "line"]]))
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("button", name="Expand all").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("tab", name="Unmatched 1").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# The sandbox's own page


def test_the_sandbox_shows_its_tenant_and_the_lineage_of_any_asset(
    browser: Any, world: World, run: Callable[..., Run]
) -> None:
    run()
    page = browser.new_page()
    page.set_default_timeout(10_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(world.tenant.page_url)
    assert "Connections: delta-arc-s3, postgres-ary, snowflake-ary" in page.inner_text("#about")
    assert shown(page) == sorted(shown(page))
    assert page.locator(".chain").count() == 8
    page.get_by_role("tab", name="Assets").click()
    page.fill("#search", "snowflake/1757530705/food_beverage/sales_orders/orders")
    page.wait_for_selector("text=with that in their names")
    page.locator(".found").first.click()
    page.wait_for_selector(".around")
    upstream, asset, downstream = page.locator(".around > div").all_inner_texts()
    assert "ORDERS.csv" in upstream
    assert f"{POSTGRES}/FOOD_BEVERAGE/SALES_ORDERS/ORDERS" in upstream
    assert asset.split()[:2] == ["Asset", "ORDERS"]
    assert downstream == "Downstream (0)"
    page.locator(".around a", has_text="ORDERS.csv").click()
    page.wait_for_selector(".around >> text=Downstream (1)")
    page.goto(f"{world.tenant.base_url}/")
    page.get_by_role("link", name="SHIPPERS.csv").click()  # as the page of a run links to it
    page.wait_for_selector(".around >> text=Downstream (1)")
    assert "/overview" in page.url
    page.close()
    assert errors == []


def test_the_sandboxs_page_has_no_token_and_tells_what_it_does_not_have(world: World) -> None:
    assert world.http.get("/").headers["content-type"].startswith("text/html")
    assert world.http.get("/_sandbox/assets?name=ORDERS").json()["total"] > 0
    assert world.http.get("/_sandbox/lineage/no-such-guid").status_code == 404
    assert world.tenant.api_token not in world.http.get("/").text
