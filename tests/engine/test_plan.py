"""What `plan` says would run, and why; and that a run then does exactly that."""

import dataclasses
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import engine_checks
import pytest
from engine_harness import TAUGHT, command, same, tree, written

from tracefactory.board import Board
from tracefactory.cluster import InlinePool
from tracefactory.errors import Exit
from tracefactory.flow import Options, Outcome, Stop
from tracefactory.flow import run as run_flow
from tracefactory.ledger import Ledger
from tracefactory.planning import RunPlan, make_plan
from tracefactory.recipe import load_recipe
from tracefactory.store.home import Receipts, RunFolder
from tracefactory.task import Task

COUNT = "stages.problems.families.0.count="


class Silent:
    def show(self, board: Board, running: Mapping[str, Task], ledger: Ledger) -> None: ...

    def say(self, text: str) -> None: ...


def run_here(recipe: Path, folder: Path, *overrides: str, force: str = "") -> Outcome:
    options = Options(frozenset([force] if force else []))
    with RunFolder(folder) as home, InlinePool() as pool:
        loaded = load_recipe(str(recipe), list(overrides))
        outcome = run_flow(loaded, home, pool, Silent(), Stop(), options)
    assert outcome.code == Exit.DONE
    return outcome


def why(plan: RunPlan) -> dict[str, dict[str, int]]:
    return {name: dict(stage.run) for name, stage in plan.stages.items() if stage.run}


def reasons(plan: RunPlan) -> dict[str, set[str]]:
    return {name: set(run) for name, run in why(plan).items()}


def did(outcome: Outcome) -> dict[str, int]:
    """Tasks that really ran, by stage."""
    totals = outcome.board.totals()
    return {name: t.done - t.reused for name, t in totals.items() if t.done > t.reused}


@pytest.fixture
def folder(small, tmp_path):
    shutil.copytree(small.folder, tmp_path / "run")
    return tmp_path / "run"


def planned_and_done(small, folder, *overrides) -> RunPlan:
    """The plan of an edit, after checking that a run of it does what the plan says."""
    before = tree(folder)
    recipe = load_recipe(str(small.recipe), list(overrides))
    plan = make_plan(recipe, folder)
    assert tree(folder) == before, "a plan changes nothing"
    ran = did(run_here(small.recipe, folder, *overrides))
    assert set(ran) <= set(why(plan))
    for name, run in why(plan).items():
        # Work made anew can come out as it was: then what reads it is reused after all.
        if "input" not in run and plan.stages[name].kind != "rounds":
            assert ran[name] >= sum(run.values())  # more where nobody knows the rounds yet
    assert not why(make_plan(recipe, folder))
    return plan


def test_nothing_is_there(small, tmp_path):
    plan = make_plan(load_recipe(str(small.recipe), []), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert why(plan)["problems"] == {"missing": 13}
    assert set(why(plan)) == set(plan.stages)
    assert set().union(*reasons(plan).values()) == {"missing"}
    assert not plan.reused


def test_everything_is_there(small, folder):
    plan = planned_and_done(small, folder)
    assert not why(plan)
    assert sorted(plan.reused) == sorted(Receipts(folder / "receipts.log").slots())
    same(folder, small.dataset)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            "stages.attempts.teacher.slip_rate=0.1",
            {"attempts": "config", "verdicts": "input", "kept": "input", "unique": "input"},
        ),
        ("stages.kept.keep=[\"status = 'incorrect'\"]", {"kept": "config", "unique": "input"}),
        (
            "seed=8",
            {
                "problems": "config",
                "attempts": "config",
                "verdicts": "input",
                "kept": "input",
                "unique": "input",
            },
        ),
        ("stages.dataset.title=Other", {}),
    ],
)
def test_an_edit_touches_exactly_what_reads_it(small, folder, edit, expected):
    found = reasons(planned_and_done(small, folder, edit))
    # The published rows name the recipe, so every edit of it writes them anew.
    wanted = {**{name: {reason} for name, reason in expected.items()}, "dataset": {"config"}}
    assert found == wanted


def test_an_edit_undone_is_the_old_dataset(small, folder):
    run_here(small.recipe, folder, "stages.attempts.teacher.slip_rate=0.1")
    assert tree(folder / "dataset") != small.dataset
    plan = make_plan(load_recipe(str(small.recipe), []), folder)
    assert reasons(plan)["attempts"] == {"config"}
    run_here(small.recipe, folder)
    same(folder, small.dataset)


def test_a_new_checker_leaves_raw_attempts_alone(taught, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(taught.folder, folder)
    monkeypatch.setattr(engine_checks, "VERSION", "2")
    raw = {p.name: p.stat().st_mtime_ns for p in (folder / "raw").iterdir()}
    found = reasons(planned_and_done(taught, folder))
    assert found.pop("verdicts") == {"version"}
    assert set().union(*found.values()) == {"input"}
    assert not {"problems", "attempts"} & set(found)
    assert "dataset" in found
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "raw").iterdir()} == raw


def test_a_new_checker_leaves_later_rounds_alone(tmp_path, monkeypatch):
    """Rounds are planned from verdicts, but what they cost is not bought again for new evidence."""
    text = TAUGHT.replace("attempts: {min: 2}", "attempts: {min: 2, max: 6, until_correct: 1}")
    recipe, folder = written(tmp_path, text), tmp_path / "run"
    run_here(recipe, folder)
    raw = {p.name: p.stat().st_mtime_ns for p in (folder / "raw").iterdir()}
    assert any(".r1." in name for name in raw)
    monkeypatch.setattr(engine_checks, "VERSION", "2")  # the same verdicts, with other evidence
    ran = did(run_here(recipe, folder))
    assert "attempts" not in ran
    assert "verdicts" in ran
    assert {p.name: p.stat().st_mtime_ns for p in (folder / "raw").iterdir()} == raw
    assert "attempts" not in did(run_here(recipe, folder, "stages.verdicts.also=[steps]"))


