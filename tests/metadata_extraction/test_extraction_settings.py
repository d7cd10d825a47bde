"""The extraction's settings: read once, from `.env` and the environment, written nowhere, and never told in full."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from upload_world import LOCAL, S3

from metadata_extraction import __main__ as extraction
from metadata_extraction import activities
from metadata_extraction.components import ComponentError, open_store
from metadata_extraction.models import Filters, Run
from metadata_extraction.settings import ExtractionSettings, check_extraction_settings, get_extraction_settings
from metadata_extraction.sources import SourceError, open_source, secrets_of_address
from metadata_extraction.upload import migrate_from_objectstore_to_atlan
from runtime.errors import SettingsError
from runtime.terminal import logger, mask

CONNECTION = "default/postgres/1"
SECRET = "hush-hush"
RUN = Run("nightly", "1", "shop", CONNECTION, Filters(), False)


def settings_for(url: str = "", **others: str) -> ExtractionSettings:
    values = {"SOURCE_URL": url, "ATLAN_CONNECTION_QUALIFIED_NAME": CONNECTION, "COMPONENTS_PATH": "."}
    return check_extraction_settings({**values, **others})


def write_components(folder: Path, secret_reference: str = "") -> None:
    (folder / "components").mkdir()
    text = S3.format(name="atlan-storage", bucket="objectstore", endpoint="https://acme.atlan.com/api/blobstorage")
    if secret_reference:
        text = text.replace(
            "secretKeyRef: {name: ATLAN_AUTH_CLIENT_SECRET, key: ATLAN_AUTH_CLIENT_SECRET}", secret_reference
        )
    (folder / "components/atlan-storage.yaml").write_text(text)
    (folder / "components/objectstore.yaml").write_text(LOCAL.format(name="objectstore", root=folder / "o"))


# Where they come from


def test_the_environment_wins_over_the_file_and_blank_is_not_set(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / ".env").write_text(
        "COMPONENTS_PATH=.\nTEMPORAL_NAMESPACE=of-the-file\nTEMPORAL_TASK_QUEUE=of-the-file\nATLAN_CONNECTION_NAME=' '\n"
    )
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "of-the-environment")
    settings = get_extraction_settings()
    assert (settings.temporal_namespace, settings.temporal_task_queue) == ("of-the-environment", "of-the-file")
    assert settings.connection_name == "postgres-sample"
    assert "ATLAN_CONNECTION_NAME" not in settings.environment


def test_databases_that_are_named_may_be_others_than_the_addresss() -> None:
    assert not settings_for("postgresql://h/d").every_database
    assert settings_for("postgresql://h/d", INCLUDE_DATABASES=".*").every_database


def test_without_a_name_the_connection_is_told_by_its_qualified_name() -> None:
    assert settings_for("postgresql://h/d").connection_name == CONNECTION
    assert settings_for("postgresql://h/d", ATLAN_CONNECTION_NAME="shop").connection_name == "shop"


@pytest.mark.parametrize(
    ("reference", "variable"),
    [("", "ATLAN_AUTH_CLIENT_SECRET"), ("envRef: MY_SECRET", "MY_SECRET")],
    ids=["secretKeyRef", "envRef"],
)
def test_a_components_secret_is_found_in_the_file_and_in_the_environment(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, reference: str, variable: str
) -> None:
    write_components(empty_folder, reference)
    monkeypatch.setenv("ATLAN_AUTH_CLIENT_ID", "client")
    components = empty_folder / "components"
    with pytest.raises(ComponentError, match=f"{variable} for secretKey is not set"):
        open_store("atlan-storage", components)
    (empty_folder / ".env").write_text(f"{variable}={SECRET}\n")
    settings = get_extraction_settings()
    assert open_store("atlan-storage", components, settings.environment).address.startswith("s3://objectstore")
    assert open_store("atlan-storage", components).address.startswith("s3://objectstore")
    (empty_folder / ".env").unlink()
    monkeypatch.setenv(variable, SECRET)
    assert open_store("atlan-storage", components).address.startswith("s3://objectstore")
    with pytest.raises(ComponentError, match=f"{variable} for secretKey is not set"):
        open_store("atlan-storage", components, {"ATLAN_AUTH_CLIENT_ID": "client"})  # given means given


def test_nothing_is_written_to_the_environment(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_components(empty_folder)
    (empty_folder / ".env").write_text(
        f"ATLAN_AUTH_CLIENT_ID=client\nATLAN_AUTH_CLIENT_SECRET={SECRET}\nUPSTREAM_OBJECT_STORE_NAME=atlan-storage\n"
    )
    before = dict(os.environ)
    assert "there are no files" in migrate_from_objectstore_to_atlan("nothing").reason
    assert dict(os.environ) == before


def test_what_is_called_by_hand_reads_the_settings_for_itself(empty_folder: Path) -> None:
    write_components(empty_folder)
    url = "postgresql://u:p@127.0.0.1:1/db"
    (empty_folder / ".env").write_text(f"SOURCE_URL={url}\nATLAN_CONNECTION_QUALIFIED_NAME={CONNECTION}\n")
    faults = activities.preflight_check(RUN).faults
    assert faults == [
        "PostgreSQL 127.0.0.1:1/db cannot be reached: check host and port in SOURCE_URL, and the network."
    ]
    given = settings_for("postgresql://u:p@127.0.0.1:2/db", COMPONENTS_PATH="components")
    assert "127.0.0.1:2/db" in activities.preflight_check(RUN, given).faults[0]
    (empty_folder / ".env").write_text("ENABLE_ATLAN_UPLOAD=perhaps\n")
    for step in (*activities_of_a_run(), activities.upload_to_atlan):
        with pytest.raises(SettingsError, match="ENABLE_ATLAN_UPLOAD is perhaps"):
            step(RUN)


def activities_of_a_run() -> tuple:
    from metadata_extraction.workflow import FETCHES

    return (activities.preflight_check, *FETCHES.values(), activities.transform_data)


def test_a_preflight_tells_no_secret(empty_folder: Path) -> None:
    """Temporal keeps it. Here the host has the name of the key."""
    write_components(empty_folder)
    settings = settings_for(
        f"postgresql://u:p@{SECRET}.invalid/db", COMPONENTS_PATH="components", ATLAN_AUTH_CLIENT_SECRET=SECRET
    )
    (fault,) = activities.preflight_check(RUN, settings).faults
    assert "PostgreSQL ***.invalid:5432/db cannot be reached" in fault


def test_a_deployments_name_is_in_the_keys() -> None:
    settings = settings_for("postgresql://h/d", ATLAN_DEPLOYMENT_NAME=" plant-7 ")
    run = extraction.make_run(settings, "nightly", "1")
    assert run.output_path == "artifacts/apps/delta-arc/deployments/plant-7/workflows/nightly/1"
    assert RUN.output_path == "artifacts/apps/delta-arc/workflows/nightly/1"
    for name in ("a/b", "..", "a b"):
        with pytest.raises(SettingsError, match=r"ATLAN_DEPLOYMENT_NAME is .*: use letters, digits, and any of"):
            settings_for("postgresql://h/d", ATLAN_DEPLOYMENT_NAME=name)


@pytest.mark.parametrize("timeout", ["0", "-1", "1.5", "1000000", "٣"])
def test_a_timeout_that_is_none(timeout: str) -> None:
    with pytest.raises(SettingsError, match=r"STATEMENT_TIMEOUT_SECONDS is .*: use whole seconds, like 300\."):
        settings_for("postgresql://h/d", STATEMENT_TIMEOUT_SECONDS=timeout)


@pytest.mark.parametrize(("upload", "store", "url", "sandbox"), [
    ("true", "", "", True), ("false", "", "", False), ("true", "atlan-storage", "", False), ("true", "", "postgresql://h/d", False),
])  # fmt: skip
def test_the_sandbox_is_for_the_sample_with_no_storage_named(upload: str, store: str, url: str, sandbox: bool) -> None:
    settings = settings_for(url, ENABLE_ATLAN_UPLOAD=upload, UPSTREAM_OBJECT_STORE_NAME=store)
    assert settings.use_sandbox is sandbox


# What is secret

ADDRESSES = {
    "url": f"postgresql://u:{SECRET}@h:5432/d",
    "escaped": "postgresql://u:hush%20%40hush@h/d",
    "half escaped": "postgresql://u:hush%2Bhüsh@h/d",
    "a hash sign": "postgresql://u:hush#hush@h/d",
    "a question mark": "postgresql://u:hush?hush@h/d",
    "several hosts": f"postgresql://u:{SECRET}@h1:1,h2:2/d",
    "parameter": f"postgresql://h/d?user=u&password={SECRET}",
    "key of a certificate": f"postgresql://u@h/d?sslkey=k&sslpassword={SECRET}",
    "libpq": f"host=h user=u password={SECRET}",
    "libpq, quoted": r"host=h password='hush \'hush' user=u",
    "no address": f"host = h password = '{SECRET}' nonsense",
    "broken escape": "postgresql://u:hush%zz@h/d",
    "snowflake": f"snowflake://u:{SECRET}@account/d",
    "snowflake, escaped": "snowflake://u:hush%2Fhush@account/d",
    "snowflake, e-mail": f"snowflake://me@corp.com:{SECRET}@account/d",
    "snowflake, key": f"snowflake://u@account/d?private_key_file=k&private_key_file_pwd={SECRET}",
    "snowflake, token": f"snowflake://u@account/d?authenticator=oauth&token={SECRET}",
}
MEANT = {
    "escaped": "hush @hush", "half escaped": "hush+hüsh", "a hash sign": "hush#hush", "a question mark": "hush?hush",
    "libpq, quoted": "hush 'hush", "broken escape": "hush%zz", "snowflake, escaped": "hush/hush",
}  # fmt: skip


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_password_is_in_no_log_however_it_is_written(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    meant = MEANT.get(name, SECRET)
    settings = settings_for(ADDRESSES[name], LOG_LEVEL="DEBUG")
    settings.apply_to_log()
    try:
        raise ValueError(f"failed with {meant}")
    except ValueError:
        logger.error("%s and %s of %s", meant, quote(meant, safe=""), ADDRESSES[name], exc_info=True)
    said = capsys.readouterr().out
    logging.getLogger("delta_arc").setLevel("INFO")
    assert "failed with ***" in said
    for form in (meant, quote(meant, safe=""), quote(meant)):
        assert form not in said
        assert form not in mask(f"{meant} {quote(meant, safe='')} {ADDRESSES[name]}")
    assert meant not in repr(settings)


def test_the_key_to_atlans_storage_is_in_no_log_and_no_repr(capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_for("postgresql://u:p@h/d", ATLAN_AUTH_CLIENT_SECRET=SECRET)
    settings.apply_to_log()
    logger.info("the key is %s", SECRET)
    assert capsys.readouterr().out == "the key is ***\n"
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("name", [
    "ATLAN_API_TOKEN", "ATLAN_AUTH_CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "TEMPORAL_API_KEY", "PGPASSWORD",
    "SNOWFLAKE_PASSWORD", "AZURE_STORAGE_ACCOUNT_ACCESS_KEY", "AZURE_CLIENT_SECRET",
])  # fmt: skip
def test_what_is_secret_in_the_environment_is_masked(name: str) -> None:
    settings_for("postgresql://u@h/d", **{name: f" {SECRET}\n"}).apply_to_log()
    assert mask(f"it is {SECRET}") == "it is ***"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "AWS_ENDPOINT_URL_S3"])
def test_the_password_of_an_address_in_the_environment_is_masked(name: str) -> None:
    settings_for("postgresql://u@h/d", **{name: f"http://someone:{quote(SECRET)}@proxy:8080"}).apply_to_log()
    assert SECRET not in mask(f"the password is {SECRET}")


def test_a_secret_that_is_part_of_another_hides_none_of_its_letters() -> None:
    settings_for("postgresql://u:hush@h/d", ATLAN_AUTH_CLIENT_SECRET="hush-hush-more").apply_to_log()
    assert mask("hush-hush-more") == "***"
    settings_for("postgresql://u:abc@h/d").apply_to_log()
    assert mask("abc, an alphabet") == "abc, an alphabet"


def test_an_address_without_a_password_has_no_secret() -> None:
    for address in ("postgresql://u@h/d", "host=h dbname=d", "snowflake://u@account/d", ""):
        assert secrets_of_address(address) == set()


@pytest.mark.parametrize("address", [
    "postgresql://u:hush@hash@h/d", "postgresql://u:hu/sh@h/d", "postgresql://u@corp.com:hush@h/d", "snowflake://u:hu/sh@account/d",
    "snowflake://u:hush@x/hash@account/d",
])  # fmt: skip
def test_a_password_that_would_be_cut_in_two_is_refused_and_no_part_of_it_told(address: str) -> None:
    with pytest.raises(SourceError, match="write @ in a user or password as %40, and / as %2F") as caught:
        open_source(address, False, 60)
    assert "hu" not in str(caught.value)


def test_an_at_sign_in_a_parameter_is_no_part_of_the_user() -> None:
    assert open_source("postgresql://h:1/d?user=me@corp.com", False, 60).address == "PostgreSQL h:1/d"
