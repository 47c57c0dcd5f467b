"""Code inside a file of another format, read as a separate text with the positions of that file."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from torchlock.location import Edit, Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.shell import commands
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torchlock.errors import InputError
    from torchlock.location import Place
    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.installed import Installed
    from torchlock.manifests.syntax.shell import Command
    from torchlock.terms import Origin

    Words = Callable[[str, int, int, dict[str, str | None]], Iterator[Command]]

_ESCAPE = pattern(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]+", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class MappedText:
    """A text made of parts of another text. ``pieces`` map each part to its position there."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int]] = []
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        if len(self._parts) != 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0]

    def add(self, text: str, there: int) -> None:
        """Append a part."""
        if text:
            self.pieces.append((self._length, there))
            self._parts.append(text)
            self._length += len(text)

    def head(self, length: int) -> MappedText:
        """The beginning of the text."""
        found = MappedText()
        found.pieces = self.pieces[: bisect_left(self.pieces, (length, 0))]
        found._parts, found._length = [self.text[:length]], length
        return found

    def copy(self, start: int, end: int, into: MappedText) -> None:
        """Append a part of this text to another one, with its positions."""
        at = max(0, bisect_right(self.pieces, (start, 1 << 60)) - 1)
        while at < len(self.pieces) and self.pieces[at][0] < end:
            here, there = self.pieces[at]
            last = self.pieces[at + 1][0] if at + 1 < len(self.pieces) else self._length
            first = max(start, here)
            into.add(self.text[first : min(end, last)], there + first - here)
            at += 1

    def add_json(self, raw: str, there: int) -> None:
        """Append the decoded content of a JSON string."""
        for match in _ESCAPE.finditer(raw):
            written = match[0]
            if written[0] != "\\":
                self.add(written, there + match.start())
            elif written[1] == "u" and len(written) == 6:
                self.add(chr(int(written[2:], 16)), there + match.start())
            else:
                self.add(_MEANT.get(written[1:], written[1:]), there + match.start())


class EmbeddedBuilder(DocumentBuilder):
    """A builder for code inside another document, which records everything in that document.

    ``pieces`` are those of ``MappedText``; without ``exact`` no edit is possible, because the file spells the code
    differently.
    """

    def __init__(
        self, host: DocumentBuilder, text: str, pieces: Sequence[tuple[int, int]], *, exact: bool = True
    ) -> None:
        super().__init__(text, host.path, host.document.kind)
        self.document, self.done = host.document, host.done
        self._host = host
        self._pieces = list(pieces)
        self._exact = exact

    def there(self, offset: int) -> int:
        """The position in the file of the character at an offset."""
        near, start = self._pieces[max(0, bisect_right(self._pieces, (offset, 1 << 60)) - 1)]
        return start + offset - near

    def place(self, offset: int | None) -> Place:
        return self._host.place(None if offset is None else self.there(offset))

    def issue(
        self,
        rule: str,
        severity: str,
        message: str,
        at: int | None,
        *,
        because: str = "",
        remedy: str = "",
        edits: tuple[Edit, ...] = (),
        origin: Origin | None = None,
        error: InputError | None = None,
    ) -> None:
        spans = [self.span(edit.span) for edit in edits]
        moved = tuple(Edit(span, edit.new) for span, edit in zip(spans, edits, strict=True) if span is not None)
        fits = len(moved) == len(edits) and not any(set(edit.new) & set('"\\\n') for edit in moved)
        kept = moved if fits else ()
        super().issue(
            rule, severity, message, at, because=because, remedy=remedy, edits=kept, origin=origin, error=error
        )

    def span(self, span: Span) -> Span | None:
        """The position of a part in the file; None if the file spells it differently."""
        if not self._exact:
            return None
        if span.start == span.end:
            at = self.there(span.start - 1) + 1 if span.start else self.there(0)
            return Span(at, at)
        found = Span(self.there(span.start), self.there(span.end - 1) + 1)
        return found if self._host.text[slice(*found)] == self.text[slice(*span)] else None

    def entry(self, entry: Entry) -> Entry:
        """An entry with its span in the file."""
        return replace(entry, version=self.span(entry.version) if entry.version else None)

    def install(self, state: Installed, words: Words = commands, branch: str = "") -> None:
        """Add the packages that the commands in this text install.

        ``branch`` names the branch that contains the whole text.
        """
        before, count = state.entries, len(state.entries)
        installer = Installer(self, state)
        for command in words(self.text, 0, len(self.text), state.variables):
            command.branch = "-".join(filter(None, (branch, command.branch)))
            installer.take(command)
        if state.entries is before:
            before[count:] = [self.entry(entry) for entry in before[count:]]
            return
        known = {id(entry) for entry in before[:count]}
        state.entries = [entry if id(entry) in known else self.entry(entry) for entry in state.entries]
