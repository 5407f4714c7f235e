"""Inputs that are tables: files and Hugging Face datasets, as a source's phases.

open    (Hub only) fetch the dataset on a worker; how many rows, which revision
read    one order a piece: rows to problems, attempts and malformed rows
bucket  one order a chunk: whole problems, wherever in the input they stood
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, field_validator

from tracefactory.hash_ranges import hash_ranges
from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.schemas.receipt import Receipt
from tracefactory.sources.chunking import ChunkSize
from tracefactory.sources.fingerprint import OrderFree
from tracefactory.sources.hub import open_hub, read_hub
from tracefactory.sources.mapping import AttemptMap, ProblemMap
from tracefactory.sources.programs import AnyProblemMap, ProgramMap
from tracefactory.sources.rows import Format, Piece, pieces, read
from tracefactory.sources.tables import Rules, check_read, fill_bucket, read_rows
from tracefactory.stages.contract import Inputs, Order, Plan, Result, outputs_of
from tracefactory.store.files import sha256_of
from tracefactory.store.home import canonical, digest
from tracefactory.task import Chunk
from tracefactory.verifiers.contract import (
    AddressError,
    full_address,
    resolve_verifier,
    versioned,
)

HUB_ROWS_A_PIECE = 50_000


class FilePlace(Settings):
    """Where files are."""

    path: str
    """A file, a folder or a glob; relative to the recipe (in --set: to the current folder)."""
    format: Format | None = None
    """`jsonl`, `json`, `csv` or `parquet`; by the extension when left out."""


class FileInput(FilePlace):
    """Problems in files."""

    problem: AnyProblemMap
    """Which columns make a problem; `layout: humaneval` or `contest` for programs."""


class HubPlace(Settings):
    """Where a Hugging Face dataset is."""

    id: str
    """Hub id (`openai/gsm8k`) or a local folder that `datasets.load_dataset` reads."""
    config: str | None = None
    """Name of the dataset's config."""
    split: str = "train"
    """Split to read."""
    revision: str | None = None
    """Branch, tag or commit; pin it, or a later run may read other rows."""


class HubInput(HubPlace):
    """Problems in a Hugging Face dataset."""

    problem: AnyProblemMap
    """Which columns make a problem; `layout: humaneval` or `contest` for programs."""


