"""What modules take from ``typing`` to be checked: names that do nothing in a run.

To import ``typing`` takes as many instructions as to read a lock of ten packages (callgrind). Type checkers see
the library's own names.
"""

from __future__ import annotations

TYPE_CHECKING = False  # to a type checker, this name is true

if TYPE_CHECKING:
    from typing import Any as Any
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
else:
    Any = NoReturn = object

    class Protocol:
        """A class that is only a type."""
