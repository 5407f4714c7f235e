r"""Compare two trees as answers: the reference decides the type, the tiers decide its values.

The conventions are those of docs/symbolic.md. A comparison is proved if all its parts are; it is
undecided if one part is and no part is wrong.

Not here: reading text (reading.py), deciding whether two expressions are equal (decide.py).
"""

from collections.abc import Callable, Iterable
from itertools import combinations

from tracefactory.verifiers.maths.amounts import Amounts, shows
from tracefactory.verifiers.maths.comparison import (
    EQUAL,
    Comparison,
    Tolerance,
    best,
    weakest,
    wrong,
)
from tracefactory.verifiers.maths.decide import same_up_to_factor, symbols
from tracefactory.verifiers.maths.matching import are_apart, ball_of, pairing, without_same
from tracefactory.verifiers.maths.naming import (
    by_name,
    elements,
    flat,
    has_sign,
    in_order,
    is_assignments,
    is_constant_value,
    is_function_of,
    is_name_of,
    is_value_of,
    without_name,
)
from tracefactory.verifiers.maths.nodes import Node, call, number, signs_of
from tracefactory.verifiers.maths.sets import NoSet, Pieces, looks_like_a_set, real_set
from tracefactory.verifiers.maths.values import NotAValue, TooLarge, value_of
from tracefactory.verifiers.maths.vectors import as_points
from tracefactory.verifiers.maths.words import plain

MAX_ITEMS = 100
"""Of a list or matrix."""


def compare_answers(
    reference: Node, answer: Node, tolerance: Tolerance | None = None
) -> Comparison:
    """Does the answer mean the reference?"""
    reference, answer = as_points(_unwrapped(reference), _unwrapped(answer))
    return _Comparer(tolerance).answers(reference, answer)


def _unwrapped(node: Node) -> Node:
    r"""Without what says nothing: a bracket of one, the x of `x \\in \\{1, 2\\}`."""
    while node.kind in ("list", "tuple") and len(node.args) == 1:
        node = node.args[0]
    if node.kind == "relation" and node.value == ("in",) and node.args[0].kind == "symbol":
        return node.args[1] if node.args[1].kind == "set" else node
    return node


