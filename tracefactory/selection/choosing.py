"""Which few of some traces of one problem: the first, the shortest, or the most different.

Pure functions of what is given; equal ones are told apart by a draw from the id, never by their
order. `most_different` takes the first, then again and again the one whose nearest neighbour among
the taken is farthest. Two traces are as near as the runs of three words that they share (Jaccard):
a measure of wording and of steps, not of ideas.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_RUN = 3
"""Words in a run: long enough to be a step, short enough to be met again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trace that could be taken."""

    attempt_id: str
    index: int
    chars: int
    draw: int
    """From `drawn`: breaks ties, so that no teacher is preferred for its name."""


def drawn(seed: int, purpose: str, row_id: str) -> int:
    """64 bits that depend on seed, purpose and id alone: another draw for each purpose."""
    digest = hashlib.sha256(f"{seed}:{purpose}:{row_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def first(candidates: Sequence[Candidate], k: int) -> list[str]:
    """The k with the lowest index."""
    ordered = sorted(candidates, key=lambda c: (c.index, c.draw, c.attempt_id))
    return [c.attempt_id for c in ordered[:k]]


def shortest(candidates: Sequence[Candidate], k: int) -> list[str]:
    """The k with the fewest characters."""
    ordered = sorted(candidates, key=lambda c: (c.chars, c.index, c.draw, c.attempt_id))
    return [c.attempt_id for c in ordered[:k]]


def most_different(candidates: Sequence[Candidate], k: int, texts: Mapping[str, str]) -> list[str]:
    """The first, and k - 1 that are far from it and from each other."""
    waiting = first(candidates, len(candidates))
    runs = {i: word_runs(texts[i]) for i in waiting}
    taken = [waiting.pop(0)]
    gap = {i: distance(runs[i], runs[taken[0]]) for i in waiting}
    while waiting and len(taken) < k:
        farthest = max(waiting, key=gap.__getitem__)  # of equals the earliest
        waiting.remove(farthest)
        taken.append(farthest)
        for i in waiting:
            gap[i] = min(gap[i], distance(runs[i], runs[farthest]))
    return taken


BY_FIGURES: Mapping[str, Callable[[Sequence[Candidate], int], list[str]]] = {
    "first": first,
    "shortest": shortest,
}
"""Ways that need no text."""


def word_runs(text: str) -> frozenset[tuple[str, ...]]:
    """All runs of three words; a text of fewer is one run."""
    words = text.split()
    last = max(len(words) - _RUN, 0)
    return frozenset(tuple(words[at : at + _RUN]) for at in range(last + 1))


def distance(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """1 for texts with nothing in common, 0 for those with the same runs."""
    return 1 - len(one & other) / len(one | other)
