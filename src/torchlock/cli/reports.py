"""Code that ``audit`` and ``check`` share: ignored rules, the format of a report, and its exit code."""

from __future__ import annotations

import sys

from torchlock.cli.exit_codes import BUG, FOUND, OK, UNUSABLE
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from torchlock.cli.streams import Console
    from torchlock.finding import Report

    Paint = Callable[[str, str], str]


class Forms(NamedTuple):
    """The formats in which ``audit`` and ``check`` differ, each as a function that writes the report."""

    as_json: Callable[[], str]
    as_text: Callable[[Paint], str]
    as_markdown: Callable[[], str]


def exit_code(report: Report, is_strict: Callable[[str], bool]) -> int:
    """3 if a bug kept a file from being judged; else 2 if one could not be read, else 1 for an error.

    ``is_strict``: whether a warning of the file at a path counts as an error.
    """
    if any(file.broken for file in report.files):
        return BUG
    statuses = {file.status for file in report.files}
    if "unreadable" in statuses:
        return UNUSABLE
    counted = any(file.status == "warning" and is_strict(file.path) for file in report.files)
    return FOUND if "error" in statuses or counted else OK


def rendered(
    report: Report,
    code: int,
    arguments: argparse.Namespace,
    console: Console,
    is_strict: Callable[[str], bool],
    forms: Forms,
) -> str:
    """A report in the format that the command line names; "" for a text that --quiet leaves out.

    ``is_strict``: as for ``exit_code``, with which the count of a JUnit report agrees.
    """
    if arguments.format == "json":
        return forms.as_json()
    if arguments.format == "markdown":
        return forms.as_markdown()
    if arguments.format == "junit":
        from torchlock.report.junit import junit

        return junit(report, arguments.command, is_strict)
    if arguments.format == "gitlab":
        from torchlock.report.gitlab import gitlab

        return gitlab(report)
    if arguments.format == "sarif":
        from torchlock.report.sarif import sarif

        return sarif(report, exit_code=code)
    if arguments.format == "github":
        from torchlock.report.github import github

        return github(report)
    if arguments.quiet and all(file.status == "ok" for file in report.files):
        return ""
    is_colored = console.on(sys.stdout) and not arguments.output
    return forms.as_text(console.painted if is_colored else _plain)


def _plain(style: str, text: str) -> str:
    return text
