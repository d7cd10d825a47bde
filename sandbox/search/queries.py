"""Queries compiled into predicates: the kinds of Elasticsearch's query DSL that Atlan's clients send.

The rules are those of Elasticsearch's reference ("Query DSL"), the page of the same name for each kind, and what it says
of the types of fields. What Elasticsearch refuses is a 400 (INDEX_SEARCH_FAILED_WITH_RESPONSE_CODE), what it would answer
and the sandbox cannot is a 501.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timezone, tzinfo
from functools import partial
from typing import Any, Protocol

from sandbox.attributes import as_text
from sandbox.catalog import Catalog, Entity
from sandbox.errors import AtlasError, not_supported, query_rejected
from sandbox.messages import Query
from sandbox.search.analysis import ANALYSERS, words_in, words_wanted
from sandbox.search.fields import (
    STRINGS,
    Document,
    FieldReader,
    as_values,
    field_kind,
    field_reader,
    ignores_case,
)
from sandbox.search.moments import read_moment, read_zone
from sandbox.search.regexps import MAX_DETERMINIZED_STATES, compile_regexp
from sandbox.search.spans import KINDS as SPAN_KINDS
from sandbox.search.spans import compile_span
from sandbox.search.values import comparable, edits, indexed_value, wanted_values, wildcard_test

Predicate = Callable[[Document], bool]
Test = Callable[[str], bool]

# pyatlan sends up to 100 guids; ten times as many is surely a mistake. (A limit of the sandbox.)
MAX_GUIDS = 1000
MAX_CLAUSES = 1024  # indices.query.bool.max_clause_count
MAX_TERMS = 65_536  # index.max_terms_count

# Kinds and keys that Elasticsearch has and the sandbox has not.
OTHER_KINDS = {
    "boosting", "combined_fields", "common", "distance_feature", "field_masking_span", "geo_bounding_box", "geo_distance",
    "geo_polygon", "geo_shape", "has_child", "has_parent", "intervals", "match_bool_prefix", "match_phrase_prefix",
    "more_like_this", "parent_id", "percolate", "pinned", "query_string", "rank_feature", "script", "script_score",
    "shape", "simple_query_string", "span_containing", "span_first", "span_multi", "span_not", "terms_set", "type", "wrapper",
}  # fmt: skip
DSL_KEYS = {
    "from", "size", "query", "post_filter", "sort", "aggregations", "aggs", "track_total_hits",
    # These change nothing in what the metastore makes of an answer.
    "_source", "docvalue_fields", "explain", "fields", "profile", "seq_no_primary_term", "stats", "stored_fields", "timeout",
    "track_scores", "version",
}  # fmt: skip
OTHER_DSL_KEYS = {
    "collapse", "ext", "highlight", "indices_boost", "min_score", "pit", "rescore", "runtime_mappings", "script_fields",
    "search_after", "slice", "suggest", "terminate_after",
}  # fmt: skip
REWRITES = ("constant_score", "constant_score_boolean", "scoring_boolean")  # and top_terms_N and the like
EVERY = {"boost", "_name"}


class Fields(Protocol):
    """The fields of what is searched, as the index has them."""

    def kind(self, field: str) -> str | None:
        """How a field is held, see `field_kind`; None for one that the index does not have."""

    def reader(self, field: str) -> FieldReader:
        """A function that reads a document's values; none for a field that the index does not have."""

    def folds(self, field: str, options: Query) -> bool:
        """Whether texts are compared without their case."""


@dataclass(frozen=True)
class EntityFields:
    """The fields of entities, as the search index has them."""

    catalog: Catalog

    def kind(self, field: str) -> str | None:
        return field_kind(self.catalog, field)

    def reader(self, field: str) -> FieldReader:
        if self.kind(field) is None:
            return lambda entity: []
        return field_reader(self.catalog, field)

    def folds(self, field: str, options: Query) -> bool:
        return bool(options.get("case_insensitive")) or (
            self.kind(field) == "keyword" and ignores_case(self.catalog, field)
        )


