"""The pen a family writes its solution with; it may slip once, and may put the slip right.

Given lines that were said already, it says them again and goes on from their values, whether they
are true or not.

Not here: who slips how often (teachers/solver.py), and what a step means (each family).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

RECHECK = "Recheck: "


@dataclass(frozen=True, slots=True)
class Slip:
    """One wrong value to be written at one step."""

    at: int
    """Number of the step, from 0."""
    repair: bool
    """Put it right on the next line?"""
    rng: Random
    """Decides the wrong value."""


class StrangeLineError(Exception):
    """A line was said that the family would not write there, whatever its value."""


class Pen:
    """Writes the lines of one solution and hands each value back as it was written."""

    __slots__ = ("_said", "_slip", "_slip_at", "habit", "lines", "n_steps")

    def __init__(
        self, habit: bool = False, slip: Slip | None = None, said: Sequence[str] = ()
    ) -> None:
        """Args: the habit, the slip, and the lines that the solution begins with."""
        self._said = said
        self.habit = habit
        self.lines: list[str] = []
        self.n_steps = 0
        self._slip = slip
        self._slip_at = -1 if slip is None else slip.at

    def step(
        self,
        text: str,
        value: int,
        *,
        habit: int | None = None,
        modulus: int = 0,
        tail: str = "",
    ) -> int:
        """Write the line `text value tail` and return the value to go on with.

        A slip writes and returns another value; when it is repaired, the next line restates the
        step and the true value is returned.

        Args:
            text: The line up to the value, `5-3=2≡`; a label ends in a colon, `units: 7+8=`.
            value: The true value.
            habit: The value by the family's misrule; written when the pen has the habit.
            modulus: Set for a remainder: a slip is then another remainder, so the line is false.
            tail: The line after the value.

        Raises:
            StrangeLineError: a line was said in its place that is none of this step.
        """
        at = self.n_steps
        self.n_steps = at + 1
        if len(self.lines) < len(self._said):
            return self._again(text, tail)
        if at == self._slip_at and self._slip is not None:
            rng = self._slip.rng
            wrong = _wrong_remainder(value, modulus, rng) if modulus else _wrong(value, rng)
            self.lines.append(f"{text}{wrong}{tail}")
            if not self._slip.repair:
                return wrong
            text = RECHECK + text.rpartition(": ")[2]
        elif habit is not None and self.habit:
            value = habit
        self.lines.append(f"{text}{value}{tail}")
        return value

    def _again(self, text: str, tail: str) -> int:
        """Say the next line that was said, and the one that puts it right, if there is one."""
        line = self._said[len(self.lines)]
        value = _value(line, text, tail)
        if value is None:
            raise StrangeLineError(f"{line!r} is no line `{text}VALUE{tail}`")
        self.lines.append(line)
        if len(self.lines) < len(self._said):
            line = self._said[len(self.lines)]
            right = _value(line, RECHECK + text.rpartition(": ")[2], tail)
            if right is not None:
                self.lines.append(line)
                return right
        return value


def _value(line: str, text: str, tail: str) -> int | None:
    """The value of the line `text value tail`; None if it is another line."""
    found = re.fullmatch(rf"{re.escape(text)}(-?[0-9]+){re.escape(tail)}", line)
    return None if found is None else int(found[1])


def _wrong_remainder(value: int, modulus: int, rng: Random) -> int:
    """Another remainder, one or two away. With modulus 1 there is no other: not to be asked."""
    shift = rng.randrange(1, min(3, modulus))
    return (value + (shift if rng.random() < 0.5 else -shift)) % modulus


def _wrong(value: int, rng: Random) -> int:
    """Another number of the same sign: one or two away, or with one digit changed."""
    size = abs(value)
    if size >= 10 and rng.random() < 0.5:
        place: int = 10 ** rng.randrange(len(str(size)))
        old = size // place % 10
        size += ((old + rng.randrange(1, 10)) % 10 - old) * place
    else:
        shift = rng.randrange(1, 3)
        size += shift if size < shift or rng.random() < 0.5 else -shift
    return -size if value < 0 else size
