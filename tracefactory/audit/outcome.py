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
    texts_made_again: bool = True
    """Were card and report compared with what the manifest makes? Not those of another version."""
    signature: str = "not signed"
    seed: str = ""
    """The auditor's, by which rows were drawn."""
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

    def unjudged(self) -> str | None:
        """What was not judged, so that nothing can be concluded; None: all that matters was."""
        found = self.found
        if self.kind == "parquet" and found is not None:  # of a release, files were compared too
            if not found.now:
                return "no row was judged"
            if self.compares and not found.compared() and not found.by_clock:
                return "no verdict was compared"
        if found is not None and found.unchecked_correct:
            return "rows called correct were not judged"
        return None

    def left_out(self) -> list[str]:
        """What was not looked at, though nothing is wrong with what was."""
        left = [] if self.texts_made_again else ["card and report were not compared"]
        return left if self.found is not None else [*left, "no row was judged again"]

    def exit_code(self, max_drift: float) -> Exit:
        """6: faults, or drift above the bound; 7: what matters could not be judged; or 0."""
        if self.faults or self.drift() > max_drift:
            return Exit.INTEGRITY
        return Exit.DONE if self.unjudged() is None else Exit.INCONCLUSIVE
