"""Refresh compat_data/releases: what the public package index serves, one JSON file per project.

Begins at the roots (torch, its family, soundfile, librosa) and at what the builds on the PyTorch index require
(compat_data/builds), and follows every declared requirement that can hold on some target, into the releases that
its specifier admits, so that a lock never meets a project it does not know. The form of the files is described in
compat_data/README.md ("A release file").

With ``--new`` the files that are there are taken as they are, and only the projects that they, or the builds, lead
to and that have no file are read. As with ``--only``, DATE stays: it is the date of the oldest answer.

Which wheels are read
    torch, torchaudio, torchvision, torchcodec, torchtext: the metadata of every wheel, for wheels of one
    release declare different things. All others: one for each release, operating system, machine, generation of
    Python (2 or 3) and build number, whose answer stands for its siblings.

How ``build`` is decided (one wheel per release, operating system, machine and build number, standing for its
siblings; a wheel with a build number may well be there because the one without was built wrongly)
    torch: ``cuda``, ``hip`` or ``xpu`` in its own torch/version.py; all None is ``cpu``; no such line is no
    ``build``.
    The others: whether compiled members ask the loader for a CUDA library (DT_NEEDED of ELF files, import
    names of PE files; CUDA does not exist in macOS wheels). Those that do not are ``cpu``, whatever they are
    called. For those that do, the version is, in this order: the local label in their version.py
    (``__version__ = '2.11.0+cu130'``), the version in the name of the CUDA runtime that they ask for, where
    it has one (``libcudart.so.10.2``), the build of the torch release that they pin, ``MEASURED_BUILDS``.
    If none of these tells, or the label says ``cpu``, there is no ``build``. Wheels for any platform have
    none.

A wheel whose hash is in the release file is not read again: the file states what it says (``--afresh`` reads all).
Whatever was read from a wheel is kept under the cache directory, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from compiling.values import TableError
from refreshing.build_needs import needs_of_builds
from refreshing.telling import report, tell
from torchlock.errors import TorchlockError
from torchlock.gathering.asking import Asker
from torchlock.gathering.run import Gathering, gather
from torchlock.gathering.seeds import release_file
from torchlock.gathering.storage import Cache
from torchlock.index import IndexSettings
from torchlock.index.sources import today
from torchlock.knowledge.releases import DATE

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Refresh compat_data/releases from the public package index.")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--only", metavar="NAME", help="refresh this project alone")
    part.add_argument("--new", action="store_true", help="add the projects that have no file; leave the others")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--afresh", action="store_true", help="read also wheels that the release files describe")
    parser.add_argument("--jobs", type=int, default=8, metavar="N", help="requests at a time (default: 8)")
    parser.add_argument("--cache", type=Path, default=root / ".refresh", metavar="DIR")
    parser.add_argument("--output", type=Path, default=root / "compat_data" / "releases", metavar="DIR")
    parser.add_argument("--builds", type=Path, default=root / "compat_data" / "builds", metavar="DIR")
    parser.add_argument("--index", default=PYPI_SIMPLE_ENDPOINT, metavar="URL", help="simple API to ask")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 if --check found a difference, 2 if the index or a table could not be read."""
    options = parse_arguments(argv)
    only = canonicalize_name(options.only) if options.only else None
    asker = Asker(IndexSettings(options.index), options.cache / "index")
    seeds = None if options.afresh else partial(release_file, options.output)
    try:
        needs = needs_of_builds(options.builds)
        run = Gathering(asker, Cache(options.cache), max(1, options.jobs), needs, seeds, tell)
        changed = gather(run, options.output, only, new=options.new, dry=options.check)
    except (TableError, TorchlockError) as error:
        tell(f"error: {error}\nhint: run again to go on; what was read is kept")
        return 2
    if not (only or options.new or options.check):
        (options.output / DATE).write_text(f"{today()}\n", encoding="ascii")
    report(run, changed, options.output)
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
