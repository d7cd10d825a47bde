"""A real S3 server beside the tenant: `rclone serve s3`, where each folder below its root is a bucket."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

from sandbox.ports import listen

STORAGE_BUCKET = "objectstore"  # of Atlan's storage
START_SECONDS = 20
# What a child process gets of this one's environment: nothing that is a secret, or a setting of rclone.
ENVIRONMENT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
)  # fmt: skip
# Ends rclone when this process's end of the pipe closes, so that no server outlives even a killed parent; and ends with it.
GUARD = """
import os, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=lambda: os._exit(server.wait() & 255), daemon=True).start()
try:
    sys.stdin.read()
except KeyboardInterrupt:
    sys.stdin.read()
server.kill()
server.wait()
"""


class StorageError(Exception):
    """The S3 server could not be started."""


@contextlib.contextmanager
def serve_buckets(
    folder: Path,
    port: int = 0,
    key: tuple[str, str] | None = None,
    parameter: str = "port",
    folders_read_for: str = "5ms",
) -> Iterator[str]:
    """Serve the buckets below `folder` on the loopback interface; yields the endpoint URL once it answers.

    With a key (its id and secret) every request must carry a right signature; without one, none needs to, and any web page
    in a browser on this machine can read and write the buckets: rclone lets all origins in, and has no option against it.
    With a key it says so only to requests that are signed.

    Files that are put into the folder from outside show up after `folders_read_for`, a time as rclone writes it. (At 0s,
    a key of many folders takes minutes to write.)

    Raises `PortUnavailable`, which calls the port by the name `parameter`, and `StorageError` if rclone is missing or
    ends before it answers.
    """
    if port:
        listen(port, parameter).close()  # rclone says it less clearly
    command = [
        _find_rclone(), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--config", "",
        "--dir-cache-time", folders_read_for, "--vfs-cache-mode", "off", "--no-checksum=false",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", GUARD, *command],  # isolated: no module of the current folder is imported
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_environment_of_rclone(key),
    )
    try:
        yield _wait_for_address(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait()


def _environment_of_rclone(key: tuple[str, str] | None) -> dict[str, str]:
    """With the key, which as an argument everyone could read; quoted, as it is a list of pairs."""
    needed = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return {**needed, "RCLONE_AUTH_KEY": f'"{key[0]},{key[1]}"'} if key else needed


def _find_rclone() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / ("rclone.exe" if sys.platform == "win32" else "rclone")
    found = str(beside_python) if beside_python.exists() else shutil.which("rclone")
    if not found:
        raise StorageError("rclone is missing: pip install -r sandbox/requirements.txt")
    return found


def _wait_for_address(process: subprocess.Popen[str]) -> str:
    """Read rclone's log until it names its address; the log is drained to the end, so that it never blocks."""
    lines: queue.Queue[str | None] = queue.Queue()

    def drain() -> None:
        assert process.stderr
        for line in process.stderr:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=drain, daemon=True, name="sandbox-s3-log").start()
    said: list[str] = []
    while True:
        try:
            line = lines.get(timeout=START_SECONDS)
        except queue.Empty:
            line = None
        if line is None:
            raise StorageError(f"the S3 server did not start: {said[-1] if said else 'no message'}")
        said.append(re.sub(r"^[\d/]+ [\d:]+ [A-Z]+ *: *", "", line.strip()))
        address = re.search(r"Starting s3 server on \[(http://[^/\]]+)", line)
        if address:
            return address.group(1)


COMPONENT = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: {type}
  version: v1
  metadata:
"""


def write_components(home: Path, endpoint_url: str) -> Path:
    """Write the Dapr components of a deployment beside this tenant: its own store, and the tenant's storage.

    Returns the folder `components` in `home`, with a file for each. The names and keys are those that Atlan's application
    SDK reads: `objectstore` for its own (bindings.localstorage), `atlan-storage` for the tenant's (bindings.aws.s3).
    """
    folder = home / "components"
    folder.mkdir(exist_ok=True)
    local = COMPONENT.format(name="objectstore", type="bindings.localstorage")
    local += f"    - name: rootPath\n      value: {json.dumps(str(home / 'objectstore'))}\n"
    remote = COMPONENT.format(name="atlan-storage", type="bindings.aws.s3")
    for name, value in (
        ("bucket", STORAGE_BUCKET), ("region", "us-east-1"), ("endpoint", endpoint_url), ("forcePathStyle", "true"),
    ):  # fmt: skip
        remote += f"    - name: {name}\n      value: {json.dumps(value)}\n"
    for name, secret in (("accessKey", "ATLAN_AUTH_CLIENT_ID"), ("secretKey", "ATLAN_AUTH_CLIENT_SECRET")):
        remote += f"    - name: {name}\n      secretKeyRef:\n        name: {secret}\n        key: {secret}\n"
    (folder / "objectstore.yaml").write_text(local, encoding="utf-8")
    (folder / "atlan-storage.yaml").write_text(remote, encoding="utf-8")
    return folder
