"""Old runs: removed where nothing is lost by it, kept where an upload is not complete, and brought back from Atlan."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from upload_world import KEY, LOCAL, S3, Server

from metadata_extraction import __main__ as extraction
from metadata_extraction import retention, upload
from metadata_extraction.components import ComponentError
from metadata_extraction.models import Filters, Run
from metadata_extraction.retention import clean, find_runs
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings
from metadata_extraction.stores import LocalFolder, StoredFile, StoreError
from metadata_extraction.upload import (
    MANIFEST,
    PENDING,
    migrate_from_objectstore_to_atlan,
    note_pending,
    restore_from_atlan,
)
from metadata_extraction.workflow import run_in_process

RUNS = "artifacts/apps/delta-arc/workflows"
OLD = f"{RUNS}/nightly/1"
DAY = 24 * 3600


@pytest.fixture
def settings(empty_folder: Path) -> ExtractionSettings:
    """The deployment's store in `o`, Atlan's in `a`, and the upload on."""
    components = empty_folder / "components"
    components.mkdir()
    for name, folder in (("objectstore", "o"), ("atlan-objectstore", "a")):
        (components / f"{name}.yaml").write_text(LOCAL.format(name=name, root=empty_folder / folder))
    return check_extraction_settings({"ENABLE_ATLAN_UPLOAD": "true", "UPSTREAM_OBJECT_STORE_NAME": "atlan-objectstore"})


def write_run(prefix: str, days: float = 0, **files: bytes) -> dict[str, bytes]:
    """Files of a run that was written so many days ago; returns them by key."""
    for name, content in (files or {"raw": b"rows", "transformed": b"entities"}).items():
        path = Path("o") / prefix / name / "a.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    age(prefix, days)
    return files_in("o", prefix)


def age(prefix: str, days: float) -> None:
    for path in Path("o", prefix).rglob("*"):
        os.utime(path, (time.time() - days * DAY,) * 2)


def files_in(store: str, prefix: str = "") -> dict[str, bytes]:
    folder = Path(store)
    paths = [path for path in (folder / prefix).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def prefixes(runs: list) -> list[str]:
    return [run.prefix for run in runs]


# Which go


@pytest.mark.parametrize("dry_run", [True, False])
def test_runs_that_are_uploaded_go_when_they_are_old(settings: ExtractionSettings, dry_run: bool) -> None:
    old, young = write_run(OLD), write_run(f"{RUNS}/nightly/10")
    for prefix in (OLD, f"{RUNS}/nightly/10"):
        assert migrate_from_objectstore_to_atlan(prefix, settings).complete
    assert files_in("o") == {**old, **young}  # nothing is pending
    age(OLD, 31)
    age(f"{RUNS}/nightly/10", 29)
    found = clean(settings, 30, dry_run)
    assert (prefixes(found.removed), found.kept, found.failed, found.young) == ([OLD], [], [], 1)
    assert found.removed[0].bytes == sum(map(len, old.values()))
    assert files_in("o") == ({**old, **young} if dry_run else young)
    assert Path("o", OLD).exists() == dry_run
    assert files_in("a", OLD).items() > old.items()  # Atlan's copy stays


def test_the_newest_file_tells_how_old_a_run_is(settings: ExtractionSettings) -> None:
    write_run(OLD, days=40)
    migrate_from_objectstore_to_atlan(OLD, settings)
    write_run(f"{OLD}", days=40)
    os.utime(Path("o", OLD, "raw/a.json"))
    assert clean(settings, 30).young == 1


def test_with_the_upload_off_what_was_never_to_be_uploaded_goes(settings: ExtractionSettings) -> None:
    write_run(OLD, days=31)
    assert prefixes(clean(replace(settings, enable_atlan_upload=False), 30).removed) == [OLD]
    assert files_in("o") == {}


# Which stay


@pytest.mark.parametrize("upload_on", [True, False])
def test_a_run_whose_upload_was_begun_stays_until_it_is_complete(
    settings: ExtractionSettings, monkeypatch: pytest.MonkeyPatch, upload_on: bool
) -> None:
    files = write_run(OLD)
    monkeypatch.setattr(upload, "TRIES", 1)
    Path("o", OLD, "raw", "link").symlink_to("nowhere")  # which cannot be read
    assert not migrate_from_objectstore_to_atlan(OLD, settings).complete
    age_all = [*Path("o", OLD).rglob("*")]
    for path in age_all:
        os.utime(path, (0, 0), follow_symlinks=False)
    chosen = replace(settings, enable_atlan_upload=upload_on)
    found = clean(chosen, 1)
    assert [(run.prefix, reason.partition(";")[0]) for run, reason in found.kept] == [
        (OLD, "its upload is not complete")
    ]
    assert files_in("o").items() >= files.items()
    Path("o", OLD, "raw", "link").unlink()
    assert migrate_from_objectstore_to_atlan(OLD, settings).complete
    age(OLD, 2)
    assert prefixes(clean(chosen, 1).removed) == [OLD]


def test_a_run_that_broke_off_before_its_upload_stays(
    settings: ExtractionSettings, make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from metadata_extraction import workflow

    def break_off(*_: object) -> None:
        raise StoreError("it broke")

    settings = replace(settings, source_url=make_database("create table t (a integer)"))
    run = Run("nightly", "1", "shop", "default/postgres/1", Filters(), True)
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "transform_data", break_off)
        with pytest.raises(StoreError):
            run_in_process(run, settings)
    age(OLD, 100)
    off = replace(settings, enable_atlan_upload=False)
    assert [run.prefix for run, _ in clean(off, 30).kept] == [OLD]
    assert run_in_process(run, settings).migration.complete
    age(OLD, 100)
    assert prefixes(clean(off, 30).removed) == [OLD]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: Path("a", OLD, MANIFEST).unlink(), "has no manifest of it"),
        (lambda: Path("a", OLD, MANIFEST).write_text("[" * 100), "has no manifest of it"),
        (lambda: Path("o", OLD, "raw/b.json").write_bytes(b"later"), "its files are not those in the manifest"),
        (lambda: Path("o", OLD, "raw/a.json").write_bytes(b"more rows"), "its files are not those in the manifest"),
        (lambda: Path("o", OLD, "raw/a.json").write_bytes(b"swor"), "its files are not those in the manifest"),
    ],
    ids=["no manifest", "damaged", "another file", "another size", "another content"],
)
def test_a_run_that_atlans_storage_does_not_have_as_it_is_stays(
    settings: ExtractionSettings, change: Callable[[], object], said: str
) -> None:
    write_run(OLD)
    migrate_from_objectstore_to_atlan(OLD, settings)
    change()
    age(OLD, 100)
    before = files_in("o")
    ((run, reason),) = clean(settings, 30).kept
    assert run.prefix == OLD
    assert said in reason
    assert files_in("o") == before
    assert migrate_from_objectstore_to_atlan(OLD, settings).complete
    age(OLD, 100)
    assert prefixes(clean(settings, 30).removed) == [OLD]


def test_a_mark_above_runs_keeps_all_of_them(settings: ExtractionSettings) -> None:
    for number in (1, 2):
        write_run(f"{RUNS}/nightly/{number}", days=100)
    write_run(f"{RUNS}/nightly-2/1", days=100)
    note_pending(LocalFolder(Path("o")), f"{RUNS}/nightly")
    found = clean(replace(settings, enable_atlan_upload=False), 30)
    assert prefixes(found.removed) == [f"{RUNS}/nightly-2/1"]
    assert [run.prefix for run, _ in found.kept] == [f"{RUNS}/nightly/1", f"{RUNS}/nightly/2"]


def test_other_deployments_and_other_files_are_left_alone(settings: ExtractionSettings) -> None:
    settings = replace(settings, enable_atlan_upload=False)
    own, theirs = (
        write_run(OLD, days=100),
        write_run(OLD.replace("/workflows", "/deployments/plant-7/workflows"), days=100),
    )
    loose = write_run("artifacts/apps/another/workflows/w/1", days=100) | write_run(f"{RUNS}/loose", days=100, x=b"")
    beside = {f"{RUNS}/readme.txt", f"{RUNS}/nightly/notes.txt"}
    for key in beside:
        Path("o", key).write_text("read me")
        os.utime(Path("o", key), (0, 0))
    assert prefixes(clean(settings, 1).removed) == [f"{RUNS}/loose/x", OLD]
    assert files_in("o").keys() == {*theirs, *(key for key in loose if "another" in key), *beside}
    assert prefixes(clean(replace(settings, deployment="plant-7"), 1).removed) == [
        next(iter(theirs)).rpartition("/raw")[0] or ""
    ]
    assert not own.keys() & files_in("o").keys()


def test_where_a_store_cannot_be_asked_nothing_is_removed(settings: ExtractionSettings, empty_folder: Path) -> None:
    write_run(OLD, days=100)
    (empty_folder / "components/atlan-objectstore.yaml").unlink()
    with pytest.raises(ComponentError, match="atlan-objectstore is not registered"):
        clean(settings, 30)
    with pytest.raises(ComponentError, match="so nothing would reach Atlan"):
        clean(replace(settings, upstream_store="objectstore"), 30)
    assert len(files_in("o")) == 2


def test_a_run_whose_age_is_not_told_stays(empty_folder: Path) -> None:
    class Timeless(LocalFolder):
        def list(self, prefix: str):
            for file in super().list(prefix):
                yield file if file.key.endswith("told") else StoredFile(file.key, file.size, file.tag)

    store = Timeless(Path("o"))
    for name in ("a", "told"):
        store.write(f"{OLD}/{name}", [b"x"], 1)
    (run,) = find_runs(store, RUNS)
    assert run.modified is None
    assert retention._reason_to_stay(run, store, None) == "its store does not tell how old it is"


def test_a_run_that_cannot_be_removed_is_told_and_the_others_go(
    settings: ExtractionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, enable_atlan_upload=False)
    other = f"{RUNS}/nightly/2"
    write_run(OLD, days=100)
    write_run(other, days=100)
    delete = LocalFolder.delete

    def refuse(store: LocalFolder, key: str) -> None:
        if key.startswith(f"{OLD}/"):
            raise StoreError("the store does not allow it")
        delete(store, key)

    monkeypatch.setattr(LocalFolder, "delete", refuse)
    found = clean(settings, 30)
    assert prefixes(found.removed) == [other]
    assert [(run.prefix, error) for run, error in found.failed] == [(OLD, "the store does not allow it")]


@hypothesis_settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(
        st.tuples(st.sampled_from(["1", "10", "a.b"]), st.booleans(), st.booleans(), st.booleans()),
        max_size=3,
        unique_by=lambda run: run[0],
    ),
    upload_on=st.booleans(),
)
def test_nothing_goes_that_is_young_or_not_wholly_uploaded(
    settings: ExtractionSettings, runs: list[tuple[str, bool, bool, bool]], upload_on: bool
) -> None:
    """Of any mixture of runs: old or not, with the upload asked for or not, done or not."""
    for store in ("o", "a"):
        shutil.rmtree(store, ignore_errors=True)
    gone = []
    for name, is_old, asked, done in runs:
        prefix = f"{RUNS}/nightly/{name}"
        write_run(prefix)
        if asked:
            note_pending(LocalFolder(Path("o")), prefix)
        if done:
            migrate_from_objectstore_to_atlan(prefix, settings)
        age(prefix, 31 if is_old else 1)
        if is_old and (done or (not asked and not upload_on)):
            gone.append(prefix)
    found = clean(replace(settings, enable_atlan_upload=upload_on), 30)
    assert sorted(prefixes(found.removed)) == sorted(gone)
    assert sum(is_old for _, is_old, _, _ in runs) == len(found.removed) + len(found.kept)
    for name, *_ in runs:
        prefix = f"{RUNS}/nightly/{name}"
        assert Path("o", prefix).exists() == (prefix not in gone)


# And back


def test_a_run_comes_back_as_it_was_uploaded(settings: ExtractionSettings) -> None:
    files = write_run(OLD, raw=b"rows", empty=b"", big=os.urandom(9 << 20))
    migrate_from_objectstore_to_atlan(OLD, settings)
    age(OLD, 100)
    clean(settings, 30)
    assert files_in("o") == {}
    restored = restore_from_atlan(f"{OLD}/", settings)
    assert restored.complete
    assert (restored.total_files, restored.migrated_files, restored.skipped_files) == (3, 3, 0)
    assert (restored.prefix, restored.source, restored.destination) == (OLD, "atlan-objectstore", "objectstore")
    assert files_in("o") == files
    again = restore_from_atlan(OLD, settings)
    assert (again.complete, again.migrated_files, again.skipped_files) == (True, 0, 3)
    # It has come back as what Atlan has, so that it may go again.
    age(OLD, 100)
    assert prefixes(clean(settings, 30).removed) == [OLD]


def test_what_is_there_is_left_as_it_is(settings: ExtractionSettings) -> None:
    write_run(OLD)
    migrate_from_objectstore_to_atlan(OLD, settings)
    Path("o", OLD, "raw/a.json").write_bytes(b"swor")
    Path("o", OLD, "transformed/a.json").unlink()
    restored = restore_from_atlan(OLD, settings)
    assert restored.failures == [
        {"file": f"{OLD}/raw/a.json", "error": "it is there already, and differs: delete it to have it restored"}
    ]
    assert files_in("o") == {f"{OLD}/raw/a.json": b"swor", f"{OLD}/transformed/a.json": b"entities"}


def test_what_is_not_what_was_uploaded_is_not_kept(settings: ExtractionSettings) -> None:
    write_run(OLD)
    migrate_from_objectstore_to_atlan(OLD, settings)
    shutil.rmtree("o")
    Path("a", OLD, "raw/a.json").write_bytes(b"r0ws")
    Path("a", OLD, "transformed/a.json").unlink()
    Path("a", OLD, "other.json").write_bytes(b"of somebody else")
    restored = restore_from_atlan(OLD, settings)
    assert restored.failures == [
        {"file": f"{OLD}/raw/a.json", "error": "what Atlan's storage has is not what was uploaded"},
        {"file": f"{OLD}/transformed/a.json", "error": "it is gone from Atlan's storage"},
    ]
    assert (restored.total_files, restored.migrated_files, restored.failed_migrations) == (3, 1, 2)
    assert files_in("o") == {f"{OLD}/other.json": b"of somebody else"}


def test_without_a_manifest_it_says_that_files_may_be_missing(settings: ExtractionSettings) -> None:
    files = write_run(OLD)
    migrate_from_objectstore_to_atlan(OLD, settings)
    Path("a", OLD, MANIFEST).unlink()
    shutil.rmtree("o")
    restored = restore_from_atlan(OLD, settings)
    assert not restored.complete
    assert f"has no manifest below {OLD}, so files may be missing" in restored.reason
    assert files_in("o") == files
    assert restore_from_atlan("nothing", settings).total_files == 0
    missing = restore_from_atlan(OLD, replace(settings, upstream_store="another"))
    assert "another is not registered" in missing.reason


def test_an_upload_of_nothing_leaves_no_mark(settings: ExtractionSettings) -> None:
    assert not migrate_from_objectstore_to_atlan("typo", settings).complete
    assert files_in("o") == {}


def test_only_empty_folders_below_a_prefix_are_cleared_away(empty_folder: Path) -> None:
    store = LocalFolder(Path("o"))
    store.write("full/a", [b"x"], 1)
    for folder in ("full/empty/deeper", "other/empty"):
        Path("o", folder).mkdir(parents=True)
    store.clear_leftovers("")
    assert Path("o/full/empty/deeper").exists()
    store.clear_leftovers("full")
    assert sorted(path.as_posix() for path in Path("o/full").rglob("*")) == ["o/full/a"]
    assert Path("o/other/empty").exists()
    store.clear_leftovers("other")
    assert not Path("o/other").exists()


# With a real S3 server on both sides


def test_both_stores_may_be_remote(
    settings: ExtractionSettings, empty_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path / "s3")
    for bucket in ("own", "atlans"):
        (server.folder / bucket).mkdir(parents=True)
    server.start()
    try:
        for name, bucket in (("objectstore", "own"), ("atlan-objectstore", "atlans")):
            text = S3.format(name=name, bucket=bucket, endpoint=server.endpoint)
            (empty_folder / "components" / f"{name}.yaml").write_text(text)
        keys = {"ATLAN_AUTH_CLIENT_ID": KEY[0], "ATLAN_AUTH_CLIENT_SECRET": KEY[1]}
        settings = replace(settings, environment=keys)
        path = server.folder / "own" / OLD / "raw/a.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"rows")
        assert migrate_from_objectstore_to_atlan(OLD, settings).complete
        assert clean(settings, 1).young == 1
        monkeypatch.setattr(retention, "time", SimpleNamespace(time=lambda: time.time() + 2 * DAY))
        found = clean(settings, 1)
        assert (prefixes(found.removed), found.kept, found.failed, found.young) == ([OLD], [], [], 0)
        assert not path.exists()
        assert restore_from_atlan(OLD, settings).complete
        assert path.read_bytes() == b"rows"
        assert not (path.parent.parent / PENDING).exists()
    finally:
        server.kill()


# The commands


def test_the_commands_tell_what_they_do(
    settings: ExtractionSettings,
    empty_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UPSTREAM_OBJECT_STORE_NAME", "atlan-objectstore")
    files = write_run(OLD)
    write_run(f"{RUNS}/nightly/2")

    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = extraction.main(arguments)
        out, err = capsys.readouterr()
        return code, out + err

    code, said = call("upload", OLD)
    assert (code, said.splitlines()[0]) == (
        0,
        "💾 ENABLE_ATLAN_UPLOAD is off; as it is asked for, upload works all the same",
    )
    assert "✅ Atlan upload to atlan-objectstore: 2 of 2 files moved (12 bytes)" in said
    monkeypatch.setenv("ENABLE_ATLAN_UPLOAD", "true")
    age(RUNS, 100)
    told = f"{OLD} (2 files, 12 bytes)"
    kept = f"⚠️ Kept {RUNS}/nightly/2: local folder {empty_folder}/a has no manifest of it; the command upload makes up for it"
    summary = "(12 bytes), 1 kept, 0 failed, 0 younger than 30 days"
    code, said = call("clean", "--older-than", "30", "--dry-run")
    assert (code, said.splitlines()) == (0, [f"💾 Would remove {told}", kept, f"✅ 1 runs to remove {summary}"])
    code, said = call("clean", "--older-than", "30")
    assert (code, said.splitlines()) == (0, [f"💾 Removed {told}", kept, f"✅ 1 runs removed {summary}"])
    code, said = call("restore", OLD)
    assert (code, said) == (
        0,
        "✅ Restored from Atlan to objectstore: 2 of 2 files moved (12 bytes), 0 there already, 0 failed\n",
    )
    assert files_in("o", OLD) == files
    Path("a", OLD, "raw/a.json").unlink()
    code, said = call("restore", OLD)
    assert code == extraction.UPLOAD_INCOMPLETE
    assert f"⚠️ Not restored: {OLD}/raw/a.json (it is gone from Atlan's storage)" in said
    monkeypatch.setattr(retention, "_remove", lambda *_: (_ for _ in ()).throw(StoreError("it is write-protected")))
    monkeypatch.setenv("ENABLE_ATLAN_UPLOAD", "false")
    age(RUNS, 100)
    code, said = call("clean", "--older-than", "30")
    assert code == extraction.FAILED
    assert f"❌ {OLD} cannot be removed: it is write-protected" in said
    assert json.loads(Path("a", OLD, MANIFEST).read_text())["count"] == 2


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "٣", "", "100000"])
def test_a_number_of_days_that_is_none_is_told(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        extraction.main(["clean", f"--older-than={days}"])
    assert ended.value.code == 2
    assert "is no number of days: use 1 or more, like 30" in capsys.readouterr().err
