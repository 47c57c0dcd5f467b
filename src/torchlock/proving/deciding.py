"""Decide a cell: does this wheel of a companion load beside this wheel of torch?

- It *fails* if a library that its import opens uses a symbol that torch lacks, or if the import compares CUDA
  versions and raises, or if a library is needed that nobody brings.
  Some releases of torchvision catch the failure and go on; then the calls of their operators fail, and the reason
  says so.
- It *loads* if everything is there, and torch is of the series that the companion is built for, or later if all
  that it uses of torch is torch's stable ABI.
- It is *unknown* if only a library of CUDA is missing, which a CUDA toolkit on the machine may bring.
- Else it is *unknown*: the libraries link, but C++ functions of another series may have another meaning, and such
  pairs are documented as failing.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from torchlock.inspect.binaries.cxx_names import demangled, described
from torchlock.knowledge.cuda_libraries import with_cuda
from torchlock.knowledge.stack import goes_on_without
from torchlock.proving.evidence import cuda_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from torchlock.knowledge.proofs import Kind, Verdict
    from torchlock.proving.evidence import CompanionWheel, Library, TorchWheel

    class History(Protocol):
        """Which releases of torch export a symbol on the platform, in words; "" if none does."""

        def __call__(self, symbol: str) -> str: ...


# The functions of torch's stable ABI have names of C; copies of what Python has inside begin with ``_torch_Py``.
_STABLE: Final = re.compile(r"_?(?:aoti_torch_|torch_(?!Py))[A-Za-z0-9_]{1,200}")
# Libraries of the operating system, of the C++ compiler and of Python: other rules judge a target by them.
_OF_SYSTEM: Final = re.compile(
    r"ld-linux[\w.-]{0,20}|lib(?:c|m|dl|rt|pthread|gcc_s|stdc\+\+|gomp|z|util|python3[\w.]{0,9})\.so[\d.]{0,9}"
    r"|lib(?:System(?:\.B)?|c\+\+(?:abi)?(?:\.1)?|objc\.A|z\.1)\.dylib|Python"
    r"|(?:api-ms-win-|ext-ms-)[\w-]{1,60}\.dll|python3\d{0,2}t?\.dll"
    r"|(?:kernel32|advapi32|user32|ole32|ws2_32|version|bcrypt|msvcrt|ucrtbase|shell32|dbghelp|shlwapi"
    r"|msvcp140(?:_\d)?|vcruntime140(?:_\d)?|vcomp140)\.dll",
    re.IGNORECASE,
)
# Libraries that people install themselves: the rules about FFmpeg and libsox judge them.
_OF_HOST: Final = re.compile(
    r"(?:lib)?(?:av(?:util|codec|format|device|filter)|sw(?:scale|resample)|sox)[-.]", re.I
)
# Libraries of CUDA: whether they are there depends on the machine. A toolkit or a package of NVIDIA brings them.
_OF_CUDA: Final = re.compile(
    r"lib(?:cu(?:dart|blas|blasLt|fft|rand|solver|sparse|pti)|nvrtc|nvToolsExt|nvJitLink|npp\w{1,5}|nvcuvid)"
    r"\.so\.\d{1,3}[\d.]{0,9}"
    r"|(?:cudart64|nvrtc64|npp\w{1,5}64|cublas64|cufft64|cusparse64|cusolver64|curand64)_\d{1,4}(?:_\d{1,3})?\.dll",
    re.IGNORECASE,
)
# Symbols without a version that libraries of the system have: of C++, OpenMP, zlib, libsox and Objective-C.
# Linkers leave out the version where torch exports a copy of the function.
_OF_OTHERS: Final = re.compile(
    r"_{0,2}(?:Z(?:T[ISV])?(?:N[KRO]{0,2})?S[abdiost\d]"
    r"|GOMP_|omp_|dl(?:open|sym|close|error|addr)$|sox_|lsx_|objc_|OBJC_"
    r"|(?:inflate|deflate|adler32|crc32|compress|uncompress)\w{0,12}$)"
)
# What names of torch contain, as the compilers of Linux and macOS write them, and that of Windows.
_PARTS_OF_TORCH: Final = ("5torch", "3c10", "2at", "6caffe2", "@torch@@", "@c10@@", "@at@@", "@caffe2@@", "THP")


_GOES_ON: Final = "its import continues without its library, but its operators do not work"


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
        series: that of the torch that the companion is made for (``2.8``), "" if it is not known.
        history: which releases of torch have a symbol, for the sentence.
    """
    lack = _lack(companion, torch, history)
    if lack is None or not lack.is_certain:
        lack = _compared(companion, torch) or lack
    if lack is not None:
        return Decision("fails" if lack.is_certain else "unknown", "measured", lack.reason, lack.symbol)
    opened = [each for each in companion.libraries if each.role != "optional"]
    more = "".join(_optional(companion, torch, history))
    mine, its = _numbers(series), _numbers(torch.wheel.version)[:2]
    made = f"it is built for torch {series}" if series else "it is not known which torch it is built for"
    if not opened:
        bare = "its import opens no compiled library"
        if mine == its:
            return Decision("loads", "measured", f"{bare}, and {made}{more}")
        return Decision("unknown", "declared", f"{bare}; {made}, and its Python code was not compared")
    if not any(_is_of_series(name) for each in opened for name in each.symbols):
        stable = "torch has every function of its stable ABI that it uses"
        if mine <= its:
            return Decision("loads", "measured", stable + more)
        return Decision(
            "unknown", "measured", f"{stable}, but {made} or later, and with this one it was not tried"
        )
    every = "torch has every symbol that its libraries use"
    if mine == its:
        return Decision("loads", "measured", f"{every}, and is of the series that they are compiled for{more}")
    warning = "its C++ functions may mean something else in another series"
    return Decision("unknown", "declared", f"{every}, but {made}, and {warning}")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _is_of_series(symbol: str) -> bool:
    """Whether a symbol is one of torch that may change with each minor release."""
    return not is_stable(symbol) and not _is_of_others(symbol)


