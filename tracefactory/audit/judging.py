"""One trace, judged again: by the checker that its row names, if that may be asked at all."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, cast

from tracefactory.audit.traces import Trace
from tracefactory.schemas.attempt import NOT_JUDGED as ENDS_NOT_JUDGED
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import StepCounts, Verdict
from tracefactory.trusted import Checker, Refused, find_checker, safe_options
from tracefactory.verifiers.contract import full_address, resolve_measure

BY_CLOCK = frozenset({
    "timeout_wall", "timeout_cpu", "timeout", "clock", "memory", "crash", "crashed",
})  # fmt: skip
"""Reasons of verdicts that a limit of the machine decided, as rows have them."""

NOT_JUDGED = frozenset({"error"})
"""Statuses that say nothing of the answer, so that there is nothing to compare."""


class Judged(NamedTuple):
    """What the checker says now."""

    verdict: Verdict
    checker: Checker
    problem: Problem
    """As it was judged: its settings may have lost what a dataset has no say in."""


@lru_cache(maxsize=256)
def _checker(stated: str, allowed: tuple[str, ...]) -> Checker:
    return find_checker(stated, allowed)


def judge(trace: Trace, allowed: Sequence[str]) -> Judged:
    """Judge it.

    Raises:
        Refused: it cannot be judged here; the reason is one that can be counted.
    """
    if not trace.verifier:
        raise Refused("the row names no checker: it was never judged")
    checker = _checker(trace.verifier, tuple(allowed))
    if trace.reason == "quarantined":
        raise Refused("checking it killed the process that tried")
    if trace.attempt.finish_reason in ENDS_NOT_JUDGED:
        raise Refused("its teacher's server gave no answer, so there is nothing to judge")
    if not trace.problem.verifier_options:
        raise Refused("its problem is not in rl, and the recipe does not tell its settings")
    options = safe_options(checker.address, trace.problem.verifier_options)
    problem = replace(trace.problem, verifier_options=options)
    verdict = ask(checker, problem, trace)
    if verdict.status == "error":
        raise Refused(f"its checker cannot run here: {verdict.reason}")
    return Judged(verdict, checker, problem)


def ask(checker: Checker, problem: Problem, trace: Trace, text: str | None = None) -> Verdict:
    """The checker's verdict on the trace, or on another text in its place.

    Raises:
        Refused: it raised (the cause has its words), or gave no verdict.
    """
    attempt = trace.attempt if text is None else replace(trace.attempt, text=text)
    try:
        verdict = cast("object", checker.verify(problem, attempt))  # of a package of somebody's
    except Exception as error:  # whatever a checker raises on somebody else's row
        raise Refused(f"its checker cannot run here: crash:{type(error).__name__}") from error
    if not isinstance(verdict, Verdict):
        raise Refused(f"{checker.address} gives no verdict but {type(verdict).__name__}")
    return verdict


def measured(name: str, problem: Problem, trace: Trace) -> StepCounts | None:
    """The steps of a trace, counted again; None if they cannot be here."""
    address = full_address(name, "measure")
    if not (address.startswith("tracefactory.verifiers.") and address.endswith(":measure")):
        return None
    try:
        return resolve_measure(address)(problem, trace.attempt)
    except Exception:  # no box, or a text that the measure cannot take: then nothing is compared
        return None
