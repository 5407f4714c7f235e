r"""Find the final answer of a response, and the part of it that is reasoning.

The rules, in this order; the first that finds something wins:

1. Only the text after the last `</think>` counts. A `<think>` that is never closed afterwards
   means that the response never came to an answer.
2. With `answer_after` (such as `A:`): the rest of the last line that starts with it, and no other.
3. The last balanced `\boxed{...}` or `\fbox{...}`, or `\boxed 7` without braces.
4. The rest of the line after the last `####`.
5. The rest of the line, or of its sentence, after the last "answer is" or "answer:".

A rule that finds only blanks has found nothing. The span says where the text stands:
`response[start:end] == text`.

`read_options` is here because `answer_after` is the one setting that all checkers of text share.

Not here: reading the answer as a number or a letter (see numeric.py, choice.py), several answers,
and `<answer>` tags. Time is linear in the response, whatever it holds: no text is searched twice.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import orjson

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of a response, or the reason why there is none."""

    text: str | None
    """As written in the response, blanks around it removed; None when there is no answer."""
    rule: str
    """`boxed`, `hashes`, `answer_is`, `answer_after`; without an answer `unclosed_reasoning`,
    `no_marker` (answer_after asked for a line that is not there) or `nothing_found`."""
    start: int = -1
    end: int = -1


_OPEN, _CLOSE = "<think>", "</think>"
# Whole runs of braces are one token: a megabyte of `{` is then one step and not a million.
_BRACES = re.compile(r"\\[{}\\]|\{+|\}+")
_BRACED = re.compile(r"[ \t\n]*\{")
_BARE = re.compile(r"(?![A-Za-z])[ \t]*([^\s${}\\]+)")
_ANSWER_IS = re.compile(r"answer(?:[ \t]{1,4}is\b|[ \t]{0,4}:)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_BLANK = " \t\r\n"


def final_answer(response: str, answer_after: str | None = None) -> Answer:
    """Find the final answer by the rules of this module."""
    closed = response.rfind(_CLOSE)
    if response.rfind(_OPEN) > closed:
        return Answer(None, "unclosed_reasoning")
    begin = 0 if closed < 0 else closed + len(_CLOSE)
    if answer_after is not None:
        return _after_marker(response, begin, answer_after)
    return (
        _last_box(response, begin)
        or _after_hashes(response, begin)
        or _after_answer_is(response, begin)
        or Answer(None, "nothing_found")
    )


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a response into (reasoning, answer part), tags left out and blanks kept.

    Reasoning runs from the first `<think>` to the last `</think>`. A missing `<think>` means that
    the reasoning starts with the text (some chat templates open the tag in the prompt); a missing
    `</think>` that it never ends. Without tags all is answer. Text before `<think>` is neither.
    """
    opened, closed = text.find(_OPEN), text.rfind(_CLOSE)
    if opened < 0 and closed < 0:
        return "", text
    begin = 0 if opened < 0 or 0 <= closed < opened else opened + len(_OPEN)
    if text.rfind(_OPEN) > closed:
        return text[begin:], ""
    return text[begin:closed], text[closed + len(_CLOSE) :]


def _found(response: str, start: int, end: int, rule: str, drop: str = _BLANK) -> Answer | None:
    """An answer without the blanks around it, or None if it is all blank."""
    raw = response[start:end]
    text = raw.strip(drop)
    if not text:
        return None
    start += len(raw) - len(raw.lstrip(drop))
    return Answer(text, rule, start, start + len(text))


def _line_end(response: str, start: int) -> int:
    end = response.find("\n", start)
    return len(response) if end < 0 else end


def _last_box(response: str, begin: int) -> Answer | None:
    """The last box that closes.

    Boxes are tried from the last one backwards, each only up to the next one. That is enough: a
    box that holds another that never closes cannot close either, so no brace is looked at twice.
    """
    limit = len(response)  # from here on nothing can close the box
    last_close = response.rfind("}", begin)
    boxed, fbox = response.rfind("\\boxed", begin), response.rfind("\\fbox", begin)
    while boxed >= 0 or fbox >= 0:
        # Only the one that is used up is looked for again: else a text without the other is
        # searched from end to end for each.
        if boxed > fbox:
            at, inside = boxed, boxed + len("\\boxed")
            boxed = response.rfind("\\boxed", begin, at)
        else:
            at, inside = fbox, fbox + len("\\fbox")
            fbox = response.rfind("\\fbox", begin, at)
        braced = _BRACED.match(response, inside)
        if braced is None:
            bare = _BARE.match(response, inside)
            if bare is not None:
                text = bare[1].rstrip(".,;:")
                if text:
                    return Answer(text, "boxed", bare.start(1), bare.start(1) + len(text))
            continue
        first = braced.end()
        end = _closing(response, first, limit) if first <= last_close else -1
        if end < 0:
            limit = at
            continue
        found = _found(response, first, end, "boxed")
        if found is not None:
            return found
    return None


def _closing(response: str, first: int, limit: int) -> int:
    """Where the brace that opened just before `first` closes, or -1."""
    depth = 1
    for run in _BRACES.finditer(response, first, limit):
        kind = response[run.start()]
        if kind == "{":
            depth += run.end() - run.start()
        elif kind == "}":
            length = run.end() - run.start()
            if length >= depth:
                return run.start() + depth - 1
            depth -= length
    return -1


def _after_hashes(response: str, begin: int) -> Answer | None:
    at = response.rfind("####", begin)
    if at < 0:
        return None
    return _found(response, at + 4, _line_end(response, at), "hashes")


def _after_answer_is(response: str, begin: int) -> Answer | None:
    start = -1
    for match in _ANSWER_IS.finditer(response, begin):
        start = match.end()
    if start < 0:
        return None
    end = _line_end(response, start)
    stop = _SENTENCE_END.search(response, start, end)
    # `**Answer:** 7` and "the answer is: `7`" are dress, not answer.
    return _found(response, start, stop.start() if stop else end, "answer_is", _BLANK + ":*`")


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
    found = _found(response, start, _line_end(response, start), "answer_after")
    return found or Answer(None, "nothing_found")


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
