"""Read a pasted traceback: which failures it shows, and which findings its author met."""

from __future__ import annotations

import codecs
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log_signatures import ATTEMPT, CAUSE, ECHO, WORDS, signatures
from torchlock.check.verdict import strength_of
from torchlock.finding import Strength
from torchlock.knowledge.build_labels import cuda_label
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CONDA_NAMES, FAMILY
from torchlock.redaction import shortened
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.check.log_signatures import Known
    from torchlock.finding import Finding

_MODULES = FAMILY | {"soundfile"}
_OF_TORCH = re.compile(
    r"_?(torch|c10|cuda|cudart|cublas|cufft|cusolver|curand|nccl|nvrtc|nvtoolsext|amdhip|roc|torio)"
)
# Rules about any missing library or symbol.
_LOADING = {"TL201", "TL610", "TL611", "TL613"}
# The limits on a log (half of the text is from its end) and on a line.
_MOST = 5 << 20
_LONGEST = 4000
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
_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\](torch|torchaudio)(?=[/\\])")
# The start of a path: after a quote or a bracket, or after a space before a root.
_START = re.compile(r"""["'<>|*?(=\[]|(?:File|from|at)\s|\s(?=[/~]|[A-Za-z]:[/\\])""")
_PYTHON = re.compile(
    r"[/\\]python(3\.\d{1,2})[/\\]|[/\\]Python(3)(\d{1,2})(?:-\d\d)?[/\\]|\bPython (3\.\d{1,2})\.\d{1,2}\b"
    r"|\bcp(?:ython-)?(3)(\d{1,2})\b",
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
    builds; ``frames`` are the files of site-packages in its tracebacks, ``callers`` the other files. ``text`` is the
    whole log.
    """

    signatures: tuple[Signature, ...]
    prefixes: tuple[tuple[str, str], ...] = ()
    pythons: tuple[str, ...] = ()
    installed: tuple[tuple[str, str], ...] = ()
    cuda: tuple[tuple[str, str], ...] = ()
    frames: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    text: str = ""

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
            name: {_plain(prefix) for each, prefix in self.prefixes if each == name} for name, _ in self.prefixes
        }
        return len(places) == 2 and not places["torch"] & places["torchaudio"]


def decoded(data: bytes) -> str:
    """Decode a log: UTF-8, or UTF-16 as PowerShell writes it. Invalid bytes are replaced."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def read_log(text: str) -> Log:
    """Look for known failures line by line; at most one in a line, and each failure once."""
    found: dict[tuple[int, str], Signature] = {}
    prefixes: dict[tuple[str, str], None] = {}
    pythons: dict[str, None] = {}
    installed: dict[tuple[str, str], None] = {}
    cuda: dict[tuple[str, str], None] = {}
    frames: dict[str, None] = {}
    callers: dict[str, None] = {}
    for number, line in plain_lines(text):
        if "ython" in line or "cp3" in line:
            pythons.update((_python(match), None) for match in _PYTHON.finditer(line))
        if "-packages" in line:
            prefixes.update(((name, prefix), None) for name, prefix in _places(line))
            frames.update((match[1].replace("\\", "/"), None) for match in _FRAME.finditer(line))
        elif (frame := _OWN_FRAME.search(line)) is not None:
            callers[frame[1]] = None
        installed.update((pair, None) for pair in _installed_in(line))
        cuda.update(((_package(match[1]), match[2]), None) for match in _CUDA.finditer(line))
        low = line.lower()
        if any(word in low for word in WORDS) and (row := _known(line)) is not None:
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
    )


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
        known.weight,
        library or _named(_LIBRARY, line),
        _named(_SYMBOL, line),
        _named(_MODULE, line),
        tuple(dict.fromkeys(_VERSION.findall(line)))[:8],
    )


