"""``torchlock lock``: read, solve, write."""

from __future__ import annotations

from torchlock.cli.exit_codes import FOUND, OK
from torchlock.cli.lock_output import with_wheelhouse, write
from torchlock.cli.lock_usage import check_usage, refuse_output
from torchlock.jobs.lock import ask, locked
from torchlock.jobs.lock_parts import parted
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code, which is the worst of all files.

    Raises:
        TorchlockError: input that cannot be used, or an index that fails.
    """
    check_usage(arguments, console)
    return max([_written(each, console) for each in parted(arguments)])


def _written(arguments: argparse.Namespace, console: Console) -> int:
    """Lock one choice of extras and groups, and write its files."""
    asked = ask(arguments, console)
    inputs = asked.common.inputs
    for file in asked.files:
        refuse_output(file.arguments, inputs)
    found = locked(asked, console)
    if not found.files:
        return FOUND
    code = max([OK, *(write(file, inputs, asked.alternatives, console) for file in found.files)])
    if found.describe is not None and arguments.json and not (arguments.check or arguments.diff):
        from torchlock.cli.streams import write_whole

        write_whole(found.describe(), console)
    return with_wheelhouse(code, [file.arguments.output or "" for file in found.files], asked.arguments, console)
