"""The move of a finished dataset into place: the old release or the new one, never a part.

    write dataset.next/ whole, fsync          (a crash here: .next is thrown away)
    dataset/ -> dataset.old/                  (a crash here or after: the move is finished)
    dataset.next/ -> dataset/
    COMMITTED := sha256 of the manifest
    remove dataset.old/

`recover_commit` runs at every start of a driver, under the lock.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tracefactory.errors import IntegrityError
from tracefactory.store.files import disk_errors, sync_folder, write_atomic, write_new

MANIFEST = "manifest/manifest.json"
COMMITTED = "COMMITTED"


def committed(run: Path) -> str | None:
    """sha256 of the manifest that the folder says is published, or None."""
    try:
        return (run / COMMITTED).read_text("utf-8", "replace").strip() or None
    except FileNotFoundError:
        return None


def _manifest_sha256(dataset: Path) -> str:
    return hashlib.sha256((dataset / MANIFEST).read_bytes()).hexdigest()


def recover_commit(run: Path) -> str | None:
    """Finish or undo a commit that was interrupted; says which, or None.

    Raises:
        IntegrityError: there is a dataset/ that no commit can have left.
    """
    dataset, fresh, old = run / "dataset", run / "dataset.next", run / "dataset.old"
    if old.exists() and not dataset.exists():
        # Between the two renames: .next was whole before the first of them began.
        fresh.replace(dataset)
        _finish(run)
        return "finished"
    if old.exists() or (dataset.exists() and committed(run) is None):
        _finish(run)
        return "finished"
    if fresh.exists():
        shutil.rmtree(fresh)
        return "undone"
    return None


def _finish(run: Path) -> None:
    if not (run / "dataset" / MANIFEST).exists():
        raise IntegrityError(
            f"{run}/dataset has no {MANIFEST}, so it is no release of this run; move it elsewhere"
        )
    sync_folder(run)
    write_atomic(run / COMMITTED, f"{_manifest_sha256(run / 'dataset')}\n".encode())
    shutil.rmtree(run / "dataset.old", ignore_errors=True)


def commit_dataset(run: Path, shards: Mapping[str, Path], texts: Mapping[str, bytes]) -> str:
    """Publish: `shards` are files of the run folder by published name, `texts` small new files.

    Shards are hard-linked where the file system can (they take no second space), else copied.
    `texts` must hold the manifest. Returns the manifest's sha256, which COMMITTED then holds.

    Raises:
        ResourceError: disk full; the old release stays.
    """
    dataset, fresh, old = run / "dataset", run / "dataset.next", run / "dataset.old"
    recover_commit(run)  # of a commit that this very process could not finish (disk full)
    size = sum(path.stat().st_size for path in shards.values()) + sum(map(len, texts.values()))
    with disk_errors(fresh, size):
        fresh.mkdir(parents=True)
        for name, source in shards.items():
            _place(source, fresh / name)
        for name, data in texts.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            write_new(fresh / name, data)
        for folder in [fresh, *(path for path in fresh.rglob("*") if path.is_dir())]:
            sync_folder(folder)
        if dataset.exists():
            dataset.replace(old)
        fresh.replace(dataset)
        _finish(run)
    return _manifest_sha256(dataset)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # no hard links here (some network and FUSE file systems)
        shutil.copyfile(source, target)
        fd = os.open(target, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
