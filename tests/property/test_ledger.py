"""Whatever is published, copied and removed, and whoever dies meanwhile: the ledger has what visible trees need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.support.blobs import seeded
from tests.support.ledgerworld import DATASETS, Mortality, World
from tests.support.trees import Source

Plan = Mapping[bytes, "int | Plan"]
CONTENTS: Final = (b"", b"a", b"b", seeded(1, 700_000), seeded(1, 600_000) + seeded(2, 600_000))
"""Few, so that trees share blobs: the large ones are cut, and alike for a while."""
NAMES: Final = (b"a", b"b", b"c")
FILES: Final = st.dictionaries(st.sampled_from(NAMES), st.integers(0, len(CONTENTS) - 1), max_size=2)
PLANS: Final = st.dictionaries(st.sampled_from(NAMES), st.integers(0, len(CONTENTS) - 1) | FILES, max_size=3)
"""Trees, with the numbers of contents in the place of contents."""
MORTALITIES: Final = st.just((-1, False)) | st.tuples(st.integers(0, 12), st.booleans())
"""Half of the processes live; the others make so many calls, and one more that is done, or not."""
PICKS: Final = st.integers(0, 1_000)
PATHS: Final = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)


class LedgerMachine(RuleBasedStateMachine):
    """Every rule is an operation by somebody who may die in it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def teardown(self) -> None:
        try:
            assert self.world.gc(Mortality(-1, after=False)) is not None
            assert set(self.world.stored()) == self.world.check()
        finally:
            self.world.close()

    @rule(plan=PLANS, complete=st.booleans(), dies=MORTALITIES)
    def publish_job(self, plan: Plan, complete: bool, dies: tuple[int, bool]) -> None:
        before = len(self.world.visible())
        lived = self.world.publish_job(_source(plan), complete=complete, mortality=_mortality(dies))
        assert not lived or len(self.world.visible()) == before + 1

    @rule(ref=st.sampled_from(DATASETS), plan=PLANS, dies=MORTALITIES)
    def publish_version(self, ref: str, plan: Plan, dies: tuple[int, bool]) -> None:
        lived = self.world.publish_version(ref, _source(plan), _mortality(dies))
        assert not lived or any(visible.startswith(f"{ref}/@") for visible in self.world.visible())

    @precondition(lambda self: self.world.visible())
    @rule(pick=PICKS, dies=MORTALITIES)
    def publish_again(self, pick: int, dies: tuple[int, bool]) -> None:
        visible = self.world.visible()
        self.world.publish_again(_picked(visible, pick), _mortality(dies))
        assert self.world.visible() == visible

    @precondition(lambda self: self.world.visible())
    @rule(pick=PICKS, onto=st.sampled_from(DATASETS[:3]), path=PATHS, dies=MORTALITIES)
    def copy(self, pick: int, onto: str, path: tuple[bytes, ...], dies: tuple[int, bool]) -> None:
        visible = self.world.visible()
        self.world.copy(_picked(visible, pick), onto, path, _mortality(dies))
        assert visible.items() <= self.world.visible().items()

    @precondition(lambda self: self.world.visible())
    @rule(picks=st.sets(PICKS, min_size=1, max_size=3), dies=MORTALITIES)
    def remove(self, picks: set[int], dies: tuple[int, bool]) -> None:
        visible = self.world.visible()
        removed = {_picked(visible, pick) for pick in picks}
        before = self.world.balance()
        lived = self.world.remove(sorted(removed), _mortality(dies))
        left = self.world.visible()
        assert left.keys() == visible.keys() - removed or (not lived and left == visible)
        assert self.world.balance() <= before

    @rule(dies=MORTALITIES)
    def gc(self, dies: tuple[int, bool]) -> None:
        visible, balance = self.world.visible(), self.world.balance()
        swept = self.world.gc(_mortality(dies))
        assert (self.world.visible(), self.world.balance()) == (visible, balance)
        if swept is not None:
            assert swept.named.bytes == balance
            assert set(self.world.stored()) == self.world.check()

    @invariant()
    def the_ledger_follows(self) -> None:
        self.world.check()


def _source(plan: Plan) -> Source:
    return {name: CONTENTS[what] if isinstance(what, int) else _source(what) for name, what in plan.items()}


def _mortality(dies: tuple[int, bool]) -> Mortality:
    at, after = dies
    return Mortality(at, after=after)


def _picked(visible: Iterable[str], pick: int) -> str:
    refs = sorted(visible)
    return refs[pick % len(refs)]


def test_the_ledger_follows_whatever_is_done() -> None:
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] - hypothesis leaves its parameter bare
        LedgerMachine, settings=settings(max_examples=16, stateful_step_count=12, deadline=None)
    )


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_the_ledger_follows_for_long() -> None:
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType] - as above
        LedgerMachine, settings=settings(max_examples=200, stateful_step_count=40, deadline=None)
    )
