"""Hypothesis strategies: names, source trees, and encodings that are valid or nearly so."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from c3fs.core.digest import Digest
from c3fs.core.directory import LEAF_MAX, SPANS_MAX
from c3fs.core.names import TARGET_MAX
from c3fs.core.span import BLOB_MAX, FILE_MAX
from c3fs.core.wirespan import HOLE, SELF
from tests.support.encoded import Link
from tests.support.trees import File, Source, Sparse

# --- source trees ------------------------------------------------------------

NAMES: Final = st.binary(min_size=1, max_size=255).filter(
    lambda name: name not in (b".", b"..") and not {0, 0x2F} & set(name)
)
SHORT_NAMES: Final = st.one_of(st.sampled_from([b"a", b"a.", b"a-b", b"a0", b"b", b"\xff", b"\x01", b"A"]), NAMES)
MODES: Final = st.integers(0, 0o7777)
TIMES: Final = st.integers(-(2**31) * 10**9, FILE_MAX)
"""Nanoseconds from 1901, where ext4 begins, to 2262, where format 1 ends."""

_FILES: Final = st.builds(File, st.binary(max_size=300), MODES, TIMES)
_LINKS: Final = st.builds(Link, st.binary(min_size=1, max_size=TARGET_MAX).filter(lambda target: 0 not in target))
_SPARSE: Final = st.builds(
    Sparse,
    st.integers(1 << 20, 3 << 20),
    st.dictionaries(st.integers(0, (1 << 20) - 100), st.binary(min_size=1, max_size=100), max_size=3),
)


def trees(max_leaves: int = 30) -> st.SearchStrategy[Source]:
    """Directories of anything a job may leave behind."""
    leaf = st.one_of(st.binary(max_size=50), _FILES, _LINKS, _SPARSE)
    return st.dictionaries(
        SHORT_NAMES,
        st.recursive(leaf, lambda below: st.dictionaries(SHORT_NAMES, below, max_size=6), max_leaves=max_leaves),
        max_size=8,
    )


# --- encodings: plain values as msgpack and JSON have them, each wrong now and then ------------------------


def _mostly(good: st.SearchStrategy[Any], *bad: Any) -> st.SearchStrategy[Any]:
    """`good` nine times of ten."""
    return st.integers(0, 9).flatmap(lambda draw: good if draw else st.sampled_from(bad))


_DIGEST: Final = st.integers(0, 3).map(lambda number: Digest.of(b"%d" % number))
_DIGESTS: Final = _mostly(_DIGEST.map(bytes), b"", bytes(31), bytes(33), 7, None)
_WIRE_NAMES: Final = _mostly(
    st.binary(min_size=1, max_size=4), b"", b".", b"..", b"a/b", b"a\0", bytes(256), "text", None, 3
)
_SIZES: Final = _mostly(
    st.integers(0, 20), -1, BLOB_MAX, BLOB_MAX + 1, FILE_MAX, 1 << 63, (1 << 64) - 1, 1.5, None, "1"
)
_COUNTS: Final = _mostly(st.integers(0, 20), -1, FILE_MAX, 1 << 63, SPANS_MAX, SPANS_MAX + 1, None, b"", [])
_SPANS: Final = _mostly(
    st.tuples(_mostly(st.integers(SELF, 3), HOLE, SELF - 1, 1 << 32, None), _SIZES, _SIZES).map(list),
    [], [0], [0, 0, 1, 1], None, 5, {},
)  # fmt: skip
_TIMES_WIRE: Final = _mostly(TIMES, FILE_MAX, 1 << 63, None, "now")
_MODES_WIRE: Final = _mostly(MODES, -1, 0o10000, 1 << 40, None)
_TARGETS: Final = _mostly(st.binary(min_size=1, max_size=9), b"", b"a\0b", b"t" * 4096)
_ENTRIES: Final = st.one_of(
    st.tuples(st.just(0), _WIRE_NAMES, _MODES_WIRE, _TIMES_WIRE, _SIZES, _DIGESTS, st.lists(_SPANS, max_size=4)),
    st.tuples(
        st.just(1), _WIRE_NAMES, _MODES_WIRE, _TIMES_WIRE, _DIGESTS, _SPANS, _COUNTS, _COUNTS, _COUNTS
    ),
    st.tuples(st.just(2), _WIRE_NAMES, _TIMES_WIRE, _TARGETS),
    st.tuples(st.just(3), _WIRE_NAMES, _MODES_WIRE, _TIMES_WIRE, _SIZES, _DIGESTS, _SPANS, _COUNTS),
    st.tuples(st.integers(-1, 5), _WIRE_NAMES),
).map(list)  # fmt: skip
_ROWS: Final = st.tuples(_WIRE_NAMES, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _SPANS).map(list)


def _sorted_by(position: int) -> Any:
    """Sorted as the format wants it, where that can be: the rest of the checks would seldom be reached otherwise."""

    def arrange(rows: list[list[Any]]) -> list[list[Any]]:
        named = {row[position]: row for row in rows if len(row) > position and isinstance(row[position], bytes)}
        return [named[name] for name in sorted(named)]

    return arrange


_BLOBS: Final = _mostly(st.lists(_DIGESTS, min_size=1, max_size=4), [], None, 3, [b"short"])
DIRECTORY_NODES: Final = st.one_of(
    st.tuples(st.just(0), _BLOBS, st.lists(_ENTRIES, max_size=6).map(_sorted_by(1))),
    st.tuples(st.just(0), _BLOBS, st.lists(_ENTRIES, max_size=6)),
    st.tuples(st.just(1), _BLOBS, st.lists(_ROWS, min_size=1, max_size=5).map(_sorted_by(0))),
    st.tuples(st.integers(-1, 3), _BLOBS, _mostly(st.just([]), None, [[]], [0] * (LEAF_MAX + 1))),
).map(list)
"""What decode_node may be given, before msgpack."""
SPAN_NODES: Final = st.one_of(
    st.tuples(st.just(0), _BLOBS, st.lists(_SPANS, max_size=6)),
    st.tuples(st.just(1), _BLOBS, st.lists(st.tuples(_COUNTS, _COUNTS, _SPANS).map(list), max_size=5)),
    st.tuples(st.integers(-1, 3), _BLOBS, st.just([])),
).map(list)
INVENTORIES: Final = st.lists(st.tuples(_DIGESTS, _SIZES).map(list), max_size=6).map(
    lambda rows: sorted(rows, key=lambda row: row[0] if isinstance(row[0], bytes) else b"")
)

_JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=9), below, max_size=3)),
    max_leaves=5,
)
_HEX: Final = _mostly(_DIGEST.map(str), "", "0" * 63, "0" * 64 + "\n", "G" * 64)


def _record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these fields; now and then one of them is anything, missing, or one too many."""

    def put(record: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
        return {**record, key: value}

    def without(record: dict[str, Any], key: str) -> dict[str, Any]:
        return {other: value for other, value in record.items() if other != key}

    def spoil(record: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        same, name = st.just(record), st.sampled_from(sorted(record))
        return st.one_of(
            st.builds(put, same, name, _JSON),
            st.builds(without, same, name),
            st.builds(put, same, st.text(max_size=9), _JSON),
        )

    return st.fixed_dictionaries(fields).flatmap(
        lambda record: st.integers(0, 3).flatmap(lambda draw: st.just(record) if draw else spoil(record))
    )


MANIFESTS: Final = _record(
    format=_mostly(st.just(1), 0, 2, "1"),
    ref=_mostly(st.sampled_from(["/jobs/job_1_aaaaaa", "/datasets/x/@v1"]), "", "/jobs/../x", "/etc", "/jobs/job_1_\n"),
    created=_mostly(
        st.just("2026-11-23T10:00:00.000Z"), "", "now", "2026-99-99T99:99:99Z", "\u0662026-11-23T10:00:00Z"
    ),
    complete=st.booleans(),
    root=_record(
        digest=_HEX, mode=_MODES_WIRE, mtime_ns=_TIMES_WIRE,
        span=_record(blob=_mostly(_HEX, None), offset=_SIZES, size=_SIZES),
        files=_COUNTS, directories=_COUNTS, bytes=_COUNTS,
    ),
    inventory=_record(blobs=_COUNTS, bytes=_COUNTS, parts=st.lists(_record(blob=_HEX, size=_SIZES), max_size=3)),
)  # fmt: skip
"""What decode_manifest may be given, before JSON."""