def test_a_checker_that_decides_otherwise_buys_no_answer_twice(tmp_path, monkeypatch):
    """Problems that it finds open again get new attempts; what the others have is used again."""
    text = TAUGHT.replace("attempts: {min: 2}", "attempts: {min: 2, max: 6, until_correct: 1}")
    recipe, folder, log = written(tmp_path, text), tmp_path / "run", tmp_path / "requests"
    monkeypatch.setenv("ENGINE_REQUEST_LOG", str(log))
    run_here(recipe, folder)
    before = log.read_text().splitlines()
    lenient = engine_checks.verify

    def strict(problem, attempt):
        found = lenient(problem, attempt)
        refused = attempt.index < 2 and problem.id[-1] in "012345"
        return dataclasses.replace(found, status="incorrect") if refused else found

    monkeypatch.setattr(engine_checks, "verify", strict)
    monkeypatch.setattr(engine_checks, "VERSION", "2")
    assert "attempts" in did(run_here(recipe, folder))
    sent = [line for line in log.read_text().splitlines() if line.startswith("sent")]
    assert len(sent) > sum(line.startswith("sent") for line in before)
    assert len(sent) == len(set(sent))


def test_other_options_of_a_teacher_of_one_s_own_ask_it_anew(tmp_path, monkeypatch):
    """Answers are found again by what they depend on: for all that is known, its options."""
    text = TAUGHT.replace('"engine_parts:Teacher"', '"engine_parts:Teacher", options: {right: 100}')
    recipe, folder, log = written(tmp_path, text), tmp_path / "run", tmp_path / "requests"
    monkeypatch.setenv("ENGINE_REQUEST_LOG", str(log))
    first = run_here(recipe, folder)
    sent = len(log.read_text().splitlines())
    second = run_here(recipe, folder, "stages.attempts.teacher.options.right=0")
    assert len(log.read_text().splitlines()) == 2 * sent
    correct = [o.board.totals()["verdicts"].counts.get("correct", 0) for o in (first, second)]
    assert correct[0] > 0 == correct[1]


def test_the_version_of_a_checker_comes_from_its_module(taught, tmp_path):
    """The same by the command line, in processes that see another version."""
    words = ("plan", str(taught.recipe), "--folder", str(taught.folder), "--json")
    for version, expected in (("1", {}), ("2", {"version": 8})):
        found = command(*words, env={"ENGINE_CHECK_VERSION": version})
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["stages"]["verdicts"]["run"] == expected


def test_more_problems_are_new_chunks_only(small, folder):
    found = why(planned_and_done(small, folder, f"{COUNT}700"))
    for name in ("problems", "attempts", "verdicts", "kept"):
        assert set(found[name]) == {"missing"}
    assert found["problems"] == {"missing": 2}
    assert set(found["unique"]) == {"input"}


def test_a_longer_last_chunk_is_that_chunk_only(small, folder):
    run_here(small.recipe, folder, f"{COUNT}620")
    found = why(planned_and_done(small, folder, f"{COUNT}630"))
    assert found["problems"] == {"config": 1}
    assert set(found["attempts"]) == {"input"}
    assert found["attempts"]["input"] <= 3  # its rounds


@pytest.mark.parametrize("where", ["problems", "raw", "verdicts", "kept", "shards"])
def test_a_lost_output_is_made_again_and_nothing_else(small, folder, where):
    lost = sorted((folder / where).iterdir())[0]
    lost.unlink()
    stage = {"raw": "attempts", "shards": "dataset"}.get(where, where)
    plan = make_plan(load_recipe(str(small.recipe), []), folder)
    assert why(plan) == {stage: {"output missing": 1}}
    assert did(run_here(small.recipe, folder)) == {stage: 1}
    assert lost.exists()
    same(folder, small.dataset)


def test_a_cut_output_is_made_again(small, folder):
    victim = sorted((folder / "raw").iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-1])
    assert did(run_here(small.recipe, folder)) == {"attempts": 1}
    same(folder, small.dataset)


@pytest.mark.parametrize("stage", ["attempts", "kept", "unique", "dataset"])
def test_force_does_one_stage_again(small, folder, stage):
    """The same comes out, so that the rest is reused."""
    receipts = Counter(slot.partition("/")[0] for slot in Receipts(folder / "receipts.log").slots())
    outcome = run_here(small.recipe, folder, force=stage)
    assert did(outcome) == {stage: receipts[stage]}
    same(folder, small.dataset)


def test_force_needs_a_stage_that_is_there(small, folder):
    found = command(
        "run", str(small.recipe), "--folder", str(folder), "--inline", "--force", "nothing"
    )
    assert found.returncode == 2
    assert "nothing" in found.stderr
    assert "attempts" in found.stderr


def test_a_damaged_receipt_costs_its_own_task(small, folder):
    log = folder / "receipts.log"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[40] = lines[40].replace(b"slot", b"sl0t", 1)
    log.write_bytes(b"".join(lines)[:-5])  # and the last one is torn
    assert sum(did(run_here(small.recipe, folder)).values()) == 2
    same(folder, small.dataset)
