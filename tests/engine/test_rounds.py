"""Adaptive sampling: who gets further attempts, and what the pass rate counts."""

from collections import defaultdict

import pytest
from engine_harness import SMALL, attempts, command, rows, run, written
from engine_parts import Teacher

MIN, MAX = 2, 6


def by_problem(folder, teacher=None):
    found = defaultdict(list)
    for row in attempts(folder):
        if teacher in (None, row["teacher"]):
            found[row["problem_id"]].append(row)
    return found


def wanted(solved: list[bool], least: int, most: int, until: int) -> int:
    """How many attempts a problem should have had, given which of them were correct."""
    n = least
    while n < most and sum(solved[:n]) < until:
        n = min(2 * n, most)
    return n


def check_rounds(found, least, most, until):
    for problem, tries in found.items():
        solved = [row["status"] == "correct" for row in tries]
        assert [row["attempt_index"] for row in tries] == list(range(len(tries))), problem
        assert len(tries) <= most
        assert len(tries) == wanted(solved, least, most, until), problem
        assert {row["n_attempts"] for row in tries} == {len(tries)}


def test_exactly_the_unsolved_problems_get_further_attempts(small):
    found = by_problem(small.folder)
    assert len(found) == 600
    check_rounds(found, MIN, MAX, 1)
    assert {len(tries) for tries in found.values()} == {2, 4, 6}  # or this would show nothing


def test_until_two_correct_with_a_short_last_round(small, tmp_path):
    run(
        small.recipe, tmp_path / "run", "--inline",
        "--set", "stages.attempts.attempts={min: 2, max: 5, until_correct: 2}",
    )  # fmt: skip
    found = by_problem(tmp_path / "run")
    check_rounds(found, 2, 5, 2)
    assert {len(tries) for tries in found.values()} == {2, 4, 5}


@pytest.mark.parametrize(
    ("policy", "until", "width"),
    [
        ("{min: 2, max: 16}", None, 0.25),  # what holds where nothing else says when to stop
        ("{min: 2, max: 16, half_width: 0.3}", None, 0.3),
        ("{min: 2, max: 16, half_width: 0.3, until_correct: 2}", 2, 0.3),
    ],
)
def test_until_the_pass_rate_is_known_well_enough(small, tmp_path, policy, until, width):
    run(
        small.recipe, tmp_path / "run", "--inline",
        "--set", f"stages.attempts.attempts={policy}",
        "--set", "stages.problems.families.0.count=120",
    )  # fmt: skip
    lengths = set()
    for problem, tries in by_problem(tmp_path / "run").items():
        solved = [row["status"] == "correct" for row in tries]
        n = 2
        while n < 16 and not (
            half_width(sum(solved[:n]), n) <= width
            or (until is not None and sum(solved[:n]) >= until)
        ):
            n *= 2
        assert len(tries) == n, problem
        lengths.add(n)
    assert len(lengths) > 1


def half_width(hits: int, n: int) -> float:
    """Of Wilson's interval, by the formula in any textbook."""
    z = 1.959963984540054
    return z * (hits / n * (1 - hits / n) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)


def test_pass_rate_counts_the_first_attempts_alone(small):
    found = by_problem(small.folder)
    biased = 0
    for tries in found.values():
        first = [row["status"] for row in tries[:MIN]]
        counted = [s for s in first if s in ("correct", "incorrect", "no_answer")]
        rate = counted.count("correct") / len(counted)
        assert [row["pass_rate"] for row in tries] == [pytest.approx(rate)] * len(tries)
        biased += rate != sum(row["status"] == "correct" for row in tries) / len(tries)
    assert biased > 0
    published = {row["problem_id"]: row for row in rows(small.folder, "rl")}
    for problem, tries in found.items():
        assert published[problem]["pass_rate"] == tries[0]["pass_rate"]
        assert published[problem]["n_attempts"] == len(tries)


def test_held_out_problems_are_never_given_to_a_teacher(small):
    held_out = {r["problem_id"] for r in rows(small.folder, "rl") if r["pass_rate"] is None}
    assert len(held_out) == 50
    assert not held_out & set(by_problem(small.folder))


NO_VERIFY = SMALL.replace("  verdicts: {use: verify, from: attempts, also: [steps]}\n", "").replace(
    "from: verdicts", "from: attempts"
)
TWO_VERIFY = (
    SMALL.replace("from: verdicts", "from: [verdicts, others]")
    + "  others: {use: verify, from: attempts}\n"
)


