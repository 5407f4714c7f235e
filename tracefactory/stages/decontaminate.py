"""Drop rows that hold items of benchmarks, and note those that come near one.

Statements and traces are both looked at, and nothing becomes one yes or no: for each row and
benchmark the nearest item is kept, with what both have in common (role `overlaps`).

    read    one order a benchmark: its rows as items, from files or the Hub
    index   one task: all items as sorted hashes (contamination/index.py)
    match   per group of chunks: overlaps, decisions, problems that leave `train`

A problem whose statement is contaminated moves to the split `contaminated`: no teacher is asked
behind this stage, no trace of it is kept, and it never stands in a split that somebody trains on.
A trace that is contaminated by itself is dropped alone. Suspects stay.

What is held out is not looked at: it is nobody's to learn.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import orjson
import pyarrow as pa
from pydantic import Field, field_validator

from tracefactory.contamination import grams
from tracefactory.contamination.index import TABLES, Index, build, load
from tracefactory.contamination.items import ITEM_SCHEMA, read_items
from tracefactory.contamination.settings import BenchmarkPlace, Benchmarks, Semantic
from tracefactory.contamination.verdicts import Overlap, overlaps
from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.overlap import COPY, OVERLAP_SCHEMA
from tracefactory.schemas.problem import CONTAMINATED, PROBLEM_SCHEMA, is_held_out
from tracefactory.schemas.receipt import Receipt
from tracefactory.sources.inputs import content_of, where_of
from tracefactory.sources.rows import pieces
from tracefactory.stages.contract import (
    DECISION_SCHEMA,
    Inputs,
    Kind,
    Order,
    Plan,
    Result,
    outputs_of,
)
from tracefactory.stages.split import SPLIT_SCHEMA, split_of
from tracefactory.store.home import Journal
from tracefactory.task import Chunk, grouped

GROUP_ROWS = 50_000
"""Problems or attempts whose chunks are compared in one task."""

INDEX_ROLES = (*TABLES, "index_vectors")
_READS = ("problems", "splits", "attempts", "decisions")


class DecontaminateConfig(StageConfig):
    """Drop rows that hold items of benchmarks."""

    benchmarks: Benchmarks
    """Names (`gsm8k`), groups (`all`, `math`, `science`, `code`, `general`), or places of others
    (`{name: ours, path: ours.jsonl, text: question}`). docs/decontaminate.md lists the known."""
    coverage: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of an item's runs of 8 tokens from which on a row is contaminated."""
    max_items: Annotated[int, Field(ge=1)] = 20
    """A run of tokens that more items than this have is a stock phrase, and makes no suspect."""
    semantic: Semantic | None = None
    """Note the nearest item by a small model of words, too; nothing is dropped for it."""

    @field_validator("benchmarks")
    @classmethod
    def _each_once(cls, given: tuple[BenchmarkPlace, ...]) -> tuple[BenchmarkPlace, ...]:
        names = Counter(benchmark.name.casefold() for benchmark in given)
        twice = sorted(name for name, n in names.items() if n > 1)
        if twice:
            raise ValueError(f"benchmarks named twice: {', '.join(twice)}; give each once")
        return given


