"""What ``torchlock lock`` is asked for: requirements, files, pins to keep, options."""

from __future__ import annotations

import os

from torchlock.errors import InputError
from torchlock.lock import Options
from torchlock.lock.inputs import merge
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.patterns import pattern
from torchlock.records import replace
from torchlock.terms import Inputs, Origin, ParsedRequirement
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.jobs.existing_lock import ExistingLock
    from torchlock.solve.sharing import Sharing
    from torchlock.target import Target

# Names of files that list requirements.
_TEXT_FILES = (".in", ".txt", ".toml", ".cfg", ".lock", ".yml", ".yaml", ".py", ".json")
# The names that PEP 751 allows.
PYLOCK = pattern(r"pylock(\.[^.]+)?\.toml")


def is_pylock(arguments: argparse.Namespace) -> bool:
    """Whether the lock is a pylock.toml."""
    if arguments.emit:
        return False
    if arguments.format is None:
        output = arguments.output or ""
        return output.endswith(".toml") and bool(PYLOCK.fullmatch(os.path.basename(output)))
    return bool(arguments.format == "pylock")


def existing_lock(arguments: argparse.Namespace) -> ExistingLock:
    """The lock in the output file; with --emit nothing, except constraints that replace earlier ones."""
    from torchlock.jobs.existing_lock import ExistingLock

    path = arguments.output
    if path and arguments.emit:
        path = path if arguments.emit == "constraints" and _is_constraints(path) else None
    return ExistingLock(path, pylock=is_pylock(arguments))


def _is_constraints(path: str) -> bool:
    from torchlock.jobs.existing_lock import is_existing_output
    from torchlock.manifests.text import read_text
    from torchlock.report.emit import form_of

    return is_existing_output(path) and form_of(read_text(path)) == "constraints"


def inputs_of(arguments: argparse.Namespace) -> Inputs:
    """All that is asked for: on the command line, and in files."""
    files = _files(arguments)
    _refuse_files(arguments.requirements)
    asked = [parse_requirement(text, Origin(None, None, text)) for text in arguments.requirements]
    upgraded = _upgraded(arguments)
    own = Inputs(requirements=asked, constraints=[written for written in upgraded.values() if written])
    if files or arguments.constraints or arguments.overrides:
        own = merge(own, *_read(files, arguments))
        _refuse_overridden(upgraded, own)
    return own


def _upgraded(arguments: argparse.Namespace) -> dict[str, ParsedRequirement | None]:
    """The packages of --upgrade-package."""
    if not arguments.upgrade_packages:
        return {}
    from torchlock.jobs.lock_upgrades import upgraded_packages

    return upgraded_packages(arguments)


def _of_groups(arguments: argparse.Namespace) -> Collection[str]:
    """The packages of --upgrade-group."""
    if not arguments.upgrade_groups:
        return ()
    from torchlock.jobs.lock_upgrades import packages_of_groups

    return packages_of_groups(arguments)


def _refuse_overridden(upgraded: Mapping[str, ParsedRequirement | None], inputs: Inputs) -> None:
    if not upgraded:
        return
    from torchlock.jobs.lock_upgrades import refuse_overridden

    refuse_overridden({name: _specifier(written) for name, written in upgraded.items()}, inputs)


def _refuse_files(requirements: Sequence[str]) -> None:
    """Refuse a text file that is given as a requirement: its lines are meant.

    Raises:
        InputError: there is one.
    """
    from torchlock.standards.filenames import is_distribution

    for text in requirements:
        if text.lower().endswith(_TEXT_FILES) and not is_distribution(text) and os.path.isfile(text):
            raise InputError(
                f"{text} is a file, not a requirement", hint=f"to lock what it asks for, use -r {text}"
            )


def _specifier(written: ParsedRequirement | None) -> str:
    return "" if written is None or written.requirement is None else str(written.requirement.specifier)


def _files(arguments: argparse.Namespace) -> list[str]:
    """The files that ask for something, by default the one in the current folder.

    Raises:
        InputError: nothing is asked for.
    """
    files = list(arguments.files)
    if not files and not arguments.requirements:
        files = input_files(files)
    if files:
        files = _without_locks(files, alone=not arguments.requirements)
    asked = arguments.extras or arguments.groups or arguments.all_extras or arguments.all_groups
    if asked and not files:
        raise InputError("--extra and --group need a project file", hint="name it with -r pyproject.toml")
    return files


