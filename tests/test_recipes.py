"""The recipes of docs/unattended.md: each does what it says, as far as that can be tried on this machine."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version
from test_deploy import DOCUMENTS, container_of, pod_of
from world import ROOT, Run, World, settings_of

from delta_arc.endings import EXIT_CODES, Ending
from delta_arc.options import build_parser

DEPLOY = ROOT / "deploy"
PLACE = "/opt/delta-arc"
CRON = (DEPLOY / "cron" / "delta-arc").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((DEPLOY / "github" / "lineage.yml").read_text(encoding="utf-8"))
DAG = (DEPLOY / "airflow" / "delta_arc_lineage.py").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
NOT_TRIED_AGAIN = {EXIT_CODES[end] for end in (Ending.WRONG_SETTING, Ending.WITHOUT_CHAINS, Ending.BELOW_COVERAGE)}


def words_after(program: str, line: str) -> list[str]:
    """The options that a line of a shell gives to a program."""
    return re.split(r" (?:>|>>|2>&1|\|\||;)", line.partition(program)[2])[0].split()


@pytest.fixture
def place(empty_folder: Path) -> Path:
    """A folder like /opt/delta-arc: the program, its environment, and no settings yet."""
    (empty_folder / "main.py").symlink_to(ROOT / "main.py")
    (empty_folder / ".venv").symlink_to(sys.prefix)
    return empty_folder


def write_settings(place: Path, world: World) -> None:
    lines = [f"{name}={value}\n" for name, value in settings_of(world).items()]
    (place / ".env").write_text("".join(lines))
    (place / ".env").chmod(0o600)


def run_bare(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    """With no more than cron sets, from another folder."""
    bare = {"HOME": str(place.parent), "LOGNAME": "delta-arc", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["/bin/sh", "-c", command.replace(PLACE, str(place))],
        env=bare,
        cwd=place.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


# cron and systemd


def cron_command() -> str:
    (line,) = (line for line in CRON.splitlines() if line and not line.startswith(("#", "MAILTO=")))
    *schedule, user, command = line.split(" ", 6)
    assert (schedule, user) == (["0", "3", "*", "*", "*"], "delta-arc")
    assert "%" not in command  # which cron takes for the end of the line
    return command


def test_cron_sends_mail_only_when_something_is_wrong(world: World, place: Path) -> None:
    unset = run_bare(place, cron_command())
    assert unset.returncode == 2
    assert unset.stdout.startswith("Delta Arc ended with 2\n❌ REQUIRE_TENANT is set, and there is no tenant")
    write_settings(place, world)
    done = run_bare(place, cron_command())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((place / "report.json").read_text())["outcome"] == "changed"
    assert "✅ Column processes: 41 created" in (place / "delta-arc.log").read_text(encoding="utf-8")


def test_cron_never_runs_it_twice_at_once(place: Path) -> None:
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run_bare(place, cron_command())
    assert (ended.returncode, ended.stdout) == (75, "Delta Arc ended with 75\n")
    assert not (place / "report.json").exists()


def test_the_unit_of_systemd_runs_the_same_as_cron(tmp_path: Path) -> None:
    units = {path.suffix: path.read_text() for path in (DEPLOY / "systemd").iterdir()}
    assert words_after("main.py", re.findall("^ExecStart=(.*)$", units[".service"], re.MULTILINE)[0]) == words_after(
        "main.py", cron_command()
    )
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd")
    for suffix, text in units.items():
        python = text.replace(f"{PLACE}/.venv/bin/python", "/bin/true").replace(PLACE, str(tmp_path))
        (tmp_path / f"delta-arc{suffix}").write_text(python)
    checked = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "delta-arc.timer", tmp_path / "delta-arc.service"],
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


# GitHub Actions


def steps_of(job: str) -> dict[str, dict[str, Any]]:
    return {step.get("name", step.get("uses")): step for step in WORKFLOW["jobs"][job]["steps"]}


@pytest.fixture
def checkout(place: Path) -> Path:
    """A folder like that of a job: the team's repository, and Delta Arc in a folder of it."""
    (place / "main.py").unlink()
    (place / "delta-arc").symlink_to(ROOT)
    return place


