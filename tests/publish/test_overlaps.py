"""Decontamination from the recipe to the release: rows, figures, card, report, audit; and kills."""

import json
import random
import shutil
import sys
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from engine_harness import clean, run, same, started, tree

from tracefactory.audit.asked import Asked
from tracefactory.audit.examine import audit_release
from tracefactory.cluster import InlinePool
from tracefactory.schemas.traces import OVERLAPS_SCHEMA
from tracefactory.store.sums import SUMS

RECIPE = """\
name: cleaned
seed: 7
stages:
  stored:
    use: import
    path: rows.jsonl
    license: MIT
    answer_after: "A:"
    chunk: {rows: 20}
    problem: {statement: q, reference: r}
    attempts: [{teacher: one, text: a}, {teacher: two, text: b}]
  verdicts: {use: verify, from: stored}
  clean:
    use: decontaminate
    from: verdicts
    benchmarks: [{name: gsm8k, path: gsm8k.jsonl}, {name: other, path: other.jsonl, text: q}]
  kept: {use: filter, from: clean, keep: ["status = 'correct'"]}
  dataset:
    use: publish
    from: kept
    shard: {rows: 80}
    views: [sft, rl, rejected, preference, overlaps]
"""
NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ida", "Joe"]
THINGS = ["kites", "lamps", "maps", "nails", "oars", "pens", "quilts", "ropes", "saws", "tents"]


def asked(n):
    who, what, other = NAMES[n % 10], THINGS[n // 10 % 10], THINGS[(n + 3) % 10]
    return (
        f"{who} keeps {n + 11} {what} in the shed number {n}, and buys {n % 7 + 2} {other} "
        f"for each of them on day {n * 3}. How many {other} does {who} buy?"
    )


def answer(n):
    return (n + 11) * (n % 7 + 2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """120 problems: 30 of them items of gsm8k; five traces of others quote one of `other`."""
    folder = tmp_path_factory.mktemp("cleaned")
    quoted = [f"{asked(n)} Tell it to {NAMES[n % 9]}." for n in range(500, 540)]
    items = [{"question": asked(n)} for n in range(30)]
    (folder / "gsm8k.jsonl").write_text("".join(json.dumps(i) + "\n" for i in items))
    (folder / "other.jsonl").write_text(
        "".join(json.dumps({"q": q}) + "\n" for q in [*quoted, None])
    )
    with (folder / "rows.jsonl").open("w") as rows:
        for n in range(120):
            right, wrong = f"A: {answer(n)}", f"A: {answer(n) + 1}"
            quotes = f"This is like: {quoted[n % 40]} " if 40 <= n < 45 else ""
            row = {"q": asked(n), "r": str(answer(n)), "a": f"{quotes}\n{right}", "b": wrong}
            rows.write(json.dumps(row) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    run(folder / "recipe.yaml", folder / "run", "--inline")
    return folder


@pytest.fixture(scope="module")
def dataset(place):
    return place / "run" / "dataset"


def rows_of(dataset, config, split="train"):
    files = sorted((dataset / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def manifest_of(dataset):
    return orjson.loads((dataset / "manifest/manifest.json").read_bytes())


def test_no_item_is_published_for_training(dataset):
    sft = {row["id"] for row in rows_of(dataset, "sft")}
    assert len(sft) == 120 - 30 - 5
    texts = json.dumps(rows_of(dataset, "rl")) + json.dumps(rows_of(dataset, "preference"))
    assert not any(f"shed number {n}," in texts for n in range(30))
    assert len(rows_of(dataset, "rl", "contaminated")) == 30


def test_every_rejected_row_says_which_item(dataset):
    reasons = [r["drop_reason"] for r in rows_of(dataset, "rejected") if r["dropped_by"] == "clean"]
    assert sum(reason.startswith("problem in gsm8k: copy of item ") for reason in reasons) == 60
    assert sum(reason.startswith("trace in other: copy of item ") for reason in reasons) == 5


def test_overlaps_are_rows_of_their_own(dataset):
    rows = rows_of(dataset, "overlaps")
    for file in (dataset / "overlaps").iterdir():
        assert pq.read_schema(file).remove_metadata() == OVERLAPS_SCHEMA
    bad = [row for row in rows if row["level"] == "contaminated"]
    assert len(bad) == 35
    assert {(row["benchmark"], row["attempt_id"] is None) for row in bad} == {
        ("gsm8k", True), ("other", False)
    }  # fmt: skip
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["license"] == "MIT" for row in rows)


def test_the_manifest_says_what_rows_were_compared_with(dataset):
    manifest = manifest_of(dataset)
    assert [(b["name"], b["items"], b["unusable_rows"]) for b in manifest["benchmarks"]] == [
        ("gsm8k", 30, 0), ("other", 40, 1)
    ]  # fmt: skip
    assert manifest["funnel"]["clean.contaminated"] == 65
    assert manifest["funnel"]["clean.problems_contaminated"] == 30
    stats = manifest["configs"]["overlaps"]["train"]["stats"]["overlaps"]
    assert stats["gsm8k.contaminated.problem"] == 30
    assert stats["other.contaminated.trace"] == 5


def test_card_and_report_show_it(dataset):
    card = (dataset / "README.md").read_text()
    assert "| gsm8k | file |" in card
    assert "Nothing here was compared with benchmarks" not in card
    report = (dataset / "report.html").read_text()
    assert "2 benchmarks, 70 items: 65 attempts" in report
    assert "65 attempts dropped, 30 problems set aside" in report
    assert "1 row of the benchmarks had no text" in report
    assert "40 (1 more had no text)" in report


def audited(folder):
    return audit_release(Path(folder), Asked(planted=5), InlinePool(), lambda *_: None)


def test_an_honest_release_is_sound(dataset):
    assert audited(dataset).faults == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"item": "9"}, "row_content_sha256"),
        ({"benchmark": "gsm9k"}, "row_id"),
        ({"level": "fine"}, "overlap_level"),
        ({"attempt_id": "p/one/0"}, "overlap_alone"),
    ],
)
def test_what_an_auditor_finds(dataset, tmp_path, change, check):
    from tracefactory.store.files import parquet_bytes

    folder = tmp_path / "forged"
    shutil.copytree(dataset, folder)
    path = folder / "overlaps/train-00000.parquet"
    rows = pq.ParquetFile(path).read().to_pylist()
    rows[0].update(change)
    path.unlink()
    table = pa.Table.from_pylist(rows, schema=OVERLAPS_SCHEMA)
    path.write_bytes(bytes(parquet_bytes(table, published=True)))
    assert (folder / SUMS).exists()
    assert check in {fault.check for fault in audited(folder).faults}


