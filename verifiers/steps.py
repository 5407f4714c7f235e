"""Check the steps of a response one by one, in exact rational arithmetic.

Kinds of step:
    mark        `<<16-3=13>>`: every calculator mark with an `=` is one step, all its links together.
    equation    `a = b` on a line without marks, also in the middle of a sentence. Each `=` of a chain
                is one step if one of its sides has an operator; naming a value (`x = 5`, `total = 3+4`)
                is none, nor is an `=` with nothing on one side.
    congruence  each `≡` (or `\\equiv`) between two sides. The modulus comes from the line, the nearest
                `mod 7` or `\\pmod{7}` after the step, else before it, else from the statement if that
                names just one. `18 = 4 (mod 7)` and `18 mod 7 = 4` are read as congruences too.

Read: + - * / ^ and their signs (− – × · ⋅ ∙ ÷ ∕ \\times \\cdot \\div, `**`, x between numbers), brackets,
decimals, strict thousands (`1,234`), postfix %, `2(3)`, \\frac of digits; $ € £, \\left, \\right are
skipped. `^` is a power with a small whole exponent, never exclusive-or. Numbers hold 0-9 only.

Outcomes, in the order in which they are tried:
    uncheckable  a letter, unit, clock time, ellipsis, ½, 1e5, `1 000`, a modulus that nobody states, or
                 a number too long. Where notation is loose (`100 + 10%`, `50 = 50%`, `1 1/2`, `2 (3)`)
                 the step is true if it is so as written, otherwise uncheckable: never false.
    true         exactly.
    rounded      one side is a plain number and right to the digits it shows: nearest, ties either away
                 from zero or to even. 20/3 = 6.67 and 7/2 = 4, but not 6.66, not 7/2 = 3, and 1/3 = 0
                 shows no digit. Or it shows 15 digits and more and is off by no more than 1e-9 of
                 itself: that is how float arithmetic prints (0.30000000000000004).
    repaired     false, but a later line `Recheck: ...` states a step with the same left side (in the
                 same modulus) that is true or rounded.
    false        anything else.

Not here: words as numbers, algebra, inequalities, `≈`, and whether a step is of use for the answer.
Work is linear in the response: one pass over the tokens, and caps on what is evaluated.
"""

import re
from bisect import bisect_left
from math import gcd
from typing import NamedTuple

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts

VERSION = "1"

MAX_DIGITS = 400  # of one number
MAX_TOKENS = 2000  # of one side
MAX_DEPTH = 50  # of brackets
MAX_BITS = 8192  # of a numerator or denominator on the way
MAX_SHOWN = 80  # characters of a false step in the evidence
FLOAT_DIGITS = 15

_Rational = tuple[int, int]
"""(numerator, denominator): the denominator is positive, not always in lowest terms."""

