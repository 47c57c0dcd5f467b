"""What the user wrote, with the place of every line. One module for each dialect."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.redaction import shortened
from torchlock.terms import Inputs

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["merge", "parse_requirement", "read_constraints", "read_file", "read_overrides", "read_pylock_pins"]

# Of a name or a version that is none, so much is quoted.
_SHOWN = 100

# Dialects of other tools, which would only give puzzling errors in pip's.
_FOREIGN = {
    ".yml": "a conda environment",
    ".yaml": "a conda environment",
    ".json": "JSON",
    ".lock": "a lock file",
    ".whl": "a wheel",
    ".ipynb": "a notebook",
    "pipfile": "a Pipfile",
}


def read_file(
    path: str, *, extras: Collection[str] = (), groups: Collection[str] = (), all_extras: bool = False
) -> Inputs:
    """Read a file of requirements, ``-`` for standard input; its name tells the dialect.

    pyproject.toml and every other TOML, setup.cfg, Python scripts (PEP 723), and for any other name pip's
    requirements format.

    Raises:
        InputError: it cannot be read, or has no extras or groups though some were asked for.
    """
    try:
        inputs = _read_file(path, extras, groups, all_extras)
    except RecursionError as error:
        raise _too_deep(path) from error
    for written in inputs.requirements:
        if written.requirement is not None and written.requirement.name.lower() == "pytorch":
            inputs.notes.append(f"{written.origin}: pytorch is its name in conda; package indexes call it torch")
    return inputs


def _read_file(path: str, extras: Collection[str], groups: Collection[str], all_extras: bool) -> Inputs:
    name = PurePath(path).name.lower()
    if name.endswith(".toml"):
        from torchlock.manifests.lock_readers.pyproject import read_pyproject

        return read_pyproject(path, extras=extras, groups=groups, all_extras=all_extras)
    if groups:
        raise InputError("has no dependency groups", path=path, hint="--group goes with a pyproject.toml")
    if name == "setup.cfg":
        from torchlock.manifests.lock_readers.setup_cfg import read_setup_cfg

        return read_setup_cfg(path, extras=extras, all_extras=all_extras)
    if extras or all_extras:
        raise InputError("has no extras", path=path, hint="--extra goes with a pyproject.toml or setup.cfg")
    if name.endswith((".py", ".pyw")):
        from torchlock.manifests.lock_readers.script import read_script

        return read_script(path)
    _refuse_foreign(path)
    from torchlock.manifests.lock_readers.requirements_txt import read_requirements

    return read_requirements(path)


def read_constraints(path: str) -> Inputs:
    """Read a constraints file, ``-`` for standard input; as in pip, its options on indexes count.

    Raises:
        InputError: it cannot be read.
    """
    from torchlock.manifests.lock_readers import requirements_txt

    _refuse_foreign(path)
    try:
        return requirements_txt.read_constraints(path)
    except RecursionError as error:
        raise _too_deep(path) from error


def read_overrides(path: str) -> Inputs:
    """Read requirements that replace all others on the same packages, from a file of any dialect.

    Raises:
        InputError: it cannot be read, or one of them has no name.
    """
    inputs = read_file(path)
    for written in inputs.requirements:
        if written.requirement is None:
            raise InputError(
                f"{written.origin.text!r} is no override: an override has a name",
                path=written.origin.path,
                line=written.origin.line,
            )
    inputs.overrides += inputs.requirements
    inputs.requirements = []
    inputs.requires_python = None
    return inputs


def read_pylock_pins(path: str) -> list[tuple[str, str]]:
    """The names and versions of a pylock.toml (PEP 751); packages without a version left out.

    Raises:
        InputError: it is no such file, or names what is no project or no version.
    """
    from torchlock.manifests.syntax.toml_values import parse_toml
    from torchlock.manifests.text import read_bytes

    packages = parse_toml(read_bytes(path), path).get("packages", [])
    try:
        pins = [(item["name"], item["version"]) for item in packages if "version" in item]
    except (TypeError, KeyError):
        raise InputError("packages is not the list of tables that PEP 751 says", path=path) from None
    return [_pylock_pin(name, version, path) for name, version in pins]


def _pylock_pin(name: object, version: object, path: str) -> tuple[str, str]:
    from packaging.utils import InvalidName, canonicalize_name

    from torchlock.standards.versions import version_of

    try:
        normalized = canonicalize_name(str(name), validate=True)
    except InvalidName:
        raise InputError(f"{shortened(repr(name), _SHOWN)} is not the name of a project", path=path) from None
    if version_of(str(version)) is None:
        told = f"{normalized} has the version {shortened(repr(version), _SHOWN)}"
        raise InputError(f"{told}, which is not a version", path=path)
    return normalized, str(version)


def merge(*parts: Inputs) -> Inputs:
    """Everything together, in order. The first index address counts; every requires-python does."""
    merged = Inputs()
    for part in parts:
        merged.requirements += part.requirements
        merged.constraints += part.constraints
        merged.overrides += part.overrides
        merged.extra_index_urls += part.extra_index_urls
        merged.find_links += part.find_links
        merged.notes += part.notes
        if part.index_url and merged.index_url not in (None, part.index_url):
            urls = f"{merged.index_url} is used, and {part.index_url} is ignored"
            merged.notes.append(f"of two index addresses, {urls}")
        merged.index_url = merged.index_url or part.index_url
        merged.routes = {**part.routes, **merged.routes}
        merged.environments += part.environments
        merged.no_index = merged.no_index or part.no_index
        merged.pre = merged.pre or part.pre
        if merged.requires_python and part.requires_python:
            both = merged.requires_python[0] & part.requires_python[0]
            merged.requires_python = both, part.requires_python[1]
        else:
            merged.requires_python = merged.requires_python or part.requires_python
    return merged


def _too_deep(path: str) -> InputError:
    return InputError("what it includes is nested too deeply", path=path)


def _refuse_foreign(path: str) -> None:
    name = PurePath(path)
    what = _FOREIGN.get(name.suffix.lower()) or _FOREIGN.get(name.name.lower())
    if what:
        raise InputError(
            f"is {what} by its name",
            path=path,
            hint="read are requirements files, pyproject.toml, setup.cfg, scripts",
        )
