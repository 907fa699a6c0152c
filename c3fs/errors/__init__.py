"""Every exception c3fs raises on purpose.

An error carries facts as attributes and writes its own one-line message from them: what is wrong, and what
to do where that is known. It knows no errno (`fuse.errno` maps it) and no exit code (`cli.exits` does).
`retryable` says whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations

from c3fs.errors.blobs import (
    BlobCorruptError as BlobCorruptError,
    BlobError as BlobError,
    BlobMissingError as BlobMissingError,
    BlobTooShortError as BlobTooShortError,
    CacheError as CacheError,
    DeadlineError as DeadlineError,
    DeletionUnansweredError as DeletionUnansweredError,
    StoreRefusedError as StoreRefusedError,
    StoreUnavailableError as StoreUnavailableError,
    SweptError as SweptError,
    TransferConflictError as TransferConflictError,
    TransferError as TransferError,
    TransferRefusedError as TransferRefusedError,
    TransferUnavailableError as TransferUnavailableError,
    UrlExpiredError as UrlExpiredError,
)
from c3fs.errors.input import (
    InvalidDigestError as InvalidDigestError,
    InvalidError as InvalidError,
    InvalidFormatError as InvalidFormatError,
    InvalidIgnoreError as InvalidIgnoreError,
    InvalidJobSpecError as InvalidJobSpecError,
    InvalidNameError as InvalidNameError,
    InvalidRefError as InvalidRefError,
    SettingsError as SettingsError,
)
from c3fs.errors.names import (
    ConflictError as ConflictError,
    IllegalTransitionError as IllegalTransitionError,
    InUseError as InUseError,
    IsDirectoryError as IsDirectoryError,
    JobNotFinishedError as JobNotFinishedError,
    JobNotFoundError as JobNotFoundError,
    KindError as KindError,
    NotDirectoryError as NotDirectoryError,
    NotFileError as NotFileError,
    NotFoundError as NotFoundError,
    NotSymlinkError as NotSymlinkError,
    OutdatedError as OutdatedError,
    PathNotFoundError as PathNotFoundError,
    RefNotFoundError as RefNotFoundError,
)
from c3fs.errors.plane import (
    AccessError as AccessError,
    BlobsNotStoredError as BlobsNotStoredError,
    ForbiddenError as ForbiddenError,
    InvalidRequestError as InvalidRequestError,
    LeaseLostError as LeaseLostError,
    LogOffsetError as LogOffsetError,
    OutcomeUnknownError as OutcomeUnknownError,
    RateLimitedError as RateLimitedError,
    TooLargeError as TooLargeError,
    UnauthorizedError as UnauthorizedError,
)
from c3fs.errors.root import (
    C3Error as C3Error,
)
from c3fs.errors.running import (
    CollectError as CollectError,
    DownloadError as DownloadError,
    ExecutionError as ExecutionError,
    FileChangedError as FileChangedError,
    MountBusyError as MountBusyError,
    MountError as MountError,
    SandboxError as SandboxError,
)
