"""Did the answer move? The checker of the trace compares, with the trace's answer as its reference.

Not here: finding an answer in a text, which every checker does in its own way.
"""

from collections.abc import Mapping
from dataclasses import replace

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.probe import Outcome
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Status, Verdict
from tracefactory.verifiers.contract import resolve_verifier

_OUTCOMES: Mapping[Status, Outcome] = {
    "correct": "stayed",
    "incorrect": "moved",
    "no_answer": "no_answer",
}


def outcome_of(
    problem: Problem, attempt: Attempt, verifier: str, answer: str | None
) -> tuple[Outcome, str | None]:
    """The outcome, and the answer of the attempt's text.

    A checker whose reference is no answer (the tests of a program) compares by its own reference:
    then another answer that is correct as well has stayed.

    Args:
        problem: with its own reference.
        attempt: with the text after it was tampered with.
        verifier: address of the checker that judged the trace.
        answer: what that checker found in the trace; None: it names none.
    """
    verdict = Verdict("", "bad_reference", "no_answer")
    if answer is not None:
        verdict = _judged(verifier, replace(problem, reference=answer), attempt)
    if verdict.status == "bad_reference":
        verdict = _judged(verifier, problem, attempt)
    return _OUTCOMES.get(verdict.status, "unclear"), verdict.final_answer


def _judged(verifier: str, problem: Problem, attempt: Attempt) -> Verdict:
    try:
        return resolve_verifier(verifier)(problem, attempt)
    except Exception as error:  # any crash of a checker says nothing about the answer
        return Verdict("", "error", f"crash:{type(error).__name__}")