@pytest.mark.parametrize("text", [NO_VERIFY, TWO_VERIFY])
def test_rounds_need_exactly_one_judge(tmp_path, text):
    recipe = written(tmp_path, text)
    said = run(recipe, tmp_path / "run", "--inline", code=2)
    assert "stages.attempts" in said
    assert "judge" in said
    assert "Traceback" not in said


def test_a_judge_that_does_not_read_the_stage_is_an_error(tmp_path):
    recipe = written(tmp_path, SMALL)
    found = command(
        "run", str(recipe), "--folder", str(tmp_path / "run"), "--inline",
        "--set", "stages.attempts.judge=kept",
    )  # fmt: skip
    assert found.returncode == 2
    assert "judge" in found.stderr


def test_one_of_two_judges_can_be_named(small, tmp_path):
    """The second one judges too, all rounds at once; its verdicts plan nothing."""
    text = SMALL.replace("    attempts: {min: 2", "    judge: verdicts\n    attempts: {min: 2")
    recipe = written(tmp_path, text + "  others: {use: verify, from: attempts}\n")
    run(recipe, tmp_path / "run", "--inline")
    mine, theirs = attempts(tmp_path / "run"), attempts(small.folder)
    assert [(r["id"], r["status"], r["seed"]) for r in mine] == [
        (r["id"], r["status"], r["seed"]) for r in theirs
    ]


TWO_TEACHERS = """\
name: two
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 20}
    families: [{name: modular_sum, count: 100, split: {test: 10}}]
  a:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.6}
    attempts: {min: 1, max: 4, until_correct: 1}
  b:
    use: generate
    from: problems
    teacher: {kind: "engine_parts:Teacher", options: {name: other}}
    attempts: {min: 2, max: 6, until_correct: 2}
"""
ONE_VERIFY = "  verdicts: {use: verify, from: [a, b]}\n  dataset: {use: publish, from: verdicts}\n"
OWN_VERIFY = (
    "  va: {use: verify, from: a}\n  vb: {use: verify, from: b}\n"
    "  dataset: {use: publish, from: [va, vb]}\n"
)


def test_two_teachers_in_branches_that_join(tmp_path):
    found = {}
    for name, end in (("one", ONE_VERIFY), ("own", OWN_VERIFY)):
        recipe = written(tmp_path / name, TWO_TEACHERS + end)
        folder = tmp_path / name / "run"
        run(recipe, folder, *(("--workers", "2") if name == "one" else ("--inline",)))
        check_rounds(by_problem(folder, "solver"), 1, 4, 1)
        check_rounds(by_problem(folder, "other"), 2, 6, 2)
        everything = attempts(folder)
        assert len({row["problem_id"] for row in everything}) == 100
        ids = [row["id"] for row in everything]
        assert len(ids) == len(set(ids))
        problems = [row["id"] for row in rows(folder, "rl")]
        assert len(problems) == len(set(problems)) == 110
        found[name] = {row["id"]: row["status"] for row in everything}
    assert found["one"] == found["own"]


def test_rl_counts_the_attempts_of_all_teachers(tmp_path):
    run(written(tmp_path, TWO_TEACHERS + ONE_VERIFY), tmp_path / "run", "--inline")
    found, first = by_problem(tmp_path / "run"), {"solver": 1, "other": 2}
    for row in rows(tmp_path / "run", "rl"):
        tries = found.get(row["problem_id"], [])
        assert (row["n_attempts"] or 0) == len(tries)
        assert (row["n_correct"] or 0) == sum(t["status"] == "correct" for t in tries)
        rated = [t["status"] for t in tries if t["attempt_index"] < first[t["teacher"]]]
        if rated:
            assert row["pass_rate"] == pytest.approx(rated.count("correct") / len(rated))


def test_two_branches_with_one_name_of_a_teacher_are_refused(tmp_path):
    """Their attempts would have the same ids."""
    text = TWO_TEACHERS.replace(
        'kind: "engine_parts:Teacher", options: {name: other}', "kind: solver, slip_rate: 0.1"
    )
    said = run(written(tmp_path, text + ONE_VERIFY), tmp_path / "run", "--inline", code=2)
    assert "solver" in said


def test_the_test_teacher_is_free():
    assert not Teacher().info.paid
