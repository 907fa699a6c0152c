"""Reading a file: every offset, holes, long span lists, and what is decoded and prefetched for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
from hypothesis import given, strategies as st

from c3fs.core.span import Span
from c3fs.core.spanlist import PART_MAX, SpanRow, encode_span_index, encode_span_leaf
from c3fs.core.wirespan import BlobTable
from c3fs.errors import InvalidFormatError
from c3fs.fetch.fetcher import Fetcher
from c3fs.fetch.readahead import SLACK, WINDOW_MAX, WINDOW_MIN, Window
from c3fs.fetch.reader import FileReader
from c3fs.fetch.spanmap import LongSpanMap, SpanMap
from tests.support.blobs import DictCache, SteeredStore, seeded

MIB = 1 << 20
END = 1 << 40


@asynccontextmanager
async def fetching(store: SteeredStore) -> AsyncGenerator[Fetcher, None]:
    fetcher = Fetcher(DictCache(), store)
    async with trio.open_nursery() as nursery:
        await nursery.start(fetcher.run)
        yield fetcher
        nursery.cancel_scope.cancel()


PIECES = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=0, max_size=12)


@given(pieces=PIECES, offset=st.integers(0, 500), size=st.integers(0, 500), long=st.booleans())
def test_any_range_reads_what_the_file_has_there(
    pieces: list[tuple[bool, int]], offset: int, size: int, long: bool
) -> None:
    store = SteeredStore()
    content, spans = b"", list[Span]()
    for number, (hole, length) in enumerate(pieces):
        data = bytes(length) if hole else seeded(number, length + 5)[:length]
        # A span inside a blob: three bytes of something else before it, and two after.
        spans.append(Span(None, 0, length) if hole else Span(store.add(b"xyz" + data + b"zz"), 3, length))
        content += data

    async def read() -> bytes:
        async with fetching(store) as fetcher:
            if long and spans:
                leaf = store.span(encode_span_leaf(spans))
                span_map: SpanMap | LongSpanMap = LongSpanMap(fetcher, leaf, len(content))
            else:
                span_map = SpanMap(spans)
            return bytes(await FileReader(fetcher, None, span_map, len(content)).read_at(offset, size))

    assert trio.run(read) == content[offset : offset + size]


def span_index(store: SteeredStore, parts: list[tuple[int, int, Span]]) -> Span:
    table = BlobTable()
    rows = [SpanRow(size, spans, table.wire(span)) for size, spans, span in parts]
    return store.span(encode_span_index(table, rows))


async def long_file(store: SteeredStore, chunks: int) -> tuple[Span, int]:
    """A file of `chunks` spans of three bytes, all in one blob, under as many indexes as it takes."""
    blob = store.add(b"".join(b"%03d" % n for n in range(1000)))
    spans = [Span(blob, 3 * (n % 1000), 3) for n in range(chunks)]
    parts = [
        (3 * len(part), len(part), store.span(encode_span_leaf(part)))
        for part in (spans[at : at + PART_MAX] for at in range(0, chunks, PART_MAX))
    ]
    return span_index(store, parts), 3 * chunks


async def test_a_file_of_100_000_chunks_is_read_by_decoding_one_leaf() -> None:
    store = SteeredStore()
    span, size = await long_file(store, 100_000)
    async with fetching(store) as fetcher:
        span_map = LongSpanMap(fetcher, span, size)
        reader = FileReader(fetcher, None, span_map, size)
        assert bytes(await reader.read_at(3 * 54_321, 3)) == b"321"
        assert span_map.decoded == 2  # the index and one leaf
        assert bytes(await reader.read_at(3 * 54_322, 6)) == b"322323"
        assert span_map.decoded == 2
        assert bytes(await reader.read_at(3 * 99_999, 100)) == b"999"
        assert span_map.decoded == 3
        # Across the border of two leaves.
        assert bytes(await reader.read_at(3 * 999, 6)) == b"999000"


async def test_concurrent_reads_of_one_long_file_do_not_disturb_each_other() -> None:
    store = SteeredStore()
    span, size = await long_file(store, 10_000)
    async with fetching(store) as fetcher:
        reader = FileReader(fetcher, None, LongSpanMap(fetcher, span, size), size)

        async def check(at: int) -> None:
            assert bytes(await reader.read_at(3 * at, 3)) == b"%03d" % (at % 1000)

        async with trio.open_nursery() as nursery:
            for at in range(0, 10_000, 137):
                nursery.start_soon(check, at)


async def test_an_endless_span_list_is_refused() -> None:
    store = SteeredStore()
    span = store.span(encode_span_leaf([Span(None, 0, 5)]))
    other = store.span(encode_span_leaf([Span(None, 0, 1)]))
    size = 5
    for _ in range(8):
        size += 1
        span = span_index(store, [(size - 1, 1, span), (1, 1, other)])
    async with fetching(store) as fetcher:
        with pytest.raises(InvalidFormatError, match="deeper"):
            await LongSpanMap(fetcher, span, size).part(0)


def test_a_stream_doubles_the_window() -> None:
    window = Window()
    asked = [window.advise(at, MIB, END) for at in range(0, 64 * MIB, MIB)]
    ranges = [wanted for wanted in asked if wanted is not None]
    sizes = [end - begin for begin, end in ranges]
    assert asked[0] is None
    assert sizes[0] == WINDOW_MIN
    assert max(sizes) <= WINDOW_MAX
    # Every byte ahead is wanted once, and the window is always ahead of the reader.
    assert all(a[1] == b[0] for a, b in pairwise(ranges))
    assert ranges[-1][1] >= 64 * MIB


def test_random_reads_prefetch_nothing() -> None:
    window = Window()
    offsets = [37 * MIB, 5 * MIB, 90 * MIB, 14 * MIB, 60 * MIB, 1 * MIB]
    assert [window.advise(offset, 4096, END) for offset in offsets] == [None] * 6


def test_requests_slightly_out_of_order_are_a_stream() -> None:
    window = Window()
    order = [0, 2, 1, 3, 5, 4, 6, 7]
    assert any(window.advise(at * MIB, MIB, END) for at in order)
    assert SLACK >= 2 * MIB


def test_leaving_a_stream_closes_its_window() -> None:
    window = Window()
    for at in range(8):
        window.advise(at * MIB, MIB, END)
    assert window.advise(500 * MIB, 4096, END) is None
    assert "0 MiB" in repr(window)


def test_nothing_is_asked_for_beyond_what_is_known() -> None:
    window = Window()
    known = 10 * MIB
    asked = [window.advise(at * MIB, MIB, known if at < 8 else END) for at in range(20)]
    ranges = [wanted for wanted in asked if wanted is not None]
    assert max(end for _, end in ranges if end <= known) == known
    # When more is known the stream goes on from there, and leaves nothing out.
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
