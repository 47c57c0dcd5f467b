"""A damaged library that no package of Python brought: what brings it again, by the place where it is."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.check.conda_files import MOST, content_of, files_of
from torchlock.check.fix.commands import shell
from torchlock.finding import Remedy
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext


def replace_library(context: CheckContext, path: str, kind: str) -> Remedy:
    """The remedy for a library of conda or of the system; ``kind`` is what is there instead of it."""
    path = os.path.normpath(path)
    target = _target(path) if kind == "link" else ""
    if target:
        words = f"Link {os.path.basename(path)} to {os.path.basename(target)} again, which is beside it."
        return Remedy(words, commands=shell(context, "ln -sf", os.path.basename(target), path))
    if package := _of_conda(context, path):
        words = f"Install {package} again with conda, whose record has this file."
        return Remedy(words, commands=conda_install(context, "--force-reinstall", package))
    return Remedy(f"Install the system package that contains {path} again: no Python package contains it.")


def _target(path: str) -> str:
    """The file beside a text whose name it contains; "" if there is none."""
    name = (files.text(path, 4096) or "").strip()
    place = os.path.join(os.path.dirname(path), name)
    return place if re.fullmatch(r"[\w.+-]+", name) and files.is_file(place) else ""


def _of_conda(context: CheckContext, path: str) -> str:
    """The package of conda with a file; "" if none has it."""
    for record in islice(context.environment.conda, MOST):
        if any(each == path for each, _ in files_of(record, content_of(record))):
            return record.name
    return ""
