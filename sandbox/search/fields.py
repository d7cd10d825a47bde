"""The fields that a search can name: how the index holds them, and how an entity's values are read for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.attributes import as_text
from sandbox.catalog import Catalog, Entity
from sandbox.errors import query_rejected
from sandbox.messages import Classification, TypeDefinition
from sandbox.presentation import terms_of
from sandbox.tags import all_tags, propagated_tags

Document = Any  # what is searched: an entity, or an entry of a log
FieldReader = Callable[[Document], list[Any]]

# Keyword fields with a lower-casing normaliser (atlan_normalizer in the metastore's addons/elasticsearch/
# es-settings.json; which have it tells its test resource 007_all_custom_models.json). All others tell cases apart.
NORMALISED = {
    "__typeName", "__superTypeNames", "name", "displayName", "description", "userDescription", "databaseName", "schemaName",
    "tableName", "viewName", "calculationViewName", "parentColumnName", "modelDomain", "modelEntityName", "modelName",
    "modelNamespace", "modelVersionName", "sourceTagName", "assetDbtAccountName", "assetDbtAlias", "assetDbtEnvironmentName",
    "assetDbtJobLastRunStatusMessage", "assetDbtJobName", "assetDbtJobNextRunHumanized", "assetDbtPackageName",
    "assetDbtProjectName", "assetDbtUniqueId",
}  # fmt: skip
SUFFIXES = (".keyword", ".text", ".stemmed", ".delimiter", ".rank_feature", ".date")
# The metastore's fields that pyatlan has no constants for (`createCommonVertexIndex` in `GraphBackedSearchIndexer`, and its
# model 0010-base_model.json).
OWN_FIELDS = {
    "__labels": "keyword", "__categories": "keyword", "__parentCategory": "keyword", "__glossary": "keyword",
    "__meaningNames": "keyword", "__timestamp.date": "date", "__modificationTimestamp.date": "date",
    "__classificationsText.text": "text", "name.delimiter": "text",
}  # fmt: skip
# How attributes of a type are held (`getPrimitiveClass` of `GraphBackedSearchIndexer`; of custom metadata, that and
# `attachCustomESMappingsOnBMAttributeDef` of `AtlasBusinessMetadataType`).
KINDS = {"boolean": "boolean", "date": "long", "float": "double", "double": "double", "int": "long", "long": "long"}
STRINGS = ("keyword", "text")
LAST_IN_TAGS = "sourceTagQualifiedName"  # behind its values (`FullTextMapperV2.rearrangeAttributesOrder`)


def field_reader(catalog: Catalog, field: str) -> FieldReader:
    """A function that gives an entity's values for a search field, as a list (empty where there is none).

    `field` is a name as pyatlan's `KeywordField`, `TextField` and so on send it: an attribute or one of the metastore's
    own fields (`__guid`), perhaps with a suffix (`name.keyword`), or one of custom metadata (`set.attribute`). Values of
    a normalised keyword field come in lower case.
    """
    plain = plain_name(field)
    read = stored_reader(catalog, plain)
    if ignores_case(catalog, field) and (field.endswith(".keyword") or plain not in NORMALISED):
        return lambda entity: [value.lower() if isinstance(value, str) else value for value in read(entity)]
    return read


def plain_name(field: str) -> str:
    """The name of a field without the suffix that says how it is indexed."""
    return next((field.removesuffix(suffix) for suffix in SUFFIXES if field.endswith(suffix)), field)


def field_kind(catalog: Catalog, field: str) -> str | None:
    """How the index holds a field: keyword, text, long, double, date (of the format epoch_millis), boolean or
    rank_feature; None if it has none such.

    Elasticsearch finds nothing in a field that is not there, and refuses to sort by it.
    """
    known = catalog.types.fields.get(field) or OWN_FIELDS.get(field)
    if known:
        return known
    if field in catalog.types.attributes:
        return KINDS.get(catalog.types.attributes[field], "keyword")
    attribute = custom_attribute(catalog, plain_name(field))
    if not attribute:
        return None
    type_name = str(attribute.get("typeName")).removeprefix("array<").removesuffix(">")
    kind, suffix = KINDS.get(type_name, "keyword"), field.removeprefix(plain_name(field))
    parts = {"string": {".text": "text"}, "date": {".date": "date"}}
    return kind if not suffix else parts.get("string" if kind == "keyword" else type_name, {}).get(suffix)


def custom_attribute(catalog: Catalog, name: str) -> TypeDefinition | None:
    """The definition of an attribute of custom metadata, by its own name or that of its set before it (`set.attribute`)."""
    sets = catalog.documents("businessMetadataDefs").values()
    attributes = ((definition["name"], attribute) for definition in sets for attribute in definition["attributeDefs"])
    return next((one for set_name, one in attributes if name in (one["name"], f"{set_name}.{one['name']}")), None)


def check_doc_values(field: str, kind: str | None) -> None:
    """Raises `AtlasError` (400) for a field by whose values hits can be neither sorted nor put into buckets.

    Elasticsearch's reference, "Text type family" and "Rank feature field type".
    """
    if kind == "text":
        raise query_rejected(
            "Text fields are not optimised for operations that require per-document field data like aggregations and "
            f"sorting, so these operations are disabled by default. Please use a keyword field instead. [{field}]"
        )
    if kind == "rank_feature":
        raise query_rejected(f"[rank_feature] fields do not support sorting, scripting or aggregating [{field}]")


def ignores_case(catalog: Catalog, field: str) -> bool:
    """Whether a keyword field is normalised, so that a term, prefix or wildcard on it matches in any case. Texts and options
    of custom metadata are (ES_ATLAN_KEYWORD_ANALYZER_CONFIG of `AtlasBusinessMetadataType`).
    """
    if field.removesuffix(".keyword") in NORMALISED:
        return True
    return field_kind(catalog, field) == "keyword" and custom_attribute(catalog, field) is not None


def stored_reader(catalog: Catalog, plain: str) -> FieldReader:
    """A function that gives an entity's values as they are stored, by the name of a field without its suffix."""
    special = METASTORE_FIELDS.get(plain)
    if special:
        return lambda entity: special(catalog, entity)
    if "." in plain:
        set_name, _, attribute = plain.partition(".")
        return lambda entity: as_values(entity.business.get(set_name, {}).get(attribute))
    return lambda entity: _own_values(entity, plain)


