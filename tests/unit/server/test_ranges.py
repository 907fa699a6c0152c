"""The Range header against slices of real bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from c3fs.server.ranges import RangeError, parse_range

DATA = bytes(range(200))


@given(st.integers(0, 250), st.integers(0, 250) | st.none())
def test_a_range_is_a_slice(first: int, last: int | None) -> None:
    header = f"bytes={first}-{'' if last is None else last}"
    if last is not None and last < first:
        assert parse_range(header, len(DATA)) is None
    elif first >= len(DATA):
        with pytest.raises(RangeError):
            parse_range(header, len(DATA))
    else:
        span = parse_range(header, len(DATA))
        assert span is not None
        assert DATA[slice(*span)] == DATA[first : None if last is None else last + 1]


@given(st.integers(1, 400))
def test_a_suffix_is_the_end(length: int) -> None:
    span = parse_range(f"bytes=-{length}", len(DATA))
    assert span is not None
    assert DATA[slice(*span)] == DATA[-length:]


@given(st.text(max_size=40))
def test_nothing_else_raises(header: str) -> None:
    try:
        span = parse_range(header, len(DATA))
    except RangeError:
        return
    assert span is None or 0 <= span[0] < span[1] <= len(DATA)
