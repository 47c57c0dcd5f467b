"""``torchlock lock``: read, solve, write."""

from __future__ import annotations

import re
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.cli.build_machine import machine_of, on_machine
from torchlock.cli.existing_lock import ExistingLock
from torchlock.cli.exit_codes import FOUND, OK
from torchlock.cli.lock_runs import Runs, settle
from torchlock.cli.named_build import take_named_build
from torchlock.cli.sources import with_indexes
from torchlock.cli.streams import write_whole
from torchlock.cli.target import target_of
from torchlock.errors import InputError
from torchlock.knowledge.rules import Matrix
from torchlock.lock import Conflict, Lock, Options, Pin, with_files_of_hashes
from torchlock.lock.inputs import merge
from torchlock.lock.package_sources import settled
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.redaction import MASK, masked, one_line
from torchlock.terms import Inputs, Origin, ParsedRequirement

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator, Sequence

    from torchlock.cli.streams import Console
    from torchlock.index.sources import Sources
    from torchlock.knowledge.systems import System
    from torchlock.lock.build_machine import BuildMachine
    from torchlock.lock.installed_base import Base

# Options that do not change the result: the command in the lock omits them.
_TRANSIENT = {"-U", "--upgrade", "--check", "--dry-run", "-q", "--quiet", "-v", "--verbose", "--refresh", "--json"}
_TRANSIENT_WITH_VALUE = {"-P", "--upgrade-package", "--color", "--cache-dir"}


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    _check_usage(arguments, console)
    earlier = None if arguments.emit not in (None, "constraints") else arguments.output
    existing = ExistingLock(earlier, pylock=_is_pylock(arguments))
    base = _base(arguments, console)
    target, system = target_of(arguments)
    recorded = existing.machine if arguments.accelerator == "auto" and arguments.gpu is None else None
    machine = machine_of(arguments, target, console, recorded)
    target = on_machine(target, machine)
    inputs = _inputs(arguments)
    _refuse_output(arguments, inputs)
    inputs = settled(inputs, target)
    if not inputs.requirements:
        _warn_of_empty_lock(arguments, console)
    matrix = Matrix()
    target, advice = take_named_build(arguments, inputs, target, console, arguments.files)
    inputs = with_indexes(arguments, inputs, console)
    runs = Runs(arguments, target, inputs, partial(_options, existing), matrix, console, base, advice)
    choice = settle(runs, machine, arguments)
    if choice is None:
        runs.advise()
        return FOUND
    arguments, inputs, sources, result = runs.run(choice.label)
    console.clear()
    for warning in choice.warnings:
        console.say("warning", warning)
    for note in [*choice.notes, *inputs.notes]:
        console.say("note", note)
    if isinstance(result, Conflict):
        _print_conflict(result, sources, runs, machine, console)
        return FOUND
    result = with_files_of_hashes(_hashed(result, arguments, sources), inputs)
    if sources.builds is not None:
        from torchlock.lock.build_pins import with_builds

        by_index = arguments.builds_by == "index"
        result = with_builds(result, sources.builds, str(machine), choice.held_back, by_index=by_index)
    console.clear()
    for note in [*existing.changes(arguments.accelerator, base), *result.notes, *sources.notes]:
        console.say("note", note)
    _warn_of_unused_options(arguments, inputs, result, console)
    _warn(arguments, result, console)
    return _write(result, arguments, inputs, sources, system, matrix, console)


def _print_conflict(
    result: Conflict, sources: Sources, runs: Runs, machine: BuildMachine, console: Console
) -> None:
    """Write why there is no lock, and which option may lead to one."""
    from torchlock.cli.refusals import print_conflict

    for note in sources.notes:
        console.say("note", note)
    print_conflict(result, console)
    runs.advise()
    if runs.target.accelerator == "pypi" and machine.gpus:
        console.say("hint", "--accelerator auto chooses among the builds of the PyTorch index for this GPU")


def _base(arguments: argparse.Namespace, console: Console) -> Base | None:
    """What is installed already, as --base-image or --constraint-from names it."""
    if arguments.base_image is None and arguments.constraint_from is None:
        return None
    from torchlock.cli.installed_base import base_of

    return base_of(arguments, console)


def _warn_of_empty_lock(arguments: argparse.Namespace, console: Console) -> None:
    files = ", ".join(arguments.files) or "pyproject.toml or requirements.in"
    console.say("warning", f"no requirement of {files} is selected, so the lock is empty")
    console.say("hint", "to lock extras or groups of a project, use --extra NAME, --all-extras or --group NAME")


