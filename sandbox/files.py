"""Addresses under which one file of Atlan's storage can be written or read for a while, without a key of one's own.

They are asked for and used as pyatlan's `FileClient` does. rclone checks their signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

from sandbox.errors import bad_request, not_supported
from sandbox.messages import JsonObject

REGION = "us-east-1"
# A duration as Go's time.ParseDuration reads it, in whole numbers of these; S3's longest are seven days.
DURATION, UNITS = re.compile(r"([0-9]{1,6}[hms])+"), {"h": 3600, "m": 60, "s": 1}
MAX_SECONDS, MAX_KEY = 7 * 86_400, 1024
# pyatlan tells by a word in the address what kind of store it is (`CloudStorageIdentifier`).
KIND = {"store": "s3.amazonaws.com"}


@dataclass(frozen=True)
class SignedStorage:
    """A bucket, with the key that opens it (id and secret)."""

    endpoint_url: str
    bucket: str
    key: tuple[str, str]

    def presign(self, sent: JsonObject) -> dict[str, str]:
        """The `url` for a `method` (GET or PUT) on a `key`, good for an `expiry` like `10s` (`PresignedURLRequest`).

        Raises `AtlasError`: 400, and 501 for a key that S3 would take and rclone does not.
        """
        method, name, expiry = sent.get("method"), sent.get("key"), sent.get("expiry")
        if method not in ("GET", "PUT"):
            raise bad_request("method must be GET or PUT")
        if not isinstance(name, str) or not 0 < len(name.encode("utf-8", "replace")) <= MAX_KEY:
            raise bad_request(f"key must be a text of 1 to {MAX_KEY} bytes")
        if any(part in ("", ".", "..") for part in name.split("/")) or not name.isprintable():
            raise not_supported("a key that is no path of names")  # which rclone keeps as folders and a file
        if not isinstance(expiry, str) or not DURATION.fullmatch(expiry):
            raise bad_request("expiry must be a duration like 10s or 1h30m")
        seconds = sum(int(part[:-1]) * UNITS[part[-1]] for part in re.findall("[0-9]+[hms]", expiry))
        if not 0 < seconds <= MAX_SECONDS:
            raise bad_request("expiry must be more than 0s and at most seven days")
        host, path = urlsplit(self.endpoint_url).netloc, quote(f"/{self.bucket}/{name}")
        query = signed_query(method, host, path, KIND, self.key, seconds, datetime.now(timezone.utc))
        return {"url": f"{self.endpoint_url}{path}?{query}"}


def signed_query(
    method: str, host: str, path: str, query: dict[str, str], key: tuple[str, str], seconds: int, now: datetime
) -> str:
    """The query of a request that carries its own signature ("Authenticating Requests: Using Query Parameters" in S3's
    API reference); the path is encoded already.
    """
    day, moment = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{REGION}/s3/aws4_request"
    parameters = {
        **query,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key[0]}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    canonical = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(parameters.items()))
    request = "\n".join([method, path, canonical, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    secret = f"AWS4{key[1]}".encode()
    for part in (day, REGION, "s3", "aws4_request", text):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return f"{canonical}&X-Amz-Signature={secret.hex()}"
