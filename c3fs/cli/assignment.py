"""What an agent hands to the runner of one job: where the control plane is, and what lets it act for that job.

It goes through a memfd: arguments and environments can be read by others.
"""

from __future__ import annotations

import os
from typing import Self

import msgspec

from c3fs.agent.taking import Taken
from c3fs.api.endpoint import Remote


class Assignment(msgspec.Struct, frozen=True):
    endpoint: str
    insecure: bool
    token: str
    attempt: str

    def __repr__(self) -> str:
        return f"<Assignment of {self.endpoint}>"

    @classmethod
    def of(cls, remote: Remote, taken: Taken) -> Self:
        return cls(remote.endpoint, remote.insecure, taken.token, taken.attempt)

    @classmethod
    def from_file(cls, descriptor: int) -> Self:
        """Takes the descriptor over."""
        with os.fdopen(descriptor, "rb") as file:
            return msgspec.msgpack.decode(file.read(), type=cls)

    def to_file(self) -> int:
        """A descriptor, to be inherited."""
        descriptor = os.memfd_create("c3fs assignment")
        os.write(descriptor, msgspec.msgpack.encode(self))
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @property
    def remote(self) -> Remote:
        return Remote(self.endpoint, self.token, self.insecure)
