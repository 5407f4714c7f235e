# ruff: noqa: E501  (a recipe reads best with a stage on one line)
"""What would publish wrong rows, or buy answers twice, is refused or done right; found by trying."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

HEAD = "name: small\nseed: 7\nstages:\n"
FAMILY = "  problems: {use: sample, chunk: {rows: 20}, families: [{name: gcd, count: 60}]}\n"
ANSWERS = (
    "  attempts: {use: generate, from: problems, teacher: {kind: solver}, attempts: {min: 2}}\n"
)
VERDICTS = "  verdicts: {use: verify, from: attempts}\n"
TEACHER = """
import os
from tracefactory.teachers.contract import Completion, TeacherInfo
class Mine:
    def __init__(self, name="mine"):
        self.info = TeacherInfo(name, "1", "MIT", True)
    async def complete(self, requests):
        for r in requests:
            with open(os.environ["ASKED"], "a") as log:
                log.write(f"{r.problem.id} {r.index}\\n")
            bad = os.environ.get("BAD") == "none" and r.index == 1
            yield Completion(r.problem.id, r.index, None if bad else "\\ud83d \\\\boxed{%s}" % r.problem.reference)
"""


def run(folder: Path, text: str, *words: str, code: int = 0, **env: str) -> str:
    (folder / "recipe.yaml").write_text(HEAD + text)
    (folder / "own_teacher.py").write_text(TEACHER)
    path = {"PYTHONPATH": str(folder), "ASKED": str(folder / "asked"), "PATH": "/usr/bin:/bin"}
    command = ["run", "recipe.yaml", "--inline", "--folder", "run", *words]
    done = subprocess.run(
        [sys.executable, "-m", "tracefactory", *command],
        **{"cwd": folder, "env": {**path, **env}, "capture_output": True, "text": True},
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def rows(folder: Path, view: str) -> list[dict]:
    return [
        row
        for path in sorted((folder / "run/dataset").glob(f"{view}-*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (FAMILY + ANSWERS + VERDICTS + "  a: {use: publish, from: verdicts}\n  b: {use: publish, from: verdicts}\n", "publish into one folder"),
        (FAMILY + ANSWERS + "  kept: {use: filter, from: attempts, keep: [\"status = 'correct'\"]}\n", "no verify stage comes before it"),
        (FAMILY + ANSWERS + VERDICTS + "  kept: {use: filter, from: verdicts, keep: [n_answer_chars < avg(n_answer_chars)]}\n", "looks at other rows"),
        (FAMILY + ANSWERS + VERDICTS + "  kept: {use: filter, from: verdicts, keep: [count(*) > 1]}\n", "looks at other rows"),
        (FAMILY + ANSWERS + VERDICTS + "  kept: {use: filter, from: verdicts, keep: [status]}\n", "not true or false"),
        (FAMILY + ANSWERS + VERDICTS + "  d: {use: publish, from: verdicts, statuses: [corect]}\n", "correct"),
        (FAMILY + ANSWERS + VERDICTS + "  d: {use: publish, from: verdicts, views: []}\n", "views"),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_mean_what_it_says_is_refused(tmp_path, text, says):
    said = run(tmp_path, text, code=2)
    assert says in said
    assert "Traceback" not in said


def test_two_sources_that_bring_the_same_problem_publish_nothing(tmp_path):
    for name, numbers in (("a", range(30)), ("b", range(20, 50))):
        lines = [json.dumps({"q": f"What is {n} + 1?", "a": str(n + 1)}) for n in numbers]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    table = "{{use: sample, chunk: {{rows: 7}}, file: {{path: {0}.jsonl, problem: {{statement: q, reference: a}}}}}}"
    text = "".join(f"  {name}: {table.format(name)}\n" for name in "ab")
    said = run(tmp_path, text + "  d: {use: publish, from: [a, b], shard: {rows: 5}}\n", code=2)
    assert "two sources of the recipe bring the same row" in said
    assert not (tmp_path / "run/dataset").exists()


def test_what_one_branch_holds_out_no_other_branch_publishes(tmp_path):
    text = FAMILY + (
        "  held: {use: split, from: problems, test: 0.3}\n"
        "  one: {use: generate, from: held, teacher: {kind: solver}}\n"
        "  two: {use: generate, from: problems, teacher: {kind: 'own_teacher:Mine'}}\n"
        "  verdicts: {use: verify, from: [one, two]}\n"
        "  d: {use: publish, from: verdicts}\n"
    )
    run(tmp_path, text)
    held = {row["problem_id"] for row in rows(tmp_path, "rl/test")}
    assert held
    assert not held & {row["problem_id"] for row in rows(tmp_path, "rl/train")}
    assert not held & {row["problem_id"] for row in rows(tmp_path, "sft/train")}


def test_a_folder_keeps_the_release_of_its_recipe(tmp_path):
    run(tmp_path, FAMILY + ANSWERS + VERDICTS + "  d: {use: publish, from: verdicts}\n")
    before = (tmp_path / "run/COMMITTED").read_text()
    said = run(
        tmp_path, FAMILY + "  d: {use: publish, from: problems}\n", "--set", "name=other", code=2
    )
    assert "is the run folder of the recipe 'small'" in said
    assert (tmp_path / "run/COMMITTED").read_text() == before


def test_nothing_to_dedupe_is_no_error(tmp_path):
    empty = FAMILY.replace("count: 60", "count: 0, split: {test: 5}")
    text = empty + ANSWERS + VERDICTS + "  u: {use: dedupe, from: verdicts}\n"
    said = run(tmp_path, text + "  d: {use: publish, from: u}\n")
    assert "sft is empty" in said


PAID = (
    FAMILY
    + "  attempts: {use: generate, from: problems, teacher: {kind: 'own_teacher:Mine'}, attempts: {min: 2}}\n"
    + VERDICTS
    + "  d: {use: publish, from: verdicts}\n"
)


def test_a_teacher_that_gives_no_text_fails_in_words_and_its_good_answers_are_kept(tmp_path):
    said = run(tmp_path, PAID, code=3, BAD="none")
    assert "gave NoneType and no text" in said
    assert "Traceback" not in said
    run(tmp_path, PAID)
    asked = (tmp_path / "asked").read_text().splitlines()
    first = [line for line in asked if line.endswith(" 0")]
    assert len(first) == len(set(first)) == 60
    assert len(rows(tmp_path, "sft/train")) == 120  # half a surrogate pair and all


def test_more_attempts_buy_only_those_that_are_new(tmp_path):
    run(tmp_path, PAID)
    run(tmp_path, PAID, "--set", "stages.attempts.attempts.min=3")
    run(tmp_path, PAID)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert len(asked) == len(set(asked)) == 180
