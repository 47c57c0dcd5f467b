"""A lock for many targets as one requirements file: each pin with the marker of the targets that have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.redaction import masked, one_line
from torchlock.report.requirements_txt import FIRST_LINE, closing_comment, entry, without_hash
from torchlock.report.targets import target_lines, target_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.finding import DataUpdate
    from torchlock.knowledge.systems import System
    from torchlock.lock import HostNote, Lock
    from torchlock.lock.joined import JoinedLock


def render(
    lock: JoinedLock,
    *,
    command: str,
    data_date: str,
    update: DataUpdate | None = None,
    systems: Sequence[System | None] = (),
    options: Sequence[str] = (),
    hashes: bool = True,
    annotate: bool = True,
) -> str:
    """The whole file. ``systems`` has the system of each target; the rest is as for one target."""
    lines = [*header(lock, command, data_date, update), "", *options, *([""] if options else [])]
    for joined in lock.pins:
        lines += entry(joined.pin, joined.exact, hashes=hashes, annotate=annotate)
    closing = [*_closing(lock, systems), *(without_hash([each.pin for each in lock.pins]) if hashes else ())]
    if closing:
        lines += ["", *(f"# {line}".rstrip() for line in closing)]
    return "\n".join(lines) + "\n"


def header(lock: JoinedLock, command: str, data_date: str, update: DataUpdate | None) -> Iterator[str]:
    """The comments at the top: the command, the targets, the builds."""
    yield f"{FIRST_LINE} {__version__} with the command"
    yield f"#     {command}"
    yield f"# for {_count(lock)}, from compatibility data of {data_date}."
    if update is not None:
        yield f"# {one_line(masked(str(update)))}"
    yield from about_targets(lock)
    yield "# On any other target this file was not judged, and installers do not check that."


def _count(lock: JoinedLock) -> str:
    count = len(lock.targets)
    return "1 target" if count == 1 else f"{count} targets"


def about_targets(lock: JoinedLock) -> Iterator[str]:
    """The comments on the targets, and on the builds of the PyTorch index."""
    yield "# Each of these targets was solved and judged by itself:"
    yield from (f"#     {line}" for line in target_lines(lock.targets))
    labels = list(dict.fromkeys(target.accelerator for target in lock.targets))
    roots = {each.builds.root: None for each in lock.locks if each.builds is not None}
    yield from (f"# builds: {','.join(labels)} of {masked(root)}" for root in roots)
    yield from _about_bases(lock)
    held = {one_line(said): None for each in lock.locks if each.builds for said in each.builds.held_back}
    yield from (f"# held back: {said}" for said in held)


def _about_bases(lock: JoinedLock) -> Iterator[str]:
    """What targets are installed into; its packages are not in the lock for these targets."""
    by_base: dict[tuple[str, ...], list[Lock]] = {}
    for each in lock.locks:
        if each.base is not None:
            key = (each.base.kind, each.base.name, *map(str, each.stays))
            by_base.setdefault(key, []).append(each)
    for (kind, name, *stays), locks in by_base.items():
        yield f"# {target_words([each.target for each in locks])}: installed into {kind} {one_line(masked(name))}"
        yield from (f"#     already installed: {said}" for said in stays)


def _closing(lock: JoinedLock, systems: Sequence[System | None]) -> Iterator[str]:
    """The system libraries: those of all targets together, then those of some."""
    by_targets: dict[tuple[tuple[int, ...], int], list[HostNote]] = {}
    for note, cells in lock.host:
        of_system: dict[int, list[int]] = {}
        for cell in cells:
            of_system.setdefault(_number(systems, cell), []).append(cell)
        for number, those in of_system.items():
            by_targets.setdefault((tuple(those), number), []).append(note)
    everywhere = tuple(range(len(lock.locks)))
    for (cells, number), notes in sorted(by_targets.items(), key=lambda item: (item[0][0] != everywhere, item[0])):
        lines = list(closing_comment(notes, systems[number] if systems else None))
        if lines and cells != everywhere:
            yield f"For {target_words([lock.locks[cell].target for cell in cells])}:"
            yield from (f"  {line}" for line in lines)
        else:
            yield from lines


def _number(systems: Sequence[System | None], cell: int) -> int:
    """The number of the first target with the same system."""
    return systems.index(systems[cell]) if systems else 0
