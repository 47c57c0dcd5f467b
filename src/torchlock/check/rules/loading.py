"""TL610 to TL612: what the loader reports, found by following its rules."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.c_library import WHY_GLIBC, is_of_glibc, use_whole_glibc
from torchlock.check.conda import is_wheel_beside_conda
from torchlock.check.cxx_symbols import BECAUSE_OF_ABI, other_abi
from torchlock.check.damage import in_place_of_library, why_damaged
from torchlock.check.damaged_libraries import replace_library
from torchlock.check.fix.left_libraries import needs
from torchlock.check.fix.quoting import is_one_line, quoted
from torchlock.check.foreign_symbols import are_foreign, unlinked
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.loader_messages import LOADER_MANUALS, goes_on, no_library, no_symbol, not_found
from torchlock.check.mkl import without_jit
from torchlock.check.nvidia import owner_of, package_for, required
from torchlock.check.other_provider import outdated
from torchlock.check.packaged_libraries import recorded
from torchlock.check.preloaded_libraries import not_preloaded, preloaded_by
from torchlock.check.python_library import WHY_PYTHON, install_python_library
from torchlock.check.system_packages import install_runtime
from torchlock.check.vendors import backend_of, is_vendors
from torchlock.check.windows_libraries import remedy_for_dll, sources_of_dll
from torchlock.finding import Command, Remedy
from torchlock.inspect.binaries.cxx_names import demangled, described, is_form
from torchlock.inspect.library import broken_library
from torchlock.inspect.loading.bundle_process import is_of_macos
from torchlock.inspect.loading.elf_process import is_of_torch, numbers_of
from torchlock.inspect.loading.imports import choices
from torchlock.inspect.loading.names_of_torch import is_torchs_symbol
from torchlock.knowledge.build_labels import describe_build
from torchlock.knowledge.exported import exported_in, is_exported_by
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, MEMBERS
from torchlock.patterns import pattern
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.outcome import MissingLibrary, UndefinedSymbol

# If a library does not load, the import of these fails; of the other members only some calls fail.
_ERRORS = frozenset(name for name, member in MEMBERS.items() if member.effect == "import")


@rule("TL610", "TL611", "TL612", "TL607")
def loading(context: CheckContext) -> Iterator[Finding]:
    """Why libraries of the stack do not load: one finding for each package and kind of fault."""
    for name in filter(FAMILY.__contains__, MEMBERS):
        mine = [attempt for attempt in context.attempts if attempt.package == name and attempt.role == "import"]
        yield from unreadable(context, name, [*mine, *chosen(context, name)])
        yield from missing_libraries(context, name, mine)
        yield from undefined_symbols(context, name, mine)
        yield from unmet_versions(context, name, mine)
    core = [attempt for attempt in context.attempts if attempt.package == "numpy"]
    yield from unreadable(context, "numpy", core)
    yield from missing_libraries(context, "numpy", core)


def chosen(context: CheckContext, name: str) -> list[Attempt]:
    """Of libraries of which one must load, those that find all others that they need, if none of them loads."""
    groups = choices([each for each in context.attempts if each.package == name]).values()
    if any(all(each.outcome.loads for each in group) for group in groups):
        return []
    return [each for group in groups for each in group if not each.outcome.missing]


def unreadable(context: CheckContext, name: str, attempts: Sequence[Attempt]) -> Iterator[Finding]:
    """One finding for a file that these attempts open, and that no loader takes for a library."""
    for attempt in attempts:
        reason = attempt.outcome.unreadable
        if reason is not None and not reason.reason.startswith("is for "):  # TL608 reports those
            path = reason.path or attempt.path
            kind = _damage_of(path)
            why = f"it {reason.reason}" if reason.reason.startswith("is ") else reason.reason
            why = f"it {in_place_of_library(kind)}" if kind else why
            owner = owner_of(context, path)
            of = f" of {owner} {context.version(owner)}" if owner else ""
            message = f"{os.path.basename(path)}{of}, which {name} loads, cannot be loaded: {why}"
            yield context.finding(
                "TL607",
                _severity(name),
                message,
                *(dict.fromkeys([owner or name, name])),
                path=path,
                because=why_damaged(kind or reason.reason) or None,
                expected_error=no_library(context, path, attempt.path, kind),
                remedy=None if owner or _is_packaged(context, path) else replace_library(context, path, kind),
            )
            return


def _is_packaged(context: CheckContext, path: str) -> bool:
    """Whether a file is in a folder of packages, so that one of them brought it."""
    place = os.path.normpath(path)
    return any(place.startswith(entry.path + os.sep) for entry in context.environment.sites)


def _damage_of(path: str) -> str:
    """What is there instead of a library; "" if that is unknown."""
    try:
        return broken_library(path, os.stat(path).st_size)
    except OSError:
        return ""


def _severity(name: str) -> str:
    return severity_of(fails=name in _ERRORS)


def missing_libraries(context: CheckContext, name: str, attempts: Sequence[Attempt]) -> Iterator[Finding]:
    """One finding for all libraries that these attempts do not find."""
    own = {os.path.basename(attempt.path) for attempt in attempts}
    by_attempt = [(one, each) for one in attempts for each in one.outcome.missing if each.name not in own]
    if not by_attempt:
        return
    lost = [each for _, each in by_attempt]
    if context.root is not None and context.root.is_musl and any(each.name == "libc.so.6" for each in lost):
        yield _built_for_glibc(context, name, *by_attempt[0])
        return
    first = sorted(lost, key=_telling)[0]
    others = [each for each in dict.fromkeys(missing.name for missing in lost) if each != first.name]
    more = f", nor {_listed(others)}" if others else ""
    expected_error = not_found(context, name, by_attempt[0][0].path, lost[0].name, lost[0].wanted_by)
    yield context.finding(
        "TL610",
        _severity(name),
        f"{needs(context, name, first)}{more}",
        name,
        path=first.wanted_by,
        because=_and_goes_on(context, name, _why(context, name, first)),
        expected_error=expected_error,
        remedy=_remedy(context, first),
        sources=("ld-so-manual", *sources_of_dll(first.name)),
        lacks=tuple(dict.fromkeys(os.path.basename(each.name) for each in lost)),
    )


def found_missing(
    context: CheckContext, attempt: Attempt, missing: MissingLibrary, because: str, remedy: Remedy | None = None
) -> Finding:
    """The finding for one missing library; ``remedy`` instead of the usual one."""
    name = attempt.package
    return context.finding(
        "TL610",
        _severity(name),
        needs(context, name, missing),
        name,
        path=missing.wanted_by,
        because=because,
        expected_error=not_found(context, name, attempt.path, missing.name, missing.wanted_by),
        remedy=remedy or _remedy(context, missing),
        sources=("ld-so-manual", *sources_of_dll(missing.name)),
        lacks=(missing.name,),
    )


_COPIED = "it was copied from another machine: no installer takes a wheel for glibc on one with musl"


def _built_for_glibc(context: CheckContext, name: str, attempt: Attempt, missing: MissingLibrary) -> Finding:
    """A wheel for glibc on a machine with musl; an installer would not choose it."""
    return context.finding(
        "TL612",
        _severity(name),
        f"{context.named(name)} was built for glibc, and this machine has musl",
        name,
        path=missing.wanted_by,
        because="no release of torch has wheels for musl (Alpine)" if name in FAMILY else _COPIED,
        expected_error=not_found(context, name, attempt.path, missing.name, missing.wanted_by),
        remedy=Remedy("Use a machine or an image with glibc, such as Debian; or the torch package of Alpine.")
        if name in FAMILY
        else Remedy(f"Install {name} again on this machine, or use one with glibc, such as Debian."),
        lacks=(os.path.basename(missing.name),),
    )


def _telling(missing: MissingLibrary) -> int:
    """The most informative library first: torch's own, then those of CUDA."""
    return 0 if missing.name.startswith("libc10_cuda") else 1 if is_of_torch(missing.name) else 2


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:3]) + ([f"{len(names) - 3} more"] if len(names) > 3 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


_GONE = "its installation did not finish, or the file was deleted later"


def _why(context: CheckContext, name: str, missing: MissingLibrary) -> str | None:
    if name == "torch" and (owner := recorded(context, missing.name))[1]:
        if not files.is_file(owner[1]):
            return f"the record of {owner[0]} lists it, but the file is missing: {_GONE}"
        return f"it is in {os.path.dirname(owner[1])} (of {owner[0]}), where torch does not search"
    if name == "torch" and is_of_torch(missing.name) and not _built_for_one(missing.name):
        return "every build of torch contains it: the installation did not finish, or its file was deleted"
    if _built_for_one(missing.name) and (reason := _built_apart(context, name)):
        return reason
    if re.match(r"lib(torch|c10)_(cuda|hip)|libtorch_cuda_c", missing.name):
        return "only CUDA (or ROCm) builds of torch contain that library" + (
            f", and {context.named('torch')} is not one of them" if context.label("torch") == "cpu" else ""
        )
    if _CUDA.match(missing.name):
        others = sorted(_like(context, missing.name))
        there = [f"{_listed(others)} is there, for another CUDA version"] if others else []
        return "; ".join([*_of_nvidia(context, missing.name), *there]) or None
    if missing.name.startswith("libpython"):
        return WHY_PYTHON
    known = meaning_of_missing(missing.name)
    if known is not None and known.packages:
        return known.because
    return WHY_GLIBC if is_of_glibc(missing.name) else None


def _built_for_one(library: str) -> bool:
    """Whether only builds for one kind of accelerator contain or need a library."""
    return re.match(rf"{_CUDA.pattern}|lib(torch|c10)_(cuda|hip|xpu)", library) is not None


def _of_nvidia(context: CheckContext, library: str) -> list[str]:
    """Where a library of CUDA should be from: a package that torch requires, or the CUDA version of another torch.

    The major version in the library's name is that of the package which contains it.
    """
    number, package = re.search(r"\.so\.(\d{1,3})(?:\.(\d{1,3}))?", library), package_for(context, library)
    if number is None:
        return []
    lowest = re.search(r"\d+", required(context).get(package, ""))
    if lowest is not None and lowest[0] == number[1]:
        return ["the nvidia packages contain it; CUDA builds of torch require them in their metadata"]
    torch = context.build("torch")
    cuda = (torch.cuda if torch is not None else "") or ""
    major, _, minor = cuda.partition(".")
    # Since CUDA 11, the name of the runtime has the major version only.
    is_old = int(number[1]) < 11
    if not cuda or "cudart" not in library or (major == number[1] and (not is_old or minor == number[2])):
        return []
    mine = f"{number[1]}.{number[2]}" if is_old and number[2] else number[1]
    return [f"it is built for CUDA {mine}, and this torch is for CUDA {cuda}"]


def _built_apart(context: CheckContext, name: str) -> str | None:
    """A sentence if a package and a torch from another vendor were built for different platforms."""
    torch, mine = context.build("torch"), describe_build(context.label(name))
    if torch is None or name == "torch" or not is_vendors(context, "torch") or not mine:
        return None
    theirs = (
        f"CUDA {torch.cuda}" if torch.cuda else f"ROCm {'.'.join(torch.hip.split('.')[:2])}" if torch.hip else ""
    )
    if not theirs and (backend := backend_of(context)) is not None:
        theirs = backend.accelerators
    if not theirs or theirs == mine:
        return None
    return f"{name} was built for {mine}, and this torch ({context.version('torch')}) for {theirs}"


def _like(context: CheckContext, name: str) -> set[str]:
    """The same library for other CUDA versions, in the installed nvidia packages."""
    stem, tree = name.partition(".so")[0] + ".so", context.environment.tree
    found: set[str] = set()
    for entry in context.environment.sites:
        nvidia = os.path.join(entry.path, "nvidia")
        for package in tree.names(nvidia) if "nvidia" in tree.names(entry.path) else ():
            names = tree.names(os.path.join(nvidia, package, "lib"))
            found |= {each for each in names if each.startswith(stem) and each != name}
    return found


def _remedy(context: CheckContext, missing: MissingLibrary) -> Remedy | None:
    """The remedy for a missing library that does not belong to a package."""
    if found := re.match(r"libstdc\+\+|libgcc_s|libgomp", missing.name):
        return install_runtime(context, "libgomp" if found[0] == "libgomp" else "libstdc++", missing.name)
    if is_of_glibc(missing.name):
        return use_whole_glibc(missing.name)
    if missing.name.startswith("libpython"):
        return install_python_library(context, missing.name)
    if is_of_macos(missing.name):
        return _of_macos(context, missing)
    return _of_builders(missing) if missing.name.startswith("/") else remedy_for_dll(context, missing.name)


def _of_macos(context: CheckContext, missing: MissingLibrary) -> Remedy:
    """Let a library name that of macOS by its place, instead of an LC_RPATH that leads nowhere."""
    change = f"install_name_tool -change @rpath/{missing.name} /usr/lib/{missing.name}"
    path = context.search_path.name(missing.wanted_by) if context.search_path is not None else missing.wanted_by
    commands = (Command("shell", line),) if is_one_line(line := f"{change} {quoted(path)}") else ()
    summary = (
        f"Let {os.path.basename(missing.wanted_by)} name the library of macOS itself; or install a later release."
    )
    return Remedy(summary, commands=commands)


def _of_builders(missing: MissingLibrary) -> Remedy:
    """The remedy for a library that is named by its absolute path on a Mac."""
    if formula := re.match(r"(?:/opt/homebrew|/usr/local)/opt/([\w.@+-]+)/lib/", missing.name):
        install = (Command("system", f"brew install {formula[1]}"),)
        return Remedy(f"Install {formula[1]} of Homebrew, which that path belongs to.", commands=install)
    library = os.path.basename(missing.wanted_by)
    return Remedy(
        f"Install a release or a build of which {library} names no path of the machine that built it; "
        f"or let it name a copy that is here: install_name_tool -change {missing.name} NEW_PATH {library}."
    )


def undefined_symbols(context: CheckContext, name: str, attempts: Sequence[Attempt]) -> Iterator[Finding]:
    """One finding for all symbols that no library defines for these attempts."""
    by_attempt = [(attempt, undefined) for attempt in attempts for undefined in attempt.outcome.undefined]
    if not by_attempt:
        return
    found = [undefined for _, undefined in by_attempt]
    if lost := [undefined for undefined in found if undefined.provider]:
        yield outdated(context, name, by_attempt[0][0].path, lost, _severity(name))
        return
    if name != "torch" and are_foreign(found):
        yield unlinked(context, name, by_attempt[0][0].path, found, _severity(name))
        return
    first = min(found, key=lambda each: (_is_of_release(context, each.symbol), _readable(each)))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    library = os.path.basename(first.wanted_by)
    message = (
        f"{library} of {name} uses {described(first.symbol)}{more}, which {context.named('torch')} does not have"
        f"{since(context, first.symbol)}"
    )
    expected_error = no_symbol(context, name, by_attempt[0][0].path, found[0].symbol, found[0].wanted_by)
    if name == "torch" and first.symbol.startswith("iJIT_"):
        yield without_jit(context, first, expected_error)
        return
    abi = other_abi(context, [undefined.symbol for undefined in found])
    if abi is not None:
        message = f"{abi.sentence(context.named(name), context.named('torch'))}: {library} uses "
        message += f"{described(first.symbol)}{more}, which this torch does not have"
    elif is_wheel_beside_conda(context, name):
        message = (
            f"{context.named(name)} is a wheel, and {context.named('torch')} is of conda, which is another build: "
            f"{library} uses {described(first.symbol)}{more}, which this torch does not have"
        )
    yield context.finding(
        "TL611",
        _severity(name),
        message,
        name,
        "torch",
        path=first.wanted_by,
        because=_and_goes_on(context, name, BECAUSE_OF_ABI if abi is not None else _nightly(context, name)),
        expected_error=expected_error,
        sources=LOADER_MANUALS if abi is None else (*LOADER_MANUALS, "libstdcxx-dual-abi"),
        lacks=tuple(dict.fromkeys(each.symbol for each in found)),
    )


def _and_goes_on(context: CheckContext, name: str, because: str | None) -> str | None:
    """A reason, and what the import does where it continues without the library."""
    more = f"import {name} continues without its library, but its operators do not work"
    return "; ".join(filter(None, (because, more))) if goes_on(context, name) else because


def since(context: CheckContext, symbol: str) -> str:
    """Which releases of torch have a symbol, as half a sentence; "" if that is not known."""
    platform = str(context.target.platform) if context.target is not None else ""
    known = exported_in(symbol, platform) if platform else ""
    if known and _is_of_release(context, symbol):
        public = context.pins["torch"].version.public
        this = "is of another source" if is_vendors(context, "torch") else "is another build, or is damaged"
        return f", although torch {public} of the public index has it: this one {this}"
    return f": torch has {'this form' if is_form(symbol) else 'it'} {known}" if known else ""


def _is_of_release(context: CheckContext, symbol: str) -> bool:
    """Whether the public wheel of the installed release of torch has a symbol."""
    pin = context.pins.get("torch")
    if pin is None or pin.unversioned or context.target is None:
        return False
    return is_exported_by(symbol, pin.version.public, str(context.target.platform))


def _nightly(context: CheckContext, name: str) -> str | None:
    """A sentence if only one of a package and torch is a nightly build."""
    pins = {each: context.pins[each] for each in (name, "torch") if each in context.pins}
    early = [each for each, pin in pins.items() if pin.version.is_devrelease]
    if len(pins) != 2 or len(early) != 1:
        return None
    other = next(each for each in pins if each not in early)
    return f"{context.named(early[0])} is a nightly build, which is built for the {other} of its day"


def _readable(undefined: UndefinedSymbol) -> tuple[bool, bool, bool, int]:
    """The most readable symbol first: a function of torch without templates in its name, and a short one.

    Operators come last: a torch has many of the same name, for other types.
    """
    symbol = undefined.symbol
    is_hard = "I" in symbol or "torch" not in symbol
    return "operator" in demangled(symbol), is_hard, not is_torchs_symbol(symbol), len(symbol)


_CUDA = pattern(r"lib(cudart|cublas|cudnn|cufft|nccl|nvJitLink|cusparse|cupti|curand|cusolver|nvrtc)")


def unmet_versions(context: CheckContext, name: str, attempts: Sequence[Attempt]) -> Iterator[Finding]:
    """One finding for all symbol versions that the libraries there do not have."""
    if any(attempt.outcome.versions for attempt in attempts):
        yield too_old(context, name, attempts, _severity(name))


def too_old(context: CheckContext, name: str, attempts: Sequence[Attempt], severity: str) -> Finding:
    """The finding for a library of the system that lacks versions which these attempts need."""
    lost = [each for one in attempts for each in one.outcome.versions]
    first = max(lost, key=lambda each: numbers_of(each.version))
    library = os.path.basename(first.wanted_by)
    provider = context.root.name(first.provider) if context.root is not None else first.provider
    there = f", and {provider} has {first.newest} at most" if first.newest else ""
    message = f"{library}, which {name} loads, needs {first.version}{there}"
    expected_error = f"{first.provider}: version `{first.version}' not found (required by {first.wanted_by})"
    named = preloaded_by(context, first.provider)
    return context.finding(
        "TL612",
        severity,
        message,
        name,
        path=first.wanted_by,
        because=f"{named} names {first.provider}, so that every program loads it first" if named else None,
        expected_error=expected_error,
        remedy=not_preloaded(context, first.provider, named) if named else None,
        lacks=tuple(dict.fromkeys(each.version for each in lost)),
    )
