"""The values of the matrix: one judgement of two builds, and the entry that holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torchlock.knowledge.proofs import Evidence

LOADS, FAILS, UNKNOWN = VERDICTS = ("loads", "fails", "unknown")
MEASURED, DECLARED, REPORTED = KINDS = ("measured", "declared", "reported")


class Judgement(NamedTuple):
    """Whether one build of a companion loads with one build of torch.

    ``kind`` is that of the evidence: ``measured``, ``declared`` or ``reported``; "" if there is no evidence.
    ``reason`` is one sentence. ``rule`` is the rule that decides, "" for a proof from the wheels. ``symbol`` is
    the first symbol that torch lacks. ``sources`` are keys of ``compat_data/sources.toml``; ``evidence`` are the
    wheels that were read.
    """

    verdict: str
    kind: str
    reason: str
    rule: str = ""
    symbol: str = ""
    sources: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def sentence(reason: str) -> str:
    """The reason of a proof as a sentence. A name at its beginning keeps its spelling."""
    return f"{'I' if reason.startswith('its ') else reason[:1]}{reason[1:].rstrip('.')}."


class Fitness(NamedTuple):
    """Whether a build of torch runs on a GPU with a driver: ``yes``, ``no`` or ``unknown``, and why (a clause)."""

    answer: str
    because: str
    sources: tuple[str, ...] = ()


class Entry(NamedTuple):
    """One entry of the matrix.

    ``build`` and ``torch_build`` are labels (``cpu``, ``cu130``), "" if the build is not known. ``public``: both
    are what the public index serves. ``pythons`` are the Pythons on which both releases install. ``allowed``: the
    metadata of the companion allows this torch, so that an installer accepts the pair. ``yanked``: one of both was
    withdrawn, and an installer takes it only if it is pinned. ``fitness`` is None if no
    GPU and no driver were stated.
    """

    package: str
    version: str
    torch: str
    platform: str
    build: str
    torch_build: str
    public: bool
    pythons: tuple[str, ...]
    allowed: bool
    yanked: bool
    judged: Judgement
    fitness: Fitness | None = None
