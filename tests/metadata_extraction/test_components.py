"""Dapr component files: which store they lead to, and what is said of those that lead nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from upload_world import harmful_proxy

from metadata_extraction.components import (
    NAMES_OF_ATLANS_STORAGE,
    ComponentError,
    _is_path_style,
    open_store,
    read_components,
)
from metadata_extraction.models import Run
from metadata_extraction.stores import LocalFolder, StoreError
from metadata_extraction.upload import migrate_from_objectstore_to_atlan

ROOT = Path(__file__).resolve().parents[2]
HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {type}\n  version: v1\n  metadata:\n"
SECRETS = """\
    - name: accessKey
      secretKeyRef: {name: ATLAN_AUTH_CLIENT_ID, key: ATLAN_AUTH_CLIENT_ID}
    - name: secretKey
      secretKeyRef: {name: ATLAN_AUTH_CLIENT_SECRET, key: ATLAN_AUTH_CLIENT_SECRET}
"""


def write(folder: Path, name: str, type_name: str, rest: str = "", after: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(HEAD.format(name=name, type=type_name) + (rest or "    []\n") + after)
    return path


def s3(folder: Path, after: str = "", endpoint: str = "https://acme.atlan.com/api/blobstorage") -> None:
    fields = f"    - name: bucket\n      value: objectstore\n    - name: endpoint\n      value: {endpoint}\n"
    write(folder, "atlan-storage", "bindings.aws.s3", fields + SECRETS, after)


def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_ID", "client")
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_SECRET", "very-secret")


def test_the_components_that_ship_are_those_of_the_documents() -> None:
    found = read_components(ROOT / "components")
    assert {name: item.type for name, item in found.items()} == {
        "objectstore": "bindings.localstorage",
        "atlan-objectstore": "bindings.aws.s3",
        "deployment-secret-store": "secretstores.local.env",
    }
    storage = found["atlan-objectstore"].metadata
    assert storage["endpoint"]["value"] == "https://{{tenant}}.atlan.com/api/blobstorage"
    assert storage["accessKey"]["secretKeyRef"]["name"] == "ATLAN_AUTH_CLIENT_ID"
    assert storage["secretKey"]["secretKeyRef"]["name"] == "ATLAN_AUTH_CLIENT_SECRET"


def test_a_local_component_is_a_folder(empty_folder: Path) -> None:
    store = open_store("objectstore", ROOT / "components")
    assert isinstance(store, LocalFolder)
    assert store.root == empty_folder / "local/dapr/objectstore"


def test_a_placeholder_is_told(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys(monkeypatch)
    with pytest.raises(ComponentError, match=r"atlan-storage.yaml: endpoint still has https://\{\{tenant\}\}"):
        open_store("atlan-storage", ROOT / "components")


def test_a_secret_comes_from_the_environment_and_its_absence_is_told(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3(empty_folder)
    with pytest.raises(ComponentError, match="the secret ATLAN_AUTH_CLIENT_ID for accessKey is not set: put it into"):
        open_store("atlan-storage", empty_folder)
    keys(monkeypatch)
    store = open_store("atlan-storage", empty_folder)
    assert store.address == "s3://objectstore at https://acme.atlan.com/api/blobstorage"
    assert "very-secret" not in repr(vars(store))


def test_a_secret_comes_from_a_file_store(empty_folder: Path) -> None:
    secrets = empty_folder / "secrets.json"
    secrets.write_text(
        json.dumps({"ATLAN_AUTH_CLIENT_ID": "client", "ATLAN_AUTH_CLIENT_SECRET": {"ATLAN_AUTH_CLIENT_SECRET": "s"}})
    )
    write(empty_folder, "vault", "secretstores.local.file", f"    - name: secretsFile\n      value: {secrets}\n")
    s3(empty_folder, after="auth:\n  secretStore: vault\n")
    assert open_store("atlan-storage", empty_folder).address.startswith("s3://objectstore")
    secrets.unlink()
    with pytest.raises(ComponentError, match=r"vault.yaml: the secrets file .* cannot be read \(FileNotFoundError\)"):
        open_store("atlan-storage", empty_folder)


def test_the_key_of_a_secret_with_several_counts(empty_folder: Path) -> None:
    fields = "    - name: rootPath\n      secretKeyRef: {name: places, key: ours}\n"
    (empty_folder / "secrets.json").write_text(json.dumps({"places": {"ours": "here", "places": "there"}}))
    write(empty_folder, "vault", "secretstores.local.file", "    - name: secretsFile\n      value: secrets.json\n")
    write(empty_folder, "store", "bindings.localstorage", fields, after="auth:\n  secretStore: vault\n")
    assert open_store("store", empty_folder).address == "local folder here"


def test_the_prefix_of_an_environments_secret_store_counts(empty_folder: Path) -> None:
    fields = "    - name: rootPath\n      secretKeyRef: {name: PLACE}\n"
    write(empty_folder, "vault", "secretstores.local.env", "    - name: prefix\n      value: OURS_\n")
    write(empty_folder, "store", "bindings.localstorage", fields, after="auth:\n  secretStore: vault\n")
    environment = {"OURS_PLACE": "here", "PLACE": "there"}
    assert open_store("store", empty_folder, environment).address == "local folder here"


def test_an_endpoint_without_a_scheme_is_spoken_to_over_tls(empty_folder: Path) -> None:
    fields = "    - {name: bucket, value: b}\n    - {name: endpoint, value: minio.acme.com}\n"
    write(empty_folder, "store", "bindings.aws.s3", fields)
    assert open_store("store", empty_folder).address == "s3://b at https://minio.acme.com"


def test_a_session_token_and_a_boolean_reach_s3(empty_folder: Path) -> None:
    """Path style by a boolean of YAML: otherwise the bucket would be a part of the host's name."""
    heads: list[bytes] = []

    def refuse(_: int, head: bytes) -> str:
        heads.append(head.lower())
        return "503"

    with harmful_proxy(1, refuse) as endpoint:
        fields = {"bucket": "b", "endpoint": endpoint, "accessKey": "id", "secretKey": "secret", "sessionToken": "session",
                  "forcePathStyle": "true"}  # fmt: skip
        write(
            empty_folder,
            "store",
            "bindings.aws.s3",
            "".join(f"    - {{name: {k}, value: {v}}}\n" for k, v in fields.items()),
        )
        with pytest.raises(StoreError):
            open_store("store", empty_folder).write("k", [b"x"], 1)
    assert heads[0].startswith(b"put /b/k ")
    assert b"x-amz-security-token: session\r\n" in heads[0]
    assert b"credential=id/" in heads[0]


