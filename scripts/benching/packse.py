"""Scenarios of astral-sh/packse: what they publish, how they are locked, and whether the lock is as expected."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benching.packse_index import Served

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PYTHON = ">=3.12"  # where a release of a scenario, or its root, names none

# The scenarios that come out differently, and the policy that they meet. docs/solving.md has the same list.
_TARGETS = "each target is locked by itself, so targets that exclude each other's versions have a lock"
DIFFERENT: dict[str, str] = {
    "does_not_exist-requires-package-does-not-exist": (
        "a line that names a package that no index has is an error of the input: exit code 2"
    ),
    "fork-conflict-in-fork": "the markers name systems that no target has, so the lines apply to none",
    "fork-non-local-fork-marker-direct": _TARGETS,
    "fork-non-local-fork-marker-transitive": _TARGETS,
    "fork-preferences-dependent-forking-conflicting": _TARGETS,
    "requires_python-python-patch-override-no-patch": (
        "a Python without a patch release stands for the latest one, which has what the release requires"
    ),
}


class Scenario(NamedTuple):
    """One scenario: the parsed file."""

    name: str
    content: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.content.get("resolver_options", {}))

    @property
    def python(self) -> str:
        return str(self.options.get("python") or self.content.get("environment", {}).get("python", "3.12"))

    @property
    def requires_python(self) -> str:
        return str(self.content["root"].get("requires_python", _PYTHON))


class Outcome(NamedTuple):
    """``difference`` from what is expected, "" if there is none; what the command printed."""

    difference: str
    printed: str


def read(checkout: Path) -> list[Scenario]:
    """The scenarios of a checkout, by path; raises OSError and tomllib.TOMLDecodeError."""
    found = []
    for path in sorted(checkout.glob("scenarios/*/*.toml")):
        if path.parent.name != "examples":
            found.append(Scenario(f"{path.parent.name}-{path.stem}", tomllib.loads(path.read_text())))
    return found


def files_of(scenario: Scenario) -> list[Served]:
    """The wheels and source distributions of a scenario."""
    return [
        file
        for name, package in scenario.content["packages"].items()
        for version, release in package["versions"].items()
        for file in _release(name, version, release)
    ]


def _release(name: str, version: str, release: dict[str, Any]) -> Iterator[Served]:
    python = release.get("requires_python", _PYTHON)
    yanked = bool(release.get("yanked"))
    metadata = _metadata(name, version, python, release)
    stem = f"{name.replace('-', '_')}-{version}"
    if release.get("wheel", True):
        for tags in release.get("wheel_tags") or ["py3-none-any"]:
            yield Served(name, f"{stem}-{tags}.whl", _wheel(stem, metadata, tags), metadata, python, yanked)
    if release.get("sdist", True):
        yield Served(name, f"{stem}.tar.gz", _sdist(stem, metadata), None, python, yanked)


def _metadata(name: str, version: str, python: str, release: dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if python:
        lines.append(f"Requires-Python: {python}")
    lines += [f"Requires-Dist: {each}" for each in release.get("requires", ())]
    for extra, needed in release.get("extras", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        for each in needed:
            requirement, _, marker = each.partition(";")
            both = f"({marker.strip()}) and extra == '{extra}'" if marker.strip() else f"extra == '{extra}'"
            lines.append(f"Requires-Dist: {requirement.strip()} ; {both}")
    return "\n".join(lines) + "\n"


def _wheel(stem: str, metadata: str, tags: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return content.getvalue()


def _sdist(stem: str, metadata: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in (("PKG-INFO", metadata), ("pyproject.toml", "[build-system]\nrequires = []\n")):
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def outcome(scenario: Scenario, index: str, folder: Path) -> Outcome:
    """Lock a scenario in a folder, and compare the lock with what is expected."""
    folder.mkdir()
    root = scenario.content["root"]
    project = ["[project]", 'name = "project"', 'version = "1"', f"requires-python = '{scenario.requires_python}'"]
    project.append(f"dependencies = {json.dumps(root.get('requires', []))}")
    (folder / "pyproject.toml").write_text("\n".join(project) + "\n")
    (folder / "requirements.in").write_text("\n".join(root.get("requires", [])) + "\n")
    source = "pyproject.toml" if scenario.options.get("universal") else "requirements.in"
    command = [sys.executable, "-m", "torchlock", "lock", "-r", source, "-o", "lock.txt"]
    command += ["--index-url", index, "--cache-dir", "cache", *_arguments(scenario)]
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    expected = scenario.content["expected"]
    lock = (folder / "lock.txt").read_text() if run.returncode == 0 else ""
    return Outcome(_difference(expected, run.returncode, lock), run.stdout + run.stderr)


def _arguments(scenario: Scenario) -> list[str]:
    options = scenario.options
    platform = options.get("python_platform", "")
    found = ["--pre"] if options.get("prereleases") else []
    if not options.get("no_build"):
        found.append("--allow-sdist")
    if options.get("universal"):
        return [*found, "--universal"]
    named = "manylinux_2_17_x86_64" if platform == "x86_64-manylinux2014" else platform or "linux-x86_64"
    return [*found, "--python", scenario.python, "--platform", named]


def _difference(expected: dict[str, Any], code: int, lock: str) -> str:
    if code not in (0, 1):
        return f"exit code {code}"
    if expected["satisfiable"] != (code == 0):
        return "a lock, where none is expected" if code == 0 else "no lock, where one is expected"
    if code:
        return ""
    pins = set(re.findall(r"^([a-z0-9-]{1,99})(?:\[[^]\n]{0,99}\])?==([^\s;\\]+)", lock, re.MULTILINE))
    lacking = sorted(set(expected.get("packages", {}).items()) - pins)
    return f"no {', '.join('=='.join(each) for each in lacking)}, but {sorted(pins)}" if lacking else ""
