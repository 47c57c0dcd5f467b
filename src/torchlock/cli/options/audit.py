"""The options of ``torchlock audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_report, add_target

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Find what of requirements and lock files will not load, why, on which line, and
the smallest change that mends it. Reads requirements and constraints files,
pyproject.toml, setup.cfg, setup.py, Pipfile, environment.yml, pixi.toml,
tox.ini, cog.yaml, pylock.toml, the locks of poetry, uv, pdm, pipenv, pixi and
conda, inline script metadata, and the install commands in Dockerfiles, scripts
of any shell, Makefiles, notebooks, noxfiles and CI workflows. A file in another
format is reported as not read.
"""
# Set by the command line alone: a configured one is the lock's.
NAMED_ONLY = frozenset({"output"})
EPILOG = """\
examples:
  torchlock audit                                  what the current folder has
  torchlock audit requirements.txt pyproject.toml
  torchlock audit -R . --format sarif -o torchlock.sarif
  torchlock audit requirements.txt --diff          show the smallest change that mends it
  torchlock audit requirements.txt --fix           and make it

To ignore a finding, add a comment to its line: # torchlock: ignore[TL101] reason

exit codes: 0 nothing of severity error (--strict: nor warning), 1 something, 2 a file that cannot be read
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, but for those that every command has."""
    group = parser.add_argument_group("input (default: what the current folder has)")
    add = group.add_argument
    add("files", nargs="*", metavar="FILE", help="a file, a folder, or - for standard input")
    add("-R", "--recursive", action="store_true", help="look into the folders of folders too")
    add(
        "--stdin-name",
        metavar="NAME",
        default="requirements.txt",
        help="what the file on standard input is called, which tells its dialect (default: requirements.txt)",
    )
    add_target(parser, of_files=True)
    findings = parser.add_argument_group("findings")
    add_report(findings, " and for --fix")
    add = findings.add_argument
    add("--fix", action="store_true", help="change the fewest lines that make each file clean, and nothing else")
    add("--diff", action="store_true", help="show what --fix would do, and do nothing")
