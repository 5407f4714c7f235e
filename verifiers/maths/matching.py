"""Pair off the items of two unordered lists."""

from flint import arb

from tracefactory.verifiers.maths.decide import symbols, value_ball
from tracefactory.verifiers.maths.nodes import Node
from tracefactory.verifiers.maths.values import NotAValue, Value, value_of


def without_same(want: list[Node], got: list[Node]) -> tuple[list[Node], list[Node]]:
    """What is left on both sides when items that are the same tree are paired off."""
    left = list(got)
    kept = []
    for node in want:
        if node in left:
            left.remove(node)
        else:
            kept.append(node)
    return kept, left


def ball_of(node: Node) -> object:
    """Where a constant lies, to 64 bits; None for anything that has another meaning beside."""
    try:
        value = value_of(node)
    except NotAValue:
        return None
    plain_value = value == Value(value.node)
    return value_ball(value.node, 64) if plain_value and not symbols(value.node) else None


def are_apart(one: object, other: object) -> bool:
    """Balls that do not meet: proof that two constants differ, without looking closer."""
    return isinstance(one, arb) and isinstance(other, arb) and not one.overlaps(other)


def pairing(fits: list[list[bool]]) -> list[int] | None:
    """For each row a column of its own that fits, or None (Kuhn's algorithm)."""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    for row in range(len(fits)):
        if not place(row, set()):
            return None
    columns = {row: column for column, row in taken.items()}
    return [columns[row] for row in range(len(fits))]
