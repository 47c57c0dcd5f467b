"""Why a lock differs from the one before it: reasons from what the solver knows, none if it does not know one."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.blockers import Blockers, is_of
from torchlock.lock.model import Move
from torchlock.lock.preferences import pinned
from torchlock.redaction import one_line
from torchlock.solve.candidates import withdrawal
from torchlock.solve.lines import UserRequirement, anchors, demands
from torchlock.solve.propagate import DomainWipeout, propagate
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torchlock.lock.blockers import Blocker
    from torchlock.lock.model import Options, Pin, Previous
    from torchlock.solve.candidates import Candidate
    from torchlock.solve.problem import Solution
    from torchlock.solve.universe import Universe
    from torchlock.terms import ParsedRequirement

# So many packages are named as those that need another one.
_NAMED = 3
_OF_BUILDS = ("nvidia-", "cuda-", "triton", "pytorch-triton")


def moves_of(
    universe: Universe,
    units: Sequence[UserRequirement],
    options: Options,
    solution: Solution,
    chosen: Mapping[str, Candidate],
    pins: Sequence[Pin],
    lines: Sequence[ParsedRequirement] = (),
) -> Iterator[Move]:
    """One move for each package that differs from ``options.previous``, sorted by name.

    ``lines`` are the requirements of the user, also those that do not apply to the target.
    """
    previous = options.previous
    if previous is None:
        return
    reasons = Reasons(universe, units, options, previous, solution, chosen, lines)
    by_name = {pin.name: pin for pin in pins}
    for name in sorted(previous.pins.keys() | previous.elsewhere.keys() | chosen.keys()):
        candidate, old = chosen.get(name), previous.pins.get(name, "")
        if candidate is None and name not in previous.pins:
            yield reasons.of_other_targets(name, *previous.elsewhere[name])
        elif candidate is None:
            yield reasons.removed(name, old)
        elif candidate.kept:
            if old:
                yield Move(name, old, "", "base", "it is installed already, and stays")
        elif not old:
            yield _added(by_name[name])
        elif not is_of(str(candidate.version), old, universe):
            yield reasons.moved(name, old, str(candidate.version))
        elif build := reasons.of_build(name, old, str(candidate.version)):
            yield build


def _added(pin: Pin) -> Move:
    """Why a package is new: what needs it."""
    asking = [who for who in pin.required_by if _is_input(who)]
    if asking:
        who = asking[0].removeprefix("-r ")
        return Move(pin.name, "", pin.version, "input", f"required by {who}")
    if pin.required_by:
        return Move(
            pin.name, "", pin.version, "needs", f"needed by {listed(pin.required_by)}", package=pin.required_by[0]
        )
    for package, rule in pin.rules:
        return Move(pin.name, "", pin.version, "rule", f"{package} does not load without it", rule, package)
    return Move(pin.name, "", pin.version)


def _is_input(who: str) -> bool:
    return who.startswith("-r ") or who == "the command line"


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


class Reasons:
    """The reasons for what changed between one lock and the solution that replaces it."""

    def __init__(
        self,
        universe: Universe,
        units: Sequence[UserRequirement],
        options: Options,
        previous: Previous,
        solution: Solution,
        chosen: Mapping[str, Candidate],
        lines: Sequence[ParsedRequirement] = (),
    ) -> None:
        self._universe = universe
        self._units = units
        self._options = options
        self._previous = previous
        self._chosen = chosen
        self._lines = lines
        self._solution = solution
        self._blockers = Blockers(universe, solution, chosen)
        self._blocked: dict[str, list[Blocker]] = {}

    def of_other_targets(self, name: str, old: str, marker: str) -> Move:
        """Why a package is gone that the old lock had for other targets only."""
        text = f"it was only for targets where {one_line(marker)}"
        return (self._left_out(name) or Move(name, "", "", "target", text))._replace(old=old)

    def removed(self, name: str, old: str) -> Move:
        """Why a package is gone."""
        if without := self._left_out(name):
            return without._replace(old=old)
        if self._options.base is not None:  # what that contains may need it
            return Move(name, old, "", "unneeded", "nothing that the lock installs needs it")
        if name.startswith(_OF_BUILDS) and (build := self.of_build(name, old, "")):
            return build
        return Move(name, old, "", "unneeded", "nothing needs it")

    def _left_out(self, name: str) -> Move | None:
        """The line or the package that asks for a package, but not on this target; None if there is none."""
        target, overrides = self._universe.target, self._universe.overrides_on(name)
        for written in self._lines:
            requirement = written.requirement
            if requirement is None or normalise(requirement.name) != name:
                continue
            if overrides is not None and target.holds(str(requirement.marker or "")):
                return Move(name, "", "", "input", f"{_asked(written)}, and an override leaves it out")
            return Move(name, "", "", "target", f"{_asked(written)}, which does not apply to {target}")
        for candidate in self._chosen.values():
            declared = () if candidate.kept else candidate.dependencies
            for dependency in () if isinstance(declared, Unknown) else declared:
                if dependency.name != name or "extra" in dependency.marker:
                    continue
                who = f"{candidate.name} {candidate.version} needs it"
                if not target.holds(dependency.marker):
                    text = f"{who} only where {one_line(dependency.marker)}"
                    return Move(name, "", "", "target", text, package=candidate.name)
                if overrides is not None:
                    text = f"{who}, and an override leaves it out"
                    return Move(name, "", "", "input", text, package=candidate.name)
        return None

    def moved(self, name: str, old: str, new: str) -> Move:
        """Why a package has another version."""
        move = self._moved(name, self._release_of(name, old), new)._replace(old=old)
        return move if move.text else self.of_build(name, old, new) or move

    def _moved(self, name: str, old: str, new: str) -> Move:
        """``moved``, for the release without the label of another build."""
        of_build = None if self._is_other_torch and name not in FAMILY else self.of_build(name, old, new)
        outside = of_build or self._gone(name, old) or self._of_input(name, old)
        if outside is not None and outside.kind == "unasked":  # it may have to move whatever the index says
            outside = self._by_line(name, old) or outside
            if outside.kind == "unasked" and (leading := self.leading(name, old)):
                return self.following(Move(name, old, new), leading)
        if outside is not None:
            return outside._replace(name=name, old=old, new=new)
        move = Move(name, old, new)
        if machine := next((each for each in self._of(name, old) if each.machine), None):
            return move._replace(kind="machine", text=machine.text, rule=machine.rule)
        if leading := self.leading(name, old):
            return self.following(move, leading)
        if self._is_free(name) and _is_newer(new, old):
            return move._replace(kind="newer", text="newer release")
        conflict = self._conflict(name, old)
        if conflict is not None:
            return move._replace(kind="input", text=conflict)
        blocked = self._of(name, old)
        return self.following(move, blocked) if blocked else move

    def _release_of(self, name: str, old: str) -> str:
        """The release of a pin; of the torch family without the label, if the lock was for another build."""
        before, now = self._previous.build, self._universe.target.accelerator
        return old.partition("+")[0] if name in FAMILY and before and before != now else old

    @property
    def _is_other_torch(self) -> bool:
        """Whether torch has another release, not only another build."""
        old, new = self._previous.pins.get("torch", ""), self._chosen.get("torch")
        return bool(old) and new is not None and old.partition("+")[0] != new.version.public

    def leading(self, name: str, old: str) -> list[Blocker]:
        """The packages that exclude the old version, and that did not move because of this one."""
        return [each for each in self._of(name, old) if not each.machine and self._leads(each.package, name)]

    def following(self, move: Move, blocked: Sequence[Blocker]) -> Move:
        """A move because of the first of some blockers, those of the torch family first."""
        blocker = min(blocked, key=lambda each: (each.package != "torch", each.package not in FAMILY))
        subject = f"{blocker.package} {self._chosen[blocker.package].version}"
        kind, text = "rule" if blocker.rule else "needs", blocker.text
        if not self._is_unchanged(blocker.package):
            own = text.removeprefix(f"{subject} ")
            kind, text = "follows", f"follows {subject}" + (f": {text}" if own == text else f", which {own}")
        return move._replace(kind=kind, text=text, rule=blocker.rule, package=blocker.package)

    def _is_unchanged(self, name: str) -> bool:
        old = self._previous.pins.get(name, "")
        return bool(old) and is_of(str(self._chosen[name].version), self._release_of(name, old), self._universe)

    def _of(self, name: str, old: str) -> list[Blocker]:
        """What keeps the old version of a package out of the solution."""
        if name not in self._blocked:
            self._blocked[name] = list(self._blockers.of(name, old))
        return self._blocked[name]

    def _is_free(self, name: str) -> bool:
        """Whether the old pin need not be kept (``--upgrade`` and the like)."""
        return name not in self._options.preferred

    def _leads(self, package: str, name: str) -> bool:
        """Whether a package that excludes the old version of another one is the reason, not the consequence.

        What did not change, is new, or was moved by the user leads; if there is none, torch leads. Of two packages
        that exclude each other's old versions, neither is the reason.
        """
        old = self._previous.pins.get(package, "")
        if not old:
            return self._is_needed_without(package, name)
        if self._is_unchanged(package) or package in self._options.upgraded:
            return True
        if package == "torch" or self._of_input(package, old) is not None:
            return True
        return name != "torch" and all(each.package != name for each in self._of(package, old))

    def _is_needed_without(self, package: str, name: str) -> bool:
        """Whether the user's lines need a package, also without what another one needs; True if it is unknown."""
        roots = [need.identifier for unit in self._units for need in unit.roots]
        seen: set[str] = set()
        while roots:
            identifier = roots.pop()
            if identifier in seen or identifier not in self._solution or identifier.partition("[")[0] == name:
                continue
            seen.add(identifier)
            roots += [need.identifier for need in self._universe.needs(identifier, self._solution[identifier])]
        return not self._units or package in {identifier.partition("[")[0] for identifier in seen}

    def _gone(self, name: str, old: str) -> Move | None:
        """Why the old release cannot be used any more; None if it can."""
        universe = self._universe
        for item in universe.rejected(name):
            if is_of(item.version, old, universe):
                return _rejected(name, old, item.why, item.detail, str(universe.target))
        for (other, read), unread in universe.unreadable.items():
            if other == name and is_of(read, old, universe):
                return Move(name, old, "", "gone", f"of {read} {unread.message}")
        for candidate in universe.withdrawn(name):
            if is_of(str(candidate.version), old, universe):
                return Move(name, old, "", "gone", f"{old} was {withdrawal(candidate)}")
        known = any(
            is_of(str(each.version), old, universe)
            for each in (*universe.candidates(name), *universe.held.get(name, ()))
        )
        if known:
            return None
        source, label = universe.provenance(name), old.partition("+")[2]
        is_build = universe.target.accelerator == "pypi" and name in FAMILY and kind_of(label) is not None
        way = f"; --accelerator {label} keeps that build" if is_build else ""
        if source.as_of:
            text = f"{old} is not known{source.dated}, and the index was not asked{way}"
            return Move(name, old, "", "gone" if is_build else "unasked", text)
        return Move(name, old, "", "gone", f"the index does not have {old}{way}")

    def _by_line(self, name: str, old: str) -> Move | None:
        """The line of the user that excludes a release of which nothing else is known; None if there is none."""
        for unit in self._units:
            requirement = unit.written.requirement
            if requirement is None or normalise(requirement.name) != name:
                continue
            if not specifier_set(str(requirement.specifier)).contains(old, prereleases=True):
                return Move(name, old, "", "input", _asked(unit.written))
        return None

    def _of_input(self, name: str, old: str) -> Move | None:
        """The line of the user that excludes the old version; None if there is none."""
        for override in self._universe.overrides_on(name) or ():
            if override.specifier and not specifier_set(override.specifier).contains(old, prereleases=True):
                return Move(name, old, "", "input", f"the override {override}")
        allowed = {
            index
            for index, candidate in enumerate(self._universe.candidates(name))
            if is_of(str(candidate.version), old, self._universe)
        }
        for unit in self._units:
            needs = [(need.identifier.partition("[")[0], need.mask) for need in unit.roots]
            for identifier, mask in (*needs, *unit.limits):
                if identifier == name and allowed and not any(mask >> index & 1 for index in allowed):
                    return Move(name, old, "", "input", _asked(unit.written))
        return None

    def of_build(self, name: str, old: str, new: str) -> Move | None:
        """The other build of a lock for a build, if that is all that differs."""
        before, now = self._previous.build, self._universe.target.accelerator
        if not before or before == now or old == new:
            return None
        same = old.partition("+")[0] == new.partition("+")[0]
        if (name in FAMILY and same) or name.startswith(_OF_BUILDS):
            return Move(name, old, new, "build", f"the build is {now}, and was {before}")
        return None

    def _conflict(self, name: str, old: str) -> str | None:
        """The user's line that the old version conflicts with, through other packages."""
        pin = pinned(self._universe, name, old)
        for unit in self._units if pin is not None else ():
            try:
                propagate(anchors(self._universe, [unit]), *demands([*filter(None, [pin]), unit]))
            except DomainWipeout:
                return f"{old} conflicts with {unit.written.origin.text.strip()}{_place(unit.written)}"
        return None


def _rejected(name: str, old: str, why: str, detail: str, target: str) -> Move:
    """Why a release is not a candidate."""
    if why == "gpu":
        return Move(name, old, "", "machine", f"of {old}: {detail}")
    if why == "never":
        return Move(name, old, "", "rule", f"{old} does not load", detail)
    text = {
        "wheel": f"{old} has no wheel for {target}",
        "python": f"{old} requires Python {detail}",
        "newer": f"of {old}: {detail}",
        "sdist": f"{old} has no wheel, only a source distribution",
        "unreadable": f"of {old}: {detail}",
    }
    return Move(name, old, "", "gone", text.get(why, f"{old} cannot be used any more"))


def _asked(written: ParsedRequirement) -> str:
    text = " ".join(written.origin.text.split())
    if text.startswith("--upgrade-package "):
        return f"set by -P {text.removeprefix('--upgrade-package ')}"
    return f"{text}{_place(written)}" if written.origin.path else f"the command line asks for {text}"


def _place(written: ParsedRequirement) -> str:
    path, line, _ = written.origin
    return f" ({path}:{line})" if path and line else f" ({path})" if path else ""


def _is_newer(new: str, old: str) -> bool:
    try:
        return Version(new) > Version(old)
    except InvalidVersion:
        return False
