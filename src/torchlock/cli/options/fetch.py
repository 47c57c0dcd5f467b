"""The options of ``torchlock fetch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_keyring

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Bring every file of a lock into a folder, from which pip and uv install without
a network. A lock is a requirements file with hashes, or a pylock.toml. Each
file is compared with its hash while it arrives; a file with another hash is not
kept. An interrupted run continues where it stopped.

The folder has the files themselves (for --find-links), a simple index in files
(simple/, for --index-url), and the lock without addresses of servers:
requirements-offline.txt, or pylock.offline.toml.
"""
# A configured output is the output of lock, and a configured target that of one lock.
NAMED_ONLY = frozenset({"output", "python", "platform", "json", "dry-run"})
EPILOG = """\
examples:
  torchlock fetch requirements.txt                     into ./wheelhouse
  torchlock fetch pylock.toml -o /media/usb/wheels
  torchlock fetch requirements.txt --python 3.12 --platform linux-x86_64 --platform macos-arm64
  torchlock fetch requirements.txt --dry-run           show the files and their sizes

then, on the machine without a network:
  pip install -r wheelhouse/requirements-offline.txt
  uv pip install -r wheelhouse/requirements-offline.txt

exit codes: 0 all files are there; 1 a file is gone, has another hash, or a target has no file; 2 wrong use, or the
network or the disk failed; 130 interrupted, and the same command continues
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    add = parser.add_argument
    add(
        "locks",
        nargs="*",
        metavar="LOCK",
        help="a requirements file with hashes, or a pylock.toml (default: ./pylock.toml or ./requirements.txt)",
    )
    add("-o", "--output", metavar="DIR", default="wheelhouse", help="the folder (default: wheelhouse)")
    add("--dry-run", action="store_true", help="bring nothing; show the files, their sizes and addresses")
    add("--json", action="store_true", help="describe the files as JSON on standard output")
    add = parser.add_argument_group("targets (default: all files of the lock)").add_argument
    add(
        "--python",
        action="append",
        default=[],
        metavar="VERSION",
        help="only the files that this Python takes, like 3.12, or 3.10-3.13 for four (repeatable; default: the "
        "running Python, if --platform is given)",
    )
    add(
        "--platform",
        action="append",
        default=[],
        metavar="NAME",
        help="only the files that this platform takes, like linux-x86_64 or manylinux_2_28_x86_64 (repeatable; "
        "default: host, if --python is given)",
    )
    add = parser.add_argument_group(
        "sources of files (default: the indexes of the lock, of pip and of uv)"
    ).add_argument
    add("-i", "--index-url", metavar="URL", help="the index to use instead of the index of the lock")
    add(
        "--extra-index-url",
        action="append",
        default=[],
        metavar="URL",
        dest="extra_index_urls",
        help="another index, which is asked first (repeatable)",
    )
    add("--offline", action="store_true", help="never use the network: use only files of this machine")
    add("--cache-dir", metavar="DIR", help="the folder for cached answers of indexes")
    add_keyring(add)
