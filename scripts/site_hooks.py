"""Hooks of mkdocs: documents outside of docs/ become pages, and links that leave docs/ lead somewhere.

All documents are written for GitHub. A link to a document that is a page of the site becomes a link to that page.
A link to another file of the repository becomes its address on GitHub. The pages that scripts write (rules,
commands) are added to the navigation here.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/torchlock/torchlock/blob/main"
# Document of the repository → page of the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
# The pages in whose section the others of their folder are listed.
_INDEXES = ("guides/README.md", "commands/README.md")
_LINK = re.compile(r"(\]\(|(?:src|srcset|href)=\")([^()\s\"#]{1,300})((?:#[^()\s\"]{0,300})?)(?=[)\"])")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that are outside of docs/."""
    from mkdocs.structure.files import File  # tests read this module where mkdocs is not installed

    for document, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change the links of a page that leave docs/."""
    sources = {name: document for document, name in PAGES.items()}
    here = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return linked(markdown, here, page.file.src_uri)


def linked(markdown: str, document: str, page: str) -> str:
    """The text of a document of the repository with the links that the page has in the site."""
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [_change(markdown[end : fence.start()], document, page), fence[0]]
        end = fence.end()
    return "".join([*parts, _change(markdown[end:], document, page)])


def _change(text: str, document: str, page: str) -> str:
    def target(link: re.Match[str]) -> str:
        before, address, anchor = link.groups()
        return f"{before}{_address(address, document, page)}{anchor}"

    return _LINK.sub(target, text)


def _address(address: str, document: str, page: str) -> str:
    """Where a link of a document leads in the site."""
    if "://" in address or address.startswith("mailto:"):
        return address
    path = posixpath.normpath(posixpath.join(posixpath.dirname(document), address))
    if path in PAGES:
        inside = PAGES[path]
    elif path.startswith("docs/"):
        inside = path.removeprefix("docs/")
    else:
        return f"{REPOSITORY}/{path}"
    return posixpath.relpath(inside, posixpath.dirname(page) or ".")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation with the pages that scripts write."""
    docs = Path(config.docs_dir)
    config.nav = [_filled(entry, docs) for entry in config.nav or ()]
    return config


def _filled(entry: Any, docs: Path) -> Any:
    if isinstance(entry, list):
        return [_filled(each, docs) for each in entry]
    if isinstance(entry, dict):
        return {title: _filled(each, docs) for title, each in entry.items()}
    if isinstance(entry, str) and entry in _INDEXES:
        folder = docs / posixpath.dirname(entry)
        names = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
        return {_title(docs / entry): [{"Overview": entry}, *(f"{folder.name}/{name}" for name in names)]}
    return entry


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
