"""The process of each platform."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.inspect.loading.process import LoaderProcess
    from torchlock.inspect.loading.root import Root


def process_of(
    system: str,
    machine: str,
    root: Root | None,
    executable: str,
    beyond: tuple[str, ...] = (),
    programs: tuple[str, ...] = (),
    *,
    brings_runtime: bool = True,
) -> LoaderProcess:
    """A process of Python that has loaded nothing yet.

    ``root`` is the machine, None if it is unknown; ``executable`` is "" if unknown. ``beyond`` are folders that
    macOS or Windows searches in addition to those of the packages; on Linux, those that may have the
    shared library of an unknown Python. ``programs`` are the folders that may hold the program: the libraries of a
    Mac can name them as ``@executable_path``, and a frozen application of Linux lets the loader search them.
    ``brings_runtime``: a Python of Windows that is not here has the whole C runtime beside itself.
    """
    if system == "linux":
        from torchlock.inspect.loading.elf_process import ElfProcess

        return ElfProcess(root, executable or None, machine, beyond, () if executable else programs)
    from torchlock.inspect.loading.bundle_process import BundleProcess

    runtime = tuple(_runtime(executable)) if system == "windows" else ()
    return BundleProcess(system, machine, runtime, beyond, root, programs, brings_runtime=brings_runtime)


def _runtime(executable: str) -> Iterator[str]:
    """The folders of this Windows that may contain DLLs of a Python."""
    windows = os.environ.get("SYSTEMROOT", "")
    if executable and windows:
        yield os.path.dirname(executable)
        yield os.path.dirname(os.path.realpath(executable))
        yield os.path.join(windows, "System32")
