r"""Read answers that are words: yes and no, letters of a choice, dates, clock times, number words.

Also text answers: whether letters in a row are a word or a product, lists of words, labelled parts.

Each function takes an answer as it was found (it may wear `\text{}`, `$...$`, `**`, quotes) and
returns a value to compare, or None when the text is nothing of that kind: as a whole, for nothing
is taken out of the middle of a sentence.

Several readings may fit one text (`4:30` is a ratio too, `2024-02-29` a difference, `B` a
variable): the caller asks for the type of the reference. Not here: arithmetic, units, languages
other than English, and synonyms (`correct` is not `yes`).
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from math import gcd

# Longer ones are no date, letter or number word; `plain` alone takes any length.
MAX_CHARS = 400

_TEXT = re.compile(
    r"\\(?:text(?:rm|bf|it|sf|tt|normal|up|sc)?|math(?:rm|bf|it|sf|tt|normal)|mbox|hbox|emph|underline"
    r"|operatorname|boldsymbol|bm|mathop)\*? ?\{([^{}]*)\}"
)
_SWITCH = re.compile(r"\\(?:displaystyle|textstyle|rm|bf|it|sf|tt|bfseries)(?![A-Za-z]) ?")
_GAP = re.compile(r"\\[,;:! ]|\\q?quad(?![A-Za-z])|(?<!\\)~")
_MATH = re.compile(r"\\[()\[\]]|(?<!\\)\$")
# Marks that nobody sees: soft hyphen, zero-width and direction marks, byte order mark, NUL.
_UNSEEN = dict.fromkeys(
    [
        *(0, 0xAD, 0x34F, 0x61C, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
    ]
)
_SAME = str.maketrans("‘’‚‛“”„‟‐‑‒–—―−", "''''\"\"\"\"-------")
_PAIRS = (
    *(("**", "**"), ("__", "__"), ("``", "''"), ("$", "$"), ("{", "}")),
    *((mark, mark) for mark in "*_`\"'"),
)


def normal_characters(text: str) -> str:
    """One writing for what looks the same, without ever changing a number.

    Full-width signs, ligatures, quotes, dashes and blanks become the usual ones and what nobody
    sees goes. Fractions and raised or lowered signs stay: NFKC would make `11⁄2` of `1½` and `22`
    of `2²`.
    """
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    text = unicodedata.normalize("NFC", text.translate(_UNSEEN).translate(_SAME))
    return "".join(map(_normal_character, text))


_SETS = "ℝℤℕℚℂ"
"""Letters that are not those of the alphabet."""


@lru_cache(maxsize=4096)
def _normal_character(sign: str) -> str:
    if sign.isascii() or sign in _SETS:
        return sign
    if unicodedata.category(sign) == "Nd":
        return str(unicodedata.decimal(sign))
    kind = unicodedata.decomposition(sign).partition(">")[0]
    if unicodedata.category(sign) == "No" or kind in ("<super", "<sub", "<fraction"):
        return sign
    return unicodedata.normalize("NFKC", sign)


@lru_cache(maxsize=4096)
def undressed(text: str) -> str:
    r"""Without `\text{}` and its like, `$`, bold, quotes, a full stop; blanks collapsed, case kept.

    Braces that belong to anything else stay: `\frac{11}{2}` is not `\frac{1}{12}`.
    """
    text = normal_characters(text)
    if "\\" in text:
        text = _SWITCH.sub("", _GAP.sub(" ", text).replace("{:}", ":"))
        for _ in range(4):
            shorter = _TEXT.sub(r"\1", text)
            if shorter == text:
                break
            text = shorter
    # A lone dollar sign is money.
    if ("$" in text or "\\" in text) and len(_MATH.findall(text)) % 2 == 0:
        text = _MATH.sub("", text)
    text = " ".join(text.split())
    for _ in range(8):
        before = text
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1].rstrip()
        for opening, closing in _PAIRS:
            inner = len(text) - len(closing)
            if (
                inner > len(opening)
                and text.startswith(opening)
                and text.endswith(closing)
                # `{a} {b}`, `"yes" or "no"`: not one pair around the whole
                and text.find(closing, len(opening)) == inner
                and text.find(opening, len(opening), inner) < 0
                and text[inner - 1] != "\\"
            ):
                text = text[len(opening) : inner].strip()
        if text == before:
            break
    return text


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """What text answers are compared as: undressed, case folded, without a leading article."""
    text = undressed(text).casefold()
    for article in ("the ", "a ", "an "):
        if text.startswith(article):
            return text[len(article) :]
    return text


def yes_no(text: str) -> str | None:
    """`yes`, `no`, `true` or `false`, or None."""
    if len(text) > MAX_CHARS:
        return None
    word = plain(text)
    return word if word in ("yes", "no", "true", "false") else None


_LABEL = re.compile(
    r"(?P<said>(?:option|choice|answer) )?"
    r"(?:\( ?(?P<held>[A-Za-z]) ?\)[.:]?|(?P<bare>[A-Za-z])(?P<end>\)|[.:](?= |$)|$|(?= [0-9])))"
    r"\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"(?:or|and|,|;|/|&|\|)(?![A-Za-z])", re.IGNORECASE)
_OTHER_LABEL = re.compile(r"(?<![\w(])\(?([A-Z])(?:\)|[.:](?=\s|$))")
_OTHER_LETTER = re.compile(r"\b(?:or|and)\s+(?:option |choice )?\(?[A-Za-z](?![\w'])")


def letter_choice(text: str) -> tuple[str, str] | None:
    r"""The one letter of a choice, in capitals, and what follows its label: `B) 12` is ("B", "12").

    A small letter counts when it is alone or in brackets. Naming two letters is naming none.
    """
    if len(text) > MAX_CHARS:
        return None
    text = undressed(_label_apart(text))
    if len(text) == 1:
        return (text.upper(), "") if text.isascii() and text.isalpha() else None
    found = _LABEL.fullmatch(text)
    if found is None:
        return None
    letter, rest = found["held"] or found["bare"], found["rest"].strip().strip("*").strip()
    if found["bare"] and found["bare"].islower() and not found["said"]:
        return None
    if letter.islower() and rest.startswith(("(", "_", *_OPERATORS)):
        return None  # `(a)(b)`: a product
    # `B.` loses its stop when it is undressed; `Option B` has none.
    if _JOINED.match(rest) or _OTHER_LETTER.search(rest):
        return None
    if len(rest) == 1 and rest.isalpha():
        return None  # `A: B`
    if any(other[1] != letter.upper() for other in _OTHER_LABEL.finditer(rest)):
        return None
    return letter.upper(), rest


_DRESSED_LABEL = re.compile(
    r"^[\s$]*(?:\\(?:text|math)(?:bf|rm|it|sf)?\s*\{\s*(\(?[A-Za-z](?:\)|[.:]?)[.:]?)\s*\}"
    r"|(?:\*\*|__)(\(?[A-Za-z](?:\)|[.:]?)[.:]?)(?:\*\*|__))"
)


def _label_apart(text: str) -> str:
    r"""`\textbf{(B)}24` and `**B** 24` with the label written plainly and a blank behind it."""
    found = _DRESSED_LABEL.match(text)
    if found is None:
        return text
    rest = text[found.end() :]
    if found[0].count("$") % 2:
        rest = rest.replace("$", "", 1)
    return f"{found[1] or found[2]} {rest}".strip()


_LETTERS = re.compile(
    r"(?:\\\{)?\s*(\(?[A-Za-z]\)?(?:(?:\s*[,;&]\s*(?:and\s+)?|\s+and\s+)\(?[A-Za-z]\)?)+)\s*(?:\\\})?"
)
_ONE_LETTER = re.compile(r"(?<![A-Za-z])(\()?([A-Za-z])(\))?(?![A-Za-z])")


def letter_set(text: str) -> frozenset[str] | None:
    """Two or more different letters, joined by commas or `and`; small ones only in brackets."""
    if len(text) > MAX_CHARS:
        return None
    text = undressed(text)
    found = _LETTERS.fullmatch(text)
    if found is None:
        return None
    named: list[str] = []
    for opening, letter, closing in _ONE_LETTER.findall(found[1]):
        if bool(opening) != bool(closing) or (letter.islower() and not opening):
            return None
        named.append(letter.upper())
    return frozenset(named) if len(set(named)) == len(named) > 1 else None


def is_letter_run(text: str) -> bool:
    """Letters of several choices written together: `ABD`, in the order of the alphabet."""
    return 1 < len(text) <= 8 and list(text) == sorted(set(text)) and set(text) <= set("ABCDEFGH")


_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",),
            ("june", "jun"), ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"),
            ("october", "oct"), ("november", "nov"), ("december", "dec"),
        ],
        1,
    )
    for name in names
}  # fmt: skip
_MONTH = r"(?P<month>[a-z]{3,9})\.?"
_DAY = r"(?P<day>[0-9]{1,2})(?:\^?\{?(?:st|nd|rd|th)\}?)?"
_YEAR = r"(?P<year>[0-9]{4})"
_WEEKDAY = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)\.?,? "
)
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"{_YEAR}(?P<sep>[-/.])(?P<number>[0-9]{{1,2}})(?P=sep)(?P<day>[0-9]{{1,2}})",
        rf"{_MONTH} ?{_DAY}(?:(?:,| |, ){_YEAR})?",
        rf"{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?",
        rf"{_MONTH},? {_YEAR}",
    )
)
_SLASHES = re.compile(r"([0-9]{1,2})([/.\-])([0-9]{1,2})\2([0-9]{4})")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def date(text: str) -> tuple[int | None, int | None, int | None] | None:
    """(year, month, day) of a day that the calendar has; what is not said is None.

    Day and month must be named, or month and year. `3/4/2024` may be in March or in April, so it
    is None. A weekday before the date is passed over, not checked.
    """
    if len(text) > MAX_CHARS:
        return None
    text = plain(text)
    weekday = _WEEKDAY.match(text)
    if weekday is not None:
        text = text[weekday.end() :].removeprefix("the ")
    found = _SLASHES.fullmatch(text)
    if found is not None:
        one, other, year = int(found[1]), int(found[3]), int(found[4])
        if one != other and one <= 12 and other <= 12:
            return None
        month, day = (one, other) if one <= 12 else (other, one)
        return _checked(year, month, day)
    for form in _DATES:
        found = form.fullmatch(text)
        if found is None:
            continue
        groups = found.groupdict()
        month_name, number = groups.get("month"), groups.get("number")
        known = int(number) if number else _MONTHS.get(month_name or "")
        if known is None:
            continue
        year_text, day_text = groups.get("year"), groups.get("day")
        return _checked(
            int(year_text) if year_text else None, known, int(day_text) if day_text else None
        )
    return None


def _checked(
    year: int | None, month: int, day: int | None
) -> tuple[int | None, int | None, int | None] | None:
    if not 1 <= month <= 12 or year == 0:
        return None
    if day is not None:
        leap = year is None or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
        if not 1 <= day <= _DAYS[month - 1] - (month == 2 and not leap):
            return None
    return year, month, day


_CLOCK = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:(?P<sign>[:.])(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?)?"
    r"(?P<clock> ?o'clock)?"
    r"(?: ?(?P<half>[ap])\.? ?m\.?| (?:in the |)(?P<part>morning|afternoon|evening)"
    r"| ?(?P<word>noon|midnight))?"
)


def clock(text: str) -> tuple[int, str | None, int] | None:
    """(minutes, "am", "pm" or None, seconds) of a time of day.

    Minutes count from midnight; where nothing says which half of the day is meant, from the start
    of the half (`12:30` is 30). `16:30` says it. A bare `4` is no time.
    """
    if len(text) > MAX_CHARS:
        return None
    text = plain(text).removeprefix("at ")
    if text in ("noon", "midday"):
        return 720, "pm", 0
    if text == "midnight":
        return 0, "am", 0
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    half = found["half"] and found["half"] + "m"
    if found["part"]:
        half = "am" if found["part"] == "morning" else "pm"
    hour, minute, second = int(found["hour"]), int(found["minute"] or 0), int(found["second"] or 0)
    if found["word"]:
        if hour != 12 or minute or second:
            return None
        half = "pm" if found["word"] == "noon" else "am"
    # `4.30` without more is a decimal number, `4` any number.
    if found["sign"] != ":" and not (half or found["clock"]):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    if hour > 12 or hour == 0:
        said = "pm" if hour else "am"
        if half not in (None, said):
            return None
        return hour * 60 + minute, said, second
    return hour % 12 * 60 + minute + (720 if half == "pm" else 0), half, second


def same_clock(one: tuple[int, str | None, int], other: tuple[int, str | None, int]) -> bool:
    """Whether two times agree; a.m. or p.m. may be missing in one, but not contradict."""
    if one[1] and other[1] and one[1] != other[1]:
        return False
    return one[0] % 720 == other[0] % 720 and one[2] == other[2]


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
_WORDS_OF_NUMBER = re.compile(r"[a-z]+(?:[ -][a-z]+|, (?!and )[a-z]+)*")


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
    total, limit = 0, 10**15
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


_PARTS = {
    "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "sixteenth": 16, "hundredth": 100,
    "thousandth": 1000,
}  # fmt: skip
_FRACTION = re.compile(
    r"(?:(?P<whole>[a-z]+(?:[ -][a-z]+)?) and )?"
    r"(?:(?P<top>[a-z]+(?:[ -][a-z]+)?)[ -])?(?P<part>[a-z]+)"
)


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


_FIRSTS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
}  # fmt: skip
_ORDINAL = re.compile(r"([0-9]{1,9})\^?\{?(st|nd|rd|th)\}?")


def ordinal(text: str) -> int | None:
    """5 for `fifth`, `5th` and `5^{th}`; None for what is no ordinal."""
    if len(text) > MAX_CHARS:
        return None
    text = undressed(text).casefold().removeprefix("the ")
    found = _ORDINAL.fullmatch(text)
    if found is not None:
        number = int(found[1])
        return number if found[2] == _ending(number) else None
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


def _ending(number: int) -> str:
    if number // 10 % 10 == 1:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


_COUNTED = re.compile(
    r"(?:(?:exactly|only|just|precisely) )?(?P<amount>.{1,60}?)"
    r"(?: (?:(?:real|distinct|different|possible|total|such|valid) )*(?:solutions?|roots?))?",
    re.IGNORECASE,
)


def counted(text: str) -> str | None:
    """The amount in `exactly 5`, `5 solutions`, `five apples` in digits; None if it is bare."""
    if len(text) > 100:
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
        for size in range(min(len(words) - 1, 6), 0, -1):
            number = number_words(" ".join(words[:size]))
            if number is not None:
                amount = f"{number} {' '.join(words[size:])}"
                break
    return amount if amount != undressed_text and amount[0].isdigit() else None


_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are|exists?) |it has |has )?no (?:(?:real|such|valid|possible"
    r"|integer|positive|rational) )*"
    r"(?:solutions?|roots?|values?|numbers?|integers?)(?: exists?)?"
    r"|none|empty set|null set|no such .{1,40} exists?"
    r"|\\(?:emptyset|varnothing)|\\\{ ?\\?\}|\{ ?\}|[∅ø]"
)
_RESTRICTED = re.compile(r"\b(?:integer|positive|rational)(?= (?!exist))")
_UNDEFINED = re.compile(
    r"(?:(?:limit|it|value|expression) )?(?:does not exist|doesn't exist|is undefined"
    r"|is not defined|dne|d\.n\.e|undefined|not defined)"
)
_UNDETERMINED = re.compile(
    r"(?:it )?(?:cannot|can not|can't) be determined"
    r"(?: (?:from|with|without|by|based|given|using|because|since|as|uniquely|exactly|here)\b"
    r".{0,60})?"
    r"|(?:not enough|insufficient) information"
)


def is_none(text: str) -> str | None:
    r"""Which way of saying that there is no answer this is, or None when it is none.

    `none` (no solution, `\emptyset`), `none integer` (no integer solution: there may be others),
    `undefined` (does not exist) or `undetermined` (cannot be determined).
    """
    if len(text) > MAX_CHARS:
        return None
    word = plain(text)
    found = _NO_SOLUTION.fullmatch(word)
    if found is not None:
        return " ".join(["none", *sorted(_RESTRICTED.findall(word))])
    if _UNDEFINED.fullmatch(word):
        return "undefined"
    return "undetermined" if _UNDETERMINED.fullmatch(word) else None


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


_NAME = re.compile(r"(?P<name>[A-Za-z]) ?= ?(?=[A-Za-z])")


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


_BRACKETS = re.compile(r"(?:\\\{|([(\[]))(.*?)(?:\\\}|[)\]])")
_COMMA = re.compile(r"\s*[,;]\s*(?:(?:and|&)\s+)?|\s+(?:and|&)\s+")
MAX_ITEMS = 40
_SHORT_ITEM = 4


def phrases(text: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the order counts in a list of words, and its items; text that is none is one item.

    It counts in brackets, among many words, where one comes twice and in `True, False`.
    """
    text = undressed(text)
    found = _BRACKETS.fullmatch(text)
    inner = text if found is None else found[2]
    items = [item for part in _COMMA.split(inner) if (item := plain(part))]
    if not 1 < len(items) <= MAX_ITEMS or any(sign in inner for sign in "()[]"):
        return False, (said(text),)
    in_order = (
        any(item.count(" ") >= _SHORT_ITEM for item in items)
        or (found is not None and found[1] is not None)
        or set(items) <= _TRUTHS
        or len(set(items)) < len(items)
    )
    return in_order, tuple(map(said, items))


