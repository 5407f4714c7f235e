"""Figures of rows that no published column has: single steps, lengths, verdicts by a clock.

They stand in the verdicts of the run. A shard that is put together anew takes them from there, so
that its figures are what a first publication would have said, and what an audit counts again.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from tracefactory.publisher.local import Local
from tracefactory.schemas.manifest import ShardStats
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.status import stage_names
from tracefactory.store.home import RECEIPTS, Home, Receipts

MEASURES = (
    "attempt_id", "n_reasoning_chars", "n_answer_chars", "n_true_steps", "n_rounded_steps",
    "n_repaired_steps", "n_false_steps", "n_uncheckable_steps", "steps_evidence", "limited_by",
)  # fmt: skip
SCHEMA = pa.schema([VERDICT_SCHEMA.field(name) for name in MEASURES])

ALL_IN_COLUMNS = frozenset({"rl", "preference", "probes", "overlaps"})
"""Views whose figures are all in their columns."""


def run_of(local: Local) -> Path | None:
    """The run folder that a dataset lies in; None: it was moved away from it."""
    run = local.folder.absolute().parent
    return run if local.folder.name == "dataset" and (run / RECEIPTS).is_file() else None


def can_be_counted(local: Local, shard: ShardStats) -> bool:
    """Can figures of such a shard's rows be had?

    Without the run: where the columns have them all, so not of steps, nor of plain texts.
    """
    if shard.config in ALL_IN_COLUMNS or run_of(local) is not None:
        return True
    return shard.config != "pretrain" and not shard.stats.steps and not shard.stats.limited_by_clock


def verdicts(run: Path) -> Iterator[pa.Table]:
    """What the verdicts of a run measured, a file at a time.

    Raises:
        IntegrityError: a file cannot be read.
    """
    home, stages = Home(run), stage_names(run)
    for receipt in Receipts(run / RECEIPTS):
        if receipt.slot.partition("/")[0] not in stages:
            continue  # the recipe no longer has it
        for output in receipt.outputs:
            if output.role == "verdicts" and output.rows and (run / output.name).exists():
                yield home.read(output, list(MEASURES))
