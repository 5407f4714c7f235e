"""Small programs: right ones pass their tests, and wrong ones fail."""

import json
import re
import subprocess
import sys

import pytest

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families.base import item
from tracefactory.sources.families.gcd import GcdKnobs
from tracefactory.sources.families.make import make_problem, specimen, splits
from tracefactory.sources.families.small_programs import (
    FAMILY,
    TASKS,
    SmallProgramsKnobs,
    examples,
    task_of,
)
from tracefactory.sources.tables import self_check
from tracefactory.verifiers.programs.extraction import last_program
from tracefactory.verifiers.python_program import verify

KNOBS = SmallProgramsKnobs()
SMALLEST = SmallProgramsKnobs(max_factor=3, max_constant=1)
LARGEST = SmallProgramsKnobs(max_factor=30, max_constant=400)

RUNNER = """
import contextlib, io, json, sys
for line in sys.stdin:
    job = json.loads(line)
    given = []
    for args in job["inputs"]:
        printed, sys.stdin = io.StringIO(), io.StringIO(args[0] if not job["name"] else "")
        scope = {}
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(job["program"], "program", "exec"), scope)
                value = scope[job["name"]](*args) if job["name"] else None
            given.append(value if job["name"] else printed.getvalue())
        except Exception as error:
            given.append({"raised": type(error).__name__})
    print(json.dumps(given))
"""


def drawn(split: str, knobs: SmallProgramsKnobs = KNOBS, n: int = 400) -> list[list[int]]:
    return [item(FAMILY, knobs, 3, split, at)[1] for at in range(n)]


def run_all(jobs: list[tuple[list[int], str]]) -> list[list[object]]:
    """What programs give for the tests' inputs: trusted text, in a plain process of its own."""
    lines = []
    for params, program in jobs:
        task, own = task_of(params)
        inputs = [example.args for example in examples(task, own)]
        lines.append(json.dumps({"program": program, "name": task.entry_point, "inputs": inputs}))
    command = [sys.executable, "-I", "-c", RUNNER]
    given = "\n".join(lines)
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def sample_of_all() -> list[list[int]]:
    some = [params for split in splits(FAMILY.name, KNOBS) for params in drawn(split)]
    small = [params for split in ("train", "test") for params in drawn(split, SMALLEST, 300)]
    return [*some, *small, *(params for params in drawn("train", LARGEST, 300))]


def test_at_least_eight_kinds_in_train_and_two_held_out():
    train = {task_of(params)[0].name for params in drawn("train")}
    held_out = {task_of(p)[0].name for s in ("ood_grids", "ood_spans") for p in drawn(s, n=20)}
    assert len(train) == 10
    assert held_out == {"turn_grid", "join_spans"}
    assert not train & held_out
    assert len({task.name for task in TASKS}) == len(TASKS) == 12


def test_right_programs_give_what_the_tests_expect():
    """Two ways to each answer: the program, and code of ours in another shape."""
    chosen = sample_of_all()
    programs = [(params, task_of(params)[0].program(task_of(params)[1])) for params in chosen]
    for (params, program), given in zip(programs, run_all(programs), strict=True):
        task, own = task_of(params)
        expected = [example.answer for example in examples(task, own)]
        assert given == expected, (task.name, own, program)


def test_a_program_that_is_off_by_one_always_fails_a_test():
    chosen = sample_of_all()
    jobs = [(p, task_of(p)[0].program(task_of(p)[1], off_by_one=True)) for p in chosen]
    for (params, program), given in zip(jobs, run_all(jobs), strict=True):
        task, own = task_of(params)
        assert given != [e.answer for e in examples(task, own)], (task.name, own, program)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_kind_has_its_statement_its_tests_and_its_settings(task):
    params = next(p for s in splits(FAMILY.name, KNOBS) for p in drawn(s) if task_of(p)[0] is task)
    problem = problem_of(params)
    tests = json.loads(problem.reference)
    assert len(tests) >= 5
    options = json.loads(problem.verifier_options)
    assert all(isinstance(value, str) for value in options.values())
    if task.entry_point:
        assert options == {"kind": "function", "entry_point": task.entry_point, "timeout_s": "2"}
        assert problem.statement.endswith(f"```python\n{task.starter}\n    ...\n```")
        called = f"`{task.entry_point}({', '.join(map(repr, tests[0]['args']))})` returns"
        assert f"For example, {called} `{tests[0]['expected']!r}`." in problem.statement
    else:
        assert options == {"kind": "stdin_stdout", "timeout_s": "2"}
        shown = re.findall(r"```text\n(.*?)\n```", problem.statement, re.DOTALL)
        assert [s.strip() for s in shown] == [tests[0][k].strip() for k in ("input", "output")]


def problem_of(params: list[int]) -> Problem:
    for split in splits(FAMILY.name, KNOBS):
        for at in range(400):
            if item(FAMILY, KNOBS, 3, split, at)[1] == params:
                return make_problem(FAMILY.name, KNOBS, 3, split, at)
    raise AssertionError(params)


def test_numbers_fit_any_reader_of_json():
    for params in drawn("train", LARGEST, 2_000):
        task, own = task_of(params)
        text = json.dumps([example.test() for example in examples(task, own)])
        assert all(abs(int(number)) < 2**53 for number in re.findall(r"-?\d+", text)), task.name


def test_the_checker_accepts_the_right_program_and_no_other_answer():
    for split in ("train", "ood_grids", "ood_spans"):
        for at in range(10 if split == "train" else 1):
            problem = make_problem(FAMILY.name, KNOBS, 7, split, at)
            right = specimen(problem)
            assert right is not None
            assert self_check(problem, verify, right) is None
            assert self_check(problem, verify) == "bad_reference:no_block"
            params = json.loads(problem.origin)["params"]
            task, own = task_of(params)
            wrong = f"```python\n{task.program(own, off_by_one=True)}```"
            attempt = Attempt("a", problem.id, 0, "t", "", "", wrong, "stop", None)
            verdict = verify(problem, attempt)
            assert verdict.status == "incorrect", (verdict, wrong)
            assert verdict.reason in ("wrong_answer", "runtime_error")


def test_a_specimen_is_given_for_problems_of_the_family_only():
    assert specimen(make_problem("gcd", GcdKnobs(), 0, "train", 0)) is None
    problem = make_problem(FAMILY.name, KNOBS, 0, "train", 0)
    assert last_program(str(specimen(problem))).program is not None
