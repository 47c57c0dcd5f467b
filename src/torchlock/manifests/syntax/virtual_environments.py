"""Commands that make a virtual environment: ``python3 -m venv``, ``virtualenv``, ``uv venv``."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.manifests.syntax.shell import Word

_MAKERS = re.compile(r"(?:virtualenv|(?:\S*[/\\])?python[\d.]*(?:\.exe)? -m (?:venv|virtualenv)|uv venv)(?: |$)")
_PYTHON = re.compile(r"python(3\.\d+)")


class MadeEnvironment(NamedTuple):
    """A virtual environment without the packages of its Python. ``python``: the version that is named for it."""

    python: str = ""


def made_environment(words: Sequence[Word]) -> MadeEnvironment | None:
    """The environment that a command makes; None if it makes none, or one that has the packages of its Python."""
    values = [word.value for word in words]
    if not _MAKERS.match(" ".join(values[:3])) or "--system-site-packages" in values:
        return None
    options = [value for option, value in pairwise(values) if option in ("-p", "--python")]
    options += [value.partition("=")[2] for value in values if value.startswith("--python=")]
    named = [re.sub(r"^(?=3\.)", "python", PurePosixPath(value).name) for value in [*options, values[0]]]
    versions = [match[1] for value in named if (match := _PYTHON.match(value))]
    return MadeEnvironment(versions[0] if versions else "")
