"""The road of a publication: what is here, what is there, what must be sent, and the commit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from tracefactory.errors import RecipeError
from tracefactory.publish.card import licenses_of
from tracefactory.publish.licences import conflict
from tracefactory.publish.release import over_shards, texts
from tracefactory.publisher.drawn import drawn_from
from tracefactory.publisher.head import Head
from tracefactory.publisher.local import Local, open_local
from tracefactory.publisher.scratch import scratch
from tracefactory.publisher.settle import Settled, has_index, settle
from tracefactory.publisher.target import Outgoing, Show, Target
from tracefactory.repeats import index as indexes
from tracefactory.schemas.manifest import Manifest
from tracefactory.store.commit import MANIFEST
from tracefactory.store.sums import SUMS, sums_of

ATTESTATION = "attestation.json"
REPORT = "report.html"
SCRATCH = "tracefactory-publish-"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a publication did, or would do."""

    target: str
    release: str
    """sha256 of the manifest that is published now."""
    address: str | None
    """The commit or folder; None: nothing was sent."""
    tag: str | None
    changed: bool
    rows: Mapping[str, int]
    """By `config/split`."""
    new_shards: int
    kept_shards: int
    sent_files: int
    sent_bytes: int
    kept_bytes: int
    shard_bytes: int
    """Of the bytes sent, those of shards."""
    gone: Sequence[str]
    """Files of the release before that are taken away."""


def publish(
    dataset: Path,
    target: Target,
    show: Show,
    *,
    key: Path | None = None,
    message: str | None = None,
    license: str | None = None,
    dry_run: bool = False,
    replace_other: bool = False,
) -> Outcome:
    """Send a release; or find out what would be sent.

    Args:
        dataset: the run folder or dataset folder that it lies in.
        target: where it goes.
        show: what a person sees meanwhile.
        key: a private key to sign with.
        message: of the commit, on the Hub.
        license: of the whole dataset.
        dry_run: send nothing.
        replace_other: also where a release of another recipe is published now.

    Raises:
        RecipeError: no release here; or something else than releases of its recipe there.
        IntegrityError: one of them is damaged.
        ResourceError: the target cannot be reached, or moved meanwhile.
    """
    local = open_local(dataset)
    manifest = replace(local.manifest, repository=target.repository)
    local = replace(local, manifest=replace(manifest, license=license or manifest.license))
    check_licence(local.manifest)
    with scratch(SCRATCH) as work:
        show.at(f"look at {target.name}")
        head = target.head(Path(work, "head"))
        if head is not None and not replace_other:
            check_name(local.manifest, head, target.name)
        shards: list[Settled] = []
        for shard in settle(local, head, Path(work, "new")):
            show.at(f"{len(shards) + 1:,} shards settled")
            if not dry_run:
                target.upload(shard)
            shards.append(shard)
        shards.sort(key=lambda s: (f"{s.stats.config}.{s.stats.split}", s.stats.index))
        files = _texts(local, head, shards, key, Path(work, "drawn"))
        if files is None:
            assert head is not None
            tag = None if dry_run else target.mark(head.sha256)
            return _outcome(target, head.sha256, None, tag, shards, {}, ())
        outgoing = _outgoing(local, head, shards, files, message)
        sent = _changed(outgoing.texts, head)
        if dry_run:
            return _outcome(target, outgoing.sha256, None, None, shards, sent, outgoing.gone, True)
        address = target.commit(outgoing)
        tag = target.mark(outgoing.sha256)
        return _outcome(
            target, outgoing.sha256, address, tag, shards, sent, outgoing.gone, changed=True
        )


def check_name(manifest: Manifest, head: Head, target: str) -> None:
    """Refuse to put another dataset in the place of what readers of the target know.

    Raises:
        RecipeError: the recipe that is published there has another name.
    """
    there = head.says.get("name")
    if there != manifest.name:
        raise RecipeError(
            f"{target} is of the recipe {there!r}, and this release of {manifest.name!r}; nothing "
            "was sent. If it shall take its place, say --replace; else name another target"
        )


def check_licence(manifest: Manifest) -> None:
    """Refuse rows that nobody may hand on together, unless a licence is stated for the whole.

    Raises:
        RecipeError: what stands in the way, and how to state one.
    """
    if manifest.license is not None:
        return
    why = conflict(licenses_of(manifest))
    if why is not None:
        raise RecipeError(
            f"{why}; nothing was sent. If you may publish it, say under which licence: --license "
            "CC-BY-4.0 here, or license: CC-BY-4.0 in the publish stage of the recipe"
        )


