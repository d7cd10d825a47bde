"""A run as a page: the document of what it would do or has done, filled from the plan and the report, and the file."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from delta_arc.entities import last_name
from delta_arc.evidence import Ground, absent_columns, explain_ground
from delta_arc.jobs.told import TOLD
from delta_arc.open_things import group_open_things
from delta_arc.options import RunOptions
from delta_arc.plan import Change, Plan, compared_value
from delta_arc.report import Gap, Outcome, Report, Status
from delta_arc.saved_plan import to_document
from delta_arc.settings import Settings
from lineage_page import (
    Chain,
    Lack,
    Link,
    NewestFile,
    chains_of,
    describe_chains,
    describe_groups,
    mark,
    name_of,
    render,
)
from runtime.atlan import SearchHit
from runtime.files import read_small_file, replace_file
from runtime.references import reference
from runtime.terminal import logger
from runtime.version import read_version

MOST_BYTES = 500_000_000  # of an earlier page
SHOWN_FAILURES = 5  # names of what failed for one reason
SHOWN_OBJECTS = 5  # that a chain gets or loses
NAMED = (Ground.FEW.value, Ground.NAMES.value, Ground.UNREAD.value)
PROOFS = {TOLD: "told", Ground.HEADER.value: "read", **dict.fromkeys(NAMED, "named")}
DONE, CHANGES, FAILED = "done", "changes", "failed"  # the tones of a verdict


@dataclass(frozen=True)
class RunFacts:
    """What a plan does not say of its run: options and the like as they are shown (by label), and the file that the plan
    was saved in."""

    shown: Mapping[str, str] = field(default_factory=dict)
    saved_in: Path | None = None
    overrides_file: Path = Path("overrides.txt")


def describe_facts(options: RunOptions, settings: Settings, seconds: float) -> RunFacts:
    """What the page tells of a run that took so long so far."""
    shown = {
        "Options": options.shown,
        "Overrides": str(settings.overrides_file) if settings.overrides_file.exists() else "none",
        "Version": read_version(),
        "Took": f"{seconds:.1f} s",
    }
    return RunFacts(shown, options.save_to, settings.overrides_file)


def document_of_run(plan: Plan, report: Report, dry_run: bool, facts: RunFacts) -> dict[str, Any]:
    """What a run would do, or has done, for the page."""
    setting, world = plan.world["Setting"], plan.world
    picture = _Picture(plan, report)
    chains = picture.chains()
    sandbox = setting["tenant"] == "sandbox"
    return {
        "title": "PostgreSQL → S3 → Snowflake",
        "verdict": _judge(plan, report, dry_run),
        "planned": dry_run,
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tenant": "the sandbox" if sandbox else setting["tenant"],
        "lanes": [
            ["PostgreSQL", setting["PostgreSQL connection"]],
            ["S3", setting["bucket"].rpartition(":")[2]],
            ["Snowflake", setting["Snowflake connection"]],
        ],
        "summary": _summarise(plan, report, chains, dry_run),
        "errors": _count_failures(report.failed),
        "facts": [[label, value] for label, value in {**_facts_of(plan), **facts.shown}.items() if value],
        "apply": facts.saved_in
        and [f"python main.py --apply {shlex.quote(str(facts.saved_in))}", str(to_document(plan)["digest"])[:12]],
        "asset_url": "" if sandbox else f"{setting['tenant']}/assets/",
        **describe_chains(chains, picture.guids, picture.names),
        "empty": _explain_emptiness(plan),
        "open": describe_groups(group_open_things(plan.coverage.unmatched)),
        "overrides": [str(facts.overrides_file), "\n".join(world["Override"].values())],
        "removals": [
            [
                hit["typeName"],
                str(hit["attributes"]["name"]),
                picture.why_removed(hit),
                hit["guid"],
                picture.state_of(hit),
            ]
            for hit in plan.stale
        ],
        "pruned": _removed(plan, report),
        "live": None,
    }


# =====================================================================================================================
# The head
# =====================================================================================================================


def _judge(plan: Plan, report: Report, dry_run: bool) -> list[str]:
    """The tone, and what became of the run in a sentence: failures first."""
    failed, done = len(report.failed), sum(map(report.count, (Status.CREATED, Status.UPDATED, Status.REMOVED)))
    without = "" if plan.coverage.complete else " No table has a complete chain."
    if failed:
        rest = f"; {done:,} are written" if done else ", and nothing is written"
        kept = (
            " Nothing is removed, as something failed."
            if plan.prune and plan.stale and not _removed(plan, report)
            else ""
        )
        return [FAILED, f"{failed:,} {'asset' if failed == 1 else 'assets'} failed{rest}.{kept}{without}"]
    without += f" {len(plan.stale):,} earlier assets are stale." if plan.stale and not plan.prune else ""
    if plan.nothing_to_do:
        return [CHANGES if without else DONE, f"Nothing to do: Atlan has all of it.{without}"]
    if dry_run:
        return [CHANGES, f"A plan: nothing of it is written yet.{without}"]
    return [CHANGES if without else DONE, f"Written.{without}"]


def _removed(plan: Plan, report: Report) -> bool:
    """Whether any of what is stale was removed, would be, or was tried to be."""
    stale = {hit["attributes"]["qualifiedName"] for hit in plan.stale}
    return any(outcome.qualified_name in stale for outcome in report.outcomes)


def _count_failures(failed: Iterable[Outcome]) -> list[list[Any]]:
    """The words of each error, how often it came, and some of what it struck; the most frequent first."""
    names: dict[str, list[str]] = defaultdict(list)
    for outcome in failed:
        names[outcome.detail].append(f"{outcome.type_name} {outcome.name}")
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return [[words, len(struck), *struck[:SHOWN_FAILURES]] for words, struck in ordered]


def _summarise(plan: Plan, report: Report, chains: Sequence[Chain], dry_run: bool) -> list[list[Any]]:
    broken = {name_of(ref) for chain in chains if "failed" in chain.states for ref in chain.sources}
    complete = len(plan.coverage.complete.keys() - broken)
    total = plan.coverage.tables
    return [
        ["Complete chains", f"{complete:,} of {total:,} tables", complete / max(total, 1)],
        *_count_outcomes(report, dry_run),
        ["Open things", sum(item.count for item in plan.coverage.unmatched)],
    ]


def _count_outcomes(report: Report, dry_run: bool) -> list[list[Any]]:
    planned = {Status.CREATED: "to create", Status.UPDATED: "to change", Status.REMOVED: "to remove"}
    words = {status: "changed" if status is Status.UPDATED else status.value for status in Status}
    counts = {status: report.count(status) for status in Status}
    always = (Status.CREATED, Status.UPDATED, Status.UNCHANGED)
    return [
        [f"Assets {planned.get(status, words[status]) if dry_run else words[status]}", counts[status]]
        for status in sorted(Status, key=lambda status: status is not Status.FAILED)
        if counts[status] or status in always
    ]


def _facts_of(plan: Plan) -> dict[str, str]:
    setting = plan.world["Setting"]
    return {
        "Tenant": setting["tenant"],
        "PostgreSQL connection": setting["PostgreSQL connection"],
        "Snowflake connection": setting["Snowflake connection"],
        "Bucket": setting["bucket"].rpartition(":")[2],
        "Prefix": setting["prefix"] or "the whole bucket",
        "Objects": f"{len(plan.world['S3 object']):,} under the prefix",
        "Columns of files": "read"
        if setting["READ_FILE_HEADERS"] == "true"
        else "not read (READ_FILE_HEADERS is false)",
        "Left as it is": f"{plan.doubted} processes that one file alone leaves out" if plan.doubted else "",
    }


def _explain_emptiness(plan: Plan) -> str:
    """Why there is no chain at all, where there is none."""
    setting = plan.world["Setting"]
    if not plan.world["S3 object"]:
        return (
            f"There is no object under s3://{setting['bucket'].rpartition(':')[2]}/{setting['prefix']}: "
            "is the prefix right?"
        )
    return f"The connection {setting['PostgreSQL connection']} has no table in Atlan: has it been crawled?"


# =====================================================================================================================
# The chains
# =====================================================================================================================


class _Picture:
    """What the chains of a plan are drawn from."""

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan, self._coverage = plan, plan.coverage
        self._outcomes = {outcome.qualified_name: outcome for outcome in report.outcomes}
        self._changes = {change.qualified_name: change for step in plan.steps for change in step.changes}
        incomplete, targets = self._coverage.incomplete, self._coverage.targets
        self._gaps = {**incomplete, **{targets[source]: gap for source, gap in incomplete.items() if source in targets}}
        self.guids = {name: outcome.guid for name, outcome in self._outcomes.items()} | _guids_of(
            plan.existing.values()
        )
        self.names = {name: told.partition(" ")[2] for name, told in plan.world["Asset"].items()}

    def chains(self) -> list[Chain]:
        """Those that are wanted, with what is removed from them; those that are not whole; and those that go."""
        chains = chains_of(self._links("Process"), self._links("ColumnProcess"))
        by_link = {link.qualified_name: chain for chain in chains for link in chain.links}
        alone = {name_of(ref): chain for chain in chains if not chain.targets for ref in chain.sources}
        for source, gap in self._coverage.incomplete.items():
            if source in alone:  # its extract is written for itself
                alone[source].lacks = self._lacks(gap)
                continue
            chain = self._incomplete(source)
            by_link |= {name_of(ref): chain for ref in (*chain.sources, *chain.targets)}
            chains.append(chain)
        for chain in chains:
            if chain.objects and not chain.sources:
                chain.lacks = [Lack("source", "PostgreSQL table")]
        gone: list[SearchHit] = []
        for hit in sorted(self._plan.removals, key=lambda hit: hit["typeName"] == "ColumnProcess"):
            name = str(hit["attributes"]["qualifiedName"])
            found = (by_link.get(end) for end in (name.partition("/column/")[0], *_ends_of(hit)))
            known = next(filter(None, found), None)
            if known:
                by_link[name] = known
                self._remove(known, hit)
            else:
                gone.append(hit)
        chains += self._gone(gone)
        for chain in chains:
            self._complete(chain)
        return sorted(chains, key=lambda chain: name_of((chain.sources or chain.objects or chain.targets)[0]))

    def _remove(self, chain: Chain, hit: SearchHit) -> None:
        """Note in a chain what is removed of it."""
        ends, is_column = _ends_of(hit), hit["typeName"] == "ColumnProcess"
        if is_column:
            chain.columns.append(self._removed_link(hit))
        else:
            chain.others.append(self.state_of(hit))
        if is_column and not chain.links:
            return  # it goes with its table's lineage, which is told
        files = [last_name(end) for end in ends if "arn:" in end]
        through = f"through {files[0]}" if len(files) == 1 else f"through {len(files):,} objects"
        what = f"column {self._name(ends[0]) if ends else ''}" if is_column else f"the lineage {through}"
        change = ("−", f"{what}: {self.why_removed(hit)}")
        if change not in chain.changes:
            chain.changes.append(change)

    def _name(self, qualified_name: str) -> str:
        return self.names.get(qualified_name) or last_name(qualified_name)

    def _links(self, type_name: str) -> list[Link]:
        return [self._link(change) for change in self._changes.values() if change.type_name == type_name]

    def _link(self, change: Change) -> Link:
        attributes, outcome = change.entity["attributes"], self._outcomes[change.qualified_name]
        ground = explain_ground(attributes.get("additionalEtlContext"))
        return Link(
            change.qualified_name,
            attributes.get("inputs", []),
            attributes.get("outputs", []),
            outcome.status.value,
            f"{outcome.name}: {outcome.detail}" if outcome.status is Status.FAILED else "",
            ground,
            name_of(attributes["process"]) if "process" in attributes else "",
            next((proof for words, proof in PROOFS.items() if ground.startswith(words)), ""),
            since=_since(self._plan.existing.get(change.qualified_name)),
        )

    def state_of(self, hit: SearchHit) -> str:
        """Of what is wanted no more: removed (or to be), failed, or stale where it stays."""
        outcome = self._outcomes.get(hit["attributes"]["qualifiedName"])
        return outcome.status.value if outcome else "stale"

    def _removed_link(self, hit: SearchHit) -> Link:
        attributes = hit["attributes"]
        outcome = self._outcomes.get(attributes["qualifiedName"])
        return Link(
            attributes["qualifiedName"],
            _refs_of(hit, "inputs"),
            _refs_of(hit, "outputs"),
            self.state_of(hit),
            "" if not outcome or outcome.status is not Status.FAILED else f"{outcome.name}: {outcome.detail}",
            ground=explain_ground(attributes.get("additionalEtlContext")),
            parent=attributes["qualifiedName"].partition("/column/")[0],
            since=_since(hit),
        )

    def _incomplete(self, source: str) -> Chain:
        """What there is of a chain that is not written: its table, its objects, and the table that it would end in."""
        gap, bucket = self._coverage.incomplete[source], self._plan.world["Setting"]["bucket"]
        return Chain(
            [reference("Table", source)],
            [reference("S3Object", f"{bucket}/{key}") for key in gap.objects],
            [reference("Table", self._coverage.targets[source])] if source in self._coverage.targets else [],
            lacks=self._lacks(gap),
        )

    @staticmethod
    def _lacks(gap: Gap) -> list[Lack]:
        return [
            Lack(part, "" if at else gap.words, gap.candidates if part == "target" else ())
            for at, part in enumerate(gap.parts)
        ]

    def _gone(self, hits: Sequence[SearchHit]) -> list[Chain]:
        """The chains of tables that are not there any more."""
        links = [self._removed_link(hit) for hit in hits if hit["typeName"] == "Process"]
        columns = [self._removed_link(hit) for hit in hits if hit["typeName"] == "ColumnProcess"]
        chains = [chain for chain in chains_of(links, columns) if chain.sources or chain.objects or chain.targets]
        why = {hit["attributes"]["qualifiedName"]: self.why_removed(hit) for hit in hits}
        for chain in chains:
            chain.changes += [
                ("−", reason) for reason in dict.fromkeys(why[link.qualified_name] for link in chain.links)
            ]
        return chains

    def _complete(self, chain: Chain) -> None:
        """Add what becomes of the chain's objects and processes, its newest object, and which one was read."""
        names = [name_of(ref) for ref in chain.objects]
        outcomes = [self._outcomes[name] for name in names if name in self._outcomes]
        override = "; ".join(filter(None, (self._coverage.overrides.get(name_of(ref)) for ref in chain.sources)))
        chain.links = [replace(link, override=override) for link in chain.links]
        # What could not be registered breaks the chain that it is part of.
        if chain.links:
            chain.others += [outcome.status.value for outcome in outcomes]
        failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
        chain.links += [Link(one.qualified_name, [], [], "failed", f"{one.name}: {one.detail}") for one in failed]
        chain.changes[:0] = self._changes_of(chain)
        files = [self._changes[name].entity["attributes"] for name in names if name in self._changes]
        newest = max(files, key=lambda file: file.get("s3ObjectLastModifiedTime") or 0, default=None)
        written = _moment(newest.get("s3ObjectLastModifiedTime") or 0) if newest else ""
        if newest and written:
            chain.newest = NewestFile(newest["qualifiedName"], written, newest.get("s3ObjectSize"))
        headers = self._plan.world["Header of"]
        chain.read = [file["qualifiedName"] for file in files if file.get("s3ObjectKey") in headers]

    def _changes_of(self, chain: Chain) -> Iterator[tuple[str, str]]:
        """What an update changes in a chain, in words; both of its processes change the same objects."""
        told: dict[tuple[str, str], None] = {}
        names: dict[tuple[str, str], None] = {}
        for link in chain.links:
            change = self._changes.get(link.qualified_name)
            for name, before in change.before.items() if change else ():
                after = compared_value(change.entity["attributes"][name]) if change else None
                told |= dict.fromkeys(_tell_difference(name, before, after))
                names["~", name] = None
        for ref in chain.objects if chain.links else ():
            change = self._changes.get(name_of(ref))
            if change and change.before:
                told["~", f"{change.name}: {_tell_file(change)}"] = None
        return iter(told or names)

    def why_removed(self, hit: SearchHit) -> str:
        """Why an asset is wanted no more, in words."""
        if hit["typeName"] == "S3Object":
            return "no longer in the bucket"
        attributes, assets = hit["attributes"], self._plan.world["Asset"]
        ends = _ends_of(hit)
        missing = [name for name in ends if name and name not in assets and "arn:" not in name]
        if missing:
            return f"{self._name(missing[0])} is no longer in Atlan"
        if hit["typeName"] == "ColumnProcess":
            load = self._changes.get(attributes["qualifiedName"].partition("/column/")[0])
            if not load:
                return "its table has no chain any more"
            absent = absent_columns(load.entity["attributes"].get("additionalEtlContext"))
            return "no longer in the newest files" if ends and self._name(ends[0]) in absent else "wanted no more"
        gap = next((self._gaps[name] for name in ends if name in self._gaps), None)
        return f"there is no {gap.words} for it" if gap else "wanted no more"


