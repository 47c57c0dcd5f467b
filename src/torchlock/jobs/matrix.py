"""The job ``matrix``: from options to the filters of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.errors import InputError
from torchlock.matrix.selection import COMPANIONS, EVERY, PUBLIC, Selection
from torchlock.spelling import meant

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.knowledge.gpus import Gpu

_GPU_HINT = "use a product name, like 'RTX 4090', or an architecture, like sm_89; lock and audit know --gpu host"


def selection_of(arguments: argparse.Namespace) -> Selection:
    """The filters that some options state.

    Raises:
        InputError: a requirement or a target is invalid.
    """
    platforms = _platforms(arguments.platform)
    return Selection(
        ranges=_ranges(arguments.requirements),
        platforms=platforms,
        python=_python(arguments.python),
        build=_build(arguments.accelerator, platforms),
        kinds=tuple(dict.fromkeys(arguments.kind)),
        verdicts=tuple(dict.fromkeys(arguments.verdict)),
        gpu=_gpu(arguments.gpu),
        driver=_driver(arguments.driver),
    )


def _ranges(texts: Sequence[str]) -> dict[str, str]:
    """The packages that are named, each with its specifier set; ranges of one package are combined."""
    from torchlock.manifests.syntax.requirement import parse_requirement
    from torchlock.standards.names import normalise
    from torchlock.terms import Origin

    found: dict[str, str] = {}
    for text in texts:
        requirement = parse_requirement(text, Origin(None, None, text)).requirement
        name = normalise(requirement.name) if requirement is not None else ""
        if requirement is None or name not in ("torch", *COMPANIONS):
            known = ", ".join(("torch", *COMPANIONS))
            near = meant(name, ("torch", *COMPANIONS))
            raise InputError(f"the matrix does not cover {text!r}{near}", hint=f"it covers {known}")
        if requirement.extras:
            extras = ",".join(sorted(requirement.extras))
            raise InputError(f"{text!r}: the matrix knows no extras", hint=f"leave [{extras}] out")
        if requirement.marker or "+" in str(requirement.specifier):
            hint = "state the target with --python and --platform, and the build with --accelerator"
            raise InputError(f"{text!r}: a marker or a build label is not a range of releases", hint=hint)
        found[name] = ",".join(filter(None, (found.get(name), str(requirement.specifier))))
    return found


def _platforms(name: str) -> tuple[str, ...]:
    from torchlock.target import PLATFORMS, Platform

    if name == "all":
        return PLATFORMS
    return (str(Platform.of_host()) if name == "host" else name,)


def _python(text: str | None) -> int | None:
    if text is None:
        return None
    from torchlock.target import PYTHONS, PythonVersion

    version = PythonVersion.parse(text)
    if version.minor not in PYTHONS or version.free_threaded:
        what = "a free-threaded Python" if version.free_threaded else f"Python {version}"
        raise InputError(
            f"--python {text}: the matrix does not cover {what}",
            hint=f"it covers Python 3.{PYTHONS[0]} to 3.{PYTHONS[-1]}; torchlock lock resolves for others",
        )
    return version.minor


def _build(name: str, platforms: Sequence[str]) -> str:
    from torchlock.jobs.target import accelerator_of
    from torchlock.target import Platform

    if name in (EVERY, PUBLIC):
        return name
    if name == "auto":
        raise InputError(
            "--accelerator auto: the matrix does not examine this machine", hint="name a build, or all"
        )
    return accelerator_of(name, Platform.parse(platforms[0]) if len(platforms) == 1 else None)


def _gpu(name: str | None) -> Gpu | None:
    if name is None:
        return None
    from torchlock.knowledge.gpus import parse_gpu

    if name.strip().lower() == "host" or "," in name:
        raise InputError(f"--gpu {name}: the matrix needs the name of one GPU", hint=_GPU_HINT)
    return parse_gpu(name)


def _driver(text: str | None) -> str:
    from torchlock.knowledge.drivers import driver_numbers

    if text is not None and driver_numbers(text) is None:
        raise InputError(f"--driver: {text!r} is not the version of a driver", hint="use a version like 550.54.14")
    return text or ""
