"""Are two scalar expressions equal? Proved, probable, or not to be told.

The tiers, cheapest first; the first that can tell decides.

    structure    the same tree
    exact        both are rational numbers, or sums of square roots of them (exact.py, surds.py)
    identity     the same rational function of symbols and of whatever is irrational, proved by
                 normal form; or different modulo a prime (residues.py, identity.py)
    algebraic    closer together than two such numbers can be without being equal (algebraic.py)
    balls        disjoint at a point: different; close at many: probably equal (agreement.py)
    huge         numbers too big to write, by prime powers or by logarithms (huge.py)

Equal means: as real functions, wherever both are defined; as complex ones when i occurs. Every
budget is counted, so the same pair gets the same answer anywhere. Never raises.

Not here: reading text, lists, units, tolerances.
"""

from typing import NamedTuple

from flint import arb

from tracefactory.verifiers.maths.agreement import FIRST_BITS, Pair, Seen
from tracefactory.verifiers.maths.algebraic import separation_bits
from tracefactory.verifiers.maths.balls import MAX_PRECISION, precision, spread
from tracefactory.verifiers.maths.exact import Budget, Spent, Undefined, rational
from tracefactory.verifiers.maths.graph import Graph, Unsupported
from tracefactory.verifiers.maths.huge import compare_huge
from tracefactory.verifiers.maths.identity import normal_forms
from tracefactory.verifiers.maths.nodes import SCALAR, Node
from tracefactory.verifiers.maths.residues import (
    PRIMES,
    arithmetic,
    random_prime,
    residues,
    trusted,
)
from tracefactory.verifiers.maths.surds import surd

WORK = 150_000_000
"""Units of a Budget for one decision: about nanoseconds."""
MAX_NODES = 6_000
MAX_DEPTH = 300
MAX_SEPARATION_BITS = 20_000


class Decision(NamedTuple):
    """Equal, different, or None when no tier could tell."""

    equal: bool | None
    tier: str
    certainty: str
    """proved, probable, or empty when equal is None."""
    detail: tuple[tuple[str, int | str], ...] = ()
    """Small facts: points, bits, why."""


def decide(a: Node, b: Node, *, work: int = WORK) -> Decision:
    """Is the expression b equal to a? Symmetric, and the same on every call."""
    try:
        return _decide(a, b, Budget(work))
    except Spent:
        same = not oversized(a) and not oversized(b) and a == b
        return _proved(True, "structure") if same else _unknown("", "budget")
    except RecursionError:
        return _unknown("", "depth")
    except (ArithmeticError, LookupError, TypeError, ValueError):
        # A malformed tree, or what the library refuses (an exponent beyond a machine word).
        return _unknown("", "error")


_UNDEFINED = (("why", "undefined"),)


def _unknown(tier: str, why: str) -> Decision:
    return Decision(None, tier, "", (("why", why),))


def _proved(equal: bool, tier: str, *detail: tuple[str, int | str]) -> Decision:
    return Decision(equal, tier, "proved", detail)


def _decide(a: Node, b: Node, budget: Budget) -> Decision:
    try:
        decision = _exactly(a, b, budget)
        if decision is not None:
            return decision
        why = oversized(a) or oversized(b)
        if why:
            return _unknown("structure", why)
        infinite = _infinities(a, b)
        if infinite is not None:
            return infinite
        return _generally(a, b, budget)
    except Undefined:
        return _proved(False, "exact", ("why", "undefined"))
    except Unsupported:
        return _unknown("structure", "unsupported")


def oversized(node: Node) -> str:
    """Why a tree cannot be looked at; empty if it can. Without recursion."""
    level, nodes, depth = [node], 0, 0
    while level:
        nodes += len(level)
        depth += 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            return "nodes" if nodes > MAX_NODES else "depth"
        below: list[Node] = []
        for item in level:
            if item[0] not in SCALAR:
                return "unsupported"
            if item[1]:
                below.extend(item[1])
        level = below
    return ""


def _exactly(a: Node, b: Node, budget: Budget) -> Decision | None:
    first = rational(a, budget)
    if first is not None:
        second = rational(b, budget)
        if second is not None:
            return _proved(bool(first == second), "exact")
    one = surd(a, budget) if first is None else {1: first} if first else {}
    # Also when the first is none: that the second is undefined is worth knowing.
    other = surd(b, budget)
    if one is None or other is None:
        return None
    return _proved(one == other, "exact")


def _infinities(a: Node, b: Node) -> Decision | None:
    """Infinity equals itself, and nothing that is finite."""
    first, second = infinite_sign(a), infinite_sign(b)
    if first == 0 and second == 0:
        return None
    if first is None or second is None:
        return _unknown("structure", "infinity")
    return _proved(first == second, "structure")