class Decontaminate:
    """The stage."""

    kind: ClassVar[Kind] = "barrier"
    Config: ClassVar[type[StageConfig]] = DecontaminateConfig
    version = "1"
    roles = ("overlaps", "decisions")

    def phases(self, config: DecontaminateConfig) -> int:
        """read, index, match."""
        return 3

    def orders(self, config: DecontaminateConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One order a benchmark, one for the index, one a group of chunks."""
        if phase == 0:
            for benchmark in config.benchmarks:
                told = {"step": "read", "benchmark": _told(benchmark)}
                yield Order(f"read-{benchmark.name}", told, version=grams.VERSION)
            return
        shared: dict[str, Any] = {"max_items": config.max_items, **_semantic(config)}
        version = _version(config)
        if phase == 1:
            items = Chunk("items", {"items": outputs_of(plan.done[0], "items")})
            yield Order("index", {"step": "index", **shared}, (items,), version=version)
            return
        index = Chunk("index", {role: outputs_of(plan.done[1], role) for role in INDEX_ROLES})
        shared |= {"step": "match", "stage": plan.name, "coverage": config.coverage}
        for number, group in enumerate(_groups(plan.chunks)):
            read = tuple(chunk.only(*_READS) for chunk in group)
            yield Order(f"match-{number:05d}", shared, (index, *read), version=version)

    def chunks(self, config: DecontaminateConfig, plan: Plan) -> Iterable[Chunk]:
        """All chunks go on, each with what was found in its group and its own moved problems."""
        for receipt, group in zip(plan.done[2], _groups(plan.chunks), strict=True):
            shared = [o for o in receipt.outputs if o.role in self.roles]
            for place, chunk in enumerate(group):
                moved = [o for o in receipt.outputs if o.role == f"splits.{place}"]
                yield chunk.extended([*shared, *(replace(o, role="splits") for o in moved)], {})
        yield from (chunk for chunk in plan.chunks if not _rows(chunk))

    def compared(self, config: DecontaminateConfig, plan: Plan) -> list[dict[str, Any]]:
        """The benchmarks that rows were compared with, for the manifest."""
        return [
            _described(plan.name, benchmark, receipt)
            for benchmark, receipt in zip(config.benchmarks, plan.done[0], strict=True)
        ]

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """One step."""
        if config["step"] == "read":
            return read_items(config["benchmark"])
        if config["step"] == "index":
            return _index(config, inputs)
        return _match(config, inputs)


# --- Benchmarks ----------------------------------------------------------------------------------


def _told(benchmark: BenchmarkPlace) -> dict[str, Any]:
    """What the task must know: for files their content, for the Hub a commit."""
    told: dict[str, Any] = {
        "name": benchmark.name,
        "columns": list(benchmark.columns()),
        "item": benchmark.item,
    }
    if benchmark.path is None:
        return told | {"hubs": [where_of(place) for place in benchmark.hubs()]}
    files = list(pieces(Path(benchmark.path), format=benchmark.format))
    told["pieces"] = [{n: getattr(p, n) for n in p.__dataclass_fields__} for p in files]
    return told | {"content": [content_of(piece.path, piece.size) for piece in files]}


def _described(stage: str, benchmark: BenchmarkPlace, receipt: Receipt) -> dict[str, Any]:
    described: dict[str, Any] = {
        "stage": stage,
        "name": benchmark.name,
        "kind": "file" if benchmark.path is not None else "hub",
        "columns": list(benchmark.columns()),
        "items": receipt.counts["items"],
        "unusable_rows": receipt.counts["unusable"],
        "content_sha256_sum": receipt.facts["content"],
    }
    if benchmark.path is not None:
        return described
    places = list(benchmark.hubs())
    revisions: list[str] = orjson.loads(receipt.facts["revisions"])
    return described | {
        "id": places[0].id,
        "configs": [place.config for place in places],
        "split": places[0].split,
        "revision": revisions[0] if len(revisions) == 1 else None,  # None: a folder here
    }


def _version(config: DecontaminateConfig) -> str:
    if config.semantic is None:
        return grams.VERSION
    from tracefactory.contamination.semantic import identity

    return f"{grams.VERSION},{identity(config.semantic.model, config.semantic.revision)}"


def _semantic(config: DecontaminateConfig) -> dict[str, Any]:
    return {} if config.semantic is None else {"semantic": config.semantic.model_dump(mode="json")}


def _index(config: Mapping[str, Any], inputs: Inputs) -> Result:
    items = inputs.table("items", ITEM_SCHEMA)
    result = build(items, config["max_items"])
    size = Index.of(dict(result.tables), config["max_items"]).nbytes()
    tables = dict(result.tables)
    if "semantic" in config:
        from tracefactory.contamination.semantic import vectors_of_items

        tables["index_vectors"] = vectors_of_items(config["semantic"], items)
    return Result(tables, {**result.counts, "index_bytes": size})


# --- Rows ----------------------------------------------------------------------------------------


def _rows(chunk: Chunk) -> int:
    """How much there is to compare: nothing in chunks that hold no problem for training."""
    if chunk.facts.get("train") == "0":
        return 0
    return max(chunk.rows("problems"), chunk.rows("attempts"))


def _groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    return grouped(chunks, _rows, GROUP_ROWS)


class _Found:
    """What the chunks of a group hold."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.overlaps: list[dict[str, Any]] = []
        self.decisions: list[dict[str, str]] = []
        self.moved: list[list[dict[str, str]]] = []
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))

    def note(self, one: Overlap, problem: str, attempt: str | None) -> None:
        """Keep an overlap of a statement, or of an attempt's trace."""
        row = {name: getattr(one, name) for name in Overlap.__dataclass_fields__ if name != "text"}
        self.overlaps.append(
            {**row, "stage": self.stage, "problem_id": problem, "attempt_id": attempt}
        )

    def drop(self, attempt: str, reason: str) -> None:
        """Say why an attempt goes."""
        self.decisions.append(
            {"attempt_id": attempt, "dropped_by": self.stage, "drop_reason": reason}
        )
        # As in the statistics of a release: the item is told row by row, and counted by benchmark.
        self.counts[f"dropped:{reason.partition(' of ')[0]}"] += 1


COUNTS = ("problems_contaminated", "problems_suspect", "contaminated", "suspect")


