""".pre-commit-config.yaml: the ``additional_dependencies`` of hooks, each in its own environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.location import Span
from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.syntax.yaml import parse
from torchlock.records import replace

if TYPE_CHECKING:
    from torchlock.manifests.document import Document
    from torchlock.manifests.syntax.yaml import Node

_LANGUAGES = ("python", "conda")


def read(text: str, path: str) -> Document:
    """Read the dependencies of hooks that are written in Python, or do not name their language."""
    builder = DocumentBuilder(text, path, "pre-commit")
    root, wrong = parse(text)
    for start, message in wrong[:1]:
        builder.issue("TL901", "note", f"the file cannot be read from here on: {message}", start)
    repositories = root.get("repos")
    for repository in repositories.items if repositories else ():
        hooks = repository.get("hooks")
        for hook in hooks.items if hooks else ():
            _hook(builder, hook)
    return builder.document


def _hook(builder: DocumentBuilder, hook: Node) -> None:
    listed, language = hook.get("additional_dependencies"), hook.get("language")
    if listed is None or (language is not None and language.text not in _LANGUAGES):
        return
    scope = f"alone:line-{builder.place(hook.start).line}"
    for item in listed.items:
        text = item.text or ""
        if not text or text.startswith("-") or "@" in text:
            continue  # An option of pip, a package of npm.
        exact = Span(item.start, item.start + len(text)) if item.exact else None
        entry = builder.requirement(text, item.start, exact, quiet=language is None)
        builder.add([replace(entry, scope=scope)] if entry else [])
