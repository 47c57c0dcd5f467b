"""TL109: a NumPy that is too new or too old for numba."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check import known_wheels as wheels
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.distributions import Distribution

_LARGEST = 1 << 20
# The limits in the source of numba.
_LIMITS = pattern(r"numpy_version ([<>]) \((\d{1,2}), (\d{1,3})\)")


@rule("TL109")
def refused_by_numba(context: CheckContext) -> Iterator[Finding]:
    """A NumPy outside of the range in the source of numba; by its metadata alone, a note."""
    record, numpy = context.installed.get("numba"), context.pins.get("numpy")
    if record is None or numpy is None or numpy.unversioned:
        return
    path = os.path.join(os.path.dirname(record.path), "numba", "__init__.py")
    text = files.text(path, _LARGEST) if files.is_file(path) else ""
    own = numpy.version.release[:2]
    limits = [(match[1], (int(match[2]), int(match[3]))) for match in _LIMITS.finditer(text or "")]
    broken = next((each for each in limits if (own > each[1] if each[0] == ">" else own < each[1])), None)
    wanted = _wanted(context, record, limits)
    outside = bool(wanted) and not specifier_set(wanted).contains(numpy.version)
    if broken is None and (limits or not outside):
        return
    printed = ""
    # Earlier releases of numba compare at the end of their import, which stops before that.
    if broken is not None and "Got NumPy" in (text or ""):
        word = "less" if broken[0] == ">" else "greater"
        printed = (
            f"ImportError: Numba needs NumPy {broken[1][0]}.{broken[1][1]} or {word}. Got NumPy {own[0]}.{own[1]}."
        )
    yield of_numba(context, wanted, printed, shown=broken is not None)


def _wanted(context: CheckContext, numba: Distribution, limits: list[tuple[str, tuple[int, int]]]) -> str:
    """The NumPy that numba needs, by all lines of its metadata and by the limits in its source."""
    from torchlock.check.fix.bounds import asked_range, shortest

    ends = (f"<{major}.{minor + 1}" if sign == ">" else f">={major}.{minor}" for sign, (major, minor) in limits)
    return shortest(",".join(filter(None, [asked_range(context, numba, "numpy"), *ends])))


def of_numba(context: CheckContext, wanted: str, printed: str, *, shown: bool, numpy: str = "") -> Finding:
    """The finding: the NumPy that numba needs, and what it prints. ``shown``: its files or a log show it.

    ``numpy`` is the release of NumPy that a log names.
    """
    release = context.version("numpy") or numpy
    return context.finding(
        "TL109",
        "warning" if shown else "note",
        f"{context.named('numba')} does not work with {f'NumPy {release}' if release else 'its NumPy'}: "
        f"it needs numpy{wanted}",
        "numba",
        "numpy",
        expected_error=printed,
        remedy=_remedy(context, wanted),
        sources=("numba-critical-deps",),
        strength=Strength.SHOWN if shown else Strength.DECLARED,
    )


def _remedy(context: CheckContext, wanted: str) -> Remedy:
    """The NumPy that numba needs, as far as the other packages allow it and a wheel is known; else words."""
    from torchlock.check.fix.bounds import within_bounds
    from torchlock.check.fix.commands import add
    from torchlock.check.fix.partners import has_release, obstacle

    version = context.version("numba")
    newest = max(wheels.final_releases("numba"), key=Version, default="")
    later = f"a later numba ({newest} is the newest known)" if newest and newest != version else ""
    allowed = within_bounds(context, "numpy", wanted)
    if allowed is not None and has_release(context, "numpy", allowed):
        other = f", or install {later}" if later else ""
        return Remedy(f"Install numpy{allowed}{other}.", commands=add(context, "numpy", allowed))
    return Remedy(
        f"Use {later or 'another release of numba'}: this one needs numpy{wanted}, and "
        f"{obstacle(context, 'numpy', wanted)}."
    )
