"""The solver goes on from what it has said: from its values, or, as the control, from nothing."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.errors import RecipeError
from tracefactory.probing.alter import alter
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem
from tracefactory.sources.families.pen import RECHECK
from tracefactory.teachers import may_continue
from tracefactory.teachers.contract import Request
from tracefactory.teachers.programmer import Programmer, ProgrammerConfig
from tracefactory.teachers.solver import UNTOLD, Solver, SolverConfig

NAMES = sorted(name for name, family in FAMILIES.items() if family.solve is not None)
CLEAN = {"slip_rate": 0.0, "repair_rate": 0.0, "habit_rate": 0.0}
SOLVER = Solver(SolverConfig(**CLEAN))
DECORATIVE = Solver(SolverConfig(**CLEAN, decorative=True))
EMPTY = "<think>\n\n</think>\n\n"
ANY_PROBLEM = given(st.sampled_from(NAMES), st.integers(0, 9_999), st.integers(0, 2**32))


def problem_of(name, index=0):
    return make_problem(name, FAMILIES[name].knobs(), 11, "train", index)


@ANY_PROBLEM
@settings(max_examples=100, deadline=None)
def test_from_any_beginning_of_a_clean_trace_comes_its_rest(name, index, seed):
    problem = problem_of(name, index)
    text = SOLVER.write(problem, 1)
    lines = text.partition("\n</think>")[0].split("\n")
    prefix = "".join(f"{line}\n" for line in lines[: Random(seed).randrange(1, len(lines) + 1)])
    for solver in (SOLVER, DECORATIVE):
        assert prefix + solver.go_on(problem, prefix) == text


@ANY_PROBLEM
@settings(max_examples=100, deadline=None)
def test_a_repaired_slip_is_said_again(name, index, seed):
    problem = problem_of(name, index)
    text = Solver(SolverConfig(slip_rate=1, repair_rate=1, habit_rate=0)).write(problem, seed)
    thought = text.partition("</think>")[0]
    until = thought.index("\n", thought.index(RECHECK)) + 1
    for prefix in (text[:until], thought):
        for solver in (SOLVER, DECORATIVE):
            assert prefix + solver.go_on(problem, prefix) == text


def test_the_altered_value_is_what_is_gone_on_from():
    problem = problem_of("modular_sum")
    origin = '{"family":"modular_sum","version":"1","level":"three_terms","params":[7,19,-3,16]}'
    object.__setattr__(problem, "origin", origin)
    altered = "<think>\n0+19=19≡6\n"
    assert SOLVER.go_on(problem, altered) == "6-3=3≡3\n3+16=19≡5\n</think>\n\n\\boxed{5}"
    assert DECORATIVE.go_on(problem, altered) == "5-3=2≡2\n2+16=18≡4\n</think>\n\n\\boxed{4}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "base_conversion"])
def test_probing_tells_the_two_apart(name):
    moved = {SOLVER: 0, DECORATIVE: 0}
    for index in range(100):
        problem = problem_of(name, index)
        altered = alter(problem.statement, SOLVER.write(problem, 1), Random(index))
        for solver in moved:
            answer = f"\\boxed{{{problem.reference}}}"
            moved[solver] += not solver.go_on(problem, altered.prefix).endswith(answer)
    assert moved[SOLVER] >= 75  # a branch taken all the same, the same divisor all the same
    assert moved[DECORATIVE] == 0


@pytest.mark.parametrize("name", NAMES)
def test_without_its_steps_the_solver_knows_nothing(name):
    problem = problem_of(name)
    assert SOLVER.go_on(problem, EMPTY) == UNTOLD
    assert DECORATIVE.go_on(problem, EMPTY) == f"\\boxed{{{problem.reference}}}"
    whole, _, answer = SOLVER.write(problem, 1).rpartition("\n\n")
    assert SOLVER.go_on(problem, f"{whole}\n\n") == answer


def test_the_decorative_one_is_right_over_its_slips():
    wrong = Solver(SolverConfig(slip_rate=1, repair_rate=0, habit_rate=0, decorative=True))
    for index in range(50):
        problem = problem_of("addition", index)
        assert wrong.write(problem, index).endswith(f"\\boxed{{{problem.reference}}}")


@pytest.mark.parametrize(
    "prefix",
    [
        "<think>\nLet me see.\n",
        "<think>\n0+19=19",
        "So the answer is",
        "<think>\n3950=1*2800+1150 or so\n",
    ],
)
def test_another_s_lines_are_refused_in_words(prefix):
    with pytest.raises(RecipeError, match=r"from its own lines only.*the teacher that wrote them"):
        SOLVER.go_on(problem_of("gcd", 3), prefix)


def test_lines_behind_the_last_step_are_refused_too():
    problem = problem_of("gcd", 3)
    thought = SOLVER.write(problem, 1).partition("</think>")[0]
    with pytest.raises(RecipeError, match="comes after the last step"):
        SOLVER.go_on(problem, f"{thought}1=1*1+0\n")


def test_a_request_with_a_prefix_is_answered_with_what_comes_next():
    problem = problem_of("gcd", 3)
    text = SOLVER.write(problem, 1)
    prefix = text[: text.index("\n", 10) + 1]

    async def run():
        request = Request(problem, 0, 1, [{"role": "user", "content": problem.statement}], prefix)
        return [completion async for completion in SOLVER.complete([request])]

    assert prefix + asyncio.run(run())[0].text == text


def test_who_goes_on_says_so():
    assert SOLVER.info.continues
    assert not Programmer(ProgrammerConfig()).info.continues
    assert may_continue(SolverConfig())
    assert not may_continue(ProgrammerConfig())