@dataclass(frozen=True)
class LogFields:
    """The fields of the entries of a log, by the kinds that its mapping gives them; an entry has its values by field."""

    kinds: Mapping[str, str]

    def kind(self, field: str) -> str | None:
        return self.kinds.get(field)

    def reader(self, field: str) -> FieldReader:
        return lambda entry: as_values(entry.get(field)) if field in self.kinds else []

    def folds(self, field: str, options: Query) -> bool:
        return bool(options.get("case_insensitive"))


def check_dsl(dsl: Query) -> None:
    """Raises `AtlasError` for a key of a search request that Elasticsearch does not have (400), or the sandbox (501)."""
    for key in dsl:
        if key in OTHER_DSL_KEYS:
            raise not_supported(f"[{key}] in a search")
        if key not in DSL_KEYS:
            raise query_rejected(f"Unknown key for a value in [{key}]")
    total = dsl.get("track_total_hits", True)
    if not isinstance(total, int) and total not in ("true", "false"):
        raise query_rejected(f"Failed to parse value [{total}] of [track_total_hits]")
    if dsl.get("aggregations") is not None and dsl.get("aggs") is not None:
        raise query_rejected("Found two aggregation definitions: [aggregations] and [aggs]")


def compile_query(catalog: Catalog, query: object) -> Predicate:
    """A predicate that says whether an entity matches a query, `{kind: body}`.

    Raises `AtlasError` (400, as Elasticsearch's refusals come through the metastore) for an unknown kind or a malformed
    body, and 501 for a kind or an option that is not supported. What the predicate reads of the catalog is read when it is
    asked.
    """
    return compile_over(EntityFields(catalog), query)


def compile_over(fields: Fields, query: object) -> Predicate:
    """As `compile_query`, over any fields."""
    if not isinstance(query, dict) or len(query) != 1:
        raise query_rejected("a query is an object with one key, its kind")
    ((kind, body),) = query.items()
    compiler = COMPILERS.get(kind)
    if not compiler:
        if kind in OTHER_KINDS:
            raise not_supported(f"[{kind}] queries")
        raise query_rejected(f"unknown query [{kind}]")
    if not isinstance(body, dict):
        raise query_rejected(f"[{kind}] query malformed, no start_object after query name")
    return compiler(fields, body)


# Reading bodies


def check_boost(kind: str, given: Query) -> None:
    """Raises `AtlasError` (400) for a boost that is no number, or a negative one (`AbstractQueryBuilder.checkNegativeBoost`)."""
    boost = given.get("boost", 1)
    if isinstance(boost, bool) or not _is_number(as_text(boost)):
        raise query_rejected(f"[{kind}] query: [boost] must be a number, not [{boost}]")
    if float(boost) < 0:
        raise query_rejected(f"negative [boost] are not allowed in [{kind}], use a value between 0 and 1 to deboost")


def check_options(kind: str, given: Query, known: set[str], other: set[str] | frozenset[str] = frozenset()) -> None:
    """Raises `AtlasError` for an option of a query that Elasticsearch does not have (400), or the sandbox (501)."""
    for name in given:
        if name in other:
            raise not_supported(f"[{name}] of [{kind}] queries")
        if name not in known and name not in EVERY:
            raise query_rejected(f"[{kind}] query does not support [{name}]")
    check_boost(kind, given)


def single_field(
    kind: str, body: Query, names: tuple[str, ...], known: set[str], other: set[str] | frozenset[str] = frozenset()
) -> tuple[str, Any, Query]:
    """The field, the value and the options of a query such as `{"field": {"value": …}}` or `{"field": …}`.

    `names` are those under which the value may stand; `known` and `other` are options, as `check_options` takes them.
    Raises `AtlasError` if the body is neither. What belongs below the field, as `boost`, is a second field beside it
    (`AbstractQueryBuilder.throwParsingExceptionOnMultipleFields`).
    """
    if len(body) != 1:
        raise query_rejected(f"[{kind}] query needs just one field, found [{'] and ['.join(body)}]")
    ((field, value),) = body.items()
    if not isinstance(value, dict):
        return field, _scalar(kind, value), {}
    options = {name: option for name, option in value.items() if name not in names}
    check_options(kind, options, known, other)
    given = [name for name in names if name in value]
    if len(given) != 1:
        raise query_rejected(f"[{kind}] query needs a value for [{field}]")
    if not isinstance(options.get("case_insensitive", False), bool):
        raise query_rejected("Failed to parse value of [case_insensitive] as only [true] or [false] are allowed")
    return field, _scalar(kind, value[given[0]]), options


