"""The files of conda's packages, by the records in ``conda-meta``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.inspect.environment import CondaRecord

# The limit on the records that are read, and on the size of one.
MOST, _LARGEST = 1000, 8 << 20


def content_of(record: CondaRecord) -> dict[str, Any]:
    """A record as it is written; empty if it cannot be read."""
    try:
        content = json.loads(files.read(record.path, _LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def files_of(record: CondaRecord, content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The paths of the files of a package, each with its hash; "" if the record has none."""
    prefix = os.path.dirname(os.path.dirname(record.path))
    data = content.get("paths_data")
    listed = data.get("paths") if isinstance(data, dict) else None
    rows = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    hashes = {str(each.get("_path")): str(each.get("sha256") or "") for each in rows}
    named = content.get("files")
    for name in dict.fromkeys([*hashes, *map(str, named if isinstance(named, list) else ())]):
        yield os.path.normpath(os.path.join(prefix, name)), hashes.get(name, "")
