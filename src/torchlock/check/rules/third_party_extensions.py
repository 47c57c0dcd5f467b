"""TL610 and TL611 for other packages: extension modules that were linked against another torch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.cxx_symbols import BECAUSE_OF_ABI, demangled, other_abi
from torchlock.check.loader_messages import no_symbol, not_found
from torchlock.check.xformers import built_for
from torchlock.inspect.loading.elf_process import is_of_torch, is_torchs_symbol
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt


@rule("TL610", "TL611")
def extensions(context: CheckContext) -> Iterator[Finding]:
    """Extension modules that do not load because of torch, one finding for each package.

    It is only a warning, because torchaudio loads without them.
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
    severity = severity_of(fails=False, partly=_is_top(context, attempt))
    missing = [each.name for each in attempt.outcome.missing if is_of_torch(each.name) or _CUDA.match(each.name)]
    undefined = [each.symbol for each in attempt.outcome.undefined if is_torchs_symbol(each.symbol)]
    if missing:
        message = (
            f"{library} of {context.named(name)} needs {missing[0]}, which {context.named('torch')} does not have"
        )
        expected_error = not_found(context, name, attempt.path, missing[0], attempt.path)
        yield context.finding(
            "TL610",
            severity,
            message,
            name,
            "torch",
            path=attempt.path,
            because=_built_for(context, name),
            expected_error=expected_error,
        )
    elif undefined:
        message = f"{library} of {context.named(name)} uses {demangled(undefined[0])}"
        message += f"{_and_more(undefined)}, which {context.named('torch')} does not have"
        abi = other_abi(context, undefined)
        if abi is not None:
            message = f"{abi.sentence(context.named(name), context.named('torch'))}: {library} uses "
            message += f"{demangled(undefined[0])}{_and_more(undefined)}, which this torch does not have"
        because = BECAUSE_OF_ABI if abi is not None else _built_for(context, name) or _ANOTHER
        expected_error = no_symbol(context, name, attempt.path, undefined[0], attempt.path)
        yield context.finding(
            "TL611",
            severity,
            message,
            name,
            "torch",
            path=attempt.path,
            because=because,
            expected_error=expected_error,
            sources=("ld-so-manual",),
            lacks=tuple(undefined),
        )


_ANOTHER = "it was built for another release of torch"
_CUDA = re.compile(r"lib(cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|nvrtc|nvJitLink)\.so")


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _built_for(context: CheckContext, name: str) -> str | None:
    torch = built_for(context) if name == "xformers" else ""
    return f"its cpp_lib.json says that it was built for torch {torch}" if torch else None


def _is_top(context: CheckContext, attempt: Attempt) -> bool:
    return any(os.path.dirname(attempt.path) == entry.path for entry in context.environment.sites)
