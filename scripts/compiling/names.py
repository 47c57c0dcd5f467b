"""``names.toml``: names of torch and NumPy that not every release has, and what replaces names that are gone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from compiling.values import TableError, evidence_kind_of, read_toml, refuse_unknown, tables_of, text_of, texts_of

_NAME = re.compile(r"[a-z]\w*(\.\w+)+")
_MEMBER = re.compile(r"[A-Za-z]\w*")
# What a call prints, its line, the package, the release that changed it (since which, or until which, the call
# fails), what the code does, and what to write.
_CHANGED = ("error", "line", "package", "since", "until", "text", "instead")
_MAY_LACK = ("line", "since", "until")
_RELEASE = re.compile(r"\d+\.\d+")


def read_names(path: Path, sources: dict[str, Any]) -> dict[str, Any]:
    """``torch``: name → ``[since, until, sources]``; ``instead``: name → text; ``refused``: rows of three texts;
    ``changed``: rows of the texts error, line, package, since, until, text and instead, and the sources.

    ``numpy``: name → ``[until, since]``; ``numpy_api``: version of the C interface → release; ``loaded``: modules.

    Raises:
        TableError: the file is not of the form.
    """
    table = read_toml(path)
    found: dict[str, Any] = {"torch": {}, "instead": {}, "refused": [], "changed": [], "numpy": {}, "loaded": []}
    try:
        refuse_unknown(table, {"torch", "instead", "refused", "changed", "numpy", "numpy_api", "loaded"})
        for row in tables_of(table, "torch"):
            refuse_unknown(row, {"since", "until", "kind", "sources", "names"})
            evidence_kind_of(row)
            facts = [_release(row, "since"), _release(row, "until"), _known(row, sources)]
            _add(found["torch"], row, facts)
        for row in tables_of(table, "loaded"):
            refuse_unknown(row, {"names", "kind", "sources"})
            evidence_kind_of(row)
            _known(row, sources)
            found["loaded"] += texts_of(row, "names")
        for row in tables_of(table, "instead"):
            refuse_unknown(row, {"names", "text"})
            _add(found["instead"], row, text_of(row, "text"))
        for row in tables_of(table, "refused"):
            refuse_unknown(row, {"error", "name", "text"})
            if row.get("name") not in found["torch"]:
                raise TableError("must be a name of [[torch]]", "name")
            found["refused"].append([text_of(row, key) for key in ("error", "name", "text")])
        for row in tables_of(table, "changed"):
            refuse_unknown(row, {*_CHANGED, "kind", "sources"})
            evidence_kind_of(row)
            if not _release(row, "since") and not _release(row, "until"):
                raise TableError("must have a release", "since")
            found["changed"].append(
                [
                    *(text_of(row, key) if key in row or key not in _MAY_LACK else "" for key in _CHANGED),
                    _known(row, sources),
                ]
            )
        for row in tables_of(table, "numpy"):
            refuse_unknown(row, {"until", "since", "kind", "sources", "names"})
            evidence_kind_of(row)
            _known(row, sources)
            _add(found["numpy"], row, [_release(row, "until"), _release(row, "since")], _MEMBER)
        found["numpy_api"] = _interfaces(table, sources)
    except TableError as error:
        error.file = path.name
        raise
    return found


def _add(rows: dict[str, Any], row: dict[str, Any], value: object, form: re.Pattern[str] = _NAME) -> None:
    for name in texts_of(row, "names"):
        if name in rows or not form.fullmatch(name):
            raise TableError(f"{name!r} stands twice, or is not a name like torch.fft.rfft", "names")
        rows[name] = value


def _interfaces(table: dict[str, Any], sources: dict[str, Any]) -> dict[str, str]:
    row = table.get("numpy_api")
    if row is None:
        return {}
    refuse_unknown(row, {"kind", "sources", "releases"})
    evidence_kind_of(row)
    _known(row, sources)
    return {number: _release(row["releases"], number) for number in row["releases"]}


def _release(row: dict[str, Any], key: str) -> str:
    if key not in row:
        return ""
    if not _RELEASE.fullmatch(text_of(row, key)):
        raise TableError("must be a release like 2.4", key)
    return text_of(row, key)


def _known(row: dict[str, Any], sources: dict[str, Any]) -> list[str]:
    for source in texts_of(row, "sources"):
        if source not in sources:
            raise TableError(f"unknown source {source!r}", "sources")
    return texts_of(row, "sources")
