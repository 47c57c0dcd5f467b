"""The options of ``torchlock lock``."""

from __future__ import annotations

from torchlock.cli.options.shared import add_base, add_build, add_sources, add_target, add_unproven
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Resolve requirements into a pinned, hashed lock that loads on one target, or on
each of many. Uses wheel metadata, and rules for the facts that wheel metadata
omits.
"""
_MANY = """\
Each target is solved and judged by itself. One requirements file or pylock.toml
holds all of them, with environment markers. What no marker can say (cpu or
cu128, two C libraries) needs a file for each: -o 'requirements-{accelerator}.txt';
{python}, {platform} and {target} are replaced in the same way."""
# What is fetched is about one run.
NAMED_ONLY = frozenset({"wheelhouse"})
EPILOG = """\
examples:
  torchlock lock torchaudio soundfile -o requirements.txt
  torchlock lock --system debian-12 -o requirements.txt        lock ./pyproject.toml or ./requirements.in
  torchlock lock -r requirements.in --python 3.12 --platform linux-x86_64 -o requirements.txt
  torchlock lock -r pyproject.toml --extra audio --group test -o pylock.toml
  torchlock lock -r requirements.in -o requirements.txt -P torch      update torch, keep other pins
  torchlock lock -r requirements.in -o requirements.txt -U --diff     what would an upgrade of all change?
  torchlock lock -r requirements.in -o requirements.txt --wheelhouse wheels     for a machine without a network
  torchlock lock -r requirements.in -o requirements.txt --check       in CI: is the lock up to date?
  torchlock lock torchaudio librosa --base-image pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime
  torchlock lock torchaudio librosa --constraint-from .venv          keep what is installed there
  torchlock lock -r requirements.in --python 3.11-3.13 --platform linux-x86_64 --platform macos-arm64
  torchlock lock -r requirements.in --accelerator cpu --accelerator cu128 -o 'requirements-{accelerator}.txt'
  torchlock lock torch torchaudio --system-lib cuda-driver=550.54     for a machine with this driver

