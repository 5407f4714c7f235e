"""A stage by itself: chunks of made-up attempts in a run folder, and a driver of barriers."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.receipt import Receipt
from tracefactory.schemas.rows import table_of
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs, Plan
from tracefactory.store.home import Home
from tracefactory.task import Chunk
from tracefactory.verifiers.extract import split_reasoning


@dataclasses.dataclass(frozen=True)
class Row:
    """An attempt, as far as a test cares."""

    problem: str
    index: int
    teacher: str = "t"
    status: str = "correct"
    text: str = "<think>\nx\n</think>\n\ny"
    domain: str = "math"
    source: str = "s"
    split: str = "train"
    tokens: int | None = None
    dropped: bool = False
    in_rate: bool = True

    @property
    def id(self) -> str:
        return f"{self.problem}/{self.teacher}/{self.index}"


def _problem(row: Row) -> Problem:
    return Problem(
        row.problem, f"What is {row.problem}?", "1", "tracefactory.verifiers.numeric:verify", "{}",
        row.split, row.domain, "kind", row.source, "MIT", "{}",
    )  # fmt: skip


def _attempt(row: Row) -> Attempt:
    counts = (row.tokens, 0, 0, "tok") if row.tokens is not None else (None, None, None, None)
    return Attempt(
        row.id, row.problem, row.index, row.teacher, "r1", "MIT", row.text, "stop", 1, *counts
    )


def _verdict(row: Row) -> dict[str, Any]:
    reasoning, answer = split_reasoning(row.text)
    return {
        "attempt_id": row.id, "problem_id": row.problem, "teacher": row.teacher,
        "attempt_index": row.index, "in_rate": row.in_rate, "domain": row.domain,
        "task_type": "kind", "source": row.source, "finish_reason": "stop",
        "n_reasoning_chars": len(reasoning), "n_answer_chars": len(answer), "status": row.status,
        "reason": "equal", "verifier": "tracefactory.verifiers.numeric:verify@1",
        "evidence": "{}",
    }  # fmt: skip


def chunk_of(home: Home, name: str, rows: Sequence[Row], root: str = "") -> Chunk:
    """A chunk after a verify stage and one that dropped some rows."""
    problems = {row.problem: _problem(row) for row in rows}
    dropped = [
        {"attempt_id": row.id, "dropped_by": "before", "drop_reason": "so"}
        for row in rows
        if row.dropped
    ]
    tables = {
        "problems": table_of(list(problems.values()), PROBLEM_SCHEMA),
        "attempts": table_of([_attempt(row) for row in rows], ATTEMPT_SCHEMA),
        "verdicts": pa.Table.from_pylist([_verdict(row) for row in rows], schema=VERDICT_SCHEMA),
        "decisions": pa.Table.from_pylist(dropped, schema=DECISION_SCHEMA),
    }
    files = {role: (home.put("in", name, role, table),) for role, table in tables.items()}
    return Chunk(name, files, {}, root or name)


def driven(stage: Any, config: Any, home: Home, chunks: Iterable[Chunk], seed: int = 7) -> Plan:
    """All phases of a barrier, one task after the other; the plan after the last."""
    plan = Plan("selected", seed, "r", tuple(sorted(chunks, key=lambda chunk: chunk.name)))
    for phase in range(stage.phases(config)):
        receipts = []
        for order in stage.orders(config, plan, phase):
            result = stage.work(order.config, Inputs(home, order.inputs), home.journal("j"))
            outputs = tuple(
                home.put("out", order.chunk, role, table) for role, table in result.tables.items()
            )
            facts = dict(result.facts)
            receipts.append(Receipt(order.chunk, "", {}, outputs, dict(result.counts), facts))
        plan = dataclasses.replace(plan, done=(*plan.done, receipts))
    return plan


def dropped_by(stage: Any, config: Any, home: Home, plan: Plan) -> dict[str, str]:
    """What the chunks that go on say of rows that the stage dropped: id -> reason."""
    found: dict[str, str] = {}
    for chunk in stage.chunks(config, plan):
        for decision in Inputs(home, (chunk,)).table("decisions", DECISION_SCHEMA).to_pylist():
            if decision["dropped_by"] == "selected":
                found[decision["attempt_id"]] = decision["drop_reason"]
    return found
