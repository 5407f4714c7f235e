"""One endpoint, and all requests of this process that go to it, kept full and within its limits.

    endpoint = shared(Place("https://api.example.com/v1", api_key_env="EXAMPLE_KEY"))
    async for completion in endpoint.ask(requests, manner): ...

A place in flight is a coroutine that takes one request after another: what is due for another try,
else a new one of whoever has asked for longest. No coroutine waits for a request's next try: that
is an entry in a queue, so that tries never keep new work out.

All of it runs in one event loop (loop.py), so nothing here needs a lock.

Not here: how many at once (pace.py), what failures mean (faults.py), how bytes travel (channel.py).
"""

import asyncio
import heapq
import math
import os
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

from tracefactory.errors import ResourceError
from tracefactory.teachers.contract import Completion, Request
from tracefactory.teachers.remote.channel import Channel, Place
from tracefactory.teachers.remote.faults import Kind, advice, kind_of
from tracefactory.teachers.remote.manner import AnswerError, Manner, Payload
from tracefactory.teachers.remote.pace import Pace

Gate = Callable[[], Awaitable[None] | None]
FailedHook = Callable[[AnswerError], bool]

MAX_STRIKES = 12
"""Failures of one request, while others are answered, that end it as `failed`."""
HEALTHY = 0.75
"""So large a share of answers are no failures: a request that fails now may be at fault itself."""
STUCK = 4
"""Times `give_up_s` after which nothing is thought to be under way, whatever is in flight."""
FEW = 4
"""So few requests are left that it cannot be told from their failures whose fault it is."""
MANY = 20
"""Times as many were answered: then the few that are left when it gives up end as `failed`."""
BACK_OFF_S, MAX_BACK_OFF_S = 0.5, 20.0
SOON_S = 0.02
"""Before a try that follows a failure which somebody sees to: long enough to be no busy loop."""
HEALTHY_BACK_OFF_S = 4.0
"""At most, while others are answered: then it is not the server that must be spared."""
WAITING_PER_PLACE = 3
"""Requests that wait for another try, at most, for each one in flight; then no new one begins."""
MANY_REFUSED = 32


