"""Markdown and reStructuredText: the install commands in code blocks, read on request (``audit --docs``).

A block is judged by itself: two blocks may be steps, or alternatives. Parts of a block that each install torch,
with a comment or an empty line between them, are alternatives (``# CUDA 11.8``, ``# CPU``). Prose is not read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.shell import commands
from torchlock.manifests.syntax.windows_shell import batch_commands, powershell_commands
from torchlock.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.embedded_code import Words

_FENCE = re.compile(
    r"(?P<indent>[ \t]*(?:>[ \t]?)*)(?P<mark>`{3,}(?!`)|~{3,}(?!~))[ \t]*(?![ \t])\{?\.?"
    r"(?P<language>[\w+-]*)(?![\w+-])[^`\r\n]*$"
)
_DIRECTIVE = re.compile(
    r"(?P<indent>[ \t]*)(?![ \t])"
    r"(?:\.\. (?:code-block|code|sourcecode|prompt)::[ \t]*(?P<language>[\w+-]*).*|.*::)$"
)
_OPTION = re.compile(r"[ \t]*:[\w-]+:.*$")
_SHELLS: dict[str, Words] = dict.fromkeys(
    (
        "",
        "bash",
        "sh",
        "shell",
        "zsh",
        "fish",
        "console",
        "shell-session",
        "terminal",
        "text",
        "txt",
        "python",
        "py",
    ),
    commands,
) | {
    **dict.fromkeys(("powershell", "pwsh", "ps1", "ps"), powershell_commands),
    **dict.fromkeys(("bat", "batch", "cmd", "dos", "batchfile"), batch_commands),
}
# The limit of the alternatives in a block that are judged with its other lines.
_MOST = 20
# A prompt of a shell, with the name of an environment or a folder in front of it.
_PROMPT = re.compile(
    r"[ \t]*(?:\([\w. -]+\)[ \t]*)?(?:PS [^>\r\n]*>|[A-Z]:\\[^>\r\n]*>|[\w.@:~/-]+#|[\w.@:~/-]*[$%]|>)[ \t]+(?=\S)"
)
# ``# `` begins a comment, or it is the prompt of root in front of a command.
_ROOT = re.compile(r"[ \t]*(?:\([\w. -]+\)[ \t]*)?#[ \t]+(?=\S)")
_COMMAND = re.compile(
    r"[ \t]*(?:sudo|pip3?|python3?|py|apt|apt-get|brew|conda|mamba|uv|git|dnf|yum|cd|docker|export|source)[ \t]"
)
_COMMENT = re.compile(r"[ \t]*(?:#|::|rem\b|//|$)", re.IGNORECASE)
# The words of a command that installs torch, in their order.
_OF_TORCH = (
    re.compile(r"\b(?:pip3?|conda|mamba|micromamba|uv)\b"),
    re.compile(r"[ \t](?:install|add|create)(?=[ \t])"),
    re.compile(r"[ \t\"'](?:py)?torch(?![\w.-])"),
)
_MAGIC = re.compile(r"[ \t]*(?:!|%(?=(?:uv[ \t]+)?(?:pip|conda)\b))[ \t]*")
# A word that the reader of the text replaces: <version>, [version], X.Y.Z, {version}, ...
_PLACEHOLDER = re.compile(r"<[A-Za-z][\w ./|-]*>|(?<===)(?:[xX](?:\.[xXyYzZ])*|\.\.\.|\[[\w .-]+\])|…")


class _Line(NamedTuple):
    """A line with its line end, and its offset in the file."""

    text: str
    start: int


class _Block(NamedTuple):
    language: str
    lines: list[_Line]


def read(text: str, path: str) -> Document:
    """Read the install commands of every code block, each block separately."""
    builder = DocumentBuilder(text, path, "docs")
    lines = [_Line(match[0], match.start()) for match in re.finditer(r"[^\n]*\n|[^\n]+", text)]
    parts: dict[str, list[Entry]] = {}
    step = 0
    for block in _rst(lines) if path.lower().endswith((".rst", ".rest")) else _markdown(lines):
        words = _SHELLS.get(block.language.lower())
        for at, one in _alternatives(block) if words and block.lines else ():
            code = _commands(one)
            if words and code.text:
                state, known = Installed(step=step), len(builder.document.indexes)
                EmbeddedBuilder(builder, code.text, code.pieces).install(state, words)
                _limit_indexes(builder.document, known, range(step + 1, state.step + 1))
                step = state.step
                entries = [replace(entry, marker=both(entry.marker, state.marker)) for entry in state.entries]
                parts[f"line-{builder.place(at).line}"] = entries
    _soften(builder.document)
    builder.add(scoped_parts(parts))
    return builder.document


def _installs_torch(line: str) -> bool:
    """Whether the words of such a command follow each other in a line, before a comment."""
    end = 0
    line = line.partition(" #")[0]
    for word in _OF_TORCH:
        match = word.search(line, end)
        if match is None:
            return False
        end = match.end()
    return True


def _alternatives(block: _Block) -> Iterator[tuple[int, _Block]]:
    """A block for each of the alternatives in it, with all lines outside of them, and where it begins.

    An alternative is the part of a block, from one comment or empty line to the next, that installs torch. Many
    alternatives are judged without the other lines.
    """
    parts: list[list[_Line]] = [[]]
    going = False
    for line in block.lines:
        if not going and _COMMENT.match(line.text.strip("\r\n")):
            parts.append([])
        parts[-1].append(line)
        going = line.text.rstrip("\r\n \t").endswith(("\\", "`", "^"))
    own = [part for part in parts if any(_installs_torch(line.text) for line in part)]
    if len(own) < 2:
        yield block.lines[0].start, block
        return
    apart = {line.start for part in own for line in part}
    for part in own:
        mine = {line.start for line in part}
        lines = [line for line in block.lines if line.start in mine or line.start not in apart]
        yield part[0].start, block._replace(lines=lines if len(own) <= _MOST else part)


def _limit_indexes(document: Document, known: int, steps: range) -> None:
    """The indexes that a block sets count for its own commands; without commands they are for other blocks."""
    if steps:
        new = [line if line.steps else line._replace(steps=tuple(steps)) for line in document.indexes[known:]]
        document.indexes[known:] = new


def _markdown(lines: list[_Line]) -> Iterator[_Block]:
    """The fenced blocks."""
    mark, found = "", _Block("", [])
    for line in lines:
        fence = _FENCE.match(line.text.rstrip("\r\n"))
        if mark and fence and fence["mark"].startswith(mark) and not fence["language"]:
            yield found
            mark = ""
        elif mark:
            found.lines.append(line)
        elif fence:
            mark, found = fence["mark"], _Block(fence["language"], [])
    if mark:
        yield found


def _rst(lines: list[_Line]) -> Iterator[_Block]:
    """The blocks of directives, and literal blocks behind ``::``."""
    at = 0
    while at < len(lines):
        opening = _DIRECTIVE.match(lines[at].text.rstrip())
        at += 1
        if opening is None:
            continue
        depth, inside = len(opening["indent"].expandtabs()), []
        while at < len(lines) and (not lines[at].text.strip() or _depth(lines[at].text) > depth):
            inside.append(lines[at])
            at += 1
        yield _Block(opening["language"] or "", [line for line in inside if not _OPTION.match(line.text)])


def _depth(text: str) -> int:
    return len(text) - len(text.lstrip()) if "\t" not in text else len(text.expandtabs()) - len(text.lstrip())


def _commands(block: _Block) -> MappedText:
    """The commands of a block without their prompts; with a prompt, the other lines are output."""
    kept, going = MappedText(), False
    magic = block.language.lower() in ("python", "py") or any(_MAGIC.match(line.text) for line in block.lines)
    mark = _MAGIC if magic else _prompt([line.text for line in block.lines])
    for text, start in block.lines:
        prompt = mark.match(text) if mark and not going else None
        if mark is None or prompt or going:
            _copy(text, start, prompt.end() if prompt else 0, kept)
            going = text.rstrip("\r\n \t").endswith(("\\", "`", "^"))
    return kept


def _prompt(lines: list[str]) -> re.Pattern[str] | None:
    """The prompt of a block, None if it has none."""
    if any(_PROMPT.match(line) for line in lines):
        return _PROMPT
    behind = [match for line in lines if (match := _ROOT.match(line))]
    as_root = any(_COMMAND.match(match.string, match.end()) for match in behind)
    return _ROOT if as_root and not any(_COMMAND.match(line) for line in lines) else None


def _copy(text: str, start: int, at: int, kept: MappedText) -> None:
    """Append a line; what its reader has to fill in becomes a variable without a value."""
    for match in _PLACEHOLDER.finditer(text, at):
        kept.add(text[at : match.start()], start + at)
        kept.add("${" + re.sub(r"\W", "_", match[0]) + "}", start + match.start())
        at = match.end()
    kept.add(text[at:], start + at)


def _soften(document: Document) -> None:
    """A command that no installer takes may be meant as a pattern: it is not judged."""
    document.issues = [
        replace(issue, rule="TL902", severity="note", message=f"not judged: {issue.message}", remedy="", edits=())
        if issue.rule == "TL501" and issue.severity == "error"
        else issue
        for issue in document.issues
    ]