exit codes: 0 locked, 1 no solution (or --check found a difference), 2 input that cannot be used
"""


def add_options(parser: argparse.ArgumentParser, requirements: str = 'like "torch>=2.4" torchaudio') -> None:
    """Add the arguments of the command, but for those that every command has.

    ``requirements`` is the help of the requirements on the command line.
    """
    _add_inputs(parser, requirements)
    add_target(parser, many=True)
    _add_targets(parser)
    add_base(parser)
    _add_choice(parser)
    add_sources(parser)
    _add_output(parser)


def _add_targets(parser: argparse.ArgumentParser) -> None:
    """One lock for many targets."""
    group = parser.add_argument_group("many targets (default: each combination of the values above)", _MANY)
    add = group.add_argument
    add("--universal", action="store_true", help="every supported Python of the project, on every platform")
    add(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        dest="targets",
        help="lock for this target of [[tool.torchlock.target]] in the project (repeatable; default: for all of "
        "them, unless other options state the target)",
    )
    add(
        "--fork",
        choices=("fewest", "python", "newest"),
        default="python",
        help="which versions targets have in common, where that costs no target a working set: python: those of "
        "the same Python; fewest: all; newest: none, each has its newest set (default: python)",
    )
    add("--partial", action="store_true", help="leave out the targets that have no solution, and say which")


def _add_inputs(parser: argparse.ArgumentParser, requirements: str) -> None:
    group = parser.add_argument_group("input (default: ./pyproject.toml or ./requirements.in)")
    group.add_argument("requirements", nargs="*", metavar="REQUIREMENT", help=requirements)
    add = group.add_argument
    add(
        "-r",
        "--requirement",
        action="append",
        default=[],
        metavar="FILE",
        dest="files",
        help="a requirements or project file (requirements.txt, pyproject.toml, Pipfile, environment.yml, …), or "
        "- for standard input; also the lock of another tool (uv.lock, …), whose pins are kept (repeatable)",
    )
    add(
        "-c",
        "--constraint",
        action="append",
        default=[],
        metavar="FILE",
        dest="constraints",
        help="limit versions of packages that something else requires",
    )
    add(
        "--override",
        action="append",
        default=[],
        metavar="FILE",
        dest="overrides",
        help="replace all requirements on the packages in this file, also those of other packages",
    )
    _add_project(group)


def _add_project(group: argparse._ArgumentGroup) -> None:
    """Which parts of a project are locked."""
    add = group.add_argument
    add(
        "--extra",
        action="append",
        default=[],
        metavar="NAME",
        dest="extras",
        help="also lock this extra of the project (repeatable)",
    )
    add("--all-extras", action="store_true", help="also lock all extras of the project")
    add(
        "--group",
        action="append",
        default=[],
        metavar="NAME",
        dest="groups",
        help="also lock this dependency group (PEP 735) of the project (repeatable)",
    )
    add("--all-groups", action="store_true", help="also lock all dependency groups of the project")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("choice of versions")
    add = group.add_argument
    add("-U", "--upgrade", action="store_true", help="ignore the pins of the existing output file")
    add(
        "-P",
        "--upgrade-package",
        action="append",
        default=[],
        metavar="NAME[==VERSION]",
        dest="upgrade_packages",
        help="ignore this pin of the existing output file, or set it: -P torch, -P torch==2.8.0 (repeatable)",
    )
    add(
        "--upgrade-group",
        action="append",
        default=[],
        metavar="NAME",
        dest="upgrade_groups",
        help="as -P, for all packages that this dependency group of the project lists (repeatable)",
    )
    add("--pre", action="store_true", help="allow pre-releases")
    add_unproven(add)
    add(
        "--prefer",
        choices=("highest", "lowest"),
        default="highest",
        help="lowest: the oldest release of each package in the input, to test lower bounds; the newest of their "
        "dependencies (default: highest)",
    )
    add(
        "--exclude-newer",
        metavar="DATE",
        help="ignore files uploaded on or after this day or time (UTC), like 2025-03-31",
    )
    add_build(group)
    add(
        "--allow-sdist",
        action="store_true",
        help="no effect; now the default: if no wheel installs, use a source distribution whose "
        "requirements can be read without running it (never for the torch family)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    from torchlock.report.emit import FORMS

    group = parser.add_argument_group("output")
    add = group.add_argument
    add(
        "-o",
        "--output",
        metavar="FILE",
        help="write the lock here, and keep the pins of this file as long as they work (default: standard output)",
    )
    add(
        "--format",
        choices=("requirements", "pylock"),
        help="requirements: a requirements file for pip; pylock: pylock.toml (PEP 751), which contains the URLs "
        "of the files, so the index is asked for them (default: from the file name of -o)",
    )
    add(
        "--emit",
        choices=FORMS,
        metavar="TOOL",
        help="instead of a lock, write its versions and indexes for another tool: constraints (for pip and uv); "
        "uv, poetry or pdm (tables for pyproject.toml); conda (environment.yml); docker (lines of a Dockerfile); "
        "renovate (packageRules)",
    )
    add(
        "--builds-by",
        choices=("file", "index"),
        default="file",
        help="how the lock names the files of --accelerator: file: the address of each file, which pip and uv "
        "obey; index: versions with labels, and the index as --extra-index-url (default: file)",
    )
    add(
        "--wheelhouse",
        metavar="DIR",
        help="also fetch every file of the lock into this folder, to install without a network (torchlock fetch)",
    )
    add("--no-hashes", action="store_true", help="omit the hashes")
    add("--no-annotate", action="store_true", help="omit the comments that say why each package is there")
    add("--json", action="store_true", help="describe the solution as JSON on standard output")
    add("--check", action="store_true", help="write nothing; exit 1 and show the difference if -o would change")
    add("--dry-run", action="store_true", help="write no file; show the lock on standard output")
    add(
        "--diff",
        action="store_true",
        help="write no file; show the difference to -o on standard output, for patch",
    )
