"""Tracebacks in a log: the names of the stack that were not there, and the line of code that asked for each.

Forms: Python's own, IPython's (``Cell In[3], line 2``, ``<ipython-input-…>``, ``----> 2 code``), those of rich and
of pytest. Without a traceback only the error is known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.log import plain_lines
from torchlock.knowledge.stack import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULE = "|".join(sorted((name for name in STACK if name != "numpy"), key=len, reverse=True))
_Q = "[`'\"]?"


def _errors(module: str, start: str = "") -> tuple[re.Pattern[str], ...]:
    """What Python prints if a name of one of these modules is not there.

    ``start`` is what may stand before the module instead of "module", where somebody left that word out.
    """
    dotted = rf"(?P<module>(?:{module})(?!\w)(?:\.\w{{1,80}}){{0,9}})"
    return (
        re.compile(
            rf"(?P<partly>partially initialized )?(?:[Mm]odule {_Q}{start}){dotted}{_Q}"
            rf"(?: from {_Q}(?P<file>[^'\"]{{1,300}}){_Q})? has no attribute {_Q}(?P<name>\w{{1,100}})"
        ),
        re.compile(
            rf"cannot import name {_Q}(?P<name>\w{{1,100}}){_Q} from (?P<partly>partially initialized module )?"
            rf"{_Q}{dotted}{_Q}(?:[^(\n]{{0,80}}\((?P<file>[^()\n]{{1,300}})\))?"
        ),
        re.compile(rf"No module named {_Q}{dotted}(?<=\w)(?=['\"`\s;,.)]|$)(?P<rest>.{{0,80}})"),
    )


_OF_STACK = _errors(_MODULE, r"|(?<!object )['\"`]")
_OF_OTHERS = _errors(rf"(?!(?:{_MODULE}|numpy)(?!\w))[A-Za-z]\w{{0,60}}")
# The same before Python 3.7: the line of code has the module.
_NAMELESS = re.compile(r"cannot import name ['\"]?(?P<name>\w{1,100})['\"]?\s{0,9}$")
_FROM = re.compile(r"from (?P<module>[A-Za-z_][\w.]{0,200}) import ")
_RENAMING = re.compile(r"consider renaming '([^']{1,300})'")
_NO_PACKAGE = re.compile(r"'([A-Za-z_]\w{0,80})' is not a package")
_FRAMES = (
    re.compile(r'File "(?P<path>[^"\n]{1,400})", line (?P<line>\d{1,7})'),
    re.compile(r"(?P<path>(?:Cell|Input) In ?\[\d{1,5}\])(?:, line (?P<line>\d{1,7}))?"),
    re.compile(
        r"(?P<path><ipython-input-\d{1,5}-\w{1,40}>)(?:\]\([^)\n]{0,80}\))?(?:, line (?P<line>\d{1,7})| in )"
    ),
    re.compile(r"^File (?P<path>[^\s:\"](?:[^:\n\"]|:(?=[\\/])){0,300}\.py):(?P<line>\d{1,7})"),
    re.compile(r"^\[?(?P<path>(?:[A-Za-z]:)?[~/\\][^\s\]:\"]{0,300}\.py)\]?(?:\([^)\n]{0,80}\))? in [\w<]"),
    re.compile(r"^(?:[│|] )?(?P<path>[\w~./\\:-]{1,300}\.py):(?P<line>\d{1,7}):? in [\w<]"),
)
# The line that failed, as IPython and rich mark it.
_MARKED = re.compile(r"^(?:[│|] )?(?:-{2,8}>|❱) ?(?P<line>\d{1,7}) (?P<code>.{0,300})")
_STAMP = re.compile(r"^(?:\S{0,80}\d\d:\d\d[\d.,:Z+-]{0,20}\S{0,10} )?(?:\d{1,3}: )?(?:E  )?\s{0,200}")
_IMPORTING = re.compile(r"<frozen |importlib[/\\]")
# The beginning of the error with which a traceback ends; a record of a logger, which starts something else.
_ENDS = re.compile(r"[\w.]{0,100}(?:Error|Exception)(?::|\s{0,9}$)")
_RECORD = re.compile(r"^.{0,80}\b(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)\b")
# The last line of a traceback.
_ERROR = re.compile(r"[\w.]{0,100}(?:Error|Exception|Warning)\b:?")
_MOST = 200


class Frame(NamedTuple):
    """A line of code in a traceback. ``path`` is a file or the cell of a notebook; ``line`` is 0 if unknown."""

    path: str
    line: int = 0
    code: str = ""

    @property
    def is_cell(self) -> bool:
        """Whether it is in a notebook."""
        return self.path.startswith(("Cell", "Input", "<ipython"))

    @property
    def is_installed(self) -> bool:
        """Whether its file is that of an installed package."""
        return bool(re.search(r"[/\\](?:site|dist)-packages[/\\]", self.path))


class MissingName(NamedTuple):
    """A name of the stack that was not there, in full: ``torchaudio.io.StreamReader``.

    ``by_import``: an import statement asked for it. ``text`` is the error, in line ``line`` of the log. ``caller``
    asked for it. ``file`` is the file of the module, if the error names it. ``partly``: its import had not ended.
    ``asker`` is the file of the same package that asked for it; "" if that was another one. ``code`` is the last
    line of code before the error.
    """

    name: str
    by_import: bool
    text: str
    line: int
    caller: Frame | None = None
    file: str = ""
    partly: bool = False
    asker: str = ""
    code: str = ""

    @property
    def package(self) -> str:
        """The package that lacks it."""
        return self.name.partition(".")[0]


def missing_names(text: str, *, of_others: bool = False) -> list[MissingName]:
    """The names of the stack, or of other packages, that a log shows to be missing, in its order, each once."""
    return list(_missing_names(text, of_others=of_others))


@lru_cache(maxsize=4)
def _missing_names(text: str, *, of_others: bool) -> tuple[MissingName, ...]:
    patterns = _OF_OTHERS if of_others else _OF_STACK
    found: dict[str, MissingName] = {}
    before = ""
    for number, line, frames in _lines_with_frames(text):
        code = frames[-1].code if frames else before.strip()
        missing = _missing(line, number, patterns) or _by_code(line, number, patterns, code)
        before = line
        if missing is not None and len(found) < _MOST:
            first = found.setdefault(missing.name, missing)
            if first.caller is None:
                found[missing.name] = first._replace(
                    caller=_caller(frames, missing.package),
                    asker=_asker(frames, missing.package),
                    code=frames[-1].code if frames else "",
                )
    return tuple(found.values())


def last_caller(text: str, number: int, package: str) -> Frame | None:
    """The line of code outside of a package that led to the error in one line of a log."""
    frames = next((frames for each, _, frames in _lines_with_frames(text) if each == number), [])
    return _caller(frames, package)


def endings(text: str) -> list[tuple[str, list[Frame]]]:
    """The errors that end the tracebacks of a log, each with the frames that led to it."""
    found: list[tuple[str, list[Frame]]] = []
    for _, line, frames in _lines_with_frames(text):
        if frames and _ERROR.match(line) and len(found) < _MOST:
            found.append((line.strip(), frames))
    return found


def _lines_with_frames(text: str) -> Iterator[tuple[int, str, list[Frame]]]:
    """The lines of a log without stamps, each with its number and the frames of its traceback so far.

    The frames belong to the error that ends their traceback, and to the other lines of its message.
    """
    frames: list[Frame] = []
    has_ended, before = False, 0
    for number, raw in plain_lines(text):
        line = _STAMP.sub("", raw.rstrip(), count=1)
        if has_ended and (number > before + 1 or _RECORD.match(raw)):  # Empty lines are left out.
            frames, has_ended = [], False
        before = number
        has_ended = has_ended or bool(frames and _ENDS.match(line))
        if (frame := _frame(line)) is not None:
            frames, has_ended = [*frames[-_MOST:], frame], False
        elif frames and (marked := _MARKED.match(line)) is not None:
            frames[-1] = Frame(frames[-1].path, int(marked["line"]), marked["code"].rstrip(" │|").strip())
        elif frames and not frames[-1].code and line and not set(line) <= set("^~ ") and not _ERROR.match(line):
            frames[-1] = frames[-1]._replace(code=line.strip()[:300])
        yield number, line, frames
        if line.startswith("Traceback (most recent call last)") or "another exception occurred" in line:
            frames = []


def _frame(line: str) -> Frame | None:
    match = next(filter(None, (pattern.search(line) for pattern in _FRAMES)), None)
    if match is None:
        return None
    return Frame(match["path"], int(match.groupdict().get("line") or 0))


def _missing(line: str, number: int, patterns: tuple[re.Pattern[str], ...]) -> MissingName | None:
    if not any(word in line for word in ("module", "cannot import name", "has no attribute")):
        return None
    for pattern in patterns:
        match = pattern.search(line)
        if match is None:
            continue
        parts = match.groupdict()
        name = f"{parts['module']}.{parts['name']}" if parts.get("name") else parts["module"]
        renaming, other = _RENAMING.search(line), _NO_PACKAGE.search(line)
        file = renaming[1] if renaming else parts.get("file") or (f"{other[1]}.py" if other else "")
        if "." in name:
            text = line[line.rfind(":", 0, match.start()) + 1 :] if ": " not in line[: match.start()] else line
            by_import = "has no attribute" not in match[0]
            return MissingName(name, by_import, text.strip(), number, None, file, bool(parts.get("partly")))
    return None


def _by_code(line: str, number: int, patterns: tuple[re.Pattern[str], ...], code: str) -> MissingName | None:
    """A name whose module only the line of code shows: that of the last frame, else the line before."""
    match = _NAMELESS.search(line) if "cannot import name" in line else None
    source = _FROM.match(code) if match is not None else None
    if match is None or source is None:
        return None
    found = _missing(f"cannot import name '{match['name']}' from '{source['module']}'", number, patterns)
    return None if found is None else found._replace(text=line.strip())


def _asker(frames: list[Frame], package: str) -> str:
    """The file of the package itself in which the last line is, from the folder of packages; else ""."""
    last = next((each.path for each in reversed(frames) if not _IMPORTING.search(each.path)), "")
    egg = r"(?:[\w.+-]{1,80}\.egg[/\\])?"
    inside = re.search(rf"[/\\](?:site|dist)-packages[/\\]{egg}({package}[/\\].{{1,300}})$", last)
    return inside[1].replace("\\", "/") if inside else ""


def _caller(frames: list[Frame], package: str) -> Frame | None:
    """The last line that is not in the package itself, nor in Python's own import."""
    inside = re.compile(rf"[/\\](?:site|dist)-packages[/\\]{package}(?:[/\\]|\.py$)|{_IMPORTING.pattern}")
    return next((each for each in reversed(frames) if not inside.search(each.path)), None)
