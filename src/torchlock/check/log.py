"""Read a pasted log: the failures that it shows, and what it says about its environment."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log_chains import Chains, Traceback, frames_to, traceback_of
from torchlock.check.log_facts import Facts
from torchlock.check.log_flattened import pieces
from torchlock.check.log_handled import LACK, handled_lines, is_failing, is_fatal, without
from torchlock.check.log_signatures import ATTEMPT, CAUSE, GENERAL, HEADLINE, WORDS, signatures
from torchlock.check.log_stamps import without_stamps
from torchlock.check.log_wrapped import unwrapped
from torchlock.check.windows_words import in_english
from torchlock.knowledge.registry import group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.log_signatures import Known

# The limits on a log (half of the text is from its end) and on a line.
_MOST = 5 << 20
_LONGEST = 4000
# So many different lines are compared with the known failures, and those at the end.
_MOST_TRIED = 10_000
# So many different failures are kept.
_MOST_FOUND = 1000
# So many lines may follow the exception that ended a program: the rest of its message, and that of a shell.
_MOST_AFTER = 20
# So many failures after the first one are explained.
_MOST_LATER = 3
# torchcodec prints the errors of its attempts within this many lines after the headline.
_ATTEMPTS = 300
# The modules that torch, torchaudio and torchvision have inside Meta only; they work without these.
_OPTIONAL = (".fb",)
# A program prints the reason within this many lines below its own words.
_BELOW = 40
_COLOUR = re.compile(r"\x1b(?:\[[0-9;?]{0,40}[@-~]|\][^\x07\x1b]{0,500}(?:\x07|\x1b\\))")
# A link of Markdown to a line of code, as VS Code copies a traceback.
_LINK = re.compile(
    r"\[([^\[\]\n]{1,300})\]\((?:file|command|vscode-[a-z-]{1,30}):(?:[^()\n]|\([^()\n]{0,40}\)){0,600}\)"
)
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\0": None})
# The prefix that a CI, a container or a logger adds to a line.
_STAMP = re.compile(
    r"^(?:[^\t]{0,80}\t[^\t]{0,80}\t)?(?:[\w.-]{1,60} +\| )?(?:#\d{1,4} )?"
    r"(?:\[?\d{4}-\d\d-\d\d[T ][\d:.,]{5,20}(?:Z|[+-]\d\d:?\d\d)?\]?|\[?\d\d:\d\d:\d\d[.,\d]{0,7}\]?"
    r"|\d{1,5}\.\d{1,3}(?= ))?\s*"
)
# The time that GitHub writes before each line of a job, behind job and step in what its command prints.
_OF_GITHUB = re.compile(r"^(?:[^\t]{0,80}\t[^\t]{0,80}\t)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ")
_LIBRARY = re.compile(r"[\w+-][\w.+-]{0,80}?\.(?:so(?:\.\d{1,4}){0,4}|dylib|dll|pyd)(?![\w])", re.I)
_SYMBOL = re.compile(
    r"(?:undefined symbol|symbol not found(?: in flat namespace)?)[: ]{1,3}['\"(]?(\w{1,400})"
    # What Windows shows in a box.
    r"|\bprocedure (?:entry point )?['\"]?(\??[\w?@$]{2,400})['\"]? (?:could not be located|not found) in",
    re.I,
)
# The last line of a traceback, without the numbers that some viewers add.
_EXCEPTION = re.compile(r"(?:E {1,3})?[A-Za-z_][\w.]{0,100}(?:Error|Exception|Missing)\b")
_MODULE = re.compile(r"(?:No module named|module) ['\"]?([A-Za-z_][\w.]{0,100})")
_VERSION = re.compile(r"\b(?:GLIBC|GLIBCXX|CXXABI)_[\d.]{1,12}\d|\b\d{1,3}\.\d{1,3}(?:\.\d{1,3})?(?:\+\w{1,20})?")


# The heads and the numbered lines of source in IPython's tracebacks: a text in them is code, and no error. What
# follows a path and a colon is a message: a warning of Python, or a line of a logger.
_CELL = re.compile(
    r"(?:File |/|~)\S.{0,300}\.py(?::\d{1,7}(?=,|:? in |\s{0,8}$)| in )"
    r"|(?:Cell|Input) In ?\[|<ipython-input-|\S+Error {10,}Traceback"
)
# A warning of Python, or of xFormers: an error that follows soon counts more.
_WARNED = re.compile(r"\.py:\d{1,7}: \w{0,40}Warning: |^WARNING\[\w{2,20}\]: |^[\w ]{0,40}: WARNING! ")
# The line of code that warned, which Python prints below its warning.
_WARNS = re.compile(r"\s{0,20}(?:warnings\.)?warn\(")
# The head of a frame in Python's own tracebacks: its code follows.
_HEAD = re.compile(r'File "[^"]{1,500}", line \d{1,7}(?:, in |\s{0,8}$)')
_SOURCE = re.compile(r"\s{0,8}(?:-{1,8}> ?)?\d{1,7}(?: |$)|\s{0,8}\(\.\.\.\)")


class Signature(NamedTuple):
    """A line that shows a failure: its text, its number (from 1), and the rules that may cause it.

    ``library``, ``symbol`` and ``module`` are the first that it names, ``versions`` are all; for ``weight`` see
    ``torchlock.check.log_signatures``. ``is_warning``: it is a warning of Python, after which the program went on.
    """

    text: str
    line: int
    rules: tuple[str, ...]
    weight: int = CAUSE
    library: str = ""
    symbol: str = ""
    module: str = ""
    versions: tuple[str, ...] = ()
    is_warning: bool = False

    @property
    def english(self) -> str:
        """The text, with the English words for what Windows says in another language."""
        return in_english(self.text)


class Log(NamedTuple):
    """The content of a log, in its order.

    ``prefixes`` are the folders that each package was imported from, ``pythons`` the versions of Python.
    ``installed`` are the (package, version) pairs that it names, ``cuda`` the (package, CUDA version) pairs of
    builds; ``frames`` are the files of site-packages in its tracebacks, ``callers`` the other files. ``sites`` are
    the folders of packages that it names. The files of the tracebacks that led to its first failure are the last
    ``frames``, and those of other tracebacks are left out. ``text`` is the whole log, in which lines of failures
    that the program handled are empty; ``handled`` is the number of the first failure of these, or 0.
    ``is_failing``: its last lines show a failure, known or not, that is none of these.
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
    tracebacks: tuple[Traceback, ...] = ()
    handled: int = 0
    is_failing: bool = False

    @property
    def is_handled(self) -> bool:
        """Whether it shows failures, and the program handled each of them, and did not end with another one."""
        return self.first is None and self.handled > 0 and not self.is_failing

    @property
    def first(self) -> Signature | None:
        """The first failure that does not follow from an earlier one.

        After a headline and its attempts, an attempt with its own reason counts more. The lack of a name that the
        program expected, and went on with something else, counts only if nothing failed then. If a build failed
        because the installed torch does not load, that counts more than the failure of the build.
        """
        start = self.start
        return start and (self._loaded_by_build(start) or start)

    @property
    def start(self) -> Signature | None:
        """The first failure, even if it is a build that failed because the installed torch does not load."""
        real = [each for each in self.signatures if each.weight > GENERAL] or _most(self.signatures)
        real = [each for each in real if not self._is_expected(each)]
        real = self._ends_after(real) or real
        real = real[1:] if _is_cover(real) else real
        if not real or real[0].weight == CAUSE:
            return real[0] if real else None
        near = [each for each in real if each.line <= real[0].line + _ATTEMPTS]
        causes = [each for each in near if each.weight == CAUSE]
        attempts = [each for each in near if each.weight == ATTEMPT]
        return (causes or attempts or real)[0]

    def _ends_after(self, real: Sequence[Signature]) -> list[Signature]:
        """The failure that ended the program, where all others are warnings of Python before it."""
        if not real or not all(each.is_warning for each in real):
            return []
        return [each for each in self.signatures if each.line > real[-1].line and self.ended_by(each)]

    def _loaded_by_build(self, start: Signature) -> Signature | None:
        """The library of the stack that did not load in the output of a build that failed.

        A torch in a separate build environment is another one.
        """
        if start.rules[0] not in group("installers"):
            return None
        near = (each for each in self.signatures if start.line < each.line <= start.line + _ATTEMPTS)
        found = (each for each in near if each.weight == CAUSE and (each.library or each.symbol))
        owns = ((each, traceback_of(self.tracebacks, each.line)) for each in found)
        return next((each for each, own in owns if own is not None and own.is_import), None)

    def _is_expected(self, signature: Signature) -> bool:
        """Whether the program had another way for the lack of a name, and that one failed in a library."""
        own = traceback_of(self.tracebacks, signature.line)
        if own is None or not own.is_handled or not LACK.search(signature.text):
            return False
        if signature.module.endswith(_OPTIONAL):
            return any(each.line > signature.line for each in self.signatures)
        return any(
            each.weight == CAUSE and (each.library or each.symbol) and not LACK.search(each.text)
            for each in self.signatures
            if each.line > signature.line and self._chain_of(each) == own.chain
        )

    def ended_by(self, signature: Signature) -> bool:
        """Whether a line is the exception of a traceback that nothing handled, and little follows it.

        A program that goes on prints more.
        """
        own = traceback_of(self.tracebacks, signature.line)
        if own is None or not own.chain or own.is_handled or not _EXCEPTION.match(signature.text):
            return False
        after = [line for line in self.text.split("\n")[signature.line :] if line[:1].strip()]
        return own.chain == self.tracebacks[-1].chain and len(after) <= _MOST_AFTER

    def _chain_of(self, signature: Signature) -> int:
        own = traceback_of(self.tracebacks, signature.line)
        return own.chain if own is not None else 0

    @property
    def later(self) -> list[Log]:
        """The tracebacks after the first failure that show a failure of their own, each as a log."""
        first, found = self.first, list[Log]()
        chains = sorted({chain for each in self.signatures if (chain := self._chain_of(each))})
        for chain in chains:
            mine = tuple(each for each in self.signatures if self._chain_of(each) == chain)
            part = self._replace(signatures=mine)
            start = part.first
            if first is None or start is None or start.weight != CAUSE or start.line <= first.line:
                continue
            own = traceback_of(self.tracebacks, start.line)
            if own is not None and own.is_isolated:
                continue  # The installer says that this build failed.
            if chain != self._chain_of(first) and start.rules[0] != first.rules[0]:
                frames = frames_to(self.tracebacks, start.line)
                found.append(part._replace(frames=frames, text=self._text_of(chain)))
        return found[:_MOST_LATER]

    def _text_of(self, chain: int) -> str:
        """The lines of a chain of tracebacks; the other lines are empty, so that its lines keep their numbers."""
        lines = self.text.split("\n")
        starts = [each.line for each in self.tracebacks if each.chain >= chain]
        after = [each.line for each in self.tracebacks if each.chain > chain]
        return "\n" * (starts[0] - 1) + "\n".join(lines[starts[0] - 1 : after[0] - 1 if after else None])

    @property
    def split(self) -> bool:
        """Whether torch and torchaudio were imported from different environments."""
        places = {
            name: {plain_path(prefix) for each, prefix in self.prefixes if each == name}
            for name, _ in self.prefixes
        }
        return len(places) == 2 and not places["torch"] & places["torchaudio"]


