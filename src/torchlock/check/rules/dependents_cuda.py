"""TL230: a package opens libraries when it is used, and nothing here has them, as its own files show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.opened_later import Lacking, has_gpu, lacking
from torchlock.check.rules.dependents_cuda_in_log import also_there
from torchlock.check.rules.not_examined import listed
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

_VIDEO = Remedy(
    "Start the container with NVIDIA_DRIVER_CAPABILITIES=all (docker run --gpus all -e "
    "NVIDIA_DRIVER_CAPABILITIES=all); outside a container, install the part of the NVIDIA driver for video."
)


@rule("TL230")
def opened_later(context: CheckContext) -> Iterator[Finding]:
    """A warning if a GPU is known to be there. Otherwise a note: on a CPU the package works without them."""
    for each in lacking(context):
        opens = f"{context.named(each.user)} opens {listed(_first(each.names))}"
        use = "decodes" if each.of_driver else "computes"
        yield context.finding(
            "TL230",
            severity_of(fails=False, partly=each.is_known and has_gpu(context) and not each.of_driver),
            f"{opens} when it {use} on a GPU, and {_where(each)}",
            each.user,
            path=each.path,
            because=_because(context, each),
            expected_error=each.error,
            remedy=_VIDEO if each.of_driver else None,
            lacks=each.names,
        )


def _first(names: Sequence[str]) -> list[str]:
    return [*names[:2], *([f"{len(names) - 2} more"] if len(names) > 2 else [])]


def _where(each: Lacking) -> str:
    it = "it" if len(each.names) == 1 else "them"
    if not each.is_known:
        return f"no package here contains {it}; whether the machine has {it} is unknown"
    return f"neither a package here nor this machine has {it}"


def _because(context: CheckContext, each: Lacking) -> str | None:
    torch = context.build("torch")
    if each.of_driver:
        return "the NVIDIA driver has it; a container gets the libraries for video only if it asks for them"
    cuda = f"torch is for CUDA {torch.cuda}" if torch is not None and torch.cuda else ""
    return also_there(context, each.names[0]) or cuda or None
