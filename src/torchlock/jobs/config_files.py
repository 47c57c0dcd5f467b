"""Find and read configuration files: of the project, found upward from a folder, and of the user."""

from __future__ import annotations

import os
import sys
from functools import cached_property

from torchlock.errors import InputError
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN, PROJECT = "torchlock.toml", "pyproject.toml"
TABLE = "[tool.torchlock]"
# The variable that names the file, as --config does; and the one that forbids all files, as --no-config does.
NAMED_BY, FORBIDDEN_BY = "TORCHLOCK_CONFIG_FILE", "TORCHLOCK_NO_CONFIG"
# A configuration file above this size is not read.
_LARGEST = 16 << 20
_KEYS = ("tool", "torchlock")
_NAMES = f"--config and {NAMED_BY} name a {OWN}, or a {PROJECT} with the table {TABLE}"


class ConfigFile(NamedTuple):
    """The settings of one file. ``values`` are by option name; paths in them are relative to ``folder``.

    ``shown`` is the path for messages. ``of_project``: the file may come from a clone, so it may set only what is
    harmless (``jobs/project.py``). ``keys`` is the path of the table in the document, empty for all of it.
    ``targets`` are the tables ``[[target]]``, which describe targets and set no option; nor do ``conflicts``, the
    extras and groups that exclude each other (None: not set; checked by ``declared_conflicts``).
    """

    path: str
    shown: str
    of_project: bool
    keys: tuple[str, ...]
    values: Mapping[str, Any]
    text: str
    targets: Sequence[Mapping[str, Any]] = ()
    conflicts: Any = None

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path)

    def line(self, name: str, *item: int | str) -> int | None:
        """The line of a key, or of one item of its array, or of a key in that item."""
        from torchlock.manifests.syntax.toml import Tree

        tree = Tree(self.text, self.shown)
        depth, spelled = len(self.keys), (name, name.replace("-", "_"))
        paths = [path for path in tree.keys if path[:depth] == self.keys and path[depth : depth + 1]]
        named = [path for path in paths if path[depth] in spelled]
        found = [(*self.keys, each, *item) for each in spelled if (*self.keys, each, *item) in tree.keys]
        if item and found:  # also in one table of several
            return tree.line(*found[0])
        # Of a dotted key, the name is only a part of the path.
        whole = [tree.line(*path, *item) for path in named if not path[depth + 1 :]]
        return max(filter(None, whole), default=None) or next((tree.line(*path) for path in named), None)

    def wrong(self, said: str, name: str, hint: str | None = None, item: int | None = None) -> InputError:
        """An error about a key, with its line. ``said`` begins with a space or a colon."""
        message = f"{TABLE}{said}" if self.keys else said.removeprefix(":").lstrip()
        line = self.line(name) if item is None else self.line(name, item)
        return InputError(message, path=self.shown, line=line, hint=hint)


