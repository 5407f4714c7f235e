"""Whole runs: inputs in any order, paid teachers, two runs on one folder."""

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from engine_harness import (
    TAUGHT,
    Live,
    attempts,
    clean,
    command,
    rows,
    run,
    same,
    started,
    tree,
    written,
)

from tracefactory.store.home import Home, Receipts
from tracefactory.store.log import Damage, replay

# Inputs in any order.

FROM_FILE = """\
name: from-file
seed: 3
stages:
  problems:
    use: sample
    chunk: {rows: 50}
    file: {path: NAME, problem: {statement: question, reference: answer, id: key}}
  attempts:
    use: generate
    from: problems
    teacher: {kind: "engine_parts:Teacher"}
    attempts: {min: 1, max: 3, until_correct: 1}
  verdicts: {use: verify, from: attempts}
  unique: {use: dedupe, from: verdicts}
  dataset: {use: publish, from: unique}
"""

IMPORTED = """\
name: imported
seed: 3
stages:
  attempts:
    use: import
    path: NAME
    chunk: {rows: 50}
    problem: {statement: question, reference: answer}
    attempts: [{teacher: one, text: first}, {teacher: two, text: second}]
  verdicts: {use: verify, from: attempts, also: [steps]}
  kept: {use: filter, from: verdicts, keep: ["status = 'correct'"]}
  unique: {use: dedupe, from: kept}
  dataset: {use: publish, from: unique}
"""


def problem_lines(rng: random.Random) -> list[str]:
    lines = []
    for n in range(330):
        a, b = rng.randrange(1000), rng.randrange(1000)
        lines.append(json.dumps({"key": f"k{n}", "question": f"{a} + {b}?", "answer": str(a + b)}))
    lines += lines[:7]  # the same again
    for n in range(10, 16):  # the same id with another problem
        lines.append(json.dumps({"key": f"k{n}", "question": f"{n} + 1?", "answer": str(n + 1)}))
    lines += ['{"key": "torn', "[1, 2]", '{"key": "no-answer", "question": "1 + 1?"}']
    lines += [json.dumps({"key": f"bad{n}", "question": "1?", "answer": "a cat"}) for n in range(4)]
    return lines


def attempt_lines(rng: random.Random) -> list[str]:
    lines = []
    for n in range(330):
        question, right = f"{n} + {n}?", str(2 * n)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):  # rows that repeat their problem
            said = [
                f"{n} + {n} = {2 * n + rng.randrange(2)}\n\\boxed{{{rng.choice([right, '-1'])}}}"
                for _ in range(2)
            ]
            lines.append(
                json.dumps(
                    {"question": question, "answer": right, "first": said[0], "second": said[1]}
                )
            )
    lines += lines[:5]
    lines += ["{", '{"question": "1 + 1?", "first": "2", "second": "2"}', "null"]
    return lines


@pytest.mark.parametrize(("text", "lines"), [(FROM_FILE, problem_lines), (IMPORTED, attempt_lines)])
def test_the_order_of_an_input_and_its_path_change_no_byte(tmp_path, text, lines):
    found = lines(random.Random("lines"))
    datasets = []
    for number, name in enumerate(("a.jsonl", "elsewhere.jsonl", "c.jsonl")):
        place = tmp_path / f"place-{number}"
        recipe = written(place, text.replace("NAME", name))
        (place / name).write_text("\n".join(found) + "\n")
        run(recipe, place / "run", *(("--workers", "2") if number == 1 else ("--inline",)))
        datasets.append(tree(place / "run" / "dataset"))
        assert len(list((place / "run" / "verdicts").glob("*.r0.*"))) > 3  # several chunks
        random.Random(number).shuffle(found)
    assert len(rows(tmp_path / "place-0" / "run", "rl")) >= 300
    assert datasets[0] == datasets[1] == datasets[2]
    assert b"tmp" not in datasets[0]["manifest/manifest.json"]
    told = command("inspect", str(tmp_path / "place-0" / "run"), "--malformed", "--json")
    reasons = Counter(row["reason"].partition(":")[0] for row in json.loads(told.stdout))
    assert sum(reasons.values()) > 2


# Paid teachers.

PAID = (
    TAUGHT.replace("count: 64", "count: 240")
    .replace("rows: 8", "rows: 40")
    .replace('Teacher"}', 'Teacher", options: {name: dear, paid: true}}')
)
REQUESTS = 480
IN_FLIGHT = 3

Key = tuple[str, int]


def served(log: Path, word: str, start: int = 0) -> list[Key]:
    """Requests that the teacher noted, from a line of its log on."""
    lines = log.read_text().splitlines()[start:] if log.exists() else []
    parts = [line.split() for line in lines]
    return [(p[1], int(p[2])) for p in parts if p[0] == word]


def n_lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def paid_for(folder: Path) -> dict[Key, str]:
    """What no kill may cost again: text by request, in journals and in files with a receipt."""
    found: dict[Key, str] = {}
    for path in sorted((folder / "journal").glob("*.log")):
        for line in replay(path):
            if not isinstance(line, Damage):
                key = (line.data["problem_id"], line.data["index"])
                found.setdefault(key, line.data["text"])
    for receipt in Receipts(folder / "receipts.log"):
        for output in receipt.outputs if receipt.slot.startswith("attempts/") else ():
            table = Home(folder).read(output, ["problem_id", "index", "text"])
            for row in table.to_pylist():
                found[row["problem_id"], row["index"]] = row["text"]
    return found


