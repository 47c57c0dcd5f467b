"""Find the build of a wheel of the torch family, from its label, its requirements and its source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.knowledge.build_labels import cuda_label, kind_of
from torchlock.knowledge.stack import cuda_check_of
from torchlock.patterns import pattern
from torchlock.records import NamedTuple

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.standards.dependency import Dependency

_RUNTIME = pattern(r"cuda-toolkit|nvidia-cuda-runtime(?:-cu\d+)?")
_PIN = pattern(r"===?([0-9]+)\.([0-9]+)(?:\..*)?")
_TRITON = {"pytorch-triton-rocm": "rocm", "triton-rocm": "rocm", "pytorch-triton-xpu": "xpu", "triton-xpu": "xpu"}
# A wheel of the CUDA build that takes cuDNN from the index, as the PyTorch index labels it.
_SPLIT = ".with.pypi.cudnn"


class Compared(NamedTuple):
    """The comparison that an import makes: the CUDA version with or without its minor part; and the file."""

    minor: bool
    path: str


def of_label(label: str) -> str | Unknown:
    """The build in a local version: ``cu130`` of ``2.11.0+cu130``."""
    label = label.removesuffix(_SPLIT)
    return label if kind_of(label) else Unknown(f"unknown build label +{label}")


def of_requirements(dependencies: Iterable[Dependency], tags: str) -> str | None:
    """The build, from requirements on CUDA, ROCm or XPU packages; None without such requirements.

    ``tags`` is the tag part of the wheel's name: its platform decides which markers hold.
    """
    environment = _environment(tags)
    for dependency in dependencies:
        runtime = _RUNTIME.fullmatch(dependency.name)
        build = _TRITON.get(dependency.name)
        if (runtime or build) and _holds(dependency.marker, environment):
            pin = _PIN.fullmatch(dependency.specifier)
            if runtime and pin:
                return f"cu{pin[1]}{pin[2]}"
            if build:
                return build
    return None


def of_version_file(name: str, tags: str, members: Mapping[str, str]) -> str | Unknown:
    """The build, from ``version.py`` in the wheel."""
    from torchlock.inspect.build import build_of_text

    path = f"{name}/version.py"
    build = build_of_text(path, members.get(path, ""))
    if build is None:
        return Unknown(f"it has no {path} that names its build")
    if name == "torch":
        if build.cuda is None:
            return Unknown(f"its {path} does not say what it was built for")
        if build.hip or build.xpu:
            return "rocm" if build.hip else "xpu"
        return cuda_label(build.cuda) if build.cuda else "cpu"
    if "macosx" in tags:  # where there is no other
        return "cpu"
    if not build.label:
        return Unknown(f"its {path} does not say what it was built for")
    return of_label(build.label)


def members_of(name: str) -> Sequence[str]:
    """The members of a wheel that state its build and the comparison at import."""
    return (f"{name}/version.py", *_checks(name))


def _checks(name: str) -> list[str]:
    """The files of a package that compare its CUDA version with that of torch at import."""
    return [f"{name}/{path}" for path in cuda_check_of(name)]


def compared(name: str, members: Mapping[str, str]) -> Compared | Unknown | None:
    """The comparison of CUDA versions at the import of a package; None if there is none.

    A comparison that is not understood counts as a comparison of the whole version, which is safe.
    """
    import ast

    paths = _checks(name)
    if paths and not any(path in members for path in paths):
        return Unknown(f"the wheel has none of {', '.join(paths)}")
    for path in paths:
        try:
            tree = ast.parse(members.get(path, ""))
        except (SyntaxError, ValueError, RecursionError):
            return Compared(True, path)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name == "_check_cuda_version":
                return Compared(any(_of_minor(test) for test in _tests(function)), path)
    return None


def _tests(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """The conditions under which the function raises something."""
    import ast

    for node in ast.walk(function):
        if isinstance(node, ast.If) and any(isinstance(child, ast.Raise) for child in node.body):
            yield node.test


def _of_minor(test: ast.expr) -> bool:
    import ast

    names = [node.id for node in ast.walk(test) if isinstance(node, ast.Name)]
    return not names or not all("major" in name for name in names)


def _environment(tags: str) -> dict[str, str]:
    """The marker environment in which this wheel installs."""
    platform = tags.rpartition("-")[2].partition(".")[0]
    machine = next((name for name in ("x86_64", "aarch64", "arm64", "amd64") if platform.endswith(name)), "")
    python = re.match(r"cp(\d)(\d+)", tags)
    version = f"{python[1]}.{python[2]}" if python else "3.12"
    system = ("win32", "nt", "Windows") if platform.startswith("win") else ("linux", "posix", "Linux")
    if platform.startswith("macosx"):
        system = ("darwin", "posix", "Darwin")
    return {
        "sys_platform": system[0],
        "os_name": system[1],
        "platform_system": system[2],
        "platform_machine": "AMD64" if machine == "amd64" else machine,
        "python_version": version,
        "python_full_version": f"{version}.0",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "extra": "",
    }


def _holds(marker: str, environment: Mapping[str, str]) -> bool:
    if not marker:
        return True
    from torchlock.standards.markers import parsed, value_of

    found = parsed(marker)
    value = found if isinstance(found, Unknown) else value_of(found, environment)
    return value is True
