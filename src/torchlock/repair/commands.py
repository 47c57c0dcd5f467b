"""A plan as the one command that carries it out, in the spelling of each installer."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from torchlock.check.pages import page_address
from torchlock.finding import Command
from torchlock.inspect import files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.check import Scene
    from torchlock.repair.plan import Plan


def install(scene: Scene, plan: Plan, *, again: bool = False, fresh: bool = False) -> tuple[Command, ...]:
    """Install what a plan says.

    ``again``: even where that version is there; ``fresh``: without the installer's cache, which may hold the
    damaged file.
    """
    requirements = [quoted(f"{name}=={version}") for name, version in plan.versions.items()]
    same = [name for name, version in plan.versions.items() if _is_there(scene, name, version)]
    # Another build of torch itself has requirements of its own.
    alone = len(same) == len(plan.versions) and (again or "torch" not in same)
    pip, uv = ["install"], ["install"]
    if again or same:
        pip += ["--force-reinstall"] + (["--no-deps"] if alone else [])
        uv += [f"--reinstall-package {name}" for name in plan.versions] + (["--no-deps"] if alone else [])
    if fresh:
        pip.append("--no-cache-dir")
        uv.append("--refresh")
    if plan.label:
        uv.append(f"--torch-backend={plan.label}")
        address = page_address(scene, plan.label)
        pip.append(f"--index-url {address}" if address else "")
    commands = [_uv(scene, [*uv, *requirements])]
    if not plan.label or page_address(scene, plan.label):
        commands.insert(0, _pip(scene, [*pip, *requirements]))
    if any(_is_named_by_variable(scene, name) for name in plan.versions):
        commands = [command._replace(line=f"unset PYTHONPATH && {command.line}") for command in commands]
    return _preferred(scene, commands)


def _is_named_by_variable(scene: Scene, name: str) -> bool:
    """Whether the copy that is imported lies where PYTHONPATH leads, so that no install would replace it."""
    copy = scene.copy(name)
    return copy is not None and copy.entry is not None and copy.entry.kind == "pythonpath"


def _is_there(scene: Scene, name: str, version: str) -> bool:
    """Whether an installer would say that it is installed: a label counts only where it is asked for."""
    pin = scene.pins.get(name)
    if pin is None or pin.unversioned:
        return False
    return version in (pin.version.public, str(pin.version))


def add(scene: Scene, requirement: str) -> tuple[Command, ...]:
    """Install what is missing, whatever else is there."""
    return _preferred(
        scene, [_pip(scene, ["install", quoted(requirement)]), _uv(scene, ["install", quoted(requirement)])]
    )


def compiled(scene: Scene, requirement: str) -> tuple[Command, ...]:
    """Compile a package against the torch that is there; what was compiled before is not taken again."""
    name = requirement.partition("==")[0]
    pip = ["--no-deps", "--no-build-isolation", "--no-cache-dir", f"--no-binary {name}"]
    uv = ["--no-deps", f"--no-build-isolation-package {name}", "--refresh", f"--no-binary {name}"]
    return _preferred(
        scene,
        [
            _pip(scene, ["install", "--force-reinstall", *pip, quoted(requirement)]),
            _uv(scene, ["install", f"--reinstall-package {name}", *uv, quoted(requirement)]),
        ],
    )


def uninstall(scene: Scene, names: Sequence[str]) -> tuple[Command, ...]:
    """Remove the copies that come first on the path."""
    return _preferred(scene, [_pip(scene, ["uninstall", "-y", *names]), _uv(scene, ["uninstall", *names])])


def _preferred(scene: Scene, commands: list[Command]) -> tuple[Command, ...]:
    """The tool first that installed the stack; where there is no pip in the environment that is uv."""
    record = scene.record("torchaudio") or scene.record("torch")
    by_uv = record is not None and record.installer == "uv"
    without_pip = scene.live and scene.installed.get("pip") is None
    tool = "uv" if by_uv or without_pip else "pip"
    return tuple(sorted(commands, key=lambda command: command.tool != tool))


def _is_managed(scene: Scene) -> bool:
    """Whether the distribution keeps installers out of this Python (PEP 668)."""
    interpreter = scene.environment.interpreter
    folders = () if interpreter.virtual else interpreter.stdlib
    return any(files.is_file(os.path.join(folder, "EXTERNALLY-MANAGED")) for folder in folders)


def _pip(scene: Scene, words: Sequence[str]) -> Command:
    if _is_managed(scene):
        python = f"{_python(scene)} -m venv .venv && .venv/bin/python"
        return Command("pip", " ".join([python, "-m pip", *filter(None, words)]))
    return Command("pip", " ".join([_python(scene), "-m pip", *filter(None, words)]))


def _uv(scene: Scene, words: Sequence[str]) -> Command:
    if _is_managed(scene):
        return Command("uv", " ".join([f"uv venv --python {_python(scene)} && uv pip", *filter(None, words)]))
    place = f"--python {_python(scene)}" if scene.environment.interpreter.executable else ""
    return Command("uv", " ".join(filter(None, ["uv pip", words[0], place, *words[1:]])))


def _python(scene: Scene) -> str:
    path = scene.environment.interpreter.executable
    return quoted(path) if path else "python"


def quoted(word: str) -> str:
    """A word as every shell takes it."""
    if re.fullmatch(r"[\w./:=+@%,\\~-]+", word):
        return word
    return shlex.quote(word) if "'" in word or '"' in word or "$" in word else f'"{word}"'
