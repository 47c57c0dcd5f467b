"""Batch files and PowerShell scripts: the commands that install packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import INDEX_VARIABLES, Installed
from torchlock.manifests.syntax.windows_shell import batch_commands, powershell_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.shell import Command

    Words = Callable[[str, int, int, dict[str, str | None]], Iterator[Command]]


def read_batch(text: str, path: str) -> Document:
    """Read a batch file, which runs only on Windows."""
    document = _read(text, path, "batch", batch_commands)
    document.platforms = ("windows-amd64",)
    return document


def read_powershell(text: str, path: str) -> Document:
    """Read a PowerShell script."""
    return _read(text, path, "powershell", powershell_commands)


def _read(text: str, path: str, kind: str, words: Words) -> Document:
    builder, state = DocumentBuilder(text, path, kind), Installed()
    installer = Installer(builder, state)
    for command in words(text, 0, len(text), state.variables):
        installer.take(command)
    for name, index in INDEX_VARIABLES.items():
        for address in (state.variables.get(name.lower()) or "").split():
            builder.index(index, address, text.lower().find(name.lower()))
    builder.add(state.entries)
    return builder.document
