"""What the text around a step says about it: that it is denied, supposed, or in other units.

Asked only where a step would be called false; then any of these leaves doubt. Each look is at a
few characters near the step, so that the whole stays linear.

Not here: doubts in the notation of the step itself (scanner.py, algebra.py).
"""

import re

from tracefactory.verifiers.stepping.rationals import Rational

NEAR = 120
"""Characters of its sentence before a step that are looked at."""
_BEHIND = 64

_DENIED = re.compile(
    r"""\b(?: not | never | cannot | false | wrong | incorrect | untrue | mistake\w* | error
          | contradict\w* | impossible | absurd | suppose | supposing | assum\w* | pretend
          | instead | in\ (?:base|binary|octal|hexadecimal) )\b | n['’]t\b | ≠ | \\neq?\b""",
    re.VERBOSE | re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    r"""^[^.\n]{0,12}? \b(?: (?:is|was|would\ be|are) \ (?:not|never|false|wrong|incorrect|untrue
          |impossible|absurd) | (?:is|was|does)n['’]t | (?:in\ )?(?:base|binary|octal|hex\w*) )\b
       | ^[^.;\n]* \b(?: contradict\w* | impossible | absurd )\b
       | ^[\s$),.;]* (?:but|which|and)? [\s,]* (?:no|wrong|false|incorrect|contradiction
          |(?:is|that's|this\ is)\ (?:not|false|wrong|impossible|absurd|a\ contradiction)) \b""",
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|\n")

# "3/4 = 45 minutes": the value says in a smaller unit, or of a whole, what the left side says.
_CONVERSIONS = frozenset(
    [7, 12, 14, 16, 24, 30, 36, 52, 60, 100, 120, 144, 365, 1000, 1440, 1760, 3600, 5280, 86_400]
)
_UNIT = re.compile(r"[\s$]*(?:\\(?:text|textrm|mathrm|mbox)\s*\{[\s~]*)?([^\W\d_]{2,})")
_FRACTION = re.compile(r"[\s$(]*[0-9]+\s*/\s*[0-9]+[\s)]*")
_RANGE = re.compile(r"[\s$]*([0-9]+)\s*[-–−]\s*([0-9]+)\s*")

# "a * b = a^2 - b", "Define $x \\star y$ to be": two letters, and letters behind the equals sign.
_SIGN_OF_ITS_OWN = re.compile(
    r"""(?<![A-Za-z\\]) [A-Za-z] [ ]? ( [*∗·∙•×÷@\#&~] | \\[A-Za-z]{2,12} | \\[\#&] ) [ ]?
        [A-Za-z] (?![A-Za-z]) [ )}\]$]{0,3} (?: =|\\equiv|be\b|means\b|is\ defined )
        [^,;\n]{0,20}? [A-Za-z]""",
    re.VERBOSE,
)


def in_doubt(text: str, start: int, end: int) -> bool:
    """Do the words of its sentence deny or suppose the step in text[start:end]?"""
    before = _SENTENCE_END.split(text[max(0, start - NEAR) : start])[-1]
    behind = text[end : end + _BEHIND]
    return _DENIED.search(before) is not None or _DENIED_BEHIND.search(behind) is not None


def other_unit(
    text: str, start: int, sign: int, end: int, values: tuple[Rational, Rational]
) -> bool:
    """Does a word behind the step `left = right` make it one of two units?

    `1/2 = 4 slices` and `3/4 = 45 minutes` do, `3-7 = 5 pages`, or any other step whose sides
    differ by a factor that units have. `3*4 = 13 apples` does not.
    """
    unit = _UNIT.match(text, end)
    if unit is None:
        return False
    left = text[start:sign]
    if _FRACTION.fullmatch(left):
        return True
    ends = _RANGE.fullmatch(left)
    if ends is not None and len(ends[1]) < 10 and len(ends[2]) < 10 and int(ends[1]) < int(ends[2]):
        return True
    (a, b), (c, d) = values
    one, other = a * d, c * b
    if one == 0 or other == 0:
        return False
    factor, rest = divmod(max(one, other, key=abs), min(one, other, key=abs))
    return rest == 0 and factor in _CONVERSIONS


def own_signs(statement: str) -> frozenset[str]:
    r"""The operation signs that the problem defines: `*` of "a * b = a^2 - b", `\star`, `@`."""
    return frozenset(found[1] for found in _SIGN_OF_ITS_OWN.finditer(statement))


_PLAIN_WORDS = frozenset(
    [
        "and",
        "so",
        "which",
        "is",
        "as",
        "for",
        "or",
        "because",
        "since",
        "we",
        "then",
        "thus",
        "hence",
        "therefore",
        "by",
        "but",
        "if",
        "where",
        "when",
        "while",
        "that",
        "this",
        "these",
        "it",
        "he",
        "she",
        "they",
        "the",
        "from",
        "giving",
        "making",
        "meaning",
    ]
)


def unit_behind(text: str, end: int) -> bool:
    """Is the next word one that may be the unit of the number before it?"""
    unit = _UNIT.match(text, end)
    return unit is not None and unit[1].lower() not in _PLAIN_WORDS
