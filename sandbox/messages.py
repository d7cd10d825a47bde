"""The JSON objects that pass between clients and the tenant, under the names that Atlas gives them.

What comes in is typed loosely, as nothing in it is checked yet; what goes out is typed as pyatlan reads it. The names are
those of the classes in org.apache.atlas.model of atlanhq/atlas-metastore.
"""

from __future__ import annotations

from typing import Any, TypedDict

# A request's body, as it came.
JsonObject = dict[str, Any]
# Attributes by name; a value is whatever JSON the type of the attribute allows.
Attributes = dict[str, Any]
# Custom metadata: the values of each set by its (hashed) name.
BusinessAttributes = dict[str, dict[str, Any]]
# A query, an aggregation or a whole request of Elasticsearch's DSL.
Query = dict[str, Any]
# What an aggregation gives: `{"buckets": […]}`, `{"value": …}`, or one bucket with `doc_count`.
Aggregation = dict[str, Any]
# A definition of a tag, of custom metadata, of an enumeration or a structure (`AtlasBaseTypeDef`).
TypeDefinition = dict[str, Any]
# Definitions by the name of their list in `AtlasTypesDef`, like `classificationDefs`.
TypesDef = dict[str, list[TypeDefinition]]


class ObjectId(TypedDict):
    """A reference to an entity (`AtlasObjectId`), as answers have it."""

    guid: str
    typeName: str
    uniqueAttributes: dict[str, str]


class RelatedHit(ObjectId):
    """A related entity in a search hit, with those of its attributes that `relationAttributes` asked for."""

    attributes: Attributes


class RelatedObjectId(TypedDict):
    """A related entity of an entity that is read as a whole (`AtlasRelatedObjectId`): it has no qualified name."""

    guid: str
    typeName: str
    entityStatus: str
    displayText: str
    relationshipType: str
    relationshipGuid: str
    relationshipStatus: str
    relationshipAttributes: Attributes


class Classification(TypedDict, total=False):
    """A tag on an entity (`AtlasClassification`); clients may send more than these keys, and get them back."""

    typeName: str
    entityGuid: str
    entityStatus: str
    propagate: bool
    removePropagationsOnEntityDelete: bool
    restrictPropagationThroughLineage: bool
    restrictPropagationThroughHierarchy: bool
    attributes: Attributes


class SentEntity(TypedDict, total=False):
    """An entity in a request (`AtlasEntity`). pyatlan puts relationships into `attributes`, pyatlan_v9 beside them.

    `guid` is a placeholder (`-1`) for an entity that may be new; an attribute of null takes its value away.
    """

    typeName: str
    guid: str
    status: str
    attributes: Attributes
    uniqueAttributes: dict[str, str]
    relationshipAttributes: Attributes
    appendRelationshipAttributes: Attributes
    removeRelationshipAttributes: Attributes
    classifications: list[Classification]
    addOrUpdateClassifications: list[Classification]
    removeClassifications: list[Classification]
    businessAttributes: BusinessAttributes
    customAttributes: dict[str, str]
    labels: list[str]


class TermAssignment(TypedDict):
    """A glossary term on an entity (`AtlasTermAssignmentHeader`)."""

    termGuid: str
    displayText: str
    relationGuid: str


class ShownEntity(TypedDict):
    """What every answer says of an entity. Times are in milliseconds since 1970.

    pyatlan_v9 makes one of it and the attributes, and what comes later wins: the order is that of Atlas (`AtlasStruct`
    before its subclasses).
    """

    typeName: str
    attributes: Attributes
    guid: str
    status: str
    createdBy: str
    updatedBy: str
    createTime: int
    updateTime: int
    isIncomplete: bool
    superTypeNames: list[str]
    docId: str
    labels: list[str]
    classifications: list[Classification]


class EntityHeader(ShownEntity):
    """An entity in the answer of a change or a search (`AtlasEntityHeader`)."""

    displayText: str
    classificationNames: list[str]
    meaningNames: list[str]
    meanings: list[TermAssignment]


class DeletedHeader(EntityHeader):
    """An entity in the answer of a deletion; `deleteHandler` is SOFT, HARD or PURGE (`DeleteType`)."""

    deleteHandler: str


class LineageNeighbour(TypedDict):
    """An entity next to one in a lineage list (`AtlasEntityHeader.immediateUpstream`)."""

    guid: str
    name: str
    qualifiedName: str


class _LineageHit(EntityHeader):
    depth: int


class LineageHit(_LineageHit, total=False):
    """An entity in a lineage list, so many hops from the start; the neighbours are there only if they were asked for."""

    immediateUpstream: list[LineageNeighbour]
    immediateDownstream: list[LineageNeighbour]


