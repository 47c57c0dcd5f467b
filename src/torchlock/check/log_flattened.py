"""Lines of a log that hold several: records in JSON, and tracebacks that a paste or a logger put into one line."""

from __future__ import annotations

import re

_HEADER = "Traceback (most recent call last)"
# The characters that JSON and Python escape in a text.
_ESCAPED = re.compile(r"\\([\"'\\/nrt])")
_MEANT = {"n": "\n", "r": "\n", "t": "    "}
_FRAME = re.compile(r'\s{0,8}(File "[^"\n]{1,300}", line \d{1,7}, in [\w<>.]{1,80})(?=\s|$)\s{0,8}')
_MARKS = re.compile(r"\s[~^]{2,300}(?=\s)")
# The beginning of an error behind code, or before a traceback.
_ERROR = re.compile(r"(?:^|\s)((?:[A-Za-z_][\w.]{0,80})?(?:Error|Exception|Missing): )")
# What stands between an error and its traceback.
_NO_ERROR = re.compile(r"(?<=[.'\")])\s{1,8}(?:Traceback|Stack ?trace):?\s{0,8}$", re.IGNORECASE)
# More text than a traceback in one line has.
_MOST = 40_000


def pieces(line: str) -> list[str]:
    """The lines that one line of a log holds; itself if it is a plain one."""
    if len(line) > _MOST or ("\\" not in line and 'File "' not in line):
        return [line]
    is_record = line.lstrip().startswith("{") and line.rstrip().endswith("}")
    if "\\" in line and (is_record or f"{_HEADER}:\\n" in line or f"{_HEADER}:\\r\\n" in line):
        found = _ESCAPED.sub(lambda match: _MEANT.get(match[1], match[1]), line).split("\n")
        return [piece for each in found if each for piece in _unfolded(each)]
    return _unfolded(line)


def _unfolded(line: str) -> list[str]:
    """The frames of a traceback in one line, their code, and the error, each as a line."""
    frame = _FRAME.search(line)
    if frame is None:
        return [line]
    before = line[: frame.start()]
    if not (_HEADER in before or _ERROR.search(before) or _FRAME.search(line, frame.end())):
        return [line]
    found = [each for each in _FRAME.sub(r"\n  \1\n    ", line[frame.start() :]).split("\n") if each.strip()]
    last = _MARKS.sub("", found[-1])
    error = _ERROR.search(last)
    if error is not None:
        found[-1:] = [last[: error.start()], last[error.start(1) :]]
    return [each for each in (_NO_ERROR.sub("", before), *found) if each.strip()]
