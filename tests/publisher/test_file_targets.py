"""Publishing to folders: a release each, and a line that names the last."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import pytest
from made_releases import made
from publishing import COMMAND, Silent, assert_whole, digests, keys, publish, rows_of_folder, start

from tracefactory.errors import IntegrityError, RecipeError
from tracefactory.publisher.files import Files
from tracefactory.publisher.publish import publish as publish_here
from tracefactory.publisher.scratch import scratch
from tracefactory.publisher.target import Moved, hub_name


def latest(root: Path) -> Path:
    return root / (root / "LATEST").read_text("utf-8").strip()


def assert_whole_folder(folder: Path) -> None:
    assert_whole(digests(folder), (folder / "SHA256SUMS").read_bytes())


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_gets_a_release_and_its_name(base, tmp_path, scheme):
    done = publish(os.environ, base, f"{scheme}{tmp_path}/there")
    assert (tmp_path / "there/LATEST").read_text() == f"releases/{done['release'][:12]}\n"
    assert_whole_folder(latest(tmp_path / "there"))
    assert rows_of_folder(latest(tmp_path / "there")) == rows_of_folder(base / "dataset")
    assert not publish(os.environ, base, tmp_path / "there")["changed"]


def test_the_release_before_stays_and_its_shards_are_not_sent_again(base, more, tmp_path):
    first = publish(os.environ, base, tmp_path)
    old = latest(tmp_path)
    before = digests(old)
    done = publish(os.environ, more, tmp_path)
    assert latest(tmp_path) != old
    assert digests(old) == before
    assert done["kept_shards"] == first["new_shards"]
    assert_whole_folder(latest(tmp_path))
    assert rows_of_folder(latest(tmp_path)) == rows_of_folder(more / "dataset")


def test_a_place_that_holds_something_else_is_refused(base, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert "notes.txt" in publish(os.environ, base, tmp_path, code=2)["said"]
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("line", ["../../etc", "releases/..", "/", "releases/none", ""])
def test_a_line_that_names_no_release_is_refused(tmp_path, line):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/LATEST").write_text(line)
    folder = made(tmp_path / "set", {"train": [[("a", "1")]]})
    with pytest.raises(RecipeError):
        publish_here(folder, Files(str(tmp_path / "there"), Silent()), Silent())


def test_killed_at_any_time_the_old_or_the_new_release_is_named(base, more, tmp_path):
    publish(os.environ, base, tmp_path)
    allowed = [rows_of_folder(base / "dataset"), rows_of_folder(more / "dataset")]
    pauses = random.Random(7)
    for _ in range(5):
        with start(os.environ, more, tmp_path) as process:
            time.sleep(pauses.uniform(0.5, 3.5))
            process.kill()
        assert_whole_folder(latest(tmp_path))
        assert rows_of_folder(latest(tmp_path)) in allowed
    publish(os.environ, more, tmp_path)
    assert rows_of_folder(latest(tmp_path)) == allowed[1]


def test_killed_at_any_file_the_release_holds_nothing_else_in_the_end(base, tmp_path):
    """A temporary that a kill left inside a release is a file that an audit does not know."""
    there = tmp_path / "there"
    for files in (1, 3, 8, 13, 16, 19, 22):
        with start(os.environ, base, there) as process:
            while process.poll() is None and sum(p.is_file() for p in there.rglob("*")) < files:
                time.sleep(0.0005)
            process.kill()
        assert not list(there.glob("releases/**/.tmp-*"))
    publish(os.environ, base, there)
    assert_whole_folder(latest(there))
    assert {path.name for path in there.iterdir()} == {"releases", "LATEST"}


def test_what_older_versions_left_inside_a_release_goes(tmp_path):
    folder = made(tmp_path / "set", {"train": [[("a", "1")]]})
    there = tmp_path / "there"
    done = publish_here(folder, Files(str(there), Silent()), Silent())
    left = there / "releases" / done.release[:12] / "manifest/shards/.tmp-host-1-0000"
    for latest_is_there in (True, False):  # published with it; or killed before it was named
        left.write_bytes(b"{")
        if not latest_is_there:
            (there / "LATEST").unlink()
        publish_here(folder, Files(str(there), Silent()), Silent())
        assert_whole_folder(latest(there))


def test_half_of_a_file_that_a_kill_left_is_written_again(tmp_path):
    folder = made(tmp_path / "set", {"train": [[(f"r{i}", "x" * 50) for i in range(100)]]})
    there = str(tmp_path / "there")
    done = publish_here(folder, Files(there, Silent()), Silent())
    release = tmp_path / "there/releases" / done.release[:12]
    (tmp_path / "there/LATEST").unlink()
    shard = release / "sft/train-00000.parquet"
    data = bytearray(shard.read_bytes())
    for damaged in (data[: len(data) // 2], bytes(len(data))):  # torn; or never synced: zeros
        shard.write_bytes(damaged)
        publish_here(folder, Files(there, Silent()), Silent())
        assert_whole_folder(release)
        (tmp_path / "there/LATEST").unlink()


def test_somebody_else_s_release_is_not_overwritten(tmp_path):
    """LATEST changes after it was looked at and before it is written."""
    there = str(tmp_path / "there")
    mine, theirs = (
        made(tmp_path / name, {"train": [[(name, "1")]]}) for name in ("mine", "theirs")
    )

    class Slow(Silent):
        """Another publication happens while the first file is sent."""

        done = False

        def at(self, text: str) -> None:
            if text.startswith("send") and not self.done:
                self.done = True
                publish_here(theirs, Files(there, Silent()), Silent())

    with pytest.raises(Moved):
        publish_here(mine, Files(there, slow := Slow()), slow)
    assert set(rows_of_folder(latest(tmp_path / "there"))["sft/train"]) == {"theirs"}


def test_a_folder_that_cannot_be_written_says_so(base, tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = publish(os.environ, base, tmp_path / "file" / "there", code=4)["said"]
    assert "there" in said


# --- What is there may be damaged ----------------------------------------------------------------


def published(folder, there, **options):
    return publish_here(folder, Files(str(there), Silent()), Silent(), **options)


def three_shards(folder, more=()):
    rows = [(f"r{i}", f"{i} " * 50) for i in range(90)]
    return made(folder, {"train": [rows[:30], rows[30:60], rows[60:], *more]})


def test_a_damaged_shard_is_not_linked_into_the_next_release(tmp_path):
    there = tmp_path / "there"
    published(three_shards(tmp_path / "one"), there)
    shard = latest(there) / "sft/train-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1  # of the same size
    shard.write_bytes(data)
    done = published(three_shards(tmp_path / "two", [[("new", "row")]]), there)
    assert (done.kept_shards, done.changed) == (2, True)
    assert_whole_folder(latest(there))


@pytest.mark.parametrize(
    "name",
    ["README.md", "report.html", "croissant.json", "manifest/shards/sft-train-00001.json",
     "manifest/rows/sft-train-00001.parquet", "sft/train-00001.parquet"],
)  # fmt: skip
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"?")])
def test_the_same_command_again_mends_what_is_published(tmp_path, name, damage):
    there = tmp_path / "there"
    folder = three_shards(tmp_path / "one")
    published(folder, there)
    damage(latest(there) / name)
    assert published(folder, there).changed
    assert_whole_folder(latest(there))
    assert not published(folder, there).changed


@pytest.mark.parametrize("data", [b"garbage\n", b"\xff\xfe\x00", b"0 x", b"a  b\n\n\nc\n"])
def test_damaged_sums_are_named(tmp_path, data):
    folder, there = three_shards(tmp_path / "one"), tmp_path / "there"
    published(folder, there)
    (latest(there) / "SHA256SUMS").write_bytes(data)
    with pytest.raises(IntegrityError, match="SHA256SUMS"):
        published(folder, there)
    (folder / "SHA256SUMS").write_bytes(data)
    with pytest.raises(IntegrityError, match="SHA256SUMS"):
        published(folder, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("name", "data"),
    [("manifest/shards.parquet", b"xx"), ("manifest/manifest.json", b"[]"),
     ("manifest/manifest.json", b"{"), ("manifest/shards.parquet", b"PAR1" * 9)],
)  # fmt: skip
def test_records_of_anything_are_named(tmp_path, name, data):
    """With sums that are right."""
    folder, there = three_shards(tmp_path / "one"), tmp_path / "there"
    published(folder, there)
    sums_right(latest(there), name, data)
    with pytest.raises(IntegrityError, match="audit"):
        published(folder, there)


def sums_right(folder, name, data):
    (folder / name).unlink()
    (folder / name).write_bytes(data)
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    other = [line for line in lines if not line.endswith(f"  {name}")]
    line = f"{hashlib.sha256(data).hexdigest()}  {name}"
    (folder / "SHA256SUMS").write_text("\n".join([*other, line, ""]))


@pytest.mark.parametrize("change", [{"unknown": 1}, {"repository": ...}, {"files": [{}]}])
def test_a_release_of_another_build_is_run_again(tmp_path, change):
    folder = three_shards(tmp_path / "one")
    manifest = orjson.loads((folder / "manifest/manifest.json").read_bytes()) | change
    known = {key: value for key, value in manifest.items() if value is not ...}
    sums_right(folder, "manifest/manifest.json", orjson.dumps(known))
    with pytest.raises(RecipeError, match="run its recipe again"):
        published(folder, tmp_path / "there")


def test_a_target_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RecipeError, match="is a file"):
        Files(str(tmp_path / "file"), Silent())


@pytest.mark.parametrize("word", ["", " ", "org/name/"])
def test_a_word_that_names_no_place_is_refused(word):
    with pytest.raises(RecipeError):
        hub_name(word)


@pytest.mark.parametrize("license_", ["", "NOT A LICENSE <b>", "CC-BY-4.0 AND", "a\nb: c"])
def test_a_licence_that_is_none_is_refused(base, tmp_path, license_):
    said = publish(os.environ, base, tmp_path / "there", "--license", license_, code=2)["said"]
    assert "SPDX" in said


def test_words_that_name_places(tmp_path):
    assert hub_name("org/name") == hub_name("hf://datasets/org/name/") == "org/name"
    assert hub_name(f"{tmp_path}/") is None
    assert hub_name("./org/name/") is None


def test_another_recipe_s_release_is_replaced_only_if_that_is_said(base, tmp_path):
    other = three_shards(tmp_path / "other")
    there = tmp_path / "there"
    published(other, there)
    before = digests(there)
    said = publish(os.environ, base, there, code=2)["said"]
    assert "'made'" in said
    assert "--replace" in said
    assert digests(there) == before
    with pytest.raises(RecipeError, match="--replace"):
        published(base, there, dry_run=True)
    assert published(base, there, replace_other=True).changed
    assert_whole_folder(latest(there))


# --- Ends that are not of our choosing -----------------------------------------------------------


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_says_so_and_leaves_no_temporary_folder(base, tmp_path, signal_):
    if signal.getsignal(signal_) is signal.SIG_IGN:
        pytest.skip("the tests were started where this signal is ignored, and so is the command")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with start(os.environ | {"TMPDIR": str(temporary)}, base, tmp_path / "there") as process:
        while process.poll() is None and not list(temporary.glob("*/new/*")):
            time.sleep(0.002)
        process.send_signal(signal_)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert list(temporary.iterdir()) == []


def test_what_the_dead_left_is_swept_and_what_the_living_use_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = "import sys,time; from tracefactory.publisher.scratch import scratch\n"
    script += "with scratch('mine-') as f: print(f, flush=True); time.sleep(60)"
    command, environ = [sys.executable, "-c", script], os.environ | {"TMPDIR": str(tmp_path)}
    (tmp_path / "mine-of-another-version").mkdir()
    (tmp_path / "mine-file").write_text("")
    (tmp_path / "theirs-1").mkdir()
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        used = Path(process.stdout.readline().strip())
        with scratch("mine-") as mine:
            assert used.is_dir()
            assert mine.is_dir()
        process.kill()
    with scratch("mine-"):
        assert not used.exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"mine-of-another-version", "mine-file", "theirs-1"}
    os.utime(tmp_path / "mine-of-another-version", (0, 0))
    with scratch("mine-"):
        assert not (tmp_path / "mine-of-another-version").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB of its own."""
    room = tmp_path / "small"
    room.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tracefactory-test", str(room)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a full disk needs a mount of its own, and mount says: {done.stderr.strip()}")
    yield room
    subprocess.run(["umount", str(room)], check=True)