def is_stable(symbol: str) -> bool:
    """Whether a symbol belongs to torch's stable ABI, which later releases keep."""
    return _STABLE.fullmatch(_name(symbol)) is not None


def is_of_system(library: str) -> bool:
    """Whether the operating system, the C++ compiler or Python has a library."""
    return _OF_SYSTEM.fullmatch(library) is not None


def may_decide(symbol: str) -> bool:
    """Whether a verdict may depend on a symbol: torch, or nobody, has it."""
    return not _is_of_others(symbol)


def _name(symbol: str) -> str:
    """A symbol without the library that it is looked for in."""
    return symbol.rpartition("!")[2]


@cache
def _is_of_others(symbol: str) -> bool:
    return _OF_OTHERS.match(_name(symbol)) is not None


def _lack(companion: CompanionWheel, torch: TorchWheel, history: History) -> _Lack | None:
    """Why the import of the companion fails to load a library."""
    # A library that others of the wheel need comes before them: it has fewer needs, and they have them, too.
    libraries = sorted(companion.libraries, key=lambda each: len(each.symbols) + len(each.needed))
    imported = (_of_library(each, torch, history) for each in libraries if each.role == "import")
    lack = _gravest(filter(None, imported))
    if lack is not None and lack.is_certain:
        goes_on = goes_on_without(companion.wheel.package, companion.wheel.version)
        return lack._replace(reason=f"{_GOES_ON}: {lack.reason}") if goes_on else lack
    groups: dict[str, list[_Lack]] = {}
    for each in libraries:
        if each.role == "choice":
            found = _of_library(each, torch, history)
            groups.setdefault(each.group, []).extend([found] if found else [])
    newest_first = sorted(groups, key=lambda group: int(group or 0), reverse=True)
    chosen = [_gravest(groups[group]) for group in newest_first]
    if not all(chosen):
        return lack
    # One that may load is enough.
    return min(filter(None, chosen), key=lambda each: each.is_certain, default=lack)


