"""What botocore makes of a request, to compare with."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from c3fs.store.s3settings import S3Settings


def botocore_url(method: str, url: str, seconds: int, headers: Mapping[str, str], settings: S3Settings) -> str:
    """`url` signed at this moment."""
    # Without stubs, and of its parts we need three.
    auth: Any = importlib.import_module("botocore.auth")
    request = importlib.import_module("botocore.awsrequest").AWSRequest(method, url, headers=dict(headers))
    credentials = importlib.import_module("botocore.credentials").Credentials(
        settings.access_key_id, settings.secret_access_key, settings.session_token
    )
    auth.S3SigV4QueryAuth(credentials, "s3", settings.region, seconds).add_auth(request)
    return str(request.url)


def moment_of(url: str) -> datetime:
    """When it was signed."""
    found = re.search(r"X-Amz-Date=(\d{8}T\d{6}Z)", url)
    assert found
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
