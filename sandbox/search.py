"""Index search: the part of the Elasticsearch DSL that Atlan's clients send, over the catalog.

A query is compiled once into a predicate over entities. Terms that pick a type, a guid, a qualified name or a
connection also narrow the candidates, so that a page does not look at the whole catalog.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from sandbox import errors
from sandbox.catalog import Catalog, Entity, name_root
from sandbox.presentation import search_hit, terms_of

Predicate = Callable[[Entity], bool]

# Keyword fields with a lower-casing normaliser; all other keyword fields tell cases apart.
NORMALISED = {"__typeName", "__superTypeNames", "name", "displayName", "description", "userDescription"}
SUFFIXES = (".keyword", ".text", ".stemmed", ".delimited", ".exact", ".date")
MAX_WINDOW = 100_000
MAX_GUIDS = 100


def index_search(catalog: Catalog, request: dict, cache: SearchCache) -> dict:
    """Answer one page: `{"approximateCount", "entities", "aggregations", "searchParameters"}`."""
    dsl = request.get("dsl")
    if isinstance(dsl, str):
        dsl = orjson.loads(dsl)
    if not isinstance(dsl, dict):
        raise errors.bad_request("search needs a dsl object")
    start, size = dsl.get("from") or 0, dsl.get("size", 10)
    if not isinstance(start, int) or not isinstance(size, int) or start < 0 or size < 0:
        raise errors.bad_request("from and size must be whole numbers of 0 or more")
    if start + size > MAX_WINDOW:
        raise _rejected(f"Result window is too large, from + size must be less than or equal to: [{MAX_WINDOW}]")
    matches, hits = cache.find(catalog, dsl)
    page = hits[start : start + size]
    wanted, wanted_of_related = request.get("attributes") or [], request.get("relationAttributes") or []
    answer: dict[str, Any] = {"queryType": "INDEX", "searchParameters": request, "approximateCount": len(hits)}
    if page:
        answer["entities"] = [search_hit(catalog, entity, wanted, wanted_of_related) for entity in page]
    aggregations = dsl.get("aggregations") or dsl.get("aggs")
    if aggregations:
        answer["aggregations"] = {name: aggregate(catalog, spec, matches) for name, spec in aggregations.items()}
    return answer


class SearchCache:
    """The sorted hits of the last few queries, so that paging through a result sorts it once.

    Pages are asked for by offset, or by a range over the field that the hits are sorted by (the guids after the last
    one seen): such a range is cut out of the sorted hits.
    """

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._results: OrderedDict[bytes, _Sorted] = OrderedDict()

    def find(self, catalog: Catalog, dsl: dict) -> tuple[list[Entity], list[Entity]]:
        """The entities that the query matches, and of those, sorted, the ones that the post filter leaves."""
        query, post_filter, sort = dsl.get("query") or {"match_all": {}}, dsl.get("post_filter"), dsl.get("sort")
        rest, limits = _split_guid_range(query, sort)
        if limits and not post_filter:
            hits = self._find_sorted(catalog, rest, None, sort).between(limits)
            return hits, hits
        found = self._find_sorted(catalog, query, post_filter, sort)
        return found.matches, found.hits

    def _find_sorted(self, catalog: Catalog, query: dict, post_filter: object, sort: object) -> _Sorted:
        key = orjson.dumps([query, post_filter, sort])
        stored = self._results.get(key)
        if stored and stored.version == catalog.version and not catalog.index_is_behind:
            self._results.move_to_end(key)
            return stored
        matches = find_entities(catalog, query)
        hits = matches
        if post_filter:
            keep = compile_query(catalog, post_filter)
            hits = [entity for entity in matches if keep(entity)]
        found = _Sorted(catalog.version, matches, sort_entities(catalog, hits, sort))
        self._results[key] = found
        while len(self._results) > self._size:
            self._results.popitem(last=False)
        return found


@dataclass
class _Sorted:
    """The result of a query at some version of the catalog."""

    version: int
    matches: list[Entity]
    hits: list[Entity]

    @cached_property
    def guids(self) -> list[str]:
        return [entity.guid for entity in self.hits]

    def between(self, limits: dict[str, str]) -> list[Entity]:
        """The hits, sorted by guid, whose guids are within the limits of a range query."""
        start, end = 0, len(self.hits)
        for name, limit in limits.items():
            if name in ("gt", "gte"):
                start = max(start, (bisect_right if name == "gt" else bisect_left)(self.guids, limit))
            else:
                end = min(end, (bisect_left if name == "lt" else bisect_right)(self.guids, limit))
        return self.hits[start:end]


def _split_guid_range(query: dict, sort: object) -> tuple[dict, dict[str, str]]:
    """A query without its range over the guids that the hits are sorted by, and the limits of that; none if it has none."""
    if sort not in ([{"__guid": {"order": "asc"}}], [{"__guid": "asc"}]) or list(query) != ["bool"]:
        return query, {}
    filters = query["bool"].get("filter") if isinstance(query["bool"], dict) else None
    if not isinstance(filters, list) or len(filters) < 2:  # without any filter left, a query has another meaning
        return query, {}
    ranges = [item for item in filters if _is_guid_range(item)]
    if len(ranges) != 1:
        return query, {}
    rest = [item for item in filters if item is not ranges[0]]
    return {"bool": {**query["bool"], "filter": rest}}, ranges[0]["range"]["__guid"]


def _is_guid_range(query: object) -> bool:
    body = query.get("range") if isinstance(query, dict) and len(query) == 1 else None
    limits = body.get("__guid") if isinstance(body, dict) and len(body) == 1 else None
    return isinstance(limits, dict) and all(
        name in ("gt", "gte", "lt", "lte") and isinstance(limit, str) for name, limit in limits.items()
    )


def find_entities(catalog: Catalog, query: dict) -> list[Entity]:
    predicate = compile_query(catalog, query)
    if not catalog.index_is_behind:
        candidates = _candidates(catalog, query)
        return [entity for guid in candidates if predicate(entity := catalog.entities[guid])]
    views = [view for entity in catalog.entities.values() if (view := catalog.search_view(entity))]
    return [view for view in [*views, *catalog.unindexed_changes()] if predicate(view)]


def sort_entities(catalog: Catalog, entities: list[Entity], sort: object) -> list[Entity]:
    """Sort by each criterion in turn; entities without a value come last, as in Elasticsearch."""
    entities = list(entities)
    for criterion in reversed(sort if isinstance(sort, list) else [sort] if sort else []):
        if isinstance(criterion, str):
            criterion = {criterion: {"order": "desc" if criterion == "_score" else "asc"}}
        for field, options in criterion.items():
            order = options if isinstance(options, str) else (options or {}).get("order", "asc")
            read = field_reader(catalog, field)
            valued = [(values[0], entity) for entity in entities if (values := read(entity))]
            missing = [entity for entity in entities if not read(entity)] if len(valued) < len(entities) else []
            try:
                valued.sort(key=lambda pair: pair[0], reverse=order == "desc")
            except TypeError:
                valued.sort(key=lambda pair: str(pair[0]), reverse=order == "desc")
            entities = [entity for _, entity in valued] + missing
    return entities


# Fields


def field_reader(catalog: Catalog, field: str) -> Callable[[Entity], list]:
    """A function that gives the values of a search field, as a list (empty where there is none)."""
    plain, normalised = field, False
    for suffix in SUFFIXES:
        if field.endswith(suffix):
            plain = field.removesuffix(suffix)
            normalised = suffix == ".keyword" and plain in NORMALISED
    special = SPECIAL_FIELDS.get(plain)
    if special:
        read = lambda entity: special(catalog, entity)  # noqa: E731
    elif "." in plain:
        set_name, _, attribute = plain.partition(".")
        read = lambda entity: _listed(entity.business.get(set_name, {}).get(attribute))  # noqa: E731
    else:
        read = lambda entity: _own_value(entity, plain)  # noqa: E731
    if normalised:
        return lambda entity: [value.lower() if isinstance(value, str) else value for value in read(entity)]
    return read


def _own_value(entity: Entity, name: str) -> list:
    """An attribute, or an attribute of custom metadata, which Atlan indexes under its own unique name."""
    if name in entity.attributes:
        return _listed(entity.attributes[name])
    for values in entity.business.values():
        if name in values:
            return _listed(values[name])
    return []


def _listed(value: Any) -> list:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


SPECIAL_FIELDS: dict[str, Callable[[Catalog, Entity], list]] = {
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
    "__propagatedTraitNames": lambda catalog, entity: [],
    "__propagatedClassificationNames": lambda catalog, entity: [],
    "__meanings": lambda catalog, entity: [term.qualified_name for term in terms_of(catalog, entity)],
    "__meaningNames": lambda catalog, entity: [term.name for term in terms_of(catalog, entity)],
    "__meaningsText": lambda catalog, entity: [term.name for term in terms_of(catalog, entity)],
    "__labels": lambda catalog, entity: entity.labels,
    "__categories": lambda catalog, entity: [
        catalog.entities[guid].qualified_name for guid in entity.related("categories")
    ],
    "__parentCategory": lambda catalog, entity: [
        catalog.entities[guid].qualified_name for guid in entity.related("parentCategory")
    ],
}


# Queries


def compile_query(catalog: Catalog, query: object) -> Predicate:
    if not isinstance(query, dict) or len(query) != 1:
        raise _rejected("a query is an object with one key, its kind")
    ((kind, body),) = query.items()
    compiler = COMPILERS.get(kind)
    if not compiler:
        raise _rejected(f"unknown query [{kind}]")
    if not isinstance(body, dict):
        raise _rejected(f"[{kind}] query malformed, no start_object after query name")
    try:
        return compiler(catalog, body)
    except (AttributeError, KeyError, ValueError, TypeError, re.error) as error:
        raise _rejected(f"[{kind}] query malformed: {type(error).__name__}: {error}") from error


def _bool(catalog: Catalog, body: dict) -> Predicate:
    def compiled(clause: str) -> list[Predicate]:
        queries = body.get(clause) or []
        return [compile_query(catalog, query) for query in (queries if isinstance(queries, list) else [queries])]

    required, excluded, optional = compiled("filter") + compiled("must"), compiled("must_not"), compiled("should")
    minimum = body.get("minimum_should_match")
    if minimum is None:
        minimum = 0 if required or not optional else 1
    minimum = int(minimum)

    def matches(entity: Entity) -> bool:
        if not all(predicate(entity) for predicate in required):
            return False
        if any(predicate(entity) for predicate in excluded):
            return False
        return minimum <= 0 or sum(predicate(entity) for predicate in optional) >= minimum

    return matches


def _single(body: dict, option: str) -> tuple[str, Any, dict]:
    """The field, the value and the options of a query such as `{"field": {"value": …}}` or `{"field": …}`."""
    fields = {name: value for name, value in body.items() if name not in ("boost", "case_insensitive")}
    ((field, value),) = fields.items()
    if isinstance(value, dict):
        return field, value[option], {**body, **value}
    return field, value, body


def _term(catalog: Catalog, body: dict) -> Predicate:
    field, value, options = _single(body, "value")
    return _membership(catalog, field, [value], bool(options.get("case_insensitive")))


def _terms(catalog: Catalog, body: dict) -> Predicate:
    ((field, values),) = ((name, value) for name, value in body.items() if name != "boost")
    if not isinstance(values, list):
        raise _rejected(f"[terms] query requires a list of values for [{field}]")
    if field == "__guid" and len(values) > MAX_GUIDS * 10:
        raise _rejected(f"too many guids in one search: {len(values)}")
    return _membership(catalog, field, values, False)


def _membership(catalog: Catalog, field: str, values: list, ignore_case: bool) -> Predicate:
    read = field_reader(catalog, field)
    analysed = field.endswith((".text", ".stemmed"))
    fold = ignore_case or analysed or field.removesuffix(".keyword") in NORMALISED
    wanted = {_comparable(value, fold) for value in values}
    if analysed:
        return lambda entity: any(not wanted.isdisjoint(tokens(str(value))) for value in read(entity))
    return lambda entity: any(_comparable(value, fold) in wanted for value in read(entity))


def _comparable(value: Any, fold: bool) -> Any:
    """Values as the index compares them: numbers and booleans also match their text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(float(value))
    if isinstance(value, str):
        try:
            return str(float(value)) if value[:1].isdigit() or value[:1] == "-" else (value.lower() if fold else value)
        except ValueError:
            return value.lower() if fold else value
    return str(value)


