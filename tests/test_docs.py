"""The documentation says what is so: it is held to the program, page by page.

Every option, setting, exit code, message, path, name, link and example in it is one of the program's, and what a user can
set or call is in it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import inspect
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from world import Run

import main
from delta_arc.endings import DETAILED_EXIT_CODES, EXIT_CODES
from delta_arc.matching import match_s3_objects
from delta_arc.plan import Plan
from delta_arc.report import Coverage, Gap, Outcome, Report, Status, Unmatched
from delta_arc.run_report import RunRecord, describe_flows, describe_run
from delta_arc.settings import read_settings
from metadata_extraction import __main__ as extraction
from runtime import embedded
from sandbox import __main__ as sandbox_command
from sandbox.server import Fault, TenantPace

PROJECT = Path(__file__).resolve().parent.parent
PAGES = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        PROJECT / "README.md",
        PROJECT / "CONTRIBUTING.md",
        *sorted((PROJECT / "docs").glob("*.md")),
        PROJECT / "sandbox" / "README.md",
        PROJECT / "metadata_extraction" / "README.md",
    ]
}
README, EXTRACTION, SANDBOX = (PAGES[f"{room}README.md"] for room in ("", "metadata_extraction/", "sandbox/"))
ROOMS = ("main", "delta_arc", "metadata_extraction", "runtime", "sandbox", "lineage_page")

page = pytest.mark.parametrize("name", PAGES)


# Reading pages


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language; what programs print has none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in fenced if name == language]


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What is formatted as code in a line."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def chapter(text: str, heading: str) -> str:
    """What is below a heading, up to the next one of its level or a higher one."""
    level = len(heading) - len(heading.lstrip("#"))
    assert f"\n{heading}\n" in text, heading
    return re.split(rf"^#{{1,{level}}} ", text.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)[0]


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a page, as rows of cells with the heading first and without the line below it."""
    for table in re.findall(r"(?:^\|.*\|\n)+", prose(text), re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
        yield [rows[0], *rows[2:]]


def first_cells(text: str, heading: str) -> set[str]:
    """The words formatted as code in the first cells of the tables whose first cell is this heading."""
    named = [row[0] for first, *rows in tables(text) for row in rows if first[0] == heading]
    return {span for cell in named for span in re.findall(r"`([^`]+)`", cell)}


def slugs(text: str) -> list[str]:
    """The anchors that GitHub gives to a page's headings."""
    return [
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    ]


def python_blocks(text: str) -> Iterator[str]:
    """The Python of a page; of a session in a REPL only what is typed in."""
    for block in blocks(text, "python"):
        lines = block.splitlines()
        typed = [line[4:] for line in lines if line.startswith((">>> ", "... "))]
        yield "\n".join(typed if lines[0].startswith(">>> ") else lines)


# Options


def options_of(show_help: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit):
        show_help()
    return set(re.findall(r"--[a-z][a-z0-9-]*", capsys.readouterr().out)) - {"--help"}


def test_every_option_is_in_a_table_and_the_other_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    told = {option.split()[0] for option in first_cells(README, "option")}
    assert told == options_of(lambda: main.main(["--help"]), capsys)
    told = {option.split()[0] for option in first_cells(SANDBOX, "option")}
    assert told == options_of(lambda: sandbox_command.main(["--help"]), capsys)


def test_every_command_of_the_extraction_is_in_its_table_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    (commands,) = (
        action.choices for action in extraction.build_extraction_parser()._actions if action.dest == "command"
    )
    told = {
        row[0].strip("`").split()[3]: set(re.findall(r"--[a-z][a-z0-9-]*", " ".join(row)))
        for first, *rows in tables(EXTRACTION)
        for row in rows
        if first[0] == "command"
    }
    assert told == {
        command: options_of(lambda command=command: extraction.main([command, "--help"]), capsys)
        for command in commands or ()
    }


def test_no_page_names_an_option_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"--help", "--strict", "--from-env-file"}  # of all, and of mypy and kubectl
    known |= {"--no-deps", "--now", "--rm", "--read-only", "--tmpfs", "--build-arg"}  # of pip, systemctl and docker
    for command in (main.main, sandbox_command.main, extraction.main):
        known |= options_of(lambda command=command: command(["--help"]), capsys)
    known |= {option for name in ("run", "start", "worker", "clean") for option in _options_of_command(name, capsys)}
    known |= {
        option
        for folder in ("tools", "benchmarks")
        for tool in (PROJECT / folder).glob("*.py")
        for option in re.findall(r'"(--[a-z0-9-]+)"', tool.read_text())
    }
    for name, text in PAGES.items():
        shown = "\n".join([*spans(text), *blocks(text, "sh"), *blocks(text, "")])
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", shown)) <= known, name


