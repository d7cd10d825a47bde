"""Which object is of which table, which table lands where, and which hops that founds: what names, jobs, people and then
files say, made one answer. Pure.

A line of the overrides comes before what a job tells, and that before a name.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from delta_arc.entities import Flow, RegisteredObject
from delta_arc.evidence import Evidence
from delta_arc.fit import keeps_records
from delta_arc.hops import Hop, find_hops, is_doubtful, match_rest
from delta_arc.jobs.told import TOLD, Told, ToldObject, tell_objects
from delta_arc.joining import at_least, tell_hops, tell_matches, tell_pairs
from delta_arc.matching import AssetRow, MatchOutcome, ObjectMatch, columns_by_parent, match_s3_objects, tables_in
from delta_arc.overrides import Overrides
from delta_arc.overriding import explain_captures, override_objects, override_tables
from delta_arc.pairing import TablePair, match_tables
from delta_arc.report import Unmatched
from delta_arc.scope import objects_in_scope


@dataclass(frozen=True)
class Links:
    """The pairs of tables and the matches of objects.

    `telling` is what jobs tell of the objects, by key; `disagreeing` where jobs and names do not say the same; `remarks` are
    sentences about lines of the overrides.
    """

    pairs: Sequence[TablePair]
    matches: Sequence[ObjectMatch]
    telling: Mapping[str, ToldObject]
    disagreeing: Sequence[Unmatched]
    remarks: Sequence[str]

    @property
    def decided(self) -> frozenset[str]:
        """The keys of the objects of which a line of the overrides or a job says what they are."""
        outcomes = (MatchOutcome.OVERRIDDEN, MatchOutcome.TOLD)
        return frozenset(match.key for match in self.matches if match.outcome in outcomes)

    @property
    def doubtful(self) -> frozenset[str]:
        """The keys of the objects that may be a table's, which their columns may settle."""
        return frozenset(match.key for match in self.matches if is_doubtful(match))


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


def columns_to_find(pairs: Sequence[TablePair], assets: Sequence[AssetRow]) -> dict[str, list[str]]:
    """The names of the columns that the files of a table should have, by its qualified name; `assets` are those of both
    sides.

    A source whose columns are not known has those of its target, as far as they say something.
    """
    columns = {table: [row[1] for row in rows] for table, rows in columns_by_parent(assets).items()}
    for pair in pairs:
        own = columns.get(pair.target or "", [])
        if pair.source not in columns and own and not keeps_records(own):
            columns[pair.source] = own
    return columns


def wanted_hops(
    flow: Flow,
    links: Links,
    datasets: Mapping[str, Sequence[RegisteredObject]],
    evidence: Mapping[str, Evidence],
    existing: Container[str],
    min_ground: str,
) -> list[Hop]:
    """The hops that are founded, with those who tell them, as far as they stand on `min_ground` at least; see `find_hops`.

    `links` are those after the files have been read.
    """
    told = {match.table_qualified_name or "" for match in links.matches if match.outcome is MatchOutcome.TOLD}
    hops = tell_hops(find_hops(flow, links.pairs, datasets, evidence, existing, told), links.telling)
    keys = {match.key for match in links.matches if match.outcome is MatchOutcome.OVERRIDDEN}
    sources = {pair.source for pair in links.pairs if pair.outcome is MatchOutcome.OVERRIDDEN}
    return at_least(min_ground, hops, links.telling, keys, sources)
