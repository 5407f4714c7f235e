"""What the text around a step says about it: that it is denied, supposed, or in other units.

Asked only where a step would be called false; then any of these leaves doubt. Each look is at a
few characters near the step, so that the whole stays linear.

Not here: doubts in the notation of the step itself (scanner.py, algebra.py).
"""

import re

from tracefactory.verifiers.stepping.rationals import Rational

NEAR = 120
"""Characters of its sentence before a step that are looked at."""
BEHIND = 64
"""Characters behind a step that are looked at, whatever sentence they belong to."""

_BASES = r"""
    base[- ]?(?:[0-9]+|\$|two|three|four|five|six|seven|eight|nine) | in\ base | binary | octal
  | hex(?:adecimal)? | xor | bitwise | boolean | GF"""
_RINGS = r"""\\math(?:bb|bf)\s?\{?\s?[ZF] | \bZ_\{?[0-9]"""
_DENIED = re.compile(
    rf"""\b(?: not | never | cannot | false | wrong | incorrect | untrue | mistake\w* | error
          | fails? | contradict\w* | impossible | absurd | suppose | supposing | assum\w* | pretend
          | whether | instead | try | trying | guess | test\w* | would\ (?:imply|mean|need)
          | we['’]d | clock | left\ to\ right | ignor\w* | concat\w* | {_BASES} )\b
      | n['’]t\b | ≠ | \\neq?\b | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    rf"""\b(?: not | never | cannot | no | false | wrong | incorrect | untrue | fails? | absurd
          | contradict\w* | impossible | extraneous | remainder | left\ ?over | round\w* | cut\ off
          | truncat\w* | R\s?[0-9]+ | full | whole | o['’]clock | clock | [ap]m
          | left\ to\ right | ignor\w* | concat\w* | {_BASES} )\b
      | n['’]t\b | ≠ | \\neq?\b | [?✗✘❌] | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
# A formula on lines of its own belongs to the sentence around it.
_SENTENCE_END = re.compile(
    r"[.!?](?=\s|$)|(?<![\[$}])\n(?!\s*(?:\\\[|\$\$|\\begin))",
)

# "3/4 = 45 minutes": the value says in a smaller unit, or of a whole, what the left side says.
_CONVERSIONS = frozenset(
    [7, 12, 14, 16, 24, 30, 36, 52, 60, 100, 120, 144, 365, 1000, 1440, 1760, 3600, 5280, 86_400]
)
_UNIT = re.compile(r"[\s$]*(?:\\(?:text|textrm|mathrm|mbox)\s*\{[\s~]*)?([^\W\d_]+)")
_FRACTION = re.compile(r"[\s$(]*[0-9]+\s*/\s*[0-9]+[\s)]*")
_RANGE = re.compile(r"[\s$]*([0-9]+)\s*[-–−]\s*([0-9]+)\s*")

# "a * b = a^2 - b", "Define $x \\star y$ to be": two letters, and letters behind the equals sign.
_SIGN_OF_ITS_OWN = re.compile(
    r"""(?<![A-Za-z\\]) [A-Za-z] [ ]? ( [*∗·∙•×÷@\#&~] | \\[A-Za-z]{2,12} | \\[\#&] ) [ ]?
        [A-Za-z] (?![A-Za-z]) [ )}\]$]{0,3}
        (?: = | \\equiv | (?: (?:to\ )?be | as | means | denotes? | is\ defined )\b )
        [^,;\n]{0,20}? [A-Za-z]""",
    re.VERBOSE,
)
# "If + means ×", "the student's error", "the Python expression": there no step is false for sure.
_OTHER_ARITHMETIC = re.compile(
    rf"""[-+−*×÷/][$"'’”]?\ (?:means|stands|denotes|represents|is\ replaced)\b
      | \b(?: {_BASES} | Python | Java(?:Script)? | integer\ division | mistake\w* | errors?
          | incorrect\w* | wrong\w* | strange | puzzle )\b | C\+\+ | \bin\ C\b | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
_SUM = re.compile(
    r"(?<![\w.,^/*×+-])([0-9]{1,9})\s*([-+*×])\s*([0-9]{1,9})\s*=\s*([0-9]{1,9})(?![\w^/*×+-]|[.,][0-9])"
)


def in_doubt(text: str, start: int, end: int) -> bool:
    """Do the words of its sentence deny or suppose the step in text[start:end]?"""
    before = _SENTENCE_END.split(text[max(0, start - NEAR) : start])[-1]
    behind = text[end : end + BEHIND]
    return _DENIED.search(before) is not None or _DENIED_BEHIND.search(behind) is not None


def other_unit(
    text: str, start: int, sign: int, end: int, values: tuple[Rational, Rational]
) -> bool:
    """Does a word behind the step `left = right` make it one of two units?

    `1/2 = 4 slices` and `3/4 = 45 minutes` do, `3-7 = 5 pages`, `9-5 = 8 hours` by the clock, or
    any other step whose sides differ by a factor that units have. `3*4 = 13 apples` does not.
    """
    unit = _UNIT.match(text, end)
    if unit is None:
        return False
    left = text[start:sign]
    if _FRACTION.fullmatch(left):
        return True
    ends = _RANGE.fullmatch(left)
    (a, b), (c, d) = values
    one, other = a * d, c * b
    if ends is not None and (a <= 0 or one + other in (12 * b * d, 24 * b * d)):
        return True
    if one == 0 or other == 0:
        return False
    factor, rest = divmod(max(one, other, key=abs), min(one, other, key=abs))
    return rest == 0 and factor in _CONVERSIONS


def own_signs(statement: str) -> frozenset[str]:
    r"""The signs to which the problem gives a meaning of its own.

    `*` of "a * b = a^2 - b", `\star`, `@`; and `=` itself where numbers are written in another
    base, operations are interchanged, errors are quoted or `2 + 5 = 12` is a riddle.
    """
    signs = {found[1] for found in _SIGN_OF_ITS_OWN.finditer(statement)}
    if _OTHER_ARITHMETIC.search(statement) or any(
        int(c) != {"+": int(a) + int(b), "-": int(a) - int(b)}.get(sign, int(a) * int(b))
        for a, sign, b, c in _SUM.findall(statement)
    ):
        signs.add("=")
    return frozenset(signs)


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
