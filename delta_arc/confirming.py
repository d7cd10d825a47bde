"""Believing no answer: what Atlan was to write and does not name as written is read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from delta_arc.plan import Change, compared_value
from delta_arc.report import Outcome, Status
from runtime.atlan import read_entity
from runtime.parallel import map_unordered
from runtime.transport import AtlanRequestError

if TYPE_CHECKING:
    from pyatlan.client.atlan import AtlanClient

READING_AT_ONCE = 8
MOST_ABSENT = 50  # so many that are not there, and none that is: then the others are not asked for


def confirm(client: AtlanClient, changes: Iterable[Change], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, with those failed that Atlan did not name as written (no guid) and does not hold as they were sent.

    That no answer names an asset is no fault by itself: Atlan names what a request changes, and when an answer is lost
    the same request again changes nothing.
    """
    by_name = {change.qualified_name: change for change in changes}
    unnamed = [by_name[one.qualified_name] for one in outcomes if not one.guid and one.status is not Status.FAILED]
    faults = _read_back(client, unnamed)
    return [
        by_name[one.qualified_name].outcome(fault) if (fault := faults.get(one.qualified_name)) else one
        for one in outcomes
    ]


def _read_back(client: AtlanClient, changes: Sequence[Change]) -> dict[str, str]:
    """What is wrong with each asset, by qualified name; empty where nothing is."""
    faults: dict[str, str] = {}
    found = map_unordered(lambda change: (change, _fault_of(client, change)), changes, lambda: READING_AT_ONCE)
    for change, fault in found:
        faults[change.qualified_name] = fault
        if len(faults) >= MOST_ABSENT and all(faults.values()):
            break
    not_asked = "Atlan did not name it as written, nor does it hold those of the others that were asked for"
    return {change.qualified_name: faults.get(change.qualified_name, not_asked) for change in changes}


def _fault_of(client: AtlanClient, change: Change) -> str:
    try:
        entity = read_entity(client, change.type_name, change.qualified_name)
    except AtlanRequestError as error:
        return f"Atlan did not name it as written, and it cannot be read back: {error}"
    if entity is None or entity.get("status", "ACTIVE") != "ACTIVE":
        return "Atlan took it without a word, and it is not there"
    different = differences(entity, change.entity["attributes"])
    return (
        f"Atlan took it without a word, and its {', '.join(different)} are not as they were sent" if different else ""
    )


def differences(entity: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """The names of the attributes of an entity that are not what was sent."""
    attributes = entity.get("attributes")
    relations = entity.get("relationshipAttributes")
    held = attributes if isinstance(attributes, dict) else {}
    related = relations if isinstance(relations, dict) else {}
    return [name for name, value in sent.items() if not _is_held(value, related.get(name) or held.get(name))]


def _is_held(value: Any, held: Any) -> bool:
    if not isinstance(value, (dict, list)):
        return bool(value == held)
    wanted = compared_value(value if isinstance(value, list) else [value])
    there = held if isinstance(held, list) else [held] if held else []
    names = compared_value([item for item in there if not _is_gone(item)])
    if "" in names:  # Atlan may tell a related asset by its guid only
        return len(there) >= len(wanted)
    return set(wanted) <= set(names)


def _is_gone(item: Any) -> bool:
    """Whether a related asset, or the relation to it, is archived."""
    told = item if isinstance(item, dict) else {}
    return "DELETED" in (told.get("entityStatus"), told.get("relationshipStatus"))
