"""Publish: rows into shards, shards into a release on disk.

A shard is a group of chunks, in an order shuffled by the hash of their names, and its rows are
shuffled by the hash of their ids: so a shard is a fair sample of the whole, is written from its own
chunks alone, and no step ever holds more than one shard's rows.

Not here: what the columns are (publish/rows.py), the files around the shards (publish/release.py).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal

import orjson
import pyarrow as pa
from pydantic import Field

from tracefactory.board import Board
from tracefactory.errors import RecipeError
from tracefactory.publish.asked import public_asks
from tracefactory.publish.release import Known, release
from tracefactory.publish.rows import Settings as ShardSettings
from tracefactory.publish.rows import content_digest, views
from tracefactory.publish.stats import Measured, stats_of
from tracefactory.publish.tried import tried
from tracefactory.recipe import Recipe
from tracefactory.recipe.model import Settings, StageConfig
from tracefactory.repeats import index as indexes
from tracefactory.schemas.verdict import Status
from tracefactory.stages.contract import Inputs, Kind, Order, Plan, Result
from tracefactory.store.files import row_group_rows
from tracefactory.store.home import Home, Journal
from tracefactory.task import Chunk

View = Literal[
    "sft", "sft_reasoning", "rl", "pretrain", "preference", "rejected", "probes", "overlaps"
]  # fmt: skip


class ShardSize(Settings):
    """How large a shard may grow; whichever limit is met first ends it."""

    rows: Annotated[int, Field(ge=1)] = 50_000
    """Attempts."""
    bytes: Annotated[int, Field(ge=1)] = 256 << 20
    """Of raw attempts on disk, compressed."""


class PublishConfig(StageConfig):
    """Write the dataset."""

    views: Annotated[tuple[View, ...], Field(min_length=1)] = ("sft", "rl", "pretrain", "rejected")
    """Which configs the dataset has. `rejected` keeps every dropped row with its reason; `probes`
    is what probe stages found, `overlaps` what rows have in common with benchmarks."""
    statuses: tuple[Status, ...] = ("correct",)
    """Verdicts that may stand in `sft` and `pretrain`; rows with others go to `rejected`."""
    shard: ShardSize = ShardSize()
    """How large a shard may grow."""
    title: str | None = None
    """First line of the card; the recipe's name when left out."""
    license: str | None = None
    """Licence of the whole dataset, where its rows have none or several that do not go together."""


class Publish:
    """The stage."""

    kind: ClassVar[Kind] = "barrier"
    Config: ClassVar[type[StageConfig]] = PublishConfig
    version = "2"
    publishes = True
    """Its outputs are written as they will be published, and the driver commits the release."""
    roles: tuple[str, ...] = ()

    def phases(self, config: PublishConfig) -> int:
        """Shards, all alike."""
        return 1

    def orders(self, config: PublishConfig, plan: Plan, phase: int) -> Iterator[Order]:
        """One order a shard."""
        settings: dict[str, Any] = {
            "stage": plan.name,
            "recipe_id": plan.recipe_id,
            "views": list(config.views),
            "statuses": list(config.statuses),
        }
        if any(indexes.FACT in chunk.facts for chunk in plan.chunks):
            # Of all chunks: also of branches that no near dedupe saw, or their shards had no index.
            lines = {chunk.facts.get("instruction", "") for chunk in plan.chunks}
            settings["index"] = sorted(line for line in lines if line)
        roles = ["problems", "splits", "attempts", "verdicts", "decisions"]
        roles += [role for role in ("probes", "overlaps") if role in config.views]
        for number, group in enumerate(_groups(plan.chunks, config.shard)):
            read = tuple(c.only(*roles, facts=("instruction", "rate_over")) for c in group)
            yield Order(f"shard-{number:05d}", settings, read)

    def work(self, config: Mapping[str, Any], inputs: Inputs, journal: Journal) -> Result:
        """Build the views of one shard, and their figures."""
        settings = ShardSettings(config["stage"], config["recipe_id"], tuple(config["statuses"]))
        tables = views(inputs, settings, config["views"])
        measured = Measured(inputs)
        facts: dict[str, str] = {}
        for role, table in tables.items():
            stats = stats_of(role.partition(".")[0], table, measured)
            facts[role] = orjson.dumps(
                {
                    "content_sha256": content_digest(table),
                    "row_groups": -(-table.num_rows // row_group_rows(table, published=True)),
                    "stats": asdict(stats),
                }
            ).decode()
        counts = {role: table.num_rows for role, table in tables.items()} | tried(inputs)
        index: dict[str, pa.Table] = {}
        if "index" in config:
            index = indexes.index_tables(tables, config["index"])
        return Result({**tables, **index}, counts, facts)

    def chunks(self, config: PublishConfig, plan: Plan) -> Iterable[Chunk]:
        """Nothing goes on from here."""
        return ()


def _groups(chunks: Iterable[Chunk], size: ShardSize) -> Iterator[list[Chunk]]:
    """Chunks that make a shard, in shuffled order; branches of one root stay together."""
    group: list[Chunk] = []
    rows = n_bytes = 0
    for chunk in sorted(chunks, key=lambda c: (hashlib.sha256(c.root.encode()).digest(), c.name)):
        more = max(chunk.rows("attempts"), chunk.rows("problems"))
        more_bytes = chunk.bytes("attempts") + chunk.bytes("problems")
        full = rows + more > size.rows or n_bytes + more_bytes > size.bytes
        if group and full and chunk.root != group[-1].root:
            yield group
            group, rows, n_bytes = [], 0, 0
        group.append(chunk)
        rows, n_bytes = rows + more, n_bytes + more_bytes
    if group:
        yield group


def commit(recipe: Recipe, board: Board, name: str, home: Home) -> str:
    """Make the release of a finished publish stage; its manifest's sha256.

    Raises:
        ResourceError: disk full; the release before it stays.
    """
    plan, config = board.plan_of(name), board.config_of(name)
    if sum(stage.kind == "source" for stage in board.stages()) > 1:
        _check_ids(plan, home)  # within one source, ids are distinct already
    totals = {stage: total.counts for stage, total in board.totals().items()}
    teachers = {
        name: public_asks(orjson.loads(asks)) for name, asks in sorted(board.teachers.items())
    }
    known = Known(board.inputs_read(), board.compared(), board.repeats(), teachers)
    return release(recipe, plan, config, totals, known, home)


def _check_ids(plan: Plan, home: Home) -> None:
    """Sources know nothing of each other: the same problem may have come through two of them.

    Holds 8 bytes a row. Raises:
        RecipeError: an id stands twice in a view; nothing is published.
    """
    seen: dict[str, set[int]] = {}
    for receipt in plan.done[-1]:
        for output in receipt.outputs:
            view = output.role.partition(".")[0]
            if view.startswith(indexes.ROLE):
                continue
            rows = seen.setdefault("traces" if view in ("sft", "rejected") else view, set())
            for row_id in home.read(output, ["id"]).column(0).to_pylist():
                key = hash(row_id)
                if key in rows:
                    raise RecipeError(
                        f"two sources of the recipe bring the same row {row_id!r}; take it out of "
                        "one of them, or give the sources other names with `source:`"
                    )
                rows.add(key)


STAGE = Publish()
