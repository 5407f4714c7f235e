"""A release to audit, and a careful forger: rows are changed, and all hashes made right."""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.audit.asked import Asked
from tracefactory.audit.digests import Making, RowFaults, digest_of
from tracefactory.audit.examine import audit_release
from tracefactory.audit.shard import FROM_SFT, UNSEEN, _Recounted
from tracefactory.cluster import InlinePool
from tracefactory.publish.release import over_shards, record_name, texts
from tracefactory.publish.rows import content_digest
from tracefactory.publish.stats import stats_of
from tracefactory.rates import COUNTED
from tracefactory.schemas.manifest import Manifest, ShardStats
from tracefactory.schemas.traces import VIEW_SCHEMAS
from tracefactory.schemas.verdict import Verdict
from tracefactory.store.files import parquet_bytes, row_group_rows
from tracefactory.store.sums import SUMS

RECIPE = """\
name: small
seed: 7
description: "Sums: some of them wrong"
stages:
  problems:
    use: sample
    chunk: {rows: 40}
    families:
      - {name: modular_sum, count: 80, split: {test: 10}}
      - {name: gcd, count: 40}
  attempts:
    use: generate
    from: problems
    teacher: {kind: solver, slip_rate: 0.3, repair_rate: 0.3, habit_rate: 0.2}
    attempts: {min: 2, max: 4, until_correct: 1}
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'", "n_false_steps = 0"]}
  unique: {use: dedupe, from: kept}
  dataset:
    use: publish
    from: unique
    shard: {rows: 120}
    views: [sft, sft_reasoning, rl, pretrain, preference, rejected]
"""


_RATED = ("sft", "rejected", "rl")


def nothing_told(*_):
    pass


def audited(folder, asked=None):
    """The outcome of an audit in this process."""
    return audit_release(Path(folder), asked or Asked(planted=20), InlinePool(), nothing_told)


def named(outcome):
    """(check, file) of all faults."""
    return {(fault.check, fault.file) for fault in outcome.faults}


