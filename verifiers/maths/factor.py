"""Are two expressions the same up to a constant factor, as equations and inequalities are?

a = c b with c a nonzero constant says the same as a b(p) = b a(p) for a point p where neither is
0, so the question goes back to `decide`, with exact rational coordinates. For inequalities c must
be positive, which its value at p tells.

Not here: what an equation is (answers.py).
"""

from collections.abc import Iterator

from tracefactory.verifiers.maths.constants import sign_of, symbols
from tracefactory.verifiers.maths.nodes import Node, number
from tracefactory.verifiers.maths.tiers import WORK, Decision, decide, oversized

# Signs and sizes differ, so that most domains hold one of them; small, so that values stay so.
_COORDINATES = ((2, 1), (3, 1), (1, 2), (-1, 1), (5, 1), (-3, 2), (7, 1), (1, 5), (40, 1), (-11, 1))
_MOST_POINTS = 10
_ZERO = number(0)


def same_up_to_factor(a: Node, b: Node, *, positive: bool) -> Decision:
    """Is a = c b for one constant c that is not 0, and above 0 if `positive`?

    When both are 0 everywhere they are; when one is, they are not.
    """
    if oversized(a) or oversized(b):
        return decide(a, b)
    same = decide(a, b)
    if same.equal:
        return same
    names = sorted(symbols(a) | symbols(b))
    for point in _points(len(names)):
        at = dict(zip(names, point, strict=True))
        here, there = _at(a, at), _at(b, at)
        first, second = (decide(value, _ZERO, work=WORK // 8) for value in (here, there))
        if first.equal is None or second.equal is None or _undefined(first) or _undefined(second):
            continue
        if first.equal != second.equal:
            return Decision(False, first.tier, "proved", (("why", "zero of one only"),))
        if first.equal:
            continue
        if positive:
            signs = sign_of(here), sign_of(there)
            if signs[0] is None or signs[1] is None:
                continue
            if signs[0] != signs[1]:
                return Decision(False, "balls", "proved", (("why", "negative factor"),))
        return decide(Node("mul", (a, there)), Node("mul", (b, here)))
    return Decision(None, "balls", "", (("why", "domain"),))


def _undefined(decision: Decision) -> bool:
    return ("why", "undefined") in decision.detail


def _points(dimension: int) -> Iterator[tuple[Node, ...]]:
    """Some points without coordinates in common, as far as there are so many."""
    for shift in range(_MOST_POINTS):
        step = 1 + shift // len(_COORDINATES)
        yield tuple(
            number(*_COORDINATES[(shift + step * place) % len(_COORDINATES)])
            for place in range(dimension)
        )


def _at(node: Node, point: dict[str, Node]) -> Node:
    if node.kind == "symbol":
        return point[str(node.value)]
    if not node.args:
        return node
    return Node(node.kind, tuple([_at(arg, point) for arg in node.args]), node.value)
