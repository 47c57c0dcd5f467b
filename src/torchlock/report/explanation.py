"""The answers of ``torchlock explain``: a story as a value, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torchlock import __version__
from torchlock.redaction import masked, one_line
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.finding import DataUpdate, Evidence


@dataclass
class Story:
    """An answer: a headline, numbered sentences, changes that would work, and sources.

    ``frontier`` has a line for each build that may be chosen.
    """

    headline: str
    together: bool = True
    steps: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    remedies: list[str] = field(default_factory=list)
    sources: dict[str, Evidence] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    dated: str = ""
    frontier: list[str] = field(default_factory=list)


def stories_text(stories: Sequence[Story]) -> str:
    """The stories one after the other, for a terminal."""
    return "\n".join(_text(story) for story in stories)


def stories_json(stories: Sequence[Story], date: str, update: DataUpdate | None) -> str:
    """One object (docs/json.md); ``date`` is that of the data."""
    updated = {} if update is None else {"data_update": update.row()}
    rows = [_row(story) for story in stories]
    return dump_json({"torchlock": __version__, "data": date, **updated, "explained": rows})


def _text(story: Story) -> str:
    lines = [one_line(story.headline)]
    lines += [f"  {number}. {step}" for number, step in enumerate(dict.fromkeys(story.steps), 1)]
    if story.frontier:
        lines += ["builds, newest first", *(f"  {line}" for line in story.frontier)]
    if story.remedies:
        lines += [f"what would work{story.dated}", *(f"  - {remedy}" for remedy in story.remedies)]
    lines += [f"note: {hint}" for hint in story.hints]
    if story.sources:
        lines.append("sources")
        lines += [f"  {source.kind} {source.date}: {source.address}" for source in story.sources.values()]
    return "\n".join(map(masked, lines)) + "\n"


def _row(story: Story) -> dict[str, Any]:
    return {
        "headline": story.headline,
        "together": story.together,
        "packages": [{"name": name, "version": version} for name, version in story.packages.items()],
        "steps": list(dict.fromkeys(story.steps)),
        **({"builds": story.frontier} if story.frontier else {}),
        "remedies": story.remedies,
        "notes": story.hints,
        "sources": [
            {"id": source.id, "address": source.address, "kind": source.kind, "date": source.date}
            for source in story.sources.values()
        ],
    }
