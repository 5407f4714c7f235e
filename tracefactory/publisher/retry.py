"""What is tried again, and when: refusals that pass, and connections that broke.

The Hub's library retries transfers, but not its commits, nor its creation of repositories.
"""

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tracefactory.errors import ResourceError

T = TypeVar("T")

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the very same request may succeed."""

CONFLICT = frozenset({409, 412})
"""Statuses of a commit that met another one."""

_XET_REFUSED = "client error (4"
"""Xet has one plain error for all that fails on its way; only its text says that it was a 4xx."""

TRIES = 8
FIRST_S, MOST_S = 1.0, 30.0
MOST_ASKED_S = 3600.0
"""Longest wait that a server may ask for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a call failed, if that may pass."""

    text: str
    status: int | None
    asked_s: float | None
    """Seconds that the server asked to wait."""


def transport_errors() -> tuple[type[Exception], ...]:
    """Errors of connections, of whichever HTTP library the Hub's client stands on."""
    found: list[type[Exception]] = [ConnectionError, TimeoutError]
    for name in ("httpx2", "httpx"):
        try:
            found.append(importlib.import_module(name).TransportError)
        except ImportError:
            continue
    return tuple(found)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__


def _asked(headers: Mapping[str, str]) -> float | None:
    from huggingface_hub.utils._http import parse_ratelimit_headers

    after = headers.get("Retry-After", "").strip()
    if after.isdigit():
        return float(after)
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit is not None else None


def trouble(error: BaseException, statuses: frozenset[int]) -> Trouble | None:
    """What of an error may pass; None: it will not.

    The libraries wrap what happened in errors of their own, so its causes are looked at too.
    """
    dropped = transport_errors()
    for one in causes(error):
        response = getattr(one, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            if status not in statuses:
                return None
            return Trouble(f"the server said {status}", status, _asked(response.headers))  # type: ignore[union-attr]
        if type(one) is ConnectionError and _XET_REFUSED in str(one):
            return None
        if isinstance(one, dropped):
            said = " ".join(f"{type(one).__name__}: {one}".split())[:120]
            return Trouble(f"the connection broke ({said})", None, None)
    return None


def retried(
    do: Callable[[], T],
    what: str,
    say: Callable[[str], None],
    statuses: frozenset[int] = PASSING,
    settled: Callable[[], T | None] | None = None,
    hint: str = "",
) -> T:
    """The result of `do`, tried again with growing waits, or as long as the server asks.

    Args:
        do: the call.
        what: its name in messages.
        say: where to tell of each wait.
        statuses: which refusals may pass.
        settled: asked after each failure: what `do` was for may have happened all the same, or may
            have become impossible (then it raises).
        hint: what else may help, when it never succeeds.

    Raises:
        ResourceError: it never succeeded.
    """
    wait_s = FIRST_S
    for left in range(TRIES - 1, -1, -1):
        try:
            return do()
        except Exception as error:
            why = trouble(error, statuses)
            if why is None:
                raise
            last = error
        asked = why.asked_s or 0.0
        final = not left or asked > MOST_ASKED_S
        if not final:
            pause = max(asked, wait_s)
            say(f"{what}: {why.text}; again in {pause:.0f} s")
            time.sleep(pause)
            wait_s = min(MOST_S, 2 * wait_s)
        if settled is not None and (found := settled()) is not None:
            return found
        if final:
            later = f" and asks to wait {asked:,.0f} s" if asked > MOST_ASKED_S else ""
            raise ResourceError(
                f"{what}: {why.text}{later}; given up after {TRIES - left} tries. What was "
                "published before stands as it was. Give the same command again later: what was "
                f"sent is not sent twice.{hint}"
            ) from last
    raise AssertionError("the last try either returns or raises")
