"""The table from an S3 server's answers to our errors, and the keys."""

from __future__ import annotations

import pytest

from c3fs.core.digest import Digest
from c3fs.errors import BlobMissingError, C3Error, StoreRefusedError, StoreUnavailableError
from c3fs.store.s3errors import PASSING_CODES, PASSING_STATUS, REFUSED_CODES, REFUSED_STATUS, Answer, store_error
from c3fs.store.s3keys import BlobKey, parse_key, shelf_prefix
from c3fs.store.s3settings import S3Settings

SETTINGS = S3Settings("https://host", "bucket", "prefix", "us-east-1", "AKID", "Secret")
DIGEST = Digest.of(b"")
SHA256 = bytes(range(32))


def error(
    status: int | None, code: str | None = None, kind: str | None = None, digest: Digest | None = None
) -> C3Error:
    return store_error(Answer(status, code, kind), SETTINGS, digest)


@pytest.mark.parametrize("status", [None, *PASSING_STATUS, 500, 502, 503, 504])
def test_what_may_pass(status: int | None) -> None:
    assert type(error(status)) is StoreUnavailableError
    assert type(error(status, "Unheard", digest=DIGEST)) is StoreUnavailableError


@pytest.mark.parametrize("code", sorted(PASSING_CODES))
def test_codes_that_may_pass(code: str) -> None:
    assert type(error(400, code)) is StoreUnavailableError


@pytest.mark.parametrize("code", sorted(REFUSED_CODES))
@pytest.mark.parametrize("status", [200, 400, 403, 404])
def test_codes_that_nothing_but_somebody_mends(code: str, status: int) -> None:
    refused = error(status, code, digest=DIGEST)
    assert type(refused) is StoreRefusedError
    assert str(refused) == f"s3://bucket/prefix at https://host: it answered {status} {code}; {REFUSED_CODES[code]}"


@pytest.mark.parametrize("status", [*REFUSED_STATUS, 402, 410, 411, 413, 414, 416, 418, 451])
def test_statuses_likewise(status: int) -> None:
    assert type(error(status)) is StoreRefusedError
    assert not error(status).retryable


def test_a_missing_blob_is_no_missing_bucket() -> None:
    assert type(error(404, digest=DIGEST)) is BlobMissingError
    assert type(error(404, "NoSuchKey", digest=DIGEST)) is BlobMissingError
    assert type(error(404, "NoSuchBucket", digest=DIGEST)) is StoreRefusedError
    assert type(error(404, "NoSuchKey")) is StoreRefusedError


def test_what_was_never_sent_or_was_answered_is_settled() -> None:
    assert Answer(None, None, "Connect").settled
    assert Answer(403, None, None).settled
    assert Answer(200, "InternalError", None).settled
    assert not Answer(None, None, "Timeout").settled
    assert not Answer(None, None, None).settled
    assert not Answer(504, None, None).settled


@pytest.mark.parametrize("key", [BlobKey(DIGEST), BlobKey(DIGEST, SHA256)])
def test_keys(key: BlobKey) -> None:
    assert parse_key(str(key)) == key
    assert str(key).startswith(shelf_prefix(DIGEST[0]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        str(DIGEST),
        f"ab/{DIGEST}",
        f"{BlobKey(DIGEST)}.",
        f"{BlobKey(DIGEST)}.ab",
        f"{BlobKey(DIGEST)}\n",
        str(BlobKey(DIGEST)).upper(),
        f"/{BlobKey(DIGEST)}",
        f"{BlobKey(DIGEST, SHA256)}0",
    ],
)
def test_no_keys(text: str) -> None:
    assert parse_key(text) is None
