import hashlib
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_crash import OLD, receipt, release, table, tree

from tracefactory.store.commit import COMMITTED, MANIFEST
from tracefactory.store.files import TEMPORARY
from tracefactory.store.fsck import fsck, sweep, unneeded
from tracefactory.store.home import RECEIPTS, RunFolder

DATASET = "dataset"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("fsck") / "run"
    with RunFolder(path) as run:
        old = run.home.put("raw", "old-1", "sft", table("old"))
        other = run.home.put("verify", "c.r0", "verdicts", table("verdicts"))
        run.record(receipt("raw/old-1", old))
        run.record(receipt("verify/c.r0", other, old))
        run.home.journal("x").append({"a": 1})
        run.quarantine("raw/q.r0", {"why": "x"})
        release(path, OLD)
    return path


@pytest.fixture
def run(sound, tmp_path):
    # links are kept apart here: damage to an output is not damage to the release
    return shutil.copytree(sound, tmp_path / "run")


def outputs(run):
    return sorted(name for name in tree(run) if name.startswith(("raw/", "verify/")))


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def found(report):
    """The kinds of trouble in a report, with the names."""
    kinds = ("damaged_lines", "missing", "damaged", "orphans", "dataset")
    return {kind: getattr(report, kind) for kind in kinds if getattr(report, kind)}


def test_a_sound_folder_is_sound(run):
    report = fsck(run)
    assert report.sound
    assert found(report) == {}
    assert (report.receipts, report.files) == (2, 2)
    assert report.bytes == sum(len(tree(run)[name]) for name in outputs(run))


def test_looking_changes_nothing(run):
    (run / outputs(run)[0]).write_bytes(b"")
    (run / "raw" / "orphan.parquet").write_bytes(b"x")
    before = tree(run)
    fsck(run)
    assert tree(run) == before


def test_a_flipped_bit_in_an_output(run):
    name = outputs(run)[0]
    flip(run / name, 100)
    report = fsck(run)
    assert found(report) == {"damaged": [name]}
    assert not report.sound


@pytest.mark.parametrize("size", [0, 1, -1])
def test_a_truncated_output(run, size):
    name = outputs(run)[1]
    (run / name).write_bytes((run / name).read_bytes()[:size])
    assert found(fsck(run)) == {"damaged": [name]}


def test_a_deleted_output(run):
    name = outputs(run)[0]
    (run / name).unlink()
    report = fsck(run)
    assert found(report) == {"missing": [name]}
    assert not report.sound


def test_a_file_that_no_receipt_names_is_an_orphan_and_harmless(run):
    (run / "raw" / "lost.parquet").write_bytes(b"x")
    (run / "raw" / f"{TEMPORARY}y").write_bytes(b"x")
    report = fsck(run)
    assert found(report) == {"orphans": ["raw/lost.parquet"]}
    assert report.sound


def test_a_damaged_line_of_the_receipts(run):
    flip(run / RECEIPTS, 20)
    report = fsck(run)
    (line,) = report.damaged_lines
    assert f"{RECEIPTS}:1:" in line
    assert report.sound  # a kill leaves such a line for good; its chunk just runs again
    assert report.receipts == 1


def test_a_sweep_never_removes_raw_responses(run):
    (raw,) = [name for name in outputs(run) if name.startswith("raw/")]
    was = (run / raw).read_bytes()
    lines = (run / RECEIPTS).read_bytes().splitlines(keepends=True)
    (run / RECEIPTS).write_bytes(b"".join(b"x" + x[1:] if b'"raw/' in x else x for x in lines))
    report = fsck(run)
    assert raw in report.orphans
    sweep(run, report)
    assert (run / raw).read_bytes() == was


def test_a_receipt_that_is_lost_makes_its_outputs_orphans(run):
    lines = (run / RECEIPTS).read_bytes().splitlines(keepends=True)
    (run / RECEIPTS).write_bytes(lines[0])
    assert found(fsck(run)) == {"orphans": [n for n in outputs(run) if n.startswith("verify/")]}


def test_an_older_receipt_that_was_replaced_promises_nothing(run):
    with RunFolder(run) as held:
        held.record(receipt("verify/c.r0"))
    assert found(fsck(run)) == {"orphans": [n for n in outputs(run) if n.startswith("verify/")]}


def test_an_edited_file_of_the_release(run):
    (run / DATASET / "README.md").write_bytes(b"better\n")
    report = fsck(run)
    (line,) = report.dataset
    assert "dataset/README.md" in line
    assert not report.sound


def test_a_deleted_file_of_the_release(run):
    (run / DATASET / "README.md").unlink()
    (line,) = fsck(run).dataset
    assert "dataset/README.md is missing" in line


