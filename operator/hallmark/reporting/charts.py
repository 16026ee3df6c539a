"""Charts as shapes of inline SVG, with a title and a description in each.

Colours are classes that the page's style defines for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WIDTH = 640
_LABELS = 190
_NOTES = 110
_ROW = 28
_TOP = 10
_BOTTOM = 26
_LONGEST = 26
_END = 13


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


@dataclass(frozen=True)
class Shape:
    """An element of SVG; attributes and text are escaped where it is shown."""

    tag: str
    attributes: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture, and in words what it shows."""

    title: str
    description: str
    height: int
    shapes: Sequence[Shape]
    width: int = WIDTH


def text_at(x: float, y: float, text: str, style: str, anchor: str = "start") -> Shape:
    """Return a text whose foot is at a place."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}"}
    return Shape("text", {**place, "class": style, "text-anchor": anchor}, text)


def path(steps: str, style: str) -> Shape:
    """Return a path of drawing steps."""
    return Shape("path", {"d": steps, "class": style})


def circle(x: float, y: float, radius: float, style: str) -> Shape:
    """Return a circle."""
    return Shape(
        "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{radius:.1f}", "class": style}
    )


def _shortened(text: str) -> str:
    """Return a text that fits; of a metric, the attribute at its end tells it from others."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - _END - 4]}…{text[-_END:]}"


def intervals(title: str, lines: Sequence[Line], *, bars: bool = False) -> Chart:
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
        drawn.append(path(f"M{x:.1f} {_TOP}V{bottom}", "grid"))
        drawn.append(text_at(x, bottom + 16, f"{tick:g}", "muted", "middle"))
    for number, line in enumerate(lines):
        drawn += _interval(line, _TOP + _ROW * (number + 0.5), across, bars=bars)
    said = "; ".join(_spoken(line) for line in lines)
    return Chart(title, said, bottom + _BOTTOM, drawn)


def _spoken(line: Line) -> str:
    if line.value is None:
        return f"{line.label}: inconclusive"
    ends = "" if line.low is None or line.high is None else f" ({line.low:.3f} to {line.high:.3f})"
    return f"{line.label}: {line.value:.3f}{ends}"


def _interval(line: Line, y: float, across: Callable[[float], float], *, bars: bool) -> list[Shape]:
    drawn = [text_at(_LABELS - 10, y + 4, _shortened(line.label), "ink", "end")]
    if line.value is None:
        drawn.append(text_at(across(0) + 6, y + 4, "inconclusive", "muted"))
    else:
        x = across(line.value)
        if bars:
            drawn.append(_bar(across(0), y, x))
        if line.low is not None and line.high is not None:
            low, high = across(line.low), across(line.high)
            drawn.append(path(f"M{low:.1f} {y:.1f}H{high:.1f}", "interval"))
        if not bars:
            drawn.append(circle(x, y, 4.5, "dot"))
    drawn += [_mark(mark, across(mark.place), y) for mark in line.marks]
    drawn.append(text_at(WIDTH - _NOTES + 12, y + 4, line.note, "muted"))
    return drawn


def _bar(start: float, y: float, end: float) -> Shape:
    place = {"x": f"{start:.1f}", "y": f"{y - 8:.1f}", "width": f"{max(end - start, 1):.1f}"}
    return Shape("rect", {**place, "height": "16", "class": "bar"})


def _mark(mark: Mark, x: float, y: float) -> Shape:
    side = 5 if mark.at_least else -5
    style = "good" if mark.passed else "bad"
    ends = "".join(f"M{x + side:.1f} {y + away:.1f}H{x:.1f}" for away in (-11, 11))
    return path(f"M{x:.1f} {y - 11:.1f}V{y + 11:.1f}{ends}", f"gate {style}")


def curves(
    title: str,
    series: Sequence[Series],
    axes: tuple[str, str],
    *,
    logarithmic: bool = False,
    diagonal: bool = False,
) -> Chart:
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
        drawn.append(path(f"M{left} {up(tick):.1f}H{right}", "grid"))
        drawn.append(text_at(left - 8, up(tick) + 4, f"{tick:g}", "muted", "end"))
    for tick in places if logarithmic else (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn.append(text_at(across(tick), bottom + 17, f"{tick:g}", "muted", "middle"))
    drawn.append(text_at((left + right) / 2, bottom + 36, axes[0], "muted", "middle"))
    drawn.append(text_at(left - 40, top - 16, axes[1], "muted"))
    if diagonal:
        ends = f"M{across(first):.1f} {up(first):.1f}L{across(last):.1f} {up(last):.1f}"
        drawn.append(path(ends, "diagonal"))
    for number, drawn_series in enumerate(series):
        drawn += _curve(drawn_series, across, up)
        if len(series) > 1:
            name, style = drawn_series.name, drawn_series.style
            drawn.append(text_at(right - 4, top + 16 + 18 * number, name, style, "end"))
    said = "; ".join(
        f"{each.name}: " + ", ".join(f"{y:.3f} at {x:g}" for x, y in each.points) for each in series
    )
    return Chart(title, said, bottom + 46, drawn)


def _curve(
    series: Series, across: Callable[[float], float], up: Callable[[float], float]
) -> list[Shape]:
    places = [(across(x), up(y)) for x, y in series.points]
    steps = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    sizes = series.sizes or [3.5] * len(places)
    return [
        path(f"M{steps}", f"curve {series.style}"),
        *(
            circle(x, y, size, f"point {series.style}")
            for (x, y), size in zip(places, sizes, strict=True)
        ),
    ]
