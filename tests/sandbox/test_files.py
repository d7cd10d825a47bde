"""Addresses that open one file of the tenant's storage for a while."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from helpers import error_code, raw, unique
from pyatlan.client.atlan import AtlanClient
from pyatlan.model.file import PresignedURLRequest

import sandbox
from sandbox.files import signed_query


def test_the_signature_of_the_example_in_the_reference_of_s3() -> None:
    key = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    now = datetime(2013, 5, 24, tzinfo=timezone.utc)
    query = signed_query("GET", "examplebucket.s3.amazonaws.com", "/test.txt", {}, key, 86_400, now)
    assert query.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@pytest.mark.parametrize("name", ["a.png", "folder/of a/täble+=&%2F.csv"])
def test_a_file_is_written_and_read(tenant: sandbox.Tenant, atlan: AtlanClient, tmp_path: Path, name: str) -> None:
    def address(method: PresignedURLRequest.Method) -> str:
        return atlan.files.generate_presigned_url(PresignedURLRequest(key=key, expiry="1m", method=method))

    key, sent, got = f"{unique('files')}/{name}", tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"hello\x00")
    atlan.files.upload_file(presigned_url=address(PresignedURLRequest.Method.PUT), file_path=str(sent))
    assert (tenant.folder / "atlan-storage" / "objectstore" / key).read_bytes() == b"hello\x00"
    reading = address(PresignedURLRequest.Method.GET)
    atlan.files.download_file(presigned_url=reading, file_path=str(got))
    assert got.read_bytes() == b"hello\x00"

    with httpx.Client(trust_env=False) as anybody:
        assert anybody.get(reading).content == b"hello\x00"
        assert anybody.put(reading, content=b"other").status_code == 403
        assert anybody.get(reading.replace("files-", "other-")).status_code == 403
        assert anybody.get(reading.replace("X-Amz-Expires=60", "X-Amz-Expires=600")).status_code == 403
        assert anybody.get(reading.partition("?")[0]).status_code in (400, 403)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"method": "DELETE"}, 400), ({"method": None}, 400), ({"key": ""}, 400), ({"key": 5}, 400), ({"key": "a" * 1025}, 400),
        ({"expiry": "10"}, 400), ({"expiry": 10}, 400), ({"expiry": "0s"}, 400), ({"expiry": "169h"}, 400), ({"expiry": "-1s"}, 400),
        ({"key": "../tenant.db"}, 501), ({"key": "/a"}, 501), ({"key": "a//b"}, 501), ({"key": "a\nb"}, 501),
    ],
)  # fmt: skip
def test_what_cannot_be_signed(tenant: sandbox.Tenant, wrong: dict[str, Any], status: int) -> None:
    body = {"key": "a", "method": "GET", "expiry": "1h30m", **wrong}
    answer = raw(tenant).call("POST", "/api/service/files/presignedUrl", json=body)
    assert answer.status_code == status
    assert error_code(answer)


def test_the_longest_that_s3_takes(tenant: sandbox.Tenant) -> None:
    body = {"key": "a", "method": "GET", "expiry": "168h"}
    answer = raw(tenant).call("POST", "/api/service/files/presignedUrl", json=body)
    assert "X-Amz-Expires=604800&" in answer.json()["url"]
