"""The three ways of using a program, whatever the rung of the ladder.

    run_program     as a script: standard input in, an ending with its standard output out
    call_function   one function of it, call by call, in one box
    run_tests       trusted test code in a second box, whose calls are relayed to the program's box

What passes the border is plain data (plain.py). Expected values never go into the program's box,
and the nonce that says "all tests done" only into the tester's. Whatever a box says unasked is a
`channel_violation`, a nonce from the wrong side `tampered`: both stand in `Ending.killed_for`.

A conversation has one clock, however many boxes and calls it takes.

Not here: one run (box.py), choosing a rung (ladder.py), what it all means (verifiers/programs/).
"""

import secrets
from collections.abc import Mapping, Sequence

from tracefactory.sandbox import remote
from tracefactory.sandbox.box import Box, ChannelViolation
from tracefactory.sandbox.limits import Limits
from tracefactory.sandbox.pool import Pool
from tracefactory.sandbox.results import Called, Ending, Tested
from tracefactory.sandbox.rung import Rung

Call = tuple[Sequence[object], Mapping[str, object]]
"""Positional and named arguments."""


def run_program(rung: Rung, program: str, stdin: bytes, limits: Limits) -> Ending:
    """Run it as a script.

    Raises:
        Lost, Unavailable: a fault of the set-up.
        plain.NotPlain: the program is too long to be sent.
    """
    if rung.pool is None:
        return remote.run_program(rung, program, stdin, limits)
    with Box(rung.pool, limits, stdin) as box:
        box.send({"job": "program", "program": program})
        ending = box.finish()
        try:
            message = box.last_message()
        except ChannelViolation:
            return ending._replace(killed_for=ending.killed_for or "channel_violation")
        # A program that came to its end has nothing to say but its output.
        if message is not None and (message.get("end") not in _ENDS or ending.exit_code == 0):
            why = "tampered" if "nonce" in message else "channel_violation"
            return ending._replace(killed_for=ending.killed_for or why)
        return ending._replace(message=message)


def call_function(
    rung: Rung, program: str, entry_point: str, calls: Sequence[Call], limits: Limits
) -> list[Called]:
    """Call it until one call does not return a value; that one is the last of the list.

    Raises:
        Lost, Unavailable: a fault of the set-up.
        plain.NotPlain: the program or an argument is no plain data, or too long.
    """
    if rung.pool is None:
        return remote.call_function(rung, program, entry_point, calls, limits)
    with _Candidate(rung.pool, program, entry_point, limits) as candidate:
        found = candidate.begin()
        if found is not None:
            return [found]
        answers: list[Called] = []
        for args, kwargs in calls:
            answers.append(candidate.call(list(args), dict(kwargs)))
            if answers[-1].outcome != "value":
                return answers
        return candidate.left_after(answers)


def run_tests(rung: Rung, program: str, entry_point: str, tests: str, limits: Limits) -> Tested:
    """Run trusted test code that calls the function by its name, or defines `check(candidate)`.

    Raises:
        Lost, Unavailable: a fault of the set-up.
        plain.NotPlain: the program or the tests are too long to be sent.
    """
    if rung.pool is None:
        return remote.run_tests(rung, program, entry_point, tests, limits)
    with _Candidate(rung.pool, program, entry_point, limits) as candidate:
        found = candidate.begin()
        if found is not None:
            return _candidate_failed(found, 0)
        # It starts when the candidate stands: most programs that fail fail before.
        with Box(rung.pool, limits, deadline=candidate.box.deadline) as tester:
            return _Conversation(candidate, tester).held(entry_point, tests)


_ENDS = ("syntax_error", "exception", "no_entry_point")


