"""Real pip and uv, each on its own: no settings, caches or indexes of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import distribution, distributions, version
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.version import Version

INSTALLERS = ("pip", "uv")
_OWN = re.compile(r"(PIP|UV|VIRTUAL_ENV|PYTHON|XDG|\w+_proxy$|\w+_PROXY$)")


class Outcome(NamedTuple):
    """What an installer did: its exit code, all that it printed, and the environment after it."""

    code: int
    said: str
    environment: Path

    @property
    def versions(self) -> dict[str, str]:
        """The installed distributions: version by name."""
        return {found.name: found.version for found in distributions(path=[str(self.site)])}

    @property
    def site(self) -> Path:
        return next(self.environment.glob("[Ll]ib*/**/site-packages"))

    def folder_of(self, package: str) -> str:
        """From which folder of the wheel index an installed small wheel came (``support.small_wheels``)."""
        text = (self.site / package / "version.py").read_text()
        return re.findall(r"^folder = '(.*)'$", text, re.MULTILINE)[0]


def install(installer: str, lock: Path, index_url: str, *options: str, environment: Path | None = None) -> Outcome:
    """Install a lock file into a new environment beside it; ``index_url`` stands in for the public index.

    What the lock says decides about hashes: each installer demands them all if one line has one. With
    ``environment``, install into that one, which an earlier call made.
    """
    if installer == "pip" and lock.suffix == ".toml" and Version(version("pip")) < Version("26.3"):
        pytest.skip("this pip does not read pylock.toml")
    new = environment is None
    environment = environment or lock.parent / f"{installer}-environment"
    home = lock.parent / "home"
    home.mkdir(exist_ok=True)
    known = {name: value for name, value in os.environ.items() if not _OWN.match(name)}
    environ = {
        **known,
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index_url,
        "PIP_RETRIES": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": index_url,
        "UV_CACHE_DIR": str(lock.parent / "uv-cache"),
        "UV_HTTP_RETRIES": "0",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_PROXY": "127.0.0.1",
    }
    if new:
        _run(environ, *_module("uv"), "venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
    python = str(next(environment.glob("[bS]*/python*")))
    if installer == "pip":
        environ["PYTHONPATH"] = str(_pip_alone(lock.parent))
        words = [python, "-m", "pip", "install", "--no-cache-dir", "--no-input"]
    else:
        words = [*_module("uv"), "pip", "install", "--python", python]
    done = _run(environ, *words, "-r", lock.name, *options, folder=lock.parent)
    return Outcome(done.returncode, done.stdout + done.stderr, environment)


def environment(folder: Path, *requirements: str) -> None:
    """Make a virtual environment, and let uv install requirements into it from the package index."""
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder)], check=True)
    python = next(folder.glob("[bS]*/python*"))
    subprocess.run([*uv, "pip", "install", "--python", str(python), *requirements], check=True)


def _pip_alone(folder: Path) -> Path:
    """A folder with pip and no other package, so that it runs in any environment and sees only that one."""
    alone = folder / "pip-alone"
    alone.mkdir(exist_ok=True)
    if not (alone / "pip").exists():
        (alone / "pip").symlink_to(Path(str(distribution("pip").locate_file("pip"))))
    return alone


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _run(environ: dict[str, str], *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)
