r"""Sets of real numbers: intervals, unions, inequalities and finite sets as one normal form.

A real set is a list of pieces in rising order that do not touch: (low, closed, high, closed), the
ends as trees, ±infinity included. `x < 2 or x > 3` and `(-\infty,2) \cup (3,\infty)` become the
same list. Ends are ordered by certified comparison (decide.compare); where that cannot
tell, there is no normal form.

Not here: sets of anything but real numbers; inequalities where the variable does not stand alone
(answers.py compares those as they are).
"""

from itertools import pairwise
from typing import NamedTuple

from tracefactory.verifiers.maths.decide import compare, is_constant
from tracefactory.verifiers.maths.nodes import Node, constant, number, signs_of
from tracefactory.verifiers.maths.values import NotAValue, lowered

MAX_PIECES = 64

_INFINITY = constant("infinity")
_MINUS_INFINITY = Node("neg", (_INFINITY,))


class Piece(NamedTuple):
    """One interval; a point has equal closed ends."""

    low: Node
    low_closed: bool
    high: Node
    high_closed: bool


Pieces = tuple[Piece, ...]
_ALL: Pieces = (Piece(_MINUS_INFINITY, False, _INFINITY, False),)


class NoSet(Exception):
    """A tree that is no set of real numbers, or one whose order nothing can tell."""


def real_set(node: Node) -> tuple[Pieces, str | None]:
    """The set in normal form, and the variable that an inequality speaks of (None: of none).

    Raises:
        NoSet: if it is none.
    """
    pieces, name = _read(node)
    if len(pieces) > MAX_PIECES:
        raise NoSet
    return _merged(pieces), name


def looks_like_a_set(node: Node) -> bool:
    """Is it written as a set of real numbers, and can it be nothing else?"""
    if node.kind in ("interval", "union", "intersection", "difference", "named_set"):
        return True
    if node.kind == "relation":
        return any(sign not in ("=", "~") for sign in node.value or ())
    if node.kind == "list":
        return all(looks_like_a_set(part) for part in node.args)
    if node.kind == "tuple" and len(node.args) == 2 and node.value == "()":
        return _INFINITY in node.args or _MINUS_INFINITY in node.args
    return False


def _order(one: Node, other: Node) -> int:
    if one == other:
        return 0
    for sign, end in ((-1, _MINUS_INFINITY), (1, _INFINITY)):
        if end in (one, other):
            return sign if one == end else -sign
    found = compare(one, other)
    if found is None:
        raise NoSet
    return found


def _end(node: Node) -> Node:
    if node.kind == "neg" and node.args[0] == _INFINITY:
        return node
    if node.kind == "constant" and node.value == "infinity":
        return node
    try:
        low = lowered(node)
    except NotAValue:
        raise NoSet from None
    if not is_constant(low):
        raise NoSet
    return low


def _read(node: Node) -> tuple[list[Piece], str | None]:
    kind = node.kind
    if kind == "interval" or (kind == "tuple" and len(node.args) == 2 and node.value == "()"):
        ends = str(node.value)
        low, high = map(_end, node.args)
        return [Piece(low, ends[0] == "[", high, ends[1] == "]")], None
    if kind == "set":
        points = [_end(part) for part in node.args]
        return [Piece(point, True, point, True) for point in points], None
    if kind == "union":
        return _joined([_read(part) for part in node.args])
    if kind == "named_set" and node.value == "reals":
        return list(_ALL), None
    if kind == "difference":
        (kept, name), (taken, other) = _read(node.args[0]), _read(node.args[1])
        return _common(kept, _complement(taken)), _one_name([name, other])
    if kind == "intersection":
        (kept, name), (also, other) = _read(node.args[0]), _read(node.args[1])
        return _common(kept, also), _one_name([name, other])
    if kind == "relation":
        return _inequality(node)
    if kind == "list":
        parts = [_read(part) for part in node.args]
        if node.value == "or" or not all(part.kind == "relation" for part in node.args):
            return _joined(parts)
        pieces = parts[0][0]
        for other_pieces, _ in parts[1:]:
            pieces = _common(pieces, other_pieces)
        return pieces, _one_name([name for _, name in parts])
    raise NoSet


def _joined(parts: list[tuple[list[Piece], str | None]]) -> tuple[list[Piece], str | None]:
    return [piece for pieces, _ in parts for piece in pieces], _one_name(
        [name for _, name in parts]
    )


def _one_name(names: list[str | None]) -> str | None:
    known = {name for name in names if name is not None}
    if len(known) > 1:
        raise NoSet
    return known.pop() if known else None


_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


