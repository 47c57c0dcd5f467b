#!/usr/bin/env python3
"""Run commands in a pseudo-terminal, and draw what they print as an animated SVG for the README.

    record_terminal.py FOLDER    run the commands in a folder, write docs/assets/terminal.svg
    record_terminal.py --check   run nothing; exit 1 if the picture is not one of these commands

FOLDER is a project with a virtual environment, .venv, that has torch 2.13.0+cpu and torchaudio 2.11.0 of PyPI. The
picture has no script and loads nothing. It follows the light or dark colours of the reader, and stands still for a
reader who asks for less motion.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree  # reads the picture that this script wrote
from xml.sax.saxutils import escape

PICTURE = Path(__file__).parents[1] / "docs" / "assets" / "terminal.svg"
COMMANDS = (
    "python -c 'import torchaudio' 2>&1 | tail -n 1",
    "torchlock check | head -n 6",
    "torchlock lock torch==2.9.1 torchaudio --python 3.12 --platform linux-x86_64 -o requirements.txt",
    "grep ^torch requirements.txt",
)
LIMIT = 60_000  # bytes
_COLUMNS, _ROWS, _HEIGHT = 116, 400, 20  # what the programs see, what is kept, what the picture shows
_CHARACTER, _LINE, _MARGIN = 7.8, 18, 14  # pixels
_PAUSE, _LONGEST, _END = 1.6, 1.2, 5.0  # seconds: before a command, between two outputs, after the last
# Colour → light, dark.
_COLOURS = {
    "default": ("#24292f", "#d6dbe1"),
    "red": ("#b3261e", "#ff8a80"),
    "green": ("#1a7f37", "#7ee787"),
    "brown": ("#8a5a00", "#e3b341"),
    "blue": ("#0550ae", "#79c0ff"),
    "magenta": ("#8250df", "#d2a8ff"),
    "cyan": ("#0b6b75", "#76e3ea"),
}


class Row(NamedTuple):
    """A line of the terminal: when it appeared, and its parts, each with its classes."""

    at: float
    parts: tuple[tuple[str, str], ...]


def record(commands: tuple[str, ...], folder: Path) -> list[Row]:
    """Run the commands one after the other in a pseudo-terminal; the lines of the terminal."""
    import pyte

    screen = pyte.Screen(_COLUMNS, _ROWS)
    stream = pyte.ByteStream(screen)
    seen: dict[int, float] = {}
    clock = 0.0
    for command in commands:
        clock += _PAUSE
        stream.feed(f"\x1b[1m$ {command}\x1b[0m\r\n".encode())
        _note(screen, seen, clock)
        for wait, data in _run(command, folder):
            clock += min(wait, _LONGEST)
            stream.feed(data)
            _note(screen, seen, clock)
        stream.feed(b"\r\n")
    return [Row(seen.get(line, clock), tuple(_parts(screen, line))) for line in range(screen.cursor.y)]


def _run(command: str, folder: Path) -> Iterator[tuple[float, bytes]]:
    """What a command writes to its terminal, each piece with the time since the one before."""
    import pty  # not on Windows

    environment = {
        **os.environ,
        "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(folder / ".venv"),
        "TERM": "xterm-256color",
        "COLUMNS": str(_COLUMNS),
        "FORCE_COLOR": "1",
    }
    process, terminal = pty.fork()
    if not process:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "-c", command], environment)  # noqa: S606
    last = time.monotonic()
    while select.select([terminal], [], [], 300)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        now = time.monotonic()
        yield now - last, data
        last = now
    os.close(terminal)
    os.waitpid(process, 0)


def _note(screen: Any, seen: dict[int, float], clock: float) -> None:
    for line in range(screen.cursor.y + 1):
        if line not in seen and screen.buffer[line]:
            seen[line] = clock


def _parts(screen: Any, line: int) -> Iterator[tuple[str, str]]:
    """The parts of a line that look alike: classes, text."""
    text, classes = "", ""
    cells = [screen.buffer[line][column] for column in range(screen.columns)]
    for cell in cells:
        colour = cell.fg if cell.fg in _COLOURS else "default"
        mine = " ".join(filter(None, ["" if colour == "default" else colour, "bold" if cell.bold else ""]))
        if mine != classes and text:
            yield classes, text
            text = ""
        classes = mine
        text += cell.data
    if text.strip():
        yield classes, text.rstrip()


def picture(rows: list[Row], title: str) -> str:
    """The lines as an SVG: they appear in their time, and move up when there are too many."""
    times = sorted({row.at for row in rows})
    whole = times[-1] + _END
    width, height = round(_COLUMNS * _CHARACTER + 2 * _MARGIN), _HEIGHT * _LINE + 2 * _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{''.join(_style(rows, times, whole))}</style>",
            f'<rect class="screen" width="{width}" height="{height}" rx="8"/>',
            f'<svg x="{_MARGIN}" y="{_MARGIN}" width="{width - 2 * _MARGIN}" height="{_HEIGHT * _LINE}">',
            '<g class="all">',
            *(_group(rows, at, number) for number, at in enumerate(times)),
            "</g></svg>",
            "</svg>",
            "",
        ]
    )


def _style(rows: list[Row], times: list[float], whole: float) -> Iterator[str]:
    yield f"text{{font:{_CHARACTER / 0.6:.0f}px ui-monospace,Menlo,Consolas,monospace;white-space:pre}}"
    yield ".bold{font-weight:bold}"
    for index, (screen, scheme) in enumerate((("#f6f8fa", ""), ("#161b22", "@media(prefers-color-scheme:dark)"))):
        colours = [f".screen{{fill:{screen}}}", f"text{{fill:{_COLOURS['default'][index]}}}"]
        colours += [f".{name}{{fill:{both[index]}}}" for name, both in _COLOURS.items() if name != "default"]
        yield f"{scheme}{{{''.join(colours)}}}" if scheme else "".join(colours)
    moved = [max(0, sum(row.at <= at for row in rows) - _HEIGHT) * _LINE for at in times]
    yield f".all{{transform:translateY(-{moved[-1]}px)}}"
    yield "@media(prefers-reduced-motion:no-preference){"
    yield f"g{{animation:{whole:.1f}s step-end infinite}}"
    for number, at in enumerate(times):
        frames = f"0%{{opacity:0}}{100 * at / whole:.2f}%{{opacity:1}}"
        yield f".g{number}{{animation-name:g{number}}}@keyframes g{number}{{{frames}}}"
    moves = (
        f"{100 * at / whole:.2f}%{{transform:translateY(-{by}px)}}" for at, by in zip(times, moved, strict=True)
    )
    steps = "".join(moves)
    yield f".all{{animation-name:all}}@keyframes all{{0%{{transform:none}}{steps}}}}}"


def _group(rows: list[Row], at: float, number: int) -> str:
    lines = []
    for place, row in enumerate(rows):
        if row.at == at and row.parts:
            spans = "".join(
                f'<tspan class="{classes}">{escape(text)}</tspan>' if classes else escape(text)
                for classes, text in row.parts
            )
            lines.append(f'<text y="{(place + 1) * _LINE - 5}">{spans}</text>')
    return f'<g class="g{number}">{"".join(lines)}</g>'


def faults(text: str, commands: tuple[str, ...] = COMMANDS) -> Iterator[str]:
    """What is wrong with a picture: its size, a command that it lacks, a script, or something that it loads."""
    size = len(text.encode())
    if size > LIMIT:
        yield f"{size} bytes; the limit is {LIMIT}"
    tree = ElementTree.fromstring(text)  # noqa: S314
    shown = "".join(tree.itertext())
    yield from (f"the command is not in it: {command}" for command in commands if f"$ {command}" not in shown)
    for element in tree.iter():
        name = element.tag.rpartition("}")[2]
        if name in ("script", "image", "use", "foreignObject", "a"):
            yield f"it has an element {name}"
        yield from (f"it has {key}" for key in element.attrib if "href" in key or key.startswith("on"))
    if "url(" in shown or "@import" in shown:
        yield "its style loads something"


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="where the commands run")
    parser.add_argument("--check", action="store_true", help="run nothing; exit 1 if the picture is stale")
    options = parser.parse_args(arguments)
    if not options.check:
        if options.folder is None:
            parser.error("FOLDER is missing")
        title = "torchlock check names the cause of a failed import; torchlock lock writes a lock that loads"
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(picture(record(COMMANDS, options.folder.resolve()), title), encoding="utf-8")
    found = list(faults(PICTURE.read_text(encoding="utf-8")))
    for fault in found:
        print(f"docs/assets/terminal.svg: {fault}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
