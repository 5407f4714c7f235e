"""Tasks on texts: a mask over the letters, words counted in a dictionary."""

# ruff: noqa: D102 - Task says what each method is

from random import Random
from typing import cast

from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import WORDS, Span, Task, lines_of

_SIGNS = "*#-_.+=~@%&!"
_FINISHES = (
    ("puts all letters in upper case", ".upper()"),
    ("puts all letters in lower case", ".lower()"),
    ("turns the order of all characters round", "[::-1]"),
    ("takes every space out", '.replace(" ", "")'),
)
_KEYS = (
    ("the word in lower case", "word"),
    ("its first letter in lower case", "word[0]"),
    ("its last letter in lower case", "word[-1]"),
)
_LONG = ("candle", "mirror", "Harbour", "violin")


class MaskText(Task):
    """Cover every k-th character. Parameters: step, first position, sign, finish."""

    name = "mask_text"
    entry_point = "mask"
    starter = "def mask(text: str) -> str:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return ((2, max_factor - 1), (1, 9), (0, len(_SIGNS)), (0, len(_FINISHES)))

    def statement(self, p: Params) -> str:
        step, first, sign, finish = p
        places = ", ".join(str(first + n * step) for n in range(3))
        return (
            f"Write a function `mask(text)`. It puts `{_SIGNS[sign]}` in place of the characters "
            f"at the positions {places} and so on, {step} further each time, where the first one "
            f"has position 1; then it {_FINISHES[finish][0]}. It returns the text that comes out."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        step, first, sign, finish = p
        start = first if off_by_one else first - 1
        return lines_of(f"""
def mask(text: str) -> str:
    signs = list(text)
    for at in range({start}, len(signs), {step}):
        signs[at] = "{_SIGNS[sign]}"
    return "".join(signs){_FINISHES[finish][1]}
""")

    def plan(self, p: Params) -> str:
        return (
            f"Positions count from 1 and indices from 0, so the first index is {p[1] - 1} and the "
            f"step is {p[0]}. A list of the characters can be written to; at the end it "
            f"{_FINISHES[p[3]][0]}."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        texts = [" ".join(rng.sample(WORDS, n)) for n in (3, 4, 1, 7)]
        return [[text] for text in (*texts, "", "Ab" * p[1])]

    def answer(self, p: Params, *args: object) -> object:
        step, first, sign, finish = p
        covered = "".join(
            _SIGNS[sign] if at >= first and (at - first) % step == 0 else char
            for at, char in enumerate(str(args[0]), 1)
        )
        if finish == 2:
            return "".join(reversed(covered))
        return (covered.upper(), covered.lower(), "", "".join(covered.split(" ")))[finish]


class CountWords(Task):
    """Count in a dictionary. Parameters: least length, least count, key, room to cap, factor."""

    name = "count_words"
    entry_point = "tally"
    starter = "def tally(words: list[str]) -> dict[str, int]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return ((1, 6), (1, 4), (0, len(_KEYS)), (1, 6), (2, max_factor - 1))

    def statement(self, p: Params) -> str:
        length, least, key, cap, factor = p
        return (
            f"Write a function `tally(words)` that counts words. A word with fewer than {length} "
            f"letters is left out. What is counted is {_KEYS[key][0]}. The result is a dictionary "
            f"from that text to how often it was counted, without those counted fewer than {least} "
            f"times; a count above {least + cap} becomes {least + cap}. At last, each count is "
            f"multiplied by {factor}."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        length, least, key, cap, factor = p
        sign = ">" if off_by_one else ">="
        return lines_of(f"""
def tally(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {{}}
    for word in words:
        if len(word) {sign} {length}:
            word = word.lower()
            key = {_KEYS[key][1]}
            counts[key] = counts.get(key, 0) + 1
    return {{key: min(n, {least + cap}) * {factor} for key, n in counts.items() if n >= {least}}}
""")

    def plan(self, p: Params) -> str:
        return (
            f"First count by {_KEYS[p[2]][0]} what has {p[0]} letters or more, in a dictionary; "
            f"only then drop the counts below {p[1]}, cap the others and multiply."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        length, least, _, cap, _ = p
        exact = "qwertz"[:length]
        few = [exact] * least + rng.sample(WORDS, 4)
        many = rng.choices(WORDS, k=40) + [rng.choice(_LONG)] * (least + cap + 1)
        lists = [few, rng.choices(WORDS[:9], k=12), many, [], [exact.upper(), exact] * least]
        return [[words] for words in lists]

    def answer(self, p: Params, *args: object) -> object:
        length, least, key, cap, factor = p
        long = [word.lower() for word in cast("list[str]", args[0]) if not len(word) < length]
        named = [(word, word[:1], word[-1:])[key] for word in long]
        counts = {name: named.count(name) for name in named}
        return {name: factor * min(n, least + cap) for name, n in counts.items() if not n < least}
