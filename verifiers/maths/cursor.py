"""Where the parser stands in its tokens, and what it knows of the words it meets.

The parser is one class in layers, each a file: Cursor, Atoms (numbers, names, functions, commands),
Brackets, Arithmetic, Parser (parse.py: lists, relations, units). A layer calls those above it only
through the methods that Cursor declares.
"""

import re

from tracefactory.verifiers.maths.lex import Token, Unreadable
from tracefactory.verifiers.maths.nodes import FUNCTIONS, Node, constant
from tracefactory.verifiers.maths.units import read_unit

MAX_DEPTH = 50
"""Of brackets, braces and exponents within each other."""
MAX_NODES = 2000

END: Token = ("e", "", -1, -1)

_NOT_BY_NAME = ("sign", "re", "im", "arg", "mod", "binomial")
FUNCTION_NAMES = {
    **{name: name for name in FUNCTIONS if name not in _NOT_BY_NAME},
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "arcsinh": "arsinh",
    "arccosh": "arcosh", "arctanh": "artanh", "asinh": "arsinh", "acosh": "arcosh",
    "atanh": "artanh", "ceiling": "ceil", "sgn": "sign", "Re": "re", "Im": "im",
    "cis": "cis", "binom": "binomial", "comb": "binomial", "acot": "arccot",
}  # fmt: skip
CONSTANTS = {
    "e": constant("e"), "i": constant("i"), "pi": constant("pi"),
    **dict.fromkeys(("inf", "infinity", "oo", "infty", "Infinity"), constant("infinity")),
}  # fmt: skip
GREEK = frozenset(
    """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon
    phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar
    """.split()  # noqa: SIM905 - words read better so
)
PREFIXES = ("sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "sqrt")
"""Functions that one letter may stick to: `sinx`."""
RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "~", "in", "equiv"])
SEPARATORS = frozenset([",", ";", "and", "or", "\\\\"])
_SET_OPENINGS = frozenset(["(", "[", "{", "\\{", "mathbb"])


LOOK_AHEAD = 6
"""So many tokens may be looked at beyond the last one."""


_ITEM_END = re.compile(r"(?<!\\)[,;=]|\\text ?\{ ?(?:and|or|to)\b|\b(?:and|or|to)\b|\\q?quad")


class Cursor:
    """The tokens and the place in them; each method leaves `at` behind what it read."""

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text, self.found, self.at = text, found, 0
        found.extend([END] * LOOK_AHEAD)
        self.depth = self.bars = 0
        self.left = MAX_NODES
        if len(found) > MAX_NODES:
            raise Unreadable("too_long")

    # What lower layers call of higher ones.

    def answer(self) -> Node:
        """Items with separators between them."""
        raise NotImplementedError

    def sum(self) -> Node:
        """Terms with plus and minus between them."""
        raise NotImplementedError

    def relation(self) -> Node:
        """Sides with relations between them."""
        raise NotImplementedError

    def power(self) -> Node:
        """An atom with its exponents, factorials and degree signs."""
        raise NotImplementedError

    def primary(self) -> Node:
        """An atom: a number, a name, a command or a bracket."""
        raise NotImplementedError

    def exponent(self) -> Node:
        """What stands in the exponent."""
        raise NotImplementedError

    def matrix(self) -> Node:
        r"""`\\begin{pmatrix} ...`."""
        raise NotImplementedError

    def braces(self) -> Node:
        """`{...}`."""
        raise NotImplementedError

    def deeper(self) -> None:
        """One level down; the caller takes it back with `depth -= 1`."""
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1

    # What stands here.

    def separator(self) -> str | None:
        """The sign or word between two items that stands here, or None."""
        kind, value, _, _ = self.found[self.at]
        if kind in "lto" and value in SEPARATORS:
            return value
        if kind == "t" and value.lower() in ("and", "or", "or else", "and also"):
            return value.lower()[:3].strip()
        return None

    def is_relation_sign(self) -> bool:
        """Does a relation stand here?"""
        kind, value, _, _ = self.found[self.at]
        if kind == "l":  # x in (1, 2)
            return value == "in" and self.found[self.at + 1][1] in _SET_OPENINGS
        return kind == "o" and value in RELATIONS

    def is_set_sign(self) -> bool:
        """Does a union, intersection or difference stand here?"""
        kind, value, _, _ = self.found[self.at]
        if value == "U":  # (1,2) U (3,4)
            return kind == "l" and self.found[self.at - 1][1] in (")", "]", "}", "\\}", "[", "(")
        return kind == "o" and value in ("cup", "cap", "setminus")

    def is_function(self) -> bool:
        r"""Is the word here a function? `\text{lcm}(4, 6)` has one, `4 \text{ min}` has none."""
        _, value, _, _ = self.found[self.at]
        return value in FUNCTION_NAMES and self.found[self.at + 1][1] == "("

    def spaced(self) -> bool:
        """Is there a blank before the token here?"""
        return self.found[self.at][2] > self.found[self.at - 1][3]

    def is_measure(self) -> bool:
        """Is all that follows, to the end of the item, a unit: the `N·m` of `5 N·m`?"""
        start = self.found[self.at][2]
        rest = _ITEM_END.split(self.text[start : start + 80], maxsplit=1)[0]
        unit = read_unit(rest)
        return unit is not None and unit.kind != "thing"

    def behind_degrees(self) -> bool:
        r"""Does `^\circ` or `^{\circ}` end here?"""
        before, earlier = self.found[self.at - 1], self.found[self.at - 2]
        return before[1] == "circ" or (before[1] == "}" and earlier[1] == "circ")

    def ends_item(self) -> bool:
        """Does the item end behind the token here?"""
        kind, value, _, _ = self.found[self.at + 1]
        return kind in "en" or value in SEPARATORS or value in (")", "]", "/", "^", "}")
