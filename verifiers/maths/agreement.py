"""Compare two vertices of a graph by balls at points: different for certain, or probably equal.

Disjoint balls at one point where both are defined prove a difference. Overlap never proves
anything; it makes equality probable where it is tight, at several points, and at a precision that
exceeds all sizes met on the way by far, so that e^{-5000} is not lost beside 1.

Without the constant i only points count where everything is real; if there are none, complex
values are compared.
"""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from flint import acb, arb

from tracefactory.verifiers.maths.balls import (
    MAX_PRECISION,
    complex_values,
    cost,
    exponent,
    hidden_size,
    precision,
    real_values,
    spread,
    weights,
)
from tracefactory.verifiers.maths.exact import Budget
from tracefactory.verifiers.maths.graph import Graph
from tracefactory.verifiers.maths.points import in_pieces, points, symbols_of, whole_symbols

FIRST_BITS = 64
SURE_BITS = 512
WANTED_POINTS = 5
ENOUGH_POINTS = 3
MOST_POINTS = 120
CAUTION = 6
"""Bits of precision for every bit of the largest size: cos t is 1 but for t², and so on."""

Point = dict[str, arb]


class Seen(NamedTuple):
    """What evaluating at points showed."""

    different: bool
    """Proved: at some point both are defined and their balls are disjoint."""
    points: tuple[Point, ...]
    """Where both are defined and overlap."""
    complex: bool
    """Were complex values compared?"""


class Pair:
    """The two vertices under comparison, and what is needed to evaluate them."""

    def __init__(self, graph: Graph, first: int, second: int, budget: Budget, seed: str) -> None:
        self.graph, self.first, self.second = graph, first, second
        self.budget, self.seed = budget, seed
        self.order = graph.reachable((first, second))
        self.symbols = symbols_of(graph, self.order)
        self.has_i = any(graph.ops[vertex].name == "i" for vertex in self.order)
        self.hidden = hidden_size(graph, self.order)
        self._weights = weights(graph, self.order)

    def values(self, point: Point, bits: int, as_complex: bool) -> dict[int, arb] | dict[int, acb]:
        """The values of all vertices at that precision, charged."""
        self.budget.charge(cost(self._weights, bits))
        with precision(bits):
            if as_complex:
                return complex_values(self.graph, self.order, point, principal=self.has_i)
            return real_values(self.graph, self.order, point)

    def look(self, *, few: bool) -> Seen:
        """Evaluate at a few points, or at many, with few bits."""
        seen = self._look(self.has_i, few)
        if self.has_i or seen.different or seen.points:
            return seen
        return self._look(True, few)

    def _look(self, as_complex: bool, few: bool) -> Seen:
        """Go through `wanted` points, and on until `least` of them are usable."""
        wanted, least = 1, 1
        candidates = iter([Point()])
        if self.symbols:
            whole = whole_symbols(self.graph, self.order)
            candidates = points(self.graph, self.order, whole, self.seed)
            if few:
                wanted = 3
            elif whole or in_pieces(self.graph, self.order):
                wanted, least = 40, 8
            else:
                wanted, least = 12, ENOUGH_POINTS
        usable: list[Point] = []
        for tried, point in enumerate(islice(candidates, MOST_POINTS)):
            if tried >= wanted and len(usable) >= least:
                break
            values = self.values(point, FIRST_BITS, as_complex)
            a, b = values[self.first], values[self.second]
            if not (a.is_finite() and b.is_finite()):
                continue
            if not a.overlaps(b):  # type: ignore[arg-type]
                return Seen(True, (), as_complex)
            usable.append(point)
        return Seen(False, tuple(usable), as_complex)

    def confirm(self, seen: Seen) -> tuple[bool | None, int, int]:
        """Probably equal (True), different for certain (False) or neither; points and bits."""
        chosen = _chosen(seen.points)
        enough = ENOUGH_POINTS if self.symbols else 1
        agreed, most = 0, 0
        for point in chosen:
            equal, bits = self._agree(point, seen.complex)
            most = max(most, bits)
            if equal is False:
                return False, 1, bits
            agreed += bool(equal)
        return True if agreed >= enough and agreed * 2 > len(chosen) else None, agreed, most

    def _agree(self, point: Point, as_complex: bool) -> tuple[bool | None, int]:
        """Do both agree there, tightly, at a precision that the sizes on the way demand?"""
        bits = SURE_BITS
        while True:
            values = self.values(point, bits, as_complex)
            a, b = values[self.first], values[self.second]
            finite = bool(a.is_finite() and b.is_finite())
            if finite and not a.overlaps(b):  # type: ignore[arg-type]
                return False, bits
            sizes = max(spread(values), self.hidden)
            needed = SURE_BITS // 2 + CAUTION * sizes
            if finite and bits >= needed and _tight(a, b, bits, -(sizes + 100)):
                return True, bits
            if bits >= MAX_PRECISION or needed > 4 * MAX_PRECISION:
                return None, bits
            # A difference shows at once when there is one: most need far less caution.
            enough = SURE_BITS // 2 + sizes * 5 // 2
            bits = min(max(2 * bits, enough if bits < enough else needed), MAX_PRECISION)


def _tight(a: arb | acb, b: arb | acb, bits: int, below: int) -> bool:
    with precision(bits):
        difference = a - b
        parts = (difference,) if isinstance(difference, arb) else (difference.real, difference.imag)
        return all(part.is_exact() or exponent(part.rad()) < below for part in parts)


def _chosen(usable: Sequence[Point]) -> Sequence[Point]:
    """A few of them, from the plain ones to the far ones."""
    if len(usable) <= WANTED_POINTS:
        return usable
    step = len(usable) // WANTED_POINTS
    return [usable[place * step] for place in range(WANTED_POINTS)]
