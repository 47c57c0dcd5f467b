"""The options of ``torchlock check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_report

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Say why torchaudio does not load in an environment, and the one command that
mends it. Looks at files: nothing of the environment is imported (but see
--probe). Its interpreter is started once, isolated, and asked for its version
and its paths; for an environment that is not trusted, --path starts nothing."""
# Set by the command line alone: configured ones are about what is locked, not about what is installed.
NAMED_ONLY = frozenset(
    {
        "python",
        "path",
        "root",
        "platform",
        "accelerator",
        "system",
        "system-lib",
        "probe",
        "log",
        "export",
        "output",
    }
)
EPILOG = """\
examples:
  torchlock check                                   the active environment
  torchlock check --python .venv/bin/python --probe
  torchlock check --path image/usr/lib/python3/dist-packages --format json
  python -c "import torchaudio" 2>&1 | torchlock check --log -
  torchlock check --export > requirements.in

exit codes: 0 nothing of severity error found, 1 something, 2 wrong use or no such environment
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, but for those that every command has."""
    _add_environment(parser)
    _add_depth(parser)
    _add_report(parser)


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("environment (default: the active one)")
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--python", metavar="PATH", help="its interpreter, the folder of a virtual environment, or 3.11"
    )
    which.add_argument(
        "--path",
        metavar="FOLDER",
        help="a site-packages folder, or an unpacked image, of any platform; nothing is run",
    )
    group.add_argument(
        "--platform",
        metavar="NAME",
        help="its platform, like manylinux_2_31_x86_64 (default: that of its interpreter or libraries)",
    )
    group.add_argument(
        "--accelerator",
        metavar="NAME",
        help="the build that the mending command is to install: pypi, cpu, cu128, … (default: that of its torch)",
    )
    group.add_argument(
        "--root",
        metavar="FOLDER",
        help="the root folder of the Linux or macOS machine that --path is of (default: found from --path)",
    )
    group.add_argument(
        "--system",
        metavar="NAME",
        default="host",
        help="whose libraries count: host, none, or a distribution release, like debian-12 (default: host)",
    )
    group.add_argument(
        "--system-lib",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="a library of the machine, like ffmpeg=6.1 or libsox=none (repeatable)",
    )


def _add_depth(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how far to look")
    add = group.add_argument
    add("--deep", action="store_true", help="compare the hash of every file, too (default: presence and size)")
    add(
        "--probe",
        action="store_true",
        help="also run a smoke test in it: import, resample, load, save",
    )
    add(
        "--probe-seconds",
        metavar="SECONDS",
        type=float,
        default=120.0,
        help="how long the smoke test may take (default: 120)",
    )
    add("--log", metavar="FILE", help="a traceback (- for standard input), to choose among causes by it")


def _add_report(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("report")
    add_report(group)
    add = group.add_argument
    add(
        "--export",
        action="store_true",
        help="write the environment as a requirements file, ready for lock, in place of a report",
    )
