"""The files of conda's packages, by the records in ``conda-meta``."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from torchlock.check.conda import conda_install
from torchlock.finding import Remedy
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.inspect.environment import CondaRecord

# The limits on the records that are read, and on the size of one.
MOST, _LARGEST = 1000, 8 << 20


def content_of(record: CondaRecord) -> dict[str, Any]:
    """What a record says; empty if it cannot be read."""
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


def owner_in_conda(context: CheckContext, path: str) -> CondaRecord | None:
    """The package of a library in the ``lib`` folder of this environment, which a log names by its path there."""
    prefix = context.environment.interpreter.prefix
    folder = os.path.join(prefix, "lib")
    name = os.path.basename(path)
    here = os.path.join(folder, name)
    is_of_this = os.path.basename(os.path.dirname(os.path.dirname(path))) == os.path.basename(prefix)
    if not prefix or not is_of_this or not os.path.lexists(here):
        return None
    for record in islice(context.environment.conda, MOST):
        if any(each == os.path.normpath(here) for each, _ in files_of(record, content_of(record))):
            return record
    return None


def update(context: CheckContext, *names: str) -> Remedy:
    """Make conda choose builds of these packages anew."""
    commands = tuple(
        each._replace(line=each.line.replace("conda install", "conda update", 1))
        for each in conda_install(context, *names)
    )
    return Remedy(
        f"Update {' and '.join(names)}, so that conda takes builds that were built for each other; or create the "
        "environment again, with all of its packages from one channel.",
        commands=commands,
    )
