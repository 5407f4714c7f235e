"""`tracefactory loop --teacher`: in each round real vLLM serves the model of the round before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

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


def test_a_loop_of_one_round_whose_models_vllm_serves(tmp_path, settings):
    (tmp_path / "small.yaml").write_text(RECIPE)
    served = {name: settings[name] for name in ("kind", "python", "start_s")}
    served["engine"] = {"max_num_seqs": 64, "kv_cache_memory_bytes": 1 << 28}
    (tmp_path / "teacher.yaml").write_text(json.dumps(served))
    done = subprocess.run(
        [COMMAND, "loop", "small.yaml", "--teacher", "teacher.yaml", "--json", *QUICK],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    arms = {arm["name"]: arm["rounds"][1] for arm in json.loads(done.stdout)["arms"]}
    assert arms["verified"]["samples"] == arms["unverified"]["samples"] == 240
    assert 0 < arms["verified"]["accepted"] < 240
    run = tmp_path / "loops/small_loop/verified/round-01"
    rows = pq.read_table(next((run / "dataset/sft").glob("*.parquet"))).to_pylist()
    assert {row["teacher"] for row in rows} == {"small-llama-verified"}
    assert all(row["teacher_revision"].startswith("sha256:") for row in rows)
    assert all(row["tokenizer"] == "small-llama-verified" for row in rows)
