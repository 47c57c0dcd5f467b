"""``torchlock fleet``: audit many files, or check many environments, on many processors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.fleet.running import run as run_fleet
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console

_TARGET = ("platform", "accelerator", "gpu", "system", "system_lib", "ignore")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code: 0 if every path has a row, whatever was found.

    Raises:
        InputError: wrong use, or an output that may not be replaced.
    """
    if not arguments.output:
        raise InputError("fleet writes its rows to a file", hint="name it with -o, like rows.jsonl")
    if arguments.scheduler is not None and arguments.workers is not None:
        raise InputError("--scheduler and --workers exclude each other", hint="the cluster has workers of its own")
    command = "check" if arguments.check else "audit"
    if command == "check" and arguments.python:
        raise InputError("--python and --check exclude each other", hint="the Python is that of each environment")
    names = _TARGET if command == "check" else ("python", "docs", *_TARGET)
    options = {name: value for name in names if (value := getattr(arguments, name))}
    summary = run_fleet(
        _paths(arguments),
        arguments.output,
        command=command,
        options=options,
        scheduler=arguments.scheduler,
        workers=arguments.workers or 0,
        batch=arguments.batch,
        on_progress=lambda done, all_: console.progress(f"{command} {done} of {all_}"),
    )
    console.clear()
    for line in summary.lines():
        sys.stdout.write(f"{line}\n")
    console.say("note", summary_line(arguments.output, counted(summary.rows, "row")))
    return 0


def _paths(arguments: argparse.Namespace) -> list[str]:
    """The paths of the command line and of the list.

    Raises:
        InputError: there is none.
    """
    from torchlock.manifests.text import read_text

    found = list(arguments.paths)
    for name in arguments.paths_from:
        found += [line.strip() for line in read_text(name).splitlines() if line.strip()]
    if not found:
        raise InputError(
            "nothing to judge: name files or folders", hint="or a file that lists them: --paths-from FILE"
        )
    return found
