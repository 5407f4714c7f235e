r"""Compare answers as mathematics: LaTeX and plain, numbers, units, sets, equations, functions.

The conventions (what may be missing, what must be exact, what is ordered) are in docs/symbolic.md;
the reference decides the type. In short: a bare list is unordered and complete, a tuple ordered; a
missing unit is accepted, a contradicting one is not, a convertible one is converted; an exact
reference needs an exact answer, a decimal one has the tolerance its digits or the task state;
several alternatives for one value are wrong; variable names matter.

A verdict is decided by the first tier that can (verifiers/maths): words, exact rationals,
identities over prime fields and their normal forms, algebraic numbers with a separation bound,
balls of rising precision, computer algebra. Its evidence says which one, whether that is a proof,
and what was compared. Overlapping balls alone are `probable`, never `proved`.

Same input, same verdict: budgets are counted, random points are drawn from the two texts. Only
computer algebra, the last tier, can be stopped by a clock; such a verdict says `limited_by`.

Not here: finding the answer (extract.py), proofs, steps (steps.py), programs.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import NamedTuple, cast

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Status, Verdict
from tracefactory.verifiers import second_opinion
from tracefactory.verifiers.extract import Answer, final_answer, read_options, whole_answer
from tracefactory.verifiers.maths.answers import compare_answers
from tracefactory.verifiers.maths.choices import is_letter_run, letter_choice, letter_set
from tracefactory.verifiers.maths.comparison import Comparison, Tolerance, tolerance_of
from tracefactory.verifiers.maths.dates import clock, date, same_clock
from tracefactory.verifiers.maths.labelled import labelled_parts
from tracefactory.verifiers.maths.lex import Unreadable
from tracefactory.verifiers.maths.nodes import Node
from tracefactory.verifiers.maths.phrases import is_none, phrases, said, yes_no
from tracefactory.verifiers.maths.printing import short
from tracefactory.verifiers.maths.quick import Number, compare, read_number
from tracefactory.verifiers.maths.reading import Reading, bare, candidates, read_reference
from tracefactory.verifiers.maths.wording import named_words
from tracefactory.verifiers.maths.words import plain, undressed, without_label

VERSION = "1"

_LIKE_A_TIME = re.compile(r"[0-9]+:[0-9]+")

OPTIONS = ("answer_after", "tolerance", "second_opinion", "on_disagreement")
"""`answer_after`: see extract.py. `tolerance`: "0.01" or "1%", instead of what the digits state.
`second_opinion`: "math-verify" asks that checker too and records whether it agrees.
`on_disagreement`: "undecided" makes a verdict that it contradicts undecided; else "keep"."""


class _Options(NamedTuple):
    answer_after: str | None
    tolerance: Tolerance | None
    second_opinion: bool
    undecided_on_disagreement: bool


def judge(reference: str, response: str, *, options: Mapping[str, str] | None = None) -> Verdict:
    """Correct when the final answer means the same as the reference.

    Callable from any thread and process. `options` are those of OPTIONS.

    Raises:
        ValueError: if an option is unknown or has no such value.
        ImportError: if a second opinion is asked for and its package is not installed.
        StartError: if no process for computer algebra can be started (tracefactory.killable).
    """
    return _judge(reference, response, _options(options or {}), "", "")


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """Judge an attempt; problem.verifier_options may hold OPTIONS.

    Raises:
        ValueError: if problem.verifier_options holds anything else.
    """
    options = read_options(problem.verifier_options, OPTIONS)
    return _judge(problem.reference, attempt.text, _options(options), attempt.id, _ADDRESS)


_ADDRESS = f"tracefactory.verifiers.symbolic:verify@{VERSION}"
_NO_OPTIONS = _Options(None, None, False, False)


def _options(given: Mapping[str, str]) -> _Options:
    if not given:
        return _NO_OPTIONS
    for name in given:
        if name not in OPTIONS:
            raise ValueError(f"unknown option {name!r} of symbolic; known: {', '.join(OPTIONS)}")
    tolerance = given.get("tolerance")
    opinion = given.get("second_opinion", "")
    if opinion not in ("", "math-verify"):
        raise ValueError(f"second_opinion {opinion!r} is unknown; known: math-verify")
    disagreement = given.get("on_disagreement", "keep")
    if disagreement not in ("keep", "undecided"):
        raise ValueError(f"on_disagreement {disagreement!r} is unknown; known: keep, undecided")
    if opinion:
        second_opinion.require()
    return _Options(
        given.get("answer_after"),
        None if tolerance is None else tolerance_of(tolerance),
        bool(opinion),
        disagreement == "undecided",
    )


class _Decided(NamedTuple):
    comparison: Comparison
    kind: str
    reference: str
    answer: str
    """Normal forms, for the evidence."""


def _judge(
    reference: str, response: str, options: _Options, attempt_id: str, verifier: str
) -> Verdict:
    if not (response.isascii() and reference.isascii()):
        response, reference = map(_encodable, (response, reference))
    answer = final_answer(response, options.answer_after)
    if answer.rule == "nothing_found" and options.answer_after is None:
        answer = whole_answer(response)
    if (
        options is _NO_OPTIONS
        and answer.text is not None
        and answer.hedge is None
        and len(answer.parts) < 2
        and (wanted := read_number(reference)) is not None
        and wanted.bare
        and (got := read_number(answer.text)) is not None
    ):
        return _numbers(wanted, got, answer, attempt_id, verifier)
    want = read_reference(reference)
    if want.node is None and want.word is None:
        return Verdict(attempt_id, "bad_reference", want.why or "unparsable", verifier)
    if answer.text is None:
        return Verdict(attempt_id, "no_answer", answer.rule, verifier)
    decided = _decide(want, answer, options)
    if answer.rule == "whole" and decided.comparison.reason == "unparsable":
        return Verdict(attempt_id, "no_answer", "nothing_found", verifier)
    verdict = _verdict(decided, answer, attempt_id, verifier)
    return (
        _asked_again(verdict, reference, response, options) if options.second_opinion else verdict
    )


def _encodable(text: str) -> str:
    """The text with `?` for lone surrogates, which no file can hold; places stay the same."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _numbers(want: Number, got: Number, answer: Answer, attempt_id: str, verifier: str) -> Verdict:
    """Nine answers of ten, without a parser."""
    reason, tier = compare(want, got)
    status: Status = "incorrect" if reason == "different" else "correct"
    evidence = (
        f'{{"answer":"{got.shown}","certainty":"proved","reference":"{want.shown}",'
        f'"rule":"{answer.rule}","span":[{answer.start},{answer.end}],"tier":"{tier}","type":"math"}}'
    )
    return Verdict(attempt_id, status, reason, verifier, answer.text, evidence)


