"""Releases that a dedupe compares with: where they lie, and that their files are their own.

What is read of one is held against its SHA256SUMS: files of another release beside its manifest
would drop nothing, and say nothing. Not here: what is in the files (published.py).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tracefactory.errors import IntegrityError, RecipeError, SourceError
from tracefactory.nearness.spec import spec
from tracefactory.repeats.index import SPEC, TURNS, instructions_of, names_of
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import sha256_of
from tracefactory.store.sums import SUMS, sums_of

_HUB = re.compile(r"hf://(?:datasets/)?(?!datasets/)([^/@]+/[^/@]+)(?:@([^/]+))?/?")
_AGAIN = "fetch that release again, or leave it out; `tracefactory audit` says what else is wrong"


@dataclass(frozen=True, slots=True)
class Release:
    """A release that is compared with, as one step found it and the others read it."""

    place: str
    """A folder, or hf://datasets/ORG/NAME@COMMIT."""

    def file(self, name: str) -> Path | None:
        """A file of it on this machine; None: there is none."""
        match = _HUB.fullmatch(self.place)
        if match is None:
            path = Path(self.place, name)
            return path if path.is_file() else None
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return Path(hf_hub_download(match[1], name, repo_type="dataset", revision=match[2]))
        except EntryNotFoundError:
            return None
        except Exception as error:
            raise SourceError(
                f"{self.place}: {name} cannot be fetched ({type(error).__name__}: "
                f"{str(error)[:200]}). Check the network; for a private one set HF_TOKEN"
            ) from error

    def checked(self, name: str, sha256: str | None) -> Path:
        """A file of it that is the one its SHA256SUMS names.

        Raises:
            IntegrityError: it is missing, not named, or another one.
        """
        path = self.file(name)
        if path is None:
            raise IntegrityError(f"against: {self.place} has no {name}; {_AGAIN}")
        if sha256 is None or sha256_of(path) != sha256:
            raise IntegrityError(
                f"against: {name} of {self.place} is not the file that its {SUMS} names "
                f"({sha256 or 'none of that name'}); {_AGAIN}"
            )
        return path


def manifest_of(place: str) -> str:
    """sha256 of a local release's manifest, so that another release there is read anew."""
    return "" if _HUB.fullmatch(place) else sha256_of(_folder(place) / MANIFEST)


def _folder(place: str) -> Path:
    """The release's own folder: a run folder has it inside, a published place behind LATEST."""
    from tracefactory.audit.place import release_folder

    if "://" in place:
        raise RecipeError(
            f"against: {place}: want a folder, or hf://datasets/ORG/NAME, @REVISION if need be"
        )
    try:
        return release_folder(place, f"{place}: no release ({MANIFEST} is missing)")
    except SourceError as error:
        raise SourceError(
            f"against: {error}. Name the folder of a release or of its run, or "
            "hf://datasets/ORG/NAME"
        ) from error


def opened_release(place: str) -> dict[str, Any]:
    """What a release says of itself: where it is, its name, its shards.

    Raises:
        RecipeError: it was indexed under another definition.
        SourceError: it cannot be had.
        IntegrityError: its manifest is damaged, or not its own.
    """
    release = Release(_resolved(place))
    if release.file(MANIFEST) is None:
        raise SourceError(f"against: {place} holds no release ({MANIFEST} is missing)")
    indexed = _is_indexed(release, place)
    listed = release.file(SUMS)
    if listed is None:
        raise IntegrityError(f"against: {place} has no {SUMS}; {_AGAIN}")
    sums = sums_of(listed.read_bytes(), f"against: {place}")
    data = release.checked(MANIFEST, sums.get(MANIFEST)).read_bytes()
    if indexed:
        release.checked(SPEC, sums.get(SPEC))
    try:
        manifest = orjson.loads(data)
        shards = [
            {"config": config, "split": split, **_files(str(file), sums, indexed=indexed)}
            for config, splits in manifest["configs"].items()
            for split, figures in splits.items()
            for file in figures["files"]
            if config in TURNS.values()
        ]
        name = f"{manifest['name']}@{hashlib.sha256(data).hexdigest()[:12]}"
        lines = instructions_of(manifest["recipe"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"against: {place}/{MANIFEST} cannot be read ({error!r}); {_AGAIN}"
        ) from error
    return {
        "place": release.place,
        "name": name,
        "shards": shards,
        "instructions": lines,
        "indexed": indexed,
    }


def _files(path: str, sums: Mapping[str, str], *, indexed: bool) -> dict[str, Any]:
    """A shard's path, and the files that its rows are read from with what they must be."""
    read = names_of(path) if indexed else (path,)
    return {"path": path, "files": {name: sums.get(name) for name in read}}


def _resolved(place: str) -> str:
    match = _HUB.fullmatch(place)
    if match is None:
        return str(_folder(place))
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(match[1], revision=match[2]).sha
    except Exception as error:
        raise SourceError(
            f"against: {place} cannot be reached ({type(error).__name__}: {str(error)[:200]}). "
            "Check the name and the network; for a private one set HF_TOKEN"
        ) from error
    return f"hf://datasets/{match[1]}@{commit}"


def _is_indexed(release: Release, place: str) -> bool:
    path = release.file(SPEC)
    if path is None:
        return False
    try:
        found = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise IntegrityError(
            f"against: {SPEC} of {place} is no JSON ({error}); {_AGAIN}"
        ) from error
    if found != spec():
        differ = "all" if not isinstance(found, dict) else sorted(
            key for key in {*found, *spec()} if found.get(key) != spec().get(key)
        )  # fmt: skip
        raise RecipeError(
            f"against: {place} was indexed under another definition ({SPEC} differs in {differ}); "
            "its numbers mean something else here. Publish it anew with this tracefactory, or "
            "leave it out"
        )
    return True
