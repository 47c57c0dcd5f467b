"""Spans of releases in tables: ``1.8.0-2.3.1 2.5.0-``, so that a new release changes few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def row_labels(wheels: Sequence[tuple[str, str]]) -> list[str]:
    """What the spans of a table call its rows, each a release and the file of its wheel.

    A release that has several rows is told by the Python of each: ``2.2.0@cp311``, ``2.8.0@cp313t``.
    """
    versions = [version for version, _ in wheels]
    return [
        version if versions.count(version) == 1 else f"{version}@{_python_in(file)}" for version, file in wheels
    ]


def _python_in(file: str) -> str:
    """The Python of a wheel, as spans write it: ``cp312``, ``cp313t``."""
    python, abi = file.removesuffix(".whl").split("-")[-3:-1]
    return f"{python}t" if abi.endswith("t") else python


def span_text(versions: Sequence[str], there: Sequence[bool]) -> str:
    """The spans of releases for which it is true; the last one is open if it contains the newest release."""
    parts, first = [], None
    for index, is_there in enumerate([*there, False]):
        if is_there and first is None:
            first = index
        elif not is_there and first is not None:
            last = index - 1
            end = "-" if index == len(there) else "" if first == last else f"-{versions[last]}"
            parts.append(versions[first] + end)
            first = None
    return " ".join(parts)


def in_span(versions: Sequence[str], text: str) -> list[bool]:
    """The opposite of ``span_text``.

    Raises:
        ValueError: a release is not in the list.
    """
    found = [False] * len(versions)
    places = {version: index for index, version in enumerate(versions)}
    for part in text.split():
        first, dash, last = part.partition("-")
        if first not in places or (last and last not in places):
            raise ValueError(f"the span {part} names a release that is not in the table")
        end = places[last] if last else len(versions) - 1 if dash else places[first]
        found[places[first] : end + 1] = [True] * (end + 1 - places[first])
    return found


def in_words(versions: Sequence[str], there: Sequence[bool]) -> str:
    """From the first to the last release: ``from 1.8.0 to 2.3.1``, ``from 2.5.0 on``, ``up to 2.3.1``.

    One that is neither the oldest nor the newest: ``in 2.5.0 only``.
    "" if there is none, or if both ends of the list are in it.
    """
    if not any(there):
        return ""
    first, last = there.index(True), len(there) - 1 - there[::-1].index(True)
    if first == last and 0 < first < len(there) - 1:
        return f"in {versions[first]} only"
    if first and last < len(there) - 1:
        return f"from {versions[first]} to {versions[last]}"
    if first:
        return f"from {versions[first]} on"
    return f"up to {versions[last]}" if last < len(there) - 1 else ""
