"""Facts in the names of C++ symbols: the function, and the ABI of ``std::string`` that it was compiled with.

libstdc++ has two forms of ``std::string`` ("Dual ABI"). A compiler writes the form into the names of functions:
``Ss`` in a parameter for the old one, ``NSt7__cxx1112basic_string…`` for the new one, and ``B5cxx11`` behind
the name of a function that returns the new one.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.patterns import pattern
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.check.context import CheckContext
    from torchlock.inspect.binaries.binary import Symbols

_NEW_STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
_OLD, _NEW = re.compile(r"RKSs|ESs|Ss$"), re.compile(r"cxx11")
# Functions that releases of torch define: the names in the old and in the new form.
_OF_TORCH = (
    ("_ZN3c105ErrorC2ENS_14SourceLocationESs", f"_ZN3c105ErrorC2ENS_14SourceLocationE{_NEW_STRING}"),
    ("_ZN3c106detail14torchCheckFailEPKcS2_jRKSs", f"_ZN3c106detail14torchCheckFailEPKcS2_jRK{_NEW_STRING}"),
    ("_ZN3c1013MessageLogger6streamEv", "_ZN3c1013MessageLogger6streamB5cxx11Ev"),
    ("_ZNK5torch8autograd4Node4nameEv", "_ZNK5torch8autograd4Node4nameB5cxx11Ev"),
    ("_ZN5torch3jit17parseSchemaOrNameERKSs", f"_ZN5torch3jit17parseSchemaOrNameERK{_NEW_STRING}"),
)
# The libraries of torch that define them. A folder of torch has more, for its accelerators.
_DEFINING = pattern(r"lib(c10|torch|torch_cpu|torch_python|caffe2)\.so$")
BECAUSE_OF_ABI = (
    "the name of a C++ function contains the form of its strings, so each finds the other's functions missing"
)


class OtherAbi(NamedTuple):
    """A package and torch were compiled with different ABIs of ``std::string``; ``is_new`` of the package."""

    is_new: bool

    def sentence(self, package: str, torch: str) -> str:
        """``torchaudio 2.5.1 was compiled with …, torch 2.6.0a0 with …``."""
        mine, its = ("new", "old") if self.is_new else ("old", "new")
        number = int(self.is_new)
        return (
            f"{package} was compiled with the {mine} C++ string ABI (_GLIBCXX_USE_CXX11_ABI={number}), "
            f"{torch} with the {its} one (={1 - number})"
        )


def other_abi(context: CheckContext, symbols: Iterable[str]) -> OtherAbi | None:
    """How the ABI of a library differs from that of torch; None if it does not, or if the symbols do not show it.

    ``symbols`` are those that the library uses and torch lacks. Both ABIs are read from names of symbols: that of
    torch from what its libraries define, never from its version.
    """
    names = [name for name in symbols if is_torchs_symbol(name)]
    torchs = list(_libraries_of_torch(context)) if names else []
    for name in names:
        for other, is_new in respelled(name):
            if any(each.defines(other) is True for each in torchs):
                return OtherAbi(not is_new)
    wants_new, wants_old = (any(map(pattern.search, names)) for pattern in (_NEW, _OLD))
    has_new = _is_new(torchs)
    if has_new is None or wants_new in (wants_old, has_new):
        return None
    return OtherAbi(wants_new)


def _libraries_of_torch(context: CheckContext) -> Iterator[Symbols]:
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy else ""
    for name in sorted(context.environment.tree.names(folder)) if copy else ():
        if is_library(name) and _DEFINING.match(name):
            binary = read_binary(os.path.join(folder, name))
            symbols = binary.symbols if isinstance(binary, Binary) else None
            if symbols is not None and not isinstance(symbols, Unreadable):
                yield symbols


def _is_new(torchs: list[Symbols]) -> bool | None:
    """Whether this torch uses the ABI of GCC 5 and later; None if its libraries show neither or both."""
    seen = {
        is_new
        for pair in _OF_TORCH
        for is_new, name in enumerate(pair)
        if any(each.defines(name) is True for each in torchs)
    }
    return bool(seen.pop()) if len(seen) == 1 else None


def respelled(symbol: str) -> Iterator[tuple[str, bool]]:
    """The same function with the other form of ``std::string``, and whether that is the new one.

    Only names of one form are written again: later parts of a name may refer to earlier parts by their number.
    """
    if _NEW.search(symbol):
        yield symbol.replace("B5cxx11", "").replace(_NEW_STRING, "Ss"), False
        return
    if symbol.count("Ss") == 1 and _OLD.search(symbol):
        yield symbol.replace("Ss", _NEW_STRING), True
    if returned := re.fullmatch(r"(_ZN.+)(Ev)", symbol):
        yield f"{returned[1]}B5cxx11{returned[2]}", True