def test_a_recipe_without_the_stage_says_nothing_of_it(place, tmp_path):
    text = RECIPE.replace("from: clean", "from: verdicts").replace(", overlaps]", "]")
    start, end = text.index("  clean:"), text.index("  kept:")
    for name in ("rows.jsonl", "gsm8k.jsonl"):
        shutil.copy(place / name, tmp_path / name)
    (tmp_path / "recipe.yaml").write_text(text[:start] + text[end:])
    run(tmp_path / "recipe.yaml", tmp_path / "run", "--inline")
    card = (tmp_path / "run/dataset/README.md").read_text()
    assert "## Benchmarks" not in card
    assert "Nothing here was compared with benchmarks" in card


def test_kills_workers_and_shuffles_change_no_byte(place, dataset, tmp_path):
    expected, chance = tree(dataset), random.Random("kills")
    folder = tmp_path / "run"
    for _ in range(6):
        with started(place / "recipe.yaml", folder, "--workers", "2") as live:
            more = live.receipts() + chance.randrange(1, 6)
            live.until(lambda n=more, live=live: live.receipts() >= n)
            if live.process.poll() is None:
                live.kill()
    run(place / "recipe.yaml", folder, "--workers", "2")
    same(folder, expected)
    clean(folder)
    # The same rows in another order.
    for name in ("gsm8k.jsonl", "other.jsonl", "rows.jsonl", "recipe.yaml"):
        lines = (place / name).read_text().splitlines(keepends=True)
        if name == "rows.jsonl":
            chance.shuffle(lines)
        (tmp_path / name).write_text("".join(lines))
    run(tmp_path / "recipe.yaml", tmp_path / "shuffled", "--inline")
    same(tmp_path / "shuffled", expected)
