"""The documents: every link, file and option that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.manifests.formats import FORMATS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "compat_data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
    *sorted((ROOT / "docs" / "commands").glob("*.md")),
    ROOT / "docs" / "rules" / "README.md",
    ROOT / "docs" / "rules" / "printed.md",
]
# A file or folder of the repository, by its path from the root or from the package.
FILE = re.compile(r"`((?:[\w-]+/)+(?:[\w-]+\.(?:py|toml|md|json))?)`")
# The same in a drawing, where it is not quoted.
DRAWN = re.compile(r"(?<![\w./])((?:[a-z_]+/)+(?:[a-z_]+\.py)?)(?![\w/])")
COMMAND = re.compile(rf"`(?:torchlock )?({'|'.join(COMMANDS)}) ([^`]*)`")

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(path: Path) -> set[str]:
    """The headings of a document as GitHub names them in a link."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@documents
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@documents
def test_files_and_folders_that_are_named_are_there(document: Path) -> None:
    for name in FILE.findall(document.read_text(encoding="utf-8")):
        assert any((root / name).exists() for root in (ROOT, ROOT / "src" / "torchlock", document.parent)), name


def test_the_table_of_formats_has_every_kind() -> None:
    """``script`` is what lock takes of a file that audit reads as ``python``."""
    rows = re.findall(r"^\|[^|]*\|([^|]*)\|", (ROOT / "docs" / "audit.md").read_text(encoding="utf-8"), re.M)
    named = {kind for row in rows for kind in re.findall(r"`([^`]+)`", row)}
    assert {row.kind for row in FORMATS} - {"script"} <= named


def test_the_drawings_of_the_architecture_name_files_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S) for name in DRAWN.findall(block)}
    assert len(named) > 20
    for name in named:
        assert (ROOT / "src" / "torchlock" / name).exists(), name


@documents
def test_options_that_are_named_exist(document: Path) -> None:
    for command, words in COMMAND.findall(document.read_text(encoding="utf-8")):
        known = {option for action in parser_of(command)[0]._actions for option in action.option_strings}
        for option in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", words):
            assert option in known, f"{command} {option}"
