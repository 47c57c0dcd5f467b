"""The page of the figures: tables in Markdown, and the plots beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benching import plots
from benching.commands import aim_of
from benching.generated import SERIES, Series
from benching.real import BUNDLED, LIVE
from benching.releases import Figures, changes, mean, slope
from benching.samples import Summary, Trial

# What the columns of the first table are.
FIELDS = (
    ("wall", "wall"),
    ("processor", "CPU"),
    ("memory", "memory"),
    ("requests", "requests"),
    ("bytes", "bytes"),
)
# Rows of it: title, part, state of the times, state of the counts, aim of the wall time.
AIMS = (
    ("locks from bundled data", "bundled", "offline", "", "at most 2.0"),
    ("live index, warm cache", "live", "warm", "warm, counted", "at most 1.2, none above 2"),
    ("live index, cold cache", "live", "cold", "cold, counted", "at most 1.2, requests at most 1.1"),
    ("generated, warm cache", "generated", "warm", "warm", "CPU at most 3"),
    ("generated, cold cache", "generated", "cold", "cold", ""),
)


def markdown(found: Figures, then: Figures | None) -> str:
    """The whole page; ``then`` has the figures of the release to compare with."""
    sections = [
        _head(found),
        _summary(found),
        _commands(found),
        _real(found, "bundled", "Locks from bundled data", BUNDLED, ("offline",)),
        _real(found, "live", "Locks from the live index", LIVE, ("warm", "cold")),
        _generated(found),
        _instructions(found),
        _changes(found, then) if then else "",
    ]
    return "\n".join(section for section in sections if section)


def _head(found: Figures) -> str:
    machine, runs = found.machine, max((summary.runs for summary in found.trials.values()), default=0)
    tools = ", ".join(f"{name} {version}" for name, version in machine["tools"].items())
    return f"""# Benchmarks

Made on {machine["date"]} by `python scripts/bench.py --write`. {tools}. Python {machine["python"]},
{machine["system"]}, {machine["cores"]} cores; load of the machine at the end: {machine["load"]}.

Each figure is of whole processes, from start to exit. The tools run in turn, so that a busy machine slows all of
them. Times are medians of up to {runs} runs, memory is the highest of them; pip and pip-tools run
once. uv is given its interpreter. *Cold*: the tool's cache is empty. *Warm*: the cache is what one run has left.
Locks have hashes. CPU is the processor time of the process. Ratios are ours by uv's: below 1 we are faster. `>`
marks a run that the time limit ended; `-` was not measured. The figures of each release are in
`docs/benchmarks/`; `python scripts/bench.py --against RELEASE` compares with them. [cold-start.md](cold-start.md)
says where a lock in a new process spends its instructions, and what the floor is.
"""


def _summary(found: Figures) -> str:
    """The geometric means of the ratios to uv."""
    rows = []
    for title, part, state, counted, aim in AIMS:
        cells = []
        for field, _ in FIELDS:
            is_count = field in ("requests", "bytes")
            ratios = found.ratios(part, counted if is_count else state, field)
            cells.append(_number(mean(ratios)))
            if field == "wall":
                cells += [_number(max(ratios, default=None)), str(len(ratios) or "-")]
        wall, worst, cases, *others = cells
        rows.append((title, cases, wall, worst, *others, aim))
    head = (
        "locks, ours by uv's",
        "cases",
        "wall",
        "worst wall",
        "CPU",
        "memory",
        "requests",
        "bytes",
        "aim (wall)",
    )
    return "## In short\n\nGeometric means over the cases that both tools lock.\n\n" + _table(head, rows)


def _commands(found: Figures) -> str:
    """The other commands."""
    rows = []
    for ours, summary in found.trials.items():
        peer = found.trials.get(ours._replace(tool="peer"))
        if ours.part == "commands" and ours.tool == "torchlock":
            costs = (_cpu(summary), f"{summary.memory:.0f} MiB")
            cells = (_time(summary, ""), *costs, _time(peer, ""))
            ratios = (_number(found.ratio(ours, "wall", "peer")), _number(found.ratio(ours, "processor", "peer")))
            rows.append((ours.case, *cells, *ratios, aim_of(ours.case)))
    if not rows:
        return ""
    head = ("command", "wall", "CPU", "memory", "peer", "wall ratio", "CPU ratio", "aim")
    return "## Other commands\n\n" + _table(head, rows)


def _real(found: Figures, part: str, title: str, cases: Sequence[str], states: Sequence[str]) -> str:
    """The tables of real inputs, one for each state of the cache."""
    sections = []
    for state in states:
        rows = [row for case in cases if (row := _row(found, part, case, state))]
        if rows:
            counts = ("requests (uv)", "kB (uv)") if part == "live" else ()
            head = ("input", "torchlock", "uv", "wall ratio", "CPU, uv", "CPU ratio", *counts, "pip", "pip-tools")
            name = "" if len(states) == 1 else f"### {state.capitalize()} cache\n\n"
            plot = f"![Wall time of each input](benchmarks/{part}-{state}.svg)\n\n"
            sections.append(name + plot + _table(head, rows))
    if not sections:
        return ""
    return f"## {title}\n\n{_EXPLAINED[part]}\n\n" + "\n".join(sections)


_EXPLAINED = {
    "bundled": """\
