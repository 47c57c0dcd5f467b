"""Write a lock: the text in its format, to a file or standard output, or the difference for ``--check``."""

from __future__ import annotations

import os
import re
import sys

from torchlock import __version__
from torchlock.cli.exit_codes import FOUND, OK, UNUSABLE
from torchlock.cli.lock_changes import LockChanges
from torchlock.cli.lock_inputs import is_pylock, refuse_output
from torchlock.cli.streams import write_whole
from torchlock.records import NamedTuple
from torchlock.redaction import MASK, masked, one_line
from torchlock.report.summary import counted, summary_line
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from torchlock.cli.existing_lock import ExistingLock
    from torchlock.cli.streams import Console
    from torchlock.index.sources import Sources
    from torchlock.knowledge.rules import Matrix
    from torchlock.knowledge.systems import System
    from torchlock.lock import Lock
    from torchlock.lock.model import Move
    from torchlock.terms import Inputs

# Options that do not change the result: the command in the lock omits them.
_TRANSIENT = {
    "-U",
    "--upgrade",
    "--check",
    "--diff",
    "--dry-run",
    "-q",
    "--quiet",
    "-v",
    "--verbose",
    "--refresh",
    "--json",
}
_TRANSIENT_WITH_VALUE = {
    *("-P", "--upgrade-package", "--upgrade-group"),
    *("--color", "--cache-dir", "--deadline", "--wheelhouse"),
}
# What a shell takes as it stands.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")


class Rendered(NamedTuple):
    """The text of one output file, and what is said about it.

    ``moves`` say why packages changed; ``for_what`` names the target, or says how many there are. ``describe``
    gets the changes in this file, and returns the JSON of the run; "" if that is written later.
    """

    text: str
    pins: int
    for_what: str
    moves: tuple[Move, ...]
    describe: Callable[[Sequence[dict[str, Any]] | None], str]


def write_one(
    result: Lock,
    arguments: argparse.Namespace,
    inputs: Inputs,
    sources: Sources,
    system: System | None,
    matrix: Matrix,
    console: Console,
    existing: ExistingLock,
) -> int:
    """Write the lock of one target, and return the exit code."""

    def describe(changes: Sequence[dict[str, Any]] | None) -> str:
        from torchlock.report import lock_json

        return lock_json.render(
            result,
            indexes=sources.indexes,
            notes=[*result.notes, *sources.notes],
            data_date=matrix.date,
            version=__version__,
            update=matrix.update,
            changes=changes,
        )

    text = render_one(result, arguments, inputs, sources, system, matrix)
    rendered = Rendered(text, len(result.pins), str(result.target), result.moves, describe)
    return write(rendered, arguments, inputs, console, existing)


def write(
    rendered: Rendered, arguments: argparse.Namespace, inputs: Inputs, console: Console, existing: ExistingLock
) -> int:
    """Write a lock to its file or to standard output, report what changed, and return the exit code."""
    text = rendered.text
    if is_pylock(arguments) and existing.text:
        from torchlock.report.pylock_kept import with_kept_keys

        text = with_kept_keys(text, existing.text)
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
            console.say("note", _parts(arguments.output, inputs.scopes))
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


def hashed(result: Lock, arguments: argparse.Namespace, sources: Sources) -> Lock:
    """The lock with hashes that installers accept; files are fetched only if the lock shall have hashes."""
    from torchlock.answers import Unknown
    from torchlock.lock import with_hashes

    if (arguments.no_hashes or arguments.emit) and not is_pylock(arguments):
        return with_hashes(result, lambda file: Unknown("--no-hashes"))
    return with_hashes(result, sources.sha256)


def render_one(
    result: Lock,
    arguments: argparse.Namespace,
    inputs: Inputs,
    sources: Sources,
    system: System | None,
    matrix: Matrix,
) -> str:
    """The text of the lock of one target."""
    command = command_of(arguments.argv)
    if arguments.emit:
        from torchlock.lock.joined import join
        from torchlock.report.emit import render
        from torchlock.report.emit.subject import Subject

        options = [*sources.option_lines, *page_lines(result.pages)]
        builds = {result.target.accelerator: join([result], one_address=True)}
        return render(arguments.emit, Subject(builds, command, matrix.date, options, system))
    if is_pylock(arguments):
        from torchlock.report import pylock_toml

        return pylock_toml.render(
            result,
            address=sources.address,
            command=command,
            data_date=matrix.date,
            update=matrix.update,
            scopes=inputs.scopes,
        )
    from torchlock.report import requirements_txt

    return requirements_txt.render(
        result,
        command=command,
        data_date=matrix.date,
        update=matrix.update,
        system=system,
        options=[*sources.option_lines, *page_lines(result.pages)],
        hashes=not arguments.no_hashes,
        annotate=not arguments.no_annotate,
    )


def page_lines(pages: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines that name the pages of the PyTorch index, if the pins need them."""
    if not pages:
        return []
    from torchlock.index.addresses import redact

    lines = []
    for page, names in pages.items():
        lines += [f"# only from this index: {', '.join(names)}", f"--extra-index-url {redact(page)}"]
    return lines


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


def command_of(argv: list[str]) -> str:
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
    return one_line(" ".join(["torchlock", *map(_quoted, kept)]))


def _quoted(word: str) -> str:
    """A word of a command for a shell."""
    if word and _PLAIN.issuperset(word):
        return word
    import shlex

    return shlex.quote(word)


def with_wheelhouse(code: int, paths: Sequence[str], arguments: argparse.Namespace, console: Console) -> int:
    """The exit code after the files of new locks were fetched, if --wheelhouse says so.

    Raises:
        TorchlockError: an index or a disk that fails.
    """
    if code != OK or arguments.wheelhouse is None:
        return code
    from torchlock.cli.fetch import fill_wheelhouse

    return fill_wheelhouse(paths, arguments, console)
