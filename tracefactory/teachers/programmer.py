r"""The teacher `programmer`: a program that writes programs for the family `small_programs`.

A trace plans, may try a draft on an example (and claims what it gives, which `program_steps` can
check), and ends in a fenced Python block. Faults are made on purpose, for verification to catch:

    fault     one of those in program_faults.py; a share of them is corrected in a second block
    cheat     a program that only pretends
    endless   a program that never ends; rare, because each costs its whole time limit
    slip      the value claimed for an example is another one; the program is what it is

The text is a function of (config, problem, seed).

Not here: any model. It says so in every row: its revision begins with `program:`.
"""

from random import Random
from typing import Literal, cast

from pydantic import BaseModel

from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import small_programs
from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import Example, Task
from tracefactory.teachers.program_faults import cheat, endless, faults_of, faulty
from tracefactory.teachers.written import Rate, WrittenTeacher, family_of

VERSION = "1"
"""Changes when the same config, problem and seed would give another text."""

_OPENINGS = ("First, what is asked for.", "Let me think this through.", "What has to be done:")
_DRAFTS = ("A draft:", "So I would write:", "That gives:")
_TRIALS = ("Trying it:", "On an example:", "A check by hand:")
_ENDINGS = ("Here is the program.", "The whole program:", "This does it:")
_CORRECTIONS = ("That is not right yet. Corrected:", "One thing was wrong there; this is better:")


class ProgrammerConfig(
    BaseModel, extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
):
    """How often the programmer goes wrong. Each trace has one sort of fault at most, and a slip."""

    kind: Literal["programmer"] = "programmer"
    fault_rate: Rate = 0.25
    """Share of traces with a wrong program: off by one, wrong type, prints instead of returns,
    syntax error, wrong name."""
    repair_rate: Rate = 0.3
    """Share of those that correct themselves: a second block, which is the one that counts."""
    cheat_rate: Rate = 0.05
    """Share of traces whose program does not solve anything: exit(0), an object equal to all."""
    endless_rate: Rate = 0.004
    """Share of traces whose program never ends. Each costs the problem's time limit thrice."""
    trial_rate: Rate = 0.6
    """Share of traces that try a draft on an example and say what it gives."""
    slip_rate: Rate = 0.1
    """Share of those in which what is said to come out is something else."""


class Programmer(WrittenTeacher):
    """Solves problems of `small_programs`, by their parameters in `Problem.origin`."""

    def __init__(self, config: ProgrammerConfig) -> None:
        super().__init__("programmer", VERSION, config)
        self.config = config

    def write(self, problem: Problem, seed: int) -> str:
        """Return the text for one problem.

        Raises:
            RecipeError: the problem is not of the family.
        """
        task, p = _task_of(problem)
        config = self.config
        rng = Random(seed)
        # Always the same draws, so that changing one rate moves no other decision.
        sort = rng.random()
        repairs = rng.random() < config.repair_rate
        tries = rng.random() < config.trial_rate
        slips = rng.random() < config.slip_rate
        opening, draft, trial, ending, correction = (
            rng.choice(words) for words in (_OPENINGS, _DRAFTS, _TRIALS, _ENDINGS, _CORRECTIONS)
        )
        right = program = task.program(p)
        fault = ""
        if sort < config.endless_rate:
            fault, program = "endless", endless(task, p)
        elif (sort := sort - config.endless_rate) < config.cheat_rate:
            fault, program = "cheat", cheat(task, p, rng)
        elif sort - config.cheat_rate < config.fault_rate:
            fault = rng.choice(faults_of(task))
            program = faulty(task, p, fault, rng)
        thought = f"{opening} {task.plan(p)}"
        if tries and fault not in ("endless", "cheat"):
            example = rng.choice(small_programs.examples(task, p)[1:])
            tried = _trial(task, program, example, rng if slips else None)
            thought += f"\n\n{draft}\n\n{_block(program)}\n\n{trial}\n\n{tried}"
        answer = f"{ending}\n\n{_block(program)}"
        if repairs and fault not in ("", "endless", "cheat"):
            answer += f"\n\n{correction}\n\n{_block(right)}"
        return f"<think>\n{thought}\n</think>\n\n{answer}"


def _block(program: str) -> str:
    return f"```python\n{program}```"


def _trial(task: Task, program: str, example: Example, slip: Random | None) -> str:
    """A session, or for a script a snippet and its output; with `slip` what it claims is wrong."""
    value = example.answer if slip is None else slipped(example.answer, slip)
    if task.entry_point:
        return f"```\n>>> {example.call()}\n{value!r}\n```"
    given = f"import io\nimport sys\n\nsys.stdin = io.StringIO({example.args[0]!r})\n"
    return f"{_block(given + program)}\n\nOutput:\n\n```text\n{value}```"


def slipped(value: object, rng: Random) -> object:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + rng.choice((-2, -1, 1, 2))
        case str():
            numbers = [at for at, char in enumerate(value) if char.isdigit()]
            if numbers:
                at = rng.choice(numbers)
                return f"{value[:at]}{(int(value[at]) + 1) % 10}{value[at + 1 :]}"
            return value[:-1] if value else "x"
        case list():
            items = list(cast("list[object]", value))
            if not items:
                return [0]
            at = rng.randrange(len(items))
            items[at] = slipped(items[at], rng)
            return items
        case dict():
            named = dict(cast("dict[str, object]", value))
            if not named:
                return {"a": 1}
            name = rng.choice(sorted(named))
            named[name] = slipped(named[name], rng)
            return named
        case _:
            return 0


def _task_of(problem: Problem) -> tuple[Task, Params]:
    known = small_programs.FAMILY
    knows = f"problems of the family {known.name}"
    _, params = family_of(problem, "programmer", {known.name: known}, knows)
    return small_programs.task_of(params)
