"""Commands of conda, for the environment that is checked and no other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.finding import Command
from torchlock.knowledge.stack import CONDA_NAMES, FAMILY

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext


def conda_install(context: CheckContext, *words: str, prefix: str = "") -> tuple[Command, ...]:
    """``conda install`` with these words, which are quoted; none if the prefix cannot be shown on one line.

    ``prefix`` is that of another environment than the one that is checked.
    """
    from torchlock.check.fix.quoting import is_one_line

    line = " ".join(["conda install -y", *([_option(context, prefix)] if prefix else _place(context)), *words])
    return (Command("conda", line),) if is_one_line(line) else ()


def conda_remove(context: CheckContext, *names: str) -> tuple[Command, ...]:
    """``conda remove`` with these packages; none if the prefix cannot be shown on one line."""
    installs = conda_install(context, *names)
    return tuple(each._replace(line=each.line.replace("conda install", "conda remove", 1)) for each in installs)


def is_recorded(context: CheckContext, name: str) -> bool:
    """Whether conda has a record of a package, which its own name or that of the public index names."""
    return any(CONDA_NAMES.get(each.name, each.name) == name for each in context.environment.conda)


def is_wheel_beside_conda(context: CheckContext, name: str) -> bool:
    """Whether conda installed torch, and an installer of wheels another package of the torch family."""
    torch, record = context.record("torch"), context.record(name)
    if name not in FAMILY or torch is None or record is None:
        return False
    if is_recorded(context, name) or not is_recorded(context, "torch"):
        return False
    return torch.installer in ("", "conda") and record.installer != "conda"


def _place(context: CheckContext) -> tuple[str, ...]:
    """The option that names the environment, as its machine names it; none if it is active, or no environment.

    Without the option, conda changes the active environment.
    """
    python, tree = context.environment.interpreter, context.environment.tree
    known = (each for each in (python.prefix, python.base_prefix) if each)
    prefix = next((each for each in known if "conda-meta" in tree.names(each)), "")
    if not prefix:
        return ()
    if context.live and os.path.realpath(os.environ.get("CONDA_PREFIX") or os.sep) == os.path.realpath(prefix):
        return ()
    machine = context.root or context.search_path
    named = machine.name(prefix) if machine is not None else prefix
    return (_option(context, prefix if named == "/" else named),)


def _option(context: CheckContext, prefix: str) -> str:
    from torchlock.check.fix.quoting import quoted

    return f"-p {quoted(prefix, windows=context.operating_system == 'windows')}"
