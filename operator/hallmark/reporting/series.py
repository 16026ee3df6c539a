"""Charts of what comes in over time, and of two distributions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hallmark.reporting.charts import WIDTH, Chart, Shape, circle, path, text_at

_LEFT, _RIGHT, _TOP, _BOTTOM = 56, WIDTH - 20, 28, 200
_MOST_LABELS = 12


@dataclass(frozen=True)
class Moment:
    """A number at a moment.

    Attributes:
        label: When.
        value: The number, 0 or more.
        limit: Above which it is too much.
    """

    label: str
    value: float
    limit: float


def course(title: str, moments: Sequence[Moment], unit: str, line: str = "limit") -> Chart:
    """Return numbers one after the other, with their limit as a line that is labelled.

    Args:
        title: What the chart shows.
        moments: At least one, oldest first.
        unit: What the numbers are.
        line: What the limit is called.
    """
    highest = max(1e-9, *(max(moment.value, moment.limit) for moment in moments)) * 1.1
    steps = max(len(moments) - 1, 1)

    def across(number: int) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (number / steps if len(moments) > 1 else 0.5)

    def up(value: float) -> float:
        return _BOTTOM - value / highest * (_BOTTOM - _TOP)

    drawn = [*_scale(highest), text_at(_LEFT - 40, _TOP - 12, unit, "muted")]
    places = [(across(number), up(moment.value)) for number, moment in enumerate(moments)]
    limits = [(across(number), up(moment.limit)) for number, moment in enumerate(moments)]
    if len(moments) == 1:
        limits = [(_LEFT, limits[0][1]), (_RIGHT, limits[0][1])]
    drawn.append(path(_line(limits), "curve limit"))
    drawn.append(
        text_at(_RIGHT, limits[-1][1] - 4, f"{line} {moments[-1].limit:.3g}", "muted", "end")
    )
    drawn.append(path(_line(places), "curve a"))
    drawn += [circle(x, y, 3, "point a") for x, y in places]
    middle = "end of the window" if len(moments) > 1 else "one window"
    drawn.append(text_at((_LEFT + _RIGHT) / 2, _BOTTOM + 17, middle, "muted", "middle"))
    drawn.append(text_at(_LEFT, _BOTTOM + 17, moments[0].label, "muted"))
    if len(moments) > 1:
        drawn.append(text_at(_RIGHT, _BOTTOM + 17, moments[-1].label, "muted", "end"))
    said = "; ".join(f"{moment.value:.3f} at {moment.label}" for moment in moments)
    return Chart(title, f"{said}; {line} {moments[-1].limit:.3g}", _BOTTOM + 26, drawn)


def side_by_side(
    title: str, labels: Sequence[str], before: Sequence[float], now: Sequence[float], axis: str
) -> Chart:
    """Return two shares for each bin: of the training data and of the traffic.

    Args:
        title: What the chart shows.
        labels: One for each bin, at least one.
        before: Shares in the training data.
        now: Shares in the traffic.
        axis: What the bins are of.
    """
    highest = max(1e-9, *before, *now) * 1.1
    width = (_RIGHT - _LEFT) / len(labels)
    drawn = [*_scale(highest), text_at(_LEFT - 40, _TOP - 12, "share of rows", "muted")]
    every = -(-len(labels) // _MOST_LABELS)
    for number, (label, first, second) in enumerate(zip(labels, before, now, strict=True)):
        left = _LEFT + number * width
        for share, start, style in ((first, 0.1, "bar"), (second, 0.5, "now")):
            height = share / highest * (_BOTTOM - _TOP)
            drawn.append(_bar(left + start * width, _BOTTOM - height, 0.4 * width, height, style))
        if number % every == 0:
            shown = label if len(label) <= 10 else f"{label[:9]}…"
            drawn.append(text_at(left + width / 2, _BOTTOM + 17, shown, "muted", "middle"))
    drawn.append(text_at(_RIGHT, _TOP - 12, "left: training data, right: traffic", "muted", "end"))
    drawn.append(text_at((_LEFT + _RIGHT) / 2, _BOTTOM + 36, axis, "muted", "middle"))
    said = "; ".join(
        f"{label}: {first:.3f}, now {second:.3f}"
        for label, first, second in zip(labels, before, now, strict=True)
    )
    return Chart(title, said, _BOTTOM + 46, drawn)


def _scale(highest: float) -> list[Shape]:
    drawn = []
    for part in (0.0, 0.5, 1.0):
        y = _BOTTOM - part * (_BOTTOM - _TOP)
        drawn.append(path(f"M{_LEFT} {y:.1f}H{_RIGHT}", "grid"))
        drawn.append(text_at(_LEFT - 8, y + 4, f"{part * highest:.2g}", "muted", "end"))
    return drawn


def _line(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _bar(x: float, y: float, width: float, height: float, style: str) -> Shape:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{width:.1f}"}
    return Shape("rect", {**place, "height": f"{max(height, 0):.1f}", "class": style})