def _decide(want: Reading, answer: Answer, options: _Options) -> _Decided:
    """Compare, with what hedging there is."""
    text = answer.text or ""
    if len(answer.parts) > 1:
        decided = _compare(want, _together(want, answer), options)
        if decided.comparison.equal or answer.labels or not _is_one_value(want):
            return decided
        each = [_compare(want, part, options) for part in answer.parts]
        if all(part.comparison.equal for part in each):
            return each[-1]
        return _hedged(each[-1])
    decided = _compare(want, text, options)
    if answer.hedge is not None:
        rival = _compare(want, answer.hedge, options)
        if rival.comparison.equal != decided.comparison.equal:
            return _hedged(decided)
    return decided


def _together(want: Reading, answer: Answer) -> str:
    """Boxes that stand together as one answer: with their labels, if those can matter."""
    parts = list(map(bare, answer.parts))
    lettered = "".join(answer.labels).startswith("(")
    if not answer.labels or want.kind not in ("math", "parts" if lettered else "math"):
        return (" or " if answer.joined_by_or else ", ").join(parts)
    joint = " " if lettered else " = "
    return ", ".join(
        f"{label}{joint}{part}" for label, part in zip(answer.labels, parts, strict=True)
    )


def _is_one_value(want: Reading) -> bool:
    return want.node is None or want.node.kind not in ("list", "set", "tuple", "union")


def _hedged(decided: _Decided) -> _Decided:
    return decided._replace(comparison=Comparison(False, "hedged", "type"))


def _compare(want: Reading, text: str, options: _Options) -> _Decided:
    text = without_label(text)
    if want.kind == "math" and want.node is not None:
        decided = _mathematics(want, want.node, text, options)
        # `\text{pi}` for `pi`
        if decided.comparison.reason not in ("other_type", "unparsable") or "\\" not in text:
            return decided
        if undressed(text) != undressed(want.text):
            return decided
        return _told(want, undressed(text), True, decided.reference)
    return _words(want, text, options)


