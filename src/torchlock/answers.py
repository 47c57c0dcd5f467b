"""The answer besides yes and no: functions that ask tables, indexes or files return a value or ``Unknown``."""

from __future__ import annotations

from torchlock.records import dataclass
from torchlock.typed import NoReturn


@dataclass(frozen=True)
class Unknown:
    """The answer is not known.

    ``because`` is half a sentence that says why ("its header could not be read"). ``as_of`` is the date
    (YYYY-MM-DD) of the data that were asked, or "" if the answer does not age.

    It has no truth value: code that needs a yes or a no must apply a named policy.
    """

    because: str
    as_of: str = ""

    def __bool__(self) -> NoReturn:
        raise TypeError(f"unknown is neither yes nor no: {self}")

    def __str__(self) -> str:
        return f"{self.because} (as of {self.as_of})" if self.as_of else self.because
