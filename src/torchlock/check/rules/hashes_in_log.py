"""TL509 and TL513: an installer refused a file because of its hash; the tables say whose hash it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.installer_findings import PURGE, Told, after, finding_of, install_again, is_there, words_of
from torchlock.check.installer_log import read_installation
from torchlock.finding import Remedy
from torchlock.knowledge.build_hashes import PUBLIC, HashTable, KnownFile
from torchlock.knowledge.registry import rule
from torchlock.knowledge.releases import Catalogue
from torchlock.knowledge.stack import FAMILY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# Requirements that may have hashes: those of a file.
_OF_FILE = re.compile(r"(?:^|\s)(?:-r|--requirements?|-c|--constraint|--require-hashes|--hash)\b|\(from -r ")
_NIGHTLY = re.compile(r"\.dev\d{8}")


@rule("TL513", "TL509", "TL520", on="log")
def refused(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A file whose hash is not the expected one: damaged on its way, of another index, or replaced."""
    first = log.first
    if first is None or first.rules[0] != "TL509":
        return
    asked = read_installation(log.text, first.line)
    if not is_there(context, asked):
        yield finding_of(context, found, asked, first.text, _told(context, asked))


def _told(context: CheckContext, asked: Installation) -> Told:
    table = _table(asked)
    wanted = {file for each in asked.expected for file in (table.files(each) if table else ())}
    got = set(table.files(asked.got)) if table and asked.got else set()
    what = asked.file or asked.requirement or "a file"
    is_of_it = any(file.name == asked.file for file in wanted)
    is_stated = any(f"sha256={each}" in asked.source for each in asked.expected)
    is_of_index = is_of_it or is_stated or _is_listed(asked) is False
    if not got and is_of_index:
        return _damaged(context, asked, what)
    if got and wanted:
        message = (
            f"the pinned hash of {what} belongs to a file of {_places(wanted)}, and the installer took "
            f"the file of {_places(got)}"
        )
        remedy = Remedy("Install from the index for which the hashes were made, or generate the hashes again.")
        return Told("TL513", message, remedy)
    message = f"the hash of {what} is not one of those that the requirements list for it"
    if _is_listed(asked) is None:
        message = f"the hash of {what} is not the one that the requirements or the index state for it"
    summary = (
        "Generate the hashes again, from the index that you install from; if the file is damaged, "
        "install without the cache."
    )
    return Told("TL509", message, Remedy(summary))


def _is_listed(asked: Installation) -> bool | None:
    """Whether the requirements list hashes; else the index states the expected one. None if this is unknown."""
    told = " ".join((asked.command, *asked.requested, asked.near))
    if asked.tool in ("uv", "poetry", "pdm") or len(asked.expected) > 1 or _OF_FILE.search(told):
        return True
    return False if asked.command else None


def _table(asked: Installation) -> HashTable | None:
    """The known hashes of the release: of the exact pin, else of the file."""
    if asked.name not in FAMILY:
        return None
    version = asked.version or (asked.file.split("-")[1] if asked.file.count("-") > 1 else "")
    return HashTable(asked.name, version.partition("+")[0], Catalogue()) if version else None


def _places(files: Collection[KnownFile]) -> str:
    """The indexes that have these files."""
    folders = sorted({file.folder for file in files})
    return " and ".join("the public index" if folder == PUBLIC else f"the page {folder}" for folder in folders)


def _damaged(context: CheckContext, asked: Installation, what: str) -> Told:
    """The index states this hash itself: what arrived is another file than the one that it has."""
    later = ", or a later file replaced it on the page" if _NIGHTLY.search(what) else ""
    message = (
        f"{what} did not arrive as the index has it: the download was cut off or changed{later}, so its hash "
        f"is another one"
    )
    commands = after(install_again(context, words_of(asked), "--no-cache-dir"), PURGE)
    summary = (
        "Delete the installer's cache, and download the file again; behind a proxy or with a slow network, "
        "download it with a browser first."
    )
    if later:
        summary += " If the hash stays wrong, use the nightly build of another day."
    because = "installers refuse a file whose hash is not the one that its index states"
    return Told("TL520", message, Remedy(summary, commands=commands), because)
