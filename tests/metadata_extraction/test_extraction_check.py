"""What `metadata_extraction check` finds: the source and the stores, each broken for real, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from upload_world import LOCAL, S3
from world import World

from metadata_extraction import __main__ as extraction

CONNECTION = "default/postgres/1757530687"
KEY = "artifacts/apps/delta-arc/workflows/extraction/1/raw/table/chunk-0-part0.parquet"
Check = Callable[[int], list[str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], empty_folder: Path) -> Check:
    """Runs a check that ends with this code; its lines."""

    def run_check(code: int = 0) -> list[str]:
        capsys.readouterr()
        ended = extraction.main(["check"])
        out, err = capsys.readouterr()
        assert (ended, err) == (code, ""), out + err
        assert "Traceback" not in out
        return out.splitlines()

    return run_check


@pytest.fixture
def components(empty_folder: Path) -> Path:
    """A folder with the component of a folder in which there is nothing yet."""
    folder = empty_folder / "components"
    folder.mkdir()
    (folder / "objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=empty_folder / "kept"))
    return folder


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_with_nothing_configured_nothing_is_started_or_made(
    check: Check, components: Path, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(empty_folder)
    kept = empty_folder / "kept"
    assert check(0) == [
        "✅ Settings: all can be used, for default/postgres/1763700000",
        "✅ Source: SOURCE_URL is not set, so the embedded sample is extracted",
        f"✅ Components: the object stores in components are objectstore (bindings.localstorage {kept})",
        f"✅ Deployment's store objectstore: local folder {kept} can be listed, and has no file of a run yet to be read",
        "✅ Upload: ENABLE_ATLAN_UPLOAD is off, so nothing is handed to Atlan",
        "✅ Checked, and nothing was written: 5 fine, 0 to look at, 0 wrong, 0 not checked",
    ]
    monkeypatch.setenv("ENABLE_ATLAN_UPLOAD", "true")
    assert check(0)[-2] == "✅ Upload: it is on, to the embedded sandbox's storage, which a run starts"
    assert everything(empty_folder) == before


def test_the_smallest_file_of_a_run_is_read(check: Check, components: Path, empty_folder: Path) -> None:
    for name, content in (("empty", b""), ("large", b"xxx"), ("small", b"x")):
        path = (empty_folder / "kept" / KEY).with_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (line,) = [line for line in check(0) if "Deployment's store" in line]
    assert line.endswith("can be listed, and read: artifacts/apps/delta-arc/workflows/extraction/1/raw/table/small")


def test_a_folder_that_is_none_is_told(check: Check, components: Path, empty_folder: Path) -> None:
    (empty_folder / "kept").touch()
    assert (
        "❌ Deployment's store objectstore: it cannot be written (its folder is none): check rootPath of its component"
        in check(1)
    )


def test_a_source_that_is_not_there_leaves_the_stores_to_be_looked_at(
    check: Check, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_URL", "postgresql://me:opensesame@127.0.0.1:1/shop")
    monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", CONNECTION)
    lines = check(1)
    assert lines[1].startswith("❌ Source: ")
    assert "127.0.0.1:1" in lines[1]
    assert not [line for line in lines if "opensesame" in line]
    assert [line for line in lines if line.startswith("✅ Deployment's store")]


def test_a_source_is_looked_at_with_its_warnings(
    check: Check, components: Path, make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_URL", make_database("create table public.t (a int)"))
    monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", CONNECTION)
    lines = check(0)
    assert lines[1].startswith("⚠️ postgres is a superuser of PostgreSQL ")
    assert lines[2].startswith("✅ Source: PostgreSQL ")
    assert lines[2].endswith(" can be read")
    assert lines[-1].startswith("⚠️ Checked, and nothing was written: ")


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("", ""),
        ("keys", "cannot be used: the store refuses the access key or its secret (SignatureDoesNotMatch)"),
        ("bucket", "cannot be used: the bucket does not exist: check the component's bucket"),
        ("secret", "the secret ATLAN_AUTH_CLIENT_SECRET for secretKey is not set"),
        ("absent", "The object store atlan-objectstore is not registered"),
        ("same", "UPSTREAM_OBJECT_STORE_NAME and DEPLOYMENT_OBJECT_STORE_NAME are both objectstore"),
    ],
)
def test_atlans_storage_is_looked_at_where_the_upload_is_on(
    broken: str, told: str, world: World, check: Check, components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = world.tenant.folder / "atlan-storage" / "objectstore"
    before = everything(storage)
    (given,) = [path for path in world.tenant.components.glob("*.yaml") if "bindings.aws.s3" in path.read_text()]
    endpoint = next(line for line in given.read_text().splitlines() if "http" in line).partition("http")[2]
    bucket = "nobodys" if broken == "bucket" else "objectstore"
    endpoint = f"http{endpoint}".strip("\"'}, ")
    assert urlsplit(endpoint).port
    if broken != "absent":
        text = S3.format(name="atlan-objectstore", bucket=bucket, endpoint=endpoint)
        (components / "atlan-storage.yaml").write_text(text)
    monkeypatch.setenv("COMPONENTS_PATH", str(components))
    monkeypatch.setenv("ENABLE_ATLAN_UPLOAD", "true")
    monkeypatch.setenv("UPSTREAM_OBJECT_STORE_NAME", "objectstore" if broken == "same" else "atlan-objectstore")
    if broken == "same":
        monkeypatch.setenv("SOURCE_URL", "postgresql://me@127.0.0.1:1/shop")
        monkeypatch.setenv("ATLAN_CONNECTION_QUALIFIED_NAME", CONNECTION)
    if broken == "secret":
        monkeypatch.delenv("ATLAN_AUTH_CLIENT_SECRET")
    if broken == "keys":
        monkeypatch.setenv("ATLAN_AUTH_CLIENT_SECRET", "another-secret")
    lines = check(1 if broken else 0)
    if broken:
        assert [line for line in lines if line.startswith("❌") and told in line], lines
    else:
        place = f"s3://objectstore at {endpoint}"
        assert lines[-4:-1] == [
            "✅ Upload: it is on, to atlan-objectstore",
            f"✅ Atlan's storage atlan-objectstore: {place} can be listed, and has no file of a run yet to be read",
            "➖ Atlan's storage atlan-objectstore: whether it can be written was not tried; the preflight of a run does",
        ]
    assert everything(storage) == before


def test_wrong_settings_and_components_are_told(
    check: Check, components: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (components / "wrong.yaml").write_text("a: [")
    assert [line for line in check(1) if line.startswith("❌ Components: components/wrong.yaml cannot be read as YAML")]
    monkeypatch.setenv("STATEMENT_TIMEOUT_SECONDS", "soon")
    assert extraction.main(["check"]) == 2
    assert capsys.readouterr().err.startswith("❌ STATEMENT_TIMEOUT_SECONDS is soon")
