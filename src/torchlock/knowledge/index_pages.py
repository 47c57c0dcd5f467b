"""The projects beside torch on the pages of the PyTorch index, from ``compat_data/builds/index_pages.toml``."""

from __future__ import annotations

from functools import cache

from torchlock.errors import DataError
from torchlock.knowledge import tables

_TABLE = "index_pages.json"


@cache
def _projects(part: str) -> frozenset[str]:
    try:
        return frozenset(tables.load_compiled(_TABLE)[part]["projects"])
    except (KeyError, TypeError) as error:
        raise DataError(f"damaged ({error})", path=str(tables.ROOT / "compiled" / _TABLE)) from error


def is_excluded(project: str) -> bool:
    """Whether no page of the PyTorch index has this project (a normalised name).

    Raises:
        DataError: the table is missing or damaged.
    """
    return project not in _projects("allowed")


def is_present(project: str) -> bool:
    """Whether every page of builds has this project. False if that is unknown.

    Raises:
        DataError: the table is missing or damaged.
    """
    return project in _projects("present")
