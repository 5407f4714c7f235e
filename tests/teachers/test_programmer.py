"""The programmer: right when told to be, wrong in the open when told to be."""

import ast
import asyncio
import dataclasses
import re
from collections import Counter
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tracefactory.errors import RecipeError
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families.make import make_problem, specimen, splits
from tracefactory.sources.families.small_programs import SmallProgramsKnobs
from tracefactory.teachers import build_teacher, teacher_revision
from tracefactory.teachers.contract import Completion, Request, Teacher
from tracefactory.teachers.programmer import Programmer, ProgrammerConfig, slipped
from tracefactory.verifiers.program_steps import count
from tracefactory.verifiers.programs.extraction import last_program
from tracefactory.verifiers.python_program import verify

KNOBS = SmallProgramsKnobs()


def config(**rates: float) -> ProgrammerConfig:
    """All rates zero but those given."""
    zero = dict.fromkeys((n for n in ProgrammerConfig.model_fields if n != "kind"), 0.0)
    return ProgrammerConfig.model_validate(zero | rates)


def problems(n: int = 40, split: str = "train") -> list[Problem]:
    return [make_problem("small_programs", KNOBS, 11, split, index) for index in range(n)]


def judged(problem: Problem, text: str):
    return verify(problem, Attempt("a", problem.id, 0, "programmer", "", "", text, "stop", None))


def test_without_faults_every_trace_ends_in_the_right_program():
    teacher = Programmer(config())
    for split in splits("small_programs", KNOBS):
        for seed, problem in enumerate(problems(30, split)):
            text = teacher.write(problem, seed)
            assert last_program(text).program == last_program(str(specimen(problem))).program
            assert text.startswith("<think>\n")
            assert text.endswith("```")
            assert text.count("```python") == 1


def test_each_sort_of_fault_is_caught_for_what_it_is():
    teacher = Programmer(config(fault_rate=1))
    reasons = Counter()
    for seed, problem in enumerate(problems(60)):
        verdict = judged(problem, teacher.write(problem, seed))
        assert verdict.status == "incorrect", (verdict, teacher.write(problem, seed))
        reasons[verdict.reason] += 1
    assert set(reasons) == {
        "wrong_answer", "runtime_error", "syntax_error", "no_entry_point"
    }  # fmt: skip


def test_no_cheat_passes():
    teacher = Programmer(config(cheat_rate=1))
    reasons = Counter()
    for seed, problem in enumerate(problems(40)):
        verdict = judged(problem, teacher.write(problem, seed))
        assert verdict.status == "incorrect", (verdict, teacher.write(problem, seed))
        reasons[verdict.reason] += 1
    assert reasons["not_plain_data"] > 2  # the object that is equal to everything
    assert reasons["runtime_error"] + reasons["wrong_answer"] > 10  # those that left


def test_an_endless_program_meets_the_clock():
    teacher = Programmer(config(endless_rate=1))
    problem = problems(1)[0]
    verdict = judged(problem, teacher.write(problem, 0))
    assert (verdict.status, verdict.limited_by) == ("incorrect", "clock")
    assert all("while waiting:" in teacher.write(p, 0) for p in problems())


def test_a_repaired_fault_counts_for_nothing():
    teacher = Programmer(config(fault_rate=1, repair_rate=1))
    for seed, problem in enumerate(problems(20)):
        text = teacher.write(problem, seed)
        assert text.count("```python") == 2
        assert judged(problem, text).status == "correct", text


def test_what_a_trial_claims_is_so_unless_it_slips():
    clean, slips = Programmer(config(trial_rate=1)), Programmer(config(trial_rate=1, slip_rate=1))
    for seed, problem in enumerate(problems(20)):
        steps = count(clean.write(problem, seed))
        assert (steps.n_true, steps.n_false) == (1, 0), clean.write(problem, seed)
        steps = count(slips.write(problem, seed))
        assert (steps.n_true, steps.n_false) == (0, 1), slips.write(problem, seed)
        assert judged(problem, slips.write(problem, seed)).status == "correct"


def test_rates_are_shares_of_the_traces():
    chosen = problems(1_000)
    clean = Programmer(config())
    rates = {"fault_rate": 0.3, "cheat_rate": 0.1, "endless_rate": 0.05}
    teacher = Programmer(config(**rates))
    programs = [last_program(teacher.write(p, seed)).program for seed, p in enumerate(chosen)]
    right = [last_program(clean.write(p, 0)).program for p in chosen]
    wrong = sum(a != b for a, b in zip(programs, right, strict=True))
    assert 400 < wrong < 500
    assert 30 < sum("while waiting:" in program for program in programs) < 75
    tries = Programmer(config(trial_rate=0.6))
    assert 550 < sum(t.write(p, at).count("```") > 2 for t, at, p in
                     ((tries, at, p) for at, p in enumerate(chosen))) < 650  # fmt: skip


