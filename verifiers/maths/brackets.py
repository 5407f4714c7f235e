r"""Brackets: groups, points, intervals, sets, absolute values, matrices."""

from collections.abc import Callable

from tracefactory.verifiers.maths.atoms import Atoms
from tracefactory.verifiers.maths.cursor import CONSTANTS
from tracefactory.verifiers.maths.lex import Unreadable, integer
from tracefactory.verifiers.maths.nodes import Node, call, number, signs_of, symbol
from tracefactory.verifiers.maths.trees import determinant, operand

_MATRICES = frozenset(
    ["pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix", "cases", "vmatrix"]
)


class Brackets(Atoms):
    """Reads what brackets of all kinds hold."""

    def group(self) -> Node:
        """`(...)`, `[...]` and their mixtures: a group, a point or an interval."""
        opener = self.found[self.at][1]
        if opener == "[" and self.found[self.at + 1][1] == "[":
            return self.rows()
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

    def rows(self) -> Node:
        """`[[1, 2], [3, 4]]`: a matrix as programs write it."""
        self.at += 1
        rows: list[tuple[Node, ...]] = []
        while True:
            if self.found[self.at][1] != "[":
                raise Unreadable("matrix")
            rows.append(self.arguments())
            if self.found[self.at][1] != ",":
                break
            self.at += 1
        if self.found[self.at][1] != "]" or any(len(row) != len(rows[0]) for row in rows):
            raise Unreadable("matrix")
        self.at += 1
        cells = tuple(cell for row in rows for cell in row)
        return Node("matrix", cells, (len(rows), len(rows[0])))

    def closes_interval(self) -> bool:
        """Is the `[` here the end of `]1, 2[`?"""
        following = self.found[self.at + 1]
        return following[0] == "e" or following[1] in ("cup", "cap", "U", ",", ";", ")")

    def outward(self) -> Node:
        """`]1, 2[`."""
        return self.group()

    def braces(self) -> Node:
        """`{...}`: a group of TeX, or a set written without the backslashes."""
        self.at += 1
        kind, value, _, _ = self.found[self.at]
        if value == "}":
            self.at += 1
            raise Unreadable("empty")
        if self.found[self.at + 1][1] == "}":  # most groups hold one number or letter
            if kind == "n" and value.isdigit():
                self.at += 2
                return number(integer(value))
            if kind == "l" and len(value) == 1 and value not in CONSTANTS:
                self.at += 2
                return symbol(value)
        bars, self.bars = self.bars, 0
        inner = self.answer()
        self.bars = bars
        kind, value, _, _ = self.found[self.at]
        if kind == "c" and value in ("over", "choose"):
            self.at += 1
            right = self.answer()
            if value == "over":
                inner = Node("div", (operand(inner), operand(right)))
            else:
                inner = call("binomial", operand(inner), operand(right))
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
            of_reals = inner.kind == "symbol" or (
                inner.kind == "relation" and inner.args[1:] == (Node("named_set", (), "reals"),)
            )
            inner = self.answer()
            if self.found[self.at][1] != "\\}" or inner.kind != "relation" or not of_reals:
                raise Unreadable("set")
            self.at += 1
            return inner
        if self.found[self.at][1] != "\\}":
            raise Unreadable("brackets")
        self.at += 1
        if inner.kind == "relation" and inner.value and inner.value[0] == "in":
            domain = inner.args[1]  # {x in R : x > 2}
            if domain.kind == "ratio" and domain.args[0] == Node("named_set", (), "reals"):
                return Node("relation", (domain.args[1], *inner.args[2:]), signs_of(inner)[1:])
        if inner.kind == "relation" and inner.args[0].kind == "ratio":  # {x : x > 2}
            return Node("relation", (inner.args[0].args[-1], *inner.args[1:]), inner.value)
        return Node("set", inner.args if inner.kind == "list" else (inner,))

    def angle_brackets(self) -> Node:
        r"""`\langle 1, 2 \rangle`: a vector."""
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
        """`|x|`."""
        self.deeper()
        self.at += 1
        self.bars += 1
        inner = self.sum()
        self.bars -= 1
        self.depth -= 1
        if self.found[self.at][1] != "|":
            raise Unreadable("brackets")
        self.at += 1
        return call("abs", operand(inner))

    def matrix(self) -> Node:
        r"""`\begin{pmatrix} ... \end{pmatrix}` and its like."""
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
        if name == "cases":
            return self.cases()
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
        if name == "vmatrix":
            return determinant(rows)
        cells = tuple(cell for row in rows for cell in row)
        return Node("matrix", cells, (len(rows), width))

    def cases(self) -> Node:
        r"""`\begin{cases} x = 1 \\ y = 2 \end{cases}`, a system: the list of its equations.

        A function in pieces is the list of its pairs of value and condition.
        """
        items: list[Node] = []
        while self.found[self.at][:2] != ("c", "end"):
            item = self.relation()
            while self.found[self.at][1] == ",":
                self.at += 1
            if self.found[self.at][1] == "&":
                self.at += 1
                item = Node("tuple", (item, self.condition()), "()")
            elif item.kind != "relation":
                raise Unreadable("matrix")
            items.append(item)
            while self.found[self.at][1] in ("\\\\", ",", ";", "."):
                self.at += 1
        if "".join(token[1] for token in self.found[self.at : self.at + 4]) != "end{cases}":
            raise Unreadable("matrix")
        self.at += 4
        return Node("list", tuple(items), ",")

    def condition(self) -> Node:
        r"""`x < 0`, `\text{if } x < 0`, `\text{otherwise}`."""
        kind, value, _, _ = self.found[self.at]
        if kind in "tl" and value.lower() in ("if", "for", "when"):
            self.at += 1
        return self.relation()

    def cell(self) -> Node:
        """One entry of a matrix or vector."""
        self.deeper()
        inner = self.sum()
        self.depth -= 1
        return inner


OPENINGS: dict[str, Callable[[Brackets], Node]] = {
    "(": Brackets.group,
    "[": Brackets.group,
    "]": Brackets.outward,
    "{": Brackets.braces,
    "\\{": Brackets.set,
    "<<": Brackets.angle_brackets,
    "<": Brackets.angle_brackets,
    "|": Brackets.absolute,
}
