"""What the release as a whole says: its checksums, its sums of sums, its funnel, its licences.

Not here: whether the records are true of their shards (shard.py), and the card, the report and
other texts that are made of them (remade.py).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import tracefactory
from tracefactory.audit.faults import Fault, differences, short
from tracefactory.audit.inside import Unsafe, path_of, read_bytes, walk
from tracefactory.audit.recipe_says import RecipeSays
from tracefactory.audit.records import Records
from tracefactory.publish.attestation import NAME as ATTESTATION
from tracefactory.publish.release import configs_of, record_name
from tracefactory.repeats.index import FOLDER
from tracefactory.schemas.manifest import SCHEMA_VERSION
from tracefactory.store.commit import MANIFEST
from tracefactory.store.home import digest
from tracefactory.store.sums import SUMS

TABLE = "manifest/shards.parquet"
ROWS = "manifest/rows/"
INDEX = f"{FOLDER}/"
FREE = frozenset({SUMS, ATTESTATION, ".gitattributes"})
"""Files that SHA256SUMS cannot or need not name."""

_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)")
_CACHES = (".cache/", ".git/")
"""What downloads leave beside a dataset."""


# --- Files -------------------------------------------------------------------------------------


def read_sums(root: Path) -> tuple[dict[str, str], list[Fault]]:
    """SHA256SUMS as sha256 by name."""
    try:
        lines = read_bytes(root, SUMS).decode().splitlines()
    except (OSError, Unsafe, UnicodeDecodeError) as error:
        said = short(f"{type(error).__name__}: {error}")
        return {}, [Fault("sums_unreadable", SUMS, said, "lines of sha256 and name")]
    sums: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        match = _SUM_LINE.fullmatch(line)
        if match is None or match[2] in sums:
            faults.append(
                Fault("sums_line", SUMS, f"line {number}: {short(line)}", "sha256 and name")
            )
        else:
            sums[match[2]] = match[1]
    return sums, faults


def file_faults(root: Path, records: Records, sums: Mapping[str, str]) -> Iterator[Fault]:
    """Files against SHA256SUMS and the manifest. Shards are hashed elsewhere, by workers."""
    files, others = walk(root)
    for name in others:
        yield Fault("file_unsafe", short(name), "a link or no plain file", "plain files only")
    there = {name for name in files if not name.startswith(_CACHES)}
    for name in sorted(there - sums.keys() - FREE):
        yield Fault("file_unlisted", short(name), "a file", f"no file that {SUMS} does not name")
    for name in sorted(sums.keys() - there):
        yield Fault("file_missing", short(name), "nothing", f"a file: {SUMS} names it")
    for name, sha256 in records.listed.items():
        if sums.get(name) != sha256:
            said = f"{sha256}, says {MANIFEST}"
            yield Fault("sums_differ", SUMS, short(f"{name}: {sums.get(name, 'not named')}"), said)
    known = records.listed.keys() | {record_name(path) for path in records.listed}
    for name in sorted(there - records.listed.keys()):
        if name.endswith(".parquet") and not name.startswith((ROWS, INDEX)) and name != TABLE:
            yield Fault("shard_unlisted", short(name), "a shard", f"no shard that {MANIFEST} lacks")
        elif name.startswith("manifest/shards/") and name not in known:
            yield Fault("record_unlisted", short(name), "a record", "records of shards there are")
    for name in sorted((there & sums.keys()) - records.listed.keys()):
        yield from _hash(root, name, sums[name])


def _hash(root: Path, name: str, expected: str) -> Iterator[Fault]:
    try:
        with path_of(root, name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, Unsafe) as error:
        yield Fault("file_unsafe", short(name), str(error), "a plain file")
        return
    if found != expected:
        yield Fault("file_sha256", short(name), found, f"{expected}, says {SUMS}")


# --- Sums of sums, and what is made of them ------------------------------------------------------


def manifest_faults(records: Records) -> Iterator[Fault]:
    """Is the manifest the fold of the shards' records, and is the recipe the one it is named by?"""
    manifest = records.manifest
    folded = configs_of(records.shards)
    for place, stated, real in differences(manifest.configs, folded, "configs"):
        said = f"{real}, the fold of the shards' records"
        yield Fault("manifest_fold", MANIFEST, f"{place} is {stated}", said)
    identity = digest(manifest.recipe)[:16]
    if manifest.recipe_id != identity:
        said = f"{identity}, the recipe's own hash"
        yield Fault("recipe_id", MANIFEST, f"recipe_id is {short(manifest.recipe_id)}", said)
    for key in ("name", "seed"):
        own: object = getattr(manifest, key)
        named: object = manifest.recipe.get(key)
        if own != named:
            said = f"{short(named)}, says the recipe"
            yield Fault("manifest_recipe", MANIFEST, f"{key} is {short(own)}", said)
    if manifest.parent_release is None:  # else some shards are those of an older recipe
        for shard in records.shards:
            if (shard.recipe_id, shard.seed) != (manifest.recipe_id, manifest.seed):
                found = f"recipe {shard.recipe_id}, seed {shard.seed}"
                said = f"recipe {manifest.recipe_id}, seed {manifest.seed}, says {MANIFEST}"
                yield Fault("record_recipe", record_name(shard.path), found, said)


