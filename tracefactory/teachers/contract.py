"""What a teacher is: requests in, completions out as they finish.

Not here: where completions are kept (asking.py and the journal), who plans how many.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracefactory.schemas.problem import Problem

Message = Mapping[str, str]
"""`{role, content}`: a turn of a conversation."""


@dataclass(frozen=True, slots=True)
class Request:
    """One attempt to be made. `problem_id`, `index` and the teacher's name identify it for ever."""

    problem: Problem
    index: int
    """Number of the attempt, from 0."""
    seed: int
    """63-bit sampling seed: hash(run seed, problem id, teacher, index)."""
    messages: Sequence[Message]
    """The conversation that the teacher answers; the last turn is the user's."""
    prefix: str = ""
    """What the teacher has said already: its completion goes on right after it, and holds only what
    comes next. Empty: it begins. Set only for teachers that say `continues`."""
    max_tokens: int | None = None
    """At most so many tokens for this completion; None: as many as the teacher's settings say."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one request. A truncated or refused one is a completion, no failure."""

    problem_id: str
    index: int
    text: str
    """As it came, reasoning included, between `<think>` and `</think>` where the server had it in
    a field of its own or its template had opened the tag."""
    finish_reason: str = "stop"
    """`stop`; `length` when it was cut off; `refused` when the server would not answer this very
    request; `failed` when it never could, though it answered others; or the server's own word."""
    n_prompt_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    n_answer_tokens: int | None = None
    tokenizer: str | None = None
    n_completion_tokens: int | None = None
    """Reasoning and answer together; known more often than either."""
    n_cached_tokens: int | None = None
    """Of the prompt, those that the server had at hand."""
    nano_usd: int | None = None
    """What it cost, in 10^-9 US dollars; None: nobody said."""
    gpu_us: int | None = None
    """Its share of the engine's time, in microseconds times GPUs; None: no engine of ours."""
    detail: str = ""
    """Of `refused` and `failed`: what the server said."""


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
    asks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """All that an answer depends on beside messages, prefix, seed and `max_tokens`: back-end, base
    URL, model and its revision, chat template, tools, every field of the sampling. Plain data. Of a
    teacher of one's own that says nothing: all options that the recipe gives it."""
    max_tokens: int | None = None
    """Tokens of one completion at most; None: the server's business."""
    max_continuations: int = 0
    """How often a completion that was cut off is gone on with, if it `continues`."""


class Teacher(Protocol):
    """A source of completions. Built from its config on the worker that uses it.

    May have `news() -> list[str]`: lines for people that have come up since it was last asked; and
    `in_flight`, requests sent and not answered: at 0, a run that shall stop need not wait for it.
    """

    info: TeacherInfo

    def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Answer all requests, in any order, yielding each as it finishes.

        A teacher that is a server takes a request from the iterable when it can send it, so that
        an iterable that ends early leaves nothing behind.

        Raises:
            TeacherError: when the teacher cannot go on; what was yielded stays valid.
        """
        ...


class TeacherError(Exception):
    """The teacher failed, not the answer: the chunk is tried again, finished requests are kept."""


class DrainedError(Exception):
    """The run was asked to stop: what had been sent is answered and kept, the rest was not sent."""
