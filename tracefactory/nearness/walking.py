"""Which of the near texts of one component stay: a walk in a total order.

The best comes first: published before new, held out before taught, verified before not, then by
score, length and content, never by place or time. A text goes when one that stays is its verified
neighbour (enough shingles shared, the guard holds), so in a chain A~B~C, where A and C are not near
each other, B goes for A and C stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tracefactory.nearness.jaccard import Shingles, jaccard, reaches
from tracefactory.nearness.signature import bands, signatures_of_sets

FEW = 64
"""Texts of a component that are compared each with each; of more, those that share a band."""


@dataclass(frozen=True, slots=True)
class Text:
    """A content and where it is to be compared."""

    order: tuple[int, ...]
    """Its place in the total order: that of the best row that has it."""
    blocks: frozenset[int]
    """Texts without a common block are not near."""
    shingles: Shingles


@dataclass(frozen=True, slots=True)
class Fate:
    """A text that goes: for whom, and how near it is."""

    text: int
    keeper: int
    jaccard: float


def fates(texts: Sequence[Text], threshold: float) -> Iterator[Fate]:
    """Who goes, of one component."""
    walk = sorted(range(len(texts)), key=lambda number: texts[number].order)
    kept = _Few(texts) if len(texts) <= FEW else _Many(texts)
    for number in walk:
        text = texts[number]
        best: tuple[float, int] | None = None
        for other in kept.candidates(number):
            if text.blocks.isdisjoint(texts[other].blocks):
                continue
            if not reaches(text.shingles, texts[other].shingles, threshold):
                continue
            found = jaccard(text.shingles, texts[other].shingles)
            if found >= threshold and (best is None or found > best[0]):
                best = (found, other)
        if best is None:
            kept.add(number)
        else:
            yield Fate(number, best[1], best[0])


class _Few:
    """All that stay are candidates, in the order in which they were met."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._kept: list[int] = []

    def candidates(self, number: int) -> Iterator[int]:
        yield from self._kept

    def add(self, number: int) -> None:
        self._kept.append(number)


class _Many:
    """Those that share a band are candidates."""

    def __init__(self, texts: Sequence[Text]) -> None:
        # Of a sketch, the bins say too little: it is found by each of the texts it was near to.
        signatures = signatures_of_sets([text.shingles.values for text in texts])
        self._bands = [
            {
                int(band)
                for block in sorted(text.blocks)
                for band in bands(signature[None], np.array([block], np.uint64))[0]
            }
            for text, signature in zip(texts, signatures, strict=True)
        ]
        self._kept: dict[int, list[int]] = {}
        self._sketches: list[int] = []
        self._whole = [text.shingles.whole for text in texts]

    def candidates(self, number: int) -> Iterator[int]:
        found = {other for band in self._bands[number] for other in self._kept.get(band, ())}
        yield from sorted(found | set(self._sketches))

    def add(self, number: int) -> None:
        if not self._whole[number]:
            self._sketches.append(number)
            return
        for band in self._bands[number]:
            self._kept.setdefault(band, []).append(number)
