"""Settings: what is wrong is told at once and in full, and nothing is done before they are right."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from world import ROOT, Run, python

import main
from delta_arc.settings import SANDBOX_FOLDER, SettingsError, get_settings, read_settings, settings_in
from runtime.environment import read_environment

TOKEN = "eyJhbGciOi.the-token"
GOOD = {
    "ATLAN_BASE_URL": "https://acme.atlan.com",
    "ATLAN_API_TOKEN": TOKEN,
    "POSTGRES_CONNECTION_NAME": "pg",
    "SNOWFLAKE_CONNECTION_NAME": "sf",
    "S3_BUCKET_NAME": "landing",
}


def faults(**changed: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        read_settings({**GOOD, **changed})
    return raised.value.faults


def example() -> dict[str, str]:
    """The settings that .env.example gives a placeholder to."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {name: value for name, value in pairs if value}


WRONG = [
    ("ATLAN_BASE_URL", "", "not set"),
    ("ATLAN_API_TOKEN", "", "not set"),
    ("POSTGRES_CONNECTION_NAME", "", "not set"),
    ("SNOWFLAKE_CONNECTION_NAME", "", "not set"),
    ("S3_BUCKET_NAME", "", "not set"),
    ("S3_BUCKET_NAME", " ", "not set"),
    ("S3_BUCKET_NAME", "my bucket", "my bucket"),
    ("ATLAN_BASE_URL", "acme.atlan.com", "https://"),
    ("ATLAN_BASE_URL", "ftp://acme.atlan.com", "https://"),
    ("ATLAN_BASE_URL", "https://", "https://"),
    ("ATLAN_BASE_URL", "https://acme.atlan.com:99999", "https://"),
    ("ATLAN_BASE_URL", "https://[::1", "https://"),
    ("ATLAN_BASE_URL", "https://acme", "https://"),
    ("ATLAN_BASE_URL", "https://ac me.atlan.com", "https://"),
    ("ATLAN_BASE_URL", "http://acme.atlan.com", "unencrypted"),
    ("ATLAN_BASE_URL", "http://10.0.0.1:8585", "unencrypted"),
    ("ATLAN_BASE_URL", "http://localhost.acme.com", "unencrypted"),
    ("ATLAN_BASE_URL", "http://127.acme.com", "unencrypted"),
    ("ATLAN_BASE_URL", "http://127.0.0.1.acme.com", "unencrypted"),
    ("ATLAN_API_TOKEN", "“eyJhbGciOi”", "token"),
    ("CACHE_EXPIRY_HOURS", "a day", "a day"),
    ("READ_FILE_HEADERS", "maybe", "true or false"),
    ("ATLAN_MAX_REQUESTS_PER_MINUTE", "0", "from 1 to 9999999"),
    ("ATLAN_MAX_REQUESTS_PER_MINUTE", "many", "Atlan allows a tenant 400"),
    ("OVERRIDES_FILE", "missing.txt", "missing.txt"),
    ("LINEAGE_EVENTS", "missing/", "LINEAGE_EVENTS names a file or folder that is not there (missing/)"),
    ("S3_PREFIX", "s3://landing/in/", "S3_PREFIX has the bucket in it (s3://landing/in/): write only what follows it"),
    ("LINEAGE_EVENTS", "s3:///x", "LINEAGE_EVENTS is no place in S3 (s3:///x)"),
    ("LINEAGE_EVENTS", "s3://b ucket/", "LINEAGE_EVENTS is no place in S3"),
    ("LINEAGE_NAMESPACES", "mysql://db:3306", "LINEAGE_NAMESPACES has one that is none of a PostgreSQL or Snowflake"),
    ("LINEAGE_NAMESPACES", "db.acme.com", "write it like postgres://host:5432 or snowflake://account."),
    ("CACHE_EXPIRY_HOURS", "nan", "nan"),
    ("CACHE_EXPIRY_HOURS", "-1", "-1"),
    ("CACHE_EXPIRY_HOURS", "inf", "inf"),
    ("S3_BUCKET_ARN", "landing", "arn:aws:s3:::<bucket>"),
    ("S3_BUCKET_ARN", "arn:aws:s3:::", "arn:aws:s3:::<bucket>"),
    ("S3_BUCKET_ARN", "arn:aws:ec2:::landing", "arn:aws:s3:::<bucket>"),
    ("LOG_LEVEL", "loud", "DEBUG, INFO, WARNING, ERROR"),
    ("REQUIRE_TENANT", "yes", "true or false"),
    ("POSTGRES_CACHE_FILE", "x" * 5000, "too long"),
    ("SNOWFLAKE_CACHE_FILE", "a\0b", "no file can have this name"),
    ("LINEAGE_PAGE", "x" * 5000, "too long"),
    ("OVERRIDES_FILE", "x" * 5000, "too long"),
    ("S3_BUCKET_NAME", "a\n✅ Done", "a\\n✅ Done"),
    ("ATLAN_BASE_URL", "https://user:p4ss@acme.atlan.com", "a user or a password in it"),
]


