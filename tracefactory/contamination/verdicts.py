"""What rows and items have in common, and what it comes to.

    contaminated   at least half of an item's grams stand in the row, and a quarter of those that
                   mark it, which stock phrases do not; or six tenths with numbers masked, and all
                   digits in their order (other punctuation: $7.50 as 750); or a short item stands
                   there whole
    suspect        a run of 8 tokens that few items have; or six tenths of an item with its numbers
                   masked, but other digits: the same problem with other numbers

In a statement a short item with a number counts from 5 tokens on, in a trace from 8: traces are
full of short questions. A statement that is a short item and nothing else is contaminated always.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from tracefactory.contamination.grams import (
    MASKED_N,
    SHORT,
    N,
    grams,
    masked,
    runs,
    tokens_of,
    whole,
)
from tracefactory.contamination.index import SHORTEST, Index, digits_of
from tracefactory.contamination.search import Pairs
from tracefactory.nearness.tokens import Tokens

DROPS: Final = ("coverage", "digits", "whole")
"""Rules that make a row contaminated; the others make it suspect."""

Level = Literal["contaminated", "suspect"]
Rule = Literal["coverage", "digits", "whole", "run", "renumbered"]

RENUMBERED: Final = 0.6
"""Share of masked grams from which on a row is an item with other numbers, or other marks."""
DIGITS: Final = 2
DIGITS_IN_TRACES: Final = 6
"""Digits of an item below which a text has them by chance."""
MASKED_LEAST: Final = 8
"""Masked grams below which an item says too little for that."""
BATCH_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one text has in common with the nearest item of one benchmark."""

    text: int
    """Number of the text."""
    level: Level
    rule: Rule
    benchmark: str
    item: str
    coverage: float | None
    """Share of the item's runs of 8 tokens in the text; of a short item 1: it stands there whole.
    None: none of those that mark the item is there."""
    masked_coverage: float | None
    """The same with numbers masked, runs of 5; None: looked at, and not remarkable."""
    longest_match: int
    """Tokens of the longest run in common; of a renumbered item, with its numbers masked."""
    n_items: int = 1
    """Items of this benchmark that the text has as much in common with, or less."""


def overlaps(
    texts: Sequence[str], index: Index, coverage: float, *, statements: bool
) -> list[Overlap]:
    """The nearest item of each benchmark of each text, sorted by text and benchmark.

    Args:
        texts: statements or traces.
        index: of all items.
        coverage: share of an item from which on a text is contaminated.
        statements: are they statements? Short items are looked for as in statements, then.
    """
    found: list[Overlap] = []
    for start, batch in _batches(texts):
        for one in _batch(batch, index, coverage, statements):
            found.append(replace(one, text=one.text + start))
    return found


def _batches(texts: Sequence[str]) -> list[tuple[int, Sequence[str]]]:
    cuts, size = [0], 0
    for number, text in enumerate(texts):
        size += len(text)
        if size > BATCH_BYTES:
            cuts.append(number + 1)
            size = 0
    ends = [*cuts[1:], len(texts)]
    return [(a, texts[a:b]) for a, b in zip(cuts, ends, strict=True) if b > a]


def _batch(texts: Sequence[str], index: Index, coverage: float, statements: bool) -> list[Overlap]:
    tokens = tokens_of(pa.array(texts, pa.large_string()))
    best: dict[tuple[int, str], list[Overlap]] = {}
    for one in (
        *_whole(tokens, index, statements),
        *_covered(texts, tokens, index, coverage, statements),
    ):
        best.setdefault((one.text, one.benchmark), []).append(one)
    return [
        replace(min(each, key=_worst_first), n_items=len({one.item for one in each}))
        for _, each in sorted(best.items())
    ]


def _worst_first(one: Overlap) -> tuple[bool, float, float, int, str]:
    coverage, masked_coverage = one.coverage or 0.0, one.masked_coverage or 0.0
    return (
        one.level != "contaminated", -coverage, -masked_coverage, -one.longest_match, one.item
    )  # fmt: skip


