"""Why a package does not compile, by what its build prints (``compat_data/build_failures.toml``)."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from torchlock.knowledge import tables

# Compilers quote as their language does.
_QUOTES = dict.fromkeys(map(ord, '"`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d'), "'")


class BuildFailure(NamedTuple):
    """A known reason: ``says`` and ``fix`` are its texts, ``in_place`` what it says of a build without isolation.

    ``first`` is installed before the package, which is then built with ``options``. ``command`` is one that is not
    of an installer of Python packages, ``apt`` and ``brew`` are packages of the system. ``is_older``: the code is
    for earlier Pythons. ``sources`` are the identifiers of those that say so.
    """

    says: str
    fix: str
    in_place: str = ""
    first: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    command: str = ""
    apt: tuple[str, ...] = ()
    brew: tuple[str, ...] = ()
    is_older: bool = False
    sources: tuple[str, ...] = ()


def failure_in(output: str) -> BuildFailure | None:
    """The reason that the output of a build shows; None if none is known.

    Raises:
        DataError: the bundled table is damaged.
    """
    plain = output.translate(_QUOTES)
    for pattern, row in _rows():
        if (match := pattern.search(output) or pattern.search(plain)) is not None:
            return _filled(row, {name: text or "" for name, text in match.groupdict().items()})
    return None


def _filled(row: dict[str, Any], groups: dict[str, str]) -> BuildFailure:
    def text(written: str) -> str:
        return re.sub(r"\{(\w{1,20})\}", lambda name: groups.get(name[1], name[0]), written)

    lists = {key: tuple(text(each) for each in row.get(key, ())) for key in ("first", "options", "apt", "brew")}
    return BuildFailure(
        text(row["says"]),
        text(row["fix"]),
        text(row.get("in_place", "")),
        command=row.get("command", ""),
        is_older=row.get("older", False),
        sources=tuple(row["sources"]),
        **lists,
    )


@cache
def _rows() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    rows = tables.load_compiled("build_failures.json")["failures"]
    return [(re.compile(row["line"]), row) for row in rows]
