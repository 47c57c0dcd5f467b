"""A project's extras: which there are, and what a requirement on the project itself comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from torchlock.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from torchlock.terms import ParsedRequirement


# Deeper than any project's extras and groups include each other.
DEEPEST = 100


def known_name(kind: str, asked: str, names: Collection[str], path: str, line: int | None = None) -> str:
    """The one of these names that was asked for, however it is spelled.

    Raises:
        InputError: there is none; the hint lists those that there are.
    """
    if asked in names:
        return asked
    wanted = canonicalize_name(asked)
    for name in names:
        if canonicalize_name(name) == wanted:
            return name
    there = f"there are: {', '.join(sorted(names))}" if names else f"the project has no {kind}s"
    raise InputError(f"no {kind} is called {asked!r}", path=path, line=line, hint=there)


class Extras:
    """The extras of one project; ``read`` gives the requirements of one, by its name as written."""

    def __init__(
        self, own: str, names: Collection[str], read: Callable[[str], Iterable[ParsedRequirement]], path: str
    ) -> None:
        self._own = canonicalize_name(own)
        self._names = names
        self._read = read
        self._path = path
        self._done: set[tuple[str, str]] = set()

    def of(self, asked: Collection[str], *, every: bool) -> Iterator[ParsedRequirement]:
        """The requirements of some extras, or of all."""
        for extra in [*asked, *(self._names if every else ())]:
            yield from self._extra(known_name("extra", extra, self._names, self._path), "", ())

    def unfold(
        self, found: Iterable[ParsedRequirement], marker: str = "", within: tuple[str, ...] = ()
    ) -> Iterator[ParsedRequirement]:
        """Requirements, with those of the extras that one on the project itself asks for in its place."""
        for written in found:
            requirement = written.requirement
            if requirement is None or not self._own or canonicalize_name(requirement.name) != self._own:
                yield _under(written, marker)
                continue
            both = " and ".join(f"({part})" for part in (marker, str(requirement.marker or "")) if part)
            for extra in sorted(requirement.extras):
                name = known_name("extra", extra, self._names, self._path, written.origin.line)
                yield from self._extra(name, both, within)

    def _extra(self, name: str, marker: str, within: tuple[str, ...]) -> Iterator[ParsedRequirement]:
        """The requirements of an extra where a marker holds, unless they have been given before."""
        if name in within or not self._done.isdisjoint({(name, ""), (name, marker)}):
            return
        if len(within) > DEEPEST:
            raise InputError(f"the extras include each other more than {DEEPEST} deep", path=self._path)
        self._done.add((name, marker))
        yield from self.unfold(self._read(name), marker, (*within, name))


def _under(written: ParsedRequirement, marker: str) -> ParsedRequirement:
    """A requirement that holds only where a marker does; "" holds everywhere."""
    if written.requirement is None or not marker:
        return written
    from dataclasses import replace

    from packaging.markers import Marker
    from packaging.requirements import Requirement

    requirement = Requirement(str(written.requirement))
    own = requirement.marker
    requirement.marker = Marker(f"({own}) and ({marker})" if own else marker)
    return replace(written, requirement=requirement)
