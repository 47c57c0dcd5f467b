"""Whether the files that a log names are those of this machine, where many machines have the same path.

``/usr/lib/python3/dist-packages`` and ``/opt/conda/lib/python3.11/site-packages`` are on most machines and in most
containers. Such a path proves nothing: the files that the log names must be here, with its lines of code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.log import Log

# The folders that images and distributions share; a path with the name of a user or a project is none.
_SHARED = re.compile(r"/(?:usr|opt/(?:conda|venv|python|homebrew)|app|venv|root/(?:\.venv|miniconda3|anaconda3))/")
_FRAME = re.compile(
    r'File "(?P<path>/[^"\n]{1,400}\.py)", line (?P<line>\d{1,7})(?:, in [^\n]{1,200})?'
    r"(?:\n {4}(?P<code>[^\n]{1,400}))?"
)
# A file below a folder of packages.
_FILE = re.compile(r"/[\w./+-]{1,200}-packages/[\w./+-]{1,200}\.(?:py|so(?:\.\d{1,4}){0,3}|dylib)(?![\w.])")
# So many frames of a log are compared, of files of this size.
_MOST = 60
_LARGEST = 2 << 20


class _Frame(NamedTuple):
    path: str
    line: int
    code: str


def is_shared(site: str) -> bool:
    """Whether a folder of packages has a path that many machines have."""
    return bool(_SHARED.match(f"{site}/"))


def is_of_here(log: Log, site: str) -> bool:
    """Whether the files in a folder of packages are those that a log names.

    Each must be here, and that of a traceback must have the line of code that the log shows. A log that names no
    file of that folder proves nothing.
    """
    named = {match[0] for match, _ in zip(_FILE.finditer(log.text), range(_MOST), strict=False)}
    mine = [path for path in named if path.startswith(f"{site}/")]
    return bool(mine) and all(map(files.is_file, mine)) and all(map(_is_here, _frames(log.text, site)))


def _frames(text: str, site: str) -> Iterator[_Frame]:
    found = (match for match in _FRAME.finditer(text) if match["path"].startswith(f"{site}/"))
    for match, _ in zip(found, range(_MOST), strict=False):
        code = (match["code"] or "").strip()
        yield _Frame(match["path"], int(match["line"]), "" if set(code) <= set("^~ ") else code)


def _is_here(frame: _Frame) -> bool:
    lines = (files.text(frame.path, _LARGEST) or "").split("\n")
    if frame.line > len(lines):
        return False
    return not frame.code or frame.code in lines[frame.line - 1]
