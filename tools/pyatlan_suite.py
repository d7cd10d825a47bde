"""Run pyatlan's own integration tests against the sandbox: `python tools/pyatlan_suite.py CHECKOUT [module …]`.

CHECKOUT is a folder with github.com/atlanhq/atlan-python. Each module runs by itself, with the suite's own conftest and
the checkout's own pyatlan, against a fresh sandbox that has what the tests expect of the SDK team's tenant (`prepare`).
Prints a line for each module and each test that does not pass, and with --table the table of sandbox/README.md.

Needs, beside requirements-dev.txt, an interpreter with what pyatlan and its tests need, which --python names:

    python -m venv /tmp/suite && /tmp/suite/bin/pip install CHECKOUT pytest pytest-asyncio pytest-order pytest-vcr deepdiff

With another pyatlan, install that one (pyatlan==11.6.0) and name as CHECKOUT a folder that has nothing but links to the
checkout's tests, tests_v9, conftest.py and pyproject.toml.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sandbox

FOLDERS = {
    "tests/integration": "sync",
    "tests/integration/aio": "aio",
    "tests_v9/integration": "v9",
    "tests_v9/integration/aio": "v9 aio",
}
SECONDS = 900  # for one module
# Takes the place of `time.sleep`: the tests wait for an index that the sandbox does not have.
WAITS = """
import asyncio, time
sleep, sleep_async = time.sleep, asyncio.sleep
time.sleep = lambda seconds: sleep(min(seconds, {most}))
asyncio.sleep = lambda seconds, *result: sleep_async(min(seconds, {most}), *result)
"""
# Of modules that make two terms of one name in a glossary at once, which a tenant takes while its index is behind. The next
# request comes before the index has caught up, and the one after that behind it.
BEHIND = {"suggestions_test": {"latency_seconds": 0.1, "index_delay_seconds": 0.15}}
# What the tests name and do not make.
USERS = ("aryaman@atlan.com", "chris@atlan.com", "ernest@atlan.com")
TAGS = ("Issue", "Confidential")
# What says of a tag that it is synchronised with one of a source, and with which value.
SOURCE_TAG = {
    "name": "sourceTagAttachment",
    "displayName": "sourceTagAttachment",
    "typeName": "array<SourceTagAttachment>",
}
SOURCE_TAG_NAME, SOURCE_TAG_VALUE = "ANALYTICS/WIDE_WORLD_IMPORTERS/CONFIDENTIAL", "Highly Restricted"
# What the source of a column tells of it that Atlan has no attribute for.
CUSTOM_ATTRIBUTES = {"collationName": "latin1", "isIdentity": "false"}
CONNECTIONS = ("development", "production")
ACCESS = {"Persona": ("Business Definitions", "Data Assets"), "Purpose": ("Known Issues",)}
# In which connection, the type, and the name below it.
ASSETS = (
    (0, "Database", "ANALYTICS"),
    (0, "Schema", "ANALYTICS/WIDE_WORLD_IMPORTERS"),
    (0, "Table", "ANALYTICS/WIDE_WORLD_IMPORTERS/STG_STATE_PROVINCES"),
    (0, "Column", "ANALYTICS/WIDE_WORLD_IMPORTERS/STG_STATE_PROVINCES/LATEST_RECORDED_POPULATION"),
    (0, "View", "ANALYTICS/WIDE_WORLD_IMPORTERS/ORDERS_OF_TODAY"),
    (1, "Database", "WIDE_WORLD_IMPORTERS"),
    (1, "Schema", "WIDE_WORLD_IMPORTERS/BRONZE_WAREHOUSE"),
    (1, "Table", "WIDE_WORLD_IMPORTERS/BRONZE_WAREHOUSE/PACKAGETYPES"),
    (1, "Column", "WIDE_WORLD_IMPORTERS/BRONZE_WAREHOUSE/PACKAGETYPES/PACKAGETYPENAME"),
)


@dataclass
class Result:
    """What became of the tests of one module; `failed` has the name of each that did not pass, and the reason."""

    passed: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The counts, as the table has them."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} of {self.passed + len(self.failed)}{skipped}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a folder with github.com/atlanhq/atlan-python")
    parser.add_argument("module", nargs="*", help="modules as paths below the checkout (default: all)")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that runs the tests")
    parser.add_argument("--jobs", type=int, default=2, help="how many modules run at a time (default: 2)")
    parser.add_argument("--wait", action="store_true", help="wait as the tests say (half a minute here and there)")
    parser.add_argument("--table", action="store_true", help="print the table of sandbox/README.md at the end")
    options = parser.parse_intermixed_args()
    modules = options.module or list(find_modules(options.checkout))
    if not modules:
        parser.error(f"{options.checkout} has no tests/integration")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = dict(zip(modules, pool.map(lambda module: run_module(options, module), modules), strict=True))
    if options.table:
        print_table(results)
    passed, failed = (sum(count) for count in zip(*((r.passed, len(r.failed)) for r in results.values()), strict=True))
    print(f"{passed} of {passed + failed} tests pass")
    return 1 if failed else 0


def find_modules(checkout: Path) -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((checkout / folder).glob("*.py")):
            if path.stem.startswith("test_") or path.stem.endswith("_test"):
                yield f"{folder}/{path.name}"


def run_module(options: argparse.Namespace, module: str) -> Result:
    with tempfile.TemporaryDirectory() as folder, sandbox.start() as tenant:
        token = prepare(tenant)
        pace = BEHIND.get(Path(module).stem, {})
        set_pace(tenant, pace)
        report, plugin = Path(folder) / "report.xml", Path(folder) / "no_waits.py"
        plugin.write_text("" if options.wait else WAITS.format(most=pace.get("index_delay_seconds", 0.02)))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            "ATLAN_BASE_URL": tenant.base_url,
            "ATLAN_API_KEY": token,
            "PYTHONPATH": f"{folder}{os.pathsep}{options.checkout.resolve()}",
        }
        command = [options.python, "-m", "pytest", "-q", "-p", "no_waits", f"--junitxml={report}", module]
        try:
            done = subprocess.run(
                command, cwd=options.checkout, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
            result = read_report(report) if report.exists() else Result(failed=[("all", done.stderr or done.stdout)])
        except subprocess.TimeoutExpired:
            result = Result(failed=[("all", f"not done after {SECONDS} seconds")])
    print(f"{'✅' if not result.failed else '❌'} {module}: {result.line}", flush=True)
    for name, reason in result.failed:
        print(f"   {name}: {' '.join(reason.split())[:160]}", flush=True)
    return result


def read_report(path: Path) -> Result:
    result = Result()
    for case in ET.parse(path).iter("testcase"):
        faults = [*case.findall("failure"), *case.findall("error")]
        if faults:
            result.failed.append((str(case.get("name")), str(faults[0].get("message"))))
        elif case.find("skipped") is not None:
            result.skipped += 1
        else:
            result.passed += 1
    return result


def prepare(tenant: sandbox.Tenant) -> str:
    """Make what the tests name and expect the SDK team's tenant to have; gives an API token, with which they run."""
    headers = {"authorization": f"Bearer {tenant.api_token}"}
    with httpx.Client(base_url=tenant.base_url, headers=headers, trust_env=False) as client:

        def post(path: str, body: object) -> Any:
            return client.post(path, json=body).raise_for_status().json()

        roles = client.get("/api/service/roles").json()["records"]
        post("/api/service/users", {"users": [{"email": email, "roleId": roles[0]["id"]} for email in USERS]})
        tags = [
            {"name": name, "displayName": name, "category": "CLASSIFICATION", "attributeDefs": [SOURCE_TAG]}
            for name in TAGS
        ]
        made_tags = post("/api/meta/types/typedefs/", {"classificationDefs": tags})["classificationDefs"]
        terms = [
            {
                "typeName": "AtlasGlossaryTerm",
                "guid": f"-{number}",
                "attributes": {
                    "name": f"Term {number}",
                    "qualifiedName": f"term-{number}",
                    "anchor": {"typeName": "AtlasGlossary", "guid": "-1"},
                },
            }
            for number in range(2, 7)
        ]
        glossary = {
            "typeName": "AtlasGlossary",
            "guid": "-1",
            "attributes": {"name": "Terms", "qualifiedName": "terms"},
        }
        post("/api/meta/entity/bulk/", {"entities": [glossary, *terms]})
        for kind, names in ACCESS.items():
            for name in names:
                attributes = {"name": name, "displayName": name, "qualifiedName": name, "isAccessControlEnabled": True}
                if kind == "Purpose":
                    found = client.get("/api/meta/types/typedefs/", params={"type": "CLASSIFICATION"}).json()
                    attributes["purposeClassifications"] = [found["classificationDefs"][0]["name"]]
                post(
                    "/api/meta/entity/bulk/", {"entities": [{"typeName": kind, "guid": "-1", "attributes": attributes}]}
                )
        connections = [
            {
                "typeName": "Connection",
                "attributes": {
                    "name": name,
                    "qualifiedName": f"default/snowflake/{number}",
                    "connectorName": "snowflake",
                    "adminRoles": [roles[0]["id"]],
                },
            }
            for number, name in enumerate(CONNECTIONS, 1_600_000_000)
        ]
        post("/api/meta/entity/bulk/", {"entities": connections})
        for number, type_name, path in ASSETS:
            root = connections[number]["attributes"]["qualifiedName"]
            names = dict(zip(("databaseName", "schemaName", "tableName"), path.split("/")[:-1], strict=False))
            attributes = {
                "name": path.rpartition("/")[2],
                "qualifiedName": f"{root}/{path}",
                "connectionQualifiedName": root,
                "connectorName": "snowflake",
                "description": f"The {type_name} of the tests",
                **names,
                **({"columnCount": 3} if type_name == "Table" else {}),
                **({"order": 1} if type_name == "Column" else {}),
            }
            asset = {"typeName": type_name, "guid": "-1", "attributes": attributes}
            if type_name == "Column":
                asset["customAttributes"] = CUSTOM_ATTRIBUTES
            post("/api/meta/entity/bulk/", {"entities": [asset]})
        attach_source_tag(client, made_tags[1], connections[0]["attributes"]["qualifiedName"])
        view = {"saveSearchLog": True, "utmTags": ["action_asset_viewed", "ui_sidebar"]}
        everything = {"dsl": {"query": {"term": {"__typeName.keyword": "Table"}}}, "requestMetadata": view}
        post("/api/meta/search/indexsearch", everything)  # somebody else has looked at something
        post("/api/service/credentials", {"name": "jdbc", "connectorType": "jdbc", "host": "localhost", "port": 5432})
        oauth = post("/api/service/oauth-clients", {"displayName": "suite", "role": roles[0]["name"]})
        log_in = {"clientId": oauth["clientId"], "clientSecret": oauth["clientSecret"]}
        post("/api/service/oauth-clients/token", log_in)  # somebody has logged in
        made = post("/api/service/apikeys", {"displayName": "suite", "validitySeconds": 86_400})
        return str(made["attributes"]["accessToken"])


