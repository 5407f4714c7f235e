r"""Read LaTeX and plain mathematics into a tree (nodes.py), or refuse: all of the text must be read.

Beyond the kinds of nodes.py, a tree from here may hold these, which reading.py gives a meaning:

    decimal    value the number as written, "3.14": it shows how exactly it is known
    based      args the number, value "1010_2" as written
    degrees    args 1
    percent    args 1
    quantity   args 1, value the unit as written: `5\text{ cm}`, `\$5`
    compound   args 2 or more quantities: `1 hour 40 minutes`
    approx     args 1: `\approx 3.14`
    text       value words that stand as an item: `\text{east}`

Readings of what is ambiguous: `1/2x` is from left to right, `(1/2)x`. `x^10` is the tenth power.
`\frac12` is a half. `1\frac12` and `1 1/2` are mixed numbers, if the fraction is proper. `e` and `i`
are the constants. `f`, `g`, `h` before a bracket are functions, other letters are factors. Letters in
a row are factors (`xy`), if they are four at most. `C(5,2)` is a binomial coefficient.

Not here: what an answer means (reading.py), whether two agree (answers.py). Time is linear; depth,
nodes and characters have caps. Nothing is evaluated.
"""

import re
from collections.abc import Callable
from math import gcd

from tracefactory.verifiers.maths.lex import Token, Unreadable, clean, integer, tokens
from tracefactory.verifiers.maths.nodes import FUNCTIONS, SCALAR, Node, call, constant, number, symbol
from tracefactory.verifiers.maths.units import read_unit, scale_word

MAX_DEPTH = 50
"""Of brackets, braces and exponents within each other."""
MAX_NODES = 2000

_END: Token = ("e", "", -1, -1)
_OPERAND = SCALAR | {"decimal", "degrees", "plusminus", "based"}
_E, _I, _PI = constant("e"), constant("i"), constant("pi")
_MINUS_ONE = number(-1)

_FUNCTION_NAMES = {
    **{name: name for name in FUNCTIONS if name not in ("sign", "re", "im", "arg", "mod", "binomial")},
    "log": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "arcsinh": "arsinh",
    "arccosh": "arcosh", "arctanh": "artanh", "asinh": "arsinh", "acosh": "arcosh",
    "atanh": "artanh", "ceiling": "ceil", "sgn": "sign", "Re": "re", "Im": "im", "binom": "binomial",
    "comb": "binomial", "acot": "arccot",
}  # fmt: skip
_INVERSE = {
    "sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec",
    "csc": "arccsc", "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh",
}  # fmt: skip
_GREEK = frozenset(
    """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon
    phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar
    """.split()
)
_DECORATIONS = frozenset(
    "overline bar hat widehat vec tilde widetilde overrightarrow dot ddot overbar".split()
)
_NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
_RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "!=", "~", "in"])
_CURRENCIES = {"\\$": "$", "euro": "€", "sterling": "£", "pounds": "£", "yen": "¥", "texteuro": "€"}
_UNIT_COMMANDS = frozenset(["circ", "mu", "Omega", "cents"])
_MATRICES = frozenset(["pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"])
_SET_OPENINGS = frozenset(["(", "[", "{", "\\{", "mathbb"])
_SEPARATORS = frozenset([",", ";", "and", "or", "\\\\"])
_APPLIED = frozenset("fghFGH")
_WORD_NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip


_BASED = re.compile(
    r"(-?) ?(?:\\(?:text|mathrm)\{)?([0-9A-Z]{2,})\}? ?_ ?\{?([0-9]{1,2})\}?"
)


def parse(text: str, grouping: bool = True) -> Node:
    """The tree of the whole text.

    Raises:
        Unreadable: why it is none, in one word.
    """
    cleaned = clean(text)
    if "_" in cleaned and len(cleaned) < 500:
        based = _BASED.fullmatch(cleaned)
        if based is not None and is_number_in_base(based[2], int(based[3])):
            inner = based_number(based[2], int(based[3]))  # 1A_{16}: letters that are digits
            return Node("neg", (inner,)) if based[1] else inner
    return Parser(cleaned, tokens(cleaned, grouping)).whole()


