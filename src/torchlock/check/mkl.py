"""The MKL of conda that a torch of conda's channels does not load with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.conda import conda_install
from torchlock.finding import Remedy

if TYPE_CHECKING:
    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.outcome import UndefinedSymbol


def without_jit(context: CheckContext, undefined: UndefinedSymbol, expected_error: str) -> Finding:
    """The finding for a torch of a conda channel with an MKL that no longer has the interface for profilers.

    ``undefined`` is the symbol that torch does not find, ``expected_error`` what the loader says of it.
    """
    version = next((record.version for record in context.environment.conda if record.name == "mkl"), "")
    return context.finding(
        "TL611",
        "error",
        f"libtorch_cpu.so of torch uses {undefined.symbol}, which MKL {version} does not have".replace("  ", " "),
        "torch",
        path=undefined.wanted_by,
        because="MKL does not have it since 2024.1, and a torch from conda's channels needs it",
        expected_error=expected_error,
        remedy=Remedy("Install MKL 2024.0.", commands=conda_install(context, '"mkl<2024.1"')),
        sources=("pytorch-123097",),
        lacks=(undefined.symbol,),
    )
