"""The metastore's background tasks: those that take a tag to what it reaches, and the search over them.

The sandbox needs none, as it derives what a tag reaches where that is asked for (`tags.py`). So every task that Atlan would
have queued is complete at once, and is told from the audit log: one for each tag that was put on or taken off and propagates
(`EntityGraphMapper.addClassificationsV2` and `deleteClassificationV2`), or that began or ceased to.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import orjson

from sandbox.catalog import Catalog
from sandbox.messages import JsonObject, TaskSearchResult
from sandbox.requests import as_object
from sandbox.search import LogFields, search_log

ADD, DELETE = "CLASSIFICATION_PROPAGATION_ADD", "CLASSIFICATION_PROPAGATION_DELETE"
TAG_EVENTS = (
    "SELECT position, entityId, user, action, created, detail FROM audit"
    " WHERE action IN ('CLASSIFICATION_ADD', 'CLASSIFICATION_UPDATE', 'CLASSIFICATION_DELETE') ORDER BY position"
)
# As `GraphBackedSearchIndexer.createCommonVertexIndex` holds them.
FIELDS = LogFields(
    {
        **dict.fromkeys(("__task_guid", "__task_status", "__task_v_type", "__task_errorMessage"), "text"),
        **dict.fromkeys(("__task_guid.keyword", "__task_status.keyword"), "keyword"),
        **dict.fromkeys(("__task_type", "__task_createdBy", "__task_classificationId", "__task_entityGuid"), "keyword"),
        **dict.fromkeys(("__task_timestamp", "__task_modificationTimestamp", "__task_startTime"), "long"),
        **dict.fromkeys(("__task_endTime", "__task_timeTakenInSeconds", "__task_attemptCount"), "long"),
        "__task_classificationTypeName": "keyword",
    }
)


def search_tasks(catalog: Catalog, request: JsonObject) -> TaskSearchResult:
    """One page of `POST /api/meta/task/search`; `request` has a `dsl` object, sorted newest first where it says nothing.

    `TaskREST.getTasks`, `TaskSearchParams`. Raises `AtlasError`: 400 and 501 as an index search does.
    """
    dsl = as_object(request.get("dsl"), "dsl")
    found = search_log(FIELDS, {"sort": [{"__task_timestamp": {"order": "desc"}}], **dsl}, list(_entries(catalog)))
    return {
        "tasks": [entry["task"] for entry in found.entries],
        "aggregations": found.aggregations,
        "approximateCount": found.count,
    }


def _entries(catalog: Catalog) -> Iterator[JsonObject]:
    """Every task as the index has it, with the task itself under `task`."""
    propagating: set[tuple[str, str]] = set()
    for position, entity, user, action, created, detail in catalog.select(TAG_EVENTS, ()):
        tag = orjson.loads(detail)
        key = (entity, tag["typeName"])
        before, after = key in propagating, action != "CLASSIFICATION_DELETE" and tag.get("propagate") is True
        (propagating.add if after else propagating.discard)(key)
        if before != after:
            yield _entry(position, entity, user, ADD if after else DELETE, created, tag["typeName"])


def _entry(position: int, entity: str, user: str, kind: str, moment: int, tag: str) -> JsonObject:
    guid = str(uuid.uuid5(uuid.NAMESPACE_OID, f"task/{position}/{entity}"))
    task = {
        "type": kind,
        "guid": guid,
        "createdBy": user,
        "createdTime": moment,
        "updatedTime": moment,
        "startTime": moment,
        "endTime": moment,
        "timeTakenInSeconds": 0,
        "parameters": {"entityGuid": entity, "__task_classificationTypeName": tag},
        "attemptCount": 0,
        "status": "COMPLETE",
        "entityGuid": entity,
        "tagTypeName": tag,
    }
    return {
        "__task_v_type": "__AtlasTaskDef",
        "__task_guid": guid,
        "__task_guid.keyword": guid,
        "__task_type": kind,
        "__task_status": "COMPLETE",
        "__task_status.keyword": "COMPLETE",
        "__task_createdBy": user,
        "__task_timestamp": moment,
        "__task_modificationTimestamp": moment,
        "__task_startTime": moment,
        "__task_endTime": moment,
        "__task_timeTakenInSeconds": 0,
        "__task_attemptCount": 0,
        "__task_entityGuid": entity,
        "__task_classificationTypeName": tag,
        "task": task,
    }
