"""Decide a cell: does this wheel of a companion load beside this wheel of torch?

- It *fails* if a library that its import opens uses a symbol that torch lacks, or needs a library that nobody
  brings, or if the import compares CUDA versions and raises.
- It *loads* if everything is there, and all that it uses of torch is torch's stable ABI, or torch is of the series
  that the companion was compiled with.
- Else it is *unknown*: the libraries link, but C++ functions of another series may have another meaning, and such
  pairs are documented as failing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from torchlock.inspect.binaries.cxx_names import demangled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from torchlock.knowledge.proofs import Kind, Verdict
    from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel

    class History(Protocol):
        """Which releases of torch export a symbol on the platform, in words; "" if none does."""

        def __call__(self, symbol: str) -> str: ...


# The functions of torch's stable ABI have names of C.
_STABLE: Final = re.compile(r"(?:[\w.]*!)?_?(?:aoti_torch_|torch_)[a-z0-9_]+")
# Libraries of the operating system, of the C++ compiler and of Python: other rules judge a target by them.
_OF_SYSTEM: Final = re.compile(
    r"ld-linux[\w.-]*|lib(?:c|m|dl|rt|pthread|gcc_s|stdc\+\+|gomp|z|util|python3[\w.]*)\.so[\d.]*"
    r"|lib(?:System(?:\.B)?|c\+\+(?:abi)?(?:\.1)?|objc\.A|z\.1)\.dylib|Python"
    r"|(?:api-ms-win-|ext-ms-)[\w-]+\.dll|python3\d*t?\.dll"
    r"|(?:kernel32|advapi32|user32|ole32|ws2_32|version|bcrypt|msvcrt|ucrtbase|shell32|dbghelp|shlwapi"
    r"|msvcp140(?:_\d)?|vcruntime140(?:_\d)?|vcomp140)\.dll",
    re.IGNORECASE,
)
# Libraries that people install themselves: the rules about FFmpeg and libsox judge them.
_OF_HOST: Final = re.compile(
    r"(?:lib)?(?:av(?:util|codec|format|device|filter)|sw(?:scale|resample)|sox)[-.]", re.I
)


# Symbols without a version that libraries of the system have: of C++, OpenMP, zlib, libsox and Objective-C.
# Linkers leave out the version where torch exports a copy of the function.
_OF_OTHERS: Final = re.compile(
    r"(?:[\w.]*!)?_{0,2}(?:Z(?:T[ISV])?(?:N[KRO]{0,2})?S[abdiost\d]"
    r"|GOMP_|omp_|dl(?:open|sym|close|error|addr)$|sox_|lsx_|objc_|OBJC_"
    r"|(?:inflate|deflate|adler32|crc32|compress|uncompress)\w*$)"
)
_OF_TORCH: Final = re.compile(
    r"(?:[\w.]*!)?(?:_{0,2}Z\w*?(?:5torch|3c10|2at|6caffe2)|_?THP|\?.*@(?:c10|at|torch|caffe2)@@)", re.DOTALL
)


class Decision(NamedTuple):
    """The verdict about two wheels, how it is known, one sentence without its full stop, and a missing symbol."""

    verdict: Verdict
    kind: Kind
    reason: str
    symbol: str | None = None


class _Lack(NamedTuple):
    """Why something does not load; ``is_certain``: it is known that it does not."""

    reason: str
    symbol: str | None = None
    is_certain: bool = True


def decide(companion: CompanionWheel, torch: TorchWheel, series: str, history: History) -> Decision:
    """The verdict about two wheels.

    Args:
        companion: what the companion needs.
        torch: what torch offers; its exports contain every symbol of ``companion`` that it has.
        series: that of the torch that the companion was compiled with (``2.8``), "" if it is not known.
        history: which releases of torch have a symbol, for the sentence.
    """
    lack = _lack(companion, torch, history) or _compared(companion, torch)
    if lack is not None:
        return Decision("fails" if lack.is_certain else "unknown", "measured", lack.reason, lack.symbol)
    opened = [each for each in companion.libraries if each.role != "optional"]
    more = "".join(_optional(companion, torch, history))
    if not opened:
        return Decision("loads", "measured", f"its import opens no compiled library{more}")
    unstable = [name for each in opened for name in each.symbols if not is_stable(name)]
    if not unstable:
        return Decision("loads", "measured", f"torch has every function of its stable ABI that it uses{more}")
    if series and torch.wheel.version.split(".")[:2] == series.split("."):
        every = "torch has every symbol that its libraries use, and is of the series that they were compiled with"
        return Decision("loads", "measured", every + more)
    made = f"compiled with torch {series}" if series else "compiled with a torch that is not known"
    return Decision(
        "unknown",
        "declared",
        f"torch has every symbol that its libraries use, but they were {made}, and they use C++ functions that "
        f"may mean something else in another series",
    )


def is_stable(symbol: str) -> bool:
    """Whether a symbol belongs to torch's stable ABI, which later releases keep."""
    return _STABLE.fullmatch(symbol) is not None