def _text_predicate(
    catalog: Catalog, body: dict, option: str, make: Callable[[str, bool], Callable[[str], bool]]
) -> Predicate:
    field, value, options = _single(body, option)
    read = field_reader(catalog, field)
    fold = bool(options.get("case_insensitive")) or field.removesuffix(".keyword") in NORMALISED
    test = make(str(value), fold)
    return lambda entity: any(test(str(item)) for item in read(entity))


def _prefix(catalog: Catalog, body: dict) -> Predicate:
    def make(value: str, fold: bool) -> Callable[[str], bool]:
        if fold:
            folded = value.lower()
            return lambda text: text.lower().startswith(folded)
        return lambda text: text.startswith(value)

    return _text_predicate(catalog, body, "value", make)


def _wildcard(catalog: Catalog, body: dict) -> Predicate:
    def make(value: str, fold: bool) -> Callable[[str], bool]:
        pattern = re.compile(fnmatch.translate(value.replace("[", "[[]")), re.IGNORECASE if fold else 0)
        return lambda text: bool(pattern.match(text))

    return _text_predicate(catalog, body, "value" if "value" in str(body) else "wildcard", make)


def _regexp(catalog: Catalog, body: dict) -> Predicate:
    def make(value: str, fold: bool) -> Callable[[str], bool]:
        pattern = re.compile(value, re.IGNORECASE if fold else 0)
        return lambda text: bool(pattern.fullmatch(text))

    return _text_predicate(catalog, body, "value", make)


