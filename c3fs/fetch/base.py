"""What the layers above need of the read path: bytes of spans."""

from __future__ import annotations

from typing import Protocol

from c3fs.core.digest import Buffer
from c3fs.core.span import Span


class SpanReader(Protocol):
    """Reads what spans name; verified, from wherever it is nearest."""

    async def read_span(self, span: Span) -> Buffer:
        """All bytes of `span`, which is no hole. The buffer is only valid until the caller's next suspension.

        Raises BlobError (missing, corrupt), StoreUnavailableError, StoreRefusedError, DeadlineError.
        """
        ...
