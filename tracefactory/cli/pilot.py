"""`tracefactory plan --pilot N`: some problems for real, and what all of them would cost."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tracefactory.cli.look import out, print_json
from tracefactory.cli.run import folder_of, pool_for, signals
from tracefactory.cluster import DaskPool
from tracefactory.errors import Exit
from tracefactory.flow import Options, Outcome, Stop
from tracefactory.flow import run as run_flow
from tracefactory.ledger import PILOT
from tracefactory.pilot import Projection, Range, project
from tracefactory.progress import Progress
from tracefactory.recipe import Recipe, load_recipe
from tracefactory.spending import money
from tracefactory.store.home import RunFolder


def pilot_command(
    recipe_name: str,
    overrides: list[str],
    folder: Path | None,
    n: int,
    workers: int | None,
    inline: bool,
    as_json: bool,
) -> int:
    """Run the pilot and project; the exit code."""
    recipe = load_recipe(recipe_name, overrides)
    where = folder_of(recipe, folder)
    console = Console(stderr=True, emoji=False)
    # The run's own lock too: the two read each other's receipts.
    with RunFolder(where), RunFolder(where / PILOT) as home:
        outcome = _run(recipe, home, n, workers, inline, console)
        if outcome.code == Exit.INTERRUPTED or outcome.pilot is None:
            console.print("interrupted; give the same command again to go on")
            return int(outcome.code)
        spent = outcome.ledger.total()
        found = project(outcome.pilot, home.home, home.receipts, spent)
    if as_json:
        print_json({**asdict(found), "folder": str(where / PILOT), "code": int(outcome.code)})
    else:
        _show(found, where / PILOT)
    return int(outcome.code)


def _run(
    recipe: Recipe, home: RunFolder, n: int, workers: int | None, inline: bool, console: Console
) -> Outcome:
    stop = Stop()
    uses = {name: config.use for name, config in recipe.stages.items()}
    with signals(stop, console), pool_for(recipe, workers, None, inline) as pool:
        if isinstance(pool, DaskPool):
            pool.check_folder(home.path)
        with Progress(console, uses) as progress:
            return run_flow(recipe, home, pool, progress, stop, Options(pilot=n))


def _show(found: Projection, folder: Path) -> None:
    out.print(
        f"pilot: {found.asked:,} of {found.problems:,} problems; spent: {found.spent.words()}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    table = Table(box=None, pad_edge=False)
    for heading in ("the whole recipe", "expected", "90 % interval"):
        table.add_column(heading, justify="left" if heading == "the whole recipe" else "right")
    for name, expected, interval in _rows(found):
        table.add_row(name, expected, interval)
    out.print(table)
    out.print(f"folder: {folder}; `run` reuses its answers", highlight=False, soft_wrap=True)


def _rows(found: Projection) -> Iterator[tuple[str, str, str]]:
    def row(name: str, one: Range | None, pattern: str, unknown: str) -> tuple[str, str, str]:
        if one is None:
            return name, "–", unknown
        low, high = pattern.format(one.low), pattern.format(one.high)
        return name, pattern.format(one.expected), f"{low} to {high}"

    yield row("attempts", found.attempts, "{:,.0f}", "")
    yield row("tokens in", found.tokens_in, "{:,.0f}", "the teacher does not count")
    yield row("tokens out", found.tokens_out, "{:,.0f}", "the teacher does not count")
    yield row("GPU hours", found.gpu_hours, "{:,.3f}", "no engine of ours")
    usd = found.usd
    if usd is None:
        yield "money", "–", "no price is known"
    else:
        yield "money", money(usd.expected), f"{money(usd.low)} to {money(usd.high)}"
