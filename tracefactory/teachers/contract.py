"""What a teacher is: requests in, completions out as they finish.

Not here: where completions are kept (asking.py and the journal), who plans how many.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracefactory.schemas.problem import Problem


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt to be made. `problem_id`, `index` and the teacher's name identify it for ever."""

    problem: Problem
    index: int
    """Number of the attempt, from 0."""
    seed: int
    """63-bit sampling seed: hash(run seed, problem id, teacher, index)."""
    prompt: str
    """The user turn: the statement and the recipe's instruction line."""
    prefix: str = ""
    """What the teacher has said already: its completion goes on right after it, and holds only what
    comes next. Empty: it begins. Set only for teachers that say `continues`."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one request. A truncated answer is a completion, not a failure."""

    problem_id: str
    index: int
    text: str
    finish_reason: str = "stop"
    """`stop`, or `length` when it was cut off."""
    n_prompt_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    n_answer_tokens: int | None = None
    tokenizer: str | None = None


@dataclass(frozen=True, slots=True)
class TeacherInfo:
    """Who the teacher is, as every row of it will say."""

    name: str
    revision: str
    """Exact version; begins with `program:` when it is a program and not a model."""
    license: str
    """SPDX identifier of the licence of its outputs."""
    paid: bool
    """Do completions cost something? Then each finished one is journalled before anything else."""
    continues: bool = False
    """Does it honour Request.prefix?"""


class Teacher(Protocol):
    """A source of completions. Built from its config on the worker that uses it."""

    info: TeacherInfo

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Completion]:
        """Answer all requests, in any order, yielding each as it finishes.

        Raises:
            TeacherError: when the teacher cannot go on; what was yielded stays valid.
        """
        ...


class TeacherError(Exception):
    """The teacher failed, not the answer: the chunk is tried again, finished requests are kept."""
