"""The options of the command line, and the questions that it asks."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from delta_arc.joining import GROUNDS
from delta_arc.plan import MAX_REMOVE, MAX_UNMATCHED
from runtime.errors import SettingsError
from runtime.files import open_regular_file, why_not_writable
from runtime.version import read_version


@dataclass(frozen=True)
class RunOptions:
    """What a run is to do; what each means stands at `run_pipeline`."""

    force_refresh: bool = False
    dry_run: bool = False
    prune: bool = False
    max_remove: int | None = None
    max_unmatched: int = MAX_UNMATCHED
    save_to: Path | None = None
    saved: Path | None = None
    min_ground: str = "named"
    export_to: Path | None = None
    min_coverage: float = 0

    @property
    def writes(self) -> bool:
        """Whether the run writes to Atlan: a dry run does not, nor does one that saves its plan."""
        return not self.dry_run and self.save_to is None

    @property
    def shown(self) -> str:
        """Those of the options that change what a run does, as they are given."""
        given = {
            "--dry-run": not self.writes,
            "--force-refresh": self.force_refresh,
            "--prune": self.prune,
            "--apply": self.saved is not None,
        }
        return " ".join(name for name, is_given in given.items() if is_given) or "none"


def run_options(options: argparse.Namespace, flow: str) -> RunOptions:
    """The options of a run, as the command line has them; `flow` is the name of the flow, for its own files."""
    return RunOptions(
        force_refresh=options.force_refresh,
        dry_run=options.dry_run,
        prune=options.prune,
        max_remove=options.max_remove,
        max_unmatched=MAX_UNMATCHED if options.max_unmatched is None else options.max_unmatched,
        save_to=file_of_flow(options, "plan", flow),
        saved=file_of_flow(options, "apply", flow),
        min_ground=options.min_ground or RunOptions.min_ground,
        export_to=file_of_flow(options, "export_openlineage", flow),
        min_coverage=options.min_coverage or 0,
    )


# Of the files that are a flow's own, how their names end in a folder.
ENDINGS_OF_FILES = {"plan": ".json", "apply": ".json", "export_openlineage": ".jsonl"}


def file_of_flow(options: argparse.Namespace, name: str, flow: str) -> Path | None:
    """The file that an option names; where that is a folder, the one in it that has the name of the flow."""
    path: Path | None = getattr(options, name)
    return path / f"{flow}{ENDINGS_OF_FILES[name]}" if path and flow and os.path.isdir(path) else path


def faults_of_files(options: argparse.Namespace, flow: str) -> list[str]:
    """What is wrong with the files of a flow that options name, so that not only the end of a long run tells it."""
    faults = []
    for name in ENDINGS_OF_FILES:
        path = file_of_flow(options, name, flow)
        if path is None:
            continue
        is_read = name == "apply"
        if reason := _why_unusable(path, is_read):
            what = "read" if is_read else "written"
            faults.append(f"{_as_written(name)} {path} cannot be {what} ({reason}): name a file {ADVICE[is_read]}.")
    return faults


ADVICE = {True: "that --plan has saved", False: "in a folder that is there"}


def _why_unusable(path: Path, is_read: bool) -> str:
    try:
        if not is_read:
            with contextlib.suppress(FileNotFoundError):
                path.lstat()  # which tells of a name that no file can have
            return why_not_writable(path)
        with open_regular_file(path):
            return ""
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or "no file can have this name"


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says; ends the program where that cannot be understood."""
    parser = build_parser()
    try:
        options = parser.parse_args(arguments)
        if options.json and options.json in (options.plan, options.apply, options.export_openlineage):
            parser.error(f"argument --json: {options.json} is another file of this run: name one of its own")
    except SystemExit as error:
        # There, 2 means changes, and a mistyped option is none.
        raise SystemExit(1 if error.code and "--detailed-exitcode" in arguments else error.code) from None
    return options


def build_parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description="PostgreSQL -> S3 -> Snowflake lineage in Atlan, down to the column.",
        epilog="Settings come from the environment and .env; README.md lists them. Exit code: 0 everything is in place, "
        "1 something failed, 2 a setting is wrong, 3 some of several flows failed, 4 nothing failed, but no table has a "
        "chain, 5 nothing failed, but fewer tables have one than --min-coverage asks for, 130 or 143 it was stopped.",
        allow_abbrev=False,
    )
    flag = partial(parser.add_argument, action="store_true")
    file = partial(parser.add_argument, metavar="FILE")
    parser.add_argument("--version", action="version", version=f"Delta Arc {read_version()}")
    told = "take the settings from this file instead of .env; given several times, each is a flow of its own"
    file("--env-file", type=Path, action="append", default=[], help=told)
    flag("--dry-run", help="show the plan, as a page, too, and write nothing else")
    plans = parser.add_mutually_exclusive_group()
    plan_file = partial(plans.add_argument, metavar="FILE")
    plan_file("--plan", type=_own_file, help="save the plan, too, and write nothing to Atlan")
    plan_file("--apply", type=_own_file, help="do just what a saved plan says, or nothing if the world has changed")
    told = "write only hops that a job tells, or a file's header, too"
    parser.add_argument("--min-ground", choices=GROUNDS, help=told)
    file("--export-openlineage", type=_own_file, help="write the lineage as OpenLineage events, too")
    file("--json", type=_report_file, help="write what happened for a program; - is stdout")
    told = "exit with 5 if fewer of the source tables than that have a complete chain"
    parser.add_argument("--min-coverage", type=_percent, metavar="PERCENT", help=told)
    flag("--detailed-exitcode", help="exit with 0 if nothing was to do, 2 if there were changes, else 1")
    flag("--force-refresh", help="read everything anew, Atlan and the headers of files, even if the caches are valid")
    flag("--prune", help="archive processes made earlier that are wanted no more, and S3 objects that are gone")
    told = f"never archive more than N (default: {MAX_REMOVE}, and with --prune no more than half of what there is)"
    parser.add_argument("--max-remove", type=_number, metavar="N", help=told)
    told = f"never register more than N new objects that are in no chain (default: {MAX_UNMATCHED})"
    parser.add_argument("--max-unmatched", type=_number, metavar="N", help=told)
    flag("--remove-lineage", help="archive all processes made for these connections, bucket and prefix, and end")
    flag("--all-flows", help="with --remove-lineage: of any bucket and prefix between the two connections")
    flag("--with-s3", help="with --remove-lineage: also the S3 objects and bucket made here")
    flag("--yes", help="do not ask before --remove-lineage")
    flag("--quiet", help="show only changes, warnings and the last line")
    flag("--check", help="try what a run needs, line by line, write nothing, and end")
    flag("--cache-status", help="show what is kept of Atlan between runs, and end")
    flag("--clear-cache", help="delete all that is kept between runs, and end")
    places = parser.add_mutually_exclusive_group()
    flag = partial(places.add_argument, action="store_true")
    flag("--require-tenant", help="refuse to run in the sandbox where no tenant is set, as where nobody watches")
    flag("--sandbox", help="use the embedded sandbox and its sample, whatever tenant is set")
    return parser


