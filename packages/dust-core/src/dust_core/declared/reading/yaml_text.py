"""Read YAML with positions, in bounded time and memory for any bytes.

Specs use the part of YAML that has one meaning: mappings, sequences and plain or quoted scalars of
the core schema (YAML 1.2.2, section 10.3). Anchors, aliases, tags, directives, merge keys,
duplicate keys and second documents are refused, so that a reader sees everything a file means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml import events as ev
from yaml.error import MarkedYAMLError, YAMLError

from dust_core.declared.reading.scalars import core_scalar
from dust_core.errors import DustError

# libyaml reads a lock of 3,900 lines in 0.1 s, a parser in Python takes a second.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

MAX_BYTES = 1_000_000
MAX_LINE = 4_000
MAX_DEPTH = 24
MAX_NODES = 100_000

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; both numbers start at 1, as editors count."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class SpecSyntaxError(DustError):
    """The file is not a spec's YAML; `position` is None if the fault concerns the whole file."""

    def __init__(self, what: str, *, path: str, position: Position | None, fix: str) -> None:
        super().__init__(what, where=f"{path}:{position}" if position else path, fix=fix)
        self.path = path
        self.position = position


@dataclass(slots=True)
class _Node:
    """Where a value and its key begin, and the same for the values below."""

    value: Position
    key: Position
    children: "dict[Any, _Node]"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its text, its values as plain Python, and their places."""

    path: str
    text: str
    data: Any
    _root: _Node

    def position(self, loc: Loc = (), *, of_key: bool = False) -> Position:
        """Where the value at `loc` (keys and indices from the root) begins, or its key.

        If `loc` is not in the document, e.g. an absent key, the last key on the way there.
        """
        node = self._root
        for part in loc:
            child = node.children.get(part)
            if child is None:
                return node.key
            node = child
        return node.key if of_key else node.value

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its newline; empty past the end."""
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


def load_yaml(path: Path) -> Document:
    """Read a spec file.

    Raises:
        SpecSyntaxError: the file cannot be read, is larger than 1 MB, or is not a spec's YAML.
    """
    try:
        if not path.is_file():
            raise SpecSyntaxError(
                "there is no such file", path=str(path), position=None, fix="check the path"
            )
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecSyntaxError(
            f"cannot read the file: {error.strerror or error}",
            path=str(path),
            position=None,
            fix="check the path and its permissions",
        ) from error
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes, path: str) -> Document:
    """Read a spec from bytes; `path` is only quoted in messages.

    Raises:
        SpecSyntaxError: more than 1 MB, not UTF-8, or not a spec's YAML.
    """
    if len(content) > MAX_BYTES:
        raise SpecSyntaxError(
            f"the file is larger than {MAX_BYTES:,} bytes",
            path=path,
            position=None,
            fix="a spec is written by hand: split it, or move data out of it",
        )
    text = _decode(content, path)
    _require_short_lines(text, path)
    root, data = _Builder(path).build(_events(text, path))
    return Document(path, text, data, root)


def _decode(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        raise SpecSyntaxError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            path=path,
            position=Position(line, column),
            fix="save the file as UTF-8",
        ) from error


def _require_short_lines(text: str, path: str) -> None:
    # The parser's time grows with the square of a tag's length; the limit on a line bounds it.
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            raise SpecSyntaxError(
                f"a line of {len(line):,} characters, more than {MAX_LINE:,}",
                path=path,
                position=Position(number, MAX_LINE + 1),
                fix="break it; a list or a folded text (>-) continues on the next line",
            )