def _lack(companion: CompanionWheel, torch: TorchWheel, history: History) -> _Lack | None:
    """Why the import of the companion fails to load a library."""
    for each in companion.libraries:
        if each.role == "import" and (lack := _of_library(each, torch, history)):
            return lack
    groups: dict[str, list[_Lack]] = {}
    for each in companion.libraries:
        if each.role == "choice":
            lack = _of_library(each, torch, history)
            groups.setdefault(each.group, []).extend([lack] if lack else [])
    if groups and all(groups.values()):
        return groups[max(groups, key=lambda group: int(group or 0))][0]
    return None


def _of_library(library: Library, torch: TorchWheel, history: History) -> _Lack | None:
    name = library.name.rpartition("/")[2]
    for needed in library.needed:
        if needed not in torch.libraries and not _OF_SYSTEM.fullmatch(needed) and not _OF_HOST.match(needed):
            return _Lack(f"{name} needs {needed}, which this build of torch does not bring")
    missing = [each for each in library.symbols if each not in torch.exports and not _OF_OTHERS.match(each)]
    if not missing:
        return None
    first = min(missing, key=lambda symbol: (not is_torchs(symbol), not is_stable(symbol), len(symbol), symbol))
    shown = plain(first)
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    told = history(first)
    if not told and not is_torchs(first):
        return _Lack(f"{name} uses {shown}, and it is not known which library has it", shown, is_certain=False)
    told = told or "no torch that was read has it"
    return _Lack(f"{name} uses {shown}{others}, which this torch lacks: {told}", shown)


def is_torchs(symbol: str) -> bool:
    """Whether a symbol is torch's, by its name."""
    return is_stable(symbol) or _OF_TORCH.match(symbol) is not None


def plain(symbol: str) -> str:
    """A symbol as a programmer writes it."""
    library, _, name = symbol.rpartition("!")
    name = name.removeprefix("_") if library.endswith(".dylib") or symbol.startswith("!") else name
    return demangled(name)


def _optional(companion: CompanionWheel, torch: TorchWheel, history: History) -> Iterator[str]:
    """Libraries that the import can do without, and that do not load."""
    for each in companion.libraries:
        lack = _of_library(each, torch, history) if each.role == "optional" else None
        if lack is not None:
            yield f"; {lack.reason}, so that only calls that use it fail"
            return


def _compared(companion: CompanionWheel, torch: TorchWheel) -> _Lack | None:
    """Whether the comparison of CUDA versions at import raises."""
    mine, its = cuda_of(companion.wheel.build), cuda_of(torch.wheel.build)
    if not companion.compares or not mine or not its:
        return None
    parts = 1 if companion.compares == "major" else 2
    if mine.split(".")[:parts] == its.split(".")[:parts]:
        return None
    what = "major version" if parts == 1 else "version"
    return _Lack(
        f"its import compares the CUDA {what} that it was built with ({mine}) with that of torch ({its}), and "
        "raises"
    )


def cuda_of(build: str | None) -> str:
    """``13.0`` of ``cu130``; "" for every other build, and for one that is not known."""
    match = re.fullmatch(r"cu(\d+)(\d)", build or "")
    return f"{match[1]}.{match[2]}" if match else ""


def symbols_of(companions: Iterable[CompanionWheel]) -> set[str]:
    """All symbols that some companion uses."""
    return {name for each in companions for library in each.libraries for name in library.symbols}
