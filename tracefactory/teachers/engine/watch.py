"""What a server's own figures say: does it still move, and how many requests keep it full?

Pure: figures and times come in, decisions go out. Not here: who asks for them (life.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vitals:
    """Figures of vLLM's `/metrics`, over all its engines."""

    running: int
    """Requests that are being computed."""
    queued: int
    """Requests that wait for room."""
    moved: float
    """Tokens read and written since it started: stands still when it hangs."""


_SUMMED = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "queued",
    "vllm:generation_tokens_total": "moved",
    "vllm:prompt_tokens_total": "moved",
}


def read_vitals(text: str) -> Vitals | None:
    """The figures in a page of metrics; None if they are not there."""
    found = {"running": 0.0, "queued": 0.0, "moved": 0.0}
    seen: set[str] = set()
    for line in text.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in _SUMMED:
            try:
                found[_SUMMED[name]] += float(line.rpartition(" ")[2])
            except ValueError:
                continue
            seen.add(_SUMMED[name])
    if len(seen) < len(found):
        return None
    return Vitals(int(found["running"]), int(found["queued"]), found["moved"])


class Stall:
    """Tells a server that hangs from one that is slow: no token, for so long, though asked."""

    def __init__(self, now: float) -> None:
        self._since, self._moved = now, -1.0

    def still_s(self, vitals: Vitals | None, in_flight: int, now: float) -> float:
        """For how many seconds nothing has moved.

        Args:
            vitals: None: it did not even say.
            in_flight: requests that it owes us an answer to.
            now: by any clock that goes forward.
        """
        if vitals is not None and vitals.moved != self._moved:
            self._moved, self._since = vitals.moved, now
        elif not in_flight:
            self._since = now
        return now - self._since


LEAST_CAP, MOST_CAP = 16, 4_096


def next_cap(cap: int, in_flight: int, vitals: Vitals) -> int:
    """How many requests to have in flight: all that it computes at a time, and a few for the gaps.

    More would only wait in the server, where nobody else can have them when it is lost.
    """
    spare = max(4, vitals.running // 10)
    if vitals.queued > spare:
        wanted = vitals.running + spare
        # Halfway: just after a burst much waits for a moment that will run in the next.
        return max(LEAST_CAP, min(cap, (cap + wanted) // 2))
    if not vitals.queued and in_flight >= cap:
        return min(MOST_CAP, cap + max(4, cap // 4))
    return cap
