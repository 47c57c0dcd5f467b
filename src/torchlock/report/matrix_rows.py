"""The parts that every format of the matrix shares: filters and entries as rows with stable keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchlock.matrix.values import UNKNOWN, Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.matrix.selection import Selection
    from torchlock.matrix.values import Entry

KEYS = (
    "package", "version", "build", "torch", "torch_build", "platform", "pythons", "public", "metadata_allows",
    "yanked", "verdict", "kind", "rule", "reason", "symbol", "sources", "evidence", "gpu", "gpu_because",
)  # fmt: skip
"""The keys of an entry, in the order of the columns."""


def entry_row(entry: Entry) -> dict[str, Any]:
    """One entry with the keys of ``KEYS``; what is not known or does not apply is None."""
    judged, fitness = entry.judged, entry.fitness
    return {
        "package": entry.package,
        "version": entry.version,
        "build": entry.build or None,
        "torch": entry.torch,
        "torch_build": entry.torch_build or None,
        "platform": entry.platform,
        "pythons": list(entry.pythons),
        "public": entry.public,
        "metadata_allows": entry.allowed,
        "yanked": entry.yanked,
        "verdict": judged.verdict,
        "kind": judged.kind or None,
        "rule": judged.rule or None,
        "reason": judged.reason,
        "symbol": judged.symbol or None,
        "sources": list(judged.sources),
        "evidence": [wheel._asdict() for wheel in judged.evidence],
        "gpu": fitness.answer if fitness else None,
        "gpu_because": fitness.because if fitness else None,
    }


def filter_row(selection: Selection) -> dict[str, Any]:
    """The filters of a request."""
    return {
        "packages": dict(selection.ranges),
        "platforms": list(selection.platforms),
        "python": f"3.{selection.python}" if selection.python is not None else None,
        "accelerator": selection.build,
        "kinds": list(selection.kinds),
        "verdicts": list(selection.verdicts),
        "gpu": selection.gpu.arch if selection.gpu else None,
        "driver": selection.driver or None,
    }


def cited(entries: Iterable[Entry]) -> list[str]:
    """The sources of some entries, each once, in their order."""
    return list(dict.fromkeys(source for entry in entries for source in entry.judged.sources))


def agreed(entries: Iterable[Entry]) -> list[Entry]:
    """The entries of one torch for a summary: one for each build of a release.

    If the wheels for different Pythons have different verdicts, that is unknown until a Python is named.
    """
    found: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        first = found.setdefault((entry.package, entry.version, entry.build), entry)
        if first.judged.verdict != entry.judged.verdict:
            judged = Judgement(UNKNOWN, "", "It depends on the Python.")
            found[entry.package, entry.version, entry.build] = first._replace(judged=judged)
    return list(found.values())
