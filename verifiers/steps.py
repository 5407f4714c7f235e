r"""Check the steps of a response one by one, in exact rational arithmetic.

Kinds of step:
    mark        `<<16-3=13>>`: every calculator mark with an `=` is one step, with all its links.
    equation    `a = b` on a line without marks, also inside a sentence. Each `=` of a chain is one
                step if one of its sides has an operator. Naming a value (`x = 5`, `total = 3+4`) is
                none, nor is an `=` with nothing on one side.
    congruence  each `≡` (or `\equiv`) between two sides. The modulus comes from the line, the next
                `mod 7` or `\pmod{7}` behind the step or else the last before it, else from the
                statement if that names just one. `18 = 4 (mod 7)` and `18 mod 7 = 4` count as well.

Read: + - * / ^ and their signs (− – × · ⋅ ∙ ÷ ∕ \times \cdot \div, `**`, x between numbers),
brackets, decimals, strict thousands (`1,234`), % as a hundredth, `2(3)`, \frac of digits. $ € £,
\left and \right are skipped. `^` is a power with a whole exponent, never exclusive-or.

Outcomes:
    true         exactly.
    rounded      a side is a plain number, right to the digits it shows: the nearest, ties away
                 from zero or to even. 20/3 = 6.67 and 7/2 = 4, but not 6.66 nor 7/2 = 3, and
                 1/3 = 0 shows no digit. Or it shows 15 digits and more, and is off by at most
                 1e-9 of itself: so float arithmetic prints (0.30000000000000004).
    repaired     false, but a later line `Recheck: ...` states a step with the same left side (and
                 in the same modulus) that is true or rounded.
    false        anything else that was read without doubt.
    uncheckable  a letter, a unit within a side, a clock time, an ellipsis, ½, 1e5, `1 000`, no
                 known modulus, a number too long. So is a step not exactly true whose notation
                 leaves doubt: `100 + 10%`, `1/2 * 100 = 50%`, `1 1/2`, `2 (3)`, `3 million`,
                 `1 hour 40`. When in doubt, no step is called false.

Not here: words as numbers, algebra, inequalities, `≈`, and whether a step helps the answer.
Work is linear in the response: one pass over the tokens, and caps on what is evaluated.
"""

import re
from bisect import bisect_left
from itertools import islice, pairwise
from math import gcd
from typing import NamedTuple

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts

VERSION = "1"

MAX_DIGITS = 400
"""Of one number; Python itself refuses 4300."""
MAX_TOKENS = 2000
"""Of one side."""
MAX_DEPTH = 50
"""Of brackets."""
MAX_BITS = 8192
"""Of a numerator or denominator on the way."""
MAX_SHOWN = 80
"""Characters of a false step in the evidence."""
FLOAT_DIGITS = 15
"""Float arithmetic that errs prints at least so many."""

_Rational = tuple[int, int]
"""(numerator, denominator), the denominator positive."""

