"""What was paid for adds up, whatever was killed, stopped or edited; limits stop; pilots last."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from engine_harness import command, run, started, summary, written
from spending_parts import NANO_A_TOKEN, PROMPT, tokens_of

from tracefactory.ledger import Ledger
from tracefactory.progress import live_words
from tracefactory.store.home import RunFolder
from tracefactory.task import Task

RECIPE = """\
name: dear
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 10}
    families: [{name: modular_sum, count: 60, split: {test: 10}}]
  attempts:
    use: generate
    from: problems
    teacher: {kind: "spending_parts:Dear"}
    attempts: {min: 2, max: 4, until_correct: 1}
  verdicts: {use: verify, from: attempts}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  dataset: {use: publish, from: kept}
"""


def sent(log: Path) -> Counter[tuple[str, int]]:
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return Counter((problem, int(index)) for _, problem, index, _ in lines)


def told(folder: Path) -> dict[str, int]:
    """All that `status` says was spent."""
    status = command("status", str(folder), "--json")
    assert status.returncode == 0, status.stderr
    whole: Counter[str] = Counter()
    for row in json.loads(status.stdout)["spending"]:
        whole.update({name: n for name, n in row.items() if isinstance(n, int)})
    return dict(whole)


def paid(requests: Counter[tuple[str, int]]) -> dict[str, int]:
    """What these requests cost."""
    n = sum(requests.values())
    tokens = sum(tokens_of(*key) * times for key, times in requests.items())
    return {
        "asked": n,
        "priced": n,
        "prompt_tokens": n * PROMPT,
        "cached_tokens": n * (PROMPT // 2),
        "completion_tokens": tokens,
        "nano_usd": (tokens + n * PROMPT) * NANO_A_TOKEN,
    }


def check_told(folder: Path, log: Path) -> None:
    found, want = told(folder), paid(sent(log))
    assert {name: found[name] for name in want} == want


@pytest.fixture
def place(tmp_path):
    log = tmp_path / "requests"
    return written(tmp_path, RECIPE), tmp_path / "run", log, {"ENGINE_REQUEST_LOG": str(log)}


def test_a_run_an_edit_and_a_way_back_add_up(place):
    recipe, folder, log, env = place
    first = summary(run(recipe, folder, "--inline", "--json", env=env))
    assert set(sent(log).values()) == {1}
    check_told(folder, log)
    assert first["spent"]["asked"] == sum(sent(log).values())
    assert first["spent"]["usd"] == pytest.approx(paid(sent(log))["nano_usd"] / 1e9)
    n = sum(sent(log).values())
    warmer = "stages.attempts.teacher.options={warmth: 0.5}"
    run(recipe, folder, "--inline", "--set", warmer, env=env)
    assert sum(sent(log).values()) == 2 * n  # another sampling is another request
    check_told(folder, log)
    run(recipe, folder, "--inline", "--set", warmer, env=env)
    run(recipe, folder, "--inline", "--set", "stages.dataset.title=Other", "--set", warmer, env=env)
    assert sum(sent(log).values()) == 2 * n
    check_told(folder, log)
    manifest = json.loads((folder / "dataset" / "manifest" / "manifest.json").read_bytes())
    assert manifest["teachers"] == {"dear @ 1": {"kind": "dear", "sampling": {"temperature": 0.5}}}
    assert "dear @ 1: `" in (folder / "dataset" / "README.md").read_text()


def test_effort_and_pass_at_k_are_those_of_the_rows(place):
    recipe, folder, log, env = place
    found = summary(run(recipe, folder, "--inline", "--json", env=env))
    (effort,) = found["efforts"]
    by_problem: dict[str, list[int]] = {}
    for problem, index in sent(log):
        by_problem.setdefault(problem, []).append(tokens_of(problem, index))
    taken = sum(map(sum, by_problem.values()))
    assert effort["taken"] == taken
    fixed = sum(sum(tokens) * 4 / len(tokens) for tokens in by_problem.values())
    assert effort["fixed_taken"] == pytest.approx(fixed)
    assert effort["verified"] == effort["fixed_verified"]  # who has one stops; all others had 4
    assert effort["each"] < effort["fixed_each"]
    assert [each["k"] for each in found["pass_at"]] == [1, 2]
    said = run(recipe, folder, "--inline", env=env)
    assert "tokens for a verified trace" in said
    assert "a fixed 4 attempts" in said
    assert "pass@2 " in said


@pytest.mark.parametrize("words", [("--inline",), ("--workers", "1")])
def test_a_limit_stops_and_a_higher_one_goes_on(place, words):
    recipe, folder, log, env = place
    env = {**env, "ENGINE_MS": "60"}
    said = run(recipe, folder, *words, "--max-tokens", "3000", env=env, code=130)
    assert "of --max-tokens 3,000" in said
    assert "raise the limit to go on" in said
    check_told(folder, log)
    spent = told(folder)
    assert spent["prompt_tokens"] + spent["completion_tokens"] >= 3000
    assert len(sent(log)) < 60
    before = sent(log)
    run(recipe, folder, *words, "--max-tokens", "3000", env=env, code=130)
    assert sent(log) == before
    run(recipe, folder, *words, "--max-cost", "1000", env=env)
    assert set(sent(log).values()) == {1}
    check_told(folder, log)
    # Nothing is to be paid any more, so no limit of spending stands in the way.
    run(recipe, folder, *words, "--max-cost", "0.001", env=env)
    assert not list((folder / "journal").iterdir())


def test_hours_are_those_of_the_run(place):
    recipe, folder, log, env = place
    env = {**env, "ENGINE_MS": "400"}
    said = run(recipe, folder, "--workers", "1", "--max-hours", "0.001", env=env, code=130)
    assert "--max-hours 0.001 are over" in said
    run(recipe, folder, "--inline", env={**env, "ENGINE_MS": "0"})
    assert set(sent(log).values()) == {1}
    check_told(folder, log)


@pytest.mark.parametrize("words", [("--inline",), ("--workers", "1")])
def test_asked_to_stop_a_paid_chunk_sends_nothing_more(place, words):
    recipe, folder, log, env = place
    env = {**env, "ENGINE_MS": "700"}
    with started(recipe, folder, *words, env=env) as live:
        assert live.until(lambda: len(sent(log)) >= 5)
        live.signal(signal.SIGTERM)
        assert live.wait(60) == 130, live.text()
        assert "Traceback" not in live.text()
    assert len(sent(log)) < 20  # of its first chunk
    check_told(folder, log)
    assert not (folder / "journal" / "drain").exists()
    run(recipe, folder, "--inline", env={**env, "ENGINE_MS": "0"})
    assert set(sent(log).values()) == {1}
    check_told(folder, log)


def test_an_interrupted_force_goes_on_and_the_next_one_begins_anew(place):
    recipe, folder, log, env = place
    run(recipe, folder, "--inline", env=env)
    n = sum(sent(log).values())
    words = ("--inline", "--force", "attempts")
    with started(recipe, folder, *words, env={**env, "ENGINE_MS": "40"}) as live:
        assert live.until(lambda: sum(sent(log).values()) >= n + 45)
        live.signal(signal.SIGTERM)
        assert live.wait(60) == 130, live.text()
    assert n + 45 <= sum(sent(log).values()) < 2 * n
    run(recipe, folder, *words, env=env)
    assert set(sent(log).values()) == {2}
    check_told(folder, log)
    run(recipe, folder, *words, env=env)
    assert set(sent(log).values()) == {3}


def test_a_kill_costs_only_what_was_under_way_and_the_sums_know_the_rest(place):
    recipe, folder, log, env = place
    with started(recipe, folder, "--workers", "1", env={**env, "ENGINE_MS": "100"}) as live:
        assert live.until(lambda: len(sent(log)) >= 25)
        live.kill()
    kept = told(folder)["asked"]
    assert 0 < kept <= len(sent(log))
    run(recipe, folder, "--inline", env=env)
    again = sum(sent(log).values()) - len(sent(log))
    assert again <= 8  # in flight, of two chunks at most
    assert told(folder)["asked"] == sum(sent(log).values()) - again
    assert "of them cached" in command("status", str(folder)).stdout


def test_a_teacher_without_prices_is_counted_without_money(place):
    recipe, folder, _, env = place
    cheap = ("--set", "stages.attempts.teacher.options={priced: false}")
    said = run(recipe, folder, "--inline", *cheap, "--max-cost", "5", env=env)
    assert "--max-cost 5 does not see" in said
    (row,) = json.loads(command("status", str(folder), "--json").stdout)["spending"]
    assert row["usd"] is None
    assert row["priced"] == 0
    assert row["teacher"] == "dear @ 1"


def test_live_figures_and_news_are_said(place):
    recipe, folder, _, env = place
    said = run(recipe, folder, "--workers", "1", env={**env, "ENGINE_MS": "700"})
    assert "the teacher is well" in said


def test_work_under_way_says_how_far_it_is(tmp_path):
    task = Task("attempts", "c", 0, "generate", "1", {})
    with RunFolder(tmp_path / "run") as folder:
        ledger = Ledger(folder.path, folder.receipts)
        assert live_words({task.slot: task}, ledger) == []
        journal = folder.home.journal(f"{task.stage}.{task.stem}")
        figures = {
            "done": 3,
            "of": 10,
            "in_flight": 4,
            "completion_tokens": 50,
            "nano_usd": 2 * 10**9,
        }
        journal.note({**figures, "priced": 3, "news": ["all is well"]})
        assert ledger.look() == ["all is well"]
        said = live_words({task.slot: task}, ledger)
        journal.close()
    assert said[0] == "3/10 requests, 4 in flight"
    assert said[1].endswith(" tokens/s")
    assert said[2:] == ["50 tokens", "$2.00"]


def test_a_pilot_is_paid_once_and_tells_what_all_will_cost(place):
    recipe, folder, log, env = place

    def pilot(n: int) -> dict[str, Any]:
        done = command(
            "plan", str(recipe), "--folder", str(folder), "--pilot", str(n), "--inline", "--json",
            env=env,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    small = pilot(6)
    first = sent(log)
    assert len({problem for problem, _ in first}) == 6
    found = pilot(12)
    assert len({problem for problem, _ in sent(log)}) == 12
    assert found["problems"] == small["problems"]
    assert set(sent(log).values()) == {1}  # the larger pilot holds the smaller one
    run(recipe, folder, "--inline", env=env)
    assert set(sent(log).values()) == {1}
    check_told(folder, log)
    whole = paid(sent(log))
    for name, real in (
        ("tokens_in", whole["prompt_tokens"]),
        ("tokens_out", whole["completion_tokens"]),
        ("usd", whole["nano_usd"] / 1e9),
    ):
        assert found[name]["low"] <= found[name]["expected"] <= found[name]["high"]
        assert found[name]["low"] * 0.9 <= real <= found[name]["high"] * 1.1
    everything = pilot(1000)
    assert set(sent(log).values()) == {1}  # the run's answers are the pilot's too
    assert everything["tokens_out"]["expected"] == pytest.approx(whole["completion_tokens"])
    sound = command("fsck", str(folder))
    assert sound.returncode == 0, sound.stdout
    assert "orphan" not in sound.stdout.replace("0 orphans", "")
