"""The folder of the bundled tables: in the installed package, or next to ``src/`` in a checkout.

The tables of ``torchlock data update`` take the place of bundled ones (``overlay.py``): ``path`` says which count.
"""

from __future__ import annotations

import json
import os
from functools import cache

from torchlock.errors import DataError
from torchlock.knowledge import overlay as overlays
from torchlock.knowledge.overlay import Ignored, Overlay
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    ROOT: Path

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BUNDLED = os.path.join(_PACKAGE, "compat_data")
if not os.path.isdir(_BUNDLED):
    _BUNDLED = os.path.join(os.path.dirname(os.path.dirname(_PACKAGE)), "compat_data")


def __getattr__(name: str) -> Path:
    """``ROOT``, the folder of the bundled tables: a lock does not need it, and does not import pathlib."""
    if name != "ROOT":
        raise AttributeError(name)
    from pathlib import Path

    found = globals()["ROOT"] = Path(_BUNDLED)
    return found


def bundled(table: str) -> str:
    """The path of a bundled table (``compiled/rules.json``)."""
    return os.path.join(str(globals().get("ROOT", _BUNDLED)), *table.split("/"))


def _active() -> Overlay | Ignored | None:
    if not overlays.may_be_there():
        return None
    from pathlib import Path

    return overlays.active(overlays.user_folder(), Path(bundled("")))


def overlay() -> Overlay | None:
    """The tables of ``torchlock data update`` that count; None if only the bundled ones do."""
    found = _active()
    return None if isinstance(found, Ignored) else found


def ignored() -> str:
    """Why the tables of an update are not used, as a sentence; "" if there are none, or they are used."""
    found = _active()
    return found.because if isinstance(found, Ignored) else ""


def place(table: str) -> str:
    """Where a table is that counts (``compiled/rules.json``): that of the last update, or the bundled one."""
    found = overlay()
    replaced = None if found is None else found.path(table)
    return bundled(table) if replaced is None else str(replaced)


def path(table: str) -> Path:
    """``place`` as a path."""
    from pathlib import Path

    return Path(place(table))


def load_compiled(name: str) -> dict[str, Any]:
    """Parse one compiled table, once; nobody may change it.

    Raises:
        DataError: the file is missing or damaged.
    """
    return _table(place(f"compiled/{name}"))


def load_json(path: Path | str) -> Any:
    """Parse one bundled JSON file.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except OSError as error:
        raise DataError(error.strerror or str(error), path=str(path)) from error
    except ValueError as error:
        raise DataError(f"not valid JSON ({error})", path=str(path)) from error


@cache
def _table(path: str) -> dict[str, Any]:
    table = load_json(path)
    if not isinstance(table, dict):
        raise DataError("damaged (not an object)", path=path)
    return table
