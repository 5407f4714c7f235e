r"""Read a text as a typed answer: words first, then mathematics.

The reference is read once and decides the type (`Reading.kind`); the answer is then read in the
light of it, in every way that its writing allows (`candidates`).

Not here: finding the answer in a response (extract.py), comparing (answers.py, symbolic.py).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tracefactory.verifiers.maths.choices import letter_choice, letter_set
from tracefactory.verifiers.maths.counting import counted, fraction_words, number_words, ordinal
from tracefactory.verifiers.maths.dates import clock, date
from tracefactory.verifiers.maths.labelled import labelled_parts
from tracefactory.verifiers.maths.lex import MAX_CHARS, Unreadable
from tracefactory.verifiers.maths.nodes import Node, number
from tracefactory.verifiers.maths.parse import parse
from tracefactory.verifiers.maths.phrases import (
    are_truths,
    is_none,
    named_set,
    phrases,
    said,
    yes_no,
)
from tracefactory.verifiers.maths.printing import short
from tracefactory.verifiers.maths.wording import holds_words, named_words
from tracefactory.verifiers.maths.words import plain, undressed, without_label

_INTEGER = re.compile(r"-?[0-9]{1,400}")
_SLASHED_DATE = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}")
_APPROXIMATELY = re.compile(
    r"(?:\\text\{\s*)?(?:approximately|approx\.?|about|around|roughly)(?:\s*\})?[\s~]+",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"(?:\\text\{\s*)?(?:negative|minus)(?:\s*\})?[\s~]+", re.IGNORECASE)
_AROUND = re.compile(
    r"^(?:\\(?:therefore|Rightarrow|implies|Longrightarrow|to|hfill|quad|qquad)(?![A-Za-z])\s*)+"
    r"|\s*\\tag\*?\{[^{}]*\}$"
)
_GAPS = ("\\,", "\\;", "\\:", "\\!", "\\ ", "\\\\")
_PAIRS = (
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("**", "**"),
    ("`", "`"),
    ("_", "_"),
)


class Reading(NamedTuple):
    """What a text is, as an answer."""

    kind: str
    """`math`, `choice`, `letters`, `yes_no`, `date`, `clock`, `none`, `parts`, `text` or `texts`
    (a list of words)."""
    node: Node | None
    """The tree, if it can be mathematics at all."""
    word: object
    """The letter, the set of letters, the date, the time, the labelled parts, the items and whether
    they are ordered, or the plain words."""
    text: str
    """Without the dress around it."""
    shown: str = ""
    """The normal form of the tree, for the evidence."""
    why: str = ""
    """Why it is not mathematics: the word of lex.Unreadable."""


def bare(text: str) -> str:
    r"""Without the marks of mathematics and emphasis around it, and without a final full stop."""
    while True:
        text = text.strip(" \t\r\n")
        if text[-1:].isalnum() and (text[0].isalnum() or text[0] == "-"):
            return text
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1]  # of a blank, `\ `
        text = text.removeprefix("=")
        before = text
        if "\\" in text:
            text = _AROUND.sub("", text)
        if text.endswith(_GAPS):
            text = text[:-2]
        elif text.startswith(_GAPS):
            text = text[2:]
        elif text[-1:] in (".", ",", ";") and not text.endswith("..."):
            text = text[:-1]
        for opened, closed in _PAIRS:
            size = len(opened)
            if (
                text.startswith(opened)
                and len(text) > 2 * size
                and text.endswith(closed)
                and closed not in text[size : -len(closed)]
                and not (closed == "$" and text[-2] == "\\")
            ):
                text = text[size : -len(closed)]
                break
        if text == before:
            return text


@lru_cache(maxsize=8192)
def read_reference(text: str) -> Reading:
    """The reference as what it is."""
    if _INTEGER.fullmatch(text):
        return Reading("math", number(int(text)), None, text, str(int(text)))
    if len(text) > MAX_CHARS:
        return Reading("text", None, None, text, "", "too_long")
    stripped = bare(without_label(text))
    parts = labelled_parts(stripped)
    if parts is not None:
        return Reading("parts", None, parts, stripped)
    words = None if _is_formula(stripped) else _worded(stripped)
    if words is not None:
        return words
    try:
        node = parse(stripped)
    except Unreadable as error:
        return _unread(stripped, str(error))
    if _is_text(stripped, node):
        return _text(stripped, node)
    return Reading("math", node, None, stripped, short(node))


# A formula at first sight: no words are looked for where one of these is and no `\\text` or label.
_FORMULA = re.compile(
    r"[\^=+<>]|\\(?:[dt]?frac|sqrt|pi|cdot|times|infty|circ|cup|le|ge|pm|begin)\b"
)
_LABELLED = re.compile(
    r"\\(?:text|math|mbox|bf)|[*({\[ ]*(?:[A-Za-z] ?[).:\]}]|option|choice)", re.I
)


def _is_formula(text: str) -> bool:
    return _FORMULA.search(text) is not None and _LABELLED.match(text) is None


def _worded(text: str) -> Reading | None:
    """Types that are words and not mathematics, if the text is of one."""
    if text.isascii() and not any(sign.isalpha() for sign in text) and ":" not in text:
        found = date(text)
        if found is not None:
            return Reading("date", None, found, text)
        return Reading("text", None, text, text) if _SLASHED_DATE.fullmatch(text) else None
    none = is_none(text)
    if none is not None:
        return Reading("none", None, none, text)
    verdict = yes_no(text)
    if verdict is not None:
        return Reading("yes_no", None, verdict, text)
    letter = letter_choice(text)
    if letter is not None and _is_choice(text, letter[1]):
        return Reading("choice", None, letter, text)
    if are_truths(text):
        return Reading("texts", None, phrases(text), text)
    several = letter_set(text)
    if several is not None:
        return Reading("letters", None, several, text)
    day = date(text)
    if day is not None:
        return Reading("date", None, day, text)
    time = clock(text)
    if time is not None:
        return Reading("clock", _parsed(text), time, text)
    node = _spoken(text)
    if node is not None:
        return Reading("math", node, None, text, short(node))
    place = ordinal(text)
    if place is not None:  # the place `5th` is also said by 5, `fifth` is not
        return Reading("text", number(place) if text[0].isdigit() else None, said(text), text)
    amount = counted(text)
    return None if amount is None else _amount(text, amount)


def _spoken(text: str) -> Node | None:
    """Numbers and sets in words alone."""
    count = number_words(text)
    if count is not None:
        return number(count)
    part = fraction_words(text)
    if part is not None:
        return number(*part)
    name = named_set(text)
    return None if name is None else Node("named_set", (), name)


def _amount(text: str, amount: str) -> Reading | None:
    node = _parsed(amount)
    return None if node is None else Reading("math", node, None, text, short(node))


def _is_choice(text: str, rest: str) -> bool:
    """`B`, `(b)` and `B) 12` are choices; a small letter alone is a variable."""
    plain_text = undressed(text)
    return not (len(plain_text) == 1 and plain_text.islower()) or (
        bool(rest) and plain_text[:1].isupper()
    )


def _parsed(text: str) -> Node | None:
    try:
        return parse(text)
    except Unreadable:
        return None


def _is_text(text: str, node: Node) -> bool:
    """Whether the tree holds words, as text or as the product of their letters."""
    kinds: set[str] = set()
    letters: set[str] = set()
    todo = [node]
    while todo:
        part = todo.pop()
        kinds.add(part.kind)
        if part.kind in ("symbol", "constant") and len(str(part.value)) == 1:
            letters.add(str(part.value))
        todo.extend(part.args)
    if kinds <= {"text", "list", "tuple", "set"} and "text" in kinds:
        return True
    return bool(letters) and holds_words(undressed(text), frozenset(letters))


_ONE_RUN = re.compile(r"[A-Za-z]+")


def _text(text: str, node: Node | None) -> Reading:
    """Words, or a list of them. The tree says what else a doubtful product of letters may be."""
    several = phrases(text)
    if len(several[1]) > 1:
        return Reading("texts", None, several, text)
    name, words = named_words(text)
    doubtful = node is not None and name and _ONE_RUN.fullmatch(words) is not None
    return Reading("text", node if doubtful else None, said(text), text)


# What no words hold: mathematics that is not read is no text to compare letter by letter.
_NOTATION = re.compile(r"[{}^_=+*/<>|]|\\(?:sum|prod|int|lim)\b")


def _unread(text: str, why: str) -> Reading:
    words = plain(text)
    if _NOTATION.search(words if why == "unknown" else named_words(text)[1]):
        return Reading("text", None, None, text, "", why)
    # Words are compared as words; what was meant as mathematics and is not read is not guessed at.
    if any(sign.isalpha() for sign in words) and len(text) <= 400:
        return _text(text, None)
    return Reading("text", None, None, text, "", why)


def candidates(text: str) -> Iterator[Node]:
    """The readings of an answer where the reference is mathematics, the likeliest first.

    Raises:
        Unreadable: if there is none, with the reason of the first reading.
    """
    if _INTEGER.fullmatch(text):
        yield number(int(text))
        return
    if len(text) > MAX_CHARS:
        raise Unreadable("too_long")
    stripped = bare(text)
    parts = labelled_parts(stripped)
    if parts is not None:
        if stripped[0] == "(":
            yield parse(f"({', '.join(value for _, value in sorted(parts))})")
        else:
            yield parse(", ".join(value for _, value in parts))
        return
    found, why = 0, ""
    for reading in _writings(stripped):
        try:
            node = parse(reading)
        except Unreadable as error:
            why = why or str(error)
            continue
        found += 1
        yield node
    if found and _is_formula(stripped):
        return
    spoken = _spoken(stripped)
    if spoken is not None:
        yield spoken
    elif is_none(stripped) == "none":
        yield Node("set")
    elif not found:
        raise Unreadable(why)


_HELD = re.compile(r"\\(?:text|math)(?:bf|rm|it)?\s?\{([^{}]*[=:0-9][^{}]*)\}")
_SQUARE = re.compile(r"(.+),((?: square| cubic)? units?)")


def _writings(text: str) -> Iterator[str]:
    yield text
    held = _HELD.fullmatch(text)
    if held is not None:
        yield held[1].strip()
    if _is_formula(text):
        return
    amount = counted(text)
    if amount is not None:
        yield amount
    unit = _SQUARE.fullmatch(text)
    if unit is not None:
        yield f"{unit[1]}{unit[2]}"
    about = _APPROXIMATELY.match(text)
    if about is not None:
        yield f"\\approx {text[about.end() :]}"
    negative = _NEGATIVE.match(text)
    if negative is not None:
        yield f"-{text[negative.end() :]}"
    labelled = letter_choice(text)
    if labelled is not None and labelled[1]:
        yield bare(labelled[1])
