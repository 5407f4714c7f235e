"""What a failed try means: for the request, for the endpoint, for the run.

Not here: what is done about it (endpoint.py), how often one tries (pace.py).
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, cast

import orjson

from tracefactory.teachers.remote.manner import AnswerError

Kind = Literal["refused", "forbidden", "setup", "busy", "trouble"]
"""`refused`: this very request, for good. `forbidden`: it, or all. `setup`: all, until somebody
changes something. `busy`: all, for now. `trouble`: anything else; try again."""

MAX_DETAIL = 500

_SETUP = {401, 402, 404, 405, 407, 410, 421, 426, 451}
_BUSY = {429, 503, 529}
_TROUBLE = {408, 409, 425}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"}


def kind_of(error: AnswerError) -> Kind:
    """What a failed try means."""
    status = error.status
    if status is None or status in _TROUBLE:
        return "trouble"
    if status in _BUSY:
        return "setup" if error.code in _NO_MONEY else "busy"
    if status in _SETUP or 300 <= status < 400:
        return "setup"
    if status == 403:
        return "forbidden"
    return "refused" if 400 <= status < 500 else "trouble"


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> AnswerError:
    """The failure that an answer of another status than 200 is."""
    detail, code = _words(body)
    if 300 <= status < 400:
        detail = f"a redirection to {headers.get('Location', 'nowhere')!r}"
    return AnswerError(
        detail or "no words", status=status, code=code, retry_after_s=retry_after_s(headers)
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a server asks to be left alone: seconds, milliseconds, or a date."""
    for name, unit in (("retry-after-ms", 1000), ("Retry-After", 1)):
        text = headers.get(name, "")
        try:
            wait_s = float(text) / unit
        except ValueError:
            wait_s = _until(text)
        if 0 <= wait_s < math.inf:
            return wait_s
    return None


def advice(error: AnswerError) -> str:
    """What to do about a set-up that the server does not like."""
    if error.status in (401, 403):
        return "set the environment variable of `api_key_env` to a key that may use this model"
    if error.status in (402, 429):
        return "the account has no money or quota left; top it up, then run again"
    if error.status in (404, 405, 410):
        return "check `model` and `base_url` (it usually ends in /v1) and `api`"
    if error.status and 300 <= error.status < 400:
        return "set `base_url` to where it leads; redirections are not followed with a key at hand"
    return "see to that, then run again"


def _until(date: str) -> float:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, IndexError, TypeError):
        return -1.0
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _words(body: bytes) -> tuple[str, str]:
    """What the server says, in a line, and its code."""
    try:
        said: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _line(body[: 4 * MAX_DETAIL].decode("utf-8", "replace")), ""
    return words_of(said)


def words_of(said: object) -> tuple[str, str]:
    """Message and code of an error in OpenAI's form, or in that of those who came close to it."""
    if isinstance(said, dict):
        fields = cast("dict[str, object]", said)
        inner = next(
            (fields[key] for key in ("error", "detail", "errors") if fields.get(key)), None
        )
        if inner is not None:
            return words_of(inner)
        message, code = fields.get("message"), fields.get("code") or fields.get("type")
        if isinstance(message, str):
            return _line(message), str(code or "")[:80]
    if isinstance(said, str):
        return _line(said), ""
    return _line(orjson.dumps(said).decode()), ""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL else f"{line[:MAX_DETAIL]}…"
