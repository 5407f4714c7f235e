"""A pilot: some problems of the real recipe, worked on for real, to know what all will cost.

Everything before the teachers is done in full, so that the chosen problems are a fair sample and
their chunks are those of the real run, which then finds the pilot's answers and pays for none of
them again. The problems are those whose ids hash lowest: a larger pilot holds a smaller one.

    <run folder>/pilot/     a run folder like any other, with a release of its own at its end

Not here: how a run goes (flow.py), who finds the answers again (flow.make_board).
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tracefactory.publish.tried import tokens_out
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.problem import PROBLEM_SCHEMA
from tracefactory.schemas.receipt import Receipt
from tracefactory.spending import Spent
from tracefactory.stages.contract import Inputs
from tracefactory.stages.split import split_of
from tracefactory.store.home import Home, Receipts, digest
from tracefactory.task import Task
from tracefactory.worker import load_stage

RESAMPLES = 2000
LOW, HIGH = 0.05, 0.95
"""Of the resampled totals: a 90 % interval."""


class Pilot:
    """Holds all work of teachers back until all problems are known, and then lets some through."""

    def __init__(self, n: int, seed: int) -> None:
        """Args: how many problems; the recipe's seed."""
        self.n, self.seed = n, seed
        self.held: list[Task] = []
        self.chosen: frozenset[str] | None = None
        self.problems = 0
        """How many there are that teachers would be asked."""
        self.slots: set[str] = set()
        """What was let through: a pilot before may have left other rounds."""

    def admit(self, task: Task) -> Task | None:
        """The task as the pilot does it; None: later, or never."""
        if load_stage(task.use).kind != "rounds":
            return task
        if self.chosen is None:
            self.held.append(task)
            return None
        return self._narrowed(task)

    def _narrowed(self, task: Task) -> Task:
        # Another pilot does other work under the same slot: then the key must be another too.
        ids = sorted(self.chosen or ())
        self.slots.add(task.slot)
        return replace(task, only=tuple(ids), config={**task.config, "pilot": digest(ids)})

    def choose(self, home: Home) -> tuple[list[Task], list[Task]]:
        """The work that is let through, narrowed to the chosen problems, and the rest.

        Reads the ids of all problems, one chunk at a time; holds a hash of each, and n ids.
        """
        lowest: list[tuple[int, str]] = []  # a heap of the n lowest hashes, negated
        seen: set[int] = set()
        for task in self.held:
            for i in _open_ids(home, task):
                rank = int.from_bytes(hashlib.sha256(f"{self.seed}:{i}".encode()).digest()[:8])
                if rank in seen:
                    continue  # a branch brings a problem again
                seen.add(rank)
                if len(lowest) < self.n:
                    heapq.heappush(lowest, (-rank, i))
                else:
                    heapq.heappushpop(lowest, (-rank, i))
        self.problems, self.chosen = len(seen), frozenset(i for _, i in lowest)
        through: list[Task] = []
        rest: list[Task] = []
        for task in self.held:
            wanted = any(i in self.chosen for i in _open_ids(home, task))
            (through if wanted else rest).append(task)
        self.held = []
        return [self._narrowed(task) for task in through], rest


def _open_ids(home: Home, task: Task) -> Iterator[str]:
    """Problems of a task that a teacher may see."""
    inputs = Inputs(home, task.inputs)
    for chunk in task.inputs:
        moved = split_of(inputs, chunk)
        table = inputs.table("problems", PROBLEM_SCHEMA, chunk, ["id", "split"])
        for i, split in zip(*(table.column(c).to_pylist() for c in ("id", "split")), strict=True):
            if moved.get(i, split) == "train":
                yield i


@dataclass(frozen=True, slots=True)
class Range:
    """A total of all problems: what is expected, and a 90 % interval."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Projection:
    """What a recipe will cost, by its pilot."""

    problems: int
    """Of the whole recipe."""
    asked: int
    """Of the pilot."""
    attempts: Range
    tokens_in: Range | None
    """None: the teacher did not count."""
    tokens_out: Range | None
    gpu_hours: Range | None
    """None: no engine of ours."""
    usd: Range | None
    """None: no price is known."""
    spent: Spent
    """By the pilot itself: the run has it already."""


def project(pilot: Pilot, home: Home, receipts: Receipts, spent: Spent) -> Projection:
    """Scale the costs of a finished pilot up to all problems.

    Each problem counts with all its attempts, in all rounds, as one draw: attempts at one problem
    are not independent. Engine time, money and tokens in (a continuation pays for its prompt again)
    go by the tokens that came out of what was paid.

    Args:
        pilot: which problems were asked.
        home: the pilot's run folder.
        receipts: of that folder.
        spent: by the pilot.
    """
    chosen = sorted(pilot.chosen or ())
    done = [receipt for receipt in receipts if receipt.slot in pilot.slots]
    each = _per_problem(home, done, chosen)
    counted = not any(row[2] for row in each)
    weights = [row[1] if counted else row[0] for row in each]
    paid_for = spent.completion_tokens if counted else spent.asked
    draws = _draws(len(each), pilot.seed)

    def total(values: Sequence[float], factor: float = 1.0) -> Range:
        return _range(values, draws, pilot.problems * factor)

    def by_weight(amount: float | None) -> Range | None:
        return None if not amount or not paid_for else total(weights, amount / paid_for)

    return Projection(
        problems=pilot.problems,
        asked=len(chosen),
        attempts=total([row[0] for row in each]),
        tokens_in=by_weight(spent.prompt_tokens) if counted else None,
        tokens_out=total([row[1] for row in each]) if counted else None,
        gpu_hours=by_weight(spent.gpu_ms / 3_600_000),
        usd=by_weight(spent.usd if not spent.priced else _priced(spent)),
        spent=spent,
    )


def _priced(spent: Spent) -> float:
    """Had all completions a price like those that have one."""
    return spent.nano_usd / 1e9 * max(spent.asked, spent.priced) / spent.priced


def _per_problem(
    home: Home, receipts: Iterable[Receipt], chosen: Sequence[str]
) -> list[tuple[int, int, int]]:
    """Of each problem: attempts, tokens out, attempts whose tokens nobody counted."""
    sums = {i: [0, 0, 0] for i in chosen}
    for receipt in receipts:
        for output in receipt.outputs:
            if output.role != "attempts" or not output.name.startswith("raw/"):
                continue
            table = home.read(output, [c for c in _COLUMNS if c in ATTEMPT_SCHEMA.names])
            for row in table.to_pylist():
                if row["problem_id"] in sums:
                    _count(sums[row["problem_id"]], row)
    return [(a, b, c) for a, b, c in sums.values()]


_COLUMNS = (
    "problem_id", "n_completion_tokens", "n_reasoning_tokens", "n_answer_tokens",
)  # fmt: skip


def _count(sums: list[int], row: dict[str, Any]) -> None:
    out = tokens_out(row)
    sums[0] += 1
    sums[1] += out or 0
    sums[2] += out is None


def _draws(n: int, seed: int) -> list[list[int]]:
    """Each time n problems out of n, with replacement; always the same ones."""
    random = Random(f"{seed}:pilot")
    return [random.choices(range(n), k=n) for _ in range(RESAMPLES)] if n else []


def _range(values: Sequence[float], draws: Iterable[Sequence[int]], scale: float) -> Range:
    if not values:
        return Range(0.0, 0.0, 0.0)
    means = sorted(sum(values[i] for i in draw) / len(draw) for draw in draws)
    low, high = (means[round(q * (len(means) - 1))] * scale for q in (LOW, HIGH))
    return Range(sum(values) / len(values) * scale, low, high)
