"""Sweeps of gc in SQL: which blobs it may delete, and which registrations come too late for them.

Each function is part of a transaction that its caller makes. Sweeps are numbered. A publisher notes, before it asks the
store for the first time, a number up to which all sweeps are over (`mark`); what it finds in the store afterwards can
only have been deleted by a later sweep, and registering looks whether one has condemned any of its blobs.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, exists, func, insert, literal, select, update

from c3fs.core.digest import Digest
from c3fs.registry.base import Sweep
from c3fs.registry.jobs import BATCH
from c3fs.registry.ledger import lock_account
from c3fs.registry.schema import condemned, deposits, manifest_blobs, manifests, sweeps

REMEMBERED: Final = timedelta(days=30)
"""How long what was condemned is known; longer than any upload takes. Marks from before that are refused."""
NOTHING: Final = Sweep(0, frozenset())


def mark(connection: Connection, account: str, now: datetime) -> int:
    """See c3fs.registry.base. All sweeps of the account up to this number are settled or out of time."""
    mine = sweeps.c.account == account
    under_way = select(func.min(sweeps.c.id)).where(mine, sweeps.c.settled.is_(False), sweeps.c.expires > now)
    first = connection.execute(under_way).scalar_one()
    if first is not None:
        return first - 1
    return connection.execute(select(func.max(sweeps.c.id)).where(mine)).scalar_one() or 0


def condemn(connection: Connection, account: str, digests: Collection[Digest], seconds: float, now: datetime) -> Sweep:
    """See c3fs.registry.base. The account is locked, so no manifest of it is registered between looking and
    condemning; that a condemned blob was deposited is forgotten."""
    lock_account(connection, account)
    unnamed = sorted(set(digests) - named(connection, account, digests))
    if not unnamed:
        return NOTHING
    _forget(connection, account, now)
    values = {"account": account, "expires": now + timedelta(seconds=seconds), "settled": False}
    sweep = connection.execute(insert(sweeps).values(values).returning(sweeps.c.id)).scalar_one()
    connection.execute(insert(condemned), [{"digest": digest, "sweep": sweep} for digest in unnamed])
    for at in range(0, len(unnamed), BATCH):
        batch = [bytes(digest) for digest in unnamed[at : at + BATCH]]
        connection.execute(delete(deposits).where(deposits.c.account == account, deposits.c.digest.in_(batch)))
    return Sweep(sweep, frozenset(unnamed))


def settle(connection: Connection, sweep: Sweep) -> None:
    """See c3fs.registry.base."""
    connection.execute(update(sweeps).where(sweeps.c.id == sweep.id).values(settled=True))


def swept_since(connection: Connection, account: str, manifest_id: int, mark: int) -> bool:
    """Whether a sweep after `mark` may have deleted one of the manifest's blobs, as far as is known."""
    if _is_forgotten(connection, account, mark):
        return True
    named = condemned.join(manifest_blobs, manifest_blobs.c.digest == condemned.c.digest)
    hit = (
        select(literal(1))
        .select_from(named.join(sweeps, sweeps.c.id == condemned.c.sweep))
        .where(manifest_blobs.c.manifest == manifest_id, condemned.c.sweep > mark, sweeps.c.account == account)
    )
    return bool(connection.execute(select(exists(hit))).scalar_one())


def condemned_since(connection: Connection, account: str, digests: Collection[Digest], mark: int) -> bool:
    """The same of any of `digests`."""
    if _is_forgotten(connection, account, mark):
        return True
    hit = (
        select(literal(1))
        .select_from(condemned.join(sweeps, sweeps.c.id == condemned.c.sweep))
        .where(condemned.c.sweep > mark, sweeps.c.account == account)
    )
    asked = sorted(map(bytes, digests))
    batches = (asked[at : at + BATCH] for at in range(0, len(asked), BATCH))
    return any(
        connection.execute(select(exists(hit.where(condemned.c.digest.in_(batch))))).scalar_one() for batch in batches
    )


def _is_forgotten(connection: Connection, account: str, mark: int) -> bool:
    """Whether `mark` is from before the sweeps that are remembered."""
    first = connection.execute(select(func.min(sweeps.c.id)).where(sweeps.c.account == account)).scalar_one()
    return first is not None and mark < first - 1


def named(connection: Connection, account: str, digests: Collection[Digest]) -> set[Digest]:
    """See c3fs.registry.base."""
    asked = sorted(digests)
    found: set[Digest] = set()
    for at in range(0, len(asked), BATCH):
        batch = [bytes(digest) for digest in asked[at : at + BATCH]]
        query = (
            select(manifest_blobs.c.digest)
            .distinct()
            .select_from(manifest_blobs.join(manifests, manifests.c.id == manifest_blobs.c.manifest))
            .where(manifest_blobs.c.digest.in_(batch), manifests.c.account == account)
        )
        found.update(map(Digest, connection.execute(query).scalars()))
    return found


def _forget(connection: Connection, account: str, now: datetime) -> None:
    """Sweeps of long ago. The newest stays, for numbers to go on from."""
    mine = sweeps.c.account == account
    newest = connection.execute(select(func.max(sweeps.c.id)).where(mine)).scalar_one() or 0
    long_ago = (mine, sweeps.c.expires < now - REMEMBERED, sweeps.c.id < newest)
    connection.execute(delete(condemned).where(condemned.c.sweep.in_(select(sweeps.c.id).where(*long_ago))))
    connection.execute(delete(sweeps).where(*long_ago))
