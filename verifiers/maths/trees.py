"""Put trees together: the few simplifications that reading itself makes, and no others.

Not here: reading text (parse.py); nothing is evaluated but fractions of written digits.
"""

from math import gcd

from tracefactory.verifiers.maths.lex import Unreadable
from tracefactory.verifiers.maths.nodes import SCALAR, Node, fraction_of

OPERAND = SCALAR | {"decimal", "degrees", "plusminus", "based"}
"""Kinds that arithmetic may join."""


def fraction(top: int, bottom: int) -> Node:
    """The fraction of two whole numbers, reduced."""
    common = gcd(top, bottom)
    if bottom < 0:
        common = -common
    return Node("number", (), (top // common, bottom // common))


def levels(node: Node) -> int:
    """How deep the tree is, counted without recursion."""
    deep, row = 0, [node]
    while row:
        deep += 1
        row = [part for parent in row for part in parent.args]
    return deep


def operand(node: Node) -> Node:
    """The node as an operand.

    Raises:
        Unreadable: `structure`, if it is a list, an interval, a relation or the like.
    """
    if node.kind not in OPERAND:
        raise Unreadable("structure")
    return node


def product(left: Node, right: Node) -> Node:
    """The product; a number before a matrix goes into its cells."""
    if right.kind == "matrix":
        factor = operand(left)
        return Node(
            "matrix",
            tuple(Node("mul", (factor, operand(part))) for part in right.args),
            right.value,
        )
    if left.kind == "mul":  # flat, so that many factors are not many levels
        return Node("mul", (*left.args, operand(right)))
    return Node("mul", (operand(left), operand(right)))


def negative(node: Node) -> Node:
    """The node with its sign changed."""
    if node.kind == "number":
        top, bottom = fraction_of(node)
        return Node("number", (), (-top, bottom))
    if node.kind == "matrix":
        return Node("matrix", tuple(map(negative, node.args)), node.value)
    return Node("neg", (operand(node),))


def transposed(node: Node) -> Node:
    """Rows as columns; a row in plain brackets, `(1, 2)^T` or `[1, 2]^T`, is a column."""
    if node.kind != "matrix":
        return Node("matrix", node.args, (len(node.args), 1))
    rows, columns = fraction_of(node)
    cells = tuple(node.args[k * columns + j] for j in range(columns) for k in range(rows))
    return Node("matrix", cells, (columns, rows))


def determinant(rows: list[list[Node]]) -> Node:
    """The determinant, by the first row.

    Raises:
        Unreadable: `matrix`, if it is not square or has more than four rows.
    """
    if len(rows) != len(rows[0]) or len(rows) > 4:
        raise Unreadable("matrix")
    if len(rows) == 1:
        return operand(rows[0][0])
    terms = []
    for place, cell in enumerate(rows[0]):
        minor = determinant([row[:place] + row[place + 1 :] for row in rows[1:]])
        term = Node("mul", (operand(cell), minor))
        terms.append(Node("neg", (term,)) if place % 2 else term)
    return Node("add", tuple(terms))


def letters_of(node: Node) -> str | None:
    r"""The letters of a symbol or of a product of symbols: `\\overline{AB}`."""
    if node.kind in ("symbol", "text"):
        return str(node.value)
    if node.kind == "mul":
        names = [letters_of(part) for part in node.args]
        return None if None in names else "".join(map(str, names))
    return None


_DIGITS = {digit: value for value, digit in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def is_number_in_base(digits: str, base: int) -> bool:
    """Are these digits of that base?"""
    return 2 <= base <= 36 and all(_DIGITS.get(digit, 99) < base for digit in digits)


def based_number(digits: str, base: int) -> Node:
    """The number that the digits mean in the base.

    Raises:
        Unreadable: `base`, if there is no such base or the digits are not its own.
    """
    whole, _, rest = digits.partition(".")
    values = [_DIGITS.get(digit, 99) for digit in whole + rest]
    if not 2 <= base <= 36 or not values or max(values) >= base or len(values) > 400:
        raise Unreadable("base")
    total = 0
    for value in values:
        total = total * base + value
    return Node("based", (fraction(total, base ** len(rest)),), f"{digits}_{base}")
