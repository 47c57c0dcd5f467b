"""Facts in the names of C++ symbols: the function, and the ABI of ``std::string`` that it was compiled with."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.inspect.binaries import Binary, read_binary
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.check.context import CheckContext

_NAME = re.compile(r"([0-9]{1,6})")
_OLD, _NEW = re.compile(r"RKSs|ESs|Ss$"), re.compile(r"cxx11")
# c10::Error(SourceLocation, std::string), which every libc10 defines, with one of the two ABIs.
_ERROR = "_ZN3c105ErrorC2ENS_14SourceLocationE"
_NEW_STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"


def demangled(symbol: str) -> str:
    """The names in a mangled C++ symbol, joined: ``torch::jit::parseSchemaOrName``; other symbols do not change.

    Follows the Itanium C++ ABI, and Microsoft's rules for plain functions.
    """
    if plain := re.match(r"\?\??[0-9]?(\w*)@([\w@]+?)@@", symbol):
        return "::".join([*reversed(plain[2].split("@")), *([plain[1]] if plain[1] else [])])
    match = re.match(r"_?_Z(?:T[ISV])?N?K?R?O?", symbol)
    if not match:
        return symbol
    position, names = match.end(), []
    while number := _NAME.match(symbol, position):
        length = int(number[1])
        names.append(symbol[number.end() : number.end() + length])
        position = number.end() + length
    return "::".join(names) if names else symbol


def other_abi(context: CheckContext, symbols: Iterable[str]) -> str:
    """A sentence if a library uses the other ABI of std::string than torch; "" if not.

    ``symbols`` are those that the library uses and torch lacks (libstdc++, "Dual ABI").
    """
    names = list(symbols)
    wants_new, wants_old = (any(map(pattern.search, names)) for pattern in (_NEW, _OLD))
    has_new = _torch_is_new(context)
    if has_new is None or not (wants_old if has_new else wants_new):
        return ""
    mine, its = ("old", "new") if has_new else ("new", "old")
    return f"it was compiled with the {mine} C++ ABI of std::string, and this torch with the {its} one"


def _torch_is_new(context: CheckContext) -> bool | None:
    """Whether this torch uses the ABI of GCC 5 and later; None if its libc10 does not show it."""
    copy = context.copy("torch")
    binary = read_binary(os.path.join(copy.path, "lib", "libc10.so")) if copy else None
    symbols = binary.symbols if isinstance(binary, Binary) else None
    if symbols is None or isinstance(symbols, Unreadable):
        return None
    new, old = symbols.defines(_ERROR + _NEW_STRING), symbols.defines(_ERROR + "Ss")
    if isinstance(new, Unreadable) or isinstance(old, Unreadable):
        return None
    return new if new != old else None