def infinite_sign(node: Node) -> int | None:
    """1 or -1 for plus and minus infinity, 0 if none occurs, None for anything made of it."""
    sign = 1
    while node.kind == "neg":
        sign, node = -sign, node.args[0]
    if node.kind == "constant" and node.value == "infinity":
        return sign
    stack = [node]
    while stack:
        item = stack.pop()
        if item.kind == "constant" and item.value == "infinity":
            return None
        stack.extend(item.args)
    return 0


def _generally(a: Node, b: Node, budget: Budget) -> Decision:
    graph = Graph(budget)
    first, second = graph.insert(a), graph.insert(b)
    pair = Pair(graph, first, second, budget, (a, b))
    decision = None
    if arithmetic(graph, pair.order):
        decision = _rational_functions(pair)
    if decision is None:
        decision = _functions(pair)
    if decision.equal is None and not pair.symbols:
        huge = compare_huge(a, b, budget)
        if huge is not None:
            return _proved(huge, "huge")
    if decision.equal is None and first == second and decision.detail != _UNDEFINED:
        # Too big to evaluate, or nowhere real: still the same thing.
        return _proved(True, "structure")
    return decision


def _rational_functions(pair: Pair) -> Decision | None:
    """Both are made of symbols and rationals by arithmetic alone."""
    roots = (pair.first, pair.second)
    for place in range(8):
        seed = f"{pair.seed}:{place}"
        prime = PRIMES[place] if place < 2 else random_prime(seed)
        pair.budget.charge(1_000 * len(pair.order))
        both = residues(pair.graph, pair.order, prime, seed, roots)
        if both is None:
            continue
        if both[0] != both[1]:
            return _proved(False, "identity", ("modulus", prime))
        break
    else:
        return _unknown("identity", "undefined")
    if pair.first == pair.second:
        return _proved(True, "structure")
    same = normal_forms(pair.graph, pair.order, roots, pair.budget)
    if same is not None:
        return _proved(same, "identity")
    if not trusted(pair.graph, pair.order):
        return None
    agreed = 0
    for place in range(8, 16):
        seed = f"{pair.seed}:{place}"
        prime = random_prime(seed)
        pair.budget.charge(1_000 * len(pair.order) + 200_000)
        both = residues(pair.graph, pair.order, prime, seed, roots)
        if both is not None and both[0] != both[1]:
            return _proved(False, "identity", ("modulus", prime))
        agreed += both is not None
    if agreed < 5:
        return None
    return Decision(True, "identity", "probable", (("points", agreed), ("bits", 61)))


def _functions(pair: Pair) -> Decision:
    """Anything else: balls to tell apart, a proof of equality if there is one, balls again."""
    seen = pair.look()
    if seen.different:
        return _proved(False, "balls", ("points", 1), ("bits", FIRST_BITS))
    if not seen.points:
        return _unknown("balls", "domain")
    if pair.first == pair.second:
        return _proved(True, "structure")
    same = normal_forms(pair.graph, pair.order, (pair.first, pair.second), pair.budget)
    if same is not None:
        return _proved(same, "identity")
    if pair.symbols:
        seen = pair.look_further(seen)
        if seen.different:
            return _proved(False, "balls", ("points", 1), ("bits", FIRST_BITS))
    if not pair.symbols:
        close = _separated(pair, seen)
        if close is not None:
            return close
    equal, points, bits = pair.confirm(seen)
    if equal is None:
        return _unknown("balls", "overlap")
    certainty = "probable" if equal else "proved"
    return Decision(equal, "balls", certainty, (("points", points), ("bits", bits)))


def _separated(pair: Pair, seen: Seen) -> Decision | None:
    """Equality of algebraic numbers: they are closer than different ones can be."""
    bound = separation_bits(pair.graph, pair.order, pair.first, pair.second)
    if bound is None or bound > MAX_SEPARATION_BITS:
        return None
    bits = max(128, bound + 64)
    while bits <= MAX_PRECISION:
        values = pair.values({}, bits, seen.complex)
        x, y = values[pair.first], values[pair.second]
        if x.is_finite() and y.is_finite():
            with precision(bits):
                size = abs(x - y).abs_upper()
                if not x.overlaps(y):  # type: ignore[arg-type]
                    return _proved(False, "algebraic", ("bits", bits))
                if size < arb(2) ** -bound:
                    return _proved(True, "algebraic", ("bits", bits))
        bits = max(2 * bits, bound + 64 + spread(values))
    return None
