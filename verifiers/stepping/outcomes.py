"""How a step can come out, and what is kept of one.

Not here: finding steps (lines.py, formulas.py) and deciding them (lines.py, algebra.py).
"""

from typing import NamedTuple

TRUE, ROUNDED, REPAIRED, FALSE, UNCHECKABLE = range(5)
OUTCOMES = ("true", "rounded", "repaired", "false", "uncheckable")
"""The names by those numbers. The worst link of a calculator mark is the one that counts."""

MAX_SHOWN = 80
"""Characters of a false step in the evidence."""


class Step(NamedTuple):
    """One step of a response."""

    at: int
    """Where its relation stands in the text, or the mark begins."""
    kind: str
    """mark, equation, congruence or algebra."""
    outcome: int
    key: str
    """What a `Recheck:` line must restate; empty unless the step is false or on such a line."""
    text: str
    is_doubted: bool = False
    """Read and not right, but its words or notation leave doubt; nobody need look again."""