class _Candidate:
    """The program's box, in which one function is called."""

    def __init__(self, pool: Pool, program: str, entry_point: str, limits: Limits) -> None:
        self._job: dict[str, object] = {
            "job": "calls",
            "program": program,
            "entry_point": entry_point,
        }
        self.box = Box(pool, limits)
        self.calls = 0

    def __enter__(self) -> "_Candidate":
        return self

    def __exit__(self, *_: object) -> None:
        self.box.__exit__()

    def begin(self) -> Called | None:
        """Run the program; None when the function is there."""
        self.box.send(self._job)
        try:
            message = self.box.receive()
        except ChannelViolation:
            return self.ended("channel_violation")
        if message == {"ready": True}:
            return None
        if message is None or message.get("end") in _ENDS:
            return self.ended("", message)
        return self.ended(_unasked(message))

    def call(
        self, args: list[object], kwargs: dict[str, object], beside: Box | None = None
    ) -> Called:
        """One call."""
        self.calls += 1
        self.box.send({"id": self.calls, "args": args, "kwargs": kwargs})
        try:
            answer = self.box.receive(beside)
        except ChannelViolation:
            return self.ended("channel_violation")
        if answer is None:
            return self.ended("")
        if answer.get("end") == "exception" and answer.get("error") == "MemoryError: ":
            return self.ended("", answer)
        number, said = answer.get("id"), set(answer) - {"id"}
        if type(number) is int and number == self.calls:
            if said == {"value"}:
                return Called("value", answer["value"])
            if said == {"not_plain"}:
                return Called("not_plain", error=str(answer["not_plain"]), message=answer)
            if said == {"raised", "kind", "line"} and type(answer["line"]) is int:
                return Called(
                    "raised", error=str(answer["raised"]), line=answer["line"], message=answer
                )
        return self.ended(_unasked(answer))

    def left_after(self, answers: list[Called]) -> list[Called]:
        """Wait until it is over; who says more than was asked loses the last answer."""
        ending = self.box.finish_silently()
        if not ending.killed_for:
            return answers
        return [*answers[:-1], Called("ended", ending=ending)]

    def ended(self, why: str, message: dict[str, object] | None = None) -> Called:
        """It is over: by itself, or for a reason of ours."""
        if why:
            self.box.kill(why)
        ending = self.box.finish()
        if why:  # it may have been over before we knew
            ending = ending._replace(killed_for=why)
        line = message.get("line", 0) if message is not None else 0
        return Called(
            "ended",
            error="" if message is None else str(message.get("error", "")),
            line=line if type(line) is int else 0,
            ending=ending._replace(message=message),
            message=message,
        )


def _unasked(message: Mapping[str, object]) -> str:
    return "tampered" if "nonce" in message else "channel_violation"


class _Conversation:
    """Between the tests and the program under test."""

    def __init__(self, candidate: _Candidate, tester: Box) -> None:
        self._candidate = candidate
        self._tester = tester
        self._last = Called("value")

    def held(self, entry_point: str, tests: str) -> Tested:
        """From the first statement of the tests to the nonce, or to what came instead."""
        nonce = secrets.token_hex(16)
        job: dict[str, object] = {"job": "tester", "program": tests, "entry_point": entry_point}
        self._tester.send(job | {"nonce": nonce})
        while True:
            try:
                message = self._tester.receive(self._candidate.box)
            except ChannelViolation:
                return self._tester_failed(None, "channel_violation")
            if message is None or "end" in message:
                return self._tester_failed(message)
            if "nonce" in message:
                return self._done(message, nonce)
            failed = self._relayed(message)
            if failed is not None:
                return failed

    def _relayed(self, message: dict[str, object]) -> Tested | None:
        """Pass a call on and its answer back; None when the tests can go on."""
        args, kwargs, number = message.get("args"), message.get("kwargs"), message.get("call")
        if (
            not isinstance(args, list)
            or not isinstance(kwargs, dict)
            or number != self._candidate.calls + 1
        ):
            return self._tester_failed(message, "channel_violation")
        self._last = called = self._candidate.call(args, kwargs, self._tester)
        if called.outcome == "value":
            self._tester.send({"id": number, "value": called.value})
        elif called.outcome == "raised" and called.message is not None:
            self._tester.send(called.message)
        else:
            return _candidate_failed(called, self._candidate.calls)
        return None

    def _done(self, message: dict[str, object], nonce: str) -> Tested:
        calls = self._candidate.calls
        said = {"nonce": nonce, "calls": calls}
        if message != said:
            return self._tester_failed(None, "tampered")
        why = self._tester.finish_silently().killed_for
        if why:
            return self._tester_failed(None, why)
        left = self._candidate.left_after([])
        return _candidate_failed(left[0], calls) if left else Tested(True, "", calls)

    def _tester_failed(self, message: dict[str, object] | None, why: str = "") -> Tested:
        """An assertion, an error of the tests, or an error of the candidate that went through."""
        calls = self._candidate.calls
        error = "" if message is None else str(message.get("error", ""))
        if self._last.outcome == "raised" and not why and message is not None:
            return _candidate_failed(self._last, calls)
        if why:
            self._tester.kill(why)
        ending = self._tester.finish()
        if why:
            ending = ending._replace(killed_for=why)
        line = message.get("line", 0) if message is not None else 0
        return Tested(
            False,
            "tester",
            calls,
            error,
            line if type(line) is int else 0,
            message,
            ending._replace(message=message),
        )


def _candidate_failed(called: Called, calls: int) -> Tested:
    return Tested(
        False, "candidate", calls, called.error, called.line, called.message, called.ending
    )
