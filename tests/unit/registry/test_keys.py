"""Secrets: their form, and what is told of one that was mistyped."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, strategies as st

from c3fs.registry.keys import JOB_TOKEN, KEY, is_secret, make_key_id, make_secret, sha256_of

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIXES = pytest.mark.parametrize("prefix", [KEY, JOB_TOKEN])


def value(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * 62 + DIGITS.index(digit)
    return number


@PREFIXES
@given(drawn=st.binary(min_size=32, max_size=32))
def test_every_bit_that_is_drawn_is_in_the_secret(prefix: str, drawn: bytes) -> None:
    asked: list[int] = []

    def draw(count: int) -> bytes:
        asked.append(count)
        return drawn

    secret = make_secret(prefix, draw)
    assert asked == [32]
    assert re.fullmatch(rf"{prefix}[0-9A-Za-z]{{49}}", secret)
    assert value(secret[len(prefix) : -6]) == int.from_bytes(drawn, "big")
    assert is_secret(secret)


@PREFIXES
@given(drawn=st.binary(min_size=32, max_size=32), data=st.data())
def test_a_mistyped_secret_is_none(prefix: str, drawn: bytes, data: st.DataObject) -> None:
    secret = make_secret(prefix, lambda _: drawn)
    at = data.draw(st.integers(len(prefix), len(secret) - 1))
    other = data.draw(st.sampled_from(DIGITS).filter(lambda digit: digit != secret[at]))
    assert not is_secret(secret[:at] + other + secret[at + 1 :])
    swapped = secret[: at - 1] + secret[at] + secret[at - 1] + secret[at + 1 :]
    assert is_secret(swapped) == (swapped == secret)
    assert not is_secret(secret[:at])
    assert not is_secret(secret + other)


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    assert not is_secret(text)
    assert not is_secret(KEY + text)


def test_the_kind_is_part_of_what_is_checked() -> None:
    secret = make_secret(KEY)
    assert not is_secret(secret.replace(KEY, JOB_TOKEN))
    assert not is_secret(secret.replace(KEY, "c3_xyz_"))
    assert not is_secret(secret + "\n")


def test_secrets_and_ids_are_drawn_anew() -> None:
    assert len({make_secret(KEY) for _ in range(100)}) == 100
    ids = {make_key_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch("[0-9A-Za-z]{12}", name) for name in ids)


def test_what_is_kept_is_the_sha256() -> None:
    secret = make_secret(KEY)
    assert sha256_of(secret) == hashlib.sha256(secret.encode()).digest()
