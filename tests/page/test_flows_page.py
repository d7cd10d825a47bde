"""The page that lists several flows: what became of each, a link to its page, and nothing that a name could do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_page_axe import complaints

from delta_arc.endings import Ending
from delta_arc.flows_page import document_of_flows, write_flows_page
from delta_arc.plan import Plan
from delta_arc.report import Coverage, Gap, Outcome, Report, Status
from delta_arc.run_report import RunRecord, describe_run
from delta_arc.settings import read_settings
from lineage_page import render_flows


def a_flow(name: str, ending: Ending, page: str = "", errors: tuple[str, ...] = (), complete: int = 0) -> RunRecord:
    flow = RunRecord(name, Path(f"{name}.env"), ending=ending, errors=[*errors])
    if ending not in (Ending.WRONG_SETTING, Ending.NOT_RUN):
        flow.settings = read_settings({"LINEAGE_PAGE": page})
        flow.finish()
    if complete:
        gaps = {f"gap {number}": Gap(("object",), "S3 object") for number in range(2)}
        flow.plan = Plan({}, [], [], Coverage({f"t{number}": "" for number in range(complete)}, gaps), False, {})
        flow.report = Report([Outcome("Table", "t", "q", status) for status in (Status.CREATED, Status.UNCHANGED)])
    flow.document = describe_run(flow, 0, False, "1")
    return flow


FLOWS = [
    a_flow("sales", Ending.CHANGED, complete=6),
    a_flow("a-flow-with-a-name-that-is-longer-than-most-of-those-that-people-give-to-a-flow", Ending.BELOW_COVERAGE, complete=1),
    a_flow("hr", Ending.FAILED, errors=("There is no bucket named acme-hr: check S3_BUCKET_NAME and the AWS profile.",)),
    a_flow("ops", Ending.WRONG_SETTING, errors=("S3_BUCKET_NAME is not set.", "LOG_LEVEL is loud.")),
    a_flow("last", Ending.NOT_RUN),
]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_has_no_complaint_and_nothing_is_cut_off(width: int, scheme: str, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "flows.html"
    path.write_text(render_flows(document_of_flows(FLOWS)), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    try:
        assert asked == [path.as_uri()]
        assert complaints(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        rows = page.get_by_role("row").all_inner_texts()
        assert len(rows) == 1 + len(FLOWS)
        assert "6 of 8 chains" in rows[1]
        assert "1 created, 1 unchanged" in rows[1]
        assert "There is no bucket named acme-hr" in rows[3]
        assert page.locator("#verdict").inner_text() == "4 of 5 flows need a look."
    finally:
        context.close()


def test_a_flow_links_to_its_page_if_there_is_one(empty_folder: Path) -> None:
    Path("pages").mkdir()
    names = ["pages/a b.html", "javascript:alert(1)", "x\"'<b>.html", "#?.html", "é%.html"]
    for name in names:
        Path(name).write_text("")
    flows = [a_flow(str(number), Ending.CHANGED, name) for number, name in enumerate([*names, "nowhere.html", ""])]
    links = [flow["href"] for flow in document_of_flows(flows)["flows"]]
    assert links == [
        "pages/a%20b.html", "javascript%3Aalert%281%29", "x%22%27%3Cb%3E.html", "%23%3F.html", "%C3%A9%25.html", "", "",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.text(min_size=1), st.text())
def test_no_name_or_error_is_more_than_a_text(name: str, error: str) -> None:
    flows = [a_flow(f"{name}<script>alert(1)</script>\u202e", Ending.FAILED, errors=(f"<img src=x>{error}",))]
    page = render_flows(document_of_flows(flows))
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    page.encode()


def test_an_earlier_list_is_marked_and_one_that_cannot_be_written_is_told(
    empty_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from delta_arc.page import mark_page

    path = Path("flows.html")
    write_flows_page(path, FLOWS)
    mark_page(path)
    assert "A run began on" in path.read_text()
    write_flows_page(path, FLOWS)
    assert "A run began on" not in path.read_text()
    write_flows_page(Path("no/flows.html"), FLOWS)
    assert "⚠️ The page no/flows.html cannot be written (No such file or directory)" in capsys.readouterr().out
