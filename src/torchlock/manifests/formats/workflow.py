"""CI workflows of GitHub, GitLab, Azure, CircleCI and others.

In every format, commands are the values of a few keys (``run``, ``script``, …), and a job is the value of its
name; nothing else of the formats is read. Task files and the setup of cloud jobs have the same structure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.install_commands import INDEX_VARIABLES, Installed
from torchlock.manifests.syntax.markers import both
from torchlock.manifests.syntax.shell import commands
from torchlock.manifests.syntax.windows_shell import batch_commands, powershell_commands
from torchlock.manifests.syntax.yaml import parse
from torchlock.manifests.working_folder import names_own_folder

if TYPE_CHECKING:
    from torchlock.manifests.document import Document, Entry
    from torchlock.manifests.embedded_code import Words
    from torchlock.manifests.syntax.yaml import Node

_RUN = {
    *("run", "script", "before_script", "after_script", "before_install", "install", "bash", "sh", "cmd", "cmds"),
    *("command", "commands", "setup", "inlinescript", "build_script", "test_script", "install_script", "pip"),
    *("pwsh", "powershell", "batch"),
}
_INSTALL = re.compile(r"(?:python[\d.]* -m )?(?:uv )?pip[\d.]* install |(?:conda|mamba) install ")
_POWERSHELL = ("pwsh", "powershell")
_SHELLS = {"bash", "sh", "batch", *_POWERSHELL}
_HOLDING_JOBS = {"jobs", "tasks", "stages", "pipelines"}
_SETTINGS = {"variables", "env", "vars", "environment", "with", "inputs", "matrix", "strategy", "on"}
_RUNNERS = (
    (re.compile(r"ubuntu-[\w.]*$"), "sys_platform == 'linux' and platform_machine == 'x86_64'"),
    (re.compile(r"ubuntu-[\w.]*-arm$"), "sys_platform == 'linux' and platform_machine == 'aarch64'"),
    (re.compile(r"windows-[\w.]*$"), "sys_platform == 'win32' and platform_machine == 'AMD64'"),
    (
        re.compile(r"macos-(?:1[123]|[\w.]*-(?:intel|large))$"),
        "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    ),
    (re.compile(r"macos-(?:1[4-9]|2\d|latest)$"), "sys_platform == 'darwin' and platform_machine == 'arm64'"),
)


@dataclass(slots=True)
class _Job:
    """The results of the steps of a job, and the machine that they run on."""

    state: Installed = field(default_factory=Installed)
    marker: str = ""
    python: str = ""
    windows: bool = False


def read(text: str, path: str) -> Document:
    """Read the commands of all jobs; each job has its own machine."""
    builder = DocumentBuilder(text, path, "workflow")
    root, wrong = parse(text)
    for start, message in wrong[:1]:
        builder.issue("TL901", "note", f"the file cannot be read from here on: {message}", start)
    reader = _Reader(builder)
    reader.walk(root, "", "")
    builder.add(scoped_parts(reader.entries()))
    return builder.document


class _Reader:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._jobs: dict[str, _Job] = {}
        self._step = 0

    def entries(self) -> dict[str, list[Entry]]:
        return {
            name: [self._placed(entry, job) for entry in job.state.entries] for name, job in self._jobs.items()
        }

    def _placed(self, entry: Entry, job: _Job) -> Entry:
        python = f"python_version == '{job.python}'" if job.python else ""
        return replace(entry, marker=both(entry.marker, job.marker, python))

    def walk(self, node: Node, job: str, branch: str, holding: bool = False) -> None:
        """Read the commands under a node.

        ``holding``: its keys are the names of jobs.
        """
        for item in node.items:
            self.walk(item, job, branch, holding)
        keys = {(key.text or "").lower(): value for key, value in node.pairs}
        if keys:
            self._machine(keys, job)
        for key, value in node.pairs:
            name = key.text or ""
            low = name.lower()
            inner = f"line-{self._line(key)}" if "if" in keys and low in _RUN else branch
            if holding:
                self.walk(value, name, inner)
            elif low in _RUN:
                self._run(value, job, inner, low, keys)
            elif low in _SETTINGS:
                self._set(value)
                if low in ("matrix", "strategy"):
                    self._alternatives(value, job)
                if low in ("with", "inputs"):
                    self._machine({(one.text or "").lower(): other for one, other in value.pairs}, job)
                    self.walk(value, job, inner)
            else:
                named = not job and value.mapping and low not in _HOLDING_JOBS
                self.walk(value, name if named and not holding else job, inner, holding=low in _HOLDING_JOBS)

    def _line(self, node: Node) -> int:
        return self._builder.place(node.start).line

    def _job(self, name: str) -> _Job:
        return self._jobs.setdefault(name, _Job())

    def _machine(self, keys: dict[str, Node], name: str) -> None:
        """Record the system and Python that a job, a step or a pool of machines names."""
        for key in ("runs-on", "vmimage"):
            label = (keys[key].text or "").lower() if key in keys else ""
            if label:
                job = self._job(name)
                job.marker = next((marker for pattern, marker in _RUNNERS if pattern.match(label)), "")
                job.windows = label.startswith("windows")
        for key in ("python-version", "versionspec", "image"):
            text = (keys[key].text or "") if key in keys else ""
            version = re.fullmatch(r"(?:(?:.*/)?python:)?(3\.\d+)(?:\.[\dx]+)?(?:-[\w.-]+)?", text)
            if version and (key != "image" or "python:" in text):
                self._job(name).python = version[1]

    def _alternatives(self, node: Node, name: str) -> None:
        """The values of a matrix that are commands of an installer; a job runs one of them."""
        for item in [*node.items, *(value for _, value in node.pairs)]:
            self._alternatives(item, name)
        if _INSTALL.match(node.text or ""):
            self._run(node, f"{name}-line-{self._line(node)}", "", "run", {})

    def _set(self, node: Node) -> None:
        """Record variables that set indexes."""
        for key, value in node.pairs:
            kind = INDEX_VARIABLES.get(key.text or "")
            for address in (value.text or "").split() if kind else ():
                self._builder.index(kind or "", address, value.start)

    def _run(self, node: Node, name: str, branch: str, key: str, keys: dict[str, Node]) -> None:
        """The commands of one key: a text, or a list of texts or of steps."""
        if node.mapping:
            self.walk(node, name, branch)
        for item in node.items:
            self._run(item, name, branch, key, keys)
        text = node.text
        if text is None:
            return
        job = self._job(name)
        shell = (keys["shell"].text or "").lower() if "shell" in keys else key if key in _SHELLS else ""
        embedded = self._inset(node, text)
        if embedded is not None and not shell.startswith("python"):
            job.state.step = self._step
            job.state.folder.here = self._folder(keys)
            embedded.install(job.state, _words(shell, job), branch)
            self._step = job.state.step

    def _folder(self, keys: dict[str, Node]) -> str | None:
        """The folder that a step runs in."""
        named = keys.get("working-directory") or keys.get("workingdirectory") or keys.get("working_directory")
        text = named.text or "" if named else ""
        return (None if not names_own_folder(text) else "") if "$" in text else text

    def _inset(self, node: Node, text: str) -> EmbeddedBuilder | None:
        block = node.block
        if block is None:
            return EmbeddedBuilder(self._builder, text, [(0, node.start)], exact=node.exact) if text else None
        lines = self._builder.text[block.start : block.end]
        if block.folded:
            lines = re.sub(r"\r?\n(?=[ \t]*[^\s])", lambda match: " " * len(match[0]), lines)
        return EmbeddedBuilder(self._builder, lines, [(0, block.start)])


def _words(shell: str, job: _Job) -> Words:
    if shell.startswith(_POWERSHELL) or (job.windows and not shell):
        return powershell_commands
    return batch_commands if shell in ("cmd", "batch") else commands
