"""What all indexes of a run have in common: the time that they have, and whether old pages are used for now."""

from __future__ import annotations

import math
import time

from torchlock.errors import NetworkError

# The seconds that a lock may take from its first request on, unless the user says otherwise.
DEADLINE = 1800.0
clock = time.monotonic


class Deadline:
    """The time by which all answers of a run must be there. It begins to run with the first request."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds = seconds
        self._ends: float | None = None

    def left(self) -> float:
        """The seconds that are left; 0 if there are none."""
        if self._ends is None:
            self._ends = clock() + self.seconds
        return max(0.0, self._ends - clock())

    def missed(self, what: str) -> NetworkError:
        """The error of a request that has no answer at the end."""
        return NetworkError(
            f"{what} did not arrive: the indexes had {self.seconds:.10g} seconds in all",
            hint="check the connection and the index, or raise --deadline; a second run asks for less, since "
            "answers are cached",
        )


class Course:
    """What all indexes of a run have in common: the time that they have, and whether old pages are used for now.

    ``provisional``: the page of a project that is not fresh any more is used while it is asked for again. Whoever
    sets it asks ``Asking.confirm`` before the result counts.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self.deadline = Deadline(seconds)
        self.provisional = False