def first_request(folder: Path, endpoint_path: str, **given: str) -> bytes:
    """The head of the first request to a store behind an address with a path."""
    heads: list[bytes] = []

    def refuse(_: int, head: bytes) -> str:
        heads.append(head)
        return "503"

    with harmful_proxy(1, refuse) as endpoint:
        fields = {"bucket": "b", "endpoint": f"{endpoint}{endpoint_path}", "accessKey": "i", "secretKey": "s", **given}
        items = "".join(f"    - {{name: {name}, value: {json.dumps(value)}}}\n" for name, value in fields.items())
        write(folder, "store", "bindings.aws.s3", items)
        with pytest.raises(StoreError):
            open_store("store", folder).write("k", [b"x"], 1)
    return heads[0]


def test_behind_an_ip_address_or_a_path_the_bucket_is_in_the_path(empty_folder: Path) -> None:
    """Where nothing is said; a bucket before the host's name would be a name that nobody has."""
    assert first_request(empty_folder, "/api/blobstorage").startswith(b"PUT /api/blobstorage/b/k ")
    assert first_request(empty_folder, "").startswith(b"PUT /b/k ")


@pytest.mark.parametrize(
    ("endpoint", "given", "path_style"),
    [
        ("https://acme.atlan.com/api/blobstorage", {}, True),
        ("https://acme.atlan.com/api/blobstorage", {"forcePathStyle": "false"}, False),
        ("https://storage.acme.com", {}, False),
        ("https://storage.acme.com/", {}, False),
        ("https://storage.acme.com", {"forcePathStyle": "true"}, True),
        ("https://[::1]:9", {}, True),
        ("", {}, False),
    ],
)
def test_path_style_is_as_the_component_says_and_else_what_can_work(
    endpoint: str, given: dict[str, str], path_style: bool
) -> None:
    assert _is_path_style(given, endpoint) is path_style


