"""Work that kills its process, work that raises, stages with bugs: who is blamed for what."""

import os
from collections import Counter
from pathlib import Path

import pytest
from engine_harness import TAUGHT, attempts, command, rows, run, same, summary, tree, written

TWO = ("--workers", "2")


def ids_by_chunk(folder: Path) -> list[list[str]]:
    """Problem ids of each chunk, in order."""
    import pyarrow.parquet as pq

    paths = sorted((folder / "problems").glob("*.parquet"))
    return [pq.read_table(path, columns=["id"]).column(0).to_pylist() for path in paths]


def but(data: list[dict], problems: set[str]) -> list[dict]:
    return [row for row in data if row["problem_id"] not in problems]


def check_left_out(folder: Path, clean: Path, problems: set[str]) -> None:
    """Exactly these problems are quarantined, and everything else is as in the clean run."""
    bad = [row for row in rows(folder, "rejected") if row["problem_id"] in problems]
    assert {row["problem_id"] for row in bad} == problems
    assert {(row["status"], row["reason"]) for row in bad} == {("error", "quarantined")}
    assert Counter(r["problem_id"] for r in bad) == dict.fromkeys(problems, 2)
    for view in ("sft", "rejected", "rl", "pretrain"):
        assert but(rows(folder, view), problems) == but(rows(clean, view), problems)
    rated = {row["problem_id"]: row for row in rows(folder, "rl")}
    assert all(rated[p]["pass_rate"] is None for p in problems)
    assert not [r for r in attempts(folder) if r["status"] == "error" and r not in bad]


@pytest.fixture(scope="module")
def poisoned(taught, tmp_path_factory):
    """A run with three poisonous problems, two in the first chunk and one in the last."""
    chunks = ids_by_chunk(taught.folder)
    bad = {chunks[0][0], chunks[0][5], chunks[-1][6]}
    place = tmp_path_factory.mktemp("poisoned")
    env = {"ENGINE_POISON": ",".join(sorted(bad)), "ENGINE_KILL_LOG": str(place / "kills")}
    said = run(taught.recipe, place / "run", *TWO, env=env, code=3)
    return place, env, bad, said


