"""TL606 and TL615: the copy that an import finds, the copies that it hides, and missing packages."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.context import dependencies_of, version_of
from torchlock.check.other_copies import fits_as
from torchlock.finding import Remedy
from torchlock.knowledge.registry import group, rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import CORE, FAMILY, MEMBERS, STACK
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.modules import ModuleCopies, ModuleCopy

# Import lines of tools that only change where their own modules are searched for.
_HOOK = pattern(r"__editable__|_virtualenv|distutils|coverage|nspkg|import sys, ?types, ?os")
# The folder of packages that users install for themselves (``pip install --user``), beside that of the Python.
OF_USER = pattern(
    r"/\.local/lib/python3\.\d+t?/site-packages$|/AppData/Roaming/Python/Python3\d+/site-packages$"
    r"|/Library/Python/3\.\d+/lib/python/site-packages$"
)


@rule("TL901")
def unreadable_folders(context: CheckContext) -> Iterator[Finding]:
    """Folders that this user cannot list, so their content is unknown."""
    for unreadable in context.environment.unreadable[:5]:
        verb = "listed" if os.path.isdir(unreadable.path) else "read"
        message = f"{unreadable.path} cannot be {verb} ({unreadable.reason}): its content is unknown"
        yield context.finding("TL901", "warning", message, path=unreadable.path)


@rule("TL403")
def unknown(context: CheckContext) -> Iterator[Finding]:
    """A platform or a Python without rules, so that most was not checked."""
    if context.target is not None or not (context.copy("torch") or context.copy("torchaudio")):
        return
    platform = context.environment.interpreter.platform
    what = f"torch has no wheels for the platform {platform}" if platform else "the platform is unknown"
    if context.platform or context.environment.interpreter.target_platform:
        what = "the Python version is unknown, or torch has no wheels for it"
    message = f"{what}: versions, builds and libraries were not checked"
    remedy = Remedy("Name the platform with --platform, like linux-x86_64; or the interpreter with --python.")
    yield context.finding("TL403", "warning", message, path=_site(context), remedy=remedy)


def why_not_judged(context: CheckContext) -> str:
    """Why a tree cannot be judged: its platform or Python is unknown, or part of it is missing; else ""."""
    if context.live:
        return ""
    python = context.environment.interpreter
    there = any(context.copy(name) or name in context.pins for name in ("torch", "torchaudio"))
    if context.target is None and there and not (context.platform or python.platform):
        return "its platform is unknown: versions, builds and libraries were not examined"
    if context.target is None and there and not python.version:
        return "its Python version is unknown: versions, builds and libraries were not examined"
    if needs_its_base(context) and not is_there(context, "torch"):
        return f"it includes the packages of the Python in {python.base_prefix or 'its base'}, which was not found"
    return ""


def needs_its_base(context: CheckContext) -> bool:
    """Whether a virtual environment may find torch in its base Python, which was not examined."""
    python = context.environment.interpreter
    is_blind = not context.live and python.virtual and python.system_site and not python.base_sites
    return is_blind and not (is_there(context, "torch") and is_there(context, "torchaudio"))


@rule("TL615", "TL108")
def absent(context: CheckContext) -> Iterator[Finding]:
    """Packages that cannot be imported because they are not installed; an application may have them in itself."""
    if any(context.environment.unreadable) or needs_its_base(context) or context.environment.frozen is not None:
        return
    if not is_there(context, "torchaudio") and not _is_recorded(context, "torchaudio"):
        yield _without_torchaudio(context)
        return
    asking = next((name for name in ("torchaudio", "torchvision", "torchcodec") if is_there(context, name)), None)
    is_lost = not is_there(context, "torch") and not _is_recorded(context, "torch")
    if asking and is_lost and not _is_rest(context):
        message = f"{context.named(asking)} is installed without torch, which its import needs"
        expected_error = "ModuleNotFoundError: No module named 'torch'"
        because = _REMOVED if _requires_torch(context, asking) else None
        in_part = is_of_user(context)
        yield context.finding(
            "TL108",
            "note" if in_part else "error",
            f"torch is not in this folder, and {context.named(asking)} needs it" if in_part else message,
            asking,
            "torch",
            path=_site(context),
            because=_PART if in_part else because,
            expected_error=expected_error,
        )


_PART = "it is the folder of a user; the Python may have torch in its own folder, which was not examined"
_REMOVED = "its metadata requires torch: torch was removed, or this package was installed without its requirements"


def _is_rest(context: CheckContext) -> bool:
    """Whether a folder of packages has a part of torch, which TL604 reports."""
    torch = context.copy("torch")
    return torch is not None and torch.entry is not None and torch.entry.is_site


def _is_moved_aside(context: CheckContext) -> bool:
    """Whether an interrupted installation moved torch aside: TL603 reports it, and the release that it had."""
    return any(each.meant == "torch" for each in context.installed.leftovers)


def _requires_torch(context: CheckContext, name: str) -> bool:
    record = context.record(name)
    return record is not None and any(each.name == "torch" for each in dependencies_of(record))


def _without_torchaudio(context: CheckContext) -> Finding:
    """A note: an environment does not have to use torch. It is an error if something in it needs torch."""
    names, message, because = ["torchaudio"], "torchaudio is not installed in this environment", None
    severity = "note"
    if not (is_there(context, "torch") or _is_recorded(context, "torch") or _is_moved_aside(context)):
        names, message = ["torchaudio", "torch"], "neither torch nor torchaudio is installed in this environment"
        severity = severity_of(fails=_needs_torch(context), partly=False)
        if is_of_user(context):
            severity, because = "note", _PART
        elif _runs_code(context):
            severity, message = "note", "neither torch nor torchaudio is found in this environment"
            because = "code that runs when Python starts may add folders; --probe shows this"
    expected_error = "ModuleNotFoundError: No module named 'torchaudio'"
    path = _site(context)
    return context.finding(
        "TL615", severity, message, *names, path=path, because=because, expected_error=expected_error
    )


def _needs_torch(context: CheckContext) -> bool:
    """Whether an installed package needs torch: a companion, or one whose metadata requires it here."""
    if any(is_there(context, name) for name in FAMILY):
        return True
    lines = (line for each in context.installed.distributions for line in each.metadata.requires)
    if not any(line.startswith("torch") for line in lines):
        return False
    wanted = [item for each in context.installed.distributions for item in dependencies_of(each)]
    mine = [item for item in wanted if item.name in CORE]
    return any(context.target is None or context.target.holds(item.marker) for item in mine)


@rule("TL615")
def not_searched(context: CheckContext) -> Iterator[Finding]:
    """An environment that its own Python does not search: its settings are missing, or the Python changed."""
    python = context.environment.interpreter
    if not context.live or not python.executable or is_there(context, "torch"):
        return
    folder = os.path.dirname(os.path.dirname(python.executable))
    library, known = os.path.join(folder, "lib"), {entry.path for entry in context.environment.path}
    for name in sorted(context.environment.tree.names(library)):
        site = os.path.join(library, name, "site-packages")
        if not re.fullmatch(r"python3\.\d+t?", name) or site in known:
            continue
        if "__init__.py" not in context.environment.tree.names(os.path.join(site, "torch")):
            continue
        message = f"{site} contains torch, but {python.executable} does not search there"
        mine = f"python{'.'.join(python.version.split('.')[:2])}"
        if name != mine:
            because = f"it is Python {python.version}, and they were installed for {name}"
            remedy = Remedy(f"Recreate the environment with {name}, or reinstall its packages for {mine}.")
        elif not files.is_file(os.path.join(folder, "pyvenv.cfg")):
            because = (
                f"{os.path.join(folder, 'pyvenv.cfg')} is missing, and without it the folder is not an environment"
            )
            remedy = Remedy(f"Run its Python with -m venv --without-pip {folder}: the packages in it stay.")
        else:
            continue
        expected_error = "ModuleNotFoundError: No module named 'torchaudio'"
        yield context.finding(
            "TL615",
            "error",
            message,
            "torchaudio",
            "torch",
            path=site,
            because=because,
            expected_error=expected_error,
            remedy=remedy,
        )
        return


def is_there(context: CheckContext, name: str) -> bool:
    """Whether an import finds the package, and not just a folder with its name."""
    copy = context.copy(name)
    return copy is not None and copy.kind != "namespace"


def is_of_user(context: CheckContext) -> bool:
    """Whether only the folder of a user was examined, without that of the Python, which is searched, too."""
    sites = [entry.path.replace("\\", "/") for entry in context.environment.sites]
    return not context.live and bool(sites) and all(map(OF_USER.search, sites))


def _runs_code(context: CheckContext) -> bool:
    """Whether this Python runs code when it starts that may change its path."""
    changes = any(not _HOOK.search(line.text) for line in context.environment.code)
    names = ("sitecustomize.py", "usercustomize.py")
    return changes or any(
        name in context.environment.tree.names(entry.path) for entry in context.environment.sites for name in names
    )


def _is_recorded(context: CheckContext, name: str) -> bool:
    return any(distribution.name == name for distribution in context.installed.distributions)


def _site(context: CheckContext) -> str:
    sites = context.environment.sites
    return sites[0].path if sites else ""


@rule("TL606", "TL604")
def shadows(context: CheckContext) -> Iterator[Finding]:
    """Modules that come before the installed package of the same name, and second copies of packages."""
    for name in STACK:
        copies = context.copies.get(name)
        if copies is None or copies.imported is None:
            continue
        if copies.imported.kind == "namespace":
            yield from _remains(context, copies.imported)
        elif copies.hidden:
            yield from _hiding(context, copies, copies.imported)
        elif is_other_module(context, copies.imported) and copies.imported.entry is not None:
            yield _other_module(context, copies.imported, None)


_OPEN = "a program still uses files in it, which NFS keeps as .nfs files until the program ends"


def has_open_files(context: CheckContext, folder: str) -> bool:
    """Whether a server of NFS keeps deleted files of a package, because a program uses them."""
    tree = context.environment.tree
    places = (folder, os.path.join(folder, "lib"))
    return any(name.startswith(".nfs") for place in places for name in tree.names(place))


def _remains(context: CheckContext, copy: ModuleCopy) -> Iterator[Finding]:
    """A folder without ``__init__``: the rest of a package, or a user's own folder."""
    in_site = copy.entry is not None and copy.entry.is_site
    if in_site and not _is_recorded(context, copy.name):
        message = f"only a folder without __init__.py is left of {copy.name}"
        severity = severity_of(fails=copy.name in MEMBERS and MEMBERS[copy.name].vital)
        because = _OPEN if has_open_files(context, copy.path) else None
        yield context.finding("TL604", severity, message, copy.name, path=copy.path, because=because)
    elif not in_site and copy.name == "numpy" and is_there(context, "torch"):
        message = f"your folder {copy.path} is imported as numpy, which is not installed"
        expected_error = "AttributeError: module 'numpy' has no attribute 'ndarray'"
        yield context.finding("TL606", "error", message, "numpy", path=copy.path, expected_error=expected_error)