@pytest.mark.parametrize(("name", "value", "told"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_a_wrong_setting_is_told_in_one_sentence(name: str, value: str, told: str) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(f"{name} ")
    assert told in fault
    assert fault.endswith(".")
    assert "\n" not in fault
    assert TOKEN not in fault
    assert "p4ss" not in fault


@pytest.mark.parametrize("name", example())
def test_a_placeholder_is_told_in_one_sentence(name: str) -> None:
    (fault,) = faults(**{name: example()[name]})
    assert fault.startswith(f"{name} still has the placeholder of .env.example")


def test_the_token_of_other_examples_is_a_placeholder_too() -> None:
    (fault,) = faults(ATLAN_API_TOKEN="your_api_token_here")
    assert fault == "ATLAN_API_TOKEN still has the placeholder of .env.example: put your API token there."


def test_every_fault_of_an_unfilled_example_is_told_once() -> None:
    told = faults(**example())
    assert [fault.split()[0] for fault in told] == list(example())


@pytest.mark.parametrize("address", ["http://localhost:8585", "http://127.0.0.1:8585/", "http://[::1]:8585",
                                     "http://127.0.0.2:8585", "https://acme.atlan.com/", "https://10.0.0.1"])  # fmt: skip
def test_plain_http_is_fine_to_this_machine_and_https_to_any(address: str) -> None:
    settings = read_settings({**GOOD, "ATLAN_BASE_URL": address})
    assert not settings.sandbox
    assert settings.base_url == address.rstrip("/").replace("localhost", "127.0.0.1")


def test_defaults() -> None:
    settings = read_settings(GOOD)
    assert settings.s3_bucket_arn == "arn:aws:s3:::landing"
    assert settings.s3_prefix == ""
    assert settings.cache_expiry_hours == 24
    assert settings.log_level == "INFO"
    assert [settings.postgres_cache_file.name, settings.snowflake_cache_file.name] == [
        "postgres_assets_cache.json",
        "snowflake_assets_cache.json",
    ]
    assert read_settings({**GOOD, "S3_BUCKET_ARN": "arn:aws:s3:::landing-2"}).s3_bucket_arn == "arn:aws:s3:::landing-2"


def test_without_address_and_token_it_is_the_sandbox() -> None:
    settings = read_settings({"ATLAN_BASE_URL": "", "LOG_LEVEL": "debug"})
    assert settings.sandbox
    assert settings.log_level == "DEBUG"
    assert {path.parts[0] for path in (settings.postgres_cache_file, settings.snowflake_cache_file)} == {".sandbox"}


@pytest.mark.parametrize("name", ["ATLAN_API_TOKEN", "ATLAN_API_KEY"])
def test_both_names_of_the_token_count(name: str) -> None:
    values = {key: value for key, value in GOOD.items() if key != "ATLAN_API_TOKEN"}
    assert read_settings({**values, name: TOKEN}).api_token == TOKEN


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(read_settings(GOOD))
    # The two lines swapped: what was meant to be the address is a secret.
    assert not [
        fault for fault in faults(ATLAN_BASE_URL=TOKEN, ATLAN_API_TOKEN=GOOD["ATLAN_BASE_URL"]) if TOKEN in fault
    ]


@pytest.mark.parametrize(
    "name",
    ["S3_BUCKET_NAME", "S3_BUCKET_ARN", "S3_PREFIX", "S3_CONNECTION_NAME", "CACHE_EXPIRY_HOURS", "READ_FILE_HEADERS",
     "ATLAN_MAX_REQUESTS_PER_MINUTE", "LOG_LEVEL", "OVERRIDES_FILE", "LINEAGE_PAGE", "POSTGRES_CONNECTION_NAME",
     "REQUIRE_TENANT", "ATLAN_BASE_URL"],
)  # fmt: skip
def test_a_token_in_the_wrong_line_is_told_and_not_shown(name: str) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyb2JvdCJ9.c2lnbmF0dXJl"
    (fault,) = faults(**{name: token})
    assert fault.startswith(f"{name} ")
    assert token[:10] not in fault


@pytest.mark.parametrize(
    "address",
    ["https://user:p4ss@w0rd@acme.atlan.com", "http://p4ss.w0rd:80/x@acme.atlan.com", "http://user:p4ss/w0rd@acme.atlan.com",
     "https://user:p4ss#w0rd@acme.atlan.com", "http://user:1234?p4ss@acme.atlan.com"],
)  # fmt: skip
def test_no_part_of_a_password_in_the_address_is_shown(address: str) -> None:
    (fault,) = faults(ATLAN_BASE_URL=address)
    assert not [part for part in ("p4ss", "w0rd", "1234", "user:") if part in fault]


def test_keys_lose_the_line_break_at_their_end_and_may_have_none_within() -> None:
    settings = read_settings({**GOOD, "AWS_SECRET_ACCESS_KEY": "key\n", "ATLAN_API_TOKEN": f" {TOKEN}\r\n"})
    assert (settings.aws["AWS_SECRET_ACCESS_KEY"], settings.api_token) == ("key", TOKEN)
    (fault,) = faults(AWS_SESSION_TOKEN="half\nhalf")
    assert fault == ("AWS_SESSION_TOKEN has characters that no key has (spaces, line breaks or quotes): copy it again.")


def test_without_a_tenant_a_run_can_be_refused(
    empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_TENANT", "true")
    ended = run()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "❌ REQUIRE_TENANT is set, and there is no tenant: put ATLAN_BASE_URL and ATLAN_API_TOKEN into .env or the "
        "environment.\n"
    )
    assert list(empty_folder.iterdir()) == []
    assert settings_in(read_environment(), sandbox=True).sandbox  # who names the sandbox wants it
    monkeypatch.setenv("REQUIRE_TENANT", "false")
    assert get_settings().sandbox
    with pytest.raises(SettingsError, match="there is no tenant"):
        settings_in(read_environment(), require_tenant=True)
    write_env(**GOOD)
    assert not settings_in(read_environment(), require_tenant=True).sandbox


def test_what_no_program_knows_is_told_once(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_env(**GOOD, S3_PREFFIX="in/", **{f"S3_ODD_{number}": "" for number in range(20)})
    get_settings()
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "⚠️ S3_PREFFIX in .env is no setting of Delta Arc: did you mean S3_PREFIX?"
    assert (len(told), told[-1]) == (11, "⚠️ … and 11 more names that are no settings")
    get_settings()
    assert capsys.readouterr().out == ""


def test_secrets_of_settings_are_masked_also_while_they_are_wrong(empty_folder: Path, run: Callable[..., Run]) -> None:
    write_env(**{**GOOD, "AWS_SECRET_ACCESS_KEY": "sesame-open", "S3_BUCKET_NAME": "'sesame-open it'"})
    ended = run()
    assert ended.code == 2
    assert "S3_BUCKET_NAME is no name of a bucket (***" in ended.err
    assert "sesame" not in ended.err


def test_the_client_that_is_handed_out_shows_no_token(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_env(**GOOD)
    client = main.get_atlan_client()
    for text in (repr(client), str(client), f"{client}", repr(client.search), repr([client]), repr(get_settings())):
        assert TOKEN not in text
    assert repr(client) == "AtlanClient(base_url='https://acme.atlan.com')"


# .env and the environment


def write_env(**values: str) -> None:
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")


def test_the_environment_wins_over_the_file(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_env(**{**GOOD, "S3_PREFIX": "'from file/'", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"})
    monkeypatch.setenv("S3_BUCKET_NAME", "from-environment")
    settings = get_settings()
    assert (settings.s3_bucket, settings.s3_prefix) == ("from-environment", "from file/")
    assert settings.aws["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9"
    assert "AWS_ENDPOINT_URL_S3" not in os.environ


def test_a_corrected_file_is_read_at_the_next_call(empty_folder: Path) -> None:
    write_env(**GOOD)
    assert get_settings().s3_bucket == "landing"
    write_env(**{**GOOD, "S3_BUCKET_NAME": "corrected"})
    assert get_settings().s3_bucket == "corrected"


@pytest.mark.parametrize(
    "content", [b"ATLAN_BASE_URL=\xff\xfe\n", b"\x00\x01", None], ids=["latin", "binary", "folder"]
)
def test_a_file_that_cannot_be_read_is_told(
    content: bytes | None, empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAN_BASE_URL", GOOD["ATLAN_BASE_URL"])
    if content is None:
        Path(".env").mkdir()
    else:
        Path(".env").write_bytes(content)
    ended = run()
    assert ended.code == 2
    assert all(line.startswith("❌ ") for line in ended.err.splitlines())


# The command line


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--force-refresh"]])
def test_all_faults_are_told_and_nothing_is_written(
    arguments: list[str], empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GOOD, "ATLAN_BASE_URL": "http://acme.atlan.com", "CACHE_EXPIRY_HOURS": "a day"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SNOWFLAKE_CONNECTION_NAME")
    ended = run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    named = [line.split()[1] for line in ended.err.splitlines() if line.startswith("❌ ")]
    assert named == ["ATLAN_BASE_URL", "SNOWFLAKE_CONNECTION_NAME", "CACHE_EXPIRY_HOURS"]
    assert len(ended.err.splitlines()) == 3
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("name", ["ATLAN_BASE_URL", "ATLAN_API_TOKEN"])
def test_only_one_of_address_and_token_is_a_fault(
    name: str, empty_folder: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in GOOD.items():
        if key not in ("ATLAN_BASE_URL", "ATLAN_API_TOKEN") or key == name:
            monkeypatch.setenv(key, value)
    missing = ({"ATLAN_BASE_URL", "ATLAN_API_TOKEN"} - {name}).pop()
    ended = run()
    assert ended.code == 2
    assert ended.err.startswith(f"❌ {missing} is not set")
    assert len(ended.err.splitlines()) == 1


# Importing does nothing

LOADED = "[name for name in ('pyatlan', 'boto3', 'httpx', 'dotenv') if name in sys.modules]"
FIXED_NAMES = {
    "find_postgres_assets", "find_snowflake_assets", "get_connection_qualified_name", "list_s3_bucket_objects",
    "integration_with_S3", "create_table_lineage", "create_column_lineage", "load_cache_from_file",
    "save_cache_to_file", "is_cache_valid", "clear_all_cache", "get_cache_status",
}  # fmt: skip


def test_importing_does_nothing(empty_folder: Path) -> None:
    Path(".env").write_text("this is = not 'an env file\nATLAN_BASE_URL=nonsense\n", encoding="utf-8")
    program = f"""
import json, sys, main
names = {{}}
exec("from main import *", names)
names.pop("__builtins__")
print(json.dumps({{"loaded": {LOADED}, "names": sorted(names), "callable": all(map(callable, names.values()))}}))
"""
    ended = python(["-c", program])
    assert ended.stderr == ""
    told = json.loads(ended.stdout)
    assert told == {"loaded": [], "names": sorted(main.__all__), "callable": True}
    assert set(main.__all__) >= FIXED_NAMES
    assert [path.name for path in empty_folder.iterdir()] == [".env"]


@pytest.mark.parametrize("option", ["--help", "--cache-status", "--clear-cache"])
def test_quick_options_load_no_client(option: str, empty_folder: Path) -> None:
    program = f"""
import sys, main
try:
    sys.argv = ["main.py"]
    main.main(["{option}"])
finally:
    print([name for name in {LOADED} if name != "dotenv"])
"""
    ended = python(["-c", program])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--help", "--cache-status"])
def test_a_terminal_without_emoji_gets_plain_text(option: str, empty_folder: Path) -> None:
    ended = python([str(ROOT / "main.py"), option], PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.isascii()
    assert ended.stdout.strip()


def test_faults_are_plain_where_the_terminal_has_no_emoji(empty_folder: Path) -> None:
    ended = python([str(ROOT / "main.py")], PYTHONIOENCODING="ascii", ATLAN_BASE_URL="https://acme.atlan.com")
    assert ended.returncode == 2
    assert ended.stderr.startswith("[error] ATLAN_API_TOKEN is not set")


@pytest.mark.parametrize(
    ("environment", "page", "limit"),
    [
        (GOOD, Path("lineage.html"), 300),
        ({**GOOD, "LINEAGE_PAGE": "", "ATLAN_MAX_REQUESTS_PER_MINUTE": "50"}, None, 50),
        ({**GOOD, "LINEAGE_PAGE": " out/team.html "}, Path("out/team.html"), 300),
        ({}, SANDBOX_FOLDER / "lineage.html", 9999999),
    ],
)
def test_the_page_and_the_limit(environment: dict[str, str], page: Path | None, limit: int) -> None:
    settings = read_settings(environment)
    assert (settings.lineage_page, settings.max_requests_per_minute) == (page, limit)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ATLAN_BASE_URL=https://a.atlan.com\nS3_PREFIX="2025/x/\n', "line 2"),
        ("# mine\n\nS3_PREFIX: 2025/x/\n", "line 3"),
        ("S3_PREFIX\n", "line 1"),
        ("A=1\n='x'\nexport B\n", "line 2, 3"),
    ],
)
def test_a_line_of_the_file_that_says_nothing_is_told(text: str, told: str, empty_folder: Path) -> None:
    Path(".env").write_text(text)
    with pytest.raises(SettingsError) as raised:
        get_settings()
    assert raised.value.faults == (f".env cannot be read ({told}): write each as NAME=value, and close its quotes.",)


def test_where_events_are_and_whose_namespaces_count(empty_folder: Path) -> None:
    assert (read_settings(GOOD).lineage_events, read_settings(GOOD).lineage_namespaces) == ("", ())
    told = {"LINEAGE_EVENTS": "s3://logs/openlineage/", "LINEAGE_NAMESPACES": "postgresql://db, snowflake://a\n"}
    settings = read_settings({**GOOD, **told})
    assert settings.lineage_events == "s3://logs/openlineage/"
    assert settings.lineage_namespaces == ("postgresql://db", "snowflake://a")
    Path("events").mkdir()
    assert read_settings({**GOOD, "LINEAGE_EVENTS": "events"}).lineage_events == "events"
    assert read_settings({}).lineage_events == str(SANDBOX_FOLDER / "events")  # which its start makes
    assert read_settings({"LINEAGE_EVENTS": "events"}).lineage_events == "events"
    assert read_settings({"LINEAGE_EVENTS": " "}).lineage_events == "", "as an empty LINEAGE_PAGE is no page"
    assert settings_in({"LINEAGE_EVENTS": ""}, sandbox=True).lineage_events == str(SANDBOX_FOLDER / "events")
