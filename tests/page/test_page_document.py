"""What the page's document says: chains, open things, the head, and the page as a file."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import BUCKET, a_chain, a_document, document_in, file, ref, table
from world import BULK, POSTGRES, SNOWFLAKE, Run, World

from delta_arc.page import RunFacts, document_of_run
from delta_arc.plan import Plan
from delta_arc.report import Coverage, Gap, Outcome, Report, Status
from lineage_page import Chain, Lack, Link, NewestFile, chains_of, describe_chains, mark, render
from runtime.version import read_version


def describe(chain: Chain, guids: dict[str, str] | None = None, names: dict[str, str] | None = None) -> dict[str, Any]:
    (described,) = describe_chains([chain], guids or {}, names or {})["chains"]
    return described


def read_document() -> dict[str, Any]:
    return document_in(Path("lineage.html").read_text(encoding="utf-8"))


# Chains


def test_a_chain_joins_the_process_that_fills_its_objects_with_the_one_that_reads_them() -> None:
    links, columns = a_chain("ORDERS", columns=2, objects=3)
    (chain,) = chains_of(links, columns)
    chain.newest = NewestFile(f"{BUCKET}/in/ORDERS/02.csv", "2026-01-31T10:00:00+00:00", 1200)
    chain.read = [f"{BUCKET}/in/ORDERS/02.csv"]
    document = describe_chains([chain], {f"{SNOWFLAKE}/SHOP/SALES/ORDERS": "guid-1"}, {})
    assert document == {
        "connections": [POSTGRES, BUCKET, SNOWFLAKE],
        "grounds": [["names and header", "", ""]],
        "chains": [
            {
                "state": "unchanged",
                "sources": [["ORDERS", "SHOP/SALES", "", 0]],
                "files": {
                    "bucket": 1,
                    "folder": "in/ORDERS",
                    "names": ["00.csv", "01.csv", "02.csv"],
                    "count": 3,
                    "newest": ["02.csv", "2026-01-31T10:00:00+00:00", 1200],
                    "read": ["02.csv"],
                },
                "targets": [["ORDERS", "SHOP/SALES", "guid-1", 2]],
                "links": [[0, 1, "", 0, ""], [1, 2, "", 0, ""]],
                "upper": True,
                "columns": ["column_0", "column_1"],
            }
        ],
    }


def test_what_is_not_continued_and_what_needs_no_object_are_chains_too() -> None:
    links, _ = a_chain("ORDERS")
    view = Link("view", [table(SNOWFLAKE, "ORDERS")], [table(SNOWFLAKE, "TOTALS")])
    chains = chains_of([links[0], view], [])
    assert [(len(chain.sources), len(chain.objects), len(chain.targets)) for chain in chains] == [(1, 0, 1), (1, 1, 0)]


def test_a_lone_load_is_a_chain_without_a_source() -> None:
    links, _ = a_chain("ORDERS")
    (chain,) = chains_of(links[1:], [])
    chain.lacks.append(Lack("source", "PostgreSQL table (no table of that name)"))
    described = describe(chain)
    assert "sources" not in described
    assert described["lacks"] == [["source", "PostgreSQL table (no table of that name)"]]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["created", "updated", "unchanged", "failed", "removed", "stale"]), min_size=2, max_size=6)
)
def test_a_chain_is_what_its_parts_are(states: list[str]) -> None:
    links, columns = a_chain("T", columns=len(states) - 2)
    links = [
        Link(one.qualified_name, one.inputs, one.outputs, state) for one, state in zip(links, states, strict=False)
    ]
    columns = [
        Link(c.qualified_name, c.inputs, c.outputs, state, parent=c.parent)
        for c, state in zip(columns, states[2:], strict=True)
    ]
    state = describe(chains_of(links, columns)[0])["state"]
    assert (state == "failed") == ("failed" in states)
    assert (state == "unchanged") == (set(states) == {"unchanged"})
    if "failed" in states:
        return
    if {"removed", "stale"} & {*states[:2]}:
        assert state in ("removed", "stale")
    else:
        assert (state == "created") == ("created" in states[:2])


def test_names_with_slashes_are_whole() -> None:
    source, target = ref("Table", f"{POSTGRES}/SHOP/SALES/a/b"), table(SNOWFLAKE, "AB")
    columns = [
        Link("c", [ref("Column", f"{POSTGRES}/SHOP/SALES/a/b/x/y")], [ref("Column", f"{SNOWFLAKE}/SHOP/SALES/AB/XY")])
    ]
    described = describe(Chain([source], [], [target], columns=columns), names={f"{POSTGRES}/SHOP/SALES/a/b": "a/b"})
    assert described["sources"] == [["a/b", "SHOP/SALES", "", 0]]
    assert described["columns"] == [["x/y", "XY", "unchanged"]]


def test_of_more_keys_than_a_page_holds_there_are_the_first_and_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [file(f"in/{number:06}.csv") for number in range(150_000)]
    chains = describe_chains([Chain([], objects), Chain([], objects[:5])], {}, {})["chains"]
    assert [chains[0]["files"]["count"], len(chains[0]["files"]["names"])] == [150_000, 20]
    assert chains[0]["files"]["names"][-1] == "149999.csv"
    assert len(chains[1]["files"]["names"]) == 5


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_name_comes_out_of_the_page_as_it_went_in(name: str, sentence: str) -> None:
    chains = [Chain([table(POSTGRES, name)], lacks=[Lack("object", sentence)], changes=[("+", name)])]
    document = a_document(chains, removals=[["Process", name, sentence, "guid", "stale"]], title=name)
    page = render(document)
    assert document_in(page) == json.loads(json.dumps(document))
    assert page.lower().count("<script") == 2
    (title,) = re.findall("<title>(.*?)</title>", page, re.DOTALL)
    assert html.unescape(title) == name


# A run


def test_a_run_writes_the_page_of_its_plan_and_then_of_what_it_did(world: World, run: Callable[..., Run]) -> None:
    assert "🔗 The lineage as a page: lineage.html" in run("--dry-run").out
    planned = read_document()
    assert planned["verdict"] == ["changes", "A plan: nothing of it is written yet."]
    assert (planned["planned"], len(planned["chains"])) == (True, 8)
    assert ["Assets to create", 67] in planned["summary"]
    assert dict(planned["facts"])["Options"] == "--dry-run"
    assert dict(planned["facts"])["Version"] == read_version()
    run()
    text = Path("lineage.html").read_text(encoding="utf-8")
    done = document_in(text)
    assert done["verdict"] == ["done", "Written."]
    assert (done["planned"], {chain["state"] for chain in done["chains"]}) == (False, {"created"})
    assert sum(len(chain["columns"]) for chain in done["chains"]) == 41
    assert all(chain["files"]["guid"] for chain in done["chains"])  # Atlan has told the guids of what it has made
    assert done["grounds"] == [["names and header", "read", ""]]
    assert world.tenant.api_token not in text
    run()
    again = read_document()
    assert again["verdict"] == ["done", "Nothing to do: Atlan has all of it."]
    assert {chain["state"] for chain in again["chains"]} == {"unchanged"}
    assert all(link[4] for chain in again["chains"] for link in chain["links"])
    guids = {asset["attributes"]["qualifiedName"]: asset["guid"] for asset in world.assets("Table")}
    for chain in again["chains"]:
        assert chain["sources"][0][2] == guids[f"{POSTGRES}/FOOD_BEVERAGE/SALES_ORDERS/{chain['sources'][0][0]}"]
        assert (chain["files"]["newest"][0], chain["files"]["read"]) == ("", [""])  # the only one


def test_a_failed_run_says_so_first_in_the_words_of_the_error(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "ORDERS_2.csv").write_text((world.files / "ORDERS.csv").read_text())
    world.fail(400, BULK, 1000, body_contains='ORDERS_2.csv", "connectorName"')
    assert run().code == 1
    document = read_document()
    tone, verdict = document["verdict"]
    assert (tone, "failed" in verdict) == ("failed", True)
    assert document["summary"][0][:2] == ["Complete chains", "7 of 8 tables"]
    assert document["summary"][1][0] == "Assets failed"
    words, count, *names = document["errors"][0]
    assert (bool(words), count) == (True, len(names))
    chains = {chain["sources"][0][0]: chain for chain in document["chains"]}
    assert (chains["ORDERS"]["state"], bool(chains["ORDERS"]["details"])) == ("failed", True)


def test_before_and_after_are_said_with_the_reason(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    rows = (world.files / "ORDERS.csv").read_text().splitlines()
    at = rows[0].split(",").index("EMPLOYEEID")
    without = [",".join(cell for place, cell in enumerate(row.split(",")) if place != at) for row in rows]
    for day, name in enumerate(("ORDERS_1.csv", "ORDERS_2.csv")):  # one file alone removes nothing
        (world.files / name).write_text("\n".join(without[: 2 + day]) + "\n")
        os.utime(world.files / name, (1_800_000_000 + 86_400 * day,) * 2)
    (world.files / "ORDERS.csv").unlink()
    run("--dry-run", "--prune")
    document = read_document()
    chains = {chain["sources"][0][0]: chain for chain in document["chains"]}
    assert ["+", "ORDERS_1.csv"] in chains["ORDERS"]["changes"]
    assert ["−", "ORDERS.csv"] in chains["ORDERS"]["changes"]
    assert ["−", "column EMPLOYEEID: no longer in the newest files"] in chains["ORDERS"]["changes"]
    assert ["EMPLOYEEID", "EMPLOYEEID", "removed"] in chains["ORDERS"]["columns"]
    assert chains["ORDERS"]["state"] == "updated"
    assert not {"name", "sql"} & {words for _, words in chains["ORDERS"]["changes"]}  # which follow from the objects
    assert chains["ORDERS"]["files"]["newest"][0] == "ORDERS_2.csv"
    assert chains["SHIPPERS"]["state"] == "removed"
    assert chains["SHIPPERS"]["changes"] == [["−", "the lineage through SHIPPERS.csv: there is no S3 object for it"]]
    assert [end[0] for end in chains["SHIPPERS"]["targets"]] == ["SHIPPERS"]
    assert len(document["chains"]) == 8
    assert {reason for _, _, reason, _, _ in document["removals"]} == {
        "no longer in the newest files", "there is no S3 object for it", "its table has no chain any more",
        "no longer in the bucket",
    }  # fmt: skip
    assert ({entry[4] for entry in document["removals"]}, document["pruned"]) == ({"removed"}, True)
    run("--dry-run")  # without --prune it stays, and is told as such
    assert "8 earlier assets are stale" in read_document()["verdict"][1]
    assert {chain["state"] for chain in read_document()["chains"]} == {"stale", "updated", "unchanged"}


def test_what_is_not_removed_is_not_said_to_be(world: World, run: Callable[..., Run]) -> None:
    run()
    (world.files / "SHIPPERS.csv").unlink()
    (world.files / "ORDERS_2.csv").write_text((world.files / "ORDERS.csv").read_text())
    world.fail(400, BULK, 1000, body_contains='ORDERS_2.csv", "connectorName"')
    run("--prune")
    document = read_document()
    assert "Nothing is removed, as something failed." in document["verdict"][1]
    assert ({entry[4] for entry in document["removals"]}, document["pruned"]) == ({"stale"}, False)
    world.forget()
    world.fail(400, BULK, 1000, method="DELETE")
    run("--prune")
    document = read_document()
    assert "Nothing is removed" not in document["verdict"][1]
    assert {(entry[0] == "S3Object", entry[4]) for entry in document["removals"]} == {
        (False, "failed"),
        (True, "stale"),
    }
    assert document["errors"][0][1] == len(document["removals"]) - 1


WORLD = {
    "Setting": {
        "tenant": "https://acme.atlan.com", "PostgreSQL connection": "p", "Snowflake connection": "s",
        "bucket": BUCKET, "prefix": "", "READ_FILE_HEADERS": "true",
    },
    "Override": {}, "Asset": {f"{POSTGRES}/SHOP/SALES/T": "Table T"}, "S3 object": {}, "Header of": {}, "In Atlan,": {},
}  # fmt: skip


@pytest.mark.parametrize("refs", [None, "x", 7, {}, [None], [{}], ["x"], [{"uniqueAttributes": []}], [{"uniqueAttributes": {"qualifiedName": 1}}]])  # fmt: skip
def test_whatever_atlan_tells_of_a_stale_process_is_drawn(refs: Any) -> None:
    hits: list[Any] = [
        {"typeName": kind, "guid": "g", "createTime": 10**30, "attributes": {"qualifiedName": f"q/{kind}", "name": None, "inputs": refs, "outputs": refs}}
        for kind in ("Process", "ColumnProcess")
    ]  # fmt: skip
    plan = Plan(WORLD, [], hits, Coverage(), False, {hit["attributes"]["qualifiedName"]: hit for hit in hits})
    document = document_of_run(plan, plan.report(), True, RunFacts())
    assert [entry[0] for entry in document["removals"]] == ["Process", "ColumnProcess"]
    assert document_in(render(document))


def test_a_table_that_is_gone_has_its_chain_all_the_same() -> None:
    gone, files = ref("Table", f"{POSTGRES}/SHOP/SALES/GONE"), [file("in/gone.csv")]
    hits: list[Any] = [
        {"typeName": "Process", "guid": "1", "attributes": {"qualifiedName": "x", "name": "n", "inputs": [gone], "outputs": files}},
        {"typeName": "Process", "guid": "2", "attributes": {"qualifiedName": "l", "name": "n", "inputs": files, "outputs": [table(SNOWFLAKE, "GONE")]}},
    ]  # fmt: skip
    plan = Plan(WORLD, [], hits, Coverage(), True, {hit["attributes"]["qualifiedName"]: hit for hit in hits})
    (chain,) = document_of_run(plan, plan.report(), True, RunFacts())["chains"]
    assert (chain["state"], chain["sources"][0][0], chain["files"]["names"]) == ("removed", "GONE", ["gone.csv"])
    assert chain["changes"] == [["−", "GONE is no longer in Atlan"]]


def test_an_incomplete_chain_has_its_objects_its_candidates_and_one_reason() -> None:
    source, candidates = f"{POSTGRES}/SHOP/SALES/T", (f"{SNOWFLAKE}/RAW/A/T", f"{SNOWFLAKE}/MART/B/T")
    words = "Snowflake table (ambiguous) and columns that fit"
    gap = Gap(("target", "columns"), words, ("in/t.csv",), candidates)
    plan = Plan(WORLD, [], [], Coverage(incomplete={source: gap}), False, {})
    (chain,) = document_of_run(plan, plan.report(), True, RunFacts())["chains"]
    assert chain["lacks"] == [["target", words, *candidates], ["columns", ""]]
    assert (chain["files"]["names"], chain["files"]["folder"]) == (["t.csv"], "in")


def test_errors_come_with_their_counts_the_most_frequent_first() -> None:
    def failed(name: str, detail: str) -> Outcome:
        return Outcome("Process", name, name, Status.FAILED, detail)

    plan = Plan(WORLD, [], [], Coverage(), False, {})
    outcomes = [failed("a", "rare"), *(failed(f"b{number}", "often") for number in range(9))]
    document = document_of_run(plan, Report(outcomes), False, RunFacts())
    assert document["errors"] == [
        ["often", 9, "Process b0", "Process b1", "Process b2", "Process b3", "Process b4"], ["rare", 1, "Process a"]
    ]  # fmt: skip
    assert document["verdict"] == ["failed", "10 assets failed, and nothing is written. No table has a complete chain."]


def test_what_is_new_about_a_file_is_said_in_words(world: World, run: Callable[..., Run]) -> None:
    run()
    path = world.files / "ORDERS.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    run("--dry-run")
    (chain,) = (one for one in read_document()["chains"] if one["state"] != "unchanged")
    assert [chain["state"], chain["sources"][0][0]] == ["updated", "ORDERS"]
    assert re.fullmatch(r"ORDERS\.csv: written anew, \d+ → \d+ bytes", chain["changes"][0][1])
    assert len(chain["changes"]) == 1


def test_a_broken_chain_has_what_is_known_of_it(world: World, run: Callable[..., Run]) -> None:
    shippers = next(one for one in world.assets("Table") if one["attributes"]["qualifiedName"].startswith(SNOWFLAKE) and one["attributes"]["name"] == "SHIPPERS")  # fmt: skip
    world.archive(shippers)
    (world.files / "feed_01.csv").write_text("A,B\n1,2\n")
    (world.files / "feed_02.csv").write_text("A,B\n1,2\n")
    Path("overrides.txt").write_text("object '*/ORDERS.csv' is SALES_ORDERS/ORDERS\n")
    run()
    document = read_document()
    chains = {chain["sources"][0][0]: chain for chain in document["chains"]}
    assert chains["SHIPPERS"]["files"]["names"] == ["SHIPPERS.csv"]
    assert chains["SHIPPERS"]["lacks"][0][0] == "target"
    assert chains["SHIPPERS"]["state"] == "created"  # its way to S3 is true for itself
    ground = document["grounds"][chains["ORDERS"]["links"][0][3]]
    assert ground[2] == "line 1: object '*/ORDERS.csv' is SALES_ORDERS/ORDERS"
    feeds = next(group for group in document["open"] if group["kind"] == "object")
    assert feeds["lines"] == ["object '2025/csa-tech-challenge-ary/feed_*.csv' is nothing"]
    assert (feeds["place"], len(feeds["things"])) == ("2025/csa-tech-challenge-ary", 2)
    assert document["overrides"][1].startswith("object '*/ORDERS.csv'")


def test_a_saved_plan_tells_the_command_that_applies_it(world: World, run: Callable[..., Run]) -> None:
    run("--plan", "my plan.json")
    command, fingerprint = read_document()["apply"]
    assert command == "python main.py --apply 'my plan.json'"
    assert json.loads(Path("my plan.json").read_text(encoding="utf-8"))["digest"].startswith(fingerprint)


def test_an_empty_world_says_why(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_PREFIX", "no/such/folder/")
    assert run().code == 4
    document = read_document()
    assert "no table has a complete chain" in document["verdict"][1].lower()
    assert document["empty"].startswith("There is no object under s3://atlan-tech-challenge/no/such/folder/")


# The file


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


def test_a_run_that_ends_before_its_plan_marks_the_page_of_the_one_before(
    world: World, run: Callable[..., Run]
) -> None:
    run()
    before = read_document()
    world.fail(500, "/api/meta/search/indexsearch", 1000)
    assert run("--force-refresh").code == 1
    text = Path("lineage.html").read_text(encoding="utf-8")
    assert document_in(text) == before
    assert re.search(r'<p id="mark" role="status">A run began on .* this is the page of a run before it\.</p>', text)
    world.forget()
    run()
    assert '<p id="mark" hidden></p>' in Path("lineage.html").read_text(encoding="utf-8")


def test_a_mark_is_only_a_text_and_takes_the_place_of_the_one_before() -> None:
    page = mark(mark(render(a_document([])), r"one \1"), "<b>two</b>")
    assert page.count('id="mark"') == 1
    assert "&lt;b&gt;two&lt;/b&gt;</p>" in page


def test_what_is_no_page_of_ours_is_not_marked(world: World, run: Callable[..., Run]) -> None:
    world.fail(500, "/api/meta/search/indexsearch", 1000)
    for content in (b"\xff no page", b"<p>a page of others</p>"):
        Path("lineage.html").write_bytes(content)
        before = Path("lineage.html").stat()
        run("--force-refresh")
        assert Path("lineage.html").read_bytes() == content
        assert Path("lineage.html").stat().st_ino == before.st_ino  # not even written anew
