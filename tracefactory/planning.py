"""What a run would do: the board walked through, with stand-ins for work not done."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracefactory.board import Board, phantom
from tracefactory.lane import quarantine_path
from tracefactory.recipe import Recipe
from tracefactory.store.home import RECEIPTS, Home, Receipts
from tracefactory.worker import load_stage


@dataclass(slots=True)
class StagePlan:
    """What would happen in one stage."""

    use: str
    kind: str
    reuse: int = 0
    """Units of work whose receipts hold."""
    run: Counter[str] = field(default_factory=Counter[str])
    """Units of work by why they would run: missing, config, version, input, failed, ..."""
    open: bool = False
    """More units will follow that nobody can count before others are done."""


@dataclass(slots=True)
class RunPlan:
    """What a run would do."""

    stages: dict[str, StagePlan]
    reused: list[str]
    """Slots whose receipts the run would reuse."""
    note: str = ""


def make_plan(recipe: Recipe, folder: Path) -> RunPlan:
    """Walk through a recipe over a run folder (which need not exist). Takes no lock.

    Units after the first one that would run are counted as far as that can be told: later rounds of
    a generate stage, buckets of an input not yet read and steps of a barrier over unknown rows may
    come on top.
    """
    home, receipts = Home(folder), Receipts(folder / RECEIPTS)
    stages: dict[str, Any] = {name: load_stage(c.use) for name, c in recipe.stages.items()}
    plans = {name: StagePlan(c.use, stages[name].kind) for name, c in recipe.stages.items()}
    reused: list[str] = []
    board = Board(recipe, stages, receipts.get, home, note_reused=reused.append)
    plan = RunPlan(plans, reused)
    try:
        while (task := board.next()) is not None:
            old = receipts.get(task.slot)
            reason = board.why(task, failed=quarantine_path(home, task.slot).exists())
            plans[task.stage].run[reason] += 1
            board.done(task, phantom(task, old, tuple(getattr(stages[task.stage], "roles", ()))))
    except (LookupError, ValueError) as unknown:
        # A step that needs what an undone step would have told, such as how many rows an input has.
        plan.note = f"further work depends on what is not read yet ({type(unknown).__name__})"
    for name, total in board.totals().items():
        plans[name].reuse = total.reused
        plans[name].open = not board.closed(name)
    return plan


def as_json(plan: RunPlan) -> Mapping[str, Any]:
    """Plain data."""
    return {
        "stages": {
            name: {
                "use": s.use,
                "kind": s.kind,
                "reuse": s.reuse,
                "run": dict(s.run),
                "open": s.open,
            }
            for name, s in plan.stages.items()
        },
        "note": plan.note,
    }
