"""Relationships: replacing, appending and removing them; documents and terms on assets."""

from __future__ import annotations

import pytest
from helpers import names, names_in_order, new_stack, nothing_mutated, process_between, save, unique, within
from pyatlan.errors import ConflictError, NotFoundError
from pyatlan.model.assets import (
    Asset,
    AtlasGlossary,
    AtlasGlossaryCategory,
    AtlasGlossaryTerm,
    Link,
    Process,
    Readme,
    Table,
)
from pyatlan.model.enums import SaveSemantic
from pyatlan.model.fluent_search import CompoundQuery


@pytest.fixture
def tables(atlan):
    """Three saved tables, as references by guid, and the connection they are in."""
    stack = new_stack(atlan)
    guids = save(atlan, *(stack.table(name) for name in "abc"))
    return stack.connection, *(Table.ref_by_guid(guid) for guid in guids)


def inputs_of(atlan, connection: str) -> set[str]:
    read = atlan.asset.get_by_qualified_name(f"{connection}/p", Process, ignore_relationships=False)
    return {asset.guid for asset in read.inputs}


def test_a_list_replaces_the_relationship(atlan, tables):
    connection, a, b, c = tables
    save(atlan, process_between(connection, "p", [a, b], [c]))

    change = Process.updater(qualified_name=f"{connection}/p", name="p")
    change.inputs = [b]
    response = atlan.asset.save(change)

    assert len(response.assets_updated(Process)) == 1
    assert a.guid in {t.guid for t in response.assets_updated(Table)}
    assert inputs_of(atlan, connection) == {b.guid}


def test_same_list_in_another_order_changes_nothing(atlan, tables):
    connection, a, b, c = tables
    save(atlan, process_between(connection, "p", [a, b], [c]))

    assert nothing_mutated(atlan.asset.save(process_between(connection, "p", [b, a], [c])))


def test_references_by_name_equal_to_what_is_stored_change_nothing(atlan, tables):
    connection, a, b, _ = tables
    save(atlan, process_between(connection, "p", [a], [b]))
    by_name = [Table.ref_by_qualified_name(f"{connection}/warehouse/public/{name}") for name in "ab"]

    assert nothing_mutated(atlan.asset.save(process_between(connection, "p", by_name[:1], by_name[1:])))


def test_append(atlan, tables):
    connection, a, b, c = tables
    save(atlan, process_between(connection, "p", [a], [c]))

    change = Process.updater(qualified_name=f"{connection}/p", name="p")
    change.inputs = [Table.ref_by_guid(b.guid, semantic=SaveSemantic.APPEND)]
    response = atlan.asset.save(change)

    assert len(response.assets_updated(Process)) == 1
    assert inputs_of(atlan, connection) == {a.guid, b.guid}


def test_remove(atlan, tables):
    connection, a, b, c = tables
    save(atlan, process_between(connection, "p", [a, b], [c]))

    change = Process.updater(qualified_name=f"{connection}/p", name="p")
    change.inputs = [Table.ref_by_guid(a.guid, semantic=SaveSemantic.REMOVE)]
    atlan.asset.save(change)

    assert inputs_of(atlan, connection) == {b.guid}
    assert not atlan.asset.get_by_guid(a.guid, Table).has_lineage


def test_append_and_remove_together(atlan, tables):
    connection, a, b, c = tables
    save(atlan, process_between(connection, "p", [a], [c]))

    change = Process.updater(qualified_name=f"{connection}/p", name="p")
    change.inputs = [
        Table.ref_by_guid(a.guid, semantic=SaveSemantic.REMOVE),
        Table.ref_by_guid(b.guid, semantic=SaveSemantic.APPEND),
    ]
    atlan.asset.save(change)

    assert inputs_of(atlan, connection) == {b.guid}


