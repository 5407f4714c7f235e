r"""Do the references hold? An audit of problems by their own checkers; nothing is changed.

    unreadable     the checker cannot read the reference
    not_itself     the checker does not accept the reference as an answer to its own problem
    crashed        the checker raised, or failed, on the reference
    contradiction  equal statements (but for case and blanks), references that differ
    consensus      teachers agree with each other, and none with the reference
    reprinted      the symbolic checker accepts the reference, but not what it has read of it when
                   that is printed again, as LaTeX
    duplicate      equal statements, references that are the same to the checker

The first four are faults: a run on such problems makes wrong verdicts. The next two are suspicions:
teachers err together too, and what cannot be printed may have been read well. A duplicate does no
harm by itself.

Two references are the same when they are the same text, or when the checker accepts one for the
other, either way round. Each problem is judged by the checker that it names, also where a verify
stage names another. A checker whose module has no `judge(reference, response)` compares no answers
with answers, so that its problems are counted as not audited.

Not here: problems whose statement is wrong, statements that mean the same in other words, and
checkers that kill their process: they kill the audit.
"""

import hashlib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from tracefactory.audit.inputs import Answered, Item, ProblemSource
from tracefactory.errors import RecipeError
from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict
from tracefactory.verifiers.contract import AddressError, Verifier, resolve_verifier

Kind = Literal[
    "unreadable",
    "not_itself",
    "crashed",
    "contradiction",
    "consensus",
    "reprinted",
    "duplicate",
]

FAULTS: tuple[Kind, ...] = ("unreadable", "not_itself", "crashed", "contradiction")

TO_DO: Mapping[Kind, str] = {
    "unreadable": "correct the reference, or give the problem a checker that reads it",
    "not_itself": "write the reference in a simpler way, or leave the problem out",
    "crashed": "see whether the checker's options and packages are there; else report the text",
    "contradiction": "find out which reference is right; leave the others out",
    "consensus": "read the problem: the reference may be wrong, or all make the same mistake",
    "reprinted": "see that the form printed says what the reference says; else write it simpler",
    "duplicate": "nothing, but all but one of them cost attempts and tell nothing new",
}
"""What to do about each kind."""

KINDS: tuple[Kind, ...] = tuple(TO_DO)
"""All kinds, the worst first."""

MIN_TEACHERS = 2
MIN_ATTEMPTS = 3
"""How many attempts of the only teacher must agree."""

MAX_OTHERS = 10
"""Other problems that a finding names."""

_PRINTED = "tracefactory.verifiers.symbolic:"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    kind: Kind
    problem_id: str
    statement: str
    reference: str
    against: Mapping[str, str]
    """What stands against the reference, each text under its name: other problems' ids, attempts
    (`teacher/index`), or how the reference was printed again (`latex`)."""
    reason: str
    """The checker's reason, stable and countable; for a consensus how many attempts agree out of
    how many, `3_of_4`."""
    n: int = 1
    """A duplicate: how many problems repeat this one. Else 1."""


