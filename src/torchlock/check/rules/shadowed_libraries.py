"""TL613: a library that the loader takes instead of the one that belongs to this torch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.loader_messages import no_symbol
from torchlock.check.nvidia import copies_of, copies_on_machine, has_symbol, owner_of
from torchlock.finding import Command, Remedy, Strength
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.loading.elf_process import family_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt
    from torchlock.inspect.loading.outcome import ShadowedLibrary

_BECAUSE = "the loader searches {where} before the folder of the package that torch requires"
# What the loader prints. The version of a symbol of NVIDIA's libraries is the name of the library that has it.
_UNDEFINED = (
    re.compile(
        r"\.so[\d.]{0,20}: undefined symbol: (?P<symbol>\w{1,200})(?:, version (?P<library>lib[\w.+-]{1,80}))?"
    ),
    re.compile(
        r"symbol (?P<symbol>\w{1,200}),? version (?P<library>lib[\w.+-]{1,80}) not defined in file lib[\w.+-]{1,9}"
    ),
)

_OTHER_RELEASE = pattern(
    r"symbol (?P<symbol>\w{1,200}),? version (?P<version>[\w.+-]{1,80}) not defined in file "
    r"(?P<file>[\w.+-]{1,80}) with link time reference"
)
# The same in later releases of glibc, with the name of the library as the version of its symbols.
_LACKED_VERSION = pattern(
    r"\.so[\w.]{0,40}: undefined symbol: (?P<symbol>\w{1,300}), version (?P<file>lib[\w.+-]{1,60}\.so[\w.]{0,20})"
)
_USER = pattern(r"([\w./+-]{1,300}\.so[\w.]{0,40}): (?:undefined )?symbol")
_FIRST_COPY = "the loader takes the first copy that it finds, usually in a folder of LD_LIBRARY_PATH or ldconfig"


@rule("TL613")
def shadowed(context: CheckContext) -> Iterator[Finding]:
    """A library of CUDA or torch from outside of its package; an error if something is missing in it."""
    foreign = next(_foreign(context), None)
    if foreign is not None:
        yield _taken(context, *foreign)
        return
    found = {shadow.name: shadow for attempt in context.attempts for shadow in attempt.outcome.shadowed}
    for shadow in found.values():
        broken = any(_is_due_to(shadow, attempt) for attempt in context.attempts if attempt.role == "import")
        yield context.finding(
            "TL613",
            severity_of(fails=broken, partly=False),
            f"{shadow.taken} is loaded instead of {shadow.meant}, because LD_LIBRARY_PATH names its folder",
            "torch",
            path=shadow.taken,
        )
        return


def _is_due_to(shadow: ShadowedLibrary, attempt: Attempt) -> bool:
    """Whether a library fails because the library that it needs was replaced by another one."""
    meant = read_binary(shadow.meant)
    symbols = meant.symbols if isinstance(meant, Binary) else None
    if any(unmet.provider == shadow.taken for unmet in attempt.outcome.versions):
        return True
    if symbols is None or isinstance(symbols, Unreadable):
        return False
    return any(symbols.defines(undefined.symbol) is True for undefined in attempt.outcome.undefined)


class _Foreign(NamedTuple):
    """A library from outside of the packages, the copy in a package that has the symbol, and the symbol's user."""

    taken: str
    meant: str
    symbol: str
    user: str
    opened: str


def _foreign(context: CheckContext) -> Iterator[tuple[_Foreign, str]]:
    """Libraries that lack a symbol which the copy of the installed package has, and how the loader found each."""
    shadows = {shadow.taken for attempt in context.attempts for shadow in attempt.outcome.shadowed}
    for attempt in context.attempts:
        for lost in attempt.outcome.undefined if attempt.role == "import" else ():
            if not lost.provider or lost.provider in shadows or owner_of(context, lost.provider):
                continue
            for copy in copies_of(context, os.path.basename(lost.provider)):
                if not _is_same(copy, lost.provider) and has_symbol(copy, lost.symbol) is True:
                    found = _Foreign(lost.provider, copy, lost.symbol, lost.wanted_by, attempt.path)
                    yield found, _where(context, lost.provider)
                    break


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _where(context: CheckContext, path: str) -> str:
    """Where the loader found a library, in words."""
    root = context.root
    name, folder = os.path.basename(path), os.path.realpath(os.path.dirname(path))
    if root is not None and folder in {os.path.realpath(root.real(each)) for each in root.library_path}:
        return "the folders of LD_LIBRARY_PATH"
    if root is not None and any(
        os.path.realpath(root.real(each)) == os.path.realpath(path) for each in root.cache.get(name, ())
    ):
        return "the libraries that ldconfig lists (/etc/ld.so.conf)"
    return f"{os.path.dirname(path)}"