def _scalar(kind: str, value: Any) -> Any:
    if value is None or isinstance(value, (dict, list)):
        raise query_rejected(f"[{kind}] query takes a single value, and not null, an array or an object")
    return value


def clauses_of(body: Query, name: str) -> list[Any]:
    """The queries under `filter`, `must`, `must_not` or `should` of a bool query, which may be one or a list."""
    queries = body.get(name)
    return queries if isinstance(queries, list) else [] if queries is None else [queries]


def values_of_terms(body: Query) -> tuple[str, list[Any]]:
    """The field and the values of a terms query. Raises `AtlasError` if it is none."""
    named = [(name, values) for name, values in body.items() if name not in EVERY]
    if len(named) != 1:
        raise query_rejected(f"[terms] query requires just one field name, found {len(named)}")
    check_boost("terms", body)
    ((field, values),) = named
    if isinstance(values, dict):
        raise not_supported("looking up the values of [terms] queries")
    if not isinstance(values, list):
        raise query_rejected(f"[terms] query requires a list of values for [{field}]")
    if len(values) > MAX_TERMS:
        raise query_rejected(
            f"The number of terms [{len(values)}] used in the Terms Query request has exceeded the allowed maximum of [{MAX_TERMS}]"
        )
    for value in values:
        _scalar("terms", value)
    return field, values


