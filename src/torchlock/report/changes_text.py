"""The changes between two locks as a short table for people."""

from __future__ import annotations

from torchlock.redaction import masked, one_line
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torchlock.lock.changes import PinChange
    from torchlock.lock.consequences import Consequence
    from torchlock.lock.model import Move
    from torchlock.manifests.pin_sets import PinnedPackage
    from torchlock.report.lock_diff import LockDiff

MOST = 20
"""The number of changes that a table shows, unless it shall show all."""
_WIDEST = 32  # characters of a column: longer ones are not aligned


def table(
    changes: Sequence[PinChange], allowed: Mapping[str, str] | None = None, *, most: int | None = MOST
) -> Iterator[str]:
    """One line for each change, and a last line that counts those that are left out.

    ``allowed`` names the option that allows a newer release, by package; "" is for all packages. ``most`` is the
    number of changes to show, None for all.
    """
    shown = changes if most is None or len(changes) <= most else changes[: most - 1]
    rows = [(each.kind, each.name, values_of(each), why_of(each, allowed or {})) for each in shown]
    widths = [max((len(row[at]) for row in rows if len(row[at]) <= _WIDEST), default=0) for at in range(3)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        yield "  ".join([" ", *cells, row[3]]).rstrip()
    if len(shown) < len(changes):
        yield f"  and {len(changes) - len(shown)} more (-v shows all)"


def values_of(change: PinChange) -> str:
    """What changed: the old and the new versions, the environments, or the number of files."""
    old, new = change.old, change.new
    if change.kind == "added":
        return _versions(new)
    if change.kind == "removed":
        return _versions(old)
    if change.kind == "marker":
        return f"{_versions(new)}: {_environments(old)} → {_environments(new)}"
    if change.kind == "source":
        return f"{_versions(new)}: {_addresses(old)} → {_addresses(new)}"
    if change.kind == "files":
        return f"{_versions(new)}: {_hashes(change)}"
    where = _environments(new)
    same = {(pin.marker, pin.scope) for pin in old} == {(pin.marker, pin.scope) for pin in new}
    shown = f" where {where}" if same and len(new) == 1 and where != _EVERYWHERE else ""
    return f"{_versions(old, marked=not same)} → {_versions(new, marked=not same)}{shown}"


_EVERYWHERE = "everywhere"


def _versions(pins: Sequence[PinnedPackage], *, marked: bool = False) -> str:
    texts = []
    for pin in pins:
        version = _clean(pin.version or pin.url or "no version")
        texts.append(f"{version} where {_environment(pin)}" if marked and (pin.marker or pin.scope) else version)
    return ", ".join(dict.fromkeys(texts))


def _environments(pins: Sequence[PinnedPackage]) -> str:
    return " or ".join(dict.fromkeys(map(_environment, pins)))


def _environment(pin: PinnedPackage) -> str:
    parts = [_clean(pin.marker), _clean(pin.scope.replace(":", " "))]
    return " in ".join(filter(None, parts)) or _EVERYWHERE


def _addresses(pins: Sequence[PinnedPackage]) -> str:
    return ", ".join(dict.fromkeys(_clean(pin.url) or "the index" for pin in pins))


def _hashes(change: PinChange) -> str:
    new, gone = change.hashes
    if not new and not gone:
        return "another file"
    if not any(pin.hashes for pin in change.old):
        return f"{new} hashes added, before none" if new != 1 else "1 hash added, before none"
    if not any(pin.hashes for pin in change.new):
        return "without hashes"
    parts = [f"{count} {word}" for count, word in ((new, "added"), (gone, "removed")) if count]
    return f"hashes: {', '.join(parts)}"


def why_of(change: PinChange, allowed: Mapping[str, str]) -> str:
    """The reasons for a change in words; "" if they are unknown."""
    return "; ".join(dict.fromkeys(_reason(move, allowed) for move in change.why))


def _reason(move: Move, allowed: Mapping[str, str]) -> str:
    text = _clean(move.text)
    if move.kind == "newer":
        option = allowed.get(move.name) or allowed.get("")
        return f"{text} ({option})" if option else text
    return f"{text} ({move.rule})" if move.rule else text


def _clean(text: str) -> str:
    return one_line(masked(text))


def text(found: LockDiff, paint: Callable[[str, str], str], *, verbose: bool = False) -> str:
    """The comparison of two locks: changes, consequences, findings that are new or fixed.

    ``paint`` puts a style around a text; ``verbose`` adds the reasons of findings.
    """
    count = len(found.changes)
    what = "no package differs" if not count else "1 package differs" if count == 1 else f"{count} packages differ"
    lines = [f"{_clean(found.old)} → {_clean(found.new)}: {what}", *table(found.changes, most=None)]
    if found.consequences:
        lines += ["", "consequences:", *(f"  {_clean(line)}" for line in consequence_lines(found.consequences))]
    for title, findings in ((f"new in {found.new}:", found.begun), (f"fixed since {found.old}:", found.fixed)):
        if findings:
            lines += ["", _clean(title)]
            for finding in findings:
                severity = paint(finding.severity, finding.severity)
                lines.append(f"  {severity} {finding.rule} {_clean(finding.message)}")
                lines += [f"    because {_clean(finding.because)}"] if verbose and finding.because else []
                remedy = finding.remedy.summary if finding.remedy is not None and findings is found.begun else ""
                lines += [f"    {paint('hint', 'Fix:')} {_clean(remedy)}"] if remedy else []
    return "\n".join(lines) + "\n"


def consequence_lines(consequences: Sequence[Consequence]) -> Iterator[str]:
    """One sentence for each consequence, with its platforms."""
    for each in consequences:
        yield f"{', '.join(each.platforms)}: {each.text}"
