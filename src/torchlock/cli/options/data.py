"""The options of ``torchlock data``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.cli.options.shared import add_keyring

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Say how new the compatibility data are, and update them between releases of
torchlock. The bundled data stay as they are; an update is kept in the data
folder of this user, and lock, audit, check and explain use both.

  status   say which data are used, and what an update added (the default)
  update   read newer releases of the stack from the index, from their own
           wheels; or use a bundle with --from
  export   write the update into a file, for machines without an index
  reset    remove the update
"""
EPILOG = """\
A new release of the torch family is unproven until its wheels show what it works
with. An update is ignored if another version of this program made it, or if a
file of it is damaged.

examples:
  torchlock data
  torchlock data update
  torchlock data export data.zip
  torchlock data update --from data.zip --sha256 9f86d081884c7d65…

exit codes: 0 done, 2 wrong use, or the index or the bundle cannot be read
"""
# A project must not decide what its user's data are, nor a variable that is meant for another command.
NAMED_ONLY = frozenset({"from-index", "from", "sha256", "everything", "index-url", "json"})
ACTIONS = ("status", "update", "export", "reset")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command, without those that all commands share."""
    add = parser.add_argument
    add("action", nargs="?", choices=ACTIONS, default="status", help="what to do (default: status)")
    add("file", nargs="?", metavar="FILE", help="with export: the file to write")
    add("--json", action="store_true", help="describe the data as JSON on standard output")
    group = parser.add_argument_group("update")
    add = group.add_argument
    source = group.add_mutually_exclusive_group()
    source.add_argument("--from-index", action="store_true", help="ask the index (the default)")
    source.add_argument("--from", dest="bundle", metavar="FILE|URL", help="use a bundle that export wrote")
    add("--sha256", metavar="DIGEST", help="the SHA-256 of the bundle; required with --from")
    add("--everything", action="store_true", help="ask for every project of the data, not for the stack alone")
    add(
        "--index-url",
        metavar="URL",
        help="the index to ask (default: that of pip's and uv's settings of this user, else the public index)",
    )
    add("--cache-dir", metavar="DIR", help="the folder for cached answers of indexes")
    add_keyring(add)