torchlock answers from its catalogue and does not use the network; uv does so from its filled cache (`--offline`).
pip and pip-tools have no such mode: their caches are filled, and they ask the index.""",
    "live": """\
Times are taken from the index itself, whose answers vary from minute to minute. Requests and bytes are counted in
other runs, through a server on this machine that passes them to the index. There torchlock is given the index with
`--index-url`, so that it asks for the torch family too, which its catalogue has.""",
}


def _row(found: Figures, part: str, case: str, state: str) -> tuple[str, ...] | None:
    """The row of one input; None if ours was not measured."""
    trial = Trial(part, case, "torchlock", state)
    ours, theirs = found.trials.get(trial), found.trials.get(trial._replace(tool="uv"))
    if not ours:
        return None
    processor = f"{ours.processor:.0f} ms, {theirs.processor:.0f} ms" if theirs else f"{ours.processor:.0f} ms"
    counts: tuple[str, ...] = ()
    if part == "live":
        counted = trial._replace(state=f"{state}, counted")
        pair = found.trials.get(counted), found.trials.get(counted._replace(tool="uv"))
        counts = tuple(_pair(pair, field, by) for field, by in (("requests", 1), ("bytes", 1000)))
    slow = "warm" if state == "offline" else state
    others = [found.trials.get(Trial(part, case, name, slow)) for name in ("pip", "pip-tools")]
    ratios = _number(found.ratio(trial, "wall")), processor, _number(found.ratio(trial, "processor"))
    return (f"`{case}`", _time(ours), _time(theirs), *ratios, *counts, *map(_time, others))


def _pair(pair: Iterable[Summary | None], field: str, by: int) -> str:
    """A count of ours, and that of uv in brackets."""
    ours, theirs = (getattr(each, field) if each else None for each in pair)
    return f"{_count(ours, by)} ({_count(theirs, by)})"


def _count(value: int | None, by: int) -> str:
    return "-" if value is None else f"{value / by:,.0f}"


_UNIVERSES = """\
## Generated universes

An index on this machine serves universes of `scripts/benching/universes.py`, with metadata beside the wheels
(PEP 658). It answers at once, or after 50 ms. `core` and `pigeonhole` have no solution: the answer is a refusal.
pip keeps no pages of an index without TLS, so that its warm runs ask again.

![CPU with a warm cache](benchmarks/growth-warm.svg)

![Wall time with an empty cache](benchmarks/growth-cold.svg)

![Wall time with an empty cache, 50 ms for each answer](benchmarks/growth-delay.svg)

