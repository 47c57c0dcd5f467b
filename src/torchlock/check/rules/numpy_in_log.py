"""TL109, TL106 and TL703: a NumPy that is too new or too old for another package, as a log shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.relevance import owners_of
from torchlock.check.rules.numba import of_numba
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.names import numpy_of_interface, numpy_with
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# What numba prints.
_PRINTED = re.compile(
    r"Numba needs NumPy (\d{1,2})\.(\d{1,3}) or (less|greater)\.?(?: Got NumPy (\d{1,2}\.\d{1,3}))?"
)
# What the C interface of NumPy prints: before 2.0, and since.
_API_VERSIONS = re.compile(
    r"compiled against (?:NumPy C-)?(?:API|ABI) version 0x([0-9a-fA-F]{1,8})(?: \(NumPy [\d.]{1,8}\))? but "
    r"(?:this version of numpy is|the running NumPy has C-API version) 0x([0-9a-fA-F]{1,8})"
)
_SIZES = re.compile(
    r"numpy\.(\w{1,40}) size changed[^\n]{0,80}Expected (\d{1,4}) from C header, got (\d{1,4}) from PyObject"
)
# The last frame is in a compiled module of NumPy.
_OWN_MODULE = re.compile(
    r"numpy[/\\]\w{1,20}[/\\]\w{1,40}\.pyx(?:\"?, line \d{1,6},)? in init numpy\.[\w.]{1,60}(?:\(\))?\s{1,8}"
    r"(?:\w{1,40}Error: )?$"
)
# What torch prints itself, and the place in its source that the message names.
_OF_TORCH = re.compile(r"Failed to initialize NumPy|torch/csrc/utils/tensor_numpy")
_LACKS = re.compile(r"module 'numpy'? ?has no attribute '(\w{1,40})'|`np\.(\w{1,40})` was removed in the NumPy 2")


@rule("TL109", on="log")
def printed_by_numba(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """What numba printed, if the files do not show it."""
    first = log.first
    match = _PRINTED.search(first.text) if first is not None else None
    if first is None or match is None or any(each.rule == "TL109" for each in found):
        return
    major, minor = int(match[1]), int(match[2])
    bound = f"<{major}.{minor + 1}" if match[3] == "less" else f">={major}.{minor}"
    yield of_numba(context, bound, first.text, shown=True, numpy=match[4] or "")


@rule("TL106", "TL703", on="log")
def other_numpy(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A compiled package for another NumPy, or code that uses a name which this NumPy does not have."""
    first = log.first
    if first is None or first.rules[0] not in ("TL105", "TL106", "TL703"):
        return
    if _is_of_itself(log):
        yield _replaced(context, first.text)
        return
    if "numpy" not in context.pins:
        return
    if _is_overwritten(context, log, found):
        return
    if any(each.rule in ("TL105", "TL106", "TL109", "TL703") and each.severity != "note" for each in found):
        return
    wanted, lost = _wanted(context, log.text if first.rules[0] != "TL703" else first.text)
    wanted = _within_major(wanted)
    same = next(
        (each for each in found if each.rule == "TL107" and lost and f"numpy.{lost}" in each.because), None
    )
    if same is not None:  # The files show the same.
        same.expected_error, same.strength = first.text, Strength.RAN
        return
    numpy = context.pins["numpy"].version
    if not wanted or specifier_set(wanted).contains(numpy):
        return
    yield _finding(context, log, wanted, lost)


def _is_overwritten(context: CheckContext, log: Log, found: Sequence[Finding]) -> bool:
    """Whether the package that failed has files of another one, which explains more."""
    names = {
        name for each in found if each.rule == "TL620" and each.severity != "note" for name, _ in each.packages
    }
    return bool(names & owners_of(context, log.frames[-1:])) if names else False


def _is_of_itself(log: Log) -> bool:
    """Whether a module of NumPy itself found another NumPy than its own."""
    size = _SIZES.search(log.text)
    return size is not None and bool(_OWN_MODULE.search(log.text[max(0, size.start() - 400) : size.start()]))


def _replaced(context: CheckContext, line: str) -> Finding:
    return context.finding(
        "TL106",
        "warning",
        "NumPy loaded modules of two of its own releases: it was replaced while this Python ran, or only in part",
        "numpy",
        because="a module of NumPy itself fails in the log, and it is built for exactly its own release",
        expected_error=line,
        remedy=Remedy(
            "Restart Python, or the runtime of the notebook, after each change of NumPy; if it fails again, "
            "install NumPy again with --force-reinstall."
        ),
        strength=Strength.RAN,
    )


