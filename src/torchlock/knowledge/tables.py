"""The folder of the bundled tables: in the installed package, or next to ``src/`` in a checkout.

The tables of ``torchlock data update`` take the place of bundled ones (``overlay.py``): ``path`` says which count.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from torchlock.errors import DataError
from torchlock.knowledge import overlay as overlays
from torchlock.knowledge.overlay import Ignored, Overlay

_PACKAGE = Path(__file__).parents[1]
_BUNDLED = _PACKAGE / "compat_data"
ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parents[1] / "compat_data"


def overlay() -> Overlay | None:
    """The tables of ``torchlock data update`` that count; None if only the bundled ones do."""
    found = overlays.active(overlays.user_folder(), ROOT)
    return None if isinstance(found, Ignored) else found


def ignored() -> str:
    """Why the tables of an update are not used, as a sentence; "" if there are none, or they are used."""
    found = overlays.active(overlays.user_folder(), ROOT)
    return found.because if isinstance(found, Ignored) else ""


def path(table: str) -> Path:
    """Where a table is that counts (``compiled/rules.json``): that of the last update, or the bundled one."""
    found = overlay()
    replaced = None if found is None else found.path(table)
    return replaced or ROOT / table


def load_compiled(name: str) -> dict[str, Any]:
    """Parse one compiled table, once; nobody may change it.

    Raises:
        DataError: the file is missing or damaged.
    """
    return _table(str(path(f"compiled/{name}")))


def load_json(path: Path) -> Any:
    """Parse one bundled JSON file.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(error.strerror or str(error), path=str(path)) from error
    except ValueError as error:
        raise DataError(f"not valid JSON ({error})", path=str(path)) from error


@cache
def _table(path: str) -> dict[str, Any]:
    table = load_json(Path(path))
    if not isinstance(table, dict):
        raise DataError("damaged (not an object)", path=path)
    return table
