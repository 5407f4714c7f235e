import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from store_crash import (
    NEW,
    OLD,
    Zygote,
    copier,
    do_commit_new,
    do_commit_old,
    outputs_of,
    release,
    table,
    tree,
)

from tracefactory.errors import IntegrityError, ResourceError
from tracefactory.store.commit import MANIFEST, commit_dataset, committed, recover_commit
from tracefactory.store.home import RunFolder


@pytest.fixture(scope="module")
def zygote():
    server = Zygote()
    yield server
    server.close()


def prepare(path):
    with RunFolder(path) as run:
        run.home.put("raw", "old-1", "sft", table("old"))
        run.home.put("raw", "new-1", "sft", table("new"))
        run.home.put("raw", "new-2", "sft", table("new", 30))
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run folder before any release, after the old one, after the new one, and both datasets."""
    room = tmp_path_factory.mktemp("releases")
    none = prepare(room / "none")
    first = shutil.copytree(none, room / "first")
    do_commit_old(first)
    second = shutil.copytree(first, room / "second")
    do_commit_new(second)
    return none, first, second


def sums_hold(dataset):
    lines = (dataset / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = tree(dataset)
    del found["SHA256SUMS"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == listed


def settled(path, allowed):
    """The folder holds exactly one of the releases, and nothing half-done; says which."""
    assert not (path / "dataset.next").exists()
    assert not (path / "dataset.old").exists()
    now = tree(path / "dataset")
    assert now in allowed
    if now:
        sums_hold(path / "dataset")
        assert committed(path) == hashlib.sha256(now[MANIFEST]).hexdigest()
    else:
        assert committed(path) is None
    return allowed.index(now)


def outputs(path):
    return {name: data for name, data in tree(path).items() if name.startswith("raw/")}


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_commit_killed_at_any_step_is_the_old_release_or_the_new(
    zygote, tmp_path, folders, which
):
    none, first, second = folders
    start, end = (none, first) if which == "first" else (first, second)
    do = "commit_old" if which == "first" else "commit_new"
    allowed = [tree(start / "dataset"), tree(end / "dataset")]
    outcomes, states = [], {}
    for n, at, path in zygote.every_step(do, copier(start, tmp_path)):
        # before anybody puts it right: a reader of dataset/ sees a whole release, or no folder
        if (path / "dataset").exists():
            assert tree(path / "dataset") in allowed, (n, at)
        state = {name: data for name, data in tree(path).items() if name != "run.lock"}
        key = str(sorted((name.split(".tmp-")[0], hash(data)) for name, data in state.items()))
        key += str(sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_dir()))
        # while .next is being written there are many states, all undone in one way: every fifth
        begun = (path / "dataset.old").exists() or not (path / "dataset.next").exists()
        if key not in states and (begun or n % 5 == 0):
            states[key] = shutil.copytree(path, tmp_path / f"state{len(states)}")
        with RunFolder(path):
            pass
        outcomes.append(settled(path, allowed))
        assert outputs(path) == outputs(start)
    assert outcomes == sorted(outcomes), "from old to new once, never back"
    assert set(outcomes) == {0, 1}

    # killed again at any step of putting it right
    assert len(states) > 5
    for state in states.values():
        for n, at, path in zygote.every_step("open", copier(state, tmp_path)):
            if (path / "dataset").exists():
                assert tree(path / "dataset") in allowed, (state, n, at)
            with RunFolder(path):
                pass
            settled(path, allowed)
        shutil.rmtree(state)


def test_a_commit_after_a_killed_commit_is_the_new_release(zygote, tmp_path, folders):
    _, first, second = folders
    for _, _, path in zygote.every_step("commit_new", copier(first, tmp_path)):
        do_commit_new(path)
        assert settled(path, [tree(second / "dataset")]) == 0


def test_recovery_says_what_it_did(tmp_path, folders):
    none, first, second = folders
    path = shutil.copytree(first, tmp_path / "a")
    assert recover_commit(path) is None
    (path / "dataset.next" / "sft").mkdir(parents=True)
    with RunFolder(path) as run:
        assert run.recovered == "undone"
    shutil.copytree(second / "dataset", path / "dataset.next")
    (path / "dataset").rename(path / "dataset.old")
    with RunFolder(path) as run:
        assert run.recovered == "finished"
    assert settled(path, [tree(second / "dataset")]) == 0
    assert recover_commit(shutil.copytree(none, tmp_path / "b")) is None


def test_the_same_release_twice_is_the_same_tree(tmp_path, folders):
    _, first, _ = folders
    path = shutil.copytree(first, tmp_path / "a")
    with RunFolder(path):
        one = release(path, OLD)
        two = release(path, OLD)
    assert one == two == committed(path)
    assert tree(path / "dataset") == tree(first / "dataset")


def test_shards_take_no_second_space_and_outlive_their_outputs(tmp_path, folders):
    none, first, _ = folders
    path = shutil.copytree(none, tmp_path / "a")
    do_commit_old(path)
    (name,) = outputs_of(path, "old")
    (shard,) = (path / "dataset" / "sft").iterdir()
    assert (path / name).samefile(shard)
    (path / name).unlink()
    assert tree(path / "dataset") == tree(first / "dataset")


def test_shards_from_another_file_system_are_copied(tmp_path, folders):
    none, _, _ = folders
    path = shutil.copytree(none, tmp_path / "a")
    far = Path("/dev/shm")
    if not far.is_dir() or far.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system, and /dev/shm is none")
    shard = path / outputs_of(path, "old")[0]
    source = far / f"tracefactory-test-{os.getpid()}.parquet"
    shutil.copyfile(shard, source)
    try:
        with RunFolder(path):
            commit_dataset(path, {"sft/a.parquet": source}, {MANIFEST: b"{}\n"})
    finally:
        source.unlink()
    assert (path / "dataset/sft/a.parquet").read_bytes() == shard.read_bytes()


def test_a_disk_that_is_full_at_any_moment_of_a_commit(tmp_path):
    room = tmp_path / "small"
    room.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tracefactory-test", str(room)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a full disk needs a mount of its own, and mount says: {done.stderr.strip()}")
    try:
        path = prepare(room / "run")
        do_commit_old(path)
        old = tree(path / "dataset")
        filler = room / "filler"
        refused = 0
        for pages in range(12):
            with RunFolder(path):
                space = os.statvfs(room)
                filler.write_bytes(b"x" * ((space.f_bavail - pages) * space.f_frsize))
                try:
                    release(path, NEW)
                except ResourceError:
                    refused += 1
                    # a reader sees a whole release all the same
                    assert (now := tree(path / "dataset")) == old or now[MANIFEST] == NEW[MANIFEST]
                    sums_hold(path / "dataset")
                    filler.unlink()
                    release(path, NEW)  # the same process, as soon as there is space
                filler.unlink(missing_ok=True)
                assert tree(path / "dataset")[MANIFEST] == NEW[MANIFEST]
                settled(path, [tree(path / "dataset")])
                release(path, OLD)
                assert settled(path, [old]) == 0
        assert refused > 2
    finally:
        subprocess.run(["umount", str(room)], check=True)


def test_a_foreign_dataset_folder_is_refused_in_words(tmp_path):
    (tmp_path / "dataset").mkdir()
    with pytest.raises(IntegrityError, match=r"no manifest/manifest\.json.*move it elsewhere"):
        recover_commit(tmp_path)