class Choice(NamedTuple):
    """Which files a run reads: only the one ``named``; none if ``forbidden``; else those of project and user."""

    named: str | None = None
    forbidden: bool = False

    @classmethod
    def of(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Choice:
        """The choice of the command line, else of the variables.

        Raises:
            InputError: --config and --no-config are both given.
        """
        named = _value_of("--config", argv)
        if "--no-config" in argv:
            if named is not None:
                raise InputError("--config and --no-config exclude each other", hint="use only one of them")
            return cls(forbidden=True)
        if named is not None:
            return cls(named)
        forbidden = environ.get(FORBIDDEN_BY, "").lower()
        if forbidden not in ("", "0", "false", "no", "1", "true", "yes"):
            raise InputError(f"{FORBIDDEN_BY}: {forbidden!r} is neither true nor false")
        if forbidden in ("1", "true", "yes"):
            return cls(forbidden=True)
        return cls(environ.get(NAMED_BY) or None)


class Finder:
    """Finds the configuration for folders; each file is read once. ``notes`` are for standard error."""

    def __init__(self, choice: Choice, environ: Mapping[str, str]) -> None:
        self.notes: list[str] = []
        self.choice = choice
        self._environ = environ
        self._nearest: dict[str, ConfigFile | None] = {}

    def files(self, folder: str) -> list[ConfigFile]:
        """The files whose settings count in an absolute folder ("": unknown), the strongest first.

        Raises:
            InputError: one of them cannot be used.
        """
        if self.choice.forbidden:
            return []
        if self.choice.named is not None:
            return [_named(self.choice.named)]
        found = [self._nearest_to(folder) if folder else None, self._of_user]
        return [file for file in found if file is not None]

    def _nearest_to(self, folder: str) -> ConfigFile | None:
        """The nearest file of a project, in this folder or above it."""
        passed: list[str] = []
        file, each = None, folder
        while file is None:
            if each in self._nearest:
                file = self._nearest[each]
                break
            passed.append(each)
            file = self._in(each, folder)
            above = os.path.dirname(each)
            if above == each:
                break
            each = above
        self._nearest.update(dict.fromkeys(passed, file))
        return file

    def _in(self, folder: str, start: str) -> ConfigFile | None:
        for name in (OWN, PROJECT):
            path = os.path.join(folder, name)
            raw = _content(path)
            if raw is None or (name == PROJECT and b"torchlock" not in raw):
                continue
            if _is_of_another_user(path, start):
                self.notes.append(
                    f"{path} is not used, because it belongs to another user; --config {path} uses it"
                )
                continue
            if found := _parsed(raw, path, _shown(path), of_project=True):
                return found
        return None

    @cached_property
    def _of_user(self) -> ConfigFile | None:
        path = user_file(self._environ)
        raw = None if path is None else _content(path)
        return None if path is None or raw is None else _parsed(raw, path, path, of_project=False)


def current_folder() -> str:
    """The current folder, links followed; "" if it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def user_file(environ: Mapping[str, str]) -> str | None:
    """The path of the user's own configuration file; None if there is no home folder."""
    if sys.platform == "win32" and (roaming := environ.get("APPDATA")):
        return os.path.join(roaming, "torchlock", OWN)
    shared = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(shared) and not os.path.isabs(home):
        return None
    return os.path.join(shared if os.path.isabs(shared) else os.path.join(home, ".config"), "torchlock", OWN)


def _named(path: str) -> ConfigFile:
    """The file that the user names. A pyproject.toml stays that of a project, whoever names it.

    Raises:
        InputError: it cannot be read, or is a pyproject.toml without the table.
    """
    raw = _content(path)
    if raw is None:
        is_there = os.path.lexists(path)
        what = "it is not a file that can be read" if is_there else "there is no such file"
        raise InputError(f"cannot be read as configuration: {what}", path=path, hint=_NAMES)
    of_project = os.path.basename(path) == PROJECT
    found = _parsed(raw, os.path.abspath(path), path, of_project=of_project)
    if found is None:
        raise InputError(f"has no table {TABLE}", path=path, hint=_NAMES)
    return found


def _content(path: str) -> bytes | None:
    """The content of a configuration file; None if there is none. A pyproject.toml may be there for other tools.

    Raises:
        InputError: a torchlock.toml is there and cannot be read, or the file is too large.
    """
    from torchlock.runtime import files

    try:
        raw = files.read(path, _LARGEST)
    except OSError as error:
        if os.path.basename(path) == OWN and os.path.isfile(path):
            raise InputError(f"cannot be read ({error.strerror or error})", path=path) from error
        return None
    if len(raw) == _LARGEST:
        raise InputError("is too large to be read", path=path)
    return raw


def _parsed(raw: bytes, path: str, shown: str, *, of_project: bool) -> ConfigFile | None:
    """The settings in a document; None for a pyproject.toml without the table.

    Raises:
        InputError: it is not valid TOML, the table is not a table, or a key is written in both spellings.
    """
    from torchlock.manifests.syntax.toml_values import parse_toml
    from torchlock.redaction import learn

    keys = _KEYS if os.path.basename(path) == PROJECT else ()
    table: Any = parse_toml(raw, shown)
    if keys:
        tools = table.get("tool")
        if not isinstance(tools, dict) or "torchlock" not in tools:
            return None
        table = tools["torchlock"]
        if not isinstance(table, dict):
            raise _not_a_table(raw, shown)
    values: dict[str, Any] = {}
    text = raw.decode("utf-8-sig", "replace")
    learn(text)
    file = ConfigFile(path, shown, of_project, keys, values, text)
    targets = table.get("target")
    if isinstance(targets, dict):
        name = ".".join([*keys, "target"])
        hint = f"write [[{name}]], with two brackets: each target is a table of a list"
        raise InputError(f"[{name}] is a single table", path=shown, line=file.line("target"), hint=hint)
    if isinstance(targets, list) and all(isinstance(each, dict) for each in targets):
        file = file._replace(targets=targets)
        table = {name: value for name, value in table.items() if name != "target"}
    if "conflicts" in table:
        file = file._replace(conflicts=table["conflicts"])
        table = {name: value for name, value in table.items() if name != "conflicts"}
    for name, value in table.items():
        spelled = str(name).replace("_", "-")
        if spelled in values:
            raise file.wrong(f": {spelled} is set twice, as {spelled} and as {spelled.replace('-', '_')}", spelled)
        values[spelled] = value
    return file


def _not_a_table(raw: bytes, shown: str) -> InputError:
    from torchlock.manifests.syntax.toml import Tree

    line = Tree(raw.decode("utf-8", "replace"), shown).line(*_KEYS, 0)
    return InputError(f"{TABLE} is not a table", path=shown, line=line)


def _shown(path: str) -> str:
    """A path for messages: relative if the file is in the current folder, above or below it."""
    here, folder = os.path.realpath(os.curdir), os.path.dirname(path)
    try:
        is_near = os.path.commonpath([here, folder]) in (here, folder)
    except ValueError:  # another drive
        return path
    return os.path.relpath(path, here) if is_near else path


def _is_of_another_user(path: str, start: str) -> bool:
    """Whether a file belongs neither to this user, nor to the administrator, nor to the owner of ``start``.

    Everybody may put a file into a folder above, like /tmp, and its settings name indexes.
    """
    if not hasattr(os, "geteuid"):
        return False
    try:
        owner = os.stat(path).st_uid
        return owner not in (0, os.geteuid(), os.stat(start).st_uid)
    except OSError:
        return True


def _value_of(option: str, argv: Sequence[str]) -> str | None:
    """The value of an option on the command line, before it is parsed.

    Raises:
        InputError: it is given twice, with two values.
    """
    found: str | None = None
    for at, word in enumerate(argv):
        if word == option and at + 1 < len(argv):
            value = argv[at + 1]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
        else:
            continue
        if found not in (None, value):
            raise InputError(
                f"{option} {found} and {option} {value}: this option takes one value", hint="use only one of them"
            )
        found = value
    return found
