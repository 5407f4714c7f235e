"""What this data teaches: the figures of `prove` and `loop`, for the card and the report.

Nothing is claimed beyond what was measured: where training did not come to its end, it says so,
and splits on which the models fail are shown like those on which they do not.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from tracefactory.report.charts import Curve, curves
from tracefactory.schemas.proof import Arm, Loop, Proof, ProofRun

MEANING: Mapping[str, str] = {
    "verified": "the rows of `sft`, as published",
    "direct": "the same problems, answers without reasoning",
    "unverified": "attempt 0 at every problem, right or wrong",
    "decorative": "right answers behind the reasoning about another problem",
}


class Row(NamedTuple):
    """One arm, or one arm of a loop, with a value per seed or round."""

    name: str
    meaning: str
    cells: Sequence[str]


class Taught(NamedTuple):
    """A table, its drawing and what may be said of it."""

    summary: str
    heads: Sequence[str]
    rows: Sequence[Row]
    caption: str
    drawing: Markup
    notes: Sequence[str]


def proven(data: Mapping[str, Any] | None) -> Taught | None:
    """The section about a proof; None: there is none."""
    if data is None:
        return None
    proof = Proof.from_json(data)
    splits = _splits(proof)
    heads = [
        *splits,
        "test, T=1",
        "answer moved",
        "loss",
    ]
    rows = [
        Row(
            arm.name,
            MEANING[arm.name],
            [
                *(_over_seeds([_share(run, split) for run in arm.runs]) for split in splits),
                _over_seeds([_sampled(run) for run in arm.runs]),
                _over_seeds([_moved(run) for run in arm.runs]),
                " / ".join(f"{run.loss:.3f}" for run in arm.runs),
            ],
        )
        for arm in proof.arms
    ]
    lines = [
        Curve(
            f"{arm.name}, seed {run.seed}",
            f"c-{arm.name}",
            [*zip(run.tokens, run.losses, strict=True)],
        )
        for arm in proof.arms
        for run in arm.runs
    ]
    caption = "Training loss, nats a token"
    drawing = curves("proof-loss", caption, lines, "tokens seen", percent=False)
    return Taught(_summary(proof), heads, rows, caption, drawing, _notes(proof))


def _splits(proof: Proof) -> list[str]:
    found = [score.split for score in proof.arm("verified").runs[0].scores]
    return sorted(found, key=lambda split: (split != "test", split))


def _share(run: ProofRun, split: str) -> float:
    (score,) = [score for score in run.scores if score.split == split]
    return score.greedy / score.n


def _sampled(run: ProofRun) -> float | None:
    (score,) = [score for score in run.scores if score.split == "test"]
    return None if score.sampled is None else score.sampled / score.n


def _moved(run: ProofRun) -> float | None:
    """Of the altered traces that were not put right at once."""
    if run.probe is None or run.probe.n == run.probe.repaired:
        return None
    return run.probe.moved / (run.probe.n - run.probe.repaired)


def _over_seeds(shares: Sequence[float | None]) -> str:
    """Every seed, in the order of the seeds."""
    found = [share for share in shares if share is not None]
    return " / ".join(f"{100 * share:.1f}" for share in found) + " %" if found else "–"


def _summary(proof: Proof) -> str:
    if not proof.conclusive:
        late = [str(run.seed) for run in proof.arm("verified").runs if run.loss >= proof.gate]
        return (
            f"Inconclusive: with {proof.tokens:,} tokens, training on the verified rows did not "
            f"come under a loss of {proof.gate} (seed {', '.join(late)}), so nothing is claimed."
        )
    return (
        f"Models of {proof.parameters:,} parameters, each trained on {proof.tokens:,} tokens of "
        f"{proof.task_type}, answer this share of the held-out problems of the same kind: "
        + "; ".join(f"{a.name} {_mean(a):.1f} %" for a in proof.arms if a.name != "decorative")
        + f" (means over {len(proof.arm('verified').runs)} seeds, greedy; the commonest answer is "
        f"right in {100 * proof.constant:.1f} %)."
    )


def _mean(arm: Arm) -> float:
    return 100 * sum(_share(run, "test") for run in arm.runs) / len(arm.runs)


def _notes(proof: Proof) -> list[str]:
    (test,) = [s for s in proof.arm("verified").runs[0].scores if s.split == "test"]
    seconds = [run.cpu_s for arm in proof.arms for run in arm.runs]
    notes = [
        f"Each value is one seed, greedy unless T=1 is said (one answer drawn at temperature 1). "
        f"test has {test.n:,} problems; `ood_` splits are of kinds that no training problem is of. "
        "decorative only controls the last but one column, and has a third of the budget.",
        "Answer moved: one step of the model's own right trace was altered and it went on; the "
        "share that ended in another answer, of those that did not put the step right at once."
        + _implied(proof),
        f"A proof about {proof.task_type} at this size, and about nothing else. torch "
        f"{proof.torch}, {proof.device}; {sum(seconds):,.0f} CPU s for {len(seconds)} models.",
    ]
    return notes


def _implied(proof: Proof) -> str:
    probes = [run.probe for run in proof.arm("verified").runs if run.probe is not None]
    altered, moved, repaired = (
        sum(getattr(probe, name) for probe in probes) for name in ("n", "moved", "repaired")
    )
    if not altered:
        return ""
    said = (
        f" Of {altered:,} altered traces of the verified models {moved:,} moved, and {repaired:,} "
        "put the step right"
    )
    known = [(p.implied, p.moved) for p in probes if p.implied is not None]
    if not any(n for _, n in known):
        return f"{said}."
    share = 100 * sum(i for i, _ in known) / sum(n for _, n in known)
    return f"{said}; {share:.1f} % of the moved became what the altered step leads to."


def looped(data: Mapping[str, Any] | None) -> Taught | None:
    """The section about a loop; None: the rows are of no loop."""
    if data is None:
        return None
    loop = Loop.from_json(data)
    rounds = range(len(loop.arms[0].rounds))
    rows = [
        Row(arm.name, arm.meaning, [f"{100 * r.greedy / r.n:.1f} %" for r in arm.rounds])
        for arm in loop.arms
    ]
    lines = [
        Curve(
            arm.name,
            f"c-{arm.name}",
            [(float(i), r.greedy / r.n) for i, r in enumerate(arm.rounds)],
        )
        for arm in loop.arms
    ]
    caption = "Held-out problems answered, greedy"
    drawing = curves("loop", caption, lines, "round", percent=True)
    first, last = loop.arms[0].rounds[0], loop.arms[0].rounds[-1]
    summary = (
        f"A model that was its own teacher for {len(rounds) - 1} rounds, learning from what the "
        f"checkers passed: {100 * first.greedy / first.n:.1f} % of {first.n:,} held-out problems "
        f"before, {100 * last.greedy / last.n:.1f} % after."
    )
    accepted = " / ".join(
        f"{100 * r.accepted / r.samples:.1f}" for r in loop.arms[0].rounds if r.samples
    )
    notes = [
        f"Every arm was trained on as many tokens in each round ({loop.tokens:,}), from the same "
        "first model. One seed.",
        f"Samples that the checkers passed, by round: {accepted} %.",
    ]
    return Taught(summary, [f"round {i}" for i in rounds], rows, caption, drawing, notes)


_STYLE = (
    "text{font:10.5px sans-serif;fill:#565e67}.end{text-anchor:end}.line{stroke:#d8dad6}"
    ".curve{fill:none;stroke-width:1.4}.c-verified{stroke:#1f6fb2}.c-unverified{stroke:#cc6f1d}"
    ".c-direct{stroke:#5d6b7a}.c-decorative{stroke:#5d6b7a;stroke-dasharray:3 3}"
)


def standing_alone(shown: Taught) -> str:
    """The drawing as a file of its own, which no style sheet goes with."""
    svg = str(shown.drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return svg.replace("<title", f"<style>{_STYLE}</style><title", 1) + "\n"