def whole_number(value: Any, what: str, least: int | None = 0) -> int:
    """A whole number, which may be written as a text. Raises `AtlasError` (400) for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        raise query_rejected(f"Failed to parse value [{value}] of [{what}]")
    return value


# Joining queries


def _bool(fields: Fields, body: Query) -> Predicate:
    check_options(
        "bool", body, {"must", "filter", "should", "must_not", "minimum_should_match", "adjust_pure_negative"}
    )

    def compiled(name: str) -> list[Predicate]:
        clauses = clauses_of(body, name)
        if len(clauses) > MAX_CLAUSES:
            raise query_rejected(f"too_many_clauses: maxClauseCount is set to {MAX_CLAUSES}")
        return [compile_over(fields, query) for query in clauses]

    required, excluded, optional = compiled("filter") + compiled("must"), compiled("must_not"), compiled("should")
    given = body.get("minimum_should_match")
    # Where nothing else is required, one of the optional clauses is ("Boolean query", minimum_should_match).
    minimum = (1 if optional and not required else 0) if given is None else minimum_of(given, len(optional))

    def matches(entity: Entity) -> bool:
        if not all(predicate(entity) for predicate in required):
            return False
        if any(predicate(entity) for predicate in excluded):
            return False
        return minimum <= 0 or sum(predicate(entity) for predicate in optional) >= minimum

    return matches


def minimum_of(given: Any, clauses: int) -> int:
    """How many of so many clauses have to match ("minimum_should_match parameter"): a number or a percentage, below zero
    so many that need not; `3<90%` is for more than three clauses, of which up to so many all have to match.
    """
    text = re.sub(r"\s*<\s*", "<", as_text(given).strip())
    if "<" in text:
        least = clauses
        for most, bar, part in (combination.partition("<") for combination in text.split()):
            if not bar or not re.fullmatch(r"-?[0-9]{1,9}", most):
                raise query_rejected(f"Failed to parse value [{text}] of [minimum_should_match]")
            if clauses <= int(most):
                break
            least = minimum_of(part, clauses)
        return least
    found = re.fullmatch(r"([+-]?[0-9]{1,9})(%?)", text)
    if not found or isinstance(given, (bool, float, dict, list)):
        raise query_rejected(f"Failed to parse value [{text}] of [minimum_should_match]")
    number = abs(int(found[1]))
    if found[2]:
        number = clauses * number // 100
    return max(0, clauses - number) if found[1].startswith("-") else number


def _dis_max(fields: Fields, body: Query) -> Predicate:
    check_options("dis_max", body, {"queries", "tie_breaker"})
    predicates = [compile_over(fields, query) for query in clauses_of(body, "queries")]
    if not predicates:
        raise query_rejected("[dis_max] requires 'queries' field with at least one clause")
    return lambda entity: any(predicate(entity) for predicate in predicates)


def _constant_score(fields: Fields, body: Query) -> Predicate:
    check_options("constant_score", body, {"filter"})
    if "filter" not in body:
        raise query_rejected("[constant_score] requires a 'filter' element")
    return compile_over(fields, body["filter"])


def _function_score(fields: Fields, body: Query) -> Predicate:
    """Only its query matters, as hits are not sorted by score; what leaves hits out for their score is not supported."""
    functions = {"functions", "script_score", "random_score", "weight", "field_value_factor", "gauss", "linear", "exp"}
    known = {"query", "score_mode", "boost_mode", "max_boost", *functions}
    check_options("function_score", body, known, {"min_score"})
    return compile_over(fields, body.get("query", {"match_all": {}}))


NESTED = ("relationshipList",)  # the one nested field of the metastore's addons/elasticsearch/es-mappings.json


def _nested(fields: Fields, body: Query) -> Predicate:
    """ "Nested query": a path that is not nested is refused, or finds nothing where that is asked for."""
    check_options("nested", body, {"path", "query", "score_mode", "ignore_unmapped"}, {"inner_hits"})
    path, ignored = body.get("path"), body.get("ignore_unmapped", False)
    if not isinstance(path, str) or "query" not in body:
        raise query_rejected("[nested] requires 'path' and 'query' fields")
    if not isinstance(ignored, bool):
        raise query_rejected("Failed to parse value of [ignore_unmapped] as only [true] or [false] are allowed")
    compile_over(fields, body["query"])
    check_nested(path, ignored)
    return lambda entity: False


def check_nested(path: object, ignored: bool = False) -> None:
    """Raises `AtlasError`: 400 for a path that is not nested unless that is to be ignored, 501 for one that is."""
    if path in NESTED:
        raise not_supported(f"the nested field [{path}]")
    if not ignored:
        raise query_rejected(f"[nested] failed to find nested object under path [{path}]")


def _everything(fields: Fields, body: Query, found: bool, kind: str) -> Predicate:
    check_options(kind, body, set())
    return lambda entity: found


def _ids(fields: Fields, body: Query) -> Predicate:
    """The ids of the index are those of the graph's vertices, which no client knows."""
    check_options("ids", body, {"values", "type"})
    raise not_supported("[ids] queries")


# Whole values


def _term(fields: Fields, body: Query) -> Predicate:
    field, value, options = single_field("term", body, ("value",), {"case_insensitive"})
    return _membership(fields, field, [value], options)


def _terms(fields: Fields, body: Query) -> Predicate:
    field, values = values_of_terms(body)
    if field == "__guid" and len(values) > MAX_GUIDS:
        raise query_rejected(f"too many guids in one search: {len(values)}")
    return _membership(fields, field, values, {})


def _membership(fields: Fields, field: str, values: list[Any], options: Query) -> Predicate:
    kind, read = fields.kind(field), fields.reader(field)
    for value in values:
        check_value(field, kind, value)
    if kind == "text":  # a term is not analysed: it has to be a word as the index has it
        fold = bool(options.get("case_insensitive"))
        words = {as_text(value).lower() if fold else as_text(value) for value in values}
        return lambda entity: any(not words.isdisjoint(words_in(field, str(value))) for value in read(entity))
    if kind == "date":  # all of what a date names, as a range would take it ("Date field type")
        spans = [(moment_of(field, value), moment_of(field, value, up=True)) for value in values]
        return lambda entity: any(start <= value <= end for value in read(entity) for start, end in spans)
    fold = fields.folds(field, options)
    wanted = {form for value in values for form in wanted_values(value, fold)}
    return lambda entity: any(indexed_value(value, fold) in wanted for value in read(entity))


