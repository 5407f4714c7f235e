"""The solver: right when told to be, wrong in the open when told to be."""

import asyncio
import dataclasses
import re
from fractions import Fraction
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem, splits
from tracefactory.sources.families.modular_sum import ModularSumKnobs
from tracefactory.sources.families.pen import RECHECK, Pen
from tracefactory.teachers.contract import Completion, Request, Teacher
from tracefactory.teachers.solver import Solver, SolverConfig

NAMES = sorted(name for name, family in FAMILIES.items() if family.solve is not None)
CLEAN = SolverConfig(slip_rate=0, repair_rate=0, habit_rate=0)
SLIPS = SolverConfig(slip_rate=1, repair_rate=0, habit_rate=0)
REPAIRED = SolverConfig(slip_rate=1, repair_rate=1, habit_rate=0)
HABIT = SolverConfig(slip_rate=0, repair_rate=0, habit_rate=1)
TRACE = re.compile(r"<think>\n(.+)\n</think>\n\n\\boxed\{([^{}]+)\}", re.DOTALL)


def problems(name: str, split: str = "train", n: int = 400) -> list[Problem]:
    knobs = FAMILIES[name].knobs()
    return [make_problem(name, knobs, 11, split, index) for index in range(n)]


def read(text: str) -> tuple[list[str], str]:
    steps, answer = TRACE.fullmatch(text).groups()
    return steps.split("\n"), answer


def holds(line: str, statement: str) -> bool:
    """Is every equation and congruence of a line true? Our own small checker."""
    line = line.rpartition(": ")[2]
    assert re.fullmatch(r"[-+*/()=≡\d]+", line), line
    line, _, residue = line.partition("≡")
    exact = [eval(re.sub(r"\d+", r"F(\g<0>)", side), {"F": Fraction}) for side in line.split("=")]
    assert len(exact) == 2
    if residue:
        modulus = int(re.search(r" mod (\d+)", statement)[1])
        if (exact[0] - int(residue)) % modulus:
            return False
    return exact[0] == exact[1]


def test_trace_of_the_proof_family():
    sum_ = FAMILIES["modular_sum"]
    params = [7, 19, -3, 16]
    problem = dataclasses.replace(
        problems("modular_sum", n=1)[0],
        statement=sum_.statement(params),
        origin='{"family":"modular_sum","version":"1","level":"three_terms","params":[7,19,-3,16]}',
    )
    text = Solver(CLEAN).write(problem, 0)
    assert problem.statement == "Work out 19-3+16 mod 7."
    assert text == "<think>\n0+19=19≡5\n5-3=2≡2\n2+16=18≡4\n</think>\n\n\\boxed{4}"
    assert sum_.solve([7, -13], Pen()) == "1"
    pen = Pen(habit=True)
    assert sum_.solve([7, 3, -8, 1], pen) == "6"
    assert pen.lines == ["0+3=3≡3", "3-8=-5≡5", "5+1=6≡6"]


@pytest.mark.parametrize("name", NAMES)
def test_clean_trace_ends_in_the_reference_and_every_step_is_true(name: str):
    solver = Solver(CLEAN)
    for split in splits(name, FAMILIES[name].knobs()):
        for problem in problems(name, split):
            steps, answer = read(solver.write(problem, 1))
            assert answer == problem.reference
            assert all(holds(step, problem.statement) for step in steps), steps


@pytest.mark.parametrize("name", NAMES)
def test_a_slip_shows_as_one_false_line(name: str):
    solver = Solver(SLIPS)
    changed = 0
    for seed, problem in enumerate(problems(name)):
        steps, answer = read(solver.write(problem, seed))
        assert [holds(step, problem.statement) for step in steps].count(False) == 1, steps
        changed += answer != problem.reference
    assert changed > 300  # the fault is carried on, so most answers go wrong


@pytest.mark.parametrize("name", NAMES)
def test_a_repaired_slip_is_put_right_on_the_next_line(name: str):
    solver, clean = Solver(REPAIRED), Solver(CLEAN)
    for seed, problem in enumerate(problems(name)):
        steps, answer = read(solver.write(problem, seed))
        assert answer == problem.reference
        (wrong,) = [at for at, step in enumerate(steps) if not holds(step, problem.statement)]
        assert [at for at, step in enumerate(steps) if step.startswith(RECHECK)] == [wrong + 1]
        right = read(clean.write(problem, seed))[0]
        assert steps[:wrong] + steps[wrong + 2 :] == right[:wrong] + right[wrong + 1 :]
        assert right[wrong].endswith(steps[wrong + 1].removeprefix(RECHECK))


@pytest.mark.parametrize("name", NAMES)
def test_the_habit_shows_and_changes_many_answers(name: str):
    solver = Solver(HABIT)
    changed = 0
    for problem in problems(name):
        steps, answer = read(solver.write(problem, 1))
        if answer != problem.reference:
            changed += 1
            assert not all(holds(step, problem.statement) for step in steps), steps
    assert changed > 160


