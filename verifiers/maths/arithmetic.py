r"""What joins atoms: signs, sums, products written and unwritten, quotients, powers."""

from tracefactory.verifiers.maths.atoms import DECORATIONS
from tracefactory.verifiers.maths.brackets import OPENINGS, Brackets
from tracefactory.verifiers.maths.cursor import CONSTANTS, FUNCTION_NAMES, GREEK, PREFIXES
from tracefactory.verifiers.maths.lex import Unreadable
from tracefactory.verifiers.maths.nodes import Node, call, fraction_of, symbol
from tracefactory.verifiers.maths.trees import (
    OPERAND,
    fraction,
    negative,
    operand,
    product,
    transposed,
)
from tracefactory.verifiers.maths.units import read_unit

_FACTORS = frozenset(
    ["begin", "frac", "sqrt", "surd", "cbrt", "binom", "lfloor", "lceil", "pi", "infty", "imath"]
)


SETS = frozenset(["named_set", "interval", "set"])
_TRANSPOSED = frozenset(["tuple", "interval", "matrix"])


class Arithmetic(Brackets):
    """Reads expressions."""

    def sum(self) -> Node:
        """Terms with plus and minus between them."""
        found = self.found
        sign = found[self.at][1] if found[self.at][0] == "o" else ""
        if sign == "-":
            self.at += 1
            minus = True
            while found[self.at][:2] == ("o", "-"):  # --5
                minus = not minus
                self.at += 1
            first = self.term()
            first = negative(first) if minus else first
        elif sign == "+":
            self.at += 1
            first = self.term()
        elif sign in ("pm", "mp"):
            self.at += 1
            first = Node("plusminus", (operand(self.term()),), "+" if sign == "pm" else "-")
        else:
            first = self.term()
        if found[self.at][0] != "o" or found[self.at][1] not in ("+", "-", "pm", "mp"):
            return first
        if first.kind in SETS and found[self.at][1] == "-":
            return first  # ℝ - {3}
        parts = [operand(first)]
        while found[self.at][0] == "o" and (sign := found[self.at][1]) in ("+", "-", "pm", "mp"):
            self.at += 1
            right = self.signed_term()
            if sign == "+":
                parts.append(operand(right))
            elif sign == "-":
                parts.append(Node("neg", (operand(right),)))
            else:
                left = parts[0] if len(parts) == 1 else Node("add", tuple(parts))
                parts = [Node("plusminus", (left, operand(right)), "+" if sign == "pm" else "-")]
        return parts[0] if len(parts) == 1 else Node("add", tuple(parts))

    def signed_term(self) -> Node:
        """A term that may carry its own sign: `3 + -2`."""
        if self.found[self.at][:2] == ("o", "-"):
            self.at += 1
            return Node("neg", (operand(self.term()),))
        if self.found[self.at][:2] == ("o", "+"):
            self.at += 1
        return self.term()

    def term(self) -> Node:
        """Factors with signs of multiplication and division between them, or none."""
        node = self.power()
        found = self.found
        while True:
            kind, value, _, _ = found[self.at]
            if kind == "o":
                if value == "*":
                    self.at += 1
                    node = product(node, self.factor())
                elif value == "/":
                    self.at += 1
                    node = self.divided(node)
                elif value == "mod":
                    self.at += 1
                    node = call("mod", operand(node), operand(self.power()))
                elif value in "({[" or value == "|":
                    if value == "|" and self.bars:
                        return node
                    if value == "[" and self.closes_interval():
                        return node
                    if found[self.at + 1][1] == "mod":  # 1 (mod 3)
                        return node
                    if value == "{" and found[self.at + 1][0] == "n":
                        raise Unreadable("ambiguous")  # `{5}{6}` prints as 56
                    node = product(node, self.power())
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
                node = product(node, self.power())

    def divided(self, node: Node) -> Node:
        """The node over the factor behind the stroke."""
        right = self.factor()
        if node.kind == "number" and right.kind == "number":
            (a, b), (c, d) = fraction_of(node), fraction_of(right)
            if c != 0 and b == d == 1:
                return fraction(a, c)
        return Node("div", (operand(node), operand(right)))

    def factor(self) -> Node:
        r"""A power that may carry a sign: `3 \\cdot -2`."""
        if self.found[self.at][:2] == ("o", "-"):
            self.at += 1
            return negative(operand(self.power()))
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
            if value in ("mu", "Omega") and self.found[self.at - 1][0] == "n" and self.is_measure():
                return False
            return (
                value in _FACTORS
                or value in GREEK
                or value in DECORATIONS
                or (value in FUNCTION_NAMES)
            )
        if kind != "l" or value in ("and", "or", "to", "U", "if", "for", "where"):
            return False
        if len(value) == 1:
            # "5 m" is a length, "5m" and "5x" are products.
            if self.behind_degrees():
                return value not in "CFK"
            return not (
                self.spaced()
                and self.found[self.at - 1][0] == "n"
                and read_unit(value) is not None
                and (self.ends_item() or self.is_measure())
            )
        if self.spaced() and self.found[self.at - 1][0] == "n" and self.is_measure():
            return False  # 12 sq in
        if value in FUNCTION_NAMES and self.ends_item() and read_unit(value) is not None:
            return False  # 40 min, 5 sec
        if value in FUNCTION_NAMES or value in CONSTANTS or value in GREEK or value == "sqrt":
            return True
        if len(value) > 4 and not value.startswith(PREFIXES):
            return False
        unit = read_unit(value)
        if unit is None:
            return True
        return unit.kind == "thing" and not (self.spaced() and len(value) > 2)

    def power(self) -> Node:
        """An atom with its exponents, factorials and degree signs."""
        node = self.primary()
        found = self.found
        while True:
            kind, value, _, _ = found[self.at]
            if kind != "o":
                if kind == "c" and value == "circ" and node.kind in OPERAND:
                    self.at += 1
                    node = Node("degrees", (operand(node),))
                    continue
                return node
            if value == "^":
                node = self.raised(node)
            elif value == "!":
                self.at += 1
                node = Node("factorial", (operand(node),))
            elif value == "!!":
                self.at += 1
                node = call("double_factorial", operand(node))
            else:
                return node

    def raised(self, base: Node) -> Node:
        """What stands behind the `^` here, put on the base."""
        self.at += 1
        found = self.found
        first, second = found[self.at], found[self.at + 1]
        if first[:2] == ("c", "circ"):
            self.at += 1
            return Node("degrees", (operand(base),))
        if first[1] == "{" and second[:2] == ("c", "circ") and found[self.at + 2][1] == "}":
            self.at += 3
            return Node("degrees", (operand(base),))
        if base.kind == "degrees":
            raise Unreadable("syntax")
        exponent = self.exponent()
        if base.kind in _TRANSPOSED and exponent in (symbol("T"), symbol("top")):
            return transposed(base)
        return Node("pow", (operand(base), operand(exponent)))

    def exponent(self) -> Node:
        """What stands in the exponent: a group, or one atom with its sign."""
        self.deeper()
        kind, value, _, _ = self.found[self.at]
        if kind == "o" and value in "+-" and value:
            self.at += 1
            inner = self.primary()
            node = negative(inner) if value == "-" else inner
        elif kind == "l" and len(value) > 1 and value not in FUNCTION_NAMES:
            self.split_letters()
            node = self.primary()
        else:
            node = self.primary()
        if self.found[self.at][:2] == ("o", "^"):  # 2^3^4 = 2^(3^4)
            node = self.raised(node)
        self.depth -= 1
        return node

    def primary(self) -> Node:
        """An atom: a number, a name, a command or a bracket."""
        kind, value, _, _ = self.found[self.at]
        self.left -= 1
        if self.left < 0:
            raise Unreadable("too_long")
        if kind == "n":
            return self.numeral(value)
        if kind == "o":
            opened = OPENINGS.get(value)
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
            return fraction(int(top), int(bottom))
        if kind == "t" and (len(value) == 1 or self.is_function()):
            return self.letters(value)
        raise Unreadable("words" if kind == "t" else "syntax")