@dataclass(slots=True, eq=False)
class _Ask:
    """One call of `ask`: its requests, and where its completions go."""

    manner: Manner
    requests: Iterator[Request] | None
    """None: there are no more."""
    done: deque[Completion] = field(default_factory=deque[Completion])
    n_open: int = 0
    """Taken from `requests` and not ended."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    """Those that have one of its requests."""
    n_placed: int = 0
    """Requests that have a place in flight."""
    error: BaseException | None = None
    left: bool = False
    """Has it gone, or been told to? Then what is in flight is in flight for nobody."""
    waker: asyncio.Future[None] | None = None

    def give(self, completion: Completion) -> None:
        self.n_open -= 1
        self.done.append(completion)
        self.wake()

    def end(self, error: BaseException) -> None:
        """Send nothing more; raise this, once what is in flight has ended."""
        self.requests = None
        self.error = self.error or error
        self.wake()

    def is_over(self) -> bool:
        """Is there nothing more to come?"""
        if self.error is not None:
            return self.left or not self.n_placed
        return self.requests is None and not self.n_open

    def wake(self) -> None:
        if self.waker is not None and not self.waker.done():
            self.waker.set_result(None)


@dataclass(slots=True, eq=False)
class _Job:
    """One request on its way."""

    request: Request
    asked: _Ask
    payload: Payload | None = None
    n_tries: int = 0
    n_strikes: int = 0
    gpu_s: float = 0.0
    probes: bool = False
    sent_at: float = math.inf
    """When this try began."""


class Endpoint:
    """A client that any number of chunks share: the tail of one overlaps the head of the next."""

    def __init__(
        self,
        place: Place,
        *,
        gpus: float = 0.0,
        gate: Gate | None = None,
        failed: FailedHook | None = None,
    ) -> None:
        """Make the client; connections are made when somebody asks, and closed when nobody does.

        Args:
            place: where it is.
            gpus: how many of them work for it; then completions carry their share of the time.
            gate: asked before each send. None: go ahead; else it is awaited first, outside the
                requests in flight. What it raises ends everyone who asks.
            failed: told of each failed try, before anything is made of it. True: the server is at
                fault and somebody sees to it; the try counts neither against the request nor
                against the endpoint, and the request goes again (through the gate).
        """
        self.place = place
        self._gate, self._failed_hook = gate, failed
        self._rng = Random()
        self._pace = Pace(place.cap, trip_s=place.trip_s, rng=self._rng)
        self._channel = Channel(place, gpus)
        self._asks: list[_Ask] = []
        self._waiting: list[tuple[float, int, _Job]] = []
        self._busy = 0
        self._n_queued = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        self._serving: set[_Job] = set()
        self._news: list[str] = []
        self._n_refused_in_a_row = 0
        self._n_answered = 0

    @property
    def in_flight(self) -> int:
        """Requests that were sent and are not answered."""
        return self._channel.in_flight

    @property
    def waiting(self) -> int:
        """Requests that failed and will be sent again."""
        return len(self._waiting)

    @property
    def cap(self) -> int:
        """Requests in flight at most; may be set at any time. Lowering it ends nothing."""
        return self._pace.cap

    @cap.setter
    def cap(self, cap: int) -> None:
        self._pace.cap = cap
        if self._asks:
            self._pump()

    @property
    def limit(self) -> int:
        """Requests in flight at present at most: the cap, or less while the server is busy."""
        return int(self._pace.limit)

    def news(self) -> list[str]:
        """Lines for people since the last call: it is down, it asked for patience, it is back."""
        lines = [*(f"{self.place.base_url}: {line}" for line in self._pace.news), *self._news]
        self._pace.news.clear()
        self._news.clear()
        return lines

    def say(self, line: str) -> None:
        """Add to the news."""
        self._news.append(line)

    async def ask(
        self, requests: Iterable[Request], manner: Manner
    ) -> AsyncGenerator[Completion, None]:
        """Answer all requests, each yielded as it ends.

        They are pulled from `requests` when one can be sent. Closing the generator cancels what
        is in flight for it. Requests that the server refuses end as `refused`, those that keep
        failing while others do not as `failed`.

        Raises:
            ResourceError: the server wants another key, model or address.
            ResourceError: or it has answered nobody for `give_up_s`.
        """
        self._channel.open()
        asked = _Ask(manner, iter(requests))
        self._asks.append(asked)
        loop = asyncio.get_running_loop()
        try:
            self._pump()
            done = asked.done
            while True:
                while done:
                    yield done.popleft()
                if asked.is_over():
                    break
                asked.waker = loop.create_future()
                await asked.waker
            if asked.error is not None:
                raise asked.error
        finally:
            await self._leave(asked)

    async def fetch(self, path: str, body: bytes | None = None) -> bytes:
        """One request beside the queue, such as counting tokens: a GET, or a POST of JSON.

        Only while somebody asks (there is no connection else). Outside pace and `in_flight`.

        Raises:
            AnswerError: no answer of status 200; not tried again.
        """
        return await self._channel.fetch(path, body)

    async def move(self, unix_socket: str) -> None:
        """The server is at another socket from now on; what is in flight at the old one fails."""
        self.place = replace(self.place, unix_socket=unix_socket)
        await self._channel.move(self.place)

    def _pump(self) -> None:
        """Fill the places that are free."""
        loop = asyncio.get_running_loop()
        while (job := self._take()) is not None:
            loop.create_task(self._work(job))  # noqa: RUF006  (kept in `tasks` once it runs)

    async def _work(self, job: _Job | None) -> None:
        """One place in flight: request after request, until there is none for it."""
        task = asyncio.current_task()
        assert task is not None
        while job is not None:
            asked = job.asked
            asked.tasks.add(task)
            self._serving.add(job)
            try:
                await self._serve(job)
            except Exception as error:  # a fault of ours: better heard of than waited for
                asked.end(error)
            finally:
                asked.tasks.discard(task)
                self._serving.discard(job)
                self._busy -= 1
                asked.n_placed -= 1
                if job.probes:
                    self._pace.probed()
                    job.probes = False
                if asked.error is not None:
                    asked.wake()
            try:
                job = self._take()
                if self._busy < self._pace.limit:  # it has grown, or one at a time is over
                    self._pump()
            except Exception as error:
                self._end_all(error)
                return

    def _take(self) -> _Job | None:
        """The request that is sent next, if one may be; it has its place from here on."""
        if self._busy >= self._pace.limit:
            return None
        now = time.monotonic()
        wait_s = self._pace.wait_s(now)
        if wait_s:
            self._wake_at(now + wait_s)
            return None
        job = self._next(now)
        if job is None:
            if self._waiting:
                self._wake_at(self._waiting[0][0])
            return None
        self._busy += 1
        job.asked.n_placed += 1
        if self._pace.is_open:
            job.probes = True
            self._pace.probing()
        return job

    def _next(self, now: float) -> _Job | None:
        if self._waiting and self._waiting[0][0] <= now:
            return heapq.heappop(self._waiting)[2]
        if len(self._waiting) >= WAITING_PER_PLACE * self._pace.cap:
            return None
        for asked in self._asks:
            if asked.requests is None:
                continue
            try:
                request = next(asked.requests)
            except StopIteration:
                asked.requests = None
                asked.wake()
                continue
            except Exception as error:  # whoever makes the requests hears of it
                asked.end(error)
                continue
            asked.n_open += 1
            return _Job(request, asked)
        return None

    async def _serve(self, job: _Job) -> None:
        """One try of one request, and what comes of it."""
        asked, request = job.asked, job.request
        if asked.left:  # since the request was taken
            return
        if self._gate is not None:
            try:
                if (opens := self._gate()) is not None:
                    await opens
            except Exception as error:
                self._end_all(error)
                return
        try:
            if job.payload is None:
                made = asked.manner.payload(request)
                job.payload = made if isinstance(made, tuple) else await made
            job.sent_at = time.monotonic()
            answer, gpu_s = await self._channel.post(*job.payload)
            job.gpu_s += gpu_s
            gpu_us = round(job.gpu_s * 1e6) if self._channel.gpus else None
            completion = asked.manner.completion(request, answer, gpu_us)
        except AnswerError as error:
            self._failed(job, error)
        else:
            self._n_refused_in_a_row = 0
            self._n_answered += 1
            if self._pace.answered(time.monotonic()):
                self._hasten()
            asked.give(completion)

    def _failed(self, job: _Job, error: AnswerError) -> None:
        """What one failed try means."""
        now = time.monotonic()
        job.gpu_s += error.gpu_s
        if self._failed_hook is not None and self._failed_hook(error):
            self._again(job, now + SOON_S)
            return
        kind = kind_of(error)
        if kind == "forbidden":
            kind = "refused" if self._pace.health >= HEALTHY else "setup"
            self._pace.failed(now)  # a key that was withdrawn forbids everything, and soon shows
        elif kind == "refused":
            self._pace.answered(now)
        if kind == "refused":
            self._refused(job, error)
        elif kind == "setup":
            job.asked.end(ResourceError(f"{self._asked_for(job)} brought {error}; {advice(error)}"))
        else:
            self._try_again(job, kind, error, now)

    def _try_again(self, job: _Job, kind: Kind, error: AnswerError, now: float) -> None:
        pace = self._pace
        if kind == "busy":
            pace.busy(now, error.retry_after_s)
        else:
            pace.failed(now)
        since = now if pace.failing_since is None else pace.failing_since
        if now - since >= self.place.give_up_s and not self._is_working(since, job):
            pace.failing_since = None  # whoever asks next gets as long
            if error.answered and self._few_of_many():
                self._fail_all(job, error)
                return
            self._end_all(
                ResourceError(
                    f"{self.place.base_url} has answered nobody for {now - since:.0f} s, but "
                    f"with {error}; see to the server, then run again: what was answered is kept"
                )
            )
            return
        if self._counts(kind, error):
            job.n_strikes += 1
        if job.n_strikes >= MAX_STRIKES:
            job.asked.give(_outcome(job, "failed", f"{error} ({job.n_tries + 1} tries)"))
            return
        job.n_tries += 1
        most_s = HEALTHY_BACK_OFF_S if pace.health >= HEALTHY else MAX_BACK_OFF_S
        back_off_s = min(BACK_OFF_S * 2 ** min(job.n_tries - 1, 10), most_s)
        self._again(job, now + back_off_s * self._rng.uniform(0.5, 1.0))

    def _is_working(self, since: float, failed: _Job) -> bool:
        """Is something in flight since before the failures? A long trace takes its time."""
        if time.monotonic() - since >= STUCK * self.place.give_up_s:
            return False
        return any(job.sent_at <= since for job in self._serving if job is not failed)

    def _counts(self, kind: Kind, error: AnswerError) -> bool:
        """May the request be at fault, as others are answered, or as there are hardly others?"""
        if self._pace.health >= HEALTHY:
            return True
        if kind == "busy" or not error.answered:
            return False
        return sum(asked.n_open for asked in self._asks) <= FEW

    def _few_of_many(self) -> bool:
        """Are so few left of what was asked that they, and not the server, may be at fault?"""
        return sum(asked.n_open for asked in self._asks) * MANY <= self._n_answered

    def _fail_all(self, job: _Job, error: AnswerError) -> None:
        """End this request and all that wait with it for another try: runs must come to an end."""
        waiting, self._waiting = self._waiting, []
        for each in (job, *(entry[2] for entry in waiting)):
            each.asked.give(_outcome(each, "failed", f"{error} ({each.n_tries + 1} tries)"))

    def _refused(self, job: _Job, error: AnswerError) -> None:
        job.asked.give(_outcome(job, "refused", str(error)))
        self._n_refused_in_a_row += 1
        if self._n_refused_in_a_row == MANY_REFUSED:
            self.say(f"{self.place.base_url}: refused {MANY_REFUSED} requests in a row: {error}")

    def _again(self, job: _Job, due: float) -> None:
        """Queue a request for another try."""
        if job.asked.error is None:
            self._n_queued += 1
            heapq.heappush(self._waiting, (due, self._n_queued, job))

    def _hasten(self) -> None:
        """Better times: what waits for another try may go at once."""
        self._waiting = [(0.0, number, job) for _, number, job in self._waiting]
        heapq.heapify(self._waiting)

    def _asked_for(self, job: _Job) -> str:
        path = job.payload[0] if job.payload else ""
        return f"a request to {self.place.base_url}{path}"

    def _end_all(self, error: BaseException) -> None:
        """End everyone who asks, now: nothing that is in flight will come back."""
        current = asyncio.current_task()
        for asked in self._asks:
            asked.left = True
            asked.end(error)
            for task in asked.tasks - {current}:
                task.cancel()

    def _wake_at(self, when: float) -> None:
        """See to the queue at this time; infinity: whoever is on its way will."""
        if math.isinf(when):
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, when - time.monotonic())
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        # Kept here: a time already past gives a handle that knows none (uvloop).
        self._alarm, self._alarm_at = loop.call_at(at, self._alarmed), at

    def _alarmed(self) -> None:
        self._alarm = None
        self._pump()

    async def _leave(self, asked: _Ask) -> None:
        """Forget one who asked: nothing of it is sent any more, nothing stays in flight."""
        self._asks.remove(asked)
        asked.left = True
        asked.end(asyncio.CancelledError())
        self._waiting = [entry for entry in self._waiting if entry[2].asked is not asked]
        heapq.heapify(self._waiting)
        tasks = list(asked.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._asks:
            self._pump()
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._pace.failing_since = None  # while nobody asks, nothing fails
        await self._channel.close()


def _outcome(job: _Job, finish_reason: str, detail: str) -> Completion:
    return Completion(
        problem_id=job.request.problem.id,
        index=job.request.index,
        text="",
        finish_reason=finish_reason,
        gpu_us=round(job.gpu_s * 1e6) or None,
        detail=detail,
    )


_shared: dict[tuple[int, Place], Endpoint] = {}
_lock = threading.Lock()


def shared(place: Place, make: Callable[[Place], Endpoint] = Endpoint) -> Endpoint:
    """The endpoint of this process for a place; made at the first call."""
    with _lock:
        key = (os.getpid(), place)  # a forked child has connections of its own
        if key not in _shared:
            _shared[key] = make(place)
        return _shared[key]
