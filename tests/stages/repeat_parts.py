"""Chunks of made-up problems and traces, and a near dedupe over them."""

import dataclasses
import importlib.util
import random
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
from stage_parts import driven

from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import table_of
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs
from tracefactory.stages.dedupe import STAGE, DedupeConfig
from tracefactory.stages.split import split_of
from tracefactory.task import Chunk

ROOT = Path(__file__).parents[2]


def corpus_module():
    """benchmarks/dedupe_corpus.py, which is no part of the package."""
    path = ROOT / "benchmarks" / "dedupe_corpus.py"
    spec = importlib.util.spec_from_file_location("dedupe_corpus", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["dedupe_corpus"] = module
    spec.loader.exec_module(module)
    return module


@dataclasses.dataclass(frozen=True)
class Given:
    """An attempt with its problem, as far as a test cares."""

    problem: str
    statement: str
    text: str | None = "<think>\nx\n</think>\n\ny"
    """None: a problem without attempts."""
    index: int = 0
    reference: str = "7"
    answer: str = "7"
    status: str = "correct"
    split: str = "train"
    dropped: bool = False
    false_steps: int = 0

    @property
    def id(self):
        return f"{self.problem}/t/{self.index}"


def _problem(row):
    verifier = "tracefactory.verifiers.numeric:verify"
    return Problem(
        row.problem, row.statement, row.reference, verifier, "{}", row.split, "math", "kind", "s",
        "MIT", "{}",
    )  # fmt: skip


def chunk(home, name, rows, facts=None):
    problems = {row.problem: _problem(row) for row in rows}
    attempts = [
        Attempt(row.id, row.problem, row.index, "t", "r1", "MIT", row.text, "stop", 1)
        for row in rows
        if row.text is not None
    ]
    verdicts = [
        {
            "attempt_id": row.id, "problem_id": row.problem, "teacher": "t",
            "attempt_index": row.index, "in_rate": True, "domain": "math", "task_type": "kind",
            "source": "s", "finish_reason": "stop", "n_reasoning_chars": 1, "n_answer_chars": 1,
            "status": row.status, "reason": "equal", "verifier": "v@1", "evidence": "{}",
            "final_answer": row.answer, "n_false_steps": row.false_steps,
        }
        for row in rows
        if row.text is not None
    ]  # fmt: skip
    dropped = [
        {"attempt_id": row.id, "dropped_by": "before", "drop_reason": "so"}
        for row in rows
        if row.dropped
    ]
    tables = {
        "problems": table_of(list(problems.values()), PROBLEM_SCHEMA),
        "attempts": table_of(attempts, ATTEMPT_SCHEMA),
        "verdicts": pa.Table.from_pylist(verdicts, schema=VERDICT_SCHEMA),
        "decisions": pa.Table.from_pylist(dropped, schema=DECISION_SCHEMA),
    }
    files = {role: (home.put("in", name, role, table),) for role, table in tables.items()}
    return Chunk(name, files, facts or {}, name)


@dataclasses.dataclass(frozen=True)
class Found:
    gone: dict
    """Attempt -> why it went."""
    moved: dict
    """Problem -> its split now."""
    counts: Counter
    report: dict


def deduped(home, chunks, **settings):
    """What a near dedupe says of these chunks."""
    config = DedupeConfig(use="dedupe", from_=("kept",), level="near", **settings)
    plan = driven(STAGE, config, home, chunks)
    gone, moved = {}, {}
    for one in STAGE.chunks(config, plan):
        inputs = Inputs(home, (one,))
        for decision in inputs.table("decisions", DECISION_SCHEMA).to_pylist():
            if decision["dropped_by"] == "selected":
                gone[decision["attempt_id"]] = decision["drop_reason"]
        moved |= split_of(inputs)
    counts = sum((Counter(r.counts) for done in plan.done for r in done), Counter())
    return Found(gone, moved, counts, STAGE.repeats(config, plan))


def cut(rows, n, seed=0):
    """The rows as n lists, in an order of the seed's; rows of one problem stay together."""
    names = sorted({row.problem for row in rows})
    random.Random(seed).shuffle(names)
    places = {name: place % n for place, name in enumerate(names)}
    parts = [[] for _ in range(n)]
    for row in random.Random(seed + 1).sample(rows, len(rows)):
        parts[places[row.problem]].append(row)
    return [part for part in parts if part]
