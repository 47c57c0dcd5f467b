"""TL610 to TL612: what a line of a log means by itself, if its environment is not the one that is checked.

It is asked only if torch is not installed here, and for lines that are about torch or its libraries alone.
It has no command: the environment of the log is not known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.library_origins import Meaning, meaning_of_missing, meaning_of_opened
from torchlock.check.log_signatures import ECHO
from torchlock.check.stated_pairs import companion_of, sources_hint, stated_command, stated_hint
from torchlock.check.symbol_origins import meaning_of_undefined
from torchlock.check.symbol_releases import abi_hint, with_releases
from torchlock.check.system_packages import of_store_in
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import backends

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log, Signature
    from torchlock.finding import Finding

# What a log may have before the failure, at most.
_MOST = 200_000
_NOT_FOUND = re.compile(
    # Behind what a logger or a program prints, but not behind another library that did not load.
    r"^(?:(?:(?!\.so\b|\.dll\b|FFmpeg version|shared libraries: ).){0,300}[\s:(\"'])?"
    r"(?P<library>[^\s:'\"/\\()]{3,90}): cannot open shared object file"
    # What cuDNN says of a part of its own, and the library that this part lacks.
    r"|^Could not load library \S{3,80}\. Error: (?P<lacking>[^\s:]{3,90}): cannot open shared object file"
    r"|shared libraries: (?P<own>libpython3[^\s:]{1,40}): cannot open shared object file"
    r"|Library not loaded: (?:[^\s'\"]{0,300}/)?(?P<mac>[^/\s'\"]{3,90}\.dylib)"
    r"|(?P<dll>[\w.+-]{3,60}\.dll)\W{0,3} (?:was|is|could) not (?:be )?found",
    re.IGNORECASE,
)
_OF_WINDOWS = re.compile(
    r"WinError (?P<number>126|127)\b|specified (?P<what>module|procedure) could not be found"
    r"|Could not find (?P<whole>module) '[^'\n]{1,300}' \(or one of its dep"
)
_OPENED = re.compile(r"(?<![\w.+-])(?P<library>[\w+-][\w.+-]{0,80}?\.(?:dll|pyd))\b", re.IGNORECASE)
_IMPORTED = re.compile(r"DLL load failed while importing (?P<module>\w{1,80})")
_OF_FAMILY = re.compile(
    r"(?:torch\w{0,20}|c10\w{0,8}|shm|fbgemm|asmjit|caffe2\w{0,30}|libtorch(?!codec)\w{0,30}|_torchaudio|_C)(?:[.-].{0,40})?"
    r"\.(?:dll|pyd)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"version .?(?P<version>(?P<kind>GLIBC|GLIBCXX|CXXABI)_[\d.]{1,20}\d).{0,3} not found")
_OF_CUDA = re.compile(r"lib(?:torch|c10)_cuda\w{0,12}\.so")
# The file that uses a library which macOS did not find.
_USER = re.compile(r"\bdlopen\([^,)\n]{1,300}|Referenced from: {0,4}\S")
# A line of code that imports a module, or a file of it.
_IMPORTS = r"\b(?:import|from) {0}\b|[/\\]{0}[/\\]|\bimporting {0}\b"
# The loader names the user of a library of the system; a program is not part of an environment.
_OF_PROGRAM = re.compile(r"\(required by (?![^)\n]{0,300}\.so)")
_OTHER_TORCH = Meaning(
    "",
    "WinError 127 means that a library of torch was found, and lacks a function: the library was built for "
    "another release of torch than the one that was loaded",
    "Compare python -m pip list with the releases that belong together (torchlock lock torch torchaudio), and "
    "install that package for the installed torch. If they fit, look for a second torch, and for DLLs of torch on "
    "the PATH.",
)
# Python opened the library: an import or ctypes.
_OF_PYTHON = re.compile(
    r"(?:\b(?:Import|OS)Error|\bError was): [^\s'\"]{3,90}: cannot open shared object file: No such file"
)
_UNKNOWN = Meaning(
    "",
    "a compiled module asks for it by this very name, and it is in no folder that the loader searches",
    "Look for the package of the system that contains it (apt-file search NAME, dnf provides '*/NAME'), or for a "
    "file of that name in the environment: its folder must be on LD_LIBRARY_PATH before Python starts. If no "
    "package of this system has this very number, take a release of the module that is built for this system.",
)


@rule("TL610", on="unexplained")
def missing_library(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that the loader in the log did not find, or one of Windows that lacks another."""
    first = _line(context, log, found, is_anywhere=True)
    match = _NOT_FOUND.search(first.text) if first is not None else None
    library = next(filter(None, match.groups()), "") if match is not None else ""
    meaning = meaning_of_missing(library) if library else None
    if "torch" in context.pins and (meaning is None or not meaning.anywhere):
        return
    meaning = _of_vendor(log, library) or meaning
    if library and (words := of_store_in(log.text[-_MOST:], library)):
        because = "the Python in the log does not search the folders where other systems have this library"
        meaning = Meaning(meaning.what if meaning is not None else "", because, words)
    if meaning is not None and _is_of_others(log, meaning):
        meaning = None
    if first is not None and meaning is None and log.frames and _OF_PYTHON.search(first.text):
        meaning = _UNKNOWN
    if first is not None and meaning is not None:
        message = f"the process in the log did not find {library}{meaning.what}"
        yield _finding(context, "TL610", message, meaning, first, library)
    elif first is not None and not library and _number(first) == "126" and (opened := _opened(first)):
        message = f"the process in the log did not find {opened}, or a library that it needs"
        meaning = meaning_of_missing(opened) or meaning_of_opened(opened)
        yield _finding(context, "TL610", message, meaning, first, opened)


