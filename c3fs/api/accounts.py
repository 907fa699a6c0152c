"""What goes over the wire about users and keys: bodies of requests and answers, as `messages` has the others."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from c3fs.api.messages import Answer, Message, Name


class Me(Answer, frozen=True):
    """`kind` is user, agent or job; `roles` by project, "*" for all."""

    account: str
    kind: str
    name: str
    roles: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class UserRecord(Answer, frozen=True):
    name: str
    created: datetime
    roles: dict[str, str]


class NewUser(Message, frozen=True):
    name: Name


class NewRole(Message, frozen=True):
    """`role` is read, write or admin; null takes it away."""

    role: str | None


class KeyRecord(Answer, frozen=True):
    """A key as it is listed: never the key itself."""

    id: str
    user: str
    kind: str
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


class NewKey(Message, frozen=True):
    """A key for `user` (null: whoever asks), valid for `seconds` (null: until it is revoked)."""

    user: Name | None = None
    kind: str = "user"
    label: Annotated[str, msgspec.Meta(max_length=200)] = ""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=1e10)] | None = None


class MadeKey(Answer, frozen=True):
    """The only time that `key` is shown."""

    key: str
    record: KeyRecord
