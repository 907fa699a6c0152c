"""Finding a job's processes by their parents, where there is no PID namespace."""

from __future__ import annotations

import os

from hypothesis import given, strategies as st

from c3fs.agent.init import descendants, parents


def test_descendants() -> None:
    tree = {2: 1, 3: 1, 4: 2, 5: 4, 6: 3, 9: 8}
    assert descendants(2, tree) == {4, 5}
    assert descendants(1, tree) == {2, 3, 4, 5, 6}
    assert descendants(5, tree) == set()


@given(st.dictionaries(st.integers(1, 12), st.integers(0, 12)))
def test_descendants_of_anything_end(tree: dict[int, int]) -> None:
    """/proc is not read at one moment, so even a cycle may be seen."""
    found = descendants(1, tree)
    assert all(tree[pid] in found | {1} for pid in found)


def test_parents_of_this_machine() -> None:
    assert parents()[os.getpid()] == os.getppid()
