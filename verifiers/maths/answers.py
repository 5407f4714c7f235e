r"""Compare two trees as answers: the reference decides the type, the tiers decide its values.

The conventions are those of docs/symbolic.md. A comparison is proved if all its parts are; it is
undecided if one part is and no part is wrong.

Not here: reading text (reading.py), deciding whether two expressions are equal (decide.py).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tracefactory.verifiers.maths import cas
from tracefactory.verifiers.maths.decide import decide, same_up_to_factor, symbols, within
from tracefactory.verifiers.maths.nodes import Node, constant, number
from tracefactory.verifiers.maths.sets import NoSet, Pieces, looks_like_a_set, real_set
from tracefactory.verifiers.maths.units import same_dimension
from tracefactory.verifiers.maths.values import (
    NotAValue,
    Value,
    decimal_value,
    lowered,
    rescaled,
    value_of,
)
from tracefactory.verifiers.maths.words import plain

MAX_ITEMS = 100
"""Of a list or matrix."""
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


class Tolerance(NamedTuple):
    """What the task allows: a share of the reference or an absolute difference."""

    size: tuple[int, int]
    relative: bool


class Budget:
    """How many comparisons of values one pair of answers may still ask for."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_PAIRS

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def wrong(reason: str) -> Comparison:
    """Not equal by convention: nothing had to be computed."""
    return Comparison(False, reason, "type")


def compare_answers(
    reference: Node, answer: Node, tolerance: Tolerance | None = None
) -> Comparison:
    """Does the answer mean the reference?"""
    return _Comparer(tolerance).answers(_unwrapped(reference), _unwrapped(answer))


def _unwrapped(node: Node) -> Node:
    """Without what says nothing: a bracket of one, a set of one list."""
    while node.kind in ("list", "tuple") and len(node.args) == 1:
        node = node.args[0]
    return node


def expanded(node: Node) -> list[Node]:
    """The values that `±` stands for; the node alone if it holds none.

    Several `±` go together, and `∓` against them.
    """
    if not _has_sign(node):
        return [node]
    return [_with_sign(node, "+"), _with_sign(node, "-")]


def _has_sign(node: Node) -> bool:
    return node.kind == "plusminus" or any(map(_has_sign, node.args))


def _with_sign(node: Node, sign: str) -> Node:
    if not node.args:
        return node
    args = tuple(_with_sign(part, sign) for part in node.args)
    if node.kind != "plusminus":
        return Node(node.kind, args, node.value)
    last = args[-1] if node.value == sign else Node("neg", args[-1:])
    return last if len(args) == 1 else Node("add", (args[0], last))


