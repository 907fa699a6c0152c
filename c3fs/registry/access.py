"""Who there is and what they may: accounts, users, roles and keys, behind async calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from c3fs.core.access import Principal, Role
from c3fs.core.digest import Digest
from c3fs.core.ref import Ref
from c3fs.registry import calls, principals, readable as reading, users
from c3fs.registry.database import Database
from c3fs.registry.schema import DEFAULT_QUOTA
from c3fs.registry.users import KeyFacts, UserFacts
from c3fs.registry.views import view_of


class Access:
    """Each call is one transaction; any may raise StoreUnavailableError. Made by c3fs.registry.control."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def authenticate(self, secret: str) -> Principal | None:
        """Whom a key or a job's token stands for; None when it is wrong, expired or revoked, or the job has ended."""
        now = self._now()
        return await calls.read(self._database, lambda connection: principals.authenticate(connection, secret, now))

    async def add_account(self, name: str, quota: int = DEFAULT_QUOTA) -> None:
        """`quota` in bytes. Raises ConflictError, InvalidRequestError (the name)."""
        await calls.write(self._database, lambda connection: users.add_account(connection, name, quota))

    async def accounts(self) -> list[str]:
        return await calls.read(self._database, users.list_accounts)

    async def add_user(self, account: str, name: str) -> None:
        """Raises NotFoundError (no such account), ConflictError, InvalidRequestError (the name)."""
        now = self._now()
        await calls.write(self._database, lambda connection: users.add_user(connection, account, name, now))

    async def users(self, account: str) -> list[UserFacts]:
        """By name."""
        return await calls.read(self._database, lambda connection: users.list_users(connection, account))

    async def remove_user(self, account: str, name: str) -> None:
        """With all roles and keys, which are good for nothing from then on. Raises NotFoundError."""
        await calls.write(self._database, lambda connection: users.remove_user(connection, account, name))

    async def grant(self, account: str, user: str, project: str, role: Role | None) -> None:
        """Give `user` a role in a project (core.access.EVERY: in all) instead of the one held there; None takes it
        away. Raises NotFoundError (no such user)."""
        await calls.write_again(
            self._database, lambda connection: users.grant(connection, account, user, project, role)
        )

    async def add_key(
        self, account: str, user: str, kind: str = "user", label: str = "", seconds: float | None = None
    ) -> tuple[KeyFacts, str]:
        """A new key, good for `seconds` (None: until it is revoked), and the secret: the only time that it is told.
        Raises NotFoundError (no such user), InvalidRequestError (`kind` is neither "user" nor "agent")."""
        now = self._now()
        return await calls.write(
            self._database, lambda connection: users.add_key(connection, account, user, kind, label, seconds, now)
        )

    async def keys(self, account: str, user: str | None = None) -> list[KeyFacts]:
        """Of a user, or of all; the oldest first."""
        return await calls.read(self._database, lambda connection: users.list_keys(connection, account, user))

    async def revoke(self, account: str, key_id: str) -> None:
        """The key is good for nothing from now on; one that is revoked already stays so. Raises NotFoundError."""
        now = self._now()
        await calls.write_again(self._database, lambda connection: users.revoke(connection, account, key_id, now))

    async def project_of(self, account: str, ref: Ref) -> str | None:
        """The project that `ref` belongs to, whether there is anything or not; None when it is the account's own.
        Raises RefNotFoundError when it names a job by its id and there is no record of it."""
        return await calls.read(self._database, lambda connection: reading.project_of(connection, account, ref))

    async def readable(self, principal: Principal, digests: Collection[Digest]) -> set[Digest]:
        """Those of `digests` that the principal may read: a manifest names them which it sees."""
        view = view_of(principal)
        return await calls.read(self._database, lambda connection: reading.readable(connection, view, digests))
