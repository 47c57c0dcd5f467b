"""The report on a bug of ours: a file with the tracebacks, to be sent by a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.finding import Remedy
from torchlock.redaction import masked, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.runtime.fence import Breakage

# So many different bugs are described; whoever mends them sees the others then.
_MOST = 5
# Of the command line, which may name ten thousand files.
_ARGUMENTS = 4_000


def kept(breakages: Iterable[Breakage]) -> str | None:
    """Write down what broke, each bug once, for its owner alone; the path of the file.

    None where no file can be made (a full disk, no folder for temporary files, no memory): this never raises.
    """
    try:
        return _written(_text(breakages))
    except Exception:
        return None


def request(path: str | None) -> str:
    """What to do with a report, as a sentence without a full stop; ``path`` may be None."""
    if path is None:
        return "please report it; no file could be written with what to send"
    return f"please report it with {path} (read it first: it holds your arguments)"


def remedy(breakages: Iterable[Breakage]) -> Remedy:
    """Write down what broke; what to do with that file, as the remedy of a finding."""
    text = request(kept(breakages))
    return Remedy(f"{text[:1].upper()}{text[1:]}.")


def _text(breakages: Iterable[Breakage]) -> str:
    import platform

    from torchlock import __version__

    distinct = list({(each.kind, each.place): each for each in breakages}.values())
    arguments = shortened(str([masked(word) for word in sys.argv[1:]]), _ARGUMENTS)
    parts = [
        f"torchlock {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {arguments}",
        *(f"\n{each}\n{masked(each.trace)}" for each in distinct[:_MOST]),
    ]
    if len(distinct) > _MOST:
        parts.append(f"\n{len(distinct) - _MOST} more of other kinds")
    return "\n".join(parts)


def _written(text: str) -> str:
    import os
    import tempfile
    from pathlib import Path

    descriptor, path = tempfile.mkstemp(prefix="torchlock-", suffix=".log", text=True)  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except BaseException:
        Path(path).unlink()
        raise
    return path