def _taken(context: CheckContext, found: _Foreign, where: str) -> Finding:
    return context.finding(
        "TL613",
        "error",
        f"{found.taken} is loaded instead of {found.meant}, and lacks {found.symbol}, "
        f"which {os.path.basename(found.user)} uses",
        "torch",
        *filter(None, [owner_of(context, found.meant)]),
        path=found.taken,
        because=_BECAUSE.format(where=where),
        expected_error=no_symbol(context, "torch", found.opened, found.symbol, found.user),
        lacks=(found.symbol,),
    )


@rule("TL613", on="log")
def in_log(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A symbol of a CUDA library that a log lacks, although the library in the package has it.

    The process in the log took another copy of that library: its LD_LIBRARY_PATH is not known here.
    """
    first = log.first
    match = (
        next(filter(None, (each.search(first.text) for each in _UNDEFINED)), None) if first is not None else None
    )
    if first is None or match is None or any(_says(each, match["symbol"]) for each in found):
        return
    library = match["library"] or _of_family(context, match["symbol"])
    right = [path for path in copies_of(context, library) if has_symbol(path, match["symbol"]) is True]
    if not library or not right or owner_of(context, right[0]) == "":
        return
    others = [path for path in copies_on_machine(context, library) if has_symbol(path, match["symbol"]) is False]
    there = f"{others[0]} does not" if others else "so another copy was loaded before it"
    yield context.finding(
        "TL613",
        "error",
        f"the process in the log did not load {library} of {_named(context, right[0])}, "
        f"which has {match['symbol']}; {there}",
        "torch",
        owner_of(context, right[0]),
        path=others[0] if others else right[0],
        because=_FIRST_COPY,
        expected_error=first.text,
        sources=("ld-so-manual", "pytorch-111469"),
        strength=Strength.RAN,
        lacks=(match["symbol"],),
    )


@rule("TL613", on="log")
def other_release(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A library that the process loaded, and that lacks a function with which its user was linked."""
    first = log.first
    linked = _OTHER_RELEASE.search(first.text) if first is not None else None
    match = linked or (_LACKED_VERSION.search(first.text) if first is not None else None)
    if first is None or match is None or any(_explains(each, match["symbol"]) for each in found):
        return
    user = _USER.search(first.text)
    path = user[1] if user else ""
    by = f", which {path or os.path.basename(first.library)} uses" if path or first.library else ""
    is_foreign = path.startswith("/") and "-packages/" not in path and "/envs/" not in path
    if linked is None and not is_foreign:
        return
    folder = f"the folder {os.path.dirname(path)}" if is_foreign else f"the folder of that {match['file']}"
    copies = [name for name in _packages_of(context, match["file"]) if name]
    yield context.finding(
        "TL613",
        "error",
        f"the process in the log loaded a {match['file']} of another release: it does not have "
        f"{match['symbol']}{by}",
        "torch",
        *copies,
        because=_FIRST_COPY,
        expected_error=first.text,
        remedy=Remedy(
            f"Remove {folder} from LD_LIBRARY_PATH and from ldconfig, so that all parts come from one release; "
            "LD_DEBUG=libs shows from where each is loaded.",
            commands=(Command("shell", "unset LD_LIBRARY_PATH"),),
        ),
        sources=("ld-so-manual", "pytorch-104591"),
        strength=Strength.RAN,
        lacks=(match["symbol"],),
    )


def _explains(finding: Finding, symbol: str) -> bool:
    parts = (finding, *finding.consequences)
    is_mixed = finding.rule in ("TL613", "TL231") and finding.severity != "note"
    return is_mixed or any(symbol in part.lacks for part in parts if finding.severity != "note")


def _packages_of(context: CheckContext, library: str) -> Iterator[str]:
    """The installed packages with a library of this name."""
    yield from dict.fromkeys(owner_of(context, path) for path in copies_of(context, library))


def _says(finding: Finding, symbol: str) -> bool:
    parts = (finding, *finding.consequences)
    return finding.severity != "note" and any(symbol in part.lacks for part in parts)


def _named(context: CheckContext, path: str) -> str:
    owner = owner_of(context, path)
    return f"{owner} {context.version(owner)}".rstrip()


def _of_family(context: CheckContext, symbol: str) -> str:
    """The name of the library in the packages that should define a symbol without a version; "" if unknown."""
    family = family_of(symbol)
    names = {os.path.basename(path) for path in copies_of(context, f"lib{family}.so*")} if family else set()
    return names.pop() if len(names) == 1 else ""
