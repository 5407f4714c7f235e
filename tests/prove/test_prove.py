"""`tracefactory prove` on a real, small release: what it reads, keeps, says and publishes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracefactory.errors import SourceError
from tracefactory.prove.arms import read_material
from tracefactory.publish.proven import with_results
from tracefactory.schemas.proof import Proof

COMMAND = Path(sys.executable).with_name("tracefactory")
RECIPE = """\
name: small
seed: 7
stages:
  problems:
    use: sample
    families:
      - {name: modular_sum, count: 300, split: {test: 40, ood_six_terms: 20}}
      - {name: gcd, count: 50, split: {test: 10}}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3, repair_rate: 0.3, habit_rate: 0.2}
    attempts: {min: 2, max: 4, until_correct: 1}
    instruction: ""
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}
  dataset: {use: publish, from: kept}
"""
QUICK = ("--tokens", "12000", "--seeds", "1")


def ask(*arguments, code=0, cwd):
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=cwd, env=env, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("made")
    (place / "small.yaml").write_text(RECIPE)
    ask("run", "small.yaml", "--inline", cwd=place)
    return place


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "made")
    return tmp_path / "made/runs/small"


def test_the_arms_are_what_they_say(made):
    found = read_material(str(made / "runs/small/dataset"), None)
    assert found.task_type == "modular_sum"
    assert {name: len(texts) for name, texts in found.splits.items()} == {
        "test": 40, "ood_six_terms": 20,
    }  # fmt: skip
    assert set(found.origins) == {p.problem_id for split in found.splits.values() for p in split}
    asked = {text.messages[-1]["content"] for text in found.arms["verified"]}
    assert asked.isdisjoint(
        p.messages[-1]["content"] for split in found.splits.values() for p in split
    )
    direct = found.arms["direct"]
    assert len(direct) == len(asked)  # each problem once
    assert all(text.response.startswith("\\boxed{") for text in direct)
    assert len(found.arms["unverified"]) == 300  # attempt 0 at every problem
    by_answer = {t.messages[-1]["content"]: t.response for t in direct}
    for text in found.arms["decorative"]:
        reasoning, _, answer = text.response.rpartition("\n\n")
        assert answer == by_answer[text.messages[-1]["content"]]
        assert reasoning.startswith("<think>")
    originals = {text.response for text in found.arms["verified"]}
    assert sum(text.response in originals for text in found.arms["decorative"]) < 150


def test_other_task_types_are_named(made):
    with pytest.raises(SourceError, match=r"no rows of task type 'sums'; there are modular_sum"):
        read_material(str(made / "runs/small/dataset"), "sums")


def test_too_short_a_training_is_inconclusive_and_says_so_everywhere(run):
    done = ask("prove", run, *QUICK, code=7, cwd=run.parent)
    assert "Inconclusive: with 12,000 tokens" in done.stdout
    card = (run / "dataset/README.md").read_text()
    assert "## What this data teaches" in card
    assert "so nothing is claimed" in card
    assert "ood_six_terms" in card
    assert 'id="teaches"' in (run / "dataset/report.html").read_text()
    assert (run / "proof/curves.svg").read_text().startswith("<svg xmlns=")
    manifest = json.loads((run / "dataset/manifest/manifest.json").read_bytes())
    proof = Proof.from_json(manifest["proof"])
    assert [arm.name for arm in proof.arms] == ["verified", "direct", "unverified", "decorative"]
    assert not proof.conclusive
    assert ask("audit", run, "--inline", "--planted", 20, cwd=run.parent).returncode == 0
    assert ask("fsck", run, cwd=run.parent).returncode == 0

    # The figures are stored: the same bytes when the recipe is run again, or prove.
    before = (run / "COMMITTED").read_bytes()
    ask("run", "small.yaml", "--inline", cwd=run.parents[1])
    assert (run / "COMMITTED").read_bytes() == before
    again = ask("prove", run, *QUICK, "--json", code=7, cwd=run.parent)
    assert (run / "COMMITTED").read_bytes() == before
    assert json.loads(again.stdout)["arms"] == manifest["proof"]["arms"]

    # Other rows: the figures are not theirs.
    ask("run", "small.yaml", "--inline", "--set", "seed=8", cwd=run.parents[1])
    assert "What this data teaches" not in (run / "dataset/README.md").read_text()


def test_a_killed_proof_goes_on(run):
    command = [COMMAND, "prove", run, *QUICK, "--processes", "1"]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    ready = run / "proof/jobs/verified-0.json"
    until = time.monotonic() + 120
    while not ready.exists():
        assert time.monotonic() < until
        assert first.poll() is None
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    kept = ready.read_bytes()
    done = ask(*command[1:], code=7, cwd=run.parent)
    assert done.stderr.index("1 of 4: verified") >= 0
    assert ready.read_bytes() == kept


def test_a_dataset_that_is_no_run_s_is_left_as_it_is(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run / "dataset", copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    ask("prove", copy, *QUICK, code=7, cwd=tmp_path)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert (tmp_path / "proofs/copy/proof/proof.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere"], 2, "no such folder, and no name of a dataset on the Hub"),
        (["."], 2, "holds no release"),
        (["dataset", "--task", "sums"], 2, "there are modular_sum"),
        (["dataset", "--device", "cuda"], 2, "finds no GPU here"),
    ],
)
def test_bad_words_are_explained(run, words, code, said):
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    folder = run if words[0] != "." else run / "raw"
    assert said in ask("prove", *words, code=code, cwd=folder).stderr


def test_a_broken_result_is_an_integrity_error(run):
    from tracefactory.errors import IntegrityError
    from tracefactory.publisher.local import open_local

    (run / "proof").mkdir()
    (run / "proof/proof.json").write_text("{")
    local = open_local(run)
    with pytest.raises(IntegrityError, match=r"remove it, and give that command again"):
        with_results(local.manifest, run, local.shards)
