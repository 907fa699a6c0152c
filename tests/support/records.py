"""Jobs, manifests and blob rows for the registry's tests, and a registry at an address."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from c3fs.core.digest import Digest
from c3fs.core.job import JobState
from c3fs.core.manifest import FORMAT, Inventory, Manifest, Root, root_span
from c3fs.core.span import Span
from c3fs.registry.base import Job, Registry
from c3fs.registry.sql import SqlRegistry

EPOCH = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def open_registry(address: str) -> AbstractContextManager[Registry]:
    """The registry at `address`, closed at the end. Other kinds of registry have other schemes."""
    if address.startswith("http"):
        from tests.support.planes import open_http_registry

        return open_http_registry(address)
    return SqlRegistry.open(address, lock_wait_s=30)


def job_id(number: int) -> str:
    return f"job_{number}_abc123"


def make_job(number: int, project: str = "demo", state: JobState = JobState.PENDING) -> Job:
    """A new job; the higher its number, the later it was made."""
    return Job(
        id=job_id(number),
        project=project,
        name=f"näme {number}",
        state=state,
        reason=None,
        exit_code=None,
        spec='{"script": "run.sh"}',
        directory="/home/\udcff/jobs",
        created=EPOCH + timedelta(milliseconds=number),
        started=None,
        finished=None,
    )


def make_blob(number: int) -> tuple[Digest, int]:
    """Always the same digest and size for the same number; about 1 to 4 MB."""
    return Digest.of(b"%d" % number), 1_000_000 + number * 7919 % 3_000_000


def make_blobs(numbers: Iterable[int]) -> list[tuple[Digest, int]]:
    return [make_blob(number) for number in numbers]


def make_manifest(ref: str, content: str = "", *, complete: bool = True) -> Manifest:
    """A manifest that differs from others of `ref` when `content` does."""
    digest = Digest.of(content.encode())
    root = Root(str(digest), 0o755, 1_700_000_000_123_456_789, root_span(Span(digest, 0, 812)), 3, 1, 4096)
    return Manifest(FORMAT, ref, "2026-01-02T03:04:05.678Z", complete, root, Inventory(0, 0, ()))
