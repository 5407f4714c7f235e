"""Does the reasoning decide the answer? Tamper with some correct traces and have them gone on with.

    alter     one step gets another value, and the teacher goes on behind it. An answer that stays
              was not decided by that step.
    truncate  the teacher is told that it thought nothing, and answers. An answer that stays needed
              no reasoning.

Of the traces that are correct, have no false step and were dropped by nobody, a share is taken by
a hash of their ids. Only whoever wrote a trace can be asked, so the others' are left alone; and
problems that are held out are shown to no teacher, here neither. Attempts and verdicts pass
through untouched, and probes are no attempts: they enter no pass rate and no `sft`.

Not here: how a step is altered (probing/alter.py), what a rate means (docs/probe.md).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from tracefactory.errors import RecipeError
from tracefactory.probing.alter import alter
from tracefactory.probing.outcome import outcome_of
from tracefactory.probing.truncate import truncated
from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA, Attempt
from tracefactory.schemas.probe import OUTCOMES, PROBE_SCHEMA, Kind, Probe
from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import only_ids, records, table_of
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import DECISION_SCHEMA, Inputs, Order, Plan, Result
from tracefactory.stages.contract import Kind as StageKind
from tracefactory.stages.generate import attempt_seed
from tracefactory.stages.split import split_of
from tracefactory.store.home import Journal, digest
from tracefactory.task import Chunk, Needs
from tracefactory.teachers import (
    TeacherSettings,
    build_teacher,
    is_served,
    may_continue,
    teacher_revision,
)
from tracefactory.teachers.asking import Answer, Asked, ask, request_digest
from tracefactory.teachers.contract import Completion, Request, TeacherInfo
from tracefactory.teachers.prompting import Prompt, Prompter
from tracefactory.verifiers.contract import versioned
from tracefactory.verifiers.steps import count

_READS = ("problems", "splits", "attempts", "verdicts", "decisions")
_CALLS = ("tracefactory.verifiers.steps:measure", "tracefactory.verifiers.extract:final_answer")


class ProbeConfig(StageConfig):
    """Tamper with some correct traces, and see whether the answer moves."""

    kind: Kind = "alter"
    """`alter`: one step gets another value. `truncate`: the reasoning is left out."""
    teacher: TeacherSettings
    """Who wrote the traces and is asked to go on; it must honour a prefix."""
    prompt: Prompt = Prompt()
    """The words in which the traces were asked for: what the generate stage says."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of the correct traces, by a hash of their ids."""
    max: Annotated[int, Field(ge=1)] = 20
    """Traces of one chunk at most: those of the smallest hashes."""

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if not may_continue(self.teacher):
            raise ValueError(_CANNOT.format(self.teacher.kind))
        return self


_CANNOT = (
    "teacher {!r} does not go on from a prefix (TeacherInfo.continues), and a probe asks for that; "
    "name one that does, such as solver"
)


class ProbeStage:
    """The stage."""

    kind: ClassVar[StageKind] = "chunk"
    Config: ClassVar[type[StageConfig]] = ProbeConfig
    version = "1"
    journals = True
    """Paid completions are journalled; the driver removes the journal after the receipt."""
    roles = ("probes",)

    def needs(self, config: ProbeConfig) -> Needs:
        """What generate needs with this teacher."""
        return "engine" if is_served(config.teacher) else "cpu"

    def order(self, config: ProbeConfig, plan: Plan, chunk: Chunk) -> Order | None:
        """Every chunk that has verdicts."""
        if not chunk.rows("verdicts") or not chunk.rows("attempts"):
            return None
        settings = {
            "stage": plan.name,
            "kind": config.kind,
            "teacher": config.teacher.model_dump(mode="json"),
            "prompt": config.prompt.resolved("reasoning" if is_served(config.teacher) else "plain"),
            "share": config.share,
            "max": config.max,
            "seed": plan.seed,
        }
        read = chunk.only(*_READS, facts=("instruction",))
        revisions = [teacher_revision(config.teacher), *map(versioned, _CALLS)]
        return Order(
            chunk.name, settings, (read,), version=",".join(revisions), asked=_asked(read, settings)
        )

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Tamper with the traces that are drawn, and judge what comes of it."""
        teacher = build_teacher(config["teacher"])
        if not teacher.info.continues:
            raise RecipeError(f"stages.{config['stage']}: {_CANNOT.format(teacher.info.name)}")
        traces = list(_drawn(config, inputs, teacher.info.name))
        prompter = Prompter(config["prompt"], inputs.chunk.facts.get("instruction", ""))
        cases = [case for trace in traces if (case := _case(config, prompter, trace, teacher.info))]
        requests = [case.request for case in cases]
        asked = ask(teacher, requests, _known(inputs, cases, teacher.info), journal)
        rows = [_row(case, teacher.info, asked) for case in cases]
        counts = Counter({"probed": len(rows), "not_probed": len(traces) - len(rows)})
        counts.update(row.outcome for row in rows)
        return Result(
            {"probes": table_of(rows, PROBE_SCHEMA)},
            {name: counts[name] for name in ("probed", "not_probed", *OUTCOMES)} | asked.spent,
            {"asked": _asked(inputs.chunk, config)},
        )


# --- Which traces --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Trace:
    problem: Problem
    attempt: Attempt
    verifier: str
    """Address of the checker that judged it."""
    answer: str | None


def _drawn(config: Mapping[str, Any], inputs: Inputs, teacher: str) -> Iterator[_Trace]:
    """The traces of this teacher that the hash of their ids draws, the smallest hash first."""
    wanted: list[tuple[int, dict[str, Any]]] = []
    for row in _correct(inputs):
        place = _place(config["seed"], row["attempt_id"])
        if row["teacher"] == teacher and place < config["share"] * 2**64:
            wanted.append((place, row))
    wanted.sort(key=lambda pair: pair[0])
    verdicts = {row["attempt_id"]: row for _, row in wanted}
    attempts = only_ids(inputs.table("attempts", ATTEMPT_SCHEMA), verdicts.keys())
    by_id = {attempt.id: attempt for attempt in records(Attempt, attempts)}
    asked = {row["problem_id"] for row in verdicts.values()}
    table = only_ids(inputs.table("problems", PROBLEM_SCHEMA), asked)
    problems = {problem.id: problem for problem in records(Problem, table)}
    split, left = split_of(inputs), config["max"]
    for attempt_id, row in verdicts.items():
        problem, attempt = problems[row["problem_id"]], by_id[attempt_id]
        if (
            left
            and split.get(problem.id, problem.split) == "train"
            and _sound(row, problem, attempt)
        ):
            left -= 1
            yield _Trace(problem, attempt, row["verifier"].partition("@")[0], row["final_answer"])


def _correct(inputs: Inputs) -> Iterator[dict[str, Any]]:
    """Verdicts that are `correct`, of attempts that no stage before dropped."""
    columns = [
        "attempt_id", "problem_id", "teacher", "status", "verifier", "final_answer",
        "n_false_steps",
    ]  # fmt: skip
    table = inputs.table("decisions", DECISION_SCHEMA, columns=["attempt_id"])
    dropped = set(table.column(0).to_pylist())
    for row in inputs.table("verdicts", VERDICT_SCHEMA, columns=columns).to_pylist():
        if row["status"] == "correct" and row["attempt_id"] not in dropped:
            yield row


def _sound(row: Mapping[str, Any], problem: Problem, attempt: Attempt) -> bool:
    """Has it no false step? Where the verify stage did not look, we do."""
    n_false: int | None = row["n_false_steps"]
    if n_false is None:
        n_false = count(problem.statement, attempt.text).n_false
    return n_false == 0


def _place(seed: int, attempt_id: str) -> int:
    """Place of a trace in the draw, of 2^64."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{attempt_id}:probe".encode()).digest()[:8], "big")


