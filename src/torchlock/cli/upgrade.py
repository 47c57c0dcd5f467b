"""``torchlock upgrade``: move lines of an input to other releases, and its lock with them."""

from __future__ import annotations

import argparse
import io
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.cli import lock
from torchlock.cli.exit_codes import FOUND, OK
from torchlock.cli.held_console import HeldConsole
from torchlock.cli.lock_output import with_wheelhouse
from torchlock.cli.recorded_command import merged_words, recorded
from torchlock.cli.streams import write_whole
from torchlock.cli.upgrade_plan import Plan
from torchlock.cli.upgrade_refusals import (
    refuse_emitted,
    refuse_fields,
    refuse_loss,
    refuse_unknown,
    refuse_unmoved,
    refuse_unwritten,
    versions_of,
)
from torchlock.cli.upgrade_report import outcome_of
from torchlock.errors import InputError
from torchlock.jobs.lock_inputs import input_files, inputs_of, is_pylock
from torchlock.jobs.lock_upgrades import refuse_overridden
from torchlock.knowledge.stack import FAMILY
from torchlock.lock import Conflict
from torchlock.manifests.pin_sets import PinSet, pin_set_of_text
from torchlock.manifests.pins import exact_version
from torchlock.runtime.staging import staged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.cli.streams import Console
    from torchlock.lock import Lock
    from torchlock.report.together import NewFile
    from torchlock.terms import ParsedRequirement


class _Run(NamedTuple):
    """One run of the lock command: exit code, results, messages, the files that it would write, its output."""

    code: int
    results: list[Lock | Conflict]
    said: HeldConsole
    written: dict[str, bytes]
    output: str


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        TorchlockError: input that cannot be used, an index that fails, or files that cannot be written.
    """
    asked = _asked(arguments.requirements)
    arguments = _for_lock(arguments, console)
    if arguments.wheelhouse is not None:
        from torchlock.cli.fetch import check_wheelhouse

        check_wheelhouse(arguments)
    inputs = inputs_of(arguments)
    refuse_overridden(asked, inputs)
    plan = Plan([*arguments.files, *arguments.constraints], asked)
    refuse_unknown(asked, plan, inputs, arguments)
    versions = _search(plan, asked, arguments, console)
    if versions is None:
        return FOUND
    refuse_unmoved(asked, versions, inputs)
    dry = arguments.dry_run or arguments.diff or arguments.check
    pins = [
        f"{name}{spec if '+' in spec else f'=={versions[name][0]}'}" if spec else name
        for name, spec in asked.items()
        if name in versions
    ]
    final = _locked(arguments, plan.closed(versions), pins, console, final=not dry, json=arguments.json)
    if final.code != OK:
        final.said.release()
        return final.code
    files = _files({**plan.closed(versions), **final.written})
    before = _pins([(file.path, file.old) for file in files if file.path in final.written], arguments)
    after = _pins([(path, content) for path, content in final.written.items()], arguments)
    if led := {name for name, specifier in asked.items() if not exact_version(specifier)}:
        refuse_loss({name: versions[name] for name in led | FAMILY if name in versions}, before, after)
    if not dry:
        from torchlock.report.together import write_together

        for remark in write_together(files):
            console.say("note", remark)
    elif not arguments.json:
        _print_diffs(files, console)
    outcome = outcome_of(plan.changes(versions), before, after, files, final.results)
    outcome.tell_lines(console, dry=dry)
    final.said.release()
    outcome.tell_meaning(console)
    if arguments.json:
        write_whole(outcome.added_to(final.output), console)
    code = FOUND if arguments.check and files else OK
    return with_wheelhouse(code, list(final.written) or [arguments.output], arguments, console)


def _asked(texts: Sequence[str]) -> dict[str, str]:
    """The packages to move, each with the specifier set that is asked for.

    Raises:
        InputError: there is none, or one is not a name with versions.
    """
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.standards.names import normalise
    from torchlock.terms import Origin

    if not texts:
        raise InputError("nothing to upgrade: name a package", hint="like: torchlock upgrade torch==2.9.1")
    found: dict[str, str] = {}
    for text in texts:
        requirement = parse_requirement(text, Origin(None, None, text)).requirement
        if requirement is None or requirement.url or requirement.marker or requirement.extras:
            raise InputError(f"{text!r} is not a name with versions", hint="use torch, torch==2.9.1 or torch>=2.9")
        name = normalise(requirement.name)
        if found.setdefault(name, str(requirement.specifier)) != str(requirement.specifier):
            raise InputError(f"{name} is named twice, with different versions", hint="use only one of them")
    return found


def _for_lock(arguments: argparse.Namespace, console: Console) -> argparse.Namespace:
    """The arguments for the lock command: the files, the lock, and the options that the lock states.

    Raises:
        InputError: there is no input, or no lock.
    """
    if arguments.diff and arguments.json:
        raise InputError("--diff and --json both write to standard output", hint="use only one of them")
    if arguments.emit:
        raise InputError("upgrade does not take --emit", hint="run torchlock lock --emit after it")
    if "-" in (*arguments.files, *arguments.constraints):
        raise InputError("upgrade cannot change standard input", hint="name the file with -r FILE")
    output = arguments.output or _lock_beside(arguments.files or input_files(arguments.files, upgrades=True))
    text = ""
    if Path(output).is_file():
        from torchlock.manifests.text import read_text

        text = read_text(output)
    refuse_emitted(output, text)
    found = recorded(text, arguments)
    refuse_fields(output, found.words)
    for option in found.missing:
        told = f"{output} was made with {option}, which is not taken from a file: if it is needed, give it again"
        console.say("warning", told)
    values = dict(vars(found.arguments))
    values |= {"output": output, "files": values["files"] or input_files([], upgrades=True)}
    values["requirements"] = values["requirements"] if found.words else []
    own = _command(arguments, output)
    values["argv"] = merged_words(found.words, own) if found.words else own
    return argparse.Namespace(**values)


def _lock_beside(files: Sequence[str]) -> str:
    """The lock of an input, by its usual name.

    Raises:
        InputError: there is none.
    """
    from torchlock.manifests.text import read_text
    from torchlock.report.own_outputs import is_lock
    from torchlock.report.own_outputs import is_pylock as is_pylock_text

    for file in files:
        path = Path(file)
        names = [path.with_suffix(".txt")] if path.suffix == ".in" else []
        if path.name == "pyproject.toml":
            names = [path.with_name("pylock.toml"), path.with_name("requirements.txt")]
        for name in names:
            if name.is_file() and (is_lock(text := read_text(str(name))) or is_pylock_text(text)):
                return str(name)
    looked = ["pylock.toml", "requirements.txt"] if files and Path(files[0]).name == "pyproject.toml" else []
    looked = looked or [Path(file).with_suffix(".txt").name for file in files if file.endswith(".in")]
    beside = f"there is no lock beside {', '.join(files)}" + (f": no {' or '.join(looked)}" if looked else "")
    hint = "name the lock with -o FILE, or make one with torchlock lock -r FILE -o FILE"
    raise InputError(beside, hint=hint)


def _command(arguments: argparse.Namespace, output: str) -> list[str]:
    """The words of the command that makes the lock again, for a lock that states none."""
    words = [word for word in arguments.argv if word not in arguments.requirements]
    words = ["lock" if word == "upgrade" else word for word in words]
    return words if arguments.output else [*words, "-o", output]


def _search(
    plan: Plan, asked: Mapping[str, str], arguments: argparse.Namespace, console: Console
) -> dict[str, list[str]] | None:
    """The versions of a lock in which the asked packages have moved; None if there is none, after saying why.

    Targets may have different ones; the oldest is the first.

    Lines of the torch family that conflict are freed, until there is a lock or nothing is left to free.
    """
    upgraded = [f"{name}{spec}" if exact_version(spec) else name for name, spec in asked.items()]
    ranges = [f"{name}{spec}" for name, spec in asked.items() if spec and not exact_version(spec)]
    while True:
        searched = _for_build(plan.build_freed(), arguments)
        tried = _locked(searched, plan.opened(), upgraded, console, more=ranges)
        if tried.code == OK:
            versions = versions_of(_pins(tried.written.items(), arguments))
            refuse_unwritten(plan, versions, arguments)
            return versions
        conflicts = [result for result in tried.results if isinstance(result, Conflict)]
        lines = _conflicting(conflicts[-1]) if conflicts else []
        if not plan.follow(lines):
            tried.said.release()
            if others := plan.others(lines):
                words = shlex.join([*(f"{name}{spec}" for name, spec in asked.items()), *others])
                console.say("hint", f"to move {', '.join(others)} as well: torchlock upgrade {words}")
            return None


def _for_build(build: str, arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments to search a release of a build, if the existing lock has it from the PyTorch index."""
    if not build or arguments.accelerator or not Path(arguments.output).is_file():
        return arguments
    from torchlock.manifests.lock_comments import read_lock_comments
    from torchlock.manifests.text import read_text

    if read_lock_comments(read_text(arguments.output)).label != build:
        return arguments
    return argparse.Namespace(**{**vars(arguments), "accelerator": [build]})


