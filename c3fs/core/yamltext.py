"""YAML as nodes that know where they stand, every scalar as the text that was written.

The YAML that people write by hand: `01:30:00` is text and no number in base sixty, `on` is text and no truth
value. What a hand-written file does not need is refused, since it only hides mistakes or costs memory: anchors
and aliases, tags, repeated keys, several documents, deep nesting, long files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import yaml
from yaml.reader import ReaderError

from c3fs.errors import InvalidJobSpecError

TEXT_MAX: Final = 128 << 10
"""Characters in a file. PyYAML composes about 100,000 characters a second in the worst case."""
DEPTH_MAX: Final = 16
"""Collections inside each other; PyYAML composes by recursion."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands; lines and columns count from 1."""

    path: str
    line: int
    column: int

    def error(self, why: str) -> InvalidJobSpecError:
        return InvalidJobSpecError(self.path, self.line, self.column, why)


@dataclass(frozen=True, slots=True)
class Scalar:
    """`plain` has no quotes and is no block; an empty plain scalar is a key without a value."""

    at: Position
    text: str
    plain: bool
    block: bool

    @property
    def empty(self) -> bool:
        return self.plain and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Sequence:
    at: Position
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a mapping, where it stands, and its value."""

    at: Position
    key: str
    value: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    at: Position
    fields: tuple[Field, ...]


Node = Scalar | Sequence | Mapping


def parse_yaml(text: str, path: str) -> Node | None:
    """The one document of `text`, None if there is nothing in it; raises InvalidJobSpecError, naming `path`."""
    start = Position(path, 1, 1)
    if len(text) > TEXT_MAX:
        raise start.error(f"larger than {TEXT_MAX >> 10} KiB")
    text = text.removeprefix("\ufeff")
    try:
        node = yaml.compose(text, _Loader)
    except ReaderError as error:
        raise _unprintable(text, path, error) from None
    except yaml.MarkedYAMLError as error:
        raise _at(path, error.problem_mark or error.context_mark).error(_problem(error)) from None
    return None if node is None else _convert(node, path)


def one_value(field: Field) -> Scalar:
    """The field's value; raises InvalidJobSpecError when there is none, or it is a list or mapping."""
    value = field.value
    if not isinstance(value, Scalar):
        shape = "list" if isinstance(value, Sequence) else "mapping"
        raise value.at.error(f"`{field.key}:` is one value, not a {shape}")
    if value.empty:
        raise value.at.error(f"`{field.key}:` has no value; give it one or take the line out")
    return value


def one_line(field: Field) -> str:
    """A value on one line."""
    text = one_value(field).text
    if not text.strip() or "\n" in text:
        raise field.value.at.error(f"`{field.key}:` must be one line of text")
    return text


class _Loader(yaml.SafeLoader):
    """SafeLoader less what nobody needs in a file of settings."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = cast("yaml.NodeEvent", self.peek_event())  # pyright: ignore[reportUnknownMemberType] - untyped
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "aliases (*name) are not used here; write the value again")
        if event.anchor is not None:
            raise _refused(event, "anchors (&name) are not used here")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise _refused(event, "tags (!name) are not used here")
        if self.depth > DEPTH_MAX:
            raise _refused(event, f"nested more than {DEPTH_MAX} deep")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _refused(event: yaml.Event, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=cast("yaml.Mark", event.start_mark))


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be read"
    if "'\\t'" in problem:
        return "a tab cannot indent; use spaces"
    return problem if type(error) is yaml.MarkedYAMLError else f"not valid YAML: {problem}"


def _unprintable(text: str, path: str, error: ReaderError) -> InvalidJobSpecError:
    before = text[: cast("int", error.position)]
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Position(path, line, column).error(f"unprintable character U+{cast('int', error.character):04X}")


def _at(path: str, mark: yaml.Mark | None) -> Position:
    return Position(path, 1, 1) if mark is None else Position(path, mark.line + 1, mark.column + 1)


def _convert(node: yaml.Node, path: str) -> Node:
    at = _at(path, node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(at, _encodable(cast("str", node.value), at), not node.style, node.style in ("|", ">"))
    if isinstance(node, yaml.SequenceNode):
        return Sequence(at, tuple(_convert(item, path) for item in cast("list[yaml.Node]", node.value)))
    pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
    return Mapping(at, _fields(pairs, path))


def _encodable(text: str, at: Position) -> str:
    """ "\\udcff" is the byte 0xff of a name that is no UTF-8; other halves of surrogate pairs are nothing."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise at.error(f"{text[error.start]!a} is half a character") from None
    return text


def _fields(pairs: list[tuple[yaml.Node, yaml.Node]], path: str) -> tuple[Field, ...]:
    fields: dict[str, Field] = {}
    for key, value in pairs:
        at = _at(path, key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise at.error("a key must be a word")
        name = cast("str", key.value)
        if name in fields:
            raise at.error(f"{name!r} is given twice, first in line {fields[name].at.line}")
        fields[name] = Field(at, name, _convert(value, path))
    return tuple(fields.values())
