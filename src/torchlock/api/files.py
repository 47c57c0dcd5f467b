"""``torchlock.api.audit``, ``audit_text`` and ``fix_text``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from torchlock.api.request import Ear, call, refuse_standard_input, several
from torchlock.api.results import AuditResult, audited_file, result_of
from torchlock.errors import InputError
from torchlock.jobs.audit import audited, files_of, report_of
from torchlock.jobs.file_settings import FileSettings
from torchlock.report.audit_json import audit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torchlock.api.values import Message
    from torchlock.finding import Report


def audit(
    *paths: str | Path,
    recursive: bool = False,
    docs: bool = False,
    python: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    settings: str | Path | None = None,
    on_message: Callable[[Message], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> AuditResult:
    """Judge files, and the files in folders, as ``torchlock audit`` does.

    The options are those of the command. A file that cannot be read is in the result, as unreadable. Nothing is
    written or run. ``on_message`` and ``on_progress`` are called in the thread of the caller.

    Raises:
        InputError: no path is given, or an option or the configuration cannot be used.
        DataError: the bundled data are damaged.
    """
    refuse_standard_input(*paths)
    if not paths:
        raise InputError("no file or folder to audit is given")
    options = {
        "recursive": recursive,
        "docs": docs,
        "python": python,
        "platform": platform,
        "accelerator": accelerator,
        "gpu": gpu,
        "system": system,
        "system_lib": several(system_lib),
        "ignore": several(ignore),
    }
    with call("audit", paths, options, settings) as arguments:
        ear = Ear(on_message, on_progress)
        own = FileSettings(arguments, ear)
        files, unread = files_of(arguments, ear)
        return _result(audited(files, unread, own, ear), ear)


def audit_text(
    content: str | bytes,
    name: str = "requirements.txt",
    *,
    docs: bool = False,
    python: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    settings: str | Path | None = None,
) -> AuditResult:
    """Judge the content of one file, which need not exist. Its ``name`` decides the format; it may be a path.

    Files that the content includes (``-r base.txt``) are looked for beside ``name``.

    Raises:
        InputError: an option or the configuration cannot be used.
        DataError: the bundled data are damaged.
    """
    refuse_standard_input(name)
    options = {
        "docs": docs,
        "stdin_name": name,
        "python": python,
        "platform": platform,
        "accelerator": accelerator,
        "gpu": gpu,
        "system": system,
        "system_lib": several(system_lib),
        "ignore": several(ignore),
    }
    with call("audit", (), options, settings) as arguments:
        from torchlock.manifests import kind_of

        ear = Ear(None, None)
        own = FileSettings(arguments, ear)
        raw = _bytes(content)
        kind = kind_of(name, raw[:4096].decode("utf-8", "replace"))
        report = own.auditor(own.of(name)).report(name, raw=raw, kind=kind)
        return _result(report_of([report], own), ear)


def fix_text(
    content: str,
    name: str = "requirements.txt",
    *,
    strict: bool = False,
    docs: bool = False,
    python: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    settings: str | Path | None = None,
) -> str:
    """The content of one file as ``torchlock audit --fix`` would leave it; the same content if nothing changes.

    ``strict``: warnings are fixed, too. The other arguments are those of ``audit_text``. Nothing is written. A
    file whose format is only guessed is not changed.

    Raises:
        InputError: the content cannot be read, or an option or the configuration cannot be used.
        DataError: the bundled data are damaged.
    """
    refuse_standard_input(name)
    options = {
        "docs": docs,
        "strict": strict,
        "stdin_name": name,
        "python": python,
        "platform": platform,
        "accelerator": accelerator,
        "gpu": gpu,
        "system": system,
        "system_lib": several(system_lib),
        "ignore": several(ignore),
    }
    with call("audit", (), options, settings) as arguments:
        own = FileSettings(arguments, Ear(None, None))
        severities = ("error", "warning") if own.strict(name) else ("error",)
        fixed = own.auditor(own.of(name)).fixed(name, severities, _bytes(content))
        return content if fixed is None else fixed.decode()


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _result(report: Report, ear: Ear) -> AuditResult:
    document = audit_json(report)
    rows: list[dict[str, Any]] = json.loads(document)["files"]
    return result_of(AuditResult, document, ear.said, files=tuple(map(audited_file, rows)))