def check_value(field: str, kind: str | None, value: Any) -> None:
    """Raises `AtlasError` (400) for a value that a field of this kind cannot be compared with."""
    text = as_text(value)
    if kind == "rank_feature":
        raise query_rejected(f"Queries on [rank_feature] fields are not supported [{field}]")
    if kind == "boolean" and text not in ("true", "false", ""):
        raise query_rejected(f"failed to create query: Can't parse boolean value [{text}], expected [true] or [false]")
    if kind in ("long", "double") and (isinstance(value, bool) or not _is_number(text)):
        raise query_rejected(f'failed to create query: For input string: "{text}" [{field}]')
    if kind == "date":
        moment_of(field, value)


def moment_of(field: str, value: Any, up: bool = False, zone: tzinfo = timezone.utc, formatted: bool = False) -> int:
    """The moment that a query names for a date field, whose format is epoch_millis unless the query brings one (`formatted`):
    no dates then (`TIMESTAMP_MULTIFIELDS` of `GraphBackedSearchIndexer`).

    Raises `AtlasError` (400) if it names none.
    """
    moment = None if isinstance(value, bool) else read_moment(as_text(value), up, zone, formatted)
    if moment is None:
        raise query_rejected(f"failed to parse date field [{value}] with format [epoch_millis] [{field}]")
    return moment


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", text.strip()) is not None


def _exists(fields: Fields, body: Query) -> Predicate:
    check_options("exists", body, {"field"})
    field = body.get("field")
    if not isinstance(field, str) or not field:
        raise query_rejected("[exists] must be provided with a [field]")
    read = fields.reader(field)
    return lambda entity: bool(read(entity))


LIMITS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, limit: bool(value > limit),
    "gte": lambda value, limit: bool(value >= limit),
    "lt": lambda value, limit: bool(value < limit),
    "lte": lambda value, limit: bool(value <= limit),
}
RELATIONS = ("INTERSECTS", "CONTAINS", "WITHIN")
# Formats whose moments are read as any other; a format of one's own is not supported.
DATE_FORMATS = {
    "epoch_millis", "date_optional_time", "strict_date_optional_time", "strict_date_optional_time_nanos", "date", "strict_date",
    "date_time", "strict_date_time", "date_time_no_millis", "strict_date_time_no_millis", "yyyy-MM-dd",
}  # fmt: skip


def _range(fields: Fields, body: Query) -> Predicate:
    if len(body) != 1 or not isinstance(next(iter(body.values())), dict):
        raise query_rejected("[range] query needs one field with its limits")
    ((field, limits),) = body.items()
    known = {*LIMITS, "format", "time_zone", "relation"}
    check_options("range", limits, known, {"from", "to", "include_lower", "include_upper"})
    kind, read = fields.kind(field), fields.reader(field)
    zone = _check_range(limits)
    tests = []
    for name, test in LIMITS.items():
        if limits.get(name) is not None:
            limit = _scalar("range", limits[name])
            if kind == "date":
                limit = moment_of(field, limit, name in ("gt", "lte"), zone, bool(limits.get("format")))
            elif kind in STRINGS:
                limit = as_text(limit)
            else:
                if kind is not None:
                    check_value(field, kind, limit)
                limit = comparable(limit)
            tests.append((test, limit))

    def within(value: Any) -> bool:
        value = value if kind in STRINGS else comparable(value)
        try:
            return all(test(value, limit) for test, limit in tests)
        except TypeError:
            return False  # a number against a text

    if kind == "text":
        return lambda entity: any(within(word) for value in read(entity) for word in words_in(field, str(value)))
    return lambda entity: any(within(value) for value in read(entity))


