"""Jenkinsfiles: the commands of ``sh``, ``bat`` and ``powershell`` that are literal strings of Groovy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.shell import commands
from torchlock.manifests.syntax.windows_shell import batch_commands, powershell_commands
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

_STRING = (
    r"\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*(?:\"\"\"|\\?\Z)|'''(?:[^'\\]|\\.|'(?!''))*(?:'''|\\?\Z)"
    r"|\"(?:[^\"\\\r\n]|\\.)*(?:\"|(?=[\r\n])|\\?\Z)|'(?:[^'\\\r\n]|\\.)*(?:'|(?=[\r\n])|\\?\Z)"
)
_TOKEN = pattern(
    rf"//[^\r\n]*|/\*.*?(?:\*/|\Z)"
    rf"|\b(?P<step>sh|bat|powershell|pwsh)\b\s*(?:\(\s*)?(?:\w+\s*:\s*(?:\w+|{_STRING})\s*,\s*)?(?:script\s*:\s*)?"
    rf"(?P<text>{_STRING})|{_STRING}",
    re.DOTALL,
)
_WORDS = {"sh": commands, "bat": batch_commands, "powershell": powershell_commands, "pwsh": powershell_commands}


def read(text: str, path: str) -> Document:
    """Read the steps of all stages, in their order, as one environment."""
    builder, state = DocumentBuilder(text, path, "jenkins"), Installed()
    for match in _TOKEN.finditer(text):
        if match["step"]:
            quotes = 3 if match["text"][:3] in ('"""', "'''") else 1
            inside = match["text"][quotes:].removesuffix(match["text"][:quotes])
            before, state.variables = state.variables, dict(state.variables)
            state.folder.here = ""
            code = EmbeddedBuilder(builder, inside, [(0, match.start("text") + quotes)])
            code.install(state, _WORDS[match["step"]])
            state.variables = before
    builder.add(state.entries)
    return builder.document
