"""Options that several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    Adder = argparse.ArgumentParser | argparse._ArgumentGroup


def add_messages(parser: argparse.ArgumentParser) -> None:
    """How much is said, and in which colour."""
    group = parser.add_argument_group("messages")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    volume.add_argument("-v", "--verbose", action="store_true", help="say every step")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")


def add_build(parser: Adder) -> None:
    """Whether build backends may run."""
    parser.add_argument(
        "--build",
        action="store_true",
        help="where the requirements of a source distribution cannot be read, run its build backend to get them. "
        "This runs code of the package on this machine, with your rights, for at most ten minutes (never for "
        "the torch family; needs torchlock[build])",
    )


def add_target(parser: argparse.ArgumentParser, *, of_files: bool = False) -> None:
    """The target; with ``of_files`` each file says it itself where the command line does not."""
    from torchlock.target import PLATFORMS

    what = "default: what each file declares, else all" if of_files else "what the result must load on"
    group = parser.add_argument_group(f"target ({what})")
    add = group.add_argument
    add(
        "--python",
        metavar="VERSION",
        help="3.11, 3.11.7, 3.13t, or the path of an interpreter, which is run"
        + ("" if of_files else " (default: the running one)"),
    )
    add(
        "--platform",
        metavar="NAME",
        default=None if of_files else "host",
        help=f"host, {', '.join(PLATFORMS)}; or with a floor, like manylinux_2_31_x86_64"
        + ("" if of_files else " (default: host)"),
    )
    add(
        "--accelerator",
        metavar="NAME",
        default="pypi",
        help="which builds: pypi takes "
        + ("those that a file asks for" if of_files else "whatever the public index's own wheels are")
        + " (the only one for now)",
    )
    add(
        "--system",
        metavar="NAME",
        default="none",
        help="a distribution release whose libraries count: debian-12, ubuntu-24.04, macos-homebrew, …, host, "
        "or none (default: none)",
    )
    add(
        "--system-lib",
        metavar="NAME=VERSION",
        action="append",
        default=[],
        help="a library of the target, over --system: ffmpeg=6.1, libsndfile=none, glibc=2.31 (repeatable)",
    )


def add_unproven(add: Callable[..., object]) -> None:
    """Whether to use releases that the data do not cover."""
    add(
        "--unproven",
        action="store_true",
        help="use releases of the torch family even if they are newer than the compatibility data or their build "
        "is unknown; the lock marks them (default: only if the input asks for them with a pin or a bound, or "
        "nothing else satisfies it)",
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Where releases are looked up."""
    group = parser.add_argument_group(
        "sources (default: the bundled catalogue, a dated snapshot; the index is asked for other packages, for "
        "the torch family if the snapshot is older than a day, and before a refusal)"
    )
    add = group.add_argument
    add("-i", "--index-url", metavar="URL", help="ask this index, in place of the bundled catalogue")
    add(
        "--extra-index-url",
        action="append",
        default=[],
        metavar="URL",
        dest="extra_index_urls",
        help="a further index, for names that no earlier source has",
    )
    add("--offline", action="store_true", help="never use the network: only the catalogue and the cache")
    add("--refresh", action="store_true", help="ask the index for every package, those of the catalogue too")
    add("--cache-dir", metavar="DIR", help="where answers of indexes are kept")


def add_report(group: argparse._ArgumentGroup, strict: str = "") -> None:
    """What a report of findings looks like, and what counts; ``strict`` says what --strict is for besides."""
    add = group.add_argument
    add(
        "--format",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="text for people, json, SARIF 2.1.0, or GitHub's annotations (default: text)",
    )
    add("-o", "--output", metavar="FILE", help="write the report here (default: stdout)")
    add("--strict", action="store_true", help=f"warnings count as errors, for the exit code{strict}")
    add(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="leave this rule out, like TL305 (repeatable)",
    )