def _check_range(limits: Query) -> tzinfo:
    """The time zone of a range, after a look at its options; fields that are no dates have no use for it, nor for a format
    (Elasticsearch's `SimpleMappedFieldType.rangeQuery`).
    """
    relation = limits.get("relation")
    if relation is not None and str(relation).upper() not in RELATIONS:
        raise query_rejected(f"[range] query does not support relation [{relation}]")
    formats, zone = limits.get("format"), limits.get("time_zone")
    for name, value in (("format", formats), ("time_zone", zone)):
        if value is not None and not isinstance(value, str):
            raise query_rejected(f"[range] query needs a text as [{name}]")
    if formats and not set(formats.split("||")) <= DATE_FORMATS:
        raise not_supported(f"the date format [{formats}]")
    return read_zone(zone or "")


# Parts of texts


def _text_predicate(fields: Fields, kind: str, field: str, options: Query, test: Test) -> Predicate:
    """A predicate that tests the texts of a field: whole ones of a keyword field, single words of one that is analysed."""
    held = fields.kind(field)
    if held not in (*STRINGS, None):
        raise query_rejected(
            f"Can only use {kind} queries on keyword, text and wildcard fields - not on [{field}] which is of type [{held}]"
        )
    if options.get("rewrite") is not None:
        rewrite = options["rewrite"]
        if rewrite not in REWRITES and not re.fullmatch(r"top_terms(_boost|_blended_freqs)?_[0-9]+", str(rewrite)):
            raise query_rejected(f"Failed to parse rewrite_method [{rewrite}]")
    read = fields.reader(field)
    if held == "text":
        return lambda entity: any(test(word) for value in read(entity) for word in words_in(field, str(value)))
    return lambda entity: any(test(as_text(value)) for value in read(entity))


def _prefix(fields: Fields, body: Query) -> Predicate:
    field, value, options = single_field("prefix", body, ("value",), {"case_insensitive", "rewrite"})
    start = as_text(value)
    if fields.folds(field, options):
        folded = start.lower()
        return _text_predicate(fields, "prefix", field, options, lambda text: text.lower().startswith(folded))
    return _text_predicate(fields, "prefix", field, options, lambda text: text.startswith(start))


def _wildcard(fields: Fields, body: Query) -> Predicate:
    field, value, options = single_field("wildcard", body, ("value", "wildcard"), {"case_insensitive", "rewrite"})
    test = wildcard_test(as_text(value), fields.folds(field, options))
    return _text_predicate(fields, "wildcard", field, options, test)


def _regexp(fields: Fields, body: Query) -> Predicate:
    known = {"case_insensitive", "rewrite", "max_determinized_states"}
    field, value, options = single_field("regexp", body, ("value",), known, {"flags", "flags_value"})
    most = whole_number(options.get("max_determinized_states", MAX_DETERMINIZED_STATES), "max_determinized_states")
    test = compile_regexp(as_text(value), fields.folds(field, options), min(most, MAX_DETERMINIZED_STATES))
    return _text_predicate(fields, "regexp", field, options, test)


def _fuzzy(fields: Fields, body: Query) -> Predicate:
    known = {"fuzziness", "max_expansions", "prefix_length", "transpositions", "rewrite"}
    field, value, options = single_field("fuzzy", body, ("value",), known)
    text = as_text(value)
    test = _fuzzy_test(text.lower() if fields.folds(field, {}) else text, options, options.get("transpositions", True))
    if fields.folds(field, {}):
        return _text_predicate(fields, "fuzzy", field, options, lambda found: test(found.lower()))
    return _text_predicate(fields, "fuzzy", field, options, test)


