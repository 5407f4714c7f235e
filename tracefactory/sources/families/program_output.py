"""What a small Python program prints: loops, branches, integer arithmetic.

Four shapes of program, one stratum each. Their meaning is written here a second time, as plain
arithmetic: no program text is ever run. In the traces a remainder is shown as `17=5*3+2`, one
update as `4+5=9`.

Parameters: [shape, ...]: what the shape's function names.
"""

from functools import partial

from pydantic import Field

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.pen import Pen

VERSION = "1"
_LOOP, _BRANCH, _DIGITS, _NESTED = range(4)
Span = tuple[int, int]
"""Smallest value and how many."""


class ProgramOutputKnobs(Knobs, frozen=True):
    """Sizes of the programs."""

    max_rounds: int = Field(6, ge=2, le=12)
    """Most rounds of a loop, at least 2; `longer` has one to three more."""
    max_start: int = Field(50, ge=0, le=999)
    """The running total starts from 0 to this."""
    max_step: int = Field(20, ge=1, le=99)
    """Numbers added in a round are from 1 to this."""
    max_number: int = Field(9_999, ge=10, le=999_999)
    """The digit loop takes apart a number from 10 to this."""

    def strata(self) -> tuple[Stratum, ...]:
        """A counting loop, a loop with a branch, and a while loop that takes a number apart."""
        rounds = (2, self.max_rounds - 1)
        digits = ((10, self.max_number - 9), (3, 7), (2, 8), (1, self.max_step))
        return (
            _stratum("loop", _LOOP, self._loop(rounds)),
            _stratum("branch", _BRANCH, self._branch(rounds)),
            _stratum("digits", _DIGITS, digits),
        )

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """More rounds, and a loop inside a loop."""
        rounds = (self.max_rounds + 1, 3)
        nested = ((0, self.max_start + 1), (2, 2), (2, 2), (2, 8), (1, self.max_step))
        return {
            "longer": (
                _stratum("loop_longer", _LOOP, self._loop(rounds)),
                _stratum("branch_longer", _BRANCH, self._branch(rounds)),
            ),
            "nested": (_stratum("nested", _NESTED, nested),),
        }

    def _loop(self, rounds: Span) -> tuple[Span, ...]:
        """Start, first i, rounds, factor, addend."""
        return ((0, self.max_start + 1), (1, 9), rounds, (2, 8), (1, self.max_step))

    def _branch(self, rounds: Span) -> tuple[Span, ...]:
        """Start, first i, rounds, divisor, number added, number taken away."""
        steps = (1, self.max_step)
        return ((0, self.max_start + 1), (1, 9), rounds, (2, 3), steps, steps)


def _stratum(name: str, shape: int, spans: tuple[Span, ...]) -> Stratum:
    size = 1
    for _, count in spans:
        size *= count
    return Stratum(name, size, partial(_decode, shape=shape, spans=spans))


def _decode(rank: int, shape: int, spans: tuple[Span, ...]) -> Params:
    params = [shape]
    for smallest, count in spans:
        rank, at = divmod(rank, count)
        params.append(smallest + at)
    return params


_PROGRAMS = (
    """\
total = {0}
for i in range({1}, {stop}):
    total += i * {3} + {4}
print(total)""",
    """\
total = {0}
for i in range({1}, {stop}):
    if i % {3} == 0:
        total += {4}
    else:
        total -= {5}
print(total)""",
    """\
n = {0}
total = 0
while n > 0:
    total += n % {1}
    n //= {1}
print(total * {2} + {3})""",
    """\
total = {0}
for i in range(1, {stop_i}):
    for j in range(1, {stop_j}):
        total += i * j * {3} + {4}
print(total)""",
)


def statement(params: Params) -> str:
    """The question and the program in a fence."""
    shape, *values = params
    stops = {"stop": values[1] + values[2], "stop_i": values[1] + 1, "stop_j": values[2] + 1}
    program = _PROGRAMS[shape].format(*values, **stops)
    return f"What does this Python program print?\n\n```python\n{program}\n```"


def reference(params: Params) -> str:
    """What the program prints."""
    shape, *values = params
    if shape == _LOOP:
        start, first, rounds, factor, addend = values
        return str(start + factor * sum(range(first, first + rounds)) + addend * rounds)
    if shape == _BRANCH:
        start, first, rounds, divisor, plus, minus = values
        hits = (first + rounds - 1) // divisor - (first - 1) // divisor
        return str(start + plus * hits - minus * (rounds - hits))
    if shape == _DIGITS:
        number, base, factor, addend = values
        total = 0
        while number:
            number, digit = divmod(number, base)
            total += digit
        return str(total * factor + addend)
    start, n_i, n_j, factor, addend = values
    sums = sum(range(1, n_i + 1)) * sum(range(1, n_j + 1))
    return str(start + factor * sums + addend * n_i * n_j)


def solve(params: Params, pen: Pen) -> str:
    """Go through the program round by round. Each shape has its own habit."""
    return str(_SOLVERS[params[0]](params[1:], pen))


def _solve_loop(values: Params, pen: Pen) -> int:
    """Habit: adds before it multiplies."""
    total, first, rounds, factor, addend = values
    for i in range(first, first + rounds):
        text = f"{i}*{factor}+{addend}="
        change = pen.step(text, i * factor + addend, habit=i * (factor + addend))
        total = pen.step(f"{total}+{change}=", total + change)
    return total


def _solve_branch(values: Params, pen: Pen) -> int:
    """Habit: adds in the branch that takes away."""
    total, first, rounds, divisor, plus, minus = values
    for i in range(first, first + rounds):
        quotient, remainder = divmod(i, divisor)
        if pen.step(f"{i}={quotient}*{divisor}+", remainder, modulus=divisor) == 0:
            total = pen.step(f"{total}+{plus}=", total + plus)
        else:
            total = pen.step(f"{total}-{minus}=", total - minus, habit=total + minus)
    return total


def _solve_digits(values: Params, pen: Pen) -> int:
    """Habit: takes the last decimal digit for the remainder."""
    number, base, factor, addend = values
    total = 0
    while number:
        quotient, remainder = divmod(number, base)
        text = f"{number}={quotient}*{base}+"
        digit = pen.step(text, remainder, habit=number % 10, modulus=base)
        total = pen.step(f"{total}+{digit}=", total + digit)
        number = quotient
    return pen.step(f"{total}*{factor}+{addend}=", total * factor + addend)


def _solve_nested(values: Params, pen: Pen) -> int:
    """Habit: adds before it multiplies."""
    total, n_i, n_j, factor, addend = values
    for i in range(1, n_i + 1):
        for j in range(1, n_j + 1):
            text = f"{i}*{j}*{factor}+{addend}="
            change = pen.step(text, i * j * factor + addend, habit=i * j * (factor + addend))
            total = pen.step(f"{total}+{change}=", total + change)
    return total


_SOLVERS = (_solve_loop, _solve_branch, _solve_digits, _solve_nested)


FAMILY = Family(
    name="program_output",
    version=VERSION,
    domain="code",
    knobs=ProgramOutputKnobs,
    statement=statement,
    reference=reference,
    solve=solve,
)
