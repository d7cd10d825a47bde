"""The sandbox as a program: its folder, its command line, its controls, its S3 server, and what a kill leaves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from world import authorization

import sandbox
from sandbox import storage
from sandbox.database import FolderInUse
from sandbox.seed import SAMPLE_INVENTORIES, InventoryError
from sandbox.storage import StorageError, serve_buckets

PROJECT = Path(__file__).resolve().parent.parent
PORT_OPTIONS = ("--port", "--s3-port", "--storage-port")
FREE_PORTS = [argument for option in PORT_OPTIONS for argument in (option, "0")]


def post_tables(tenant_url: str, token: str, names: list[str]) -> httpx.Response:
    schema = "default/postgres/1757530687/FOOD_BEVERAGE/SALES_ORDERS"
    entities = [
        {"typeName": "Table", "guid": f"-{n}", "attributes": {"name": name, "qualifiedName": f"{schema}/{name}"}}
        for n, name in enumerate(names, 1)
    ]
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{tenant_url}/api/meta/entity/bulk/", json={"entities": entities}, headers=headers, timeout=30)


def count_tables(tenant_url: str, token: str) -> int:
    dsl = {"size": 0, "query": {"term": {"__typeName.keyword": {"value": "Table"}}}}
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.post(f"{tenant_url}/api/meta/search/indexsearch", json={"dsl": dsl}, headers=headers, timeout=30)
    return answer.json()["approximateCount"]


@pytest.fixture
def own_tenant(tmp_path: Path) -> Iterator[sandbox.Tenant]:
    with sandbox.start(tmp_path / "state") as running:
        yield running


def test_state_survives_a_restart_and_reset_empties_it(tmp_path: Path) -> None:
    with sandbox.start(tmp_path) as tenant:
        token = tenant.api_token
        assert post_tables(tenant.base_url, token, ["NEW"]).status_code == 200
        assert count_tables(tenant.base_url, token) == 17
    with sandbox.start(tmp_path) as tenant:
        assert tenant.api_token == token
        assert count_tables(tenant.base_url, token) == 17
    with sandbox.start(tmp_path, reset=True) as tenant:
        assert count_tables(tenant.base_url, tenant.api_token) == 16


def test_events_lie_beside_the_sample_and_go_with_it(tmp_path: Path) -> None:
    events = tmp_path / "state" / "events"
    with sandbox.start(tmp_path / "state"):
        assert {path.name for path in events.iterdir()} == {"airflow.jsonl", "load-history.jsonl"}
    (events / "airflow.jsonl").unlink()
    (events / "own.jsonl").write_text("")
    with sandbox.start(tmp_path / "state"):  # what people leave there stays
        assert {path.name for path in events.iterdir()} == {"own.jsonl", "load-history.jsonl"}
    with sandbox.start(tmp_path / "state", reset=True):
        assert {path.name for path in events.iterdir()} == {"airflow.jsonl", "load-history.jsonl"}
    with sandbox.start(tmp_path / "state", reset=True, inventories=SAMPLE_INVENTORIES):  # own ones, for all it knows
        assert [*events.iterdir()] == []
    with sandbox.start(tmp_path / "state"):
        assert [*events.iterdir()] == []


def test_a_folder_serves_one_sandbox_at_a_time(own_tenant: sandbox.Tenant) -> None:
    with pytest.raises(FolderInUse), sandbox.start(own_tenant.folder):
        pass


def test_a_taken_port_is_an_error_and_not_a_wait(own_tenant: sandbox.Tenant, tmp_path: Path) -> None:
    port = int(own_tenant.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), sandbox.start(tmp_path / "other", port=port):
        pass


@pytest.mark.parametrize("option", PORT_OPTIONS)
def test_the_command_names_the_port_that_is_taken_and_its_option(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_to_its_end(tmp_path, *FREE_PORTS, option, str(port))
    assert ended.stderr == f"❌ Cannot start on port {port}: Address already in use; name another {option}\n"
    assert (ended.returncode, ended.stdout) == (2, "")


def test_a_port_that_is_none_is_refused_and_a_folder_that_is_none_is_told_as_such(tmp_path: Path) -> None:
    ended = run_to_its_end(tmp_path, "--s3-port", "65536")
    assert (ended.returncode, "argument --s3-port: invalid" in ended.stderr) == (2, True)
    (tmp_path / "file").write_text("no folder")
    ended = run_to_its_end(tmp_path, *FREE_PORTS, "--folder", "file")
    assert ended.returncode == 2
    assert re.fullmatch("❌ Cannot use file: .+; name another --folder\n", ended.stderr)


def test_a_server_that_rclone_cannot_start_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last check of the port is before rclone starts, so another program may still be first.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(storage, "listen", lambda port, parameter: socket.socket())
        began = time.monotonic()
        with pytest.raises(StorageError) as error, serve_buckets(tmp_path, port):
            pass
    assert time.monotonic() - began < storage.START_SECONDS, "rclone has ended, and its end was waited for"
    assert re.fullmatch(rf"the S3 server did not start: [^\n]*127\.0\.0\.1:{port}: [^\n]*in use", str(error.value))


def test_it_is_filled_from_inventory_files(tmp_path: Path) -> None:
    rows = [
        ["default/postgres/99/SHOP", "SHOP", "Database"],
        ["default/postgres/99/SHOP/public", "public", "Schema"],
        ["default/postgres/99/SHOP/public/a/b", "a/b", "Table"],
        ["default/postgres/99/SHOP/public/a/b/id", "id", "Column"],
        ["default/postgres/99/SHOP/public/_procedures_/refresh", "refresh", "Procedure"],
    ]
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"timestamp": "2025-01-01T00:00:00", "data": rows}))
    with sandbox.start(tmp_path / "state", inventories=(inventory,)) as tenant:
        headers = {"authorization": f"Bearer {tenant.api_token}"}
        query = {"attr:qualifiedName": rows[3][0]}
        path = "/api/meta/entity/uniqueAttribute/type/Column"
        column = httpx.get(tenant.base_url + path, params=query, headers=headers).json()["entity"]
    assert column["attributes"]["order"] == 1
    assert column["attributes"]["schemaName"] == "public"
    assert column["relationshipAttributes"]["table"]["displayText"] == "a/b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read (No such file or directory): name the cache file of a run on your tenant"),
        ("[1]", "is no inventory file"),
        ('{"data": []}', "has no assets: name the cache file of a run on your tenant"),
        ('{"data": [["qualified_name", "asset_name", "asset_type"]]}', "has no assets"),
        ('{"data": [[1, 2, 3]]}', "is no row [qualified name, name, type] of the connection"),
        ('{"data": [["default/postgres/1/D", "D"]]}', "is no row"),
        (
            '{"data": [["default/postgres/1/D", "D", "Database"], ["default/postgres/2/D", "D", "Database"]]}',
            "is no row",
        ),
        ("[" * 100_000, "is no inventory file"),
    ],
    ids=["missing", "a list", "empty", "heading only", "numbers", "two parts", "two connections", "deep"],
)
def test_an_inventory_that_is_none_is_told(tmp_path: Path, text: str | None, said: str) -> None:
    inventory = tmp_path / "inventory.json"
    if text is not None:
        inventory.write_text(text)
    with (
        pytest.raises(InventoryError) as error,
        sandbox.start(tmp_path / "state", inventories=(*SAMPLE_INVENTORIES, inventory)),
    ):
        pass
    assert str(error.value).startswith(str(inventory))
    assert said in str(error.value)
    with sandbox.start(tmp_path / "state", inventories=SAMPLE_INVENTORIES) as tenant:  # nothing was half made
        assert not tenant.empty


def test_an_inventory_fills_a_tenant_that_is_started_as_a_program(tmp_path: Path) -> None:
    inventory = tmp_path / "own.json"
    inventory.write_text(json.dumps({"data": [["default/postgres/99/SHOP", "SHOP", "Database"]]}))
    refused = run_to_its_end(tmp_path, *FREE_PORTS, "--inventory", "nowhere.json")
    assert refused.returncode == 2
    assert refused.stderr.startswith("❌ nowhere.json cannot be read")
    server, settings = run_module(tmp_path, "--reset", "--inventory", inventory.name)
    try:
        assert count_tables(settings["ATLAN_BASE_URL"], settings["ATLAN_API_TOKEN"]) == 0
        query = {"attr:qualifiedName": "default/postgres/99/SHOP"}
        answer = httpx.get(
            f"{settings['ATLAN_BASE_URL']}/api/meta/entity/uniqueAttribute/type/Database",
            params=query,
            headers={"authorization": f"Bearer {settings['ATLAN_API_TOKEN']}"},
        )
        assert answer.json()["entity"]["attributes"]["name"] == "SHOP"
    finally:
        server.terminate()
        server.communicate(timeout=60)


def test_an_empty_tenant_says_how_to_fill_it(tmp_path: Path) -> None:
    folder = tmp_path / ".sandbox"
    with sandbox.start(folder) as tenant:
        assert not tenant.empty
        query = {"dsl": {"size": 10, "query": {"term": {"__typeName.keyword": "Connection"}}}}
        with httpx.Client(base_url=tenant.base_url, headers=authorization(tenant), trust_env=False) as http:
            found = http.post("/api/meta/search/indexsearch", json=query).json()["entities"]
            guids = "&".join(f"guid={connection['guid']}" for connection in found)
            http.delete(f"/api/meta/entity/bulk?deleteType=PURGE&{guids}").raise_for_status()
    program = "from runtime.embedded import start_sandbox\nfrom runtime.terminal import configure_logging\n"
    program += "configure_logging('INFO')\nstart_sandbox()"
    embedded = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert embedded.stdout == "⚠️ The sandbox is empty: `python -m sandbox --reset` fills it with the sample\n"
    command = [sys.executable, "-m", "sandbox", *FREE_PORTS]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        said = server.stdout.readline()
        server.terminate()
    assert said == "⚠️ The sandbox is empty: stop it, and start it with --reset to fill it with the sample\n"
    with sandbox.start(folder, reset=True) as tenant:
        assert not tenant.empty


def test_a_killed_server_keeps_every_acknowledged_write(tmp_path: Path) -> None:
    server, settings = run_module(tmp_path)
    acknowledged = 0
    try:
        for n in range(20):
            names = [f"T{n}_{i}" for i in range(25)]
            if post_tables(settings["ATLAN_BASE_URL"], settings["ATLAN_API_TOKEN"], names).status_code == 200:
                acknowledged += len(names)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert acknowledged == 500
    with sandbox.start(tmp_path / ".sandbox") as tenant:
        assert count_tables(tenant.base_url, tenant.api_token) == 16 + acknowledged
    deadline = time.monotonic() + 10
    while is_listening(settings["AWS_ENDPOINT_URL_S3"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_listening(settings["AWS_ENDPOINT_URL_S3"]), "its S3 server outlived the kill"


def test_a_kill_at_any_moment_loses_no_acknowledged_write_and_leaves_none_half(tmp_path: Path) -> None:
    acknowledged, asked = set(), set()
    for kill in range(3):
        server, settings = run_module(tmp_path)
        timer = threading.Timer(random.uniform(0, 1), server.kill)
        with contextlib.suppress(httpx.TransportError):
            for number in itertools.count():
                request = f"{kill}.{number}"
                asked.add(request)
                names = [f"{request}_{table}" for table in range(40)]
                post_tables(settings["ATLAN_BASE_URL"], settings["ATLAN_API_TOKEN"], names).raise_for_status()
                acknowledged.add(request)
                if number == 0:
                    timer.start()
        timer.join()
        server.wait()
    with sandbox.start(tmp_path / ".sandbox") as tenant:
        dsl = {"size": 100_000, "query": {"term": {"__typeName.keyword": {"value": "Table"}}}}
        headers = {"authorization": f"Bearer {tenant.api_token}"}
        url = f"{tenant.base_url}/api/meta/search/indexsearch"
        hits = httpx.post(url, json={"dsl": dsl}, headers=headers, timeout=30).json()["entities"]
    found = Counter(hit["displayText"].partition("_")[0] for hit in hits if "_" in hit["displayText"])
    written = {request: found[request] for request in asked if request in found}
    assert acknowledged <= written.keys()
    assert len(written) <= len(acknowledged) + 3
    assert set(written.values()) == {40}


def test_the_command_prints_settings_that_work_and_ends_on_a_signal(tmp_path: Path) -> None:
    server, settings = run_module(tmp_path)
    try:
        assert count_tables(settings["ATLAN_BASE_URL"], settings["ATLAN_API_TOKEN"]) == 16
        again = run_to_its_end(tmp_path, *FREE_PORTS)
        assert again.returncode == 2
        assert ".sandbox is in use by another sandbox" in again.stderr
    finally:
        server.terminate()
    assert server.wait(20) == 0


def test_the_bucket_is_a_folder_that_can_be_added_to(own_tenant: sandbox.Tenant) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=own_tenant.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=own_tenant.s3_key[0],
        aws_secret_access_key=own_tenant.s3_key[1],
    )
    listed = s3.list_objects_v2(Bucket="atlan-tech-challenge")["Contents"]
    assert len(listed) == 8
    body = s3.get_object(Bucket="atlan-tech-challenge", Key="2025/csa-tech-challenge-ary/ORDERS.csv")["Body"].read()
    assert body.startswith(b"ORDERID,CUSTOMERID,EMPLOYEEID,ORDERDATE,SHIPPERID\n")
    (own_tenant.buckets / "atlan-tech-challenge" / "one more.csv").write_text("A\n1\n")
    time.sleep(0.1)  # the server looks at a folder again after 5 ms
    assert len(s3.list_objects_v2(Bucket="atlan-tech-challenge")["Contents"]) == 9


def test_the_request_limit_blocks_and_lifts(own_tenant: sandbox.Tenant) -> None:
    pace = {"requests_per_minute": 10, "block_seconds": 0.5, "retry_after": 7}
    headers = authorization(own_tenant)
    httpx.put(f"{own_tenant.base_url}/_sandbox/pace", json=pace, headers=headers).raise_for_status()
    path = f"{own_tenant.base_url}/api/service/users/current"
    answers = [httpx.get(path, headers=headers) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "7"
    time.sleep(0.6)
    assert httpx.get(path, headers=headers).status_code == 200


def test_writes_become_searchable_late_where_that_is_asked_for(own_tenant: sandbox.Tenant) -> None:
    headers = authorization(own_tenant)
    pace = {"index_delay_seconds": 3600}
    httpx.put(f"{own_tenant.base_url}/_sandbox/pace", json=pace, headers=headers).raise_for_status()
    assert post_tables(own_tenant.base_url, own_tenant.api_token, ["LATE"]).status_code == 200
    assert count_tables(own_tenant.base_url, own_tenant.api_token) == 16
    httpx.post(f"{own_tenant.base_url}/_sandbox/reset", json={}, headers=headers).raise_for_status()
    assert post_tables(own_tenant.base_url, own_tenant.api_token, ["AT_ONCE"]).status_code == 200
    assert count_tables(own_tenant.base_url, own_tenant.api_token) == 17


def test_faults_and_counters(own_tenant: sandbox.Tenant) -> None:
    base, token = own_tenant.base_url, own_tenant.api_token
    with httpx.Client(base_url=base, headers=authorization(own_tenant), trust_env=False) as http:
        http.post("/_sandbox/faults", json={"status": 0, "count": 1, "after": True}).raise_for_status()
        with pytest.raises(httpx.RemoteProtocolError):
            post_tables(base, token, ["KEPT"])
        assert count_tables(base, token) == 17
        fault = {"status": 400, "count": 5, "path": "/api/meta/entity", "body_contains": "POISON"}
        http.post("/_sandbox/faults", json=fault).raise_for_status()
        assert post_tables(base, token, ["FINE"]).status_code == 200
        assert post_tables(base, token, ["POISON"]).status_code == 400
        assert http.get("/api/meta/nothing").status_code == 501
        counted = http.get("/_sandbox/requests").json()
        assert counted["writes"] == 3
        assert counted["unknown"] == {"GET /api/meta/nothing": 1}
        http.post("/_sandbox/reset", json={"catalog": True}).raise_for_status()
        assert count_tables(base, token) == 16
        assert http.get("/_sandbox/requests").json()["writes"] == 0


def run_module(folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """`python -m sandbox` on free ports, and the settings that it printed."""
    server = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *FREE_PORTS, *arguments],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout
    settings = {}
    for line in server.stdout:
        setting = re.fullmatch(r"([A-Z0-9_]+)=(.+)\n", line)
        if setting:
            settings[setting.group(1)] = setting.group(2)
        if line.startswith("ATLAN_AUTH_CLIENT_SECRET="):
            break
    return server, settings


def run_to_its_end(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m sandbox` where it is to refuse to start."""
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT)}


def is_listening(url: str) -> bool:
    try:
        httpx.get(url, timeout=1)
    except httpx.TransportError:
        return False
    return True
