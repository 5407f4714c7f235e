"""The teacher `solver`: a program that writes out the solutions of our own families.

It makes faults on purpose, so that verification has something to catch and to keep out:
slips (one wrong value that the rest follows), slips put right on the next line, and a habit, the
same misrule every time it applies. The text is a function of (config, problem, seed).

It goes on from its own lines with one value altered, as `probe` asks, and there it makes no faults:
what then moves is the alteration's doing. What it has not written down, it does not know.

Not here: any model. It says so in every row: its revision begins with `program:`.
"""

from collections.abc import Callable
from random import Random
from typing import Literal

from pydantic import BaseModel

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.base import Params
from tracefactory.sources.families.pen import RECHECK, Pen, Slip, StrangeLineError
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
    decorative: bool = False
    """Ignores its own steps and answers from the statement: the negative control of `probe`."""


class Solver(WrittenTeacher):
    """Solves problems of our families, by their parameters in `Problem.origin`."""

    def __init__(self, config: SolverConfig) -> None:
        super().__init__("solver", VERSION, config, continues=True)
        self.config = config

    def write(self, problem: Problem, seed: int) -> str:
        """Return the text for one problem.

        Raises:
            RecipeError: the problem is not of our families.
        """
        solve, params = _solution_of(problem)
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
        if config.decorative:
            answer = solve(params, Pen())
        steps = "\n".join(pen.lines)
        return f"<think>\n{steps}{_CLOSES}\\boxed{{{answer}}}"

    def go_on(self, problem: Problem, prefix: str) -> str:
        """Return the rest: the missing steps, each from the values before it, and the answer.

        Where the prefix has closed the reasoning, only the answer is left to say; the solver has
        one if all its steps are there.

        Raises:
            RecipeError: the problem is not of our families, or the prefix not of our making.
        """
        solve, params = _solution_of(problem)
        thought, closed, _ = prefix.partition("</think>")
        said = [line for line in thought.removeprefix("<think>").split("\n") if line]
        if self.config.decorative:
            pen = Pen()
            answer = solve(params, pen)
            rest = pen.lines[sum(not line.startswith(RECHECK) for line in said) :]
            return _rest([] if closed else rest, answer, closed=bool(closed))
        pen = Pen(said=said)
        try:
            answer = solve(params, pen)
            if len(pen.lines) < len(said):
                raise StrangeLineError(f"{said[len(pen.lines)]!r} comes after the last step")
        except StrangeLineError as error:
            raise RecipeError(
                f"problem {problem.id}: the solver goes on from its own lines only, and {error}; "
                "probe traces with the teacher that wrote them"
            ) from error
        rest = pen.lines[len(said) :]
        return UNTOLD if closed and rest else _rest(rest, answer, closed=bool(closed))


_CLOSES = "\n</think>\n\n"
UNTOLD = "I cannot tell without working it out."
"""What the solver says where it is to answer and its steps are not there."""


def _rest(steps: list[str], answer: str, *, closed: bool) -> str:
    """What comes after a prefix that ends with a whole line, or with the closed reasoning."""
    lines = "".join(f"{step}\n" for step in steps)
    return f"{lines}{'' if closed else _CLOSES.lstrip()}\\boxed{{{answer}}}"


def _solution_of(problem: Problem) -> tuple[Callable[[Params, Pen], str], Params]:
    """What writes the solution, and from which parameters."""
    family, params = family_of(problem, "solver", FAMILIES, _KNOWS)
    if family.solve is None:
        raise RecipeError(
            f"problem {problem.id}: family {family.name} asks for programs; give it to the "
            "teacher programmer"
        )
    return family.solve, params


_KNOWS = f"problems made by tracefactory's families ({', '.join(FAMILIES)})"
