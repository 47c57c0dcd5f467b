"""The options of ``torchlock diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_target

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Show what changed between two locks: packages, versions, markers and files; what
this means for builds, NVIDIA drivers, GPUs and Pythons; and which errors and
warnings of torchlock audit are new or fixed. The locks may be of different
tools: requirements.txt, pylock.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock.
The command reads only the two files, and never asks an index.
"""
EPILOG = """\
examples:
  torchlock diff old.txt requirements.txt
  git show main:uv.lock | torchlock diff - uv.lock --old-name uv.lock
  torchlock diff poetry.lock uv.lock --platform linux-x86_64     did the move to uv change anything?
  torchlock diff old.txt requirements.txt --format markdown       for a comment on a pull request
  torchlock diff old.txt requirements.txt --exit-code             in a script: 1 if anything differs

exit codes: 0 compared, 1 with --exit-code if a package differs, 2 input that cannot be used
"""
NAMED_ONLY = frozenset({"old-name", "new-name", "format", "json", "exit-code"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    add = parser.add_argument_group("locks").add_argument
    add("old", nargs="?", metavar="OLD", help="the lock before, or - for standard input")
    add("new", nargs="?", metavar="NEW", help="the lock after, or - for standard input")
    for which in ("old", "new"):
        add(
            f"--{which}-name",
            metavar="NAME",
            help=f"the file name of {which.upper()}, which says its format, if it is standard input: uv.lock",
        )
    add_target(parser, of_files=True)
    add = parser.add_argument_group("report").add_argument
    add(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="text for people, json for programs, markdown for a pull request (default: text)",
    )
    add("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add("--exit-code", action="store_true", help="exit with 1 if a package differs, like git diff")
    add(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="ignore this rule, like TL305 (repeatable); torchlock explain TL305 describes it",
    )
    parser.set_defaults(docs=False)
