"""What a run folder has cost: requests, tokens, engine time and money, by stage and teacher.

Every line of receipts.log counts, also those whose outputs nothing needs any more: they were paid
for. A receipt counts what its own work paid, never what it could reuse, so nothing counts twice.

Not here: what runs just now (ledger.py), what a token costs (teachers/remote/prices.py).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Spent:
    """Some figures of what was paid for; those of two parts add up."""

    asked: int = 0
    """Completions that were paid for."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompts', those that the server had at hand."""
    completion_tokens: int = 0
    continued: int = 0
    """Completions that were cut off, and gone on with."""
    refused: int = 0
    failed: int = 0
    gpu_ms: int = 0
    """Of our own engines, in milliseconds times GPUs."""
    nano_usd: int = 0
    """10^-9 US dollars, of the completions whose price is known."""
    priced: int = 0
    """Completions whose price is known."""

    def __add__(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(**{n: getattr(self, n) + getattr(other, n) for n in NAMES})

    def __bool__(self) -> bool:
        """Was anything paid for?"""
        return any(getattr(self, name) for name in NAMES)

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def usd(self) -> float | None:
        """Dollars; None when no price is known."""
        return self.nano_usd / 1e9 if self.priced or self.nano_usd else None

    def words(self) -> str:
        """For people, as short as it goes: `12,345 tokens (2,345 in, 10,000 out), $0.12`."""
        said = [
            f"{self.tokens:,} tokens ({self.prompt_tokens:,} in"
            + (f", {self.cached_tokens:,} of them cached" if self.cached_tokens else "")
            + f"; {self.completion_tokens:,} out)"
        ]
        if self.gpu_ms:
            said.append(gpu_words(self.gpu_ms / 1000))
        if self.usd is not None:
            said.append(money(self.usd))
            if self.priced < self.asked:
                said.append(f"{self.asked - self.priced:,} of {self.asked:,} have no price")
        return ", ".join(said)


NAMES = tuple(one.name for one in fields(Spent))


def gpu_words(seconds: float) -> str:
    """GPU-seconds, or hours when there are many."""
    return f"{seconds:,.1f} GPU-s" if seconds < 3600 else f"{seconds / 3600:,.2f} GPU-h"


def money(usd: float) -> str:
    """Dollars, with as many digits as small sums need."""
    return f"${usd:,.2f}" if usd >= 1 or not usd else f"${usd:.6f}".rstrip("0")


class Spending:
    """Sums by stage and teacher."""

    def __init__(self) -> None:
        self._by: dict[tuple[str, str], Counter[str]] = {}

    def receipt(self, line: Mapping[str, Any]) -> None:
        """Take in one line of receipts.log, if its work was paid for."""
        counts = line.get("counts")
        if not isinstance(counts, Mapping) or "asked" not in counts:
            return
        facts = line.get("facts")
        teacher = facts.get("teacher", "") if isinstance(facts, Mapping) else ""  # pyright: ignore
        self.add(str(line.get("slot")).partition("/")[0], str(teacher), cast("Any", counts))

    def add(self, stage: str, teacher: str, counts: Mapping[str, int]) -> None:
        """Take in some figures; those that are none of Spent are left out."""
        sums = self._by.setdefault((stage, teacher), Counter())
        sums.update({name: int(counts[name]) for name in NAMES if counts.get(name)})

    def rows(self) -> Iterator[tuple[str, str, Spent]]:
        """(stage, teacher, what was spent), sorted."""
        for (stage, teacher), sums in sorted(self._by.items()):
            yield stage, teacher, Spent(**{name: sums[name] for name in NAMES})

    def total(self) -> Spent:
        """All together."""
        whole = Spent()
        for _, _, spent in self.rows():
            whole += spent
        return whole

    def merge(self, other: "Spending") -> None:
        """Take in all of another."""
        for stage, teacher, spent in other.rows():
            self.add(stage, teacher, asdict(spent))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data, a row a stage and teacher; a price that nobody knows is null."""
        return [
            {"stage": stage, "teacher": teacher or None, **asdict(spent), "usd": spent.usd}
            for stage, teacher, spent in self.rows()
        ]
