"""What was published before, as rows that outrank all that is new.

A release made with a near dedupe carries an index, a pure function of its shards and of the frozen
definition (nearness/spec.py):

    index/spec.json                        the definition; another one is refused
    index/sft-train-00000.bands.parquet    (hash, row), sorted by hash: twenty lines a row
    index/sft-train-00000.rows.parquet     id, problem, 128 bits of content, guard, sketch

and the same of `rl`. Of a release without one, the shards themselves are read: it costs their
texts, and gives the same.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.errors import IntegrityError, RecipeError, SourceError
from tracefactory.nearness.documents import Documents, blocks, of_problems, of_traces
from tracefactory.nearness.jaccard import SKETCH
from tracefactory.nearness.signature import mix, raw_bands, salted, signatures
from tracefactory.nearness.spec import BANDS, spec
from tracefactory.nearness.tokens import U64
from tracefactory.repeats.compared import LONG, Settings, id_hash
from tracefactory.repeats.tables import (
    BAND_SCHEMA,
    NODE_SCHEMA,
    PUBLISHED,
    PUBLISHED_HELD_OUT,
    TEXT_SCHEMA,
)
from tracefactory.schemas.problem import is_held_out
from tracefactory.store.commit import MANIFEST
from tracefactory.store.files import read_parquet

FOLDER = "index"
ROLE = "index-"
"""How the roles begin of what a publish stage leaves of it."""
FACT = "near"
"""Of chunks that a near dedupe has seen: their release gets an index."""
SPEC = f"{FOLDER}/spec.json"
TURNS = {"problems": "rl", "traces": "sft"}
"""Which view has the texts of a turn."""

ROWS_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("problem_id", pa.string()),
        pa.field("high", pa.uint64()),
        pa.field("low", pa.uint64()),
        pa.field("answers", pa.uint64()),
        pa.field("numbers", pa.uint64()),
        pa.field("length", pa.int32()),  # in tokens
        pa.field("near", pa.bool_()),  # long enough to be near another
        pa.field("sketch", pa.list_(pa.uint64())),  # the 256 least shingles
    ]
)
BANDS_SCHEMA = pa.schema([pa.field("hash", pa.uint64()), pa.field("row", pa.int32())])


def names_of(path: str) -> tuple[str, str]:
    """Where the index of a shard stands: its rows, its bands."""
    stem = f"{FOLDER}/{path.replace('/', '-').removesuffix('.parquet')}"
    return f"{stem}.rows.parquet", f"{stem}.bands.parquet"


def spec_bytes() -> bytes:
    """spec.json."""
    return orjson.dumps(spec(), option=orjson.OPT_INDENT_2) + b"\n"


def index_tables(tables: Mapping[str, pa.Table], lines: Sequence[str]) -> dict[str, pa.Table]:
    """The index of all tables of a shard task, by `<view>.<split>`; roles of outputs."""
    found: dict[str, pa.Table] = {}
    for role, table in tables.items():
        if role.partition(".")[0] in TURNS.values():
            rows, bands = indexed(role.partition(".")[0], table, lines)
            found |= {f"{ROLE}rows.{role}": rows, f"{ROLE}bands.{role}": bands}
    return found


# --- Made ----------------------------------------------------------------------------------------


def indexed(config: str, shard: pa.Table, instructions: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The index of a shard of `sft` or `rl`: rows, and bands."""
    made = _problems(shard, instructions) if config == "rl" else _traces(shard)
    ids = shard.column("id").combine_chunks()
    near = made.near()
    sketches = [made.shingles(row)[:SKETCH] for row in range(len(made))]
    rows = pa.Table.from_arrays(
        [
            ids, shard.column("problem_id").combine_chunks(), pa.array(made.high),
            pa.array(made.low), pa.array(made.answers), pa.array(made.numbers),
            pa.array(made.lengths, pa.int32()), pa.array(near),
            pa.array(sketches, pa.list_(pa.uint64())),
        ],
        schema=ROWS_SCHEMA,
    )  # fmt: skip
    chosen = np.flatnonzero(near).astype(np.int32)
    hashes = raw_bands(signatures(made.tokens))[chosen].reshape(-1)
    owners = np.repeat(chosen, BANDS)
    order = np.lexsort((owners, hashes))
    bands = pa.Table.from_arrays(
        [pa.array(hashes[order]), pa.array(owners[order])], schema=BANDS_SCHEMA
    )
    return rows, bands


