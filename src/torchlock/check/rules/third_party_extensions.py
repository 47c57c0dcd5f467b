"""TL610 to TL612 for other packages: extension modules linked against another torch, or for a later system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.cxx_symbols import BECAUSE_OF_ABI, other_abi
from torchlock.check.loader_messages import LOADER_MANUALS, no_symbol, not_found
from torchlock.check.rules.loading import since, too_old
from torchlock.check.torch_backends import BECAUSE, ends_import, failure
from torchlock.check.xformers import built_for
from torchlock.inspect.binaries.cxx_names import described
from torchlock.inspect.loading.bundle_process import is_of_torch
from torchlock.inspect.loading.names_of_torch import is_of_cuda, is_of_cuda_build, is_torchs_symbol
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import projects
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt


@rule("TL610", "TL611", "TL612")
def extensions(context: CheckContext) -> Iterator[Finding]:
    """Extension modules that do not load because of torch, one finding for each package.

    It is only a warning, because torchaudio loads without them; an error if torch imports the package by itself.
    """
    reported: set[str] = set()
    for attempt in context.attempts:
        if attempt.role == "other" and attempt.package not in reported:
            for finding in judged(context, attempt):
                reported.add(attempt.package)
                yield finding


def judged(context: CheckContext, attempt: Attempt) -> Iterator[Finding]:
    """Why one extension module does not load with this torch."""
    name, library = attempt.package, os.path.basename(attempt.path)
    entry = ends_import(context, name, attempt.path)
    severity = severity_of(fails=bool(entry), partly=_is_top(context, attempt) or _is_loaded(name))
    missing = [each.name for each in attempt.outcome.missing if is_of_torch(each.name) or is_of_cuda(each.name)]
    lost = [each for each in attempt.outcome.undefined if _is_torchs(context, each.symbol)]
    undefined = list(dict.fromkeys(each.symbol for each in lost))
    if missing:
        message = (
            f"{library} of {context.named(name)} needs {missing[0]}, which {context.named('torch')} does not have"
            f"{_ENDS if entry else ''}"
        )
        text = failure(entry) if entry else not_found(context, name, attempt.path, missing[0], attempt.path)
        yield context.finding(
            "TL610",
            severity,
            message,
            name,
            "torch",
            path=attempt.path,
            because=BECAUSE if entry else _built_for(context, name),
            expected_error=text,
            sources=("torch-autoload",) if entry else ("ld-so-manual",),
        )
    elif undefined:
        library = os.path.basename(lost[0].wanted_by)
        message = f"{library} of {context.named(name)} uses {described(undefined[0])}"
        message += f"{_and_more(undefined)}, which {context.named('torch')} does not have"
        message += f"{since(context, undefined[0])}{_ENDS if entry else ''}"
        abi = other_abi(context, undefined)
        if abi is not None:
            message = f"{abi.sentence(context.named(name), context.named('torch'))}: {library} uses "
            message += f"{described(undefined[0])}{_and_more(undefined)}, which this torch does not have"
            message += _ENDS if entry else ""
        because = BECAUSE_OF_ABI if abi is not None else _built_for(context, name) or _ANOTHER
        text = no_symbol(context, name, attempt.path, undefined[0], lost[0].wanted_by)
        yield context.finding(
            "TL611",
            severity,
            message,
            name,
            "torch",
            path=attempt.path,
            because=f"{because}; {BECAUSE}" if entry else because,
            expected_error=failure(entry) if entry else text,
            sources=(*LOADER_MANUALS, "torch-autoload") if entry else LOADER_MANUALS,
            lacks=tuple(undefined),
        )
    elif attempt.outcome.versions:
        yield too_old(context, name, [attempt], severity)


def _is_torchs(context: CheckContext, symbol: str) -> bool:
    """Whether this torch should define a symbol: every build does, or it is one of CUDA, and so is this torch."""
    build = context.build("torch")
    return is_torchs_symbol(symbol) or bool(build and build.cuda and is_of_cuda_build(symbol))


_ENDS = ": import torch ends with it"
_ANOTHER = "it was built for another release of torch"
# Authors name the torch of a build in its version: k2 1.24.4+cuda12.1.torch2.1.2.
_SHORT = pattern(r"pt([12])(\d{1,2})(?=cpu|cu\d)")  # torch_scatter 2.1.2+pt25cu124
_LABEL = pattern(r"torch(\d\.\d{1,2}(?:\.\d{1,2})?)")


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _built_for(context: CheckContext, name: str) -> str | None:
    torch = built_for(context) if name == "xformers" else ""
    if torch:
        return f"its cpp_lib.json says that it was built for torch {torch}"
    record = context.installed.get(name)
    own = record.version.partition("+")[2] if record is not None else ""
    label, short = _LABEL.search(own), _SHORT.match(own)
    theirs = label[1] if label else f"{short[1]}.{short[2]}" if short else ""
    return f"its version says that it was built for torch {theirs}" if theirs else None


def _is_loaded(name: str) -> bool:
    """Whether the import of a package is known to load its modules."""
    return name in projects() and projects()[name].undeclared


def _is_top(context: CheckContext, attempt: Attempt) -> bool:
    return any(os.path.dirname(attempt.path) == entry.path for entry in context.environment.sites)
