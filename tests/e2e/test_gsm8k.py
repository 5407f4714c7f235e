"""Real input: 5,276 stored model solutions of GSM8K with a label that people know to be right."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SOLUTIONS = Path(__file__).parents[2].parent / "shared/data/gsm8k/example_model_solutions.jsonl"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    if not SOLUTIONS.exists():
        pytest.skip(f"REAL INPUT ABSENT: {SOLUTIONS} is not here, so gsm8k_import was not checked")
    folder = tmp_path_factory.mktemp("gsm8k")
    place = f"stages.attempts.path={SOLUTIONS}"
    command = ["run", "gsm8k_import", "--inline", "--folder", str(folder / "run"), "--set", place]
    subprocess.run([sys.executable, "-m", "tracefactory", *command], check=True)
    return folder / "run/dataset"


def rows(dataset: Path) -> list[dict]:
    return [
        row
        for view in ("sft", "rejected")
        for path in sorted((dataset / view).glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_verdicts_agree_with_every_label(dataset):
    labels = {}
    for line in SOLUTIONS.read_text("utf-8").splitlines():
        problem = json.loads(line)
        for teacher, solution in problem.items():
            if isinstance(solution, dict):
                labels[problem["question"].strip(), teacher] = solution["is_correct"]
    judged = {(r["messages"][0]["content"], r["teacher"]): r["status"] for r in rows(dataset)}
    assert len(labels) == len(judged) == 5_276
    assert [key for key in labels if labels[key] != (judged[key] == "correct")] == []
    assert Counter(judged.values()) == {"correct": 2_001, "incorrect": 3_264, "no_answer": 11}


def test_every_calculator_mark_is_checked_and_a_right_answer_over_a_false_step_is_seen(dataset):
    manifest = json.loads((dataset / "manifest/manifest.json").read_text())
    stats = [manifest["configs"][view]["train"]["stats"] for view in ("sft", "rejected")]
    steps = Counter()
    for part in stats:
        steps.update(part["steps"])
    marks = {name[5:]: n for name, n in steps.items() if name.startswith("mark.")}
    assert marks == {"true": 16_360, "rounded": 242, "false": 50, "uncheckable": 40}
    assert sum(marks.values()) == 16_692
    assert sum(part["correct_with_false_steps"] for part in stats) > 0
