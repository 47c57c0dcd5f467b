"""Which environment a log is of: the folders, versions and builds that it names."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.log import plain_path
from torchlock.check.log_facts import PYTHON, python_in
from torchlock.check.log_machine import systems_stated
from torchlock.check.log_same_files import is_of_here, is_shared
from torchlock.check.rules.import_path import OF_USER
from torchlock.knowledge.build_labels import cuda_label
from torchlock.knowledge.registry import group
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchlock.check.log import Log

_NAMES = {"windows": "Windows", "macos": "macOS", "linux": "Linux"}


def site_of(log: Log, root: str = "") -> str:
    """The folder of packages that a log names and that exists here, or below ``root``; "" if there is none.

    The one from which torch or torchaudio was imported comes first, then the one that is named last. A folder that
    many machines have counts only if its files are those of the log.
    """
    imported = {plain_path(prefix) for _, prefix in log.prefixes}
    last_first = list(log.sites)[::-1]
    places = sorted(last_first, key=lambda site: plain_path(os.path.dirname(site)) not in imported)
    for site in places:
        place = _below(root, site) if root else os.path.expanduser(site)
        if not os.path.isabs(place) or not files.is_folder(place):
            continue
        if root or not is_shared(place) or is_of_here(log, place):
            return place
    return ""


def _below(root: str, path: str) -> str:
    """Where a path of a machine is, whose files are below ``root``."""
    return os.path.join(root, re.sub(r"^(?:[A-Za-z]:)?[/\\]+", "", path).replace("\\", "/"))


def elsewhere(
    log: Log,
    folders: Sequence[str],
    installed: Mapping[str, tuple[str, str]] | None = None,
    *,
    moved: bool = False,
    exact: bool = False,
    root: str = "",
    system: str = "",
) -> str:
    """Why the log is from another environment (other folders, another Python, other versions); else "".

    ``folders`` are those of this environment as its own processes name them, ``installed`` has the version and the
    build of each package. ``moved``: the folders may be a copy of an environment that the log has at another path;
    but not if this machine, or the one below ``root``, has an environment at that path. ``exact``: only folders
    above the environment may have other names, as where a log hides them. ``system`` is the one that it is for.
    """
    if system and (there := _system_of(log)) and (there == "windows") != (system == "windows"):
        theirs = _NAMES.get(there, "a Linux or a Mac")
        return f"the log is from another environment: its paths are of {theirs}, this is for {_NAMES[system]}"
    if system and (stated := systems_stated(log.text)) and system not in stated:
        return (
            f"the log is from another environment: its installer says that it runs on {_NAMES[min(stated)]}, "
            f"this is for {_NAMES[system]}"
        )
    own = next((folder for folder in folders if "-packages" in folder), folders[0] if folders else "")
    strange = _strange(log, folders, moved, root)
    if strange and (exact or not moved or any(_is_here(prefix, name, root) for name, prefix in strange)):
        name, prefix = strange[0]
        return f"the log is from another environment: it has {name} in {prefix}, this is {own}"
    here = {python_in(match) for folder in folders for match in PYTHON.finditer(folder + "/")}
    if here and log.pythons and not here & set(log.pythons):
        return f"the log is from another environment: it names Python {log.pythons[0]}, this is {min(here)}"
    for name, version in log.installed:
        mine, label = (installed or {}).get(name, ("", ""))
        if mine and not _is_same(version, mine, label):
            return f"the log is from another environment: it has {name} {version}, this is {name} {mine}"
    for name, cuda in log.cuda:
        mine, label = (installed or {}).get(name, ("", ""))
        if label.startswith("cu") and label != cuda_label(cuda):
            return f"the log is from another environment: its {name} is built for CUDA {cuda}, this one is {label}"
    return ""


def taken_as(log: Log, folders: Sequence[str]) -> str:
    """A remark on a log whose path this machine does not have: the environment may be a copy; else ""."""
    elsewhere = in_another_place(log, folders)
    return (
        f"{elsewhere}, which is not on this machine: it is read as a log of this environment" if elsewhere else ""
    )


def in_another_place(log: Log, folders: Sequence[str]) -> str:
    """Where a log has a package that is not in these folders: "the log has torch in /srv/env"; else ""."""
    strange = _strange(log, folders, True, "")
    return "the log has {} in {}".format(*strange[0]) if strange else ""


def _strange(log: Log, folders: Sequence[str], moved: bool, root: str) -> list[tuple[str, str]]:
    """The packages that a log has at another path, if the environment is not split."""
    found = [
        (name, prefix)
        for name, prefix in log.prefixes
        if not prefix.startswith("~") and not any(_is_under(folder, prefix, moved, root) for folder in folders)
    ]
    of_user = copy_of_user(log, folders)
    found = [each for each in found if each != of_user]
    return found if folders and not (log.split and len(found) < len(log.prefixes)) else []


def copy_of_user(log: Log, folders: Sequence[str]) -> tuple[str, str] | None:
    """The package that a log has in the folder of a user, and this folder, if other files in it are of this one.

    A Python of conda, and each Python without a virtual environment, searches that folder first.
    """
    others = [plain_path(site) for site in log.sites if not OF_USER.search(site.replace("\\", "/"))]
    prefixes = [os.path.dirname(site) for site in others]
    if not any(_is_under(folder, prefix, True, "") for prefix in prefixes for folder in folders):
        return None
    of_user = (each for each in log.prefixes if OF_USER.search(f"{each[1]}/site-packages".replace("\\", "/")))
    return next((each for each in of_user if not any(_is_own(folder, each[1]) for folder in folders)), None)


def _is_own(folder: str, prefix: str) -> bool:
    """Whether a folder of the import path is in the one that a log names."""
    return f"{plain_path(folder)}/".startswith(f"{plain_path(prefix)}/")


def _system_of(log: Log) -> str:
    """The system whose paths a log names: windows or posix; "" if there are none, or both."""
    is_installers = log.first is not None and log.first.rules[0] in group("installers")
    paths = [prefix for _, prefix in log.prefixes] or (log.sites if is_installers else ())
    kinds = {"windows" if re.match(r"[A-Za-z]:|\\", path) else "posix" for path in paths}
    return kinds.pop() if len(kinds) == 1 else ""


def _is_here(prefix: str, name: str, root: str) -> bool:
    """Whether this machine, or the one below ``root``, has a package in an environment that a log names."""
    places = [prefix, _below(root, prefix)] if root else [prefix]
    sites = (os.path.join(place, each) for place in places for each in ("site-packages", "dist-packages"))
    return any(files.is_folder(os.path.join(site, name)) for site in sites)


def _is_same(found: str, mine: str, label: str) -> bool:
    """Whether a version from a log, perhaps shortened, may be the installed one."""
    public, _, local = found.partition("+")
    same = f"{mine.partition('+')[0]}.".startswith(f"{public}.")
    return same and (not local or not label or local == label)


def _is_under(folder: str, prefix: str, moved: bool, root: str) -> bool:
    here, there = plain_path(folder) + "/", plain_path(prefix) + "/"
    real = _below(root, prefix) if root else prefix
    if here.startswith(there) or ((root or not moved) and _is_linked(folder, real, root)):
        return True
    if root and f"{plain_path(os.path.abspath(_below(root, folder)))}/".startswith(there):
        return True  # The log has the path that the folder has on this machine.
    tail = re.search(r"(?<![^/:])[^/:]+/lib(?:/python[\d.]+t?)?/$", there)
    return moved and (here.find(f"/{tail[0]}") >= 0 if tail else False)


def _is_linked(folder: str, prefix: str, root: str) -> bool:
    """Whether a folder is in the one that a prefix leads to over links."""
    mine = _below(root, folder) if root else folder
    here, there = (plain_path(os.path.realpath(each)) + "/" for each in (mine, prefix))
    return here.startswith(there) or (not root and (plain_path(folder) + "/").startswith(there))
