"""What runs inside a box: it takes a program from the control channel and does one job with it.

    program   run it as `__main__`, its standard input and output connected
    calls     run it, then call functions of it, one request at a time, and send back plain data
    tester    run trusted test code beside a stand-in of the function under test; the program is in
              another box. If the code defines `check(candidate)`, that is called too (whatever its
              parameter's name is, if the code has called nothing by then). After the last
              statement the nonce goes out

Messages are lines of JSON on one socket; the first one goes out before the program comes in, as a
proof that the run began. Nothing here keeps a secret from the program: it may read
the channel, forge lines and change this module. The harness outside therefore believes only what
cannot be forged: standard output, values that are compared outside, and a nonce that this process
was told (in the tester's box, which holds no program).

Not here: walls (walls.py) and limits, meaning of outcomes (verifiers/programs/).
"""

import atexit
import builtins
import contextlib
import os
import sys
from _sitebuiltins import Quitter
from types import ModuleType
from typing import NoReturn, Protocol

from tracefactory.sandbox import plain

BEGUN: dict[str, object] = {"begun": True}
FILE_NAME = "<program>"
MAX_MESSAGE_CHARS = 400


class Channel:
    """Lines of JSON over a socket, for this process alone: what a program forks has no say."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._owner = os.getpid()

    def receive(self) -> dict[str, object] | None:
        """The next message; None at the end."""
        while b"\n" not in self._rest:
            if os.getpid() != self._owner:
                return None
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
        while data and os.getpid() == self._owner:
            data = data[os.write(self._fd, data) :]

    def send_no_memory(self) -> None:
        """Takes none."""
        if os.getpid() == self._owner:
            os.write(self._fd, _NO_MEMORY)


class Job(Protocol):
    """One way of using a program."""

    def __call__(self, channel: Channel, program: str, job: dict[str, object]) -> None:
        """Do it; returns if the program came to its end."""
        ...


def main(control: int) -> NoReturn:
    """Do the job that the channel brings; ends the process."""
    channel = Channel(control)
    channel.send(BEGUN)
    job = channel.receive()
    if job is None:
        os._exit(70)
    sys.setrecursionlimit(3000)
    try:
        _JOBS[str(job["job"])](channel, str(job["program"]), job)
        _flush()
    except MemoryError:  # what the program holds leaves nothing for us
        channel.send_no_memory()
        os._exit(1)
    os._exit(0)


# Before any program runs: `site`, which would do it, is not imported.
builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")
_NO_MEMORY = b'{"end":"exception","error":"MemoryError: ","line":0}\n'


def _compiled(channel: Channel, program: str) -> object:
    try:
        # As in a file, a byte order mark may stand before a program.
        return compile(program.removeprefix("\ufeff"), FILE_NAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else 0
        channel.send({"end": "syntax_error", "error": _said(error), "line": line or 0})
        os._exit(1)


def _fresh_module(name: str) -> dict[str, object]:
    """A module of its own; `__main__` as a script has it."""
    module = ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    module.__dict__["__file__"] = FILE_NAME
    sys.modules[name] = module
    sys.argv = ["program.py"]
    return module.__dict__


def _said(error: BaseException) -> str:
    """Type and message of an error, without calling anything that the program defined."""
    kind = type(error)
    name = kind.__name__ if type(kind) is type else "error"
    args = BaseException.__getattribute__(error, "args")
    texts = [arg for arg in args if type(arg) is str] if type(args) is tuple else []
    number = getattr(error, "errno", None) if isinstance(error, OSError) else None
    text = f"[Errno {number}] " if type(number) is int else ""
    return f"{name}: {text}{texts[0] if texts else ''}"[:MAX_MESSAGE_CHARS]


def _built_in_name(error: BaseException) -> str:
    """The nearest exception of Python's own that it is one of."""
    for kind in type.mro(type(error)):
        name = str(kind.__name__)
        if kind.__module__ == "builtins" and getattr(builtins, name, None) is kind:
            return name
    return ""


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
    scope = _fresh_module("__main__")
    status = 0
    try:
        exec(code, scope)  # type: ignore[arg-type]  # this is the box: running it is the purpose
    except SystemExit as error:
        status = _exit_status(error.code)
    except MemoryError as error:
        error.__traceback__ = None  # lets go of what the frames hold
        channel.send_no_memory()
        os._exit(1)
    except BaseException as error:
        channel.send({"end": "exception", "error": _said(error), "line": _line_of(error)})
        _flush()
        os._exit(1)
    _leave(scope)
    os._exit(status)


def _exit_status(code: object) -> int:
    """As the interpreter does it."""
    if code is None:
        return 0
    if type(code) is int:
        return code & 255 if code & 255 or not code else 1
    if type(code) is str:
        sys.stderr.write(code + "\n")
    return 1


def _leave(scope: dict[str, object]) -> None:
    """What an interpreter does at its end: threads, exit functions, buffers."""
    with contextlib.suppress(BaseException):  # the interpreter would print it and go on
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    _flush()
    scope.clear()  # closes files that were left open
    _flush()


def _run_calls(channel: Channel, program: str, job: dict[str, object]) -> None:
    code = _compiled(channel, program)
    scope = _fresh_module("program")
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
        # A message of the harness; if it is not, this raises.
        value = function(*args, **kwargs)  # type: ignore[operator,misc,arg-type]
    except BaseException as error:
        raised, kind = _said(error), _built_in_name(error)
        return answer | {"raised": raised, "kind": kind, "line": _line_of(error)}
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
            raise _rebuilt(str(answer["kind"]), str(answer["raised"]))
        return answer["value"]

    code = _compiled(channel, program)
    scope = _fresh_module("__main__")
    name = str(job["entry_point"])
    candidate.__name__ = name
    scope[name] = candidate
    try:
        exec(code, scope)  # type: ignore[arg-type]  # trusted test code
        check = scope.get("check")
        if callable(check) and name != "check" and (not count or _takes_candidate(check)):
            check(candidate)
    except BaseException as error:
        kind = _kind_of_failure(error)
        channel.send({"end": kind, "error": _said(error), "line": _line_of(error)})
        os._exit(1)
    channel.send({"nonce": job["nonce"], "calls": count})


def _rebuilt(kind: str, said: str) -> Exception:
    """The candidate's exception, for tests that expect one."""
    # Those that end loops would make tests skip what they test: `for x in map(candidate, xs)`.
    found = None if kind in ("StopIteration", "StopAsyncIteration") else getattr(builtins, kind, 0)
    if isinstance(found, type) and issubclass(found, Exception):
        try:
            return found(said.partition(": ")[2])
        except TypeError:  # UnicodeDecodeError and such take more
            pass
    return CandidateError(said)


def _takes_candidate(check: object) -> bool:
    names: tuple[str, ...] = getattr(getattr(check, "__code__", None), "co_varnames", ())
    return names[:1] == ("candidate",)


def _kind_of_failure(error: BaseException) -> str:
    if isinstance(error, AssertionError):
        return "assertion"
    return "not_plain" if isinstance(error, plain.NotPlain) else "exception"


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        with contextlib.suppress(BaseException):  # whatever the program put in its place
            stream.flush()  # type: ignore[union-attr]  # None as well


_JOBS: dict[str, Job] = {"program": _run_program, "calls": _run_calls, "tester": _run_tester}
