"""Component files, secrets and stores that no one should write, but someone does: one sentence each, in bounded time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from upload_world import LOCAL, S3, harmful_proxy

from metadata_extraction import stores, upload
from metadata_extraction.activities import upload_to_atlan
from metadata_extraction.components import ComponentError, open_store, read_components, secrets_in_components
from metadata_extraction.models import Filters, Run
from metadata_extraction.settings import check_extraction_settings
from metadata_extraction.stores import LocalFolder, StoredFile, StoreError
from metadata_extraction.upload import MANIFEST, migrate
from runtime.errors import PipelineError, SettingsError
from runtime.terminal import logger

HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: store}\nspec:\n  type: bindings.aws.s3\n  metadata:\n"
GOOD = {
    "bucket": "b",
    "endpoint": "http://127.0.0.1:1",
    "accessKey": "id",
    "secretKey": "hush-hush",
    "forcePathStyle": True,
}
RUN = Run("nightly", "1", "shop", "default/postgres/1", Filters(), True)


def s3(folder: Path, **changed: Any) -> Path:
    items = [{"name": name, "value": value} for name, value in {**GOOD, **changed}.items() if value is not None]
    path = folder / "store.yaml"
    path.write_text(HEAD + "".join(f"    - {json.dumps(item)}\n" for item in items))
    return path


def told(call: Callable[[], object]) -> str:
    """What a call tells of components; nothing where it does what it should."""
    try:
        call()
    except ComponentError as error:
        return str(error)
    return ""


def opened_or_told(folder: Path, environment: dict[str, str]) -> str:
    """Open the component `store`, and use it; returns what was told, which is one sentence, soon, without a secret."""
    started = time.monotonic()
    try:
        store = open_store("store", folder, environment)
        store.write("key", [b"x"], 1)
        said = ""
    except PipelineError as error:
        said = str(error)
    assert time.monotonic() - started < 20
    assert "\n" not in said
    assert "hush-hush" not in said
    return said


# What a component says


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endpoint": "http://127.0.0.1 x:1"}, r"endpoint is no web address \(http://127.0.0.1 x:1\): write it like https"),
        ({"endpoint": "http://127.0.0.1:99999"}, "endpoint is no web address"),
        ({"endpoint": "http://127.0.0.1:0"}, "endpoint is no web address"),
        ({"endpoint": "http://"}, "endpoint is no web address"),
        ({"endpoint": "ftp://storage.acme.com"}, "endpoint is no web address"),
        ({"endpoint": "http://storage.acme.com/?a=b"}, "endpoint is no web address"),
        ({"endpoint": "http://störage.acme.com"}, "endpoint is no web address"),
        ({"endpoint": "http://[::1"}, "endpoint is no web address"),
        ({"endpoint": "http://127.0.0.1:1/a\u0000b\n"}, "endpoint is no web address"),
        ({"endpoint": "https://me:hush-hush@storage.acme.com"}, "endpoint has a user or a password in it: use accessKey"),
        ({"forcePathStyle": False}, 'endpoint is an IP address, .* set forcePathStyle to "true"'),
        ({"endpoint": "http://[::1]:9", "forcePathStyle": "no"}, "endpoint is an IP address"),
        ({"accessKey": "an\nid"}, "accessKey has a space, a line break"),
        ({"sessionToken": "hush-hush\r\nx-evil: 1"}, "sessionToken has a space, a line break"),
        ({"region": "eu-\u0000"}, "region has a space, a line break"),
        ({"bucket": "a b"}, r"bucket is no name of one \(a b\): check it"),
        ({"bucket": "../x"}, "bucket is no name of one"),
        ({"bucket": ["a"]}, "bucket has a value of another shape: write a text, or a reference"),
        ({"bucket": {"a": "b"}}, "bucket has a value of another shape"),
    ],
)  # fmt: skip
def test_what_no_store_could_be_opened_with_is_told_with_its_file(
    tmp_path: Path, changed: dict[str, Any], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = s3(tmp_path, **changed)
    with pytest.raises(ComponentError, match=said) as caught:
        open_store("store", tmp_path, {})
    assert str(path) in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert capfd.readouterr().err == ""  # a panic tells of itself there


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["bucket", "endpoint", "accessKey", "secretKey", "sessionToken", "region", "forcePathStyle"]),
    value=st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.lists(st.text(max_size=3), max_size=2),
)
@example(name="endpoint", value="http://127.0.0.1:1/%zz")
@example(name="endpoint", value="a" * 70 + ".invalid")
def test_whatever_stands_in_a_component_nothing_panics(tmp_path: Path, name: str, value: Any) -> None:
    s3(tmp_path, **{"endpoint": "http://127.0.0.1:1", name: value})
    if name != "endpoint" or "127.0.0.1:1" in str(value):
        opened_or_told(tmp_path, {})
        return
    assert told(lambda: open_store("store", tmp_path, {})).isprintable()  # not used, at whatever address it is


def test_a_key_may_end_with_a_line_break_as_secrets_do(tmp_path: Path) -> None:
    heads: list[bytes] = []

    def refuse(_: int, head: bytes) -> str:
        heads.append(head.lower())
        return "503"

    with harmful_proxy(1, refuse) as endpoint:
        (tmp_path / "store.yaml").write_text(S3.format(name="store", bucket="b", endpoint=endpoint))
        environment = {"ATLAN_AUTH_CLIENT_ID": "client\n", "ATLAN_AUTH_CLIENT_SECRET": " hush-hush\r\n"}
        with pytest.raises(StoreError):
            open_store("store", tmp_path, environment).write("k", [b"x"], 1)
    assert b"credential=client/" in heads[0]


@pytest.mark.parametrize(
    ("type_name", "fields"),
    [
        ("bindings.azure.blobstorage", {"accountName": "acme", "accountKey": "hush-hush no base64", "containerName": "c"}),
        ("bindings.azure.blobstorage", {"accountName": "ac me", "accountKey": "a2V5", "containerName": "c"}),
        ("bindings.azure.blobstorage", {"accountName": "acme", "endpoint": "http://127.0.0.1:99999", "containerName": "c"}),
        ("bindings.gcp.bucket", {"bucket": "b", "private_key": "hush-hush", "client_email": "e", "private_key_id": "i"}),
        ("bindings.gcp.bucket", {"bucket": "b\n\n", "private_key": "hush-hush"}),
        ("bindings.localstorage", {"rootPath": "x\0y"}),
        ("bindings.localstorage", {"rootPath": "x/" * 4000}),
    ],
)  # fmt: skip
def test_other_stores_that_cannot_be_opened_are_told(tmp_path: Path, type_name: str, fields: dict[str, str]) -> None:
    items = "".join(f"    - {json.dumps({'name': name, 'value': value})}\n" for name, value in fields.items())
    (tmp_path / "store.yaml").write_text(HEAD.replace("bindings.aws.s3", type_name) + items)
    assert opened_or_told(tmp_path, {})


# The file itself

BOMB = "a0: &a0 {k: v}\n" + "".join(
    f"a{level}: &a{level}\n  <<: [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
NESTED = {"kind": "Component", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "it is nested too deeply, or has too many aliases"),
        ("[" * 20_000, "it is nested too deeply"),
        ("- " * 5_000, "it is nested too deeply"),
        ("a: b\n" * 20_000, "it has over 64 KiB"),
        ("a: \0", "cannot be read as YAML"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        ("a: !!python/object/apply:os.system [id]", "cannot be read as YAML"),
        ("a: 2020-99-99", "cannot be read as YAML"),
        (f"a: {'9' * 5000}", "cannot be read as YAML"),
        ("? {a: b}\n: c", "cannot be read as YAML"),
        (json.dumps({**NESTED, "spec": "text"}), "is no Dapr component"),
        (json.dumps({**NESTED, "spec": {"type": 7}}), "is no Dapr component: a name or a type in it is no text"),
        (json.dumps({**NESTED, "metadata": {"name": ["x"]}, "spec": {"type": "t"}}), "a name or a type in it is no text"),
        (json.dumps({**NESTED, "spec": {"type": "t", "metadata": ["x"]}}), "is no Dapr component"),
        (json.dumps({**NESTED, "spec": {"type": "t", "metadata": [{"name": ["x"]}]}}), "is no Dapr component"),
        (json.dumps({**NESTED, "spec": {"type": "t"}, "auth": ["x"]}), "is no Dapr component"),
        (json.dumps({**NESTED, "spec": {"type": "t"}, "auth": {"secretStore": ["x"]}}), "is no Dapr component"),
        (json.dumps({**NESTED, "spec": {"type": "t", "metadata": [{"name": "n", "secretKeyRef": "x"}]}}), "n has a value of another shape"),
        (json.dumps({**NESTED, "spec": {"type": "t", "metadata": [{"name": "n", "secretKeyRef": {"name": []}}]}}), "n has a value of another"),
        (json.dumps({**NESTED, "spec": {"type": "t", "metadata": [{"name": "n", "envRef": {}}]}}), "n has a value of another shape"),
        (HEAD + "    []\n---\n" + HEAD + "    []\n", "there is a component store in .*c.yaml already: give each a name"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_component_is_told_soon(tmp_path: Path, content: str | bytes, said: str) -> None:
    (tmp_path / "c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.monotonic()
    with pytest.raises(ComponentError, match=said) as caught:
        open_store("store", tmp_path, {})
    assert time.monotonic() - started < 20
    assert str(tmp_path / "c.yaml") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert secrets_in_components(tmp_path, {}) == set()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def make_circle(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are of Unix")
@pytest.mark.parametrize("make", [make_pipe, make_dangling, make_circle, Path.mkdir])
def test_what_is_no_file_is_told_and_waited_for_by_nobody(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "c.yaml")
    with pytest.raises(ComponentError, match=r"c\.yaml cannot be read as YAML: ") as caught:
        read_components(tmp_path)
    assert "\n" not in str(caught.value)
    secrets = tmp_path / "secrets.json"
    (tmp_path / "c.yaml").rename(secrets)
    fields = "    - {name: rootPath, secretKeyRef: {name: PLACE}}\n"
    vault = HEAD.replace("store", "vault").replace("bindings.aws.s3", "secretstores.local.file")
    (tmp_path / "vault.yaml").write_text(f"{vault}    - {{name: secretsFile, value: {secrets}}}\n")
    text = HEAD.replace("bindings.aws.s3", "bindings.localstorage") + fields + "auth: {secretStore: vault}\n"
    (tmp_path / "store.yaml").write_text(text)
    with pytest.raises(ComponentError, match=r"vault\.yaml: the secrets file .* cannot be read"):
        open_store("store", tmp_path, {})


def test_a_link_to_a_file_is_one_as_volumes_have_them(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    s3(tmp_path / "..data").rename(tmp_path / "..data/one")
    (tmp_path / "store.yaml").symlink_to("..data/one")
    assert set(read_components(tmp_path)) == {"store"}


@pytest.mark.parametrize("folder", ["nowhere", "x" * 5000, "a\0b"])
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, folder: str) -> None:
    with pytest.raises(ComponentError, match="cannot be read: "):
        open_store("store", tmp_path / folder, {})
    with pytest.raises(SettingsError, match="COMPONENTS_PATH is no folder"):
        check_extraction_settings({"COMPONENTS_PATH": str(tmp_path / folder)})


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["kind", "metadata", "name", "spec", "type", "auth", "secretStore", "value", "secretKeyRef", "envRef", "Component"]
    ), inner, max_size=5)), max_leaves=20), st.binary(max_size=40))  # fmt: skip
@example([{"name": None, "value": []}], b"")
@example([{"name": None, "secretKeyRef": None}], b"")
def test_whatever_a_file_has_it_is_a_component_or_told(tmp_path: Path, document: Any, noise: bytes) -> None:
    for content in (
        json.dumps(document).encode(),
        json.dumps({**NESTED, "spec": {"type": "bindings.localstorage", "metadata": document}}).encode(),
        noise,
    ):
        (tmp_path / "c.yaml").write_bytes(content)
        assert told(lambda: [open_store(name, tmp_path, {}) for name in read_components(tmp_path)]).isprintable()
        secrets_in_components(tmp_path, {})


# Secrets


def test_every_secret_of_a_component_is_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [
        {"name": "bucket", "value": "seen-bucket"},
        {"name": "accessKey", "envRef": "OUR_ID"},
        {"name": "secretKey", "secretKeyRef": {"name": "OUR_SECRET"}},
        {"name": "sessionToken", "value": "secret-session"},
    ]
    (tmp_path / "store.yaml").write_text(HEAD + "".join(f"    - {json.dumps(item)}\n" for item in items))
    made = check_extraction_settings({
        "COMPONENTS_PATH": str(tmp_path), "OUR_ID": "secret-id", "OUR_SECRET": "secret-key\n", "TEMPORAL_API_KEY": "secret-temporal",
        "AWS_SESSION_TOKEN": "secret-aws",
    })  # fmt: skip
    made.apply_to_log()
    logger.info("seen-bucket secret-id secret-key secret-session secret-temporal secret-aws")
    assert capsys.readouterr().out == "seen-bucket *** *** *** *** ***\n"
    assert "secret-" not in repr(made)


def test_a_placeholder_that_is_secret_is_not_shown(tmp_path: Path) -> None:
    s3(tmp_path, secretKey="<hush-hush>")
    assert "secretKey still has a placeholder: put the real value there" in opened_or_told(tmp_path, {})


# Stores


class PanicException(BaseException):
    """As PyO3's, which cannot be imported."""


