"""``requires.txt`` of an ``.egg-info`` folder: the requirements that setuptools found when it created the archive.

The format has one requirement per line: first the plain ones, then sections ``[extra]``, ``[:marker]`` and
``[extra:marker]``.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r"\[([^\]:]*)(?::(.*))?\]")


class Malformed(ValueError):
    """A line that opens a section and does not end it."""


def parse(text: str) -> tuple[list[str], list[str]]:
    """Requirements as Requires-Dist has them, and the extras.

    Raises:
        Malformed: a line opens a section and does not end it.
    """
    requirements: list[str] = []
    extras: dict[str, None] = {}
    extra = marker = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = _SECTION.fullmatch(line)
            if section is None:
                raise Malformed(line)
            extra, marker = section[1].strip(), (section[2] or "").strip()
            if extra:
                extras[extra] = None
            continue
        requirements.append(with_markers(line, marker, extra))
    return requirements, list(extras)


def with_markers(requirement: str, marker: str = "", extra: str = "") -> str:
    """A requirement that applies only if ``marker`` is true as well, and only with that extra."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        own = str(Requirement(requirement).marker or "")
    except InvalidRequirement:
        own = ""  # kept as it is: the reader of the metadata reports it
    bare = requirement if not own else re.sub(r"(?<!\s)\s*;.*", "", requirement, flags=re.DOTALL)
    conditions = [condition for condition in (own, marker) if condition]
    if extra:
        conditions.append(f'extra == "{extra}"')
    if not conditions:
        return bare
    if len(conditions) > 1:
        conditions = [f"({condition})" if " or " in condition else condition for condition in conditions]
    # The space keeps the semicolon out of an address.
    return f"{bare} ; {' and '.join(conditions)}"
