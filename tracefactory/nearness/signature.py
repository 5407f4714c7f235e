"""Signatures: which texts can be near each other, told without comparing each with each.

One-permutation hashing: a shingle's hash says in its upper half which of 160 bins it falls into,
and in its lower half with what value; each bin keeps its least. Two texts agree in a bin about as
often as their shingle sets overlap (Jaccard). A bin that got none takes the value of the first
full one in a fixed order of its own (optimal densification). Eight bins are hashed into a band;
texts that share a band are candidates, and only candidates are compared.

The definition is frozen (spec.py), and loops.py has the same compiled.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tracefactory.nearness import fast as compiled
from tracefactory.nearness.spec import BANDS, BINS, ROWS, WORDS
from tracefactory.nearness.tokens import I64, U8, U64, Tokens

U32 = npt.NDArray[np.uint32]

EMPTY: Final = np.uint32(0xFFFFFFFF)
FACTORS: Final = (0x9FB21C651E98DF25, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Of pairs, fours and fives of tokens."""
MIXERS: Final = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
_PIECE = 1 << 15
"""Tokens that are looked at together."""
_MASK: Final = (1 << 64) - 1


def mixed(value: int) -> int:
    """One 64-bit number spread over all its bits (murmur3's last step)."""
    for factor in MIXERS:
        value = ((value ^ (value >> 33)) * factor) & _MASK
    return value ^ (value >> 33)


def mix(values: U64) -> U64:
    """The same of many, in place."""
    for factor in MIXERS:
        values ^= values >> np.uint64(33)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(33)
    return values


def _orders() -> U8:
    """For each bin, in which order it looks at the others; a shuffle by numbers that are fixed."""
    orders = np.zeros((BINS, BINS), np.uint8)
    for row in range(BINS):
        order = list(range(BINS))
        for last in range(BINS - 1, 0, -1):
            other = mixed((row << 20 | last) + 0x7466) % (last + 1)
            order[last], order[other] = order[other], order[last]
        orders[row] = order
    return orders


ORDERS: Final = _orders()


def shingled(tokens: U64, n: int = WORDS) -> U64:
    """The hash of each run of n tokens of one text, or of texts one after the other.

    Of the latter, those that reach over an end are to be left out (`of_one_text`).
    """
    if len(tokens) < n:
        return np.zeros(0, np.uint64)
    if n != WORDS:
        found = tokens[: len(tokens) - n + 1].copy()
        for k in range(1, n):
            found *= np.uint64(FACTORS[0])
            found += tokens[k : len(tokens) - n + 1 + k]
        return mix(found)
    twos = tokens[:-1] * np.uint64(FACTORS[0])
    twos += tokens[1:]
    fours = twos[:-2] * np.uint64(FACTORS[1])
    fours += twos[2:]
    fives = fours[:-1] * np.uint64(FACTORS[2])
    fives += tokens[4:]
    return mix(fives)


def of_one_text(offsets: I64, n: int = WORDS) -> npt.NDArray[np.bool_]:
    """Which runs of n tokens lie within one text."""
    total = int(offsets[-1] - offsets[0])
    inside = np.ones(max(total - n + 1, 0), np.bool_)
    if len(inside):
        ends = offsets[1:-1] - offsets[0]
        for k in range(1, n):
            at = ends - k
            inside[at[(at >= 0) & (at < len(inside))]] = False
    return inside


def shingle_set(tokens: U64) -> U64:
    """The shingles of one text, each once, sorted."""
    return np.unique(shingled(tokens))


def signatures(tokens: Tokens, *, fast: bool | None = None) -> U32:
    """One row of 160 numbers a text; of texts too short for a shingle, all are EMPTY."""
    if compiled.there() if fast is None else fast:
        found: U32 = compiled.signatures(tokens.hashes, tokens.offsets, ORDERS)
        return found
    return densified(_least(tokens))


def _least(tokens: Tokens) -> U32:
    least = np.full((len(tokens), BINS), EMPTY, np.uint32)
    first = 0
    while first < len(tokens):
        last = int(np.searchsorted(tokens.offsets, tokens.offsets[first] + _PIECE, "right")) - 1
        last = max(last, first + 1)
        offsets = tokens.offsets[first : last + 1]
        found = shingled(tokens.hashes[offsets[0] : offsets[-1]])
        if len(found):
            inside = of_one_text(offsets)
            rows = np.repeat(np.arange(first, last), np.diff(offsets))[: len(found)]
            _fill(least, rows[inside], found[inside])
        first = last
    return least


def _fill(least: U32, rows: I64, shingles: U64) -> None:
    """Put shingles into the bins of their texts."""
    values = shingles.astype(np.uint32)  # the lower half
    places = ((shingles >> np.uint64(32)) * np.uint64(BINS)) >> np.uint64(32)
    np.minimum.at(least.reshape(-1), places.view(np.int64) + rows * BINS, values)


def signatures_of_sets(sets: Sequence[U64]) -> U32:
    """The same, of shingles instead of tokens."""
    least = np.full((len(sets), BINS), EMPTY, np.uint32)
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    if len(rows):
        _fill(least, rows, np.concatenate(sets))
    return densified(least)


def densified(least: U32) -> U32:
    """Empty bins take from full ones. In place."""
    full = least != EMPTY
    text, empty = np.nonzero(~full)
    some = full.any(axis=1)[text]
    text, empty = text[some], empty[some]
    for turn in range(BINS):
        if not len(text):
            break
        donor = ORDERS[empty, turn]
        found = full[text, donor]
        least[text[found], empty[found]] = least[text[found], donor[found]]
        text, empty = text[~found], empty[~found]
    return least


def raw_bands(signature: U32) -> U64:
    """Twenty hashes a text, as an index keeps them."""
    parts = signature.reshape(len(signature), BANDS, ROWS)
    found = np.empty((len(signature), BANDS), np.uint64)
    found[:] = np.arange(1, BANDS + 1, dtype=np.uint64) * np.uint64(FACTORS[0])
    for row in range(ROWS):
        found ^= parts[:, :, row]
        found *= np.uint64(FACTORS[1])
        found ^= found >> np.uint64(32)
    return found


def salted(raw: U64, salts: U64) -> U64:
    """Bands of texts under salts: texts under different ones share none."""
    return mix(raw + salts * np.uint64(FACTORS[2]))


def bands(signature: U32, salts: U64) -> U64:
    """Twenty hashes a text; two that are near share one of them, most likely."""
    return salted(raw_bands(signature), salts[:, None])