class Panicking:
    """A store whose library breaks off, wherever it is called."""

    address = "panicking"

    def list(self, prefix: str) -> Any:
        with stores._telling_errors():
            raise PanicException("called `Result::unwrap()`\non an `Err` value")

    read = write = delete = clear_leftovers = list


def test_a_panic_of_the_library_is_one_sentence() -> None:
    with pytest.raises(
        StoreError, match=r"the store's library broke off \(called `Result::unwrap\(\)` on an `Err` value\)"
    ):
        Panicking().list("")
    for ending in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(ending), stores._telling_errors():
            raise ending


def test_an_upload_never_raises_whatever_a_store_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o.yaml").write_text(LOCAL.format(name="objectstore", root=tmp_path / "o"))
    (tmp_path / "a.yaml").write_text(LOCAL.format(name="atlan", root=tmp_path / "a"))
    made = check_extraction_settings({"COMPONENTS_PATH": str(tmp_path), "UPSTREAM_OBJECT_STORE_NAME": "atlan"})
    LocalFolder(tmp_path / "o").write(f"{RUN.output_path}/x.json", [b"{}"], 2)

    def panic(*_: Any) -> Any:
        raise PanicException("it broke")

    monkeypatch.setattr(LocalFolder, "write", panic)
    summary = upload_to_atlan(RUN, made)
    assert [failure["error"] for failure in summary.failures] == ["PanicException: it broke"]
    monkeypatch.setattr(LocalFolder, "list", panic)
    assert upload_to_atlan(RUN, made).reason == "it broke off (PanicException: it broke)"


