"""Check every attempt with the checker that its problem names.

One row a verdict. A checker that raises is asked once more; then the verdict is `error`, which
says nothing about the answer. `also: [steps]` measures beside the verdict and never changes it.

Not here: how answers are compared (verifiers/), pass rates (rates.py).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import orjson
import pyarrow as pa
from pydantic import model_validator

from tracefactory.rates import COUNTED
from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, NOT_JUDGED, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import only_ids, records
from tracefactory.schemas.verdict import SOLVED_SCHEMA, VERDICT_SCHEMA, StepCounts, Verdict
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.home import Journal
from tracefactory.task import Chunk
from tracefactory.verifiers.contract import (
    AddressError,
    full_address,
    resolve_measure,
    resolve_verifier,
    versioned,
)
from tracefactory.verifiers.extract import split_reasoning


class VerifyConfig(StageConfig):
    """Check every attempt."""

    verifier: str | None = None
    """Checker for all problems instead of the one each names: `numeric`, `mypkg.checks:verify`."""
    also: tuple[str, ...] = ()
    """Measures beside the verdict, such as `steps`; they never change the status."""

    @model_validator(mode="after")
    def _are_there(self) -> Self:
        try:
            if self.verifier is not None:
                resolve_verifier(full_address(self.verifier))
            for name in self.also:
                resolve_measure(full_address(name, "measure"))
        except AddressError as error:
            raise ValueError(str(error)) from error
        return self


class Verify:
    """The stage."""

    kind: ClassVar[Kind] = "chunk"
    Config: ClassVar[type[StageConfig]] = VerifyConfig
    version = "2"
    judges = True
    """Its verdicts plan the rounds of a generate stage that samples until correct."""
    roles = ("verdicts", "solved")

    def order(self, config: VerifyConfig, plan: Plan, chunk: Chunk) -> Order | None:
        """Every chunk that has attempts."""
        if not chunk.rows("attempts"):
            return None
        verifier = None if config.verifier is None else full_address(config.verifier)
        also = [full_address(name, "measure") for name in config.also]
        named = [verifier] if verifier else chunk.facts.get("verifiers", "").split(",")
        return Order(
            chunk=chunk.name,
            config={"verifier": verifier, "also": also},
            inputs=(chunk.only("problems", "attempts", facts=("rate_over",)),),
            version=",".join(versioned(address) for address in [*named, *also] if address),
        )

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """One verdict an attempt."""
        everything = replace(inputs, skip=frozenset())  # quarantined attempts get a verdict too
        attempts = everything.table("attempts", ATTEMPT_SCHEMA)
        asked = set(attempts.column("problem_id").to_pylist())
        table = only_ids(everything.table("problems", PROBLEM_SCHEMA), asked)
        problems = {problem.id: problem for problem in records(Problem, table)}
        rate_over = int(inputs.chunk.facts.get("rate_over", 2**31 - 1))
        checker = _Checker(config["verifier"], tuple(config["also"]), inputs.skip)
        rows: list[dict[str, Any]] = []
        counts: Counter[str] = Counter()
        solved: dict[str, bool] = {}
        for attempt in records(Attempt, attempts):
            problem = problems[attempt.problem_id]
            verdict, steps = checker.check(problem, attempt)
            rows.append(_row(problem, attempt, verdict, steps, rate_over))
            counts[verdict.status] += 1
            counts[f"{verdict.status}:{verdict.reason}"] += 1
            solved[problem.id] = solved.get(problem.id, False) or verdict.status == "correct"
        counts["attempts"] = len(rows)
        counts["unsolved"] = sum(not is_solved for is_solved in solved.values())
        counts.update(_step_totals(rows))
        verdicts = pa.Table.from_pylist(rows, schema=VERDICT_SCHEMA)
        return Result({"verdicts": verdicts, "solved": _solved(rows)}, counts)


class _Checker:
    """The checkers of one chunk, each resolved once."""

    def __init__(self, verifier: str | None, also: tuple[str, ...], skip: frozenset[str]) -> None:
        self._override, self._skip = verifier, skip
        self._measures = [resolve_measure(address) for address in also]
        self._resolved: dict[str, tuple[Any, str]] = {}

    def check(self, problem: Problem, attempt: Attempt) -> tuple[Verdict, StepCounts | None]:
        address = self._override or problem.verifier
        if address not in self._resolved:
            self._resolved[address] = (resolve_verifier(address), versioned(address))
        verify, version = self._resolved[address]
        if attempt.finish_reason in NOT_JUDGED:  # the server's doing, not the teacher's
            evidence = orjson.dumps({"server": attempt.detail}).decode()
            return Verdict(
                attempt.id, "error", attempt.finish_reason, version, evidence=evidence
            ), None
        if problem.id in self._skip:  # checking it killed the process: say so, and never try here
            return Verdict(attempt.id, "error", "quarantined", version), None
        try:
            verdict = verify(problem, attempt)
        except (
            Exception
        ):  # any crash of a checker: twice the same is an error, never a wrong answer
            try:
                verdict = verify(problem, attempt)
            except Exception as error:
                verdict = Verdict(attempt.id, "error", f"crash:{type(error).__name__}")
        steps = None
        for measure in self._measures:
            steps = measure(problem, attempt)
        return replace(verdict, attempt_id=attempt.id, verifier=version), steps


def _row(
    problem: Problem, attempt: Attempt, verdict: Verdict, steps: StepCounts | None, rate_over: int
) -> dict[str, Any]:
    reasoning, answer = split_reasoning(attempt.text)
    return {
        "attempt_id": attempt.id,
        "problem_id": problem.id,
        "teacher": attempt.teacher,
        "attempt_index": attempt.index,
        "in_rate": attempt.index < rate_over,
        "domain": problem.domain,
        "task_type": problem.task_type,
        "source": problem.source,
        "finish_reason": attempt.finish_reason,
        "n_reasoning_chars": len(reasoning),
        "n_answer_chars": len(answer),
        "status": verdict.status,
        "reason": verdict.reason,
        "verifier": verdict.verifier,
        "final_answer": verdict.final_answer,
        "evidence": verdict.evidence,
        "limited_by": verdict.limited_by,
        "n_true_steps": None if steps is None else steps.n_true,
        "n_rounded_steps": None if steps is None else steps.n_rounded,
        "n_repaired_steps": None if steps is None else steps.n_repaired,
        "n_false_steps": None if steps is None else steps.n_false,
        "n_uncheckable_steps": None if steps is None else steps.n_uncheckable,
        "steps_evidence": None if steps is None else steps.evidence,
    }


def _solved(rows: list[dict[str, Any]]) -> pa.Table:
    """All that a next round is planned from: new evidence for old verdicts costs no round."""
    correct: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    closed: set[str] = set()
    for row in rows:
        correct[row["problem_id"]] += row["status"] == "correct"
        counted[row["problem_id"]] += row["status"] in COUNTED
        if row["reason"] == "quarantined":  # more attempts would only kill more checkers
            closed.add(row["problem_id"])
    plain = [
        {"problem_id": i, "n_correct": n, "n_counted": counted[i], "closed": i in closed}
        for i, n in sorted(correct.items())
    ]
    return pa.Table.from_pylist(plain, schema=SOLVED_SCHEMA)


def _step_totals(rows: list[dict[str, Any]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for row in rows:
        if row["n_true_steps"] is None:
            continue
        for outcome in ("true", "rounded", "repaired", "false", "uncheckable"):
            totals[f"steps_{outcome}"] += row[f"n_{outcome}_steps"]
        if row["n_false_steps"]:
            totals["with_false_steps"] += 1
            totals["correct_with_false_steps"] += row["status"] == "correct"
    return totals


STAGE = Verify()