def _most(signatures: Sequence[Signature]) -> list[Signature]:
    """The lines of the greatest weight."""
    most = max((each.weight for each in signatures), default=0)
    return [each for each in signatures if each.weight == most]


def _is_cover(real: Sequence[Signature]) -> bool:
    """Whether the first failure only sums up the one that a library prints below it."""
    first = real[0] if real else None
    if first is None or first.library or first.symbol or first.weight != CAUSE:
        return False
    near = [each for each in real[1:] if each.line <= first.line + _BELOW and each.rules[0] in first.rules]
    return any(each.library or each.symbol or each.weight < CAUSE for each in near)


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
    """Read a log line by line: its known failures, its tracebacks, and what it says about its environment."""
    text = unwrapped(without_stamps(text))
    facts, failures, chains = Facts(), _Failures(text.count("\n")), Chains()
    lines = list(plain_lines(text))
    unstamped = [(number, _OF_GITHUB.sub("", line)) for number, line in lines]
    handled, first_handled = handled_lines(unstamped), 0
    if is_fatal(unstamped, handled):
        handled = frozenset()
    for number, line in lines:
        facts.read(line)
        chains.read(number, line)
        if number not in handled:
            failures.read(number, line)
        elif not first_handled and _known(line) is not None:
            first_handled = number
    log = Log(
        tuple(failures.found.values()),
        tuple(facts.prefixes)[:50],
        tuple(facts.pythons)[:10],
        tuple(facts.installed)[:20],
        tuple(facts.cuda)[:10],
        callers=tuple(facts.callers)[-50:],
        text=without(text, handled),
        handled=first_handled,
        is_failing=is_failing(unstamped, handled),
        sites=tuple(facts.sites)[-50:],
        tracebacks=tuple(chains.tracebacks),
    )
    return log._replace(frames=frames_to(log.tracebacks, log.first.line if log.first else 0)[-500:])


