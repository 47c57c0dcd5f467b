"""The options that the configuration file of a project may set. A project is not trusted, so most are limited.

An option that is missing here is refused, so that a new option is reviewed before a project may set it. The user's
own settings are the command line, the ``TORCHLOCK_*`` variables and the user's own file. The command line may set
every option; the others may set those whose row does not say ``variable=False``.
"""

from __future__ import annotations

import os
import re

from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Refusal(NamedTuple):
    """An option that a project may not set, and why; ``variable`` says whether a variable may."""

    reason: str
    variable: bool = True


def why_no_version(value: str, folder: str = os.curdir) -> str:
    """Why a value of ``python`` is refused; "" for a version, which starts no program."""
    return (
        ""
        if re.fullmatch(r"\d[\w.+-]*", value)
        else "a project may only name a Python version, not an interpreter"
    )


def why_asks_machine(value: str, folder: str = os.curdir) -> str:
    """Why a value is refused that reads the GPUs of this machine; "" for any other value."""
    asks = value.strip().lower() in ("auto", "host")
    return "a project may not ask programs of this machine for its GPUs" if asks else ""


def why_not_read(value: str, folder: str = os.curdir) -> str:
    """Why a file to read is refused; "" for one in the folder of the project."""
    if value == "-" or not _inside(value, folder):
        return "a project may only name files inside its own folder"
    return _why_irregular(value)


def why_not_written(value: str, folder: str = os.curdir) -> str:
    """Why a file to write is refused; "" for a lock in the folder of the project.

    Refused are hidden folders (``.git/hooks``, ``.venv``) and names of files that other programs read.
    """
    if value == "-":
        return ""
    if not _inside(value, folder):
        return "a project may only name a file inside its own folder"
    from pathlib import Path

    path = Path(os.path.relpath(os.path.realpath(value), os.path.realpath(folder)))
    if any(part.startswith(".") for part in path.parts):
        return "a project may not name a hidden file or folder"
    if not re.search(r"(?i)\.(txt|lock)$|^pylock(\.[^.]+)?\.toml$", path.name):
        return "a project may only name a lock: *.txt, *.lock or pylock.toml"
    return _why_irregular(value)


def why_no_index(value: str, folder: str = os.curdir) -> str:
    """Why an index is refused; "" for a URL and for a folder of the project."""
    from torchlock.index.addresses import is_local, local_path

    if is_local(value) and not _inside(str(local_path(value)), folder):
        return "a project may only name a URL, or a folder inside its own"
    return ""


def _why_irregular(value: str) -> str:
    """Why an existing path is refused that is not a regular file; reading a pipe could block forever."""
    return "" if os.path.isfile(value) or not os.path.exists(value) else "a project may only name regular files"


def _inside(path: str, folder: str) -> bool:
    """Whether a path is in a folder, after following all links."""
    if path.replace("\\", "/").startswith("//"):  # on another machine: Windows would connect and log in
        return False
    try:
        here = os.path.normcase(os.path.realpath(folder))
        return os.path.commonpath([here, os.path.normcase(os.path.realpath(path))]) == here
    except (OSError, ValueError):  # another drive, a zero byte
        return False


_READS = "it reads files outside the project"
_RUN = "it is about one run"
_WHICH = "it says which file is read"
_FILTER = "it filters one table of matrix"

