"""Which installed packages load or save audio through torchaudio, by their source."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from torchlock.inspect.record import read_record
from torchlock.inspect.source import LARGEST, parsed, uses
from torchlock.knowledge.stack import STACK
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.inspect.distributions import Distribution
    from torchlock.inspect.source import Use

# The functions of torchaudio 2.9 and later that call torchcodec.
_CALLS = frozenset({"torchaudio.load", "torchaudio.save"})
_MENTIONED = re.compile(rb"\.(?:load|save)\b|\bimport (?:load|save)\b")
_MOST = 2000


def asks_for_torchaudio(distribution: Distribution) -> bool:
    """Whether a package outside of the stack requires torchaudio."""
    lines = distribution.metadata.requires
    return distribution.name not in STACK and any(re.match(r"torchaudio\b", line) for line in lines)


def modules_of(distribution: Distribution) -> Iterator[str]:
    """The source files of a package, as far as they are recorded, without tests."""
    record = read_record(distribution)
    for row in islice(() if isinstance(record, str) else record, _MOST):
        parts = row.path.split("/")
        if row.path.endswith(".py") and not {"", "..", "test", "tests"} & set(parts):
            yield os.path.join(distribution.entry.path, *parts)


def first_call(context: CheckContext) -> tuple[Distribution, Use] | None:
    """The first package that requires torchaudio and loads or saves with it, and the place.

    A call in ``try``, under a condition or in a loop is not counted: the package may have another way.
    """
    for distribution in filter(asks_for_torchaudio, context.installed.distributions):
        for path in modules_of(distribution):
            found = next((use for use in _calls(path) if use.name in _CALLS), None)
            if found is not None:
                return distribution, found
    return None


def _calls(path: str) -> list[Use]:
    """What a file takes from torchaudio; parsing takes fifty times as long as a search of the text."""
    try:
        content = files.read(path, LARGEST)
    except (OSError, ValueError):
        return []
    tree = parsed(path) if b"torchaudio" in content and _MENTIONED.search(content) else None
    return uses(tree, path, ("torchaudio",)) if tree is not None else []
