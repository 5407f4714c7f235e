r"""Vectors written with unit vectors: `2\mathbf{i} - \mathbf{j}` is the point (2, -1, 0)."""

from tracefactory.verifiers.maths.nodes import Node, number, symbol

_UNITS = {symbol(f"hat {letter}"): place for place, letter in enumerate("ijk")}
_ZERO = number(0)


def as_points(one: Node, other: Node) -> tuple[Node, Node]:
    """Both with their unit vectors as coordinates, in as many dimensions as they need."""
    if not (_holds_units(one) or _holds_units(other)):
        return one, other
    a, b = _point(one), _point(other)
    if a is None and b is None:
        return one, other
    # In the plane, if the other is: (3, -2) for 3i - 2j.
    sizes = [len(node.args) for node, point in ((one, a), (other, b)) if point is None]
    if sizes in ([], [2]) and all(point is None or point[2] == _ZERO for point in (a, b)):
        a, b = (point and point[:2] for point in (a, b))
    return _tuple(one, a), _tuple(other, b)


def _tuple(node: Node, point: list[Node] | None) -> Node:
    return node if point is None else Node("tuple", tuple(point), "()")


def _holds_units(node: Node) -> bool:
    waiting = [node]
    while waiting:
        kind, args, value = waiting.pop()
        if kind == "symbol" and str(value).startswith("hat "):
            return True
        waiting.extend(args)
    return False


def _point(node: Node) -> list[Node] | None:
    """The three coordinates; None if it is no sum of multiples of unit vectors."""
    if node.kind == "relation" and node.value == ("=",) and len(node.args) == 2:
        node = node.args[1]
    point: list[Node] = [_ZERO] * 3
    for term in node.args if node.kind == "add" else (node,):
        negative = term.kind == "neg"
        inner = term.args[0] if negative else term
        factors = inner.args if inner.kind == "mul" else (inner,)
        places = [_UNITS[part] for part in factors if part in _UNITS]
        rest = tuple(part for part in factors if part not in _UNITS)
        if len(places) != 1 or any(map(_holds_units, rest)):
            return None
        value = Node("mul", rest) if len(rest) > 1 else rest[0] if rest else number(1)
        value = Node("neg", (value,)) if negative else value
        before = point[places[0]]
        point[places[0]] = value if before == _ZERO else Node("add", (before, value))
    return point
