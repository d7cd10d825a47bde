"""AWS settings that stand in `.env` only: as good as in the environment, which wins and is never written to."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import itertools
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.utils import parse_timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import s3
from runtime.environment import read_environment
from runtime.s3 import S3Error, connect_keyed_s3, connect_s3, list_pages
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
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
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
    body: bytes | Iterator[bytes] = LISTING, tls: ssl.SSLContext | None = None, bound: list[http.server.BaseHTTPRequestHandler] | None = None
) -> Iterator[str]:  # fmt: skip
    """A server that answers everything with one body, or with the next of several, and keeps what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if bound is not None:
                bound.append(self)
            answer = body if isinstance(body, bytes) else next(body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

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


# A server that lies

OBJECT = "<Contents><Key>in/a.csv</Key><Size>3</Size><LastModified>2025-01-01T00:00:00Z</LastModified></Contents>"


def listing(*parts: str) -> bytes:
    return f'<?xml version="1.0"?><ListBucketResult><Name>landing</Name>{"".join(parts)}</ListBucketResult>'.encode()


def item(key: str = "<Key>in/b.csv</Key>", size: str = "<Size>3</Size>",
         time: str = "<LastModified>2025-01-01T00:00:00Z</LastModified>") -> str:  # fmt: skip
    return f"<Contents>{key}{size}{time}</Contents>"


MORE, TOKEN = "<IsTruncated>true</IsTruncated>", "<NextContinuationToken>next</NextContinuationToken>"
LIES: dict[str, tuple[bytes, str]] = {
    "cut off": (listing(MORE, OBJECT), "whether and where it goes on"),
    "cut off with an empty token": (listing(MORE, OBJECT, "<NextContinuationToken/>"), "whether and where it goes on"),
    "a token at the end": (listing("<IsTruncated>false</IsTruncated>", TOKEN, OBJECT), "whether and where it goes on"),
    "a word for true": (listing("<IsTruncated>True</IsTruncated>", TOKEN, OBJECT), "whether and where it goes on"),
    "fewer than told": (listing("<KeyCount>2</KeyCount>", OBJECT), "S3 tells 2 objects and names 1"),
    "the same again": (listing(MORE, TOKEN, OBJECT), "again"),
    "no key": (listing(OBJECT, item(key="")), "the key of an object"),
    "an empty key": (listing(item(key="<Key/>")), "the key of an object"),
    "another prefix": (listing(item(key="<Key>out/a.csv</Key>")), "S3 names out/a.csv, which is not below in/"),
    "no size": (listing(OBJECT, item(size="")), "the size of in/b.csv"),
    "less than nothing": (listing(item(size="<Size>-1</Size>")), "the size of in/b.csv"),
    "more than there is": (listing(item(size=f"<Size>{2**63}</Size>")), "the size of in/b.csv"),
    "a size in words": (listing(item(size="<Size>many</Size>")), "cannot be read"),
    "an empty size": (listing(item(size="<Size/>")), "cannot be read"),
    "no time": (listing(item(time="")), "the time of in/b.csv"),
    "a time in words": (listing(item(time="<LastModified>soon</LastModified>")), "cannot be read"),
    "the end of time": (listing(item(time="<LastModified>9999-12-31T23:59:59-23:00</LastModified>")), ""),
    # As boto3 tells it.
    "half an answer": (listing(OBJECT)[:-30], "S3 answered 500"),
    "no XML": (b"<html><p>Welcome", "S3 answered 500"),
    "nothing": (b"", ""),
    "a bomb": (b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><ListBucketResult><Name>&a;</Name></ListBucketResult>', "?"),
    "text for objects": (listing("<Contents>none</Contents>"), "the key of an object"),
    "a number that never ends": (listing(item(size=f"<Size>{'9' * 5000}</Size>")), "cannot be read"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_listing_that_is_not_whole_is_none(case: str) -> None:
    body, told = LIES[case]
    with answering(body) as endpoint:
        write_env_file(AWS_ENDPOINT_URL_S3=endpoint, AWS_MAX_ATTEMPTS="1")
        if told == "?":  # what it may be, but no traceback
            with contextlib.suppress(S3Error):
                keys_below(connect(), "in/")
            return
        with pytest.raises(S3Error) as raised:
            keys_below(connect(), "in/")
    message = str(raised.value)
    assert told in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 400


def keys_below(client: Any, prefix: str) -> list[str]:
    return [found["Key"] for page in list_pages(client, "landing", prefix) for found in page]


def test_a_listing_without_an_end_is_given_up() -> None:
    """Each page is empty, and has a token that was not there before."""
    pages = (listing(MORE, f"<NextContinuationToken>{number}</NextContinuationToken>") for number in itertools.count())
    with answering(pages) as endpoint:
        client = connect_s3({"AWS_ENDPOINT_URL_S3": endpoint})
        with pytest.raises(S3Error, match="again and again"):
            keys_below(client, "in/")


def test_an_empty_page_in_between_is_no_end() -> None:
    pages = iter([listing(MORE, TOKEN, OBJECT), listing(MORE, TOKEN.replace("next", "then")), listing(item())])
    with answering(pages) as endpoint:
        write_env_file(AWS_ENDPOINT_URL_S3=endpoint)
        assert keys_below(connect(), "in/") == ["in/a.csv", "in/b.csv"]


JUNK = [b""]


@pytest.fixture(scope="module")
def junk_server() -> Iterator[str]:
    """A server that answers with `JUNK`."""
    with answering(JUNK[0] for _ in itertools.count()) as endpoint:
        yield endpoint


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.text(st.sampled_from("<>/&;![]ContentsKyizeLM 0-9\x1b\u202e"), max_size=60).map(str.encode)
)
def test_no_answer_ends_in_anything_but_objects_or_a_sentence(junk_server: str, junk: bytes) -> None:
    client = connect_s3({"AWS_ENDPOINT_URL_S3": junk_server})
    for JUNK[0] in (junk, listing("JUNK").replace(b"JUNK", junk)):
        with contextlib.suppress(S3Error):
            keys_below(client, "")


def test_passwords_in_addresses_are_in_no_sentence() -> None:
    for endpoint in (
        "http://user:p4ss@w0rd@127.0.0.1:9",
        "http://user:p4ss@w0rd@ho st",
        "user:p4ss@w0rd",
        "http://u:p4ss/w0rd@h",
    ):
        with pytest.raises(S3Error) as raised:
            keys_of(connect_s3({"AWS_ENDPOINT_URL_S3": endpoint}))
        assert "p4" not in str(raised.value)
        assert "w0rd" not in str(raised.value)


def test_a_key_that_ends_with_a_line_break_is_one_without(locked: str) -> None:
    """As it is in a secret that was made from a file."""
    variables = {**{name: f"{value}\n" for name, value in GOOD.items()}, "AWS_ENDPOINT_URL_S3": locked}
    assert keys_of(connect_s3(variables)) == ["orders.csv"]


def test_a_key_that_cannot_be_sent_is_one_sentence(locked: str) -> None:
    variables = {**GOOD, "AWS_SESSION_TOKEN": "ses\nsame", "AWS_ENDPOINT_URL_S3": locked}
    with pytest.raises(S3Error) as raised:
        keys_of(connect_s3(variables))
    assert "ses" not in str(raised.value).replace("address", "")


def test_a_server_with_a_key_of_its_own_is_reached_whatever_settings_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("no configuration")
    for name, value in {
        "AWS_PROFILE": "nobody", "AWS_DEFAULT_REGION": "eu west", "AWS_ACCESS_KEY_ID": "half", "AWS_MAX_ATTEMPTS": "many",
        "AWS_ENDPOINT_URL_S3": "nowhere", "AWS_CA_BUNDLE": "none", "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    asked: list[http.server.BaseHTTPRequestHandler] = []
    with answering(bound=asked) as endpoint, untouched():
        assert keys_of(connect_keyed_s3(endpoint, ("its-own", "its-secret"))) == []
    assert "Credential=its-own/" in asked[0].headers["Authorization"]


def test_the_same_variables_share_a_client() -> None:
    one = connect_s3({"AWS_DEFAULT_REGION": "eu-west-1", "OTHER": "1"})
    assert connect_s3({"OTHER": "2", "AWS_DEFAULT_REGION": "eu-west-1"}) is one
    assert connect_s3({"AWS_DEFAULT_REGION": "eu-west-2"}) is not one


@given(st.one_of(
    st.datetimes(timezones=st.just(datetime.timezone.utc)).map(lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    st.datetimes(timezones=st.just(datetime.timezone.utc)).map(lambda moment: moment.isoformat(timespec="seconds").replace("+00:00", "Z")),
    st.sampled_from(["Wed, 12 Oct 2009 17:50:00 GMT", "1255369830", "2009-10-12", "2009-13-40T99:00:00.000Z", "2009-10-12T17:50:30.000z", "", "now"]),
    st.text("0123456789-T:.Z", max_size=26),
))  # fmt: skip
def test_a_time_is_read_as_botocore_reads_it(text: str) -> None:
    def outcome(read: Any) -> object:
        try:
            return read(text).astimezone(datetime.timezone.utc)
        except (ValueError, OverflowError) as error:
            return type(error) in (ValueError, OverflowError)

    assert outcome(s3._read_time) == outcome(parse_timestamp)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with 2,300 objects: in folders of folders, beside folders, and below a name that goes on after another."""
    folder = tmp_path_factory.mktemp("many")
    names = [f"in/s{number % 7}/t{number % 21}/{number}.csv" for number in range(2200)]
    names += [f"in/s{number}.csv" for number in range(50)] + [f"in/s3-{number}/a b+c.csv" for number in range(50)]
    for name in names:
        path = folder / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    with storage.serve_buckets(folder) as endpoint:
        yield endpoint


def listed_side_by_side(endpoint: str, prefix: str, told: list[int]) -> tuple[list[str], list[dict[str, str]], Any]:
    """The keys, what was asked for them, and the client; `told` gets what progress is told."""
    client, asked = connect_keyed_s3(endpoint, ("a", "b")), list[dict[str, str]]()
    client.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: asked.append(params))
    return s3.list_objects(client, "landing", prefix, lambda item: item["Key"], told.append), [*asked], client


@pytest.mark.parametrize("prefix", ["in/", "in/s3", "nowhere/"])
@pytest.mark.parametrize("first_pages", [1, 4])
def test_parts_side_by_side_are_the_whole(
    many: str, prefix: str, first_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "FIRST_PAGES", first_pages)
    told: list[int] = []
    keys, asked, client = listed_side_by_side(many, prefix, told)
    assert keys == [item["Key"] for page in list_pages(client, "landing", prefix) for item in page]
    assert sum(told) == len(keys)
    begun = sum("StartAfter" in params and not {"Delimiter", "ContinuationToken"} & params.keys() for params in asked)
    if prefix == "in/" and first_pages == 1:
        assert 2 < begun <= s3.MOST_PARTS
    elif prefix != "in/" and first_pages == 4:
        assert len(asked) == 1 + len(keys) // 1000  # no more than one after the other


def test_a_server_that_does_not_start_where_it_is_asked_to_is_listed_in_one_go(
    many: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "FIRST_PAGES", 1)
    connect = s3.connect_keyed_s3
    whole, _, _ = listed_side_by_side(many, "in/", [])
    for only in ("", "Delimiter"):  # also one that does so only where it lists folders

        def ignoring(*arguments: Any, only: str = only) -> Any:
            client = connect(*arguments)
            client.meta.events.register(
                "before-parameter-build.s3.ListObjectsV2",
                lambda params, **_: None if only and only in params else params.pop("StartAfter", None) and None,
            )
            return client

        monkeypatch.setattr(s3, "connect_keyed_s3", ignoring)
        monkeypatch.setitem(globals(), "connect_keyed_s3", ignoring)
        told: list[int] = []
        keys, _, _ = listed_side_by_side(many, "in/", told)
        assert keys == whole
        assert sum(told) == len(whole)
        s3._make_s3_client.cache_clear()
