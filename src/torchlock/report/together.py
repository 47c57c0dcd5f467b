"""Write several files, all or none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.report.atomic import write_bytes
from torchlock.report.ledger import current

if TYPE_CHECKING:
    from collections.abc import Sequence


class NewFile(NamedTuple):
    """A file to write. ``old`` is its content that the new one was made from; None if there is no such file."""

    path: str
    content: bytes
    old: bytes | None


def write_together(files: Sequence[NewFile]) -> list[str]:
    """Write all files, each atomically; return the remarks on files that were written in place.

    Every file is compared with its old content first. If one cannot be written, those before it get their old
    content back.

    Raises:
        InputError: a file cannot be written, or another program changed it; then no file is changed. A file that
            cannot be restored is named.
    """
    for file in files:
        _refuse_changed(file)
    done: list[NewFile] = []
    remarks = []
    try:
        for file in files:
            remark = write_bytes(file.path, file.content, expected=file.old).remark
            done.append(file)
            remarks += [remark] if remark else []
    except BaseException as error:
        lost = [file.path for file in reversed(done) if not _restored(file)]
        if lost and isinstance(error, InputError):
            error.message += f"; {', '.join(lost)} could not be restored"
        raise
    return remarks


def _refuse_changed(file: NewFile) -> None:
    path = Path(file.path)
    try:
        now = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", path=file.path) from error
    if now != file.old:
        raise InputError(
            "was changed by another program meanwhile, so torchlock does not write it",
            path=file.path,
            hint="run the command again",
        )


def _restored(file: NewFile) -> bool:
    """Give a file its old content back, if it still has the new one; return whether it has the old one."""
    try:
        if file.old is None:
            Path(file.path).unlink()
        else:
            write_bytes(file.path, file.old, expected=file.content)
    except (InputError, OSError):
        return False
    current().undo(file.path)
    return True
