"""Everything that goes over the wire, for both sides: the bodies of requests and answers, as JSON.

Digests are 64 hex digits, times RFC 3339 in UTC, sizes bytes, waits seconds. Where a moment matters the wire has a
duration: the clocks of the two sides are never compared. Refs travel without their sub-path.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec

from c3fs.core.job import JobState, Reason
from c3fs.core.manifest import Hex, Manifest
from c3fs.core.span import BLOB_MAX

VERSION: Final = "/v1"
"""The prefix of every path below."""

BATCH_MAX: Final = 1000
"""Blobs one request may ask about."""
BODY_MAX: Final = 64 << 20
"""Bytes of a request's body: registering names every blob of a tree in 80 bytes, and 64 MiB name 2 TB at least."""
LOG_PIECE_MAX: Final = 1 << 20
"""Bytes of a log that one request brings or fetches."""
WAIT_MAX: Final = 20.0
"""Seconds a request may be kept waiting for news."""

BlobSize = Annotated[int, msgspec.Meta(ge=1, le=BLOB_MAX)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
"""What databases keep."""
Attempt = Annotated[str, msgspec.Meta(min_length=16, max_length=64, pattern=r"^[0-9a-z]+\Z")]
CONSUMED_MAX: Final = 1000
"""Trees one job may consume: each is looked up while others wait."""
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
JobId = Annotated[str, msgspec.Meta(pattern=r"^job_[0-9]{1,15}_[0-9a-z]{6}\Z")]
RefText = Annotated[str, msgspec.Meta(max_length=1024)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request: what it does not know it refuses."""


class Answer(msgspec.Struct, frozen=True):
    """An answer: an older client passes over what a newer server adds."""


# --- errors ------------------------------------------------------------------------------------------------


class ErrorFacts(Answer, frozen=True):
    """`code` is one of api.faults; `facts` what the exception of that code knows besides its message."""

    code: str
    message: str
    facts: dict[str, str | int | float | None] = msgspec.field(default_factory=dict[str, str | int | float | None])


class ErrorAnswer(Answer, frozen=True):
    error: ErrorFacts


class Health(Answer, frozen=True):
    """The control plane answers, and its database does; `version` is that of c3fs."""

    version: str


# --- jobs --------------------------------------------------------------------------------------------------


class NewJob(Message, frozen=True):
    """A job to be queued; `inputs` and `source` are frozen refs."""

    id: JobId
    project: Name
    name: Annotated[str, msgspec.Meta(max_length=256)]
    spec: Annotated[str, msgspec.Meta(max_length=1 << 20)]
    inputs: Annotated[tuple[str, ...], msgspec.Meta(max_length=CONSUMED_MAX)] = ()
    source: str | None = None


class JobRecord(Answer, frozen=True):
    """registry.base.Job but for its directory, which is the agent's own; `agent` is who has taken it."""

    id: str
    project: str
    name: str
    state: JobState
    reason: Reason | None
    exit_code: int | None
    spec: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    inputs: tuple[str, ...]
    source: str | None
    cancel_requested: datetime | None
    agent: str | None


class Move(Message, frozen=True):
    state: JobState
    reason: Reason | None = None
    exit_code: Annotated[int, msgspec.Meta(ge=-(1 << 31), lt=1 << 31)] | None = None


class Take(Message, frozen=True):
    """`agent` is a name for people. `attempt` makes the request repeatable: the same one gets the same job. Waits up to
    `wait` seconds for a job."""

    agent: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z")]
    attempt: Attempt
    wait: Annotated[float, msgspec.Meta(ge=0, le=WAIT_MAX)] = 0


class Lease(Answer, frozen=True):
    """A job to be run: its token, and the seconds until it is lost unless it is renewed."""

    job: JobRecord
    token: str
    seconds: float


class Renew(Message, frozen=True):
    attempt: Attempt


class Renewed(Answer, frozen=True):
    job: JobRecord
    seconds: float


class LogEnd(Answer, frozen=True):
    """Where the log ends, and whether the server takes no more of it."""

    end: int
    full: bool = False


# --- published trees ---------------------------------------------------------------------------------------


class MarkAnswer(Answer, frozen=True):
    mark: int


class BlobRow(msgspec.Struct, frozen=True, array_like=True):
    digest: Hex
    size: BlobSize


class Register(Message, frozen=True):
    """registry.base.Registry.register; the inventory's rows and parts."""

    manifest: Manifest
    blobs: list[BlobRow]
    mark: Number
    onto: Number | None = None


class Registered(Answer, frozen=True):
    charged: int
    created: bool
    manifest: Manifest


class Resolved(Answer, frozen=True):
    """The frozen ref."""

    ref: str


class Refs(Message, frozen=True):
    refs: Annotated[list[RefText], msgspec.Meta(min_length=1, max_length=100_000)]


class Removed(Answer, frozen=True):
    bytes: int


class UsageAnswer(Answer, frozen=True):
    stored: int
    unique: int


class Line(Answer, frozen=True):
    at: datetime
    ref: str
    delta: int
    balance: int


class BalanceAnswer(Answer, frozen=True):
    stored: int
    quota: int
    lines: list[Line]


class Quota(Message, frozen=True):
    quota: Number


# --- blobs -------------------------------------------------------------------------------------------------


class Claim(Message, frozen=True):
    """A blob that the sender has, with both digests of its bytes."""

    digest: Hex
    size: BlobSize
    sha256: Hex


Claims = Annotated[list[Claim], msgspec.Meta(max_length=BATCH_MAX)]


class ClaimedBlobs(Message, frozen=True):
    blobs: Claims


class Slot(Answer, frozen=True):
    """Where a missing blob is to be put, in the next `seconds`, with exactly these headers. A `url` that begins with /
    is the control plane's own and wants the key; a blob that goes elsewhere must be confirmed after."""

    digest: Hex
    url: str
    headers: dict[str, str]
    seconds: float


class Missing(Answer, frozen=True):
    missing: list[Slot]


class Confirmed(Answer, frozen=True):
    """Those that are not there as they were claimed: to be put again."""

    missing: list[Hex]


class Digests(Message, frozen=True):
    digests: Annotated[list[Hex], msgspec.Meta(max_length=BATCH_MAX)]


class BlobUrl(Answer, frozen=True):
    """Where a blob is got from, in the next `seconds`. A `url` that begins with / is the control plane's own."""

    digest: Hex
    url: str
    seconds: float


class BlobUrls(Answer, frozen=True):
    """Digests that are not in `urls` are not there, or not for this key."""

    urls: list[BlobUrl]


class Complaint(Answer, frozen=True):
    """Whether the blob was corrupt, and is gone."""

    removed: bool
