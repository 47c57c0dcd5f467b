"""What ``torchlock lock`` refuses: options that contradict each other, and an output that it may not replace."""

from __future__ import annotations

import os
import re

from torchlock.errors import InputError
from torchlock.jobs.lock_inputs import PYLOCK, is_pylock
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console
    from torchlock.terms import Inputs

# The ends of names of files of other formats.
_OTHERS = (".toml", ".json", ".yml", ".yaml", ".ini", ".cfg")


def check_usage(arguments: argparse.Namespace, console: Console) -> None:
    """Refuse options that contradict each other.

    Raises:
        InputError: they do.
    """
    if arguments.output == "-":
        arguments.output = None
    if arguments.wheelhouse is not None:
        from torchlock.cli.fetch import check_wheelhouse

        check_wheelhouse(arguments)
    for option, given in (("--check", arguments.check), ("--diff", arguments.diff)):
        if given and not arguments.output:
            raise InputError(f"{option} compares the lock with a file", hint="name the file with -o FILE")
    if arguments.diff and arguments.json:
        raise InputError("--diff and --json both write to standard output", hint="use only one of them")
    if arguments.offline and arguments.refresh:
        raise InputError("--refresh asks the index, and --offline forbids it", hint="use only one of them")
    if arguments.emit and arguments.format:
        raise InputError("--emit writes no lock, so --format cannot be used with it", hint="use only one of them")
    if is_pylock(arguments) and (arguments.no_hashes or arguments.no_annotate):
        console.say("note", "--no-hashes and --no-annotate have no effect on pylock.toml")


def refuse_output(arguments: argparse.Namespace, inputs: Inputs) -> None:
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
        guard_emitted(arguments.output, read_from, arguments.emit)
        return
    guard_lock(arguments.output, read_from, pylock=is_pylock(arguments))
    _refuse_name(arguments)


def _refuse_name(arguments: argparse.Namespace) -> None:
    """Refuse a name for the lock that says another format than the one that is written.

    Raises:
        InputError: it does.
    """
    name = os.path.basename(arguments.output)
    if not name.lower().endswith(_OTHERS):
        return
    if re.fullmatch(r"(?i)pylock[.-].*toml", name) and not PYLOCK.fullmatch(name):
        said = "is not a name of a lock: PEP 751 allows pylock.toml and pylock.NAME.toml, where NAME has no dot"
        hint = "join several fields with a hyphen, like -o 'pylock.{platform}-{python}.toml'"
        raise InputError(said, path=arguments.output, hint=hint)
    if not is_pylock(arguments):
        said = f"is not a name for a requirements file, because it ends with {os.path.splitext(name)[1].lower()}"
        raise InputError(
            said, path=arguments.output, hint="name it like requirements.txt, or pylock.toml (PEP 751)"
        )
