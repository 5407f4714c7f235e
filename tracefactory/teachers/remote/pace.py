"""How many requests an endpoint gets at once, and when it gets none.

Additive increase, multiplicative decrease: each request that the server was too busy for takes
half a place away, so that a whole generation refused halves the limit; each answer adds a share of
a step, a step a generation, and steps double from one clean generation to the next.

A breaker: after `trip_s` of nothing but failures one request at a time tries, less and less often,
until one is answered.

Pure: the clock is the caller's. Not here: sending, which request is next (endpoint.py).
"""

import math
from random import Random

MAX_HOLD_S = 600.0
"""No server is left alone for longer than this, whatever it asks for."""
WORTH_TELLING_S = 10.0
PROBE_S, MAX_PROBE_S = 1.0, 30.0


class Pace:
    """The state of one endpoint. All times are seconds of one clock that never goes back."""

    def __init__(self, cap: int, *, trip_s: float = 30.0, rng: Random | None = None) -> None:
        self._cap = cap
        self.limit = float(cap)
        """Requests in flight at most, at present."""
        self.health = 0.0
        """Of the latest answers, the share that were no failures; 0 before there were any."""
        self.failing_since: float | None = None
        """When the first failure came after the last success; None: it was a success."""
        self.is_open = False
        """Is the breaker open? Then one request at a time tries."""
        self.news: list[str] = []
        """What people should hear; whoever tells them empties it."""
        self._trip_s = trip_s
        self._rng = rng or Random()
        self._step, self._n_clean = 1.0, 0
        self._uneasy = False
        self._held_until = self._told_until = 0.0
        self._probing = False
        self._probe_at, self._probe_s = 0.0, PROBE_S

    @property
    def cap(self) -> int:
        """What `limit` never exceeds."""
        return self._cap

    @cap.setter
    def cap(self, cap: int) -> None:
        full = self.limit >= self._cap
        self._cap = max(1, cap)
        self.limit = float(self._cap) if full else min(self.limit, float(self._cap))

    @property
    def _floor(self) -> float:
        return max(1.0, self._cap // 64)

    def wait_s(self, now: float) -> float:
        """How long nothing may be sent: 0 = go on, infinity = until the one that tries is back."""
        held = self._held_until - now
        if not self.is_open:
            return max(0.0, held)
        return math.inf if self._probing else max(0.0, held, self._probe_at - now)

    def probing(self) -> None:
        """The request that tries is on its way."""
        self._probing = True

    def probed(self) -> None:
        """It is back, or was given up."""
        self._probing = False

    def answered(self, now: float) -> bool:
        """A request was answered.

        Returns:
            True when that ends a bad time: what waits for another try need not wait on.
        """
        self.health += (1.0 - self.health) / 16
        self.failing_since = None
        if self.is_open:
            self._close(now)
            return True
        limit = self.limit
        if limit < self._cap:
            self.limit = min(float(self._cap), limit + self._step / limit)
        elif not self._uneasy:
            return False  # the usual case
        self._n_clean += 1
        if self._n_clean < limit:
            return False
        self._n_clean = 0
        self._step = min(self._step * 2, max(1.0, self._cap / 8))
        eased, self._uneasy = self._uneasy, False
        return eased

    def busy(self, now: float, retry_after_s: float | None = None) -> None:
        """The server had no place for a request: 429 or the like."""
        self.limit = max(self._floor, self.limit - 0.5)
        self._step, self._n_clean, self._uneasy = 1.0, 0, True
        if retry_after_s:
            self._hold(now, min(retry_after_s, MAX_HOLD_S))
        self.failed(now)

    def failed(self, now: float) -> None:
        """A request brought a failure: 500, no connection, half an answer."""
        self.health -= self.health / 16
        if self.failing_since is None:
            self.failing_since = now
        if self.is_open:
            if not self._probing:  # one from before; it says nothing new
                return
            self._probe_s = min(self._probe_s * 2, MAX_PROBE_S)
        elif now - self.failing_since < self._trip_s:
            return
        else:
            self.is_open = True
            self.news.append(
                f"nothing but failures for {now - self.failing_since:.0f} s; "
                "from now on one request at a time tries it"
            )
        self._probe_at = now + self._probe_s * self._rng.uniform(0.75, 1.0)

    def _hold(self, now: float, wait_s: float) -> None:
        until = now + wait_s * self._rng.uniform(1.0, 1.1)
        self._held_until = max(self._held_until, until)
        if wait_s >= WORTH_TELLING_S and now >= self._told_until:
            self._told_until = until + 60.0  # once for a row of them
            self.news.append(f"asks to be left alone for {wait_s:.0f} s (Retry-After)")

    def _close(self, now: float) -> None:
        self.is_open = False
        self._probe_s = PROBE_S
        self.limit = min(self.limit, max(self._floor, self._cap / 16))
        self._step, self._n_clean, self._uneasy = self.limit, 0, True
        self.news.append("answers again")
