"""Real trainers read the dataset as it is: no column renamed, no function written.

They install beside each other as requirements.txt and alone.txt in this folder say; what is absent
is said aloud. Each script runs in a process of its own, as trainers warn, patch and keep state.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tracefactory.publish.llamafactory import dataset_info

HERE = Path(__file__).parent
RECIPE = """\
name: interop
seed: 7
stages:
  problems: {use: sample, families: [{name: modular_sum, count: 60, split: {test: 10}}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.5}
    attempts: {min: 4}
  verdicts: {use: verify, from: attempts}
  dataset:
    use: publish
    from: verdicts
    views: [sft, sft_reasoning, rl, pretrain, preference, rejected]
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    (folder / "recipe.yaml").write_text(RECIPE)
    done = subprocess.run(
        [sys.executable, "-m", "tracefactory", "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / "dataset"


def told(script, dataset, *, needs):
    """What a script says of the dataset, run by itself; skipped when a package is absent."""
    absent = [name for name in needs if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"NOT TESTED: {script} ({', '.join(absent)} not installed)")
    home = dataset.parent / "hf"
    environment = {
        **os.environ,
        "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "",
        "AXOLOTL_DO_NOT_TRACK": "1", "DISABLE_VERSION_CHECK": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(HERE / script), str(dataset)],
        env=environment, cwd=dataset.parent, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(dataset, config):
    return pq.read_table(dataset / config).to_pylist()


# --- TRL ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trl(dataset):
    return told("interop_trl.py", dataset, needs=("trl", "torch"))


def conversation(user, assistant):
    return f"<|user|>\n{user}<|end|>\n<|assistant|>\n{assistant}<|end|>\n"


def test_trl_sft_trains_on_sft_with_the_reasoning_inline(trl):
    found = trl["sft"]
    user, assistant = (message["content"] for message in found["row"]["messages"])
    assert found["steps"] == 2
    assert assistant.startswith("<think>\n")
    assert found["text"] == conversation(user, assistant)


def test_trl_sft_trains_on_sft_reasoning_and_a_template_that_reads_it_writes_the_same(trl):
    found = trl["sft_reasoning"]
    user, assistant = found["row"]["messages"]
    inline = f"<think>\n{assistant['reasoning_content']}\n</think>\n\n{assistant['content']}"
    assert found["steps"] == 2
    assert found["text"] == conversation(user["content"], inline) == trl["sft"]["text"]


def test_trl_sft_trains_on_pretrain_as_plain_text(trl):
    found = trl["pretrain"]
    assert found["steps"] == 2
    assert found["text"].removesuffix("<|end|>") == found["row"]["text"]


def test_trl_grpo_trains_on_rl_and_rewards_right_answers_alone(trl):
    assert trl["rl"]["steps"] == 2
    assert trl["rl"]["correct"] == [0, 0]  # the model knows nothing
    assert trl["rl"]["solved"] == [1, 1]


def test_trl_dpo_trains_on_preference(trl):
    found = trl["preference"]
    assert found["steps"] == 2
    for name in ("chosen", "rejected"):
        assert found["row"][name][0]["content"] in found[name]
    assert found["row"]["prompt"][0]["content"] in found["prompt"]


def test_verl_rewards_right_answers_alone(dataset):
    found = told("interop_verl.py", dataset, needs=("verl", "ray", "omegaconf"))
    assert found == [1.0] * 4 + [0.0] * 4


# --- Others -------------------------------------------------------------------------------------


def test_datatrove_reads_pretrain(dataset):
    found = told("interop_datatrove.py", dataset, needs=("datatrove",))
    rows = rows_of(dataset, "pretrain")
    assert found == [{"id": row["id"], "text": row["text"]} for row in rows]


def test_axolotl_reads_both_forms_and_trains_on_the_answer_alone(dataset):
    found = told("interop_axolotl.py", dataset, needs=("axolotl", "addict"))
    for config in ("sft", "sft_reasoning"):
        user, assistant = rows_of(dataset, config)[0]["messages"]
        inline = assistant["content"]
        if config == "sft_reasoning":
            inline = f"<think>\n{assistant['reasoning_content']}\n</think>\n\n{inline}"
        assert found[config]["text"] == conversation(user["content"], inline)
        assert inline in found[config]["trained_on"]
        assert user["content"] not in found[config]["trained_on"]


def test_llamafactory_loads_by_the_dataset_s_own_description(dataset):
    found = told("interop_llamafactory.py", dataset, needs=("llamafactory", "peft"))
    told_of = json.loads((dataset / "dataset_info.json").read_text())
    assert told_of == dataset_info(["sft", "pretrain"])
    sft, pretrain = rows_of(dataset, "sft"), rows_of(dataset, "pretrain")
    assert found["sft"]["rows"] == len(sft)
    user, assistant = sft[0]["messages"]
    assert found["sft"]["first"]["_prompt"] == [user]
    assert found["sft"]["first"]["_response"] == [assistant]
    assert found["pretrain"]["rows"] == len(pretrain)
    assert found["pretrain"]["first"]["_prompt"][0]["content"] == pretrain[0]["text"]
