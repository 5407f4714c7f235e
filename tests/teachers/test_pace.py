"""How many requests an endpoint gets: a simulated server under a clock of its own."""

import heapq
import math
from random import Random

import pytest

from tracefactory.teachers.remote.pace import MAX_HOLD_S, MAX_PROBE_S, Pace


class Simulated:
    """A pace, a server with so many places, requests that take `latency_s`; refusals take 10 ms."""

    def __init__(self, cap=256, latency_s=1.0, *, seed=1):
        self.pace = Pace(cap, rng=Random(seed))
        self.rng, self.latency_s = Random(seed), latency_s
        self.now, self.events, self.n_sent = 0.0, [], 0
        self.in_server = self.in_flight = self.n_answered = 0
        self.answered_at, self.news = [], []

    def run(self, until, *, places=10**6, too_many=0.0, down=False, retry_after_s=None):
        """Send whatever may be sent until then."""
        while self.now < until:
            self.fill(places, too_many, down)
            waits = self.pace.wait_s(self.now)
            wakes = self.now + waits if 0 < waits < math.inf else math.inf
            due = min(self.events[0][0] if self.events else math.inf, wakes, until)
            self.now = due
            while self.events and self.events[0][0] <= self.now:
                self.ended(*heapq.heappop(self.events)[2:], retry_after_s)
            self.news += self.pace.news
            self.pace.news.clear()

    def fill(self, places, too_many, down):
        while self.in_flight < int(self.pace.limit) and self.pace.wait_s(self.now) == 0:
            probes = self.pace.is_open
            if probes:
                self.pace.probing()
            fate = "down" if down else "well"
            if not down and (self.in_server >= places or self.rng.random() < too_many):
                fate = "busy"
            self.in_server += fate == "well"
            self.in_flight += 1
            self.n_sent += 1
            takes = self.latency_s * self.rng.uniform(0.8, 1.2) if fate == "well" else 0.01
            heapq.heappush(self.events, (self.now + takes, self.n_sent, fate, probes))

    def ended(self, fate, probes, retry_after_s):
        self.in_flight -= 1
        if fate == "well":
            self.in_server -= 1
            self.n_answered += 1
            self.answered_at.append(self.now)
            self.pace.answered(self.now)
        elif fate == "busy":
            self.pace.busy(self.now, retry_after_s)
        else:
            self.pace.failed(self.now)
        if probes:
            self.pace.probed()


def test_it_begins_at_the_cap_and_stays_there_while_all_is_well():
    server = Simulated()
    server.run(20)
    assert server.pace.limit == 256
    assert server.n_answered > 18 * 256


def test_it_settles_a_little_above_what_the_server_takes():
    server = Simulated()
    server.run(60, places=64)
    answered, sent = server.n_answered, server.n_sent
    server.run(160, places=64)
    answered, sent = server.n_answered - answered, server.n_sent - sent
    assert answered > 0.9 * 100 * 64  # the server is kept full
    assert sent - answered < 0.1 * answered  # and seldom asked in vain


def test_a_generation_that_is_refused_whole_halves_the_limit():
    pace = Pace(256)
    for _ in range(256):
        pace.busy(1.0)
    assert pace.limit == 128


def test_nine_of_ten_refused_for_two_minutes_and_it_goes_on_and_comes_back():
    server = Simulated(latency_s=0.2)
    server.run(10)
    before = server.n_answered
    server.run(130, too_many=0.9)
    gaps = [b - a for a, b in zip(server.answered_at, server.answered_at[1:], strict=False)]
    assert server.n_answered > before
    assert max(gaps) < 5
    assert server.pace.limit < 32
    assert not server.pace.is_open
    server.run(150)
    assert server.pace.limit == 256


def test_retry_after_is_honoured_by_all_and_told_once():
    pace = Pace(8, rng=Random(1))
    pace.busy(100.0, 30.0)
    pace.busy(100.1, 30.0)
    assert 29 < pace.wait_s(101.0) <= 33
    assert pace.wait_s(134.0) == 0
    assert len(pace.news) == 1
    assert "30 s" in pace.news[0]


def test_no_server_is_left_alone_for_ever():
    pace = Pace(8, rng=Random(1))
    pace.busy(0.0, 1e9)
    assert pace.wait_s(0.0) <= 1.1 * MAX_HOLD_S


def test_the_breaker_opens_says_so_and_tries_less_and_less_often():
    server = Simulated(cap=64, latency_s=0.1)
    server.run(10)
    server.run(41, down=True)
    assert server.pace.is_open
    assert any("nothing but failures" in line for line in server.news)
    sent = server.n_sent
    server.run(341, down=True)
    assert 300 / MAX_PROBE_S <= server.n_sent - sent <= 30
    server.run(420)
    assert not server.pace.is_open
    assert server.pace.limit == 64
    assert server.news[-1] == "answers again"


def test_while_one_tries_nobody_else_is_sent():
    pace = Pace(8, trip_s=1.0, rng=Random(1))
    pace.failed(0.0)
    pace.failed(2.0)
    assert 0 < pace.wait_s(2.0) <= 1
    assert pace.wait_s(3.1) == 0
    pace.probing()
    assert pace.wait_s(3.2) == math.inf
    pace.probed()
    assert pace.wait_s(3.2) == 0


def test_a_failure_now_and_then_opens_nothing():
    pace = Pace(8)
    for second in range(200):
        pace.failed(float(second))
        pace.answered(second + 0.5)
    assert not pace.is_open
    assert pace.limit == 8


@pytest.mark.parametrize(("new", "limit"), [(32, 32), (512, 512)])
def test_a_limit_at_the_cap_moves_with_it(new, limit):
    pace = Pace(256)
    pace.cap = new
    assert pace.limit == limit


def test_a_limit_below_the_cap_stays_when_the_cap_rises():
    pace = Pace(256)
    pace.busy(0.0)
    pace.cap = 512
    assert pace.limit == 255.5
