"""Why two locks of any tool differ, as far as the metadata and rules of the bundled data show it.

What was asked for between the two locks is unknown. So the only reasons are what excludes an old version from the
new lock, and which packages need a new one, or no longer need an old one.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from torchlock.errors import InputError, TorchlockError, UnknownPackage
from torchlock.knowledge.rules import EXCLUSION
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.blockers import Blockers, is_of
from torchlock.lock.model import Move, Options, Previous
from torchlock.lock.moves import Reasons, listed
from torchlock.solve.candidates import Policy, Unproven
from torchlock.solve.reasons import Declared
from torchlock.solve.universe import Universe
from torchlock.target import PYTHONS, Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.knowledge.releases import Catalogue, Provenance, Release
    from torchlock.knowledge.rules import Matrix
    from torchlock.lock.blockers import Blocker
    from torchlock.manifests.pin_sets import PinSet
    from torchlock.solve.candidates import Candidate
    from torchlock.standards.index_file import File

_HEADER = re.compile(r"^# for Python ([0-9.]{1,10}t?), ([\w-]{1,40}),", re.MULTILINE)
# Pythons to look at, the most usual ones first.
_USUAL = sorted(PYTHONS, key=lambda minor: abs(minor - 12))


def moves_between(old: PinSet, new: PinSet, matrix: Matrix, catalogue: Catalogue) -> list[Move]:
    """The reasons for the differences of two locks, on a target of the new one."""
    target = _target_of(new)
    before, after = old.versions_on(target), new.versions_on(target)
    policy = Policy(all_pre=True, pinned={*before, *after}, unproven=Unproven.ANY, hashes=False)
    universe = Universe(target, matrix, _Bundled(catalogue), policy)
    found = _Compared(universe, before, after)
    return list(found.moves())


class _Compared:
    """The versions of two locks on one target, in the terms of a universe."""

    def __init__(self, universe: Universe, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        self._universe = universe
        self._before, self._after = before, after
        self._old = dict(self._places(before))
        self._new = dict(self._places(after))
        chosen = {name: universe.candidates(name)[index] for name, index in self._new.items()}
        options = Options(preferred=before)
        solution = {**self._new, **self._exclusions()}
        self._reasons = Reasons(universe, (), options, Previous(before), solution, chosen)
        self._blockers = Blockers(universe, solution, chosen)
        self._chosen: Mapping[str, Candidate] = chosen

    def _places(self, pins: Mapping[str, str]) -> Iterator[tuple[str, int]]:
        """The packages that the bundled data have, each with the number of its candidate."""
        for name, version in pins.items():
            for index, candidate in enumerate(self._universe.candidates(name)):
                public = version.partition("+")[0] if name in FAMILY else version
                if is_of(str(candidate.version), public, self._universe):
                    yield name, index
                    break

    def _exclusions(self) -> dict[str, int]:
        """The choice of each exclusion that a package of the new lock makes."""
        return {
            need.identifier: 0 if need.mask & 1 else 1
            for item in self._new.items()
            for need in self._universe.needs(*item)
            if need.identifier.startswith(EXCLUSION)
        }

    def moves(self) -> Iterator[Move]:
        for name in sorted(self._before.keys() | self._after.keys()):
            old, new = self._before.get(name, ""), self._after.get(name, "")
            if old and new and old != new:
                yield from self._moved(name, old, new)
            elif not old:
                yield from self._added(name, new)
            elif not new:
                yield from self._removed(name, old)

    def _moved(self, name: str, old: str, new: str) -> Iterator[Move]:
        if name not in self._new or name not in self._old:
            return
        public = old.partition("+")[0] if name in FAMILY else old
        leading = [
            each
            for each in self._reasons.leading(name, public)
            if not self._is_excluding(each, name, new)
            and (not self._is_labelled(name, each.package) or {name, each.package} <= FAMILY)
        ]
        if leading:
            yield self._reasons.following(Move(name, old, new), leading)

    def _is_excluding(self, blocker: Blocker, name: str, version: str) -> bool:
        """Whether a package excludes the new version, too, so that it is not the reason for the change."""
        public = version.partition("+")[0] if name in FAMILY else version
        return any(each.package == blocker.package for each in self._blockers.of(name, public))

    def _is_labelled(self, *names: str) -> bool:
        """Whether one of these is another build than that of the public index, so its own needs are unknown."""
        return any("+" in versions.get(name, "") for name in names for versions in (self._before, self._after))

    def _added(self, name: str, new: str) -> Iterator[Move]:
        if who := self._needing(name, self._new):
            yield Move(name, "", new, "needs", f"needed by {listed(who)}", package=who[0])

    def _removed(self, name: str, old: str) -> Iterator[Move]:
        """What needed it, and needs it no longer; nothing if a package of the new lock needs it."""
        who = self._needing(name, self._old)
        if not who or self._needing(name, self._new):
            return
        first = min(who, key=lambda each: (each not in self._new, each))
        if first in self._new:
            text = f"{first} {self._after[first]} does not need it"
        elif first in self._after:
            return
        else:
            text = f"{first}, which needs it, is gone"
        yield Move(name, old, "", "unneeded", text, package=first)

    def _needing(self, name: str, places: Mapping[str, int]) -> list[str]:
        """The packages whose metadata declares that they need another one, without those of another build."""
        by_need = self._by_need_of_new if places is self._new else self._by_need_of_old
        return sorted(by_need.get(name, ()))

    @cached_property
    def _by_need_of_new(self) -> dict[str, set[str]]:
        return self._by_need(self._new)

    @cached_property
    def _by_need_of_old(self) -> dict[str, set[str]]:
        return self._by_need(self._old)

    def _by_need(self, places: Mapping[str, int]) -> dict[str, set[str]]:
        """Each package that others declare to need, also with an extra that is asked for, and these others."""
        found: dict[str, set[str]] = {}
        waiting, seen = [*places], set[str]()
        while waiting:
            identifier = waiting.pop()
            who = identifier.partition("[")[0]
            if identifier in seen or who not in places or self._is_labelled(who):
                continue
            seen.add(identifier)
            for need in self._universe.needs(identifier, places[who]):
                if isinstance(need.reason, Declared):
                    found.setdefault(need.identifier.partition("[")[0], set()).add(who)
                    waiting += [need.identifier] if "[" in need.identifier else []
        return found


def _target_of(pins: PinSet) -> Target:
    """A target of a lock: the one that it states, else a usual one that it allows."""
    document = pins.document
    text = document.text if document is not None else ""
    if match := _HEADER.search(text[:4000]):
        try:
            return Target(PythonVersion.parse(match[1]), Platform.parse(match[2]))
        except InputError:
            pass
    platforms = document.platforms if document is not None else ()
    platform = Platform.parse("linux-x86_64" if not platforms or "linux-x86_64" in platforms else platforms[0])
    python = next((minor for minor in _USUAL if _allows(document.python if document else "", minor)), _USUAL[0])
    return Target(PythonVersion.parse(f"3.{python}"), platform)


def _allows(specifier: str, minor: int) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(specifier).contains(PythonVersion.parse(f"3.{minor}").full)
    except InvalidSpecifier:
        return True


class _Bundled:
    """The bundled catalogue as a source of releases: it never asks an index."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def releases(self, name: str) -> Sequence[Release]:
        found = self._catalogue.releases(name)
        if found is None:
            raise UnknownPackage(name, f"the catalogue does not have {name}")
        return found

    def metadata(self, file: File) -> str:
        raise TorchlockError(f"{file.filename} is not read")

    def is_local(self, name: str) -> bool:
        return True

    def begin(self) -> None:
        pass

    def expect(self, names: Iterable[str]) -> None:
        pass

    def may_renew(self) -> bool:
        return False

    def renew(self, names: Iterable[str]) -> bool:
        return False

    def provenance(self, name: str) -> Provenance:
        from torchlock.knowledge.releases import Provenance

        return Provenance(as_of=self._catalogue.date)
