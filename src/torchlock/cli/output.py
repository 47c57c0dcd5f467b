"""Write results, and decide which existing files ``-o`` may replace."""

from __future__ import annotations

import os
import sys

from torchlock.cli.streams import write_whole
from torchlock.errors import InputError
from torchlock.jobs.existing_lock import is_existing_output, is_replaced
from torchlock.runtime.files import is_folder
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchlock.cli.streams import Console


def guard_lock(path: str, inputs: Iterable[str], *, pylock: bool) -> None:
    """Refuse to write a lock over one of its inputs, or over a file that is neither a lock nor requirements.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    if pylock:
        hint = _hint(path, "pylock.toml", "pylock.new.toml")
        _refuse_output(path, inputs, "a lock", _why_no_pylock, _owner_of_pylock, hint)
    else:
        hint = _hint(path, "requirements.txt", "locked.txt")
        _refuse_output(path, inputs, "a lock", lambda text: _why_no_list(path, text), _owner_of_list, hint)


def guard_report(path: str | None, inputs: Iterable[str]) -> None:
    """Refuse to write a report over anything but an earlier report; None and ``-`` are standard output.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    if path is not None and path != "-":
        hint = "name another file with -o, like torchlock-report.txt"
        _refuse_output(path, inputs, "a report", _why_no_report, _owner, hint)


def guard_emitted(path: str, inputs: Iterable[str], form: str) -> None:
    """Refuse to write a form for another tool over anything but an earlier one: no file of a project is replaced.

    Raises:
        InputError: the output is a folder, an input, a file of another kind, or has the name of one.
    """
    hint = "name another file with -o, and copy from it what you need"
    _refuse_output(path, inputs, f"--emit {form}", _why_not_emitted, lambda name: _owner_of_form(name, form), hint)


def guard_export(path: str | None) -> None:
    """Refuse to write an exported environment over anything but an earlier one.

    Raises:
        InputError: the output is a folder, or a file of another kind.
    """
    if path is not None and path != "-":
        hint = "name another file with -o, like environment.in"
        _refuse_output(path, (), "an exported environment", _why_no_export, _owner, hint)


def write_result(text: str, path: str | None, console: Console, *, whole: bool = False) -> bool:
    """Write a result to a file, or to standard output for None and ``-``; return whether all was written.

    ``whole``: a part of the result is useless, so warn if the reader of a pipe exits early.

    Raises:
        InputError: the file cannot be written; or, with ``whole``, standard output fails.
    """
    if path is None or path == "-":
        if whole:
            return write_whole(text, console)
        sys.stdout.write(text)
        return True
    from torchlock.report.atomic import write_text

    written = write_text(path, text)
    if written.remark:
        console.say("warning" if whole and not written.whole else "note", written.remark)
    return written.whole


def is_foreign_output(path: str) -> bool:
    """Whether this file has content that torchlock did not write as a lock."""
    text = _existing_text(path, "") if is_existing_output(path) else ""
    if not text:
        return False
    from torchlock.report.own_outputs import is_own_lock

    return not is_own_lock(text)


def _hint(path: str, name: str, other: str) -> str:
    return f"name another file with -o, like {other if os.path.basename(path).lower() == name else name}"


def _refuse_output(
    path: str,
    inputs: Iterable[str],
    what: str,
    why_not: Callable[[str], str],
    owner_of: Callable[[str], str],
    hint: str,
) -> None:
    """Refuse to overwrite a file of another kind. A device or a pipe is never refused.

    An open file (``/dev/fd/3``) is refused only if it is an input.

    ``owner_of`` returns the kind of a file by its name, or "". ``why_not`` returns why ``what`` may not replace
    an existing file with this text, or "" if it may.
    """
    if not path:
        raise InputError("-o needs the name of a file", hint=hint)
    if is_folder(path):
        raise InputError("is a folder, not a file", path=path, hint=hint)
    replaced = is_replaced(path)
    if (replaced or os.path.isfile(path)) and any(_is_same(path, each) for each in inputs):
        raise InputError("is also an input", path=path, hint=hint)
    if not replaced:
        return
    if not is_folder(os.path.dirname(os.path.realpath(path))):
        raise InputError(
            "cannot be written: its folder does not exist",
            path=path,
            hint="create the folder, or name another file",
        )
    owner = owner_of(path)
    if owner:
        raise InputError(
            f"cannot be used for {what}: this is the name of {owner}",
            path=path,
            hint=hint,
        )
    text = _existing_text(path, hint)
    reason = why_not(text) if text else ""
    if reason:
        raise InputError(f"cannot be replaced by {what}, because {reason}", path=path, hint=hint)