@rule("TL611", on="unexplained")
def undefined_symbol(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A symbol that no library of the process defined; Windows does not name it."""
    first = _line(context, log, found)
    meaning = meaning_of_undefined(first.symbol) if first is not None and first.symbol else None
    if first is not None and meaning is not None:
        name = companion_of(first.text, first.library)
        paired = _with_releases(log, first, meaning)
        meaning = with_releases(context, first.symbol, first.library, paired)
        if name:
            # It names the releases that the log shows.
            meaning = meaning._replace(look=paired.look + abi_hint(first.symbol))
        by = f"{first.library} lacks" if first.library else "a library lacks"
        finding = _finding(context, "TL611", f"{by} {meaning.what}", meaning, first, first.symbol)
        finding.remedy = Remedy(meaning.look, commands=stated_command(log, name) if name else ())
        yield finding
    elif first is not None and _number(first) == "127" and (_opened(first) or "torch" in log.text.lower()):
        opened = _opened(first)
        message = f"{opened or 'a library'} uses a function that the libraries of the log's process do not have"
        yield _finding(context, "TL611", message, _with_releases(log, first, _OTHER_TORCH), first, opened)


@rule("TL612", on="unexplained")
def older_runtime(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A C or C++ library of the machine that is too old for a package."""
    first = _line(context, log, found)
    match = _VERSION.search(first.text) if first is not None else None
    if first is None or match is None:
        return
    if match["kind"] == "GLIBC":
        library = "C library (glibc)"
        look = "Use a later release of the distribution, or an earlier release of that package."
    else:
        library = "C++ library (libstdc++.so.6)"
        look = "Use a later distribution; or put a later libstdc++ first, such as libstdcxx-ng of conda-forge."
    because = f"a package was compiled for a later {library} than the process in the log had loaded"
    message = f"the {library} of the process has no {match['version']}"
    yield _finding(context, "TL612", message, Meaning("", because, look), first, match["version"])


def _line(
    context: CheckContext, log: Log, found: Sequence[Finding], *, is_anywhere: bool = False
) -> Signature | None:
    """The first failure, if this environment has no torch, and if the line is not explained, as an echo is.

    ``is_anywhere``: beside an installed torch, too.
    """
    first = log.first
    is_alone = first is not None and first.weight != ECHO and (is_anywhere or "torch" not in context.pins)
    if first is not None and any(each.expected_error == first.text and each.severity != "note" for each in found):
        return None
    return first if is_alone and not _OF_PROGRAM.search(log.text) else None


def _of_vendor(log: Log, library: str) -> Meaning | None:
    """A library of torch for CUDA, beside the torch of another vendor that a log names; None if it names none.

    The word behind ``torch`` names one whose vendor builds torch, too: a build of PyTorch is none of these.
    """
    if not _OF_CUDA.fullmatch(library):
        return None
    for name, backend in backends().items():
        word = name.removeprefix("torch-")
        start = r"(?:torch[_-])?" if backend.own else r"torch[_-]"
        if name.startswith("torch-") and re.search(rf"(?<![a-z]){start}{word}(?![a-z])", log.text[-_MOST:], re.I):
            return Meaning(
                ", which only CUDA (or ROCm) builds of torch contain",
                f"the log names {name}, for {backend.accelerators}: its torch is not a CUDA build, and the "
                "package that failed was built for one, as the wheels of the public index are",
                "Compile torchaudio (or the package that failed) from its source against that torch: uninstall "
                "it, check out the release of the same number, and run python -m pip install . "
                f"--no-build-isolation --no-deps; or install the wheel for {name} that its vendor offers. Where "
                "no function for a GPU is used, the CPU build of the same release from "
                "https://download.pytorch.org/whl/cpu may do.",
                backend.sources,
            )
    return None


def _with_releases(log: Log, first: Signature, meaning: Meaning) -> Meaning:
    """A meaning with the companion that the line is about, and with what the log shows of its release."""
    name = companion_of(first.text, first.library)
    look = meaning.look.replace("torchlock lock torch torchaudio", f"torchlock lock torch {name or 'torchaudio'}")
    return meaning._replace(look=look + (stated_hint(log, name) or sources_hint(log) if name else ""))


def _is_of_others(log: Log, meaning: Meaning) -> bool:
    """Whether a log shows who uses a library, and names none of those that its meaning is about."""
    if meaning.shown:
        return not any(re.search(_IMPORTS.format(each), log.text) for each in meaning.users)
    text = log.text.lower()
    is_shown = bool(log.frames) or _USER.search(log.text) is not None
    return bool(meaning.users) and is_shown and not any(each in text for each in meaning.users)


def _number(first: Signature) -> str:
    """The number of the error of Windows; "" for another error."""
    match = _OF_WINDOWS.search(first.english)
    if match is None:
        return ""
    return match["number"] or {"module": "126", "procedure": "127"}[match["what"] or match["whole"]]


def _opened(first: Signature) -> str:
    """The library of the torch family that Windows names; "" for another one, which is not judged."""
    found = [each["library"] for each in _OPENED.finditer(first.text)]
    mine = next((each for each in found if _OF_FAMILY.fullmatch(each) or meaning_of_missing(each)), "")
    module = _IMPORTED.search(first.text)
    return mine or (
        f"the module {module['module']}" if module and module["module"] in ("_C", "_torchaudio") else ""
    )


def _finding(
    context: CheckContext, rule: str, message: str, meaning: Meaning, first: Signature, lacking: str
) -> Finding:
    return context.finding(
        rule,
        "warning",
        message,
        because=meaning.because,
        expected_error=first.text,
        remedy=Remedy(meaning.look),
        sources=(*meaning.sources, *(("ld-so-manual",) if ".so" in first.text else ())),
        strength=Strength.RAN,
        lacks=(lacking,) if lacking else (),
    )
