r"""Find the final answer of a response, and the part of it that is reasoning.

The rules, in this order; the first that finds something wins:

1. Only the text after the last `</think>` (or `</thinking>`) counts. A `<think>` that is never
   closed afterwards means that the response never came to an answer.
2. With `answer_after` (such as `A:`): the rest of the last line that starts with it, and no other.
3. The last balanced `\boxed{...}` or `\fbox{...}`, or `\boxed 7` without braces.
4. The text of the last closed `<answer>...</answer>`, in small or capital letters; without a "the
   answer is" at its start.
5. The rest of the line after the last `####`.
6. The rest of the sentence after the last "answer is" or "answer:", or after a heading "Answer". It
   ends at a full stop (not at a decimal point, not within `$...$`, not behind "Mr.") or before what
   only comments: "because", "since", "which", "where", "so", "as required", "and we are done",
   "(see above)". When nothing follows on the line, the next line that is not blank counts. "answer
   equals", "should be" and "must be" count when no more than a value follows.
7. The last line that is not blank, if all of it is bold.

A rule that finds only blanks has found nothing. The span says where the text stands:
`response[start:end] == text`.

Boxes joined only by commas, `and`, `or`, blanks or short labels (`y =`) are one answer in `parts`.
What may be meant instead is the `hedge`: a marker of rules 4 to 6 behind the box or a bold last
line behind any marker that says something else, a denial or withdrawal behind it ("No: it is 6",
"Correction: 6"), an alternative in its sentence ("or 6"), and the longer formula or the unit that
the box stands in (`-\boxed{5}`, `\boxed{5}` cm). Whether it really differs in meaning, and what to
do then, is for the checker to say. A box that its own sentence denies ("is not", "is wrong") is
none; only markers behind it count then.

`read_options` is here because `answer_after` is the one setting that all checkers of text share.

How each is found is in finding/: boxes.py (3), markers.py (4 to 7), around.py and hedges.py (what
may be meant instead). Here is the order of the rules, and how a response is cut.

Not here: reading the answer as a number or a letter (see numeric.py, choice.py), other reasoning
tags, an `<answer>` never closed. Time is linear in the response, whatever it holds: no text is
searched twice, and what no honest response holds (thousands of empty boxes, of braces in a box, of
answers that are none) is given up on.
"""

import re
from functools import lru_cache
from typing import cast

import orjson

from tracefactory.verifiers.finding.answer import Answer as Answer
from tracefactory.verifiers.finding.answer import line_end, trimmed
from tracefactory.verifiers.finding.around import beside, is_denied
from tracefactory.verifiers.finding.boxes import BOXED, FBOX, boxes_together, closing
from tracefactory.verifiers.finding.hedges import later, rival
from tracefactory.verifiers.finding.markers import (
    after_answer_is,
    after_hashes,
    bold_line,
    in_tag,
)

VERSION = "2"

_NOTHING = Answer(None, "nothing_found")
_UNCLOSED = Answer(None, "unclosed_reasoning")
_DENIED = Answer(None, "denied")
_OPENS = ("<think>", "<thinking>")
# In so few characters there is no other marker with something behind it.
_NO_MARKER = 5
_OPEN_BOX = f"{BOXED}{{"
# The most runs of braces in a box on the short way.
_FEW_BRACES = 200
# Characters and words of a response that is nothing but an answer.
_MAX_WHOLE, _MAX_WORDS = 200, 2
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")


def final_answer(response: str, answer_after: str | None = None) -> Answer:
    """Find the final answer by the rules of this module."""
    begin = 0
    if "<think" in response or "</think" in response:
        closed, begin = _last_close(response)
        if response.rfind("<think>") > closed or response.rfind("<thinking>") > closed:
            return _UNCLOSED
    if answer_after is not None:
        return _after_marker(response, begin, answer_after)
    return _only_box(response, begin) or _last_boxes(response, begin) or _marked(response, begin)


def _marked(response: str, begin: int, otherwise: Answer = _NOTHING) -> Answer:
    """What the rules behind that of the boxes find, from `begin` on."""
    found = (
        in_tag(response, begin) or after_hashes(response, begin) or after_answer_is(response, begin)
    )
    if found is None or found.text is None:
        return bold_line(response, begin) or otherwise
    find = later if found.rule == "answer_is" else rival
    hedge = find(response, found.end, found.text)
    return found if hedge is None else found._replace(hedge=hedge)


