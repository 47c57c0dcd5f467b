"""The documentation site: it is built without a warning, its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import command_pages
import rule_pages
from torchlock.cli.interface import interface
from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.knowledge import stories, tables
from torchlock.knowledge.rules import Matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
# Elements that make a browser ask for the address in their ``src``, and links that do so.
LOADED = ("script", "img", "iframe", "source", "video", "audio", "embed")
LINKS_LOADED = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


class Page(HTMLParser):
    """The anchors of a page, its links, and the addresses that a browser asks for when it shows the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADED and "src" in found:
            self.loaded.append(found["src"])
        if tag == "link" and LINKS_LOADED & set(found.get("rel", "").split()):
            self.loaded.append(found["href"])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The built site; CI builds it once, before the tests."""
    if built := os.environ.get("TORCHLOCK_TEST_SITE"):
        return Path(built)
    pytest.importorskip("material", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=quiet)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)
    return tmp_path


def test_the_built_site_is_whole_and_asks_no_other_host(site: Path) -> None:
    """One test, because a build takes as long as a hundred tests."""
    pages = {
        f"/{path.relative_to(site).as_posix()}".removesuffix("index.html"): Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    addresses = {rule: stories.help_uri(rule) for rule in Matrix().rules()}
    assert [rule for rule, uri in addresses.items() if f"/{uri.removeprefix(stories.SITE)}" not in pages] == []
    assert list(broken_links(site, pages)) == []
    assert list(foreign(site, pages)) == []


def broken_links(site: Path, pages: dict[str, Page]) -> Iterator[str]:
    """The links inside of the site that lead to no page, no file or no anchor."""
    for address, page in pages.items():
        for link in page.links if address != "/404.html" else ():
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            parts = urlsplit(urljoin(address, link))
            target, anchor = pages.get(parts.path), unquote(parts.fragment)
            if target is None:
                if not (site / unquote(parts.path.lstrip("/"))).is_file():
                    yield f"{address}: {link}"
            elif anchor and anchor not in target.anchors:
                yield f"{address}: {link}"


def foreign(site: Path, pages: dict[str, Page]) -> Iterator[str]:
    """What a browser asks of other hosts."""
    for address, page in pages.items():
        yield from (f"{address}: {each}" for each in page.loaded if urlsplit(each).netloc)
    for sheet in site.rglob("*.css"):
        yield from re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8"))


def test_the_configuration_is_that_of_the_program() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert f"site_url: {stories.SITE}\n" in text
    assert re.search(r"^  font: false", text, re.M)
    assert "repo_url" not in text  # the theme would ask GitHub for the number of stars


def test_the_pages_of_commands_are_new() -> None:
    assert command_pages.stale(command_pages.PAGES, command_pages.pages(interface())) == []
    wanted = rule_pages.pages(Matrix(tables.ROOT / "compiled" / "rules.json"))
    assert rule_pages.stale(rule_pages.PAGES, wanted) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_has_every_option(command: str) -> None:
    text = (command_pages.PAGES / f"{command}.md").read_text(encoding="utf-8")
    text += (command_pages.PAGES / "README.md").read_text(encoding="utf-8")
    for action in parser_of(command)[0]._actions:
        for flag in action.option_strings:
            assert re.search(rf"`{flag}[` ]", text), flag


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_a_command_has_every_example(command: str) -> None:
    """``test_cli_options.py`` parses the examples of the help."""
    text = (command_pages.PAGES / f"{command}.md").read_text(encoding="utf-8")
    (described,) = (each for each in interface() if each.name == command)
    examples = re.findall(r"^ +(torchlock (?:\S| (?! ))+)", described.epilog, re.M)
    assert examples
    assert [example for example in examples if f"$ {example}\n" not in text] == []
