"""The options of ``torchlock audit``."""

from __future__ import annotations

from torchlock.cli.options.shared import add_report, add_target
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Find requirements that will not load. For each one, report the line, the reason
and the smallest fix. Reads requirements and constraints files, pyproject.toml,
setup.cfg, setup.py, Pipfile, environment.yml, pixi.toml, tox.ini, cog.yaml,
pylock.toml, the locks of poetry, uv, pdm, pipenv, pixi and conda, inline script
metadata, and the install commands in Dockerfiles, shell scripts, Makefiles,
notebooks, noxfiles and CI workflows. A file in another format is reported as
not read.
"""
# Options that no default sets: a configured output is the output of lock.
NAMED_ONLY = frozenset({"json", "output"})
EPILOG = """\
examples:
  torchlock audit                                  audit the files in the current folder
  torchlock audit requirements.txt pyproject.toml
  torchlock audit requirements.txt --python 3.12 --platform linux-x86_64
  torchlock audit requirements.txt --diff          show the smallest fix
  torchlock audit requirements.txt --fix           apply it
  torchlock audit -R . --format sarif -o torchlock.sarif     for GitHub code scanning

To ignore a finding, add a comment to its line: # torchlock: ignore[TL101] reason

exit codes: 0 no error found (with --strict, no warning either), 1 an error was found, 2 a file cannot be read
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    group = parser.add_argument_group("input (default: the files in the current folder)")
    add = group.add_argument
    add("files", nargs="*", metavar="FILE", help="a file, a folder, or - for standard input")
    add("-R", "--recursive", action="store_true", help="also read the files in subfolders")
    add("--docs", action="store_true", help="also read the install commands in Markdown and rst files")
    add(
        "--stdin-name",
        metavar="NAME",
        default="requirements.txt",
        help="the name of the file on standard input, which decides its format (default: requirements.txt)",
    )
    add_target(parser, of_files=True)
    findings = parser.add_argument_group("findings")
    add_report(findings, " and for --fix")
    add = findings.add_argument
    add("--fix", action="store_true", help="apply the fixes: change as few lines as possible, and nothing else")
    add("--diff", action="store_true", help="show what --fix would change, and change nothing")
