"""Programs from end to end: made, run in boxes, judged; and HumanEval's own solutions."""

import gzip
import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

HUMAN_EVAL = Path(__file__).parents[2].parent / "shared/data/human_eval/HumanEval.jsonl.gz"
SMALL = (
    "stages.problems.families.0.count=40",
    "stages.problems.families.0.split={test: 10, ood: 5}",
)


def factory(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tracefactory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def run(folder: Path, recipe: str, *more: str) -> Path:
    done = factory("run", recipe, "--folder", str(folder), *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dataset"


def sets(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def rows(dataset: Path, *views: str) -> list[dict]:
    return [
        row
        for view in views
        for path in sorted((dataset / view).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def digests(dataset: Path) -> dict[str, str]:
    files = sorted(path for path in dataset.rglob("*") if path.is_file())
    return {str(f.relative_to(dataset)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("programs") / "run"
    return run(folder, "python_programs", "--inline", *sets(*SMALL))


def test_what_is_kept_passed_its_tests_and_claims_nothing_false(programs):
    kept = rows(programs, "sft")
    assert len(kept) > 40
    assert {(row["status"], row["reason"]) for row in kept} == {("correct", "passed")}
    assert {row["n_false_steps"] for row in kept} == {0}
    assert sum(row["n_true_steps"] for row in kept) > 10
    assert all(row["final_answer"] in row["messages"][1]["content"] for row in kept)


def test_every_fault_is_rejected_and_a_false_claim_over_a_right_program_too(programs):
    rejected = rows(programs, "rejected")
    why = Counter((row["drop_reason"], row["status"]) for row in rejected)
    assert why["fails status = 'correct'", "incorrect"] > 10
    assert why["fails n_false_steps = 0", "correct"] > 0
    assert "error" not in {row["status"] for row in rejected}
    programs_of = [row["final_answer"] for row in rejected if row["status"] == "incorrect"]
    cheats = [p for p in programs_of if "exit(0)" in p or "class Same" in p]
    assert cheats
    # and none of them is anywhere else
    assert not [r for r in rows(programs, "sft") if "exit(0)" in r["final_answer"]]


def test_held_out_tasks_are_never_shown_to_the_teacher(programs):
    files = [path for path in (programs / "rl").glob("*.parquet") if "train" not in path.name]
    held_out = {row["problem_id"] for path in files for row in pq.read_table(path).to_pylist()}
    shown = {row["problem_id"] for row in rows(programs, "sft", "rejected")}
    assert len(held_out) == 20
    assert not held_out & shown


def test_two_workers_publish_the_same_bytes(programs, tmp_path):
    again = run(tmp_path / "run", "python_programs", "--workers", "2", *sets(*SMALL))
    assert digests(again) == digests(programs)


@pytest.fixture(scope="module")
def human_eval(tmp_path_factory) -> Path:
    if not HUMAN_EVAL.exists():
        pytest.skip(f"REAL INPUT ABSENT: {HUMAN_EVAL} is not here, so humaneval_check was not run")
    folder = tmp_path_factory.mktemp("humaneval") / "run"
    place = sets(f"stages.attempts.path={HUMAN_EVAL}")
    return run(folder, "humaneval_check", "--inline", *place)


def test_the_164_canonical_solutions_pass(human_eval):
    judged = rows(human_eval, "sft", "rejected")
    assert Counter((r["status"], r["reason"]) for r in judged) == {("correct", "passed"): 164}
    assert {row["problem_id"] for row in judged} == {f"HumanEval/{n}" for n in range(164)}


def test_wrong_bodies_of_the_same_problems_all_fail(human_eval, tmp_path):
    """`pass`, exit(0) and an object equal to all, in place of each canonical solution."""
    text = gzip.decompress(HUMAN_EVAL.read_bytes()).decode()
    lines = []
    for number, line in enumerate(text.splitlines()):
        row = json.loads(line)
        row["canonical_solution"] = (
            "    pass\n",
            "    exit(0)\n",
            "    class Same:\n        __eq__ = lambda *a: True\n    return Same()\n",
        )[number % 3]
        lines.append(json.dumps(row))
    file = tmp_path / "wrong.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    done = factory("run", "humaneval_check", "--inline", "--folder", str(tmp_path / "run"),
                   *sets(f"stages.attempts.path={file}"))  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    judged = rows(tmp_path / "run/dataset", "sft", "rejected")
    assert len(judged) == 164
    assert {row["status"] for row in judged} == {"incorrect"}


ROW = {
    "prompt": "def one():\n    pass\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
    "canonical_solution": "def one():\n    return 1\n",
}
SAMPLE = """
name: sampled
seed: 1
stages:
  problems:
    use: sample
    file: {path: rows.jsonl, problem: {layout: humaneval, solution: {python: [canonical_solution]}}}
    verifier: python_program
    domain: code
    options: OPTIONS
  dataset: {use: publish, from: problems}
"""


def test_a_file_of_programs_is_a_source_like_any_other(tmp_path):
    wrong = ROW | {"canonical_solution": "def one():\n    return 2\n", "prompt": "def one(): ...\n"}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(ROW)}\n{json.dumps(wrong)}\n")
    (tmp_path / "r.yaml").write_text(SAMPLE.replace("OPTIONS", '{timeout_s: "5"}'))
    dataset = run(tmp_path / "run", str(tmp_path / "r.yaml"), "--inline")
    (row,) = rows(dataset, "rl")
    assert json.loads(row["verification_info"])["verifier"].startswith(
        "tracefactory.verifiers.python_program:verify"
    )
    told = factory("inspect", str(tmp_path / "run"), "--malformed")
    assert "rows.jsonl" in told.stdout
    assert "bad_reference:wrong_answer" in told.stdout


def test_without_a_sandbox_the_run_stops_and_no_problem_is_called_bad(tmp_path, monkeypatch):
    monkeypatch.delenv("TRACEFACTORY_SANDBOX_URL", raising=False)
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(ROW)}\n")
    (tmp_path / "r.yaml").write_text(SAMPLE.replace("OPTIONS", "{isolation: remote}"))
    done = factory("run", str(tmp_path / "r.yaml"), "--inline", "--folder", str(tmp_path / "run"))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "sandbox_unavailable" in done.stdout + done.stderr
