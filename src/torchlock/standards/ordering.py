"""The order of versions, and specifier sets (PEP 440): common ones are tuples, ``packaging`` compares all others.

A version is common if it is in normal form and has no epoch. A specifier set is common if ``<``, ``>`` and ``~=``
name final releases in it, and ``===`` does not occur. To compare tuples takes a tenth of the instructions, and a
lock of such releases does not import ``packaging``, which costs as much as a start of Python.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache, lru_cache
from operator import eq, ge, gt, le, lt, ne

from torchlock.patterns import pattern
from torchlock.standards.versions import fault_of_specifier, without_trailing_zeros
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    # The numbers of a release without zeros at the end, the kind of pre-release with its number, the number of the
    # post-release, that of the development release.
    Key = tuple[tuple[int, ...], int, int, int, int]
    Compare = Callable[[Key, Key], bool]

_KINDS = {"a": -3, "b": -2, "rc": -1}
_DEVELOPMENT, _FINAL = -4, 0
# Without a development release: later than every one.
_NO_DEV = 10**20
# Bounds below and above all that have the numbers of a release: >1.0 excludes 1.0.post1, and <1.0 excludes 1.0rc1.
_START, _END = (-9, 0, 0, 0), (9, 0, 0, 0)
# With fewer digits than this, no number of a version is too long.
_SHORT = 20
_NUMBER = r"(?:0|[1-9][0-9]{0,19})"
_LOCAL = r"(?:[a-z][a-z0-9]{0,99}|0|[1-9][0-9]{0,19})"
_VERSION = pattern(
    rf"({_NUMBER}(?:\.{_NUMBER})*)(?:(a|b|rc)({_NUMBER}))?(?:\.post({_NUMBER}))?(?:\.dev({_NUMBER}))?"
    rf"(?:\+{_LOCAL}(?:\.{_LOCAL})*)?"
)
_CLAUSE = pattern(r"[ ]*([=!<>~]=|[<>])[ ]*([0-9a-z.]+?)(\.\*)?[ ]*")
_COMPARE = {"==": eq, "!=": ne, "<=": le, ">=": ge}


@lru_cache(maxsize=32768)
def key_of(version: str) -> Key | None:
    """What a common version compares by, without its local label; None for any other version."""
    digits = version.replace(".", "")
    if digits.isdecimal() and digits.isascii() and len(digits) < _SHORT and ".." not in f".{version}.":
        parts = list(map(int, version.split(".")))
        if ".".join(map(str, parts)) != version:
            return None
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return tuple(parts), _FINAL, 0, 0, _NO_DEV  # most versions
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    numbers, kind, pre, post, dev = match.groups()
    release = tuple(map(int, without_trailing_zeros(numbers).split(".")))
    if not (kind or post or dev):
        return release, _FINAL, 0, 0, _NO_DEV
    phase = _KINDS[kind] if kind else _FINAL if post else _DEVELOPMENT
    return release, phase, int(pre or 0), int(post) + 1 if post else 0, int(dev) if dev else _NO_DEV


@lru_cache(maxsize=8192)
def clauses_of(specifier: str) -> tuple[tuple[Compare, Key], ...] | None:
    """The comparisons of a common specifier set; None for any other one, and for an empty one.

    A common version is in the set if its key passes all comparisons. Pre-releases count like any release.
    """
    found: list[tuple[Compare, Key]] = []
    for clause in specifier.split(","):
        match = _CLAUSE.fullmatch(clause)
        read = None if match is None else _comparisons(match[1], match[2], is_series=match[3] is not None)
        if read is None:
            return None
        found += read
    return tuple(found)


def _comparisons(operator: str, version: str, *, is_series: bool) -> list[tuple[Compare, Key]] | None:
    key = key_of(version.replace(".dev", "dev").replace("dev", ".dev"))  # both are common in bounds
    if key is None:
        return None
    numbers = key[0]
    if not _is_final(key) and (is_series or operator in ("<", ">", "~=")):
        return None
    if is_series:
        low, high = (numbers, *_START), (_next(version), *_START)
        if operator == "==":
            return [(ge, low), (lt, high)]
        return [(_Outside(low, high), key)] if operator == "!=" else None
    if operator == "~=":
        series, dot, _ = version.rpartition(".")
        return [(ge, key), (lt, (_next(series), *_START))] if dot else None
    if operator == "<":
        return [(lt, (numbers, *_START))]
    return [(gt, (numbers, *_END))] if operator == ">" else [(_COMPARE[operator], key)]


def _next(series: str) -> tuple[int, ...]:
    """The first numbers after a series: 2.1 → 2.2."""
    *first, last = map(int, series.split("."))
    return (*first, last + 1)


class _Outside:
    """The comparison of ``!=2.1.*``: a version is not in the series."""

    def __init__(self, low: Key, high: Key) -> None:
        self.low, self.high = low, high

    def __call__(self, key: Key, _: Key) -> bool:
        return not self.low <= key < self.high


def _is_final(key: Key) -> bool:
    return key[1:] == (_FINAL, 0, 0, _NO_DEV)


def _is_early(key: Key) -> bool:
    """Whether a key or bound is of a pre-release or a development release."""
    return key[1] in (-1, -2, -3) or (key[4] != _NO_DEV and key[1:] not in (_START, _END))


def _named(bound: Key) -> Key:
    """The version that a clause names, of its bound."""
    return (bound[0], _FINAL, 0, 0, _NO_DEV) if bound[1:] in (_START, _END) else bound


@cache
def specifier_set(text: str) -> SpecifierSet:
    """Parse a specifier set, cached. An invalid one allows no version."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet("<0" if fault_of_specifier(text) else text, prereleases=True)