def _hiding(context: CheckContext, copies: ModuleCopies, imported: ModuleCopy) -> Iterator[Finding]:
    others = [copy for copy in copies.hidden if copy.kind != "namespace" and not _same_place(copy, imported)]
    if not others:
        return
    if is_other_module(context, imported):
        yield _other_module(context, imported, others[0])
        return
    version, hidden = _version(imported), _version(others[0])
    message = (
        f"{copies.name} is installed {_times(1 + len(others))}: {version} in {_folder(imported)} is imported, "
        f"{hidden} in {_folder(others[0])} is not"
    )
    because = f"{_folder(imported)} comes first: {imported.because}"
    yield context.finding("TL606", "note", message, copies.name, path=imported.path, because=because)


def blame_second_copies(context: CheckContext, findings: list[Finding]) -> list[Finding]:
    """Make a second copy an error if it hides a copy that would not have the error that was found."""
    for finding in findings:
        if finding.rule == "TL606" and finding.severity == "note":
            name = finding.packages[0][0]
            errors = [each for each in findings if each.severity == "error" and _is_about(each, name)]
            if errors and (_fits_hidden(context, name) or all(each.rule in group("damage") for each in errors)):
                finding.severity = "error"
    return findings


def _is_about(finding: Finding, name: str) -> bool:
    return finding.rule != "TL606" and name in {each for each, _ in finding.packages}