def _texts(
    local: Local, head: Head | None, shards: Sequence[Settled], key: Path | None, work: Path
) -> dict[str, bytes] | None:
    """Every file that is no shard and goes with none; None: all is published already."""
    stats = [shard.stats for shard in shards]
    extra = {name: file.sha256 for shard in shards for name, file in shard.beside.items()}
    more = {indexes.SPEC: indexes.spec_bytes()} if has_index(local) else {}
    extra |= {name: hashlib.sha256(data).hexdigest() for name, data in more.items()}
    if head is not None and all(shard.source is None for shard in shards):
        same = over_shards(local.manifest, stats, head.says.get("parent_release"))
        alike = _plain(same) == head.says and _alike(texts(same, stats, (), extra), head)
        if alike and (key is None or _signed_by(key, head, same)):
            return None
    manifest = over_shards(local.manifest, stats, head.sha256 if head else None)
    files = texts(manifest, stats, drawn_from(local, head, shards, manifest, work), extra) | more
    if key is not None:
        from tracefactory.publish.attestation import sign

        files[ATTESTATION] = sign(sums_of(files[SUMS]), key, manifest)
    return files


def _plain(manifest: Manifest) -> object:
    return orjson.loads(orjson.dumps(manifest.to_json()))


def _alike(files: Mapping[str, bytes], head: Head) -> bool:
    """Is all of a release there, by its word (but for the report, made of the rest) and whole?"""

    def besides(sums: Mapping[str, str]) -> dict[str, str]:
        return {path: digest for path, digest in sums.items() if path != REPORT}

    if besides(sums_of(files[SUMS])) != besides(head.sums):
        return False
    shards = {shard.path for shard in head.shards}  # which were looked at before
    return all(head.place.has(path, head.sums[path]) for path in head.sums.keys() - shards)


def _signed_by(key: Path, head: Head, manifest: Manifest) -> bool:
    """Is the release that is there signed with this very key?"""
    from tracefactory.publish.attestation import Forged, sign, verify

    found = head.place.fetch(ATTESTATION)
    if found is None:
        return False
    try:
        wanted = verify(sign(head.sums, key, manifest), head.sums, None)
        return verify(found.read_bytes(), head.sums, None).key_id == wanted.key_id
    except Forged:
        return False


def _outgoing(
    local: Local,
    head: Head | None,
    shards: Sequence[Settled],
    files: Mapping[str, bytes],
    message: str | None,
) -> Outgoing:
    before = {*head.sums, SUMS} if head else set[str]()
    after = {*sums_of(files[SUMS]), *files}
    if head is not None and ATTESTATION not in files and head.place.fetch(ATTESTATION):
        before.add(ATTESTATION)  # it says nothing of the new release
    rows = sum(shard.stats.rows for shard in shards if shard.stats.config == "sft")
    sha256 = hashlib.sha256(files[MANIFEST]).hexdigest()
    words = message or f"Release {sha256[:12]} of {local.manifest.name}: {rows:,} rows in sft"
    return Outgoing(tuple(shards), files, sorted(before - after), sha256, words)


def _changed(files: Mapping[str, bytes], head: Head | None) -> dict[str, int]:
    """Bytes of the files that are not at the target as they are."""
    known = head.sums if head else {}
    return {
        path: len(data)
        for path, data in files.items()
        if hashlib.sha256(data).hexdigest() != known.get(path)
    }


def _outcome(
    target: Target,
    release: str,
    address: str | None,
    tag: str | None,
    shards: Sequence[Settled],
    sent: Mapping[str, int],
    gone: Sequence[str],
    changed: bool = False,
) -> Outcome:
    rows: dict[str, int] = {}
    for shard in shards:
        name = f"{shard.stats.config}/{shard.stats.split}"
        rows[name] = rows.get(name, 0) + shard.stats.rows
    new = [shard for shard in shards if shard.source is not None]
    beside = [file.source for shard in shards for file in shard.beside.values()]
    sizes = [source.stat().st_size for source in beside if source is not None]
    shard_bytes = sum(shard.stats.bytes for shard in new)
    return Outcome(
        target=target.name,
        release=release,
        address=address,
        tag=tag,
        changed=changed,
        rows=rows,
        new_shards=len(new),
        kept_shards=len(shards) - len(new),
        sent_files=len(new) + len(sizes) + len(sent),
        sent_bytes=shard_bytes + sum(sizes) + sum(sent.values()),
        kept_bytes=sum(s.stats.bytes for s in shards if s.source is None),
        shard_bytes=shard_bytes,
        gone=tuple(gone),
    )
