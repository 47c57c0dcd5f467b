"""A document as a script: the files that it shows, the commands that it runs, and what they print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$", re.M | re.S)


class Shown(NamedTuple):
    """A command of a document, and the lines that it shows as its output; "…" stands for what was left out."""

    command: str
    output: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """1 if the output shows an error or a conflict."""
        return int(
            any(re.match(r"error: no solution|no build is known|\s+\S+: error TL", line) for line in self.output)
        )


class File(NamedTuple):
    """A file of a document: a block with a title."""

    name: str
    text: str

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")


def steps(text: str) -> Iterator[File | Shown]:
    """The files and the commands of a document, in their order."""
    for block in _BLOCK.finditer(text):
        if block["title"]:
            yield File(block["title"], block["body"])
        elif block["kind"] == "console":
            for part in re.split(r"^\$ ", block["body"], flags=re.M)[1:]:
                command, *output = part.rstrip("\n").split("\n")
                yield Shown(command, tuple(output))


def missing(shown: Sequence[str], printed: str) -> str | None:
    """The first line that is shown and was not printed after the ones before it; None if there is none."""
    lines = iter(printed.splitlines())
    for line in shown:
        if line.strip() in ("", "…"):
            continue
        wanted = re.compile(".*".join(map(re.escape, re.split("…", re.sub(r" +", " ", line.rstrip())))))
        if not any(wanted.fullmatch(re.sub(r" +", " ", each.rstrip())) for each in lines):
            return line
    return None
