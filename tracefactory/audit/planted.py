"""Wrong answers planted in rows that are correct: does the checker catch them?

Nothing is written: a row is read, its answer changed in memory, and the changed response judged.
What is planted is a value that the reference does not equal (another number, the other sign, the
neighbour, another problem's reference), where the answer stood; for a program, a changed constant
or operator, or a body that does nothing. A changed program may by chance still be right, so what
is accepted is listed: an auditor has to look at it.
"""

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from tracefactory.audit.faults import short
from tracefactory.audit.judging import Judged, ask, judge
from tracefactory.audit.recheck import Order
from tracefactory.audit.traces import Trace
from tracefactory.trusted import Refused
from tracefactory.verifiers.numeric import rational

PROGRAM = "tracefactory.verifiers.python_program:verify"
ROWS = 40
"""Of one job; references are exchanged within it."""

MAX_PROGRAM_CHARS = 20_000
"""A longer program is not parsed to be changed."""

_DIGIT = re.compile(r"[1-9]")
_LETTER = re.compile(r"\(?([A-J])\)?\.?")


class Planted(NamedTuple):
    """One wrong answer, and what the checker said of it."""

    id: str
    kind: str
    right: str
    wrong: str
    status: str
    reason: str


@dataclass(slots=True)
class Probe:
    """What came of the planted answers; mergeable."""

    planted: Counter[str] = field(default_factory=Counter[str])
    """By kind."""
    caught: Counter[str] = field(default_factory=Counter[str])
    undecided: Counter[str] = field(default_factory=Counter[str])
    """Not accepted, but not called wrong either."""
    accepted: list[Planted] = field(default_factory=list[Planted])
    unused: Counter[str] = field(default_factory=Counter[str])
    """Rows in which nothing could be planted, by reason."""

    def merge(self, other: "Probe") -> None:
        """Add what came of other rows."""
        self.planted += other.planted
        self.caught += other.caught
        self.undecided += other.undecided
        self.accepted += other.accepted
        self.unused += other.unused


def probe(order: Order) -> Probe:
    """Plant one wrong answer in each row of an order."""
    found = Probe()
    traces = [t for t in order.reader.traces(order.span) if isinstance(t, Trace)]
    for trace in traces:
        others = [
            other.problem.reference
            for other in traces
            if other.problem.task_type == trace.problem.task_type
        ]
        try:
            _plant(trace, judge(trace, order.allowed), others, found)
        except Refused as refused:
            found.unused[str(refused)] += 1
    return found


def _plant(trace: Trace, judged: Judged, others: Sequence[str], found: Probe) -> None:
    if judged.verdict.status != "correct":
        raise Refused(f"the row is judged {judged.verdict.status} now")
    wrongs = dict(_wrong(judged, others))
    if not wrongs:
        raise Refused("nothing is known that would surely be wrong here")
    # One a row, and all kinds in turn: which one follows from the row's id.
    kinds = sorted(wrongs)
    kind = kinds[sum(trace.id.encode()) % len(kinds)]
    wrong = wrongs[kind]
    verdict = ask(judged.checker, judged.problem, trace, _response(trace, judged, wrong))
    if verdict.status == "error":
        raise Refused(f"its checker cannot run here: {verdict.reason}")
    found.planted[kind] += 1
    if verdict.status == "correct":
        right, shown = _shown(judged, wrong)
        found.accepted.append(
            Planted(trace.id, kind, short(right), short(shown), verdict.status, verdict.reason)
        )
    elif verdict.status in ("incorrect", "no_answer"):
        found.caught[kind] += 1
    else:
        found.undecided[kind] += 1


def _shown(judged: Judged, wrong: str) -> tuple[str, str]:
    """What was right and what is wrong; of programs the first line that differs."""
    right = judged.verdict.final_answer or judged.problem.reference
    if judged.checker.address != PROGRAM:
        return right, wrong
    lines = zip(ast.unparse(ast.parse(right)).split("\n"), wrong.split("\n"), strict=False)
    return next(((a.strip(), b.strip()) for a, b in lines if a != b), (right, wrong))


