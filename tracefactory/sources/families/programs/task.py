"""What a programming task is: a statement, a right program, and an answer worked out without it.

The answer is computed here, by code of ours in another shape than the program's, so that the
program, run in a box against the tests, is a check of the family itself (sample judges it before
anything is generated). Text of a program is never run in this process.

Not here: the tasks (texts.py, numbers.py, records.py, places.py), wrong programs other than those
that are off by one (teachers/program_faults.py).
"""

from abc import ABC, abstractmethod
from random import Random

import orjson

from tracefactory.sources.families.base import Params

Span = tuple[int, int]
"""Smallest value and how many."""
# fmt: off
WORDS = (
    "apple", "river", "stone", "Maple", "cloud", "ant", "Otter", "lamp", "key", "Echo",
    "tin", "bread", "Sun", "island", "pear", "wolf", "Zebra", "nut", "candle", "Fox",
    "mirror", "ice", "harbour", "Plum", "violin", "ox", "Lime", "garden", "moss", "Elk",
)
# fmt: on
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lou")


class Task(ABC):
    """One kind of task. Subclasses have no state."""

    name: str
    """Of the stratum."""
    entry_point: str = ""
    """The function asked for; empty: a program that reads standard input."""
    starter: str = ""
    """The function's first line."""

    @abstractmethod
    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        """The range of each parameter."""

    @abstractmethod
    def statement(self, p: Params) -> str:
        """What is asked, without example; injective."""

    @abstractmethod
    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        """A right program, or one that goes one too far or not far enough.

        A function's last line is its only `return` that counts; a script ends in a `print`.
        """

    @abstractmethod
    def plan(self, p: Params) -> str:
        """How to go about it, in a sentence or two."""

    @abstractmethod
    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        """Arguments of each test; for a script one text. One of them shows being off by one."""

    @abstractmethod
    def answer(self, p: Params, *args: object) -> object:
        """What is right, as plain JSON data; for a script what is printed."""


class Example:
    """One test of a task."""

    __slots__ = ("answer", "args", "task")

    def __init__(self, task: Task, args: list[object], answer: object) -> None:
        self.task, self.args, self.answer = task, args, answer

    def test(self) -> dict[str, object]:
        """As the checker reads it."""
        if self.task.entry_point:
            return {"args": self.args, "expected": self.answer}
        return {"input": self.args[0], "output": self.answer}

    def call(self) -> str:
        """As it is written in Python."""
        return f"{self.task.entry_point}({', '.join(map(repr, self.args))})"


def examples(task: Task, p: Params) -> list[Example]:
    """The tests: the same for ever. The first is shown in the statement."""
    rng = Random(f"tests/{task.name}/{p}")
    return [Example(task, args, task.answer(p, *args)) for args in task.inputs(p, rng)]


def statement_of(task: Task, p: Params) -> str:
    """The task, an example, and where to start."""
    first = examples(task, p)[0]
    if task.entry_point:
        shown = f"For example, `{first.call()}` returns `{first.answer!r}`."
        start = f"```python\n{task.starter}\n    ...\n```"
        return f"{task.statement(p)}\n\n{shown}\n\nStart from:\n\n{start}"
    given, printed = str(first.args[0]).rstrip("\n"), str(first.answer).rstrip("\n")
    shown = f"For the input\n\n```text\n{given}\n```\n\nit prints\n\n```text\n{printed}\n```"
    return f"{task.statement(p)}\n\n{shown}"


def tests_of(task: Task, p: Params) -> str:
    """All tests, as JSON."""
    return orjson.dumps([example.test() for example in examples(task, p)]).decode()


def size(spans: tuple[Span, ...]) -> int:
    """How many parameter lists there are."""
    product = 1
    for _, count in spans:
        product *= count
    return product


def decoded(rank: int, spans: tuple[Span, ...]) -> Params:
    """The parameter list with that number."""
    params: Params = []
    for smallest, count in spans:
        rank, at = divmod(rank, count)
        params.append(smallest + at)
    return params


def lines_of(text: str) -> str:
    """A program written between triple quotes, without the first line break."""
    return text.removeprefix("\n")
