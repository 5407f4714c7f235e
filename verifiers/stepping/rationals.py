"""Exact rational arithmetic over the tokens of one side, and what counts as rounding.

Not here: cutting text into tokens (scanner.py), letters and functions (algebra.py).
"""

import re
from math import gcd

MAX_DIGITS = 400
"""Of one number; Python itself refuses 4300."""
MAX_BITS = 8192
"""Of a numerator or denominator on the way."""
FLOAT_DIGITS = 15
"""Float arithmetic that errs prints at least so many."""


Rational = tuple[int, int]
"""(numerator, denominator), the denominator positive."""

TIMES = "@"  # an unwritten times: 2(3)
MINUS = "~"  # the sign, as against the difference
PRECEDENCE = {"(": 0, "+": 1, "-": 1, "*": 2, "/": 2, TIMES: 2, MINUS: 3, "^": 4}


GROUPED = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.([0-9]+))?")


def rational_number(token: str) -> Rational | None:
    """The number that a token writes, thousands grouped by three; None if it writes none."""
    if len(token) > MAX_DIGITS:
        return None
    if token.isdigit():
        return int(token), 1
    match = GROUPED.fullmatch(token)
    if match is None:
        return None
    decimals = match[2] or ""
    return int(match[1].replace(",", "") + decimals), 10 ** len(decimals)


def evaluate(tokens: list[str]) -> Rational | None:
    """The value of a run by precedence, or None if it has none that can be told."""
    if len(tokens) == 1:
        return rational_number(tokens[0])
    values: list[Rational] = []
    pending: list[str] = []
    operand_next = True
    for token in tokens:
        rank = PRECEDENCE.get(token)
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
                number = rational_number(token)
                if number is None:
                    return None
                values.append(number)
                operand_next = False
        elif token == "(" or token == MINUS:
            if not operand_next:
                return None
            pending.append(token)
        else:
            if operand_next:
                return None
            while pending and PRECEDENCE[pending[-1]] >= rank:
                if token == "^" or (token == TIMES and pending[-1] == "/"):
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


def _apply(operator: str, values: list[Rational]) -> bool:
    """Apply an operator to the top of the stack; False if the result is undefined or too large."""
    if operator == "(":
        return False
    above, below = values.pop()
    if operator == MINUS:
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


def is_rounding(exact: Rational, shown: Rational, tokens: list[str], percents: int) -> bool:
    """Whether the plain number of `tokens` is `exact` to the digits shown or to float precision."""
    if shown[0] == 0:
        return False
    number = next(token for token in tokens if token[0] in ".0123456789")
    places = len(number.partition(".")[2])
    off = abs(exact[0] * shown[1] - shown[0] * exact[1])  # over exact[1] * shown[1]
    twice, unit = 2 * off * 10 ** (places + 2 * percents), exact[1] * shown[1]
    if twice < unit:
        return True
    if twice == unit:
        away = abs(shown[0]) * exact[1] > abs(exact[0]) * shown[1]
        return away or number[-1] in "02468"
    # Floats show many digits when they err: 100000000.1*3 = 300000000.4 is plainly false.
    digits = len(number.replace(",", "").replace(".", "").lstrip("0"))
    return places > 0 and digits >= FLOAT_DIGITS and off * 10**9 <= abs(shown[0]) * exact[1]