class _Comparer:
    def __init__(self, tolerance: Tolerance | None) -> None:
        self.tolerance = tolerance
        self.budget = Budget()

    # Which kinds meet.

    def answers(self, reference: Node, answer: Node) -> Comparison:
        if not self.budget.spend():
            return Comparison(None, "budget", "", "")
        kind = reference.kind
        if kind in _ITEMS or _has_sign(reference):
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

    # One value.

    def single(self, reference: Node, answer: Node) -> Comparison:
        """The reference is one value or expression."""
        if answer.kind == "relation":
            return self.named(reference, answer)
        if answer.kind == "set" and len(answer.args) == 1:
            answer = answer.args[0]
        if answer.kind in ("list", "set", "tuple") or _has_sign(answer):
            return wrong("several")
        if answer.kind == "ratio" and len(answer.args) == 2:
            answer = Node("div", answer.args)
        try:
            want = value_of(reference)
        except NotAValue:
            return Comparison(None, "unsupported", "", "")
        try:
            got = value_of(answer)
        except NotAValue:
            return wrong("other_type")
        return self.values(want, got)

    def named(self, reference: Node, answer: Node) -> Comparison:
        """The answer is an equation: `x = 5`, `x = 3+4 = 7`, `y = 2x+1`."""
        sides, signs = list(answer.args), list(answer.value or ())
        if any(sign not in ("=", "~") for sign in signs):
            return wrong("other_type")
        if len(sides) == 2 and not _names(sides[0], sides[1]) and _names(sides[1], sides[0]):
            sides.reverse()
        if _names(sides[0], sides[1]) and sides[0] != reference:
            del sides[0]
            del signs[0]
            if sides[0].kind in _ITEMS:
                return wrong("several")
        if signs and signs[0] == "~":
            # `\sqrt2 \approx 1.41` says the root; the decimals only show it.
            sides, signs = [*sides[:1], *sides[2:]], signs[1:]
        for k in range(len(sides) - 1):
            link = self.single_values(sides[k], sides[k + 1])
            if signs[k] == "=" and link.equal is not True:
                return link if link.equal is None else wrong("false_equation")
            if signs[k] == "~":
                sides = sides[: k + 1]
                break
        return self.answers(reference, sides[-1])

    def single_values(self, one: Node, other: Node) -> Comparison:
        try:
            return self.values(value_of(one), value_of(other))
        except NotAValue:
            return wrong("other_type")

    def values(self, want: Value, got: Value) -> Comparison:
        """Units first, then the numbers."""
        if want.based or got.based:
            return self.based(want, got)
        if want.percent or got.percent:
            return self.percents(want, got)
        if want.degrees or got.degrees:
            return self.angles(want, got)
        if want.unit is not None and got.unit is not None:
            if not same_dimension(want.unit, got.unit):
                return wrong("unit")
            scaled = rescaled(got.node, got.unit, want.unit)
            if scaled is None:
                return wrong("unit")
            return self.numbers(want, scaled)
        return self.numbers(want, got.node)

    def based(self, want: Value, got: Value) -> Comparison:
        """With its base a number is its value; without, its digits."""
        if want.based and not got.based:
            digits = want.based.rpartition("_")[0]
            if _digits(got.node):
                return EQUAL if _digits(got.node) == digits else wrong("base")
        return self.numbers(want, got.node)

    def percents(self, want: Value, got: Value) -> Comparison:
        hundredth = number(1, 100)
        if want.percent and got.percent:
            return self.numbers(want, got.node)
        if want.percent:  # 25%: 0.25 and, the sign missing, 25
            if got.unit is not None or got.degrees:
                return wrong("unit")
            found = self.numbers(want, got.node)
            if found.equal:
                return found
            return self.numbers(want._replace(half=None), Node("mul", (got.node, number(100))))
        if want.unit is not None or want.degrees:
            return wrong("unit")
        found = self.numbers(want, Node("mul", (got.node, hundredth)))
        size = _rational(want.node)
        if found.equal or size is None or abs(size[0]) <= size[1]:
            return found
        return self.numbers(want, got.node)  # 25, asked for in percent

    def angles(self, want: Value, got: Value) -> Comparison:
        for one in (want, got):
            if one.unit is not None and one.unit.kind not in ("angle", "generic", "temperature"):
                return wrong("unit")
        if want.degrees and got.degrees:
            return self.numbers(want, got.node)
        if want.degrees:
            if got.unit is None:
                found = self.numbers(want, got.node)
                if found.equal:
                    return found
            elif got.unit.kind != "angle":
                return (
                    self.numbers(want, got.node)
                    if got.unit.kind == "temperature"
                    else wrong("unit")
                )
            return self.numbers(
                want._replace(half=None), lowered(got.node), Node("degrees", (want.node,))
            )
        radians = lowered(Node("degrees", (got.node,)))
        if want.unit is not None and want.unit.kind == "temperature":
            return self.numbers(want, got.node)
        found = self.numbers(want, radians)
        if found.equal or want.unit is not None or _holds_pi(want.node):
            return found
        return self.numbers(want, got.node)

    def numbers(self, want: Value, got: Node, instead: Node | None = None) -> Comparison:
        """Two scalar trees; within the tolerance, if there is one."""
        node = want.node if instead is None else lowered(instead)
        if not self.budget.spend():
            return Comparison(None, "budget", "", "")
        if self.tolerance is not None or want.half is not None:
            inside = self.tolerated(want, node, got)
            if inside is not None:
                return inside
        found = decide(node, got)
        if found.equal is None:
            return _asked(node, got, found.tier)
        return Comparison(
            found.equal,
            "equal" if found.equal else "different",
            found.tier,
            found.certainty,
            dict(found.detail or {}),
        )

    def tolerated(self, want: Value, node: Node, got: Node) -> Comparison | None:
        """Within the tolerance; None when there is none to speak of."""
        if symbols(got) or symbols(node):
            return None
        center = _rational(node)
        if center is None:
            return None
        top, bottom = center
        if self.tolerance is not None:
            (a, b), relative = self.tolerance
            half = (abs(top) * a, bottom * b) if relative else (a, b)
        elif want.half is not None:
            half = want.half
        low = (top * half[1] - half[0] * bottom, bottom * half[1])
        high = (top * half[1] + half[0] * bottom, bottom * half[1])
        found = within(got, low, high)
        if found is None:
            return Comparison(None, "undecided", "balls", "")
        if found and self.tolerance is None:
            # Half away from zero: 3.135 rounds to 3.14, and 3.145 does not.
            edge = high if top >= 0 else low
            exact = _rational(got)
            if exact is not None and exact[0] * edge[1] == edge[0] * exact[1]:
                found = False
        return Comparison(found, "within" if found else "different", "tolerance", "proved")

    # Several values.

    def items(self, reference: Node, answer: Node) -> Comparison:
        """Lists, sets and `±`: unordered and complete; points of several coordinates in order."""
        if reference.kind == "tuple":
            return self.tuples(reference, answer)
        want = _elements(reference)
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
        if answer.kind == "tuple":
            if _is_assignments(want):
                want = [part.args[-1] for part in want]
            want, got = _bare(want), _bare(list(answer.args))
            if len(want) != len(got):
                return wrong("other_type")
            return self.every(zip(want, got, strict=True))
        if answer.kind not in ("list", "set") and not _has_sign(answer):
            if len(want) > 1:
                return wrong("other_type" if looks_like_a_set(answer) else "missing_part")
            return self.answers(want[0], answer)
        got = _elements(answer)
        both_named = _is_assignments(want) and _is_assignments(got)
        if not both_named:
            want, got = _bare(want), _bare(got)
        if _is_assignments(want) and not _is_assignments(got):
            want = [part.args[-1] for part in want]
            return (
                self.every(zip(want, got, strict=True))
                if len(want) == len(got)
                else wrong("missing_part")
            )
        if _is_assignments(got) and not _is_assignments(want):
            got = [part.args[-1] for part in got]
        collapse = reference.kind == "set" or answer.kind == "set"
        return self.matched(want, got, collapse=collapse)

    def matched(self, want: list[Node], got: list[Node], *, collapse: bool) -> Comparison:
        """A pairing in which all agree (Kuhn's algorithm); in a set, twice the same is once."""
        if max(len(want), len(got)) > MAX_ITEMS:
            return Comparison(None, "budget", "", "")
        if not collapse and len(want) != len(got):
            return wrong("missing_part" if len(got) < len(want) else "several")
        table = [[self.answers(one, other) for other in got] for one in want]
        if collapse:
            rows = [_best(row) for row in table]
            columns = [_best([row[k] for row in table]) for k in range(len(got))]
            return _weakest(rows + columns)
        pairing = _pairing([[cell.equal is True for cell in row] for row in table])
        if pairing is not None:
            return _weakest([table[k][at] for k, at in enumerate(pairing)])
        if _pairing([[cell.equal is not False for cell in row] for row in table]) is not None:
            return Comparison(None, "undecided", "", "")
        bad = next((_best(row) for row in table if _best(row).equal is False), wrong("different"))
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
            answer = answer.args[-1]
        if answer.kind == "matrix":
            return self.columns(reference, answer)
        if answer.kind == "list" and answer.value != "or":
            got = list(answer.args)
            if _is_assignments(got):
                names = [str(part.args[0].value) for part in got]
                got = [got[k].args[-1] for k in sorted(range(len(got)), key=names.__getitem__)]
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
        if answer.kind == "tuple":
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
        if answer.args == reference.args:
            return EQUAL
        one, other = reference.args, answer.args
        return self.every(
            (Node("mul", (one[0], other[k])), Node("mul", (one[k], other[0])))
            for k in range(1, len(one))
        )

    def empty(self, answer: Node) -> Comparison:
        if answer.kind == "set" and not answer.args:
            return EQUAL
        return wrong("other_type")

    def words(self, reference: Node, answer: Node) -> Comparison:
        if answer.kind == "text" and plain(str(answer.value)) == plain(str(reference.value)):
            return Comparison(True, "equal", "text")
        return wrong("different")

    # Equations and sets.

    def equation(self, reference: Node, answer: Node) -> Comparison:
        """`y = 2x+1`: a value with its name, or up to a constant factor."""
        sides = reference.args
        if len(sides) > 2:
            return self.chain(reference, answer)
        left, right = sides
        if not _names(left, right) and _names(right, left):
            left, right = right, left
        named = _names(left, right)
        if left.kind == "tuple":
            named = True
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
        if sides[0] != left and len(sides) == 2 and sides[1] == left:
            sides = (sides[1], sides[0])
        if sides[0] != left:
            if (
                _is_constant_value(right)
                and _names(sides[0], sides[1])
                and _is_constant_value(sides[1])
            ):
                return wrong("other_name")
            return None
        found = self.named(right, Node("relation", sides, answer.value))
        if found.equal or found.equal is None or len(sides) != 2 or _is_constant_value(right):
            return found
        return None

    def chain(self, reference: Node, answer: Node) -> Comparison:
        """`f(2) < f(1) < f(4)`, `a = b = c`: side by side, or the whole turned around."""
        if (
            reference.value
            and set(reference.value) == {"="}
            and _names(reference.args[0], reference.args[-1])
        ):
            return self.answers(
                Node("relation", (reference.args[0], reference.args[-1]), ("=",)), answer
            )
        if answer.kind != "relation" or len(answer.args) != len(reference.args):
            return wrong("other_type")
        sides, signs = answer.args, tuple(answer.value or ())
        if signs != reference.value:
            sides, signs = (
                sides[::-1],
                tuple(_FLIPPED.get(str(sign), str(sign)) for sign in signs[::-1]),
            )
        if signs != reference.value:
            return wrong("different")
        return self.every(zip(reference.args, sides, strict=True))

    def factor(self, reference: Node, answer: Node, *, positive: bool) -> Comparison:
        """`left - right` up to a constant factor."""
        if not self.budget.spend():
            return Comparison(None, "budget", "", "")
        try:
            one, other = (_difference(node) for node in (reference, answer))
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
            if looks_like_a_set(answer.args[1]) or answer.args[1].kind in ("set", "tuple"):
                answer = answer.args[1]  # D = (0, 1)
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
            return self.matched(_flat(reference), _flat(answer), collapse=False)
        if reference.kind == answer.kind == "named_set":
            return EQUAL if reference.value == answer.value else wrong("different")
        if reference.kind == answer.kind and reference.kind == "difference":
            return self.every(zip(reference.args, answer.args, strict=True))
        return wrong("other_type")

    def inequality(self, reference: Node, answer: Node) -> Comparison:
        if len(reference.args) != 2 or len(answer.args) != 2:
            return self.chain(reference, answer)
        (sign,), (other,) = reference.value or ("",), answer.value or ("",)
        if "in" in (sign, other):
            if sign != other:
                return wrong("other_type")
            return self.every(zip(reference.args, answer.args, strict=True))
        if sign[0] == ">":
            reference, sign = (
                Node("relation", reference.args[::-1], (_FLIPPED[sign],)),
                _FLIPPED[sign],
            )
        if other[0] == ">":
            answer, other = Node("relation", answer.args[::-1], (_FLIPPED[other],)), _FLIPPED[other]
        if sign != other:
            return wrong("bounds" if sign[0] == other[0] else "different")
        return self.factor(reference, answer, positive=sign != "!=")


