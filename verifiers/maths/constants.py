"""Facts about one expression: its symbols, its exact value, its sign, whether it lies in a range.

Comparisons are certified by balls of rising precision; what cannot be certified is None, never a
guess. Never raises.
"""

from flint import arb, fmpq

from tracefactory.verifiers.maths.agreement import Pair
from tracefactory.verifiers.maths.balls import precision
from tracefactory.verifiers.maths.exact import Budget, Spent, Undefined, rational
from tracefactory.verifiers.maths.graph import Graph, Unsupported
from tracefactory.verifiers.maths.nodes import Node, number
from tracefactory.verifiers.maths.tiers import WORK, decide, infinite_sign, oversized

_LADDER = (64, 256, 1024, 4096, 16_384)


def symbols(node: Node) -> frozenset[str]:
    """The names of the variables in a tree; unknown functions are none."""
    names: set[str] = set()
    stack = [node]
    while stack:
        item = stack.pop()
        if item.kind == "symbol":
            names.add(str(item.value))
        stack.extend(item.args)
    return frozenset(names)


def is_constant(node: Node) -> bool:
    """Is it without variables and unknown functions?"""
    stack = [node]
    while stack:
        item = stack.pop()
        if item.kind in ("symbol", "apply"):
            return False
        stack.extend(item.args)
    return True


def rational_value(node: Node) -> tuple[int, int] | None:
    """The exact value of a rational constant, in lowest terms."""
    if oversized(node):
        return None
    budget = Budget(WORK)
    try:
        value = rational(node, budget)
        if value is None:
            graph = Graph(budget)
            value = graph.value(graph.insert(node))
    except (Undefined, Spent, Unsupported, RecursionError):
        return None
    return None if value is None else (int(value.p), int(value.q))


def value_ball(node: Node, bits: int) -> arb | None:
    """A ball around a real constant, computed at that precision; None if there is none."""
    if oversized(node) or not is_constant(node):
        return None
    budget = Budget(WORK)
    try:
        graph = Graph(budget)
        vertex = graph.insert(node)
        return _ball(Pair(graph, vertex, vertex, budget, ()), bits)
    except (Undefined, Spent, Unsupported, RecursionError):
        return None


def _ball(pair: Pair, bits: int) -> arb | None:
    x = None if pair.has_i else pair.values({}, bits, False)[pair.first]
    if isinstance(x, arb) and x.is_finite():
        return x
    z = pair.values({}, bits, True)[pair.first]
    if isinstance(z, arb) or not z.is_finite() or not z.imag.is_zero():
        return None
    return z.real


def compare(a: Node, b: Node) -> int | None:
    """The sign of a - b for real constants, infinity included; None if it cannot be certified."""
    if oversized(a) or oversized(b):
        return None
    first, second = infinite_sign(a), infinite_sign(b)
    if first is None or second is None:
        return None
    if first or second:
        return (first > second) - (first < second) if is_constant(a) and is_constant(b) else None
    one, other = rational_value(a), rational_value(b)
    if one is not None and other is not None:
        x, y = fmpq(*one), fmpq(*other)
        return int(x > y) - int(x < y)
    sign = _sign_of_difference(a, b)
    if sign is None and is_constant(a) and is_constant(b):
        decision = decide(a, b)
        if decision.equal and decision.certainty == "proved" and value_ball(a, 64) is not None:
            return 0
    return sign


def _sign_of_difference(a: Node, b: Node) -> int | None:
    """By disjoint balls, so never 0."""
    if not (is_constant(a) and is_constant(b)):
        return None
    budget = Budget(WORK)
    try:
        graph = Graph(budget)
        first, second = graph.insert(a), graph.insert(b)
        one, other = (Pair(graph, v, v, budget, ()) for v in (first, second))
        for bits in _LADDER:
            x, y = _ball(one, bits), _ball(other, bits)
            if x is None or y is None:
                continue
            if x > y:
                return 1
            if x < y:
                return -1
            with precision(bits):
                if first == second:
                    return None
    except (Undefined, Spent, Unsupported, RecursionError):
        pass
    return None


def sign_of(node: Node) -> int | None:
    """The certified sign of a real constant, of infinity too."""
    return compare(node, number(0))


def within(node: Node, low: tuple[int, int], high: tuple[int, int]) -> bool | None:
    """Does a real constant lie in the closed interval between two fractions?"""
    least, most = compare(node, number(*low)), compare(node, number(*high))
    if least == -1 or most == 1:
        return False
    if least is None or most is None:
        return None
    return True
