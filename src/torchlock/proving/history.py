"""Which releases of torch have a symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.inspect.binaries.cxx_names import is_form
from torchlock.knowledge.spans import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.proving.evidence import TorchWheel


class Exported:
    """Which releases of torch on one platform have a symbol, in words.

    On macOS and Windows a symbol is looked for in one library, and another library may have it: *there*.
    """

    def __init__(self, torches: Sequence[TorchWheel]) -> None:
        self._torches = torches
        self._versions = sorted({each.wheel.version for each in torches}, key=Version)
        self._told: dict[str, str] = {}

    def __call__(self, symbol: str) -> str:
        if symbol not in self._told:
            having = {each.wheel.version for each in self._torches if symbol in each.exports}
            words = in_words(self._versions, [each in having for each in self._versions])
            library, _, name = symbol.rpartition("!")
            what = ("this form" if is_form(name) else "it") + (" there" if library else "")
            known = f"torch has {what} {words}" if words else f"other builds of torch have {what}"
            self._told[symbol] = known if having else ""
        return self._told[symbol]
