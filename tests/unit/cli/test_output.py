"""Names, sizes, tables and times as people and scripts get them."""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from c3fs.cli import output
from c3fs.cli.sizes import parse_size
from c3fs.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("20GiB", 20 << 30),
        ("20G", 20 << 30),
        ("20gb", 20 * 10**9),
        ("1.5 MiB", 3 << 19),
        ("512 kB", 512_000),
        (" 7B ", 7),
        ("2T", 2 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text, "C3_CACHE_SIZE") == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1e9", "1XB", "1 GiB GiB", "0x10", "１", "inf", "1" * 20])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match="C3_CACHE_SIZE"):
        parse_size(text, "C3_CACHE_SIZE")


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        (b"plain-1.txt", "plain-1.txt"),
        (b"two words", "'two words'"),
        (b"it's", "'it'\\''s'"),
        ("größe".encode(), "größe"),
        (b"line\nbreak", "'line'$'\\n''break'"),
        (b"\x1b[31mred", "$'\\e''[31mred'"),
        (b"\xff\xfe", "$'\\377\\376'"),
        (b"a\xc2\x9bb", "'a'$'\\302\\233''b'"),
    ],
)
def test_names_on_a_terminal_are_what_a_shell_takes_back(name: bytes, quoted: str) -> None:
    assert output.quote(name) == quoted


def test_quoted_names_mean_the_same_to_bash() -> None:
    names = [bytes([at]) + b"x" + bytes([at]) for at in range(1, 256)] + [
        b"'",
        b'"$HOME`',
        "\u202egpj.exe".encode(),
    ]
    script = "printf '%s\\0' " + " ".join(map(output.quote, names))
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=30)
    assert done.stdout.split(b"\0")[:-1] == names


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_no_quoted_name_holds_what_a_terminal_obeys(name: bytes) -> None:
    assert output.quote(name).isprintable()


@given(st.text("abcdefg ._-", min_size=1))
def test_plain_names_are_quoted_as_shlex_reads_them(text: str) -> None:
    assert shlex.split(output.quote(text.encode())) == [text]


def test_tables_align_and_end_without_blanks(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.table(("NAME", "SIZE", "END"), [("日本", "1", "x"), ("abcdef", "1024", "")], right=("SIZE",))
    output.flush()
    assert capfdbinary.readouterr().out.decode().splitlines() == [
        "NAME    SIZE  END",
        "日本       1  x",
        "abcdef  1024",
    ]


def test_nothing_is_coloured_when_piped(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.table(("A",), [("x",)], colours={"A": lambda _: output.RED})
    output.write(output.paint("y", output.GREEN) + "\n")
    output.flush()
    assert capfdbinary.readouterr().out == b"A\nx\ny\n"


def test_odd_bytes_reach_a_pipe_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.write(output.shown(b"\xff\n"))
    output.flush()
    assert capfdbinary.readouterr().out == b"\xff\n"


def test_json_keeps_odd_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.write_json({"name": os.fsdecode(b"a\xff")})
    output.flush()
    assert capfdbinary.readouterr().out == b'{"name": "a\\udcff"}\n'


def test_times_are_told_in_utc() -> None:
    moment = datetime(2026, 11, 23, 12, 30, 1, 234_567, timezone(timedelta(hours=2)))
    assert output.iso(moment) == "2026-11-23T10:30:01.234Z"
    assert output.iso(None) is None
    assert output.iso_ns(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"


@pytest.mark.parametrize("ns", [-(1 << 63), (1 << 63) - 1, 0, -1])
def test_no_time_a_file_may_claim_breaks_a_listing(ns: int) -> None:
    assert output.iso_ns(ns).endswith("Z")
    assert output.local(output.moment_of(ns))
    assert output.moment_of(ns).tzinfo is UTC
