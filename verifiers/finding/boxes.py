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
    either: bool
    """Whether an "or" stands between two of them."""
    other: str | None
    """What a box before them offers as an alternative."""


def boxes_together(response: str, begin: int) -> Boxes | None:
    """The last box that closes, and those that stand together with it.

    Boxes are tried from the last one backwards, each only up to the next one. That is enough: a
    box that holds another that never closes cannot close either, so no brace is looked at twice.
    """
    if response.find(BOXED, begin) < 0 and response.find(FBOX, begin) < 0:
        return None
    search = _Search(response, begin)
    for at, inside in search.commands(begin):
        box, ends = search.box(at, inside)
        if box is not None:
            break
        if search.effort <= 0:
            return None
    else:
        return None
    