class Parser:
    """One pass by precedence over the tokens; each method leaves `at` behind what it read."""

    __slots__ = ("at", "bars", "depth", "found", "left", "text")

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text, self.found, self.at = text, found, 0
        found.append(_END)
        self.depth = self.bars = 0
        self.left = MAX_NODES
        if len(found) > MAX_NODES:
            raise Unreadable("too_long")

    def whole(self) -> Node:
        """All tokens as one answer."""
        # A full stop is no token, but "x." still ends in one that the reader took off before.
        while len(self.found) > 1 and self.found[-2][1] in (",", ";"):
            del self.found[-2]
        node = self.answer()
        if self.found[self.at][0] != "e":
            raise Unreadable("syntax")
        return node

    # Structure: lists, relations, unions, ratios.

    def answer(self) -> Node:
        """Items with separators between them."""
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1
        first = self.relation()
        if self.separator() is None:
            self.depth -= 1
            return first
        items, signs = [first], []
        while (sign := self.separator()) is not None:
            signs.append(sign)
            self.at += 1
            while (again := self.separator()) in ("and", "or", ","):  # ", and"
                signs.append(again)
                self.at += 1
            items.append(self.relation())
        self.depth -= 1
        return Node("list", tuple(items), "or" if "or" in signs else "and" if "and" in signs else ",")

    def separator(self) -> str | None:
        kind, value, _, _ = self.found[self.at]
        if kind in "lto" and value in _SEPARATORS:
            return value
        if kind == "t" and value.lower() in ("and", "or", "or else", "and also"):
            return value.lower()[:3].strip()
        return None

    def relation(self) -> Node:
        if self.found[self.at][1] == "~":
            self.at += 1
            return Node("approx", (self.union(),))
        first = self.union()
        if not self.is_relation_sign():
            return first
        sides: list[Node] = [first]
        signs: list[str] = []
        while self.is_relation_sign():
            signs.append(self.found[self.at][1])
            self.at += 1
            sides.append(self.union())
        return Node("relation", tuple(sides), tuple(signs))

    def is_relation_sign(self) -> bool:
        kind, value, _, _ = self.found[self.at]
        if kind == "l":  # x in (1, 2)
            return value == "in" and self.found[self.at + 1][1] in _SET_OPENINGS
        return kind == "o" and value in _RELATIONS

    def union(self) -> Node:
        first = self.ratio()
        while self.is_set_sign():
            sign = self.found[self.at][1]
            self.at += 1
            kind = {"cup": "union", "U": "union", "cap": "intersection"}.get(sign, "difference")
            first = Node(kind, (first, self.ratio()))
        return first

    def is_set_sign(self) -> bool:
        kind, value, _, _ = self.found[self.at]
        if value == "U":  # (1,2) U (3,4)
            return kind == "l" and self.found[self.at - 1][1] in (")", "]", "}", "\\}", "[", "(")
        return kind == "o" and value in ("cup", "cap", "setminus")

    def ratio(self) -> Node:
        first = self.quantity()
        parts = [first]
        while self.found[self.at][1] == ":" or self.found[self.at][:2] in (("t", "to"), ("l", "to")):
            self.at += 1
            parts.append(self.quantity())
        return first if len(parts) == 1 else Node("ratio", tuple(parts))

    # Quantities: a number and what it counts.

    def quantity(self) -> Node:
        kind, value, _, _ = self.found[self.at]
        if kind in "oc" and (value in _CURRENCIES or value == "-"):
            money = self.money()
            if money is not None:
                return money
        if kind == "t" and len(value) > 1 and not self.is_function():
            self.at += 1
            return Node("text", (), value)
        first = self.measured(self.sum())
        if first.kind != "quantity":
            return first
        parts = [first]
        while self.found[self.at][0] == "n":
            part = self.measured(self.sum())
            if part.kind != "quantity":
                raise Unreadable("syntax")
            parts.append(part)
        return first if len(parts) == 1 else Node("compound", tuple(parts))

    def money(self) -> Node | None:
        begin = self.at
        negative = self.found[self.at][1] == "-"
        self.at += negative
        kind, value, _, _ = self.found[self.at]
        if kind not in "oc" or value not in _CURRENCIES:
            self.at = begin
            return None
        self.at += 1
        inner = self.sum()
        if self.found[self.at][0] in "tl":
            scale = scale_word(self.found[self.at][1])
            if scale is not None:
                self.at += 1
                inner = Node("mul", (_exact(inner), number(scale)))
            elif self.found[self.at][1].lower() in ("dollars", "dollar", "usd", "euros", "per"):
                self.at += 1
        return Node("quantity", (Node("neg", (inner,)) if negative else inner,), _CURRENCIES[value])

    def measured(self, node: Node) -> Node:
        """The node with the percent sign, scale word or unit behind it, if there is one."""
        kind, value, start, _ = self.found[self.at]
        if kind == "o":
            if value == "%":
                self.at += 1
                return Node("percent", (node,))
            if value == "\\$":
                self.at += 1
                return Node("quantity", (node,), "$")
            return node
        if kind == "c":
            if value in _CURRENCIES:
                self.at += 1
                return Node("quantity", (node,), _CURRENCIES[value])
            if value not in _UNIT_COMMANDS:
                return node
        elif kind not in "tl" or self.separator() is not None or value == "to":
            return node
        elif self.is_set_sign() or self.is_relation_sign():
            return node
        if kind in "tl":
            lower = value.lower()
            if lower in ("percent", "per cent"):
                self.at += 1
                return Node("percent", (node,))
            scale = scale_word(lower)
            if scale is not None and node.kind in _OPERAND:
                self.at += 1
                return self.measured(Node("mul", (_exact(node), number(scale))))
        end = self.unit_end()
        unit = self.text[start:end].strip()
        if node.kind == "degrees":  # `25^\\circ\text{C}`
            unit, node = f"^\\circ{unit}", node.args[0]
        if read_unit(unit) is None:
            raise Unreadable("words")
        return Node("quantity", (node,), unit)

    def unit_end(self) -> int:
        """Move behind the unit that starts here; where its text ends."""
        opened = 0
        while True:
            kind, value, _, stop = self.found[self.at]
            before = self.found[self.at - 1][1]
            if kind in "tl":
                if self.separator() is not None or value == "to":
                    break
            elif kind == "n":
                if before not in ("^", "{", "-"):
                    break
            elif kind == "c":
                if value not in _UNIT_COMMANDS:
                    break
            elif value == "{" and before == "^":
                opened += 1
            elif value == "}" and opened:
                opened -= 1
            elif value not in ("^", "/", "*") and not (value == "-" and before in ("^", "{")):
                break
            self.at += 1
        return self.found[self.at - 1][3]

    # Arithmetic.

    def sum(self) -> Node:
        found = self.found
        sign = found[self.at][1] if found[self.at][0] == "o" else ""
        if sign == "-":
            self.at += 1
            minus = True
            while found[self.at][:2] == ("o", "-"):  # --5
                minus = not minus
                self.at += 1
            first = self.term()
            first = _negative(first) if minus else first
        elif sign == "+":
            self.at += 1
            first = self.term()
        elif sign in ("pm", "mp"):
            self.at += 1
            first = Node("plusminus", (_exact(self.term()),), "+" if sign == "pm" else "-")
        else:
            first = self.term()
        if found[self.at][0] != "o" or found[self.at][1] not in ("+", "-", "pm", "mp"):
            return first
        parts = [_exact(first)]
        while found[self.at][0] == "o" and (sign := found[self.at][1]) in ("+", "-", "pm", "mp"):
            self.at += 1
            right = self.signed_term()
            if sign == "+":
                parts.append(_exact(right))
            elif sign == "-":
                parts.append(Node("neg", (_exact(right),)))
            else:
                left = parts[0] if len(parts) == 1 else Node("add", tuple(parts))
                parts = [Node("plusminus", (left, _exact(right)), "+" if sign == "pm" else "-")]
        return parts[0] if len(parts) == 1 else Node("add", tuple(parts))

    def signed_term(self) -> Node:
        """A term that may carry its own sign: `3 + -2`."""
        if self.found[self.at][:2] == ("o", "-"):
            self.at += 1
            return Node("neg", (_exact(self.term()),))
        if self.found[self.at][:2] == ("o", "+"):
            self.at += 1
        return self.term()

    def term(self) -> Node:
        node = self.power()
        found = self.found
        while True:
            kind, value, _, _ = found[self.at]
            if kind == "o":
                if value == "*":
                    self.at += 1
                    node = _product(node, self.factor())
                elif value == "/":
                    self.at += 1
                    node = self.divided(node)
                elif value == "mod":
                    self.at += 1
                    node = call("mod", _exact(node), _exact(self.power()))
                elif value in "({[" or value == "|":
                    if value == "|" and self.bars:
                        return node
                    if value == "[" and self.closes_interval():
                        return node
                    node = _product(node, self.power())
                else:
                    return node
            elif kind == "e" or not self.starts_factor(kind, value):
                return node
            else:
                if kind in "nq":
                    before = node.kind
                    if before in ("number", "decimal", "symbol", "degrees") or node.kind == "based":
                        if before == "degrees":
                            return node
                        raise Unreadable("juxtaposed")
                node = _product(node, self.power())

    def divided(self, node: Node) -> Node:
        right = self.factor()
        if node.kind == "number" and right.kind == "number":
            (a, b), (c, d) = node.value, right.value  # type: ignore[misc]
            if c != 0 and b == d == 1:
                return _fraction(a, c)  # type: ignore[arg-type]
        return Node("div", (_exact(node), _exact(right)))

    def factor(self) -> Node:
        """A power that may carry a sign: `3 \\cdot -2`."""
        if self.found[self.at][:2] == ("o", "-"):
            self.at += 1
            return _negative(_exact(self.power()))
        if self.found[self.at][:2] == ("o", "+"):
            self.at += 1
        return self.power()

    def starts_factor(self, kind: str, value: str) -> bool:
        """Does this token, behind a factor, start another one without a sign between?"""
        if kind in "nq":
            return True
        if kind == "t":
            return self.is_function()
        if kind == "c":
            return value in _FACTORS or value in _GREEK or value in _DECORATIONS or (
                value in _FUNCTION_NAMES
            )
        if kind != "l" or value in ("and", "or", "to", "U", "if", "for", "where"):
            return False
        if len(value) == 1:
            # "5 m" is a length, "5m" and "5x" are products.
            return not (self.spaced() and self.ends_item() and read_unit(value) is not None
                        and self.found[self.at - 1][0] == "n")
        if value in _FUNCTION_NAMES or value in _CONSTANTS or value in _GREEK or value == "sqrt":
            return True
        if len(value) > 4 and not value.startswith(_PREFIXES):
            return False
        unit = read_unit(value)
        if unit is None:
            return True
        return unit.kind == "thing" and not (self.spaced() and len(value) > 2)

    def is_function(self) -> bool:
        r"""Is the word here a function? `\text{lcm}(4, 6)` has one, `4 \text{ min}` has none."""
        _, value, _, _ = self.found[self.at]
        return value in _FUNCTION_NAMES and self.found[self.at + 1][1] == "("

    def spaced(self) -> bool:
        return self.found[self.at][2] > self.found[self.at - 1][3]

    def ends_item(self) -> bool:
        kind, value, _, _ = self.found[self.at + 1]
        return kind == "e" or value in _SEPARATORS or value in (")", "]", "/", "^", "}")

    # Powers and what they stand on.

    def power(self) -> Node:
        node = self.primary()
        found = self.found
        while True:
            kind, value, _, _ = found[self.at]
            if kind != "o":
                if kind == "c" and value == "circ" and node.kind in _OPERAND:
                    self.at += 1
                    node = Node("degrees", (_exact(node),))
                    continue
                return node
            if value == "^":
                node = self.raised(node)
            elif value == "!":
                self.at += 1
                node = Node("factorial", (_exact(node),))
            elif value == "!!":
                self.at += 1
                node = call("double_factorial", _exact(node))
            else:
                return node

    def raised(self, base: Node) -> Node:
        """What stands behind the `^` here, put on the base."""
        self.at += 1
        found = self.found
        first, second = found[self.at], found[self.at + 1]
        if first[:2] == ("c", "circ"):
            self.at += 1
            return Node("degrees", (_exact(base),))
        if first[1] == "{" and second[:2] == ("c", "circ") and found[self.at + 2][1] == "}":
            self.at += 3
            return Node("degrees", (_exact(base),))
        if base.kind == "degrees":
            raise Unreadable("syntax")
        exponent = self.exponent()
        return Node("pow", (_exact(base), _exact(exponent)))

    def exponent(self) -> Node:
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1
        kind, value, _, _ = self.found[self.at]
        if kind == "o" and value in "+-" and value:
            self.at += 1
            inner = self.primary()
            node = _negative(inner) if value == "-" else inner
        elif kind == "l" and len(value) > 1 and value not in _FUNCTION_NAMES:
            self.split_letters()
            node = self.primary()
        else:
            node = self.primary()
        if self.found[self.at][:2] == ("o", "^"):  # 2^3^4 = 2^(3^4)
            node = self.raised(node)
        self.depth -= 1
        return node

    def primary(self) -> Node:
        kind, value, _, _ = self.found[self.at]
        self.left -= 1
        if self.left < 0:
            raise Unreadable("too_long")
        if kind == "n":
            return self.numeral(value)
        if kind == "o":
            opened = _OPENINGS.get(value)
            if opened is None:
                raise Unreadable("syntax")
            return opened(self)
        if kind == "l":
            return self.letters(value)
        if kind == "c":
            return self.command(value)
        if kind == "q":
            self.at += 1
            top, _, bottom = value.partition("/")
            return _fraction(int(top), int(bottom))
        if kind == "t" and (len(value) == 1 or self.is_function()):
            return self.letters(value)
        raise Unreadable("words" if kind == "t" else "syntax")

    def numeral(self, value: str) -> Node:
        self.at += 1
        found = self.found
        kind, following, _, _ = found[self.at]
        if not value.isdigit():
            if kind == "o" and following == "_":
                return self.based(value)
            if "." not in value and "e" not in value and "E" not in value:
                raise Unreadable("syntax")
            return Node("decimal", (), value)
        if kind == "o" and following == "_":
            return self.based(value)
        whole = integer(value)
        if kind == "c" and following == "frac":
            return self.mixed(whole) or number(whole)
        if kind == "n" and found[self.at + 1][1] == "/" and found[self.at + 2][0] == "n":
            top, bottom = following, found[self.at + 2][1]  # 1 1/2
            if top.isdigit() and bottom.isdigit() and 0 < integer(top) < integer(bottom):
                self.at += 3
                return _fraction(whole * integer(bottom) + integer(top), integer(bottom))
        return number(whole)

    def mixed(self, whole: int) -> Node | None:
        """`1\\frac12` is a mixed number if the fraction is proper and of digits."""
        begin = self.at
        fraction = self.command("frac")
        if fraction.kind == "number":
            top, bottom = fraction.value  # type: ignore[misc]
            if 0 < top < bottom:  # type: ignore[operator]
                return number(whole * bottom + top, bottom)  # type: ignore[operator, arg-type]
        self.at = begin
        return None

    def based(self, digits: str) -> Node:
        """`1010_2`, `1010_{2}`, `1010_{\\text{two}}`."""
        begin = self.at
        self.at += 1
        braces = self.found[self.at][1] == "{"
        self.at += braces
        kind, value, _, _ = self.found[self.at]
        base = (
            int(value)
            if kind == "n" and value.isdigit() and len(value) < 3
            else _WORD_NUMBERS.get(value.lower(), 0)
        )
        self.at += 1
        if braces:
            if self.found[self.at][1] != "}":
                self.at = begin
                raise Unreadable("base")
            self.at += 1
        return based_number(digits, base)

    def letters(self, value: str) -> Node:
        """A function, a constant, a variable; letters in a row are split into factors."""
        if value in _CONSTANTS:
            self.at += 1
            if self.found[self.at][1] != "_":
                return _CONSTANTS[value]
            return self.subscripted(value)
        if len(value) == 1:
            self.at += 1
            return self.variable(value)
        if value in ("sqrt", "cbrt"):
            self.at += 1
            return Node("root", (_exact(self.argument()), number(2 if value == "sqrt" else 3)))
        if value in _FUNCTION_NAMES:
            self.at += 1
            return self.function(_FUNCTION_NAMES[value])
        if value in _GREEK:
            self.at += 1
            return self.subscripted(value)
        for name in _PREFIXES:
            if value.startswith(name) and len(value) == len(name) + 1:  # sinx
                kind, _, start, end = self.found[self.at]
                cut = start + len(name)
                self.found[self.at : self.at + 1] = [
                    (kind, name, start, cut), (kind, value[len(name) :], cut, end),
                ]
                return self.letters(name)
        if len(value) > 4:
            raise Unreadable("words")
        self.split_letters()
        return self.letters(self.found[self.at][1])

    def split_letters(self) -> None:
        kind, value, start, _ = self.found[self.at]
        self.found[self.at : self.at + 1] = [
            (kind, letter, start + k, start + k + 1) for k, letter in enumerate(value)
        ]

    def variable(self, name: str) -> Node:
        """A variable with its subscript and primes; f(x), if it is a function."""
        found = self.found
        if found[self.at][0] != "o":
            return symbol(name)
        if found[self.at][1] == "_":
            base = self.subscripted(name)
            name = str(base.value)
        while found[self.at][:2] == ("o", "'"):
            name += "'"
            self.at += 1
        if found[self.at][:2] == ("o", "^") and name in _APPLIED:
            following = "".join(token[1] for token in found[self.at + 1 : self.at + 6])
            if following.startswith(("{-1}(", "-1(")):
                self.at += 5 if following[0] == "{" else 3
                name += "^-1"
        if found[self.at][:2] == ("o", "("):
            if name[0] in _APPLIED:
                return Node("apply", self.arguments(), name)
            if name == "C":
                begin = self.at
                inside = self.arguments()
                if len(inside) == 2:
                    return call("binomial", *inside)
                self.at = begin
        return symbol(name)

    def subscripted(self, name: str) -> Node:
        if self.found[self.at][:2] != ("o", "_"):
            return symbol(name)
        self.at += 1
        kind, value, _, _ = self.found[self.at]
        self.at += 1
        if value != "{":
            if kind not in "nltc":
                raise Unreadable("subscript")
            return symbol(f"{name}_{value}")
        inside: list[str] = []
        while self.found[self.at][1] != "}":
            kind, value, _, _ = self.found[self.at]
            if kind == "e" or value == "{" or len(inside) > 8:
                raise Unreadable("subscript")
            inside.append(value)
            self.at += 1
        self.at += 1
        return symbol(f"{name}_{''.join(inside)}")

    # Functions.

    def function(self, name: str) -> Node:
        found = self.found
        exponent: Node | None = None
        base: Node | None = None
        while found[self.at][0] == "o" and found[self.at][1] in ("^", "_"):
            if found[self.at][1] == "^" and exponent is None:
                self.at += 1
                exponent = _exact(self.exponent())
            elif name == "log" and base is None:
                self.at += 1
                base = _exact(self.tex_argument())
            else:
                raise Unreadable("syntax")
        if exponent == _MINUS_ONE and name in _INVERSE:
            name, exponent = _INVERSE[name], None
        fewest, most = FUNCTIONS[name]
        if found[self.at][:2] == ("o", "(") or most > 1:
            inside = self.arguments()
        else:
            inside = (_exact(self.argument()),)
        if base is not None:
            inside = (*inside, base)
        if not fewest <= len(inside) <= most:
            raise Unreadable("arguments")
        node = Node("pow", (_E, inside[0])) if name == "exp" else call(name, *inside)
        return node if exponent is None else Node("pow", (node, exponent))

    def arguments(self) -> tuple[Node, ...]:
        """The arguments in the bracket here, or the one that stands without."""
        if self.found[self.at][:2] not in (("o", "("), ("o", "{"), ("o", "[")):
            return (_exact(self.argument()),)
        closer = {"(": ")", "{": "}", "[": "]"}[self.found[self.at][1]]
        self.at += 1
        inner = self.answer()
        if self.found[self.at][1] != closer:
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind == "list":
            return tuple(map(_exact, inner.args))
        return (_exact(inner),)

    def argument(self) -> Node:
        """A function's argument without brackets: `\\sin 2x`, `\\cos 58^\\circ`, `\\ln\\frac12`."""
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1
        found = self.found
        bracket = found[self.at][:2] in (("o", "("), ("o", "{"), ("o", "["), ("o", "|"))
        node = self.primary() if bracket else self.power()
        while not bracket:
            kind, value, _, _ = found[self.at]
            plain = (kind == "l" and (len(value) == 1 or value in _CONSTANTS or value in _GREEK)) or (
                kind == "c" and (value in ("pi", "frac", "sqrt") or value in _GREEK)
            )
            if not plain:
                break
            node = Node("mul", (_exact(node), _exact(self.power())))
        self.depth -= 1
        return node

    def tex_argument(self) -> Node:
        """What TeX takes as one argument: a group, a command, or a single digit or letter."""
        kind, value, start, end = self.found[self.at]
        if kind == "o" and value == "{":
            return self.braces()
        if len(value) > 1 and ((kind == "n" and value.isdigit()) or kind == "l"):
            self.found[self.at : self.at + 1] = [
                (kind, value[0], start, start + 1), (kind, value[1:], start + 1, end),
            ]
            self.at += 1
            return number(int(value[0])) if kind == "n" else symbol(value[0])
        if kind == "n":
            self.at += 1
            return number(integer(value)) if value.isdigit() else Node("decimal", (), value)
        return self.primary()

    # Commands.

    def command(self, value: str) -> Node:
        handler = _COMMANDS.get(value)
        if handler is not None:
            self.at += 1
            return handler(self)
        if value in _FUNCTION_NAMES:
            self.at += 1
            return self.function(_FUNCTION_NAMES[value])
        if value in _GREEK:
            self.at += 1
            return self.subscripted(value)
        if value in _DECORATIONS:
            self.at += 1
            inner = self.tex_argument()
            name = _letters_of(inner)
            if name is None:
                if value in ("overline", "bar") and inner.kind in _OPERAND:
                    return call("conjugate", _exact(inner))
                raise Unreadable("unknown")
            return self.subscripted(f"{value} {name}")
        raise Unreadable("unknown")

    def frac(self) -> Node:
        top, bottom = self.tex_argument(), self.tex_argument()
        if top.kind == "number" and bottom.kind == "number":
            (a, b), (c, d) = top.value, bottom.value  # type: ignore[misc]
            if b == d == 1 and c != 0:
                return _fraction(a, c)  # type: ignore[arg-type]
        return Node("div", (_exact(top), _exact(bottom)))

    def sqrt(self) -> Node:
        index = number(2)
        if self.found[self.at][:2] == ("o", "["):
            self.at += 1
            index = _exact(self.sum())
            if self.found[self.at][1] != "]":
                raise Unreadable("brackets")
            self.at += 1
        kind, value, _, _ = self.found[self.at]
        if kind == "n" and len(value) > 1:
            raise Unreadable("ambiguous")  # `\sqrt12` prints as the root of one, and means it not
        inner = _exact(self.argument() if (kind, value) == ("o", "(") else self.tex_argument())
        if index.kind != "number" or index.value[1] != 1 or not 0 < index.value[0] < 1000:  # type: ignore[index, operator]
            return Node("pow", (inner, Node("div", (number(1), index))))
        return Node("root", (inner, index))

    def surd(self) -> Node:
        """`√12`, `√(x+1)`: the sign takes the number or bracket behind it."""
        return Node("root", (_exact(self.primary()), number(2)))

    def cbrt(self) -> Node:
        return Node("root", (_exact(self.primary()), number(3)))

    def binom(self) -> Node:
        return call("binomial", _exact(self.tex_argument()), _exact(self.tex_argument()))

    def blackboard(self) -> Node:
        braces = self.found[self.at][1] == "{"
        self.at += braces
        name = _NAMED_SETS.get(self.found[self.at][1])
        if name is None:
            raise Unreadable("unknown")
        self.at += 1 + braces
        if self.found[self.at][1] in ("^", "_"):
            raise Unreadable("unknown")
        return Node("named_set", (), name)

    def matrix(self) -> Node:
        name = "".join(token[1] for token in self.found[self.at : self.at + 3])[1:-1]
        if name not in _MATRICES or self.found[self.at][1] != "{":
            raise Unreadable("unknown")
        self.at += 3
        if name == "array" and self.found[self.at][1] == "{":
            while self.found[self.at][1] != "}":
                self.at += 1
                if self.found[self.at][0] == "e":
                    raise Unreadable("brackets")
            self.at += 1
        rows: list[list[Node]] = [[]]
        while True:
            if self.found[self.at][:2] == ("c", "end"):
                break
            rows[-1].append(self.cell())
            token = self.found[self.at]
            self.at += 1
            if token[1] == "\\\\":
                if self.found[self.at][:2] != ("c", "end"):
                    rows.append([])
            elif token[:2] == ("c", "end"):
                self.at -= 1
                break
            elif token[1] != "&":
                raise Unreadable("matrix")
        self.at += 1
        if "".join(token[1] for token in self.found[self.at : self.at + 3]) != f"{{{name}}}":
            raise Unreadable("matrix")
        self.at += 3
        width = len(rows[0])
        if width == 0 or any(len(row) != width for row in rows):
            raise Unreadable("matrix")
        cells = tuple(cell for row in rows for cell in row)
        return Node("matrix", cells, (len(rows), width))

    def cell(self) -> Node:
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1
        inner = self.sum()
        self.depth -= 1
        return inner

    def empty_set(self) -> Node:
        return Node("set")

    def floor(self) -> Node:
        return self.enclosed("rfloor", "floor")

    def ceil(self) -> Node:
        return self.enclosed("rceil", "ceil")

    def enclosed(self, closer: str, name: str) -> Node:
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.depth += 1
        inner = self.sum()
        if self.found[self.at][1] != closer:
            raise Unreadable("brackets")
        self.at += 1
        self.depth -= 1
        return call(name, _exact(inner))

    # Brackets.

    def group(self) -> Node:
        """`(...)`, `[...]` and their mixtures: a group, a point or an interval."""
        opener = self.found[self.at][1]
        self.at += 1
        bars, self.bars = self.bars, 0
        inner = self.answer()
        self.bars = bars
        closer = self.found[self.at][1]
        if closer not in (")", "]", "["):
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind != "list":
            if (opener, closer) not in (("(", ")"), ("[", "]")):
                raise Unreadable("brackets")
            return inner
        if inner.value == "or":
            return inner
        if opener == "(" and closer == ")":
            return Node("tuple", inner.args, "()")
        if len(inner.args) != 2:
            if (opener, closer) == ("[", "]"):
                return Node("tuple", inner.args, "[]")
            raise Unreadable("brackets")
        low = "[" if opener == "[" else "("
        high = "]" if closer == "]" else ")"
        return Node("interval", inner.args, low + high)

    def closes_interval(self) -> bool:
        """Is the `[` here the end of `]1, 2[`?"""
        following = self.found[self.at + 1]
        return following[0] == "e" or following[1] in ("cup", "cap", "U", ",", ";", ")")

    def outward(self) -> Node:
        return self.group()

    def braces(self) -> Node:
        """`{...}`: a group of TeX, or a set written without the backslashes."""
        self.at += 1
        if self.found[self.at][1] == "}":
            self.at += 1
            raise Unreadable("empty")
        bars, self.bars = self.bars, 0
        inner = self.answer()
        self.bars = bars
        kind, value, _, _ = self.found[self.at]
        if kind == "c" and value in ("over", "choose"):
            self.at += 1
            right = self.answer()
            if value == "over":
                inner = Node("div", (_exact(inner), _exact(right)))
            else:
                inner = call("binomial", _exact(inner), _exact(right))
        if self.found[self.at][1] != "}":
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind == "list":
            return Node("set", inner.args)
        return inner

    def set(self) -> Node:
        r"""`\{...\}`; a condition behind a bar or colon is kept as the relation it is."""
        self.at += 1
        if self.found[self.at][1] == "\\}":
            self.at += 1
            return Node("set")
        self.bars += 1  # a bar here is the one of `x | x > 2`
        inner = self.answer()
        self.bars -= 1
        if self.found[self.at][1] == "|":
            self.at += 1
            inner = self.answer()
            if self.found[self.at][1] != "\\}" or inner.kind != "relation":
                raise Unreadable("set")
            self.at += 1
            return inner
        if self.found[self.at][1] != "\\}":
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind == "relation" and inner.args[0].kind == "ratio":  # {x : x > 2}
            return Node("relation", (inner.args[0].args[-1], *inner.args[1:]), inner.value)
        return Node("set", inner.args if inner.kind == "list" else (inner,))

    def angle_brackets(self) -> Node:
        closer = ">>" if self.found[self.at][1] == "<<" else ">"
        items: list[Node] = []
        while True:
            self.at += 1
            items.append(self.cell())
            if self.found[self.at][1] != ",":
                break
        if self.found[self.at][1] != closer or len(items) < 2:
            raise Unreadable("brackets")
        self.at += 1
        return Node("tuple", tuple(items), "<>")

    def absolute(self) -> Node:
        if self.depth >= MAX_DEPTH:
            raise Unreadable("too_deep")
        self.at += 1
        self.depth += 1
        self.bars += 1
        inner = self.sum()
        self.bars -= 1
        self.depth -= 1
        if self.found[self.at][1] != "|":
            raise Unreadable("brackets")
        self.at += 1
        return call("abs", _exact(inner))


