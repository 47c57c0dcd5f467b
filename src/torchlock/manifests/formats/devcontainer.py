"""devcontainer.json: the commands that set up a development container. It is JSON with comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.knowledge.images import image_of
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.document import Entry
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.shell import Command, Word
from torchlock.manifests.syntax.yaml import parse
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.yaml import Node

_STEPS = ("onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand")
_TOKEN = pattern(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|//[^\r\n]*|/\*.*?(?:\*/|\Z)|,(?=\s*[\]}])|\t', re.DOTALL)


def read(text: str, path: str) -> Document:
    """Read the commands in the order in which they run, in the image that the file names."""
    builder, state = DocumentBuilder(text, path, "devcontainer"), Installed()
    root, wrong = parse(_TOKEN.sub(lambda match: _plain(match[0]), text))
    for start, message in wrong[:1]:
        builder.issue("TL901", "note", f"the file cannot be read from here on: {message}", start)
    builder.document.platforms, builder.document.assumed = ("linux-x86_64", "linux-aarch64"), True
    image = root.get("image")
    for name in _STEPS:
        step = root.get(name)
        for command in [] if step is None else [value for _, value in step.pairs] or [step]:
            _run(builder, command, state)
    if image is not None and image.text and state.entries:
        _base(builder, image, state)
    builder.add(state.entries)
    return builder.document


def _plain(token: str) -> str:
    """A string as it is; spaces for a comment, a comma at the end of a list, and a tab."""
    return token if token[0] == '"' else re.sub(r"[^\r\n]", " ", token)


def _run(builder: DocumentBuilder, command: Node, state: Installed) -> None:
    """A command: a text for a shell, or a list of words."""
    state.folder.here = ""
    if command.text:
        EmbeddedBuilder(builder, command.text, [(0, command.start)], exact=command.exact).install(state)
    words = [Word(item.text, item.start, item.start) for item in command.items if item.text]
    if words:
        Installer(builder, state).take(Command(words))


def _base(builder: DocumentBuilder, image: Node, state: Installed) -> None:
    """The torch of the image, if it has one, or may have one."""
    found = image_of(image.text or "")
    if found.torch or found.vendor or found.unknown:
        place, url = builder.place(image.start), f"image:{image.text}"
        state.entries.insert(0, Entry("torch", "", place, f"image {image.text}", builder.path, url=url))
    elif found.python:
        builder.python(f"=={found.python}" + (".*" if found.python.count(".") == 1 else ""), image.start)
