"""Listing a bucket: every page and every key of real S3 servers, and a sentence for each way to be refused."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import logging
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from world import BUCKET, PREFIX, Run, World

import main
from delta_arc.clients import get_s3_client
from delta_arc.listing import advise_where_nothing_is, count_all_objects
from delta_arc.settings import get_settings
from runtime.s3 import S3Error
from sandbox import storage

TOKEN = "the-token-of-atlan"
KEY_ID, SECRET = "landingreader", "Xk9secretsecretsecret"
ODD_KEYS = [
    "a b.csv", "a+b.csv", "100%.csv", "%41.csv", "a&b=c.csv", "what?.csv", "no#1.csv", "q'uote\".csv", "<x>.csv",
    "back\\slash.csv", "semi;colon,comma.csv", "Müşteri.csv", "日本/表.csv", "🎉.csv", " space around ", "x/.hidden",
    "dots../a..csv", "UPPER/lower.CSV", "~tilde*star|pipe.csv",
]  # fmt: skip


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buckets: odd keys, an empty one, and one with more keys than two pages hold."""
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "empty" / "empty-folder").mkdir(parents=True)
    for key in ODD_KEYS:
        path = folder / "odd" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key, encoding="utf-8")
    for number in range(2500):
        path = folder / "large" / f"day={number % 7}" / f"part-{number:05}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number % 3))
    return folder


