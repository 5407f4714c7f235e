r"""Find the last box that closes, and the boxes that stand together with it.

A box is `\boxed{...}` or `\fbox{...}` with balanced braces, or `\boxed 7` without any. Boxes stand
together when nothing but commas, `and`, `or`, blanks or short labels (`y =`) is between them.

Not here: what the text around a box makes of it (around.py), markers behind it (hedges.py). Time is
linear in the response: no brace is looked at twice, and what no honest response holds (thousands
of empty boxes, of braces in a box) is given up on.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

from tracefactory.verifiers.finding.answer import TRIES, Answer, trimmed

BOXED, FBOX = "\\boxed", "\\fbox"

# The most runs of braces looked at for one response, a box counting as ten.
_EFFORT, _BOX_EFFORT = 3000, 10
# Whole runs of braces are one token: a megabyte of `{` is then one step and not a million.
_BRACES = re.compile(r"\\[{}\\]|\{+|\}+")
_BRACED = re.compile(r"[ \t\n]*\{")
_BARE = re.compile(r"(?![A-Za-z])[ \t]*([^\s${}\\]+)")
_MAX_JOINT = 60
_JOINT = re.compile(
    r"""
    (?: [\s,;$&] | \\\\ | \\[()\[\],;!:\ ] | \\q?quad(?![A-Za-z]) | \*\*
      | \\(?:text(?:bf|it|rm)?|mathrm|mbox)\{\s*[,;]?\s*(?:and|or)?\s*[,;]?\s*\}
      | \\(?:lor|vee|land|wedge)(?![A-Za-z]) | (?<![A-Za-z])(?:and|or)(?![A-Za-z])
      | (?<=[\n ])(?:[-•*]|[0-9]{1,2}[.)])(?=\ )
    )*
    (?: \([a-z0-9]{1,3}\)(?:\ is|:)?[\s$]* )?
    (?: (?:\\text\{)?[A-Za-z\\][A-Za-z0-9_\\{}']{0,15}\s?(?:=|:)\s?\}?[\s$]* )?
    """,
    re.VERBOSE,
)
_OR = re.compile(r"(?<![A-Za-z])or(?![A-Za-z])|\\(?:lor|vee)(?![A-Za-z])")
_ALTERNATIVE = re.compile(r"\b(?:or|alternatively|another (?:is|one|possibility))\b", re.IGNORECASE)
# `(a)` or `x =` right before a box.
_LABEL = re.compile(
    r"(?:(?P<part>\([a-z]{1,3}\))(?: is|:)?|(?<![A-Za-z0-9_^\\])(?P<name>[A-Za-z])\s?=)[\s$]*\Z"
)
_MAX_LABEL = 16


class Boxes(NamedTuple):
    """Boxes that stand together, from the last one backwards."""

    last: Answer
    begins: int
    """Where the first of them starts, with its command."""
    ends: int
    """Behind the last one with its braces."""
    parts: list[str]
    labels: list[str]
    """Of several without an "or" that all have a label of their own; else empty."""
    either: bool
    """Whether an "or" stands between two of them."""
    other: str | None
    """What a box before them offers as an alternative."""


def boxes_together(response: str, begin: int) -> Boxes | None:
    """The last box that closes, and those that stand together with it; None without any."""
    boxed, fbox = _last(response, BOXED, begin), _last(response, FBOX, begin)
    if boxed < 0 and fbox < 0:
        return None
    boxes = _closed_boxes(response, begin, boxed, fbox)
    found = next(boxes, None)
    if found is None:
        return None
    last, begins, ends = found
    parts, starts = [cast("str", last.text)], [begins]
    either, other = False, None
    for box, at, after in boxes:
        # A box around the last one is not beside it.
        if not 0 <= begins - after <= _MAX_JOINT:
            break
        joint = response[after:begins]
        if _JOINT.fullmatch(joint) is None:
            if len(parts) == 1 and box.text != parts[0] and _ALTERNATIVE.search(joint):
                other = box.text
            break
        either = either or _OR.search(joint) is not None
        begins = at
        parts.append(cast("str", box.text))
        starts.append(at)
    labels = [] if either or len(starts) == 1 else _labels(response, begin, starts)
    return Boxes(last, begins, ends, parts, labels, either, other)


def _closed_boxes(
    response: str, begin: int, boxed: int, fbox: int
) -> Iterator[tuple[Answer, int, int]]:
    r"""The last box that closes, where it starts and ends with its command; then those before it.

    Ends before a box that holds nothing or never closes. Boxes are tried backwards from the last
    `\boxed` and the last `\fbox`, each only up to the next one. That is enough: a box that holds
    another that never closes cannot close either.
    """
    last_close = response.rfind("}", begin)
    limit = len(response)  # from here on nothing can close the box
    tries, effort, found = TRIES, _EFFORT, False
    while (boxed >= 0 or fbox >= 0) and effort > 0:
        at, name = (boxed, BOXED) if boxed > fbox else (fbox, FBOX)
        if found or at <= last_close:
            effort -= _BOX_EFFORT
        else:
            tries -= 1
        inside, box, end = at + len(name), None, -1
        first = inside + 1 if response.startswith("{", inside) else _opened(response, inside)
        if first < 0:
            box = _bare_box(response, inside)
        else:
            if first <= last_close:
                end, effort = closing(response, first, limit, effort)
            if end < 0:
                limit = at
            else:
                box = trimmed(response, first, end, "boxed")
        if box is not None:
            found = True
            yield box, at, box.end if end < 0 else end + 1
        elif found:
            return
        # Only the one that is used up is looked for again: else a text without the other is
        # searched from end to end for each. After too many tries, nothing behind the last brace is.
        before = at if tries else min(at, max(last_close, begin))
        if boxed >= before:
            boxed = response.rfind(BOXED, begin, before)
        if fbox >= before:
            fbox = response.rfind(FBOX, begin, before)


def _last(response: str, name: str, begin: int) -> int:
    # Forwards is faster than backwards where there is nothing to find.
    return response.rfind(name, begin) if response.find(name, begin) >= 0 else -1


def _opened(response: str, inside: int) -> int:
    """Behind the brace that opens a box after blanks, or -1 when there is none."""
    braced = _BRACED.match(response, inside)
    return -1 if braced is None else braced.end()


def _bare_box(response: str, inside: int) -> Answer | None:
    r"""`\boxed 7`, without braces."""
    bare = _BARE.match(response, inside)
    text = "" if bare is None else bare[1].rstrip(".,;:")
    if bare is None or not text:
        return None
    return Answer(text, "boxed", bare.start(1), bare.start(1) + len(text), None, (text,))


def closing(response: str, first: int, limit: int, effort: int) -> tuple[int, int]:
    """Where the brace that opened just before `first` closes, or -1; and the effort left."""
    depth = 1
    for run in _BRACES.finditer(response, first, limit):
        start = run.start()
        kind = response[start]
        if kind == "}":
            length = run.end() - start
            if length >= depth:
                return start + depth - 1, effort
            depth -= length
        elif kind == "{":
            depth += run.end() - start
        effort -= 1
        if effort <= 0:
            break
    return -1, effort


def _labels(response: str, begin: int, starts: list[int]) -> list[str]:
    """The labels right before boxes; empty if one has none or two have the same."""
    labels: list[str] = []
    for box in starts:
        found = _LABEL.search(response, max(begin, box - _MAX_LABEL), box)
        if found is None:
            return []
        labels.append(found["part"] or found["name"])
    return labels if len(set(labels)) == len(labels) else []