def _conflicting(conflict: Conflict) -> list[ParsedRequirement]:
    """The lines of a smallest conflicting set."""
    from torchlock.solve.conflict_core import minimal_conflict

    return [unit.written for unit in minimal_conflict(conflict.universe, conflict.units)]


def _locked(
    arguments: argparse.Namespace,
    contents: Mapping[str, bytes],
    upgraded: Sequence[str],
    console: Console,
    *,
    more: Sequence[str] = (),
    final: bool = True,
    json: bool = False,
) -> _Run:
    """Run the lock command on new contents of its input, without writing a file."""
    results: list[Lock | Conflict] = []
    said = HeldConsole(console)
    changed = {
        "requirements": [*arguments.requirements, *more],
        "upgrade_packages": [*arguments.upgrade_packages, *upgraded],
        "observe": results.append,
        **dict.fromkeys(("dry_run", "diff", "check"), False),
        "wheelhouse": None,  # filled after the files are written
        "json": json,
    }
    output = io.StringIO()
    with staged(contents, final=final) as stage, redirect_stdout(output):
        code = lock.run(argparse.Namespace(**{**vars(arguments), **changed}), said)
    return _Run(code, results, said, stage.written, output.getvalue())


def _pins(texts: Iterable[tuple[str, bytes | None]], arguments: argparse.Namespace) -> PinSet:
    """The pins of some files together."""
    kind = "pylock" if is_pylock(arguments) else "requirements"
    found = [pin_set_of_text(text.decode("utf-8", "replace"), path, kind) for path, text in texts if text]
    return PinSet(pin for pins in found for pin in pins.pins)


def _files(contents: Mapping[str, bytes]) -> list[NewFile]:
    """The files whose content changes."""
    from torchlock.report.together import NewFile

    found = []
    for path, content in contents.items():
        old = Path(path).read_bytes() if Path(path).is_file() else None
        if old != content:
            found.append(NewFile(path, content, old))
    return found


def _print_diffs(files: Sequence[NewFile], console: Console) -> None:
    from torchlock.cli.audit_fix import print_diff

    for file in files:
        if print_diff(file.path, file.old or b"", file.content):
            console.say("note", f"{file.path}: this diff masks secrets, so patch cannot apply it")
