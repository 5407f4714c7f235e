"""`tracefactory run`: the recipe, the folder, the pool, the signals, and the funnel at the end."""

import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tracefactory.board import Board
from tracefactory.cluster import DaskPool, InlinePool
from tracefactory.errors import Exit, RecipeError
from tracefactory.flow import Options, Outcome, Stop
from tracefactory.flow import run as run_flow
from tracefactory.progress import Progress
from tracefactory.recipe import Recipe, load_recipe
from tracefactory.store.home import RunFolder


def folder_of(recipe: Recipe, folder: Path | None) -> Path:
    """Where a recipe runs unless the user says otherwise."""
    return (folder or Path("runs") / recipe.name).absolute()


@contextmanager
def signals(stop: Stop, console: Console) -> Generator[None]:
    """SIGINT or SIGTERM once: drain. Twice: leave at once; the receipts are on disk."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            os._exit(Exit.INTERRUPTED)
        stop.asked = True
        console.print(
            "stopping: what runs will end and be kept; once more to leave at once", highlight=False
        )

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_command(
    recipe_name: str,
    overrides: list[str],
    folder: Path | None,
    workers: int | None,
    scheduler: str | None,
    inline: bool,
    takeover: bool,
    force: list[str],
    retry: str | None,
    max_failed: int,
    as_json: bool,
) -> int:
    """Run a recipe; the exit code."""
    recipe = load_recipe(recipe_name, overrides)
    unknown = [name for name in force if name not in recipe.stages]
    if unknown:
        raise RecipeError(
            f"--force {unknown[0]}: no such stage; there are {', '.join(recipe.stages)}"
        )
    if retry not in (None, "quarantined"):
        raise RecipeError(f"--retry {retry}: only `--retry quarantined` is known")
    console = Console(stderr=True, emoji=False)
    options = Options(frozenset(force), retry == "quarantined", max_failed)
    stop, started = Stop(), time.monotonic()
    with signals(stop, console), RunFolder(folder_of(recipe, folder), takeover=takeover) as home:
        _greet(console, home)
        pool = InlinePool() if inline else DaskPool(workers, scheduler)
        with pool:
            if isinstance(pool, DaskPool):
                pool.check_folder(home.path)
            with Progress(console, {name: c.use for name, c in recipe.stages.items()}) as progress:
                outcome = run_flow(recipe, home, pool, progress, stop, options)
        seconds = time.monotonic() - started
    if as_json:
        sys.stdout.write(
            orjson.dumps(_summary(recipe, home.path, outcome, seconds)).decode() + "\n"
        )
    else:
        _show(console, recipe, home.path, outcome, seconds)
    return int(outcome.code)


def _greet(console: Console, home: RunFolder) -> None:
    for damage in home.receipts.damaged:
        console.print(f"warning: {damage}", highlight=False, markup=False, soft_wrap=True)
    if home.recovered:
        console.print(f"an interrupted commit of the dataset was {home.recovered}")


def funnel_rows(recipe: Recipe, board: Board) -> Iterator[tuple[str, str, int]]:
    """(stage, figure, rows) from problems to published, reasons indented under their figure."""
    for name, total in board.totals().items():
        counts = total.counts
        others = sorted(k for k in counts if k.startswith("rl.") and k != "rl.train")
        for figure in (*_ROWS.get(recipe.stages[name].use, ()), *others):
            if counts.get(figure):
                yield name, figure, counts[figure]
            prefix = _REASONS.get((recipe.stages[name].use, figure))
            reasons = {k: n for k, n in counts.items() if prefix and k.startswith(prefix)}
            for key, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
                yield name, "  " + key.removeprefix(prefix or ""), n
        if counts.get("quarantined"):
            yield name, "quarantined", counts["quarantined"]


_ROWS = {
    "sample": ("problems", "rejected"),
    "import": ("problems", "attempts", "rejected"),
    "split": ("held_out",),
    "generate": ("attempts", "truncated"),
    "verify": ("correct", "incorrect", "no_answer", "undecided", "bad_reference", "error"),
    "probe": ("moved", "stayed", "no_answer", "unclear", "not_probed"),
    "filter": ("kept", "dropped"),
    "dedupe": ("kept", "duplicates"),
    "select": ("kept", "dropped"),
    "decontaminate": ("items", "problems_contaminated", "contaminated", "suspect", "kept"),
    "publish": (
        "sft.train",
        "sft_reasoning.train",
        "rejected.train",
        "preference.train",
        "probes.alter",
        "probes.truncate",
        "overlaps.train",
        "rl.train",
    ),
}
_REASONS = {
    ("sample", "rejected"): "rejected:",
    ("import", "rejected"): "rejected:",
    ("verify", "incorrect"): "incorrect:",
    ("verify", "no_answer"): "no_answer:",
    ("verify", "undecided"): "undecided:",
    ("verify", "bad_reference"): "bad_reference:",
    ("verify", "error"): "error:",
    ("filter", "dropped"): "dropped:",
    ("select", "dropped"): "dropped:",
    ("decontaminate", "contaminated"): "dropped:",
}


def _show(console: Console, recipe: Recipe, folder: Path, outcome: Outcome, seconds: float) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    last = ""
    for stage, figure, rows in funnel_rows(recipe, outcome.board):
        table.add_row("" if stage == last else escape(stage), escape(figure), f"{rows:,}")
        last = stage
    console.print(table)
    for line in outcome.failed[:10]:
        console.print(f"quarantined: {line}", highlight=False, markup=False, soft_wrap=True)
    words = {
        Exit.DONE: "done",
        Exit.QUARANTINED: f"finished, {len(outcome.failed)} quarantined; see {folder}/quarantine",
        Exit.INTERRUPTED: "interrupted; what is finished is kept, give the same command to go on",
    }
    console.print(
        f"{words.get(outcome.code, 'ended')} in {seconds:.1f} s", highlight=False, soft_wrap=True
    )
    totals = outcome.board.totals().values()
    if outcome.manifest and any(total.counts.get("sft.train") == 0 for total in totals):
        console.print("warning: nothing was kept, so sft is empty and cannot be loaded")
    if outcome.manifest:
        console.print(f"dataset: {_short(folder / 'dataset')}", highlight=False, soft_wrap=True)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _summary(recipe: Recipe, folder: Path, outcome: Outcome, seconds: float) -> dict[str, object]:
    return {
        "recipe": recipe.name,
        "folder": str(folder),
        "code": int(outcome.code),
        "seconds": round(seconds, 3),
        "manifest_sha256": outcome.manifest,
        "stages": {
            name: {
                "tasks": t.done,
                "reused": t.reused,
                "seconds": round(t.seconds, 3),
                "counts": dict(t.counts),
            }
            for name, t in outcome.board.totals().items()
        },
        "failed": list(outcome.failed),
    }
