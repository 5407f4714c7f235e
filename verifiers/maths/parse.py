r"""Read LaTeX and plain mathematics into a tree (nodes.py), all of the text, or refuse it.

Beyond the kinds of nodes.py, a tree from here may hold these, which reading.py gives a meaning:

    decimal    value the number as written, "3.14": it shows how exactly it is known
    based      args the number, value "1010_2" as written
    degrees    args 1
    percent    args 1
    quantity   args 1, value the unit as written: `5\text{ cm}`, `\$5`
    congruence args the sides (one or two) and the modulus
    compound   args 2 or more quantities: `1 hour 40 minutes`
    approx     args 1: `\approx 3.14`
    text       value words that stand as an item: `\text{east}`

Readings of what is ambiguous: `1/2x` is from left to right, `(1/2)x`. `x^10` is the tenth power.
`\frac12` is a half. `1\frac12` and `1 1/2` are mixed numbers, if the fraction is proper. `e` and
`i` are the constants. `f`, `g`, `h` before a bracket are functions, other letters are factors.
Letters in a row are factors (`xy`), if they are four at most. `C(5,2)` is a binomial coefficient.

Not here: what an answer means (reading.py), whether two agree (answers.py). Time is linear; depth,
nodes and characters have caps. Nothing is evaluated.
"""

import re

from tracefactory.verifiers.maths.arithmetic import SETS, Arithmetic
from tracefactory.verifiers.maths.cursor import LOOK_AHEAD
from tracefactory.verifiers.maths.lex import Unreadable, clean, tokens
from tracefactory.verifiers.maths.naming import is_constant_value
from tracefactory.verifiers.maths.nodes import Node, number
from tracefactory.verifiers.maths.trees import (
    OPERAND,
    based_number,
    is_number_in_base,
    levels,
    operand,
)
from tracefactory.verifiers.maths.units import read_unit, same_dimension, scale_word

_CURRENCIES = {
    "\\$": "$",
    "euro": "€",
    "sterling": "£",
    "pounds": "£",
    "yen": "¥",
    "texteuro": "€",
    "rupee": "₹",
}
_UNIT_COMMANDS = frozenset(["circ", "mu", "Omega", "cents", "AA"])
_ALL_REALS = frozenset(["all real numbers", "real numbers", "all reals", "the real numbers"])
MAX_LEVELS = 150
"""Of a tree: `1/2/3/...` and `5!!!...` nest without any bracket."""
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BASED = re.compile(r"(-?) ?(?:\\(?:text|mathrm)\{)?([0-9A-Z]{2,})\}? ?_ ?\{?([0-9]{1,2})\}?")


def parse(text: str, grouping: bool = True) -> Node:
    """The tree of the whole text.

    Raises:
        Unreadable: why it is none, in one word.
    """
    cleaned = clean(text)
    if _ISO_DATE.fullmatch(cleaned):
        raise Unreadable("words")  # no subtraction has such noughts
    if "_" in cleaned and len(cleaned) < 500:
        based = _BASED.fullmatch(cleaned)
        if based is not None and is_number_in_base(based[2], int(based[3])):
            inner = based_number(based[2], int(based[3]))  # 1A_{16}: letters that are digits
            return Node("neg", (inner,)) if based[1] else inner
    node = Parser(cleaned, tokens(cleaned, grouping)).whole()
    if len(cleaned) > MAX_LEVELS and levels(node) > MAX_LEVELS:
        raise Unreadable("too_deep")
    return node


