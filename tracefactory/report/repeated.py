"""What repeats another, as dedupe stages found it: for the page. The figures are the manifest's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tracefactory.schemas.manifest import Manifest

GROUPS = 5
"""Of the largest groups, those that the page shows of each kind; the manifest has ten."""


class Group(NamedTuple):
    """Rows that repeat one which stays."""

    what: str
    keeper: str
    rows: int
    examples: str


class Repeated(NamedTuple):
    """The near-duplicates of a release."""

    pairs: tuple[tuple[str, int, int], ...]
    """(how near, problems, traces), the nearest first."""
    groups: tuple[Group, ...]
    threshold: str
    against: tuple[str, ...]


def repeated(manifest: Manifest) -> Repeated | None:
    """All near dedupe stages together; None: there was none."""
    stages = list(manifest.repeats.values())
    if not stages:
        return None
    counts = [_pairs(stages, turn) for turn in ("problems", "traces")]
    names = sorted({*counts[0], *counts[1]}, reverse=True)  # `equal` before any number
    return Repeated(
        tuple((_shown(name), counts[0].get(name, 0), counts[1].get(name, 0)) for name in names),
        tuple(g for turn in ("problems", "traces") for g in _groups(stages, turn)),
        ", ".join(sorted({f"{stage['jaccard']}" for stage in stages})),
        tuple(dict.fromkeys(str(name) for stage in stages for name in stage["against"])),
    )


def _pairs(stages: list[Mapping[str, Any]], turn: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for stage in stages:
        for name, n in stage[turn]["pairs"].items():
            found[str(name)] = found.get(str(name), 0) + int(n)
    return found


def _shown(name: str) -> str:
    return "equal" if name == "equal" else f"{float(name):.2f} to {float(name) + 0.05:.2f}"


def _groups(stages: list[Mapping[str, Any]], turn: str) -> list[Group]:
    found = [
        Group(
            turn,
            str(group["keeper"]),
            int(group["rows"]),
            ", ".join(f"{one['id']} ({one['jaccard']:.2f})" for one in group["examples"]),
        )
        for stage in stages
        for group in stage[turn]["groups"]
    ]
    return sorted(found, key=lambda group: (-group.rows, group.keeper))[:GROUPS]
