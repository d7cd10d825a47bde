"""The type system of a tenant, read from pyatlan's own models.

pyatlan generates one class per Atlan type, so its classes tell the hierarchy, the attributes with their types and how
the search index holds them, and the relationships. Two things they do not tell are inferred here: further super types of
a type that has several (pyatlan copies their fields into the class), and which two relationship fields are the ends of
one relationship.
"""

from __future__ import annotations

import re
import typing
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

# Ends of relationships that field names alone do not pair up.
KNOWN_INVERSES = {
    ("AtlasGlossaryTerm", "classifies"): "isA",
    ("AtlasGlossaryTerm", "preferredTerms"): "preferredToTerms",
    ("AtlasGlossaryTerm", "replacedBy"): "replacementTerms",
    ("AtlasGlossaryTerm", "translatedTerms"): "translationTerms",
    ("AtlasGlossaryTerm", "validValues"): "validValuesFor",
    ("AtlasGlossaryTerm", "synonyms"): "synonyms",
    ("AtlasGlossaryTerm", "antonyms"): "antonyms",
    ("AtlasGlossaryTerm", "seeAlso"): "seeAlso",
    ("Column", "foreignKeyFrom"): "foreignKeyTo",
    ("Column", "parentColumn"): "nestedColumns",
    ("Database", "schemas"): "database",
}
OPPOSITES = [
    ("parent", "child"),
    ("parent", "sub"),
    ("parent", "nested"),
    ("from", "to"),
    ("predecessors", "successors"),
    ("previous", "next"),
    ("generalization", "specialization"),
    ("by", "controlled"),
]


@dataclass(frozen=True)
class Relationship:
    """One end of a relationship: the field `name` of a type, the type it points to, and the field at the other end.

    `many` says that the field takes several entities; `inverse` is None where the other end has no field.
    """

    name: str
    target: str
    many: bool
    inverse: str | None = None
    inverse_many: bool = True


@dataclass(frozen=True)
class EntityType:
    """An Atlan type: its super types (nearest first, all levels), its attributes and its relationships by name."""

    name: str
    super_types: tuple[str, ...]
    attributes: frozenset[str]
    relationships: dict[str, Relationship]

    def is_a(self, type_name: str) -> bool:
        """Whether it is the type of this name or a subtype of it, at any level."""
        return type_name == self.name or type_name in self.super_types


@dataclass(frozen=True)
class TypeSystem:
    """The types of a tenant by name (Atlas's `AtlasTypeRegistry`): of entities, and what their attributes are made of.

    `attributes` has the type of each attribute as Atlas writes it (`string`, `array<string>`, `map<string,long>`, the name
    of an enumeration or a structure): an attribute's name has the same type wherever it is. `enums` has the values of
    each enumeration, `structs` the attributes of each structure with their types. `fields` has every field of the search
    index and how it is held there: keyword, text, long, double, boolean or rank_feature.
    """

    types: dict[str, EntityType]
    attributes: dict[str, str] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    structs: dict[str, dict[str, str]] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    families: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        self.families.update({name: [name] for name in self.types})
        for entity_type in self.types.values():
            for super_type in entity_type.super_types:
                self.families[super_type].append(entity_type.name)

    def get(self, name: str) -> EntityType | None:
        """The type of this name, in this case; None if there is none."""
        return self.types.get(name)

    def family(self, name: str) -> list[str]:
        """The name of the type, then those of all its subtypes; empty for an unknown type."""
        return self.families.get(name, [])


