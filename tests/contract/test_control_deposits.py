"""Deposits: what is believed of blobs that were put past the control plane, and what sweeps do to them."""

from __future__ import annotations

import pytest

from c3fs.core.ref import parse_ref
from c3fs.errors import SweptError
from c3fs.registry.control import Claim, ControlDatabase
from c3fs.registry.deposits import Deposits
from tests.support.control import ACCOUNT, OTHER, SetClock, add_accounts, digests, make_claim, make_claims, publish
from tests.support.records import make_blobs, make_manifest


async def start(control: ControlDatabase) -> Deposits:
    await add_accounts(control)
    return control.deposits(ACCOUNT)


async def confirm(deposits: Deposits, claims: list[Claim]) -> None:
    """As who has just seen them in the store."""
    assert await deposits.confirm(claims, mark=await deposits.mark()) == {digest for digest, _, _ in claims}


async def test_what_is_confirmed_is_present(control: ControlDatabase) -> None:
    deposits = await start(control)
    many = make_claims(range(1300))
    assert await deposits.present(many) == set()
    assert await deposits.unconfirmed(dict(make_blobs(range(1300)))) == digests(range(1300))
    await confirm(deposits, many[100:])
    await confirm(deposits, many[100:])
    assert await deposits.present(many) == digests(range(100, 1300))
    assert await deposits.unconfirmed(dict(make_blobs(range(1300)))) == digests(range(100))
    assert await deposits.disputed(many) == {}
    assert await deposits.sha256_of(digests([99, 100])) == {make_claim(100)[0]: make_claim(100)[2]}
    assert await deposits.confirm([], mark=0) == set()
    assert await deposits.present([]) == set()


async def test_accounts_know_nothing_of_one_another(control: ControlDatabase) -> None:
    deposits = await start(control)
    other = control.deposits(OTHER)
    await confirm(deposits, make_claims([1], "a lie"))
    assert await other.present(make_claims([1])) == set()
    assert await other.disputed(make_claims([1])) == {}
    assert await other.sha256_of(digests([1])) == {}
    await confirm(other, make_claims([1]))
    await other.forget(await other.sha256_of(digests([1])))
    assert await deposits.present(make_claims([1], "a lie")) == digests([1])


async def test_what_was_put_is_present_for_who_has_the_same_bytes(control: ControlDatabase) -> None:
    """A liar's bytes under an honest digest, and an honest claim after it."""
    deposits = await start(control)
    lie, honest = make_claim(1, "other bytes"), make_claim(1)
    await confirm(deposits, [lie])
    assert await deposits.present([honest]) == set()
    assert await deposits.disputed([honest, make_claim(2)]) == {honest[0]: lie[2]}
    mark = await deposits.mark()
    assert await deposits.confirm([honest, make_claim(2)], mark=mark) == digests([2])
    assert await deposits.sha256_of(digests([1])) == {lie[0]: lie[2]}
    # The control plane has looked at the liar's bytes.
    await deposits.forget({lie[0]: lie[2]})
    await confirm(deposits, [honest])
    # A second settlement of the same dispute comes late.
    await deposits.forget({lie[0]: lie[2]})
    assert await deposits.present([honest]) == digests([1])


async def test_another_size_is_disputed_too(control: ControlDatabase) -> None:
    deposits = await start(control)
    digest, size, sha256 = make_claim(1)
    await confirm(deposits, [(digest, size, sha256)])
    other = (digest, size + 1, sha256)
    assert await deposits.present([other]) == set()
    assert await deposits.disputed([other]) == {digest: sha256}
    assert await deposits.confirm([other], mark=0) == set()


# --- sweeps ----------------------------------------------------------------------------------------------


async def test_what_is_condemned_is_forgotten(control: ControlDatabase) -> None:
    deposits = await start(control)
    await confirm(deposits, make_claims([1, 2, 3]))
    await confirm(control.deposits(OTHER), make_claims([1, 2, 3]))
    await publish(control, "/datasets/a", [1])
    sweep = await control.registry(ACCOUNT).condemn(digests([1, 2]), 60)
    assert sweep.condemned == digests([2])
    assert await deposits.present(make_claims([1, 2, 3])) == digests([1, 3])
    assert await control.deposits(OTHER).present(make_claims([1, 2, 3])) == digests([1, 2, 3])


async def test_what_was_seen_before_a_sweep_is_not_confirmed(control: ControlDatabase) -> None:
    """Its object may be deleted between the look and the row: before, during and after the sweep's end."""
    deposits = await start(control)
    before = await deposits.mark()
    sweep = await control.registry(ACCOUNT).condemn(digests([1, 2]), 60)
    during = await deposits.mark()
    for mark in (before, during):
        with pytest.raises(SweptError):
            await deposits.confirm(make_claims([2, 3]), mark=mark)
    await control.registry(ACCOUNT).settle(sweep)
    for mark in (before, during):
        with pytest.raises(SweptError):
            await deposits.confirm(make_claims([2, 3]), mark=mark)
    assert await deposits.present(make_claims([2, 3])) == set()
    await confirm(deposits, make_claims([2, 3]))
    # What no sweep has condemned never had to wait.
    assert await deposits.confirm(make_claims([4]), mark=before) == digests([4])


async def test_a_sweep_that_nobody_settles_ends_by_time(control: ControlDatabase, clock: SetClock) -> None:
    deposits = await start(control)
    await control.registry(ACCOUNT).condemn(digests([1]), 60)
    clock.advance(59)
    with pytest.raises(SweptError):
        await confirm(deposits, make_claims([1]))
    clock.advance(1)
    await confirm(deposits, make_claims([1]))


async def test_sweeps_of_others_do_not_matter(control: ControlDatabase) -> None:
    deposits = await start(control)
    mark = await deposits.mark()
    await control.registry(OTHER).condemn(digests([1]), 60)
    assert await deposits.confirm(make_claims([1]), mark=mark) == digests([1])


async def test_what_was_confirmed_is_condemned_when_no_manifest_names_it(control: ControlDatabase) -> None:
    """The publisher has a mark from before, and is refused; its second try puts the blob again."""
    deposits = await start(control)
    registry = control.registry(ACCOUNT)
    mark = await registry.mark()
    await confirm(deposits, make_claims([1]))
    sweep = await registry.condemn(digests([1]), 60)
    with pytest.raises(SweptError):
        await registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=mark)
    await registry.settle(sweep)
    assert await deposits.unconfirmed(dict(make_blobs([1]))) == digests([1])
    mark = await registry.mark()
    await confirm(deposits, make_claims([1]))
    await registry.register(make_manifest("/datasets/a"), make_blobs([1]), mark=mark)
    assert (await registry.condemn(digests([1]), 60)).condemned == frozenset()
    await registry.remove([parse_ref("/datasets/a/@v1")])
    assert await deposits.present(make_claims([1])) == digests([1])