def test_readme(atlan, tables):
    _, table, *_ = tables
    asset = atlan.asset.get_by_guid(table.guid, Table)
    text = "<h1>Orders & more</h1>"

    [readme] = atlan.asset.save(Readme.creator(asset=asset, content=text)).assets_created(Readme)

    assert atlan.asset.get_by_guid(readme.guid, Readme).description == text
    assert atlan.asset.get_by_guid(table.guid, Table, ignore_relationships=False).readme.guid == readme.guid
    found = atlan.asset.get_by_guid(table.guid, Table, attributes=["readme"], related_attributes=["description"])
    assert found.readme.description == text


def test_link(atlan, tables):
    _, table, *_ = tables
    asset = atlan.asset.get_by_guid(table.guid, Table)
    first, second = (Link.creator(asset=asset, name=n, link=f"https://example.com/{n}", idempotent=True) for n in "xy")

    guids = save(atlan, first, second)

    read = atlan.asset.get_by_guid(table.guid, Table, ignore_relationships=False)
    assert {link.guid for link in read.links} == set(guids)
    assert atlan.asset.get_by_guid(guids[0], Link).link == "https://example.com/x"
    again = Link.creator(asset=asset, name="x", link="https://example.com/x", idempotent=True)
    assert nothing_mutated(atlan.asset.save(again))


@pytest.fixture
def glossary(atlan) -> AtlasGlossary:
    [guid] = save(atlan, AtlasGlossary.creator(name=unique("glossary")))
    return atlan.asset.get_by_guid(guid, AtlasGlossary)


def new_term(atlan, glossary: AtlasGlossary, name: str) -> AtlasGlossaryTerm:
    [guid] = save(atlan, AtlasGlossaryTerm.creator(name=name, glossary_guid=glossary.guid))
    return atlan.asset.get_by_guid(guid, AtlasGlossaryTerm)


def test_the_service_names_glossary_assets(atlan, glossary):
    # From the server's code: the placeholder name is replaced by an id, and by <id>@<glossary> below a glossary.
    term = new_term(atlan, glossary, "Customer")
    [category_guid] = save(atlan, AtlasGlossaryCategory.creator(name="People", glossary_guid=glossary.guid))
    category = atlan.asset.get_by_guid(category_guid, AtlasGlossaryCategory)

    assert not glossary.qualified_name.startswith("-")
    assert term.qualified_name.endswith(f"@{glossary.qualified_name}")
    assert category.qualified_name.endswith(f"@{glossary.qualified_name}")


def test_names_of_glossaries_and_of_their_terms_are_unique(atlan, glossary):
    # From the server's code.
    new_term(atlan, glossary, "Customer")

    with pytest.raises(ConflictError):
        atlan.asset.save(AtlasGlossary.creator(name=glossary.name))
    with pytest.raises(ConflictError):
        atlan.asset.save(AtlasGlossaryTerm.creator(name="Customer", glossary_guid=glossary.guid))


def test_find_in_a_glossary(atlan, glossary):
    term = new_term(atlan, glossary, "Customer")
    category = AtlasGlossaryCategory.creator(name="People", glossary_guid=glossary.guid)
    [category_guid] = save(atlan, category)

    assert atlan.asset.find_glossary_by_name(glossary.name).guid == glossary.guid
    assert atlan.asset.find_term_fast_by_name("Customer", glossary.qualified_name).guid == term.guid
    assert atlan.asset.find_term_by_name("Customer", glossary.name).guid == term.guid
    [found] = atlan.asset.find_category_by_name("People", glossary.name)
    assert found.guid == category_guid
    with pytest.raises(NotFoundError):
        atlan.asset.find_term_by_name("Nobody", glossary.name)


def test_term_in_a_category(atlan, glossary):
    [category] = save(atlan, AtlasGlossaryCategory.creator(name="People", glossary_guid=glossary.guid))
    term = AtlasGlossaryTerm.creator(
        name="Customer", glossary_guid=glossary.guid, categories=[AtlasGlossaryCategory.ref_by_guid(category)]
    )

    [guid] = save(atlan, term)

    read = atlan.asset.get_by_guid(guid, AtlasGlossaryTerm, ignore_relationships=False)
    assert [c.guid for c in read.categories] == [category]
    assert read.anchor.guid == glossary.guid
    read = atlan.asset.get_by_guid(category, AtlasGlossaryCategory, ignore_relationships=False)
    assert [t.guid for t in read.terms] == [guid]


