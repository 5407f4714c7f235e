"""What an audit found, and what that comes to."""

from dataclasses import dataclass, field

from tracefactory.audit.faults import Fault
from tracefactory.audit.interval import Interval, wilson
from tracefactory.audit.planted import Probe
from tracefactory.audit.recheck import Found
from tracefactory.errors import Exit


@dataclass(slots=True)
class Outcome:
    """The findings of one audit."""

    target: str
    kind: str
    """`release`, or `parquet` for one that tracefactory did not make."""
    name: str = ""
    manifest_sha256: str | None = None
    files: int = 0
    """Files whose contents were compared with their checksums or read."""
    shards: int = 0
    rows: int = 0
    """Rows that hold a trace: of `sft` and `rejected`, or of the Parquet."""
    views: dict[str, int] = field(default_factory=dict[str, int])
    """Rows by view and split."""
    settings: dict[str, int] = field(default_factory=dict[str, int])
    """Problems by checker and by those of its settings that say what it lets pass."""
    faults: list[Fault] = field(default_factory=list[Fault])
    notes: list[str] = field(default_factory=list[str])
    """What was not compared, and why."""
    signature: str = "not signed"
    sampled: bool = False
    found: Found | None = None
    """Of the re-check; None: not asked for."""
    compares: bool = True
    """Are there published verdicts to compare with?"""
    probe: Probe | None = None
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def agreement(self) -> Interval:
        """Share of the compared rows whose verdict is the same, and its 95 % interval."""
        if self.found is None:
            return Interval(None, None, None)
        return wilson(self.found.same, self.found.compared())

    def drift(self) -> float:
        """Share of the compared rows that are judged otherwise now."""
        if self.found is None or not self.found.compared():
            return 0.0
        return self.found.drift() / self.found.compared()

    def exit_code(self, max_drift: float) -> Exit:
        """6: faults, or drift above the bound; 7: rows called correct could not be judged; or 0."""
        if self.faults or self.drift() > max_drift:
            return Exit.INTEGRITY
        if self.found is not None and self.found.unchecked_correct:
            return Exit.INCONCLUSIVE
        return Exit.DONE
