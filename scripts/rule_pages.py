#!/usr/bin/env python3
"""Write the page of each rule, docs/rules/TLxxx.md, and their index, from the tables.

    rule_pages.py            write docs/rules/
    rule_pages.py --check    write nothing; exit 1 if a page is stale, missing or of no rule

Run compile_rules.py first: the pages are made from what the program itself reads.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from torchlock.gathering.storage import write_if_changed
from torchlock.knowledge import registry, stories, tables
from torchlock.knowledge.rules import Matrix

PAGES = Path(__file__).parents[1] / "docs" / "rules"
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
    return {"README.md": "\n".join(_index(matrix)) + "\n", **found}


def _page(identifier: str, matrix: Matrix) -> Iterator[str]:
    rule, story = registry.get(identifier), stories.story(identifier)
    commands = " and ".join(f"`torchlock {command}`" for command in rule.by)
    yield f"# {identifier}: {story.title}"
    yield ""
    yield f"Reported by {commands}. Worst severity: {rule.severity}."
    for title, text in (
        ("What it does", story.what),
        ("Why this is bad", f"{story.why}\n\nA finding gives the reason: because {matrix.because(identifier)}."),
        ("Example", story.example),
        ("How to fix it", story.fix),
    ):
        yield from ("", f"## {title}", "", text)
    if matrix.statements_of(identifier):
        yield from ("", f"`torchlock explain {identifier}` lists the releases that this rule is about.")
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


def _index(matrix: Matrix) -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "A rule keeps its identifier for ever. `torchlock explain TL101` shows the same text in a terminal."
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
