"""Who a secret stands for, in SQL. Each function is part of a transaction that its caller makes.

A secret is looked for by its SHA-256, in an index: how long that takes tells nothing of any secret that there is. One
look-up is made whether there is such a key or not; only what has not the form of a secret is refused without.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, select

from c3fs.core.access import ROLES, Agent, JobToken, Principal, User
from c3fs.core.job import FINAL, JobState
from c3fs.registry.keys import JOB_TOKEN, is_secret, sha256_of
from c3fs.registry.schema import grants, job_tokens, jobs, keys


def authenticate(connection: Connection, secret: str, now: datetime) -> Principal | None:
    if not is_secret(secret):
        return None
    if secret.startswith(JOB_TOKEN):
        return _job(connection, sha256_of(secret))
    return _owner(connection, sha256_of(secret), now)


def _owner(connection: Connection, sha256: bytes, now: datetime) -> User | Agent | None:
    """Of a key. A user's roles come with it, a row each."""
    held = and_(grants.c.account == keys.c.account, grants.c.user == keys.c.user)
    query = (
        select(keys, grants.c.project, grants.c.role)
        .select_from(keys.outerjoin(grants, held))
        .where(keys.c.secret == sha256)
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    key = rows[0]
    if key.revoked is not None or (key.expires is not None and key.expires <= now):
        return None
    if key.kind == "agent":
        return Agent(key.account, key.id)
    roles = {row.project: ROLES[row.role] for row in rows if row.project is not None}
    return User(key.account, key.user, roles, key.expires)


def _job(connection: Connection, sha256: bytes) -> JobToken | None:
    query = (
        select(jobs.c.account, jobs.c.id, jobs.c.state)
        .select_from(job_tokens.join(jobs, jobs.c.id == job_tokens.c.job))
        .where(job_tokens.c.secret == sha256)
    )
    found = connection.execute(query).one_or_none()
    if found is None or JobState(found.state) in FINAL:
        return None
    return JobToken(found.account, found.id)
