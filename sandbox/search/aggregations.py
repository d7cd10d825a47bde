"""Aggregations over the documents that a query matched: buckets and metrics.

The rules are those of Elasticsearch's reference ("Aggregations"), the page of the same name for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from sandbox.attributes import as_text
from sandbox.errors import not_supported, query_rejected
from sandbox.messages import Aggregation, Query
from sandbox.requests import as_texts
from sandbox.search.fields import Document, FieldReader, check_doc_values, plain_name, stored_reader
from sandbox.search.hits import Documents, Found
from sandbox.search.intervals import is_moment, read_interval
from sandbox.search.queries import EntityFields, Fields, Predicate, check_options, compile_over, whole_number
from sandbox.search.sorting import sort_documents

Key = TypeVar("Key")

METRICS: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "avg": lambda numbers: sum(numbers) / len(numbers),
}

PERCENTS = (1, 5, 25, 50, 75, 95, 99)
OF_NUMBERS = {"stats", "percentiles", "date_histogram", *METRICS}
# What is not supported of any aggregation of a field.
VALUES_OPTIONS = {"script", "format", "value_type", "missing"}
# What an aggregation of a field can say beside the field, and what of it is not supported. How much memory and how many
# shards are used changes nothing here.
OPTIONS: dict[str, tuple[set[str], set[str]]] = {
    "terms": (
        {"size", "order", "shard_size", "show_term_doc_count_error", "execution_hint", "collect_mode", "shard_min_doc_count"},
        {"exclude", "include", "min_doc_count"},
    ),
    "date_histogram": (
        {"fixed_interval", "calendar_interval", "min_doc_count"},
        {"interval", "time_zone", "offset", "extended_bounds", "hard_bounds", "keyed", "order"},
    ),
    "cardinality": ({"precision_threshold", "rehash", "execution_hint"}, set()),
    "percentiles": ({"percents", "keyed", "tdigest", "hdr"}, set()),
    **{kind: (set(), set()) for kind in ("missing", "value_count", "stats", *METRICS)},
}  # fmt: skip
TOP_HITS_OPTIONS = {"from", "size", "sort", "_source"}
OTHER_TOP_HITS_OPTIONS = {
    "docvalue_fields", "explain", "fields", "highlight", "script_fields", "seq_no_primary_term", "stored_fields",
    "track_scores", "version",
}  # fmt: skip
BUCKETS = {"terms", "date_histogram", "missing", "filter"}
ORDERING_KINDS = {"cardinality", "value_count", *METRICS}
MAX_BUCKETS = 65_536  # search.max_buckets
# Kinds that Elasticsearch has and the sandbox has not.
OTHER_KINDS = {
    "adjacency_matrix", "auto_date_histogram", "boxplot", "bucket_script", "bucket_selector", "bucket_sort", "children",
    "composite", "date_range", "diversified_sampler", "extended_stats", "filters", "geo_bounds", "geo_centroid",
    "geo_distance", "geohash_grid", "geotile_grid", "global", "histogram", "ip_range", "matrix_stats",
    "median_absolute_deviation", "multi_terms", "nested", "parent", "percentile_ranks", "range",
    "rare_terms", "rate", "reverse_nested", "sampler", "scripted_metric", "significant_terms", "significant_text",
    "string_stats", "t_test", "top_metrics", "variable_width_histogram", "weighted_avg",
}  # fmt: skip


def aggregate(fields: Fields, spec: Query, documents: Documents) -> Aggregation:
    """The result of one aggregation, `{kind: body}` with nested ones under `aggregations` or `aggs`.

    Buckets come as `{"buckets": [{"key", "doc_count", …}]}`, a metric as `{"value": …}`. Raises `AtlasError` (400) for
    what has no kind, several, or one that is not known.
    """
    if not isinstance(spec, dict):
        raise query_rejected("an aggregation is an object")
    nested = spec.get("aggregations") or spec.get("aggs") or {}
    if not isinstance(nested, dict):
        raise query_rejected("aggregations are an object")
    kinds = [name for name in spec if name not in ("aggregations", "aggs", "meta")]
    if len(kinds) != 1:
        raise query_rejected("an aggregation has one kind")
    kind, body = kinds[0], spec[kinds[0]]
    if kind in OTHER_KINDS:
        raise not_supported(f"[{kind}] aggregations")
    if not isinstance(body, dict):
        raise query_rejected(f"Expected [START_OBJECT] under [{kind}]")
    if kind not in {*OPTIONS, "filter", "top_hits"}:
        raise query_rejected(f"Unknown aggregation type [{kind}]")
    if nested and kind not in BUCKETS:
        raise query_rejected(f"Aggregator of type [{kind}] cannot accept sub-aggregations")
    for name in nested:
        check_name(name)
    if kind == "filter":
        keep = compile_over(fields, body)
        return _bucket(fields, nested, _those(documents, keep))
    if kind == "top_hits":
        if not isinstance(fields, EntityFields):
            raise not_supported("[top_hits] aggregations of a log")
        return _top_hits(fields, body, documents)
    known, other = OPTIONS[kind]
    check_options(kind, body, {"field", *known}, other | VALUES_OPTIONS)
    field = body.get("field")
    if not isinstance(field, str) or not field:
        raise query_rejected(f"Required one of fields [field, script], but none were specified in [{kind}]")
    held = fields.kind(field)
    check_doc_values(field, held)
    if held == "keyword" and kind in OF_NUMBERS:
        raise query_rejected(f"Field [{field}] of type [{held}] is not supported for aggregation [{kind}]")
    read = fields.reader(field)
    if kind == "terms":
        return _terms_buckets(fields, body, nested, documents, read)
    if kind == "date_histogram":
        return _date_buckets(fields, body, nested, documents, read, as_date=held == "date")
    if kind == "missing":
        return _bucket(fields, nested, _those(documents, lambda document: not read(document)))
    values = [value for document in documents for value in read(document)]
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    if kind == "cardinality":
        return {"value": len(set(map(str, values)))}
    if kind == "value_count":
        return {"value": len(values)}
    if kind == "stats":
        return {"count": len(numbers), **{name: _metric(name, numbers) for name in METRICS}}
    if kind == "percentiles":
        return _percentiles(body, sorted(numbers))
    return {"value": _metric(kind, numbers)}


def check_name(name: str) -> None:
    """Raises `AtlasError` (400) for a name that no aggregation can have (Elasticsearch's `AggregatorFactories`)."""
    if re.search(r"[][>]", name):
        raise query_rejected(
            f"Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )


def _metric(kind: str, numbers: list[float]) -> float | None:
    return METRICS[kind](numbers) if numbers else (0.0 if kind == "sum" else None)


def _percentiles(body: Query, numbers: list[float]) -> Aggregation:
    """Between two values, in proportion ("Percentiles aggregation": exact for few values)."""
    percents = body.get("percents", PERCENTS)
    if not isinstance(percents, (list, tuple)) or not all(_is_percent(one) for one in percents):
        raise query_rejected("percents must be numbers from 0 to 100")
    found = {str(float(percent)): _percentile(numbers, percent) for percent in percents}
    if body.get("keyed", True):
        return {"values": found}
    return {"values": [{"key": float(key), "value": value} for key, value in found.items()]}


def _is_percent(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100


def _percentile(numbers: list[float], percent: float) -> float | None:
    if not numbers:
        return None
    position = (len(numbers) - 1) * percent / 100
    lower = int(position)
    upper = min(lower + 1, len(numbers) - 1)
    return numbers[lower] + (numbers[upper] - numbers[lower]) * (position - lower)


def _date_buckets(
    fields: Fields, body: Query, nested: dict[str, Query], documents: Documents, read: FieldReader, as_date: bool
) -> Aggregation:
    """A bucket for each interval from the first value to the last, in UTC, even empty ones ("Date histogram aggregation").

    The key is a text, too, if the field is a date, in the form that this has: milliseconds.
    """
    least = whole_number(body.get("min_doc_count", 0), "min_doc_count")
    start_of, next_of = read_interval(body)
    groups = _group(documents, lambda document: (start_of(value) for value in read(document) if is_moment(value)))
    none, starts = documents.at(()), sorted(groups)
    if starts and least == 0:
        starts = [starts[0]]
        while starts[-1] < max(groups):
            starts.append(next_of(starts[-1]))
            if len(starts) > MAX_BUCKETS:
                raise query_rejected(
                    f"Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}]"
                )
    return {
        "buckets": [
            {
                **({"key_as_string": str(start)} if as_date else {}),
                "key": start,
                **_bucket(fields, nested, groups.get(start, none)),
            }
            for start in starts
            if len(groups.get(start, none)) >= least
        ]
    }


def _top_hits(fields: EntityFields, body: Query, documents: Documents) -> Aggregation:
    """The first documents with the stored values of the fields asked for, in their own case."""
    check_options("top_hits", body, TOP_HITS_OPTIONS, OTHER_TOP_HITS_OPTIONS)
    source = body.get("_source") or {}
    if source is True or (isinstance(source, dict) and source.get("excludes")):
        raise not_supported("[top_hits] aggregations with all fields but some")
    wanted = as_texts(source.get("includes") if isinstance(source, dict) else source, "_source")
    start, size = (whole_number(body.get(name, default), name) for name, default in (("from", 0), ("size", 3)))
    hits = []
    for document in islice(sort_documents(fields, documents, body.get("sort")), start, start + size):
        values = {name: stored_reader(fields.catalog, plain_name(name))(document) for name in wanted}
        shown = {name: found[0] for name, found in values.items() if found}
        hits.append(
            {
                "_index": "janusgraph_vertex_index",
                "_type": "_doc",
                "_id": document.guid,
                "_score": 0.0,
                "_source": shown,
            }
        )
    return {"hits": {"total": {"value": len(documents), "relation": "eq"}, "max_score": 0.0, "hits": hits}}


def _terms_buckets(
    fields: Fields, body: Query, nested: dict[str, Query], documents: Documents, read: FieldReader
) -> Aggregation:
    groups = _group(documents, lambda document: map(_as_key, read(document)))
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), str(group[0])))
    for by, descending in reversed(_orders(body.get("order"), nested)):
        ordered.sort(key=lambda group: _order_value(fields, nested, by, *group), reverse=descending)
    size = whole_number(body.get("size", 10), "size", 1)
    buckets = [{**_bucket_key(key), **_bucket(fields, nested, members)} for key, members in ordered[:size]]
    others = sum(len(members) for _, members in ordered[size:])
    return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": buckets}


