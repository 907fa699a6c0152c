"""Accounts, users, roles and keys: who a secret stands for, and for how long."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio

from c3fs.core.access import EVERY, Agent, JobToken, Role, User
from c3fs.core.job import FINAL, JobState
from c3fs.errors import ConflictError, InvalidRequestError, NotFoundError
from c3fs.registry.control import ControlDatabase
from c3fs.registry.keys import JOB_TOKEN, KEY, make_secret
from tests.support.control import ACCOUNT, OTHER, SetClock, add_accounts, add_key, enqueue, open_control
from tests.support.records import EPOCH, job_id

ATTEMPT = "0123456789abcdef"


async def test_accounts(control: ControlDatabase) -> None:
    assert await control.access.accounts() == ["local"]
    await control.access.add_account("acme", 1 << 40)
    assert await control.access.accounts() == ["acme", "local"]
    assert (await control.registry("acme").balance()).quota == 1 << 40
    with pytest.raises(ConflictError, match="acme: there is an account of that name already"):
        await control.access.add_account("acme")
    for name in ("", "..", "a/b", ".a", "a b", "ä", "a\n", "x" * 65):
        with pytest.raises(InvalidRequestError):
            await control.access.add_account(name)


async def test_users_and_their_roles(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await control.access.add_user(ACCOUNT, "zoe")
    clock.advance(1)
    await control.access.add_user(ACCOUNT, "ann")
    await control.access.add_user(OTHER, "ann")
    await control.access.grant(ACCOUNT, "ann", "demo", Role.READ)
    await control.access.grant(ACCOUNT, "ann", "demo", Role.WRITE)
    await control.access.grant(ACCOUNT, "ann", "web", Role.ADMIN)
    await control.access.grant(ACCOUNT, "ann", "gone", Role.READ)
    await control.access.grant(ACCOUNT, "ann", "gone", None)
    ann, zoe = await control.access.users(ACCOUNT)
    assert (ann.name, ann.created, ann.roles) == ("ann", clock(), {"demo": Role.WRITE, "web": Role.ADMIN})
    assert (zoe.name, zoe.created, zoe.roles) == ("zoe", EPOCH, {})
    assert [user.roles for user in await control.access.users(OTHER)] == [{}]


async def test_what_is_not_there_or_there_twice(control: ControlDatabase) -> None:
    await add_accounts(control)
    await control.access.add_user(ACCOUNT, "ann")
    with pytest.raises(ConflictError, match="ann: there is a user of that name already"):
        await control.access.add_user(ACCOUNT, "ann")
    with pytest.raises(InvalidRequestError):
        await control.access.add_user(ACCOUNT, "a/b")
    with pytest.raises(NotFoundError, match="nobody: no such account"):
        await control.access.add_user("nobody", "ann")
    access = control.access
    for call in (
        lambda: access.grant(OTHER, "ann", EVERY, Role.READ),
        lambda: access.remove_user(OTHER, "ann"),
        lambda: access.add_key(OTHER, "ann"),
    ):
        with pytest.raises(NotFoundError, match="ann: no such user"):
            await call()
    with pytest.raises(NotFoundError, match="abc: no such key"):
        await access.revoke(ACCOUNT, "abc")
    with pytest.raises(InvalidRequestError, match="not a kind of key"):
        await access.add_key(ACCOUNT, "ann", "job")


async def test_a_key_stands_for_its_user_as_he_is_now(control: ControlDatabase) -> None:
    await add_accounts(control)
    key = await add_key(control, "ann", {})
    assert await control.access.authenticate(key) == User(ACCOUNT, "ann", {})
    await control.access.grant(ACCOUNT, "ann", "demo", Role.READ)
    await control.access.grant(ACCOUNT, "ann", EVERY, Role.ADMIN)
    principal = await control.access.authenticate(key)
    assert principal == User(ACCOUNT, "ann", {"demo": Role.READ, EVERY: Role.ADMIN})
    assert isinstance(principal, User)
    assert principal.is_admin
    await control.access.grant(ACCOUNT, "ann", EVERY, None)
    assert await control.access.authenticate(key) == User(ACCOUNT, "ann", {"demo": Role.READ})


async def test_an_agents_key(control: ControlDatabase) -> None:
    await add_accounts(control)
    await add_key(control, "ann", {EVERY: Role.ADMIN})
    facts, key = await control.access.add_key(ACCOUNT, "ann", "agent", "rack 7")
    assert await control.access.authenticate(key) == Agent(ACCOUNT, facts.id)
    assert (facts.kind, facts.label, facts.user, facts.account) == ("agent", "rack 7", "ann", ACCOUNT)


async def test_a_revoked_key_is_good_for_nothing(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    kept = await add_key(control, "ann", {})
    facts, key = await control.access.add_key(ACCOUNT, "ann")
    with pytest.raises(NotFoundError):
        await control.access.revoke(OTHER, facts.id)
    assert await control.access.authenticate(key) is not None
    clock.advance(1)
    await control.access.revoke(ACCOUNT, facts.id)
    assert await control.access.authenticate(key) is None
    assert await control.access.authenticate(kept) is not None
    revoked = clock()
    clock.advance(1)
    await control.access.revoke(ACCOUNT, facts.id)
    assert [known.revoked for known in await control.access.keys(ACCOUNT) if known.id == facts.id] == [revoked]


async def test_a_key_is_good_until_it_expires(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await control.access.add_user(ACCOUNT, "ann")
    facts, key = await control.access.add_key(ACCOUNT, "ann", seconds=60.5)
    clock.advance(60.4)
    assert await control.access.authenticate(key) == User(ACCOUNT, "ann", {}, facts.expires)
    clock.advance(0.1)
    assert facts.expires == clock()
    assert await control.access.authenticate(key) is None


async def test_the_keys_and_roles_of_a_removed_user_go_with_him(control: ControlDatabase) -> None:
    await add_accounts(control)
    key = await add_key(control, "ann", {EVERY: Role.ADMIN})
    kept = await add_key(control, "bob", {})
    await control.access.remove_user(ACCOUNT, "ann")
    assert await control.access.authenticate(key) is None
    assert [facts.user for facts in await control.access.keys(ACCOUNT)] == ["bob"]
    await control.access.add_user(ACCOUNT, "ann")
    assert [user.roles for user in await control.access.users(ACCOUNT)] == [{}, {}]
    assert await control.access.authenticate(kept) is not None


async def test_keys_are_listed_the_oldest_first(control: ControlDatabase, clock: SetClock) -> None:
    await add_accounts(control)
    await add_key(control, "ann", {})
    clock.advance(1)
    await add_key(control, "bob", {})
    clock.advance(1)
    third, _ = await control.access.add_key(ACCOUNT, "ann", label="lap top")
    await add_key(control, "ann", {}, OTHER)
    assert [facts.user for facts in await control.access.keys(ACCOUNT)] == ["ann", "bob", "ann"]
    assert (await control.access.keys(ACCOUNT, "ann"))[1] == third
    assert await control.access.keys(ACCOUNT, "nobody") == []


async def test_nothing_else_stands_for_anybody(control: ControlDatabase) -> None:
    await add_accounts(control)
    key = await add_key(control, "ann", {})
    changed = key[:-1] + ("a" if key[-1] != "a" else "b")
    for secret in ("", "c3_key_", key + " ", changed, make_secret(KEY), make_secret(JOB_TOKEN), "c3_key_ä"):
        assert await control.access.authenticate(secret) is None


@pytest.mark.parametrize("end", sorted(FINAL))
async def test_a_jobs_token_ends_with_the_job(control: ControlDatabase, clock: SetClock, end: JobState) -> None:
    await add_accounts(control)
    await enqueue(control, [1])
    first = await control.queue.take(ACCOUNT, "a", ATTEMPT)
    again = await control.queue.take(ACCOUNT, "a", ATTEMPT)
    assert first is not None
    assert again is not None
    tokens = {first.token, again.token}
    assert len(tokens) == 2
    for state in (None, JobState.RUNNING):
        if state is not None:
            await control.registry(ACCOUNT).move_job(job_id(1), state)
        for token in tokens:
            assert await control.access.authenticate(token) == JobToken(ACCOUNT, job_id(1))
    await control.registry(ACCOUNT).move_job(job_id(1), end)
    for token in tokens:
        assert await control.access.authenticate(token) is None
    await control.queue.expire()
    await control.queue.expire()
    for token in tokens:
        assert await control.access.authenticate(token) is None


async def keep_secrets(control: ControlDatabase) -> list[str]:
    await add_accounts(control)
    await enqueue(control, [1])
    taken = await control.queue.take(ACCOUNT, "a", ATTEMPT)
    assert taken is not None
    return [taken.token, await add_key(control, "ann", {}), (await control.access.add_key(ACCOUNT, "ann", "agent"))[1]]


def test_no_secret_is_in_the_database(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/registry.db"
    with open_control(address) as control:
        secrets = trio.run(keep_secrets, control)
    dump = "\n".join(sqlite3.connect(tmp_path / "registry.db").iterdump())
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in secrets:
        random = secret[7:-6]
        assert random not in dump
        assert random.encode() not in files
