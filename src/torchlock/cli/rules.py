"""``torchlock rules``: list all rules, or describe some."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from torchlock import __version__
from torchlock.cli.exit_codes import OK
from torchlock.jobs.rule_names import checked_rule
from torchlock.knowledge import registry
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stories import story
from torchlock.report.safe_json import dump_json

if TYPE_CHECKING:
    import argparse

    from torchlock.cli.streams import Console


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit code.

    Raises:
        InputError: there is no rule of a name.
    """
    matrix = Matrix()
    if arguments.rules:
        from torchlock.cli.explain import write_stories
        from torchlock.jobs.explain import stories_of

        named = [checked_rule(text, matrix.rules()) for text in arguments.rules]
        write_stories(stories_of(named, matrix), matrix, as_json=arguments.json)
        return OK
    rules = [registry.get(identifier) for identifier in matrix.rules()]
    if arguments.json:
        rows = [
            {"id": rule.id, "severity": rule.severity, "by": list(rule.by), "title": story(rule.id).title}
            for rule in rules
        ]
        sys.stdout.write(dump_json({"torchlock": __version__, "data": matrix.date, "rules": rows}))
        return OK
    for rule in rules:
        sys.stdout.write(f"{rule.id}  {rule.severity:<7}  {', '.join(rule.by):<18}  {story(rule.id).title}\n")
    sys.stdout.write(f"\n{len(rules)} rules: torchlock rules {rules[0].id} describes one\n")
    return OK
