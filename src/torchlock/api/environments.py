"""``torchlock.api.check``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from torchlock.api.request import Ear, call, options_of, refuse_standard_input
from torchlock.api.results import CheckResult, result_of
from torchlock.api.values import finding_of
from torchlock.errors import InputError
from torchlock.jobs.check import checked
from torchlock.report.check_json import check_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torchlock.api.values import Message


def check(
    *,
    python: str | Path | None = None,
    path: str | Path | None = None,
    root: str | Path | None = None,
    log: str | Path | None = None,
    log_text: str | None = None,
    platform: str | None = None,
    accelerator: str | None = None,
    gpu: str | None = None,
    system: str | None = None,
    system_lib: str | Sequence[str] = (),
    deep: bool = False,
    probe: bool = False,
    probe_seconds: float | None = None,
    ignore: str | Sequence[str] = (),
    settings: str | Path | None = None,
    on_message: Callable[[Message], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> CheckResult:
    """Examine one environment, as ``torchlock check`` does, and say why it does not load.

    ``python`` is an interpreter or the folder of an environment, ``path`` a folder that is only read. Without both
    and without a log, the environment of the running interpreter is examined. ``log`` is a file, ``log_text`` the
    content of one. An interpreter that is named is started once; ``probe`` runs the smoke test in it.

    Raises:
        InputError: there is no such environment, a file cannot be read, or an option cannot be used.
        DataError: the bundled data are damaged.
    """
    refuse_standard_input(log)
    if log is not None and log_text is not None:
        raise InputError("log and log_text exclude each other", hint="pass only one of them")
    if python is None and path is None and log is None and log_text is None:
        python = sys.executable
    options = options_of(locals())
    with call("check", (), options, settings) as arguments:
        if log_text is not None:
            arguments.log, arguments.log_text = "-", log_text
        ear = Ear(on_message, on_progress)
        _, verdict, report, _ = checked(arguments, ear)
        document = check_json(report, verdict.sentence, verdict.commands)
        table = json.loads(document)
        file, target = table["files"][0], table["target"]
        return result_of(
            CheckResult,
            document,
            ear.said,
            **{key: file[key] for key in ("path", "status")},
            **{key: table[key] for key in ("summary", "command")},
            **{key: target[key] for key in ("python", "platform", "accelerator")},
            findings=tuple(map(finding_of, file["findings"])),
        )
