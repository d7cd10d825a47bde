"""What is told and what is named, joined: the jobs' word wins, and where the two disagree, both are shown. Pure.

A line of the overrides wins over both: it is the word of a person who has looked.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from delta_arc.entities import RegisteredObject, last_name
from delta_arc.evidence import Ground
from delta_arc.hops import Hop
from delta_arc.jobs.told import ToldHop, ToldObject
from delta_arc.matching import MatchOutcome, ObjectMatch
from delta_arc.overrides import Overrides
from delta_arc.pairing import TablePair
from delta_arc.report import Unmatched

TellingByKey = Mapping[str, ToldObject]
GROUNDS = ("named", "read", "told")  # from the weakest on, as --min-ground has them


def tell_matches(
    matches: Iterable[ObjectMatch], told: TellingByKey, overrides: Overrides, sources_known: Container[str]
) -> tuple[list[ObjectMatch], list[Unmatched]]:
    """The matches of objects as the jobs tell them, and what names say otherwise; `sources_known` are all source tables.

    An object belongs to the source table that is told, or, where only its load is, and it names no source table, to the
    target. Where several are told, its name decides between them, or nothing does.
    """
    decided: list[ObjectMatch] = []
    disagreeing: list[Unmatched] = []
    for match in matches:
        known = told.get(match.key)
        if known and match.outcome is not MatchOutcome.OVERRIDDEN:
            sources = {hop.source: hop for hop in known.extracts}
            targets = {hop.target: hop for hop in known.loads}
            named = match.table_qualified_name
            if sources:
                match = _decide(match, sources)
            elif targets and (named is None or named in targets):
                match = _decide(match, targets)
            if named and named in sources_known and match.table_qualified_name != named:
                disagreeing.append(_disagreeing_object(match, named, [*sources.values()], overrides))
        decided.append(match)
    return decided, disagreeing


def _decide(match: ObjectMatch, told: Mapping[str, ToldHop]) -> ObjectMatch:
    named = match.table_qualified_name
    table = next(iter(told)) if len(told) == 1 else named if named in told else None
    if table:
        return ObjectMatch(match.key, table, f"told by {told[table].teller}", MatchOutcome.TOLD)
    return ObjectMatch(match.key, None, "ambiguous, as told by several jobs", MatchOutcome.AMBIGUOUS, (*sorted(told),))


def _disagreeing_object(match: ObjectMatch, named: str, told: list[ToldHop], overrides: Overrides) -> Unmatched:
    tables = " and ".join(sorted({last_name(hop.table) for hop in told}))
    sentence = f"S3 object {match.key} is of {tables}, as {told[0].teller} tells, and not of {last_name(named)}, as its name does"
    line = overrides.object_line(match.key, named)
    return Unmatched("object", sentence, (match.key,), (line,), reason="a job and the name disagree")


def tell_pairs(
    pairs: Iterable[TablePair],
    matches: Iterable[ObjectMatch],
    told: TellingByKey,
    overrides: Overrides,
    named: Mapping[str, str | None],
) -> tuple[list[TablePair], list[Unmatched]]:
    """The pairs of tables as the jobs tell them, by the objects of each source, and what names say otherwise.

    `named` is what the names of the objects say. Where they are those of a target, and only the extract is told, a source
    without a target lands there.
    """
    pairs = list(pairs)
    loads, named_targets = _read_targets({pair.source for pair in pairs}, matches, told, named)
    decided: list[TablePair] = []
    disagreeing: list[Unmatched] = []
    for pair in pairs:
        targets, free = loads.get(pair.source, {}), sorted(named_targets.get(pair.source, ()))
        if pair.outcome is MatchOutcome.OVERRIDDEN:
            decided.append(pair)
        elif targets:
            decided += [
                TablePair(pair.source, target, f"told by {targets[target].teller}", MatchOutcome.TOLD)
                for target in sorted(targets)
            ]
            if pair.target and pair.target not in targets:
                disagreeing.append(_disagreeing_pair(pair.source, pair.target, targets[min(targets)], overrides))
        elif len(free) == 1 and not pair.target:
            decided.append(TablePair(pair.source, free[0], "names of its objects", MatchOutcome.MATCHED))
        else:
            decided.append(pair)
    return decided, disagreeing


def _read_targets(
    sources: Container[str], matches: Iterable[ObjectMatch], told: TellingByKey, named: Mapping[str, str | None]
) -> tuple[dict[str, dict[str, ToldHop]], dict[str, set[str]]]:
    """The targets that jobs load the objects of each source into, and those that the names of its objects are of."""
    loads: dict[str, dict[str, ToldHop]] = {}
    named_targets: dict[str, set[str]] = {}
    for match in matches:
        source, name = match.table_qualified_name or "", named.get(match.key)
        if source in sources and match.key in told:
            for hop in told[match.key].loads:
                loads.setdefault(source, {})[hop.target] = hop
            if name and name not in sources:
                named_targets.setdefault(source, set()).add(name)
    return loads, named_targets


def _disagreeing_pair(source: str, target: str, told: ToldHop, overrides: Overrides) -> Unmatched:
    sentence = (
        f"PostgreSQL table {source} goes to {last_name(told.target)}, as {told.teller} tells, and not to "
        f"{last_name(target)}, as its name does"
    )
    line = overrides.table_line(source, target)
    return Unmatched("table", sentence, (source,), (line,), reason="a job and the name disagree")


def tell_hops(hops: Iterable[Hop], told: TellingByKey) -> list[Hop]:
    """The hops with those who tell them; each without the objects that are told to be loaded into other tables."""
    found = []
    for hop in hops:
        objects = [item for item in hop.objects if _goes_to(item, hop.target, told)]
        tellings = [told[item["key"]] for item in objects if item["key"] in told]
        extracts = tuple(one for telling in tellings for one in telling.extracts if one.source == hop.source)
        loads = tuple(one for telling in tellings for one in telling.loads if one.target == hop.target)
        if objects:
            found.append(replace(hop, objects=objects, extracts=extracts, loads=loads))
    return found


def _goes_to(item: RegisteredObject, target: str | None, told: TellingByKey) -> bool:
    loads = told[item["key"]].loads if item["key"] in told else ()
    return not target or not loads or any(hop.target == target for hop in loads)


def at_least(
    ground: str, hops: Iterable[Hop], told: TellingByKey, forced_keys: Container[str], forced_pairs: Container[str]
) -> list[Hop]:
    """The hops that stand on this ground at least, one of GROUNDS; of a chain whose other hop does not, the one that does.

    What a line of the overrides says, of the keys or of the source tables that are forced, is as good as told.
    """
    kept: list[Hop] = []
    for hop in hops:
        is_read = hop.evidence.ground is Ground.HEADER
        if ground == "named" or (ground == "read" and is_read):
            kept.append(hop)
            continue
        exported, loaded = [], []
        for item in hop.objects:
            known = told.get(item["key"], ToldObject())
            if hop.source and (item["key"] in forced_keys or any(one.source == hop.source for one in known.extracts)):
                exported.append(item)
            if hop.target and (hop.source in forced_pairs or any(one.target == hop.target for one in known.loads)):
                loaded.append(item)
        loaded_keys = {item["key"] for item in loaded}
        both = [item for item in exported if item["key"] in loaded_keys]
        if both:
            kept.append(replace(hop, objects=both))
        else:
            kept += [replace(hop, objects=exported, target=None, loads=())] if exported else []
            kept += [replace(hop, objects=loaded, source=None, extracts=())] if loaded else []
    return kept
