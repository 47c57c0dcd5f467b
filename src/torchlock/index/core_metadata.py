"""The few headers of core metadata (METADATA, PKG-INFO) that a lock needs."""

from __future__ import annotations

from typing import NamedTuple

from torchlock.words import Dependency


class CoreMetadata(NamedTuple):
    """What a file declares. ``invalid`` holds Requires-Dist lines that no installer can read, as written.

    A requirement on a URL (``name @ https://…``) stands there as well: an index may not serve it.
    """

    version: tuple[int, ...]
    requires_python: str
    extras: list[str]
    dependencies: list[Dependency]
    invalid: list[str]
    dynamic: frozenset[str]

    @property
    def dependencies_are_static(self) -> bool:
        """Whether every wheel built from this sdist has the same dependencies (PEP 643)."""
        return self.version >= (2, 2) and not self.dynamic & {"requires-dist", "provides-extra"}


def parse_metadata(text: str) -> CoreMetadata:
    """Read the headers. Nothing is an error: a missing header is empty, a broken line is ``invalid``."""
    headers = _headers(text)
    dependencies: list[Dependency] = []
    invalid: list[str] = []
    for line in headers.get("requires-dist", []):
        parsed = _dependency(line)
        if parsed is None:
            invalid.append(line)
        else:
            dependencies.append(parsed)
    return CoreMetadata(
        _version((headers.get("metadata-version") or [""])[0]),
        (headers.get("requires-python") or [""])[0],
        sorted({_normal(extra) for extra in headers.get("provides-extra", [])}),
        dependencies,
        invalid,
        frozenset(value.lower() for value in headers.get("dynamic", [])),
    )


def _headers(text: str) -> dict[str, list[str]]:
    """The header block, names in lower case, folded lines joined."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for line in text.lstrip("\ufeff").splitlines():
        if not line.strip():
            break
        if line[0] in " \t":
            if values:
                values[-1] += " " + line.strip()
            continue
        name, separator, value = line.partition(":")
        values = found.setdefault(name.strip().lower(), []) if separator else []
        values.append(value.strip())
    return found


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else (0,)


def _dependency(line: str) -> Dependency | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    if requirement.url:
        return None
    return Dependency(
        _normal(requirement.name),
        str(requirement.specifier),
        str(requirement.marker or ""),
        tuple(sorted({_normal(extra) for extra in requirement.extras})),
    )


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
