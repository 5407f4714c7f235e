"""Probes from the recipe to the release: rows, figures, card, report, and an audit of all of it."""

import hashlib
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from tracefactory.audit.asked import Asked
from tracefactory.audit.examine import audit_release
from tracefactory.audit.interval import wilson
from tracefactory.cluster import InlinePool
from tracefactory.schemas.traces import PROBES_SCHEMA
from tracefactory.store.sums import SUMS

COMMAND = Path(sys.executable).with_name("tracefactory")
RECIPE = """\
name: probed
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 50}
    families: [{name: modular_sum, count: 150, split: {test: 5}}, {name: polynomial, count: 50}]
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3}
    attempts: {min: 2, max: 4, until_correct: 1}
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}
  altered: {use: probe, from: kept, teacher: {kind: solver}, share: 0.5}
  cut: {use: probe, from: altered, teacher: {kind: solver}, kind: truncate, share: 0.5}
  unique: {use: dedupe, from: cut}
  dataset:
    use: publish
    from: unique
    shard: {rows: 250}
    views: [sft, rl, rejected, probes]
"""
DECORATIVE = [f"stages.{stage}.teacher.decorative=true" for stage in ("attempts", "altered", "cut")]


def run(folder, *overrides, recipe=RECIPE):
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe)
    changes = [word for each in overrides for word in ("--set", each)]
    return subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run", *changes],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def made(folder, *overrides):
    done = run(folder, *overrides)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / "dataset"


@pytest.fixture(scope="module")
def faithful(tmp_path_factory):
    return made(tmp_path_factory.mktemp("faithful"))


@pytest.fixture(scope="module")
def decorative(tmp_path_factory):
    return made(tmp_path_factory.mktemp("decorative"), *DECORATIVE)


