"""Programs run by a server that speaks SandboxFusion's protocol: POST URL/run_code.

The promise is the server's, and is recorded as `remote`. What is decided, is decided here: expected
values never travel with a program, the nonce of a test run only with the tests. There is no
conversation with a server, so the tests are run again and again, each time with the answers so far,
until they ask for nothing new; a program is run again with all calls so far, since it may remember.

HTTP errors, garbage and `SandboxError` are the server's faults: `Lost`, retried, never a verdict.

Not here: choosing this rung (ladder.py), the same in boxes (execution.py).
"""

import http.client
import json
import re
import secrets
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tracefactory.sandbox import plain
from tracefactory.sandbox.bundle import UNPACK, sources
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Lost
from tracefactory.sandbox.results import Called, Ending, Tested
from tracefactory.sandbox.rung import Canary, Rung

HTTP_GRACE_S = 30.0
"""How long an answer may take beyond the run's own time."""
MAX_CALLS = 2_000
_MAX_ANSWER_BYTES = 64 << 20
_TIME_IS_UP = "TimeLimitExceeded"
_SIGNAL_CODES = range(129, 129 + 64)

_SCRIPT = (
    UNPACK
    + """
import json, os
unpack(json.loads(input()))
from tracefactory.sandbox import driver, plain
lines = [line.encode() for line in sys.stdin.read().splitlines()]
said = os.dup(1)
for target, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):
    os.dup2(os.open("/dev/null", flags), target)
class Recorded(driver.Channel):
    def __init__(self, fd):
        super().__init__(said)
        self.lines = iter(lines)
    def receive(self):
        line = next(self.lines, None)
        return None if line is None else plain.loads(line)
driver.Channel = Recorded
import random
random.seed(0)
driver.main(-1)
"""
)
"""Does a job of the driver: its messages stand in the input, its own go to the output."""


def run_program(rung: Rung, program: str, stdin: bytes, limits: Limits) -> Ending:
    """As execution.run_program."""
    ending = _posted(rung.url, program, stdin.decode("utf-8", "replace"), limits)
    return ending._replace(message=_explained(ending))


def call_function(
    rung: Rung,
    program: str,
    entry_point: str,
    calls: Sequence[tuple[Sequence[object], Mapping[str, object]]],
    limits: Limits,
) -> list[Called]:
    """As execution.call_function, with all calls in one request."""
    job: dict[str, object] = {"job": "calls", "program": program, "entry_point": entry_point}
    asked: list[dict[str, object]] = [
        {"id": number, "args": list(args), "kwargs": dict(kwargs)}
        for number, (args, kwargs) in enumerate(calls, 1)
    ]
    said, ending = _driven(rung.url, [job, *asked], limits)
    if said[:1] != [{"ready": True}]:
        return [_ended(said[0] if said else None, ending)]
    answers: list[Called] = []
    for number, answer in enumerate(said[1 : len(asked) + 1], 1):
        called = _answer(answer, number) or _ended(answer, ending)
        answers.append(called)
        if called.outcome != "value":
            return answers
    if len(answers) < len(asked):
        answers.append(_ended(None, ending))
    elif len(said) > len(asked) + 1:  # more than was asked
        answers[-1] = _ended(None, ending._replace(killed_for="channel_violation"))
    return answers


