"""YAML with the position of every value, read by PyYAML; a broken line is reported and skipped.

The parser's events are read, not the nodes of ``yaml.compose``: ``compose`` recurses without a limit, and keeps
nothing of a file that is broken. No tag is resolved and no object is built. The first document that is not empty
is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from torchlock.manifests.merge_conflicts import LEFT, blank_conflict_marks, merge_conflict
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Event, Mark, MarkedYAMLError, ScalarEvent
    from yaml._yaml import Mark as LibMark

# Characters that YAML does not allow, and lone surrogates, which cannot be encoded.
_CONTROL = pattern("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INDENTED_BY_TAB = pattern(r"^\t+", re.MULTILINE)
_INDENTED_BY_SPACE = pattern(r"^ ", re.MULTILINE)
_BREAK = pattern(r"[\r\n\x85\u2028\u2029]")
# An anchor or a tag in front of a value.
_PROPERTY = pattern(r"[&!]\S*\s*")
_NULL = ("null", "~", "Null", "NULL")
_DEEPEST = 40
# The most nodes that all aliases together stand for, and their deepest nesting.
_MOST_ALIASED, _DEEPEST_ALIASED = 20_000, 100
# The most broken lines that are skipped. After that, the file is read up to the next one.
_MOST_BROKEN = 10


class Block(NamedTuple):
    """The lines of a block scalar, with their indentation; ``folded``: its line ends are spaces."""

    start: int
    end: int
    folded: bool


@dataclass
class Node:
    """A value: a text, a list, or pairs of keys and values. ``start`` is its offset, behind an opening quote.

    ``exact``: the text is written at ``start``, character by character. ``size`` and ``depth`` count the nodes
    inside, with those that aliases stand for.
    """

    start: int
    value: str | list[Node] | list[tuple[Node, Node]]
    exact: bool = True
    mapping: bool = False
    block: Block | None = None
    size: int = 1
    depth: int = 0

    @property
    def text(self) -> str | None:
        """The text of a scalar."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return [item for item in self.value if isinstance(item, Node)] if isinstance(self.value, list) else []

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """The keys and values of a mapping; empty for anything else."""
        return [item for item in self.value if isinstance(item, tuple)] if isinstance(self.value, list) else []

    def get(self, key: str) -> Node | None:
        """The last value of a key, as most parsers have it."""
        return next((value for name, value in reversed(self.pairs) if name.text == key), None)


class Wrong(NamedTuple):
    """Where and why a text is not valid YAML."""

    start: int
    message: str


class _Fault(NamedTuple):
    """The fault at which the parser stopped. Without the line of the offset ``broken`` it may continue."""

    wrong: Wrong
    broken: int


def parse(text: str) -> tuple[Node, list[Wrong]]:
    """Read a document: its value, and its faults in order.

    A line with a fault is left out and the rest read again, so everything after the first fault is a guess.
    """
    wrong: list[Wrong] = []
    if text.startswith("\ufeff"):
        text = f"\n{text[1:]}"
    if control := _CONTROL.search(text):
        wrong.append(Wrong(control.start(), f"the character U+{ord(control[0]):04X} is not allowed in YAML"))
        text = _CONTROL.sub(" ", text)
    for _ in range(_MOST_BROKEN):
        builder = _Builder(text)
        fault = builder.read()
        if fault is None:
            break
        conflict = merge_conflict(text)
        if conflict is not None:
            wrong.append(Wrong(conflict, LEFT))
            text = blank_conflict_marks(text)
        else:
            wrong.append(fault.wrong)
            text = _without_fault(text, fault)
    return builder.root, [*wrong, *builder.wrong]


def _without_fault(text: str, fault: _Fault) -> str:
    """The text with its broken line blanked, or with spaces for its tabs; all offsets stay."""
    if text[fault.broken : fault.broken + 1] == "\t" and not _INDENTED_BY_SPACE.search(text):
        return _INDENTED_BY_TAB.sub(lambda tabs: " " * len(tabs[0]), text)
    start = max(text.rfind(end, 0, fault.broken) for end in "\r\n") + 1
    after = _BREAK.search(text, fault.broken)
    end = after.start() if after else len(text)
    return f"{text[:start]}{' ' * (end - start)}{text[end:]}"