def _own_values(entity: Entity, name: str) -> list[Any]:
    """An attribute, or an attribute of custom metadata, which Atlan indexes under its own unique name."""
    if name in entity.attributes:
        return as_values(entity.attributes[name])
    for values in entity.business.values():
        if name in values:
            return as_values(values[name])
    return []


def as_values(value: Any) -> list[Any]:
    """A value as a list: itself if it is one, empty for none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _qualified_names(catalog: Catalog, entity: Entity, relationship: str) -> list[str]:
    return [catalog.entities[guid].qualified_name for guid in entity.related(relationship)]


def _text_of_tags(tags: list[Classification]) -> str:
    """Names and values of tags with spaces between them, as `FullTextMapperV2.getClassificationTextForEntity` joins them."""
    return " ".join(word for tag in tags for word in [tag["typeName"], *_words_in(tag.get("attributes") or {})])


def _words_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _words_in(one)
    elif isinstance(value, dict) and isinstance(value.get("attributes"), dict) and "typeName" in value:  # a structure
        yield from _words_in(value["attributes"])
    elif isinstance(value, dict):
        for name in sorted(value, key=LAST_IN_TAGS.__eq__):  # the others stay in their order
            if value[name] is not None:
                yield name
                yield from _words_in(value[name])
    else:
        yield as_text(value)


# What the metastore keeps about an entity beside its attributes (`Constants` of atlanhq/atlas-metastore has the names).
METASTORE_FIELDS: dict[str, Callable[[Catalog, Entity], list[Any]]] = {
    "__guid": lambda catalog, entity: [entity.guid],
    "__typeName": lambda catalog, entity: [entity.type.name],
    "__superTypeNames": lambda catalog, entity: list(entity.type.super_types),
    "__state": lambda catalog, entity: [entity.status],
    "__timestamp": lambda catalog, entity: [entity.create_time],
    "__modificationTimestamp": lambda catalog, entity: [entity.update_time],
    "__createdBy": lambda catalog, entity: [entity.created_by],
    "__modifiedBy": lambda catalog, entity: [entity.updated_by],
    "__hasLineage": lambda catalog, entity: [catalog.has_lineage(entity)],
    "__traitNames": lambda catalog, entity: [tag["typeName"] for tag in entity.tags],
    "__classificationNames": lambda catalog, entity: [tag["typeName"] for tag in entity.tags],
    "__propagatedTraitNames": lambda catalog, entity: [tag["typeName"] for tag in propagated_tags(catalog, entity)],
    "__propagatedClassificationNames": lambda catalog, entity: [
        tag["typeName"] for tag in propagated_tags(catalog, entity)
    ],
    "__classificationsText": lambda catalog, entity: [_text_of_tags(all_tags(catalog, entity))],
    "__meanings": lambda catalog, entity: [term.qualified_name for term in terms_of(catalog, entity)],
    "__meaningNames": lambda catalog, entity: [term.name for term in terms_of(catalog, entity)],
    "__meaningsText": lambda catalog, entity: [term.name for term in terms_of(catalog, entity)],
    "__labels": lambda catalog, entity: entity.labels,
    "__categories": lambda catalog, entity: _qualified_names(catalog, entity, "categories"),
    "__parentCategory": lambda catalog, entity: _qualified_names(catalog, entity, "parentCategory"),
}