class EntityDetails(ShownEntity, total=False):
    """An entity that is read as a whole (`AtlasEntity`); its terms are among its relationships alone."""

    version: int
    businessAttributes: BusinessAttributes
    customAttributes: dict[str, str]
    relationshipAttributes: dict[str, list[RelatedObjectId] | RelatedObjectId | None]


class EntityAnswer(TypedDict):
    """`AtlasEntityWithExtInfo`."""

    entity: EntityDetails
    referredEntities: dict[str, EntityDetails]


class EntitiesAnswer(TypedDict):
    """`AtlasEntitiesWithExtInfo`."""

    entities: list[EntityDetails]
    referredEntities: dict[str, EntityDetails]


class MutatedEntities(TypedDict, total=False):
    """What a request changed; a key is absent where it would be empty."""

    CREATE: list[EntityHeader]
    UPDATE: list[EntityHeader]
    DELETE: list[DeletedHeader]


class MutationResponse(TypedDict, total=False):
    """`EntityMutationResponse`: `guidAssignments` maps every placeholder of the request to the real guid."""

    mutatedEntities: MutatedEntities
    guidAssignments: dict[str, str]
    partialUpdatedEntities: list[EntityHeader]


class _SearchResponse(TypedDict):
    queryType: str
    searchParameters: JsonObject
    approximateCount: int


class SearchResponse(_SearchResponse, total=False):
    """`AtlasSearchResult`: a page of hits, the number of all, and what was aggregated over all matches."""

    entities: list[EntityHeader]
    searchScore: dict[str, float]
    aggregations: dict[str, Aggregation]


class LineageResponse(TypedDict):
    """`AtlasLineageListInfo`: a page of the walk; `entityCount` is the number on this page."""

    entities: list[LineageHit]
    hasMore: bool
    entityCount: int
    searchParameters: JsonObject


class LineageRelation(TypedDict, total=False):
    """An edge of a lineage graph, downstream: between an asset and a process, or, past a process, between two assets
    (`AtlasLineageInfo.LineageRelation`).
    """

    fromEntityId: str
    toEntityId: str
    relationshipId: str
    processId: str


class LineageGraph(TypedDict):
    """`AtlasLineageInfo`: a whole lineage; `vertexChildrenInfo` says by guid and direction whether there is more."""

    baseEntityGuid: str
    lineageDirection: str
    lineageDepth: int
    limit: int
    offset: int
    hasMoreUpstreamVertices: bool
    hasMoreDownstreamVertices: bool
    guidEntityMap: dict[str, EntityHeader]
    relations: list[LineageRelation]
    vertexChildrenInfo: dict[str, dict[str, bool]]


class AuditEvent(TypedDict):
    """What happened to an entity (`EntityAuditEventV2`), with its header as it is now; None where it is gone for good.

    `detail` is what was told of it: the entity as it was created, what an update changed, a tag, or a set of custom
    metadata. Times are in milliseconds since 1970.
    """

    entityQualifiedName: str
    typeName: str
    entityId: str
    timestamp: int
    created: int
    user: str
    action: str
    details: None
    eventKey: str
    entity: None
    type: None
    detail: JsonObject
    entityDetail: EntityHeader | None
    headers: None


class AuditSearchResult(TypedDict):
    """`EntityAuditSearchResult`: a page of events, `count` of them, of `totalCount` in all."""

    entityAudits: list[AuditEvent]
    count: int
    totalCount: int
    aggregations: dict[str, Aggregation] | None
    linkedEntities: dict[str, EntityHeader]


class SearchLogResult(TypedDict):
    """`SearchLogSearchResult`: a page of logged searches (`SearchRequestLogData`), and the number of all that match."""

    searchParameters: JsonObject
    logs: list[JsonObject]
    aggregations: dict[str, Aggregation] | None
    approximateCount: int


class TaskSearchResult(TypedDict):
    """`TaskSearchResult`: a page of background tasks (`AtlasTask`, times in milliseconds), and the number that match."""

    tasks: list[JsonObject]
    aggregations: dict[str, Aggregation] | None
    approximateCount: int


class ClassificationList(TypedDict):
    """The tags of one entity (`AtlasClassifications`)."""

    list: list[Classification]
    startIndex: int
    pageSize: int
    totalCount: int


class _ErrorBody(TypedDict):
    errorCode: str
    errorMessage: str
    errorDetailsMap: dict[str, str]
    errorCause: str


class ErrorBody(_ErrorBody, total=False):
    """The body of an error that the metastore knows (`AtlasBaseExceptionMapper`)."""

    entityGuid: str


# A user, group, role or API token, as the tenant's own services list them.
Record = dict[str, Any]


class RecordPage(TypedDict):
    """A page of records: how many there are, how many fit the filter, and those on the page."""

    totalRecord: int
    filterRecord: int
    records: list[Record]