@pytest.mark.parametrize("asked", NAMES_OF_ATLANS_STORAGE)
@pytest.mark.parametrize("there", NAMES_OF_ATLANS_STORAGE)
def test_either_name_of_atlans_storage_is_good_for_the_other(empty_folder: Path, asked: str, there: str) -> None:
    write(empty_folder, there, "bindings.localstorage", f"    - name: rootPath\n      value: of-{there}\n")
    assert open_store(asked, empty_folder).address == f"local folder of-{there}"
    with pytest.raises(ComponentError, match="The object store objectstore is not registered"):
        open_store("objectstore", empty_folder)


def test_where_both_names_are_there_each_means_its_own(empty_folder: Path) -> None:
    for name in NAMES_OF_ATLANS_STORAGE:
        write(empty_folder, name, "bindings.localstorage", f"    - name: rootPath\n      value: of-{name}\n")
    for name in NAMES_OF_ATLANS_STORAGE:
        assert open_store(name, empty_folder).address == f"local folder of-{name}"


def test_a_secret_store_that_cannot_be_read_here_is_told(empty_folder: Path) -> None:
    write(empty_folder, "vault", "secretstores.hashicorp.vault")
    s3(empty_folder, after="auth:\n  secretStore: vault\n")
    with pytest.raises(ComponentError, match=r"secretstores.hashicorp.vault cannot be read here"):
        open_store("atlan-storage", empty_folder)


@pytest.mark.parametrize(
    ("type_name", "fields", "address"),
    [
        (
            "bindings.azure.blobstorage",
            {"accountName": "acme", "accountKey": "a2V5", "containerName": "c"},
            "azure://acme/c",
        ),
        ("bindings.gcp.bucket", {"bucket": "b"}, "gs://b"),
        ("bindings.aws.s3", {"bucket": "b", "accessKey": "id", "secretKey": "secret"}, "s3://b"),
    ],
    ids=["azure", "gcp", "aws"],
)
def test_other_clouds_open(empty_folder: Path, type_name: str, fields: dict[str, str], address: str) -> None:
    write(
        empty_folder,
        "store",
        type_name,
        "".join(f"    - name: {name}\n      value: {value}\n" for name, value in fields.items()),
    )
    assert open_store("store", empty_folder).address == address


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kind: Component\nmetadata: {name: x}\n", "is no Dapr component: it needs metadata.name, spec.type"),
        ("a: [", "cannot be read as YAML"),
        (
            HEAD.format(name="store", type="bindings.kafka") + "    []\n",
            "bindings.kafka is no object store: use one of",
        ),
        (HEAD.format(name="store", type="bindings.aws.s3") + "    []\n", "bucket is missing: add it to spec.metadata"),
        (
            HEAD.format(name="other", type="bindings.aws.s3") + "    []\n",
            r"store is not registered: .* \(found: other\)",
        ),
    ],
    ids=["no component", "no yaml", "no store", "no bucket", "not registered"],
)
def test_a_wrong_component_is_told_in_one_sentence(empty_folder: Path, content: str, said: str) -> None:
    (empty_folder / "c.yaml").write_text(content)
    with pytest.raises(ComponentError, match=said) as caught:
        open_store("store", empty_folder)
    assert "\n" not in str(caught.value)


def test_the_upload_tells_what_is_wrong_with_its_components(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = Run("nightly", "1", "c", "default/postgres/1", None, True).output_path  # type: ignore[arg-type]
    write(
        empty_folder, "objectstore", "bindings.localstorage", f"    - name: rootPath\n      value: {empty_folder}/o\n"
    )
    monkeypatch.setenv("COMPONENTS_PATH", str(empty_folder))
    monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", "default/postgres/1")
    same = migrate_from_objectstore_to_atlan(prefix)
    assert (
        "both objectstore, so nothing would reach Atlan: set UPSTREAM_OBJECT_STORE_NAME=atlan-objectstore"
        in same.reason
    )
    monkeypatch.setenv("UPSTREAM_OBJECT_STORE_NAME", "atlan-storage")
    missing = migrate_from_objectstore_to_atlan(prefix)
    assert "The object store atlan-storage is not registered" in missing.reason
    s3(empty_folder)
    assert "the secret ATLAN_AUTH_CLIENT_ID" in migrate_from_objectstore_to_atlan(prefix).reason
    assert not any(summary.complete for summary in (same, missing))