def _gravest(lacks: Iterable[_Lack]) -> _Lack | None:
    """The first that certainly prevents loading, else the first."""
    return min(lacks, key=lambda each: not each.is_certain, default=None)


def _of_library(library: Library, torch: TorchWheel, history: History) -> _Lack | None:
    return _gravest(filter(None, (_symbol(library, torch, history), *_libraries(library, torch))))


def _libraries(library: Library, torch: TorchWheel) -> Iterator[_Lack]:
    """The libraries that it needs and that torch does not bring."""
    name, cuda = library.name.rpartition("/")[2], cuda_of(torch.wheel.build)
    for needed in _not_brought(library.needed, torch.libraries, cuda.partition(".")[0]):
        if _OF_CUDA.fullmatch(needed):
            this = f"this torch, which is built for CUDA {cuda}," if cuda else "this build of torch"
            where = "a CUDA toolkit or a package of NVIDIA on the search path of the loader can bring it"
            yield _Lack(
                f"{name} needs {with_cuda(needed)}, which {this} does not bring; {where}", is_certain=False
            )
        else:
            yield _Lack(f"{name} needs {needed}, which neither its wheel nor this torch contains")


@lru_cache(maxsize=4096)
def _not_brought(needed: tuple[str, ...], brought: frozenset[str], cuda_major: str) -> list[str]:
    """Of the libraries that are needed those that neither torch brings nor other rules judge."""
    return [
        each
        for each in needed
        if not (_is_loaded(each, brought, cuda_major) or is_of_system(each) or _OF_HOST.match(each))
    ]


def _symbol(library: Library, torch: TorchWheel, history: History) -> _Lack | None:
    """The symbols that it uses and that torch lacks."""
    name = library.name.rpartition("/")[2]
    missing = [each for each in {*library.symbols} - torch.exports if not _is_of_others(each)]
    if not missing:
        return None
    first = min(missing, key=_rank)
    shown = plain(first)
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    told = history(first)
    if not told and not is_torchs(first):
        return _Lack(f"{name} uses {shown}, and it is not known which library has it", shown, is_certain=False)
    told = told or f"no torch that was read has it{' there' if first.rpartition('!')[0] else ''}"
    of = f" from {owner}" if (owner := first.rpartition("!")[0]) else ""
    return _Lack(f"{name} uses {described(_own(first))}{of}{others}, which this torch lacks: {told}", shown)


@cache
def _rank(symbol: str) -> tuple[object, ...]:
    """Which missing symbol is named: one of torch, of its stable ABI, with a name that says what it does."""
    names = plain(symbol).split("::")
    is_special = "operator" in names[-1] or names[-1].lstrip("~") in names[:-1]
    if is_stable(symbol):
        return False, False, symbol
    return not is_torchs(symbol), True, is_special, len(symbol), symbol


def _is_loaded(library: str, brought: frozenset[str], cuda_major: str) -> bool:
    """Whether a library is loaded once torch is: by its name, or by a pattern and the CUDA version of torch."""
    if library in brought:
        return True
    patterns = [each for each in brought if "*" in each]
    return library.endswith(f".so.{cuda_major}") and any(fnmatchcase(library, each) for each in patterns)


def is_torchs(symbol: str) -> bool:
    """Whether a symbol is torch's, by its name."""
    return is_stable(symbol) or any(part in _name(symbol) for part in _PARTS_OF_TORCH)


def plain(symbol: str) -> str:
    """A symbol as a programmer writes it."""
    return demangled(_own(symbol))


def _own(symbol: str) -> str:
    """A symbol as the compiler named it: macOS writes an underscore before it."""
    library, _, name = symbol.rpartition("!")
    return name.removeprefix("_") if library.endswith(".dylib") or symbol.startswith("!") else name


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


def symbols_of(companions: Iterable[CompanionWheel]) -> set[str]:
    """All symbols that some companion uses."""
    return {name for each in companions for library in each.libraries for name in library.symbols}
