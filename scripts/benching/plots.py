"""Plots as SVG: panels with two logarithmic axes, and bars. No library; readable on a light and on a dark page.

A tool has the same colour and the same mark in every plot, so that the colour is not needed to read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

TOOLS = ("torchlock", "uv", "pip", "pip-tools")
STYLE = """
svg { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; --text: #1f2328; --faint: #d1d9e0;
  --t0: #0757ba; --t1: #b3261e; --t2: #4d6a00; --t3: #7a4a00; }
@media (prefers-color-scheme: dark) { svg { --text: #e6edf3; --faint: #3d444d;
  --t0: #6cb6ff; --t1: #ff8f85; --t2: #a3c94a; --t3: #e3a95c; } }
text { fill: var(--text); } .head { font-weight: 600; font-size: 13px; } .tick { font-size: 11px; }
.grid { stroke: var(--faint); } .line { fill: none; stroke-width: 2; }
"""
STYLE += "".join(f".s{n} {{ stroke: var(--t{n}); }} .f{n} {{ fill: var(--t{n}); }}\n" for n in range(len(TOOLS)))
WIDTH, HEIGHT = 320, 230  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 30, 42
LEGEND = 54


class Panel(NamedTuple):
    """A title and, for each tool, its points. All values are above zero."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


class Scale(NamedTuple):
    """A logarithmic axis: from ``low`` to ``high`` (powers of ten) onto ``start`` to ``end``."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def scale(values: Sequence[float], start: float, end: float) -> Scale:
    """The axis that holds these values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Scale(low, max(high, low + 1), start, end)


def growth(title: str, across: str, upward: str, panels: Sequence[Panel], columns: int = 3) -> str:
    """Panels with common axes, as the text of an SVG file."""
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    shown = [name for name in TOOLS if any(panel.lines.get(name) for panel in panels)]
    columns = min(columns, len(panels))
    size = WIDTH * columns, LEGEND + HEIGHT * math.ceil(len(panels) / columns)
    parts = [_legend(title, shown)]
    for number, panel in enumerate(panels):
        x, y = WIDTH * (number % columns), LEGEND + HEIGHT * (number // columns)
        along = scale([point[0] for point in points], LEFT, WIDTH - RIGHT)
        up = scale([point[1] for point in points], HEIGHT - BOTTOM, TOP)
        parts.append(f'<g transform="translate({x} {y})">{_axes(panel.title, across, upward, along, up)}')
        parts += [_line(TOOLS.index(name), panel.lines.get(name, ()), along, up) for name in shown]
        parts.append("</g>")
    return _file(title, size, parts)


def _axes(title: str, across: str, upward: str, along: Scale, up: Scale) -> str:
    """The grid, its numbers and the words at the axes."""
    parts = [f'<text class="head" x="{LEFT}" y="18">{escape(title)}</text>']
    for value in along.ticks():
        x = along.at(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {up.start}V{up.end}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{up.start + 15}" text-anchor="middle">{number(value)}</text>'
        )
    for value in up.ticks():
        y = up.at(value)
        parts.append(f'<path class="grid" d="M{along.start} {y:.1f}H{along.end}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    middle = (up.start + up.end) / 2
    parts.append(
        f'<text x="{(along.start + along.end) / 2}" y="{up.start + 32}" text-anchor="middle">{across}</text>'
    )
    parts.append(f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{upward}</text>')
    return "".join(parts)


def _line(tool: int, points: Sequence[tuple[float, float]], along: Scale, up: Scale) -> str:
    """A line with a mark at each point."""
    places = [(along.at(x), up.at(y)) for x, y in sorted(points)]
    if not places:
        return ""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return f'<path class="line s{tool}" d="M{path}"/>' + "".join(_mark(tool, x, y) for x, y in places)


def _mark(tool: int, x: float, y: float) -> str:
    """The mark of a tool: circle, square, triangle or diamond."""
    shapes: tuple[Callable[[float, float], str], ...] = (
        lambda x, y: f'<circle class="f0" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        lambda x, y: f'<rect class="f1" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>',
        lambda x, y: f'<path class="f2" d="M{x:.1f} {y - 5:.1f}l5 9h-10z"/>',
        lambda x, y: f'<path class="f3" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z"/>',
    )
    return shapes[tool](x, y)


def bars(title: str, unit: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A mark for each tool in the row of each case on one logarithmic axis, as the text of an SVG file."""
    values = [value for row in rows.values() for value in row.values()]
    shown = [name for name in TOOLS if any(name in row for row in rows.values())]
    left, width, step = 300, 900, 22
    bottom = LEGEND + 10 + step * len(rows)
    along = scale(values, left, width - 40)
    parts = [_legend(title, shown)]
    for value in along.ticks():
        x = along.at(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {LEGEND}V{bottom}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{number(value)}</text>'
        )
    for place, (case, row) in enumerate(rows.items()):
        y = LEGEND + 16 + step * place
        name = case if len(case) < 46 else f"{case[:44]}…"
        parts.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        ends = along.at(min(row.values())), along.at(max(row.values()))
        parts.append(f'<path class="grid" d="M{ends[0]:.1f} {y}H{ends[1]:.1f}"/>')
        parts += [_mark(TOOLS.index(tool), along.at(row[tool]), y) for tool in reversed(shown) if tool in row]
    parts.append(f'<text x="{(left + width) / 2}" y="{bottom + 34}" text-anchor="middle">{escape(unit)}</text>')
    return _file(title, (width, bottom + 44), parts)


def _legend(title: str, shown: Sequence[str]) -> str:
    """The title and the mark of each tool."""
    parts = [f'<text class="head" x="10" y="18">{escape(title)}</text>']
    for place, name in enumerate(shown):
        x = 18 + 110 * place
        parts.append(_mark(TOOLS.index(name), x, 38) + f'<text x="{x + 10}" y="42">{name}</text>')
    return "".join(parts)


def _file(title: str, size: tuple[int, int], parts: Sequence[str]) -> str:
    """The whole file."""
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    )
    body = "\n".join(part for part in parts if part)
    return f'{head} role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n{body}\n</svg>\n'


def number(value: float) -> str:
    """A power of ten as a person writes it."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
