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


def program_of_tree(context: CheckContext) -> str:
    """The file of a Python that was not run, for its own search path; "" if it is not in the tree.

    Its RPATH is searched for every library that it loads: that of conda names its own ``lib``.
    """
    python = context.environment.interpreter
    base = base_of(python, context.environment.tree, context.root) if python.virtual else python.prefix
    minor = ".".join(python.version.split(".")[:2])
    path = os.path.join(base, "bin", f"python{minor}") if base and minor else ""
    real = context.root.real(path) if path and context.root is not None else os.path.realpath(path) if path else ""
    return real if real and files.is_file(real) else ""


def install_python_library(context: CheckContext, name: str) -> Remedy:
    """Install ``libpython3.13.so.1.0``: the package of Debian or Ubuntu for their own Python, else in words."""
    found = re.match(r"libpython(3\.\d{1,3})", name)
    version = found[1] if found else "3"
    system = system_of(context)
    has_package = system is not None and system.install.startswith("apt-get") and system.python in ("", version)
    if found and system is not None and has_package and _is_of_system(context):
        command = package_command(context, system, Library("", (f"libpython{version}",)))
        return Remedy(f"Install the shared library of Python {version} of {system.title}.", commands=command)
    other = (
        f"{system.title} itself has Python {system.python}. "
        if system and system.python and not has_package
        else ""
    )
    return Remedy(
        f"{other}Install the shared library of Python {version} from where this Python comes from (packages of "
        f"Debian and Ubuntu: libpython{version}); or use a Python built with --enable-shared, or that of conda."
    )


def _is_of_system(context: CheckContext) -> bool:
    """Whether Python is that of the distribution, or nothing shows another one."""
    python = context.environment.interpreter
    if python.base_prefix:
        return python.base_prefix in ("/usr", "/usr/bin", "/bin")
    prefix = context.root.name(python.prefix) if context.root is not None else python.prefix
    return prefix == "/usr" or not files.is_file(os.path.join(python.prefix, "bin", "python3"))
