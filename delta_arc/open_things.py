"""What is unmatched as the page shows it: columns and tables of one place and for one reason together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from delta_arc.report import Unmatched
from lineage_page import OpenGroup, OpenThing, common_folder

KINDS = ("table", "object", "column")


def group_open_things(unmatched: Iterable[Unmatched]) -> list[OpenGroup]:
    """Groups of open things: those that lines settle together, and single ones by kind, reason and place."""
    groups: dict[tuple[str, str, str], list[Unmatched]] = defaultdict(list)
    told = []
    for item in unmatched:
        if item.count > 1:
            things = [OpenThing(name, item.sentence) for name in item.names]
            told.append(OpenGroup(item.kind, item.reason, _place(item), things, item.lines))
        else:
            groups[item.kind, item.reason or item.sentence, _place(item)].append(item)
    for (kind, reason, place), items in groups.items():
        told.append(
            OpenGroup(
                kind,
                reason,
                place,
                [OpenThing(name, item.sentence, item.lines) for item in items for name in item.names],
            )
        )
    return sorted(told, key=lambda group: KINDS.index(group.kind))


def _place(item: Unmatched) -> str:
    """The folder that all objects are in, or what a table or column is in, without the connection."""
    return common_folder(item.names) if item.kind == "object" else "/".join(item.names[0].split("/")[3:-1])