class Forger:
    """Changes a release in place."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.manifest = Manifest.from_json(orjson.loads(self.read("manifest/manifest.json")))
        paths = [file["path"] for file in self.manifest.files]
        self.records = {
            path: ShardStats.from_json(orjson.loads(self.read(record_name(path)))) for path in paths
        }

    def read(self, name):
        return (self.folder / name).read_bytes()

    def write(self, name, data):
        """A new file in the place of the old one, which may be a hard link of the run's."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def shards(self, config):
        return [path for path, record in self.records.items() if record.config == config]

    def rows(self, path):
        return pq.read_table(self.folder / path).to_pylist()

    def put_rows(self, path, rows):
        """Write a shard with these rows; its record is made right."""
        record = self.records[path]
        table = pa.Table.from_pylist(rows, schema=VIEW_SCHEMAS[record.config])
        data = bytes(parquet_bytes(table, published=True))
        self.write(path, data)
        making = Making("", b"forger", (), record.split, record.recipe_id)
        digest = digest_of(record.config, table, making, RowFaults(path))
        counted = stats_of(record.config, table, _Recounted(table, digest))
        # What rows do not say is left as it was: as well as a forger can do it.
        unseen = UNSEEN | (FROM_SFT if record.config in ("pretrain", "sft_reasoning") else set())
        self.records[path] = replace(
            record,
            rows=table.num_rows,
            bytes=len(data),
            file_sha256=hashlib.sha256(data).hexdigest(),
            content_sha256=content_digest(table),
            row_groups=-(-table.num_rows // row_group_rows(table, published=True)),
            stats=replace(counted, **{name: getattr(record.stats, name) for name in unseen}),
        )

    def edit(self, config, change, where=lambda row: True, most=1):
        """Change the first rows that are so, in all shards of a view; their ids."""
        changed = []
        for path in self.shards(config):
            rows = self.rows(path)
            picked = [row for row in rows if where(row)][: most - len(changed)]
            for row in picked:
                change(row)
                row["content_sha256"] = content_hash(config, row)
            if picked:
                self.put_rows(path, rows)
            changed += [row["id"] for row in picked]
            if len(changed) >= most:
                break
        assert changed
        return changed

    def move(self, source, target, where, most=1):
        """Take the first rows that are so out of a view and put them into another; their rows."""
        moved = []
        for path in self.shards(source):
            rows = self.rows(path)
            picked = [row for row in rows if where(row)][: most - len(moved)]
            if picked:
                self.put_rows(path, [row for row in rows if row not in picked])
            moved += picked
        assert moved
        path = self.shards(target)[0]
        names = VIEW_SCHEMAS[self.records[path].config].names
        rows = [{name: row.get(name) for name in names} for row in moved]
        self.put_rows(path, [*self.rows(path), *rows])
        return moved

    def rates_right(self, over):
        """Attempts, correct ones, pass rates and difficulties, counted again over all traces."""
        tables = {p: self.rows(p) for p in self.records if p.split("/")[0] in _RATED}
        traces = [r for p, rows in tables.items() if not p.startswith("rl/") for r in rows]
        groups = {}
        for row in traces:
            groups.setdefault(row["id"].rpartition("/")[0], []).append(row)
            groups.setdefault(row["problem_id"], []).append(row)
        for path, rows in tables.items():
            for row in rows:
                key = row["problem_id"] if path.startswith("rl/") else row["id"].rpartition("/")[0]
                mine = {r["id"]: r for r in groups.get(key, [])}.values()
                counted = [r for r in mine if r["attempt_index"] < over and r["status"] in COUNTED]
                right = sum(r["status"] == "correct" for r in counted)
                rate = right / len(counted) if counted else None
                row["pass_rate"], row["n_attempts"] = rate, len(mine)
                row["difficulty"] = None if rate is None else 1 - rate
                if path.startswith("rl/"):
                    row["n_correct"] = sum(r["status"] == "correct" for r in mine)
                    row["n_correct"] = row["n_correct"] if mine else None
                    row["n_attempts"] = len(mine) or None
            self.put_rows(path, rows)

    def finish(self, **manifest):
        """Make everything right that follows from shards, records and manifest."""
        shards = list(self.records.values())
        funnel = {
            **self.manifest.funnel,
            **{
                f"published.{c}.{s}": sum(r.rows for r in shards if (r.config, r.split) == (c, s))
                for c, s in {(r.config, r.split) for r in shards}
            },
        }
        self.manifest = over_shards(replace(self.manifest, funnel=funnel), shards, None)
        self.manifest = replace(self.manifest, **manifest)
        lying = [(shard, self.folder / shard.path) for shard in shards]
        shutil.rmtree(self.folder / "manifest/shards", ignore_errors=True)
        for name, data in texts(self.manifest, shards, lying).items():
            self.write(name, data)

    def sums_right(self):
        """SHA256SUMS over whatever is there."""
        names = [p for p in self.folder.rglob("*") if p.is_file() and p.name != SUMS]
        lines = sorted(
            (p.relative_to(self.folder).as_posix(), hashlib.sha256(p.read_bytes()).hexdigest())
            for p in names
        )
        self.write(SUMS, "".join(f"{sha}  {name}\n" for name, sha in lines).encode())


def content_hash(config, row):
    """As publish/views do it."""
    if config == "pretrain":
        values = (row["text"],)
    elif config == "rl":
        values = (row["prompt"][0]["content"], row["solution"])
    else:
        values = (row["messages"][0]["content"], row["messages"][1]["content"], row["answer"])
    return hashlib.sha256(orjson.dumps(values)).hexdigest()


def kill_this_process(order):
    """A job that no worker survives, when it has the row that is to blame."""
    if 7 in order.rows:
        os._exit(1)
    return sum(order.rows)


def verify(problem, attempt):
    """A checker of somebody's, which cannot do its work here."""
    return Verdict("", "error", "sandbox_unavailable")
