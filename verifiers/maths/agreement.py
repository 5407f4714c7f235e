"""Compare two vertices of a graph by balls at points: different for certain, or probably equal.

Disjoint balls at one point where both are defined prove a difference. Overlap never proves
anything; it makes equality probable where it is tight, at several points, and at a precision that
exceeds all sizes met on the way by far, so that e^{-5000} is not lost beside 1.

Without the constant i only points count where everything is real; if there are none, complex
values are compared.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
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
from tracefactory.verifiers.maths.nodes import Node
from tracefactory.verifiers.maths.points import (
    fingerprint,
    in_pieces,
    points,
    symbols_of,
    whole_symbols,
)

FIRST_BITS = 64
SURE_BITS = 512
WANTED_POINTS = 5
ENOUGH_POINTS = 3
FEW_POINTS = 3
SMOOTH_POINTS = (8, ENOUGH_POINTS)
PIECEWISE_POINTS = (40, 8)
"""So many are tried, and so many have to be usable before it ends."""
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

    def __init__(
        self, graph: Graph, first: int, second: int, budget: Budget, trees: tuple[Node, ...]
    ) -> None:
        self.graph, self.first, self.second = graph, first, second
        self.budget, self._trees = budget, trees
        self.order = graph.reachable((first, second))
        self.symbols = symbols_of(graph, self.order)
        self.has_i = any(graph.ops[vertex].name == "i" for vertex in self.order)
        self.hidden = hidden_size(graph, self.order)
        self._weights = weights(graph, self.order)
        self._tried = 0
        self._candidates: Iterator[Point] = iter(())

    @cached_property
    def seed(self) -> str:
        """Of all random choices: the same for the same two trees, in either order."""
        return "".join(sorted(map(fingerprint, self._trees)))

    def values(self, point: Point, bits: int, as_complex: bool) -> dict[int, arb] | dict[int, acb]:
        """The values of all vertices at that precision, charged."""
        self.budget.charge(cost(self._weights, bits))
        with precision(bits):
            if as_complex:
                return complex_values(self.graph, self.order, point, principal=self.has_i)
            return real_values(self.graph, self.order, point)

    def look(self) -> Seen:
        """Evaluate at a few points with few bits."""
        wanted = FEW_POINTS if self.symbols else 1
        seen = self._look(Seen(False, (), self.has_i), wanted, 1)
        if self.has_i or seen.different or seen.points:
            return seen
        self._tried = 0
        return self._look(Seen(False, (), complex=True), wanted, 1)

    def look_further(self, seen: Seen) -> Seen:
        """Go on from there, to as many points as the expressions ask for."""
        if whole_symbols(self.graph, self.order) or in_pieces(self.graph, self.order):
            return self._look(seen, *PIECEWISE_POINTS)
        return self._look(seen, *SMOOTH_POINTS)

    def _look(self, seen: Seen, wanted: int, least: int) -> Seen:
        """Go through `wanted` points, and on until `least` of them are usable."""
        if not self._tried:
            self._candidates = iter([Point()])
            if self.symbols:
                whole = whole_symbols(self.graph, self.order)
                self._candidates = points(self.graph, self.order, whole, self.seed)
        usable = list(seen.points)
        while self._tried < MOST_POINTS and (self._tried < wanted or len(usable) < least):
            point = next(self._candidates, None)
            if point is None:
                break
            self._tried += 1
            values = self.values(point, FIRST_BITS, seen.complex)
            a, b = values[self.first], values[self.second]
            if not (a.is_finite() and b.is_finite()):
                continue
            if not a.overlaps(b):  # type: ignore[arg-type]
                return Seen(True, (), seen.complex)
            usable.append(point)
        return Seen(False, tuple(usable), seen.complex)

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
