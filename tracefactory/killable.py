"""Functions in worker processes that a parent can kill: its clock, their memory, one item lost.

    workers = shared("yourpkg.checks:slow_check", memory_bytes=1 << 30)
    for outcome in workers.ask(items, timeout_s=2.0):      # JSON values in, in order
        outcome.status                                     # done, timeout, memory, crashed, raised
        outcome.value                                      # a JSON value

A worker is a process of its own session, started from an address (module:function) that the program
gives, never data. Parent and worker exchange JSON over pipes. The worker says when it begins an
item and when it has its result; the clock of an item runs between the two, in the parent, so that
neither a slow start nor the items before it count. A worker that is late, out of memory or dead is
killed with all that it has started, and another one goes on with the next item: a kill costs one
item. `ask` may be called from any thread (each call has a worker of its own), after a fork, and in
processes that may have no multiprocessing children, such as Dask's.

No worker outlives its parent, however that ends. On Linux the kernel sees to it even in the middle
of one long C call; elsewhere an idle worker ends at the end of its input, a busy one at its limit
of processor time.

Not here: a sandbox. The function is trusted code that may take too long or grow too large over what
it was given. A hostile one could leave the process group, write files or use the network.
"""

import atexit
import contextlib
import fcntl
import functools
import importlib
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

import orjson

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Status = Literal["done", "timeout", "memory", "crashed", "raised"]

START_LIMIT_S = 120.0
"""How long a worker may take to start, and to begin its next item: a machine's hiccup, no more."""

MAX_RESULT_BYTES = 16 << 20
"""A larger result counts as a crash."""

_MAX_DETAIL_CHARS = 500
_READ_BYTES = 1 << 18


class Outcome(NamedTuple):
    """What became of one item."""

    status: Status
    """done; timeout, memory: its limit was met; crashed: it took its process with it, or flooded
    the pipe; raised: the function raised."""
    value: Json = None
    """The function's result when done, else None."""
    detail: str = ""
    """For people: the exception, the signal, the limit."""


class StartError(RuntimeError):
    """No worker could be had; says nothing about any item."""


