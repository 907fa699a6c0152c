"""Whatever bytes come in: a decoder answers with a value or with InvalidFormatError, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3fs.core.directory import Index, IndexRow, Leaf, decode_node, encode_index, encode_leaf
from c3fs.core.manifest import decode_inventory, decode_manifest
from c3fs.core.ref import parse_ref
from c3fs.core.spanlist import decode_span_node
from c3fs.core.wirespan import BlobTable
from c3fs.errors import InvalidFormatError, InvalidRefError

CAMPAIGN = 200_000
SCALARS = st.one_of(
    st.integers(-3, 5), st.integers(-(1 << 63), (1 << 64) - 1), st.binary(max_size=40), st.none(), st.booleans(),
    st.text(max_size=5), st.floats(), st.binary(min_size=32, max_size=32),
)  # fmt: skip
VALUES = st.recursive(SCALARS, lambda below: st.lists(below, max_size=9), max_leaves=60)
SPANS = st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 9), st.integers(0, 9)), max_size=3)
NAMES = st.binary(min_size=1, max_size=3)
RAW = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 9)
SPAN = st.tuples(st.integers(-2, 2), NUMBERS, NUMBERS)
ENTRIES = st.one_of(
    st.tuples(st.just(0), NAMES, NUMBERS, NUMBERS, NUMBERS, RAW, SPANS),
    st.tuples(st.just(1), NAMES, NUMBERS, NUMBERS, RAW, SPAN, NUMBERS, NUMBERS, NUMBERS),
    st.tuples(st.just(2), NAMES, NUMBERS, st.binary(min_size=1, max_size=5)),
    st.tuples(st.just(3), NAMES, NUMBERS, NUMBERS, st.integers(1000, 5000), RAW, SPAN, st.integers(990, 3000)),
)
ROWS = st.tuples(NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS, SPAN)
NODES = st.one_of(
    st.tuples(st.just(0), st.lists(RAW, max_size=2), st.lists(ENTRIES, max_size=4)),
    st.tuples(st.just(1), st.lists(RAW, max_size=2), st.lists(ROWS, max_size=4)),
    VALUES,
)
DATA = st.one_of(st.binary(max_size=200), NODES.map(msgspec.msgpack.encode))


def check_directory(data: bytes) -> None:
    """What is accepted encodes to the bytes it came from, when those were as short as they could be."""
    try:
        node = decode_node(data)
    except InvalidFormatError:
        return
    table = BlobTable()
    table.blobs = [bytes(blob) for blob in node.blobs]
    again = encode_leaf(table, node.entries) if isinstance(node, Leaf) else encode_index(table, _rows(node))
    assert decode_node(again) == node


def _rows(node: Index) -> list[IndexRow]:
    return list(node.rows)


def check(decode: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def checked(data: bytes) -> None:
        try:
            decode(data)
        except InvalidFormatError:
            return

    return checked


DECODERS = [
    pytest.param(check_directory, id="directory"),
    pytest.param(check(lambda data: decode_span_node(data, 10)), id="span list"),
    pytest.param(check(decode_inventory), id="inventory"),
    pytest.param(check(decode_manifest), id="manifest"),
]


@pytest.mark.parametrize("decode", DECODERS)
def test_nothing_but_invalid_format_leaves(decode: Callable[[bytes], None]) -> None:
    @given(DATA)
    @settings(max_examples=1500, deadline=None)
    def run(data: bytes) -> None:
        decode(data)

    run()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("decode", DECODERS)
def test_nothing_but_invalid_format_leaves_for_long(decode: Callable[[bytes], None]) -> None:
    @given(DATA)
    @settings(max_examples=CAMPAIGN, deadline=None)
    def run(data: bytes) -> None:
        decode(data)

    run()


@given(st.one_of(st.text(max_size=50), st.text(alphabet="/jobs_123.@v\n\x00", max_size=40).map("/jobs/".__add__)))
@settings(max_examples=1000, deadline=None)
def test_a_ref_parses_to_what_reads_the_same_or_is_refused(text: str) -> None:
    try:
        ref = parse_ref(text)
    except InvalidRefError:
        return
    assert parse_ref(str(ref)) == ref
