"""How many attempts the problems of each generate stage took, and what adaptive sampling saved.

Every problem falls into a class: attempts made, attempts correct. Their numbers and tokens are
counts of a shard's receipt, so they add up over shards. What a fixed number of attempts would have
needed follows: attempts are numbered and seeded, so those that were made are its first ones.

Not here: pass rates and pass@k, which are over the first attempts alone (rates.py).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracefactory.schemas.attempt import ATTEMPT_SCHEMA
from tracefactory.schemas.verdict import VERDICT_SCHEMA
from tracefactory.stages.contract import Inputs

_TOKENS = ("n_completion_tokens", "n_reasoning_tokens", "n_answer_tokens")


def tokens_out(row: Mapping[str, Any]) -> int | None:
    """Tokens of an attempt's text; None: not counted."""
    if row.get("n_completion_tokens") is not None:
        return int(row["n_completion_tokens"])
    reasoning, answer = row.get("n_reasoning_tokens"), row.get("n_answer_tokens")
    return None if reasoning is None or answer is None else int(reasoning + answer)


def tried(inputs: Inputs) -> Counter[str]:
    """Problems as `tried:<stage>:<attempts>:<correct>`, their tokens as `tokens:...`.

    `uncounted:<stage>` are attempts whose tokens nobody counted.
    """
    counts: Counter[str] = Counter()
    columns = [c for c in ("id", "problem_id", *_TOKENS) if c in ATTEMPT_SCHEMA.names]
    for chunk in inputs.chunks:
        verdicts = inputs.table("verdicts", VERDICT_SCHEMA, chunk, ["attempt_id", "status"])
        status = dict(zip(*(verdicts.column(i).to_pylist() for i in (0, 1)), strict=True))
        problems: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
        for output in chunk.files.get("attempts", ()):
            folder, _, name = output.name.partition("/")
            if folder != "raw":  # imported: nobody here decided how many
                continue
            stage = name.partition(".")[0]
            for row in inputs.home.read(output, columns).to_pylist():
                sums = problems[stage, row["problem_id"]]
                tokens = tokens_out(row)
                sums[0] += 1
                sums[1] += status.get(row["id"]) == "correct"
                sums[2] += tokens or 0
                counts[f"uncounted:{stage}"] += tokens is None
        for (stage, _), (n, correct, tokens) in problems.items():
            counts[f"tried:{stage}:{n}:{correct}"] += 1
            counts[f"tokens:{stage}:{n}:{correct}"] += tokens
    return counts


@dataclass(frozen=True, slots=True)
class Effort:
    """What a generate stage took for its verified traces, and what a fixed number would take."""

    stage: str
    verified: int
    """Correct attempts, at one problem no more than `until_correct`."""
    taken: int
    """Tokens; attempts where tokens were not counted."""
    fixed_n: int
    """Attempts at every problem, with which it is compared: `max`."""
    fixed_verified: float
    fixed_taken: float
    in_tokens: bool

    @property
    def each(self) -> float | None:
        """For one verified trace."""
        return self.taken / self.verified if self.verified else None

    @property
    def fixed_each(self) -> float | None:
        """For one, with a fixed number of attempts."""
        return self.fixed_taken / self.fixed_verified if self.fixed_verified else None


def effort(
    counts: Mapping[str, int], stage: str, most: int, until_correct: int | None
) -> Effort | None:
    """Of one generate stage, by the counts of the publishing stage; None where it made nothing.

    Args:
        counts: sums of `tried` over all shards.
        stage: the generate stage.
        most: attempts at one problem at most.
        until_correct: correct attempts at one problem that are wanted; None: as many as there are.
    """
    wanted = until_correct or most
    in_tokens = not counts.get(f"uncounted:{stage}")
    verified, taken, fixed_verified, fixed_taken = 0, 0, 0.0, 0.0
    for key, problems in counts.items():
        word, _, rest = key.partition(":")
        name, _, numbers = rest.partition(":")
        if word != "tried" or name != stage:
            continue
        n, correct = map(int, numbers.split(":"))
        part = counts.get(f"tokens:{rest}", 0) if in_tokens else problems * n
        verified += problems * min(correct, wanted)
        taken += part
        fixed_taken += part * max(most, n) / n
        # Those that were made are the first of the fixed number; the rest go on at the same rate.
        more = max(most - n, 0) * correct / n
        fixed_verified += problems * min(correct + more, wanted)
    if not taken:
        return None
    return Effort(stage, verified, taken, most, fixed_verified, fixed_taken, in_tokens)
