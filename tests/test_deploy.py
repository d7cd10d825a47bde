"""The Kubernetes manifests: valid by Kubernetes' own schemas, and in step with the programs that they run."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from delta_arc.endings import EXIT_CODES, Ending
from delta_arc.options import build_parser
from metadata_extraction import __main__ as extraction
from metadata_extraction.components import ComponentError, open_store, read_components
from metadata_extraction.settings import check_extraction_settings
from runtime.environment import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
README = (ROOT / "metadata_extraction" / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {
    f"{document['kind']} {document['metadata']['name']}": document
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
SECRETS = {"ATLAN_API_TOKEN", "SOURCE_URL", "ATLAN_AUTH_CLIENT_ID", "ATLAN_AUTH_CLIENT_SECRET"}
SETTINGS_OF_ALL = DOCUMENTS["ConfigMap delta-arc"]["data"]

pods = pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.startswith(("Deployment", "CronJob"))])


def pod_of(name: str) -> dict[str, Any]:
    spec = DOCUMENTS[name]["spec"]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]


def container_of(name: str) -> dict[str, Any]:
    (container,) = pod_of(name)["containers"]
    return container


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_manifest_is_valid(name: str, version: str) -> None:
    kubernetes_validate.validate(DOCUMENTS[name], version, strict=True)


def test_the_check_finds_what_is_wrong() -> None:
    name = "Deployment delta-arc-extraction-worker"
    wrong = {**DOCUMENTS[name], "spec": {**DOCUMENTS[name]["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


@pods
def test_each_command_is_one_of_the_programs(name: str) -> None:
    container = container_of(name)
    assert container["command"] == ["python"]
    arguments = [argument.replace("$(JOB_NAME)", "delta-arc-extraction-29383200") for argument in container["args"]]
    if arguments[0] == "/app/main.py":
        assert build_parser().parse_args(arguments[1:]).require_tenant
    else:
        assert arguments[:2] == ["-m", "metadata_extraction"]
        options = extraction.build_extraction_parser().parse_args(arguments[2:])
        if options.command == "run":
            extraction.make_run(
                check_extraction_settings({"COMPONENTS_PATH": "."}), options.workflow_id, options.run_id
            )


@pods
def test_what_a_pod_refers_to_is_there(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert f"PersistentVolumeClaim {volumes['data']['persistentVolumeClaim']['claimName']}" in DOCUMENTS
    assert f"ConfigMap {volumes['components']['configMap']['name']}" in DOCUMENTS
    (settings, secret) = container["envFrom"]
    assert f"ConfigMap {settings['configMapRef']['name']}" in DOCUMENTS
    assert f"kubectl create secret generic {secret['secretRef']['name']} " in README


def test_settings_are_those_of_the_programs_and_no_secret_is_among_them() -> None:
    assert SETTINGS_OF_ALL.keys() <= SETTINGS - SECRETS
    assert SECRETS <= SETTINGS
    assert (
        set(re.findall(r"`(\w+)`", README.partition("and a secret with ")[2].partition(", one in each")[0])) == SECRETS
    )
    lineage = container_of("CronJob delta-arc-lineage")
    mounted = {mount["mountPath"] for mount in lineage["volumeMounts"]}
    assert lineage["workingDir"] in mounted, "where caches, report and page go"
    for value in SETTINGS_OF_ALL.values():
        if value.startswith("/"):
            assert any(value == path or value.startswith(f"{path}/") for path in mounted), value


def test_the_components_are_those_that_the_settings_name(tmp_path: Path) -> None:
    for file, text in DOCUMENTS["ConfigMap delta-arc-components"]["data"].items():
        (tmp_path / file).write_text(text)
    named = {SETTINGS_OF_ALL["DEPLOYMENT_OBJECT_STORE_NAME"], SETTINGS_OF_ALL["UPSTREAM_OBJECT_STORE_NAME"]}
    assert read_components(tmp_path).keys() == named
    keys = {"ATLAN_AUTH_CLIENT_ID": "id", "ATLAN_AUTH_CLIENT_SECRET": "secret"}
    assert open_store("objectstore", tmp_path, keys).address == "local folder /data/objectstore"
    with pytest.raises(ComponentError, match=r"endpoint still has https://\{\{tenant\}\}"):
        open_store("atlan-objectstore", tmp_path, keys)
    storage = tmp_path / "atlan-storage.yaml"
    storage.write_text(storage.read_text().replace("{{tenant}}", "acme"))
    assert open_store("atlan-objectstore", tmp_path, keys).address.endswith("https://acme.atlan.com/api/blobstorage")


@pods
def test_each_pod_may_do_little(name: str) -> None:
    pod, container = pod_of(name), container_of(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert "memory" in container["resources"]["limits"]


def probes() -> Iterator[tuple[str, list[str]]]:
    container = container_of("Deployment delta-arc-extraction-worker")
    for name in ("startupProbe", "livenessProbe"):
        yield name, container[name]["exec"]["command"]


def test_the_probes_look_at_the_file_that_the_worker_touches(tmp_path: Path) -> None:
    """Their commands, as they stand there, but for where the file is."""
    arguments = container_of("Deployment delta-arc-extraction-worker")["args"]
    alive = arguments[arguments.index("--alive-file") + 1]
    here = tmp_path / "alive"
    for name, command in probes():
        assert alive in command[-1], name
        shell = [*command[:-1], command[-1].replace(alive, str(here))]
        here.unlink(missing_ok=True)
        assert subprocess.run(shell, stderr=subprocess.DEVNULL).returncode != 0
        here.touch()
        assert subprocess.run(shell).returncode == 0
        os.utime(here, (time.time() - 180,) * 2)
        assert subprocess.run(shell).returncode != 0


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.startswith("CronJob")])
def test_a_cron_job_never_runs_twice_at_once_and_ends(name: str) -> None:
    spec = DOCUMENTS[name]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["activeDeadlineSeconds"] > 0
    (rule,) = job["podFailurePolicy"]["rules"]
    useless = {extraction.WRONG_SETTING}
    if name == "CronJob delta-arc-lineage":
        useless = {EXIT_CODES[end] for end in (Ending.WRONG_SETTING, Ending.WITHOUT_CHAINS, Ending.BELOW_COVERAGE)}
    assert (rule["action"], {*rule["onExitCodes"]["values"]}) == ("FailJob", useless)
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # as a policy for failures asks for
