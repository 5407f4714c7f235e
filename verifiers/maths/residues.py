"""Rational functions modulo large primes at pseudo-random points.

For trees of symbols and rationals with + - * / and whole powers only. Different residues at one
point where both are defined prove two such functions different, whatever the prime. Equal ones
make them probably equal, if the primes were not known to whoever wrote the trees and degrees and
coefficients are far smaller than what could vanish modulo so many primes (`trusted`):
2^(p-1) is 1 modulo p.

Not here: a proof of equality (identity.py).
"""

import hashlib
from collections.abc import Sequence

from flint import fmpq, fmpz, nmod

from tracefactory.verifiers.maths.graph import Graph

PRIMES = (2305843009213693951, 2305843009213693921)
"""The two largest below 2^61: known to everyone, so good for proofs of difference only."""

_ARITHMETIC = frozenset(["rational", "symbol", "add", "mul", "inverse", "pow"])
_TRUSTED = 2**40


def arithmetic(graph: Graph, order: Sequence[int]) -> bool:
    """Is everything made of symbols and rationals with + - * / and whole powers?"""
    return all(graph.ops[vertex].name in _ARITHMETIC for vertex in order)


def residues(
    graph: Graph, order: Sequence[int], prime: int, seed: str, roots: tuple[int, ...]
) -> tuple[nmod, ...] | None:
    """The residues of `roots` at the point that the seed says; None where one is undefined."""
    values: dict[int, nmod] = {}
    try:
        for vertex in order:
            name, args, payload = graph.ops[vertex]
            if name == "rational" and isinstance(payload, fmpq):
                top, bottom = payload.p, payload.q
                value = nmod(int(top % prime), prime)
                if bottom != 1:
                    value = value / nmod(int(bottom % prime), prime)
            elif name == "add" or name == "mul":
                value = values[args[0]]
                for arg in args[1:]:
                    value = value + values[arg] if name == "add" else value * values[arg]
            elif name == "inverse":
                value = 1 / values[args[0]]
            elif name == "pow" and isinstance(payload, int):
                value = _power(values[args[0]], payload, prime)
            else:
                value = nmod(_number(f"{seed}:{payload}") % prime, prime)
            values[vertex] = value
    except ZeroDivisionError:
        return None
    return tuple([values[root] for root in roots])


def _power(base: nmod, exponent: int, prime: int) -> nmod:
    if not base:
        if exponent > 0:
            return base
        raise ZeroDivisionError
    return base ** (exponent % (prime - 1))


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace")).digest()[:16], "big")


def random_prime(seed: str) -> int:
    """A prime of 61 bits that depends on the seed."""
    candidate = _number(seed) % 2**60 + 2**60 | 1
    while not fmpz(candidate).is_probable_prime():
        candidate += 2
    return candidate


def trusted(graph: Graph, order: Sequence[int]) -> bool:
    """Are degrees and coefficients too small to vanish modulo several random primes?"""
    sizes: dict[int, tuple[int, int]] = {}
    for vertex in order:
        name, args, payload = graph.ops[vertex]
        if name == "rational" and isinstance(payload, fmpq):
            size = (0, payload.height_bits())
        elif name == "symbol":
            size = (1, 1)
        else:
            degree = sum(sizes[arg][0] for arg in args)
            height = sum(sizes[arg][1] for arg in args) + len(args) + 8 * degree
            times = abs(payload) if isinstance(payload, int) else 1
            size = (degree * times, height * times)
        if max(size) > _TRUSTED:
            return False
        sizes[vertex] = size
    return True
