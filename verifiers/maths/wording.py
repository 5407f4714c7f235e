"""Tell words from products of letters: `red` is one, `xyz` is three letters.

Not here: what the words say (phrases.py).
"""

import re
from itertools import pairwise

from tracefactory.verifiers.maths.words import undressed

OPERATORS = ("+", "*", "/", "^", "=", "\\cdot", "\\times", "\\pm")
"""What a formula goes on with."""

# Two letters that are a word sooner than a product.
_TWO_LETTERS = frozenset(
    ["on", "no", "up", "it", "is", "in", "to", "of", "or", "by", "he", "we", "me", "my", "so", "do",
     "go", "if", "as", "us", "ok", "hi", "at", "kg", "cm", "km", "lb", "oz", "ft", "hz"]
)  # fmt: skip
_FUNCTIONS = frozenset(
    ["max", "min", "gcd", "lcm", "log", "exp", "sin", "cos", "tan", "sec", "csc", "cot", "arg"]
)
_RUN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# What text answers do not hold; a minus joins words only.
_NOTATION = re.compile(r"[\\^_=+*/<>|{}$%@#~\[\]!]|(?:^|[\W\d])-|-(?![A-Za-z])")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?[0-9]{0,2}){2,8}")
# `x = red`
_NAME = re.compile(r"(?P<name>[A-Za-z]) ?= ?(?=[A-Za-z])")


def is_word(run: str) -> bool:
    """Whether letters in a row are a word sooner than a product: `red`, `on`, `AB`; not `xyz`.

    A product of three letters and more has no vowel, or its letters follow each other in the
    alphabet.
    """
    if "-" in run:
        return any(len(part) > 2 and is_word(part) for part in run.split("-"))
    if len(run) < 2 or run in _FUNCTIONS:
        return False
    if len(run) == 2:
        return run.isupper() or run.lower() in _TWO_LETTERS
    low = run.lower()
    if run.isupper() or not low.isascii():
        return True
    if set(low) <= set("wxyz") or (set(low) <= set("abc") and sorted(low) == list(low)):
        return False
    follow = all(ord(b) - ord(a) == 1 for a, b in pairwise(low))
    return not follow and not set(low).isdisjoint("aeiouy")


def named_words(text: str) -> tuple[str, str]:
    """Undressed words and the letter that names them: `x = red` is ("x", "red")."""
    text = undressed(text)
    found = _NAME.match(text)
    return ("", text) if found is None else (found["name"], text[found.end() :])


def holds_words(text: str, letters: frozenset[str]) -> bool:
    """Whether undressed text without notation holds a word made of `letters`, read as factors."""
    name, text = named_words(text.replace("\\{", "(").replace("\\}", ")"))
    if _NOTATION.search(text) is not None:
        return False
    if _FORMULA.fullmatch(text) is not None and not text.isalpha():
        return not name  # H2O
    for found in _RUN.finditer(text):
        run = found[0]
        behind_digit = text[found.start() - 1 : found.start()].isdigit()  # `2AB`
        short = len(run) == 2 and (name or "(" in text)
        if is_word(run) and not behind_digit and not short and set(run) - set("-'’") <= letters:
            return True
    return False
