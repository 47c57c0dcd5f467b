"""Tables that ``torchlock data update`` made on this machine, instead of the bundled ones of the same name.

They are in the user's data folder: ``current.json`` names the folder with the tables, their hashes, and the
bundled data that they were built for. Tables that are damaged, or made for other data, are ignored as a whole, and
a note says so: the bundled tables are always enough to go on.
"""

from __future__ import annotations

import json
import os
import re
import sys
from functools import cache

from torchlock import __version__
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
MANIFEST = "current.json"
# The folders of the tables, one for each update.
SETS = "sets"
# The names of tables that an overlay may hold.
TABLE = pattern(r"releases/[a-z0-9][a-z0-9-]*\.json|compiled/(?:rules|compatibility|proofs)\.json")
# The longest manifest, and the longest table.
_LONGEST, LARGEST = 4 << 20, 64 << 20
# The files by which one state of the bundled data is known from another.
_TOLD_BY = ("releases/DATE", "compiled/rules.json", "compiled/compatibility.json")
_DAY = pattern(r"\d{4}-\d\d-\d\d")
_AGAIN = "run torchlock data update"


class Overlay(NamedTuple):
    """The tables of one update.

    ``folder`` has the tables; ``date`` is the day of the update; ``source`` the index or the bundle, without
    credentials. ``bundled`` is the date of the bundled data. ``dates`` is the day of the update for each project
    whose releases were asked for, and ``adds`` the releases that the bundled data lack, with their dates.
    ``unproven`` has, for releases of the torch family, why it is not known what they work with: by platform, or
    for every one (""). ``files`` are the tables with SHA-256 and size.
    """

    folder: Path
    date: str
    source: str
    bundled: str
    dates: Mapping[str, str]
    adds: tuple[tuple[str, str, str], ...]
    unproven: Mapping[str, Mapping[str, Mapping[str, str]]]
    files: Mapping[str, tuple[str, int]]

    def path(self, table: str) -> Path | None:
        """Where a table is (``releases/torch.json``); None if the bundled one counts."""
        return self.folder / table if table in self.files else None


class Ignored(NamedTuple):
    """Tables that do not count; ``because`` is a sentence that says why, and what to do."""

    because: str


def user_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """``TORCHLOCK_DATA_DIR``, or torchlock's folder in the data folder of this system; None without a home."""
    from pathlib import Path

    found = _user_folder(os.environ if environ is None else environ)
    return None if found is None else Path(found)


def _user_folder(environ: Mapping[str, str]) -> str | None:
    if named := environ.get("TORCHLOCK_DATA_DIR"):
        return named
    if sys.platform == "win32" and (local := environ.get("LOCALAPPDATA")):
        return os.path.join(local, "torchlock", "data")
    if (shared := environ.get("XDG_DATA_HOME")) and os.path.isabs(shared):
        return os.path.join(shared, "torchlock")
    home = environ.get("HOME") or os.path.expanduser("~")
    if home == "~":
        return None
    inner = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "share")
    return os.path.join(home, *inner, "torchlock")


def may_be_there() -> bool:
    """Whether there may be an update on this machine."""
    folder = _user_folder(os.environ)
    if folder is None:
        return False
    try:
        os.stat(os.path.join(folder, MANIFEST))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True


def digest_of(bundled: Path) -> str:
    """The digest of this state of the bundled data (``compat_data``).

    Raises:
        OSError: they cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    for name in _TOLD_BY:
        digest.update((bundled / name).read_bytes())
    return digest.hexdigest()


def read_overlay(folder: Path, bundled: Path) -> Overlay | Ignored | None:
    """The overlay in a data folder; why it is ignored; None if there is none.

    ``bundled`` is ``compat_data``. Every table is compared with its hash.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(_LONGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return Ignored(f"the data of the last update cannot be read ({error.strerror or error})")
    try:
        manifest = json.loads(text)
        found = overlay_of(manifest, folder / SETS)
        if isinstance(found, Ignored):
            return found
        reasons = (reason(manifest, found, bundled) for reason in (_other_torchlock, _damage))
        return next((reason for reason in reasons if reason is not None), found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Ignored(f"the data of the last update are damaged ({MANIFEST}); {_AGAIN}")
    except OSError as error:
        return Ignored(f"the data of the last update are damaged ({error.strerror or error}); {_AGAIN}")


def overlay_of(manifest: Mapping[str, Any], sets: Path) -> Overlay | Ignored:
    """The overlay that a manifest describes, its tables in a folder of ``sets``.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the text is not a manifest.
    """
    if manifest["format"] != FORMAT:
        return Ignored(f"the last update was made by another release of torchlock; {_AGAIN}")
    name = str(manifest["set"])
    files = {str(table): (str(row[0]), int(row[1])) for table, row in manifest["files"].items()}
    if not re.fullmatch(r"[0-9a-f]{16}", name) or not all(map(TABLE.fullmatch, files)):
        raise ValueError("a name that no table has")
    days = [manifest["date"], manifest["bundled"]["date"], *manifest["dates"].values()]
    if not all(_DAY.fullmatch(day) for day in days):
        raise ValueError("no date")
    return Overlay(
        sets / name,
        manifest["date"],
        str(manifest["source"]),
        manifest["bundled"]["date"],
        {str(project): str(day) for project, day in manifest["dates"].items()},
        tuple((str(project), str(version), str(day)) for project, version, day in manifest["adds"]),
        {
            str(project): {str(version): dict(reasons) for version, reasons in rows.items()}
            for project, rows in manifest["unproven"].items()
        },
        files,
    )


def _other_torchlock(manifest: Mapping[str, Any], found: Overlay, bundled: Path) -> Ignored | None:
    if manifest["torchlock"] != __version__:
        made_by = f"torchlock {manifest['torchlock']}"
        return Ignored(f"the update of {found.date} was made by {made_by}, and is not used; {_AGAIN}")
    if manifest["bundled"]["digest"] != digest_of(bundled):
        return Ignored(f"the update of {found.date} was made for other bundled data, and is not used; {_AGAIN}")
    return None


def _damage(manifest: Mapping[str, Any], found: Overlay, bundled: Path) -> Ignored | None:
    import hashlib

    for table, (sha256, size) in found.files.items():
        path = found.folder / table
        if path.stat().st_size != size or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return Ignored(f"the update of {found.date} is damaged ({table}), and is not used; {_AGAIN}")
    return None


@cache
def active(folder: Path | None, bundled: Path) -> Overlay | Ignored | None:
    """``read_overlay``, read once."""
    return None if folder is None else read_overlay(folder, bundled)
