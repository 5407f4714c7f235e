"""The released dataset: what trainers load, what auditors add up again."""

import datetime
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tracefactory.errors import IntegrityError
from tracefactory.publish.stats import counted, rate_bins
from tracefactory.schemas.manifest import Stats
from tracefactory.schemas.traces import SFT_SCHEMA, VIEW_SCHEMAS
from tracefactory.stages.split import held_out
from tracefactory.store.files import read_parquet
from tracefactory.verifiers.extract import split_reasoning

COMMAND = Path(sys.executable).with_name("tracefactory")
OTHERS = ("probes", "overlaps")  # test_probes.py, test_overlaps.py
VIEWS = [view for view in VIEW_SCHEMAS if view not in OTHERS]

RECIPE = """\
name: small
seed: 7
description: "Sums: some of them wrong"
stages:
  problems:
    use: sample
    chunk: {rows: 100}
    families:
      - {name: modular_sum, count: 300, split: {test: 30, ood: 20}}
      - {name: gcd, count: 100}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3, repair_rate: 0.3, habit_rate: 0.2}
    attempts: {min: 2, max: 4, until_correct: 1}
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}
  unique: {use: dedupe, from: kept}
  dataset:
    use: publish
    from: unique
    shard: {rows: 200}
    views: [sft, sft_reasoning, rl, pretrain, preference, rejected]
"""
NO_FILTER = """\
name: no_filter
seed: 7
stages:
  problems: {use: sample, families: [{name: gcd, count: 60}]}
  attempts: {use: generate, from: problems, teacher: {kind: solver, slip_rate: 0.5}}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""
# splits and text as a user's file has them, one attempt a row
STORED = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    path: stored.jsonl
    license: "MIT"
    problem: {id: id, statement: q, reference: a, split: split}
    attempts: [{teacher: org/model-8B, text: text, finish_reason: finish}]
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


RECIPE_FILE = "of_mine.yaml"


def tracefactory(*arguments, cwd, code=0):
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


def run(recipe, folder, *arguments, code=0):
    """Run a recipe's text; the run folder."""
    folder.mkdir(exist_ok=True)
    (folder / RECIPE_FILE).write_text(recipe, "utf-8")
    tracefactory(
        "run", RECIPE_FILE, "--inline", "--folder", "run", *arguments, cwd=folder, code=code
    )
    return folder / "run"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return run(RECIPE, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def nothing_kept(tmp_path_factory):
    none = RECIPE.replace("n_false_steps = 0", "n_reasoning_chars < 0")
    return run(none, tmp_path_factory.mktemp("none"))


@pytest.fixture(scope="module")
def no_filter(tmp_path_factory):
    return run(NO_FILTER, tmp_path_factory.mktemp("no_filter"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    splits = ["train", "test", "ood_dev", "dev-1", "../../up", "all", "a/b"]
    rows = [
        {
            "id": f"set/{i}/x",
            "q": f"What is {i} + {i}?",
            "a": str(2 * i),
            "split": splits[i % len(splits)],
            "text": f"\\boxed{{{2 * i + (i % 3 == 0)}}}",
            "finish": "length" if i % 5 == 0 else "stop",
        }
        for i in range(70)
    ]
    (folder / "stored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run(STORED, folder)


# --- As a trainer loads it ---------------------------------------------------------------------

# A cache for each folder: by default all folders of one name share one (see sources/hub.py).
LOAD = """\
import functools, hashlib, json, os, sys
import datasets
datasets.disable_progress_bars()
found = {}
for folder in sys.argv[1:]:
    cache = os.path.join(os.environ["HF_HOME"], hashlib.sha256(folder.encode()).hexdigest())
    load_dataset = functools.partial(datasets.load_dataset, cache_dir=cache)
    found[folder] = {}
    for config in datasets.get_dataset_config_names(folder):
        try:
            splits = load_dataset(folder, config)
        except ValueError as error:
            splits, found[folder][config] = {}, {"error": str(error)}
        for split, rows in splits.items():
            streamed = load_dataset(folder, config, split=split, streaming=True)
            found[folder][f"{config}.{split}"] = {
                "columns": {name: str(kind) for name, kind in rows.features.items()},
                "rows": rows.to_list(),
                "same_when_streamed": list(streamed) == rows.to_list(),
            }
    found[folder]["default"] = list(load_dataset(folder, split="train", streaming=True))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory, small, stored):
    """Every config and split of two releases, as `datasets` reads them."""
    found = load(tmp_path_factory.mktemp("hf"), small, stored)
    return {"small": found[0], "stored": found[1]}


def load(home, *runs):
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    folders = [str(run / "dataset") for run in runs]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *folders],
        env=env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    return [found[folder] for folder in folders]


def test_two_releases_are_not_taken_for_one_by_the_reader_s_cache(no_filter, tmp_path):
    """`datasets` tells local folders apart by name and card alone, and ours are all `dataset`."""
    other = run(NO_FILTER.replace("seed: 7", "seed: 8"), tmp_path / "other")
    script = (
        "import datasets, sys; datasets.disable_progress_bars()\n"
        "for folder in sys.argv[1:]:\n"
        "    print(*sorted(datasets.load_dataset(folder, split='train')['id']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(no_filter / "dataset"), str(other / "dataset")],
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    for line, folder in zip(done.stdout.splitlines(), (no_filter, other), strict=True):
        assert line.split() == sorted(view_of(folder, "sft").column("id").to_pylist())


def test_every_config_and_split_loads_whole_and_as_a_stream(loaded):
    held_out = {"rl.test", "rl.ood_negative_first", "rl.ood_six_terms", "rl.ood_seven_terms"}
    trained = {f"{name}.train" for name in (*VIEWS, "shard_stats")}
    assert set(loaded["small"]) == held_out | trained | {"default"}
    for name, found in loaded["small"].items():
        if name != "default":
            assert found["same_when_streamed"], name
            assert found["rows"], name


def test_sft_is_the_default_config(loaded):
    assert loaded["small"]["default"] == loaded["small"]["sft.train"]["rows"]


def test_loaded_rows_are_the_rows_on_disk(loaded, small):
    for view in VIEWS:
        assert loaded["small"][f"{view}.train"]["rows"] == view_of(small, view).to_pylist()


def test_columns_are_exactly_those_of_the_schemas(loaded, small):
    assert list(loaded["small"]["sft.train"]["columns"]) == SFT_SCHEMA.names
    for path in sorted((small / "dataset").glob("*/*.parquet")):
        if path.parent.name in VIEW_SCHEMAS:
            found = pq.read_schema(path)
            assert found.remove_metadata() == VIEW_SCHEMAS[path.parent.name], path


def test_a_filter_that_keeps_nothing_leaves_one_empty_file(nothing_kept):
    (path,) = (nothing_kept / "dataset" / "sft").iterdir()
    assert path.name == "train-00000.parquet"
    assert pl.read_parquet(path).shape == (0, len(SFT_SCHEMA))
    assert pq.read_schema(path).remove_metadata() == SFT_SCHEMA
    assert set(manifest_of(nothing_kept)["configs"]) == {"sft", "rl", "rejected"}


def test_an_empty_sft_still_loads_as_a_stream(nothing_kept, tmp_path):
    (found,) = load(tmp_path, nothing_kept)
    assert found["default"] == []
    assert len(found["rejected.train"]["rows"]) > 400
    # All that `datasets` has to say of a split without rows, however it is written.
    assert "corresponds to no data" in found["sft"]["error"]


def test_a_user_s_splits_are_taken_or_refused_with_a_reason(loaded, stored):
    assert {name for name in loaded["stored"] if name.startswith("rl.")} == {
        "rl.train", "rl.test", "rl.ood_dev"
    }  # fmt: skip
    assert manifest_of(stored)["rejected_rows"] == {"bad_split": 40}
    outside = [path for path in stored.parent.rglob("*up*") if path.is_file()]
    assert outside == []


def test_stored_attempts_at_held_out_problems_are_rejected_as_such(loaded):
    rows = loaded["stored"]["rejected.train"]["rows"]
    assert Counter(row["drop_reason"] for row in rows) == {"held_out": 20, "status incorrect": 4}
    assert {row["dropped_by"] for row in rows} == {"dataset"}


# --- What is in it -----------------------------------------------------------------------------


def view_of(run, view, split="train"):
    files = sorted((run / "dataset" / view).glob(f"{split}-*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def manifest_of(run):
    return orjson.loads((run / "dataset/manifest/manifest.json").read_bytes())


def attempts_of(run):
    files = sorted((run / "raw").glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def test_sft_and_rejected_are_all_attempts_and_none_twice(small):
    sft, rejected = view_of(small, "sft"), view_of(small, "rejected")
    ids = sft.column("id").to_pylist() + rejected.column("id").to_pylist()
    assert len(ids) == len(set(ids))
    assert set(ids) == set(attempts_of(small).column("id").to_pylist())
    assert view_of(small, "pretrain").column("id").to_pylist() == sft.column("id").to_pylist()


def test_every_rejected_row_has_its_stage_and_reason(small):
    pairs = zip(*(view_of(small, "rejected").column(c).to_pylist() for c in
                  ("dropped_by", "drop_reason")), strict=True)  # fmt: skip
    by = Counter((stage, reason.partition(" of ")[0]) for stage, reason in pairs)
    assert set(by) == {
        ("kept", "fails status = 'correct'"),
        ("kept", "fails n_false_steps = 0"),
        ("unique", "duplicate"),
    }
    assert {f"{s}: {r}": n for (s, r), n in by.items()} == manifest_of(small)["configs"][
        "rejected"
    ]["train"]["stats"]["dropped"]


def test_a_row_is_problem_attempt_and_verdict(small):
    attempts = {row["id"]: row for row in attempts_of(small).to_pylist()}
    for row in [*view_of(small, "sft").to_pylist(), *view_of(small, "rejected").to_pylist()]:
        attempt = attempts[row["id"]]
        user, assistant = row["messages"]
        assert user["role"] == "user"
        assert user["content"].endswith("\n\nPut the final answer in \\boxed{}.")
        assert assistant == {"role": "assistant", "content": attempt["text"]}
        assert row["id"] == f"{row['problem_id']}/solver/{row['attempt_index']}"
        assert row["verifier"] == "tracefactory.verifiers.symbolic:verify@1"
        assert (row["final_answer"] == row["answer"]) == (row["status"] == "correct")
        assert row["seed"] == attempt["seed"]
        assert (row["tokenizer"], row["n_answer_tokens"]) == (None, None)  # nobody counted
        content = orjson.dumps([user["content"], assistant["content"], row["answer"]])
        assert row["content_sha256"] == hashlib.sha256(content).hexdigest()


def test_rl_says_how_to_check_and_how_hard(small):
    traces = [*view_of(small, "sft").to_pylist(), *view_of(small, "rejected").to_pylist()]
    tasks = view_of(small, "rl").to_pylist()
    assert len(tasks) == 400
    assert {row["problem_id"] for row in traces} == {row["problem_id"] for row in tasks}
    for task in tasks[:50]:
        mine = [row for row in traces if row["problem_id"] == task["problem_id"]]
        first = [row["status"] == "correct" for row in mine if row["attempt_index"] < 2]
        assert task["pass_rate"] == sum(first) / 2
        assert task["difficulty"] == 1 - task["pass_rate"]
        assert task["n_attempts"] == len(mine)
        assert task["n_correct"] == sum(row["status"] == "correct" for row in mine)
        info = json.loads(task["verification_info"])
        assert info["verifier"] == mine[0]["verifier"]
        assert info["reference"] == task["solution"] == mine[0]["answer"]


def test_held_out_problems_are_published_and_never_attempted(small):
    attempted = set(attempts_of(small).column("problem_id").to_pylist())
    for split, n in {"test": 30, "ood_six_terms": 20, "ood_seven_terms": 20}.items():
        table = view_of(small, "rl", split)
        assert table.num_rows == n
        assert not attempted & set(table.column("problem_id").to_pylist())
        assert set(table.column("pass_rate").to_pylist()) == {None}


def test_without_a_filter_only_correct_rows_reach_sft(no_filter):
    assert set(view_of(no_filter, "sft").column("status").to_pylist()) == {"correct"}
    rejected = view_of(no_filter, "rejected")
    assert set(rejected.column("status").to_pylist()) == {"incorrect"}
    assert set(rejected.column("drop_reason").to_pylist()) == {"status incorrect"}
    assert set(rejected.column("dropped_by").to_pylist()) == {"dataset"}


# --- Files -------------------------------------------------------------------------------------


def test_shards_are_numbered_without_holes(small):
    for view in VIEWS:
        names = sorted(p.name for p in (small / "dataset" / view).glob("train-*"))
        assert len(names) == 4
        assert names == [f"train-{i:05d}.parquet" for i in range(4)]


def test_files_are_compressed_indexed_and_checked_page_by_page(small, tmp_path):
    path = small / "dataset/sft/train-00000.parquet"
    metadata = pq.ParquetFile(path).metadata
    assert metadata.row_group(0).total_byte_size < 100_000_000
    for i in range(metadata.num_columns):
        column = metadata.row_group(0).column(i)
        assert column.compression == "ZSTD", column.path_in_schema
        assert column.has_offset_index, column.path_in_schema
    column = metadata.row_group(0).column(metadata.num_columns - 1)  # content_sha256
    assert column.path_in_schema == "content_sha256"
    bad = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    bad[start + column.total_compressed_size // 2] ^= 1
    (tmp_path / "bad.parquet").write_bytes(bad)
    with pytest.raises(IntegrityError, match="cannot be read back"):
        read_parquet(tmp_path / "bad.parquet")


def test_sums_are_those_of_all_files(small):
    dataset = small / "dataset"
    sums = dict(
        reversed(line.split("  ")) for line in (dataset / "SHA256SUMS").read_text().splitlines()
    )
    found = {str(p.relative_to(dataset)): p for p in dataset.rglob("*") if p.is_file()}
    assert set(sums) == set(found) - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256(found[name].read_bytes()).hexdigest() == digest, name
    committed = (small / "COMMITTED").read_text().strip()
    assert committed == sums["manifest/manifest.json"]


@pytest.mark.parametrize("name", ["small", "stored"])
def test_nothing_in_it_depends_on_where_and_when(name, request, tmp_path_factory):
    """No date, host or path, in the bytes or in the rows; and another folder gives the same."""
    run_folder = request.getfixturevalue(name)
    today = datetime.datetime.now(datetime.UTC)
    secrets = [str(tmp_path_factory.getbasetemp()), RECIPE_FILE, today.strftime("%Y-%m-%d")]
    host = socket.gethostname()
    if len(host) > 3:
        secrets.append(host)
    for path in (run_folder / "dataset").rglob("*"):
        if not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            text += json.dumps(pq.ParquetFile(path).read().to_pylist())
        for secret in secrets:
            assert secret not in text, (path, secret)


def test_the_same_recipe_elsewhere_gives_the_same_bytes(stored, tmp_path):
    (tmp_path / "moved.jsonl").write_bytes((stored.parent / "stored.jsonl").read_bytes())
    other = run(STORED.replace("stored.jsonl", "moved.jsonl"), tmp_path / "x",
                "--set", f"stages.attempts.path={tmp_path / 'moved.jsonl'}")  # fmt: skip
    assert files_of(other / "dataset") == files_of(stored / "dataset")


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_unchanged_run_leaves_the_release_untouched(small):
    def seen():
        return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (small / "dataset").rglob("*")}

    before = seen()
    tracefactory("run", RECIPE_FILE, "--inline", "--folder", "run", cwd=small.parent)
    assert seen() == before


def test_a_damaged_release_is_found_and_put_right_by_the_next_run(no_filter):
    dataset = no_filter / "dataset"
    whole = files_of(dataset)
    (dataset / "README.md").write_bytes(b"x" * (dataset / "README.md").stat().st_size)
    (dataset / "manifest/shards.parquet").unlink()
    _replace(next((dataset / "sft").iterdir()))
    found = tracefactory("fsck", "run", cwd=no_filter.parent, code=6).stdout
    for name, what in {
        "README.md": "not what SHA256SUMS says",
        "manifest/shards.parquet": "missing",
        "sft/train-00000.parquet": "not what SHA256SUMS says",
    }.items():
        assert f"dataset: dataset/{name} is {what}" in found
    tracefactory("run", RECIPE_FILE, "--inline", "--folder", "run", cwd=no_filter.parent)
    assert files_of(dataset) == whole
    _replace(next((dataset / "rl").iterdir()))  # the size stays: only its content tells
    tracefactory("run", RECIPE_FILE, "--inline", "--folder", "run", cwd=no_filter.parent)
    assert files_of(dataset) == whole
    tracefactory("fsck", "run", cwd=no_filter.parent)


def _replace(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # else the run's own copy, the same file, would change too
    path.write_bytes(data)


# --- Figures -----------------------------------------------------------------------------------


def shard_files(run):
    return [orjson.loads(path.read_bytes()) for path in
            sorted((run / "dataset/manifest/shards").iterdir())]  # fmt: skip


@pytest.mark.parametrize("name", ["small", "nothing_kept", "no_filter", "stored"])
def test_figures_of_the_release_are_the_fold_of_its_shards(name, request):
    run_folder = request.getfixturevalue(name)
    manifest, shards = manifest_of(run_folder), shard_files(run_folder)
    assert {s["path"] for s in shards} == {f["path"] for f in manifest["files"]}
    for config, splits in manifest["configs"].items():
        for split, figures in splits.items():
            mine = [s for s in shards if (s["config"], s["split"]) == (config, split)]
            folded = Stats.fold(Stats.from_json(s["stats"]) for s in mine)
            assert asdict(folded) == asdict(Stats.from_json(figures["stats"]))
            assert figures["rows"] == sum(s["rows"] for s in mine) == folded.rows
            assert figures["bytes"] == sum(s["bytes"] for s in mine)


@pytest.mark.parametrize("name", ["small", "nothing_kept", "no_filter", "stored"])
def test_figures_of_the_release_are_those_of_its_rows(name, request):
    """What an auditor can add up again from the Parquet files alone."""
    run_folder = request.getfixturevalue(name)
    for config, splits in manifest_of(run_folder)["configs"].items():
        for split, figures in splits.items():
            rows = pl.DataFrame(view_of(run_folder, config, split))
            stats = figures["stats"]
            assert figures["rows"] == stats["rows"] == rows.height
            for column, figure in {
                "domain": "domains", "task_type": "task_types", "source": "sources",
                "license": "licenses", "status": "statuses", "teacher": "teachers",
                "verifier": "verifiers", "finish_reason": "finish_reasons",
            }.items():  # fmt: skip
                if column in rows.columns:
                    assert stats[figure] == counted(rows[column].to_list()), (config, column)
            if "pass_rate" in rows.columns:
                bins, unrated = rate_bins(rows["pass_rate"].to_list())
                assert (tuple(stats["pass_rates"]), stats["unrated"]) == (bins, unrated)
            if "finish_reason" in rows.columns and rows.height:
                assert stats["truncated"] == rows.filter(finish_reason="length").height
            if "n_false_steps" in rows.columns and stats["rows_with_false_steps"] is not None:
                bad = rows.filter(pl.col("n_false_steps") > 0)
                assert stats["rows_with_false_steps"] == bad.height
                assert stats["correct_with_false_steps"] == bad.filter(status="correct").height
                steps = stats["steps"]
                assert steps["false"] == rows["n_false_steps"].sum()
                assert steps["true"] + steps["rounded"] == rows["n_true_steps"].sum()
            if config == "sft":
                texts = [messages[1]["content"] for messages in rows["messages"].to_list()]
                parts = [split_reasoning(text) for text in texts]
                assert stats["reasoning_chars"]["sum"] == sum(len(think) for think, _ in parts)
                assert stats["answer_chars"]["sum"] == sum(len(answer) for _, answer in parts)


def test_shard_stats_are_one_row_a_shard(loaded, small):
    rows = loaded["small"]["shard_stats.train"]["rows"]
    assert sorted(row["path"] for row in rows) == sorted(s["path"] for s in shard_files(small))
    for row in rows:
        path = small / "dataset" / row["path"]
        metadata = pq.ParquetFile(path).metadata
        assert row["rows"] == metadata.num_rows
        assert row["row_groups"] == metadata.num_row_groups
        assert row["bytes"] == path.stat().st_size
        assert row["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        hashes = pq.ParquetFile(path).read(["content_sha256"]).column(0).to_pylist()
        digest = hashlib.sha256(b"".join(map(bytes.fromhex, hashes))).hexdigest()
        assert row["content_sha256"] == digest
        counts = [row[name] for name in row if name.startswith("n_")]
        without = row["config"] in ("rl", "preference")
        assert counts == [None] * 6 if without else sum(counts) == row["rows"]


def test_row_groups_are_counted_where_there_are_several(tmp_path):
    (tmp_path / "recipe.yaml").write_text(NO_FILTER)
    small_groups = (
        "import sys; from tracefactory.store import files; from tracefactory.cli import main; "
        "files.PUBLISHED_ROW_GROUP_BYTES = 4000; "
        "sys.argv = ['tracefactory', 'run', 'recipe.yaml', '--inline', '--folder', 'run']; main()"
    )
    subprocess.run([sys.executable, "-c", small_groups], cwd=tmp_path, check=True, timeout=60)
    for shard in shard_files(tmp_path / "run"):
        metadata = pq.ParquetFile(tmp_path / "run/dataset" / shard["path"]).metadata
        assert metadata.num_row_groups > 1
        assert shard["row_groups"] == metadata.num_row_groups


def test_the_funnel_goes_from_problems_to_published_rows(small):
    funnel = manifest_of(small)["funnel"]
    n = {name: view_of(small, name).num_rows for name in VIEWS}
    assert next(iter(funnel)) == "problems.problems"
    assert funnel["problems.problems"] == 490
    assert funnel["attempts.attempts"] == n["sft"] + n["rejected"]
    assert funnel["verdicts.correct"] + funnel["verdicts.incorrect"] == n["sft"] + n["rejected"]
    assert funnel["unique.kept"] == funnel["published.sft.train"] == n["sft"]


# --- The card ----------------------------------------------------------------------------------


def front_matter(run):
    _, head, body = (run / "dataset/README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_the_card_names_every_config_and_split(small):
    head, body = front_matter(small)
    configs = {c["config_name"]: [d["split"] for d in c["data_files"]] for c in head["configs"]}
    assert configs == {
        **{name: list(splits) for name, splits in manifest_of(small)["configs"].items()},
        "shard_stats": ["train"],
    }
    assert [c["config_name"] for c in head["configs"] if c.get("default")] == ["sft"]
    assert "written by a program, not by a model" in body
    rows = view_of(small, "sft").num_rows
    assert f"| sft | train | {rows:,} | 4 |" in body


@pytest.mark.parametrize("title", ['Sums: "verified" #1', "- [x] {y}", "'", "ü\u2028é"])
def test_any_title_makes_a_card_that_can_be_read(no_filter, title):
    from tracefactory.publish.card import card
    from tracefactory.schemas.manifest import Manifest

    manifest = replace(Manifest(**manifest_of(no_filter)), title=title)
    contents = dict.fromkeys([*manifest.configs, "shard_stats"], "0")
    text = card(manifest, contents)
    head = yaml.safe_load(text.split("---\n", 2)[1])
    assert head["pretty_name"] == title
    assert f"\n# {title}\n" in text


# --- Holding back ------------------------------------------------------------------------------

SPLIT = """\
name: held
seed: 7
stages:
  problems: {use: sample, chunk: {rows: 100}, families: [{name: modular_sum, count: 600}]}
  held: {use: split, from: problems, test: 0.2}
  attempts: {use: generate, from: held, teacher: {kind: solver}}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


def test_split_holds_back_a_share_that_no_teacher_sees_and_that_stays(tmp_path):
    first = run(SPLIT, tmp_path)
    test = set(view_of(first, "rl", "test").column("problem_id").to_pylist())
    train = set(view_of(first, "rl").column("problem_id").to_pylist())
    assert 85 < len(test) < 155  # 120 expected, 4 standard deviations of 9.8 less or more
    assert len(test) + len(train) == 600
    assert not test & train
    assert set(attempts_of(first).column("problem_id").to_pylist()) == train
    assert manifest_of(first)["funnel"]["held.held_out"] == len(test)
    more = run(SPLIT, tmp_path, "--set", "stages.problems.families.0.count=900")
    assert test <= set(view_of(more, "rl", "test").column("problem_id").to_pylist())
    assert train <= set(view_of(more, "rl").column("problem_id").to_pylist())


def test_held_out_is_a_matter_of_the_words_and_the_seed():
    texts = [f"What is {i} + 1?" for i in range(2000)]
    chosen = [held_out(text, 7, 0.1) for text in texts]
    assert 150 < sum(chosen) < 250
    assert chosen == [held_out(f"  {text.upper()}\n", 7, 0.1) for text in texts]
    assert chosen != [held_out(text, 8, 0.1) for text in texts]
    more = [held_out(text, 7, 0.3) for text in texts]
    assert all(large for small, large in zip(chosen, more, strict=True) if small)  # shares nest
