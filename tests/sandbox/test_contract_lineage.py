"""Lineage: what a walk brings, in which order, and how processes mark and unmark the assets at their ends."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from helpers import Stack, column_of, names_in_order, new_stack, process_between, save, within
from pyatlan.model.assets import Asset, Catalog, Column, ColumnProcess, MaterialisedView, Process, Table, View
from pyatlan.model.enums import AtlanComparisonOperator, LineageDirection
from pyatlan.model.fields.atlan_fields import LineageFilter
from pyatlan.model.fluent_search import CompoundQuery
from pyatlan.model.lineage import FluentLineage, LineageListRequest

UP, DOWN = LineageDirection.UPSTREAM, LineageDirection.DOWNSTREAM


@dataclass(frozen=True)
class Chain:
    """table -> P1 -> mview -> P2 -> view."""

    stack: Stack
    guids: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.guids[name]


def new_chain(atlan) -> Chain:
    stack = new_stack(atlan)
    table = stack.table("table")
    mview = MaterialisedView.creator(name="mview", schema_qualified_name=stack.schema)
    view = View.creator(name="view", schema_qualified_name=stack.schema)
    guids = dict(zip(("table", "mview", "view"), save(atlan, table, mview, view), strict=True))
    mview_ref = MaterialisedView.ref_by_guid(guids["mview"])
    first = process_between(stack.connection, "P1", [Table.ref_by_guid(guids["table"])], [mview_ref])
    second = process_between(stack.connection, "P2", [mview_ref], [View.ref_by_guid(guids["view"])])
    guids["P1"], guids["P2"] = save(atlan, first, second)
    return Chain(stack, guids)


@pytest.fixture(scope="module")
def chain(atlan) -> Chain:
    """No test changes it."""
    return new_chain(atlan)


def walk(atlan, request: LineageListRequest) -> list[Asset]:
    found = []
    for asset in atlan.asset.get_lineage_list(request):
        found.append(asset)
        assert len(found) < 1000, "the walk does not end"
    return found


def walked(atlan, lineage: FluentLineage) -> list[tuple[str, int]]:
    return [(asset.name, asset.depth) for asset in walk(atlan, lineage.request)]


DOWNSTREAM = [("P1", 1), ("mview", 1), ("P2", 2), ("view", 2)]
UPSTREAM = [("P2", 1), ("mview", 1), ("P1", 2), ("table", 2)]


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_both_directions_at_any_page_size(atlan, chain, size):
    assert walked(atlan, Asset.lineage(chain["table"]).size(size)) == DOWNSTREAM
    assert walked(atlan, Asset.lineage(chain["view"]).direction(UP).size(size)) == UPSTREAM


def test_from_the_middle(atlan, chain):
    assert walked(atlan, Asset.lineage(chain["mview"])) == [("P2", 1), ("view", 1)]
    assert walked(atlan, Asset.lineage(chain["mview"]).direction(UP)) == [("P1", 1), ("table", 1)]


def test_end_of_the_chain(atlan, chain):
    assert walked(atlan, Asset.lineage(chain["view"])) == []
    assert walked(atlan, Asset.lineage(chain["table"]).direction(UP)) == []


def test_from_a_process(atlan, chain):
    assert [name for name, _ in walked(atlan, Asset.lineage(chain["P1"]))] == ["mview", "P2", "view"]
    assert [name for name, _ in walked(atlan, Asset.lineage(chain["P2"]).direction(UP))] == ["mview", "P1", "table"]


def test_depth(atlan, chain):
    assert walked(atlan, Asset.lineage(chain["table"]).depth(1)) == DOWNSTREAM[:2]
    assert walked(atlan, Asset.lineage(chain["table"]).depth(2)) == DOWNSTREAM


def neighbours(links) -> list[str] | None:
    return None if links is None else [link.name for link in links]


def test_immediate_neighbours(atlan, chain):
    request = FluentLineage(starting_guid=chain["table"], immediate_neighbors=True, size=10).request

    found = walk(atlan, request)

    assert [(a.name, a.depth, neighbours(a.immediate_upstream), neighbours(a.immediate_downstream)) for a in found] == [
        ("table", 0, None, ["mview"]),
        ("P1", 1, [], ["P2"]),
        ("mview", 1, ["table"], ["view"]),
        ("P2", 2, ["P1"], []),
        ("view", 2, ["mview"], None),
    ]
    [link] = found[0].immediate_downstream
    assert (link.guid, link.qualified_name) == (chain["mview"], f"{chain.stack.schema}/mview")


def test_immediate_neighbours_page_by_page(atlan, chain):
    # The start comes again on every page, so that a program has to drop what it has seen.
    request = FluentLineage(starting_guid=chain["table"], immediate_neighbors=True, size=1).request

    found = walk(atlan, request)

    assert list(dict.fromkeys(a.name for a in found)) == ["table", "P1", "mview", "P2", "view"]
    assert {a.name for a in found if a.depth == 0} == {"table"}


def test_no_neighbours_unless_asked_for(atlan, chain):
    found = walk(atlan, Asset.lineage(chain["table"]).request)

    assert {(a.immediate_upstream, a.immediate_downstream) for a in found} == {(None, None)}


def test_attributes_of_the_results(atlan, chain):
    lineage = Asset.lineage(chain["table"]).include_on_results(Asset.CONNECTOR_NAME)

    found = walk(atlan, lineage.request)

    assert {a.connector_name for a in found} == {"vertica"}
    assert [type(a) for a in found] == [Process, MaterialisedView, Process, View]
    assert [a.guid for a in found] == [chain["P1"], chain["mview"], chain["P2"], chain["view"]]


def test_results_are_filtered_while_the_walk_goes_on(atlan, chain):
    lineage = Asset.lineage(chain["table"]).include_in_results(Asset.NAME.in_lineage.eq("view"))
    assert walked(atlan, lineage) == [("view", 2)]

    starts = Asset.lineage(chain["table"]).include_in_results(Asset.QUALIFIED_NAME.in_lineage.ends_with("view"))
    assert walked(atlan, starts) == [("mview", 1), ("view", 2)]


def test_filter_by_type(atlan, chain):
    only = LineageFilter(field=Asset.TYPE_NAME, operator=AtlanComparisonOperator.EQ, value="Process")

    assert walked(atlan, Asset.lineage(chain["table"]).include_in_results(only)) == [("P1", 1), ("P2", 2)]


def test_filter_on_assets_cuts_the_walk(atlan, chain):
    lineage = Asset.lineage(chain["table"]).where_assets(Asset.NAME.in_lineage.neq("mview"))

    found = [name for name, _ in walked(atlan, lineage)]

    assert not {"mview", "P2", "view"} & set(found)


def test_has_lineage_is_counted_exactly(atlan):
    # The service's own integration test counts 6 assets here: three tables and views, three columns.
    chain = new_chain(atlan)
    refs: dict[str, Column] = {}
    for name, kind in (("table", Table), ("mview", MaterialisedView), ("view", View)):
        parent = f"{chain.stack.schema}/{name}"
        columns = [
            Column.creator(name=column, parent_qualified_name=parent, parent_type=kind, order=order)
            for order, column in enumerate(("used", "unused"), 1)
        ]
        refs[name] = Column.ref_by_guid(save(atlan, *columns)[0])
    for parent, source, target in (("P1", "table", "mview"), ("P2", "mview", "view")):
        column_process = ColumnProcess.creator(
            name=f"{source}.used -> {target}.used",
            connection_qualified_name=chain.stack.connection,
            process_id=f"{parent}/column/used",
            inputs=[refs[source]],
            outputs=[refs[target]],
            parent=Process.ref_by_guid(chain[parent]),
        )
        response = atlan.asset.save(column_process)
        assert [p.guid for p in response.assets_updated(Process)] == [chain[parent]]
        assert {c.guid for c in response.assets_updated(Column)} == {refs[source].guid, refs[target].guid}

    marked = (
        within(chain.stack.connection)
        .where(Asset.HAS_LINEAGE.eq(True))
        .where_not(CompoundQuery.super_types(Process))
        .where_not(CompoundQuery.asset_type(Process))
    )

    assert marked.count(atlan) == 6
    assert [name for name, _ in walked(atlan, Asset.lineage(refs["table"].guid))] == [
        "table.used -> mview.used", "used", "mview.used -> view.used", "used",
    ]  # fmt: skip
    read = atlan.asset.get_by_guid(chain["P1"], Process, ignore_relationships=False)
    assert [p.display_text for p in read.column_processes] == ["table.used -> mview.used"]


def has_lineage(atlan, chain: Chain) -> dict[str, bool]:
    return {name: bool(atlan.asset.get_by_guid(chain[name]).has_lineage) for name in ("table", "mview", "view")}


def test_deleted_process_cuts_the_lineage_until_it_is_restored(atlan):
    chain = new_chain(atlan)
    assert has_lineage(atlan, chain) == {"table": True, "mview": True, "view": True}

    atlan.asset.delete_by_guid(chain["P1"])

    assert has_lineage(atlan, chain) == {"table": False, "mview": True, "view": True}
    assert walked(atlan, Asset.lineage(chain["table"])) == []
    assert walked(atlan, Asset.lineage(chain["view"]).direction(UP)) == UPSTREAM[:2]

    assert atlan.asset.restore(Process, f"{chain.stack.connection}/P1")

    assert has_lineage(atlan, chain) == {"table": True, "mview": True, "view": True}
    assert walked(atlan, Asset.lineage(chain["table"])) == DOWNSTREAM


def test_purged_process_is_gone_from_the_lineage(atlan):
    chain = new_chain(atlan)

    atlan.asset.purge_by_guid([chain["P1"], chain["P2"]])

    assert has_lineage(atlan, chain) == {"table": False, "mview": False, "view": False}
    assert walked(atlan, Asset.lineage(chain["table"], include_archived=True)) == []


def test_deleted_table_is_left_out(atlan):
    chain = new_chain(atlan)

    atlan.asset.delete_by_guid(chain["mview"])

    assert not {"mview", "view"} & {name for name, _ in walked(atlan, Asset.lineage(chain["table"]))}


def test_process_with_many_inputs(atlan):
    stack = new_stack(atlan)
    sources = save(atlan, *(stack.table(f"in{number:02}") for number in range(40)))
    [target] = save(atlan, stack.table("out"))
    inputs: list[Catalog] = [Table.ref_by_guid(guid) for guid in sources]

    [process] = save(atlan, process_between(stack.connection, "fan-in", inputs, [Table.ref_by_guid(target)]))

    read = atlan.asset.get_by_guid(process, Process, ignore_relationships=False)
    assert {a.guid for a in read.inputs} == set(sources)
    found = walked(atlan, Asset.lineage(target).direction(UP).size(7))
    assert found[0] == ("fan-in", 1)
    assert sorted(found[1:]) == [(f"in{number:02}", 1) for number in range(40)]


def test_results_come_breadth_first(atlan):
    stack = new_stack(atlan)
    refs = {
        name: Table.ref_by_guid(guid)
        for name, guid in zip("abcdef", save(atlan, *map(stack.table, "abcdef")), strict=True)
    }
    edges = {"1": ("a", "bc"), "2": ("b", "d"), "3": ("c", "e"), "4": ("e", "f")}
    save(
        atlan,
        *(
            process_between(stack.connection, key, [refs[source]], [refs[target] for target in targets])
            for key, (source, targets) in edges.items()
        ),
    )

    found = walked(atlan, Asset.lineage(refs["a"].guid))

    depths = [depth for _, depth in found]
    assert depths == sorted(depths)
    assert sorted(found) == sorted(
        [("1", 1), ("b", 1), ("c", 1), ("2", 2), ("d", 2), ("3", 2), ("e", 2), ("4", 3), ("f", 3)]
    )
    assert walked(atlan, Asset.lineage(refs["a"].guid).size(1)) == found


def test_cycle_ends(atlan):
    stack = new_stack(atlan)
    a, b = (Table.ref_by_guid(guid) for guid in save(atlan, stack.table("a"), stack.table("b")))
    save(atlan, process_between(stack.connection, "go", [a], [b]), process_between(stack.connection, "back", [b], [a]))

    found = [name for name, _ in walked(atlan, Asset.lineage(a.guid).size(2))]

    assert {"go", "b", "back"} <= set(found)
    assert len(found) == len(set(found))


def test_changed_outputs_move_the_lineage(atlan):
    stack = new_stack(atlan)
    a, b, c = (Table.ref_by_guid(guid) for guid in save(atlan, *(stack.table(name) for name in "abc")))
    save(atlan, process_between(stack.connection, "p", [a], [b]))

    response = atlan.asset.save(process_between(stack.connection, "p", [a], [c]))

    assert len(response.assets_updated(Process)) == 1
    assert {b.guid, c.guid} <= {t.guid for t in response.assets_updated(Table)}
    assert names_in_order(walk(atlan, Asset.lineage(a.guid).request)) == ["p", "c"]
    assert [bool(atlan.asset.get_by_guid(t.guid).has_lineage) for t in (a, b, c)] == [True, False, True]


def test_column_lineage_stands_beside_table_lineage(atlan):
    chain = new_chain(atlan)
    table = chain.stack.table("table")
    [column] = save(atlan, column_of(table, "c", 1))

    assert walked(atlan, Asset.lineage(column)) == []
    assert walked(atlan, Asset.lineage(chain["table"]).direction(DOWN)) == DOWNSTREAM
