"""YAML as environment files use it, with the place of every value; what is not YAML is reported and skipped.

Block and flow collections, plain and quoted scalars, comments, anchors. Of block scalars only the place is told.
Not read: tags, merge keys, more than one document. (YAML 1.2 is specified at yaml.org/spec/1.2.2.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

_BREAK = re.compile(r"\r\n|\n|\r|\x85|\u2028|\u2029")
_MERGE = re.compile(r"(<{7}|={7}|>{7}|\|{7})(\s|$)")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'(?!')"
_WHOLE_QUOTED = re.compile(_QUOTED, re.DOTALL)
_KEY = re.compile(
    rf"((?:{_QUOTED})[ \t]*|[^\s\"'#\[\]{{}},&*!|>%@`-][^\n]*?|-[^\s][^\n]*?):(?=[ \t]|$)", re.DOTALL
)
# A comment begins behind a space; a quoted string, where a value can begin, holds none.
_PIECE = re.compile(rf"(?:(?<=[\s\[,{{:-])|^)(?:{_QUOTED})|(?:(?<=\s)|^)\#.*", re.DOTALL)
_ANCHOR = re.compile(r"([&*])([^\s,\[\]{}]+)[ \t]*")
_PLAIN_IN_FLOW = re.compile(
    r"(?:[^\s,\[\]{}:#]|:(?![\s,\[\]{}]|$)|(?<=\S)#|[ \t]+(?![\s,\[\]{}:#]|$)|[ \t]+:(?![\s,\[\]{}]|$))+"
)
_SPACE_IN_FLOW = re.compile(r"(?:\s|(?<=\s)#[^\r\n]*)*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "\n": "", "N": "\x85", "_": "\xa0"}
_DEEPEST = 40
# So many nodes stand behind all aliases together, and so deep.
_MOST_ALIASED, _DEEPEST_ALIASED = 20_000, 100


class Block(NamedTuple):
    """The lines of a block scalar, with their indentation; ``folded``: its line ends are spaces."""

    start: int
    end: int
    folded: bool


@dataclass
class Node:
    """A value: a text, a list, or pairs of keys and values. ``start`` is its offset, behind an opening quote.

    ``exact`` tells whether the text is spelled there character by character.
    """

    start: int
    value: str | list[Node] | list[tuple[Node, Node]]
    exact: bool = True
    mapping: bool = False
    block: Block | None = None

    @property
    def text(self) -> str | None:
        """The text of a scalar."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> list[Node]:
        """The items of a list; none of anything else."""
        return [item for item in self.value if isinstance(item, Node)] if isinstance(self.value, list) else []

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys and values of a mapping; none of anything else."""
        return [item for item in self.value if isinstance(item, tuple)] if isinstance(self.value, list) else []

    def get(self, key: str) -> Node | None:
        """The last value of a key, as most parsers have it."""
        return next((value for name, value in reversed(self.pairs) if name.text == key), None)


class Wrong(NamedTuple):
    """Where and why a text is no YAML."""

    start: int
    message: str


class _Row(NamedTuple):
    """A line without its indentation and comment. ``fresh``: a comment ended what stood in front of it."""

    start: int
    indent: int
    text: str
    fresh: bool = False


def parse(text: str) -> tuple[Node, list[Wrong]]:
    """Read a document: its value, and what is wrong with it in the order of the text.

    Behind the first thing that is wrong, everything is a guess.
    """
    parser = _Parser(text)
    root = parser.document()
    return root, sorted(set(parser.wrong))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.wrong: list[Wrong] = []
        self.anchors: dict[str, Node] = {}
        self.extents: dict[int, tuple[int, int]] = {}
        self.aliased = 0
        self.at = 0
        self.depth = 0
        self._commented = False
        self.rows = self._rows()

    def document(self) -> Node:
        if not self.rows:
            return Node(0, "")
        root = self.block(0)
        while self.at < len(self.rows):
            # What cannot be a part of the first value; it may hold the dependencies nevertheless.
            self.stray("this does not belong to what stands above it")
            rest = self.block(0)
            if root.mapping and rest.mapping:
                root = Node(root.start, [*root.pairs, *rest.pairs], mapping=True)
        return root

    def stray(self, message: str) -> None:
        self.wrong.append(Wrong(self.rows[self.at].start, message))

    def _rows(self) -> list[_Row]:
        rows: list[_Row] = []
        start = 0
        for end, after in [*((m.start(), m.end()) for m in _BREAK.finditer(self.text)), (len(self.text), -1)]:
            row = self._row(start, self.text[start:end], first=not rows)
            if row == "stop":
                break
            if isinstance(row, _Row):
                rows.append(row)
            start = after
        return rows

    def _row(self, start: int, line: str, *, first: bool) -> _Row | str | None:
        """A line as a row; None for one that says nothing, "stop" at the document's end."""
        body = line.lstrip(" \t\ufeff") if first else line.lstrip(" \t")
        if not body or body[0] == "#":
            self._commented = self._commented or bool(body)
            return None
        lead = line[: len(line) - len(body)]
        if _MERGE.match(line):
            self.wrong.append(Wrong(start, "a merge conflict was left in the file"))
            return None
        if line.startswith("%") and first:
            return None
        if re.match(r"(---|\.\.\.)(\s|$)", line):
            if not first:
                return "stop"
            body = line[3:].lstrip()
            if not body or body[0] == "#":
                return None
            lead = " " * (len(line) - len(body))
        fresh, whole = self._commented, body
        body = _uncommented(body)
        self._commented = body != whole
        body = body.rstrip(" \t")
        indent = len(lead.expandtabs(2).replace("\ufeff", ""))
        row = _Row(start + len(lead), indent, body, fresh)
        if "\t" in lead:
            self.wrong.append(Wrong(start + lead.index("\t"), "a tab in the indentation, which takes spaces only"))
        return row

    def block(self, least: int) -> Node:
        """The value that begins at the current row, all of its rows indented by at least so much."""
        row = self.rows[self.at]
        self.depth += 1
        try:
            if self.depth > _DEEPEST:
                self.stray("nested too deeply")
                self.at += 1
                return Node(row.start, "")
            if _is_item(row.text):
                return self.sequence(row.indent, flush=row.indent == least)
            anchor = _ANCHOR.match(row.text)
            if anchor and anchor[1] == "&":
                return self.anchored(anchor, row, least)
            if _KEY.match(row.text):
                return self.mapping(row.indent)
            return self.inline(row.text, row.start, least - 1)
        finally:
            self.depth -= 1

    def anchored(self, anchor: re.Match[str], row: _Row, least: int) -> Node:
        rest = row.text[anchor.end() :]
        if rest:
            self.rows[self.at] = _Row(row.start + anchor.end(), row.indent, rest)
        else:
            self.at += 1
            if self.at == len(self.rows) or self.rows[self.at].indent < least:
                return Node(row.start, "")
        node = self.block(least)
        self.anchors[anchor[2]] = node
        return node

    def sequence(self, indent: int, *, flush: bool) -> Node:
        """A list; ``flush`` if keys of what holds it stand at the same indentation."""
        start, items = self.rows[self.at].start, []
        while self.at < len(self.rows):
            row = self.rows[self.at]
            if row.indent < indent or (row.indent == indent and flush and _KEY.match(row.text)):
                break
            if row.indent > indent or not _is_item(row.text):
                self.stray("this is indented otherwise than the list that it stands in")
                self.at += 1
                continue
            content = row.text[1:].lstrip(" \t")
            shift = len(row.text) - len(content)
            if content:
                self.rows[self.at] = _Row(row.start + shift, indent + shift, content)
                items.append(self.block(indent + 1))
            else:
                items.append(self.nested(row.start + 1, indent + 1))
        return Node(start, items)

    def nested(self, start: int, least: int) -> Node:
        """The value on the rows behind the current one, empty if they are indented less than that."""
        self.at += 1
        if self.at < len(self.rows) and self.rows[self.at].indent >= least:
            return self.block(least)
        return Node(start, "")

    def mapping(self, indent: int) -> Node:
        start = self.rows[self.at].start
        pairs: list[tuple[Node, Node]] = []
        while self.at < len(self.rows) and self.rows[self.at].indent >= indent:
            row = self.rows[self.at]
            key = _KEY.match(row.text)
            if row.indent > indent:
                self.stray("this is indented otherwise than what it stands beside")
                self.at += 1
                continue
            if not key or _is_item(row.text):
                if _is_item(row.text) and pairs:
                    break
                self.stray("here a key with a colon is missing")
                self.at += 1
                continue
            name = self.scalar(key[1].rstrip(), row.start)
            pairs.append((name, self.value(row, key.end(), indent)))
        return Node(start, pairs, mapping=True)

    def value(self, row: _Row, end: int, indent: int) -> Node:
        """What stands behind a key, on its row or on those below."""
        content = row.text[end:].lstrip(" \t")
        start = row.start + len(row.text) - len(content)
        anchor = _ANCHOR.match(content)
        if anchor and anchor[1] == "&":
            node = self.value(replace_row(row, anchor.end(), content, start), 0, indent)
            self.anchors[anchor[2]] = node
            return node
        if content and _is_item(content):
            self.wrong.append(Wrong(start, "a list begins on a line of its own"))
        if content:
            return self.inline(content, start, indent)
        if self.at + 1 < len(self.rows):
            after = self.rows[self.at + 1]
            if after.indent == indent and _is_item(after.text):
                return self.nested(start, indent)
        return self.nested(start, indent + 1)

    def inline(self, content: str, start: int, indent: int) -> Node:
        """A value that begins in the current row; rows deeper than ``indent`` go on with it."""
        first = content[0]
        if first in "[{":
            return self.flow(start)
        if first in "|>":
            self.at += 1
            begun = self.at
            while self.at < len(self.rows) and self.rows[self.at].indent > indent:
                self.at += 1
            return Node(start, "", exact=False, block=self.block_of(begun, folded=first == ">"))
        if first in "\"'":
            return self.quoted(content, start, indent)
        if first in "%@`,]}":
            self.stray(f"no value begins with {first!r}: it needs quotes")
        if _KEY.match(content):
            self.stray("here is a second colon with a space behind it: quote the value")
        self.at += 1
        node = self.scalar(content, start)
        while self.at < len(self.rows) and self.rows[self.at].indent > indent:
            row = self.rows[self.at]
            if _KEY.match(row.text.lstrip("- ")) or row.fresh:
                self.stray("this is indented otherwise than what it stands beside")
                break
            node = Node(start, f"{node.text or ''} {row.text}", exact=False)
            self.at += 1
        return node

    def block_of(self, begun: int, *, folded: bool) -> Block | None:
        """The lines from a row up to the current one."""
        if begun == self.at:
            return None
        end = self.rows[self.at].start if self.at < len(self.rows) else len(self.text)
        return Block(self.rows[begun].start, end, folded)

    def quoted(self, content: str, start: int, indent: int) -> Node:
        match = _WHOLE_QUOTED.match(content)
        if match is None:
            return self.quoted_on(start, indent)
        self.at += 1
        if match.end() != len(content):
            self.wrong.append(Wrong(start + match.end(), "something stands behind the closing quote"))
        return self.scalar(match[0], start)

    def quoted_on(self, start: int, indent: int) -> Node:
        """A quoted value that goes on over further rows, which is only passed over; or is never closed."""
        match = _WHOLE_QUOTED.match(self.text, start)
        row = self.at
        while match and self.at < len(self.rows) and self.rows[self.at].start < match.end():
            self.at += 1
        if match is None or any(other.indent <= indent for other in self.rows[row + 1 : self.at]):
            self.at = row + 1
            self.wrong.append(Wrong(start, "a quote is opened and not closed"))
            return Node(start, "", exact=False)
        inner = match[0][1:-1]
        if match[0][0] == "'":
            return Node(start + 1, " ".join(inner.replace("''", "'").split()), exact=False)
        joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*", r"\1", inner)
        return Node(
            start + 1,
            _unescaped(" ".join(re.split(r"(?<![ \t])[ \t]*[\r\n]+[ \t]*", joined)).strip()),
            exact=False,
        )

    def scalar(self, text: str, start: int) -> Node:
        """A plain, quoted or aliased scalar that is all in one row."""
        if text[0] == "*" and (alias := _ANCHOR.fullmatch(text)):
            known = self.anchors.get(alias[2])
            if known is None:
                self.wrong.append(Wrong(start, f"nothing above is called {text.removeprefix('*')}"))
                return Node(start, "", exact=False)
            size, depth = self.extent(known)
            self.aliased += size
            if self.aliased > _MOST_ALIASED or depth > _DEEPEST_ALIASED:
                self.wrong.append(Wrong(start, "the value of this alias is too large"))
                return Node(start, "", exact=False)
            return replace(known, exact=False)
        if text[0] in "\"'" and len(text) > 1 and text[-1] == text[0]:
            inner = text[1:-1]
            value = inner.replace("''", "'") if text[0] == "'" else _unescaped(inner)
            return Node(start + 1, value, exact=value == inner)
        return Node(start, "" if text in ("null", "~", "Null", "NULL") else text)

    def extent(self, node: Node) -> tuple[int, int]:
        """How many nodes a value comes to with all that its aliases stand for, and how deep they are nested."""
        if not isinstance(node.value, list):
            return 1, 0
        if id(node.value) not in self.extents:
            nodes = [*node.items, *(one for pair in node.pairs for one in pair)]
            inner = [self.extent(one) for one in nodes]
            size = 1 + sum(size for size, _ in inner)
            self.extents[id(node.value)] = size, 1 + max((depth for _, depth in inner), default=0)
        return self.extents[id(node.value)]

    def flow(self, start: int) -> Node:
        """A flow collection; afterwards the current row is the one behind it."""
        row = self.at
        node, end = self.flow_value(start, 0)
        while self.at < len(self.rows) and self.rows[self.at].start < end:
            last = self.rows[self.at]
            self.at += 1
            behind = last.text[max(end - last.start, 0) :].strip() if last.start + len(last.text) > end else ""
            if behind:
                self.wrong.append(Wrong(end, "something stands behind the closing bracket"))
        self.at = max(self.at, row + 1)
        return node

    def flow_value(self, at: int, depth: int) -> tuple[Node, int]:
        text = self.text
        first = text[at : at + 1]
        if first in ("[", "{") and depth < _DEEPEST:
            return self.flow_collection(at, depth)
        quoted = _WHOLE_QUOTED.match(text, at) if first in ('"', "'") else None
        if quoted:
            return self.scalar(quoted[0], at), quoted.end()
        plain = _PLAIN_IN_FLOW.match(text, at)
        if plain is None or first in ('"', "'"):
            self.wrong.append(Wrong(at, "here a value of the list in brackets is missing or broken"))
            return Node(at, "", exact=False), at + 1
        return self.scalar(plain[0].rstrip(), at), plain.end()

    def flow_collection(self, at: int, depth: int) -> tuple[Node, int]:
        text, start = self.text, at
        close = "]" if text[at] == "[" else "}"
        items: list[Node] = []
        pairs: list[tuple[Node, Node]] = []
        at = self.space(at + 1)
        broken = len(self.wrong)
        while at < len(text) and text[at] != close and len(self.wrong) == broken:
            key, at = self.flow_value(at, depth + 1)
            at = self.space(at)
            if text[at : at + 1] == ":":
                at = self.space(at + 1)
                value = Node(at, "")
                if text[at : at + 1] not in (",", close):
                    value, at = self.flow_value(at, depth + 1)
                    at = self.space(at)
                pairs.append((key, value))
                if close == "]":
                    items.append(Node(key.start, [pairs.pop()], mapping=True))
            elif close == "]":
                items.append(key)
            else:
                pairs.append((key, Node(at, "")))
            if text[at : at + 1] == ",":
                at = self.space(at + 1)
            elif text[at : at + 1] != close:
                self.wrong.append(Wrong(min(at, len(text) - 1), f"here a comma or {close!r} is missing"))
        if at >= len(text) and len(self.wrong) == broken:
            self.wrong.append(Wrong(start, "this bracket is not closed"))
        return Node(start, items or pairs, mapping=close == "}"), at + 1

    def space(self, at: int) -> int:
        match = _SPACE_IN_FLOW.match(self.text, at)
        return match.end() if match else at


def replace_row(row: _Row, end: int, content: str, start: int) -> _Row:
    """The row with all in front of an anchored value taken off."""
    return _Row(start + end, row.indent, content[end:])


def _is_item(text: str) -> bool:
    return text[0] == "-" and (len(text) == 1 or text[1] in " \t")


def _uncommented(text: str) -> str:
    """The text of a line in front of its comment."""
    if "#" not in text:
        return text
    for piece in _PIECE.finditer(text):
        if piece[0][0] == "#":
            return text[: piece.start()]
    return text


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)