def _covered(
    texts: Sequence[str], tokens: Tokens, index: Index, coverage: float, statements: bool
) -> Iterator[Overlap]:
    """By grams: as they are, and with numbers masked."""
    places, owners = whole(tokens.offsets, N)
    exact = index.grams.pairs(
        grams(tokens.hashes, N)[places], places, owners, coverage / 2, or_rare=True
    )
    held = (exact.coverage >= coverage) & (exact.own >= coverage / 2)
    worth = held | (exact.rare > 0)
    exact, held = exact.where(worth), held[worth]
    twins = _twins(masked(tokens), index)
    twin_of = {key: number for number, key in enumerate(_keys(twins))}
    digits = _Digits(texts, index, DIGITS if statements else DIGITS_IN_TRACES)
    for number, key in enumerate(_keys(exact)):
        twin = twin_of.pop(key, None)
        share = None if twin is None else float(twins.coverage[twin])
        rule: Rule = "run" if share is None else "renumbered"
        if held[number]:
            rule = "coverage"
        elif share is not None and digits.same(*key):
            rule = "digits"
        yield _overlap(
            key, index, rule, float(exact.coverage[number]), share, int(exact.longest[number])
        )
    for key, twin in twin_of.items():
        share = float(twins.coverage[twin])
        rule = "digits" if digits.same(*key) else "renumbered"
        yield _overlap(key, index, rule, None, share, int(twins.longest[twin]))


def _overlap(
    key: tuple[int, int],
    index: Index,
    rule: Rule,
    coverage: float | None,
    masked_coverage: float | None,
    longest: int,
) -> Overlap:
    text, item = key
    return Overlap(
        text=text,
        level="contaminated" if rule in DROPS else "suspect",
        rule=rule,
        benchmark=index.benchmarks[item],
        item=index.items[item],
        coverage=coverage,
        masked_coverage=masked_coverage,
        longest_match=longest,
    )


def _twins(tokens: Tokens, index: Index) -> Pairs:
    """Pairs that are alike with their numbers masked."""
    places, owners = whole(tokens.offsets, MASKED_N)
    twins = index.masked.pairs(
        grams(tokens.hashes, MASKED_N)[places], places, owners, RENUMBERED / 2, or_rare=False
    )
    n_masked = np.diff(index.masked.item_starts)[twins.item]
    return twins.where((twins.coverage >= RENUMBERED) & (n_masked >= MASKED_LEAST))


class _Digits:
    """Do texts hold the digits of items, all and in their order?"""

    def __init__(self, texts: Sequence[str], index: Index, least: int) -> None:
        self._texts, self._index, self._least = texts, index, least
        self._of: dict[int, str] = {}

    def same(self, text: int, item: int) -> bool:
        wanted = self._index.digits[item]
        if len(wanted) < self._least:
            return False
        if text not in self._of:
            self._of[text] = digits_of(self._texts[text])
        return wanted in self._of[text]


def _keys(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.text.tolist(), pairs.item.tolist(), strict=True))


def _whole(tokens: Tokens, index: Index, statements: bool) -> Iterator[Overlap]:
    """Short items that stand in a text as they are."""
    lengths = tokens.counts()
    found: set[tuple[int, int]] = set()
    for n, hashes in runs(tokens.hashes, SHORTEST if statements else N, SHORT - 1):
        if not index.short.has(n):
            continue
        places, owners = whole(tokens.offsets, n)
        at, row = index.short.found(hashes[places], n)
        for text, short in zip(owners[at].tolist(), row.tolist(), strict=True):
            key = (text, int(index.short.items[short]))
            alone = int(lengths[text]) == n
            if key not in found and (alone or index.short.inside[short]):
                found.add(key)
                yield _overlap(key, index, "whole", 1.0, None, n)