_TRUTHS = frozenset(["yes", "no", "true", "false", "t", "f"])


def are_truths(text: str) -> bool:
    """Whether this is a list such as `True, False` or `T, F, T`."""
    items = phrases(text)[1] if len(text) <= MAX_CHARS else ()
    return len(items) > 1 and set(items) <= _TRUTHS


_INFINITE = re.compile(
    r"(?:there are |it has |has )?(?:infinitely many|infinite|(?:an )?infinite number of)"
    r" (?:solutions?|roots?|values?)|(?:there are )?infinitely many"
)


def said(text: str) -> str:
    """What one text is compared as: plain words, ordinals and the infinite in one writing."""
    place = ordinal(text)
    if place is not None:
        return f"{place}{_ending(place)}"
    words = plain(text)
    return "infinitely many" if _INFINITE.fullmatch(words) else words


_ALL = re.compile(
    r"(?:(?:the )?set of )?(?:all |the )(?P<set>real|integer)(?:s| numbers?| values?| x)(?: x)?"
)


def named_set(text: str) -> str | None:
    """`reals` or `integers` for `all real numbers`, `all integers`; else None."""
    if len(text) > MAX_CHARS:
        return None
    found = _ALL.fullmatch(undressed(text).casefold())
    return None if found is None else f"{found['set']}s"