_CONSTANTS = {
    "e": _E, "i": _I, "pi": _PI, "inf": constant("infinity"), "infinity": constant("infinity"),
    "oo": constant("infinity"), "infty": constant("infinity"), "Infinity": constant("infinity"),
}  # fmt: skip
_PREFIXES = ("sin", "cos", "tan", "cot", "sec", "csc", "ln", "log", "sqrt")
_COMMANDS: dict[str, Callable[[Parser], Node]] = {
    "frac": Parser.frac,
    "sqrt": Parser.sqrt,
    "surd": Parser.surd,
    "cbrt": Parser.cbrt,
    "binom": Parser.binom,
    "mathbb": Parser.blackboard,
    "begin": Parser.matrix,
    "emptyset": Parser.empty_set,
    "lfloor": Parser.floor,
    "lceil": Parser.ceil,
    "pi": lambda _: _PI,
    "infty": lambda _: _CONSTANTS["infinity"],
    "imath": lambda _: _I,
    "R": lambda _: Node("named_set", (), "reals"),
}
_FACTORS = frozenset(["begin", "frac", "sqrt", "surd", "cbrt", "binom", "lfloor", "lceil", "pi", "infty", "imath"])
_OPENINGS: dict[str, Callable[[Parser], Node]] = {
    "(": Parser.group,
    "[": Parser.group,
    "]": Parser.outward,
    "{": Parser.braces,
    "\\{": Parser.set,
    "<<": Parser.angle_brackets,
    "<": Parser.angle_brackets,
    "|": Parser.absolute,
}


