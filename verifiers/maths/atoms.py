r"""Atoms of an expression: numbers, variables, functions and the commands of TeX.

Not here: brackets (brackets.py), what joins atoms (arithmetic.py).
"""

from collections.abc import Callable

from tracefactory.verifiers.maths.cursor import (
    CONSTANTS,
    FUNCTION_NAMES,
    GREEK,
    PREFIXES,
    Cursor,
)
from tracefactory.verifiers.maths.lex import Unreadable, integer
from tracefactory.verifiers.maths.nodes import (
    FUNCTIONS,
    Node,
    call,
    fraction_of,
    number,
    symbol,
)
from tracefactory.verifiers.maths.trees import OPERAND, based_number, fraction, letters_of, operand

_INVERSE = {
    "sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec",
    "csc": "arccsc", "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh",
}  # fmt: skip
DECORATIONS = frozenset(
    [
        "overline",
        "bar",
        "hat",
        "widehat",
        "vec",
        "tilde",
        "widetilde",
        "overrightarrow",
        "dot",
        "ddot",
        "overbar",
    ]
)
_SAME_DECORATION = {
    "overrightarrow": "vec", "widehat": "hat", "widetilde": "tilde", "overline": "bar",
    "overbar": "bar",
}  # fmt: skip
_NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
_APPLIED = frozenset("fghFGH")
_WORD_NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_MINUS_ONE = number(-1)
_CLOSERS = {"(": ")", "{": "}", "[": "]", "\\{": "\\}"}


