"""The background tasks of tags, as pyatlan asks for them and over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import Stack, error_code, new_stack, raw, save, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.assets import Table
from pyatlan.model.enums import AtlanTaskStatus, AtlanTaskType
from pyatlan.model.fluent_tasks import FluentTasks
from pyatlan.model.task import AtlanTask

import sandbox

ADD, DELETE = "CLASSIFICATION_PROPAGATION_ADD", "CLASSIFICATION_PROPAGATION_DELETE"


@pytest.fixture
def stack(atlan: AtlanClient) -> Stack:
    return new_stack(atlan)


def new_tag(tenant: sandbox.Tenant) -> str:
    """Its name as the catalogue has it, which is not the one that it was given."""
    name = unique("tag")
    sent = {"classificationDefs": [{"name": name, "displayName": name, "category": "CLASSIFICATION"}]}
    answer = raw(tenant).call("POST", "/api/meta/types/typedefs", json=sent)
    assert answer.is_success, answer.text
    return str(answer.json()["classificationDefs"][0]["name"])


def tag(tenant: sandbox.Tenant, method: str, guid: str, name: str, propagate: bool = True) -> None:
    path = f"/api/meta/entity/guid/{guid}/classification"
    if method == "DELETE":
        answer = raw(tenant).call(method, f"{path}/{name}")
    else:
        answer = raw(tenant).call(method, f"{path}s", json=[{"typeName": name, "propagate": propagate}])
    assert answer.is_success, answer.text


def search(tenant: sandbox.Tenant, query: Any, **dsl: Any) -> Any:
    return raw(tenant).call("POST", "/api/meta/task/search", json={"dsl": {"query": query, **dsl}})


def types_of(tenant: sandbox.Tenant, guid: str) -> list[str]:
    """The tasks of an entity, newest first."""
    return [task["type"] for task in search(tenant, {"term": {"__task_entityGuid": guid}}).json()["tasks"]]


def test_a_tag_that_propagates_makes_a_task(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    name = new_tag(tenant)
    guid, other = save(atlan, stack.table(), stack.table("other"))
    tag(tenant, "POST", guid, name)
    tag(tenant, "POST", other, name, propagate=False)
    request = (
        FluentTasks()
        .page_size(1)
        .where(AtlanTask.ENTITY_GUID.eq(guid))
        .where(AtlanTask.TYPE.eq(AtlanTaskType.CLASSIFICATION_PROPAGATION_ADD.value))
        .to_request()
    )
    found = atlan.tasks.search(request)
    (task,) = list(found)
    assert found.count == 1
    assert task.entity_guid == guid
    assert task.created_by == "sandbox"
    assert task.status == AtlanTaskStatus.COMPLETE
    assert task.parameters
    assert task.parameters["__task_classificationTypeName"] == name
    assert types_of(tenant, other) == []
    shown = search(tenant, {"match_all": {}}, size=1000).json()
    assert [one["guid"] for one in shown["tasks"] if one["entityGuid"] == guid] == [task.guid]


def test_tasks_of_changes(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    name = new_tag(tenant)
    (guid,) = save(atlan, stack.table())
    tag(tenant, "POST", guid, name, propagate=False)
    tag(tenant, "DELETE", guid, name)
    assert types_of(tenant, guid) == []
    tag(tenant, "POST", guid, name, propagate=False)
    tag(tenant, "PUT", guid, name)
    assert types_of(tenant, guid) == [ADD]
    tag(tenant, "PUT", guid, name)
    assert types_of(tenant, guid) == [ADD]
    tag(tenant, "PUT", guid, name, propagate=False)
    tag(tenant, "PUT", guid, name)
    tag(tenant, "DELETE", guid, name)
    assert sorted(types_of(tenant, guid)) == [ADD, ADD, DELETE, DELETE]


def test_searches(tenant: sandbox.Tenant, atlan: AtlanClient, stack: Stack) -> None:
    table: Table = stack.table()
    (guid,) = save(atlan, table)
    tag(tenant, "POST", guid, new_tag(tenant))
    of_it = {"term": {"__task_entityGuid": guid}}
    (task,) = search(tenant, of_it).json()["tasks"]
    assert search(tenant, {"term": {"__task_guid.keyword": task["guid"]}}).json()["tasks"] == [task]
    by_status = {"bool": {"filter": [of_it, {"match": {"__task_status": "COMPLETE"}}]}}
    answer = search(tenant, by_status, aggs={"it": {"terms": {"field": "__task_type"}}}).json()
    assert answer["approximateCount"] == 1
    assert [(one["key"], one["doc_count"]) for one in answer["aggregations"]["it"]["buckets"]] == [(ADD, 1)]


@pytest.mark.parametrize(
    ("query", "dsl", "status"),
    [
        ({"trem": {}}, {}, 400),
        ({"span_first": {}}, {}, 501),
        ({"match_all": {}}, {"sort": [{"__task_status": "asc"}]}, 400),
        ({"match_all": {}}, {"sort": [{"__timestamp": "asc"}]}, 400),
        ({"match_all": {}}, {"size": 10_001}, 400),
    ],
)
def test_refused(tenant: sandbox.Tenant, query: Any, dsl: Any, status: int) -> None:
    answer = search(tenant, query, **dsl)
    assert answer.status_code == status
    assert error_code(answer)


@pytest.mark.parametrize("body", [{}, {"dsl": 3}])
def test_a_request_without_dsl(tenant: sandbox.Tenant, body: Any) -> None:
    assert raw(tenant).call("POST", "/api/meta/task/search", json=body).status_code == 400
