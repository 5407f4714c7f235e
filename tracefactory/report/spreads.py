"""Distributions of kept and rejected rows, and what became of each group of attempts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from tracefactory.report.charts import Series, bar, histogram
from tracefactory.report.checks import Release
from tracefactory.report.texts import NOT_MEASURED
from tracefactory.schemas.manifest import LENGTH_EDGES, RATE_EDGES, Spread, Stats

GROUPS = 12
"""Groups named in one table; the rest are one line."""


class Chart(NamedTuple):
    """A histogram, its numbers, and what it is over; no drawing where nobody measured."""

    title: str
    drawing: Markup | None
    instead: str
    """Why there is no drawing."""
    heads: tuple[str, ...]
    summary: tuple[tuple[str, tuple[str, ...]], ...]
    """(group of rows, its figures under the heads)."""
    edges: tuple[str, ...]
    series: tuple[Series, ...]


class Group(NamedTuple):
    """Attempts of one kind: how many were kept."""

    name: str
    kept: int
    rejected: int
    drawing: Markup


class Grouping(NamedTuple):
    """A table of groups."""

    title: str
    groups: tuple[Group, ...]
    more: int
    """Groups left out, the smallest."""


def _edge(value: int) -> str:
    return f"{value // 1024}k" if value >= 1024 else str(value)


def charts(release: Release) -> list[Chart]:
    """Lengths in tokens and characters, and pass rates."""
    sft, rejected = release.stats("sft"), release.stats("rejected")
    fields = {
        "Reasoning, tokens": (sft.reasoning_tokens, rejected.reasoning_tokens),
        "Answer, tokens": (sft.answer_tokens, rejected.answer_tokens),
        "Prompt, tokens": (sft.prompt_tokens, rejected.prompt_tokens),
        "Reasoning, characters": (sft.reasoning_chars, rejected.reasoning_chars),
        "Answer, characters": (sft.answer_chars, rejected.answer_chars),
    }
    # One scale for all lengths, as far as any of them goes: charts side by side are compared.
    bins = max((_used(spread) for pair in fields.values() for spread in pair), default=0)
    edges = tuple(_edge(edge) for edge in LENGTH_EDGES[: max(bins, 6)])
    found = [_lengths(title, pair, edges) for title, pair in fields.items()]
    return sorted([*found, _rates(release)], key=lambda chart: chart.drawing is None)


def _used(spread: Spread) -> int:
    return max((i + 1 for i, n in enumerate(spread.histogram) if n), default=0)


def _lengths(title: str, pair: tuple[Spread, Spread], edges: tuple[str, ...]) -> Chart:
    groups = {"kept": pair[0], "rejected": pair[1]}
    measured = {name: spread for name, spread in groups.items() if spread.n}
    series = tuple(
        Series(name, name, spread.histogram[: len(edges)]) for name, spread in measured.items()
    )
    unit = title.rpartition(", ")[2]
    key = title.lower().replace(", ", "-")
    instead = NOT_MEASURED if not measured else "0 in every row"
    some = any(spread.max for spread in measured.values())
    return Chart(
        title,
        histogram(key, title, edges, unit, series) if some else None,
        instead,
        ("mean", "median in", "range"),
        tuple((name, _cells(spread)) for name, spread in measured.items()),
        edges,
        series,
    )


def _cells(spread: Spread) -> tuple[str, ...]:
    mean = f"{spread.sum / spread.n:,.0f}"
    return mean, _middle(spread), f"{spread.min or 0:,}–{spread.max or 0:,}"


def _middle(spread: Spread) -> str:
    """The bin with the median: a histogram with fixed edges knows it no closer."""
    below = 0
    for i, n in enumerate(spread.histogram):
        below += n
        if 2 * below >= spread.n:
            last = i + 1 == len(LENGTH_EDGES)
            return f"{LENGTH_EDGES[i]:,}" + ("+" if last else f"–{LENGTH_EDGES[i + 1]:,}")
    return "–"


def _rates(release: Release) -> Chart:
    """Pass rates of problems, by `rl`; without that view, nobody counted problems by rate."""
    problems = release.stats("rl")
    edges = tuple(f"{100 * edge:.3g}" for edge in RATE_EDGES)
    series = (Series("problems", "neutral", problems.pass_rates),)
    title = "Pass rate of problems, %"
    rated = sum(problems.pass_rates)
    counts = (problems.pass_rates[-1], problems.pass_rates[0], problems.unrated)
    return Chart(
        title,
        histogram("pass-rate", title, edges, "% of attempts correct", series) if rated else None,
        NOT_MEASURED,
        ("at 100 %", "under 12.5 %", "unrated"),
        (("problems", tuple(f"{n:,}" for n in counts)),),
        edges,
        series,
    )


def groupings(release: Release) -> list[Grouping]:
    """What became of attempts, by teacher, kind of task, domain and source."""
    sft, rejected = release.stats("sft"), release.stats("rejected")

    def of(stats: Stats, field: str) -> Mapping[str, int]:
        found: Mapping[str, int] = getattr(stats, field)
        return found

    return [
        _grouping(title, of(sft, field), of(rejected, field))
        for title, field in (
            ("Teacher", "teachers"),
            ("Kind of task", "task_types"),
            ("Domain", "domains"),
            ("Source", "sources"),
            ("Licence", "licenses"),
        )
    ]


def _grouping(title: str, kept: Mapping[str, int], rejected: Mapping[str, int]) -> Grouping:
    names = sorted({*kept, *rejected}, key=lambda name: (-_both(name, kept, rejected), name))
    widest = max((_both(name, kept, rejected) for name in names), default=0)
    groups = tuple(_group(name, kept, rejected, widest) for name in names[:GROUPS])
    return Grouping(title, groups, len(names) - len(groups))


def _both(name: str, kept: Mapping[str, int], rejected: Mapping[str, int]) -> int:
    return kept.get(name, 0) + rejected.get(name, 0)


def _group(name: str, kept: Mapping[str, int], rejected: Mapping[str, int], widest: int) -> Group:
    parts: Sequence[tuple[str, int]] = (
        ("kept", kept.get(name, 0)),
        ("rejected", rejected.get(name, 0)),
    )
    return Group(name, parts[0][1], parts[1][1], bar(parts, widest))
