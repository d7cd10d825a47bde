"""The extraction as a black box: settings, component files and stores that no one should write, but someone does.

Whatever they are, a process ends by itself, soon, with an exit code and a sentence on a line of its own: no traceback, no
panic, no secret.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "artifacts/apps/delta-arc/workflows/w/1"
HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\nspec:\n  type: {type}\n  metadata:\n"
LOCAL = HEAD.format(name="objectstore", type="bindings.localstorage") + "    - {name: rootPath, value: ./o}\n"
S3 = HEAD.format(name="atlan", type="bindings.aws.s3") + (
    "    - {name: bucket, value: b}\n    - {name: endpoint, value: 'ENDPOINT'}\n"
    "    - {name: accessKey, envRef: OUR_ID}\n    - {name: secretKey, envRef: OUR_SECRET}\n"
    "    - {name: forcePathStyle, value: STYLE}\n"
)
SECRETS = ("hush-hush", "secret-id", "pass-word")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line; nothing of it may ever be a traceback, a panic or a secret."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    given = {"OUR_ID": "secret-id\n", "OUR_SECRET": "hush-hush", "UPSTREAM_OBJECT_STORE_NAME": "atlan", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "metadata_extraction", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "panicked" not in said
    assert not [secret for secret in SECRETS if secret in said]
    assert all(letter.isprintable() or letter == "\n" for letter in said)
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the components, and a run's file that was not uploaded."""
    (tmp_path / "components").mkdir()
    (tmp_path / "components/objectstore.yaml").write_text(LOCAL)
    (tmp_path / "o" / PREFIX).mkdir(parents=True)
    (tmp_path / "o" / PREFIX / "a.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("endpoint", "path_style", "said"),
    [
        ("http://127.0.0.1 x:1", "true", "endpoint is no web address"),
        ("http://127.0.0.1:99999", "true", "endpoint is no web address"),
        ("http://127.0.0.1:9", "false", "endpoint is an IP address"),
        ("http://me:pass-word@127.0.0.1:9", "true", "endpoint has a user or a password"),
        ("ftp://127.0.0.1:9", "true", "endpoint is no web address"),
    ],
    ids=["a space", "a port", "no path style", "a password", "a scheme"],
)
def test_an_endpoint_that_is_none_ends_an_upload_with_a_sentence(
    folder: Path, endpoint: str, path_style: str, said: str
) -> None:
    (folder / "components/atlan.yaml").write_text(S3.replace("ENDPOINT", endpoint).replace("STYLE", path_style))
    done = run(folder, "upload", PREFIX)
    assert done.returncode == 3
    assert said in done.stdout
    assert "1 failed" in done.stdout


def bomb(path: Path) -> None:
    levels = (f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    path.write_text("a0: &a0 {k: v}\n" + "".join(levels))


COMPONENTS: dict[str, Callable[[Path], object]] = {
    "a bomb": bomb,
    "deep": lambda path: path.write_text("[" * 30_000),
    "huge": lambda path: path.write_bytes(b"a: b\n" * 10_000_000),
    "no text": lambda path: path.write_bytes(os.urandom(1000)),
    "wrong types": lambda path: path.write_text("kind: Component\nmetadata: []\nspec: 7\n"),
    "a named pipe": lambda path: os.mkfifo(path),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
    "a name twice": lambda path: path.write_text(LOCAL),
}


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are of Unix")
@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("command", [("run",), ("upload", PREFIX)], ids=["run", "upload"])
def test_a_component_file_that_is_none_is_named(folder: Path, name: str, command: tuple[str, ...]) -> None:
    COMPONENTS[name](folder / "components/x.yaml")
    done = run(
        folder, *command, SOURCE_URL="postgresql://u:pass-word@127.0.0.1:1/d",
        ATLAN_CONNECTION_QUALIFIED_NAME="default/postgres/1",
    )  # fmt: skip
    assert done.returncode == (1 if command == ("run",) else 3)
    assert "components/x.yaml" in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are of Unix")
def test_what_is_no_file_below_a_prefix_is_reported_and_the_rest_arrives(folder: Path) -> None:
    (folder / "components/atlan.yaml").write_text(LOCAL.replace("objectstore", "atlan").replace("./o", "./a"))
    place = folder / "o" / PREFIX
    os.mkfifo(place / "pipe")
    (place / "dangling").symlink_to("nowhere")
    (place / "passwd").symlink_to("/etc/passwd")
    (place / "circle").symlink_to(place)
    (place / os.fsdecode(b"\xff")).write_text("x")
    done = run(folder, "upload", PREFIX)
    assert done.returncode == 3
    assert "1 of 6 files moved" in done.stdout
    assert done.stdout.count("Not uploaded: ") == 5
    assert [path.name for path in (folder / "a" / PREFIX).iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"COMPONENTS_PATH": "x" * 5000}, "COMPONENTS_PATH is no folder"),
        ({"TEMPORAL_TLS": "perhaps"}, "TEMPORAL_TLS is perhaps: use true or false."),
        ({"TEMPORAL_TLS": "0", "TEMPORAL_API_KEY": "hush-hush"}, "TEMPORAL_TLS is off"),
        ({"TEMPORAL_TLS_CA": "/nowhere/ca.pem"}, "TEMPORAL_TLS_CA is no file"),
    ],
    ids=["a long path", "no boolean", "a key in the open", "no file"],
)
def test_a_wrong_setting_is_told(folder: Path, environment: dict[str, str], said: str) -> None:
    done = run(folder, "start", **environment)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_temporal_over_tls_that_does_not_answer_is_told(folder: Path) -> None:
    done = run(folder, "start", TEMPORAL_ADDRESS="127.0.0.1:1", TEMPORAL_API_KEY="hush-hush")
    assert done.returncode == 1
    assert "Temporal does not answer at 127.0.0.1:1" in done.stderr
