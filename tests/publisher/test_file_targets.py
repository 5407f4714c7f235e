"""Publishing to folders: a release each, and a line that names the last."""

import os
import random
import time
from pathlib import Path

import pytest
from made_releases import made
from publishing import Silent, assert_whole, digests, keys, publish, rows_of_folder, start

from tracefactory.errors import RecipeError
from tracefactory.publisher.files import Files
from tracefactory.publisher.publish import publish as publish_here
from tracefactory.publisher.target import Moved


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
