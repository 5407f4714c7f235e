"""Commands that keep a run folder in order: fsck and gc."""

from pathlib import Path

from rich.console import Console

from tracefactory.cli.look import print_json
from tracefactory.errors import Exit, RecipeError
from tracefactory.store.fsck import Report, fsck, sweep, unneeded
from tracefactory.store.home import LOCK, RECEIPTS, RunFolder

out = Console(emoji=False)


def fsck_command(folder: Path, do_sweep: bool, as_json: bool) -> int:
    """Check a folder; the exit code."""
    if not (folder / LOCK).exists():
        raise RecipeError(
            f"{folder} is no run folder (no {LOCK}); give the folder that `run` printed"
        )
    report = fsck(folder.absolute())
    if do_sweep:
        with RunFolder(folder) as held:
            report = fsck(held.path)
            sweep(held.path, report)
    if as_json:
        names = (
            "receipts",
            "files",
            "bytes",
            "damaged_lines",
            "missing",
            "damaged",
            "orphans",
            "dataset",
        )
        print_json({"sound": report.sound, **{name: getattr(report, name) for name in names}})
    else:
        _show(report, do_sweep)
    return int(Exit.DONE if report.sound else Exit.INTEGRITY)


def _show(report: Report, swept: bool) -> None:
    def say(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    say(
        f"{report.receipts:,} receipts, {report.files:,} files, "
        f"{report.bytes:,} bytes read and compared"
    )
    for line in report.damaged_lines:
        say(f"damaged line: {line}")
    for name in report.missing:
        say(f"missing: {name}")
    for name in report.damaged:
        say(
            f"damaged: {name}"
            + (" (set aside in quarantine/; the next run makes it again)" if swept else "")
        )
    for line in report.dataset:
        say(f"dataset: {line}")
    if report.orphans:
        done = "removed" if swept else "harmless; --sweep removes them"
        say(f"{len(report.orphans):,} files that no receipt names ({done})")
    say("sound" if report.sound else "NOT sound: `fsck --sweep`, then run the recipe again")


def gc_command(
    recipe_name: str, overrides: list[str], folder: Path | None, delete: bool, as_json: bool
) -> None:
    """List, and perhaps delete, what the recipe as it is now does not need."""
    from tracefactory.cli.run import folder_of
    from tracefactory.planning import make_plan
    from tracefactory.recipe import load_recipe

    recipe = load_recipe(recipe_name, overrides)
    where = folder_of(recipe, folder)
    if not (where / RECEIPTS).exists():
        raise RecipeError(f"{where} is no run folder; name it with --folder")
    with RunFolder(where) as held:
        plan = make_plan(recipe, held.path)
        if any(stage.run for stage in plan.stages.values()):
            raise RecipeError(
                f"{where} has work to do for this recipe; run it first: only then is it known "
                "what it needs"
            )
        kept = [r for slot in plan.reused if (r := held.receipts.get(slot)) is not None]
        found = unneeded(held.path, kept)
        if delete:
            for name, _ in found:
                (held.path / name).unlink(missing_ok=True)
    if as_json:
        print_json([{"name": name, "bytes": size} for name, size in found])
        return
    for name, size in found:
        out.print(f"{size:>14,}  {name}", highlight=False, markup=False, soft_wrap=True)
    verb = "deleted" if delete else "not needed (--delete removes them)"
    out.print(
        f"{len(found):,} files, {sum(size for _, size in found):,} bytes {verb}", highlight=False
    )
