"""``torchlock lock`` for many targets: solve each by itself, share versions, write one file or several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from torchlock import __version__
from torchlock.errors import InputError, Undecided, WrongTarget
from torchlock.jobs.existing_lock import ExistingLock
from torchlock.jobs.gathered import Gathering, say_gathered
from torchlock.jobs.left_out import LeftOut, of_conflict, print_left_out
from torchlock.jobs.lock_asked import Locked, LockedFile
from torchlock.jobs.lock_cell import Common, completed, open_cell
from torchlock.jobs.lock_changes import refuse_lost
from torchlock.jobs.lock_files import LockFile, separating_field, with_another_field
from torchlock.jobs.lock_inputs import existing_lock, is_pylock
from torchlock.jobs.lock_rendering import Rendered, command_of, page_lines, render_one, with_kept_parts
from torchlock.jobs.lock_upgrades import refuse_unknown
from torchlock.jobs.lock_warnings import warn_of_empty_lock
from torchlock.jobs.sources import SourcePool
from torchlock.jobs.target import plain_target
from torchlock.lock import Conflict, Lock
from torchlock.lock.common import share_versions
from torchlock.lock.joined import join
from torchlock.lock.marker_sets import Same
from torchlock.solve.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torchlock.jobs.cells import Cell
    from torchlock.jobs.listener import Listener
    from torchlock.jobs.lock_asked import Asked
    from torchlock.jobs.lock_cell import OpenedCell
    from torchlock.lock.joined import JoinedLock
    from torchlock.target import Target


class _Solved(NamedTuple):
    """A target with its lock, and with all that its messages need."""

    number: int
    cell: Cell
    opened: OpenedCell
    label: str
    lock: Lock


def lock_many(asked: Asked, console: Listener) -> Locked:
    """Lock for several targets; without files if one of them has no solution.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    return _Many(asked, console).run()


