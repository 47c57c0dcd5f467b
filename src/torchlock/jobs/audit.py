"""The job ``audit``: find the files, judge each by the settings that count for it."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.finding import FileReport, Finding, Report
from torchlock.jobs.safe_path import can_share, safe_path
from torchlock.knowledge.registry import rule
from torchlock.runtime.files import is_folder
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from torchlock.audit import Auditor
    from torchlock.jobs.file_settings import FileSettings, Settled
    from torchlock.jobs.listener import Listener

# With this many files, a second process saves time (measured: its start takes 20 ms, a file 2 to 5 ms).
_MANY = 100


def audited(
    files: Sequence[str], unread: Sequence[str], settings: FileSettings, console: Listener, *, processes: int = 1
) -> Report:
    """The report on some files; ``unread`` are files without a reader, of which a note says so.

    Many files are distributed to ``processes`` processes.
    """
    passed = [_unread(path) for path in unread if not _is_ignored("TL906", path, settings)]
    return report_of([*_judged(files, settings, console, processes), *passed], settings)


def _is_ignored(rule: str, path: str, settings: FileSettings) -> bool:
    try:
        return rule in settings.of(path).options.ignore
    except InputError:
        return False


def files_of(arguments: argparse.Namespace, console: Listener) -> tuple[list[str], list[str]]:
    """The named files and the files in the named folders; and the files in these folders without a reader."""
    found: list[str] = []
    unread: list[str] = []
    for name in arguments.files or ["."]:
        if name != "-" and is_folder(name):
            from torchlock.manifests import search

            held, foreign = search(name, arguments.recursive, docs=arguments.docs)
            unread += map(_without_dot, foreign)
            if not held and not foreign and not arguments.files:
                raise InputError(
                    "there is nothing to audit in this folder",
                    hint="name a file, or -R to look into its folders",
                )
            if not held and not foreign:
                console.say("note", f"{name} contains no file that can be audited")
            found += [_without_dot(path) for path in held]
        else:
            found.append(name)
    return list(dict.fromkeys(found)), list(dict.fromkeys(unread))


@rule("TL906", on="unread")
def _unread(path: str) -> FileReport:
    """The report on a file that names packages in a format without a reader."""
    from torchlock.manifests.detection import unread_by_name

    message = f"no reader for this kind of file: {unread_by_name(path)}, which names packages"
    return FileReport(path, "unread", [Finding("TL906", "note", message)])


def _without_dot(path: str) -> str:
    return path[2:] if path.startswith(("./", ".\\")) and len(path) > 2 else path


def _judged(files: Sequence[str], settings: FileSettings, console: Listener, processes: int) -> list[FileReport]:
    """One report per file, in order; many files are distributed to so many processes."""
    usable: dict[str, Settled] = {}
    reports: dict[str, FileReport] = {}
    for path in files:
        try:
            usable[path] = settings.of(path)
        except InputError as error:
            reports[path] = unusable_settings(path, error)
    shared = len(usable) >= _MANY and processes >= 2 and "-" not in files and can_share()
    found = _judged_by_workers(usable, settings, processes, console) if shared else None
    if found is None:
        found = []
        for number, (path, settled) in enumerate(usable.items(), 1):
            if len(files) > 1:
                console.progress(f"audit {number} of {len(files)}: {path}")
            found.append(_report_on(settings.auditor(settled), path, settings.run.arguments.stdin_name))
    console.clear()
    reports.update(zip(usable, found, strict=True))
    return [reports[path] for path in files]


def _judged_by_workers(
    files: Mapping[str, Settled], settings: FileSettings, count: int, console: Listener
) -> list[FileReport] | None:
    """The reports of worker processes; None if no process can be started (a limit, a long TMPDIR)."""
    from torchlock.jobs.workers import judged

    def tell(number: int, path: str) -> None:
        console.progress(f"audit {number} of {len(files)}: {path}")

    jobs = [(path, settled.number) for path, settled in files.items()]
    try:
        with safe_path():
            return judged(jobs, settings.options, count, tell)
    except OSError:
        return None


def _report_on(auditor: Auditor, path: str, name: str) -> FileReport:
    if path != "-":
        return auditor.report(path)
    from torchlock.manifests import kind_of
    from torchlock.manifests.text import read_bytes

    raw = read_bytes("-")
    report = auditor.report(name, raw=raw, kind=kind_of(name, raw[:4096].decode("utf-8", "replace")))
    report.path = "-"
    return report


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
