"""`tracefactory run`: the recipe, the folder, the pool, the signals, and the funnel at the end."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tracefactory.board import Board
from tracefactory.cluster import DaskPool, InlinePool
from tracefactory.errors import Exit, RecipeError
from tracefactory.flow import Options, Outcome, Stop, n_unanswered
from tracefactory.flow import run as run_flow
from tracefactory.ledger import Limits
from tracefactory.progress import Progress
from tracefactory.publish.tried import Effort, effort
from tracefactory.rates import pass_at
from tracefactory.recipe import Recipe, load_recipe
from tracefactory.schemas.attempt import UNANSWERED
from tracefactory.store.commit import MANIFEST
from tracefactory.store.home import RECEIPTS, Home, Receipts, RunFolder
from tracefactory.teachers.placing import engines_of, has_own_engine

RETRIES = ("quarantined", "unanswered")


def folder_of(recipe: Recipe, folder: Path | None) -> Path:
    """Where a recipe runs unless the user says otherwise."""
    return (folder or Path("runs") / recipe.name).absolute()


@contextmanager
def signals(stop: Stop, console: Console) -> Generator[None]:
    """SIGINT or SIGTERM once: drain. Twice: leave at once; the receipts are on disk."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            os._exit(Exit.INTERRUPTED)
        stop.ask()
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
    limits: Limits,
    as_json: bool,
) -> int:
    """Run a recipe; the exit code."""
    recipe = load_recipe(recipe_name, overrides)
    unknown = [name for name in force if name not in recipe.stages]
    if unknown:
        raise RecipeError(
            f"--force {unknown[0]}: no such stage; there are {', '.join(recipe.stages)}"
        )
    if retry not in (None, *RETRIES):
        raise RecipeError(f"--retry {retry}: it is {' or '.join(RETRIES)}")
    console = Console(stderr=True, emoji=False)
    options = Options(
        frozenset(force), retry == "quarantined", retry == "unanswered", max_failed, limits
    )
    stop, started = Stop(), time.monotonic()
    with signals(stop, console), RunFolder(folder_of(recipe, folder), takeover=takeover) as home:
        _greet(console, home)
        with pool_for(recipe, workers, scheduler, inline) as pool:
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


def pool_for(
    recipe: Recipe, workers: int | None, scheduler: str | None, inline: bool
) -> InlinePool | DaskPool:
    """Where a recipe runs; teachers that are served get a worker of their own."""
    if inline:
        return InlinePool()
    stages = recipe.stages.values()
    # Somebody else's cluster need not know of engines, unless one is to be started there.
    wanted = engines_of(stages) if scheduler is None else [{}] if has_own_engine(stages) else []
    return DaskPool(workers, scheduler, wanted)


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
    "generate": ("attempts", "truncated", "refused", "failed"),
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
        console.print(f"failed: {line}", highlight=False, markup=False, soft_wrap=True)
    words = {
        Exit.DONE: "done",
        Exit.QUARANTINED: f"finished, {len(outcome.failed)} failed; see {folder}/quarantine",
        Exit.INTERRUPTED: "interrupted; what is finished is kept, give the same command to go on",
    }
    if outcome.stopped:
        words[Exit.INTERRUPTED] = (
            f"stopped: {outcome.stopped}; what is finished is kept, raise the limit to go on"
        )
    for line in closing(recipe, folder, outcome):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{words.get(outcome.code, 'ended')} in {seconds:.1f} s", highlight=False, soft_wrap=True
    )
    totals = outcome.board.totals().values()
    if outcome.manifest and any(total.counts.get("sft.train") == 0 for total in totals):
        console.print("warning: nothing was kept, so sft is empty and cannot be loaded")
    if outcome.manifest:
        console.print(f"dataset: {_short(folder / 'dataset')}", highlight=False, soft_wrap=True)


def closing(recipe: Recipe, folder: Path, outcome: Outcome) -> Iterator[str]:
    """What it has cost, what a verified trace took, and pass@k."""
    for name, total in outcome.board.totals().items():
        if n := n_unanswered(total.counts):
            yield (
                f"warning: {name}: {n:,} of {total.counts['attempts']:,} requests have no answer"
                f"{_why(folder, name)}; `--retry unanswered` asks them again"
            )
    if spent := outcome.ledger.total():
        yield f"spent on this folder so far: {spent.words()}"
    for found in efforts(recipe, outcome.board):
        yield _effort_words(found)
    passed = pass_at(_solved(folder)) if outcome.manifest else []
    if passed:
        yield ", ".join(f"pass@{each.k} {100 * each.rate:.1f} %" for each in passed)


def _why(folder: Path, stage: str) -> str:
    """What a server said to a request that it did not answer."""
    for receipt in Receipts(folder / RECEIPTS):
        if not receipt.slot.startswith(f"{stage}/") or not n_unanswered(receipt.counts):
            continue
        for output in receipt.outputs:
            rows = Home(folder).read(output, ["finish_reason", "detail"]).to_pylist()
            for row in rows:
                if row["finish_reason"] in UNANSWERED:
                    return f": {row['detail'][:200]!r}"
    return ""


def efforts(recipe: Recipe, board: Board) -> list[Effort]:
    """Of each generate stage, when its rows have been published."""
    counts: Counter[str] = Counter()
    for total in board.totals().values():
        counts.update({key: n for key, n in total.counts.items() if ":" in key})
    found: list[Effort | None] = []
    for name, config in recipe.stages.items():
        policy = getattr(config, "attempts", None)
        if config.use == "generate" and policy is not None:
            most = int(policy.max or policy.min)
            found.append(effort(counts, name, most, policy.until_correct))
    return [each for each in found if each is not None]


def _effort_words(found: Effort) -> str:
    unit = "tokens" if found.in_tokens else "attempts"
    if found.each is None:
        return f"{found.stage}: {found.taken:,} {unit}, and no verified trace"
    words = f"{found.stage}: {found.each:,.1f} {unit} for a verified trace ({found.verified:,})"
    if found.fixed_each is None or found.fixed_n == 1:
        return words
    more = found.fixed_each / found.each
    fixed = f"a fixed {found.fixed_n} attempts would take {found.fixed_each:,.1f}"
    return f"{words}; {fixed} ({more:.2f} x)"


def _solved(folder: Path) -> dict[str, int]:
    """Problems of the release by correct and rated attempts."""
    try:
        manifest = orjson.loads((folder / "dataset" / MANIFEST).read_bytes())
    except OSError:
        return {}
    counts: Counter[str] = Counter()
    for split in manifest["configs"].get("rl", {}).values():
        counts.update(split["stats"].get("solved", {}))
    return dict(counts)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _summary(recipe: Recipe, folder: Path, outcome: Outcome, seconds: float) -> dict[str, object]:
    spent = outcome.ledger.total()
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
        "stopped": outcome.stopped or None,
        "spent": {**asdict(spent), "usd": spent.usd},
        "efforts": [
            {**asdict(e), "each": e.each, "fixed_each": e.fixed_each}
            for e in efforts(recipe, outcome.board)
        ],
        "pass_at": [asdict(each) for each in pass_at(_solved(folder))] if outcome.manifest else [],
    }
