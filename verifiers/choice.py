r"""Compare answers as letters of a multiple choice.

A choice is one letter in any of its usual dresses: `B`, `b`, `(B)`, `B.`, `B)`, `B:`, `\text{B}`,
`\textbf{(B)}`, `**B**`, `$B$`. After `)`, `.` or `:` the option's own words may follow: `B) 12`.

Naming two letters is naming none: `A or B`, `AB`, `B) 12 or C) 13` are incorrect, reason `several`.
Among the words after the letter, another letter of the choices counts as named unless a word comes
after it: "B) A dog" is B, but "B) vitamin C" is taken for two. Better to lose a right answer than
to accept a hedge. Boxes that stand together with different letters in them, and a later marker that
names another letter, are no answer, reason `hedged`.

Not here: matching an option's words without its letter, and references of several letters.
"""

import re
from functools import lru_cache

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Status, Verdict
from tracefactory.verifiers.extract import final_answer, read_options

VERSION = "2"

MAX_CHARS = 4000

_DRESS = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:bf|it|rm)|mbox)(?![A-Za-z])|\\[,;!()]|[${}*`]")
_HEAD = re.compile(r"(?:\( ?([A-Za-z]) ?\)|([A-Za-z])(?=[).:]|$))(?:\)|[.:](?=\s|$))?")
_ALONE = r"(?<![\w'’])[A-Za-z](?![\w'’])"
_ANY_NAMED = re.compile(_ALONE)
# After the first letter, "a" and "I" before a word are English; others are a second choice.
_REST_NAMED = re.compile(_ALONE + r"(?<![AaIi](?=\s+\w))")


def letter(text: str, choices: str = "ABCDE") -> tuple[str | None, str]:
    """The one letter that the text names, or None; and why: `one`, `several` or `unparsable`."""
    if len(text) > MAX_CHARS:
        return None, "unparsable"
    text = _DRESS.sub("", text).strip()
    head = _HEAD.match(text)
    if head is None:
        # "A or B"; letters in a row ("AB") stand alone in no sense but name several all the same.
        named = {found.upper() for found in _ANY_NAMED.findall(text)}
        if text.isalpha() and len(text) <= len(choices):
            named.update(text.upper() if set(text.upper()) <= set(choices) else "")
        return None, "several" if len(named & set(choices)) > 1 else "unparsable"
    first = (head[1] or head[2]).upper()
    named = {found.upper() for found in _REST_NAMED.findall(text, head.end())}
    if len((named | {first}) & set(choices)) > 1:
        return None, "several"
    return (first, "one") if first in choices else (None, "unparsable")


def judge(
    reference: str, response: str, *, answer_after: str | None = None, choices: str = "ABCDE"
) -> Verdict:
    """Correct when the final answer names the same one letter as the reference.

    Raises:
        ValueError: if choices are not distinct capital letters.
    """
    return _judge(reference, response, answer_after, choices, "", "")


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """Judge an attempt; options are `answer_after` (see extract.py) and `choices`, such as "ABCD".

    Raises:
        ValueError: if problem.verifier_options holds anything else.
    """
    options = read_options(problem.verifier_options, ("answer_after", "choices"))
    return _judge(
        problem.reference,
        attempt.text,
        options.get("answer_after"),
        options.get("choices", "ABCDE"),
        attempt.id,
        _ADDRESS,
    )


_ADDRESS = f"tracefactory.verifiers.choice:verify@{VERSION}"


@lru_cache(maxsize=64)
def _check_choices(choices: str) -> None:
    if not re.fullmatch("[A-Z]+", choices) or len(set(choices)) < len(choices):
        raise ValueError(f"choices {choices!r} must be distinct capital letters, such as 'ABCD'")


def _judge(
    reference: str,
    response: str,
    answer_after: str | None,
    choices: str,
    attempt_id: str,
    verifier: str,
) -> Verdict:
    _check_choices(choices)
    want, why = letter(reference, choices)
    if want is None:
        return Verdict(attempt_id, "bad_reference", why, verifier)
    answer = final_answer(response, answer_after)
    if answer.text is None:
        return Verdict(attempt_id, "no_answer", answer.rule, verifier)
    got, why = letter(answer.text, choices)
    rival, rival_why = letter(answer.hedge or "", choices)
    if got is not None and (
        (len(answer.parts) > 1 and any(letter(part, choices)[0] != got for part in answer.parts))
        or rival not in (None, got)
        or rival_why == "several"
    ):
        return Verdict(attempt_id, "no_answer", "hedged", verifier, answer.text)
    status: Status = "correct" if got == want else "incorrect"
    reason = why if got is None else "equal" if got == want else "different"
    fields = {
        "answer": got,
        "reference": want,
        "rule": answer.rule,
        "span": (answer.start, answer.end),
    }
    evidence = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return Verdict(attempt_id, status, reason, verifier, answer.text, evidence)
