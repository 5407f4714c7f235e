"""The program in a response: the last fenced Python block of its answer part.

A fence is a line that begins with three backticks or tildes or more, as in CommonMark, and ends
with a line of as many or more of the same sign; the block is Python's if the first word behind the
opening fence is python, python3, py or py3. An indented fence takes its indentation off its lines.

Only what stands behind the last `</think>` counts. Reasoning that never ends, no Python block, and
a last block that is never closed (the response was cut off) are no answer.

Not here: running it.
"""

import re
from typing import NamedTuple

from tracefactory.verifiers.extract import split_reasoning

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>.*?)[ \t]*\r?")
_LANGUAGES = ("python", "python3", "py", "py3")


class Extracted(NamedTuple):
    """A program, or why there is none."""

    program: str | None
    why: str = ""
    """`no_block`, `unclosed_reasoning`, `unclosed_block`; empty if there is one."""


def last_program(response: str) -> Extracted:
    """Find it by the rules of this module."""
    if response.rfind("<think") > response.rfind("</think"):
        return Extracted(None, "unclosed_reasoning")
    _, answer = split_reasoning(response)
    found = Extracted(None, "no_block")
    lines = iter(answer.split("\n"))
    for line in lines:
        opening = _FENCE.fullmatch(line)
        if opening is None or (opening["fence"][0] == "`" and "`" in opening["info"]):
            continue
        body: list[str] = []
        closed = False
        for line in lines:
            closing = _FENCE.fullmatch(line)
            if closing is not None and _closes(closing, opening):
                closed = True
                break
            body.append(_without(opening["indent"], line))
        words = re.split(r"[\s{}.,:]+", opening["info"].strip("{. ").lower(), maxsplit=1)
        if words[0] in _LANGUAGES:
            text = "\n".join(body)
            found = Extracted(text + "\n") if closed else Extracted(None, "unclosed_block")
    return found


def _closes(line: re.Match[str], opening: re.Match[str]) -> bool:
    return not line["info"] and line["fence"].startswith(opening["fence"])


def _without(indent: str, line: str) -> str:
    """The line without as much of the fence's indentation as it has."""
    line = line.removesuffix("\r")
    kept = 0
    while kept < len(indent) and line[kept : kept + 1] in (" ", "\t") and line[kept:]:
        kept += 1
    return line[kept:]
