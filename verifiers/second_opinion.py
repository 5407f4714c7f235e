"""Ask Math-Verify the same question, for those who want two checkers to agree.

    pip install 'tracefactory[math-verify]'

Math-Verify (https://github.com/huggingface/Math-Verify) reads the whole response, in its own way,
and answers with one bit. Here it runs in a killable process, its own time limits off, since they
are alarms that only a main thread can have and that no long call into C would hear.

Not here: a verdict. Math-Verify takes 2^-99 for 2^-98 and "listen" for "silent", so that its yes is
evidence and no proof; and its no may mean that it could not read a text.
"""

import importlib
import importlib.util
from typing import Any, NamedTuple, cast

from tracefactory.killable import Json, shared

MEMORY_BYTES = 2 << 30

_ENV = (("SYMPY_GROUND_TYPES", "python"), ("MPMATH_NOGMPY", "1"))


class Opinion(NamedTuple):
    """What Math-Verify thinks."""

    agrees: bool | None
    """Does the response mean the reference? None: it did not say."""
    detail: str
    """Why it did not: "reference_unparsed", "response_unparsed", "timeout", "memory", "crashed" or
    the exception; "" when it did."""


class MissingError(ImportError):
    """Math-Verify is not installed."""


def require() -> None:
    """Check that Math-Verify is installed.

    Raises:
        MissingError: it is not.
    """
    if importlib.util.find_spec("math_verify") is None:
        raise MissingError(
            "a second opinion was asked for, but Math-Verify is not installed; "
            "run: pip install 'tracefactory[math-verify]'"
        )


def ask(reference: str, response: str, timeout_s: float = 5.0) -> Opinion:
    """Does Math-Verify take the response for the reference?

    A question that is not answered in time is asked once more with twice the time.

    Raises:
        MissingError: Math-Verify is not installed.
        StartError: no process could be started (tracefactory.killable).
    """
    require()
    workers = shared(
        f"{__name__}:answer", memory_bytes=MEMORY_BYTES, preload=("math_verify",), env=_ENV
    )
    question: Json = [_readable(reference), _readable(response)]
    (outcome,) = workers.ask([question], timeout_s)
    if outcome.status not in ("done", "raised"):
        (outcome,) = workers.ask([question], 2 * timeout_s)
    if outcome.status == "done":
        agrees, detail = cast("tuple[bool | None, str]", outcome.value)
        return Opinion(agrees, detail)
    return Opinion(None, outcome.detail if outcome.status == "raised" else outcome.status)


def answer(question: Json) -> Json:
    """In the worker: [agrees, detail] for [reference, response]."""
    math_verify: Any = importlib.import_module("math_verify")  # it ships no types
    reference, response = cast("list[str]", question)
    # A reference must stand in a LaTeX environment to be read; of those, a box may itself hold
    # dollars or another box.
    want = math_verify.parse(f"\\boxed{{{reference}}}", parsing_timeout=None)
    if not want:
        return [None, "reference_unparsed"]
    got = math_verify.parse(response, parsing_timeout=None)
    if not got:
        return [None, "response_unparsed"]
    # Raising, since an exception would be a plain False otherwise.
    agrees = math_verify.verify(want, got, timeout_seconds=None, raise_on_error=True)
    return [bool(agrees), ""]


def _readable(text: str) -> str:
    """Without lone surrogates, which cannot be sent."""
    return text.encode("utf-8", "replace").decode("utf-8")