_LABELS = ("abcdefgh", ("i", "ii", "iii", "iv", "v", "vi"))
_BOLD_LABEL = re.compile(
    r"\\(?:text(?:bf|rm|it)?|mathrm|mathbf)\s?\{\s*(\(?[a-z]{1,3}\))\s*\}|\*\*(\(?[a-z]{1,3}\))\*\*"
)
_PART_LABEL = re.compile(r"(?:^|(?<=[\s,;.}0-9a-z$]))\(?([a-hivx]{1,3})\)(?=[\s\\$0-9-])\s*")
_NAMED_PART = re.compile(
    r"\s*(?:\\(?:text|mathrm|operatorname)\{\s*)?(\\m(?:in|ax)|[A-Za-z][a-z]{2,12})(?:\s*\})?\s*=\s*"
    r"([^=,;]{1,80})"
)
_OPERATORS = ("+", "*", "/", "^", "=", "\\cdot", "\\times", "\\pm")
_BETWEEN = " \t\r\n,;~"
_SPACING = re.compile(r"(?:\\[,;:! ]|\\q?quad(?![A-Za-z])|\\\\|\s)+$|^(?:\\[,;:! ]|\s)+")


def labelled_parts(text: str) -> tuple[tuple[str, str], ...] | None:
    """Two or more parts and their labels, as `(a) 5, (b) 7` and `min = 1, max = 5` have them."""
    if len(text) > MAX_CHARS:
        return None
    if "=" in text and ("," in text or ";" in text or " and " in text):
        return _named_parts(text)
    if ")" not in text or ("b" not in text and "ii" not in text):
        return None
    text = _BOLD_LABEL.sub(lambda found: f" {found[1] or found[2]} ", text).strip()
    found = list(_PART_LABEL.finditer(text))
    if len(found) < 2 or found[0].start() != 0:
        return None
    labels = [label[1] for label in found]
    ends = [label.start() for label in found[1:]] + [len(text)]
    values = [_part(text[label.end() : end]) for label, end in zip(found, ends, strict=True)]
    if not all(values) or not any(sorted(labels) == list(row[: len(labels)]) for row in _LABELS):
        return None
    return tuple(zip(labels, values, strict=True))