class _Failures:
    """The known failures in the lines that were read so far: at most one in a line, and each once.

    ``last`` is the number of the last line of the log.
    """

    def __init__(self, last: int) -> None:
        self.found: dict[tuple[int, str, str, int], Signature] = {}
        self._last = last
        self._tried: set[str] = set()
        self._in_source, self._frame_at = False, -1

    def read(self, number: int, line: str) -> None:
        """Compare one line with the known failures, unless it is code in a traceback."""
        self._in_source = bool(_CELL.match(line)) or (self._in_source and bool(_SOURCE.match(line)))
        self._frame_at = _frame_at(line, self._frame_at)
        if self._in_source or self._frame_at >= 0 or _WARNS.match(line) or not self._is_tried(number, line):
            return
        if (row := _known(line)) is not None and len(self.found) < _MOST_FOUND:
            index, known = row
            library = _named(_LIBRARY, line) if known.weight in (ATTEMPT, CAUSE) else ""
            signature = _signature(line, number, known, library)
            self.found.setdefault((index, library, signature.module, signature.weight), signature)

    def _is_tried(self, number: int, line: str) -> bool:
        """Whether a line may show a failure, and is none that was compared before; of very many, the last ones."""
        low = line.lower()
        if not any(word in low for word in WORDS) or (plain := _STAMP.sub("", line)) in self._tried:
            return False
        if len(self._tried) < _MOST_TRIED:
            self._tried.add(plain)
            return True
        return number >= self._last - _MOST_TRIED // 10


