"""Which object is of which table, and which table lands where: what names, jobs and people say, made one answer. Pure.

A line of the overrides comes before what a job tells, and that before a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from delta_arc.entities import RegisteredObject
from delta_arc.hops import match_rest
from delta_arc.jobs.told import TOLD, Told, ToldObject, tell_objects
from delta_arc.joining import tell_matches, tell_pairs
from delta_arc.matching import AssetRow, ObjectMatch, match_s3_objects, tables_in
from delta_arc.overrides import Overrides, explain_captures, override_objects, override_tables
from delta_arc.pairing import TablePair, match_tables
from delta_arc.report import Unmatched
from delta_arc.scope import objects_in_scope


@dataclass(frozen=True)
class Links:
    """The pairs of tables and the matches of objects, before any file has been read.

    `telling` is what jobs tell of the objects, by key; `disagreeing` where jobs and names do not say the same; `remarks` are
    sentences about lines of the overrides.
    """

    pairs: Sequence[TablePair]
    matches: Sequence[ObjectMatch]
    telling: Mapping[str, ToldObject]
    disagreeing: Sequence[Unmatched]
    remarks: Sequence[str]


def link(
    objects: Mapping[str, RegisteredObject],
    prefix: str,
    all_postgres: Sequence[AssetRow],
    postgres: Sequence[AssetRow],
    snowflake: Sequence[AssetRow],
    overrides: Overrides,
    told: Told,
) -> Links:
    """Link objects (by key) and tables; `postgres` and `snowflake` are the assets in scope.

    Objects are matched with the tables out of scope, too: that nobody looks at one makes its files no other's. Raises
    `SettingsError` where lines of the overrides say different things of one object.
    """
    pairs, lines = override_tables(overrides, match_tables(postgres, snowflake, overrides.forbidden))
    matches = objects_in_scope(match_s3_objects(objects, all_postgres, prefix), postgres)
    matches, more_lines = override_objects(overrides, match_rest(matches, pairs, snowflake, overrides, prefix))
    remarks = [*overrides.unused(lines | more_lines, "object", "never"), *overrides.notes]
    remarks += explain_captures(overrides, matches)
    telling = tell_objects((hop for hop in told.hops if hop.ground == TOLD), objects)
    named = {match.key: match.table_qualified_name for match in matches}
    matches, of_objects = tell_matches(matches, telling, overrides, {row[0] for row in tables_in(postgres)})
    pairs, of_tables = tell_pairs(pairs, matches, telling, overrides, named)
    return Links(pairs, matches, telling, [*of_objects, *of_tables], remarks)