class TableSettings(StageConfig):
    """What is true of all rows of an input, unless a column says otherwise."""

    source: str | None = None
    """Name of the input in the published rows; left out: the Hub id, or `local` for local files."""
    license: str = "unknown"
    """SPDX identifier of the problems' licence."""
    domain: str = "math"
    """Broad field."""
    task_type: str = "word_problem"
    """Narrow kind."""
    verifier: str = "numeric"
    """Checker: a shipped one by its short name, or `mypkg.checks:verify`."""
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Settings of the checker for these problems."""
    answer_after: str | None = None
    """Responses give their answer after this marker, at the start of a line, such as `A:`."""
    chunk: ChunkSize = ChunkSize()
    """How large a chunk may grow."""

    @field_validator("verifier")
    @classmethod
    def _is_there(cls, name: str) -> str:
        try:
            resolve_verifier(full_address(name))
        except AddressError as error:
            raise ValueError(str(error)) from error
        return name


class TableSource:
    """A table somewhere, as the phases of a source."""

    def __init__(
        self,
        settings: TableSettings,
        place: FilePlace | HubPlace,
        problem: ProblemMap | ProgramMap,
        attempts: tuple[AttemptMap, ...] = (),
    ) -> None:
        self.settings, self.place, self.problem, self.attempts = settings, place, problem, attempts

    def phases(self) -> int:
        """Two, and one more to open a dataset of the Hub."""
        return 3 if isinstance(self.place, HubPlace) else 2

    def name(self) -> str:
        """How the input is called in published rows."""
        if self.settings.source is not None:
            return self.settings.source
        if isinstance(self.place, HubPlace) and not Path(self.place.id).exists():
            return self.place.id
        return "local"

    def rules(self) -> Rules:
        """How a row becomes a problem."""
        settings = self.settings
        options = dict(settings.options)
        if settings.answer_after is not None:
            options["answer_after"] = settings.answer_after
        return Rules(
            problem=self.problem,
            attempts=self.attempts,
            verifier=full_address(settings.verifier),
            options=canonical(options).decode(),
            source=self.name(),
            license=settings.license,
            domain=settings.domain,
            task_type=settings.task_type,
        )

    def orders(self, plan: Plan, phase: int) -> Iterator[Order]:
        """The orders of a phase."""
        left = self.phases() - phase
        if left == 3 and isinstance(self.place, HubPlace):
            yield Order("open", {"step": "open", "hub": where_of(self.place)})
        elif left == 2:
            version = versioned(full_address(self.settings.verifier))
            rules = self.rules().to_json()
            for number, piece in enumerate(self._pieces(plan)):
                settings = {"step": "read", "rules": rules, **piece}
                yield Order(f"read-{number:05d}", settings, version=version)
        else:
            yield from self._buckets(plan)

    def count(self, plan: Plan, phase: int) -> int:
        """How many orders a phase has."""
        if phase == self.phases() - 1:
            return self._n_buckets(plan)
        return len(list(self.orders(plan, phase)))

    def _pieces(self, plan: Plan) -> Iterator[dict[str, Any]]:
        if isinstance(self.place, FilePlace):
            for piece in pieces(Path(self.place.path), format=self.place.format):
                yield {"piece": _piece_json(piece), "content": content_of(piece.path, piece.size)}
            return
        facts = plan.done[0][0].facts
        hub = {**where_of(self.place), "revision": facts["revision"] or None}
        n = int(facts["rows"])
        for start in range(0, n, HUB_ROWS_A_PIECE):
            part = {"start": start, "stop": min(start + HUB_ROWS_A_PIECE, n)}
            yield {"hub": hub, "content": facts["content"], **part}

    def _read(self, plan: Plan) -> Sequence[Receipt]:
        """The receipts of the read phase."""
        return plan.done[self.phases() - 2]

    def _n_buckets(self, plan: Plan) -> int:
        rows = sum(receipt.counts["read"] for receipt in self._read(plan))
        chars = sum(receipt.counts["chars"] for receipt in self._read(plan))
        per_problem = chars / max(1, rows)
        return max(1, -(-rows // self.settings.chunk.problems(per_problem)))

    def _buckets(self, plan: Plan) -> Iterator[Order]:
        receipts = self._read(plan)
        columns = {c for r in receipts for c in orjson.loads(r.facts["columns"])}
        roles = ("problems_read", "attempts_read")
        files = {role: outputs_of(receipts, role) for role in roles}
        chunk = Chunk("read", {role: found for role, found in files.items() if found})
        check_read(
            (r.counts for r in receipts),
            columns,
            self.rules(),
            self._what(),
            chunk.rows("attempts_read"),
        )
        for number, (low, high) in enumerate(hash_ranges(self._n_buckets(plan))):
            # 64-bit numbers as text: JSON readers elsewhere would round them.
            settings = {"step": "bucket", "low": str(low), "high": str(high)}
            yield Order(f"{number:06d}", settings, (chunk,))

    def _what(self) -> str:
        if isinstance(self.place, HubPlace):
            return f"hub dataset {self.place.id}"
        return self.place.path

    def describe(self, plan: Plan) -> list[dict[str, Any]]:
        """What was read, for the manifest: the same whatever the order of the rows."""
        content = OrderFree()
        for receipt in self._read(plan):
            content.merge(OrderFree.from_hex(receipt.facts["fingerprint"]))
        described: dict[str, Any] = {
            "kind": "file",
            "name": self.name(),
            "content_sha256_sum": content.hex(),
            "rows": sum(receipt.counts["read"] for receipt in self._read(plan)),
            "license": self.settings.license,
        }
        if isinstance(self.place, HubPlace):
            described |= {"kind": "hub", "revision": plan.done[0][0].facts["revision"] or None}
        return [described]

    @staticmethod
    def work(config: Mapping[str, Any], inputs: Inputs) -> Result:
        """Do one step."""
        if config["step"] == "open":
            return open_hub(config["hub"])
        if config["step"] == "bucket":
            return fill_bucket(inputs, int(config["low"]), int(config["high"]))
        rules = Rules.from_json(config["rules"])
        if "hub" in config:
            rows = read_hub(config["hub"], config["start"], config["stop"])
            return read_rows(((config["hub"]["id"], row) for row in rows), rules)
        piece = Piece(**config["piece"])
        return read_rows(((piece.path, row) for row in read(piece)), rules)


def where_of(place: HubPlace) -> dict[str, Any]:
    """Where a dataset is, as a task is told it."""
    where = place.model_dump(mode="json", include={"id", "config", "split", "revision"})
    if Path(place.id).is_dir():  # no revision tells when it changes
        where["folder_sha256"] = _folder_digest(place.id)
    return where


def _piece_json(piece: Piece) -> dict[str, Any]:
    return {name: getattr(piece, name) for name in Piece.__dataclass_fields__}


@functools.cache
def _folder_digest(path: str) -> str:
    files = sorted(file for file in Path(path).rglob("*") if file.is_file())
    return digest([[str(file.relative_to(path)), sha256_of(file)] for file in files])


@functools.cache
def content_of(path: str, size: int) -> str:
    """Content of a file, once a run: a changed file is another input, whatever its name says."""
    return sha256_of(Path(path))