def _problems(shard: pa.Table, instructions: Sequence[str]) -> Documents:
    prompts = ["".join(turn["content"] for turn in p) for p in shard.column("prompt").to_pylist()]
    statements = [_bare(prompt, instructions) for prompt in prompts]
    return of_problems(statements, shard.column("solution").to_pylist())


def _bare(prompt: str, instructions: Sequence[str]) -> str:
    for line in sorted(instructions, key=len, reverse=True):
        if line and prompt.endswith(f"\n\n{line}"):
            return prompt[: -len(line) - 2]
    return prompt


def _traces(shard: pa.Table) -> Documents:
    turns: list[list[dict[str, str]]] = shard.column("messages").to_pylist()
    answers = [answer or "" for answer in shard.column("final_answer").to_pylist()]
    asked = [row[0]["content"] for row in turns]
    return of_traces([row[-1]["content"] for row in turns], answers, asked, np.arange(len(turns)))


def instructions_of(recipe: Mapping[str, Any]) -> list[str]:
    """The lines that a recipe puts behind statements."""
    stages = recipe.get("stages")
    found = stages.values() if isinstance(stages, Mapping) else ()
    lines = {s.get("instruction") for s in found if isinstance(s, Mapping)}
    return sorted(line for line in lines if isinstance(line, str) and line)


