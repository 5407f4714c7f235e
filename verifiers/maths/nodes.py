r"""The syntax tree of one mathematical expression: what the parser makes and the tiers compare.

A node is (kind, args, value). All are tuples, so that equal trees are equal, hash alike and can be
keys of a cache. Scalar kinds, the only ones that the tiers see:

    number     value (numerator, denominator), ints in lowest terms, denominator > 0
    symbol     value the name: "x", "x_1", "alpha", "f"
    constant   value "pi", "e", "i" or "infinity" (and no other; -infinity is neg(infinity))
    add        args 2 or more
    mul        args 2 or more
    neg        args 1
    div        args 2: numerator, denominator
    pow        args 2: base, exponent
    root       args 2: radicand, index (index is a `number` that is a whole positive number);
               the principal real root; an odd root of a negative real number is negative
    factorial  args 1
    call       value one of FUNCTIONS, args as many as that says
    apply      value the name of an unknown function ("f", "f'"), args its arguments

Kinds that only reading and comparing know (answers.py):

    plusminus  args 1 or 2: `±a`, `a ± b`; value "+" for \\pm, "-" for \\mp
    list       args any: written bare, `a, b`
    tuple      args any: `(a, b)`, `<a, b>`
    set        args any: `{a, b}`
    interval   args 2: the ends; value "()", "[)", "(]" or "[]"
    union, intersection, difference   args 2 or more
    matrix     value (rows, columns), args row by row
    ratio      args 2 or more: `a : b : c`
    relation   value the signs between the args: ("=",), ("<", "<=")
    named_set  value "reals", "integers", "naturals", "rationals", "complexes"

Not here: reading text (parse.py), values (exact.py, identity.py, balls.py).
"""

from typing import NamedTuple, cast


class Node(NamedTuple):
    """One node of a tree; see the module for the kinds."""

    kind: str
    args: tuple["Node", ...] = ()
    value: tuple[int, int] | tuple[str, ...] | str | None = None


FUNCTIONS: dict[str, tuple[int, int]] = {
    # name: fewest and most arguments. The logarithm's second argument is its base; `log` alone is
    # the decimal one, as in school and competition mathematics.
    "abs": (1, 1), "floor": (1, 1), "ceil": (1, 1), "sign": (1, 1), "re": (1, 1), "im": (1, 1),
    "conjugate": (1, 1), "arg": (1, 1),
    "exp": (1, 1), "ln": (1, 1), "log": (1, 2),
    "sin": (1, 1), "cos": (1, 1), "tan": (1, 1), "cot": (1, 1), "sec": (1, 1), "csc": (1, 1),
    "arcsin": (1, 1), "arccos": (1, 1), "arctan": (1, 1), "arccot": (1, 1), "arcsec": (1, 1),
    "arccsc": (1, 1),
    "sinh": (1, 1), "cosh": (1, 1), "tanh": (1, 1), "coth": (1, 1), "sech": (1, 1), "csch": (1, 1),
    "arsinh": (1, 1), "arcosh": (1, 1), "artanh": (1, 1),
    "binomial": (2, 2), "gcd": (2, 64), "lcm": (2, 64), "max": (1, 64), "min": (1, 64),
    "mod": (2, 2), "gamma": (1, 1), "double_factorial": (1, 1),
}  # fmt: skip

SCALAR = frozenset(
    [
        "number",
        "symbol",
        "constant",
        "add",
        "mul",
        "neg",
        "div",
        "pow",
        "root",
        "factorial",
        "call",
        "apply",
    ]
)


def number(numerator: int, denominator: int = 1) -> Node:
    """A number node; the caller has reduced the fraction."""
    return Node("number", (), (numerator, denominator))


def symbol(name: str) -> Node:
    """A variable."""
    return Node("symbol", (), name)


def constant(name: str) -> Node:
    """One of pi, e, i, infinity."""
    return Node("constant", (), name)


def call(name: str, *args: Node) -> Node:
    """A known function of its arguments."""
    return Node("call", args, name)


def fraction_of(node: Node) -> tuple[int, int]:
    """The value of a `number`; the caller knows that it is one."""
    return cast("tuple[int, int]", node.value)


def signs_of(node: Node) -> tuple[str, ...]:
    """The signs of a `relation`; the caller knows that it is one."""
    return cast("tuple[str, ...]", node.value)
