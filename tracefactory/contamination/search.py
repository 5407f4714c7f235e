"""Texts against the grams of all items: which items, what share of each, the longest run.

A text first meets the grams that mark items (`own`), through a table of bits that lets nearly all
others out at once. Only pairs of a text and an item that share one are then counted in full.

Exact: hashes are compared, never estimated. Not here: what a share means (verdicts.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracefactory.contamination.grams import I64, U64

I32 = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

BITS_A_KEY: Final = 16
PAIR_ROWS: Final = 1 << 22
"""Rows that are joined at a time."""


@dataclass(frozen=True, slots=True)
class Bits:
    """A table of bits: says no to most hashes that are not there, and yes to all that are."""

    table: npt.NDArray[np.uint8]
    shift: np.uint64

    @classmethod
    def of(cls, keys: U64) -> "Bits":
        """The table of these keys."""
        size = max(10, int(max(1, len(keys)) * BITS_A_KEY - 1).bit_length())
        shift = np.uint64(64 - size)
        at = keys >> shift
        table = np.zeros(1 << (size - 3), np.uint8)
        np.bitwise_or.at(table, (at >> np.uint64(3)).astype(np.int64), _bit(at))
        return cls(table, shift)

    def maybe(self, hashes: U64) -> I64:
        """Places of those that may be there."""
        at = hashes >> self.shift
        return np.flatnonzero(self.table[(at >> np.uint64(3)).astype(np.int64)] & _bit(at))


def _bit(at: U64) -> npt.NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (at & np.uint64(7)).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Texts and items that share grams, one row a pair, sorted by text and item."""

    text: I64
    item: I32
    coverage: npt.NDArray[np.float64]
    """Share of the item's grams that the text has."""
    own: npt.NDArray[np.float64]
    """Share of the grams that mark the item."""
    rare: I64
    """Of the grams in common, those that few items have."""
    longest: I64
    """Tokens of the longest run in common."""

    def where(self, mask: Mask) -> "Pairs":
        """Some of the pairs."""
        return Pairs(*(getattr(self, name)[mask] for name in Pairs.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class GramSet:
    """The grams of all items, of one length."""

    n: int
    keys: U64
    """Distinct hashes, sorted."""
    bits: Bits
    """Of all keys."""
    own_bits: Bits
    """Of the keys that mark an item."""
    own_starts: I64
    own_items: I32
    """Key k marks own_items[own_starts[k]:own_starts[k + 1]]."""
    rare: Mask
    """Of each key: have few items it?"""
    item_starts: I64
    item_keys: I32
    """Item i has the keys item_keys[item_starts[i]:item_starts[i + 1]], sorted."""
    n_own: I64
    """Of each item: the grams that mark it."""

    @classmethod
    def of(cls, table: pa.Table, n_items: int, n: int, max_items: int) -> "GramSet":
        """Read (hash, item, own), sorted by hash and item."""
        hashes = np.asarray(table.column("hash").to_numpy(), np.uint64)
        items = np.asarray(table.column("item").to_numpy(), np.int32)
        own = np.asarray(table.column("own").to_numpy(), np.bool_)
        new = np.ones(len(hashes), np.bool_)
        new[1:] = hashes[1:] != hashes[:-1]
        keys = hashes[new]
        key_of = (np.cumsum(new) - 1).astype(np.int32)
        n_own = np.bincount(items[own], minlength=n_items)
        marks = np.bincount(key_of[own], minlength=len(keys))
        by_item = np.argsort(items, kind="stable")
        return cls(
            n,
            keys,
            Bits.of(keys),
            Bits.of(keys[marks > 0]),
            _starts(marks),
            items[own],
            np.bincount(key_of, minlength=len(keys)) <= max_items,
            _starts(np.bincount(items, minlength=n_items)),
            key_of[by_item],
            n_own,
        )

    def nbytes(self) -> int:
        """Bytes in memory."""
        arrays = (
            self.keys, self.bits.table, self.own_bits.table, self.own_starts, self.own_items,
            self.rare, self.item_starts, self.item_keys, self.n_own,
        )  # fmt: skip
        return sum(array.nbytes for array in arrays)

    def pairs(self, hashes: U64, places: I64, texts: I64, least: float, *, or_rare: bool) -> Pairs:
        """The pairs that share enough of the grams that mark the item.

        Args:
            hashes: of the grams, text after text.
            places: where each gram starts; neighbours differ by one.
            texts: whose it is, ascending.
            least: share of the marking grams.
            or_rare: one is enough if few items have it.
        """
        at, key = self._found(hashes, self.own_bits)
        counts = self.own_starts[key + 1] - self.own_starts[key]
        parts = [
            self._counted((hashes, places, texts), marked, least, or_rare)
            for marked in self._marked(texts[at], key, counts)
        ]
        if not parts:
            none, share = np.zeros(0, np.int64), np.zeros(0, np.float64)
            return Pairs(none, np.zeros(0, np.int32), share, share, none, none)
        return Pairs(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in Pairs.__dataclass_fields__
            )
        )

    def _found(self, hashes: U64, bits: Bits) -> tuple[I64, I64]:
        """Which of the hashes are keys, and which keys they are."""
        at = bits.maybe(hashes)
        if not len(at) or not len(self.keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        key = np.searchsorted(self.keys, hashes[at])
        key = np.minimum(key, len(self.keys) - 1)
        same = self.keys[key] == hashes[at]
        return at[same], key[same]

    def _marked(self, texts: I64, key: I64, counts: I64) -> Iterator[tuple[I64, I32, I64]]:
        """(text, item, key) of the marking grams, so many rows at a time, texts kept together."""
        for low, high in _slabs(texts, counts):
            n = counts[low:high]
            which = np.repeat(np.arange(low, high), n)
            at = np.arange(len(which)) - np.repeat(np.cumsum(n) - n, n)
            yield texts[which], self.own_items[self.own_starts[key[which]] + at], key[which]

    def _counted(
        self,
        row_grams: tuple[U64, I64, I64],
        marked: tuple[I64, I32, I64],
        least: float,
        or_rare: bool,
    ) -> Pairs:
        """Coverage and the rest of the pairs with enough marking grams, each once."""
        text, item, key = marked
        order = np.lexsort((key, item, text))
        text, item, key = text[order], item[order], key[order]
        new_pair = np.ones(len(text), np.bool_)
        new_pair[1:] = (text[1:] != text[:-1]) | (item[1:] != item[:-1])
        new_key = new_pair.copy()
        new_key[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(new_pair)
        n_marks = np.add.reduceat(new_key.astype(np.int64), starts)
        own = n_marks / self.n_own[item[starts]]
        enough = own >= least
        if or_rare:
            enough |= np.logical_or.reduceat(self.rare[key], starts)
        text, item, own = text[starts][enough], item[starts][enough], own[enough]
        covered, rare, longest = self._joined(row_grams, text, item)
        n_keys = self.item_starts[item + 1] - self.item_starts[item]
        return Pairs(text, item, covered / n_keys, own, rare, longest)

    def _joined(
        self, row_grams: tuple[U64, I64, I64], text: I64, item: I32
    ) -> tuple[I64, I64, I64]:
        """Of each pair: distinct grams in common, the rare ones of them, tokens of the longest run.

        All grams of the texts count here, also those that mark nothing.
        """
        hashes, places, texts = row_grams
        only = np.unique(text)
        low, high = np.searchsorted(texts, only), np.searchsorted(texts, only, "right")
        mine = _spans(low, high - low)
        at, key = self._found(hashes[mine], self.bits)
        place, owner = places[mine][at], texts[mine][at]
        first, last = np.searchsorted(owner, text), np.searchsorted(owner, text, "right")
        covered, rare, longest = (np.zeros(len(text), np.int64) for _ in range(3))
        cost = (last - first) + (self.item_starts[item + 1] - self.item_starts[item])
        for a, b in _slabs(np.arange(len(text)), cost):
            pair, hit = _expanded(first[a:b], last[a:b])
            have = _pair_key(pair, key[hit])
            starts = self.item_starts[item[a:b]]
            whose, of_item = _expanded(starts, self.item_starts[item[a:b] + 1])
            wanted = _pair_key(whose, self.item_keys[of_item])  # sorted: items' keys are
            spot = np.minimum(np.searchsorted(wanted, have), max(0, len(wanted) - 1))
            good = wanted[spot] == have if len(wanted) else np.zeros(len(have), np.bool_)
            pair, at_place, both = pair[good], place[hit][good], have[good]
            once = np.unique(both)
            of_pair = (once >> np.uint64(32)).astype(np.int64)
            few = self.rare[(once & np.uint64(0xFFFFFFFF)).astype(np.int64)]
            covered[a:b] = np.bincount(of_pair, minlength=b - a)
            rare[a:b] = np.bincount(of_pair[few], minlength=b - a)
            longest[a:b] = _longest(pair, at_place, b - a, self.n)
        return covered, rare, longest


@dataclass(frozen=True, slots=True)
class ShortSet:
    """Items of few tokens, found as wholes."""

    hashes: U64
    items: I32
    lengths: I32
    inside: Mask
    bits: Bits

    @classmethod
    def of(cls, table: pa.Table) -> "ShortSet":
        """Read (hash, item, n_tokens, inside), sorted by hash."""
        hashes = np.asarray(table.column("hash").to_numpy(), np.uint64)
        return cls(
            hashes,
            np.asarray(table.column("item").to_numpy(), np.int32),
            np.asarray(table.column("n_tokens").to_numpy(), np.int32),
            np.asarray(table.column("inside").to_numpy(), np.bool_),
            Bits.of(hashes),
        )

    def nbytes(self) -> int:
        """Bytes in memory."""
        arrays = (self.hashes, self.items, self.lengths, self.inside, self.bits.table)
        return sum(array.nbytes for array in arrays)

    def has(self, length: int) -> bool:
        """Is there an item of so many tokens?"""
        return bool((self.lengths == length).any())

    def found(self, hashes: U64, length: int) -> tuple[I64, I64]:
        """Which of the hashes of runs of `length` tokens are an item, and which row it is here."""
        at = self.bits.maybe(hashes)
        if not len(self.hashes) or not len(at):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        row = np.minimum(np.searchsorted(self.hashes, hashes[at]), len(self.hashes) - 1)
        same = (self.hashes[row] == hashes[at]) & (self.lengths[row] == length)
        return at[same], row[same]


def _starts(counts: I64) -> I64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _spans(starts: I64, counts: I64) -> I64:
    """All places from each start on, so many each."""
    before = np.cumsum(counts) - counts
    places: I64 = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return places


def _expanded(first: I64, last: I64) -> tuple[I64, I64]:
    """(number of the span, place) of all places of all spans."""
    counts = last - first
    return np.repeat(np.arange(len(first)), counts), _spans(first, counts)


def _pair_key(pair: I64, key: npt.NDArray[np.integer]) -> U64:
    return (pair.astype(np.uint64) << np.uint64(32)) | key.astype(np.uint64)


def _slabs(texts: I64, cost: I64) -> Iterator[tuple[int, int]]:
    """Ranges of rows that cost about PAIR_ROWS together; rows of one text stay in one."""
    total = np.cumsum(cost)
    low = 0
    while low < len(texts):
        spent = total[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(total, spent + PAIR_ROWS, "right")))
        while high < len(texts) and texts[high] == texts[high - 1]:
            high += 1
        yield low, high
        low = high


def _longest(pair: I64, place: I64, n_pairs: int, n: int) -> I64:
    """Tokens of the longest run of neighbouring places of each pair."""
    longest = np.zeros(n_pairs, np.int64)
    if not len(pair):
        return longest
    new = np.ones(len(pair), np.bool_)
    new[1:] = (pair[1:] != pair[:-1]) | (place[1:] != place[:-1] + 1)
    starts = np.flatnonzero(new)
    length = np.diff(np.append(starts, len(pair)))
    np.maximum.at(longest, pair[starts], length)
    return longest + n - 1
