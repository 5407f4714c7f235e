"""Commands that only look: plan, status, inspect, recipes, schema. None takes the run's lock."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tracefactory.errors import RecipeError
from tracefactory.spending import NAMES, Spent

out = Console(emoji=False)  # `empty:a:` is a reason, not a picture


def print_json(data: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(
        orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n"
    )


def plan_command(
    recipe_name: str, overrides: list[str], folder: Path | None, as_json: bool
) -> None:
    """What `run` would do."""
    from tracefactory import planning
    from tracefactory.cli.run import folder_of
    from tracefactory.recipe import load_recipe

    recipe = load_recipe(recipe_name, overrides)
    where = folder_of(recipe, folder)
    plan = planning.make_plan(recipe, where)
    if as_json:
        print_json(planning.as_json(plan))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "use", "reuse", "run", "why"):
        table.add_column(heading, justify="right" if heading in ("reuse", "run") else "left")
    for name, stage in plan.stages.items():
        n = sum(stage.run.values())
        why = ", ".join(f"{count:,} {reason}" for reason, count in stage.run.most_common())
        table.add_row(
            name, stage.use, f"{stage.reuse:,}", f"{n:,}{'+' if stage.open else ''}", escape(why)
        )
    out.print(table)
    if plan.note:
        out.print(plan.note, highlight=False)
    out.print(f"folder: {where}", highlight=False, soft_wrap=True)


def _run_folder(folder: Path) -> Path:
    from tracefactory.store.home import RECEIPTS

    if not (folder / RECEIPTS).exists():
        raise RecipeError(
            f"{folder} is no run folder (no {RECEIPTS}); give the folder that `run` printed"
        )
    return folder.absolute()


def spending_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was spent, a line a stage and teacher."""
    for row in rows:
        spent = Spent(**{name: row[name] for name in NAMES})
        if spent:
            who = f" by {row['teacher']}" if row["teacher"] else ""
            yield f"spent: {row['stage']}{who}: {spent.words()}, {spent.asked:,} completions"


def status_command(folder: Path, as_json: bool) -> None:
    """How far a run is."""
    from tracefactory.status import read_status

    status = read_status(_run_folder(folder))
    if as_json:
        print_json(status)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "done", "seconds", "figures"):
        table.add_column(heading, justify="right" if heading in ("done", "seconds") else "left")
    for name, stage in status["stages"].items():
        figures = ", ".join(
            f"{n:,} {key}" for key, n in stage["counts"].items() if ":" not in key and n
        )
        table.add_row(name, f"{stage['done']:,}", f"{stage['seconds']:.1f}", escape(figures))
    out.print(table)
    for line in spending_lines(status["spending"]):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in status["notes"]:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def inspect_command(folder: Path, row_id: str | None, malformed: bool, as_json: bool) -> None:
    """The life of one row, or the malformed rows of the input."""
    from tracefactory.lineage import find_row, malformed_rows

    run = _run_folder(folder)
    if malformed:
        rows = list(malformed_rows(run))
        if as_json:
            print_json(rows)
            return
        for row in rows:
            out.print(
                f"{row['file']}:{row['line']}: {row['reason']}: {row['excerpt']}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
        return
    if row_id is None:
        raise RecipeError(
            "inspect needs an attempt's or problem's id (see the `id` column), or --malformed"
        )
    found = find_row(run, row_id)
    if found is None:
        raise RecipeError(
            f"{row_id!r} is no attempt or problem of {run}; ids stand in the dataset's `id` "
            "and `problem_id`"
        )
    if as_json:
        print_json(found)
    else:
        _show_row(found)


def _show_row(found: Mapping[str, Any]) -> None:
    problem = found["problem"]
    out.rule(escape(f"problem {problem['id']} ({problem['split']})"))
    out.print(problem["statement"], highlight=False, markup=False)
    out.print(
        f"reference: {problem['reference']}   checker: {problem['verifier']}",
        highlight=False,
        markup=False,
    )
    out.print(
        f"source: {problem['source']} ({problem['license']})   file: {found['files']['problem']}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for attempt in found["attempts"]:
        out.rule(escape(f"attempt {attempt['id']}"), align="left")
        out.print(attempt["text"], highlight=False, markup=False)
        verdict = attempt["verdict"]
        if verdict:
            out.print(
                f"verdict: {verdict['status']} ({verdict['reason']}), answer "
                f"{verdict['final_answer']!r}, by {verdict['verifier']}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
        fate = (
            f"dropped by {attempt['dropped_by']}: {attempt['drop_reason']}"
            if attempt["dropped_by"]
            else "kept"
        )
        out.print(f"fate: {fate}", highlight=False, markup=False, soft_wrap=True)
        for place in attempt["published"]:
            out.print(f"published: {place}", highlight=False, markup=False, soft_wrap=True)


def recipes_command(families: bool, as_json: bool) -> None:
    """What ships."""
    from tracefactory.recipe import shipped

    if families:
        _families(as_json)
        return
    found = {}
    for name, path in shipped().items():
        text = path.read_text("utf-8").splitlines()
        found[name] = {
            "path": str(path),
            "about": [line[2:] for line in text if line.startswith("# ")],
        }
    if as_json:
        print_json(found)
        return
    for name, about in found.items():
        out.print(
            f"[bold]{name}[/bold]   {escape(str(about['path']))}", highlight=False, soft_wrap=True
        )
        for line in about["about"]:
            out.print(f"    {escape(line)}", highlight=False, soft_wrap=True)


def _families(as_json: bool) -> None:
    from tracefactory.sources.families import FAMILIES
    from tracefactory.sources.families.make import capacity, make_problem, splits

    found: dict[str, Any] = {}
    for name, family in FAMILIES.items():
        knobs = family.knobs.model_validate({})
        found[name] = {
            "example": make_problem(name, knobs, 7, "train", 1).statement,
            "splits": {split: capacity(name, knobs, split) for split in splits(name, knobs)},
            "knobs": knobs.model_dump(mode="json"),
        }
    if as_json:
        print_json(found)
        return
    for name, about in found.items():
        out.print(f"[bold]{name}[/bold]", highlight=False)
        example = f"    {about['example']}".replace("\n", "\n    ")
        out.print(example, highlight=False, markup=False, soft_wrap=True)
        out.print(
            "    splits: " + ", ".join(f"{s} ({n:,})" for s, n in about["splits"].items()),
            highlight=False,
        )
        out.print(f"    knobs:  {about['knobs']}", highlight=False, markup=False)


def benchmarks_command(as_json: bool) -> None:
    """What a decontaminate stage may name."""
    from tracefactory.contamination.known import KNOWN

    found = {
        name: {
            "id": known.id,
            "split": known.split,
            "columns": list(known.text),
            "subject": known.subject,
            "revision": known.revision,
            "gated": known.gated,
        }
        for name, known in KNOWN.items()
    }
    if as_json:
        print_json(found)
        return
    for name, about in found.items():
        pin = str(about["revision"] or "not pinned")[:12]
        gated = ", gated" if about["gated"] else ""
        out.print(
            f"[bold]{name}[/bold]   {about['subject']}   {about['id']}, {about['split']}   "
            f"{pin}{gated}",
            highlight=False,
            soft_wrap=True,
        )


def schema_command() -> None:
    """JSON Schema of recipes."""
    from tracefactory.recipe.address import shipped_stages
    from tracefactory.recipe.jsonschema import recipe_schema
    from tracefactory.worker import load_stage

    print_json(recipe_schema({name: load_stage(name).Config for name in shipped_stages()}))
