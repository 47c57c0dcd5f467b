"""The wheel tags that CPython installs, best first (PEP 425, 384, 803), and the glibc of this machine.

``packaging.tags`` has the same lists; its import brings ``logging``, ``platform`` and ``subprocess`` and costs
as much as Python's own start (callgrind). ``tests/test_wheel_tags.py`` compares both.
"""

from __future__ import annotations

import os
import sys

from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MACHINES = ("x86_64", "aarch64")


def installable(version: tuple[int, int], free_threaded: bool, platforms: Sequence[str]) -> Iterator[str]:
    """The tags of all wheels for a CPython version from 3.6 on, on platforms in the order of preference."""
    major, minor = version
    own = f"cp{major}{minor}"
    abi, stable = own + ("t" if free_threaded else "m" if minor < 8 else ""), "abi3t" if free_threaded else "abi3"
    for each in (f"{own}-{abi}", f"{own}-{stable}", f"{own}-none"):
        yield from (f"{each}-{platform}" for platform in platforms)
    for older in range(minor - 1, 1, -1):
        yield from (f"cp{major}{older}-{stable}-{platform}" for platform in platforms)
    pythons = [f"py{major}{minor}", f"py{major}", *(f"py{major}{older}" for older in range(minor - 1, -1, -1))]
    for python in pythons:
        yield from (f"{python}-none-{platform}" for platform in platforms)
    yield f"{own}-none-any"
    yield from (f"{python}-none-any" for python in pythons)


def host_platform() -> str | None:
    """The best platform tag of this interpreter, like ``manylinux_2_36_x86_64``; None if packaging has to say it.

    Packaging says it for everything but a 64-bit CPython on Linux with glibc that nobody has configured otherwise.
    """
    if sys.platform != "linux" or sys.maxsize <= 2**32 or "_PYTHON_HOST_PLATFORM" in os.environ:
        return None
    machine = os.uname().machine
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        # With this module, a distribution says what it does not install.
        import _manylinux  # type: ignore[import-not-found]  # noqa: F401
    except (OSError, ValueError):
        return None
    except ImportError:
        major, _, minor = version.partition(".")
        if name == "glibc" and major == "2" and minor.isdecimal() and machine in _MACHINES:
            return f"manylinux_{major}_{minor}_{machine}"
    return None