def _events(text: str, path: str) -> Iterator[Any]:
    """Parser events one at a time and without recursion, so that a limit stops them at once."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else None
        what = ": ".join(str(part) for part in (error.context, error.problem) if part)
        raise SpecSyntaxError(
            f"not YAML: {what}", path=path, position=position, fix="correct the syntax there"
        ) from error
    except YAMLError as error:
        what = " ".join(str(error).split())
        raise SpecSyntaxError(
            f"not YAML: {what}", path=path, position=None, fix="correct the syntax"
        ) from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError) as error:
        # The parser itself fails on some malformed input; for the user that is a syntax error.
        raise SpecSyntaxError(
            "not YAML: the parser cannot read this text",
            path=path,
            position=None,
            fix="compare the file with specs/v1/workload.yaml",
        ) from error


class _Builder:
    """Turns events into plain values and positions, on a stack of its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stack: list[_Container] = []
        self._nodes = 0
        self._root: tuple[_Node, Any] | None = None

    def build(self, events: Iterator[Any]) -> tuple[_Node, Any]:
        for event in events:
            match event:
                case ev.ScalarEvent():
                    self._scalar(event)
                case ev.MappingStartEvent() | ev.SequenceStartEvent():
                    self._open(event)
                case ev.MappingEndEvent() | ev.SequenceEndEvent():
                    self._stack.pop()
                case ev.AliasEvent():
                    self._refuse(event, f"an alias (*{event.anchor:.60})", "repeat the value")
                case ev.DocumentStartEvent():
                    self._document(event)
        if self._root is None:
            raise SpecSyntaxError(
                "the file is empty",
                path=self._path,
                position=Position(1, 1),
                fix="start from a file in specs/v1",
            )
        return self._root

    def _document(self, event: Any) -> None:
        if self._root is not None:
            self._refuse(event, "a second document", "write one document a file")
        if event.version or event.tags:
            self._refuse(event, "a directive (%)", "remove it: specs are YAML 1.2")

    def _scalar(self, event: Any) -> None:
        node = self._node(event)
        if event.style:  # quoted or a block: text
            self._place(node, event.value, event)
            return
        try:
            value = core_scalar(event.value)
        except ValueError as error:
            raise SpecSyntaxError(
                str(error),
                path=self._path,
                position=node.value,
                fix="write a finite number of ordinary size, or quote it if it is text",
            ) from error
        self._place(node, value, event)

    def _open(self, event: Any) -> None:
        node = self._node(event)
        value: Any = {} if isinstance(event, ev.MappingStartEvent) else []
        self._place(node, value, event)
        if len(self._stack) == MAX_DEPTH:
            self._fault(node.value, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        self._stack.append(_Container(node, value))

    def _node(self, event: Any) -> _Node:
        mark = event.start_mark
        position = Position(mark.line + 1, mark.column + 1)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fault(position, f"more than {MAX_NODES:,} values", "split the file")
        if event.anchor is not None:
            self._refuse(event, f"an anchor (&{event.anchor:.60})", "repeat the value")
        if event.tag is not None:
            self._refuse(event, f"a tag ({event.tag!s:.60})", "remove the tag")
        return _Node(position, position, {})

    def _place(self, node: _Node, value: Any, event: Any) -> None:
        if not self._stack:
            self._root = (node, value)
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.node.children[len(top.value)] = node
            top.value.append(value)
        elif top.pending is None:
            top.pending = self._key(top, node, value, event)
        else:
            key, key_position = top.pending
            top.pending = None
            node.key = key_position
            top.node.children[key] = node
            top.value[key] = value

    def _key(self, top: "_Container", node: _Node, value: Any, event: Any) -> tuple[str, Position]:
        if not isinstance(event, ev.ScalarEvent):
            self._fault(node.value, "a key must be text, not a list or mapping", "name it")
        key = str(event.value)
        if key == "<<" and not event.style:
            self._fault(node.value, "a merge key (<<)", "repeat the values")
        if key in top.value:
            first = top.node.children[key].key
            self._fault(
                node.value,
                f"duplicate key {key[:60]!r}, first at {first}",
                "keep one of the two",
            )
        return key, node.value

    def _refuse(self, event: Any, what: str, fix: str) -> None:
        mark = event.start_mark
        self._fault(Position(mark.line + 1, mark.column + 1), f"specs do not use {what}", fix)

    def _fault(self, position: Position, what: str, fix: str) -> None:
        raise SpecSyntaxError(what, path=self._path, position=position, fix=fix)


@dataclass(slots=True)
class _Container:
    node: _Node
    value: Any
    pending: tuple[str, Position] | None = None
