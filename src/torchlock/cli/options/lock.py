"""The options of ``torchlock lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_build, add_sources, add_target, add_unproven

if TYPE_CHECKING:
    import argparse

DESCRIPTION = (
    "Pin and hash what some requirements come to on one target, by metadata and by what metadata does not say."
)
EPILOG = """\
examples:
  torchlock lock torchaudio soundfile -o requirements.txt
  torchlock lock -r requirements.in --python 3.12 --platform linux-x86_64 -o requirements.txt
  torchlock lock --system debian-12 -o requirements.txt     (./pyproject.toml or ./requirements.in)
  torchlock lock -r requirements.in -o requirements.txt --check

exit codes: 0 locked, 1 no solution (or --check found a difference), 2 input that cannot be used
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, but for those that every command has."""
    _add_inputs(parser)
    add_target(parser)
    _add_choice(parser)
    add_sources(parser)
    _add_output(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input (default: ./pyproject.toml or ./requirements.in)")
    group.add_argument("requirements", nargs="*", metavar="REQUIREMENT", help='like "torch>=2.4" torchaudio')
    add = group.add_argument
    add(
        "-r",
        "--requirement",
        action="append",
        default=[],
        metavar="FILE",
        dest="files",
        help="a file of requirements or of a project (requirements.txt, pyproject.toml, Pipfile, …); - for stdin; "
        "the pins of another tool's lock (uv.lock, …) are kept",
    )
    add(
        "-c",
        "--constraint",
        action="append",
        default=[],
        metavar="FILE",
        dest="constraints",
        help="limit versions without asking for packages",
    )
    add(
        "--override",
        action="append",
        default=[],
        metavar="FILE",
        dest="overrides",
        help="replace every requirement on the packages named in this file",
    )
    add("--extra", action="append", default=[], metavar="NAME", dest="extras", help="an extra of the project")
    add("--all-extras", action="store_true", help="every extra of the project")
    add("--group", action="append", default=[], metavar="NAME", dest="groups", help="a dependency group (PEP 735)")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("choice of versions")
    add = group.add_argument
    add("-U", "--upgrade", action="store_true", help="forget the pins of the existing output file")
    add(
        "-P",
        "--upgrade-package",
        action="append",
        default=[],
        metavar="NAME[==VERSION]",
        dest="upgrade_packages",
        help="forget this pin of the existing output file, or set it to a version",
    )
    add("--pre", action="store_true", help="let pre-releases count")
    add_unproven(add)
    add(
        "--prefer",
        choices=("highest", "lowest"),
        default="highest",
        help="lowest: the oldest of what the input names, the rest as new as that allows (default: highest)",
    )
    add("--exclude-newer", metavar="DATE", help="as if nothing had been uploaded from this day or time on (UTC)")
    add_build(group)
    add(
        "--allow-sdist",
        action="store_true",
        help="this is the default now: where no wheel installs, use a source distribution whose "
        "requirements can be read without running it (never for the torch family)",
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    add = group.add_argument
    add(
        "-o",
        "--output",
        metavar="FILE",
        help="write here; its pins are kept as long as they work (default: stdout)",
    )
    add(
        "--format",
        choices=("requirements", "pylock"),
        help="pip's requirements dialect, or pylock.toml (PEP 751), for which the index must be asked where its "
        "files lie (default: what the name given with -o says)",
    )
    add("--no-hashes", action="store_true", help="leave the hashes out")
    add("--no-annotate", action="store_true", help="leave out what asked for each package")
    add("--json", action="store_true", help="describe the solution as JSON on standard output")
    add("--check", action="store_true", help="write nothing; exit 1 and show the difference if -o would change")
    add("--dry-run", action="store_true", help="write nothing; show what would be written")
