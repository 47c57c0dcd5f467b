"""Lines that pip refuses, or reads otherwise than their author means: what is wrong, and the correction."""

from __future__ import annotations

from torchlock.knowledge.stack import FAMILY
from torchlock.location import Edit
from torchlock.manifests.formats.requirements_recorder import Recorder
from torchlock.manifests.syntax import pep508
from torchlock.manifests.syntax.pip_lines import pieces
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.errors import InputError
    from torchlock.manifests.syntax.pip_lines import Line
    from torchlock.manifests.syntax.pip_options import Option

# An option on its own line is for every package of the file.
_PRE = "Remove the options to keep what pip does; --pre on its own line would allow pre-releases of every package"


class MistakeReporter(Recorder):
    """Reports mistaken lines; what their author means is still judged."""

    def report_broken(self, line: Line, written: str, error: InputError) -> None:
        from torchlock.manifests.corrections import find_requirement

        message, because = error.message, error.hint or ""
        if self._several(line) or self._corrected(line, written, message, because):
            return
        stretch = find_requirement(written)
        if stretch is None:
            self.issue("TL501", "error", message, line, because=because)
            return
        start, end = stretch
        self.add_part(line, start, end)
        glued = written[end : end + 1] == "#"
        around = [(end, end, "  ")] if glued else [(0, start, ""), (end, len(written), "")]
        edits = tuple(Edit(line.span(first, last), new) for first, last, new in around if first < last or new)
        remedy = "Put spaces in front of the comment" if glued else f"Write {written[start:end]}"
        self.issue("TL501", "error", message, line, because=because, remedy=remedy, edits=edits)

    def _corrected(self, line: Line, written: str, message: str, because: str) -> bool:
        """Report a mistake with its correction, and judge the corrected text.

        The edit covers the span of a version change.
        """
        from torchlock.manifests.corrections import suggest

        meant = suggest(written)
        asked = pep508.parse(meant) if meant else None
        if meant is None or asked is None:
            return False
        old, new = pep508.specifier_span(written), pep508.specifier_span(meant)
        same = written[: old[0]] == meant[: new[0]] and written[old[1] :] == meant[new[1] :]
        stretch, text = (old, meant[slice(*new)]) if same else ((0, len(written)), meant)
        self.add(line, written, asked._replace(versions=old if same and asked.url is None else None))
        edits = (Edit(line.span(*stretch), text),)
        remedy = f"Write {meant}"
        self.issue("TL501", "error", message, line, because=because, remedy=remedy, edits=edits)
        return True

    def _several(self, line: Line) -> bool:
        """Report several requirements on one line, each with versions: prose has no versions."""
        from torchlock.manifests.line_edits import split_lines

        found = pieces(line.text)
        words = [piece for piece in found if not piece.option]
        if len(words) < 2 or not all(_has_versions(piece.value) for piece in words):
            return False
        for piece in words:
            self.add_part(line, piece.start, piece.end)
        names = [_name(piece.value) for piece in words]
        message = f"{' and '.join(names)} are on one line: each needs its own line"
        edits = split_lines(line, found, self.newline)
        self.issue("TL501", "error", message, line, remedy="Put each on its own line", edits=edits)
        return True

    def report_ignored(self, line: Line, written: str, ignored: list[Option], strays: list[str]) -> None:
        """Report options behind a requirement, where pip allows only hashes."""
        from torchlock.manifests.line_edits import move_options

        options, words = ", ".join(option.name for option in ignored), " ".join(strays)
        listed = f"{options}, and {words!r}," if options and words else options or repr(words)
        message = f"pip ignores {listed} behind a requirement"
        because = "an index option needs its own line, and applies to the whole file; uv refuses this line"
        movable = not strays and "--pre" not in {option.name for option in ignored}
        edits = move_options(line, len(written), ignored, self.newline, self.lines) if movable else ()
        names = " and ".join(dict.fromkeys(option.name for option in ignored))
        remedy = f"Put {names} on its own line" if edits else "" if movable or strays else _PRE
        self.issue("TL504", "warning", message, line, because=because, remedy=remedy, edits=edits)
        self.pip_only = True

    def report_strays(self, line: Line, options: list[Option], strays: list[str]) -> None:
        """Report words that belong to no option, which pip ignores: a requirement, a second address."""
        from torchlock.manifests.line_edits import fix_strays

        message = f"pip ignores {' '.join(strays)!r} on this line"
        hyphen = line.text.startswith("- ")
        because = "to pip, the hyphen begins an option" if hyphen else "an option takes one value"
        edits, remedy = fix_strays(line, options, self.newline)
        # For example a list item of Markdown: its author wants it, but pip installs nothing.
        error = message if hyphen and pep508.parse(line.text[2:]) else ""
        self.issue("TL504", "warning", message, line, because=because, remedy=remedy, edits=edits, error=error)


def _has_versions(word: str) -> bool:
    asked = pep508.parse(word)
    return asked is not None and bool(asked.specifier or asked.name in FAMILY)


def _name(word: str) -> str:
    asked = pep508.parse(word)
    return asked.name if asked is not None else word