def run_plan(checkout: Path, world: World, **unset: str) -> subprocess.CompletedProcess[str]:
    """The step that plans, as a runner does it: with `vars` and `secrets` put into the environment that the step asks for."""
    step = steps_of("plan")["Plan"]
    known = {**settings_of(world), "AWS_REGION": "us-east-1", **unset}
    asked = {**WORKFLOW["env"], **step["env"]}
    environment = {
        key: re.sub(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", lambda found: known[found[1]], value)
        for key, value in asked.items()
    }
    assert "${{" not in "".join(environment.values())
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=checkout,
        env={
            "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}",
            "HOME": str(checkout.parent),
            "GITHUB_STEP_SUMMARY": str(checkout / "summary.md"),
            "AWS_ENDPOINT_URL_S3": world.tenant.s3_endpoint_url,
            **environment,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def test_a_pull_request_plans_and_merging_it_does_just_that(
    world: World, checkout: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that plans has a script; those that write are one command each, which needs no new process to import all."""
    planned = run_plan(checkout, world)
    assert planned.returncode == 0, planned.stdout
    assert world.count("Process") == 0
    summary = (checkout / "summary.md").read_text(encoding="utf-8")
    assert "+ Process: ORDERS → s3://" in summary
    assert summary.endswith("~~~\n")
    kept = steps_of("plan")["actions/upload-artifact@v4"]["with"]
    assert all((checkout / file).exists() for file in kept["path"].split())
    fetched = steps_of("write")["Fetch the plan"]
    assert fetched["env"]["PLAN"] == kept["name"]
    (checkout / "lineage.html").unlink()
    for name, value in {**settings_of(world), "REQUIRE_TENANT": "true", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    apply, nightly = (words_after("main.py", steps_of("write")[name]["run"]) for name in ("Apply", "Run"))
    assert run(*apply).code == 0
    assert world.count("Process") == 16
    again = run(*apply)
    assert again.code == 1
    assert "The world has changed since the plan was made" in again.err
    assert run(*nightly).code == 0
    assert json.loads((checkout / "report.json").read_text())["outcome"] == "unchanged"


def test_a_plan_that_fails_fails_the_pull_request_and_is_shown(world: World, checkout: Path) -> None:
    planned = run_plan(checkout, world, ATLAN_BASE_URL="", ATLAN_API_TOKEN="")
    assert planned.returncode == 2
    assert "there is no tenant" in (checkout / "summary.md").read_text(encoding="utf-8")


def test_secrets_are_only_where_the_program_runs() -> None:
    assert "secrets." not in json.dumps(WORKFLOW["env"])
    for job in WORKFLOW["jobs"].values():
        for step in job["steps"]:
            assert ("secrets." in json.dumps(step)) == ("delta-arc/main.py" in step.get("run", ""))
            assert "${{" not in step.get("run", "")  # what others may write is no part of a command
    assert WORKFLOW["jobs"]["write"]["concurrency"] == {"group": "lineage", "cancel-in-progress": False}
    assert set(WORKFLOW["permissions"].values()) == {"read"}


# Airflow, Kubernetes, and the image


def test_the_dag_of_airflow_runs_what_there_is() -> None:
    """Airflow itself is too large to come along with the tests."""
    tree = ast.parse(DAG)
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert values["FOLDER"] == PLACE
    assert values["COMMAND"][:2] == [".venv/bin/python", "main.py"]
    options = build_parser().parse_args(values["COMMAND"][2:])
    assert (options.require_tenant, options.quiet, str(options.json)) == (True, True, "-")
    assert {*values["AS_WRONG_THE_NEXT_TIME"]} == NOT_TRIED_AGAIN


def test_every_recipe_gives_options_that_there_are() -> None:
    commands = [
        cron_command(),
        *(step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step),
    ]
    for line in [line for command in commands for line in command.splitlines() if "main.py" in line]:
        options = build_parser().parse_args(words_after("main.py", line))
        assert options.json, line


def test_the_image_is_made_of_what_there_is_and_has_every_room() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in kept, source
    assert {*kept} == {source.split("/")[0] for source in copied}
    assert {"main.py", "runtime", "lineage_page", "delta_arc", "metadata_extraction"} <= {*copied}


def test_the_image_is_of_one_python_that_is_new_enough_and_needs_no_rights() -> None:
    (base,) = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    ((version, oldest),) = zip(
        re.findall(r"^python:(\d+\.\d+)-slim$", base),
        re.findall(r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE),
        strict=True,
    )
    assert Version(version) >= Version(oldest)
    of_jobs = [
        step["with"].get("python-version")
        for job in WORKFLOW["jobs"]
        for step in WORKFLOW["jobs"][job]["steps"]
        if "with" in step
    ]
    assert {*of_jobs} == {version, None}
    assert all("--require-hashes" in line for line in DOCKERFILE.splitlines() if " install --no-cache" in line)
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert {
        pod_of(name)["securityContext"]["runAsUser"] for name in DOCUMENTS if name.startswith(("Deployment", "CronJob"))
    } == {int(user)}
    # A container of its own runs the same program as the manifest, and may be stopped like that.
    (command,) = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(command)[0] == container_of("CronJob delta-arc-lineage")["args"][0]
