"""Shuffle the numbers 0..size-1 without a list: a keyed bijection, one number at a time.

A Feistel network: the number is written as (row, column) of a table just large enough, and each
half is shifted in turn by a hash of the other, which can always be undone. What falls outside
`size` goes round again (cycle walking), so it stays a bijection.

Not here: secrecy. The mixing is quick and even, and no cipher.
"""

from hashlib import blake2b
from math import isqrt

_MASK = (1 << 64) - 1
# The multipliers of the splitmix64 finaliser.
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


class Permutation:
    """A bijection of range(size) that the key alone decides."""

    __slots__ = ("_columns", "_rounds", "_rows", "size")

    def __init__(self, size: int, key: str) -> None:
        self.size = size
        # The most nearly square table that holds the range: less than two rows of it lie outside.
        self._rows = isqrt(max(size - 1, 0)) + 1
        self._columns = -(-size // self._rows) or 1
        digest = blake2b(key.encode(), digest_size=32).digest()
        words = [int.from_bytes(digest[at : at + 8], "big") for at in range(0, 32, 8)]
        self._rounds = ((words[0], words[1]), (words[2], words[3]))

    def __call__(self, index: int) -> int:
        """Return where `index`, one of range(size), goes."""
        rows, columns = self._rows, self._columns
        while True:
            row, column = divmod(index, columns)
            for row_key, column_key in self._rounds:
                mixed = ((column ^ row_key) * _MIX_1) & _MASK
                mixed = ((mixed ^ (mixed >> 29)) * _MIX_2) & _MASK
                row = (row + (mixed ^ (mixed >> 32))) % rows
                mixed = ((row ^ column_key) * _MIX_1) & _MASK
                mixed = ((mixed ^ (mixed >> 29)) * _MIX_2) & _MASK
                column = (column + (mixed ^ (mixed >> 32))) % columns
            index = row * columns + column
            if index < self.size:
                return index
