"""Have a teacher answer problems, in rounds that the verdicts plan.

Round 0 makes attempts 0..min-1 at every `train` problem. With `until_correct: k`, each further
round doubles the attempts at problems that have fewer than k correct ones, up to `max`. The
seeds and the choice depend on attempt numbers alone, never on what finished first.

Not here: checking answers (verify), servers and rate limits (teachers/).
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.receipt import Receipt
from tracefactory.schemas.rows import only_ids, records, table_of
from tracefactory.schemas.verdict import SOLVED_SCHEMA
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.stages.split import split_of
from tracefactory.store.home import Journal, digest
from tracefactory.task import Chunk
from tracefactory.teachers import TeacherSettings, build_teacher, teacher_revision
from tracefactory.teachers.asking import Answers, complete
from tracefactory.teachers.contract import Completion, Request, TeacherInfo


class Attempts(Settings):
    """How many attempts a problem gets."""

    min: Annotated[int, Field(ge=1)] = 1
    """Attempts at every problem. The pass rate is that of these alone, so that it is unbiased."""
    max: Annotated[int, Field(ge=1)] | None = None
    """Attempts at one problem at most; the same as `min` when left out."""
    until_correct: Annotated[int, Field(ge=1)] | None = None
    """Go on, up to `max`, until so many attempts are correct; left out: no further rounds."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max ({self.max}) is below min ({self.min})")
        if self.max is not None and self.max > self.min and self.until_correct is None:
            raise ValueError("max above min needs until_correct, which says when to stop")
        return self


class GenerateConfig(StageConfig):
    """Have a teacher answer problems."""

    teacher: TeacherSettings
    """Who answers: `{kind: solver}`, or your own, `{kind: mypkg.teachers:Mine, options: {}}`."""
    attempts: Attempts = Attempts()
    """How many attempts a problem gets."""
    instruction: str = "Put the final answer in \\boxed{}."
    """One line under every statement, for the teacher and in published rows; empty: none."""
    judge: str | None = None
    """Which verify stage's verdicts plan the next round, when several read this stage."""


def attempt_seed(seed: int, problem_id: str, teacher: str, index: int) -> int:
    """63-bit sampling seed of one attempt."""
    text = f"{seed}:{problem_id}:{teacher}:{index}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def user_turn(statement: str, instruction: str) -> str:
    """What the teacher is asked, and what the published row says it was asked."""
    return f"{statement}\n\n{instruction}" if instruction else statement


