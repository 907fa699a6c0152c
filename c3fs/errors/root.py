"""The root of all errors."""

from __future__ import annotations

from typing import ClassVar


class C3Error(Exception):
    """The root of them all; anything else that reaches a user is a defect of c3fs."""

    retryable: ClassVar[bool] = False
