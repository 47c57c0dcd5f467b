"""Scripts and targets of make that a command runs: ``bash install.sh``, ``source env.sh``, ``make install``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.builder import DocumentBuilder, Done
from torchlock.manifests.followed import take_issues
from torchlock.manifests.shell_functions import Functions, functions_of
from torchlock.manifests.syntax.shell import Word, commands
from torchlock.manifests.text import read_text
from torchlock.manifests.working_folder import names_own_folder
from torchlock.patterns import pattern
from torchlock.records import replace

if TYPE_CHECKING:
    from torchlock.manifests.document import Entry
    from torchlock.manifests.syntax.installed import Installed
    from torchlock.manifests.syntax.shell import Command

SCRIPT = pattern(r"[^\s*?]*\.(?:sh|bash|zsh)")
# Whoever makes a virtual environment writes it.
_ACTIVATES = pattern(r"activate(?:\.\w+)?")
_INSTALLS = pattern(r"\b(?:pip3?|conda|mamba|uv|poetry|pdm|pixi)\b")
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_MAKE_VALUED = {"-C", "--directory", "-f", "--file", "--makefile", "-j", "--jobs", "-o", "-W", "-I", "-l"}
_ASSIGNED = pattern(r"([A-Za-z_]\w*)[:?+]?=(.*)", re.DOTALL)
# No real script leads deeper, and no real file runs more.
_DEEPEST, _MOST = 8, 200
# All scripts that one file runs together have fewer characters.
_MOST_CHARACTERS = 2_000_000


def run_script(
    builder: DocumentBuilder, state: Installed, words: list[Word], command: Command, *, apart: bool
) -> None:
    """Take the commands of a script of the project; ``words`` are the script and its arguments.

    ``apart``: it runs in a separate process, so that its variables and its folder end with it. A script that is
    not in the project gets a note, unless this file or another one seems to bring it.
    """
    word = words[0]
    path = _path(builder, state, word)
    if path is None or _ACTIVATES.fullmatch(PurePosixPath(path).name):
        _tell_missing(builder, state, word)
        return
    inner = _begun(builder, path, word, "shell")
    if inner is None:
        return
    theirs = _state(builder, state, words[1:]) if apart else state
    known = {id(entry) for entry in state.entries}
    _run(inner, theirs, command, PurePosixPath(path).name)
    state.held, state.step, state.folder.clones = theirs.held, theirs.step, theirs.folder.clones
    at = builder.place(word.start)
    state.entries = [each if id(each) in known else _via(each, at) for each in theirs.entries]
    _ended(builder, inner, word)


def run_make(builder: DocumentBuilder, state: Installed, words: list[Word], command: Command) -> None:
    """Take the recipes of the targets of a Makefile of the project: ``make -C FOLDER NAME=VALUE TARGET``.

    ``words`` are behind ``make``. Without a Makefile in the project, make builds other code.
    """
    options, targets, variables = _parted(words)
    if any(word.unknown for word in [*options.values(), *targets]):
        return
    at = targets[0] if targets else next(iter(options.values()), None)
    folder = options["-C"].value if "-C" in options else ""
    names = (options["-f"].value,) if "-f" in options else _MAKEFILES
    place = Word("make", builder_start(words, command), 0) if at is None else at
    for name in names:
        path = _path(builder, state, replace(place, value=str(PurePosixPath(folder, name)), unknown=()))
        if path is not None:
            break
    else:
        return
    inner = _begun(builder, path, place, "make", " ".join(word.value for word in targets))
    if inner is None:
        return
    from torchlock.manifests.formats.makefile import entries_of_targets

    entries, steps = entries_of_targets(inner, [word.value for word in targets], variables)
    scope = f"group:{command.branch}" if command.branch else ""
    via = builder.place(place.start)
    state.entries += [
        _via(replace(each, step=each.step + state.step, scope=each.scope or scope), via) for each in entries
    ]
    state.step += steps
    _ended(builder, inner, place)


def builder_start(words: list[Word], command: Command) -> int:
    """Where a command without arguments stands."""
    return words[0].start if words else command.words[0].start if command.words else 0


def _path(builder: DocumentBuilder, state: Installed, word: Word) -> str | None:
    """The file of the project that a word means; None if it means none, or an unknown one."""
    value = word.value
    if word.unknown:
        if not names_own_folder(value):
            return None
        # "$(dirname "$0")/install.sh" is beside the script, or below the root of the checkout.
        value = value[max(value.rfind(f"{sign}/") for sign in ")}\"'`") + 2 :]
    located = state.folder.file(builder.path, value)
    return None if located.foreign else located.path


def _tell_missing(builder: DocumentBuilder, state: Installed, word: Word) -> None:
    """A note about a script that should be in the project, and is not; others come from elsewhere."""
    value = word.value.removeprefix("./")
    if word.unknown and not _ACTIVATES.fullmatch(PurePosixPath(value).name):
        names = ", ".join(dict.fromkeys(word.unknown))
        message = f"{value} is run and not judged: the value of {names} is unknown here"
        builder.issue("TL902", "note", message, word.start)
    if word.unknown or not SCRIPT.fullmatch(value) or value.startswith(("/", "~", "../")):
        return
    comes = builder.text.count(PurePosixPath(value).name) > 1  # as by curl, git or a heredoc
    if comes or state.folder.here is None or state.folder.clones:
        return
    message = f"{word.value} is not in this project, so what it installs is not judged"
    builder.issue("TL901", "note", message, word.start)


def _begun(builder: DocumentBuilder, path: str, word: Word, kind: str, part: str = "") -> DocumentBuilder | None:
    """A builder for the text of a file that runs now; None if it cannot be read, or leads to itself.

    ``part`` are the targets of a Makefile, which may run others of the same file.
    """
    done, running = builder.done, f"{path}\0{part}"
    if running in done.running:
        return None
    if len(done.running) >= _DEEPEST or len(done.scripts) >= _MOST or sum(done.scripts) > _MOST_CHARACTERS:
        builder.issue("TL902", "note", f"{path} is not judged: too many scripts run others", word.start)
        return None
    try:
        text = read_text(path)
    except InputError as error:
        stop = builder.error(f"{path}: {error.message}", word.start, hint=error.hint)
        builder.issue("TL901", "note", f"{path} is not judged: {error.message}", word.start, error=stop)
        return None
    done.scripts.append(len(text))
    done.running.append(running)
    inner = DocumentBuilder(text, path, kind)
    inner.done = Done(
        files=done.files,
        entries=done.entries,
        pythons=done.pythons,
        environments=done.environments,
        scripts=done.scripts,
        running=done.running,
    )
    return inner


def _ended(builder: DocumentBuilder, inner: DocumentBuilder, word: Word) -> None:
    """Take the indexes, issues and included files of a file that has run."""
    builder.done.running.pop()
    builder.done.entries = inner.done.entries
    for line in inner.document.indexes:
        builder.index(line.kind, line.address, word.start, tool=line.tool, step=line.steps[0] if line.steps else 0)
    take_issues(builder, inner.document, {""}, word.start)
    for path in (inner.path, *inner.document.includes):
        if path not in builder.document.includes:
            builder.document.includes.append(path)


def _state(builder: DocumentBuilder, state: Installed, arguments: list[Word]) -> Installed:
    """The state of a process that a command starts: of the variables it gets those of the environment.

    A shell passes only exported variables on: of a script it is not known which these are.
    """
    passed = dict(state.variables) if builder.document.kind in ("dockerfile", "workflow") else {}
    own = {str(number): None if word.unknown else word.value for number, word in enumerate(arguments[:9], 1)}
    shell = None if state.environments is None else state.environments.new_shell()
    return replace(
        state,
        variables={**passed, **own},
        folder=replace(state.folder),
        environments=shell,
        entries=list(state.entries),
    )


def _run(inner: DocumentBuilder, state: Installed, command: Command, name: str) -> None:
    """Take the commands of a script; those of its functions where they are called."""
    from torchlock.manifests.syntax.install_commands import Installer

    functions = Functions(inner.text, {each.name: each for each in functions_of(inner.text)})
    outer, state.functions = state.functions, functions
    installer = Installer(inner, state)
    for each in commands(inner.text, 0, len(inner.text), state.variables):
        if functions.defines(each):
            continue
        own = f"{name}-{each.branch}" if each.branch else ""
        each.branch = "-".join(filter(None, (command.branch, own)))
        installer.take(each)
    state.functions = outer
    for function in functions.by_name.values():
        if function.name not in functions.called and _INSTALLS.search(inner.text, *function.span):
            message = "a function of this script is not judged here: whether it is called is unknown"
            inner.issue("TL902", "note", message, function.span.start)


def _via(entry: Entry, at: object) -> Entry:
    return replace(entry, version=None, via=at)  # type: ignore[arg-type]


def _parted(words: list[Word]) -> tuple[dict[str, Word], list[Word], dict[str, str | None]]:
    """The options of make with a value, its targets, and the variables that it gets."""
    options: dict[str, Word] = {}
    targets: list[Word] = []
    variables: dict[str, str | None] = {}
    at = 0
    while at < len(words):
        word = words[at]
        assigned = _ASSIGNED.fullmatch(word.value)
        if word.value in _MAKE_VALUED and at + 1 < len(words):
            name = {"--directory": "-C", "--file": "-f", "--makefile": "-f"}.get(word.value, word.value)
            if name in ("-C", "-f"):
                options[name] = words[at + 1]
            at += 0 if name in ("-j", "-l") and not words[at + 1].value.isdigit() else 1
        elif assigned:
            variables[assigned[1]] = None if word.unknown else assigned[2]
        elif not word.value.startswith("-"):
            targets.append(word)
        at += 1
    return options, targets, variables