def _is_same(path: str, other: str) -> bool:
    """Whether two names refer to one file, also through links; ``-`` is standard input."""
    try:
        if other == "-":
            return not os.isatty(0) and os.path.samestat(os.fstat(0), os.stat(path))
        return os.path.realpath(path) == os.path.realpath(other) or os.path.samefile(path, other)
    except (OSError, ValueError):
        return False


def _owner(path: str) -> str:
    from torchlock.manifests.detection import belongs_to

    # A symbolic link has the kind of its name, or of its target.
    return belongs_to(path) or belongs_to(os.path.realpath(path))


def _owner_of_list(path: str) -> str:
    return "an input of a lock" if path.lower().endswith(".in") else _owner(path)


def _owner_of_pylock(path: str) -> str:
    from torchlock.manifests.detection import kind_by_name

    return "" if kind_by_name(os.path.realpath(path)) == "pylock" else _owner(path)


def _owner_of_form(path: str, form: str) -> str:
    """The owner of a name, if this form of --emit is not for that name."""
    from torchlock.manifests.detection import is_list_name
    from torchlock.report.emit import OWNERS

    if form != "constraints" and is_list_name(path):
        return "a list of requirements"
    owner = _owner_of_list(path)
    return "" if owner == OWNERS.get(form) else owner


def _existing_text(path: str, hint: str) -> str:
    """The text of an existing file; "" if there is none, or it is blank.

    Raises:
        InputError: it cannot be read as text, so its kind is unknown.
    """
    from torchlock.manifests.decoding import decode_strictly
    from torchlock.manifests.text import read_bytes

    try:
        if not os.path.exists(path):
            return ""
        text = decode_strictly(read_bytes(path), path)
    except InputError as error:
        raise InputError(f"cannot be replaced, because it {error.message}", path=path, hint=hint) from error
    return text if text.strip() else ""


def _why_no_report(text: str) -> str:
    from torchlock.report.own_outputs import is_report

    return "" if is_report(text) else "it is not a report of torchlock"


def _why_no_export(text: str) -> str:
    from torchlock.report.own_outputs import is_export

    return "" if is_export(text) else "it is not an exported environment"


def _why_not_emitted(text: str) -> str:
    from torchlock.report.emit import form_of

    return "" if form_of(text) else "no --emit has written it"


def _why_no_pylock(text: str) -> str:
    from torchlock.report.own_outputs import is_pylock

    return "" if is_pylock(text) else "it is not a pylock.toml"


def _why_no_list(path: str, text: str) -> str:
    """Why this is neither a lock (perhaps damaged) nor a valid list of requirements; "" if it is one.

    If the name is not that of a requirements file, the file must contain pins.
    """
    from torchlock.manifests.detection import format_of
    from torchlock.manifests.selection import read_list
    from torchlock.report.own_outputs import is_lock

    if is_lock(text):
        return ""
    try:
        listed = read_list(path)
    except InputError as error:
        return f"it cannot be read as a list of requirements: {error}"
    requirements = [written.requirement for written in listed.requirements]
    if any(each is not None and "==" in str(each.specifier) for each in requirements):
        return ""
    try:
        kind, guessed = format_of(path, text)
    except InputError:
        kind, guessed = "", True
    if kind in ("requirements", "constraints") and not guessed:
        return ""
    return "it is not known to be a list of requirements"
