"""Compare ``torchlock.standards.headers`` with the standard library's ``email`` on every metadata text in a cache.

    python scripts/compare_headers.py                torchlock's own cache
    python scripts/compare_headers.py FOLDER         another one

Each header of each text must have the same value in both; so must the text after the headers begin at the same
place. Prints what differs, then the counts. Ends with 1 if anything differs, or if there was nothing to compare.
"""

from __future__ import annotations

import argparse
import sys
from email.parser import HeaderParser
from email.policy import compat32
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.index.cache import default_folder
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Iterator


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """The metadata texts that a cache holds, each with the name of its entry."""
    for path in sorted(folder.glob("metadata-v*/*/*")):
        _, _, body = path.read_bytes().partition(b"\n")
        yield f"{path.parent.name}{path.name}", body.decode("utf-8", "replace")


def by_email(text: str) -> tuple[dict[str, list[str]], str]:
    """The headers as ``email`` reads them, by lower-case name, and the text after them."""
    message = HeaderParser(policy=compat32).parsestr(text)
    fields: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        fields.setdefault(name.lower(), []).append(str(value))
    return fields, str(message.get_payload())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder(), help="the cache to read")
    options = parser.parse_args()
    count = headers = different = 0
    for name, text in texts(options.folder):
        ours = read_headers(text)
        theirs, body = by_email(text)
        count += 1
        headers += sum(map(len, theirs.values()))
        for field in sorted(ours.fields.keys() | theirs.keys()):
            if ours.fields.get(field) != theirs.get(field):
                different += 1
                print(f"{name}: {field}: {ours.fields.get(field)!r}, email reads {theirs.get(field)!r}")
        rest = text[ours.end :]
        if body not in (rest, rest.partition("\n")[2]):
            different += 1
            print(f"{name}: the text after the headers begins elsewhere")
    print(f"{count} texts, {headers} headers, {different} differences")
    return 1 if different or not count else 0


if __name__ == "__main__":
    sys.exit(main())