def _fuzzy_test(word: str, options: Query, transpositions: Any) -> Test:
    """A test whether a word is so near to another one ("Fuzziness": by default the nearer, the shorter the word is)."""
    given = as_text(options.get("fuzziness", "AUTO")).upper()
    auto = re.fullmatch(r"AUTO(?::([0-9]{1,4}),([0-9]{1,4}))?", given)
    if auto:
        low, high = int(auto[1] or 3), int(auto[2] or 6)
        most = 0 if len(word) < low else 1 if len(word) < high else 2
    elif re.fullmatch(r"[012](\.0*)?", given):
        most = int(given[0])
    else:
        raise query_rejected(f"Invalid fuzziness value: {given}, only [0, 1, 2, AUTO] are allowed")
    if not isinstance(transpositions, bool):
        raise query_rejected("Failed to parse value of [transpositions] as only [true] or [false] are allowed")
    whole_number(options.get("max_expansions", 50), "max_expansions", 1)
    start = word[: whole_number(options.get("prefix_length", 0), "prefix_length")]
    return lambda found: found.startswith(start) and edits(word, found, most, transpositions) <= most


# Words

# What analysers make of a text ("Built-in analyzer reference"), and those that are not here, the metastore's own from its
# addons/elasticsearch/es-settings.json among them.
OTHER_ANALYZERS = {
    "stop", "pattern", "fingerprint", "english", "german", "french", "spanish", "atlan_glossary_analyzer",
    "atlan_path_analyzer", "atlan_search_delimiter_analyzer", "atlan_text_delimiter_analyzer", "atlan_text_stemmer",
    "search_synonyms", "truncate_analyzer",
}  # fmt: skip
MATCH_OPTIONS = {
    "operator", "minimum_should_match", "fuzziness", "prefix_length", "max_expansions", "fuzzy_transpositions",
    "fuzzy_rewrite", "zero_terms_query", "lenient", "auto_generate_synonyms_phrase_query",
}  # fmt: skip


def _match(fields: Fields, body: Query) -> Predicate:
    field, text, options = single_field("match", body, ("query",), {*MATCH_OPTIONS, "analyzer"}, {"cutoff_frequency"})
    return _text_match(fields, field, text, options)


def _multi_match(fields: Fields, body: Query) -> Predicate:
    known = {"query", "fields", "type", "tie_breaker", "slop", *MATCH_OPTIONS}
    check_options("multi_match", body, known, {"analyzer", "cutoff_frequency"})
    text, names, kind = body.get("query"), body.get("fields"), body.get("type", "best_fields")
    if names is None:
        raise not_supported("[multi_match] queries without fields")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise query_rejected("[multi_match] query needs a list of fields")
    _scalar("multi_match", text)
    if kind in ("cross_fields", "phrase_prefix", "bool_prefix") or any("*" in name for name in names):
        raise not_supported(f"[multi_match] queries of type [{kind}], or with wildcards in their fields")
    if kind not in ("best_fields", "most_fields", "phrase"):
        raise query_rejected(f"failed to parse [multi_match] query type [{kind}]. unknown type.")
    plain = [name.split("^")[0] for name in names]
    if kind == "phrase":
        slop = whole_number(body.get("slop", 0), "slop")
        predicates = [_phrase(fields, name, text, slop, body) for name in plain]
    else:
        predicates = [_text_match(fields, name, text, body) for name in plain]
    return lambda entity: any(predicate(entity) for predicate in predicates)


def _text_match(fields: Fields, field: str, text: Any, options: Query) -> Predicate:
    """Words of an analysed field; the whole value of any other one ("Match query": the text is analysed as the field is)."""
    kind, read = fields.kind(field), fields.reader(field)
    operator = str(options.get("operator", "or")).lower()
    if operator not in ("or", "and"):
        raise query_rejected(f"No enum constant for operator [{operator}]")
    if not isinstance(options.get("lenient", False), bool):
        raise query_rejected("Failed to parse value of [lenient] as only [true] or [false] are allowed")
    nothing = _zero_terms(options)
    fuzzy = options.get("fuzziness") is not None
    words = _words_wanted(field, kind, text, options)
    if words is None:
        try:
            if fuzzy and kind == "keyword":
                near = _fuzzy_test(as_text(text), options, options.get("fuzzy_transpositions", True))
                return lambda entity: any(near(as_text(value)) for value in read(entity))
            return _membership(fields, field, [text], {})
        except AtlasError:
            if options.get("lenient"):
                return lambda entity: False
            raise
    wanted = list(dict.fromkeys(words))
    if not wanted:
        return lambda entity: nothing
    given = options.get("minimum_should_match")
    need = len(wanted) if operator == "and" else 1 if given is None else max(1, minimum_of(given, len(wanted)))
    tests = [_fuzzy_test(word, options, options.get("fuzzy_transpositions", True)) for word in wanted] if fuzzy else []

    def matches(entity: Entity) -> bool:
        found = {word for value in read(entity) for word in words_in(field, str(value))}
        if tests:
            return sum(any(test(word) for word in found) for test in tests) >= need
        return sum(word in found for word in wanted) >= need

    return matches