def _number(text: str) -> int:
    """A whole number from 0 on; argparse tells what is none."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 0 on")
    return int(text)


def _percent(text: str) -> float:
    """A number from 0 to 100; argparse tells what is none."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text, re.ASCII) or float(text) > 100:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to 100")
    return float(text)


def _own_file(text: str) -> Path:
    """A path; not `-`, which elsewhere is stdin or stdout."""
    if text == "-":
        raise argparse.ArgumentTypeError("- is no file: only --json can be written to stdout")
    return Path(text)


def _report_file(text: str) -> Path:
    """A path at which a file can be, so that not only the end of a long run tells that there can be none."""
    if not text or not os.path.isdir(os.path.dirname(text) or ".") or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} cannot be written: name a file in a folder that is there")
    return Path(text)


# What a command does: one of these options, or else a run that makes its plan.
MODES = ("apply", "remove_lineage", "check", "cache_status", "clear_cache")
RUN = "a run that makes its plan"
# With which of these an option goes, for each that does not go with all of them.
GOES_WITH = {
    "dry_run": (RUN, "apply", "remove_lineage"),
    "plan": (RUN,),
    "min_ground": (RUN,),
    "prune": (RUN,),
    "force_refresh": (RUN, "apply"),
    "export_openlineage": (RUN, "apply"),
    "min_coverage": (RUN, "apply"),
    "max_unmatched": (RUN, "apply"),
    "max_remove": (RUN, "apply", "remove_lineage"),
    "with_s3": ("remove_lineage",),
    "all_flows": ("remove_lineage",),
    "yes": ("remove_lineage",),
    "json": (RUN, "apply", "remove_lineage", "check"),
}


def check_combinations(options: argparse.Namespace) -> None:
    """Raise `SettingsError` where options do not go together, so that none is taken and ignored."""
    _check_files_of_flows(options)
    modes = [name for name in MODES if _is_given(options, name)] or [RUN]
    if len(modes) > 1:
        raise SettingsError([f"{' and '.join(map(_as_written, modes))} are done one at a time: name one of them."])
    wrong = [name for name, fitting in GOES_WITH.items() if _is_given(options, name) and modes[0] not in fitting]
    faults = [_tell_where_it_belongs(name, modes[0]) for name in wrong]
    if options.max_remove is not None and modes == [RUN] and not options.prune:
        faults.append("--max-remove belongs to --prune, --apply or --remove-lineage: nothing else archives anything.")
    if faults:
        raise SettingsError(faults)


def _is_given(options: argparse.Namespace, name: str) -> bool:
    value = getattr(options, name)
    return value is not None and value is not False


def _as_written(name: str) -> str:
    return name if name == RUN else f"--{name.replace('_', '-')}"


def _tell_where_it_belongs(name: str, mode: str) -> str:
    fitting = " or ".join(map(_as_written, GOES_WITH[name]))
    return f"{_as_written(name)} belongs to {fitting}" + ("." if mode == RUN else f", and not to {_as_written(mode)}.")


def _check_files_of_flows(options: argparse.Namespace) -> None:
    """Raise `SettingsError` where two flows have one name, or should have one file."""
    files: dict[str, Path] = {}
    for path in options.env_file:
        known = files.setdefault(name_of_flow(path), path)
        if known is not path:
            told = f"--env-file {path} and {known} are both called {name_of_flow(path)}"
            raise SettingsError([f"{told}: give each file a name of its own."])
    for name in ENDINGS_OF_FILES if len(files) > 1 else ():
        path = getattr(options, name)
        if path and not os.path.isdir(path):
            option, one = f"--{name.replace('_', '-')}", f"{next(iter(files))}{ENDINGS_OF_FILES[name]}"
            told = f"{option} {path} is one file for {len(files)} flows"
            raise SettingsError([f"{told}: name a folder that is there, for {one} and the others."])


def name_of_flow(path: Path) -> str:
    """What a flow is called by its file: `sales` for `sales.env` and `.env.sales`; for `.env` itself, as its folder."""
    name = path.name.removesuffix(".env").removeprefix(".env").strip(".")
    return name or path.resolve().parent.name or "flow"


def ask_at_terminal(question: str) -> bool:
    """Whether the person at the terminal says yes; nobody there is a no."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    try:
        return input(f"{question} Type yes: ").strip() == "yes"
    except EOFError:
        return False