class _Builder:
    """Builds nodes from events. All nodes before a fault are kept."""

    def __init__(self, text: str) -> None:
        self.root = Node(0, "")
        self.wrong: list[Wrong] = []
        self._text = text
        self._open: list[tuple[Node, str | None]] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0

    def read(self) -> _Fault | None:
        """Read a document. Returns the fault at which the parser stopped, None at the end of the document."""
        from yaml import CollectionStartEvent, DocumentEndEvent, MarkedYAMLError

        try:
            for event in _events(self._text):
                if isinstance(event, CollectionStartEvent) and len(self._open) == _DEEPEST:
                    at = _offset(event.start_mark)
                    return _Fault(Wrong(at, "nested too deeply"), at)
                if isinstance(event, DocumentEndEvent) and self.root.value:
                    break
                self._take(event)
        except MarkedYAMLError as error:
            return _fault(self._text, error)
        finally:
            while self._open:
                self._end()
        return None

    def _take(self, event: Event) -> None:
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            node = Node(_offset(event.start_mark), [], mapping=isinstance(event, yaml.MappingStartEvent))
            self._open.append((node, event.anchor))
            self._keys.append(None)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event.anchor or "", _offset(event.start_mark)))

    def _end(self) -> None:
        node, anchor = self._open.pop()
        key = self._keys.pop()
        if key is not None:
            self._put(node, (key, Node(key.start, "")))
        if anchor:
            self._anchors[anchor] = node
        self._add(node)

    def _add(self, node: Node) -> None:
        """Put a finished node into the innermost open collection."""
        if not self._open:
            self.root = node
            return
        holder = self._open[-1][0]
        if not holder.mapping:
            self._put(holder, node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = node
        else:
            self._put(holder, (key, node))
            self._keys[-1] = None

    def _put(self, holder: Node, item: Node | tuple[Node, Node]) -> None:
        holder.value.append(item)  # type: ignore[union-attr, arg-type]
        for node in item if isinstance(item, tuple) else (item,):
            holder.size += node.size
            holder.depth = max(holder.depth, node.depth + 1)

    def _scalar(self, event: ScalarEvent) -> None:
        start, end = _offset(event.start_mark), _offset(event.end_mark)
        while event.anchor or event.tag:
            found = _PROPERTY.match(self._text, start)
            if not found:
                break
            start = found.end()
        if event.style in ("|", ">"):
            node = Node(start, "", exact=False, block=self._block(start, end, folded=event.style == ">"))
        else:
            quotes = 1 if event.style else 0
            written = self._text[start + quotes : end - quotes]
            value = "" if event.value in _NULL and not quotes else event.value
            node = Node(start + quotes, value, exact=written == event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node)

    def _block(self, start: int, end: int, *, folded: bool) -> Block | None:
        head = _BREAK.search(self._text, start, end)
        lines = self._text[head.end() : end] if head else ""
        first = end - len(lines.lstrip())
        return Block(first, end, folded) if first < end else None

    def _alias(self, name: str, start: int) -> Node:
        known = self._anchors.get(name)
        if known is None:
            self.wrong.append(Wrong(start, f"the anchor {name} is not defined above"))
            return Node(start, "", exact=False)
        self._aliased += known.size
        if self._aliased > _MOST_ALIASED or known.depth > _DEEPEST_ALIASED:
            self.wrong.append(Wrong(start, "the value of this alias is too large"))
            return Node(start, "", exact=False)
        return replace(known, exact=False)


def _events(text: str) -> Iterator[Event]:
    """The events of PyYAML's parser: libyaml where PyYAML has it, which nearly every wheel of it does."""
    import yaml

    return yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))


def _offset(mark: Mark | LibMark | None) -> int:
    return mark.index if mark else 0


# The second message of PyYAML and libyaml, by a part of it, and its meaning.
_MEANINGS = (
    ("mapping values are not allowed", "unexpected colon: quote the value, or correct the indentation"),
    ("sequence entries are not allowed", "a list must begin on a line of its own"),
    ("expected ':'", "expected a list item or a key with a colon, indented like the lines around it"),
    ("node content", "a value is missing here"),
    ("alphabetic or numeric", "a value that begins with & or * needs quotes, or is the name of an anchor"),
    ("nesting depth", "nested too deeply"),
    ("escape character", "unknown escape in a string with double quotes"),
    ("tag handle", "this tag has an undefined prefix"),
)


def _fault(text: str, error: MarkedYAMLError) -> _Fault:
    """The parser's error in plain words, and the line to blame: where a quote, bracket or key begins."""
    problem, context = error.problem or "", error.context or ""
    at = _offset(error.problem_mark)
    begun = _offset(error.context_mark) if error.context_mark else at
    if "quoted scalar" in context and "unexpected" in problem:
        return _Fault(Wrong(begun, "a quote is opened and not closed"), begun)
    if "flow" in context and "or" in problem:
        return _Fault(Wrong(min(at, len(text.rstrip())), "expected a comma or a closing bracket"), begun)
    if "<document start>" in problem:
        # A directive (%TAG) ends the document if it is not at the top.
        return _Fault(
            Wrong(at, "unexpected text after the end of the document"), text.rfind("\n%", 0, at) + 1 or at
        )
    if "simple key" in context:
        at = begun
    return _Fault(Wrong(at, _meaning(text, at, problem)), at)


def _meaning(text: str, at: int, problem: str) -> str:
    for part, message in _MEANINGS:
        if part in problem:
            return message
    before = text[max(text.rfind(end, 0, at) for end in "\r\n") + 1 : at]
    if text[at : at + 1] == "\t" or "tab character" in problem:
        return "a tab in the indentation, where only spaces are allowed"
    if "start any token" in problem:
        return f"this value needs quotes: it begins with {text[at : at + 1]!r}"
    if "did not find expected" in problem or "expected <block end>" in problem:
        return "unexpected text after the value" if before.strip() else "not indented like the lines around it"
    return problem
