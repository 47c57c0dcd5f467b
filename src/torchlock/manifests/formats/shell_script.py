"""Dockerfiles and shell scripts: the commands that install packages, each as a step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.manifests.builder import DocumentBuilder
from torchlock.manifests.detection import kind_by_name
from torchlock.manifests.formats.dockerfile import read_stages
from torchlock.manifests.shell_functions import Functions, functions_of, is_called
from torchlock.manifests.syntax.install_commands import Installer
from torchlock.manifests.syntax.installed import Installed
from torchlock.manifests.syntax.shell import commands
from torchlock.manifests.syntax.virtual_environments import Environments
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from torchlock.manifests.document import Document

# A command that creates an environment with another Python.
_OTHER_PYTHON = pattern(
    r"(?:(?:conda|mamba)[ \t]+create|virtualenv|uv[ \t]+(?:venv|python))\b"
    r"[^\n;&]{0,300}?(?:python|-p)[ =\"']*(\d\.\d+)"
)
# A command that makes a virtual environment.
_VENV = pattern(r"\bvirtualenv[ \t]|-m[ \t]+(?:venv|virtualenv)[ \t]|\buv[ \t]+venv\b")
_FROM = pattern(r"(?:[ \t]*(?:(?:#|ARG[ \t])[^\n]*\n|\r?\n))*[ \t]*FROM[ \t]", re.IGNORECASE)


def read(text: str, path: str) -> Document:
    """Read a Dockerfile (by its name, or because it begins with FROM) or else a shell script.

    Variables are replaced if the text contains their values; other variables get a note (TL902).
    """
    kind = kind_by_name(path)
    if kind not in ("dockerfile", "shell"):
        kind = "dockerfile" if _FROM.match(text) else "shell"
    if kind == "dockerfile":
        builder = DocumentBuilder(text, path, kind)
        read_stages(builder)
        return _of_one_python(builder.document, text)
    apart = Environments()
    document = _read_commands(text, path, apart) if len(_VENV.findall(text)) > 1 else None
    # If there is one environment, everything is installed there.
    if document is None or len(apart.entered) < 2:
        document = _read_commands(text, path, None)
    return _of_one_python(document, text)


def _read_commands(text: str, path: str, environments: Environments | None) -> Document:
    """The commands of a shell script; with ``environments``, each virtual environment apart from the rest."""
    builder = DocumentBuilder(text, path, "shell")
    followed = _followed(text)
    state = Installed(environments=environments, functions=followed)
    installer = Installer(builder, state)
    for command in commands(text, 0, len(text), state.variables):
        if not followed.defines(command):
            installer.take(command)
    builder.add([*state.entries, *(environments.installed() if environments is not None else ())])
    return builder.document


def _followed(text: str) -> Functions:
    """The functions whose calls in this script are followed: those that use the words of the call.

    The commands of the others are taken where they are defined, whether they are called or not.
    """
    found = [each for each in functions_of(text) if each.takes_arguments(text)]
    called = {each.name for each in found if is_called(each.name, text)}
    return Functions(text, {each.name: each for each in found if each.name in called})


def _of_one_python(document: Document, text: str) -> Document:
    """Remove the declared Python if the script creates an environment with another one.

    It is then unknown which command runs with which Python.
    """
    named = {match[1] for match in _OTHER_PYTHON.finditer(text)} - {None}
    declared = re.search(r"(?<!\d)\d+\.\d+", document.python)
    if declared and named - {declared[0]}:
        document.python = ""
    return document
