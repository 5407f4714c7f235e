r"""What a single value says: its exact part, its unit, and how exactly its digits are known.

A reference that is a decimal has the tolerance that its own digits state: `3.14` stands for what
rounds to it (half away from zero), if it shows two decimals and two significant digits, or three
significant digits; `2.5` and `0.5` stand for themselves, and so does money.

Not here: lists and other structure (answers.py), the table of units (units.py).
"""

from math import gcd
from typing import NamedTuple

from tracefactory.verifiers.maths.lex import integer
from tracefactory.verifiers.maths.nodes import SCALAR, Node, constant, fraction_of, number
from tracefactory.verifiers.maths.units import Unit, convert, read_unit

_DEGREE = Node("div", (constant("pi"), number(180)))


class Value(NamedTuple):
    """One number or expression with what stands around it."""

    node: Node
    """Of scalar kinds only."""
    unit: Unit | None = None
    percent: bool = False
    degrees: bool = False
    """Written with the degree sign or word; the node is the number of degrees."""
    half: tuple[int, int] | None = None
    """Of a decimal: half a unit of its last digit, as a fraction; None where it must be equal."""
    based: str = ""
    """The number as written with its base: "1010_2"."""


class NotAValue(Exception):
    """A tree that is no single value."""


class TooLarge(NotAValue):
    """A number whose digits nobody writes out: 1e99999."""


def value_of(node: Node) -> Value:
    """The value that the tree means.

    Raises:
        NotAValue: if it is a list, a relation, words, or holds `±`.
    """
    kind = node.kind
    if kind in SCALAR and is_scalar(node):
        return Value(node)
    if kind == "quantity":
        inner = value_of(node.args[0])
        unit = read_unit(str(node.value))
        if unit is None:
            raise NotAValue
        if unit.name == "degree":
            return inner._replace(degrees=True)
        if unit.kind == "money":
            inner = inner._replace(half=None)
        return inner._replace(unit=unit)
    if kind == "percent":
        return value_of(node.args[0])._replace(percent=True)
    if kind == "degrees":
        return value_of(node.args[0])._replace(degrees=True)
    if kind == "based":
        return Value(node.args[0], based=str(node.value))
    if kind == "approx":
        inner = value_of(node.args[0])
        return inner._replace(half=inner.half or _half(_decimal_text(node.args[0]), strict=False))
    if kind == "compound":
        return _compound(node)
    if kind == "neg" and node.args[0].kind in ("quantity", "percent", "based", "degrees"):
        inner = value_of(node.args[0])
        return inner._replace(
            node=Node("neg", (inner.node,)), based=inner.based and f"-{inner.based}"
        )
    return Value(lowered(node), half=_half(_decimal_text(node), strict=True))


def _compound(node: Node) -> Value:
    """`1 hour 40 minutes` in the unit of its last part."""
    parts = [value_of(part) for part in node.args]
    last = parts[-1].unit
    if last is None:
        raise NotAValue
    terms = []
    for part in parts:
        scaled = None if part.unit is None else rescaled(part.node, part.unit, last)
        if scaled is None:
            raise NotAValue
        terms.append(scaled)
    return Value(Node("add", tuple(terms)), last)


def rescaled(node: Node, unit: Unit, to: Unit) -> Node | None:
    """The same amount in another unit; None if the two do not convert."""
    if unit == to:
        return node
    zero, one = convert((0, 1), unit, to), convert((1, 1), unit, to)
    if zero is None or one is None:
        return None
    slope = number(*_reduced(one[0] * zero[1] - zero[0] * one[1], one[1] * zero[1]))
    scaled = node if slope.value == (1, 1) else Node("mul", (slope, node))
    return scaled if zero[0] == 0 else Node("add", (scaled, number(*zero)))


def _reduced(top: int, bottom: int) -> tuple[int, int]:
    common = gcd(top, bottom)
    return top // common, bottom // common


def is_scalar(node: Node) -> bool:
    """Are all kinds in the tree scalar ones already?"""
    todo = [node]
    while todo:
        node = todo.pop()
        if node.kind not in SCALAR:
            return False
        if node.args:
            todo.extend(node.args)
    return True


def lowered(node: Node) -> Node:
    """The tree in scalar kinds: decimals exact, degrees as radians.

    Raises:
        NotAValue: if it holds anything else.
    """
    return node if is_scalar(node) else _lowered(node)


def _lowered(node: Node) -> Node:
    kind = node.kind
    if kind in ("number", "symbol", "constant"):
        return node
    if kind == "decimal":
        return _exact(str(node.value))
    if kind == "degrees":
        return Node("mul", (_lowered(node.args[0]), _DEGREE))
    if kind in ("based", "approx"):
        return _lowered(node.args[0])
    if kind not in SCALAR:
        raise NotAValue
    args = tuple(map(_lowered, node.args))
    return Node(kind, args, node.value)


def _exact(text: str) -> Node:
    """The number, or a product with its power of ten if nobody writes out so many digits."""
    try:
        return number(*decimal_value(text))
    except TooLarge:
        mantissa, _, exponent = text.replace("E", "e").partition("e")
        if len(exponent) > 30:
            raise
        power = Node("pow", (number(10), number(int(exponent))))
        return Node("mul", (number(*decimal_value(mantissa)), power))


def decimal_value(text: str) -> tuple[int, int]:
    """A decimal or scientific number as written, exactly; huge exponents raise NotAValue."""
    mantissa, exponent = _scientific(text)
    whole, _, places = mantissa.partition(".")
    shift = exponent - len(places)
    top = integer(whole + places or "0")
    if shift >= 0:
        return top * 10**shift, 1
    return _reduced(top, 10**-shift)


def _scientific(text: str) -> tuple[str, int]:
    mantissa, _, exponent = text.replace("E", "e").partition("e")
    if len(exponent) > 5 or abs(int(exponent or 0)) > 4000:
        raise TooLarge
    return mantissa, int(exponent or 0)


def _decimal_text(node: Node) -> str | None:
    r"""The number as written, if the tree is a decimal or `a \times 10^n` with one."""
    if node.kind == "neg":
        return _decimal_text(node.args[0])
    if node.kind == "decimal":
        return str(node.value)
    if node.kind == "mul" and len(node.args) == 2 and node.args[0].kind == "decimal":
        power = node.args[1]
        if power.kind == "pow" and power.args[0] == number(10):
            exponent = power.args[1]
            sign = -1 if exponent.kind == "neg" else 1
            exponent = exponent.args[0] if exponent.kind == "neg" else exponent
            if exponent.kind == "number" and fraction_of(exponent)[1] == 1:
                return f"{node.args[0].value}e{sign * fraction_of(exponent)[0]}"
    return None


def _half(text: str | None, *, strict: bool) -> tuple[int, int] | None:
    """Half a unit of the last digit shown, where the digits state a tolerance at all."""
    if text is None:
        return None
    try:
        mantissa, exponent = _scientific(text)
    except TooLarge:
        return None
    places = len(mantissa.partition(".")[2])
    if places == 0 or (strict and not states_tolerance(mantissa)):
        return None
    shift = exponent - places
    return _reduced(10**shift, 2) if shift >= 0 else (1, 2 * 10**-shift)


def states_tolerance(decimal: str) -> bool:
    """Does a number shown like this stand for what rounds to it, and not only for itself?"""
    whole, _, places = decimal.partition(".")
    significant = len((whole + places).lstrip("-0"))
    return bool(places) and (significant >= 3 or (len(places) >= 2 and significant >= 2))