_ITEMS = ("list", "set", "tuple")
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_BY_KIND: dict[str, Callable[[_Comparer, Node, Node], Comparison]] = {
    "matrix": _Comparer.matrices,
    "ratio": _Comparer.ratios,
    "text": _Comparer.words,
}


def _asked(one: Node, other: Node, tier: str) -> Comparison:
    """What no tier could tell is asked of computer algebra."""
    outcome = cas.equal(one, other)
    if outcome.equal is None:
        return Comparison(
            None, outcome.limited_by or "undecided", tier, "", None, outcome.limited_by
        )
    reason = "equal" if outcome.equal else "different"
    return Comparison(
        outcome.equal, reason, "cas", "proved", {"by": outcome.detail}, outcome.limited_by
    )


def _elements(node: Node) -> list[Node]:
    """The items of a list or set, each `±` written out."""
    parts = node.args if node.kind in ("list", "set") else (node,)
    return [value for part in parts for value in expanded(part)]


def _bare(items: list[Node]) -> list[Node]:
    """Values that all have the same name, without it: `x = 1 or x = 2`, `x = 1, 2`, `x_1 = 1, x_2 = 2`."""
    names = {
        str(part.args[0].value).partition("_")[0]
        for part in items
        if part.kind == "relation" and part.value == ("=",) and part.args[0].kind == "symbol"
    }
    relations = sum(part.kind == "relation" for part in items)
    if len(names) != 1 or (relations not in (1, len(items))):
        return items
    if relations == 1 and len(items) > 1 and items[0].kind != "relation":
        return items
    return [part.args[-1] if part.kind == "relation" else part for part in items]


