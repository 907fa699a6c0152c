"""YAML as positioned nodes, less what only hides mistakes."""

from __future__ import annotations

import pytest

from c3fs.core.yamltext import TEXT_MAX, Mapping, Position, Scalar, Sequence, parse_yaml
from c3fs.errors import InvalidJobSpecError


def test_scalars_are_the_text_that_was_written() -> None:
    for text in ("01:30:00", "0x10", "on", "1e3", "2024-01-01", "~x", "1_000"):
        node = parse_yaml(f"key: {text}", ".c3")
        assert isinstance(node, Mapping)
        value = node.fields[0].value
        assert isinstance(value, Scalar)
        assert value.text == text


def test_positions_count_from_one() -> None:
    node = parse_yaml("# x\na: 1\nlist:\n  - one\n  - {b: two}\n", "f")
    assert isinstance(node, Mapping)
    assert [field.at for field in node.fields] == [Position("f", 2, 1), Position("f", 3, 1)]
    items = node.fields[1].value
    assert isinstance(items, Sequence)
    assert [item.at for item in items.items] == [Position("f", 4, 5), Position("f", 5, 5)]
    inner = items.items[1]
    assert isinstance(inner, Mapping)
    assert inner.fields[0].value.at == Position("f", 5, 9)


@pytest.mark.parametrize(
    ("text", "empty"), [("a:", True), ("a: ~", True), ("a: null", True), ('a: ""', False), ("a: '~'", False)]
)
def test_a_key_without_a_value(text: str, empty: bool) -> None:
    node = parse_yaml(text, "f")
    assert isinstance(node, Mapping)
    value = node.fields[0].value
    assert isinstance(value, Scalar)
    assert value.empty is empty


@pytest.mark.parametrize("text", ["", "\n", "# only this\n", "\ufeff"])
def test_nothing(text: str) -> None:
    assert parse_yaml(text, "f") is None


@pytest.mark.parametrize("text", ["\ufeffa: 1", "a: 1\r\nb: 2\r\n"])
def test_files_from_windows(text: str) -> None:
    node = parse_yaml(text, "f")
    assert isinstance(node, Mapping)
    assert node.fields[0].at == Position("f", 1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: 'a' is given twice, first in line 1"),
        ("a: &x 1", "f:1:4: anchors (&name) are not used here"),
        ("a: *x", "f:1:4: aliases (*name) are not used here; write the value again"),
        ("a: !!str x", "f:1:4: tags (!name) are not used here"),
        ("a: !!python/object:os.system {}", "f:1:4: tags (!name) are not used here"),
        ("a:\n\t- b", "f:2:1: a tab cannot indent; use spaces"),
        ("a: b: c", "f:1:5: not valid YAML: mapping values are not allowed here"),
        ("a: [1, 2", "f:1:9: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("---\na\n---\nb", "f:3:1: not valid YAML: but found another document"),
        ("? [a]\n: b", "f:1:3: a key must be a word"),
        ("ok: 1\nx: \x01", "f:2:4: unprintable character U+0001"),
        ("a: \ud800", "f:1:4: unprintable character U+D800"),
        ("a: \0", "f:1:4: unprintable character U+0000"),
        ("[" * 100_000, "f:1:18: nested more than 16 deep"),
        (" " * (TEXT_MAX + 1), "f:1:1: larger than 128 KiB"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidJobSpecError) as raised:
        parse_yaml(text, "f")
    assert str(raised.value) == message