def run_tests(rung: Rung, program: str, entry_point: str, tests: str, limits: Limits) -> Tested:
    """As execution.run_tests; the tests must ask for the same calls each time."""
    nonce = secrets.token_hex(16)
    job: dict[str, object] = {"job": "tester", "program": tests, "entry_point": entry_point}
    calls: list[tuple[list[object], dict[str, object]]] = []
    answers: list[Called] = []
    while True:
        replies = [_reply(number, one) for number, one in enumerate(answers, 1)]
        said, ending = _driven(rung.url, [job | {"nonce": nonce}, *replies], limits)
        asked = [message for message in said if "call" in message]
        if [_arguments(one) for one in asked[: len(calls)]] != [plain.dumps(c) for c in calls]:
            raise Lost("the tests do not ask for the same calls each time: no server can run them")
        last = said[-1] if said else None
        if last is None or "call" not in last or len(asked) == len(calls):
            return _tested(last, ending, nonce, answers)
        if len(calls) >= MAX_CALLS:
            raise Lost(f"the tests make more than {MAX_CALLS} calls, too many for a server")
        calls.append(_call(last))
        answers = call_function(rung, program, entry_point, calls, limits)
        failed = answers[-1]
        if len(answers) < len(calls) or failed.outcome in ("ended", "not_plain"):
            if failed.outcome == "raised":
                raise Lost("the program does not answer the same each time: no server can run it")
            return _candidate_failed(failed, len(answers))


def examine(url: str) -> tuple[Canary, ...]:
    """Does the server answer, say how a run ended, and stop one that does not end?"""
    rung, limits = Rung("remote", None, url=url), Limits(wall_s=1.0)
    tests: dict[str, tuple[str, Callable[[Ending], bool]]] = {
        "answers": ("print(int(input()) + 1)", lambda end: end.stdout == b"42\n"),
        "exit code": ("raise SystemExit(3)", lambda end: end.exit_code == 3),
        "time limit": ("while True: pass", lambda end: end.killed_for == "timeout_wall"),
    }
    found: list[Canary] = []
    for name, (program, right) in tests.items():
        try:
            ending = run_program(rung, program, b"41\n", limits)
            held, detail = right(ending), f"as it should at {url}"
            detail = detail if held else f"{url} answered {ending!r}"
        except Lost as error:
            held, detail = False, str(error)
        found.append(Canary(name, held, detail))
        if not held:
            break
    return tuple(found)


# ---- the protocol ----


class _Answer(NamedTuple):
    status: str
    code: int | None
    stdout: str
    stderr: str
    seconds: float