def _inequality(node: Node) -> tuple[list[Piece], str | None]:
    sides, signs = node.args, signs_of(node)
    if len(sides) == 2 and signs == ("in",):
        if sides[0].kind != "symbol":
            raise NoSet
        pieces, _ = _read(sides[1])
        return pieces, str(sides[0].value)
    if len(sides) == 3 and sides[1].kind == "symbol":
        first = Node("relation", sides[:2], signs[:1])
        second = Node("relation", sides[1:], signs[1:])
        (one, name), (other, _) = _inequality(first), _inequality(second)
        return _common(one, other), name
    if len(sides) != 2 or signs[0] not in _FLIPPED:
        raise NoSet
    left, right, sign = sides[0], sides[1], signs[0]
    if not _is_subject(left):
        left, right, sign = right, left, _FLIPPED[sign]
    if not _is_subject(left):
        raise NoSet
    if left.kind == "call":
        return _distance(left.args[0], sign, right)
    end, name = _end(right), str(left.value)
    if sign == "=":
        return [Piece(end, True, end, True)], name
    if sign == "!=":
        return [
            Piece(_MINUS_INFINITY, False, end, False), Piece(end, False, _INFINITY, False)
        ], name  # fmt: skip
    closed = sign.endswith("=")
    if sign[0] == "<":
        return [Piece(_MINUS_INFINITY, False, end, closed)], name
    return [Piece(end, closed, _INFINITY, False)], name


def _is_subject(node: Node) -> bool:
    """`x`, or `|x|`, `|x - 3|`."""
    if node.kind == "call" and node.value == "abs":
        inner = node.args[0]
        return inner.kind == "symbol" or (inner.kind == "add" and inner.args[0].kind == "symbol")
    return node.kind == "symbol"


def _distance(inner: Node, sign: str, end: Node) -> tuple[list[Piece], str | None]:
    """`|x - a| < b` is `a - b < x < a + b`; of a `b` that may be negative nothing is said."""
    radius = _end(end)
    if _order(radius, number(0)) <= 0:
        raise NoSet
    name, center = inner, number(0)
    if inner.kind == "add":
        name = inner.args[0]
        center = _end(Node("neg", (Node("add", inner.args[1:]),)))
    low, high = Node("add", (center, Node("neg", (radius,)))), Node("add", (center, radius))
    within = Node(
        "relation", (low, name, high), ("<=", "<=") if sign in ("<=", ">") else ("<", "<")
    )
    pieces, said = _inequality(within)
    if sign[0] == "<":
        return pieces, said
    if sign[0] == ">":
        return _complement(pieces), said
    ends = [Piece(low, True, low, True), Piece(high, True, high, True)]
    return (ends if sign == "=" else _complement(ends)), said


def _merged(pieces: list[Piece]) -> Pieces:
    """In rising order, what touches made one, what is empty left out."""
    kept = []
    for piece in pieces:
        order = _order(piece.low, piece.high)
        if order > 0:
            raise NoSet  # (3, 1) is no interval
        if order < 0 or (piece.low_closed and piece.high_closed):
            kept.append(piece)
    ordered: list[Piece] = []
    for piece in kept:  # insertion: comparisons are costly and may have no answer, so no sort()
        at = len(ordered)
        while at and _before(piece, ordered[at - 1]):
            at -= 1
        ordered.insert(at, piece)
    found: list[Piece] = []
    for piece in ordered:
        if found and _touch(found[-1], piece):
            found[-1] = _hull(found[-1], piece)
        else:
            found.append(piece)
    return tuple(found)


def _before(one: Piece, other: Piece) -> bool:
    order = _order(one.low, other.low)
    return order < 0 or (order == 0 and one.low_closed and not other.low_closed)


def _touch(one: Piece, other: Piece) -> bool:
    order = _order(one.high, other.low)
    return order > 0 or (order == 0 and (one.high_closed or other.low_closed))


def _hull(one: Piece, other: Piece) -> Piece:
    order = _order(one.high, other.high)
    if order > 0:
        return one
    closed = other.high_closed or (order == 0 and one.high_closed)
    return one._replace(high=other.high, high_closed=closed)


def _complement(pieces: list[Piece]) -> list[Piece]:
    merged = _merged(pieces)
    if not merged:
        return list(_ALL)
    found = [Piece(_MINUS_INFINITY, False, merged[0].low, not merged[0].low_closed)]
    for one, other in pairwise(merged):
        found.append(Piece(one.high, not one.high_closed, other.low, not other.low_closed))
    found.append(Piece(merged[-1].high, not merged[-1].high_closed, _INFINITY, False))
    return [piece for piece in found if _order(piece.low, piece.high) <= 0 and not _is_void(piece)]


def _is_void(piece: Piece) -> bool:
    if _order(piece.low, piece.high) < 0:
        return False
    return not (piece.low_closed and piece.high_closed) or piece.low in (_INFINITY, _MINUS_INFINITY)


def _common(one: list[Piece], other: list[Piece]) -> list[Piece]:
    if len(one) * len(other) > MAX_PIECES:
        raise NoSet
    found = []
    for a in one:
        for b in other:
            order = _order(a.low, b.low)
            low, low_closed = (a.low, a.low_closed) if order > 0 else (b.low, b.low_closed)
            if order == 0:
                low_closed = a.low_closed and b.low_closed
            order = _order(a.high, b.high)
            high, high_closed = (a.high, a.high_closed) if order < 0 else (b.high, b.high_closed)
            if order == 0:
                high_closed = a.high_closed and b.high_closed
            piece = Piece(low, low_closed, high, high_closed)
            if _order(low, high) <= 0 and not _is_void(piece):
                found.append(piece)
    return found
