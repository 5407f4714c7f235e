"""What a live run has cost so far, how fast it goes, and whether a limit is reached.

    receipts.log            what finished work has paid (spending.py)
    journals at the start   what work has paid that was killed or stopped, and has no receipt yet
    beats                   what work under way has paid since this run began

A receipt takes the place of the other two for its slot. The pilot of a folder (`plan --pilot`) is
part of it: its answers are used, and so its costs count.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tracefactory.schemas.receipt import Receipt
from tracefactory.spending import NAMES, Spending, Spent, money
from tracefactory.store.beats import Beats
from tracefactory.store.home import RECEIPTS, Receipts
from tracefactory.store.log import Damage, replay

PILOT = "pilot"
"""Folder of a run folder in which `plan --pilot` runs."""

WINDOW_S = 15.0
"""Seconds over which the rate of tokens is taken."""

_OF_A_RECORD: Mapping[str, str] = {
    "n_prompt_tokens": "prompt_tokens",
    "n_cached_tokens": "cached_tokens",
    "n_completion_tokens": "completion_tokens",
    "nano_usd": "nano_usd",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run shall stop by itself.

    Tokens and cost are those of the folder, of all its runs together, so that no restart spends
    them anew; hours are those of one run.
    """

    tokens: int | None = None
    """In and out."""
    usd: float | None = None
    hours: float | None = None

    def spent(self, so_far: Spent) -> str:
        """Which limit of spending is reached, in words; empty: none."""
        if self.tokens is not None and so_far.tokens >= self.tokens:
            return f"{so_far.tokens:,} tokens are spent, of --max-tokens {self.tokens:,}"
        if self.usd is not None and (so_far.usd or 0.0) >= self.usd:
            return f"{money(so_far.usd or 0.0)} is spent, of --max-cost {self.usd:g}"
        return ""

    def late(self, seconds: float) -> str:
        """Is the time over? In words; empty: no."""
        if self.hours is None or seconds < self.hours * 3600:
            return ""
        return f"--max-hours {self.hours:g} are over"


NO_LIMITS = Limits()


def journalled(folder: Path, receipts: Receipts) -> dict[str, Spent]:
    """What the journals of a run folder say was paid for and no receipt counts, by stem."""
    found: dict[str, Spent] = {}
    for path in sorted((folder / "journal").glob("*.log")):
        stem = path.name.rsplit(".", 2)[0]
        if counted(path, receipts.get(stem.replace(".", "/", 1))):
            continue
        sums = dict.fromkeys(("asked", "priced", "gpu_us", *_OF_A_RECORD.values()), 0)
        for line in replay(path):
            if not isinstance(line, Damage):
                _take_in(sums, line.data)
        gpu_us = sums.pop("gpu_us")
        found[stem] = found.get(stem, Spent()) + Spent(gpu_ms=gpu_us // 1000, **sums)
    return found


def _take_in(sums: dict[str, int], record: Mapping[str, Any]) -> None:
    sums["asked"] += 1
    sums["priced"] += record.get("nano_usd") is not None
    for name, figure in (*_OF_A_RECORD.items(), ("gpu_us", "gpu_us")):
        value = record.get(name)
        sums[figure] += value if isinstance(value, int) else 0


def counted(journal: Path, receipt: Receipt | None) -> bool:
    """Is a journal older than its slot's receipt? A kill came before its removal, then.

    One that is newer belongs to another version of the recipe, whose work has not ended.
    """
    try:
        changed = journal.stat().st_mtime
    except OSError:
        return True
    return receipt is not None and changed <= receipt.started + receipt.seconds + 1.0


def spending_of(folder: Path, receipts: Receipts) -> Spending:
    """All that a run folder has cost so far, its pilot and unfinished work too."""
    whole = Spending()
    whole.merge(receipts.spending)
    for stem, spent in journalled(folder, receipts).items():
        whole.add(stem.partition(".")[0], "", asdict(spent))
    if (folder / PILOT / RECEIPTS).exists():
        whole.merge(spending_of(folder / PILOT, Receipts(folder / PILOT / RECEIPTS)))
    return whole


class Ledger:
    """The costs of a folder while the driver runs."""

    def __init__(self, folder: Path, receipts: Receipts, limits: Limits | None = None) -> None:
        """Args: the run folder, its receipts as they are before anything runs, the limits."""
        self._folder, self._receipts, self.limits = folder, receipts, limits or Limits()
        self._pending = journalled(folder, receipts)
        pilot = folder / PILOT / RECEIPTS
        self._pilot = Spending()
        if pilot.exists():
            self._pilot = spending_of(folder / PILOT, Receipts(pilot))
        self._beats = Beats(folder / "journal")
        self._beats.sweep()
        self._warned = False
        self._started = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque([(self._started, 0)])

    def look(self) -> list[str]:
        """Take in the beats; the lines of news that came with them."""
        news = list(self._beats.read())
        if self.limits.usd is not None and not self._warned:
            spent = self.total()
            if spent.priced < spent.asked:
                self._warned = True
                unknown = f"{spent.asked - spent.priced:,} of {spent.asked:,} completions"
                news.append(
                    f"--max-cost {self.limits.usd:g} does not see {unknown}: neither server nor "
                    "price file says what they cost"
                )
        now = time.monotonic()
        if now - self._seen[-1][0] >= 1.0:
            self._seen.append((now, self._beats.generated))
            while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:
                self._seen.popleft()
        return news

    def done(self, stem: str) -> None:
        """The receipt of a slot is written."""
        self._pending.pop(stem, None)
        self._beats.forget(stem)

    def total(self) -> Spent:
        """All that was spent, as far as anyone has said."""
        live = self._beats.spent()
        whole = self._receipts.spending.total() + self._pilot.total()
        for spent in self._pending.values():
            whole += spent
        said = {name: live[name] for name in NAMES if name in live}
        return whole + Spent(gpu_ms=live["gpu_us"] // 1000, **said)

    def rate(self) -> float:
        """Tokens that came back in a second, lately."""
        (since, then), (until, now) = self._seen[0], self._seen[-1]
        return (now - then) / (until - since) if until > since else 0.0

    def now(self, stems: Iterable[str]) -> Mapping[str, int]:
        """The last beats of work under way: done, of, in_flight, ..."""
        return self._beats.of(stems)

    def over(self, *, paying: bool) -> str:
        """Which limit is reached, in words; empty: none.

        A limit of spending stops a run that would spend more, not one that only checks and writes.
        """
        late = self.limits.late(time.monotonic() - self._started)
        return late or (self.limits.spent(self.total()) if paying else "")

    def close(self) -> None:
        """Nothing runs any more."""
        self._beats.sweep()
