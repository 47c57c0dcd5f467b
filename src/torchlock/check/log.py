"""Read a pasted log: the failures that it shows, and what it says about its environment."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log_signatures import ATTEMPT, CAUSE, ECHO, HEADLINE, WORDS, signatures
from torchlock.knowledge.stack import CONDA_NAMES
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.log_signatures import Known

# The limits on a log (half of the text is from its end) and on a line.
_MOST = 5 << 20
_LONGEST = 4000
# So many different lines are compared with the known failures, and those at the end.
_MOST_TRIED = 10_000
# torchcodec prints the errors of its attempts within this many lines after the headline.
_ATTEMPTS = 300
_COLOUR = re.compile(r"\x1b(?:\[[0-9;?]{0,40}[@-~]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\))")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\0": None})
# The prefix that a CI, a container or a logger adds to a line.
_STAMP = re.compile(
    r"^(?:[^\t]{0,80}\t[^\t]{0,80}\t)?(?:[\w.-]{1,60} +\| )?(?:#\d{1,4} )?"
    r"(?:\[?\d{4}-\d\d-\d\d[T ][\d:.,]{5,20}(?:Z|[+-]\d\d:?\d\d)?\]?|\[?\d\d:\d\d:\d\d[.,\d]{0,7}\]?"
    r"|\d{1,5}\.\d{1,3}(?= ))?\s*"
)
_SITE = re.compile(r"[/\\](?:site|dist)-packages(?=[/\\]|$)")
_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\](torch|torchaudio)(?=[/\\])")
# The start of a path: after a quote or a bracket, or after a space before a root.
_START = re.compile(r"""["'<>|*?(=\[]|(?:File|from|at)\s|\s(?=[/~]|[A-Za-z]:[/\\])""")
# The Python in the name of this wheel is not the one that runs.
_FOREIGN_WHEEL = "is not a supported wheel"
PYTHON = re.compile(
    r"[/\\]python(3\.\d{1,2})[/\\]|[/\\]Python(3)(\d{1,2})(?:-\d\d|-arm64)?[/\\]"
    r"|\bC?Python (3\.\d{1,2})\.\d{1,2}\b|\bcp(?:ython-)?(3)(\d{1,2})\b(?!-abi3)",
    re.I,
)
_LIBRARY = re.compile(r"[\w+-][\w.+-]{0,80}?\.(?:so(?:\.\d{1,4}){0,4}|dylib|dll|pyd)(?![\w])", re.I)
_SYMBOL = re.compile(
    r"(?:undefined symbol|symbol not found(?: in flat namespace)?)[: ]{1,3}['\"(]?(\w{1,400})", re.I
)
_MODULE = re.compile(r"(?:No module named|module) ['\"]?([A-Za-z_][\w.]{0,100})")
# Packages that the log shows as installed: the name, or another name for it, and the version.
_INSTALLED = re.compile(
    r"The (PyTorch) version \((\d[\w.+]{0,60})\)|but you have ([\w.-]{1,60}) (\d[\w.+]{0,60}\w)"
    r"|(?:Got|run in) (NumPy) (\d{1,3}(?:\.\d{1,3}){1,2})"
)
_CUDA = re.compile(r"\b(PyTorch|TorchAudio|torchvision) has CUDA [Vv]ersion ?=? ?(\d{1,2}\.\d)")
_FRAME = re.compile(r"(?:site|dist)-packages[/\\]([\w.-]{1,100}(?:[/\\][\w.-]{1,100}){0,20}\.py)\b")
_OWN_FRAME = re.compile(r'File "([^"<]{1,300}\.py)", line \d')
_VERSION = re.compile(r"\b(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,12}\d|\b\d{1,3}\.\d{1,3}(?:\.\d{1,3})?(?:\+\w{1,20})?")


# The heads and the numbered lines of source in IPython's tracebacks: a text in them is code, and no error. What
# follows a path and a colon is a message: a warning of Python, or a line of a logger.
_CELL = re.compile(
    r"(?:File |/|~)\S.{0,300}\.py(?::\d{1,7}(?=,|:? in |\s{0,8}$)| in )"
    r"|(?:Cell|Input) In ?\[|<ipython-input-|\S+Error {10,}Traceback"
)
# A warning of Python: an error that follows soon counts more.
_WARNED = re.compile(r"\.py:\d{1,7}: \w{0,40}Warning: ")
# The head of a frame in Python's own tracebacks: its code follows.
_HEAD = re.compile(r'File "[^"]{1,500}", line \d{1,7}(?:, in |\s{0,8}$)')
_SOURCE = re.compile(r"\s{0,8}(?:-{1,8}> ?)?\d{1,7}(?: |$)|\s{0,8}\(\.\.\.\)")