class Resetting(LocalFolder):
    """A folder that refuses so many deletions, and then does them; it keeps what it was asked for."""

    resets = 2

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.deleted: list[str] = []

    def delete(self, key: str) -> None:
        self.deleted.append(key)
        if len(self.deleted) <= self.resets:
            raise StoreError("connection reset", passing=True)
        super().delete(key)


def test_an_old_manifest_is_deleted_again_after_a_reset_and_only_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "time", type("Clock", (), {"sleep": lambda *_: None, "monotonic": time.monotonic}))
    source, destination = LocalFolder(tmp_path / "o"), Resetting(tmp_path / "a")
    source.write("run/a", [b"a"], 1)
    assert migrate(source, destination, "run").complete
    assert destination.deleted == []
    source.write("run/b", [b"b"], 1)
    assert migrate(source, destination, "run").complete
    assert destination.deleted == [f"run/{MANIFEST}"] * 3
    source.write("run/c", [b"c"], 1)
    destination.resets = 1000
    summary = migrate(source, destination, "run")
    assert "the old manifest cannot be deleted: connection reset" in summary.reason
    assert not summary.complete


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"{}", b"[]", b'{"files": [1]}', b'{"files": [{"file": []}]}', b"\xff"]
)
def test_a_manifest_that_is_none_is_left_out(tmp_path: Path, content: bytes) -> None:
    source, destination = LocalFolder(tmp_path / "o"), LocalFolder(tmp_path / "a")
    source.write("run/a", [b"a"], 1)
    destination.write(f"run/{MANIFEST}", [content], len(content))
    assert migrate(source, destination, "run").complete


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux'")
def test_a_name_that_is_no_text_is_told_and_the_rest_arrives(tmp_path: Path) -> None:
    source, destination = LocalFolder(tmp_path / "o"), LocalFolder(tmp_path / "a")
    source.write("run/a", [b"a"], 1)
    (tmp_path / "o/run" / os.fsdecode(b"\xff.json")).write_bytes(b"x")
    summary = migrate(source, destination, "run")
    assert (summary.migrated_files, [failure["error"] for failure in summary.failures]) == (
        1, ["its name is no text in UTF-8, so that no manifest can have it"],
    )  # fmt: skip


def test_a_planted_link_is_not_written_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalFolder(tmp_path / "o")
    (tmp_path / "o" / store.STAGING).mkdir(parents=True)
    (tmp_path / "victim").write_text("as it was")
    monkeypatch.setattr(stores.secrets, "token_hex", lambda _: "guessed")
    (tmp_path / "o" / store.STAGING / "guessed").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreError, match="it cannot be written"):
        store.write("a", [b"harm"], 4)
    assert (tmp_path / "victim").read_text() == "as it was"


@pytest.mark.parametrize("key", ["a\0b/c", "a/b\0"])
def test_a_key_with_a_null_character_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError, match="its key leads out"):
        list(LocalFolder(tmp_path).read(StoredFile(key, 0, "")))
