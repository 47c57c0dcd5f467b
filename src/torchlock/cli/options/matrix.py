"""The options of ``torchlock matrix``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.matrix.values import KINDS, VERDICTS

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Show which releases of torchaudio, torchvision, torchcodec and torchtext load
with which torch, and how that is known: measured (read from the wheels, or
run), declared (metadata or documentation) or reported (a thread). A pair for
which there is no evidence is unknown. The command asks the bundled data, and
never the network.
"""
EPILOG = """\
examples:
  torchlock matrix                                  all companions, for this platform
  torchlock matrix torchcodec "torch>=2.9"          which torchcodec for these releases of torch?
  torchlock matrix torch==2.15.0 torchaudio         what fits torch 2.15.0, and why
  torchlock matrix torchaudio --accelerator cu128 --platform windows-amd64
  torchlock matrix "torch>=2.6" --gpu "RTX 5090" --accelerator all
  torchlock matrix --verdict loads --kind measured --format csv
  torchlock matrix --format html -o matrix.html     one page that judges, without network

exit codes: 0 a cell was found, 1 no cell matches the filters, 2 wrong use
"""
# The table of a project describes its lock; a matrix is filtered only by its own command line.
NAMED_ONLY = frozenset(
    {"python", "platform", "accelerator", "gpu", "driver", "kind", "verdict", "format", "json", "output"}
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    parser.add_argument(
        "requirements",
        nargs="*",
        metavar="REQUIREMENT",
        help='packages and ranges, like torchcodec "torch>=2.9" (default: all releases of all companions)',
    )
    _add_target(parser)
    group = parser.add_argument_group("cells")
    group.add_argument(
        "--kind",
        choices=KINDS,
        action="append",
        default=[],
        help="only cells with this kind of evidence (repeatable)",
    )
    group.add_argument(
        "--verdict",
        choices=VERDICTS,
        action="append",
        default=[],
        help="only cells with this verdict (repeatable)",
    )
    add = parser.add_argument_group("report").add_argument
    add(
        "--format",
        choices=("text", "json", "csv", "html"),
        default="text",
        help="a table of 80 columns; json or csv, one record for each cell; or html, one page that filters, "
        "shows evidence, judges a pasted requirements file or log, and needs no network (default: text)",
    )
    add("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add("-o", "--output", metavar="FILE", help="write the report here (default: standard output)")


def _add_target(parser: argparse.ArgumentParser) -> None:
    from torchlock.target import PLATFORMS

    add = parser.add_argument_group("target").add_argument
    add("--python", metavar="VERSION", help="only releases that install on this Python, like 3.12 (default: any)")
    add(
        "--platform",
        choices=("host", "all", *PLATFORMS),
        default="host",
        metavar="NAME",
        help=f"host, all, {', '.join(PLATFORMS)} (default: host)",
    )
    add(
        "--accelerator",
        metavar="BUILD",
        default="pypi",
        help="pypi: the builds that the public index serves; cpu, cu128 (CUDA 12.8), rocm6.4 or xpu: that build "
        "of the PyTorch index; all: every known build of torch beside every known build of the companion "
        "(default: pypi)",
    )
    add(
        "--gpu",
        metavar="NAME",
        help="also say which builds of torch have code for this GPU: a product like 'RTX 4090', or its "
        "architecture (sm_89, gfx1100, xpu)",
    )
    add("--driver", metavar="VERSION", help="also say which builds this NVIDIA driver runs, like 550.54.14")
