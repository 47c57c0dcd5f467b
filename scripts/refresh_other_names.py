#!/usr/bin/env python3
"""Write compat_data/names/others/: what releases of projects outside the stack define, and others lack.

    refresh_other_names.py                        read the wheels of projects with a release that a table lacks
    refresh_other_names.py FOLDER [PROJECT ...]   write the tables from unpacked wheels

FOLDER/PROJECT/VERSION has the files of one release each, as ``pip install --no-deps --target`` leaves them: the
last patch release of each release, without a gap.
"""

from __future__ import annotations

import sys
from pathlib import Path

from packaging.version import Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from refreshing.other_names import add_new, table_text
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.storage import write_if_changed
from torchlock.index import IndexSettings

ROOT = Path(__file__).parents[1]
DATA = ROOT / "compat_data"
CACHE = ROOT / ".refresh"


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 2 if the index could not be read."""
    if not arguments:
        try:
            said = add_new(DATA, Asker(IndexSettings(PYPI_SIMPLE_ENDPOINT), CACHE / "index"), CACHE / "others")
        except TorchlockError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        print("\n".join(said or ["Nothing changed."]))
        return 0
    folder, *wanted = arguments
    tables = DATA / "names" / "others"
    tables.mkdir(exist_ok=True)
    for project in wanted or sorted(path.stem for path in tables.glob("*.json")):
        places = [path for path in Path(folder, project).iterdir() if any(path.rglob("__init__.py"))]
        places.sort(key=lambda path: Version(path.name))
        text = table_text(places)
        write_if_changed(tables / f"{project}.json", text, dry=False)
        print(project, len(places), len(text), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