_TOKEN = re.compile(
    r"""
    ( \.?[0-9][0-9.,:]*  (?: (?<=[0-9]) (?! [xX] \s* [0-9.($] ) \w+ )? )   # 1 number, letters that cling
  | ( \*\* | [-+*/^×÷·⋅∙−–∕] | \\(?:times|cdot|div)(?![A-Za-z])             # 2 operator
    | (?<=[0-9)}%]) [xX] (?= \s* [0-9.($] ) | (?<=\s) [xX] (?= \s+ [0-9.($] ) )
  | ( ==? (?!>) | ≡ | \\equiv(?![A-Za-z]) )                                 # 3 relation
  | ( [ \t\r&`€£]+ | \\(?:left|right|quad|qquad)(?![A-Za-z]) | \\[,;!\ ] )  # 4 skipped
  | ( [({\[] )                                                              # 5
  | ( [)}\]] )                                                              # 6
  | ( \\?% )                                                                # 7
  | ( \\?\$ )                                                               # 8
  | \\[dt]?frac\{ ( [0-9]+ ) \}\{ ( [0-9]+ ) \}                             # 9, 10
  | ( \\[bp]?mod(?![A-Za-z]) | [mM]od(?:ulo)?(?!\w) )                       # 11
  | ( \\?\w [\w'’]+ (?: - [^\W\d_]{2,} [\w'’]* )* | \\?\w )                 # 12 word
  | ( [!<>:~]= | . )                                                        # 13 anything else ends the clause
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER, _OPERATOR, _RELATION, _SKIPPED, _OPENING, _CLOSING, _PERCENT, _DOLLAR = range(1, 9)
_FRACTION, _MOD, _WORD = 10, 11, 12

_SIGNS = {"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "∕": "/", "x": "*", "X": "*"}
_SIGNS |= {"\\times": "*", "\\cdot": "*", "\\div": "/", "**": "^"} | {sign: sign for sign in "+-*/^"}
_TIMES = "@"  # an unwritten times: 2(3)
_MINUS = "~"  # the sign, as against the difference
_NAME = "?"  # a word where an operand should be
_UNREAD = "#"  # an operand or operator of no known kind
_PRECEDENCE = {"(": 0, "+": 1, "-": 1, "*": 2, "/": 2, _TIMES: 2, _MINUS: 3, "^": 4}

_GROUPED = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.([0-9]+))?")
_MARK = re.compile(r"<<([^<>]*)>>")
_MODULUS = re.compile(r"(?<![A-Za-z])[bp]?[mM]od(?:ulo)?(?![A-Za-z])[\s{(]*([0-9]{1,400})(?![0-9])")
_BULLET = re.compile(r"\s*[-*+•]\s+")
_RECHECK = "Recheck:"
_UNITS = 3  # as many words may stand for the unit of a number: "2 degrees Celsius - 8 degrees Celsius"

_BOUNDARY = ""
_MODDED = "mod"


class _Run:
    """Adjacent tokens that read as one expression, and what is known of it."""

    __slots__ = ("after", "bad", "end", "loose", "numbers", "operators", "percents", "start", "tokens", "words")

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.tokens: list[str] = []
        self.operators = self.numbers = self.percents = 0
        self.words = 0
        """How many words it starts with; with nothing else they are a name or part of a sentence."""
        self.bad = False
        """Cannot be checked."""
        self.loose = False
        """Could be meant in another way, so only its truth says something."""
        self.after: _Run | None = None
        """What stands before its bracket, a blank between: `2 (3+4)`, or `7 (since 3+4)`."""


_Item = _Run | str
"""A line falls into runs and, between them, "=", "≡", "mod" or the end of a clause."""


def _scan(text: str) -> list[_Item]:
    """Cut one line into runs and what stands between them, in one pass."""
    items: list[_Item] = []
    run: _Run | None = None
    operand_next = True
    opened: list[tuple[int, int]] = []  # brackets of the run: where in its tokens, where in the text

    for match in _TOKEN.finditer(text):
        kind = match.lastindex
        if kind == _SKIPPED:
            continue
        start = match.start()

        if kind == _NUMBER or kind == _FRACTION:
            token = match[0].rstrip(".,:") if kind == _NUMBER else match[0]
            before = None
            if run is not None and not operand_next:
                before = run
                _close(items, run, opened)
                run = None
            if run is None:
                run = _Run(start)
                if before is not None and before.tokens[-1] != _NAME:
                    _juxtapose(before, run, token)
            elif run.after is not None:
                run.loose = run.after.loose = True
                run.after = None
            run.numbers += 1
            run.end = start + len(token)
            operand_next = False
            if kind == _FRACTION:
                run.operators += 1
                run.tokens += ["(", match[9], "/", match[10], ")"]
                continue
            dropped = len(match[0]) - len(token)
            follower = text[run.end : run.end + 1]
            if not token[-1].isdigit() or not token.isascii() or dropped > 1 or (token == "0" and follower in ("x", "X")):
                token = _UNREAD  # 25k, 2x, 0.333..., 0x10
            elif not token.isdigit() and _GROUPED.fullmatch(token) is None:
                token = _UNREAD  # 8:40, 12,34, 1.2.3, 1e5
            run.bad = run.bad or token == _UNREAD
            run.tokens.append(token)
            if dropped:
                _close(items, run, opened)
                items.append(_BOUNDARY)
                run, operand_next = None, True

        elif kind == _OPERATOR:
            sign = _SIGNS[match[2]]
            if match[2] == "**" and not _is_power(text, match, run, operand_next):
                continue  # bold type
            if run is not None and not operand_next:
                glued = start > run.end and text[match.end() : match.end() + 1] not in ("", " ", "\t")
                named = len(run.tokens) == 1 and text[run.end - 2 : run.end].isalpha()
                if sign == "-" and glued and named:  # "so -3 + 4": a sign; "x -3 + 4" may be a difference
                    _close(items, run, opened)
                    run = None
            if run is None or operand_next:
                run = run or _Run(start)
                if sign == "-":
                    run.tokens.append(_MINUS)
                elif sign != "+":
                    run.tokens.append(_UNREAD)
                    run.operators += 1
                    run.bad = True
            else:
                run.tokens.append(sign)
                run.operators += 1
            run.end = match.end()
            operand_next = True

        elif kind == _RELATION:
            if run is not None:
                if opened:  # "(so 3 + 4 = 7)": the step starts inside the bracket
                    _cut(run, *opened[-1])
                    opened.clear()
                _close(items, run, opened)
            items.append("=" if match[3][0] == "=" else "≡")
            run, operand_next = None, True

        elif kind == _WORD:
            if run is not None and not operand_next:
                if run.words and len(run.tokens) == 1:
                    run.words += 1
                    run.end = match.end()
                    continue
                _close(items, run, opened)
                run = None
            if run is None:
                run = _Run(start)
                run.words = 1
            run.tokens.append(_NAME)
            run.bad = True
            run.end = match.end()
            operand_next = False

        elif kind == _OPENING:
            if run is not None and not operand_next:
                if start == run.end:
                    if run.tokens[-1] != _NAME:
                        run.operators += 1
                    run.tokens.append(_TIMES)
                else:
                    before = run
                    _close(items, run, opened)
                    run = _Run(start)
                    run.after = before
            run = run or _Run(start)
            opened.append((len(run.tokens), match.end()))
            run.tokens.append("(")
            run.end = match.end()
            run.bad = run.bad or len(opened) > MAX_DEPTH
            operand_next = True

        elif kind == _CLOSING and run is not None and opened:
            opened.pop()
            run.tokens.append(")")
            run.end = match.end()
            operand_next = False

        elif kind == _PERCENT and run is not None and not operand_next:
            run.tokens.append("%")
            run.percents += 1
            run.end = match.end()

        elif kind == _DOLLAR and (operand_next or match[8] != "$"):
            continue  # a currency sign

        else:  # the clause ends here; so does it at a bracket, % or $ that fits nowhere
            if run is not None:
                if kind == _MOD:
                    while run.tokens and run.tokens[-1] in ("(", _TIMES):  # the bracket of "(mod 7)"
                        if run.tokens.pop() == "(":
                            opened.pop()
                        else:
                            run.operators -= 1
                _close(items, run, opened)
            items.append(_MODDED if kind == _MOD else _BOUNDARY)
            run, operand_next = None, True

    if run is not None:
        _close(items, run, opened)
    return items


def _close(items: list[_Item], run: _Run, opened: list[tuple[int, int]]) -> None:
    if opened or len(run.tokens) > MAX_TOKENS:
        run.bad = True
        opened.clear()
    if 0 < run.percents < run.numbers and ("+" in run.tokens or "-" in run.tokens):
        run.loose = True  # 100 + 10%: of what?
    if run.tokens and (run.numbers or run.words):
        items.append(run)


def _juxtapose(before: _Run, run: _Run, token: str) -> None:
    """Two numbers side by side: `1 1/2`, `1 000`, `2+2=4 3+3=6`, or `(2)3`."""
    if before.end == run.start or (len(token) == 3 and len(before.tokens[-1]) <= 3):
        before.bad = run.bad = True
    else:
        before.loose = run.loose = True


def _is_power(text: str, match: re.Match[str], run: _Run | None, operand_next: bool) -> bool:
    if run is None or operand_next:
        return False
    after = text[match.end() : match.end() + 2]
    if match.start() > run.end:
        return after[:1] == " " and (after[1:].isdigit() or after[1:] == "(")
    return after[:1].isdigit() or after[:1] == "("


def _cut(run: _Run, index: int, start: int) -> None:
    """Drop a bracket that stays open, and what stands before it."""
    run.tokens = run.tokens[index + 1 :]
    run.start = start
    run.operators = sum(token in ("+", "-", "*", "/", "^", _TIMES) for token in run.tokens)
    run.numbers = sum(token[0].isdigit() or token[0] in "." for token in run.tokens)
    run.percents = run.tokens.count("%")
    run.words = int(run.tokens[:1] == [_NAME])
    run.bad = _NAME in run.tokens or _UNREAD in run.tokens


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
        top, bottom = (top * below, bottom * above) if above > 0 else (-top * below, -bottom * above)
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
        top, bottom = (top + above, bottom) if bottom == below else (top * below + above * bottom, bottom * below)
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
    """Whether the plain number of `run` is `exact`, right to the digits shown or to float precision."""
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
    # 100000000.1*3 = 300000000.4 is no matter of floats: those show 15 digits and more when they err.
    digits = len(number.replace(",", "").replace(".", "").lstrip("0"))
    return places > 0 and digits >= FLOAT_DIGITS and off * 10**9 <= abs(shown[0]) * exact[1]


def _congruent(left: _Run, right: _Run, modulus: int | None) -> int:
    """The outcome of `left ≡ right` in a modulus."""
    if left.bad or right.bad or not modulus:
        return _UNCHECKABLE
    a, b = _evaluate(left.tokens), _evaluate(right.tokens)
    if a is None or b is None or a[0] % a[1] or b[0] % b[1]:
        return _UNCHECKABLE
    if (a[0] // a[1] - b[0] // b[1]) % modulus == 0:
        return _TRUE
    return _UNCHECKABLE if left.loose or right.loose else _FALSE


def _key(left: _Run, sign: str) -> str:
    return "".join(left.tokens).replace(",", "") + sign


def _mark_step(inside: str, shown: str) -> _Step:
    """The outcome of a calculator mark: every side must be read to its end."""
    items = _scan(inside)
    sides = items[::2]
    runs = [side for side in sides if isinstance(side, _Run)]
    alternating = len(items) % 2 == 1 and len(runs) == len(sides) and all(link == "=" for link in items[1::2])
    if not alternating or inside.count("(") != inside.count(")"):
        return _Step("mark", _UNCHECKABLE, "", shown)
    outcomes = [_equal(left, right) for left, right in zip(runs, runs[1:], strict=False)]
    return _Step("mark", max(outcomes), _key(runs[0], "="), shown)


def _is_name(item: _Item) -> bool:
    return isinstance(item, _Run) and item.tokens == [_NAME]


def _line_steps(line: str, modulus: int | None) -> list[_Step]:
    """The equations and congruences of a line without marks."""
    bullet = _BULLET.match(line)
    if bullet is not None:
        line = line[bullet.end() :]
    items = _scan(line)
    modded = _MODDED in items
    moduli = [(found.start(), int(found[1])) for found in _MODULUS.finditer(line)] if modded else []
    congruent_chains = _congruent_chains(items) if modded else frozenset[int]()
    recheck = line.lstrip().startswith(_RECHECK)
    steps: list[_Step] = []

    for at in range(1, len(items) - 1):
        sign, left, right = items[at], items[at - 1], items[at + 1]
        if (sign != "=" and sign != "≡") or not isinstance(left, _Run) or not isinstance(right, _Run):
            continue
        if sign == "=":
            residue = _residue_step(items, at, left, right) if modded else None
            if residue is not None:
                kind, outcome, left = residue
            elif at in congruent_chains:
                kind, outcome = "equation", _equal(left, right)
                if outcome == _TRUE and not left.operators and not right.operators:
                    continue
                if outcome != _TRUE:
                    kind, outcome = "congruence", _congruent(left, right, _nearest(moduli, left.start))
            elif _is_step(items, at, left, right):
                kind, outcome = "equation", _equal(left, right)
                if _goes_on_behind_unit(items, at):
                    outcome = _UNCHECKABLE
            else:
                continue
        elif _is_name(left) or _is_name(right):
            continue
        else:
            near = _nearest(moduli, left.start) if moduli else modulus
            kind, outcome = "congruence", _congruent(left, right, near)
            sign = f"≡{near}"
        key = _key(left, sign) if outcome == _FALSE or recheck else ""
        text = line[left.start : right.end][:MAX_SHOWN] if outcome == _FALSE else ""
        steps.append(_Step(kind, outcome, key, text))
    return steps


def _is_step(items: list[_Item], at: int, left: _Run, right: _Run) -> bool:
    """Whether `=` states a calculation, and not only names a value."""
    if _is_name(left):
        # "2 degrees Celsius - 8 degrees Celsius = 10": behind the words stands a calculation.
        before = items[at - 2] if at >= 2 and left.words <= _UNITS else None
        return isinstance(before, _Run) and before.operators > 0
    return not _is_name(right) and bool(left.operators or right.operators)


def _goes_on_behind_unit(items: list[_Item], at: int) -> bool:
    """Whether the right side goes on behind a unit: `= 12 lemons - 3 lemons`."""
    after = items[at + 2] if at + 2 < len(items) else None
    return isinstance(after, _Run) and 0 < after.words <= _UNITS and after.operators > 0


def _residue_step(items: list[_Item], at: int, left: _Run, right: _Run) -> tuple[str, int, _Run] | None:
    """`E mod m = r`, read as E ≡ r: true both for (E) mod m and for a last term that alone is reduced."""
    if at < 3 or items[at - 2] != _MODDED:
        return None
    whole = items[at - 3]
    if not isinstance(whole, _Run) or left.operators:
        return None
    m, r = _evaluate(left.tokens), _evaluate(right.tokens)
    if m is None or m[1] != 1 or m[0] < 1 or r is None:
        return "congruence", _UNCHECKABLE, whole
    again = at + 2 < len(items) and items[at + 2] == _MODDED
    outcome = _congruent(whole, right, m[0])
    if outcome == _TRUE and not again and not 0 <= r[0] < m[0] * r[1]:
        outcome = _UNCHECKABLE  # 3 + 4 mod 5 = 7 is right in one reading only
    return "congruence", outcome, whole


def _congruent_chains(items: list[_Item]) -> frozenset[int]:
    """Where `=` stands in a chain that `mod` follows and that has no ≡ of its own."""
    found: set[int] = set()
    chain: list[int] = []
    for at, item in enumerate(items):
        if item == "=" or item == "≡":
            chain.append(at)
        elif not isinstance(item, _Run):
            if item == _MODDED and not any(items[link] == "≡" for link in chain):
                found.update(chain)
            chain = []
        elif at and isinstance(items[at - 1], _Run):
            chain = []
    return frozenset(found)


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

    for line in response.split("\n"):
        if "=" not in line and not (has_congruence and ("≡" in line or "\\equiv" in line)):
            continue
        marks = [m for m in _MARK.finditer(line) if "=" in m[1]] if "<<" in line else []
        if marks:
            steps = [_mark_step(m[1], m[0][:MAX_SHOWN]) for m in marks]
        else:
            steps = _line_steps(line.replace("{,}", ",") if "{,}" in line else line, modulus)
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
    totals = [sum(column) for column in zip(*tally.values(), strict=True)] or [0, 0, 0, 0, 0]
    return StepCounts(*totals, evidence=_evidence(tally, false, mended))


def _evidence(tally: dict[str, list[int]], false: list[_Step], mended: set[int]) -> str:
    fields: dict[str, object] = {
        kind: {name: n for name, n in zip(_OUTCOMES, outcomes, strict=True) if n}
        for kind, outcomes in tally.items()
    }
    if len(false) > len(mended):
        still = (step.text for at, step in enumerate(false) if at not in mended)
        fields["first_false"] = [text for text, _ in zip(still, range(3))]
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode() if fields else "{}"


def measure(problem: Problem, attempt: Attempt) -> StepCounts:
    """Count the steps of an attempt."""
    return count(problem.statement, attempt.text)
