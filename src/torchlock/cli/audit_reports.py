"""The report of an audit, from the reports on its files."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.finding import FileReport, Report
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.cli.file_settings import FileSettings


def report_of(files: list[FileReport], settings: FileSettings) -> Report:
    """The report on these files; each file names its configuration, and its target if that is another."""
    from torchlock.knowledge.rules import Matrix

    target = settings.target_of(settings.run)
    for file in files:
        try:
            own = settings.of(file.path)
        except InputError:
            continue
        file.config = own.config
        if own.number != settings.run.number and (other := settings.target_of(own)) != target:
            file.target = other
    matrix = Matrix()
    return Report(files, matrix.date, target, matrix.update)


def unusable_settings(path: str, error: InputError) -> FileReport:
    """The report on a file that was not judged, because its configuration cannot be used."""
    hint = f" ({error.hint})" if error.hint else ""
    return FileReport(path, "", error=f"its configuration cannot be used: {error}{hint}")


def add_crash_report(files: Iterable[FileReport]) -> None:
    """Write one bug report for all bugs; the findings of each affected file name it."""
    broken = [file for file in files if file.broken]
    if broken:
        from torchlock.cli import crash

        remedy = crash.remedy_for(file.broken for file in broken if file.broken)
        for finding in (finding for file in broken for finding in file.findings):
            finding.remedy = remedy