class Workers:
    """Workers for one function: as many as there are threads that ask at the same time."""

    def __init__(
        self,
        address: str,
        *,
        memory_bytes: int = 2 << 30,
        recycle_after: int = 1000,
        preload: tuple[str, ...] = (),
        env: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Start nothing yet.

        Args:
            address: module:function; a function of one JSON value that returns one.
            memory_bytes: address space of a worker (RLIMIT_AS).
            recycle_after: items after which a worker is replaced, whatever it may have hoarded.
            preload: modules to import before the first item's clock starts.
            env: variables that a worker's environment has beside the parent's.
        """
        self._address = address
        self._memory_bytes = memory_bytes
        self._recycle_after = recycle_after
        self._preload = preload
        self._env = env
        # Its append and pop are atomic: there is no lock that a fork could leave locked.
        self._idle: deque[_Worker] = deque()
        self._closed = False

    def ask(self, items: Sequence[Json], timeout_s: float) -> list[Outcome]:
        """Apply the function to each item; `timeout_s` is each one's own, by the wall clock.

        Raises:
            StartError: no worker could be started, or none began its work.
            TypeError: an item is no JSON value.
        """
        frames = [_frame([timeout_s, item]) for item in items]
        outcomes: list[Outcome] = []
        while len(outcomes) < len(frames):
            worker = self._take()
            try:
                share = frames[len(outcomes) : len(outcomes) + worker.items_left]
                fresh, got = worker.fresh, worker.talk(share, timeout_s)
            except BaseException:  # an interrupt, too, leaves half a conversation behind
                worker.kill()
                raise
            self._put(worker)
            if not got and fresh:
                raise StartError(f"a worker for {self._address} ended at once: {worker.epitaph}")
            outcomes += got  # nothing from a used worker that died idle: the next one goes on
        return outcomes

    def close(self) -> None:
        """Kill the workers; asking again is an error."""
        self._closed = True
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread was quicker
                self._idle.pop().kill()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> "_Worker":
        if self._closed:
            raise RuntimeError(f"the workers for {self._address} were closed; make new ones")
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                break
            if not worker.dead:  # a fork leaves the parent's workers here, marked as dead
                return worker
        try:
            return _Worker(
                [self._address, str(self._memory_bytes)],
                self._preload,
                dict(self._env),
                self._recycle_after,
            )
        except OSError as error:
            raise StartError(f"cannot start a worker for {self._address}: {error}") from error

    def _put(self, worker: "_Worker") -> None:
        full = len(self._idle) >= (os.cpu_count() or 1)
        if self._closed or full or not worker.items_left:
            worker.kill()
        elif not worker.dead:
            self._idle.append(worker)


def shared(
    address: str,
    *,
    memory_bytes: int = 2 << 30,
    recycle_after: int = 1000,
    preload: tuple[str, ...] = (),
    env: tuple[tuple[str, str], ...] = (),
) -> Workers:
    """Return the process's one `Workers` of these arguments; never to be closed."""
    key = (address, memory_bytes, recycle_after, preload, env)
    fresh = Workers(
        address, memory_bytes=memory_bytes, recycle_after=recycle_after, preload=preload, env=env
    )
    return _SHARED.setdefault(key, fresh)  # atomic; the loser of a race has started nothing


_SHARED: dict[tuple[object, ...], Workers] = {}


# --- the parent's side of one worker --------------------------------------------------------------


class _Worker:
    """One process, used by one thread at a time."""

    def __init__(
        self, arguments: list[str], preload: tuple[str, ...], env: dict[str, str], items: int
    ) -> None:
        self.items_left = items
        self.fresh = True
        self.dead = False
        self.epitaph = ""
        self._answers = bytearray()
        self._last_words = b""
        with _STARTING:
            read_end, self._lifeline = os.pipe()  # nothing is ever written: it only breaks
            command = [sys.executable, "-P", "-m", "tracefactory.killable"]
            try:
                self._process = subprocess.Popen(
                    [*command, str(read_end), *arguments, *preload],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(read_end,),
                    start_new_session=True,
                    env=os.environ | _worker_env() | env,
                )
            except BaseException:
                os.close(self._lifeline)
                raise
            finally:
                os.close(read_end)
            pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
            self._pipes = cast("tuple[IO[bytes], ...]", pipes)
            _ALIVE.add(self)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)

    def talk(self, frames: Sequence[bytes], timeout_s: float) -> list[Outcome]:
        """Outcomes of the first frames: of all, unless the worker is dead afterwards."""
        requests, answers, complaints = (pipe.fileno() for pipe in self._pipes)
        unsent = memoryview(b"".join(frames))
        outcomes: list[Outcome] = []
        running = False
        deadline = time.monotonic() + START_LIMIT_S
        poll = select.poll()
        poll.register(requests, select.POLLOUT)
        poll.register(answers, select.POLLIN)
        poll.register(complaints, select.POLLIN)
        while len(outcomes) < len(frames):
            ready = {fd for fd, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)}
            if requests in ready:
                unsent = _send(requests, unsent)
                if not unsent:
                    poll.unregister(requests)
            if complaints in ready and not self._listen(complaints):
                poll.unregister(complaints)
            if answers not in ready:
                if time.monotonic() < deadline:
                    continue
                self.kill()
                if not running:
                    raise StartError(f"a worker began nothing in {START_LIMIT_S:g} s")
                return [*outcomes, Outcome("timeout", detail=f"no result in {timeout_s:g} s")]
            heard = _receive(answers)
            self._answers += heard
            while (answer := _cut(self._answers, MAX_RESULT_BYTES)) is not None:
                word, value = str(answer[0]), answer[1]
                running = word == "begun"
                if running:
                    deadline = time.monotonic() + timeout_s
                    continue
                deadline = time.monotonic() + START_LIMIT_S
                if word == "unfit":
                    self.kill()
                    raise StartError(f"a worker could not start: {value}")
                if word != "ready":
                    outcomes.append(_outcome(word, value))
                    self.fresh = False
                    self.items_left -= 1
                if word == "memory":
                    self.kill()
                    return outcomes
            if _announced_bytes(self._answers) > MAX_RESULT_BYTES:
                self.kill()
                detail = f"a result of more than {MAX_RESULT_BYTES} bytes"
                return [*outcomes, Outcome("crashed", detail=detail)]
            if not heard:
                self._listen(complaints)
                self.kill()
                if running:
                    late = self._process.returncode == -signal.SIGXCPU
                    outcomes.append(Outcome("timeout" if late else "crashed", detail=self.epitaph))
                return outcomes
        return outcomes

    def kill(self) -> None:
        """Kill the process and its group, and take leave of it."""
        if self.dead:
            return
        self.dead = True
        # Before wait(): until then nobody else can have got its number, even if it has ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        end = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        last_line = self._last_words.decode("utf-8", "replace").strip().rpartition("\n")[2]
        self.epitaph = f"{end}: {last_line}"[:_MAX_DETAIL_CHARS] if last_line else end
        self._let_go()

    def forget(self) -> None:
        """After a fork, in the child: the worker is the parent's."""
        self.dead = True
        self._process.returncode = 0  # else its end would be a warning about our own child
        self._let_go()

    def _let_go(self) -> None:
        _ALIVE.discard(self)
        os.close(self._lifeline)
        for pipe in self._pipes:
            pipe.close()

    def _listen(self, complaints: int) -> bool:
        """Take what there is of stderr; a worker must never wait for someone to read it."""
        heard = _receive(complaints)
        self._last_words = (self._last_words + heard)[-4 * _MAX_DETAIL_CHARS :]
        return bool(heard)


def _worker_env() -> dict[str, str]:
    """The parent's import path, and one hash seed: the order of sets must not sway a result.

    With -P on the command line, the folder that we stand in is no place to import from.
    """
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}


