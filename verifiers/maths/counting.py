"""Read numbers in English words: `one hundred and five`, `two thirds`, `fifth`, `5 apples`.

Not here: digits alone and what is made of them (lex.py), units (units.py), other languages.
"""

import re
from math import gcd

from tracefactory.verifiers.maths.words import MAX_CHARS, plain, undressed

_SMALL = {
    word: number
    for number, word in enumerate(
        [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
            "eighteen", "nineteen",
        ]
    )
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LIMIT = 10**15
_WORDS_OF_NUMBER = re.compile(r"[a-z]+(?:[ -][a-z]+|, (?!and )[a-z]+)*")
_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "sixteenth": 16, "hundredth": 100,
    "thousandth": 1000,
}  # fmt: skip
_FRACTION = re.compile(
    r"(?:(?P<whole>[a-z]+(?:[ -][a-z]+)?) and )?"
    r"(?:(?P<top>[a-z]+(?:[ -][a-z]+)?)[ -])?(?P<part>[a-z]+)"
)
_FIRSTS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
}  # fmt: skip
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
_ORDINAL = re.compile(r"([0-9]{1,9})\^?\{?(st|nd|rd|th)\}?")
# Characters of a counted amount, and words of the number in it.
_MAX_COUNTED, _MAX_NUMBER_WORDS = 100, 6
_COUNTED = re.compile(
    r"(?:(?:exactly|only|just|precisely) )?(?P<amount>.{1,60}?)"
    r"(?: (?:(?:real|distinct|different|possible|total|such|valid) )*(?:solutions?|roots?))?",
    re.IGNORECASE,
)


def number_words(text: str) -> int | None:
    """The whole number that English words name (`one hundred and five`), below 10^15, or None."""
    if len(text) > MAX_CHARS:
        return None
    text = plain(text)
    sign = 1
    for word in ("minus ", "negative "):
        if text.startswith(word):
            text, sign = text[len(word) :], -1
    if _WORDS_OF_NUMBER.fullmatch(text) is None:
        return None
    total, limit = 0, _LIMIT
    group: list[str] = []
    words = text.replace("-", " ").split()
    if words in (["zero"], ["hundred"]):
        return sign * (0 if words == ["zero"] else 100)
    for index, spoken in enumerate(words):
        word = spoken.removesuffix(",")
        if word in _SCALES:
            scale = _SCALES[word]
            # "thousand" alone, after "a" that `plain` dropped
            value = 1 if not group and index == 0 else _below_thousand(group, total > 0)
            if value is None or scale >= limit:
                return None
            total, limit, group = total + value * scale, scale, []
        elif word != spoken:  # a comma that is not behind a scale makes a list
            return None
        else:
            group.append(word)
    if group:
        value = _below_thousand(group, total > 0)
        if value is None:
            return None
        total += value
    elif not total:
        return None
    return sign * total


def _below_thousand(words: list[str], follows: bool) -> int | None:
    """1 to 999 (also "twelve hundred"); `and` may come after hundreds, or before all of it."""
    if not words:
        return None
    value = 0
    if "hundred" in words:
        at = words.index("hundred")
        head = _below_hundred(words[:at]) if at else 1
        if head is None or head % 10 == 0:
            return None
        value, words = head * 100, words[at + 1 :]
        if not words:
            return value
        follows = True
    if words[0] == "and":
        if not follows:
            return None
        words = words[1:]
    rest = _below_hundred(words)
    return None if rest is None else value + rest


def _below_hundred(words: list[str]) -> int | None:
    if len(words) == 1:
        return _SMALL.get(words[0], 0) or _TENS.get(words[0])
    if len(words) == 2 and words[0] in _TENS and 1 <= _SMALL.get(words[1], 0) <= 9:
        return _TENS[words[0]] + _SMALL[words[1]]
    return None


def fraction_words(text: str) -> tuple[int, int] | None:
    """`one half`, `three-quarters`, `a third`, `two and a half` as (numerator, denominator)."""
    if len(text) > MAX_CHARS:
        return None
    found = _FRACTION.fullmatch(undressed(text).casefold())
    if found is None:
        return None
    whole, top, name = found["whole"], found["top"], found["part"]
    one = "half" if name == "halves" else name.removesuffix("s")
    bottom = _PARTS.get(one)
    if bottom is None or (top is None and (name != "half" or whole)):
        return None  # `fifth` alone is an ordinal, `two and half` a slip
    count = 1 if top in (None, "a", "an") else number_words(top)
    units = 0 if whole is None else number_words(whole)
    # `one halves`; `twenty-fifths` may be twenty or parts of twenty-five.
    if not count or units is None or (count == 1) != (name == one) or top in _TENS:
        return None
    above = units * bottom + count
    common = gcd(above, bottom)
    return above // common, bottom // common


def ordinal(text: str) -> int | None:
    """5 for `fifth`, `5th` and `5^{th}`; None for what is no ordinal."""
    if len(text) > MAX_CHARS:
        return None
    text = undressed(text).casefold().removeprefix("the ")
    found = _ORDINAL.fullmatch(text)
    if found is not None:
        number = int(found[1])
        return number if f"{number}{found[2]}" == as_ordinal(number) else None
    start, joint, last = text.rpartition("-" if "-" in text else " ")
    number = _FIRSTS.get(last) or 0
    if not number and last.endswith("ieth"):
        number = _TENS.get(last[:-4] + "y", 0)
    elif not number and last.endswith("th"):
        number = _SMALL.get(last[:-2], 0)
    if not number or not joint:
        return number or None
    tens = number_words(start)
    return tens + number if tens and tens % 10 == 0 and number < 10 else None


def as_ordinal(number: int) -> str:
    """`5th` for 5."""
    teens = number // 10 % 10 == 1
    return f"{number}{'th' if teens else _ENDINGS.get(number % 10, 'th')}"


def counted(text: str) -> str | None:
    """The amount in `exactly 5`, `5 solutions`, `five apples` in digits; None if it is bare."""
    if len(text) > _MAX_COUNTED:
        return None
    undressed_text = undressed(text)
    found = _COUNTED.fullmatch(undressed_text)
    if found is None:
        return None
    amount = found["amount"]
    number = number_words(amount)
    if number is not None:
        amount = str(number)
    elif not amount[0].isdigit():
        words = amount.split(" ")
        for size in range(min(len(words) - 1, _MAX_NUMBER_WORDS), 0, -1):
            number = number_words(" ".join(words[:size]))
            if number is not None:
                amount = f"{number} {' '.join(words[size:])}"
                break
    return amount if amount != undressed_text and amount[0].isdigit() else None
