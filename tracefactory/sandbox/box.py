r"""One run in a box: its pipes, its clock, its messages, and how it ended.

    with Box(pool, limits, stdin=b"2\n") as box:
        box.send({"job": "program", "program": "print(int(input()) + 1)"})
        ending = box.finish()

Output is drained while the run goes on, up to a cap, so that a run that writes a lot neither
hangs nor fills memory. The clock on the wall, the memory of all the run's processes together and,
on rungs without a file system of their own, what they hold on disk are watched here; all else is
the kernel's to enforce.

What comes over the control channel may be forged by the program, but for the very first line: the
driver writes it before it has seen any program. A run without it never began, and is lost.

Not here: what an ending means for a problem (verifiers/python_program.py).
"""

import contextlib
import json
import os
import select
import signal
import socket
import time
from typing import NamedTuple, NoReturn, Self, cast

from tracefactory.sandbox import plain
from tracefactory.sandbox.driver import BEGUN
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost, Pool
from tracefactory.sandbox.usage import disk_bytes, tree_bytes

STDERR_TAIL = 1 << 16
GRACE_S = 10.0
"""How long after a kill the zygote may take to say that the run is over."""
_WATCH_EVERY_S = 0.1
_CHUNK = 1 << 16
_MAX_LINE = plain.MAX_CHARS + 1000
_MAX_HEARD = _MAX_LINE + (1 << 20)
"""More than this on the control channel, unread, is a flood."""


class Ending(NamedTuple):
    """How a run ended."""

    exit_code: int | None
    """None when a signal ended it."""
    signal: int | None
    killed_for: str
    """`timeout_wall`, `output_limit`, `disk_limit`, `memory_limit`,
    `channel_violation`, or `tampered`. Empty: not by us."""
    stdout: bytes
    stderr: bytes
    """The last part."""
    wall_s: float
    cpu_s: float
    peak_bytes: int
    """Of one process."""
    message: dict[str, object] | None = None
    """What the driver said of the end (`end`: syntax_error, exception), if anything. A program may
    forge it, so it explains a failure and never makes a success."""


class ChannelViolation(Exception):
    """What came over the control channel is no message."""