_TOKEN = re.compile(
    r"""
    # 1 number, with the letters that cling to it
    ( \.?[0-9][0-9.,:]* (?: (?<=[0-9]) (?! [xX] \s* [0-9.($] ) \w+ )? )
    # 2 operator; an x is one between two numbers
  | ( \*\* | [-+*/^×÷·⋅∙−–∕] | \\(?:times|cdot|div)(?![A-Za-z])
    | (?<=[0-9)}%]) [xX] (?= \s* [0-9.($] ) | (?<=\s) [xX] (?= \s+ [0-9.($] ) )
    # 3 relation
  | ( ==? (?!>) | ≡ | \\equiv(?![A-Za-z]) )
    # 4 skipped
  | ( [ \t\r&`€£]+ | \\q?quad(?![A-Za-z]) | \\[,;!\ ] )
    # 5 opening, 6 closing, 7 percent, 8 dollar
  | ( (?: \\left[ ]* )? [({\[] ) | ( (?: \\right[ ]* )? [)}\]] ) | ( \\?% ) | ( \\?\$ )
    # 9 and 10 fraction
  | \\[dt]?frac\{ ( [0-9]+ ) \}\{ ( [0-9]+ ) \}
    # 11 mod
  | ( \\[bp]?mod(?![A-Za-z]) | [mM]od(?:ulo)?(?!\w) )
    # 12 word, or what stands for one
  | ( \\?\w [\w'’]+ (?: - [^\W\d_]{2,} [\w'’]* )* | \\?\w | \.{2,} | … )
    # 13 the rest: it ends the clause
  | ( [!<>:~]= | => | -> | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER, _OPERATOR, _RELATION, _SKIPPED, _OPENING, _CLOSING, _PERCENT, _DOLLAR = range(1, 9)
_FRACTION, _MOD, _WORD = 10, 11, 12

_SIGNS = {sign: sign for sign in "+-*/^"} | {
    **dict.fromkeys(("−", "–"), "-"),
    **dict.fromkeys(("×", "·", "⋅", "∙", "x", "X", "\\times", "\\cdot"), "*"),
    **dict.fromkeys(("÷", "∕", "\\div"), "/"),
    "**": "^",
}
_TIMES = "@"  # an unwritten times: 2(3)
_MINUS = "~"  # the sign, as against the difference
_NAME = "?"  # a word where an operand may be
_UNREAD = "#"  # an operand or operator of no known kind
_PRECEDENCE = {"(": 0, "+": 1, "-": 1, "*": 2, "/": 2, _TIMES: 2, _MINUS: 3, "^": 4}

_GROUPED = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.([0-9]+))?")
_MARK = re.compile(r"<<([^<>]*)>>")
_MODULUS = re.compile(r"(?<![A-Za-z])[bp]?[mM]od(?:ulo)?(?![A-Za-z])[\s{(]*([0-9]{1,400})(?![0-9])")
_RECURRING = ("\\overline", "\\bar", "\\dot", "\\ldots", "\\cdots")
_BULLET = re.compile(r"\s*[-*+•]\s+")
_RECHECK = "Recheck:"

_UNFINISHED = tuple("+-*/^×÷·⋅∙−–∕(")
_BOUNDARY = ""
_MODDED = "mod"

# Signs of prose. Any other (√, !, °, ±, ⌊) may change the number that it touches.
_HARMLESS = frozenset(",;:.?\"'“”‘’<>|—→⇒≈≠≤≥")
_HARMLESS_PAIRS = frozenset(
    ["!=", "<=", ">=", ":=", "~=", "=>", "->", "\\(", "\\)", "\\[", "\\]", "\\\\"]
)
# "5 plus 3*2 = 11", "sqrt 16 + 9 = 13": the word before a number belongs to the arithmetic.
_FUNCTIONS = frozenset(
    """
    plus minus times by over negative half twice thrice double triple root sqrt log ln exp sin cos
    tan gcd lcm max min abs floor ceil point hundred thousand
    """.split()  # noqa: SIM905 - words read better so
)
# "2+1 = 3 million": so does the word behind it.
_SCALES = frozenset(
    "hundred thousand million billion trillion dozen percent squared cubed".split()  # noqa: SIM905
)
_UNIT_WORDS = 3
"""As many words may be the unit of a number: "2 degrees Celsius - 8 degrees Celsius"."""


class _Run:
    """Adjacent tokens that read as one expression, and what is known of it."""

    __slots__ = (
        "after",
        "bad",
        "end",
        "loose",
        "numbers",
        "operators",
        "percents",
        "start",
        "tokens",
        "words",
    )

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.tokens: list[str] = []
        self.operators = self.numbers = self.percents = 0
        self.words = 0
        """How many words it starts with; with nothing else they are a name or part of a text."""
        self.bad = False
        """Cannot be checked."""
        self.loose = False
        """Could be meant in another way, so only its truth says something."""
        self.after: _Run | None = None
        """The number before its bracket, a blank between: `2 (3+4)`, or `7 (3 more than 4)`."""

    def add(self, token: str, end: int) -> None:
        self.tokens.append(token)
        self.end = end


_Item = _Run | str
"""A line falls into runs and, between them, "=", "≡", "mod" or the end of a clause."""


class _Scanner:
    """Cuts one line into runs and what stands between them, in one pass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.items: list[_Item] = []
        self.run: _Run | None = None
        self.operand_next = True
        self.opened: list[tuple[int, int]] = []
        """Open brackets of the run: where in its tokens, where in the text."""
        self.word = ""
        """The last word, while nothing came after it."""
        self.doubtful = -1
        """End of the last sign that may change its neighbours; it ended the clause before."""

    def scan(self) -> list[_Item]:
        for match in _TOKEN.finditer(self.text):
            kind = match.lastindex
            if kind == _SKIPPED:
                continue
            if kind == _NUMBER:
                self.number(match)
            elif kind == _OPERATOR:
                self.operator(match)
            elif kind == _RELATION:
                if self.run is not None:
                    if self.opened:  # "(so 3 + 4 = 7)": the step starts inside the bracket
                        self.cut(*self.opened[-1])
                    self.close()
                self.items.append("=" if match[3][0] == "=" else "≡")
                self.doubtful = -1
            elif kind == _WORD:
                self.name(match)
            elif kind == _OPENING:
                self.opening(match)
            elif kind == _CLOSING and self.run is not None and self.opened:
                self.opened.pop()
                self.run.add(")", match.end())
                self.operand_next = False
            elif kind == _PERCENT and self.run is not None and not self.operand_next:
                self.run.add("%", match.end())
                self.run.percents += 1
            elif kind == _FRACTION:
                run = self.operand(match.start(), "")
                run.tokens += ["(", match[9], "/", match[10], ")"]
                run.end = match.end()
                run.operators += 1
            elif kind == _DOLLAR and (self.operand_next or match[8] != "$"):
                continue  # a currency sign
            elif kind == _MOD:
                self.modulo()
            else:
                self.boundary(match)
        self.close()
        return self.items

    def operand(self, start: int, token: str) -> _Run:
        """The run that a number at `start` belongs to: the present one or a new one."""
        before = None
        if not self.operand_next:
            before = self.run
            self.close()
        run = self.run
        if run is None:
            run = self.run = _Run(start)
            run.bad = start == self.doubtful
            if before is None or before.tokens[-1] == _NAME:
                word = self.word
                run.bad = run.bad or word[:1] == "\\" or word.lower() in _FUNCTIONS
            elif before.end == start or (len(token) == 3 and len(before.tokens[-1]) <= 3):
                before.bad = run.bad = True  # (2)3, 1 000
            else:
                before.loose = run.loose = True  # 1 1/2, or two steps side by side
        elif run.after is not None:
            run.loose = run.after.loose = True
            run.after = None
        run.numbers += 1
        self.operand_next = False
        self.word = ""
        return run

    def number(self, match: re.Match[str]) -> None:
        token = match[1].rstrip(".,:")
        dropped = len(match[1]) - len(token)
        run = self.operand(match.start(), token)
        run.end = match.end() - dropped
        if not token.isdigit() or not token.isascii():
            if _GROUPED.fullmatch(token) is None:
                token = _UNREAD  # 25k, 2x, 8:40, 12,34, 1e5
        elif token == "0" and self.text[run.end : run.end + 1] in ("x", "X"):
            token = _UNREAD  # 0x10
        if dropped > 1 or (dropped and self.text.startswith(_RECURRING, match.end())):
            token = _UNREAD  # 0.333..., 0.\overline{3}
        if token == _UNREAD:
            run.bad = True
        run.tokens.append(token)
        if dropped == 1:
            self.close()
            self.items.append(_BOUNDARY)
            self.doubtful = -1

    def operator(self, match: re.Match[str]) -> None:
        run, start, end = self.run, match.start(), match.end()
        sign = _SIGNS[match[2]]
        if match[2] == "**" and not self.is_power(start, end):
            return  # bold type
        if run is not None and not self.operand_next and sign == "-" and run.tokens == [_NAME]:
            spaced = start > run.end and not self.text[end : end + 1].isspace()
            if spaced and self.text[run.end - 2 : run.end].isalpha():
                # "so -3 + 4" has a sign; "x -3 + 4" may be a difference.
                self.close()
                run = None
        if run is not None and not self.operand_next:
            run.add(sign, end)
            run.operators += 1
        else:
            starts = run is None
            run = self.run = run or _Run(start)
            if sign == "-":
                run.tokens.append(_MINUS)
            elif sign != "+":
                run.tokens.append(_UNREAD)
            run.end = end
            if starts and self.items and self.items[-1] not in ("=", "≡") and sign != "-":
                run.bad = True  # the clause before goes on: "5! + 3*2"
            if sign not in "+-" or (starts and self.doubtful >= 0):
                run.bad = True
                run.operators += 1
        self.operand_next = True
        self.word = ""

    def is_power(self, start: int, end: int) -> bool:
        if self.run is None or self.operand_next:
            return False
        after = self.text[end : end + 2]
        if start > self.run.end:
            after = after[1:] if after[:1] == " " else ""
        return after[:1].isdigit() or after[:1] == "("

    def name(self, match: re.Match[str]) -> None:
        run, word = self.run, match[12]
        self.word = word
        if run is not None and not self.operand_next:
            if run.words and len(run.tokens) == 1:
                run.words += 1
                run.end = match.end()
                return
            if run.end == match.start() and word[0] not in ".…":
                run.bad = True  # 5%x, (3)a
            elif word.lower() in _SCALES:
                run.loose = True
            self.close()
            run = None
        if run is None:
            run = self.run = _Run(match.start())
            run.words = 1
        run.add(_NAME, match.end())
        run.bad = True
        self.operand_next = False

    def opening(self, match: re.Match[str]) -> None:
        run, start = self.run, match.start()
        if run is not None and not self.operand_next:
            # f(3) and f (3), but not "meals (3 + 4 = 7)"
            called = run.tokens[-1] == _NAME and (len(self.word) == 1 or self.word[:1] == "\\")
            if start == run.end or called:
                if run.tokens[-1] != _NAME:
                    run.operators += 1
                run.tokens.append(_TIMES)
            else:
                self.close()
                self.run = _Run(start)
                if run.tokens[-1] != _NAME:
                    self.run.after = run
                run = self.run
        if run is None:
            run = self.run = _Run(start)
            run.bad = start == self.doubtful
        self.opened.append((len(run.tokens), match.end()))
        run.add("(", match.end())
        if len(self.opened) > MAX_DEPTH:
            run.bad = True
        self.operand_next = True

    def modulo(self) -> None:
        run = self.run
        if run is not None:
            while run.tokens and run.tokens[-1] in ("(", _TIMES):  # the bracket of "4(mod 7)"
                if run.tokens.pop() == "(":
                    self.opened.pop()
                else:
                    run.operators -= 1
            self.close()
        self.items.append(_MODDED)
        self.doubtful = -1

    def boundary(self, match: re.Match[str]) -> None:
        """End the clause; so does a bracket, % or $ that fits nowhere."""
        run, sign = self.run, match[0]
        harmless = sign in _HARMLESS or sign in _HARMLESS_PAIRS
        if sign == "$":  # after a word: a currency sign, or the end of a formula
            harmless = self.text[match.end() : match.end() + 1] in tuple("0123456789.(")
        if run is not None:
            if not harmless and match.lastindex == 13 and run.end == match.start():
                run.loose = True  # 5! may be a factorial
            self.close()
        self.items.append(_BOUNDARY)
        self.doubtful = -1 if harmless else match.end()
        self.word = ""

    def close(self) -> None:
        """End the run."""
        run = self.run
        if run is None:
            return
        if self.opened or len(run.tokens) > MAX_TOKENS:
            run.bad = True
            self.opened.clear()
        if 0 < run.percents < run.numbers and ("+" in run.tokens or "-" in run.tokens):
            run.loose = True  # 100 + 10%: of what?
        if run.numbers or run.words or _NAME in run.tokens:
            self.items.append(run)
        self.run, self.operand_next = None, True

    def cut(self, index: int, start: int) -> None:
        """Drop a bracket of the run that stays open, and what stands before it."""
        run = self.run
        if run is None:
            return
        tokens = run.tokens = run.tokens[index + 1 :]
        run.start = start
        run.operators = sum(token in "+-*/^@" for token in tokens)
        run.numbers = sum(token[0] in "0123456789.#" for token in tokens)
        run.percents = tokens.count("%")
        run.words = int(tokens[:1] == [_NAME])
        run.bad = _NAME in tokens or _UNREAD in tokens
        run.loose = False
        self.opened.clear()


def _number(token: str) -> _Rational | None:
    if len(token) > MAX_DIGITS:
        return None
    if token.isdigit():
        return int(token), 1
    match = _GROUPED.fullmatch(token)
    if match is None:
        return None
    decimals = match[2] or ""
    return int(match[1].replace(",", "") + decimals), 10 ** len(decimals)


def _evaluate(tokens: list[str]) -> _Rational | None:
    """The value of a run by precedence, or None if it has none that can be told."""
    if len(tokens) == 1:
        return _number(tokens[0])
    values: list[_Rational] = []
    pending: list[str] = []
    operand_next = True
    for token in tokens:
        rank = _PRECEDENCE.get(token)
        if rank is None:
            if operand_next == (token in (")", "%")):
                return None
            if token == ")":
                while pending and pending[-1] != "(":
                    if not _apply(pending.pop(), values):
                        return None
                if not pending:
                    return None
                pending.pop()
            elif token == "%":
                values[-1] = (values[-1][0], values[-1][1] * 100)
            else:
                number = _number(token)
                if number is None:
                    return None
                values.append(number)
                operand_next = False
        elif token == "(" or token == _MINUS:
            if not operand_next:
                return None
            pending.append(token)
        else:
            if operand_next:
                return None
            while pending and _PRECEDENCE[pending[-1]] >= rank:
                if token == "^" or (token == _TIMES and pending[-1] == "/"):
                    return None  # 2^3^2 and 6/2(3) are read in two ways
                if not _apply(pending.pop(), values):
                    return None
            pending.append(token)
            operand_next = True
    if operand_next:
        return None
    while pending:
        if not _apply(pending.pop(), values):
            return None
    return values[0] if len(values) == 1 else None


def _apply(operator: str, values: list[_Rational]) -> bool:
    """Apply an operator to the top of the stack; False if the result is undefined or too large."""
    if operator == "(":
        return False
    above, below = values.pop()
    if operator == _MINUS:
        values.append((-above, below))
        return True
    top, bottom = values.pop()
    if operator in "*@":
        top, bottom = top * above, bottom * below
    elif operator == "/":
        if above == 0:
            return False
        top, bottom = top * below, bottom * above
        if bottom < 0:
            top, bottom = -top, -bottom
    elif operator == "^":
        if above % below or above < 0 or (above == 0 and top == 0):
            return False
        exponent = above // below
        if exponent * max(top.bit_length(), bottom.bit_length()) > MAX_BITS:
            return False
        top, bottom = top**exponent, bottom**exponent
    else:
        if operator == "-":
            above = -above
        if bottom == below:
            top += above
        else:
            top, bottom = top * below + above * bottom, bottom * below
    if bottom > 1:
        divisor = gcd(top, bottom)
        top, bottom = top // divisor, bottom // divisor
    if top.bit_length() > MAX_BITS or bottom.bit_length() > MAX_BITS:
        return False
    values.append((top, bottom))
    return True


class _Step(NamedTuple):
    kind: str
    outcome: int
    key: str
    """What a `Recheck:` line must restate; empty unless the step is false or on such a line."""
    text: str


_TRUE, _ROUNDED, _REPAIRED, _FALSE, _UNCHECKABLE = range(5)
_OUTCOMES = ("true", "rounded", "repaired", "false", "uncheckable")


def _equal(left: _Run, right: _Run) -> int:
    """The outcome of `left = right`."""
    if left.bad or right.bad:
        return _UNCHECKABLE
    a, b = _evaluate(left.tokens), _evaluate(right.tokens)
    if a is None or b is None:
        return _UNCHECKABLE
    if a == b or a[0] * b[1] == b[0] * a[1]:
        return _TRUE
    if left.loose or right.loose:
        return _UNCHECKABLE
    if left.percents or right.percents:
        one, other = a[0] * b[1], b[0] * a[1]
        if one == 100 * other or other == 100 * one:
            return _UNCHECKABLE  # 20/40*100 = 50%
    if right.operators == 0 and _is_rounding(a, b, right):
        return _ROUNDED
    if left.operators == 0 and _is_rounding(b, a, left):
        return _ROUNDED
    return _FALSE


def _is_rounding(exact: _Rational, shown: _Rational, run: _Run) -> bool:
    """Whether the plain number of `run` is `exact` to the digits shown or to float precision."""
    if shown[0] == 0:
        return False
    number = next(token for token in run.tokens if token[0] in ".0123456789")
    places = len(number.partition(".")[2])
    off = abs(exact[0] * shown[1] - shown[0] * exact[1])  # over exact[1] * shown[1]
    twice, unit = 2 * off * 10 ** (places + 2 * run.percents), exact[1] * shown[1]
    if twice < unit:
        return True
    if twice == unit:
        away = abs(shown[0]) * exact[1] > abs(exact[0]) * shown[1]
        return away or number[-1] in "02468"
    # Floats show many digits when they err: 100000000.1*3 = 300000000.4 is plainly false.
    digits = len(number.replace(",", "").replace(".", "").lstrip("0"))
    return places > 0 and digits >= FLOAT_DIGITS and off * 10**9 <= abs(shown[0]) * exact[1]


def _congruent(left: _Run, right: _Run, modulus: int | None) -> int:
    """The outcome of `left ≡ right` in a modulus."""
    if left.bad or right.bad or not modulus:
        return _UNCHECKABLE
    a, b = _evaluate(left.tokens), _evaluate(right.tokens)
    m, n = _whole(a), _whole(b)
    if m is None or n is None:
        return _UNCHECKABLE
    if (m - n) % modulus == 0:
        return _TRUE
    return _UNCHECKABLE if left.loose or right.loose else _FALSE


def _key(left: _Run, sign: str) -> str:
    return "".join(left.tokens).replace(",", "") + sign


def _mark_step(inside: str, shown: str) -> _Step:
    """The outcome of a calculator mark: every side must be read to its end."""
    items = _Scanner(inside).scan()
    sides = items[::2]
    runs = [side for side in sides if isinstance(side, _Run)]
    alternating = len(items) % 2 == 1 and len(runs) == len(sides)
    whole = alternating and all(link == "=" for link in items[1::2])
    if not whole or inside.count("(") != inside.count(")"):
        return _Step("mark", _UNCHECKABLE, "", shown)
    outcomes = [_equal(left, right) for left, right in pairwise(runs)]
    return _Step("mark", max(outcomes), _key(runs[0], "="), shown)


def _is_name(item: _Item) -> bool:
    return isinstance(item, _Run) and item.tokens == [_NAME]


def _line_steps(line: str, modulus: int | None, goes_on: bool) -> list[_Step]:
    """The equations and congruences of a line without marks; `goes_on` with the line before."""
    bullet = _BULLET.match(line)
    if bullet is not None:
        line = line[bullet.end() :]
    items = _Scanner(line).scan()
    if goes_on and items and isinstance(items[0], _Run):
        items[0].bad = True
    moduli: list[tuple[int, int]] = []
    modded = frozenset[int]()
    reduced: dict[int, _Run] = {}
    if _MODDED in items:
        moduli = [(found.start(), int(found[1])) for found in _MODULUS.finditer(line)]
        modded = _modded_chains(items)
        reduced = _reduced(items)
    recheck = line.lstrip().startswith(_RECHECK)
    steps: list[_Step] = []

    for at in range(1, len(items) - 1):
        sign, left, right = items[at], items[at - 1], items[at + 1]
        if sign != "=" and sign != "≡":
            continue
        if not isinstance(left, _Run) or not isinstance(right, _Run):
            continue
        _doubt_what_goes_on(items, at, right)
        near = _nearest(moduli, left.start) if moduli else modulus
        if sign == "≡" and at not in reduced:
            if _is_name(left) or _is_name(right):
                continue
            kind, outcome = "congruence", _congruent(left, right, near)
        elif at in reduced:
            near = None if left.bad else _whole(_evaluate(left.tokens))
            left = reduced[at]
            again = sign == "≡" or items[at + 2 : at + 3] == [_MODDED]
            kind, outcome = "congruence", _residue(left, right, near, again)
        elif at in modded:
            kind, outcome = "equation", _equal(left, right)
            if outcome != _TRUE:
                kind, outcome = "congruence", _congruent(left, right, near)
            elif not left.operators and not right.operators:
                continue
        elif _is_step(items, at, left, right):
            kind, outcome = "equation", _equal(left, right)
        else:
            continue
        key = text = ""
        if outcome == _FALSE or recheck:
            key = _key(left, f"≡{near}" if kind == "congruence" else "=")
            text = line[left.start : right.end][:MAX_SHOWN]
        steps.append(_Step(kind, outcome, key, text))
    return steps


def _is_step(items: list[_Item], at: int, left: _Run, right: _Run) -> bool:
    """Whether `=` states a calculation, and does not only name a value."""
    if _is_name(left):
        # "2 degrees Celsius - 8 degrees Celsius = 10": behind the words stands a calculation.
        before = items[at - 2] if at >= 2 and left.words <= _UNIT_WORDS else None
        return isinstance(before, _Run) and before.operators > 0
    return not _is_name(right) and bool(left.operators or right.operators)


def _doubt_what_goes_on(items: list[_Item], at: int, right: _Run) -> None:
    """Doubt a right side that goes on behind a unit: `= 12 lemons - 3`, `= 1 hour 40 minutes`."""
    words = items[at + 2] if at + 2 < len(items) else None
    if not isinstance(words, _Run) or not 0 < words.words <= _UNIT_WORDS:
        return
    if words.operators:
        right.bad = True
    elif words.words < _UNIT_WORDS and at + 3 < len(items) and isinstance(items[at + 3], _Run):
        # "= 27 and 3*5 = 15" begins another step instead.
        right.loose = right.loose or items[at + 4 : at + 5] not in (["="], ["≡"])


def _whole(number: _Rational | None) -> int | None:
    return None if number is None or number[0] % number[1] else number[0] // number[1]


def _residue(whole: _Run, right: _Run, modulus: int | None, again: bool) -> int:
    """The outcome of `E mod m = r`, read as E ≡ r.

    That follows from both readings, (E) mod m and a last term that alone is reduced. Where only the
    second would allow r (`3 + 4 mod 5 = 7`), nothing is said, unless it is a congruence `again`.
    """
    outcome = _congruent(whole, right, modulus)
    if outcome == _TRUE and not again and modulus is not None:
        r = _whole(_evaluate(right.tokens))
        if r is None or not 0 <= r < modulus:
            return _UNCHECKABLE
    return outcome


def _modded_chains(items: list[_Item]) -> frozenset[int]:
    """Where `=` stands in a chain that has no ≡ and that `mod` follows: `18 = 4 mod 7`."""
    found: set[int] = set()
    chain: list[int] = []
    for at, item in enumerate(items):
        if item == "=" or item == "≡":
            chain.append(at)
        elif item == _MODDED:
            if not any(items[link] == "≡" for link in chain):
                found.update(chain)
            chain = []
            _doubt_modulus(items, at)
        elif not isinstance(item, _Run) or (at and isinstance(items[at - 1], _Run)):
            chain = []
    return frozenset(found)


def _reduced(items: list[_Item]) -> dict[int, _Run]:
    """Where a relation stands behind a modulus, with what is reduced by it: E of `E mod m = r`."""
    found: dict[int, _Run] = {}
    for at in range(3, len(items)):
        whole = items[at - 3]
        if items[at] in ("=", "≡") and items[at - 2] == _MODDED and isinstance(whole, _Run):
            found[at] = whole
    return found


def _doubt_modulus(items: list[_Item], at: int) -> None:
    """`9 mod 5 + 2` is more than a modulus."""
    behind = items[at + 1] if at + 1 < len(items) else None
    before = items[at - 1] if at else None
    if isinstance(behind, _Run) and behind.operators:
        behind.bad = True
        if isinstance(before, _Run):
            before.bad = True


def _nearest(moduli: list[tuple[int, int]], position: int) -> int | None:
    """The first modulus of the line behind a position, else the last before it."""
    if not moduli:
        return None
    return moduli[min(bisect_left(moduli, (position, 0)), len(moduli) - 1)][1]


def count(statement: str, response: str) -> StepCounts:
    """Count the steps of a response; the statement is read only for a modulus."""
    has_congruence = "≡" in response or "\\equiv" in response
    stated = set(_MODULUS.findall(statement)) if has_congruence else set[str]()
    modulus = int(stated.pop()) if len(stated) == 1 else None
    tally: dict[str, list[int]] = {}
    false: list[_Step] = []
    mended: set[int] = set()  # which of them a later line puts right
    open_by_key: dict[str, list[int]] = {}

    before = this = ""
    for line in response.split("\n"):
        before, this = this, line
        if "=" not in line and not (has_congruence and ("≡" in line or "\\equiv" in line)):
            continue
        marks = [m for m in _MARK.finditer(line) if "=" in m[1]] if "<<" in line else []
        if marks:
            steps = [_mark_step(m[1], m[0][:MAX_SHOWN]) for m in marks]
        else:
            if "{,}" in line or ",\\!" in line:
                line = line.replace("{,}", ",").replace(",\\!", ",")
            steps = _line_steps(line, modulus, before.rstrip()[-1:] in _UNFINISHED)
        if open_by_key and line.lstrip().startswith(_RECHECK):
            for step in steps:
                if step.outcome <= _ROUNDED:
                    mended.update(open_by_key.pop(step.key, ()))
        for step in steps:
            outcomes = tally.get(step.kind)
            if outcomes is None:
                outcomes = tally[step.kind] = [0, 0, 0, 0, 0]
            outcomes[step.outcome] += 1
            if step.outcome == _FALSE:
                open_by_key.setdefault(step.key, []).append(len(false))
                false.append(step)

    for at in mended:
        outcomes = tally[false[at].kind]
        outcomes[_FALSE] -= 1
        outcomes[_REPAIRED] += 1
    true, rounded, repaired, wrong, uncheckable = (
        sum(outcomes[at] for outcomes in tally.values()) for at in range(5)
    )
    evidence = _evidence(tally, false, mended)
    return StepCounts(true, rounded, repaired, wrong, uncheckable, evidence)


def _evidence(tally: dict[str, list[int]], false: list[_Step], mended: set[int]) -> str:
    fields: dict[str, object] = {
        kind: {name: n for name, n in zip(_OUTCOMES, outcomes, strict=True) if n}
        for kind, outcomes in tally.items()
    }
    if len(false) > len(mended):
        still = (step.text for at, step in enumerate(false) if at not in mended)
        fields["first_false"] = list(islice(still, 3))
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode() if fields else "{}"


def measure(problem: Problem, attempt: Attempt) -> StepCounts:
    """Count the steps of an attempt."""
    return count(problem.statement, attempt.text)
