r"""Names in answers: `x = 5` names a value, `x = 1, y = 2` and `(x, y) = (1, 2)` several.

A name is also what can be no equation to solve: `f(x)`, `AB`, `|AB|`, `\\text{Area}`, `dy/dx`, and
before a constant an expression of several unknowns, `m + n = 12`.

Also `±`, which stands for several values.
"""

from collections.abc import Iterator, Sequence
from itertools import product, repeat

from tracefactory.verifiers.maths.nodes import Node

MAX_SIGNS = 5
"""Independent `±` within one value."""


def is_name_of(left: Node, right: Node) -> bool:
    """Does the left side only give the right one a name: `x`, `f(x)`, `P(x)`, `(x, y)`?"""
    if left.kind == "symbol":
        return left.value not in names_in(right)
    if left.kind == "apply":
        return left.value not in names_in(right)
    if left.kind == "mul" and all(part.kind == "symbol" for part in left.args):
        head = left.args[0]  # P(x) reads as a product
        return (
            len(left.args) == 2 and str(head.value).isupper() and head.value not in names_in(right)
        )
    if left.kind == "text":
        return True
    if left.kind == "div" and left.args[0].kind == "mul" and left.args[1].kind == "mul":
        return all(part.args[0] == Node("symbol", (), "d") for part in left.args)
    if left.kind == "call" and left.value == "abs":
        return _is_segment(left.args[0])
    return left.kind == "tuple" and all(part.kind == "symbol" for part in left.args)


def is_value_of(left: Node, right: Node) -> bool:
    """Does it say the value of something: of a name, or of a sum of several unknowns?

    `m + n = 12` is no equation to solve, where one value is asked for; `x + 1 = 7` is, and
    `x + y = 12` is a line.
    """
    if is_name_of(left, right) or (left.args and is_function_of(left, left.args[0], right)):
        return True
    names = names_in(left)
    if left.kind != "add" or len(names) < 2 or names & {"x", "y", "z"} or names_in(right):
        return False
    return all(
        term.kind == "symbol"
        or (term.kind == "mul" and [part.kind for part in term.args] == ["number", "symbol"])
        for term in left.args
    )


def is_function_of(node: Node, name: Node, value: Node) -> bool:
    """Is it `y(x)`, which reads as a product, before what depends on x and not on y?"""
    if node.kind != "mul" or len(node.args) != 2 or node.args[0] != name:
        return False
    names = names_in(value)
    return name.kind == "symbol" and names_in(node.args[1]) <= names - {str(name.value)}


def _is_segment(node: Node) -> bool:
    """`AB`, which reads as a product; `S`, which may be a set."""
    parts = node.args if node.kind == "mul" else (node,)
    return all(part.kind == "symbol" and str(part.value).isupper() for part in parts)


def names_in(node: Node) -> frozenset[str]:
    """All names in a tree of any kind, those of unknown functions too."""
    if node.kind in ("symbol", "apply"):
        return frozenset([str(node.value)]).union(*map(names_in, node.args))
    return frozenset().union(*map(names_in, node.args))


def is_constant_value(node: Node) -> bool:
    """Is there no name in it?"""
    return not names_in(node)


def is_assignments(items: Sequence[Node]) -> bool:
    """Each item gives another name a value."""
    names = [
        part.args[0]
        for part in items
        if part.kind == "relation" and part.value == ("=",) and part.args[0].kind == "symbol"
    ]
    return len(names) == len(items) > 1 and len(set(names)) == len(names)


def without_name(items: list[Node]) -> list[Node]:
    """Values that all have the same name, without it: `x = 1 or x = 2`, `x_1 = 1, x_2 = 2`."""
    names = {
        str(part.args[0].value).partition("_")[0]
        for part in items
        if part.kind == "relation" and part.value == ("=",) and part.args[0].kind == "symbol"
    }
    relations = sum(part.kind == "relation" for part in items)
    if len(names) != 1 or (relations not in (1, len(items))):
        return items
    if relations == 1 and len(items) > 1 and items[0].kind != "relation":
        return items
    return [part.args[-1] if part.kind == "relation" else part for part in items]


def by_name(items: Sequence[Node]) -> list[Node]:
    """The values of assignments, in the order of their names where those have one."""
    return [items[k].args[-1] for k in _order_of([str(part.args[0].value) for part in items])]


def in_order(head: Node, point: Node) -> Node:
    """The point in the order of its coordinates' names: `(y, x) = (1, 2)` is (2, 1)."""
    if head.kind != "tuple" or point.kind != "tuple" or len(head.args) != len(point.args):
        return point
    if not all(part.kind == "symbol" for part in head.args):
        return point
    order = _order_of([str(part.value) for part in head.args])
    return Node("tuple", tuple(point.args[k] for k in order), point.value)


def _order_of(names: Sequence[str]) -> list[int]:
    """X before y before z, x_1 before x_2; of other names nobody knows, so as written."""
    order = list(range(len(names)))
    if all(name.partition("_")[0] in ("x", "y", "z") for name in names):
        order.sort(key=names.__getitem__)
    return order


def expanded(node: Node) -> list[Node]:
    """The values that `±` stands for; the node alone if it holds none.

    Several `±` are independent; with a `∓` among them they go together, and it against them.
    """
    if not has_sign(node):
        return [node]
    signs = _signs(node)
    if "-" in signs or len(signs) > MAX_SIGNS:
        return [_with_signs(node, repeat(sign)) for sign in "+-"]
    return [_with_signs(node, iter(choice)) for choice in product("+-", repeat=len(signs))]


def has_sign(node: Node) -> bool:
    """Is there a `±` in the tree?"""
    todo = [node]
    while todo:
        node = todo.pop()
        if node.kind == "plusminus":
            return True
        if node.args:
            todo.extend(node.args)
    return False


def _signs(node: Node) -> str:
    """The signs in the tree, `±` as + and `∓` as -."""
    own = str(node.value) if node.kind == "plusminus" else ""
    return "".join(map(_signs, node.args)) + own


def _with_signs(node: Node, signs: Iterator[str]) -> Node:
    if not node.args:
        return node
    args = tuple(_with_signs(part, signs) for part in node.args)
    if node.kind != "plusminus":
        return Node(node.kind, args, node.value)
    last = args[-1] if node.value == next(signs) else Node("neg", args[-1:])
    return last if len(args) == 1 else Node("add", (args[0], last))


def elements(node: Node) -> list[Node]:
    """The items of a list or set, each `±` written out."""
    parts = node.args if node.kind in ("list", "set") else (node,)
    return [value for part in parts for value in expanded(part)]


def flat(node: Node) -> list[Node]:
    """The parts of a union or list, those of parts that are one too."""
    return [
        part
        for inner in node.args
        for part in (flat(inner) if inner.kind == node.kind else [inner])
    ]