def _tell_difference(name: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    if name in ("inputs", "outputs"):
        old, new = set(before or ()), set(after or ())
        for sign, names in (("+", sorted(new - old)), ("−", sorted(old - new))):
            yield from ((sign, last_name(one)) for one in names[:SHOWN_OBJECTS])
            if len(names) > SHOWN_OBJECTS:
                yield sign, f"{len(names) - SHOWN_OBJECTS:,} more"
    elif name == "additionalEtlContext":
        yield "~", f"ground: {explain_ground(before) or 'none'} → {explain_ground(after)}"
    elif name not in ("name", "sql"):  # which follow from the inputs and outputs
        yield "~", name


def _tell_file(change: Change) -> str:
    """What is new about an object, in words."""
    sizes = [change.before.get("s3ObjectSize"), change.entity["attributes"].get("s3ObjectSize")]
    if "s3ObjectSize" in change.before and all(isinstance(size, int) for size in sizes):
        return f"written anew, {sizes[0]:,} → {sizes[1]:,} bytes"
    if {"s3ETag", "s3ObjectLastModifiedTime"} & change.before.keys():
        return "written anew"
    return f"changed ({', '.join(change.before)})"


def _refs_of(hit: SearchHit, side: str) -> list[dict[str, Any]]:
    """What a process reads (inputs) or writes (outputs), as far as Atlan's answer names it."""
    refs = hit["attributes"].get(side)
    found = []
    for ref in refs if isinstance(refs, list) else ():
        if isinstance(ref, str):  # as it is kept
            kept = reference(hit.get("referred", {}).get(side, ""), ref)
            found.append({**kept, "guid": hit.get("guids", {}).get(ref, "")})
            continue
        names = ref.get("uniqueAttributes") if isinstance(ref, dict) else None
        name = names.get("qualifiedName") if isinstance(names, dict) else None
        if isinstance(name, str):
            found.append({**reference(str(ref.get("typeName")), name), "guid": str(ref.get("guid") or "")})
    return found


def _ends_of(hit: SearchHit) -> list[str]:
    """The qualified names of what a process reads and writes."""
    return [name_of(ref) for side in ("inputs", "outputs") for ref in _refs_of(hit, side)]


def _guids_of(hits: Iterable[SearchHit]) -> dict[str, str]:
    """The guids of processes and of what they refer to, by qualified name."""
    found = {}
    for hit in hits:
        found[hit["attributes"]["qualifiedName"]] = hit["guid"]
        for side in ("inputs", "outputs"):
            found |= {name_of(ref): ref["guid"] for ref in _refs_of(hit, side)}
    return found


def _since(hit: Mapping[str, Any] | None) -> str:
    """When Atlan got an asset, in UTC, where its answer says so (`createTime`, milliseconds)."""
    created = hit.get("createTime") if hit else None
    return _moment(created).removesuffix("+00:00") if isinstance(created, int) else ""


def _moment(milliseconds: int) -> str:
    """A moment in ISO 8601; "" for none, or one that no calendar has."""
    try:
        told = datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="seconds")
        return told if milliseconds else ""
    except (ValueError, OverflowError, OSError):
        return ""