"""


def _generated(found: Figures) -> str:
    """How cost grows, by shape and state."""
    rows = []
    for series in SERIES:
        for state in ("cold",) if series.delay else ("warm", "cold"):
            rows += _growth(found, series, state)
    if not rows:
        return ""
    head = ("shape", "packages", "state", "torchlock", "CPU", "memory", "uv", "CPU, uv", "wall ratio", "CPU ratio",
            "requests (uv)", "kB (uv)", "pip", "pip-tools")  # fmt: skip
    return _UNIVERSES + _slopes(found) + "\n" + _table(head, rows)


def _growth(found: Figures, series: Series, state: str) -> list[tuple[str, ...]]:
    """A row for each size of a series."""
    rows = []
    for size in series.sizes:
        trial = Trial("generated", series.case(size), "torchlock", state)
        by_tool = {name: found.trials.get(trial._replace(tool=name)) for name in plots.TOOLS}
        ours, theirs = by_tool["torchlock"], by_tool["uv"]
        if not ours and not theirs:
            continue
        costs = (_time(ours), _cpu(ours), f"{ours.memory:.0f} MiB" if ours else "-", _time(theirs), _cpu(theirs))
        ratios = (_number(found.ratio(trial, "wall")), _number(found.ratio(trial, "processor")))
        counts = tuple(_pair((ours, theirs), field, by) for field, by in (("requests", 1), ("bytes", 1000)))
        told = f"{state}, {series.delay} ms" if series.delay else state
        others = (_time(by_tool["pip"]), _time(by_tool["pip-tools"]))
        rows.append((series.shape, f"{size:,}", told, *costs, *ratios, *counts, *others))
    return rows


def points(found: Figures, series: Series, tool: str, state: str, field: str) -> list[tuple[float, float]]:
    """The sizes and figures of a tool that came to an answer."""
    listed = []
    for size in series.sizes:
        summary = found.trials.get(Trial("generated", series.case(size), tool, state))
        if summary and summary.is_answer:
            listed.append((float(size), float(getattr(summary, field))))
    return listed


def _slopes(found: Figures) -> str:
    """The exponents of growth from 100 packages on."""
    rows = []
    for series in SERIES:
        if not series.delay and series.sizes[-1] >= 300:
            cells = []
            for tool in ("torchlock", "uv"):
                line = [point for point in points(found, series, tool, "warm", "processor") if point[0] >= 100]
                cells.append(_number(slope(line)))
                cells.append(f"{line[-1][0]:,.0f}" if line else "-")
            rows.append((series.shape, *cells))
    head = ("shape", "exponent", "largest answered", "exponent, uv", "largest answered, uv")
    text = "How CPU grows with the number of packages from 100 on, warm: 1 is linear, 2 is quadratic.\n\n"
    return text + _table(head, rows)


def _instructions(found: Figures) -> str:
    if not found.instructions:
        return ""
    floor = found.instructions.get("python -c pass", 0)
    rows = [
        (title, f"{count / 1e6:,.0f}", f"{(count - floor) / 1e6:,.0f}")
        for title, count in found.instructions.items()
    ]
    head = ("command", "million instructions", "without the start of Python")
    return (
        "## Instructions\n\nCounted by valgrind, in the process itself. A busy machine does not change them. "
        "`tests/test_bench_calls.py` holds the number of calls of the same paths below a bound.\n\n"
        + _table(head, rows)
    )


def _changes(found: Figures, then: Figures) -> str:
    """What changed since a release, by ratios and counts that do not depend on the machine."""
    release = then.machine["tools"]["torchlock"]
    rows = []
    for what, unit, before, after in changes(found, then):
        told = f"{(after / before - 1) * 100:+.0f} %" if before else ""
        rows.append((what, unit, _number(before), _number(after), told))
    title = f"## Against {release} of {then.machine['date']}\n\n"
    return title + _table(("what", "unit", "then", "now", "change"), rows) if rows else ""


def drawings(found: Figures) -> dict[str, str]:
    """The plots, by the name of their file; a plot without any point is left out."""
    made = {}
    for part, cases, state in (("bundled", BUNDLED, "offline"), ("live", LIVE, "warm"), ("live", LIVE, "cold")):
        rows = {case: row for case in cases if (row := _walls(found, part, case, state))}
        if rows:
            title = {"offline": "Locks from bundled data"}.get(state, f"Locks from the live index, {state} cache")
            made[f"{part}-{state}.svg"] = plots.bars(title, "wall time, milliseconds", rows)
    asked = (
        ("growth-warm.svg", "CPU of a lock, warm cache", "warm", "processor", 0),
        ("growth-cold.svg", "Wall time of a lock, empty cache", "cold", "wall", 0),
        ("growth-delay.svg", "Wall time of a lock, empty cache, 50 ms for each answer", "cold", "wall", 50),
    )
    for name, title, state, field, delay in asked:
        panels = [
            plots.Panel(each.shape, lines)
            for each in SERIES
            if each.delay == delay
            and any((lines := {t: points(found, each, t, state, field) for t in plots.TOOLS}).values())
        ]
        if panels:
            made[name] = plots.growth(title, "packages", "milliseconds", panels)
    return made


def _walls(found: Figures, part: str, case: str, state: str) -> dict[str, float]:
    """The wall time of each tool that came to an answer."""
    walls = {}
    for name in plots.TOOLS:
        asked = "warm" if state == "offline" and name.startswith("pip") else state
        summary = found.trials.get(Trial(part, case, name, asked))
        if summary and summary.is_answer:
            walls[name] = summary.wall
    return walls


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _time(summary: Summary | None, refusal: str = " (no lock)") -> str:
    """The wall time, with what is wrong with it; ``refusal`` is what status 1 means."""
    if not summary:
        return "-"
    if summary.over:
        return f"> {summary.wall / 1000:.0f} s"
    told = "" if summary.code == 0 else refusal if summary.code == 1 else f" (exit {summary.code})"
    return f"{summary.wall:,.0f} ms{told}"


def _cpu(summary: Summary | None) -> str:
    return "-" if not summary else f"{'> ' if summary.over else ''}{summary.processor:,.0f} ms"


def _number(value: float | None) -> str:
    """A ratio or a figure in three digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