def _check_usage(arguments: argparse.Namespace, console: Console) -> None:
    """Refuse options that contradict each other.

    Raises:
        InputError: they do.
    """
    if arguments.output == "-":
        arguments.output = None
    if arguments.check and not arguments.output:
        raise InputError("--check compares the lock with a file", hint="name the file with -o FILE")
    if arguments.offline and arguments.refresh:
        raise InputError("--refresh asks the index, and --offline forbids it", hint="use only one of them")
    if arguments.emit and arguments.format:
        raise InputError("--emit writes no lock, so --format cannot be used with it", hint="use only one of them")
    if _is_pylock(arguments) and (arguments.no_hashes or arguments.no_annotate):
        console.say("note", "--no-hashes and --no-annotate have no effect on pylock.toml")


def _warn(arguments: argparse.Namespace, result: Lock, console: Console) -> None:
    """Warn about credentials in the lock, and about packages without a hash."""
    if any(pin.written and pin.written.url and pin.written.url != masked(pin.written.url) for pin in result.pins):
        console.say("warning", "the lock contains the credentials of a URL, as in its input")
    for note in _without_effect(arguments, result):
        console.say("note", note)
    if arguments.no_hashes or arguments.emit or _is_pylock(arguments):
        return
    if bare := [pin.name for pin in result.pins if not _has_hash(pin)]:
        refused = len(bare) < len(result.pins)
        so = "pip refuses the lock, because other lines have one" if refused else "it is installed unverified"
        console.say("warning", f"{', '.join(bare)}: no hash is available; {so}")
        console.say("hint", _way_to_hashes(result, bare, arguments))


def _without_effect(arguments: argparse.Namespace, result: Lock) -> Iterator[str]:
    """Notes on options about builds that change nothing in this lock."""
    from torchlock.knowledge.stack import FAMILY

    if arguments.accelerator == "pypi":
        written = {word.partition("=")[0] for word in arguments.argv}
        for option in sorted(written & {"--builds-by", "--builds-url"}):
            yield f"{option} has no effect without --accelerator"
    elif not any(pin.name in FAMILY for pin in (*result.pins, *result.kept)):
        yield f"no package of the torch family is locked, so --accelerator {arguments.accelerator} has no effect"


def _way_to_hashes(result: Lock, bare: Collection[str], arguments: argparse.Namespace) -> str:
    """What to do about packages without a hash."""
    if not any(pin.page for pin in result.pins if pin.name in bare):
        return "use --no-hashes, or require a wheel or an archive instead"
    if arguments.offline:
        return "run without --offline, so that the page of the index is asked; or use --no-hashes"
    return "the page of the index states none, or could not be asked; use --no-hashes for a lock that pip installs"


def _warn_of_unused_options(arguments: argparse.Namespace, inputs: Inputs, result: Lock, console: Console) -> None:
    """Report names in options and overrides that the lock does not contain."""
    from torchlock.standards.names import normalise

    names = {normalise(pin.name) for pin in result.pins if pin.version}
    for name in _upgraded(arguments):
        if name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            console.say("warning", f"--upgrade-package {name}: the lock does not contain this package{hint}")
    for written in inputs.overrides:
        if written.requirement is not None and normalise(written.requirement.name) not in names:
            line = written.origin.text.strip()
            console.say(
                "note", f"{written.origin}: the override {line} has no effect: nothing requires the package"
            )


def _inputs(arguments: argparse.Namespace) -> Inputs:
    """All that is asked for: on the command line, and in files."""
    files = _files(arguments)
    asked = [parse_requirement(text, Origin(None, None, text)) for text in arguments.requirements]
    limits = [written for written in _upgraded(arguments).values() if written]
    own = Inputs(requirements=asked, constraints=limits)
    if files or arguments.constraints or arguments.overrides:
        return merge(own, *_read(files, arguments))
    return own


def _files(arguments: argparse.Namespace) -> list[str]:
    """The files that ask for something, by default the one in the current folder.

    Raises:
        InputError: nothing is asked for.
    """
    files = list(arguments.files)
    if not files and not arguments.requirements:
        files = [name for name in ("pyproject.toml", "requirements.in") if Path(name).is_file()][:1]
        if not files:
            raise InputError(
                "nothing to lock: no requirement given, and no pyproject.toml or requirements.in here",
                hint="name a requirement, like: torchlock lock torchaudio; or a file: torchlock lock -r FILE",
            )
    if files:
        files = _without_locks(files, alone=not arguments.requirements)
    if (arguments.extras or arguments.groups or arguments.all_extras) and not files:
        raise InputError("--extra and --group need a project file", hint="name it with -r pyproject.toml")
    return files


