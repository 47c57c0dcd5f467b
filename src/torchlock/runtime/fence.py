"""A bug as a value, so that a bug in one file, rule or candidate does not end the run."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.redaction import masked, shortened

# The number of frames and characters of a traceback that are kept: enough to find the bug.
_FRAMES = 60
_LONGEST = 16_000
# Of a message, which may quote a whole file.
_SHOWN = 300


class Breakage(NamedTuple):
    """An unexpected exception: its ``kind``, the ``place`` where it was raised, and its traceback."""

    kind: str
    place: str
    trace: str

    @property
    def because(self) -> str:
        """The cause, as half a sentence."""
        if self.kind == "MemoryError":
            return "it ran out of memory"
        return "this is a bug in torchlock, not in the input"

    def __str__(self) -> str:
        return f"{self.kind} in {self.place}" if self.place else self.kind


def breakage(error: Exception) -> Breakage:
    """Describe an exception; never raises, not even without memory."""
    kind, place = type(error).__name__, ""
    try:
        place = _place(error)
        return Breakage(kind, place, _trace(error))
    except Exception:
        return Breakage(kind, place, "")


def _place(error: Exception) -> str:
    """The last line of this package in the traceback: ``audit/install_sets.py:93``."""
    found, step = "", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename.replace("\\", "/")
        if "/torchlock/" in name:
            found = f"{name.rpartition('/torchlock/')[2]}:{step.tb_lineno}"
        step = step.tb_next
    return found


def _trace(error: Exception) -> str:
    import traceback

    frames = traceback.format_tb(error.__traceback__, -_FRAMES)
    last = traceback.format_exception_only(type(error), error)
    # Masked as a whole, and here: the process that judged the file knows its secrets. Only the first line is kept:
    # what follows may be a line of somebody's file.
    message = masked(last[-1]).splitlines()[0] if last else ""
    return f"{''.join(frames)[-_LONGEST:]}{shortened(message, _SHOWN)}\n"
