"""Write a lock: the text in its format, to a file or standard output, or the difference for ``--check``."""

from __future__ import annotations

import os
import re
import sys

from torchlock.cli.exit_codes import FOUND, OK, UNUSABLE
from torchlock.cli.lock_usage import refuse_output
from torchlock.cli.streams import write_whole
from torchlock.jobs.lock_changes import LockChanges
from torchlock.jobs.lock_inputs import is_pylock
from torchlock.redaction import masked
from torchlock.report.summary import counted, summary_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console
    from torchlock.jobs.lock_asked import LockedFile
    from torchlock.jobs.lock_rendering import Rendered
    from torchlock.lock.model import Move
    from torchlock.terms import Inputs


def write(file: LockedFile, inputs: Inputs, alternatives: Sequence[Sequence[str]], console: Console) -> int:
    """Write a lock to its file or to standard output, report what changed, and return the exit code.

    ``alternatives`` are the sets of extras and groups that can be installed together.
    """
    arguments, rendered, existing = file
    text = rendered.text
    changes = LockChanges(existing, text, rendered.moves, arguments)
    if arguments.check or arguments.diff:
        if changes.found or not arguments.check:
            changes.tell(console, written=False)
        return _check(text, rendered.moves, arguments, console)
    written = replaced = False
    if arguments.output and not arguments.dry_run:
        from torchlock.cli.output import is_foreign_output, write_result

        refuse_output(arguments, inputs)  # again: another program may have created a file meanwhile
        replaced = is_foreign_output(arguments.output)
        written = write_result(text, arguments.output, console, whole=True)
    if arguments.json:
        text = rendered.describe(changes.rows())
    if text and (arguments.json or arguments.dry_run or not arguments.output):
        write_whole(text, console)
    if written:
        console.say("note", summary_line(arguments.output, _locked(rendered)))
        if inputs.scopes and is_pylock(arguments):
            for scopes in alternatives:
                console.say("note", _parts(arguments.output, scopes))
        if replaced:
            console.say("note", f"the lock replaced {arguments.output}, which torchlock had not written")
    elif not arguments.json:
        console.say("note", summary_line("standard output", _locked(rendered)))
    changes.tell(console, written=written)
    return OK


def _locked(rendered: Rendered) -> str:
    return f"{counted(rendered.pins, 'package')} locked for {rendered.for_what}"


def _parts(path: str, scopes: Sequence[str]) -> str:
    """How to install the extras and groups of a pylock.toml."""
    import shlex

    from torchlock.manifests.syntax.lock_markers import names_of

    extras, groups = (names_of(kind, scopes) for kind in ("extra", "group"))
    pip = ["pip", "install", "-r", f"{path}[{','.join(extras)}]" if extras else path]
    pip += [word for group in groups for word in ("--group", f"{path}:{group}")]
    uv = ["uv", "pip", "install", "-r", path]
    uv += [word for extra in extras for word in ("--extra", extra)]
    uv += [word for group in groups for word in ("--group", group)]
    return f"extras and groups are installed only if they are named: {shlex.join(pip)}; or {shlex.join(uv)}"


def _check(text: str, moves: Sequence[Move], arguments: argparse.Namespace, console: Console) -> int:
    """Print how the file would change; with ``--check``, that is an error.

    It is not known whether the file is up to date if its releases are newer than the catalogue, and no index was
    asked for them.
    """
    from difflib import unified_diff

    from torchlock.manifests.text import read_text

    output = arguments.output
    old = read_text(output) if os.path.isfile(output) else ""
    if _without_header(old) == _without_header(text):
        return OK
    unasked = [f"{move.name} {move.old}" for move in moves if move.kind == "unasked"]
    if arguments.check and unasked:
        from torchlock.lock.moves import listed

        console.say(
            "error", f"cannot say whether {output} is up to date: no index was asked for {listed(unasked)}"
        )
        console.say("hint", "run the check without --offline, where the index can be reached")
        return UNUSABLE
    lines = unified_diff(
        _without_header(old).splitlines(keepends=True),
        _without_header(text).splitlines(keepends=True),
        output,
        f"{output} (new)",
    )
    sys.stdout.writelines(map(masked, lines))
    if not arguments.check:
        return OK
    console.say("error", f"{output} is not up to date with its input")
    console.say("hint", "run the same command without --check")
    return FOUND


def _without_header(text: str) -> str:
    """The text without the lines that name the command and the version of torchlock."""
    return re.sub(r"\A# (This file was made by torchlock.*\n#     )?.*\n", "", text.replace("\r\n", "\n"))


def with_wheelhouse(code: int, paths: Sequence[str], arguments: argparse.Namespace, console: Console) -> int:
    """The exit code after the files of new locks were fetched, if --wheelhouse says so.

    Raises:
        TorchlockError: an index or a disk that fails.
    """
    if code != OK or arguments.wheelhouse is None:
        return code
    from torchlock.cli.fetch import fill_wheelhouse

    return fill_wheelhouse(paths, arguments, console)
