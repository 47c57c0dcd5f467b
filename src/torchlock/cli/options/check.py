"""The options of ``torchlock check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_report

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Say why torchaudio does not load in an environment, and which command fixes it.
Reads files and imports no package (except with --probe). The interpreter of the
environment is started once, isolated, and asked for its version and paths. Use
--path for an environment that you do not trust: it starts no program."""
# Options that no default sets: configured ones describe the target of lock, not an installed environment.
NAMED_ONLY = frozenset(
    {
        "python",
        "path",
        "root",
        "platform",
        "accelerator",
        "gpu",
        "system",
        "system-lib",
        "probe",
        "log",
        "export",
        "json",
        "report",
        "output",
    }
)
EPILOG = """\
examples:
  torchlock check                                   check the active environment
  torchlock check --python .venv/bin/python --probe
  torchlock check --path image/usr/lib/python3/dist-packages --format json
  python -c "import torchaudio" 2>&1 | torchlock check --log -
  torchlock check --report report.md                write all that an issue needs, in one block
  torchlock check --export > requirements.in

exit codes: 0 no error found, 1 an error was found, 2 wrong use or no such environment
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    _add_environment(parser)
    _add_depth(parser)
    _add_report(parser)


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("environment (default: the active one)")
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--python",
        metavar="PATH",
        help="its interpreter, the folder of a virtual environment, or a version like 3.11",
    )
    which.add_argument(
        "--path",
        metavar="FOLDER",
        help="a site-packages folder, or an unpacked image, of any platform; nothing is run",
    )
    group.add_argument(
        "--platform",
        metavar="NAME",
        help="its platform, like manylinux_2_31_x86_64 (default: from its interpreter or libraries)",
    )
    group.add_argument(
        "--accelerator",
        metavar="NAME",
        help="the build that the proposed command installs: pypi, cpu, cu128, … (default: the build of its torch)",
    )
    group.add_argument(
        "--gpu",
        metavar="NAME",
        help="the GPU on which it must run: a product like 'RTX 4090', its architecture (sm_89, gfx1100, xpu), "
        "none, or host for those of this machine; separate several by commas (default: host; with --path, not "
        "judged)",
    )
    group.add_argument(
        "--root",
        metavar="FOLDER",
        help="the root folder of the Linux or macOS machine that contains --path (default: found from --path)",
    )
    group.add_argument(
        "--system",
        metavar="NAME",
        default="host",
        help="the system whose libraries are used: host, none, or a distribution release like debian-12 "
        "(default: host)",
    )
    group.add_argument(
        "--system-lib",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="the version of a system library, like ffmpeg=6.1 or libsox=none (repeatable)",
    )


def _add_depth(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("depth")
    add = group.add_argument
    add(
        "--deep",
        action="store_true",
        help="also compare the hash of every file (default: only existence and size)",
    )
    add(
        "--probe",
        action="store_true",
        help="also run a smoke test in the environment: import, resample, load, save",
    )
    add(
        "--probe-seconds",
        metavar="SECONDS",
        type=float,
        default=120.0,
        help="the time limit of the smoke test (default: 120)",
    )
    add(
        "--log",
        metavar="FILE",
        help="a traceback or log (- for standard input), to choose between possible causes",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("report")
    add_report(group)
    add = group.add_argument
    add(
        "--report",
        metavar="FILE",
        help="also write one Markdown block for an issue: versions, builds, libraries, findings, the first "
        "failure of the log; secrets are masked (- for standard output, instead of the report)",
    )
    add(
        "--export",
        action="store_true",
        help="write the environment as a requirements file for torchlock lock, instead of a report",
    )
