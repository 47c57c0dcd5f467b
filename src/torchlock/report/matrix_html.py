"""The matrix as one page: HTML, style, data and script in one file, which asks nothing of the network."""

from __future__ import annotations

import html
import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.matrix.page_data import page_data
from torchlock.matrix.selection import COMPANIONS, EVERY, PUBLIC
from torchlock.matrix.values import LOADS, UNKNOWN
from torchlock.report.matrix_rows import agreed
from torchlock.report.matrix_text import spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.matrix.selection import Selection
    from torchlock.matrix.table import Table
    from torchlock.matrix.values import Entry

_PARTS = Path(__file__).parent / "page"
_SCRIPTS = ("judge.js", "markers.js", "paste.js", "view.js", "detail.js", "start.js")
_MARKS = {"measured": "●", "declared": "◐", "reported": "○"}


def page(table: Table, selection: Selection) -> str:
    """The page, with its filters set as the selection says.

    Raises:
        DataError: a bundled table is missing or damaged.
    """
    data = {**page_data(table), "initial": _initial(table, selection)}
    parts = {
        "version": __version__,
        "date": table.date,
        "update": "" if table.update is None else html.escape(f" {table.update}"),
        "css": _part("page.css"),
        "platforms": "".join(_platform(table, selection)),
        "overview": _overview(table, selection),
        "data": _json(data),
        "script": "\n".join(map(_part, _SCRIPTS)),
    }
    text = _part("page.html")
    for name, value in parts.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _json(data: dict[str, Any]) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _initial(table: Table, selection: Selection) -> dict[str, Any]:
    """The values of the filters by the identifier of their element."""
    found: dict[str, Any] = {"platform": table.stack.platforms.index(selection.platforms[0])}
    if selection.python is not None:
        found["python"] = table.stack.pythons.index(selection.python)
    if selection.build not in (PUBLIC, EVERY):
        found["build"] = selection.build
    if selection.gpu is not None:
        found["gpu"] = selection.gpu.arch
    if selection.driver:
        found["driver"] = selection.driver
    return found


def _platform(table: Table, selection: Selection) -> Iterator[str]:
    for number, name in enumerate(table.stack.platforms):
        selected = " selected" if name == selection.platforms[0] else ""
        yield f'<option value="{number}"{selected}>{html.escape(name)}</option>'


def _overview(table: Table, selection: Selection) -> str:
    """The rows of the first table, so that the page shows them before its script runs."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("torch", *COMPANIONS))
    wanted = selection.on_one_platform()
    rows = []
    for (torch, build), entries in groupby(table.entries(wanted), key=lambda each: (each.torch, each.torch_build)):
        found = agreed(entries)
        columns = ([each for each in found if each.package == name] for name in COMPANIONS)
        cells = "".join(
            f"<td>{_cell(each, table.stack.packages[name].versions)}</td>"
            for name, each in zip(COMPANIONS, columns, strict=True)
        )
        rows.append(f'<tr><th scope="row">{torch} <small>{html.escape(build or "?")}</small></th>{cells}</tr>')
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _cell(entries: Sequence[Entry], versions: Sequence[str]) -> str:
    loads = [each for each in entries if each.judged.verdict == LOADS]
    good = [each for each in loads if each.allowed and not each.yanked] or loads
    shown = good or [each for each in entries if each.judged.verdict == UNKNOWN]
    if not shown:
        return '<span aria-hidden="true">–</span>'
    marks = "".join(dict.fromkeys(_MARKS.get(each.judged.kind, "?") for each in reversed(shown)))
    return f"{marks} {', '.join(spans((each.version for each in shown), versions)).replace('-', '–')}"
