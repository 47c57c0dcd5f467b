"""TL228: a CPU build of torchvision or torchaudio beside a CUDA build of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.rules.versions import links_cuda, path_of
from torchlock.finding import Remedy, Strength
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.registry import rule
from torchlock.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

_OPERATOR = pattern(r"Could not run '(torchvision|torchaudio)::(\w{1,60})'")
# The operator that most programs call on a GPU. Those of torchaudio are for training, and few programs call them.
_OPERATOR_OF = {"torchvision": "torchvision::nms"}


@rule("TL228")
def cpu_companions(context: CheckContext) -> Iterator[Finding]:
    """A note, because the import works and most calls do not need the operators: a log shows if one did."""
    if context.label("torch") is None or kind_of(context.label("torch") or "") != "cuda":
        return
    for name in _OPERATOR_OF:
        if name in context.pins and context.label(name) == "cpu" and links_cuda(context, name) is not True:
            operator = _OPERATOR_OF[name]
            yield context.finding(
                "TL228",
                "note",
                f"{context.named(name)} is a CPU build beside {context.named('torch')}: {operator} fails on a GPU",
                name,
                path=path_of(context, name),
                expected_error=f"NotImplementedError: Could not run '{operator}' with arguments from the 'CUDA'",
                remedy=_of_torch_build(context, name),
            )


@rule("TL228", on="log")
def called_on_a_gpu(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """A CPU build of torchvision or torchaudio whose operator was called on a GPU: the note becomes a warning."""
    match = next((each for each in (_OPERATOR.search(item.text) for item in log.signatures) if each), None)
    if match is None or log.first is None or log.first.rules[0] != "TL228" or match[1] not in context.pins:
        return
    name = match[1]
    is_cpu = context.label(name) == "cpu"
    if not is_cpu and links_cuda(context, name) is not False:
        return
    noted = next((each for each in found if each.rule == "TL228" and each.packages[0][0] == name), None)
    shown = context.named(name) if is_cpu else f"{name} {context.pins[name].version.public}"
    finding = noted or context.finding(
        "TL228", "warning", "", name, path=path_of(context, name), remedy=_of_torch_build(context, name)
    )
    finding.severity, finding.strength = "warning", Strength.RAN
    finding.message = f"{shown} is a CPU build, and its operator {match[2]} was called on a GPU"
    finding.expected_error = log.first.text
    if noted is None:
        yield finding


def _of_torch_build(context: CheckContext, name: str) -> Remedy:
    """The companion of the same release, of the build of torch."""
    from torchlock.answers import Unknown
    from torchlock.check.fix.fitting import fitting
    from torchlock.check.fix.plan import Plan
    from torchlock.check.index_wheels import has_wheels, wheel_version

    label, target, pin = context.label("torch") or "", context.target, context.pins[name]
    if target is None or kind_of(label) != "cuda" or pin.unversioned:
        return Remedy(f"Install {name} and torch from the page of one CUDA build.")
    version = pin.version.public
    there = has_wheels(name, version, label, target)
    if there is False:
        return Remedy(
            f"Call the operator on the CPU: {name} {version} has no build for {describe_build(label)} here."
        )
    plan = Plan(
        {name: wheel_version(name, version, label, target)},
        label,
        frozenset({name}),
        (name,) if isinstance(there, Unknown) else (),
    )
    return fitting(context, plan)
