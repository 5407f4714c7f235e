"""Greatest common divisors by Euclid.

`Find the greatest common divisor of 252 and 105.`

The levels are the numbers of divisions that Euclid needs: `252=2*105+42`, `105=2*42+21`,
`42=2*21+0`. Pairs are made as divisor times a coprime pair, so large divisors are common.

Parameters: [larger, smaller].
"""

import math
from functools import lru_cache, partial
from typing import Self

from pydantic import Field, model_validator

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
Pairs = tuple[tuple[int, int], ...]


class GcdKnobs(Knobs, frozen=True):
    """Sizes of the numbers and the number of divisions."""

    max_divisor: int = Field(99, ge=1, le=9_999)
    """Greatest common divisors are from 1 to this."""
    max_cofactor: int = Field(120, ge=21, le=500)
    """The larger number divided by the greatest common divisor is at most this."""
    min_divisions: int = Field(2, ge=2, le=5)
    """Fewest divisions in train."""
    max_divisions: int = Field(5, ge=2, le=5)
    """Most divisions in train; `longer` has more."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_divisions > self.max_divisions:
            raise ValueError(f"min_divisions {self.min_divisions} is above {self.max_divisions}")
        return self

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum per number of divisions."""
        table = _coprime_pairs(self.max_cofactor)
        counts = range(self.min_divisions, self.max_divisions + 1)
        return tuple(self._stratum(f"{count}_divisions", table[count]) for count in counts)

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """More divisions than train ever needs."""
        table = _coprime_pairs(self.max_cofactor)
        counts = [count for count in sorted(table) if count > self.max_divisions]
        longer = tuple(pair for count in counts for pair in table[count])
        return {"longer": (self._stratum("longer", longer),)}

    def _stratum(self, name: str, pairs: Pairs) -> Stratum:
        decode = partial(_decode, pairs=pairs)
        return Stratum(name, self.max_divisor * len(pairs), decode)


@lru_cache(maxsize=16)
def _coprime_pairs(max_cofactor: int) -> dict[int, Pairs]:
    """Coprime pairs, larger first, by the number of divisions that Euclid needs for them."""
    table: dict[int, list[tuple[int, int]]] = {}
    for larger in range(2, max_cofactor + 1):
        for smaller in range(1, larger):
            if math.gcd(larger, smaller) == 1:
                table.setdefault(_n_divisions(larger, smaller), []).append((larger, smaller))
    return {count: tuple(pairs) for count, pairs in table.items()}


def _n_divisions(a: int, b: int) -> int:
    count = 0
    while b:
        a, b = b, a % b
        count += 1
    return count


def _decode(rank: int, pairs: Pairs) -> Params:
    rank, at = divmod(rank, len(pairs))
    larger, smaller = pairs[at]
    return [larger * (rank + 1), smaller * (rank + 1)]


def statement(params: Params) -> str:
    """Ask: `Find the greatest common divisor of 252 and 105.`."""
    return f"Find the greatest common divisor of {params[0]} and {params[1]}."


def reference(params: Params) -> str:
    """The greatest common divisor."""
    return str(math.gcd(params[0], params[1]))


def solve(params: Params, pen: Pen) -> str:
    """Divide until nothing is left. Habit: calls the last but one division exact."""
    a, b = params
    while b:
        quotient, remainder = divmod(a, b)
        habit = 0 if remainder and b % remainder == 0 else None
        a, b = b, pen.step(f"{a}={quotient}*{b}+", remainder, habit=habit)
    return str(a)


FAMILY = Family(
    name="gcd",
    version=VERSION,
    domain="math",
    knobs=GcdKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
