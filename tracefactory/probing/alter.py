"""Alter one step of a trace, plausibly: its last value becomes another, a little off.

The step is one that the checker of steps (verifiers/steps.py) calls true and, once altered, false.
It is the last on its line and not the last of the reasoning, as long as there are others: what
follows it is what the probe is about. Where a value is said again on its line ("3*4 = 12, so 12
apples"), the line would contradict itself, and another is taken. Of `0+19=19≡5` only the residue
behind `≡` changes, within 0 and the modulus where one is known. A sign stays, and so do the number
of decimals and the commas of thousands.

A response without a thinking part is taken up to the line of its answer.

Not here: calculator marks (`<<3*4=12>>12`: the value stands there twice), values in words, and
whether the rest of the reasoning uses the step at all.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from tracefactory.verifiers.extract import final_answer
from tracefactory.verifiers.stepping.lines import MODULUS
from tracefactory.verifiers.stepping.outcomes import FALSE, TRUE, Step
from tracefactory.verifiers.steps import found

MAX_LINES = 8
"""Lines that are tried: each try checks the steps before it again."""
SHIFTS = (1, -1, 2, -2)

_OPENS = ("<think>", "<thinking>")
_CLOSES = ("</think>", "</thinking>")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.,^])(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?![0-9])"
)
_RELATION = re.compile(r"[=≡≈<>≤≥≠]|\\(?:equiv|approx|le|ge|ne)")
_OTHER_PART = re.compile(r"(?:/|(?<![A-Za-z])[bp]?mod(?:ulo)?[\s({]*)\s*$")
"""What stands before a denominator or a modulus: values of another kind."""


@dataclass(frozen=True, slots=True)
class Altered:
    """A trace up to and with one altered step."""

    prefix: str
    """It ends with the line break behind that step."""
    line: int
    """Number of the altered line in the response, from 1."""
    before: str
    after: str
    at: int
    """Where the value stands, in the response and in the prefix."""


class _Line(NamedTuple):
    """A line whose last step may be altered."""

    number: int
    begin: int
    end: int
    """Behind its line break."""
    step: Step


def alter(statement: str, response: str, rng: Random) -> Altered | None:
    """Alter one step of a response; None where no step can be.

    Args:
        statement: of the problem, for its modulus and for what the checker reads there.
        response: as the teacher wrote it.
        rng: decides the step and its new value.
    """
    lines = _lines(statement, response)
    chosen = lines[:-1] or lines
    for line in rng.sample(chosen, min(len(chosen), MAX_LINES)):
        before = response[: line.end]
        for at, old, new in _other_values(statement, before, line, rng):
            prefix = f"{before[:at]}{new}{before[at + len(old) :]}"
            if any(s.at == line.step.at and s.outcome == FALSE for s in found(statement, prefix)):
                return Altered(prefix, line.number, old, new, at)
    return None


def _lines(statement: str, response: str) -> list[_Line]:
    """Lines of the reasoning whose last step is true, in their order."""
    begin, end = _reasoning(response)
    text = response[:end]
    begins = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    last: dict[int, Step] = {}
    marked: set[int] = set()
    for step in found(statement, text):
        number = bisect_right(begins, step.at) - 1
        last[number] = step
        if step.kind == "mark":
            marked.add(number)
    return [
        _Line(number + 1, begins[number], begins[number + 1], step)
        for number, step in last.items()
        if step.outcome == TRUE
        and number not in marked
        and step.at >= begin
        and begins[number + 1] <= end
    ]


def _reasoning(response: str) -> tuple[int, int]:
    """Where the thinking part begins and ends; without one, all before the line of the answer."""
    closed = max(map(response.rfind, _CLOSES))
    opened = [at + len(tag) for tag in _OPENS if (at := response.find(tag)) >= 0]
    if closed >= 0:
        return min((at for at in opened if at <= closed), default=0), closed
    answer = final_answer(response)
    if opened or answer.text is None:
        return 0, 0
    return 0, response.rfind("\n", 0, answer.start) + 1


def _other_values(
    statement: str, text: str, line: _Line, rng: Random
) -> Iterator[tuple[int, str, str]]:
    """(place, value, another value) for the step of a line, its last value first."""
    sign = _RELATION.match(text, line.step.at)
    start = line.step.at + 1 if sign is None else sign.end()
    next_sign = _RELATION.search(text, start, line.end)
    stop = line.end if next_sign is None else next_sign.start()
    modulus = _modulus(statement, text[line.begin :]) if line.step.kind == "congruence" else None
    for match in reversed(list(_NUMBER.finditer(text, start, stop))):
        if _OTHER_PART.search(text, start, match.start()) is not None:
            continue
        if any(again[0] == match[0] for again in _NUMBER.finditer(text, match.end(), line.end)):
            return
        signed = text[start : match.start()].strip(" ([{$") in ("-", "−")
        for new in _near(match[0], None if signed else modulus, rng):
            if signed:  # the sign is part of the value, and stays
                at = match.start() - 1
                yield at, text[at : match.end()], f"{text[at]}{new}"
            else:
                yield match.start(), match[0], new


def _modulus(statement: str, line: str) -> int | None:
    """The one modulus that the line names, or else the statement."""
    for text in (line, statement):
        named = {int(each) for each in MODULUS.findall(text)}
        if named:
            return named.pop() if len(named) == 1 else None
    return None


def _near(value: str, modulus: int | None, rng: Random) -> Iterator[str]:
    """Other values in the same format, one or two of the last digit away; none becomes zero."""
    decimals = len(value.partition(".")[2])
    digits = value.replace(",", "").replace(".", "")
    number = int(digits)
    for shift in rng.sample(SHIFTS, len(SHIFTS)):
        other = number + shift
        if modulus is not None and number < modulus:
            other %= modulus
        if other == number or (modulus is None and other <= 0) or other < 0:
            continue
        plain = f"{other:0{len(digits) if digits[0] == '0' or decimals else 1}d}"
        whole = plain[: len(plain) - decimals]
        shown = f"{int(whole):,}" if "," in value else whole
        yield f"{shown}.{plain[-decimals:]}" if decimals else shown
