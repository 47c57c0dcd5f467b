"""The options of ``torchlock fleet``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Audit tens of thousands of files, or check as many environments, and write a row
for each: what was found, the content's hash, the date, and the versions of
torchlock and of its data. The work is done in this process, in several local
processes, or on a Dask cluster. A path that fails gives a row with the reason. A
run that was interrupted continues; a row is kept while content, options and
versions are the same.
"""
EPILOG = """\
examples:
  torchlock fleet repositories/ -o rows.jsonl
  torchlock fleet repositories/ -o rows.parquet --workers 8
  torchlock fleet --paths-from list.txt -o rows.parquet --scheduler tcp://10.0.0.1:8786
  torchlock fleet --check images/*/ -o images.jsonl --workers 4     unpacked images; nothing in them is run

exit codes: 0 every path has a row, whatever was found, 2 wrong use
"""
NAMED_ONLY = frozenset(
    {
        *("python", "platform", "accelerator", "gpu", "system", "system-lib", "ignore", "docs"),
        *("check", "paths-from", "output", "scheduler", "workers", "batch"),
    }
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    add = parser.add_argument_group("input").add_argument
    add("paths", nargs="*", metavar="PATH", help="a file, or a folder, of which all files are audited")
    add(
        "--paths-from",
        action="append",
        default=[],
        metavar="FILE",
        help="a text file with a path on each line, or - for standard input (repeatable)",
    )
    add("--check", action="store_true", help="each path is a folder of packages or an unpacked image: check it")
    add("--docs", action="store_true", help="also read the install commands in Markdown and rst files")
    add = parser.add_argument_group("target (as for audit; with --check, as for check)").add_argument
    for name, metavar, what in (
        ("python", "VERSION", "the Python for which files are judged"),
        ("platform", "NAME", "the platform"),
        ("accelerator", "BUILD", "the build, like cpu or cu128"),
        ("gpu", "NAME", "the GPU"),
        ("system", "NAME", "the system whose libraries are used"),
    ):
        add(f"--{name}", metavar=metavar, help=what)
    add(
        "--system-lib",
        action="append",
        default=[],
        metavar="NAME=VERSION",
        help="the version of a system library (repeatable)",
    )
    add("--ignore", action="append", default=[], metavar="RULE", help="ignore this rule (repeatable)")
    add = parser.add_argument_group("work (default: in this process)").add_argument
    add("--workers", type=int, metavar="N", help="so many local processes (needs torchlock[fleet])")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="the scheduler of a Dask cluster (needs torchlock[fleet])",
    )
    add("--batch", type=int, default=50, metavar="N", help="how many paths a worker gets at once (default: 50)")
    add = parser.add_argument_group("output").add_argument
    add("-o", "--output", metavar="FILE", help="the rows: .jsonl or .parquet (which needs torchlock[fleet])")
