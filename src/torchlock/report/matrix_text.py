"""The matrix for a terminal of 80 columns: the releases that load (or fail), and the reasons of few entries."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, product
from textwrap import wrap
from typing import TYPE_CHECKING

from torchlock.matrix.values import FAILS, KINDS, LOADS, UNKNOWN, VERDICTS
from torchlock.report.matrix_rows import agreed, cited
from torchlock.report.summary import counted, summary_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torchlock.matrix.selection import Selection
    from torchlock.matrix.table import Table
    from torchlock.matrix.values import Entry

    Paint = Callable[[str, str], str]

_WIDTH = 80
_FIRST = 16  # the columns of torch and of its build
# More entries are shown with their reasons only if the reader asks for them.
_FEW = 8
_NONE = ["-"]
_SUBJECTS = {
    LOADS: "releases that load",
    FAILS: "releases that fail",
    UNKNOWN: "releases of which it is unknown whether they load",
}
_STYLES = {LOADS: "hint", FAILS: "error", UNKNOWN: "warning"}


def text(
    entries: Sequence[Entry],
    selection: Selection,
    table: Table,
    paint: Paint,
    *,
    verbose: bool = False,
) -> str:
    """The table of each platform; then the reason and the sources of the entries (``_explained``).

    ``paint`` puts a style around a text.
    """
    if not entries:
        return "no cell of the matrix matches these filters\n"
    versions = {name: table.stack.packages[name].versions for name in selection.companions}
    parts = [
        _table(list(rows), platform, selection, versions)
        for platform, rows in groupby(entries, key=lambda entry: entry.platform)
    ]
    explained = list(entries) if verbose else _explained(entries)
    parts.append("\n".join(line for entry in explained for line in _entry(entry, paint)))
    parts.append("\n".join(_sources(explained, table)))
    parts.append("\n".join(wrap(_deciders(entries), _WIDTH, break_on_hyphens=False)))
    parts.append("\n".join(wrap(_rest(len(entries), len(explained), table.date), _WIDTH)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _explained(entries: Sequence[Entry]) -> list[Entry]:
    """The entries whose reasons are shown without ``verbose``: all, if they are few.

    Of one release of torch, those that do not fail, and the newest of each companion that does: most releases were
    made for another torch. None, if these are many.
    """
    if len(entries) <= _FEW:
        return list(entries)
    found: list[Entry] = []
    newest: dict[str, str] = {}
    for entry in entries:
        fails = entry.judged.verdict == FAILS
        if not fails or newest.setdefault(entry.package, entry.version) == entry.version:
            found.append(entry)
    is_one = len({(entry.torch, entry.torch_build, entry.platform) for entry in entries}) == 1
    return found if is_one and len(found) <= _FEW else []


def _deciders(entries: Sequence[Entry]) -> str:
    """How many cells their two wheels decide, and how many each rule does; "" if their wheels decide all."""
    rules = Counter(entry.judged.rule for entry in entries if not entry.judged.evidence)
    if not rules:
        return ""
    proven = len(entries) - rules.total()
    said = [f"{count} by {f'the rule {rule}' if rule else 'no source'}" for rule, count in sorted(rules.items())]
    return f"decided by their two wheels: {proven} of {len(entries)} cells; {', '.join(said)}"


def _rest(count: int, explained: int, date: str) -> str:
    """How many entries have no reason here, and how to see it."""
    if explained == count:
        return summary_line(counted(count, "cell"), f"data of {date}")
    if not explained:
        hint = "-v shows the reason of each, a narrower request those of fewer"
        return summary_line(counted(count, "cell"), f"data of {date}", hint=hint)
    left = count - explained
    more = f"{left} more {'fails' if left == 1 else 'fail'}"
    return summary_line(counted(count, "cell"), more, f"data of {date}", hint="-v shows the reason of each")


def _table(
    entries: Sequence[Entry], platform: str, selection: Selection, versions: Mapping[str, Sequence[str]]
) -> str:
    columns = selection.companions
    width = (_WIDTH - _FIRST) // len(columns)
    python = f", Python 3.{selection.python}" if selection.python is not None else ""
    main = _main(selection)
    lines = [f"{platform}{python}: {_SUBJECTS[main]} with each torch", ""]
    lines += _joined([["torch"], *([name] for name in columns)], width)
    shown: list[Entry] = []
    has_none = False
    for (torch, build), rows in groupby(entries, key=lambda entry: (entry.torch, entry.torch_build)):
        found = agreed(rows)
        shown += found
        cells = [
            _cell([row for row in found if row.package == name], versions[name], width, main) for name in columns
        ]
        has_none = has_none or _NONE in cells
        head = [f"{torch} {build or '?'}", *_fitness(found[0])]
        lines += _joined([head, *cells], width)
    return "\n".join([*lines, "", *_legend(shown, main, _absence(selection, main) if has_none else "")])


def _main(selection: Selection) -> str:
    """The verdict of the releases that the table names: those that load, unless the filters leave them out."""
    return next(each for each in VERDICTS if each in (selection.verdicts or VERDICTS))


def _absence(selection: Selection, main: str) -> str:
    """What an empty cell says: nothing of releases that the filters leave out."""
    subject = "none of these releases" if any(map(selection.ranges.get, selection.companions)) else "no release"
    kinds = f" by what is {' or '.join(selection.kinds)}" if selection.kinds else ""
    return f"- {subject} {main if main != UNKNOWN else 'is unknown'}{kinds}"


def _fitness(entry: Entry) -> list[str]:
    """Words under a torch that does not run on the stated GPU, or with the stated driver."""
    words = {"no": "does not run", "unknown": "may not run"}
    return [f"  {words[entry.fitness.answer]}"] if entry.fitness and entry.fitness.answer in words else []


def _joined(cells: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The lines of one row."""
    for number in range(max(map(len, cells))):
        parts = [cell[number] if number < len(cell) else "" for cell in cells]
        yield (parts[0].ljust(_FIRST) + "".join(part.ljust(width) for part in parts[1:])).rstrip()


