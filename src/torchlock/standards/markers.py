"""Environment markers (PEP 508): the only place that evaluates them."""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from types import MappingProxyType

from torchlock.answers import Unknown
from torchlock.standards.names import normalise
from torchlock.standards.versions import LONGEST_NUMBER, has_long_number
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.markers import Marker

# Deeper than any tool writes, and shallow enough for recursive functions on markers.
_DEEPEST = 100
_VARIABLE = (
    r"(?:python_version|python_full_version|os_name|sys_platform|platform_(?:machine|system|release|version"
    r"|python_implementation)|implementation_(?:name|version)|extra)"
)
_COMPARED = rf"{_VARIABLE}[ ]*(?:[=!<>]=|[<>]|not[ ]+in|in)[ ]*(?:\"[\w.+ -]{{0,60}}\"|'[\w.+ -]{{0,60}}')"
# Compiled for the first marker: many inputs have no marker.
_ORDINARY = rf"{_COMPARED}(?:[ ]+(?:and|or)[ ]+{_COMPARED})*"
# A comparison that needs no parser: no other operator, and no value that could be a version but of Python itself.
_PLAIN = (
    r"(?<![\w.])(?:(sys_platform|platform_system|platform_machine|platform_python_implementation|os_name|extra"
    r"|implementation_name) ?([=!]=) ?(['\"])((?:x86|[A-Za-z]{2}|[A-Za-uw-z][0-9])[\w-]{0,60})\3"
    r"|python_version ?([=!<>]=|[<>]) ?(['\"])([23])(?:\.(\d{1,2}))?\6)"
)
# Signs for the values of comparisons. No marker contains them.
_TRUE, _FALSE = "\1", "\0"
# A marker that is false unless this extra is requested.
_COMPARE = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
# An arbitrary environment: whether a marker can be evaluated does not depend on the values.
_SOME = MappingProxyType(
    {
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_release": "",
        "platform_version": "",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "implementation_version": "3.12.0",
        "python_version": "3.12",
        "python_full_version": "3.12.0",
        "extra": "",
    }
)


def is_ordinary(text: str) -> bool:
    """Whether a marker is obviously valid, without a parser; False if that is not obvious."""
    return re.fullmatch(_ORDINARY, text) is not None


@lru_cache(maxsize=1024)
def parsed(text: str) -> Marker | Unknown:
    """A text as a marker; ``Unknown`` gives the reason as half a sentence if it is invalid."""
    from packaging.markers import InvalidMarker, Marker

    if text.count("(") > _DEEPEST and _depth(text) > _DEEPEST:
        return Unknown("it is nested too deeply")
    if has_long_number(text):
        return Unknown(f"no version has a number of more than {LONGEST_NUMBER} digits")
    try:
        return Marker(text)
    except InvalidMarker as error:
        reason = str(error).splitlines()[0]
        return Unknown(f"{reason[:1].lower()}{reason[1:]}")
    except (ValueError, SyntaxError, RecursionError):
        return Unknown("it is not a marker")


def variables_in(text: str) -> tuple[str, ...]:
    """The variables that a marker may compare, "extra" left out; there may be others among them."""
    text = text.replace(".", "_")  # older names: os.name, sys.platform
    return tuple(name for name in _SOME if name in text and name != "extra")


def plain_value(text: str, environment: Mapping[str, str]) -> bool | None:
    """The value of a marker of plain comparisons, found without a parser; None for any other marker.

    Most markers are plain, and to load a parser costs more than a small file costs otherwise.
    """
    if _TRUE in text or _FALSE in text:
        return None
    needed = extra_of(text)
    if needed and needed != normalise(environment["extra"]):
        return False
    rest = re.sub(_PLAIN, lambda match: _TRUE if _holds(match, environment) else _FALSE, text, flags=re.ASCII)
    while "(" in rest:
        inner = re.search(r"\(([^()]*)\)", rest)
        value = _flat_value(inner[1]) if inner else None
        if inner is None or value is None:
            return None
        rest = f"{rest[: inner.start()]}{_TRUE if value else _FALSE}{rest[inner.end() :]}"
    return _flat_value(rest)


def _flat_value(text: str) -> bool | None:
    """The value of a text of signs for true and false, joined by "and" and "or"; None for any other text."""
    parts = [[sign.strip(" ") for sign in part.split(" and ")] for part in text.split(" or ")]
    if not all(sign in (_TRUE, _FALSE) for part in parts for sign in part):
        return None
    return any(_FALSE not in part for part in parts)


def _holds(match: re.Match[str], environment: Mapping[str, str]) -> bool:
    variable, operation, _, wanted, of_python, _, major, minor = match.groups()
    if variable is None:
        python = tuple(map(int, environment["python_version"].split(".")))
        return bool(_COMPARE[of_python](python, (int(major), int(minor or 0))))
    own = environment[variable]
    same = own == wanted if variable != "extra" else normalise(own) == normalise(wanted)
    return same == (operation == "==")


def value_of(marker: Marker, environment: Mapping[str, str]) -> bool | Unknown:
    """Whether a marker is true in an environment; ``Unknown`` if it compares values that cannot be compared."""
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return bool(marker.evaluate(dict(environment)))
    except UndefinedComparison:
        return Unknown("it compares values that cannot be compared")
    except UndefinedEnvironmentName as error:
        if " in " in str(marker) and error.args[:1] in (("extras",), ("dependency_groups",)):
            return Unknown(f"{error.args[0]} is a variable of lock files only")
        return Unknown("it compares two strings, and names no variable")
    except (ValueError, RecursionError):
        return Unknown("it cannot be evaluated")


@lru_cache(maxsize=8192)
def extra_of(text: str) -> str:
    """The extra without which a marker is never true, normalised; "" if that is not obvious."""
    rest, found, name = text.rpartition('extra == "')
    if not found or not name.endswith('"') or name.count('"') > 1 or (rest and not rest.endswith(" and ")):
        return ""
    if " or " in rest and (rest[0] != "(" or rest.count("(") > 1 or rest.rfind(" or ") > rest.find(")")):
        return ""
    return normalise(name[:-1])


@lru_cache(maxsize=8192)
def fault_of(text: str) -> str:
    """Why a marker is invalid on every machine, as half a sentence; "" if it is valid."""
    if not text or is_ordinary(text):
        return ""
    marker = parsed(text)
    value = marker if isinstance(marker, Unknown) else value_of(marker, _SOME)
    return value.because if isinstance(value, Unknown) else ""


def _depth(text: str) -> int:
    """The deepest nesting of parentheses, including those within quotes."""
    deepest = depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest
