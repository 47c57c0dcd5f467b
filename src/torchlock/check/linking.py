"""What the loader shows about a companion and torch, and whether a rule about the two still applies."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.finding import Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.library import is_library
from torchlock.inspect.loading.imports import choices
from torchlock.inspect.loading.outcome import Lookups
from torchlock.patterns import pattern
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.inspect.binaries.binary import Reference, Symbols
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.outcome import NotExamined
    from torchlock.knowledge.rules import Statement
    from torchlock.standards.dependency import Dependency

# Symbols of torch: of its C++ interface (as both compilers write them), and of its C interface.
_CXX = pattern(r"__?Z.*(2at|3c10|5torch)\w|\?.*@(at|c10|torch)@@|__?Z\w*THP")
_C = pattern(r"_?(aoti_torch_|torch_)")
# The limit on libraries; a torch has fewer in its folder.
_LIBRARIES = 200
_STRENGTHS = {"measured": Strength.MEASURED, "declared": Strength.DECLARED, "reported": Strength.REPORTED}


class Ruling(NamedTuple):
    """Whether a rule applies: its strength, and a text to add to its reason. ``is_denied``: it does not apply."""

    strength: Strength
    because: str = ""
    is_denied: bool = False


def ruling(
    context: CheckContext, name: str, statement: Statement, wanted: Dependency | None, *, own: bool
) -> Ruling:
    """Whether a rule against a companion and its torch applies to this environment; the loader's view decides.

    Installers follow the pin of a wheel. A companion whose symbols are all there works with another patch release
    of the torch that it was built for. If it uses only the C interface, it works with any torch. With C++ symbols
    from another minor release, some pairs link and then crash, so the rule applies. ``own``: one of the two is not
    a PyTorch build, so the rule is not about its versions.
    """
    strength = _STRENGTHS.get(statement.kind, Strength.DECLARED)
    if statement.effect != "import":
        return Ruling(strength)
    is_near = wanted is None or _is_same_minor(context, wanted.specifier)
    links = resolved(context, name, whole=wanted is None)
    if own and wanted is not None and (is_near or not isinstance(links, Unknown)):
        return Ruling(strength, is_denied=True)
    if isinstance(links, Unknown):
        strength = strength if wanted is None or is_near else Strength.MEASURED
        return Ruling(strength, f"only the rule says so: {links.because}")
    if not links:
        return Ruling(Strength.MEASURED, is_denied=wanted is None and _lacks_npp_only(context, name))
    if is_near or uses_c_interface_only(context, name) is True:
        return Ruling(strength, is_denied=True)
    why = (
        "its symbols are all there, but the C++ interface differs between minor releases, and such pairs can crash"
    )
    return Ruling(Strength.MEASURED, why)


def resolved(context: CheckContext, name: str, *, whole: bool = False) -> bool | Unknown:
    """Whether the libraries that a companion's import opens find their libraries, and their symbols in torch.

    ``whole``: also what they need of the machine, which has to be known. FFmpeg is left out: it has its own rules.
    The library of a Python that was not examined is left out, too: it says nothing about torch.
    """
    groups = _opened(context, name)
    if not groups:
        return Unknown(f"the libraries of {name} were not examined")
    closed = next((each.path for group in groups for each in group if not os.access(each.path, os.R_OK)), None)
    if closed is not None:
        return Unknown(f"{closed} cannot be read")
    unseen: list[NotExamined] = []
    for group in groups:
        outcomes = [without_ffmpeg(each).outcome for each in group]
        if all(outcome.loads for outcome in outcomes):
            of_machine = (each for outcome in outcomes for each in outcome.unseen if whole)
            mine = [each for each in of_machine if not each.name.startswith("libpython")]
            if not mine:
                return _confirmed(context, group)
            unseen += mine
    return Unknown(f"{unseen[0].name} was not examined: {unseen[0].why}") if unseen else False


def _lacks_npp_only(context: CheckContext, name: str) -> bool:
    """Whether a companion lacks only NPP of CUDA, which can be installed: then it works with its torch."""
    outcomes = [without_ffmpeg(each).outcome for group in _opened(context, name) for each in group]
    own = {os.path.basename(each.path) for group in _opened(context, name) for each in group}
    lost = {each.name for outcome in outcomes for each in outcome.missing} - own
    rest = [each for outcome in outcomes for each in (*outcome.undefined, *outcome.versions)]
    return bool(lost) and not rest and all(each.startswith("libnpp") for each in lost)


def uses_c_interface_only(context: CheckContext, name: str) -> bool | Unknown:
    """Whether a companion uses no C++ symbols of torch, so that it does not depend on one minor release."""
    paths = [item.path for group in _opened(context, name) for item in group]
    used = _used(_symbols(context, paths))
    if not paths or isinstance(used, Unreadable):
        return Unknown(f"the symbols of {name} were not read")
    return not any(_CXX.match(use.name) for use in used)


def without_ffmpeg(attempt: Attempt) -> Attempt:
    """The outcome of loading a library, without missing FFmpeg libraries."""
    missing = tuple(each for each in attempt.outcome.missing if not is_ffmpeg(each.name))
    unseen = tuple(each for each in attempt.outcome.unseen if not is_ffmpeg(each.name))
    return attempt._replace(outcome=attempt.outcome._replace(missing=missing, unseen=unseen))


def is_ffmpeg(name: str) -> bool:
    """Whether a library belongs to FFmpeg."""
    return bool(re.match(r"(lib)?(avutil|avcodec|avformat|avdevice|avfilter|swscale|swresample)[.-]", name))


def _opened(context: CheckContext, name: str) -> list[list[Attempt]]:
    """The libraries that the import opens, in groups; one of each group has to load."""
    mine = [each for each in context.attempts if each.package == name]
    needed = [each for each in mine if each.role == "import"]
    return [[*needed, *group] for group in choices(mine).values()] or ([needed] if needed else [])


def _confirmed(context: CheckContext, group: Sequence[Attempt]) -> bool | Unknown:
    """Whether a library of this torch was seen to define each symbol of torch, without assumptions."""
    paths = libraries_of_torch(context)
    if len(paths) > _LIBRARIES:
        return Unknown(f"{os.path.dirname(paths[0])} has more than {_LIBRARIES} libraries")
    offered = list(_symbols(context, paths))
    own = list(_symbols(context, [each.path for each in group]))
    used = _used(own)
    readable = [each for each in (*offered, *own) if not isinstance(each, Unreadable)]
    if not offered or isinstance(used, Unreadable) or len(readable) < len(offered) + len(own):
        return Unknown("the symbols of its libraries, or of those of torch, were not read")
    lookups = Lookups()
    for use in used:
        mine = not use.weak and not use.version and (_CXX.match(use.name) or _C.match(use.name))
        if mine and not any(lookups.defines(each, use.name) is True for each in readable):
            return Unknown(f"{use.name} was not found")
    return True


def libraries_of_torch(context: CheckContext) -> list[str]:
    """The paths of the libraries with torch's own code in the folder of the imported torch."""
    copy = context.copy("torch")
    folder = os.path.join(copy.path, "lib") if copy else ""
    names = context.environment.tree.names(folder) if folder else ()
    return [os.path.join(folder, name) for name in names if is_library(name) and is_torchs_library(name)]


