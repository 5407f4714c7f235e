"""croissant.json is what its readers expect; the reader itself is optional (mlcroissant)."""

import hashlib
import json
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "tracefactory"]
RECIPE = """\
name: small
seed: 7
stages:
  problems: {use: sample, families: [{name: gcd, count: 60, split: {test: 10}}]}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.5}
    attempts: {min: 4, max: 4}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts, views: [sft, sft_reasoning, rl, preference, rejected]}
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("croissant")
    (folder / "small.yaml").write_text(RECIPE)
    subprocess.run(
        [*COMMAND, "run", "small.yaml", "--inline", "--folder", "run"],
        cwd=folder, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return folder / "run/dataset"


def test_it_names_every_shard_with_its_hash_and_every_column(dataset):
    found = json.loads((dataset / "croissant.json").read_bytes())
    files = [one for one in found["distribution"] if one["@type"] == "cr:FileObject"]
    shards = {str(path.relative_to(dataset)) for path in dataset.glob("[!m]*/*.parquet")}
    assert {one["contentUrl"] for one in files} == shards
    for one in files:
        data = (dataset / one["contentUrl"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(data).hexdigest()
    assert found["rai:hasSyntheticData"] is True
    assert found["prov:wasDerivedFrom"][0]["license"] == "Apache-2.0"
    assert {one["name"] for one in found["recordSet"]} == {
        "sft", "sft_reasoning", "rl", "preference", "rejected"
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what it stands on
def test_its_own_reader_finds_no_fault_and_reads_rows(dataset, monkeypatch):
    mlcroissant = pytest.importorskip(
        "mlcroissant", reason="NOT TESTED: mlcroissant is not installed: pip install mlcroissant"
    )
    monkeypatch.chdir(dataset)
    found = mlcroissant.Dataset(jsonld="croissant.json")
    assert found.metadata.ctx.is_v1_1()
    assert not found.metadata.ctx.issues.errors
    for name in ("sft", "rl", "preference"):
        row = next(iter(found.records(name)))
        assert row[f"{name}/id"]
