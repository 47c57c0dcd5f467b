#!/usr/bin/env python3
"""Write the page of each rule, docs/rules/TLxxx.md, and their index, from the tables.

    rule_pages.py            write docs/rules/
    rule_pages.py --check    write nothing; exit 1 if a page is stale, missing or of no rule

Run compile_rules.py first: the pages are made from what the program itself reads.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from torchlock.gathering.storage import write_if_changed
from torchlock.jobs.explain import said
from torchlock.knowledge import registry, stories, tables
from torchlock.knowledge.rules import Matrix

PAGES = Path(__file__).parents[1] / "docs" / "rules"
_NEWEST = 12
_GROUPS = {
    "TL1": "Versions that do not fit",
    "TL2": "Builds and accelerators",
    "TL3": "Libraries of the system",
    "TL4": "Python, platforms and wheels",
    "TL5": "Files and indexes",
    "TL6": "Broken installations",
    "TL7": "APIs that were removed under a dependent",
    "TL9": "What could not be judged",
}


def pages(matrix: Matrix) -> dict[str, str]:
    """File name → text, of all pages."""
    found = {f"{rule}.md": "\n".join(_page(rule, matrix)) + "\n" for rule in matrix.rules()}
    return {
        "README.md": "\n".join(_index(matrix)) + "\n",
        "printed.md": "\n".join(_printed(matrix)) + "\n",
        **found,
    }


def _page(identifier: str, matrix: Matrix) -> Iterator[str]:
    """The title is the text that people paste into a search, if the rule has one."""
    rule, story = registry.get(identifier), stories.story(identifier)
    commands = " and ".join(f"`torchlock {command}`" for command in rule.by)
    yield f"# {identifier}: {code(story.shown[0]) if story.shown else story.title}"
    yield ""
    if story.shown:
        yield from (f"**Rule: {story.title}.**", "")
    yield f"Reported by {commands}. Worst severity: {rule.severity}. [All rules](README.md)."
    if story.shown:
        yield from ("", "## Symptom", "", "A failure prints one of these lines, or one like them:", "", "```text")
        yield from (*story.shown, "```", "")
        yield "To see whether it is this failure, give the whole output to `torchlock check --log failure.txt`."
    for title, text in (
        ("Cause", f"{story.why}\n\nA finding gives the reason: because {matrix.because(identifier)}."),
        ("What torchlock does", story.what),
        ("Example", story.example),
        ("How to fix it", story.fix),
    ):
        yield from ("", f"## {title}", "", text)
    yield from _evidence(identifier, matrix)
    if rule.explains:
        effects = ", ".join(f"[{effect}]({effect}.md)" for effect in sorted(rule.explains - {identifier}))
        yield from ("", "## What it explains", "")
        yield f"A report shows these findings below this one, if they are about the same package: {effects}."
    yield from ("", "## Ignore it", "", ignoring(identifier))
    yield from ("", "## Sources", "")
    for source in matrix.sources_of(identifier):
        known = matrix.source(source)
        address = f"<{known.address}>" if "://" in known.address else known.address
        yield f"- {known.kind}: {address}"


def _evidence(identifier: str, matrix: Matrix) -> Iterator[str]:
    """The newest statements of a rule, each with how it is known."""
    statements = matrix.statements_of(identifier)
    if not statements:
        return
    yield from ("", "## Evidence", "")
    shown = statements[-_NEWEST:]
    count = "One statement" if len(statements) == 1 else f"{len(statements)} statements"
    rest = f", such as these ({len(shown)} of them)" if len(shown) < len(statements) else ""
    yield f"{count} in `compat_data/`{rest}. `torchlock explain {identifier}` lists their sources."
    yield from ("", "| releases | what holds | known by |", "|---|---|---|")
    for statement in shown:
        build = f", build {statement.build}" if statement.build else ""
        yield f"| {_cell(str(statement.when))}{build} | {_plain(said(statement))} | {statement.kind} |"


def _plain(text: str) -> str:
    """Text in a cell in which nothing is formatted."""
    return re.sub(r"([\\*`<|\[\]])", r"\\\1", text)


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|")


def code(text: str) -> str:
    """A code span of Markdown, also of a text with a backtick."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def ignoring(identifier: str) -> str:
    """How to leave a rule out of a report."""
    rule = registry.get(identifier)
    options = [f"`torchlock {command} --ignore {identifier}`" for command in rule.by if command != "lock"]
    if not options:
        return "`torchlock lock` always follows this rule."
    text = f"For a whole run: {' or '.join(options)}."
    if "audit" in rule.by and not rule.whole_file:
        text += f" For one line: `# torchlock: ignore[{identifier}] reason`."
    return text


def _printed(matrix: Matrix) -> Iterator[str]:
    """The texts that failures print, each with its rule."""
    yield "# What failures print, and the rule that explains it"
    yield ""
    yield "Search here for a part of your message. A message may have several causes: the page of the rule names"
    yield "what else it explains. `torchlock check --log failure.txt` finds the cause in your environment."
    yield from ("", "| printed | rule | about |", "|---|---|---|")
    for text, identifier in sorted((text, rule) for rule in matrix.rules() for text in stories.story(rule).shown):
        yield f"| {_cell(text)} | [{identifier}]({identifier}.md) | {stories.story(identifier).title} |"


def _index(matrix: Matrix) -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "A rule keeps its identifier for ever. `torchlock explain TL101` shows the same text in a terminal."
    yield "[What failures print](printed.md) leads from a message to its rule."
    for prefix, title in _GROUPS.items():
        yield from ("", f"## {prefix}xx: {title}", "", "| rule | about | worst severity | reported by |")
        yield "|---|---|---|---|"
        for identifier in matrix.rules():
            if identifier.startswith(prefix):
                rule, story = registry.get(identifier), stories.story(identifier)
                commands = ", ".join(rule.by)
                yield f"| [{identifier}]({identifier}.md) | {story.title} | {rule.severity} | {commands} |"


def stale(folder: Path, wanted: dict[str, str]) -> list[str]:
    """The pages that differ from what they should be, and those of rules that do not exist."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if there.get(name) != wanted.get(name))


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    parser.add_argument("--pages", type=Path, default=PAGES, metavar="FOLDER", help="default: docs/rules/")
    options = parser.parse_args(arguments)
    wanted = pages(Matrix(tables.ROOT / "compiled" / "rules.json"))
    found = stale(options.pages, wanted)
    if found and options.check:
        print(f"rule_pages: {', '.join(found)} stale", file=sys.stderr)
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
