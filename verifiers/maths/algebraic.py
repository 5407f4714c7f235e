"""How small an algebraic number can be without being zero.

For a number built from rationals with + - * /, whole powers, roots, i and cosines of rational
multiples of π, a bound from below is read off the expression (Burnikel, Funke, Mehlhorn, Schirra,
Schmitt: A separation bound for real algebraic expressions, ESA 2001). The number is written U/L
with algebraic integers U and L; u and l bound all their conjugates; D bounds the degree of the
field. Then U is zero or |U| >= u^(1-D), for the product of its conjugates is a whole number. A
ball around the number that holds 0 and lies within that bound proves that it is zero.

Logarithms to the base 2 are kept as floats, rounded up by a margin far above their error.
"""

from collections.abc import Sequence
from math import lcm, prod

from flint import fmpq

from tracefactory.verifiers.maths.graph import Graph

_UP = 1 + 1e-9
"""Floats carry 53 bits and there are fewer than 2^15 operations: errors stay below 2^-30."""


def separation_bits(graph: Graph, order: Sequence[int], first: int, second: int) -> int | None:
    """Some b such that the two vertices are equal or at least 2^-b apart; None if not algebraic."""
    sizes: dict[int, tuple[float, float]] = {}
    degrees: list[int] = []
    turns: list[int] = []
    for vertex in order:
        name, args, payload = graph.ops[vertex]
        if name == "rational" and isinstance(payload, fmpq):
            sizes[vertex] = (_log(int(payload.p)), _log(int(payload.q)))
        elif name == "add":
            total = sizes[args[0]]
            for arg in args[1:]:
                total = _sum(total, sizes[arg])
            sizes[vertex] = total
        elif name == "mul":
            sizes[vertex] = (sum(sizes[a][0] for a in args), sum(sizes[a][1] for a in args))
        elif name == "inverse":
            u, low = sizes[args[0]]
            sizes[vertex] = (low, u)
        elif name == "pow" and isinstance(payload, int):
            u, low = sizes[args[0]]
            n = abs(payload)
            if n > 1_000_000:
                return None
            sizes[vertex] = (n * u, n * low) if payload > 0 else (n * low, n * u)
        elif name in ("root", "principal") and isinstance(payload, int):
            # The root of U/L as one of U L^(k-1) over L, or of U over one of U^(k-1) L.
            u, low = sizes[args[0]]
            if u >= low:
                sizes[vertex] = ((u + (payload - 1) * low) / payload, low)
            else:
                sizes[vertex] = (u, ((payload - 1) * u + low) / payload)
            degrees.append(payload)
        elif name == "i":
            sizes[vertex] = (0.0, 0.0)
            turns.append(4)
        elif name == "cospi" and isinstance(payload, fmpq):
            # 2 cos(p π/q) is a sum of two roots of unity of order 2q.
            sizes[vertex] = (1.0, 1.0)
            turns.append(2 * int(payload.q))
        else:
            return None
        if max(sizes[vertex]) > 1e12:
            return None
    a, b = sizes[first], sizes[second]
    u, low = _sum(a, b)
    degree = _field_degree(degrees, turns)
    if degree is None:
        return None
    needed = (max(u, 0.0) * (degree - 1) + max(low, 0.0)) * _UP + 8
    return int(needed) if needed < 1e9 else None


def _log(number: int) -> float:
    """An upper bound for log2 |number|; of 0, that of 1: bounds may always be too large."""
    return float(number.bit_length()) if number.bit_length() > 1 else 0.0


def _sum(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return max(a[0] + b[1], b[0] + a[1]) + 1, a[1] + b[1]


def _field_degree(degrees: list[int], turns: list[int]) -> int | None:
    """All roots of unity lie in one field; every root adds its degree at most."""
    degree = prod(degrees) if len(degrees) <= 40 else 0
    if turns:
        order = lcm(*turns)
        if order > 1_000_000:
            return None
        degree *= _totient(order)
    return degree if 0 < degree < 1_000_000_000 else None


def _totient(number: int) -> int:
    result, left, candidate = number, number, 2
    while candidate * candidate <= left:
        if left % candidate == 0:
            while left % candidate == 0:
                left //= candidate
            result -= result // candidate
        candidate += 1
    return result - result // left if left > 1 else result