def _frame_at(line: str, before: int) -> int:
    """Where the frame of a Python traceback begins that this line is part of, by its head or its code; else -1.

    ``before`` is the result for the line before. The code stands further right than the head: it is not an error.
    """
    if (head := _HEAD.search(line)) is not None:
        return head.start()
    return before if before >= 0 and line[before : before + 2] == "  " else -1


def plain_lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines without colours and links to code; of a long text those of its beginning and end."""
    parts = [(1, text)]
    if len(text) > _MOST:
        half = _MOST // 2
        parts = [(1, text[:half]), (text.count("\n", 0, len(text) - half) + 1, text[-half:])]
    for start, text_part in parts:
        clean = _COLOUR.sub("", text_part).translate(_QUOTES)
        clean = _LINK.sub(r"\1", clean) if "](" in clean else clean
        for number, line in enumerate(clean.split("\n"), start):
            for part in line.split("\r"):
                yield from ((number, piece[:_LONGEST]) for piece in pieces(part) if piece)


def _known(line: str) -> tuple[int, Known] | None:
    line = in_english(line)
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
        bool(_WARNED.search(line)),
    )


def _named(pattern: re.Pattern[str], line: str) -> str:
    match = pattern.search(line)
    return "" if match is None else match[match.lastindex or 0]


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
