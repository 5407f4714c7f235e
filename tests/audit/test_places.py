"""What can be audited and where it may lie; and Parquet of others; and what is shown."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from audit_harness import Forger, audited
from conftest import COMMAND

from tracefactory.audit.asked import Asked
from tracefactory.audit.place import opened
from tracefactory.cli.audit_release import Columns, audit_command
from tracefactory.errors import RecipeError, SourceError

NO_COLUMNS = Columns(None, None, None, None, None, False, None, ())


def command(target, columns=NO_COLUMNS, asked=None, max_drift=0.0, as_json=False, inline=True):
    """The exit code, in this process or in one with workers."""
    asked = asked or Asked(planted=10)
    return audit_command(
        str(target), asked, columns, max_drift,
        workers=2, inline=inline, download=None, examples=3, as_json=as_json,
    )  # fmt: skip


def audit(target, capsys, columns=NO_COLUMNS, asked=None, max_drift=0.0):
    """Exit code and what --json prints."""
    code = command(target, columns, asked, max_drift, as_json=True)
    return code, orjson.loads(capsys.readouterr().out)


# --- Places --------------------------------------------------------------------------------------


def test_a_run_folder_is_its_dataset(honest, capsys):
    code, found = audit(honest.parent, capsys)
    assert code == 0
    assert found["recheck"]["agreement"]["share"] == 1.0
    assert found["integrity"]["faults"] == []


def published(honest, folder):
    import hashlib

    name = hashlib.sha256((honest / "manifest/manifest.json").read_bytes()).hexdigest()[:12]
    shutil.copytree(honest, folder / "releases" / name)
    (folder / "LATEST").write_text(f"releases/{name}\n")
    return name


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_published_place_is_its_latest_release(honest, tmp_path, capsys, form):
    published(honest, tmp_path)
    code, found = audit(form.format(tmp_path), capsys, asked=Asked(recheck=False, planted=0))
    assert code == 0
    assert found["integrity"]["rows"] > 100


def test_a_place_of_fsspec_is_fetched_under_safe_names(honest, tmp_path, capsys):
    name = published(honest, tmp_path)
    store = fsspec.filesystem("memory")
    store.put(f"{tmp_path}/releases", "/audited/releases", recursive=True)
    store.pipe("/audited/LATEST", f"releases/{name}\n".encode())
    code, found = audit("memory://audited", capsys, asked=Asked(recheck=False, planted=0))
    assert (code, found["integrity"]["faults"]) == (0, [])
    store.pipe(f"/audited/releases/{name}/sft/../../../up.parquet", b"x")
    store.store[f"/audited/releases/{name}/../../up"] = store.store["/audited/LATEST"]
    with pytest.raises(SourceError, match="leads out"):
        audit("memory://audited", capsys)
    store.rm("/audited", recursive=True)


@pytest.mark.parametrize("target", ["hf://datasets/x", "hf://org/name", "s3://nobucket/x"])
def test_what_cannot_be_fetched_is_an_error_and_no_accident(target, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SourceError), opened(target, None, foreign=False):
        pass


def test_a_download_of_what_is_here_is_refused(honest, tmp_path):
    with pytest.raises(RecipeError, match="--download"):
        audit_command(str(honest), Asked(), NO_COLUMNS, 0.0, None, True, tmp_path / "x", 3, False)


@pytest.mark.parametrize("text", ["../../etc\n", "/etc", "releases/../x", "", "x" * 300])
def test_latest_is_not_followed_elsewhere(honest, tmp_path, text):
    published(honest, tmp_path)
    (tmp_path / "LATEST").write_text(text)
    with pytest.raises(SourceError), opened(str(tmp_path), None, foreign=False):
        pass


def test_what_is_no_release_is_refused_with_advice(tmp_path):
    with (
        pytest.raises(SourceError, match="--statement"),
        opened(str(tmp_path), None, foreign=False),
    ):
        pass
    with pytest.raises(SourceError, match="no such"), opened("nowhere/x", None, foreign=False):
        pass


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"[" * 100_000, b'{"files": 3}', b"\xff\xfe", b'{"name": {"a": 1}}'],
    ids=range(7),
)
def test_a_manifest_of_anything_is_an_error_and_no_accident(forger, data):
    forger.write("manifest/manifest.json", data)
    with pytest.raises(SourceError, match="manifest"):
        audited(forger.folder)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 1000, b"\0" * 4096])
def test_a_shard_of_anything_is_a_fault(forger, data):
    path = forger.shards("sft")[0]
    forger.write(path, data)
    outcome = audited(forger.folder, Asked(planted=5))
    assert {"file_sha256", "unreadable"} <= {f.check for f in outcome.faults if f.file == path}


@pytest.mark.parametrize("how", ["--inline", "--workers=1"])
def test_told_to_end_it_says_so_and_leaves_no_temporary_folder(honest, tmp_path, how):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with subprocess.Popen(
        [COMMAND, "audit", f"file://{honest}", how],
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while process.poll() is None and not list(temporary.glob("tracefactory-*/fetched/*.html")):
            time.sleep(0.002)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert list(temporary.glob("tracefactory-audit-*")) == []


# --- Parquet of others ---------------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path):
    rows = [
        {
            "q": f"What is {i} + {i}?",
            "gold": f"It is easy. #### {2 * i}",
            "said": {"text": f"\\boxed{{{2 * i + (i % 5 == 0)}}}", "right": i % 5 != 0},
        }
        for i in range(40)
    ]
    rows[7]["said"]["right"] = False  # two verdicts that do not hold
    rows[10]["said"]["right"] = True
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet", row_group_size=9)
    return tmp_path / "data.parquet"


COLUMNS = Columns("q", "gold", "said.text", "said.right", "####", False, "numeric", ())


def test_wrong_verdicts_of_others_are_named(foreign, capsys):
    code, found = audit(foreign, capsys, COLUMNS)
    changes = {
        c["id"].rpartition(":")[2]: (c["then"], c["now"]) for c in found["recheck"]["changes"]
    }
    assert changes == {"7": ("incorrect", "correct"), "10": ("correct", "incorrect")}
    assert found["recheck"]["agreement"]["share"] == 38 / 40
    assert found["planted"]["caught"] == found["planted"]["planted"]
    assert code == 6
    code, _ = audit(foreign, capsys, COLUMNS, max_drift=0.05)
    assert code == 0


def test_without_verdicts_the_rows_are_counted(foreign, capsys):
    code, found = audit(foreign.parent, capsys, COLUMNS._replace(verdict=None))
    assert code == 0
    assert found["recheck"]["now"] == {"correct": 32, "incorrect": 8}
    assert found["recheck"]["agreement"] is None


def test_conversations_are_read_by_their_roles(tmp_path, capsys):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{i} + 1?"},
                {"role": "assistant", "content": f"\\boxed{{{i + 1}}}"},
            ],
            "gold": i + 1,
        }
        for i in range(5)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "chat.parquet")
    columns = Columns("messages", "gold", "messages", None, None, False, "symbolic", ())
    _, found = audit(tmp_path, capsys, columns)
    assert found["recheck"]["now"] == {"correct": 5}


def test_a_checker_that_cannot_work_here_makes_no_verdict(foreign, capsys):
    code, found = audit(foreign, capsys, COLUMNS._replace(verifier="audit_harness:verify"))
    assert code == 7
    assert found["recheck"]["compared"] == 0
    assert found["recheck"]["unchecked"] == {"its checker cannot run here: sandbox_unavailable": 40}


def test_without_a_statement_rows_are_judged_as_well(foreign, capsys):
    code, found = audit(foreign, capsys, COLUMNS._replace(statement=None, verdict=None))
    assert (code, found["recheck"]["now"]) == (0, {"correct": 32, "incorrect": 8})


@pytest.mark.parametrize("verdict", [None, "said.right"])
def test_where_every_row_crashes_the_checker_nothing_is_sound(foreign, capsys, verdict):
    columns = COLUMNS._replace(verdict=verdict, options=("nosuch=1",))
    code, found = audit(foreign, capsys, columns)
    assert code == 7
    (reason,) = found["recheck"]["unchecked"]
    assert "nosuch" in found["recheck"]["unchecked_words"][reason]
    assert command(foreign, columns) == 7
    shown = capsys.readouterr().out
    assert "INCONCLUSIVE: no row was judged" in shown
    assert "nosuch" in shown


def test_a_verdict_that_nobody_can_read_is_compared_with_nothing(foreign, capsys):
    code, found = audit(foreign, capsys, COLUMNS._replace(verdict="q"))
    assert (code, found["recheck"]["compared"]) == (7, 0)


def test_a_table_without_rows_is_nothing_to_audit(foreign):
    empty = pq.read_table(foreign).slice(0, 0)
    pq.write_table(empty, foreign)
    with pytest.raises(SourceError, match="no rows"):
        command(foreign, COLUMNS)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        (Asked(key=Path(__file__)), "--key"),
        (Asked(expect="0" * 12), "--expect"),
        (Asked(recheck=False, planted=0), "--planted 0"),
    ],
)
def test_of_plain_parquet_nothing_is_asked_that_does_not_bind(foreign, asked, word):
    with pytest.raises(RecipeError, match=word):
        command(foreign, COLUMNS, asked)


@pytest.mark.parametrize(
    "asked", [Asked(expect=""), Asked(expect="zzz"), Asked(expect="0" * 7), Asked(key=Path("no"))]
)
def test_of_a_release_nothing_is_asked_that_does_not_bind(honest, asked):
    with pytest.raises(RecipeError, match=r"--expect|--key"):
        command(honest, asked=asked)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"response": None}, "--response"),
        ({"verifier": "nothing_there"}, "nothing_there"),
        ({"boxed": True}, "--boxed"),
        ({"options": ("x",)}, "name=value"),
    ],
)
def test_half_an_order_is_refused(foreign, change, word):
    with pytest.raises(RecipeError, match=word):
        command(foreign, COLUMNS._replace(**change))


def test_a_column_that_is_not_there_is_named(foreign):
    with pytest.raises(SourceError, match="no column 'quest'"):
        audit_command(
            str(foreign),
            Asked(),
            COLUMNS._replace(statement="quest"),
            0.0,
            None,
            True,
            None,
            3,
            False,
        )


# --- What is shown -------------------------------------------------------------------------------


def test_a_person_reads_it_and_no_text_of_the_dataset_is_markup(forger: Forger, capsys):
    evil = "[red]x[/nothing]\x1b[2J\u202e"
    forger.edit("sft", lambda row: row.update(final_answer=evil))
    forger.finish()
    code = command(forger.folder)
    shown = capsys.readouterr().out
    assert code == 6
    assert "[red]x[/nothing]" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    for word in ("INTEGRITY", "RE-CHECK", "PLANTED", "NOT SOUND", "row_final_answer", "agreement"):
        assert word in shown


def test_a_sound_one_says_so(honest: Path, capsys):
    code = command(honest)
    shown = capsys.readouterr().out
    assert code == 0
    assert "SOUND" in shown.splitlines()
    assert "--seed" in shown.splitlines()[-1]
    assert "agreement 100.00 %" in shown
    assert "10 of 10 planted wrong answers were caught" in shown


def test_it_is_the_same_on_workers(honest, capsys):
    asked = Asked(planted=10, seed="mine")
    alone = audit(honest, capsys, asked=asked)
    assert command(honest, asked=asked, as_json=True, inline=False) == 0
    beside = orjson.loads(capsys.readouterr().out)
    for part in ("seed", "integrity", "recheck"):
        assert beside[part] == alone[1][part]
    assert beside["planted"]["caught"] == alone[1]["planted"]["caught"]
