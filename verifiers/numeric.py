r"""Compare answers as exact rationals.

A number is an optional sign (`-`, `+`, `−`), at most one leading currency sign ($, €, £, `\$`)
and one of: an integer, a decimal (`.5` and `5.` too), `a/b`, `\frac{a}{b}` (also \dfrac, \tfrac,
and `\frac12` with two single digits). Thousands may be grouped, then strictly (`1,234,567`;
`12,34` is no number). Around it `$...$`, `\(...\)`, blanks and one trailing period are dropped.
"1/2" equals "0.5".

Boxes that stand together with different numbers in them, and a later marker that names another
number, are a hedge: no answer, reason `hedged`.

Not here, so not a number and never equal to anything: percent, units, scientific notation (`1e5`),
mixed numbers, words, `inf`, digits other than 0-9, `1_000`, and any text longer than 400
characters. The whole text must be the number; nothing is rounded, nothing evaluated.
"""

import re
from math import gcd
from typing import cast

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Status, Verdict
from tracefactory.verifiers.extract import Answer, final_answer, read_options

VERSION = "2"

# Far below Python's limit of 4300 digits for int(), far above any answer.
MAX_CHARS = 400

_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_NUMBER = re.compile(
    rf"""
    (?P<sign>[-+−]?)\ *(?:(?:\\?\$|[€£])\ *(?P<sign_after>[-+−]?))?\ *
    (?:
        (?P<top>{_PLAIN}) (?:\ */\ *(?P<bottom>{_PLAIN}))?
      | \\[dt]?frac\ *\{{\ *(?P<frac_sign>[-+−]?)(?P<frac_top>{_PLAIN})\ *\}}
        \ *\{{\ *(?P<frac_bottom>{_PLAIN})\ *\}}
      | \\[dt]?frac\ *(?P<digit_top>[0-9])(?P<digit_bottom>[0-9])
    )
    \ *\.?
    """,
    re.VERBOSE,
)


def rational(text: str) -> tuple[int, int] | None:
    """The number that the whole text names as (numerator, denominator) in lowest terms, or None."""
    text = text.strip()
    if len(text) > MAX_CHARS:
        return None
    if text.isascii() and text.isdigit():  # isdigit alone takes '²' and '٣' as well
        return int(text), 1
    text = _undressed(text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, after, top, bottom, frac_sign, frac_top, frac_bottom, digit_top, digit_bottom = cast(
        "tuple[str | None, ...]", match.groups()
    )
    signs = [mark for mark in (sign, after, frac_sign) if mark]
    if sign and after:  # "-$-5"
        return None
    above, scale_above = _decimal(top or frac_top or digit_top or "")
    below, scale_below = _decimal(bottom or frac_bottom or digit_bottom or "1")
    if below == 0:
        return None
    numerator, denominator = above * scale_below, below * scale_above
    divisor = gcd(numerator, denominator)
    negative = sum(mark != "+" for mark in signs) % 2
    return (-numerator if negative else numerator) // divisor, denominator // divisor


def _undressed(text: str) -> str:
    r"""Without dollars or `\(...\)` around it, and without a period behind those."""
    bare = text[:-1] if text.endswith(("$.", "\\).")) else text
    if len(bare) > 4 and bare.startswith("$$") and bare.endswith("$$"):
        return bare[2:-2].strip()
    if len(bare) > 2 and bare[0] == "$" and bare[-1] == "$" and bare[-2] != "\\":
        return bare[1:-1].strip()
    if bare.startswith("\\(") and bare.endswith("\\)"):
        return bare[2:-2].strip()
    return text


def _decimal(digits: str) -> tuple[int, int]:
    """A matched unsigned number as (integer, power of ten to divide by)."""
    whole, _, decimals = digits.replace(",", "").partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def judge(reference: str, response: str, *, answer_after: str | None = None) -> Verdict:
    """Correct when the final answer names the same rational number as the reference."""
    return _judge(reference, response, answer_after, "", "")


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """Judge an attempt; the one option is `answer_after` (see extract.py).

    Raises:
        ValueError: if problem.verifier_options holds anything else.
    """
    options = read_options(problem.verifier_options, ("answer_after",))
    return _judge(
        problem.reference, attempt.text, options.get("answer_after"), attempt.id, _ADDRESS
    )


_ADDRESS = f"tracefactory.verifiers.numeric:verify@{VERSION}"


def _judge(
    reference: str, response: str, answer_after: str | None, attempt_id: str, verifier: str
) -> Verdict:
    want = rational(reference)
    if want is None:
        return Verdict(attempt_id, "bad_reference", "unparsable", verifier)
    answer = final_answer(response, answer_after)
    if answer.text is None:
        return Verdict(attempt_id, "no_answer", answer.rule, verifier)
    got = rational(answer.text)
    if (len(answer.parts) > 1 or answer.hedge is not None) and _hedged(answer, got):
        return Verdict(attempt_id, "no_answer", "hedged", verifier, answer.text)
    status: Status = "correct" if got == want else "incorrect"
    reason = "unparsable" if got is None else "equal" if got == want else "different"
    return Verdict(attempt_id, status, reason, verifier, answer.text, _evidence(want, got, answer))


_ANY_NUMBER = re.compile(_PLAIN)
_OR = re.compile(r"(?<![A-Za-z])or(?![A-Za-z])")


def _hedged(answer: Answer, got: tuple[int, int] | None) -> bool:
    """Whether another box, or a later marker, says something else than a number found."""
    if got is None:
        return False
    if any(rational(part) != got for part in answer.parts):
        return True
    if answer.hedge is None:
        return False
    other = rational(answer.hedge)
    if other is not None:
        return other != got
    # "7 apples" names the 7 of the box again; "7 or 8" and "eight, that is 8" do not.
    named = [rational(number) for number in _ANY_NUMBER.findall(answer.hedge[:MAX_CHARS])]
    return (bool(named) and got not in named) or _OR.search(answer.hedge) is not None


def _evidence(want: tuple[int, int], got: tuple[int, int] | None, answer: Answer) -> str:
    fields = {
        "answer": None if got is None else _text(got),
        "reference": _text(want),
        "rule": answer.rule,
        "span": (answer.start, answer.end),
    }
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def _text(number: tuple[int, int]) -> str:
    return str(number[0]) if number[1] == 1 else f"{number[0]}/{number[1]}"