def test_a_file_too_many_in_the_release(run):
    (run / DATASET / "sft" / "notes.txt").write_bytes(b"")
    (line,) = fsck(run).dataset
    assert "dataset/sft/notes.txt" in line


def test_an_edited_manifest(run):
    (run / DATASET / MANIFEST).write_bytes(b'{"release": "mine"}\n')
    lines = fsck(run).dataset
    assert any(COMMITTED in line and MANIFEST in line for line in lines)
    assert any("SHA256SUMS" in line for line in lines)


def test_an_edited_manifest_with_sums_to_match(run):
    (run / DATASET / MANIFEST).write_bytes(b'{"release": "mine"}\n')
    sums = run / DATASET / "SHA256SUMS"
    was = hashlib.sha256(OLD[MANIFEST]).hexdigest()
    now = hashlib.sha256(b'{"release": "mine"}\n').hexdigest()
    sums.write_text(sums.read_text().replace(was, now))
    (line,) = fsck(run).dataset
    assert COMMITTED in line


@pytest.mark.parametrize("name", [MANIFEST, "SHA256SUMS"])
def test_a_release_without_its_manifest_or_sums(run, name):
    (run / DATASET / name).unlink()
    assert any(name in line and "missing" in line for line in fsck(run).dataset)


def test_committed_gone(run):
    (run / COMMITTED).unlink()
    report = fsck(run)
    (line,) = report.dataset
    assert COMMITTED in line
    with RunFolder(run) as held:  # as the message says, the next run puts it right
        assert held.recovered == "finished"
    assert fsck(run).sound


def test_the_whole_release_gone(run):
    shutil.rmtree(run / DATASET)
    (line,) = fsck(run).dataset
    assert MANIFEST in line


def test_an_output_and_its_hard_link_in_the_release_are_both_named(sound, tmp_path):
    path = tmp_path / "run"
    with RunFolder(path) as held:
        old = held.home.put("raw", "old-1", "sft", table("old"))
        held.record(receipt("raw/old-1", old))
        release(path, OLD)
    flip(path / old.name, 50)
    report = fsck(path)
    assert report.damaged == [old.name]
    assert len(report.dataset) == 1


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_flipped_bit_of_anything_promised_is_found_and_named(sound, tmp_path, data):
    promised = [
        RECEIPTS,
        COMMITTED,
        *outputs(sound),
        *(n for n in tree(sound) if n.startswith("dataset/")),
    ]
    name = data.draw(st.sampled_from(promised))
    size = (sound / name).stat().st_size - (name == COMMITTED)  # its newline says nothing
    at, bit = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, 7))
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(sound, run)
    content = bytearray((run / name).read_bytes())
    content[at] ^= 1 << bit
    (run / name).write_bytes(content)
    report = fsck(run)
    assert report.sound == (name == RECEIPTS)
    named = [*report.damaged_lines, *report.damaged, *report.dataset]
    if name == "dataset/SHA256SUMS":
        assert report.dataset
    else:
        assert any(name in line for line in named), (name, at, bit, named)


def test_sweep_removes_orphans_and_sets_damage_aside(run):
    damaged, missing = outputs(run)
    flip(run / damaged, 100)
    was = (run / damaged).read_bytes()
    (run / missing).unlink()
    (run / "verify" / "lost.parquet").write_bytes(b"x")
    with RunFolder(run) as held:
        sweep(run, fsck(run))
        now = tree(run)
        assert now[f"quarantine/damaged-{damaged.replace('/', '.')}"] == was
        assert found(fsck(run)) == {"missing": [damaged, missing]}
        # both chunks run again, and all is well
        for slot in ("raw/old-1", "verify/c.r0"):
            assert not held.home.present(held.receipts.get(slot))
        old = held.home.put("raw", "old-1", "sft", table("old"))
        held.home.put("verify", "c.r0", "verdicts", table("verdicts"))
        held.record(receipt("raw/old-1", old))
    assert found(fsck(run)) == {}


def test_a_sweep_of_a_sound_folder_changes_nothing(run):
    before = tree(run)
    sweep(run, fsck(run))
    assert tree(run) == before


def test_what_no_receipt_in_use_names_is_unneeded(run):
    with RunFolder(run) as held:
        receipts = list(held.receipts)
    verdicts = next(name for name in outputs(run) if name.startswith("verify/"))
    assert unneeded(run, receipts) == []
    assert unneeded(run, receipts[:1]) == [(verdicts, (run / verdicts).stat().st_size)]
    assert [name for name, _ in unneeded(run, [])] == outputs(run)
