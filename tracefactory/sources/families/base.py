"""What a problem family is, and how an index becomes the parameters of one problem.

A family is divided into strata, levels of difficulty. A stratum is a finite space of known size
with a bijection from ranks to parameters, so items are distinct because ranks are: nothing is
drawn and nothing is rejected. Two shuffles of the ranks decide the rest:

    cut    by (family, stratum)         the last tenth is `test`, the rest `train`: for every seed
    order  by (seed, family, stratum)   the order in which a split takes its ranks

So train and test stay apart between runs of other seeds too, as long as the knobs are the same
(other knobs are other spaces, cut elsewhere). Splits `ood_<name>` have strata of their own.

Not here: the records (make.py), the families (one file each), the slips (pen.py).
"""

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import BaseModel

from tracefactory.errors import SourceError
from tracefactory.sources.families.pen import Pen
from tracefactory.sources.families.permute import Permutation

Params = list[int]
"""What decides one problem of a family; travels as JSON in Problem.origin."""

TEST_ONE_IN = 10
"""One rank in so many of every stratum is held out for `test`."""


class FamilyError(SourceError):
    """A family, split or index that does not exist."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One level of a family: a space of `size` parameter lists."""

    name: str
    """Unique in the family; Problem.origin calls it the level."""
    size: int
    decode: Callable[[int], Params]
    """Bijection from range(size) to the parameters."""
    one_in: int = 0
    """0: takes its turn with the others. Else one train item in so many comes from here while it
    lasts, and none of the test items does."""


class Knobs(BaseModel, extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True):
    """Settings of a family. A subclass adds the fields and says what strata they make."""

    @abstractmethod
    def strata(self) -> tuple[Stratum, ...]:
        """Return the strata that train and test share; at most one of them has `one_in`."""

    @abstractmethod
    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """Return the strata of each `ood_<name>` split; none may overlap another or train's."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One kind of problem. Everything but the knobs works from the parameters alone."""

    name: str
    version: str
    """Changes when the same parameters would give another statement, answer or solution."""
    domain: str
    """`math` or `code`."""
    knobs: type[Knobs]
    statement: Callable[[Params], str]
    """Injective: other parameters, other statement."""
    reference: Callable[[Params], str]
    """The exact answer, computed by a shorter way than `solve` where there is one."""
    solve: Callable[[Params, Pen], str] | None
    """Writes the steps with the pen; returns the answer they lead to, slips and habits included.
    None: the answer is a program (teachers/programmer.py)."""
    verifier: str = "tracefactory.verifiers.symbolic:verify"
    options: Callable[[Params], Mapping[str, str]] | None = None
    """The checker's settings for one problem; None: it has none."""
    specimen: Callable[[Params], str] | None = None
    """A response that the checker must accept; None: the reference in a box."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The ranks of one stratum that belong to one split."""

    stratum: Stratum
    start: int
    size: int
    cut: Permutation
    order: Permutation

    def params(self, turn: int) -> Params:
        """Parameters of the part's item number `turn`."""
        return self.stratum.decode(self.cut(self.start + self.order(turn)))


@dataclass(frozen=True, slots=True)
class _Band:
    """A stretch of indices over which the same parts take turns."""

    start: int
    turn: int
    """How many items each of the parts has given before."""
    parts: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each index of one split comes from."""

    bands: tuple[_Band, ...]
    starts: tuple[int, ...]
    rare: _Part | None
    capacity: int

    def find(self, index: int) -> tuple[_Part, int]:
        """Return the part and the turn in it. Distinct indices never meet."""
        if self.rare is not None:
            turn, off = divmod(index, self.rare.stratum.one_in)
            if off == 0 and turn < self.rare.size:
                return self.rare, turn
            index -= min(turn + (off > 0), self.rare.size)  # those the rare part took before
        band = self.bands[bisect_right(self.starts, index) - 1]
        turn, seat = divmod(index - band.start, len(band.parts))
        return band.parts[seat], band.turn + turn


def item(family: Family, knobs: Knobs, seed: int, split: str, index: int) -> tuple[str, Params]:
    """Return the level and the parameters of one item: the same for ever, unlike any other index's.

    Raises:
        FamilyError: no such split, an index past the capacity, or another family's knobs.
    """
    plan = _plan(family, knobs, seed, split)
    if not 0 <= index < plan.capacity:
        raise FamilyError(
            f"{family.name}: item {index} of split {split!r} was asked for, but with these knobs "
            f"there are {plan.capacity}, from 0; ask for fewer or widen the knobs "
            f"({', '.join(family.knobs.model_fields)})"
        )
    part, turn = plan.find(index)
    return part.stratum.name, part.params(turn)


def split_capacity(family: Family, knobs: Knobs, split: str) -> int:
    """Return how many distinct items a split has; every index below it works."""
    return _plan(family, knobs, 0, split).capacity


def split_names(family: Family, knobs: Knobs) -> tuple[str, ...]:
    """Return the family's splits: train, test and its ood ones."""
    _check_knobs(family, knobs)
    return ("train", "test", *(f"ood_{name}" for name in knobs.ood()))


def _check_knobs(family: Family, knobs: Knobs) -> None:
    if not isinstance(knobs, family.knobs):
        raise FamilyError(
            f"{family.name}: got {type(knobs).__name__}; "
            f"make its knobs with FAMILIES[{family.name!r}].knobs(...)"
        )


@lru_cache(maxsize=256)  # a pure function of its arguments, asked once per item
def _plan(family: Family, knobs: Knobs, seed: int, split: str) -> _Plan:
    known = split_names(family, knobs)
    if split not in known:
        raise FamilyError(f"{family.name}: no split {split!r}; it has {', '.join(known)}")

    def part(stratum: Stratum, start: int, size: int) -> _Part:
        place = f"{family.name}/{stratum.name}"
        order = Permutation(size, f"order/{seed}/{place}")
        return _Part(stratum, start, size, Permutation(stratum.size, f"cut/{place}"), order)

    if split.startswith("ood_"):
        return _lay_out([part(s, 0, s.size) for s in knobs.ood()[split.removeprefix("ood_")]], None)
    regular = [s for s in knobs.strata() if not s.one_in]
    if split == "test":
        sizes = [s.size // TEST_ONE_IN for s in regular]
        held_out = zip(regular, sizes, strict=True)
        return _lay_out([part(s, s.size - size, size) for s, size in held_out], None)
    rare = next((part(s, 0, s.size) for s in knobs.strata() if s.one_in), None)
    return _lay_out([part(s, 0, s.size - s.size // TEST_ONE_IN) for s in regular], rare)


def _lay_out(parts: list[_Part], rare: _Part | None) -> _Plan:
    """Let the parts take turns; when one is used up the others go on, until all are."""
    bands: list[_Band] = []
    start = turn = 0
    for size in sorted({part.size for part in parts if part.size}):
        live = tuple(part for part in parts if part.size > turn)
        bands.append(_Band(start, turn, live))
        start += (size - turn) * len(live)
        turn = size
    if rare is not None:
        # Each run of one_in indices begins with a rare one, so one_in - 1 regular ones buy it.
        start += min(rare.size, start // (rare.stratum.one_in - 1) + 1)
    return _Plan(tuple(bands), tuple(band.start for band in bands), rare, start)