def _options_of_command(name: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    return options_of(lambda: extraction.main([name, "--help"]), capsys)


# Settings


def settings_of(package: str) -> set[str]:
    """The names of the settings in the module that reads them."""
    tree = ast.parse((PROJECT / package / "settings.py").read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", text)}


def settings_of_the_extraction() -> set[str]:
    """Those that it reads itself, and those that its components look up by name."""
    components = [path.read_text(encoding="utf-8") for path in (PROJECT / "components").glob("*.yaml")]
    keys = {key for text in components for key in re.findall(r"^ +key: (\w+)$", text, re.MULTILINE)}
    return settings_of("metadata_extraction") | keys


def test_every_setting_is_in_the_table_of_its_program_and_the_other_way_round() -> None:
    pipeline, own = settings_of("delta_arc"), settings_of_the_extraction()
    assert (len(pipeline), len(own)) >= (17, 16)
    # The other name of the token is told beside the first.
    assert "(`ATLAN_API_KEY` works, too)" in README
    assert first_cells(README, "setting") == pipeline - {"ATLAN_API_KEY"}
    assert first_cells(EXTRACTION, "setting") == own


def test_the_example_has_every_setting_and_no_other() -> None:
    example = (PROJECT / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)
    assert sorted(named) == sorted((settings_of("delta_arc") | settings_of_the_extraction()) - {"ATLAN_API_KEY"})


# What programs answer


def exit_codes(path: str, *functions: str) -> set[int]:
    """The numbers that functions of a module return."""
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in functions]
    returned = [node.value for function in found for node in ast.walk(function) if isinstance(node, ast.Return)]
    # Of a conditional expression only the results, and not what is asked.
    results = [[value.body, value.orelse] if isinstance(value, ast.IfExp) else [value] for value in returned]
    numbers = [part.value for part in itertools.chain(*results) if isinstance(part, ast.Constant)]
    return {number for number in numbers if isinstance(number, int)}


def told_codes(text: str) -> set[int]:
    """The exit codes in the paragraph that lists them, which has no other numbers."""
    (paragraph,) = re.findall(r"^The exit code is (.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    return {int(number) for number in re.findall(r"\b\d+\b", paragraph)}


def test_exit_codes_are_those_that_are_told() -> None:
    codes = {*EXIT_CODES.values(), *DETAILED_EXIT_CODES.values(), *exit_codes("delta_arc/flows.py", "run_flows")}
    assert told_codes(README) == codes == {0, 1, 2, 3, 4, 5, 130, 143}
    # The table of the page, in which an outcome has the code beside it.
    (outcomes,) = (rows for first, *rows in tables(PAGES["docs/report.md"]) if first[0] == "outcome")
    assert {name.strip("`"): int(code) for name, code, *_ in outcomes} == {
        ending.value: code for ending, code in EXIT_CODES.items()
    }
    done = (extraction.DONE, extraction.FAILED, extraction.WRONG_SETTING, extraction.UPLOAD_INCOMPLETE)
    assert told_codes(EXTRACTION) == {*done, extraction.STOPPED}
    assert told_codes(SANDBOX) == exit_codes("sandbox/__main__.py", "main", "run_until_stopped")


def test_messages_are_those_of_the_program() -> None:
    """`…` in a message of a table stands for whatever is put in there."""
    messages = list(_messages_of_programs())
    told = [
        (row[at], span)
        for text in (README, EXTRACTION)
        for first, *rows in tables(text)
        for row in rows
        for at, heading in enumerate(first)
        if heading == "message"
        for span in re.findall(r"`([^`]+)`", row[at])
    ]
    assert len(told) >= 20
    for cell, span in told:
        parts = [re.escape(part) for part in span.split("…")]
        assert any(re.search(".*".join(parts), message) for message in messages), cell


def _messages_of_programs() -> Iterator[str]:
    """Every text in the code, with `…` for what is put into it."""
    for path in [PROJECT / "main.py", *(path for room in ROOMS[1:] for path in (PROJECT / room).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.replace("%s", "…")


# What is where


@page
def test_every_path_exists(name: str) -> None:
    """Relative to the project, to the page's folder, or, in a table of rooms, to the room of its row."""
    top = {path.name for path in PROJECT.iterdir()}
    folders = {PROJECT, (PROJECT / name).parent}
    rooms = {row[0]: PROJECT / row[0].strip("`/") for first, *rows in tables(PAGES[name]) for row in rows}
    for line in prose(PAGES[name]).splitlines():
        cell = line.split("|")[1].strip() if line.startswith("|") else ""
        near = [*folders, *([rooms[cell]] if cell in rooms else [])]
        for word in itertools.chain(*(span.split() for span in re.findall(r"`([^`]+)`", line))):
            first, slash, _ = word.partition("/")
            is_path = bool(re.fullmatch(r"[\w./-]+", word))
            if is_path and ((slash and first in top) or word.endswith((".py", ".md", ".toml", ".sql", "/run"))):
                found = any((folder / word).exists() for folder in near)
                assert found or word.startswith((".sandbox/", "in/")), f"{word} in: {line}"


@page
def test_every_dotted_name_is_a_name_in_the_code(name: str) -> None:
    for span in spans(PAGES[name]):
        if re.fullmatch(rf"({'|'.join(ROOMS)})(\.[A-Za-z_]\w*)+(\(\))?", span) and not span.endswith(".py"):
            resolve(span.removesuffix("()"))


def resolve(dotted: str) -> object:
    """The module, or what a module has under this name; fails where there is none."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(dotted)


@page
def test_every_test_that_is_named_is_there(name: str) -> None:
    for span in spans(PAGES[name]):
        path, colons, function = span.partition("::")
        if colons and path.startswith("tests/"):
            tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, span


@page
def test_every_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[name])) + re.findall(r'(?:src|srcset)="([^"]+)"', PAGES[name])
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (PROJECT / name).parent / path if path else PROJECT / name
        assert target.exists(), link
        if anchor:
            assert slugs(target.read_text(encoding="utf-8")).count(anchor) == 1, link


def test_every_room_is_in_the_readme_and_every_page_is_linked() -> None:
    rooms = first_cells(README, "room")
    parts = {path.name for path in PROJECT.iterdir() if any(path.glob("*.py")) or path.name == "docs"}
    assert {f"{part}/" for part in parts} <= rooms
    linked = {
        (PROJECT / at).parent / link for at, text in PAGES.items() for link in re.findall(r"\]\(([^)#\s]+)", text)
    }
    assert {PROJECT / name for name in PAGES} <= {Path(os.path.normpath(path)) for path in linked} | {
        PROJECT / "README.md"
    }


def test_rooms_are_drawn_as_the_contract_has_them() -> None:
    contract = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    (layers,) = re.findall(r"^layers = \[(.*)\]$", contract, re.MULTILINE)
    wanted = ["main.py", *(layer.replace(" | ", " ") for layer in re.findall(r'"([^"]+)"', layers))]
    for text in (README, PAGES["CONTRIBUTING.md"]):
        (drawn,) = (block for block in blocks(text, "") if block.startswith("main.py\n"))
        rooms = [re.findall(r"^main\.py|\b(\w+)/(?= |$)", line) for line in drawn.splitlines()]
        assert ["main.py", *(" ".join(row) for row in rooms[1:])] == wanted


@pytest.mark.parametrize("room", ["sandbox", "metadata_extraction"])
def test_every_module_of_a_room_is_in_its_own_readme(room: str) -> None:
    modules = {path.name for path in (PROJECT / room).glob("*.py")} - {"__init__.py", "__main__.py"}
    packages = {f"{path.parent.name}/" for path in (PROJECT / room).glob("*/__init__.py")}
    assert modules | packages <= first_cells(PAGES[f"{room}/README.md"], "file")


def test_nothing_that_the_program_needs_is_ignored_by_git() -> None:
    """A file that is only here, and in no clone, makes every test pass here, and the program fail elsewhere."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        pytest.skip("this is no git repository")
    command = [
        "git",
        "ls-files",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--",
        *ROOMS[1:],
        "components",
        "main.py",
    ]
    ignored = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [name for name in ignored if "__pycache__" not in name] == []


def test_a_tenants_inventory_never_shows_up_in_git() -> None:
    """The caches, their staged copies, and any other name that ends like one."""
    if not shutil.which("git") or not (PROJECT / ".git").exists():
        pytest.skip("this is no git repository")
    names = [
        "postgres_assets_cache.json",
        "snowflake_assets_cache.json",
        ".postgres_assets_cache.json.x.tmp",
        "own_cache.json",
    ]
    asked = subprocess.run(["git", "check-ignore", *names], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert asked.stdout.split() == names
    assert subprocess.run(["git", "ls-files", *names], cwd=PROJECT, capture_output=True, text=True).stdout == ""


# What can be called, and examples


def test_every_public_function_is_in_the_readme() -> None:
    for name in main.__all__:
        assert f"`{name}" in README or f"{name}(" in README, name


def test_what_no_test_runs_uses_names_that_there_are() -> None:
    for path in [*PROJECT.glob("benchmarks/*.py"), *PROJECT.glob("tools/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ROOMS:
                exec(ast.unparse(node), {})
            elif ast.unparse(node).startswith("main.") and isinstance(node, ast.Attribute):
                assert hasattr(main, node.attr), f"{path.name} line {node.lineno}: main.{node.attr}"


def test_the_steps_are_those_of_the_program() -> None:
    told = re.findall(r"^(\d)\. ((?:`\w+`(?:, )?)+):", chapter(README, "## The run"), re.MULTILINE)
    steps = re.findall(r"^(\d)\. (\w+(?:, \w+)*)  ", main.__doc__ or "", re.MULTILINE)
    assert [(number, names.replace("`", "")) for number, names in told] == steps
    assert len(steps) == 6
    banners = re.findall(r"^# (\d)\. ", (PROJECT / "main.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert banners == sorted(set(banners))
    assert set(banners) <= {number for number, _ in steps}


@page
def test_examples_call_what_there_is_with_what_it_takes(name: str) -> None:
    known: dict[str, object] = {}
    for source in python_blocks(PAGES[name]):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                known |= {alias.name: importlib.import_module(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module or "")
                names = getattr(module, "__all__", ()) if node.names[0].name == "*" else [a.name for a in node.names]
                known |= {given: getattr(module, given) for given in names}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                _check_call(node, known)


def _check_call(call: ast.Call, known: dict[str, object]) -> None:
    """Fails where a call names a function that is not imported, or gives it what it does not take."""
    function: object = None
    if isinstance(call.func, ast.Name):
        assert call.func.id in known or hasattr(builtins, call.func.id), call.func.id
        function = known.get(call.func.id)
    elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        owner = known.get(call.func.value.id)
        function = getattr(owner, call.func.attr) if isinstance(owner, ModuleType) else None
    if inspect.isfunction(function):
        inspect.signature(function).bind(*call.args, **{given.arg: given.value for given in call.keywords if given.arg})


def test_results_that_need_no_tenant_are_as_shown() -> None:
    """Of the sessions in a REPL, those that only match names."""
    shown = 0
    for name, text in PAGES.items():
        for block in blocks(text, "python"):
            if "match_s3_objects" not in block or "find_postgres_assets" in block:
                continue
            known: dict[str, object] = {}
            for typed, result in re.findall(r"^>>> (.*)\n((?:(?!>>> ).+\n)*)", block, re.MULTILINE):
                if result:
                    assert repr(eval(typed, known)) == result.strip(), name
                    shown += 1
                else:
                    exec(typed, known)
    assert shown


def test_the_keys_in_the_chapter_on_matching_carry_what_it_says() -> None:
    assets = [[f"default/postgres/1/SHOP/SALES/{name}", name, "Table"] for name in ("ORDERS", "ORDERS_2024", "X")]
    (rows,) = (rows for first, *rows in tables(PAGES["docs/matching.md"]) if first[0] == "the key")
    told = {key: row[1] for row in rows for key in re.findall(r"`([^`]+)`", row[0])}
    assert len(told) >= 15
    for match in match_s3_objects(told, assets):
        carried = (match.table_qualified_name or "nothing").rpartition("/")[2]
        assert carried == told[match.key], match


def test_controls_of_the_sandbox_are_in_its_readme_with_all_their_fields() -> None:
    source = (PROJECT / "sandbox" / "server.py").read_text(encoding="utf-8")
    routes = re.findall(r'Route\("(/_sandbox/[^"]+)", [\w.]+, methods=\["(\w+)"\]\)', source)
    assert {f"{method} {path}" for path, method in routes} == first_cells(SANDBOX, "request")
    assert first_cells(SANDBOX, "field of a pace") == {field.name for field in fields(TenantPace)}
    assert first_cells(SANDBOX, "field of a fault") == {field.name for field in fields(Fault)}


def test_the_report_has_the_fields_that_its_page_lists() -> None:
    """A dotted name is a field of the objects below another one."""
    report = Report([Outcome("Table", "t", "q", status) for status in Status])
    coverage = Coverage({"t": "w"}, {"u": Gap(("object",), "w")}, (Unmatched("table", "s", ("u",)),))
    coverage = replace(coverage, extracts={"u": "w"}, loads={"v": "w"})
    record = RunRecord(settings=read_settings({}), plan=Plan({}, [], [], coverage, False, {}), report=report)
    document = describe_run(record, 1, False, "1")
    assert first_cells(PAGES["docs/report.md"], "field") == {*_fields_of(document)}
    assert f"`{document['format']}`" in PAGES["docs/report.md"]
    record.finish()
    of_flows = describe_flows(record, 1, [document], "1")
    assert first_cells(PAGES["docs/report.md"], "field of several flows") == of_flows.keys()
    assert f"`{of_flows['format']}`" in PAGES["docs/report.md"]


def _fields_of(document: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in document.items():
        yield f"{above}{name}"
        below = value[0] if isinstance(value, list) and value else value
        if isinstance(below, dict):
            yield from _fields_of(below, f"{above}{name}.")


# Commands


def test_the_readme_can_be_read_at_one_sitting() -> None:
    assert len(README.splitlines()) <= 330
    assert README.index("## Where things are") < README.index("## The run")


def test_the_gate_runs_the_readmes_test_command() -> None:
    (command,) = blocks(chapter(README, "## Tests"), "sh")
    assert command.strip().endswith("-m pytest")
    gate = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    assert command in gate
    for told in first_cells(PAGES["CONTRIBUTING.md"], "command"):
        assert told in gate, told


def test_every_path_to_a_run_makes_a_virtual_environment_first() -> None:
    """Debian's pip refuses to install outside of one (PEP 668)."""
    for text in PAGES.values():
        for block in blocks(text, "sh"):
            if "pip install" in block:
                assert block.startswith("python3 -m venv .venv && .venv/bin/pip install "), block


def test_the_first_command_prints_what_the_readme_shows(
    empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = blocks(chapter(README, "## Try it"), "sh")
    assert command.endswith("&& .venv/bin/python main.py\n")
    first, again = blocks(chapter(README, "## Try it"), "")
    with contextlib.ExitStack() as running:  # the sandbox ends with the test, and not with the interpreter
        monkeypatch.setattr(embedded, "atexit", SimpleNamespace(register=running.callback))
        assert run().out == first
        assert run().out.endswith(again)
