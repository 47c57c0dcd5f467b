"""The releases of torch that have an undefined symbol of a log, and the other forms of its function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.cxx_symbols import respelled
from torchlock.inspect.binaries.cxx_names import demangled, is_form, signature
from torchlock.knowledge.exported import exported_in, forms_of, is_exported_by

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.check.library_origins import Meaning

_MANGLED = re.compile(r"_{1,2}ZN?K?")
_LENGTH = re.compile(r"\d{1,3}")
_MOST_FORMS = 4
# Source: GCC, "Dual ABI" of libstdc++.
_ABI = {
    "old": "old C++ string ABI (_GLIBCXX_USE_CXX11_ABI=0)",
    "new": "new C++ string ABI (_GLIBCXX_USE_CXX11_ABI=1)",
}


def with_releases(context: CheckContext, symbol: str, library: str, meaning: Meaning) -> Meaning:
    """A meaning with the releases of torch that have the symbol, if the wheels of the public index show them."""
    platform = _platform(context, library)
    known = exported_in(symbol, platform)
    if not known:
        return meaning
    spelled = signature(symbol)
    form = "in this form " if is_form(symbol) and not spelled.startswith("a form") else ""
    what = f"{spelled}, which torch has {form}{known}"
    others = _others(symbol, platform)
    changed = f"; its other forms: {others}" if others else ""
    because = f"the package was compiled for a torch {known}, and another release was loaded{changed}"
    if own := _string_abi(symbol, platform):
        because += f"; or it was compiled with the {_ABI[own]}, and the torch that was loaded with the other one"
    look = f"{_fitting(known)} Or install that package for the torch that is loaded: {_AGAIN}"
    installed = _public(context)
    if is_prerelease(context):
        because = "the package was compiled for another torch: the C++ interface of pre-releases changes daily"
        look = f"Install that package for this pre-release: {_AGAIN} Or use a final release of torch {known}."
    elif installed and is_exported_by(symbol, installed, platform):
        look = (
            f"torch {installed} of the public index has it: look for a second torch on the import path, or a "
            "torch of another source (python -m pip list, python -m pip show -f torch)."
        )
    elif own and any(is_exported_by(each, installed, platform) for each, _ in respelled(symbol)):
        because = f"that package was compiled with the {_ABI[own]}, and torch {installed} with the other one"
        look = (
            f"Install the build of that package with the other string ABI: the names of its wheels may say it "
            f"(cxx11abi{'FALSE' if own == 'new' else 'TRUE'}). {look}"
        )
    return meaning._replace(what=what, because=because, look=look)


def abi_hint(symbol: str) -> str:
    """That torch and a companion may be of two sources, in a sentence; "" for symbols without a C++ string."""
    own = _string_abi(symbol)
    if not own:
        return ""
    return (
        f" The symbol has the {_ABI[own]}; builds of torch of other sources, such as conda-forge, may have the "
        "other one: use torch and that package from one source."
    )


def _string_abi(symbol: str, platform: str = "") -> str:
    """The form of the C++ string in the name of a symbol of Linux: ``old`` or ``new``; "" if it has none.

    A function that returns a string has a tag in its name in the new form only: the old one is known by a torch
    that exports the name with the tag.
    """
    twins = list(respelled(symbol))
    is_shown = "Ss" in symbol or "cxx11" in symbol or any(exported_in(each, platform) for each, _ in twins)
    forms = {is_new for _, is_new in twins} if is_shown else set()
    return "" if len(forms) != 1 or symbol.startswith("__Z") else "old" if forms.pop() else "new"


def lacked_by_installed(context: CheckContext, symbol: str, library: str) -> bool | None:
    """Whether the installed release of torch lacks a symbol, by its public wheel; None if that is not known."""
    platform, installed = _platform(context, library), _public(context)
    if not installed or not exported_in(symbol, platform):
        return None
    return not is_exported_by(symbol, installed, platform)


def is_prerelease(context: CheckContext) -> bool:
    """Whether the installed torch is a nightly or another pre-release: no table has its symbols."""
    pin = context.pins.get("torch")
    return pin is not None and not pin.unversioned and pin.version.is_prerelease


_AGAIN = (
    "its release or build for this torch, or compile it again without the cache (python -m "
    "pip install --force-reinstall --no-deps --no-build-isolation --no-cache-dir, and its name)."
)


def _fitting(known: str) -> str:
    """The torch to install for a package that was compiled for releases ``from 2.1.0 to 2.2.2``."""
    if found := re.fullmatch(r"from (\S+) on", known):
        return f"Install torch {found[1]} or later, with torchaudio of the same release."
    if found := re.fullmatch(r"from (\S+) to (\S+)", known):
        return f"Install torch >={found[1]},<={found[2]}, with torchaudio of the same release."
    return f"Install a torch {known}, with torchaudio of the same release."


def _others(symbol: str, platform: str) -> str:
    """The other forms of a function, with the releases that have each; "" if none is known."""
    names = _nested_names(symbol)
    found = forms_of(names, platform) if names and is_form(symbol) else []
    mine = [
        (each, known) for each, known in found if known and each != symbol and demangled(each) == demangled(symbol)
    ]
    return ", ".join(f"{signature(each)} {known}" for each, known in mine[:_MOST_FORMS])


def _nested_names(symbol: str) -> str:
    """The nested name in a mangled symbol, as in ``3c104cuda9SetDeviceE``; "" if it has none.

    Each name follows its length (Itanium C++ ABI, 5.1.2).
    """
    mangled = _MANGLED.match(symbol)
    start = at = mangled.end() if mangled else 0
    while length := _LENGTH.match(symbol, at):
        at = length.end() + int(length[0])
    return symbol[start : at + 1] if at > start and symbol[at : at + 1] == "E" else ""


def _platform(context: CheckContext, library: str) -> str:
    """The platform whose wheels are asked: that of the environment, else the one that the library's name shows."""
    if context.target is not None:
        return str(context.target.platform)
    if ".so" in library and "darwin" not in library:
        return "linux-aarch64" if "aarch64" in library else "linux-x86_64"
    return ""


def _public(context: CheckContext) -> str:
    """The installed torch, if it is a release that the public index may have; "" for others."""
    pin = context.pins.get("torch")
    if pin is None or pin.unversioned or pin.version.is_prerelease:
        return ""
    return pin.version.public
