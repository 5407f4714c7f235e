"""An overlap: what a statement or a trace has in common with the nearest item of a benchmark."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Level = Literal["contaminated", "suspect", "near"]
"""`contaminated` rows are dropped, the others kept. `near`: by a model of words alone."""

LEVELS: tuple[Level, ...] = ("contaminated", "suspect", "near")

Rule = Literal["coverage", "digits", "whole", "run", "renumbered", "semantic"]
"""What was found: half of the item; its words and digits; a short item whole; a run of 8 tokens;
its words with other numbers; a near meaning."""


@dataclass(frozen=True, slots=True)
class BenchmarkOverlap:
    """One text beside the nearest item of one benchmark."""

    stage: str
    """Name of the stage in the recipe."""
    problem_id: str
    attempt_id: str | None
    """Whose trace it is; None: the problem's statement."""
    level: Level
    rule: Rule
    benchmark: str
    item: str
    """Its id in the benchmark, or its number."""
    coverage: float | None
    """Share of the item's runs of 8 tokens that stand in the text; None: not measured."""
    masked_coverage: float | None
    """The same of runs of 5 with numbers masked; None: not remarkable, or not measured."""
    longest_match: int | None
    """Tokens of the longest run in common; None: not measured."""
    n_items: int
    """Items of this benchmark that were found in the text; this one is the nearest."""
    similarity: float | None
    """Cosine by a model of words; None: not measured."""


COPY = ": copy of item "
"""In the reason of every row that is dropped as contaminated; before it stands the benchmark."""

OVERLAP_SCHEMA = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("attempt_id", pa.string()),
        pa.field("level", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("benchmark", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("coverage", pa.float32()),
        pa.field("masked_coverage", pa.float32()),
        pa.field("longest_match", pa.int32()),
        pa.field("n_items", pa.int32(), nullable=False),
        pa.field("similarity", pa.float32()),
    ]
)
"""What the stage leaves. A published row has more columns (schemas/traces.py)."""