@pytest.fixture(scope="module")
def open_server(buckets: Path) -> Iterator[str]:
    with storage.serve_buckets(buckets) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def locked_server(buckets: Path) -> Iterator[str]:
    """A server that wants every request signed."""
    process = subprocess.Popen(
        [storage._find_rclone(), "serve", "s3", str(buckets), "--addr", "127.0.0.1:0", "--config", "",
         "--auth-key", f"{KEY_ID},{SECRET}"],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        yield storage._wait_for_address(process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def environment(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant is set, and never asked."""
    for name in ("POSTGRES_CONNECTION_NAME", "SNOWFLAKE_CONNECTION_NAME"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("ATLAN_API_TOKEN", TOKEN)
    monkeypatch.setenv("ATLAN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("S3_BUCKET_NAME", "odd")
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))


@contextlib.contextmanager
def answering(*pages: str, status: int = 200) -> Iterator[str]:
    """A server that answers its requests with these bodies in turn, and the last one from then on; errors with a 403."""
    left = list(pages)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(403 if body.startswith(b"<Error>") else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def listing(*keys: str, token: str = "") -> str:
    items = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2025-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>0</Size></Contents>"
        for key in keys
    )
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return f'<?xml version="1.0"?><ListBucketResult><Name>b</Name>{more}{items}</ListBucketResult>'


DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
PAGES = {
    "denying": (DENIED, 200),
    "a web page": ("<!doctype html><html><p>Sign in<br></html>", 200),
    "an XML page": ("<html>Sign in</html>", 200),
    "a JSON page": ('{"message": "Not found"}', 404),
}

# Every page, every key


def test_every_page_is_read(open_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    objects = main.list_s3_bucket_objects("large", prefix="")
    keys = [item["key"] for item in objects]
    assert len(set(keys)) == len(keys) == 2500
    assert sorted(keys) == keys
    assert sum(item["size"] for item in objects) == sum(number % 3 for number in range(2500))
    assert len(main.list_s3_bucket_objects("large", "day=3/")) == 357
    assert main.list_s3_bucket_objects("large", "day=3/part-00003")[0]["key"] == "day=3/part-00003.csv"


def test_odd_keys_arrive_as_they_are(open_server: str, buckets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    objects = main.list_s3_bucket_objects()
    assert {item["key"] for item in objects} == set(ODD_KEYS)
    for item in objects:
        content = (buckets / "odd" / item["key"]).read_bytes()
        assert item["size"] == len(content)
        assert item["etag"] == hashlib.md5(content).hexdigest()
        assert item["last_modified"].tzinfo is not None
        assert abs((datetime.now(timezone.utc) - item["last_modified"]).total_seconds()) < 3600


def test_the_prefix_setting_is_the_default(open_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    monkeypatch.setenv("S3_PREFIX", "日本/")
    assert [item["key"] for item in main.list_s3_bucket_objects()] == ["日本/表.csv"]
    assert len(main.list_s3_bucket_objects(prefix="")) == len(ODD_KEYS)
    for key in ("a+b.csv", "100%.csv", "🎉.csv", "q'uote"):
        assert len(main.list_s3_bucket_objects(prefix=key)) == 1


def test_folder_markers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(listing("in/", "in/a.csv", "in/b/", token="next"), listing("in/c.csv", "out/")) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        objects = main.list_s3_bucket_objects("b")
    assert [item["key"] for item in objects] == ["in/a.csv", "in/c.csv"]
    assert objects[0] == {"key": "in/a.csv", "size": 0, "etag": "e",
                          "last_modified": datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)}  # fmt: skip


def test_an_empty_bucket_is_told(
    open_server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    assert main.list_s3_bucket_objects("empty") == []
    assert main.list_s3_bucket_objects("odd", "nothing/here/") == []
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["⚠️ There are no objects in s3"] * 2
    assert "s3://empty/" in told[0]
    assert "s3://odd/nothing/here/" in told[1]


# Credentials


def test_credentials_of_the_chain_are_used(locked_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", locked_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert len(main.list_s3_bucket_objects()) == len(ODD_KEYS)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    profile = tmp_path / "credentials"
    profile.write_text(f"[landing]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "landing")
    assert len(main.list_s3_bucket_objects()) == len(ODD_KEYS)


# Refusals: a sentence each

GOOD_KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
WRONG_SECRET = "Zz1wrongwrongwrong"
REFUSALS: dict[str, tuple[str, dict[str, str], str]] = {
    "no such bucket": ("open", {"S3_BUCKET_NAME": "nowhere"}, "There is no bucket named nowhere"),
    "unsigned": ("locked", {}, "Listing the bucket odd is denied"),
    "wrong secret": ("locked", {**GOOD_KEYS, "AWS_SECRET_ACCESS_KEY": WRONG_SECRET}, "SignatureDoesNotMatch"),
    "wrong key": ("locked", {**GOOD_KEYS, "AWS_ACCESS_KEY_ID": "somebodyelse"}, "InvalidAccessKeyId"),
    "half a key": ("open", {"AWS_ACCESS_KEY_ID": KEY_ID}, "AWS_SECRET_ACCESS_KEY"),
    "no profile": ("open", {"AWS_PROFILE": "nobody"}, "nobody"),
    "nobody listens": ("closed", {}, "AWS_ENDPOINT_URL_S3"),
    "no scheme": ("127.0.0.1:9000", {}, "AWS_ENDPOINT_URL_S3"),
    "no address": ("s3 server", {}, "AWS_ENDPOINT_URL_S3"),
    "denied": ("denying", {}, "Listing the bucket odd is denied"),
    "a web page": ("a web page", {}, "odd cannot be listed"),
    "an XML page": ("an XML page", {}, "AWS_ENDPOINT_URL_S3"),
    "a JSON page": ("a JSON page", {}, "AWS_ENDPOINT_URL_S3"),
    "bad region": ("open", {"AWS_REGION": "eu west", "AWS_DEFAULT_REGION": "eu west"}, "eu west"),
}  # fmt: skip


@pytest.fixture(params=REFUSALS)
def refusal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Sets the environment up for a refusal; yields what its message must have in it."""
    server, values, told = REFUSALS[request.param]
    with contextlib.ExitStack() as running:
        if server in ("open", "locked"):
            server = request.getfixturevalue(f"{server}_server")
        elif server in PAGES:
            page, status = PAGES[server]
            server = running.enter_context(answering(page, status=status))
        elif server == "closed":
            server = f"http://127.0.0.1:{_free_port()}"
        for name, value in {"AWS_ENDPOINT_URL_S3": server, **values}.items():
            monkeypatch.setenv(name, value)
        yield told


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_refusal_is_one_sentence_without_secrets(
    refusal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    with pytest.raises(S3Error) as raised:
        main.list_s3_bucket_objects()
    message = str(raised.value)
    assert refusal in message
    assert "\n" not in message
    assert message.endswith(".")
    told = message + "".join(capsys.readouterr())
    for secret in (SECRET, WRONG_SECRET, TOKEN):
        assert secret not in told


def test_a_name_that_no_bucket_has_is_told(open_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    with pytest.raises(S3Error, match=r"^(?!.*cannot be reached).*a/b"):
        main.list_s3_bucket_objects("a/b")


def test_a_listing_that_breaks_off_is_no_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(listing("a.csv", token="next"), DENIED) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        with pytest.raises(S3Error):
            main.list_s3_bucket_objects("b")


@pytest.mark.parametrize("prefix", ["day=0/", "day=3", "day=3/part-01", "day=6/", "a", "day=3/nothing", "z"])
def test_all_objects_of_the_bucket_are_counted(open_server: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", open_server)
    settings = get_settings()
    listed = main.list_s3_bucket_objects("large", prefix, settings=settings)
    assert count_all_objects(get_s3_client(settings), "large", prefix, listed) == 2500


def test_the_right_to_list_the_prefix_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies often allow one prefix only; then the whole bucket cannot be counted, and that is no fault."""
    with answering(listing("in/ORDERS.csv"), DENIED) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        assert main.integration_with_S3(prefix="in/")["object_count"] == 1
    assert world.count("S3Object") == 1
    assert "s3ObjectCount" not in world.assets("S3Bucket")[0]["attributes"]


def test_the_run_tells_it_in_one_line(world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET_NAME", "nowhere")
    ended = run()
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "❌ There is no bucket named nowhere: check S3_BUCKET_NAME (and AWS_ENDPOINT_URL_S3, if it is no AWS bucket)."
    ]
    assert world.requests()["writes"] == 0


def test_a_prefix_that_begins_with_a_slash_is_told_where_nothing_begins_so(
    world: World, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_PREFIX", f"/{PREFIX}")
    ended = run("--dry-run")
    assert ended.code == 4
    assert f"s3://{BUCKET}//{PREFIX}: check S3_BUCKET_NAME and S3_PREFIX, without the / at its beginning" in ended.out
    advice = "check S3_BUCKET_NAME and S3_PREFIX"
    assert [advise_where_nothing_is(prefix) for prefix in ("", "in/")] == [advice] * 2