class _Many:
    """One run for many targets."""

    def __init__(self, asked: Asked, console: Listener) -> None:
        self._arguments = asked.arguments
        self._cells = cells = asked.cells
        self._pool = SourcePool()
        self._common: Common = asked.common._replace(sharing=Sharing(), open_sources=self._pool.open)
        self._console = console
        self._files = asked.files
        self._existing = {index: existing_lock(file.arguments) for file in self._files for index in file.cells[:1]}
        self._consoles = [Gathering(console) for _ in cells]
        self._left_out: dict[int, LeftOut] = {}
        self._rows: list[dict[str, Any]] = []

    def run(self) -> Locked:
        """The files, or the targets that have no solution."""
        if not self._common.inputs.requirements:
            warn_of_empty_lock(self._arguments, self._console)
        solved = self._solved()
        self._console.clear()
        missing = [self._left_out[index] for index in sorted(self._left_out)]
        if missing and not (self._arguments.partial and solved):
            self._say(solved)
            print_left_out(missing, len(self._cells), self._console, partial=False, quiet=False)
            return Locked(describe=lambda: self._json([]))
        solved = [each._replace(lock=self._completed(each)) for each in self._shared(solved)]
        self._say(solved)
        if missing:
            print_left_out(missing, len(self._cells), self._console, partial=True, quiet=self._arguments.quiet)
        return self._located(solved)

    def _solved(self) -> list[_Solved]:
        """The newest lock of each target; the others are in ``_left_out``."""
        found = []
        for index, cell in enumerate(self._cells):
            self._console.progress(f"solve target {index + 1} of {len(self._cells)}")
            result: _Solved | LeftOut
            try:
                result = self._solve(index, cell)
            except (WrongTarget, Undecided) as error:
                result = LeftOut(plain_target(cell.arguments), error.message)
            if isinstance(result, LeftOut):
                self._left_out[index] = result
            else:
                found.append(result)
        without = {id(self._cells[index].arguments) for index in self._left_out}
        return [each for each in found if id(each.cell.arguments) not in without]

    def _solve(self, index: int, cell: Cell) -> _Solved | LeftOut:
        """The newest lock of one target, or why it has none.

        Raises:
            WrongTarget: the project excludes it, or there is no such build for it.
        """
        console = self._consoles[index]
        common = self._common._replace(base=cell.base)
        if cell.part is not None:
            common = common._replace(inputs=cell.part.inputs)
        opened = open_cell(cell.arguments, common, self._existing_for(index), console)
        if opened.choice is None:
            said = console.take("error", "line", "hint")
            return LeftOut(opened.runs.target, said[0] if said else "no build works")
        result = opened.runs.run(opened.choice.label).result
        if isinstance(result, Conflict):
            return of_conflict(result, result.universe.target)
        return _Solved(index, cell, opened, opened.choice.label, result)

    def _existing_for(self, index: int) -> ExistingLock:
        file = next(file for file in self._files if index in file.cells)
        existing, part = self._existing[file.cells[0]], self._cells[index].part
        return existing if part is None else existing.of_part(part.inputs.scopes)

    def _shared(self, solved: Sequence[_Solved]) -> list[_Solved]:
        """The targets with the versions that they have in common, as --fork says."""
        fork = self._arguments.fork
        if fork == "newest" or len(solved) < 2:
            return list(solved)

        def again(number: int, shared: Sequence[Mapping[str, str]]) -> Lock:
            each = solved[number]
            self._console.progress(f"share versions: target {each.number + 1} of {len(self._cells)}")
            result = each.opened.runs.again(each.label, shared)
            return result if isinstance(result, Lock) else each.lock

        groups = {
            id(each.lock): (
                each.lock.target.python[:2] if fork == "python" else None,
                None if each.cell.part is None else each.cell.part.choice.scopes,
            )
            for each in solved
        }
        locks = share_versions([each.lock for each in solved], again, lambda lock: groups[id(lock)])
        self._tell_held_back(solved, locks)
        return [each._replace(lock=lock) for each, lock in zip(solved, locks, strict=True)]

    def _tell_held_back(self, solved: Sequence[_Solved], locks: Sequence[Lock]) -> None:
        """Say which targets have an older torch than they could have, because others have no newer one."""
        from torchlock.lock.common import versions_of
        from torchlock.report.targets import target_words

        held: dict[tuple[str, str], list[Target]] = {}
        for each, lock in zip(solved, locks, strict=True):
            best, now = versions_of(each.lock).get("torch"), versions_of(lock).get("torch")
            if best is not None and now is not None and now.release < best.release:
                held.setdefault((now.public, best.public), []).append(lock.target)
        for (had, could), targets in held.items():
            said = f"torch {had} instead of {could}, to share versions (--fork newest: each has its newest)"
            self._console.say("note", f"{target_words(targets)}: {said}")

    def _completed(self, each: _Solved) -> Lock:
        choice = each.opened.choice
        assert choice is not None
        return completed(each.opened.runs.run(each.label), each.lock, each.opened.machine, choice)

    def _say(self, solved: Sequence[_Solved]) -> None:
        """Write the messages about all targets, each message once."""
        for each in solved:
            console, choice = self._consoles[each.number], each.opened.choice
            assert choice is not None
            for text in choice.warnings:
                console.say("warning", text)
            run = each.opened.runs.run(each.label)
            for note in [*choice.notes, *run.inputs.notes, *each.lock.notes]:
                console.say("note", note)
        targets: dict[int, Target] = {each.number: each.lock.target for each in solved}
        targets |= {index: left.target for index, left in self._left_out.items()}
        say_gathered([(targets[index], self._consoles[index]) for index in sorted(targets)], self._console)
        for note in [*self._idle_lines(targets.values()), *self._source_notes()]:
            self._console.say("note", note)

    def _idle_lines(self, targets: Collection[Target]) -> Iterator[str]:
        """Notes on lines whose marker is true on no target."""
        parts = [cell.part.inputs for cell in self._cells if cell.part is not None] or [self._common.inputs]
        for written in dict.fromkeys(line for inputs in parts for line in inputs.requirements):
            marker = (
                written.marker or str(written.requirement.marker or "") if written.requirement else written.marker
            )
            if not any(target.holds(marker) for target in targets):
                yield f"{written.origin}: {written.origin.text.strip()} does not apply to any target"

    def _source_notes(self) -> list[str]:
        return list(dict.fromkeys(note for sources in self._pool.all for note in sources.notes))

    def _located(self, solved: Sequence[_Solved]) -> Locked:
        """The text of each file."""
        by_file = [(file, [each for each in solved if each.number in file.cells]) for file in self._files]
        texts = [(file, self._rendered(file, members)) for file, members in by_file if members]
        self._refuse_unknown(solved)
        files = []
        for file, rendered in texts:
            refuse_lost(rendered.moves, file.arguments, self._existing[file.cells[0]])
        for file, rendered in texts:
            existing = self._existing[file.cells[0]]
            kept = with_kept_parts(rendered, file.arguments, existing.text)
            files.append(LockedFile(file.arguments, kept, existing))
        return Locked(tuple(files), lambda: self._json(solved))

    def _refuse_unknown(self, solved: Sequence[_Solved]) -> None:
        """Refuse a package to upgrade that no target and no existing lock has."""
        locked = [pin.name for each in solved for pin in (*each.lock.pins, *each.lock.kept)]
        sets = (existing.pin_set for existing in self._existing.values())
        before = [name for pins in sets if pins is not None for name in pins.by_name]
        refuse_unknown(self._arguments, self._common.inputs, locked, before)

    def _joined(self, file: LockFile, members: Sequence[_Solved]) -> JoinedLock:
        """The lock of one file, or of one build in it.

        Raises:
            InputError: no marker separates two targets that need different pins.
        """
        try:
            return self._join(members, one_address=not is_pylock(file.arguments))
        except Same as error:
            first, second = members[error.first], members[error.second]
            field = separating_field(first.cell, second.cell)
            name = with_another_field(self._arguments.output, field, pylock=is_pylock(file.arguments))
            way = f"write a file for each: -o '{name}'" if field else "lock them by two commands"
            raise InputError(
                f"one file cannot hold {_named(first)} and {_named(second)}: no environment marker separates "
                "them, and they need different files",
                hint=way,
            ) from None

    def _join(self, members: Sequence[_Solved], *, one_address: bool) -> JoinedLock:
        locks = [each.lock for each in members]
        choices = [each.cell.part.choice for each in members if each.cell.part is not None]
        if not choices:
            return join(locks, one_address=one_address)
        numbers: dict[int, int] = {}
        places = [numbers.setdefault(id(each.cell.arguments), len(numbers)) for each in members]
        return join(locks, one_address=one_address, places=places, choices=choices)

    def _emitted(self, file: LockFile, members: Sequence[_Solved], options: Iterable[str]) -> str:
        """The text of --emit for the targets of a file."""
        from torchlock.report.emit import render
        from torchlock.report.emit.subject import Subject

        labels = dict.fromkeys(each.lock.target.accelerator for each in members)
        builds = {
            label: self._joined(file, [each for each in members if each.lock.target.accelerator == label])
            for label in labels
        }
        lines = [*options, *(line for lock in builds.values() for line in page_lines(lock.pages))]
        command, date = command_of(file.arguments.argv), self._common.matrix.date
        return render(file.arguments.emit, Subject(builds, command, date, lines, members[0].opened.system))

    def _rendered(self, file: LockFile, members: Sequence[_Solved]) -> Rendered:
        matrix, arguments = self._common.matrix, file.arguments
        sources = [each.opened.runs.run(each.label).sources for each in members]
        options = dict.fromkeys(line for each in sources for line in each.option_lines)
        command = command_of(arguments.argv)
        inputs, system, base = self._common.inputs, members[0].opened.system, members[0].lock.base
        if len(file.cells) == 1 and base is None and system is None:  # as if it were locked alone
            text = render_one(members[0].lock, arguments, inputs, sources[0], system, matrix)
        elif arguments.emit:
            text = self._emitted(file, members, options)
        elif is_pylock(arguments):
            lock = self._joined(file, members)
            from torchlock.report import pylock_toml

            text = pylock_toml.render_many(
                lock,
                address=sources[0].address,
                command=command,
                data_date=matrix.date,
                update=matrix.update,
                scopes=self._scopes(members),
            )
        else:
            from torchlock.report import requirements_many

            lock = self._joined(file, members)
            text = requirements_many.render(
                lock,
                command=command,
                data_date=matrix.date,
                update=matrix.update,
                systems=[each.opened.system for each in members],
                options=[*options, *page_lines(lock.pages)],
                hashes=not arguments.no_hashes,
                annotate=not arguments.no_annotate,
            )

        def describe(changes: Sequence[dict[str, Any]] | None) -> str:
            self._rows.extend({**row, "file": arguments.output} for row in changes or ())
            return ""

        moves = tuple(move for each in members for move in each.lock.moves)
        count = len({id(each.cell.arguments) for each in members})
        for_what = str(members[0].lock.target) if count == 1 else f"{count} targets"
        return Rendered(
            text, len({pin.name for each in members for pin in each.lock.pins}), for_what, moves, describe
        )

    def _scopes(self, members: Sequence[_Solved]) -> list[str]:
        """The extras and groups of a file."""
        parts = [each.cell.part for each in members if each.cell.part is not None]
        if not parts:
            return self._common.inputs.scopes
        return [scope for scope in parts[0].asked if any(scope in part.inputs.scopes for part in parts)]

    def _json(self, solved: Sequence[_Solved]) -> str:
        from torchlock.report.lock_json import TargetResult, render_many

        names = {index: file.arguments.output or "" for file in self._files for index in file.cells}
        results = {
            each.number: TargetResult(
                each.lock.target, each.lock, each.cell.name, names[each.number], chosen=_chosen(each.cell)
            )
            for each in solved
        }
        for index, left in self._left_out.items():
            cell = self._cells[index]
            results[index] = TargetResult(left.target, None, cell.name, "", left.lines, _chosen(cell))
        matrix = self._common.matrix
        return render_many(
            [results[index] for index in sorted(results)],
            indexes=list(dict.fromkeys(index for sources in self._pool.all for index in sources.indexes)),
            notes=self._source_notes(),
            data_date=matrix.date,
            version=__version__,
            update=matrix.update,
            changes=self._rows,
        )


def _named(each: _Solved) -> str:
    target = each.lock.target
    build = "" if target.accelerator == "pypi" else f" with {target.accelerator}"
    return f"{each.cell.name or target}{build}"


def _chosen(cell: Cell) -> tuple[str, ...] | None:
    """The extras and groups of a lock, if there are several locks for its target."""
    return None if cell.part is None else tuple(cell.part.inputs.scopes)