class Generate:
    """The stage."""

    kind: ClassVar[Kind] = "rounds"
    Config: ClassVar[type[StageConfig]] = GenerateConfig
    version = "1"
    journals = True
    """Paid completions are journalled; the driver removes the journal after the receipt."""
    roles = ("attempts",)

    def judged(self, config: GenerateConfig) -> bool:
        """Only adaptive sampling looks at verdicts."""
        return config.attempts.until_correct is not None

    def order(
        self, config: GenerateConfig, plan: Plan, chunk: Chunk, round: int, verdict: Receipt | None
    ) -> Order | None:
        """The attempts of one round, as a range of attempt numbers."""
        policy = config.attempts
        start = policy.min << (round - 1) if round else 0
        stop = min(policy.min << round, policy.max or policy.min)
        if start >= stop or chunk.facts.get("train") == "0":
            return None
        if round and verdict is not None and not self._goes_on(policy, verdict):
            return None
        reads = ("problems", "splits", "solved") if round else ("problems", "splits")
        settings = {
            "teacher": config.teacher.model_dump(mode="json"),
            "instruction": config.instruction,
            "seed": plan.seed,
            "start": start,
            "stop": stop,
            "until_correct": policy.until_correct if round else None,
            "rate_over": policy.min,
        }
        return Order(
            chunk=chunk.name,
            round=round,
            config=settings,
            inputs=(chunk.only(*reads),),
            version=teacher_revision(config.teacher),
            asked=_asked(chunk, settings),
        )

    @staticmethod
    def _goes_on(policy: Attempts, verdict: Receipt) -> bool:
        if not verdict.counts.get("attempts"):
            return False  # the last round found every problem solved
        return verdict.counts.get("unsolved", 0) > 0 or (policy.until_correct or 1) > 1

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Make the attempts of one round."""
        teacher = build_teacher(config["teacher"])
        problems = list(self._open_problems(config, inputs))
        requests = [
            Request(
                problem,
                index,
                attempt_seed(config["seed"], problem.id, teacher.info.name, index),
                user_turn(problem.statement, config["instruction"]),
            )
            for problem in problems
            for index in range(config["start"], config["stop"])
        ]
        completions = asyncio.run(complete(teacher, requests, _answered(inputs), journal))
        rows = [_attempt(teacher.info, request, completions) for request in requests]
        return Result(
            {"attempts": table_of(rows, ATTEMPT_SCHEMA)},
            {
                "problems": len(problems) if config["start"] == 0 else 0,
                "attempts": len(rows),
                "truncated": sum(row.finish_reason == "length" for row in rows),
            },
            {
                "rate_over": str(config["rate_over"]),
                "instruction": config["instruction"],
                "asked": _asked(inputs.chunk, config),
            },
        )

    def facts(self, config: GenerateConfig) -> dict[str, str]:
        """Of chunks that pass through too: held-out problems are asked in the same words."""
        return {"rate_over": str(config.attempts.min), "instruction": config.instruction}

    @staticmethod
    def _open_problems(config: Mapping[str, Any], inputs: Inputs) -> Iterator[Problem]:
        """The `train` problems that this round is for."""
        split = split_of(inputs)
        table = inputs.table("problems", PROBLEM_SCHEMA)
        if config["until_correct"] is not None:
            table = only_ids(table, _unsolved(inputs, config["until_correct"]))
        for problem in records(Problem, table):
            if split.get(problem.id, problem.split) == "train":
                yield problem


def _unsolved(inputs: Inputs, until_correct: int) -> set[str]:
    """Problems that the rounds before left open."""
    correct: Counter[str] = Counter()
    closed: set[str] = set()
    for row in inputs.table("solved", SOLVED_SCHEMA).to_pylist():
        correct[row["problem_id"]] += row["n_correct"]
        if row["closed"]:
            closed.add(row["problem_id"])
    return {problem for problem, n in correct.items() if n < until_correct} - closed


def _asked(chunk: Chunk, config: Mapping[str, Any]) -> str:
    """All that answers depend on but their number: how many there shall be is another matter."""
    files = [o.sha256 for role in ("problems", "splits") for o in chunk.files.get(role, ())]
    return digest([files, config["teacher"], config["instruction"], config["seed"]])


def _answered(inputs: Inputs) -> Answers:
    """Answers that this round gave before a new checker changed which problems are still open."""
    columns = [f.name for f in ATTEMPT_SCHEMA if f.name in ("problem_id", "index", *_KEPT)]
    return {
        (row["problem_id"], row["index"]): Completion(**row)
        for output in inputs.previous
        for row in inputs.home.read(output, columns).to_pylist()
    }


_KEPT = tuple(
    name for name in Completion.__dataclass_fields__ if name not in ("problem_id", "index")
)


def _attempt(teacher: TeacherInfo, request: Request, answers: Answers) -> Attempt:
    completion = answers[request.problem.id, request.index]
    return Attempt(
        id=f"{request.problem.id}/{teacher.name}/{request.index}",
        problem_id=request.problem.id,
        index=request.index,
        teacher=teacher.name,
        teacher_revision=teacher.revision,
        teacher_license=teacher.license,
        text=completion.text,
        finish_reason=completion.finish_reason,
        seed=request.seed,
        n_prompt_tokens=completion.n_prompt_tokens,
        n_reasoning_tokens=completion.n_reasoning_tokens,
        n_answer_tokens=completion.n_answer_tokens,
        tokenizer=completion.tokenizer,
    )


STAGE = Generate()
