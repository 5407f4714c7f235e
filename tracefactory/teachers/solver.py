"""The teacher `solver`: a program that writes out the solutions of our own families.

It makes faults on purpose, so that verification has something to catch and to keep out:
slips (one wrong value that the rest follows), slips put right on the next line, and a habit, the
same misrule every time it applies. The text is a function of (config, problem, seed).

Not here: any model. It says so in every row: its revision begins with `program:`.
"""

from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.base import Family, Params
from tracefactory.sources.families.pen import Pen, Slip
from tracefactory.teachers.contract import Completion, Request, TeacherInfo

VERSION = "1"
"""Changes when the same config, problem and seed would give another text."""

Rate = Annotated[float, Field(ge=0, le=1)]


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


class Solver:
    """Solves problems of our families, by their parameters in `Problem.origin`."""

    def __init__(self, config: SolverConfig) -> None:
        self.config = config
        self.info = TeacherInfo(
            name="solver",
            revision=f"program:tracefactory.teachers.solver@{VERSION}",
            license="Apache-2.0",
            paid=False,
        )

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Completion]:
        """Answer the requests in order.

        Raises:
            RecipeError: a problem is not of our families.
        """
        for request in requests:
            text = self.write(request.problem, request.seed)
            yield Completion(problem_id=request.problem.id, index=request.index, text=text)

    def write(self, problem: Problem, seed: int) -> str:
        """Return the text for one problem.

        Raises:
            RecipeError: the problem is not of our families.
        """
        family, params = _parse_origin(problem)
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


def _parse_origin(problem: Problem) -> tuple[Family, Params]:
    try:
        origin = orjson.loads(problem.origin)
        family = FAMILIES[origin["family"]]
        version, params = origin["version"], origin["params"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise RecipeError(
            f"problem {problem.id}: the solver knows only problems made by tracefactory's families "
            f"({', '.join(FAMILIES)}), and this one's origin is {problem.origin!r}; "
            "give it to another teacher"
        ) from error
    if version != family.version:
        raise RecipeError(
            f"problem {problem.id}: made by version {version} of family {family.name}, but the "
            f"solver here solves version {family.version}; make the problems again with this "
            "tracefactory, or run the one they came from"
        )
    return family, params
