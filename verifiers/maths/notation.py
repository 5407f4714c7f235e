r"""Notations that stand for one thing in several signs, rewritten before tokens are cut.

`{}_{10}C_3`, `6.02 x 10^{23}`, `22^\circ 30'`, `20\,\frac{\text{m}}{\text{s}}`, `5^{\text{th}}`,
`1010 (base 2)`, `US\$5`. Each rule names what it cannot do without, so that other texts cost next
to nothing. All patterns are linear.

Not here: single characters (lex.clean), words (words.py).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "sixteen": 16,
}  # fmt: skip


class Rule(NamedTuple):
    """One notation."""

    needs: str
    """What its texts hold."""
    pattern: re.Pattern[str]
    instead: str | Callable[[re.Match[str]], str]


def _chosen(found: re.Match[str]) -> str:
    """So many ways to choose (C) or to arrange (P) k of n."""
    n, k = int(found["n"]), int(found["k"])
    if found["letter"] == "C":
        return f"\\binom{{{n}}}{{{k}}}"
    return f"({n}!/{n - k}!)" if n >= k else "0"


def _in_base(found: re.Match[str]) -> str:
    base = found[2].lower()
    return f"{found[1]}_{{{_BASES.get(base, base)}}}"


def _primes(found: re.Match[str]) -> str:
    return "'" * found[0].count("prime")


_FONT = r"\\(?:text|mathrm|textrm) ?"
_INDEX = r"\{{? ?(?P<{}>[0-9]{{1,3}}) ?\}}?"
_BASED = r"(?:\\text ?\{{ ?)?\(?(?:in )?base[ -]?(?:\$)?([0-9]{{1,2}}|{words})(?:\$)?\)?(?: ?\}})?$"

_RULES = [
    Rule(needs, re.compile(pattern), instead)
    for needs, pattern, instead in (
        ("\\text{,}", r"(?<=[0-9])\\text\{,\}(?=[0-9]{3})", "{,}"),
        # Units: a fraction of two, and one with a full stop.
        (
            "frac",
            rf"\\[dt]?frac ?\{{ ?{_FONT}\{{([^{{}}]{{1,40}})\}} ?\}} ?"
            rf"\{{ ?{_FONT}\{{([^{{}}]{{1,40}})\}} ?\}}",
            r"\\text{ \1/\2}",
        ),
        (
            "frac",
            r"(?<=[0-9])((?: |\\[,;: ])*)\\[dt]?frac ?\{ ?(km|mi|m|ft|g|kg|mol) ?\} ?"
            r"\{ ?(h|hr|s|(?:c?m|ft)\^\{?3\}?|L) ?\}",
            r"\1\\text{ \2/\3}",
        ),
        (". ", r"\b(sq|cu|in|ft|yd|lb|oz|hr|min|sec|mi|cm)\.(?= |$|\})", r"\1"),
        (".", r"\b(sq|cu|in|ft|yd|lb|oz|hr|min|sec|mi|cm)\.$", r"\1"),
        # Ordinals.
        ("\\", rf"(?<=[0-9])\^? ?\{{? ?{_FONT}\{{ ?(?:st|nd|rd|th) ?\}} ?\}}?$", ""),
        ("th", r"^([0-9]{1,9})th$", r"\1"),
        ("per cent", r"(?<=[0-9}] )per cent\b", "percent"),
        # Scientific notation with a letter.
        ("10", r"(?<=[0-9]) ?[xX] ?(?=10 ?\^)", r"\\times "),
        # Degrees, minutes and primes.
        ("^", r"(?<=[0-9])\^ ?(?:\{ ?o ?\}|o)(?![A-Za-z])", r"^\\circ "),
        ("prime", r"\^ ?(?:\{ ?(?:\\prime ?){1,3}\}|\\prime(?![A-Za-z]))", _primes),
        (
            "circ",
            r"([0-9]{1,9}) ?\^ ?(?:\\circ|\{ ?\\circ ?\}) ?(?:\\[,;:! ])? ?([0-5]?[0-9]) ?'(?!')",
            r"(\1+\\frac{\2}{60})^\\circ ",
        ),
        ("'", r"^([0-9]{1,4})' ?([0-9]{1,2})(?:\"|'')$", r"\1 ft \2 in"),
        # Combinations and permutations.
        (
            "_",
            rf"(?:\{{ ?\}} ?)?[_^] ?{_INDEX.format('n')} ?"
            rf"(?P<letter>[CP]) ?_ ?{_INDEX.format('k')}",
            _chosen,
        ),
        (
            "_",
            r"(?P<letter>[CP]) ?_ ?" + _INDEX.format("n") + r" ?\^ ?" + _INDEX.format("k"),
            _chosen,
        ),
        (
            "C",
            r"(?<![A-Za-z0-9_.}])(?P<n>[0-9]{1,3})(?P<letter>C)(?P<k>[0-9]{1,3})(?![A-Za-z0-9.])",
            _chosen,
        ),
        # What is said of the variables.
        (
            "for",
            r",? ?\\text ?\{ ?,? ?for (?:all|any|every|each|some)\b[^{}]{0,80}\}.{0,60}$"
            r"|,? for (?:all|any|every|each|some) .{1,60}$|,? ?\\forall .{1,60}$",
            "",
        ),
        ("all ", r"^\\text ?\{ ?all ?\} ?", ""),
        # A set with a condition, its braces without backslashes.
        (
            "{",
            r"^\{( ?[a-z] ?(?:\\in ?(?:\\mathbb ?\{ ?R ?\}|\\mathbb R|\\R) ?)?"
            r"(?:\||\\mid|:)[^{}|]*)\}$",
            r"\\{\1\\}",
        ),
        # Bases.
        ("base", r"^\(?([0-9A-F]{1,40})\)? ?" + _BASED.format(words="|".join(_BASES)), _in_base),
        ("0x", r"^0x([0-9A-F]{1,40})$", r"\1_{16}"),
        ("0b", r"^0b([01]{1,100})$", r"\1_{2}"),
        (")_", r"^\(([0-9A-F]{1,40})\)_(?=[0-9{])", r"\1_"),
        # Currencies in front.
        ("US", r"^(-?)(?:US ?\\?\$|USD ?)(?=[0-9])", r"\1\\$"),
        ("Rs", r"^(-?)Rs\.? ?(?=[0-9])", r"\1\\rupee "),
    )
]  # fmt: skip


def rewritten(text: str) -> str:
    """The text with each of these notations in the one that the parser reads."""
    for needs, pattern, instead in _RULES:
        if needs in text:
            text = pattern.sub(instead, text)
    return text
