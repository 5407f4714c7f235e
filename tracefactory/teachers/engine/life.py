"""A server's life: started, watched, started again when it dies or hangs, in the end given up.

    async with seat(order) as engine:          # this process's one engine, ours as long as we like
        async for completion in engine.endpoint.ask(requests, manner): ...

While it is down, requests wait at the gate; those that it took with it go again, those that were
answered never do. Everything here runs in the process's shared loop (remote/loop.py).

Not here: what is started (command.py), what the wardens do (warden.py).
"""

import asyncio
import math
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tracefactory.errors import ResourceError
from tracefactory.teachers.contract import TeacherError
from tracefactory.teachers.engine.server import SOCKET, Server
from tracefactory.teachers.engine.watch import Stall, Vitals, next_cap, read_vitals
from tracefactory.teachers.remote.channel import Channel, Place
from tracefactory.teachers.remote.endpoint import Endpoint
from tracefactory.teachers.remote.manner import AnswerError

URL = "http://vllm"
_LOOK_EVERY_S = 2.0
_KNOCK_EVERY_S = 0.2
_NOTICE_S = 5.0
"""A server that lost a process of its own leaves within this time."""
_TRIES_TO_START = 2
"""A GPU may be held for a moment by what ran before; a wrong argument stays wrong."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an engine is, and how it is watched."""

    key: str
    """Equal keys, the same engine; it is watched as whoever came last wants it."""
    command: Callable[[Path], list[str]] = field(compare=False)
    """Given the path of the socket."""
    env: Mapping[str, str] = field(compare=False)
    gpus: float
    cap: int
    capped: bool
    """Is `cap` the user's word, not to be raised?"""
    start_s: float
    stall_s: float
    max_restarts: int
    timeout_s: float | None


class Engine:
    """One server, whatever number of processes it takes one after the other."""

    def __init__(self, order: Order) -> None:
        """Start it; in the shared loop."""
        self.order, self.users, self.answered = order, 0, 0
        self.broken: Exception | None = None
        self._open = asyncio.Event()
        self._server: Server | None = None
        self._closing = False
        self._doubt: asyncio.Task[None] | None = None
        self._cleared_at = -1e9
        room = tempfile.gettempdir()
        # A socket's path has 107 bytes at most, and vLLM makes some of its own there.
        self._folder = Path(tempfile.mkdtemp(prefix="tf-", dir=room if len(room) < 40 else "/tmp"))
        self.endpoint = Endpoint(
            Place(
                URL,
                unix_socket=str(self._folder / SOCKET),  # nobody is there yet
                cap=order.cap,
                timeout_s=order.timeout_s,
                # Whether it is well is known here, and not guessed from failures.
                trip_s=math.inf,
                give_up_s=math.inf,
            ),
            gpus=order.gpus,
            gate=self._gate,
            failed=self._failed,
        )
        self._life = asyncio.get_running_loop().create_task(self._live())

    def heed(self, order: Order) -> None:
        """Be watched by another order of the same key from now on."""
        self.order = order
        if order.capped:
            self.endpoint.cap = order.cap

    async def ready(self) -> None:
        """Wait until it answers.

        Raises:
            ResourceError: it never did.
            TeacherError: it did once, and cannot be brought back.
        """
        await self._open.wait()
        if self.broken is not None:
            raise self.broken

    async def fetch(self, path: str, body: bytes | None = None) -> bytes:
        """One request beside all others.

        Raises:
            AnswerError: it brought nothing.
        """
        assert self._server is not None  # it was ready
        return await _exchange(self._server, path, body, 60.0)

    async def close(self) -> None:
        """End it; nothing of it is left."""
        self._closing = True
        if self._server is not None:
            await self._server.kill()
        await self._life

    # --- what the endpoint asks ---

    def _gate(self) -> Awaitable[None] | None:
        return None if self._open.is_set() and self.broken is None else self.ready()

    def _failed(self, error: AnswerError) -> bool:
        """Is it the server that is at fault? In doubt the gate is shut until that is known."""
        if not self._open.is_set() or self.broken is not None:
            return True
        torn = not error.answered or error.detail.startswith("ClientPayloadError")
        dying = torn or "EngineCore" in error.detail or error.status == 503
        if not dying or time.monotonic() - self._cleared_at < _NOTICE_S:
            return False
        self._open.clear()
        self._doubt = asyncio.get_running_loop().create_task(self._look_closer())
        return True

    async def _look_closer(self) -> None:
        """Open the gate again if the server is well after all; one in between is ended."""
        server = self._server
        until = time.monotonic() + _NOTICE_S
        while server is not None and not server.ended.done() and time.monotonic() < until:
            await asyncio.sleep(_KNOCK_EVERY_S)
        if server is None or server.ended.done() or server is not self._server:
            return
        if await self._get(server, "/health", 30.0) is not None:
            self._cleared_at = time.monotonic()
            self._open.set()
        else:
            await server.kill()

    # --- its life ---

    async def _live(self) -> None:
        in_a_row, number = 0, 0
        try:
            while not self._closing:
                number += 1
                answered = self.answered
                server = await self._start(number)
                why, was_ready = await self._one_life(server)
                self._open.clear()
                ending = await server.kill()
                if self._closing:
                    return
                in_a_row = 1 if self.answered > answered else in_a_row + 1
                words = f"vLLM {why or 'ended: ' + ending.words()}"
                lines = ending.last_lines(30)
                never = not was_ready and number == in_a_row
                if never and in_a_row >= _TRIES_TO_START:
                    raise ResourceError(f"{words}, before it answered anything. Its log:\n{lines}")
                if in_a_row > self.order.max_restarts:
                    raise TeacherError(f"{words}, {in_a_row} times in a row. Its log:\n{lines}")
                self.endpoint.say(f"{words}; starting it again. Its log ends: {_last(lines)}")
        except (ResourceError, TeacherError) as error:
            self.broken = error
        except OSError as error:
            self.broken = ResourceError(f"cannot start vLLM: {error}")
        finally:
            self._tidy()
            self._open.set()

    async def _start(self, number: int) -> Server:
        server = Server(self._folder / str(number), self.order.command, self.order.env)
        self._server = server
        await self.endpoint.move(str(server.socket))
        self.endpoint.say("starting vLLM; a large model takes minutes")
        return server

    def _tidy(self) -> None:
        with suppress(OSError):
            self._folder.rmdir()

    async def _one_life(self, server: Server) -> tuple[str, bool]:
        """Until it ends by itself, or must be ended: why (empty: by itself), was it ever ready?"""
        began = time.monotonic()
        while await self._get(server, "/health", 10.0) is None:
            if server.ended.done():
                return "", False
            if time.monotonic() - began > self.order.start_s:
                return f"did not answer within {self.order.start_s:g} s (start_s)", False
            await asyncio.sleep(_KNOCK_EVERY_S)
        self._open.set()
        self.endpoint.say(f"vLLM is up after {time.monotonic() - began:.0f} s")
        stall = Stall(time.monotonic())
        while not server.ended.done():
            await asyncio.wait([server.ended], timeout=_LOOK_EVERY_S)
            vitals = await self._vitals(server)
            busy = self.endpoint.in_flight
            stall_s = self.order.stall_s
            if stall.still_s(vitals, busy, time.monotonic()) >= stall_s:
                return f"gave no token for {stall_s:g} s (stall_s), though it was asked", True
            if vitals is not None:
                self._fill(vitals, busy)
        return "", True

    def _fill(self, vitals: Vitals, busy: int) -> None:
        cap = next_cap(self.endpoint.cap, busy, vitals)
        if self.order.capped:
            cap = min(cap, self.order.cap)
        if cap != self.endpoint.cap:
            self.endpoint.cap = cap

    async def _vitals(self, server: Server) -> Vitals | None:
        page = await self._get(server, "/metrics", 30.0)
        return None if page is None else read_vitals(page)

    async def _get(self, server: Server, path: str, timeout_s: float) -> str | None:
        """A page of the server; None if it does not give one, or is gone."""
        if server.ended.done():
            return None
        with suppress(AnswerError):
            return (await _exchange(server, path, None, timeout_s)).decode("utf-8", "replace")
        return None