def _used(libraries: Iterable[Symbols | Unreadable]) -> list[Reference] | Unreadable:
    """The symbols that all these libraries use from others; Unreadable if one of them cannot be read."""
    found: list[Reference] = []
    for symbols in libraries:
        used = symbols if isinstance(symbols, Unreadable) else symbols.undefined
        if isinstance(used, Unreadable):
            return used
        found += used
    return found


def _symbols(context: CheckContext, paths: Sequence[str]) -> Iterator[Symbols | Unreadable]:
    machine = context.target.platform.machine if context.target else ""
    for path in paths:
        real = context.root.real(path) if context.root is not None and context.root.holds(path) else path
        binary = read_binary(real, machine)
        yield binary.symbols if isinstance(binary, Binary) else binary


def is_torchs_library(name: str) -> bool:
    """Whether only a torch package contains a library with this file name."""
    return name.lower().removeprefix("lib").startswith(("torch", "c10", "shm"))


def _is_same_minor(context: CheckContext, specifier: str) -> bool:
    """Whether this torch has the minor release that a rule requires, so that only the patch release differs."""
    pin, wanted = context.pins.get("torch"), re.search(r"(?<![0-9])([0-9]{1,9})\.([0-9]{1,9})", specifier)
    if pin is None or pin.unversioned or wanted is None:
        return False
    return pin.version.release[:2] == (int(wanted[1]), int(wanted[2]))
