"""The remedy for a companion of a torch of conda: the release of one channel, as far as its releases are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from torchlock.check.fix.commands import by_conda
from torchlock.check.fix.release_pairs import COMPANIONS
from torchlock.finding import Remedy
from torchlock.knowledge import tables
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import CONDA_NAMES

if TYPE_CHECKING:
    from torchlock.check import CheckContext

_FORGE, _PYTORCH = "conda-forge", "pytorch"
# The builds of torch on the channel pytorch: py3.9_cpu_0, py3.10_cuda12.1_cudnn8.9.2_0, py3.9_0.
_OF_PYTORCH = re.compile(r"py\d\.\d+_(?:\d+$|cpu|cuda)")


def of_channel(context: CheckContext, name: str, version: str) -> Remedy:
    """The companion for this torch of conda: of its channel, else both of pytorch; words if unknown."""
    if _is_of_pytorch(context) and _is_documented(context):
        words = f"Install {name} {version} of the channel {_PYTORCH}, where this torch came from"
        spec = f"{_PYTORCH}::{name}={version}"
        return Remedy(f"{words}.", commands=by_conda(context, [name], f"-c {_PYTORCH}", spec))
    there = _has(context, name, version)
    if there is True and not _is_of_pytorch(context):
        words = f"Install the {name} of {_FORGE}, where this torch came from, instead of the installed one."
        return Remedy(words, commands=by_conda(context, [name], f"-c {_FORGE}", f"{name}={version}"))
    if there is False:
        return _both(context, name, version)
    return Remedy(
        f"Install {name} {version} from the channel of conda where this torch came from, instead of the "
        "installed one. There is no command, because it is not known whether that channel has this release."
    )


def _both(context: CheckContext, name: str, version: str) -> Remedy:
    """Torch and its companion from the channel pytorch, because conda-forge never had this companion."""
    reason = f"conda-forge has no {name} {version} for this platform."
    if not _is_documented(context):
        return Remedy(f"Install torch and {name} in releases of one channel of conda: {reason}")
    torch = context.pins["torch"].version.base_version
    pair = f"torch {torch} and {name} {version} together from the channel {_PYTORCH}"
    others = [each for each in COMPANIONS if each in context.pins and each != name]
    platform = context.known_platform
    if others or context.label("torch") != "cpu" or platform is None or platform.system == "macos":
        return Remedy(f"Install {pair}, with all that is compiled against torch: {reason}")
    specs = [f"{_PYTORCH}::pytorch={torch}", f"{_PYTORCH}::{name}={version}", "cpuonly"]
    return Remedy(
        f"Install {pair}: {reason}", commands=by_conda(context, ["torch", name], f"-c {_PYTORCH}", *specs)
    )


def _is_of_pytorch(context: CheckContext) -> bool:
    """Whether torch is of the channel pytorch, by the name of its build."""
    mine = (each for each in context.environment.conda if CONDA_NAMES.get(each.name) == "torch")
    return any(_OF_PYTORCH.match(each.build) for each in mine)


def _is_documented(context: CheckContext) -> bool:
    """Whether the documents install this release of torch with its companions from the channel pytorch."""
    version = context.pins["torch"].version.base_version
    rows = tables.load_compiled("conda.json")["together"]
    return any(row["channel"] == _PYTORCH and specifier_set(row["torch"]).contains(version) for row in rows)


def _has(context: CheckContext, name: str, version: str) -> bool | None:
    """Whether conda-forge has a release of a package for this platform; None if that is unknown."""
    rows = tables.load_compiled("conda.json")["feedstock"]
    row = next((each for each in rows if (each["channel"], each["package"]) == (_FORGE, name)), None)
    if row is None or context.known_platform is None:
        return None
    builds = dict(row["builds"])
    if version in builds:
        return str(context.known_platform) in builds[version]
    return None if Version(version) > Version(list(builds)[-1]) else False
