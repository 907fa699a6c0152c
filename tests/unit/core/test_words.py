"""Digests, names, job ids and refs: what they accept, what they refuse, how they read."""

from __future__ import annotations

import pytest

from c3fs.core.digest import EMPTY, Digest, Hasher
from c3fs.core.ids import is_job_id, new_job_id
from c3fs.core.names import NAME_MAX, check_name
from c3fs.core.ref import Ref, parse_ref
from c3fs.errors import InvalidDigestError, InvalidNameError, InvalidRefError

JOB = "job_1700000000000_abc123"


def test_a_digest_is_a_value() -> None:
    digest = Digest.of(b"hello")
    assert digest == Digest.parse(str(digest)) == Digest(bytes(digest))
    assert hash(digest) == hash(Digest.of(b"hello"))
    assert str(digest) == "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"
    assert repr(digest) == "Digest(ea8f163db386…)"
    hasher = Hasher(b"he")
    hasher.update(memoryview(b"llo"))
    assert hasher.digest() == digest
    assert Digest.of(b"") == EMPTY


@pytest.mark.parametrize("text", ["", "ab", "A" * 64, "g" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", " " + "a" * 63])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigestError):
        Digest.parse(text)


def test_raw_digests_have_32_bytes() -> None:
    with pytest.raises(InvalidDigestError):
        Digest(b"short")


@pytest.mark.parametrize("name", [b"a", b"...", b" ", b"\n", b"\xff", b"-rf", b"x" * NAME_MAX])
def test_names_linux_allows(name: bytes) -> None:
    assert check_name(name) is name


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b", b"x" * (NAME_MAX + 1)])
def test_names_linux_refuses(name: bytes) -> None:
    with pytest.raises(InvalidNameError):
        check_name(name)


def test_job_ids() -> None:
    assert new_job_id(1_700_000_000_000, lambda n: n - 1) == "job_1700000000000_zzzzzz"
    assert is_job_id(new_job_id(0, lambda _: 0))
    for wrong in ("", "job_1_abc", "job_1_ABCDEF", "job_x_abcdef", "job_1_abcdef\n", "job_1_abcdefg", "1_abcdef"):
        assert not is_job_id(wrong)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (f"/jobs/{JOB}", Ref("job", JOB)),
        (f"/jobs/{JOB}/", Ref("job", JOB)),
        (f"/jobs/{JOB}/artifacts/a b", Ref("job", JOB, sub=(b"artifacts", b"a b"))),
        (f"/jobs/{JOB}/\udcff", Ref("job", JOB, sub=(b"\xff",))),
        (f"/projects/my-p1/jobs/{JOB}", Ref("job", JOB, "my-p1")),
        ("/datasets/imagenet", Ref("dataset", "imagenet")),
        ("/datasets/imagenet/@v3/train", Ref("dataset", "imagenet", version="v3", sub=(b"train",))),
        ("/datasets/Image.Net_1/@latest", Ref("dataset", "Image.Net_1", version="latest")),
        ("/projects/p/data/words/@v1", Ref("dataset", "words", "p", "v1")),
    ],
)
def test_refs(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref
    assert str(ref) == text.removesuffix("/")
    assert parse_ref(str(ref)) == ref
    assert str(ref.without_sub()) == ref.head


def test_the_last_part_of_a_ref() -> None:
    assert parse_ref(f"/jobs/{JOB}").last == JOB
    assert parse_ref(f"/jobs/{JOB}/checkpoints/best").last == "best"
    assert parse_ref("/datasets/words/@v2").last == "words"


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "//", "jobs/x", f"jobs/{JOB}", "/jobs", "/jobs/", "/jobs/../x", "/jobs/x", f"/jobs/{JOB}//a",
        f"/jobs/{JOB}/..", f"/jobs/{JOB}/a/../b", f"/jobs/{JOB}/.", f"/jobs/{JOB}//", f"/jobs/{JOB}\n",
        f"/jobs/{JOB}/a\tb",
        "/jobs/\x00", "/projects/UPPER/jobs/" + JOB, "/projects/-p/jobs/" + JOB, "/projects/p", f"/projects/p/{JOB}",
        "/datasets/", "/datasets/.hidden", "/datasets/a b", "/datasets/x/@v0", "/datasets/x/@v", "/datasets/x/@newest",
        f"/jobs/{JOB}/" + "x" * 256, f"/jobs/{JOB}/" + "d/" * 3000, "/datasets/" + "x" * 5000, "/elsewhere/x",
    ],
)  # fmt: skip
def test_what_is_no_ref_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidRefError) as caught:
        parse_ref(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 6000