class Signature(NamedTuple):
    """A line that shows a failure: its text, its number (from 1), and the rules that may cause it.

    ``library``, ``symbol`` and ``module`` are the first that it names, ``versions`` are all; for ``weight`` see
    ``torchlock.check.log_signatures``.
    """

    text: str
    line: int
    rules: tuple[str, ...]
    weight: int = CAUSE
    library: str = ""
    symbol: str = ""
    module: str = ""
    versions: tuple[str, ...] = ()


class Log(NamedTuple):
    """The content of a log, in its order.

    ``prefixes`` are the folders that each package was imported from, ``pythons`` the versions of Python.
    ``installed`` are the (package, version) pairs that it names, ``cuda`` the (package, CUDA version) pairs of
    builds; ``frames`` are the files of site-packages in its tracebacks, ``callers`` the other files. ``sites`` are
    the folders of packages that it names; ``text`` is the whole log.
    """

    signatures: tuple[Signature, ...]
    prefixes: tuple[tuple[str, str], ...] = ()
    pythons: tuple[str, ...] = ()
    installed: tuple[tuple[str, str], ...] = ()
    cuda: tuple[tuple[str, str], ...] = ()
    frames: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    text: str = ""
    sites: tuple[str, ...] = ()

    @property
    def first(self) -> Signature | None:
        """The first failure that does not follow from an earlier one.

        After a headline and its attempts, an attempt with its own reason counts more.
        """
        real = [each for each in self.signatures if each.weight > ECHO] or list(self.signatures)
        if not real or real[0].weight == CAUSE:
            return real[0] if real else None
        near = [each for each in real if each.line <= real[0].line + _ATTEMPTS]
        causes = [each for each in near if each.weight == CAUSE]
        attempts = [each for each in near if each.weight == ATTEMPT]
        return (causes or attempts or real)[0]

    @property
    def split(self) -> bool:
        """Whether torch and torchaudio were imported from different environments."""
        places = {
            name: {plain_path(prefix) for each, prefix in self.prefixes if each == name}
            for name, _ in self.prefixes
        }
        return len(places) == 2 and not places["torch"] & places["torchaudio"]


def decoded(head: bytes, lines: int = 0, tail: bytes = b"") -> str:
    """Decode a log: UTF-8, or UTF-16 as PowerShell writes it. Invalid bytes are replaced.

    ``lines`` were left out before ``tail``: they are empty here, so that all lines keep their numbers.
    """
    encoding = "utf-8-sig"
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(mark):
            head, encoding = head[len(mark) :], name
    if not lines:
        return (head + tail).decode(encoding, "replace")
    return head.decode(encoding, "replace") + "\n" * lines + tail.decode(encoding, "replace")


def read_log(text: str) -> Log:
    """Look for known failures line by line; at most one in a line, and each failure once."""
    found: dict[tuple[int, str], Signature] = {}
    tried: set[str] = set()
    last = text.count("\n")
    prefixes: dict[tuple[str, str], None] = {}
    pythons: dict[str, None] = {}
    installed: dict[tuple[str, str], None] = {}
    cuda: dict[tuple[str, str], None] = {}
    frames: dict[str, None] = {}
    callers: dict[str, None] = {}
    sites: dict[str, None] = {}
    in_source, frame_at = False, -1
    for number, line in plain_lines(text):
        in_source = bool(_CELL.match(line)) or (in_source and bool(_SOURCE.match(line)))
        frame_at = _frame_at(line, frame_at)
        if ("ython" in line or "cp3" in line) and _FOREIGN_WHEEL not in line:
            pythons.update((python_in(match), None) for match in PYTHON.finditer(line))
        if "-packages" in line:
            prefixes.update(((name, prefix), None) for name, prefix in _places(line))
            sites.update((each, None) for each in _sites(line))
            frames.update((match[1].replace("\\", "/"), None) for match in _FRAME.finditer(line))
        elif (frame := _OWN_FRAME.search(line)) is not None:
            callers[frame[1]] = None
        installed.update((pair, None) for pair in _installed_in(line))
        cuda.update(((_package(match[1]), match[2]), None) for match in _CUDA.finditer(line))
        low = line.lower() if not in_source and frame_at < 0 else ""
        if not any(word in low for word in WORDS) or (plain := _STAMP.sub("", line)) in tried:
            continue
        if len(tried) < _MOST_TRIED:
            tried.add(plain)
        elif number < last - _MOST_TRIED // 10:
            continue
        if (row := _known(line)) is not None:
            index, known = row
            library = _named(_LIBRARY, line) if known.weight in (ATTEMPT, CAUSE) else ""
            if (index, library) not in found and len(found) < 1000:
                found[index, library] = _signature(line, number, known, library)
    return Log(
        tuple(found.values()),
        tuple(prefixes)[:50],
        tuple(pythons)[:10],
        tuple(installed)[:20],
        tuple(cuda)[:10],
        tuple(frames)[:500],
        tuple(callers)[-50:],
        text,
        tuple(sites)[-50:],
    )