def _wanted(context: CheckContext, text: str) -> tuple[str, str]:
    """The NumPy that the failed code needs, and the name that it uses; "" for what is not known."""
    if match := _LACKS.search(text):
        lost = match[1] or match[2]
        return numpy_with(lost, context.pins["numpy"].version), lost
    if match := _SIZES.search(text):
        return _of_size(match[1], int(match[2]), int(match[3])), ""
    if match := _API_VERSIONS.search(text):
        compiled, mine = int(match[1], 16), int(match[2], 16)
        release = numpy_of_interface(compiled) if compiled > mine else ""
        return (f">={release}" if release else ""), ""
    is_of_1 = re.search(r"compiled using NumPy 1|_ARRAY_API not found|multiarray failed to import", text)
    return "<2" if is_of_1 and context.pins["numpy"].version.major >= 2 else "", ""


def _within_major(wanted: str) -> str:
    """The same within the major release: the binary interface changes with the next one."""
    return f"{wanted},<{int(wanted[2]) + 1}" if re.fullmatch(r">=\d(\.\d+)?", wanted) else wanted


def _of_size(kind: str, compiled: int, mine: int) -> str:
    """Which NumPy a package was compiled for, by the size of a type there and in this NumPy.

    ``dtype`` has 96 bytes in NumPy 1 and 88 in NumPy 2; ``ndarray`` has 88 since 1.20, and 96 since 1.22.
    """
    if kind == "dtype":
        return "<2" if (compiled, mine) == (96, 88) else ">=2" if (compiled, mine) == (88, 96) else ""
    return (">=1.22" if compiled == 96 else ">=1.20") if compiled > mine else ""


def _finding(context: CheckContext, log: Log, wanted: str, lost: str) -> Finding:
    owners = sorted(owners_of(context, log.frames) - {"numpy"})
    is_torch = not lost and "torch" in context.pins and any(map(_OF_TORCH.search, _shown(log)))
    who = owners[-1] if len(owners) == 1 else log.callers[-1] if log.callers and lost else "the code in the log"
    who = context.named("torch") if is_torch else who
    numpy = context.version("numpy")
    if lost:
        message = f"{who} uses numpy.{lost}, which NumPy {numpy} does not have"
    elif wanted.startswith("<"):
        message = f"{who} is compiled for NumPy 1, and NumPy {numpy} is installed"
    else:
        message = f"{who} is compiled for a later NumPy than {numpy}, which is installed"
    shown = "that torch cannot use this one" if is_torch else "that the import failed"
    because = f"the binary interface of NumPy changed, and the log shows {shown}"
    packages = ("torch",) if is_torch else owners if len(owners) == 1 else ()
    return context.finding(
        "TL703" if lost else "TL106",
        "warning",
        message,
        *packages,
        "numpy",
        because="the log shows it" if lost else because,
        expected_error=log.first.text if log.first else "",
        remedy=_remedy(context, wanted, is_torch=is_torch),
        sources=("numpy-names" if lost else "numpy-api-versions",),
        strength=Strength.RAN,
    )


def _shown(log: Log) -> list[str]:
    """The lines of a log that say for which NumPy something was compiled."""
    return [each.text for each in log.signatures if _API_VERSIONS.search(each.text)]


def _remedy(context: CheckContext, wanted: str, *, is_torch: bool) -> Remedy:
    """The NumPy that the failed code needs. For torch itself, although another package declares an older one."""
    from torchlock.check.fix.bounds import despite_bounds, opposed, within_bounds
    from torchlock.check.fix.commands import add

    numpy, target = context.version("numpy"), context.target
    there = wheels.releases_with("numpy", "", target) if target is not None else []
    if there and not any(specifier_set(wanted).contains(each) for each in there) and target is not None:
        return Remedy(
            f"Use a later release of that package, or change the line: numpy{wanted} has no wheel for "
            f"Python {target.python}."
        )
    allowed = within_bounds(context, "numpy", wanted)
    if allowed is not None:
        other = "" if is_torch else f", or a release of that package for NumPy {numpy}"
        return Remedy(f"Install numpy{allowed}{other}.", commands=add(context, "numpy", allowed))
    against = opposed(context, "numpy", wanted)
    said = f"{against[0]} requires numpy{against[1]}" if against else "other packages exclude it"
    if is_torch:
        allowed = despite_bounds(context, "numpy", wanted)
        words = (
            f"Install numpy{allowed}, which this torch needs, although {said}; or a later release of that package."
        )
        return Remedy(words, commands=add(context, "numpy", allowed))
    return Remedy(f"Use a release of that package for NumPy {numpy}: it needs numpy{wanted}, and {said}.")