def _send(fd: int, data: memoryview) -> memoryview:
    """Write what the pipe takes; nothing is left for a reader that is gone."""
    try:
        return data[os.write(fd, data) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[len(data) :]


def _receive(fd: int) -> bytes:
    """Read what is there; empty when the other end is gone, or when there is nothing."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return b""


def _outcome(word: str, value: Json) -> Outcome:
    if word == "done":
        return Outcome("done", value)
    return Outcome("memory" if word == "memory" else "raised", detail=str(value))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


_ALIVE: set[_Worker] = set()
_STARTING = threading.RLock()
"""Held while a worker starts and during a fork: a child forked in between would hold the worker's
pipes open without knowing of it. Reentrant, as a signal's handler may fork."""


def _kill_all() -> None:
    for worker in list(_ALIVE):
        worker.kill()


def _forget_all() -> None:
    for worker in list(_ALIVE):
        worker.forget()
    _STARTING.release()


atexit.register(_kill_all)
os.register_at_fork(
    before=_STARTING.acquire, after_in_parent=_STARTING.release, after_in_child=_forget_all
)


# --- what both sides speak: four bytes of length, then JSON ---------------------------------------


def _frame(value: Json) -> bytes:
    body = orjson.dumps(value)
    return len(body).to_bytes(4, "big") + body


def _announced_bytes(buffer: bytearray) -> int:
    """Length of the frame that the buffer starts with."""
    return int.from_bytes(buffer[:4], "big") if len(buffer) >= 4 else 0


def _cut(buffer: bytearray, max_bytes: int = 1 << 32) -> tuple[Json, Json] | None:
    """Take the first frame off the buffer; None if it is not all there, or too long."""
    size = _announced_bytes(buffer)
    if size > max_bytes or len(buffer) < 4 + max(size, 1):
        return None
    body = bytes(memoryview(buffer)[4 : 4 + size])
    del buffer[: 4 + size]
    return cast("tuple[Json, Json]", orjson.loads(body))


# --- the worker's side ----------------------------------------------------------------------------

_BEGUN = _frame(["begun", None])


def _main() -> None:
    """Be a worker: `python -m tracefactory.killable LIFELINE ADDRESS MEMORY_BYTES [MODULE...]`."""
    lifeline, address, memory_bytes, *preload = sys.argv[1:]
    # The function's own reading and printing must not touch the conversation, nor may its children.
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for end in (requests, answers):
        os.register_at_fork(after_in_child=functools.partial(os.close, end))
    _die_with_parent(int(lifeline))
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform != "darwin":  # which knows the limit and refuses to set it
            _limit(resource.RLIMIT_AS, int(memory_bytes))
        for module in preload:
            importlib.import_module(module)
        module, _, name = address.partition(":")
        function = getattr(importlib.import_module(module), name)
    except BaseException as error:
        _write(answers, _frame(["unfit", f"{address}: {_shown(error)}"]))
    else:
        _write(answers, _frame(["ready", None]))
        _serve(function, requests, answers)
    os._exit(0)  # no thread that the function left behind may hold us up


def _die_with_parent(lifeline: int) -> None:
    """Have the kernel kill the whole group when the parent's end of the lifeline closes.

    PR_SET_PDEATHSIG would not do: it fires when the *thread* ends that started this process.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it broke before we were listening
        os._exit(1)


def _limit(which: int, wanted: int) -> None:
    _, hard = resource.getrlimit(which)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(which, (soft, hard))


def _serve(function: Callable[[Json], Json], requests: int, answers: int) -> None:
    """Answer until the requests end."""
    buffer, answer = bytearray(), b""
    while True:
        frame = _cut(buffer)
        if frame is None:
            _write(answers, answer)
            answer = b""
            heard = os.read(requests, _READ_BYTES)
            if not heard:
                return
            buffer += heard
            continue
        timeout_s, item = cast("float", frame[0]), frame[1]
        # Only a backstop, for a parent that was stopped: twice the time and some seconds.
        cpu_s = time.process_time() + 2 * timeout_s + 10
        _limit(resource.RLIMIT_CPU, int(cpu_s))
        _write(answers, answer + _BEGUN)
        answer = _applied(function, item)


def _applied(function: Callable[[Json], Json], item: Json) -> bytes:
    try:
        return _frame(["done", function(item)])
    except MemoryError:
        return _NO_MEMORY
    except BaseException as error:  # SystemExit too: it is the item's failure, not the worker's
        return _frame(["raised", _shown(error)])


_NO_MEMORY = _frame(["memory", "out of memory"])


def _shown(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # a foreign exception may fail at anything
        text = "(its message cannot be shown)"
    shown = f"{type(error).__name__}: {text[:_MAX_DETAIL_CHARS]}"
    return shown.encode("utf-8", "replace").decode("utf-8")  # JSON has no lone surrogates


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    _main()
