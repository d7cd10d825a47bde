"""What the rules of single types let happen: glossaries and data mesh that move, names that are free again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.catalog import Catalog, Entity
from sandbox.errors import AtlasError
from sandbox.mutations import SaveOptions, delete, save
from sandbox.people import USER
from sandbox.types_cache import load_types


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(load_types(), tmp_path / "tenant.db")
    yield opened
    opened.close()


def sent(
    type_name: str, name: str, guid: str = "", beside: dict[str, Any] | None = None, **values: Any
) -> dict[str, Any]:
    attributes = {"name": name, "qualifiedName": f"any/{name}", **values}
    return {
        "typeName": type_name,
        "guid": guid or f"-{name}",
        "attributes": attributes,
        "relationshipAttributes": beside or {},
    }


def put(catalog: Catalog, *entities: dict[str, Any], **options: bool) -> list[Entity]:
    """Save and give the stored entities, in their order."""
    assigned = save(catalog, [*entities], SaveOptions(**options), USER["username"])["guidAssignments"]
    return [catalog.entities[assigned.get(one["guid"], one["guid"])] for one in entities]


def to(entity: Entity | None) -> dict[str, str] | None:
    return {"guid": entity.guid, "typeName": entity.type.name} if entity else None


def tree(catalog: Catalog) -> list[Entity]:
    """A glossary, a category with one below it, a term in that, and another glossary."""
    first, second = put(catalog, sent("AtlasGlossary", "one"), sent("AtlasGlossary", "two"))
    anchor = {"anchor": to(first)}
    (outer,) = put(catalog, sent("AtlasGlossaryCategory", "outer", **anchor))
    (inner,) = put(catalog, sent("AtlasGlossaryCategory", "inner", parentCategory=to(outer), **anchor))
    (term,) = put(catalog, sent("AtlasGlossaryTerm", "term", categories=[to(inner)], **anchor))
    return [first, second, outer, inner, term]


def test_a_category_moves_to_another_glossary_with_all_that_is_in_it(catalog: Catalog) -> None:
    first, second, outer, inner, term = tree(catalog)
    put(catalog, sent("AtlasGlossaryCategory", "outer", outer.guid, anchor=to(second)))
    for entity in (outer, inner, term):
        assert entity.qualified_name.endswith(f"@{second.qualified_name}")
        assert list(entity.related("anchor")) == [second.guid]
        assert entity.attributes["__glossary"] == second.qualified_name
        assert catalog.find(entity.type.name, entity.qualified_name) is entity
    assert not first.related("terms")
    assert not first.related("categories")


def test_a_category_below_another_stays_in_its_glossary(catalog: Catalog) -> None:
    _, second, _, inner, _ = tree(catalog)
    with pytest.raises(AtlasError, match="Parent category from another"):
        put(catalog, sent("AtlasGlossaryCategory", "inner", inner.guid, anchor=to(second)))


def test_a_term_moves_only_out_of_its_categories(catalog: Catalog) -> None:
    _, second, _, _, term = tree(catalog)
    with pytest.raises(AtlasError, match="doesn't belongs"):
        put(catalog, sent("AtlasGlossaryTerm", "term", term.guid, anchor=to(second)))
    put(catalog, sent("AtlasGlossaryTerm", "term", term.guid, anchor=to(second), beside={"categories": []}))
    assert term.qualified_name.endswith(f"@{second.qualified_name}")


def test_a_name_is_taken_on_its_level_while_it_is_active(catalog: Catalog) -> None:
    first, second, outer, inner, term = tree(catalog)
    put(catalog, sent("AtlasGlossaryCategory", "outer", anchor=to(second)))
    put(catalog, sent("AtlasGlossaryCategory", "outer", anchor=to(first), parentCategory=to(outer)))
    put(catalog, sent("AtlasGlossaryCategory", "inner", anchor=to(first)))
    put(catalog, sent("AtlasGlossaryTerm", " TERM ", anchor=to(first)))  # in another case, without the spaces
    assert sorted(catalog.entities[guid].name for guid in first.related("terms")) == ["TERM", "term"]
    with pytest.raises(AtlasError, match="already exists"):
        put(catalog, sent("AtlasGlossaryTerm", "term ", anchor=to(first)))
    delete(catalog, [term.guid], "SOFT", "tester")
    put(catalog, sent("AtlasGlossaryTerm", "term", anchor=to(first)))
    put(
        catalog,
        sent("AtlasGlossaryCategory", "inner", inner.guid, anchor=to(first), description="the same name is no other"),
    )


def test_a_domain_moves_with_all_that_is_in_it(catalog: Catalog) -> None:
    (top,) = put(catalog, sent("DataDomain", "top"))
    (middle,) = put(catalog, sent("DataDomain", "middle", parentDomain=to(top)))
    (low,) = put(catalog, sent("DataDomain", "low", parentDomain=to(middle)))
    (product,) = put(catalog, sent("DataProduct", "product", dataDomain=to(low), dataProductAssetsDSL='{"query":{}}'))
    (other,) = put(catalog, sent("DataDomain", "other"))
    assert [one.attributes.get("superDomainQualifiedName") for one in (middle, low, product)] == [
        top.qualified_name
    ] * 3
    own = low.qualified_name.rpartition("/")[2]

    put(catalog, sent("DataDomain", "low", low.guid, parentDomain=to(other)))
    assert low.qualified_name == f"{other.qualified_name}/domain/{own}"
    assert product.qualified_name.startswith(f"{low.qualified_name}/product/")
    assert low.attributes["parentDomainQualifiedName"] == other.qualified_name
    assert product.attributes["superDomainQualifiedName"] == other.qualified_name
    assert not middle.related("subDomains")

    put(catalog, sent("DataDomain", "low", low.guid, beside={"parentDomain": None}))
    assert low.qualified_name == f"default/domain/{own}/super"
    assert "parentDomainQualifiedName" not in low.attributes
    assert product.attributes["parentDomainQualifiedName"] == low.qualified_name

    put(catalog, sent("DataProduct", "product", product.guid, dataDomain=to(top)))
    assert product.qualified_name.startswith(f"{top.qualified_name}/product/")
    delete(catalog, [low.guid], "SOFT", "tester")


def test_domains_of_one_name_have_different_parents(catalog: Catalog) -> None:
    (top,) = put(catalog, sent("DataDomain", "same"))
    (low,) = put(catalog, sent("DataDomain", "same", parentDomain=to(top)))
    with pytest.raises(AtlasError, match="already exists in the domain"):
        put(catalog, sent("DataDomain", "same", low.guid, beside={"parentDomain": None}))
    with pytest.raises(AtlasError, match="to its child domain"):
        put(catalog, sent("DataDomain", "same", top.guid, parentDomain=to(low)))
    with pytest.raises(AtlasError, match="active child domains"):
        delete(catalog, [top.guid], "SOFT", "tester")
    delete(catalog, [low.guid], "SOFT", "tester")
    delete(catalog, [top.guid], "SOFT", "tester")


def test_an_archived_product_is_changed_only_to_restore_it(catalog: Catalog) -> None:
    (domain,) = put(catalog, sent("DataDomain", "domain"))
    (product,) = put(
        catalog, sent("DataProduct", "product", dataDomain=to(domain), dataProductAssetsDSL='{"query":{}}')
    )
    delete(catalog, [product.guid], "SOFT", "tester")
    with pytest.raises(AtlasError, match="Archived"):
        put(catalog, sent("DataProduct", "product", product.guid, description="x"))
    put(catalog, {**sent("DataProduct", "product", product.guid, description="x"), "status": "ACTIVE"})
    assert (product.status, product.attributes["description"]) == ("ACTIVE", "x")


def test_parents_may_come_after_what_is_in_them(catalog: Catalog) -> None:
    term, glossary = put(catalog, sent("AtlasGlossaryTerm", "t", anchor={"guid": "-g"}), sent("AtlasGlossary", "g"))
    assert term.qualified_name.endswith(f"@{glossary.qualified_name}")


def test_two_personas_of_a_name_are_two_and_enabled(catalog: Catalog) -> None:
    (first,) = put(catalog, sent("Persona", "p"))
    (second,) = put(catalog, sent("Persona", "p", isAccessControlEnabled=False))
    assert first is not second
    assert first.qualified_name.startswith("default/")
    assert [one.attributes["isAccessControlEnabled"] for one in (first, second)] == [True, False]
    put(catalog, sent("Persona", "p", second.guid, description="x"))
    assert second.attributes["isAccessControlEnabled"] is False


def test_who_makes_a_connection_is_its_admin_and_one_who_was_there_need_not_be_there_now(catalog: Catalog) -> None:
    (connection,) = put(catalog, sent("Connection", "c", adminUsers=["steward"]))
    assert connection.attributes["adminUsers"] == ["steward", USER["username"]]
    with catalog.transaction("tester") as transaction:
        transaction.set_attribute(connection, "adminUsers", ["gone"])
    put(catalog, {**sent("Connection", "c", connection.guid, adminUsers=["gone", "steward"])})
    assert connection.attributes["adminUsers"] == ["gone", "steward"]
    with pytest.raises(AtlasError, match="Admin list"):
        put(catalog, sent("Connection", "c", connection.guid, adminUsers=None))


def test_of_two_entities_with_one_guid_only_the_first_is_saved(catalog: Catalog) -> None:
    answer = save(catalog, [sent("Table", "a", "-1"), sent("Table", "b", "-1")], SaveOptions(), "tester")
    assert [header["displayText"] for header in answer["mutatedEntities"]["CREATE"]] == ["a"]


def test_a_relationship_of_null_among_the_attributes_stays(catalog: Catalog) -> None:
    schema, table = put(catalog, sent("Schema", "s"), sent("Table", "t", atlanSchema={"guid": "-s"}))
    put(catalog, sent("Table", "t", table.guid, atlanSchema=None))
    assert list(table.related("atlanSchema")) == [schema.guid]
    put(catalog, sent("Table", "t", table.guid, beside={"atlanSchema": None}))
    assert not table.related("atlanSchema")
    put(catalog, sent("Table", "t", table.guid, beside={"atlanSchema": None}, atlanSchema=to(schema)))
    assert list(table.related("atlanSchema")) == [schema.guid]


def test_a_partial_update_needs_no_names(catalog: Catalog) -> None:
    (table,) = put(catalog, sent("Table", "t"))
    put(catalog, {"typeName": "Table", "guid": table.guid, "attributes": {"rowCount": "5"}}, partial=True)
    assert table.attributes["rowCount"] == 5


def test_a_name_is_free_as_long_as_the_index_does_not_know_that_it_is_taken(catalog: Catalog) -> None:
    (glossary,) = put(catalog, sent("AtlasGlossary", "one"))
    anchor = {"anchor": to(glossary)}
    catalog.index_delay = 60
    (first,) = put(catalog, sent("AtlasGlossaryTerm", "term", **anchor))
    (second,) = put(catalog, sent("AtlasGlossaryTerm", "term", **anchor))
    assert first.guid != second.guid
    for _ in range(2):
        put(catalog, sent("AtlasGlossaryCategory", "category", **anchor))
        put(catalog, sent("DataDomain", "domain"))
    with pytest.raises(AtlasError) as refused:  # a glossary's name is looked for in the graph
        put(catalog, sent("AtlasGlossary", "one"))
    assert refused.value.status == 409


def test_a_name_that_the_index_still_has_is_no_longer_taken(catalog: Catalog) -> None:
    (glossary,) = put(catalog, sent("AtlasGlossary", "one"))
    anchor = {"anchor": to(glossary)}
    (term,) = put(catalog, sent("AtlasGlossaryTerm", "before", **anchor))
    catalog.index_delay = 60
    put(catalog, sent("AtlasGlossaryTerm", "after", term.guid, **anchor))
    put(catalog, sent("AtlasGlossaryTerm", "before", "-1", **anchor))
    put(catalog, sent("AtlasGlossaryTerm", "after", "-2", **anchor))
    catalog.index_delay = 0
    put(catalog, sent("AtlasGlossaryTerm", "known at once", **anchor))
    with pytest.raises(AtlasError) as refused:
        put(catalog, sent("AtlasGlossaryTerm", "known at once", **anchor))
    assert refused.value.code == "ATLAS-409-00-009"
