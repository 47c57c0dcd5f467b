#!/usr/bin/env python3
"""Write the page of each command, docs/commands/NAME.md, and their index, from the parsers.

command_pages.py            write docs/commands/
command_pages.py --check    write nothing; exit 1 if a page is stale, missing or of no command
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from rule_pages import code, stale
from torchlock.cli.interface import Command, Group, Operand, Option, interface
from torchlock.gathering.storage import write_if_changed

PAGES = Path(__file__).parents[1] / "docs" / "commands"
# The document that has more about a command.
_MORE = {
    "lock": "lock.md",
    "upgrade": "keeping.md",
    "diff": "keeping.md",
    "audit": "audit.md",
    "check": "check.md",
    "explain": "rules/README.md",
    "rules": "rules/README.md",
    "matrix": "matrix.md",
    "data": "data.md",
    "fetch": "fetch.md",
    "fleet": "fleet.md",
    "config": "settings.md",
    "schema": "json.md",
    "completion": "completion.md",
    "lsp": "editors.md",
    "mcp": "editors.md",
}
# The heading of a part of an epilog.
_PART = re.compile(r"^(\w[\w ]*):(?: (.*))?$")


def pages(commands: tuple[Command, ...]) -> dict[str, str]:
    """File name → text, of all pages; the first command is torchlock itself."""
    first, *others = commands
    found = {f"{command.name}.md": "\n".join(_page(command, first)) + "\n" for command in others}
    return {"README.md": "\n".join(_index(first, others)) + "\n", **found}


def _index(first: Command, commands: list[Command]) -> Iterator[str]:
    yield from ("# Commands", "", "| command | what it does |", "|---|---|")
    for command in commands:
        yield f"| [torchlock {command.name}]({command.name}.md) | {_text(command.summary)} |"
    yield from ("", "These options are for every command:", "")
    yield from _options(first.groups)


def _page(command: Command, first: Command) -> Iterator[str]:
    yield f"# torchlock {command.name}"
    yield from ("", f"{_text(command.summary[:1].upper() + command.summary[1:])}.", "", "```text")
    yield " ".join([f"torchlock {command.name}", "[options]", *map(_spelled_operand, command.operands)])
    yield "```"
    yield from _paragraphs(command.description)
    yield from ("", f"More: [{_title(_MORE[command.name])}](../{_MORE[command.name]}).")
    yield from _epilog(command.epilog)
    yield from ("", "## Options")
    common = {option.flags for option in first.options}
    for group in command.groups:
        if all(option.flags in common for option in group.options) and not group.operands:
            continue
        yield from ("", f"### {_text(group.title[:1].upper() + group.title[1:])}")
        yield from _paragraphs(group.about)
        yield ""
        yield from _options((group,))
    yield from ("", "The options of [every command](README.md) are not listed here.")


def _title(document: str) -> str:
    return (PAGES.parent / document).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _options(groups: tuple[Group, ...]) -> Iterator[str]:
    yield from ("| option | meaning |", "|---|---|")
    for group in groups:
        for operand in group.operands:
            yield f"| `{_spelled_operand(operand)}` | {_text(operand.help)} |"
        for option in group.options:
            yield f"| {_spelled(option)} | {_text(option.help)} |"


def _spelled_operand(operand: Operand) -> str:
    return operand.value.name + (" …" if operand.is_many else "")


def _spelled(option: Option) -> str:
    value = option.value
    if value is None:
        return ", ".join(map(code, option.flags))
    name = f"{{{','.join(value.words)}}}" if value.is_closed and value.words else value.name
    *short, longest = option.flags
    return ", ".join([*map(code, short), code(f"{longest} {name}").replace("|", "\\|")])


def _epilog(epilog: str) -> Iterator[str]:
    """The examples as commands to copy, and the other parts as sections."""
    for part in re.split(r"\n\s*\n", epilog.strip()):
        heading, _, rest = part.partition("\n")
        titled = _PART.match(heading)
        if titled is None:
            yield from ("", _text(" ".join(part.split())))
            continue
        yield from ("", f"## {titled[1][:1].upper() + titled[1][1:]}")
        inline = " ".join(f"{titled[2] or ''} {rest}".split())
        if titled[1].startswith("exit code"):
            yield from ("", *(f"- {_text(each)}" for each in re.split(r", (?=\d)", inline)))
        elif titled[1].startswith("example"):
            yield from _examples(rest)
        else:
            yield from ("", _text(inline))


def _examples(text: str) -> Iterator[str]:
    """Each example with its remark above it."""
    for line in filter(None, map(str.strip, text.splitlines())):
        command, _, remark = (part.strip() for part in line.partition("  "))
        if remark:
            yield from ("", _text(remark[:1].upper() + remark[1:]) + ("" if remark.endswith("?") else ":"))
        yield from ("", "```console", f"$ {command}", "```")


def _paragraphs(text: str) -> Iterator[str]:
    """The text: paragraphs are filled; lines with an indent stay as they are."""
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        lines = part.split("\n")
        if any(line.startswith(" ") for line in lines):
            yield from ("", "```text", *textwrap.dedent(part).split("\n"), "```")
        elif part.strip():
            yield from ("", _text(" ".join(lines)))


def _text(text: str) -> str:
    """Text in which nothing is formatted; options become code."""
    escaped = re.sub(r"([\\*`<|\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", text)
    return re.sub(r"(?<![\w\-`/])(--?[a-z][a-z-]*)(?![\w-])", r"`\1`", escaped)


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    parser.add_argument("--pages", type=Path, default=PAGES, metavar="FOLDER", help="default: docs/commands/")
    options = parser.parse_args(arguments)
    wanted = pages(interface())
    found = stale(options.pages, wanted)
    if found and options.check:
        print(f"command_pages: {', '.join(found)} stale", file=sys.stderr)
        return 1
    options.pages.mkdir(parents=True, exist_ok=True)
    for name in found:
        if name in wanted:
            write_if_changed(options.pages / name, wanted[name].encode(), dry=False)
        else:
            (options.pages / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