def _match(config: Mapping[str, Any], inputs: Inputs) -> Result:
    index_chunk, *chunks = inputs.chunks
    index = load(inputs, index_chunk, config["max_items"])
    found = _Found(config["stage"])
    nearest = None
    if "semantic" in config:
        from tracefactory.contamination.semantic import Nearest

        nearest = Nearest.of(config["semantic"], inputs, index_chunk)
    for chunk in chunks:
        statements = _statements(inputs, chunk)
        levels = _problems(found, index, config["coverage"], statements)
        if nearest is not None:
            found.overlaps += nearest.rows(config["stage"], statements)
        _attempts(found, index, config["coverage"], inputs, chunk, statements, levels)
    tables = {
        "overlaps": pa.Table.from_pylist(found.overlaps, schema=OVERLAP_SCHEMA),
        "decisions": pa.Table.from_pylist(found.decisions, schema=DECISION_SCHEMA),
    }
    for place, rows in enumerate(found.moved):
        if rows:  # a chunk without such a problem is the same as before, also to who has paid
            tables[f"splits.{place}"] = pa.Table.from_pylist(rows, schema=SPLIT_SCHEMA)
    return Result(tables, dict(found.counts))


def _statements(inputs: Inputs, chunk: Chunk) -> dict[str, str]:
    """Statements of the problems that are not held out, by id."""
    split = split_of(inputs, chunk)
    columns = ["id", "statement", "split"]
    table = inputs.table("problems", PROBLEM_SCHEMA, chunk, columns)
    rows: list[dict[str, str]] = table.to_pylist()
    return {
        row["id"]: row["statement"]
        for row in rows
        if not is_held_out(split.get(row["id"], row["split"]))
    }


def _problems(
    found: _Found, index: Index, coverage: float, statements: Mapping[str, str]
) -> dict[str, Overlap]:
    """Compare the statements of a chunk; the worst overlap of each that has one."""
    ids = list(statements)
    worst: dict[str, Overlap] = {}
    for one in overlaps(list(statements.values()), index, coverage, statements=True):
        problem = ids[one.text]
        found.note(one, problem, None)
        if problem not in worst or _is_worse(one, worst[problem]):
            worst[problem] = one
    gone = [problem for problem, one in worst.items() if one.level == CONTAMINATED]
    found.moved.append([{"problem_id": problem, "split": CONTAMINATED} for problem in gone])
    found.counts["problems_contaminated"] += len(gone)
    found.counts["problems_suspect"] += len(worst) - len(gone)
    return worst


def _is_worse(one: Overlap, other: Overlap) -> bool:
    """Contaminated before suspect, then by coverage; of equal ones the first benchmark stays."""
    return _weight(one) > _weight(other)


def _weight(one: Overlap) -> tuple[bool, float]:
    return one.level == CONTAMINATED, one.coverage or 0.0


def _attempts(
    found: _Found,
    index: Index,
    coverage: float,
    inputs: Inputs,
    chunk: Chunk,
    statements: Mapping[str, str],
    levels: Mapping[str, Overlap],
) -> None:
    """Compare the traces of a chunk that nobody has dropped yet."""
    if not chunk.rows("attempts"):
        return
    gone = inputs.table("decisions", DECISION_SCHEMA, chunk, ["attempt_id"]).column(0)
    dropped = set(gone.to_pylist())
    columns = ["id", "problem_id", "text"]
    table = inputs.table("attempts", ATTEMPT_SCHEMA, chunk, columns)
    ids: list[str] = []
    problems: list[str] = []
    texts: list[str] = []
    for attempt, problem, text in zip(*(c.to_pylist() for c in table.columns), strict=True):
        if attempt in dropped or problem not in statements:
            continue
        statement = levels.get(problem)
        if statement is not None and statement.level == CONTAMINATED:
            found.counts["contaminated"] += 1
            found.drop(attempt, _reason("problem", statement))
            continue
        ids.append(attempt)
        problems.append(problem)
        texts.append(text)
    worst: dict[int, Overlap] = {}
    for one in overlaps(texts, index, coverage, statements=False):
        found.note(one, problems[one.text], ids[one.text])
        if one.text not in worst or _is_worse(one, worst[one.text]):
            worst[one.text] = one
    for number, one in sorted(worst.items()):
        if one.level == CONTAMINATED:
            found.counts["contaminated"] += 1
            found.drop(ids[number], _reason("trace", one))
    suspects = sum(
        problem in levels or number in worst for number, problem in enumerate(problems)
    ) - sum(one.level == CONTAMINATED for one in worst.values())
    found.counts["suspect"] += suspects
    found.counts["kept"] += len(ids) - sum(o.level == CONTAMINATED for o in worst.values())


def _reason(part: str, one: Overlap) -> str:
    """Why a row goes; all before ` of ` is what such rows are counted by."""
    how = f", coverage {one.coverage:.2f}" if one.rule == "coverage" else ""
    return f"{part} in {one.benchmark}{COPY}{one.item}{how}"


STAGE = Decontaminate()
