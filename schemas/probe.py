"""A probe: a trace that was tampered with, what its teacher said next, what came of it."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Kind = Literal["alter", "truncate"]
"""`alter`: one step got another value. `truncate`: the reasoning was left out."""

Outcome = Literal["moved", "stayed", "no_answer", "unclear"]
"""Against the trace's own answer. `unclear`: the checker could not tell."""

OUTCOMES: tuple[Outcome, ...] = ("moved", "stayed", "no_answer", "unclear")


@dataclass(frozen=True, slots=True)
class Probe:
    """One trace, tampered with once. It is no attempt: nobody is trained on it."""

    id: str
    """`<attempt_id>/probe/<kind>`."""
    attempt_id: str
    problem_id: str
    domain: str
    task_type: str
    source: str
    license: str
    """SPDX identifier of the problem's licence."""
    teacher: str
    """Who wrote the trace, and who was asked to go on."""
    teacher_revision: str
    """Of the one who was asked."""
    teacher_license: str
    kind: Kind
    step: int | None
    """Number of the altered line in the response, from 1; None: no step was altered."""
    before: str | None
    """The value that stood there."""
    after: str | None
    """The value that stands there in the prefix."""
    prefix: str
    """What the teacher is told that it has said."""
    continuation: str
    """What it said next."""
    trace_answer: str | None
    """The final answer of the trace; None: its checker names none."""
    final_answer: str | None
    """The final answer of prefix and continuation; None: there is none."""
    outcome: Outcome
    seed: int
    """Sampling seed: hash(run seed, problem id, teacher and kind, index), 63 bits."""


PROBE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("attempt_id", pa.string(), nullable=False),
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("task_type", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("teacher_revision", pa.string(), nullable=False),
        pa.field("teacher_license", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("step", pa.int32()),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
        pa.field("prefix", pa.string(), nullable=False),
        pa.field("continuation", pa.string(), nullable=False),
        pa.field("trace_answer", pa.string()),
        pa.field("final_answer", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
    ]
)
"""What the stage leaves. A published row has two more columns (schemas/traces.py)."""
