"""The resolvers that are compared: how each is called, and the variables that it runs with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PLATFORM = "linux-x86_64"
UV_PLATFORM = "x86_64-manylinux_2_28"
# Settings of the person who runs the bench, which would differ from one tool to the next.
_SETTINGS = ("PIP_", "UV_", "TORCHLOCK_", "VIRTUAL_ENV", "PYTHON")
_KEPT = ("PIP_CERT",)


class Question(NamedTuple):
    """What to lock, where the lock goes, which index to use (empty: the tool's own), and whether with hashes."""

    requirements: Path
    output: Path
    index_url: str = ""
    is_offline: bool = False
    has_hashes: bool = True


class Tool(NamedTuple):
    """A resolver. ``command`` makes its command line; ``is_slow``: it takes part in the first round only."""

    name: str
    command: Callable[[Question], list[str]]
    version: list[str]
    is_slow: bool = False


def _torchlock(asked: Question) -> list[str]:
    command = ["torchlock", "lock", "-r", str(asked.requirements), "-o", str(asked.output), "--no-config"]
    command += ["--python", PYTHON, "--platform", PLATFORM]
    command += ["--index-url", asked.index_url] if asked.index_url else []
    command += ["--offline"] if asked.is_offline else []
    return command if asked.has_hashes else [*command, "--no-hashes"]


def _uv(asked: Question) -> list[str]:
    command = ["uv", "pip", "compile", str(asked.requirements), "-o", str(asked.output), "-q", "--no-config"]
    # With its interpreter given, uv looks for none.
    command += ["--python", sys.executable, "--python-version", PYTHON, "--python-platform", UV_PLATFORM]
    command += ["--default-index", asked.index_url] if asked.index_url else []
    command += ["--offline"] if asked.is_offline else []
    return [*command, "--generate-hashes"] if asked.has_hashes else command


def _pip(asked: Question) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-q"]
    command += ["--report", str(asked.output), "-r", str(asked.requirements)]
    return [*command, "--index-url", asked.index_url] if asked.index_url else command


def _pip_tools(asked: Question) -> list[str]:
    command = ["pip-compile", str(asked.requirements), "-o", str(asked.output), "-q", "--no-config"]
    command += ["--strip-extras"]
    command += ["--index-url", asked.index_url] if asked.index_url else []
    return [*command, "--generate-hashes"] if asked.has_hashes else command


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("torchlock", _torchlock, ["torchlock", "--version"]),
        Tool("uv", _uv, ["uv", "--version"]),
        Tool("pip", _pip, [sys.executable, "-m", "pip", "--version"], is_slow=True),
        Tool("pip-tools", _pip_tools, ["pip-compile", "--version"], is_slow=True),
    )
}


def versions(names: list[str]) -> dict[str, str]:
    """The version of each of these tools; those that are not installed are left out."""
    found = {}
    for name in names:
        command = TOOLS[name].version
        if shutil.which(command[0]):
            process = subprocess.run(command, capture_output=True, text=True, check=False)
            words = [word for word in process.stdout.split() if word[:1].isdigit()]
            if process.returncode == 0 and words:
                found[name] = words[0]
    return found


def environment(cache: Path) -> dict[str, str]:
    """The variables that a tool runs with: no settings of a person, and this folder as the cache of each tool."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not name.startswith(_SETTINGS) or name.endswith("_DATA_DIR")
    }
    caches = {name: str(cache) for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "PIP_TOOLS_CACHE_DIR")}
    return {
        **kept,
        **caches,
        "TORCHLOCK_CACHE_DIR": str(cache),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
