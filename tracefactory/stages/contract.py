"""What a stage is: a plan on the driver, pure and cheap, and work on a worker.

Four kinds, which differ only in when their tasks can run:

    source   no inputs; may take several phases; makes chunks
    chunk    chunk in, chunk out, as soon as the chunk is there
    rounds   like chunk, again and again: each round is planned from the verdicts of the last
    barrier  needs all chunks; may take several phases

A stage of one's own is a module-level object with these attributes, named in a recipe by its
address (`use: mypkg.stages:SHORTEN`). Stages know nothing of Dask, locks or receipts.

Roles of tables (each with its schema in schemas/): `problems`, `attempts`, `verdicts`, `decisions`
(which rows a stage drops and why), `probes`, and what a barrier keeps for itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import pyarrow as pa

from tracefactory.recipe.model import StageConfig
from tracefactory.schemas.receipt import Output, Receipt
from tracefactory.store.home import Home, Journal
from tracefactory.task import Chunk

Kind = Literal["source", "chunk", "rounds", "barrier"]

DECISION_SCHEMA = pa.schema(
    [
        pa.field("attempt_id", pa.string(), nullable=False),
        pa.field("dropped_by", pa.string(), nullable=False),  # name of the stage in the recipe
        pa.field("drop_reason", pa.string(), nullable=False),
    ]
)
"""One row for each row that a stage drops; a row named nowhere is kept."""

MALFORMED_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)
"""Rows of an input that never became problems, with where they stand and why."""


BY_REQUEST = "by request"
"""`Order.asked` of work that finds each answer again by itself, in any round of its chunk."""


@dataclass(frozen=True, slots=True)
class Order:
    """A unit of work that a stage asks for; the driver makes a Task of it."""

    chunk: str
    config: Mapping[str, Any]
    """All that the work reads beside its inputs."""
    inputs: tuple[Chunk, ...] = ()
    round: int = 0
    version: str = ""
    """Added to the stage's version: the versions of checkers and families that the work calls."""
    asked: str = ""
    """What costly answers depend on beside config and version. If the slot's last receipt says the
    same in its fact `asked`, the work is handed that receipt's outputs and may use them again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stage may look at when it plans."""

    name: str
    """The stage's name in the recipe."""
    seed: int
    recipe_id: str
    chunks: Sequence[Chunk] = ()
    """Barriers: all chunks, sorted by name."""
    done: Sequence[Sequence[Receipt]] = ()
    """Sources and barriers: the receipts of the earlier phases, in the order of their tasks."""


@dataclass(slots=True)
class Inputs:
    """What a worker reads for one task, with quarantined problems left out."""

    home: Home
    chunks: tuple[Chunk, ...]
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    previous: tuple[Output, ...] = ()
    """Outputs of the last receipt of the same slot whose answers can be used again."""

    @property
    def chunk(self) -> Chunk:
        """The one chunk of a chunk stage."""
        return self.chunks[0]

    def table(
        self,
        role: str,
        schema: pa.Schema,
        chunk: Chunk | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """All rows of a role of one chunk (the first, unless said), in the order of its files."""
        files = (chunk or self.chunk).files.get(role, ())
        tables = [self.home.read(file, columns) for file in files]
        if not tables:
            wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
            return wanted.empty_table()
        return self._selected(
            pa.concat_tables(tables), "id" if role == "problems" else "problem_id"
        )

    def _selected(self, table: pa.Table, column: str) -> pa.Table:
        if not (self.only or self.skip) or column not in table.column_names:
            return table
        ids: list[str] = table.column(column).to_pylist()
        keep = [(not self.only or i in self.only) and i not in self.skip for i in ids]
        return table.filter(pa.array(keep))


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage's work gives back: tables by role, and figures for the receipt."""

    tables: Mapping[str, pa.Table]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


class Stage(Protocol):
    """What all kinds share."""

    kind: ClassVar[Kind]
    Config: ClassVar[type[StageConfig]]
    version: str
    """Raised when the same inputs and config would give other outputs."""

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Do one unit of work: a pure function of config and inputs (and the journal)."""
        ...


class SourceStage(Stage, Protocol):
    """Makes chunks. Its last phase's receipts are its chunks, one each."""

    def phases(self, config: Any) -> int:
        """How many phases, each starting when the one before is done."""
        ...

    def orders(self, config: Any, plan: Plan, phase: int) -> Iterator[Order]:
        """The work of a phase, lazily: there may be a million."""
        ...

    def count(self, config: Any, plan: Plan, phase: int) -> int:
        """How many orders the phase has, without making them."""
        ...


class ChunkStage(Stage, Protocol):
    """One order a chunk, or None: the chunk passes through untouched."""

    def order(self, config: Any, plan: Plan, chunk: Chunk) -> Order | None:
        """What to do with a chunk."""
        ...


class RoundsStage(Stage, Protocol):
    """Orders round after round."""

    def judged(self, config: Any) -> bool:
        """Does a next round depend on verdicts? Then the recipe must have a verify stage."""
        ...

    def facts(self, config: Any) -> Mapping[str, str]:
        """Facts of chunks that pass through without work; others have them from the result."""
        ...

    def order(
        self, config: Any, plan: Plan, chunk: Chunk, round: int, verdict: Receipt | None
    ) -> Order | None:
        """The work of a round, given the chunk so far and the last round's verdict receipt."""
        ...


class BarrierStage(Stage, Protocol):
    """Works on all chunks together, in phases."""

    def phases(self, config: Any) -> int:
        """How many phases."""
        ...

    def orders(self, config: Any, plan: Plan, phase: int) -> Iterator[Order]:
        """The work of a phase; `plan.chunks` are all chunks, `plan.done` the earlier phases."""
        ...

    def chunks(self, config: Any, plan: Plan) -> Iterable[Chunk]:
        """The chunks that go on, once all phases are done."""
        ...


def outputs_of(receipts: Iterable[Receipt], role: str) -> tuple[Output, ...]:
    """All outputs of a role, in the order of the receipts."""
    return tuple(
        output for receipt in receipts for output in receipt.outputs if output.role == role
    )
