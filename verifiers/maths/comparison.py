"""What a comparison of two answers comes to, and how those of parts make one of the whole."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tracefactory.verifiers.maths.values import decimal_value

_DECIMAL = re.compile(r"[0-9]{0,30}\.?[0-9]{1,30}(?:e-?[0-9]{1,3})?")
MAX_PAIRS = 2500
"""Comparisons of items within one pair of answers."""


class Comparison(NamedTuple):
    """Whether the answer means the reference, and on what grounds."""

    equal: bool | None
    reason: str
    """Short and countable: "equal", "different", "several", "missing_part", "unit", ..."""
    tier: str = "structure"
    certainty: str = "proved"
    """`proved` or `probable`; "" when undecided."""
    detail: dict[str, object] | None = None
    limited_by: str | None = None


EQUAL = Comparison(True, "equal")


def wrong(reason: str) -> Comparison:
    """Not equal by convention: nothing had to be computed."""
    return Comparison(False, reason, "type")


def best(row: Sequence[Comparison]) -> Comparison:
    """The comparison of a row that comes nearest to equal."""
    for wanted in (True, None):
        for cell in row:
            if cell.equal is wanted:
                return cell
    return row[0] if row else wrong("missing_part")


def weakest(parts: Sequence[Comparison]) -> Comparison:
    """What the whole comes to: the grounds of its weakest part."""
    for wanted in (False, None):
        for part in parts:
            if part.equal is wanted:
                return part
    for part in parts:
        if part.certainty == "probable":
            return part
    return next((part for part in parts if part.tier not in ("structure", "exact")), parts[0])


class Budget:
    """How many comparisons of values one pair of answers may still ask for."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_PAIRS

    def spend(self) -> bool:
        """Take one; False when none is left."""
        self.left -= 1
        return self.left >= 0


class Tolerance(NamedTuple):
    """What the task allows: a share of the reference or an absolute difference."""

    size: tuple[int, int]
    relative: bool


def tolerance_of(text: str) -> Tolerance:
    """`0.01` or `1%`.

    Raises:
        ValueError: if it is neither.
    """
    bare = text.strip().removesuffix("%").strip()
    if _DECIMAL.fullmatch(bare) is None:
        raise ValueError(f"tolerance {text!r} is neither a number (0.01) nor a percentage (1%)")
    top, bottom = decimal_value(bare)
    relative = text.strip().endswith("%")
    return Tolerance((top, bottom * 100) if relative else (top, bottom), relative)
