"""What the text around a step says about it: that it is denied, supposed, or in other units.

Asked only where a step would be called false; then any of these leaves doubt. The words are looked
for once in the whole response, so that the work stays linear.

Not here: doubts in the notation of the step itself (scanner.py, algebra.py).
"""

import re
from bisect import bisect_left, bisect_right
from functools import cached_property

from tracefactory.verifiers.stepping.rationals import Rational

NEAR = 120
"""Characters of its sentence before a step that are looked at."""
BEHIND = 64
"""Characters behind a step that are looked at, whatever sentence they belong to."""

_BASES = r"""
    base[- ]?(?:[0-9]+|\$|two|three|four|five|six|seven|eight|nine) | in\ base | binary | octal
  | hex(?:adecimal)? | xor | bitwise | boolean | GF"""
_RINGS = r"""\\math(?:bb|bf)\s?\{?\s?[ZF] | \bZ_\{?[0-9]"""
_DENIED = rf"""not | never | cannot | false | wrong | incorrect | untrue | fails? | contradict\w*
    | impossible | absurd | clock | left\ to\ right | ignor\w* | concat\w* | {_BASES}"""
_DENIED_BEFORE = re.compile(
    rf"""\b(?: {_DENIED} | mistake\w* | error | suppose | supposing | assum\w* | pretend | whether
          | instead | try | trying | guess | test\w* | would\ (?:imply|mean|need) | we['’]d )\b
      | n['’]t\b | ≠ | \\neq?\b | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    rf"""\b(?: {_DENIED} | no | extraneous | remainder | left\ ?over | round\w* | cut\ off
          | truncat\w* | R\s?[0-9]+ | full | whole | [ap]m )\b
      | n['’]t\b | ≠ | \\neq?\b | [?✗✘❌] | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
# A formula on lines of its own belongs to the sentence around it.
_SENTENCE_END = re.compile(
    r"[.!?](?=\s|$)|(?<![\[$}])\n(?!\s{0,20}(?:\\\[|\$\$|\\begin))",
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
# "If + means ×", "the student's error": there no step is false for sure.
_OTHER_ARITHMETIC = re.compile(
    rf"""[-+−*×÷/][$"'’”]?\ (?:means|stands|denotes|represents|is\ replaced)\b
      | \b(?: {_BASES} | mistake\w* | errors? | incorrect\w* | wrong\w* | strange | puzzle )\b
      | {_RINGS}""",
    re.VERBOSE | re.IGNORECASE,
)
# "the Python expression": division may cut off there, `^` is no power; and "1" + "1" is "11".
_PROGRAMS = re.compile(
    r"\b(?: Python | Java(?:Script)? | integer\ division | in\ C )\b | C\+\+",
    re.VERBOSE | re.IGNORECASE,
)
_OF_PROGRAMS = frozenset({"/", "÷", "\\div", "\\frac", "%", "^", "**"})
_QUOTED_NUMBER = re.compile(r"""["'][0-9]""")
_SUM = re.compile(
    r"(?<![\w.,^/*×+-])([0-9]{1,9})\s*([-+*×])\s*([0-9]{1,9})\s*=\s*([0-9]{1,9})(?![\w^/*×+-]|[.,][0-9])"
)


class Doubts:
    """What a problem and the words of a response leave in doubt; looked for once, when asked."""

    def __init__(self, statement: str, response: str) -> None:
        self.response = response
        self.own = own_signs(statement)

    def about(self, start: int, end: int) -> bool:
        """Is the step in response[start:end] denied, supposed, or in signs of another meaning?"""
        ends, before, behind = self.places
        sentence = bisect_right(ends, start)
        begin = max(start - NEAR, ends[sentence - 1] if sentence else 0)
        if _any_within(before, begin, start) or _any_within(behind, end, end + BEHIND):
            return True
        step = self.response[start:end]
        return any(sign in step for sign in self.own)

    @cached_property
    def places(self) -> tuple[list[int], list[int], list[int]]:
        """Where sentences end, and where words leave doubt about what follows or precedes."""
        return (
            [found.end() for found in _SENTENCE_END.finditer(self.response)],
            [found.start() for found in _DENIED_BEFORE.finditer(self.response)],
            [found.start() for found in _DENIED_BEHIND.finditer(self.response)],
        )


def _any_within(places: list[int], begin: int, end: int) -> bool:
    at = bisect_left(places, begin)
    return at < len(places) and places[at] < end


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
    base, operations are interchanged, errors are quoted or `2 + 5 = 12` is a riddle. Where it
    speaks of programs, those that mean something else there.
    """
    signs = {found[1] for found in _SIGN_OF_ITS_OWN.finditer(statement)}
    if _OTHER_ARITHMETIC.search(statement) or any(
        int(c) != {"+": int(a) + int(b), "-": int(a) - int(b)}.get(sign, int(a) * int(b))
        for a, sign, b, c in _SUM.findall(statement)
    ):
        signs.add("=")
    if _PROGRAMS.search(statement):
        signs |= {"="} if _QUOTED_NUMBER.search(statement) else _OF_PROGRAMS
    return frozenset(signs)


_PLAIN_WORDS = frozenset(
    """
    a and as because but by for from giving he hence if is it making meaning or she since so that
    the then therefore these they this thus we when where which while
    """.split()  # noqa: SIM905 - words read better so
)


def unit_behind(text: str, end: int) -> bool:
    """Is the next word one that may be the unit of the number before it?"""
    unit = _UNIT.match(text, end)
    return unit is not None and unit[1].lower() not in _PLAIN_WORDS
