"""Tables that are wider than the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from c3fs.cli.narrow import CUT_MIN, GAP, Priorities, cut, fitted
from c3fs.cli.output import cells

HEADERS = ("ID", "NAME", "EXIT", "WHEN")
PRIORITIES = Priorities(cut=("NAME",), leave_out=("EXIT", "WHEN", "NAME"))
ROW = ["job_1", "日本語の名前です", "137", "2026-11-23 10:00"]


def width_of(headers: list[str], rows: list[list[str]]) -> int:
    columns = zip(headers, *rows, strict=True)
    return sum(max(map(cells, column)) for column in columns) + GAP * (len(headers) - 1)


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("plain", 5, "plain"),
        ("plainer", 5, "plai…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("x", 1, "x"),
        ("xy", 1, "…"),
    ],
)
def test_a_cell_is_cut_between_letters(text: str, most: int, kept: str) -> None:
    assert cut(text, most) == kept
    assert cells(kept) <= most


def test_names_are_cut_first_and_columns_left_out_then() -> None:
    shown = {width: fitted(HEADERS, [ROW], width, PRIORITIES) for width in (None, 47, 46, 41, 40, 35, 34, 17, 16, 3)}

    def with_name(most: int, *others: str) -> list[list[str]]:
        return [[ROW[0], cut(ROW[1], most), *others]]

    assert shown[None] == shown[47] == (list(HEADERS), [ROW])
    assert shown[46] == (list(HEADERS), with_name(15, "137", ROW[3]))
    assert shown[41] == (list(HEADERS), with_name(CUT_MIN, "137", ROW[3]))
    assert shown[40] == (["ID", "NAME", "WHEN"], with_name(15, ROW[3]))
    assert shown[35] == (["ID", "NAME", "WHEN"], with_name(CUT_MIN, ROW[3]))
    assert shown[34] == (["ID", "NAME"], with_name(16))
    assert shown[17] == (["ID", "NAME"], with_name(CUT_MIN))
    assert shown[16] == shown[3] == (["ID"], [["job_1"]])


@given(st.lists(st.lists(st.text("aé日", max_size=30), min_size=4, max_size=4), max_size=4), st.integers(1, 150))
def test_what_can_be_left_out_never_makes_a_line_too_long(rows: list[list[str]], width: int) -> None:
    rows = [["job_1", *row[1:]] for row in rows]
    headers, lines = fitted(HEADERS, rows, width, PRIORITIES)
    assert headers[0] == "ID"
    assert len(headers) == 1 or width_of(headers, lines) <= width
    assert width_of(list(HEADERS), rows) > width or lines == rows