def _fraction(top: int, bottom: int) -> Node:
    common = gcd(top, bottom)
    if bottom < 0:
        common = -common
    return Node("number", (), (top // common, bottom // common))


def _product(left: Node, right: Node) -> Node:
    """The product; a number before a matrix goes into its cells."""
    if right.kind == "matrix":
        factor = _exact(left)
        return Node("matrix", tuple(Node("mul", (factor, _exact(part))) for part in right.args), right.value)
    return Node("mul", (_exact(left), _exact(right)))


def _negative(node: Node) -> Node:
    if node.kind == "number":
        top, bottom = node.value  # type: ignore[misc]
        return Node("number", (), (-top, bottom))  # type: ignore[operator, arg-type]
    if node.kind == "matrix":
        return Node("matrix", tuple(map(_negative, node.args)), node.value)
    return Node("neg", (_exact(node),))


def _exact(node: Node) -> Node:
    """The node as an operand.

    Raises:
        Unreadable: `structure`, if it is a list, an interval, a relation or the like.
    """
    if node.kind not in _OPERAND:
        raise Unreadable("structure")
    return node


def _letters_of(node: Node) -> str | None:
    """The letters of a symbol or of a product of symbols: `\\overline{AB}`."""
    if node.kind in ("symbol", "text"):
        return str(node.value)
    if node.kind == "mul":
        names = [_letters_of(part) for part in node.args]
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
    return Node("based", (_fraction(total, base ** len(rest)),), f"{digits}_{base}")
