"""Releases of all kinds of recipes are sound: an audit that cries wolf is read by nobody."""

import json
import subprocess

import pytest
from audit_harness import audited
from conftest import COMMAND

from tracefactory.audit.asked import Asked
from tracefactory.errors import Exit

FAMILIES = """\
name: made
seed: 7
stages:
  problems: {use: sample, families: [{name: gcd, count: 60, split: {test: 5}}]}
  attempts: {use: generate, from: problems, teacher: {kind: solver, slip_rate: 0.5}ATTEMPTS}
  verdicts: {use: verify, from: attempts, also: [steps]}
KEPT  dataset: {use: publish, from: LAST, shard: {rows: 30}}
"""
STORED = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    path: stored.jsonl
    license: "MIT"
    problem: {id: id, statement: q, reference: a, split: split, license: lic}
    attempts:
      - {teacher: org/model-8B, text: text, finish_reason: finish}
      - {teacher: other, text: second}
    verifier: symbolic
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts, license: MIT, statuses: [correct, undecided]}
"""
BRANCHES = """\
name: branches
seed: 7
stages:
  problems: {use: sample, families: [{name: addition, count: 40}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.5}
    attempts: {min: 2, max: 4, until_correct: 1}
    instruction: Think hard.
  stored:
    use: import
    path: stored.jsonl
    license: MIT
    problem: {id: id, statement: q, reference: a}
    attempts: [{teacher: org/model-8B, text: text}, {teacher: other, text: second}]
    verifier: symbolic
  verdicts: {use: verify, from: attempts}
  others: {use: verify, from: stored, also: [steps]}
  kept: {use: filter, from: [verdicts, others], keep: ["status = 'correct'"]}
  dataset: {use: publish, from: kept, license: MIT}
"""
PROGRAMS = """\
name: programs
seed: 7
stages:
  problems: {use: sample, families: [{name: small_programs, count: 8}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: programmer, fault_rate: 0.5, trial_rate: 0.6, slip_rate: 0.2}
    instruction: End with the whole program in one block that begins with ```python.
  verdicts: {use: verify, from: attempts, also: [program_steps]}
  dataset: {use: publish, from: verdicts}
"""
NOTHING = "  kept: {use: filter, from: verdicts, keep: [\"status = 'error'\"]}\n"


def made(attempts="", kept="", last="verdicts"):
    recipe = FAMILIES.replace("ATTEMPTS", attempts).replace("KEPT", kept)
    return recipe.replace("LAST", last)


RECIPES = {
    "no_filter": made(),
    "fixed": made(', attempts: {min: 3, max: 3}, instruction: ""'),
    "nothing_kept": made(kept=NOTHING, last="kept"),
    "stored": STORED,
    "branches": BRANCHES,
    "programs": PROGRAMS,
}


def stored_rows():
    splits = ["train", "test", "ood_dev"]
    for i in range(60):
        yield {
            "id": f"set/{i}/x",
            "q": f"What is {i} + {i}?",
            "a": "no number at all \\frac{" if i == 9 else str(2 * i),
            "split": splits[i % 3],
            "lic": ["MIT", "Apache-2.0"][i % 2],
            "text": f"<think>\nWell.\n</think>\n\n\\boxed{{{2 * i + (i % 4 == 0)}}}",
            "finish": "length" if i % 5 == 0 else "stop",
            "second": f"\u0440 {i} \\boxed{{{2 * i}}}",
        }


@pytest.mark.parametrize("name", RECIPES)
def test_honest_releases_are_sound(name, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPES[name], "utf-8")
    lines = (json.dumps(row) + "\n" for row in stored_rows())
    (tmp_path / "stored.jsonl").write_text("".join(lines), "utf-8")
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = audited(tmp_path / "run/dataset", Asked(planted=10))
    assert outcome.faults == []
    assert outcome.found.changes == []
    assert outcome.found.compared() + outcome.found.by_clock == outcome.rows > 0
    assert outcome.exit_code(0.0) is Exit.DONE