def _wrong(judged: Judged, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    if judged.checker.address == PROGRAM:
        yield from wrong_programs(judged.verdict.final_answer or "")
    else:
        tolerant = "tolerance" in orjson.loads(judged.problem.verifier_options)
        for kind, wrong in wrong_answers(judged.problem.reference, others):
            if not (tolerant and kind == "off_by_one"):
                yield kind, wrong


def _response(trace: Trace, judged: Judged, wrong: str) -> str:
    """The response with the wrong answer where the right one stood."""
    if judged.checker.address == PROGRAM:
        return f"```python\n{wrong}\n```"
    text = trace.attempt.text
    span = _span(orjson.loads(judged.verdict.evidence), text, judged.verdict.final_answer)
    if span is not None:
        return text[: span[0]] + wrong + text[span[1] :]
    marker = orjson.loads(judged.problem.verifier_options).get("answer_after")
    return f"{marker} {wrong}" if marker else f"\\boxed{{{wrong}}}"


def _span(evidence: object, text: str, answer: str | None) -> tuple[int, int] | None:
    """Where the checker found the answer, if its evidence says so and it stands there."""
    span = evidence.get("span") if isinstance(evidence, Mapping) else None
    if not isinstance(span, list) or len(span) != 2 or answer is None:
        return None
    start, end = span
    if isinstance(start, int) and isinstance(end, int) and text[start:end] == answer:
        return start, end
    return None


# --- Answers -------------------------------------------------------------------------------------


def wrong_answers(reference: str, others: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Answers by kind that the reference does not equal; none where nothing is sure.

    A number is changed in its first digit, which no tolerance forgives; in its sign; and, if it is
    whole, by one. A letter becomes the next. Else it is another problem's reference.
    """
    number = rational(reference)
    letter = _LETTER.fullmatch(reference.strip())
    if number is not None:
        yield from _numbers(reference, number)
    elif letter is not None:
        at = letter.start(1)
        other = chr((ord(letter[1]) - ord("A") + 1) % 4 + ord("A"))
        yield "letter", reference.strip()[:at] + other + reference.strip()[at + 1 :]
    for other in others:
        if _differs(number, reference, other):
            yield "other_reference", other
            break


def _numbers(reference: str, number: tuple[int, int]) -> Iterator[tuple[str, str]]:
    digit = _DIGIT.search(reference)
    if digit is not None:
        changed = str(int(digit[0]) % 9 + 1)
        wrong = reference[: digit.start()] + changed + reference[digit.end() :]
        if rational(wrong) not in (None, number):
            yield "digit", wrong
    top, bottom = number
    if top:
        text = f"{-top}" if bottom == 1 else f"{-top}/{bottom}"
        yield "sign", text
    if bottom == 1:
        yield "off_by_one", str(top + 1)


def _differs(number: tuple[int, int] | None, reference: str, other: str) -> bool:
    """Surely another value: both numbers, or both no numbers and of other letters and digits."""
    theirs = rational(other)
    if number is not None or theirs is not None:
        return number is not None and theirs is not None and number != theirs
    left, right = (sorted(re.findall(r"\w", text.casefold())) for text in (reference, other))
    return bool(right) and left != right


# --- Programs ------------------------------------------------------------------------------------

_OPERATORS: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_COMPARISONS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def wrong_programs(program: str) -> Iterator[tuple[str, str]]:
    """Programs by kind that do something else; the last place where they can is changed."""
    if len(program) > MAX_PROGRAM_CHARS:
        return
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for kind, change in (("constant", _constant), ("operator", _operator), ("stub", _stub)):
        try:
            mutant = copy.deepcopy(tree)
            if change(mutant):
                yield kind, ast.unparse(ast.fix_missing_locations(mutant))
        except RecursionError:  # a program nested deeper than Python walks
            return


def _constant(tree: ast.Module) -> bool:
    """The last number but no text: texts are often only messages."""
    numbers = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]
    if not numbers:
        return False
    last = max(numbers, key=lambda node: (node.lineno, node.col_offset))
    assert isinstance(last.value, int | float)
    last.value += 1
    return True


def _operator(tree: ast.Module) -> bool:
    """The last operator that has an opposite."""
    places = [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS)
        or (isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS)
    ]
    if not places:
        return False
    last = max(places, key=lambda node: (node.lineno, node.col_offset))
    if isinstance(last, ast.Compare):
        last.ops[0] = _COMPARISONS[type(last.ops[0])]()
    else:
        last.op = _OPERATORS[type(last.op)]()
    return True


def _stub(tree: ast.Module) -> bool:
    """All functions do nothing; a program without functions is nothing at all."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        function.body = [ast.Return(ast.Constant(None))]
    if not functions:
        tree.body = [ast.Pass()]
    return True
