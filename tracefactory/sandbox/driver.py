"""What runs inside a box: it takes a program from the control channel and does one job with it.

    program   run it as `__main__`, its standard input and output connected
    calls     run it, then call functions of it, one request at a time, and send back plain data
    tester    run trusted test code beside a stand-in of the function under test; the program is in
              another box. After the last statement the nonce goes out

Messages are lines of JSON on one socket. Nothing here keeps a secret from the program: it may read
the channel, forge lines and change this module. The harness outside therefore believes only what
cannot be forged: standard output, values that are compared outside, and a nonce that this process
was told (in the tester's box, which holds no program).

Not here: walls and limits (confine.py), meaning of outcomes (verifiers/python_program.py).
"""

import builtins
import os
import sys
from types import ModuleType
from typing import NoReturn, Protocol

from tracefactory.sandbox import plain

FILE_NAME = "<program>"
MAX_MESSAGE_CHARS = 400


class Channel:
    """Lines of JSON over a socket; its own buffering, since programs may replace what is imported."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""

    def receive(self) -> dict[str, object] | None:
        """The next message; None at the end."""
        while b"\n" not in self._rest:
            chunk = os.read(self._fd, 1 << 16)
            if not chunk:
                return None
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        found = plain.loads(line)
        return found if isinstance(found, dict) else None

    def send(self, message: dict[str, object]) -> None:
        """One line out."""
        data = plain.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]


class Job(Protocol):
    """One way of using a program."""

    def __call__(self, channel: Channel, program: str, job: dict[str, object]) -> None: ...


def main(control: int) -> NoReturn:
    """Do the job that the channel brings; ends the process."""
    channel = Channel(control)
    job = channel.receive()
    if job is None:
        os._exit(70)
    sys.setrecursionlimit(3000)
    _JOBS[str(job["job"])](channel, str(job["program"]), job)
    _flush()
    os._exit(0)


def _compiled(channel: Channel, program: str) -> object:
    try:
        return compile(program, FILE_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
        channel.send({"end": "syntax_error", "error": _said(error)})
        os._exit(1)


def _fresh_main() -> dict[str, object]:
    """A module `__main__` of its own, as a script has it."""
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    module.__dict__["__file__"] = FILE_NAME
    sys.modules["__main__"] = module
    sys.argv = ["program.py"]
    return module.__dict__


def _said(error: BaseException) -> str:
    """Type and message of an error, without calling anything that the program defined."""
    kind = type(error)
    name = kind.__name__ if type(kind) is type else "error"
    args = BaseException.__getattribute__(error, "args")
    first = args[0] if type(args) is tuple and args else ""
    text = first if type(first) is str else ""
    number = getattr(error, "errno", None) if isinstance(error, OSError) else None
    return f"{name}: {f'[Errno {number}] ' if type(number) is int else ''}{text}"[
        :MAX_MESSAGE_CHARS
    ]


def _line_of(error: BaseException) -> int:
    """The last line of the program that the error passed; 0 if none."""
    found, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILE_NAME:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _run_program(channel: Channel, program: str, job: dict[str, object]) -> None:
    code = _compiled(channel, program)
    scope = _fresh_main()
    try:
        exec(code, scope)  # type: ignore[arg-type]  # this is the box: running it is the purpose
    except SystemExit as error:
        _flush()
        status = error.code
        if status is None or (type(status) is int and status == 0):
            return
        if type(status) is str:
            sys.stderr.write(status + "\n")
            _flush()
        os._exit(status & 255 if type(status) is int and status & 255 else 1)
    except BaseException as error:
        channel.send({"end": "exception", "error": _said(error), "line": _line_of(error)})
        _flush()
        os._exit(1)


def _run_calls(channel: Channel, program: str, job: dict[str, object]) -> None:
    code = _compiled(channel, program)
    scope = _fresh_main()
    scope["__name__"] = "program"
    try:
        exec(code, scope)  # type: ignore[arg-type]  # as above
    except BaseException as error:
        channel.send({"end": "exception", "error": _said(error), "line": _line_of(error)})
        os._exit(1)
    name = str(job["entry_point"])
    if not callable(scope.get(name)):
        channel.send({"end": "no_entry_point", "error": name})
        os._exit(1)
    channel.send({"ready": True})
    while (request := channel.receive()) is not None:
        channel.send(_called(scope[name], request))


def _called(function: object, request: dict[str, object]) -> dict[str, object]:
    answer: dict[str, object] = {"id": request["id"]}
    args, kwargs = request["args"], request["kwargs"]
    try:
        value = function(*args, **kwargs)  # type: ignore[operator,misc]  # a message of the harness
    except BaseException as error:
        return answer | {"raised": _said(error), "line": _line_of(error)}
    try:
        plain.dumps(value)
    except plain.NotPlain as error:
        return answer | {"not_plain": str(error)[:MAX_MESSAGE_CHARS]}
    return answer | {"value": value}


class CandidateError(Exception):
    """The function raised something that is no built-in exception."""


def _run_tester(channel: Channel, program: str, job: dict[str, object]) -> None:
    """`program` is the test code; the function it tests is called through the channel."""
    count = 0

    def candidate(*args: object, **kwargs: object) -> object:
        nonlocal count
        count += 1
        channel.send({"call": count, "args": list(args), "kwargs": kwargs})
        answer = channel.receive()
        if answer is None or answer.get("id") != count:
            os._exit(71)
        if "raised" in answer:
            name, _, text = str(answer["raised"]).partition(": ")
            kind = getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                raise kind(text)
            raise CandidateError(str(answer["raised"]))
        return answer["value"]

    code = _compiled(channel, program)
    scope = _fresh_main()
    name = str(job["entry_point"])
    candidate.__name__ = name
    scope[name] = candidate
    try:
        exec(code, scope)  # type: ignore[arg-type]  # trusted test code
        check = scope.get("check")
        if callable(check):
            check(candidate)
    except BaseException as error:
        kind = "assertion" if isinstance(error, AssertionError) else "exception"
        channel.send({"end": kind, "error": _said(error), "line": _line_of(error)})
        os._exit(1)
    channel.send({"nonce": job["nonce"], "calls": count})


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: S110 - whatever the program put in its place
            pass


_JOBS: dict[str, Job] = {"program": _run_program, "calls": _run_calls, "tester": _run_tester}