def _cell(rows: Sequence[Entry], versions: Sequence[str], width: int, main: str) -> list[str]:
    """The lines of one cell: ``0.11.1-0.17.0 m`` for the main verdict, ``0.11.0 ?`` for what is unknown."""
    found: list[str] = []
    mains = [row for row in rows if row.judged.verdict == main != UNKNOWN]
    shown = [row for row in mains if not row.yanked] or mains
    is_choice = any(not row.public for row in rows) and len({row.build for row in shown}) > 1
    for build in dict.fromkeys(row.build if is_choice else "" for row in shown):
        suffix = f" {build}" if build else ""
        mine = [row for row in shown if build in ("", row.build)]
        for kind, allowed in product(KINDS, (True, False)):
            names = [row.version for row in mine if (row.judged.kind, row.allowed) == (kind, allowed)]
            found += [f"{span} {kind[0]}{'' if allowed else '*'}{suffix}" for span in spans(names, versions)]
    unknown = {row.version for row in rows if row.judged.verdict == UNKNOWN} - {row.version for row in shown}
    found += [f"{span} ?" for span in spans(unknown, versions)]
    if not found:
        return _NONE
    return [line for each in found for line in wrap(each, width - 1) or [each]]


def spans(names: Iterable[str], versions: Sequence[str]) -> list[str]:
    """Some releases, newest first, with those that follow each other as ``0.11.1-0.17.0``.

    ``versions`` are all releases, oldest first.
    """
    places = sorted(versions.index(name) for name in set(names))
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [
        versions[run[0]] if len(run) == 1 else f"{versions[run[0]]}-{versions[run[-1]]}" for run in reversed(runs)
    ]


def _legend(entries: Sequence[Entry], main: str, absence: str) -> list[str]:
    shown = [entry for entry in entries if entry.judged.verdict == main != UNKNOWN]
    kinds = {entry.judged.kind for entry in shown}
    said = [f"{kind[0]} {kind}" for kind in KINDS if kind in kinds]
    if any(not entry.allowed for entry in shown):
        said.append("* its metadata refuses this torch: pip and uv do not install the pair")
    said += ["? unknown"] if any(entry.judged.verdict == UNKNOWN for entry in entries) else []
    said += [absence] if absence else []
    return wrap("; ".join(said), _WIDTH)


def _entry(entry: Entry, paint: Paint) -> Iterator[str]:
    """The lines about one entry."""
    judged = entry.judged
    of = f" ({', '.join(filter(None, (judged.kind, judged.rule)))})" if judged.kind or judged.rule else ""
    head = f"{entry.package} {_with(entry.version, entry.build)} and torch {_with(entry.torch, entry.torch_build)}"
    yield f"{head}: {paint(_STYLES[judged.verdict], judged.verdict)}{of}"
    facts = [judged.reason]
    if judged.rule and not judged.evidence:
        facts.append("These two wheels were not compared: the rule decides.")
    facts.append(f"Pythons: {', '.join(entry.pythons)}.")
    if not entry.allowed:
        facts.append("The metadata refuses this torch: pip and uv do not install the pair.")
    if entry.yanked:
        facts.append("One of both releases was yanked: an installer takes it only if it is pinned.")
    if entry.fitness is not None:
        facts.append(f"GPU and driver: {entry.fitness.answer}; {entry.fitness.because}.")
    facts += [f"Read: {wheel.file} sha256 {wheel.sha256[:12]}… ({wheel.date})" for wheel in judged.evidence]
    for fact in facts:
        yield from wrap(fact, _WIDTH, break_on_hyphens=False, initial_indent="  ", subsequent_indent="  ")


def _with(version: str, build: str) -> str:
    return f"{version} {build}".rstrip()


def _sources(entries: Sequence[Entry], table: Table) -> Iterator[str]:
    found = [table.source(key) for key in cited(entries)]
    if found:
        yield "sources"
    for source in found:
        said = f"{source.kind} {source.date}: {source.address}"
        yield from wrap(
            said,
            _WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
