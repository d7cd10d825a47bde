"""Sorting hits."""

from __future__ import annotations

from sandbox.catalog import Catalog, Entity
from sandbox.search.fields import field_reader


def sort_entities(catalog: Catalog, entities: list[Entity], sort: object) -> list[Entity]:
    """The entities sorted by each criterion in turn; those without a value come last, in either order.

    `sort` is a criterion or a list of them: a field's name, or `{field: "desc"}`, or `{field: {"order": "desc"}}`.
    Elasticsearch's reference, "Sort search results", says the same of missing values.
    """
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
