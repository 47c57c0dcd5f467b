"""The shared library of Python, which only some builds of Python have, and where the loader may not look."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.system_packages import package_command, system_of
from torchlock.finding import Remedy
from torchlock.inspect.tree_python import base_of
from torchlock.knowledge.systems import Library
from torchlock.runtime import files

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext

WHY_PYTHON = (
    "it links the shared library of Python, which many builds of Python do not have, "
    "or have in a folder that the loader does not search"
)


def libraries_of_python(context: CheckContext) -> tuple[str, ...]:
    """The folders that may have the shared library of a Python that was not run."""
    python = context.environment.interpreter
    prefixes = (python.prefix, base_of(python, context.environment.tree, context.root))
    return tuple(os.path.join(prefix, "lib") for prefix in dict.fromkeys(prefixes) if prefix)


def install_python_library(context: CheckContext, name: str) -> Remedy:
    """Install ``libpython3.13.so.1.0``: the package of Debian or Ubuntu for their own Python, else in words."""
    found = re.match(r"libpython(3\.\d{1,3})", name)
    version = found[1] if found else "3"
    system = system_of(context)
    if found and system is not None and system.install.startswith("apt-get") and _is_of_system(context):
        command = package_command(context, system, Library("", (f"libpython{version}",)))
        return Remedy(f"Install the shared library of Python {version} of {system.title}.", commands=command)
    return Remedy(
        f"Install the shared library of Python {version} with the package manager that Python comes from (Debian "
        f"and Ubuntu: libpython{version}); or use a Python built with --enable-shared, or that of conda."
    )


def _is_of_system(context: CheckContext) -> bool:
    """Whether Python is that of the distribution, or nothing shows another one."""
    python = context.environment.interpreter
    if python.base_prefix:
        return python.base_prefix in ("/usr", "/usr/bin", "/bin")
    prefix = context.root.name(python.prefix) if context.root is not None else python.prefix
    return prefix == "/usr" or not files.is_file(os.path.join(python.prefix, "bin", "python3"))