class _Comparer(Amounts):
    """Compares structure; the values in it as Amounts does."""

    def answers(self, reference: Node, answer: Node) -> Comparison:
        """By the kind of the reference."""
        kind = reference.kind
        if kind in ITEMS or has_sign(reference):
            return self.items(reference, answer)
        if looks_like_a_set(reference):
            return self.sets(reference, answer)
        if kind == "relation":
            return self.equation(reference, answer)
        handler = _BY_KIND.get(kind)
        if handler is not None:
            return handler(self, reference, answer)
        return self.single(reference, answer)

    def every(self, pairs: Iterable[tuple[Node, Node]]) -> Comparison:
        """All pairs agree: the weakest grounds are those of the whole."""
        found = EQUAL
        for one, other in pairs:
            part = self.answers(one, other)
            if part.equal is False:
                return part
            if part.equal is None or found.equal is None:
                found = part if found.equal is not None else found
            elif part.certainty == "probable" or found.tier in ("structure", "exact"):
                found = part
        return found

    def single(self, reference: Node, answer: Node) -> Comparison:
        """The reference is one value or expression."""
        if answer.kind == "relation":
            return self.named(reference, answer)
        if answer.kind == "set" and len(answer.args) == 1:
            answer = answer.args[0]
        if answer.kind == "congruence" and len(answer.args) == 2:
            answer = answer.args[0]
        if answer.kind in ("list", "set", "tuple") or has_sign(answer):
            return wrong("several")
        if answer.kind == "ratio" and len(answer.args) == 2:
            answer = Node("div", answer.args)
        try:
            want = value_of(reference)
        except NotAValue:
            return EQUAL if reference == answer else Comparison(None, "unsupported", "", "")
        try:
            got = value_of(answer)
        except TooLarge:
            return Comparison(None, "too_large", "", "")
        except NotAValue:
            return wrong("other_type")
        return self.values(want, got)

    def named(self, reference: Node, answer: Node) -> Comparison:
        """The answer is an equation: `x = 5`, `x = 3+4 = 7`, `y = 2x+1`."""
        sides, signs = list(answer.args), list(signs_of(answer))
        if any(sign not in ("=", "~") for sign in signs):
            return wrong("other_type")
        if (
            len(sides) == 2
            and not is_name_of(sides[0], sides[1])
            and is_name_of(sides[1], sides[0])
        ):
            sides.reverse()
        if is_value_of(sides[0], sides[1]) and sides[0] != reference:
            del sides[0]
            del signs[0]
            if sides[0].kind in ITEMS and reference.kind not in ITEMS:
                return wrong("several")
        if signs and signs[0] == "~":
            # `\sqrt2 \approx 1.41` says the root; the decimals only show it, if they do.
            if shows(sides[1], sides[0]) is False:
                return wrong("false_equation")
            sides, signs = [*sides[:1], *sides[2:]], signs[1:]
        for k in range(len(sides) - 1):
            link = self.single_values(sides[k], sides[k + 1])
            if signs[k] == "=" and link.equal is not True:
                return link if link.equal is None else wrong("false_equation")
            if signs[k] == "~":
                sides = sides[: k + 1]
                break
        return self.answers(reference, sides[-1])

    def items(self, reference: Node, answer: Node) -> Comparison:
        """Lists, sets and `±`: unordered and complete; points of several coordinates in order."""
        if reference.kind == "tuple":
            return self.tuples(reference, answer)
        want = elements(reference)
        if len(want) == 1 and reference.kind != "set":
            return self.answers(want[0], answer)
        if reference.kind == "set" and not want:
            return self.empty(answer)
        if any(looks_like_a_set(part) for part in want):
            return self.sets(reference, answer)
        if answer.kind == "relation" and set(answer.value or ()) <= {"=", "in"}:
            if answer.args[0].kind == "symbol" and len(answer.args) == 2:
                answer = answer.args[1]
            elif answer.args[0].kind == "tuple" and answer.args[0].value == "()":
                answer = answer.args[-1]
        if answer.kind == "tuple" and not has_sign(answer):
            if is_assignments(want):
                want = by_name(want)
            want, got = without_name(want), without_name(list(answer.args))
            if len(want) != len(got):
                return wrong("other_type")
            return self.every(zip(want, got, strict=True))
        if answer.kind not in ("list", "set") and not has_sign(answer):
            if len(want) > 1:
                return wrong("other_type" if looks_like_a_set(answer) else "missing_part")
            return self.answers(want[0], answer)
        got = elements(answer)
        both_named = is_assignments(want) and is_assignments(got)
        if not both_named:
            want, got = without_name(want), without_name(got)
        if answer.value == "or" and is_assignments(got):
            return wrong("several")
        if is_assignments(want) and not is_assignments(got):
            want = by_name(want)
            return (
                self.every(zip(want, got, strict=True))
                if len(want) == len(got)
                else wrong("missing_part")
            )
        if is_assignments(got) and not is_assignments(want):
            got = [part.args[-1] for part in got]
        collapse = reference.kind == "set" or answer.kind == "set"
        return self.matched(want, got, collapse=collapse)

    def matched(self, want: list[Node], got: list[Node], *, collapse: bool) -> Comparison:
        """A pairing in which all agree (Kuhn's algorithm); in a set, twice the same is once."""
        if max(len(want), len(got)) > MAX_ITEMS:
            return Comparison(None, "budget", "", "")
        if not collapse and len(want) != len(got):
            return wrong("missing_part" if len(got) < len(want) else "several")
        if not collapse:
            want, got = without_same(want, got)
            if not want:
                return EQUAL
        balls = [[ball_of(node) for node in side] for side in (want, got)]
        table = [
            [
                wrong("different")
                if are_apart(ball, rival) or (one.kind == "set") != (other.kind == "set")
                else self.answers(one, other)
                for other, rival in zip(got, balls[1], strict=True)
            ]
            for one, ball in zip(want, balls[0], strict=True)
        ]
        if collapse:
            rows = [best(row) for row in table]
            columns = [best([row[k] for row in table]) for k in range(len(got))]
            return weakest(rows + columns)
        found = pairing([[cell.equal is True for cell in row] for row in table])
        if found is not None:
            return weakest([table[k][at] for k, at in enumerate(found)])
        if pairing([[cell.equal is not False for cell in row] for row in table]) is not None:
            return Comparison(None, "undecided", "", "")
        bad = next((best(row) for row in table if best(row).equal is False), wrong("different"))
        return bad._replace(reason="different")

    def tuples(self, reference: Node, answer: Node) -> Comparison:
        """Points and vectors: in order."""
        if (
            looks_like_a_set(reference)
            or answer.kind in ("interval", "union")
            or (answer.kind == "relation" and looks_like_a_set(answer))
        ):
            return self.sets(reference, answer)
        if answer.kind == "relation" and set(answer.value or ()) == {"="}:
            head = answer.args[0]
            if head.kind not in ("tuple", "symbol", "apply"):
                return wrong("other_type")
            answer = in_order(head, answer.args[-1])
        if answer.kind == "matrix":
            return self.columns(reference, answer)
        if answer.kind == "list" and answer.value != "or":
            got = list(answer.args)
            if is_assignments(got):
                got = by_name(got)
        elif answer.kind == "tuple":
            got = list(answer.args)
        else:
            return wrong("other_type")
        if len(got) != len(reference.args):
            return wrong("missing_part" if len(got) < len(reference.args) else "several")
        return self.every(zip(reference.args, got, strict=True))

    def columns(self, reference: Node, answer: Node) -> Comparison:
        """One is a point, the other a matrix of one column."""
        shape = reference.value if reference.kind == "matrix" else answer.value
        if shape != (max(len(reference.args), len(answer.args)), 1):
            return wrong("shape")
        if len(reference.args) != len(answer.args):
            return wrong("shape")
        return self.every(zip(reference.args, answer.args, strict=True))

    def matrices(self, reference: Node, answer: Node) -> Comparison:
        if answer.kind == "relation" and answer.value == ("=",) and answer.args[0].kind == "symbol":
            answer = answer.args[1]
        if answer.kind == "tuple" or (answer.kind == "interval" and answer.value == "[]"):
            return self.columns(reference, answer)
        if answer.kind != "matrix":
            return wrong("other_type")
        if answer.value != reference.value:
            return wrong("shape")
        return self.every(zip(reference.args, answer.args, strict=True))

    def ratios(self, reference: Node, answer: Node) -> Comparison:
        """Equal up to a factor."""
        if answer.kind == "relation":
            answer = answer.args[-1]
        if answer.kind != "ratio":
            if len(reference.args) == 2:
                return self.single(Node("div", reference.args), answer)
            return wrong("other_type")
        if len(answer.args) != len(reference.args):
            return wrong("missing_part")
        one, other = reference.args, answer.args
        zeros = [[part == number(0) for part in side] for side in (one, other)]
        if zeros[0] != zeros[1] or all(zeros[0]):
            return wrong("different")
        if one == other:
            return EQUAL
        return self.every(
            (Node("mul", (one[j], other[k])), Node("mul", (one[k], other[j])))
            for j, k in combinations(range(len(one)), 2)
        )

    def congruences(self, reference: Node, answer: Node) -> Comparison:
        """The same class: equal moduli, and remainders that differ by a multiple."""
        if answer.kind != "congruence":
            if len(reference.args) == 3:
                return wrong("other_type")
            return self.single(reference.args[-2], answer)
        if len(reference.args) == len(answer.args) == 3 and reference.args[0] != answer.args[0]:
            return wrong("other_name")
        modulus = self.answers(reference.args[-1], answer.args[-1])
        if modulus.equal is not True:
            return modulus
        sides = Node("add", (reference.args[-2], Node("neg", (answer.args[-2],))))
        return self.single_values(number(0), call("mod", sides, reference.args[-1]))

    def empty(self, answer: Node) -> Comparison:
        if answer.kind == "set" and not answer.args:
            return EQUAL
        return wrong("other_type")

    def words(self, reference: Node, answer: Node) -> Comparison:
        if answer.kind == "text" and plain(str(answer.value)) == plain(str(reference.value)):
            return Comparison(True, "equal", "text")
        return wrong("different")

    def equation(self, reference: Node, answer: Node) -> Comparison:
        """`y = 2x+1`: a value with its name, or up to a constant factor."""
        sides, signs = reference.args, signs_of(reference)
        if signs[-1] == "~":  # either what it is or its decimals
            *exacts, decimals = sides
            exact = Node("relation", tuple(exacts), signs[:-1]) if len(exacts) > 1 else exacts[0]
            shown = Node("approx", (decimals,))
            either = self.answers(exact, answer)
            return either if either.equal else self.answers(shown, answer)
        if len(sides) != 2:
            return self.chain(reference, answer)
        left, right = sides
        if not is_name_of(left, right) and is_name_of(right, left):
            left, right = right, left
        named = is_name_of(left, right)
        if left.kind == "tuple":
            named = True
            right = in_order(left, right)
            if answer.kind == "relation" and answer.args[0].kind == "tuple":
                if set(answer.args[0].args) != set(left.args):
                    return wrong("other_name")
                answer = in_order(answer.args[0], answer.args[-1])
        if answer.kind != "relation":
            if answer.kind in ("list", "tuple") and left.kind == "tuple":
                return self.answers(right, answer)
            return self.answers(right, answer) if named else wrong("other_type")
        if set(answer.value or ()) - {"=", "~"}:
            return wrong("other_type")
        if named:
            found = self.same_name(left, right, answer)
            if found is not None:
                return found
        if len(answer.args) != 2:
            return wrong("other_type")
        return self.factor(Node("relation", (left, right), ("=",)), answer, positive=False)

    def same_name(self, left: Node, right: Node, answer: Node) -> Comparison | None:
        """Both give the same name a value; None if that does not settle it."""
        sides = answer.args
        if len(sides) == 2 and is_function_of(sides[0], left, sides[1]):
            sides = (left, sides[1])
        if sides[0] != left and len(sides) == 2 and sides[1] == left:
            sides = (sides[1], sides[0])
        if sides[0] != left:
            if (
                is_constant_value(right)
                and is_name_of(sides[0], sides[1])
                and is_constant_value(sides[1])
            ):
                return wrong("other_name")
            return None
        found = self.named(right, Node("relation", sides, answer.value))
        if found.equal or found.equal is None or len(sides) != 2 or is_constant_value(right):
            return found
        return None

    def chain(self, reference: Node, answer: Node) -> Comparison:
        """`f(2) < f(1) < f(4)`, `a = b = c`: side by side, or the whole turned around."""
        if (
            reference.value
            and set(reference.value) == {"="}
            and is_name_of(reference.args[0], reference.args[-1])
        ):
            return self.answers(
                Node("relation", (reference.args[0], reference.args[-1]), ("=",)), answer
            )
        if answer.kind != "relation" or len(answer.args) != len(reference.args):
            return wrong("other_type")
        sides, signs = answer.args, signs_of(answer)
        if signs != reference.value:
            sides, signs = (
                sides[::-1],
                tuple(FLIPPED.get(str(sign), str(sign)) for sign in signs[::-1]),
            )
        if signs != reference.value:
            return wrong("different")
        return self.every(zip(reference.args, sides, strict=True))

    def factor(self, reference: Node, answer: Node, *, positive: bool) -> Comparison:
        """`left - right` up to a constant factor."""
        if not self.budget.spend():
            return Comparison(None, "budget", "", "")
        try:
            one, other = (difference(node) for node in (reference, answer))
        except NotAValue:
            return wrong("other_type")
        if symbols(one) != symbols(other):
            return wrong("other_name")
        if not symbols(one):
            return self.every(zip(reference.args, answer.args, strict=True))
        found = same_up_to_factor(one, other, positive=positive)
        if found.equal is None:
            return Comparison(None, "undecided", found.tier, "")
        reason = "equal" if found.equal else "different"
        return Comparison(
            found.equal, reason, found.tier, found.certainty, dict(found.detail or {})
        )

    def sets(self, reference: Node, answer: Node) -> Comparison:
        """Intervals, unions and inequalities as sets of real numbers."""
        try:
            want, name = real_set(reference)
        except NoSet:
            return self.relations(reference, answer)
        if answer.kind == "relation" and answer.value == ("=",) and len(answer.args) == 2:
            right = answer.args[1]
            answer = right if looks_like_a_set(right) or right.kind in ("set", "tuple") else answer
        try:
            got, other = real_set(answer)
        except NoSet:
            return self.relations(reference, answer)
        if name is not None and other is not None and name != other:
            return wrong("other_name")
        if not looks_like_a_set(answer) and answer.kind == "list":
            return wrong("other_type")
        return self.pieces(want, got)

    def pieces(self, want: Pieces, got: Pieces) -> Comparison:
        if len(want) != len(got):
            return wrong("different")
        pairs = []
        for one, other in zip(want, got, strict=True):
            if (one.low_closed, one.high_closed) != (other.low_closed, other.high_closed):
                return wrong("bounds")
            pairs += [(one.low, other.low), (one.high, other.high)]
        return self.every(pairs)

    def relations(self, reference: Node, answer: Node) -> Comparison:
        """Sets whose ends have no order (`(-a, a)`), inequalities in several variables."""
        if reference.kind == answer.kind == "relation":
            return self.inequality(reference, answer)
        if reference.kind in ("interval", "tuple") and answer.kind in ("interval", "tuple"):
            ends = [node.value if node.kind == "interval" else "()" for node in (reference, answer)]
            if ends[0] != ends[1] or len(reference.args) != len(answer.args):
                return wrong("bounds")
            return self.every(zip(reference.args, answer.args, strict=True))
        if reference.kind == answer.kind and reference.kind in ("union", "list", "intersection"):
            return self.matched(flat(reference), flat(answer), collapse=False)
        if reference.kind == answer.kind == "named_set":
            return EQUAL if reference.value == answer.value else wrong("different")
        if reference.kind == answer.kind and reference.kind == "difference":
            return self.every(zip(reference.args, answer.args, strict=True))
        return wrong("other_type")

    def inequality(self, reference: Node, answer: Node) -> Comparison:
        if len(reference.args) != 2 or len(answer.args) != 2:
            return self.chain(reference, answer)
        (sign,), (other,) = signs_of(reference), signs_of(answer)
        if "in" in (sign, other):
            if sign != other:
                return wrong("other_type")
            return self.every(zip(reference.args, answer.args, strict=True))
        if sign[0] == ">":
            reference, sign = (
                Node("relation", reference.args[::-1], (FLIPPED[sign],)),
                FLIPPED[sign],
            )
        if other[0] == ">":
            answer, other = Node("relation", answer.args[::-1], (FLIPPED[other],)), FLIPPED[other]
        if sign != other:
            return wrong("bounds" if sign[0] == other[0] else "different")
        return self.factor(reference, answer, positive=sign != "!=")


ITEMS = ("list", "set", "tuple")
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_BY_KIND: dict[str, Callable[[_Comparer, Node, Node], Comparison]] = {
    "matrix": _Comparer.matrices,
    "ratio": _Comparer.ratios,
    "congruence": _Comparer.congruences,
    "text": _Comparer.words,
}


def difference(node: Node) -> Node:
    """Left minus right."""
    left, right = (value_of(part).node for part in node.args)
    return Node("add", (left, Node("neg", (right,))))
