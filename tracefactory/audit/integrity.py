"""Is a release what it says it is? Every file, record and row, each against the others.

Shards are read in worker processes; here what they found is put together.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import orjson
import polars as pl

from tracefactory.audit.across import across_faults
from tracefactory.audit.asked import Asked, Told
from tracefactory.audit.by_recipe import by_recipe_faults
from tracefactory.audit.crew import Job, ends
from tracefactory.audit.digests import digest_schema
from tracefactory.audit.faults import Fault, short
from tracefactory.audit.indexed import named_faults, same_definition
from tracefactory.audit.outcome import Outcome
from tracefactory.audit.recipe_says import RecipeSays
from tracefactory.audit.records import Records
from tracefactory.audit.remade import RemakeOrder, remake
from tracefactory.audit.shard import ShardFindings, ShardOrder, read_shard
from tracefactory.audit.signature import signature
from tracefactory.audit.statements import (
    file_faults,
    funnel_faults,
    licence_faults,
    manifest_faults,
    read_sums,
    same_program,
)
from tracefactory.cluster import Done, End, Pool
from tracefactory.store.commit import MANIFEST


def integrity(
    root: Path,
    records: Records,
    says: RecipeSays,
    key: bytes,
    outcome: Outcome,
    pool: Pool,
    told: Told,
) -> pl.DataFrame:
    """All that files, records and rows say of each other, into the outcome; the digest of all rows.

    Raises:
        ResourceError: the cluster is gone.
    """
    sums, faults = read_sums(root)
    outcome.faults += [*faults, *file_faults(root, records, sums), *manifest_faults(records)]
    if not same_program(records):
        made = f"{records.manifest.tracefactory}, schema {records.manifest.schema_version}"
        outcome.texts_made_again = False
        outcome.notes.append(f"made by tracefactory {short(made)}: card and report not made again")
    outcome.faults += named_faults(records, sums)
    indexed = same_definition(root)
    if indexed is False:
        outcome.notes.append("its index is of another definition: not made again")
    outcome.files, outcome.shards = len(sums), len(records.shards)
    run_seed = records.manifest.seed if says.generated else None
    orders = [
        ShardOrder(str(root), r, outcome.seed, key, says.instructions, run_seed, bool(indexed))
        for r in records.shards
    ]
    parts: list[pl.DataFrame] = []
    jobs = (Job(order.record.path, read_shard, order) for order in orders)
    for done, (job, end) in enumerate(ends(pool, jobs), 1):
        found = _read(job, end)
        outcome.faults += found.faults
        if found.digest is not None:
            parts.append(_placed(found, job.order))
        told("shards read", done, len(orders))
    if same_program(records):
        outcome.faults += _remade(RemakeOrder(str(root), records, sums), pool)
    digest = pl.concat(parts) if parts else _placed(ShardFindings([], None), None)
    outcome.faults += _between(digest, records, says)
    for record in records.shards:
        view = f"{record.config}.{record.split}"
        outcome.views[view] = outcome.views.get(view, 0) + record.rows
    return digest


def _remade(order: RemakeOrder, pool: Pool) -> list[Fault]:
    for _, end in ends(pool, [Job("remake", remake, order)]):
        if isinstance(end, Done):
            found: list[Fault] = end.value
            return found
    said = "making the texts again kills the process that tries"
    return [Fault("not_made_again", MANIFEST, said, "a release whose texts can be made again")]


def _read(job: Job, end: End) -> ShardFindings:
    if isinstance(end, Done):
        assert isinstance(end.value, ShardFindings)
        return end.value
    said = "reading it kills the process that tries"
    return ShardFindings([Fault("unreadable", job.tag, said, "a shard")], None)


def _placed(found: ShardFindings, order: ShardOrder | None) -> pl.DataFrame:
    """A digest with the shard that it is of."""
    table = digest_schema().empty_table() if found.digest is None else found.digest
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    path, config = ("", "") if order is None else (order.record.path, order.record.config)
    return frame.with_columns(pl.lit(path).alias("path"), pl.lit(config).alias("config"))


def _between(digest: pl.DataFrame, records: Records, says: RecipeSays) -> Iterator[Fault]:
    """What the rows of all shards together say."""
    by_path = {record.path: record for record in records.shards}
    yield from across_faults(digest, by_path, says.rate_over)
    read = set(digest.get_column("path").unique())
    unread = {r.config for path, r in by_path.items() if r.rows and path not in read}
    configs = {record.config for record in records.shards}
    yield from by_recipe_faults(digest, configs - unread, says)
    if all(path in read or not record.rows for path, record in by_path.items()):
        traces = digest.filter(pl.col("config").is_in(["sft", "rejected"]))
        yield from funnel_faults(records, says, traces)
    licences = {
        str(path): set(group.get_column("license").drop_nulls().unique())
        for (path,), group in digest.group_by("path")
    }
    yield from licence_faults(records, licences)


def word_of(root: Path, asked: Asked, outcome: Outcome) -> None:
    """Who says so: the signature, and the hash that the auditor was told."""
    sums, _ = read_sums(root)
    outcome.signature, faults = signature(root, sums, asked.key)
    outcome.faults += faults
    if asked.expect is not None and not (outcome.manifest_sha256 or "").startswith(asked.expect):
        found = outcome.manifest_sha256 or ""
        outcome.faults.append(Fault("not_expected", MANIFEST, found, f"{asked.expect}, as asked"))


def checker_settings(problems: pl.DataFrame) -> dict[str, int]:
    """Problems by checker and the settings that decide what it lets pass; the commonest first."""
    found: Counter[str] = Counter()
    for verifier, text in problems.select("verifier", "options").iter_rows():
        options: object = orjson.loads(text)
        named = cast("dict[str, object]", options) if isinstance(options, dict) else {}
        told = [f"{k}={named[k]}" for k in sorted(named.keys() & LENIENT)]
        found[" ".join([str(verifier), *told])] += 1
    return dict(found.most_common())


LENIENT = frozenset({"answer_after", "tolerance", "second_opinion", "on_disagreement", "family"})