def _frame_at(line: str, before: int) -> int:
    """Where the frame of a Python traceback begins that this line is part of, by its head or its code; else -1.

    ``before`` is the result for the line before. The code stands further right than the head: it is not an error.
    """
    if (head := _HEAD.search(line)) is not None:
        return head.start()
    return before if before >= 0 and line[before : before + 2] == "  " else -1


def _installed_in(line: str) -> Iterator[tuple[str, str]]:
    for match in _INSTALLED.finditer(line):
        name, version = (group for group in match.groups() if group)
        yield _package(name), version


def _package(name: str) -> str:
    name = normalise(name)
    return CONDA_NAMES.get(name, name)


def plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, without colours; of a long text those of its beginning and end."""
    parts = [(1, text)]
    if len(text) > _MOST:
        half = _MOST // 2
        parts = [(1, text[:half]), (text.count("\n", 0, len(text) - half) + 1, text[-half:])]
    for start, part in parts:
        clean = _COLOUR.sub("", part).translate(_QUOTES)
        for number, line in enumerate(clean.split("\n"), start):
            for piece in line.split("\r"):
                if piece:
                    yield number, piece[:_LONGEST]


def _known(line: str) -> tuple[int, Known] | None:
    for index, known in enumerate(signatures()):
        if known.line.search(line) and (known.beside is None or known.beside.search(line)):
            return index, known
    return None


def _signature(line: str, number: int, known: Known, library: str) -> Signature:
    return Signature(
        _STAMP.sub("", line.strip()),
        number,
        known.rules,
        min(known.weight, HEADLINE) if _WARNED.search(line) else known.weight,
        library or _named(_LIBRARY, line),
        _named(_SYMBOL, line),
        _named(_MODULE, line),
        tuple(dict.fromkeys(_VERSION.findall(line)))[:8],
    )


def _named(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.search(line)
    return "" if match is None else match[match.lastindex or 0]


def python_in(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)


def _places(line: str) -> Iterator[tuple[str, str]]:
    """The packages whose files a line names, each with the folder above its site-packages."""
    for match in _PACKAGE.finditer(line):
        if prefix := _folder_before(line, match.start()):
            yield match[1], prefix


def _sites(line: str) -> Iterator[str]:
    """The folders of packages that a line names."""
    for match in _SITE.finditer(line):
        if prefix := _folder_before(line, match.start()):
            yield prefix + match[0]


def _folder_before(line: str, end: int) -> str:
    """The path that ends at a place of a line; "" if it is not absolute."""
    prefix = _START.split(line[max(0, end - 300) : end])[-1].strip()
    return prefix if prefix.startswith(("/", "~", "\\")) or prefix[1:2] == ":" else ""


def candidates(log: Log) -> tuple[str, ...]:
    """The rules that may cause the log's failures, the likeliest first."""
    first = log.first
    if first is None:
        return ()
    rules = [rule for each in (first, *log.signatures) for rule in each.rules]
    if log.split:
        rules.insert(0, "TL606")
    return tuple(dict.fromkeys(rules))


def plain_path(path: str) -> str:
    """A path in a form to compare: lower case, one separator, and one name for lib and lib64."""
    return path.replace("\\", "/").replace("/lib64/", "/lib/").rstrip("/").lower()