def _fits_hidden(context: CheckContext, name: str) -> bool:
    """Whether the rules allow the first hidden copy instead of the imported one."""
    hidden = next((copy for copy in context.copies[name].hidden if copy.build is not None), None)
    build = hidden.build if hidden is not None else None
    return build is not None and fits_as(context, name, build.version, build.label)


def _same_place(one: ModuleCopy, other: ModuleCopy) -> bool:
    return os.path.realpath(one.path) == os.path.realpath(other.path)


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def is_other_module(context: CheckContext, copy: ModuleCopy) -> bool:
    """Whether it is another module with that name: a script torch.py, or a clone that was never built."""
    if copy.kind == "editable" or (copy.name in ("numpy", "soundfile") and copy.kind == "package"):
        return False
    if copy.name == "soundfile":
        elsewhere = copy.entry is not None and not copy.entry.is_site and copy.entry.kind != "system"
        return elsewhere and not _mentions(copy.path, b"sndfile")
    if copy.kind == "module":
        return True
    if copy.kind == "package" and copy.entry is not None and not copy.entry.is_site:
        return copy.build is None and not _is_egg(copy.entry.path)
    return False


def _is_egg(folder: str) -> bool:
    """Whether setuptools or distutils made a folder: early releases have no version file, but these metadata."""
    return folder.lower().endswith(".egg") and files.is_file(os.path.join(folder, "EGG-INFO", "PKG-INFO"))


