"""AWS settings that stand in `.env` only: as good as in the environment, which wins and is never written to."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED

from runtime import s3
from runtime.environment import read_environment
from runtime.s3 import S3Error, connect_open_s3, connect_s3, list_pages
from sandbox import storage

KEY_ID, SECRET = "landingreader", "Xk9secretsecretsecret"
LISTING = b'<?xml version="1.0"?><ListBucketResult><Name>b</Name></ListBucketResult>'


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder and home, no AWS settings, and an environment that stays as it is."""
    for name in os.environ:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3._make_s3_client.cache_clear()
    yield
    s3._make_s3_client.cache_clear()


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    before = dict(os.environ)
    yield
    assert dict(os.environ) == before


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "landing").mkdir()
    (folder / "landing" / "orders.csv").write_text("id\n")
    return folder


@pytest.fixture(scope="module")
def locked(buckets: Path) -> Iterator[str]:
    """A server that wants every request signed with the one key."""
    with storage.serve_buckets(buckets, key=(KEY_ID, SECRET)) as endpoint:
        yield endpoint


@contextlib.contextmanager
def answering(
    body: bytes = LISTING, tls: ssl.SSLContext | None = None, bound: list[http.server.BaseHTTPRequestHandler] | None = None
) -> Iterator[str]:  # fmt: skip
    """A server that answers everything with one body, and keeps what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if bound is not None:
                bound.append(self)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PUT = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def write_env_file(**variables: str) -> None:
    Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))


def keys_of(client: Any, bucket: str = "landing") -> list[str]:
    return [item["Key"] for page in list_pages(client, bucket, "") for item in page]


def connect() -> Any:
    """A client of `.env` and the environment, which stays as it is."""
    with untouched():
        return connect_s3(read_environment())


GOOD = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}


def test_keys_and_endpoint_of_the_file_are_used(locked: str) -> None:
    write_env_file(**GOOD, AWS_ENDPOINT_URL_S3=locked)
    with untouched():
        assert keys_of(connect()) == ["orders.csv"]


def test_the_environment_wins(locked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_env_file(
        AWS_ACCESS_KEY_ID="nobody", AWS_SECRET_ACCESS_KEY="nothing", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9"
    )
    for name, value in {**GOOD, "AWS_ENDPOINT_URL_S3": locked}.items():
        monkeypatch.setenv(name, value)
    assert keys_of(connect()) == ["orders.csv"]


def test_wrong_keys_of_the_file_are_refused(locked: str) -> None:
    write_env_file(**GOOD | {"AWS_SECRET_ACCESS_KEY": "wrong"}, AWS_ENDPOINT_URL_S3=locked)
    with pytest.raises(S3Error) as raised:
        keys_of(connect())
    assert str(raised.value) == (
        "S3 does not accept the AWS credentials (SignatureDoesNotMatch): renew them, or check AWS_PROFILE."
    )


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_of_the_file_is_used(name: str, locked: str, tmp_path: Path) -> None:
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text(f"[landing]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET}\n")
    config.write_text(f"[profile landing]\nregion=eu-west-1\nendpoint_url={locked}\n")
    write_env_file(
        **{name: "landing"}, AWS_SHARED_CREDENTIALS_FILE=str(credentials), AWS_CONFIG_FILE=str(config)
    )  # fmt: skip
    client = connect()
    assert client.meta.region_name == "eu-west-1"
    assert keys_of(client) == ["orders.csv"]


def test_keys_win_over_a_profile(locked: str, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("[landing]\naws_access_key_id=nobody\naws_secret_access_key=nothing\n")
    write_env_file(
        **GOOD, AWS_PROFILE="landing", AWS_SHARED_CREDENTIALS_FILE=str(credentials), AWS_ENDPOINT_URL=locked
    )  # fmt: skip
    assert keys_of(connect()) == ["orders.csv"]


def test_the_file_wins_over_what_a_profile_says(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion=eu-west-1\n")
    write_env_file(AWS_DEFAULT_REGION="eu-central-1", AWS_CONFIG_FILE=str(config))
    assert connect().meta.region_name == "eu-central-1"


def test_a_session_token_of_the_file_is_sent() -> None:
    asked: list[http.server.BaseHTTPRequestHandler] = []
    with answering(bound=asked) as endpoint:
        write_env_file(**GOOD, AWS_SESSION_TOKEN="the-session", AWS_ENDPOINT_URL_S3=endpoint)
        keys_of(connect())
    assert [request.headers["x-amz-security-token"] for request in asked] == ["the-session"]


def test_a_ca_bundle_of_the_file_is_trusted(tmp_path: Path) -> None:
    tls, bundle = certificate(tmp_path)
    with answering(tls=tls) as endpoint:
        write_env_file(AWS_ENDPOINT_URL_S3=endpoint, AWS_CA_BUNDLE=str(bundle))
        assert keys_of(connect()) == []
        write_env_file(AWS_ENDPOINT_URL_S3=endpoint, AWS_MAX_ATTEMPTS="1")
        with pytest.raises(S3Error, match="SSL validation failed"):
            keys_of(connect())


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate that nobody else knows, and the file that makes it trusted."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    bundle, both = folder / "bundle.pem", folder / "server.pem"
    bundle.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + bundle.read_bytes())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(both)
    return tls, bundle


def test_the_own_endpoint_of_s3_wins_and_both_may_be_turned_off() -> None:
    write_env_file(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_ENDPOINT_URL_S3="http://127.0.0.1:2")
    assert connect().meta.endpoint_url == "http://127.0.0.1:2"
    write_env_file(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_ENDPOINT_URL_S3="")
    assert connect().meta.endpoint_url == "http://127.0.0.1:1"
    write_env_file(AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert connect().meta.endpoint_url == "https://s3.amazonaws.com"


def test_the_metadata_of_a_machine_is_not_asked_where_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    asked: list[http.server.BaseHTTPRequestHandler] = []
    with answering(bound=asked) as endpoint:
        write_env_file(AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint)
        connect()
        assert asked
        asked.clear()
        write_env_file(AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint, AWS_EC2_METADATA_DISABLED="true")
        connect()
        assert not asked


def test_without_credentials_requests_are_not_signed(locked: str) -> None:
    write_env_file(AWS_ENDPOINT_URL_S3=locked)
    client = connect()
    assert client.meta.config.signature_version is UNSIGNED
    with pytest.raises(S3Error, match="denied to requests without AWS credentials"):
        keys_of(client)


BAD: dict[str, tuple[Mapping[str, str], str]] = {
    "half a pair": ({"AWS_ACCESS_KEY_ID": KEY_ID}, "AWS_SECRET_ACCESS_KEY"),
    "no profile": ({"AWS_PROFILE": "nobody"}, "nobody"),
    "no number": ({"AWS_MAX_ATTEMPTS": "many"}, "AWS_MAX_ATTEMPTS is many"),
    "no region": ({"AWS_DEFAULT_REGION": "eu west"}, "eu west"),
    "no address": ({"AWS_ENDPOINT_URL_S3": "127.0.0.1:9000"}, "AWS_ENDPOINT_URL_S3 is no web address"),
    "over": ({**GOOD, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}, "AWS_CREDENTIAL_EXPIRATION"),
    "no time": ({**GOOD, "AWS_CREDENTIAL_EXPIRATION": "soon"}, "AWS_CREDENTIAL_EXPIRATION"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_one_sentence_without_secrets(case: str) -> None:
    variables, told = BAD[case]
    write_env_file(**variables)
    with untouched(), pytest.raises(S3Error) as raised:
        connect()
    message = str(raised.value)
    assert told in message
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message
    assert SECRET not in message


def test_an_open_server_is_reached_whatever_settings_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("no configuration")
    for name, value in {
        "AWS_PROFILE": "nobody", "AWS_DEFAULT_REGION": "eu west", "AWS_ACCESS_KEY_ID": "half", "AWS_MAX_ATTEMPTS": "many",
        "AWS_ENDPOINT_URL_S3": "nowhere", "AWS_CA_BUNDLE": "none", "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked: list[http.server.BaseHTTPRequestHandler] = []
    with answering(bound=asked) as endpoint, untouched():
        assert keys_of(connect_open_s3(endpoint)) == []
    assert "Authorization" not in asked[0].headers


def test_the_same_variables_share_a_client() -> None:
    one = connect_s3({"AWS_DEFAULT_REGION": "eu-west-1", "OTHER": "1"})
    assert connect_s3({"OTHER": "2", "AWS_DEFAULT_REGION": "eu-west-1"}) is one
    assert connect_s3({"AWS_DEFAULT_REGION": "eu-west-2"}) is not one