def rows_of(dataset, config, split):
    files = sorted((dataset / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def manifest_of(dataset):
    return orjson.loads((dataset / "manifest/manifest.json").read_bytes())


def outcomes(dataset, kind):
    return set(Counter(row["outcome"] for row in rows_of(dataset, "probes", kind)).items())


# --- What it tells -------------------------------------------------------------------------------


def test_a_teacher_that_uses_its_steps_is_told_from_one_that_does_not(faithful, decorative):
    (moved,), (stayed,) = outcomes(faithful, "alter"), outcomes(decorative, "alter")
    assert moved[0] == "moved"
    assert moved[1] > 60
    assert stayed[0] == "stayed"
    assert stayed[1] > 60


def test_without_reasoning_only_the_decorative_one_has_an_answer(faithful, decorative):
    (mute,), (stayed,) = outcomes(faithful, "truncate"), outcomes(decorative, "truncate")
    assert (mute[0], stayed[0]) == ("no_answer", "stayed")


# --- What is published ---------------------------------------------------------------------------


def test_rows_are_correct_traces_up_to_one_altered_value(faithful):
    traces = {row["id"]: row for row in rows_of(faithful, "sft", "train")}
    traces |= {row["id"]: row for row in rows_of(faithful, "rejected", "train")}
    for row in rows_of(faithful, "probes", "alter"):
        trace = traces[row["attempt_id"]]
        assert trace["status"] == "correct"
        assert trace["final_answer"] == row["trace_answer"]
        assert row["id"] == f"{trace['id']}/probe/alter"
        for name in ("problem_id", "domain", "task_type", "source", "license", "teacher"):
            assert row[name] == trace[name]
        lines = trace["messages"][1]["content"].split("\n")[: row["step"]]
        *same, altered = row["prefix"].rstrip("\n").split("\n")
        assert same == lines[:-1]
        assert altered.removesuffix(row["after"]) == lines[-1].removesuffix(row["before"])


def test_files_have_the_columns_and_hashes_of_their_view(faithful):
    for split in ("alter", "truncate"):
        for file in (faithful / "probes").glob(f"{split}-*.parquet"):
            assert pq.read_schema(file).remove_metadata() == PROBES_SCHEMA
        for row in rows_of(faithful, "probes", split):
            content = orjson.dumps([row["prefix"], row["continuation"]])
            assert row["content_sha256"] == hashlib.sha256(content).hexdigest()
            assert row["kind"] == split


def test_attempts_rates_and_the_other_views_know_nothing_of_probes(faithful, tmp_path):
    dataset = made(
        tmp_path,
        "stages.altered.share=0.001",
        "stages.cut.share=0.001",
    )
    for config, split in (("sft", "train"), ("rejected", "train"), ("rl", "train")):
        plain, probed = rows_of(dataset, config, split), rows_of(faithful, config, split)
        for row in (*plain, *probed):
            row.pop("recipe_id")
        assert plain == probed


def test_figures_are_those_of_the_rows_and_the_interval_that_of_the_counts(faithful):
    rows = pq.read_table(faithful / "manifest/shards.parquet").to_pylist()
    assert sum(row["config"] == "probes" for row in rows) >= 4  # several shards of each kind
    for row in rows:
        found = [row[f"probe_{name}"] for name in ("n", "moved", "moved_low", "moved_high")]
        if row["config"] != "probes":
            assert found == [None] * 4
            continue
        assert row["n_correct"] is None
        file = pq.ParquetFile(faithful / row["path"]).read().to_pylist()
        counts = Counter(one["outcome"] for one in file)
        n = counts["moved"] + counts["stayed"]
        assert found == [n, counts["moved"], *wilson(counts["moved"], n)[1:]]
        stats = orjson.loads(row["stats"])["probes"]
        assert stats == {f"{row['split']}.{name}": k for name, k in sorted(counts.items())}


def test_the_manifest_folds_them(faithful):
    configs = manifest_of(faithful)["configs"]["probes"]
    assert set(configs) == {"alter", "truncate"}
    n = len(rows_of(faithful, "probes", "alter"))
    assert configs["alter"]["stats"]["probes"] == {"alter.moved": n}
    assert manifest_of(faithful)["funnel"]["altered.probed"] == n
    assert len(configs["alter"]["files"]) > 1


def test_card_and_report_say_what_came_of_it(faithful):
    n = len(rows_of(faithful, "probes", "alter"))
    card = (faithful / "README.md").read_text()
    assert f"| alter | {n} | {n} | 100.0 % |" in card
    assert "split: truncate\n    path: probes/truncate-*" in card
    assert "did not decide it" in card
    report = (faithful / "report.html").read_text()
    assert "tampered with" in report
    assert "100.0 %" in report


def test_a_release_without_probes_says_nothing_of_them(tmp_path):
    dataset = made(tmp_path, "stages.dataset.views=[sft, rl, rejected]")
    assert not (dataset / "probes").exists()
    assert "tampered with" not in (dataset / "README.md").read_text()
    assert "tampered with" not in (dataset / "report.html").read_text()


def test_croissant_describes_them(faithful):
    found = orjson.loads((faithful / "croissant.json").read_bytes())
    (records,) = [r for r in found["recordSet"] if r["@id"] == "probes"]
    assert [field["name"] for field in records["field"]] == PROBES_SCHEMA.names
    (files,) = [d for d in found["distribution"] if d["@id"] == "files-of-probes"]
    assert files["includes"] == ["probes/alter-*.parquet", "probes/truncate-*.parquet"]


def test_the_same_trace_probed_twice_in_one_way_is_refused(tmp_path):
    done = run(tmp_path, "stages.cut.kind=alter")
    assert done.returncode == 2
    assert "two probe stages of kind 'alter' ask for the same trace" in done.stderr


# --- Audit ---------------------------------------------------------------------------------------


def audited(folder):
    return audit_release(Path(folder), Asked(planted=5), InlinePool(), lambda *_: None)


def test_an_honest_release_is_sound(faithful, decorative):
    for dataset in (faithful, decorative):
        outcome = audited(dataset)
        assert outcome.faults == []
        assert outcome.rows == sum(
            len(rows_of(dataset, config, "train")) for config in ("sft", "rejected")
        )  # probes are no attempts: they are not judged again
        assert outcome.views["probes.alter"] == len(rows_of(dataset, "probes", "alter"))


def tampered(faithful, tmp_path, change):
    """A copy in which the first row of the probes is another, and its shard's bytes as well."""
    import pyarrow as pa

    from tracefactory.store.files import parquet_bytes

    folder = tmp_path / "forged"
    shutil.copytree(faithful, folder)
    path = folder / "probes/alter-00000.parquet"
    rows = pq.ParquetFile(path).read().to_pylist()
    change(rows[0])
    path.unlink()  # it may be a hard link of the run's
    path.write_bytes(
        bytes(parquet_bytes(pa.Table.from_pylist(rows, schema=PROBES_SCHEMA), published=True))
    )
    assert (folder / SUMS).exists()
    return {fault.check for fault in audited(folder).faults}


def test_a_changed_outcome_is_found_in_the_figures(faithful, tmp_path):
    found = tampered(faithful, tmp_path, lambda row: row.update(outcome="stayed"))
    assert {"statistics", "file_sha256"} <= found


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"continuation": "other words"}, "row_content_sha256"),
        ({"attempt_id": "p/solver/0", "id": "p/solver/0/probe/alter"}, "probe_alone"),
        ({"attempt_id": "p/solver/0"}, "row_id"),
        ({"license": "MIT"}, "probe_differs"),
        ({"teacher": "somebody"}, "probe_differs"),
        ({"kind": "truncate"}, "probe_kind"),
        ({"outcome": "won"}, "probe_outcome"),
        ({"recipe_id": "0"}, "row_recipe_id"),
    ],
)
def test_what_an_auditor_finds(faithful, tmp_path, change, check):
    assert check in tampered(faithful, tmp_path, lambda row: row.update(change))