def _is_assignments(items: Sequence[Node]) -> bool:
    """Each item gives another name a value."""
    names = [
        part.args[0]
        for part in items
        if part.kind == "relation" and part.value == ("=",) and part.args[0].kind == "symbol"
    ]
    return len(names) == len(items) > 1 and len(set(names)) == len(names)


def _names(left: Node, right: Node) -> bool:
    """Does the left side only give the right one a name: `x`, `f(x)`, `P(x)`, `(x, y)`?"""
    if left.kind == "symbol":
        return left.value not in symbols_of(right)
    if left.kind == "apply":
        return left.value not in symbols_of(right)
    if left.kind == "mul" and all(part.kind == "symbol" for part in left.args):
        head = left.args[0]  # P(x) reads as a product
        return (
            len(left.args) == 2
            and str(head.value).isupper()
            and head.value not in symbols_of(right)
        )
    return left.kind == "tuple" and all(part.kind == "symbol" for part in left.args)


def symbols_of(node: Node) -> frozenset[str]:
    """All names in a tree of any kind, those of unknown functions too."""
    if node.kind in ("symbol", "apply"):
        return frozenset([str(node.value)]).union(*map(symbols_of, node.args))
    return frozenset().union(*map(symbols_of, node.args))


def _is_constant_value(node: Node) -> bool:
    return not symbols_of(node)


