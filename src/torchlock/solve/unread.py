"""Releases that could not be read and that cause a conflict: the end of a chain of losses."""

from __future__ import annotations

from torchlock.records import NamedTuple
from torchlock.solve.propagate import Loss, traced
from torchlock.solve.reasons import Unreadable
from torchlock.solve.walk import walk_or_run
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torchlock.solve.problem import Need
    from torchlock.solve.universe import Universe


class Unread(NamedTuple):
    """``release`` could not be read; ``path`` leads to it: each package needs the next one."""

    path: tuple[str, ...]
    release: Unreadable


def unread_behind(
    universe: Universe, roots: Sequence[Need], limits: Mapping[str, int], name: str | None = None, mask: int = -1
) -> list[Unread]:
    """The unread releases for which these needs cannot be met together with ``name`` held to ``mask``.

    The best unread release of each package. Nothing where the needs can be met, as far as propagation shows, or
    where something else forbids it. No index is asked.
    """
    near = None if name is None else {**limits, name: limits.get(name, -1) & mask}
    if near is not None and _has_solution(universe, roots, near):
        return []  # propagation would look at every release within reach to find no contradiction
    trace = traced(universe, roots, limits, None if name is None else (name, mask))
    if not trace.empty:
        return []
    return list(_ends(trace.losses, name or trace.empty, mask if name is not None else -1))


def _ends(losses: Iterable[Loss], start: str, mask: int) -> Iterable[Unread]:
    """Walk back from a loss to what caused it, breadth first, each package once."""
    by_name: dict[str, list[Loss]] = {}
    for loss in losses:
        by_name.setdefault(loss.identifier, []).append(loss)
    paths: dict[str, tuple[str, ...]] = {start: (start.partition("[")[0],)}
    waiting = [start]
    for identifier in waiting:
        wanted = mask if identifier == start else -1
        for loss in by_name.get(identifier, ()):
            if not loss.mask & wanted:
                continue
            reason = loss.cause.reason if loss.cause else None
            if isinstance(reason, Unreadable):
                yield Unread(paths[identifier], reason)
                break
            if loss.by is not None and loss.by not in paths:
                below = loss.by.partition("[")[0]
                path = paths[identifier]
                paths[loss.by] = path if path[-1] == below else (*path, below)
                waiting.append(loss.by)


def _has_solution(universe: Universe, roots: Sequence[Need], limits: Mapping[str, int]) -> bool:
    """Whether a run without conflicts finds a solution. No index is asked."""
    return bool(walk_or_run(universe, roots, limits, learn=False))
