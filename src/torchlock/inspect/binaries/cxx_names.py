"""The names in mangled symbols of C++, as the Itanium ABI and Microsoft's compilers write them."""

from __future__ import annotations

import re
from functools import lru_cache

from torchlock.patterns import pattern

_NAME = pattern(r"([0-9]{1,6})")
# The operators that have names of their own, in the Itanium ABI and in Microsoft's.
_OPERATORS = {
    code: f"operator{sign}"
    for code, sign in (
        ("eq", "=="), ("ne", "!="), ("lt", "<"), ("gt", ">"), ("le", "<="), ("ge", ">="), ("ls", "<<"),
        ("rs", ">>"), ("pl", "+"), ("mi", "-"), ("ml", "*"), ("dv", "/"), ("rm", "%"), ("an", "&"), ("or", "|"),
        ("eo", "^"), ("co", "~"), ("nt", "!"), ("ng", "-"), ("aS", "="), ("pL", "+="), ("mI", "-="), ("mL", "*="),
        ("dV", "/="), ("aN", "&="), ("oR", "|="), ("pp", "++"), ("mm", "--"), ("pt", "->"), ("cl", "()"),
        ("ix", "[]"), ("cv", ""), ("nw", " new"), ("dl", " delete"),
    )
}  # fmt: skip
_MICROSOFTS = {
    "0": "C", "1": "D", "4": "operator=", "5": "operator>>", "6": "operator<<", "7": "operator!",
    "8": "operator==", "9": "operator!=", "A": "operator[]", "D": "operator*", "H": "operator+", "M": "operator<",
}  # fmt: skip


@lru_cache(maxsize=4096)
def demangled(symbol: str) -> str:
    """The names in a mangled C++ symbol, joined: ``torch::jit::parseSchemaOrName``; other symbols do not change.

    A constructor has the name of its class twice. Follows the Itanium C++ ABI, and Microsoft's rules for plain
    functions, constructors and operators.
    """
    if plain := re.match(r"\?(?:\?(_?[0-9A-Z]))?((?:\w+@)+)@", symbol):
        names = plain[2].rstrip("@").split("@")[::-1]
        if plain[1] == "_7":
            return f"the vtable of {'::'.join(names)}"
        return _with_special(names, _MICROSOFTS.get(plain[1], "operator") if plain[1] else "")
    if template := re.match(r"\?\?\$(\w+)@(?:_?[A-Z]){1,9}@((?:\w+@)+)@", symbol):
        return "::".join([*template[2].rstrip("@").split("@")[::-1], template[1]])
    match = re.match(r"_?_Z(T[ISV])?N?K?R?O?", symbol)
    if not match:
        return symbol
    position, names = match.end(), []
    while number := _NAME.match(symbol, position):
        length = int(number[1])
        names.append(symbol[number.end() : number.end() + length])
        position = number.end() + length
    if not names:
        return symbol
    what = {"TV": "the vtable of ", "TI": "the type information of ", "TS": "the type name of "}.get(
        match[1] or "", ""
    )
    return what + _with_special(names, _special(symbol[position : position + 2]) if "N" in match[0] else "")


def is_form(symbol: str) -> bool:
    """Whether a symbol is a function of C++: it has forms with other arguments, of which the names say nothing."""
    name = demangled(symbol)
    return name != symbol and not name.startswith("the ")


def described(symbol: str) -> str:
    """A symbol in words: ``a form of at::empty``; a function of C, or a table of C++, by its name alone."""
    return f"a form of {demangled(symbol)}" if is_form(symbol) else demangled(symbol)


# The letters of plain types in the Itanium ABI.
_TYPES = {
    "b": "bool", "c": "char", "a": "signed char", "h": "unsigned char", "s": "short", "t": "unsigned short",
    "i": "int", "j": "unsigned int", "l": "long", "m": "unsigned long", "x": "long long",
    "y": "unsigned long long", "f": "float", "d": "double",
}  # fmt: skip
_PLAIN = pattern(r"E((?:P?K?[bcahstijlmxyfd]){1,12}|v)$")


def signature(symbol: str) -> str:
    """A function with its parameters: ``c10::cuda::SetDevice(signed char, bool)``; else what ``described`` says.

    Only parameters of plain types, and pointers to them, are read (Itanium C++ ABI, 5.1.5.2).
    """
    found = _PLAIN.search(symbol) if is_form(symbol) and symbol.lstrip("_").startswith("ZN") else None
    if found is None:
        return described(symbol)
    each = [] if found[1] == "v" else re.findall(r"(P?)(K?)(\w)", found[1])
    types = [
        f"{'const ' if constant else ''}{_TYPES[letter]}{'*' if star else ''}" for star, constant, letter in each
    ]
    return f"{demangled(symbol)}({', '.join(types)})"


def _special(code: str) -> str:
    """What the two letters behind the names of a class or namespace mean; "" if they mean neither."""
    if code[:1] in ("C", "D") and code[1:].isdigit():
        return code[0]
    return _OPERATORS.get(code, "")


def _with_special(names: list[str], special: str) -> str:
    """The names joined, with the constructor (``C``), the destructor (``D``) or the operator behind them."""
    last = {"C": [names[-1]], "D": [f"~{names[-1]}"], "": []}.get(special, [special])
    return "::".join([*names, *last])
