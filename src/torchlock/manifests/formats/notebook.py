"""Jupyter notebooks: the packages that code cells install by ``!pip install``, ``%pip install`` and the like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock.errors import InputError
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.document import Entry
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.json_text import value_of
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

_SOURCE = pattern(r'"(?:source|input)"\s*:\s*(\[?)')
_STRING = pattern(r'[\s,]*"((?:[^"\\]|\\.)*)"')
_SHELL_CELL = pattern(r"\s*%%(?:bash|sh|shell|cmd|script\s+(?:ba)?sh)\b")
_OTHER_CELL = pattern(r"\s*%%(?!capture|time|timeit)\w")
_COMMAND = pattern(
    r"[ \t]*(?:\w+[ \t]*=[ \t]*)?"
    r"(?:!!?|%(?=(?:uv[ \t]+)?(?:pip|conda|mamba|micromamba|cd)\b)|%(?:sx|system)\b)[ \t]*"
)
# Outputs and metadata rarely have a key of this name.
_AHEAD = 200
# What shows that a notebook runs at a host whose image has torch: the name of that image, and signs in the text.
_HOSTS = (
    ("colab", re.compile(r'"colab"\s*:|colab\.research\.google\.com|google\.colab')),
    ("kaggle/python", re.compile(r'"kaggle"\s*:|/kaggle/(?:input|working)')),
)
_TORCH = pattern(r"\btorch(?:vision|audio)?\b")
# IPython replaces an expression with its value; the value of the interpreter is known.
_INTERPRETER = pattern(r"\{\s*sys\.executable\s*\}")


def read(text: str, path: str) -> Document:
    """Read a notebook (nbformat 3 and 4), cell by cell in the order of the file.

    Raises:
        InputError: it is JSON, but not a notebook.
    """
    builder, host = DocumentBuilder(text, path, "notebook"), _host(text)
    # Of these the image has some release, which bare names do not change.
    state = Installed(held=dict.fromkeys(("torch", "torchvision", "torchaudio"), "") if host else {})
    held = value_of(builder)
    if builder.document.issues:
        return builder.document
    if not isinstance(held, dict) or not isinstance(held.get("cells", held.get("worksheets")), list):
        raise InputError("is not a notebook: it has no cells", path=path)
    sources, here, asks = _Sources(text), state.folder.here, False
    for cell in _cells(held):
        source = "".join(_lines(cell.get("source", cell.get("input"))))
        woven = sources.find(source)
        if cell.get("cell_type") == "code":
            for command in _commands(source, woven):
                part = command.text
                asks = asks or bool(_TORCH.search(part.text))
                EmbeddedBuilder(builder, part.text, part.pieces, exact=woven is not None).install(state)
                if not command.stays:
                    state.folder.here = here
                here = state.folder.here
    if host:
        builder.document.platforms, builder.document.assumed = ("linux-x86_64",), True
    if host and asks and not any(entry.name == "torch" and not entry.constraint for entry in state.entries):
        builder.add([_torch_of(host, builder)])
    builder.add(state.entries)
    return builder.document


class _Host(NamedTuple):
    """Where a notebook runs: the name of the image, and the place in the text that shows it."""

    image: str
    at: int


def _host(text: str) -> _Host | None:
    """The host that a notebook is certainly written for, if its image has torch."""
    found = ((image, signs.search(text)) for image, signs in _HOSTS)
    return next((_Host(image, match.start()) for image, match in found if match), None)


def _torch_of(host: _Host, builder: DocumentBuilder) -> Entry:
    return Entry("torch", "", builder.place(host.at), host.image, builder.path, url=f"image:{host.image}")


class _Sources:
    """The sources of the cells in the text, found in their order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._keys = [(match.end(), bool(match[1])) for match in _SOURCE.finditer(text)]
        self._next = 0
        self._known: dict[int, MappedText] = {}

    def find(self, source: str) -> MappedText | None:
        """The next source with this text; None if there is none."""
        for number in range(self._next, min(self._next + _AHEAD, len(self._keys))):
            woven = self._known.get(number) or self._woven(*self._keys[number])
            self._known[number] = woven
            if woven.text == source:
                self._next = number + 1
                return woven
        return None

    def _woven(self, at: int, listed: bool) -> MappedText:
        woven = MappedText()
        while string := _STRING.match(self._text, at):
            woven.add_json(string[1], string.start(1))
            at = string.end()
            if not listed:
                break
        return woven


def _cells(held: dict[str, Any]) -> list[dict[str, Any]]:
    sheets = held.get("worksheets")
    groups = (
        [held] if not isinstance(sheets, list) else [builder for builder in sheets if isinstance(builder, dict)]
    )
    return [cell for group in groups for cell in group.get("cells") or [] if isinstance(cell, dict)]


def _lines(source: object) -> list[str]:
    """The strings of a source, which is one string or a list of them."""
    if isinstance(source, str):
        return [source]
    return [line for line in source if isinstance(line, str)] if isinstance(source, list) else []


class _Commands(NamedTuple):
    """Commands of one shell. ``stays``: its folder is that of later commands, too (``%cd``)."""

    text: MappedText
    stays: bool = False


def _commands(source: str, woven: MappedText | None) -> list[_Commands]:
    """The shell commands in a cell."""
    if woven is None:
        woven = MappedText()
        woven.add(source, 0)
    if _SHELL_CELL.match(source):
        script = MappedText()
        woven.copy(source.find("\n") + 1 or len(source), len(source), script)
        return [_Commands(script)] if script.text else []
    return [] if _OTHER_CELL.match(source) else _marked(woven)


def _marked(cell: MappedText) -> list[_Commands]:
    """The lines of a cell that are commands, without their prefix; each runs in its own shell."""
    found: list[_Commands] = []
    at, going = 0, False
    for line in cell.text.splitlines(keepends=True):
        marked = None if going else _COMMAND.match(line)
        interpreter = _INTERPRETER.match(line, marked.end()) if marked else None
        if marked:
            found.append(_Commands(MappedText(), stays="%cd" in line[: marked.end() + 3]))
        if interpreter:
            found[-1].text.add("python", at + interpreter.start())
            cell.copy(at + interpreter.end(), at + len(line), found[-1].text)
        elif marked or going:
            cell.copy(at + (marked.end() if marked else 0), at + len(line), found[-1].text)
        going = (going or marked is not None) and line.rstrip("\r\n").endswith("\\")
        at += len(line)
    return [commands for commands in found if commands.text.text]