def _mentions(path: str, word: bytes) -> bool:
    try:
        return word in files.read(path, 1 << 20)
    except OSError:
        return False


def _other_module(context: CheckContext, copy: ModuleCopy, real: ModuleCopy | None) -> Finding:
    what = "file" if copy.kind == "module" else "folder"
    hidden = f" instead of {copy.name} {_version(real)}".rstrip() if real else f", which is not {copy.name}"
    message = f"your {what} {copy.path} is imported{hidden}"
    severity = severity_of(fails=copy.name in MEMBERS and MEMBERS[copy.name].vital)
    return context.finding(
        "TL606",
        severity,
        message,
        copy.name,
        path=copy.path,
        because=f"it comes first: {copy.because}",
        expected_error=import_error(copy),
    )


def import_error(copy: ModuleCopy) -> str:
    """What Python says of a user's own module; a checkout of torch lacks files that its build makes."""
    lost = "version"
    if copy.name == "torch":
        is_checkout = copy.kind == "package" and _mentions(os.path.join(copy.path, "__init__.py"), b"torch._C")
        asks = _mentions(os.path.join(copy.path, "torch_version.py"), b"version import")
        lost = "" if not is_checkout else lost if asks else "_C"
    if copy.kind == "package" and lost:
        return f"ModuleNotFoundError: No module named '{copy.name}.{lost}'"
    return f"AttributeError: partially initialized module '{copy.name}' has no attribute …"


def _version(copy: ModuleCopy | None) -> str:
    if copy is None or copy.build is None:
        return ""
    version = version_of(copy.build.version)
    return str(version) if version else ""


def _folder(copy: ModuleCopy) -> str:
    return copy.entry.path if copy.entry else os.path.dirname(copy.path)