# Every option of every command: None if any value is allowed, or a function that says why a value is refused.
OPTIONS: Mapping[str, Refusal | Callable[[str, str], str] | None] = {
    # configuration
    "config": Refusal(_WHICH, variable=False),
    "no-config": Refusal(_WHICH, variable=False),
    "user": Refusal(_RUN, variable=False),
    # target
    "python": why_no_version,
    "platform": None,
    "accelerator": why_asks_machine,
    "gpu": why_asks_machine,
    "system": None,
    "system-lib": None,
    "base-image": None,
    "universal": None,
    "target": None,
    "fork": None,
    "partial": None,
    "constraint-from": Refusal(_READS),
    # input
    "requirement": why_not_read,
    "constraint": why_not_read,
    "override": why_not_read,
    "extra": None,
    "all-extras": None,
    "all-groups": None,
    "group": None,
    "recursive": None,
    "docs": None,
    "stdin-name": Refusal(_RUN),
    # environment
    "path": Refusal(_READS, variable=False),
    "root": Refusal(_READS, variable=False),
    "log": Refusal(_READS, variable=False),
    "deep": None,
    "probe": Refusal("it runs the code of installed packages", variable=False),
    "probe-seconds": None,
    "export": Refusal(_RUN, variable=False),
    "report": Refusal(_RUN, variable=False),
    # choice of versions
    "upgrade": None,
    "upgrade-package": None,
    "upgrade-group": None,
    "pre": None,
    "unproven": None,
    "prefer": None,
    "exclude-newer": None,
    "allow-sdist": None,
    "build": Refusal("it runs the code of packages"),
    # sources
    "index-url": why_no_index,
    "extra-index-url": why_no_index,
    "builds-url": Refusal("it says where torch comes from"),
    "offline": None,
    "refresh": None,
    "cache-dir": Refusal("it writes outside the project"),
    "keyring-provider": Refusal("it says whether a program is run"),
    "deadline": None,
    "wheelhouse": Refusal(_RUN, variable=False),
    # data
    "from-index": Refusal(_RUN, variable=False),
    "from": Refusal(_RUN, variable=False),
    "sha256": Refusal(_RUN, variable=False),
    "everything": Refusal(_RUN, variable=False),
    # matrix
    "kind": Refusal(_FILTER, variable=False),
    "verdict": Refusal(_FILTER, variable=False),
    "driver": Refusal(_FILTER, variable=False),
    # fleet
    "paths-from": Refusal(_RUN, variable=False),
    "workers": Refusal(_RUN, variable=False),
    "scheduler": Refusal(_RUN, variable=False),
    "batch": Refusal(_RUN, variable=False),
    # output
    "output": why_not_written,
    "format": None,
    "builds-by": None,
    "emit": None,
    "no-hashes": None,
    "no-annotate": None,
    "json": None,
    "check": None,
    "dry-run": None,
    # findings
    "strict": None,
    "ignore": None,
    "fix": Refusal("it changes files"),
    "diff": None,
    # comparison of locks
    "old-name": Refusal(_RUN, variable=False),
    "new-name": Refusal(_RUN, variable=False),
    "exit-code": Refusal(_RUN, variable=False),
    # messages
    "quiet": None,
    "verbose": None,
    "color": None,
}
_UNREVIEWED = Refusal("it is not in the list of options that a project may set")


# The values that a project may set, as a regular expression of JSON Schema: at least what the functions accept.
PATTERNS: Mapping[str, str] = {
    "python": r"^\d[\w.+-]*$",
    "accelerator": r"^(?!\s*([Aa][Uu][Tt][Oo]|[Hh][Oo][Ss][Tt])\s*$)",
    "gpu": r"^(?!\s*([Aa][Uu][Tt][Oo]|[Hh][Oo][Ss][Tt])\s*$)",
    "output": r"\.([Tt][Xx][Tt]|[Ll][Oo][Cc][Kk])$|(^|/)[Pp][Yy][Ll][Oo][Cc][Kk](\.[^.]+)?\.[Tt][Oo][Mm][Ll]$|^-$",
}


def refusal(name: str, of_project: bool = True) -> Refusal | None:
    """Why the file of a project (else that of a user) may not set an option; None if it may."""
    found = OPTIONS.get(name, _UNREVIEWED)
    if not isinstance(found, Refusal) or (found.variable and not of_project):
        return None
    return found


def objection(name: str, value: object, folder: str) -> str:
    """Why the project in this folder may not set an option to this value; "" if it may."""

    found = OPTIONS.get(name)
    if found is None or isinstance(found, Refusal):
        return ""
    values = value if isinstance(value, list) else [value]
    return next((said for each in values if (said := found(str(each), folder))), "")


# Options whose values are paths, and those whose values are a URL or a path.
PATHS = frozenset({"requirement", "constraint", "override", "output", "cache-dir", "constraint-from"})
LOCATIONS = frozenset({"index-url", "extra-index-url"})


def placed(name: str, value: str, folder: str) -> str:
    """A value from a file in ``folder``, for this run: a relative path in it is relative to that folder."""
    if name == "python":
        is_path = os.sep in value or "/" in value
    elif name in LOCATIONS:
        is_path = "://" not in value and not value.startswith("file:")
    else:
        is_path = name in PATHS and value != "-"
    if not is_path or not value:
        return value
    path = os.path.expanduser(value) if value.startswith("~") else value
    here = os.path.realpath(os.curdir)
    if os.path.isabs(path) or os.path.normcase(os.path.realpath(folder)) == os.path.normcase(here):
        return path
    whole = os.path.normpath(os.path.join(folder, path))
    if name in LOCATIONS:  # A lock contains it, and pip reads it from any folder.
        return whole
    try:
        is_near = os.path.commonpath([here, os.path.realpath(folder)]) in (here, os.path.realpath(folder))
    except ValueError:  # another drive
        return whole
    return os.path.relpath(whole, here) if is_near else whole