def set_pace(tenant: sandbox.Tenant, pace: dict[str, float]) -> None:
    headers = {"authorization": f"Bearer {tenant.api_token}"}
    url = f"{tenant.base_url}/_sandbox/pace"
    httpx.put(url, json=pace, headers=headers, trust_env=False).raise_for_status()


def attach_source_tag(client: httpx.Client, definition: dict[str, Any], connection: str) -> None:
    """A tag of Snowflake that one of Atlan's is synchronised with, and its value on the first table."""
    name = SOURCE_TAG_NAME.rpartition("/")[2]
    asset = {
        "typeName": "SnowflakeTag",
        "guid": "-1",
        "attributes": {
            "name": name,
            "qualifiedName": f"{connection}/{SOURCE_TAG_NAME}",
            "connectionQualifiedName": connection,
            "connectorName": "snowflake",
            "mappedClassificationName": definition["name"],
            "tagAllowedValues": [SOURCE_TAG_VALUE, "Not Restricted"],
        },
    }
    made = client.post("/api/meta/entity/bulk/", json={"entities": [asset]}).raise_for_status().json()
    value = {"typeName": "SourceTagAttachmentValue", "attributes": {"tagAttachmentValue": SOURCE_TAG_VALUE}}
    attachment = {
        "sourceTagName": name,
        "sourceTagQualifiedName": asset["attributes"]["qualifiedName"],
        "sourceTagGuid": made["guidAssignments"]["-1"],
        "sourceTagConnectorName": "snowflake",
        "sourceTagValue": [value],
        "isSourceTagSynced": True,
    }
    values = {definition["attributeDefs"][0]["name"]: [{"typeName": "SourceTagAttachment", "attributes": attachment}]}
    table = next(path for _, type_name, path in ASSETS if type_name == "Table")
    path = "/api/meta/entity/uniqueAttribute/type/Table/classifications"
    tag = {"typeName": definition["name"], "attributes": values}
    client.post(path, params={"attr:qualifiedName": f"{connection}/{table}"}, json=[tag]).raise_for_status()


def print_table(results: dict[str, Result]) -> None:
    """One row for each module, with a column for each client that it is there for."""
    rows: dict[str, dict[str, Result]] = {}
    for module, result in results.items():
        folder, _, name = module.rpartition("/")
        rows.setdefault(name.removesuffix(".py"), {})[FOLDERS[folder]] = result
    print(f"\n| module | {' | '.join(FOLDERS.values())} |\n|---|{'---|' * len(FOLDERS)}")
    for name, cells in sorted(rows.items()):
        lines = [cells[client].line if client in cells else "" for client in FOLDERS.values()]
        print(f"| `{name}` | {' | '.join(lines)} |")


if __name__ == "__main__":
    sys.exit(main())