# --- What is asked -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Case:
    trace: _Trace
    kind: Kind
    request: Request
    step: int | None = None
    before: str | None = None
    after: str | None = None


def _case(
    config: Mapping[str, Any], prompter: Prompter, trace: _Trace, teacher: TeacherInfo
) -> _Case | None:
    """The trace, tampered with; None where that cannot be done."""
    problem, attempt, seed = trace.problem, trace.attempt, config["seed"]
    asked = Request(
        problem,
        attempt.index,
        attempt_seed(seed, problem.id, f"{teacher.name}/probe/{config['kind']}", attempt.index),
        prompter.messages(problem),
    )
    if config["kind"] == "truncate":
        prefix = truncated(attempt.text)
        told = None if prefix is None else replace(asked, prefix=prefix)
        return None if told is None else _Case(trace, "truncate", told)
    altered = alter(problem.statement, attempt.text, Random(f"{seed}:{attempt.id}:alter"))
    if altered is None:
        return None
    told = replace(asked, prefix=altered.prefix)
    return _Case(trace, "alter", told, altered.line, altered.before, altered.after)


def _asked(chunk: Chunk, config: Mapping[str, Any]) -> str:
    """All that an answer depends on but its prefix, by which it is found again (see _known)."""
    files = [o.sha256 for role in ("problems", "splits") for o in chunk.files.get(role, ())]
    instruction = chunk.facts.get("instruction", "")
    return digest(
        [files, config["teacher"], config["prompt"], config["kind"], instruction, config["seed"]]
    )


def _known(inputs: Inputs, cases: list[_Case], teacher: TeacherInfo) -> dict[str, Answer]:
    """Answers from before a checker, a filter or the share changed: those to the same prefix."""
    columns = ["attempt_id", "prefix", "continuation"]
    before = {
        (row["attempt_id"], row["prefix"]): row["continuation"]
        for output in reversed(inputs.previous)  # of several, the newest
        for row in inputs.home.read(output, columns).to_pylist()
    }
    found: dict[str, Answer] = {}
    for case in cases:
        said = before.get((case.trace.attempt.id, case.request.prefix))
        if said is not None:
            completion = Completion(case.trace.problem.id, case.request.index, said)
            request = request_digest(teacher, case.request)
            found[request] = Answer(completion, request)
    return found


# --- What came of it -----------------------------------------------------------------------------


def _row(case: _Case, teacher: TeacherInfo, asked: Asked) -> Probe:
    trace, request = case.trace, case.request
    problem, attempt = trace.problem, trace.attempt
    said = asked.answers[problem.id, request.index].said.text
    told = replace(attempt, text=request.prefix + said)
    outcome, final_answer = outcome_of(problem, told, trace.verifier, trace.answer)
    return Probe(
        id=f"{attempt.id}/probe/{case.kind}",
        attempt_id=attempt.id,
        problem_id=problem.id,
        domain=problem.domain,
        task_type=problem.task_type,
        source=problem.source,
        license=problem.license,
        teacher=teacher.name,
        teacher_revision=teacher.revision,
        teacher_license=teacher.license,
        kind=case.kind,
        step=case.step,
        before=case.before,
        after=case.after,
        prefix=request.prefix,
        continuation=said,
        trace_answer=trace.answer,
        final_answer=final_answer,
        outcome=outcome,
        seed=request.seed,
    )


STAGE = ProbeStage()