class Box:
    """A run; used by one thread."""

    def __init__(
        self, pool: Pool, limits: Limits, stdin: bytes = b"", deadline: float | None = None
    ) -> None:
        """Start it.

        Args:
            pool: where.
            limits: what it may use.
            stdin: its standard input.
            deadline: when its time is up, by time.monotonic; limits.wall_s from now if None.

        Raises:
            Unavailable: no zygote can be started.
            Lost: the zygote did not fork it.
        """
        self._limits = limits
        self._stdin = memoryview(stdin)
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._lines = bytearray()
        self._killed_for = ""
        self._begun = False
        self._lost = False
        self._end: dict[str, float] | None = None
        stdin_end, self._in = os.pipe2(os.O_CLOEXEC)
        self._out, stdout_end = os.pipe2(os.O_CLOEXEC)
        self._err, stderr_end = os.pipe2(os.O_CLOEXEC)
        self._control, control_end = socket.socketpair()
        theirs = (stdin_end, stdout_end, stderr_end, control_end.fileno())
        self._pidfd = -1
        self._status: socket.socket | None = None
        try:
            self._pidfd, self._status, self._folder = pool.start(limits, theirs)
        except BaseException:
            self._close()
            raise
        finally:
            for fd in theirs[:3]:
                os.close(fd)
            control_end.close()
        self._started = time.monotonic()
        self.deadline = self._started + limits.wall_s if deadline is None else deadline
        self._watch_at = self._started + _WATCH_EVERY_S
        self._open = {self._in, self._out, self._err, self._control.fileno(), self._status.fileno()}
        for fd in (self._in, self._out, self._err):
            os.set_blocking(fd, False)
        self._poll = select.poll()
        for fd in self._open:
            self._poll.register(fd, select.POLLOUT if fd == self._in else select.POLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._end is None and not self._lost:
            self.kill("abandoned")
            with contextlib.suppress(Lost):
                self._until_over()
        self._close()

    def send(self, message: dict[str, object]) -> None:
        """A message to the driver inside; silent if it is gone.

        Raises:
            plain.NotPlain: the message is not plain data.
        """
        data = memoryview(plain.dumps(message).encode() + b"\n")
        while data and self._end is None:
            try:
                data = data[self._control.send(data, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._step(0.01)
            except OSError:
                return

    def receive(self, beside: "Box | None" = None) -> dict[str, object] | None:
        """The next message; None when the run ends first.

        Args:
            beside: another run of the same conversation, which is watched meanwhile.

        Raises:
            ChannelViolation: a line that is no message; the run is killed.
            Lost: the zygote is gone, or the run never began.
        """
        while True:
            line, newline, rest = self._lines.partition(b"\n")
            if newline:
                self._lines = rest
                if (message := self._message(bytes(line))) is not None:
                    return message
                continue
            if len(self._lines) > _MAX_LINE:
                self._violation("a line too long")
            if self._end is not None:
                if not self._drain():  # a long message may have come just before the end
                    return None
                continue
            self._step(None)
            if beside is not None and beside._end is None and time.monotonic() > beside._watch_at:
                beside._step(0.0)

    def finish(self) -> Ending:
        """Wait until it is over.

        Raises:
            Lost: the zygote is gone, or the run never began.
        """
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        self._until_over()
        self._drain()
        if not self._begun:
            with contextlib.suppress(ChannelViolation):
                self._first_line()
        end = self._end or {}
        code = os.waitstatus_to_exitcode(int(end["exit"]))
        return Ending(
            code if code >= 0 else None,
            -code if code < 0 else None,
            self._killed_for,
            bytes(self._stdout),
            bytes(self._stderr[-STDERR_TAIL:]),
            end["at"] - self._started,
            end["cpu"],
            int(end["peak_kb"]) << 10,
        )

    def finish_silently(self) -> Ending:
        """Wait until it is over, as it has said all that was asked.

        Raises:
            Lost: the zygote is gone.
        """
        ending = self.finish()
        if self._lines and not ending.killed_for:
            return ending._replace(killed_for="channel_violation")
        return ending

    def last_message(self) -> dict[str, object] | None:
        """The one message that is left after the end; None if there is none.

        Raises:
            ChannelViolation: there are more, or something else.
        """
        found = self.receive()
        if self._lines:
            raise ChannelViolation("more than was asked")
        return found

    def kill(self, reason: str) -> None:
        """End it and all that it started; the first reason stays."""
        if self._end is None and not self._killed_for:
            self._killed_for = reason
            self._killed_at = time.monotonic()
            with contextlib.suppress(OSError):
                assert self._status is not None
                self._status.send(b"kill")

    def _message(self, line: bytes) -> dict[str, object] | None:
        """None for the driver's own first line."""
        try:
            message = plain.loads(line)
        except plain.NotPlain as error:
            self._violation(str(error))
        if not isinstance(message, dict):
            self._violation("no object")
        message = cast("dict[str, object]", message)
        if self._begun:
            return message
        if message != BEGUN:
            raise Lost(f"a run could not be walled in: {message.get('error')}")
        self._begun = True
        return None

    def _first_line(self) -> None:
        line, newline, self._lines = self._lines.partition(b"\n")
        if not newline:
            raise Lost("a run ended before it began")
        self._message(bytes(line))

    def _violation(self, what: str) -> NoReturn:
        self.kill("channel_violation")
        raise ChannelViolation(what)

    def _until_over(self) -> None:
        while self._end is None:
            self._step(None)

    def _step(self, at_most_s: float | None) -> None:
        """Wait for the next thing to happen, and take it in."""
        now = time.monotonic()
        if self._killed_for and now > self._killed_at + GRACE_S:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            self._lost = True
            raise Lost(f"a run was not over {GRACE_S:g} s after its kill")
        wait = min(max(0.0, self.deadline - now), _WATCH_EVERY_S) if not self._killed_for else 0.1
        if at_most_s is not None:
            wait = min(wait, at_most_s)
        for fd, _ in self._poll.poll(wait * 1000):
            self._take(fd)
        now = time.monotonic()
        if self._end is None and now >= self.deadline:
            self.kill("timeout_wall")
        elif self._end is None and now >= self._watch_at:
            self._watch_at = now + _WATCH_EVERY_S
            self._watch()

    def _watch(self) -> None:
        """The sums that no limit of the kernel holds."""
        if tree_bytes(self._pidfd) > self._limits.memory_mb << 20:
            self.kill("memory_limit")
        elif self._folder and disk_bytes(self._folder, self._pidfd) > self._limits.disk_mb << 20:
            self.kill("disk_limit")

    def _take(self, fd: int) -> None:
        if self._status is not None and fd == self._status.fileno():
            self._heard()
        elif fd == self._in:
            self._feed()
        elif fd == self._control.fileno():
            try:
                data = self._control.recv(_CHUNK)
            except OSError:  # it ended with something unread
                data = b""
            if len(self._lines) > _MAX_HEARD:
                self.kill("channel_violation")
            else:
                self._lines += data
            if not data:
                self._forget(fd)
        else:
            self._read(fd)

    def _heard(self) -> None:
        assert self._status is not None
        try:
            data = self._status.recv(1 << 12)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._forget(self._status.fileno())
            self._lost = True
            raise Lost("the zygote ended in the middle of a run")
        self._end = json.loads(data) | {"at": time.monotonic()}

    def _feed(self) -> None:
        try:
            self._stdin = self._stdin[os.write(self._in, self._stdin[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # a program need not read its input
            self._stdin = memoryview(b"")
        if not self._stdin:
            self._forget(self._in)
            os.close(self._in)
            self._in = -1

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._forget(fd)
        elif fd == self._out:
            self._stdout += data
            if len(self._stdout) > self._limits.output_bytes:
                self.kill("output_limit")
        else:
            self._stderr += data
            if len(self._stderr) > 4 * STDERR_TAIL:
                del self._stderr[:-STDERR_TAIL]

    def _drain(self) -> bool:
        """Take what was written before the end and is still in the pipes; was there a message?"""
        for fd in (self._out, self._err):
            while fd in self._open and len(self._stdout) <= self._limits.output_bytes:
                before = len(self._stdout) + len(self._stderr)
                self._read(fd)
                if len(self._stdout) + len(self._stderr) == before:
                    break
        lines = len(self._lines)
        with contextlib.suppress(OSError):
            while self._control.fileno() in self._open and len(self._lines) <= _MAX_LINE:
                data = self._control.recv(_CHUNK, socket.MSG_DONTWAIT)
                if not data:
                    break
                self._lines += data
        return len(self._lines) > lines

    def _forget(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            self._poll.unregister(fd)

    def _close(self) -> None:
        for fd in (self._in, self._out, self._err, self._pidfd):
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)
        self._in = self._out = self._err = self._pidfd = -1
        self._control.close()
        if self._status is not None:
            self._status.close()


__all__ = ["Box", "ChannelViolation", "Ending"]