def _exists(catalog: Catalog, body: dict) -> Predicate:
    read = field_reader(catalog, body["field"])
    return lambda entity: bool(read(entity))


def _range(catalog: Catalog, body: dict) -> Predicate:
    ((field, limits),) = ((name, value) for name, value in body.items() if name != "boost")
    read = field_reader(catalog, field)
    tests = []
    for name, limit in limits.items():
        if name in ("gt", "gte", "lt", "lte") and limit is not None:
            tests.append((name, _moment(limit)))

    def within(value: Any) -> bool:
        value = _moment(value)
        try:
            return all(
                value > limit if name == "gt" else value >= limit if name == "gte"
                else value < limit if name == "lt" else value <= limit
                for name, limit in tests
            )  # fmt: skip
        except TypeError:
            return False

    return lambda entity: any(within(value) for value in read(entity))


def _moment(value: Any) -> Any:
    """Dates as milliseconds: `2026-01-31`, `2026-01-31T10:00:00Z`, `now`, `now-7d`; other values as they are."""
    if not isinstance(value, str):
        return value
    relative = re.fullmatch(r"now(?:([+-])(\d+)([smhdw]))?(?:/d)?", value)
    if relative:
        seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
        sign, count, unit = relative.groups()
        shift = (1 if sign == "+" else -1) * int(count or 0) * seconds.get(unit or "s", 1)
        return int((datetime.datetime.now(datetime.timezone.utc).timestamp() + shift) * 1000)
    if re.match(r"\d{4}-\d\d-\d\d", value):
        moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return int(moment.timestamp() * 1000)
    try:
        return float(value)
    except ValueError:
        return value


