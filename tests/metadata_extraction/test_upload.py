"""The upload: the same bytes at a real S3 server, whatever happens on the way, and a summary that is true."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from obstore.exceptions import (
    GenericError,
    InvalidPathError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from upload_world import KEY, Bucket, Server, harmful_proxy

from metadata_extraction import stores, upload
from metadata_extraction.models import MigrationSummary
from metadata_extraction.progress import Unheard
from metadata_extraction.stores import (
    LEFTOVER_SECONDS,
    MAX_PARTS,
    PART_BYTES,
    LocalFolder,
    StoredFile,
    StoreError,
    part_bytes,
)
from metadata_extraction.upload import MANIFEST, migrate

ROOT = Path(__file__).resolve().parents[2]
RUN = "artifacts/apps/delta-arc/workflows/nightly/1"
ODD_FILES = {
    "empty.json": b"",
    "one byte": b"x",
    "a text.json": b'"text"',
    "a number.json": b"42",
    "with spaces and (brackets).json": b"{}",
    "a+b=c&d.json": b"plus",
    "100%.json": b"percent",
    "a%20b%2Fc.json": b"escaped already",
    "ünï/çødé 表/😀.json": "ü".encode(),
    "it's #1?.json": b"quoted",
    "lines.json": b"a\r\nb\n\0c",
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("s3"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def bucket(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_ID", KEY[0])
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_SECRET", KEY[1])
    folder, components = server.folder / f"b-{os.urandom(4).hex()}", tmp_path / "components"
    folder.mkdir()
    components.mkdir()
    yield Bucket(folder, server.endpoint, components)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "objectstore")


def fill(source: LocalFolder, files: dict[str, bytes]) -> dict[str, bytes]:
    """Write files below the run's prefix; returns them by key."""
    for name, content in files.items():
        path = source.root / RUN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {f"{RUN}/{name}": content for name, content in files.items()}


def manifest_of(bucket: Bucket) -> dict | None:
    path = bucket.folder / RUN / MANIFEST
    return json.loads(path.read_bytes()) if path.exists() else None


def counts(summary: MigrationSummary) -> tuple[int, int, int, int]:
    return summary.total_files, summary.migrated_files, summary.skipped_files, summary.failed_migrations


def test_every_file_arrives_byte_for_byte_and_is_in_the_manifest(source: LocalFolder, bucket: Bucket) -> None:
    files = fill(source, {**ODD_FILES, "big.bin": os.urandom(3 * PART_BYTES + 17)})
    summary = migrate(source, bucket.open(), RUN)
    assert bucket.files() == files
    assert counts(summary) == (len(files), len(files), 0, 0)
    assert summary.complete
    assert summary.migrated_bytes == sum(map(len, files.values()))
    manifest = manifest_of(bucket)
    assert manifest is not None
    assert (manifest["count"], manifest["bytes"]) == (len(files), summary.migrated_bytes)
    told = {f"{RUN}/{item['file']}": (item["bytes"], item["sha256"]) for item in manifest["files"]}
    assert told == {key: (len(content), hashlib.sha256(content).hexdigest()) for key, content in files.items()}


def test_the_environment_of_other_stores_has_no_say(
    source: LocalFolder, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "another",
        "AWS_SECRET_ACCESS_KEY": "another",
        "AWS_SESSION_TOKEN": "another",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REGION": "eu-north-1",
    }.items():
        monkeypatch.setenv(name, value)
    files = fill(source, {"a.json": b"a"})
    assert migrate(source, bucket.open(), RUN).complete
    assert bucket.files() == files


def test_files_arrive_in_a_local_folder_as_well(source: LocalFolder, tmp_path: Path) -> None:
    files = fill(source, ODD_FILES)
    destination = LocalFolder(tmp_path / "atlan")
    assert migrate(source, destination, RUN).complete
    for key, content in files.items():
        assert (destination.root / key).read_bytes() == content
    assert counts(migrate(source, destination, RUN)) == (len(files), 0, len(files), 0)


