"""The text of a lock: in the format of its output, with the command that made it."""

from __future__ import annotations

from torchlock import __version__
from torchlock.jobs.lock_inputs import is_pylock
from torchlock.records import NamedTuple
from torchlock.redaction import MASK, masked, one_line
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

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
# What a shell takes as it stands.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
_TRANSIENT_WITH_VALUE = {
    *("-P", "--upgrade-package", "--upgrade-group"),
    *("--color", "--cache-dir", "--deadline", "--wheelhouse", "--keyring-provider"),
}


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


def rendered_one(
    result: Lock,
    arguments: argparse.Namespace,
    inputs: Inputs,
    sources: Sources,
    system: System | None,
    matrix: Matrix,
) -> Rendered:
    """The lock of one target, with the JSON that describes it."""

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
    return Rendered(text, len(result.pins), str(result.target), result.moves, describe)


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


def with_kept_parts(rendered: Rendered, arguments: argparse.Namespace, before: str) -> Rendered:
    """A pylock.toml with the keys of other tools that the file had ``before``; any other lock as it is."""
    if not is_pylock(arguments) or not before:
        return rendered
    from torchlock.report.pylock_kept import with_kept_keys

    return rendered._replace(text=with_kept_keys(rendered.text, before))


def page_lines(pages: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines that name the pages of the PyTorch index, if the pins need them."""
    if not pages:
        return []
    from torchlock.index.addresses import redact

    lines = []
    for page, names in pages.items():
        lines += [f"# only from this index: {', '.join(names)}", f"--extra-index-url {redact(page)}"]
    return lines


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