def _orders(order: object, nested: dict[str, Query]) -> list[tuple[str, bool]]:
    """By what buckets are sorted before their count and key ("Terms aggregation", Order), and whether in descending order."""
    found = []
    for criterion in order if isinstance(order, list) else [] if order is None else [order]:
        if not isinstance(criterion, dict) or len(criterion) != 1:
            raise query_rejected("Must specify at least one field for [order]")
        ((by, direction),) = criterion.items()
        if str(direction).lower() not in ("asc", "desc"):
            raise query_rejected(f"Unknown order direction [{direction}]")
        if by not in ("_count", "_key"):
            spec = nested.get(by)
            if spec is None and "." not in by and ">" not in by:
                raise query_rejected(
                    f"Invalid aggregator order path [{by}]. The provided aggregation [{by}] does not exist"
                )
            if not isinstance(spec, dict) or not set(spec) <= ORDERING_KINDS:
                raise not_supported(f"ordering buckets by [{by}]")
        found.append((by, str(direction).lower() == "desc"))
    return found


def _order_value(fields: Fields, nested: dict[str, Query], by: str, key: Any, members: Documents) -> Any:
    if by == "_count":
        return len(members)
    if by == "_key":
        return (0, key, "") if isinstance(key, (int, float)) else (1, 0, key)
    value = aggregate(fields, nested[by], members)["value"]
    return float("-inf") if value is None else value


def _those(documents: Found, keep: Predicate) -> Found:
    return documents.at(place for place, document in enumerate(documents) if keep(document))


def _group(documents: Found, keys_of: Callable[[Document], Iterable[Key]]) -> dict[Key, Found]:
    """The documents by their keys; one that has several is in several groups."""
    places: dict[Key, list[int]] = {}
    for place, document in enumerate(documents):
        for key in dict.fromkeys(keys_of(document)):
            places.setdefault(key, []).append(place)
    return {key: documents.at(members) for key, members in places.items()}


def _as_key(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else as_text(value)  # a structure


def _bucket_key(key: Any) -> Aggregation:
    """A bucket's key; booleans are keyed 1 and 0, with a text form beside it ("Boolean field type")."""
    if isinstance(key, bool):
        return {"key": int(key), "key_as_string": str(key).lower()}
    return {"key": key}


def _bucket(fields: Fields, nested: dict[str, Query], members: Documents) -> Aggregation:
    return {
        "doc_count": len(members),
        **{name: aggregate(fields, spec, members) for name, spec in nested.items()},
    }