def _holds_pi(node: Node) -> bool:
    return node == constant("pi") or any(map(_holds_pi, node.args))


def _difference(node: Node) -> Node:
    left, right = (value_of(part).node for part in node.args)
    return Node("add", (left, Node("neg", (right,))))


def _flat(node: Node) -> list[Node]:
    return [
        part
        for inner in node.args
        for part in (_flat(inner) if inner.kind == node.kind else [inner])
    ]


def _rational(node: Node) -> tuple[int, int] | None:
    from tracefactory.verifiers.maths.decide import rational_value

    return rational_value(node)


def _digits(node: Node) -> str:
    """The digits of a whole or decimal number as they would be written."""
    if node.kind == "neg":
        return "-" + _digits(node.args[0])
    if node.kind != "number":
        return ""
    top, bottom = node.value  # type: ignore[misc]
    if bottom == 1:
        return str(top) if abs(top) < 10**400 else ""  # type: ignore[operator, arg-type]
    places = 0
    while places < 60 and top * 10**places % bottom:  # type: ignore[operator]
        places += 1
    shifted = top * 10**places  # type: ignore[operator]
    if shifted % bottom:  # type: ignore[operator]
        return ""
    digits = str(abs(shifted // bottom)).rjust(places + 1, "0")  # type: ignore[operator, arg-type]
    return ("-" if top < 0 else "") + digits[:-places] + "." + digits[-places:]  # type: ignore[operator]


def _best(row: Sequence[Comparison]) -> Comparison:
    for wanted in (True, None):
        for cell in row:
            if cell.equal is wanted:
                return cell
    return row[0] if row else wrong("missing_part")


def _weakest(parts: Sequence[Comparison]) -> Comparison:
    for wanted in (False, None):
        for part in parts:
            if part.equal is wanted:
                return part
    for part in parts:
        if part.certainty == "probable":
            return part
    return next((part for part in parts if part.tier not in ("structure", "exact")), parts[0])


def _pairing(fits: list[list[bool]]) -> list[int] | None:
    """For each row a column of its own that fits, or None (Kuhn's algorithm)."""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    for row in range(len(fits)):
        if not place(row, set()):
            return None
    columns = {row: column for column, row in taken.items()}
    return [columns[row] for row in range(len(fits))]


def tolerance_of(text: str) -> Tolerance:
    """`0.01` or `1%`.

    Raises:
        ValueError: if it is neither.
    """
    bare = text.strip().removesuffix("%").strip()
    try:
        top, bottom = decimal_value(bare)
    except (NotAValue, ValueError):
        raise ValueError(
            f"tolerance {text!r} is neither a number (0.01) nor a percentage (1%)"
        ) from None
    if top < 0:
        raise ValueError(f"tolerance {text!r} is negative")
    relative = text.strip().endswith("%")
    return Tolerance((top, bottom * 100) if relative else (top, bottom), relative)
