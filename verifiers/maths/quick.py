r"""Numbers that need no parser: nine answers of ten are whole numbers, decimals or fractions.

`5`, `-0.50`, `1,234`, `\frac{3}{4}`, `3/4`, `1.5 \times 10^{3}`, `\text{12}`, `x = 7`. What is read
here, and what two such numbers come to, is what parse.py and amounts.py say of them; they are the
rule, and this is their short cut (the tests hold the two side by side). Anything else is None here.
"""

import re
from math import gcd
from typing import NamedTuple

from tracefactory.verifiers.maths.values import states_tolerance

_NUMBER = re.compile(
    r"(?:([a-df-hj-zA-Z]) ?= ?)?(-?)"
    r"(?:([0-9]{1,3}(?:(?:,|\{,\}|,\\!|\\[,!])[0-9]{3}){1,5}|[0-9]{1,18})(?:\.([0-9]{1,18}))?"
    r"( ?\\(?:times|cdot) ?10(?:\^(?:\{(-?[0-9]{1,2})\}|([0-9])))?)?"
    r"|\\[dt]?frac\{([0-9]{1,9})\}\{([1-9][0-9]{0,8})\}|([0-9]{1,9})/([1-9][0-9]{0,8}))"
)
_DRESS = ("\\", "$")
_DRESSED = re.compile(
    r"\\(?:text|textbf|mathbf|mathrm)\{(-?[0-9][0-9.,]*)\}|\$\$? ?([^$ ][^$]*?) ?\$\$?"
    r"|(?:\\[,!;]|\\displaystyle(?![A-Za-z])) ?([^ ][^\\]*?)(?: |\\[,!;])*"
)


class Number(NamedTuple):
    """A rational number as it was written."""

    top: int
    bottom: int
    """Positive; not reduced."""
    decimal: str
    """The digits of a whole number or decimal: what tolerance it has is in them. Else empty."""
    bare: bool
    """Without a name and without a power of ten."""
    shown: str
    """The normal form, as printing.plain gives it."""


def read_number(text: str) -> Number | None:
    """The number that the text is, or None if that takes a parser to say."""
    if text[:1] in _DRESS:
        dressed = _DRESSED.fullmatch(text)
        if dressed is not None:
            text = dressed[1] or dressed[2] or dressed[3]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    name, sign, whole, places, power, braced, digit, top, bottom, above, below = match.groups()
    if whole is None:
        a, b = int(top or above), int(bottom or below)
        common = gcd(a, b)
        a, b = a // common, b // common
        decimal, shown = "", f"{sign if a else ''}{a}/{b}" if b > 1 else f"{sign if a else ''}{a}"
    else:
        digits = "".join(c for c in whole if c.isdigit()) if len(whole) > 3 else whole
        if places is None:
            a, b, decimal = int(digits), 1, f"{sign}{digits}"
            shown = f"{sign if a else ''}{a}"
        else:
            a, b = int(digits + places), 10 ** len(places)
            decimal = shown = f"{sign}{digits}.{places}"
        if power is not None:
            exponent = int(braced or digit or 1)
            a, b = (a * 10**exponent, b) if exponent > 0 else (a, b * 10**-exponent)
            shown = f"{decimal}*10^({exponent})" if braced or digit else f"{decimal}*10"
    if name:
        shown = f"{name} = {shown}"
    return Number(-a if sign else a, b, decimal, not (name or power), shown)


def compare(want: Number, got: Number) -> tuple[str, str]:
    """The reason and the tier: `equal`, `within` the tolerance of the digits, or `different`."""
    one, other = want.top * got.bottom, got.top * want.bottom
    if one == other:
        return "equal", "exact"
    if "." not in want.decimal or not states_tolerance(want.decimal):
        return "different", "exact"
    # Half a unit of the last digit, which is 1/bottom; halves are rounded away from zero.
    if want.top < 0:
        one, other = -one, -other
    off = 2 * (other - one)
    return ("within" if -got.bottom <= off < got.bottom else "different"), "tolerance"