def texts(folder: Path) -> dict[Key, str]:
    everything = attempts(folder)
    assert len(everything) == REQUESTS
    return {(r["problem_id"], r["attempt_index"]): r["messages"][-1]["content"] for r in everything}


def check_nothing_bought_twice(folder: Path, log: Path, marks: list[tuple[dict[Key, str], int]]):
    final = texts(folder)
    assert len(final) == REQUESTS
    for had, line in marks:
        again = set(served(log, "sent", line)) & set(had)
        assert not again, f"sent again: {sorted(again)[:5]}"
        assert {key: final[key] for key in had} == had
    clean(folder)


def test_kills_cost_only_unfinished_requests(tmp_path):
    recipe, folder, log = written(tmp_path, PAID), tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_REQUEST_LOG": str(log), "ENGINE_MS": "12"}
    marks, rng = [], random.Random("paid")
    lost = 0

    def more(live: Live, n: int) -> bool:
        there = n_lines(log)
        return live.until(lambda: n_lines(log) >= there + n)

    for words in (("--workers", "2"), ("--inline",)):
        with started(recipe, folder, *words, env=env) as live:
            if words != ("--inline",):
                assert more(live, 60)
                rng.choice(live.workers()).kill()
                lost += IN_FLIGHT
                had = paid_for(folder)
                marks.append((had, n_lines(log)))
            assert more(live, 90)
            for child in live.kill():
                child.wait(5)
            lost += IN_FLIGHT * 2
        had = paid_for(folder)
        marks.append((had, n_lines(log)))
    assert marks[-1][0], "the kills came before anything was bought"
    run(recipe, folder, "--inline", env=env)
    check_nothing_bought_twice(folder, log, marks)
    sent = Counter(served(log, "sent"))
    assert len(sent) == REQUESTS
    assert REQUESTS < sum(sent.values()) <= REQUESTS + lost


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_damaged_journal_costs_only_the_damaged_record(tmp_path, damage):
    recipe, folder, log = written(tmp_path, PAID), tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_REQUEST_LOG": str(log), "ENGINE_MS": "4"}
    with started(recipe, folder, "--inline", env=env) as live:
        assert live.until(lambda: n_lines(log) >= 100)
        live.kill()
    (journal,) = (folder / "journal").glob("*.log")
    before = paid_for(folder)
    data = journal.read_bytes()
    assert data.count(b"\n") > 2
    last = data.rstrip(b"\n").rfind(b"\n") + 1  # start of the last line
    if damage == "torn":
        data = data[:-7]
    else:
        data = data[: last + 20] + bytes([data[last + 20] ^ 1]) + data[last + 21 :]
    journal.write_bytes(data)
    had = paid_for(folder)
    (gone,) = set(before) - set(had)
    start = n_lines(log)
    run(recipe, folder, "--inline", env=env)
    sent = Counter(served(log, "sent", start))
    assert set(sent.values()) == {1}
    assert gone in sent
    check_nothing_bought_twice(folder, log, [(had, start)])
    assert not set(sent) & set(had)
    assert len(set(sent) | set(had)) == REQUESTS


def test_a_journal_that_outlived_its_receipt_is_removed(taught, tmp_path):
    """A kill between the receipt and the end of its journal."""
    recipe, folder = written(tmp_path, TAUGHT), tmp_path / "run"
    run(recipe, folder, "--inline")
    receipt = next(r for r in Receipts(folder / "receipts.log") if r.slot.startswith("attempts/"))
    journal = Home(folder).journal(receipt.slot.replace("/", "."))
    journal.append({"problem_id": "x", "index": 0, "text": "left"})
    journal.close()
    (left,) = (folder / "journal").glob("*.log")
    os.utime(left, (receipt.started, receipt.started + receipt.seconds))
    assert list((folder / "journal").glob("*.log"))
    run(recipe, folder, "--inline")
    clean(folder)
    same(folder, taught.dataset)


def test_a_paid_text_survives_a_new_checker(tmp_path):
    """Bought once: a new checker judges what there is."""
    recipe, folder, log = written(tmp_path, PAID), tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_REQUEST_LOG": str(log)}
    run(recipe, folder, "--inline", env=env)
    before, start = texts(folder), n_lines(log)
    run(recipe, folder, "--inline", env={**env, "ENGINE_CHECK_VERSION": "2"})
    assert n_lines(log) == start
    assert texts(folder) == before
    assert {row["verifier"] for row in attempts(folder)} == {"engine_checks:verify@2"}


# Two runs on one folder.


def test_a_second_run_is_refused_and_the_first_goes_on(taught, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "requests"
    env = {"ENGINE_MS": "150", "ENGINE_REQUEST_LOG": str(log)}
    with started(taught.recipe, folder, "--workers", "2", env=env) as live:
        assert live.until(lambda: n_lines(log) > 5)
        status = command("status", str(folder), "--json")
        assert status.returncode == 0, status.stderr
        told = json.loads(status.stdout)
        assert told["live"] is True
        assert told["stages"]["problems"]["done"] > 0
        assert told["manifest_sha256"] is None
        with started(taught.recipe, folder, env=env) as second:
            assert second.wait() == 5
            assert str(live.pid) in second.text()
            assert "Traceback" not in second.text()
        assert live.process.poll() is None
        assert live.wait() == 0, live.text()
    same(folder, taught.dataset)
    told = json.loads(command("status", str(folder), "--json").stdout)
    assert told["live"] is False
    assert told["manifest_sha256"]
