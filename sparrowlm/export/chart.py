"""Line and bar charts as SVG text: no script, no resource from elsewhere, readable in the dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 16.0, 12.0, 36.0
_MOST_POINTS = 400

Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        style: CSS class: "train", "held-out", "floor" or "mixture".
        points: (x, y), x ascending; one point draws a line across the whole chart.
    """

    style: str
    points: Sequence[Point]


def line_chart(series: Sequence[Series], label: str) -> str:
    """Draw lines over a common grid.

    Args:
        series: at least one with at least one point; values that are not finite are left out.
        label: said by screen readers.

    Returns:
        An svg element, "" when there is nothing to draw.
    """
    finite = [Series(one.style, _finite(one.points)) for one in series]
    xs = [x for one in finite for x, _y in one.points if len(one.points) > 1]
    ys = [y for one in finite for _x, y in one.points]
    if not ys:
        return ""
    plane = _Plane(_ticks(min(xs, default=0.0), max(xs, default=1.0)), _ticks(min(ys), max(ys)))
    body = plane.grid() + "".join(plane.line(one) for one in finite if one.points)
    return _svg(_WIDTH, _HEIGHT, label, body)


def bar_chart(rows: Sequence[tuple[str, float]], label: str) -> str:
    """Draw horizontal bars with their names on the left and values behind them.

    Args:
        rows: (name, value), values >= 0; any text is a name.
        label: said by screen readers.
    """
    if not rows:
        return ""
    longest = max(value for _name, value in rows) or 1.0
    parts = []
    for number, (name, value) in enumerate(rows):
        y = 4.0 + 22.0 * number
        width = 480.0 * value / longest
        parts.append(
            f'<text class="name" x="140" y="{y + 13:.0f}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="bar" x="148" y="{y:.0f}" width="{width:.1f}" height="16"/>'
            f'<text x="{154 + width:.1f}" y="{y + 13:.0f}">{value:,.0f}</text>'
        )
    return _svg(_WIDTH, 8.0 + 22.0 * len(rows), label, "".join(parts))


def _svg(width: float, height: float, label: str, body: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _finite(points: Sequence[Point]) -> list[Point]:
    kept = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    step = max(math.ceil(len(kept) / _MOST_POINTS), 1)
    return kept[::step] + (kept[-1:] if (len(kept) - 1) % step else [])


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from at or below low to at or above high.

    >>> _ticks(0.3, 4.1)
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    span = max(high - low, abs(high) * 1e-6, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if span / (m * power) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * number, 12) for number in range(first, max(last, first + 1) + 1)]


class _Plane:
    """Turns values into places on the paper."""

    def __init__(self, ticks_x: list[float], ticks_y: list[float]) -> None:
        self._ticks_x, self._ticks_y = ticks_x, ticks_y

    def x(self, value: float) -> float:
        share = (value - self._ticks_x[0]) / (self._ticks_x[-1] - self._ticks_x[0])
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self._ticks_y[0]) / (self._ticks_y[-1] - self._ticks_y[0])
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> str:
        lines = []
        for value in self._ticks_y:
            y = self.y(value)
            lines.append(
                f'<path class="grid" d="M{_LEFT:.0f} {y:.1f}H{_WIDTH - _RIGHT:.0f}"/>'
                f'<text x="{_LEFT - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
            )
        lines += [
            f'<text x="{self.x(value):.1f}" y="{_HEIGHT - 12:.0f}" '
            f'text-anchor="middle">{value:g}</text>'
            for value in self._ticks_x
        ]
        return "".join(lines)

    def line(self, series: Series) -> str:
        if len(series.points) == 1:
            y = self.y(series.points[0][1])
            places = f"M{_LEFT:.0f} {y:.1f}H{_WIDTH - _RIGHT:.0f}"
        else:
            places = "M" + "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in series.points)
        return f'<path class="line {series.style}" d="{places}"/>'