def read_types() -> TypeSystem:
    """The asset types, from pyatlan's classes: which fields are there, of which types, and which refer to other assets.

    Takes some seconds, for the import of all of pyatlan's models.
    """
    import pyatlan.model.assets as assets
    from pyatlan.model.assets import Referenceable
    from pyatlan.model.structs import SourceTagAttachment

    names = [name for group in vars(assets)["__PYATLAN_ASSETS__"].values() for name in group]
    classes = {name: getattr(assets, name) for name in names}
    lineages = {
        name: [base.__name__ for base in cls.__mro__ if base.__name__ in classes] for name, cls in classes.items()
    }

    attributes: dict[str, set[str]] = {}
    ends: dict[str, dict[str, tuple[str, bool]]] = {}
    values = _ValueTypes()
    for name, cls in classes.items():
        fields = {described.alias: described for described in cls.Attributes.__fields__.values()}
        ends[name] = {}
        for alias, described in fields.items():
            target = described.type_
            if isinstance(target, type) and issubclass(target, Referenceable):
                ends[name][alias] = (target.__name__, described.shape != 1)
            elif alias not in values.attributes:
                values.attributes[alias] = values.name_of(described.outer_type_)
        attributes[name] = set(fields) - set(ends[name])

    values.name_of(SourceTagAttachment)  # of tags alone, so that no asset has it
    inverses = _pair_relationships(lineages, ends)
    types = {}
    for name in names:
        relationships = {}
        for alias, (target, many) in ends[name].items():
            owner = next(base for base in reversed(lineages[name]) if alias in ends[base])
            inverse = inverses.get((owner, alias))
            inverse_many = True
            if inverse:
                holder = ends[target].get(inverse) or ends[owner].get(inverse)
                inverse_many = holder[1] if holder else True
            relationships[alias] = Relationship(alias, target, many, inverse, inverse_many)
        super_types = [*lineages[name][1:], *_further_super_types(name, lineages, attributes, ends)]
        types[name] = EntityType(name, tuple(dict.fromkeys(super_types)), frozenset(attributes[name]), relationships)
    indexed = _index_fields(classes.values(), values.attributes)
    return TypeSystem(types, values.attributes, values.enums, values.structs, indexed)


class _ValueTypes:
    """The types of attributes as Atlas writes them, and the enumerations and structures that they name.

    The reverse of what pyatlan's generator does (`TYPE_REPLACEMENTS` of its class_generator.py), which makes the same of
    int and long, and of float and double: the wider one is taken.
    """

    PRIMITIVES: typing.ClassVar[dict[object, str]] = {
        str: "string", int: "long", float: "double", bool: "boolean", datetime: "date"
    }  # fmt: skip

    def __init__(self) -> None:
        self.attributes: dict[str, str] = {}
        self.enums: dict[str, list[str]] = {}
        self.structs: dict[str, dict[str, str]] = {}

    def name_of(self, annotation: Any) -> str:
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        origin = typing.get_origin(annotation)
        if origin is typing.Union:
            return self.name_of(inner[0])
        if origin in (list, set):
            return f"array<{self.name_of(inner[0])}>"
        if origin is dict:
            return f"map<{self.name_of(inner[0])},{self.name_of(inner[1])}>"
        if annotation in self.PRIMITIVES:
            return self.PRIMITIVES[annotation]
        name: str = annotation.__name__
        if issubclass(annotation, Enum):
            self.enums[name] = [str(member.value) for member in annotation]
        elif hasattr(annotation, "__fields__"):
            if name not in self.structs:
                self.structs[name] = {}
                described = annotation.__fields__.values()
                self.structs[name].update({part.alias: self.name_of(part.outer_type_) for part in described})
        else:
            return "string"  # a class of pyatlan's own around a text (AtlanTagName)
        return name


def _index_fields(classes: Iterable[type], attributes: dict[str, str]) -> dict[str, str]:
    """How the search index holds each field, from the field constants of pyatlan's classes (`Table.NAME`).

    Where the keyword is a part of a field (`name.keyword`), the field itself is text.
    """
    from pyatlan.model.fields import atlan_fields as kinds

    found: dict[str, str] = {}
    constants = {
        (constant.elastic_field_name, type(constant)): constant
        for cls in classes
        for base in cls.__mro__
        for constant in vars(base).values()
        if isinstance(constant, kinds.SearchableField)
    }
    for constant in constants.values():
        name = constant.elastic_field_name
        if isinstance(constant, kinds.BooleanField):
            found[name] = "boolean"
        elif isinstance(constant, kinds.NumericField):
            found[name] = "double" if attributes.get(name) == "double" else "long"  # a date, too
        else:
            found[name] = "text" if type(constant) is kinds.TextField else "keyword"
        for part, kind in (
            ("rank_field_name", "rank_feature"), ("_text_field_name", "text"), ("stemmed_field_name", "text"),
            ("_internal_field_name", found[name]),
        ):  # fmt: skip
            if getattr(constant, part, None):
                found.setdefault(getattr(constant, part), kind)
    for name in [name for name in found if name.endswith(".keyword")]:
        found.setdefault(name.removesuffix(".keyword"), "text")
    return found