def _only_box(response: str, begin: int) -> Answer | None:
    """What `_last_boxes` finds, for the common response: one box, and next to nothing behind it."""
    at = response.find(_OPEN_BOX, begin)
    if at < 0:
        return None
    first = at + len(_OPEN_BOX)
    if response.find(BOXED, first) >= 0 or response.find(BOXED, begin, at) >= 0:
        return None
    end = response.find("}", first)
    if end < 0 or response.find(FBOX, begin) >= 0:
        return None
    text = response[first:end]
    if "{" in text or "\\" in text:
        end, _ = closing(response, first, len(response), _FEW_BRACES)
        text = response[first:end]
    text = text.strip()
    if end < 0 or len(response) - end > _NO_MARKER or not text:
        return None
    if is_denied(response, begin, at, end + 1, text):
        return _DENIED
    start = response.find(text, first)
    hedge = beside(response, begin, at, end + 1, text)
    return Answer(text, "boxed", start, start + len(text), hedge, (text,))


def _last_boxes(response: str, begin: int) -> Answer | None:
    """The last box that closes and those that stand together with it; what the text says of it."""
    found = boxes_together(response, begin)
    if found is None:
        return None
    last, begins, ends, parts, labels, either, hedge = found
    text = parts[0]
    if is_denied(response, begin, begins, ends, text):
        return _marked(response, ends, _DENIED)
    if hedge is None and len(response) - ends > _NO_MARKER:
        hedge = rival(response, ends, text)
    if hedge is None and len(parts) == 1:
        hedge = beside(response, begin, begins, ends, text)
    if len(set(parts)) == 1:
        return last if hedge is None else last._replace(hedge=hedge)
    return last._replace(
        hedge=hedge,
        parts=tuple(reversed(parts)),
        joined_by_or=either,
        labels=tuple(reversed(labels)),
    )


def whole_answer(response: str) -> Answer:
    """A response that is nothing but an answer: one short line with at most two words in it.

    For checkers that can tell an answer from a sentence; `final_answer` asks for a marker.
    """
    found = trimmed(response, _last_close(response)[1], len(response), "whole")
    if found is None or found.text is None:
        return _NOTHING
    is_long = "\n" in found.text or len(found.text) > _MAX_WHOLE
    return _NOTHING if is_long or len(_WORD.findall(found.text)) > _MAX_WORDS else found


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a response into (reasoning, answer part), tags left out and blanks kept.

    Reasoning runs from the first `<think>` to the last `</think>`. A missing `<think>` means that
    the reasoning starts with the text (some chat templates open the tag in the prompt); a missing
    `</think>` that it never ends. Without tags all is answer. Text before `<think>` is neither.
    """
    firsts = [(at, at + len(tag)) for tag in _OPENS if (at := text.find(tag)) >= 0]
    closed, after = _last_close(text)
    if not firsts and closed < 0:
        return "", text
    opened, begin = min(firsts, default=(-1, 0))
    if 0 <= closed < opened:
        begin = 0
    if max(map(text.rfind, _OPENS)) > closed:
        return text[begin:], ""
    return text[begin:closed], text[after:]


def _last_close(text: str) -> tuple[int, int]:
    """Where the last closing tag of reasoning starts and ends; (-1, 0) without one."""
    short, long = text.rfind("</think>"), text.rfind("</thinking>")
    if short >= long:
        return (short, short + len("</think>")) if short >= 0 else (-1, 0)
    return long, long + len("</thinking>")


@lru_cache(maxsize=64)
def _marker(answer_after: str) -> re.Pattern[str]:
    return re.compile(r"^[ \t]*" + re.escape(answer_after), re.MULTILINE)


def _after_marker(response: str, begin: int, answer_after: str) -> Answer:
    start = -1
    # A slice, not a start position: with a position, `^` would not match in the middle of a line.
    for match in _marker(answer_after).finditer(response[begin:] if begin else response):
        start = begin + match.end()
    if start < 0:
        return Answer(None, "no_marker")
    found = trimmed(response, start, line_end(response, start), "answer_after")
    return found or _NOTHING


@lru_cache(maxsize=256)
def _checked_options(text: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        loaded: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"verifier_options {text!r} is not JSON ({error})") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"verifier_options {text!r} is not a JSON object")
    for name, value in cast("dict[str, object]", loaded).items():
        if name not in known:
            raise ValueError(f"unknown verifier option {name!r}; known: {', '.join(known)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"verifier option {name!r} is {value!r}; it must be a text, not empty")
    return cast("dict[str, str]", loaded)


def read_options(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The settings in problem.verifier_options, each one known and a text that is not empty.

    Raises:
        ValueError: naming what is wrong.
    """
    return {} if text == "{}" else dict(_checked_options(text, known))
