"""Charts as inline SVG: no script, no outside resource, a title and a description in each.

Colours are classes that the page's style defines for light and dark. All text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 640
_LABELS = 190
_NOTES = 110
_ROW = 28
_TOP = 10
_BOTTOM = 26
_LONGEST = 26


@dataclass(frozen=True)
class Mark:
    """A gate's threshold on a scale.

    Attributes:
        place: Where it is.
        at_least: Whether what is to its right passes; otherwise to its left.
        passed: The verdict.
    """

    place: float
    at_least: bool
    passed: bool


@dataclass(frozen=True)
class Line:
    """A number on a scale from 0 to 1, its interval, and gates.

    Attributes:
        label: What it is.
        value: The number; None where it is inconclusive.
        low: The lower end of its interval, if it has one.
        high: The upper end.
        note: A few words at the right.
        marks: Gates on it.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Series:
    """Points of one kind.

    Attributes:
        name: What they are.
        style: The class of their colour.
        points: x and y.
        sizes: The radius of each point.
    """

    name: str
    style: str
    points: Sequence[tuple[float, float]]
    sizes: Sequence[float] = ()


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _svg(height: float, title: str, description: str, content: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{''.join(content)}</svg>"
    )


def intervals(title: str, lines: Sequence[Line], *, bars: bool = False) -> str:
    """Return numbers from 0 to 1 below each other, with intervals and gates.

    Args:
        title: What the chart shows.
        lines: From top to bottom.
        bars: Whether a bar goes from 0 to each number.
    """
    left, right = _LABELS, WIDTH - _NOTES
    bottom = _TOP + _ROW * len(lines)

    def across(value: float) -> float:
        return left + min(max(value, 0.0), 1.0) * (right - left)

    drawn = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = across(tick)
        drawn.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" class="grid"/>')
        drawn.append(_text(x, bottom + 16, f"{tick:g}", "muted", "middle"))
    for number, line in enumerate(lines):
        drawn += _interval(line, _TOP + _ROW * (number + 0.5), across, bars=bars)
    said = "; ".join(_spoken(line) for line in lines)
    return _svg(bottom + _BOTTOM, title, said, drawn)


def _spoken(line: Line) -> str:
    if line.value is None:
        return f"{line.label}: inconclusive"
    ends = "" if line.low is None or line.high is None else f" ({line.low:.3f} to {line.high:.3f})"
    return f"{line.label}: {line.value:.3f}{ends}"


def _interval(line: Line, y: float, across: Callable[[float], float], *, bars: bool) -> list[str]:
    drawn = [_text(_LABELS - 10, y + 4, _shortened(line.label), "ink", "end")]
    if line.value is None:
        drawn.append(_text(across(0) + 6, y + 4, "inconclusive", "muted"))
    else:
        x = across(line.value)
        if bars:
            start = across(0)
            drawn.append(
                f'<rect x="{start:.1f}" y="{y - 8:.1f}" width="{max(x - start, 1):.1f}" '
                f'height="16" class="bar"/>'
            )
        if line.low is not None and line.high is not None:
            low, high = across(line.low), across(line.high)
            drawn.append(f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" class="interval"/>')
        if not bars:
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="dot"/>')
    drawn += [_mark(mark, across(mark.place), y) for mark in line.marks]
    drawn.append(_text(WIDTH - _NOTES + 12, y + 4, line.note, "muted"))
    return drawn


def _mark(mark: Mark, x: float, y: float) -> str:
    side = 5 if mark.at_least else -5
    style = "good" if mark.passed else "bad"
    return (
        f'<path d="M{x:.1f} {y - 11:.1f}V{y + 11:.1f}M{x + side:.1f} {y - 11:.1f}H{x:.1f}'
        f'M{x + side:.1f} {y + 11:.1f}H{x:.1f}" class="gate {style}"/>'
    )


def curves(
    title: str,
    series: Sequence[Series],
    axes: tuple[str, str],
    *,
    logarithmic: bool = False,
    diagonal: bool = False,
) -> str:
    """Return points joined by lines over a y scale from 0 to 1.

    Args:
        title: What the chart shows.
        series: At least one, none of them empty.
        axes: What x and y are.
        logarithmic: Whether x is on a logarithmic scale; otherwise it goes from 0 to 1.
        diagonal: Whether y = x is drawn.
    """
    left, right, top, bottom = 56, WIDTH - 20, 34, 284
    places = sorted({x for each in series for x, _ in each.points})
    first, last = (places[0], places[-1]) if logarithmic else (0.0, 1.0)
    scale = math.log if logarithmic else float
    width = (scale(last) - scale(first)) or 1.0

    def across(x: float) -> float:
        return left + (scale(x) - scale(first)) / width * (right - left)

    def up(y: float) -> float:
        return bottom - min(max(y, 0.0), 1.0) * (bottom - top)

    drawn = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(f'<path d="M{left} {up(tick):.1f}H{right}" class="grid"/>')
        drawn.append(_text(left - 8, up(tick) + 4, f"{tick:g}", "muted", "end"))
    for tick in places if logarithmic else (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(_text(across(tick), bottom + 17, f"{tick:g}", "muted", "middle"))
    drawn.append(_text((left + right) / 2, bottom + 36, axes[0], "muted", "middle"))
    drawn.append(_text(left - 40, top - 16, axes[1], "muted"))
    if diagonal:
        ends = f"M{across(first):.1f} {up(first):.1f}L{across(last):.1f} {up(last):.1f}"
        drawn.append(f'<path d="{ends}" class="diagonal"/>')
    for number, each in enumerate(series):
        drawn += _curve(each, across, up)
        if len(series) > 1:
            drawn.append(_text(right - 4, top + 16 + 18 * number, each.name, each.style, "end"))
    said = "; ".join(
        f"{each.name}: " + ", ".join(f"{y:.3f} at {x:g}" for x, y in each.points) for each in series
    )
    return _svg(bottom + 46, title, said, drawn)


def _curve(
    series: Series, across: Callable[[float], float], up: Callable[[float], float]
) -> list[str]:
    places = [(across(x), up(y)) for x, y in series.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    sizes = series.sizes or [3.5] * len(places)
    return [
        f'<path d="M{path}" class="curve {series.style}"/>',
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" class="point {series.style}"/>'
            for (x, y), size in zip(places, sizes, strict=True)
        ),
    ]