def test_hierarchy_of_categories(atlan, glossary):
    guids: dict[str, str] = {}
    for name, parent in (("top", None), ("left", "top"), ("right", "top"), ("leaf", "left")):
        category = AtlasGlossaryCategory.creator(
            name=name,
            glossary_guid=glossary.guid,
            parent_category=AtlasGlossaryCategory.ref_by_guid(guids[parent]) if parent else None,
        )
        [guids[name]] = save(atlan, category)

    hierarchy = atlan.asset.get_hierarchy(glossary, attributes=["description"])

    assert names(hierarchy.root_categories) == ["top"]
    assert names_in_order(hierarchy.breadth_first) == ["top", "left", "right", "leaf"]
    assert names_in_order(hierarchy.depth_first) == ["top", "left", "leaf", "right"]
    assert hierarchy.get_category(guids["leaf"]).name == "leaf"


def terms_of(atlan, guid: str) -> list[str]:
    read = atlan.asset.get_by_guid(guid, Table, ignore_relationships=False)
    return sorted(term.guid for term in read.assigned_terms or [])


def test_terms_of_an_asset(atlan, tables, glossary):
    connection, table, *_ = tables
    one, two, three = (new_term(atlan, glossary, name) for name in ("one", "two", "three"))
    name = f"{connection}/warehouse/public/a"

    atlan.asset.append_terms(Table, terms=[one], qualified_name=name)
    atlan.asset.append_terms(Table, terms=[two], guid=table.guid)
    assert terms_of(atlan, table.guid) == sorted([one.guid, two.guid])

    atlan.asset.remove_terms(Table, terms=[one], guid=table.guid)
    assert terms_of(atlan, table.guid) == [two.guid]

    atlan.asset.replace_terms(Table, terms=[one, three], guid=table.guid)
    assert terms_of(atlan, table.guid) == sorted([one.guid, three.guid])

    atlan.asset.replace_terms(Table, terms=[], guid=table.guid)
    assert terms_of(atlan, table.guid) == []


def test_search_by_term(atlan, tables, glossary):
    connection, table, other, _ = tables
    one, two = new_term(atlan, glossary, "one"), new_term(atlan, glossary, "two")
    atlan.asset.append_terms(Table, terms=[one], guid=table.guid)
    atlan.asset.append_terms(Table, terms=[two], guid=other.guid)

    found = within(connection).where(CompoundQuery.assigned_term([one.qualified_name])).execute(atlan)

    assert [asset.guid for asset in found] == [table.guid]
    assert names(within(connection).where(CompoundQuery.assigned_term()).execute(atlan)) == ["a", "b"]
    term = atlan.asset.get_by_guid(one.guid, AtlasGlossaryTerm, ignore_relationships=False)
    assert [asset.guid for asset in term.assigned_entities] == [table.guid]


def test_purged_term_leaves_its_name_free(atlan, glossary):
    term = new_term(atlan, glossary, "Customer")

    atlan.asset.purge_by_guid(term.guid)

    with pytest.raises(NotFoundError):
        atlan.asset.find_term_by_name("Customer", glossary.name)
    assert new_term(atlan, glossary, "Customer").guid != term.guid


def test_asset_keeps_what_another_relationship_save_does_not_mention(atlan, tables, glossary):
    connection, table, *_ = tables
    term = new_term(atlan, glossary, "one")
    atlan.asset.append_terms(Table, terms=[term], guid=table.guid)

    change = Table.updater(qualified_name=f"{connection}/warehouse/public/a", name="a")
    change.description = "x"
    atlan.asset.save(change)

    assert terms_of(atlan, table.guid) == [term.guid]
    assert isinstance(atlan.asset.get_by_guid(table.guid), Asset)
