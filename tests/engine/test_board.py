"""The board alone, over random DAGs of stages of nothing and in random order of completion."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_parts import Barrier, Judge, NothingConfig, Rounds, Source, Step, number_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tracefactory.board import Board
from tracefactory.recipe import Recipe
from tracefactory.schemas.receipt import Receipt
from tracefactory.store.home import Home
from tracefactory.task import Task

NOWHERE = Home(Path("/nonexistent"))


@dataclass
class Dag:
    configs: dict[str, NothingConfig] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, stage: Any, parents: tuple[str, ...] = (), **config: Any) -> None:
        self.stages[name] = stage
        self.configs[name] = NothingConfig(use="x:Y", from_=parents, **config)

    def board(self, lookup=lambda slot: None, note=lambda slot: None) -> Board:
        recipe = Recipe("dag", 1, self.configs)
        return Board(recipe, self.stages, lookup, NOWHERE, note_reused=note)

    def expected(self) -> dict[str, Counter[str]]:
        """What must come out of each stage, by name, told without a board."""
        out: dict[str, Counter[str]] = {}
        for name, config in self.configs.items():
            if not config.from_:
                out[name] = Counter(
                    f"{name}{config.phases - 1}-{n:07d}" for n in range(config.count)
                )
                continue
            joins = len(config.from_) > 1
            out[name] = Counter(
                f"{parent}.{chunk}" if joins else chunk
                for parent in config.from_
                for chunk in out[parent].elements()
            )
        return out


@st.composite
def dags(draw: st.DrawFn) -> Dag:
    dag = Dag()
    small = st.integers(1, 3)
    for number in range(draw(st.integers(1, 2))):
        dag.add(f"s{number}", Source(), count=draw(st.integers(0, 5)), phases=draw(small))
    for number in range(draw(st.integers(0, 6))):
        known = sorted(dag.configs)
        parents = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True)))
        kind = draw(st.sampled_from(["chunk", "chunk", "barrier", "rounds"]))
        name = f"n{number}"
        if kind == "chunk":
            dag.add(name, Step(), parents, skip=draw(st.integers(0, 3)))
        elif kind == "barrier":
            dag.add(name, Barrier(), parents, phases=draw(small), count=draw(st.integers(0, 2)))
        else:
            dag.add(name, Rounds(), parents, rounds=draw(st.integers(1, 4)), judge=f"{name}j")
            judged = (name, draw(st.sampled_from([*known, name])))
            dag.add(f"{name}j", Judge(), tuple(dict.fromkeys(judged)))
    ends = tuple(n for n in dag.configs if not any(n in c.from_ for c in dag.configs.values()))
    dag.add("sink", Barrier(), ends, count=1)
    return dag


def receipt_of(task: Task) -> Receipt:
    return Receipt(task.slot, task.key(), task.parts(), ())


def played(board: Board, seed: int, *, lose: int = 0) -> tuple[list[Task], list[Task]]:
    """Run a board to its end in a random order; what was handed out, and what of it given up."""
    rng = random.Random(seed)
    window = rng.randrange(1, 8)
    running: list[Task] = []
    handed: list[Task] = []
    lost: list[Task] = []
    while True:
        task = board.next() if len(running) < window and rng.random() < 0.7 else None
        if task is not None:
            running.append(task)
            handed.append(task)
        elif running:
            ended = running.pop(rng.randrange(len(running)))
            if lose and number_of(ended.slot, lose) == 0 and not board.blocks(ended):
                lost.append(ended)
                board.abandon(ended)
            else:
                board.done(ended, receipt_of(ended))
        elif (task := board.next()) is not None:
            running.append(task)
            handed.append(task)
        else:
            assert board.finished(), "nothing runs, nothing can run, and it is not finished"
            return handed, lost


def arrived(board: Board, name: str) -> list[str]:
    return [chunk.name for chunk in board.plan_of(name).chunks]


@given(dags(), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_chunk_arrives_once_and_no_task_is_handed_out_twice(dag: Dag, seed: int):
    board = dag.board()
    handed, _ = played(board, seed)
    slots = Counter(task.slot for task in handed)
    assert set(slots.values()) <= {1}
    assert board.next() is None
    expected = dag.expected()
    for name, stage in dag.stages.items():
        if stage.kind == "barrier":
            assert Counter(arrived(board, name)) == expected[name]
            assert arrived(board, name) == sorted(arrived(board, name))


@given(dags(), st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_order_of_completion_changes_neither_tasks_nor_keys(dag: Dag, one: int, other: int):
    first, _ = played(dag.board(), one)
    second, _ = played(dag.board(), other)
    assert {t.slot: t.key() for t in first} == {t.slot: t.key() for t in second}


@given(dags(), st.integers(0, 2**32), st.integers(0, 10))
@settings(max_examples=60, deadline=None)
def test_what_has_a_receipt_is_never_handed_out_again(dag: Dag, seed: int, forget: int):
    handed, _ = played(dag.board(), seed)
    receipts = {task.slot: receipt_of(task) for task in handed}
    gone = {slot for slot in receipts if forget and number_of(slot, forget) == 0}
    kept = {slot: receipt for slot, receipt in receipts.items() if slot not in gone}
    reused: list[str] = []
    again, _ = played(dag.board(kept.get, reused.append), seed + 1)
    assert {task.slot for task in again} == gone
    assert sorted(reused) == sorted(kept)


@given(dags(), st.integers(0, 2**32), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_a_chunk_given_up_takes_no_other_with_it(dag: Dag, seed: int, lose: int):
    board = dag.board()
    _, lost = played(board, seed, lose=lose)
    assert sorted(board.abandoned) == sorted(task.slot for task in lost)
    found, whole = Counter(arrived(board, "sink")), dag.expected()["sink"]
    assert found <= whole
    for chunk in whole - found:  # every one that is missing passed by a task that was given up
        # Joins put the branch before the name, at the one stage as at the other.
        assert any(chunk.rpartition(".")[2] == t.chunk.rpartition(".")[2] for t in lost)


def test_a_million_chunks_are_made_only_as_they_are_asked_for():
    dag, source = Dag(), Source()
    dag.add("s", source, count=1_000_000)
    dag.add("a", Step(), ("s",))
    dag.add("b", Step(), ("a",))
    board = dag.board()
    first = [board.next() for _ in range(10)]
    assert source.pulled == 10
    for task in first:
        assert task is not None
        board.done(task, receipt_of(task))
    deeper = [board.next() for _ in range(10)]
    assert source.pulled == 10  # what is in flight goes on first
    assert {task.stage for task in deeper if task} == {"a"}
    assert board.expected("b") == 1_000_000


def test_a_million_chunks_leave_nothing_behind_on_the_driver():
    """10,000 chunks pass through; the board must not hold on to them."""
    import gc
    import tracemalloc

    dag = Dag()
    dag.add("s", Source(), count=1_000_000)
    dag.add("a", Step(), ("s",))
    board = dag.board()
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(2):
            for _ in range(5000):
                task = board.next()
                assert task is not None
                board.done(task, receipt_of(task))
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 200_000
