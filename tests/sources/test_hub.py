"""Hugging Face datasets as an input: a local dataset folder, read by the `datasets` library."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COMMAND = Path(sys.executable).with_name("tracefactory")

CARD = """\
---
configs:
- config_name: main
  default: true
  data_files:
  - {split: train, path: "main/train-*"}
  - {split: test, path: "main/test-*"}
- config_name: other
  data_files: [{split: train, path: "other/*"}]
---
# A dataset
"""
SAMPLE = """\
name: hub
seed: 7
stages:
  problems:
    use: sample
    license: MIT
    chunk: {rows: 40}
    PLACE
  dataset: {use: publish, from: problems}
"""
HUB = "hub: {id: set, split: train, problem: {statement: q, reference: {column: a, after: '####'}}}"
FILE = "file: {path: rows.jsonl, problem: {statement: q, reference: {column: a, after: '####'}}}"
IMPORT = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    PLACE
    problem: {statement: q, reference: {column: a, after: "####"}}
    attempts: [{teacher: model, text: t}]
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


def rows(first, n):
    return [
        {"q": f"What is {i} + {i}?", "a": f"Twice.\n#### {2 * i}", "t": f"\\boxed{{{i + 50}}}"}
        for i in range(first, first + n)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dataset folder `set` of two train shards, and the same rows in rows.jsonl."""
    path = tmp_path_factory.mktemp("hub")
    for name, found in {
        "main/train-0": rows(0, 60),
        "main/train-1": rows(60, 40),
        "main/test-0": rows(100, 5),
        "other/x": rows(200, 3),
    }.items():
        file = path / "set" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(found), file)
    (path / "set/README.md").write_text(CARD)
    # another order and other formatting: the same content
    lines = [json.dumps(row, indent=None, sort_keys=True) for row in rows(0, 100)]
    (path / "rows.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    return path


def run(folder, name, recipe, *overrides, code=0):
    (folder / f"{name}.yaml").write_text(recipe)
    env = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [COMMAND, "run", f"{name}.yaml", "--inline", "--folder", name,
         *(word for override in overrides for word in ("--set", override))],
        cwd=folder, env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return folder / name, done.stderr


@pytest.fixture(scope="module")
def from_hub(folder):
    return run(folder, "from_hub", SAMPLE.replace("PLACE", HUB))[0]


@pytest.fixture(scope="module")
def from_file(folder):
    return run(folder, "from_file", SAMPLE.replace("PLACE", FILE))[0]


def parts(folder, pattern):
    """Files by their path, which holds the hash of their content."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))


def manifest_of(run_folder):
    return orjson.loads((run_folder / "dataset/manifest/manifest.json").read_bytes())


def test_a_dataset_and_a_file_of_equal_rows_make_equal_chunks(from_hub, from_file):
    chunks = parts(from_hub, "problems/0*.problems-*")
    assert len(chunks) == 3
    assert chunks == parts(from_file, "problems/0*.problems-*")


def test_they_make_the_same_rows_but_for_the_recipe_s_id(from_hub, from_file):
    tables = [
        pq.read_table(place / "dataset/rl").drop_columns("recipe_id").sort_by("id")
        for place in (from_hub, from_file)
    ]
    assert tables[0].num_rows == 100
    assert tables[0].equals(tables[1])
    assert set(tables[0].column("license").to_pylist()) == {"MIT"}
    assert set(tables[0].column("source").to_pylist()) == {"local"}


def test_the_manifest_says_what_was_read(from_hub, from_file):
    (hub,), (file,) = manifest_of(from_hub)["inputs"], manifest_of(from_file)["inputs"]
    assert (hub["kind"], file["kind"]) == ("hub", "file")
    assert hub["content_sha256_sum"] == file["content_sha256_sum"]
    assert (hub["rows"], hub["license"], hub["revision"]) == (100, "MIT", None)


def test_config_and_split_are_those_asked_for(folder):
    for name, where, n in (("test", "split=test", 5), ("other", "config=other", 3)):
        found, _ = run(folder, name, SAMPLE.replace("PLACE", HUB), f"stages.problems.hub.{where}")
        assert manifest_of(found)["funnel"]["problems.problems"] == n


def test_stored_generations_come_from_a_dataset_as_from_a_file(folder):
    hub, _ = run(folder, "import_hub", IMPORT.replace("PLACE", "hub: {id: set}"))
    file, _ = run(folder, "import_file", IMPORT.replace("PLACE", "path: rows.jsonl"))
    for pattern in ("attempts/0*", "verdicts/*"):
        assert parts(hub, pattern) == parts(file, pattern) != []
    assert manifest_of(hub)["funnel"]["verdicts.correct"] == 1  # 2 * 50
    assert pq.read_table(hub / "dataset/sft").num_rows == 1


def test_only_a_changed_dataset_is_read_again(folder, from_hub):
    before = (from_hub / "receipts.log").read_bytes()
    run(folder, "from_hub", SAMPLE.replace("PLACE", HUB))
    assert (from_hub / "receipts.log").read_bytes() == before
    shutil.copytree(folder / "set", folder / "changing")
    recipe = SAMPLE.replace("PLACE", HUB.replace("id: set", "id: changing"))
    changed, _ = run(folder, "changed", recipe)
    pq.write_table(pa.Table.from_pylist(rows(60, 41)), folder / "changing/main/train-1.parquet")
    run(folder, "changed", recipe)
    assert manifest_of(changed)["funnel"]["problems.problems"] == 101
    # the library's own cache takes all folders of one name for the same
    (folder / "elsewhere").mkdir()
    shutil.copytree(folder / "set", folder / "elsewhere/changing")
    there = recipe.replace("id: changing", "id: elsewhere/changing")
    assert manifest_of(run(folder, "there", there)[0])["funnel"]["problems.problems"] == 100


NOT_THERE = {
    "config=mian": ["'mian'", "Check the names"],
    "split=dev": ["'dev'", "Check the names"],
    "id=nobody/nothing": ["'nobody/nothing'", "cannot be reached"],
    "problem.statement=question": ["hub dataset set", "no row has 'question' for statement"],
}


def test_what_is_not_there_is_said(folder):
    def one(asked):
        name = asked.partition("=")[0]
        recipe = SAMPLE.replace("PLACE", HUB)
        return run(folder, name, recipe, f"stages.problems.hub.{asked}", code=2)[1]

    with ThreadPoolExecutor(2) as pool:
        for asked, said in zip(NOT_THERE, pool.map(one, NOT_THERE), strict=True):
            assert all(word in said for word in NOT_THERE[asked]), said


def test_where_a_local_dataset_lies_is_no_part_of_the_release(folder, from_hub):
    found, _ = run(
        folder, "absolute", SAMPLE.replace("PLACE", HUB), f"stages.problems.hub.id={folder}/set"
    )
    for path in (found / "dataset").rglob("*"):
        assert path.is_dir() or str(folder).encode() not in path.read_bytes(), path
