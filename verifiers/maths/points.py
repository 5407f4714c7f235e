"""Where to compare two functions: pseudo-random points from a seed, and which symbols are whole.

Symbols are real. Points mix signs, sizes, whole numbers and the neighbourhood of the constants in
the expressions, since that is where pieces of |x - 7| meet. Coordinates are dyadic, so that balls
hold them exactly and floor(x) is known at whole x. A symbol inside a factorial or binomial, or in
the exponent of a negative base, is sampled at positive whole numbers only.

Not here: evaluating (balls.py).
"""

import hashlib
import random
from collections.abc import Iterator, Sequence

from flint import arb

from tracefactory.verifiers.maths.graph import Graph
from tracefactory.verifiers.maths.nodes import Node

_WHOLE_CALLS = frozenset(["binomial", "double_factorial", "gcd", "lcm"])
_SMOOTH_CALLS = frozenset(["sin", "cos", "sinh", "cosh", "tanh", "arsinh", "arctan", "gamma"])


def fingerprint(node: Node) -> str:
    """A digest of a tree that is the same in every process."""
    # Not repr: it refuses numbers beyond 4,300 digits.
    parts: list[str] = []
    stack = [node]
    while stack:
        kind, args, value = stack.pop()
        parts.append(kind)
        if kind == "number" and isinstance(value, tuple):
            parts += [hex(part) if isinstance(part, int) else part for part in value]
        elif value is not None:
            parts.append(str(value))
        parts.append(str(len(args)))
        stack.extend(args)
    text = "\0".join(parts).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def symbols_of(graph: Graph, order: Sequence[int]) -> list[str]:
    """The names of the variables, in alphabetical order."""
    return sorted(str(graph.ops[v].payload) for v in order if graph.ops[v].name == "symbol")


def whole_symbols(graph: Graph, order: Sequence[int]) -> frozenset[str]:
    """Which variables can only be whole numbers, judging by where they stand."""
    starts: list[int] = []
    for vertex in order:
        name, args, payload = graph.ops[vertex]
        if name == "factorial" or (name == "call" and payload in _WHOLE_CALLS):
            starts += args
        elif name == "power":
            base = graph.value(args[0])
            if base is not None and base < 0:
                starts.append(args[1])
    if not starts:
        return frozenset()
    inner = graph.reachable(tuple(starts))
    return frozenset(str(graph.ops[v].payload) for v in inner if graph.ops[v].name == "symbol")


def in_pieces(graph: Graph, order: Sequence[int]) -> bool:
    """Does anything in it change its formula from place to place?"""
    for vertex in order:
        name, args, payload = graph.ops[vertex]
        if name == "call" and payload not in _SMOOTH_CALLS:
            return True
        if name in ("root", "principal") and graph.value(args[0]) is None:
            return True
        if name in ("power", "ln"):
            return True
    return False


def points(
    graph: Graph, order: Sequence[int], whole: frozenset[str], seed: str
) -> Iterator[dict[str, arb]]:
    """Endless points; the first ones are the plainest, later ones try harder to hit a domain."""
    rng = random.Random(seed)
    names = symbols_of(graph, order)
    hints: list[float] = []
    place = 0
    offsets = {name: rng.randrange(12) for name in names}
    while True:
        style = _STYLES[place % len(_STYLES)]
        # Every other round all symbols have the same style, else each its own.
        together = place % 2 == 0
        point: dict[str, arb] = {}
        for name in names:
            if name in whole:
                point[name] = arb(_whole(rng, place, offsets[name]))
                continue
            own = style if together else _STYLES[rng.randrange(len(_STYLES))]
            if own == "hint" and not hints:
                hints = _hints(graph, order)
            point[name] = arb(_coordinate(rng, own, hints))
        yield point
        place += 1


_STYLES = (
    "unit",
    "few",
    "minus",
    "whole",
    "hint",
    "many",
    "under",
    "hint",
    "half",
    "tiny",
    "large",
    "below",
    "above",
)


def _whole(rng: random.Random, place: int, offset: int) -> int:
    """All of 1 to 12 in the first twelve points, then mixed, some larger."""
    if place < 12:
        return 1 + (place + offset) % 12
    return rng.randrange(1, 12 if place % 3 else 60)


def _coordinate(rng: random.Random, style: str, hints: list[float]) -> float:
    # Mostly multiples of 2^-16 that are no multiples of 2^-15, exact as floats.
    part = (2 * rng.randrange(1, 2**15) + 1) / 2**16
    if style == "unit":
        return part
    if style == "few":
        return 1 + 3 * part
    if style == "minus":
        return -4 * part
    if style == "whole":
        return rng.choice((-7, -4, -3, -2, 2, 3, 4, 5, 6, 9))
    if style == "many":
        return 4 + 40 * part
    if style == "under":
        return -1 - 40 * part
    if style == "half":
        return rng.randrange(-6, 6) + 0.5
    if style in ("below", "above"):  # where a whole part jumps
        return rng.randrange(-6, 7) + (1 if style == "above" else -1) / 2**40
    if style == "tiny":
        return part / rng.choice((64, -64, 4096))
    if style == "large":
        return rng.choice((1000, -1000, 100_000)) * (1 + part)
    base = rng.choice(hints)
    sign = rng.choice((1, -1))
    # Beside a constant by less than one, by a little of its size, or anywhere below it.
    near = rng.randrange(4)
    if near == 0:
        return base + sign * part
    if near == 1:
        return base + sign * part / 64
    if near == 2:
        return base * (1 + sign * part / 4)
    return base * part


def _hints(graph: Graph, order: Sequence[int]) -> list[float]:
    """Rational constants of the expressions and a few quotients, rounded to dyadic numbers."""
    constants = {1.0}
    for vertex in order:
        value = graph.value(vertex)
        if value is not None and value and value.height_bits() < 40:
            constants.add(int(value.p) / int(value.q))
    chosen = sorted(constants, key=lambda c: (abs(c), c))[-16:]
    hints = []
    for a in chosen:
        hints += [a, -a]
        hints += [-a / b for b in chosen[:4]]
    return [round(hint * 4096) / 4096 for hint in hints]
