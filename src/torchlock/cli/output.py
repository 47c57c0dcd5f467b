"""Where results go: what ``-o`` may replace, and what it never does."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.inspect.files import is_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.cli.streams import Voice


def guard_lock(path: str, inputs: Iterable[str], *, pylock: bool) -> None:
    """Refuse to write a lock over what it is made from, or over what is neither a lock nor a list of requirements.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    hint = _hint(path, *(("pylock.toml", "pylock.new.toml") if pylock else ("requirements.txt", "locked.txt")))
    if not _will_replace(path, inputs, hint):
        return
    if not (pylock and _is_named_pylock(path)):
        is_input = not pylock and path.lower().endswith(".in")
        _refuse_owned(path, "a lock", "what a lock is made from" if is_input else _owner(path), hint)
    text = _existing(path, hint)
    reason = (_no_pylock(text) if pylock else _no_list(path, text)) if text else ""
    if reason:
        raise InputError(f"is not replaced by a lock, because {reason}", path=path, hint=hint)


def guard_report(path: str | None, inputs: Iterable[str]) -> None:
    """Refuse to write a report over anything but an earlier report; None and ``-`` are standard output.

    Raises:
        InputError: the output is a folder, an input, or a file of another kind.
    """
    from torchlock.write.recognise import is_report

    hint = "name another file with -o, like torchlock-report.txt"
    if path in (None, "-") or not _will_replace(path, inputs, hint):
        return
    _refuse_owned(path, "a report", _owner(path), hint)
    text = _existing(path, hint)
    if text and not is_report(text):
        raise InputError("is not replaced, because it is no report of torchlock", path=path, hint=hint)


def guard_export(path: str | None) -> None:
    """Refuse to write an exported environment over anything but an earlier one.

    Raises:
        InputError: the output is a folder, or a file of another kind.
    """
    from torchlock.write.recognise import is_export

    hint = "name another file with -o, like environment.in"
    if path in (None, "-") or not _will_replace(path, (), hint):
        return
    _refuse_owned(path, "a list of requirements", _owner(path), hint)
    text = _existing(path, hint)
    if text and not is_export(text):
        raise InputError("is not replaced, because it is no exported environment", path=path, hint=hint)


def put(text: str, path: str | None, voice: Voice) -> None:
    """Write a result to a file, or to standard output for None and ``-``.

    Raises:
        InputError: the file cannot be written.
    """
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    from torchlock.write.atomic import write_text

    remark = write_text(path, text).remark
    if remark:
        voice.say("note", remark)


def is_kept(path: str | None) -> bool:
    """Whether there is a regular file of this name, which a result would replace."""
    return path is not None and _is_file(path) and Path(path).is_file()


def _hint(path: str, name: str, other: str) -> str:
    return f"name another file with -o, like {other if Path(path).name.lower() == name else name}"


def _will_replace(path: str, inputs: Iterable[str], hint: str) -> bool:
    """Whether a file would be made or replaced: a device or a pipe has nothing to lose.

    Raises:
        InputError: it is a folder or an input, or there is no folder to make it in.
    """
    if not path:
        raise InputError("-o names no file", hint=hint)
    if is_folder(path):
        raise InputError("is a folder, not a file", path=path, hint=hint)
    if not _is_file(path):
        return False
    if any(_is_same(path, each) for each in inputs):
        raise InputError("is an input as well", path=path, hint=hint)
    if not is_folder(str(Path(os.path.realpath(path)).parent)):
        raise InputError("cannot be written: there is no such folder", path=path)
    return True


def _is_file(path: str) -> bool:
    from torchlock.write.atomic import is_replaceable

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
    from torchlock.dialects.names import belongs_to

    # A symbolic link is as much of a kind as the file that it leads to.
    return belongs_to(path) or belongs_to(os.path.realpath(path))


def _is_named_pylock(path: str) -> bool:
    from torchlock.dialects.names import kind_by_name

    return kind_by_name(path) == "pylock"


def _refuse_owned(path: str, what: str, owner: str, hint: str) -> None:
    if owner:
        raise InputError(f"is no place for {what}: by its name it is {owner}", path=path, hint=hint)


def _existing(path: str, hint: str) -> str:
    """The text of an existing file; "" if there is none, or it is blank.

    Raises:
        InputError: it cannot be read as text, so that nobody knows what it is.
    """
    from torchlock.read.text import decode, read_bytes

    try:
        if not Path(path).exists():
            return ""
        text = decode(read_bytes(path), path)
    except InputError as error:
        raise InputError(f"is not replaced, because it {error.message}", path=path, hint=hint) from error
    return text if text.strip() else ""


def _no_pylock(text: str) -> str:
    from torchlock.write.recognise import is_pylock

    return "" if is_pylock(text) else "it is no pylock.toml"


def _no_list(path: str, text: str) -> str:
    """Why this is neither a lock, damaged or not, nor a list of requirements that is sound.

    A name that is not one of lists for pip says nothing: such a file has to hold pins.
    """
    from torchlock.dialects.names import dialect_of
    from torchlock.read.requirements_txt import read_requirements
    from torchlock.write.recognise import is_lock

    if is_lock(text):
        return ""
    try:
        told = dialect_of(path, text)
    except InputError:
        told = None
    if told is not None and told.kind not in ("requirements", "constraints"):
        return f"its content is {told.kind}"
    try:
        listed = read_requirements(path)
    except InputError as error:
        return f"it cannot be read as a list of requirements: {error}"
    except RecursionError:
        return "what it includes is nested too deeply"
    requirements = [written.requirement for written in listed.requirements]
    pinned = any(each is not None and "==" in str(each.specifier) for each in requirements)
    if pinned or (told is not None and not told.guessed):
        return ""
    return "it is not known to be a list of requirements"
