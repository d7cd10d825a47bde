"""Object stores for the tests: a real S3 server that can be stopped, and a proxy before it that does harm."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import sandbox.storage
from metadata_extraction.components import open_store
from metadata_extraction.stores import Store

KEY = ("test-client", "test-secret")

LOCAL = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: bindings.localstorage
  version: v1
  metadata:
    - name: rootPath
      value: {root}
"""
S3 = """\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: bindings.aws.s3
  version: v1
  metadata:
    - {{name: bucket, value: {bucket}}}
    - {{name: region, value: us-east-1}}
    - {{name: endpoint, value: "{endpoint}"}}
    - {{name: accessKey, secretKeyRef: {{name: ATLAN_AUTH_CLIENT_ID, key: ATLAN_AUTH_CLIENT_ID}}}}
    - {{name: secretKey, secretKeyRef: {{name: ATLAN_AUTH_CLIENT_SECRET, key: ATLAN_AUTH_CLIENT_SECRET}}}}
    - {{name: forcePathStyle, value: "true"}}
"""


@dataclass
class Bucket:
    """A bucket of a running S3 server: its folder, and the component that leads to it."""

    folder: Path
    endpoint: str
    components: Path

    def open(self, endpoint: str = "") -> Store:
        """The store, at the server or at a proxy before it."""
        text = S3.format(name="atlan-storage", bucket=self.folder.name, endpoint=endpoint or self.endpoint)
        (self.components / "atlan-storage.yaml").write_text(text)
        return open_store("atlan-storage", self.components)

    def files(self) -> dict[str, bytes]:
        """Everything in the bucket, by key, but the manifests, and what the server itself leaves when it is killed."""
        found = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        ours = {key: path for key, path in found.items() if "/.rclone_temp_put_" not in key}
        return {key: path.read_bytes() for key, path in ours.items() if not key.endswith("_manifest.json")}


class Server:
    """An S3 server that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._running = contextlib.ExitStack()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        endpoint = self._running.enter_context(sandbox.storage.serve_buckets(self.folder, self.port, KEY))
        self.port = urlsplit(endpoint).port or 0

    def kill(self) -> None:
        self._running.close()


# Told the request's number and head; returns what to do: "pass", "503", "cut" in the middle of its body, or "damage" it.
Harm = Callable[[int, bytes], str]


@contextlib.contextmanager
def harmful_proxy(port: int, harm: Harm) -> Iterator[str]:
    """A proxy before an S3 server, one connection for each request, so that each can be told apart."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    lock = threading.Lock()
    count = 0

    def serve(client: socket.socket) -> None:
        nonlocal count
        with contextlib.closing(client), contextlib.suppress(OSError):
            head = client.recv(65536)
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            with lock:
                count += 1
                action = harm(count, head)
            if action == "503":
                client.sendall(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as server:
                head = head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
                if action == "cut":
                    server.sendall(head[: len(head) - 10] if len(head) > 2000 else head)
                    time.sleep(0.05)
                    return
                server.sendall(_damaged(head) if action == "damage" else head)
                change = _damaged if action == "damage" else bytes
                forward = threading.Thread(target=_pump, args=(client, server, change), daemon=True)
                forward.start()
                _pump(server, client)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _damaged(data: bytes) -> bytes:
    return data.replace(b"as it is", b"as it iz")


def _pump(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes] = bytes) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(change(data))