def _words_wanted(field: str, kind: str | None, text: Any, options: Query) -> list[str] | None:
    """The words that an analyser makes of the text of a match; None for a field that is compared as a whole."""
    name = options.get("analyzer")
    if name is not None and (not isinstance(name, str) or name not in {*ANALYSERS, *OTHER_ANALYZERS}):
        raise query_rejected(f"[match] analyzer [{name}] not found")
    if name in OTHER_ANALYZERS or (name not in (None, "keyword") and kind != "text"):
        raise not_supported(f"the analyzer [{name}]")
    if kind != "text":
        return None
    return words_wanted(field, as_text(text)) if name is None else ANALYSERS[name](as_text(text))


def _zero_terms(options: Query) -> bool:
    """Whether a text without words matches everything."""
    given = str(options.get("zero_terms_query", "none")).lower()
    if given not in ("none", "all"):
        raise query_rejected(f"Unsupported zero_terms_query value [{given}]")
    return given == "all"


def _match_phrase(fields: Fields, body: Query) -> Predicate:
    field, text, options = single_field("match_phrase", body, ("query",), {"slop", "zero_terms_query", "analyzer"})
    return _phrase(fields, field, text, whole_number(options.get("slop", 0), "slop"), options)


def _phrase(fields: Fields, field: str, text: Any, slop: int, options: Query) -> Predicate:
    kind, read, nothing = fields.kind(field), fields.reader(field), _zero_terms(options)
    words = _words_wanted(field, kind, text, options)
    if words is None:
        return _membership(fields, field, [text], {})
    if not words:
        return lambda entity: nothing
    return lambda entity: any(_has_phrase(words_in(field, str(value)), words, slop) for value in read(entity))


def _has_phrase(words: list[str], wanted: list[str], slop: int) -> bool:
    """Whether the wanted words stand together: their places, each less its place in the phrase, differ by no more than the
    slop (Lucene's `SloppyPhraseMatcher`).
    """
    shifted = [[at - place for at, found in enumerate(words) if found == word] for place, word in enumerate(wanted)]
    if not all(shifted):
        return False
    return any(
        all(any(low <= shift <= low + slop for shift in one) for one in shifted) for one in shifted for low in one
    )


def _span(fields: Fields, body: Query, kind: str) -> Predicate:
    """Words in their places; a term of a span is not analysed ("Span term query")."""
    field, find = compile_span(kind, body)
    if fields.kind(field) not in ("text", None):
        raise query_rejected(f"Can only use span queries on text fields - not on [{field}] which is of another type")
    read = fields.reader(field)
    return lambda document: any(find(words_in(field, str(value))) for value in read(document))


COMPILERS: dict[str, Callable[[Fields, Query], Predicate]] = {
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "prefix": _prefix,
    "wildcard": _wildcard,
    "regexp": _regexp,
    "fuzzy": _fuzzy,
    "exists": _exists,
    "range": _range,
    "match": _match,
    "multi_match": _multi_match,
    "match_phrase": _match_phrase,
    "match_all": partial(_everything, found=True, kind="match_all"),
    "match_none": partial(_everything, found=False, kind="match_none"),
    "dis_max": _dis_max,
    "constant_score": _constant_score,
    "function_score": _function_score,
    "ids": _ids,
    "nested": _nested,
    **{kind: partial(_span, kind=kind) for kind in SPAN_KINDS},
}