def copied(place: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(place / "run", tmp_path / "run")
    return tmp_path / "run"


def test_poisonous_problems_are_left_out_and_nobody_else(taught, poisoned):
    place, _, bad, said = poisoned
    check_left_out(place / "run", taught.folder, bad)
    assert all(problem in said for problem in bad)
    assert len(list((place / "run" / "quarantine").glob("*.json"))) == 2
    # Once in the pool, once alone, at most four times while 8 are halved, and for the others found.
    kills = Counter((place / "kills").read_text().split())
    assert set(kills) == bad
    assert max(kills.values()) <= 8


def test_a_second_run_does_not_try_them_again(poisoned, tmp_path):
    place, env, _, _ = poisoned
    folder = copied(place, tmp_path)
    before, kills = tree(folder / "dataset"), (place / "kills").read_text()
    said = run(_recipe(place), folder, "--json", *TWO, env=env, code=3)
    assert (place / "kills").read_text() == kills
    same(folder, before)
    told = summary(said)
    assert all(stage["tasks"] == stage["reused"] for stage in told["stages"].values())


def _recipe(place: Path) -> Path:
    """The recipe of `taught`, written anew: where it lies makes no difference."""
    return written(place, TAUGHT)


def test_as_many_failures_as_allowed_are_a_success(poisoned, tmp_path):
    place, env, _, _ = poisoned
    folder = copied(place, tmp_path)
    run(_recipe(place), folder, "--inline", "--max-failed", "2", env=env, code=3)
    run(_recipe(place), folder, "--inline", "--max-failed", "3", env=env, code=0)


def test_retry_tries_them_again(taught, poisoned, tmp_path):
    """Healed in between: then the dataset is that of a run without any of this."""
    place, _, bad, _ = poisoned
    folder = copied(place, tmp_path)
    chunks = [c for c in ids_by_chunk(folder) if bad & set(c)]
    said = run(_recipe(place), folder, "--retry", "quarantined", "--json", *TWO)
    same(folder, taught.dataset)
    verdicts = summary(said)["stages"]["verdicts"]
    assert verdicts["tasks"] - verdicts["reused"] == len(chunks) == 2
    assert not list((folder / "quarantine").glob("*"))
    status = command("status", str(folder))
    assert "quarantine" not in status.stdout


def test_retry_of_what_still_kills_leaves_it_out_again(taught, poisoned, tmp_path):
    place, env, _, _ = poisoned
    folder = copied(place, tmp_path)
    still = {ids_by_chunk(folder)[-1][6]}
    env = {**env, "ENGINE_POISON": "".join(still), "ENGINE_KILL_LOG": str(tmp_path / "kills")}
    run(_recipe(place), folder, "--retry", "quarantined", *TWO, env=env, code=3)
    assert set((tmp_path / "kills").read_text().split()) == still
    check_left_out(folder, taught.folder, still)
    assert len(list((folder / "quarantine").glob("*.json"))) == 1


def test_poison_in_rounds_gets_no_further_attempts(tmp_path):
    """Unsolved, but not to be solved: each further round would only kill again. It counts once."""
    text = TAUGHT.replace("attempts: {min: 2}", "attempts: {min: 2, max: 6, until_correct: 1}")
    recipe = written(tmp_path, text.replace("count: 64", "count: 8").replace("rows: 8", "rows: 4"))
    clean = tmp_path / "clean"
    run(recipe, clean, "--inline")
    bad = {ids_by_chunk(clean)[1][2]}
    env = {"ENGINE_POISON": "".join(bad)}
    run(recipe, tmp_path / "run", *TWO, "--max-failed", "1", env=env)
    check_left_out(tmp_path / "run", clean, bad)


def test_a_checker_that_raises_gives_an_error_and_no_quarantine(taught, tmp_path):
    bad = {ids_by_chunk(taught.folder)[1][5]}
    run(taught.recipe, tmp_path / "run", "--inline", env={"ENGINE_RAISE": "".join(bad)})
    found = [row for row in rows(tmp_path / "run", "rejected") if row["problem_id"] in bad]
    assert [(row["status"], row["reason"]) for row in found] == [("error", "crash:ValueError")] * 2
    for view in ("sft", "rejected", "rl"):
        assert but(rows(tmp_path / "run", view), bad) == but(rows(taught.folder, view), bad)
    assert not (tmp_path / "run" / "quarantine").exists()


@pytest.mark.parametrize("words", [TWO, ("--inline",)])
@pytest.mark.parametrize("bug", ["same", "other"])
def test_a_stage_with_a_bug_stops_the_run_and_shows_it(tmp_path, words, bug):
    text = TAUGHT.replace("from: verdicts,", "from: broken,")
    recipe = written(
        tmp_path, text + f'  broken: {{use: "engine_parts:PASS", from: verdicts, bug: {bug}}}\n'
    )
    log = tmp_path / "calls"
    said = run(recipe, tmp_path / "run", *words, env={"ENGINE_PASS_LOG": str(log)}, code=1)
    assert "ZeroDivisionError" in said
    assert "engine_parts.py" in said
    assert "stage 'broken'" in said
    assert "fault of tracefactory" not in said
    workers = 2 if words == TWO else 1
    most = 3 if bug == "same" else 3 * 2 * workers
    assert len(log.read_text().splitlines()) <= most + 2 * workers  # and what was in the pool


def test_what_was_done_before_a_bug_is_kept(taught, tmp_path):
    text = TAUGHT.replace("from: verdicts,", "from: broken,")
    broken = '  broken: {use: "engine_parts:PASS", from: verdicts, bug: same}\n'
    run(written(tmp_path, text + broken), tmp_path / "run", "--inline", code=1)
    said = run(
        written(tmp_path, text + broken.replace(", bug: same", "")),
        tmp_path / "run", "--inline", "--json",
    )  # fmt: skip
    told = summary(said)["stages"]
    assert told["verdicts"]["reused"] > 0
    assert told["broken"]["reused"] == 0
    mine, theirs = attempts(tmp_path / "run"), attempts(taught.folder)
    assert [r["content_sha256"] for r in mine] == [r["content_sha256"] for r in theirs]


def test_a_passing_failure_in_the_quarantine_lane_is_tried_again(taught, tmp_path):
    """The teacher kills its worker, fails once when it runs alone, then works."""
    problem = ids_by_chunk(taught.folder)[0][3]
    teacher = (
        f'{{kind: "engine_parts:Unwell", options: {{problem: {problem}, notes: {tmp_path}/notes}}}}'
    )
    text = TAUGHT.replace('{kind: "engine_parts:Teacher"}', teacher)
    run(written(tmp_path, text), tmp_path / "run", *TWO)
    assert (tmp_path / "notes").read_text().split() == ["asked"] * 3
    assert len(attempts(tmp_path / "run")) == 128
    assert not (tmp_path / "run" / "quarantine").exists()


def test_the_checker_used_here_is_the_shipped_one(taught):
    """Otherwise the comparisons above would compare nothing."""
    assert Counter(row["status"] for row in attempts(taught.folder)).keys() == {
        "correct",
        "incorrect",
    }
    assert os.environ.get("ENGINE_POISON") is None
