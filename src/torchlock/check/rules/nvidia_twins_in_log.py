"""TL617 by a log: it lists two NVIDIA packages that write the same files, and a library of theirs fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check.log_releases import releases_in
from torchlock.finding import Command, Remedy, Strength
from torchlock.knowledge.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.log import Log
    from torchlock.finding import Finding

# What a log may have beside the failure, at most.
_MOST = 200_000
_LISTED = re.compile(
    r"(?<![\w-])nvidia-(?P<part>nccl|cudnn|cusparselt|nvshmem)-cu(?P<cuda>1\d)(?:==| {1,40})"
    r"(?P<version>(?P<major>\d{1,3})[\w.]{0,20})"
)
# Libraries whose file has the same name for each CUDA version; the others have the version in their names.
_PARTS = ("nccl", "cudnn", "cusparselt", "nvshmem")
_FAILED = re.compile(
    rf"(?:undefined symbol: _{{0,3}}|symbol lookup error: .{{1,300}}|\blib)(?P<part>{'|'.join(_PARTS)})",
    re.IGNORECASE,
)


@rule("TL617", on="log")
def twins(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The package of the library that fails, twice in the list of packages in the log, for two CUDA versions."""
    first = log.first
    failed = _FAILED.search(first.text) if first is not None else None
    if first is None or failed is None or any(each.rule in ("TL616", "TL617") for each in found):
        return
    part = failed["part"].lower()
    rows = [match for match in _LISTED.finditer(log.text[-_MOST:]) if match["part"] == part]
    listed = {match["cuda"]: match["version"] for match in rows}
    if len(listed) < 2 or len({match["major"] for match in rows}) > 1:
        return
    names = [f"nvidia-{part}-cu{cuda} {version}" for cuda, version in sorted(listed.items())]
    message = f"the log lists {' and '.join(names)}, which write the same file: the later installation replaced it"
    yield context.finding(
        "TL617",
        "warning",
        message,
        f"nvidia-{part}-cu{max(listed)}",
        because="installers do not compare packages with other names, and torch loads what is there now",
        expected_error=first.text,
        strength=Strength.RAN,
        remedy=_remedy(log, part, listed),
    )


def _remedy(log: Log, part: str, listed: dict[str, str]) -> Remedy:
    """Keep the package for the CUDA version of torch; in words if the log does not show that version."""
    _, label = releases_in(log).get("torch", ("", ""))
    own = label[2:4] if label.startswith("cu") and label[2:4] in listed else ""
    if not own:
        names = " or ".join(f"nvidia-{part}-cu{cuda}=={version}" for cuda, version in sorted(listed.items()))
        return Remedy(
            "Uninstall the one that this torch does not require (python -m pip show torch lists what it needs), "
            f"and install the other one again, with --force-reinstall --no-deps: {names}."
        )
    others = [f"nvidia-{part}-cu{cuda}" for cuda in sorted(listed) if cuda != own]
    keep = f"nvidia-{part}-cu{own}=={listed[own]}"
    gone = f"python -m pip uninstall -y {' '.join(others)}"
    line = f"{gone} && python -m pip install --force-reinstall --no-deps {keep}"
    return Remedy(
        f"Uninstall {' and '.join(others)}, and install {keep} again.",
        commands=(Command("pip", line),),
    )
