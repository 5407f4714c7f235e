"""Where the audited thing lies: a folder, a published place, the Hub; as a local folder or files.

What is far away is fetched whole into a folder of its own first (`into`, or a temporary one), under
names that cannot lead out of it. Not here: what is in the files.
"""

import glob
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tracefactory.audit.faults import short
from tracefactory.audit.inside import Unsafe, read_bytes
from tracefactory.errors import FactoryError, SourceError
from tracefactory.publisher.disk import written
from tracefactory.publisher.scratch import scratch
from tracefactory.store.commit import MANIFEST
from tracefactory.store.home import RECEIPTS

LATEST = "LATEST"
RELEASES = "releases"
MAX_LATEST_BYTES = 200
SCRATCH = "tracefactory-audit-"
_ADVICE = "TMPDIR says where temporary files go, --download where these do"

_HUB = re.compile(r"hf://datasets/([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.*))?")
_RELEASE = re.compile(r"(?:releases/)?([0-9a-f]{12,64})")


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be audited, on this machine."""

    target: str
    """As the auditor named it."""
    release: Path | None
    """The folder of a release."""
    files: tuple[Path, ...] = ()
    """Parquet files, where it is no release."""
    revision: str | None = None
    """The Hub's commit."""


@contextmanager
def opened(target: str, into: Path | None, *, foreign: bool) -> Generator[Place]:
    """Find what is to be audited, fetching it if need be; `foreign`: as plain Parquet, whatever is.

    Raises:
        SourceError: there is nothing there that can be audited.
        ResourceError: the disk is full of what was fetched.
    """
    hub = _HUB.fullmatch(target)
    if hub is None and target.startswith("hf://"):
        raise SourceError(f"{target}: want hf://datasets/ORG/NAME, with @REVISION if need be")
    if hub is None and "://" not in target:
        yield _local(target, foreign=foreign)
        return
    with scratch(SCRATCH) as temporary:
        folder = temporary / "fetched" if into is None else into
        if folder.exists() and any(folder.iterdir()):
            raise SourceError(f"{folder} is not empty; name another folder for the download")
        if hub is not None:
            revision = _from_hub(hub[1], hub[2], folder, target)
            root, pattern = folder, hub[3] or ""
        else:
            revision, pattern = None, ""
            root = _from_url(target, folder)
        if foreign:
            yield Place(target, None, _parquet(root, pattern, target), revision)
        elif (root / MANIFEST).exists():
            yield Place(target, root, (), revision)
        else:
            raise SourceError(_no_release(target))


def _no_release(target: str) -> str:
    return (
        f"{target}: no {MANIFEST}, so tracefactory did not publish it; to audit plain Parquet, say "
        "which columns to read: --statement, --reference, --response, and --verifier"
    )


def _local(target: str, *, foreign: bool) -> Place:
    path = Path(target)
    if foreign:
        if path.is_dir():
            return Place(target, None, _parquet(path, "", target))
        names = [target] if path.is_file() else sorted(glob.glob(target, recursive=True))  # noqa: PTH207
        found = tuple(Path(name).absolute() for name in names if Path(name).is_file())
        if not found:
            raise SourceError(f"{target}: no such file, folder or glob")
        return Place(target, None, found)
    return Place(target, release_folder(target, _no_release(target)))


def release_folder(target: str, missing: str) -> Path:
    """The release's own folder: a run folder has it inside, a published place behind LATEST.

    Raises:
        SourceError: there is none; `missing` where the folder holds something else.
    """
    path = Path(target)
    if not path.is_dir():
        raise SourceError(missing if path.exists() else f"{target}: no such folder")
    path = path.absolute()
    if (path / RECEIPTS).exists() and not (path / MANIFEST).exists():
        if not (path / "dataset" / MANIFEST).exists():
            raise SourceError(f"{target}: this run has published nothing yet; let it finish first")
        return path / "dataset"
    if not (path / MANIFEST).exists() and (path / LATEST).is_file():
        path = path / RELEASES / _latest(_latest_text(path, target), target)
    if not (path / MANIFEST).exists():
        raise SourceError(missing)
    return path


def _latest_text(root: Path, target: str) -> str:
    try:
        return read_bytes(root, LATEST, MAX_LATEST_BYTES).decode("utf-8", "replace")
    except (OSError, Unsafe) as error:
        raise SourceError(f"{target}: {LATEST} cannot be read ({error})") from error


def _latest(text: str, target: str) -> str:
    """The name of the release that LATEST names: nothing else that stands there is followed."""
    match = _RELEASE.fullmatch(text.strip())
    if match is None:
        raise SourceError(f"{target}: {LATEST} names no release (it says {text.strip()[:60]!r})")
    return match[1][:12]


def _parquet(root: Path, pattern: str, target: str) -> tuple[Path, ...]:
    """All Parquet files under a folder, or those that a pattern takes."""
    chosen = sorted(root.glob(pattern)) if pattern else sorted(root.rglob("*.parquet"))
    nested = [f for p in chosen for f in (sorted(p.rglob("*.parquet")) if p.is_dir() else [p])]
    base = root.resolve()
    found = tuple(
        f for f in dict.fromkeys(nested)
        if f.suffix == ".parquet" and f.is_file() and f.resolve().is_relative_to(base)
    )  # fmt: skip
    if not found:
        raise SourceError(f"{target}: no Parquet files there")
    return found


def _from_hub(repo: str, revision: str | None, folder: Path, target: str) -> str | None:
    """Fetch a dataset of the Hub; its commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        commit = HfApi().dataset_info(repo, revision=revision).sha
        with written(folder, _ADVICE, only_full=True):
            # local_dir: plain files. The shared cache has links, which an audit does not follow.
            snapshot_download(repo, repo_type="dataset", revision=commit, local_dir=folder)
    except FactoryError:
        raise
    except Exception as error:  # whatever the library raises, it is about what was asked for
        said = short(f"{type(error).__name__}: {error}")
        raise SourceError(
            f"{target}: cannot be fetched ({said}); check the name, for a private one set HF_TOKEN"
        ) from error
    return commit


def _from_url(target: str, folder: Path) -> Path:
    """Fetch what an fsspec URL names: the release that LATEST names, or the folder itself."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        system, base = url_to_fs(target)
        base = base.rstrip("/")
        if system.isfile(f"{base}/{LATEST}"):
            with system.open(f"{base}/{LATEST}", "rb") as file:
                text = file.read(MAX_LATEST_BYTES).decode("utf-8", "replace")
            base = f"{base}/{RELEASES}/{_latest(text, target)}"
        if system.isfile(base):
            _fetch(system, base, folder / PurePosixPath(base).name)
            return folder
        names = system.find(base)
        if not names:
            raise SourceError(f"{target}: nothing there, or nothing that answers")
        for name in names:
            relative = PurePosixPath(name).relative_to(base)
            if ".." in relative.parts or relative.is_absolute() or "\0" in name:
                raise SourceError(f"{target}: a file's name leads out of the folder: {name!r:.200}")
            _fetch(system, name, folder / relative)
    except FactoryError:
        raise
    except Exception as error:  # each service has errors of its own, of credentials too
        said = short(f"{type(error).__name__}: {error}")
        raise SourceError(f"{target}: cannot be reached ({said})") from error
    return folder


def _fetch(system: Any, name: str, path: Path) -> None:  # noqa: ANN401  (fsspec has no types)
    with written(path, _ADVICE, only_full=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(name, str(path))
