"""Suggests the requirement that an invalid line was meant to be, if that is clear."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.manifests.syntax.pep508 import HEAD, NAME, parse, specifier_span

if TYPE_CHECKING:
    from collections.abc import Callable

# No real requirement is longer.
LONG = 500
_EXTRAS = r"(?:\[[^\]]*\])?"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
        "\xa0": " ",
        "\uff1d": "=",
        "\uff1e": ">",
        "\uff1c": "<",
    }
)
# Mistakes in versions, and their corrections. Each one works on the result of those before it.
_SLIPS = tuple(
    (re.compile(pattern), meant)
    for pattern, meant in (
        (r"=>", ">="),
        (r"=<", "<="),
        (r"(?<![=<>!~])=(?![=<>])", "=="),
        (r"={4,}", "=="),
        (r"(?<![=<>!~])(?:[<>~]=?|=)(\s*\d[\w.]*(?:\.\*)?\+\w)", r"==\1"),
        (r"==(\s*[\d.]+)\.\*(\+\w)", r"==\1\2"),
        (r"((?:[<>]=?|~=)\s*\d+(?:\.\d+)*)\.\*", r"\1"),
        (r"(?<=\d)\.(?=\s*(?:,|$))", ""),
        (r"(?<=[\w.*+!])\s+(?=[<>=!~])", ","),
        (r"^\s*(\d[\w.+]*)$", r"==\1"),
        (r"^\s*~\s*(?=\d+\.\d)", "~="),
        (r",\s*,", ","),
        (r"^\s*,|,\s*$", ""),
        (r"(?<=\d)\s+(?=\d*(?:a|b|rc|\.?post|\.?dev)\d)", ""),
    )
)
_INSIDE = tuple(
    re.compile(pattern)
    for pattern in (
        r"[\"'](?P<inner>.+?)[\"']?\s*[,;]?",
        r"(?P<inner>.*\S)\s*[,;.]",
        r"(?P<inner>[^#]*[^#\s])#.*",
        r"(?P<inner>[^/]*[^/\s])\s*//.*",
        rf"[\w.-]+::(?P<inner>{NAME}.*)",
        r"[-*+\u2022]\s+(?P<inner>.+)",
        r"\\(?P<inner>.+)",
        r"(?P<inner>.*\S)\s*\\\s*",
    )
)
_TUPLE = re.compile(r"(?<!\w)(\w+)\s+(not\s+)?in\s+\(([^()]*)\)")


def suggest(written: str) -> str | None:
    """The requirement that was meant; None if that is not clear."""
    if len(written) > LONG:
        return None
    tried: list[Callable[[str], str | None]] = [_plain, _caret, _versions, _conda, _marker]
    for attempt in tried:
        found = attempt(written)
        if found is not None and found != written and parse(found):
            return found
    return None


def find_requirement(written: str) -> tuple[int, int] | None:
    """The span of a requirement, if only the text around it makes the line invalid."""
    if len(written) > LONG:
        return None
    for pattern in _INSIDE:
        match = pattern.fullmatch(written)
        if match and "://" not in match["inner"] and parse(match["inner"]):
            return match.span("inner")
    return None


def _plain(written: str) -> str | None:
    plain = written.translate(_PLAIN).strip()
    if plain == written:
        return None
    return plain if parse(plain) else suggest(plain)


def _versions(written: str) -> str | None:
    """The versions with mistakes corrected one after the other, until they are valid."""
    start, end = specifier_span(written)
    versions = written[start:end]
    if HEAD.match(written) is None or not versions:
        return None
    for pattern, right in _SLIPS:
        versions = pattern.sub(right, versions)
        if parse(f"x {versions}"):
            return written[:start] + versions.lstrip() + written[end:]
    return None


def _caret(written: str) -> str | None:
    """Poetry's ``^2.1``: up to the next breaking version."""
    start, end = specifier_span(written)
    match = re.fullmatch(r"\s*\^\s*((\d+)(?:\.(\d+))?(?!\d)[\w.]*)", written[start:end])
    if match is None:
        return None
    major, minor = int(match[2][:9]), int((match[3] or "0")[:9])
    upper = f"{major + 1}" if major or not match[3] else f"0.{minor + 1}"
    return f"{written[:start]}>={match[1]},<{upper}{written[end:]}"


def _conda(written: str) -> str | None:
    match = re.fullmatch(rf"({NAME}{_EXTRAS})=+([\d.][\w.]*)=[\w.]+", written)
    return f"{match[1]}=={match[2]}" if match else None


def _marker(written: str) -> str | None:
    """``platform in ("a", "b")``, which PEP 508 does not allow, as comparisons; an empty marker is removed."""
    return _TUPLE.sub(_spread, written) if ";" in written else None


def _spread(match: re.Match[str]) -> str:
    values = [value.strip() for value in match[3].split(",") if value.strip()]
    operator, word = ("!=", " and ") if match[2] else ("==", " or ")
    return f"({word.join(f'{match[1]} {operator} {value}' for value in values)})"
