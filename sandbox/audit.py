"""The audit log: what happened to each entity, when and by whom, and the search over it.

The events are those of `EntityAuditListenerV2` in atlanhq/atlas-metastore with differential audits, which pyatlan's tests
read: an update tells only what it changed, and an entity that merely stands at the end of a new relationship has none.
They are in the tenant's database alone, and are stored with the change that they tell of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timezone, tzinfo
from typing import Any

import orjson

from sandbox.attributes import as_text
from sandbox.bodies import parse_json
from sandbox.catalog import ACTIVE, Catalog, Difference, Entity, Transaction
from sandbox.database import Statement, is_in
from sandbox.errors import bad_request, not_supported, query_rejected
from sandbox.messages import Attributes, AuditEvent, AuditSearchResult, JsonObject, Query
from sandbox.presentation import CUSTOM_ATTRIBUTES, object_id, search_hit
from sandbox.requests import as_object, as_texts
from sandbox.search.moments import read_moment, read_zone

# index.max_result_window of an index that does not set it, as es-audit-mappings.json does not ("Index modules").
MAX_WINDOW = 10_000
# What can be searched for: the fields of es-audit-mappings.json (keywords and dates), as columns.
COLUMNS = ("entityId", "entityQualifiedName", "typeName", "user", "action", "created", "timestamp")
EVENT_KEY = "entityId || ':' || timestamp"
EXPRESSIONS = {**{name: name for name in COLUMNS}, "eventKey": EVENT_KEY}
DATES = ("created", "timestamp")
MAX_CLAUSES = 1024  # indices.query.bool.max_clause_count of Elasticsearch's reference, "Search settings"
# The keys of a search request that pyatlan's `DSL` sends, and `_source`, which the metastore adds itself.
DSL_KEYS = {"query", "sort", "from", "size", "aggregations", "aggs", "track_total_hits", "_source", "post_filter"}
INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}, detail) VALUES ({', '.join('?' * 8)})"

# A condition in SQL, and its values.
Condition = tuple[str, tuple[Any, ...]]


def follow(catalog: Catalog) -> None:
    """Keep the audit log of a catalog from now on."""
    catalog.listeners.append(_events)


# What is told of a transaction


def _events(transaction: Transaction) -> Iterator[Statement]:
    for entity in transaction.created.values():
        if entity.guid not in transaction.purged:
            yield _event(transaction, entity, "ENTITY_CREATE", _whole(transaction.catalog, entity))
            yield from _tag_events(transaction, entity, [], entity.tags)
    for entity in transaction.changed.values():
        difference = transaction.differences.get(entity.guid)
        if difference:
            yield from _update_events(transaction, entity, difference)
    for entity in transaction.purged.values():
        if entity.guid not in transaction.created:
            yield _event(transaction, entity, "ENTITY_DELETE", _gone(entity))


def _update_events(transaction: Transaction, entity: Entity, difference: Difference) -> Iterator[Statement]:
    before = difference.fields
    if "status" in before and not entity.active:
        yield _event(transaction, entity, "ENTITY_DELETE", _gone(entity))
        return
    attributes = {name: entity.attributes.get(name) for name in difference.attributes}
    if "status" in before:
        attributes["__state"] = ACTIVE  # `EntityGraphMapper.mapAttributesAndClassifications`, restored entities
    if attributes or difference.relationships:
        detail = _minimal(entity, attributes)
        detail["relationshipAttributes"] = _references(transaction.catalog, entity, difference.relationships)
        yield _event(transaction, entity, "ENTITY_UPDATE", detail)
    for name in entity.business.keys() | before.get("business", {}).keys() if "business" in before else ():
        values, former = entity.business.get(name, {}), before["business"].get(name, {})
        if values != former:
            changed = {
                key: values.get(key) for key in values.keys() | former.keys() if values.get(key) != former.get(key)
            }
            detail = {"typeName": name, "attributes": changed}
            yield _event(transaction, entity, "BUSINESS_ATTRIBUTE_UPDATE", detail)
    yield from _tag_events(transaction, entity, before.get("tags", entity.tags), entity.tags)
    former_labels = before.get("labels", entity.labels)
    for action, labels in (
        ("LABEL_ADD", [label for label in entity.labels if label not in former_labels]),
        ("LABEL_DELETE", [label for label in former_labels if label not in entity.labels]),
    ):
        if labels:
            yield _event(transaction, entity, action, {"labels": " ".join(labels)})


def _tag_events(
    transaction: Transaction, entity: Entity, before: Iterable[Any], after: Iterable[Any]
) -> Iterator[Statement]:
    former, present = ({tag["typeName"]: tag for tag in tags} for tags in (before, after))
    for name, tag in present.items():
        if name not in former:
            yield _event(transaction, entity, "CLASSIFICATION_ADD", tag)
        elif tag != former[name]:
            yield _event(transaction, entity, "CLASSIFICATION_UPDATE", tag)
    for name in former.keys() - present.keys():
        yield _event(transaction, entity, "CLASSIFICATION_DELETE", {"typeName": name})


def _event(transaction: Transaction, entity: Entity, action: str, detail: JsonObject) -> Statement:
    values = (
        entity.guid,
        entity.qualified_name,
        entity.type.name,
        transaction.user,
        action,
        transaction.now,
        entity.update_time,
    )
    return INSERT, (*values, orjson.dumps(detail))


def _whole(catalog: Catalog, entity: Entity) -> JsonObject:
    detail = _minimal(entity, entity.attributes)
    detail["relationshipAttributes"] = _references(catalog, entity, entity.relations)
    if entity.business:
        detail["businessAttributes"] = entity.business
    return detail


def _gone(entity: Entity) -> JsonObject:
    return _minimal(entity, {"qualifiedName": entity.qualified_name})


def _minimal(entity: Entity, attributes: Attributes) -> JsonObject:
    custom = attributes.get(CUSTOM_ATTRIBUTES)
    return {
        "typeName": entity.type.name,
        "guid": entity.guid,
        "status": entity.status,
        "attributes": {name: value for name, value in attributes.items() if name != CUSTOM_ATTRIBUTES},
        **({"customAttributes": orjson.loads(custom)} if custom else {}),
        "createdBy": entity.created_by,
        "updatedBy": entity.updated_by,
        "createTime": entity.create_time,
        "updateTime": entity.update_time,
    }


def _references(catalog: Catalog, entity: Entity, names: Iterable[str]) -> Attributes:
    found: Attributes = {}
    for name in names:
        references = [object_id(catalog, guid) for guid in entity.related(name) if guid in catalog.entities]
        end = entity.type.relationships.get(name)
        found[name] = references if end is None or end.many else (references[0] if references else None)
    return found


# The search


def search_audit(catalog: Catalog, request: JsonObject, guid: str | None = None) -> AuditSearchResult:
    """One page of `POST /api/meta/entity/auditSearch`, or of the events of one entity.

    `request` has `dsl` (an object, or its JSON as a text) with `query`, `sort`, `from` and `size` (default 10), and the
    `attributes` to show of each entity as it is now (`AuditSearchParams`, `EntityREST.searchAuditEvents`).

    Raises `AtlasError`: 400 for what Elasticsearch refuses, 501 for what it takes and the sandbox does not.
    """
    dsl = request.get("dsl")
    if isinstance(dsl, str):
        dsl = parse_json(dsl, "the dsl")
    if not isinstance(dsl, dict):
        raise bad_request("an audit search needs a dsl object")
    unknown = next((name for name in dsl if name not in DSL_KEYS), None)
    if unknown:
        raise query_rejected(f"Unknown key for a value in [{unknown}].")
    if dsl.get("post_filter"):
        raise not_supported("a post_filter in a search of the audit")
    start, size = dsl.get("from", 0), dsl.get("size", 10)
    if not _is_count(start) or not _is_count(size):
        raise query_rejected("[from] and [size] must be whole numbers of 0 or more")
    if start + size > MAX_WINDOW:
        raise query_rejected(f"Result window is too large, from + size must be less than or equal to: [{MAX_WINDOW}]")
    where, values = _condition(dsl.get("query") or {"match_all": {}})
    if guid:
        where, values = f"({where}) AND entityId = ?", (*values, guid)
    ((total,),) = catalog.select(f"SELECT count(*) FROM audit WHERE {where}", values)
    statement = f"SELECT {', '.join(COLUMNS)}, detail FROM audit WHERE {where} ORDER BY {_order(dsl.get('sort'))} LIMIT ? OFFSET ?"
    wanted = as_texts(request.get("attributes"), "attributes")
    audits = [_shown(catalog, row, wanted) for row in catalog.select(statement, (*values, size, start))]
    answer: AuditSearchResult = {
        "entityAudits": audits,
        "count": len(audits),
        "totalCount": total,
        "aggregations": None,
        "linkedEntities": {},
    }
    aggregations = dsl.get("aggregations") or dsl.get("aggs")
    if aggregations:
        answer["aggregations"] = {
            name: _aggregation(catalog, spec, where, values)
            for name, spec in as_object(aggregations, "aggregations").items()
        }
    return answer


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _shown(catalog: Catalog, row: tuple[Any, ...], wanted: list[str]) -> AuditEvent:
    fields = dict(zip((*COLUMNS, "detail"), row, strict=True))
    entity = catalog.entities.get(fields["entityId"])
    return {
        "entityQualifiedName": fields["entityQualifiedName"],
        "typeName": fields["typeName"],
        "entityId": fields["entityId"],
        "timestamp": fields["timestamp"],
        "created": fields["created"],
        "user": fields["user"],
        "action": fields["action"],
        "details": None,
        "eventKey": f"{fields['entityId']}:{fields['timestamp']}",
        "entity": None,
        "type": None,
        "detail": orjson.loads(fields["detail"]),
        "entityDetail": search_hit(catalog, entity, wanted, ()) if entity else None,
        "headers": None,
    }


def _order(sort: object) -> str:
    """The order of the hits; events of one moment stand in the order, or against it, in which they came."""
    criteria = sort if isinstance(sort, list) else [sort] if sort else []
    terms, last = [], "ASC"
    for criterion in criteria:
        if isinstance(criterion, str):
            criterion = {criterion: "asc"}
        if not isinstance(criterion, dict) or len(criterion) != 1:
            raise query_rejected("a sort is a field, or an object with one")
        ((name, options),) = criterion.items()
        order = str(options.get("order", "asc") if isinstance(options, dict) else options).upper()
        if name not in EXPRESSIONS:
            raise query_rejected(f"No mapping found for [{name}] in order to sort on")
        if order not in ("ASC", "DESC"):
            raise query_rejected(f"Unknown sort order [{order}]")
        terms.append(f"{EXPRESSIONS[name]} {order}")
        last = order if name in DATES else last
    return ", ".join([*terms, f"position {last}"])


def _aggregation(catalog: Catalog, spec: Any, where: str, values: tuple[Any, ...]) -> JsonObject:
    """The buckets of a terms aggregation over a field ("Terms aggregation")."""
    body = spec.get("terms") if isinstance(spec, dict) and list(spec) == ["terms"] else None
    field = body.get("field") if isinstance(body, dict) else None
    if not body or not isinstance(field, str) or field not in EXPRESSIONS:
        raise not_supported("an aggregation of the audit other than the terms of one of its fields")
    name, size = EXPRESSIONS[field], body.get("size", 10)
    if not _is_count(size):
        raise query_rejected("[size] must be a whole number")
    statement = f"SELECT {name}, count(*) FROM audit WHERE {where} GROUP BY 1 ORDER BY 2 DESC, 1"
    found = list(catalog.select(statement, values))
    return {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": sum(count for _, count in found[size:]),
        "buckets": [{"key": key, "doc_count": count} for key, count in found[:size]],
    }


# Queries as SQL, with the meaning that Elasticsearch's reference ("Query DSL") gives to keywords and dates.


def _condition(query: object) -> Condition:
    if not isinstance(query, dict) or len(query) != 1:
        raise query_rejected("a query is an object with one key, its kind")
    ((kind, body),) = query.items()
    if kind not in COMPILERS:
        raise not_supported(f"a query of the audit with [{kind}]")
    if not isinstance(body, dict):
        raise query_rejected(f"[{kind}] query malformed, no start_object after query name")
    return COMPILERS[kind](body)


def _bool(body: Query) -> Condition:
    clauses = {}
    for name, queries in body.items():
        if name in ("must", "filter", "must_not", "should"):
            clauses[name] = [_condition(query) for query in (queries if isinstance(queries, list) else [queries])]
        elif name not in ("minimum_should_match", "boost"):
            raise query_rejected(f"[bool] query does not support [{name}]")
    parts = [*clauses.get("must", []), *clauses.get("filter", [])]
    if sum(map(len, clauses.values())) > MAX_CLAUSES:
        raise query_rejected(f"maxClauseCount is set to {MAX_CLAUSES}")
    optional, minimum = clauses.get("should", []), body.get("minimum_should_match")
    if minimum is None:
        minimum = 1 if optional and not parts else 0
    if not _is_count(minimum):
        raise not_supported("a minimum_should_match that is no number")
    parts += [(f"NOT ({sql})", values) for sql, values in clauses.get("must_not", [])]
    if minimum:
        counted = " + ".join(f"({sql})" for sql, _ in optional) or "0"
        parts.append((f"({counted}) >= {minimum}", tuple(value for _, values in optional for value in values)))
    return " AND ".join(f"({sql})" for sql, _ in parts) or "1", tuple(value for _, values in parts for value in values)


def _field_and_value(body: Query, kind: str, option: str) -> tuple[str | None, Any]:
    """The column of a field (None for one that no event has), and what it is compared with."""
    fields = {name: value for name, value in body.items() if name != "boost"}
    if len(fields) != 1:
        raise query_rejected(f"[{kind}] query has one field")
    ((name, value),) = fields.items()
    if isinstance(value, dict):
        if value.get("case_insensitive"):
            raise not_supported("a query of the audit in any case")
        if option not in value:
            raise query_rejected(f"[{kind}] query needs [{option}]")
        value = value[option]
    if isinstance(value, (dict, list)) or value is None:
        raise query_rejected(f"[{kind}] query needs one value for [{name}]")
    return EXPRESSIONS.get(name), value


def _compared(column: str, value: Any, up: bool = False, zone: tzinfo = timezone.utc) -> str | int:
    """A value as its column has it: milliseconds since 1970 of a date (see `read_moment`), a text of anything else."""
    if column not in DATES:
        return as_text(value)
    moment = None if isinstance(value, bool) else read_moment(as_text(value), up, zone)
    if moment is None:
        raise query_rejected(f"failed to parse date field [{value}]")
    return moment


def _equal(kind: str, option: str) -> Callable[[Query], Condition]:
    def compile_equal(body: Query) -> Condition:
        column, value = _field_and_value(body, kind, option)
        if not column:
            return NOTHING
        if column not in DATES:
            return f"{column} = ?", (as_text(value),)
        return f"{column} BETWEEN ? AND ?", (_compared(column, value), _compared(column, value, up=True))

    return compile_equal


def _terms(body: Query) -> Condition:
    fields = {name: values for name, values in body.items() if name != "boost"}
    if len(fields) != 1:
        raise query_rejected("[terms] query has one field")
    ((name, given),) = fields.items()
    if not isinstance(given, list):
        raise query_rejected(f"[terms] query requires a list of values for [{name}]")
    column = EXPRESSIONS.get(name)
    if not column or not given:
        return NOTHING
    sql, value = is_in(column, [_compared(column, value) for value in given])
    return sql, (value,)


def _prefix(body: Query) -> Condition:
    column, value = _field_and_value(body, "prefix", "value")
    return (f"substr({column}, 1, ?) = ?", (len(str(value)), str(value))) if column else NOTHING


def _wildcard(body: Query) -> Condition:
    column, value = _field_and_value(body, "wildcard", "value")
    pattern = "".join("[[]" if character == "[" else character for character in str(value))
    return (f"{column} GLOB ?", (pattern,)) if column else NOTHING


def _range(body: Query) -> Condition:
    fields = {name: limits for name, limits in body.items() if name != "boost"}
    if len(fields) != 1:
        raise query_rejected("[range] query has one field")
    ((name, limits),) = fields.items()
    if not isinstance(limits, dict):
        raise query_rejected("[range] query malformed, no start_object after the field")
    column, zone = EXPRESSIONS.get(name), read_zone(as_text(limits.get("time_zone") or ""))
    parts, values = [], []
    for operator, limit in limits.items():
        if operator in OPERATORS:
            if limit is not None and column:
                parts.append(f"{column} {OPERATORS[operator]} ?")
                values.append(_compared(column, limit, operator in ("gt", "lte"), zone))
        elif operator not in ("boost", "format", "time_zone"):
            raise not_supported(f"a range of the audit with [{operator}]")
    return (" AND ".join(parts) or "1", tuple(values)) if column else NOTHING


def _exists(body: Query) -> Condition:
    return EVERYTHING if body.get("field") in (*EXPRESSIONS, "detail") else NOTHING


EVERYTHING: Condition = ("1", ())
NOTHING: Condition = ("0", ())
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COMPILERS: dict[str, Callable[[Query], Condition]] = {
    "bool": _bool,
    "term": _equal("term", "value"),
    "match": _equal("match", "query"),
    "terms": _terms,
    "prefix": _prefix,
    "wildcard": _wildcard,
    "range": _range,
    "exists": _exists,
    "match_all": lambda body: EVERYTHING,
    "match_none": lambda body: NOTHING,
    "constant_score": lambda body: _condition(body.get("filter")),
}