def test_one_rate_moves_no_other_decision():
    one, two = Programmer(config(trial_rate=0.5)), Programmer(config(trial_rate=0.5, slip_rate=1))
    for seed, problem in enumerate(problems(100)):
        first, second = one.write(problem, seed), two.write(problem, seed)
        assert ("```\n>>>" in first) == ("```\n>>>" in second)
        assert first.split("</think>")[1] == second.split("</think>")[1]


def test_right_programs_are_python_and_broken_ones_are_not():
    teacher = Programmer(config(fault_rate=1))
    broken = 0
    for seed, problem in enumerate(problems(300)):
        program = last_program(teacher.write(problem, seed)).program
        try:
            ast.parse(program)
        except SyntaxError:
            broken += 1
    assert 35 < broken < 95  # one sort of five, of four for scripts


@pytest.mark.parametrize(
    "value", [0, -3, "", "text", "a 19 b", [], [1, [2, "x"]], {}, {"a": 1, "b": 2}, True]
)
def test_a_slip_is_another_value_of_the_same_type(value: object):
    for seed in range(50):
        other = slipped(value, Random(seed))
        assert type(other) is type(value)
        assert other != value


@given(st.integers(0, 9_999), st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_text_is_a_function_of_config_problem_and_seed(index: int, seed: int):
    problem = make_problem("small_programs", KNOBS, 0, "train", index)
    rates = config(fault_rate=0.5, cheat_rate=0.2, trial_rate=0.5, slip_rate=0.5, repair_rate=0.5)
    text = Programmer(rates).write(problem, seed)
    assert text == Programmer(rates).write(problem, seed)
    assert re.fullmatch(r"<think>\n.+\n</think>\n\n.+\n```", text, re.DOTALL)
    assert last_program(text).program is not None


def test_completes_all_requests_as_a_teacher():
    async def run(teacher: Teacher, requests: list[Request]) -> list[Completion]:
        return [completion async for completion in teacher.complete(requests)]

    requests = [
        Request(p, at, 100 + at, [{"role": "user", "content": p.statement}])
        for at, p in enumerate(problems(5))
    ]
    settings_ = ProgrammerConfig()
    teacher = build_teacher(settings_.model_dump(mode="json"))
    done = asyncio.run(run(teacher, requests))
    assert [c.text for c in done] == [
        Programmer(settings_).write(r.problem, r.seed) for r in requests
    ]
    assert teacher.info.revision == teacher_revision(settings_)
    assert teacher.info.revision == "program:tracefactory.teachers.programmer@1"
    assert not teacher.info.paid


@pytest.mark.parametrize("origin", ["{}", "", "[]", "null", '{"family":"gcd","version":"1"}'])
def test_a_foreign_problem_is_refused_in_words(origin: str):
    foreign = dataclasses.replace(problems(1)[0], id="he-1", origin=origin)
    with pytest.raises(RecipeError, match=r"he-1.*only problems of the family small_programs"):
        Programmer(config()).write(foreign, 0)


def test_a_problem_of_another_version_is_refused():
    problem = problems(1)[0]
    old = dataclasses.replace(
        problem, origin=re.sub('"version":"1"', '"version":"0"', problem.origin)
    )
    with pytest.raises(RecipeError, match=r"version 0 of family small_programs.*solves version 1"):
        Programmer(config()).write(old, 0)


@pytest.mark.parametrize("wrong", [{"fault_rate": 1.1}, {"kind": "solver"}, {"faultrate": 0.1}])
def test_config_is_strict(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        ProgrammerConfig.model_validate(wrong)


FINGERPRINT = "3c12438a08f1da75"


def test_nothing_has_changed_without_a_new_version():
    """If this fails on purpose: raise a VERSION, the family's or the teacher's, and renew it."""
    teacher = Programmer(ProgrammerConfig(endless_rate=0.05))
    digest = sha256()
    for split in splits("small_programs", KNOBS):
        for seed, problem in enumerate(problems(100, split)):
            made = (problem.id, problem.statement, problem.reference, problem.origin)
            digest.update("\n".join((*made, teacher.write(problem, seed), "")).encode())
    assert digest.hexdigest()[:16] == FINGERPRINT
