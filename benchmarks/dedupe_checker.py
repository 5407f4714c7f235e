"""A checker that looks at nothing, so that a run of benchmarks/dedupe.py measures dedupe alone."""

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict

VERSION = "1"


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """`correct`, whatever was said."""
    return Verdict(attempt.id, "correct", "unread", final_answer=problem.reference)
