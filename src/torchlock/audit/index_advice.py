"""What to write so that an installer takes packages from a page of one build, in the terms of each tool."""

from __future__ import annotations

import re

from torchlock.knowledge.indexes import page_of
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, IndexLine


_STRATEGY = pattern(r"^[ \t#]*index-strategy[ \t]*=[ \t]*[\"']unsafe-", re.MULTILINE)
# The files of one tool.
_TOOLS = {
    "pipfile": "pipenv",
    "pipfile.lock": "pipenv",
    "uv.lock": "uv",
    "poetry.lock": "poetry",
    "pdm.lock": "pdm",
}


def is_project(document: Document) -> bool:
    """Whether a file has tables for a project tool: pyproject.toml, or a script with inline metadata."""
    return document.kind in ("pyproject", "script") or (document.kind == "python" and document.project)


def tool_of(document: Document) -> str:
    """The project tool that a file is for (``uv``, ``poetry``, ``pdm``, ``pipenv``); "" if it is for pip."""
    if document.kind in _TOOLS or not is_project(document):
        return _TOOLS.get(document.kind, "")
    lines = (*document.explicit, *document.indexes)
    named = next((line.tool for line in lines if line.tool), "")
    return named or next((tool for tool in ("uv", "poetry", "pdm") if f"[tool.{tool}" in document.text), "")


def merges_indexes(document: Document) -> bool:
    """Whether a project makes uv look at all indexes for each package, as pip does."""
    return is_project(document) and _STRATEGY.search(document.text) is not None


def naming_page(document: Document, label: str, names: str) -> str:
    """A sentence that says how to take some packages (in words) from the page of one build."""
    page = page_of(label)
    tool = tool_of(document)
    if tool == "uv":
        return (
            f'Declare the index: [[tool.uv.index]] with name = "pytorch-{label}", url = "{page}" and '
            f"explicit = true. Name it in [tool.uv.sources] for {names}."
        )
    if tool == "poetry":
        return (
            f"Run poetry source add --priority=explicit pytorch-{label} {page}, and write "
            f'source = "pytorch-{label}" for {names}.'
        )
    if tool == "pipenv":
        return (
            f'Declare the source: [[source]] with name = "pytorch-{label}" and url = "{page}". Write '
            f'index = "pytorch-{label}" for {names}.'
        )
    if tool == "pdm":
        return f'Declare the index: [[tool.pdm.source]] with name = "pytorch-{label}" and url = "{page}".'
    return f"Name the page of {label} builds: --extra-index-url {page}"


def limiting(line: IndexLine) -> str:
    """How to limit an index to the packages that name it."""
    name = line.name or "pytorch"
    if line.tool == "poetry":
        return f'Set priority = "explicit", and write source = "{name}" for torch and its companions.'
    if line.tool == "pipenv":
        return (
            f'Declare the public index as the first source. Write index = "{name}" for torch and its companions.'
        )
    if line.tool == "pdm":
        return 'Set include_packages = ["torch*"] and exclude_packages = ["*"].'
    if line.kind == "extra" and not line.name:
        return (
            f'Declare it as [[tool.uv.index]] with url = "{line.address}" and explicit = true, and name it in '
            "[tool.uv.sources] for torch and its companions."
        )
    return f'Set explicit = true, and name "{name}" in [tool.uv.sources] for torch and its companions.'
