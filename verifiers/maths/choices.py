r"""Read the letters of a choice: `(B)`, `Option B`, `\textbf{(B)} 12`, `A, C and D`.

Not here: finding such an answer in a response (choice.py does, for problems that are a choice).
"""

import re

from tracefactory.verifiers.maths.wording import OPERATORS
from tracefactory.verifiers.maths.words import MAX_CHARS, undressed

_LABEL = re.compile(
    r"(?P<said>(?:option|choice|answer) )?"
    r"(?:\( ?(?P<held>[A-Za-z]) ?\)[.:]?|(?P<bare>[A-Za-z])(?:\)|[.:](?= |$)|$|(?= [0-9])))"
    r"\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"(?:or|and|,|;|/|&|\|)(?![A-Za-z])", re.IGNORECASE)
_OTHER_LABEL = re.compile(r"(?<![\w(])\(?([A-Z])(?:\)|[.:](?=\s|$))")
_OTHER_LETTER = re.compile(r"\b(?:or|and)\s+(?:option |choice )?\(?[A-Za-z](?![\w'])")
# With a dress of its own, apart from what follows it.
_DRESSED_LABEL = re.compile(
    r"^[\s$]*(?:\\(?:text|math)(?:bf|rm|it|sf)?\s*\{\s*(\(?[A-Za-z](?:\)|[.:]?)[.:]?)\s*\}"
    r"|(?:\*\*|__)(\(?[A-Za-z](?:\)|[.:]?)[.:]?)(?:\*\*|__))"
)
_LETTERS = re.compile(
    r"(?:\\\{)?\s*(\(?[A-Za-z]\)?(?:(?:\s*[,;&]\s*(?:and\s+)?|\s+and\s+)\(?[A-Za-z]\)?)+)\s*(?:\\\})?"
)
_CHOICES = "ABCDEFGH"
_ONE_LETTER = re.compile(r"(?<![A-Za-z])(\()?([A-Za-z])(\))?(?![A-Za-z])")


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
    if letter.islower() and rest.startswith(("(", "_", *OPERATORS)):
        return None  # `(a)(b)`: a product
    # `B.` loses its stop when it is undressed; `Option B` has none.
    if _JOINED.match(rest) or _OTHER_LETTER.search(rest):
        return None
    if len(rest) == 1 and rest.isalpha():
        return None  # `A: B`
    if any(other[1] != letter.upper() for other in _OTHER_LABEL.finditer(rest)):
        return None
    return letter.upper(), rest


def _label_apart(text: str) -> str:
    r"""`\textbf{(B)}24` and `**B** 24` with the label written plainly and a blank behind it."""
    found = _DRESSED_LABEL.match(text)
    if found is None:
        return text
    rest = text[found.end() :]
    if found[0].count("$") % 2:
        rest = rest.replace("$", "", 1)
    return f"{found[1] or found[2]} {rest}".strip()


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
    in_order = 1 < len(text) <= len(_CHOICES) and list(text) == sorted(set(text))
    return in_order and set(text) <= set(_CHOICES)
