#!/usr/bin/env python3
"""Write compat_data/names/others/: what releases of projects outside the stack define, and others lack.

    refresh_other_names.py FOLDER [PROJECT ...]

FOLDER/PROJECT/VERSION has the files of one release each, as ``pip install --no-deps --target`` leaves them: the
last patch release of each release, without a gap.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from packaging.version import Version

from refreshing.changed_names import changed, read_release

DATA = Path(__file__).parents[1] / "compat_data" / "names" / "others"


def main(arguments: list[str]) -> int:
    folder, *wanted = arguments
    DATA.mkdir(exist_ok=True)
    for project in wanted or sorted(path.stem for path in DATA.glob("*.json")):
        places = [path for path in Path(folder, project).iterdir() if any(path.rglob("__init__.py"))]
        places.sort(key=lambda path: Version(path.name))
        table = changed([read_release(path) for path in places])
        table["releases"] = [path.name for path in places]
        text = json.dumps(table, separators=(",", ":"), sort_keys=True)
        (DATA / f"{project}.json").write_text(text + "\n", encoding="utf-8")
        print(project, len(places), len(text), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