# =====================================================================================================================
# The file
# =====================================================================================================================


def mark_page(path: Path | None) -> None:
    """Say at the head of an earlier run's page that a later one has begun; its own page takes the place of this one.

    So whatever ends that run, the page that stays does not pass for its result. What cannot be read or written is left.
    """
    if not path:
        return
    began = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    sentence = f"A run began on {began} and has not written its page: this is the page of a run before it."
    try:
        page = read_small_file(path, MOST_BYTES).decode("utf-8", errors="surrogatepass")
        marked = mark(page, sentence)
        if marked != page:  # else it is no page of ours
            replace_file(path, marked)
    except (OSError, ValueError):
        return


def write_page(path: Path | None, plan: Plan, report: Report, dry_run: bool, facts: RunFacts) -> None:
    """Write the page of a run, as a whole or not at all. That it cannot be written is told, and harms nothing else."""
    if not path:
        return
    try:
        replace_file(path, render(document_of_run(plan, report, dry_run, facts)))
    except OSError as error:
        logger.warning("⚠️ The page %s cannot be written (%s): check LINEAGE_PAGE", path, error.strerror or error)
        return
    except ImportError as error:
        logger.warning(
            "⚠️ The page needs a package that is not installed (%s): pip install -r requirements.txt", error.name
        )
        return
    logger.info("🔗 The lineage as a page: %s", path)
