"""``torchlock explain``: describe a rule, or say why requirements work together or conflict."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock.cli.exit_codes import FOUND, OK
from torchlock.jobs.explain import explained
from torchlock.knowledge.rules import Matrix
from torchlock.report.explanation import stories_json, stories_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console
    from torchlock.report.explanation import Story


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: an invalid requirement, an unknown rule, or rules together with requirements.
    """
    matrix = Matrix()
    stories = explained(arguments, matrix, console)
    write_stories(stories, matrix, as_json=arguments.json)
    return OK if all(story.together for story in stories) else FOUND


def write_stories(stories: Sequence[Story], matrix: Matrix, *, as_json: bool) -> None:
    """Write some stories to standard output."""
    sys.stdout.write(stories_json(stories, matrix.date, matrix.update) if as_json else stories_text(stories))
