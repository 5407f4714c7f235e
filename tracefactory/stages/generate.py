"""Have a teacher answer problems, in rounds that the verdicts plan.

Round 0 makes attempts 0..min-1 at every `train` problem. With a `max` above it, each further round
doubles the attempts at the problems that are still open, up to `max`: those with fewer than
`until_correct` correct ones, and whose pass rate is not yet known to `half_width`. The seeds and
the choice depend on attempt numbers alone, never on what finished first.

Not here: checking answers (verify), servers and rate limits (teachers/).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tracefactory.audit.interval import wilson
from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, UNANSWERED, Attempt
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.receipt import Receipt
from tracefactory.schemas.rows import only_ids, records, table_of
from tracefactory.schemas.verdict import SOLVED_SCHEMA
from tracefactory.stages.contract import BY_REQUEST, Inputs, Kind, Order, Plan, Result
from tracefactory.stages.split import split_of
from tracefactory.store.home import Journal, canonical
from tracefactory.task import Chunk, Needs
from tracefactory.teachers import TeacherSettings, build_teacher, is_served, teacher_revision
from tracefactory.teachers.asking import Answer, Asked, ask
from tracefactory.teachers.contract import Completion, Request, TeacherInfo
from tracefactory.teachers.prompting import Prompt, Prompter

DEFAULT_HALF_WIDTH = 0.25


class Attempts(Settings):
    """How many attempts a problem gets."""

    min: Annotated[int, Field(ge=1)] = 1
    """Attempts at every problem. The pass rate is that of these alone, so that it is unbiased."""
    max: Annotated[int, Field(ge=1)] | None = None
    """Attempts at one problem at most; the same as `min` when left out."""
    until_correct: Annotated[int, Field(ge=1)] | None = None
    """Go on, up to `max`, until so many attempts are correct."""
    half_width: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """Go on, up to `max`, until the 95 % interval of the pass rate (Wilson) is at most so wide on
    either side. With `until_correct`, whichever comes first. 0.25 where `max` is above `min` and
    nothing else says when to stop; 0.2 takes more than 16 attempts at a rate of one half."""

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max ({self.max}) is below min ({self.min})")
        return self

    @property
    def adaptive(self) -> bool:
        """May there be further rounds?"""
        return (self.max or self.min) > self.min

    @property
    def stop_at(self) -> float | None:
        """The half-width at which a problem is left alone, if any."""
        if self.half_width is None and self.until_correct is None and self.adaptive:
            return DEFAULT_HALF_WIDTH
        return self.half_width


class GenerateConfig(StageConfig):
    """Have a teacher answer problems."""

    teacher: TeacherSettings
    """Who answers: `{kind: openai, ...}` (any OpenAI-compatible server), `{kind: vllm, ...}` (one
    that is started here), `{kind: solver}` (a program), or your own, `{kind: mypkg.teachers:Mine,
    options: {}}`."""
    prompt: Prompt = Prompt()
    """In which words a teacher is asked; published rows keep to statement and instruction."""
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
    version = "2"
    journals = True
    """Paid completions are journalled; the driver removes the journal after the receipt."""
    roles = ("attempts",)

    def judged(self, config: GenerateConfig) -> bool:
        """Only adaptive sampling looks at verdicts."""
        return config.attempts.until_correct is not None or config.attempts.adaptive

    def needs(self, config: GenerateConfig) -> Needs:
        """Teachers that are served share an engine, or the connections to one."""
        return "engine" if is_served(config.teacher) else "cpu"

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
            "prompt": config.prompt.resolved("reasoning" if is_served(config.teacher) else "plain"),
            "instruction": config.instruction,
            "seed": plan.seed,
            "start": start,
            "stop": stop,
            "until_correct": policy.until_correct if round else None,
            "half_width": policy.stop_at if round else None,
            "rate_over": policy.min,
        }
        return Order(
            chunk=chunk.name,
            round=round,
            config=settings,
            inputs=(chunk.only(*reads),),
            version=teacher_revision(config.teacher),
            asked=BY_REQUEST,
        )

    @staticmethod
    def _goes_on(policy: Attempts, verdict: Receipt) -> bool:
        if not verdict.counts.get("attempts"):
            return False  # the last round found every problem closed
        only_first = policy.until_correct == 1
        return verdict.counts.get("unsolved", 0) > 0 or not only_first

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Make the attempts of one round."""
        teacher = build_teacher(config["teacher"])
        problems = list(self._open_problems(config, inputs))
        requests = list(_requests(config, problems, teacher.info.name))
        asked = ask(teacher, requests, _known(inputs), journal)
        rows = [_attempt(teacher.info, request, asked) for request in requests]
        return Result(
            {"attempts": table_of(rows, ATTEMPT_SCHEMA)},
            {
                "problems": len(problems) if config["start"] == 0 else 0,
                "attempts": len(rows),
                "truncated": sum(row.finish_reason == "length" for row in rows),
                "continued": sum(row.n_continuations > 0 for row in rows),
                **asked.spent,
            },
            {
                "rate_over": str(config["rate_over"]),
                "instruction": config["instruction"],
                "asked": BY_REQUEST,
                **_teacher_facts(teacher.info),
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
        if config["start"]:
            still = _still_open(inputs, config["until_correct"], config["half_width"])
            table = only_ids(table, still)
        for problem in records(Problem, table):
            if split.get(problem.id, problem.split) == "train":
                yield problem


def _still_open(inputs: Inputs, until_correct: int | None, half_width: float | None) -> set[str]:
    """Problems that the rounds before left open."""
    correct: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    closed: set[str] = set()
    for row in inputs.table("solved", SOLVED_SCHEMA).to_pylist():
        correct[row["problem_id"]] += row["n_correct"]
        counted[row["problem_id"]] += row["n_counted"]
        if row["closed"]:
            closed.add(row["problem_id"])
    return {
        problem
        for problem, n in correct.items()
        if not (until_correct is not None and n >= until_correct)
        and not (half_width is not None and _half_width(n, counted[problem]) <= half_width)
    } - closed


def _half_width(n_correct: int, n: int) -> float:
    _, low, high = wilson(n_correct, n)
    return 0.5 if low is None or high is None else (high - low) / 2


def _requests(
    config: Mapping[str, Any], problems: Iterable[Problem], teacher: str
) -> Iterator[Request]:
    prompter = Prompter(config["prompt"], config["instruction"])
    for problem in problems:
        messages = prompter.messages(problem)
        for index in range(config["start"], config["stop"]):
            seed = attempt_seed(config["seed"], problem.id, teacher, index)
            yield Request(problem, index, seed, messages)


def _known(inputs: Inputs) -> dict[str, Answer]:
    """Answers that this chunk got before, under whatever recipe."""
    names = {"problem_id", "index", "n_continuations", "request", "detail", *_KEPT}
    columns = [f.name for f in ATTEMPT_SCHEMA if f.name in names]
    found: dict[str, Answer] = {}
    for output in inputs.previous:
        for row in inputs.home.read(output, columns).to_pylist():
            parts, request, detail = (
                row.pop("n_continuations") + 1,
                row.pop("request"),
                row["detail"],
            )
            if row["finish_reason"] not in UNANSWERED:  # the newest comes first
                said = Completion(**row)
                found.setdefault(request, Answer(said, request, parts, over=detail == SERVER_LIMIT))
    return found


_KEPT = tuple(Completion.__dataclass_fields__)
SERVER_LIMIT = "server limit"
"""`Attempt.detail` where the server's own limit cut a response off: there is nothing to go on."""


def _attempt(teacher: TeacherInfo, request: Request, asked: Asked) -> Attempt:
    answer = asked.answers[request.problem.id, request.index]
    said = answer.said
    return Attempt(
        id=f"{request.problem.id}/{teacher.name}/{request.index}",
        problem_id=request.problem.id,
        index=request.index,
        teacher=teacher.name,
        teacher_revision=teacher.revision,
        teacher_license=teacher.license,
        text=said.text,
        finish_reason=said.finish_reason,
        seed=request.seed,
        n_prompt_tokens=said.n_prompt_tokens,
        n_reasoning_tokens=said.n_reasoning_tokens,
        n_answer_tokens=said.n_answer_tokens,
        tokenizer=said.tokenizer,
        n_completion_tokens=said.n_completion_tokens,
        n_continuations=answer.parts - 1,
        request=answer.request,
        detail=SERVER_LIMIT if answer.over else said.detail,
    )


def _teacher_facts(teacher: TeacherInfo) -> dict[str, str]:
    """For the manifest: how a teacher that is no program was asked."""
    if not teacher.asks or teacher.revision.startswith("program:"):
        return {}
    return {
        "teacher": f"{teacher.name} @ {teacher.revision}",
        "asks": canonical(teacher.asks).decode(),
    }


STAGE = Generate()
