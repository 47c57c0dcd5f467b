"""The pages of a folder with distributions: a simple index in files (PEP 503), and the same as JSON (PEP 691)."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from torchlock.index.download import hashes_of
from torchlock.runtime.temporary import Temporary
from torchlock.standards.filenames import is_distribution, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.fetching.bringing import Result

SIMPLE = "simple"
_OWN = '<meta name="generator" content="torchlock">'
_HEAD = (
    f'<!DOCTYPE html>\n<html><head><meta charset="utf-8">{_OWN}<meta name="pypi:repository-version" content="1.1">'
)


def write_pages(folder: Path, results: Sequence[Result]) -> None:
    """Write the pages for all distributions in a folder, those of earlier runs included.

    Raises:
        OSError: they cannot be written.
    """
    known = {each.found.wanted.filename: each for each in results if each.is_there}
    projects: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.iterdir()):
        if is_distribution(path.name) and (parsed := parse(path.name)) and path.is_file():
            old = _old_rows(folder / SIMPLE / parsed[0])
            projects.setdefault(parsed[0], []).append(_row(path, known.get(path.name), old.get(path.name)))
    for name, rows in projects.items():
        place = folder / SIMPLE / name
        place.mkdir(parents=True, exist_ok=True)
        meta = {"api-version": "1.1"}
        versions = sorted({str(parsed[1]) for row in rows if (parsed := parse(row["filename"]))})
        write_whole(
            place / "index.json", json.dumps({"meta": meta, "name": name, "versions": versions, "files": rows})
        )
        write_whole(place / "index.html", _page(f"Links for {name}", map(_link, rows)))
    links = (f'<a href="{name}/">{name}</a>' for name in projects)
    (folder / SIMPLE).mkdir(exist_ok=True)
    write_whole(folder / SIMPLE / "index.html", _page("Simple index", links))


def foreign_page(folder: Path) -> Path | None:
    """A page in the folder that would be replaced, and that another program wrote.

    Raises:
        OSError: a page cannot be read.
    """
    simple = folder / SIMPLE
    for page in (simple / "index.html", *simple.glob("*/index.html")):
        if page.exists() and _OWN not in page.read_bytes()[:1000].decode("utf-8", "replace"):
            return page
    return None


def _old_rows(place: Path) -> dict[str, dict[str, Any]]:
    """The files of a project as the page of an earlier run has them."""
    try:
        rows = json.loads((place / "index.json").read_text(encoding="utf-8"))["files"]
        return {row["filename"]: row for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _row(path: Path, result: Result | None, old: Mapping[str, Any] | None) -> dict[str, Any]:
    """A file as the JSON page describes it."""
    size = path.stat().st_size
    row: dict[str, Any] = {"filename": path.name, "url": f"../../{quote(path.name)}", "size": size}
    digest = None
    if result is not None:
        digest = next((each[7:] for each in result.found.wanted.hashes if each.startswith("sha256:")), None)
        digest = digest if len(result.found.wanted.hashes) == 1 else None
    elif old is not None and old.get("size") == size:
        digest = old.get("hashes", {}).get("sha256")
    row["hashes"] = {"sha256": digest or hashes_of(path)["sha256"].hexdigest()}
    python = result.found.requires_python if result is not None else (old or {}).get("requires-python")
    return {**row, "requires-python": python} if python else row


def _link(row: Mapping[str, Any]) -> str:
    python = row.get("requires-python", "")
    more = f' data-requires-python="{html.escape(python)}"' if python else ""
    url = f"{row['url']}#sha256={row['hashes']['sha256']}"
    return f'<a href="{html.escape(url)}"{more}>{html.escape(row["filename"])}</a>'


def _page(title: str, links: Iterable[str]) -> str:
    return (
        f"{_HEAD}<title>{html.escape(title)}</title></head><body>\n" + "<br>\n".join(links) + "\n</body></html>\n"
    )


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once.

    Raises:
        OSError: it cannot be written.
    """
    with Temporary(str(path.parent)) as temporary:
        with open(temporary.descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        if os.name != "nt":
            os.fchmod(temporary.descriptor, 0o644)
        temporary.take_place_of(str(path))