def test_files_come_from_a_remote_store_as_well(source: LocalFolder, bucket: Bucket, tmp_path: Path) -> None:
    files = fill(source, {**ODD_FILES, "big.bin": os.urandom(PART_BYTES + 1)})
    assert migrate(source, bucket.open(), RUN).complete
    destination = LocalFolder(tmp_path / "back")
    assert migrate(bucket.open(), destination, RUN).complete
    for key, content in files.items():
        assert (destination.root / key).read_bytes() == content


def test_a_rerun_moves_only_what_is_missing_or_has_changed(source: LocalFolder, bucket: Bucket) -> None:
    files = fill(source, {f"{number}.json": b"%d" % number for number in range(20)})
    migrate(source, bucket.open(), RUN)
    assert counts(migrate(source, bucket.open(), RUN)) == (20, 0, 20, 0)
    (bucket.folder / RUN / "3.json").unlink()
    (bucket.folder / RUN / "4.json").write_bytes(b"!")  # of the same size
    files |= fill(source, {"5.json": b"five"})
    assert counts(migrate(source, bucket.open(), RUN)) == (20, 3, 17, 0)
    assert bucket.files() == files


def test_without_a_manifest_content_is_compared(source: LocalFolder, bucket: Bucket) -> None:
    fill(source, {"small.json": b"abc", "big.bin": b"x" * (PART_BYTES + 5), "same size.json": b"abc"})
    migrate(source, bucket.open(), RUN)
    (bucket.folder / RUN / MANIFEST).unlink()
    (bucket.folder / RUN / "same size.json").write_bytes(b"abd")
    assert counts(migrate(source, bucket.open(), RUN)) == (3, 1, 2, 0)


def test_a_neighbouring_run_is_left_alone(source: LocalFolder, bucket: Bucket) -> None:
    fill(source, {"a.json": b"a", "../10/b.json": b"b", "../1.json": b"c"})
    assert counts(migrate(source, bucket.open(), RUN)) == (1, 1, 0, 0)
    assert list(bucket.files()) == [f"{RUN}/a.json"]


def test_no_files_is_said_and_is_no_success(source: LocalFolder, bucket: Bucket) -> None:
    summary = migrate(source, bucket.open(), RUN)
    assert counts(summary) == (0, 0, 0, 0)
    assert summary.reason == f"there are no files below {RUN} in {source.address}"
    assert not summary.complete