class Atoms(Cursor):
    """Reads one atom; see the module."""

    def numeral(self, value: str) -> Node:
        """A number as written, whole, decimal or mixed."""
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
                return fraction(whole * integer(bottom) + integer(top), integer(bottom))
        return number(whole)

    def mixed(self, whole: int) -> Node | None:
        r"""`1\\frac12` is a mixed number if the fraction is proper and of digits."""
        begin = self.at
        read = self.command("frac")
        if read.kind == "number":
            top, bottom = fraction_of(read)
            if 0 < top < bottom:
                return number(whole * bottom + top, bottom)
        self.at = begin
        return None

    def based(self, digits: str) -> Node:
        r"""`1010_2`, `1010_{2}`, `1010_{\\text{two}}`."""
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
        if value in CONSTANTS:
            self.at += 1
            if self.found[self.at][1] != "_":
                return CONSTANTS[value]
            return self.subscripted(value)
        if len(value) == 1:
            self.at += 1
            return self.variable(value)
        if value in ("sqrt", "cbrt"):
            self.at += 1
            return Node("root", (operand(self.argument()), number(2 if value == "sqrt" else 3)))
        if value in FUNCTION_NAMES:
            self.at += 1
            return self.function(FUNCTION_NAMES[value])
        if value == "root" and self.found[self.at + 1][:2] == ("o", "("):
            return self.root()
        if value in GREEK:
            self.at += 1
            return self.subscripted(value)
        for name in PREFIXES:
            if value.startswith(name) and len(value) == len(name) + 1:  # sinx
                kind, _, start, end = self.found[self.at]
                cut = start + len(name)
                self.found[self.at : self.at + 1] = [
                    (kind, name, start, cut),
                    (kind, value[len(name) :], cut, end),
                ]
                return self.letters(name)
        if len(value) > 4:
            raise Unreadable("words")
        self.split_letters()
        return self.letters(self.found[self.at][1])

    def root(self) -> Node:
        """`root(3, x)`: the index and what is under it, as printing writes it."""
        self.at += 1
        inside = self.arguments()
        if len(inside) != 2 or inside[0].kind != "number":
            raise Unreadable("arguments")
        top, bottom = fraction_of(inside[0])
        if bottom != 1 or not 1 < top < 1000:
            raise Unreadable("arguments")
        return Node("root", (inside[1], inside[0]))

    def split_letters(self) -> None:
        """Make the run of letters here one token a letter."""
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
            elif name.isupper() and len(name) == 1:
                return self.named_point(name)
        return symbol(name)

    def named_point(self, name: str) -> Node:
        """`P(2, -1)` is a point; `P(x)` a product or a function, as nobody can tell."""
        begin = self.at
        inside = self.arguments()
        if len(inside) > 1:
            return Node("tuple", inside, "()")
        self.at = begin
        return symbol(name)

    def subscripted(self, name: str) -> Node:
        """The variable with the subscript that may follow."""
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
        if not inside:
            raise Unreadable("subscript")
        return symbol(f"{name}_{''.join(inside)}")

    def function(self, name: str) -> Node:
        """A function with its exponent, base and arguments."""
        found = self.found
        exponent: Node | None = None
        base: Node | None = None
        while found[self.at][0] == "o" and found[self.at][1] in ("^", "_"):
            if found[self.at][1] == "^" and exponent is None:
                self.at += 1
                exponent = operand(self.exponent())
            elif name == "log" and base is None:
                self.at += 1
                base = operand(self.tex_argument())
            else:
                raise Unreadable("syntax")
        if name == "cis":
            angle = operand(self.argument())
            turned = Node("mul", (CONSTANTS["i"], call("sin", angle)))
            node = Node("add", (call("cos", angle), turned))
            return node if exponent is None else Node("pow", (node, exponent))
        if exponent == _MINUS_ONE and name in _INVERSE:
            name, exponent = _INVERSE[name], None
        fewest, most = FUNCTIONS[name]
        if found[self.at][:2] == ("o", "(") or most > 1:
            inside = self.arguments()
        else:
            inside = (operand(self.argument()),)
        if base is not None:
            inside = (*inside, base)
        if not fewest <= len(inside) <= most:
            raise Unreadable("arguments")
        node = Node("pow", (CONSTANTS["e"], inside[0])) if name == "exp" else call(name, *inside)
        return node if exponent is None else Node("pow", (node, exponent))

    def arguments(self) -> tuple[Node, ...]:
        """The arguments in the bracket here, or the one that stands without."""
        closer = _CLOSERS.get(self.found[self.at][1])
        if closer is None or self.found[self.at][0] != "o":
            return (operand(self.argument()),)
        self.at += 1
        inner = self.answer()
        if self.found[self.at][1] != closer:
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind == "list":
            return tuple(map(operand, inner.args))
        return (operand(inner),)

    def argument(self) -> Node:
        r"""A function's argument without brackets: `\sin 2x`, `\cos 58^\circ`."""
        self.deeper()
        found = self.found
        bracket = found[self.at][:2] in (("o", "("), ("o", "{"), ("o", "["), ("o", "|"))
        node = self.primary() if bracket else self.power()
        while not bracket:
            kind, value, _, _ = found[self.at]
            plain = (kind == "l" and (len(value) == 1 or value in CONSTANTS or value in GREEK)) or (
                kind == "c" and (value in ("pi", "frac", "sqrt") or value in GREEK)
            )
            if not plain:
                break
            node = Node("mul", (operand(node), operand(self.power())))
        self.depth -= 1
        return node

    def tex_argument(self) -> Node:
        """What TeX takes as one argument: a group, a command, or a single digit or letter."""
        kind, value, start, end = self.found[self.at]
        if kind == "o" and value == "{":
            return self.braces()
        if len(value) > 1 and ((kind == "n" and value.isdigit()) or kind == "l"):
            self.found[self.at : self.at + 1] = [
                (kind, value[0], start, start + 1),
                (kind, value[1:], start + 1, end),
            ]
            self.at += 1
            return number(int(value[0])) if kind == "n" else symbol(value[0])
        if kind == "n":
            self.at += 1
            return number(integer(value)) if value.isdigit() else Node("decimal", (), value)
        return self.primary()

    def command(self, value: str) -> Node:
        """What a command of TeX stands for."""
        handler = _COMMANDS.get(value)
        if handler is not None:
            self.at += 1
            return handler(self)
        if value in FUNCTION_NAMES:
            self.at += 1
            return self.function(FUNCTION_NAMES[value])
        if value in GREEK:
            self.at += 1
            if value == "Gamma" and self.found[self.at][:2] == ("o", "("):
                return self.function("gamma")
            return self.subscripted(value)
        if value in DECORATIONS:
            self.at += 1
            value = _SAME_DECORATION.get(value, value)
            inner = self.tex_argument()
            name = "i" if inner == CONSTANTS["i"] else letters_of(inner)
            if name is not None and name.removeprefix("hat ") in ("i", "j", "k"):
                return symbol(f"hat {name.removeprefix('hat ')}")
            if name is None:
                if value == "bar" and inner.kind in OPERAND:
                    return call("conjugate", operand(inner))
                raise Unreadable("unknown")
            return self.subscripted(f"{value} {name}")
        raise Unreadable("unknown")

    def frac(self) -> Node:
        r"""`\frac`: two arguments."""
        top, bottom = self.tex_argument(), self.tex_argument()
        if top.kind == "number" and bottom.kind == "number":
            (a, b), (c, d) = fraction_of(top), fraction_of(bottom)
            if b == d == 1 and c != 0:
                return fraction(a, c)
        return Node("div", (operand(top), operand(bottom)))

    def sqrt(self) -> Node:
        r"""`\sqrt`, with or without an index."""
        index = number(2)
        if self.found[self.at][:2] == ("o", "["):
            self.at += 1
            index = operand(self.sum())
            if self.found[self.at][1] != "]":
                raise Unreadable("brackets")
            self.at += 1
        kind, value, _, _ = self.found[self.at]
        if kind == "n" and len(value) > 1:
            raise Unreadable("ambiguous")  # `\sqrt12` prints as the root of one, and means it not
        inner = operand(self.argument() if (kind, value) == ("o", "(") else self.tex_argument())
        if (
            index.kind != "number"
            or fraction_of(index)[1] != 1
            or not 0 < fraction_of(index)[0] < 1000
        ):
            return Node("pow", (inner, Node("div", (number(1), index))))
        return Node("root", (inner, index))

    def surd(self) -> Node:
        """`√12`, `√(x+1)`: the sign takes the number or bracket behind it."""
        return Node("root", (operand(self.primary()), number(2)))

    def cbrt(self) -> Node:
        """The cube root sign."""
        return Node("root", (operand(self.primary()), number(3)))

    def binom(self) -> Node:
        r"""`\binom`: two arguments."""
        return call("binomial", operand(self.tex_argument()), operand(self.tex_argument()))

    def blackboard(self) -> Node:
        r"""`\mathbb{R}` and the other sets with a name."""
        braces = self.found[self.at][1] == "{"
        self.at += braces
        name = _NAMED_SETS.get(self.found[self.at][1])
        if name is None:
            raise Unreadable("unknown")
        self.at += 1 + braces
        if self.found[self.at][1] in ("^", "_"):
            return self.half_line(name)
        return Node("named_set", (), name)

    def half_line(self, name: str) -> Node:
        r"""`\mathbb{R}^+`, `\mathbb{R}^{-}`."""
        self.at += 1
        braces = self.found[self.at][1] == "{"
        self.at += braces
        sign = self.found[self.at][1]
        self.at += 1 + braces
        if name != "reals" or sign not in "+-" or (braces and self.found[self.at - 1][1] != "}"):
            raise Unreadable("unknown")
        zero, infinity = number(0), CONSTANTS["infinity"]
        ends = (zero, infinity) if sign == "+" else (Node("neg", (infinity,)), zero)
        return Node("interval", ends, "()")

    def angle(self) -> Node:
        r"""`\angle ABC`: a name."""
        kind, value, _, _ = self.found[self.at]
        if kind != "l" or not value.isalpha() or len(value) > 3:
            raise Unreadable("unknown")
        self.at += 1
        return symbol(f"angle {value}")

    def empty_set(self) -> Node:
        r"""`\emptyset`."""
        return Node("set")

    def floor(self) -> Node:
        r"""`\lfloor ... \rfloor`."""
        return self.enclosed("rfloor", "floor")

    def ceil(self) -> Node:
        r"""`\lceil ... \rceil`."""
        return self.enclosed("rceil", "ceil")

    def enclosed(self, closer: str, name: str) -> Node:
        """A function written as brackets."""
        self.deeper()
        inner = self.sum()
        if self.found[self.at][1] != closer:
            raise Unreadable("brackets")
        self.at += 1
        self.depth -= 1
        return call(name, operand(inner))


_COMMANDS: dict[str, Callable[[Atoms], Node]] = {
    "frac": Atoms.frac,
    "sqrt": Atoms.sqrt,
    "surd": Atoms.surd,
    "cbrt": Atoms.cbrt,
    "binom": Atoms.binom,
    "mathbb": Atoms.blackboard,
    "begin": lambda parser: parser.matrix(),
    "emptyset": Atoms.empty_set,
    "lfloor": Atoms.floor,
    "lceil": Atoms.ceil,
    "pi": lambda _: CONSTANTS["pi"],
    "infty": lambda _: CONSTANTS["infinity"],
    "imath": lambda _: CONSTANTS["i"],
    "jmath": lambda _: symbol("j"),
    "angle": lambda parser: parser.angle(),
    "measuredangle": lambda parser: parser.angle(),
    "R": lambda _: Node("named_set", (), "reals"),
}
