"""The teacher `solver`: a program that writes out the solutions of our own families.

It makes faults on purpose, so that verification has something to catch and to keep out:
slips (one wrong value that the rest follows), slips put right on the next line, and a habit, the
same misrule every time it applies. The text is a function of (config, problem, seed).

Not here: any model. It says so in every row: its revision begins with `program:`.
"""

from random import Random
from typing import Literal

from pydantic import BaseModel

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.pen import Pen, Slip
from tracefactory.teachers.written import Rate, WrittenTeacher, family_of

VERSION = "1"
"""Changes when the same config, problem and seed would give another text."""


class SolverConfig(
    BaseModel, extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
):
    """How often the solver goes wrong. Slips and habits are drawn independently."""

    kind: Literal["solver"] = "solver"
    slip_rate: Rate = 0.2
    """Share of traces in which one random step gets a wrong value."""
    repair_rate: Rate = 0.3
    """Share of those slips that the next line puts right, beginning `Recheck: `."""
    habit_rate: Rate = 0.1
    """Share of traces written with the family's habitual fault; it shows where it applies."""


class Solver(WrittenTeacher):
    """Solves problems of our families, by their parameters in `Problem.origin`."""

    def __init__(self, config: SolverConfig) -> None:
        super().__init__("solver", VERSION)
        self.config = config

    def write(self, problem: Problem, seed: int) -> str:
        """Return the text for one problem.

        Raises:
            RecipeError: the problem is not of our families.
        """
        family, params = family_of(problem, "solver", FAMILIES, _KNOWS)
        solve = family.solve
        if solve is None:
            raise RecipeError(
                f"problem {problem.id}: family {family.name} asks for programs; give it to the "
                "teacher programmer"
            )
        config = self.config
        rng = Random(seed)
        # Always three draws, so that changing one rate moves no other decision.
        habit = rng.random() < config.habit_rate
        slips = rng.random() < config.slip_rate
        repair = rng.random() < config.repair_rate
        pen = Pen(habit)
        answer = solve(params, pen)
        if slips:  # only a finished solution tells how many steps there are to choose from
            pen = Pen(habit, Slip(rng.randrange(pen.n_steps), repair, rng))
            answer = solve(params, pen)
        steps = "\n".join(pen.lines)
        return f"<think>\n{steps}\n</think>\n\n\\boxed{{{answer}}}"


_KNOWS = f"problems made by tracefactory's families ({', '.join(FAMILIES)})"