def _further_super_types(
    name: str,
    lineages: dict[str, list[str]],
    attributes: dict[str, set[str]],
    ends: dict[str, dict[str, tuple[str, bool]]],
) -> list[str]:
    """Abstract types outside the class hierarchy whose fields are all present in `name`."""
    found = []
    for other in ("Catalog", "Cloud", "AWS", "Azure", "Google", "SQL", "NoSQL", "Dbt", "Flow"):
        if other in lineages[name]:
            continue
        base = lineages[other][1]
        own = (attributes[other] | set(ends[other])) - attributes[base] - set(ends[base])
        if own and own <= attributes[name] | set(ends[name]):
            found.append(other)
    return found


def _pair_relationships(
    lineages: dict[str, list[str]], ends: dict[str, dict[str, tuple[str, bool]]]
) -> dict[tuple[str, str], str]:
    """Find the other end of each relationship: (declaring type, field) -> field of the target type."""
    declared: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    for name, fields in ends.items():
        inherited = set().union(*(ends[base] for base in lineages[name][1:])) if len(lineages[name]) > 1 else set()
        for alias, (target, many) in fields.items():
            if alias not in inherited:
                declared[name, target].append((alias, many))

    inverses: dict[tuple[str, str], str] = {}
    for (owner, alias), inverse in KNOWN_INVERSES.items():
        inverses[owner, alias] = inverse
        inverses[ends[owner][alias][0], inverse] = alias
    for (owner, target), own_fields in declared.items():
        candidates = declared.get((target, owner), [])
        scored = sorted(
            (-_affinity(alias, other, owner, target, many, other_many), alias, other)
            for alias, many in own_fields
            for other, other_many in candidates
            if owner != target or alias != other
        )
        for _, alias, other in scored:
            if (owner, alias) not in inverses and (target, other) not in inverses:
                inverses[owner, alias] = other
                inverses[target, other] = alias
    _pair_copied_fields(inverses, declared)
    return inverses


def _pair_copied_fields(
    inverses: dict[tuple[str, str], str], declared: dict[tuple[str, str], list[tuple[str, bool]]]
) -> None:
    """Fields that pyatlan copied from a second super type keep the other end that they have there."""
    by_field: dict[tuple[str, str], str] = {}
    for (owner, target), fields in declared.items():
        for alias, _ in fields:
            if (owner, alias) in inverses:
                by_field.setdefault((alias, target), inverses[owner, alias])
    for (owner, target), fields in declared.items():
        for alias, _ in fields:
            if (owner, alias) not in inverses and (alias, target) in by_field:
                inverses[owner, alias] = by_field[alias, target]


def _affinity(alias: str, other: str, owner: str, target: str, many: bool, other_many: bool) -> float:
    """How well two field names fit as the two ends of one relationship (higher is better)."""
    words, other_words = _words(alias), _words(other)
    score = len(words & other_words) / len(words | other_words)
    if alias.lower().rstrip("s") == target.lower() and other.lower().rstrip("s") == owner.lower():
        score += 1
    for left, right in OPPOSITES:
        if (left in words and right in other_words) or (right in words and left in other_words):
            score += 0.5 + (0.25 if many != other_many else 0)
    return score


def _words(name: str) -> set[str]:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
    return {word.removesuffix("ren").removesuffix("s") for word in words}
