"""Validity of versions (PEP 440): which texts are versions or specifier sets, and why others are not.

Python refuses to read a number of more than 4,300 digits, and accepts the digits of every script. No published
version has either, so both are invalid here.
"""

from __future__ import annotations

from functools import lru_cache

from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

# No part of a published version has this many digits.
LONGEST_NUMBER = 100
_TOO_LONG = f"no published version has a number of more than {LONGEST_NUMBER} digits"
_LONG = pattern(rf"[0-9]{{{LONGEST_NUMBER + 1}}}")
_NUMBER = r"[0-9]{1,20}"
_FINAL = rf"{_NUMBER}(?:\.{_NUMBER}){{0,8}}(?:(?:a|b|rc){_NUMBER})?(?:\.post{_NUMBER})?(?:\.dev{_NUMBER})?"
CLAUSE = (
    rf"(?:[=!]=[ ]*{_FINAL}(?:\.\*|\+[a-z0-9]+(?:\.[a-z0-9]+)*)?"
    rf"|(?:<=|>=|<|>)[ ]*{_FINAL}|~=[ ]*{_NUMBER}\.{_FINAL})"
)
"""An ordinary clause of a specifier set, as a pattern; it lets ``WILD`` through."""
# A wildcard behind a pre-release: the pattern allows it, PEP 440 does not.
WILD = pattern(r"[a-z][0-9]*\.\*")
# The most frequent specifier sets, as a pattern that compiles fast: every start compiles it.
_PLAIN = r"(?:[=!<>]=|[<>])[ ]*[0-9]{1,20}(?:\.[0-9]{1,20}){0,8}"
ORDINARY = rf"{_PLAIN}(?:[ ]*,[ ]*{_PLAIN})*"
_ORDINARY = pattern(ORDINARY)


def has_long_number(text: str) -> bool:
    """Whether the text has a number with more digits than any version has."""
    return _LONG.search(text) is not None


def without_trailing_zeros(version: str) -> str:
    """A version without the zeros at its end, which do not count (PEP 440): 2.0.0 and 2 are equal."""
    while version.endswith(".0"):
        version = version[:-2]
    return version


def version_of(text: str) -> Version | None:
    """The version in a text; None if it is invalid."""
    from packaging.version import Version

    try:
        return None if has_long_number(text) else Version(text)
    except ValueError:
        return None


@lru_cache(maxsize=8192)
def fault_of_specifier(text: str) -> str:
    """Why installers cannot compare versions with a specifier set, as half a sentence; "" if they can."""
    if has_long_number(text):
        return _TOO_LONG
    if not text or _ORDINARY.fullmatch(text):
        return ""
    from packaging.specifiers import SpecifierSet

    try:
        SpecifierSet(text, prereleases=True).contains("1")
    except ValueError:
        return "it is not a version specifier" if text.isascii() else "a version consists of ASCII characters"
    return ""


def fault_of_versions(requirement: Requirement) -> str:
    """As ``fault_of_specifier``, for a parsed requirement: not every one can be written as text."""
    try:
        text = str(requirement.specifier)
    except ValueError:
        return _TOO_LONG
    return fault_of_specifier(text)
