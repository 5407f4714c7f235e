"""A verdict: what a checker says of one attempt, with its reason and its evidence."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Status = Literal["correct", "incorrect", "undecided", "no_answer", "bad_reference", "error"]
"""How an attempt ended. `error` is a failure of the set-up and says nothing about the answer."""

STATUSES: tuple[Status, ...] = (
    "correct",
    "incorrect",
    "undecided",
    "no_answer",
    "bad_reference",
    "error",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check. `judge` leaves attempt_id and verifier empty."""

    attempt_id: str
    status: Status
    reason: str
    """Short, stable, countable: `equal`, `different`, `unparsable`, `no_answer`."""
    verifier: str = ""
    """`module:function@version` of the checker."""
    final_answer: str | None = None
    """The answer found in the response, as written there; None when there is none."""
    evidence: str = "{}"
    """JSON object: where the answer was found and what was compared."""
    limited_by: str | None = None
    """`clock` when only a clock could stop the check, so a re-run may differ; None otherwise."""


@dataclass(frozen=True, slots=True)
class StepCounts:
    """How the checkable steps of one response came out. They never change the status."""

    n_true: int
    """Exactly true in rational arithmetic."""
    n_rounded: int
    """True to the digits shown, or to float precision."""
    n_repaired: int
    """False, and put right by a later `Recheck:` line of the same response."""
    n_false: int
    n_uncheckable: int
    """Looks like a step, but cannot be checked (a variable, a unit, a clock time)."""
    evidence: str = "{}"
    """JSON object: counts by kind (`mark`, `equation`, `congruence`), and the first false steps."""


VERDICT_SCHEMA = pa.schema(
    [
        pa.field("attempt_id", pa.string(), nullable=False),
        # Whose attempt it is: copied here so that filters and statistics never open the raw text.
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("attempt_index", pa.int32(), nullable=False),
        pa.field(
            "in_rate", pa.bool_(), nullable=False
        ),  # one of the first attempts.min: see pass_rate
        pa.field("domain", pa.string(), nullable=False),
        pa.field("task_type", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("n_reasoning_chars", pa.int32(), nullable=False),
        pa.field("n_answer_chars", pa.int32(), nullable=False),
        # The verdict.
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("verifier", pa.string(), nullable=False),
        pa.field("final_answer", pa.string()),
        pa.field("evidence", pa.string(), nullable=False),
        pa.field("limited_by", pa.string()),
        # Measures: null = not measured, 0 = measured, none.
        pa.field("n_true_steps", pa.int32()),
        pa.field("n_rounded_steps", pa.int32()),
        pa.field("n_repaired_steps", pa.int32()),
        pa.field("n_false_steps", pa.int32()),
        pa.field("n_uncheckable_steps", pa.int32()),
        pa.field("steps_evidence", pa.string()),
    ]
)

SOLVED_SCHEMA = pa.schema(
    [
        pa.field("problem_id", pa.string(), nullable=False),
        pa.field("n_correct", pa.int32(), nullable=False),
        pa.field("n_counted", pa.int32(), nullable=False),  # attempts that enter a pass rate
        pa.field("closed", pa.bool_(), nullable=False),  # quarantined: no more attempts
    ]
)
"""What one round's verdicts mean for the next: one row a problem."""