def admits(specifier: str, version: str) -> bool:
    """Whether a version is in a specifier set; pre-releases count like any release. An invalid set admits none."""
    return tester(specifier)(version)


@lru_cache(maxsize=8192)
def tester(specifier: str) -> Callable[[str], bool]:
    """A function that says whether a version is in a specifier set, as ``admits`` does."""
    if not specifier:
        return lambda version: True
    clauses = clauses_of(specifier)
    if clauses is None:
        return lambda version: specifier_set(specifier).contains(version)

    def admits(version: str) -> bool:
        key = key_of(version)
        if key is None:
            return specifier_set(specifier).contains(version)
        for compare, bound in clauses:  # noqa: SIM110 (a generator takes twice the instructions)
            if not compare(key, bound):
                return False
        return True

    return admits


def admitted(specifier: str, versions: Sequence[str]) -> int | None:
    """The versions that a specifier set admits, as the bits of a number; None if the set is not common.

    ``versions`` are in order (``are_ordered``), so few of them are compared.
    """
    clauses = clauses_of(specifier) if specifier else ()
    if clauses is None:
        return None
    mask = (1 << len(versions)) - 1
    for compare, bound in clauses:
        mask &= _bits_of(compare, bound, versions)
    return mask


def _bits_of(compare: Compare, bound: Key, versions: Sequence[str]) -> int:
    """The versions that pass a comparison."""
    low, high = (compare.low, compare.high) if isinstance(compare, _Outside) else (bound, bound)
    before = (1 << bisect_left(versions, low, key=_key)) - 1
    if compare is lt or compare is ge:
        return before if compare is lt else ~before
    find = bisect_left if isinstance(compare, _Outside) else bisect_right
    until = (1 << find(versions, high, key=_key)) - 1
    if compare is le or compare is gt:
        return until if compare is le else ~until
    return until ^ before if compare is eq else ~(until ^ before)


def _key(version: str) -> Key:
    """The key of a common version."""
    key = key_of(version)
    assert key is not None
    return key


def are_ordered(versions: Iterable[str]) -> bool:
    """Whether these are common versions, the oldest first."""
    before: Key | None = None
    for version in versions:
        key = key_of(version)
        if key is None or (before is not None and key < before):
            return False
        before = key
    return True


def names_later(specifier: str, latest: str) -> bool:
    """Whether a specifier set names a later version than the latest one, except as an upper bound."""
    clauses, key = clauses_of(specifier), key_of(latest)
    if clauses is not None and key is not None:
        bare = "+" not in latest
        named = ((compare, _named(bound)) for compare, bound in clauses)
        return any(
            compare is not lt and (at > key or (compare is gt and at == key and bare)) for compare, at in named
        )
    from packaging.specifiers import SpecifierSet

    newest = parsed(latest)
    for each in SpecifierSet(specifier):
        try:
            version = parsed(each.version.removesuffix(".*"))
        except ValueError:
            continue
        if each.operator != "<" and (version > newest or (each.operator == ">" and version == newest)):
            return True
    return False


def is_exact(specifier: str) -> bool:
    """Whether some clause is an exact pin, which alone may bring in a yanked release (PEP 592)."""
    if (clauses := clauses_of(specifier)) is not None:
        return any(compare is eq for compare, _ in clauses)
    from packaging.specifiers import SpecifierSet

    return any(
        clause.operator in ("==", "===") and not clause.version.endswith(".*")
        for clause in SpecifierSet(specifier)
    )


def mentions_prerelease(specifier: str) -> bool:
    """Whether the set names a pre-release and so opts in to them (PEP 440)."""
    clauses = clauses_of(specifier)
    if clauses is not None and not any(_is_early(bound) for _, bound in clauses):
        return False
    from packaging.specifiers import SpecifierSet

    return bool(SpecifierSet(specifier).prereleases)


@lru_cache(maxsize=32768)
def parsed(version: str) -> Version:
    """Parse a version, cached: each universe asks for those of all releases. Raises ValueError."""
    from packaging.version import Version

    return Version(version)


def normal(version: str) -> str:
    """A version in normal form. Raises ValueError if it is invalid."""
    return version if key_of(version) is not None else str(parsed(version))


def is_prerelease(version: str) -> bool:
    """Whether a version is a pre-release or a development release. Raises ValueError if it is invalid."""
    key = key_of(version)
    return parsed(version).is_prerelease if key is None else _is_early(key)


def is_later(version: str, than: str) -> bool:
    """Whether a version is later than another one. Raises ValueError if one is invalid."""
    key, other = key_of(version), key_of(than)
    if key is None or other is None or (key == other and ("+" in version or "+" in than)):
        return parsed(version) > parsed(than)
    return key > other


def latest(versions: list[str]) -> str:
    """The latest of some versions; invalid ones count as 0, and 0 is the latest of none."""
    keys = [key_of(version) for version in versions]
    best = max((key for key in keys if key is not None), default=None)
    found = [
        version
        for version, key in zip(versions, keys, strict=True)
        if (_valid(version) if key is None else key == best)
    ]
    return max(found, key=parsed) if len(found) > 1 else next(iter(found), "0")


def _valid(version: str) -> bool:
    try:
        parsed(version)
    except ValueError:
        return False
    return True