def _named(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.search(line)
    return "" if match is None else match[match.lastindex or 0]


def _python(match: re.Match[str]) -> str:
    return ".".join(group for group in match.groups() if group)


def _places(line: str) -> Iterator[tuple[str, str]]:
    """The packages whose files a line names, each with the folder above its site-packages."""
    for match in _PACKAGE.finditer(line):
        prefix = _START.split(line[max(0, match.start() - 300) : match.start()])[-1].strip()
        if prefix.startswith(("/", "~", "\\")) or prefix[1:2] == ":":
            yield match[1], prefix


def candidates(log: Log) -> tuple[str, ...]:
    """The rules that may cause the log's failures, the likeliest first."""
    first = log.first
    if first is None:
        return ()
    rules = [rule for each in (first, *log.signatures) for rule in each.rules]
    if log.split:
        rules.insert(0, "TL606")
    return tuple(dict.fromkeys(rules))


def chosen(log: Log, findings: Sequence[Finding], owners: Collection[str] = ()) -> list[Finding]:
    """The findings, those that the log shows first; otherwise the order stays.

    First come findings that print a line of the log, or are about ``owners``, packages in its traceback. A finding
    that only its rule connects with the log does not come before an error that was shown.
    """
    order = candidates(log)
    shown = [each for each in findings if each.severity == "error" and strength_of(each, ()) >= Strength.SHOWN]

    def rank(finding: Finding) -> tuple[bool, int, int]:
        rules = [finding.rule, *(effect.rule for effect in finding.consequences)]
        place = min((order.index(rule) for rule in rules if rule in order), default=len(order))
        is_likely = place < len(order)
        is_bare = strength_of(finding, ()) < Strength.SHOWN
        if _prints(finding, log) or (is_likely and finding.packages and finding.packages[0][0] in owners):
            tier = 0
        elif is_likely and not (is_bare and shown):
            tier = 1
        else:
            tier = 2 if order and finding in shown else 3 if is_likely else 4
        return finding.severity == "note", tier, place

    return sorted(findings, key=rank)


def _prints(finding: Finding, log: Log) -> bool:
    """Whether a finding predicts the first failure of a log: its line, its symbol or its library."""
    first = log.first
    if first is None:
        return False
    named = (first.symbol or first.library).lower()
    for part in (finding, *finding.consequences):
        expected_error = part.expected_error.rpartition("\n")[2].strip()
        if expected_error and (expected_error in first.text or first.text in expected_error):
            return True
        if named and any(each.lower().lstrip("_") == named.lstrip("_") for each in part.lacks):
            return True
    return False


def promote(log: Log, findings: Sequence[Finding]) -> None:
    """Raise a note to a warning if the log shows its effect, and to an error if the package is missing."""
    likely = log.first.rules[:2] if log.first else ()
    for finding in findings:
        if finding.severity == "note" and finding.rule in likely and _may_be(finding, log):
            finding.severity = severity_of(fails=finding.rule == "TL615")


def _may_be(finding: Finding, log: Log) -> bool:
    """Whether a note matches the log: it is about the missing module, or about packages of the stack."""
    names = {name.replace("-", "_") for name, _ in finding.packages}
    module = log.first.module.partition(".")[0] if log.first else ""
    if finding.rule in ("TL615", "TL604", "TL601") and module in _MODULES:
        return module in names
    return finding.rule != "TL609" or names <= FAMILY


def remarks(log: Log, findings: Sequence[Finding], elsewhere: str = "") -> list[str]:
    """Remarks on the log: it shows no known failure, or it is from another environment (``elsewhere``)."""
    found = [elsewhere] if elsewhere else []
    if log.split:
        places = dict(log.prefixes)
        found.append(f"the log has torch from {places['torch']} and torchaudio from {places['torchaudio']}")
    if log.first is None:
        return [*found, "the log shows no known failure, so it does not change the order of the findings"]
    bad = [each for each in findings if each.severity != "note"]
    likely = set(candidates(log))
    shown = likely & {each.rule for finding in bad for each in (finding, *finding.consequences)}
    if log.first.weight == ECHO:
        found.append(f"the log shows only what follows an earlier failure: {shortened(log.first.text, 200)}")
    elif not any(_prints(each, log) for each in bad) and (
        not shown or (shown <= _LOADING and not _is_named(log.first, bad))
    ):
        found.append(f"no finding explains this line of the log: {shortened(log.first.text, 200)}")
    return found


def _is_named(signature: Signature, findings: Sequence[Finding]) -> bool:
    """Whether the library that a log names is in a finding; any library may be missing.

    A library of torch or CUDA matches any other: a report names only a few of the missing ones.
    """
    name = signature.library or ("libsndfile" if "sndfile" in signature.text else "")
    stem = re.split(r"[.-]|_core\d|(?<!\d)\d+_", name.lower().removeprefix("lib"))[0]
    if not stem or _OF_TORCH.match(stem):
        return True
    parts = (part for each in findings for part in (each, *each.consequences))
    return any(stem in text.lower() for part in parts for text in (part.message, part.expected_error))


def elsewhere(
    log: Log,
    folders: Sequence[str],
    installed: Mapping[str, tuple[str, str]] | None = None,
    *,
    moved: bool = False,
) -> str:
    """Why the log is from another environment (other folders, another Python, other versions); else "".

    ``folders`` are those of this environment as its own processes name them, ``installed`` has the version and the
    build of each package. ``moved``: the environment may be at another path in the log; the name of its folder is
    the same.
    """
    own = next((folder for folder in folders if "-packages" in folder), folders[0] if folders else "")
    strange = [
        (name, prefix)
        for name, prefix in log.prefixes
        if not prefix.startswith("~") and not any(_is_under(folder, prefix, moved) for folder in folders)
    ]
    if folders and strange and not (log.split and len(strange) < len(log.prefixes)):
        name, prefix = strange[0]
        return f"the log is from another environment: it has {name} in {prefix}, this is {own}"
    here = {_python(match) for folder in folders for match in _PYTHON.finditer(folder + "/")}
    if here and log.pythons and not here & set(log.pythons):
        return f"the log is from another environment: it names Python {log.pythons[0]}, this is {min(here)}"
    for name, version in log.installed:
        mine, label = (installed or {}).get(name, ("", ""))
        if mine and not _is_same(version, mine, label):
            return f"the log is from another environment: it has {name} {version}, this is {name} {mine}"
    for name, cuda in log.cuda:
        mine, label = (installed or {}).get(name, ("", ""))
        if label.startswith("cu") and label != cuda_label(cuda):
            return f"the log is from another environment: its {name} is built for CUDA {cuda}, this one is {label}"
    return ""


def _is_same(found: str, mine: str, label: str) -> bool:
    """Whether a version from a log, perhaps shortened, may be the installed one."""
    public, _, local = found.partition("+")
    same = f"{mine.partition('+')[0]}.".startswith(f"{public}.")
    return same and (not local or not label or local == label)


def _is_under(folder: str, prefix: str, moved: bool) -> bool:
    here, there = _plain(folder) + "/", _plain(prefix) + "/"
    if here.startswith(there) or (not moved and here.startswith(_plain(os.path.realpath(prefix)) + "/")):
        return True
    tail = re.search(r"(?<![^/:])[^/:]+/lib(?:/python[\d.]+t?)?/$", there)
    return moved and (here.find(f"/{tail[0]}") >= 0 if tail else False)


def _plain(path: str) -> str:
    """A path in a form to compare: lower case, one separator, and one name for lib and lib64."""
    return path.replace("\\", "/").replace("/lib64/", "/lib/").rstrip("/").lower()
