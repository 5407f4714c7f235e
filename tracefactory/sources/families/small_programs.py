"""Small programming problems: functions and scripts asked for, tests with what they must give.

Ten kinds, one stratum each: a mask over a text, words counted in a dictionary, a list sifted,
multiples added up, a rule repeated, recursion over nested lists, a ranking with ties, a walk on a
board, and two scripts that read standard input. Held out as kinds of their own: grids turned, and
stretches of a line joined.

The reference is the tests as JSON (verifiers/python_program.py). What they expect is computed by
code of ours; before a problem is used, a right program is run in a box against them.

Parameters: [task, ...]: the task's number, then what its class names.
"""

from collections.abc import Mapping
from functools import partial

from pydantic import Field

from tracefactory.sources.families.base import Family, Knobs, Params, Stratum
from tracefactory.sources.families.programs.numbers import (
    PickNumbers,
    RepeatRule,
    SumMultiples,
    WeighTree,
)
from tracefactory.sources.families.programs.places import JoinSpans, TurnGrid, Walk
from tracefactory.sources.families.programs.records import ColumnSum, Ranking, Totals
from tracefactory.sources.families.programs.task import (
    Task,
    decoded,
    examples,
    size,
    statement_of,
    tests_of,
)
from tracefactory.sources.families.programs.texts import CountWords, MaskText

VERSION = "1"
TIMEOUT_S = "2"
"""Every right program needs a few milliseconds."""

_TRAINED: tuple[Task, ...] = (
    MaskText(),
    CountWords(),
    PickNumbers(),
    SumMultiples(),
    RepeatRule(),
    WeighTree(),
    Ranking(),
    Walk(),
    Totals(),
    ColumnSum(),
)
_HELD_OUT: Mapping[str, Task] = {"grids": TurnGrid(), "spans": JoinSpans()}
TASKS: tuple[Task, ...] = (*_TRAINED, *_HELD_OUT.values())
"""By their number in the parameters."""


class SmallProgramsKnobs(Knobs, frozen=True):
    """Sizes of the numbers in the tasks."""

    max_factor: int = Field(12, ge=3, le=30)
    """Factors, divisors, steps and sides of boards are at most this."""
    max_constant: int = Field(99, ge=1, le=400)
    """Limits and numbers added are at most this."""

    def strata(self) -> tuple[Stratum, ...]:
        """One stratum a kind of task."""
        return tuple(map(self._stratum, range(len(_TRAINED))))

    def ood(self) -> dict[str, tuple[Stratum, ...]]:
        """Kinds of task that train never has."""
        first = len(_TRAINED)
        return {name: (self._stratum(first + at),) for at, name in enumerate(_HELD_OUT)}

    def _stratum(self, number: int) -> Stratum:
        spans = ((number, 1), *TASKS[number].spans(self.max_factor, self.max_constant))
        return Stratum(TASKS[number].name, size(spans), partial(decoded, spans=spans))


def task_of(params: Params) -> tuple[Task, Params]:
    """The task of a problem, and its own parameters."""
    return TASKS[params[0]], params[1:]


def statement(params: Params) -> str:
    """The task, an example, and the function's first line."""
    return statement_of(*task_of(params))


def reference(params: Params) -> str:
    """The tests, as JSON."""
    return tests_of(*task_of(params))


def options(params: Params) -> Mapping[str, str]:
    """Settings of `python_program`."""
    task, _ = task_of(params)
    if task.entry_point:
        return {"kind": "function", "entry_point": task.entry_point, "timeout_s": TIMEOUT_S}
    return {"kind": "stdin_stdout", "timeout_s": TIMEOUT_S}


def specimen(params: Params) -> str:
    """A right program."""
    task, own = task_of(params)
    return f"```python\n{task.program(own)}```"


FAMILY = Family(
    name="small_programs",
    version=VERSION,
    domain="code",
    knobs=SmallProgramsKnobs,
    statement=statement,
    reference=reference,
    solve=None,
    verifier="tracefactory.verifiers.python_program:verify",
    options=options,
    specimen=specimen,
)

__all__ = ["FAMILY", "TASKS", "SmallProgramsKnobs", "examples", "task_of"]