def same_program(records: Records) -> bool:
    """Was the release made by this version, so that all can be made again, byte for byte?"""
    manifest = records.manifest
    return (manifest.tracefactory, manifest.schema_version) == (
        tracefactory.__version__,
        SCHEMA_VERSION,
    )


# --- The funnel ----------------------------------------------------------------------------------


def funnel_faults(records: Records, says: RecipeSays, traces: pl.DataFrame) -> Iterator[Fault]:
    """Do the rows bear out the funnel? `traces` are the digests of `sft` and `rejected`."""
    stated = records.manifest.funnel
    expected = dict(_published(records))
    configs = {shard.config for shard in records.shards}
    if {"sft", "rejected"} <= configs and says.chain:
        expected |= _stages(says.chain, traces)
    for key, real in expected.items():
        if stated.get(key, 0) != real:  # a stage says nothing of what it never counted
            said = f"{real:,}, by the rows"
            yield Fault("funnel", MANIFEST, f"{key} is {short(stated.get(key, 0))}", said)
    for key in sorted(k for k in stated if k.startswith("published.") and k not in expected):
        yield Fault("funnel", MANIFEST, f"{key} is {short(stated[key])}", "no such view")
    for key in sorted(k for k in stated if k.partition(".")[0] not in {"published", *says.stages}):
        found = f"{short(key)} is {short(stated[key])}"
        yield Fault("funnel", MANIFEST, found, "no such stage in the recipe")
    if {"sft", "rejected"} <= configs and says.makers and not says.chain:
        made = sum(stated.get(f"{name}.attempts", 0) for name in says.makers)
        if made != traces.height:
            found = f"{made:,} attempts of {short(', '.join(says.makers))}"
            yield Fault("funnel", MANIFEST, found, f"{traces.height:,}, by the rows")


def _published(records: Records) -> Iterator[tuple[str, int]]:
    rows: Counter[tuple[str, str]] = Counter()
    for shard in records.shards:
        rows[shard.config, shard.split] += shard.rows
    for (config, split), n in rows.items():
        yield f"published.{config}.{split}", n


def _stages(chain: Sequence[tuple[str, str]], traces: pl.DataFrame) -> dict[str, int]:
    """What each stage of a recipe without branches must have counted."""
    statuses = Counter(traces.get_column("status").to_list())
    judged = Counter(traces.filter(pl.col("verifier").is_not_null()).get_column("status").to_list())
    dropped = Counter(traces.get_column("dropped_by").drop_nulls().to_list())
    left, found = traces.height, dict[str, int]()
    for name, use in chain:
        if use in ("generate", "import"):
            found[f"{name}.attempts"] = statuses.total()
        elif use == "verify":
            found |= {
                f"{name}.{status}": judged[status]
                for status in ("correct", "incorrect", "no_answer", "undecided", "bad_reference")
            }
        left -= dropped[name]
        if use in ("filter", "dedupe"):
            found[f"{name}.kept"] = left
        if use == "dedupe":
            found[f"{name}.duplicates"] = dropped[name]
    return found


def licence_faults(records: Records, rows: Mapping[str, set[str]]) -> Iterator[Fault]:
    """Licences of rows that no input has. `rows` are the licences found, by path."""
    inputs = [one.get("license") for one in records.manifest.inputs]
    if not inputs or any(not isinstance(one, str) for one in inputs) or _by_column(records):
        return
    for path, licences in rows.items():
        for licence in sorted(licences - set(inputs)):
            said = f"one of {short(sorted(set(map(str, inputs))))}, says {MANIFEST}"
            yield Fault("license", path, f"rows under {short(licence)}", said)


def _by_column(records: Records) -> bool:
    """Does a source take each row's licence from a column?"""
    stages: Any = records.manifest.recipe.get("stages")
    if not isinstance(stages, dict):
        return False
    problems = [s.get("problem") for s in stages.values() if isinstance(s, dict)]
    return any(isinstance(p, dict) and p.get("license") is not None for p in problems)
