"""The page that names each difference, with who is right and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comparing.differences import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from comparing.differences import Difference
    from comparing.tables import Published, Settled
    from torchlock.knowledge.proofs import Proofs

_HEAD = """\
# Everybody's tables

The matrix beside the tables that others publish: what each says that the matrix does not, and the reverse. Each
difference was settled from the wheels and their metadata. `scripts/compare_tables.py` writes this page from
`compat_data/tables/` and the matrix of {date}; a test refuses a difference that is not settled.

A table for people names series ("2.9"), the matrix names releases and builds on each platform. A pair counts as
listed if the row has both releases, and as loading if it loads on any platform in the builds of the public index.

| table | state | read on | rows | differences |
|---|---|---|---|---|
"""


_READ = """\
## The wheels behind the matrix

Wheels that were read by {date}, and how many of them show something else than another wheel of their release.
A wheel of torch that was not read is assumed to show what the one that was read shows.

| platform | {names} |
|---|{lines}
"""


def page_of(
    found: Sequence[tuple[Published, Sequence[Difference]]], settled: Sequence[Settled], proofs: Proofs
) -> tuple[str, list[str]]:
    """The page, and a line for each difference that nobody settled."""
    rows = [
        f"| [{table.title}](#{_anchor(table.title)}) | {table.state} | {table.read} "
        f"| {len(table.rows)} | {len(each)} |"
        for table, each in found
    ]
    parts, lacking = [], []
    for table, differences in found:
        groups: dict[Settled, list[Difference]] = {}
        for each in differences:
            decided = next((one for one in settled if _fits(one, table, each)), None)
            if decided is None:
                lacking.append(f"not settled: {table.id}: {each.kind}: {each.row}: {each.what}")
            else:
                groups.setdefault(decided, []).append(each)
        parts.append("\n".join(_section(table, groups)))
    parts.append(_read(proofs))
    return "\n".join([_HEAD.format(date=proofs.date) + "\n".join(rows), "", *parts]), lacking


def _read(proofs: Proofs) -> str:
    """How many wheels were read, by platform and project."""
    names = tuple(proofs.compared)
    head = _READ.format(date=proofs.date, names=" | ".join(names), lines="---|" * len(names))
    lines = []
    for place in proofs.platforms:
        counts = (proofs.compared[name].get(place) for name in names)
        lines.append(f"| {place} | {' | '.join('' if each is None else _counted(*each) for each in counts)} |\n")
    return head + "".join(lines)


def _counted(read: int, differing: int) -> str:
    return f"{read}, {differing} differ" if differing else str(read)


def _fits(settled: Settled, table: Published, difference: Difference) -> bool:
    about = settled.table == table.id and settled.kind == difference.kind
    return about and (not settled.rows or difference.row in settled.rows)


def _section(table: Published, groups: dict[Settled, list[Difference]]) -> Iterator[str]:
    yield f"## {table.title}\n"
    place = f"<{table.address}>" if " " not in table.address else table.address
    yield f"{place}, {table.state}.\n"
    if not groups:
        yield "There is no difference.\n"
        return
    yield "| difference | where | who is right | why |"
    yield "|---|---|---|---|"
    for settled, differences in groups.items():
        yield f"| {KINDS[settled.kind]} | {_where(differences)} | {settled.right} | {settled.why} |"
    yield ""


def _where(differences: Iterable[Difference]) -> str:
    shown = [each.what if each.what.startswith("torch") else f"{each.row}: {each.what}" for each in differences]
    return "; ".join(dict.fromkeys(shown))


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " _-")
    return kept.replace(" ", "-")