def _read(files: Sequence[str], arguments: argparse.Namespace) -> Iterator[Inputs]:
    from torchlock.manifests.selection import read_constraints, read_inputs, read_overrides

    for file in files:
        yield read_inputs(file, extras=arguments.extras, groups=arguments.groups, all_extras=arguments.all_extras)
    yield from map(read_constraints, arguments.constraints)
    yield from map(read_overrides, arguments.overrides)


def _refuse_output(arguments: argparse.Namespace, inputs: Inputs) -> None:
    """Refuse an output that is an input, or a file that is not a lock.

    Raises:
        InputError: it is.
    """
    if arguments.output is None:
        return
    from torchlock.cli.output import guard_emitted, guard_lock

    written = [*inputs.requirements, *inputs.constraints, *inputs.overrides]
    read_from = {item.origin.path for item in written if item.origin.path is not None}
    read_from |= {*arguments.files, *arguments.constraints, *arguments.overrides, *inputs.files}
    if arguments.emit:
        guard_emitted(arguments.output, read_from)
        return
    guard_lock(arguments.output, read_from, pylock=_is_pylock(arguments))


def _options(existing: ExistingLock, arguments: argparse.Namespace) -> Options:
    upgraded = _upgraded(arguments).keys()
    return Options(
        unproven=arguments.unproven,
        pre=arguments.pre,
        lowest=arguments.prefer == "lowest",
        exclude_newer=_utc_time(arguments.exclude_newer),
        hashes=_is_pylock(arguments) or not arguments.no_hashes,
        preferred=_preferred(arguments, upgraded, existing),
        upgraded=upgraded,
    )


def _upgraded(arguments: argparse.Namespace) -> dict[str, ParsedRequirement | None]:
    """The packages of ``--upgrade-package``, each with its version as a constraint, or None.

    Raises:
        InputError: a value is neither NAME nor NAME==VERSION, or names a package twice.
    """
    from torchlock.standards.names import normalise

    found: dict[str, ParsedRequirement | None] = {}
    for text in arguments.upgrade_packages:
        match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*(==.+)?", text)
        if not match:
            raise InputError(
                f"--upgrade-package: {text!r} is neither NAME nor NAME==VERSION",
                hint="like -P torch or -P torch==2.8.0",
            )
        origin = Origin(None, None, f"--upgrade-package {text}")
        written = parse_requirement(text, origin) if match[2] else None
        name = normalise(match[1])
        if found.setdefault(name, written) != written:
            raise InputError(f"--upgrade-package names {name} twice", hint="use only one of them")
    return found


def _utc_time(text: str | None) -> str | None:
    """Convert a day (its start) or an ISO 8601 time to an ISO 8601 time in UTC."""
    if text is None:
        return None
    from datetime import datetime, timezone

    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        moment = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InputError(f"--exclude-newer: {text!r} is not a date", hint="like 2025-03-31") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _preferred(arguments: argparse.Namespace, upgraded: Collection[str], existing: ExistingLock) -> dict[str, str]:
    """The pins that the user wants kept: of the locks that are named with -r, and of the existing output file."""
    if arguments.upgrade:
        return {}
    pins = {**_pins_of_locks(arguments.files), **existing.pins}
    kept = {name: version for name, version in pins.items() if name not in upgraded}
    if not kept:
        return {}
    from torchlock.lock.build_inputs import pins_for

    return pins_for(kept, arguments.accelerator, existing.build or arguments.accelerator)


def _without_locks(files: Sequence[str], *, alone: bool) -> list[str]:
    """The files that ask for something; all of them, if nothing else does (``alone``) and all are locks."""
    from torchlock.manifests.lockable import lock_kind

    asking = [file for file in files if not lock_kind(file)]
    return asking if asking or not alone else list(files)


