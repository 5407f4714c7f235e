# ruff: noqa: E501  (a recipe reads best with a stage on one line)
"""reasoning-gym as a source: sound families only, distinct, the same everywhere, stored whole."""

import inspect
import json
import math
import re
import subprocess
import sys
import textwrap
from collections import Counter
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tracefactory.schemas.problem import PROBLEM_SCHEMA, Problem
from tracefactory.schemas.rows import records
from tracefactory.sources import gym
from tracefactory.sources.families.base import FamilyError
from tracefactory.sources.fingerprint import content_id
from tracefactory.sources.gym_excluded import EXCLUDED
from tracefactory.stages.sample import FamilyDraw
from tracefactory.verifiers.gym import ALLOWED, GymError, require

try:
    require()
    ABSENT = ""
except GymError as error:
    ABSENT = f"NOT TESTED: {error}"
needs_library = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
NAMES = sorted(ALLOWED)


def drawn(family: str, train: int, test: int = 0, seed: int = 7, **knobs) -> list[Problem]:
    config = {"family": family, "knobs": knobs, "seed": seed}
    result = gym.draw({**config, "counts": {"train": train, "test": test}})
    table = result.tables["problems_drawn"].select(PROBLEM_SCHEMA.names)
    return list(records(Problem, table))


def test_no_family_is_both_used_and_not():
    assert set(ALLOWED).isdisjoint(EXCLUDED)
    assert len(ALLOWED) == 42
    assert all(EXCLUDED.values())


@needs_library
def test_every_family_of_the_library_is_used_or_has_a_reason_not_to_be():
    from reasoning_gym.factory import DATASETS

    assert set(DATASETS) == set(ALLOWED) | set(EXCLUDED)
    for name, allowed in ALLOWED.items():
        category = DATASETS[name][0].__module__.split(".")[1]
        assert allowed.domain == ("math" if category in MATHS else category), name


MATHS = ("algebra", "arithmetic", "geometry", "probability")


@needs_library
@pytest.mark.parametrize("name", NAMES)
def test_no_scorer_that_is_used_evaluates_text_or_looks_at_the_configuration(name):
    from reasoning_gym.factory import DATASETS

    source = textwrap.dedent(inspect.getsource(DATASETS[name][0].score_answer))
    assert not re.search(r"\b(eval|exec|sympify|parse_expr|loadtxt|config|np)\b", source)
    called = set(re.findall(r"self\.(\w+)\(", source))
    for helper in called:
        text = inspect.getsource(getattr(DATASETS[name][0], helper))
        assert not re.search(r"\b(eval|exec|sympify|parse_expr|config)\b", text)
    read = set(re.findall(r"metadata(?:\"\])?\[\"(\w+)\"\]", source))
    assert read == set(ALLOWED[name].reads)


@needs_library
@pytest.mark.parametrize("name", NAMES)
def test_problems_are_distinct_and_the_splits_never_meet(name):
    problems = drawn(name, 100, 10)
    assert Counter(p.split for p in problems) == {"train": 100, "test": 10}
    assert len({p.statement for p in problems}) == len({p.id for p in problems}) == 110
    for p in problems:
        assert p.id == f"gym_{name}-{content_id(p.statement)}"
        assert p.split == gym.split_of(name, p.statement)
        assert (p.source, p.license) == (f"reasoning-gym@0.1.25/{name}", "Apache-2.0")
        assert sorted(json.loads(p.verifier_options)) == ["family", "library", "metadata"]
    answers = Counter(p.reference for p in problems)
    assert len(answers) >= 5
    assert answers.most_common(1)[0][1] <= 50


@needs_library
def test_another_seed_s_train_does_not_meet_test():
    one, two = drawn("gcd", 500, 50, seed=1), drawn("gcd", 500, 50, seed=2)
    train = {p.statement for p in one if p.split == "train"}
    assert train.isdisjoint(p.statement for p in two if p.split == "test")
    assert train != {p.statement for p in two if p.split == "train"}


@needs_library
def test_problems_do_not_depend_on_the_hash_seed_nor_on_how_many_are_asked_for(tmp_path):
    script = (
        "import sys, hashlib\n"
        "from tracefactory.sources import gym\n"
        "from tracefactory.verifiers.gym import ALLOWED\n"
        "from itertools import islice\n"
        "for f in sorted(ALLOWED):\n"
        "    made = list(islice(gym.items(f, {}, 7, int(sys.argv[1])), 30))\n"
        "    print(f, hashlib.sha256(repr(made).encode()).hexdigest())\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", script, limit],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout
        for hash_seed, limit in (("1", "30"), ("2", "5000"))
    ]  # fmt: skip
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(ALLOWED)  # and nothing was printed in between


def _numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"-?\d+", text)]


def _expression(text: str) -> str:
    """A sum or product of integers, worked out by taking it apart."""
    total = 0
    expression = re.search(r"-?\d[\d\s+*-]*\d|\d", text.rpartition(":")[2])[0]
    for sign, term in re.findall(r"([+-]?)\s*(\d+(?:\s*\*\s*\d+)*)", expression):
        product = math.prod(map(int, term.split("*")))
        total += -product if sign == "-" else product
    return str(total)


@needs_library
def test_references_hold_without_the_library():
    for p in drawn("gcd", 100):
        numbers = _numbers(re.search(r"numbers?: ([\d, and]+)", p.statement)[1])
        assert p.reference == str(math.gcd(*numbers))
    for p in drawn("lcm", 100):
        numbers = _numbers(re.search(r"numbers?: ([\d, and]+)", p.statement)[1])
        assert p.reference == str(math.lcm(*numbers))
    for p in drawn("prime_factorization", 100):
        factors = _numbers(p.reference)
        number = int(re.search(r"factorization of (\d+)", p.statement)[1])
        assert math.prod(factors) == number
        assert all(all(f % d for d in range(2, math.isqrt(f) + 1)) for f in factors)
    for family in ("chain_sum", "products"):
        for p in drawn(family, 100):
            assert p.reference == _expression(p.statement), p.statement


