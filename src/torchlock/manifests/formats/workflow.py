"""CI workflows of GitHub, GitLab, Azure, CircleCI and others.

In every format, commands are the values of a few keys (``run``, ``script``, …), and a job is the value of its
name; nothing else of the formats is read. Task files and the setup of cloud jobs have the same structure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.embedded_code import EmbeddedBuilder, MappedText
from torchlock.manifests.formats.workflow_values import filled, filled_text, holds, runs_of, variables_of
from torchlock.manifests.install_parts import scoped_parts
from torchlock.manifests.syntax.installed import INDEX_VARIABLES, Installed
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
_SYSTEMS = {"ubuntu": "Linux", "windows": "Windows", "macos": "macOS"}
_SHELLS = {"bash", "sh", "batch", *_POWERSHELL}
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_HOLDING_JOBS = {"jobs", "tasks", "stages", "pipelines", "services"}
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
    services = root.get("services")
    if services is not None and root.get("jobs") is None:
        _tell_inline(builder, services)
    if root.get("strategy") is not None and root.get("steps") is not None:
        reader.runs("", root)
    else:
        reader.walk(root, "", "")
    builder.add(scoped_parts(reader.entries()))
    builder.document.python = ""  # Each job has its own.
    return builder.document


class _Reader:
    def __init__(self, builder: DocumentBuilder) -> None:
        self._builder = builder
        self._jobs: dict[str, _Job] = {}
        self._step = 0
        # What expressions and shells know here: matrix.NAME, env.NAME, NAME.
        self._values: dict[str, str] = {}
        self._defaults: dict[str, Node] = {}

    def entries(self) -> dict[str, list[Entry]]:
        """The entries of each job. Runs of a job that install the same count once."""
        found: dict[tuple[object, ...], tuple[str, list[Entry]]] = {}
        for name, job in self._jobs.items():
            placed = [self._placed(entry, job) for entry in job.state.entries]
            alike = tuple(replace(entry, step=0, version=None, hashes=()) for entry in placed)
            found.setdefault(tuple(map(repr, alike)) if alike else (name,), (name, placed))
        return dict(found.values())

    def _placed(self, entry: Entry, job: _Job) -> Entry:
        python = f"python_version == '{job.python}'" if job.python and not job.state.named_pythons else ""
        return replace(entry, marker=both(entry.marker, job.marker, python, job.state.marker))

    def walk(self, node: Node, job: str, branch: str, holding: bool = False) -> None:
        """Read the commands under a node.

        ``holding``: its keys are the names of jobs.
        """
        for item in node.items:
            named = item.get("job") or item.get("deployment") if not job or holding else None
            if named is not None:
                self.runs(named.text or f"line-{self._line(item)}", item)
            else:
                self.walk(item, job, branch, holding and item.get("stage") is None)
        keys = {(key.text or "").lower(): value for key, value in node.pairs}
        if not keys:
            return
        outside = self._values, self._defaults
        self._enter(keys)
        if not holding:
            self._machine(keys, job)
        for key, value in node.pairs:
            self._pair(key, value, job, branch, keys, holding=holding)
        self._values, self._defaults = outside

    def _enter(self, keys: dict[str, Node]) -> None:
        """The variables and defaults that a mapping sets for what is in it."""
        for key in ("env", "variables", "environment"):
            for name, (text, _) in variables_of(keys.get(key)).items():
                value = filled_text(text, self._values)
                known = "${{" not in value and "$(" not in value
                if known:
                    self._values = {**self._values, name: value, f"env.{name}": value, f"variables.{name}": value}
        run = keys["defaults"].get("run") if "defaults" in keys else None
        if run is not None:
            self._defaults = {**self._defaults, **{key.text or "": value for key, value in run.pairs}}

    def _pair(
        self, key: Node, value: Node, job: str, branch: str, keys: dict[str, Node], *, holding: bool
    ) -> None:
        name = key.text or ""
        low = name.lower()
        inner = self._branch(key, keys, branch) if low in _RUN and not holding else branch
        if holding:
            self.runs(name, value)
        elif inner is None:
            return
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
            if named and value.get("parallel") is not None:
                self.runs(name, value)
                return
            known, step = len(self._builder.document.indexes), self._step
            self.walk(value, name if named else job, inner, holding=low in _HOLDING_JOBS)
            if named:
                self._builder.confine(known, range(step + 1, self._step + 1))

    def _branch(self, key: Node, keys: dict[str, Node], branch: str) -> str | None:
        """The branch of a step: its own if a condition is unknown; None if its condition does not hold."""
        condition = keys["if"].text if "if" in keys else None
        if "if" not in keys:
            return branch
        held = holds(condition or "", self._values)
        return branch if held else None if held is False else f"line-{self._line(key)}"

    def runs(self, name: str, job: Node) -> None:
        """Read a job once for each combination of its matrix that makes a difference."""
        outside = self._values
        end = self._end(job)
        runs = runs_of(job, self._builder.text[job.start : end])
        for run in runs:
            known, step = len(self._builder.document.indexes), self._step
            told = re.sub(r"[^\w.+]+", "-", "-".join(run.values())) if len(runs) > 1 else ""
            self._values = {**outside, **run, **{f"matrix.{key}": value for key, value in run.items()}}
            self.walk(job, "-".join(filter(None, (name, told))), "")
            self._builder.confine(known, range(step + 1, self._step + 1))
        self._values = outside

    def _end(self, node: Node) -> int:
        """An offset behind the last value in a node."""
        found, waiting = node.start, [node]
        while waiting:
            one = waiting.pop()
            found = max(found, one.block.end if one.block else one.start + len(one.text or ""))
            waiting += [*one.items, *(part for pair in one.pairs for part in pair)]
        return found

    def _line(self, node: Node) -> int:
        return self._builder.place(node.start).line

    def _job(self, name: str) -> _Job:
        return self._jobs.setdefault(name, _Job())

    def _machine(self, keys: dict[str, Node], name: str) -> None:
        """Record the system and Python that a job, a step or a pool of machines names."""
        for key in ("runs-on", "vmimage"):
            label = filled_text(keys[key].text or "", self._values).lower() if key in keys else ""
            if label:
                job = self._job(name)
                job.marker = next((marker for pattern, marker in _RUNNERS if pattern.match(label)), "")
                job.windows = label.startswith("windows")
                system = next((one for one in _SYSTEMS if label.startswith(one)), "")
                if system:
                    self._values = {**self._values, **dict.fromkeys(("runner.os", "RUNNER_OS"), _SYSTEMS[system])}
        for key in ("python-version", "versionspec", "image"):
            text = filled_text(keys[key].text or "", self._values) if key in keys else ""
            text = (
                _VARIABLE.sub(lambda match: self._values.get(match[1], match[0]), text) if key == "image" else text
            )
            version = re.fullmatch(r"(?:(?:.*/)?python:)?(3\.\d+)(?:\.[\dx]+)?(?:-[\w.-]+)?", text)
            if version and (key != "image" or "python:" in text):
                self._job(name).python = version[1]

    def _alternatives(self, node: Node, name: str) -> None:
        """The values of a matrix that are commands of an installer; a job runs one of them."""
        if any(value.startswith("pip ") or "-m pip " in value for value in self._values.values()):
            return  # The run of this combination has the command.
        for item in [*node.items, *(value for _, value in node.pairs)]:
            self._alternatives(item, name)
        if _INSTALL.match(node.text or ""):
            self._run(node, f"{name}-line-{self._line(node)}", "", "run", {})

    def _set(self, node: Node) -> None:
        """Record variables that set indexes."""
        for key, (text, value) in variables_of(node).items():
            kind = INDEX_VARIABLES.get(key)
            for address in filled_text(text, self._values).split() if kind else ():
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
        named = keys.get("shell") or self._defaults.get("shell")
        shell = (named.text or "").lower() if named else key if key in _SHELLS else ""
        embedded = self._inset(node, text)
        if embedded is not None and not shell.startswith("python"):
            state, before = job.state, job.state.variables
            state.variables = {**before, **self._variables()}
            state.step, state.folder.here = self._step, self._folder({**self._defaults, **keys})
            embedded.install(state, _words(shell, job), branch)
            self._step = state.step
            if key == "run":  # Each step has its own shell.
                state.variables = before

    def _variables(self) -> dict[str, str | None]:
        """The variables of the environment, by the names that shells and PowerShell have for them."""
        found = {name: value for name, value in self._values.items() if "." not in name}
        return {**{name.lower(): value for name, value in found.items()}, **found}

    def _folder(self, keys: dict[str, Node]) -> str | None:
        """The folder that a step runs in."""
        named = keys.get("working-directory") or keys.get("workingdirectory") or keys.get("working_directory")
        text = filled_text(named.text or "", self._values) if named else ""
        return (None if not names_own_folder(text) else "") if "$" in text else text

    def _inset(self, node: Node, text: str) -> EmbeddedBuilder | None:
        block = node.block
        written, exact = MappedText(), True
        if block is None:
            written.add(text, node.start)
            exact = node.exact
        else:
            lines = self._builder.text[block.start : block.end]
            if block.folded:
                lines = re.sub(r"\r?\n(?=[ \t]*[^\s])", lambda match: " " * len(match[0]), lines)
            written.add(lines, block.start)
        if not written.text:
            return None
        known = filled(written, self._values)
        return EmbeddedBuilder(self._builder, known.text, known.pieces, exact=exact)


def _tell_inline(builder: DocumentBuilder, services: Node) -> None:
    """A note on Dockerfiles inside a Compose file."""
    for _, service in services.pairs:
        build = service.get("build")
        inline = build.get("dockerfile_inline") if build else None
        if inline is not None:
            builder.issue("TL901", "note", "the Dockerfile that is written here is not judged", inline.start)


def _words(shell: str, job: _Job) -> Words:
    if shell.startswith(_POWERSHELL) or (job.windows and not shell):
        return powershell_commands
    return batch_commands if shell in ("cmd", "batch") else commands