def index_of(path: Path, config: str, instructions: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The index of a shard that lies here, made of its file: rows, and bands."""
    parts = list(_read_in_parts(path, config, instructions))
    if not parts:
        return ROWS_SCHEMA.empty_table(), BANDS_SCHEMA.empty_table()
    bands = pa.concat_tables([part[1] for part in parts])
    rows = pa.concat_tables([part[0] for part in parts]).combine_chunks()
    order = np.lexsort((bands.column("row").to_numpy(), _numbers(bands, "hash")))
    return rows, bands.take(pa.array(order)).combine_chunks()


# --- Read ----------------------------------------------------------------------------------------

_HUB = re.compile(r"hf://(?:datasets/)?([^/@]+/[^/@]+)(?:@([^/]+))?/?")


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


def manifest_of(place: str) -> str:
    """sha256 of a local release's manifest, so that another release there is read anew."""
    if _HUB.fullmatch(place):
        return ""
    path = _folder(place) / MANIFEST
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _folder(place: str) -> Path:
    from tracefactory.audit.place import opened

    with opened(place, None, foreign=False) as found:
        assert found.release is not None
        return found.release


def opened_release(place: str) -> dict[str, Any]:
    """What a release says of itself: where it is, its name, its shards.

    Raises:
        RecipeError: it was indexed under another definition.
        SourceError: it cannot be had.
    """
    release = Release(_resolved(place))
    path = release.file(MANIFEST)
    if path is None:
        raise SourceError(f"against: {place} holds no release ({MANIFEST} is missing)")
    data = path.read_bytes()
    try:
        manifest = orjson.loads(data)
        shards = [
            {"config": config, "split": split, "path": str(file)}
            for config, splits in manifest["configs"].items()
            for split, figures in splits.items()
            for file in figures["files"]
            if config in TURNS.values()
        ]
        name = f"{manifest['name']}@{hashlib.sha256(data).hexdigest()[:12]}"
        lines = instructions_of(manifest["recipe"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"against: {place}/{MANIFEST} cannot be read ({error!r})") from error
    return {
        "place": release.place,
        "name": name,
        "shards": shards,
        "instructions": lines,
        "indexed": _checked_spec(release, place),
    }


def _resolved(place: str) -> str:
    match = _HUB.fullmatch(place)
    if match is None:
        if place.startswith("hf://"):
            raise RecipeError(
                f"against: {place}: want hf://datasets/ORG/NAME, @REVISION if need be"
            )
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


def _checked_spec(release: Release, place: str) -> bool:
    path = release.file(SPEC)
    if path is None:
        return False
    try:
        found = orjson.loads(path.read_bytes())
    except ValueError:
        found = None
    if found != spec():
        differ = found if not isinstance(found, dict) else sorted(
            key for key in {*found, *spec()} if found.get(key) != spec().get(key)
        )  # fmt: skip
        raise RecipeError(
            f"against: {place} was indexed under another definition ({SPEC} differs in {differ}); "
            "its numbers mean something else here. Publish it anew with this tracefactory, or "
            "leave it out"
        )
    return True


@dataclass(frozen=True, slots=True)
class Before:
    """The rows of one published shard, as they are compared."""

    rows: pa.Table
    bands: pa.Table
    tier: int
    high: U64
    blocks: U64

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Before":
        """Read by an order: its shard, and the recipe's settings."""
        release, shard = Release(config["place"]), config["shard"]
        rows, bands = _tables(release, shard, config)
        settings = Settings.of(config)
        groups: U64 = np.array(
            [id_hash(p) for p in rows.column("problem_id").to_pylist()], np.uint64
        )
        high, answers, numbers = (_numbers(rows, name) for name in ("high", "answers", "numbers"))
        tier = PUBLISHED
        if shard["config"] == "rl":
            tier = PUBLISHED_HELD_OUT if is_held_out(shard["split"]) else PUBLISHED
            return cls(rows, bands, tier, high, blocks(answers, numbers, None))
        short = rows.column("length").to_numpy() < LONG
        high = np.where(short, mix(high ^ groups), high)
        found = blocks(
            answers, numbers if settings.numbers else None, None if settings.across else groups
        )
        return cls(rows, bands, tier, high, found)

    def nodes(self, group: int) -> pa.Table:
        """Like Compared.nodes."""
        n = self.rows.num_rows
        zeros = pa.array(np.zeros(n, np.int32))
        columns = [
            pa.array(self.high), self.rows.column("low"), pa.array(np.full(n, self.tier, np.int8)),
            zeros, self.rows.column("length"), zeros, self.rows.column("id"),
            pa.array(np.full(n, group, np.int32)),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=NODE_SCHEMA)

    def salted_bands(self, group: int) -> pa.Table:
        """Like Compared.bands."""
        owners = self.bands.column("row").to_numpy()
        hashes = salted(_numbers(self.bands, "hash"), self.blocks[owners])
        columns = [
            pa.array(hashes), pa.array(self.high[owners]),
            pa.array(np.full(len(owners), group, np.int32)),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=BAND_SCHEMA)

    def texts(self, group: int, parts: Mapping[int, int]) -> pa.Table:
        """Like Compared.texts."""
        rows = [row for row, content in enumerate(self.high.tolist()) if content in parts]
        at = pa.array(rows, pa.int64())
        sketches = self.rows.column("sketch").take(at)
        columns = [
            pa.array([parts[int(self.high[row])] for row in rows], pa.uint64()),
            *self.nodes(group).take(at).columns,
            pa.array(self.blocks[rows]),
            pa.array([len(values) < SKETCH for values in sketches.to_pylist()], pa.bool_()),
            sketches,
        ]
        return pa.Table.from_arrays(columns, schema=TEXT_SCHEMA)


def _numbers(table: pa.Table, name: str) -> U64:
    found: U64 = table.column(name).to_numpy().astype(np.uint64)
    return found


def _tables(
    release: Release, shard: Mapping[str, str], config: Mapping[str, Any]
) -> tuple[pa.Table, pa.Table]:
    if config["indexed"]:
        paths = [release.file(name) for name in names_of(shard["path"])]
        if None in paths:
            raise IntegrityError(f"against: {release.place} has no index of {shard['path']}")
        rows, bands = (read_parquet(path) for path in paths if path is not None)
        if rows.schema != ROWS_SCHEMA or bands.schema != BANDS_SCHEMA:
            raise IntegrityError(f"against: the index of {shard['path']} has other columns")
        return rows, bands
    path = release.file(shard["path"])
    if path is None:
        raise IntegrityError(f"against: {release.place} has no {shard['path']}")
    return index_of(path, shard["config"], config["instructions"])


def _read_in_parts(
    path: Path, view: str, instructions: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Some thousand rows at a time; rows are counted on."""
    columns = ["id", "problem_id", *(("prompt", "solution") if view == "rl" else
                                     ("messages", "final_answer"))]  # fmt: skip
    first = 0
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for batch in file.iter_batches(5000, columns=columns, use_threads=False):
            rows, bands = indexed(view, pa.Table.from_batches([batch]), instructions)
            moved = pa.array(bands.column("row").to_numpy() + np.int32(first))
            yield rows, bands.set_column(1, BANDS_SCHEMA.field("row"), moved)
            first += batch.num_rows