@needs_library
def test_too_few_distinct_problems_are_counted_and_said():
    says = (
        r"gym:string_splitting: 500 train problems were asked for, .* held only \d+ distinct ones"
    )
    with pytest.raises(FamilyError, match=says):
        drawn("string_splitting", 500)


@needs_library
@pytest.mark.parametrize("name", NAMES)
def test_the_negative_control_passes_on_families_that_are_used(name):
    for seed in (1, 2):
        gym.control(name, list(islice(gym.items(name, {}, seed, 100), 100)))


@needs_library
@pytest.mark.parametrize(
    ("score", "says"),
    [
        (lambda *_: 1.0, r"the wrong answer .* scores 1.0; take the family out"),
        (lambda *_: 0.99, r"the true answer .* scores 0.99; take the family out"),
        (lambda f, ref, meta, a: float(a.startswith(ref)), r"the wrong answer '\S+ banana'"),
        (lambda f, ref, meta, a: float(a in (ref, "nan")), r"the wrong answer 'nan'"),
    ],
)
def test_a_scorer_that_cannot_tell_stops_the_run_before_any_problem(monkeypatch, score, says):
    monkeypatch.setattr("tracefactory.verifiers.gym.score", score)
    with pytest.raises(FamilyError, match=r"gym:gcd \(reasoning-gym@0.1.25\).*" + says):
        drawn("gcd", 10)


@needs_library
@pytest.mark.parametrize("name", ["complex_arithmetic", "word_sorting", "game_of_life_halting"])
def test_the_control_would_have_caught_what_is_excluded(name, monkeypatch):
    from tracefactory.verifiers.gym import Allowed

    reads = {"complex_arithmetic": ("result",), "word_sorting": ("sorted_words",)}
    monkeypatch.setitem(ALLOWED, name, Allowed("x", reads.get(name, ())))
    with pytest.raises(FamilyError, match="the wrong answer"):
        drawn(name, 10)


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        ({"name": "gym:gdc"}, "did you mean 'gcd'"),
        ({"name": "gym:countdown"}, "not used: the scorer runs sympy's parse_expr"),
        ({"name": "gym:gcd", "split": {"ood": 5}}, "has no split 'ood'; it has train, test"),
    ],
)
def test_a_family_that_is_not_used_is_refused_with_the_reason_or_the_nearest(draw, says):
    with pytest.raises(ValidationError, match=says):
        FamilyDraw(count=5, **draw)


@needs_library
@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"max_valeu": 5}, "did you mean 'max_value'"),
        ({"seed": 5}, "'seed' follows from the recipe's seed"),
        ({"min_value": 9, "max_value": 5}, "the knobs cannot be used"),
    ],
)
def test_knobs_are_checked_before_the_run(knobs, says):
    with pytest.raises(ValidationError, match=says):
        FamilyDraw(name="gym:gcd", count=5, knobs=knobs)


def test_without_the_library_a_recipe_says_how_to_get_it(monkeypatch):
    import importlib.metadata

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("tracefactory.verifiers.gym.installed.version", absent)
    require.cache_clear()
    try:
        with pytest.raises(ValidationError, match=r"pip install 'tracefactory\[gym\]'"):
            FamilyDraw(name="gym:gcd", count=5)
    finally:
        require.cache_clear()


RECIPE = """
name: gym
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 30}
    families:
      - {name: gym:gcd, count: 70, split: {test: 7}}
      - {name: gcd, count: 40}
      - {name: gym:palindrome_partitioning, count: 20}
      - {name: gym:prime_factorization, count: 40}
  attempts: {use: generate, from: problems, teacher: {kind: 'every_other:Teacher'}, attempts: {min: 4}}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""
TEACHER = """
from tracefactory.teachers.contract import Completion, TeacherInfo
class Teacher:
    info = TeacherInfo("every_other", "program:1", "CC0-1.0", False)
    async def complete(self, requests):
        for r in requests:
            answer = r.problem.reference if r.index % 2 == 0 else ("banana", "99999")[r.index // 2]
            yield Completion(r.problem.id, r.index, "<think>\\nso\\n</think>\\n\\n\\\\boxed{%s}" % answer)
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gym_run")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "every_other.py").write_text(TEACHER)
    for run, hash_seed in (("one", "1"), ("two", "2")):
        done = subprocess.run(
            [sys.executable, "-m", "tracefactory", "run", "recipe.yaml", "--inline", "--folder", run],
            cwd=folder, capture_output=True, text=True, check=False,
            env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folder


def _rows(folder: Path, *views: str) -> list[dict]:
    return [
        row
        for view in views
        for path in sorted((folder / "one/dataset").glob(f"{view}/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


@needs_library
def test_in_a_run_every_verdict_is_what_the_teacher_meant(published):
    rows = _rows(published, "sft", "rejected")
    assert len(rows) == 4 * (70 + 40 + 20 + 40)
    for row in rows:
        assert (row["status"] == "correct") == (row["attempt_index"] % 2 == 0), row["id"]
    assert Counter(row["status"] for row in rows) == {"correct": 340, "incorrect": 340}
    held = {r["problem_id"] for r in _rows(published, "rl") if r["problem_id"].startswith("gym")}
    assert len(held) == 70 + 7 + 20 + 40


@needs_library
def test_the_release_is_the_same_for_another_hash_seed(published):
    one, two = (
        {p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        for top in (published / "one/dataset", published / "two/dataset")
    )
    assert one == two
