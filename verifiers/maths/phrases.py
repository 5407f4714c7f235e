"""Read phrases that mathematics has for an answer, and lists of words.

Yes and no, no solution, does not exist, infinitely many, all real numbers.

Not here: letters of a choice (choices.py), what is a word at all (wording.py).
"""

import re

from tracefactory.verifiers.maths.counting import as_ordinal, ordinal
from tracefactory.verifiers.maths.words import MAX_CHARS, plain, undressed

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
_INFINITE = re.compile(
    r"(?:there are |it has |has )?(?:infinitely many|infinite|(?:an )?infinite number of)"
    r" (?:solutions?|roots?|values?)|(?:there are )?infinitely many"
)
_ALL = re.compile(
    r"(?:(?:the )?set of )?(?:all |the )(?P<set>real|integer)(?:s| numbers?| values?| x)(?: x)?"
)
_BRACKETS = re.compile(r"(?:\\\{|([(\[]))(.*?)(?:\\\}|[)\]])")
COMMA = re.compile(r"\s*[,;]\s*(?:(?:and|&)\s+)?|\s+(?:and|&)\s+")
"""What joins the items of a list."""
_MAX_ITEMS = 40
# Blanks in an item of a list that is a sequence of sentences.
_LONG_ITEM = 4
_YES_NO = ("yes", "no", "true", "false")
_TRUTHS = frozenset([*_YES_NO, "t", "f"])


def yes_no(text: str) -> str | None:
    """`yes`, `no`, `true` or `false`, or None."""
    if len(text) > MAX_CHARS:
        return None
    word = plain(text)
    return word if word in _YES_NO else None


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


def said(text: str) -> str:
    """What one text is compared as: plain words, ordinals and the infinite in one writing."""
    place = ordinal(text)
    if place is not None:
        return as_ordinal(place)
    words = plain(text)
    return "infinitely many" if _INFINITE.fullmatch(words) else words


def phrases(text: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the order counts in a list of words, and its items; text that is none is one item.

    It counts in brackets, among many words, where one comes twice and in `True, False`.
    """
    text = undressed(text)
    found = _BRACKETS.fullmatch(text)
    inner = text if found is None else found[2]
    items = [item for part in COMMA.split(inner) if (item := plain(part))]
    if not 1 < len(items) <= _MAX_ITEMS or any(sign in inner for sign in "()[]"):
        return False, (said(text),)
    in_order = (
        any(item.count(" ") >= _LONG_ITEM for item in items)
        or (found is not None and found[1] is not None)
        or set(items) <= _TRUTHS
        or len(set(items)) < len(items)
    )
    return in_order, tuple(map(said, items))


def are_truths(text: str) -> bool:
    """Whether this is a list such as `True, False` or `T, F, T`."""
    items = phrases(text)[1] if len(text) <= MAX_CHARS else ()
    return len(items) > 1 and set(items) <= _TRUTHS


def named_set(text: str) -> str | None:
    """`reals` or `integers` for `all real numbers`, `all integers`; else None."""
    if len(text) > MAX_CHARS:
        return None
    found = _ALL.fullmatch(undressed(text).casefold())
    return None if found is None else f"{found['set']}s"