@pytest.mark.parametrize("name", NAMES)
def test_rates_are_shares_of_the_traces(name: str):
    clean, habit = Solver(CLEAN), Solver(HABIT)
    solver = Solver(SolverConfig(slip_rate=0.4, repair_rate=0.5, habit_rate=0))
    texts = [(p, solver.write(p, seed)) for seed, p in enumerate(problems(name, n=1_000))]
    slips = [text for seed, (p, text) in enumerate(texts) if text != clean.write(p, seed)]
    assert 350 < len(slips) < 450
    assert 0.4 < sum(RECHECK in text for text in slips) / len(slips) < 0.6
    sometimes = Solver(SolverConfig(slip_rate=0, repair_rate=0, habit_rate=0.5))
    shows = [p for p, _ in texts if habit.write(p, 0) != clean.write(p, 0)]
    written = [sometimes.write(p, seed) != clean.write(p, 0) for seed, p in enumerate(shows)]
    assert 0.4 < sum(written) / len(written) < 0.6


@given(st.sampled_from(NAMES), st.integers(0, 9_999), st.integers(0, 2**63 - 1))
@settings(max_examples=80, deadline=None)
def test_text_is_a_function_of_config_problem_and_seed(name: str, index: int, seed: int):
    problem = make_problem(name, FAMILIES[name].knobs(), 0, "train", index)
    config = SolverConfig(slip_rate=0.5, repair_rate=0.5, habit_rate=0.5)
    text = Solver(config).write(problem, seed)
    assert text == Solver(config).write(problem, seed)
    assert TRACE.fullmatch(text)


def test_completes_all_requests_as_a_teacher():
    async def run(teacher: Teacher, requests: list[Request]) -> list[Completion]:
        return [completion async for completion in teacher.complete(requests)]

    chosen = problems("gcd", n=5)
    requests = [
        Request(p, index, 100 + index, [{"role": "user", "content": p.statement}])
        for index, p in enumerate(chosen)
    ]
    solver = Solver(SolverConfig())
    done = asyncio.run(run(solver, requests))
    assert [(c.problem_id, c.index) for c in done] == [(p.id, i) for i, p in enumerate(chosen)]
    assert [c.text for c in done] == [solver.write(r.problem, r.seed) for r in requests]
    assert {c.finish_reason for c in done} == {"stop"}
    assert solver.info.name == "solver"
    assert solver.info.revision == "program:tracefactory.teachers.solver@1"
    assert not solver.info.paid


@pytest.mark.parametrize(
    "origin",
    ["{}", "", "[]", "null", '{"family":"sums","version":"1","params":[]}', '{"family":"gcd"}'],
)
def test_a_foreign_problem_is_refused_in_words(origin: str):
    foreign = dataclasses.replace(problems("gcd", n=1)[0], id="gsm8k-1", origin=origin)
    with pytest.raises(RecipeError, match=r"gsm8k-1.*only problems made by.*modular_sum.*another"):
        Solver(SolverConfig()).write(foreign, 0)


def test_a_problem_that_asks_for_a_program_is_refused():
    problem = problems("small_programs", n=1)[0]
    with pytest.raises(RecipeError, match=r"asks for programs; give it to the teacher programmer"):
        Solver(SolverConfig()).write(problem, 0)


def test_a_problem_of_another_version_is_refused():
    problem = problems("gcd", n=1)[0]
    old = dataclasses.replace(problem, origin=problem.origin.replace('"1"', '"0"', 1))
    with pytest.raises(RecipeError, match=r"version 0 of family gcd.*solves version 1"):
        Solver(SolverConfig()).write(old, 0)


@pytest.mark.parametrize(
    "wrong", [{"slip_rate": 1.1}, {"habit_rate": -0.1}, {"kind": "model"}, {"sliprate": 0.1}]
)
def test_config_is_strict(wrong: dict[str, object]):
    with pytest.raises(ValidationError):
        SolverConfig.model_validate(wrong)


FINGERPRINTS = {
    "addition": "0d5f9eac2bac1795",
    "base_conversion": "2f03c5de89cb024f",
    "gcd": "718aa91476aeaf59",
    "linear_equation": "3a1e5da3dabc7a44",
    "modular_arithmetic": "f9297742076c0c0b",
    "modular_sum": "b8582378e8fe230c",
    "polynomial": "204af0d2953c7a3b",
    "program_output": "2d77dc6ebbc45324",
}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_has_changed_without_a_new_version(name: str):
    """If this fails on purpose: raise VERSION of the family or the solver, and renew the figure."""
    solver = Solver(SolverConfig(slip_rate=0.3, repair_rate=0.5, habit_rate=0.3))
    digest = sha256()
    for split in splits(name, FAMILIES[name].knobs()):
        for seed, problem in enumerate(problems(name, split, n=50)):
            made = (problem.id, problem.statement, problem.reference, problem.origin)
            digest.update("\n".join((*made, solver.write(problem, seed), "")).encode())
    assert digest.hexdigest()[:16] == FINGERPRINTS[name]


def test_fewer_lines_than_a_screen():
    solver = Solver(CLEAN)
    for name in NAMES:
        for problem in problems(name, n=200):
            assert len(read(solver.write(problem, 0))[0]) <= 24


def test_small_moduli_can_slip_too():
    knobs = ModularSumKnobs(moduli=(2, 3))
    for index in range(300):
        problem = make_problem("modular_sum", knobs, 0, "train", index)
        steps, _ = read(Solver(SLIPS).write(problem, index))
        assert [holds(step, problem.statement) for step in steps].count(False) == 1
