"""A sandbox tenant in a process of its own, until its standard input ends: tenant.py FOLDER INVENTORY [INVENTORY …].

Prints its addresses, its token, its S3 key and the folder of its buckets as one line of JSON when it is ready.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import sandbox

if __name__ == "__main__":
    folder, *inventories = map(Path, sys.argv[1:])
    with sandbox.start(folder, inventories=tuple(inventories)) as tenant:
        told = {
            "base_url": tenant.base_url,
            "api_token": tenant.api_token,
            "s3": tenant.s3_endpoint_url,
            "s3_key_id": tenant.s3_key[0],
            "s3_key_secret": tenant.s3_key[1],
            "buckets": str(tenant.buckets),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()
