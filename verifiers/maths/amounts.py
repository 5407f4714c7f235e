r"""Compare single values: units, percent, degrees and bases first, then the numbers."""

from tracefactory.verifiers.maths import cas
from tracefactory.verifiers.maths.comparison import EQUAL, Budget, Comparison, Tolerance, wrong
from tracefactory.verifiers.maths.decide import decide, rational_value, sign_of, symbols, within
from tracefactory.verifiers.maths.nodes import Node, call, constant, fraction_of, number
from tracefactory.verifiers.maths.trees import based_number, is_number_in_base
from tracefactory.verifiers.maths.units import read_unit, same_dimension
from tracefactory.verifiers.maths.values import NotAValue, Value, lowered, rescaled, value_of


class Amounts:
    """Compares two values; keeps the tolerance and the budget of one pair of answers."""

    def __init__(self, tolerance: Tolerance | None) -> None:
        self.tolerance = tolerance
        self.budget = Budget()

    def single_values(self, one: Node, other: Node) -> Comparison:
        """The values of two trees; other kinds are another type."""
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
        if want.unit is not None and got.unit is None:
            got = _with_its_unit(got)
        elif want.unit is None and got.unit is not None:
            want = _with_its_unit(want)
        if want.unit is not None and got.unit is not None:
            if not same_dimension(want.unit, got.unit):
                return wrong("unit")
            scaled = rescaled(got.node, got.unit, want.unit)
            if scaled is None:
                return wrong("unit")
            return self.numbers(want, scaled)
        return self.numbers(want, got.node)

    def based(self, want: Value, got: Value) -> Comparison:
        """With its base a number is its value; without, its digits. A fraction is its value."""
        if want.based and not got.based:
            got = _with_its_base(got)
        if want.based and not got.based:
            shown = _digits(got.node)
            if shown == want.based.rpartition("_")[0]:
                return EQUAL
            if shown and "." not in shown:
                return wrong("base")
        return self.numbers(want, got.node)

    def percents(self, want: Value, got: Value) -> Comparison:
        """A percent sign may be missing, and means a hundredth."""
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
        """Degrees and radians; the sign or word may be missing."""
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
            why = dict(found.detail).get("why")
            if why == "domain" and not symbols(node) and not symbols(got):
                return Comparison(None, "undecided", found.tier, "")  # too large for any ball
            return _asked(node, got, found.tier)
        return Comparison(
            found.equal,
            "equal" if found.equal else "different",
            found.tier,
            found.certainty,
            dict(found.detail),
        )

    def tolerated(self, want: Value, node: Node, got: Node) -> Comparison | None:
        """Within the tolerance; None when there is none to speak of."""
        if symbols(got) or symbols(node):
            return None
        center = _rational(node)
        if center is None:
            return None
        top, bottom = center
        half = want.half or (0, 1)
        if self.tolerance is not None:
            (a, b), relative = self.tolerance
            half = (abs(top) * a, bottom * b) if relative else (a, b)
        if _rational(got) == center:
            return Comparison(True, "equal", "exact")
        low = (top * half[1] - half[0] * bottom, bottom * half[1])
        high = (top * half[1] + half[0] * bottom, bottom * half[1])
        found = within(got, low, high)
        if found is None:
            if sign_of(call("im", got)) in (-1, 1):
                return Comparison(False, "different", "balls")
            return Comparison(None, "undecided", "balls", "")
        if found and self.tolerance is None:
            # Half away from zero: 3.135 rounds to 3.14, and 3.145 does not.
            edge = high if top >= 0 else low
            exact = _rational(got)
            if exact is not None and exact[0] * edge[1] == edge[0] * exact[1]:
                found = False
        return Comparison(found, "within" if found else "different", "tolerance", "proved")


def shows(decimals: Node, exact: Node) -> bool | None:
    """Are the decimals of a value right to one of their last digit, rounded or cut off?

    None where that cannot be told, or they are no decimals.
    """
    try:
        shown, value = value_of(Node("approx", (decimals,))), value_of(exact)
    except NotAValue:
        return None
    center = _rational(shown.node)
    if shown.half is None or center is None or symbols(value.node) or shown.unit or value.unit:
        return None
    (top, bottom), (a, b) = center, shown.half
    low, high = ((top * b + sign * 2 * a * bottom, bottom * b) for sign in (-1, 1))
    return within(value.node, low, high)


def _asked(one: Node, other: Node, tier: str) -> Comparison:
    """What no tier could tell is asked of computer algebra."""
    found = cas.equal(one, other)
    # Sizes are counted, so they limit everywhere alike; a clock or a memory does not.
    limited = "clock" if found.limited_by in ("clock", "memory") else None
    if found.equal is None:
        return Comparison(None, found.limited_by or "undecided", tier, "", None, limited)
    reason = "equal" if found.equal else "different"
    return Comparison(found.equal, reason, "cas", "proved", {"by": found.detail}, limited)


def _with_its_base(value: Value) -> Value:
    """`A_{16}` is ten where the reference has a base, though it reads as a variable."""
    if value.node.kind != "symbol":
        return value
    digit, _, base = str(value.node.value).partition("_")
    if not base.isdecimal() or len(digit) != 1 or not is_number_in_base(digit, int(base)):
        return value
    inner = based_number(digit, int(base))
    return value._replace(node=inner.args[0], based=str(inner.value))


def _with_its_unit(value: Value) -> Value:
    """`5m`, `5 N·m` are amounts where the reference has a unit: the last letters taken as one."""
    node = value.node
    if node.kind != "mul":
        return value
    rest = [part for part in node.args if not symbols(part)]
    names = [part for part in node.args if symbols(part)]
    if not rest or not all(part.kind == "symbol" for part in names):
        return value
    unit = read_unit("·".join(str(part.value) for part in names))
    if unit is None or unit.kind == "thing":
        return value
    return value._replace(node=rest[0] if len(rest) == 1 else Node("mul", tuple(rest)), unit=unit)


def _holds_pi(node: Node) -> bool:
    return node == constant("pi") or any(map(_holds_pi, node.args))


def _rational(node: Node) -> tuple[int, int] | None:
    return fraction_of(node) if node.kind == "number" else rational_value(node)


def _digits(node: Node) -> str:
    """The digits of a whole or decimal number as they would be written."""
    if node.kind == "neg":
        return "-" + _digits(node.args[0])
    if node.kind != "number":
        return ""
    top, bottom = fraction_of(node)
    if bottom == 1:
        return str(top) if abs(top) < 10**400 else ""
    places = 0
    while places < 60 and top * 10**places % bottom:
        places += 1
    shifted = top * 10**places
    if shifted % bottom:
        return ""
    digits = str(abs(shifted // bottom)).rjust(places + 1, "0")
    return ("-" if top < 0 else "") + digits[:-places] + "." + digits[-places:]
