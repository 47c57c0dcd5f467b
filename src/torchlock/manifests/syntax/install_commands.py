"""The packages that commands of pip, uv, conda, pixi, poetry, pdm and others install."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.stack import CONDA_NAMES, FAMILY
from torchlock.location import Span
from torchlock.manifests.already_satisfied import drop_satisfied, reinstalls
from torchlock.manifests.document import Entry
from torchlock.manifests.followed_scripts import SCRIPT, run_make, run_script
from torchlock.manifests.syntax.command_words import (
    ASSIGNMENT,
    PIP,
    PYTHON,
    bare,
    folders_of,
    installs,
    module_of,
    parted,
    program_of,
    read_out,
    split_first,
    values_of,
)
from torchlock.manifests.syntax.expansion import bounded
from torchlock.manifests.syntax.given_words import fed_by_find, fed_by_parallel, fed_by_xargs
from torchlock.manifests.syntax.installed import INDEX_VARIABLES, Installed, index_variable
from torchlock.manifests.syntax.installer_options import (
    CLONE_VALUED,
    CONDA_VALUED,
    INDEX_OPTIONS,
    NO_DEPS,
    SHOWS_ONLY,
    VALUED,
)
from torchlock.manifests.syntax.installer_platforms import MARKERS, platform_of
from torchlock.manifests.syntax.isolated_commands import isolated_command
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.named_files import NamedFiles
from torchlock.manifests.syntax.requirement_words import RequirementWords, swallows
from torchlock.manifests.syntax.shell import Command, Word, commands
from torchlock.manifests.syntax.virtual_environments import Environments, made_environment
from torchlock.manifests.working_folder import names_own_folder
from torchlock.records import replace
from torchlock.standards.names import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torchlock.manifests.builder import DocumentBuilder
    from torchlock.manifests.syntax.virtual_environments import MadeEnvironment

_CONDA = {"conda", "mamba", "micromamba"}
# Programs and their commands that add packages to a project.
_ADDING = {("uv", "add"), ("pdm", "add"), ("rye", "add"), ("poetry", "add"), ("pipenv", "install")}
# Commands that install the project of the folder.
_SYNCING = {("uv", "sync"), ("poetry", "install"), ("pdm", "install"), ("pdm", "sync"), ("rye", "sync")}
_SHELLS = {"sh", "bash", "zsh", "dash", "ksh"}
# No real command is nested deeper.
_DEEPEST = 20


class Installer:
    """Evaluates commands one after the other.

    ``scope`` is the scope of commands that always run.
    """

    def __init__(self, builder: DocumentBuilder, state: Installed) -> None:
        self._builder = builder
        self._state = state
        self._words = RequirementWords(builder, state)
        self._files = NamedFiles(builder, state, self._words)
        self._tool = ""
        self._depth = 0

    def take(self, command: Command) -> None:
        """Add the packages that one command installs, removes or sets."""
        words = self._assigned(list(command.words), command)
        words = bare(split_first(words, self._builder.document.text))
        called = (
            self._state.functions.commands_of(words, self._state.variables)
            if words and self._state.functions
            else None
        )
        if called is not None:
            for inner in called:
                self.take(replace(inner, branch=inner.branch or command.branch))
        elif words and self._state.environments is not None:
            self._in_environment(words, command, self._state.environments)
        else:
            self._take(words, command)

    def _in_environment(self, words: list[Word], command: Command, environments: Environments) -> None:
        """Take a command of an image. What it installs into a virtual environment is apart from the image."""
        made = made_environment(words)
        if made is not None:
            environments.make(made)
        environments.enter(words)
        entered = environments.of(words)
        if entered is None or entered.path is None:
            self._take(words, command)
            return
        state = self._state
        outside, held = state.entries, state.held
        inside = environments.install(entered)
        state.entries, state.held = list(inside), {}
        self._take(words, command)
        inside[:] = [_apart(entry, entered) for entry in state.entries]
        state.entries, state.held = outside, held

    def _take(self, words: list[Word], command: Command) -> None:
        words = module_of(words) or words
        if words:
            self._builder.step = self._state.step + 1
            self._of_program(words, command)
            self._builder.step = 0

    def _of_program(self, words: list[Word], command: Command) -> None:
        name = program_of(words[0])
        action = words[1].value if len(words) > 1 else ""
        self._tool = "uv" if name in ("uv", "uvx") else ""
        self._files.uv = self._tool == "uv"
        if PIP.fullmatch(name):
            self._pip(words[1:], command)
        elif name == "uv" and action == "pip":
            self._pip(words[2:], command)
        elif (name, action) in _ADDING:
            self._install(words[2:], command, self._words.poetry if name == "poetry" else self._words.asked)
        elif name == "pixi" and action == "add":
            pip = any(word.value == "--pypi" for word in words)
            self._install(words[2:], command, self._words.asked if pip else self._words.spec)
        elif name in _CONDA:
            self._conda(words[1:], command)
        elif name in _SHELLS:
            self._shell(words[1:], command)
        elif name in ("xargs", "parallel", "find"):
            self._fed(name, words, command)
        elif name in ("uv", "uvx", "pipx") and action not in ("sync",):
            self._apart(name, words, command)
        else:
            self._other(name, words, command)

    def _other(self, name: str, words: list[Word], command: Command) -> None:
        """A command that changes the folder, clones a repository, or installs the project of the folder."""
        action = words[1].value if len(words) > 1 else ""
        if name in ("cd", "pushd", "set-location"):
            plain = [word for word in words[1:] if word.value not in ("/d", "/D", "-Path")]
            self._state.folder.moved(_known_path(plain[0]) if plain else "")
        elif name == "git" and action == "clone":
            _, plain = parted(words[2:], CLONE_VALUED)
            if plain:
                self._state.folder.clone((plain[1] if len(plain) > 1 else plain[0]).value.removesuffix(".git"))
        elif (name, action) in _SYNCING:
            self._project(words, command)
        elif words[0].value in (".", "source") and action:
            self._script(words[1:], command, apart=False)
        elif SCRIPT.fullmatch(name) and re.match(r"[./~$]", words[0].value):
            self._script(words, command, apart=True)
        elif name in ("make", "gmake") and self._builder.document.kind != "docs":
            run_make(self._builder, self._state, words[1:], command)
        elif PYTHON.fullmatch(name) and action == "setup.py" and {"install", "develop"} & values_of(words[2:]):
            self._project([words[0]], command)

    def _project(self, words: list[Word], command: Command) -> None:
        """The project of the folder, as ``uv sync`` and the like install it."""
        from torchlock.manifests.project_commands import project_of_folder

        if values_of(words) & SHOWS_ONLY:
            return
        self._append(project_of_folder(self._builder, self._state.folder, words), command)

    def _append(self, found: Iterable[Entry], command: Command) -> None:
        self._state.step += 1
        scope = f"group:{command.branch}" if command.branch else ""
        made = [replace(entry, step=self._state.step, scope=scope, shell=True) for entry in found]
        self._state.entries += made
        self._limit_pythons(command, made)

    def _apart(self, name: str, words: list[Word], command: Command) -> None:
        """Add the packages of a separate environment, and the command that runs in it."""
        found = isolated_command(name, words[1:], VALUED)
        if found is None:
            return
        known = len(self._state.entries)
        own = found.name or f"line-{self._builder.place(words[0].start).line}"
        files = [word for option, word in found.options if option == "-r"]
        if found.requirements or files:
            self._take_up(found.requirements, found.options, command, self._words.asked)
        for index in range(known, len(self._state.entries)):
            self._state.entries[index] = replace(self._state.entries[index], scope=f"alone:{own}")
        self._within(found.behind, command)

    def _within(self, words: list[Word], command: Command) -> None:
        """The command that another one runs."""
        self._depth += 1
        if words and self._depth < _DEEPEST:
            self.take(replace(command, words=words))
        self._depth -= 1

    def _shell(self, words: list[Word], command: Command) -> None:
        """``bash -c "COMMANDS"``, ``bash SCRIPT``, or ``bash << EOF``."""
        script = next((place for place, word in enumerate(words) if not word.value.startswith(("-", "+"))), None)
        if script is not None and words[script - 1].value in ("-o", "-O", "+o", "+O") and script:
            script = script + 1 if script + 1 < len(words) else None
        if any(re.fullmatch(r"-[a-z]*c", word.value) for word in words):
            self._inner(words, command)
        elif script is not None:
            self._script(words[script:], command, apart=True)
        for redirect in command.redirects if script is None else ():
            if redirect.body is not None:
                self._text(redirect.body, command)

    def _inner(self, words: list[Word], command: Command) -> None:
        """The commands in the quotes of ``bash -c "…"``."""
        for flag, script in pairwise(words):
            if re.fullmatch(r"-[a-z]*c", flag.value) and script.content is not None:
                self._text(script.content, command)
            elif re.fullmatch(r"-[a-z]*c", flag.value) and self._depth < _DEEPEST:
                self._depth += 1
                for inner in commands(script.value, 0, len(script.value), self._state.variables):
                    # The file spells them differently, so that all of them are where the quotes begin.
                    inner.words = [
                        replace(word, start=script.start, end=script.end, content=None) for word in inner.words
                    ]
                    inner.redirects, inner.branch = [], inner.branch or command.branch
                    self.take(inner)
                self._depth -= 1

    def _text(self, span: Span, command: Command) -> None:
        """The commands in a part of the text, in a shell of their own."""
        for inner in commands(self._builder.text, *span, self._state.variables):
            inner.branch = inner.branch or command.branch
            self.take(inner)

    def _script(self, words: list[Word], command: Command, *, apart: bool) -> None:
        if self._builder.document.kind != "docs":  # which shows ways to install, and runs none
            run_script(self._builder, self._state, words, command, apart=apart)

    def _fed(self, name: str, words: list[Word], command: Command) -> None:
        """A command that gets words from elsewhere: those of a file are taken as ``-r FILE``."""
        fed = (
            fed_by_find(words)
            if name == "find"
            else (fed_by_xargs if name == "xargs" else fed_by_parallel)(words[1:], command)
        )
        if fed is None:
            return
        if not installs(fed.words):
            self._within(fed.words, replace(command, redirects=[]) if name != "find" else command)
            return
        takes_files = fed.words[-1].value in ("-r", "--requirement")
        if not fed.given.known or (takes_files and fed.given.files):
            shown = " ".join(word.value for word in words[:6])
            message = f"{shown} … is not judged: which packages {name} names to it is unknown here"
            self._builder.issue("TL902", "note", message, words[0].start)
            return
        # A command for each word has the option in front of each.
        each_has_option = takes_files and fed.one_by_one
        inner = fed.words[:-1] if each_has_option else [*fed.words, *fed.given.words]
        files = fed.given.words if each_has_option else fed.given.files
        options = [part for file in files for part in (replace(file, value="-r", unknown=()), file)]
        known, before = len(self._state.entries), self._state.step
        self._within([*inner, *options], replace(command, redirects=[], feeder=None))
        if fed.one_by_one:
            self._one_by_one(known, before)

    def _one_by_one(self, known: int, step: int) -> None:
        """The entries behind the first ones are each installed by its own command."""
        for number, entry in enumerate(self._state.entries[known:], step + 1):
            entry.step = number
            self._state.step = max(self._state.step, number)

    def variable(self, name: str, value: str | None, at: int) -> None:
        """Record the value of a variable, which may name indexes."""
        self._state.variables[name] = bounded(value)
        index_variable(self._builder, name, value, at)

    def _assigned(self, words: list[Word], command: Command) -> list[Word]:
        """The words behind the assignments at the start of a command; assignments without a command stay set."""
        if words and words[0].value in ("export", "declare", "local", "readonly", "typeset"):
            words = [word for word in words[1:] if not word.value.startswith("-")]
        count = 0
        while count < len(words) and ASSIGNMENT.fullmatch(words[count].value):
            count += 1
        for word in words[:count]:
            match = ASSIGNMENT.fullmatch(word.value)
            assert match is not None
            known = not word.unknown and not (command.branch and match[1] in self._state.variables)
            if self._state.environments is not None and count == len(words):
                self._state.environments.assign(match[1], match[2])
            if count == len(words) or match[1] in INDEX_VARIABLES:
                self.variable(match[1], match[2] if known else None, word.start)
        return words[count:]

    def _pip(self, words: list[Word], command: Command) -> None:
        action = next((place for place, word in enumerate(words) if not word.value.startswith("-")), None)
        if action is None:
            return
        name, rest = words[action].value, words[:action] + words[action + 1 :]
        if name == "install":
            self._state.keeps = not reinstalls(word.value for word in rest)
            self._install(rest, command, self._words.asked)
            self._state.keeps = False
        elif name == "uninstall" and not command.branch:
            self._remove(rest)
        elif name == "config":
            self._configure([word for word in rest if not word.value.startswith("-")])

    def _configure(self, words: list[Word]) -> None:
        """``pip config set global.index-url ADDRESS``, for the commands that follow."""
        if len(words) > 2 and words[0].value == "set":
            kind = INDEX_OPTIONS.get("--" + words[1].value.rpartition(".")[2])
            for address in words[2].value.split() if kind else ():
                self._builder.index(kind or "", address, words[2].start)

    def _remove(self, words: list[Word]) -> None:
        names = {normalise(word.value) for word in words}
        self._state.entries = [entry for entry in self._state.entries if entry.name not in names]
        self._state.held = {name: version for name, version in self._state.held.items() if name not in names}

    def _install(self, words: list[Word], command: Command, read: Callable[[Word], Iterator[Entry]]) -> None:
        """Evaluate one command: its options, then its requirements."""
        options, plain = parted(words, VALUED)
        flags = values_of(words)
        if flags & SHOWS_ONLY:
            return
        bare = not flags.isdisjoint(NO_DEPS)
        if bare:
            folders = set(map(id, folders_of(plain, options)))
            options = [(name, word) for name, word in options if id(word) not in folders]
            plain = [word for word in plain if id(word) not in folders]
        if "--all-extras" in flags:
            options = [*options, ("--extra", Word("all", words[0].start, words[0].start))]
        known = len(self._state.entries)
        plain, options = read_out(plain, options)
        self._take_up(plain, options, command, read)
        for entry in self._state.entries[known:] if bare else ():
            entry.no_deps = True

    def _take_up(
        self,
        plain: list[Word],
        options: list[tuple[str, Word]],
        command: Command,
        read: Callable[[Word], Iterator[Entry]],
    ) -> None:
        self._state.step += 1
        self._words.redirected(command)
        platforms = self._platforms(options)
        addresses = [(INDEX_OPTIONS[name], word) for name, word in options if name in INDEX_OPTIONS]
        swallowed = {
            id(redirect.glued) for redirect in command.redirects if swallows(redirect.operator, redirect.target)
        }
        found: list[Entry] = []
        for word in plain:
            found += [replace(entry, version=None) if id(word) in swallowed else entry for entry in read(word)]
        for name, word in options:
            if name in ("-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints"):
                found += self._files.file(word, constraint="c" in name[:3], options=options)
        for word in folders_of(plain, options):
            found += self._files.folder(word)
        index = self._indexes(addresses)
        for word in plain:
            if word.unknown and not re.match(r"['\"]?\w", word.value):
                # It may contain options, such as an index.
                self._builder.index("extra", word.value, word.start, step=self._state.step)
        scope = f"group:{command.branch}" if command.branch else ""
        made = [
            replace(
                entry,
                step=self._state.step,
                scope=scope,
                index=entry.index or index,
                shell=True,
                marker=both(entry.marker, platforms),
            )
            for entry in found
        ]
        backend = next((word.value for name, word in options if name == "--torch-backend"), None)
        if backend:
            made = [replace(entry, index=entry.index or _page(entry.name, backend)) for entry in made]
        if self._state.keeps:
            earlier = self._state.present.by_package(self._state.entries)
            made = [replace(entry, keeps=True) for entry in drop_satisfied(made, earlier, self._state.held)]
        self._state.entries += made
        self._limit_pythons(command, made)

    def _platforms(self, options: list[tuple[str, Word]]) -> str:
        """A marker of the platforms that a command installs for; "" for those that it runs on."""
        found: list[str] = []
        for name, word in options:
            if name not in ("--platform", "--python-platform") or word.unknown:
                continue
            platform = platform_of(word.value)
            if platform is None:
                message = f"unknown platform {word.value}: not judged for this platform"
                self._builder.issue("TL902", "note", message, word.start)
            elif MARKERS[platform] not in found:
                found.append(MARKERS[platform])
        return " or ".join(found)

    def _indexes(self, addresses: list[tuple[str, Word]]) -> str | None:
        """The one index of all packages of a command; other indexes are recorded for the file."""
        values = [(kind, _address(word.value), word) for kind, word in addresses]
        if len(values) == 1 and values[0][0] == "index":
            return values[0][1]
        for kind, address, word in values:
            kind = "find-links" if kind == "find-links" else "extra"
            self._builder.index(kind, address, word.start, tool=self._tool, step=self._state.step)
        return None

    def _limit_pythons(self, command: Command, made: list[Entry]) -> None:
        """An environment with a project has one of its Pythons, for every package in it."""
        found, before = self._builder.done.pythons, self._state.pythons
        if found and not command.branch:
            self._state.pythons = both(before, *found)
        found.clear()
        for entry in made if self._state.pythons == before else self._state.entries:
            entry.marker = both(entry.marker, self._state.pythons)

    def _conda(self, words: list[Word], command: Command) -> None:
        """``conda install``, ``conda create``, ``conda remove``, and commands run in an environment."""
        options, plain = parted(words, CONDA_VALUED)
        action = plain[0].value if plain else ""
        if _asks_for_strict_channels([word.value for word in words]):
            self._builder.document.strict_channels = True
        if action == "run":
            self._within(words[words.index(plain[1]) :] if len(plain) > 1 else [], command)
        elif values_of(words) & SHOWS_ONLY:
            return
        elif action in ("remove", "uninstall") and not command.branch:
            self._remove([replace(word, value=CONDA_NAMES.get(word.value, word.value)) for word in plain[1:]])
        elif action == "env" or (action in ("install", "create", "update") and _files(options)):
            self._append([entry for word in _files(options) for entry in self._files.environment(word)], command)
        if action in ("install", "create", "update", "upgrade"):
            self._state.step += 1
            scope = f"group:{command.branch}" if command.branch else ""
            named = tuple(word.value for name, word in options if name in ("-c", "--channel") and not word.unknown)
            step = self._state.step
            for word in plain[1:]:
                for entry in self._words.spec(word):
                    made = replace(entry, step=step, scope=scope, shell=True, channels=named)
                    self._state.entries.append(made)


def _asks_for_strict_channels(values: list[str]) -> bool:
    """``conda config --set channel_priority strict``, or the option of one command."""
    return "--strict-channel-priority" in values or ("channel_priority", "strict") in pairwise(values)


def _apart(entry: Entry, made: MadeEnvironment) -> Entry:
    """An entry in the scope of its virtual environment, with the Python of that."""
    if entry.scope.startswith("alone:"):
        return entry
    branch = entry.scope.removeprefix("group:")
    marker = f"python_version == '{made.python}'" if made.python else ""
    scope = f"alone:{'-'.join(filter(None, (made.path, branch)))}"
    return replace(entry, scope=scope, marker=both(entry.marker, marker))


def _known_path(word: Word) -> str | None:
    """The path in a word; None if it has an unknown value, unless this is the folder of the script."""
    return None if word.unknown and not names_own_folder(word.value) else word.value


def _files(options: Iterable[tuple[str, Word]]) -> list[Word]:
    """The environment files of conda in options."""
    return [word for name, word in options if name in ("-f", "--file")]


def _page(name: str, backend: str) -> str | None:
    """The index of a torch package under uv's ``--torch-backend``; ``auto`` depends on the machine."""
    return page_of(backend) if name in FAMILY else None


def _address(value: str) -> str:
    """An address; uv allows a name in front of it (``name=address``)."""
    return value.partition("=")[2] if re.match(r"[\w-]+=\w+://", value) else value
