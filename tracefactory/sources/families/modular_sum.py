"""A sum of distinct small numbers, reduced.

`Work out 19-3+16 mod 7.`

The family that was shown to teach. The solution keeps a running residue, one line per term:
`0+19=19≡5`, `5-3=2≡2`, `2+16=18≡4`.

Parameters: [modulus, term, term, ...], the terms signed.
"""

from functools import partial
from math import perm
from typing import Self

from pydantic import Field, model_validator

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
_TERMS = ("no_terms", "one_number", "two_terms", "three_terms", "four_terms", "five_terms",
          "six_terms", "seven_terms")  # fmt: skip


class ModularSumKnobs(Knobs, frozen=True):
    """The defaults are the family of the proof."""

    min_terms: int = Field(2, ge=2, le=5)
    """Fewest terms of a regular train problem."""
    max_terms: int = Field(5, ge=2, le=5)
    """Most terms; never more than 5, because six and seven are held out."""
    max_term: int = Field(20, ge=7, le=999)
    """Terms are distinct numbers from 1 to this."""
    moduli: tuple[int, ...] = Field((5, 7, 9, 11), min_length=1, strict=False)
    """The moduli, all different, each at least 2."""
    one_number_every: int = Field(200, ge=2)
    """One train problem in so many reduces a single number, of either sign, while those last."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_terms > self.max_terms:
            raise ValueError(f"min_terms {self.min_terms} is above max_terms {self.max_terms}")
        if min(self.moduli) < 2 or len(set(self.moduli)) < len(self.moduli):
            raise ValueError(f"moduli must be different numbers from 2 on, not {self.moduli}")
        return self

    def strata(self) -> tuple[Stratum, ...]:
        """One number (rare, either sign), then one stratum per number of terms."""
        single = partial(_decode_single, moduli=self.moduli)
        size = 2 * self.max_term * len(self.moduli)
        counts = range(self.min_terms, self.max_terms + 1)
        return (
            Stratum("one_number", size, single, one_in=self.one_number_every),
            *(self._stratum(_TERMS[count], count, 1) for count in counts),
        )

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """A leading minus before several terms, and more terms than train ever has."""
        counts = range(self.min_terms, self.max_terms + 1)
        return {
            "negative_first": tuple(
                self._stratum(f"negative_first_{_TERMS[count]}", count, -1) for count in counts
            ),
            "six_terms": (self._stratum("six_terms", 6, 1),),
            "seven_terms": (self._stratum("seven_terms", 7, 1),),
        }

    def _stratum(self, name: str, n_terms: int, first_sign: int) -> Stratum:
        decode = partial(
            _decode,
            n_terms=n_terms,
            first_sign=first_sign,
            max_term=self.max_term,
            moduli=self.moduli,
        )
        size = perm(self.max_term, n_terms) * 2 ** (n_terms - 1) * len(self.moduli)
        return Stratum(name, size, decode)


def _decode_single(rank: int, moduli: tuple[int, ...]) -> Params:
    rank, which = divmod(rank, len(moduli))
    number, negative = divmod(rank, 2)
    return [moduli[which], -number - 1 if negative else number + 1]


def _decode(
    rank: int, n_terms: int, first_sign: int, max_term: int, moduli: tuple[int, ...]
) -> Params:
    rank, which = divmod(rank, len(moduli))
    rank, signs = divmod(rank, 1 << (n_terms - 1))
    pool = list(range(1, max_term + 1))
    rank, at = divmod(rank, max_term)
    params = [moduli[which], first_sign * pool.pop(at)]
    # Lehmer code: each term leaves the pool, so terms are distinct.
    for left in range(max_term - 1, max_term - n_terms, -1):
        rank, at = divmod(rank, left)
        params.append(-pool.pop(at) if signs & 1 else pool.pop(at))
        signs >>= 1
    return params


def statement(params: Params) -> str:
    """Ask: `Work out 19-3+16 mod 7.`."""
    modulus, first, *terms = params
    return f"Work out {first}{''.join([f'{term:+d}' for term in terms])} mod {modulus}."


def reference(params: Params) -> str:
    """The residue, from 0 to modulus - 1."""
    return str(sum(params[1:]) % params[0])


def solve(params: Params, pen: Pen) -> str:
    """Add term after term, reducing each time. Habit: a negative sum loses its sign first."""
    modulus = params[0]
    residue = 0
    for term in params[1:]:
        total = residue + term
        residue = pen.step(
            f"{residue}{term:+d}={total}≡",
            total % modulus,
            habit=abs(total) % modulus,
            modulus=modulus,
        )
    return str(residue)


FAMILY = Family(
    name="modular_sum",
    version=VERSION,
    domain="math",
    knobs=ModularSumKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
