"""Static SVG: read without a script, printed, and the same bytes each time.

Colours are classes of the style sheet, so light and dark are one drawing; kept and rejected are
told apart by place and words as well. Every chart has a title and says its numbers in words.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, HEIGHT = 330, 168
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 4, 14, 30


class Series(NamedTuple):
    """Rows by bin, of one group of rows."""

    name: str
    css: str
    counts: Sequence[int]


def histogram(
    key: str, title: str, edges: Sequence[str], unit: str, series: Sequence[Series]
) -> Markup:
    """Shares of rows by bin, the groups of rows side by side; `key` is unique on the page."""
    totals = [sum(one.counts) or 1 for one in series]
    shares = [[n / total for n in one.counts] for one, total in zip(series, totals, strict=True)]
    top = _ceiling(max((max(each, default=0.0) for each in shares), default=0.0))
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    pitch = plot_width / len(edges)
    bar = pitch * 0.84 / len(series)
    bars = [
        Markup('<path class="{}" d="{}"/>').format(
            one.css,
            "".join(
                _block(_LEFT + pitch * (i + 0.08) + bar * at, n / top * plot_height, bar)
                for i, n in enumerate(heights)
                if n
            ),
        )
        for at, (one, heights) in enumerate(zip(series, shares, strict=True))
    ]
    said = ". ".join(_said(one, edges) for one in series)
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d">'
        '<title id="{}-t">{}</title><desc id="{}-d">{}</desc>{}{}{}</svg>'
    ).format(
        WIDTH, HEIGHT, key, key, key, title, key, said,
        _scale(top), Markup("").join(bars), _edges(edges, pitch, unit),
    )  # fmt: skip


def _block(x: float, height: float, width: float) -> str:
    base = HEIGHT - _BOTTOM
    return f"M{x:.1f} {base}v{-max(height, 1):.1f}h{width:.1f}V{base}z"


def _ceiling(value: float) -> float:
    """The next round share above."""
    return next((top for top in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if value <= top), 1.0)


def _edges(edges: Sequence[str], pitch: float, unit: str) -> Markup:
    """Lower edges under the bins' left sides, as many as there is room for."""
    every = max(1, -(-34 // int(pitch)))
    ticks = [
        Markup('<text class="tick" x="{:.1f}" y="{}">{}</text>').format(
            _LEFT + pitch * i, HEIGHT - _BOTTOM + 12, text
        )
        for i, text in enumerate(edges)
        if i % every == 0
    ]
    name = Markup('<text class="tick unit end" x="{}" y="{}">{}</text>').format(
        WIDTH - _RIGHT, HEIGHT - 4, unit
    )
    return Markup("").join([*ticks, name])


def _said(one: Series, edges: Sequence[str]) -> str:
    total = sum(one.counts)
    if not total:
        return f"{one.name}: no rows"
    fullest = max(range(len(one.counts)), key=lambda i: one.counts[i])
    return (
        f"{one.name}: {total:,} rows, most of them ({one.counts[fullest]:,}) "
        f"from {edges[fullest]} on"
    )


class Curve(NamedTuple):
    """Points of one line, left to right."""

    name: str
    css: str
    points: Sequence[tuple[float, float]]


def curves(key: str, title: str, lines: Sequence[Curve], unit: str, *, percent: bool) -> Markup:
    """Lines over one axis from 0; the vertical one is shares, or a logarithm from 0.01 to 10.

    Args:
        key: unique on the page.
        title: of the chart.
        lines: several may have one name, as seeds have.
        unit: of the horizontal axis.
        percent: values are shares of 1.
    """
    right = max(x for line in lines for x, _ in line.points) or 1.0
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    drawn = [
        Markup('<path class="curve {}" d="M{}"/>').format(
            line.css,
            "L".join(
                f"{_LEFT + width * x / right:.1f} "
                f"{HEIGHT - _BOTTOM - height * _rise(y, percent=percent):.1f}"
                for x, y in line.points
            ),
        )
        for line in lines
    ]
    said = ". ".join(
        f"{line.name}: from {_value(line.points[0][1], percent=percent)} "
        f"to {_value(line.points[-1][1], percent=percent)}"
        for line in lines
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-t {}-d">'
        '<title id="{}-t">{}</title><desc id="{}-d">{}</desc>{}{}{}</svg>'
    ).format(
        WIDTH, HEIGHT, key, key, key, title, key, said,
        _scale(1.0) if percent else _decades(), Markup("").join(drawn), _across(right, unit),
    )  # fmt: skip


def _rise(y: float, *, percent: bool) -> float:
    """Share of the height."""
    return y if percent else min(max(math.log10(max(y, 1e-9)) + 2, 0.0), 3.0) / 3


def _value(y: float, *, percent: bool) -> str:
    return f"{100 * y:.1f} %" if percent else f"{y:.3g}"


def _scale(top: float) -> Markup:
    """Three lines and the shares that they stand for."""
    return _lines((part, f"{100 * top * part:.3g} %") for part in (0.0, 0.5, 1.0))


def _decades() -> Markup:
    return _lines((part / 3, text) for part, text in enumerate(("0.01", "0.1", "1", "10")))


def _lines(heights: Iterable[tuple[float, str]]) -> Markup:
    lines: list[Markup] = []
    for part, text in heights:
        y = HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM)
        lines.append(
            Markup(
                '<path class="line" d="M{} {:.1f}H{}"/>'
                '<text class="tick end" x="{}" y="{:.1f}">{}</text>'
            ).format(_LEFT, y, WIDTH - _RIGHT, _LEFT - 5, y + 3.5, text)
        )
    return Markup("").join(lines)


def _across(right: float, unit: str) -> Markup:
    ticks = [
        Markup('<text class="tick{}" x="{:.1f}" y="{}">{}</text>').format(
            " end" if part else "", _LEFT + (WIDTH - _LEFT - _RIGHT) * part,
            HEIGHT - _BOTTOM + 12, f"{right * part:,.0f}",
        )
        for part in (0.0, 1.0)
    ]  # fmt: skip
    name = Markup('<text class="tick unit end" x="{}" y="{}">{}</text>').format(
        WIDTH - _RIGHT, HEIGHT - 4, unit
    )
    return Markup("").join([*ticks, name])


def bar(parts: Sequence[tuple[str, int]], whole: int) -> Markup:
    """A bar of parts (class, count) of a whole; decoration, for the numbers stand beside it."""
    drawn: list[Markup] = []
    x = 0.0
    for css, n in parts:
        width = 200 * n / whole if whole else 0.0
        if n:
            width = max(width, 0.8)
            drawn.append(
                Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="10"/>').format(
                    css, min(x, 199.2), width
                )
            )
        x += width
    return Markup(
        '<svg class="bar" viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="200" height="10"/>{}</svg>'
    ).format(Markup("").join(drawn))


def sparkline(counts: Sequence[int]) -> Markup:
    """A histogram as small as a word; decoration."""
    top = max(counts, default=0)
    if not top:
        return Markup("")
    pitch = 52 / len(counts)
    d = "".join(
        f"M{pitch * i:.1f} 14v{-max(13 * n / top, 1):.1f}h{pitch - 0.8:.1f}V14z"
        for i, n in enumerate(counts)
        if n
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 52 14" width="52" height="14" aria-hidden="true">'
        '<path class="line" d="M0 13.5H52"/><path d="{}"/></svg>'
    ).format(d)
