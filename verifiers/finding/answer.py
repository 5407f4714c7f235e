"""The record of an answer that was found, and how a stretch of a response becomes one.

Not here: where to look for it (boxes.py, markers.py), the order of the rules (extract.py).
"""

from typing import NamedTuple

TRIES = 1000
"""The most boxes behind the last closing brace, words "answer", and empty tags looked at."""
MAX_SENTENCE = 4000
"""Longer than any answer: only within so many characters is the end of a sentence looked for."""


class Answer(NamedTuple):
    """The final answer of a response, or the reason why there is none."""

    text: str | None
    """As written in the response, blanks around it removed; None when there is no answer."""
    rule: str
    """`boxed`, `answer_tag`, `hashes`, `answer_is`, `bold_line`, `answer_after`, `whole`; without
    an answer `unclosed_reasoning`, `no_marker` (answer_after asked for a line that is not there),
    `denied` (a box that is said to be wrong) or `nothing_found`."""
    start: int = -1
    end: int = -1
    hedge: str | None = None
    """What the text around the answer says instead, if that is not what the answer says."""
    parts: tuple[str, ...] = ()
    """The texts of the boxes that stand together at the end, or just the text; empty without one.
    A text that is only repeated is there once."""
    joined_by_or: bool = False
    """Whether an "or" stands between two of the parts."""
    labels: tuple[str, ...] = ()
    """Of several parts that all have one before their box: `x` or `(a)`. Else empty."""


def trimmed(response: str, start: int, end: int, rule: str, drop: str = "") -> Answer | None:
    """An answer without the blanks and the signs of `drop` around it; None if nothing is left."""
    raw = response[start:end]
    # Blanks on their own first: that is four times as fast, should there be a megabyte of them.
    text = raw.strip()
    if drop and len(text) <= MAX_SENTENCE:
        text = text.strip(drop)
    if not text:
        return None
    if len(text) < len(raw):
        start += raw.find(text)
    return Answer(text, rule, start, start + len(text), None, (text,))


def line_end(response: str, start: int) -> int:
    """Where the line ends that `start` is in."""
    end = response.find("\n", start)
    return len(response) if end < 0 else end