def input_files(files: Sequence[str], *, upgrades: bool = False) -> list[str]:
    """The files that ask for something; without any, the one in the current folder.

    ``upgrades``: the files are to be changed, so that requirements on the command line do not replace them.

    Raises:
        InputError: there is none.
    """
    usual = ("pyproject.toml", "requirements.in")
    found = [*files] or [name for name in usual if os.path.isfile(name)][:1]
    if not found and upgrades:
        raise InputError(
            "nothing to upgrade: there is no pyproject.toml or requirements.in here",
            hint="name the file that asks for the package, like: torchlock upgrade torch==2.9.1 -r FILE",
        )
    if not found:
        raise InputError(
            "nothing to lock: no requirement given, and no pyproject.toml or requirements.in here",
            hint="name a requirement, like: torchlock lock torchaudio; or a file: torchlock lock -r FILE",
        )
    return found


def _read(files: Sequence[str], arguments: argparse.Namespace) -> Iterator[Inputs]:
    from torchlock.jobs.declared_conflicts import declared_conflicts
    from torchlock.manifests.selection import read_constraints, read_inputs, read_overrides

    conflicts = declared_conflicts(arguments.config_files) if arguments.config_files else ()
    for file in files:
        found = read_inputs(
            file,
            extras=arguments.extras,
            groups=arguments.groups,
            all_extras=arguments.all_extras,
            all_groups=arguments.all_groups,
            conflicts=conflicts,
        )
        yield _named("requirement", file, found, arguments)
    for file in arguments.constraints:
        yield _named("constraint", file, read_constraints(file), arguments)
    for file in arguments.overrides:
        yield _named("override", file, read_overrides(file), arguments)


def _named(option: str, path: str, inputs: Inputs, arguments: argparse.Namespace) -> Inputs:
    """The inputs of a file. If a configuration file names it, the lock names it relative to that one's folder.

    Then the lock is the same from each folder of the project.
    """
    folder = arguments.settings.folder_of(option, path)
    if not folder:
        return inputs

    def named(written: ParsedRequirement) -> ParsedRequirement:
        path = written.origin.path
        try:
            return written if path in (None, "-") else written._replace(file=os.path.relpath(str(path), folder))
        except ValueError:  # another drive
            return written

    return replace(
        inputs,
        requirements=list(map(named, inputs.requirements)),
        constraints=list(map(named, inputs.constraints)),
        overrides=list(map(named, inputs.overrides)),
    )


def options_of(
    existing: ExistingLock, arguments: argparse.Namespace, *, sharing: Sharing | None = None
) -> Options:
    """The options of the solver; ``sharing`` is what several targets have in common."""
    upgraded = {*_upgraded(arguments), *_of_groups(arguments)}
    return Options(
        unproven=arguments.unproven,
        pre=arguments.pre,
        lowest=arguments.prefer == "lowest",
        exclude_newer=_utc_time(arguments.exclude_newer),
        hashes=is_pylock(arguments) or not arguments.no_hashes,
        preferred=_preferred(arguments, upgraded, existing),
        upgraded=upgraded,
        sharing=sharing,
    )


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
    pins = {**pins_of_locks(arguments.files, existing.target), **existing.pins}
    kept = {name: version for name, version in pins.items() if name not in upgraded}
    if not kept:
        return {}
    from torchlock.lock.build_inputs import pins_for

    return pins_for(kept, arguments.accelerator, existing.build_beside(arguments.accelerator))


def _without_locks(files: Sequence[str], *, alone: bool) -> list[str]:
    """The files that ask for something; all of them, if nothing else does (``alone``) and all are locks."""
    from torchlock.manifests.lockable import lock_kind

    asking = [file for file in files if not lock_kind(file)]
    return asking if asking or not alone else list(files)


def pins_of_locks(files: Sequence[str], target: Target | None = None) -> dict[str, str]:
    """The pins of the locks among some files; of several for one package, the first counts.

    With a target, only pins whose markers hold there.
    """
    found: dict[str, str] = {}
    if files:
        from torchlock.manifests.lockable import lock_kind
        from torchlock.manifests.pins import read_pins
    for file in files:
        if kind := lock_kind(file):
            found = {**read_pins(file, kind, target), **found}
    return found
