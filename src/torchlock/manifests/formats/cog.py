"""cog.yaml, which defines the image that Cog builds for a Replicate model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.yaml import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.syntax.yaml import Node


def read(text: str, path: str) -> Document:
    """Read the Python version, packages and commands (``pre_install``, ``run``) in ``build``."""
    builder, state = DocumentBuilder(text, path, "cog"), Installed()
    root, wrong = parse(text)
    for start, message in wrong[:1]:
        builder.issue("TL501", "error", f"not valid YAML: {message}", start)
    build = root.get("build")
    if build is None:
        return builder.document
    builder.document.platforms = ("linux-x86_64",)
    version = build.get("python_version")
    if version is not None and re.fullmatch(r"\d+\.\d+(?:\.\d+)?", version.text or ""):
        builder.python(f"=={version.text}" + (".*" if (version.text or "").count(".") == 1 else ""), version.start)
    _commands(builder, build.get("pre_install"), state)
    state.step += 1
    packages = build.get("python_packages")
    for item in packages.items if packages else ():
        state.entries += list(_package(builder, item))
    requirements = build.get("python_requirements")
    if requirements is not None and requirements.text:
        state.entries += builder.include(requirements.text, requirements.start)
    for entry in state.entries:
        entry.step = entry.step or state.step
    _commands(builder, build.get("run"), state)
    builder.add(state.entries)
    return builder.document


def _package(builder: DocumentBuilder, item: Node) -> Iterator[Entry]:
    """A line for pip: a requirement, or an index option."""
    text = item.text or ""
    option = re.match(r"(--extra-index-url|--index-url|--find-links)[= ]\s*(\S+)", text)
    if option:
        kind = {"--extra-index-url": "extra", "--index-url": "index"}.get(option[1], "find-links")
        builder.index(kind, option[2], item.start)
    elif text and "://" not in text:
        exact = Span(item.start, item.start + len(text)) if item.exact else None
        entry = builder.requirement(text, item.start, exact)
        if entry is not None:
            yield entry


def _commands(builder: DocumentBuilder, node: Node | None, state: Installed) -> None:
    """The commands of a list: each is a text, or a table with ``command``."""
    for item in node.items if node else ():
        held = item.get("command") if item.mapping else item
        if held is not None and held.text:
            EmbeddedBuilder(builder, held.text, [(0, held.start)], exact=held.exact).install(state)
        elif held is not None and held.block:
            start, end, _ = held.block
            EmbeddedBuilder(builder, builder.text[start:end], [(0, start)]).install(state)
