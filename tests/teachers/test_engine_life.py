"""A server's life, with one that lives and dies in no time; the real one: tests/teachers/vllm."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from tracefactory.errors import ResourceError
from tracefactory.sources.families.make import make_problem
from tracefactory.sources.families.modular_sum import FAMILY
from tracefactory.teachers.contract import Request, TeacherError
from tracefactory.teachers.engine import life
from tracefactory.teachers.engine.life import Order, leave, seat
from tracefactory.teachers.remote.loop import in_shared_loop
from tracefactory.teachers.remote.settings import ServedSettings
from tracefactory.teachers.remote.wire import Wire

FAKE = Path(__file__).with_name("fake_engine.py")
PROBLEM = make_problem("modular_sum", FAMILY.knobs(), 7, "train", 0)


class Below(Wire):
    """Its paths begin at the server's root."""

    engine = None

    def payload(self, request):
        path, body = super().payload(request)
        return f"/v1{path}", body

    def completion(self, request, answer, gpu_us):
        self.engine.answered += 1
        return super().completion(request, answer, gpu_us)


def command(notes, fates, socket):
    return [sys.executable, str(FAKE), str(socket), str(notes), *fates]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(life, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(life, "_KNOCK_EVERY_S", 0.02)
    yield
    in_shared_loop(leave())


class Asked:
    def __init__(self, place):
        self.notes = place / "notes"
        self.news = []

    def __call__(self, *fates, n=60, key="one", **changes):
        settings = {
            "key": key, "command": partial(command, self.notes, fates), "env": os.environ,
            "gpus": 1.0, "cap": 8, "capped": True, "start_s": 60.0, "stall_s": 60.0,
            "max_restarts": 2, "timeout_s": None,
        }  # fmt: skip
        order = Order(**{**settings, **changes})
        requests = [
            Request(PROBLEM, i, i, [{"role": "user", "content": PROBLEM.statement}])
            for i in range(n)
        ]
        return in_shared_loop(self.all_of(order, requests))

    async def all_of(self, order, requests):
        async with seat(order) as engine:
            manner = Below(ServedSettings(model="fake"))
            manner.engine = engine
            try:
                return [one async for one in engine.endpoint.ask(requests, manner)]
            finally:
                self.news += engine.endpoint.news()

    def lives(self):
        return [int(pid) for pid in self.notes.with_suffix(".lives").read_text().split()]

    def answered(self):
        return [int(seed) for seed in self.notes.read_text().split()]


@pytest.fixture
def ask(tmp_path):
    return Asked(tmp_path)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_start_is_told_while_it_goes_on_and_when_it_is_over(ask):
    ask("well")
    assert [line.partition(" after ")[0].partition(";")[0] for line in ask.news] == [
        "starting vLLM",
        "vLLM is up",
    ]


def test_who_wants_the_same_gets_the_same_server(ask):
    assert len(ask("well")) == len(ask("well")) == 60
    assert len(ask.lives()) == 1
    assert all(one.gpu_us for one in ask("well"))


def test_another_engine_ends_the_one_that_was_there(ask, tmp_path):
    ask("well")
    (before,) = ask.lives()
    other = Asked(tmp_path / "other")
    other.notes.parent.mkdir()
    other("well", key="two")
    assert gone(before)
    assert len(other.lives()) == 1


def test_after_a_death_what_was_answered_is_not_asked_again(ask):
    found = ask("die:25", "die:20", "well")
    assert sorted(one.index for one in found) == list(range(60))
    assert {one.finish_reason for one in found} == {"stop"}
    assert sorted(ask.answered()) == list(range(60))  # each once
    assert len(ask.lives()) == 3
    assert sum("starting it again" in line for line in ask.news) == 2


def test_a_server_that_hangs_is_killed(ask):
    found = ask("hang:25", "well", stall_s=0.5)
    assert sorted(one.index for one in found) == list(range(60))
    assert sorted(ask.answered()) == list(range(60))
    assert any("gave no token for 0.5 s" in line for line in ask.news)
    assert gone(ask.lives()[0])


def test_it_is_watched_as_whoever_came_last_wants_it(ask):
    ask("hang:25", "well", n=5)
    found = ask("hang:25", "well", stall_s=0.5)
    assert sorted(one.index for one in found) == list(range(60))
    assert any("gave no token for 0.5 s" in line for line in ask.news)


def test_one_that_never_starts_is_told_with_its_own_words(ask):
    with pytest.raises(ResourceError, match="there is no such option"):
        ask("refuse")
    assert len(ask.lives()) == 2  # a GPU may have been held for a moment
    ask("well", "well", "well")  # the next who asks gets a new one


def test_one_that_does_not_answer_in_time_is_given_up(ask):
    with pytest.raises(ResourceError, match=r"did not answer within 0\.3 s"):
        ask("mute", start_s=0.3)


def test_one_that_only_dies_is_given_up_and_what_it_answered_stays(ask):
    with pytest.raises(TeacherError, match="3 times in a row"):
        ask("die:10", "die:0")
    assert len(ask.answered()) == 10
    assert len(ask.lives()) == 3


def test_nothing_is_left_of_it(ask):
    ask("well")
    engine = life._seat.engine
    folder = engine._folder
    assert list(folder.rglob("s"))
    in_shared_loop(leave())
    assert not folder.exists()
    assert gone(ask.lives()[0])
