"""setup.cfg: the declarative requirements of setuptools."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.read.pyproject import requires_python
from torchlock.read.requirement import parse_requirement
from torchlock.read.requirements_txt import read_requirements
from torchlock.read.text import read_text
from torchlock.words import Inputs, Origin, Written

if TYPE_CHECKING:
    from collections.abc import Collection


def read_setup_cfg(path: str, *, extras: Collection[str] = (), all_extras: bool = False) -> Inputs:
    """Read ``[options] install_requires`` and, of ``[options.extras_require]``, some extras.

    Raises:
        InputError: it is no such file, or an extra is not there.
    """
    from packaging.utils import canonicalize_name

    text = read_text(path)
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"not a valid setup.cfg: {str(error).splitlines()[0]}", path=path, line=line) from error
    if not parser.has_section("options"):
        raise InputError("has no [options] section", path=path)
    inputs = Inputs()
    inputs.requirements += _requirements(parser.get("options", "install_requires", fallback=""), text, path)
    python = parser.get("options", "python_requires", fallback="").strip()
    if python:
        specifier, _ = requires_python(python, text, path)
        inputs.requires_python = specifier, Origin(path, _line(text, python), python)
    section = "options.extras_require"
    known = dict(parser.items(section)) if parser.has_section(section) else {}
    names = {canonicalize_name(name): name for name in known}
    for extra in names if all_extras else [canonicalize_name(extra) for extra in extras]:
        if extra not in names:
            hint = f"there are: {', '.join(sorted(names))}" if names else "the project has no extras"
            raise InputError(f"no extra is called {extra!r}", path=path, hint=hint)
        inputs.requirements += _requirements(known[names[extra]], text, path)
    return inputs


def _requirements(value: str, text: str, path: str) -> list[Written]:
    if value.strip().startswith("file:"):
        names = value.strip()[len("file:") :].replace("\n", ",").split(",")
        folder = Path(path).parent
        return [
            written
            for name in names
            if name.strip()
            for written in read_requirements(str(folder / name.strip())).requirements
        ]
    lines = [line.partition(" #")[0].strip() for line in value.splitlines()]
    return [
        parse_requirement(line, Origin(path, _line(text, line), line))
        for line in lines
        if line and not line.startswith("#")
    ]


def _line(text: str, value: str) -> int | None:
    return next((number for number, line in enumerate(text.splitlines(), 1) if value in line), None)