class Parser(Arithmetic):
    """Reads a whole answer: one pass by precedence over its tokens."""

    def whole(self) -> Node:
        """All tokens as one answer."""
        # A full stop is no token, but "x." still ends in one that the reader took off before.
        last = -1 - LOOK_AHEAD
        while len(self.found) > LOOK_AHEAD and self.found[last][1] in (",", ";"):
            del self.found[last]
        node = self.answer()
        if self.found[self.at][0] != "e":
            raise Unreadable("syntax")
        return node

    def answer(self) -> Node:
        """Items with separators between them."""
        self.deeper()
        first = self.relation()
        if self.separator() is None:
            self.depth -= 1
            return first
        items, signs = [first], []
        while (sign := self.separator()) is not None:
            signs.append(sign)
            self.at += 1
            while (again := self.separator()) in ("and", "or"):  # ", and"
                signs.append(again)
                self.at += 1
            items.append(self.relation())
        self.depth -= 1
        return Node(
            "list", tuple(items), "or" if "or" in signs else "and" if "and" in signs else ","
        )

    def relation(self) -> Node:
        """Sides with relations between them."""
        if self.found[self.at][1] == "~":
            self.at += 1
            return Node("approx", (self.union(),))
        first = self.union()
        if self.found[self.at][1] in ("pmod", "("):
            return self.congruence((first,))
        if not self.is_relation_sign():
            return first
        if self.found[self.at][1] == "equiv":
            self.at += 1
            return self.congruence((first, self.union()))
        sides: list[Node] = [first]
        signs: list[str] = []
        while self.is_relation_sign():
            signs.append(self.found[self.at][1])
            self.at += 1
            sides.append(self.union())
        return Node("relation", tuple(sides), tuple(signs))

    def congruence(self, sides: tuple[Node, ...]) -> Node:
        r"""`... \\pmod{3}`, `... (\\bmod 3)`, `... \\mod 3`: what stands before the modulus."""
        bracket = self.found[self.at][1] == "("
        self.at += bracket
        if self.found[self.at][1] not in ("pmod", "mod"):
            raise Unreadable("syntax")
        self.at += 1
        modulus = operand(self.power())
        if bracket and self.found[self.at][1] != ")":
            raise Unreadable("brackets")
        self.at += bracket
        return Node("congruence", (*map(operand, sides), modulus))

    def union(self) -> Node:
        """Sets with their signs between them."""
        braces = self.found[self.at][1] == "{"
        first = self.ratio()
        if braces and first.kind in OPERAND and self.is_set_sign():  # `{2} ∪ (3, 4)`
            first = Node("set", (first,))
        while self.is_set_sign() or (first.kind in SETS and self.found[self.at][1] == "-"):
            sign = self.found[self.at][1]
            self.at += 1
            kind = {"cup": "union", "U": "union", "cap": "intersection"}.get(sign, "difference")
            braces = self.found[self.at][1] == "{"
            right = self.ratio()
            if braces and right.kind in OPERAND:  # `ℝ ∖ {2}`, without the backslashes
                right = Node("set", (right,))
            first = Node(kind, (first, right))
        return first

    def ratio(self) -> Node:
        """Parts with colons between them."""
        first = self.quantity()
        parts = [first]
        while self.found[self.at][1] == ":" or self.found[self.at][:2] in (
            ("t", "to"),
            ("l", "to"),
        ):
            self.at += 1
            parts.append(self.quantity())
        return first if len(parts) == 1 else Node("ratio", tuple(parts))

    def quantity(self) -> Node:
        """An expression with its unit, or words."""
        kind, value, _, _ = self.found[self.at]
        if kind in "oc" and (value in _CURRENCIES or value == "-"):
            money = self.money()
            if money is not None:
                return money
        if kind == "t" and len(value) > 1 and not self.is_function():
            self.at += 1
            if value.lower() in _ALL_REALS:
                return Node("named_set", (), "reals")
            return Node("text", (), value)
        first = self.measured(self.sum())
        if first.kind != "quantity":
            return first
        parts = [first]
        while (part := self.smaller_part(parts[-1])) is not None:
            parts.append(part)
        return first if len(parts) == 1 else Node("compound", tuple(parts))

    def smaller_part(self, before: Node) -> Node | None:
        """The `30 minutes` of `1 hour 30 minutes`; two lengths in the same unit are a list."""
        begin = self.at
        joined = self.separator() == "and"
        self.at += joined
        if self.found[self.at][0] != "n":
            self.at = begin
            return None
        part = self.measured(self.sum())
        units = [read_unit(str(node.value)) for node in (before, part) if node.kind == "quantity"]
        if len(units) == 2 and units[0] != units[1]:
            one, other = units
            if one is not None and other is not None and same_dimension(one, other):
                return part
        if not joined:
            raise Unreadable("syntax")
        self.at = begin
        return None

    def money(self) -> Node | None:
        """A currency sign and its amount; None if none stands here."""
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
                inner = Node("mul", (operand(inner), number(scale)))
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
        elif (
            kind not in "tl"
            or self.separator() is not None
            or value == "to"
            or self.is_set_sign()
            or self.is_relation_sign()
        ):
            return node
        if kind in "tl":
            lower = value.lower()
            if lower in ("percent", "per cent"):
                self.at += 1
                return Node("percent", (node,))
            scale = scale_word(lower)
            if scale is not None and node.kind in OPERAND:
                self.at += 1
                return self.measured(Node("mul", (operand(node), number(scale))))
        end = self.unit_end()
        unit = self.text[start:end].strip()
        if node.kind == "degrees":  # `25^\\circ\text{C}`
            unit, node = f"^\\circ {unit}", node.args[0]
        read = read_unit(unit)
        if read is None or (read.kind == "thing" and not is_constant_value(node)):
            raise Unreadable("words")  # "New York": no number of Yorks
        return Node("quantity", (node,), unit)

    def unit_end(self) -> int:
        """Move behind the unit that starts here; where its text ends."""
        opened = brackets = 0
        while True:
            kind, value, _, _stop = self.found[self.at]
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
            elif value == "(" and before in ("/", "*"):
                brackets += 1
            elif value == ")" and brackets:
                brackets -= 1
            elif value not in ("^", "/", "*") and not (value == "-" and before in ("^", "{")):
                break
            self.at += 1
        return self.found[self.at - 1][3]
