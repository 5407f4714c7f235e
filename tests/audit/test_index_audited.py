"""The index of a release is made again from its rows: no line of it can say anything else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from audit_harness import RECIPE, Forger, audited, named
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracefactory.audit.asked import Asked
from tracefactory.repeats.index import BANDS_SCHEMA, ROWS_SCHEMA, SPEC
from tracefactory.store.files import parquet_bytes

COMMAND = Path(sys.executable).with_name("tracefactory")
QUICK = Asked(recheck=False, planted=0)
BANDS = "index/sft-train-00000.bands.parquet"
ROWS = "index/rl-train-00000.rows.parquet"


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """The honest release, with near-duplicates looked for."""
    folder = tmp_path_factory.mktemp("near")
    text = RECIPE.replace("{use: dedupe, from: kept}", "{use: dedupe, from: kept, level: near}")
    (folder / "recipe.yaml").write_text(text, "utf-8")
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / "dataset"


@pytest.fixture
def forged(near, tmp_path):
    shutil.copytree(near, tmp_path / "forged")
    return Forger(tmp_path / "forged")


def changed(forger, name, change):
    """Change a table of the index, as rows; the sums are made right."""
    path = forger.folder / name
    rows = pq.read_table(path).to_pylist()
    change(rows)
    schema = BANDS_SCHEMA if ".bands." in name else ROWS_SCHEMA
    table = pa.Table.from_pylist(rows, schema=schema)
    forger.write(name, bytes(parquet_bytes(table, published=True)))
    forger.sums_right()
    return audited(forger.folder, QUICK)


def test_an_honest_index_is_sound(near):
    outcome = audited(near)
    assert (near / SPEC).is_file()
    assert outcome.faults == []
    assert outcome.notes == []


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_other_value_in_an_index_is_found_and_named(near, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("index") / "forged"
    shutil.copytree(near, folder)
    tables = sorted((near / "index").glob("*.parquet"))
    name = data.draw(st.sampled_from([p.name for p in tables if pq.read_metadata(p).num_rows]))
    at: list[int] = []
    said: list[str] = []

    def change(rows):
        at.append(data.draw(st.integers(0, len(rows) - 1)))
        row = rows[at[0]]
        said.append(data.draw(st.sampled_from(sorted(row))))
        value = row[said[0]]
        match value:
            case bool():
                row[said[0]] = not value
            case int():
                row[said[0]] = value ^ 1
            case str():
                row[said[0]] = f"{value}x"
            case _:
                row[said[0]] = [1, *value[1:]]

    outcome = changed(Forger(folder), f"index/{name}", change)
    assert [(fault.check, fault.file) for fault in outcome.faults] == [
        ("index_differs", f"index/{name}")
    ]
    assert outcome.faults[0].found.startswith(f"line {at[0]}: {said[0]} ")
    assert outcome.faults[0].expected.endswith(", by its rows")


@pytest.mark.parametrize("name", [BANDS, ROWS])
def test_lines_that_were_taken_out_are_missed(forged, name):
    outcome = changed(forged, name, lambda rows: rows.pop())
    assert named(outcome) == {("index_differs", name)}


def test_an_index_of_rows_that_are_not_there_is_found(forged):
    """A row was taken out of sft, and later runs would still drop what is like it."""
    path = "sft/train-00000.parquet"
    forged.put_rows(path, forged.rows(path)[1:])
    before = {
        p.relative_to(forged.folder).as_posix(): p.read_bytes()
        for p in (forged.folder / "index").iterdir()
    }
    forged.finish()
    for name, data in before.items():
        forged.write(name, data)
    forged.sums_right()
    assert ("index_differs", BANDS) in named(audited(forged.folder, QUICK))


def test_a_part_that_is_missing_or_of_no_shard_is_named(forged):
    (forged.folder / BANDS).rename(forged.folder / "index/sft-train-00099.bands.parquet")
    forged.sums_right()
    assert named(audited(forged.folder, QUICK)) == {
        ("index_missing", BANDS),
        ("index_unlisted", "index/sft-train-00099.bands.parquet"),
    }


def test_what_is_no_table_is_named(forged):
    forged.write(BANDS, b"not Parquet")
    forged.sums_right()
    assert named(audited(forged.folder, QUICK)) == {("index_unreadable", BANDS)}


def test_an_index_of_another_definition_is_not_believed_and_that_is_said(forged):
    data = forged.read(SPEC)
    forged.write(SPEC, data.replace(b'"rows": 8', b'"rows": 13'))
    assert forged.read(SPEC) != data
    forged.sums_right()
    outcome = audited(forged.folder, QUICK)
    assert outcome.faults == []
    assert outcome.notes == ["its index is of another definition: not made again"]
