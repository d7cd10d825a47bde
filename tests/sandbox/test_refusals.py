"""Requests that a tenant refuses, each with the code of its refusal and the place where that is written.

`Class.method` is a class of atlanhq/atlas-metastore; "ES" is Elasticsearch's reference, the page of the name. Names in angle
brackets stand for what the fixture has made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from helpers import Raw, error_code, new_stack, raw, unique
from pyatlan.client.atlan import AtlanClient

from sandbox.people import ROLES, USER

BULK, SEARCH, LINEAGE = "/api/meta/entity/bulk/", "/api/meta/search/indexsearch", "/api/meta/lineage/list"
TYPES, ONE = "/api/meta/types/typedefs", "/api/meta/entity/guid/<table>"
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Refusal:
    """A request, and how it is refused; `code` is that of `AtlasErrorCode` without its prefix."""

    what: str
    status: int
    code: str
    source: str
    body: Any = None
    method: str = "POST"
    path: str = BULK


def entity(type_name: str, name: str = "new", related: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    attributes = {"name": name, "qualifiedName": f"<schema>/{name}", **values}
    return {
        "typeName": type_name,
        "guid": "-1",
        "attributes": attributes,
        **({"relationshipAttributes": related} if related else {}),
    }


def saved(what: str, status: int, code: str, source: str, *entities: Any) -> Refusal:
    return Refusal(what, status, code, source, {"entities": list(entities)})


def value(name: str, wrong: Any, type_name: str = "Table") -> Refusal:
    """An attribute with a value that its type does not take."""
    source = "AtlasEntityGraphDiscoveryV2.validateAndNormalize, AtlasBuiltInTypes"
    return saved(f"{type_name}.{name}={wrong}", 404, "404-00-007", source, entity(type_name, **{name: wrong}))


def found(what: str, source: str, query: Any, status: int = 400, code: str = "400-00-503", **dsl: Any) -> Refusal:
    body = {"dsl": {"from": 0, "size": 1, "query": query, **dsl}}
    return Refusal(what, status, code, f"ES: {source}", body, path=SEARCH)


def known(guid: str, name: str, **changes: Any) -> dict[str, Any]:
    """An update of something that is there."""
    return {"guid": guid, "attributes": {"name": name, "qualifiedName": name}, **changes}


REF = {"typeName": "Schema", "uniqueAttributes": {"qualifiedName": "<schema>"}}
GLOSSARY, OTHER_GLOSSARY = {"guid": "<glossary>"}, {"guid": "<other glossary>"}
OF_ASSETS = {"applicableEntityTypes": '["Asset"]', "maxStrLength": "10"}
EVERYTHING = {"match_all": {}}
WALK = {"guid": "<table>", "direction": "INPUT", "depth": 1, "from": 0, "size": 1}
ATTRIBUTE = {"displayName": "who", "typeName": "string", "options": OF_ASSETS}

REFUSALS = [
    # Values of attributes
    value("columnCount", "many"),
    value("columnCount", True),
    value("columnCount", [1]),
    value("columnCount", 2**63),
    value("isPartitioned", "perhaps"),
    value("isPartitioned", 1),
    value("popularityScore", "high"),
    value("certificateUpdatedAt", "yesterday"),
    value("certificateUpdatedAt", {}),
    value("certificateStatus", "CERTAIN"),
    value("ownerUsers", "ann"),
    value("ownerUsers", {"name": "ann"}),
    value("sourceReadRecentUserRecordList", ["ann"]),
    value("sourceReadRecentUserRecordList", [{"recordQueryCount": "many"}]),
    value("sourceReadRecentUserRecordList", [{"recordComputeCostUnit": "POUNDS"}]),
    value("assetDQRuleAttachedDimensions", ["size"]),
    value("queryUserMap", ["ann"]),
    value("queryUserMap", {"ann": "often"}),
    saved("no name", 404, "404-00-007", "AtlasStructType.validateValue", {"typeName": "Table", "attributes": {"qualifiedName": "x"}}),
    saved("no qualified name", 404, "404-00-007", "AtlasStructType.validateValue", {"typeName": "Table", "attributes": {"name": "x"}}),
    saved("an update without a name", 404, "404-00-007", "AtlasEntityStoreV2.preCreateOrUpdate",
          {"typeName": "Table", "guid": "<table>", "attributes": {"description": "x"}}),
    saved("a text that is too long", 500, "500-00-001", "EntityREST.validateAttributeLength", entity("Table", description="x" * 100_001)),
    # Entities and references
    saved("no entities", 400, "400-00-01A", "EntityREST.createOrUpdate"),
    saved("an unknown type", 400, "400-00-014", "AtlasEntityGraphDiscoveryV2.walkEntityGraph", entity("NoSuchType")),
    saved("an unknown guid", 404, "404-00-00A", "IDBasedEntityResolver", {**entity("Table"), "guid": NOBODY}),
    saved("an empty guid", 400, "400-00-021", "AtlasEntityGraphDiscoveryV2.validateAndNormalize", {**entity("Table"), "guid": ""}),
    saved("an unknown status", 400, "400-00-029", "AtlasJsonProvider (AtlasEntity.Status)", {**entity("Table"), "status": "GONE"}),
    saved("a name of the same request", 404, "404-00-00A", "AtlasEntityGraphDiscoveryV2.resolveReferences, UniqAttrBasedEntityResolver",
          {**entity("Schema", "s"), "guid": "-2"}, entity("Table", atlanSchema={"typeName": "Schema", "uniqueAttributes": {"qualifiedName": "<schema>/s"}})),
    saved("a placeholder that nothing has", 404, "404-00-00A", "IDBasedEntityResolver", entity("Table", atlanSchema={"guid": "-2"})),
    saved("a reference to an unknown type", 400, "400-00-014", "UniqAttrBasedEntityResolver",
          entity("Table", atlanSchema={"typeName": "NoSuchType", "uniqueAttributes": {"qualifiedName": "x"}})),
    saved("a reference that names nothing", 400, "400-00-021", "AtlasTypeUtil.isValid", entity("Table", atlanSchema={"typeName": "Schema"})),
    saved("a text as a reference", 400, "400-00-021", "AtlasEntityGraphDiscoveryV2.visitReference", entity("Table", atlanSchema="<schema>")),
    saved("a list where one belongs", 400, "400-00-021", "AtlasEntityGraphDiscoveryV2.visitReference", entity("Table", atlanSchema=[REF])),
    saved("one where a list belongs", 404, "404-00-007", "AtlasArrayType.validateValue", entity("Process", inputs=REF)),
    saved("a relationship's attributes without its type", 404, "404-00-007", "AtlasObjectIdType.isValidMap",
          entity("Table", atlanSchema={**REF, "relationshipAttributes": {}})),
    saved("a neighbour of another type", 400, "400-00-036", "AtlasRelationshipStoreV2.validateRelationship",
          entity("Table", atlanSchema={"guid": "<glossary>"})),
    saved("replaced and appended", 400, "400-00-108", "AtlasEntityGraphDiscoveryV2.visitRelationships",
          {**entity("Process", related={"inputs": []}), "appendRelationshipAttributes": {"inputs": []}}),
    saved("replaced and removed", 400, "400-00-108", "AtlasEntityGraphDiscoveryV2.visitRelationships",
          {**entity("Process", related={"inputs": []}), "removeRelationshipAttributes": {"inputs": []}}),
    Refusal("two ways to save tags", 400, "400-00-029", "EntityREST.createOrUpdate", {"entities": [entity("Table")]}, path=f"{BULK}?replaceClassifications=true&replaceTags=true"),
    saved("a label with a space", 400, "400-00-090", "EntityGraphMapper.validateLabels", {**entity("Table"), "labels": ["a b"]}),
    saved("a label that is too long", 400, "400-00-08F", "EntityGraphMapper.validateLabels", {**entity("Table"), "labels": ["a" * 51]}),
    # What holds for every asset
    saved("an owner with a tag", 400, "400-00-029", "UserGroupAttributeValidator", entity("Table", ownerUsers=["<b>"])),
    saved("a group that is an address", 400, "400-00-029", "UserGroupAttributeValidator", entity("Table", ownerGroups=["http://x"])),
    saved("an announcement that includes", 400, "400-00-029", "UserGroupAttributeValidator", entity("Table", announcementMessage='<!--#exec cmd="ls" -->')),
    saved("two domains of an asset", 400, "400-00-01A", "AssetPreProcessor.validateDomainAssetLinks", entity("Table", domainGUIDs=["<domain>", "x"])),
    saved("a domain that is not there", 404, "404-00-005", "AssetPreProcessor.validateLinkedEntity", entity("Table", domainGUIDs=[NOBODY])),
    saved("a table as a domain", 400, "400-00-01A", "AssetPreProcessor.validateLinkedEntity", entity("Table", domainGUIDs=["<table>"])),
    # Connections and access control
    saved("an unknown admin", 500, "500-00-001", "KeycloakStore.createRoleForConnection", entity("Connection", adminUsers=["nobody"])),
    saved("an unknown admin group", 500, "500-00-001", "KeycloakStore.createRoleForConnection", entity("Connection", adminGroups=["nobody"])),
    saved("an unknown admin role", 404, "404-00-019", "KeycloakStore.getRoleById, AbstractAuthClient", entity("Connection", adminRoles=[NOBODY])),
    saved("an unknown admin of a connection that is there", 500, "500-00-001", "KeycloakStore.updateRoleUsers",
          {"typeName": "Connection", "guid": "<connection>", "attributes": {"name": "c", "qualifiedName": "x", "adminUsers": ["nobody"]}}),
    saved("no admin is left", 400, "400-00-114", "ConnectionPreProcessor.processUpdateConnection",
          {"typeName": "Connection", "guid": "<connection>", "attributes": {"name": "c", "qualifiedName": "x", "adminUsers": [], "adminRoles": []}}),
    saved("a persona of an unknown user", 500, "500-00-001", "KeycloakStore.createRole", entity("Persona", personaUsers=["nobody"])),
    saved("a persona with a policy", 409, "409-00-015", "AccessControlUtils.validateNoPoliciesAttached", entity("Persona", policies=[{"guid": "<table>"}])),
    saved("a purpose without tags", 400, "400-00-029", "PurposePreProcessor.validatePurpose", entity("Purpose")),
    saved("a purpose of the same tags", 500, "500-00-001", "AccessControlUtils.validateUniquenessByTags", entity("Purpose", purposeClassifications=["<tag>"])),
    saved("a policy of no category", 400, "400-00-029", "AuthPolicyPreProcessor.processCreatePolicy", entity("AuthPolicy")),
    saved("a policy of the system", 409, "409-00-015", "AuthPolicyValidator.validate", entity("AuthPolicy", policyCategory="bootstrap")),
    saved("a link to nothing", 500, "500-00-001", "LinkPreProcessor.validateLinkAttribute", entity("Link")),
    saved("a link that runs", 500, "500-00-001", "LinkPreProcessor.validateLinkAttribute", entity("Link", link="javascript:alert(1)")),
    saved("a query without a collection", 400, "400-00-02B", "QueryPreProcessor.processCreate", entity("Query")),
    # Glossaries
    saved("a glossary twice", 409, "409-00-007", "GlossaryPreProcessor.processCreateGlossary", entity("AtlasGlossary", "<name>")),
    saved("@ in a glossary", 400, "400-00-083", "PreProcessorUtils.isNameInvalid", entity("AtlasGlossary", "a@b")),
    saved("a term without a glossary", 400, "400-00-072", "TermPreProcessor.setAnchor (an exception without a code)", entity("AtlasGlossaryTerm")),
    saved("a term twice", 409, "409-00-009", "AbstractGlossaryPreProcessor.termExists", entity("AtlasGlossaryTerm", "<name>", anchor=GLOSSARY)),
    saved("@ in a term", 400, "400-00-083", "TermPreProcessor.processCreateTerm", entity("AtlasGlossaryTerm", "a@b", anchor=GLOSSARY)),
    saved("a term renamed to another", 409, "409-00-009", "TermPreProcessor.processUpdateTerm",
          {"typeName": "AtlasGlossaryTerm", **known("<second term>", "<name>"), "relationshipAttributes": {"anchor": GLOSSARY}}),
    saved("a term that moves to one of its name", 409, "409-00-009", "TermPreProcessor.moveTermToAnotherGlossary",
          {"typeName": "AtlasGlossaryTerm", **known("<term>", "<name>"), "relationshipAttributes": {"anchor": OTHER_GLOSSARY}}),
    saved("a term in a category of another glossary", 400, "400-00-029", "TermPreProcessor.validateAndGetCategory",
          entity("AtlasGlossaryTerm", "t", anchor=OTHER_GLOSSARY, categories=[{"guid": "<category>"}])),
    saved("a category twice", 409, "409-00-00A", "CategoryPreProcessor.categoryExists", entity("AtlasGlossaryCategory", "<name>", anchor=GLOSSARY)),
    saved("a category below one of another glossary", 409, "400-00-0015", "CategoryPreProcessor.validateParent",
          entity("AtlasGlossaryCategory", "c", anchor=OTHER_GLOSSARY, parentCategory={"guid": "<category>"})),
    # Attributes of a source
    saved("a long name of a custom attribute", 400, "400-00-08C", "EntityGraphMapper.validateCustomAttributes", {**entity("Table"), "customAttributes": {"a" * 51: "x"}}),
    saved("a space in the name of a custom attribute", 400, "400-00-08D", "EntityGraphMapper.validateCustomAttributes", {**entity("Table"), "customAttributes": {"a b": "x"}}),
    saved("a long custom attribute", 400, "400-00-08E", "EntityGraphMapper.validateCustomAttributes", {**entity("Table"), "customAttributes": {"a": "x" * 501}}),
    saved("a custom attribute that is a list", 400, "400-00-029", "AtlasEntity.customAttributes", {**entity("Table"), "customAttributes": {"a": []}}),
    # Data mesh
    saved("a domain twice", 400, "400-00-029", "AbstractDomainPreProcessor.exists", entity("DataDomain", "<name>")),
    saved("a domain below itself", 409, "409-00-015", "DataDomainPreProcessor.isParentDomainMovedToChild",
          {"typeName": "DataDomain", **known("<domain>", "<name>"), "relationshipAttributes": {"parentDomain": {"guid": "<domain>"}}}),
    saved("a domain with stakeholders", 409, "409-00-015", "DataDomainPreProcessor.validateStakeholderRelationship",
          entity("DataDomain", "other", stakeholders=[{"guid": "<table>"}])),
    saved("products of a domain", 400, "400-00-029", "DataDomainPreProcessor.processUpdateDomain",
          {"typeName": "DataDomain", **known("<domain>", "<name>"), "relationshipAttributes": {"dataProducts": []}}),
    saved("a product without a domain", 409, "409-00-015", "DataProductPreProcessor.processCreateProduct", entity("DataProduct", dataProductAssetsDSL='{"a":1}')),
    saved("a product without a selection", 400, "400-00-029", "DataProductPreProcessor.validateProductAssetDSLAttr",
          entity("DataProduct", "p", dataDomain={"guid": "<domain>"})),
    saved("a product whose selection is no JSON", 400, "400-00-029", "DataProductPreProcessor.validateProductAssetDSLAttr",
          entity("DataProduct", "p", dataDomain={"guid": "<domain>"}, dataProductAssetsDSL="{")),
    saved("a product twice", 400, "400-00-029", "AbstractDomainPreProcessor.exists",
          entity("DataProduct", "<name>", dataDomain={"guid": "<domain>"}, dataProductAssetsDSL='{"a":1}')),
    Refusal("a domain that has products", 409, "409-00-015", "DataDomainPreProcessor.processDelete", method="DELETE", path=f"{BULK}?guid=<domain>&deleteType=SOFT"),
    # Tags and custom metadata
    saved("an unknown tag", 404, "404-00-008", "EntityGraphMapper.validateClassificationTypeName", {**entity("Table"), "classifications": [{"typeName": "none"}]}),
    saved("a tag on a glossary", 409, "409-00-015", "EntityGraphMapper.handleAddClassifications",
          {**entity("AtlasGlossary", "tagged"), "classifications": [{"typeName": "<tag>"}]}),
    Refusal("an unknown tag on an asset", 404, "404-00-008", "AtlasEntityStoreV2.validateAndNormalize", [{"typeName": "none"}], path=f"{ONE}/classifications"),
    Refusal("a tag twice", 400, "400-00-01A", "AtlasEntityStoreV2.validateEntityAssociations", [{"typeName": "<tag>"}], path=f"{ONE}/classifications"),
    Refusal("a tag for other types", 400, "400-00-055", "AtlasEntityStoreV2.validateEntityAssociations", [{"typeName": "<tag of views>"}], path=f"{ONE}/classifications"),
    Refusal("a word for a value of a tag", 400, "400-00-01A", "AtlasEntityStoreV2.validateAndNormalize", [{"typeName": "<tag with a number>", "attributes": {"<number>": "many"}}], path=f"{ONE}/classifications"),
    Refusal("a word for a flag of a tag", 400, "400-00-029", "AtlasJsonProvider (AtlasClassification)", [{"typeName": "<tag with a number>", "propagate": "yes"}], path=f"{ONE}/classifications"),
    Refusal("a tag that propagates nowhere", 500, "500-00-001", "EntityGraphRetriever.verifyClassificationsPropagationMode",
            [{"typeName": "<tag with a number>", "propagate": True, "restrictPropagationThroughLineage": True, "restrictPropagationThroughHierarchy": True}], path=f"{ONE}/classifications"),
    Refusal("no tags", 400, "400-00-01A", "AtlasEntityStoreV2.addClassifications", [], path=f"{ONE}/classifications"),
    Refusal("an unknown tag taken off", 400, "400-00-014", "EntityREST.ensureClassificationType", method="DELETE", path=f"{ONE}/classification/none"),
    Refusal("an unknown set", 404, "404-00-007", "EntityGraphMapper.validateBusinessAttributes", {"none": {"a": 1}}, path=f"{ONE}/businessmetadata"),
    Refusal("a set of another type", 404, "404-00-007", "AtlasBusinessMetadataType.resolveReferencesPhase2", {"<set>": {}}, path="/api/meta/entity/guid/<connection>/businessmetadata"),
    Refusal("a number for a date", 404, "404-00-007", "EntityGraphMapper.validateBusinessAttributes", {"<set>": {"<when>": "soon"}}, path=f"{ONE}/businessmetadata"),
    Refusal("a value that its options lack", 404, "404-00-007", "AtlasEnumType.isValidValue", {"<set>": {"<size>": "HUGE"}}, path=f"{ONE}/businessmetadata"),
    Refusal("custom metadata that is too long", 404, "404-00-007", "AtlasBusinessAttribute.isValidLength", {"<set>": {"<who>": "x" * 11}}, path=f"{ONE}/businessmetadata"),
    Refusal("an unknown label of a set", 400, "400-00-029", "AtlasEntityStoreV2.addOrUpdateBusinessAttributesByDisplayName", {"none": {}}, path=f"{ONE}/businessmetadata/displayName"),
    Refusal("an unknown label in a set", 400, "400-00-029", "AtlasEntityStoreV2.addOrUpdateBusinessAttributesByDisplayName", {"<name>": {"none": 1}}, path=f"{ONE}/businessmetadata/displayName"),
    Refusal("no labels of sets", 400, "400-00-01A", "AtlasEntityStoreV2.addOrUpdateBusinessAttributesByDisplayName", {}, path=f"{ONE}/businessmetadata/displayName"),
    saved("custom metadata of an unknown set", 404, "404-00-007", "EntityGraphMapper.addOrUpdateBusinessAttributes", {**entity("Table"), "businessAttributes": {"none": {"a": 1}}}),
    Refusal("a label with a space on an asset", 400, "400-00-090", "AtlasEntityStoreV2.setLabels", ["a b"], path=f"{ONE}/labels"),
    Refusal("no labels to add", 400, "400-00-01A", "AtlasEntityStoreV2.addLabels", [], method="PUT", path=f"{ONE}/labels"),
    # Type definitions
    Refusal("a tag of the same name", 409, "409-00-012", "AtlasClassificationDefStoreV2.validateType", {"classificationDefs": [{"displayName": "<name>"}]}, path=TYPES),
    Refusal("a tag without a name", 400, "400-00-101", "AtlasAbstractDefStoreV2.validateType", {"classificationDefs": [{"name": "x"}]}, path=TYPES),
    Refusal("a set of the same name", 409, "409-00-012", "AtlasBusinessMetadataDefStoreV2.validateType", {"businessMetadataDefs": [{"displayName": "<name>"}]}, path=TYPES),
    Refusal("an attribute without a name", 400, "400-00-09F", "AtlasAbstractDefStoreV2.validateType", {"businessMetadataDefs": [{"displayName": "x", "attributeDefs": [{}]}]}, path=TYPES),
    Refusal("an attribute twice", 409, "409-00-013", "AtlasAbstractDefStoreV2.validateType", {"businessMetadataDefs": [{"displayName": "x", "attributeDefs": [ATTRIBUTE] * 2}]}, path=TYPES),
    Refusal("an attribute of an unknown type", 400, "400-00-029", "AtlasTypeDefGraphStore.tryTypeCreation",
            {"businessMetadataDefs": [{"displayName": "x", "attributeDefs": [{**ATTRIBUTE, "typeName": "none"}]}]}, path=TYPES),
    Refusal("a text without its length", 400, "400-00-02B", "AtlasBusinessMetadataType.resolveReferences",
            {"businessMetadataDefs": [{"displayName": "x", "attributeDefs": [{"displayName": "a", "typeName": "string"}]}]}, path=TYPES),
    Refusal("an attribute taken away", 400, "400-00-00D", "AtlasStructDefStoreV2.updateVertexPreUpdate", {"businessMetadataDefs": [{"name": "<set>", "displayName": "<name>"}]}, method="PUT", path=TYPES),
    Refusal("options twice", 409, "409-00-001", "AtlasEnumDefStoreV2.preCreate", {"enumDefs": [{"name": "<enum>", "elementDefs": [{"value": "a", "ordinal": 0}]}]}, path=TYPES),
    Refusal("options without values", 400, "400-00-02B", "AtlasEnumDefStoreV2.toVertex", {"enumDefs": [{"name": "x"}]}, path=TYPES),
    Refusal("options of a forbidden name", 400, "400-00-107", "TypesREST.validateBuiltInTypeNames", {"enumDefs": [{"name": "string"}]}, path=TYPES),
    Refusal("options of an odd name", 400, "400-00-019", "AtlasAbstractDefStoreV2.validateType", {"enumDefs": [{"name": "1-2"}]}, path=TYPES),
    Refusal("options named like a type", 409, "409-00-001", "AtlasEnumDefStoreV2.preCreate", {"enumDefs": [{"name": "Table", "elementDefs": [{"value": "a", "ordinal": 0}]}]}, path=TYPES),
    Refusal("options that are built in", 409, "409-00-001", "AtlasEnumDefStoreV2.preCreate", {"enumDefs": [{"name": "certificate_status", "elementDefs": [{"value": "a", "ordinal": 0}]}]}, path=TYPES),
    Refusal("a word for the place of an option", 400, "400-00-029", "AtlasJsonProvider (AtlasEnumElementDef)", {"enumDefs": [{"name": "x", "elementDefs": [{"value": "a", "ordinal": "first"}]}]}, path=TYPES),
    Refusal("a tag below an unknown one", 400, "400-00-029", "AtlasTypeDefGraphStore.tryTypeCreation", {"classificationDefs": [{"displayName": "x", "superTypes": ["none"]}]}, path=TYPES),
    Refusal("a tag for an unknown type", 400, "400-00-029", "AtlasTypeDefGraphStore.tryTypeCreation", {"classificationDefs": [{"displayName": "x", "entityTypes": ["none"]}]}, path=TYPES),
    Refusal("a type of entities of one's own", 501, "", "TypesREST.createAtlasTypeDefs", {"entityDefs": [{"name": "Own"}]}, path=TYPES),
    Refusal("a type removed", 409, "409-00-002", "AtlasTypeDefGraphStoreV2.deleteTypeVertex", method="DELETE", path="/api/meta/types/typedef/name/Table"),
    Refusal("an update of nothing", 404, "404-00-001", "TypesREST.validateTypeNameExists", {"enumDefs": [{"name": "none"}]}, method="PUT", path=TYPES),
    Refusal("an unknown definition", 404, "404-00-001", "AtlasTypeDefGraphStore.getByName", method="GET", path="/api/meta/types/typedef/name/none"),
    Refusal("an unknown definition removed", 404, "404-00-001", "AtlasTypeDefGraphStore.deleteTypeByName", method="DELETE", path="/api/meta/types/typedef/name/none"),
    Refusal("a tag that is on an asset removed", 409, "400-00-0016", "AtlasClassificationDefStoreV2.preDeleteByName", method="DELETE", path="/api/meta/types/typedef/name/<tag>"),
    Refusal("options of custom metadata removed", 409, "409-00-002", "AtlasTypeDefGraphStoreV2.deleteTypeVertex", method="DELETE", path="/api/meta/types/typedef/name/<enum>"),
    # Search
    found("a path that is not nested", "Nested query; es-mappings.json", {"nested": {"path": "a", "query": EVERYTHING}}),
    found("a mode of a nested query as pyatlan spells it", "Nested query", {"nested": {"path": "a", "query": EVERYTHING, "score_more": "max"}}),
    found("a sort by what is not nested", "Sort search results, Nested sorting", EVERYTHING, sort=[{"__guid": {"order": "asc", "nested": {"path": "a"}}}]),
    found("a negative boost", "AbstractQueryBuilder.checkNegativeBoost", {"match_all": {"boost": -1}}),
    found("a boost beside the field", "AbstractQueryBuilder.throwParsingExceptionOnMultipleFields", {"term": {"__state": "ACTIVE", "boost": 2}}),
    found("an unknown analyzer", "Match query", {"match": {"name": {"query": "a", "analyzer": "an analyzer"}}}),
    found("a count of neither yes nor no", "Search API, track_total_hits", EVERYTHING, track_total_hits="some"),
    found("a misspelt clause", "Boolean query", {"bool": {"mustt": []}}),
    found("an unknown kind", "Query DSL", {"matches": {}}),
    found("two kinds", "Query DSL", {"match_all": {}, "match_none": {}}),
    found("no kind", "Query DSL", {}),
    found("a word for a number", "Numeric field types", {"term": {"columnCount": "many"}}),
    found("a word for a Boolean", "Boolean field type", {"term": {"__hasLineage": "maybe"}}),
    found("a word for a date", "Date field type", {"range": {"certificateUpdatedAt": {"gt": "soon"}}}),
    found("a date for a number of milliseconds", "Numeric field types; GraphBackedSearchIndexer.getPrimitiveClass", {"range": {"__timestamp": {"gt": "2026-01-01"}}}),
    found("a date for a date in milliseconds", "Date field type; TIMESTAMP_MULTIFIELDS of GraphBackedSearchIndexer", {"range": {"__timestamp.date": {"gt": "2026-01-01"}}}),
    found("a day that is none", "Date field type", {"range": {"__timestamp.date": {"gt": "2026-02-30", "format": "yyyy-MM-dd"}}}),
    found("an unknown time zone", "Range query", {"range": {"__timestamp.date": {"gt": 1, "time_zone": "+99:99"}}}),
    found("a beginning of a number", "Prefix query", {"prefix": {"columnCount": "1"}}),
    found("a list for a term", "Term query", {"term": {"name.keyword": ["a"]}}),
    found("no list for terms", "Terms query", {"terms": {"name.keyword": "a"}}),
    found("a regular expression that is too long", "Regexp query, index.max_regex_length", {"regexp": {"name.keyword": "a" * 1001}}),
    found("a regular expression that is too complex", "Regexp query, max_determinized_states", {"regexp": {"name.keyword": "(.*a.{30})"}}),
    found("an odd fuzziness", "Fuzziness", {"fuzzy": {"name.keyword": {"value": "a", "fuzziness": 9}}}),
    found("an unknown option", "Match query", {"match": {"name": {"query": "a", "fuzzy": 1}}}),
    found("a sort by a text", "Text type family, fielddata", EVERYTHING, sort=["name"]),
    found("a sort by what is not there", "Sort search results, Ignoring unmapped fields", EVERYTHING, sort=[{"nameless": "asc"}]),
    found("a sort up", "Sort search results", EVERYTHING, sort=[{"name.keyword": {"order": "up"}}]),
    found("buckets of a text", "Text type family, fielddata", EVERYTHING, aggregations={"a": {"terms": {"field": "description"}}}),
    found("a number of texts", "Max aggregation, values source", EVERYTHING, aggregations={"a": {"max": {"field": "name.keyword"}}}),
    found("a misspelt option of a number", "Max aggregation", EVERYTHING, aggregations={"a": {"max": {"field": "columnCount", "mising": 0}}}),
    found("an aggregation below a number", "Aggregations, sub-aggregations", EVERYTHING, aggregations={"a": {"max": {"field": "columnCount"}, "aggs": {"b": {"min": {"field": "columnCount"}}}}}),
    found("brackets in the name of an aggregation", "AggregatorFactories", EVERYTHING, aggregations={"a[0]": {"max": {"field": "columnCount"}}}),
    found("an unknown aggregation", "Aggregations", EVERYTHING, aggregations={"a": {"buckets": {"field": "__state"}}}),
    found("an aggregation of nothing", "Terms aggregation", EVERYTHING, aggregations={"a": {"terms": {}}}),
    found("buckets without a size", "Terms aggregation", EVERYTHING, aggregations={"a": {"terms": {"field": "__state", "size": 0}}}),
    found("an unknown key", "Search API, request body", EVERYTHING, limit=5),
    found("a window that is too large", "Paginate search results, index.max_result_window", EVERYTHING, **{"from": 100_000}),
    found("a size below zero", "Search API", EVERYTHING, size=-1),
    Refusal("no query", 400, "400-00-029", "DiscoveryREST.indexSearch", {}, path=SEARCH),
    # Legal, and not supported
    Refusal("scores of hits that are not sorted", 501, "", "AtlasElasticsearchQuery.getScore", {"dsl": {"query": EVERYTHING}, "showSearchScore": True}, path=SEARCH),
    Refusal("a score that is neither shown nor not", 400, "400-00-029", "AtlasJsonProvider (SearchParams)", {"dsl": {"query": EVERYTHING}, "showSearchScore": "some"}, path=SEARCH),
    Refusal("a text about a search", 400, "400-00-029", "AtlasJsonProvider (IndexSearchParams.RequestMetadata)", {"dsl": {"query": EVERYTHING}, "requestMetadata": "x"}, path=SEARCH),
    found("a collapse", "Collapse search results", EVERYTHING, 501, "", collapse={"field": "__state"}),
    found("a search after", "Paginate search results", EVERYTHING, 501, "", search_after=["a"]),
    found("a least score", "Search API", EVERYTHING, 501, "", min_score=1),
    found("a sort by score", "Sort search results", EVERYTHING, 501, "", sort=["_score"]),
    found("a nested query", "Nested query", {"nested": {"path": "relationshipList", "query": EVERYTHING}}, 501, ""),
    found("a query as a text", "Query string query", {"query_string": {"query": "a"}}, 501, ""),
    found("composite buckets", "Composite aggregation", EVERYTHING, 501, "", aggregations={"a": {"composite": {"sources": []}}}),
    found("buckets of filters", "Filters aggregation", EVERYTHING, 501, "", aggregations={"a": {"filters": {"filters": {}}}}),
    found("buckets of a script", "Terms aggregation", EVERYTHING, 501, "", aggregations={"a": {"terms": {"script": "x"}}}),
    # Reading, lineage, deletion
    Refusal("a guid that is too long", 400, "400-00-057", "Servlets.validateQueryParamLength", method="GET", path=f"{BULK}?guid={'x' * 4097}"),
    Refusal("a guid that is too long in the path", 400, "400-00-057", "Servlets.validateQueryParamLength", method="GET", path=f"/api/meta/entity/guid/{'x' * 4097}"),
    Refusal("nothing to restore", 400, "400-00-01A", "AtlasEntityStoreV2.restoreByIds", path="/api/meta/entity/restore/bulk"),
    Refusal("an unknown guid read", 404, "404-00-005", "EntityREST.getById", method="GET", path=f"/api/meta/entity/guid/{NOBODY}"),
    Refusal("an unknown name read", 404, "404-00-009", "AtlasGraphUtilsV2.getVertexByUniqueAttributes", method="GET", path="/api/meta/entity/uniqueAttribute/type/Table?attr:qualifiedName=x"),
    Refusal("read by what is not unique", 400, "400-00-013", "EntityREST.validateUniqueAttribute", method="GET", path="/api/meta/entity/uniqueAttribute/type/Table?attr:name=x"),
    Refusal("read as an unknown type", 400, "400-00-014", "EntityREST.ensureEntityType", method="GET", path="/api/meta/entity/uniqueAttribute/type/None?attr:qualifiedName=x"),
    Refusal("nothing to delete", 400, "400-00-01A", "AtlasEntityStoreV2.deleteByIds", method="DELETE"),
    Refusal("lineage of nothing", 400, "400-00-029", "LineageListRequestValidator", {"direction": "INPUT"}, path=LINEAGE),
    Refusal("lineage both ways", 400, "400-00-029", "LineageListRequestValidator", {"guid": "<table>", "direction": "UP"}, path=LINEAGE),
    Refusal("lineage without a depth", 400, "400-00-029", "LineageListRequestValidator", {"guid": "<table>", "direction": "INPUT", "from": 0, "size": 1}, path=LINEAGE),
    Refusal("lineage without a size", 400, "400-00-029", "LineageListRequestValidator", {"guid": "<table>", "direction": "INPUT", "from": 0, "depth": 1}, path=LINEAGE),
    Refusal("lineage of an unknown type", 400, "400-00-029", "EntityLineageService.getLineageLabelsForType", {**WALK, "lineageType": "None"}, path=LINEAGE),
    Refusal("lineage of products", 501, "", "EntityLineageService.getLineageLabelsForType", {**WALK, "lineageType": "ProductAssetLineage"}, path=LINEAGE),
    Refusal("neighbours of neither yes nor no", 400, "400-00-029", "AtlasJsonProvider (LineageListRequest)", {**WALK, "immediateNeighbours": "some"}, path=LINEAGE),
    Refusal("lineage filtered by neither and nor or", 400, "400-00-029", "AtlasJsonProvider (SearchParameters.FilterCriteria)",
            {**WALK, "entityFilters": {"condition": "XOR", "criterion": []}}, path=LINEAGE),
    Refusal("lineage filtered by a word for a number", 500, "500-00-001", "LineageSearchProcessor.toInMemoryPredicate",
            {**WALK, "entityFilters": {"attributeName": "rowCount", "operator": ">", "attributeValue": "many"}}, path=LINEAGE),
    Refusal("lineage of a glossary", 404, "404-00-011", "EntityLineageService", {**WALK, "guid": "<glossary>"}, path=LINEAGE),
    Refusal("a body that is no JSON object", 400, "400-00-029", "AtlasJsonProvider", [1]),
    Refusal("an operator that is not supported", 501, "", "the service of users", method="GET", path='/api/service/users?filter={"username":{"$gt":"a"}}'),
    Refusal("a limit that is no number", 400, "400-00-029", "the service of users", method="GET", path="/api/service/users?limit=x"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tenant: Any, atlan: AtlanClient) -> Iterator[tuple[Raw, dict[str, str]]]:
    """A table with a tag, and one of everything that a refusal needs; by the names that requests call them."""
    stack, client, name = new_stack(atlan), raw(tenant), unique("own")
    enum = "Size" + name.replace("-", "")
    options = {"applicableEntityTypes": '["Table"]', "maxStrLength": "10"}
    types = {
        "classificationDefs": [
            {"displayName": name}, {"displayName": f"{name}-views", "entityTypes": ["View"]},
            {"displayName": f"{name}-number", "attributeDefs": [{"displayName": "number", "typeName": "int"}]},
        ],
        "enumDefs": [{"name": enum, "elementDefs": [{"value": "BIG", "ordinal": 0}]}],
        "businessMetadataDefs": [{"displayName": name, "attributeDefs": [
            {"displayName": "who", "typeName": "string", "options": options},
            {"displayName": "when", "typeName": "date", "options": options},
            {"displayName": "size", "typeName": f"array<{enum}>", "options": options},
        ]}],
    }  # fmt: skip
    enums = client.call("POST", TYPES, json={"enumDefs": types.pop("enumDefs")})
    answer = client.call("POST", TYPES, json=types)
    assert (enums.status_code, answer.status_code) == (200, 200), answer.text
    custom, tags = answer.json()["businessMetadataDefs"][0], answer.json()["classificationDefs"]
    names = {
        "name": name, "schema": stack.schema, "enum": enum, "tag": tags[0]["name"],
        "tag of views": tags[1]["name"], "tag with a number": tags[2]["name"], "number": tags[2]["attributeDefs"][0]["name"],
        "set": custom["name"], **{attribute["displayName"]: attribute["name"] for attribute in custom["attributeDefs"]},
    }  # fmt: skip
    placed = {"typeName": "AtlasGlossary", "guid": "-glossary"}
    rows = [
        {**entity("Table", "table"), "guid": "-table", "classifications": [{"typeName": "<tag>"}]},
        {**entity("Connection", "c", adminUsers=[USER["username"]], adminRoles=[ROLES[0]["id"]]), "guid": "-connection"},
        {**entity("Purpose", purposeClassifications=["<tag>"]), "guid": "-purpose"},
        {**entity("AtlasGlossary", "<name>"), "guid": "-glossary"},
        {**entity("AtlasGlossary", "<name>-2"), "guid": "-other glossary"},
        {**entity("AtlasGlossaryTerm", "<name>", anchor=placed), "guid": "-term"},
        {**entity("AtlasGlossaryTerm", "second", anchor=placed), "guid": "-second term"},
        {**entity("AtlasGlossaryTerm", "<name>", anchor={"guid": "-other glossary"}), "guid": "-third term"},
        {**entity("AtlasGlossaryCategory", "<name>", anchor=placed), "guid": "-category"},
        {**entity("DataDomain", "<name>"), "guid": "-domain"},
        {**entity("DataProduct", "<name>", dataDomain={"guid": "-domain"}, dataProductAssetsDSL='{"a":1}'), "guid": "-product"},
    ]  # fmt: skip
    created = client.call("POST", BULK, content=filled({"entities": rows}, names))
    assert created.status_code == 200, created.text
    names |= {guid.removeprefix("-"): real for guid, real in created.json()["guidAssignments"].items()}
    yield client, names
    client.call("DELETE", f"{BULK}?guid={names['purpose']}&deleteType=PURGE")


def filled(body: Any, names: dict[str, str]) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    for name, real in names.items():
        text = text.replace(f"<{name}>", real)
    return text


def test_there_are_many() -> None:
    assert len({refusal.what for refusal in REFUSALS}) == len(REFUSALS) >= 60


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.what[:60])
def test_refusal(made: tuple[Raw, dict[str, str]], refusal: Refusal) -> None:
    client, names = made
    path = filled(refusal.path, names)
    content = None if refusal.body is None else filled(refusal.body, names)
    answer = client.call(refusal.method, path, **({} if content is None else {"content": content}))
    code = f"ATLAS-{refusal.code}" if refusal.code else "SANDBOX-501-00-001"
    assert (answer.status_code, error_code(answer)) == (refusal.status, code), (refusal.source, answer.text)
