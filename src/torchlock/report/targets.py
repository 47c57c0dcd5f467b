"""Several targets in few words: ``Python 3.11, 3.12 on manylinux_2_28_x86_64, macosx_14_0_arm64``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.target import Target


def target_lines(targets: Sequence[Target]) -> Iterator[str]:
    """One line for each set of Pythons, with the machines that have just these."""
    pythons: dict[str, list[str]] = {}
    for target in targets:
        found = pythons.setdefault(_machine(target, several=_several_builds(targets)), [])
        found += [each for each in (_python(target, targets),) if each not in found]
    machines: dict[tuple[str, ...], list[str]] = {}
    for machine, versions in pythons.items():
        machines.setdefault(tuple(versions), []).append(machine)
    for group, named in machines.items():
        yield f"Python {', '.join(group)} on {', '.join(named)}"


def target_words(targets: Sequence[Target]) -> str:
    """Some targets of a lock in one phrase."""
    return "; ".join(target_lines(targets))


def target_row(target: Target) -> dict[str, Any]:
    """A target in JSON."""
    return {
        "python": target.python.full,
        "platform": target.platform.spelled,
        "accelerator": target.accelerator,
        "gpu": target.gpu or None,
        "system": target.system,
        "libraries": dict(sorted(target.libraries.items())),
    }


def _several_builds(targets: Sequence[Target]) -> bool:
    return any(target.accelerator != "pypi" for target in targets)


def _machine(target: Target, *, several: bool) -> str:
    added = [target.accelerator] if several else []
    added += [target.system] if target.system != "none" else []
    added += [target.gpu] if target.gpu else []
    return target.platform.spelled + (f" ({', '.join(added)})" if added else "")


def _python(target: Target, targets: Sequence[Target]) -> str:
    """The minor release, or the full version if there are several of it."""
    same = {each.python.full for each in targets if str(each.python) == str(target.python)}
    return str(target.python) if len(same) == 1 else target.python.full