def _pins_of_locks(files: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if files:
        from torchlock.manifests.lockable import lock_kind
    for file in files:
        kind = lock_kind(file)
        if kind:
            from torchlock.manifests.pins import read_pins

            found = {**read_pins(file, kind), **found}
    return found


def _write(
    result: Lock,
    arguments: argparse.Namespace,
    inputs: Inputs,
    sources: Sources,
    system: System | None,
    matrix: Matrix,
    console: Console,
) -> int:
    text = _render(result, arguments, sources, system, matrix)
    if arguments.check:
        return _check(text, arguments.output, console)
    written = replaced = False
    if arguments.output and not arguments.dry_run:
        from torchlock.cli.output import is_foreign_output, write_result

        _refuse_output(arguments, inputs)  # again: another program may have created a file meanwhile
        replaced = is_foreign_output(arguments.output)
        written = write_result(text, arguments.output, console, whole=True)
    if arguments.json:
        from torchlock.report import lock_json

        notes = [*result.notes, *sources.notes]
        text = lock_json.render(
            result,
            indexes=sources.indexes,
            notes=notes,
            data_date=matrix.date,
            version=__version__,
            update=matrix.update,
        )
    if arguments.json or arguments.dry_run or not arguments.output:
        write_whole(text, console)
    if written:
        count = "1 package" if len(result.pins) == 1 else f"{len(result.pins)} packages"
        console.say("note", f"{count} locked in {arguments.output} for {result.target}")
        if replaced:
            console.say("note", f"the lock replaced {arguments.output}, which torchlock had not written")
    return OK


def _hashed(result: Lock, arguments: argparse.Namespace, sources: Sources) -> Lock:
    """The lock with hashes that installers accept; files are fetched only if the lock shall have hashes."""
    from torchlock.answers import Unknown
    from torchlock.lock import with_hashes

    if (arguments.no_hashes or arguments.emit) and not _is_pylock(arguments):
        return with_hashes(result, lambda file: Unknown("--no-hashes"))
    return with_hashes(result, sources.sha256)


def _has_hash(pin: Pin) -> bool:
    return bool(pin.files) and all(file.hashes for file in pin.files)


def _render(
    result: Lock, arguments: argparse.Namespace, sources: Sources, system: System | None, matrix: Matrix
) -> str:
    command = _command(arguments.argv)
    if arguments.emit:
        from torchlock.report.emit import render
        from torchlock.report.emit.subject import Subject

        options = [*sources.option_lines, *_pages(result)]
        return render(arguments.emit, Subject(result, command, matrix.date, options, system))
    if _is_pylock(arguments):
        from torchlock.report import pylock_toml

        date, update = matrix.date, matrix.update
        return pylock_toml.render(result, address=sources.address, command=command, data_date=date, update=update)
    from torchlock.report import requirements_txt

    return requirements_txt.render(
        result,
        command=command,
        data_date=matrix.date,
        update=matrix.update,
        system=system,
        options=[*sources.option_lines, *_pages(result)],
        hashes=not arguments.no_hashes,
        annotate=not arguments.no_annotate,
    )


def _pages(result: Lock) -> list[str]:
    """The lines that name the pages of the PyTorch index, if the pins need them."""
    if not result.pages:
        return []
    from torchlock.index.addresses import redact

    lines = []
    for page, names in result.pages.items():
        lines += [f"# only from this index: {', '.join(names)}", f"--extra-index-url {redact(page)}"]
    return lines


def _is_pylock(arguments: argparse.Namespace) -> bool:
    if arguments.emit:
        return False
    if arguments.format is None:
        return bool(re.fullmatch(r"pylock(\.[^.]+)?\.toml", Path(arguments.output or "").name))
    return bool(arguments.format == "pylock")


def _check(text: str, output: str, console: Console) -> int:
    from difflib import unified_diff

    from torchlock.manifests.text import read_text

    old = read_text(output) if Path(output).is_file() else ""
    if _without_header(old) == _without_header(text):
        return OK
    lines = unified_diff(
        _without_header(old).splitlines(keepends=True),
        _without_header(text).splitlines(keepends=True),
        output,
        f"{output} (new)",
    )
    sys.stdout.writelines(map(masked, lines))
    console.say("error", f"{output} is not up to date with its input")
    console.say("hint", "run the same command without --check")
    return FOUND


def _without_header(text: str) -> str:
    """The text without the lines that name the command and the version of torchlock."""
    return re.sub(r"\A# (This file was made by torchlock.*\n#     )?.*\n", "", text.replace("\r\n", "\n"))


def _command(argv: list[str]) -> str:
    """The command for the comment in the lock, without passwords and options that do not change the result."""
    kept: list[str] = []
    skip = False
    for word in argv:
        name = word.partition("=")[0]
        if skip:
            skip = False
        elif name in _TRANSIENT_WITH_VALUE:
            skip = "=" not in word
        elif word not in _TRANSIENT:
            kept.append(masked(word).replace(f"://{MASK}@", "://"))
    return one_line(shlex.join(["torchlock", *kept]))