def _mathematics(want: Reading, node: Node, text: str, options: _Options) -> _Decided:
    """The best that any reading of the answer comes to."""
    best: tuple[Comparison, Node] | None = None
    shown = want.shown or short(node)
    if node.kind == "based" and bare(text) == str(node.value).partition("_")[0]:
        text = str(node.value)  # 152A, its base missing, is no product
    try:
        for candidate in candidates(text):
            found = compare_answers(node, candidate, options.tolerance)
            if found.equal:
                return _Decided(found, "math", shown, short(candidate))
            if best is None or (best[0].equal is False and found.equal is None):
                best = found, candidate
    except Unreadable as error:
        why = str(error)
        # Too long or too deep says nothing about the answer; words and broken syntax do.
        equal = None if why in ("too_long", "too_deep") else False
        reason = why if equal is None else "unparsable"
        return _Decided(Comparison(equal, reason, "parse"), "math", shown, f"unread: {why}")
    if best is None:
        return _Decided(Comparison(False, "unparsable", "parse"), "math", shown, "")
    return _Decided(best[0], "math", shown, short(best[1]))


def _words(want: Reading, text: str, options: _Options) -> _Decided:
    """References that are letters, words, days or times."""
    stripped = bare(text)
    got: object
    if want.kind == "choice":
        return _choice(want, stripped, options)
    if want.kind == "letters":
        wanted = cast("frozenset[str]", want.word)
        got = letter_set(stripped)
        together = undressed(stripped)
        if got is None and is_letter_run(together):
            got = frozenset(together)
        return _told(want, "".join(sorted(got or ())), got == wanted, "".join(sorted(wanted)))
    if want.kind == "yes_no":
        got = yes_no(stripped)
        return _told(want, got or plain(stripped), got == want.word)
    if want.kind == "none":
        got = is_none(stripped)
        restricted = str(want.word).startswith("none")
        equal = got == want.word or (got == "none" and restricted)
        if not equal and restricted:
            try:
                equal = any(node == Node("set") for node in candidates(stripped))
            except Unreadable:
                equal = False
        return _told(want, got or plain(stripped), equal)
    if want.kind == "date":
        got = date(stripped)
        return _told(want, str(got), got == want.word or plain(stripped) == plain(want.text))
    if want.kind == "clock":
        return _time(want, stripped, options)
    if want.kind == "parts":
        return _parts(want, stripped, options)
    return _texts(want, stripped) if want.kind == "texts" else _text(want, stripped, options)


def _text(want: Reading, text: str, options: _Options) -> _Decided:
    """Letter by letter; a product of letters that may be a word, as such if it has signs."""
    name, words = named_words(want.text)
    own, got = named_words(text)
    equal = said(got) == said(words) and (own == name or not (own and name))
    if not equal and is_letter_run(words):
        equal = letter_set(text) == frozenset(words)  # `A, B, D` for `ABD`
    if not equal and want.node is not None and (_SIGN.search(text) or want.text[0].isdigit()):
        return _mathematics(want, want.node, text, options)
    return _told(want, plain(text), equal)


_SIGN = re.compile(r"\\(?:cdot|times)|[*^·×]")


def _texts(want: Reading, text: str) -> _Decided:
    """A list of words: complete, and in order only where its order counts."""
    ordered, items = cast("tuple[bool, tuple[str, ...]]", want.word)
    _, got = phrases(text)
    equal = got == items if ordered else sorted(got) == sorted(items)
    return _told(want, ", ".join(got), equal, ", ".join(items))


def _parts(want: Reading, text: str, options: _Options) -> _Decided:
    """Part by part: by the labels if the answer has them, else in their order."""
    wanted = cast("tuple[tuple[str, str], ...]", want.word)
    found = labelled_parts(text)
    if found is None:
        inner = text[1:-1] if text[:1] == "(" and text.find(")") == len(text) - 1 else text
        pieces = _APART.split(inner)
        found = tuple(zip((label for label, _ in wanted), pieces, strict=False))
        found = found if len(pieces) == len(wanted) else ()
    values = dict(found)
    if len(found) != len(wanted) or values.keys() != dict(wanted).keys():
        return _told(want, text, False, want.text)
    worst = _told(want, text, True, want.text)
    for label, value in wanted:
        part = _compare(read_reference(value), values[label], options)
        if part.comparison.equal is not True:
            return part._replace(kind="parts")
        if part.comparison.certainty == "probable":
            worst = part
    return worst._replace(kind="parts", reference=want.text, answer=text[:200])


