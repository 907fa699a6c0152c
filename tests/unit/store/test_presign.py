"""Presigned URLs are those that botocore makes, and say nothing of the secret."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl, urlsplit

import pytest

from c3fs.core.digest import Digest
from c3fs.store.presign import CHECKSUM, SECONDS_MAX, Presigner
from c3fs.store.s3keys import BlobKey
from c3fs.store.s3settings import S3Settings
from tests.support.botosigner import botocore_url, moment_of

PLAIN = S3Settings("http://127.0.0.1:8333", "bucket", "c3fs/acme", "us-east-1", "AKID", "Sesam+oeffne/dich=")
PLACES = [
    PLAIN,
    replace(PLAIN, prefix=""),
    replace(PLAIN, endpoint="https://s3.eu-central-1.amazonaws.com", region="eu-central-1", virtual_hosted=True),
    replace(PLAIN, endpoint="https://[::1]:9000", session_token="FwoG+ZXIv/YXdz=="),
    replace(PLAIN, access_key_id="key/with+odd=characters~"),
]
KEYS = [str(BlobKey(Digest.of(b"a"), bytes(range(32)))), "probe/a b+c~d=e", "ä/%20"]
DAY = datetime(2026, 3, 1, 12, 30, 5, 999_999, tzinfo=UTC)


@pytest.mark.parametrize("settings", PLACES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_as_botocore(settings: S3Settings, key: str, method: str) -> None:
    signer = Presigner(settings, lambda: moment)
    moment = DAY
    headers = {CHECKSUM: base64.b64encode(bytes(range(32))).decode(), "content-length": "77"} if method == "PUT" else {}
    bare = signer.url(method, key, 600).partition("?")[0]
    theirs = botocore_url(method, bare, 600, headers, settings)
    moment = moment_of(theirs)
    ours, told = (
        (signer.get_url(key, 600), {}) if method == "GET" else signer.put_request(key, 77, bytes(range(32)), 600)
    )
    assert told == headers
    assert ours.partition("?")[0] == theirs.partition("?")[0]
    # Signed is the query in order, and sent in any.
    assert sorted(ours.partition("?")[2].split("&")) == sorted(theirs.partition("?")[2].split("&"))


def test_what_is_signed() -> None:
    url, headers = Presigner(PLAIN, lambda: DAY).put_request("ab/x", 5, bytes(32), 60)
    asked = dict(parse_qsl(urlsplit(url).query))
    assert headers == {"content-length": "5", CHECKSUM: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    assert asked["X-Amz-SignedHeaders"] == "content-length;host;x-amz-checksum-sha256"
    assert asked["X-Amz-Date"] == "20260301T123005Z"
    assert asked["X-Amz-Expires"] == "60"
    assert urlsplit(url).path == "/bucket/c3fs/acme/ab/x"


def test_the_clock_is_the_one_handed_in_in_whatever_zone() -> None:
    moment = DAY.astimezone(timezone(timedelta(hours=14)))
    assert Presigner(PLAIN, lambda: moment).get_url("k", 60) == Presigner(PLAIN, lambda: DAY).get_url("k", 60)


def test_a_new_day_has_a_new_key() -> None:
    signer = Presigner(PLAIN, lambda: moment)
    moment = DAY
    urls = [signer.get_url("k", 60)]
    moment = DAY + timedelta(days=1)
    urls.append(signer.get_url("k", 60))
    assert urls[1] == Presigner(PLAIN, lambda: moment).get_url("k", 60) != urls[0]


@pytest.mark.parametrize("seconds", [0, SECONDS_MAX + 1])
def test_seconds_that_no_server_takes(seconds: int) -> None:
    with pytest.raises(AssertionError):
        Presigner(PLAIN, lambda: DAY).get_url("k", seconds)


def test_the_secret_is_nowhere() -> None:
    signer = Presigner(replace(PLAIN, session_token="token"), lambda: DAY)
    assert "Sesam" not in f"{signer!r} {vars(signer)!r} {signer.get_url('k', 60)}"


def test_a_batch_takes_no_time() -> None:
    signer = Presigner(PLAIN, lambda: DAY)
    began = time.process_time()
    for number in range(1000):
        signer.put_request(f"ab/{number:064x}", 1000, bytes(32), 600)
    assert time.process_time() - began < 0.5