@dataclass(slots=True)
class Report:
    """What an audit has found."""

    problems: int = 0
    with_attempts: int = 0
    """Problems with verdicts on at least one attempt; only there can a consensus be seen."""
    not_audited: Counter[str] = field(default_factory=Counter[str])
    """Problems that cannot be audited, by reason."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """Rows of the input that are no problems at all, by reason."""
    findings: list[Finding] = field(default_factory=list[Finding])

    def counts(self) -> dict[Kind, int]:
        """Findings of each kind, the worst first; for duplicates the problems that repeat one."""
        total: Counter[Kind] = Counter()
        for finding in self.findings:
            total[finding.kind] += finding.n
        return {kind: total[kind] for kind in KINDS}

    def sound(self) -> bool:
        """Is there no fault?"""
        return not any(finding.kind in FAULTS for finding in self.findings)

    def of(self, kind: Kind) -> list[Finding]:
        """The findings of a kind; of consensus first those on which most agree."""
        found = [finding for finding in self.findings if finding.kind == kind]
        return sorted(found, key=_strength) if kind == "consensus" else found


def _strength(finding: Finding) -> tuple[float, int]:
    agree, _, attempts = finding.reason.partition("_of_")
    return -int(agree) / int(attempts), -int(agree)


def audit(source: ProblemSource, told: Callable[[int], None] = lambda n: None) -> Report:
    """Audit all problems of a source; `told` hears how many are done.

    Reads the source twice if statements repeat. Holds about 100 bytes a problem, the findings, and
    the problems whose statements repeat.

    Raises:
        RecipeError: no problem can be audited.
        SourceError, IntegrityError: the source cannot be read.
    """
    report, checkers = Report(), _Checkers()
    seen: set[int] = set()
    repeated: set[int] = set()
    for item in source.items(answers=True):
        report.problems += 1
        told(report.problems)
        verify = checkers.of(item.problem)
        if isinstance(verify, str):
            report.not_audited[verify] += 1
            continue
        key = _key(normal(item.problem.statement))
        (repeated if key in seen else seen).add(key)
        found = _itself(item.problem, verify)
        if found is not None:
            report.findings.append(found)
        report.with_attempts += bool(item.answered)
        agreed = _consensus(item, verify)
        if agreed is not None:
            report.findings.append(agreed)
    if report.problems == sum(report.not_audited.values()):
        why = "; ".join(f"{reason} ({n:,})" for reason, n in report.not_audited.most_common(3))
        raise RecipeError(f"none of {report.problems:,} problems can be audited: {why}")
    if repeated:
        report.findings += _repeats(source, repeated, checkers)
    report.left_out = source.left_out
    return report


class _Checkers:
    """The checkers of the problems, each resolved once."""

    def __init__(self) -> None:
        self._found: dict[str, Verifier | str] = {}

    def of(self, problem: Problem) -> Verifier | str:
        """The checker, or why problems with it cannot be audited."""
        address = problem.verifier
        if address not in self._found:
            self._found[address] = _checker(address)
        return self._found[address]


def _checker(address: str) -> Verifier | str:
    try:
        verify = resolve_verifier(address)
    except AddressError as error:
        return str(error)
    module = sys.modules[address.partition(":")[0]]
    judge: object = getattr(module, "judge", None)
    if callable(judge):
        names = list(inspect.signature(judge).parameters)
        if names[:2] == ["reference", "response"]:
            return verify
    return f"{address}: no judge(reference, response) beside it"


def normal(statement: str) -> str:
    """One form of a statement: lower case, every run of blanks one blank."""
    return " ".join(statement.split()).casefold()


def _key(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _ask(verify: Verifier, problem: Problem, answer: str) -> Verdict:
    """The verdict on a response that says nothing but this answer."""
    marker = orjson.loads(problem.verifier_options).get("answer_after")
    text = f"{marker} {answer}" if marker else f"\\boxed{{{answer}}}"
    attempt = Attempt("", problem.id, 0, "reference", "", "", text, "stop", None)
    try:
        return verify(problem, attempt)
    except Exception as error:  # a crash of a checker is a finding, whatever it raises
        return Verdict("", "error", f"crash:{type(error).__name__}")


# --- One problem -------------------------------------------------------------------------------


def _itself(problem: Problem, verify: Verifier) -> Finding | None:
    """The reference as an answer to its own problem, as written and as printed again."""
    verdict = _ask(verify, problem, problem.reference)
    if verdict.status == "bad_reference":
        return _finding("unreadable", problem, {}, verdict.reason)
    if verdict.status == "error":
        return _finding("crashed", problem, {}, verdict.reason)
    if verdict.status != "correct":
        return _finding("not_itself", problem, {}, verdict.reason)
    if not problem.verifier.startswith(_PRINTED):
        return None
    refused: dict[str, str] = {}
    reason = ""
    for form, text in _printed(problem.reference):
        verdict = _ask(verify, problem, text)
        if verdict.status != "correct":
            refused[form] = text
            reason = reason or f"{form}:{verdict.reason}"
    return _finding("reprinted", problem, refused, reason) if refused else None


def _printed(reference: str) -> Iterator[tuple[str, str]]:
    """What the symbolic checker has read, printed again."""
    from tracefactory.verifiers.maths import printing
    from tracefactory.verifiers.maths.reading import read_reference

    reading = read_reference(reference)
    if reading.kind == "math" and reading.node is not None:
        yield "latex", printing.latex(reading.node)


def _finding(
    kind: Kind, problem: Problem, against: Mapping[str, str], reason: str, n: int = 1
) -> Finding:
    return Finding(kind, problem.id, problem.statement, problem.reference, against, reason, n)


def _consensus(item: Item, verify: Verifier) -> Finding | None:
    """Do teachers agree with each other where none is right?"""
    answered = item.answered
    if any(attempt.status == "correct" for attempt in answered):
        return None
    wrong = [(a, a.final_answer) for a in answered if a.status == "incorrect" and a.final_answer]
    alone = len({attempt.teacher for attempt in answered}) == 1
    if len(wrong) < (MIN_ATTEMPTS if alone else MIN_TEACHERS):
        return None
    groups: list[list[tuple[Answered, str]]] = []
    for attempt, answer in wrong:
        for group in groups:
            # One answer takes the place of the reference; unreadable ones agree with nothing.
            if _accepts(verify, replace(item.problem, reference=group[0][1]), answer):
                group.append((attempt, answer))
                break
        else:
            groups.append([(attempt, answer)])
    largest = max(groups, key=lambda group: (len({a.teacher for a, _ in group}), len(group)))
    teachers = {attempt.teacher for attempt, _ in largest}
    if len(largest) < MIN_ATTEMPTS if alone else len(teachers) < MIN_TEACHERS:
        return None
    against = {f"{attempt.teacher}/{attempt.index}": answer for attempt, answer in largest}
    return _finding("consensus", item.problem, against, f"{len(largest)}_of_{len(answered)}")


def _accepts(verify: Verifier, problem: Problem, answer: str) -> bool:
    return _ask(verify, problem, answer).status == "correct"


# --- Problems with equal statements ------------------------------------------------------------


@dataclass(slots=True)
class _Same:
    """Problems with one statement and, to the checker, one reference."""

    first: Problem
    others: dict[str, str] = field(default_factory=dict[str, str])
    n: int = 0


def _repeats(source: ProblemSource, keys: set[int], checkers: _Checkers) -> Iterator[Finding]:
    """Contradictions and duplicates among the problems whose statements hash to these keys."""
    groups: dict[str, list[_Same]] = {}
    for item in source.items(answers=False):
        problem = item.problem
        statement = normal(problem.statement)
        if _key(statement) not in keys or isinstance(checkers.of(problem), str):
            continue
        group = groups.setdefault(statement, [])
        for same in group:
            if _difference(same.first, problem, checkers) is None:
                same.n += 1
                if len(same.others) < MAX_OTHERS:
                    same.others[problem.id] = problem.reference
                break
        else:
            group.append(_Same(problem))
    for group in groups.values():
        if len(group) > 1:
            yield _contradiction(group, checkers)
        for same in group:
            if same.n:
                yield _finding("duplicate", same.first, same.others, "equal", same.n)


def _contradiction(group: Sequence[_Same], checkers: _Checkers) -> Finding:
    first, *others = (same.first for same in group)
    reason = _difference(first, others[0], checkers) or ""
    against = {other.id: other.reference for other in others[:MAX_OTHERS]}
    return _finding("contradiction", first, against, reason)


def _difference(first: Problem, second: Problem, checkers: _Checkers) -> str | None:
    """Why the checkers do not take one reference for the other; None if they do."""
    if first.reference == second.reference:
        return None
    reason = ""
    for problem, other in ((first, second), (second, first)):
        verify = checkers.of(problem)
        if isinstance(verify, str):
            continue
        verdict = _ask(verify, problem, other.reference)
        if verdict.status == "correct":
            return None
        reason = reason or verdict.reason
    return reason
