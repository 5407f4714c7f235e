r"""Bring answers in words to one writing: the usual signs, no dress, no capitals.

An answer as it was found may wear `\text{}`, `$...$`, `**` and quotes. What its words say is for
the files that build on this: phrases.py, choices.py, counting.py, dates.py, labelled.py. Each
reader there returns a value to compare, or None when the text is nothing of that kind: as a whole,
for nothing is taken out of the middle of a sentence. Several may fit one text (`4:30` is a ratio
too, `2024-02-29` a difference, `B` a variable): the caller asks for the type of the reference.

Not here: arithmetic, units, languages other than English, and synonyms (`correct` is not `yes`).
"""

import re
import unicodedata
from functools import lru_cache

MAX_CHARS = 400
"""Longer ones are no date, letter or number word; `undressed` and `plain` take any length."""

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
# Letters that are not those of the alphabet.
_SETS = "ℝℤℕℚℂ"
# The most layers taken off: `\text{\textbf{...}}`, `**"..."**`.
_MAX_COMMANDS, _MAX_PAIRS = 4, 8
_ANSWER_LABEL = re.compile(
    r"(?P<open>\\text(?:bf|rm)?\s?\{\s*)?(?:(?:so|thus|hence|therefore),? )?(?:(?:the|my|our) )?"
    r"(?:final |correct )?answer(?: is:?|:)(?=[\s}$\\])\s*(?P<close>\})?\s*",
    re.IGNORECASE,
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
        for _ in range(_MAX_COMMANDS):
            shorter = _TEXT.sub(r"\1", text)
            if shorter == text:
                break
            text = shorter
    # A lone dollar sign is money.
    if ("$" in text or "\\" in text) and len(_MATH.findall(text)) % 2 == 0:
        text = _MATH.sub("", text)
    text = " ".join(text.split())
    for _ in range(_MAX_PAIRS):
        before = text
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1].rstrip()
        text = _without_pairs(text)
        if text == before:
            break
    return text


def _without_pairs(text: str) -> str:
    """Without the marks that come in pairs around the whole, each kind once."""
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
    return text


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """What text answers are compared as: undressed, case folded, without a leading article."""
    text = undressed(text).casefold()
    for article in ("the ", "a ", "an "):
        if text.startswith(article):
            return text[len(article) :]
    return text


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