def test_a_full_disk_for_temporary_files_is_named(base, tmp_path, small_disk):
    """By publish, whose shards are put together there, and by audit, which fetches to it."""
    small = os.environ | {"TMPDIR": str(small_disk)}
    assert "disk full" in publish(small, base, tmp_path / "there", code=4)["said"]
    publish(os.environ, base, tmp_path / "there")
    command = [COMMAND, "audit", f"file://{tmp_path}/there", "--inline"]
    done = subprocess.run(command, env=small, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert "disk full" in done.stderr
    assert "TMPDIR" in done.stderr
    assert list(small_disk.iterdir()) == []


# --- Signatures ----------------------------------------------------------------------------------


def test_another_key_signs_anew(base, tmp_path):
    from tracefactory.publish.attestation import Forged, verify

    key, public = keys(tmp_path)
    (tmp_path / "other").mkdir()
    other, other_public = keys(tmp_path / "other")
    there = tmp_path / "there"
    publish(os.environ, base, there, "--sign", key)
    assert publish(os.environ, base, there, "--sign", other)["changed"]
    files = digests(latest(there))
    data = (latest(there) / "attestation.json").read_bytes()
    del files["attestation.json"], files["SHA256SUMS"]
    assert verify(data, files, other_public).known
    with pytest.raises(Forged):
        verify(data, files, public)
    assert not publish(os.environ, base, there, "--sign", other)["changed"]


def test_a_signed_release_holds_every_file(base, tmp_path):
    from tracefactory.publish.attestation import Forged, verify

    key, public = keys(tmp_path)
    there = tmp_path / "there"
    first = publish(os.environ, base, there)
    signed = publish(os.environ, base, there, "--sign", key)
    assert signed["changed"]
    assert signed["kept_shards"] == first["new_shards"]
    assert not publish(os.environ, base, there, "--sign", key)["changed"]
    files = digests(latest(there))
    data = (latest(there) / "attestation.json").read_bytes()
    del files["attestation.json"], files["SHA256SUMS"]
    assert verify(data, files, public).known
    with pytest.raises(Forged):
        verify(data, files | {"README.md": "0" * 64}, public)
