"""The locks of many targets as the pins of one file, each with the marker of the targets that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.lock.marker_sets import MarkerGrid
from torchlock.lock.scope_conditions import Choice, Condition, condition_marker
from torchlock.manifests.syntax.lock_markers import scope_marker
from torchlock.manifests.syntax.markers import both, comparisons, either

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.lock.model import HostNote, Lock, Pin
    from torchlock.standards.index_file import File
    from torchlock.target import Target

# What a target states. A marker of the user on anything else (platform_release) stays in the lock.
_STATED = frozenset(
    (
        *(
            "python_version",
            "python_full_version",
            "sys_platform",
            "platform_system",
            "platform_machine",
            "os_name",
        ),
        *("platform_python_implementation", "implementation_name", "implementation_version", "extra"),
    )
)


# The choice of a lock without exclusive extras.
_ONLY = Choice((), ())


class _Member(NamedTuple):
    """A pin of one lock, with the index of its target, and the choice of the lock."""

    place: int
    lock: Lock
    pin: Pin
    choice: Choice


class JoinedPin(NamedTuple):
    """A package of one file. ``pin`` has files, reasons and marker of all its targets, ``cells`` their indexes.

    ``exact`` is the one file to install, if the lock names it by its address. ``files`` are those that a
    ``pylock.toml`` lists, and ``scoped`` is its marker there, which names extras and groups, too.
    """

    pin: Pin
    cells: tuple[int, ...]
    exact: File | None
    files: tuple[File, ...]
    scoped: str


class JoinedLock(NamedTuple):
    """The locks of the targets of one file, and its pins, sorted by name.

    A target has several locks if extras exclude each other; ``places`` has the index of its target for each lock.
    """

    locks: tuple[Lock, ...]
    pins: tuple[JoinedPin, ...]
    places: tuple[int, ...]

    @property
    def targets(self) -> list[Target]:
        found = dict(zip(self.places, self.locks, strict=True))
        return [found[place].target for place in sorted(found)]

    @property
    def pages(self) -> dict[str, list[str]]:
        """The pages of the PyTorch index that an installer has to ask, each with pins that name no file."""
        found: dict[str, dict[str, None]] = {}
        for lock in self.locks:
            for page, names in lock.pages.items():
                found.setdefault(page, {}).update(dict.fromkeys(names))
        return {page: list(names) for page, names in found.items()}

    @property
    def host(self) -> list[tuple[HostNote, tuple[int, ...]]]:
        """The notes on system libraries, each with the targets that it is about."""
        found: dict[tuple[str, ...], tuple[HostNote, list[int]]] = {}
        for place, lock in zip(self.places, self.locks, strict=True):
            for note in lock.host:
                said = (*note[:5], note.statement.rule, note.statement.because)
                cells = found.setdefault(said, (note, []))[1]
                cells += [place] if place not in cells else []
        ordered = sorted(found.values(), key=lambda item: (item[0].package, item[0].version))
        return [(note, tuple(cells)) for note, cells in ordered]


def join(
    locks: Sequence[Lock], *, one_address: bool, places: Sequence[int] = (), choices: Sequence[Choice] = ()
) -> JoinedLock:
    """The locks of some targets as one.

    With ``one_address``, a pin that names its file by the address is one line for each file; else all files of a
    version from one place are together. If extras exclude each other, ``choices`` has the choice of each lock, and
    ``places`` the index of its target.

    Raises:
        Same: no marker separates two targets that need different pins.
    """
    places = places or range(len(locks))
    targets = dict(zip(places, locks, strict=True))
    grid = MarkerGrid([targets[place].target.environment for place in sorted(targets)])
    groups: dict[tuple[object, ...], list[_Member]] = {}
    for index, lock in enumerate(locks):
        choice = choices[index] if choices else _ONLY
        for pin in lock.pins:
            key = _key(lock, pin, one_address=one_address)
            groups.setdefault(key, []).append(_Member(places[index], lock, pin, choice))
    pins = [_joined(members, grid, one_address=one_address) for members in groups.values()]
    pins.sort(key=lambda joined: (joined.pin.name, joined.cells))
    return JoinedLock(tuple(locks), tuple(pins), tuple(places))


def _exact(lock: Lock, pin: Pin) -> File | None:
    return None if lock.builds is None else lock.builds.file_of(pin)


def _key(lock: Lock, pin: Pin, *, one_address: bool) -> tuple[object, ...]:
    """What pins of one line have in common."""
    written = None if pin.written is None else pin.written.origin.text
    marker = _kept_marker(pin)
    if not one_address:
        return pin.name, pin.version, pin.page, written, marker
    exact = _exact(lock, pin)
    return pin.name, pin.version, pin.extras, written, marker, None if exact is None else exact.url


def _joined(members: Sequence[_Member], grid: MarkerGrid, *, one_address: bool) -> JoinedPin:
    cells = tuple(dict.fromkeys(member.place for member in members))
    pins = [member.pin for member in members]
    first = pins[0]
    listed = [file for pin in pins for file in (pin.files if pin.exact is None else (pin.exact,))]
    pin = first._replace(
        files=_once(file for each in pins for file in each.files),
        required_by=tuple(sorted({who for each in pins for who in each.required_by})),
        rules=tuple(sorted({rule for each in pins for rule in each.rules})),
        extras=tuple(sorted({extra for each in pins for extra in each.extras})),
        unproven=next((each.unproven for each in pins if each.unproven is not None), None),
        built=next((each.built for each in pins if each.built), ""),
        remark=next((each.remark for each in pins if each.remark), ""),
        marker=both(grid.marker(cells), _kept_marker(first)),
    )
    exact = _exact(members[0].lock, first) if one_address else None
    return JoinedPin(pin, cells, exact, _once(listed), _scoped(members, grid, pin.marker))


def _scoped(members: Sequence[_Member], grid: MarkerGrid, marker: str) -> str:
    """The marker of a package in a pylock.toml: on which targets which extras and groups need it."""
    conditions: dict[int, list[Condition]] = {}
    for member in members:
        conditions.setdefault(member.place, []).append(Condition(member.choice, member.pin.scopes))
    cells: dict[tuple[Condition, ...], list[int]] = {}
    for place, found in conditions.items():
        cells.setdefault(tuple(found), []).append(place)
    if len(cells) == 1:
        return both(marker, _of_scopes(next(iter(cells))))
    parts = (both(grid.marker(tuple(own)), _of_scopes(found)) for found, own in cells.items())
    return both(either(*parts), _kept_marker(members[0].pin))


def _of_scopes(conditions: Sequence[Condition]) -> str:
    """The marker on extras and groups."""
    if conditions[0].choice is _ONLY:
        return scope_marker(conditions[0].scopes)
    return condition_marker(conditions)


def _kept_marker(pin: Pin) -> str:
    """The marker of the user's line, if it compares what no target states."""
    if not pin.marker:
        return ""
    variables = {variable for variable, _, _ in comparisons(pin.marker)}
    return "" if variables <= _STATED else pin.marker


def _once(files: Iterable[File]) -> tuple[File, ...]:
    """Each file once, by its name; one with a hash, if there is one."""
    found: dict[str, File] = {}
    for file in files:
        known = found.get(file.filename)
        if known is None or (file.hashes and not known.hashes):
            found[file.filename] = file
    return tuple(found.values())
