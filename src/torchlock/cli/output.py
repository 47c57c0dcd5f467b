"""Where results go: what ``-o`` may replace, and what it never does."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.cli.streams import deliver
from torchlock.errors import InputError
from torchlock.runtime.files import is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchlock.cli.streams import Console


def guard_lock(path: str, inputs: Iterable[str], *, pylock: bool) -> None:
    """Refuse to write a lock over what it is made from, or over what is neither a lock nor a list of requirements.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    if pylock:
        hint = _hint(path, "pylock.toml", "pylock.new.toml")
        _guard(path, inputs, "a lock", _no_pylock, _owner_of_pylock, hint)
    else:
        hint = _hint(path, "requirements.txt", "locked.txt")
        _guard(path, inputs, "a lock", lambda text: _no_list(path, text), _owner_of_list, hint)


def guard_report(path: str | None, inputs: Iterable[str]) -> None:
    """Refuse to write a report over anything but an earlier report; None and ``-`` are standard output.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    if path is not None and path != "-":
        hint = "name another file with -o, like torchlock-report.txt"
        _guard(path, inputs, "a report", _no_report, _owner, hint)


def guard_export(path: str | None) -> None:
    """Refuse to write an exported environment over anything but an earlier one.

    Raises:
        InputError: the output is a folder, or a file of another kind.
    """
    if path is not None and path != "-":
        hint = "name another file with -o, like environment.in"
        _guard(path, (), "an exported environment", _no_export, _owner, hint)


def put(text: str, path: str | None, console: Console, *, whole: bool = False) -> bool:
    """Write a result to a file, or to standard output for None and ``-``; returns whether all of it was taken.

    ``whole``: it is worth nothing in part, so that a reader who leaves before its end is told.

    Raises:
        InputError: the file cannot be written; or standard output fails, though it is to take the whole.
    """
    if path is None or path == "-":
        if whole:
            return deliver(text, console)
        sys.stdout.write(text)
        return True
    from torchlock.report.atomic import write_text

    written = write_text(path, text)
    if written.remark:
        console.say("warning" if whole and not written.whole else "note", written.remark)
    return written.whole


def is_kept(path: str | None) -> bool:
    """Whether there is a regular file of this name, which a result would replace."""
    return path is not None and _is_file(path) and Path(path).is_file()


def is_of_others(path: str) -> bool:
    """Whether this file holds anything, and torchlock did not make it as a lock: perhaps somebody wrote it."""
    from torchlock.report.own_outputs import is_own_lock

    text = _existing(path, "") if is_kept(path) else ""
    return bool(text) and not is_own_lock(text)


def _hint(path: str, name: str, other: str) -> str:
    return f"name another file with -o, like {other if Path(path).name.lower() == name else name}"


def _guard(
    path: str,
    inputs: Iterable[str],
    what: str,
    why_not: Callable[[str], str],
    owner_of: Callable[[str], str],
    hint: str,
) -> None:
    """Refuse an output that is not ours. A device or a pipe has nothing to lose, so that it is never refused.

    What is open already (``/dev/fd/3``) is refused only where it is an input.

    ``owner_of`` says what a file is by its name, "" if that says nothing; ``why_not`` says of the text of an
    existing file why it is nothing that ``what`` may replace, "" if it may.
    """
    if not path:
        raise InputError("-o names no file", hint=hint)
    if is_folder(path):
        raise InputError("is a folder, not a file", path=path, hint=hint)
    replaced = _is_file(path)
    if (replaced or Path(path).is_file()) and any(_is_same(path, each) for each in inputs):
        raise InputError("is an input as well", path=path, hint=hint)
    if not replaced:
        return
    if not is_folder(str(Path(os.path.realpath(path)).parent)):
        raise InputError("cannot be written: there is no such folder", path=path)
    owner = owner_of(path)
    if owner:
        raise InputError(
            f"is not written: it has the name of {owner}, not of {what} that torchlock writes",
            path=path,
            hint=hint,
        )
    text = _existing(path, hint)
    reason = why_not(text) if text else ""
    if reason:
        raise InputError(f"is not replaced by {what}, because {reason}", path=path, hint=hint)


def _is_file(path: str) -> bool:
    from torchlock.report.atomic import is_replaceable

    try:
        return is_replaceable(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot be written ({reason})", path=path) from error


def _is_same(path: str, other: str) -> bool:
    """Whether two names are of one file, whatever links or spellings lead there; ``-`` is what is read from."""
    try:
        if other == "-":
            return not os.isatty(0) and os.path.samestat(os.fstat(0), Path(path).stat())
        return os.path.realpath(path) == os.path.realpath(other) or Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def _owner(path: str) -> str:
    from torchlock.manifests.detection import belongs_to

    # A symbolic link is as much of a kind as the file that it leads to.
    return belongs_to(path) or belongs_to(os.path.realpath(path))


def _owner_of_list(path: str) -> str:
    return "an input of a lock" if path.lower().endswith(".in") else _owner(path)


def _owner_of_pylock(path: str) -> str:
    from torchlock.manifests.detection import kind_by_name

    return "" if kind_by_name(os.path.realpath(path)) == "pylock" else _owner(path)


def _existing(path: str, hint: str) -> str:
    """The text of an existing file; "" if there is none, or it is blank.

    Raises:
        InputError: it cannot be read as text, so that nobody knows what it is.
    """
    from torchlock.manifests.decoding import decode_strictly
    from torchlock.manifests.text import read_bytes

    try:
        if not Path(path).exists():
            return ""
        text = decode_strictly(read_bytes(path), path)
    except InputError as error:
        raise InputError(f"is not replaced, because it {error.message}", path=path, hint=hint) from error
    return text if text.strip() else ""


def _no_report(text: str) -> str:
    from torchlock.report.own_outputs import is_report

    return "" if is_report(text) else "it is no report of torchlock"


def _no_export(text: str) -> str:
    from torchlock.report.own_outputs import is_export

    return "" if is_export(text) else "it is no exported environment"


def _no_pylock(text: str) -> str:
    from torchlock.report.own_outputs import is_pylock

    return "" if is_pylock(text) else "it is no pylock.toml"


def _no_list(path: str, text: str) -> str:
    """Why this is neither a lock, damaged or not, nor a list of requirements that is sound.

    A name that is not one of lists for pip says nothing: such a file has to hold pins.
    """
    from torchlock.manifests.detection import format_of
    from torchlock.manifests.lock_readers.requirements_txt import read_requirements
    from torchlock.report.own_outputs import is_lock

    if is_lock(text):
        return ""
    try:
        listed = read_requirements(path)
    except InputError as error:
        return f"it cannot be read as a list of requirements: {error}"
    except RecursionError:
        return "what it includes is nested too deeply"
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