async def _exchange(server: Server, path: str, body: bytes | None, timeout_s: float) -> bytes:
    """One request by a connection of its own, however busy the others are."""
    channel = Channel(Place(URL, unix_socket=str(server.socket), timeout_s=timeout_s))
    channel.open()
    try:
        return await channel.fetch(path, body)
    finally:
        await channel.close()


def _last(lines: str) -> str:
    return lines.rpartition("\n")[2][:300] or "(empty)"


class _Seat:
    """There is one: a GPU does not hold two models."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.engine: Engine | None = None
        self.lock = asyncio.Lock()
        self.left = asyncio.Event()


_seat: _Seat | None = None


@asynccontextmanager
async def seat(order: Order) -> AsyncGenerator[Engine]:
    """This process's engine; another one is ended first, once nobody uses it.

    Raises:
        ResourceError: it never answered.
        TeacherError: it did, and cannot be brought back.
    """
    global _seat
    if _seat is None or _seat.pid != os.getpid():  # a fork has its parent's, and must leave it
        _seat = _Seat()
    engine = await _seated(_seat, order)
    try:
        await engine.ready()
        yield engine
    finally:
        engine.users -= 1
        _seat.left.set()


def seated() -> Engine | None:
    """This process's engine, if there is one; it may be starting."""
    return _seat.engine if _seat is not None and _seat.pid == os.getpid() else None


async def leave() -> None:
    """End this process's engine, if there is one; else it ends with the process."""
    engine = seated()
    if _seat is not None and engine is not None:
        _seat.engine = None
        await engine.close()


async def _seated(at: _Seat, order: Order) -> Engine:
    async with at.lock:  # whoever came first gets the seat first
        while True:
            engine = at.engine
            usable = engine is not None and engine.order.key == order.key and not engine.broken
            if engine is not None and not usable and engine.users:
                at.left.clear()
                await at.left.wait()
                continue
            if engine is not None and not usable:
                await engine.close()
                engine = None
            at.engine = engine = engine or Engine(order)
            engine.heed(order)
            engine.users += 1
            return engine