def _posted(url: str, code: str, stdin: str, limits: Limits) -> Ending:
    body = {
        "code": code, "language": "python", "stdin": stdin, "files": {},
        "run_timeout": limits.wall_s, "compile_timeout": limits.wall_s,
        "memory_limit_MB": limits.memory_mb,
    }  # fmt: skip
    request = urllib.request.Request(
        url.rstrip("/") + "/run_code",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=limits.wall_s + HTTP_GRACE_S) as response:
            text = response.read(_MAX_ANSWER_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise Lost(f"{url}: HTTP {error.code}: {error.read(300)!r}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Lost(f"{url}: {error}") from None
    return _ending(_answered(url, text), limits)


def _answered(url: str, text: bytes) -> _Answer:
    try:
        found = json.loads(text)
        if found["status"] not in ("Success", "Failed"):
            raise Lost(f"{url}: {found['status']}: {str(found.get('message'))[:300]}")
        result = found["run_result"]
        if result["status"] not in ("Finished", _TIME_IS_UP):
            raise Lost(f"{url}: run {result['status']}: {str(result.get('stderr'))[:300]}")
        code = result["return_code"]
        if result["status"] == "Finished" and type(code) is not int:
            raise ValueError("no return_code")
        return _Answer(
            result["status"], code, str(result["stdout"] or ""), str(result["stderr"] or ""),
            float(result["execution_time"] or 0.0),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Lost(f"{url}: no answer of SandboxFusion ({error}): {text[:300]!r}") from None


def _ending(answer: _Answer, limits: Limits) -> Ending:
    stdout = answer.stdout.encode("utf-8", "replace")
    why, code = "", answer.code
    number: int | None = None
    if len(stdout) > limits.output_bytes:
        why = "output_limit"
    if answer.status == _TIME_IS_UP:
        why, code, number = "timeout_wall", None, signal.SIGKILL
    elif code is not None and (code < 0 or code in _SIGNAL_CODES):
        number = -code if code < 0 else code - _SIGNAL_CODES.start + 1
        code = None
    stderr = answer.stderr.encode("utf-8", "replace")
    return Ending(code, number, why, stdout, stderr, answer.seconds, 0.0, 0)


_LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: .*)?$")
_PLACE = re.compile(r'^ *File ".*", line (\d+)', re.MULTILINE)


def _explained(ending: Ending) -> dict[str, object] | None:
    """What a traceback says of the end; the program may forge it, as it may the driver's words."""
    text = ending.stderr.decode("utf-8", "replace").strip()
    last = text.rpartition("\n")[2]
    if ending.exit_code != 1 or not _LAST_LINE.match(last) or not (places := _PLACE.findall(text)):
        return None
    kind = last.partition(":")[0]
    no_program = kind in ("SyntaxError", "IndentationError", "TabError") and "Traceback" not in text
    line = int(places[-1])
    return {"end": "syntax_error" if no_program else "exception", "error": last, "line": line}


# ---- the driver's words, recorded ----


def _driven(
    url: str, messages: Sequence[dict[str, object]], limits: Limits
) -> tuple[list[dict[str, object]], Ending]:
    """What the driver said to these messages, and how it ended."""
    lines = [json.dumps(sources()), *map(plain.dumps, messages)]
    ending = _posted(url, _SCRIPT, "\n".join(lines) + "\n", limits)
    said: list[dict[str, object]] = []
    for line in ending.stdout.splitlines():
        try:
            message = plain.loads(line)
        except plain.NotPlain:
            message = None
        if not isinstance(message, dict):
            if not ending.killed_for:
                ending = ending._replace(killed_for="channel_violation")
            break
        said.append(message)
    if not said or said.pop(0) != {"begun": True}:
        raise Lost(f"{url}: the run never began: {ending.stderr[-300:]!r}")
    return said, ending


def _answer(message: dict[str, object], number: int) -> Called | None:
    """The answer to one call; None if it is none."""
    said = set(message) - {"id"}
    if message.get("id") != number or type(message["id"]) is not int:
        return None
    if said == {"value"}:
        return Called("value", message["value"])
    if said == {"not_plain"}:
        return Called("not_plain", error=str(message["not_plain"]), message=message)
    line = message.get("line")
    if said == {"raised", "kind", "line"} and type(line) is int:
        return Called("raised", error=str(message["raised"]), line=line, message=message)
    return None


def _ended(message: dict[str, object] | None, ending: Ending) -> Called:
    if message is not None and "end" not in message:
        why = "tampered" if "nonce" in message else "channel_violation"
        message, ending = None, ending._replace(killed_for=ending.killed_for or why)
    line = message.get("line") if message is not None else 0
    return Called(
        "ended",
        error="" if message is None else str(message.get("error", "")),
        line=line if type(line) is int else 0,
        ending=ending._replace(message=message),
        message=message,
    )


def _call(message: dict[str, object]) -> tuple[list[object], dict[str, object]]:
    args, kwargs = message.get("args"), message.get("kwargs")
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Lost("the tester's words make no sense")
    return args, kwargs


def _arguments(message: dict[str, object]) -> str:
    return plain.dumps(_call(message))


def _reply(number: int, called: Called) -> dict[str, object]:
    if called.outcome == "value":
        return {"id": number, "value": called.value}
    assert called.message is not None
    return called.message


def _tested(
    last: dict[str, object] | None, ending: Ending, nonce: str, answers: list[Called]
) -> Tested:
    count = len(answers)
    if last == {"nonce": nonce, "calls": count} and ending.exit_code == 0:
        return Tested(True, "", count)
    if answers and answers[-1].outcome == "raised" and last is not None and "end" in last:
        return _candidate_failed(answers[-1], count)
    found = _ended(last, ending)
    return Tested(False, "tester", count, found.error, found.line, found.message, found.ending)


def _candidate_failed(called: Called, calls: int) -> Tested:
    return Tested(
        False, "candidate", calls, called.error, called.line, called.message, called.ending
    )