def _match(catalog: Catalog, body: dict) -> Predicate:
    field, text, options = _single(body, "query")
    return _text_match(catalog, [field], str(text), options)


def _multi_match(catalog: Catalog, body: dict) -> Predicate:
    fields = [field.split("^")[0] for field in body["fields"]]
    return _text_match(catalog, fields, str(body["query"]), body)


def _text_match(catalog: Catalog, fields: list[str], text: str, options: dict) -> Predicate:
    readers = [field_reader(catalog, field) for field in fields]
    wanted = tokens(text)
    need_all = str(options.get("operator", "or")).lower() == "and"

    def matches(entity: Entity) -> bool:
        found = {token for read in readers for value in read(entity) for token in tokens(str(value))}
        return wanted <= found if need_all else not wanted.isdisjoint(found)

    return matches


def _match_phrase(catalog: Catalog, body: dict) -> Predicate:
    field, text, _ = _single(body, "query")
    read = field_reader(catalog, field)
    phrase = f" {' '.join(_token_list(str(text)))} "
    return lambda entity: any(phrase in f" {' '.join(_token_list(str(value)))} " for value in read(entity))


def tokens(text: str) -> set[str]:
    return set(_token_list(text))


def _token_list(text: str) -> list[str]:
    """Lower-case words; camel case and underscores part words, as in Atlan's text analyser."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    words = re.findall(r"[^\W_]+", parted.lower())
    return words + [word for word in re.findall(r"\w+", text.lower()) if word not in words]


def _constant(catalog: Catalog, body: dict) -> Predicate:
    return compile_query(catalog, body["filter"])


def _function_score(catalog: Catalog, body: dict) -> Predicate:
    return compile_query(catalog, body.get("query") or {"match_all": {}})


COMPILERS: dict[str, Callable[[Catalog, dict], Predicate]] = {
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "prefix": _prefix,
    "wildcard": _wildcard,
    "regexp": _regexp,
    "exists": _exists,
    "range": _range,
    "match": _match,
    "multi_match": _multi_match,
    "match_phrase": _match_phrase,
    "match_all": lambda catalog, body: lambda entity: True,
    "match_none": lambda catalog, body: lambda entity: False,
    "constant_score": _constant,
    "function_score": _function_score,
}


# Candidates


def _candidates(catalog: Catalog, query: dict) -> Iterable[str]:
    """Guids among which all matches are: the smallest set that one required clause allows, else all."""
    best: Iterable[str] = catalog.entities
    size = len(catalog.entities)
    for clause in _required_clauses(query):
        found = _narrow(catalog, clause)
        if found is not None and len(found) < size:
            best, size = found, len(found)
    return list(best)


def _required_clauses(query: dict) -> list[dict]:
    if "bool" not in query:
        return [query]
    clauses = []
    for name in ("filter", "must"):
        queries = query["bool"].get(name) or []
        for clause in queries if isinstance(queries, list) else [queries]:
            clauses += _required_clauses(clause)
    return clauses


def _narrow(catalog: Catalog, clause: dict) -> list[str] | dict[str, None] | None:
    ((kind, body),) = clause.items()
    if kind == "prefix":
        field, value, options = _single(body, "value")
        whole_root = isinstance(value, str) and value.count("/") >= 3
        if field in ("qualifiedName", "connectionQualifiedName") and whole_root and not options.get("case_insensitive"):
            return catalog.by_root.get(name_root(value), {})
        return None
    if kind == "term":
        field, value, options = _single(body, "value")
        values = [] if options.get("case_insensitive") else [value]
    elif kind == "terms":
        ((field, values),) = ((name, value) for name, value in body.items() if name != "boost")
    else:
        return None
    if not values or not all(isinstance(value, str) for value in values):
        return None
    if field == "__guid":
        return [guid for guid in values if guid in catalog.entities]
    if field == "qualifiedName":
        return [guid for value in values for guid in catalog.by_name.get(value, {})]
    if field == "connectionQualifiedName" and all(value.count("/") == 2 for value in values):
        return [guid for value in values for guid in catalog.by_root.get(value, {})]
    if field in ("__typeName.keyword", "__typeName"):
        folded = {value.lower() for value in values}
        return [guid for name, guids in catalog.by_type.items() if name.lower() in folded for guid in guids]
    return None


# Aggregations


def aggregate(catalog: Catalog, spec: dict, entities: list[Entity]) -> dict:
    nested = spec.get("aggregations") or spec.get("aggs") or {}
    kinds = [name for name in spec if name not in ("aggregations", "aggs", "meta")]
    if len(kinds) != 1:
        raise _rejected("an aggregation has one kind")
    kind, body = kinds[0], spec[kinds[0]]
    if kind == "filter":
        keep = compile_query(catalog, body)
        return _bucket(catalog, nested, [entity for entity in entities if keep(entity)])
    if kind == "top_hits":
        return _top_hits(catalog, body, entities)
    read = field_reader(catalog, body["field"])
    if kind == "terms":
        return _terms_buckets(catalog, body, nested, entities, read)
    values = [value for entity in entities for value in read(entity)]
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    if kind == "cardinality":
        return {"value": len(set(map(str, values)))}
    if kind == "value_count":
        return {"value": len(values)}
    if kind in METRICS:
        return {"value": METRICS[kind](numbers) if numbers else (0.0 if kind == "sum" else None)}
    raise _rejected(f"Unknown aggregation type [{kind}]")


METRICS: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "avg": lambda numbers: sum(numbers) / len(numbers),
}


def _top_hits(catalog: Catalog, body: dict, entities: list[Entity]) -> dict:
    """The first entities with the stored values of the fields asked for, in their own case."""
    wanted = (body.get("_source") or {}).get("includes") or []
    hits = []
    for entity in sort_entities(catalog, entities, body.get("sort"))[: body.get("size", 3)]:
        values = {name: field_reader(catalog, name.removesuffix(".keyword"))(entity) for name in wanted}
        source = {name: found[0] for name, found in values.items() if found}
        hits.append(
            {"_index": "janusgraph_vertex_index", "_type": "_doc", "_id": entity.guid, "_score": 0.0, "_source": source}
        )
    return {"hits": {"total": {"value": len(entities), "relation": "eq"}, "max_score": 0.0, "hits": hits}}


def _terms_buckets(catalog: Catalog, body: dict, nested: dict, entities: list[Entity], read: Callable) -> dict:
    groups: dict[Any, list[Entity]] = {}
    for entity in entities:
        for value in dict.fromkeys(read(entity)):
            groups.setdefault(value, []).append(entity)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), str(group[0])))
    size = body.get("size", 10)
    buckets = [{"key": key, **_key_text(key), **_bucket(catalog, nested, members)} for key, members in ordered[:size]]
    others = sum(len(members) for _, members in ordered[size:])
    return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": buckets}


def _key_text(key: Any) -> dict:
    """Elasticsearch adds a text form to keys that are no text; booleans are keyed 1 and 0."""
    if isinstance(key, bool):
        return {"key": int(key), "key_as_string": str(key).lower()}
    return {}


def _bucket(catalog: Catalog, nested: dict, members: list[Entity]) -> dict:
    return {
        "doc_count": len(members),
        **{name: aggregate(catalog, spec, members) for name, spec in nested.items()},
    }


def _rejected(message: str) -> errors.AtlasError:
    return errors.AtlasError(400, "400-00-503", f"Elasticsearch query failed: {message}")
