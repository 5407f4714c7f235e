"""A corpus with planted benchmark items and known truth, made of a seed.

    items     of the file that is given, or made up: short problems of words and numbers
    rows      by kind, each row with the item that it holds, or none

    verbatim, punctuation, latex, embedded, trace   hold an item: to be found contaminated
    renumbered                                      an item with other numbers: suspect
    stock                                           no item, but the stock phrases of many
    clean                                           nothing in common

Words are made up by syllables, so that two texts share none by chance but the common ones.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PLANTED = ("verbatim", "punctuation", "latex", "embedded", "trace")
COMMON = (
    "the", "a", "of", "and", "in", "to", "is", "for", "with", "on", "at", "each", "that", "has",
    "from", "by", "how", "many", "if", "then", "what", "find", "total", "all", "it", "two", "more",
)  # fmt: skip
STOCK = (
    "Let's think step by step and put the final answer in a box at the end.",
    "How many of them are left over in the end, and how much does it all cost in total?",
    "Give your answer as a reduced fraction, and do not round before the last step.",
    "What is the remainder when the result of this calculation is divided by one thousand?",
)


@dataclass(frozen=True, slots=True)
class Planted:
    kind: str
    text: str
    item: int | None


def _words(chance: random.Random, n: int) -> list[str]:
    made = []
    for _ in range(n):
        if chance.random() < 0.35:
            made.append(chance.choice(COMMON))
        elif chance.random() < 0.12:
            made.append(str(chance.randrange(2, 2000)))
        else:
            made.append("".join(chance.choice("bdfgklmnprstv") + chance.choice("aeiou")
                                for _ in range(chance.randrange(1, 4))))  # fmt: skip
    return made


def prose(chance: random.Random, n: int) -> str:
    """About n words in sentences."""
    words, found = _words(chance, n), ""
    while words:
        m = chance.randrange(6, 14)
        found += " ".join(words[:m]).capitalize() + chance.choice([". ", ". ", "? ", ", so that "])
        words = words[m:]
    return found.strip()


def made_items(seed: int, n: int) -> list[str]:
    """Items of 20 to 80 words; one in eight ends with a stock phrase."""
    found = []
    for number in range(n):
        chance = random.Random(f"{seed}:item:{number}")
        text = prose(chance, chance.randrange(20, 80))
        if number % 8 == 0:
            text += " " + STOCK[number // 8 % len(STOCK)]
        found.append(text)
    return found


def punctuated(text: str, chance: random.Random) -> str:
    """Other punctuation, quotes and white space; capitals; words, numbers and operators stay."""
    marks = (".", ",", ";", " ", "...", "!")
    text = re.sub(r"[.,;:!?](?=\s|$)", lambda _: chance.choice(marks), text)
    text = text.replace("'", "’").replace('"', "“").replace(", ", " , ")
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text) if chance.random() < 0.5 else text
    text = re.sub(r" +", lambda _: chance.choice([" ", "  ", "\n", "\u00a0"]), text)
    return chance.choice([str.upper, str.lower, str])(text)


def spaced(text: str, chance: random.Random) -> str:
    """The spacing and dress of LaTeX: dollars around numbers, thin spaces, braces."""

    def number(match: re.Match[str]) -> str:
        digits = match[0].replace(",", chance.choice(["{,}", ",\\!", ""]))
        return chance.choice([f"$ {digits} $", f"\\( {digits} \\)", f"${{{digits}}}$", digits])

    text = re.sub(r"\d+(?:,\d{3})*", number, text)
    signs = (" {} ", "\\, {} \\;", "{}")
    text = re.sub(r"[=+*/<>]", lambda match: chance.choice(signs).format(match[0]), text)
    text = text.replace("\\left", "").replace("\\right", "")
    space = chance.choice([" ", " \\quad ", "  "])
    return re.sub(r"  +", lambda _: space, text)


def embedded(text: str, chance: random.Random) -> str:
    return f"{prose(chance, 60)}\n\n{text}\n\n{prose(chance, 60)}"


def in_trace(text: str, chance: random.Random) -> str:
    return (
        f"<think>\n{prose(chance, 300)}\nThis is like a problem that I know: {text} There,\n"
        f"{prose(chance, 300)}\n</think>\n\nThe answer is {chance.randrange(100)}."
    )


def renumbered(text: str, chance: random.Random) -> str:
    return re.sub(r"\d+", lambda m: str(int(m[0][:9]) + chance.randrange(1, 9)), text)


def _stocked(_: str, chance: random.Random) -> str:
    phrases = chance.sample(STOCK, 2)
    return f"{prose(chance, 40)} {phrases[0]} {prose(chance, 40)} {phrases[1]}"


_MAKERS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda text, _: text,
    "punctuation": punctuated,
    "latex": spaced,
    "embedded": embedded,
    "trace": in_trace,
    "renumbered": renumbered,
    "stock": _stocked,
    "clean": lambda _, chance: prose(chance, 90),
}
KINDS = tuple(_MAKERS)


def rows(items: Sequence[str], kind: str, seed: int) -> list[Planted]:
    """One row of a kind for each item."""
    holds, make = kind not in ("stock", "clean"), _MAKERS[kind]
    return [
        Planted(kind, make(text, random.Random(f"{seed}:{kind}:{n}")), n if holds else None)
        for n, text in enumerate(items)
    ]