_APART = re.compile(r"\s*[,;]\s*(?![0-9]{3}(?![0-9]))(?:and\s+)?|\s*[,;]\s+|\s+and\s+")


def _choice(want: Reading, text: str, options: _Options) -> _Decided:
    """The letter decides; the words behind it must not contradict those of the reference."""
    letter, rest = cast("tuple[str, str]", want.word)
    got = letter_choice(text)
    if got is None:
        if rest and not letter_choice(rest):
            inner = _compare(read_reference(rest), text, options)
            return inner._replace(kind="choice")
        return _told(want, plain(text), False, letter)
    if got[0] != letter:
        return _told(want, got[0], False, letter)
    if rest and got[1]:
        inner = _compare(read_reference(rest), got[1], options)
        return inner._replace(kind="choice")
    return _told(want, letter, True, letter)


def _time(want: Reading, text: str, options: _Options) -> _Decided:
    got = clock(text)
    if got is not None:
        return _told(
            want, str(got), same_clock(cast("tuple[int, str | None, int]", want.word), got)
        )
    # `3:10` may be a ratio too, but `2:60` is neither that nor a time.
    if want.node is not None and want.node.kind == "ratio" and not _LIKE_A_TIME.fullmatch(text):
        return _mathematics(want, want.node, text, options)
    return _told(want, plain(text), False)


def _told(want: Reading, got: str, equal: bool, reference: str | None = None) -> _Decided:
    comparison = Comparison(equal, "equal" if equal else "different", "text")
    return _Decided(
        comparison, want.kind, str(want.word) if reference is None else reference, got[:200]
    )


_STATUS_OF_REASON: dict[str, Status] = {"hedged": "no_answer", "crash": "error"}
_WITHOUT_LIBRARIES = ("structure", "exact", "type", "text", "parse")


@cache
def _versions() -> tuple[dict[str, str], dict[str, str]]:
    """The libraries whose release may play a part: in what sympy decides, in what others do."""
    flint = {"python-flint": version("python-flint")}
    return flint | {"sympy": version("sympy")}, flint


_STATUS: dict[bool | None, Status] = {True: "correct", False: "incorrect", None: "undecided"}


def _verdict(decided: _Decided, answer: Answer, attempt_id: str, verifier: str) -> Verdict:
    found = decided.comparison
    status = _STATUS_OF_REASON.get(found.reason, _STATUS[found.equal])
    fields: dict[str, object] = {
        "answer": decided.answer,
        "certainty": found.certainty,
        "reference": decided.reference,
        "rule": answer.rule,
        "span": (answer.start, answer.end),
        "tier": found.tier,
        "type": decided.kind,
    }
    if found.tier not in _WITHOUT_LIBRARIES:
        fields["versions"] = _versions()[found.tier != "cas"]
    if found.detail:
        fields["detail"] = found.detail
    evidence = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS, default=str).decode()
    return Verdict(
        attempt_id, status, found.reason, verifier, answer.text, evidence, found.limited_by
    )


def _asked_again(verdict: Verdict, reference: str, response: str, options: _Options) -> Verdict:
    """The verdict with what Math-Verify says of the same pair."""
    if verdict.status not in ("correct", "incorrect"):
        return verdict
    opinion = second_opinion.ask(reference, response)
    evidence = orjson.loads(verdict.evidence)
    evidence["second_opinion"] = {"accepts": opinion.agrees, "detail": opinion.detail}
    shown = orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS).decode()
    differs = opinion.agrees is not None and opinion.agrees != (verdict.status == "correct")
    status: Status = verdict.status
    reason = verdict.reason
    if differs and options.undecided_on_disagreement:
        status, reason = "undecided", "disagreement"
    return Verdict(
        verdict.attempt_id, status, reason, verdict.verifier, verdict.final_answer, shown,
        verdict.limited_by,
    )  # fmt: skip