def _part(text: str) -> str:
    """The value of a part; empty if it is only the rest of a formula (`(a) - 5(b)`)."""
    before = ""
    while text != before:
        before = text
        text = _SPACING.sub("", text).strip(_BETWEEN).removesuffix(" and")
    if text.startswith(("- ", *_OPERATORS)) or text.endswith(("-", *_OPERATORS)):
        return ""
    return text


def _named_parts(text: str) -> tuple[tuple[str, str], ...] | None:
    parts: list[tuple[str, str]] = []
    for piece in _COMMA.split(text):
        found = _NAMED_PART.fullmatch(_SPACING.sub("", piece))
        name = "" if found is None else found[1].lower().removeprefix("\\")
        if found is None or name in _GREEK_NAMES:
            return None
        if name not in ("min", "max") and not is_word(name):
            return None
        parts.append((name, _part(found[2])))
    names = {name for name, _ in parts}
    return tuple(parts) if len(names) == len(parts) > 1 and all(dict(parts).values()) else None


_GREEK_NAMES = frozenset(
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
     "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "pi"]
)  # fmt: skip
_ANSWER_LABEL = re.compile(
    r"(?P<open>\\text(?:bf|rm)?\s?\{\s*)?(?:(?:so|thus|hence|therefore),? )?(?:(?:the|my|our) )?"
    r"(?:final |correct )?answer(?: is:?|:)(?=[\s}$\\])\s*(?P<close>\})?\s*",
    re.IGNORECASE,
)


def without_label(text: str) -> str:
    r"""Without "The answer is" before the answer, also where `\text{}` holds it."""
    if "nswer" not in text and "NSWER" not in text:
        return text
    text = text.strip()
    found = _ANSWER_LABEL.match(text)
    if found is None or (found["close"] and not found["open"]):
        return text
    rest = text[found.end() :]
    if not rest.strip(" }"):
        return text
    return f"{found['open']}{rest}" if found["open"] and not found["close"] else rest