def test_a_wrong_secret_fails_every_file_at_once(
    source: LocalFolder, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fill(source, ODD_FILES)
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_SECRET", "not-the-secret")
    summary = migrate(source, bucket.open(), RUN)
    assert counts(summary) == (len(files), 0, 0, len(files))
    assert sorted(failure["file"] for failure in summary.failures) == sorted(files)
    assert "refuses the access key or its secret" in summary.reason
    assert "not-the-secret" not in str(summary)


def test_a_server_that_is_killed_and_comes_back_loses_nothing(
    source: LocalFolder, tmp_path: Path, bucket: Bucket
) -> None:
    own = Server(tmp_path / "s3")
    (own.folder / "b").mkdir(parents=True)
    own.start()
    fragile = Bucket(own.folder / "b", own.endpoint, bucket.components)
    files = fill(source, {f"{number}.bin": os.urandom(200_000) for number in range(300)})
    moved: list[int] = []
    killed = threading.Event()

    class KillingProgress(Unheard):
        def advance(self, count: int = 1, size: int = 0) -> None:
            assert self.total == 300
            moved.append(count)
            if len(moved) == 30:
                own.kill()
                killed.set()
                threading.Timer(1.5, own.start).start()

    summary = migrate(source, fragile.open(), RUN, KillingProgress())
    try:
        assert killed.is_set()
        assert counts(summary) == (300, 300, 0, 0), summary.failures
        assert fragile.files() == files
        assert manifest_of(fragile) is not None
    finally:
        own.kill()


def test_refusals_and_cut_connections_are_tried_again_from_the_first_byte(
    source: LocalFolder, bucket: Bucket, server: Server
) -> None:
    files = fill(source, {f"{number}.bin": os.urandom(150_000) for number in range(30)})
    files |= fill(source, {"big.bin": os.urandom(2 * PART_BYTES + 3)})

    def harm(number: int, head: bytes) -> str:
        if not head.startswith(b"PUT") or number % 3 == 0:
            return "pass"
        return "503" if number % 3 == 1 and number < 40 else "cut" if number < 40 else "pass"

    with harmful_proxy(server.port, harm) as endpoint:
        summary = migrate(source, bucket.open(endpoint), RUN)
    assert counts(summary) == (31, 31, 0, 0)
    assert bucket.files() == files


def test_what_fails_for_good_is_listed_and_the_rest_arrives(
    source: LocalFolder, bucket: Bucket, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "TRIES", 2)
    files = fill(source, {"good.json": b"good", "bad.json": b"bad", "fine.json": b"fine"})
    with harmful_proxy(server.port, lambda _, head: "503" if b"bad.json" in head else "pass") as endpoint:
        summary = migrate(source, bucket.open(endpoint), RUN)
    assert counts(summary) == (3, 2, 0, 1)
    assert [failure["file"] for failure in summary.failures] == [f"{RUN}/bad.json"]
    assert "503" in summary.failures[0]["error"]
    assert manifest_of(bucket) is None  # nothing that looks whole
    del files[f"{RUN}/bad.json"]
    assert bucket.files() == files
    assert counts(migrate(source, bucket.open(), RUN)) == (3, 1, 2, 0)
    assert manifest_of(bucket) is not None


def test_a_changed_file_takes_the_old_manifest_away_until_all_is_there(
    source: LocalFolder, bucket: Bucket, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "TRIES", 1)
    fill(source, {"a.json": b"one", "b.json": b"two"})
    migrate(source, bucket.open(), RUN)
    fill(source, {"a.json": b"three"})
    with harmful_proxy(server.port, lambda _, head: "503" if b"/a.json" in head else "pass") as endpoint:
        assert migrate(source, bucket.open(endpoint), RUN).failed_migrations == 1
    assert manifest_of(bucket) is None


def test_a_file_that_changes_while_it_is_read_arrives_as_it_is_afterwards(
    source: LocalFolder, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source, {"log.bin": b"a" * (2 * PART_BYTES)})
    path = source.root / RUN / "log.bin"
    read = LocalFolder.read
    grown = []

    def read_and_grow(store: LocalFolder, file: StoredFile) -> Iterator[bytes]:
        for part in read(store, file):
            yield part
            if not grown:
                grown.append(path.open("ab").write(b"b"))

    monkeypatch.setattr(LocalFolder, "read", read_and_grow)
    summary = migrate(source, bucket.open(), RUN)
    assert counts(summary) == (1, 1, 0, 0)
    assert bucket.files() == {f"{RUN}/log.bin": path.read_bytes()}


def test_a_file_that_never_rests_is_a_failure_and_not_a_half_copy(
    source: LocalFolder, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "TRIES", 2)
    fill(source, {"log.bin": b"a" * (2 * PART_BYTES), "rests.json": b"{}"})
    path = source.root / RUN / "log.bin"
    read = LocalFolder.read

    def read_and_grow(store: LocalFolder, file: StoredFile) -> Iterator[bytes]:
        for part in read(store, file):
            if file.key.endswith("log.bin"):
                with path.open("ab") as log:
                    log.write(b"b")
            yield part

    monkeypatch.setattr(LocalFolder, "read", read_and_grow)
    summary = migrate(source, bucket.open(), RUN)
    assert counts(summary) == (2, 1, 0, 1)
    assert summary.failures[0]["error"] == "it changed while it was read"
    assert list(bucket.files()) == [f"{RUN}/rests.json"]


class DamagingFolder(LocalFolder):
    """A store whose tags are no checksums, and that changes what it is given, without telling, so many times."""

    def __init__(self, root: Path, times: int) -> None:
        super().__init__(root)
        self.left = times

    def write(self, key: str, parts: Iterable[bytes], size: int) -> str:
        content = b"".join(parts)
        if self.left and not key.endswith(MANIFEST):
            self.left -= 1
            content = content[:-1] + b"!"
        return super().write(key, [content], size)


def test_what_arrived_is_read_back_where_the_tag_is_no_checksum(source: LocalFolder, tmp_path: Path) -> None:
    files = fill(source, {"a.json": b"as it is"})
    destination = DamagingFolder(tmp_path / "atlan", times=1)
    assert counts(migrate(source, destination, RUN)) == (1, 1, 0, 0)
    assert {key: (destination.root / key).read_bytes() for key in files} == files
    assert destination.left == 0


def test_what_arrives_damaged_again_and_again_is_a_failure(
    source: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "TRIES", 2)
    fill(source, {"a.json": b"as it is"})
    destination = DamagingFolder(tmp_path / "atlan", times=100)
    summary = migrate(source, destination, RUN)
    assert counts(summary) == (1, 0, 0, 1)
    assert summary.failures[0]["error"] == "what arrived is not what was sent"
    assert not (destination.root / RUN / MANIFEST).exists()


def test_a_manifest_that_reads_differently_is_told(source: LocalFolder, tmp_path: Path) -> None:
    class ForgetfulFolder(LocalFolder):
        def write(self, key: str, parts: Iterable[bytes], size: int) -> str:
            return super().write(key, [b"".join(parts)[:-1] + b"!"] if key.endswith(MANIFEST) else parts, size)

    fill(source, {"a.json": b"a"})
    summary = migrate(source, ForgetfulFolder(tmp_path / "atlan"), RUN)
    assert counts(summary) == (1, 1, 0, 0)
    assert summary.reason == "the manifest cannot be written: it reads differently from what was written"
    assert not summary.complete


def test_bytes_that_change_on_their_way_to_s3_are_noticed_by_its_tag(
    source: LocalFolder, bucket: Bucket, server: Server
) -> None:
    files = fill(source, {"a.json": b"as it is"})
    damaged: list[int] = []

    def damage_the_first(number: int, head: bytes) -> str:
        if head.startswith(b"PUT") and not damaged:
            damaged.append(number)
            return "damage"
        return "pass"

    with harmful_proxy(server.port, damage_the_first) as endpoint:
        assert counts(migrate(source, bucket.open(endpoint), RUN)) == (1, 1, 0, 0)
    assert damaged
    assert bucket.files() == files


def test_a_refused_key_is_not_tried_again(
    source: LocalFolder, bucket: Bucket, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fill(source, {"a.json": b"a", "b.json": b"b"})
    migrate(source, bucket.open(), RUN)
    fill(source, {"a.json": b"other"})
    opened = bucket.open()
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_SECRET", "not-the-secret")
    refused = bucket.open()
    tries: list[str] = []

    def write(key: str, parts: Iterable[bytes], size: int) -> str:
        tries.append(key)
        return refused.write(key, parts, size)

    opened.write = write  # type: ignore[method-assign]  # may list and delete, but not write
    summary = migrate(source, opened, RUN)
    assert counts(summary) == (2, 0, 1, 1)
    assert summary.failures[0]["error"] == "the store refuses the access key or its secret (SignatureDoesNotMatch)"
    assert tries == [f"{RUN}/a.json"]
    assert set(files) == {f"{RUN}/a.json", f"{RUN}/b.json"}


PUT = "Generic S3 error: Error performing PUT http://h/b/k in 1.5ms - Server returned non-2xx status code: "


@pytest.mark.parametrize(
    ("error", "said", "passing"),
    [
        (GenericError(PUT + "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>"), "the store refuses the access key or its secret (SignatureDoesNotMatch)", False),
        (GenericError(PUT + "400 Bad Request: <Error><Code>ExpiredToken</Code></Error>"), "the store refuses the access key or its secret (ExpiredToken)", False),
        (GenericError(PUT + "403 Forbidden: <Error><Code>AccessDenied</Code></Error>\n\nDebug source:\nX"), "the store does not allow it (AccessDenied)", False),
        (PermissionDeniedError("no"), "the store does not allow it (no)", False),
        (UnauthenticatedError("no"), "the store does not allow it (no)", False),
        (NotFoundError(PUT + "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>"), "the bucket does not exist: check the component's bucket", False),
        (NotFoundError(PUT + "404 Not Found: <Error><Code>NoSuchKey</Code></Error>"), "it is gone", False),
        (FileNotFoundError("k"), "it is gone", False),
        (ValueError("Could not parse path"), "its key cannot be used (Could not parse path)", False),
        (InvalidPathError("bad"), "its key cannot be used (bad)", False),
        (GenericError(PUT + "503 Slow Down: <Error><Code>SlowDown</Code></Error>"), PUT + "503 Slow Down: <Error><Code>SlowDown</Code></Error>", True),
        (GenericError("for path 403 Forbidden <Code>AccessDenied</Code>: HTTP error:\n  reset\n\nDebug source:\nX"), "for path 403 Forbidden <Code>AccessDenied</Code>: HTTP error: reset", True),
        (OSError("cut"), "cut", True),
    ],
)  # fmt: skip
def test_what_obstore_raises_is_one_sentence_and_known_to_pass_or_not(
    error: Exception, said: str, passing: bool
) -> None:
    with pytest.raises(StoreError) as caught, stores._telling_errors():
        raise error
    assert (str(caught.value), caught.value.passing) == (said, passing)


def test_an_upload_in_parts_that_fails_is_aborted_and_older_ones_are_cleared_away(
    source: LocalFolder, bucket: Bucket, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "TRIES", 1)
    fill(source, {"big.bin": b"x" * (3 * PART_BYTES)})
    heads: list[bytes] = []

    def refuse_the_second_part(_: int, head: bytes) -> str:
        heads.append(head.split(b"\r\n")[0])
        return "503" if b"partNumber=2" in heads[-1] else "pass"

    with harmful_proxy(server.port, refuse_the_second_part) as endpoint:
        assert migrate(source, bucket.open(endpoint), RUN).failed_migrations == 1
    assert sum(head.startswith(b"DELETE") and b"uploadId=" in head for head in heads) == 1

    s3 = boto3.client("s3", endpoint_url=server.endpoint, aws_access_key_id=KEY[0], aws_secret_access_key=KEY[1])
    s3.create_multipart_upload(Bucket=bucket.folder.name, Key=f"{RUN}/killed.bin")
    s3.create_multipart_upload(Bucket=bucket.folder.name, Key="elsewhere/live.bin")
    assert migrate(source, bucket.open(), RUN).complete
    left = s3.list_multipart_uploads(Bucket=bucket.folder.name)["Uploads"]
    assert [item["Key"] for item in left] == ["elsewhere/live.bin"]


def test_a_full_disk_at_the_destination_fails_the_file_and_leaves_no_part_of_it(
    source: LocalFolder, tmp_path: Path
) -> None:
    # A limit on the size of files stands in for a full disk: both make the write fail in the middle.
    fill(source, {"big.bin": b"x" * 3_000_000, "small.json": b"{}"})
    program = (
        "import resource, signal, sys, json, dataclasses\n"
        "from pathlib import Path\n"
        "from metadata_extraction.stores import LocalFolder\n"
        "from metadata_extraction.upload import migrate\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "summary = migrate(LocalFolder(Path(sys.argv[1])), LocalFolder(Path(sys.argv[2])), sys.argv[3])\n"
        "print(json.dumps(dataclasses.asdict(summary)))\n"
    )
    destination = tmp_path / "atlan"
    command = [sys.executable, "-c", program, str(source.root), str(destination), RUN]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    summary = json.loads(done.stdout)
    assert (summary["migrated_files"], summary["failed_migrations"]) == (1, 1)
    assert "File too large" in summary["failures"][0]["error"]
    assert [path.name for path in destination.rglob("*") if path.is_file()] == ["small.json"]


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/outside", "a/..", "linked/outside"])
def test_a_key_that_leads_out_of_a_local_store_is_refused(tmp_path: Path, key: str) -> None:
    store = LocalFolder(tmp_path / "store")
    store.root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (store.root / "linked").symlink_to(tmp_path / "elsewhere")
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(StoreError, match="leads out of the store's folder"):
        store.write(key, [b"x"], 1)
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_prefix_that_leads_out_of_the_store_moves_nothing(
    source: LocalFolder, bucket: Bucket, tmp_path: Path
) -> None:
    fill(source, {"a.json": b"a"})
    (tmp_path / "secret.txt").write_text("secret")
    summary = migrate(source, bucket.open(), "artifacts/../..")
    assert counts(summary) == (0, 0, 0, 0)
    assert "leads out of the store's folder" in summary.reason
    assert bucket.files() == {}


def test_a_link_is_not_followed_and_is_listed(source: LocalFolder, bucket: Bucket, tmp_path: Path) -> None:
    fill(source, {"a.json": b"a"})
    (tmp_path / "secret.txt").write_text("secret")
    (source.root / RUN / "link.json").symlink_to(tmp_path / "secret.txt")
    summary = migrate(source, bucket.open(), RUN)
    assert counts(summary) == (2, 1, 0, 1)
    assert summary.failures[0]["error"] == "it cannot be read: it is a link, and links are not followed"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_a_named_pipe_is_no_file_and_nobody_waits_for_it(source: LocalFolder, tmp_path: Path) -> None:
    fill(source, {"a.json": b"a"})
    os.mkfifo(source.root / RUN / "pipe")
    summary = migrate(source, LocalFolder(tmp_path / "atlan"), RUN)
    assert counts(summary) == (2, 1, 0, 1)
    assert summary.failures[0]["error"] == "it is no regular file"


def test_a_file_that_vanishes_while_the_folder_is_listed_is_left_out(source: LocalFolder) -> None:
    fill(source, {"a.json": b"a", "b.json": b"b"})
    listed = source.list(RUN)
    first = next(listed)
    for name in ("a.json", "b.json"):
        if not first.key.endswith(name):
            (source.root / RUN / name).unlink()
    assert list(listed) == []


def test_a_folder_in_the_place_of_a_file_is_one_sentence(source: LocalFolder) -> None:
    fill(source, {"a.json/b": b"b"})
    with pytest.raises(StoreError, match="it cannot be written to local folder"):
        source.write(f"{RUN}/a.json", [b"x"], 1)
    with pytest.raises(StoreError, match="it cannot be deleted from local folder"):
        source.delete(f"{RUN}/a.json")
    with pytest.raises(StoreError, match="it cannot be written to local folder"):
        source.write(f"{RUN}/a.json/b/c", [b"x"], 1)
    assert not list((source.root / LocalFolder.STAGING).iterdir())


def test_only_old_leftovers_of_a_local_folder_are_cleared_away(source: LocalFolder) -> None:
    fill(source, {"a.json": b"a"})
    staging = source.root / LocalFolder.STAGING
    staging.mkdir()
    for name, age in (("old", LEFTOVER_SECONDS + 60), ("young", LEFTOVER_SECONDS - 60)):
        (staging / name).write_bytes(b"x")
        os.utime(staging / name, (time.time() - age, time.time() - age))
    assert [file.key for file in source.list("")] == [f"{RUN}/a.json"]
    source.clear_leftovers("any")
    assert [path.name for path in staging.iterdir()] == ["young"]


@pytest.mark.parametrize("prefix", ["", "a", "a/b", "a//b", "a/./b", "a/b/c.json"])
def test_keys_are_paths_below_the_root_however_a_prefix_is_written(tmp_path: Path, prefix: str) -> None:
    for root in (LocalFolder(tmp_path), LocalFolder(Path(os.path.relpath(tmp_path)))):
        for key in ("a/b/c.json", "a/b/d/e f.json", "a/bc.json", "x.json"):
            (root.root / key).parent.mkdir(parents=True, exist_ok=True)
            (root.root / key).write_bytes(key.encode())
        listed = list(root.list(prefix))
        below = [path for path in (tmp_path / prefix).rglob("*") if path.is_file()]
        assert sorted(file.key for file in listed) == sorted(path.relative_to(tmp_path).as_posix() for path in below)
        for file in listed:
            assert b"".join(root.read(file)) == file.key.encode()


def test_parts_are_whole_where_the_system_reads_fewer_bytes_at_a_time(
    source: LocalFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it may from a folder on a network: the checksums of S3 are those of whole parts."""
    content = os.urandom(2 * PART_BYTES + 5)
    (key,) = fill(source, {"big.bin": content})
    (listed,) = source.list(RUN)
    read = os.read
    monkeypatch.setattr(os, "read", lambda opened, size: read(opened, min(size, PART_BYTES // 3)))
    parts = list(source.read(listed))
    assert [len(part) for part in parts] == [PART_BYTES, PART_BYTES, 5]
    assert b"".join(parts) == content
    with pytest.raises(StoreError, match="it changed while it was read"):
        list(source.read(StoredFile(key, len(content) + 1, "")))


def test_no_file_stays_open_behind_a_reader_that_stops(source: LocalFolder) -> None:
    fill(source, {"big.bin": bytes(PART_BYTES + 1), "folder/x": b""})
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    (listed,) = (file for file in source.list(RUN) if file.size)
    reading = source.read(listed)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="it changed while it was read"):
        list(source.read(StoredFile(listed.key, listed.size + 1, "")))
    with pytest.raises(StoreError, match="it is no regular file"):
        list(source.read(StoredFile(f"{RUN}/folder", 1, "")))
    assert (set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()) <= before


def test_a_file_that_was_changed_since_it_was_listed_is_not_given(source: LocalFolder) -> None:
    """Also where its size is the same."""
    (key,) = fill(source, {"a.json": b"abc"})
    (listed,) = source.list(RUN)
    assert b"".join(source.read(listed)) == b"abc"
    (source.root / RUN / "a.json").write_bytes(b"abd")
    os.utime(source.root / RUN / "a.json", ns=(1, 1))
    for file in (listed, StoredFile(key, 4, "")):
        with pytest.raises(StoreError, match="it changed while it was read") as caught:
            list(source.read(file))
        assert caught.value.passing
    assert b"".join(source.read(StoredFile(key, 3, ""))) == b"abd"
    with pytest.raises(StoreError, match="it is gone") as gone:
        list(source.read(StoredFile("nowhere", 1, "")))
    assert not gone.value.passing


def test_an_object_of_another_size_than_it_should_have_is_not_given(source: LocalFolder, bucket: Bucket) -> None:
    (key,) = fill(source, {"a.json": b"abc"})
    store = bucket.open()
    migrate(source, store, RUN)
    assert b"".join(store.read(StoredFile(key, 3, ""))) == b"abc"
    for file in (StoredFile(key, 2, ""), StoredFile(key, 4, ""), StoredFile(key, 3, "another")):
        with pytest.raises(StoreError, match="it changed while it was read") as caught:
            list(store.read(file))
        assert caught.value.passing


def test_a_file_of_one_part_goes_up_whole(source: LocalFolder, bucket: Bucket) -> None:
    content = os.urandom(PART_BYTES)
    fill(source, {"big.bin": content})
    assert migrate(source, bucket.open(), RUN).complete
    manifest = manifest_of(bucket)
    assert manifest is not None
    assert manifest["files"][0]["tag"] == hashlib.md5(content).hexdigest()


def test_a_source_file_that_has_changed_is_sent_again_also_where_its_size_has_not(
    source: LocalFolder, tmp_path: Path
) -> None:
    fill(source, {"a.json": b"one", "b.json": b"two"})
    destination = LocalFolder(tmp_path / "atlan")
    migrate(source, destination, RUN)
    os.utime(source.root / RUN / "b.json", ns=(1, 1))
    fill(source, {"a.json": b"six"})
    os.utime(source.root / RUN / "a.json", ns=(1, 1))
    assert counts(migrate(source, destination, RUN)) == (2, 1, 1, 0)
    assert (destination.root / RUN / "a.json").read_bytes() == b"six"


def test_a_budget_lets_nobody_take_more_than_is_left() -> None:
    budget = upload._Budget(10)
    budget.take(6)
    taken = threading.Event()
    waiting = threading.Thread(target=lambda: (budget.take(5), taken.set()), daemon=True)
    waiting.start()
    assert not taken.wait(timeout=0.2)
    budget.give(6)
    assert taken.wait(timeout=60)
    budget.take(5)


@pytest.mark.parametrize(
    ("seconds_a_window", "threads"),
    [([1.0, 1.0, 1.0, 1.0], 64), ([1.0, 1.7, 1.0], 16), ([1.0, 1.5, 3.0, 1.0], 32)],
    ids=["each doubling pays", "the first does not", "the second does not"],
)
def test_threads_are_doubled_as_long_as_that_pays(
    monkeypatch: pytest.MonkeyPatch, seconds_a_window: list[float], threads: int
) -> None:
    """A window has as many files as threads, so that twice the threads in the same time are twice as fast."""
    now = [0.0]
    monkeypatch.setattr(upload, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(upload, "MOST_IN_FLIGHT", 64)
    growth = upload._ThreadGrowth()
    for seconds in seconds_a_window:
        at_once = growth.threads
        for number in range(at_once):
            now[0] += seconds if number == at_once - 1 else 0
            growth.note(1000)
    assert growth.threads == threads


def test_a_file_never_has_more_parts_than_s3_takes() -> None:
    for size in (0, 1, PART_BYTES * MAX_PARTS, PART_BYTES * MAX_PARTS + 1, 5 << 40):
        part = part_bytes(size)
        assert part >= PART_BYTES
        assert -(-size // part) <= MAX_PARTS
    assert part_bytes(PART_BYTES * MAX_PARTS) == PART_BYTES


def test_a_thousand_files_need_more_than_one_page_of_a_listing(
    source: LocalFolder, bucket: Bucket, server: Server
) -> None:
    fill(source, {f"{number:04}.json": b"%d" % number for number in range(1100)})
    assert counts(migrate(source, bucket.open(), RUN)) == (1100, 1100, 0, 0)
    heads: list[bytes] = []
    with harmful_proxy(server.port, lambda _, head: heads.append(head) or "pass") as endpoint:  # type: ignore[func-returns-value]
        assert counts(migrate(source, bucket.open(endpoint), RUN)) == (1100, 0, 1100, 0)
    assert len(heads) <= 4  # two pages of the listing, and the manifest


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_size_of_a_file(source: LocalFolder, bucket: Bucket) -> None:
    path = source.root / RUN / "big.bin"
    path.parent.mkdir(parents=True)
    block = os.urandom(1 << 20)
    with path.open("wb") as big:
        for _ in range(512):
            big.write(block)
    bucket.open()  # writes the component
    program = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from metadata_extraction.components import open_store\n"
        "from metadata_extraction.stores import LocalFolder\n"
        "from metadata_extraction.upload import migrate\n"
        "store = open_store('atlan-storage', Path(sys.argv[2]))\n"
        "print(migrate(LocalFolder(Path(sys.argv[1])), store, sys.argv[3]).complete)\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text()).group(1)) // 1024)\n"
    )
    command = [sys.executable, "-c", program, str(source.root), str(bucket.components), RUN]
    complete, megabytes = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    assert complete == "True"
    assert int(megabytes) < 160
    digest = hashlib.sha256()
    with (bucket.folder / RUN / "big.bin").open("rb") as arrived:
        while block := arrived.read(1 << 20):
            digest.update(block)
    manifest = manifest_of(bucket)
    assert manifest is not None
    assert manifest["files"][0]["sha256"] == digest.hexdigest()
