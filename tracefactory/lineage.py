"""The life of one row: problem, attempts, checks, drops, and where it was published."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.schemas.receipt import Output
from tracefactory.status import stage_names
from tracefactory.store.home import RECEIPTS, Home, Receipts


def malformed_rows(run: Path) -> Iterator[dict[str, Any]]:
    """Rows of the input that never became problems: file, line, reason, excerpt."""
    home = Home(run)
    for receipt in Receipts(run / RECEIPTS):
        for output in receipt.outputs:
            if output.role == "malformed":
                yield from home.read(output).to_pylist()


def find_row(run: Path, row_id: str) -> dict[str, Any] | None:
    """Everything known of an attempt, or of a problem and all attempts at it; None if unknown."""
    files = _outputs(run)
    home = Home(run)
    # Ids and teachers' names may hold slashes, so only the attempt itself says whose it is.
    asked, _ = _one(home, files.get("attempts", []), "id", row_id)
    problem_id = row_id if asked is None else str(asked["problem_id"])
    problem, problem_file = _one(home, files.get("problems", []), "id", problem_id)
    if problem is None:
        return None
    attempts = _all(home, files.get("attempts", []), "problem_id", problem_id)
    verdicts = {
        v["attempt_id"]: v
        for v, _ in _all(home, files.get("verdicts", []), "problem_id", problem_id)
    }
    wanted = [a for a, _ in attempts if row_id in (problem_id, a["id"])]
    published, rejected = _published(run, {a["id"] for a in wanted})
    # What publish itself drops (held out, a status it does not take) stands only in the dataset.
    drops = rejected | _drops(home, files.get("decisions", []), {a["id"] for a in wanted})
    return {
        "problem": problem,
        "files": {"problem": problem_file},
        "attempts": [
            {
                **attempt,
                "verdict": verdicts.get(attempt["id"]),
                **drops.get(attempt["id"], {"dropped_by": None, "drop_reason": None}),
                "published": published.get(attempt["id"], []),
            }
            for attempt in wanted
        ],
    }


def _outputs(run: Path) -> dict[str, list[Output]]:
    found: dict[str, list[Output]] = {}
    stages = stage_names(run)
    for receipt in Receipts(run / RECEIPTS):
        if receipt.slot.partition("/")[0] not in stages:
            continue  # the recipe no longer has it
        for output in receipt.outputs:
            if (run / output.name).exists():
                found.setdefault(output.role, []).append(output)
    return found


def _one(
    home: Home, outputs: list[Output], column: str, value: str
) -> tuple[dict[str, Any] | None, str]:
    for row, name in _all(home, outputs, column, value, first=True):
        return row, name
    return None, ""


def _all(
    home: Home, outputs: list[Output], column: str, value: str, *, first: bool = False
) -> list[tuple[dict[str, Any], str]]:
    """Rows in which a column has a value; row groups whose bounds exclude it are not read."""
    found: list[tuple[dict[str, Any], str]] = []
    for output in outputs:
        rows = home.read(output, filters=[(column, "=", value)]).to_pylist()
        found += [(row, output.name) for row in rows]
        if found and first:
            break
    return found


def _drops(home: Home, outputs: list[Output], ids: set[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for output in outputs if ids else ():
        table = home.read(output, filters=[("attempt_id", "in", sorted(ids))])
        for row in table.to_pylist():
            found.setdefault(row.pop("attempt_id"), row)
    return found


def _published(run: Path, ids: set[str]) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
    """Where rows stand in the dataset, and why those in `rejected` are there."""
    places: dict[str, list[str]] = {}
    drops: dict[str, dict[str, str]] = {}
    for path in sorted((run / "dataset").glob("*/*.parquet")):
        config = path.parent.name
        if config not in ("sft", "sft_reasoning", "pretrain", "rejected") or not ids:
            continue
        columns = ["id", "dropped_by", "drop_reason"] if config == "rejected" else ["id"]
        table: pa.Table = pq.read_table(path, columns=columns)
        for row, values in enumerate(zip(*(c.to_pylist() for c in table.columns), strict=True)):
            if values[0] in ids:
                places.setdefault(values[0], []).append(f"{path.relative_to(run)} row {row}")
                if config == "rejected":
                    drops[values[0]] = {"dropped_by": values[1], "drop_reason": values[2]}
    return places, drops
