"""Dockerfiles: stages, their base images, build arguments, and the commands of RUN."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.images import Image, image_of
from torchlock.knowledge.stack import FAMILY
from torchlock.location import Span
from torchlock.manifests.document import Entry
from torchlock.manifests.paths import beside, is_folder
from torchlock.manifests.replaced_torch import warn_of_left_companions
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import Installed, index_variable
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.shell import Command, Word, commands
from torchlock.manifests.syntax.virtual_environments import Environments
from torchlock.manifests.vendor_images import beside_vendor, replaces_torch
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.builder import DocumentBuilder

_INSTRUCTION = pattern(r"[ \t]*([A-Za-z]+)[ \t]+")
_HEREDOC = pattern(r"<<-?[ \t]*[\"']?(\w+)[\"']?")
_FLAG = pattern(r"(?:--[\w-]+(?:=(?:\"[^\"]*\"|[^\s\"]|\"(?![^\"]*\"))*)?(?:[ \t]|\\\r?\n)+)+")
_FROM = pattern(r"(\S+)(?:\s+[aA][sS]\s+(\S+))?\s*")
_PLATFORMS = {
    "linux/amd64": "linux-x86_64",
    "linux/x86_64": "linux-x86_64",
    "amd64": "linux-x86_64",
    "linux/arm64": "linux-aarch64",
    "linux/arm64/v8": "linux-aarch64",
    "linux/aarch64": "linux-aarch64",
    "arm64": "linux-aarch64",
}
_ALONE = "alone:"
# Commands that install the Python of the system, and those that may bring another one.
_SYSTEM_PYTHON = pattern(
    r"\bapt(?:-get)?\b(?:(?!\bapt\b)[^&;|])*?\binstall\b(?:(?!\binstall\b)[^&;|])*?"
    r"\bpython3(?:-pip|-dev|-venv)?(?![\w.-])"
)
_NAMED_PYTHON = pattern(r"python(3\.\d+)")
_OTHER_PYTHON = pattern(
    r"deadsnakes|conda|mamba|pyenv|virtualenv|\buv\b|\bpixi\b|\bnix\b|altinstall|update-alternatives|--from="
)
# Commands that may bring another pip, or another installer, than the image has.
_OTHER_PIP = pattern(r"get-pip|ensurepip|conda|virtualenv|pyenv|\buv\b")
# A file that reads its target platform is built for several platforms.
_TARGETS = pattern(r"\bTARGET(?:ARCH|PLATFORM)\b")


# Commands that people write without RUN, and directives after which other words may be instructions.
_COMMANDS = frozenset(
    {"apt", "cd", "conda", "curl", "git", "mkdir", "pip", "pip3", "python", "python3", "uv", "wget"}
)
_DIRECTIVE = pattern(r"(?:#[^\n]*\n)*#[ \t]*(?:syntax|escape)[ \t]*=(?![ \t]*docker/dockerfile)")


class _Instruction(NamedTuple):
    """``start`` and ``end`` are the span behind the keyword; ``body`` is the span of its heredoc."""

    keyword: str
    start: int
    end: int
    body: Span | None


@dataclass(slots=True)
class _Stage:
    """A stage, which begins with FROM.

    ``parent`` is the stage that it is based on, ``uses`` are the stages from which it copies files.
    """

    number: int
    name: str
    parent: _Stage | None
    uses: list[_Stage] = field(default_factory=list)
    state: Installed = field(default_factory=lambda: Installed(environments=Environments()))
    python: tuple[str, int] = ("", 0)
    image: Image = field(default_factory=Image)
    name_of_image: str = ""
    at: int = 0
    platform: str = ""

    @property
    def environments(self) -> Environments:
        assert self.state.environments is not None
        return self.state.environments

    @property
    def entries(self) -> list[Entry]:
        """What the stage has, and what it installs into virtual environments."""
        return [*self.state.entries, *self.environments.installed()]

    def beneath(self) -> list[_Stage]:
        """The stages that this one names."""
        return [*self.uses, *([self.parent] if self.parent else [])]

    def needs(self) -> list[_Stage]:
        """This stage and all stages that it is built on, each once, in the order of their numbers."""
        found: dict[int, _Stage] = {}
        queue = [self]
        while queue:
            stage = queue.pop()
            if stage.number not in found:
                found[stage.number] = stage
                queue += stage.beneath()
        return [found[number] for number in sorted(found)]

    def pythons(self) -> list[tuple[str, int]]:
        """Its Python, and those of environments of conda in stages that it is built on."""
        named = [stage.python for stage in self.needs() if stage.state.named_pythons]
        return [self.python, *named] if self.python[0] or not named else named


def read_stages(builder: DocumentBuilder) -> None:
    """Read all stages of a Dockerfile."""
    _Dockerfile(builder).read()


class _Dockerfile:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._text = builder.text
        self._global: dict[str, str | None] = {}
        self._stages: list[_Stage] = []
        self._step = 0

    def read(self) -> None:
        for instruction in _instructions(self._text):
            if instruction.keyword == "FROM":
                self._from(instruction)
            elif instruction.keyword == "ARG" and not self._stages:
                self._variables(instruction, self._global, {})
            elif self._stages:
                self._inside(instruction, self._stages[-1])
                self._without_run(instruction)
        self._finish()

    def _without_run(self, instruction: _Instruction) -> None:
        """Report a command without RUN; a directive may choose another syntax than that of Docker."""
        word = instruction.keyword.lower()
        if word in _COMMANDS and not _DIRECTIVE.match(self._text):
            at = self._text.lower().rfind(word, 0, instruction.start)
            said = f"{word} is not an instruction, so this Dockerfile cannot be built"
            self._builder.issue("TL501", "error", f"{said}: a command needs RUN", at)

    def _from(self, instruction: _Instruction) -> None:
        words = [word for command in self._commands(instruction, self._global) for word in command.words]
        flags = [word.value for word in words if word.value.startswith("--")]
        match = _FROM.fullmatch(" ".join(word.value for word in words if not word.value.startswith("--")))
        if match is None:
            return
        image, name = match[1], (match[2] or "").lower()
        parent = self._stage(image)
        stage = _Stage(len(self._stages), name, parent)
        stage.platform = self._platform(flags, instruction.start) or (parent.platform if parent else "")
        if parent is not None:
            stage.image, stage.python = parent.image, parent.python
            stage.name_of_image, stage.at = parent.name_of_image, parent.at
            stage.state.variables, stage.state.held = dict(parent.state.variables), parent.state.held
            stage.state.folder = replace(parent.state.folder)
            stage.state.environments = parent.environments.of_later_stage()
        else:
            known = not any(word.unknown for word in words)
            self._image(stage, image, instruction.start, known=known)
        self._stages.append(stage)

    def _platform(self, flags: list[str], at: int) -> str:
        """The platform that FROM names, "" for none; an unknown one gets a note."""
        named = next((flag.partition("=")[2] for flag in flags if flag.startswith("--platform=")), "")
        if not named or "$" in named or named in _PLATFORMS:
            return _PLATFORMS.get(named, "")
        self._builder.issue("TL902", "note", f"unknown platform {named}: not judged for this platform", at)
        return ""

    def _image(self, stage: _Stage, name: str, at: int, *, known: bool) -> None:
        """Record the packages of a base image."""
        unknown = Image(name, unknown="its name has a build argument without a value")
        image = stage.image = image_of(name, stage.platform or "linux-x86_64") if known else unknown
        stage.name_of_image, stage.at = name, at
        if image.python:
            stage.python = (f"=={image.python}" + (".*" if image.python.count(".") == 1 else ""), at)
        if image.vendor:
            stage.state.held = {"torch": image.torch_version or image.release, **image.held}
        if image.torch:
            stage.state.held = {"torch": image.torch_version, **image.held}
            stage.state.entries.append(self._held(stage, f"=={image.torch}"))

    def _held(self, stage: _Stage, specifier: str, url: str | None = None) -> Entry:
        """The torch of a base image, as an entry."""
        image, place = stage.image, self._builder.place(stage.at)
        text = f"FROM {stage.name_of_image}"
        return Entry(
            "torch", specifier, place, text, self._builder.path, channel=image.channel, index=image.page, url=url
        )

    def _stage(self, name: str) -> _Stage | None:
        """An earlier stage by its name or number."""
        for stage in reversed(self._stages):
            if name.lower() == stage.name or name == str(stage.number):
                return stage
        return None

    def _inside(self, instruction: _Instruction, stage: _Stage) -> None:
        if instruction.keyword == "ARG":
            self._variables(instruction, stage.state.variables, self._global)
        elif instruction.keyword == "ENV":
            self._variables(instruction, stage.state.variables, {})
        elif instruction.keyword in ("COPY", "ADD"):
            source = re.search(r"--from=(\S+)", self._text[instruction.start : instruction.end])
            used = self._stage(source[1]) if source else None
            if used is not None and used is not stage:
                stage.uses.append(used)
                stage.environments.copy(used.environments)
            if source is None:
                self._copy(instruction, stage)
        elif instruction.keyword == "WORKDIR":
            words = [
                word for command in self._commands(instruction, stage.state.variables) for word in command.words
            ]
            for word in words[:1]:
                stage.state.folder.moved(None if word.unknown else word.value)
        elif instruction.keyword == "RUN":
            self._run(instruction, stage)

    def _copy(self, instruction: _Instruction, stage: _Stage) -> None:
        """``COPY SOURCE … TARGET``, also as a JSON list."""
        listed = _json_words(self._text, instruction.start, instruction.end)
        found = self._commands(instruction, stage.state.variables) if listed is None else ()
        words = listed or [word for command in found for word in command.words]
        plain = [word for word in words if not word.value.startswith("--")]
        if len(plain) < 2 or plain[-1].unknown:
            return
        sources = [word.value for word in plain[:-1] if not word.unknown and "://" not in word.value]
        stage.state.folder.copy(sources, plain[-1].value, self._is_folder)

    def _is_folder(self, source: str) -> bool:
        return is_folder(beside(self._builder.path, source))

    def _variables(
        self, instruction: _Instruction, variables: dict[str, str | None], defaults: dict[str, str | None]
    ) -> None:
        """``ARG NAME=value``, ``ENV NAME=value …``, ``ENV NAME value``."""
        words = [word for command in self._commands(instruction, variables) for word in command.words]
        installer = Installer(self._builder, Installed(variables))
        if instruction.keyword == "ENV" and len(words) > 1 and "=" not in words[0].value:
            values = [word.value for word in words[1:]]
            self._stages[-1].environments.assign(words[0].value, " ".join(values))
            known = not any(word.unknown for word in words)
            installer.variable(words[0].value, " ".join(values) if known else None, words[0].start)
            return
        for word in words:
            name, equals, value = word.value.partition("=")
            if instruction.keyword == "ENV":
                self._stages[-1].environments.assign(name, value)
            if word.unknown or not equals:
                variables[name] = None if word.unknown else defaults.get(name, variables.get(name))
                index_variable(self._builder, name, variables[name], word.start)
            else:
                installer.variable(name, value, word.start)

    def _run(self, instruction: _Instruction, stage: _Stage) -> None:
        """A command line, a heredoc of commands, or a JSON list of words. Its variables end with it."""
        start, end = instruction.start, instruction.end
        folder = replace(stage.state.folder)
        state = replace(stage.state, variables=dict(stage.state.variables), step=self._step, folder=folder)
        state.environments = stage.environments.new_shell()
        listed = _json_words(self._text, start, end)
        if listed is not None:
            self._take([Command(listed)], state)
        elif instruction.body is not None and self._text[start:end].lstrip().startswith("<<"):
            self._take(commands(self._text, *instruction.body, state.variables), state)
        else:
            whole = end if instruction.body is None else instruction.body.end
            self._take(commands(self._text, start, whole, state.variables, docker=True), state)
        stage.state.entries, stage.state.held, self._step = state.entries, state.held, state.step
        stage.state.folder.clones = folder.clones
        if len(state.named_pythons) == 1:
            stage.python = (next(iter(state.named_pythons)), start)
        elif state.named_pythons:
            stage.python = ("", 0)

    def _take(self, found: Iterator[Command] | list[Command], state: Installed) -> None:
        installer = Installer(self._builder, state)
        for command in found:
            installer.take(command)

    def _commands(self, instruction: _Instruction, variables: dict[str, str | None]) -> Iterator[Command]:
        return commands(self._text, instruction.start, instruction.end, variables, docker=True)

    def _finish(self) -> None:
        """Combine the stages: an image has its own entries, and those of the stages that it is built on."""
        for stage in self._stages:
            self._with_system_python(stage)
            _leave_image(stage)
        used = {stage.number for other in self._stages for stage in other.beneath() if stage is not other}
        leaves = [stage for stage in self._stages if stage.number not in used]
        holders: dict[int, list[_Stage]] = {}
        for leaf in leaves:
            for stage in leaf.needs():
                holders.setdefault(stage.number, []).append(leaf)
        for stage in self._stages:
            within = holders[stage.number]
            scopes = [""] if len(within) == len(leaves) else [f"group:stage-{leaf.number}" for leaf in within]
            for entry in self._of_image(stage):
                self._builder.add(_scoped(entry, scope) for scope in scopes)
        self._declared(leaves)

    def _of_image(self, stage: _Stage) -> list[Entry]:
        """The entries of a stage, as far as they can be judged with its base image."""
        entries, image = stage.state.entries, stage.image
        apart = [entry for entry in stage.entries if entry.scope.startswith(_ALONE)]
        entries = [entry for entry in entries if not entry.scope.startswith(_ALONE)]
        own = stage.state.marker
        entries = [replace(entry, marker=both(entry.marker, own)) for entry in entries] if own else entries
        return [*self._with_image(stage, entries, image), *apart]

    def _with_image(self, stage: _Stage, entries: list[Entry], image: Image) -> list[Entry]:
        """What is installed beside the packages of the base image."""
        if image.vendor:
            alike = [entry for other in self._stages if other.at == stage.at for entry in other.state.entries]
            alike = [entry for entry in alike if not entry.scope.startswith(_ALONE)]
            if not replaces_torch(alike, image, stage.at, self._builder):
                return list(beside_vendor(entries, image, stage.at, self._builder))
        elif image.torch:
            warn_of_left_companions(entries, stage.state.held, image, self._builder)
        elif image.unknown and any(entry.name in FAMILY for entry in entries):
            around = [entry for other in stage.needs() for entry in other.entries]
            if not any(entry.name == "torch" for entry in around):
                return [self._held(stage, "", url=f"image:{stage.name_of_image}"), *entries]
        return entries

    def _with_system_python(self, stage: _Stage) -> None:
        """Give a stage the Python of its system, if it installs that one, and nothing that has another Python."""
        python = stage.image.system_python
        named = {python, *_NAMED_PYTHON.findall(self._text)}
        alone = _SYSTEM_PYTHON.search(self._text) and not _OTHER_PYTHON.search(self._text)
        if len(named) == 1 and alone and python and not stage.python[0] and not stage.parent:
            stage.python = (f"=={python}.*", stage.at)

    def _declared(self, leaves: list[_Stage]) -> None:
        """The Python and the platform of the final images, if they agree."""
        pythons = {python: at for leaf in leaves for python, at in leaf.pythons()}
        self._builder.document.python = ""
        if len(pythons) == 1:
            for python, at in pythons.items():
                self._builder.python(python, at)
        self._builder.document.pip = self._pip(leaves)
        self._builder.document.hidden_python = any(leaf.image.torch and not leaf.python[0] for leaf in leaves)
        platforms = {leaf.platform for leaf in leaves}
        known = tuple(sorted(platforms, reverse=True)) if platforms and "" not in platforms else ()
        document = self._builder.document
        known = known or document.platforms
        document.platforms = known or ("linux-x86_64", "linux-aarch64")
        document.assumed = not known and not _TARGETS.search(self._text)

    def _pip(self, leaves: list[_Stage]) -> str:
        """The newest pip of the images that all final images are built on, if no command installs another one."""
        found = [stage.image.pip for leaf in leaves for stage in leaf.needs() if stage.parent is None]
        changed = any(entry.name == "pip" for leaf in leaves for stage in leaf.needs() for entry in stage.entries)
        if changed or not found or not all(found) or _OTHER_PIP.search(self._text):
            return ""
        return max(found, key=lambda text: [int(part) for part in text.split(".")])


def _scoped(entry: Entry, scope: str) -> Entry:
    """An entry in the scope of its stage; a branch of its command is a scope within that scope."""
    kind, _, inner = entry.scope.partition(":")
    parts = [part for part in (scope.removeprefix("group:"), inner) if part]
    return replace(entry, scope=f"{kind or 'group'}:{'-'.join(parts)}" if parts else "")


def _leave_image(stage: _Stage) -> None:
    """Forget the packages of the image if nothing is installed beside them.

    That is so if all commands install into virtual environments. It may be so if there is an environment that no
    command is known to use.
    """
    environments, python = stage.environments, stage.python[0]
    beside = [entry for entry in stage.state.entries if entry.step and not entry.scope.startswith(_ALONE)]
    if environments.is_unused or (environments.entered and not beside):
        stage.state.entries = [entry for entry in stage.state.entries if entry.step]
        stage.image = Image(stage.name_of_image, pip=stage.image.pip)
    pythons = environments.pythons or {made.python for made in environments.made.values() if made.python}
    if len(pythons) == 1 and (environments.is_unused or not beside):
        stage.python = (f"=={pythons.pop()}.*", stage.at)
    elif pythons - {python.removeprefix("==").removesuffix(".*")}:
        stage.python = ("", 0)


def _instructions(text: str) -> Iterator[_Instruction]:
    """The logical lines: continued lines joined, comments between them skipped, heredocs appended."""
    at = 0
    while at < len(text):
        end = _line_end(text, at)
        if not text[at:end].strip() or text[at:end].lstrip().startswith("#"):
            at = end + 1
            continue
        start = at
        while end < len(text) and text[at:end].rstrip("\r \t").endswith("\\"):
            at = end + 1
            end = _line_end(text, at)
            while end < len(text) and (not text[at:end].strip() or text[at:end].lstrip().startswith("#")):
                at = end + 1
                end = _line_end(text, at)
        match = _INSTRUCTION.match(text, start, end)
        body = _body(text, start, end) if match and match[1].upper() in ("RUN", "COPY", "ADD") else None
        if match:
            yield _Instruction(match[1].upper(), _behind_flags(text, match, end), end, body)
        at = _line_end(text, body.end) + 1 if body else end + 1


def _behind_flags(text: str, match: re.Match[str], end: int) -> int:
    """The offset of the command of RUN, behind ``--mount=…``."""
    flags = _FLAG.match(text, match.end(), end) if match[1].upper() == "RUN" else None
    return flags.end() if flags else match.end()


def _body(text: str, start: int, end: int) -> Span | None:
    heredoc = _HEREDOC.search(text, start, end)
    if heredoc is None or end >= len(text) or text[heredoc.start() - 1] == "<":
        return None
    closing = re.compile(rf"^[ \t]*{heredoc[1]}[ \t]*\r?$", re.MULTILINE).search(text, end + 1)
    return Span(end + 1, closing.start()) if closing else None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _json_words(text: str, start: int, end: int) -> list[Word] | None:
    """The words of ``RUN ["pip", "install", "torch"]``."""
    raw = text[start:end].strip()
    if not raw.startswith("["):
        return None
    try:
        values = json.loads(re.sub(r"\\\r?\n", "", raw))
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    words, at = [], start
    for value in values:
        found = text.find(json.dumps(value), at, end)
        if found < 0:
            words.append(Word(value, start, start))
            continue
        at = found + len(value) + 2
        words.append(Word(value, found, at, Span(found + 1, at - 1)))
    return words
