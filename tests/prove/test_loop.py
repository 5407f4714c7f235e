"""`tracefactory loop`, one short round of it: what is run, kept, resumed and shown."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

COMMAND = Path(sys.executable).with_name("tracefactory")
RECIPE = """\
name: small_loop
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 50}
    families:
      - name: modular_sum
        count: 120
        split: {test: 30}
        knobs: {min_terms: 2, max_terms: 2, max_term: 16, moduli: [2]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.0, repair_rate: 0.0, habit_rate: 0.0}
    attempts: {min: 2}
    instruction: ""
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}
  dataset: {use: publish, from: kept}
"""
QUICK = ("--rounds", "1", "--first-tokens", "150000", "--tokens", "5000", "--seed-traces", "60")


def ask(*arguments, cwd, code=0):
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [COMMAND, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def looped(tmp_path_factory):
    place = tmp_path_factory.mktemp("loop")
    (place / "small.yaml").write_text(RECIPE)
    command = [COMMAND, "loop", "small.yaml", "--inline", *QUICK]
    first = subprocess.Popen(command, cwd=place, stderr=subprocess.DEVNULL, start_new_session=True)
    ready = place / "loops/small_loop/rounds/first-0.json"
    until = time.monotonic() + 300
    while not ready.exists():
        assert time.monotonic() < until
        assert first.poll() is None
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)  # in the first round's samples, or just before
    first.wait()
    kept = ready.read_bytes()
    done = ask("loop", "small.yaml", "--inline", *QUICK, "--json", cwd=place)
    assert ready.read_bytes() == kept
    return place, json.loads(done.stdout)


def test_three_arms_start_from_one_model(looped):
    _, loop = looped
    assert [arm["name"] for arm in loop["arms"]] == ["verified", "seed", "unverified"]
    assert len({json.dumps(arm["rounds"][0]) for arm in loop["arms"]}) == 1
    verified, seed, unverified = (arm["rounds"][1] for arm in loop["arms"])
    assert verified["samples"] == unverified["samples"] == 240
    assert 0 < verified["accepted"] < 240
    assert verified["pool"] == 60 + verified["accepted"]
    assert (seed["samples"], seed["pool"]) == (0, 60)
    assert unverified["pool"] == 60 + 240


def test_the_model_is_the_teacher_of_its_round(looped):
    place, _ = looped
    run = place / "loops/small_loop/verified/round-01"
    rows = pq.read_table(next((run / "dataset/sft").glob("*.parquet"))).to_pylist()
    assert {row["teacher"] for row in rows} == {"small-llama-verified"}
    assert all(row["teacher_revision"].startswith("sha256:") for row in rows)
    assert str(place) not in (run / "dataset/manifest/manifest.json").read_text()


def test_rounds_are_ordinary_runs_with_fresh_problems(looped):
    place, _ = looped
    asked = {}
    for name in ("round-00", "verified/round-01", "unverified/round-01"):
        run = place / "loops/small_loop" / name
        ask("fsck", str(run), cwd=place)
        rl = pq.read_table(run / "dataset/rl/train-00000.parquet", columns=["problem_id"])
        asked[name] = set(rl["problem_id"].to_pylist())
    assert asked["verified/round-01"] == asked["unverified/round-01"]
    assert asked["round-00"] != asked["verified/round-01"]


def test_the_curve_stands_in_the_report_and_the_audit_holds(looped):
    place, loop = looped
    run = place / "loops/small_loop/verified/round-01"
    assert json.loads((run / "dataset/manifest/manifest.json").read_bytes())["loop"] == loop
    report = (run / "dataset/report.html").read_text()
    assert 'class="curve c-verified"' in report
    assert "its own teacher for 1 rounds" in report
    assert (place / "loops/small_loop/curve.svg").read_text().startswith("<svg xmlns=")
    ask("audit", str(run), "--inline", "--planted", "20", cwd=place)


def test_recipes_that_cannot_loop_are_refused(tmp_path):
    kept = [line for line in RECIPE.splitlines() if not line.startswith(("  verdicts", "  kept"))]
    recipe = "\n".join(kept).replace("from: kept", "from: attempts")
    (tmp_path / "no.yaml").write_text(recipe)
    done = subprocess.run(
        [COMMAND, "loop", "no.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "a loop needs a recipe with one generate stage, verify and publish" in done.stderr
