"""What differs between two locks: sets of pins with markers, compared package by package."""

from __future__ import annotations

from functools import cache

from torchlock.errors import InputError
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.standards.filenames import same_version
from torchlock.standards.markers import variables_in
from torchlock.target import PLATFORMS, PYTHONS, Platform, PythonVersion, Target
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.lock.model import Move
    from torchlock.manifests.pin_sets import PinnedPackage, PinSet

# The order of a table of changes. ``updated`` and ``downgraded`` are one version that became another one;
# ``changed`` is anything else about versions.
KINDS = ("updated", "downgraded", "changed", "added", "removed", "marker", "source", "files")
# The variables of markers whose every value is in the grid of ``_grid``.
_GRID_VARIABLES = frozenset(
    {
        "python_version",
        "sys_platform",
        "platform_system",
        "platform_machine",
        "os_name",
        "platform_python_implementation",
        "implementation_name",
    }
)


class PinChange(NamedTuple):
    """How one package differs between two locks.

    ``kind`` is one of ``KINDS``: marker: the same versions in other environments, extras or groups; source: the
    same version from another place; files: other files of the same version. ``old`` and ``new`` are the pins
    that are in one lock only, or all pins if one lock has no pin of its own. ``why`` are the reasons, empty if
    they are unknown.
    """

    kind: str
    name: str
    old: tuple[PinnedPackage, ...]
    new: tuple[PinnedPackage, ...]
    why: tuple[Move, ...] = ()

    @property
    def hashes(self) -> tuple[int, int]:
        """The numbers of hashes that are new, and that are gone."""
        old = frozenset().union(*(pin.hashes for pin in self.old))
        new = frozenset().union(*(pin.hashes for pin in self.new))
        return len(new - old), len(old - new)


def changes_between(old: PinSet, new: PinSet, moves: Iterable[Move] = ()) -> tuple[PinChange, ...]:
    """All differences of two locks, those of the torch family first.

    ``moves`` are the reasons that the solver has; each is given to the change of its package.
    """
    reasons: dict[str, dict[Move, None]] = {}
    for move in moves:
        if move.text:
            reasons.setdefault(move.name, {})[move] = None
    found = []
    for name in old.by_name.keys() | new.by_name.keys():
        change = _change(name, old.by_name.get(name, ()), new.by_name.get(name, ()))
        if change is not None:
            found.append(change._replace(why=_fitting(change, reasons.get(name, ()))))
    return tuple(sorted(found, key=lambda each: (each.name not in FAMILY, KINDS.index(each.kind), each.name)))


def _fitting(change: PinChange, moves: Iterable[Move]) -> tuple[Move, ...]:
    """The reasons that are about this change: the solver may compare with another lock than this one.

    Why a package is gone from one target does not count if another target keeps it. That a target has no use for
    it counts only if there is no other reason.
    """
    old, new = [pin.version for pin in change.old], [pin.version for pin in change.new]
    fitting = tuple(
        move
        for move in moves
        if (move.new or not change.new)
        and (not move.old or any(_same_release(move.old, each) for each in old))
        and (not move.new or any(same_version(move.new, each) for each in new))
    )
    return tuple(move for move in fitting if move.kind != "target") or fitting


def _same_release(one: str, other: str) -> bool:
    return same_version(one, other) or same_version(one.partition("+")[0], other.partition("+")[0])


def _change(name: str, old: tuple[PinnedPackage, ...], new: tuple[PinnedPackage, ...]) -> PinChange | None:
    if not old:
        return PinChange("added", name, old, new)
    if not new:
        return PinChange("removed", name, old, new)
    places = {_place(pin) for pin in old} & {_place(pin) for pin in new}
    gone = tuple(pin for pin in old if _place(pin) not in places)
    come = tuple(pin for pin in new if _place(pin) not in places)
    if {one_spelling(pin.version) for pin in old} != {one_spelling(pin.version) for pin in new}:
        whole = not gone or not come  # a version came or went, and others stay as they were
        return (
            PinChange("changed", name, old, new) if whole else PinChange(_direction(gone, come), name, gone, come)
        )
    if (gone or come) and not _same_environments(old, new):
        return PinChange("marker", name, gone or old, come or new)
    if {_folder(pin.url) for pin in old} != {_folder(pin.url) for pin in new}:
        return PinChange("source", name, old, new)
    files = [({pin.url for pin in pins}, frozenset().union(*(pin.hashes for pin in pins))) for pins in (old, new)]
    return PinChange("files", name, old, new) if files[0] != files[1] else None


def _folder(url: str) -> str:
    """The address of the folder or page that a file is in."""
    return url.partition("#")[0].rpartition("/")[0]


def _place(pin: PinnedPackage) -> tuple[str, str, str]:
    return one_spelling(pin.version), pin.marker, pin.scope


@cache
def one_spelling(version: str) -> str:
    """One spelling for each version (PEP 440); other texts as they are.

    ``packaging.utils`` has the same function, but its import takes a fifth of a lock.
    """
    from packaging.version import InvalidVersion, Version

    try:
        parsed = Version(version)
    except InvalidVersion:
        return version
    release = parsed.release
    shortened = release[:1]
    for count, part in enumerate(release, 1):
        shortened = release[:count] if part else shortened
    return str(parsed).replace(".".join(map(str, release)), ".".join(map(str, shortened)), 1)


def _direction(old: tuple[PinnedPackage, ...], new: tuple[PinnedPackage, ...]) -> str:
    """Whether one version became a newer or an older one; ``changed`` if there are several, or none is known."""
    from packaging.version import InvalidVersion, Version

    before, after = {pin.version for pin in old}, {pin.version for pin in new}
    if len(before) != 1 or len(after) != 1:
        return "changed"
    try:
        first, second = Version(before.pop()), Version(after.pop())
    except InvalidVersion:
        return "changed"
    return "changed" if first.public == second.public else "updated" if second > first else "downgraded"


def _same_environments(old: tuple[PinnedPackage, ...], new: tuple[PinnedPackage, ...]) -> bool:
    """Whether two sets of pins provably apply in the same environments, however their markers are written."""
    if {(pin.version, pin.scope) for pin in old} != {(pin.version, pin.scope) for pin in new}:
        return False
    if not all(_GRID_VARIABLES.issuperset(variables_in(pin.marker)) for pin in (*old, *new)):
        return False
    try:
        return {*_cells(old)} == {*_cells(new)}
    except InputError:
        return False


def _cells(pins: Iterable[PinnedPackage]) -> Iterator[tuple[str, str, int]]:
    for pin in pins:
        for number, target in enumerate(_grid()):
            if target.holds(pin.marker):
                yield pin.version, pin.scope, number


@cache
def _grid() -> tuple[Target, ...]:
    """Every supported Python on every platform."""
    return tuple(
        Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(name)) for minor in PYTHONS for name in PLATFORMS
    )
