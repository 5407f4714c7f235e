"""A seeded corpus with known truth, for measuring what `dedupe: {level: near}` finds and spares.

    base       a text of about 330 words, a tenth of them numbers
    exact      the same                      case      other case, spaces and line breaks
    .95 ... .5 a copy with words replaced, so that the shingle sets (runs of five words) have this
               Jaccard similarity; numbers are never touched
    few        a base with 3 of its numbers changed: another problem, at J about 0.92
    all        a base with all of its numbers changed
    boiler     two fifths of it are the same in all, the reasoning differs
    short      60 words; short.80: a copy at that similarity
    alone      like nothing else

Only exact, case and copies at 0.8 and more are duplicates.

    python benchmarks/dedupe_corpus.py --clusters 200 --seed 7 > corpus.jsonl
"""

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

LEVELS = (0.95, 0.90, 0.85, 0.80, 0.75, 0.70, 0.50)
SHINGLE = 5


@dataclass(frozen=True)
class Row:
    """A text, and what is true of it."""

    id: str
    kind: str
    cluster: str
    """Rows of one cluster come from one base."""
    text: str
    jaccard: float | None
    """With its base, over words; None: it is one, or is alone."""

    @property
    def duplicate(self) -> bool:
        """Does it repeat its base?"""
        same = self.kind in ("exact", "case")
        near = self.kind not in ("few", "all", "boiler") and (self.jaccard or 0.0) >= 0.8
        return same or near


def shingles(words: list[str]) -> set[tuple[str, ...]]:
    """Runs of five words in lower case."""
    low = [word.lower() for word in words]
    return {tuple(low[i : i + SHINGLE]) for i in range(len(low) - SHINGLE + 1)}


def similarity(left: list[str], right: list[str]) -> float:
    """Jaccard similarity of two texts."""
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b)


class Maker:
    """Makes texts; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        sounds = ["ba", "co", "di", "fu", "ga", "hel", "in", "jo", "ka", "lem", "mo", "nar", "or",
                  "pen", "qui", "ras", "su", "tor", "ul", "ven"]  # fmt: skip
        made = {
            "".join(self.rng.choices(sounds, k=self.rng.choice((1, 2, 2, 3)))) for _ in range(6000)
        }
        self.words = sorted(made)
        self.boiler = self.sentence(130)

    def sentence(self, n: int, numbers: float = 0.1) -> list[str]:
        """N words, some of them numbers between signs."""
        found: list[str] = []
        while len(found) < n:
            if self.rng.random() < numbers / 3:
                a, b = self.rng.randrange(2, 999), self.rng.randrange(2, 999)
                found += [str(a), self.rng.choice("+-*"), str(b), "=", str(a + b)]
            elif self.rng.random() < 0.08:
                found.append(self.rng.choice(self.words) + self.rng.choice(".,;"))
            else:
                found.append(self.rng.choice(self.words))
        return found[:n]

    def near(self, words: list[str], level: float) -> list[str]:
        """A copy whose similarity is at least `level`, and as little above it as can be."""
        found = list(words)
        places = [i for i, word in enumerate(words) if word.strip(".,;").isalpha()]
        self.rng.shuffle(places)
        for place in places:
            tried = list(found)
            tried[place] = self.rng.choice(self.words)
            if similarity(words, tried) < level:
                break
            found = tried
        return found

    def renumbered(self, words: list[str], n: int | None) -> list[str]:
        """A copy with n numbers changed; None: with all of them."""
        found = list(words)
        places = [i for i, word in enumerate(words) if word.isdigit()]
        for place in places if n is None else self.rng.sample(places, min(n, len(places))):
            found[place] = str(int(found[place]) + self.rng.randrange(1, 90))
        return found

    def cased(self, words: list[str]) -> str:
        """The same in another case, with other spaces."""
        change = self.rng.choice((str.upper, str.lower, str.title))
        gaps = self.rng.choices((" ", "  ", "\n", "\t "), k=len(words))
        return "".join(change(word) + gap for word, gap in zip(words, gaps, strict=True))


def corpus(clusters: int, seed: int = 7) -> Iterator[Row]:
    """So many bases, each with one copy of every kind, and as many rows that are alone."""
    make = Maker(seed)
    for n in range(clusters):
        base = make.sentence(make.rng.randrange(300, 360))
        name = f"c{n:06d}"

        def row(kind: str, words: list[str] | str, of: list[str], cluster: str = name) -> Row:
            text = words if isinstance(words, str) else " ".join(words)
            near = None if words is of else similarity(of, text.split())
            return Row(f"{cluster}-{kind}", kind, cluster, text, near)

        yield row("base", base, base)
        yield row("exact", list(base), base)
        yield row("case", make.cased(base), base)
        for level in LEVELS:
            yield row(f"{level:.2f}", make.near(base, level), base)
        yield row("few", make.renumbered(base, 3), base)
        yield row("all", make.renumbered(base, None), base)
        yield Row(f"b{n:06d}-boiler", "boiler", f"b{n:06d}",
                  " ".join([*make.boiler, *make.sentence(195)]), None)  # fmt: skip
        short = make.sentence(60)
        yield row("short", short, short, f"s{n:06d}")
        yield row("short.80", make.near(short, 0.80), short, f"s{n:06d}")
        yield Row(f"a{n:06d}-alone", "alone", f"a{n:06d}", " ".join(make.sentence(330)), None)


def main() -> None:
    layout = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--clusters", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    for row in corpus(asked.clusters, asked.seed):
        print(json.dumps({**asdict(row), "duplicate": row.duplicate}))


if __name__ == "__main__":
    main()
