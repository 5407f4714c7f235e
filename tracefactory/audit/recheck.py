"""Rows judged again, and their verdicts compared: on a worker, a few hundred at a time.

A row has changed when its status is another. A row whose verdict, then or now, a limit of the
machine decided is counted apart: it says nothing about the dataset. Where the checker is of the
same version, reason, final answer and steps have to be the same too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import orjson

from tracefactory.audit.faults import Fault, short
from tracefactory.audit.judging import BY_CLOCK, NOT_JUDGED, Judged, judge, measured
from tracefactory.audit.traces import Foreign, Release, Span, Trace
from tracefactory.schemas.verdict import StepCounts
from tracefactory.trusted import Refused

ROWS = 250
"""Of one job: seconds, for texts; a minute or so, for programs."""

MAX_FAULTS = 20
"""Of one job; more are counted under the last."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to judge."""

    span: Span
    reader: Release | Foreign
    allowed: tuple[str, ...]
    measure: str | None

    def halves(self) -> tuple["Order", ...]:
        """Two of half the rows each; none if there is one row."""
        return tuple(
            Order(half, self.reader, self.allowed, self.measure) for half in self.span.halves()
        )


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is judged otherwise now."""

    id: str
    file: str
    then: str
    """Its status, as published."""
    then_reason: str | None
    then_answer: str | None
    then_verifier: str
    now: str
    now_reason: str
    now_answer: str | None
    now_verifier: str
    by_clock: bool
    """A limit of the machine decided, then or now."""


@dataclass(slots=True)
class Found:
    """What came of some rows; mergeable."""

    rows: int = 0
    same: int = 0
    by_clock: int = 0
    """Decided by a limit of the machine, then or now; neither the same nor changed."""
    changes: list[Change] = field(default_factory=list[Change])
    unchecked: Counter[str] = field(default_factory=Counter[str])
    """Rows that were not judged, by reason."""
    words: dict[str, str] = field(default_factory=dict[str, str])
    """What was said where judging a row raised: by reason, of one row of each."""
    unchecked_correct: int = 0
    """Rows that say `correct` and could not be judged, or not before a limit of the machine."""
    now: Counter[str] = field(default_factory=Counter[str])
    """Rows judged, by status now."""
    versions: Counter[str] = field(default_factory=Counter[str])
    """Rows judged by another version of their checker, `then -> now`."""
    steps: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """Steps counted again by file, as in Stats.steps."""
    unmeasured: Counter[str] = field(default_factory=Counter[str])
    """Rows by file whose steps were not counted again."""
    faults: list[Fault] = field(default_factory=list[Fault])

    def merge(self, other: "Found") -> None:
        """Add what came of other rows."""
        self.rows += other.rows
        self.same += other.same
        self.by_clock += other.by_clock
        self.changes += other.changes
        self.unchecked += other.unchecked
        for reason, words in other.words.items():
            self.say(reason, words)
        self.unchecked_correct += other.unchecked_correct
        self.now += other.now
        self.versions += other.versions
        self.unmeasured += other.unmeasured
        self.faults += other.faults
        for file, counts in other.steps.items():
            self.steps.setdefault(file, Counter()).update(counts)

    def say(self, reason: str, words: str) -> None:
        """Keep what was said: of several, the same one in whatever order they come."""
        self.words[reason] = min(words, self.words.get(reason, words))

    def compared(self) -> int:
        """Rows whose verdicts could be compared, without those that a limit decided."""
        return self.same + sum(not change.by_clock for change in self.changes)

    def drift(self) -> int:
        """Rows that are judged otherwise now, and no clock is to blame."""
        return sum(not change.by_clock for change in self.changes)


def recheck(order: Order) -> Found:
    """Judge the rows of an order again."""
    found = Found()
    for trace in order.reader.traces(order.span):
        found.rows += 1
        if isinstance(trace, Refused):
            _not_judged(order.span.file, trace, found, counts=True)
        else:
            _one(trace, order, found)
    return found


def _not_judged(file: str, refused: Refused, found: Found, *, counts: bool) -> None:
    """`counts`: the row says, or may say, that it is correct."""
    found.unchecked[str(refused)] += 1
    if refused.__cause__ is not None:
        found.say(str(refused), short(str(refused.__cause__)))
    found.unchecked_correct += counts
    found.unmeasured[file] += 1


def lost(order: Order, reason: str) -> Found:
    """What is said of rows that no worker could judge."""
    found = Found(rows=len(order.span.rows))
    found.unchecked[reason] = found.rows
    found.unchecked_correct = found.rows  # nobody has read what they say
    found.unmeasured[order.span.file] = found.rows
    return found


def _one(trace: Trace, order: Order, found: Found) -> None:
    try:
        judged = judge(trace, order.allowed)
        if trace.status in NOT_JUDGED:
            raise Refused("it was not judged then, says its row")
    except Refused as refused:
        _not_judged(trace.file, refused, found, counts=trace.status == "correct")
        return
    found.now[judged.verdict.status] += 1
    if isinstance(order.reader, Foreign):
        _compare_word(trace, judged, found)
        return
    if judged.checker.version != _plain(trace.verifier):
        found.versions[f"{trace.verifier} -> {judged.checker.version}"] += 1
    _compare(trace, judged, found)
    _steps(trace, judged, order.measure, found)


def _plain(verifier: str) -> str:
    """Without what a row says of the walls its program stood behind: `@1+none-unsafe`."""
    for weaker in ("+none-unsafe", "+remote"):
        verifier = verifier.removesuffix(weaker)
    return verifier


def _by_clock(trace: Trace, judged: Judged) -> bool:
    # No limit ever made an answer correct: a row that says so is compared like any other.
    then = trace.reason in BY_CLOCK and trace.status != "correct"
    return then or judged.verdict.limited_by is not None


def _change(trace: Trace, judged: Judged, by_clock: bool) -> Change:
    return Change(
        trace.id, trace.file, trace.status or "", trace.reason, trace.final_answer, trace.verifier,
        judged.verdict.status, judged.verdict.reason, judged.verdict.final_answer,
        judged.checker.version, by_clock,
    )  # fmt: skip


def _compare(trace: Trace, judged: Judged, found: Found) -> None:
    verdict, by_clock = judged.verdict, _by_clock(trace, judged)
    if verdict.status != trace.status:
        found.changes.append(_change(trace, judged, by_clock))
        found.unchecked_correct += by_clock and trace.status == "correct"
    elif not by_clock:
        found.same += 1
        if judged.checker.version == _plain(trace.verifier):
            found.faults += _details(trace, judged)
    found.by_clock += by_clock


def _details(trace: Trace, judged: Judged) -> Iterator[Fault]:
    """Columns of the verdict that the same checker does not bear out."""
    for name, stated, real in (
        ("reason", trace.reason, judged.verdict.reason),
        ("final_answer", trace.final_answer, judged.verdict.final_answer),
    ):
        if stated != real:
            said = f"{short(real)}, says {judged.checker.version}"
            yield Fault(f"row_{name}", trace.file, f"{trace.id}: {name} {short(stated)}", said)


def _compare_word(trace: Trace, judged: Judged, found: Found) -> None:
    """A verdict of others: correct or not, in whatever words."""
    status = judged.verdict.status
    if trace.status is None:
        return
    if trace.status == "unreadable":
        found.unchecked["the verdict's column says neither yes nor no"] += 1
    elif status in ("undecided", "bad_reference"):
        found.unchecked[f"the checker cannot decide: {status}"] += 1
    elif (status == "correct") == (trace.status == "correct"):
        found.same += 1
    else:
        by_clock = _by_clock(trace, judged)
        found.by_clock += by_clock
        found.changes.append(_change(trace, judged, by_clock))


def _steps(trace: Trace, judged: Judged, measure: str | None, found: Found) -> None:
    """Count the steps again, and compare with the row and, later, with the shard's figures."""
    if measure is None:
        return
    steps = measured(measure, judged.problem, trace)
    if steps is None or trace.n_true_steps is None:
        found.unmeasured[trace.file] += 1
        return
    found.steps.setdefault(trace.file, Counter()).update(step_counts(steps))
    if judged.checker.version != _plain(trace.verifier):
        return
    for name, stated, real in (
        ("n_true_steps", trace.n_true_steps, steps.n_true + steps.n_rounded),
        ("n_false_steps", trace.n_false_steps, steps.n_false),
    ):
        if stated != real:
            said = f"{real}, counted again"
            found.faults.append(
                Fault(f"row_{name}", trace.file, f"{trace.id}: {name} {stated}", said)
            )


def step_counts(steps: StepCounts) -> Counter[str]:
    """The steps of a row as a shard's figures count them: by outcome, and by kind and outcome."""
    totals: Counter[str] = Counter()
    for name in ("true", "rounded", "repaired", "false", "uncheckable"):
        totals[name] = getattr(steps, f"n_{name}")
    for kind, outcomes in cast("Mapping[str, object]", orjson.loads(steps.evidence)).items():
        if isinstance(outcomes, dict):
            for outcome, n in cast("Mapping[str, int]", outcomes).items():
                totals[f"{kind}.{outcome}"] += n
    return totals


def spans(root: str, file: str, rows: Iterable[int], size: int = ROWS) -> Iterator[Span]:
    """Rows of a file in pieces of a job's size."""
    ordered = sorted(rows)
    for start in range(0, len(ordered), size):
        yield Span(root, file, tuple(ordered[start : start + size]))
