"""The lines of a log that show a failure which the program handled, or which a test that passed expected.

A logger's line of a level below ERROR says that the program went on. So does a warning of Python. A run of tests
that passed has no failure; in a run with failures, the tests that passed and the summary of warnings have none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# The lack of a name, which a program may expect: it does something else then.
LACK = re.compile(r"No module named|cannot import name|has no attribute")
_LEVEL = re.compile(
    r"^(?P<before>[^'\"]{0,100}?)(?<![\w.])(?P<level>DEBUG|INFO|WARNING|WARN)(?![\w.'])(?P<said>.{0,400})"
    r"|^(?P<glog>\[?(?:rank\d{1,4}\]:)?[IW]\d{4} \d\d:\d\d:\d\d)"
)
_WORSE = re.compile(r"ERROR|CRITICAL|FATAL|[a-z]Error\b|Traceback")
# What torchaudio writes for each FFmpeg or SoX that is not there, whatever the format of its record is.
_NOTED = re.compile(r"Failed to (?:load FFmpeg ?\d? extension|initialize (?:ffmpeg|sox) (?:bindings|extension))")
# A warning of Python: the file, the line, the class, and the text.
_WARNED = re.compile(r"\.py:\d{1,7}: \w{0,40}Warning: ")
# What another process printed, in the lines of a logger: its traceback is real.
_RELAYED = re.compile(r"Traceback \(most recent call last\)|File \"[^\"]{1,300}\", line \d")
# A program says this of a plugin that does not work, whatever the level of the record is.
_LOST_PLUGIN = re.compile(r"Cannot import \S.{0,300} module for custom nodes: ")
_OUTPUT = re.compile(
    r"^[\s\]|:>)-]{0,9}(?:[\w.]{1,80} ?[|\]:>-] ?){0,4}(?:\w{0,60}(?:Error|Exception)|ERROR|error): "
)
_EXPECTED = re.compile(
    r"fail|error|could not|cannot|can't|unable|unavailable|not available|exception|fall", re.IGNORECASE
)
_LINK = re.compile(r"During handling of the above exception|The above exception was the direct cause")
_HEADER = "Traceback (most recent call last)"
_MOST = 400
# What a program says as it ends for a reason that it said before, and so many lines may come with it.
_GAVE_UP = re.compile(
    r"(?:ERROR|CRITICAL|FATAL|[Ee]rror|[Ff]atal)\b.{0,200}"
    r"(?:[Ee]xiting|[Aa]bort|startup failed|[Nn]o (?:usable|suitable|working) |cannot continue|giving up)"
)
_MOST_AFTER = 5
# What shows in the last lines of a log that a program did not go on: an exception at the beginning of a line, a
# record of the level ERROR, what a shell, a container or a CI says of the exit.
_ENDED = re.compile(
    r"^(?:E {1,3})?(?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Interrupt)(?:: |\s{0,9}$)"
    r"|^(?:fatal|FATAL|[Ee]rror|ERROR)\b ?:|(?<![\w'\"=])(?:ERROR|CRITICAL|FATAL)(?![\w'\"=])"
    r"|[Ss]egmentation fault|core dumped|^Killed\b|exit(?:ed with)?(?: code| status)?:? [1-9]|exit code:? [1-9]"
)
_NOT_ENDED = re.compile(r"\b(?:DEBUG|INFO)\b|\b0 errors?\b|[Nn]o errors?\b")
_MOST_LAST = 12

_SESSION = re.compile(r"=== test session starts ===")
_START = re.compile(r"^\S{0,80}[$#%>] |##\[group\]|^Run ")
_PASSED = re.compile(
    r"^(?:\S{1,40} )?(?:=+ )?(?=[^\n]{0,200}\bpassed\b)"
    r"(?:\d{1,6} (?:passed|skipped|xfailed|xpassed|deselected|warnings?)(?:, | in )){1,8}\d"
)
_RAN, _OK = (
    re.compile(r"^(?:\S{1,40} )?Ran \d{1,6} tests? in \d"),
    re.compile(r"^(?:\S{1,40} )?OK(?: \(.{1,80}\))?\s*$"),
)
_RESULT = re.compile(
    r"(?:^|\s)(?P<result>PASSED|XFAIL|SKIPPED|FAILED|ERROR|XPASS|RERUN)(?:\s+\[ {0,3}\d{1,3}%\]|\s*$| \()"
)
_SUMMARY = re.compile(r"=== warnings summary")
_RULER = re.compile(r"(?<!=)={3,120} [^=\n]{1,200} ={3,120}|-- Docs: https://docs\.pytest")


def handled_lines(lines: Iterable[tuple[int, str]]) -> frozenset[int]:
    """The numbers of the lines of a log that show no failure of its program, though they may look like one.

    ``lines`` are the lines of the log with their numbers.
    """
    read = list(lines)
    return frozenset((*_of_tests(read), *_of_logger(read)))


def is_fatal(lines: Sequence[tuple[int, str]], handled: frozenset[int]) -> bool:
    """Whether a program ended right after the lack that it reported as a warning, and says nothing else of it."""
    last = max((number for number, line in lines if number in handled and LACK.search(line)), default=0)
    after = [line for number, line in lines if number > last] if last else []
    return 0 < len(after) <= _MOST_AFTER and any(map(_GAVE_UP.search, after)) and not any(map(LACK.search, after))


def is_failing(lines: Sequence[tuple[int, str]], handled: frozenset[int]) -> bool:
    """Whether the last lines of a log show a failure of their own, below the last failure that was handled.

    A program that goes on writes more: a record of the level INFO or DEBUG comes after the failure.
    """
    last = max(handled, default=0)
    written = [line for number, line in lines if number > last and line.strip()][-_MOST_LAST:]
    for line in reversed(written):
        if _ENDED.search(line) and not _NOT_ENDED.search(line):
            return True
        if _level(line) in ("INFO", "DEBUG"):
            return False
    return False


def without(text: str, left_out: frozenset[int]) -> str:
    """A text in which some lines are empty, so that the others keep their numbers."""
    if not left_out:
        return text
    return "\n".join("" if number in left_out else line for number, line in enumerate(text.split("\n"), 1))


def _of_tests(lines: Sequence[tuple[int, str]]) -> Iterator[int]:
    """The lines of runs that passed, of tests that passed, and of summaries of warnings."""
    start = since = 0
    ran = summary = False
    for index, (number, line) in enumerate(lines):
        if _SESSION.search(line) or _START.search(line):
            start = since = index
        result = _RESULT.search(line)
        if _PASSED.search(line) or (ran and _OK.search(line)):
            yield from (each for each, _ in lines[start : index + 1])
            start = since = index + 1
        elif result is not None:
            if result["result"] in ("PASSED", "XFAIL", "SKIPPED"):
                yield from (each for each, _ in lines[since : index + 1])
            since = index + 1
        ran = bool(_RAN.search(line)) or (ran and not line.strip())
        summary = bool(_SUMMARY.search(line)) or (summary and not _RULER.search(line))
        if summary:
            yield number


def _of_logger(lines: Sequence[tuple[int, str]]) -> Iterator[int]:
    """The records below ERROR that report a failure, and the tracebacks that belong to them."""
    records = [(index, level) for index, (_, line) in enumerate(lines) if (level := _level(line))]
    is_relay = any(_RELAYED.search(lines[index][1]) for index, _ in records)
    last = records[-1][0] if records else 0
    for index, level in records:
        number, line = lines[index]
        is_output = is_relay or (level == "INFO" and _is_output(line))
        is_plugin = _LOST_PLUGIN.search(line) is not None
        if not is_output and not is_plugin and (level == "DEBUG" or LACK.search(line)):
            yield number
        is_told = level == "DEBUG" or _EXPECTED.search(line)
        goes_on = index < last or _NOTED.search(line)
        if is_told and goes_on and index + 1 < len(lines) and lines[index + 1][1].startswith(_HEADER):
            yield from _traceback(lines, index + 1, level)
    yield from (number for number, line in lines if _WARNED.search(line) and LACK.search(line))


def _level(line: str) -> str:
    """The level of a logger's record, if it is below ERROR; "" for all other lines."""
    if _NOTED.search(line):
        return "DEBUG"
    match = (
        _LEVEL.match(line) if "DEBUG" in line or "INFO" in line or "WARN" in line or line[:1] in "[IW" else None
    )
    if match is None:
        return ""
    if match["glog"]:
        return "INFO" if "I" in match["glog"] else "WARNING"
    return (
        ""
        if _WORSE.search(match["before"])
        else match["level"].replace("WARNING", "WARN").replace("WARN", "WARNING")
    )


def _is_output(line: str) -> bool:
    match = _LEVEL.match(line)
    return match is not None and bool(_OUTPUT.match(match["said"] or ""))


def _traceback(lines: Sequence[tuple[int, str]], start: int, level: str) -> Iterator[int]:
    """The lines of a chain of tracebacks up to its last error; above DEBUG only if that is the lack of a name."""
    last = min(len(lines), start + _MOST)
    end = _error(lines, start, last)
    while (link := _written(lines, end + 1, last)) < last and _LINK.match(lines[link][1]):
        end = _error(lines, _written(lines, link + 1, last), last)
    if end < len(lines) and (level == "DEBUG" or LACK.search(lines[end][1])):
        yield from (number for number, _ in lines[start : end + 1])


def _error(lines: Sequence[tuple[int, str]], start: int, last: int) -> int:
    """The index of the line behind the frames of a traceback."""
    return next((index for index in range(start + 1, last) if lines[index][1][:1].strip()), last)


def _written(lines: Sequence[tuple[int, str]], start: int, last: int) -> int:
    """The index of the next line that is not blank."""
    return next((index for index in range(start, last) if lines[index][1].strip()), last)
